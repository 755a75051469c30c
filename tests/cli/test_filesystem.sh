# SPDX-License-Identifier: MIT
# Trees, archives and the file systems made of them, mounted and compared with what they
# were made from.
. "$(dirname "$0")/../lib.sh"
export CAIRN_TOOLS=${CAIRN_TOOLS:-$CAIRN_BUILD/tools}
helpers=$CAIRN_TOP/tests/helpers
types='erofs squashfs ext4'

# A file of its own each time: mount uses a loop device again that still has the file, and
# with it its size and what was read of it before.
make_filesystem() {
	rm -f "$3"
	"$CAIRN_BUILD/tests/helpers/make-filesystem" "$@"
}

torture() {
	"$helpers/torture-tree" "$@"
}

# list TYPE DIRECTORY: as much as an image of the type can show
list() {
	local seconds=
	[ "$1" != squashfs ] || seconds=--seconds
	"$helpers/list-tree" "$2" $seconds
}

# mounted IMAGE COMMAND...: runs it with the image at ./mnt
mounted() {
	local image=$1 status=0
	shift
	mkdir -p mnt
	mount -o ro,loop "$image" mnt
	"$@" || status=$?
	umount mnt
	return $status
}

archive() {
	tar --format=posix --xattrs --xattrs-include='*' --numeric-owner -C "$1" -cf "$2" "${@:3}" .
}

sum() {
	sha256sum <"$1"
}

test_images_equal_their_tree() {
	torture T
	for type in $types; do
		expect 0 make_filesystem T $type image
		list $type T >tree.list
		[ "$(wc -l <tree.list)" -gt 1500 ] || fail "the listing is too short"
		mounted image list $type mnt >image.list
		diff tree.list image.list || fail "$type differs"
	done
}

test_the_part_usr() {
	torture T
	# One of three names of a file lies outside: the image knows two.
	cp -a T/usr U
	for type in $types; do
		expect 0 make_filesystem T $type image "" 0 usr
		list $type U >tree.list
		mounted image list $type mnt >image.list
		diff tree.list image.list || fail "$type differs"
	done
	refused 5 'has no directory /opt' make_filesystem T erofs image "" 0 opt
	refused 5 'has no directory /etc/a.b' make_filesystem T erofs image "" 0 etc/a.b
}

test_compression() {
	torture T
	list erofs T >erofs.list
	list squashfs T >squashfs.list
	for method in none lz4hc zstd,3 deflate; do
		expect 0 make_filesystem T erofs image $method
		mounted image list erofs mnt | diff erofs.list - || fail "erofs $method differs"
	done
	for method in lz4 gzip zstd,1; do
		expect 0 make_filesystem T squashfs image $method
		mounted image list squashfs mnt | diff squashfs.list - || fail "squashfs $method differs"
	done
	refused 2 'none: no compression of squashfs' make_filesystem T squashfs image none
	refused 2 'lz4: no compression of ext4' make_filesystem T ext4 image lz4
	refused 2 'zstd has levels 0 to 22' make_filesystem T erofs image zstd,23
	refused 2 'zstd has levels 1 to 22' make_filesystem T squashfs image zstd,1x
}

# As nobody, with a copy of the tools where nobody can reach them.
as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups env -C "$T/nobody" \
		CAIRN_TOOLS="$T/nobody/tools" TMPDIR="$T/nobody" "$@"
}

test_same_bytes_whatever_the_host() {
	torture T acls
	cp -a T copy
	archive T dense.tar --sort=name
	archive T sparse.tar -S --sort=inode
	mkdir -p nobody/suite
	cp -r "$CAIRN_TOP/build/tools" nobody/
	cp -r "$CAIRN_TOP/build/suite/erofs" nobody/suite/
	cp "$CAIRN_BUILD/tests/helpers/make-filesystem" dense.tar nobody/
	chmod 755 "$T"
	chmod -R a+rX nobody
	chown 65534 nobody
	touch T/etc/a.b -r copy/etc/a.b
	cat T/var/text >/dev/null
	for type in $types; do
		make_filesystem T $type reference "" 1
		wanted=$(sum reference)
		make_filesystem T $type image "" 2
		[ "$(sum image)" = "$wanted" ] || fail "$type: two threads"
		(umask 077 && cd / && TZ=Asia/Tokyo LC_ALL=C.UTF-8 \
			make_filesystem "$T/copy" $type "$T/image")
		[ "$(sum image)" = "$wanted" ] || fail "$type: a copy, elsewhere"
		make_filesystem sparse.tar $type image
		[ "$(sum image)" = "$wanted" ] || fail "$type: a sparse archive in another order"
		as_nobody ./make-filesystem dense.tar $type image >out
		[ "$(sum nobody/image)" = "$wanted" ] || fail "$type: an archive, as nobody"
	done
}

