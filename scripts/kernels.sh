# shellcheck shell=bash disable=SC2034,SC2154
# The kernels that daxstack is made for, and which of them a script runs with. To
# be sourced after places.sh; $here is the directory of the scripts.

# By their series. Later ones may build, but nobody has tested them.
kernels_known='6.1 6.12 7.3'
# Tests that see the same on each are run on this one (tests/plan).
kernels_main=6.12

# kernels_is_series NAME
kernels_is_series()
{
	case " $kernels_known " in *" $1 "*) [ -n "$1" ] ;; *) return 1 ;; esac
}

# kernels_host: the series of this machine's Debian. It is no matter which headers
# are installed beside the release's own.
kernels_host()
{
	case $(debian_host) in
	bookworm) echo 6.1 ;;
	trixie) echo 6.12 ;;
	esac
}

# kernels_release VERSION: the release of Debian that a kernel is taken from: this
# machine's if it has the series, as it has the compiler as well
kernels_release()
{
	case $(debian_host)/$1 in
	bookworm/6.12 | bookworm/6.12.*) echo bookworm ;;
	*/6.1 | */6.1.*) echo bookworm ;;
	*) echo trixie ;;
	esac
}

# use_kernel: the script runs with the kernel that $DAXSTACK_KERNEL names: a series,
# a version of Debian's, a directory, or nothing for that of the installed headers.
# Sets, for the scripts that it calls as well,
#   DAXSTACK_KERNEL  the directory of the kernel; it stays the same, whatever Debian
#                    has by the time of the next guest
#   DAXSTACK_KO      the module for it, unless another one was chosen: daxstack.ko
#                    for the installed headers, build/NAME/daxstack.ko else
# and for itself $kernel_name, nothing or NAME, and $results, build or build/NAME,
# where what is found with this kernel is put. To be called in the tree's top.
use_kernel()
{
	kernel_name=$("$here/guest-kernel" --name) || exit
	results=build${kernel_name:+/$kernel_name}
	if [ -n "$kernel_name" ]; then
		DAXSTACK_KERNEL=$("$here/guest-kernel") || exit
		export DAXSTACK_KERNEL
	fi
	export DAXSTACK_KO=${DAXSTACK_KO:-$PWD/${kernel_name:+build/$kernel_name/}daxstack.ko}
}

# module_sources: the names of what the module is built from. What a build in the
# tree has left there is for one kernel.
module_sources()
{
	local file
	for file in Kbuild VERSION AUTHORS module/*.[chS] module/*.sh include/*.h; do
		case $file in *.mod.c | module/have.h) continue ;; esac
		[ ! -e "$file" ] || printf '%s\n' "$file"
	done
}
