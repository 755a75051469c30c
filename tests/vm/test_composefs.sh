# SPDX-License-Identifier: MIT
# A tree in a store of blobs, served by the mainline kernel: names from the image, contents
# from files that fs-verity checks. The guest runs the host's cairn.
. "$(dirname "$0")/lib.sh"

plant() {
	mkdir -p "$1"/{sub/dir,many}
	seq 1 20000 >"$1/one"
	seq 2 20000 >"$1/two"
	seq 3 20000 >"$1/three"
	printf small >"$1/small"
	: >"$1/empty"
	ln -s ../one "$1/sub/link"
	ln "$1/one" "$1/sub/again"
	mknod "$1/sub/device" c 1 3
	local i
	for i in $(seq 1 200); do seq "$i" "$((i + 400))" >"$1/many/$i"; done
	chmod 4755 "$1/three"
	chown 70000:70001 "$1/sub/dir"
	setfattr -n user.one -v x "$1/two" "$1/sub"
	setfattr -n security.capability -v 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA= "$1/many/1"
	find "$1" -depth -exec touch -h -d @1700000000 {} +
}

# The guest as /init, the host's cairn with its libraries, modules in order of loading.
pack() {
	mkdir -p root/{dev,proc,disk,names,merged,lib64,lib/x86_64-linux-gnu}
	cp "$CAIRN_BUILD/tests/vm/composefs" root/init
	cp "$cairn" root/cairn
	libraries root "$cairn"
	pack_modules virtio_pci virtio_blk ext4 erofs overlay
}

test_kernel_composes_names_and_verified_blobs() {
	mkdir content
	plant content/tree
	truncate -s 64M disk
	mke2fs -q -t ext4 -b 4096 -O verity -d content disk >mkfs.log 2>&1
	pack
	# snapshot=on: the guest's disk can be written to and is thrown away.
	boot "console=ttyS0 panic=-1 quiet" disk
	silent 'MARKER (stopped|different)'
	says 'MARKER verity: 20[0-9] objects checked by the kernel, 0 not'
	says 'MARKER compared: 2[0-9][0-9] the same, 0 different'
	says 'MARKER replaced: I/O error'
	says 'MARKER one byte: I/O error'
	says 'MARKER untouched: can be read'
	says 'MARKER end'
	# The digest the guest came to is the one this machine comes to.
	digest=$("$cairn" store add --quiet store content/tree | sed 's/^sha256:\([0-9a-f]*\).*/\1/')
	says "MARKER tree: $digest"
}

run_tests "$@"
