# SPDX-License-Identifier: MIT
# Boots through UEFI firmware and systemd's stub, with what others may slip in on the way:
# files on the ESP and strings in SMBIOS. The firmware has no Secure Boot here, so that the
# stub takes all of it.
. "$(dirname "$0")/lib.sh"

stub=$CAIRN_BUILD/suite/stub/usr/lib/systemd/boot/efi/linuxx64.efi.stub
[ -e "$stub" ] || {
	echo "not ok - no $stub: run tests/packages/foreign stub"
	exit 1
}

# image : makes data, disk, initrd and esp, a FAT file system with the UKI.
image() {
	tree tree && filesystem erofs tree data && disk root data disk
	local line="roothash=$roothash console=ttyS0 panic=-1 no_timer_check"
	initrd erofs "$line" initrd
	"$CAIRN_BUILD/tests/helpers/uki" "$stub" "$base/usr/lib/os-release" "$line" "$kernel" \
		initrd uki
	rm -f esp
	truncate -s 64M esp
	mkfs.vfat esp >mkfs.log
	mmd -i esp ::EFI ::EFI/BOOT
	mcopy -i esp uki ::EFI/BOOT/BOOTX64.EFI
}

# boot_uefi QEMU-OPTION... : as boot, from the disk esp, which comes after disk.
boot_uefi() {
	local status=0
	cp /usr/share/OVMF/OVMF_VARS_4M.fd vars
	timeout -k 5 "$boot_timeout" qemu-system-x86_64 -M q35 -accel "$CAIRN_ACCEL" -smp 1 \
		-cpu "$(qemu_cpu)" -nodefaults -no-user-config -display none -serial stdio \
		-no-reboot -m 512 \
		-drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
		-drive if=pflash,format=raw,file=vars \
		-drive if=none,id=d0,format=raw,file=disk,snapshot=on \
		-device virtio-blk-pci,drive=d0 \
		-drive if=none,id=esp,format=raw,file=esp,snapshot=on \
		-device "${esp_device:-virtio-blk-pci},drive=esp,bootindex=1" "$@" \
		</dev/null >"$T/serial" 2>"$T/qemu.err" || status=$?
	[ $status -eq 0 ] || {
		tail -n 20 "$T/serial" "$T/qemu.err"
		fail "QEMU ended with $status (124: the guest did not end in $boot_timeout s)"
	}
}

# boot_disk UUID : makes esp a partition of that UUID on a copy of disk.
boot_disk() {
	local end
	end=$(($(stat -c %s disk) / 512))
	mv esp fat
	cp disk esp
	truncate -s $(((end + 133120) * 512)) esp
	sfdisk -q --relocate gpt-bak-std esp >sfdisk.log 2>&1
	echo "start=$(((end + 2047) / 2048 * 2048)), size=131072, type=U, uuid=$1" |
		sfdisk -q --append esp
	dd if=fat of=esp bs=1M seek=$(((end + 2047) / 2048)) conv=notrunc,sparse status=none
}

# A credential beside the UKI reaches the initrd as /.extra/credentials, and no further. Of
# two disks with the same root the second is taken: the firmware booted from it.
test_credential_on_the_esp() {
	image
	echo secret >passwd.cred
	mmd -i esp ::EFI/BOOT/BOOTX64.EFI.extra.d
	mcopy -i esp passwd.cred ::EFI/BOOT/BOOTX64.EFI.extra.d/passwd.cred
	boot_disk 0b0075a9-79a1-4b29-8e6b-3c1f1a3b2c1d
	boot_uefi
	booted
	says 'MARKER state:   "bootPartition": "0b0075a9-79a1-4b29-8e6b-3c1f1a3b2c1d"'
	says 'MARKER state:   "disk": "/dev/vdb"'
	says 'cairn: deleted /.extra unread'
	says 'MARKER extra: gone'
	silent 'secret'
}

# That disk is on a controller that the initrd has no driver for and never comes: the other
# one is taken two seconds after it was found.
test_boot_disk_without_a_driver() {
	image
	boot_disk 0b0075a9-79a1-4b29-8e6b-3c1f1a3b2c1d
	esp_device=ide-hd boot_uefi
	booted
	says 'cairn: the disk with the partition that was booted from is not there'
	says 'MARKER state:   "bootPartition": "0b0075a9-79a1-4b29-8e6b-3c1f1a3b2c1d"'
	says 'MARKER state:   "disk": "/dev/vda"'
}

test_addition_by_smbios() {
	image
	boot_uefi -smbios "type=11,value=io.systemd.stub.kernel-cmdline-extra=init=/bin/sh"
	stopped 'command line: init=/bin/sh is not built in'
}

run_tests "$@"
