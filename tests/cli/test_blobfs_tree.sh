# SPDX-License-Identifier: MIT
# Whole trees in blobfs images, and the way to a directory store and back.
. "$(dirname "$0")/../lib.sh"

plant() {
	mkdir -p "$1"/{a/b,many}
	seq 1 90000 >"$1/a/text"
	ln "$1/a/text" "$1/a/b/again"
	cp "$1/a/text" "$1/a/copy"
	: >"$1/a/empty"
	printf small >"$1/a/small"
	truncate -s 2M "$1/a/hole" && printf end >>"$1/a/hole"
	local i
	for i in $(seq 1 300); do seq "$i" "$((i + 300))" >"$1/many/$i"; done
	ln -s text "$1/a/link"
	setfattr -n user.one -v x "$1/a"
	find "$1" -depth -exec touch -h -d @1700000000.25 {} +
}

test_build_writes_the_tree_as_blobs() {
	plant tree
	expect 0 "$cairn" build tree --blobfs image
	digest=$(sed -n 's/^Tree digest: //p' out)
	expect 0 "$cairn" store add --quiet s tree
	[ "$digest" = "$(cut -d' ' -f1 out)" ]
	expect 0 "$CAIRN_BUILD/fsck.blobfs" image
	expect 0 "$cairn" blob list image
	grep -o '[0-9a-f]\{64\}' out | sort >ours
	"$cairn" store list s | grep -o '[0-9a-f]\{64\}' | sort >theirs
	# The image has its refs as a blob of its own.
	[ "$(comm -13 ours theirs | wc -l)" = 0 ]
	[ "$(comm -23 ours theirs | wc -l)" -le 1 ]
	[ "$("$cairn" ref list image)" = "$digest tree" ]
	refused 1 'exists' "$cairn" build tree --blobfs image
	expect 0 "$cairn" build tree --blobfs image --force --image-id os --image-version 7
	"$cairn" ref list image | grep -qx "$digest os_7"
	expect 0 "$cairn" build tree --blobfs other --json
	[ "$(/usr/bin/python3 -c 'import json; print(json.load(open("out"))["treeDigest"])')" = "$digest" ]
	refused 2 'all of the tree' "$cairn" build tree --blobfs third --part usr
	[ ! -e third ]
}

test_same_tree_same_bytes() {
	plant tree
	expect 0 "$cairn" build tree --blobfs one --jobs 1
	cp -a tree copy
	tar --format=posix --xattrs -C copy -cf copy.tar .
	mkdir elsewhere
	(umask 077 && cd elsewhere && TZ=Asia/Tokyo "$cairn" build ../copy --blobfs ../two --jobs 3)
	cmp one two
	chmod a+rwx "$T" && rm -f out err
	chmod a+r copy.tar
	setpriv --reuid nobody --regid nogroup --clear-groups \
		"$cairn" build copy.tar --blobfs three
	cmp one three
	echo >>tree/a/small
	expect 0 "$cairn" build tree --blobfs four
	! cmp -s one four || fail "a changed tree has the same bytes"
}

# list IMAGE : the digests of its blobs but the refs', which change
list() {
	"$cairn" blob list "$1" | grep -vF "$("$CAIRN_BUILD/dump.blobfs" "$1" | sed -n 's/^Refs: *//p') "
}

test_gc_keeps_what_trees_name() {
	plant tree
	expect 0 "$cairn" build tree --blobfs image
	list image >before
	[ "$(wc -l <before)" -gt 300 ]
	head -c 100000 /dev/urandom >loose
	echo nobody names this either >small
	expect 0 "$cairn" blob add image loose small
	expect 0 "$cairn" blob gc image
	grep -q ' 2 removed' err
	list image >after
	cmp before after
	expect 0 "$CAIRN_BUILD/fsck.blobfs" image
	# Another tree with a file of its own goes with its ref, and what both have stays.
	cp -a tree other
	seq 5 50000 >other/a/text
	expect 0 "$cairn" build other --blobfs second
	expect 0 "$CAIRN_BUILD/dump.blobfs" --extract-all all second
	expect 0 "$cairn" blob add image $(find all -type f)
	expect 0 "$cairn" ref set image other "$("$cairn" ref list second | cut -d' ' -f1)"
	expect 0 "$cairn" blob gc image
	"$cairn" blob list image | grep -q "$(fsverity digest --compact other/a/text)"
	expect 0 "$cairn" ref delete image other
	expect 0 "$cairn" blob gc image
	list image >after
	cmp before after
}

