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
	! cmp -s one four
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

run_tests "$@"
