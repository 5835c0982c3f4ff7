# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: GPL-2.0-only
# Functions that the programs in scripts/ share: options and messages, the cache,
# temporary directories, Debian's packages, kernels. To be sourced by bash.
#
# $top is the directory of the tree, $scripts the one of this file.

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$scripts")
# shellcheck source=scripts/options.sh
. "$scripts/options.sh"

# --- Directories
#
# The cache is $XDG_CACHE_HOME/daxstack or ~/.cache/daxstack. Programs run and boot
# its contents, so no other user may be able to write there: the cache is not used if a
# directory on its path belongs to a user other than the caller and root, or is writable
# by others. Then, and if the cache is read-only and lacks something, build/cache in this
# tree is used: a user who can write to that can change the scripts as well.

# place_is_ours DIR [sticky]: whether only the caller and root can create files in the
# existing directory DIR or replace DIR. With "sticky", others may create files beside
# the caller's.
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
		# A sticky parent is safe: others cannot rename the caller's directory in it.
		sticky=sticky
	done
}

# places_user_cache: the directory of the user's cache, which need not exist; nothing if
# the environment does not say where it is.
places_user_cache()
{
	# The XDG specification: relative paths are ignored.
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
	printf '%s\n' "$top/build/cache"
}

# cache_find NAME: the path of NAME in a cache, if it exists; marks it as used.
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

# cache_dir: the directory of a cache that the caller can write to.
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
	note "note: $why: $dir is the cache"
	mkdir -p -- "$dir" && [ -w "$dir" ] && {
		printf '%s\n' "$dir"
		return
	}
	note 'no directory for a cache'
	return 1
}

# cache_temporary PATH: creates a directory beside PATH, in which to build PATH of a
# cache. Context: the lock for PATH is held. Removes what killed builders left.
cache_temporary()
{
	find "$(dirname -- "$1")" -maxdepth 1 -type d \
		-name "$(basename -- "$1").??????" -exec rm -rf {} +
	mktemp -d -- "$1.XXXXXX"
}

# cache_key TEXT FUNCTION...: a hash of TEXT and the shell functions, which together say
# how something in the cache is built. Comments and messages elsewhere do not count.
cache_key()
{
	local text=$1
	shift
	{
		printf '%s\n' "$text"
		declare -f "$@"
	} | sha256sum | cut -c 1-16
}

# cache_prune PATTERN: removes what the pattern matches in the cache and nobody used for a
# week, such as builds for earlier versions.
cache_prune()
{
	find "$(cache_dir)" -maxdepth 1 -name "$1" -mtime +7 -exec rm -rf {} +
}

# temporary NAME: creates the directory $tmp, for the caller to remove. The file .lock in
# it stays locked as long as the caller or a program that the caller started lives. A
# directory whose lock is free, and at least a minute old, belonged to a killed caller and
# is removed.
temporary()
{
	local base=${TMPDIR:-/tmp} old lock
	place_is_ours "$base" sticky || {
		note "note: others can write to $base: /tmp is used instead"
		base=/tmp
	}
	while read -r old; do
		# shellcheck disable=SC2094 # opened only for the lock
		(flock -n 9 && rm -rf -- "${old%/.lock}") 9<"$old" || :
	done 2>/dev/null < <(find "$base"/daxstack-"$1".??????/.lock \
		-maxdepth 0 -type f -user "$(id -u)" -mmin +1)
	tmp=$(mktemp -d "$base/daxstack-$1.XXXXXX")
	exec {lock}>"$tmp/.lock"
	flock -n "$lock"
}

# remove_tmp_at_exit: removes $tmp when the caller ends, also by a signal.
remove_tmp_at_exit()
{
	# shellcheck disable=SC2064 # the name as it is now
	trap "rm -rf --one-file-system '$tmp'" EXIT
	trap 'exit 1' INT TERM HUP
}

# alone DIR: waits until no other run writes results to DIR, and locks others out until
# the caller and the programs that it started have ended.
alone()
{
	local lock
	mkdir -p -- "$(dirname -- "$1")"
	exec {lock}>"$1.lock"
	flock -n "$lock" || {
		note "note: another run writes to $1; waiting for it to end"
		flock "$lock"
	}
}

# --- Debian's packages
#
# Packages are downloaded and unpacked, never installed. Each release has apt lists of
# its own in the cache, which this machine's apt does not see. apt verifies downloads as
# usual: the keys of Debian's archive sign the Release files, these have the hashes of
# the lists, and the lists have the hashes of the packages. The mirror is the one that
# this machine's apt uses.

