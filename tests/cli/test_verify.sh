# SPDX-License-Identifier: MIT
# `cairn verify` and `cairn inspect` on whole images. Single changed bytes, at 200 places of
# each area, are in tests/unit/test_verify.c.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin

# One image for all tests of this file; each works on a copy.
fixture=$(mktemp -d "${TMPDIR:-/tmp}/cairn-verify.XXXXXX")
trap 'rm -rf "$fixture"' EXIT
"$CAIRN_TOP/tests/make-image" "$fixture" || {
	echo "not ok - tests/make-image"
	exit 1
}
chmod a+rx "$fixture"

image() {
	cp "$fixture/image.raw" "$fixture/root.crt" "$fixture/other.crt" "$fixture/roothash" .
}

# area NAME: sets $offset and $size
area() {
	read -r offset size < <(awk -v name="$1" '$1 == name { print $2, $3 }' "$fixture/areas")
}

good() {
	expect 0 "$cairn" verify --cert root.crt image.raw
	! grep -q ^FAULT out || fail "$(grep ^FAULT out)"
}

# poke OFFSET HEX: writes bytes into image.raw
poke() {
	printf "$(echo "$2" | sed 's/../\\x&/g')" |
		dd of=image.raw bs=1 seek="$1" conv=notrunc status=none
}

# The numbers of the verity superblock, at these offsets: cryptsetup's on-disk format.
superblock() {
	area verity
	poke $((offset + $1)) "$2"
}

test_good_image() {
	image
	good
	grep -q "root hash $(cat roothash)" out
	grep -q 'uncovered.*UUID of the verity superblock' out
	[ "$(tail -n 1 out)" = "good       image.raw: $(grep -c ^ok out) checks passed, 0 failed; $(grep -c ^uncovered out) things are uncovered" ]
	expect 0 "$cairn" verify --quiet --cert root.crt image.raw
	[ ! -s out ] && [ ! -s err ]
	expect 0 "$cairn" verify --jobs 1 --cert root.crt --root-hash-file roothash image.raw
}

test_other_file_systems() {
	local fs
	for fs in squashfs ext4; do
		mkdir $fs
		"$CAIRN_TOP/tests/make-image" "$T/$fs" $fs
		expect 0 "$cairn" verify --cert $fs/root.crt $fs/image.raw
		grep -q "$fs, read-only by its format" out
	done
}

test_large_sectors_and_block_devices() {
	[ "$(id -u)" = 0 ] || skip 'loop devices need root'
	mkdir large
	"$CAIRN_TOP/tests/make-image" "$T/large" erofs 4096
	expect 0 "$cairn" verify --cert large/root.crt large/image.raw
	grep -q 'primary GPT header (offset 4096, 4096 bytes)' out
	disk=
	trap '[ -z "$disk" ] || losetup -d "$disk"' EXIT
	for disk in "large/image.raw 4096" "$fixture/image.raw 512"; do
		disk=$(losetup -r -b "${disk#* }" -f --show "${disk% *}")
		expect 0 "$cairn" verify --cert "$(dirname "$(losetup -n -O BACK-FILE "$disk")")/root.crt" "$disk"
		expect 0 "$cairn" inspect "$disk"
		losetup -d "$disk"
		disk=
	done
	# A device whose sectors are not those of the table.
	disk=$(losetup -r -b 4096 -f --show "$fixture/image.raw")
	expect 5 "$cairn" verify --cert "$fixture/root.crt" "$disk"
}

test_no_memory_error() {
	image
	area data
	poke $((offset + 4096 * 7)) ff
	expect 3 valgrind -q --error-exitcode=99 --leak-check=full "$cairn" verify --cert root.crt image.raw
	expect 0 valgrind -q --error-exitcode=99 --leak-check=full "$cairn" inspect image.raw
	poke 600 ff
	poke $((8388608 - 500)) ff
	expect 5 valgrind -q --error-exitcode=99 --leak-check=full "$cairn" verify --cert root.crt image.raw
}

