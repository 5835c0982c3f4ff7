#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The daemon's rules file: asserts the accepted syntax, the messages for errors with
# line and remedy, and which rule applies to a file. Hostile files and names are read
# with the sanitizers for addresses and undefined behaviour.
# host
#
# Functions are called by way of succeeds, and text is for other shells.
# shellcheck disable=SC2016,SC2317
set -u
cd "${DAXSTACK_TOP:-.}" || exit 1
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
temporary rules
# shellcheck disable=SC2154 # temporary() sets it
trap 'rm -rf "$tmp"' EXIT

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
# Shown after failed checks.
said=$tmp/said

# --- A program that reads rules, with the sanitizers.

cat >"$tmp/read.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "rules.h"

/* The same numbers in each run. */
static unsigned long long state = 88172645463325252ULL;

static unsigned int number(unsigned int below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)(state >> 33) % below;
}

static void show(const struct rules *rules)
{
	size_t i, j, k;

	for (i = 0; i < rules->nr_mounts; i++) {
		const struct rules_mount *m = &rules->mounts[i];

		printf("mount %s budget=%llu interval_ms=%llu switches=%u flush=%llu profile=%s\n",
		       m->target, (unsigned long long)rules_budget(m, 1ULL << 30),
		       (unsigned long long)m->interval_ns / 1000000, m->max_switches,
		       (unsigned long long)m->max_flush, m->profile ? m->profile : "-");
		for (j = 0; j < m->nr_rules; j++) {
			const struct rule *r = &m->rules[j];

			printf("rule %s %s min=%llu", r->name, rules_mode_name(r->mode),
			       (unsigned long long)r->min_size);
			for (k = 0; k < r->nr_paths; k++)
				printf(" %s", r->paths[k]);
			for (k = 0; k < r->nr_owners; k++)
				printf(" uid:%u", r->owners[k]);
			for (k = 0; k < r->nr_hours; k++)
				printf(" %u-%u", r->hours[k].from, r->hours[k].to);
			putchar('\n');
		}
	}
}

/* Prints the rule that applies: MOUNT PATH UID SIZE MINUTE. */
static void match(const struct rules *rules, char **argv)
{
	const struct rules_mount *mount = rules_mount(rules, argv[0]);
	const struct rule *rule = mount ? rules_match(mount, *argv[1] ? argv[1] : NULL,
						      (uid_t)atoi(argv[2])) : NULL;

	printf("%s %s%s\n", rule ? rule->name : "-",
	       rules_mode_name(rule_mode(rule, strtoull(argv[3], NULL, 10))),
	       rule_is_quiet(rule, (unsigned int)atoi(argv[4])) ? " quiet" : "");
}

/* Reads the file with a few random bytes changed, many times. */
static int fuzz(const char *path, unsigned int rounds)
{
	static const char likely[] = "[]=:;#/ \n\t\\*%0123456789KMGT-.\xff\xef";
	static char text[65536], changed[65536], why[256], name[300];
	unsigned int good = 0, bad = 0;
	FILE *file = fopen(path, "r");
	size_t len = file ? fread(text, 1, sizeof(text), file) : 0, i;

	while (rounds--) {
		int fd = memfd_create("rules", MFD_CLOEXEC);
		char memory[32];
		struct rules *rules;
		unsigned int changes = 1 + number(4);

		memcpy(changed, text, len);
		while (changes--)
			changed[number((unsigned int)len)] = number(3) ?
				likely[number(sizeof(likely))] : (char)number(256);
		if (write(fd, changed, len - number(number(2) ? 1 : (unsigned int)len)) < 0)
			return 1;
		snprintf(memory, sizeof(memory), "/proc/self/fd/%d", fd);
		rules = rules_read(memory, why, sizeof(why));
		if (!rules) {
			bad++;
			if (strncmp(why, memory, strlen(memory)) || strpbrk(why, "\n\r\x1b"))
				return printf("not one harmless line: %s\n", why);
		} else {
			good++;
			for (i = 0; i < sizeof(name) - 1; i++)
				name[i] = number(2) ? "/*a.["[number(5)] : (char)(1 + number(255));
			name[number(sizeof(name))] = 0;
			for (i = 0; i < rules->nr_mounts; i++)
				rules_match(&rules->mounts[i], name, number(3));
		}
		rules_free(rules);
		close(fd);
	}
	printf("read %s, refused %s\n", good ? "some" : "none", bad ? "some" : "none");
	return 0;
}

