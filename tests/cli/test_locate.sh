# SPDX-License-Identifier: MIT
# `cairn locate`, and the names of files that `cairn verify` gives for damaged blocks.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
tools=$CAIRN_BUILD/tools
located="python3 $CAIRN_TOP/tests/helpers/located.py"

fixture=$(mktemp -d "${TMPDIR:-/tmp}/cairn-locate.XXXXXX")
trap 'rm -rf "$fixture"' EXIT

# A tree with small and large files, holes, hard links, long and odd names, attributes.
make_tree() {
	mkdir -p tree/usr/bin tree/etc/many
	openssl enc -aes-128-ctr -nosalt -K 01 -iv 00 -in /dev/zero 2>/dev/null |
		head -c 200000 | base64 >tree/usr/bin/text || true
	openssl enc -aes-128-ctr -nosalt -K 02 -iv 00 -in /dev/zero 2>/dev/null |
		head -c 123456 >tree/usr/bin/noise || true
	cp /bin/ls tree/usr/bin/ls
	ln tree/usr/bin/ls tree/usr/bin/dir
	ln -s "$(printf 'long%.0s' $(seq 40))" tree/usr/bin/link
	truncate -s 600000 tree/sparse
	printf end | dd of=tree/sparse bs=1 seek=599997 conv=notrunc status=none
	for i in $(seq 200); do
		seq "$i" >"tree/etc/many/file$i"
	done
	printf x >"tree/etc/$(printf 'b\001d\\n\377')"
	setfattr -n user.test -v value tree/usr/bin/text
}

# image KIND: makes $fixture/KIND once
image() {
	[ ! -f "$fixture/$1" ] || return 0
	local out=$fixture/$1 tree=$fixture/tree
	case $1 in
	erofs) mkfs.erofs --quiet "$out" "$tree" ;;
	erofs-lz4) mkfs.erofs --quiet -zlz4hc "$out" "$tree" ;;
	erofs-legacy) mkfs.erofs --quiet -zlz4hc -Elegacy-compress "$out" "$tree" ;;
	erofs-large) "$tools/mkfs.erofs" --quiet -zlz4 -C65536 "$out" "$tree" ;;
	erofs-zstd) "$tools/mkfs.erofs" --quiet -zzstd -C65536 "$out" "$tree" ;;
	erofs-tail) "$tools/mkfs.erofs" --quiet -zlz4 -Eztailpacking "$out" "$tree" ;;
	erofs-fragments) "$tools/mkfs.erofs" --quiet -zlz4 -C65536 -Efragments "$out" "$tree" ;;
	erofs-all) "$tools/mkfs.erofs" --quiet -zlz4 -C65536 -Eall-fragments,dedupe "$out" "$tree" ;;
	erofs-chunks) "$tools/mkfs.erofs" --quiet --chunksize=8192 "$out" "$tree" ;;
	squashfs-plain) mksquashfs "$tree" "$out" -noI -noD -noF -noX -noappend -quiet -no-progress ;;
	squashfs-*) mksquashfs "$tree" "$out" -comp "${1#*-}" -noappend -quiet -no-progress ;;
	ext4) mke2fs -q -t ext4 -d "$tree" "$out" 8M ;;
	ext2) mke2fs -q -t ext2 -b 1024 -d "$tree" "$out" 8M ;;
	esac >/dev/null 2>&1
	truncate -s %4096 "$out"
}
kinds="erofs erofs-lz4 erofs-legacy erofs-large erofs-zstd erofs-tail erofs-fragments erofs-all
	erofs-chunks squashfs-plain squashfs-gzip squashfs-xz squashfs-lz4 squashfs-zstd ext4 ext2"

(cd "$fixture" && make_tree) || {
	echo "not ok - the tree"
	exit 1
}

test_every_byte_of_every_file_is_found() {
	for kind in $kinds; do
		image $kind
		$located cover "$cairn" "$fixture/$kind" "$fixture/tree"
	done
}

test_nothing_but_what_was_named_changes() {
	[ "$(id -u)" = 0 ] || skip 'mounting needs root'
	mkdir mnt
	for kind in erofs-lz4 erofs-large erofs-fragments erofs-all squashfs-zstd squashfs-plain ext4; do
		image $kind
		$located damage "$cairn" "$fixture/$kind" "$fixture/tree" mnt "${CAIRN_LONG:+3}6"
	done
}