# The same image with ext4's read-only feature taken off, all hashes made anew.
test_writable_file_system_is_refused() {
	sed '/tune2fs/d' "$CAIRN_TOP/tests/make-image" >make-image
	mkdir rw journal
	bash make-image "$T/rw" ext4
	refused 5 'root partition.*could be mounted writable: the read-only' \
		"$cairn" verify --quiet --cert rw/root.crt rw/image.raw
	sed -e 's/ -O ^has_journal / -J size=4 /' -e 's/data 2M/data 16M/' -e 's/truncate -s 8M/truncate -s 32M/' \
		make-image >make-journal
	bash make-journal "$T/journal" ext4
	refused 5 'could be mounted writable: it has a journal' \
		"$cairn" verify --quiet --cert journal/root.crt journal/image.raw
}

test_as_an_unprivileged_user() {
	image
	chmod a+rx . && chmod a+r ./*
	cp "$cairn" ./cairn-copy
	chmod a+rx cairn-copy
	expect 0 setpriv --reuid=65534 --regid=65534 --clear-groups ./cairn-copy verify --cert root.crt image.raw
	area data
	poke $((offset + 4096 * 7 + 5)) ff
	refused 3 'root partition, block 7 ' setpriv --reuid=65534 --regid=65534 --clear-groups \
		./cairn-copy verify --quiet --cert root.crt image.raw
	chmod 0 image.raw
	refused 1 'image.raw: cannot open: Permission denied' setpriv --reuid=65534 --regid=65534 \
		--clear-groups ./cairn-copy verify image.raw
}

test_signature_is_not_checked_without_a_certificate() {
	image
	refused 7 'signature: not checked \(no certificate given\)' "$cairn" verify --quiet image.raw
	expect 0 "$cairn" verify --no-signature image.raw
	grep -q 'not checked, as asked' out
	grep -q "note .*root hash is the image's own claim" out
	good
	refused 2 'contradicts' "$cairn" verify --no-signature --cert root.crt image.raw
}

test_wrong_signer_is_refused() {
	image
	good
	refused 4 'root signature partition' "$cairn" verify --quiet --cert other.crt image.raw
	expect 4 "$cairn" verify --cert other.crt image.raw
	[ "$(grep -c ^FAULT out)" = 2 ]
	grep -q 'FAULT.*/EFI/Linux/test_1.efi' out
	refused 1 'no-such.crt' "$cairn" verify --cert no-such.crt image.raw
	refused 5 'roothash' "$cairn" verify --cert roothash image.raw
}

test_trust_directory() {
	image
	mkdir -p trust/root trust/sysext
	cp root.crt trust/root/
	cp other.crt trust/sysext/
	expect 0 "$cairn" verify --trust trust image.raw
	expect 4 "$cairn" verify --trust trust --purpose sysext image.raw
	refused 1 'trust/confext' "$cairn" verify --trust trust --purpose confext image.raw
	mkdir trust/confext
	refused 7 'there is no certificate' "$cairn" verify --trust trust --purpose confext image.raw
	echo junk >trust/root/junk.crt
	refused 5 'junk.crt' "$cairn" verify --trust trust image.raw
}

test_purpose_in_the_certificate_counts() {
	"$cairn" key new keys --purpose sysext >/dev/null 2>&1
	sed "s|^key root\$|cp ../keys/sysext.key root.key; cp ../keys/sysext.crt root.crt|" \
		"$CAIRN_TOP/tests/make-image" >make-image
	mkdir image
	bash make-image "$T/image"
	expect 0 "$cairn" verify --cert keys/sysext.crt --purpose sysext image/image.raw
	expect 4 "$cairn" verify --cert keys/sysext.crt image/image.raw
}

test_unsigned_image_is_refused() {
	image
	area signature
	dd if=/dev/zero of=image.raw bs=16384 count=1 seek="$offset" oflag=seek_bytes conv=notrunc status=none
	refused 4 'not signed' "$cairn" verify --quiet --cert root.crt image.raw
	refused 7 'not signed' "$cairn" verify --quiet image.raw
	expect 0 "$cairn" verify --no-signature image.raw
}

test_root_hash_given() {
	image
	local wrong
	wrong=$(tr 0-9a-f 1-9a-f0 <roothash)
	expect 0 "$cairn" verify --no-signature --root-hash "$(cat roothash)" image.raw
	expect 0 "$cairn" verify --no-signature --root-hash "$(tr a-f A-F <roothash)" image.raw
	expect 3 "$cairn" verify --no-signature --root-hash "$wrong" image.raw
	echo "$wrong" >wrong
	expect 3 "$cairn" verify --cert root.crt --root-hash-file wrong image.raw
	refused 1 'no-such' "$cairn" verify --cert root.crt --root-hash-file no-such image.raw
	refused 2 'not a root hash' "$cairn" verify --root-hash abc image.raw
	: >empty
	refused 2 'not a root hash' "$cairn" verify --root-hash-file empty image.raw
}

