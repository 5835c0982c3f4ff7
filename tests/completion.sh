#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Shell completion in bash and zsh: asserts the words offered.
# host
#
# shellcheck disable=SC1091 # the completion is checked separately
set -uo pipefail
cd "${DAXSTACK_TOP:-.}" || exit 1

top=$PWD
PATH=$top/build/tools:$PATH
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
temporary completion
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/files" "$tmp/files/a dir"
touch "$tmp/files/log" "$tmp/files/other"
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
cd "$tmp/files" || exit 1


# --- bash.

. "$top/tools/completion/daxstack"

# offers EXPECTED WORD...: completes the last WORD.
offers()
{
	local expected=$1 seen
	shift
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_daxstack daxstack "${*: -1}" "${*: -2:1}" 2>/dev/null
	seen=$(printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | paste -sd' ')
	is "$expected" "$seen" "bash: $*"
}

commands=$(daxstack --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' |
	LC_ALL=C sort | paste -sd' ')
offers "--help --version $commands" daxstack ''
offers 'status' daxstack stat
offers '--recursive' daxstack set --rec
offers 'inf' daxstack set -t ''
offers 'inf' daxstack set --timeout = ''
offers 'cached dax' daxstack set -t 1 ''
offers 'cached' daxstack set --timeout = 1 c
offers 'log' daxstack set -v dax l
offers 'a dir log other' daxstack set dax ''
offers 'cached dax' daxstack set -- ''
offers 'a dir' daxstack status -R a
offers 'other' daxstack why o
offers 'TARGET TESTED TO-CACHED TO-DAX' daxstack list -o T
offers 'LOWER,REASON LOWER,REASON-NAME' daxstack list -o LOWER,REA
offers '+INHERIT' daxstack list --output = +INH
offers 'a dir log other' daxstack calibrate -o ''
offers '' daxstack calibrate --size = ''
offers 'a dir' daxstack calibrate -s 5 a
offers 'read-bytes reads' daxstack top -s rea
offers '' daxstack top -d ''
offers 'log' daxstack top --replay = l
offers '' daxstack record --interval = ''
offers 'log' daxstack record -i 1 l
offers 'log' daxstack auto --explain l
offers 'log' daxstack auto --rules = l
offers '' daxstack auto -c ''
offers 'cached dax found' daxstack simulate --start ''
offers 'found' daxstack simulate --policy = f
offers '' daxstack simulate -b ''
offers 'log' daxstack simulate --budget 8G l
offers 'status' daxstack help stat
offers '' daxstack help set ''

# Names of files and directories are never executed or expanded.
mkdir "$tmp/bin"
cat >"$tmp/bin/daxstack" <<END
#!/bin/sh
[ "\$1" = list ] || exec "$top/build/tools/daxstack" "\$@"
printf '%s\n' '/m/\$(touch \${IFS}$tmp/ran)' '/m/*' '/n'
END
chmod +x "$tmp/bin/daxstack"
PATH=$tmp/bin:$PATH
mkdir "$tmp/names"
touch "$tmp/names/*" "$tmp/names/\$(touch ran)"
cd "$tmp/names" || exit 1
for command in auto lower who list calibrate top 'record -m'; do
	# shellcheck disable=SC2086 # words
	offers "/m/\$(touch \${IFS}$tmp/ran) /m/*" daxstack $command /m/
done
offers "\$(touch ran) *" daxstack set dax ''
[ ! -e "$tmp/ran" ] && [ ! -e ran ]
is 0 $? 'bash: nothing in a name is executed'
cd "$tmp/files" || exit 1
PATH=${PATH#*:}

# All long options are offered; each command's --help lists them.
for command in $commands; do
	for option in $(daxstack "$command" --help | grep -oE '^ +(-[A-Za-z0-9], )?--[a-z-]+' |
		grep -oE -- '--[a-z-]+'); do
		offers "$option" daxstack "$command" "$option"
	done
done

# --- zsh, with simulated typing.

if ! command -v zsh >/dev/null; then
	echo "ok $((n + 1)) - zsh # SKIP no zsh"
	echo "1..$((n + 1))"
	exit "$failed"
fi
# The line after a tab goes to a file.
cat >"$tmp/typed" <<'END'
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "fpath=(${(q)1} \$fpath); autoload -U compinit; compinit -u -D
tell() { print -r -- \"\$BUFFER\" >>${(q)2}; BUFFER= }; zle -N tell
bindkey '^I' complete-word; bindkey '^E' tell; unsetopt beep automenu"
for line in "${@:3}"; do
	zpty -w -n z "$line"$'\t\x05'
done
zpty -w z exit
while zpty -r z more; do :; done
END
typed=('daxstack stat' 'daxstack set --rec' 'daxstack set -v d' 'daxstack set dax l'
	'daxstack list -o INH' 'daxstack top -s fsy' 'daxstack calibrate -o oth' 'daxstack help stat' 'daxstack why oth')
expected='daxstack status |daxstack set --recursive |daxstack set -v dax |daxstack set dax log |daxstack list -o INHERIT,|daxstack top -s fsyncs |daxstack calibrate -o other |daxstack help status |daxstack why other '
timeout 120 zsh -f "$tmp/typed" "$top/tools/completion" "$tmp/lines" "${typed[@]}"
is "$expected" "$(paste -sd'|' "$tmp/lines")" "zsh: lines after a tab"

done_testing
