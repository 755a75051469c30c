# SPDX-License-Identifier: MIT
. "$(dirname "$0")/../lib.sh"
. "$CAIRN_TOP/tests/cli/build_tree.sh"

# What must hold for every image, whatever it was made of.
check_image() {
	local stem=${1%.raw} root
	root=$(cat "$stem.roothash")
	sha256sum --quiet -c "$stem.SHA256SUMS"
	sfdisk --verify "$1" >sfdisk.out 2>&1
	grep -q 'No errors detected' sfdisk.out || fail "$(cat sfdisk.out)"
	part "$1" 1 >p1 && part "$1" 2 >p2 && part "$1" 3 >p3 && part "$1" 4 >p4
	fsck.vfat -n p1 >fsck.out || fail "$(cat fsck.out)"
	expect 0 veritysetup verify p2 p3 "$root"
	refused_by_veritysetup "$root"
	# The hash area is what veritysetup itself would have written.
	expect 0 veritysetup format p2 p3.own --salt "$(field "$stem.manifest.json" \
		"m['verity']['salt']")" --uuid "$(field "$stem.manifest.json" "m['verity']['uuid']")"
	grep -q "^Root hash:.*$root" "$T/out"
	cmp p3 p3.own
	# The partitions' UUIDs are the halves of the root hash.
	sfdisk -d "$1" | sed -n 's/.*uuid=\([^,]*\),.*/\1/p' | tr -d - | tr A-F a-f >uuids
	[ "$(sed -n '2p;3p' uuids | tr -d '\n')" = "$root" ] || fail "UUIDs: $(cat uuids)"
	mcopy -n -i p1 "::/$(field "$stem.manifest.json" "m['boot']['path']")" uki
	cmp uki "$stem.efi"
	objcopy -O binary --only-section=.cmdline uki cmdline
	grep -q "hash=$root" cmdline
	for i in 1 2 3 4; do
		[ "$(field "$stem.manifest.json" "m['partitions'][$i - 1]['sha256']")" = \
			"$(sha256sum <p$i | cut -d' ' -f1)" ] || fail "sha256 of partition $i"
	done
}

refused_by_veritysetup() {
	local other
	other=$(echo "$1" | tr 0-9a-f 1-9a-f0)
	! veritysetup verify p2 p3 "$other" >/dev/null 2>&1 || fail 'any root hash will do'
}

test_image_and_what_stands_beside_it() {
	make_tree tree
	expect 0 "$cairn" build tree -o os.raw
	[ ! -s err ] || fail "stderr: $(cat err)"
	[ "$(cat out)" = "Root hash: $(cat os.roothash)" ]
	[ "$(ls -A | grep -v -e '^tree$' -e '^out$' -e '^err$' | tr '\n' ' ')" = "$(printf '%s ' \
		os.SHA256SUMS os.efi os.initrd os.manifest.json os.raw os.roothash os.vmlinuz)" ] ||
		fail "files: $(ls -A)"
	check_image os.raw
	sfdisk -d os.raw >dump
	[ "$(grep -c 'attrs="GUID:60"' dump)" = 3 ] || fail "$(cat dump)"
	grep -q 'name="esp"$' dump
	for name in test_1 test_1_verity test_1_verity_sig; do grep -q "name=\"$name\"" dump; done
	local number=1 type
	sfdisk -J os.raw | grep '"type"' | cut -d'"' -f4 >types
	while read -r type; do
		sfdisk --list-types -X gpt | grep -iF "$type" | cut -c39- >>names
	done <types
	diff - names <<-END
		EFI System
		Linux root (x86-64)
		Linux root verity (x86-64)
		Linux root verity sign. (x86-64)
	END
	cmp -n 16384 p4 /dev/zero
	cmp os.vmlinuz tree/usr/lib/modules/6.1.0-test/vmlinuz
	mdir -b -/ -i p1 :: | sort >esp
	diff - esp <<-END
		::/EFI/
		::/EFI/BOOT/
		::/EFI/BOOT/BOOTX64.EFI
		::/EFI/Linux/
		::/EFI/Linux/test_1+3.efi
		::/loader/
		::/loader/loader.conf
	END
	"$CAIRN_BUILD/tools/fsck.erofs" p2
}

