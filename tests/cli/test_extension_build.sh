# SPDX-License-Identifier: MIT
# `cairn extension build`: what is in the image, judged by other people's tools; the same
# bytes every time; and what may not be in one. What systemd says is in tests/vm/.
. "$(dirname "$0")/../lib.sh"
. "$CAIRN_TOP/tests/cli/build_tree.sh"
PATH=$PATH:/usr/sbin:/sbin

fixture=$(mktemp -d "${TMPDIR:-/tmp}/cairn-extension.XXXXXX")
trap 'rm -rf "$fixture"' EXIT
"$cairn" key new "$fixture" --purpose sysext --quiet &&
	"$cairn" key new "$fixture" --purpose confext --quiet &&
	"$cairn" key new "$fixture" --quiet || {
	echo 'not ok - the keys'
	exit 1
}
sysext=(--key "$fixture/sysext.key" --cert "$fixture/sysext.crt")

make_extension() {
	mkdir -p "$1/usr/bin" "$1/usr/share/hello" "$1/opt/hello"
	seq 1 20000 >"$1/usr/share/hello/numbers"
	printf '#!/bin/sh\necho hello\n' >"$1/usr/bin/hello"
	chmod 755 "$1/usr/bin/hello"
	ln -s hello "$1/usr/bin/hallo"
	echo x >"$1/opt/hello/a name with"$'\n'"newline"
	find "$1" -depth -exec touch -h -d @$epoch {} +
}

build() {
	"$cairn" extension build "$@"
}

# release IMAGE: the tree's extension-release file, by unpacking with another's tool
unpack() {
	rm -rf unpacked
	part "$1" 1 >data
	case $(blkid -p -o value -s TYPE data) in
	erofs) "$CAIRN_BUILD/tools/fsck.erofs" --extract=unpacked data >fsck.out ;;
	squashfs) unsquashfs -q -n -d unpacked data >fsck.out ;;
	*) fail "$(blkid -p data)" ;;
	esac
}

test_image_is_what_the_specification_asks_for() {
	make_extension tree
	local fs root
	for fs in erofs squashfs; do
		expect 0 build tree -o hello.sysext.raw --id debian --version-id 13 --epoch 3 \
			--scope 'system initrd' --fs $fs "${sysext[@]}" --force
		[ ! -s err ] || fail "stderr: $(cat err)"
		root=$(sed -n 's/^Root hash: //p' out)
		[ "$(ls | tr '\n' ' ')" = "$(printf '%s ' $(ls -d data fsck.out tree unpacked 2>/dev/null) \
			err hello.sysext.raw out | tr ' ' '\n' | sort | tr '\n' ' ' | sed 's/^ //')" ] ||
			fail "files: $(ls)"
		sfdisk --verify hello.sysext.raw >sfdisk.out 2>&1
		grep -q 'No errors detected' sfdisk.out || fail "$(cat sfdisk.out)"
		sfdisk -J hello.sysext.raw | grep '"type"' | cut -d'"' -f4 | tr A-F a-f >types
		diff - types <<-END
			4f68bce3-e8cd-4db1-96e7-fbcaf984b709
			2c7357ed-ebd2-46d9-aec1-23d437ec2bf5
			41092b05-9fc8-4523-994f-2def0408b176
		END
		sfdisk -d hello.sysext.raw | sed -n 's/.*uuid=\([^,]*\),.*/\1/p' | tr -d - | tr A-F a-f >uuids
		[ "$(head -n 2 uuids | tr -d '\n')" = "$root" ] || fail "UUIDs: $(cat uuids)"
		part hello.sysext.raw 2 >p2
		part hello.sysext.raw 3 >p3
		unpack hello.sysext.raw
		expect 0 veritysetup verify data p2 "$root"
		diff -r --no-dereference tree unpacked >differences || true
		grep -qx 'Only in unpacked/usr: lib' differences
		[ "$(wc -l <differences)" = 1 ] || fail "$(cat differences)"
		diff - unpacked/usr/lib/extension-release.d/extension-release.hello <<-END
			ID=debian
			VERSION_ID=13
			SYSEXT_SCOPE="system initrd"
			CAIRN_EPOCH=3
		END
		# The signature, by openssl: of the root hash, by this key.
		tr -d '\0' <p3 >json
		python3 -c 'import base64, json; open("p7", "wb").write(base64.b64decode(json.load(open("json"))["signature"]))'
		printf %s "$root" >text
		expect 0 openssl smime -verify -binary -inform der -in p7 -content text \
			-certificate "$fixture/sysext.crt" -nointern -noverify
		rm -f types uuids p2 p3 json p7 text sfdisk.out differences
	done
}

