# SPDX-License-Identifier: MIT
# The reader stands alone: no libc, no compiler support library, on 32 and 64 bits.
. "$(dirname "$0")/../lib.sh"

# freestanding COMPILER OPTION... : its parts into one object that needs nothing.
freestanding() {
	local part
	for part in reader reader_blob reader_tree; do
		"$@" -std=gnu17 -Wall -Wextra -Werror -O2 -g0 -ffreestanding -nostdlib \
			-fno-tree-loop-distribute-patterns -I"$CAIRN_TOP" \
			-c "$CAIRN_TOP/blobfs/$part.c" -o "$T/$part.o"
	done
	"$@" -nostdlib -no-pie -r -o "$T/whole.o" "$T"/reader*.o
	expect 0 nm -u "$T/whole.o"
	[ ! -s "$T/out" ] || fail "$1: needs $(cat "$T/out")"
	expect 0 nm --defined-only "$T/whole.o"
	grep -q ' T blobfs_read$' "$T/out"
}

test_x86_64() {
	freestanding gcc
}

test_aarch64() {
	freestanding aarch64-linux-gnu-gcc
}

test_i686() {
	freestanding i686-linux-gnu-gcc -fno-pic
}

# A function that needs something is noticed by the check above.
test_check_notices() {
	echo 'void memset_needed(void *p) { extern void *memset(); memset(p, 1, 9999); }' >needs.c
	gcc -w -c needs.c -o needs.o
	expect 0 nm -u needs.o
	grep -q memset "$T/out"
}

test_reader_is_small() {
	local lines
	lines=$(cat "$CAIRN_TOP"/blobfs/reader{,_blob,_tree}.c "$CAIRN_TOP"/blobfs/{reader_parts,bytes}.h |
		grep -cvE '^[[:space:]]*(/?\*.*)?$|^#')
	echo "$lines lines"
	[ "$lines" -le 450 ]
}

run_tests "$@"
