# SPDX-License-Identifier: MIT
# Whom the initrd trusts for the root (cairn build --trust, --revoked), and its epoch.
. "$(dirname "$0")/../lib.sh"
. "$CAIRN_TOP/tests/cli/build_tree.sh"

build() {
	"$cairn" build tree -o os.raw --force --quiet "$@"
}

# certify NAME KIND: NAME.key and NAME.crt by another tool, of KIND as openssl says it
certify() {
	openssl req -x509 -newkey "$2" -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.crt" \
		2>/dev/null
}

packed() {
	bsdtar -xOf os.initrd "$1"
}

test_trust_is_packed() {
	make_tree tree
	echo CAIRN_EPOCH=4 >>tree/usr/lib/os-release
	"$cairn" key new keys --quiet
	"$cairn" key new keys --purpose sysext --quiet
	certify other rsa:2048
	certify weak rsa:1024
	local required=(--cmdline cairn.require-signature=root) fingerprint
	fingerprint=$(openssl x509 -in keys/root.crt -outform der | sha256sum | cut -d' ' -f1)

	expect 0 build
	[ "$(bsdtar -tf os.initrd | grep -c '^usr')" = 0 ] || fail "somebody is trusted"
	[ "$(packed etc/cairn/boot.conf | grep -c -x -e require-signature=none -e epoch=4)" = 2 ]

	echo "certificate $(printf 0%.0s {1..64})" >list
	expect 0 build "${required[@]}" --trust keys/root.crt --trust other.crt --revoked list \
		--key keys/root.key --cert keys/root.crt
	packed etc/cairn/boot.conf | grep -qx require-signature=root
	packed "usr/lib/cairn/trust/root/$fingerprint.crt" |
		cmp - <(openssl x509 -in keys/root.crt -outform der)
	[ "$(bsdtar -tf os.initrd | grep -c 'trust/root/.*crt$')" = 2 ]
	packed usr/lib/cairn/revoked | cmp - list
	expect 0 "$cairn" verify --cert keys/root.crt --epoch-floor 4 os.raw
	expect 4 "$cairn" verify --cert keys/root.crt --epoch-floor 5 os.raw

	refused 2 'needs --trust' build "${required[@]}"
	refused 4 'signs the root, but is not among the trusted' build "${required[@]}" \
		--trust other.crt --key keys/root.key --cert keys/root.crt
	refused 4 'a certificate that is not for root' build "${required[@]}" --trust keys/sysext.crt
	refused 4 'an RSA key of 1024 bits' build "${required[@]}" --trust weak.crt
	refused 5 'neither a certificate' build "${required[@]}" --trust keys/root.key
	echo nonsense >list
	refused 5 'list: line 1 is no revocation' build --revoked list
	refused 2 'makes no sense' build --cmdline cairn.require-signature=generation
	refused 2 'makes no sense' build --cmdline cairn.rollback=no
	sed -i s/CAIRN_EPOCH=4/CAIRN_EPOCH=x/ tree/usr/lib/os-release
	refused 5 'CAIRN_EPOCH' build
}

run_tests "$@"