# debian_host: the code name of this machine's Debian, such as "bookworm"; nothing on
# other systems.
debian_host()
{
	# shellcheck disable=SC1091 # not in the tree
	(. /etc/os-release 2>/dev/null && [ "${ID-}" = debian ] &&
		echo "${VERSION_CODENAME-}") || :
}

# debian_mirror [security]: the address of the archive, or of the security archive
debian_mirror()
{
	# apt knows the labels once it has lists; until then only the suite's name.
	# shellcheck disable=SC2016 # for apt
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(LABEL)' \
		'Created-By: Packages' 'Component: main' 2>/dev/null |
		awk -v security="${1:+yes}" -v host="$(debian_host)" '
		$3 == "Debian-Security" || $2 ~ /^[a-z]+-security$/ {
			if (!second) second = $1
			next
		}
		$3 == "Debian" || $2 == host { if (!first) first = $1 }
		END {
			sub(/\/*$/, "/", first)
			# The usual place on a mirror.
			if (!second && first != "/") {
				second = first
				sub(/\/$/, "-security/", second)
			}
			if (first != "/")
				print security ? second : first
		}'
}

# debian_apt RELEASE COMMAND ARG...: apt-get or apt-cache with the state of the release,
# in which no package is installed; for RELEASE "host", with this machine's state
debian_apt()
{
	local release=$1
	shift
	if [ "$release" = host ]; then
		"$@"
		return
	fi
	env DEBIAN_FRONTEND=noninteractive APT_CONFIG="$debian_cache/apt-$release/conf" "$@"
}

# debian_open RELEASE [now]: prepares apt for the release; "bookworm-backports" is a release
# of its own. Updates lists that are a day old, or with "now" all lists; if that fails,
# the older lists stay in use. Sets $debian_cache.
debian_open()
{
	local release=$1 now=${2-} dir main security keyring deb lock status=0
	debian_cache=$(cache_dir) || return
	dir=$debian_cache/apt-$release
	exec {lock}>"$dir.lock"
	flock "$lock"
	if [ -z "$now" ] && [ -n "$(find "$dir/updated" -mmin -1440 2>/dev/null)" ]; then
		exec {lock}>&-
		return
	fi

	main=$(debian_mirror)
	security=$(debian_mirror security)
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -n "$main" ] || {
		note "this machine's apt knows no mirror of Debian"
		return 1
	}
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	{
		deb="deb [signed-by=$keyring target=Packages]"
		echo "$deb $main $release main"
		case $release in *-backports) ;; *)
			echo "$deb $security $release-security main"
			;;
		esac
		case $release in bookworm | *-backports) ;; *)
			echo "$deb $main $release-backports main"
			;;
		esac
	} >"$dir/sources"
	{
		# This machine's settings for reaching a mirror.
		apt-config dump | grep -E '^Acquire::(https?|Retries|ForceIPv[46]|Connect)' || :
		cat <<-END
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		APT::Get::Assume-Yes "true";
		APT::Install-Recommends "false";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::PDiffs "false";
		Debug::NoLocking "true";
		Dir::Cache "$dir";
		Dir::Cache::archives "$dir/archives";
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::Etc::sourcelist "$dir/sources";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::trusted "/dev/null";
		Dir::Etc::trustedparts "/dev/null";
		Dir::State "$dir";
		Dir::State::lists "$dir/lists";
		Dir::State::status "/dev/null";
		END
	} >"$dir/conf"
	note "reading the package lists of $release"
	debian_apt "$release" apt-get -qq update >&2 {lock}>&- || status=$?
	if [ "$status" = 0 ]; then
		touch "$dir/updated"
	elif [ -e "$dir/updated" ]; then
		note "note: the package lists of $release cannot be updated; using older ones"
		status=0
		# Do not try again for an hour.
		touch -d '23 hours ago' "$dir/updated"
	fi
	exec {lock}>&-
	return "$status"
}

# debian_version RELEASE PACKAGE: the newest version; nothing without such a package
debian_version()
{
	debian_apt "$1" apt-cache show --no-all-versions "$2" 2>/dev/null |
		sed -n 's/^Version: //p' | head -n 1
}

# debian_depends RELEASE PACKAGE: the names of its direct dependencies, the first of
# alternatives
debian_depends()
{
	debian_apt "$1" apt-cache show --no-all-versions "$2" |
		sed -n 's/^\(Pre-\)\{0,1\}Depends: //p' | tr ',' '\n' |
		sed 's/^ *//; s/[ |(:].*//'
}

# debian_download RELEASE DIR PACKAGE[=VERSION]...: into DIR
debian_download()
{
	local release=$1 dir=$2
	shift 2
	note "downloading $*"
	# The sandbox user of root's apt may lack write access to the directory.
	(cd "$dir" && debian_apt "$release" apt-get -qq \
		-o APT::Sandbox::User=root download "$@" >&2)
}

# debian_apt_conf: this machine's settings for reaching a mirror, for mmdebstrap
debian_apt_conf()
{
	apt-config dump | grep -E '^Acquire::(https?|Retries)' || :
}

# merged_usr DIR: the links of a merged /usr. Debian 12's packages have files in /bin and
# /lib. Both cpio archives of a guest start with these links: a plain directory in a later
# archive would replace the link and hide everything behind it.
merged_usr()
{
	mkdir -p "$1"/usr/{bin,sbin,lib,lib64}
	(cd "$1" && ln -s usr/bin usr/sbin usr/lib usr/lib64 .)
}

# debian_unpack ROOT DEB...: unpacks packages into ROOT, with the caller as owner. Links
# of a merged /usr stay.
debian_unpack()
{
	local root=$1 deb
	shift
	for deb; do
		dpkg-deb --fsys-tarfile "$deb" |
			tar -C "$root" -x --no-same-owner --keep-directory-symlink \
				--exclude './usr/share/doc' --exclude './usr/share/man' \
				--exclude './usr/share/locale' --exclude './usr/share/info' ||
			return
	done
}

# --- Kernels

# The series that daxstack supports. Later kernels may build but are untested.
kernels_known='6.1 6.12 7.3'
# The kernel of tests whose result does not depend on the kernel (tests/plan).
kernels_main=6.12

# kernels_is_series NAME
kernels_is_series()
{
	case " $kernels_known " in *" $1 "*) [ -n "$1" ] ;; *) return 1 ;; esac
}

# kernels_host: the series that this machine's Debian release came with, whatever
# headers are installed
kernels_host()
{
	case $(debian_host) in
	bookworm) echo 6.1 ;;
	trixie) echo 6.12 ;;
	esac
}

