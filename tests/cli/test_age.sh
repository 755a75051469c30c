# SPDX-License-Identifier: MIT
# What a good signature does not say: revoked signers, and images that are too old.
. "$(dirname "$0")/../lib.sh"

fixture=$(mktemp -d "${TMPDIR:-/tmp}/cairn-test.XXXXXX")
trap 'rm -rf "$fixture"' EXIT

# The image states the epoch 3 in its UKI, in its boot policy and in its root.
sed -e 's|^\tmkdir -p tree/usr/bin tree/etc|&; mkdir -p tree/usr/lib; echo CAIRN_EPOCH=3 >tree/usr/lib/os-release|' \
	-e 's|epoch=0|epoch=3|' -e 's|Test Image 1"\\n|&CAIRN_EPOCH=3\\n|' \
	"$CAIRN_TOP/tests/make-image" >"$fixture/make"
bash "$fixture/make" "$fixture" || {
	echo "not ok - tests/make-image"
	exit 1
}

verify() {
	"$cairn" verify --cert "$fixture/root.crt" "$@" "$fixture/image.raw"
}

der() {
	openssl x509 -in "$fixture/$1.crt" -outform der
}

test_revocations() {
	local issuer serial number
	expect 0 verify >out
	number=$(openssl x509 -in "$fixture/root.crt" -noout -serial | sed 's/.*=//' | tr A-F a-f)
	# The issuer's Name is the fourth element of TBSCertificate; asn1parse cuts it out.
	local at
	at=$(der root | openssl asn1parse -inform der | awk -F: '$2 ~ /d=2/ && /SEQUENCE/ { n++; if (n == 2) print $1 + 0 }')
	issuer=$(der root | openssl asn1parse -inform der -strparse "$at" -noout -out name && sha256sum <name | cut -d' ' -f1)

	echo "certificate $(der other | sha256sum | cut -d' ' -f1)" >others
	echo "serial $issuer ${number}00" >>others
	echo "roothash $(printf 0%.0s {1..64})" >>others
	expect 0 verify --revoked others >out
	grep -q 'not revoked' out

	echo "certificate $(der root | sha256sum | cut -d' ' -f1)" >list
	refused 4 'signed by a revoked certificate' verify --quiet --revoked list
	printf '# two\n\nserial %s %s\n' "$issuer" "$number" >list
	refused 4 'signed by a revoked certificate' verify --quiet --revoked list
	echo "roothash $(cat "$fixture/roothash")" >list
	refused 4 'its root hash is revoked' verify --quiet --revoked list
	echo "roothash x" >list
	refused 5 'list: line 1 is no revocation' verify --quiet --revoked list
	refused 1 'nothing: ' verify --quiet --revoked nothing
}

test_epochs() {
	expect 0 verify >out
	[ "$(grep -c 'epoch 3; rollback: unprotected, as no floor was given' out)" = 2 ] ||
		fail "$(cat out)"
	expect 0 verify --epoch-floor 3 >out
	[ "$(grep -c 'its epoch 3 is not below the floor 3' out)" = 2 ] || fail "$(cat out)"
	silent=$(grep -c unprotected out) || true
	[ "$silent" = 0 ]
	expect 4 verify --epoch-floor 4 >out
	[ "$(grep -c 'its epoch 3 is below the floor 4' out)" = 2 ] || fail "$(cat out)"
	refused 4 'below the floor 4' verify --quiet --epoch-floor 4
	refused 2 'no number' verify --epoch-floor 70000

	# An initrd that compares another epoch than the UKI says.
	mkdir image
	sed 's|epoch=3|epoch=9|' "$fixture/make" >make
	bash make "$T/image"
	refused 3 "has the epoch 3, but the initrd's boot policy 9" \
		"$cairn" verify --quiet --cert image/root.crt image/image.raw
}

run_tests "$@"
