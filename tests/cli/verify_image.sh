# SPDX-License-Identifier: MIT
# An image for the tests of `cairn verify`, made by other people's tools: source this instead of
# tests/lib.sh. One for all tests of a file, in $fixture; each works on a copy.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin

fixture=$(mktemp -d "${TMPDIR:-/tmp}/cairn-verify.XXXXXX")
trap 'rm -rf "$fixture"' EXIT
"$CAIRN_TOP/tests/make-image" "$fixture" || {
	echo "not ok - tests/make-image"
	exit 1
}
chmod a+rx "$fixture"

image() {
	cp "$fixture/image.raw" "$fixture/root.crt" "$fixture/other.crt" "$fixture/roothash" .
}

# area NAME: sets $offset and $size
area() {
	read -r offset size < <(awk -v name="$1" '$1 == name { print $2, $3 }' "$fixture/areas")
}

good() {
	expect 0 "$cairn" verify --cert root.crt image.raw
	! grep -q ^FAULT out || fail "$(grep ^FAULT out)"
}

# poke OFFSET HEX: writes bytes into image.raw
poke() {
	printf "$(echo "$2" | sed 's/../\\x&/g')" |
		dd of=image.raw bs=1 seek="$1" conv=notrunc status=none
}

# edited EXPRESSION: an image made by tests/make-image with EXPRESSION applied to the script
# and the fixture's keys, in edited/. An EXPRESSION that changes nothing is a mistake, but for
# the one that says so.
edited() {
	sed -e "s|^key root\$|cp '$fixture'/root.{key,crt} .|" "$CAIRN_TOP/tests/make-image" >unedited
	sed -e "$1" unedited >make-image
	[ "$1" = s/NOTHING// ] || ! cmp -s make-image unedited || fail "nothing to edit for $1"
	rm -rf edited
	mkdir edited
	bash make-image "$T/edited"
}