# kernels_release VERSION: the Debian release to take a kernel from: this machine's if it
# has the series, since then the compiler is installed, too
kernels_release()
{
	case $(debian_host)/$1 in
	bookworm/6.12 | bookworm/6.12.*) echo bookworm ;;
	*/6.1 | */6.1.*) echo bookworm ;;
	*) echo trixie ;;
	esac
}

# use_kernel: selects the kernel that $DAXSTACK_KERNEL names: a series, a Debian version,
# a directory, or, if it is empty, the kernel of the installed headers. Exports
#   DAXSTACK_KERNEL  the directory of the kernel, so that all guests of this run boot the
#                    same kernel even if Debian publishes a newer one meanwhile
#   DAXSTACK_KO      the module for it, unless the caller chose one: daxstack.ko for the
#                    installed headers, else build/NAME/daxstack.ko
# and sets $kernel_name, empty or NAME, and $results, the directory for results: build or
# build/NAME. To be called in $top.
use_kernel()
{
	kernel_name=$("$scripts/kernel/guest-kernel" --name) || exit
	results=build${kernel_name:+/$kernel_name}
	if [ -n "$kernel_name" ]; then
		DAXSTACK_KERNEL=$("$scripts/kernel/guest-kernel") || exit
		export DAXSTACK_KERNEL
	fi
	export DAXSTACK_KO=${DAXSTACK_KO:-$PWD/${kernel_name:+build/$kernel_name/}daxstack.ko}
}

# module_sources: the files that the module is built from, without those that a build in
# the tree has generated for one kernel. Called in $top or in a copy of the tree.
module_sources()
{
	local file
	for file in Kbuild VERSION AUTHORS module/*.[chS] module/*.sh include/*.h; do
		case $file in *.mod.c | module/have.h) continue ;; esac
		[ ! -e "$file" ] || printf '%s\n' "$file"
	done
}

# --- Other

# need_root: ends the program unless root runs it.
need_root()
{
	[ "$(id -u)" = 0 ] || fail 'needs to be root'
}

# only_filesystems FS...: ends the program if there is none, or an option.
only_filesystems()
{
	operands_only "$@"
	[ -n "${1-}" ] || misuse 'no lower filesystem'
}

# some_at_a_time N: waits until fewer than N background jobs run. Adds to $jobs_failed.
# wait_for_jobs: waits for all of them, and fails if one failed.
jobs_failed=0
some_at_a_time()
{
	while [ "$(jobs -rp | wc -l)" -ge "$1" ]; do
		wait -n || jobs_failed=$?
	done
}
wait_for_jobs()
{
	while [ -n "$(jobs -p)" ]; do
		wait -n || jobs_failed=$?
	done
	return "$jobs_failed"
}
