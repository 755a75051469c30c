# SPDX-License-Identifier: MIT
# The base tree itself, built by cairn build, booted by cairn boot through firmware and
# systemd-boot to systemd's multi-user target; and the same image with one byte flipped.
. "$(dirname "$0")/lib.sh"

test_base_tree_reaches_multi_user() {
	local words='cairn.state=volatile cairn.extensions=yes console=ttyS0 panic=-1'
	expect 0 "$cairn" build "$base" -o os.raw --overlay etc --drivers virtio --quiet \
		--cmdline "$words no_timer_check systemd.show_status=yes"
	local before
	before=$(stat -c '%Y %Z %s' os.raw)
	expect 0 "$cairn" boot os.raw --uefi --accel tcg --timeout "$boot_timeout" \
		--expect 'Reached target .*multi-user'
	cp out serial
	says 'cairn: root of /dev/vda \(erofs, .*\) is verified block by block; running /sbin/init'
	silent 'cairn: boot stopped|Kernel panic|Failed to start'
	[ "$(stat -c '%Y %Z %s' os.raw)" = "$before" ] || fail "the image was written to"
	ls -l os.initrd os.efi

	# The first block of the root partition holds the file system's superblock.
	local start
	start=$(sfdisk -l -o start,type os.raw | awk '/Linux root \(x86-64\)$/ { print $1 }')
	flip os.raw $((start * 512 + 1024))
	expect 1 "$cairn" boot os.raw --accel tcg --timeout "$boot_timeout" \
		--expect 'Reached target .*multi-user'
	cp out serial
	says 'cairn: boot stopped: /dev/vda: does not verify against the root hash'
	silent 'running /sbin/init|Reached target'
}

run_tests "$@"
