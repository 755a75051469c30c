# SPDX-License-Identifier: MIT
# What only new kernels can do: the initramfs is left by pivot_root (from 7.2 on). The same
# image boots on the base tree's kernel too, where it must be covered instead.
kernel_tree=${CAIRN_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}/suite/kernel
. "$(dirname "$0")/lib.sh"

image() {
	tree tree && filesystem erofs tree data && disk root data disk
	initrd erofs "roothash=$roothash" initrd
}

test_new_kernel() {
	image
	boot "roothash=$roothash console=ttyS0 panic=-1 loglevel=7" disk
	booted
	says "Linux version ${release%%+*}"
	says 'cairn: left the initramfs by pivot_root'
}

test_base_kernel() {
	kernel_tree=$base
	choose_kernel
	image
	boot "roothash=$roothash console=ttyS0 panic=-1 loglevel=7" disk
	booted
	says "Linux version ${release%%+*}"
	silent 'pivot_root'
}

run_tests "$@"
