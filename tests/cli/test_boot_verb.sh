# SPDX-License-Identifier: MIT
# cairn boot: its options, what it refuses, and small guests that answer at once.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/build_tree.sh"

base=$CAIRN_TOP/build/base
guest=$CAIRN_BUILD/tests/guest

# The base tree's kernel and a guest of ours (tests/vm/guest.c), made once.
kernel() {
	local path
	path=$(ls "$base"/tree/boot/vmlinuz-* 2>/dev/null | head -n 1)
	[ -n "$path" ] || fail "there is no base tree: make base"
	echo "$path"
}

initrd() {
	local modules
	mkdir -p "$guest"
	modules=$(ls -d "$base"/tree/usr/lib/modules/*/kernel)
	musl-gcc -static -Os -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu \
		-o "$guest/init" "$CAIRN_TOP/tests/vm/guest.c"
	cp "$modules/drivers/block/virtio_blk.ko.xz" "$guest/module"
	python3 - "$guest" <<-'END'
		import os, sys
		os.chdir(sys.argv[1])
		out = b''
		for name in 'init', 'module', 'TRAILER!!!':
		    data = open(name, 'rb').read() if name[0] != 'T' else b''
		    fields = 1, 0o100755, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0
		    out += b'070701' + b''.join(b'%08x' % f for f in fields) + name.encode() + b'\0'
		    out += b'\0' * (-len(out) % 4) + data
		    out += b'\0' * (-len(out) % 4)
		open('initrd', 'wb').write(out)
	END
	echo "$guest/initrd"
}

# boot WORDS [OPTION...] : the arguments of a boot of the small guest
small() {
	local words=$1
	shift
	echo "boot --quiet --kernel $(kernel) --initrd $guest/initrd --append quiet --append $words $* $T/disk.raw"
}

disk() {
	truncate -s 8M disk.raw
	printf 'untouched' >disk.raw
	truncate -s 8M disk.raw
	[ -e "$guest/initrd" ] && [ "$guest/initrd" -nt "$CAIRN_TOP/tests/vm/guest.c" ] || initrd >/dev/null
}

# Whether kvm boots a kernel is remembered, but no home directory is made for that.
test_a_home_that_is_not_there() {
	disk
	echo no kernel >k
	mkdir home
	local home
	for home in home none; do
		refused 1 'invalid kernel header' env -u XDG_CACHE_HOME HOME="$T/$home" \
			$cairn boot --quiet --timeout 60 --kernel k disk.raw
	done
	[ ! -w /dev/kvm ] || [ -n "$(ls home/.cache/cairn)" ]
	[ ! -e none ] || fail "made $(find none)"
}

test_options() {
	disk
	expect 0 $cairn $(small hang --dry-run --memory 300 --smp 1)
	grep -q -- '-smp 1 -m 300 .*readonly=on,file=.*/disk.raw' "$T/out"
	! grep -q snapshot "$T/out" || fail "a snapshot nobody asked for"
	expect 0 $cairn $(small hang --dry-run --snapshot --accel kvm)
	grep -q -- '-accel kvm .*snapshot=on,file=.*/disk.raw' "$T/out"
	expect 0 $cairn boot --uefi --dry-run disk.raw
	grep -q -- 'unit=0,format=raw,readonly=on,.*unit=1,format=raw,snapshot=on' "$T/out"
	cp disk.raw 'a,b.raw'
	expect 0 $cairn $(small hang --dry-run --tpm --extension disk.raw) --extension a,b.raw \
		--collect "$T/files.tar"
	grep -q -- 'readonly=on,file=disk.raw -device virtio-blk-pci,drive=cairn-extension-0,serial=' out
	grep -q -- 'readonly=on,file=a,,b.raw -device virtio-blk-pci,drive=cairn-extension-1,serial=' out
	grep -q -- 'id=cairn-collect,format=raw,file=.*/files.tar.* emulator,id=tpm0' out
	[ ! -e files.tar ] || fail "a dry run leaves a file"
	refused 1 'missing.raw: cannot open' $cairn $(small hang --dry-run --extension missing.raw)
	refused 1 'disk.raw: .*exists' $cairn $(small hang --dry-run --collect disk.raw)
	refused 2 'one IMAGE' $cairn boot
	refused 2 'one IMAGE' $cairn boot disk.raw disk.raw
	refused 2 '--frobnicate is not known' $cairn boot --frobnicate disk.raw
	refused 2 'auto, kvm or tcg' $cairn boot --accel fast disk.raw
	refused 2 '--memory: 0 is not from 1' $cairn boot --memory 0 disk.raw
	refused 2 "--timeout: '-5' is not a number" $cairn boot --timeout -5 disk.raw
	refused 2 '--expect \(' $cairn boot --expect '(' disk.raw
	refused 2 'do not apply' $cairn boot --uefi --append quiet disk.raw
	refused 2 'exclude' $cairn boot --uki a --kernel b disk.raw
	refused 2 'needs --kernel' $cairn boot --initrd a disk.raw
}

test_bad_images() {
	disk
	refused 1 'missing.raw: cannot open' $cairn boot missing.raw
	mkfifo pipe
	refused 5 'pipe: is a FIFO' $cairn boot pipe
	refused 5 'disk.raw: ' $cairn boot disk.raw
	: >empty.raw
	refused 5 'empty.raw: ' $cairn boot empty.raw
	echo text >some.efi
	refused 5 'some.efi: ' $cairn boot --uki some.efi disk.raw
	sfdisk -q disk.raw <<-'END'
		label: gpt
		size=2MiB
	END
	refused 5 'no EFI system partition, and there is no .*/disk.efi' $cairn boot "$T/disk.raw"
}

# Kernel, initrd and command line are those of the image itself, whatever its format.
test_what_is_started_is_in_the_image() {
	make_tree tree
	"$cairn" build tree -o os.raw --qcow2 --cmdline 'word=7 console=tty0' >/dev/null
	local wanted image
	wanted="-kernel '?[^ ]*:/EFI/Linux/test_1\+3.efi:.linux'? -append"
	wanted="$wanted '[^']*roothash=$(cat os.roothash)[^']*word=7 console=tty0[^']* panic=-1( no_timer_check)?'"
	for image in os.raw os.qcow2; do
		expect 0 "$cairn" boot --dry-run "$image"
		grep -qE -- "$wanted -initrd" "$T/out" || fail "$(cat "$T/out")"
		! grep -q ttyS0 "$T/out" || fail 'a console was added beside the image'"'"'s own'
	done
	# An image without an ESP is started by what lies beside it.
	truncate -s 4M bare.raw
	echo 'size=2MiB' | sfdisk -q --label gpt bare.raw
	cp os.efi bare.efi
	expect 0 "$cairn" boot --dry-run bare.raw
	grep -qE -- "-kernel bare.efi:.linux -append '.*roothash=$(cat os.roothash)" "$T/out"
}

test_qcow2_may_not_name_other_files() {
	disk
	qemu-img create -q -f qcow2 plain.qcow2 8M
	qemu-img create -q -f qcow2 -b "$T/disk.raw" -F raw backed.qcow2
	qemu-img create -q -f qcow2 -o data_file=secret,data_file_raw=on data.qcow2 8M
	local options
	options="--dry-run --kernel $(kernel)"
	expect 0 $cairn boot $options plain.qcow2
	grep -q 'format=qcow2' "$T/out"
	refused 5 'backed.qcow2: offset 8: .*backing file' $cairn boot $options backed.qcow2
	refused 5 'data.qcow2: offset 72: .*data file' $cairn boot $options data.qcow2
}

test_secure_boot_wants_a_certificate_for_images() {
	disk
	"$cairn" key new keys --quiet
	"$cairn" key new keys --purpose sysext --quiet
	expect 0 $cairn boot --secure-boot keys/root.crt --dry-run disk.raw
	grep -q -- '-M q35,smm=on .*property=secure,value=on .*secboot.fd' out
	# DER is as good.
	openssl x509 -in keys/root.crt -outform der -out der.crt
	expect 0 $cairn boot --secure-boot der.crt --dry-run disk.raw
	refused 4 'for sysext, not for root' $cairn boot --secure-boot keys/sysext.crt --dry-run disk.raw
	refused 5 'disk.raw: ' $cairn boot --secure-boot disk.raw --dry-run disk.raw
}

# Programs that are not there are named, with their package.
test_missing_programs() {
	disk
	"$cairn" key new keys --quiet
	mkdir bin
	local program
	for program in virt-fw-vars swtpm; do
		printf '#!/bin/sh\necho "no such thing" >&2\nexit 127\n' >bin/$program
		chmod 755 bin/$program
	done
	export CAIRN_TOOLS=$PWD/bin
	refused 1 'needs virt-fw-vars \(package python3-virt-firmware\)' \
		$cairn boot --secure-boot keys/root.crt --dry-run disk.raw
	rm bin/virt-fw-vars
	expect 0 $cairn boot --secure-boot keys/root.crt --dry-run disk.raw
	refused 1 '--tpm: swtpm: failed with status 127: no such thing' $cairn $(small hang --timeout 60 --tpm)
}

# A guest that ends without having written anything for us.
test_nothing_was_collected() {
	disk
	expect 1 $cairn $(small halt --timeout 120 --collect $T/files.tar --tpm)
	grep -q 'files.tar: the guest wrote nothing' err || fail "$(cat err)"
	grep -Eqx 'PCR 11: 0{64}' out
	[ ! -e files.tar ] && [ -z "$(find . -name '.cairn-*')" ]
}

test_the_line_decides() {
	disk
	expect 0 $cairn $(small hang --timeout 120 --expect '^guest:.up$')
	expect 1 $cairn $(small halt --timeout 120 --expect 'guest:.down')
	grep -q "ended without saying 'guest:.down'" "$T/err"
	expect 0 $cairn $(small halt --timeout 120)
	grep -q 'guest:.* up' "$T/out"
	expect 1 $cairn $(small crash --timeout 120)
	grep -q "disk.raw: the guest's kernel panicked" "$T/err"
}

test_time_runs_out() {
	disk
	expect 9 $cairn $(small hang --timeout 2 --expect never)
	grep -q "did not say 'never' within 2 s" "$T/err"
	expect 9 $cairn $(small hang --timeout 2)
}

test_the_image_is_never_written() {
	disk
	local before
	before=$(sha256sum <disk.raw)
	expect 0 $cairn $(small disk,hang --timeout 120 --expect writing.was.refused)
	[ "$(sha256sum <disk.raw)" = "$before" ]
	expect 0 $cairn $(small disk,hang --timeout 120 --snapshot --expect writing.worked)
	[ "$(sha256sum <disk.raw)" = "$before" ]
	qemu-img convert -f raw -O qcow2 disk.raw disk.qcow2
	before=$(sha256sum <disk.qcow2)
	expect 0 $cairn $(small disk,hang --timeout 120 --snapshot --expect writing.worked | sed 's/disk.raw$/disk.qcow2/')
	[ "$(sha256sum <disk.qcow2)" = "$before" ]
}

test_a_signal_ends_all() {
	disk
	: >out
	$cairn $(small hang --timeout 120 --tpm --collect $T/files.tar) >out 2>err &
	local pid=$! children child n
	for n in $(seq 600); do
		grep -q 'guest:' out && break
		sleep 0.2
	done
	children=$(pgrep -P $pid)
	[ "$(wc -w <<<"$children")" = 2 ] || fail "not QEMU and swtpm: $children"
	kill -TERM $pid
	wait $pid && fail "it ended well" || [ $? = 143 ]
	for child in $children; do
		for n in $(seq 50); do
			[ -e "/proc/$child" ] || continue 2
			sleep 0.1
		done
		fail "$(cat "/proc/$child/comm") is still there"
	done
	[ ! -e files.tar ] && [ -z "$(find . -name '.cairn-*')" ]
}

# On a terminal: typed lines reach the guest, Ctrl-] ends it, the settings come back.
test_terminal() {
	disk
	python3 - $cairn $(small echo,hang --timeout 120) <<-'END'
		import os, pty, subprocess, sys, termios, time
		master, slave = pty.openpty()
		before = termios.tcgetattr(slave)
		child = subprocess.Popen(sys.argv[1:], stdin=slave, stdout=slave, stderr=slave)
		said = b''
		def wait(text):
		    global said
		    while text not in said:
		        said += os.read(master, 4096)
		wait(b'\x1b[0m up')
		assert termios.tcgetattr(slave) != before, 'the terminal is not raw'
		os.write(master, b'hello\r')
		wait(b'guest: heard hello')
		os.write(master, b'\x1d')
		assert child.wait(60) == 0, child.returncode
		assert termios.tcgetattr(slave) == before, 'the terminal stays raw'
	END
}

run_tests "$@"
