# SPDX-License-Identifier: MIT
# What happens to a run in the middle of which something goes wrong.
. "$(dirname "$0")/../lib.sh"

# with_fault FAULT FILE FROM COMMAND...
with_fault() {
	[ -e "$T/faulty.so" ] || gcc -shared -fPIC -O1 -D_GNU_SOURCE -o "$T/faulty.so" \
		"$CAIRN_TOP/tests/preload/faulty_read.c" -ldl
	local fault=$1 file=$2 from=$3
	shift 3
	FAULT=$fault FAULT_FILE=$file FAULT_FROM=$from LD_PRELOAD=$T/faulty.so "$@"
}

# fault_between FILE FROM TO COMMAND...: reads of the bytes from FROM to TO fail.
fault_between() {
	local file=$1 from=$2 to=$3
	shift 3
	with_fault eio "$file" "$from" env FAULT_TO="$to" "$@"
}

test_read_errors() {
	noise data 8388608 1
	expect 0 "$cairn" verity format data hash --fec-device=fec --root-hash-file=root
	cp data in-place
	truncate -s 9M in-place
	cp in-place before
	local eio='data: cannot read at offset [0-9]*: Input/output error'
	for jobs in 1 3; do
		refused 1 "$eio" with_fault eio data 5000000 "$cairn" verity format data new --jobs=$jobs
		refused 1 "$eio" with_fault eio data 5000000 "$cairn" digest data --jobs=$jobs
		refused 1 "$eio" with_fault eio data 0 "$cairn" verity format data new --fec-device=new-fec --jobs=$jobs
	done
	refused 1 'in-place: cannot read' with_fault eio in-place 5000000 "$cairn" verity format in-place in-place \
		--data-blocks=2048 --hash-offset=8388608
	cmp in-place before
	printf X | dd of=data bs=1 seek=12345 conv=notrunc status=none
	cp data damaged
	refused 1 'fec: cannot read' with_fault eio fec 0 "$cairn" verity repair data hash --fec-device=fec --root-hash-file=root --in-place
	cmp data damaged
	refused 3 'data: damaged beyond repair' with_fault eio data 5000000 "$cairn" verity repair data hash \
		--fec-device=fec --root-hash-file=root -o new
	# The same without the fault.
	expect 0 with_fault none data 0 "$cairn" verity repair data hash --fec-device=fec --root-hash-file=root -o new
	rm new
	nothing_else data hash fec root in-place before damaged
}

# What the disk cannot give does not end a check: all of it is listed, and the rest compared.
test_unreadable_blocks_are_listed() {
	noise data 8388608 7
	expect 0 "$cairn" verity format data hash --fec-device=fec --root-hash-file=root
	local verify="$cairn verity verify data hash --root-hash-file=root"
	expect 0 with_fault none data 0 $verify
	for jobs in 1 3; do
		refused 1 'data: 828 data blocks cannot be read; nothing that could be compared is bad' \
			with_fault eio data 5000000 $verify --jobs=$jobs
		[ "$(cat out)" = 'unreadable data block 1220-2047 (offset 4997120, 3391488 bytes)' ]
		# The top of the tree is its first block, at 4096.
		refused 1 'data: 0 data blocks cannot be read, 2 tree blocks in hash neither, .* 256 data blocks' \
			fault_between hash 13000 20000 $verify --jobs=$jobs
		diff - out <<-END
			unreadable tree block 2-3 (offset 12288, 8192 bytes)
			unknown data block 128-383 (offset 524288, 1048576 bytes)
		END
	done
	# One sector of one block, in the middle of what is asked for at once.
	cp data good
	refused 1 'data: 1 data blocks cannot be read; nothing' fault_between data 5000000 5000001 $verify
	# Other damage beside it is found all the same, and counts more.
	printf X | dd of=data bs=1 seek=12345 conv=notrunc status=none
	printf X | dd of=data bs=1 seek=8000000 conv=notrunc status=none
	refused 3 'data: 2 bad data blocks, 1 blocks that cannot be read$' fault_between data 5000000 5000001 $verify
	diff - out <<-END
		bad data block 3 (offset 12288, 4096 bytes)
		bad data block 1953 (offset 7999488, 4096 bytes)
		unreadable data block 1220 (offset 4997120, 4096 bytes)
	END
	refused 3 'cannot be read' fault_between data 5000000 5000001 $verify --json
	python3 -c '
import json
j = json.load(open("out"))
assert j["unreadableData"]["ranges"] == [{"first": 1220, "count": 1}]
assert j["unreadableTree"]["count"] == 0 and j["badData"]["count"] == 2'
	refused 3 'data: 2 bad data blocks' fault_between fec 9000 9001 $verify --fec-device=fec
	grep -q '^unreadable parity block 1 (offset 8192, 8192 bytes)$' out
	# And repair makes all three anew.
	expect 0 fault_between data 5000000 5000001 "$cairn" verity repair data hash --fec-device=fec --root-hash-file=root -o new
	grep -qP 'repaired data blocks: \t3$' out
	cmp new good
	refused 1 'fec: 1 parity blocks cannot be read; data and tree are good' \
		fault_between fec 9000 9001 "$cairn" verity verify new hash --root-hash-file=root --fec-device=fec
	nothing_else data good hash fec root new
}

