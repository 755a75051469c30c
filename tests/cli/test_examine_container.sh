# SPDX-License-Identifier: MIT
# `cairn examine` of images in several files, and in EWF containers made by other tools.
. "$(dirname "$0")/examine_image.sh"

# image: image.raw, an ext4 of 8 MiB with /etc/file and /etc/big, which does not compress
image() {
	mkdir -p tree/etc
	echo genuine >tree/etc/file
	openssl enc -aes-128-ctr -pass pass:cairn -nosalt -pbkdf2 -in /dev/zero 2>/dev/null |
		head -c 3M >tree/etc/big
	truncate -s 8M image.raw
	mke2fs -q -F -t ext4 -d tree image.raw
}

# acquire [OPTION...]: image.E01 and so on
acquire() {
	ewfacquire -u -q -t image -f encase6 -c deflate:fast -S 1MiB -C 2026/42 -E 'disk "3"' \
		-e 'A. B.' -N "$(printf 'a note\033')" -D description -d sha1 "$@" image.raw >acquired 2>&1
}

# as_raw [OPTION...] FILE: FILE shows the files, and has the digest, of image.raw.
as_raw() {
	rm -rf report
	expect 0 "$cairn" examine --report report "$@" -- cmp etc/big "$T/tree/etc/big"
	report 'd["command"]["status"] == 0 and d["status"] == 0'
	report "image['digestsBefore']['sha256'] == '$(sha256sum <image.raw | cut -d' ' -f1)'"
	report 'all(s["role"] == "segment" and s["digestsBefore"] == s["digestsAfter"] for s in segments)'
}

test_split_images() {
	local before
	image
	split -b 3M -a 3 --numeric-suffixes=1 image.raw image.
	split -b 1M image.raw letters.
	split -b 4M -d image.raw zero.
	before=$(state image.0* letters.a* zero.0*)
	as_raw image.001
	report 'len(segments) == 3 and d["acquisition"]["format"] == "split raw"'
	report "segments[2]['digestsAfter']['sha256'] == '$(sha256sum <image.003 | cut -d' ' -f1)'"
	grep -q 'image_filename>image.003<' report/report.dfxml
	as_raw --seal-limit 0 --interop letters.aa
	report 'len(segments) == 8 and image["view"] == "verifying file" and image["verifiedBytes"] > 3 << 20'
	report "image['digestsAfter']['md5'] == '$(md5sum <image.raw | cut -d' ' -f1)'"
	expect 0 "$cairn" examine --json --no-hash-before zero.00 -- cmp etc/big "$T/tree/etc/big"
	report 'd["command"]["status"] == 0 and len(segments) == 2 and image["digestsBefore"] is None' out
	[ "$(state image.0* letters.a* zero.0*)" = "$before" ]
	# The same file system, of which the first segment is not enough.
	refused 5 'the kernel refuses|not examined' "$cairn" examine --quiet --single image.001 -- true
	cp image.raw only.001
	as_raw only.001
	report 'segments == [] and "acquisition" not in d'
}

test_split_images_that_lack_something() {
	image
	split -b 2M -a 3 --numeric-suffixes=1 image.raw image.
	expect 0 "$cairn" examine --quiet image.001 -- true
	mv image.002 away
	refused 5 'image.002: this segment is missing, but there is image.00[34]' "$cairn" examine --quiet image.001 -- true
	head -c 1M away >image.002
	refused 5 'image.002: has 1048576 bytes, and the first segment 2097152: cut off' \
		"$cairn" examine --quiet image.001 -- true
	rm image.002
	mkfifo image.002
	refused 5 'image.002: is a FIFO' "$cairn" examine --quiet image.001 -- true
	mv away image.002
	expect 0 "$cairn" examine --quiet image.001 -- true
}

