# SPDX-License-Identifier: MIT
# Boots in QEMU: source this instead of tests/lib.sh. The kernel and its modules come from
# the base tree; the images are small ones made here by other people's tools (mkfs.erofs,
# veritysetup, sfdisk), with our marker program as the real init.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

base=$CAIRN_BUILD/base/tree
# A boot takes 8 s on an idle machine without KVM; a busy one needs patience.
boot_timeout=${CAIRN_BOOT_TIMEOUT:-240}
: "${CAIRN_ACCEL:=tcg,thread=multi}"

# Where kernel and modules are from.
: "${kernel_tree:=$base}"
choose_kernel() {
	release=$(cd "$kernel_tree/usr/lib/modules" 2>/dev/null && printf '%s\n' * | sort -V | tail -n 1)
	kernel=$kernel_tree/usr/lib/modules/$release/vmlinuz
	[ -e "$kernel" ] || kernel=$kernel_tree/boot/vmlinuz-$release
	[ -n "$release" ] && [ -e "$kernel" ] || {
		echo "not ok - no kernel in $kernel_tree: run make base setup-tools"
		exit 1
	}
}
choose_kernel

# The helper looks for the init beside itself, as cairn does.
ln -sfn ../../init "$CAIRN_BUILD/tests/helpers/init"

# tree DIRECTORY: a root file system that holds the marker and 1 MiB of data.
tree() {
	mkdir -p "$1"/{dev,proc,sys,run,sbin,usr/lib,usr/bin,usr/sbin}
	cp "$CAIRN_BUILD/tests/vm/marker" "$1/sbin/init"
	cp "$CAIRN_BUILD/tests/vm/marker" "$1/usr/lib/init"
	seq 1 160000 | head -c 1048576 >"$1/usr/data"
}

# libraries TREE PROGRAM: what the program is linked with, into the tree.
libraries() {
	local file
	for file in $(ldd "$2" 2>/dev/null | grep -o '/[^ ]*'); do
		mkdir -p "$1$(dirname "$file")"
		cp -Lu "$file" "$1$file"
	done
}

# program PATH...: into the guest's system, with the libraries it needs. Only for programs
# of the host's system: the path of one built here may be that of a file of the test.
program() {
	local file
	for file; do
		mkdir -p "system$(dirname "$file")"
		cp -Lu "$file" "system$file"
		libraries system "$file"
	done
}

# A system below system/ that is just enough for a script of bash, by the host's programs.
small_system() {
	local dir
	mkdir -p system/{dev,proc,sys,run,tmp,etc,opt,var} system/usr/{bin,sbin,lib,lib64,share}
	for dir in bin sbin lib lib64; do ln -s usr/$dir system/$dir; done
	program $(type -P bash cat mount umount cp rm mkdir head tail grep sed wc ls sleep ln stat od \
		dd touch chmod seq sort)
	printf 'ID=test\nVERSION_ID=1\n' >system/usr/lib/os-release
}

# pack_modules MODULE...: into the tree root/ with what they need, and /modules, their list
# in the order of loading (tests/vm/modules.h reads it); then packs root/ into ./initrd.
pack_modules() {
	local module number=0
	for module; do
		modprobe -d "$kernel_tree" -S "$release" --show-depends "$module" |
			sed -n 's/^insmod //p'
	done | awk '!seen[$1]++ { print $1 }' >insmods
	for module in $(cat insmods); do
		number=$((number + 1))
		cp "$module" "root/$number-${module##*/}"
		echo "/$number-${module##*/}"
	done >root/modules
	(cd root && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >initrd
}

# filesystem TYPE TREE OUT
filesystem() {
	rm -f "$3"
	case $1 in
	erofs) mkfs.erofs -E noinline_data "$3" "$2" ;;
	squashfs) mksquashfs "$2" "$3" -noI -noD -noF -noX -no-progress ;;
	ext4)
		truncate -s 8M "$3"
		mke2fs -q -t ext4 -O ^has_journal -b 4096 -d "$2" "$3"
		tune2fs -O read-only "$3"
		;;
	esac >"$T/mkfs.log" 2>&1
	truncate -s %4096 "$3"
}

# disk PART DATA OUT: makes DATA's hash tree (DATA.tree) and the disk image OUT with both
# (PART: root or usr); sets $roothash. With $as_hash the partitions are named by that root
# hash instead of their own; with $signed there is a signature partition as well, by a key
# that no kernel knows.
disk() {
	local part=$1 data=$2 out=$3 hash type tree_type
	roothash=$(veritysetup format --salt "$(printf 'ab%.0s' {1..32})" \
		--uuid 00000000-0000-4000-8000-000000000001 "$data" "$data.tree" |
		sed -n 's/^Root hash:[[:space:]]*//p')
	hash=${as_hash:-$roothash}
	type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709
	tree_type=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5
	[ "$part" = root ] || {
		type=8484680c-9521-48c6-9c11-b0720656f69e
		tree_type=77ff5f63-e7b6-4633-acf4-1565b864c0e6
	}
	local size tree_size
	size=$(($(stat -c %s "$data") / 512)) tree_size=$(($(stat -c %s "$data.tree") / 512))
	data_at=2048 tree_at=$(((2048 + size + 2047) / 2048 * 2048))
	local signature_at=$(((tree_at + tree_size + 2047) / 2048 * 2048)) line=
	[ -z "${signed:-}" ] || {
		signature "$roothash" >"$data.signature"
		line="start=$signature_at, size=32, type=41092b05-9fc8-4523-994f-2def0408b176"
	}
	rm -f "$out"
	truncate -s $(((signature_at + 4096) * 512)) "$out"
	sfdisk -q "$out" <<-END
		label: gpt
		start=$data_at, size=$size, type=$type, uuid=$(uuid "${hash:0:32}")
		start=$tree_at, size=$tree_size, type=$tree_type, uuid=$(uuid "${hash:32}")
		$line
	END
	[ -z "$line" ] ||
		dd if="$data.signature" of="$out" bs=512 seek=$signature_at conv=notrunc status=none
	dd if="$data" of="$out" bs=512 seek=$data_at conv=notrunc status=none
	dd if="$data.tree" of="$out" bs=512 seek=$tree_at conv=notrunc status=none
}