test_file_that_shrinks() {
	noise full 8388608 2
	for jobs in 1 3; do
		cp full data
		refused 5 'data: ends at offset 5000000' with_fault shrink data 5000000 "$cairn" verity format data new --jobs=$jobs
		cp full data
		refused 5 'data: ends at offset 5000000' with_fault shrink data 5000000 "$cairn" digest data --jobs=$jobs
	done
	nothing_else full data
	# A hole is no excuse: the size is looked at before it counts as zeros.
	truncate -s 8M data
	printf x | dd of=data bs=1 seek=100 conv=notrunc status=none
	refused 5 'data: ends at offset' with_fault shrink data 100 "$cairn" verity format data new --jobs=1
	nothing_else full data
}

test_file_that_is_written_to() {
	noise data 8388608 3
	refused 1 'data: changed while it was read' with_fault write data 5000000 "$cairn" verity format data new
	refused 1 'data: changed while it was read' with_fault write data 5000000 "$cairn" digest data
	nothing_else data
}

# interrupted SIGNAL COMMAND...: sends it in the middle; the status must be 128 + its number.
interrupted() {
	local signal=$1 status=0
	shift
	with_fault none data 0 true
	# The shell has it ignored in the background, and what is ignored cairn leaves so.
	FAULT=slow FAULT_FILE=data LD_PRELOAD=$T/faulty.so env --default-signal "$@" >out 2>err &
	local pid=$!
	sleep 0.6
	kill -"$signal" $pid
	wait $pid || status=$?
	[ $status = $((128 + $(kill -l "$signal"))) ] || fail "status $status after $signal: $(cat err)"
	grep -q 'interrupted' err
}

test_signals_leave_nothing() {
	noise data 67108864 4
	truncate -s 66M data
	cp data before
	local signal
	for signal in INT TERM HUP; do
		interrupted $signal "$cairn" verity format data new --fec-device=new-fec
		interrupted $signal "$cairn" verity format data data --data-blocks=16384 --hash-offset=67108864
		interrupted $signal "$cairn" digest data
	done
	cmp data before
	nothing_else data before
}

test_full_disk() {
	noise data 8388608 5
	mkdir small
	mount -t tmpfs -o size=48K none small
	trap 'umount -l "$T/small"' EXIT
	# The tree has 68 KiB.
	refused 1 'small/.*: .*No space' "$cairn" verity format data small/hash
	[ -z "$(ls -A small)" ]
	mount -o remount,size=8292K small
	cp data small/all
	refused 1 'small/all: .*No space' "$cairn" verity format small/all small/all --data-blocks=2048 --hash-offset=8388608
	cmp data small/all
	[ "$(ls -A small)" = all ]
	mount -o remount,size=16M small
	expect 0 "$cairn" verity format small/all small/all --data-blocks=2048 --hash-offset=8388608
	cmp -n 8388608 data small/all
}

test_read_only_target() {
	noise data 1048576 6
	mkdir fixed
	mount -t tmpfs -o ro none fixed
	trap 'umount -l "$T/fixed"' EXIT
	refused 1 'fixed/hash: .*Read-only file system' "$cairn" verity format data fixed/hash
}

# Threads that get in each other's way are a fault as well.
test_thread_sanitizer() {
	local core=$CAIRN_TOP/core name sources=()
	for name in error buffer file file_salvage hash hex path progress workers interrupt ranges block_hash sha256 \
		sha256_sha_ni sha256_avx2 merkle merkle_part merkle_build merkle_check verity fsverity gf256 \
		fec fec_propose rs_decode huge; do
		[ ! -e "$core/$name.c" ] || sources+=("$core/$name.c")
	done
	for name in verity fsverity fec; do
		gcc -std=gnu17 -O1 -g -fsanitize=thread -pthread -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
			-I"$CAIRN_TOP" -o "race_$name" "$CAIRN_TOP/tests/unit/test_$name.c" "${sources[@]}" -lcmocka -lcrypto
		setarch -R "./race_$name" >out 2>&1 || fail "$(grep -A 12 WARNING out | head -n 40)"
		! grep -q 'ThreadSanitizer' out || fail "$(cat out)"
	done
	# And it does find one.
	cat >race.c <<-'END'
		#include <pthread.h>
		static int n;
		static void *add(void *x) { for (int i = 0; i < 1000; i++) n++; return x; }
		int main(void) { pthread_t t; pthread_create(&t, 0, add, 0); add(0); pthread_join(t, 0); return n == 0; }
	END
	gcc -O1 -fsanitize=thread -pthread -o race race.c
	! setarch -R ./race 2>err || fail "no race was found where there is one"
	grep -q 'data race' err
}

run_tests "$@"
