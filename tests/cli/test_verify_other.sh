# SPDX-License-Identifier: MIT
# `cairn verify` on what is no disk image of ours: data with a hash tree, blobfs images, EFI
# programs.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin

fixture=$(mktemp -d "${TMPDIR:-/tmp}/cairn-other.XXXXXX")
trap 'rm -rf "$fixture"' EXIT
"$CAIRN_TOP/tests/make-image" "$fixture" || {
	echo "not ok - tests/make-image"
	exit 1
}

test_veritysetup_pairs() {
	cp "$fixture/data" "$fixture/tree.hash" .
	hash=$(cat "$fixture/roothash")
	expect 0 "$cairn" verify --root-hash "$hash" --hash-file tree.hash data
	grep -q "^ok .*172 blocks and their tree are what root hash $hash says" out
	grep -q '^ok .*erofs, read-only by its format' out
	refused 7 'nothing says what the root hash is' "$cairn" verify --quiet --hash-file tree.hash data
	echo "roothash $hash" >revoked
	refused 4 'its root hash is revoked' \
		"$cairn" verify --quiet --revoked revoked --root-hash "$hash" --hash-file tree.hash data
	refused 4 'its epoch 0 is below the floor 1' \
		"$cairn" verify --quiet --epoch-floor 1 --root-hash "$hash" --hash-file tree.hash data
	refused 3 'tree block is not what its hash says' \
		"$cairn" verify --quiet --root-hash "${hash:0:63}0" --hash-file tree.hash data
	flip data 500000
	expect 3 "$cairn" verify --root-hash "$hash" --hash-file tree.hash data
	grep -q '^FAULT .*data, block 122 .*: /usr/bin/foo bytes' out
	cp "$fixture/data" .
	flip tree.hash 8200
	refused 3 'hash area, block 1 .*tree block is not' \
		"$cairn" verify --quiet --root-hash "$hash" --hash-file tree.hash data
	# What is no file system can have a tree, too, and at any place.
	head -c 409600 /dev/urandom >noise
	hash=$(veritysetup format noise noise --hash-offset 409600 --data-blocks 100 | awk '/^Root hash/ { print $3 }')
	expect 0 "$cairn" verify --root-hash "$hash" --hash-offset 409600 noise
	flip noise 5000
	refused 3 'data, block 1 ' "$cairn" verify --quiet --root-hash "$hash" --hash-offset 409600 noise
}

# A file system with its tree right behind it, alone and as a partition.
test_appended_trees() {
	cp "$fixture/data" appended
	size=$(stat -c %s appended)
	hash=$(veritysetup format appended appended --hash-offset "$size" --data-blocks $((size / 4096)) |
		awk '/^Root hash/ { print $3 }')
	expect 0 "$cairn" verify --root-hash "$hash" appended
	grep -q "blocks and their tree are what root hash $hash says" out
	refused 7 'nothing says what the root hash is' "$cairn" verify --quiet appended
	size_all=$(stat -c %s appended)
	truncate -s $((1048576 + (size_all + 1048575) / 1048576 * 1048576 + 1048576)) disk.raw
	printf 'label: gpt\nstart=2048, size=%d, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, attrs="GUID:60"\n' \
		$(((size_all + 511) / 512)) | sfdisk -q disk.raw >/dev/null
	dd if=appended of=disk.raw bs=1M seek=1 conv=notrunc status=none
	expect 0 "$cairn" verify --no-signature --root-hash "$hash" disk.raw
	grep -q "root partition .*blocks and their tree are what root hash $hash says" out
	for file in appended disk.raw; do
		[ $file = appended ] && at=500000 || at=$((1048576 + 500000))
		flip $file $at
		expect 3 "$cairn" verify --no-signature --root-hash "$hash" $file
		grep -q '^FAULT .*, block 122 .*: /usr/bin/foo bytes' out
	done
}

# An image whose table, tree and signature systemd-repart made, with its own ways.
test_images_of_systemd_repart() {
	mkdir -p defs tree/usr/bin
	cp /bin/ls tree/usr/bin
	local part
	for part in 'root data Format=squashfs CopyFiles=/ SizeMinBytes=8M SizeMaxBytes=8M' \
		'root-verity hash SizeMinBytes=2M SizeMaxBytes=2M' 'root-verity-sig signature'; do
		# shellcheck disable=SC2086
		set -- $part
		printf '%s\n' '[Partition]' "Type=$1" "Verity=$2" VerityMatchKey=root "${@:3}" >"defs/${#1}.conf"
	done
	openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.crt -subj /CN=root -days 9 2>/dev/null
	systemd-repart --empty=create --size=16M --definitions=defs --root="$T/tree" --dry-run=no \
		--private-key=root.key --certificate=root.crt os.raw >repart.log 2>&1 || fail "$(cat repart.log)"
	expect 0 "$cairn" verify --cert root.crt os.raw
	grep -q '^ok .*blocks and their tree are what root hash' out
	grep -q '^ok .*signed by root.crt' out
	refused 4 'root signature' "$cairn" verify --quiet --cert "$fixture/other.crt" os.raw
	expect 0 "$cairn" diff --no-times os.raw tree
	start=$(sfdisk -d os.raw | sed -n '/4F68BCE3/s/.*start= *\([0-9]*\),.*/\1/p')
	flip os.raw $((start * 512 + 20000))
	expect 3 "$cairn" verify --cert root.crt os.raw
	grep -q '^FAULT .*root partition, block .*: /usr/bin/ls bytes' out
}

