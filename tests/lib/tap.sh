# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# TAP for tests that are shell scripts. Sourced by a test
#
#   outside guests   . tests/lib/tap.sh, at the top of the tree
#   in a guest       . /usr/local/share/daxstack/tap.sh; scripts/test/check-guest adds it
#
# $n is the number of checks so far. After a check that has failed, the end of the file
# $said is shown, if the test has set it.
n=0 failed=0

# ok STATUS NAME
ok()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		show_said
		failed=1
	fi
}

# A summary of failed checks shows some twenty lines of each.
show_said()
{
	[ ! -s "${said-}" ] || tail -n 18 "$said" | cat -v | sed 's/^/# /'
}

# succeeds NAME COMMAND...: asserts exit status 0; the output goes to $said
succeeds()
{
	local name=$1 status=0
	shift
	"$@" >"$said" 2>&1 || status=$?
	ok $status "$name"
}

# ends STATUS NAME COMMAND...: asserts the exit status; the output goes to $said
ends()
{
	local expected=$1 name=$2 status=0
	shift 2
	"$@" >"$said" 2>&1 || status=$?
	[ $status = "$expected" ] || echo "status $status, not $expected" >>"$said"
	[ $status = "$expected" ]
	ok $? "$name"
}

# equal EXPECTED SEEN: for succeeds()
equal()
{
	[ "$1" = "$2" ] || {
		printf 'expected: %s\nseen: %s\n' "$1" "$2"
		return 1
	}
}

# is EXPECTED SEEN NAME
is()
{
	if [ "$1" = "$2" ]; then
		ok 0 "$3"
	else
		said='' ok 1 "$3"
		equal "$1" "$2" | cat -v | sed 's/^/# /'
		show_said
	fi
}

# not COMMAND...: for succeeds()
not()
{
	! "$@"
}

# bail WORD...: the test cannot go on
bail()
{
	echo "Bail out! $*"
	exit 1
}

# The shell calls this for a command that there is not: a check by a misspelt function
# would be missing without a trace.
command_not_found_handle()
{
	echo "Bail out! $1: not found"
	return 127
}

# done_testing: the end of a test
done_testing()
{
	echo "1..$n"
	exit "$failed"
}
