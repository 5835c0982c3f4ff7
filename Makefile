# SPDX-License-Identifier: GPL-2.0
#
# make            build the module for the running kernel, and the tools; takes a
#                 compiler and headers, and installs nothing
# make module     build the module alone
# make install    the command, the helpers of mount(8), manual pages, completions,
#                 udev rules and the ioctls' header, under PREFIX [/usr/local]
# make modules_install  the module, stripped, and depmod
# make uninstall  remove what these two have installed, the module from all kernels
# make deb        the packages daxstack and daxstack-dkms, in build/deb
# make clean      remove what was built here (the cache stays)
#
# Those below work in guests, and install what is missing for that (scripts/deps).
#
# make demo       see the main job done in a guest, on ext4 and on XFS
# make check      run all tests in guests, with all kernels, on ext4 and on XFS, as
#                 tests/plan says; some with a kernel that looks for memory errors,
#                 wrong lock order and leaks, which is built first
# make check-all  every test on every kernel and lower filesystem: takes hours
# make check-debug  every test with the kernel that looks for errors
# make check-kcsan  the same with one that looks for data races
# make compare    every policy (switch=) in every situation, as a table
# make bench-switch  what switches cost, as tables and plots (docs/plots)
# make check-mutants  take every guard away in turn, and see a test notice
# make check-powercut   cut a guest's power, a hundred times
# make programs   fio, stress-ng, SQLite, git, tar and PostgreSQL on files that
#                 are switched meanwhile; all, or PROGRAMS="..."
# make torture    10,000 switches under the hardest load there is
# make differ     100,000 random calls on the stack and on the lower filesystem
#                 alone, compared after each
# make bench      count the instructions of calls: the lower filesystem alone,
#                 daxstack, overlayfs; tables, JSON and plots in build/bench
# make check-fresh  "make demo" and a short "make check" on a bare Debian 12 and 13
# make check-packages  the packages, installed on bare Debian 12 and 13
# make check-system  whole systems of Debian 12 and 13, booted: README's commands,
#                 fstab, mount units, another kernel, shutdown, no module; needs root
# make style      checkpatch, sparse, W=1; for all kernels, or with KERNEL for one
# make shell      a shell in a guest that has the module and the tools
#
# KERNEL=SERIES   6.1, 6.12 or 7.3, a version of Debian's, or the directory of a
#                 kernel for guests: the module is built for it as
#                 build/KERNEL/daxstack.ko, and the guests boot it
# KDIR=DIR        without KERNEL: what to build daxstack.ko against [headers of the
#                 running kernel; for guests, those of the kernel they boot]
# PREFIX=DIR, DESTDIR=DIR, INSTALL_MOD_PATH=DIR  where things are installed
# FS="ext4 xfs"   lower filesystems for demo, check, compare and shell
# TESTS="..."     which tests [all]
# RELEASES="..."  which of bookworm trixie (default: both), for check-system
# CHECK_JOBS=N    how many guests at a time
# PROGRAMS="..."  which of fio stress-ng sqlite git tar postgresql (default: all)

# Make and kbuild take blanks for the end of a name: half of such a path may be
# another directory, which "clean" would then clean.
ifneq ($(words [$(CURDIR)]),1)
$(error "$(CURDIR)": there is a blank in the path; build in another directory)
endif
ifneq ($(findstring :,$(CURDIR)),)
$(error "$(CURDIR)": there is a colon in the path; build in another directory)
endif

# The kernel, for all scripts.
KERNEL ?= $(DAXSTACK_KERNEL)
ifneq ($(strip $(KERNEL)),)
ifneq ($(origin KDIR),undefined)
$(error KERNEL and KDIR: one of them has to be enough)
endif
kernel-name := $(shell scripts/guest-kernel --name '$(strip $(KERNEL))')
ifeq ($(kernel-name),)
$(error KERNEL=$(KERNEL): no such kernel, as said above)
endif
export DAXSTACK_KERNEL := $(strip $(KERNEL))
endif

# These build for this machine and install here: they take what there is. All others
# have guests, and are for developers.
here := all module tools modules_install install uninstall deb clean
developer := $(strip $(filter-out $(here),$(MAKECMDGOALS)) $(kernel-name))

