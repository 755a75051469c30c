# SPDX-License-Identifier: MIT
# Extensions on a running system, on the base tree's kernel: verified, composed, replaced
# under readers, killed. The guest runs tests/vm/extensions.guest with the host's cairn.
. "$(dirname "$0")/lib.sh"

console='console=ttyS0 panic=-1 quiet'
images=system/images
# One boot, many checks, on an emulator that may share its processor.
boot_timeout=${CAIRN_LONG:+7200}
boot_timeout=${boot_timeout:-900}
checks='merges_and_unmerges all_hierarchies shares_devices picks_versions refuses policy
	epochs_of_the_base collisions damage submounts modes containers locks_and_limits stacks foreign stress kills
	kills_at_calls'

# ---- images --------------------------------------------------------------------------

# extension NAME [OPTION...]: an image of the tree x, which goes away.
extension() {
	"$cairn" extension build x -o "$images/$1" --id test --version-id 1 --quiet \
		--key keys/sysext.key --cert keys/sysext.crt "${@:2}" >/dev/null
	rm -rf x
}

# handmade NAME KEY [TREE-TYPES]: an image of the tree x as other people's tools make it,
# whatever is in it, signed with keys/KEY or, if that is "", not at all.
handmade() {
	local out=$images/$1 key=$2 hash size tree_size data=4f68bce3-e8cd-4db1-96e7-fbcaf984b709
	local tree=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5 sig=41092b05-9fc8-4523-994f-2def0408b176
	[ -z "${3:-}" ] || {
		data=b921b045-1df0-41c3-af44-4c6f280d3fae
		tree=df3300ce-d69f-4c92-978c-9bfb0f38d820
		sig=6db69de6-29f4-4758-a7a5-962190f00ce3
	}
	local name=${1%.raw}
	name=${name%.sysext}
	mkdir -p x/usr/lib/extension-release.d
	[ -e "x/usr/lib/extension-release.d/extension-release.$name" ] ||
		printf 'ID=test\nVERSION_ID=1\n' >"x/usr/lib/extension-release.d/extension-release.$name"
	rm -f d d.tree
	mkfs.erofs -x 1 d x >mkfs.log 2>&1
	truncate -s %4096 d
	hash=$(veritysetup format d d.tree | sed -n 's/^Root hash:[[:space:]]*//p')
	size=$(($(stat -c %s d) / 512)) tree_size=$(($(stat -c %s d.tree) / 512))
	truncate -s $(((2048 + size + tree_size + 64 + 2048) * 512)) "$out"
	local tree_at=$((2048 + size)) sig_at=$((2048 + size + tree_size))
	sfdisk -q "$out" <<-END
		label: gpt
		start=2048, size=$size, type=$data, uuid=$(uuid "${hash:0:32}")
		start=$tree_at, size=$tree_size, type=$tree, uuid=$(uuid "${hash:32}")
		start=$sig_at, size=32, type=$sig
	END
	dd if=d of="$out" bs=512 seek=2048 conv=notrunc status=none
	dd if=d.tree of="$out" bs=512 seek=$tree_at conv=notrunc status=none
	[ -z "$key" ] || signed_by "$key" "$hash" |
		dd of="$out" bs=512 seek=$sig_at conv=notrunc status=none
	rm -rf x
}

signed_by() {
	printf %s "$2" >hash
	printf '{"rootHash":"%s","certificateFingerprint":"%s","signature":"%s"}' "$2" \
		"$(openssl x509 -in "keys/$1.crt" -outform der | sha256sum | cut -d' ' -f1)" \
		"$(openssl smime -sign -nocerts -noattr -binary -in hash -inkey "keys/$1.key" \
			-signer "keys/$1.crt" -outform der | base64 -w 0)"
}

