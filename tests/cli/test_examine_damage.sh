# SPDX-License-Identifier: MIT
# `cairn examine` of images that have hash trees of dm-verity: what is damaged, by name.
. "$(dirname "$0")/examine_image.sh"

fixture=$(mktemp -d "${TMPDIR:-/tmp}/cairn-damage.XXXXXX")
trap 'rm -rf "$fixture"' EXIT
"$CAIRN_TOP/tests/make-image" "$fixture" || {
	echo "not ok - tests/make-image"
	exit 1
}

# area NAME: sets $offset and $size
area() {
	read -r offset size < <(awk -v name="$1" '$1 == name { print $2, $3 }' "$fixture/areas")
}

# poke OFFSET: another byte is there in image.raw
poke() {
	local old
	old=$(od -An -tu1 -j "$1" -N 1 image.raw)
	printf "\\x$(printf %02x $((old ^ 255)))" |
		dd of=image.raw bs=1 seek="$1" conv=notrunc status=none
}

# Nothing changed in any case: that would be status 6, and is told by itself.
examine() {
	rm -rf report
	sum=$(sha256sum <image.raw)
	expect "$1" "$cairn" examine --quiet --html --report report "${@:2}" image.raw -- cat etc/motd
	[ "$(sha256sum <image.raw)" = "$sum" ]
	[ "$(cat out)" = hello ]
	report "d['status'] == $1 and d['command']['status'] == 0"
	report 'not [c for c in d["checks"] if c["status"] == 6]'
}

test_untouched_then_damaged() {
	cp "$fixture/image.raw" .
	examine 0
	report 'len(tree) == 1 and tree[0]["status"] == 0 and tree[0]["area"] == "root partition"'
	grep -q "^ok .*root partition.*root hash $(cat "$fixture/roothash")" report/report.txt
	grep -q ' ok tree: root partition' report/report.log
	! grep -q 'id="damage"' report/report.html || fail 'damage where there is none'
	area data
	poke $((offset + 4096 * 100 + 17))
	examine 3
	report 'len(tree) == 1 and tree[0]["status"] == 3 and (tree[0]["block"], tree[0]["blocks"]) == (100, 1)'
	report "tree[0]['offset'] == $offset + 409600 and tree[0]['where'][0]['names'][0]['path'] == '/usr/bin/foo'"
	grep -Eq '^FAULT .*root partition, block 100 .*: /usr/bin/foo bytes [0-9]+-[0-9]+$' report/report.txt
	grep -q ' fault tree: root partition, block 100 .*/usr/bin/foo bytes .*(status 3)' report/report.log
	sed -n '/id="damage"/,/<\/section>/p' report/report.html >section
	grep -q 'root partition, block 100.*/usr/bin/foo bytes' section
	expect 0 "$cairn" verify --no-signature report
	# The same block as veritysetup finds.
	dd if=image.raw of=data bs=4096 skip=$((offset / 4096)) count=$((size / 4096)) status=none
	area hash
	dd if=image.raw of=tree bs=4096 skip=$((offset / 4096)) count=$((size / 4096)) status=none
	expect 2 veritysetup verify data tree "$(cat "$fixture/roothash")"
	grep -q 'failed at position 409600' err
}

# What is not there, is empty, is spoilt, or shall not be read.
test_trees_that_say_nothing() {
	cp "$fixture/image.raw" .
	examine 0 --no-hash-before
	report 'not tree and [u for u in d["uncovered"] if u["check"] == "tree" and "left out" in u["text"]]'
	area hash
	poke $((offset + 8))
	examine 7
	report 'len(tree) == 1 and "cannot be held to its hash tree" in tree[0]["text"]'
	dd if=/dev/zero of=image.raw bs=512 seek=$((offset / 512)) count=1 conv=notrunc status=none
	examine 0
	report 'not tree and [u for u in d["uncovered"] if u["check"] == "tree" and "is empty" in u["text"]]'
	sfdisk -q --delete image.raw 3
	examine 0
	report 'not tree and not [u for u in d["uncovered"] if u["check"] == "tree"]'
}

# A damaged tree is damage as well; and one that changes is one that changed.
test_damaged_tree() {
	cp "$fixture/image.raw" .
	area hash
	poke $((offset + 4096 * 2 + 9))
	examine 3
	report 'tree[0]["status"] == 3 and tree[0]["area"] == "root verity partition" and tree[0]["block"] == 1'
	cp "$fixture/image.raw" .
	area data
	poke $((offset + 4096 * 100))
	rm -r report
	expect 6 "$cairn" examine --quiet --report report image.raw -- \
		sh -c "printf x | dd of='$PWD/image.raw' bs=1 conv=notrunc status=none"
	report 'tree[0]["status"] == 3'
}

run_tests "$@"