test_blobfs_images() {
	seq 100000 >a && seq 10 >b
	"$CAIRN_BUILD/mkfs.blobfs" --quiet pool a b
	expect 0 "$cairn" verify pool
	grep -q '^ok .*2 blobs with .* are what their digests say' out
	refused 4 'there is no signature' "$cairn" verify --quiet --cert "$fixture/root.crt" pool
	refused 7 '--root-hash was not checked' "$cairn" verify --quiet \
		--root-hash "$(cat "$fixture/roothash")" pool
	refused 7 '--epoch-floor was not checked' "$cairn" verify --quiet --epoch-floor 1 pool
	echo 'max-size = 1G' >policy
	refused 7 '--policy was not checked' "$cairn" verify --quiet --policy policy pool
	expect 0 "$cairn" locate --json pool 0-$(($(stat -c %s pool) / 4096 - 1))
	at=$(python3 -c 'import json
print([f["offset"] for f in json.load(open("out"))["found"] if f["kind"] == "blob" and f["size"] > 8192][0])')
	flip pool $((at + 5000))
	refused 3 'blob [0-9a-f]{64}: offset 4096 .*bad block' "$cairn" verify --quiet pool
}

test_efi_programs() {
	cp "$fixture/uki.efi" "$fixture/unsigned.efi" .
	hash=$(cat "$fixture/roothash")
	expect 0 "$cairn" verify --cert "$fixture/root.crt" --root-hash "$hash" uki.efi
	grep -q '^ok .*signed by' out
	grep -q '^ok .*roothash= is the root hash that was given' out
	grep -q "^ok .*boot policy names the root hash of the command line" out
	grep -q 'section .cmdline' out
	refused 3 'is not the root hash that was given' "$cairn" verify --quiet \
		--cert "$fixture/root.crt" --root-hash "${hash:0:63}0" uki.efi
	refused 4 'not signed' "$cairn" verify --quiet --cert "$fixture/root.crt" unsigned.efi
	refused 4 'EFI program' "$cairn" verify --quiet --cert "$fixture/other.crt" uki.efi
	refused 7 'no certificate given' "$cairn" verify --quiet uki.efi
	flip uki.efi 100000
	refused 4 'the digest differs' "$cairn" verify --quiet --cert "$fixture/root.crt" uki.efi
	head -c 1000 "$fixture/uki.efi" >cut.efi
	refused 5 'EFI program' "$cairn" verify --quiet --no-signature cut.efi
}

# section NAME: where its contents are in unsigned.efi
section() {
	objdump -h unsigned.efi | awk -v name="$1" '$2 == name { print "0x" $6 }'
}

test_efi_program_against_its_image() {
	cp "$fixture/uki.efi" "$fixture/unsigned.efi" "$fixture/image.raw" "$fixture/root.crt" .
	hash=$(cat "$fixture/roothash")
	expect 0 "$cairn" verify --cert root.crt --image image.raw uki.efi
	grep -q '^ok .*all [0-9]* sections and headers are those of EFI system partition: /EFI/Linux/test_1.efi' out
	grep -q '^ok .*roothash= is the root hash of the root partition' out
	grep -q '^ok .*boot policy names the root hash and file system of the root partition' out
	grep -q "^ok .*blocks and their tree are what root hash $hash says" out
	expect 0 "$cairn" verify --cert root.crt --image image.raw --root-hash "$hash" uki.efi
	refused 3 'is not the root hash that was given' "$cairn" verify --quiet --cert root.crt \
		--image image.raw --root-hash "${hash:0:63}0" uki.efi
	# Without its signature it is the same program, which nobody vouches for.
	refused 4 'not signed' "$cairn" verify --quiet --cert root.crt --image image.raw unsigned.efi
	expect 0 "$cairn" verify --no-signature --image image.raw unsigned.efi
	local at name
	for name in .initrd .linux .osrel; do
		cp unsigned.efi other.efi
		at=$(section $name)
		flip other.efi $((at + 10))
		expect 3 "$cairn" verify --no-signature --image image.raw other.efi
		[ "$(grep -c '^FAULT.*section' out)" = 1 ]
		grep -q "^FAULT .*section $name differs from that of .*/test_1.efi, from its byte 10 on" out
		cp uki.efi signed.efi
		flip signed.efi $((at + 10))
		refused 4 'the digest differs' "$cairn" verify --quiet --cert root.crt --image image.raw signed.efi
		expect 4 "$cairn" verify --cert root.crt --image image.raw signed.efi
		grep -q "^FAULT .*section $name differs" out
	done
	cp unsigned.efi other.efi
	flip other.efi $(($(section .osrel) + 100))
	expect 3 "$cairn" verify --no-signature --image image.raw other.efi
	grep -q '^FAULT .*headers, or bytes outside of the sections, differ from those of' out
	objcopy --remove-section .osrel unsigned.efi other.efi
	expect 3 "$cairn" verify --no-signature --image image.raw other.efi
	grep -q '^FAULT .*section .osrel is not here, but in that on the image' out
	# The image, too, must be what the program says.
	area=$(awk '$1 == "data" { print $2 }' "$fixture/areas")
	flip image.raw $((area + 500000))
	refused 3 'root partition, block 122 .*/usr/bin/foo bytes' \
		"$cairn" verify --quiet --cert root.crt --image image.raw uki.efi
	mkdir other
	sed 's/echo hello >/echo hallo >/' "$CAIRN_TOP/tests/make-image" >make-other
	bash make-other "$T/other"
	refused 3 'is the root hash of no partition of this image' \
		"$cairn" verify --quiet --cert root.crt --image other/image.raw uki.efi
	refused 2 '--image is for an EFI program' "$cairn" verify --image image.raw image.raw
	refused 1 'no-such' "$cairn" verify --image no-such uki.efi
	refused 5 'root.crt' "$cairn" verify --image root.crt uki.efi
}

# blob FILE: where the store s has its contents
blob() {
	fsverity digest --compact "$1" | sed 's|^..|s/objects/&/|'
}

test_directories_of_blobs() {
	mkdir tree
	for i in $(seq 60); do
		seq "$i" 3000 >"tree/$i"
	done
	expect 0 "$cairn" store add --quiet --ref os/1 --tree s tree
	expect 0 "$cairn" verify s
	grep -q '^ok .*objects: 61 blobs with [0-9]* bytes are what their digests say' out
	grep -q '^ok .*ref os/1: leads to a tree, whose blobs are all there' out
	chmod a+rx . && cp "$cairn" ./cairn-copy && chmod a+rx cairn-copy
	expect 0 setpriv --reuid=65534 --regid=65534 --clear-groups ./cairn-copy verify --quiet s
	[ ! -s out ] && [ ! -s err ]
	refused 4 'there is no signature' "$cairn" verify --quiet --cert "$fixture/root.crt" s
	refused 7 '--root-hash was not checked' "$cairn" verify --quiet \
		--root-hash "$(cat "$fixture/roothash")" s
	refused 2 'directory of blobs' "$cairn" verify --image "$fixture/image.raw" s
	# Everything that is wrong is told.
	flip "$(blob tree/7)" 5000
	flip "$(blob tree/8)" 0
	rm "$(blob tree/9)"
	ln -sf /etc/passwd "$(blob tree/10)"
	touch s/objects/ab s/objects/"$(basename "$(dirname "$(blob tree/7)")")"/stray
	echo nonsense >s/refs/odd
	"$cairn" digest tree/9 | sed 's/^sha256://; s/ .*//' >s/refs/gone
	for jobs in 1 4; do
		expect 3 "$cairn" verify --jobs $jobs --junit report.xml s
		for i in 7 8; do
			grep -q "^FAULT .*$(blob tree/$i | cut -c 3-): [0-9]* bytes with the digest" out
		done
		grep -q "^FAULT .*$(blob tree/10 | cut -c 3-): " out
		grep -q '^FAULT .*objects: ab is not the name of a blob' out
		grep -q '^FAULT .*objects: ../stray is not the name of a blob' out
		grep -q '^FAULT .*ref odd: .*not a digest' out
		grep -q '^FAULT .*ref gone: the blob it leads to is not there' out
		grep -q "^FAULT .*ref os/1: 1 of the blobs its tree names are not there, the first is $(
			blob tree/9 | sed 's|s/objects/||; s|/||')" out
		[ "$(grep -c ^FAULT out)" = 8 ]
		grep -q 'tests="8" failures="7" errors="1"' report.xml
	done
	expect 3 "$cairn" verify --json s
	python3 -c 'import json; d = json.load(open("out")); assert d["faults"] == 8 and d["status"] == 3'
	refused 5 'tree: is a directory' "$cairn" verify --quiet tree
}

# Who looks at blobs can open none, nor anything else.
test_blobs_are_looked_at_in_a_sandbox() {
	mkdir tree
	seq 9999 >tree/file
	expect 0 "$cairn" store add --quiet --ref os --tree s tree
	gcc -shared -fPIC -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -o planted.so \
		"$CAIRN_TOP/tests/preload/planted_open.c" -ldl
	: >image.raw
	inode=$(stat -c %i "s/objects/$(sed 's|^..|&/|' s/refs/os)")
	expect 0 env LD_PRELOAD="$T/planted.so" PLANT_INODE="$inode" "$cairn" verify --jobs 1 s
	for what in open create unlink socket fork 'executable memory' kill execve; do
		grep -qx "planted: $what: EPERM" err || fail "$(cat err)"
	done
	[ -f image.raw ] && [ ! -e planted ]
}

run_tests "$@"
