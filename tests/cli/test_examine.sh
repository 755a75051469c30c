# SPDX-License-Identifier: MIT
# `cairn examine`: what it shows, of what, and that it changes nothing.
. "$(dirname "$0")/examine_image.sh"

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

# What a server answers for is said to be so, and what cannot be known there not claimed.
test_network_file_systems() {
	local nfs=0x6969 cifs=0xff534d42 type eagain=11 einval=22
	gcc -shared -fPIC -D_GNU_SOURCE -o remote.so "$CAIRN_TOP/tests/preload/remote_file.c" -ldl
	image
	seems() {
		local type=$1 lease=$2 status=$3
		shift 3
		expect "$status" env LD_PRELOAD="$PWD/remote.so" REMOTE_FILE=image.raw REMOTE_TYPE="$type" \
			${lease:+REMOTE_LEASE=$lease} "$cairn" examine --json image.raw -- "$@"
	}
	expect 0 "$cairn" examine --json image.raw -- true
	report '"lease" in good and "that server" not in texts' out
	for type in $nfs $cifs; do
		# Without a promise of the server there is no lease, whoever writes: that is no writer.
		seems $type $eagain 0 true
		report '"promised none" in texts and not {"lease"} & (good | faults)' out
		report '{"attributes", "atime", "attached", "lease"} <= {c["check"] for c in d["uncovered"]}' out
		report "d['files'][0]['backing'] == '$([ $type = $nfs ] && echo nfs || echo cifs)'" out
		seems $type $einval 0 true
		report '"(Invalid argument)" in texts' out
		seems $type '' 0 true
		report '"as far as is known here: the lease held" in texts' out
	done
	# Its own reading may set the access time there: nobody is blamed for it.
	touch image.raw
	seems $nfs $eagain 0 cat "$PWD/image.raw"
	report '"the access time changed: its server set it" in texts and "somebody else" not in texts' out
	# A writer here is found without a lease; elsewhere its refusal says that there is one.
	seems 0xef53 $eagain 6 true
	grep -q 'can be written to by a process that was not found; nothing was mounted' out
	exec 3<>image.raw
	seems $nfs $eagain 6 true
	exec 3>&-
	grep -Eq 'can be written to by process [0-9]+ .*nothing was mounted' out
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

run_tests "$@"
