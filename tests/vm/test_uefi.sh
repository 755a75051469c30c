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

# image : makes data, disk, initrd and esp, a FAT disk with the UKI.
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

# boot_uefi QEMU-OPTION... : as boot, from the disks esp and disk.
boot_uefi() {
	local status=0
	cp /usr/share/OVMF/OVMF_VARS_4M.fd vars
	timeout -k 5 "$boot_timeout" qemu-system-x86_64 -M q35 -accel "$CAIRN_ACCEL" -smp 1 \
		-cpu "$(qemu_cpu)" -nodefaults -no-user-config -display none -serial stdio \
		-no-reboot -m 512 \
		-drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
		-drive if=pflash,format=raw,file=vars \
		-drive if=none,id=esp,format=raw,file=esp,snapshot=on \
		-device virtio-blk-pci,drive=esp,bootindex=1 \
		-drive if=none,id=d0,format=raw,file=disk,snapshot=on \
		-device virtio-blk-pci,drive=d0 "$@" \
		</dev/null >"$T/serial" 2>"$T/qemu.err" || status=$?
	[ $status -eq 0 ] || {
		tail -n 20 "$T/serial" "$T/qemu.err"
		fail "QEMU ended with $status (124: the guest did not end in $boot_timeout s)"
	}
}

# A credential beside the UKI reaches the initrd as /.extra/credentials, and no further.
test_credential_on_the_esp() {
	image
	echo secret >passwd.cred
	mmd -i esp ::EFI/BOOT/BOOTX64.EFI.extra.d
	mcopy -i esp passwd.cred ::EFI/BOOT/BOOTX64.EFI.extra.d/passwd.cred
	boot_uefi
	booted
	says 'cairn: deleted /.extra unread'
	says 'MARKER extra: gone'
	silent 'secret'
}

test_addition_by_smbios() {
	image
	boot_uefi -smbios "type=11,value=io.systemd.stub.kernel-cmdline-extra=init=/bin/sh"
	stopped 'command line: init=/bin/sh is not built in'
}

run_tests "$@"
