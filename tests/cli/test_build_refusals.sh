# SPDX-License-Identifier: MIT
# What `cairn build` refuses, and what an interrupted one leaves behind. Each refusal has
# the same call succeeding beside it.
. "$(dirname "$0")/../lib.sh"
. "$CAIRN_TOP/tests/cli/build_tree.sh"

image_files='os.SHA256SUMS os.efi os.initrd os.manifest.json os.raw os.roothash os.vmlinuz'

# only NAME... : the directory holds exactly these, besides what the library writes.
only() {
	local found
	found=$(ls -A "${directory:-.}" | grep -vxF -e out -e err | LC_ALL=C sort | tr '\n' ' ')
	[ "$found" = "$([ $# = 0 ] || printf '%s\n' "$@" | LC_ALL=C sort | tr '\n' ' ')" ] ||
		fail "not exactly '$*' but '$found'"
}

# no STATUS PATTERN ARGUMENT... : cairn build refuses, and leaves nothing.
no() {
	local status=$1 pattern=$2
	shift 2
	mkdir -p results temporary
	TMPDIR=$PWD/temporary refused "$status" "$pattern" "$cairn" build -o results/os.raw "$@"
	directory=results only
	directory=temporary only
}

yes() {
	mkdir -p results
	expect 0 "$cairn" build -o results/os.raw "$@"
	directory=results only $image_files
	rm -r results
}

test_bad_trees() {
	make_tree tree
	yes tree
	no 1 'absent.*No such file' absent
	mkdir empty
	no 5 'empty: ' empty
	mkfifo pipe
	no 5 'pipe: ' pipe
	no 5 'os-release' "$(cp -a tree t1 && rm t1/usr/lib/os-release && echo t1)"
	no 5 'no kernel' "$(cp -a tree t2 && rm t2/usr/lib/modules/*/vmlinuz && echo t2)"
	no 5 'no kernel with an EFI stub' \
		"$(cp -a tree t3 && printf MZ >"$(echo t3/usr/lib/modules/*/vmlinuz)" && echo t3)"
	no 5 'modules.dep' "$(cp -a tree t4 && rm t4/usr/lib/modules/*/modules.dep && echo t4)"
	no 5 'socket' "$(cp -a tree t5 && python3 -c '
import socket; socket.socket(socket.AF_UNIX).bind("t5/etc/socket")' && echo t5)"
}

