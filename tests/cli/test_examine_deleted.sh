# SPDX-License-Identifier: MIT
# Deleted files in the file list of `cairn examine`: of ext2, 3 and 4, and of nothing else.
. "$(dirname "$0")/examine_image.sh"

# image TYPE [OPTION...]: image.raw with files that are there to be deleted
image() {
	mkdir -p tree/etc tree/sub/deep
	echo genuine >tree/etc/file
	head -c 5000 /dev/zero >tree/etc/gone
	echo killed >tree/etc/killed
	echo x >tree/sub/deep/gone
	echo y >tree/sub/deep/stays
	chown 7:70000 tree/etc/gone
	rm -f image.raw
	truncate -s 8M image.raw
	mke2fs -q -F -b 1024 -t "$1" "${@:2}" -d tree image.raw 2>/dev/null
}

# delete PATH...: as e2fsprogs does it, which leaves names in directories
delete() {
	local path
	for path; do
		E2FSPROGS_FAKE_TIME=1600000000 debugfs -w -R "rm $path" image.raw >/dev/null 2>&1
	done
}

inode_of() {
	debugfs -R "stat $1" image.raw 2>/dev/null | sed -n 's/^Inode: \([0-9]*\) .*/\1/p'
}

# A line of Python about report.dfxml: `live` and `gone` are file objects by their inodes.
dfxml() {
	python3 -c "import sys, xml.etree.ElementTree as T
N = '{http://www.forensicswiki.org/wiki/Category:Digital_Forensics_XML}'
d = T.parse('report/report.dfxml').getroot()
v = d.find(N + 'volume')
files = [{c.tag.replace(N, ''): c.text for c in f} for f in v.iter(N + 'fileobject')]
live = {int(f['inode']): f for f in files if f['alloc'] == '1'}
gone = {int(f['inode']): f for f in files if f['alloc'] == '0'}
order = [c.tag.replace(N, '') for f in v.iter(N + 'fileobject') for c in f if f.find(N + 'alloc').text == '0']
only = v.find(N + 'allocated_only').text
assert $1, (files, only)"
}

# uncovered TEXT: the report says this of deleted files
uncovered() {
	grep -q "^uncovered .*$1" report/report.txt || {
		cat report/report.txt
		return 1
	}
}

examine() {
	rm -rf report
	expect 0 "$cairn" examine --quiet --report report --files "${1:-image.raw}" -- true
}

check_listing() {
	local gone deep killed etc
	image "$@"
	gone=$(inode_of /etc/gone) deep=$(inode_of /sub/deep/gone) killed=$(inode_of /etc/killed)
	etc=$(inode_of /etc/file)
	examine
	dfxml "not gone and $gone in live and $deep in live and only == '0'"
	grep -q '^ok .* 0 inodes of deleted files' report/report.txt
	delete /etc/gone /sub/deep/gone
	E2FSPROGS_FAKE_TIME=1600000000 debugfs -w -R "kill_file <$killed>" image.raw 2>/dev/null
	debugfs -w -R "unlink /etc/killed" image.raw 2>/dev/null
	examine
	dfxml "sorted(gone) == sorted([$gone, $deep, $killed])"
	dfxml "gone[$gone]['filename'] == 'etc/gone' and gone[$deep]['filename'] == 'sub/deep/gone'"
	dfxml "gone[$gone]['filesize'] == '5000' and gone[$deep]['filesize'] == '2'"
	dfxml "gone[$gone]['uid'] == '7' and gone[$gone]['gid'] == '70000' and gone[$gone]['mode'] == '420'"
	dfxml "all(f['dtime'] == '2020-09-13T12:26:40.000000000Z' for f in gone.values())"
	dfxml "all(f['name_type'] == 'r' and 'hashdigest' not in f for f in gone.values())"
	dfxml "live[$etc]['filename'] == 'etc/file' and not any('dtime' in f for f in live.values())"
	dfxml "order[:4] == ['filename', 'name_type', 'filesize', 'alloc'] and order.count('dtime') == 3"
	uncovered 'used again or wiped'
}

test_deleted_ext4() {
	check_listing ext4
	dfxml "order[order.index('dtime') - 1] == 'crtime'"
}

test_deleted_ext3() {
	check_listing ext3
}

