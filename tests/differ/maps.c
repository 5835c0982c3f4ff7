// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps: mappings, created for one load or store, or kept.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "differ.h"

#define LEN_MAX	(16 * PAGE)

/* --- Faults. */

static sigjmp_buf fault_env;

static void on_fault(int sig)
{
	siglongjmp(fault_env, sig);
}

/* Return: 0, or the signal. */
static int copy_guarded(void *to, const void *from, size_t len)
{
	struct sigaction act = { .sa_handler = on_fault }, bus, segv;
	int sig;

	sigaction(SIGBUS, &act, &bus);
	sigaction(SIGSEGV, &act, &segv);
	sig = sigsetjmp(fault_env, 1);
	if (!sig)
		memcpy(to, from, len);
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return sig;
}

static void said(struct text *out, int sig, const void *buf, size_t len)
{
	if (sig)
		say(out, " %s", sig == SIGBUS ? "SIGBUS" : "SIGSEGV");
	else if (buf)
		say_bytes(out, buf, len);
	else
		say(out, " done");
}

static char buf[LEN_MAX];

static void load(const char *map, size_t len, struct text *out)
{
	said(out, copy_guarded(buf, map, len), buf, len);
}

/*
 * Stores nothing beyond EOF, where it may or may not show. Stores not through
 * existing PTEs either: whether such a store updates the file's times depends
 * on when the pages were last written back.
 */
static void store(int fd, char *map, off_t pos, size_t len, uint32_t seed,
		  struct text *out)
{
	struct stat st;

	if (fstat(fd, &st))
		return;
	if (switching && pos >= st.st_size) {
		known(KNOWN_SIGBUS);
		return;
	}
	if (pos < st.st_size && (off_t)(pos + len) > st.st_size)
		len = st.st_size - pos;
	else if (pos >= st.st_size && pos < ((st.st_size + PAGE - 1) & -PAGE))
		return;
	madvise((void *)((uintptr_t)map & -PAGE),
		len + ((uintptr_t)map & (PAGE - 1)), MADV_DONTNEED);
	dxs_fill(buf, len, seed, pos);
	said(out, copy_guarded(map, buf, len), NULL, 0);
}

/* --- Mappings for one access. */

static void make_once(struct rng *rng, struct step *step)
{
	static const int prots[] = { PROT_READ, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE, PROT_WRITE, PROT_NONE,
		PROT_READ | PROT_EXEC };
	static const int flags[] = { MAP_SHARED, MAP_SHARED, MAP_SHARED,
		MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_SHARED_VALIDATE | 0x8000000,
		0 };

	step->n[0] = below(rng, 10) * PAGE;
	step->n[1] = 1 + below(rng, once_in(rng, 2) ? 64 : 30000);
	step->n[2] = PICK(rng, prots);
	step->n[3] = PICK(rng, flags);
	step->n[4] = rnd(rng);
	if (once_in(rng, 20))
		step->n[0] += 100;
}

static void run_map(struct side *side, const struct step *step,
		    struct text *out, bool storing)
{
	int fd = side->slots[step->slot[0]];
	size_t skip = step->n[4] % PAGE;
	char *map;

	map = mmap(NULL, step->n[1] + skip, step->n[2], step->n[3], fd,
		   step->n[0]);
	if (map == MAP_FAILED) {
		say_ret(out, -1);
		return;
	}
	if (storing)
		store(fd, map + skip, step->n[0] + skip, step->n[1], step->n[4],
		      out);
	else
		load(map + skip, step->n[1], out);
	MUST(munmap(map, step->n[1] + skip));
}

static void run_load(struct side *side, const struct step *step,
		     struct text *out)
{
	run_map(side, step, out, false);
}

static void run_store(struct side *side, const struct step *step,
		      struct text *out)
{
	run_map(side, step, out, true);
}

/* --- Kept mappings. */

static void drop_map(struct side *side, int i)
{
	if (!side->maps[i])
		return;
	MUST(munmap(side->maps[i], side->map_len[i]));
	close(side->map_fd[i]);
	side->maps[i] = NULL;
}

static void make_keep(struct rng *rng, struct step *step)
{
	step->n[0] = below(rng, 4) * PAGE;
	step->n[1] = (1 + below(rng, 8)) * PAGE;
	step->n[2] = below(rng, MAPS);
	step->n[3] = once_in(rng, 4) ? MAP_PRIVATE : MAP_SHARED;
}

static void run_keep(struct side *side, const struct step *step,
		     struct text *out)
{
	int fd = side->slots[step->slot[0]], i = step->n[2];
	char *map = mmap(NULL, step->n[1], PROT_READ | PROT_WRITE, step->n[3],
			 fd, step->n[0]);

