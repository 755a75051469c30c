# SPDX-License-Identifier: MIT
# For the tests of `cairn build`: something to build from, and ways to look at the result.
boot_files=/usr/lib/systemd/boot/efi
epoch=1700000000

# A small tree with what an image needs and files of every kind. An EFI program stands in
# for the kernel: it is never started here.
make_tree() {
	local modules=$1/usr/lib/modules/6.1.0-test
	mkdir -p "$modules/kernel" "$1/usr/bin" "$1/etc" "$1/dev" "$1/var/tmp"
	printf 'NAME="A test"\nID=test\nVERSION_ID=1\n' >"$1/usr/lib/os-release"
	cp $boot_files/systemd-bootx64.efi "$modules/vmlinuz"
	: >"$modules/modules.dep"
	: >"$modules/modules.alias"
	printf 'kernel/%s.ko\n' drivers/md/dm-verity drivers/md/dm-bufio drivers/md/dm-mod \
		crypto/sha256_generic fs/erofs/erofs fs/squashfs/squashfs fs/ext4/ext4 \
		fs/overlayfs/overlay drivers/block/virtio_blk >"$modules/modules.builtin"
	head -c 300000 /dev/zero | tr '\0' x >"$1/usr/bin/large"
	ln "$1/usr/bin/large" "$1/usr/bin/same"
	ln -s large "$1/usr/bin/link"
	mknod "$1/dev/zero" c 1 5
	mkfifo "$1/var/pipe"
	truncate -s 5M "$1/var/sparse"
	printf data >>"$1/var/sparse"
	printf x >"$1/etc/a name with"$'\n'"newline and \\ and "$'\xff'
	chmod 1777 "$1/var/tmp"
	chown 12:34 "$1/usr/bin/large"
	setfattr -n user.note -v text "$1/etc"
	setcap cap_net_raw+ep "$1/usr/bin/large"
	find "$1" -depth -exec touch -h -d @$epoch {} +
}

# part IMAGE NUMBER: the contents of a partition
part() {
	local start size
	read -r start size < <(sfdisk -J "$1" | python3 -c '
import json, sys
p = json.load(sys.stdin)["partitiontable"]["partitions"][int(sys.argv[1]) - 1]
print(p["start"], p["size"])' "$2")
	dd if="$1" bs=512 skip="$start" count="$size" status=none
}

# field IMAGE.manifest.json PYTHON-EXPRESSION-OF-m
field() {
	python3 -c "import json, sys; m = json.load(open(sys.argv[1])); print($2)" "$1"
}
