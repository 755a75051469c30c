# SPDX-License-Identifier: MIT
# `cairn examine`: what it must not change, and what it must notice. Each attack stands
# beside the same examination without it.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin

[ "$(id -u)" = 0 ] || {
	echo "ok - examine # SKIP needs root"
	exit 0
}

# image [SIZE]: image.raw, an ext4 with /etc/file and /etc/big (1 MiB of text)
image() {
	mkdir -p tree/etc
	echo genuine >tree/etc/file
	yes genuine | head -c 1M >tree/etc/big
	truncate -s "${1:-24M}" image.raw
	mke2fs -q -F -t ext4 -d tree image.raw
}

# What only the examination of a file may not change.
state() {
	# Where it lies, and in how many blocks, is settled then.
	sync "${1:-image.raw}"
	# In this order: it is not this reading that sets the access time.
	openssl dgst -sha256 -r "${1:-image.raw}"
	stat -c '%i %s %b %f %u %g %h %x %y %z' "${1:-image.raw}"
}

# A line of Python about the report: `d` is the document, `checks` its faults by name.
report() {
	python3 - "${2:-report/report.json}" <<-P
		import json, sys
		d = json.load(open(sys.argv[1]))
		faults = {c["check"] for c in d["checks"] if c["status"]}
		good = {c["check"] for c in d["checks"] if not c["status"]}
		texts = " ".join(c["text"] for c in d["checks"] + d["notes"] + d["uncovered"])
		assert $1, (sorted(faults), d)
	P
}

list_loops='
import fcntl, glob, sys
for loop in glob.glob("/sys/block/loop*/loop"):
    info = bytearray(232)
    try:
        fcntl.ioctl(open("/dev/" + loop.split("/")[3]), 0x4c05, info)
    except OSError:
        pass
    if info[56:120].rstrip(b"\0").decode() == sys.argv[1]:
        sys.exit(loop)
'

# No loop device over the image, and no process of the examination. Others examine images on
# this machine as well: ours is known by its name, which the devices bear.
nothing_left() {
	python3 -c "$list_loops" "$1" || fail 'left behind'
	! pgrep -f "examine.*$1" || fail 'still running'
}

# examined STATUS ATTACK [OPTION...]: ATTACK runs as the command, in the mount, with $1 the
# image, $2 the loop device and $3 this directory.
examined() {
	local status=$1 attack=$2
	shift 2
	rm -rf report
	expect "$status" "$cairn" examine --report report "$@" "$T/image.raw" -- bash -ec \
		"set -- '$T/image.raw' \$(awk '\$2 == \"/mnt\" { print \$1 }' /proc/mounts) '$T'
		$attack"
}

# The views that are tested: a copy in memory, and the verifying file.
views=('--seal-limit 256' '--seal-limit 0')

test_clean_image() {
	local view before
	image
	before=$(state)
	for view in "${views[@]}"; do
		examined 0 'cat etc/file; ls -A >"$3/list"' $view
		[ "$(cat out)" = genuine ]
		grep -qx etc list
		[ "$(state)" = "$before" ]
		report 'd["status"] == 0 and not faults and d["command"]["status"] == 0'
		report '{"self-check", "mount", "served", "traces", "loop", "counters", "detached", "hash", "attributes", "atime", "path", "attached", "lease"} <= good'
		report 'd["files"][0]["digestsBefore"] == d["files"][0]["digestsAfter"]'
		report "d['files'][0]['digestsBefore']['sha256'] == '$(sha256sum <image.raw | cut -d' ' -f1)'"
	done
	report 'd["files"][0]["verifiedBytes"] > 0'
	grep -q '^good .*0 failed' report/report.txt
}

# The digests are those that other tools compute.
test_digests_of_other_tools() {
	image 21M
	examined 0 true --interop --piece-size 8
	report "d['files'][0]['digestsAfter']['md5'] == '$(md5sum <image.raw | cut -d' ' -f1)'"
	report "d['files'][0]['digestsAfter']['sha1'] == '$(sha1sum <image.raw | cut -d' ' -f1)'"
	report "d['files'][0]['digestsAfter']['pieces'][2] == {'first': 16777216, 'last': 22020095, 'sha256': '$(tail -c 5M image.raw | sha256sum | cut -d' ' -f1)'}"
	veritysetup format --salt - image.raw image.tree >verity
	report "d['files'][0]['merkleRoot'] == '$(awk '/Root hash/ { print $NF }' verity)'"
}