test_options_show() {
	make_tree tree
	expect 0 "$cairn" build tree -o os.raw --image-id my.os --image-version 2.0~rc1 --tries 0 \
		--cmdline 'console=ttyS0 quiet' --overlay volatile --verity restart \
		--on-failure reboot --size 200M --seed s --drivers virtio --json
	cmp out os.manifest.json
	check_image os.raw
	[ "$(stat -c %s os.raw)" = $((200 << 20)) ]
	[ "$(cat cmdline)" = "roothash=$(cat os.roothash) cairn.overlay=volatile \
cairn.verity=restart cairn.on-failure=reboot console=ttyS0 quiet" ] || fail "$(cat cmdline)"
	[ "$(field os.manifest.json "m['boot']['path']")" = EFI/Linux/my.os_2.0~rc1.efi ]
	objcopy -O binary --only-section=.osrel uki osrel
	diff - osrel <<-END
		NAME="A test"
		ID=test
		VERSION_ID=1
		IMAGE_ID=my.os
		IMAGE_VERSION=2.0~rc1
	END
	# The salt is the same for another version, and other for another image or seed.
	salt() {
		"$cairn" build tree -o "$1.raw" --image-id "$2" --image-version "$3" --seed "$4" >/dev/null
		field "$1.manifest.json" "m['verity']['salt']"
	}
	local salt
	salt=$(salt a my.os 3 s)
	[ "$salt" = "$(field os.manifest.json "m['verity']['salt']")" ]
	[ "$salt" != "$(salt b other 3 s)" ]
	[ "$salt" != "$(salt c my.os 3 t)" ]
	cmp a.roothash os.roothash
}

test_packages_of_mkosi() {
	make_tree tree
	echo '{"manifest_version":1,"packages":[{"type":"deb","name":"libc6","version":"2.41"}]}' \
		>tree.manifest
	expect 0 "$cairn" build tree/ -o os.raw
	[ "$(field os.manifest.json "m['packages'][0]['name']")" = libc6 ]
	echo '{"packages":[' >tree.manifest
	refused 5 'tree.manifest' "$cairn" build tree -o os2.raw
	[ ! -e os2.raw ]
}

