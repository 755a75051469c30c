# SPDX-License-Identifier: MIT
# Whom and what `cairn verify` believes: signatures, root hashes, and what the UKI says of them.
. "$(dirname "$0")/verify_image.sh"

test_signature_is_not_checked_without_a_certificate() {
	image
	refused 7 'signature: not checked \(no certificate given\)' "$cairn" verify --quiet image.raw
	expect 0 "$cairn" verify --no-signature image.raw
	grep -q 'not checked, as asked' out
	grep -q "note .*root hash is the image's own claim" out
	good
	refused 2 'contradicts' "$cairn" verify --no-signature --cert root.crt image.raw
}

test_wrong_signer_is_refused() {
	image
	good
	refused 4 'root signature partition' "$cairn" verify --quiet --cert other.crt image.raw
	expect 4 "$cairn" verify --cert other.crt image.raw
	[ "$(grep -c ^FAULT out)" = 2 ]
	grep -q 'FAULT.*/EFI/Linux/test_1.efi' out
	refused 1 'no-such.crt' "$cairn" verify --cert no-such.crt image.raw
	refused 5 'roothash' "$cairn" verify --cert roothash image.raw
}

test_trust_directory() {
	image
	mkdir -p trust/root trust/sysext
	cp root.crt trust/root/
	cp other.crt trust/sysext/
	expect 0 "$cairn" verify --trust trust image.raw
	expect 4 "$cairn" verify --trust trust --purpose sysext image.raw
	refused 1 'trust/confext' "$cairn" verify --trust trust --purpose confext image.raw
	mkdir trust/confext
	refused 7 'there is no certificate' "$cairn" verify --trust trust --purpose confext image.raw
	echo junk >trust/root/junk.crt
	refused 5 'junk.crt' "$cairn" verify --trust trust image.raw
}

test_purpose_in_the_certificate_counts() {
	"$cairn" key new keys --purpose sysext >/dev/null 2>&1
	sed "s|^key root\$|cp ../keys/sysext.key root.key; cp ../keys/sysext.crt root.crt|" \
		"$CAIRN_TOP/tests/make-image" >make-image
	mkdir image
	bash make-image "$T/image"
	expect 0 "$cairn" verify --cert keys/sysext.crt --purpose sysext image/image.raw
	expect 4 "$cairn" verify --cert keys/sysext.crt image/image.raw
}

test_unsigned_image_is_refused() {
	image
	area signature
	dd if=/dev/zero of=image.raw bs=16384 count=1 seek="$offset" oflag=seek_bytes conv=notrunc status=none
	refused 4 'not signed' "$cairn" verify --quiet --cert root.crt image.raw
	refused 7 'not signed' "$cairn" verify --quiet image.raw
	expect 0 "$cairn" verify --no-signature image.raw
}

test_root_hash_given() {
	image
	local wrong
	wrong=$(tr 0-9a-f 1-9a-f0 <roothash)
	expect 0 "$cairn" verify --no-signature --root-hash "$(cat roothash)" image.raw
	expect 0 "$cairn" verify --no-signature --root-hash "$(tr a-f A-F <roothash)" image.raw
	expect 3 "$cairn" verify --no-signature --root-hash "$wrong" image.raw
	echo "$wrong" >wrong
	expect 3 "$cairn" verify --cert root.crt --root-hash-file wrong image.raw
	refused 1 'no-such' "$cairn" verify --cert root.crt --root-hash-file no-such image.raw
	refused 2 'not a root hash' "$cairn" verify --root-hash abc image.raw
	: >empty
	refused 2 'not a root hash' "$cairn" verify --root-hash-file empty image.raw
}

# The signature of another image, by the same signer, does not make this one good.
test_signature_of_another_root_hash() {
	image
	edited 's/echo hello/echo other/'
	mv edited other
	expect 0 "$cairn" verify --cert root.crt other/image.raw
	area signature
	dd if=other/signature of=image.raw bs=16384 seek="$offset" oflag=seek_bytes conv=notrunc status=none
	expect 3 "$cairn" verify --cert root.crt image.raw
	grep -q "FAULT.*is for root hash $(cat other/roothash), but" out
	grep -q "FAULT.*roothash=$(cat roothash) is the root hash of no partition" out
}

