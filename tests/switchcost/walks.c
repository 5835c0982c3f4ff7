// SPDX-License-Identifier: GPL-2.0-only
/*
 * H47: switches a file with very many entries that no process uses. Asserts
 * that neither the time with closed gates nor the longest time without
 * interrupts depends on the number of entries.
 *
 * Interrupt-off time is measured with a timer-based perf event: each sample is
 * taken in the timer interrupt, and the timer keeps its pace. On a machine that
 * counts instructions nothing else delays it. The page allocator of Linux 6.1
 * frees thousands of pages at a time with interrupts off, for any caller; so
 * the time that the lower filesystem takes to drop part of such a file is
 * allowed as well.
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

#define PERIOD		10000		/* ns, the kernel's minimum */
#define RING		(32 * MIB)

struct sample {
	struct perf_event_header header;
	uint64_t ip;
	uint64_t time;
};

struct sampler make_sampler(void)
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

void end_sampler(const struct sampler *sampler)
{
	MUST(munmap(sampler->page, PAGE + RING));
	close(sampler->fd);
}

/*
 * Returns the longest time without an interrupt, and the next address sampled.
 */
uint64_t longest_off(const struct sampler *sampler, long least, uint64_t *where)
{
	uint64_t head = sampler->page->data_head, pos = 0, last = 0, longest = 0;
	const struct sample *sample;
	long samples = 0;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (head > RING - sizeof(*sample))
		dxs_bail("too many samples for the buffer");
	while (pos < head) {
		sample = (const void *)(sampler->ring + pos);
		pos += sample->header.size;
		if (sample->header.type != PERF_RECORD_SAMPLE)
			dxs_bail("unexpected record of type %u",
				 sample->header.type);
		if (last && sample->time - last > longest) {
			longest = sample->time - last;
			*where = sample->ip;
		}
		last = sample->time;
		samples++;
	}
	if (samples < least)
		dxs_bail("only %ld samples", samples);
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

void fill_cache(int fd, off_t size)
{
	off_t pos;

	for (pos = 0; pos < size; pos += MIB)
		if (posix_fadvise(fd, pos, MIB, POSIX_FADV_WILLNEED))
			dxs_bail("posix_fadvise: %m");
}

/* Maps a file at an address that rules out huge pages. */
void *map_unaligned(int fd, off_t size, int advice)
{
	int prot = advice == MADV_POPULATE_WRITE ? PROT_READ | PROT_WRITE :
						   PROT_READ;
	uint8_t *room = MUST(mmap(NULL, size + 2 * HUGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0));
	uint8_t *map = (uint8_t *)(((uintptr_t)room + HUGE) & -HUGE) + PAGE;

	MUST(mmap(map, size, prot, MAP_SHARED | MAP_FIXED, fd, 0));
	MUST(madvise(map, size, advice));
	return room;
}

void fill_dax(int fd, off_t size, int advice)
{
	MUST(munmap(map_unaligned(fd, size, advice), size + 2 * HUGE));
}

static void fill(int fd, off_t size)
{
	MUST(ftruncate(fd, size));
	if (dxs_mode(fd) == DAXSTACK_CACHED)
		fill_cache(fd, size);
	else
		fill_dax(fd, size, MADV_POPULATE_READ);
	/* Memory freed meanwhile, such as page tables, is freed by RCU. */
	dxs_sleep_ms(200);
}

/*
 * Returns the longest interrupt-off time while part of the entries is dropped
 * without a switch.
 */
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
	off = longest_off(&sampler, 100, &where);
	end_sampler(&sampler);
	dxs_diag("without a switch: interrupts off for %ju ns", (uintmax_t)off);
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
	dxs_diag("created with %ju instructions", (uintmax_t)(count() - start));

	sampler = make_sampler();
	start = count();
	MUST(ioctl(sampler.fd, PERF_EVENT_IOC_ENABLE, 0));
	dxs_errno(0, dxs_switch(fd, to, 2000, &sw),
		  "very many entries, to %s: switched", name);
	MUST(ioctl(sampler.fd, PERF_EVENT_IOC_DISABLE, 0));
	dxs_diag("%ju instructions", (uintmax_t)(count() - start));
	off = longest_off(&sampler, 100, &where);
	end_sampler(&sampler);
	dxs_diag("gates closed for %ju ns; interrupts off for %ju ns",
		 (uintmax_t)sw.shut_ns, (uintmax_t)off);
	print_place(where);
	dxs_ok(sw.shut_ns < SHUT_MAX,
	       "very many entries, to %s: gates closed for less than 2 ms",
	       name);
	dxs_ok(off < OFF_MAX || off <= 1.5 * own,
	       "very many entries, to %s: interrupts off for less than 0.1 ms, or as without a switch",
	       name);
	MUST(unlink("stack/many"));
	close(fd);
}

void sample_all(void)
{
	/* Otherwise the kernel would reduce the sample rate. */
	dxs_must_put("/proc/sys/kernel/perf_event_max_sample_rate", "1000000");
	dxs_must_put("/proc/sys/kernel/perf_cpu_time_max_percent", "0");
}

void check_walks(void)
{
	sample_all();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	check_walk(DAXSTACK_CACHED);
	check_walk(DAXSTACK_DAX);
	dxs_umount_stack();
}