# The same tree by every road. Signed, so that the signatures are part of it.
test_same_bytes() {
	make_tree tree
	"$cairn" key new keys >/dev/null 2>&1
	local fs sign='--key ../keys/root.key --cert ../keys/root.crt'
	mkdir one two other
	cp -a tree other/copy
	tar -C tree --xattrs --xattrs-include='*' --sort=name -cf other/tree.tar .
	for fs in erofs squashfs ext4; do
		(cd one && "$cairn" build ../tree -o os.raw --fs $fs --force --jobs 2 $sign)
		(cd two && umask 077 && TZ=Asia/Tokyo LANG=de_DE.UTF-8 LC_ALL=C.UTF-8 taskset -c 0 \
			"$cairn" build ../other/copy -o os.raw --fs $fs --force --jobs 1 $sign)
		diff -r one two || fail "$fs: another directory, umask, locale, a copy of the tree"
		(cd two && "$cairn" build ../other/tree.tar -o os.raw --fs $fs --force $sign)
		diff -r one two || fail "$fs: a tar of the tree"
		sleep 1.1
		(cd two && SOURCE_DATE_EPOCH=$epoch "$cairn" build ../tree -o os.raw --fs $fs --force $sign)
		diff -r one two || fail "$fs: later"
		(cd one && check_image os.raw)
		sbverify --cert keys/root.crt one/os.efi >/dev/null
		mcopy -n -i one/p1 ::/EFI/BOOT/BOOTX64.EFI boot
		sbverify --cert keys/root.crt boot >/dev/null 2>&1
		python3 - one/p4 "$(cat one/os.roothash)" <<-END
			import base64, json, sys
			sig = json.loads(open(sys.argv[1], 'rb').read().rstrip(b'\0'))
			assert sig['rootHash'] == sys.argv[2]
			open('p7', 'wb').write(base64.b64decode(sig['signature']))
		END
		tr -d '\n' <one/os.roothash >hash
		openssl smime -verify -binary -inform DER -in p7 -content hash -noverify -nointern \
			-certfile keys/root.crt >/dev/null 2>smime.err || fail "$(cat smime.err)"
		rm -f one/p? one/p3.own one/uki one/cmdline one/uuids one/*.out
	done
}

# As an ordinary user, from a tar: the same bytes as root's build of the directory.
test_same_bytes_unprivileged() {
	make_tree tree
	tar -C tree --xattrs --xattrs-include='*' -cf tree.tar .
	# Where the build directory is, others may not be allowed to look.
	chmod 755 .
	mkdir -p build/suite
	cp -a "$CAIRN_BUILD"/{cairn,init,tools} build/
	cp -a "$CAIRN_BUILD/suite/erofs" build/suite/
	chmod -R a+rX build
	install -d -o nobody mine
	local fs
	for fs in erofs squashfs; do
		"$cairn" build tree -o os.raw --fs $fs --force
		setpriv --reuid=65534 --regid=65534 --clear-groups build/cairn build tree.tar \
			-o mine/os.raw --fs $fs --force
		cmp os.raw mine/os.raw
	done
}

test_any_change_changes_the_root_hash() {
	make_tree tree
	local seen change fs
	# Each file system's own root hash, of the tree as it is.
	hashes() {
		for fs in erofs squashfs ext4; do
			"$cairn" build tree -o os.raw --fs $fs --force >/dev/null
			cat os.roothash
		done
	}
	seen=$(hashes)
	[ "$(sort -u <<<"$seen" | wc -l)" = 3 ]
	for change in 'printf X | dd of=tree/usr/bin/large bs=1 seek=1000 conv=notrunc status=none' \
		'chmod 711 tree/usr/bin' 'setfattr -n user.note -v Text tree/etc' \
		'touch -d @1700000001 tree/var' 'chown 12:35 tree/usr/bin/large' \
		'ln -sf Large tree/usr/bin/link'; do
		eval "$change"
		find tree -depth -newermt @$((epoch + 1)) -exec touch -h -d @$epoch {} +
		seen="$seen
$(hashes)"
		[ -z "$(sort <<<"$seen" | uniq -d)" ] || fail "no other root hash: $change"
	done
}

# Parity behind the tree: others find it right, it repairs, and a lie in it is noticed.
test_error_correction() {
	make_tree tree
	"$cairn" key new keys >/dev/null 2>&1
	local key='--key keys/root.key --cert keys/root.crt' root at
	expect 0 "$cairn" build tree -o plain.raw $key
	expect 0 "$cairn" build tree -o os.raw --fec-roots 2 $key
	cmp plain.roothash os.roothash
	root=$(cat os.roothash)
	at=$(field os.manifest.json "m['verity']['fecOffset']")
	part os.raw 2 >p2 && part os.raw 3 >p3
	expect 0 veritysetup verify p2 p3 "$root" --fec-device p3 --fec-offset "$at" --fec-roots 2
	expect 0 "$cairn" verify os.raw --cert keys/root.crt
	grep -q 'error correction of 2 roots' out
	cp p2 good
	printf damage | dd of=p2 bs=1 seek=50000 conv=notrunc status=none
	refused 3 'bad data block' "$cairn" verity verify p2 p3 "$root"
	expect 0 "$cairn" verity repair p2 p3 "$root" --in-place --fec-device p3 \
		--fec-offset "$at" --fec-roots 2
	cmp p2 good
	printf X | dd of=os.raw bs=1 conv=notrunc status=none \
		seek=$(($(field os.manifest.json "m['partitions'][2]['offset']") + at + 77))
	expect 3 "$cairn" verify os.raw --cert keys/root.crt
	grep -q 'not the parity' err
	refused 2 'roots' "$cairn" build tree -o other.raw --fec-roots 25
}

# An image signed later is the image built with the key, and so is all beside it.
test_signing_later_gives_the_same_bytes() {
	make_tree tree
	mkdir now later
	"$cairn" key new keys >/dev/null 2>&1
	local fs
	for fs in erofs ext4; do
		"$cairn" build tree -o now/os.raw --fs $fs --force --key keys/root.key \
			--cert keys/root.crt >/dev/null
		"$cairn" build tree -o later/os.raw --fs $fs --force >/dev/null
		! diff -rq now later >/dev/null || fail 'the key makes no difference'
		expect 0 "$cairn" sign later/os.raw --key keys/root.key --cert keys/root.crt
		diff -r now later
	done
}

test_bar_only_on_a_terminal() {
	make_tree tree
	expect 0 "$cairn" build tree -o os.raw
	[ ! -s err ]
	script -qec "$cairn build tree -o os.raw --force" typescript >/dev/null
	grep -q 'hashing .*%' typescript || fail 'no bar'
	script -qec "$cairn build tree -o os.raw --force --quiet" typescript >/dev/null
	! grep -q '%' typescript || fail 'a bar in spite of --quiet'
}

test_usr_image() {
	make_tree tree
	expect 0 "$cairn" build tree -o os.raw --part usr
	check_image os.raw
	grep -q '^usrhash=' cmdline
	sfdisk -J os.raw | grep '"type"' | cut -d'"' -f4 >types
	sfdisk --list-types -X gpt | grep -iF -f types | cut -c39- | sort >names
	diff - names <<-END
		EFI System
		Linux /usr (x86-64)
		Linux /usr verity (x86-64)
		Linux /usr verity sign. (x86-64)
	END
	mkdir mnt
	mount -t erofs -o ro,loop p2 mnt
	ls mnt >list
	umount mnt
	diff list <(ls tree/usr)
	refused 2 'overlay' "$cairn" build tree -o os2.raw --part usr --overlay volatile
}

test_qcow2() {
	make_tree tree
	expect 0 "$cairn" build tree -o os.raw --qcow2
	sha256sum --quiet -c os.SHA256SUMS
	grep -q os.qcow2 os.SHA256SUMS
	expect 0 qemu-img compare -f raw -F qcow2 os.raw os.qcow2
	cp os.qcow2 first
	expect 0 "$cairn" build tree -o os.raw --qcow2 --force
	cmp first os.qcow2
}


test_valgrind() {
	make_tree tree
	"$cairn" key new keys >/dev/null 2>&1
	local grind='valgrind -q --error-exitcode=99 --leak-check=full'
	expect 0 $grind "$cairn" build tree -o os.raw --fs squashfs --fec-roots 2 \
		--key keys/root.key --cert keys/root.crt
	expect 0 "$cairn" verify os.raw --cert keys/root.crt
	expect 2 $grind "$cairn" build tree -o other.raw --size 1M
	expect 1 $grind "$cairn" build tree -o os.raw
}

# The real thing, where it was made: the same bytes from a copy on one thread.
test_debian_tree() {
	local base=$CAIRN_TOP/build/base/tree
	[ -d "$base" ] || fail 'no base tree: run make base'
	"$cairn" key new keys >/dev/null 2>&1
	mkdir one two
	cp -a "$base" copy
	expect 0 "$cairn" build "$base" -o one/os.raw --compress lz4 --key keys/root.key --cert keys/root.crt
	[ "$(field one/os.manifest.json "len(m['packages']) > 20")" = True ]
	(cd one && check_image os.raw && rm -f p? p3.own uki cmdline uuids ./*.out)
	(cd two && umask 077 && TZ=Asia/Tokyo expect 0 "$cairn" build ../copy -o os.raw --compress lz4 --jobs 1 \
		--key ../keys/root.key --cert ../keys/root.crt)
	cmp one/os.raw two/os.raw
	cmp one/os.efi two/os.efi
	expect 0 "$cairn" verify two/os.raw --cert keys/root.crt
	mkdir mnt
	mount -t erofs -o ro,loop,offset=$(field one/os.manifest.json \
		"m['partitions'][1]['offset']") one/os.raw mnt
	diff -r --no-dereference mnt "$base" >differences 2>&1 || true
	umount mnt
	! grep -v 'is a character special file\|is a fifo\|is a block special file' differences ||
		fail 'the mounted image differs from the tree'
}

run_tests "$@"
