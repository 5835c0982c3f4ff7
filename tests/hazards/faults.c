// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hazards of page faults and page-table walkers: write faults (H2, H3), the
 * mmap_lock (H5, H6), long-term pins (H9), MAP_SYNC (H26), VMA adjustments
 * (H28), MGLRU (H29), stale huge TLB entries (H33).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hazards.h"

#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef AF_XDP
#define AF_XDP 44
#endif

#define PAGES	64
#define LEN	(PAGES * PAGE)

/* --- H2: write faults on pages that are already mapped for reading. */

struct counter {
	volatile uint32_t *map;
	uint32_t value[PAGES];
	int page;
	long wrong;
};

/*
 * Loads first, so that all pages are mapped read-only, then stores:
 * ->page_mkwrite.
 */
static void count_up(void *arg)
{
	struct counter *counter = arg;
	int page = counter->page++ % PAGES, i;
	volatile uint32_t *word = counter->map + page * PAGE / 4;

	if (!page) {
		MUST(madvise((void *)counter->map, LEN, MADV_DONTNEED));
		for (i = 0; i < PAGES; i++)
			counter->wrong += counter->map[i * PAGE / 4] !=
				counter->value[i];
	}
	*word = ++counter->value[page];
	counter->wrong += *word != counter->value[page];
}

/* Writeback write-protects every page. */
static void write_back(void *arg)
{
	MUST(fdatasync(*(int *)arg));
}

void h2_write_faults(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED);
	struct hazard_thread store, sync;
	struct hazard_switches all;
	struct counter counter = { 0 };
	uint32_t seen;
	int i;

	counter.map = hazard_map(fd, LEN);
	for (i = 0; i < PAGES; i++)
		counter.value[i] = counter.map[i * PAGE / 4];
	hazard_start(&store, count_up, &counter);
	hazard_start(&sync, write_back, &fd);
	/* An emulated CPU may stall for a while with a page held. */
	all = hazard_switch(fd, 60, 60, 1000);
	hazard_stop(&sync);
	hazard_stop(&store);
	dxs_diag("%d switches of %d attempts, %d refused, %d of them as pinned; %ld stores",
		 all.done, all.attempts, all.refused, all.pinned, store.steps);
	dxs_ok(all.done > 10, "H2: switches");
	dxs_is(0, counter.wrong, "H2: every load sees the last store");
	for (i = 0; i < PAGES; i++) {
		dxs_pread(fd, &seen, 4, i * PAGE);
		if (seen != counter.value[i])
			break;
	}
	dxs_is(PAGES, i, "H2: read(2) sees the last store");
	munmap((void *)counter.map, LEN);
	close(fd);
}

/* --- H3: write faults that reach a closed gate with a page held. */

#define WAITERS	4
/* The minimum number of faults of each kind that the test requires. */
#define ROUNDS	20

struct waiter {
	volatile uint32_t *word;
	uint32_t value;
	long wrong;
};

/* Loads, then stores a little later: mostly while a gate is closed. */
static void read_wait_write(void *arg)
{
	struct waiter *waiter = arg;

	MUST(madvise((void *)waiter->word, PAGE, MADV_DONTNEED));
	waiter->wrong += *waiter->word != waiter->value;
	dxs_sleep_ms(5);
	*waiter->word = ++waiter->value;
}

