# SPDX-License-Identifier: MIT
. "$(dirname "$0")/../lib.sh"

helpers=$CAIRN_BUILD/tests/helpers
tools=$CAIRN_BUILD/tools

plant() {
	mkdir -p "$1"/{a/b,empty,00,"new
line"}
	seq 1 9000 >"$1/a/text"
	seq 5 9000 >"$1/a/other"
	head -c 64 /dev/zero >"$1/a/small"
	: >"$1/a/nothing"
	truncate -s 3M "$1/a/b/hole"
	printf end >>"$1/a/b/hole"
	printf x >"$1/$(printf 'bad\377name')"
	ln "$1/a/text" "$1/a/b/again"
	ln -s ../a/text "$1/empty/link"
	mknod "$1/a/device" b 259 1048575
	mknod "$1/a/whiteout" c 0 0
	mkfifo "$1/a/fifo"
	chmod 6755 "$1/a/text"
	chown 70000:70001 "$1/a/other"
	setfattr -n user.one -v x "$1/a/text" "$1/a"
	setfattr -n trusted.overlay.opaque -v y "$1/empty"
	setcap cap_net_raw+ep "$1/a/other" 2>/dev/null || setfattr -n security.capability \
		-v 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA= "$1/a/other"
	setfacl -m u:1234:rwx "$1/a/small"
	find "$1" -depth -exec touch -h -d @1700000000.25 {} +
}

list() {
	/usr/bin/python3 "$CAIRN_TOP/tests/helpers/list-tree.py" "$1"
}

test_names_are_fsverity_digests() {
	seq 1 5000 >file
	"$cairn" store add --quiet s file >out
	[ "$(cat out)" = "$(fsverity digest file)" ]
	digest=$(sed 's/^sha256:\([0-9a-f]*\) .*/\1/' out)
	cmp file "s/objects/${digest:0:2}/${digest:2}"
	"$cairn" store get s "$digest" | cmp - file
	"$cairn" store get -o got s "sha256:$digest"
	cmp got file
	refused 1 'exists' "$cairn" store get -o got s "$digest"
	refused 1 'cannot open' "$cairn" store get s "$(printf '%064d' 0)"
}

test_tree_is_what_mkcomposefs_makes() {
	plant tree
	rm tree/a/b/again # mkcomposefs sees two files there
	"$cairn" store add --quiet --ref os s tree >out
	"$tools/mkcomposefs" --digest-store=theirs tree image
	[ "$(cut -d' ' -f1 out)" = "$(fsverity digest image | cut -d' ' -f1)" ]
	(cd theirs && find . -type f | sort) >wanted
	(cd s/objects && find . -type f | sort) >got
	digest=$(sed 's/^sha256:\([0-9a-f]*\) .*/\1/' out)
	diff wanted <(grep -v "./${digest:0:2}/${digest:2}" got)
}

test_checkout_restores_everything() {
	plant tree
	list tree >before
	expect 0 "$cairn" store add --quiet --ref os s tree
	expect 0 "$cairn" store checkout s os restored
	list restored >after
	diff before after
	refused 1 'exists' "$cairn" store checkout s os restored
	tar --xattrs --xattrs-include='*' --acls -C tree -cf tree.tar .
	first=$("$cairn" store list s | grep 'ref os')
	expect 0 "$cairn" store add --quiet --tree --ref tarred s tree.tar
	[ "$("$cairn" store list s | grep 'ref tarred' | cut -d' ' -f1)" = "${first%% *}" ]
	chmod -R a+rX "$T" s
	install -m 755 "$cairn" cairn-copy
	mkdir home && chown nobody home
	expect 0 setpriv --reuid nobody --regid nogroup --clear-groups \
		./cairn-copy store checkout --unprivileged s os home/restored
	cmp tree/a/text home/restored/a/b/again
}

test_damage_is_found_and_never_handed_out() {
	plant tree
	expect 0 "$cairn" store add --quiet --ref os s tree
	expect 0 "$cairn" store verify s
	grep -q ', 0 bad' out
	digest=$(fsverity digest --compact tree/a/text)
	object=s/objects/${digest:0:2}/${digest:2}
	printf X | dd of="$object" bs=1 seek=5000 conv=notrunc status=none
	refused 3 '1 of .* blobs' "$cairn" store verify s
	grep -qx "BAD sha256:$digest" out
	refused 3 'have the digest' "$cairn" store get -o got s "$digest"
	refused 3 'have the digest' "$cairn" store checkout s os restored
	mv "$object" aside
	refused 3 'the store lacks its blob' "$cairn" store checkout s os restored
	[ ! -e got ] && [ ! -e restored ]
	[ -z "$(find . -maxdepth 1 -name '.cairn-*')" ]
	mv "$object" lost 2>/dev/null || true
	# Adding it again heals the store.
	expect 0 "$cairn" store add --quiet s tree/a/text
	expect 0 "$cairn" store verify s
	expect 0 "$cairn" store checkout s os restored
}

test_collection_keeps_what_refs_reach() {
	plant tree
	expect 0 "$cairn" store add --quiet --ref os s tree
	expect 0 "$cairn" store verify s
	cp out all
	seq 1 77777 >loose
	expect 0 "$cairn" store add --quiet s loose
	expect 0 "$cairn" store gc --dry-run s
	grep -q '1 would be removed' out
	expect 0 "$cairn" store gc s
	grep -q ' 1 removed' out
	expect 0 "$cairn" store verify s
	cmp out all
	expect 0 "$cairn" store checkout s os restored
	expect 0 "$cairn" store delete-ref s os
	expect 0 "$cairn" store gc s
	[ -z "$(find s/objects -type f)" ]
}

test_many_writers_at_once() {
	plant tree
	local i pids=()
	for i in $(seq 1 8); do
		cp -a tree "tree$i"
		seq 1 "$((i * 1000))" >"tree$i/a/own"
	done
	for i in $(seq 1 8); do
		"$cairn" store add --quiet --ref "os$i" s "tree$i" >/dev/null &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	expect 0 "$cairn" store verify s
	for i in 1 5 8; do
		expect 0 "$cairn" store checkout s "os$i" "restored$i"
		diff <(list "tree$i") <(list "restored$i")
	done
	[ -z "$(ls -A s/staging)" ]
}

test_killed_writers_leave_whole_blobs() {
	mkdir tree
	local i
	for i in $(seq 1 300); do head -c "$((i * 300 + 65))" /dev/zero | tr '\0' "$((i % 10))" >"tree/$i"; done
	for i in $(seq 1 ${CAIRN_LONG:+10}5); do
		timeout -s KILL "0.0$((RANDOM % 8 + 1))" "$cairn" store add --quiet s tree >/dev/null 2>&1 || true
		[ ! -d s/objects ] || expect 0 "$cairn" store verify s
	done
	expect 0 "$cairn" store add --quiet --ref os s tree
	expect 0 "$cairn" store gc s
	[ -z "$(ls -A s/staging)" ]
	expect 0 "$cairn" store verify s
	grep -q '^301 blobs, 0 bad' out
}

test_collection_waits_for_writers() {
	expect 0 "$cairn" store add --quiet s /etc/hostname
	exec 8<s/lock
	flock -s 8
	refused 9 'locked by another process' "$cairn" store gc s
	flock -u 8
	expect 0 "$cairn" store gc s
}

# Directories that contain each other, in an image of names that is otherwise right.
test_endless_trees_end() {
	mkdir -p tree/d/{e,f}
	digest=$("$cairn" store add --quiet --ref good s tree | sed 's/^sha256:\([0-9a-f]*\).*/\1/')
	expect 0 "$cairn" store checkout s good plain
	[ -d plain/d/f ]
	expect 0 "$cairn" store gc s
	/usr/bin/python3 - "s/objects/${digest:0:2}/${digest:2}" <<-'END'
		import re, sys
		image = open(sys.argv[1], 'rb').read()
		# The entries of d: ., .., e and f; e and f become d itself.
		entries = re.compile(rb'(.{8})\x30\0\x02\0(.{8})\x31\0\x02\0'
		                     rb'.{8}\x33\0\x02\0.{8}\x34\0\x02\0\.\.\.ef', re.S)
		found = entries.search(image)
		at = found.start()
		for entry in (24, 36):
		    image = image[:at + entry] + found.group(1) + image[at + entry + 8:]
		open('endless', 'wb').write(image)
	END
	expect 0 "$cairn" store add --quiet --ref endless s endless
	refused 5 '(deep|more names)' timeout 60 "$cairn" store checkout s endless out-of-it
	[ -z "$(ls -A | grep -vxE 'out|err|s|tree|plain|endless')" ] || fail "left: $(ls -A)"
	refused 5 '(deep|more names)' timeout 60 "$cairn" store gc s
	expect 0 "$cairn" store checkout s good again
}

test_verify_lists_all_that_is_wrong() {
	plant tree
	expect 0 "$cairn" store add --quiet --ref os s tree
	local bad unread
	bad=$(fsverity digest --compact tree/a/text)
	unread=$(fsverity digest --compact tree/a/other)
	rm "s/objects/${unread:0:2}/${unread:2}"
	mkdir "s/objects/${unread:0:2}/${unread:2}"
	refused 1 '1 of .* blobs cannot be read' "$cairn" store verify s
	grep -qx "UNREADABLE sha256:$unread" out
	printf X | dd of="s/objects/${bad:0:2}/${bad:2}" bs=1 seek=5000 conv=notrunc status=none
	refused 3 '1 of .* blobs' "$cairn" store verify --jobs 1 s
	grep -qx "UNREADABLE sha256:$unread" out
	grep -qx "BAD sha256:$bad" out
	grep -q ' blobs, 1 bad, 1 unreadable' out
}

test_names_of_refs_are_those_of_images() {
	echo one >one
	expect 0 "$cairn" store add --quiet --ref os/stable_7:x@y s one
	digest=$(cut -d' ' -f1 out)
	expect 0 "$cairn" store list s
	grep -qx "$digest ref os/stable_7:x@y" out
	expect 0 "$CAIRN_BUILD/mkfs.blobfs" --quiet --from-store s image
	[ "$("$cairn" ref list image)" = "$digest os/stable_7:x@y" ]
	expect 0 "$CAIRN_BUILD/dump.blobfs" --to-store back image
	expect 0 "$cairn" store get back os/stable_7:x@y
	cmp out one
	expect 0 "$cairn" store gc back
	grep -q '^1 blobs kept, 0 removed' out
	expect 0 "$cairn" store delete-ref back os/stable_7:x@y
	[ -z "$(ls back/refs)" ]
	local name
	for name in ../up .hidden 'a b' a%b /a ''; do
		refused 2 'cannot be the name' "$cairn" store add --quiet --ref "$name" s one
	done
	# In the store it is no mistake of whoever gives the command.
	echo junk >'s/refs/a b'
	refused 5 "s: refs has 'a b', which cannot be" "$cairn" store list s
	refused 5 "s: refs has 'a b', which cannot be" "$cairn" store gc s
	rm 's/refs/a b'
	expect 0 "$cairn" store list s
	[ "$(ls -A s)" = "$(printf 'lock\nobjects\nrefs\nstaging')" ]
}

# A ref is what its name says for good, or what it was before, and nothing is left over.
test_killed_while_a_ref_is_set() {
	echo one >one
	echo two >two
	expect 0 "$cairn" store add --quiet --ref os s one
	expect 0 "$cairn" store list s
	cp out before
	expect 137 strace -f -o trace -e trace=renameat -e inject=renameat:signal=KILL \
		"$cairn" store add --quiet --ref os s two
	expect 0 "$cairn" store get s os
	cmp out one
	[ -n "$(ls -A s/staging)" ]
	[ "$(ls -A s)" = "$(printf 'lock\nobjects\nrefs\nstaging')" ]
	expect 0 "$cairn" store gc s
	[ -z "$(ls -A s/staging)" ]
	expect 0 "$cairn" store list s
	cmp out before
	expect 0 strace -f -y -o trace -e trace=renameat,fsync "$cairn" store add --quiet --ref os s two
	sed -n '/renameat(/,$p' trace | grep -q 'fsync(.*/s/refs>)'
	expect 0 "$cairn" store get s os
	cmp out two
	refused 1 '^cairn: s: refs/no-such: cannot open' "$cairn" store get s no-such
}

test_file_systems_that_cannot_rename_without_replacing() {
	echo one >one
	expect 0 strace -f -o trace -e trace=renameat2 -e inject=renameat2:error=EINVAL \
		"$cairn" store add --quiet s one
	grep -q 'renameat2.*INJECTED' trace
	expect 0 "$cairn" store get s "$(fsverity digest --compact one)"
	cmp out one
	expect 0 "$cairn" store verify s
	plant tree
	expect 0 "$cairn" store add --quiet --ref os s tree
	local as_others='strace -f -o trace -e trace=renameat2 -e inject=renameat2:error=EINVAL'
	expect 0 $as_others "$cairn" store checkout s os restored
	grep -q 'renameat2.*INJECTED' trace
	cmp tree/a/text restored/a/text
	echo kept >there
	expect 1 $as_others "$cairn" store get -o there s os
	grep -q exists err
	[ "$(cat there)" = kept ]
}

run_tests "$@"
