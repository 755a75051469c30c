# SPDX-License-Identifier: MIT
# Extensions on a running system, on the base tree's kernel: verified, composed, replaced
# under readers, killed. The guest runs tests/vm/extensions.guest with the host's cairn.
. "$(dirname "$0")/lib.sh"

# extension NAME VERSION [OPTION...]: an image of the tree `x`.
extension() {
	"$cairn" extension build x -o "system/images/$1" --id _any --quiet \
		--key keys/sysext.key --cert keys/sysext.crt "${@:2}" >/dev/null
	rm -rf x
}

# The version files of one version: tests/vm/readers.c tells what is in them.
version() {
	mkdir -p x/usr/share/it x/usr/bin
	head -c 65536 /dev/zero | tr '\0' "$1" >x/usr/share/it/version
	cp x/usr/share/it/version x/usr/share/it/again
	printf '#!/bin/bash\nexit %d\n' "'$1" >x/usr/bin/it
	chmod 0755 x/usr/bin/it
}

system() {
	small_system
	cp "$cairn" system/cairn
	program "$cairn"
	rm -rf "system${cairn%/*}"
	cp "$CAIRN_BUILD/tests/vm/readers" system/readers
	echo base >system/usr/share/base
	mkdir -p system/usr/lib/cairn/trust/sysext system/images system/root
	cp keys/sysext.crt system/usr/lib/cairn/trust/sysext/
	cp "$CAIRN_TOP/tests/vm/extensions.guest" system/check
}

# The init and its modules, in order of loading.
pack() {
	local module number=0
	mkdir -p root/{dev,root}
	cp "$CAIRN_BUILD/tests/vm/switch_root" root/init
	for module in virtio_pci virtio_blk ext4 erofs squashfs overlay loop dm-mod dm-verity; do
		modprobe -d "$base" -S "$release" --show-depends $module | sed -n 's/^insmod //p'
	done | awk '!seen[$1]++ { print $1 }' >insmods
	for module in $(cat insmods); do
		number=$((number + 1))
		cp "$module" "root/$number.ko"
		echo "/$number.ko"
	done >root/modules
	(cd root && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >initrd
}

test_extensions() {
	"$cairn" key new keys --purpose sysext --quiet
	system
	version 1
	extension one.sysext.raw
	truncate -s 256M disk
	mke2fs -q -t ext4 -b 4096 -d system disk >mkfs.log 2>&1
	pack
	boot "console=ttyS0 panic=-1 quiet" disk
	grep -a MARKER serial
	silent 'MARKER (stopped|FAILED)'
	says 'MARKER end'
}

run_tests "$@"
