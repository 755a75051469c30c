# SPDX-License-Identifier: MIT
# `cairn verify` on what `cairn build` makes. Images by other people's tools are in
# test_verify.sh.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/build_tree.sh"
PATH=$PATH:/usr/sbin:/sbin

# One tree and one signed image for all tests of this file.
fixture=$(mktemp -d "${TMPDIR:-/tmp}/cairn-built.XXXXXX")
trap 'rm -rf "$fixture"' EXIT
{
	make_tree "$fixture/tree" &&
		"$cairn" key new "$fixture/keys" &&
		"$cairn" build "$fixture/tree" -o "$fixture/os.raw" --quiet \
			--key "$fixture/keys/root.key" --cert "$fixture/keys/root.crt"
} >"$fixture/log" 2>&1 || {
	cat "$fixture/log"
	echo "not ok - cairn build"
	exit 1
}

test_every_file_system_and_part() {
	local options
	while read -r options; do
		expect 0 "$cairn" build "$fixture/tree" -o os.raw --force --quiet $options \
			--key "$fixture/keys/root.key" --cert "$fixture/keys/root.crt"
		expect 0 "$cairn" verify --cert "$fixture/keys/root.crt" os.raw
		grep -q "boot policy names the root hash and file system" out
		expect 0 "$cairn" verify --cert "$fixture/keys/root.crt" --root-hash-file os.roothash os.raw
		expect 0 "$cairn" inspect os.raw
		grep -q "root hash (x86-64) $(cat os.roothash)" out
	done <<-'E'
		--fs erofs
		--fs squashfs
		--fs ext4
		--part usr
	E
}

test_unsigned() {
	expect 0 "$cairn" build "$fixture/tree" -o os.raw --quiet
	refused 7 'not signed|no certificate given' "$cairn" verify --quiet os.raw
	refused 4 'not signed' "$cairn" verify --quiet --cert "$fixture/keys/root.crt" os.raw
	expect 0 "$cairn" verify --no-signature --root-hash-file os.roothash os.raw
}

# Changed bytes at seeded places of each partition and of the table: found at their place,
# or in what the report calls uncovered.
test_changed_bytes() {
	cp --sparse=always "$fixture/os.raw" .
	local count=8
	[ -z "${CAIRN_LONG:-}" ] || count=200
	python3 - "$cairn" os.raw "$fixture/keys/root.crt" $count <<-'E'
		import json, random, subprocess, sys
		cairn, image, cert, count = sys.argv[1:4] + [int(sys.argv[4])]
		def run(*words):
		    p = subprocess.run([cairn, *words], capture_output=True, text=True)
		    return p.returncode, json.loads(p.stdout)
		def verify():
		    return run('verify', '--json', '--cert', cert, image)
		assert verify()[0] == 0
		inspected = run('inspect', '--json', image)[1]
		disk = inspected['size']
		areas = {'mbr': (0, 512), 'header': (512, 512), 'entries': (1024, 16384),
		    'backup entries': (disk - 33 * 512, 32 * 512), 'backup header': (disk - 512, 512)}
		for p in inspected['partitions']:
		    areas[p['type']] = (p['offset'], p['size'])
		random.seed(2026)
		for name, (offset, size) in areas.items():
		    uncovered = noted = 0
		    for i in range(count):
		        at, mask = offset + random.randrange(size), random.randrange(1, 256)
		        with open(image, 'r+b') as f:
		            f.seek(at); old = f.read(1)
		            f.seek(at); f.write(bytes([old[0] ^ mask]))
		            f.flush()
		            status, report = verify()
		            f.seek(at); f.write(old)
		        here = lambda x: 'offset' in x and x['offset'] <= at < x['offset'] + x['size'] or \
		            name == 'esp' and x['area'].startswith('EFI system partition')
		        found = [c for c in report['checks'] if c['status'] and here(c)]
		        if not found:
		            assert any(here(u) for u in report['uncovered']), (name, at, mask, report)
		            uncovered += 1
		            noted += any(here(n) for n in report['notes'])
		        assert bool(found) == bool(status), (name, at, mask, report)
		    print(name, count, 'changed,', uncovered, 'of them uncovered,', noted, 'of these noted')
		    assert uncovered == 0 or name == 'esp' or name.endswith('-verity') and uncovered < 3
		assert verify()[0] == 0
	E
}

# A signed kernel of this key that belongs to another image, put in place of the right one.
test_kernel_of_another_image() {
	cp --sparse=always "$fixture/os.raw" .
	cp -a "$fixture/tree" tree
	echo changed >tree/etc/motd
	expect 0 "$cairn" build tree -o other.raw --quiet \
		--key "$fixture/keys/root.key" --cert "$fixture/keys/root.crt"
	expect 0 "$cairn" verify --cert "$fixture/keys/root.crt" other.raw
	local start size
	read -r start size < <(sfdisk -J other.raw | python3 -c '
import json, sys
p = json.load(sys.stdin)["partitiontable"]["partitions"][0]
print(p["start"], p["size"])')
	dd if=other.raw of=os.raw bs=512 skip="$start" seek="$start" count="$size" conv=notrunc status=none
	expect 3 "$cairn" verify --cert "$fixture/keys/root.crt" os.raw
	grep -q 'FAULT.*roothash=.* is the root hash of no partition' out
	grep -q 'FAULT.*boot policy wants root hash' out
}

run_tests "$@"
