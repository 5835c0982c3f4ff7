# shellcheck shell=bash disable=SC2154
# Packages of Debian, of this machine's release and of others, to be unpacked and
# never installed. To be sourced after places.sh.
#
# Each release has an apt of its own in the cache: its lists, and nothing that the
# apt of this machine would see. What it downloads is checked as always: the keys
# of Debian's archive sign the Release files, these have the hashes of the lists,
# and these the hashes of the packages. The mirror is the one that this machine's
# apt uses.

# debian_host: the code name of this machine's Debian, "bookworm"; nothing where
# it is another system.
debian_host()
{
	# shellcheck disable=SC1091 # not ours
	(. /etc/os-release 2>/dev/null && [ "${ID-}" = debian ] &&
		echo "${VERSION_CODENAME-}") || :
}

# debian_mirror [security]: the address of the archive, or of the security archive
debian_mirror()
{
	# The labels are known once apt has lists. Before that, the suite's name
	# has to do.
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
			# Where mirrors have it, if they do.
			if (!second && first != "/") {
				second = first
				sub(/\/$/, "-security/", second)
			}
			if (first != "/")
				print security ? second : first
		}'
}

# debian_apt RELEASE COMMAND ARG...: apt-get or apt-cache with the release's own
# state, in which no package is installed; RELEASE "host": this machine's own
debian_apt()
{
	local release=$1
	shift
	if [ "$release" = host ]; then
		"$@"
		return
	fi
	# Nobody else reads what is only downloaded.
	env DEBIAN_FRONTEND=noninteractive APT_CONFIG="$debian_cache/apt-$release/conf" "$@"
}

# debian_open RELEASE [now]: makes the release's apt ready. The lists are brought
# up to date if they are a day old, or with "now". Where that fails, older ones
# will do. Sets $debian_cache.
debian_open()
{
	local release=$1 now=${2-} dir main security keyring lock status=0
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
		echo "$(basename "$0"): this machine's apt knows no mirror of Debian" >&2
		return 1
	}
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	{
		printf "deb [signed-by=$keyring target=Packages] %s %s main\n" \
			"$main" "$release" "$security" "$release-security"
		case $release in bookworm) ;; *)
			echo "deb [signed-by=$keyring target=Packages] $main $release-backports main"
			;;
		esac
	} >"$dir/sources"
	{
		# What this machine's apt has to know to reach a mirror.
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
	echo "$(basename "$0"): reading what Debian has in $release" >&2
	debian_apt "$release" apt-get -qq update >&2 {lock}>&- || status=$?
	if [ "$status" = 0 ]; then
		touch "$dir/updated"
	elif [ -e "$dir/updated" ]; then
		places_note "no news of $release: what is known of it has to do"
		status=0
		# Not again for each of many callers.
		touch -d '23 hours ago' "$dir/updated"
	fi
	exec {lock}>&-
	return "$status"
}

# debian_version RELEASE PACKAGE: the newest version there is; nothing if there is
# no such package
debian_version()
{
	debian_apt "$1" apt-cache show --no-all-versions "$2" 2>/dev/null |
		sed -n 's/^Version: //p' | head -n 1
}

# debian_depends RELEASE PACKAGE: the names of what it directly depends on, the
# first of alternatives
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
	echo "$(basename "$0"): downloading $*" >&2
	# The sandbox user of root's apt may not write there; others ignore this.
	(cd "$dir" && debian_apt "$release" apt-get -qq \
		-o APT::Sandbox::User=root download "$@" >&2)
}

# debian_unpack ROOT DEB...: the files, as the caller's. Where Debian's packages
# still have /lib and the like beside /usr, ROOT may have them as links.
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