test_all_file_systems() {
	local fs before view
	mkdir tree
	cp "$cairn" tree/file
	truncate -s 24M ext2.raw ext3.raw
	mke2fs -q -F -t ext2 -d tree ext2.raw
	mke2fs -q -F -t ext3 -d tree ext3.raw
	truncate -s 300M xfs.raw
	mkfs.xfs -q xfs.raw
	truncate -s 128M btrfs.raw
	mkfs.btrfs -q -r tree btrfs.raw >/dev/null
	mksquashfs tree squashfs.raw -quiet >/dev/null
	mkfs.erofs erofs.raw tree >/dev/null 2>&1
	for fs in ext2 ext3 xfs btrfs squashfs erofs; do
		before=$(state $fs.raw)
		for view in "${views[@]}"; do
			[ "$fs" != xfs ] || view='--seal-limit 0'
			expect 0 "$cairn" examine --json $view $fs.raw -- cmp file "$T/tree/file"
			report "d['fileSystem'] == '$fs' and d['mountOptions'].startswith('ro')" out
			[ $fs = xfs ] || report 'd["command"]["status"] == 0' out
			[ "$(state $fs.raw)" = "$before" ] || fail "$fs $view"
			[ $fs != xfs ] || break
		done
	done
}

test_twenty_times_without_an_attack() {
	local view i before
	image
	before=$(state)
	for view in "${views[@]}"; do
		for ((i = 0; i < 10; i++)); do
			expect 0 "$cairn" examine --quiet $view image.raw -- cat etc/big
			cmp -s out tree/etc/big
		done
	done
	[ "$(state)" = "$before" ]
}

# What was written to the image a moment ago may get other room when it is put on the disk:
# no time stamp changes then, and it is no attack.
test_image_that_is_not_on_disk_yet() {
	image
	python3 -c '
f = open("image.raw", "r+b")
for i in range(500):
    f.seek((24 << 20) + (i << 18))
    f.write(b"x")
'
	expect 0 "$cairn" examine --quiet --report report image.raw -- sync "$PWD/image.raw"
	report '(d["files"][0]["before"]["blocks"] != d["files"][0]["after"]["blocks"]) == ("has other room" in texts)'
}

test_write_by_another_path() {
	local view
	for view in "${views[@]}"; do
		image
		examined 0 true $view
		examined 6 'printf forged | dd of="$1" bs=1 seek=9000000 conv=notrunc status=none' $view
		report '{"lease", "hash", "attributes"} <= faults'
		report '[c for c in d["checks"] if c["check"] == "hash"][0]["block"] == 9000000 // 4096'
	done
}

# Everything that can be put back is put back before the end.
test_write_that_is_undone() {
	local view
	for view in "${views[@]}"; do
		image
		touch -r image.raw times
		examined 6 'cp -p --sparse=never "$1" "$3/saved"
			printf forged | dd of="$1" bs=1 seek=9000000 conv=notrunc status=none
			dd if="$3/saved" of="$1" bs=1 skip=9000000 seek=9000000 count=6 conv=notrunc status=none
			touch -r "$3/times" "$1"' $view
		cmp image.raw saved
		report '{"lease", "attributes"} <= faults and "hash" in good'
	done
}

