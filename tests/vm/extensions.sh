# SPDX-License-Identifier: MIT
# Guests that compose extensions: source this instead of lib.sh. What they do is in
# check.guest and extensions.guest.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

images=system/images

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

# Two versions of one extension, and one of /etc.
versions() {
	local i
	for i in 1 2; do
		version $i && extension it.sysext.raw
		mv $images/it.sysext.raw $images/v$i
	done
}

configuration() {
	file etc/conf/one && "$cairn" extension build x -o $images/one.confext.raw --id _any --quiet \
		--key keys/confext.key --cert keys/confext.crt >/dev/null
	rm -rf x
}

# ---- the guest --------------------------------------------------------------------------

system() {
	small_system
	mkdir -p system/{images,root} system/usr/share/{place,many} system/etc/place
	echo >system/etc/single
	cp keys/stranger.crt system/images/
	program $(type -P mv tr nice flock strace timeout)
	cp "$cairn" system/cairn
	libraries system "$cairn"
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
	cp "$CAIRN_TOP/tests/vm/check.guest" system/check
	cp "$CAIRN_TOP/tests/vm/extensions.guest" system/checks
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

# The init and its modules, in order of loading, with their suffixes.
pack() {
	mkdir -p root/{dev,root}
	cp "$CAIRN_BUILD/tests/vm/switch_root" root/init
	pack_modules virtio_pci virtio_blk ext4 erofs squashfs overlay loop dm-mod dm-verity fuse
}

# guest : disk and initrd of the system, for $checks.
guest() {
	printf "checks='%s' long=%s signer=%s\n" "$checks" "${CAIRN_LONG:-}" \
		"$(openssl x509 -in keys/sysext.crt -outform der | sha256sum | cut -d' ' -f1)" \
		>system/parameters
	truncate -s 512M disk
	mke2fs -q -t ext4 -b 4096 -d system disk >mkfs.log 2>&1
	pack
}

# Every check of the guest comes to its end, and none fails.
run_guest() {
	boot 'console=ttyS0 panic=-1 quiet' disk
	says MARKER
	grep -a MARKER serial
	silent 'MARKER (stopped|FAILED)'
	says 'MARKER end'
	[ "$(grep -ac 'MARKER ok' serial)" = "$(wc -w <<<"$checks")" ]
}
