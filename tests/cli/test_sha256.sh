# SPDX-License-Identifier: MIT
. "$(dirname "$0")/../lib.sh"

# The ARMv8 engine, cross-compiled and run by QEMU, against Python's hashlib.
test_armv8_under_qemu() {
	aarch64-linux-gnu-gcc -static -O2 -std=gnu17 -Wall -Wextra -Werror -D_GNU_SOURCE -pthread \
		-I"$CAIRN_TOP" -o pairs "$CAIRN_TOP"/tests/cross/sha256_pairs.c \
		"$CAIRN_TOP"/core/sha256.c "$CAIRN_TOP"/core/sha256_armv8.c
	python3 - <<-'END'
		import hashlib, random, struct
		r = random.Random(5)
		pairs, digests = open("pairs.in", "wb"), open("expected", "w")
		def padded(m):
		    return m + b"\x80" + bytes((55 - len(m)) % 64) + struct.pack(">Q", 8 * len(m))
		for turn in range(120):
		    n = r.randrange(1, 70)
		    pairs.write(struct.pack("<I", n))
		    for i in range(2):
		        m = r.randbytes(64 * n - 9 - r.randrange(56))
		        assert len(padded(m)) == 64 * n
		        pairs.write(padded(m))
		        digests.write(hashlib.sha256(m).hexdigest() + "\n")
	END
	qemu-aarch64 -cpu max ./pairs <pairs.in >digests 2>engine
	grep -q '^armv8-x2$' engine
	[ "$(wc -l <digests)" = 240 ]
	cmp expected digests
	[ "$(CAIRN_SHA256=openssl qemu-aarch64 -cpu max ./pairs </dev/null || true)" = "no engine" ]
}

test_version_names_the_engine() {
	expect 0 "$cairn" --version --verbose
	grep -q '^sha256: ' out
	CAIRN_SHA256=openssl expect 0 "$cairn" --version --verbose
	grep -qx 'sha256: openssl' out
	CAIRN_SHA256=abacus refused 2 "there is no 'abacus' on this machine" "$cairn" --version --verbose
	truncate -s 8192 data
	CAIRN_SHA256=abacus refused 2 "no 'abacus'" "$cairn" verity format data hash
	[ ! -e hash ]
}

run_tests "$@"
