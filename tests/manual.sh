#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# host
#
# The manual: asserts that man(1) shows every page without a warning, that every
# subcommand has a page with all options of its --help, and that daxstack(5) has every
# reason with its remedy.
#
# Usage: tests/manual.sh [--reasons]
#
#   --reasons  print the expected section REASONS of tools/man/daxstack.5
#
# Run at the top of the tree, with the tools built.
set -euo pipefail

cmd=build/tools/daxstack man=tools/man
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT


# reasons: prints the section from the lists used by the module and the command.
reasons()
{
	cat >"$dir/reasons.c" <<-'END'
	#include <stdio.h>
	#include <string.h>
	#include "remedy.c"

	#define SHOW(name, err, text)						\
		if (strcmp(#name, "NONE"))					\
			printf(".TP\n.BR %s \" (%s)\"\n%c%s.\n%s%s.\n",		\
			       #name, #err, (text)[0] & ~0x20, &(text)[1],	\
			       reason_remedy(DAXSTACK_REASON_##name) ?		\
			       "Remedy: " : "There is no remedy",		\
			       reason_remedy(DAXSTACK_REASON_##name) ?: "");

	int main(void)
	{
		DAXSTACK_REASONS(SHOW)
		return 0;
	}
	END
	${CC:-cc} -D_GNU_SOURCE -Iinclude -Itools -o "$dir/reasons" "$dir/reasons.c"
	"$dir/reasons" | sed -E '/^\.(TP|BR)/!{ s/\\/\\e/g; s/-/\\-/g; s/'\''/\\[aq]/g
		s/\^/\\[ha]/g }'
}

if [ "${1-}" = --reasons ]; then
	reasons
	exit
fi

reasons >"$dir/wanted"
sed -n '/^\.\\" REASONS/,/^\.SH/{/^\.\\" REASONS/d;/^\.SH/d;p}' $man/daxstack.5 >"$dir/is"
status=0
diff "$dir/wanted" "$dir/is" >"$dir/diff" || status=1
ok $status 'daxstack(5) has every reason and its remedy'
sed 's/^/# /' "$dir/diff"

for page in "$man"/*.[0-9]; do
	status=0
	LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z "$page" \
		>/dev/null 2>"$dir/said" || status=1
	[ ! -s "$dir/said" ] || status=1
	ok $status "${page#"$man/"}: shown without a warning"
	sed 's/^/# /' "$dir/said"
	status=0
	lexgrog "$page" >/dev/null || status=1
	ok $status "${page#"$man/"}: found by whatis"
done

# Pages of daxstack that a page refers to must exist.
status=0
while read -r name section; do
	[ -e "$man/$name.$section" ] || {
		echo "# $name($section) is referred to, but does not exist"
		status=1
	}
done < <(sed -En 's/^\.BR ((ioctl_|mount\.|fsck\.)?daxstack[a-z-]*) \(([0-9])\).*/\1 \3/p' \
	"$man"/*.[0-9] | sort -u)
ok $status 'pages referred to exist'

# daxstack(1) refers to all other pages.
for page in "$man"/*.[0-9]; do
	name=${page##*/}
	[ "$name" != daxstack.1 ] || continue
	status=0
	sed -n '/^\.SH SEE ALSO/,${ s/\\//g; p }' $man/daxstack.1 |
		grep -q "^\.BR ${name%.*} (${name##*.})" || status=1
	ok $status "daxstack(1) refers to $name"
done

while read -r name; do
	page=$man/daxstack-$name.1
	status=0
	[ -e "$page" ] || status=1
	ok $status "daxstack $name has a page"
	status=0
	sed -n '/^\.SH COMMANDS/,/^\.SH OPTIONS/p' $man/daxstack.1 |
		grep -q "^\.BR $name " || status=1
	ok $status "daxstack(1) has the command $name"
	[ $status = 0 ] || continue
	status=0
	man -E UTF-8 -l "$page" 2>/dev/null | col -b >"$dir/page"
	while read -r option; do
		grep -qe "$option" "$dir/page" || {
			echo "# $option"
			status=1
		}
	done < <($cmd "$name" --help | sed -En 's/^ +(-., )?(--[a-z][a-z-]+).*/\2/p' |
		sort -u)
	ok $status "daxstack $name: its page has all options"
done < <($cmd --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')

# The daemon is a separate program.
status=0
man -E UTF-8 -l $man/daxstackd.8 2>/dev/null | col -b >"$dir/page"
while read -r option; do
	grep -qe "$option" "$dir/page" || {
		echo "# $option"
		status=1
	}
done < <(build/tools/daxstackd --help | grep -oE -- '--[a-z][a-z-]+' | sort -u)
ok $status 'daxstackd: its page has all options'

done_testing
