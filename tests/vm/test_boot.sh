# SPDX-License-Identifier: MIT
# Boots that must succeed, and what dm-verity does in each mode when a block is bad.
. "$(dirname "$0")/lib.sh"

console='console=ttyS0 panic=-1 quiet'

test_verified_boot() {
	tree tree && filesystem erofs tree data && disk root data disk
	initrd erofs "roothash=$roothash" initrd
	boot "roothash=$roothash $console" disk
	booted
	says "MARKER state:   \"rootHash\": \"$roothash\""
	says 'MARKER state:   "signature": "none"'
	says 'MARKER state:   "rollback": "unprotected"'
	says 'MARKER state:   "onCorruption": "panic"'
	says 'MARKER mount: /dev/dm-0 / erofs ro'
	says 'MARKER write /written: Read-only file system'
	says 'MARKER list /proc/self/fd: 0 1 2 3'
	says 'MARKER read /usr/data: good'
	sed -n 's/^MARKER state: //p' serial | python3 -m json.tool >state.json
	grep -a 'milliseconds' serial
	ls -l initrd

	# The same disk behind SCSI, one byte of a file: that cannot be read, all else can.
	flip disk $((2048 * 512 + $(offset_of data "$(sed -n 60000,60020p tree/usr/data)")))
	initrd erofs "roothash=$roothash cairn.verity=eio" initrd
	controller=virtio-scsi-pci disk_device=scsi-hd \
		boot "roothash=$roothash cairn.verity=eio $console" disk
	booted
	says 'MARKER state:   "disk": "/dev/sda"'
	says 'MARKER read /usr/data: I/O error|MARKER read /usr/data: Input/output error'
	says 'verity: .* data block [0-9]+ is corrupted'
	says 'MARKER state:   "onCorruption": "eio"'
}

# A disk of 4096-byte sectors, an overlay, ext4.
test_volatile_overlay() {
	tree tree && filesystem ext4 tree data && disk root data disk
	initrd ext4 "roothash=$roothash cairn.overlay=volatile" initrd
	disk_options=,logical_block_size=4096,physical_block_size=4096 \
		boot "cairn.overlay=volatile roothash=$roothash $console" disk
	booted
	says 'MARKER mount: overlay / overlay rw'
	silent 'MARKER mount: .*(/verified|/volatile) '
	says 'MARKER write /written: good'
	says 'MARKER write /usr/written: good'
}

# The first disk has the right names and the wrong content; the second one lost its primary
# partition table. Both are signed by a key that the kernel does not know.
test_duplicate_that_verifies_is_taken() {
	tree tree && filesystem squashfs tree data && signed=1 disk root data good
	cp good bad
	flip bad $(((tree_at + 8) * 512 + 7))
	dd if=/dev/zero of=good bs=512 seek=1 count=1 conv=notrunc status=none
	initrd squashfs "roothash=$roothash" initrd
	boot "roothash=$roothash $console" bad good
	booted
	says 'MARKER state:   "disk": "/dev/vdb"'
	says 'MARKER state:   "signature": "no key"'
	says 'MARKER mount: /dev/dm-0 / squashfs ro'
	says 'metadata block .* is corrupted'
}

# On a SATA disk, with the drivers for clouds.
test_usr_image() {
	tree tree && filesystem erofs tree/usr data && disk usr data disk
	drivers=cloud initrd erofs "usrhash=$roothash init=/usr/lib/init" initrd
	disk_device=ide-hd boot "usrhash=$roothash init=/usr/lib/init $console" disk
	booted
	says 'MARKER mount: /dev/dm-0 /usr erofs ro'
	says 'MARKER mount: tmpfs / tmpfs rw'
	says 'MARKER write /written: good'
	says 'MARKER write /usr/written: Read-only file system'
	says 'MARKER bin: usr/bin'
	says 'MARKER read /usr/data: good'
}

# plug_in: once the init says that it waits, the disk `late` comes.
plug_in() {
	local i
	for ((i = 0; i < 2 * boot_timeout; i++)); do
		! grep -qa 'cairn: waiting for the partitions' serial 2>/dev/null || break
		sleep 0.5
	done
	python3 - "$T/qmp" <<-'END'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		f = s.makefile("rw")
		f.readline()  # its greeting
		for command, arguments in (("qmp_capabilities", {}), ("device_add",
		        {"driver": "scsi-hd", "bus": "scsi.0", "drive": "late"})):
		    f.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
		    f.flush()
		    answer = {"event": None}
		    while "event" in answer:
		        answer = json.loads(f.readline())
		    if "return" not in answer:
		        sys.exit(str(answer))
	END
}

test_disk_that_comes_late() {
	tree tree && filesystem erofs tree data && disk root data disk
	initrd erofs "roothash=$roothash cairn.wait=100" initrd
	machine="-device virtio-scsi-pci,id=scsi -qmp unix:$T/qmp,server=on,wait=off
		-drive if=none,id=late,format=raw,file=$T/disk,snapshot=on"
	plug_in &
	boot "roothash=$roothash cairn.wait=100 console=ttyS0 panic=-1" # not quiet
	wait $!
	booted
	says "cairn: waiting for the partitions of ${roothash:0:16}\.\.\., [0-9]+ s of 100"
	says 'MARKER state:   "disk": "/dev/sda"'
}

run_tests "$@"