	say(out, " %s", map == MAP_FAILED ? strerrorname_np(errno) : "mapped");
	if (map == MAP_FAILED)
		return;
	drop_map(side, i);
	side->maps[i] = map;
	side->map_len[i] = step->n[1];
	side->map_pos[i] = step->n[0];
	side->map_fd[i] = MUST(fcntl(fd, F_DUPFD_CLOEXEC, 10));
}

static void make_kept(struct rng *rng, struct step *step)
{
	step->n[0] = below(rng, 8 * PAGE);
	step->n[1] = 1 + below(rng, once_in(rng, 2) ? 64 : 20000);
	step->n[2] = below(rng, MAPS);
	step->n[3] = rnd(rng);
}

/* Return: length of the part that lies in the mapping. */
static size_t part(const struct side *side, const struct step *step,
		   struct text *out)
{
	int i = step->n[2];
	size_t at = step->n[0], len = step->n[1];

	if (!side->maps[i] || at >= side->map_len[i]) {
		say(out, " nothing there");
		return 0;
	}
	return at + len < side->map_len[i] ? len : side->map_len[i] - at;
}

static void run_load_kept(struct side *side, const struct step *step,
			  struct text *out)
{
	size_t len = part(side, step, out);

	if (len)
		load(side->maps[step->n[2]] + step->n[0], len, out);
}

static void run_store_kept(struct side *side, const struct step *step,
			   struct text *out)
{
	size_t len = part(side, step, out);
	int i = step->n[2];

	if (len)
		store(side->map_fd[i], side->maps[i] + step->n[0],
		      side->map_pos[i] + step->n[0], len, step->n[3], out);
}

static void run_drop(struct side *side, const struct step *step,
		     struct text *out)
{
	(void)out;
	drop_map(side, step->n[2]);
}

static void make_msync(struct rng *rng, struct step *step)
{
	static const int flags[] = { MS_SYNC, MS_ASYNC, MS_SYNC | MS_INVALIDATE,
		MS_SYNC | MS_ASYNC };

	make_kept(rng, step);
	step->n[0] &= -PAGE;
	step->n[3] = PICK(rng, flags);
}

static void run_msync(struct side *side, const struct step *step,
		      struct text *out)
{
	size_t len = part(side, step, out);

	if (len)
		say_ret(out, msync(side->maps[step->n[2]] + step->n[0], len,
				   step->n[3]));
}

static void make_madvise(struct rng *rng, struct step *step)
{
	static const int advice[] = { MADV_REMOVE, MADV_REMOVE, MADV_WILLNEED,
		MADV_RANDOM, MADV_POPULATE_READ, MADV_POPULATE_WRITE };

	make_kept(rng, step);
	step->n[0] &= -PAGE;
	step->n[3] = PICK(rng, advice);
	/* It faults pages like a store. */
	if (step->n[3] == MADV_POPULATE_WRITE)
		step->n[3] = MADV_POPULATE_READ;
}

static void run_madvise(struct side *side, const struct step *step,
			struct text *out)
{
	size_t len = part(side, step, out);

	if (len)
		say_ret(out, madvise(side->maps[step->n[2]] + step->n[0], len,
				     step->n[3]));
}

void drop_maps(struct side *side)
{
	int i;

	for (i = 0; i < MAPS; i++)
		drop_map(side, i);
}

const struct kind map_kinds[] = {
	{ "mmap, load", "load({s}, {1}, at {0} + {4} % 4096, prot {2x}, flags {3x})",
	  8, false, make_once, run_load },
	{ "mmap, store", "store({s}, {1}, at {0} + {4} % 4096, prot {2x}, flags {3x})",
	  12, false, make_once, run_store },
	{ "mmap, kept", "map{2} = mmap({s}, {1}, at {0}, flags {3x})", 8, false,
	  make_keep, run_keep },
	{ "load from a kept mapping", "load(map{2}, {1}, at {0})", 8, false,
	  make_kept, run_load_kept },
	{ "store to a kept mapping", "store(map{2}, {1}, at {0}, seed {3})", 10,
	  false, make_kept, run_store_kept },
	{ "munmap", "munmap(map{2})", 3, false, make_kept, run_drop },
	{ "msync", "msync(map{2}, {1}, at {0}, {3x})", 4, false, make_msync,
	  run_msync },
	{ "madvise", "madvise(map{2}, {1}, at {0}, {3})", 5, false,
	  make_madvise, run_madvise },
	{ .name = NULL }
};
