# SPDX-License-Identifier: MIT
# The base tree itself, from the firmware's first disk to systemd's multi-user target.
. "$(dirname "$0")/lib.sh"

test_base_tree_reaches_multi_user() {
	filesystem erofs "$base" data && disk root data disk
	initrd erofs "roothash=$roothash cairn.overlay=volatile" initrd
	boot_until 'Reached target .*multi-user' \
		"roothash=$roothash cairn.overlay=volatile console=ttyS0 panic=-1 systemd.show_status=yes" \
		disk
	says 'cairn: root of /dev/vda \(erofs, .*\) is verified block by block; running /sbin/init'
	silent 'cairn: boot stopped|Kernel panic|Failed to start'
}

run_tests "$@"
