#!/bin/bash
# Programs from Debian's packages on files that are switched meanwhile: a short
# form of scripts/programs.
# host
cd "${DAXSTACK_TOP:-.}" || exit 1
export PROGRAMS_LOG=${0%.t}.log
exec scripts/programs --short "$FS"
