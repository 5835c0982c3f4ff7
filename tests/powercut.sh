#!/bin/bash
# Power cuts: a short form of scripts/powercut.
# host
exec "${DAXSTACK_TOP:-.}/scripts/powercut" --cuts "${DAXSTACK_CUTS:-10}" "$FS"
