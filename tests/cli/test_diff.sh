# SPDX-License-Identifier: MIT
# `cairn diff`: images, file systems, directories and archives, in any combination.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
tools=$CAIRN_BUILD/tools

make_tree() {
	mkdir -p "$1/usr/bin" "$1/etc" "$1/dev"
	openssl enc -aes-128-ctr -nosalt -K 01 -iv 00 -in /dev/zero 2>/dev/null |
		head -c 200000 | base64 >"$1/usr/bin/text" || true
	cp /bin/ls "$1/usr/bin/ls"
	ln "$1/usr/bin/ls" "$1/usr/bin/dir"
	ln -s ls "$1/usr/bin/vdir"
	ln -s "$(printf 'long%.0s' $(seq 40))" "$1/etc/long"
	truncate -s 600000 "$1/sparse"
	printf end | dd of="$1/sparse" bs=1 seek=599997 conv=notrunc status=none
	for i in $(seq 50); do
		seq "$i" >"$1/etc/file$i"
	done
	printf x >"$1/etc/$(printf 'b\001d\\n\377')"
	mkfifo "$1/dev/fifo"
	setfattr -n user.test -v value "$1/usr/bin/text"
	setfattr -n user.large -v "$(head -c 500 /dev/zero | tr '\0' v)" "$1/etc/file1"
	[ "$(id -u)" != 0 ] || {
		mknod "$1/dev/node" c 300 70000
		chown 70000:80000 "$1/etc/file2"
		setcap cap_net_raw+ep "$1/usr/bin/ls"
	}
	find "$1" -exec touch -h -d @1600000000 {} +
}

# make KIND OUT TREE
make() {
	case $1 in
	erofs) mkfs.erofs --quiet "$2" "$3" ;;
	erofs-lz4) mkfs.erofs --quiet -zlz4hc "$2" "$3" ;;
	erofs-zstd) "$tools/mkfs.erofs" --quiet -zzstd -C65536 "$2" "$3" ;;
	erofs-deflate) "$tools/mkfs.erofs" --quiet -zdeflate "$2" "$3" ;;
	erofs-lzma) "$tools/mkfs.erofs" --quiet -zlzma -C65536 "$2" "$3" ;;
	erofs-tail) "$tools/mkfs.erofs" --quiet -zlz4 -Eztailpacking "$2" "$3" ;;
	erofs-all) "$tools/mkfs.erofs" --quiet -zlz4 -C65536 -Eall-fragments,dedupe "$2" "$3" ;;
	erofs-chunks) "$tools/mkfs.erofs" --quiet --chunksize=8192 "$2" "$3" ;;
	squashfs-plain) mksquashfs "$3" "$2" -noI -noD -noF -noX -noappend -quiet -no-progress ;;
	squashfs-*) mksquashfs "$3" "$2" -comp "${1#*-}" -noappend -quiet -no-progress ;;
	ext4)
		mke2fs -q -t ext4 -I 256 -d "$3" "$2" 8M
		debugfs -w -R 'rmdir lost+found' "$2"
		debugfs -w -R 'sif / mtime @1600000000' "$2"
		;;
	tar) tar --xattrs --xattrs-include='*' --numeric-owner -C "$3" -cf "$2" . ;;
	esac >/dev/null 2>&1
}

test_every_kind_is_read_as_it_is() {
	make_tree tree
	for kind in erofs erofs-lz4 erofs-zstd erofs-deflate erofs-lzma erofs-tail erofs-all erofs-chunks \
		squashfs-plain squashfs-gzip squashfs-xz squashfs-lz4 squashfs-zstd ext4 tar; do
		make $kind image tree
		expect 0 "$cairn" diff image tree
		[ ! -s out ] || fail "$kind: $(cat out)"
		grep -q ' 0 files differ, 6[0-9] do not' err || fail "$kind: $(cat err)"
		rm image
	done
}