test_structures_have_names() {
	image ext4
	expect 0 "$cairn" locate "$fixture/ext4" 0-2047
	for what in 'superblock of block group 0' 'group descriptors of block group 0' \
		'block bitmap of block group 0' 'inode table of block group 0' journal \
		'inode of /usr/bin/dir (also /usr/bin/ls)' 'directory block of /etc/many' unused \
		'target of the symbolic link /usr/bin/link'; do
		grep -q ": $what\$" out || fail "no $what"
	done
	image erofs-lz4
	expect 0 "$cairn" locate "$fixture/erofs-lz4" 0-$(($(stat -c %s "$fixture/erofs-lz4") / 4096 - 1))
	for what in superblock 'inode of /usr' 'directory block of /etc/many' \
		'attributes of /usr/bin/text' 'block map of /usr/bin/dir (also /usr/bin/ls)'; do
		grep -q ": $what\$" out || fail "no $what"
	done
	image squashfs-zstd
	expect 0 "$cairn" locate "$fixture/squashfs-zstd" 0-"$(($(stat -c %s "$fixture/squashfs-zstd") / 4096 - 1))"
	for what in superblock 'inode table' 'fragment table' 'table of owners' 'directory block of /usr'; do
		grep -q ": $what\$" out || fail "no $what"
	done
}

# What a name holds must not drive the terminal, and must not be lost.
test_odd_names_are_shown_safely() {
	for kind in erofs squashfs-zstd ext4; do
		image $kind
		blocks=0-$(($(stat -c %s "$fixture/$kind") / 4096 - 1))
		expect 0 "$cairn" locate "$fixture/$kind" "$blocks"
		grep -qF '/etc/b\x01d\x5cn\xff bytes 0-0' out || fail "$kind: $(grep -a '/etc/b' out)"
		! grep -q "$(printf '\001')" out
		expect 0 "$cairn" locate --json "$fixture/$kind" "$blocks"
		grep -q '"path_hex": *"2f6574632f6201645c6eff"' out
	done
}

test_blobs_are_found_by_digest() {
	cp "$fixture/tree/usr/bin/noise" a && cp "$fixture/tree/usr/bin/text" b
	expect 0 "$CAIRN_BUILD/mkfs.blobfs" pool.blobfs a b
	digest=$("$cairn" digest a | cut -d' ' -f1)
	expect 0 "$cairn" ref set pool.blobfs noise "$digest"
	expect 0 "$cairn" locate --json pool.blobfs 0-$(($(stat -c %s pool.blobfs) / 4096 - 1))
	python3 - "$digest" <<-'END'
		import json, sys
		found = json.load(open("out"))["found"]
		image, content, n = open("pool.blobfs", "rb").read(), open("a", "rb").read(), 0
		for f in found:
		    if f["kind"] == "blob" and sys.argv[1] in f["what"]:
		        assert f["what"].endswith("(ref noise)"), f
		        at = f["fileOffset"]
		        assert content[at : at + f["fileSize"]] == image[f["offset"] : f["offset"] + f["fileSize"]]
		        n += f["fileSize"]
		assert n == len(content), n
		assert {"superblock A", "superblock B", "index"} <= {f.get("what") for f in found}
	END
}

# One flipped bit: the file, and the 4096 bytes of it.
test_verify_names_the_damaged_file() {
	for fs in erofs squashfs ext4; do
		mkdir $fs
		"$CAIRN_TOP/tests/make-image" "$T/$fs" $fs
		expect 0 "$cairn" verify --cert $fs/root.crt $fs/image.raw
		start=$(awk '$1 == "data" { print $2 }' $fs/areas)
		# The first bytes of the third block of the file's content, wherever they are.
		dd if=$fs/tree/usr/bin/foo bs=4096 skip=2 count=1 status=none of=part
		python3 - $fs/image.raw part "$start" <<-'END' >at
			import sys
			image, part = (open(name, "rb").read() for name in sys.argv[1:3])
			print(image.find(part, int(sys.argv[3])))
		END
		at=$(cat at)
		[ "$at" -gt 0 ] || fail "$fs: the content is not in the image as it is"
		printf X | dd of=$fs/image.raw bs=1 seek=$((at + 5)) conv=notrunc status=none
		block=$(((at + 5 - start) / 4096))
		# squashfs does not align what it stores: the block has the end of another, too.
		first=$((8192 - (at - start) % 4096))
		expect 3 "$cairn" verify --cert $fs/root.crt $fs/image.raw
		grep -q "^FAULT.*root partition, block $block .*: is not what its hash says: /usr/bin/foo bytes $first-" out ||
			fail "$fs: $(grep ^FAULT out)"
		[ $fs = squashfs ] || grep -q '/usr/bin/foo bytes 8192-12287' out
		expect 3 "$cairn" verify --json --cert $fs/root.crt $fs/image.raw
		python3 - "$block" <<-'END'
			import json, sys
			fault = [c for c in json.load(open("out"))["checks"] if c["status"] == 3]
			assert len(fault) == 1 and fault[0]["block"] == int(sys.argv[1]), fault
			where = fault[0]["where"]
			assert where[0]["kind"] == "data" and where[0]["names"] == [{"path": "/usr/bin/foo"}], where
		END
	done
}

