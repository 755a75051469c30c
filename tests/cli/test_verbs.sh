# SPDX-License-Identifier: MIT
. "$(dirname "$0")/../lib.sh"

test_version() {
	expect 0 "$cairn" --version
	grep -q '^cairn [0-9]' out
}

test_help_of_every_verb() {
	expect 0 "$cairn" help
	sed -n 's/^  \([a-z]*\) .*/\1/p' out >verbs
	[ "$(wc -l <verbs)" -ge 12 ] || fail "the help lists only $(cat verbs)"
	for verb in $(cat verbs); do
		expect 0 "$cairn" help "$verb"
		grep -q "^usage: cairn $verb" out || fail "help $verb"
	done
}

test_unknown_verb() {
	refused 2 'no verb frobnicate' "$cairn" frobnicate
}

run_tests "$@"
