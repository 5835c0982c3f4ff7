// SPDX-License-Identifier: GPL-2.0-only
/*
 * differ: steps that switch files, on the stack's side only, and that change
 * the flag of a directory, so that new files in it start in dax mode. They may
 * fail; the test asserts only that they have no other visible effect.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "differ.h"

#define P(step)	path_of((step)->path[0])

enum { BY_IOCTL, BY_XFLAG, BY_FLAG, HOWS };

unsigned long switches_made, switches_refused;

static void make_switch(struct rng *rng, struct step *step)
{
	step->n[0] = below(rng, HOWS);
	step->n[1] = below(rng, 2);		/* by slot, or by path */
	step->umask = 022;
}

static int change(int fd, int how)
{
	struct fsxattr fsx;
	unsigned int flags;
	struct stat st;
	int mode;

	MUST(fstat(fd, &st));
	mode = S_ISDIR(st.st_mode) ? !dxs_xflag(fd) : !dxs_mode(fd);
	if (how == BY_IOCTL && S_ISREG(st.st_mode))
		return dxs_switch(fd, mode, 500, NULL);
	if (how == BY_FLAG) {
		if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
			return errno;
		flags &= ~FS_DAX_FL;
		if (mode == DAXSTACK_DAX)
			flags |= FS_DAX_FL;
		return ERR(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	}
	if (ioctl(fd, FS_IOC_FSGETXATTR, &fsx))
		return errno;
	fsx.fsx_xflags &= ~FS_XFLAG_DAX;
	if (mode == DAXSTACK_DAX)
		fsx.fsx_xflags |= FS_XFLAG_DAX;
	return ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
}

static bool has_flag(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

static int subject(const struct side *side, const struct step *step)
{
	char path[40];
	struct stat st;
	int slot = side->slots[step->slot[0]];

	if (step->n[1]) {
		if (stat(P(step), &st) || !has_flag(&st))
			return -1;
		return open(P(step), O_RDONLY | O_NOATIME | O_CLOEXEC);
	}
	if (fstat(slot, &st) || !has_flag(&st))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", slot);
	return open(path, O_RDONLY | O_NOATIME | O_CLOEXEC);
}

/*
 * The stack's side is first; the other side learns whether a switch succeeded.
 */
static bool switched;

static void run_switch(struct side *side, const struct step *step,
		       struct text *out)
{
	int fd = subject(side, step), err;
	struct fsxattr fsx;

	(void)out;
	if (side->is_stack)
		switched = false;
	if (fd < 0)
		return;
	if (side->is_stack) {
		err = change(fd, step->n[0]);
		switched = !err;
		switches_made += !err;
		switches_refused += !!err;
	} else if (switched) {
		/* Changes the ctime, too. */
		known(KNOWN_CTIME);
		if (!ioctl(fd, FS_IOC_FSGETXATTR, &fsx))
			ioctl(fd, FS_IOC_FSSETXATTR, &fsx);
	}
	close(fd);
}

const struct kind switch_kind = {
	"switches", "switch of {s} or {p} ({1}), how {0}", 0,
	false, make_switch, run_switch
};
