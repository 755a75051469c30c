# SPDX-License-Identifier: MIT
# For shell tests: source this, define functions named test_*, end with `run_tests`.
# Each test runs in a subshell of its own with `set -e`, in an empty directory $T that is
# removed afterwards. `skip REASON` ends it as skipped.
set -u
# The modes of what tests make are part of the images they make of it; programs word what
# they say by the locale.
umask 022
export LC_ALL=C.UTF-8
: "${CAIRN_TOP:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${CAIRN_BUILD:=$CAIRN_TOP/build}"
cairn=$CAIRN_BUILD/cairn

skip() {
	echo "$*" >"$T.skip"
	exit 77
}

# say WHY and fail the test
fail() {
	echo "FAILED: $*"
	exit 1
}

# expect STATUS COMMAND... : the command must end with exactly that status. Its output is
# in $T/out, what it says on stderr in $T/err.
expect() {
	local wanted=$1 got=0
	shift
	"$@" >"$T/out" 2>"$T/err" </dev/null || got=$?
	[ "$got" = "$wanted" ] || {
		sed 's/^/  out: /' "$T/out" | head -n 20
		sed 's/^/  err: /' "$T/err" | head -n 20
		fail "status $got, not $wanted: $*"
	}
}

# refused STATUS PATTERN COMMAND... : as expect, with exactly one line on stderr that
# matches the extended regular expression.
refused() {
	local wanted=$1 pattern=$2
	shift 2
	expect "$wanted" "$@"
	[ "$(wc -l <"$T/err")" = 1 ] || fail "not one line on stderr: $(cat "$T/err")"
	grep -Eq -- "$pattern" "$T/err" || fail "no '$pattern' in: $(cat "$T/err")"
}

# noise FILE SIZE SEED: the same bytes every time
noise() {
	openssl enc -aes-128-ctr -K "$(printf '%032x' "$3")" -iv 0 -nosalt -in /dev/zero 2>/dev/null |
		head -c "$2" >"$1"
}

# flip FILE OFFSET: another byte is there
flip() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf "$(printf '\\x%02x' $((byte ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# nothing_else FILE...: the directory holds these and the harness's own
nothing_else() {
	local found
	found=$(ls -A | grep -vxE 'out|err|faulty.so' | sort | tr '\n' ' ')
	[ "$found" = "$(printf '%s\n' "$@" | sort | tr '\n' ' ')" ] || fail "left: $found"
}

# While another process finds out that the loop device it tried to set up is taken, a mount
# of it is refused as busy: other tests run beside this one.
mount() {
	local i said
	for ((i = 0; i < 10; i++)); do
		said=$(command mount "$@" 2>&1) && { [ -z "$said" ] || echo "$said"; return 0; }
		[[ $said == *'already mounted or mount point busy'* ]] || break
		sleep 0.1
	done
	echo "$said" >&2
	return 1
}

run_tests() {
	local only=${1:-} number=0 name failed=0
	for name in $(declare -F | awk '$3 ~ /^test_/ { print $3 }'); do
		[[ $name == *$only* ]] || continue
		number=$((number + 1))
		T=$(mktemp -d "${TMPDIR:-/tmp}/cairn-test.XXXXXX")
		(
			set -eE
			trap 'echo "at line $LINENO: $BASH_COMMAND"' ERR
			cd "$T"
			$name
		)
		case $? in
		0) echo "ok $number - $name" ;;
		77) echo "ok $number - $name # SKIP $(cat "$T.skip")" ;;
		*)
			echo "not ok $number - $name"
			failed=1
			;;
		esac
		rm -rf "$T" "$T.skip"
	done
	[ $number -gt 0 ] || echo "not ok - no test matches $only"
	return $failed
}
