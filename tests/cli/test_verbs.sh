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
	refused 2 'no verb is given' "$cairn"
}

test_refused_options_are_named_as_they_were_given() {
	echo hello >file
	expect 0 "$cairn" digest --comp --jobs=2 file
	refused 2 'sign: option --key needs a value$' "$cairn" sign os.raw --key
	refused 2 'digest: option -c needs a value$' "$cairn" digest -c
	refused 2 'digest: option -x is not known' "$cairn" digest -rx file
	refused 2 'digest: option --compact=1 is not known or takes no value$' "$cairn" digest --compact=1 file
	refused 2 'digest: option --no-such is not known' "$cairn" digest file --no-such
	refused 2 "--jobs: '2x' is not a number" "$cairn" digest --jobs=2x file
	refused 2 '--jobs: 0 is not from 1 to 1024' "$cairn" digest --jobs=0 file
	expect 0 "$cairn" digest -- file
	echo hello >--json
	expect 0 "$cairn" digest -- --json
}

# What has results: each line is a command that is good, at any time.
programs_with_results() {
	echo hello >file
	"$cairn" store add store file >blob
	"$CAIRN_BUILD/mkfs.blobfs" --quiet --size 2M image.blobfs file
	head -c 1M /dev/zero >data
	cat <<-END
		$cairn version
		$cairn help store
		$cairn digest file
		$cairn store add store file
		$cairn store list store
		$cairn store get store $(cut -d ' ' -f 1 blob)
		$cairn verity format data tree --force
		$cairn blob add image.blobfs file
		$cairn blob list image.blobfs
		$CAIRN_BUILD/mkfs.blobfs --help
	END
}

# A disk that is full behind a redirection must not look like success.
test_results_that_cannot_be_written() {
	programs_with_results >programs
	while read -r line; do
		expect 0 $line
		[ -s out ] || fail "no results: $line"
		for to in '>/dev/full' '>&-'; do
			refused 1 '^[a-z.]*: .*standard output: ' \
				bash -c "$line $to"
		done
	done <programs
}

# What is opened first must not get the number of a standard output that is closed.
test_closed_output_is_nobodys() {
	programs_with_results >programs
	sha256sum file data image.blobfs >sums
	for closed in '>&-' '<&- >&-' '<&- >&- 2>&-'; do
		bash -c "$cairn digest --json data $closed" && fail "digest $closed"
		bash -c "$cairn blob list image.blobfs $closed" && fail "blob list $closed"
		bash -c "$cairn verity format data tree --force $closed" && fail "format $closed"
	done 2>/dev/null
	sha256sum --quiet -c sums
	expect 0 "$cairn" verity format data again
	cmp tree again
}

run_tests "$@"