test_gc_refuses_a_tree_it_cannot_walk() {
	plant tree
	expect 0 "$cairn" build tree --blobfs image
	# Directories that contain themselves: the root in the place of those in it.
	expect 0 "$cairn" blob get --output names image "$("$cairn" ref list image | cut -d' ' -f1)"
	python3 - <<-'END'
		import struct
		data = bytearray(open('names', 'rb').read())
		root = struct.unpack_from('<H', data, 1024 + 14)[0]
		inode = root * 32
		size = struct.unpack_from('<I', data, inode + 8)[0]
		icount = struct.unpack_from('<H', data, inode + 2)[0]
		extended = data[inode] & 1
		layout = data[inode] >> 1 & 7
		start = struct.unpack_from('<I', data, inode + 16)[0] * 4096
		if layout == 2 and size < 4096:
		    start = inode + (64 if extended else 32) + (12 + (icount - 1) * 4 if icount else 0)
		count = struct.unpack_from('<H', data, start + 8)[0] // 12
		for i in range(count):
		    if data[start + i * 12 + 10] == 2:  # a directory
		        struct.pack_into('<Q', data, start + i * 12, root)
		open('loop', 'wb').write(data)
	END
	expect 0 "$CAIRN_BUILD/mkfs.blobfs" --digests other loop
	expect 0 "$cairn" ref set other os "$(cut -d' ' -f1 out)"
	refused 5 'ref os.*more names' "$cairn" blob gc other
	[ "$("$cairn" blob list other | wc -l)" = 2 ]
	# A damaged tree names nothing for certain.
	expect 0 "$cairn" blob gc image
	local data
	data=$("$CAIRN_BUILD/dump.blobfs" --index image | awk -v d="$("$cairn" ref list image | cut -d' ' -f1)" '$1 == d { print $3 }')
	printf X | dd of=image bs=1 seek=$((data + 5000)) conv=notrunc status=none
	list image >before
	refused 3 'ref tree: ' "$cairn" blob gc image
	list image >after
	cmp before after
}

test_store_and_image_convert_both_ways() {
	plant tree
	expect 0 "$cairn" store add --quiet --ref os s tree
	expect 0 "$CAIRN_BUILD/mkfs.blobfs" --quiet --from-store s image
	expect 0 "$CAIRN_BUILD/fsck.blobfs" image
	expect 0 "$CAIRN_BUILD/dump.blobfs" --to-store back image
	diff <("$cairn" store list s) <("$cairn" store list back)
	expect 0 "$cairn" store verify back
	expect 0 "$cairn" store checkout back os restored
	diff -r tree/a restored/a
	# A damaged store is refused, and leaves no image.
	digest=$(fsverity digest --compact tree/a/text)
	printf X | dd of="s/objects/${digest:0:2}/${digest:2}" bs=1 seek=99 conv=notrunc status=none
	refused 3 'not what the name says' "$CAIRN_BUILD/mkfs.blobfs" --quiet --from-store s other
	[ ! -e other ]
}

test_signals_leave_nothing() {
	mkdir tree
	truncate -s 6G tree/large
	local signal status
	for signal in INT TERM HUP; do
		status=0
		env --default-signal timeout --preserve-status -s $signal 0.3 \
			"$cairn" build tree --blobfs image --quiet 2>err || status=$?
		[ $status = $((128 + $(kill -l $signal))) ] || fail "status $status after $signal"
		grep -q interrupted err || fail "$(cat err)"
		[ -z "$(ls -A | grep -vxE 'tree|err')" ] || fail "left: $(ls -A)"
	done
	truncate -s 1M tree/large
	expect 0 "$cairn" build tree --blobfs image --quiet
}

run_tests "$@"
