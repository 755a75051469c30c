# SPDX-License-Identifier: MIT
# The manual pages say what the programs do: no option more, none less.
. "$(dirname "$0")/../lib.sh"
pages=$CAIRN_TOP/docs/man

verbs() {
	"$cairn" help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -vx 'help\|version'
}

options() {
	grep -oE -- '--[a-z0-9][a-z0-9-]*' | sort -u
}

test_every_verb_has_a_page() {
	local verb
	[ "$(verbs | wc -l)" -ge 10 ] || fail "the help lists only $(verbs)"
	for verb in $(verbs); do
		[ -f "$pages/cairn-$verb.1" ] || fail "no page for cairn $verb"
		grep -q "cairn-$verb" "$pages/cairn.1" || fail "cairn(1) does not name $verb"
	done
}

test_pages_list_the_options_of_the_usage() {
	local verb
	for verb in $(verbs); do
		"$cairn" help "$verb" | options >usage
		# Only where an option is explained or used by this very verb.
		sed 's/\\-/-/g; s/\\f[A-Z]//g' "$pages/cairn-$verb.1" |
			sed '/^\.B "*openssl/d; /^\.RB ( "openssl/d; /^\.B cairn build/d; /^\.B fsverity/d' |
			options >page
		diff usage page || fail "cairn-$verb(1) differs from the usage text"
	done
	for page in "$pages"/*.8; do
		[ -x "$CAIRN_BUILD/$(basename "$page" .8)" ] || fail "there is no program for $page"
		"$CAIRN_BUILD/$(basename "$page" .8)" --help | options >usage
		sed 's/\\-/-/g' "$page" | options >page
		diff usage page || fail "$page differs from the usage text"
	done
}

test_pages_are_well_formed() {
	local page
	for page in "$pages"/*.[1-8]; do
		groff -man -Tutf8 -ww -z "$page" 2>warnings
		[ ! -s warnings ] || fail "$(cat warnings)"
		grep -q '^\.SH NAME' "$page"
		grep -q "^\.TH $(basename "${page%.*}" | tr a-z A-Z) ${page##*.} " "$page" || fail "$page: title"
	done
}

test_every_program_has_a_page() {
	local program
	for program in "$CAIRN_BUILD"/*.blobfs; do
		[ -f "$pages/$(basename "$program").8" ] || fail "no page for $program"
	done
}

test_exit_statuses_are_those_of_the_program() {
	local number
	for number in $(sed -n 's/^\tSTATUS_[A-Z]* = \([0-9]*\),.*/\1/p' "$CAIRN_TOP/core/error.h"); do
		grep -qx "\.B $number" "$pages/cairn.1" || fail "cairn(1) lacks status $number"
	done
}

test_pages_are_installed() {
	make -C "$CAIRN_TOP" --no-print-directory install DESTDIR="$T/root" PREFIX=/usr >/dev/null
	[ "$(ls "$T"/root/usr/share/man/man[18] | grep -c '[18]$')" = "$(ls "$pages" | wc -l)" ]
}

run_tests "$@"
