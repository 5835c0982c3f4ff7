#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# daxstack save and restore: asserts that the modes of a tree, lost by a copy, are
# restored, with any names and with hostile links in place of files. Also dry runs,
# names from files and JSON output of 'daxstack set'.
# guest: --timeout 1200 --add /usr/bin/jq --add /usr/lib/locale/C.utf8:/usr/lib/locale/C.utf8
# shellcheck disable=SC2317 # called by succeeds
set -u
shopt -s nullglob

# shellcheck source=tests/lib/tap.sh
. /usr/local/share/daxstack/tap.sh
# Shown after failed checks.
said=/tmp/said
# status EXPECTED COMMAND...: asserts the exit status; output is in /tmp/out and
# /tmp/err
status()
{
	local expected=$1 seen
	shift
	"$@" >/tmp/out 2>/tmp/err
	seen=$?
	[ "$seen" = "$expected" ] || {
		echo "exit status $seen: $*"
		cat /tmp/out /tmp/err
		return 1
	}
}
# said PATTERN: asserts that either output matches
said()
{
	grep -Eq -- "$1" /tmp/out /tmp/err || {
		cat /tmp/out /tmp/err
		return 1
	}
}
mode_json() { daxstack status -J "$1" | jq -r '.files[0].mode'; }
flags() { daxstack status -J "$@" | jq -c '[.files[] | .flag]'; }

x=/mnt/x
mkdir -p $x /mnt/lower
mkfs_new()
{
	case $FS in
	ext4) mkfs.ext4 -q -F -b 4096 "$PMEM" ;;
	xfs) mkfs.xfs -q -f "$PMEM" ;;
	esac
}
mkfs_new
mount -t daxstack "$PMEM" $x || bail mount

# --- A tree with names of all kinds.

mkdir -p $x/a/tree/{sub,flagged} $x/b
cd $x/a/tree || exit 1
hostile=($'line\nend' 'back\slash' '\012' $'\xff\xfe' ' blank' 'blank ' '#' $'\e[31m'
	'# end' 'dax file x' $'\xc3\xbc' $'tab\t' $'\xc2\x9b31m' $'\xe2\x80\xae' '..a' 'b..'
	'"' "'" '*' '-R')
for f in "${hostile[@]}"; do
	echo "$f" >"./$f"
	echo "$f" >"./sub/$f"
	daxstack set dax "./$f"
done
echo 1 >flagged/cached
daxstack set dax flagged
echo 1 >flagged/dax
ln -s /etc/passwd link
mkfifo fifo
ln flagged/dax other-name
cd / || exit 1

