# SPDX-License-Identifier: MIT
# tests/packages/foreign finds the host's mirror in APT's sources, in both formats.
. "$(dirname "$0")/../lib.sh"

release=$(. /etc/os-release && echo "$VERSION_CODENAME")
default=/usr/share/keyrings/debian-archive-keyring.gpg

# mirror WANTED... : what is found in $T/apt
mirror() {
	CAIRN_APT_ETC=$T/apt expect 0 "$CAIRN_TOP/tests/packages/foreign" --mirror
	[ "$(cat "$T/out")" = "$*" ] || fail "found $(cat "$T/out"), not $*"
}

sources() {
	mkdir -p apt/sources.list.d
	cat >"apt/$1"
}

test_one_line() {
	sources sources.list <<-END
		# deb http://commented.example/debian $release main
		deb-src http://source.example/debian $release main
		deb http://security.example/debian-security $release-security main
		deb http://plain.example/debian $release main contrib # a remark
	END
	mirror http://plain.example/debian $default
	sources sources.list <<-END
		deb [arch=amd64 signed-by=/keys/debian-archive.gpg] http://signed.example/debian $release main
	END
	mirror http://signed.example/debian /keys/debian-archive.gpg
	sources sources.list <<-END
		deb [ arch=amd64 signed-by=/keys/spaced-debian-archive.gpg ] http://spaced.example/debian $release main
	END
	mirror http://spaced.example/debian /keys/spaced-debian-archive.gpg
}

test_deb822() {
	sources sources.list.d/debian.sources <<-END
		# a remark
		Types: deb deb-src
		URIs: http://first.example/debian
		# one inside
		Suites: $release $release-updates
		Components: main
		 contrib
		Signed-By: /keys/debian-archive.gpg

		Enabled: no
		Types: deb
		URIs: http://disabled.example/debian
		Suites: $release
		Components: main
		Signed-By: /keys/debian-archive.gpg
	END
	mirror http://first.example/debian /keys/debian-archive.gpg
	sources sources.list.d/debian.sources <<-END
		Types: deb
		URIs: http://inline.example/debian
		Suites: $release
		Components: main
		Signed-By:
		 -----BEGIN PGP PUBLIC KEY BLOCK-----
		 .
		 -----END PGP PUBLIC KEY BLOCK-----
	END
	mirror http://inline.example/debian $default
}

# Others publish for the same release as well: Debian's own is taken.
test_other_vendors() {
	sources sources.list.d/a-vendor.list <<-END
		deb [signed-by=/keys/vendor.gpg] https://vendor.example/apt $release main
	END
	sources sources.list.d/debian.sources <<-END
		Types: deb
		URIs: http://mirror.example/debian
		Suites: $release
		Components: main
		Signed-By: /keys/debian-archive-keyring.gpg
	END
	mirror http://mirror.example/debian /keys/debian-archive-keyring.gpg
}

test_no_mirror_is_an_error() {
	sources sources.list </dev/null
	CAIRN_APT_ETC=$T/apt refused 1 'no Debian mirror' "$CAIRN_TOP/tests/packages/foreign" --mirror
	refused 1 'no tools named frob' "$CAIRN_TOP/tests/packages/foreign" frob
}

run_tests "$@"
