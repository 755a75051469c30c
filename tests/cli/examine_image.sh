# SPDX-License-Identifier: MIT
# What the tests of `cairn examine` share: source this instead of tests/lib.sh.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin

[ "$(id -u)" = 0 ] || {
	echo "ok - $(basename "$0" .sh) # SKIP needs root"
	exit 0
}

# image [SIZE]: image.raw, an ext4 with /etc/file and /etc/big (1 MiB of text)
image() {
	mkdir -p tree/etc
	echo genuine >tree/etc/file
	yes genuine | head -c 1M >tree/etc/big
	truncate -s "${1:-24M}" image.raw
	mke2fs -q -F -t ext4 -d tree image.raw
}

# state [FILE...]: what only the examination of image.raw, or of these, may not change
state() {
	local file
	[ $# -gt 0 ] || set -- image.raw
	# Where they lie, and in how many blocks, is settled then.
	sync "$@"
	for file; do
		# In this order: it is not this reading that sets the access time.
		openssl dgst -sha256 -r "$file"
		stat -c '%n %i %s %b %f %u %g %h %x %y %z' "$file"
	done
}

# report PYTHON [FILE]: holds of the report `d`, with the names of checks that are `faults` or
# `good`, all `texts`, the `image`, its `segments`, and what a hash `tree` says.
report() {
	python3 - "${2:-report/report.json}" <<-P
		import json, sys
		d = json.load(open(sys.argv[1]))
		faults = {c["check"] for c in d["checks"] if c["status"]}
		good = {c["check"] for c in d["checks"] if not c["status"]}
		texts = " ".join(c["text"] for c in d["checks"] + d["notes"] + d["uncovered"])
		image, segments = (d["files"] or [None])[0], d["files"][1:]
		tree = [c for c in d["checks"] if c["check"] == "tree"]
		assert $1, (sorted(faults), d)
	P
}

# examined STATUS ATTACK [OPTION...]: ATTACK runs as the command, in the mount, with $1 the
# image, $2 the loop device and $3 this directory.
examined() {
	local status=$1 attack=$2
	shift 2
	rm -rf report
	expect "$status" "$cairn" examine --report report "$@" "$T/image.raw" -- bash -ec \
		"set -- '$T/image.raw' \$(awk '\$2 == \"/mnt\" { print \$1 }' /proc/mounts) '$T'
		$attack"
}

# The views that are tested: a copy in memory, and the verifying file.
views=('--seal-limit 256' '--seal-limit 0')
