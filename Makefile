# SPDX-License-Identifier: GPL-2.0-only
#
# Build and install, on this machine
#
# make                  build the module for the running kernel, and the tools; takes a
#                       compiler and headers, and installs nothing
# make module           build the module alone
# make tools, make tests
#                       build the commands and the daemon; build the tests
# make install          install the command, the daemon with its unit, the helpers of
#                       mount(8), manual pages, completions, udev rules and the ioctls'
#                       header, under PREFIX [/usr/local]
# make modules_install  install the module, stripped, and run depmod
# make uninstall        remove what these two have installed, the module from all kernels
# make deb              build the packages daxstack and daxstack-dkms, in build/deb
# make clean            remove what was built here (the cache stays)
# make deps             install the Debian packages to build, boot guests and run tests
# make help             print this
#
# All targets below install the Debian packages that they need.
#
# See it, in a QEMU guest
#
# make demo             switch a busy mapped file, on ext4 and on XFS
# make demo-place       have daxstackd move a database's hot tables to DRAM; two minutes
# make shell            a shell in a guest that has the module and the tools
#
# Test
#
# make check            run the tests in guests, with all kernels, on ext4 and on XFS, as
#                       tests/plan says; some with a kernel that finds memory errors,
#                       wrong lock order and leaks, which is built first
# make check-all        run every test on every kernel and lower filesystem; takes hours
# make check-debug      run every test with the kernel that finds errors
# make check-kcsan      run every test with a kernel that finds data races
# make check-mutants    take every guard away in turn, and see a test notice
# make check-powercut   cut a guest's power, a hundred times
# make check-fresh      run "make demo" and a short "make check" on bare Debian 12, 13
# make check-packages   install the packages on bare Debian 12 and 13
# make check-system     boot whole systems of Debian 12 and 13: README's commands, fstab,
#                       mount units, another kernel, shutdown, no module; needs root
# make compare          print what every policy (switch=) does in every situation
# make programs         run fio, stress-ng, SQLite, git, tar and PostgreSQL on files that
#                       are switched meanwhile; all, or PROGRAMS="..."
# make torture          switch 10,000 times under the hardest load
# make differ           compare 100,000 random calls on the stack with the lower
#                       filesystem
# make figures          draw the figures of the documents (docs/figures) again
# make style            run checkpatch, sparse, W=1, shellcheck and reuse; for all
#                       kernels, or with KERNEL for one
#
# Measure
#
# make bench            count the instructions of calls: the lower filesystem alone,
#                       daxstack, overlayfs; with all kernels; tables, JSON and plots in
#                       build/bench, or build/KERNEL/bench
# make bench-switch     measure what switches cost, as tables and plots (docs/plots)
# make worth            model the time that loads take in either mode, and when a switch
#                       pays; tables, JSON, plots in build/worth; by the profiles dram,
#                       optane-dc and cxl, or PROFILES="..."
# make place            record traces of what programs ask of files, and simulate what
#                       placing files by them saves; tables, JSON, plots in build/place
# make model            build the memory model, see docs/memory-model.md
#
# Release
#
# make release          make a tarball, its checksums and the packages in build/release,
#                       signed with RELEASE_KEY; see CONTRIBUTING.md
#
# Variables
#
# KERNEL=SERIES         6.1, 6.12 or 7.3, a version of Debian's, or the directory of a
#                       kernel for guests: the module is built for it as
#                       build/KERNEL/daxstack.ko, and the guests boot it
# KDIR=DIR              without KERNEL: what to build daxstack.ko against [headers of the
#                       running kernel; for guests, those of the kernel they boot]
# PREFIX=DIR, DESTDIR=DIR, INSTALL_MOD_PATH=DIR
#                       where things are installed
# FS="ext4 xfs"         lower filesystems for demo, check, compare and shell
# TESTS="..."           which tests, by their names in tests/README.md [all]
# RELEASES="..."        which of bookworm trixie, for check-system [both]
# CHECK_JOBS=N          how many guests at a time
# PROGRAMS="..."        which of fio stress-ng sqlite git tar postgresql [all]
# RELEASE_KEY=ID        the key of gpg that signs a release

