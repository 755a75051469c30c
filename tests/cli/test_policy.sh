# SPDX-License-Identifier: MIT
# Policies, JUnit reports, and the examples for CI services, which are run as they are.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/build_tree.sh"

# An image with packages, made once: os.raw, root.key, root.crt.
shared=$(mktemp -d "${TMPDIR:-/tmp}/cairn-policy.XXXXXX")
trap 'rm -rf "$shared"' EXIT
prepare() {
	cd "$shared"
	make_tree tree
	install -m 4755 tree/usr/bin/large tree/usr/bin/su
	echo '{"packages": [{"name": "systemd", "version": "257.9-1"}, {"name": "odd & <b>"}]}' \
		>manifest.json
	"$cairn" key new . --purpose root >/dev/null
	"$cairn" build tree -o os.raw --key root.key --cert root.crt --image-id os \
		--image-version 7 >/dev/null
	cat >policy.conf <<-END
		# all of these hold
		max-size=512M
		  partition = esp
		partition=root-x86-64
		partition=root-verity
		partition=root-verity-sig
		other-partitions=refuse
		file-system=squashfs erofs
		purpose=root
		min-key-bits=3072
		setuid=/usr/bin/large /usr/bin/same /usr/bin/su
		package=systemd
		package=systemd=257.9-1
		package=odd & <b>
		no-package=openssh-server
	END
}
(set -e; prepare) >"$shared/log" 2>&1
[ $? = 0 ] || { cat "$shared/log"; echo 'not ok - cannot make the test image'; exit 1; }

verify() {
	"$cairn" verify --cert "$shared/root.crt" --policy policy --quiet "$@" "$shared/os.raw"
}

test_rules_that_hold() {
	cp "$shared/policy.conf" policy
	expect 0 verify
	expect 0 "$cairn" verify --cert "$shared/root.crt" --policy policy "$shared/os.raw"
	grep -q 'image: all 14 rules hold' out
	cat >policy <<-END
		{"max-size": 536870912, "partition": ["esp", "root"], "purpose": "root",
		 "min-key-bits": 3072, "package": ["systemd"]}
	END
	expect 0 "$cairn" verify --cert "$shared/root.crt" --policy policy "$shared/os.raw"
	grep -q 'image: all 6 rules hold' out
}

# broken RULE PATTERN : an image that is good but for this rule
broken() {
	{ cat "$shared/policy.conf"; echo "$1"; } | tac | awk -F= '
		$1 !~ /^(max-size|file-system|purpose|min-key-bits|setuid)$/ || !seen[$1]++' | tac >policy
	expect 8 "$cairn" verify --cert "$shared/root.crt" --policy policy "$shared/os.raw"
	[ "$(grep -c ^FAULT out)" = "${3:-1}" ] || fail "not ${3:-1} faults: $(grep ^FAULT out)"
	grep -Eq "^FAULT .*$2" out || fail "no '$2' in: $(grep ^FAULT out)"
}

test_rules_that_are_broken() {
	broken max-size=1M 'image: max-size=1M: it has [0-9]+ bytes'
	broken partition=usr 'image: partition=usr: there is no such partition'
	broken 'file-system=squashfs ext4' 'root partition .*: is erofs'
	broken min-key-bits=3073 "key is worth 3072 bits"
	broken setuid=none 'setuid=none: /usr/bin/(su is setuid|large has capabilities|same has cap)' 3
	broken 'setuid=/usr/bin/large /usr/bin/same /bin/su' '/usr/bin/su is setuid'
	broken package=curl 'package=curl: it is not there'
	broken package=systemd=257.9-2 'it is not there in this version'
	broken no-package=systemd 'no-package=systemd: it is there'
	sed /verity-sig/d "$shared/policy.conf" >policy
	expect 8 "$cairn" verify --cert "$shared/root.crt" --policy policy "$shared/os.raw"
	grep -q '^FAULT .*root signature partition .*a partition no rule names' out
	# Without signatures, or for another purpose, the purpose is not met.
	cp "$shared/policy.conf" policy
	expect 8 "$cairn" verify --no-signature --policy policy "$shared/os.raw"
	grep -q '^FAULT .*purpose=root: is not signed by anybody trusted' out
	expect 4 verify --purpose sysext
	# What is wrong with the image itself weighs more.
	cp "$shared/os.raw" "$shared/os.manifest.json" .
	printf X | dd of=os.raw bs=1 seek=$(field os.manifest.json 'm["partitions"][1]["offset"] + 5000') conv=notrunc status=none
	echo max-size=1M >policy
	expect 3 "$cairn" verify --no-signature --policy policy os.raw
	grep -q '^FAULT .*max-size' out
}

