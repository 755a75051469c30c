# SPDX-License-Identifier: MIT
# `cairn verify` on images that are damaged, cut off or absurd. Single changed bytes, at 200
# places of each area, are in tests/unit/test_verify.c.
. "$(dirname "$0")/verify_image.sh"

# The numbers of the verity superblock, at these offsets: cryptsetup's on-disk format.
superblock() {
	area verity
	poke $((offset + $1)) "$2"
}

# sfdisk refuses such tables, so the entries are written here and the checksums mended.
edit_table() {
	python3 - image.raw "$@" <<-'E'
		import struct, sys, zlib
		path, number, field, value = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
		disk = bytearray(open(path, 'rb').read())
		for header in (512, len(disk) - 512):
		    entries = 512 * struct.unpack_from('<Q', disk, header + 72)[0]
		    struct.pack_into('<Q', disk, entries + 128 * (number - 1) + field, value)
		    struct.pack_into('<I', disk, header + 88, zlib.crc32(disk[entries:entries + 16384]))
		    struct.pack_into('<I', disk, header + 16, 0)
		    struct.pack_into('<I', disk, header + 16, zlib.crc32(disk[header:header + 92]))
		open(path, 'wb').write(disk)
	E
}

# File systems with absurd numbers, with hashes and signatures over them that are right.
test_absurd_file_systems_are_refused() {
	local bytes at status pattern
	while read -r bytes at status pattern; do
		edited "s/^file_system\$/file_system; printf '\\\\x$bytes' | dd of=data bs=1 seek=$at conv=notrunc status=none/"
		expect "$status" "$cairn" verify --cert "$fixture/root.crt" edited/image.raw
		grep -q "^FAULT .*root partition .*$pattern" out
		[ "$(grep -c '^FAULT ' out)" = 2 ]
		expect 0 "$cairn" inspect edited/image.raw
	done <<-'E'
		00 1024 3 is neither erofs nor squashfs nor ext4
		40 1036 5 absurd numbers in the erofs superblock
		7f 1063 5 there is room for
	E
}

test_unreadable_table() {
	image
	good
	gcc -shared -fPIC -o faulty.so "$CAIRN_TOP/tests/preload/faulty_read.c" -ldl
	local from status
	while read -r from status; do
		expect "$status" env LD_PRELOAD="$T/faulty.so" FAULT=eio FAULT_FROM="$from" \
			FAULT_TO=$((from + 1)) FAULT_INODE="$(stat -c %i image.raw)" \
			"$cairn" verify --cert root.crt image.raw
		grep -q '^FAULT .*Input/output error' out
	done <<-'E'
		0 1
		512 7
		1024 1
	E
}

test_damaged_table() {
	image
	good
	poke 612 ff
	refused 5 'primary GPT header .*reserved byte' "$cairn" verify --quiet --cert root.crt image.raw
	# Everything else is still checked, by the backup copy.
	expect 5 "$cairn" verify --cert root.crt image.raw
	[ "$(grep -c ^FAULT out)" = 2 ]
	grep -q 'FAULT.*primary GPT entries.*not checked' out
	grep -q 'ok .*root partition .*blocks and their tree' out
	poke $((8388608 - 500)) ff
	refused 5 'primary GPT header' "$cairn" verify --quiet --cert root.crt image.raw
	expect 5 "$cairn" verify --cert root.crt image.raw
	[ "$(grep -c '^FAULT.*GPT header' out)" = 2 ]
}

test_absurd_partitions_are_refused() {
	image
	good
	edit_table 1 40 6200
	refused 5 'partitions 1 and 2 overlap' "$cairn" verify --quiet --cert root.crt image.raw
	image
	edit_table 2 40 99999999
	refused 5 'partition 2, sectors 6144 to 99999999, is outside' "$cairn" verify --quiet --cert root.crt image.raw
	image
	edit_table 3 32 10
	refused 5 'is outside' "$cairn" verify --quiet --cert root.crt image.raw
	refused 5 'is outside' "$cairn" inspect image.raw
	image
	good
}

