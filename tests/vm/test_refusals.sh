# SPDX-License-Identifier: MIT
# Boots that must stop, each with its one line and without the real init. The untouched
# image boots in the same run, first.
. "$(dirname "$0")/lib.sh"

console='console=ttyS0 panic=-1 quiet'
wait='cairn.wait=8 cairn.timeout=100'

# Everything the tests below start from, made once.
shared=$(mktemp -d "${TMPDIR:-/tmp}/cairn-vm.XXXXXX")
trap 'rm -rf "$shared"' EXIT
prepare() {
	T=$shared
	cd "$shared" || exit 1
	tree tree && filesystem erofs tree data && disk root data disk
	initrd erofs "roothash=$roothash $wait" initrd
	echo "$roothash $tree_at" >facts
}
(set -e; prepare) # not in a condition, which would switch errexit off inside
[ $? = 0 ] || { echo "not ok - cannot make the test image"; exit 1; }

start() {
	read -r roothash tree_at <"$shared/facts"
	cp "$shared/initrd" .
	cp --reflink=auto "$shared/disk" .
	line="roothash=$roothash $wait $console"
}

test_a_untouched_boots() {
	start
	boot "$line" disk
	booted
}

# The block that holds the real init itself: nothing of it may run.
test_flipped_data_byte() {
	start
	flip disk $((2048 * 512 + $(offset_of "$shared/data" 'MARKER %s: %s')))
	boot "$line" disk
	silent MARKER
	says 'verity: .* data block [0-9]+ is corrupted'
	says 'Kernel panic - not syncing: dm-verity device corrupted'
}

test_flipped_data_byte_restarts() {
	start
	flip disk $((2048 * 512 + $(offset_of "$shared/data" 'MARKER %s: %s')))
	initrd erofs "roothash=$roothash cairn.verity=restart" initrd
	boot "roothash=$roothash cairn.verity=restart $console" disk
	silent MARKER
	says 'verity: .* data block [0-9]+ is corrupted'
	says "Restarting system with command 'dm-verity device corrupted'"
}

test_flipped_tree_byte() {
	start
	flip disk $(((tree_at + 8) * 512 + 99))
	boot "$line" disk
	stopped '/dev/vda: does not verify against the root hash'
}

test_flipped_superblock() {
	start
	flip disk $((tree_at * 512 + 32))
	boot "$line" disk
	stopped 'vda2: verity superblock: algorithm is not sha256'
}

# The partitions are named by a root hash that is not theirs; the failure is a reboot.
test_wrong_root_hash() {
	start
	local other=${roothash:0:60}0000
	as_hash=$other disk root "$shared/data" disk
	initrd erofs "roothash=$other cairn.on-failure=reboot" initrd
	boot "roothash=$other cairn.on-failure=reboot $console" disk
	stopped 'does not verify against the root hash'
	says 'reboot: Restarting system'
}

# The hash partition is gone; the failure is a panic.
test_missing_partition() {
	start
	sfdisk -q --delete disk 2
	initrd erofs "roothash=$roothash cairn.on-failure=panic cairn.wait=3" initrd
	boot "roothash=$roothash cairn.on-failure=panic cairn.wait=3 $console" disk
	stopped "no disk has the partitions .* after 3 s; looked at: vda"
	says 'Kernel panic'
}

# A disk that takes minutes to answer: the init hangs in the kernel, and is ended all the same.
test_disk_that_hangs() {
	start
	initrd erofs "roothash=$roothash cairn.wait=5 cairn.timeout=8" initrd
	drive_options=,throttling.iops-total=1 \
		boot "roothash=$roothash cairn.wait=5 cairn.timeout=8 $console" disk
	stopped 'time-out: no real init after 8 s'
}

test_command_lines() {
	start
	boot "$line roothash=$roothash" disk
	stopped 'command line: more than one roothash= or usrhash='
	boot "$line cairn.debug=shell" disk
	stopped 'command line: cairn.debug=shell is not in this image.s policy'
	boot "$line init=/bin/sh" disk
	stopped 'command line: init=/bin/sh is not built in'
}

run_tests "$@"
