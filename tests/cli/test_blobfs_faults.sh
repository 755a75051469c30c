# SPDX-License-Identifier: MIT
# Images that are each wrong in one way, from tests/helpers/bad-blobfs, beside one that is
# good: fsck.blobfs says what it is, and a reader is given the true bytes or an error.
. "$(dirname "$0")/../lib.sh"
PATH=$CAIRN_BUILD:$PATH

# Name (should-fail-...), status and sentence of fsck.blobfs, status and sentence of a
# read of a blob that the fault is about.
faults() {
	cat <<-'END'
		overlapping-extents|5|^blob [0-9a-f]{64}: overlaps something else$|0|
		offset-2-63|5|^blob 42f0c9[0-9a-f]*: its entry makes no sense$|5|offset 9223372036854775808: malformed
		tree-at-2-63|5|^blob 42f0c9[0-9a-f]*: its entry makes no sense$|5|malformed
		size-2-63|5|^blob 42f0c9[0-9a-f]*: its entry makes no sense$|5|malformed
		tail-across-blocks|5|^blob 42f0c9[0-9a-f]*: its entry makes no sense$|5|malformed
		wrong-depth|3|^blob 42f0c9[0-9a-f]*: image offset 1052672: bad size or tree$|3|not what its hash says
		wrong-size|3|^blob 42f0c9[0-9a-f]*: image offset 1064960: bad size or tree$|3|not what its hash says
		swapped-digest|3|^blob 42f0c9[0-9a-f]*: image offset 1081344: bad size or tree$|3|not what its hash says
		lent-tree|3|^blob 42f0c9[0-9a-f]*: image offset 1081344: bad size or tree$|3|not what its hash says
		lent-data|3|^blob 42f0c9[0-9a-f]*: offset 0 .image offset 1069056.: bad block$|3|offset 1069056: the block is not
		damaged-tail|3|^blob 42f0c9[0-9a-f]*: offset 8192 .image offset 1060864.: bad block$|3|offset 1060864: the block is not
		digest-collision|5|: offset 1089536: index page is not sorted$|0|
		unsorted-page|5|: offset 1089536: index page is not sorted$|1|has no such blob
		overlapping-pages|5|: offset 1089536: index page is not sorted$|0|
		count-overflow|5|: offset 1089536: malformed blobfs structure$|5|offset 1089536: malformed
		broken-seal|3|: offset 1089536: the block is not what its hash says$|3|not what its hash says
		run-overflow|5|: offset 0: malformed blobfs structure$|5|malformed
		too-many-runs|5|: offset 0: malformed blobfs structure$|5|malformed
		stale-superblock|3|: offset 1093632: the block is not what its hash says$|3|not what its hash says
		later-version|5|: offset 0: a version or feature of blobfs not known here$|5|version or feature
		unknown-feature|5|: offset 0: a version or feature of blobfs not known here$|5|version or feature
		other-block-size|5|: offset 0: a version or feature of blobfs not known here$|5|version or feature
		short-header|5|: offset 0: malformed blobfs structure$|5|malformed
		used-end-overflow|5|: offset 0: malformed blobfs structure$|5|malformed
		missing-refs|5|^the refs blob is missing$|0|
		free-in-use|5|^offset 1052672: is in use and in the free list$|0|
		device-shrank|5|: offset 0: says that there are [0-9]* bytes, there are only|5|there are only
	END
}

# The blob that most faults are about; f(i) = (i % 11 + i % 439 + i % 1103) & 0xff.
make_images() {
	expect 0 "$CAIRN_BUILD/tests/helpers/bad-blobfs" .
	cp "$T/out" names
	python3 -c 'import sys; sys.stdout.buffer.write(
		bytes((i % 11 + i % 439 + i % 1103) & 255 for i in range(9192)))' >truth
	digest=$(awk '$1 == "untouched" { print $2 }' names)
	[ "$digest" = "$(fsverity digest --compact truth | sed 's/^/sha256:/')" ]
}

untouched_is_good() {
	expect 0 "$@" fsck.blobfs untouched.img
	[ ! -s "$T/out" ]
	grep -q ' 3 blobs .* good$' "$T/err"
	expect 0 "$@" cairn blob get untouched.img "$digest"
	cmp "$T/out" truth
}

test_each_fault_is_named() {
	make_images
	untouched_is_good
	local name status sentence read_status read_sentence n=0
	while IFS='|' read -r name status sentence read_status read_sentence; do
		echo "$name"
		expect "$status" timeout 20 fsck.blobfs should-fail-$name.img
		grep -v ' blobs with .* NOT GOOD$' "$T/err" >said || true
		cat "$T/out" >>said
		grep -Eq "$sentence" said || fail "no '$sentence' in $(cat said)"
		# Two blobs that have to do with one fault are two findings.
		[ "$(wc -l <said)" -le 2 ]
		digest=$(awk -v n="should-fail-$name" '$1 == n { print $2 }' names)
		if [ "$read_status" = 0 ]; then
			expect 0 timeout 20 cairn blob get "should-fail-$name.img" "$digest"
			cmp "$T/out" truth
		else
			refused "$read_status" "$read_sentence" \
				timeout 20 cairn blob get -o got "should-fail-$name.img" "$digest"
			[ ! -e got ]
		fi
		n=$((n + 1))
	done < <(faults)
	# None is left out, here or there.
	[ "$n" = "$(find . -name 'should-fail-*.img' | wc -l)" ]
	[ "$n" -ge 25 ]
}

