# SPDX-License-Identifier: MIT
# mount.blobfs: what it shows is verified, whoever serves is confined.
. "$(dirname "$0")/../lib.sh"
PATH=$CAIRN_BUILD:$PATH

# Nothing stays mounted, however the test ends.
mounted() {
	[ -c /dev/fuse ] || skip "this kernel has no FUSE"
	trap 'umount -l "$T/mnt" 2>/dev/null || true' EXIT
	mkdir -p "$T/mnt"
	expect 0 timeout 60 mount.blobfs "$@" "$T/mnt"
}

digest() {
	fsverity digest "$1" | cut -d' ' -f1 | cut -d: -f2
}

# path DIGEST : its place in the mount
path() {
	echo "mnt/${1:0:2}/${1:2}"
}

make_files() {
	local size
	for size in 0 1 4096 5000 700000 3000001; do
		openssl enc -aes-128-ctr -nosalt -K 01 -iv "$(printf %032d "$size")" \
			-in /dev/zero 2>/dev/null | head -c "$size" >"f$size" || true
	done
	expect 0 mkfs.blobfs x.img f*
}

test_all_blobs_are_shown() {
	make_files
	mounted x.img
	local file
	for file in f*; do
		cmp "$file" "$(path "$(digest "$file")")"
		[ "$(stat -c '%s %a' "$(path "$(digest "$file")")")" = "$(stat -c %s "$file") 444" ]
	done
	[ "$(find mnt -type f | wc -l)" = 6 ]
	[ "$(ls mnt | wc -l)" = 256 ]
	expect 1 cat mnt/00/nothing
	grep -q 'No such file' "$T/err"
	expect 1 touch mnt/new
	grep -q 'Read-only file system' "$T/err"
	# Only the one name: no other case, no whole digest.
	file=$(digest f5000)
	[ ! -e "mnt/$file" ]
	[ ! -e "mnt/${file:0:2}/$file" ]
	expect 0 umount mnt
	[ ! -e "mnt/00" ]
}

test_reads_in_parallel_and_pieces() {
	make_files
	mounted x.img
	local file i
	file=$(path "$(digest f3000001)")
	for i in 1 2 3 4 5 6 7 8; do
		(dd if="$file" bs=1000 skip=$((i * 300)) count=50 status=none |
			cmp - <(dd if=f3000001 bs=1000 skip=$((i * 300)) count=50 status=none) &&
			cmp f3000001 "$file" && touch "good$i") &
	done
	wait
	[ "$(ls good* | wc -l)" = 8 ]
}

test_bad_block_is_an_error_and_the_others_are_read() {
	make_files
	local data name
	name=$(digest f3000001)
	data=$(dump.blobfs --index x.img | awk -v d="sha256:$name" '$1 == d { print $3 }')
	printf X | dd of=x.img bs=1 seek=$((data + 100 * 4096 + 5)) conv=notrunc status=none
	[ -c /dev/fuse ] || skip "this kernel has no FUSE"
	trap 'umount -l "$T/mnt" 2>/dev/null || true' EXIT
	mkdir -p mnt
	timeout 60 mount.blobfs -f x.img mnt 2>log &
	while ! mountpoint -q mnt; do sleep 0.1; done
	expect 2 cmp f3000001 "$(path "$name")"
	grep -q 'Input/output error' "$T/err"
	grep -q "sha256:$name: offset 409600: .* not what its hash says" log
	cmp <(head -c 100000 f3000001) <(head -c 100000 "$(path "$name")")
	cmp <(tail -c 100000 f3000001) <(tail -c 100000 "$(path "$name")")
	cmp f700000 "$(path "$(digest f700000)")"
	expect 0 umount mnt
	wait
}

test_server_is_confined() {
	make_files
	mounted x.img
	local pid parent
	parent=$(pgrep -f "mount.blobfs x.img $T/mnt" | head -n 1)
	pid=$(pgrep -P "$parent")
	grep -q '^Seccomp:[[:space:]]*2$' "/proc/$pid/status"
	# A signal to the other process unmounts.
	kill -TERM "$parent"
	local i
	for i in $(seq 50); do
		mountpoint -q mnt || break
		sleep 0.1
	done
	! mountpoint -q mnt || fail "still mounted"
}

