#!/bin/bash
# Programs from Debian's packages on files that are switched meanwhile: a short
# form of scripts/programs.
# host
cd "${DAXSTACK_TOP:-.}" || exit 1
export PROGRAMS_LOG=${0%.t}.log

# A guest that did not come up (125: a very busy machine) tells nothing of the
# programs, which get another one.
for try in 1 2; do
	status=0
	scripts/programs --short "$FS" || status=$?
	[ $status = 125 ] && [ $try = 1 ] || exit $status
done
