# SPDX-License-Identifier: MIT
. "$(dirname "$0")/../lib.sh"

# The function f of fsverity-utils' tests; see tests/golden/README.md.
make_f() {
	python3 -c 'import sys; sys.stdout.buffer.write(bytes((i % 11 + i % 439 + i % 1103) & 255 for i in range(1000000)))'
}

test_golden_digests() {
	make_f >f
	printf 'hello world\n' >hello
	: >empty
	expect 0 "$cairn" digest f hello empty
	diff - out <<-'END'
		sha256:48df0c462329cd879661bd05b39aa81b05cc16afd27a7196a559da83531d39d9 f
		sha256:37061ef2ac4c21bec68489b56138c5780306a4ad7fe6676236ecdf2c9027cd92 hello
		sha256:3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95 empty
	END
	expect 0 "$cairn" digest --salt=303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f f
	grep -qx 'sha256:bc2d70324c048c220a2cb190832140863eb268e680427939e5d467bea5ec5ad9 f' out
}

# Sizes around every power of each tree's fan-out, all algorithms, block sizes and salts.
test_like_fsverity() {
	RANDOM=3
	local i n bs alg count=30 sizes=(512 1024 2048 4096) files=()
	[ -z "${CAIRN_LONG:-}" ] || count=400
	for n in 0 1 511 512 513 4095 4096 4097 65535 65536 524287 524288 524289 1048576 1048577; do
		noise "file-$n" $n $n
		files+=("file-$n")
	done
	for ((i = 0; i < count; i++)); do
		n=$((RANDOM * 100 + RANDOM % 100))
		noise "random-$i" $n $i
		files+=("random-$i")
	done
	for alg in sha256 sha512; do
		for bs in "${sizes[@]}"; do
			for salt in "" 00 "$(printf '%064d' 7)"; do
				fsverity digest --hash-alg=$alg --block-size=$bs --salt=$salt "${files[@]}" >expected
				expect 0 "$cairn" digest --hash-alg=$alg --block-size=$bs --salt=$salt "${files[@]}"
				cmp expected out || fail "$alg $bs '$salt'"
			done
		done
	done
}

# Large files are cut into pieces; holes and zeros in them are not hashed.
test_large_files_like_fsverity() {
	noise dense 40000001 1
	truncate -s 60000001 sparse
	dd if=dense of=sparse bs=1M count=7 seek=20 conv=notrunc status=none
	cp --sparse=never sparse zeros
	truncate -s 33554432 hole
	fsverity digest dense sparse zeros hole >expected
	for jobs in 1 2 3; do
		expect 0 "$cairn" digest --jobs=$jobs dense sparse zeros hole
		cmp expected out
	done
	fsverity digest --hash-alg=sha512 --block-size=1024 --salt=ab dense sparse >expected
	expect 0 "$cairn" digest --hash-alg=sha512 --block-size=1024 --salt=ab dense sparse
	cmp expected out
}

test_directories_and_lists() {
	mkdir -p tree/b/c "tree/a x"
	echo 1 >tree/b/c/one
	echo 2 >"tree/a x/two"
	echo 3 >$'tree/new\nline'
	ln -s one tree/b/c/link
	mkfifo tree/fifo
	expect 0 "$cairn" digest -r -z tree
	LC_ALL=C; find tree -type f -print0 | sort -z | xargs -0 fsverity digest | tr '\n' ' ' >expected
	[ "$(tr '\0\n' '  ' <out)" = "$(cat expected)" ]
	find tree -type f -print0 | sort -z >list
	cp out by-tree
	expect 0 "$cairn" digest -z --files0-from=list
	cmp by-tree out
	expect 0 "$cairn" digest -z --check=by-tree
	[ "$(tr '\0' '\n' <out | grep -c ': OK$')" = 3 ]
	expect 0 "$cairn" digest --json -r tree
	python3 -c 'import json; d = json.load(open("out")); assert len(d) == 3 and len(d[0]["sha256"]) == 64'
}

