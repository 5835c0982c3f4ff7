// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: operations on mappings.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "torture.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/*
 * Linux 6.1 takes a huge DAX entry for a bad pmd when it ages or reclaims it:
 * it logs that and clears the entry without a TLB flush. The stale TLB entry
 * survives a switch, which the module handles (H33), and then applies to
 * whatever is mapped at the same address next, which is wrong on any
 * filesystem. Changing the protection of many pages flushes the whole TLB of
 * this process.
 */
#define CHANGED	(64 * PAGE)

static void tell_processors(void)
{
	static __thread uint8_t *pages;

	if (!pages)
		pages = dxs_alloc(CHANGED);
	memset(pages, 1, CHANGED);
	MUST(mprotect(pages, CHANGED, PROT_READ));
	MUST(mprotect(pages, CHANGED, PROT_READ | PROT_WRITE));
}

/*
 * None of these changes the file. Some fail for files, for locked memory, or
 * when memory is short.
 */
RUN(run_madvise)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_DONTNEED, MADV_WILLNEED, MADV_COLD,
		MADV_PAGEOUT, MADV_PAGEOUT, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
		MADV_RANDOM, MADV_SEQUENTIAL, MADV_NORMAL, MADV_COLLAPSE,
		MADV_FREE, MADV_DONTDUMP,
	};
	int what = advice[below(&w->rng, ARRAY_SIZE(advice))];
	uint8_t *map = map_of(w, a);
	off_t first;
	size_t len;
	off_t pos;
	long ret;

	(void)b;
	if (!map)
		return -ENOMEM;
	if (!pick(w, a, false, &pos, &len))
		return SKIP;
	/* The page at a border may also be a neighbour's, which is harmless. */
	first = pos & -PAGE;
	ret = DO(madvise(map + first, pos + len - first, what));
	if (what == MADV_COLD || what == MADV_PAGEOUT)
		tell_processors();
	w->share->ring[(w->share->ops - 1) % RING].arg = what;
	if (ret == -EINVAL || ret == -ENOMEM || ret == -EAGAIN ||
	    ret == -EBUSY)
		return 0;
	if (ret >= 0 && once_in(&w->rng, 2))
		check(w, a, pos, map + pos, len, "after madvise");
	return ret;
}

/*
 * Of any worker's mapping; not all advice is allowed for other processes, see
 * above.
 */
RUN(run_process_madvise)
{
	static const int advice[] = { MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT };
	unsigned int other = below(&w->rng, opt.workers);
	bool own = arena->share[other].pid == getpid();
	int file = below(&w->rng, opt.files);
	struct iovec iov = {
		atomic_load(&arena->share[other].maps[file]), SHARED_SIZE };
	int fd = w->pidfd;

	(void)a;
	(void)b;
	if (!iov.iov_base)
		return SKIP;
	if (!own)
		fd = syscall(SYS_pidfd_open, arena->share[other].pid, 0);
	/* The mapping may be gone by now. */
	syscall(SYS_process_madvise, fd, &iov, 1,
		advice[own ? below(&w->rng, ARRAY_SIZE(advice)) : 0], 0);
	if (own)
		tell_processors();
	if (fd >= 0 && fd != w->pidfd)
		close(fd);
	return 0;
}

RUN(run_mlock)
{
	uint8_t *map = map_of(w, a);
	off_t pos;
	size_t len;

	(void)b;
	if (!map)
		return -ENOMEM;
	if (!pick_pages(w, a, &pos, &len))
		return SKIP;
	/* Beyond EOF there is nothing to lock. */
	if (DO(mlock2(map + pos, len, once_in(&w->rng, 2) ? MLOCK_ONFAULT : 0)))
		return errno == ENOMEM ? 0 : -errno;
	check(w, a, pos, map + pos, len, "after mlock");
	return 0;
}

RUN(run_munlock)
{
	uint8_t *map = map_of(w, a);

	(void)b;
	if (!map)
		return -ENOMEM;
	return DO(munlock(map, a->file->most));
}

RUN(run_mincore)
{
	static __thread unsigned char in[SHARED_SIZE / PAGE];
	uint8_t *map = map_of(w, a);
	off_t first = a->at & -PAGE;

	(void)b;
	if (!map)
		return -ENOMEM;
	if (!a->len)
		return SKIP;
	return DO(mincore(map + first, a->at + a->len - first, in));
}

RUN(run_msync)
{
	uint8_t *map = map_of(w, a);
	off_t first = a->at & -PAGE;
	int flags = once_in(&w->rng, 4) ? MS_ASYNC : MS_SYNC;

	(void)b;
	if (!map)
		return -ENOMEM;
	if (!a->len)
		return SKIP;
	if (once_in(&w->rng, 4))
		flags |= MS_INVALIDATE;
	/* Locked pages cannot be invalidated. */
	if (DO(msync(map + first, a->at + a->len - first, flags)))
		return errno == EBUSY ? 0 : -errno;
	return 0;
}

