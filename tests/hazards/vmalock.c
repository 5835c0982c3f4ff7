// SPDX-License-Identifier: GPL-2.0-only
/*
 * H58: faults under the per-VMA lock instead of the mmap_lock, from Linux 6.4
 * on; H59 with them. H65: VMA flags that the lower ->mmap sets.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

#define PAGES	64
#define LEN	(PAGES * PAGE)
#define STORERS	3

/* --- Count faults that hold only the VMA lock. */

#define TRACING	"/sys/kernel/tracing/"
/* Offset of ->flags in struct vm_fault, and FAULT_FLAG_VMA_LOCK. */
#define PROBE	"p:dxs/fault dxs_vm_fault flags=+40(%di):x32"

static bool count_begin(void)
{
	return dxs_put(TRACING "kprobe_events", PROBE) &&
		dxs_put(TRACING "events/dxs/fault/filter", "flags & 0x1000") &&
		dxs_put(TRACING "events/dxs/fault/enable", "1");
}

/* Return: whether the trace has such a fault. */
static bool count_end(void)
{
	FILE *file;
	char line[512];
	bool found = false;

	dxs_put(TRACING "events/dxs/fault/enable", "0");
	file = fopen(TRACING "trace", "r");
	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, " fault: ");
	if (file)
		fclose(file);
	dxs_put(TRACING "kprobe_events", "-:dxs/fault");
	return found;
}

/* --- H58, H59. */

struct storer {
	volatile uint32_t *word;
	uint32_t value;
	long wrong;
};

static void store_and_load(void *arg)
{
	struct storer *s = arg;

	s->wrong += *s->word != s->value;
	*s->word = ++s->value;
	s->wrong += *s->word != s->value;
}

/*
 * Zaps pages that the storing threads use, by a call that takes the VMA lock on
 * 7.3.
 */
static void zap(void *arg)
{
	MUST(madvise(arg, LEN, MADV_DONTNEED));
}

/* Splits and merges the VMA of the storing threads. */
static void split(void *arg)
{
	uint8_t *map = arg;

	MUST(mprotect(map + LEN / 2, PAGE, PROT_READ));
	MUST(mprotect(map + LEN / 2, PAGE, PROT_READ | PROT_WRITE));
}

struct remapper {
	int fd;
	long wrong;
};

/* Maps, touches and unmaps the file. */
static void map_and_unmap(void *arg)
{
	struct remapper *r = arg;
	uint8_t *map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
				 r->fd, 0));
	int i;

	/* Beyond the pages of the storing threads. */
	for (i = STORERS + 1; i < PAGES; i += 7)
		r->wrong += map[i * PAGE] != dxs_byte(1, i * PAGE);
	map = MUST(mremap(map, LEN, 2 * LEN, MREMAP_MAYMOVE));
	r->wrong += map[LEN - PAGE] != dxs_byte(1, LEN - PAGE);
	MUST(munmap(map, 2 * LEN));
}

/* A child inherits all VMAs with their vm_private_data. */
static void fork_and_look(void *arg)
{
	volatile uint8_t *map = arg;
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return;
	if (!pid)
		_exit(map[LEN - PAGE] != dxs_byte(1, LEN - PAGE));
	MUST(waitpid(pid, &status, 0));
	if (status)
		dxs_ok(false, "H58: child reads the file, status %#x", status);
	dxs_sleep_ms(20);
}

void h58_vma_locks(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED), i;
	struct hazard_thread threads[STORERS], zapper, splitter, remap, forker;
	struct storer storers[STORERS];
	struct remapper remapper = { .fd = fd };
	uint8_t *map = hazard_map(fd, LEN);
	struct hazard_switches all;
	bool counting = count_begin();
	long wrong = 0, steps = 0;
	uint32_t seen;

	for (i = 0; i < STORERS; i++) {
		storers[i] = (struct storer){ .word = (void *)(map + i * PAGE) };
		storers[i].value = *storers[i].word;
		hazard_start(&threads[i], store_and_load, &storers[i]);
	}
	hazard_start(&zapper, zap, map);
	hazard_start(&splitter, split, map);
	hazard_start(&remap, map_and_unmap, &remapper);
	hazard_start(&forker, fork_and_look, map);
	all = hazard_switch(fd, 20 * dxs_slow(), 40, 1000);
	hazard_stop(&forker);
	hazard_stop(&remap);
	hazard_stop(&splitter);
	hazard_stop(&zapper);
	for (i = 0; i < STORERS; i++) {
		hazard_stop(&threads[i]);
		wrong += storers[i].wrong;
		steps += threads[i].steps;
	}
	dxs_diag("%d switches, %d refused, %ld stores, %ld zaps", all.done,
		 all.refused, steps, zapper.steps);
	dxs_diag("%ld splits, %ld mappings, %ld children", splitter.steps,
		 remap.steps, forker.steps);
	dxs_ok(all.done > 3, "H58: switches");
	dxs_is(0, wrong, "H58: every load sees the last store");
	dxs_is(0, remapper.wrong, "H58: new mappings see the stores");
	for (i = 0; i < STORERS; i++) {
		dxs_pread(fd, &seen, 4, i * PAGE);
		dxs_is(storers[i].value, seen,
		       "H58: read(2) sees the last store");
	}
	if (!counting)
		dxs_skip("no kprobes", "H58: faults under VMA locks");
	else if (!dxs_kernel_from(6, 6))
		dxs_is(0, count_end(), "H58: no fault under a VMA lock");
	else
		dxs_is(1, count_end(), "H58: faults under VMA locks");
	munmap(map, LEN);
	close(fd);
}

