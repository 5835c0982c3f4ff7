# shellcheck shell=bash disable=SC2154
# From a bare system to one with daxstack's packages, by README.

ok "$(! command -v gcc >/dev/null && ! command -v daxstack >/dev/null; echo $?)" \
	"the system is bare"
check "apt reads its sources" apt-get -q update
# What a person would answer.
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
check "the command is there" daxstack --version
# What the tests take besides.
check "the tests' tools" apt-get -q install xfsprogs jq udisks2
