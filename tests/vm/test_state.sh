# SPDX-License-Identifier: MIT
# What the init puts over the verified root before anything of it runs: the state below
# /var, a volatile /etc with files that persist, verified extensions.
. "$(dirname "$0")/lib.sh"

console='console=ttyS0 panic=-1 quiet'
policy='cairn.wait=8 cairn.timeout=100 cairn.subdir=/os/one cairn.overlay=etc cairn.state=ext4'
policy+=' cairn.persist=/etc/machine-id,/etc/kept,/etc/deep/new cairn.extensions=yes'

# state DIRECTORY OUT: a disk whose one partition is for /var, with those files.
state() {
	truncate -s 24M "$2.fs"
	mke2fs -q -t ext4 -d "$1" "$2.fs" >/dev/null 2>&1
	truncate -s 26M "$2"
	echo "start=2048, size=49152, type=4d21b016-b534-45c2-a9fb-5c16e091fd2d" |
		sfdisk -q --label gpt "$2"
	dd if="$2.fs" of="$2" bs=1M seek=1 conv=notrunc status=none
}

extension() {
	"$cairn" extension build x -o "$1" --id _any --quiet --key "keys/$2.key" --cert "keys/$2.crt" \
		>/dev/null
	rm -rf x
}

# Made once: an image whose root is one of its directories, extensions, a state.
shared=$(mktemp -d "${TMPDIR:-/tmp}/cairn-vm.XXXXXX")
trap 'rm -rf "$shared"' EXIT
prepare() {
	T=$shared
	cd "$shared"
	local purpose
	small_system
	cp "$CAIRN_BUILD/tests/vm/switch_root" system/usr/sbin/init
	cp "$CAIRN_TOP/tests/vm/state.guest" system/check
	echo of the image >system/etc/kept
	mkdir system/etc/deep
	for purpose in sysext confext; do
		"$cairn" key new keys --purpose $purpose --quiet
		mkdir -p system/usr/lib/cairn/trust/$purpose
		cp keys/$purpose.crt system/usr/lib/cairn/trust/$purpose/
	done
	mkdir -p image/os image/usr/lib
	cp system/usr/lib/os-release image/usr/lib/
	echo secret >image/outside
	mv system image/os/one
	filesystem erofs image data && disk root data disk
	initrd erofs "roothash=$roothash $policy" initrd
	mkdir -p x/usr/share state/lib/{extensions,confexts} state/lib/cairn/persist/etc
	echo extended >x/usr/share/extended
	extension state/lib/extensions/one.sysext.raw sysext
	mkdir -p x/etc
	echo configured >x/etc/configured
	extension state/lib/confexts/two.confext.raw confext
	ln -s /dev/null state/lib/extensions/hidden.raw
	echo 0123456789abcdef0123456789abcdef >state/lib/cairn/persist/etc/machine-id
	# Of a boot that was cut short while it copied the file.
	echo of >state/lib/cairn/persist/etc/kept.part
	echo "$roothash" >facts
}
(set -e; prepare) >"$shared/log" 2>&1
[ $? = 0 ] || { cat "$shared/log"; echo 'not ok - cannot make the test image'; exit 1; }

start() {
	read -r roothash <"$shared/facts"
	cp "$shared/initrd" .
	cp -r "$shared/state" .
	disk=$shared/disk
	line="roothash=$roothash $policy $console"
}

test_a_state_and_extensions() {
	start
	state state var
	boot "$line" "$disk" var
	grep -a MARKER serial
	silent 'MARKER FAILED'
	says 'MARKER end'
}

test_two_states() {
	start
	state state var
	cp var again
	boot "$line" "$disk" var again
	stopped 'two partitions for /var: vd[bc]1 and vd[bc]1'
}

test_no_state() {
	start
	boot "${line% quiet}" "$disk"
	says 'cairn: waiting for the partition of /var, [3-7] s of 8'
	stopped 'no disk has a partition for /var after 8 s'
}

test_spoilt_state() {
	start
	state state var
	dd if=/dev/urandom of=var bs=1M seek=1 count=8 conv=notrunc status=none
	boot "$line" "$disk" var
	stopped 'cannot mount /dev/vdb1 as ext4: '
}

# An extension that is left out may be the one that closes a hole.
test_spoilt_extension() {
	start
	flip state/lib/extensions/one.sysext.raw $((1048576 + 1200))
	state state var
	boot "$line" "$disk" var
	stopped 'one'
}

test_linked_persistent_file() {
	start
	ln -s /dev/vda state/lib/cairn/persist/etc/kept
	state state var
	boot "$line" "$disk" var
	stopped 'lib/cairn/persist/etc/kept'
}

run_tests "$@"
