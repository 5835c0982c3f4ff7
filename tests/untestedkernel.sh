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
. /usr/local/share/daxstack/tap.sh
said=/tmp/said
said() { dmesg | grep -q "$1"; }
release=$(uname -r)
mkfs.ext4 -q -F -b 4096 "$PMEM"
mkdir -p /mnt/s
modprobe daxstack
succeeds 'mount succeeds' mount -t daxstack "$PMEM" /mnt/s
echo data >/mnt/s/f
succeeds 'files can be written and read' grep -q data /mnt/s/f
succeeds 'the log says that switching is off and names the kernel' \
	said "switching is off: daxstack was not tested on Linux $release"
succeeds 'a switch is refused' not daxstack set dax /mnt/s/f
cp /tmp/said /tmp/why
succeeds '... with the reason' grep -q 'kernel was not tested' /tmp/why
succeeds 'the mode is unchanged' sh -c 'daxstack status /mnt/s/f | grep -q cached'
umount /mnt/s
rmmod daxstack
modprobe daxstack allow_untested_kernel=1
mount -t daxstack "$PMEM" /mnt/s
succeeds 'allow_untested_kernel=1: a file switches' daxstack set dax /mnt/s/f
succeeds '... and is in dax mode' sh -c 'daxstack status /mnt/s/f | grep -q dax'
umount /mnt/s
rmmod daxstack
succeeds 'the module loads without the parameter again' modprobe daxstack
done_testing
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
	--add tests/lib/tap.sh:/usr/local/share/daxstack/ \
	--add "$tmp/in-guest" -- in-guest 2> >(sed 's/^/# /' >&2)