succeeds 'save: a tree' status 0 daxstack save -C $x/a -R tree
cp /tmp/out /tmp/list
succeeds '... without other output' equal '' "$(cat /tmp/err)"
files=$(find $x/a/tree -type f -printf . | wc -c)
dirs=$(find $x/a/tree -type d -printf . | wc -c)
succeeds '... lists all files and directories' equal $((files + dirs)) "$(grep -c '^[dc]' /tmp/list)"
succeeds '... one per line, without control characters' not env LC_ALL=C grep -q $'[\001-\037\177]' /tmp/list
succeeds '... in UTF-8' not env LC_ALL=C.UTF-8 grep -axv '.*' /tmp/list
succeeds '... with a header' equal '# daxstack modes 1' "$(head -n 1 /tmp/list)"
succeeds '... files in dax mode' equal $((${#hostile[@]} + 2)) \
	"$(grep -c '^dax file ' /tmp/list)"
succeeds '... and directories with the flag' equal 'dax directory tree/flagged' "$(grep '^dax dir' /tmp/list)"
succeeds 'save: the lower filesystem alone gives the same list' sh -c "
	umount $x && mount -t $FS $PMEM /mnt/lower &&
	daxstack save -C /mnt/lower/a -R tree >/tmp/lower
	umount /mnt/lower && mount -t daxstack $PMEM $x &&
	sort /tmp/list >/tmp/1 && sort /tmp/lower >/tmp/2 && cmp /tmp/1 /tmp/2"

# --- Lost and restored.

same_as_list()
{
	daxstack save -C "$1" -R tree | sort >/tmp/1
	sort /tmp/list >/tmp/2
	cmp /tmp/1 /tmp/2
}
cp -a $x/a/tree $x/b/
succeeds 'cp -a loses modes' equal 0 \
	"$(daxstack save -C $x/b -R tree | grep -c ^dax)"
succeeds 'restore: from a pipe' status 0 daxstack restore -C $x/b </tmp/list
succeeds '... gives the same list' same_as_list $x/b
succeeds '... files switch at once' equal dax "$(mode_json "$x/b/tree/back\\slash")"
succeeds '... prints the numbers' said '^switched [1-9][0-9]*, already as listed [1-9]'
succeeds 'restore: again, from a file' status 0 daxstack restore -C $x/b /tmp/list
succeeds '... changes nothing' said '^switched 0, already as listed '
rm -rf $x/b/tree
tar -C $x/a -cf - tree 2>/dev/null | tar -C $x/b -xf -
succeeds 'tar loses modes' equal 0 "$(daxstack save -C $x/b -R tree | grep -c ^dax)"
rm "$x/b/tree/*" $x/b/tree/sub/-R
cd $x/b || exit 1
succeeds 'restore: in the working directory, missing files are reported' status 2 daxstack restore -v /tmp/list
succeeds '... by name' said '^daxstack: tree/\*: No such file'
succeeds '... and counted' said ' 2  No such file'
succeeds '... and the others are restored' sh -c "
	daxstack save -R tree | sort >/tmp/1
	grep -v -e 'tree/\*$' -e 'sub/-R$' /tmp/list | sort >/tmp/2
	cmp /tmp/1 /tmp/2"
cd / || exit 1
succeeds 'save and restore: absolute names' sh -c "
	daxstack save -R $x/a/tree/flagged >/tmp/abs 2>/tmp/said &&
	grep -q 'restore with -C /' /tmp/said &&
	daxstack set -q -R cached $x/a/tree/flagged &&
	daxstack restore -q -C / /tmp/abs"
succeeds '... reach the files' equal '[true,false,true]' \
	"$(flags $x/a/tree/flagged{,/cached,/dax})"

# Deeper than PATH_MAX.
(
	dir=$(printf '%0200d' 0)
	mkdir $x/deep
	cd $x/deep || exit
	for _ in {1..25}; do
		mkdir "$dir"
		cd "$dir" 2>/dev/null || exit
	done
	echo 1 >file
	echo 1 >other
	daxstack set dax file
)
succeeds 'save: a deep tree' sh -c "daxstack save -C $x -R deep >/tmp/deep"
daxstack set -q -R cached $x/deep
succeeds 'restore: a deep tree' status 0 daxstack restore -C $x /tmp/deep
succeeds '... the file in dax mode' said '^switched 1, already as listed 1$'
daxstack save -C $x -R deep >/tmp/1
succeeds '... gives the same list' cmp /tmp/1 /tmp/deep

# --- Invalid lists.

head -n -1 /tmp/list >/tmp/cut
succeeds 'restore: a truncated list' status 2 daxstack restore -C $x/a /tmp/cut
succeeds '... message' said "ends without '# end'"
sed '1s/1$/2/' /tmp/list >/tmp/wrong
succeeds 'restore: of another version' status 2 daxstack restore -C $x/a /tmp/wrong
succeeds '... message' said 'another version'
echo 'dax file tree/sub/#' >/tmp/wrong
succeeds 'restore: a file that is not a list' status 2 daxstack restore -C $x/a /tmp/wrong
succeeds '... changes nothing' equal cached "$(mode_json "$x/a/tree/sub/#")"
printf '# daxstack modes 1\ndax file tree/sub/#\\9\ndax file tree/sub/#\0x\n%s\n# end\n' \
	'dax file tree/sub/#\000' >/tmp/wrong
succeeds 'restore: invalid lines' status 2 daxstack restore -C $x/a /tmp/wrong
succeeds '... messages' equal 3 "$(grep -c ': line [234]: ' /tmp/err)"
succeeds '... change nothing' equal cached "$(mode_json "$x/a/tree/sub/#")"
succeeds 'restore: an empty file' status 2 daxstack restore /dev/null
succeeds 'restore: no such file' status 2 daxstack restore /tmp/none
succeeds 'save: no such file' status 2 daxstack save /tmp/none
succeeds 'save: a filesystem without modes' status 2 daxstack save /proc
succeeds "save: '..'" status 2 daxstack save -C $x/a ../b

# --- Hostile links.

mkdir -p $x/h/tree/dir $x/victim
touch $x/h/tree/dir/file $x/h/tree/file $x/h/tree/hard $x/victim/file $x/h/outside
list="# daxstack modes 1
dax directory tree/dir
dax file tree/dir/file
dax file tree/file
dax file tree/hard
dax file ../h/outside
dax file tree/../outside
dax file $x/h/outside
# end"
rm -r $x/h/tree/{dir,file,hard}
ln -s $x/victim $x/h/tree/dir
ln -s ../outside $x/h/tree/file
chown nobody $x/h/tree
ln $x/victim/file $x/h/tree/hard
succeeds 'restore: links in the way' status 2 daxstack restore -C $x/h <<<"$list"
succeeds '... of a directory' said 'tree/dir: a component is a symbolic link'
succeeds '... in the name' said 'tree/dir/file: a component is a symbolic link'
succeeds '... of a file' said 'tree/file: a component is a symbolic link'
succeeds '... a hard link' said 'tree/hard: it has other names'
succeeds "... '..'" said "^daxstack: ../h/outside: a name with '..'"
succeeds "... '..' within" said "^daxstack: tree/../outside: a name with '..'"
succeeds '... an absolute name' said "^daxstack: $x/h/outside: an absolute name"
succeeds '... their targets are unchanged' equal '[false,false,false]' \
	"$(flags $x/victim{,/file} $x/h/outside)"
succeeds 'restore: --absolute-names' status 2 daxstack restore -P -C $x/h/tree \
	<<<"# daxstack modes 1
dax file ../outside
dax file ../tree/dir/file
dax directory $x/h
# end"
succeeds '... reach the files' equal '[true,true]' "$(flags $x/h $x/h/outside)"
succeeds '... not through symbolic links' equal '[false,false]' "$(flags $x/victim{,/file})"
succeeds 'restore: --hard-links' status 0 daxstack restore -H -C $x/h \
	<<<"# daxstack modes 1
dax file tree/hard
# end"
succeeds '... switches the file' equal dax "$(mode_json $x/victim/file)"
rm -r $x/h/tree
mkdir -p $x/h/tree/mounted $x/other
touch $x/other/file
mkfifo $x/h/tree/file
mount --bind $x/other $x/h/tree/mounted
succeeds 'restore: a mount inside, and a fifo' status 2 timeout 60 daxstack restore -C $x/h <<<"# daxstack modes 1
dax file tree/mounted/file
dax directory tree/mounted
dax file tree/file
# end"
succeeds '... are unchanged' equal '[false,false]' "$(flags $x/other $x/other/file)"
succeeds '... and reported' equal 3 "$(grep -c '^daxstack: tree/' /tmp/err)"
umount $x/h/tree/mounted
succeeds 'restore: a directory in place of a file' status 2 daxstack restore -C $x/h \
	<<<"# daxstack modes 1
dax file tree
# end"
succeeds '... is reported' said 'it was a file, and is a directory'

# --- A dry run.

mkdir $x/dry
seq 20 | split -l 1 -a 2 --numeric-suffixes=1 - $x/dry/
daxstack set dax $x/dry/0{1..5}
chown nobody $x/dry/{01..10}
look()
{
	sync
	stat -c '%n %s %b %X %Y %Z' $x/dry $x/dry/*
	daxstack status -J $x/dry $x/dry/*
	dmesg
}
# The stack reports the switches before as late as a second after them, or when it is
# unmounted.
if ! { umount $x && mount -t daxstack "$PMEM" $x; }; then
	succeeds 'mounted again' false
	exit 1
fi
look >/tmp/before
succeeds 'dry run: a tree' status 0 daxstack set -n -R dax $x/dry
succeeds '... number of files' said '^would be switched 15, already dax 5$'
succeeds '... and their names' equal 15 "$(grep -c '^/mnt/x/dry/[0-9]*: would be switched: cached -> dax' /tmp/out)"
succeeds 'dry run: by another user' status 2 setpriv --reuid nobody --clear-groups \
	daxstack set -n -R cached $x/dry
succeeds '... refused with the reason' equal 10 "$(grep -c \
	'would not be switched to cached: caller does not own the file (Operation not permitted)$' /tmp/err)"
succeeds '... the directory' said 'flag of the directory would not be cleared: Operation not permitted'
succeeds 'dry run: a list' status 0 daxstack restore -n -C $x <<<"# daxstack modes 1
dax file dry/20
cached file dry/01
# end"
look >/tmp/after
succeeds '... nothing has changed, and the log has no new line' cmp /tmp/before /tmp/after
daxstack set -n -q -R --json dax $x/dry |
	jq -c '[.files[] | [.file, (.outcome | ltrimstr("would be "))]]' >/tmp/1
daxstack set -R --json dax $x/dry |
	jq -c '[.files[] | [.file, .outcome]]' >/tmp/2
succeeds '... and the real run has the predicted results' cmp /tmp/1 /tmp/2
mount -o remount,switch=empty $x
succeeds 'dry run: switch=empty' status 2 daxstack set -n cached $x/dry/01
succeeds '... reason' said 'file has blocks allocated'
mount -o remount,switch=never $x
succeeds 'dry run: switch=never' status 0 daxstack set -n cached $x/dry/01
succeeds '... would be deferred' said 'flag would be set for cached, effective when'
mount -o remount,switch=live $x

# --- Names from other programs.

set0() { find "$1" -type f -print0 | daxstack set "${@:2}"; }
cp -a $x/a/tree $x/names
files=$(find $x/names -type f -printf . | wc -c)
succeeds '--null: from find' set0 $x/names -0 dax
succeeds '... all files' equal "$files" \
	"$(daxstack save -C $x -R names | grep -c '^dax file')"
succeeds '--files-from -: the same' set0 $x/names --null --files-from - cached
succeeds '... all files' equal 0 "$(daxstack save -C $x -R names | grep -c '^dax file')"
printf '%s\n' $x/names/\# $x/none '' "$x/names/blank " >/tmp/names
succeeds '--files-from: a file with one name per line' status 2 daxstack set --files-from /tmp/names dax $x/names/..a
succeeds '... missing files are reported' equal 2 "$(grep -c 'No such file' /tmp/err)"
succeeds '... the others are switched' equal '[true,true,true]' \
	"$(flags "$x/names/#" "$x/names/blank " $x/names/..a)"
succeeds '--files-from: trees' status 0 daxstack set -R --files-from /dev/stdin cached \
	<<<"$x/names/sub
$x/names"
succeeds '... all files' equal 0 "$(daxstack save -C $x -R names | grep -c '^dax')"
succeeds '--files-from: NUL without --null' not set0 $x/names --files-from - dax
succeeds '... nothing is switched' equal 0 "$(daxstack save -C $x -R names | grep -c '^dax')"
succeeds '--files-from: no such file' status 2 daxstack set --files-from /tmp/none dax

# --- JSON.

# jq_is EXPECTED FILTER: asserts the result of FILTER on the last output
jq_is() { equal "$1" "$(jq -c "$2" /tmp/out 2>&1)"; }
evil=$x/names/$'\xff\xfe'
succeeds '--json' status 2 daxstack set --json dax "$evil" $x/names/sub $x/none \
	/proc/version "$x/names/line
end"
succeeds '... an object for each' jq_is 5 '.files | length'
succeeds '... outcomes' jq_is '["switched","directory","refused","refused","switched"]' \
	'[.files[].outcome]'
succeeds '... modes' jq_is '["dax",null,null,null,"dax"]' '[.files[].mode]'
succeeds '... switched or not' jq_is '[true,true,false,false,true]' \
	'[.files[].switched]'
succeeds '... numbers' jq_is '[true,"number",true]' \
	'.files[0] | [.attempts > 0, (.pages | type), .shut_ns > 0]'
succeeds '... errno' jq_is '[2,"ENOENT","No such file or directory"]' \
	'.files[2] | [.errno, .error, .reason]'
succeeds '... a name that is not UTF-8' jq_is '["2F6D6E742F782F6E616D65732FFFFE",null]' \
	'[.files[0].file_hex, .files[1].file_hex]'
succeeds '... a name with a newline' jq_is '"/mnt/x/names/line\nend"' '.files[4].file'
succeeds '--json: no files' status 0 daxstack set --json --files-from /dev/null dax
succeeds '... is valid JSON' jq_is '[[],false]' '[.files, .interrupted]'
succeeds '--json: a tree' status 0 daxstack set --json -R cached $x/names
succeeds '... an object for each' jq_is \
	"$(find $x/names -printf '%y\n' | grep -c .)" '.files | length'
succeeds '--json: restore' sh -c "
	daxstack save -C $x/a -R tree/flagged |
	daxstack restore -C $x/a --json >/tmp/out"
succeeds '... requested modes' jq_is '["cached","dax","dax"]' \
	'[.files[].wanted] | sort'

echo 1 >$x/busy
daxstack set dax $x/busy
(echo 'mmap -S 0 4k'; exec sleep 1000) | xfs_io $x/busy >/dev/null 2>&1 &
until [ "$(daxstack status -J $x/busy | jq -r '.files[0].mapped')" = sync ]; do
	sleep 0.1
done
succeeds '--json: refused' status 1 daxstack set --json -q cached $x/busy
succeeds '... with the reason' jq_is '["dax",false,16,"EBUSY","a MAP_SYNC mapping exists"]' \
	'.files[0] | [.mode, .switched, .errno, .error, .reason]'
succeeds 'dry run: refused' status 1 daxstack set -n cached $x/busy
succeeds '... with the reason' said 'would not be switched to cached: a MAP_SYNC mapping exists \(Device'
daxstack set dax $x/names/\#
env --default-signal=INT daxstack set --json -t inf cached $x/names/\# $x/busy \
	$x/names/..a >/tmp/out 2>/tmp/err &
pid=$!
until grep -q names /tmp/out; do
	sleep 0.1
done
kill -INT $pid
wait $pid
succeeds '--json: interrupted: by the signal' equal 130 $?
succeeds '... is still valid JSON' jq_is '[true,["switched","refused"],"EINTR"]' \
	'[.interrupted, [.files[].outcome], .files[1].error]'
kill "$(pgrep -f 'sleep 1000')"
wait

# --- Wrong usage.

for wrong in 'set -0 dax x' 'set --unshare cached x' 'set --json -v dax x' \
	'set --files-from dax' 'set -n dax' 'set --nul dax x --nonsense' 'set -q -v dax x' \
	'save' 'save -C' 'save -x' 'restore a b' 'restore -t x' 'restore -q -v' 'restore -J -v'; do
	# shellcheck disable=SC2086	# it is words
	succeeds "wrong usage: $wrong" status 64 daxstack $wrong </dev/null
done
for command in set save restore; do
	succeeds "$command --help" status 0 daxstack $command --help
	succeeds "... has an example" said '^Examples?:'
done
succeeds 'save: stdout is full' equal 74 "$(daxstack save -R $x/a >/dev/full 2>/dev/null; echo $?)"

# --- Files that share blocks.

unshare_file()
{
	succeeds "unshare: $1: refused without --unshare" refused_without "$2"
	succeeds "unshare: $1: a dry run" status 0 daxstack set --unshare -n dax "$2"
	succeeds "unshare: $1: changes nothing" equal cached "$(mode_json "$2")"
	succeeds "unshare: $1: switched" status 0 daxstack set --unshare -v dax "$2"
	succeeds "unshare: $1: is in dax mode" equal dax "$(mode_json "$2")"
	succeeds "unshare: $1: shares no blocks" equal '' "$(shared "$2")"
	succeeds "unshare: $1: contents" cmp "$2" "$3"
}
# Only on Linux 6.1.
refused_without()
{
	case $(uname -r) in
	6.1.*)
		status 2 daxstack set dax "$1" &&
			said 'file shares blocks with another file \(daxstack set --unshare\) \(Operation not supported\)' &&
			equal cached "$(mode_json "$1")"
		;;
	esac
}
shared() { xfs_io -r -c 'fiemap -v' "$1" | awk '$1 ~ /^[0-9]+:$/ && $NF ~ /^0x2...$/'; }

umount $x
if [ "$FS" = xfs ]; then
	mkfs_new
	mount -t xfs "$PMEM" /mnt/lower
	dd if=/dev/urandom of=/tmp/data bs=1M count=40 status=none
	cp /tmp/data /mnt/lower/original
	xfs_io -f -c 'reflink /mnt/lower/original' /mnt/lower/copy >/dev/null
	xfs_io -f -c 'reflink /mnt/lower/original' /mnt/lower/small >/dev/null
	truncate -s 5000 /tmp/small /mnt/lower/small
	head -c 5000 /tmp/data >/tmp/small
	# Two of a hundred MiB.
	xfs_io -f -c 'truncate 100m' -c 'reflink /mnt/lower/original 0 4m 1m' \
		-c 'reflink /mnt/lower/original 8m 88m 1m' /mnt/lower/sparse >/dev/null
	cp /mnt/lower/sparse /tmp/sparse
	xfs_io -f -c 'reflink /mnt/lower/small' /mnt/lower/once >/dev/null
	xfs_io -f -c 'reflink /mnt/lower/once' /mnt/lower/gone >/dev/null
	xfs_io -f -c 'pwrite -q 0 8k' /mnt/lower/alone
	xfs_io -f -c 'reflink /mnt/lower/alone' /mnt/lower/gone >/dev/null
	cp /mnt/lower/alone /tmp/alone
	rm /mnt/lower/gone
	umount /mnt/lower
	mount -t daxstack "$PMEM" $x
	succeeds 'the files share blocks' not equal '' "$(shared $x/copy)"
	succeeds 'unshare: no space' sh -c "
		xfs_io -f -c 'falloc 0 '\$((\$(stat -f -c '%a * %S' $x) - (8 << 20))) $x/full"
	succeeds '... is reported' status 2 daxstack set --unshare dax $x/copy
	succeeds '... with the sizes' said \
		'not switched to dax: no space for blocks of its own: 40960 KiB are shared .* KiB are free \(No space left on device\)'
	succeeds '... also in a dry run' status 2 daxstack set --unshare -n dax $x/copy
	succeeds '... nothing has changed' equal cached "$(mode_json $x/copy)"
	succeeds '... contents' cmp $x/copy /tmp/data
	rm $x/full
	unshare_file 'a file of 40 MiB' $x/copy /tmp/data
	unshare_file 'a file of less than two blocks' $x/small /tmp/small
	unshare_file 'a sparse file' $x/sparse /tmp/sparse
	succeeds '... keeps its holes' [ "$(stat -c %b $x/sparse)" -lt 8000 ]
	unshare_file 'a file that no longer shares blocks' $x/alone /tmp/alone
	succeeds '... the other file is unchanged' cmp $x/original /tmp/data
	echo 1 >>$x/copy
	succeeds '... and stays so when this file changes' cmp $x/original /tmp/data
	succeeds 'unshare: a tree' status 0 daxstack set --unshare -R --json dax $x
	succeeds '... all files' jq_is true '[.files[] | select(.mode) | .mode == "dax"] | all'
	umount $x
	succeeds 'xfs_repair finds no errors' xfs_repair -n "$PMEM"
fi
done_testing