void h3_waiting_faults(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED), i;
	struct hazard_thread threads[WAITERS];
	struct waiter waiters[WAITERS];
	uint8_t *map = hazard_map(fd, LEN);
	struct hazard_switches all = { 0 }, part;
	struct dxs_watch begin = dxs_watch();
	long wrong = 0, fewest;

	for (i = 0; i < WAITERS; i++) {
		waiters[i] = (struct waiter){ .word = (void *)(map + i * PAGE) };
		waiters[i].value = *waiters[i].word;
		hazard_start(&threads[i], read_wait_write, &waiters[i]);
	}
	do {
		part = hazard_switch(fd, 10, 40, 0);
		all.done += part.done;
		all.attempts += part.attempts;
		all.refused += part.refused;
		all.pinned += part.pinned;
		fewest = threads[0].steps;
		for (i = 1; i < WAITERS; i++)
			if (threads[i].steps < fewest)
				fewest = threads[i].steps;
	} while (fewest < ROUNDS && dxs_watched(&begin) < 60 * dxs_slow());
	for (i = 0; i < WAITERS; i++) {
		hazard_stop(&threads[i]);
		wrong += waiters[i].wrong;
	}
	dxs_diag("%d switches of %d attempts, %d refused, %d of them as pinned; %ld stores of each",
		 all.done, all.attempts, all.refused, all.pinned, fewest);
	dxs_ok(fewest >= ROUNDS, "H3: faults");
	/*
	 * A fault that keeps its page while it waits pins it, but so does a
	 * fault on an emulated CPU that stalls for a while.
	 */
	dxs_ok(all.done > 10, "H3: switches");
	dxs_ok(all.pinned * 4 < all.done,
	       "H3: waiting faults do not make switches fail");
	dxs_is(0, wrong, "H3: every load sees the last store");
	munmap(map, LEN);
	close(fd);
}

/* --- H5, H6: other threads of the process run on while a fault waits. */

struct faulter {
	volatile uint8_t *map;
	bool write;
	uint8_t sum;
};

static void fault_anew(void *arg)
{
	struct faulter *faulter = arg;
	int i;

	for (i = 0; i < PAGES; i += 16) {
		if (faulter->write)
			faulter->map[i * PAGE] = faulter->map[i * PAGE];
		else
			faulter->sum += faulter->map[i * PAGE];
	}
	MUST(madvise((void *)faulter->map, LEN, MADV_DONTNEED));
}

struct latency {
	double worst;
};

static void map_something(void *arg)
{
	struct dxs_watch begin = dxs_watch();
	struct latency *latency = arg;
	double took;
	void *map;

	map = MUST(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0));
	munmap(map, PAGE);
	took = dxs_watched(&begin);
	if (took > latency->worst)
		latency->worst = took;
	dxs_sleep_ms(1);
}

static void mmap_lock(bool write, const char *name)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED);
	struct faulter faulter = { .map = hazard_map(fd, LEN), .write = write };
	struct hazard_thread fault, map;
	struct hazard_switches all;
	struct latency latency = { 0 };

	hazard_start(&fault, fault_anew, &faulter);
	hazard_start(&map, map_something, &latency);
	all = hazard_switch(fd, 20, 100, 0);
	hazard_stop(&map);
	hazard_stop(&fault);
	dxs_diag("%s: %d switches, %ld rounds of faults, slowest mmap %.1f ms",
		 name, all.done, fault.steps, latency.worst * 1000);
	dxs_ok(all.done > 0, "%s: switches", name);
	dxs_ok(latency.worst < 1, "%s: mmap(2) does not wait for a switch",
	       name);
	munmap((void *)faulter.map, LEN);
	close(fd);
}

void h5_h6_mmap_lock(void)
{
	mmap_lock(true, "H5, write faults");
	mmap_lock(false, "H6, read faults");
}

/* --- H9: long-term pins, here of AF_XDP; RDMA and VFIO pin in the same way. */

