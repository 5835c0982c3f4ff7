# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Shared functions of the scripts for programs. They run in the tree of
# scripts/vm/programs-image, in the directory with the filesystem, and have
#   LENGTH  short or long
#   SLOW    how many times slower than usual the kernel may be
#   FS      the lower filesystem
#   LOWER   not empty: it is mounted alone
set -u
export LC_ALL=C HOME=/tmp

# ok STATUS NAME: the runner adds the numbers.
ok()
{
	if [ "$1" = 0 ]; then
		echo "ok - $2"
	else
		echo "not ok - $2"
		failed=1
	fi
}

# try NAME COMMAND...: shows the output, which is in /tmp/said, on failure.
failed=0
try()
{
	local name=$1 status=0 start=$SECONDS
	shift
	"$@" >/tmp/said 2>&1 </dev/null || status=$?
	ok $status "$name, $((SECONDS - start)) s"
	[ $status = 0 ] || {
		echo "# exit status $status: $*"
		tail -n 20 /tmp/said | sed 's/^/# /'
	}
	return $status
}

# same EXPECTED SEEN NAME
same()
{
	[ "$1" = "$2" ]
	ok $? "$3"
	[ "$1" = "$2" ] || echo "# expected '$1', seen '$2'"
}

# by_length SHORT LONG: prints one of them.
by_length()
{
	if [ "$LENGTH" = short ]; then echo "$1"; else echo "$2"; fi
}

# seconds SHORT LONG: prints one of them, multiplied on a slow kernel.
seconds()
{
	echo $(($(by_length "$1" "$2") * SLOW))
}

finish()
{
	exit $failed
}
