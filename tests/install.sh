#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Installation without packages: asserts that "make install" puts each file in its
# place and "make uninstall" removes all of them with their directories; that plain
# make installs no package and names missing ones; that versions agree everywhere; and
# for which kernels dkms builds.
# host
#
# Functions are called by way of succeeds, and text is for other shells.
# shellcheck disable=SC2016,SC2086,SC2317
set -u
cd "${DAXSTACK_TOP:-.}" || exit 1
top=$PWD
tmp=$(mktemp -d "${TMPDIR:-/tmp}/daxstack-install.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL KERNEL DAXSTACK_KERNEL

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
# Shown after failed checks.
said=$tmp/said
# says STATUS PATTERN COMMAND...: an empty pattern means no output
says()
{
	local wanted=$1 pattern=$2 status=0
	shift 2
	"$@" >"$tmp/says" 2>&1 || status=$?
	cat "$tmp/says"
	[ "$status" = "$wanted" ] || return
	if [ -z "$pattern" ]; then
		[ ! -s "$tmp/says" ]
	else
		grep -qE -e "$pattern" "$tmp/says"
	fi
}


# --- Install and uninstall

# A tree with files of each kind, including kinds that it lacks today.
mkdir "$tmp/tree"
cp -R Makefile Kbuild VERSION AUTHORS module include profiles tools scripts "$tmp/tree/"
cd "$tmp/tree" || exit 1
mkdir -p tools/man tools/completion tools/udev
for file in man/one.1 man/two.2 man/five.5 man/eight.8 man/eight.8~ completion/one \
	completion/_one udev/60-one.rules udev/README ../profiles/one.conf ../profiles/one~; do
	echo x >"tools/$file"
done

root="$tmp/a root"
mkdir -p "$root/usr/local/bin" "$root/usr/local/share/man" "$root/usr/sbin"
echo x >"$root/usr/local/bin/other"
everything() { (cd "$root" && find . | sort); }
everything >"$tmp/before"
succeeds 'make install' make -C tools O="$tmp/build" DESTDIR="$root" install
everything >"$tmp/after"
diff "$tmp/before" "$tmp/after" | sed -n 's/^> //p' | while read -r name; do
	[ -d "$root/$name" ] || echo "$name"
done >"$tmp/installed"
sort >"$tmp/expected" <<END
./usr/local/bin/daxstack
./usr/local/sbin/daxstackd
./usr/local/include/daxstack.h
./usr/local/lib/systemd/system/daxstackd.service
./usr/local/lib/udev/rules.d/60-one.rules
./usr/local/share/bash-completion/completions/one
./usr/local/share/daxstack/profiles/cxl.conf
./usr/local/share/daxstack/profiles/dram.conf
./usr/local/share/daxstack/profiles/example.conf
./usr/local/share/daxstack/profiles/one.conf
./usr/local/share/daxstack/profiles/optane-dc.conf
./usr/local/share/daxstack/rules.conf
./usr/local/share/man/man1/one.1
./usr/local/share/man/man2/two.2
./usr/local/share/man/man5/five.5
./usr/local/share/man/man8/eight.8
./usr/local/share/zsh/site-functions/_one
END
# Further programs, which depend on the tree.
for name in $(make -s -C tools print-sbin); do
	echo "./usr/sbin/${name##*/}" >>"$tmp/expected"
done
sort -o "$tmp/expected" "$tmp/expected"
succeeds '... installs these files' diff "$tmp/expected" <(grep -v daxstack "$tmp/installed" |
	cat - <(grep -E '/bin/daxstack$|/sbin/|/daxstack\.h$|/profiles/|/rules\.conf$|\.service$' "$tmp/installed") | sort)
succeeds '... and a manual page for the command' test -s "$root/usr/local/share/man/man1/daxstack.1"
succeeds 'the unit starts the installed daemon' grep -qx 'ExecStart=/usr/local/sbin/daxstackd' \
	"$root/usr/local/lib/systemd/system/daxstackd.service"
succeeds 'make uninstall' make -C tools O="$tmp/build" DESTDIR="$root" uninstall
everything >"$tmp/after"
succeeds '... removes exactly these files' diff "$tmp/before" "$tmp/after"
# A global function with a library's name would be called by the library's users.
taken()
{
	local library
	nm --defined-only "$1" | sed -n 's/^[0-9a-f]* [TDBR] //p' | sort -u >"$tmp/own"
	for library in $(ldd "$1" | sed -n 's/.* => \([^ ]*\) .*/\1/p'); do
		nm -D --defined-only "$library" | sed 's/.* //; s/@.*//'
	done | sort -u | comm -12 "$tmp/own" - >"$tmp/taken"
	cat "$tmp/taken"
	grep -qx main "$tmp/own" && [ ! -s "$tmp/taken" ]
}
for program in daxstack daxstackd mount.daxstack fsck.daxstack; do
	succeeds "$program has no function with the name of a library's" taken "$tmp/build/$program"
done
succeeds 'the version of the command' says 0 "^daxstack $(cat VERSION)\$" "$tmp/build/daxstack" --version

# --- make and its dependencies

succeeds 'plain make never calls scripts/package/deps' sh -c '! make -n "$@" | grep -w deps' sh \
	all module tools install modules_install uninstall deb KDIR=/nowhere
succeeds 'make demo calls scripts/package/deps' says 0 'scripts/package/deps build guest' sh -c 'make -n demo KDIR=/nowhere; :'
succeeds 'no compiler: message' says 1 \
	'^module: missing: a compiler \(no-such-cc\); on Debian: apt install gcc$' \
	scripts/package/needs module no-such-cc "$top"
succeeds 'no headers: message' says 1 \
	"^module: missing: the headers of .*/nowhere; on Debian: apt install linux-headers-$(uname -r)" \
	scripts/package/needs module cc /nowhere
succeeds 'no library: message' says 1 \
	'^tools: missing: libno-such; on Debian: apt install libno-such-dev$' \
	scripts/package/needs tools cc pkg-config mount no-such
succeeds 'no pkg-config: message' says 1 'on Debian: apt install pkg-config libmount-dev$' \
	scripts/package/needs tools cc no-such-pkg-config mount
succeeds 'make names what is missing for the tools' says 2 '^tools: missing: pkg-config' \
	make KDIR=/nowhere PKG_CONFIG=no-such-pkg-config
succeeds '... and for the module' grep '^module: missing: the headers' "$tmp/says"
succeeds 'nothing missing: no output' test -z "$(scripts/package/needs tools cc pkg-config mount 2>&1)"

# --- Versions

cd "$top" || exit 1
succeeds 'versions and maintainers are the same everywhere' scripts/package/check-version
mkdir "$tmp/versions"
sources='VERSION AUTHORS CHANGELOG.md debian dkms module tools'
cp -R $sources scripts "$tmp/versions/"
# In the first line that has it.
for other in debian/changelog='0\.1\|>' debian/control='>' debian/copyright='>' AUTHORS='>' \
	VERSION='0\.1' CHANGELOG.md='0\.1' dkms/dkms.conf='#M' module/super.c=DXS_VERSION\) \
	tools/man/daxstack.1='daxstack "'; do
	file=${other%%=*}
	cp -R $sources "$tmp/versions/"
	sed -i "s/${other#*=}/x&/" "$tmp/versions/$file"
	succeeds "another one in $file: noticed" says 1 "$file: |is not|, not " \
		"$tmp/versions/scripts/package/check-version"
