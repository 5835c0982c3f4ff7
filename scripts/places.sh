# shellcheck shell=bash disable=SC2154
# Where scripts put things: the cache, temporary directories, results. To be
# sourced; $here is the directory of the scripts.
#
# The cache is $XDG_CACHE_HOME/daxstack or ~/.cache/daxstack. What is in it is
# run and booted, so that nobody else may be able to write there: a directory
# on its path that belongs to another user than the caller or root, or that
# others can write to, disqualifies it. Where there is no such cache, or it
# cannot be written to and something is missing from it, build/cache in this
# tree serves instead: who can write to that can change the scripts as well.

places_note()
{
	echo "$(basename "$0"): note: $*" >&2
}

# place_is_ours DIR [sticky]: nobody but the caller and root can put something
# into the existing directory DIR, or put another directory in its place. With
# "sticky", others may put something of their own beside what is ours.
place_is_ours()
{
	local dir owner mode sticky=${2-}
	dir=$(realpath -e -- "$1" 2>/dev/null) || return
	[ -d "$dir" ] || return
	while :; do
		read -r owner mode < <(stat -c '%u %a' -- "$dir")
		[ "$owner" = 0 ] || [ "$owner" = "$(id -u)" ] || return
		[ $((0$mode & 022)) = 0 ] ||
			{ [ -n "$sticky" ] && [ $((0$mode & 01000)) != 0 ]; } ||
			return
		[ "$dir" != / ] || return 0
		dir=$(dirname -- "$dir")
		# On the way the next one is ours, which none can rename.
		sticky=sticky
	done
}

# The directory of the user's cache, which need not exist; nothing if there is
# no telling where that is.
places_user_cache()
{
	# The specification of XDG has relative names ignored.
	case ${XDG_CACHE_HOME-} in
	/*) printf '%s\n' "$XDG_CACHE_HOME/daxstack" ;;
	*)
		case ${HOME-} in
		/*) printf '%s\n' "$HOME/.cache/daxstack" ;;
		esac
		;;
	esac
}

places_tree_cache()
{
	printf '%s\n' "$(dirname "$here")/build/cache"
}

# cache_find NAME: the path of NAME in a cache, if it is there. It counts as
# used from now on.
cache_find()
{
	local dir
	dir=$(places_user_cache)
	if [ -z "$dir" ] || ! [ -e "$dir/$1" ] || ! place_is_ours "$dir"; then
		dir=$(places_tree_cache)
		[ -e "$dir/$1" ] || return 1
	fi
	touch -c -- "$dir/$1" 2>/dev/null || :
	printf '%s\n' "$dir/$1"
}

# cache_dir: the directory of a cache in which something can be made.
cache_dir()
{
	local dir why
	dir=$(places_user_cache)
	if [ -z "$dir" ]; then
		why='no HOME and no XDG_CACHE_HOME'
	elif ! mkdir -p -- "$dir" 2>/dev/null; then
		why="$dir cannot be made"
	elif ! place_is_ours "$dir"; then
		why="others can write to $dir"
	elif ! [ -w "$dir" ]; then
		why="$dir cannot be written to"
	else
		printf '%s\n' "$dir"
		return
	fi
	dir=$(places_tree_cache)
	places_note "$why: $dir is the cache"
	mkdir -p -- "$dir" && [ -w "$dir" ] && {
		printf '%s\n' "$dir"
		return
	}
	echo "$(basename "$0"): no place for a cache" >&2
	return 1
}

# cache_temporary NAME: a new directory beside NAME, the path of something that
# is being made in a cache. The lock for NAME is held: what others have left
# there, who were killed, is removed.
cache_temporary()
{
	find "$(dirname -- "$1")" -maxdepth 1 -type d \
		-name "$(basename -- "$1").??????" -exec rm -rf {} +
	mktemp -d -- "$1.XXXXXX"
}

# temporary NAME: makes the directory $tmp, for the caller to remove. The file
# .lock in it is locked as long as the caller or a program that it started lives.
# One whose lock is free, and at least a minute old, was left by a caller who was
# killed, and is removed.
temporary()
{
	local base=${TMPDIR:-/tmp} old lock
	place_is_ours "$base" sticky || {
		places_note "others can write to $base: /tmp is used instead"
		base=/tmp
	}
	while read -r old; do
		# shellcheck disable=SC2094 # only opened, to be locked
		(flock -n 9 && rm -rf -- "${old%/.lock}") 9<"$old" || :
	done 2>/dev/null < <(find "$base"/daxstack-"$1".??????/.lock \
		-maxdepth 0 -type f -user "$(id -u)" -mmin +1)
	tmp=$(mktemp -d "$base/daxstack-$1.XXXXXX")
	exec {lock}>"$tmp/.lock"
	flock -n "$lock"
}

# alone DIR: waits until nobody else makes results in DIR, and keeps others out
# until the caller and what it started have ended.
alone()
{
	local lock
	mkdir -p -- "$(dirname -- "$1")"
	exec {lock}>"$1.lock"
	flock -n "$lock" || {
		places_note "another run makes $1; waiting for it to end"
		flock "$lock"
	}
}