test_swapped_partitions() {
	image
	good
	# Root and verity partition exchange their types.
	sfdisk -q --part-type image.raw 2 2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5 >/dev/null
	sfdisk -q --part-type image.raw 3 4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709 >/dev/null
	expect 3 "$cairn" verify --cert root.crt image.raw
	grep -q 'FAULT.*root verity partition.*superblock' out
	image
	# Their UUIDs.
	local a b
	a=$(sfdisk --part-uuid image.raw 2) b=$(sfdisk --part-uuid image.raw 3)
	sfdisk -q --part-uuid image.raw 2 00000000-0000-4000-8000-000000000099 >/dev/null
	sfdisk -q --part-uuid image.raw 3 "$a" >/dev/null
	sfdisk -q --part-uuid image.raw 2 "$b" >/dev/null
	refused 3 'is for root hash .* but the partitions. UUIDs say' "$cairn" verify --quiet --cert root.crt image.raw
	image
	# No tree, no data.
	sfdisk -q --delete image.raw 3 >/dev/null
	expect 3 "$cairn" verify --cert root.crt image.raw
	grep -q 'FAULT.*no hash tree covers this partition' out
	grep -q 'FAULT.*roothash=.* of no partition' out
	grep -q 'FAULT.*unpartitioned space' out
	image
	sfdisk -q --delete image.raw 2 >/dev/null
	expect 3 "$cairn" verify --cert root.crt image.raw
	grep -q 'FAULT.*there is no partition this tree is for' out
}

test_truncated_image() {
	image
	good
	local size
	for size in 0 100 512 1024 17408 1048576 3500000 8371712 8388096 8388607; do
		cp "$fixture/image.raw" image.raw
		truncate -s $size image.raw
		refused 5 'image.raw: ' "$cairn" verify --quiet --cert root.crt image.raw
	done
}

test_longer_image() {
	image
	truncate -s 9M image.raw
	expect 5 "$cairn" verify --cert root.crt image.raw
	grep -q 'FAULT.*backup GPT header.*not in the last sector' out
	grep -q 'FAULT.*protective MBR' out
	image
	printf x >>image.raw
	refused 5 'unpartitioned space .*no hash covers it' "$cairn" verify --quiet --cert root.crt image.raw
}

test_absurd_superblocks_are_refused() {
	local at bytes pattern
	while read -r at bytes pattern; do
		image
		superblock "$at" "$bytes"
		refused 5 "root verity partition.*$pattern" "$cairn" verify --quiet --cert root.crt image.raw
	done <<-'E'
		0   00                signature|superblock
		8   02000000          version
		8   00000000          version
		12  02000000          type
		32  626c616800000000  blah
		64  00000000          block
		64  4d010000          block
		64  00000080          block
		68  00000000          block
		72  0000000000000010  blocks
		72  ffffffffffffffff  blocks
		72  0000000000000000  blocks
		72  00ff000000000000  blocks of 4096 bytes, but the root partition has
		80  ffff              salt
		80  0101              salt
		82  01                superblock
		200 01                byte
	E
	image
	good
}

test_bad_blocks_of_the_tree() {
	image
	area hash
	poke $((offset + 4096 + 3)) ff
	expect 3 "$cairn" verify --cert root.crt image.raw
	grep -q 'FAULT.*root verity partition, block 0 .*tree block is not what' out
	grep -q 'FAULT.*root partition, blocks 0-' out
	image
	poke $((offset + 8192 + 3)) ff
	expect 3 "$cairn" verify --cert root.crt image.raw
	grep -q 'FAULT.*root verity partition, block 1 ' out
	! grep -q 'FAULT.*root verity partition, block 0 ' out || fail 'block 0 is named too'
}

test_hidden_data_is_found() {
	local at
	image
	good
	area data
	for at in $((offset + size + 9)) 20000 $((4096 * 1000)) 5000000; do
		image
		poke $at 41
		refused 5 'is not zero, and no hash covers it' "$cairn" verify --quiet --cert root.crt image.raw
	done
}

# In the ESP that is no fault, but it is told: what was deleted stays there.
test_free_space_of_the_esp() {
	image
	good
	grep -q 'ok .*EFI system partition .* bytes of free space, all zero' out
	area esp
	poke $((offset + size - 5000)) 41
	good
	grep -q "note .*EFI system partition (offset $((offset + size - 5000)), 1 bytes): free space is not zero" out
	image
	# The second table begins behind the reserved sectors and the first one.
	local reserved sectors
	read -r reserved sectors < <(od -An -tu2 -j $((offset + 14)) -N 10 image.raw | awk '{ print $1, $5 }')
	poke $((offset + 512 * (reserved + sectors) + 40)) 41
	good
	grep -q 'note .*copies of the allocation table differ' out
}

run_tests "$@"