# Inodes without the newer times, and a partition that does not begin where the file does.
test_deleted_ext2_in_partition() {
	check_listing ext2 -I 128
	local n
	n=$(grep -c '<alloc>0' report/report.dfxml)
	truncate -s 12M disk
	echo 'start=1MiB, size=8MiB' | sfdisk -q -X gpt disk
	dd if=image.raw of=disk bs=1M seek=1 conv=notrunc status=none
	examine disk
	[ "$(grep -c '<alloc>0' report/report.dfxml)" = "$n" ]
}

# The kernel wipes the name as well: an inode without one is in the list.
test_deleted_by_kernel() {
	local gone
	image ext4
	gone=$(inode_of /sub/deep/gone)
	mkdir mnt
	mount -o loop image.raw mnt
	trap 'umount mnt' EXIT
	rm mnt/sub/deep/gone
	umount mnt
	trap - EXIT
	# A copy: the loop device may linger.
	cp image.raw copy.raw
	examine copy.raw
	dfxml "list(gone) == [$gone] and 'dtime' in gone[$gone] and gone[$gone]['nlink'] == '0'"
}

# An inode that is used again is its new file's.
test_reused_inode() {
	local gone
	image ext4
	gone=$(inode_of /etc/gone)
	delete /etc/gone
	debugfs -w -R 'write tree/etc/file etc/new' image.raw >/dev/null 2>&1
	[ "$(inode_of /etc/new)" = "$gone" ]
	examine
	dfxml "not gone and live[$gone]['filename'] == 'etc/new'"
}

# One directory that cannot be read hides no names of others.
test_damaged_directory() {
	local gone deep block
	image ext4 -O ^metadata_csum
	gone=$(inode_of /etc/gone) deep=$(inode_of /sub/deep/gone)
	block=$(debugfs -R 'blocks /sub/deep' image.raw 2>/dev/null)
	delete /etc/gone /sub/deep/gone
	printf '\1\0\1\0\377\377\377\377' |
		dd of=image.raw bs=1 seek=$((${block%% *} * 1024)) conv=notrunc status=none
	examine
	dfxml "gone[$gone]['filename'] == 'etc/gone' and not gone[$deep]['filename']"
	uncovered '1 blocks of inodes and directories could not be searched'
}

# A map that leads to itself again and again: refused, and the examination goes on.
test_map_without_end() {
	image ext2
	delete /etc/gone
	examine
	dfxml 'len(gone) == 1'
	python3 -c "import struct, sys; sys.stdout.buffer.write(struct.pack('<I', 8000) * 256)" |
		dd of=image.raw bs=1024 seek=8000 conv=notrunc status=none
	debugfs -w -R 'set_inode_field /sub/deep block[TIND] 8000' image.raw >/dev/null 2>&1
	examine
	uncovered 'not all listed: .*directories that never end$'
	dfxml "not gone and 'sub/deep/stays' in [f['filename'] for f in live.values()]"
}

# What the kernel does not mount ends as it did.
test_enormous_inode_count() {
	image ext4 -O ^metadata_csum
	printf '\360\377\377\377' | dd of=image.raw bs=1 seek=1024 conv=notrunc status=none
	refused 5 'refuses to mount' "$cairn" examine --quiet --report report --files image.raw -- true
}

test_other_file_systems() {
	image ext4
	mksquashfs tree squash.raw -quiet >/dev/null
	examine squash.raw
	uncovered 'of squashfs they are not searched for$'
	dfxml "not gone and live and only == '1'"
}

# The file system is parsed by a process that can do nothing else.
test_search_is_confined() {
	image ext4
	delete /etc/gone
	expect 0 strace -f -o trace -e trace=prctl,seccomp,openat,pread64,execve \
		"$cairn" examine --quiet --report report --files image.raw -- true
	local pid
	pid=$(sed -n 's/^\([0-9]*\) .*PR_SET_NAME, "cairn-deleted".*/\1/p' trace)
	[ -n "$pid" ]
	grep "^$pid " trace | sed -n '/SECCOMP_SET_MODE_FILTER\|PR_SET_SECCOMP/,$p' >after
	grep -q pread64 after
	! grep -E '(openat|execve)\(' after
}

run_tests "$@"