# Each segment has its own trip-wires.
test_segments_are_watched() {
	image
	split -b 2M -a 3 --numeric-suffixes=1 image.raw image.
	acquire
	local segment other first
	for segment in image.003 image.E02; do
		first=image.001
		[ $segment = image.003 ] || first=image.E01
		for other in '' --seal-limit=0; do
			rm -rf report
			cp -p $segment saved
			expect 6 "$cairn" examine --report report $other $first -- \
				bash -c "printf forged | dd of=$T/$segment bs=1 seek=500000 conv=notrunc status=none"
			report "{c['check'] for c in d['checks'] if c['status'] == 6 and c['area'] == '$segment'} >= {'lease', 'hash', 'attributes'}"
			cp saved $segment
			expect 0 "$cairn" examine --quiet $other $first -- true
		done
		exec 9<>$segment
		refused 6 "$segment: can be written to by" "$cairn" examine --quiet $first -- true
		exec 9>&-
		expect 0 "$cairn" examine --quiet $first -- true
	done
}

test_ewf_container() {
	local before segments
	image
	acquire
	segments=$(ls image.E* | wc -l)
	[ "$segments" -gt 2 ]
	before=$(state image.E*)
	as_raw image.E01
	report '{"container", "stored-hash"} <= good'
	report "image['digestsAfter']['sha1'] == '$(sha1sum <image.raw | cut -d' ' -f1)' == d['acquisition']['sha1']"
	report "image['digestsAfter']['md5'] == '$(md5sum <image.raw | cut -d' ' -f1)' == d['acquisition']['md5']"
	report "len(segments) == $segments == d['acquisition']['segments'] and d['acquisition']['mediaSize'] == 8 << 20"
	report 'd["acquisition"]["case"] == "2026/42" and d["acquisition"]["examiner"] == "A. B."'
	report 'd["acquisition"]["evidence"] == "disk \"3\"" and d["acquisition"]["software"]'
	report "d['acquisition']['acquired'].startswith('$(date -u -r image.E01 +%Y-%m-%dT%H)')"
	grep -qx '  notes            a note?*' report/report.txt
	as_raw --seal-limit 0 image.E01
	report 'image["view"] == "verifying file"'
	[ "$(state image.E*)" = "$before" ]
	refused 2 'is segment 2 of a container; name the first one' "$cairn" examine --quiet image.E02 -- true
	refused 5 'not examined: ewf is not a file system' "$cairn" examine --quiet --single image.E01 -- true
	mv image.E02 away
	refused 5 'image.E02: this segment is missing, but there is image.E0' "$cairn" examine --quiet image.E01 -- true
}

# A partition of a disk, from a stream; and a container that stores no digest of ours.
test_ewf_container_of_a_disk() {
	image
	truncate -s 16M disk
	sfdisk -q disk <<<'label: gpt
		start=2048, size=16384'
	dd if=image.raw of=disk bs=1M seek=1 conv=notrunc status=none
	ewfacquirestream -q -t disk -f encase6 -c best <disk >acquired 2>&1
	expect 0 "$cairn" examine --json disk.E01 -- cat etc/file
	grep -q genuine err
	report 'd["partition"] == 1 and image["offset"] == 1 << 20 and "sha1" not in d["acquisition"]' out
}

# A chunk that is not what its checksum says is named, and all others are shown.
test_ewf_container_that_is_damaged() {
	image
	acquire
	cp image.E02 whole
	python3 -c '
f = open("image.E02", "r+b")
f.seek(400000)
b = f.read(4)
f.seek(400000)
f.write(bytes(x ^ 255 for x in b))'
	ewfexport -u -q -t raw -f raw image.E01 >exported 2>&1 || true
	expect 3 "$cairn" examine --report report image.E01 -- cat etc/file
	[ "$(head -n1 out)" = genuine ]
	report 'faults == {"container", "stored-hash"} and d["command"]["status"] == 0'
	# The place is the one where what others read of it differs from the original.
	report "(lambda c, at: len(c) == 1 and c[0]['offset'] <= at < c[0]['offset'] + c[0]['size'] == c[0]['offset'] + 32768)(
		[c for c in d['checks'] if c['check'] == 'container' and c['status'] == 3],
		$(cmp -l raw.raw image.raw | awk 'NR == 1 { print $1 }') - 1)"
	refused 3 'image \(offset [0-9]+, 32768 bytes\): is not what its checksums in the container say' \
		"$cairn" examine --quiet image.E01 -- true
	cp whole image.E02
	expect 0 "$cairn" examine --quiet image.E01 -- true
}

