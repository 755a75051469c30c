# SPDX-License-Identifier: MIT
# The whole chain under Secure Boot: firmware with our certificate as its only key, boot
# loader, UKI, initrd, root, with PCR 11 of the TPM as predicted. An unsigned image of the
# same tree must not get anywhere.
. "$(dirname "$0")/lib.sh"

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

# firmware_boot IMAGE OPTION... : by firmware under Secure Boot, our certificate its only key.
firmware_boot() {
	"$cairn" boot --secure-boot keys/root.crt --accel tcg --timeout "$boot_timeout" --quiet "$@"
}

test_firmware_starts_what_we_signed_and_nothing_else() {
	local pcr
	make_tree
	"$cairn" key new keys --quiet
	build plain.raw
	pcr=$(python3 -c 'import json; print(json.load(open("plain.manifest.json"))["boot"]["pcr11"])')
	expect 4 firmware_boot plain.raw --tpm
	cp out serial
	says 'Access Denied'
	silent 'MARKER'
	grep -q 'Secure Boot does not let it start' err
	# It measured nothing of ours.
	grep -Eq '^PCR 11: 0{64}$' out
	# The same image, signed afterwards. With an extension, and with files taken out.
	"$cairn" sign plain.raw --key keys/root.key --cert keys/root.crt --quiet
	mkdir -p extension/usr/share && echo hello >extension/usr/share/hello
	"$cairn" extension build extension -o hello.sysext.raw --id _any --quiet >/dev/null
	expect 0 firmware_boot plain.raw --tpm --extension hello.sysext.raw --collect files.tar
	cp out serial
	booted
	says 'MARKER disk cairn-extension-0: read-only, EFI PART'
	says 'MARKER collect: good'
	# The firmware's keys are the kernel's: it checked the root hash's signature itself.
	says 'MARKER state:   "signature": "kernel"'
	# What the stub measured, as the guest sees it and as the TPM was asked, is what the
	# manifest predicted.
	says "MARKER pcr11: ${pcr^^}"
	grep -qx "PCR 11: $pcr" out || fail "$(grep PCR out), not $pcr"
	[ "$(tar -tf files.tar)" = hello ] && [ "$(tar -xOf files.tar hello)" = "$(printf 'x%.0s' {1..1024})" ]
	[ -z "$(find . -name '.cairn-*')" ]
}

run_tests "$@"