test_archives_of_other_programs() {
	torture T acls
	make_filesystem T ext4 reference
	wanted=$(sum reference)
	for filter in gzip bzip2 xz zstd lz4; do
		archive T compressed.tar --use-compress-program=$filter
		make_filesystem compressed.tar ext4 image
		[ "$(sum image)" = "$wanted" ] || fail "$filter"
	done
	# bsdtar writes ACLs as text and attributes twice; it cannot write every name.
	rm -r T/etc T/usr/link-bytes
	make_filesystem T ext4 reference
	bsdtar --format=pax --numeric-owner -C T -cf bsd.tar .
	make_filesystem bsd.tar ext4 image
	cmp reference image
	tar --format=gnu --numeric-owner -C T -cSf gnu.tar dev deep empty
	expect 0 make_filesystem gnu.tar erofs image
}

test_acls() {
	torture T acls
	for type in erofs ext4; do
		make_filesystem T $type image
		list $type T >tree.list
		grep -q system.posix_acl_access tree.list
		mounted image list $type mnt | diff tree.list - || fail "$type differs"
	done
	# Without its ACL the group of etc/acl would have the rights of the mask, rw.
	expect 0 make_filesystem T squashfs image
	[ "$(stat -c %a T/etc/acl)" = 660 ]
	[ "$(mounted image stat -c %a mnt/etc/acl)" = 640 ]
	tar --format=posix --acls --numeric-owner -C T -cf acls.tar etc/acl etc/acl-dir
	make_filesystem acls.tar erofs image
	[ "$(mounted image stat -c %a mnt/etc/acl)" = 660 ]
	[ "$(mounted image getfacl -cn mnt/etc/acl)" = "$(getfacl -cn T/etc/acl)" ]
}

test_a_change_shows() {
	torture T
	rm -r T/many T/deep
	for type in $types; do
		make_filesystem T $type image
		sum image >sums
		while read -r change; do
			cp -a T changed
			mtime=$(stat -c %y changed/var/noise)
			(cd changed && eval "$change")
			[[ $change == touch* ]] || touch -d "$mtime" changed/var/noise
			make_filesystem changed $type image
			! grep -qF "$(sum image)" sums || fail "$type does not show: $change"
			sum image >>sums
			rm -r changed
		done <<-'END'
			printf x | dd of=var/noise bs=1 seek=5000 conv=notrunc status=none
			chmod 600 var/noise
			setfattr -n user.a -v b var/noise
			touch -d @1600000001 var/noise
			chown 1 var/noise
			ln var/noise var/again; touch -r ../T/var var
			chmod 700 .
		END
	done
}

is_read_only() {
	grep -q " $PWD/mnt [a-z0-9]* ro" /proc/mounts || fail "not mounted read-only: $1"
	! touch mnt/x 2>err && grep -q 'Read-only file system' err || fail "$1 can be written"
	! mount -o remount,rw mnt 2>err || grep -q " $PWD/mnt [a-z0-9]* ro" /proc/mounts ||
		fail "$1 can be made writable"
	! touch mnt/x 2>err && grep -q 'Read-only file system' err || fail "$1 can be written"
}

test_nothing_mounts_writable() {
	torture T
	mkdir mnt
	for type in $types; do
		make_filesystem T $type image
		before=$(sum image)
		# Some refuse, some mount it read-only.
		if mount -o rw,loop image mnt 2>err; then
			status=0
			(is_read_only $type) || status=1
			umount mnt
			[ $status = 0 ]
		fi
		[ "$(sum image)" = "$before" ] || fail "$type was written to"
	done
}

test_other_programs_agree() {
	torture T
	for type in $types; do
		make_filesystem T $type image.$type
	done
	expect 0 "$CAIRN_TOOLS/fsck.erofs" --extract=out.erofs image.erofs
	diff -r --no-dereference T/var out.erofs/var
	expect 0 e2fsck -fn image.ext4
	expect 0 unsquashfs -q -n -d out.squashfs image.squashfs
	list squashfs T >tree.list
	list squashfs out.squashfs | diff tree.list -
	expect 0 dumpe2fs -h image.ext4
	grep -q 'Filesystem features:.*read-only' out
	! grep -q has_journal out || fail "it has a journal"
	[ "$(blkid -p -o value -s UUID image.erofs)" = 30313233-3435-3637-3839-616263646566 ]
	[ "$(blkid -p -o value -s UUID image.ext4)" = 30313233-3435-3637-3839-616263646566 ]
}

test_large_sparse_file() {
	mkdir S
	truncate -s $((5 << 30)) S/big
	printf end | dd of=S/big bs=1 seek=$(((5 << 30) - 3)) conv=notrunc status=none
	printf middle | dd of=S/big bs=1 seek=$(((4 << 30) + 4090)) conv=notrunc status=none
	archive S S.tar -S
	types='squashfs ext4'
	[ -z "${CAIRN_LONG:-}" ] || types="erofs $types"
	for type in $types; do
		make_filesystem S $type image
		make_filesystem S.tar $type again
		cmp image again
		[ "$(stat -c %s image)" -lt 50000000 ] || fail "$type stores holes"
		[ "$(mounted image stat -c %s mnt/big)" = $((5 << 30)) ]
		[ "$(mounted image tail -c 4 mnt/big | tr '\0' 0)" = 0end ]
		[ "$(mounted image tail -c +$(((4 << 30) + 4090)) mnt/big | head -c 8 | tr '\0' 0)" = 0middle0 ]
	done
}