# Of two sets, the given root hash is the word for one; the other's own claim is none.
test_root_hash_given_for_one_of_two() {
	cat >more <<-'E'
		cp data data2
		printf x | dd of=data2 bs=1 seek=2000 conv=notrunc status=none
		second=$(veritysetup format data2 tree2 --salt 00 | awk '/^Root hash/ { print $3 }')
		signature "$second"
		partition usr data2 8484680C-9521-48C6-9C11-B0720656F69E "$(uuid "${second:0:32}")" 65536
		partition usr-verity tree2 77FF5F63-E7B6-4633-ACF4-1565B864C0E6 "$(uuid "${second:32}")" 32768
		partition usr-signature signature E7BB33FB-06CF-4E81-8273-E543B413E2E2 00000000-0000-4000-8000-000000000004 0
	E
	edited '/^partition signature /r more'
	hash=$(cat "$fixture/roothash")
	cp edited/image.raw "$fixture/root.crt" .
	good
	expect 0 "$cairn" verify --no-signature image.raw
	expect 0 "$cairn" verify --cert root.crt --root-hash "$hash" image.raw
	grep -q "^note .*usr partition .*: the root hash that was given is another partition's" out
	refused 7 'nothing else vouches for this one' \
		"$cairn" verify --quiet --no-signature --root-hash "$hash" image.raw
	refused 7 'nothing else vouches for this one' \
		"$cairn" verify --quiet --no-signature --root-hash "$(cat edited/roothash)" image.raw
}

test_command_line_of_the_uki() {
	local status words pattern
	while IFS='|' read -r status words pattern; do
		edited "s/printf 'roothash=%s console=ttyS0' \"\$1\"/printf '%s' \"$words\"/"
		[ "$status" = 0 ] && expect 0 "$cairn" verify --cert "$fixture/root.crt" edited/image.raw && continue
		refused "$status" "$pattern" "$cairn" verify --quiet --cert "$fixture/root.crt" edited/image.raw
	done <<-'E'
		0|quiet roothash=$1|
		5|quiet|neither roothash= nor usrhash=
		5|roothash=$1 roothash=$1|stands 2 times
		3|usrhash=$1|is the root hash of no partition
		3|roothash=${1:0:63}|is the root hash of no partition
		3|roothash=$1 roothash=none|is the root hash of no partition
	E
}

test_boot_policy_in_the_initrd() {
	edited 's/NOTHING//'
	expect 0 "$cairn" verify --cert "$fixture/root.crt" edited/image.raw
	grep -q 'boot policy names the root hash and file system of the root partition' out
	edited 's|policy "$1" >|policy "${1:32}${1:0:32}" >|'
	refused 3 'boot policy wants root hash' "$cairn" verify --quiet --cert "$fixture/root.crt" edited/image.raw
	edited 's|"fs=$fs"|fs=ext4|'
	refused 3 'boot policy wants ext4 on the root partition' \
		"$cairn" verify --quiet --cert "$fixture/root.crt" edited/image.raw
	edited 's|"fs=$fs"|fs=vfat|'
	refused 5 'etc/cairn/boot.conf' "$cairn" verify --quiet --cert "$fixture/root.crt" edited/image.raw
	edited 's|-H newc) >initrd|-H newc \| head -c 700) >initrd|'
	refused 5 'malformed initrd' "$cairn" verify --quiet --cert "$fixture/root.crt" edited/image.raw
	# The kernel unpacks a second archive over the first.
	edited 's|-H newc) >initrd|-H newc; find . -name boot.conf \| cpio --quiet -o -H newc) >initrd|'
	refused 5 'more follows the archive with /etc/cairn/boot.conf' \
		"$cairn" verify --quiet --cert "$fixture/root.crt" edited/image.raw
	edited 's|-H newc) >initrd|-H newc; head -c 600 /dev/zero) >initrd|'
	expect 0 "$cairn" verify --cert "$fixture/root.crt" edited/image.raw
	grep -q 'boot policy names the root hash' out
	edited 's|policy "$1" >root/etc/cairn/boot.conf|:|'
	expect 0 "$cairn" verify --cert "$fixture/root.crt" edited/image.raw
	grep -q 'note .*no boot policy of Cairn' out
}

run_tests "$@"
