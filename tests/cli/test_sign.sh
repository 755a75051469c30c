# SPDX-License-Identifier: MIT
# `cairn sign`: now, offline, with tokens. What openssl and sbverify say is the measure.
. "$(dirname "$0")/../lib.sh"
. "$CAIRN_TOP/tests/cli/build_tree.sh"
PATH=$PATH:/usr/sbin:/sbin

# Built once: plain.raw without a key, signed.raw with one, and what stands beside them.
fixture=$(mktemp -d "${TMPDIR:-/tmp}/cairn-sign.XXXXXX")
trap 'rm -rf "$fixture"' EXIT
{
	make_tree "$fixture/tree" &&
		"$cairn" key new "$fixture/keys" --quiet &&
		"$cairn" key new "$fixture/keys" --purpose sysext --quiet &&
		"$cairn" key new "$fixture/other" --quiet &&
		"$cairn" build "$fixture/tree" -o "$fixture/plain.raw" --quiet &&
		"$cairn" build "$fixture/tree" -o "$fixture/signed.raw" --quiet \
			--key "$fixture/keys/root.key" --cert "$fixture/keys/root.crt"
} >/dev/null || {
	echo 'not ok - the images to sign'
	exit 1
}

# Copies of the unsigned image and the keys into the test's directory.
start() {
	cp --sparse=always "$fixture"/plain.* .
	cp -r "$fixture/keys" "$fixture/other" .
	cp plain.raw before.raw
}

sign() {
	"$cairn" sign plain.raw --key keys/root.key --cert keys/root.crt "$@"
}

# untouched: image and directory are what they were, so that a refusal left nothing
untouched() {
	cmp plain.raw before.raw || fail 'the image was touched'
	[ -z "$(find . -name '.cairn-*')" ] || fail "left behind: $(find . -name '.cairn-*')"
}

# equals_built STEM: image and files beside it are those of build --key
equals_built() {
	local suffix
	for suffix in raw efi manifest.json roothash initrd vmlinuz; do
		cmp "$1.$suffix" "$fixture/signed.$suffix" || fail "$suffix differs"
	done
	sed "s/  signed\./  $1./" "$fixture/signed.SHA256SUMS" | diff - "$1.SHA256SUMS"
}

test_signing_now_gives_what_build_gives() {
	start
	chmod 640 plain.raw
	expect 0 sign --quiet
	[ ! -s err ] && [ ! -s out ]
	equals_built plain
	[ "$(stat -c %a plain.raw)" = 640 ]
	expect 0 "$cairn" verify --quiet --cert keys/root.crt plain.raw
	refused 4 'trust' "$cairn" verify --quiet --cert other/root.crt plain.raw
}

test_other_tools_accept_it() {
	expect 0 sbverify --cert "$fixture/keys/root.crt" "$fixture/signed.efi"
	expect 1 sbverify --cert "$fixture/other/root.crt" "$fixture/signed.efi"
	part "$fixture/signed.raw" 1 >esp
	mcopy -n -i esp ::/EFI/BOOT/BOOTX64.EFI loader.efi
	expect 0 sbverify --cert "$fixture/keys/root.crt" loader.efi
	part "$fixture/signed.raw" 4 | tr -d '\0' >signature.json
	python3 - <<-'END'
		import base64, json
		s = json.load(open("signature.json"))
		open("signature.p7s", "wb").write(base64.b64decode(s["signature"], validate=True))
		open("hash", "w").write(s["rootHash"])
		open("fingerprint", "w").write(s["certificateFingerprint"])
	END
	[ "$(cat hash)" = "$(cat "$fixture/signed.roothash")" ]
	openssl x509 -in "$fixture/keys/root.crt" -noout -fingerprint -sha256 |
		sed 's/.*=//; s/://g' | tr A-F a-f | tr -d '\n' | cmp - fingerprint
	expect 0 openssl smime -verify -binary -inform der -in signature.p7s -content hash \
		-certfile "$fixture/keys/root.crt" -nointern -noverify -out /dev/null
	openssl smime -sign -nocerts -noattr -binary -in hash -inkey "$fixture/keys/root.key" \
		-signer "$fixture/keys/root.crt" -outform der | cmp - signature.p7s
}

