# SPDX-License-Identifier: MIT
# Repair where the blocks are, and the way back.
. "$(dirname "$0")/../lib.sh"

# Other contents for whole blocks.
spoil() {
	local file=$1 block
	shift
	for block; do
		head -c 4096 /dev/zero | tr '\0' "$((block % 8))" |
			dd of="$file" bs=4096 seek="$block" conv=notrunc status=none
	done
}

# 2 MiB: 512 data blocks, 5 of tree, and so 3 rounds, of which each bears 2 bad blocks.
prepare() {
	noise data 2097152 "$1"
	expect 0 "$cairn" verity format data hash --fec-device=fec --root-hash-file=root
	cp data good
	cp hash good-hash
	spoil data 0 1 2 300 301
	cp data bad
	cp hash bad-hash
	repair=("$cairn" verity repair --fec-device=fec --root-hash-file=root --in-place)
}

attach() {
	d=$(losetup --show -f data) || skip "no loop device: $(losetup -f 2>&1)"
	h=$(losetup --show -f hash)
	trap 'umount -q "$T/mnt" || true; losetup -d $d $h' EXIT
}

test_devices_in_place() {
	prepare 1
	# The fourth block of the tree, behind the superblock's.
	spoil hash 4
	cp hash bad-hash
	attach
	refused 2 'is a device: --backup must say' "${repair[@]}" "$d" "$h"
	expect 0 "${repair[@]}" "$d" "$h" --backup=before
	grep -q "what was overwritten is in before" err
	grep -qP 'repaired data blocks: \t5$' out
	cmp "$d" good
	cmp "$h" good-hash
	# As they were, and once more.
	expect 0 "$cairn" verity repair "$d" "$h" --undo=before
	cmp "$d" bad
	cmp "$h" bad-hash
	refused 1 'before: exists' "${repair[@]}" "$d" "$h" --backup=before
	cmp "$d" bad
	expect 0 "${repair[@]}" "$d" "$h" --backup=again
	cmp "$d" good
	# Nothing to do leaves nothing.
	expect 0 "${repair[@]}" "$d" "$h" --backup=third
	[ ! -e third ]
}

test_device_in_use() {
	truncate -s 2M data
	mke2fs -q -t ext4 -O ^has_journal data
	expect 0 "$cairn" verity format data hash --fec-device=fec --root-hash-file=root
	attach
	mkdir mnt
	mount -o ro "$d" mnt
	repair=("$cairn" verity repair --fec-device=fec --root-hash-file=root --in-place)
	refused 9 "$d: is in use" "${repair[@]}" "$d" "$h" --backup=before
	[ ! -e before ]
	umount mnt
	expect 0 "${repair[@]}" "$d" "$h" --backup=before
}

# One codeword more than the parity bears: all is put back, also what could be mended.
test_beyond_repair_is_put_back() {
	prepare 2
	spoil data 3 6
	cp data bad
	attach
	refused 3 'damaged beyond repair' "${repair[@]}" "$d" "$h" --backup=before
	cmp "$d" bad
	[ ! -e before ]
	# And files where they are, the same.
	refused 3 'damaged beyond repair' "${repair[@]}" data hash --backup=before
	cmp data bad
	[ ! -e before ]
}

# stopped SIGNAL: ends a repair of the devices after it has written something.
stopped() {
	gcc -shared -fPIC -O1 -D_GNU_SOURCE -o faulty.so "$CAIRN_TOP/tests/preload/faulty_read.c" -ldl
	FAULT=slow FAULT_USEC=4000 FAULT_FILE=$(basename "$d") LD_PRELOAD=$T/faulty.so \
		env --default-signal "${repair[@]}" "$d" "$h" --backup=before --jobs=1 >out 2>err &
	local pid=$! n=0 status=0
	while cmp -s "$d" bad; do
		sleep 0.1
		n=$((n + 1))
		[ $n -lt 600 ] || fail "nothing was written: $(cat err)"
	done
	kill -"$1" $pid
	wait $pid || status=$?
	[ $status = $((128 + $(kill -l "$1"))) ] || fail "status $status: $(cat err)"
}

test_interrupt_puts_back() {
	prepare 3
	attach
	stopped TERM
	grep -q interrupted err
	cmp "$d" bad
	[ ! -e before ]
}

test_crash_leaves_a_way_back() {
	prepare 4
	attach
	stopped KILL
	! cmp -s "$d" bad
	! cmp -s "$d" good
	cp before whole
	expect 0 "$cairn" verity repair "$d" "$h" --undo=before
	grep -qP 'blocks put back: \t5$' out
	cmp "$d" bad
	# Or on, instead.
	expect 0 "${repair[@]}" "$d" "$h" --backup=second
	cmp "$d" good
	expect 0 "$cairn" verity repair "$d" "$h" --undo=second
	cmp "$d" bad
	# A record that is not whole was never acted on: a header of 64, then 5 of 64 + 4096.
	expect 0 "${repair[@]}" "$d" "$h" --backup=third
	head -c $((64 + 2 * 4160 + 4000)) third >torn
	expect 0 "$cairn" verity repair "$d" "$h" --undo=torn
	grep -qP 'blocks put back: \t2$' out
}

test_bad_backups_are_refused() {
	prepare 5
	expect 0 "${repair[@]}" data hash --backup=before
	cmp data good
	printf X | dd of=before bs=1 seek=20 conv=notrunc status=none
	refused 5 'before: is no backup' "$cairn" verity repair data hash --undo=before
	truncate -s 10 before
	refused 5 'before: ends' "$cairn" verity repair data hash --undo=before
	# Sealed by whoever made it, but for a place outside.
	python3 - <<-'END'
		import hashlib, struct
		def sealed(first, rest=b""):
		    return first + hashlib.sha256(first + rest).digest() + rest
		data = open("data", "rb").read()
		size = len(open("hash", "rb").read())
		head = sealed(b"CAIRNUNDO".ljust(16, b"\0") + struct.pack("<QQ", len(data), size))
		for name, target, at in ("good", 0, 8192), ("end", 0, len(data) - 100), ("which", 2, 0):
		    with open("made-" + name, "wb") as f:
		        f.write(head + sealed(struct.pack("<QQQQ", 0, 0, 4096, 0), bytes(4096)))
		        f.write(sealed(struct.pack("<QQQQ", target, at, 4096, 0), b"x" * 4096))
	END
	for name in end which; do
		refused 5 "made-$name: has a block" "$cairn" verity repair data hash --undo=made-$name
		cmp data good
	done
	expect 0 "$cairn" verity repair data hash --undo=made-good
	[ "$(head -c 8193 data | tail -c 1)" = x ]
	truncate -s 3M data
	refused 5 'made for other files' "$cairn" verity repair data hash --undo=made-good
	refused 2 'goes with no other' "$cairn" verity repair data hash --undo=made-good --in-place
	refused 2 'backup goes with --in-place' "$cairn" verity repair data hash --fec-device=fec -o x --backup=y
}

run_tests "$@"