# The signature of another image, by the same signer, does not make this one good.
test_signature_of_another_root_hash() {
	image
	edited 's/echo hello/echo other/'
	mv edited other
	expect 0 "$cairn" verify --cert root.crt other/image.raw
	area signature
	dd if=other/signature of=image.raw bs=16384 seek="$offset" oflag=seek_bytes conv=notrunc status=none
	expect 3 "$cairn" verify --cert root.crt image.raw
	grep -q "FAULT.*is for root hash $(cat other/roothash), but" out
	grep -q "FAULT.*roothash=$(cat roothash) is the root hash of no partition" out
}

# edited EXPRESSION: an image made by tests/make-image with EXPRESSION applied to the script
# and the fixture's keys, in edited/. An EXPRESSION that changes nothing is a mistake, but for
# the one that says so.
edited() {
	sed -e "s|^key root\$|cp '$fixture'/root.{key,crt} .|" "$CAIRN_TOP/tests/make-image" >unedited
	sed -e "$1" unedited >make-image
	[ "$1" = s/NOTHING// ] || ! cmp -s make-image unedited || fail "nothing to edit for $1"
	rm -rf edited
	mkdir edited
	bash make-image "$T/edited"
}

# Of two sets, the given root hash is the word for one; the other's own claim is none.
test_root_hash_given_for_one_of_two() {
	cat >more <<-'E'
		cp data data2
		printf x | dd of=data2 bs=1 seek=2000 conv=notrunc status=none
		second=$(veritysetup format data2 tree2 --salt 00 | awk '/^Root hash/ { print $3 }')
		signature "$second"
		partition usr data2 8484680C-9521-48C6-9C11-B0720656F69E "$(uuid "${second:0:32}")" 65536
		partition usr-verity tree2 77FF5F63-E7B6-4633-ACF4-1565B864C0E6 "$(uuid "${second:32}")" 32768
		partition usr-signature signature E7BB33FB-06CF-4E81-8273-E543B413E2E2 00000000-0000-4000-8000-000000000004 0
	E
	edited '/^partition signature /r more'
	hash=$(cat "$fixture/roothash")
	cp edited/image.raw "$fixture/root.crt" .
	good
	expect 0 "$cairn" verify --no-signature image.raw
	expect 0 "$cairn" verify --cert root.crt --root-hash "$hash" image.raw
	grep -q "^note .*usr partition .*: the root hash that was given is another partition's" out
	refused 7 'nothing else vouches for this one' \
		"$cairn" verify --quiet --no-signature --root-hash "$hash" image.raw
	refused 7 'nothing else vouches for this one' \
		"$cairn" verify --quiet --no-signature --root-hash "$(cat edited/roothash)" image.raw
}

test_command_line_of_the_uki() {
	local status words pattern
	while IFS='|' read -r status words pattern; do
		edited "s/printf 'roothash=%s console=ttyS0' \"\$1\"/printf '%s' \"$words\"/"
		[ "$status" = 0 ] && expect 0 "$cairn" verify --cert "$fixture/root.crt" edited/image.raw && continue
		refused "$status" "$pattern" "$cairn" verify --quiet --cert "$fixture/root.crt" edited/image.raw
	done <<-'E'
		0|quiet roothash=$1|
		5|quiet|neither roothash= nor usrhash=
		5|roothash=$1 roothash=$1|stands 2 times
		3|usrhash=$1|is the root hash of no partition
		3|roothash=${1:0:63}|is the root hash of no partition
		3|roothash=$1 roothash=none|is the root hash of no partition
	E
}

test_boot_policy_in_the_initrd() {
	edited 's/NOTHING//'
	expect 0 "$cairn" verify --cert "$fixture/root.crt" edited/image.raw
	grep -q 'boot policy names the root hash and file system of the root partition' out
	edited 's|policy "$1" >|policy "${1:32}${1:0:32}" >|'
	refused 3 'boot policy wants root hash' "$cairn" verify --quiet --cert "$fixture/root.crt" edited/image.raw
	edited 's|"fs=$fs"|fs=ext4|'
	refused 3 'boot policy wants ext4 on the root partition' \
		"$cairn" verify --quiet --cert "$fixture/root.crt" edited/image.raw
	edited 's|"fs=$fs"|fs=vfat|'
	refused 5 'etc/cairn/boot.conf' "$cairn" verify --quiet --cert "$fixture/root.crt" edited/image.raw
	edited 's|-H newc) >initrd|-H newc \| head -c 700) >initrd|'
	refused 5 'malformed initrd' "$cairn" verify --quiet --cert "$fixture/root.crt" edited/image.raw
	# The kernel unpacks a second archive over the first.
	edited 's|-H newc) >initrd|-H newc; find . -name boot.conf \| cpio --quiet -o -H newc) >initrd|'
	refused 5 'more follows the archive with /etc/cairn/boot.conf' \
		"$cairn" verify --quiet --cert "$fixture/root.crt" edited/image.raw
	edited 's|-H newc) >initrd|-H newc; head -c 600 /dev/zero) >initrd|'
	expect 0 "$cairn" verify --cert "$fixture/root.crt" edited/image.raw
	grep -q 'boot policy names the root hash' out
	edited 's|policy "$1" >root/etc/cairn/boot.conf|:|'
	expect 0 "$cairn" verify --cert "$fixture/root.crt" edited/image.raw
	grep -q 'note .*no boot policy of Cairn' out
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

# What parses the image can do nothing but read it, compute, and print.
test_parsing_is_confined() {
	image
	gcc -shared -fPIC -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -o planted.so \
		"$CAIRN_TOP/tests/preload/planted_open.c" -ldl
	# Beside: a verb that is not confined, in which all of it works.
	LD_PRELOAD=$T/planted.so PLANT_INODE=$(stat -c %i image.raw) "$cairn" digest image.raw >out 2>err
	[ "$(grep -c ': done$' err)" = 7 ] || fail "$(cat err)"
	[ -e planted ] && [ ! -e image.raw ]
	cp "$fixture/image.raw" .
	for verb in 'verify --cert root.crt' 'verify --jobs 1 --no-signature' 'locate image.raw 1' inspect; do
		rm -f planted
		[ "${verb%% *}" = locate ] && arguments= || arguments=image.raw
		expect 0 env LD_PRELOAD="$T/planted.so" PLANT_INODE="$(stat -c %i image.raw)" \
			"$cairn" $verb $arguments
		for what in open create unlink socket fork 'executable memory' kill execve; do
			grep -qx "planted: $what: EPERM" err || fail "$verb: $(cat err)"
		done
		[ -f image.raw ] && [ ! -e planted ]
	done
	LD_PRELOAD=$T/planted.so PLANT_INODE=$(stat -c %i image.raw) PLANT_WAIT=3000 \
		"$cairn" verify --jobs 1 --cert root.crt image.raw >/dev/null 2>&1 &
	for _ in $(seq 50); do
		grep -s '^Seccomp:.*2' /proc/$!/task/*/status && break
		sleep 0.05
	done >found || true
	[ -s found ] || fail 'no filter in /proc'
	grep -q '^NoNewPrivs:.*1' /proc/$!/status
	wait $!
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

test_unknown_partition_is_uncovered() {
	image
	echo 'start=10240, size=2048, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4' |
		sfdisk -q --append --no-reread image.raw >/dev/null
	expect 0 "$cairn" verify --cert root.crt image.raw
	grep -q 'uncovered.*partition 5 .*linux-generic: no hash covers it' out
}

test_json() {
	image
	expect 0 "$cairn" verify --json --cert root.crt image.raw
	python3 - "$T/out" <<-'E'
		import json, sys
		d = json.load(open(sys.argv[1]))
		assert d['status'] == 0 and d['faults'] == 0 and d['size'] == 8388608
		assert all(c['status'] == 0 for c in d['checks'])
		assert {'gpt', 'superblock', 'tree', 'signature', 'file-system', 'program', 'cmdline', 'gap'} <= \
		    {c['check'] for c in d['checks']}
		assert all(u['text'] for u in d['uncovered'])
	E
	area data
	poke $((offset + 4096 * 7)) ff
	poke $((offset + 4096 * 9)) ff
	expect 3 "$cairn" verify --json --cert root.crt image.raw
	python3 - "$T/out" "$offset" <<-'E'
		import json, sys
		d = json.load(open(sys.argv[1]))
		bad = [c for c in d['checks'] if c['status']]
		assert d['status'] == 3 and d['faults'] == len(bad) == 2
		assert [(c['block'], c['blocks'], c['partition'], c['area']) for c in bad] == \
		    [(7, 1, 2, 'root partition'), (9, 1, 2, 'root partition')]
		assert bad[0]['offset'] == int(sys.argv[2]) + 7 * 4096 and bad[0]['size'] == 4096
	E
	# Every member and word that occurs is in the documentation.
	python3 - "$T/out" >words <<-'E'
		import json, sys
		d = json.load(open(sys.argv[1]))
		words = set(d)
		for key in ('checks', 'notes', 'uncovered'):
		    for finding in d[key]:
		        words |= set(finding) | {finding['check']}
		print(*sorted(words), sep='\n')
	E
	local word
	while read -r word; do
		grep -q "\`$word\`" "$CAIRN_TOP/docs/verify-json.md" || fail "$word is not documented"
	done <words
}

test_inspect() {
	image
	expect 0 "$cairn" inspect image.raw
	grep -q "root root hash (x86-64) $(cat roothash)" out
	grep -q "cmdline  *roothash=$(cat roothash) console=ttyS0" out
	grep -q 'PRETTY_NAME  *Test Image 1' out
	expect 0 "$cairn" inspect --json image.raw
	python3 - "$T/out" "$fixture" <<-'E'
		import hashlib, json, subprocess, sys
		d, fixture = json.load(open(sys.argv[1])), sys.argv[2]
		dump = json.loads(subprocess.run(['sfdisk', '--json', fixture + '/image.raw'],
		    capture_output=True, check=True).stdout)['partitiontable']
		assert d['diskUuid'] == dump['id'].lower() and d['tableFaults'] == []
		for p, q in zip(d['partitions'], dump['partitions'], strict=True):
		    assert p['offset'] == q['start'] * 512 and p['size'] == q['size'] * 512
		    assert p['uuid'] == q['uuid'].lower() and p['typeUuid'] == q['type'].lower() and p['name'] == q['name']
		by = {p['name']: p for p in d['partitions']}
		assert by['root']['fileSystem']['type'] == 'erofs' and by['root']['fileSystem']['readOnly']
		v = by['verity']['verity']
		verity = subprocess.run(['veritysetup', 'dump', fixture + '/tree.hash'], capture_output=True, text=True).stdout
		assert v['salt'] in verity and v['uuid'] in verity and 'Data blocks:     \t%d\n' % v['dataBlocks'] in verity
		cert = subprocess.run(['openssl', 'x509', '-in', fixture + '/root.crt', '-outform', 'der'],
		    capture_output=True).stdout
		s = by['signature']['signature']
		assert s['signed'] and s['certificateFingerprint'] == hashlib.sha256(cert).hexdigest()
		assert s['issuer'] == 'CN=root'
		uki = [f for f in by['esp']['esp']['files'] if f['path'] == 'EFI/Linux/test_1.efi'][0]
		assert uki['uki'] and uki['signed'] and len(uki['pcr11']) == 64
		assert {s['name']: s['size'] for s in uki['sections']}['.linux'] == 20000
	E
	# Damage is shown, and what is sound beside it.
	poke 600 ff
	expect 0 "$cairn" inspect image.raw
	grep -q 'FAULT in the primary GPT header' out
	area verity
	poke "$offset" 00
	expect 0 "$cairn" inspect image.raw
	grep -q '^    fault ' out
	refused 5 'no usable partition table|too few' "$cairn" inspect roothash
}

test_usage() {
	image
	refused 2 'needs one IMAGE' "$cairn" verify
	refused 2 'needs one IMAGE' "$cairn" verify a b
	refused 2 '--frobnicate is not known' "$cairn" verify --frobnicate image.raw
	refused 2 'jobs' "$cairn" verify --jobs 0 image.raw
	refused 2 'purpose' "$cairn" verify --purpose cooking image.raw
	refused 1 'no-such.raw' "$cairn" verify no-such.raw
	refused 5 'is a directory' "$cairn" verify .
	mkfifo fifo
	refused 5 'is a FIFO' "$cairn" verify fifo
	refused 2 'needs one IMAGE' "$cairn" inspect
	refused 2 '--frobnicate is not known' "$cairn" inspect --frobnicate image.raw
}

run_tests "$@"