done

# --- Kernels for dkms

# Stand-ins for kernel headers, with which the module builds or fails to build.
for kernel in good bad; do
	mkdir -p "$tmp/$kernel/include"
	printf 'CONFIG_X86_64=y\nCONFIG_FS_DAX=y\n' >"$tmp/$kernel/.config"
done
printf '%%:\n\ttouch $(M)/daxstack.ko\n' >"$tmp/good/Makefile"
printf '%%:\n\t@echo "a.h:1: error: no such thing" >&2; exit 1\n' >"$tmp/bad/Makefile"
kernel() { says "$1" "$2" dkms/kernel "$3" "$4"; }
read -ra known < <(sed -n "s/^kernels_known='\(.*\)'/\1/p" scripts/lib.sh)
for series in "${known[@]}"; do
	succeeds "dkms: $series built without a trial build" kernel 0 '' "$series.5-1-amd64" "$tmp/bad"
done
cp -R "$tmp/bad" "$tmp/other"
echo CONFIG_ARM64=y >"$tmp/other/.config"
succeeds 'dkms: 6.12 of another architecture: a trial build decides' kernel 1 'it does not build for it' \
	6.12.1 "$tmp/other"
succeeds 'dkms: a kernel before the first supported one: skipped' kernel 1 \
	'^daxstack: not built for Linux 5.10.0-33-amd64: it needs Linux 6.1 or a later one$' \
	5.10.0-33-amd64 "$tmp/good"
succeeds 'dkms: 6.0: skipped' kernel 1 'it needs Linux 6.1' 6.0.12 "$tmp/good"
succeeds 'dkms: no headers: skipped' kernel 1 \
	'its headers are missing \(apt install linux-headers-6.12.1-amd64\)$' \
	6.12.1-amd64 /nowhere
succeeds 'dkms: an untested kernel for which it builds: built' kernel 0 '' 6.10.1-amd64 "$tmp/good"
succeeds 'dkms: a later kernel for which it builds: built' kernel 0 '' 99.1.1-amd64 "$tmp/good"
succeeds 'dkms: an untested kernel for which it does not build: skipped, with the reason' kernel 1 \
	'it does not build for it \(a.h:1: error: no such thing\); it was tested with 6.1 6.12 7.3$' \
	7.4.1-amd64 "$tmp/bad"
succeeds 'dkms: not a kernel version: skipped' kernel 1 'no version of Linux' nonsense "$tmp/good"

# read_as ACTION KERNEL OTHER: result of dkms reading dkms.conf for the kernel OTHER
# when it does ACTION for KERNEL, as dkms 3.0.10 does
read_as()
{
	bash -c 'conf() { local kernelver=$1; . dkms/dkms.conf; echo "[$AUTOINSTALL$BUILD_EXCLUSIVE_KERNEL]"; }
		module_status() { conf "$@"; }
		action=$1 kernelver[0]=$2; ${4-conf} "$3"' bash "$@"
}
succeeds 'dkms.conf: an unsupported new kernel, read as another' says 0 '^\[\^\$\]$' \
	read_as autoinstall 5.10.1 6.12.1
cp "$tmp/said" "$tmp/read"
succeeds '... with one line that has the reason' says 0 '^1$' grep -c 'not built for Linux 5.10.1' "$tmp/read"
succeeds 'dkms.conf: an unsupported kernel' says 0 '^\[\^\$\]$' read_as build 6.12.1 5.10.1
succeeds 'dkms.conf: status only' says 0 '^\[yes\]$' read_as status 5.10.1 5.10.1
succeeds 'dkms.conf: while dkms lists its modules' says 0 '^\[yes\]$' \
	read_as autoinstall 5.10.1 5.10.1 module_status
cp "$tmp/said" "$tmp/read"
succeeds '... without output' not grep -q 'not built' "$tmp/read"

done_testing