test_same_bytes_from_copy_and_tar() {
	make_extension tree
	expect 0 build tree -o a.sysext.raw --name hello --id _any "${sysext[@]}" --quiet
	cp -a tree copy
	(umask 077 && cd / && LC_ALL=C.UTF-8 TZ=Asia/Tokyo "$cairn" extension build "$T/copy" --jobs 1 \
		-o "$T/hello.sysext.raw" --id _any "${sysext[@]}" --quiet >/dev/null)
	cmp a.sysext.raw hello.sysext.raw
	tar --sort=name --numeric-owner -C tree -cf tree.tar .
	expect 0 build tree.tar -o b.sysext.raw --name hello --id _any "${sysext[@]}" --quiet
	cmp a.sysext.raw b.sysext.raw
	# Another name, seed or content is another image.
	expect 0 build tree -o other.sysext.raw --id _any "${sysext[@]}" --quiet
	expect 0 build tree -o c.sysext.raw --name hello --seed x --id _any "${sysext[@]}" --quiet
	! cmp -s a.sysext.raw other.sysext.raw
	! cmp -s a.sysext.raw c.sysext.raw
}

test_own_release_file_is_kept_and_checked() {
	make_extension tree
	local file=tree/usr/lib/extension-release.d/extension-release.hello
	mkdir -p "${file%/*}"
	local good='# mine\nID=debian\nVERSION_ID="13"\nARCHITECTURE=arm64\nCAIRN_EPOCH=7\nX=y\n'
	# shellcheck disable=SC2059
	printf "$good" >$file
	expect 0 build tree -o hello.sysext.raw --json
	[ "$(field out "m['name'], m['kind'], m['epoch'], m['architecture'], m['versionId'], m['level']")" = \
		'hello sysext 7 arm64 13 None' ] || fail "$(cat out)"
	sfdisk -l -o type hello.sysext.raw | grep -qx 'Linux root (ARM-64)'
	unpack hello.sysext.raw
	cmp $file unpacked/${file#tree/}
	expect 0 build tree -o hello.sysext.raw --force --id debian --epoch 7
	refused 2 'VERSION_ID=13, not the 12 of --version-id' build tree -o hello.sysext.raw --force --version-id 12
	refused 2 'has no SYSEXT_LEVEL, not the 1' build tree -o hello.sysext.raw --force --level 1
	refused 5 'this image needs extension-release.other' build tree -o other.sysext.raw
	local bad
	for bad in 'VERSION_ID=13' 'ID=debian\nID=fedora' 'ID=debian\nCAIRN_EPOCH=x' \
		'ID=debian\nCAIRN_EPOCH=65536' 'ID=debian\nARCHITECTURE=pdp11' 'ID=' 'ID=a b' \
		'ID=debian\nSYSEXT_SCOPE=world' 'ID=debian\nCAIRN_EPOCH=1\nCAIRN_EPOCH=2'; do
		printf "$bad\n" >$file
		refused 5 'extension-release.hello' build tree -o bad.sysext.raw --name hello
	done
	rm $file
	ln -s /etc/os-release $file
	refused 5 'no regular file' build tree -o bad.sysext.raw --name hello
	[ ! -e bad.sysext.raw ]
}

# bad WHY COMMAND : the tree with what COMMAND did to it is refused.
bad() {
	cp -a good tree
	(cd tree && eval "$2")
	refused 5 "$1" build tree -o x.$kind.raw --id _any
	[ ! -e x.$kind.raw ] || fail "an image of what was refused"
	rm -rf tree
}

test_what_may_not_be_in_an_extension() {
	local kind=sysext
	make_extension good
	bad 'etc: a sysext has nothing but' 'mkdir etc'
	bad 'motd: a sysext has nothing but' 'echo > motd'
	bad 'usrx: a sysext has nothing but' 'mkdir usrx'
	bad 'opt: is not a directory' 'rm -r opt; ln -s usr opt'
	bad 'usr/lib/os-release: ' 'mkdir usr/lib; echo ID=x > usr/lib/os-release'
	bad 'usr/lib/cairn: what is trusted' 'mkdir -p usr/lib; ln -s ../x usr/lib/cairn'
	bad 'usr/lib/cairn: what is trusted' 'mkdir -p usr/lib/cairn/trust/root; echo > usr/lib/cairn/trust/root/my.crt'
	bad 'usr/.cairn: is where the list' 'echo > usr/.cairn'
	bad 'opt/.cairn: is where the list' 'ln -s x opt/.cairn'
	bad 'usr/share/gone: is a whiteout' 'mknod usr/share/gone c 0 0'
	bad 'usr/null: is a device node' 'mknod usr/null c 1 3'
	bad 'usr/disk: is a device node' 'mknod usr/disk b 8 0'
	bad 'usr/share: has an attribute' 'setfattr -n trusted.overlay.opaque -v y usr/share'
	bad 'hello: has an attribute' 'setfattr -n user.overlay.metacopy -v y usr/bin/hello'
	bad 'lib/extension-release.d: is not a directory|is not a directory' 'mkdir usr/lib; echo > usr/lib/extension-release.d'
	expect 0 build good -o x.sysext.raw --id _any
	kind=confext
	mkdir -p conf/etc/hello && echo good=yes >conf/etc/hello/conf && rm -rf good && mv conf good
	bad 'usr: a confext has nothing but' 'mkdir usr'
	bad 'etc/os-release: ' 'echo ID=x > etc/os-release'
	bad 'etc/cairn: what is trusted' 'mkdir etc/cairn'
	bad 'etc/.cairn: is where the list' 'mkdir etc/.cairn'
	expect 0 build good -o x.confext.raw --id _any --level 2
	unpack x.confext.raw
	grep -qx CONFEXT_LEVEL=2 unpacked/etc/extension-release.d/extension-release.x
	# What a system may refuse is said.
	chmod 4755 good/etc/hello/conf
	expect 0 build good -o x.confext.raw --id _any --force
	grep -q '1 files are setuid' err
}

test_usage_is_checked_before_any_work() {
	make_extension tree
	refused 2 'is called NAME.sysext.raw' build tree -o hello.raw --id _any
	refused 2 'is called NAME.sysext.raw' build tree -o .sysext.raw --id _any
	refused 2 'an extension.s name' build tree -o 'a b.sysext.raw' --id _any
	refused 2 'an extension.s name' build tree -o a.sysext.raw --name ../b --id _any
	refused 2 'has no .*; --id' build tree -o a.sysext.raw
	refused 2 'erofs or squashfs' build tree -o a.sysext.raw --id _any --fs ext4
	refused 2 "'pdp11' means nothing" build tree -o a.sysext.raw --id _any --architecture pdp11
	refused 2 "'01' means nothing" build tree -o a.sysext.raw --id _any --epoch 01
	refused 2 'together' build tree -o a.sysext.raw --id _any --key "$fixture/sysext.key"
	expect 0 build tree -o a.sysext.raw --id _any
	refused 1 'exists' build tree -o a.sysext.raw --id _any
	[ "$(ls -A | sort | tr '\n' ' ')" = 'a.sysext.raw err out tree ' ] || fail "left: $(ls -A)"
}

test_keys_for_another_purpose_are_refused() {
	make_extension tree
	refused 4 'for root, not for sysext' build tree -o a.sysext.raw --id _any \
		--key "$fixture/root.key" --cert "$fixture/root.crt"
	refused 4 'for confext, not for sysext' build tree -o a.sysext.raw --id _any \
		--key "$fixture/confext.key" --cert "$fixture/confext.crt"
	[ ! -e a.sysext.raw ]
	expect 0 build tree -o a.sysext.raw --id _any "${sysext[@]}"
	expect 0 "$cairn" verify a.sysext.raw --cert "$fixture/sysext.crt" --quiet
	refused 4 'not among the 1 trusted' "$cairn" verify a.sysext.raw --cert "$fixture/confext.crt" --quiet
	refused 4 'for sysext, not for confext' "$cairn" verify a.sysext.raw --cert "$fixture/sysext.crt" \
		--purpose confext --quiet
	# One bit of the contents.
	cp a.sysext.raw bad.sysext.raw
	printf '\377' | dd of=bad.sysext.raw bs=1 seek=1052000 conv=notrunc status=none
	refused 3 . "$cairn" verify bad.sysext.raw --cert "$fixture/sysext.crt" --quiet
	expect 0 "$cairn" inspect a.sysext.raw
	grep -q 'root-x86-64-verity-sig' out
}

# cairn sign, now and offline, gives the bytes that build --key gives.
test_signing_later() {
	make_extension tree
	expect 0 build tree -o signed.sysext.raw --name hello --id _any "${sysext[@]}"
	expect 0 build tree -o now.sysext.raw --name hello --id _any
	cp now.sysext.raw later.sysext.raw
	refused 7 . "$cairn" verify now.sysext.raw --quiet
	refused 4 'for root, not for sysext' "$cairn" sign now.sysext.raw \
		--key "$fixture/root.key" --cert "$fixture/root.crt"
	expect 0 "$cairn" sign now.sysext.raw "${sysext[@]}" --quiet
	cmp now.sysext.raw signed.sysext.raw
	expect 0 "$cairn" sign later.sysext.raw --export requests
	[ "$(cat out)" = requests/roothash.tbs ] || [ "$(cat out)" = roothash.tbs ] || fail "$(cat out)"
	openssl dgst -sha256 -sign "$fixture/sysext.key" -out answer requests/roothash.tbs
	expect 0 "$cairn" sign later.sysext.raw --attach answer --cert "$fixture/sysext.crt" --quiet
	cmp later.sysext.raw signed.sysext.raw
}

# Extension images of other makers: systemd-repart's, which is what mkosi runs.
test_image_of_systemd_repart() {
	local tools=$CAIRN_TOP/build/tools
	local definitions=$CAIRN_TOP/build/suite/repart/usr/lib/systemd/repart/definitions/sysext.repart.d
	make_extension tree
	mkdir -p tree/usr/lib/extension-release.d
	echo ID=_any >tree/usr/lib/extension-release.d/extension-release.foo
	# Other makers pin no purpose; the name of the file says which is meant.
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=them -keyout them.key -out them.crt 2>/dev/null
	PATH=$tools:$PATH "$tools/systemd-repart" --empty=create --size=auto --dry-run=no \
		--offline=yes --architecture=x86-64 --definitions="$definitions" \
		--copy-source="$PWD/tree" --private-key=them.key --certificate=them.crt \
		foo.sysext.raw >repart.out 2>&1 || fail "$(cat repart.out)"
	expect 0 "$cairn" verify foo.sysext.raw --cert them.crt
	grep -q 'signed by them.crt' out
	refused 4 'not among' "$cairn" verify foo.sysext.raw --cert "$fixture/sysext.crt" --quiet
	# Signed anew by a key of ours.
	expect 0 "$cairn" sign foo.sysext.raw --force "${sysext[@]}" --quiet
	expect 0 "$cairn" verify foo.sysext.raw --cert "$fixture/sysext.crt" --quiet
	unpack foo.sysext.raw
	diff -r --no-dereference tree unpacked
}

# Killed in the middle, there is the old image or none, and nothing else.
test_interrupted() {
	make_extension tree
	head -c 60000000 /dev/urandom >tree/usr/share/noise
	local signal pid status
	for signal in INT TERM; do
		# A shell has its background children ignore SIGINT, which is undone here.
		env --default-signal=INT "$cairn" extension build tree -o a.sysext.raw --id _any \
			--quiet >/dev/null 2>err &
		pid=$!
		sleep 0.3
		kill -$signal $pid
		status=0
		wait $pid || status=$?
		[ $status -ge 128 ] || fail "status $status after $signal"
		[ "$(ls -A | tr '\n' ' ')" = 'err tree ' ] || fail "left: $(ls -A)"
	done
}

run_tests "$@"
