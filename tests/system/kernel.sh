# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0-only
# Installs a new kernel, as an update does.

version=$(version)
echo 'deb [trusted=yes] file:/srv/mirror/later ./' >/etc/apt/sources.list.d/later.list
check "apt finds a new kernel" apt-get -q update
new=$(apt-cache depends linux-image-amd64 linux-image-6.12-amd64 2>/dev/null |
	sed -n 's/.*Depends: linux-image-\([0-9].*\)$/\1/p' | sort -V | tail -n 1)
check "it is a different kernel" test -n "$new" -a "$new" != "$version"
check "the new kernel is installed, with headers" \
	apt install "linux-image-$new" "linux-headers-$new"
check "its hooks built the module" modinfo -k "$new" daxstack
check "... and kept that of the old kernel" modinfo -k "$version" daxstack
contains "the new kernel is the next to boot" "$(readlink /vmlinuz)" "$new"
echo "$new" | keep kernel