/* Return: a socket that pins a page until it is closed, or -1. */
static int pin_long(void *page)
{
	struct xdp_umem_reg umem = {
		.addr = (uintptr_t)page,
		.len = PAGE,
		.chunk_size = PAGE,
	};
	int fd = socket(AF_XDP, SOCK_RAW, 0);
	int err;

	if (fd < 0)
		return -1;
	if (!setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

struct pinner {
	int fd;
	uint8_t *map;
	long pinned;
	long in_dax;
};

/*
 * A page pinned in cached mode keeps the file in cached mode, so that no
 * long-term pin ever exists in dax mode.
 */
static void pin_and_look(void *arg)
{
	struct pinner *pinner = arg;
	int i, pin = pin_long(pinner->map);

	if (pin < 0)
		return;
	pinner->pinned++;
	for (i = 0; i < 3; i++)
		pinner->in_dax += dxs_mode(pinner->fd) == DAXSTACK_DAX;
	close(pin);
	/*
	 * The next pin has to fault. Leave a moment for a switch: a workqueue
	 * unpins the page some time after the close.
	 */
	MUST(madvise(pinner->map, PAGE, MADV_DONTNEED));
	dxs_sleep_ms(pinner->pinned % 64);
}

/* Return: the errno of pinning a page of the file. */
static int pin_errno(void *page)
{
	int pin = pin_long(page), err = errno;

	if (pin < 0)
		return err;
	close(pin);
	return 0;
}

/*
 * Returns the errno of pinning a cached-mode page of the lower filesystem: 0,
 * or EFAULT from Linux 6.5 on, which refuses long-term write pins of file
 * mappings. Read-only pins of RDMA and VFIO are not tested.
 */
static int pin_lower(void)
{
	int fd, err;
	void *map;

	dxs_mount_lower();
	fd = MUST(open("lower/native", O_RDWR | O_CREAT | O_TRUNC, 0644));
	MUST(ftruncate(fd, LEN));
	map = hazard_map(fd, LEN);
	err = pin_errno(map);
	munmap(map, LEN);
	close(fd);
	/* The page is unpinned some time after the close. */
	dxs_sleep_ms(100);
	dxs_umount_lower();
	return err;
}

void h9_long_term_pins(void)
{
	int native = pin_lower(), fd, pin;
	struct hazard_thread thread;
	struct hazard_switches all;
	struct pinner pinner;

	if (native == EAFNOSUPPORT) {
		dxs_skip("no AF_XDP", "H9");
		return;
	}
	fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED);
	pinner = (struct pinner) { .fd = fd, .map = hazard_map(fd, LEN) };
	errno = 0;
	pin = pin_long(pinner.map);
	dxs_errno(native, pin < 0 ? errno : 0,
		  "H9: long-term pin in cached mode: same errno as the lower fs");
	dxs_ok(native == 0 || native == EFAULT,
	       "H9: the lower fs allows it or returns EFAULT");
	if (pin >= 0) {
		dxs_refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_PINNED,
			    "H9: switch is refused while the pin exists");
		close(pin);
	}
	/* The page is unpinned some time after the close. */
	dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 30000, NULL),
		  "H9: switched after the pin is gone");
	dxs_errno(EOPNOTSUPP, pin_errno(pinner.map),
		  "H9: long-term pin in dax mode is refused");

	hazard_start(&thread, pin_and_look, &pinner);
	all = hazard_switch(fd, 20, 100, 500);
	hazard_stop(&thread);
	dxs_diag("%d switches, %d refused, %ld pin attempts, %ld pins",
		 all.done, all.refused, thread.steps, pinner.pinned);
	dxs_ok(all.done > 3, "H9: switches between the pins");
	dxs_is(0, pinner.in_dax, "H9: no long-term pin of a DAX page");
	if (native)
		dxs_is(0, pinner.pinned,
		       "H9: no long-term pin where the lower fs refuses it");
	munmap(pinner.map, LEN);
	dxs_sleep_ms(100);
	close(fd);
}

/* --- H26: a MAP_SYNC fault that allocates a block commits it with ->fsync. */

void h26_sync_faults(void)
{
	int fd = hazard_file("stack/file", PAGE, DAXSTACK_DAX);
	uint8_t *map, *seen = dxs_alloc(LEN);
	int i, wrong = 0;

	MUST(ftruncate(fd, 2 * LEN));
	map = MUST(dxs_map_sync(fd, 2 * LEN));
	for (i = 1; i < PAGES; i++)
		map[i * PAGE] = i;
	/* Takes the gates in order for lockdep: I/O gate, then fault gate. */
	dxs_pread(fd, map + LEN, LEN, 0);
	dxs_pread(fd, seen, LEN, LEN);
	for (i = 1; i < PAGES; i++)
		wrong += seen[i * PAGE] != i;
	dxs_is(0, wrong, "H26: read(2) sees the stores");
	dxs_refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_MAP_SYNC, "H26");
	munmap(map, 2 * LEN);
	dxs_to(fd, DAXSTACK_CACHED, "H26");
	dxs_pread(fd, seen, LEN, LEN);
	for (i = 1; i < PAGES; i++)
		wrong += seen[i * PAGE] != i;
	dxs_is(0, wrong, "H26: read(2) sees the stores after a switch");
	free(seen);
	close(fd);
}

/*
 * --- H28: a file is never taken for unmapped while its VMAs are split and
 * merged.
 */

