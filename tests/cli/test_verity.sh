# SPDX-License-Identifier: MIT
# `cairn verity` beside veritysetup: hash files, output and verdicts.
. "$(dirname "$0")/../lib.sh"

salt=e48da609055204e89ae53b655ca2216dd983cf3cb829f34f63a297d106d53e2d
uuid=a60c98d2-ae9b-4865-bfcb-b4e3ace11033

root_of() {
	sed -n 's/^Root hash:[[:space:]]*//p' "${1:-out}"
}

# The whole hash file of verity-compat-test's 8 MiB of zeros; see tests/golden/README.md.
test_golden_hash_file() {
	truncate -s 8M data
	expect 0 "$cairn" verity format data hash --salt=$salt --uuid=$uuid
	[ "$(root_of)" = e522df0f97da4febb882ac40f30b37dc0b444bf6df418929463fa25280f09d5c ]
	[ "$(sha256sum <hash)" = "db730d27dc563cf8ecb6f4a76a59a4fb48375cccb975733c07a75378e253c985  -" ]
	expect 0 "$cairn" verity verify data hash e522df0f97da4febb882ac40f30b37dc0b444bf6df418929463fa25280f09d5c
	[ ! -s out ]
}

# Output, hash file and verdict are veritysetup's, for geometries drawn from a fixed seed and
# for sizes around each power of the tree's fan-out.
differential() {
	local blocks=$1 dbs=$2 hbs=$3 alg=$4 version=$5 salt=$6 seed=$7
	local size=$((blocks * dbs))
	noise data "$size" "$seed"
	rm -f theirs ours
	veritysetup format data theirs --uuid=$uuid --data-block-size="$dbs" --hash-block-size="$hbs" \
		--hash="$alg" --format="$version" --salt="$salt" >expected || fail "veritysetup: $*"
	expect 0 "$cairn" verity format data ours --uuid=$uuid --data-block-size="$dbs" \
		--hash-block-size="$hbs" --hash="$alg" --format="$version" --salt="$salt" \
		--jobs=$((1 + seed % 3))
	diff <(sed 's/theirs/ours/' expected) out || fail "output differs: $*"
	cmp theirs ours || fail "hash file differs: $*"
	expect 0 "$cairn" verity verify data theirs "$(root_of)"
	expect 0 "$cairn" verity dump theirs
	diff <(veritysetup dump theirs) out || fail "dump differs: $*"
}

test_like_veritysetup_at_every_power() {
	local n
	for n in 1 2 127 128 129 16383 16384 16385; do
		differential $n 512 4096 sha256 1 $salt $n
	done
	for n in 15 16 17 255 256 257 4095 4096 4097; do
		differential $n 512 512 sha256 1 - $n
	done
	for n in 7 8 9 63 64 65 511 512 513; do
		differential $n 1024 512 sha512 0 ab $n
	done
}

test_like_veritysetup_at_random() {
	RANDOM=7
	local i count=12 algs=(sha1 sha256 sha512) sizes=(512 1024 2048 4096 8192 16384 32768 65536)
	[ -z "${CAIRN_LONG:-}" ] || count=300
	for ((i = 0; i < count; i++)); do
		local salt=- alg=${algs[RANDOM % 3]} dbs=${sizes[RANDOM % 8]} hbs=${sizes[RANDOM % 8]}
		local length=$((RANDOM % 257)) version=$((RANDOM % 2)) blocks
		# veritysetup 2.6.1 takes no block larger than a page.
		[ $dbs -le 4096 ] || dbs=4096
		[ $hbs -le 4096 ] || hbs=4096
		[ $length = 0 ] || salt=$(head -c $length /dev/zero | openssl enc -aes-128-ctr -K $i -iv 0 2>/dev/null | xxd -p -c 300)
		blocks=$((1 + RANDOM * 64 % (8388608 / dbs)))
		differential $blocks $dbs $hbs $alg $version $salt $i
	done
}

test_large_blocks() {
	noise data 8388608 3
	for bs in 8192 65536; do
		rm -f hash
		expect 0 "$cairn" verity format data hash --data-block-size=$bs --hash-block-size=$bs
		expect 0 "$cairn" verity verify data hash "$(root_of)"
		rm hash
		expect 0 "$cairn" verity format data hash --data-block-size=4096 --hash-block-size=$bs
		expect 0 "$cairn" verity verify data hash "$(root_of)"
	done
}

test_one_file_and_offsets_beyond_4_gib() {
	truncate -s 10000000000 ours
	noise head 524288 4
	dd if=head of=ours conv=notrunc status=none
	cp --sparse=always ours theirs
	expect 0 "$cairn" verity format ours ours --hash-offset=8000000000 --data-blocks=128 \
		--salt=$salt --uuid=$uuid
	veritysetup format theirs theirs --hash-offset=8000000000 --data-blocks=128 \
		--salt=$salt --uuid=$uuid >expected
	diff <(sed 's/theirs/ours/' expected) out
	cmp <(tail -c 2000000000 ours | head -c 65536) <(tail -c 2000000000 theirs | head -c 65536)
	[ "$(stat -c %s ours)" = 10000000000 ]
	local root
	root=$(root_of)
	expect 0 "$cairn" verity verify ours ours --hash-offset=8000000000 "$root"
	expect 0 veritysetup verify ours ours --hash-offset=8000000000 "$root"
	flip ours 500000
	refused 3 '1 bad data block' "$cairn" verity verify ours ours --hash-offset=8000000000 "$root"
	grep -q '^bad data block 122 (offset 499712, 4096 bytes)$' out
}

