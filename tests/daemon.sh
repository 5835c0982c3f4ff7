#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# daxstackd: asserts that it moves files according to its rules and their use, without
# side effects: a refused move is retried less and less often, DRAM and writeback stay
# within their limits, a bad rules file changes nothing, umount never fails because of
# it, and files keep their modes when it is killed. 'daxstack auto' explains moves.
#
# guest: --timeout 900 --add build/tools/daxstackd --add profiles/optane-dc.conf:/etc/daxstack/
# guest: --add /usr/bin/jq --add build/tests/pinner
#
# Functions are called by name.
# shellcheck disable=SC2317
set -u

# shellcheck source=tests/lib/tap.sh
. /usr/local/share/daxstack/tap.sh
# Shown after failed checks.
said=/tmp/log

# within SECONDS COMMAND...: repeats it until it succeeds
within()
{
	local left=$(($1 * 10 * ${DAXSTACK_SLOW:-1}))
	shift
	until "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.1
	done
}
mode() { daxstack status -J "$1" | jq -r '.files[0].mode'; }
in_mode() { [ "$(mode "$2")" = "$1" ]; }
told() { grep -qE -- "$1" /tmp/log; }
# times PATTERN: number of matching lines
times() { grep -cE -- "$1" /tmp/log; }
# explain FILE FILTER
explain() { daxstack auto -qJ --explain "$1" | jq -r ".files[0] | $2"; }
steps() { daxstack auto -J | jq '[.mounts[].steps] | add // 0'; }
# passed N: waits for N more decisions
passed()
{
	local wanted=$(($(steps) + $1))
	enough() { [ "$(steps)" -ge "$wanted" ]; }
	within 60 enough
}

dir=/mnt/daemon
mkdir -p $dir
case $FS in
ext4) mkfs.ext4 -q -F -b 4096 "$PMEM" ;;
xfs) mkfs.xfs -q -f "$PMEM" ;;
esac
mount -t daxstack "$PMEM" $dir || bail 'mount'
mkdir $dir/base $dir/wal $dir/left $dir/stuck
chattr +x $dir/base $dir/left
for file in base/hot base/huge base/cold wal/log left/alone stuck/mapped stuck/fixed; do
	head -c 4M /dev/urandom >$dir/$file
done
head -c 64M /dev/zero >$dir/base/huge
# A hostile name.
evil=$dir/base/$'e\n\e[2J'
head -c 1M /dev/urandom >"$evil"
sync