# For root every tree is readable.
test_unreadable_trees() {
	make_tree tree
	chmod 755 .
	mkdir -p build/suite results
	cp -a "$CAIRN_BUILD"/{cairn,init,tools} build/
	cp -a "$CAIRN_BUILD/suite/erofs" build/suite/
	chmod -R a+rX build
	chown nobody results
	local nobody='setpriv --reuid=65534 --regid=65534 --clear-groups build/cairn'
	expect 0 $nobody build tree -o results/os.raw
	directory=results only $image_files
	rm results/*
	chmod 0 tree/usr/bin/large
	refused 1 'tree/usr/bin/(large|same): cannot open: Permission denied' \
		$nobody build tree -o results/os.raw
	chmod 0 tree/usr/bin
	refused 1 'tree/usr/bin: cannot open: Permission denied' $nobody build tree -o results/os.raw
	chmod 0 tree
	refused 1 'tree.*: Permission denied' $nobody build tree -o results/os.raw
	directory=results only
}

test_bad_archives() {
	make_tree tree
	tar -C tree --xattrs --xattrs-include='*' -cf good.tar .
	yes good.tar
	gcc -shared -fPIC -D_GNU_SOURCE -o faulty.so "$CAIRN_TOP/tests/preload/faulty_read.c" -ldl
	local from
	for from in 0 300000; do # the first header, and contents
		refused 1 'good.tar: cannot read at offset [0-9]*: Input/output error' env FAULT=eio \
			FAULT_FILE=good.tar FAULT_FROM=$from LD_PRELOAD="$PWD/faulty.so" "$cairn" build good.tar -o os.raw
	done
	rm faulty.so
	head -c 500000 good.tar >short.tar
	no 5 'short.tar: ' short.tar
	python3 - <<-'END'
		import io, shutil, tarfile
		def bad(name, *members):
		    shutil.copy('good.tar', name)
		    with tarfile.open(name, 'a') as t:
		        for m in members:
		            t.addfile(m, io.BytesIO(b''))
		def member(name, kind=tarfile.REGTYPE, target=''):
		    m = tarfile.TarInfo(name)
		    m.type, m.linkname = kind, target
		    return m
		bad('dots.tar', member('usr/../../etc/shadow'))
		bad('absolute.tar', member('/etc/shadow'))
		bad('nowhere.tar', member('etc/link', tarfile.LNKTYPE, 'etc/absent'))
		bad('twice.tar', member('etc/two'), member('etc/two'))
		bad('through.tar', member('usr/bin/large/x'))
	END
	no 5 '\.\.' dots.tar
	no 5 'absolute' absolute.tar
	no 5 'etc/link' nowhere.tar
	no 5 'etc/two' twice.tar
	no 5 'usr/bin/large' through.tar
	printf 'not an archive' >text.tar
	no 5 'text.tar' text.tar
}

test_bad_options() {
	make_tree tree
	"$cairn" key new keys >/dev/null 2>&1
	"$cairn" key new others >/dev/null 2>&1
	"$cairn" key new keys --purpose sysext >/dev/null 2>&1
	local key='--key keys/root.key --cert keys/root.crt'
	yes tree $key --image-id a.b_c-d --image-version '1.0~rc^1-2' --size 100M
	no 2 'image id' tree --image-id a/b
	no 2 'image id' tree --image-id ''
	no 2 'image id' tree --image-id ..
	no 2 'image version' tree --image-version 1+3
	no 2 'at most|more than' tree --image-id aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
	no 2 'too small' tree --size 1M
	no 2 'size' tree --size 12Q
	no 2 'size' tree --size 99999999T
	no 2 'xfs' tree --fs xfs
	no 2 'home' tree --part home
	no 2 'floppy' tree --drivers floppy
	no 2 'roothash' tree --cmdline 'roothash=00'
	no 2 'cairn.nonsense' tree --cmdline 'cairn.nonsense=1'
	no 2 'command line: byte 0x09 at' tree --cmdline $'quiet\tdebug'
	no 2 'command line: byte 0x0a at' tree --cmdline $'quiet\ndebug'
	no 2 'command line: byte 0x1b at' tree --cmdline $'"x=\e[2J"'
	no 2 'command line: byte 0xc3 at' tree --cmdline 'x=ä'
	no 2 'on-failure' tree --on-failure shell
	no 2 'jobs' tree --jobs 0
	SOURCE_DATE_EPOCH=yesterday no 2 'SOURCE_DATE_EPOCH' tree
	no 2 'frobnicate' tree --frobnicate
	no 2 'given together' tree --key keys/root.key
	no 2 'one TREE' tree tree
	no 4 'root.crt' tree --key keys/root.key --cert others/root.crt
	no 4 'purpose|sysext' tree --key keys/sysext.key --cert keys/sysext.crt
	no 1 'No such file' tree --key keys/absent.key --cert keys/root.crt
	no 1 'No such file' tree --boot-files absent
}

test_existing_outputs() {
	make_tree tree
	local f
	expect 0 "$cairn" build tree -o os.raw
	only tree $image_files
	for f in $image_files; do
		mkdir one
		echo mine >one/"$f"
		refused 1 "$f: exists \(--force" "$cairn" build tree -o one/os.raw
		directory=one only "$f"
		[ "$(cat one/"$f")" = mine ]
		rm -r one
	done
	refused 1 'os.raw: exists' "$cairn" build tree -o os.raw
	expect 0 "$cairn" build tree -o os.raw --force --seed new
	only tree $image_files
	sha256sum --quiet -c os.SHA256SUMS
	mkdir one one/os.raw
	refused 1 'is a directory' "$cairn" build tree -o one/os.raw --force
	refused 1 'No such file' "$cairn" build tree -o absent/os.raw
}

test_no_room_and_no_permission() {
	make_tree tree
	local size
	mkdir disk
	trap 'umount disk 2>/dev/null || true' EXIT
	for size in 300m 2m 500k 50k; do
		mount -t tmpfs -o size=$size none disk
		if [ $size = 300m ]; then
			expect 0 "$cairn" build tree -o disk/os.raw
		else
			refused 1 'No space left|bytes are left on the disk' "$cairn" build tree -o disk/os.raw
			directory=disk only
		fi
		umount disk
	done
	mount -t tmpfs -o ro none disk
	refused 1 'Read-only file system' "$cairn" build tree -o disk/os.raw
	umount disk
}

# mkfs.erofs 1.8 does that now and then.
test_a_program_that_hangs_on_a_full_disk() {
	make_tree tree
	mkdir disk tools
	cat >tools/mkfs.erofs <<-'END'
		#!/bin/sh
		[ "$1" != --version ] || { echo 'mkfs.erofs 1.8.6'; exit; }
		cat >/dev/null
		for last; do :; done
		cat /dev/zero >"$last" 2>/dev/null
		exec sleep 1000
	END
	chmod +x tools/mkfs.erofs
	trap 'umount disk 2>/dev/null || true' EXIT
	mount -t tmpfs -o size=1m none disk
	CAIRN_TOOLS=$PWD/tools:${CAIRN_TOOLS:-} \
		refused 1 'mkfs.erofs: stopped.*No space left' "$cairn" build tree -o disk/os.raw
	directory=disk only
	umount disk
}

# interrupted SIGNAL SECONDS: the status is 0 or 128 + N, and all or nothing is there. A
# shell has its background children ignore SIGINT, which is undone here.
interrupted() {
	local status=0
	rm -rf results && mkdir results
	env --default-signal LD_PRELOAD="$preload" "$cairn" build tree -o results/os.raw \
		--fs squashfs >/dev/null 2>err &
	sleep "$2"
	kill -$1 $! 2>/dev/null || true
	wait $! || status=$?
	if [ $status = 0 ]; then
		directory=results only $image_files
		return
	fi
	[ $status = $((128 + $(kill -l $1))) ] || fail "status $status: $(cat err)"
	directory=results only
	# Before it could catch the signal it simply ends.
	! grep -q interrupted err || stopped="$stopped $1"
}

test_interrupted() {
	make_tree tree
	gcc -shared -fPIC -o no-tmpfile.so "$CAIRN_TOP/tests/preload/no_tmpfile.c" -ldl
	local signal preload stopped= seconds
	export TMPDIR=$PWD
	for preload in '' "$PWD/no-tmpfile.so"; do
		for signal in INT TERM HUP; do
			for seconds in 0.03 0.1 0.25 0.6; do
				interrupted $signal $seconds
			done
		done
	done
	for signal in INT TERM HUP; do
		[[ $stopped == *$signal* ]] || fail "never interrupted by SIG$signal:$stopped"
	done
	# The preloaded library does what it is for, and an image comes out all the same.
	"$cairn" build tree -o plain.raw --fs squashfs >/dev/null
	LD_PRELOAD=$PWD/no-tmpfile.so strace -f -e trace=openat -o calls "$cairn" build tree \
		-o results/os.raw --fs squashfs --force >/dev/null
	grep -q '"\.cairn-' calls || fail 'no temporary name was used'
	cmp plain.raw results/os.raw
	directory=results only $image_files
}

# Killed at any instant: every file is all the old one or all the new one, and there is no
# other. (Seven names cannot change in one step: a kill may come between two of them.)
# All files are of one build, and nothing else is there.
whole() {
	[ "$(ls -A results | LC_ALL=C sort)" = "$(printf '%s\n' $image_files | LC_ALL=C sort)" ] &&
		(cd results && sha256sum --quiet -c os.SHA256SUMS) >/dev/null 2>&1
}

test_killed() {
	make_tree tree
	mkdir results temporary
	local i f n=${CAIRN_LONG:+300} old=0 new=0 before seed=1
	export TMPDIR=$PWD/temporary
	for i in 0 1; do
		mkdir seed$i
		"$cairn" build tree -o seed$i/os.raw --seed $i >/dev/null
	done
	local start=$EPOCHREALTIME
	"$cairn" build tree -o results/os.raw --force --seed 1 >/dev/null
	local took=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
	RANDOM=1
	for ((i = 0; i < ${n:-20}; i++)); do
		before=$(cat results/os.roothash)
		"$cairn" build tree -o results/os.raw --force --seed $((1 - seed)) \
			>/dev/null 2>&1 &
		if ((i % 2 == 1)); then # at the first file that changes
			until [ "$(<results/os.roothash)" != "$before" ] || ! kill -0 $! 2>/dev/null; do :; done
		else
			sleep "$(printf '0.%03d' $((RANDOM % (took + 20) % 1000)))"
		fi
		kill -KILL $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		# The process that gives the names may still be at it.
		for ((f = 0; f < 100; f++)); do
			! whole || break
			sleep 0.1
		done
		whole || fail "torn or not belonging together, run $i: $(ls -A results)"
		for f in $image_files; do
			cmp -s results/$f seed0/$f || cmp -s results/$f seed1/$f || fail "torn: $f, run $i"
		done
		if [ "$(cat results/os.roothash)" = "$before" ]; then
			old=$((old + 1))
		else
			new=$((new + 1)) seed=$((1 - seed))
		fi
	done
	echo "# $old times the old files, $new times the new ones"
	[ $old -gt 0 ] && [ $new -gt 0 ] || fail 'every run ended the same way'
	# What it ran must be gone too, and have left nothing.
	for ((i = 0; i < 50; i++)); do
		[ -n "$(ls -A temporary)" ] || break
		sleep 0.1
	done
	directory=temporary only
}

attach() {
	truncate -s "$2" "$1"
	losetup -f --show ${3:-} "$1"
}

test_disks() {
	make_tree tree
	"$cairn" build tree -o os.raw >/dev/null
	disk=$(attach disk 200M)
	trap 'umount mnt 2>/dev/null || true; losetup -d "$disk" || true' EXIT
	tr '\0' Z </dev/zero | dd of="$disk" bs=1M count=200 iflag=fullblock status=none
	refused 2 '--force' "$cairn" build tree -o "$disk"
	refused 2 'qcow2' "$cairn" build tree -o "$disk" --force --qcow2
	expect 0 "$cairn" build tree -o "$disk" --force
	sfdisk --verify "$disk" >sfdisk.out 2>&1
	# The partitions and all between them are the image's; its size is the disk's.
	sfdisk -d os.raw | sed -n 's/^os.raw[0-9]*//p' >a
	sfdisk -d "$disk" | sed -n "s!^${disk}p*[0-9]*!!p" >b
	diff a b
	local end
	end=$(($(stat -c %s os.raw) - (2 << 20)))
	cmp -i 1M -n $end os.raw "$disk" || fail 'the contents differ'
	[ "$(ls /dev/"$(basename "$disk")".* 2>/dev/null)" = '' ] || fail 'files in /dev'
	# Locked by someone else; only for a while; mounted.
	flock "$disk" sh -c 'touch locked; sleep 5' &
	while [ ! -e locked ]; do sleep 0.05; done
	refused 9 'locked' "$cairn" build tree -o "$disk" --force --lock-timeout 1
	expect 0 "$cairn" build tree -o "$disk" --force --lock-timeout 30
	mkfs.ext4 -q -F "$disk"
	mkdir mnt
	mount "$disk" mnt
	echo mine >mnt/file
	refused 9 'in use' "$cairn" build tree -o "$disk" --force --lock-timeout 0
	umount mnt && mount "$disk" mnt
	[ "$(cat mnt/file)" = mine ]
	umount mnt
	expect 0 "$cairn" build tree -o "$disk" --force
}

test_disks_that_do_not_fit() {
	make_tree tree
	trap 'losetup -d "$disk" 2>/dev/null || true' EXIT
	disk=$(attach small 30M)
	refused 1 'the image needs' "$cairn" build tree -o "$disk" --force
	losetup -d "$disk"
	disk=$(attach good 200M --read-only)
	refused 1 'read-only|Permission|not permitted' "$cairn" build tree -o "$disk" --force
	losetup -d "$disk"
	disk=$(attach good 200M)
	expect 0 "$cairn" build tree -o "$disk" --force
	losetup -d "$disk"
	disk=$(attach good 200M --partscan)
	# A partition, if need be made by hand, and under a name of ours: not every kernel looks
	# for them, and /dev may have none in a container.
	local number partition=/sys/class/block/${disk##*/}/${disk##*/}p1
	[ -e "$partition" ] || addpart "$disk" 1 2048 4096
	number=$(cat "$partition/dev")
	mknod partition b "${number%:*}" "${number#*:}"
	refused 2 'is a partition' "$cairn" build tree -o partition --force
	delpart "$disk" 1
	expect 0 "$cairn" build tree -o "$disk" --force
	losetup -d "$disk"
}

run_tests "$@"