static void adjust(void *arg)
{
	uint8_t *map = arg;

	/* Moves the border between the file's only two VMAs back and forth. */
	MUST(mprotect(map + 2 * PAGE, PAGE, PROT_READ));
	MUST(mprotect(map + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE));
}

void h28_adjusted_vma(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED);
	uint8_t *map = hazard_map(fd, LEN);
	volatile uint32_t *word = (void *)map;
	struct hazard_thread thread;
	struct dxs_watch begin = dxs_watch();
	uint32_t value = 0, seen;
	long wrong = 0, switches = 0;

	MUST(mprotect(map + 3 * PAGE, LEN - 3 * PAGE, PROT_READ));
	hazard_start(&thread, adjust, map);
	while (dxs_watched(&begin) < 60 && switches < 300) {
		/* A PTE left behind by dax mode would show here. */
		*word = ++value;
		if (dxs_switch(fd, !dxs_mode(fd), 1000, NULL))
			continue;
		switches++;
		*word = ++value;
		dxs_pread(fd, &seen, sizeof(seen), 0);
		wrong += seen != value;
	}
	hazard_stop(&thread);
	dxs_diag("%ld switches, %ld adjustments", switches, thread.steps);
	dxs_ok(switches > 10, "H28: switches");
	dxs_is(0, wrong, "H28: read(2) sees what the mapping stored");
	munmap(map, LEN);
	close(fd);
}

/* --- H29: MGLRU reclaim walks page tables while files switch to dax. */

/*
 * A walk checks the VMA, then walks up to one GiB of it; these page tables are
 * present but nearly empty. The stores go to the end of that range.
 */
#define GIB		(1024 * MIB)
#define STORERS		4
#define STORES		4
#define STORE_AT(i)	(GIB - (1 + (i)) * 2 * MIB)

/* Ages all page tables of the root memory cgroup, which the test is in. */
static void age(void *arg)
{
	static const char path[] = "/sys/kernel/debug/lru_gen";
	int memcg = -1, gen, max = -1, unused;
	atomic_long *walks = arg;
	char line[128];
	FILE *file = fopen(path, "r");

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "memcg", 5)) {
			if (memcg >= 0 || sscanf(line, "memcg %d", &memcg) != 1)
				break;
		} else if (sscanf(line, " node %d", &unused) != 1 &&
			   sscanf(line, "%d", &gen) == 1 && gen > max) {
			max = gen;
		}
	}
	fclose(file);
	file = fopen(path, "w");
	if (!file)
		return;
	fprintf(file, "+ %d 0 %d 1 1", memcg, max);
	*walks += !fclose(file);
}