test_rules_that_cannot_be_checked() {
	echo package=systemd >policy
	cp "$shared/os.raw" .
	expect 0 "$cairn" verify --no-signature --policy policy "$shared/os.raw"
	refused 7 'there is no manifest' "$cairn" verify --no-signature --quiet --policy policy os.raw
	sed 's/"rootHash": "...../"rootHash": "abcde/' "$shared/os.manifest.json" >other.json
	refused 7 'is the manifest of another image' "$cairn" verify --no-signature --quiet \
		--policy policy --manifest other.json os.raw
	echo '{"rootHash": "00"}' >other.json
	refused 7 'lists no packages' verify --manifest other.json
	echo '[]' >other.json
	refused 5 'names no root hash' verify --manifest other.json
	refused 1 'cannot open|No such file' verify --manifest nowhere
}

test_policies_that_make_no_sense() {
	local text
	bad() {
		printf "$1" >policy
		refused 5 "$2" verify
	}
	bad '' 'no rule in it'
	bad '# nothing\n' 'no rule in it'
	bad 'max-size=1G\nmax-sise=1G\n' "policy: line 2: no rule 'max-sise' is known"
	bad 'max-size\n' 'line 1: is not KEY=VALUE'
	bad '\n\nmax-size=\n' 'line 3: max-size has no value'
	bad 'max-size=1X\n' 'max-size=1X makes no sense'
	bad 'max-size=1G\nmax-size=2G\n' 'line 2: max-size comes twice'
	bad 'partition=rooot\n' 'partition=rooot makes no sense'
	bad 'purpose=all\n' 'purpose=all makes no sense'
	bad 'other-partitions=allow\n' 'makes no sense'
	bad 'package=a\0b\n' 'package has no value'
	bad '{"max-size": 1, "nonsense": 2}' "no rule 'nonsense'"
	bad '{"max-size": true}' 'neither text nor a number'
	bad '{"max-size": [1, 2]}' 'comes twice'
	bad '{"max-size": 1' 'policy'
	refused 1 'nowhere' "$cairn" verify --no-signature --policy nowhere "$shared/os.raw"
}

# junit PYTHON-EXPRESSION : of s, the suite
junit() {
	/usr/bin/python3 - "$1" <<-'END'
		import sys, xml.etree.ElementTree as tree
		s = tree.parse('verify.xml').getroot().find('testsuite')
		cases = s.findall('testcase')
		assert int(s.get('tests')) == len(cases), 'tests'
		assert int(s.get('failures')) == sum(c.find('failure') is not None for c in cases)
		assert int(s.get('errors')) == sum(c.find('error') is not None for c in cases)
		assert eval(sys.argv[1]), sys.argv[1]
	END
}

test_junit() {
	cp "$shared/policy.conf" policy
	expect 0 verify --junit verify.xml
	junit 's.get("failures") == "0" and s.get("errors") == "0" and len(cases) > 10'
	junit 'any(c.get("classname") == "policy" for c in cases)'
	echo 'no-package=odd & <b>' >>policy
	expect 8 verify --junit verify.xml
	junit 's.get("failures") == "1" and "odd & <b>" in [c.find("failure").get("message")
		for c in cases if c.find("failure") is not None][0]'
	expect 7 "$cairn" verify --junit verify.xml "$shared/os.raw"
	junit 's.get("failures") == "0" and int(s.get("errors")) > 0'
	refused 1 'nowhere' verify --junit nowhere/verify.xml
}

