/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz: shared declarations: random numbers, and statistics of the cases.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "../dxs_test.h"

/* The cases of a round share one setup; a round can be repeated by itself. */
#define ROUND	100
#define NOBODY	65534

/* X(name, description) */
#define FUZZ_KINDS(X)							\
	X(SWITCH,	"SWITCH with a valid argument")			\
	X(SWITCH_BAD,	"SWITCH with an invalid argument")		\
	X(SWITCH_PTR,	"SWITCH with an invalid pointer")	\
	X(STATE,	"STATE")					\
	X(STATE_PTR,	"STATE with an invalid pointer")	\
	X(FD,		"the ioctls through a wrong descriptor")	\
	X(UNKNOWN,	"unknown ioctls")				\
	X(XATTR,	"FS_IOC_FSSETXATTR")				\
	X(FLAGS,	"FS_IOC_SETFLAGS")				\
	X(OPTION,	"fsconfig(2): one option")			\
	X(CREATE,	"fsconfig(2): mount")				\
	X(RECONFIGURE,	"fsconfig(2): reconfigure")			\
	X(MOUNT,	"mount(2)")					\
	X(REMOUNT,	"mount(2): remount")				\
	X(LEFT,		"cleanup after a mount")

#define FUZZ_ENUM_(name, what) FUZZ_##name,
enum fuzz_kind { FUZZ_KINDS(FUZZ_ENUM_) FUZZ_KIND_COUNT };

/* --- Random numbers: a round depends only on the seed and its number. */

unsigned long rnd(void);
/* 0 to @n - 1 */
unsigned int below(unsigned int n);
bool one_in(unsigned int n);
#define PICK(array) ((array)[below(ARRAY_SIZE(array))])

/* --- Statistics. */

/* Starts a case: its kind, and its inputs for the report of a violation. */
void fuzz_case(enum fuzz_kind kind, const char *inputs, ...) FORMAT(2, 3);
/* Records a violation unless @pass. Return: @pass. */
bool fuzz_check(bool pass, const char *violation, ...) FORMAT(2, 3);
bool fuzz_errno(int expected, int seen);
/* Marks a case whose answer depends on other activity of the kernel. */
void fuzz_passing(void);

/* --- Rounds of @cases cases each. */

void fuzz_ioctls(int cases);
void fuzz_mounts(int cases);
/* Once, before all rounds. */
void fuzz_mounts_begin(void);

#endif /* FUZZ_H */
