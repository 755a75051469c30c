# SPDX-License-Identifier: MIT
# Extensions on Debian 12's own kernel, 6.1, where no mount can go beneath another one: a
# new composition is stacked on the old one, and says so.
kernel_tree=${CAIRN_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}/suite/old-kernel
. "$(dirname "$0")/extensions.sh"

checks='stacks_for_real examines'

test_old_kernel() {
	make_keys
	system
	versions
	configuration
	file usr/a && handmade unsigned.raw ''
	guest
	run_guest
	says 'MARKER readers: [0-9]+ opens, [0-9]+ runs, 0 failed, 0 mixed'
	[[ $release == 6.1.* ]]
}

run_tests "$@"
