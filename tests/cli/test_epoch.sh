# SPDX-License-Identifier: MIT
# The floor of epochs in a TPM (swtpm): it can be raised, and by nothing be lowered.
. "$(dirname "$0")/../lib.sh"

# system EPOCH FLOOR: a system in ./root that states these.
system() {
	mkdir -p root/usr/lib/cairn
	printf 'ID=test\nCAIRN_EPOCH=%s\n' "$1" >root/usr/lib/os-release
	printf '# policy\nepoch-floor=%s\n' "$2" >root/usr/lib/cairn/extensions.conf
}

epoch() {
	timeout 20 "$cairn" epoch "$@" --root root --tpm tpm.sock
}

start_tpm() {
	mkdir tpm
	swtpm socket --tpm2 --tpmstate "dir=$T/tpm" --server "type=unixio,path=$T/tpm.sock" \
		--flags startup-clear,not-need-init >swtpm.log 2>&1 &
	tpm=$!
	trap 'kill $tpm 2>/dev/null' EXIT
	local i
	for i in {1..100}; do
		[ ! -S tpm.sock ] || return 0
		sleep 0.1
	done
	fail "swtpm does not start: $(cat swtpm.log)"
}

# command HEX: sends raw bytes to the TPM and prints the response code.
command() {
	python3 - "$T/tpm.sock" "$1" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.sendall(bytes.fromhex(sys.argv[2].replace(" ", "")))
		print(s.recv(4096)[6:10].hex())
	END
}

test_floor_only_rises() {
	start_tpm
	system 5 3
	expect 0 epoch show >out
	grep -qx 'rollback: unprotected: the TPM holds no floor of epochs' out
	expect 0 epoch raise >out
	grep -qx 'floor of the TPM: 3' out
	grep -qx 'rollback: tpm' out
	expect 0 epoch raise --quiet >out
	grep -qx 'floor of the TPM: 3' out
	expect 0 epoch raise --to 2 >out
	grep -qx 'floor of the TPM: 3' out
	refused 2 "above this system's own epoch 5" epoch raise --to 6
	expect 0 epoch raise --to 5 >out
	grep -qx 'floor of the TPM: 5' out
	expect 0 epoch show --json >out
	[ "$(python3 -c 'import json; d = json.load(open("out")); print(d["epoch"], d["baseFloor"],
		d["tpmFloor"], d["rollback"], d["reason"])')" = '5 3 5 tpm None' ] || fail "$(cat out)"

	# Nothing may write, lock or reset it: NV_Write, NV_WriteLock (not WRITEDEFINE),
	# NV_ReadLock fail with TPM_RC_ATTRIBUTES or NV_AUTHORIZATION.
	local auth='00000009 40000009 0000 00 0000' index='0180ca1e'
	[ "$(command "8002 00000029 00000137 $index $index $auth 0008 0000000000000001 0000")" != 00000000 ]
	[ "$(command "8002 0000001f 00000138 $index $index $auth")" != 00000000 ]
	[ "$(command "8002 0000001f 0000014f $index $index $auth")" != 00000000 ]
	expect 0 epoch show >out
	grep -qx 'floor of the TPM: 5' out

	# The owner may delete it. It does not come back lower.
	[ "$(command "8002 0000001f 00000122 40000001 $index $auth")" = 00000000 ]
	expect 0 epoch show >out
	grep -qx 'rollback: unprotected: the TPM holds no floor of epochs' out
	refused 1 "the TPM's counters start at 6 by now, above the epoch 5" epoch raise --to 5
	expect 0 epoch show >out
	grep -qx 'floor of the TPM: none' out
	system 9 3
	expect 0 epoch raise --to 9 >out
	grep -qx 'floor of the TPM: 9' out

	# Nor after TPM2_Clear.
	[ "$(command "8002 0000001b 00000126 4000000a $auth")" = 00000000 ]
	refused 1 "the TPM's counters start at 10 by now, above the epoch 9" epoch raise --to 9
	system 20 3
	expect 0 epoch raise --to 20 >out

	# An index that is something else there is no floor.
	[ "$(command "8002 0000001f 00000122 40000001 $index $auth")" = 00000000 ]
	[ "$(command "8002 0000002d 0000012a 40000001 $auth 0000 000e $index 000b 00040004 0000 0008")" = 00000000 ]
	refused 1 'is not a floor of epochs' epoch show
}

test_without_a_tpm() {
	system 5 3
	expect 0 "$cairn" epoch show --root root --tpm nothing >out
	grep -qx 'rollback: unprotected: there is no TPM' out
	refused 1 'there is no TPM' "$cairn" epoch raise --root root --tpm nothing
	refused 5 'is no TPM' "$cairn" epoch show --root root --tpm root/usr/lib/os-release
}

test_malformed_statements_are_refused() {
	system 5 3
	expect 0 "$cairn" epoch show --root root --tpm nothing
	system 5 x
	refused 5 'extensions.conf: line 2' "$cairn" epoch show --root root --tpm nothing
	system 70000 3
	refused 5 'CAIRN_EPOCH' "$cairn" epoch show --root root --tpm nothing
	system 5 3
	ln -sf /etc/hostname root/usr/lib/cairn/revoked
	refused 1 'revoked: cannot open' "$cairn" epoch show --root root --tpm nothing
	rm root/usr/lib/cairn/revoked
	refused 2 'show or raise' "$cairn" epoch lower
	refused 2 'no number' "$cairn" epoch raise --to 0
}

run_tests "$@"
