#!/bin/bash
# Some of the tests with a kernel that looks for memory errors, wrong lock order
# and leaks, which is built first; all of them: make check-debug.
# host
cd "${DAXSTACK_TOP:-.}" || exit 1

names=(faults hazards storm survive whole)
echo "1..1"
if scripts/check-debug kasan "$FS" "${names[@]}" 2>&1 | sed 's/^/# /'
	[ "${PIPESTATUS[0]}" = 0 ]; then
	echo "ok 1 - ${names[*]}"
else
	echo "not ok 1 - ${names[*]}"
fi