test_bad_archives_are_refused() {
	"$helpers/bad-tars" .
	while read -r name pattern; do
		refused 5 "$name.tar: $pattern" make_filesystem $name.tar ext4 image
		[ ! -e image ] || fail "$name left something behind"
	done <<-'END'
		dot-dot d/../../evil: a name with
		dot-dot-link evil: is a hard link to ../d/a: a name with
		absolute /evil: an absolute name
		absolute-link evil: is a hard link to /d/a: an absolute name
		link-nowhere evil: is a hard link to no file
		link-to-later evil: is a hard link to no file
		link-to-itself evil: is a hard link to no file
		link-to-directory evil: is a hard link to no file
		twice d/a: comes twice
		file-then-directory d/a: comes twice
		file-as-directory d/a/evil: what it lies in is not a directory
		link-as-directory d/c/evil: what it lies in is not a directory
		long-name nnn
		long-path d/d/.*a path longer than 4095 bytes
		no-target evil: a symbolic link to nowhere
		root-file ./: the root is not a directory
		owner evil: an owner that is no 32-bit number
		attribute evil: an attribute's name
		acl-name evil: its ACL names somebody
		sparse-overlong d/sparse: its sparse map makes no sense
		nothing there is nothing in it
		only-root there is nothing in it
		cut-content offset 512: Truncated
		cut-header offset 512: Truncated
		cut-end ends at offset 4608 without the end mark
		checksum offset 512: Damaged
		empty offset 0: Unrecognized
		text offset 0: Unrecognized
	END
	expect 0 make_filesystem good.tar ext4 image
	expect 0 make_filesystem sparse-good.tar ext4 image
	expect 0 make_filesystem good.tar erofs image
	[ "$(mounted image stat -c '%h %i' mnt/d/a)" = "$(mounted image stat -c '%h %i' mnt/d/b)" ]
}

test_bad_directories_are_refused() {
	mkdir empty T fifo-in
	echo good >T/file
	refused 5 'empty: there is nothing in it' make_filesystem empty ext4 image
	refused 1 'missing: cannot open' make_filesystem missing ext4 image
	mkfifo fifo
	refused 5 'fifo: is a FIFO' make_filesystem fifo ext4 image
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("T/socket")'
	refused 5 'T/socket: is a socket' make_filesystem T ext4 image
	rm T/socket
	expect 0 make_filesystem T ext4 image
	refused 2 'btrfs: no such file system' make_filesystem T btrfs image
	touch -d 1960-01-01 T/file
	refused 5 'file: its modification time is out of the range of squashfs' \
		make_filesystem T squashfs image
	expect 0 make_filesystem T erofs image
	[ "$(mounted image stat -c %Y mnt/file)" = "$(stat -c %Y T/file)" ]
	expect 0 make_filesystem T ext4 image
	[ "$(mounted image stat -c %Y mnt/file)" = "$(stat -c %Y T/file)" ]
	mkdir nobody
	install -m 755 "$CAIRN_BUILD/tests/helpers/make-filesystem" nobody/
	chmod 0 T/file
	chmod 755 "$T" T
	chown 65534 nobody
	refused 1 'T/file: cannot open: Permission denied' as_nobody ./make-filesystem ../T ext4 image
}

test_full_disk() {
	torture T
	archive T T.tar
	mkdir small
	mount -t tmpfs -o size=200k none small
	trap 'umount small' EXIT
	refused 1 'mkfs.erofs: failed' make_filesystem T erofs small/image none
	rm -f small/image
	refused 1 'No space left' make_filesystem T ext4 small/image
	rm -f small/image
	refused 1 'No space left' make_filesystem T.tar ext4 small/image
	expect 0 make_filesystem T squashfs small/image
}

test_tools_that_fail() {
	torture T
	mkdir tools
	printf '#!/bin/sh\necho mkfs.erofs 1.5\n' >tools/mkfs.erofs
	printf '#!/bin/sh\n[ "$1" != --version ] || exec echo "tar2sqfs 1"\nhead -c 99 >/dev/null\necho broken >&2\nexit 3\n' >tools/tar2sqfs
	chmod +x tools/*
	CAIRN_TOOLS=$PWD/tools refused 1 'version 1.8 or later is needed, this is "mkfs.erofs 1.5"' make_filesystem T erofs image
	CAIRN_TOOLS=$PWD/tools refused 1 'tar2sqfs: failed with status 3: broken' make_filesystem T squashfs image
	expect 0 make_filesystem T erofs image
	expect 0 make_filesystem T squashfs image
}

run_tests "$@"
