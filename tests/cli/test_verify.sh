# SPDX-License-Identifier: MIT
# `cairn verify` and `cairn inspect` on whole images. Signers are in test_verify_trust.sh, damage
# in test_verify_damage.sh.
. "$(dirname "$0")/verify_image.sh"

test_good_image() {
	image
	good
	grep -q "root hash $(cat roothash)" out
	grep -q 'uncovered.*UUID of the verity superblock' out
	[ "$(tail -n 1 out)" = "good       image.raw: $(grep -c ^ok out) checks passed, 0 failed; $(grep -c ^uncovered out) things are uncovered" ]
	expect 0 "$cairn" verify --quiet --cert root.crt image.raw
	[ ! -s out ] && [ ! -s err ]
	expect 0 "$cairn" verify --jobs 1 --cert root.crt --root-hash-file roothash image.raw
}

test_other_file_systems() {
	local fs
	for fs in squashfs ext4; do
		mkdir $fs
		"$CAIRN_TOP/tests/make-image" "$T/$fs" $fs
		expect 0 "$cairn" verify --cert $fs/root.crt $fs/image.raw
		grep -q "$fs, read-only by its format" out
	done
}

test_large_sectors_and_block_devices() {
	[ "$(id -u)" = 0 ] || skip 'loop devices need root'
	mkdir large
	"$CAIRN_TOP/tests/make-image" "$T/large" erofs 4096
	expect 0 "$cairn" verify --cert large/root.crt large/image.raw
	grep -q 'primary GPT header (offset 4096, 4096 bytes)' out
	disk=
	trap '[ -z "$disk" ] || losetup -d "$disk"' EXIT
	for disk in "large/image.raw 4096" "$fixture/image.raw 512"; do
		disk=$(losetup -r -b "${disk#* }" -f --show "${disk% *}")
		expect 0 "$cairn" verify --cert "$(dirname "$(losetup -n -O BACK-FILE "$disk")")/root.crt" "$disk"
		expect 0 "$cairn" inspect "$disk"
		losetup -d "$disk"
		disk=
	done
	# A device whose sectors are not those of the table.
	disk=$(losetup -r -b 4096 -f --show "$fixture/image.raw")
	expect 5 "$cairn" verify --cert "$fixture/root.crt" "$disk"
}

test_no_memory_error() {
	image
	area data
	poke $((offset + 4096 * 7)) ff
	expect 3 valgrind -q --error-exitcode=99 --leak-check=full "$cairn" verify --cert root.crt image.raw
	expect 0 valgrind -q --error-exitcode=99 --leak-check=full "$cairn" inspect image.raw
	poke 600 ff
	poke $((8388608 - 500)) ff
	expect 5 valgrind -q --error-exitcode=99 --leak-check=full "$cairn" verify --cert root.crt image.raw
}

# The same image with ext4's read-only feature taken off, all hashes made anew.
test_writable_file_system_is_refused() {
	sed '/tune2fs/d' "$CAIRN_TOP/tests/make-image" >make-image
	mkdir rw journal
	bash make-image "$T/rw" ext4
	refused 5 'root partition.*could be mounted writable: the read-only' \
		"$cairn" verify --quiet --cert rw/root.crt rw/image.raw
	sed -e 's/ -O ^has_journal / -J size=4 /' -e 's/data 2M/data 16M/' -e 's/truncate -s 8M/truncate -s 32M/' \
		make-image >make-journal
	bash make-journal "$T/journal" ext4
	refused 5 'could be mounted writable: it has a journal' \
		"$cairn" verify --quiet --cert journal/root.crt journal/image.raw
}