# Whatever is cut off or overwritten: never good, never a crash of the examiner, never silent.
test_ewf_container_that_is_hostile() {
	local size at status last
	image
	acquire
	last=$(ls image.E* | tail -n1)
	mkdir whole
	cp image.E* whole/
	broken() {
		status=0
		timeout 60 "$cairn" examine --quiet image.E01 -- true 2>err || status=$?
		[[ $status = [35] ]] || fail "status $status: $1: $(cat err)"
		[ "$(wc -l <err)" = 1 ] || fail "not one line: $1: $(cat err)"
		cp whole/* .
	}
	size=$(stat -c %s image.E01)
	for at in 4 13 20 89 300 2000 $((size / 2)) $((size - 80)); do
		truncate -s $at image.E01
		[ $at -gt 10 ] || { cp whole/* .; continue; } # no longer one of EWF
		broken "E01 cut at $at"
	done
	truncate -s -90 "$last"
	broken 'the last one cut'
	: >"$last"
	broken 'the last one empty'
	# Lengths and offsets of sections, the numbers of the volume, the table.
	for at in 29 37 16 1000 1600 1700 1800 1900; do
		printf '\377\377\377\377\377\377\377\177' | dd of=image.E01 bs=1 seek=$at conv=notrunc status=none
		broken "overwritten at $at"
	done
	expect 0 "$cairn" examine --quiet image.E01 -- true
}

# The process that parses the container: confined, and missed when it is gone.
test_ewf_container_parser() {
	local pid child status=0 i
	image
	acquire
	"$cairn" examine --report report --seal-limit 0 image.E01 -- \
		bash -c "while [ ! -e $T/go ]; do sleep 0.05; done; cat etc/big >/dev/null" 2>err &
	pid=$!
	for ((i = 0; i < 600; i++)); do
		child=$(pgrep -P $pid -x cairn-confine) && break
		sleep 0.05
	done
	for child in $(pgrep -P $pid -x cairn-view) $(pgrep -P $pid -x cairn-segments); do
		grep -qx 'Seccomp:	2' /proc/$child/status
		grep -qx 'NoNewPrivs:	1' /proc/$child/status
		grep -q . /proc/$child/comm
	done
	# It has no other root than the segments.
	[ "$(ls /proc/$child/root | head -n1)" = segment.1 ]
	[ "$(ls /proc/$child/root | wc -l)" = "$(ls image.E* | wc -l)" ]
	kill -SEGV $child
	touch go
	wait $pid || status=$?
	[ $status = 5 ] || fail "status $status: $(cat err)"
	report '"container" in faults and d["command"]["status"] == 1'
	grep -q 'the process that reads the container was killed by a signal: Segmentation fault' err
	rm go
	# It ends with the examiner, whatever happens to that one.
	"$cairn" examine --quiet image.E01 -- sleep 100 2>/dev/null &
	pid=$!
	for ((i = 0; i < 600; i++)); do
		child=$(pgrep -P $pid -x cairn-segments) && break
		sleep 0.05
	done
	kill -KILL $pid
	wait $pid 2>/dev/null || true
	for ((i = 0; i < 600; i++)); do
		kill -0 $child 2>/dev/null || break
		sleep 0.05
	done
	! kill -0 $child 2>/dev/null || fail 'the parser lives on'
}

run_tests "$@"