# The files of one version: tests/vm/readers.c tells what is in them.
version() {
	mkdir -p x/usr/share/it x/usr/bin
	head -c 65536 /dev/zero | tr '\0' "$1" >x/usr/share/it/version
	cp x/usr/share/it/version x/usr/share/it/again
	cp "$CAIRN_BUILD/tests/vm/readers" x/usr/bin/it
	printf %s "$1" >>x/usr/bin/it
}

# file PATH [CONTENTS]: in the tree x.
file() {
	mkdir -p "x/$(dirname "$1")"
	printf '%s\n' "${2:-$1}" >"x/$1"
}

good_images() {
	version 1 && extension it.sysext.raw && mv $images/it.sysext.raw $images/v1
	version 2 && extension it.sysext.raw && mv $images/it.sysext.raw $images/v2
	local i
	for i in 1 2 3; do file "usr/share/more/$i" && file "opt/more/$i" && extension "more-$i.sysext.raw"; done
	file usr/share/other/one && handmade other.raw sysext
	file usr/share/other/squashed && extension squashed.sysext.raw --fs squashfs
	file usr/share/picked/one 1.9 && extension it.sysext.raw --name picked && mv $images/it.sysext.raw $images/picked_1.9.raw
	file usr/share/picked/one 1.10 && extension it.sysext.raw --name picked && mv $images/it.sysext.raw $images/picked_1.10.raw
	file etc/conf/one && "$cairn" extension build x -o $images/one.confext.raw --id _any --quiet \
		--key keys/confext.key --cert keys/confext.crt >/dev/null
	rm -rf x
}

bad_images() {
	file usr/a && handmade unsigned.raw ''
	file usr/a && handmade stranger.raw stranger
	file usr/a && handmade purpose.raw confext
	file usr/a && handmade revoked.raw revoked
	file usr/a && handmade architecture.raw sysext arm64
	file usr/lib/extension-release.d/extension-release.arm64 $'ID=test\nVERSION_ID=1\nARCHITECTURE=arm64' &&
		handmade arm64.raw sysext
	file usr/lib/extension-release.d/extension-release.os $'ID=suse\nVERSION_ID=1' && handmade os.raw sysext
	file usr/lib/extension-release.d/extension-release.older $'ID=test\nVERSION_ID=0' && handmade older.raw sysext
	file usr/lib/extension-release.d/extension-release.epoch $'ID=test\nVERSION_ID=1\nCAIRN_EPOCH=2' &&
		handmade epoch.raw sysext
	file usr/lib/extension-release.d/extension-release.called && handmade named.raw sysext &&
		mv $images/named.raw $images/misnamed.raw
	file var/a && handmade outside.raw sysext
	file usr/lib/os-release 'ID=test' && handmade release.raw sysext
	file usr/lib/cairn/trust/sysext/mine.crt && cp keys/stranger.crt x/usr/lib/cairn/trust/sysext/mine.crt &&
		handmade root.raw sysext
	file usr/.cairn && handmade list.raw sysext
	file usr/a && mknod x/usr/null c 1 3 && handmade device.raw sysext
	file usr/a && mknod x/usr/gone c 0 0 && handmade whiteout.raw sysext
	file usr/a && chmod 4755 x/usr/a && handmade setuid.raw sysext
	file usr/a && setfattr -n trusted.overlay.opaque -v y x/usr && handmade opaque.raw sysext
	cp $images/other.raw $images/truncated.raw && truncate -s 300K $images/truncated.raw
	cp $images/other.raw $images/superblock.raw && flip $images/superblock.raw $((2048 * 512 + 1030))
	# Differ from the base: a file, and the mode of a directory that the base has.
	file usr/share/base other && handmade differs.raw sysext
	file usr/share/base base && handmade identical.raw sysext
	file usr/share/a && chmod 0777 x/usr/share && handmade mode.raw sysext
	mkdir -p x/usr/share/many && (cd x/usr/share/many && seq 5000 | xargs touch) && handmade many.raw sysext
	file $'usr/share/two\nlines' x && handmade lines.raw sysext
	# One byte of a file's contents; the file system itself is whole.
	version 1 && handmade damaged.raw sysext
	flip $images/damaged.raw "$(offset_of $images/damaged.raw 1111111111111111)"
}

