# SPDX-License-Identifier: GPL-2.0
#
# make            build the module for the guest's kernel, and the tools
# make demo       see the main job done in a guest, on ext4 and on XFS
# make module     build the module alone
# make check      run all tests in guests, on ext4 and on XFS
# make check-debug  the same tests with a kernel that looks for memory errors,
#                 wrong lock order and leaks; it is built first
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
# make style      checkpatch, sparse, W=1; for all kernels, or with KERNEL for one
# make shell      a shell in a guest that has the module and the tools
# make install    the command and its manual page, under PREFIX
# make clean      remove what was built here (the cache stays)
#
# KERNEL=SERIES   6.1, 6.12 or 7.3, a version of Debian's, or the directory of a
#                 kernel for guests: the module is built for it as
#                 build/KERNEL/daxstack.ko, and the guests boot it
# KDIR=DIR        without KERNEL: what to build daxstack.ko against, e.g.
#                 /lib/modules/$(uname -r)/build [the installed headers]
# FS="ext4 xfs"   lower filesystems for demo, check, compare and shell
# TESTS="..."     which tests (default: all)
# CHECK_JOBS=N    how many tests at a time (default: 2)
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

KDIR ?= $(shell scripts/guest-kernel --kdir)
FS ?= ext4 xfs
PREFIX ?= /usr/local

O := $(CURDIR)/build
KO := $(if $(kernel-name),$(O)/$(kernel-name),$(CURDIR))/daxstack.ko
TESTS ?= $(sort $(filter-out dxs_test powercut-load switcher,$(basename $(notdir $(wildcard tests/*.c))) \
	$(basename $(notdir $(wildcard tests/*.sh))) \
	$(notdir $(patsubst %/,%,$(dir $(wildcard tests/*/*.c))))))

# Where nothing is done for none of them.
some-fs = $(or $(strip $(FS)),$(error FS is empty))

# On all processors, unless make was told otherwise.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all module tools tests demo bench bench-switch check check-debug check-kcsan check-mutants check-powercut check-fresh torture differ programs compare style shell install clean deps-build deps

all: module tools

deps-build:
	@scripts/deps build guest

deps: deps-build
	@scripts/deps

module: deps-build
ifneq ($(kernel-name),)
	@scripts/build-module '$(DAXSTACK_KERNEL)' W=1
else
	$(MAKE) $(JOBS) -C '$(KDIR)' M='$(CURDIR)' W=1 modules
endif

tools: deps-build
	$(MAKE) -C tools O='$(O)/tools'

tests: deps-build
	$(MAKE) $(JOBS) -C tests O='$(O)/tests'

demo: module tools
	scripts/demo $(FS)

check: deps module tools tests
	scripts/check "$(FS)" $(TESTS)

check-debug: deps tools tests
	scripts/check-debug kasan "$(FS)" $(filter-out checkers debug,$(TESTS))

check-kcsan: deps tools tests
	scripts/check-debug kcsan "$(FS)" $(filter-out checkers debug,$(TESTS))

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
	$(MAKE) -C tools O='$(O)/tools' PREFIX='$(PREFIX)' install

clean:
	$(if $(kernel-name),,$(MAKE) -C '$(KDIR)' M='$(CURDIR)' clean)
	rm -rf $(if $(kernel-name),'build/$(kernel-name)',build)
