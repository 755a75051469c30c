# SPDX-License-Identifier: MIT
. "$(dirname "$0")/../lib.sh"

test_version() {
	expect 0 "$cairn" --version
	grep -q '^cairn [0-9]' out
}

test_help_of_every_verb() {
	expect 0 "$cairn" help
	for verb in $(sed -n 's/^  \([a-z]*\) .*/\1/p' out); do
		expect 0 "$cairn" help "$verb"
		grep -q "^usage: cairn $verb" out || fail "help $verb"
	done
}

test_unknown_verb() {
	refused 2 'no verb frobnicate' "$cairn" frobnicate
}

run_tests "$@"