# ---- the guest --------------------------------------------------------------------------

system() {
	local name
	small_system
	mkdir -p system/{images,root} system/usr/share/{place,many} system/etc/place
	echo >system/etc/single
	cp keys/stranger.crt system/images/
	program $(for name in mv tr nice flock strace timeout "$cairn"; do command -v $name; done)
	mv "system$cairn" system/cairn
	cp "$CAIRN_BUILD"/tests/vm/{readers,refresh} system/
	echo base >system/usr/share/base
	(cd system/usr/share/many && for name in $(seq 5000); do echo >"$name"; done)
	echo y >$'system/usr/share/two\nlines'
	mkdir -p system/usr/lib/cairn/trust/{sysext,confext} system/keys
	cp keys/weak.crt system/keys/
	cp keys/sysext.crt keys/revoked.crt system/usr/lib/cairn/trust/sysext/
	cp keys/confext.crt system/usr/lib/cairn/trust/confext/
	echo "certificate $(openssl x509 -in keys/revoked.crt -outform der | sha256sum | cut -d' ' -f1)" \
		>system/usr/lib/cairn/revoked
	cp "$CAIRN_TOP/tests/vm/extensions.guest" system/check
}

make_keys() {
	"$cairn" key new keys --purpose sysext --quiet
	"$cairn" key new keys --purpose confext --quiet
	local name bits
	for name in stranger revoked weak; do
		bits=2048
		[ $name != weak ] || bits=1024
		openssl req -x509 -newkey rsa:$bits -nodes -subj "/CN=$name" -keyout keys/$name.key \
			-out keys/$name.crt 2>/dev/null
	done
}

# The init and its modules, in order of loading.
pack() {
	local module number=0
	mkdir -p root/{dev,root}
	cp "$CAIRN_BUILD/tests/vm/switch_root" root/init
	for module in virtio_pci virtio_blk ext4 erofs squashfs overlay loop dm-mod dm-verity; do
		modprobe -d "$base" -S "$release" --show-depends $module | sed -n 's/^insmod //p'
	done | awk '!seen[$1]++ { print $1 }' >insmods
	for module in $(cat insmods); do
		number=$((number + 1))
		cp "$module" "root/$number.ko"
		echo "/$number.ko"
	done >root/modules
	(cd root && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >initrd
}

prepare() {
	make_keys
	system
	good_images
	bad_images
	printf "checks='%s' long=%s signer=%s\n" "$checks" "${CAIRN_LONG:-}" \
		"$(openssl x509 -in keys/sysext.crt -outform der | sha256sum | cut -d' ' -f1)" \
		>system/parameters
	truncate -s 512M disk
	mke2fs -q -t ext4 -b 4096 -d system disk >mkfs.log 2>&1
	pack
}

test_extensions() {
	prepare
	boot "$console" disk
	grep -a MARKER serial
	silent 'MARKER (stopped|FAILED)'
	says 'MARKER end'
	# Not one open failed, and both versions were seen often; so many that it means something.
	says 'MARKER readers: [0-9]+ opens, [0-9]+ runs, 0 failed, 0 mixed, seen [0-9]{3,} and [0-9]{3,}'
	local opens
	opens=$(sed -n 's/^MARKER readers: \([0-9]*\) opens.*/\1/p' serial)
	[ "$opens" -ge "$([ -n "${CAIRN_LONG:-}" ] && echo 200000 || echo 1000)" ] || fail "only $opens opens"
	# Every check of the guest's script came to its end.
	[ "$(grep -ac 'MARKER ok' serial)" = "$(wc -w <<<"$checks")" ]
}

run_tests "$@"
