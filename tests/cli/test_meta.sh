# SPDX-License-Identifier: MIT
# Tests of the tree itself: what the house rules say and a machine can see.
. "$(dirname "$0")/../lib.sh"

tracked() {
	git -C "$CAIRN_TOP" ls-files -- "$@"
}

# Without these the tests below would find nothing, and so nothing wrong.
[ "$(tracked | wc -l)" -gt 100 ] && command -v clang-format >/dev/null || {
	echo "not ok - git lists no files, or there is no clang-format"
	exit 1
}

test_layers_only_look_down() {
	declare -A rank=([core]=0 [blobfs]=1 [initrd/plan]=1 [initrd/compose]=2 [initrd]=3 [builder]=3 [verifier]=3 [cli]=4)
	local file layer included above=0
	while read -r file; do
		layer=$(dirname "$file")
		[ "${rank[$layer]+x}" ] || layer=${layer%%/*}
		while read -r included; do
			included=$(dirname "$included")
			[ "${rank[$included]+x}" ] || included=${included%%/*}
			if [ "$included" != "$layer" ] && [ "${rank[$included]:-9}" -ge "${rank[$layer]}" ]; then
				echo "$file includes $included"
				above=1
			fi
		done < <(sed -n 's/^#include "\(.*\)"/\1/p' "$CAIRN_TOP/$file")
	done < <(tracked '*.c' '*.h' | grep -v '^tests/')
	return $above
}

test_every_file_names_its_licence() {
	local missing
	missing=$(tracked | grep -vE '^LICENSE$|^tests/(golden|fuzz/corpus)/|\.(svg|png|json)$' |
		while read -r file; do
			head -n 5 "$CAIRN_TOP/$file" | grep -q SPDX-License-Identifier || echo "$file"
		done)
	[ -z "$missing" ] || fail "no SPDX line in: $missing"
}

test_top_level_is_what_the_design_lists() {
	local extra
	extra=$(tracked | sed 's,/.*,,' | sort -u |
		grep -vxE 'core|blobfs|builder|initrd|verifier|cli|docs|tests|Makefile|mkosi\.conf|README\.md|LICENSE|HACKING\.md|\..*' || true)
	[ -z "$extra" ] || fail "not of the top level: $extra"
}

# The house's limits: no function over 100 lines, no file over 450.
test_functions_and_files_stay_short() {
	(cd "$CAIRN_TOP" && git ls-files -- '*.c' '*.h' | xargs awk '
		FNR == 1 { if (NR > 1 && lines > 450) { print previous ": " lines " lines"; bad = 1 }
			previous = FILENAME; start = 0 }
		{ lines = FNR }
		/^\{/ { start = FNR }
		/^\}/ && start { n = FNR - start + 1; start = 0
			if (n > 100) { print FILENAME ":" FNR ": a function of " n " lines"; bad = 1 } }
		END { if (lines > 450) { print previous ": " lines " lines"; bad = 1 }; exit bad }')
}

test_formatted() {
	(cd "$CAIRN_TOP" && git ls-files -- '*.c' '*.h' |
		xargs -P 2 -n 20 clang-format --dry-run -Werror 2>&1 | grep -E 'error' | cut -d: -f1 |
		sort | uniq -c) >"$T/out" || true
	[ ! -s "$T/out" ] || fail "make format would change: $(cat "$T/out")"
}

test_install_and_uninstall_are_symmetric() {
	make -C "$CAIRN_TOP" --no-print-directory install DESTDIR="$T/root" >/dev/null
	expect 0 "$T/root/usr/local/bin/cairn" --version
	make -C "$CAIRN_TOP" --no-print-directory uninstall DESTDIR="$T/root" >/dev/null
	local left
	left=$(find "$T/root" ! -type d)
	[ -z "$left" ] || fail "left after uninstall: $left"
}

test_package_lists_name_real_packages() {
	local package
	for package in $(sed 's/#.*//' "$CAIRN_TOP"/tests/packages/*.list); do
		dpkg-query -W "$package" >/dev/null 2>&1 || apt-cache show "$package" >/dev/null 2>&1 ||
			fail "no Debian package $package"
	done
}

# Every verb and option a man page or the README shows is one that the program knows.
test_documented_verbs_exist() {
	local verb verbs
	verbs=$(grep -ohE '`cairn [a-z]+' "$CAIRN_TOP/README.md" | awk '{ print $NF }' | sort -u)
	[ "$(wc -w <<<"$verbs")" -gt 8 ] || fail "the README shows too few verbs: $verbs"
	for verb in $verbs; do
		expect 0 "$cairn" help "$verb"
	done
	# And each verb of the program has its example.
	for verb in $("$cairn" help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -v '^help$'); do
		grep -qx "$verb" <<<"$verbs" || fail "the README has no example of $verb"
	done
}

run_tests "$@"
