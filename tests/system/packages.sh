# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0-only
# Installs daxstack's packages on a bare system, following README.

ok "$(! command -v gcc >/dev/null && ! command -v daxstack >/dev/null; echo $?)" \
	"the system is bare"
check "apt reads its sources" apt-get -q update
# Answer yes to all questions.
echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/yes

# An emulated machine is slow to find its devices.
mkdir -p /etc/systemd/system.conf.d
printf '%s\n' '[Manager]' 'DefaultDeviceTimeoutSec=600' 'DefaultTimeoutStartSec=600' \
	'DefaultTimeoutStopSec=300' >/etc/systemd/system.conf.d/slow.conf

mkdir debs
cp /payload/debs/*.deb debs/
cd debs || exit
run_readme 1
cd ..
contains "the module is built for the system's kernel" \
	"$(modinfo -k "$(version)" -F filename daxstack 2>&1)" "/lib/modules/$(version)/"
check "the command is installed" daxstack --version
# Further tools for the tests.
check "the tests' tools" apt-get -q install xfsprogs jq udisks2
