#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The packages on bare Debian 12 and 13: asserts that they install; that dkms builds a
# signed module for each supported kernel and skips others without failing; that a
# kernel installed later gets the module; that removal leaves nothing. Also "make",
# "make install" and "make uninstall" without packages.
# host
#
# Usage: tests/packages.sh [RELEASE...]        (default: bookworm trixie)
#
# Run by "make check-packages", not by tests/plan, because it downloads kernels and
# takes ten minutes. tests/packages/inside is the part in a root directory. Needs root
# and 6 GB in TMPDIR (/var/tmp).
set -uo pipefail
cd "${DAXSTACK_TOP:-$(dirname "$0")/..}" || exit 1
here=$PWD/scripts
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"

[ "$(id -u)" = 0 ] || {
	echo '1..0 # SKIP needs to be root'
	exit 1
}
export TMPDIR=${TMPDIR:-/var/tmp}
temporary packages
# The mounts in a root directory end with their namespaces.
child=
trap '[ -z "$child" ] || { kill "$child"; wait "$child"; }; rm -rf --one-file-system "$tmp"' EXIT
trap 'exit 1' INT TERM HUP

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

# inside ROOT COMMAND...
inside()
{
	local root=$1
	shift
	# shellcheck disable=SC2016 # for the inner shell
	exec unshare --mount --propagation private --pid --fork --kill-child sh -c '
		mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" &&
		mount -t tmpfs tmpfs "$0/dev/shm" &&
		exec chroot "$0" env -i HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"' "$root" "$@" </dev/null
}

# Packages built on Debian 12 are for Debian 13 as well.
scripts/package/deb "$tmp/deb" >"$tmp/log" 2>&1
ok $? 'make deb, and lintian has no complaint'
sed 's/^/# /' "$tmp/log"
rm -f "$tmp/deb"/*.tar.xz

[ $# -gt 0 ] || set -- bookworm trixie
for release; do
	root=$tmp/$release
	archive=$(scripts/vm/bare-root "$release") || exit 1
	mkdir "$root"
	tar -C "$root" --numeric-owner --xattrs -xf "$archive"
	mkdir "$root/root/deb" "$root/root/tree"
	cp "$tmp/deb"/*.deb "$root/root/deb/"
	cp -R Makefile Kbuild VERSION AUTHORS module include tools scripts "$root/root/tree/"
	# Objects built here are for another kernel.
	find "$root/root/tree" \( -name '*.o' -o -name '*.ko' -o -name '.*.cmd' \
		-o -name '*.mod*' -o -name have.h -o -name probe.i \) -delete
	cp tests/packages/inside "$root/root/"
	start=$SECONDS
	# In the background, so that signals are handled.
	inside "$root" bash /root/inside "$release" >"$tmp/$release.tap" 2>"$tmp/$release.err" &
	child=$!
	wait $child
	status=$?
	child=
	while read -r line; do
		case $line in
		'ok - '*) ok 0 "$release: ${line#ok - }" ;;
		'not ok - '*) ok 1 "$release: ${line#not ok - }" ;;
		*) echo "$line" ;;
		esac
	done <"$tmp/$release.tap"
	grep -q '^end$' "$tmp/$release.tap"
	ok $? "$release: ran to the end"
	[ "$status" = 0 ] || tail -n 60 "$tmp/$release.err" | sed 's/^/# /'
	echo "# $release: $((SECONDS - start)) s"
	rm -rf --one-file-system "$root"
done
done_testing
