# SPDX-License-Identifier: MIT
# What `cairn examine` writes down: custody, environment, what was found and not examined.
. "$(dirname "$0")/examine_image.sh"

# image: image.raw, an ext4 with /etc/file, a link that leads out, and odd names
image() {
	mkdir -p tree/etc
	echo genuine >tree/etc/file
	ln -s /etc/passwd tree/etc/link
	echo odd >"tree/<b>&\"'"
	printf raw >"tree/$(printf 'x\377y\033')"
	truncate -s 8M image.raw
	mke2fs -q -F -t ext4 -d tree image.raw
}

test_custody_and_environment() {
	image
	expect 0 "$cairn" examine --report report --case 2026/42 --evidence 'disk "3"' \
		--examiner $'A.\nB.' --notes $'\xff' image.raw -- true
	report 'd["custody"]["case"] == "2026/42" and d["custody"]["evidence"] == "disk \"3\""'
	report 'd["custody"]["examiner"] == "A.\nB." and d["custody"]["notes_hex"] == "ff"'
	report 'd["environment"]["commandLine"][:3] == ["cairn", "examine", "--report"]'
	report "d['environment']['release'] == '$(uname -r)' and d['environment']['uid'] == 0"
	grep -qx 'case      2026/42' report/report.txt
	grep -qx 'examiner  A.?B.' report/report.txt
	expect 0 "$cairn" examine --json image.raw -- true
	report 'set(d["custody"].values()) == {None}' out
}

# Each partition is in the report: examined, or by its name among what is uncovered.
test_what_was_found_is_named() {
	image
	truncate -s 56M disk
	sfdisk -q disk <<-'S'
		label: gpt
		start=1MiB, size=8MiB
		start=10MiB, size=18MiB
		start=28MiB, size=8MiB
		start=36MiB, size=4MiB
		start=40MiB, size=4MiB
	S
	dd if=image.raw of=disk bs=1M seek=1 conv=notrunc status=none
	truncate -s 18M luks
	echo secret | cryptsetup -q luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 luks -
	dd if=luks of=disk bs=1M seek=10 conv=notrunc status=none
	truncate -s 8M fat
	mkfs.vfat fat >/dev/null
	dd if=fat of=disk bs=1M seek=28 conv=notrunc status=none
	printf 'EVF\t\r\n\377\0' | dd of=disk bs=1M seek=36 conv=notrunc status=none
	expect 0 "$cairn" examine --report report disk -- cat etc/file
	[ "$(cat out)" = genuine ]
	report '[(a["partition"], a["type"], a["shown"]) for a in d["areas"]] == [(1, "ext4", True),
		(2, "crypto_LUKS", False), (3, "vfat", False), (4, "ewf", False), (5, None, False)]'
	report '[u["text"] for u in d["uncovered"] if u["check"] == "areas"] == [
		"partition 2: LUKS, encrypted: not examined", "partition 3: a FAT file system: not examined",
		"partition 4: an EWF container (E01): not examined",
		"partition 5: nothing that is known: not examined",
		"14680064 bytes lie in no partition: not looked into"]'
	grep -q '^partition 2: 18874368 bytes from offset 10485760, LUKS, encrypted, not looked into$' report/report.txt
	# Not only beside one that was examined, and not for one that is all of the image.
	expect 5 "$cairn" examine --json --partition 2 disk -- true
	report 'len([u for u in d["uncovered"] if u["check"] == "areas"]) == 6' out
	expect 0 "$cairn" examine --json image.raw -- true
	report 'not [u for u in d["uncovered"] if u["check"] == "areas"] and d["areas"][0]["size"] == 8 << 20' out
}

# A line of Python about report.dfxml: `files` has its file objects by their names.
dfxml() {
	python3 -c "import sys, xml.etree.ElementTree as T
N = '{http://www.forensicswiki.org/wiki/Category:Digital_Forensics_XML}'
d = T.parse('report/report.dfxml').getroot()
def told(o): return {c.tag.replace(N, ''): c.text for c in o}
files = {f.find(N + 'filename').text: told(f) for f in d.iter(N + 'fileobject')}
find = lambda p: d.find('/'.join(N + n for n in p.split('/'))).text
assert $1, files"
}

