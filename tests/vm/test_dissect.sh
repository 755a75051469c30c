# SPDX-License-Identifier: MIT
# What systemd 257 says of our extension images, on the base tree's kernel: systemd-dissect
# finds them valid, systemd-sysext and systemd-confext merge them by their signature, and
# neither takes one whose signer it does not know. The files come out through --collect.
. "$(dirname "$0")/lib.sh"

suite=$CAIRN_TOP/build/suite/dissect
[ -e "$suite/usr/bin/systemd-dissect" ] || {
	echo "not ok - no systemd-dissect: run tests/packages/foreign dissect"
	exit 1
}

# A copy of the base tree with what judges, and a unit that runs it.
system() {
	mkdir system
	cp -a --reflink=auto "$base/." system
	cp "$suite/usr/bin/systemd-dissect" system/usr/bin/
	# libdevmapper waits for udev's rules to say that they are done.
	cp -a "$suite"/usr/sbin/dmsetup system/usr/sbin/
	cp -a "$suite"/usr/lib/udev/rules.d/*dm*.rules system/usr/lib/udev/rules.d/
	cp -a "$suite"/usr/lib/x86_64-linux-gnu/lib*.so* system/usr/lib/x86_64-linux-gnu/
	mkdir -p system/etc/verity.d system/etc/extensions
	cp keys/sysext.crt keys/confext.crt system/etc/verity.d/
	# The demo masks them: Cairn composes there.
	rm -f system/etc/systemd/system/systemd-{sysext,confext}.service
	cat >system/usr/lib/systemd/system/check.service <<-END
		[Service]
		Type=oneshot
		ExecStart=/usr/lib/check
		StandardOutput=tty
		StandardError=tty
		TTYPath=/dev/console
		TimeoutStartSec=infinity
	END
	ln -s ../check.service system/usr/lib/systemd/system/multi-user.target.wants/
	cat >system/usr/lib/check <<-'END'
		#!/bin/bash
		mkdir -p /run/results /run/extensions /run/confexts
		cd /run/results
		# udev names the disks, on a busy machine after this begins.
		there() { until [ -b "$1" ]; do sleep 0.1; done; echo "$1"; }
		disk() { cat "$(there /dev/disk/by-id/virtio-cairn-extension-$1)"; }
		modprobe loop
		say() { "${@:2}" >$1 2>&1 </dev/null; echo "status $?" >>$1; }
		disk 0 >/run/hello.raw
		disk 1 >/run/extensions/hello.raw
		say validate systemd-dissect --validate /run/extensions/hello.raw
		say show systemd-dissect --json=short --no-pager /run/extensions/hello.raw
		say list systemd-dissect --list /run/extensions/hello.raw
		say merge systemd-sysext merge --no-reload
		say file cat /usr/share/hello
		say mounts findmnt -n -o FSTYPE /usr
		say unmerge systemd-sysext unmerge --no-reload
		say gone cat /usr/share/hello
		disk 2 >/run/confexts/conf.raw
		say confmerge systemd-confext merge --no-reload
		say conffile cat /etc/hello.conf
		say confunmerge systemd-confext unmerge --no-reload
		# Signed by somebody else: it is not merged.
		mv /run/hello.raw /run/extensions/hello.raw
		say stranger systemd-sysext --image-policy=root=signed:=absent merge --no-reload
		say strangers cat /usr/share/hello
		tar -cf "$(there /dev/disk/by-id/virtio-cairn-collect)" . && sync
		echo MARKER end >/dev/console
		systemctl poweroff --force --force
	END
	chmod 755 system/usr/lib/check
}

# answer FILE STATUS [LINE]: what one of the commands above said.
answer() {
	grep -qx "status $2" "results/$1" || fail "$1: $(cat "results/$1")"
	[ $# -lt 3 ] || grep -Eq -- "$3" "results/$1" || fail "$1: $(cat "results/$1")"
}

test_systemd_takes_our_extensions() {
	local kind
	for kind in root sysext confext; do "$cairn" key new keys --purpose $kind --quiet; done
	"$cairn" key new other --purpose sysext --quiet
	mkdir -p x/usr/share y/etc
	echo hello >x/usr/share/hello
	echo conf >y/etc/hello.conf
	"$cairn" extension build x -o hello.sysext.raw --id debian --version-id 13 --quiet \
		--key keys/sysext.key --cert keys/sysext.crt >/dev/null
	"$cairn" extension build x -o other.sysext.raw --name hello --id debian --version-id 13 \
		--key other/sysext.key --cert other/sysext.crt --quiet >/dev/null
	"$cairn" extension build y -o conf.confext.raw --id _any --fs squashfs --quiet \
		--key keys/confext.key --cert keys/confext.crt >/dev/null
	system
	"$cairn" build system -o os.raw --overlay volatile --drivers virtio --quiet \
		--cmdline 'console=ttyS0 panic=-1 no_timer_check' >/dev/null
	rm -rf system
	expect 0 "$cairn" boot os.raw --accel tcg --timeout "$((2 * boot_timeout))" --quiet \
		--extension other.sysext.raw --extension hello.sysext.raw --extension conf.confext.raw \
		--collect results.tar
	grep -q 'MARKER end' out
	mkdir results && tar -C results -xf results.tar
	answer validate 0 '^OK'
	answer show 0 '"root".*"verity":"signed"'
	answer list 0 '^usr/share/hello$'
	answer merge 0 "'hello.raw'"
	answer file 0 '^hello$'
	answer mounts 0 '^overlay$'
	answer unmerge 0
	answer gone 1
	answer confmerge 0
	answer conffile 0 '^conf$'
	answer stranger 1
	answer strangers 1
}

run_tests "$@"