changed_tree() {
	make_tree a
	cp -a a b
	printf X | dd of=b/usr/bin/text bs=1 seek=100000 conv=notrunc status=none
	chmod 600 b/etc/file3
	setfattr -n user.more -v x b/etc/file4
	setfattr -n user.test -v other b/etc/file5
	touch -d @1600000001 b/etc/file6
	mv b/etc/file7 b/etc/renamed
	rm b/etc/file8
	echo new >b/etc/added
	rm b/etc/file9 && ln -s file10 b/etc/file9
	ln -sfn other b/usr/bin/vdir
	touch -h -d @1600000000 b/usr/bin/* b/etc/file[3459] b/etc/renamed b/etc b/usr/bin
	cat >expected <<-'E'
		added    /etc/added
		changed  /etc/file3 (mode)
		changed  /etc/file4 (xattr)
		changed  /etc/file5 (xattr)
		changed  /etc/file6 (time)
		removed  /etc/file8
		changed  /etc/file9 (type, mode)
		moved    /etc/file7 -> /etc/renamed
		changed  /usr/bin/text (content)
		changed  /usr/bin/vdir (content)
	E
}

test_each_change_is_named() {
	changed_tree
	expect 0 "$cairn" diff a a
	for kind in tree erofs-lz4 squashfs-zstd ext4 tar; do
		[ $kind = tree ] && cp -a b image || make $kind image b
		expect 8 "$cairn" diff a image
		diff <(sort expected) <(sort out) || fail $kind
		expect 8 "$cairn" diff --quiet a image
		[ ! -s out ] && [ ! -s err ]
		rm -r image
	done
	expect 8 "$cairn" diff --no-times a b
	diff <(grep -v time expected | sort) <(sort out)
	expect 8 "$cairn" diff --json b a
	python3 - <<-'END'
		import json
		d = json.load(open("out"))
		assert not d["same"] and not d["byHashTrees"]
		files = {f["path"]: f for f in d["files"]}
		assert files["/etc/added"]["kind"] == "removed"
		assert files["/etc/file7"] == {"kind": "moved", "path": "/etc/file7", "from": "/etc/renamed"}
		assert files["/usr/bin/text"]["what"] == ["content"]
		assert len(files) == 10
	END
}

test_owners_and_devices() {
	[ "$(id -u)" = 0 ] || skip 'chown needs root'
	make_tree a
	cp -a a b
	chown 1:2 b/etc/file3
	rm b/dev/node && mknod b/dev/node c 300 70001 && touch -d @1600000000 b/dev/node b/dev
	for kind in erofs squashfs-gzip ext4; do
		make $kind image b
		expect 8 "$cairn" diff a image
		diff - out <<-'E' || fail $kind
			changed  /dev/node (content)
			changed  /etc/file3 (owner)
		E
	done
}

# Two versions of one image: the trees tell which files to read, with the same result.
test_hash_trees_spare_the_reading() {
	mkdir a b c
	"$CAIRN_TOP/tests/make-image" "$T/a"
	sed 's/echo hello >/echo hallo >/' "$CAIRN_TOP/tests/make-image" >make-other
	bash make-other "$T/b"
	expect 0 "$cairn" diff a/image.raw a/image.raw
	expect 8 "$cairn" diff --json a/image.raw b/image.raw
	python3 - <<-'END'
		import json
		d = json.load(open("out"))
		assert d["byHashTrees"] and not d["claimsOnly"] and d["filesRead"] == 0, d
		changed = [f for f in d["files"] if "content" in f.get("what", [])]
		assert [f["path"] for f in changed] == ["/etc/motd"], d["files"]
		what = {f["what"] for f in d["image"]}
		assert "sets/root/rootHash" in what and "partitions/2/uuid" in what
		assert "partitions/1/esp/files/EFI/Linux/test_1.efi/sections/.cmdline/sha256" in what
		assert not any("sections/.linux" in w for w in what), what
	END
	expect 8 "$cairn" diff a/image.raw b/image.raw
	grep -E '^(added|removed|changed|moved)' out >by-trees
	expect 8 "$cairn" diff --read-all a/image.raw b/image.raw
	diff by-trees <(grep -E '^(added|removed|changed|moved)' out)
	grep -q '4 were read' err
	# Packages are those of the manifests beside the images.
	echo '{"packages": [{"name": "systemd", "version": "257"}, {"name": "old", "version": "1"}]}' >a/image.manifest.json
	echo '{"packages": [{"name": "systemd", "version": "258"}]}' >b/image.manifest.json
	expect 8 "$cairn" diff a/image.raw b/image.raw
	grep -qx 'image    packages/systemd/version: 257 -> 258' out
	grep -qx 'image    packages/old/version: 1 -> -' out
	# With another salt all must be read, and is.
	sed 's/^salt=./salt=0/' "$CAIRN_TOP/tests/make-image" >make-other
	bash make-other "$T/c"
	expect 8 "$cairn" diff --json a/image.raw c/image.raw
	grep -q '"byHashTrees": *false' out
}

# In every file system, whatever moved: with the result that reading all has.
test_hash_trees_of_every_file_system() {
	sed -e 's/^	echo hello.*/&\n	seq 60000 >tree\/usr\/bin\/zoo\n	seq 9 >tree\/etc\/same/' \
		-e 's/^key \(root\|other\)$/cp ..\/keys\/\1.* ./' "$CAIRN_TOP/tests/make-image" >make-one
	mkdir keys
	"$CAIRN_TOP/tests/make-image" "$T/keys"
	sed 's/^	seq 9 .*/&\n	seq 500 >tree\/etc\/added; echo more >>tree\/etc\/motd\n	printf X | dd of=tree\/usr\/bin\/zoo bs=1 seek=100000 conv=notrunc status=none/' \
		make-one >make-two
	local fs
	for fs in erofs squashfs ext4; do
		mkdir a b
		bash make-one "$T/a" $fs
		bash make-two "$T/b" $fs
		expect 8 "$cairn" diff --no-times --read-all a/image.raw b/image.raw
		grep -E '^(added|removed|changed|moved)' out >by-reading
		[ "$(cut -c 10- by-reading)" = "$(printf '%s\n' /etc/added '/etc/motd (content)' \
			'/usr/bin/zoo (content)')" ] || fail "$fs: $(cat by-reading)"
		expect 8 "$cairn" diff --no-times a/image.raw b/image.raw
		grep -E '^(added|removed|changed|moved)' out | diff by-reading - || fail $fs
		grep -q 'the same by their hash trees' err
		# Of squashfs what is packed, or in one fragment with what changed, is read; foo is not.
		read -r bytes < <(sed 's/.* were read (\([0-9]*\) bytes).*/\1/' err)
		[ "$bytes" -lt $([ $fs = squashfs ] && echo 800000 || echo 10000) ] || fail "$fs: $(cat err)"
		rm -r a b
	done
}

