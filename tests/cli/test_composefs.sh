# SPDX-License-Identifier: MIT
# Our metadata images beside those of mkcomposefs: the same bytes, or it is no composefs.
. "$(dirname "$0")/../lib.sh"

make_image=$CAIRN_BUILD/tests/helpers/make-composefs
tools=$CAIRN_BUILD/tools

# A tree of all that has a form of its own on disk; without hard links, which mkcomposefs
# does not see in a directory.
plant() {
	mkdir -p "$1"/{etc,usr/bin,empty,.hidden,+plus,many,wide,00,"new
line"}
	printf x >"$1/etc/one"
	head -c 64 /dev/zero >"$1/etc/inline-64"
	head -c 65 /dev/zero >"$1/etc/blob-65"
	: >"$1/etc/empty"
	seq 1 9000 >"$1/usr/bin/blob"
	cp "$1/usr/bin/blob" "$1/usr/bin/same"
	printf '\377\001' >"$1/etc/$(printf 'bad\377name')"
	truncate -s 70M "$1/usr/bin/sparse"
	ln -s one "$1/etc/short"
	ln -s "$(printf '%01500d' 0)" "$1/etc/long"
	ln -s "$(printf '%04090d' 0)" "$1/etc/longest"
	local i
	for i in $(seq 1 400); do : >"$1/many/file-$i"; done
	for i in $(seq 1 30); do mkdir "$1/wide/$(printf '%0200d' "$i")"; done
	mknod "$1/etc/char" c 1 3
	mknod "$1/etc/block" b 259 1048575
	mkfifo "$1/etc/fifo"
	chmod 6755 "$1/usr/bin/blob"
	chown 70000:70001 "$1/etc/blob-65"
	setfattr -n user.a -v common "$1/etc/one" "$1/etc/blob-65" "$1/many"
	setfattr -n user.b -v once "$1/etc/one"
	setfattr -n trusted.overlay.opaque -v y "$1/empty"
	setfattr -n security.selinux -v system_u:object_r:etc_t:s0 "$1" "$1/etc" "$1/usr"
	setfacl -m u:1234:rwx "$1/etc/inline-64"
	setfacl -d -m g:77:rx "$1/usr"
	find "$1" -exec touch -h -d @1700000000.5 {} +
	touch -d @1600000000 "$1/etc/one" "$1/many"
}

same_as_mkcomposefs() {
	"$make_image" tree ours "$@"
	"$tools/mkcomposefs" ${1:+--min-version=$1 --max-version=$2} tree theirs
	cmp ours theirs
}

test_same_bytes_as_mkcomposefs() {
	plant tree
	same_as_mkcomposefs
	[ "$(stat -c %s ours)" -gt 20000 ]
	touch -d @1600000001 tree/etc/one
	cp ours before
	same_as_mkcomposefs
	! cmp -s ours before || fail "a changed time changed nothing"
}

test_whiteouts_raise_the_format() {
	plant tree
	mknod tree/etc/whiteout c 0 0
	same_as_mkcomposefs
	same_as_mkcomposefs 0 0
	same_as_mkcomposefs 1 1
}

test_sizes_beyond_32_bits() {
	mkdir tree
	truncate -s 4200M tree/sparse
	same_as_mkcomposefs
}

test_small_trees() {
	mkdir -p tree/a
	same_as_mkcomposefs
	ln -s target tree/a/link
	same_as_mkcomposefs
}

# Directory blocks, tails and paddings at every remainder of a block.
test_sizes_around_block_boundaries() {
	local n name
	mkdir tree
	name=$(printf '%0180d' 0)
	for n in $(seq 1 45); do
		: >"tree/$n$name"
		ln -s "$(printf "%0$((n * 89))d" 0)" "tree/link$n"
		setfattr -n user.n -v "$(printf "%0$((n * 7))d" "$n")" "tree/$n$name"
		same_as_mkcomposefs >/dev/null || fail "with $n names"
	done
}

test_hard_links_survive_a_dump_and_rebuild() {
	plant tree
	ln tree/usr/bin/blob tree/etc/again
	ln tree/etc/one tree/usr/bin/one-more
	"$make_image" tree ours
	"$tools/composefs-info" dump ours >dump
	grep -q '^/usr/bin/blob .*@' dump || grep -q '^/etc/again .*@' dump || fail "no link in the dump"
	"$tools/mkcomposefs" --from-file dump theirs
	cmp ours theirs
}

test_mounted_names_and_attributes_are_the_trees() {
	plant tree
	rm -r tree/empty tree/00
	"$make_image" tree image
	mkdir mount
	mount -t erofs -o ro,loop image mount
	(cd tree && find . -printf '%P %M %U %G %T@ %l %y\n' | sort) >wanted
	(cd mount && find . -printf '%P %M %U %G %T@ %l %y\n' | grep -av '^[0-9a-f][0-9a-f] c' | sort) >got
	umount mount
	diff wanted got
}

run_tests "$@"
