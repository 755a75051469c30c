# SPDX-License-Identifier: MIT
# What `cairn examine` writes down: custody, environment, what was found and not examined.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin

[ "$(id -u)" = 0 ] || {
	echo "ok - examine's report # SKIP needs root"
	exit 0
}

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

# A line of Python about the report, `d`.
report() {
	python3 -c "import json, sys; d = json.load(open(sys.argv[1]))
assert $1, d" "${2:-report/report.json}"
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
	for file in report.json report.txt report.dfxml; do
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
	(cd altered && sha256sum report.json report.txt report.dfxml >report.sha256)
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

run_tests "$@"