# Make and kbuild split names at blanks. Half of a path with a blank may be another
# directory, which "clean" would then clean.
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
$(error KERNEL and KDIR: set only one of them)
endif
kernel-name := $(shell scripts/kernel/guest-kernel --name '$(strip $(KERNEL))')
ifeq ($(kernel-name),)
$(error KERNEL=$(KERNEL): no such kernel, see above)
endif
export DAXSTACK_KERNEL := $(strip $(KERNEL))
endif

# These build for this machine and install here: they take what there is. All others
# have guests, and are for developers.
here := all help module tools modules_install install uninstall deb release clean
developer := $(strip $(filter-out $(here),$(MAKECMDGOALS)) $(kernel-name))

ifeq ($(developer),)
# Without headers of the running kernel, use other installed ones: in a container the
# running kernel is the host's. deps-build is not involved.
KDIR ?= $(or $(wildcard /lib/modules/$(shell uname -r)/build),$(lastword $(sort \
	$(wildcard /lib/modules/*/build))))
else
KDIR ?= $(shell scripts/kernel/guest-kernel --kdir)
endif
FS ?= ext4 xfs
PREFIX ?= /usr/local
DESTDIR ?=
INSTALL_MOD_PATH ?= $(DESTDIR)

O := $(CURDIR)/build
KO := $(if $(kernel-name),$(O)/$(kernel-name),$(CURDIR))/daxstack.ko
TESTS ?=

# An empty FS is an error, not success without work.
some-fs = $(or $(strip $(FS)),$(error FS is empty))

# Use all processors, unless make got -j.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all needs module tools tests model demo demo-place place help bench bench-switch check check-all check-debug check-kcsan check-mutants check-packages check-powercut check-fresh check-system torture differ programs compare worth figures style shell modules_install install uninstall deb release clean deps-build deps

all: needs module tools

# The head of this file.
help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' '$(CURDIR)/Makefile'

.DEFAULT:
	@echo "make: no target '$@'; 'make help' lists them" >&2; exit 2

# All that is missing at once, before anything is built.
needs:
ifeq ($(developer),)
	@missing=0; scripts/package/needs module '$(CC)' '$(KDIR)' || missing=1; \
		$(MAKE) -s --no-print-directory -C tools needs && exit $$missing
endif

deps-build:
	@scripts/package/deps build guest

deps: deps-build
	@scripts/package/deps

ifneq ($(developer),)
module tools: deps-build
else
module tools: | $(if $(filter-out all,$(MAKECMDGOALS)),,needs)
endif

module:
ifneq ($(kernel-name),)
	@scripts/kernel/build-module '$(DAXSTACK_KERNEL)' W=1
else
	@scripts/package/needs module '$(CC)' '$(KDIR)'
	@# W=1 needs perl.
	$(MAKE) $(JOBS) -C '$(KDIR)' M='$(CURDIR)' $(if $(developer),W=1) modules
endif

tools:
	$(MAKE) -C tools O='$(O)/tools'

# The memory model: QEMU's plugin, and the program that turns its counts into time.
model: build/memory-model.so build/modelled-time

build/memory-model.so: scripts/measure/memory-model.c scripts/measure/memory-caches.h \
		scripts/measure/qemu-plugin.h
	@mkdir -p build
	$(CC) -O2 -Wall -Wextra -Werror -shared -fPIC -o $@ $<

build/modelled-time: scripts/measure/modelled-time.c tools/profile.c tools/profile.h tools/inifile.h
	@mkdir -p build
	$(CC) -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o $@ $(filter %.c,$^) -ljansson -linih

tests: deps-build
	$(MAKE) $(JOBS) -C tests O='$(O)/tests'

demo: module tools
	scripts/demo/demo $(FS)

demo-place: module tools
	scripts/demo/demo-place $(firstword $(FS))

# model: tests that run side by side must find it built.
check: deps tools tests model
	@scripts/package/deps bench
	scripts/test/check --fs "$(FS)" $(TESTS)

check-all: deps tools tests model
	@scripts/package/deps bench
	scripts/test/check --all --fs "$(FS)" $(TESTS)

check-debug: deps tools tests
	scripts/test/check-debug kasan "$(FS)" $(TESTS)

check-kcsan: deps tools tests
	scripts/test/check-debug kcsan "$(FS)" $(TESTS)

check-mutants: deps tools tests
	scripts/test/check-mutants --debug-kernel "$$(scripts/kernel/debug-kernel kasan)"

torture: deps module tests
	scripts/test/torture $(FS)

differ: deps module tests
	scripts/test/differ $(FS)

programs: deps module tools tests
	set -e; for fs in $(some-fs); do scripts/test/programs $$fs $(PROGRAMS); done

check-powercut: deps module tests
	set -e; for fs in $(some-fs); do scripts/test/powercut --cuts 100 $$fs; done

check-fresh:
	scripts/test/fresh bookworm trixie

bench-switch: deps module tests
	@scripts/package/deps bench
	scripts/measure/bench-switch $(FS)

compare: deps module tests
	scripts/test/compare $(FS)

bench: deps tools tests
	@scripts/package/deps bench
	scripts/measure/bench $(FS)

worth: deps module tools tests model
	@scripts/package/deps bench
	scripts/measure/worth $(PROFILES)

place: deps module tools tests
	@scripts/package/deps place
	scripts/measure/place --record

figures:
	@scripts/package/deps figures
	scripts/package/figures

style: deps
	scripts/test/style

shell: module tools
	scripts/vm/guest --module '$(KO)' --add '$(O)/tools/daxstack' \
		--fs $(firstword $(FS)) --shell

install: tools
	$(MAKE) -C tools O='$(O)/tools' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' install

# The release that modules have to match. Not include/config/kernel.release: Debian's
# headers of 6.1.0-56-amd64 have 6.1.192 there, which would be the wrong directory.
release = $(or $(shell sed -n 's/^.define UTS_RELEASE "\(.*\)"/\1/p' \
	'$(KDIR)/include/generated/utsrelease.h'),$(error no kernel headers in '$(KDIR)'))
# The key that this kernel's modules are signed with, if it is available.
key = $(shell sed -n 's/^CONFIG_MODULE_SIG_KEY="\(.*\)"/\1/p' '$(KDIR)/.config' 2>/dev/null)
has-key = $(or $(filter /% pkcs11:%,$(key)),$(and $(key),$(wildcard $(KDIR)/$(key))))
# The kernel's own modules may be compressed, with a program that may not be installed.
uncompressed = CONFIG_MODULE_COMPRESS_ALL= $(patsubst %,CONFIG_MODULE_COMPRESS_%=,GZIP XZ ZSTD)
modules_install:
	$(if $(kernel-name),$(error modules_install: KDIR says for which kernel, not KERNEL))
	@PATH="$$PATH:/usr/sbin:/sbin"; case "$$(modinfo -F vermagic ./daxstack.ko)" in '$(release) '*) ;; \
		*) echo 'modules_install: daxstack.ko is not for Linux $(release): run make first' >&2; exit 1 ;; esac
	$(MAKE) -C '$(KDIR)' M='$(CURDIR)' KERNELRELEASE='$(release)' \
		INSTALL_MOD_PATH='$(INSTALL_MOD_PATH)' INSTALL_MOD_DIR=updates \
		INSTALL_MOD_STRIP=1 $(if $(has-key),,CONFIG_MODULE_SIG_ALL=) $(uncompressed) \
		modules_install
	@# kbuild runs depmod only with System.map, which the headers lack.
	PATH="$$PATH:/usr/sbin:/sbin" depmod $(if $(INSTALL_MOD_PATH),-b '$(INSTALL_MOD_PATH)') '$(release)'

# The packages' module, in updates/dkms, stays.
uninstall:
	$(MAKE) -C tools O='$(O)/tools' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' uninstall
	scripts/package/uninstall-module '$(INSTALL_MOD_PATH)'

deb:
	@scripts/package/deb

release:
	@scripts/package/deps deb release
	@scripts/package/release

check-packages:
	tests/packages.sh

check-system: deb
	scripts/test/check-system $(or $(RELEASES),bookworm trixie)

clean:
	$(if $(kernel-name),,$(if $(wildcard $(KDIR)/include),$(MAKE) -C '$(KDIR)' M='$(CURDIR)' clean, \
		find . module -maxdepth 1 \( -name '*.o' -o -name '*.ko' -o -name '*.mod' \
		-o -name '*.mod.c' -o -name '.*.cmd' \) -delete))
	rm -rf $(if $(kernel-name),'build/$(kernel-name)',build)
