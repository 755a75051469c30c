# SPDX-License-Identifier: MIT
# Our erofs reader beside the kernel's, on images of mkfs.erofs and of our own.
. "$(dirname "$0")/../lib.sh"

helpers=$CAIRN_BUILD/tests/helpers
PATH=$CAIRN_BUILD/tools:$PATH

plant() {
	mkdir -p "$1"/{a/b,many,"with
newline"}
	seq 1 40000 >"$1/a/text"
	head -c 100 /dev/urandom >"$1/a/b/tail"
	: >"$1/a/b/empty"
	truncate -s 300K "$1/a/hole"
	printf end >>"$1/a/hole"
	printf x >"$1/many/$(printf 'bad\377name')"
	local i
	for i in $(seq 1 300); do : >"$1/many/file-$i"; done
	ln "$1/a/text" "$1/many/again"
	ln -s ../a/text "$1/many/link"
	mknod "$1/a/device" b 259 1048575
	mkfifo "$1/a/fifo"
	setfattr -n user.one -v common "$1/a" "$1/a/text" "$1/many"
	setfattr -n user.two -v once "$1/a/text"
	setfacl -m u:1234:rwx "$1/a/b/tail"
	touch -d @1600000000.25 "$1/a/text"
	chown 70000:70001 "$1/a/b/empty"
}

# The kernel's view and ours must be the same lines. The kernel gets a file of its own each
# time: mount uses a loop device again that still has the file.
same_as_kernel() {
	mkdir -p mount
	cp image own
	mount -t erofs -o ro,loop own mount
	/usr/bin/python3 "$CAIRN_TOP/tests/helpers/list-tree.py" mount >theirs || { umount mount; return 1; }
	umount mount
	rm own
	"$helpers/list-erofs" image >ours
	LC_ALL=C sort ours >ours.sorted
	LC_ALL=C sort theirs >theirs.sorted
	diff ours.sorted theirs.sorted
	[ "$(wc -l <ours)" -gt 300 ]
}

test_images_of_mkfs() {
	plant tree
	mkfs.erofs --quiet image tree 2>/dev/null >/dev/null || mkfs.erofs image tree >/dev/null
	same_as_kernel
}

test_chunked_images() {
	plant tree
	mkfs.erofs --chunksize=4096 image tree >/dev/null 2>&1
	same_as_kernel
}

test_metadata_images() {
	plant tree
	rm tree/a/text tree/many/again tree/a/hole
	printf small >tree/a/text
	"$helpers/make-composefs" tree image
	same_as_kernel
}

test_refusals() {
	plant tree
	mkfs.erofs image tree >/dev/null 2>&1
	expect 0 "$helpers/list-erofs" image
	head -c 100000 image >cut
	refused 5 'outside the file system|ends at offset' "$helpers/list-erofs" cut
	cp image bad
	printf '\377' | dd of=bad bs=1 seek=$((1024 + 12)) conv=notrunc status=none
	refused 5 'offset 1036: erofs with blocks of 2\^255' "$helpers/list-erofs" bad
	head -c 65536 /dev/zero >zeros
	refused 5 'no erofs superblock' "$helpers/list-erofs" zeros
	mkfs.erofs -zlz4hc compressed tree >/dev/null 2>&1
	refused 5 'is compressed' "$helpers/list-erofs" compressed
}

run_tests "$@"
