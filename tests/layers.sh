#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# scripts/test/layers: calls in the module only go down, and it finds a call that goes up, a
# header of a layer above and a source that is not listed.
# host
set -u -o pipefail
cd "${DAXSTACK_TOP:-.}" || exit 1
layers=$PWD/scripts/test/layers

tmp=$(mktemp -d "${TMPDIR:-/tmp}/daxstack-layers.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
said=$tmp/said

# complains NAME PATTERN [OBJECTS]
complains()
{
	local status=0
	"$layers" ${3+"$3"} >"$tmp/said" 2>&1 || status=$?
	[ "$status" = 1 ] && grep -q -e "$2" "$tmp/said"
	ok $? "$1"
}

"$layers" >"$tmp/said" 2>&1
ok $? 'headers: each source includes its own layer and those below'

mkdir -p "$tmp/tree/module"
touch "$tmp/tree/Kbuild"
cd "$tmp/tree" || exit 1
tree()
{
	rm -f module/*
	printf 'top\n\tupper.c\n\tupper.h\n\nbottom\n\tlower.c\n' >module/layers
	echo 'void upper(void);' >module/upper.h
	printf '#include "upper.h"\nvoid lower(void);\nvoid upper(void)\n{\n\tlower();\n}\n' \
		>module/upper.c
	printf 'void lower(void);\nvoid lower(void)\n{\n}\n' >module/lower.c
}
objects()
{
	cc -c -o module/upper.o module/upper.c && cc -c -o module/lower.o module/lower.c
}

tree
objects
"$layers" module >"$tmp/said" 2>&1
ok $? 'a call that goes down is none of its business'
printf 'void upper(void);\nvoid lower(void);\nvoid lower(void)\n{\n\tupper();\n}\n' >module/lower.c
objects
complains 'a call that goes up is found' 'lower.c uses upper of upper.c' module
tree
objects
sed -i 's/upper\.c/& lower.c/; /^\tlower/d' module/layers
complains 'a call within a line is found' 'upper.c uses lower of lower.c' module
tree
sed -i '1i #include "upper.h"' module/lower.c
complains 'a header of a layer above is found' 'lower.c includes upper.h'
tree
echo >module/new.c
complains 'a source that is not listed is found' 'new.c is not in module/layers'
tree
rm module/lower.c
complains 'a listed source that is gone is found' 'module/layers has lower.c'
tree
complains 'a missing object is found' 'there is no object' module
rm module/layers
complains 'a missing list is found' 'no module/layers'

done_testing