test_as_an_unprivileged_user() {
	image
	chmod a+rx . && chmod a+r ./*
	cp "$cairn" ./cairn-copy
	chmod a+rx cairn-copy
	expect 0 setpriv --reuid=65534 --regid=65534 --clear-groups ./cairn-copy verify --cert root.crt image.raw
	area data
	poke $((offset + 4096 * 7 + 5)) ff
	refused 3 'root partition, block 7 ' setpriv --reuid=65534 --regid=65534 --clear-groups \
		./cairn-copy verify --quiet --cert root.crt image.raw
	chmod 0 image.raw
	refused 1 'image.raw: cannot open: Permission denied' setpriv --reuid=65534 --regid=65534 \
		--clear-groups ./cairn-copy verify image.raw
}

# What parses the image can do nothing but read it, compute, and print.
test_parsing_is_confined() {
	image
	gcc -shared -fPIC -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -o planted.so \
		"$CAIRN_TOP/tests/preload/planted_open.c" -ldl
	# Beside: a verb that is not confined, in which all of it works.
	LD_PRELOAD=$T/planted.so PLANT_INODE=$(stat -c %i image.raw) "$cairn" digest image.raw >out 2>err
	[ "$(grep -c ': done$' err)" = 7 ] || fail "$(cat err)"
	[ -e planted ] && [ ! -e image.raw ]
	cp "$fixture/image.raw" .
	for verb in 'verify --cert root.crt' 'verify --jobs 1 --no-signature' 'locate image.raw 1' inspect; do
		rm -f planted
		[ "${verb%% *}" = locate ] && arguments= || arguments=image.raw
		expect 0 env LD_PRELOAD="$T/planted.so" PLANT_INODE="$(stat -c %i image.raw)" \
			"$cairn" $verb $arguments
		for what in open create unlink socket fork 'executable memory' kill execve; do
			grep -qx "planted: $what: EPERM" err || fail "$verb: $(cat err)"
		done
		[ -f image.raw ] && [ ! -e planted ]
	done
	LD_PRELOAD=$T/planted.so PLANT_INODE=$(stat -c %i image.raw) PLANT_WAIT=3000 \
		"$cairn" verify --jobs 1 --cert root.crt image.raw >/dev/null 2>&1 &
	for _ in $(seq 50); do
		grep -s '^Seccomp:.*2' /proc/$!/task/*/status && break
		sleep 0.05
	done >found || true
	[ -s found ] || fail 'no filter in /proc'
	grep -q '^NoNewPrivs:.*1' /proc/$!/status
	wait $!
}

test_unknown_partition_is_uncovered() {
	image
	echo 'start=10240, size=2048, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4' |
		sfdisk -q --append --no-reread image.raw >/dev/null
	expect 0 "$cairn" verify --cert root.crt image.raw
	grep -q 'uncovered.*partition 5 .*linux-generic: no hash covers it' out
}

test_json() {
	image
	expect 0 "$cairn" verify --json --cert root.crt image.raw
	python3 - "$T/out" <<-'E'
		import json, sys
		d = json.load(open(sys.argv[1]))
		assert d['status'] == 0 and d['faults'] == 0 and d['size'] == 8388608
		assert all(c['status'] == 0 for c in d['checks'])
		assert {'gpt', 'superblock', 'tree', 'signature', 'file-system', 'program', 'cmdline', 'gap'} <= \
		    {c['check'] for c in d['checks']}
		assert all(u['text'] for u in d['uncovered'])
	E
	area data
	poke $((offset + 4096 * 7)) ff
	poke $((offset + 4096 * 9)) ff
	expect 3 "$cairn" verify --json --cert root.crt image.raw
	python3 - "$T/out" "$offset" <<-'E'
		import json, sys
		d = json.load(open(sys.argv[1]))
		bad = [c for c in d['checks'] if c['status']]
		assert d['status'] == 3 and d['faults'] == len(bad) == 2
		assert [(c['block'], c['blocks'], c['partition'], c['area']) for c in bad] == \
		    [(7, 1, 2, 'root partition'), (9, 1, 2, 'root partition')]
		assert bad[0]['offset'] == int(sys.argv[2]) + 7 * 4096 and bad[0]['size'] == 4096
	E
	# Every member and word that occurs is in the documentation.
	python3 - "$T/out" >words <<-'E'
		import json, sys
		d = json.load(open(sys.argv[1]))
		words = set(d)
		for key in ('checks', 'notes', 'uncovered'):
		    for finding in d[key]:
		        words |= set(finding) | {finding['check']}
		print(*sorted(words), sep='\n')
	E
	local word
	while read -r word; do
		grep -q "\`$word\`" "$CAIRN_TOP/docs/verify-json.md" || fail "$word is not documented"
	done <words
}

