#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# On a kernel that daxstack was not tested on: asserts that it mounts, refuses to
# switch, and logs the reason with the kernel's name; and that the module parameter
# allow_untested_kernel enables switching. The module is built without the kernel's
# series in its list.
# host
# fs: ext4
set -uo pipefail
cd "${DAXSTACK_TOP:-.}" || exit 1
here=$PWD/scripts
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
kernel=${DAXSTACK_KERNEL:-$kernels_main}
temporary untested
trap 'rm -rf "$tmp"' EXIT

mkdir -p "$tmp/build/module" "$tmp/build/include"
while read -r file; do
	cp "$file" "$tmp/build/$file"
done < <(module_sources)
# Remove all series from the list.
sed -i 's/^\tKERNEL_VERSION(\([0-9]*\), [0-9]*, 0),$/\tKERNEL_VERSION(\1, 255, 0),/' \
	"$tmp/build/module/compat_super.c"

cat >"$tmp/in-guest" <<'END'
#!/bin/bash
set -u
n=0
ok()
{
	n=$((n + 1))
	if "$@" >/tmp/said 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' /tmp/said
	fi
}
not() { ! "$@"; }
said() { dmesg | grep -q "$1"; }
release=$(uname -r)
mkfs.ext4 -q -F -b 4096 "$PMEM"
mkdir -p /mnt/s
modprobe daxstack
name='mount succeeds' ok mount -t daxstack "$PMEM" /mnt/s
echo data >/mnt/s/f
name='files can be written and read' ok grep -q data /mnt/s/f
name='the log says that switching is off and names the kernel' \
	ok said "switching is off: daxstack was not tested on Linux $release"
name='a switch is refused' ok not daxstack set dax /mnt/s/f
cp /tmp/said /tmp/why
name='... with the reason' ok grep -q 'kernel was not tested' /tmp/why
name='the mode is unchanged' ok sh -c 'daxstack status /mnt/s/f | grep -q cached'
umount /mnt/s
rmmod daxstack
modprobe daxstack allow_untested_kernel=1
mount -t daxstack "$PMEM" /mnt/s
name='allow_untested_kernel=1: a file switches' ok daxstack set dax /mnt/s/f
name='... and is in dax mode' ok sh -c 'daxstack status /mnt/s/f | grep -q dax'
umount /mnt/s
rmmod daxstack
name='the module loads without the parameter again' ok modprobe daxstack
echo "1..$n"
END
chmod +x "$tmp/in-guest"

if ! scripts/kernel/kbuild "$(scripts/kernel/guest-kernel --kdir "$kernel")" "$tmp/build" \
	-s modules >"$tmp/log" 2>&1; then
	echo '1..1'
	echo 'not ok 1 - the module builds'
	sed 's/^/# /' "$tmp/log"
	exit 1
fi
scripts/vm/guest --kernel "$kernel" --fs ext4 --timeout 900 --log "${0%.t}.log" \
	--module "$tmp/build/daxstack.ko" --add build/tools/daxstack \
	--add "$tmp/in-guest" -- in-guest 2> >(sed 's/^/# /' >&2)
