#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Asserts that the examples of docs/semantics.md, or of the document named, print the
# output shown there.
#
# In blocks marked "console", each line "# COMMAND" is run, all in one shell, and the
# lines after it are its expected output, stdout and stderr; "..." matches anything
# within a line. On XFS, ext4 in examples is read as xfs. A document without examples
# is an error, and so are line ends that hide examples.
#
# In a document that is named, a line "..." matches any number of lines, for output of
# other programs.
#
# guest: --timeout 1200 --add docs/semantics.md:/usr/local/share/daxstack/
set -u
doc=${1:-/usr/local/share/daxstack/semantics.md}
any_lines=${1:+yes}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Dirty data in an example must stay dirty, however slow the machine.
echo 100000 >/proc/sys/vm/dirty_writeback_centisecs

# On XFS the examples read a little differently.
text=$(cat "$doc")
if [ "$FS" = xfs ]; then
	text=${text//mkfs.ext4 -q -b 4096/mkfs.xfs -q -f}
	text=${text//ext4/xfs}
fi
text=${text//\/dev\/pmem0/$PMEM}

n=0
failed=0
wrong()
{
	n=$((n + 1))
	failed=1
	echo "not ok $n - $*"
}

# alike PATTERN TEXT: compares line by line.
alike()
{
	mapfile -t patterns <<<"$1"
	mapfile -t lines <<<"$2"
	alike_from 0 0
}

# alike_from I J: compares patterns from I on with lines from J on.
alike_from()
{
	local i=$1 j=$2
	for (( ; i < ${#patterns[@]}; i++, j++)); do
		if [ "$any_lines${patterns[i]}" = 'yes*' ]; then
			for (( ; j <= ${#lines[@]}; j++)); do
				! alike_from $((i + 1)) "$j" || return 0
			done
			return 1
		fi
		# shellcheck disable=SC2053 # it is a pattern
		[ "$j" -lt ${#lines[@]} ] && [[ ${lines[j]} == ${patterns[i]} ]] ||
			return
	done
	[ "$j" = ${#lines[@]} ]
}

check()
{
	local name=$1 expected seen pattern
	expected=$(cat "$work/expected")
	seen=$(cat "$work/seen")
	# Padded columns: any number of blanks.
	if [ "$2" = table ]; then
		expected=$(tr -s ' ' <<<"$expected")
		seen=$(tr -s ' ' <<<"$seen")
	fi
	# A switch tries again while a page is still in a batch of the LRU or under writeback.
	seen=$(sed -E 's/( us), [0-9]+ attempts$/\1/; s/, attempt [0-9]+$/, attempt 1/' \
		<<<"$seen")
	pattern=$(sed 's/[][*?\\]/\\&/g; s/\.\.\./*/g' <<<"$expected")
	n=$((n + 1))
	if alike "$pattern" "$seen"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# expected: /' "$work/expected"
		sed 's/^/# seen:     /' "$work/seen"
		failed=1
	fi
}

# run COMMAND: in this shell, to keep variables and descriptors.
status=0
run()
{
	(exit $status)
	eval "$1" >"$work/seen" 2>&1 </dev/null
	status=$?
}

command=
inside=0
finish()
{
	[ -n "$command" ] || return
	run "$command"
	case $command in
	*"daxstack status"* | *"perf "* | *trace-cmd* | 'cat hist')
		check "$command" table
		;;
	*) check "$command" plain ;;
	esac
	command=
}
while IFS= read -r line; do
	case $line in
	*$'\r'*) wrong "a line that ends as on other systems: ${line%$'\r'}" ;;
	'```console') inside=1 ;;
	'```')
		finish
		inside=0
		;;
	'# '*)
		[ $inside = 1 ] || continue
		finish
		command=${line#'# '}
		: >"$work/expected"
		;;
	*) [ $inside = 0 ] || printf '%s\n' "$line" >>"$work/expected" ;;
	esac
done <<<"$text"
wait
[ $inside = 0 ] || wrong "an example without an end"
[ $n -gt 0 ] || wrong "no examples in $doc"
echo "1..$n"
exit $failed
