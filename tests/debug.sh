#!/bin/bash
# Some of the tests with a kernel that looks for memory errors, wrong lock order
# and leaks, which is built first; all of them: make check-debug.
# host
cd "${DAXSTACK_TOP:-.}" || exit 1
log=${0%.t}.out
export CHECK_DIR=$PWD/build/kasan/t-$FS

case $FS in
ext4) names=(hazards storm survive faults torture refuse whole wait besiege sides) ;;
xfs) names=(storm survive faults torture refuse whole inherit) ;;
esac

echo "1..1"
if scripts/check-debug kasan "$FS" "${names[@]}" >"$log" 2>&1 &&
	[ "$(find "$CHECK_DIR/$FS" -name '*.tap' | wc -l)" = ${#names[@]} ]; then
	echo "ok 1 - with a debug kernel: ${#names[@]} tests, $(tail -n 1 "$log")"
else
	echo "not ok 1 - with a debug kernel: ${#names[@]} tests"
	grep -A3 '^not ok' "$log" | sed 's/^/# /'
	tail -n 8 "$log" | sed 's/^/# /'
	exit 1
fi
