# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only
# --help and wrong calls, for every program in scripts/. To be sourced; plain sh.
# The manual of a program is its head comment, from the second line on.

program=${0##*/}

# usage: prints the manual.
usage()
{
	sed -n '2,/^\([^#]\|$\)/{/^# SPDX-/d; s/^# \{0,1\}//p}' "$0"
}

# misuse TEXT...: ends a program that was called in a wrong way, with status 2 and
# one line on standard error.
misuse()
{
	echo "$program: $* ($(usage | sed -n '/^Usage: /{s/   .*//;p;q}'); see $0 --help)" >&2
	exit 2
}

# unknown OPTION
unknown()
{
	misuse "unknown option $1"
}

# operands_only "$@": answers --help and rejects all other options, for programs
# that take none.
operands_only()
{
	case ${1-} in
	-h | --help)
		usage
		exit 0
		;;
	-?*) unknown "$1" ;;
	esac
}

# fail TEXT...: ends the program with the status $fail_status, 1 unless it is set.
fail()
{
	echo "$program: $*" >&2
	exit "${fail_status:-1}"
}

# note TEXT...: tells the user and goes on.
note()
{
	echo "$program: $*" >&2
}