/* Maps the file in a GiB of its own, with page tables but no PTEs for it. */
static uint8_t *map_with_tables(int fd)
{
	uint8_t *area = MUST(mmap(NULL, 2 * GIB, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint8_t *map = (uint8_t *)(((uintptr_t)area + GIB - 1) & -GIB);
	size_t pos;

	MUST(mmap(map, GIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		  0));
	for (pos = 0; pos < GIB; pos += 2 * MIB)
		(void)*(volatile uint8_t *)(map + pos);
	return map;
}

static void store_some(void *arg)
{
	volatile uint8_t *at = arg;
	int i;

	for (i = 0; i < STORES; i++)
		at[i * PAGE] = i + 1;
}

/*
 * The kernel warns when a walk that started on page cache folios meets DAX
 * entries.
 */
void h29_walkers(void)
{
	struct hazard_thread ager, storers[STORERS];
	struct hazard_switches all = { 0 }, part;
	int fd, i, wrong = 0, enabled;
	atomic_long walks = 0;
	uint8_t *map, seen;

	enabled = open("/sys/kernel/mm/lru_gen/enabled", O_WRONLY);
	if (enabled < 0 || access("/sys/kernel/debug/lru_gen", R_OK)) {
		dxs_skip("no MGLRU", "H29");
		return;
	}
	MUST(write(enabled, "7", 1));
	fd = hazard_file("stack/file", 0, DAXSTACK_CACHED);
	MUST(ftruncate(fd, GIB));
	map = map_with_tables(fd);
	hazard_start(&ager, age, &walks);
	for (i = 0; i < STORERS; i++)
		hazard_start(&storers[i], store_some, map + STORE_AT(i));
	do {
		part = hazard_switch(fd, 20, 10, 1000);
		all.done += part.done;
	} while (part.done && (all.done < 40 || walks < 40));
	for (i = 0; i < STORERS; i++)
		hazard_stop(&storers[i]);
	hazard_stop(&ager);
	dxs_diag("%d switches, %ld walks", all.done, (long)walks);
	dxs_ok(all.done > 3 && walks > 3, "H29: switches");
	for (i = 0; i < STORERS * STORES; i++) {
		dxs_pread(fd, &seen, 1,
			  STORE_AT(i / STORES) + i % STORES * PAGE);
		wrong += seen != i % STORES + 1;
	}
	dxs_is(0, wrong, "H29: read(2) sees the stores");
	munmap(map, GIB);
	MUST(write(enabled, "0", 1));
	close(enabled);
	close(fd);
}

/* --- H33: CPUs whose TLB was not flushed after a huge entry was cleared. */

#define HUGE		(2 * MIB)
#define HUGE_FILE	(8 * MIB)

struct storer {
	volatile uint64_t *slot;
	atomic_bool stop;
	atomic_ulong stored;
};

/* No system call here, so that the CPU keeps its TLB entry. */
static void *store_on(void *arg)
{
	struct storer *s = arg;
	unsigned long n = *s->slot;

	do {
		*s->slot = ++n;
		s->stored = n;
	} while (!s->stop);
	return NULL;
}

/*
 * Maps 2 MiB of a file at @map. Return: whether few faults were enough, so that
 * it is a huge page.
 */
static bool map_huge(uint8_t *map, int fd, off_t at)
{
	long before;
	size_t pos;

	MUST(mmap(map, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		  at));
	before = dxs_minor_faults();
	for (pos = 0; pos < HUGE; pos += PAGE)
		((volatile uint8_t *)map)[pos] = map[pos];
	return dxs_minor_faults() - before < 8;
}

/*
 * Linux 6.1 takes a huge DAX entry for a bad pmd when it ages or reclaims it.
 * It logs that and clears the entry without a TLB flush.
 */
void h33_untold(void)
{
	int fd, i, done = 0, huge = 0, lost = 0;
	struct storer s = { 0 };
	uint8_t *area, *map;
	pthread_t thread;
	uint64_t seen;
	off_t at;

	hazard_make_aligned();
	fd = hazard_file("stack/file", 0, DAXSTACK_DAX);
	MUST(fallocate(fd, 0, 0, HUGE_FILE));
	area = MUST(mmap(NULL, 2 * HUGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	map = (uint8_t *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));
	for (at = 0; at < HUGE_FILE && !map_huge(map, fd, at); at += HUGE)
		;
	if (!dxs_ok(at < HUGE_FILE, "H33: huge page is mapped"))
		at = 0;

	s.slot = (void *)map;
	dxs_expect("mm/.*: bad pmd [0-9a-f]");
	for (i = 0; i < 20; i++) {
		if (dxs_mode(fd) != DAXSTACK_DAX)
			dxs_switch(fd, DAXSTACK_DAX, 30000, NULL);
		huge += map_huge(map, fd, at);
		s.stop = false;
		if (pthread_create(&thread, NULL, store_on, &s))
			dxs_bail("cannot create a thread");
		dxs_sleep_ms(20);
		MUST(madvise(map, HUGE, i % 2 ? MADV_COLD : MADV_PAGEOUT));
		done += !dxs_switch(fd, DAXSTACK_CACHED, 30000, NULL);
		/* From here on the data is in the page cache. */
		dxs_pread(fd, &seen, sizeof(seen), at);
		dxs_sleep_ms(20);
		s.stop = true;
		pthread_join(thread, NULL);
		dxs_pread(fd, &seen, sizeof(seen), at);
		if (seen != s.stored)
			lost++;
	}
	dxs_expect(NULL);
	dxs_is(20, huge, "H33: rounds with a huge page");
	dxs_is(20, done, "H33: switches");
	dxs_is(0, lost, "H33: rounds with lost stores");
	munmap(area, 2 * HUGE);
	close(fd);
}
