# SPDX-License-Identifier: MIT
# The whole chain under Secure Boot: firmware with our certificate as its only key, boot
# loader, UKI, initrd, root, with PCR 11 of the TPM as predicted. An unsigned image of the
# same tree must not get anywhere.
. "$(dirname "$0")/lib.sh"

virt_fw_vars=$CAIRN_BUILD/tools/virt-fw-vars
[ -e "$virt_fw_vars" ] || {
	echo "not ok - no $virt_fw_vars: run tests/packages/foreign virt-firmware"
	exit 1
}
firmware=/usr/share/OVMF

# A tree to boot: the marker as init, with the base tree's kernel and modules.
make_tree() {
	tree tree
	mkdir -p tree/usr/lib/modules
	cp -a "$base/usr/lib/modules/$release" tree/usr/lib/modules/
	cp -u "$kernel" "tree/usr/lib/modules/$release/vmlinuz"
	printf 'ID=test\nVERSION_ID=1\n' >tree/usr/lib/os-release
}

build() {
	"$cairn" build tree -o "$1" --quiet --drivers virtio --cmdline 'console=ttyS0 panic=-1' \
		"${@:2}" >/dev/null
}

# Own keys, and no others: platform, exchange and signature database.
enrol() {
	local owner=11111111-2222-3333-4444-555555555555
	"$virt_fw_vars" -i $firmware/OVMF_VARS_4M.fd -o vars --secure-boot --set-pk $owner "$1" \
		--add-kek $owner "$1" --add-db $owner "$1" >enrol.log 2>&1 || fail "$(cat enrol.log)"
}

# firmware_boot IMAGE: starts the guest; its process is $guest.
firmware_boot() {
	cp vars vars.used
	: >"$T/serial"
	rm -rf tpm && mkdir tpm
	swtpm socket --tpm2 --tpmstate "dir=$T/tpm" --ctrl "type=unixio,path=$T/tpm/socket" \
		--terminate --daemon
	timeout -k 5 "$boot_timeout" qemu-system-x86_64 -M q35,smm=on -accel "$CAIRN_ACCEL" \
		-smp 1 -cpu "$(qemu_cpu)" -nodefaults -no-user-config -display none \
		-serial stdio -no-reboot -m 512 \
		-global driver=cfi.pflash01,property=secure,value=on \
		-global ICH9-LPC.disable_s3=1 \
		-drive if=pflash,format=raw,readonly=on,file=$firmware/OVMF_CODE_4M.secboot.fd \
		-drive if=pflash,format=raw,file=vars.used \
		-drive if=none,id=d0,format=raw,file="$1",snapshot=on \
		-device virtio-blk-pci,drive=d0,bootindex=1 \
		-chardev "socket,id=tpm,path=$T/tpm/socket" -tpmdev emulator,id=tpm0,chardev=tpm \
		-device tpm-tis,tpmdev=tpm0 \
		</dev/null >"$T/serial" 2>"$T/qemu.err" &
	guest=$!
}

# refused_by_firmware IMAGE: it stops at the firmware, which would wait for ever.
refused_by_firmware() {
	firmware_boot "$1"
	while kill -0 $guest 2>/dev/null && ! grep -Eqa 'No bootable option' "$T/serial"; do
		sleep 0.5
	done
	kill $guest 2>/dev/null || true
	wait $guest || true
	says 'Access Denied'
	says 'No bootable option'
	silent 'MARKER'
}

test_firmware_starts_what_we_signed_and_nothing_else() {
	make_tree
	"$cairn" key new keys --quiet
	enrol keys/root.crt
	build plain.raw
	refused_by_firmware plain.raw
	# The same image, signed afterwards.
	"$cairn" sign plain.raw --key keys/root.key --cert keys/root.crt --quiet
	firmware_boot plain.raw
	wait $guest || fail "QEMU ended with $?: $(tail -n 20 "$T/serial")"
	booted
	# What the stub measured is what the manifest predicted.
	local pcr
	pcr=$(python3 -c 'import json; print(json.load(open("plain.manifest.json"))["boot"]["pcr11"])')
	says "MARKER pcr11: ${pcr^^}"
}

run_tests "$@"