cat >/tmp/rules <<END
[mount $dir]
budget = 24M
interval = 500ms
profile = /etc/daxstack/optane-dc.conf
[rule log]
path = wal/**
mode = dax
[rule left]
path = left/*
mode = leave
[rule stuck]
path = stuck/**
mode = dax
[rule evil]
path = base/e*
mode = cached
[rule rest]
mode = auto
END
cp /tmp/rules /tmp/good
: >/tmp/log
start()
{
	daxstackd -r /tmp/rules "$@" </dev/null >>/tmp/log 2>&1 8>&- &
	daemon=$!
}

# --- A constant load on the files.

reader()
{
	while :; do
		cat $dir/base/hot "$evil" $dir/left/alone
		dd if=$dir/base/huge bs=1M count=4 skip=$((RANDOM % 16)) status=none
		dd if=/dev/zero of=$dir/wal/log bs=4k count=8 conv=notrunc,fsync status=none
		dd if=$dir/stuck/fixed bs=64k status=none
	done >/dev/null 2>&1
}

daxstackd --check /tmp/rules >>/tmp/log 2>&1
ok $? 'the rules have no errors'
timeout 60 setpriv --reuid 65534 --clear-groups daxstackd -r /tmp/rules >>/tmp/log 2>&1
[ $? = 2 ]
ok $? 'an unprivileged user cannot run it'

# --- A dry run.

reader &
reader=$!
start --dry-run
within 60 told '/mnt/daemon/wal/log: would go from cached to dax: .*rule log'
ok $? '--dry-run: logs what would be moved'
within 60 told '/mnt/daemon/base/hot: would go from dax to cached'
ok $? '... also because of its use'
is 'cached dax' "$(mode $dir/wal/log) $(mode $dir/base/hot)" '... and moves nothing'
is 1 "$(times 'wal/log: would go')" '... and logs it once'
kill $daemon
wait $daemon
is 0 $? 'SIGTERM ends it'

# --- Moving files.

mkfifo /tmp/hold
pinner $dir/stuck/fixed </tmp/hold >/tmp/pinned &
pinner=$!
exec 8>/tmp/hold
pinned() { grep -q pinned /tmp/pinned; }
within 30 pinned || bail 'cannot pin a page'
start
within 60 in_mode cached $dir/base/hot
ok $? 'a file read often is moved to the page cache'
within 60 in_mode dax $dir/wal/log
ok $? 'a log is moved to dax by its rule'
within 60 in_mode cached "$evil"
ok $? 'a file with a hostile name is moved'
told '/mnt/daemon/base/hot: dax -> cached: .*\(rule rest, .* ms/s\); .* gates shut for [0-9]+ us$'
ok $? 'the log has modes, reason, rule and gain of a move'
told 'e\\x0a\\x1b\[2J: dax -> cached'
ok $? '... without control characters'
passed 6
ok $? 'it continues'
is dax "$(mode $dir/left/alone)" 'mode = leave: the file is not moved'
bytes_cached() { daxstack list -bnJ -o BYTES-CACHED | jq '[.mounts[].bytes_cached] | add'; }
kept() { [ "$(bytes_cached)" -le $((24 << 20)) ]; }
within 60 kept
ok $? 'files take no more DRAM than the budget'

# --- Queries.

# Whether the budget has room for the file may change at any time; its mode is what it is.
explained()
{
	[ "$(explain "$dir/base/hot" '"\(.mode) \(.rule) \(.rule_mode) \(.policy.gain > 0)"')" = \
		"$(mode "$dir/base/hot") rest auto true" ]
}
within 60 explained
ok $? '--explain: the mode, the rule and the gain'
used() { [ "$(explain "$dir/base/hot" '.heat.reads > 0 and .heat.read_bytes > 0')" = true ]; }
within 60 used
ok $? '... and the use of the file'
is 'dax left leave null' "$(explain $dir/left/alone '"\(.mode) \(.rule) \(.rule_mode) \(.reason)"')" \
	'... for a file excluded by a rule'
is "$evil" "$(daxstack auto -J --explain "$evil" | jq -r '.files[0].name')" \
	'... for a file with a hostile name'
is true "$(explain $dir/stuck/fixed '.policy | .refused != null and .remedy != null')" \
	'... the reason of a refusal, and the remedy'
daxstack auto --explain $dir/base/hot >/tmp/said 2>&1 &&
	grep -q '^  rule: *rest (/tmp/rules:[0-9]*): auto$' /tmp/said
ok $? '... as text'
cat /tmp/said >>/tmp/log
is "$dir 24" "$(daxstack auto -J $dir | jq -r '.mounts[0] | "\(.mount) \(.budget / 1048576)"')" \
	'daxstack auto: the mount'
daxstack auto /tmp >/dev/null 2>&1
is 2 $? '... an error for other filesystems'
daxstack auto --explain /etc/passwd >/dev/null 2>&1
is 2 $? '... and for files on them'
setpriv --reuid 65534 --clear-groups daxstack auto >/tmp/said 2>&1
[ $? = 2 ] && grep -q 'only root may ask' /tmp/said
ok $? '... and for unprivileged users'
cat /tmp/said >>/tmp/log
timeout 60 daxstackd -r /tmp/rules >/tmp/said 2>&1
[ $? = 2 ] && grep -q 'another daxstackd is running' /tmp/said
ok $? 'a second daemon does not start'
# --- Refused moves.

refusals() { daxstack status -J "$1" | jq '.files[0].refusals'; }
passed 20
told 'stuck/fixed: stays cached, not switched to dax .*pages are pinned; next attempt in'
ok $? 'a line says what is refused, and why'
is 1 "$(times 'stuck/fixed: stays')" '... once'
tries=$(refusals $dir/stuck/fixed)
echo "tries: $tries" >>/tmp/log
[ "$tries" -ge 1 ] && [ "$tries" -le $(($(steps) / 4)) ]
ok $? '... and retries become less frequent'
mkfifo /tmp/pipe
xfs_io $dir/base/cold </tmp/pipe >>/tmp/log 2>&1 8>&- &
mapper=$!
exec 7>/tmp/pipe
echo 'mmap -S -rw 0 1m' >&7
mapped() { explain "$dir/base/cold" .reason | grep -q MAP_SYNC; }
within 30 mapped
ok $? 'a file is mapped with MAP_SYNC'
sed -i "s|path = base/e\*|path = base/[ec]*|" /tmp/rules
daxstackd --reload >>/tmp/log 2>&1
is 0 $? 'changed rules request cached mode for it'
passed 6
is dax "$(mode $dir/base/cold)" '... and stays in dax'
is 0 "$(refusals $dir/base/cold)" '... without an attempt, as it would be refused'
exec 7>&-
wait $mapper
reader2()
{
	while :; do cat $dir/base/cold; done >/dev/null
}
reader2 8>&- &
second=$!
within 120 in_mode cached $dir/base/cold
ok $? '... until it is unmapped'
kill $second
exec 8>&-
wait $pinner
within 120 in_mode dax $dir/stuck/fixed
ok $? 'a pinned file is moved after it is unpinned'

# --- Reloading rules.

before=$(steps)
echo 'mode = fast' >>/tmp/rules
daxstackd --reload >/tmp/said 2>&1
[ $? = 2 ] && grep -q "^/tmp/rules:[0-9]*: mode is given twice" /tmp/said
ok $? 'rules with an error: --reload fails, with the line'
cat /tmp/said >>/tmp/log
told "^daxstackd: /tmp/rules:[0-9]*: mode is given twice.*; the old rules stay in force$"
ok $? '... and so says the journal'
passed 2
ok $? '... and the old rules stay in force'
sed -e 's|mode = leave|mode = cached|' /tmp/good >/tmp/rules
kill -HUP $daemon
within 60 in_mode cached $dir/left/alone
ok $? 'SIGHUP reloads good rules'
[ "$(steps)" -gt "$before" ]
ok $? '... and keeps its state'
sed -e 's|^path = wal.*|&\nquiet = 00:00-12:00\nquiet = 12:00-24:00|' /tmp/good >/tmp/rules
daxstackd --reload >>/tmp/log 2>&1
daxstack set cached $dir/wal/log
passed 4
is 'cached true' "$(mode $dir/wal/log) $(explain $dir/wal/log .quiet)" \
	'in quiet hours no file moves'
cp /tmp/good /tmp/rules
daxstackd --reload >>/tmp/log 2>&1
within 60 in_mode dax $dir/wal/log
ok $? '... after them the file moves'

# --- Dirty pages.

# In quiet hours, so that the pages are dirty when the daemon decides. The load keeps
# dirtying pages until the file is moved. The daemon logs a move after it.
moves()
{
	grep -c 'wal/log: cached -> dax' /tmp/log
}
more_moves()
{
	[ "$(moves)" -gt "$1" ]
}
before=$(moves)
sed -e 's|^path = wal.*|&\nquiet = 00:00-12:00\nquiet = 12:00-24:00|' /tmp/good >/tmp/rules
daxstackd --reload >>/tmp/log 2>&1
daxstack set cached $dir/wal/log
dd if=/dev/urandom of=$dir/wal/log bs=1M count=4 conv=notrunc status=none
cp /tmp/good /tmp/rules
daxstackd --reload >>/tmp/log 2>&1
within 60 in_mode dax $dir/wal/log
within 60 more_moves "$before"
pages=$(grep 'wal/log: cached -> dax' /tmp/log | tail -n 1 |
	sed 's/.*; \([0-9]*\) pages written back.*/\1/')