test_state_stays_while_it_changes() {
	make_files
	mounted x.img
	echo new >new
	expect 0 cairn blob add x.img new
	expect 0 cairn blob rm x.img "$(digest f700000)"
	expect 0 cairn blob gc --empty x.img
	dd if=/dev/urandom of=noise bs=1M count=4 status=none
	local i
	for i in 1 2 3 4; do
		head -c 700000 /dev/urandom >noise
		expect 0 cairn blob add x.img noise
	done
	cmp f700000 "$(path "$(digest f700000)")"
	cmp f3000001 "$(path "$(digest f3000001)")"
	[ ! -e "$(path "$(digest new)")" ]
}

# A tree of all that files can be, with whiteouts and attributes of an overlay of its own.
plant() {
	mkdir -p tree/{etc/deep,usr/bin,empty,many,00,"new
line"}
	seq 1 90000 >tree/usr/bin/blob
	ln tree/usr/bin/blob tree/etc/again
	head -c 3000001 /dev/urandom >tree/usr/bin/large
	seq 1 1000 >tree/etc/text
	head -c 64 /dev/urandom >tree/etc/inline-64
	head -c 65 /dev/urandom >tree/etc/blob-65
	: >tree/etc/empty
	truncate -s 5M tree/usr/bin/sparse && echo end >>tree/usr/bin/sparse
	printf x >"tree/etc/$(printf 'bad\377name')"
	ln -s ../usr/bin/blob tree/etc/short
	ln -s "$(printf '%01500d' 0)" tree/etc/long
	local i
	for i in $(seq 1 700); do echo "$i" >"tree/many/file-$i"; done
	mknod tree/etc/char c 1 3
	mknod tree/etc/block b 259 1048575
	mkfifo tree/etc/fifo
	mknod tree/etc/whiteout c 0 0
	mknod tree/01 c 0 0
	chmod 6755 tree/usr/bin/blob
	chmod 0 tree/etc/deep
	chown 70000:70001 tree/etc/blob-65 tree/etc/short
	setfattr -n user.a -v common tree/etc/text tree/etc/blob-65 tree/many
	setfattr -n user.empty tree/etc/text
	setfattr -n trusted.overlay.opaque -v y tree/empty
	setfattr -n trusted.overlay.metacopy -v mine tree/etc/blob-65
	setfattr -n security.capability -v 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA= tree/etc/text
	setfacl -m u:1234:rwx tree/etc/inline-64
	setfacl -d -m g:77:rx tree/usr
	find tree -depth -exec touch -h -d @1700000000.25 {} +
	expect 0 cairn build tree --blobfs t.img
	tree=$(cairn ref list t.img | cut -d' ' -f1)
}

list_tree() {
	python3 "$CAIRN_TOP/tests/helpers/list-tree.py" "$1"
}

test_tree_is_as_it_was() {
	plant
	list_tree tree >before
	[ "$(wc -l <before)" -gt 700 ]
	mounted --tree "$tree" t.img
	list_tree mnt >after
	diff before after
	cmp <(dd if=tree/usr/bin/large bs=1000 skip=700 count=9 status=none) \
		<(dd if=mnt/usr/bin/large bs=1000 skip=700 count=9 status=none)
	[ mnt/etc/again -ef mnt/usr/bin/blob ]
	[ ! -e mnt/etc/nothing ] && [ ! -e mnt/ab ] && [ -d mnt/00 ]
	expect 1 touch mnt/new
	grep -q 'Read-only file system' "$T/err"
	expect 1 cat mnt/etc/char
	# Modes count for others.
	chmod 755 "$T"
	expect 0 setpriv --reuid nobody --clear-groups cat mnt/etc/text
	expect 2 setpriv --reuid nobody --clear-groups ls mnt/etc/deep
	grep -q 'Permission denied' "$T/err"
	expect 0 umount mnt
	# By the name of a ref, which is said to be no more than that.
	expect 0 mount.blobfs -o ro,tree=tree t.img mnt
	grep -q "nothing authenticates, leads to $tree" "$T/err"
	list_tree mnt >after
	diff before after
}

test_tree_with_missing_and_damaged_blobs() {
	plant
	local large data
	large=$(digest tree/usr/bin/large)
	data=$(dump.blobfs --index t.img | awk -v d="sha256:$large" '$1 == d { print $3 }')
	printf X | dd of=t.img bs=1 seek=$((data + 100 * 4096 + 5)) conv=notrunc status=none
	expect 0 cairn blob rm t.img "$(digest tree/etc/text)"
	[ -c /dev/fuse ] || skip "this kernel has no FUSE"
	trap 'umount -l "$T/mnt" 2>/dev/null || true' EXIT
	mkdir -p mnt
	timeout 60 mount.blobfs -f --tree "$tree" t.img mnt 2>log &
	while ! mountpoint -q mnt; do sleep 0.1; done
	[ "$(stat -c '%s %a' mnt/etc/text)" = "$(stat -c '%s %a' tree/etc/text)" ]
	expect 1 cat mnt/etc/text
	grep -q 'Input/output error' "$T/err"
	grep -q "sha256:$(digest tree/etc/text): " log
	expect 2 cmp tree/usr/bin/large mnt/usr/bin/large
	grep -q 'Input/output error' "$T/err"
	grep -q "sha256:$large: offset 409600: .* not what its hash says" log
	cmp <(head -c 100000 tree/usr/bin/large) <(head -c 100000 mnt/usr/bin/large)
	cmp tree/usr/bin/blob mnt/usr/bin/blob
	expect 0 umount mnt
	wait
}

test_tree_refusals() {
	plant
	mounted --tree "${tree#sha256:}" t.img
	cmp tree/etc/text mnt/etc/text
	mkdir other
	refused 1 'no ref nothing' mount.blobfs --tree nothing t.img other
	refused 2 'is no digest' mount.blobfs --tree sha256:12 t.img other
	refused 5 'is no tree' mount.blobfs --tree "$(digest tree/etc/text)" t.img other
	refused 1 'such blob|not there|no blob' mount.blobfs --tree "$(printf '%064d' 1)" t.img other
	# One bit of the names is enough, wherever it is.
	local data
	data=$(dump.blobfs --index t.img | awk -v d="$tree" '$1 == d { print $3 }')
	cp t.img bad.img
	printf X | dd of=bad.img bs=1 seek=$((data + 5 * 4096 + 9)) conv=notrunc status=none
	refused 3 'not what its hash says' mount.blobfs --tree "$tree" bad.img other
	! mountpoint -q other || fail "mounted nonetheless"
}

test_refusals() {
	make_files
	mounted -o rw,nosuid,nodev x.img
	cmp f5000 "$(path "$(digest f5000)")"
	refused 2 'unknown mount option' mount.blobfs -o frobnicate x.img mnt
	refused 2 'image and a directory' mount.blobfs x.img
	refused 5 'is no blobfs image' mount.blobfs f700000 mnt
	refused 1 'No such file' mount.blobfs missing mnt
}

# pause : stops who serves, until the test ends; what is read then is the kernel's
pause() {
	local pid
	pid=$(pgrep -P "$(pgrep -f "mount.blobfs .*$T/mnt" | head -n 1)")
	trap "kill -CONT $pid; umount -l '$T/mnt' 2>/dev/null || true" EXIT
	kill -STOP "$pid"
}

test_cache_is_kept_between_opens() {
	make_files
	mounted x.img
	local file
	file=$(path "$(digest f3000001)")
	cmp f3000001 "$file"
	ls "$(dirname "$file")" >names
	stat "$file" >/dev/null
	pause
	expect 0 timeout 10 cmp f3000001 "$file"
	expect 0 timeout 10 ls "$(dirname "$file")"
	cmp "$T/out" names
	expect 0 timeout 10 stat "$file"
	# And what was not read before waits for who is stopped.
	expect 124 timeout 1 cat "$(path "$(digest f700000)")"
}

test_reading_ahead_is_heeded() {
	make_files
	mounted x.img
	local file
	file=$(path "$(digest f3000001)")
	python3 - "$file" <<-'END'
		import os, sys
		fd = os.open(sys.argv[1], os.O_RDONLY)
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED)
	END
	# Nobody asks for the half megabyte that is read ahead; mincore only looks.
	for ((i = 0; i < 200; i++)); do
		[ "$(fincore -nbo RES "$file")" -lt 500000 ] || break
		sleep 0.1
	done
	pause
	expect 0 timeout 10 head -c 500000 "$file"
	cmp "$T/out" <(head -c 500000 f3000001)
}