ifeq ($(developer),)
# Without headers of the running kernel, those that are installed will do: it may be
# a container's. deps-build has no part in this.
KDIR ?= $(or $(wildcard /lib/modules/$(shell uname -r)/build),$(lastword $(sort \
	$(wildcard /lib/modules/*/build))))
else
KDIR ?= $(shell scripts/guest-kernel --kdir)
endif
FS ?= ext4 xfs
PREFIX ?= /usr/local
DESTDIR ?=
INSTALL_MOD_PATH ?= $(DESTDIR)

O := $(CURDIR)/build
KO := $(if $(kernel-name),$(O)/$(kernel-name),$(CURDIR))/daxstack.ko
TESTS ?=

# Where nothing is done for none of them.
some-fs = $(or $(strip $(FS)),$(error FS is empty))

# On all processors, unless make was told otherwise.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all needs module tools tests demo bench bench-switch check check-all check-debug check-kcsan check-mutants check-packages check-powercut check-fresh check-system torture differ programs compare style shell modules_install install uninstall deb clean deps-build deps

all: needs module tools

# All that is missing at once, before anything is built.
needs:
ifeq ($(developer),)
	@missing=0; scripts/needs module '$(CC)' '$(KDIR)' || missing=1; \
		$(MAKE) -s --no-print-directory -C tools needs && exit $$missing
endif

deps-build:
	@scripts/deps build guest

deps: deps-build
	@scripts/deps

ifneq ($(developer),)
module tools: deps-build
else
module tools: | $(if $(filter-out all,$(MAKECMDGOALS)),,needs)
endif

module:
ifneq ($(kernel-name),)
	@scripts/build-module '$(DAXSTACK_KERNEL)' W=1
else
	@scripts/needs module '$(CC)' '$(KDIR)'
	@# W=1 takes perl, for comments.
	$(MAKE) $(JOBS) -C '$(KDIR)' M='$(CURDIR)' $(if $(developer),W=1) modules
endif

tools:
	$(MAKE) -C tools O='$(O)/tools'

tests: deps-build
	$(MAKE) $(JOBS) -C tests O='$(O)/tests'

demo: module tools
	scripts/demo $(FS)

check: deps tools tests
	scripts/check --fs "$(FS)" $(TESTS)

check-all: deps tools tests
	scripts/check --all --fs "$(FS)" $(TESTS)

check-debug: deps tools tests
	scripts/check-debug kasan "$(FS)" $(TESTS)

check-kcsan: deps tools tests
	scripts/check-debug kcsan "$(FS)" $(TESTS)

check-mutants: deps tools tests
	scripts/check-mutants --debug-kernel "$$(scripts/debug-kernel kasan)"

torture: deps module tests
	scripts/torture $(FS)

differ: deps module tests
	scripts/differ $(FS)

programs: deps module tools tests
	set -e; for fs in $(some-fs); do scripts/programs $$fs $(PROGRAMS); done

check-powercut: deps module tests
	set -e; for fs in $(some-fs); do scripts/powercut --cuts 100 $$fs; done

check-fresh:
	scripts/fresh bookworm trixie

bench-switch: deps module tests
	@scripts/deps bench
	scripts/bench-switch $(FS)

compare: deps module tests
	scripts/compare $(FS)

bench: deps module tools tests
	@scripts/deps bench
	scripts/bench $(FS)

style: deps
	scripts/style

shell: module tools
	scripts/guest --module '$(KO)' --add '$(O)/tools/daxstack' \
		--fs $(firstword $(FS)) --shell

install: tools
	$(MAKE) -C tools O='$(O)/tools' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' install

# By what modules have to match: kbuild's own file (include/config/kernel.release) says
# 6.1.192 in Debian's headers of 6.1.0-56-amd64, and modules went to a directory of
# that name.
release = $(or $(shell sed -n 's/^.define UTS_RELEASE "\(.*\)"/\1/p' \
	'$(KDIR)/include/generated/utsrelease.h'),$(error no kernel headers in '$(KDIR)'))
# The key that this kernel signs its modules with, if it is there.
key = $(shell sed -n 's/^CONFIG_MODULE_SIG_KEY="\(.*\)"/\1/p' '$(KDIR)/.config' 2>/dev/null)
has-key = $(or $(filter /% pkcs11:%,$(key)),$(and $(key),$(wildcard $(KDIR)/$(key))))
# The kernel's own may be compressed, by a program that need not be here.
uncompressed = CONFIG_MODULE_COMPRESS_ALL= $(patsubst %,CONFIG_MODULE_COMPRESS_%=,GZIP XZ ZSTD)
modules_install:
	$(if $(kernel-name),$(error modules_install: KDIR says for which kernel, not KERNEL))
	@PATH="$$PATH:/usr/sbin:/sbin"; case "$$(modinfo -F vermagic ./daxstack.ko)" in '$(release) '*) ;; \
		*) echo 'modules_install: daxstack.ko is not for Linux $(release): run make first' >&2; exit 1 ;; esac
	$(MAKE) -C '$(KDIR)' M='$(CURDIR)' KERNELRELEASE='$(release)' \
		INSTALL_MOD_PATH='$(INSTALL_MOD_PATH)' INSTALL_MOD_DIR=updates \
		INSTALL_MOD_STRIP=1 $(if $(has-key),,CONFIG_MODULE_SIG_ALL=) $(uncompressed) \
		modules_install
	@# The headers have no System.map, without which kbuild leaves this out.
	PATH="$$PATH:/usr/sbin:/sbin" depmod $(if $(INSTALL_MOD_PATH),-b '$(INSTALL_MOD_PATH)') '$(release)'

# The packages' module is in updates/dkms.
uninstall:
	$(MAKE) -C tools O='$(O)/tools' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' uninstall
	scripts/uninstall-module '$(INSTALL_MOD_PATH)'

deb:
	@scripts/deb

check-packages:
	tests/packages.sh

check-system: deb
	scripts/check-system $(or $(RELEASES),bookworm trixie)

clean:
	$(if $(kernel-name),,$(if $(wildcard $(KDIR)/include),$(MAKE) -C '$(KDIR)' M='$(CURDIR)' clean, \
		find . module -maxdepth 1 \( -name '*.o' -o -name '*.ko' -o -name '*.mod' \
		-o -name '*.mod.c' -o -name '.*.cmd' \) -delete))
	rm -rf $(if $(kernel-name),'build/$(kernel-name)',build)
