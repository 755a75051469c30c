# SPDX-License-Identifier: MIT
# Parity beside veritysetup's, and repair by it. Where blocks are repaired in place, see
# test_verity_in_place.sh.
. "$(dirname "$0")/../lib.sh"

salt=e48da609055204e89ae53b655ca2216dd983cf3cb829f34f63a297d106d53e2d
uuid=a60c98d2-ae9b-4865-bfcb-b4e3ace11033

# Parity like veritysetup's: for all numbers of roots, block sizes, and places to put it.
test_parity_like_veritysetup() {
	noise data 2097152 20
	local roots bs
	for roots in 2 3 7 16 24; do
		for bs in 512 4096; do
			rm -f ours ours-fec theirs theirs-fec
			expect 0 "$cairn" verity format data ours --fec-device=ours-fec --fec-roots=$roots \
				--salt=$salt --uuid=$uuid --data-block-size=$bs --hash-block-size=$bs
			veritysetup format data theirs --fec-device=theirs-fec --fec-roots=$roots \
				--salt=$salt --uuid=$uuid --data-block-size=$bs --hash-block-size=$bs >expected
			diff <(sed 's/theirs/ours/' expected) out
			cmp ours theirs
			cmp ours-fec theirs-fec
			expect 0 "$cairn" verity dump ours --fec-device=ours-fec --fec-roots=$roots
			diff <(veritysetup dump ours --fec-device=ours-fec --fec-roots=$roots) out
		done
	done
	refused 5 '1 parity bytes; 2 to 24' "$cairn" verity format data x --fec-device=y --fec-roots=1
	refused 5 '25 parity bytes' "$cairn" verity format data x --fec-device=y --fec-roots=25
	refused 5 'blocks of one size' "$cairn" verity format data x --fec-device=y --data-block-size=512
	[ ! -e x ] && [ ! -e y ]
}

# All in one file, and what lies behind the hash area is covered too.
test_parity_in_one_file_like_veritysetup() {
	noise theirs 3000000 21
	cp theirs ours
	local where
	for where in "--data-blocks=400 --hash-offset=2048000 --fec-offset=2457600" \
		"--data-blocks=400 --hash-offset=2048000 --fec-offset=2949120 --fec-roots=5"; do
		veritysetup format theirs theirs --fec-device=theirs $where --salt=$salt --uuid=$uuid >expected
		expect 0 "$cairn" verity format ours ours --fec-device=ours $where --salt=$salt --uuid=$uuid
		diff <(sed 's/theirs/ours/' expected) out
		cmp ours theirs
	done
	# A file for the parity alone: then the rest of the hash area's file is covered.
	veritysetup format theirs theirs --fec-device=their-fec --data-blocks=400 \
		--hash-offset=2048000 --salt=$salt --uuid=$uuid >expected
	expect 0 "$cairn" verity format ours ours --fec-device=our-fec --data-blocks=400 \
		--hash-offset=2048000 --salt=$salt --uuid=$uuid
	cmp our-fec their-fec
	refused 5 'would overlap the hash area' "$cairn" verity format ours ours --fec-device=ours \
		--data-blocks=400 --hash-offset=2048000 --fec-offset=2052096
	refused 5 'would overlap the data' "$cairn" verity format ours ours --fec-device=ours \
		--data-blocks=400 --hash-offset=2048000 --fec-offset=4096
	cmp ours theirs
}

