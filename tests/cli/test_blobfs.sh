# SPDX-License-Identifier: MIT
# blobfs from the command line: images made, changed, checked, damaged and refused.
. "$(dirname "$0")/../lib.sh"
PATH=$CAIRN_BUILD:$PATH

# Files of many sizes, two of them the same, in $T/tree; the same in every test.
make_tree() {
	mkdir -p tree/sub/deep
	local size
	for size in 0 1 4095 4096 4097 70000 524288 524289 3000000; do
		openssl enc -aes-128-ctr -nosalt -K 00 -iv "$(printf %032d "$size")" \
			-in /dev/zero 2>/dev/null | head -c "$size" >"tree/f$size" || true
	done
	cp tree/f70000 tree/sub/deep/again
	ln -s f1 tree/sub/link
	mkfifo tree/sub/fifo
}

# digest FILE : its name by another program
digest() {
	fsverity digest "$1" | cut -d' ' -f1
}

# patch FILE OFFSET BYTES
patch() {
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# field IMAGE KEY : of the superblock
field() {
	dump.blobfs --json "$1" | python3 -c "import json, sys; print(json.load(sys.stdin)['$2'])"
}

test_tree_goes_in_and_comes_out() {
	make_tree
	expect 0 mkfs.blobfs x.img --from-dir tree
	expect 0 fsck.blobfs x.img
	grep -q ' 9 blobs' "$T/err"
	expect 0 dump.blobfs --extract-all all x.img
	local file name
	for file in tree/f*; do
		name=$(digest "$file")
		name=${name#sha256:}
		cmp "$file" "all/${name:0:2}/${name:2}"
		expect 0 cairn blob get x.img "sha256:$name"
		cmp "$file" "$T/out"
	done
	[ "$(find all -type f | wc -l)" = 9 ]
}

test_digests_are_those_of_fsverity() {
	make_tree
	expect 0 mkfs.blobfs x.img --digests tree/f*
	sort "$T/out" >ours
	fsverity digest tree/f* | sort >theirs
	cmp ours theirs
	cairn blob list x.img | cut -d' ' -f1 | sort >ours
	cut -d' ' -f1 theirs >digests
	cmp ours digests
}

test_same_blobs_and_uuid_same_bytes() {
	make_tree
	cp -r tree/. copy
	expect 0 mkfs.blobfs a.img --jobs 1 --from-dir tree
	expect 0 mkfs.blobfs b.img --jobs 4 --from-dir copy
	cmp a.img b.img
	expect 0 mkfs.blobfs c.img --uuid 11111111-2222-3333-4444-555555555555 --from-dir tree
	[ "$(field c.img uuid)" = 11111111-2222-3333-4444-555555555555 ]
	[ "$(field a.img uuid)" = "$(field b.img uuid)" ]
}

test_blobs_are_added_removed_and_collected() {
	make_tree
	expect 0 mkfs.blobfs x.img tree/f1 tree/f4096
	expect 0 cairn blob add x.img tree/f3000000 tree/f1 tree/f4097
	grep -q "^$(digest tree/f3000000) tree/f3000000$" "$T/out"
	[ "$(cairn blob list x.img | wc -l)" = 4 ]
	expect 0 cairn blob rm x.img "$(digest tree/f3000000)"
	refused 1 'no such blob' cairn blob get x.img "$(digest tree/f3000000)"
	refused 1 'no such blob' cairn blob rm x.img "$(digest tree/f3000000)"
	refused 2 'no refs' cairn blob gc x.img
	expect 0 cairn ref set x.img keep/this "$(digest tree/f4097)"
	expect 0 cairn blob gc x.img
	[ "$(cairn blob list x.img | wc -l)" = 2 ]
	expect 0 cairn blob get x.img "$(digest tree/f4097)"
	cmp "$T/out" tree/f4097
	expect 0 fsck.blobfs x.img
	grep -q ' 0 for gc to find' "$T/err"
	# What gc freed is used again, from the second change on.
	local end
	end=$(field x.img used_end)
	expect 0 cairn blob add x.img tree/f0
	expect 0 cairn blob add x.img tree/f1
	expect 0 cairn blob add x.img tree/f3000000
	[ "$(field x.img used_end)" = "$end" ] || fail "grew from $end to $(field x.img used_end)"
	expect 0 fsck.blobfs x.img
}

# Many files are one change: all of them or none.
test_a_tree_is_added_at_once() {
	make_tree
	expect 0 mkfs.blobfs x.img tree/f1
	local before
	before=$(field x.img generation)
	expect 0 cairn blob add --from-dir tree x.img tree/f4096
	[ "$(field x.img generation)" = $((before + 1)) ]
	grep -q "^$(digest tree/sub/deep/again) tree/sub/deep/again$" "$T/out"
	[ "$(cairn blob list x.img | wc -l)" = 9 ]
	expect 0 fsck.blobfs x.img
	cp x.img y.img
	echo new >new
	refused 1 'No such file' cairn blob add x.img new missing
	cmp x.img y.img
	refused 2 'which files' cairn blob add x.img
	refused 2 'option -o is not known' cairn blob list -o got x.img
	refused 2 'option --jobs is not known' cairn blob gc --jobs 2 x.img
}

# A file with holes from what was removed, ends as small as one made anew.
test_compaction_leaves_no_holes() {
	make_tree
	local i end
	for i in 1 2 3 4 5 6; do
		head -c $((i * 400000)) /dev/urandom >"r$i"
		head -c 900 /dev/urandom >"s$i"
	done
	expect 0 mkfs.blobfs x.img r1 s1 tree/f3000000 r2 s2 tree/f524289
	expect 0 cairn blob add x.img r3 s3 r4 tree/f70000
	expect 0 cairn blob add x.img r5 s4 s5 s6 r6 tree/f0
	for i in tree/f3000000 r3 r5 s1 s3 s5 tree/f0; do
		expect 0 cairn ref set x.img "$(basename $i)" "$(digest $i)"
	done
	cp x.img y.img
	expect 0 cairn blob gc y.img
	[ "$(stat -c %s y.img)" -gt 9000000 ]
	expect 0 cairn blob gc --compact x.img
	grep -q ' 8 blobs kept, 15 removed' "$T/err"
	expect 0 fsck.blobfs x.img
	grep -q ' 0 for gc to find, good' "$T/err"
	for i in tree/f3000000 r3 r5 s1 s3 s5 tree/f0; do
		expect 0 cairn blob get x.img "$(digest $i)"
		cmp "$T/out" $i
	done
	[ "$(cairn ref list x.img | wc -l)" = 7 ]
	expect 0 mkfs.blobfs z.img tree/f3000000 r3 r5 s1 s3 s5 tree/f0
	end=$(stat -c %s x.img)
	[ "$end" = "$(field x.img used_end)" ]
	[ "$end" -le $(($(stat -c %s z.img) + 65536)) ] || fail "$end bytes"
	# Compact already: no larger, and as good.
	expect 0 cairn blob gc --compact x.img
	[ "$(stat -c %s x.img)" -le "$end" ]
	expect 0 fsck.blobfs x.img
	# One of fixed size keeps it, and is refused where there is no room.
	expect 0 mkfs.blobfs --size 5M f.img tree/f3000000
	expect 0 cairn ref set f.img a "$(digest tree/f3000000)"
	refused 1 'full' cairn blob gc --compact f.img
	truncate -s 12M f.img
	expect 0 cairn blob gc --compact f.img
	expect 0 fsck.blobfs f.img
	[ "$(stat -c %s f.img)" = $((12 << 20)) ]
	[ "$(field f.img used_end)" -lt 4300000 ]
	# Damage is not copied.
	patch f.img $(($(dump.blobfs --index f.img | awk '$2 == 3000000 { print $3 }') + 9000)) X
	refused 3 'not what its hash says' cairn blob gc --compact f.img
	expect 3 fsck.blobfs f.img
}

test_compaction_waits_for_nobody_to_read() {
	make_tree
	expect 0 mkfs.blobfs x.img tree/f70000
	expect 0 cairn ref set x.img a "$(digest tree/f70000)"
	python3 - <<-'END' &
		import fcntl, struct, time
		f = open('x.img', 'r+b')
		fcntl.fcntl(f, 37, struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, 1, 1, 0))  # F_OFD_SETLK
		open('locked', 'w').close()
		time.sleep(2)
	END
	while [ ! -e locked ]; do sleep 0.05; done
	refused 1 'somebody reads it' cairn blob gc --compact x.img
	wait
	expect 0 cairn blob gc --compact x.img
}

test_refs() {
	make_tree
	expect 0 mkfs.blobfs x.img tree/f1 tree/f4096
	expect 0 cairn ref set x.img b "$(digest tree/f1)"
	expect 0 cairn ref set x.img a "$(digest tree/f4096)"
	expect 0 cairn ref set x.img b "$(digest tree/f4096)"
	expect 0 cairn ref list x.img
	printf '%s a\n%s b\n' "$(digest tree/f4096)" "$(digest tree/f4096)" | cmp - "$T/out"
	refused 1 'no such blob' cairn ref set x.img c "$(digest tree/f70000)"
	refused 2 'no name for a ref' cairn ref set x.img ../c "$(digest tree/f1)"
	refused 2 'is no digest' cairn ref set x.img c 123
	expect 0 cairn ref delete x.img a
	refused 1 'no such ref' cairn ref delete x.img a
	[ "$(cairn ref list x.img | wc -l)" = 1 ]
}

test_every_damage_is_found() {
	make_tree
	expect 0 mkfs.blobfs x.img --from-dir tree
	local data
	data=$(dump.blobfs --index x.img | awk -v d="$(digest tree/f3000000)" '$1 == d { print $3 }')
	patch x.img $((data + 5 * 4096 + 7)) X
	patch x.img $((data + 300 * 4096)) XYZ
	expect 3 fsck.blobfs --all x.img
	[ "$(grep -c 'bad block' "$T/out")" = 2 ]
	grep -q 'offset 20480 ' "$T/out"
	grep -q 'offset 1228800 ' "$T/out"
	expect 3 fsck.blobfs x.img
	[ "$(grep -c 'bad block' "$T/out")" = 1 ]
	expect 0 fsck.blobfs --no-data x.img
	# Only the damaged blob fails, and nothing wrong gets out.
	refused 3 'not what its hash says' cairn blob get --output got x.img "$(digest tree/f3000000)"
	[ ! -e got ]
	expect 0 cairn blob get x.img "$(digest tree/f524289)"
	cmp "$T/out" tree/f524289
}

test_adding_with_verify_heals() {
	make_tree
	local size data
	expect 0 mkfs.blobfs x.img --from-dir tree
	for size in 70000 3000000; do
		data=$(dump.blobfs --index x.img | awk -v d="$(digest tree/f$size)" '$1 == d { print $3 }')
		patch x.img $((data + 5 * 4096 + 7)) X
	done
	# The damage is below the top of the trees: looking there does not find it.
	expect 0 cairn blob add x.img tree/f70000 tree/f3000000
	expect 3 fsck.blobfs x.img
	[ "$(grep -c 'bad block' "$T/out")" = 2 ]
	expect 0 cairn blob add --verify x.img tree/f70000 tree/f3000000 tree/f524288
	expect 0 fsck.blobfs x.img
	grep -q ' 9 blobs' "$T/err"
	expect 0 cairn blob get x.img "$(digest tree/f3000000)"
	cmp "$T/out" tree/f3000000
	# What is good stays where it is.
	local before
	before=$(dump.blobfs x.img && dump.blobfs --index x.img)
	expect 0 cairn blob add --verify x.img tree/f*
	[ "$before" = "$(dump.blobfs x.img && dump.blobfs --index x.img)" ]
}

test_no_image_is_refused() {
	make_tree
	local program
	head -c 3000000 /dev/urandom >noise
	: >empty
	for program in fsck.blobfs dump.blobfs 'cairn blob list'; do
		refused 5 'is no blobfs image' $program noise
		refused 5 'is no blobfs image' $program empty
		refused 5 'is a directory' $program tree
		refused 1 'No such file' $program missing
	done
	refused 1 'exists' mkfs.blobfs noise tree/f1
	expect 0 mkfs.blobfs --force noise tree/f1
	expect 0 fsck.blobfs noise
}

test_later_versions_and_damaged_superblocks() {
	make_tree
	expect 0 mkfs.blobfs x.img tree/f1
	cp x.img y.img
	# One superblock is enough; the next change repairs the other one.
	patch y.img 100 X
	expect 0 fsck.blobfs y.img
	grep -q 'superblock A is torn' "$T/err"
	expect 0 cairn blob add y.img tree/f4096
	expect 0 fsck.blobfs y.img
	! grep -q torn "$T/err" || fail "still torn"
	patch y.img 100 X
	patch y.img 1048676 X
	refused 3 'not what its hash says' dump.blobfs y.img
	truncate -s 1052671 x.img
	expect 0 mkfs.blobfs z.img tree/f1
	truncate -s $(($(stat -c %s z.img) - 4096)) z.img
	refused 5 'offset 0: says that there are [0-9]* bytes, there are only' dump.blobfs z.img
}

test_full_image_refuses_and_stays() {
	make_tree
	expect 0 mkfs.blobfs x.img --size 2M tree/f70000
	[ "$(stat -c %s x.img)" = 2097152 ]
	refused 1 'x.img: is full: [0-9]* more blocks' cairn blob add x.img tree/f3000000
	expect 0 fsck.blobfs x.img
	expect 0 cairn blob get x.img "$(digest tree/f70000)"
	cmp "$T/out" tree/f70000
	expect 0 cairn blob add x.img tree/f1
	# It grows when its device does.
	truncate -s 6M x.img
	expect 0 cairn blob add x.img tree/f3000000
	expect 0 fsck.blobfs x.img
	[ "$(field x.img device_size)" = 6291456 ]
	refused 1 'full' mkfs.blobfs y.img --size 2M tree/f3000000
	[ ! -e y.img ] || fail "left behind"
}

test_block_devices() {
	make_tree
	truncate -s 5M disk
	local device
	device=$(losetup -f --show disk)
	trap "umount -q '$T/mnt' || true; losetup -d $device" EXIT
	refused 2 'has only' mkfs.blobfs --size 6M "$device" tree/f1
	expect 0 mkfs.blobfs "$device" tree/f70000
	refused 1 'not empty' mkfs.blobfs "$device" tree/f1
	expect 0 mkfs.blobfs --force "$device" tree/f3000000
	expect 0 fsck.blobfs "$device"
	[ "$(field "$device" device_size)" = $((5 << 20)) ]
	expect 0 dump.blobfs --extract "$(digest tree/f3000000)" "$device"
	cmp "$T/out" tree/f3000000
	# Full: refused, and all that was there is there, also for who mounts it.
	head -c 3000000 /dev/urandom >more
	dump.blobfs "$device" >before
	refused 1 'full' cairn blob add "$device" more
	dump.blobfs "$device" | cmp - before
	expect 0 fsck.blobfs "$device"
	local name
	name=$(digest tree/f3000000)
	name=${name#sha256:}
	mkdir mnt
	expect 0 mount.blobfs "$device" mnt
	cmp tree/f3000000 "mnt/${name:0:2}/${name:2}"
	umount mnt
	# What a larger device has is used with the next change, and not before.
	truncate -s 12M disk
	losetup -c "$device"
	[ "$(field "$device" device_size)" = $((5 << 20)) ]
	expect 0 cairn blob add "$device" more
	[ "$(field "$device" device_size)" = $((12 << 20)) ]
	expect 0 fsck.blobfs "$device"
	expect 0 cairn ref set "$device" keep "$(digest more)"
	expect 0 cairn blob gc --compact "$device"
	expect 0 fsck.blobfs "$device"
	expect 0 cairn blob get "$device" "$(digest more)"
	cmp "$T/out" more
	# One that shrank below what is in use is refused.
	truncate -s 3M disk
	losetup -c "$device"
	refused 5 'says that there are 12582912 bytes, there are only 3145728' fsck.blobfs "$device"
}

test_one_writer_at_a_time() {
	make_tree
	expect 0 mkfs.blobfs x.img tree/f70000
	python3 - <<-'END' &
		import fcntl, struct, time
		f = open('x.img', 'r+b')
		fcntl.fcntl(f, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 1, 0))  # F_OFD_SETLK
		open('locked', 'w').close()
		time.sleep(3)
	END
	while [ ! -e locked ]; do sleep 0.05; done
	local start=$SECONDS
	expect 0 cairn blob list x.img
	expect 0 cairn blob add x.img tree/f1
	[ $((SECONDS - start)) -ge 1 ] || fail "did not wait"
	wait
	[ "$(cairn blob list x.img | wc -l)" = 2 ]
}

test_many_writers_lose_nothing() {
	make_tree
	expect 0 mkfs.blobfs x.img
	local i
	for i in 1 2 3 4 5 6 7 8; do
		echo "number $i" >"n$i"
		cairn blob add x.img "n$i" >/dev/null &
	done
	wait
	expect 0 fsck.blobfs x.img
	[ "$(cairn blob list x.img | wc -l)" = 8 ]
}

test_no_memory_errors() {
	mkdir tree
	seq 1 90000 >tree/large
	seq 1 5000 >tree/small
	: >tree/empty
	local grind='valgrind -q --error-exitcode=99 --leak-check=full' digest at
	expect 0 $grind "$CAIRN_BUILD/mkfs.blobfs" --quiet image --from-dir tree
	digest=$("$cairn" digest --compact tree/large)
	digest=sha256:${digest#sha256:}
	expect 0 $grind "$cairn" blob get image "$digest" -o got
	cmp got tree/large
	expect 0 $grind "$cairn" ref set image one "$digest"
	expect 0 $grind "$cairn" ref list --json image
	expect 0 $grind "$cairn" blob gc image
	expect 0 $grind "$cairn" blob add image tree/small
	expect 1 $grind "$cairn" blob get image "$(printf '%064d' 0)"
	expect 0 $grind "$cairn" build tree --blobfs other
	expect 0 $grind "$cairn" blob gc --compact other
	expect 0 $grind "$cairn" store add --ref os s tree
	expect 0 $grind "$cairn" store checkout s os restored
	expect 1 $grind "$cairn" store checkout s os restored
	expect 0 $grind "$cairn" store verify s
	expect 0 $grind "$cairn" store gc s
	expect 0 $grind "$CAIRN_BUILD/fsck.blobfs" image
	# A byte of the large one, which lies as it is.
	at=$(LC_ALL=C grep -obaF -m 1 "$(seq 40000 40100)" image | head -n 1 | cut -d: -f1)
	printf X | dd of=image bs=1 seek="$at" conv=notrunc status=none
	expect 3 $grind "$CAIRN_BUILD/fsck.blobfs" --all image
	expect 3 $grind "$cairn" blob get image "$digest" -o bad
	[ ! -e bad ]
}

run_tests "$@"