# The digests are those of other tools; links are not followed, names are not trusted.
test_file_list() {
	image
	sum=$(sha256sum <image.raw | cut -d' ' -f1)
	expect 0 "$cairn" examine --report report --files image.raw -- true
	dfxml 'find("creator/program") == "cairn" and "--files" in find("creator/execution_environment/command_line")'
	dfxml 'find("volume/ftype_str") == "ext4" and find("source/image_filename") == "image.raw"'
	dfxml "files['image.raw']['hashdigest'] == '$sum' and files['image.raw']['filesize'] == str(8 << 20)"
	dfxml "files['etc/file']['hashdigest'] == '$(sha256sum <tree/etc/file | cut -d' ' -f1)'"
	dfxml "files['etc/file']['mtime'].startswith('$(date -u +%Y-%m-%dT%H: -r tree/etc/file)')"
	dfxml 'files["etc/link"]["link_target"] == "/etc/passwd" and "hashdigest" not in files["etc/link"]'
	dfxml "files['<b>&\\\"\'']['hashdigest'] == '$(echo odd | sha256sum | cut -d' ' -f1)'"
	dfxml '"x\ufffdy\ufffd" in files and files["etc"]["name_type"] == "d"'
	grep -qF '<!-- filename in hex: 78ff791b -->' report/report.dfxml
	dfxml "len(files) == 1 + $(find tree -mindepth 1 | wc -l) + 1" # and lost+found
	report '[c for c in d["checks"] if c["check"] == "files" and c["status"] == 0]'
	# Without --files there is a DFXML of the image alone.
	rm -r report
	expect 0 "$cairn" examine --report report image.raw -- true
	dfxml 'list(files) == ["image.raw"]'
	refused 2 'needs --report' "$cairn" examine --files image.raw -- true
}

# A file that cannot be read is named; all others are listed.
test_file_list_of_damaged_image() {
	mkdir tree
	yes text | head -c 256k >tree/broken
	echo whole >tree/whole
	mksquashfs tree damaged.raw -quiet -b 65536 >/dev/null
	cp damaged.raw good.raw
	dd if=/dev/urandom of=damaged.raw bs=1 seek=98 count=200 conv=notrunc status=none
	expect 0 "$cairn" examine --report report --files good.raw -- true
	dfxml '"hashdigest" in files["broken"]'
	rm -r report
	expect 0 "$cairn" examine --report report --files damaged.raw -- true
	report '"/broken" in [u["area"] for u in d["uncovered"] if u["check"] == "files"]'
	dfxml '"hashdigest" not in files["broken"] and "whole" in files'
}

# certificate NAME [OPTION...]: NAME.key and NAME.crt
certificate() {
	openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=$1" -days 30 -keyout "$1.key" \
		-out "$1.crt" "${@:2}" 2>/dev/null
}

# resum DIR: its manifest is made to fit the files that it names
resum() {
	(cd "$1" && sha256sum report.json report.txt report.dfxml report.log >report.sha256)
}

# What was written is what can be checked; what was altered is not it any more.
test_signed_report() {
	image
	certificate examiner
	certificate stranger
	certificate images -addext extendedKeyUsage=2.25.326805806096245407720027131346193648512
	refused 2 'go together' "$cairn" examine --sign examiner.key image.raw -- true
	refused 4 'a certificate for images, not for reports' "$cairn" examine --quiet --report no --sign images.key \
		--cert images.crt image.raw -- true
	refused 4 'is not the key of the certificate' "$cairn" examine --quiet --report no --sign stranger.key \
		--cert examiner.crt image.raw -- true
	[ ! -e no/report.json ]
	expect 0 "$cairn" examine --quiet --report report --files --sign examiner.key --cert examiner.crt \
		image.raw -- true
	(cd report && sha256sum --quiet -c report.sha256)
	openssl smime -verify -binary -inform der -in report/report.sha256.p7s -content report/report.sha256 \
		-certfile examiner.crt -nointern -noverify >/dev/null 2>&1
	expect 0 "$cairn" verify --cert examiner.crt report
	grep -q '^good' out
	expect 0 "$cairn" verify --no-signature report
	refused 7 'no certificate to check' "$cairn" verify --quiet report
	refused 4 'not among the 1 trusted' "$cairn" verify --quiet --cert stranger.crt report
	local file
	for file in report.json report.txt report.dfxml report.log; do
		cp -r report altered
		sed -i '0,/a/s//b/' altered/$file
		refused 3 "$file: is not what it was" "$cairn" verify --quiet --cert examiner.crt altered
		rm altered/$file
		refused 3 "$file: is in the manifest" "$cairn" verify --quiet --cert examiner.crt altered
		ln -s /etc/passwd altered/$file
		expect 5 "$cairn" verify --quiet --cert examiner.crt altered
		rm -r altered
	done
	# With the manifest made to fit, it is the signature that does not; nor if it is gone.
	cp -r report altered
	sed -i '0,/a/s//b/' altered/report.txt
	resum altered
	expect 0 "$cairn" verify --no-signature altered
	expect 4 "$cairn" verify --quiet --cert examiner.crt altered
	rm altered/report.sha256.p7s
	refused 4 'is not signed' "$cairn" verify --quiet --cert examiner.crt altered
	echo "$(printf %064d 0)  ../image.raw" >altered/report.sha256
	refused 5 'line 1 is malformed' "$cairn" verify --quiet --cert examiner.crt altered
	rm altered/report.sha256
	expect 1 "$cairn" verify --quiet --cert examiner.crt altered
	echo more >report/more
	expect 0 "$cairn" verify --cert examiner.crt report
	grep -q 'more: is not in the manifest' out
}

