# SPDX-License-Identifier: MIT
# What `cairn examine` must notice, each attack beside the same examination without it; and what
# it leaves behind when it is killed itself: nothing.
. "$(dirname "$0")/examine_image.sh"

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

# It opens all loop devices, which an examination beside a process of test_moved_offset would
# take for a part of that attack: both tests are in one file, so that they do not meet.
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
