# SPDX-License-Identifier: MIT
# The initrd that the builder makes: what is in it, and that it is always the same bytes.
. "$(dirname "$0")/../lib.sh"

helper=$CAIRN_BUILD/tests/helpers/initrd
ln -sfn ../../init "$CAIRN_BUILD/tests/helpers/init"
hash=$(printf 'ab%.0s' {1..32})

# module PATH NEEDS... : a module and its line in modules.dep
module() {
	local path=$1
	shift
	mkdir -p "tree/usr/lib/modules/6.1/$(dirname "$path")"
	echo "this is $path" >"tree/usr/lib/modules/6.1/$path"
	echo "$path:${*:+ $*}" >>tree/usr/lib/modules/6.1/modules.dep
}

make_tree() {
	module kernel/md/dm-mod.ko.xz
	module kernel/md/dm-bufio.ko.xz kernel/md/dm-mod.ko.xz
	module kernel/md/dm-verity.ko.xz kernel/md/dm-bufio.ko.xz kernel/md/dm-mod.ko.xz
	module kernel/fs/overlay.ko
	module kernel/lib/crc32c_generic.ko
	module kernel/lib/lib-crc.ko
	module kernel/fs/erofs.ko.zst kernel/lib/lib-crc.ko
	module kernel/block/virtio_blk.ko
	module kernel/block/unwanted.ko
	cat >tree/usr/lib/modules/6.1/modules.alias <<-END
		alias virtio:d00000002v* virtio_blk
		alias virtio:d00000099v* unwanted
	END
	echo 'softdep lib_crc pre: crc32c post: unwanted' >tree/usr/lib/modules/6.1/modules.softdep
	echo kernel/virtio/virtio_pci.ko >tree/usr/lib/modules/6.1/modules.builtin
}

# run [CMDLINE] [DRIVERS] [FS] : makes the initrd in $T/cpio
run() {
	"$helper" tree 6.1 "${2:-virtio}" "${3:-erofs}" "${1:-roothash=$hash}" cpio
}

# show FILE [NAME] : lists a newc archive, or prints one of its files
show() {
	python3 - "$@" <<-'END'
		import sys
		data, at = open(sys.argv[1], 'rb').read(), 0
		while True:
		    field = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
		    assert data[at:at + 6] == b'070701'
		    ino, mode, uid, gid, nlink, mtime, size = field[:7]
		    name = data[at + 110:at + 110 + field[11] - 1].decode()
		    start = at + (110 + field[11] + 3) // 4 * 4
		    at = (start + size + 3) // 4 * 4
		    if name == 'TRAILER!!!':
		        break
		    if len(sys.argv) == 2:
		        print(ino, '%o' % mode, uid, gid, mtime, size if name != 'init' else 'X', name)
		    elif sys.argv[2] == name:
		        sys.stdout.buffer.write(data[start:start + size])
	END
}

test_contents() {
	make_tree
	expect 0 run "roothash=$hash cairn.overlay=volatile"
	show cpio etc/cairn/drivers | cmp - <(cat <<-END
		always dm-mod.ko.xz dm-bufio.ko.xz dm-verity.ko.xz
		always crc32c_generic.ko lib-crc.ko erofs.ko.zst
		always overlay.ko
		alias virtio:d00000002v*
		device virtio_blk.ko
	END
	)
	show cpio etc/cairn/boot.conf | cmp - <(cat <<-END
		version=1
		part=root
		roothash=$hash
		fs=erofs
		verity=panic
		on-failure=poweroff
		overlay=volatile
		cmdline=strict
		init=/sbin/init
		subdir=none
		state=none
		persist=none
		extensions=no
		require-signature=none
		rollback=any
		epoch=0
		wait=30
		timeout=120
		word=roothash=$hash
		word=cairn.overlay=volatile
	END
	)
	show cpio init | cmp - "$CAIRN_BUILD/init"
	show cpio >list
	diff list - <<-END
		1 40755 0 0 0 0 dev
		2 20600 0 0 0 0 dev/console
		3 40755 0 0 0 0 etc
		4 40755 0 0 0 0 etc/cairn
		5 100644 0 0 0 $(show cpio etc/cairn/boot.conf | wc -c) etc/cairn/boot.conf
		6 100644 0 0 0 $(show cpio etc/cairn/drivers | wc -c) etc/cairn/drivers
		7 100755 0 0 0 X init
		8 40755 0 0 0 0 lib
		9 40755 0 0 0 0 lib/modules
		10 100644 0 0 0 37 lib/modules/crc32c_generic.ko
		11 100644 0 0 0 33 lib/modules/dm-bufio.ko.xz
		12 100644 0 0 0 31 lib/modules/dm-mod.ko.xz
		13 100644 0 0 0 34 lib/modules/dm-verity.ko.xz
		14 100644 0 0 0 31 lib/modules/erofs.ko.zst
		15 100644 0 0 0 30 lib/modules/lib-crc.ko
		16 100644 0 0 0 29 lib/modules/overlay.ko
		17 100644 0 0 0 35 lib/modules/virtio_blk.ko
	END
}

test_same_bytes_everywhere() {
	make_tree
	run
	mv cpio first
	mkdir elsewhere
	cp -r tree elsewhere/
	tar -C tree -cf elsewhere.tar .
	(umask 077 && cd elsewhere && TZ=Asia/Tokyo LANG=C.UTF-8 run && cmp cpio ../first)
	"$helper" elsewhere.tar 6.1 virtio erofs "roothash=$hash" cpio
	cmp cpio first
	! LC_ALL=C grep -qa "$T" first || fail "a path of the host is in the initrd"
}

test_refusals() {
	make_tree
	refused 5 'has no module squashfs' run '' virtio squashfs
	refused 2 'usb: is none of the driver sets' run '' usb
	refused 5 'boot policy: no root hash' run quiet
	refused 2 'cairn.shell=1' run "roothash=$hash cairn.shell=1"
	rm tree/usr/lib/modules/6.1/kernel/md/dm-bufio.ko.xz
	refused 5 'no .*dm-bufio.ko.xz, which modules.dep lists' run
	# Each asks twice for the next: no loop, but 2^12 ways.
	rm -r tree
	make_tree
	local i
	for i in {1..12}; do
		module kernel/lib/w$i.ko
		echo "softdep w$((i - 1)) pre: w$i w$i"
	done >>tree/usr/lib/modules/6.1/modules.softdep
	echo 'softdep erofs pre: w0' >>tree/usr/lib/modules/6.1/modules.softdep
	module kernel/lib/w0.ko
	refused 5 'dependencies are a loop' run
	rm tree/usr/lib/modules/6.1/modules.dep
	refused 5 'no usr/lib/modules/6.1/modules.dep' run
	[ ! -e cpio ] || fail "a refused initrd was written"
}

run_tests "$@"
