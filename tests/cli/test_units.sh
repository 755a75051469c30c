# SPDX-License-Identifier: MIT
# What an image has of Cairn, as files; tests/vm/test_systemd.sh has it run.
. "$(dirname "$0")/../lib.sh"

units=$CAIRN_TOP/initrd/units

test_install_system() {
	export MAKEFLAGS= # of a make that runs us
	refused 2 'DESTDIR is the tree' make -C "$CAIRN_TOP" --no-print-directory install-system
	umask 077
	expect 0 make -C "$CAIRN_TOP" --no-print-directory install-system DESTDIR="$T/tree"
	local file program link
	# All that a unit or a link of ours names is there, for everybody.
	for program in $(sed -n 's/^Exec[A-Za-z]*=\([^ ]*\).*/\1/p' tree/usr/lib/systemd/system/*.service); do
		expect 0 "tree$program" version
	done
	[ -n "$program" ]
	for link in $(find tree -lname '/usr/lib/systemd/system/cairn*'); do
		file=tree$(readlink "$link")
		[ "$(stat -c %a "$file")" = 644 ] || fail "$link: $(ls -l "$file")"
		grep -qx "WantedBy=$(basename "$(dirname "$link")" .wants)" "$file"
	done
	[ "$(readlink tree/etc/systemd/system/systemd-sysext.service)" = /dev/null ]
	# The small program has what the units need and nothing else, and needs no library.
	expect 0 tree/usr/bin/cairn help extension
	expect 0 tree/usr/bin/cairn epoch show --root tree --tpm nothing
	refused 2 'no verb build; there is: list, status' tree/usr/bin/cairn extension build
	refused 2 'no verb verify' tree/usr/bin/cairn verify
	! readelf -d tree/usr/bin/cairn | grep NEEDED
}

# variable NAME TEXT: as efivarfs has it.
variable() {
	{
		printf '\006\000\000\000'
		printf '%s\0' "$2" | iconv -t utf-16le
	} >"vars/$1-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
}

test_the_loaders_partition() {
	export CAIRN_EFIVARS=$T/vars
	mkdir vars units
	variable LoaderDevicePartUUID 14BDBA61-926B-8ECD-BE03-7B4E56695691
	expect 0 "$units/cairn-esp-generator" units
	[ -z "$(ls units)" ] || fail 'a boot that nobody counts'
	variable LoaderBootCountPath '\EFI\Linux\os+3.efi'
	expect 0 "$units/cairn-esp-generator" units
	grep -qx 'What=/dev/disk/by-partuuid/14bdba61-926b-8ecd-be03-7b4e56695691' units/efi.mount
	rm units/efi.mount
	variable LoaderDevicePartUUID '../../sda1'
	refused 1 'is no UUID' "$units/cairn-esp-generator" units
	variable LoaderDevicePartUUID ''
	refused 1 'is no UUID' "$units/cairn-esp-generator" units
	[ -z "$(ls units)" ] || fail "$(cat units/*)"
}

run_tests "$@"