int main(int argc, char **argv)
{
	char why[512];
	struct rules *rules;

	if (argc == 4 && !strcmp(argv[1], "--fuzz"))
		return fuzz(argv[2], (unsigned int)atoi(argv[3]));
	rules = rules_read(argv[1], why, sizeof(why));
	if (!rules) {
		puts(why);
		return 1;
	}
	if (argc == 7)
		match(rules, argv + 2);
	else
		show(rules);
	rules_free(rules);
	return 0;
}
END
succeeds 'it builds' "${CC:-cc}" -g -O1 -D_GNU_SOURCE -Wall -Wextra -Werror \
	-fsanitize=address,undefined -fno-sanitize-recover=all -Itools \
	-o "$tmp/read" "$tmp/read.c" tools/rules.c tools/rulematch.c -linih
# reads NAME EXPECTED: asserts the meaning of rules on standard input
reads()
{
	cat >"$tmp/rules"
	succeeds "$1" equal "$2" "$("$tmp/read" "$tmp/rules" 2>&1)"
}
# refuses LINE PATTERN: asserts the error in rules on standard input; 0: whole file
refuses()
{
	local seen status=0 start="$tmp/rules:"
	[ "$1" = 0 ] || start+="$1:"
	cat >"$tmp/rules"
	seen=$("$tmp/read" "$tmp/rules" 2>&1) || status=$?
	[ $status = 1 ] && [[ $seen == "$start "* ]] && [[ ${seen#"$start "} =~ $2 ]]
	status=$?
	ok $status "refused: $2"
	[ $status = 0 ] || printf '# line: %s\n# seen: %s\n' "$1" "$seen"
}

# --- Valid rules.

sed 's/^#\([a-z[]\)/\1/' tools/rules.conf >"$tmp/example"
succeeds 'the installed example has no mounts' equal '' "$("$tmp/read" tools/rules.conf)"
succeeds '... and with its comments removed means this' equal \
"mount /srv/db budget=268435450 interval_ms=10000 switches=60 flush=268435456 profile=optane-dc
rule log dax min=0 pg_wal/**
rule backup leave min=0 backup/**
rule system leave min=0 uid:0
rule tables auto min=1048576 60-300" "$("$tmp/read" "$tmp/example")"
reads 'an empty file' '' </dev/null
reads 'defaults of a section' \
'mount / budget=5 interval_ms=10000 switches=60 flush=268435456 profile=-' <<'END'
[mount /]
budget = 5
END
reads 'units, comments, lists, escapes' \
'mount /a b budget=3221225472 interval_ms=250 switches=0 flush=2097152 profile=/x y
rule a rule cached min=4096 x/* y[ab]/** **/z uid:0 uid:1234 1320-390 720-780
mount /b budget=536870900 interval_ms=120000 switches=60 flush=268435456 profile=-' <<'END'
# a comment
; another
[mount /a\040b/]	; the mount
budget=3g	; three
interval:250ms
max_switches_per_minute =0
max_flush_per_minute = 2M
profile = /x y

[rule a rule]
path = /x/*
  y[ab]/** ; and these
  # not a pattern
path = **/z
owner = root
owner = 1234
mode = cached
min_size = 4K
quiet = 22:00-06:30
	12:00-13:00
[mount /b]
budget = 50%
interval = 2 min
END
printf '\xef\xbb\xbf[mount /]\r\nbudget = 1T\r\n' >"$tmp/rules"
succeeds 'byte order mark and CRLF' equal \
	'mount / budget=1099511627776 interval_ms=10000 switches=60 flush=268435456 profile=-' \
	"$("$tmp/read" "$tmp/rules")"

# --- Errors, with their line and remedy.

refuses 1 'budget is before the first section: write \[mount DIRECTORY\]' <<<'budget = 5'
refuses 1 'unknown section \[mounts /x\]: write \[mount DIRECTORY\] or' <<<'[mounts /x]'
refuses 1 'lacks its \]' <<<'[mount /x'
refuses 1 'write the absolute path of the mount point' <<<'[mount x]'
refuses 1 'write the absolute path of the mount point' <<<'[mount /x/../y]'
refuses 1 'write the absolute path of the mount point' <<<'[mount]'
refuses 1 'three octal digits' <<<'[mount /a\9]'
refuses 1 'three octal digits' <<<'[mount /a\000]'
refuses 1 'has no mount: write \[mount' <<<'[rule a]'
# in_mount LINE PATTERN TEXT: lines from 3 on, of a mount
in_mount() { refuses "$1" "$2" < <(printf '[mount /x]\nbudget = 5\n%s\n' "$3"); }
# in_rule LINE PATTERN TEXT: TEXT from line 5 on, in a rule section
in_rule()
{
	refuses "$1" "$2" < <(printf '[mount /x]\nbudget = 5\n[rule a]\nmode = dax\n%s\n' "$3")
}
refuses 1 'has no budget: write one below it' <<<'[mount /x]'
refuses 2 'has no budget: write one below it' <<<$'# none\n[mount /x]\n[rule a]\nmode = dax'
refuses 3 'has no mode: write mode = auto' <<<$'[mount /x]\nbudget=1\n[rule a]\n\n[rule b]\nmode=dax'
in_mount 3 'is given twice: write one' '[mount /x]'
in_mount 3 'the rule has no name' '[rule]'
in_mount 6 'is given twice: write another name' $'[rule a]\nmode = dax\n\n[rule a]'
in_mount 3 'budget is given twice' 'budget = 6'
in_mount 3 'write it once, in one line' '  6'
in_mount 3 'unknown key budge in \[mount\]: write one of budget interval' 'budge = 6'
in_mount 3 'unknown key mode in \[mount\]' 'mode = dax'
in_mount 4 'unknown key budget in \[rule\]: write one of path owner mode' $'[rule a]\nbudget = 6'
in_mount 3 'neither \[SECTION\] nor KEY = VALUE' 'interval'
in_mount 3 'interval has no value' 'interval ='
for interval in 0 10ms 61min 1h -1 1.5s 99999999999999999999; do
	in_mount 3 'interval = .*: write a time from 100ms to 60min' "interval = $interval"
done
for number in x -1 1.5 100001 '5 a'; do
	in_mount 3 'max_switches_per_minute = .*: write a number up to' \
		"max_switches_per_minute = $number"
done
for size in x 5X 5KB -1 +1 0x10 1.5G 18446744073709551616 99999999999T; do
	in_mount 3 'max_flush_per_minute = .*: write a number of bytes' \
		"max_flush_per_minute = $size"
	refuses 3 'budget = .*: write bytes' < <(printf '[mount /x]\n\nbudget = %s\n' "$size")
done
for part in 0% 101% '5 %' %; do
	refuses 2 'budget = .*: write bytes' < <(printf '[mount /x]\nbudget = %s\n' "$part")
done
in_mount 3 'profile = .*: write the name of a profile' 'profile = ../x'
in_mount 3 'profile = .*: write the name of a profile' 'profile = .x'
in_rule 5 'mode is given twice' 'mode = cached'
refuses 4 'mode = Dax: write auto, dax, cached or leave' \
	<<<$'[mount /x]\nbudget=1\n[rule a]\nmode = Dax'
for path in . .. a/../b a//b /; do
	in_rule 5 'path = .*: write a pattern for paths below the mount' "path = $path"
done
in_rule 5 'path = a/: write a/\*\* for all' 'path = a/'
for owner in no-such-user 4294967295 -1 99999999999; do
	in_rule 5 'no such user: write a name that' "owner = $owner"
done
for hours in 22-6 22:00 25:00-26:00 22:60-23:00 1:00-1:00 24:00-01:00 '22:00-6' \
	'22:00 - 06:00' 22:00-06:00x +2:00-03:00 022:00-03:00; do
	in_rule 5 'quiet = .*: write HH:MM-HH:MM' "quiet = $hours"
done
in_rule 5 'blank before the section' '  [rule b]'
in_rule 5 'too long: write at most [0-9]+ characters' "path = $(printf '%0300d' 0)"
refuses 2 'NUL in the line' < <(printf '[mount /x]\nbudget = 5\0\n')
refuses 2 'budget = \?\[2J: write bytes' < <(printf '[mount /x]\nbudget = \033[2J\n')
succeeds 'a missing file: message' sh -c '! "$1/read" "$1/none" | grep -v "none: No such file: write one"' sh "$tmp"
succeeds 'a directory: message' sh -c '"$1/read" "$1" | grep -q "directory"' sh "$tmp"

# --- Matching.

cat >"$tmp/rules" <<'END'
[mount /m]
budget = 1
[rule bytes]
path = caf?
mode = leave
[rule shallow]
path = base/*
mode = dax
[rule deep]
path = base/**
mode = cached
min_size = 4K
[rule middle]
path = a/**/z/*.db
mode = auto
[rule anywhere]
path = **/core
mode = leave
[rule both]
path = u/**
owner = 5
mode = auto
quiet = 22:00-06:00
quiet = 12:00-13:00
[rule class]
path = [[:digit:]]*/\*
mode = dax
[rule nameless]
owner = 7
mode = cached
END
# counts EXPECTED PATH [UID [SIZE [MINUTE]]]: asserts the rule and mode of a file
counts()
{
	succeeds "${2:-no name}, owner ${3-0}: $1" equal "$1" \
		"$("$tmp/read" "$tmp/rules" /m "$2" "${3-0}" "${4-9999}" "${5-0}" 2>&1)"
}
counts 'shallow dax' base/x
counts 'deep cached' base/x/y
counts 'deep cached' base/x/y/z 0 4096
counts 'deep leave' base/x/y 0 4095
counts '- leave' base
counts '- leave' xbase/x
counts 'shallow dax' base/.hidden
counts 'middle auto' a/z/x.db
counts 'middle auto' a/b/z/x.db
counts 'middle auto' a/z/z/z/x.db
counts 'middle auto' a/z/x/z/x.db
counts '- leave' a/z/x.db/y
counts '- leave' a/x.db
counts 'anywhere leave' core
counts 'anywhere leave' x/y/core
counts '- leave' x/core/y
counts '- leave' u/x 4
counts 'both auto quiet' u/x 5 9999 $((22 * 60))
counts 'both auto quiet' u/x 5 9999 $((6 * 60 - 1))
counts 'both auto' u/x 5 9999 $((6 * 60))
counts 'both auto quiet' u/x 5 9999 $((12 * 60))
counts 'both auto' u/x 5 9999 $((13 * 60))
counts 'class dax' '1a/*'
counts '- leave' '1a/b'
counts 'nameless cached' '' 7
counts '- leave' '' 8
# A two-byte character counts as two bytes in all locales.
for locale in C C.UTF-8; do
	succeeds "a ? is a byte, in $locale" equal '- leave' \
		"$(LC_ALL=$locale "$tmp/read" "$tmp/rules" /m $'caf\xc3\xa9' 0 9 0)"
	succeeds "... of any value, in $locale" equal 'bytes leave' \
		"$(LC_ALL=$locale "$tmp/read" "$tmp/rules" /m $'caf\xe9' 0 9 0)"
done
succeeds 'another mount has no rules' equal '- leave' "$("$tmp/read" "$tmp/rules" /mm base/x 0 9 0)"

# A pattern with very many possible matches must not take long.
{
	printf '[mount /m]\nbudget = 1\n[rule a]\nmode = dax\npath = '
	printf '**/a*a*a*/%.0s' {1..12}
	echo b
} >"$tmp/rules"
succeeds 'a hostile path' equal '- leave' "$(timeout 60 "$tmp/read" "$tmp/rules" /m \
	"$(for _ in {1..16}; do printf '%0200d/' 0 | tr 0 a; done)c" 0 9 0 2>&1)"

# --- Damaged files.

succeeds 'twenty thousand damaged files: some are read, no memory errors' equal \
	'read some, refused some' "$("$tmp/read" --fuzz "$tmp/example" 20000 2>&1 | tail -n 3)"

done_testing