# The memory of the two processes, at their highest, in KiB.
memory() {
	local parent
	parent=$(pgrep -f "mount.blobfs .*$T/mnt" | head -n 1)
	cat "/proc/$parent/status" "/proc/$(pgrep -P "$parent")/status" |
		awk '/VmHWM/ { sum += $2 } END { print sum }'
}

test_memory_does_not_grow_with_blobs() {
	expect 0 "$CAIRN_BUILD/tests/helpers/make-blobfs" x.img 1000
	expect 0 "$CAIRN_BUILD/tests/helpers/make-blobfs" x.img 120000 1000
	mounted x.img
	# Every name is listed, then looked up and its blob opened.
	[ "$(find mnt -type f -size -2 | wc -l)" = 121000 ]
	[ "$(memory)" -gt 1000 ] && [ "$(memory)" -le 16384 ] || fail "$(memory) KiB"
	# What was forgotten is found again by its number.
	local i
	echo 2 >/proc/sys/vm/drop_caches
	for i in 0 999 1000 77777 120999; do
		echo "blob $i" >wanted
		cmp wanted "$(path "$(digest wanted)")"
	done
	exec 3<"$(path "$(digest wanted)")"
	[ "$(find mnt/0? -type f -exec cat {} + | wc -l)" -gt 6000 ]
	cmp wanted - <&3
	[ "$(memory)" -le 16384 ] || fail "$(memory) KiB"
}