# repair_case BLOCKS BS ROOTS HASH_OFFSET FEC_OFFSET DAMAGED: the cases of cryptsetup's own
# test (tests/golden/README.md). All else equal, DAMAGED bytes in blocks of codewords apart.
repair_case() {
	local blocks=$1 bs=$2 roots=$3 hash_offset=$4 fec_offset=$5 damaged=$6 hash=hash fec=fec
	rm -f image hash fec fixed
	noise image $((bs * 600)) "$damaged"
	[ "$hash_offset" = 0 ] || hash=image
	[ "$fec_offset" = 0 ] || fec=image
	[ "$fec_offset" = 0 ] || truncate -s "$fec_offset" image
	local args=(--data-block-size="$bs" --hash-block-size="$bs")
	local where=(--hash-offset="$hash_offset" --fec-device=$fec --fec-offset="$fec_offset" --fec-roots="$roots")
	[ "$blocks" = all ] || args+=(--data-blocks="$blocks")
	[ "$blocks" != all ] || blocks=600
	expect 0 "$cairn" verity format image $hash "${args[@]}" "${where[@]}" --root-hash-file=root
	cp image good
	python3 - "$blocks" "$bs" "$damaged" <<-'END'
		import random, sys
		blocks, bs, n = map(int, sys.argv[1:])
		r = random.Random(n)
		# Two damaged blocks in a row of as many as there are rounds share no codeword twice.
		with open("image", "r+b") as f:
		    for b in r.sample(range(min(blocks, 2)), min(blocks, 2)) if n > 1 else [7]:
		        for k in range(max(1, n // 2)):
		            f.seek(b * bs + r.randrange(bs))
		            c = f.read(1)
		            f.seek(-1, 1)
		            f.write(bytes([c[0] ^ 0x55]))
	END
	cmp -s image good && fail "nothing was damaged"
	refused 3 'bad data block' "$cairn" verity verify image $hash --hash-offset="$hash_offset" --root-hash-file=root
	expect 0 "$cairn" verity repair image $hash "${where[@]}" --root-hash-file=root -o fixed
	cmp good fixed || fail "not what it was: $*"
	expect 0 "$cairn" verity repair image $hash "${where[@]}" --root-hash-file=root --in-place
	cmp good image
}

test_repair_cases_of_cryptsetup() {
	repair_case all 512 2 0 0 100
	repair_case 400 512 2 256000 0 50
	repair_case 500 512 2 2457600 4915200 1
	repair_case all 4096 2 0 0 10
	repair_case 400 4096 2 2048000 0 1
}

# damage FILE BS BLOCK...: spoils whole blocks
damage() {
	local file=$1 bs=$2 block
	shift 2
	for block; do
		noise junk "$bs" $((block + 99))
		dd if=junk of="$file" bs="$bs" seek="$block" conv=notrunc status=none
	done
	rm -f junk
}

# 2600 data blocks of 4096 and 22 of the tree, 3 roots: 2622 / 252 makes 11 rounds, so blocks
# 11 apart share their codewords.
test_repair_up_to_the_last_root() {
	noise data $((2600 * 4096)) 30
	expect 0 "$cairn" verity format data hash --fec-device=fec --fec-roots=3 --root-hash-file=root
	cp data good
	cp hash good-hash
	damage data 4096 5 16 27 8 9 10 2599
	flip hash 512 # not covered, and not used
	damage hash 4096 1 3 22
	expect 3 "$cairn" verity verify data hash --root-hash-file=root
	cp data bad
	cp hash bad-hash
	refused 2 'hash: is damaged too' "$cairn" verity repair data hash --fec-device=fec --fec-roots=3 --root-hash-file=root -o fixed
	[ ! -e fixed ]
	for jobs in 1 2; do
		rm -f fixed fixed-hash
		expect 0 "$cairn" verity repair data hash --fec-device=fec --fec-roots=3 \
			--root-hash-file=root -o fixed --output-hash=fixed-hash --jobs=$jobs
		cmp fixed good
		cmp -i 4096 fixed-hash good-hash
		grep -qx 'repaired data blocks:.7' <(tr '\t' . <out | sed 's/ \././')
		grep -qx 'repaired tree blocks:.3' <(tr '\t' . <out | sed 's/ \././')
	done
	cmp data bad
	cmp hash bad-hash
	# One more in the same codewords is one too many: refused, and nothing is touched.
	damage data 4096 38
	cp data bad
	refused 3 'data: damaged beyond repair' "$cairn" verity repair data hash --fec-device=fec \
		--fec-roots=3 --root-hash-file=root --in-place
	refused 3 'damaged beyond repair' "$cairn" verity repair data hash --fec-device=fec \
		--fec-roots=3 --root-hash-file=root -o fixed2 --output-hash=fixed2-hash
	cmp data bad
	cmp hash bad-hash
	nothing_else bad bad-hash data fec fixed fixed-hash good good-hash hash root
}

test_repair_takes_only_what_the_root_says() {
	noise data 2097152 31
	noise other 2097152 32
	expect 0 "$cairn" verity format data hash --fec-device=fec --root-hash-file=root
	expect 0 "$cairn" verity format other other-hash --fec-device=other-fec
	damage data 4096 3
	cp data bad
	refused 3 'beyond repair' "$cairn" verity repair data hash --fec-device=other-fec --root-hash-file=root --in-place
	refused 3 'beyond repair' "$cairn" verity repair data hash --fec-device=fec "$(printf '%064d' 1)" --in-place
	refused 5 'fec: 24576 bytes from offset 0 on, but the parity of 517 blocks with 4 roots has 49152' \
		"$cairn" verity repair data hash --fec-device=fec --fec-roots=4 --root-hash-file=root --in-place
	head -c 24575 fec >short
	refused 5 'short: 24575 bytes' "$cairn" verity repair data hash --fec-device=short --root-hash-file=root --in-place
	refused 2 'fec-device is wanted' "$cairn" verity repair data hash --root-hash-file=root --in-place
	refused 2 'either --output or --in-place' "$cairn" verity repair data hash --fec-device=fec --root-hash-file=root
	refused 1 'bad: .*exists' "$cairn" verity repair data hash --fec-device=fec --root-hash-file=root -o bad
	cmp data bad
	chmod 0640 data
	expect 0 "$cairn" verity repair data hash --fec-device=fec --root-hash-file=root --in-place
	[ "$(stat -c %a data)" = 640 ]
	noise again 2097152 31
	cmp data again
}

# 2065 blocks and 2 roots: 9 parity blocks of 8192 bytes; block N is in number N % 9.
test_parity_is_verified() {
	noise data 8388608 31
	expect 0 "$cairn" verity format data hash --fec-device=fec --root-hash-file=root
	local verify="$cairn verity verify data hash --root-hash-file=root --fec-device=fec"
	expect 0 $verify
	[ ! -s out ]
	cp fec good-fec
	flip fec 9000
	refused 3 'fec: 1 parity blocks are not those of data and tree, which are good' $verify
	[ "$(cat out)" = 'bad parity block 1 (offset 8192, 8192 bytes)' ]
	# Without the option nobody asked for it.
	expect 0 "$cairn" verity verify data hash --root-hash-file=root
	# What is over a bad block (2, and 976 = 108 * 9 + 4) cannot be judged by it.
	flip data 9000
	flip data 4000000
	refused 3 'data: 2 bad data blocks, 1 bad parity blocks in fec' $verify
	diff - out <<-END
		bad data block 2 (offset 8192, 4096 bytes)
		bad data block 976 (offset 3997696, 4096 bytes)
		bad parity block 1 (offset 8192, 8192 bytes)
		unknown parity block 2 (offset 16384, 8192 bytes)
		unknown parity block 4 (offset 32768, 8192 bytes)
	END
	refused 3 'bad parity' $verify --json
	python3 -c '
import json
j = json.load(open("out"))
assert j["good"] is False and j["parityBlockSize"] == 8192 and j["parityOffset"] == 0
assert j["badParity"]["ranges"] == [{"first": 1, "count": 1}]
assert j["unknownParity"]["count"] == 2 and j["unreadableParity"]["count"] == 0'
	refused 5 'the parity of 2065 blocks with 3 roots has 110592' $verify --fec-roots=3
	# In one file, behind data and tree.
	noise all 8388608 31
	truncate -s 16M all
	expect 0 "$cairn" verity format all all --data-blocks=2048 --hash-offset=8388608 --fec-device=all \
		--fec-offset=12582912 --fec-roots=7 --root-hash-file=root
	verify="$cairn verity verify all all --hash-offset=8388608 --fec-device=all --fec-offset=12582912
		--fec-roots=7 --root-hash-file=root"
	expect 0 $verify
	flip all $((12582912 + 3 * 28672 + 28671))
	refused 3 'all: 1 parity blocks are not those' $verify
	[ "$(cat out)" = 'bad parity block 3 (offset 12668928, 28672 bytes)' ]
	# A wrong root says nothing of data and tree, and so nothing of parity that differs.
	refused 3 'the root hash is of another tree' "$cairn" verity verify data hash --fec-device=fec \
		"$(printf '%064d' 1)"
	grep -q '^unknown parity block 1-2 ' out
	! grep -q '^bad parity' out
}

run_tests "$@"