# A user's project, as the examples expect it.
project() {
	mkdir keys bin
	cp "$shared/policy.conf" .
	cp "$shared/root.crt" keys
	cp "$shared/manifest.json" .
	tar -C "$shared/tree" -cf tree.tar .
	ln -s "$cairn" bin/cairn
	export PATH=$PWD/bin:$PATH
}

# Prints the commands of the steps whose text the extended expression $2 matches.
steps() {
	/usr/bin/python3 - "$CAIRN_TOP/docs/ci/$1" "$2" <<-'END'
		import re, sys, yaml
		job = yaml.safe_load(open(sys.argv[1]))
		job = job['jobs']['image'] if 'jobs' in job else job['image']
		steps = [s['run'] for s in job.get('steps', []) if 'run' in s]
		steps += job.get('before_script', []) + job.get('script', [])
		print('\n'.join(s for s in steps if re.search(sys.argv[2], s)))
	END
}

result() {
	[ "$(field os.manifest.json 'm["imageVersion"], m["certificateFingerprint"] != None')" = '12 True' ]
	[ ! -e root.key ] || fail 'the key was left behind'
	junit 's.get("failures") == "0" and s.get("errors") == "0"'
}

test_github_workflow() {
	project
	steps github.yml '^\(umask|^cairn' >script
	[ "$(grep -c cairn script)" = 2 ]
	SIGNING_KEY=$(cat "$shared/root.key") GITHUB_RUN_NUMBER=12 expect 0 bash -e script
	result
	# A policy that is broken fails the job.
	echo max-size=1K >policy.conf
	SIGNING_KEY=$(cat "$shared/root.key") GITHUB_RUN_NUMBER=12 expect 8 bash -e <(
		sed 's/-o os.raw/& --force/' script)
}

test_gitlab_job() {
	project
	cp "$shared/root.key" ../key.$$
	steps gitlab.yml '^cairn' >script
	[ "$(grep -c cairn script)" = 2 ]
	SIGNING_KEY=$T/../key.$$ CI_PIPELINE_IID=12 expect 0 bash -e script
	rm ../key.$$
	result
}

# What they do before: the targets exist, and the steps are the same.
test_installation_steps() {
	steps github.yml 'apt-get' | grep -v ^$ >github
	steps gitlab.yml '^apt-get|^git|^make' >gitlab
	cmp github gitlab
	ln -s "$CAIRN_TOP" cairn
	sed -n 's/^make/make -n/p' github | bash -e >commands
	grep -q 'tests/packages/install build' commands
	grep -q 'install .*cairn' commands
}

# Runs a command in whose eyes Cairn is installed in /usr/local.
installed() {
	PATH=/usr/local/bin:$PATH timeout 100 unshare -m sh -c 'mount --bind "$0" /usr/local && exec "$@"' "$T/local" "$@"
}

# By mkosi itself, which copies the base tree: no package is installed.
test_mkosi_hook() {
	mkdir project && cd project
	cp "$shared"/{root.key,root.crt} .
	printf 'file-system=erofs\npurpose=root\n' >policy.conf
	cp "$CAIRN_TOP/docs/ci/mkosi.postoutput" .
	cat >mkosi.conf <<-END
		[Distribution]
		Distribution=custom
		[Content]
		BaseTrees=$CAIRN_BUILD/base/tree
		Bootable=no
		[Output]
		ImageId=os
		ImageVersion=3
		Format=directory
		Output=tree
		OutputDirectory=out
	END
	mkdir out
	# mkosi shows its scripts nothing but /usr.
	mkdir -p "$T/local/bin"
	cp -r "$CAIRN_BUILD"/{cairn,init,tools,suite} "$T/local/bin"
	expect 0 installed "$CAIRN_BUILD/tools/mkosi" --force build
	expect 0 "$cairn" verify --cert root.crt out/os.raw
	[ "$(field out/os.manifest.json 'm["imageVersion"]')" = 3 ]
	echo max-size=1K >policy.conf
	expect 8 installed "$CAIRN_BUILD/tools/mkosi" --force build
	grep -q 'max-size=1K' "$T/err"
}

run_tests "$@"
