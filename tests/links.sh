#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The documents: every relative link leads to a file that exists, every anchor to a
# heading of it, every path in backquotes to a file of the tree; the figures are drawn
# from their present sources.
# host
#
set -u
cd "${DAXSTACK_TOP:-.}" || exit 1
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
temporary links
# shellcheck disable=SC2154 # temporary() sets it
trap 'rm -rf "$tmp"' EXIT

# Print "LINE<tab>link|path|anchor<tab>TARGET" for each in a document; anchors are
# those of its headings, as forges make them.
scan()
{
	awk '
	function found(kind, target) { printf "%d\t%s\t%s\n", NR, kind, target }
	/^ *```/ { fenced = !fenced; next }
	fenced { next }
	/^#+ / {
		slug = tolower($0)
		sub(/^#+ +/, "", slug)
		gsub(/[^a-z0-9 _-]/, "", slug)
		gsub(/ /, "-", slug)
		found("anchor", slug (seen[slug]++ ? "-" seen[slug] - 1 : ""))
	}
	/^    / && !/^    [A-Z(]/ { next }
	{
		line = $0
		while (match(line, /`[^`]*`/)) {
			word = substr(line, RSTART + 1, RLENGTH - 2)
			sub(/ .*/, "", word)
			if (word ~ /^(module|scripts|tests|tools|docs|include|profiles|dkms|debian)\/[A-Za-z0-9_.\/*-]+$/ &&
			    word !~ /NAME|VERSION/)
				found("path", word)
			line = substr(line, 1, RSTART - 1) "code" substr(line, RSTART + RLENGTH)
		}
		while (match(line, /\]\([^) ]+/)) {
			word = substr(line, RSTART + 2, RLENGTH - 2)
			if (word !~ /^[a-z]+:/)
				found("link", word)
			line = substr(line, RSTART + RLENGTH)
		}
	}' "$1"
}

# Print what is wrong with the documents below the working directory.
complaints()
{
	local doc line kind target file anchor
	while IFS= read -r doc; do
		while IFS=$'\t' read -r line kind target; do
			case $kind in
			link)
				file=${target%%#*} anchor=
				[ "$file" = "$target" ] || anchor=${target#*#}
				[ "$file" ] && file=$(dirname "$doc")/$file || file=$doc
				if [ ! -e "$file" ]; then
					echo "$doc:$line: $target: no such file"
				elif [ "$anchor" ] &&
					! scan "$file" | grep -qxP "\d+\tanchor\t\Q$anchor\E"; then
					echo "$doc:$line: $target: no such heading"
				fi
				;;
			path)
				compgen -G "$target" >/dev/null ||
					echo "$doc:$line: $target: no such file in the tree"
				;;
			esac
		done < <(scan "$doc")
	done < <(find . -name '*.md' ! -path './build/*' ! -path './.git/*' | sort)
}

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
said=$tmp/said

succeeds 'all links, anchors and paths of the documents resolve' equal '' "$(complaints)"
succeeds 'the documents have links' equal yes \
	"$(scan README.md | grep -qP '\tlink\t' && echo yes)"
# The README's choice of loads, as the document about them has it.
loads()
{
	awk '/^\| load \|/ { inside = 1; next } !/^\|/ { inside = 0 } inside && !/^\|-/' "$1"
}
succeeds 'README.md has the figures of docs/performance.md' equal '' \
	"$(loads README.md | grep -vxFf <(loads docs/performance.md))"
succeeds '... of eight loads' equal 8 "$(loads README.md | wc -l)"
succeeds 'the figures are drawn from their present sources' equal '' "$(scripts/package/figures --check 2>&1)"

# The check itself, on a tree with errors.
mkdir -p "$tmp/tree/docs" || exit 1
cat >"$tmp/tree/README.md" <<'END'
# One `two`: three!
## Twice
## Twice
[a](docs/b.md) [a](docs/b.md#it-is) [a](#one-two-three) [a](#twice-1) `docs/*.md -x`
[a](https://example.org/none.md) `[a](none.md)` `docs/build` and `/docs/x`
```
[a](none.md)
```
[a](docs/c.md)
[a](docs/b.md#it-was) and [b](#twice-2)
`docs/d.md`
END
echo '## It is' >"$tmp/tree/docs/b.md"
succeeds 'errors are found, and nothing else' equal \
	'./README.md:5: docs/build: no such file in the tree
./README.md:9: docs/c.md: no such file
./README.md:10: docs/b.md#it-was: no such heading
./README.md:10: #twice-2: no such heading
./README.md:11: docs/d.md: no such file in the tree' "$(cd "$tmp/tree" && complaints)"

done_testing