test_inspect() {
	image
	expect 0 "$cairn" inspect image.raw
	grep -q "root root hash (x86-64) $(cat roothash)" out
	grep -q "cmdline  *roothash=$(cat roothash) console=ttyS0" out
	grep -q 'PRETTY_NAME  *Test Image 1' out
	expect 0 "$cairn" inspect --json image.raw
	python3 - "$T/out" "$fixture" <<-'E'
		import hashlib, json, subprocess, sys
		d, fixture = json.load(open(sys.argv[1])), sys.argv[2]
		dump = json.loads(subprocess.run(['sfdisk', '--json', fixture + '/image.raw'],
		    capture_output=True, check=True).stdout)['partitiontable']
		assert d['diskUuid'] == dump['id'].lower() and d['tableFaults'] == []
		for p, q in zip(d['partitions'], dump['partitions'], strict=True):
		    assert p['offset'] == q['start'] * 512 and p['size'] == q['size'] * 512
		    assert p['uuid'] == q['uuid'].lower() and p['typeUuid'] == q['type'].lower() and p['name'] == q['name']
		by = {p['name']: p for p in d['partitions']}
		assert by['root']['fileSystem']['type'] == 'erofs' and by['root']['fileSystem']['readOnly']
		v = by['verity']['verity']
		verity = subprocess.run(['veritysetup', 'dump', fixture + '/tree.hash'], capture_output=True, text=True).stdout
		assert v['salt'] in verity and v['uuid'] in verity and 'Data blocks:     \t%d\n' % v['dataBlocks'] in verity
		cert = subprocess.run(['openssl', 'x509', '-in', fixture + '/root.crt', '-outform', 'der'],
		    capture_output=True).stdout
		s = by['signature']['signature']
		assert s['signed'] and s['certificateFingerprint'] == hashlib.sha256(cert).hexdigest()
		assert s['issuer'] == 'CN=root'
		uki = [f for f in by['esp']['esp']['files'] if f['path'] == 'EFI/Linux/test_1.efi'][0]
		assert uki['uki'] and uki['signed'] and len(uki['pcr11']) == 64
		assert {s['name']: s['size'] for s in uki['sections']}['.linux'] == 20000
	E
	# Damage is shown, and what is sound beside it.
	poke 600 ff
	expect 0 "$cairn" inspect image.raw
	grep -q 'FAULT in the primary GPT header' out
	area verity
	poke "$offset" 00
	expect 0 "$cairn" inspect image.raw
	grep -q '^    fault ' out
	refused 5 'no usable partition table|too few' "$cairn" inspect roothash
}

test_usage() {
	image
	refused 2 'needs one IMAGE' "$cairn" verify
	refused 2 'needs one IMAGE' "$cairn" verify a b
	refused 2 '--frobnicate is not known' "$cairn" verify --frobnicate image.raw
	refused 2 'jobs' "$cairn" verify --jobs 0 image.raw
	refused 2 'purpose' "$cairn" verify --purpose cooking image.raw
	refused 1 'no-such.raw' "$cairn" verify no-such.raw
	refused 5 'is a directory' "$cairn" verify .
	mkfifo fifo
	refused 5 'is a FIFO' "$cairn" verify fifo
	refused 2 'needs one IMAGE' "$cairn" inspect
	refused 2 '--frobnicate is not known' "$cairn" inspect --frobnicate image.raw
}

run_tests "$@"
