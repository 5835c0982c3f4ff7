# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0-only
# The daemon under its systemd unit. Sourced by a stage, in a system with both mounts;
# it moves only files below busy/, which no later stage compares.

# journal PATTERN: the daemon's journal since the last start has a matching line
journal()
{
	journalctl -q -u daxstackd -o cat --since "$since" | grep -qE -e "$1"
}
# within SECONDS COMMAND...
within()
{
	local i
	for ((i = 0; i < 5 * $1; i++)); do
		"${@:2}" && return
		sleep 0.2
	done
	return 1
}
restarted() { [ "$(systemctl show -P NRestarts daxstackd)" -gt 0 ]; }
is_mode() { [ "$(mode "$2")" = "$1" ]; }
property() { systemctl show -P "$1" daxstackd; }

is "the daemon is neither enabled nor running" \
	"$(systemctl is-enabled daxstackd; systemctl is-active daxstackd)" \
	$'disabled\ninactive'
check "the installed rules have no errors" \
	daxstackd --check /etc/daxstack/rules.conf
since=$(date '+%F %T')
check "the daemon starts with them" systemctl start daxstackd
like "... and manages no mount" "$(property StatusText)" '^0 of 0 mounts'
check "the daemon stops" systemctl stop daxstackd
run_readme 6
check "README: the daemon manages the mount" within 60 journal '^/mnt: up to'
check "the daemon is disabled again" systemctl disable daxstackd
cat >/etc/daxstack/rules.conf <<'END'
[mount /mnt]
budget = 10%
interval = 1s
[rule busy]
path = busy/file
mode = leave
[rule moved]
path = busy/auto/**
mode = dax
[mount /srv/xfs]
budget = 10%
interval = 1s
[rule busy]
path = **
mode = leave
END
mkdir -p /mnt/busy/auto
head -c 1M /dev/urandom >"/mnt/busy/auto/a"$'\n'"b"
daxstack set cached /mnt/busy/auto/a*
(while :; do cat /mnt/busy/auto/a*; sleep 0.2; done >/dev/null) &
reader=$!
check "the daemon reloads its rules" systemctl reload daxstackd
check "it manages both mounts" within 60 journal '^/srv/xfs: up to'
check "a file is moved" within 120 is_mode dax /mnt/busy/auto/a*
like "the journal has the reason, in one line" "$(journalctl -q -u daxstackd -o cat --since "$since")" \
	'^/mnt/busy/auto/a\\x0ab: cached -> dax: the rules say so \(rule moved'
is "... and as fields" "$(journalctl -q -u daxstackd -o json --since "$since" TO=dax |
	tail -n 1 | jq -r '[.FROM, .TO, .RULE, .MOUNT, (.FILE | tostring)] | join("|")')" \
	'cached|dax|moved|/mnt|busy/auto/a
b'
like "daxstack auto --explain queries it" "$(daxstack auto --explain /mnt/busy/auto/a*)" \
	'rule: +moved'
like "it reports its status" "$(property StatusText)" '^2 of 2 mounts'

# Privileges.
pid=$(property MainPID)
is "it has three capabilities" \
	"$(sed -n 's/^Cap\(Bnd\|Eff\):\t//p' "/proc/$pid/status" | sort -u)" \
	"$(printf '%016x' $((1 << 21 | 1 << 3 | 1 << 2)))"
like "it cannot gain others" "$(cat "/proc/$pid/status")" '^NoNewPrivs:.1$'
like "it has a seccomp filter" "$(cat "/proc/$pid/status")" '^Seccomp:.2$'
systemd-analyze security --no-pager daxstackd | tail -n 1 | note
check "systemd-analyze security: low exposure" \
	systemd-analyze security --no-pager --threshold=25 daxstackd

# Rules with an error.
cp /etc/daxstack/rules.conf /run/rules.conf
echo 'mode = never' >>/etc/daxstack/rules.conf
ok "$(! systemctl reload daxstackd >/dev/null 2>&1; echo $?)" \
	"rules with an error: reload fails"
check "... the journal says where" within 30 \
	journal '^/etc/daxstack/rules.conf:16: mode is given twice'
like "... and the status" "$(property StatusText)" 'old rules in force: .*rules.conf:16'
is "... and it goes on" "$(property MainPID)" "$pid"
cp /run/rules.conf /etc/daxstack/rules.conf
check "good rules: reload succeeds" systemctl reload daxstackd
unlike "... and the status is good" "$(property StatusText)" 'old rules'

# Mounts disappear and appear.
check "the user of the second mount stops" systemctl stop busy-xfs
check "umount works while it runs" systemctl stop srv-xfs.mount
ok "$(! findmnt -N "$pid" /srv/xfs >/dev/null; echo $?)" \
	"... and in its mount namespace, too"
ok "$(! grep -q xfs /proc/fs/xfs/stat 2>/dev/null && [ ! -e /sys/fs/xfs/pmem1 ]; echo $?)" \
	"... and the lower filesystem is gone"
check "... which it notices" within 60 journal '^/srv/xfs: no longer mounted'
since=$(date '+%F %T')
check "the second mount is mounted again" systemctl start srv-xfs.mount
check "... the daemon logs that" within 60 journal '^/srv/xfs: up to'
check "its user starts again" systemctl start busy-xfs

# The daemon hangs, is killed, stops.
like "there is a watchdog" "$(property WatchdogUSec)" '^2min'
is "... which it feeds" "$(property NRestarts)" 0
mkdir -p /run/systemd/system/daxstackd.service.d
printf '[Service]\nWatchdogSec=10\nRestartSec=1\n' >/run/systemd/system/daxstackd.service.d/test.conf
systemctl daemon-reload
check "it starts with a short watchdog interval" systemctl restart daxstackd
sleep 25
is "... which it feeds, too" "$(property NRestarts)" 0
kill -STOP "$(property MainPID)"
check "systemd restarts it when it hangs" within 120 restarted
is "files keep their modes meanwhile" "$(mode /mnt/busy/auto/a*)" dax
rm -r /run/systemd/system/daxstackd.service.d
systemctl daemon-reload
check "the daemon stops" systemctl stop daxstackd
is "... without an error" "$(property Result)" success
ok "$([ ! -e /run/daxstack ]; echo $?)" "... and leaves nothing behind in /run"
kill $reader
rm -rf /mnt/busy/auto