test_without_superblock() {
	noise data 1048576 5
	expect 0 "$cairn" verity format data hash --no-superblock --salt=$salt
	veritysetup format data theirs --no-superblock --salt=$salt >expected
	diff <(sed 's/theirs/hash/' expected) out
	cmp hash theirs
	local root
	root=$(root_of)
	expect 0 "$cairn" verity verify data hash --no-superblock --salt=$salt "$root"
	refused 3 'another tree' "$cairn" verity verify data hash --no-superblock "$root"
}

test_root_hash_file() {
	noise data 1048576 6
	refused 1 'No such file' "$cairn" verity format data hash --root-hash-file=no/where
	nothing_else data
	expect 0 "$cairn" verity format data hash --root-hash-file=root
	[ "$(cat root)" = "$(root_of)" ]
	expect 0 "$cairn" verity verify data hash --root-hash-file=root
	refused 1 'nowhere: cannot open: No such file' "$cairn" verity verify data hash --root-hash-file=nowhere
	refused 2 'not both' "$cairn" verity verify data hash --root-hash-file=root "$(cat root)"
	refused 2 'root hash is wanted' "$cairn" verity verify data hash
	echo "$(cat root)0" >longer
	refused 5 'longer: is not 64 hex digits' "$cairn" verity verify data hash --root-hash-file=longer
	: >empty
	refused 5 'empty: is not 64 hex' "$cairn" verity verify data hash --root-hash-file=empty
}

# 2 MiB: 512 data blocks, tree blocks 0 (top) and 1 to 4.
test_all_damage_is_listed() {
	noise data 2097152 7
	expect 0 "$cairn" verity format data hash --root-hash-file=root
	cp data good
	cp hash good-hash
	flip data 0
	flip data 4096
	flip data 1000000
	flip hash $((4096 + 3 * 4096 + 100))
	refused 3 '3 bad data blocks, 1 bad tree blocks in hash; 128 ' \
		"$cairn" verity verify data hash --root-hash-file=root
	cat >expected <<-END
		bad data block 0-1 (offset 0, 8192 bytes)
		bad data block 244 (offset 999424, 4096 bytes)
		bad tree block 3 (offset 16384, 4096 bytes)
		unknown data block 256-383 (offset 1048576, 524288 bytes)
	END
	diff expected out
	refused 3 'bad data' "$cairn" verity verify data hash --root-hash-file=root --json
	python3 -c '
import json, sys
d = json.load(open("out"))
assert d["good"] is False
assert d["badData"] == {"count": 3, "ranges": [{"first": 0, "count": 2}, {"first": 244, "count": 1}], "complete": True}
assert d["badTree"]["ranges"] == [{"first": 3, "count": 1}]
assert d["unknownData"]["count"] == 128'
	expect 0 "$cairn" verity verify good good-hash --root-hash-file=root --json
	python3 -c 'import json; assert json.load(open("out"))["good"] is True'
}

test_every_flip_is_found() {
	noise data 1048576 8
	expect 0 "$cairn" verity format data hash --root-hash-file=root
	RANDOM=8
	local i at count=20
	[ -z "${CAIRN_LONG:-}" ] || count=500
	for ((i = 0; i < count; i++)); do
		at=$((RANDOM * 32 + RANDOM % 32))
		flip data $at
		refused 3 '1 bad data block' "$cairn" verity verify data hash --root-hash-file=root
		grep -q "^bad data block $((at / 4096)) " out
		flip data $at
		at=$((4096 + RANDOM % 12288))
		flip hash $at
		expect 3 "$cairn" verity verify data hash --root-hash-file=root
		grep -q "^bad tree block $((at / 4096 - 1)) " out
		flip hash $at
	done
	expect 0 "$cairn" verity verify data hash --root-hash-file=root
}

