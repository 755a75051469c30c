# SPDX-License-Identifier: MIT
# A few rows of the matrix that `make evidence` writes into docs/forensics.md.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin

test_short_matrix() {
	[ "$(id -u)" = 0 ] || skip 'loop devices need root'
	expect 0 python3 "$CAIRN_TOP/tests/evidence/matrix.py" --short "$cairn" "$T/evidence"
	# The plain way shows that the images are such as can be harmed.
	[ "$(grep -c 'bytes changed\*\*' out)" -ge 4 ]
	! grep -q FAULT out
}

# The table in the document is of the images and attacks there are now.
test_table_is_complete() {
	local name
	for name in $(sed -n 's/^make_\([a-z0-9-]*\)().*/\1/p' "$CAIRN_TOP/tests/evidence/make-images"); do
		grep -q "^| $name |" "$CAIRN_TOP/docs/forensics.md" || fail "no row for $name; run make evidence"
	done
	[ "$(grep -c '| \*\*noticed\*\*' "$CAIRN_TOP/docs/forensics.md")" -ge 11 ]
}

run_tests "$@"