test_write_through_a_mapping() {
	image
	examined 6 'python3 -c "
import mmap, sys
f = open(sys.argv[1], \"r+b\")
m = mmap.mmap(f.fileno(), 0)
m[9000000:9000006] = b\"forged\"
m.flush()" "$1"'
	report '{"lease", "hash", "attributes"} <= faults'
}

# What changes the settings of loop device $2 from within the command. It lives on for a
# moment, so that other examinations on this machine can see that theirs is not meant.
ioctls='
import atexit, fcntl, os, struct, sys, time
atexit.register(time.sleep, 0.3)
loop = os.open(sys.argv[1], os.O_RDONLY)
def get():
	b = bytearray(232)
	fcntl.ioctl(loop, 0x4c05, b)
	return b
def set_offset(offset):
	b = get()
	struct.pack_into("<Q", b, 24, offset)
	fcntl.ioctl(loop, 0x4c04, bytes(b))
'

test_exchanged_file_below() {
	local view
	echo "$ioctls" >ioctls.py
	for view in "${views[@]}"; do
		image
		sed s/genuine/FORGERY/g image.raw >forged
		examined 0 'cat etc/file' $view
		examined 6 'PYTHONPATH=$3 python3 -c "
from ioctls import *
fcntl.ioctl(loop, 0x4c06, os.open(sys.argv[2], os.O_RDONLY))" "$2" "$3/forged"
			cat etc/file' $view
		report '"loop" in faults and "another file was put below" in texts and "disk sequence" in texts'
	done
}

# Sets the settings of a device to what they are, and is gone.
at_once="python3 -c 'import fcntl, os, sys
fd, info = os.open(sys.argv[1], os.O_RDONLY), bytearray(232)
fcntl.ioctl(fd, 0x4c05, info)
fcntl.ioctl(fd, 0x4c04, bytes(info))
os._exit(0)'"

test_moved_offset() {
	local view
	[ -e /sys/kernel/tracing ] || skip 'a kernel without tracefs'
	echo "$ioctls" >ioctls.py
	for view in "${views[@]}"; do
		image
		examined 6 'PYTHONPATH=$3 python3 -c "
from ioctls import *
set_offset(4096)" "$2"' $view
		report '"loop" in faults and "its offset was set to 4096" in texts'
	done
	# And back again at once: the kernel's tracepoints tell who it was.
	image
	examined 6 'PYTHONPATH=$3 python3 -c "
from ioctls import *
set_offset(4096)
set_offset(0)" "$2"'
	report '"settings" in faults and "(python3)" in texts'
	# Of another device it is nobody's business.
	truncate -s 1M other
	other=$(losetup -r -f --show other)
	trap 'losetup -d $other' EXIT
	examined 0 "PYTHONPATH=\$3 python3 -c '
from ioctls import *
set_offset(4096)' $other"
	report '"traces" in good'
	# Also of processes that are gone before they can be asked which device they meant.
	examined 0 "for i in {1..10}; do $at_once $other; done"
	report '"settings" not in faults'
	image
	examined 6 "for i in {1..10}; do $at_once \"\$2\"; done"
	report '"settings" in faults'
}

# A device that udev still looks at is not gone when losetup -d returns.
detach() {
	losetup -d "$1"
	for ((i = 0; i < 200; i++)); do
		[ -n "$(losetup -j image.raw)" ] || return 0
		sleep 0.05
	done
	fail "$1 stays"
}

test_second_loop_devices() {
	image
	examined 6 'losetup -f --show "$1" >"$3/second"'
	detach "$(cat second)"
	report '{"lease", "attached"} <= faults and "writable" in texts'
	# One that only reads is no harm.
	examined 0 'losetup -r -f --show "$1" >"$3/second"'
	examined 0 true
	detach "$(cat second)"
	report '"attached read-only by others as well" in texts'
	examined 0 true
	report '"attached read-only" not in texts'
}

# Nothing is mounted, nothing run.
refused_at_once() {
	rm -f ran
	refused 6 "$1" "$cairn" examine --quiet image.raw -- touch "$T/ran"
	[ ! -e ran ]
}

test_writers_before_the_start() {
	image
	local loop writer
	exec 9<>image.raw
	refused_at_once 'can be written to by .*process [0-9]+ \(bash\)'
	exec 9>&-
	expect 0 "$cairn" examine --quiet image.raw -- true
	loop=$(losetup -f --show image.raw)
	refused_at_once 'can be written to by loop[0-9]+ \(writable\)'
	detach "$loop"
	# A mapping whose descriptor is closed.
	python3 -c '
import ctypes, os, time
fd = os.open("image.raw", os.O_RDWR)
ctypes.CDLL(None).mmap(None, 4096, 3, 1, fd, 0)
os.close(fd)
open("ready", "w")
time.sleep(60)' &
	writer=$!
	while [ ! -e ready ]; do sleep 0.05; done
	refused_at_once 'can be written to by .*process [0-9]+ \(python3.*mapped\)'
	kill $writer
	wait $writer || true
	expect 0 "$cairn" examine --quiet image.raw -- true
}

test_swapped_path() {
	image
	cp image.raw other
	examined 6 'mv "$3/other" "$1"'
	report '"path" in faults and "hash" in good'
}

# Below the file system that the image lies on: times and leases say nothing, the tree does.
test_write_to_the_disk_below() {
	local at
	truncate -s 80M disk
	mke2fs -q -F -t ext4 disk
	mkdir host
	loop=$(losetup -f --show disk)
	trap 'umount host || true; losetup -d $loop' EXIT
	mount "$loop" host
	image 40M
	cp --sparse=never image.raw host/image.raw
	sync -f host
	at=$(grep -abo -m1 "$(yes genuine | head -c 4000)" disk | head -n1 | cut -d: -f1 || true)
	[ -n "$at" ] || at=$(python3 -c 'print(open("disk", "rb").read().find(b"genuine\n" * 512))')
	rm -f go
	expect 6 "$cairn" examine --report report --seal-limit 0 host/image.raw -- bash -c "
		printf forged | dd of=$loop bs=1 seek=$((at + 65536)) oflag=seek_bytes conv=notrunc,fsync status=none
		dd if=$T/host/image.raw iflag=nocache count=0 status=none
		echo 1 >/proc/sys/vm/drop_caches
		cat etc/big >/dev/null"
	report '"served" in faults and d["command"]["status"] == 1'
	expect 0 "$cairn" examine --quiet --seal-limit 0 host/image.raw -- true
}

test_command() {
	image
	examined 0 'exit 7'
	report 'd["command"]["ran"] and d["command"]["status"] == 7'
	examined 0 'kill -9 $$'
	report 'd["command"]["status"] == 137'
	# What it leaves running ends with it; it sees no process but its own.
	examined 0 'sleep 1000 & echo $$; ls -d /proc/[0-9]* | wc -l; touch etc/new && exit 9; mount -o remount,rw /mnt && exit 9; exit 0'
	[ "$(sed -n 1p out)" = 2 ]
	! pgrep -f 'sleep 1000$' || fail 'still running'
	grep -q 'Read-only file system' err
	refused 1 'cannot start the command: No such file' "$cairn" examine --quiet image.raw -- ./no-such-program
	! grep -q ' /mnt ' /proc/self/mounts || fail 'the mount is seen from outside'
}

test_mount_flags() {
	image
	examined 0 'grep " /mnt " /proc/mounts'
	grep -q 'ro,nosuid,nodev,noexec' out
	examined 0 'grep " /mnt " /proc/mounts' --exec --suid --dev
	! grep -qE 'nosuid|nodev|noexec' out
	mkdir here
	expect 0 "$cairn" examine --quiet --dir here image.raw -- bash -c 'echo "$PWD $CAIRN_EXAMINE"'
	[ "$(cat out)" = "$T/here here" ]
}

test_partitions() {
	image 8M
	cp image.raw first
	truncate -s 32M disk
	sfdisk -q disk <<-'S'
		label: gpt
		start=2048, size=8192
		start=16384, size=16384
	S
	dd if=first of=disk bs=1M seek=8 conv=notrunc status=none
	expect 0 "$cairn" examine --quiet --partition 2 disk -- cat etc/file
	[ "$(cat out)" = genuine ]
	expect 0 "$cairn" examine --json disk -- true
	report 'd["partition"] == 2 and d["files"][0]["offset"] == 8 << 20' out
	refused 5 'has no partition 3, only 1 \(unknown\), 2 \(ext4\)' "$cairn" examine --quiet --partition 3 disk -- true
	dd if=first of=disk bs=1M seek=1 count=4 conv=notrunc status=none
	refused 2 'say with --partition which one is meant: 1 \(ext4\), 2 \(ext4\)' "$cairn" examine --quiet disk -- true
}

# Ours, with a GPT of sectors of 4096 bytes: the root is the only file system it can mount.
test_images_of_our_own() {
	"$CAIRN_TOP/tests/make-image" "$T" erofs 4096 >/dev/null 2>&1
	expect 0 "$cairn" examine --json image.raw -- ls
	report 'd["fileSystem"] == "erofs" and d["command"]["status"] == 0 and d["partition"]' out
	expect 0 "$cairn" verify --no-signature image.raw
}

test_what_is_not_examined() {
	image
	refused 1 'no-such: image: cannot open' "$cairn" examine --quiet no-such -- true
	mkfifo fifo
	refused 5 'fifo: image: is a FIFO' "$cairn" examine --quiet fifo -- true
	local loop
	loop=$(losetup -r -f --show image.raw)
	refused 5 'is a device node; examine looks at files' "$cairn" examine --quiet "$loop" -- true
	losetup -d "$loop"
	truncate -s 4M fat
	mkfs.vfat fat >/dev/null
	refused 5 'not examined: vfat is not a file system that can be mounted safely' \
		"$cairn" examine --quiet fat -- true
	# The report of such a one has its hash all the same.
	expect 5 "$cairn" examine --json fat -- true
	report "d['fileSystem'] == 'vfat' and d['files'][0]['digestsAfter']['sha256'] == '$(sha256sum <fat | cut -d' ' -f1)'" out
	head -c 1M /dev/zero >zeros
	refused 5 'not examined: nothing that is known is in it' "$cairn" examine --quiet zeros -- true
	: >empty
	refused 5 'empty: image: ' "$cairn" examine --quiet empty -- true
	refused 2 'a COMMAND comes after --' "$cairn" examine image.raw true
	refused 2 'is no directory' "$cairn" examine --dir no-such image.raw -- true
	chmod 0 image.raw
	refused 1 'image.raw: image: cannot open: Permission denied' setpriv --bounding-set=-dac_override,-dac_read_search \
		--inh-caps=-dac_override,-dac_read_search "$cairn" examine --quiet image.raw -- true
	refused 1 'examine needs CAP_SYS_ADMIN' setpriv --bounding-set=-sys_admin "$cairn" examine --quiet image.raw -- true
	expect 0 "$cairn" examine --quiet image.raw -- true
	refused 1 'this kernel has no driver for ext4' strace -qqf -o trace -e trace=fsopen -e inject=fsopen:error=ENODEV:when=2+ \
		"$cairn" examine --quiet --seal image.raw -- true
	# Without tracepoints it goes on, and says so.
	expect 0 strace -qqf -o trace -e trace=perf_event_open -e inject=perf_event_open:error=EACCES \
		"$cairn" examine --json image.raw -- true
	report '"traces" not in good and "tracepoints cannot be listened to" in texts' out
	mkdir report
	: >report/report.txt
	refused 2 'there is a report already' "$cairn" examine --quiet --report report image.raw -- true
}

test_without_the_first_hash() {
	image
	examined 0 'cat etc/big >/dev/null' --no-hash-before
	report 'd["files"][0]["digestsBefore"] is None and d["files"][0]["digestsAfter"]["sha256"]'
	report '"was not hashed before, as asked" in texts'
	examined 6 'cat etc/big >/dev/null; printf forged | dd of="$1" bs=1 seek=9000000 conv=notrunc status=none' --no-hash-before
	report '{"lease", "attributes"} <= faults'
}

# dirty FS: image.raw as a pulled plug leaves it, from the builder of the matrix
dirty() {
	"$CAIRN_TOP/tests/evidence/make-images" . "$1" >/dev/null
	mv "$1.raw" image.raw
}

test_replayed_copy() {
	local before
	dirty xfs-dirty
	before=$(state)
	# What was only in the log is in the replayed copy alone.
	examined 0 'ls original | wc -l; ls replayed/new3 replayed/copied/text; touch replayed/x && exit 9; exit 0' --replay-copy
	[ "$(sed -n 1p out)" -lt 10 ]
	grep -q replayed/new3 out
	report 'd["replayWritten"] > 0 and d["replayOptions"].startswith("ro")'
	[ "$(state)" = "$before" ]
	dirty ext4-external-dirty
	mv ext4-external-dirty.raw.journal journal
	before=$(state; state journal)
	examined 0 'ls original >/dev/null; ls replayed/new30' --replay-copy --journal "$T/journal"
	report '[f["role"] for f in d["files"]] == ["image", "journal"]'
	report "d['files'][1]['digestsAfter']['sha256'] == '$(sha256sum <journal | cut -d' ' -f1)'"
	[ "$(state; state journal)" = "$before" ]
	examined 6 'echo forged >>"$3/journal"' --journal "$T/journal"
	report '{"lease", "attributes", "hash"} <= faults'
}

# What the image lies on itself.
test_backing_file_systems() {
	local loop image
	image
	mkdir mnt
	truncate -s 128M btrfs
	mkfs.btrfs -q btrfs >/dev/null
	loop=$(losetup -f --show btrfs)
	mount "$loop" mnt
	trap 'umount mnt' EXIT
	losetup -d "$loop"
	cp image.raw mnt/
	expect 0 "$cairn" examine --json --seal-limit 0 mnt/image.raw -- cat etc/file
	report 'd["files"][0]["backing"] == "btrfs" and "lease" in good' out
	loop=$(losetup -f --show mnt/image.raw)
	refused 6 'can be written to by loop' "$cairn" examine --quiet mnt/image.raw -- true
	losetup -d "$loop"
	expect 6 "$cairn" examine --quiet mnt/image.raw -- bash -c "echo forged >>$T/mnt/image.raw"
	umount mnt
	"$CAIRN_BUILD/mkfs.blobfs" --quiet fuse image.raw
	"$CAIRN_BUILD/mount.blobfs" fuse mnt
	image=$(find mnt -type f)
	for view in "${views[@]}"; do
		expect 0 "$cairn" examine --json $view "$image" -- cmp etc/big "$T/tree/etc/big"
		report 'd["command"]["status"] == 0 and "lies on fuse" in texts' out
	done
}

test_sizes_that_are_not_whole_sectors() {
	image
	printf tail >>image.raw
	examined 0 'cat etc/file'
	report '"less than a sector" in texts'
	# The second pass is about a file that is larger, if it has grown.
	examined 6 'echo more >>"$1"'
	report '{"hash", "attributes"} <= faults and d["files"][0]["digestsAfter"]["bytes"] == 24 * 1048576 + 9'
}

# Where the usual way fails there may be another safe one.
test_last_resorts() {
	dirty ext4-superblock
	examined 0 'cat etc/file1'
	[ "$(cat out)" = 'file 1' ]
	report '"sb=8193" in d["mountOptions"]'
	examined 5 'cat original/etc/file1; ls -A replayed' --replay-copy
	[ "$(cat out)" = 'file 1' ]
	report '"replay" in faults and d["replayOptions"] is None'
	dirty btrfs-damaged
	examined 0 'cat etc/file1'
	report 'd["mountOptions"] == "ro,rescue=all"'
	dirty xfs-damaged
	refused 5 'the kernel refuses to mount it as xfs' "$cairn" examine --quiet image.raw -- true
}

# Killed at any point it leaves nothing, nor does the interrupt of a terminal.
test_killed_at_any_point() {
	local i pid status view before name
	image
	name=$(basename "$T").raw
	mv image.raw "$name"
	before=$(state "$name")
	RANDOM=$$
	echo "seed $$" # for a run that fails
	for i in 0 1 2 3 4 5 6 7 8 9; do
		"$cairn" examine --quiet ${views[$((i % 2))]} "$name" -- sleep 100 2>/dev/null &
		pid=$!
		sleep "$(printf 0.%03d $((RANDOM % 200)))"
		kill -KILL $pid
		wait $pid 2>/dev/null || true
	done
	# What the kernel does by itself takes its moment.
	for ((i = 0; i < 600; i++)); do
		(nothing_left "$name") >/dev/null 2>&1 && break
		sleep 0.05
	done
	nothing_left "$name"
	"$cairn" examine --report report "$name" -- sleep 100 2>/dev/null &
	pid=$!
	for ((i = 0; i < 600; i++)); do
		pgrep -P $pid -x cairn-confine >/dev/null && break
		sleep 0.05
	done
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	[ $status = 143 ]
	report '"interrupted" in texts'
	nothing_left "$name"
	[ "$(state "$name")" = "$before" ]
}

run_tests "$@"