/* Unmaps the lasting mapping; a new one is made on demand. */
RUN(run_map_anew)
{
	(void)b;
	if (!a->access->map)
		return SKIP;
	if (a->file->kind == SHARED)
		atomic_store(&w->share->maps[file_index(a->file)], NULL);
	if (munmap(a->access->map, a->file->most))
		return -errno;
	a->access->map = NULL;
	return 0;
}

/*
 * A private mapping that outlives many operations and switches: what was stored
 * to it must stay, whatever happens to the file.
 */
#define PRIV_LEN	(64 * KIB)

static long priv_begin(struct worker *w, struct target *t)
{
	uint8_t *map;

	if (!w->priv_image)
		w->priv_image = calloc(1, PRIV_LEN / PAGE);
	if (!w->priv_image)
		return -ENOMEM;
	memset(w->priv_image, 0, PRIV_LEN / PAGE);
	map = mmap(NULL, PRIV_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		   fd_of(w, t), below(&w->rng, (SHARED_SIZE - PRIV_LEN) / PAGE) *
		   PAGE);
	if (map == MAP_FAILED)
		return -errno;
	w->priv = map;
	return 0;
}

RUN(run_private)
{
	int i, page;

	(void)b;
	if (!w->priv) {
		if (a->file->kind != SHARED)
			return SKIP;
		return priv_begin(w, a);
	}
	for (i = 0; i < PRIV_LEN / PAGE; i++) {
		uint8_t stored = w->priv_image[i];

		if (stored && (w->priv[i * PAGE] != stored ||
			       w->priv[(i + 1) * PAGE - 1] != stored))
			complain(w->id, "private page %d: expected %#x, seen %#x and %#x",
				 i, stored, w->priv[i * PAGE],
				 w->priv[(i + 1) * PAGE - 1]);
	}
	if (once_in(&w->rng, 16)) {
		munmap(w->priv, PRIV_LEN);
		w->priv = NULL;
		return 0;
	}
	page = below(&w->rng, PRIV_LEN / PAGE);
	w->priv_image[page] = rnd(&w->rng) | 1;
	w->priv[page * PAGE] = w->priv_image[page];
	w->priv[(page + 1) * PAGE - 1] = w->priv_image[page];
	return 0;
}

/* Frees the blocks of the huge page, then allocates them in one extent. */
static long renew(struct worker *w, struct target *t, off_t at)
{
	int fd = fd_of(w, t);
	long ret = DO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				at, HUGE_PAGE));

	if (ret)
		return ret;
	memset(t->file->image + at, 0, HUGE_PAGE);
	return DO(fallocate(fd, FALLOC_FL_KEEP_SIZE, at, HUGE_PAGE));
}

static void huge_unmap(struct worker *w)
{
	if (w->huge)
		munmap(w->huge, HUGE_PAGE);
	w->huge = NULL;
}

/* Operations that split or move a huge page-table entry. */
static long huge_disturb(struct worker *w)
{
	size_t half = HUGE_PAGE / 2;
	uint8_t *place;

	switch (below(&w->rng, 6)) {
	case 0:
		return DO(madvise(w->huge, HUGE_PAGE, MADV_DONTNEED));
	case 1:
		place = reserve(HUGE_PAGE);
		place = mremap(w->huge, HUGE_PAGE, HUGE_PAGE,
			       MREMAP_MAYMOVE | MREMAP_FIXED, place);
		if (place == MAP_FAILED)
			return -errno;
		w->huge = place;
		return 0;
	case 2:
		return DO(mprotect(w->huge + half, half, PROT_READ)) ?:
			DO(mprotect(w->huge + half, half,
				    PROT_READ | PROT_WRITE));
	case 3:
		return DO(mprotect(w->huge, HUGE_PAGE, PROT_READ)) ?:
			DO(mprotect(w->huge, HUGE_PAGE,
				    PROT_READ | PROT_WRITE));
	default:
		return 0;
	}
}

static uint8_t *huge_map(struct worker *w, struct target *t, off_t at)
{
	uint8_t *map;

	if (w->huge_file != t->file)
		huge_unmap(w);
	if (w->huge)
		return w->huge;
	map = reserve(HUGE_PAGE);
	if (!map || mmap(map, HUGE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd_of(w, t), at) == MAP_FAILED)
		return NULL;
	w->huge = map;
	w->huge_file = t->file;
	return map;
}

/*
 * Uses a whole huge page, in a mapping aligned like the file's blocks (with
 * luck), so that a single fault maps it in dax mode. It needs a mapping of its
 * own: once single pages were mapped there is a page table, and no more huge
 * entries.
 */
