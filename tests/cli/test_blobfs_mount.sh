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

test_refusals() {
	make_files
	mounted -o rw,nosuid,nodev x.img
	cmp f5000 "$(path "$(digest f5000)")"
	refused 2 'unknown mount option' mount.blobfs -o frobnicate x.img mnt
	refused 2 'image and a directory' mount.blobfs x.img
	refused 5 'is no blobfs image' mount.blobfs f700000 mnt
	refused 1 'No such file' mount.blobfs missing mnt
}

run_tests "$@"
