# SPDX-License-Identifier: MIT
# Whom PID 1 trusts: the root's signature checked before dm-verity is set up, and the floor
# of epochs in a TPM (swtpm).
. "$(dirname "$0")/lib.sh"

console='console=ttyS0 panic=-1'

# certify NAME PURPOSE-OID: NAME.key and NAME.crt
certify() {
	openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.crt" \
		-addext "extendedKeyUsage=$2" 2>/dev/null
}

root_oid=2.25.326805806096245407720027131346193648512
sysext_oid=2.25.71939510027889489427801799309729170228

# What lib.sh's disk puts into the signature partition: by $signer, or nothing.
signature() {
	[ -n "$signer" ] || return 0
	printf %s "$1" >roothash
	printf '{"rootHash":"%s","certificateFingerprint":"%s","signature":"%s"}' "$1" \
		"$(fingerprint "$signer")" \
		"$(openssl smime -sign ${embed--nocerts} -noattr -binary -in roothash \
			-inkey "$signer.key" -signer "$signer.crt" -outform der | base64 -w 0)"
}

fingerprint() {
	openssl x509 -in "$1.crt" -outform der | sha256sum | cut -d' ' -f1
}

# tpm FLOOR: swtpm for the next boot, whose floor is FLOOR unless that is 0.
tpm() {
	rm -rf tpm
	mkdir tpm
	if [ "$1" != 0 ]; then
		swtpm socket --tpm2 --tpmstate "dir=$T/tpm" \
			--server "type=unixio,path=$T/tpm/server" \
			--flags startup-clear,not-need-init >swtpm.log 2>&1 &
		local provisioner=$!
		wait_for tpm/server
		expect 0 timeout 20 "$cairn" epoch raise --to "$1" --root tree --tpm tpm/server >out
		grep -qx "floor of the TPM: $1" out
		kill $provisioner
		wait $provisioner || true
	fi
	swtpm socket --tpm2 --tpmstate "dir=$T/tpm" --ctrl "type=unixio,path=$T/tpm/socket" \
		--terminate >swtpm.log 2>&1 &
	wait_for tpm/socket
	machine="-chardev socket,id=tpm,path=$T/tpm/socket -tpmdev emulator,id=tpm0,chardev=tpm
		-device tpm-crb,tpmdev=tpm0"
}

wait_for() {
	local i
	for i in {1..100}; do
		[ ! -S "$1" ] || return 0
		sleep 0.1
	done
	fail "no socket $1: $(cat swtpm.log)"
}

# system: a root file system of epoch 3, in tree and data.
system() {
	tree tree
	printf 'ID=test\nCAIRN_EPOCH=3\n' >tree/usr/lib/os-release
	filesystem erofs tree data
}

# Of five disks with the same root the one that is rightly signed is taken; the image is of
# the epoch that is the floor.
test_signed_root() {
	certify good "$root_oid"
	certify extender "$sysext_oid"
	certify revoked "$root_oid"
	system
	local name
	for name in '' extender revoked good; do
		signer=$name signed=1 disk root data "disk-${name:-unsigned}"
	done
	cp disk-good disk-forged
	printf A | dd of=disk-forged bs=1 conv=notrunc status=none \
		seek=$(($(offset_of disk-forged '"signature":"') + 300))
	! cmp -s disk-good disk-forged || printf B | dd of=disk-forged bs=1 conv=notrunc \
		status=none seek=$(($(offset_of disk-forged '"signature":"') + 300))
	embed=' ' signer=good signed=1 disk root data disk-good
	echo "certificate $(fingerprint revoked)" >list
	TRUST=good.crt:revoked.crt REVOKED=list EPOCH=3 \
		initrd erofs "roothash=$roothash cairn.require-signature=root" initrd
	tpm 3
	boot "roothash=$roothash cairn.require-signature=root $console" \
		disk-unsigned disk-extender disk-revoked disk-forged disk-good
	booted
	says 'passed over: /dev/vda: its root hash is not signed'
	says 'passed over: /dev/vdb: signed by a certificate that is not among the 2 trusted for root'
	says 'passed over: /dev/vdc: signed by a revoked certificate, root/'
	says 'passed over: /dev/vdd: the signature was not made with the key of root/'
	says 'MARKER state:   "disk": "/dev/vde"'
	says 'MARKER state:   "signature": "user space"'
	says "MARKER state:   \"signer\": \"$(fingerprint good)\""
	says 'MARKER state:   "rollback": "tpm"'
	says 'MARKER state:   "epoch": 3'
	says 'MARKER state:   "epochFloor": 3'
	says "MARKER list /run/cairn/certificates: $(fingerprint good).crt"
	silent 'rollback: unprotected'
	ls -l initrd
}

# The same root, never signed: an initrd of an older epoch than the TPM's floor, one that
# is not of the root's epoch, and one that wants a floor where there is none.
test_epochs() {
	system
	disk root data disk
	tpm 3
	EPOCH=2 initrd erofs "roothash=$roothash" initrd
	boot "roothash=$roothash $console" disk
	stopped "this image's epoch 2 is below the floor 3 in the TPM"

	machine=
	EPOCH=4 initrd erofs "roothash=$roothash" initrd
	boot "roothash=$roothash $console" disk
	says 'cairn: rollback: unprotected: there is no TPM'
	stopped "the image's os-release has the epoch 3, but the initrd is for 4"

	tpm 0
	EPOCH=3 initrd erofs "roothash=$roothash cairn.rollback=tpm" initrd
	boot "roothash=$roothash cairn.rollback=tpm $console" disk
	stopped 'wants a floor of epochs in the TPM: the TPM holds no floor of epochs'
}

run_tests "$@"
