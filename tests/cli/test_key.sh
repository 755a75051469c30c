# SPDX-License-Identifier: MIT
. "$(dirname "$0")/../lib.sh"

# The OIDs of docs/trust.md, which other tools rely on.
declare -A oids=(
	[root]=2.25.326805806096245407720027131346193648512
	[sysext]=2.25.71939510027889489427801799309729170228
	[confext]=2.25.36373344283522457139398306159550295447
	[generation]=2.25.194780027062218593541111870399997470285
)

test_each_purpose() {
	local purpose
	for purpose in "${!oids[@]}"; do
		(umask 0 && expect 0 "$cairn" key new keys --purpose $purpose)
		[ "$(stat -c %a keys/$purpose.key)" = 600 ] || fail "mode of $purpose.key"
		expect 0 openssl x509 -in keys/$purpose.crt -noout -text
		grep -q "Code Signing, ${oids[$purpose]}\$" out || fail "usage of $purpose.crt"
		grep -q 'Public-Key: (3072 bit)' out
		grep -q 'Signature Algorithm: sha256WithRSAEncryption' out
		grep -q 'CA:FALSE' out
		grep -q "${oids[$purpose]}" "$CAIRN_TOP/docs/trust.md" || fail "$purpose: not in docs"
		head -n 1 keys/$purpose.key | grep -qx -e '-----BEGIN PRIVATE KEY-----'
		expect 0 openssl verify -CAfile keys/$purpose.crt keys/$purpose.crt
		[ "$(openssl pkey -in keys/$purpose.key -pubout)" = \
			"$(openssl x509 -in keys/$purpose.crt -noout -pubkey)" ] || fail 'no pair'
	done
	[ "$(ls -A keys | wc -l)" = 8 ] || fail "left behind: $(ls -A keys)"
}

test_default_is_root_and_quiet_is_quiet() {
	expect 0 "$cairn" key new . --quiet
	[ ! -s err ] && [ ! -s out ]
	[ -f root.key ] && [ -f root.crt ]
}

test_existing_is_kept() {
	expect 0 "$cairn" key new keys
	cp -a keys before
	refused 1 'keys/root.key: exists' "$cairn" key new keys
	rm keys/root.key
	refused 1 'keys/root.crt: exists' "$cairn" key new keys
	cmp keys/root.crt before/root.crt
	[ "$(ls -A keys)" = root.crt ] || fail "left behind: $(ls -A keys)"
	expect 0 "$cairn" key new keys --force
	! cmp -s keys/root.crt before/root.crt || fail 'the same key twice'
}

test_usage() {
	refused 2 'no purpose kernel' "$cairn" key new . --purpose kernel
	refused 2 'one directory' "$cairn" key new
	refused 2 'one directory' "$cairn" key new a b
	refused 2 'no verb old' "$cairn" key old
	refused 2 '--color' "$cairn" key new . --color
	[ -z "$(ls -A | grep -v -e '^out$' -e '^err$')" ] || fail "left behind: $(ls -A)"
}

test_directory_cannot_be_made() {
	: >file
	refused 1 'file' "$cairn" key new file/keys
	refused 1 'file' "$cairn" key new file
}

run_tests "$@"
