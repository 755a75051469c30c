# SPDX-License-Identifier: MIT
# Extensions on a running system, on the base tree's kernel: verified, composed, replaced
# under readers, killed. The guest runs tests/vm/extensions.guest with the host's cairn.
. "$(dirname "$0")/extensions.sh"

# One boot, many checks, on an emulator that may share its processor.
boot_timeout=${CAIRN_LONG:+7200}
boot_timeout=${boot_timeout:-900}
checks='merges_and_unmerges disks all_hierarchies shares_devices picks_versions refuses policy
	epochs_of_the_base collisions damage submounts modes containers locks_and_limits stacks
	foreign examines stress kills kills_at_calls'

good_images() {
	versions
	local i
	for i in 1 2 3; do file "usr/share/more/$i" && file "opt/more/$i" && extension "more-$i.sysext.raw"; done
	file usr/share/other/one && handmade other.raw sysext
	file usr/share/other/squashed && extension squashed.sysext.raw --fs squashfs
	file usr/share/picked/one 1.9 && extension it.sysext.raw --name picked && mv $images/it.sysext.raw $images/picked_1.9.raw
	file usr/share/picked/one 1.10 && extension it.sysext.raw --name picked && mv $images/it.sysext.raw $images/picked_1.10.raw
	configuration
	file usr/share/attached/one && extension attached.sysext.raw && mv $images/attached.sysext.raw .
	# The last of the machine's disks.
	machine='-drive if=none,id=attached,format=raw,file=attached.sysext.raw,snapshot=on
		-device virtio-blk-pci,drive=attached,serial=cairn-extension-0,addr=0x1c'
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

prepare() {
	make_keys
	system
	good_images
	bad_images
	guest
}

test_extensions() {
	prepare
	run_guest
	# Not one open failed, and both versions were seen often; so many that it means something.
	says 'MARKER readers: [0-9]+ opens, [0-9]+ runs, 0 failed, 0 mixed, seen [0-9]{3,} and [0-9]{3,}'
	local opens
	opens=$(sed -n 's/^MARKER readers: \([0-9]*\) opens.*/\1/p' serial)
	[ "$opens" -ge "$([ -n "${CAIRN_LONG:-}" ] && echo 200000 || echo 1000)" ] || fail "only $opens opens"
}

run_tests "$@"
