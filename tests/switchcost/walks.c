// SPDX-License-Identifier: GPL-2.0
/*
 * H47: a file with very many entries that nobody uses while it is switched. How
 * long the gates are shut, and for how long no interrupt comes, must not depend on
 * how many they are.
 *
 * That no interrupt comes is seen by an event that the kernel counts by a timer:
 * each sample is taken in the timer's interrupt, and the timer keeps its pace. On
 * a machine that counts instructions, nothing else delays it. The page allocator
 * of Linux 6.1 frees thousands of pages at a time with interrupts off, whoever
 * lets go of many: so what the lower filesystem's own dropping of a part of such
 * a file takes is allowed as well.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cost.h"

#define ENTRIES		1048576L
#define SIZE		(ENTRIES * PAGE)
#define PART		(SIZE / 4)
#define HUGE		(2 * MIB)

#define SHUT_MAX	2000000		/* ns */
#define OFF_MAX		100000		/* ns */

#define PERIOD		10000		/* ns, the least that the kernel allows */
#define RING		(32 * MIB)

struct sample {
	struct perf_event_header header;
	uint64_t ip;
	uint64_t time;
};

struct sampler {
	int fd;
	struct perf_event_mmap_page *page;
	const uint8_t *ring;
};

static void put(const char *path, const char *value)
{
	int fd = MUST(open(path, O_WRONLY));

	MUST(write(fd, value, strlen(value)));
	close(fd);
}

static struct sampler make_sampler(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = PERIOD,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TIME,
		.disabled = 1,
		.watermark = 1,
		.wakeup_watermark = RING,
	};
	struct sampler sampler;

	sampler.fd = MUST(syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0));
	sampler.page = MUST(mmap(NULL, PAGE + RING, PROT_READ | PROT_WRITE,
				 MAP_SHARED, sampler.fd, 0));
	sampler.ring = (const uint8_t *)sampler.page + PAGE;
	return sampler;
}

static void end_sampler(const struct sampler *sampler)
{
	MUST(munmap(sampler->page, PAGE + RING));
	close(sampler->fd);
}

/* The longest time without an interrupt, and where the processor was next. */
static uint64_t longest_off(const struct sampler *sampler, uint64_t *where)
{
	uint64_t head = sampler->page->data_head, pos = 0, last = 0, longest = 0;
	const struct sample *sample;
	long samples = 0;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (head > RING - sizeof(*sample))
		dxs_bail("more samples than there is room for");
	while (pos < head) {
		sample = (const void *)(sampler->ring + pos);
		pos += sample->header.size;
		if (sample->header.type != PERF_RECORD_SAMPLE)
			dxs_bail("a record of type %u", sample->header.type);
		if (last && sample->time - last > longest) {
			longest = sample->time - last;
			*where = sample->ip;
		}
		last = sample->time;
		samples++;
	}
	if (samples < 100)
		dxs_bail("only %ld samples", samples);
	dxs_diag("%ld samples", samples);
	return longest > PERIOD ? longest - PERIOD : 0;
}

static void print_place(uint64_t where)
{
	char line[256], name[128] = "?", found[128];
	FILE *file = fopen("/proc/kallsyms", "re");
	uint64_t at, best = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%" SCNx64 " %*c %127s", &at, found) == 2 &&
		    at <= where && at > best) {
			best = at;
			strcpy(name, found);
		}
	if (file)
		fclose(file);
	dxs_diag("until %s+0x%jx", name, (uintmax_t)(where - best));
}

/* A page in the page cache for each page of the file, which is a hole. */
static void fill_cache(int fd, off_t size)
{
	off_t pos;

	for (pos = 0; pos < size; pos += MIB)
		if (posix_fadvise(fd, pos, MIB, POSIX_FADV_WILLNEED))
			dxs_bail("posix_fadvise: %m");
}

/* A DAX entry for each, by a mapping that is not aligned as huge pages are. */
static void fill_dax(int fd, off_t size)
{
	uint8_t *room = MUST(mmap(NULL, size + 2 * HUGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0));
	uint8_t *map = (uint8_t *)(((uintptr_t)room + HUGE) & -HUGE) + PAGE;

	MUST(mmap(map, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	MUST(madvise(map, size, MADV_POPULATE_READ));
	MUST(munmap(room, size + 2 * HUGE));
}

static void fill(int fd, off_t size)
{
	MUST(ftruncate(fd, size));
	if (dxs_mode(fd) == DAXSTACK_CACHED)
		fill_cache(fd, size);
	else
		fill_dax(fd, size);
	/* What was freed meanwhile, such as page tables, goes by RCU. */
	dxs_sleep_ms(200);
}

/* How long no interrupt comes while a part of the entries go without a switch. */
static uint64_t off_without_switch(int fd)
{
	struct sampler sampler;
	uint64_t off, where = 0;

	fill(fd, PART);
	sampler = make_sampler();
	MUST(ioctl(sampler.fd, PERF_EVENT_IOC_ENABLE, 0));
	if (dxs_mode(fd) == DAXSTACK_CACHED)
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	else
		MUST(ftruncate(fd, 0));
	MUST(ioctl(sampler.fd, PERF_EVENT_IOC_DISABLE, 0));
	off = longest_off(&sampler, &where);
	end_sampler(&sampler);
	dxs_diag("without a switch no interrupt for %ju ns", (uintmax_t)off);
	print_place(where);
	return off;
}

static void check_walk(int to)
{
	const char *const name = dxs_mode_name(to);
	int fd = MUST(open("stack/many", O_RDWR | O_CREAT, 0644));
	struct daxstack_state state;
	struct sampler sampler;
	struct daxstack_switch sw;
	uint64_t start, off, own, where = 0;

	dxs_to(fd, !to, name);
	own = off_without_switch(fd);
	start = count();
	fill(fd, SIZE);
	MUST(ioctl(fd, DAXSTACK_IOC_STATE, &state));
	dxs_is(ENTRIES, state.pages, "very many entries, to %s", name);
	dxs_diag("made by %ju instructions", (uintmax_t)(count() - start));

	sampler = make_sampler();
	start = count();
	MUST(ioctl(sampler.fd, PERF_EVENT_IOC_ENABLE, 0));
	dxs_errno(0, dxs_switch(fd, to, 2000, &sw),
		  "very many entries, to %s: switched", name);
	MUST(ioctl(sampler.fd, PERF_EVENT_IOC_DISABLE, 0));
	dxs_diag("%ju instructions", (uintmax_t)(count() - start));
	off = longest_off(&sampler, &where);
	end_sampler(&sampler);
	dxs_diag("gates shut for %ju ns; no interrupt for %ju ns",
		 (uintmax_t)sw.shut_ns, (uintmax_t)off);
	print_place(where);
	dxs_ok(sw.shut_ns < SHUT_MAX,
	       "very many entries, to %s: the gates shut for less than 2 ms",
	       name);
	dxs_ok(off < OFF_MAX || off <= 1.5 * own,
	       "very many entries, to %s: interrupts off for less than 0.1 ms, or as without a switch",
	       name);
	MUST(unlink("stack/many"));
	close(fd);
}

void check_walks(void)
{
	/* Else the kernel would take fewer samples than it is asked for. */
	put("/proc/sys/kernel/perf_event_max_sample_rate", "1000000");
	put("/proc/sys/kernel/perf_cpu_time_max_percent", "0");
	dxs_mkfs(NULL);
	dxs_mount_stack();
	check_walk(DAXSTACK_CACHED);
	check_walk(DAXSTACK_DAX);
	dxs_umount_stack();
}