# Directories of blobs and images of them, in any combination: trees under the names of refs.
test_stores_and_blobfs_images() {
	mkdir -p a/dir
	for i in 1 2 3 4; do
		seq "$i" 4000 >"a/dir/$i"
	done
	echo small >a/small
	cp -a a b
	echo more >>b/dir/2
	rm b/dir/3
	mv b/dir/4 b/four
	echo smalL >b/small
	find a b -exec touch -h -d @1600000000 {} +
	seq 7 >seven
	expect 0 "$cairn" store add --quiet --ref os/1 --tree A a
	expect 0 "$cairn" store add --quiet --ref os/1 --tree B b
	expect 0 "$cairn" store add --quiet B seven
	seven=$("$cairn" digest seven | sed 's/^sha256:\(..\)\([0-9a-f]*\) .*/\1\/\2/')
	for side in A B; do
		"$CAIRN_BUILD/mkfs.blobfs" --quiet --from-store $side $side.blobfs
	done
	cat >expected <<-E
		added    /objects/$seven
		removed  /os/1/dir/3
		changed  /os/1/dir/2 (content)
		moved    /os/1/dir/4 -> /os/1/four
		changed  /os/1/small (content)
	E
	for one in A A.blobfs; do
		expect 0 "$cairn" diff A $one
		[ ! -s out ]
		for two in B B.blobfs; do
			expect 8 "$cairn" diff $one $two
			diff <(sort expected) <(sort out) || fail "$one $two"
			! grep -q claims err
			expect 8 "$cairn" diff --claims $one $two
			diff <(sort expected) <(sort out)
			grep -q ' 0 were read (0 bytes); compared claims only' err
		done
	done
	refused 2 'with blobs only' "$cairn" diff A a
	refused 2 'with blobs only' "$cairn" diff a A.blobfs
	# What is not what its name says is no basis for anything, unless that was asked for.
	bad=$("$cairn" digest a/dir/1 | sed 's/^sha256:\(..\)\([0-9a-f]*\) .*/\1\/\2/')
	printf X | dd of="A/objects/$bad" bs=1 seek=100 conv=notrunc status=none
	refused 3 "A: objects/$bad: the contents have the digest" "$cairn" diff A B
	expect 8 "$cairn" diff --claims A B
	bad=$("$cairn" digest a/dir/1 | sed 's/^sha256:\([0-9a-f]*\) .*/\1/')
	at=$("$cairn" locate --json B.blobfs 0-$(($(stat -c %s B.blobfs) / 4096 - 1)) | python3 -c '
import json, sys
print([f["offset"] for f in json.load(sys.stdin)["found"] if f["kind"] == "blob" and sys.argv[1] in str(f)][0])' "$bad")
	printf X | dd of=B.blobfs bs=1 seek=$((at + 100)) conv=notrunc status=none
	refused 3 "B.blobfs: blob $bad: offset 0 " "$cairn" diff A.blobfs B.blobfs
	expect 8 "$cairn" diff --claims A.blobfs B.blobfs
	rm "A/objects/${bad:0:2}/${bad:2}"
	refused 3 "there is no blob sha256:$bad" "$cairn" diff --claims A B
}

test_claims_are_said_to_be_claims() {
	mkdir a
	"$CAIRN_TOP/tests/make-image" "$T/a"
	cp a/image.raw b.raw
	start=$(awk '$1 == "verity" { print $2 }' a/areas)
	printf '\377\377' | dd of=b.raw bs=1 seek=$((start + 8192 + 100)) conv=notrunc status=none
	expect 3 "$cairn" diff a/image.raw b.raw
	expect 8 "$cairn" diff --claims a/image.raw b.raw
	[ "$(cat out)" = 'changed  /usr/bin/foo (content)' ]
	grep -q '; compared claims only$' err
	expect 0 "$cairn" diff --claims --json a/image.raw a/image.raw
	grep -q '"claimsOnly": *true' out
	refused 2 'contradicts' "$cairn" diff --claims --read-all a/image.raw b.raw
}

# Leaves that nobody vouches for are not believed.
test_a_tampered_tree_is_refused() {
	mkdir a
	"$CAIRN_TOP/tests/make-image" "$T/a"
	cp a/image.raw b.raw
	expect 0 "$cairn" diff a/image.raw b.raw
	start=$(awk '$1 == "verity" { print $2 }' a/areas)
	printf '\377\377' | dd of=b.raw bs=1 seek=$((start + 8192 + 100)) conv=notrunc status=none
	refused 3 'b.raw: offset [0-9]+: tree block is not what its hash says' \
		"$cairn" diff a/image.raw b.raw
}

# What takes few bytes in an image must not take all memory and time here.
test_files_without_end_are_refused() {
	mkdir some many
	truncate -s 90M some/1 many/{1..4}
	local kind uuid
	for kind in some many; do
		for uuid in 1 2; do
			"$tools/mkfs.erofs" --quiet --chunksize=1048576 -T 0 \
				-U 00000000-0000-4000-8000-00000000000$uuid $kind$uuid $kind >/dev/null
		done
		[ "$(stat -c %s ${kind}1)" -lt 100000 ]
	done
	expect 0 "$cairn" diff some1 some2
	refused 5 'many1: files of more than 4096 times the bytes of this file system' "$cairn" diff many1 many2
	python3 - <<-'END'
		import os
		os.mkdir("deep")
		os.chdir("deep")
		for i in range(230):
		    os.mkdir("d" * 250)
		    os.chdir("d" * 250)
		for i in range(5000):
		    os.close(os.open(str(i), os.O_CREAT | os.O_WRONLY))
	END
	mke2fs -q -t ext4 -N 6000 -d deep deep.ext4 16M >/dev/null
	refused 5 'deep.ext4: more than 256 MiB of paths and attributes' "$cairn" diff deep.ext4 deep.ext4
	expect 0 "$cairn" locate deep.ext4 0-100
}

test_refusals() {
	make_tree tree
	refused 2 'needs A and B' "$cairn" diff tree
	refused 1 'no-such' "$cairn" diff tree no-such
	head -c 100000 /dev/urandom >noise
	refused 5 'noise' "$cairn" diff tree noise
	make erofs image tree
	expect 0 "$cairn" diff image tree
	dd if=/dev/urandom of=image bs=1 seek=1056 count=60 conv=notrunc status=none
	refused 5 'image' "$cairn" diff image tree
}

run_tests "$@"