# Damage to what the names are read from: told, and the rest is named nevertheless.
test_damaged_metadata_is_told() {
	mkdir e s
	"$CAIRN_TOP/tests/make-image" "$T/e" ext4
	start=$(awk '$1 == "data" { print $2 }' e/areas)
	expect 0 "$cairn" locate e/image.raw 0-511
	dir=$(sed -n 's/.*block \([0-9]*\): directory block of \/usr\/bin$/\1/p' out)
	file=$(sed -n 's/.*blocks \([0-9]*\)-.*: \/usr\/bin\/foo bytes.*/\1/p' out | tail -n 1)
	for at in $((dir * 4096 + 30)) $((file * 4096)); do
		printf '\377\377\377' | dd of=e/image.raw bs=1 seek=$((start + at)) conv=notrunc status=none
	done
	expect 3 "$cairn" verify --cert e/root.crt e/image.raw
	grep -q "block $dir .*directory block of /usr/bin" out
	grep -q 'note .*names and places were read from damaged blocks' out
	# The superblock: the file system cannot be opened, and that is said.
	dd if=/dev/zero of=e/image.raw bs=1024 seek=$((start / 1024 + 1)) count=1 conv=notrunc status=none
	expect 3 "$cairn" verify --cert e/root.crt e/image.raw
	grep -q 'block 0 .*nothing is known of it' out
	# squashfs: the block that holds all inodes.
	"$CAIRN_TOP/tests/make-image" "$T/s" squashfs
	start=$(awk '$1 == "data" { print $2 }' s/areas)
	table=$(od -An -td8 -j $((start + 64)) -N 8 s/image.raw)
	printf '\377\377\377\377' | dd of=s/image.raw bs=1 seek=$((start + table + 10)) conv=notrunc status=none
	expect 3 "$cairn" verify --cert s/root.crt s/image.raw
	grep -q 'is not what its hash says: .*inode table' out
	grep -q 'note .*files are missing here: .*does not unpack' out
}

test_a_thousand_damaged_blocks_are_mapped_fast() {
	mkdir -p many/tree
	for i in $(seq 3000); do
		head -c 5000 /dev/zero | tr '\0' "$(printf '%o' $((i % 60 + 48)) | sed 's/^/\\/')" >"many/tree/file$i"
	done
	mke2fs -q -t ext4 -b 4096 -d many/tree many/image 64M >/dev/null 2>&1
	blocks=$(seq 3000 4 6999)
	expect 0 "$cairn" locate many/image $blocks
	[ "$(grep -c 'bytes' out)" -gt 500 ]
	start=$(date +%s%N)
	expect 0 "$cairn" locate --json many/image $blocks
	took=$((($(date +%s%N) - start) / 1000000))
	[ $took -lt 4000 ] || fail "it took $took ms"
}

test_refusals() {
	image ext4
	expect 0 "$cairn" locate "$fixture/ext4" 2047
	refused 2 'block 2048: the file system has 2048 blocks' "$cairn" locate "$fixture/ext4" 2048
	refused 2 'BLOCK' "$cairn" locate "$fixture/ext4" 5-3
	refused 2 'BLOCK' "$cairn" locate "$fixture/ext4" x
	refused 2 'there is no partition 3' "$cairn" locate --partition 3 "$fixture/ext4" 1
	refused 2 'needs an IMAGE' "$cairn" locate "$fixture/ext4"
	head -c 65536 /dev/zero >zeros
	refused 5 'neither a partition table nor a file system' "$cairn" locate zeros 1
}

run_tests "$@"
