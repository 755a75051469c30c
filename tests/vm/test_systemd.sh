# SPDX-License-Identifier: MIT
# The demonstration's tree, built by cairn build, booted by cairn boot through firmware and
# systemd-boot to a system that runs, with a TPM and an extension: what Cairn has in that
# system did its work, in one boot. And the same image with one byte flipped.
. "$(dirname "$0")/lib.sh"

[ -e "$CAIRN_TOP/build/suite/bless/packages" ] || {
	echo "not ok - no systemd-bless-boot: run tests/packages/foreign bless"
	exit 1
}

# No line of the kernel's about each unit may fall into one that is waited for, and a busy
# host's emulator is no reason to give a unit up.
words='cairn.state=volatile cairn.extensions=yes console=ttyS0 panic=-1 no_timer_check audit=0
	systemd.default_timeout_start_sec=900 systemd.default_device_timeout_sec=900'
words=${words//[$'\n\t']/ }

# The tree of epoch 2, which wants nothing older from now on.
make_tree() {
	"$cairn" key new keys --purpose sysext --quiet
	"$CAIRN_TOP/tests/system-tree" "$base" "$T/tree" keys/sysext.crt
	echo CAIRN_EPOCH=2 >>tree/usr/lib/os-release
	echo epoch-floor=2 >tree/usr/lib/cairn/extensions.conf
}

# build OUT [OPTION...]
build() {
	"$cairn" build tree -o "$1" --overlay etc --drivers virtio --quiet "${@:2}" >/dev/null
}

# hello OUT EPOCH: an extension whose name is not that of its file; sets $hash.
hello() {
	mkdir -p x/usr/share/cairn-demo
	echo hello >x/usr/share/cairn-demo/hello
	hash=$("$cairn" extension build x -o "$1" --name hello --id debian --version-id 13 \
		--epoch "$2" --key keys/sysext.key --cert keys/sysext.crt --quiet |
		sed -n 's/^Root hash: //p')
	rm -r x
}

# member FILE REGEX: of what the guest wrote.
member() {
	tar -xOf results.tar "./$1" >member
	grep -Eq -- "$2" member || fail "$1: $(cat member)"
}

test_the_system_runs() {
	make_tree
	build os.raw --cmdline "$words systemd.show_status=yes" --image-version 7
	hello any.sysext.raw 2
	local before
	before=$(stat -c '%Y %Z %s' os.raw)
	expect 0 "$cairn" boot os.raw --uefi --tpm --accel tcg --timeout $((2 * boot_timeout)) \
		--extension any.sysext.raw --collect results.tar --expect 'cairn-demo: system is running'
	cp out serial
	says 'cairn: root of /dev/vda \(erofs, .*\) is verified block by block; running /sbin/init'
	says 'cairn: extension hello \('
	silent 'cairn: boot stopped|Kernel panic|Failed to start|ordering cycle'
	[ "$(stat -c '%Y %Z %s' os.raw)" = "$before" ] || fail "the image was written to"
	ls -l os.initrd os.efi

	# The extension, a disk, is part of /usr, and the unit found it where PID 1 had put it.
	member extension/hello '^hello$'
	member extensions.json "\"rootHash\": ?\"$hash\""
	member extensions.json '"sequence": ?1,'
	member extensions.list '^sysext   disk      hello /dev/vdb$'
	member state.json '"extensions": ?1,'
	member journal 'Finished cairn-extension.service'
	# A good boot: the loader counts it no more, and the floor in the TPM is raised.
	member journal 'Finished systemd-bless-boot.service'
	member esp '^cairn-demo_7\.efi$'
	member epoch.json '"tpmFloor": ?2,'

	# The first block of the root partition holds the file system's superblock.
	local start
	start=$(sfdisk -l -o start,type os.raw | awk '/Linux root \(x86-64\)$/ { print $1 }')
	flip os.raw $((start * 512 + 1024))
	expect 1 "$cairn" boot os.raw --accel tcg --timeout "$boot_timeout" \
		--expect 'Reached target .*multi-user'
	cp out serial
	says 'cairn: boot stopped: /dev/vda: does not verify against the root hash'
	silent 'running /sbin/init|Reached target'
	flip os.raw $((start * 512 + 1024))

	# An extension of an older epoch stops the boot: it may have been put in the place of one
	# that closes a hole.
	hello old.sysext.raw 1
	expect 1 "$cairn" boot os.raw --accel tcg --timeout "$boot_timeout" \
		--extension old.sysext.raw --expect 'Reached target .*multi-user'
	cp out serial
	says 'cairn: boot stopped: /dev/vdb: its epoch 1 is below the floor 2'
	silent 'running /sbin/init|Reached target'
}

# entries: the kernels that systemd-boot finds in os.raw.
entries() {
	mdir -b -i "os.raw@@$((esp * 512))" ::EFI/Linux | sed 's,.*/,,' | sort | tr '\n' ' '
}

# loader_boot: os.raw, written to, through firmware and boot loader; the guest ends by itself
# or, once the console says REGEX, is ended.
loader_boot() {
	local line pid
	line=$("$cairn" boot --uefi --dry-run --accel tcg os.raw | sed 's/snapshot=on,file=os.raw/file=os.raw/')
	[[ $line == *,file=os.raw* && $line != *snapshot=on,file=os.raw* ]]
	: >serial
	timeout -k 5 $((2 * boot_timeout)) $line </dev/null >serial 2>qemu.err &
	pid=$!
	while kill -0 $pid 2>/dev/null && ! grep -Eqa -- "$1" serial; do sleep 0.5; done
	kill $pid 2>/dev/null || true
	wait $pid || true
	says "$1"
}

# A new version that does not boot is tried, given up, and the old one is booted and blessed.
test_fallback() {
	make_tree
	build os.raw --cmdline "$words" --image-version 7
	build bad.raw --cmdline "$words cairn.wait=2 cairn.on-failure=reboot" --image-version 8 --seed other
	esp=$(sfdisk -l -o start,type os.raw | awk '/EFI System$/ { print $1 }')
	mcopy -i "os.raw@@$((esp * 512))" bad.efi ::EFI/Linux/cairn-demo_8+1.efi
	[ "$(entries)" = 'cairn-demo_7+3.efi cairn-demo_8+1.efi ' ] || fail "$(entries)"
	loader_boot 'cairn: boot stopped: no disk'
	[ "$(entries)" = 'cairn-demo_7+3.efi cairn-demo_8+0-1.efi ' ] || fail "$(entries)"
	loader_boot 'cairn-demo: system is running'
	[ "$(entries)" = 'cairn-demo_7.efi cairn-demo_8+0-1.efi ' ] || fail "$(entries)"
}

run_tests "$@"