/*
 * --- H65: VMA flags that the lower ->mmap sets for a mode go when the mode
 * changes.
 */

static bool has_flag(const void *map, const char *flag)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	bool inside = false, found = false;
	unsigned long start, end;
	char line[512];
	int dash;

	if (!file)
		dxs_bail("smaps: %m");
	while (fgets(line, sizeof(line), file)) {
		dash = 0;
		if (sscanf(line, "%lx-%lx %n", &start, &end, &dash) == 2 && dash)
			inside = start <= (uintptr_t)map && end > (uintptr_t)map;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			found = strstr(line + 8, flag);
	}
	fclose(file);
	return found;
}

static void flags_of(int fd, int prot, int flags, const char *name)
{
	void *map = mmap(NULL, LEN, prot, flags, fd, 0);
	int i, err;

	if (map == MAP_FAILED) {
		dxs_errno(0, errno, "H65: %s", name);
		return;
	}
	for (i = 0; i < 3; i++) {
		dxs_is(0, has_flag(map, " hg"), "H65: %s, %s: no VM_HUGEPAGE",
		       name, dxs_mode_name(dxs_mode(fd)));
		if (flags & MAP_SYNC & ~MAP_SHARED_VALIDATE)
			break;
		dxs_to(fd, !dxs_mode(fd), name);
	}
	/* It stays if the user sets it. */
	err = ERR(madvise(map, LEN, MADV_HUGEPAGE));
	if (err) {
		dxs_skip("no huge pages", "H65: %s, advised", name);
	} else if (!(flags & MAP_SYNC & ~MAP_SHARED_VALIDATE)) {
		dxs_to(fd, !dxs_mode(fd), name);
		dxs_is(1, has_flag(map, " hg"),
		       "H65: %s, MADV_HUGEPAGE: stays", name);
	}
	munmap(map, LEN);
}

/* Returns the faults that reading the whole mapping takes. */
static long read_faults(const uint8_t *map)
{
	struct rusage before, after;
	long pos;

	MUST(getrusage(RUSAGE_THREAD, &before));
	for (pos = 0; pos < LEN; pos += PAGE)
		((volatile const uint8_t *)map)[pos];
	MUST(getrusage(RUSAGE_THREAD, &after));
	return after.ru_minflt + after.ru_majflt - before.ru_minflt -
		before.ru_majflt;
}

/*
 * A mapping made in dax mode gets fault-around after a switch, as one made in
 * cached mode does.
 */
static void maps_around(int fd)
{
	uint8_t *map, *fresh;
	long faults, wanted;

	if (dxs_mode(fd) != DAXSTACK_DAX)
		dxs_to(fd, DAXSTACK_DAX, "H65");
	map = hazard_map(fd, LEN);
	read_faults(map);
	dxs_to(fd, DAXSTACK_CACHED, "H65: mapped");
	/* Reads all pages into the page cache. */
	hazard_bytes(fd, LEN, "H65: in cached mode");
	fresh = hazard_map(fd, LEN);
	wanted = read_faults(fresh);
	faults = read_faults(map);
	/* One extra fault notices the changed mode. */
	dxs_ok(faults <= wanted + 1,
	       "H65: fault-around works after the switch");
	dxs_diag("%ld faults, %ld in a new mapping, of %ld pages", faults, wanted,
		 LEN / (long)PAGE);
	munmap(fresh, LEN);
	munmap(map, LEN);
}

void h65_flags_of_the_mode(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_DAX), mode;

	for (mode = 0; mode < 2; mode++) {
		if (dxs_mode(fd) != mode)
			dxs_to(fd, mode, "H65");
		flags_of(fd, PROT_READ | PROT_WRITE, MAP_SHARED, "shared");
		flags_of(fd, PROT_READ, MAP_SHARED, "read only");
		flags_of(fd, PROT_READ | PROT_EXEC, MAP_PRIVATE, "private");
	}
	if (dxs_mode(fd) != DAXSTACK_DAX)
		dxs_to(fd, DAXSTACK_DAX, "H65");
	flags_of(fd, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC,
		 "synchronous");
	maps_around(fd);
	close(fd);
}
