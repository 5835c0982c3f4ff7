#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Power cuts: runs scripts/test/powercut with few cuts.
# host
exec "${DAXSTACK_TOP:-.}/scripts/test/powercut" --cuts "${DAXSTACK_CUTS:-10}" "$FS"