RUN(run_huge)
{
	off_t at = SHARED_SIZE - HUGE_PAGE, pos;
	struct rusage before, after;
	volatile uint8_t seen;
	uint8_t *map;
	long ret = 0;
	size_t i;

	(void)b;
	if (a->file->kind != SHARED)
		return SKIP;
	if (!huge_map(w, a, at))
		return -errno;
	if (once_in(&w->rng, 4))
		ret = renew(w, a, at);
	if (!ret)
		ret = huge_disturb(w);
	if (ret)
		return ret;
	map = w->huge;
	getrusage(RUSAGE_THREAD, &before);
	pos = below(&w->rng, HUGE_PAGE - PAGE);
	plan_random(w, a, at + pos, PAGE);
	memcpy(map + pos, w->share->plan, PAGE);
	plan_done(w, PAGE);
	for (i = 0; i < HUGE_PAGE; i += PAGE) {
		seen = map[i];
		if (seen != a->file->image[at + i])
			check(w, a, at + i, map + i, PAGE, "huge page");
	}
	getrusage(RUSAGE_THREAD, &after);
	if (once_in(&w->rng, 3))
		huge_unmap(w);
	if (dxs_mode(fd_of(w, a)) == DAXSTACK_CACHED)
		return 0;
	atomic_fetch_add(&arena->huge_tries, 1);
	if (after.ru_minflt - before.ru_minflt < 8)
		atomic_fetch_add(&arena->huge_faults, 1);
	return 0;
}

/* Touches a byte of each page of the target. */
RUN(run_touch_all)
{
	uint8_t *map = map_of(w, a);
	off_t pos;

	(void)b;
	if (!map)
		return -ENOMEM;
	for (pos = a->at; pos < a->at + (off_t)a->len; pos += PAGE)
		if (map[pos] != a->file->image[pos] &&
		    !check(w, a, pos, map + pos, 1, "touched"))
			break;
	return 0;
}

/*
 * Stores without a pause, so that the TLB keeps its entries over a switch, even
 * of pages that are no longer mapped (H33).
 */
RUN(run_busy)
{
	off_t at = SHARED_SIZE - HUGE_PAGE, pos;
	uint64_t until = now_ns() + below(&w->rng, 60) * 1000000ull;
	volatile uint64_t *slot;
	uint64_t value, n = 0;
	long ret = 0;

	(void)b;
	if (a->file->kind != SHARED)
		return SKIP;
	if (!huge_map(w, a, at))
		return -errno;
	if (once_in(&w->rng, 4))
		ret = renew(w, a, at);
	if (ret)
		return ret;
	pos = below(&w->rng, HUGE_PAGE / 8) * 8;
	slot = (void *)(w->huge + pos);
	value = *slot;
	*slot = value;
	if (once_in(&w->rng, 2))
		madvise(w->huge, HUGE_PAGE,
			once_in(&w->rng, 2) ? MADV_COLD : MADV_PAGEOUT);
	do {
		if (*slot != value) {
			complain(w->id, "busy stores at %#llx, %llu of them: "
					"expected %#llx, seen %#llx",
				 (long long)at + pos, (unsigned long long)n,
				 (unsigned long long)value,
				 (unsigned long long)*slot);
			break;
		}
		*slot = ++value;
		n++;
	} while (n % 256 || now_ns() < until);
	tell_processors();
	memcpy(a->file->image + at + pos, &value, 8);
	memset(w->buf, 0xee, 8);
	ret = DO(pread(fd_of(w, a), w->buf, 8, at + pos));
	check(w, a, at + pos, w->buf, 8, "busy stores, then pread");
	return ret;
}

/* Return: 0 or a negative errno. */
static long remove_pages(void *map, size_t len)
{
	long ret;

	do
		ret = DO(madvise(map, len, MADV_REMOVE));
	while (ret == -EINTR);
	return ret;
}

/* Punches a hole through the mapping. */
RUN(run_remove)
{
	uint8_t *map = map_of(w, a), *other;
	off_t pos;
	size_t len;
	long ret;

	(void)b;
	if (!map)
		return -ENOMEM;
	if (!pick_pages(w, a, &pos, &len))
		return SKIP;
	if (pos + (off_t)len > a->file->size)
		return SKIP;
	/*
	 * A locked page makes the call fail, but pages before it would be
	 * removed.
	 */
	munlock(map + pos, len);
	plan_zero(w, a, pos, len);
	ret = remove_pages(map + pos, len);
	/*
	 * A VMA locked in cached mode stays locked in dax mode, munlock(2) or
	 * not.
	 */
	if (ret == -EINVAL) {
		other = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED,
			     fd_of(w, a), pos);
		if (other == MAP_FAILED)
			return -errno;
		ret = remove_pages(other, len);
		munmap(other, len);
	}
	plan_done(w, ret ? 0 : len);
	if (!ret)
		read_back(w, a, pos, len);
	return ret;
}

/* Beyond EOF there are no pages. */
RUN(run_sigbus)
{
	off_t end = (a->file->size + PAGE - 1) & -PAGE;
	uint8_t *map = map_of(w, a);

	(void)b;
	if (!map)
		return -ENOMEM;
	if (end + PAGE > a->file->most)
		return SKIP;
	if (!gets_sigbus(map + end))
		complain(w->id, "file %d of %lld bytes: no SIGBUS at %#llx",
			 file_index(a->file), (long long)a->file->size,
			 (long long)end);
	return 0;
}
