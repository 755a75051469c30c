# SPDX-License-Identifier: MIT
# What opening, looking up and adding cost as the number of blobs grows: counted, not timed.
. "$(dirname "$0")/../lib.sh"
PATH=$CAIRN_BUILD:$CAIRN_BUILD/tests/helpers:$PATH

# counted IMAGE COMMAND... : "READS WRITES BYTES-WRITTEN" of the image
counted() {
	local image=$1
	shift
	strace -qq -f -o calls -e trace=pread64,pwrite64 -P "$PWD/$image" "$@" >/dev/null 2>err ||
		fail "$(cat err)"
	awk '/pread64/ { r++ } /pwrite64/ { w++; bytes += $NF } END { print r + 0, w + 0, bytes + 0 }' calls
}

# memory COMMAND... : the most that it had, in KiB
memory() {
	python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$@"
}

# at_most WHAT LIMIT NUMBER
at_most() {
	echo "$1: $3 (at most $2)"
	[ "$3" -gt 0 ] && [ "$3" -le "$2" ] || fail "$1: $3, more than $2"
}

test_many_blobs_cost_what_few_do() {
	local n wanted reads writes bytes
	echo 'blob 777' >known
	echo new >new
	wanted=$(cairn digest --compact known)
	for n in 1000 100000 ${CAIRN_LONG:+1000000}; do
		# Of the writer: 32 MB and 64 bytes for each blob.
		at_most "memory for $n" $((32000000 / 1024 + n * 64 / 1024)) "$(memory make-blobfs "image-$n" "$n")"
		read -r reads writes bytes < <(counted "image-$n" dump.blobfs "image-$n")
		at_most "open, of $n: reads" 4 "$reads"
		# The index of 10^6 has 15,874 pages: a search takes ten steps more than in 16.
		read -r reads writes bytes < <(counted "image-$n" cairn blob get -o got "image-$n" "$wanted")
		at_most "look up, of $n: reads" 24 "$reads"
		cmp got known
		rm got
		read -r reads writes bytes < <(counted "image-$n" cairn blob add "image-$n" new)
		at_most "add, to $n: reads" 12 "$reads"
		at_most "add, to $n: writes" 6 "$writes"
		at_most "add, to $n: bytes written" 32768 "$bytes"
		dump.blobfs "image-$n" | grep -q '^Generation: *2$'
	done
	at_most 'memory of fsck' 24000 "$(memory fsck.blobfs --quiet "image-$n")"
}

test_mkfs_of_many_files_stays_small() {
	python3 - <<-'END'
		import os
		for i in range(20000):
		    if i % 500 == 0:
		        os.makedirs("tree/%02d" % (i // 500))
		    with open("tree/%02d/%d" % (i // 500, i), "wb") as f:
		        f.write(b"file %d\n" % i * (1 + i % 900))
	END
	at_most 'memory for 20000 files' $((32000000 / 1024 + 20000 * 64 / 1024)) \
		"$(memory mkfs.blobfs --quiet image --from-dir tree)"
	expect 0 fsck.blobfs image
	grep -q ' 20000 blobs ' "$T/err"
}

run_tests "$@"
