#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Asserts that the examples of docs/tracing.md, with perf, trace-cmd and bpftrace,
# print the output shown there.
# host
cd "${DAXSTACK_TOP:-.}" || exit 1
export FS
image=$(scripts/vm/programs-image tracing) || {
	echo 'not ok 1 - a disk image with the programs'
	echo '1..1'
	exit 1
}
share=/usr/local/share/daxstack
exec scripts/vm/guest --fs "$FS" --timeout 1200 --mem 2048 --module "$DAXSTACK_KO" \
	--disk "$image" --add build/tools/daxstack --log "${0%.t}.log" \
	--add tests/semantics.sh:$share/ --add tests/tracing/guest:$share/tracing \
	--add docs/tracing.md:$share/ -- $share/tracing