test_bad_input_is_refused() {
	noise data 2097152 9
	noise odd 2097153 9
	refused 5 'data block size 333' "$cairn" verity format data hash --data-block-size=333
	refused 5 'hash block size 131072' "$cairn" verity format data hash --hash-block-size=131072
	refused 5 'salt of 257 bytes' "$cairn" verity format data hash --salt="$(printf '%0514d' 0)"
	refused 5 'hash type 3' "$cairn" verity format data hash --format=3
	refused 5 'blah: unknown hash' "$cairn" verity format data hash --hash=blah
	refused 5 'odd: .*no multiple of the block size 4096; --data-blocks' "$cairn" verity format odd hash
	refused 5 'would overlap the data, which ends at 2097152' "$cairn" verity format data data --hash-offset=1433600
	refused 5 'would overlap' "$cairn" verity format data data --force
	refused 5 'hash offset 100 is no multiple' "$cairn" verity format data hash --hash-offset=100
	refused 5 'is 2097152 bytes long' "$cairn" verity format data hash --data-blocks=513
	refused 5 'too many' "$cairn" verity format data hash --data-blocks=1152921504606846976
	refused 2 'not a number' "$cairn" verity format data hash --data-blocks=-1
	refused 2 'not from 1' "$cairn" verity format data hash --data-blocks=0
	refused 2 'not bytes in hex' "$cairn" verity format data hash --salt=abc
	refused 2 'not a UUID' "$cairn" verity format data hash --uuid=x
	refused 2 'needs a value' "$cairn" verity format data hash --salt
	refused 2 'frobnicate' "$cairn" verity format data hash --frobnicate
	refused 2 'too few' "$cairn" verity format data
	refused 1 'nowhere: cannot open' "$cairn" verity format nowhere hash
	refused 5 'a FIFO, not a regular' sh -c "mkfifo fifo; exec '$cairn' verity format fifo hash"
	refused 5 'a directory' "$cairn" verity format / hash
	: >empty
	refused 5 'empty: is empty' "$cairn" verity format empty hash
	rm -f fifo
	nothing_else data odd empty
	noise again 2097152 9
	cmp data again
	expect 0 "$cairn" verity format odd hash --data-blocks=512 --root-hash-file=root
	expect 0 "$cairn" verity verify data hash --root-hash-file=root
	refused 1 'hash: .*exists' "$cairn" verity format data hash
	expect 0 "$cairn" verity format data hash --force
	head -c 8191 hash >short
	refused 5 'short: ends at offset 8191' "$cairn" verity verify data short --root-hash-file=root
	head -c 100 hash >short
	refused 5 'short: at offset 0: no verity superblock' "$cairn" verity verify data short --root-hash-file=root
	head -c 100000 data >short
	refused 5 'short: is 100000 bytes long' "$cairn" verity verify short hash --root-hash-file=root
	refused 5 'another tree|no verity' "$cairn" verity verify data data --root-hash-file=root
}

# A superblock's numbers are refused before anything is done with them.
test_hostile_superblocks() {
	noise data 1048576 10
	expect 0 "$cairn" verity format data hash --root-hash-file=root
	local offset bytes says
	while read -r offset bytes says; do
		cp hash bad
		printf "$bytes" | dd of=bad bs=1 seek="$offset" conv=notrunc status=none
		refused 5 "bad: at offset 0: .*$says" "$cairn" verity dump bad
		refused 5 "bad: at offset 0: .*$says" "$cairn" verity verify data bad --root-hash-file=root
	done <<-'END'
		64 \x00\x00\x00\x00 data block size 0
		68 \x00\x00\x00\x00 hash block size 0
		64 \x4d\x01\x00\x00 data block size 333
		72 \x00\x00\x00\x00\x00\x00\x00\x10 too many
		80 \xff\xff salt of 65535 bytes
		32 blah unknown hash
		12 \x03 hash type 3
		8 \x02 superblock version 2
	END
	expect 0 "$cairn" verity dump hash
}

test_block_devices() {
	noise data 1048576 11
	truncate -s 2M hashes
	d=$(losetup --show -f -r data) || skip "no loop device: $(losetup -f 2>&1)"
	h=$(losetup --show -f hashes)
	trap 'losetup -d $d $h' EXIT
	expect 0 "$cairn" verity format "$d" "$h" --salt=$salt --uuid=$uuid
	local root
	root=$(root_of)
	expect 0 "$cairn" verity verify "$d" "$h" "$root"
	veritysetup format data theirs --salt=$salt --uuid=$uuid >/dev/null
	cmp -n "$(stat -c %s theirs)" theirs "$h"
	refused 5 'the device ends at 2097152' "$cairn" verity format "$d" "$h" --hash-offset=2093056
}

# valgrind shows another processor, so that this is also the way without SHA instructions.
test_valgrind_finds_nothing() {
	noise data 1048576 40
	local checked=(valgrind -q --error-exitcode=99 --leak-check=full "$cairn")
	expect 0 "${checked[@]}" verity format data hash --fec-device=fec --root-hash-file=root --salt=$salt
	veritysetup format data theirs --salt=$salt --uuid=$uuid | sed -n 's/^Root hash:[[:space:]]*//p' >their-root
	[ "$(cat root)" = "$(cat their-root)" ]
	printf X | dd of=data bs=1 seek=70000 conv=notrunc status=none
	expect 3 "${checked[@]}" verity verify data hash --root-hash-file=root
	expect 0 "${checked[@]}" verity repair data hash --fec-device=fec --root-hash-file=root --in-place
	expect 0 "${checked[@]}" digest data hash
	fsverity digest data hash | cmp - out
}

run_tests "$@"