# altered SED-SCRIPT: a copy of the report with another log, and the manifest made to fit
altered() {
	rm -rf altered
	cp -r report altered
	sed -i "$1" altered/report.log
	resum altered
}

# Each line is chained to the one before, and the last one to report.json: whoever alters the
# log and remakes the manifest is found out, by line.
test_log() {
	image
	expect 0 "$cairn" examine --quiet --report report --case $'a\nb\xff' image.raw -- cat etc/file
	local n head
	n=$(wc -l <report/report.log)
	head=$(tail -n 1 report/report.log | sha256sum | cut -d' ' -f1)
	report "d['log'] == {'lines': $n, 'sha256': '$head'}"
	[ "$(cut -d' ' -f3 report/report.log | sed -n 5p)" = "$(sed -n 4p report/report.log | sha256sum | cut -d' ' -f1)" ]
	cut -d' ' -f4 report/report.log | tr '\n' ' ' >words
	grep -q '^begin called custody opened hashed shown ok ok run ran ok .* hashed ok .* end $' words
	grep -q " custody case: a$(printf '\357\277\275')b$(printf '\357\277\275')\$" report/report.log
	grep -q ' hashed image, after: 8388608 bytes, SHA-256 '"$(sha256sum <image.raw | cut -d' ' -f1)" report/report.log
	altered ''
	expect 0 "$cairn" verify --no-signature altered
	grep -q "^ok .*report.log: $n lines, each chained" out
	altered '5s/ before: / after: /'
	refused 3 'line 5 is not the one that line 6 was chained to' "$cairn" verify --quiet --no-signature altered
	altered "${n}s/status 0/status 7/"
	refused 3 "line $n, the last, is not the one it was" "$cairn" verify --quiet --no-signature altered
	altered 6d
	refused 3 'line 6 has the number 7' "$cairn" verify --quiet --no-signature altered
	altered 1d
	refused 3 'line 1 has the number 2' "$cairn" verify --quiet --no-signature altered
	altered '$d'
	refused 3 "ends with line $((n - 1)) of $n: it was truncated" "$cairn" verify --quiet --no-signature altered
	altered '7s/ / x/2'
	refused 5 'line 7: malformed' "$cairn" verify --quiet --no-signature altered
	altered ''
	echo "$((n + 1)) 2030-01-01T00:00:00.000000000Z $head ok: later" >>altered/report.log
	resum altered
	refused 5 "line $((n + 1)): malformed" "$cairn" verify --quiet --no-signature altered
	sed -i '$s/ok:/end/' altered/report.log
	resum altered
	refused 3 "line $((n + 1)) was added" "$cairn" verify --quiet --no-signature altered
	altered ''
	truncate -s -1 altered/report.log
	resum altered
	refused 3 "line $n does not end: it was truncated" "$cairn" verify --quiet --no-signature altered
	: >altered/report.log
	resum altered
	refused 3 "line 0 of $n: it was truncated" "$cairn" verify --quiet --no-signature altered
	# A report that is silent about its log is none.
	altered ''
	sed -i /report.log/d altered/report.sha256
	refused 5 'does not name report.json and report.log' "$cairn" verify --quiet --no-signature altered
	altered ''
	sed -i 's/"lines": /"line": /' altered/report.json
	resum altered
	refused 5 'does not say what the log was' "$cairn" verify --quiet --no-signature altered
}