# A number that cannot get higher would come back as a low one, and the old state would win.
test_the_last_generation_is_only_read() {
	make_images
	untouched_is_good
	local last
	for last in 18446744073709551614 18446744073709551615; do
		python3 - $last <<-'END'
			import hashlib, struct, sys
			image = bytearray(open('untouched.img', 'rb').read())
			for at in 0, 1 << 20:
			    struct.pack_into('<Q', image, at + 64, int(sys.argv[1]))
			    image[at + 4064:at + 4096] = hashlib.sha256(image[at:at + 4064]).digest()
			open(sys.argv[1], 'wb').write(image)
		END
		expect 0 fsck.blobfs $last
	done
	cp $last before
	echo more >more
	expect 0 cairn blob add 18446744073709551614 more
	expect 0 fsck.blobfs 18446744073709551614
	refused 5 'generation 18446744073709551615 is the last' cairn blob add $last more
	refused 5 'is the last' cairn blob gc --empty $last
	cmp $last before
}

# with_fault FAULT FROM COMMAND... : reads of the image at FROM go wrong, FROM-TO
with_fault() {
	local fault=$1 from=$2
	shift 2
	env LD_PRELOAD="$T/faulty_read.so" FAULT="$fault" FAULT_FILE=untouched.img \
		FAULT_FROM="${from%-*}" FAULT_TO="${from#*-}" timeout 20 "$@"
}

test_devices_that_fail() {
	make_images
	gcc -shared -fPIC -D_GNU_SOURCE -o faulty_read.so "$CAIRN_TOP/tests/preload/faulty_read.c" -ldl
	untouched_is_good with_fault none 0-9999999
	# Short reads are no failure, they go on.
	untouched_is_good with_fault short 0-9999999
	# The data's second block, then everything cannot be read.
	expect 3 with_fault eio 1056768-1060864 fsck.blobfs untouched.img
	grep -q 'cannot be read' "$T/out"
	refused 1 'Input/output error' with_fault eio 1056768-1060864 cairn blob get -o got untouched.img "$digest"
	refused 1 'Input/output error' with_fault eio 0-9999999 fsck.blobfs untouched.img
	refused 1 'Input/output error' with_fault eio 0-9999999 cairn blob get -o got untouched.img "$digest"
	# The superblock that cannot be read may be the newer one, here B: that is no torn one.
	cp untouched.img whole
	expect 0 cairn blob rm untouched.img "$digest"
	cp untouched.img newer
	expect 7 with_fault eio 1048576-1052672 fsck.blobfs untouched.img
	grep -qx 'superblock B cannot be read: a state newer than generation 2 may be in it' "$T/out"
	! grep -q torn "$T/err" || fail "$(cat "$T/err")"
	# It cannot look up the file's name.
	FAULT_INODE=$(stat -c %i untouched.img) \
		expect 7 with_fault eio 1048576-1052672 cairn verify untouched.img
	expect 0 with_fault eio 1048576-1052672 cairn blob get untouched.img "$digest"
	cmp "$T/out" truth
	grep -q 'superblock B cannot be read: generation 2 may not be the newest$' "$T/err"
	for change in 'cairn blob add untouched.img truth' 'cairn blob gc untouched.img' \
		'cairn ref delete untouched.img first'; do
		refused 1 'superblock B cannot be read and may be the newer one: nothing is changed' \
			with_fault eio 1048576-1052672 $change
		cmp untouched.img newer
	done
	expect 7 with_fault eio 0-4096 fsck.blobfs untouched.img
	grep -q '^superblock A .* generation 3 may be in it$' "$T/out"
	expect 0 fsck.blobfs untouched.img
	cp whole untouched.img
	# The device is cut off while it is open, and before.
	cp untouched.img whole
	expect 5 with_fault shrink 1056768-9999999 fsck.blobfs untouched.img
	cp whole untouched.img
	refused 5 'ends at offset' with_fault shrink 1056768-9999999 cairn blob get -o got untouched.img "$digest"
	cp whole untouched.img
	truncate -s -4096 untouched.img
	refused 5 'there are only' fsck.blobfs untouched.img
	refused 5 'there are only' cairn blob get -o got untouched.img "$digest"
	[ ! -e got ]
	cp whole untouched.img
	untouched_is_good
}

# On a file system without unnamed files the output has a name while it is written.
test_interrupted_outputs_leave_nothing() {
	gcc -shared -fPIC -o no-tmpfile.so "$CAIRN_TOP/tests/preload/no_tmpfile.c" -ldl
	head -c 3M /dev/zero >file
	expect 0 mkfs.blobfs --quiet image file
	digest=$(fsverity digest --compact file)
	local as_there="strace -f -o trace -E LD_PRELOAD=$PWD/no-tmpfile.so" signal status
	while read -r signal status; do
		refused $status interrupted $as_there -e trace=pwrite64 \
			-e inject=pwrite64:signal=$signal:when=1 mkfs.blobfs --quiet other file
		refused $status interrupted $as_there -e trace=write \
			-e inject=write:signal=$signal:when=1 cairn blob get --output got image "$digest"
		nothing_else file image no-tmpfile.so trace
	done <<-'END'
		TERM 143
		INT 130
	END
	expect 0 $as_there mkfs.blobfs --quiet other file
	expect 0 $as_there cairn blob get --output got image "$digest"
	cmp got file
	nothing_else file got image no-tmpfile.so other trace
}

run_tests "$@"