# The commands of docs/signing.md.
offline() {
	local f
	expect 0 "$cairn" sign plain.raw --export requests
	diff out - <<-'END'
		requests/roothash.tbs
		requests/EFI_BOOT_BOOTX64.EFI.tbs
		requests/EFI_Linux_test_1+3.efi.tbs
	END
	cmp requests/roothash.tbs <(tr -d '\n' <plain.roothash)
	for f in requests/*.tbs; do
		openssl dgst -sha256 -sign keys/root.key -out "${f%.tbs}.sig" "$f"
	done
	untouched
}

test_offline_signatures_give_the_same() {
	start
	offline
	expect 0 "$cairn" sign plain.raw --attach requests/*.sig --cert keys/root.crt
	equals_built plain
}

test_offline_pkcs7_gives_the_same() {
	start
	offline
	openssl smime -sign -nocerts -noattr -binary -in requests/roothash.tbs \
		-inkey keys/root.key -signer keys/root.crt -outform der -out requests/roothash.p7s
	rm requests/roothash.sig
	expect 0 "$cairn" sign plain.raw --attach requests/*.sig requests/roothash.p7s \
		--cert keys/root.crt
	equals_built plain
}

test_wrong_answers_are_refused() {
	start
	offline
	cp requests/roothash.sig good.sig
	for wrong in other/root.key keys/sysext.key; do
		openssl dgst -sha256 -sign $wrong -out requests/roothash.sig requests/roothash.tbs
		refused 4 'requests/roothash.sig: answers no request' \
			"$cairn" sign plain.raw --attach requests/*.sig --cert keys/root.crt
		untouched
	done
	printf %s "$(tr 0-9a-f 1-9a-f0 <plain.roothash)" >hash
	openssl dgst -sha256 -sign keys/root.key -out requests/roothash.sig hash
	refused 4 'answers no request' \
		"$cairn" sign plain.raw --attach requests/*.sig --cert keys/root.crt
	cp good.sig requests/roothash.sig
	refused 4 'answers no request' \
		"$cairn" sign plain.raw --attach requests/*.sig --cert other/root.crt
	refused 4 'sysext.crt: a certificate for sysext, not for root' \
		"$cairn" sign plain.raw --attach requests/*.sig --cert keys/sysext.crt
	refused 2 'no answer for EFI/BOOT/BOOTX64.EFI' \
		"$cairn" sign plain.raw --attach requests/roothash.sig --cert keys/root.crt
	refused 1 'requests/none.sig' \
		"$cairn" sign plain.raw --attach requests/none.sig --cert keys/root.crt
	untouched
	expect 0 "$cairn" sign plain.raw --attach requests/*.sig --cert keys/root.crt
}

test_signed_image_is_kept_unless_forced() {
	start
	expect 0 sign --quiet
	cp plain.raw before.raw
	refused 1 'plain.raw: is signed already' sign
	refused 1 'plain.raw: is signed already' "$cairn" sign plain.raw --export requests
	untouched
	expect 0 sign --force --quiet
	equals_built plain
	expect 0 "$cairn" sign plain.raw --force --key other/root.key --cert other/root.crt
	expect 0 "$cairn" verify --quiet --cert other/root.crt plain.raw
	expect 4 "$cairn" verify --quiet --cert keys/root.crt plain.raw
	sha256sum --quiet -c plain.SHA256SUMS
}

test_keys_that_do_not_fit_are_refused() {
	start
	refused 4 'keys/root.key: is not the key of the certificate other/root.crt' \
		"$cairn" sign plain.raw --key keys/root.key --cert other/root.crt
	refused 4 'keys/sysext.crt: a certificate for sysext, not for root' \
		"$cairn" sign plain.raw --key keys/sysext.key --cert keys/sysext.crt
	refused 1 'none.key: cannot open' \
		"$cairn" sign plain.raw --key none.key --cert keys/root.crt
	refused 5 'keys/root.crt: no private key' \
		"$cairn" sign plain.raw --key keys/root.crt --cert keys/root.crt
	refused 5 'keys/root.key: is not one X.509' \
		"$cairn" sign plain.raw --key keys/root.key --cert keys/root.key
	cat keys/root.crt other/root.crt >two.crt
	refused 5 'two.crt: is not one X.509' \
		"$cairn" sign plain.raw --key keys/root.key --cert two.crt
	untouched
	expect 0 sign
}

make_key() { # NAME OPTIONS of openssl genpkey
	local name=$1
	shift
	openssl genpkey "$@" -out "$name.key" 2>/dev/null
	openssl req -x509 -new -key "$name.key" -subj "/CN=$name" -days 30 -out "$name.crt"
}

test_weak_keys_are_refused() {
	start
	make_key weak -algorithm RSA -pkeyopt rsa_keygen_bits:1024
	refused 4 'weak.crt: an RSA key of 1024 bits' \
		"$cairn" sign plain.raw --key weak.key --cert weak.crt
	make_key curve -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1
	refused 4 'curve.crt: an ECDSA key on' \
		"$cairn" sign plain.raw --key curve.key --cert curve.crt
	make_key edwards -algorithm ED25519
	refused 4 'edwards.crt: neither' \
		"$cairn" sign plain.raw --key edwards.key --cert edwards.crt
	untouched
	make_key enough -algorithm RSA -pkeyopt rsa_keygen_bits:2048
	expect 0 "$cairn" sign plain.raw --key enough.key --cert enough.crt
}

test_ecdsa() {
	start
	make_key curve -algorithm EC -pkeyopt ec_paramgen_curve:P-384
	expect 0 "$cairn" sign plain.raw --key curve.key --cert curve.crt
	expect 0 "$cairn" verify --quiet --cert curve.crt plain.raw
	expect 4 "$cairn" verify --quiet --cert keys/root.crt plain.raw
	expect 0 sbverify --cert curve.crt plain.efi
}

test_passphrase_without_a_terminal() {
	start
	openssl pkey -in keys/root.key -aes256 -passout pass:secret -out locked.key
	refused 1 'locked.key: the key has a passphrase and there is no terminal' \
		"$cairn" sign plain.raw --key locked.key --cert keys/root.crt
	untouched
	# With one, it is asked for.
	python3 - "$cairn" sign plain.raw --key locked.key --cert keys/root.crt <<-'END'
		import os, pty, sys
		pid, fd = pty.fork()
		if pid == 0:
		    os.execv(sys.argv[1], sys.argv[1:])
		seen = b""
		while b"Passphrase" not in seen:
		    seen += os.read(fd, 100)
		os.write(fd, b"secret\n")
		try:
		    while os.read(fd, 1000): pass
		except OSError:
		    pass
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
	equals_built plain
}

test_token() {
	start
	mkdir tokens
	echo "directories.tokendir = $T/tokens" >softhsm2.conf
	export SOFTHSM2_CONF=$T/softhsm2.conf
	softhsm2-util --init-token --free --label release --so-pin 12345678 --pin 4321 >/dev/null
	softhsm2-util --import keys/root.key --token release --label root --id 01 --pin 4321 >/dev/null
	local key='pkcs11:token=release;object=root;type=private'
	printf 4321 >pin
	printf 9999 >wrong
	refused 1 'pkcs11:token=release;object=root;type=private: the token asks for a PIN' \
		"$cairn" sign plain.raw --key "$key" --cert keys/root.crt
	refused 1 'cannot load the key' "$cairn" sign plain.raw --cert keys/root.crt \
		--key "$key?pin-source=file:$T/wrong"
	! grep -q 9999 err || fail 'the PIN is shown'
	refused 1 'cannot load the key' "$cairn" sign plain.raw --cert keys/root.crt \
		--key "pkcs11:token=release;object=none;type=private?pin-source=file:$T/pin"
	refused 4 'is not the key of the certificate other/root.crt' "$cairn" sign plain.raw \
		--cert other/root.crt --key "$key?pin-source=file:$T/pin"
	untouched
	expect 0 "$cairn" sign plain.raw --cert keys/root.crt --key "$key?pin-source=file:$T/pin"
	equals_built plain
	cp before.raw plain.raw
	expect 0 "$cairn" sign plain.raw --cert keys/root.crt --key "$key?pin-value=4321"
	cmp plain.raw "$fixture/signed.raw"
}

# byte OFFSET: inverts a byte of plain.raw
byte() {
	python3 -c '
import sys
f = open("plain.raw", "r+b"); f.seek(int(sys.argv[1])); b = f.read(1)[0]
f.seek(-1, 1); f.write(bytes([b ^ 255]))' "$1"
}

test_what_the_root_hash_does_not_name_is_not_signed() {
	start
	local data tree
	data=$(($(sfdisk -J plain.raw | python3 -c 'import json, sys
print(json.load(sys.stdin)["partitiontable"]["partitions"][1]["start"])') * 512))
	tree=$(($(sfdisk -J plain.raw | python3 -c 'import json, sys
print(json.load(sys.stdin)["partitiontable"]["partitions"][2]["start"])') * 512))
	for offset in $((data + 12345)) $((tree + 4096 + 7)); do
		byte $offset
		refused 3 'plain.raw: the content is not what the root hash' sign --quiet
		byte $offset
	done
	untouched
	# A UKI that boots another root: one digit of its command line is changed.
	python3 - <<-'END'
		d = bytearray(open("plain.raw", "rb").read())
		i = d.index(b"roothash=") + 9
		d[i] = ord("0") if d[i] != ord("0") else ord("1")
		open("plain.raw", "wb").write(d)
	END
	refused 3 'EFI/Linux/test_1\+3.efi: its command line does not name' sign --quiet
	cp before.raw plain.raw
	expect 0 sign
}

test_no_image() {
	start
	: >empty
	refused 5 'empty' "$cairn" sign empty --key keys/root.key --cert keys/root.crt
	refused 5 'keys' "$cairn" sign keys --key keys/root.key --cert keys/root.crt
	truncate -s 1M plain.raw
	expect 5 sign
	truncate -s 0 plain.raw
	expect 5 sign
}

test_usage() {
	start
	refused 2 'which image' "$cairn" sign
	refused 2 '--cert is needed' "$cairn" sign plain.raw
	refused 2 '--key and --cert' "$cairn" sign plain.raw --cert keys/root.crt
	refused 2 'takes answers' "$cairn" sign plain.raw --attach --cert keys/root.crt
	refused 2 'takes no key' "$cairn" sign plain.raw --export x --cert keys/root.crt
	refused 2 'no purpose' sign --purpose x
	untouched
}

# A full disk: the copy does not fit beside the image.
test_full_disk_leaves_the_image() {
	mkdir small
	mount -t tmpfs -o size=6M none small
	trap 'umount "$T/small"' EXIT
	start
	cp --sparse=always plain.raw small/
	dd if=/dev/zero of=small/ballast bs=4096 status=none 2>/dev/null || true
	refused 1 'No space left' \
		"$cairn" sign small/plain.raw --key keys/root.key --cert keys/root.crt
	cmp small/plain.raw before.raw
	[ "$(ls -A small | tr '\n' ' ')" = 'ballast plain.raw ' ] || fail "left: $(ls -A small)"
	rm small/ballast
	mount -o remount,size=200M small
	expect 0 "$cairn" sign small/plain.raw --key keys/root.key --cert keys/root.crt
}

# Whenever it is ended, the image is the old one or the signed one, and nothing is left.
test_ended_at_any_moment() {
	start
	local delay status signed=0 ended=0
	for delay in 0.01 0.02 0.05 0.1 0.2 0.4 60; do
		status=0
		timeout --preserve-status -s TERM $delay "$cairn" sign plain.raw --quiet \
			--key keys/root.key --cert keys/root.crt 2>err || status=$?
		case $status in
		0)
			equals_built plain
			cp --sparse=always "$fixture"/plain.* .
			signed=$((signed + 1))
			;;
		143)
			untouched
			ended=$((ended + 1))
			;;
		*) fail "status $status: $(cat err)" ;;
		esac
	done
	[ $signed -gt 0 ] && [ $ended -gt 0 ] || fail "$signed signed, $ended ended"
}

test_no_memory_errors() {
	start
	expect 0 valgrind -q --error-exitcode=99 --leak-check=full "$cairn" sign plain.raw \
		--key keys/root.key --cert keys/root.crt
	expect 1 valgrind -q --error-exitcode=99 --leak-check=full "$cairn" sign plain.raw \
		--key keys/root.key --cert keys/root.crt
	expect 4 valgrind -q --error-exitcode=99 --leak-check=full "$cairn" sign plain.raw \
		--key keys/root.key --cert other/root.crt --force
}

run_tests "$@"