# signature ROOTHASH : the JSON of a signature partition
signature() {
	printf %s "$1" >"$T/roothash"
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=nobody -keyout "$T/key" \
		-out "$T/cert" 2>/dev/null
	printf '{"rootHash":"%s","certificateFingerprint":"%s","signature":"%s"}' "$1" \
		"$(openssl x509 -in "$T/cert" -outform der | sha256sum | cut -d' ' -f1)" \
		"$(openssl smime -sign -nocerts -noattr -binary -in "$T/roothash" \
			-inkey "$T/key" -signer "$T/cert" -outform der | base64 -w 0)"
}

uuid() {
	echo "${1:0:8}-${1:8:4}-${1:12:4}-${1:16:4}-${1:20}"
}

# offset_of FILE TEXT: where TEXT first is in FILE.
offset_of() {
	LC_ALL=C grep -obaF -- "$2" "$1" | head -n 1 | cut -d: -f1
}

# initrd FS COMMAND-LINE OUT
initrd() {
	"$CAIRN_BUILD/tests/helpers/initrd" "$kernel_tree" "$release" "${drivers:-virtio}" "$1" "$2" "$3"
}

# qemu LIMIT COMMAND-LINE DISK... : boots $T/initrd with the disks; the console is in
# $T/serial. Without no_timer_check, kernels panic on an emulator that waits for the host's
# processors. What kind of disks: $disk_device, behind $controller if that is set; what else
# the machine has: $machine.
qemu() {
	local limit=$1 line=$2 image drives=() n=0
	shift 2
	[ -z "${controller:-}" ] || drives+=(-device "$controller")
	for image; do
		drives+=(-drive "if=none,id=d$n,format=raw,file=$image,snapshot=on${drive_options:-}"
			-device "${disk_device:-virtio-blk-pci},drive=d$n${disk_options:-}")
		n=$((n + 1))
	done
	exec timeout -k 5 "$limit" qemu-system-x86_64 -M q35 -accel "$CAIRN_ACCEL" -smp 1 \
		-cpu "$(qemu_cpu)" -nodefaults -no-user-config -display none -serial stdio \
		-no-reboot -m 512 -kernel "$kernel" -initrd "$T/initrd" -append "$line no_timer_check" \
		${machine:-} "${drives[@]}" </dev/null >"$T/serial" 2>"$T/qemu.err"
}

# boot COMMAND-LINE DISK... : the guest must end by itself.
boot() {
	local status=0
	(qemu "$boot_timeout" "$@") || status=$?
	[ $status -eq 0 ] || {
		tail -n 20 "$T/serial" "$T/qemu.err"
		fail "QEMU ended with $status (124: the guest did not end in $boot_timeout s)"
	}
}

# boot_until REGEX COMMAND-LINE DISK... : ends the guest when the console matches.
boot_until() {
	local wanted=$1 pid
	shift
	(qemu $((2 * boot_timeout)) "$@") &
	pid=$!
	while kill -0 $pid 2>/dev/null && ! grep -Eqa -- "$wanted" "$T/serial" 2>/dev/null; do
		sleep 0.5
	done
	kill $pid 2>/dev/null || true
	wait $pid || true
	says "$wanted"
}

# QEMU 7.2 has a bug in CMPXCHG16B that panics Linux 6.12.
qemu_cpu() {
	case $(qemu-system-x86_64 --version) in
	*'version '[1-7].*) echo max,-cx16 ;;
	*) echo max ;;
	esac
}

# says REGEX: the console has it. silent REGEX: it has not.
says() {
	grep -Eqa -- "$1" "$T/serial" || {
		tail -n 40 "$T/serial"
		fail "the console does not say: $1"
	}
}
silent() {
	! grep -Eqa -- "$1" "$T/serial" || {
		tail -n 40 "$T/serial"
		fail "the console says: $1"
	}
}

# The boot reached the real init, and its checks came to their end.
booted() {
	says 'MARKER up: pid 1, argc 1'
	says 'MARKER end: all was said'
	silent 'cairn: boot stopped'
}

# The boot was stopped with exactly one line, which matches; the real init never ran.
stopped() {
	silent MARKER
	[ "$(grep -ca 'cairn: boot stopped' "$T/serial")" = 1 ] || {
		tail -n 40 "$T/serial"
		fail "not exactly one line says that the boot was stopped"
	}
	says "cairn: boot stopped: .*$1"
}