test_check_list() {
	noise a 100000 1
	noise b 5000000 2
	expect 0 "$cairn" digest a b
	cp out list
	expect 0 "$cairn" digest --check=list
	printf 'a: OK\nb: OK\n' | cmp - out
	expect 0 "$cairn" digest --quiet -c list
	[ ! -s out ]
	printf X | dd of=b bs=1 seek=4999999 conv=notrunc status=none
	refused 3 'list: of 2 files 1 differ and 0 could not' "$cairn" digest -c list
	printf 'a: OK\nb: FAILED\n' | cmp - out
	rm a
	expect 3 "$cairn" digest -c list
	grep -qx 'a: FAILED open or read' out
	cp b a
	sed -i '2d; s/ a/ nowhere/' list
	expect 7 "$cairn" digest -c list
	echo 'sha256:12 a' >list
	refused 5 "list: line 1 is not 'sha256:'" "$cairn" digest -c list
	: >list
	refused 5 'list: is empty' "$cairn" digest -c list
}

test_pipe_of_known_size() {
	noise data 5000001 4
	"$cairn" digest --size=5000001 - <data >direct
	cat data | "$cairn" digest --size=5000001 --jobs=3 - >piped
	cmp direct piped
	[ "$(sed 's/ -$/ data/' piped)" = "$(fsverity digest data)" ]
	if cat data | "$cairn" digest --size=5000002 - >longer 2>err; then fail "a pipe that ends early"; fi
	grep -q 'ended before its 5000002 bytes' err
	[ ! -s longer ]
	if "$cairn" digest --size=5000000 - <data >longer 2>err; then fail "a file that goes on"; fi
	grep -q 'goes on after its 5000000 bytes' err
	[ ! -s longer ]
}

# Two threads: whichever gets the signal, the other is the one that reads.
test_interrupted_at_a_pipe_that_gives_nothing() {
	local jobs pid status
	mkfifo pipe
	exec 3<>pipe
	for jobs in 1 2; do
		env --default-signal=INT "$cairn" digest --size=5000000 --jobs=$jobs - \
			<pipe >out 2>err 3>&- &
		pid=$!
		until [ "$(cat /proc/$pid/comm)" = cairn ]; do sleep 0.05; done
		sleep 0.5
		kill -INT $pid
		for _ in {1..200}; do
			[ -d /proc/$pid ] || break
			sleep 0.1
		done
		kill -KILL $pid 2>/dev/null || :
		status=0
		wait $pid || status=$?
		[ $status = 130 ] || fail "status $status after SIGINT with $jobs threads: $(cat err)"
		[ ! -s out ]
	done
	head -c 5000000 /dev/zero >data
	"$cairn" digest --size=5000000 - <data >direct
	cat data >&3 &
	"$cairn" digest --size=5000000 - <pipe >piped
	cmp direct piped
}

test_bad_input_is_refused() {
	echo x >good
	refused 5 'a directory, not a regular' "$cairn" digest .
	refused 1 'nowhere: cannot open' "$cairn" digest nowhere
	refused 5 'no sha1' "$cairn" digest --hash-alg=sha1 good
	refused 5 'unknown hash' "$cairn" digest --hash-alg=md5 good
	refused 5 'block size 1000' "$cairn" digest --block-size=1000 good
	refused 5 'salt of 33 bytes' "$cairn" digest --salt="$(printf '%066d' 0)" good
	refused 2 'not bytes in hex' "$cairn" digest --salt=abc good
	refused 2 'which files' "$cairn" digest
	refused 2 'exclude each other' "$cairn" digest good --check=good
	refused 2 'alone' "$cairn" digest --size=5 good
	# The others are still done.
	refused 1 'nowhere' "$cairn" digest nowhere good
	fsverity digest good | cmp - out
}

run_tests "$@"