echo "pages: $pages" >>/tmp/log
[ "${pages:-1024}" -lt 512 ]
ok $? 'dirty pages are written back before the switch'

# --- Mounts that disappear and appear.

kill $reader
wait $reader 2>/dev/null
gone() { umount "$dir" 2>>/tmp/log; }
within 30 gone
ok $? 'umount works while it runs'
within 30 told '/mnt/daemon: no longer mounted'
ok $? '... and it says so'
mount -t daxstack "$PMEM" $dir
again() { [ "$(times '/mnt/daemon: up to 24 MiB of DRAM')" -ge 2 ]; }
within 30 again
ok $? 'a new mount is picked up'
reader &
reader=$!
daxstack set dax $dir/base/hot
within 60 in_mode cached $dir/base/hot
ok $? '... and files on it are moved'

# --- The daemon is killed.

modes() { daxstack status -RJ $dir | jq -c '[.files[] | [.file, .mode]]'; }
is cached "$(mode $dir/base/hot)" 'before it is killed'
kill -KILL $daemon
wait $daemon 2>/dev/null
sleep 1
modes >/tmp/modes
is cached "$(mode $dir/base/hot)" 'files keep their modes'
timeout 120 daxstack auto -J -q -c 1 -r /tmp/rules 2>>/tmp/log | jq -r '.mounts[0].mount' >/tmp/said
is $dir "$(cat /tmp/said)" 'without the daemon, daxstack auto observes the files itself'
is 'rest true' "$(daxstack auto -qJ -c 2 -r /tmp/rules --explain $dir/base/hot |
	jq -r '.files[0] | "\(.rule) \(.heat != null)"')" '... and can explain them'
modes | diff /tmp/modes - >>/tmp/log
ok $? '... and moves nothing'
start
within 30 told 'up to 24 MiB of DRAM'
ok $? 'it starts after another was killed'
passed 1
ok $? '... and works'
kill -TERM $daemon
wait $daemon
is 0 $? 'SIGTERM ends it again'
[ ! -e /run/daxstack/daxstackd.sock ]
ok $? '... and leaves no socket behind'
kill $reader
wait $reader 2>/dev/null
within 30 gone
ok $? 'nothing keeps the mount busy'
done_testing
