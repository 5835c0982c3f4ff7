#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Programs from Debian packages on files that are switched meanwhile: runs the short
# form of scripts/test/programs.
# host
cd "${DAXSTACK_TOP:-.}" || exit 1
export PROGRAMS_LOG=${0%.t}.log
exec scripts/test/programs --short "$FS"