test_a_list_of_names_can_be_left_and_entered() {
	expect 0 "$CAIRN_BUILD/tests/helpers/make-blobfs" x.img 120000
	mounted x.img
	python3 - <<-'END'
		import ctypes, os
		libc = ctypes.CDLL(None, use_errno=True)
		fd = os.open("mnt/77", os.O_RDONLY | os.O_DIRECTORY)
		buffer = ctypes.create_string_buffer(700)

		def some():
		    names, at = [], 0
		    n = libc.syscall(217, fd, buffer, len(buffer))  # getdents64
		    assert n >= 0
		    while at < n:
		        size = int.from_bytes(buffer.raw[at + 16:at + 18], "little")
		        offset = int.from_bytes(buffer.raw[at + 8:at + 16], "little", signed=True)
		        names.append((buffer.raw[at + 19:at + size].split(b"\0")[0], offset))
		        at += size
		    return names

		every = []
		while part := some():
		    every += part
		names = [name for name, offset in every]
		assert len(names) == len(set(names)) > 300, len(names)
		# From any place on, the rest comes.
		for i in (0, 5, 100, len(every) - 2):
		    os.lseek(fd, every[i][1], os.SEEK_SET)
		    assert some()[0] == every[i + 1], i
	END
}

# What somebody writes into the index meanwhile does not pass for what was looked up.
test_an_index_that_changes_below_is_no_other_blob() {
	expect 0 "$CAIRN_BUILD/tests/helpers/make-blobfs" x.img 5000 10000
	expect 0 "$CAIRN_BUILD/tests/helpers/make-blobfs" other.img 5000 20000
	mounted x.img
	echo "blob 12345" >wanted
	exec 3<"$(path "$(digest wanted)")"
	# So many that the one is not kept open; its number still leads to it.
	find mnt -type f -size -2 >/dev/null
	head -c 4 <&3 >/dev/null
	find mnt -type f -size -2 -exec cat {} + >/dev/null
	cat other.img >x.img
	echo 3 >/proc/sys/vm/drop_caches
	status=0
	cat /proc/self/fd/3 >"$T/out" 2>"$T/err" || status=$?
	[ $status = 1 ]
	grep -q 'Input/output error' "$T/err"
	[ ! -s "$T/out" ] || fail "another blob: $(cat "$T/out")"
}