# By their signatures alone, as libblkid knows them: those of others, made by hand.
test_what_no_mount_is_tried_of() {
	local name words
	python3 - <<-'P'
		import struct, zlib
		def save(name, offset, data):
		    with open(name, "wb") as f:
		        f.truncate(8 << 20)
		        f.seek(offset)
		        f.write(data)
		# Label in sector 1; its CRC begins elsewhere than zlib's, and is not inverted.
		label = struct.pack("<I8s", 32, b"LVM2 001").ljust(492, b"\0")
		crc = zlib.crc32(label, 0xf597a6cf ^ 0xffffffff) ^ 0xffffffff
		save("LVM2_member", 512, b"LABELONE" + struct.pack("<QI", 1, crc) + label)
		# Superblock of version 1.2: magic, version, level, size, place; a sum of words.
		md = bytearray(256)
		struct.pack_into("<II", md, 0, 0xa92b4efc, 1)
		md[16:32] = b"0123456789abcdef"
		struct.pack_into("<i", md, 72, 1)
		struct.pack_into("<QQ", md, 80, 8000, 0)
		struct.pack_into("<Q", md, 144, 8)
		total = sum(struct.unpack("<64I", md))
		struct.pack_into("<I", md, 216, (total & 0xffffffff) + (total >> 32))
		save("linux_raid_member", 4096, md)
		# Boot sector, and the records of the table of files that it tells of.
		boot = bytearray(32768)
		boot[0:11] = b"\xeb\x52\x90NTFS    "
		struct.pack_into("<HB", boot, 11, 512, 8)
		boot[21] = 0xf8
		struct.pack_into("<QQQ", boot, 40, 16383, 4, 512)
		boot[64], boot[68], boot[510], boot[511] = 0xf6, 1, 0x55, 0xaa
		for record in 16384, 16384 + 3 * 1024:
		    boot[record:record + 4] = b"FILE"
		save("ntfs", 0, boot)
	P
	while read -r name words; do
		refused 5 "$name: image: not examined: $name is not a file system that can be mounted safely" \
			"$cairn" examine --quiet "$name" -- touch "$T/ran"
		expect 5 "$cairn" examine --json "$name" -- touch "$T/ran"
		report "d['fileSystem'] == '$name' and image['digestsBefore'] == image['digestsAfter']" out
		report "'$words' in texts" out
		[ ! -e ran ]
	done <<-'W'
		LVM2_member a physical volume of LVM
		linux_raid_member a member of a RAID array (md)
		ntfs an NTFS file system
	W
}

# What it did until then stays, chained as far as it goes, and under a name that says so.
test_log_of_a_killed_examination() {
	local pid i
	image
	"$cairn" examine --quiet --report report image.raw -- sh -c 'echo >"$0"; sleep 100' "$T/runs" 2>/dev/null &
	pid=$!
	for ((i = 0; i < 1200; i++)); do
		[ ! -e runs ] || break
		sleep 0.05
	done
	refused 2 'killed, or still runs' "$cairn" examine --quiet --report report image.raw -- true
	kill -KILL $pid
	wait $pid 2>/dev/null || true
	[ "$(ls -A report)" = report.log.unfinished ]
	cut -d' ' -f4 report/report.log.unfinished | tr '\n' ' ' >words
	grep -q '^begin called opened hashed shown .*ok run $' words || fail "$(cat words)"
	[ "$(tail -n 1 report/report.log.unfinished | cut -d' ' -f3)" = \
		"$(tail -n 2 report/report.log.unfinished | head -n 1 | sha256sum | cut -d' ' -f1)" ]
	refused 2 'killed, or still runs' "$cairn" examine --quiet --report report image.raw -- true
	refused 1 'report: report.sha256: is not there' "$cairn" verify --quiet report
	rm report/report.log.unfinished
	expect 0 "$cairn" examine --quiet --report report image.raw -- cp "$T/report/report.log.unfinished" "$T/until"
	# It is how the whole one begins.
	head -n "$(wc -l <until)" report/report.log | cmp - until
	[ ! -e report/report.log.unfinished ]
}

# Also when nothing could be examined, and with more than one fault.
test_log_of_failure() {
	truncate -s 1M empty.raw
	expect 5 "$cairn" examine --quiet --report report empty.raw -- true
	expect 0 "$cairn" verify --no-signature report
	grep -q ' fault examine: .* (status 5)$' report/report.log
	tail -n 1 report/report.log | grep -q ' end status 5$'
}

# What is in the directory of a report may be hostile: it is only read once confined.
test_check_is_confined() {
	image
	expect 0 "$cairn" examine --quiet --report report image.raw -- true
	expect 0 strace -f -o trace "$cairn" verify --no-signature report
	grep -q 'seccomp(SECCOMP_SET_MODE_FILTER\|prctl(PR_SET_SECCOMP' trace
	sed -n '/SECCOMP/,$p' trace >after
	! grep -E '(open|openat|openat2|execve|socket)\(' after
}

run_tests "$@"
