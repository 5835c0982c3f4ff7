// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps: locks of all kinds, and leases.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/file.h>

#include "differ.h"

#define P(step)	path_of((step)->path[0])

static void make_flock(struct rng *rng, struct step *step)
{
	static const int ops[] = { LOCK_SH, LOCK_EX, LOCK_UN, LOCK_MAND, 0,
		LOCK_SH | LOCK_EX };

	step->n[0] = PICK(rng, ops) | LOCK_NB;
}

static void run_flock(struct side *side, const struct step *step,
		      struct text *out)
{
	say_ret(out, flock(side->slots[step->slot[0]], step->n[0]));
}

static void make_lock(struct rng *rng, struct step *step)
{
	static const int cmds[] = { F_OFD_SETLK, F_OFD_SETLK, F_SETLK,
		F_OFD_GETLK, F_GETLK };

	step->n[0] = PICK(rng, cmds);
	step->n[1] = below(rng, 4);		/* type, one of them invalid */
	step->n[2] = below(rng, 100);
	step->n[3] = below(rng, 50);
}

static void run_lock(struct side *side, const struct step *step,
		     struct text *out)
{
	struct flock lock = {
		.l_type = step->n[1],
		.l_start = step->n[2],
		.l_len = step->n[3],
	};
	int ret = fcntl(side->slots[step->slot[0]], step->n[0], &lock);

	say_ret(out, ret);
	if (!ret && (step->n[0] == F_GETLK || step->n[0] == F_OFD_GETLK))
		say(out, " type %d at %lld, %lld", lock.l_type,
		    (long long)lock.l_start, (long long)lock.l_len);
}

/*
 * Given up at once: an open of the file, which the comparison needs, would wait
 * for it.
 */
static void make_lease(struct rng *rng, struct step *step)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR,
		O_WRONLY | O_TRUNC };

	step->n[0] = below(rng, 4);
	step->n[1] = PICK(rng, flags);
}

static void run_lease(struct side *side, const struct step *step,
		      struct text *out)
{
	int fd = side->slots[step->slot[0]], other;

	say_ret(out, fcntl(fd, F_SETLEASE, (int)step->n[0]));
	say_ret(out, fcntl(fd, F_GETLEASE));
	other = open(P(step), step->n[1] | O_NONBLOCK | O_CLOEXEC);
	say_ret(out, other < 0 ? other : 0);
	say_ret(out, fcntl(fd, F_GETLEASE));
	if (other >= 0)
		close(other);
	fcntl(fd, F_SETLEASE, F_UNLCK);
}

const struct kind lock_kinds[] = {
	{ "flock", "flock({s}, {0x})", 6, false, make_flock, run_flock },
	{ "fcntl locks", "fcntl({s}, {0}, type {1}, {2}, {3})", 8, false,
	  make_lock, run_lock },
	{ "leases", "fcntl({s}, F_SETLEASE, {0}), open({p}, {1x})", 8, false,
	  make_lease, run_lease },
	{ .name = NULL }
};