# as_installed COMMAND... : runs it where mount(8) finds our programs and only our fstab,
# in a mount namespace of its own
as_installed() {
	make -C "$CAIRN_TOP" --no-print-directory install DESTDIR="$T/root" PREFIX=/usr >/dev/null
	mkdir -p "$T/sbin"
	mv "$T/root/usr/sbin"/*.blobfs "$T/sbin"
	unshare -m bash -euc '
		mount --make-rprivate /
		mount -t overlay sbin -o "lowerdir=$1/sbin:/usr/sbin" /usr/sbin
		mount --bind "$1/fstab" /etc/fstab
		shift
		"$@"' - "$T" "$@"
}

test_mount_and_fstab() {
	make_files
	local file
	file=$(path "$(digest f700000)")
	mkdir -p mnt
	printf '%s %s blobfs ro,nosuid,nodev,noauto,nofail,x-systemd.automount 0 0\n' \
		"$T/x.img" "$T/mnt" >fstab
	cat >script <<-END
		mount -t blobfs x.img mnt
		cmp f700000 $file
		findmnt -no FSTYPE,OPTIONS $T/mnt
		umount mnt
		! mountpoint -q mnt
		mount "$T/mnt"
		cmp f700000 $file
		umount "$T/mnt"
		! mountpoint -q mnt
		fsck -t blobfs x.img
	END
	expect 0 as_installed bash -eu script
	grep -Eq 'fuse.blobfs +ro,nosuid,nodev' "$T/out"
	# A loop device in the place of the file: mount(8) makes it, and takes it away.
	printf '%s %s blobfs ro,loop 0 0\n' "$T/x.img" "$T/mnt" >fstab
	expect 0 as_installed bash -euc "mount -a; cmp f700000 $file; losetup -nO NAME -j x.img | grep -q loop; umount mnt"
	local i
	for i in $(seq 50); do
		[ -n "$(losetup -j x.img)" ] || break
		sleep 0.1
	done
	losetup -j x.img | cut -d: -f1 | xargs -r losetup -d
}

test_an_ordinary_user_mounts() {
	make_files
	mkdir -p mnt
	chmod 755 "$T"
	chmod 644 x.img
	chown nobody mnt
	# Where the build directory is, others may not be allowed to look.
	install -m 755 "$CAIRN_BUILD/mount.blobfs" .
	[ -c /dev/fuse ] || skip "this kernel has no FUSE"
	# As udev makes it, whatever it is here.
	mknod -m 666 fuse c 10 229
	cat >script <<-END
		mount --make-rprivate /
		mount --bind fuse /dev/fuse
		user='setpriv --reuid nobody --regid nogroup --clear-groups'
		\$user ./mount.blobfs x.img mnt
		\$user cmp f3000001 $(path "$(digest f3000001)")
		# It is this user's alone, as allow_other is for root to give.
		! cat $(path "$(digest f3000001)") 2>denied || exit 90
		grep -q 'Permission denied' denied
		grep -q '^Seccomp:[[:space:]]*2$' /proc/\$(pgrep -n -u nobody mount.blobfs)/status
		\$user fusermount3 -u mnt
		! mountpoint -q mnt || exit 91
		# Who may not read the image cannot mount it.
		chmod 600 x.img
		! \$user ./mount.blobfs x.img mnt 2>denied || exit 92
		grep -q 'x.img: .*Permission denied' denied
	END
	expect 0 unshare -m bash -eu script
}

run_tests "$@"
