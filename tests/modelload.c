// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests/model.sh: memory accesses of known cost, each in a region of its
 * own (see region.h).
 */
#include <fcntl.h>
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dxs_test.h"
#include "modelload.h"
#include "region.h"

enum { LINE = 64, WORDS = LINE / 8 };

struct line {
	struct line *next;
	uint64_t rest[WORDS - 1];
};

/* Repeatable, and random enough for caches. */
static uint64_t random_below(uint64_t n)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* --- Accesses in a region. */

/* One cycle through all lines, in random order (Sattolo). */
static void make_random(struct line *lines, long n)
{
	long i, k;

	for (i = 0; i < n; i++)
		lines[i].next = &lines[i];
	for (i = n - 1; i > 0; i--) {
		struct line *next = lines[i].next;

		k = (long)random_below((uint64_t)i);
		lines[i].next = lines[k].next;
		lines[k].next = next;
	}
}

/* Each line leads to the previous one: neighbours, but no ascending stream. */
static void make_descending(struct line *lines, long n)
{
	long i;

	for (i = 0; i < n; i++)
		lines[i].next = &lines[(i ? i : n) - 1];
}

static __attribute__((noinline)) struct line *chase(struct line *at, long n)
{
	while (n--) {
		at = at->next;
		__asm__ __volatile__("" : "+r"(at));
	}
	return at;
}

static __attribute__((noinline)) void read_stream(struct line *lines, long n)
{
	struct line *end = lines + n;

	for (; lines < end; lines++)
		__asm__ __volatile__("" : : "r"(lines->next));
}

static __attribute__((noinline)) void write_stream(struct line *lines, long n)
{
	struct line *end = lines + n;

	for (; lines < end; lines++)
		__asm__ __volatile__("movq %1, %0" : "=m"(lines->next) : "r"(n));
}

static __attribute__((noinline)) void write_uncached(struct line *lines, long n)
{
	long long *word = (long long *)lines, *end = word + n * WORDS;

	for (; word < end; word++)
		_mm_stream_si64(word, n);
	_mm_sfence();
}

/* The address is in a register that was not written before in this block. */
static inline void clwb(void *line)
{
	__asm__ __volatile__("jmp 1f\n1:\tclwb (%0)" : : "r"(line) : "memory");
}

/*
 * One line in each 256 bytes, which reaches memory before the next is written.
 */
static __attribute__((noinline)) void write_pieces(struct line *lines, long n)
{
	long i;

	for (i = 0; i < n; i += 4) {
		lines[i].next = NULL;
		clwb(&lines[i]);
	}
	_mm_sfence();
}

/* --- Memory accessed. */

static void run_chase(struct line *lines, long n, int region)
{
	struct line *at;

	/* One lap removes from the caches what initialization left there. */
	at = chase(lines, n);
	switch (region) {
	case RANDOM_DRAM:
		region_begin(RANDOM_DRAM);
		chase(at, n);
		region_end();
		break;
	case RANDOM_PMEM:
		region_begin(RANDOM_PMEM);
		chase(at, n);
		region_end();
		break;
	case RANDOM_CACHED:
		region_begin(RANDOM_CACHED);
		chase(at, n);
		region_end();
		break;
	case NEXT_DRAM:
		region_begin(NEXT_DRAM);
		chase(at, n);
		region_end();
		break;
	case NEXT_PMEM:
		region_begin(NEXT_PMEM);
		chase(at, n);
		region_end();
		break;
	case SMALL_SET:
		region_begin(SMALL_SET);
		chase(at, n);
		region_end();
		break;
	case MIDDLE_SET:
		region_begin(MIDDLE_SET);
		chase(at, n);
		region_end();
		break;
	}
}

/* Repeated until the caches hold nothing else. */
#define STEADY(region, call) do {		\
	call;					\
	region_begin(region);			\
	call;					\
	region_end();				\
} while (0)

static void on_dram(struct line *lines)
{
	make_random(lines, MODEL_LINES);
	run_chase(lines, MODEL_LINES, RANDOM_DRAM);
	make_descending(lines, MODEL_LINES);
	run_chase(lines, MODEL_LINES, NEXT_DRAM);
	STEADY(READ_DRAM, read_stream(lines, MODEL_LINES));
	STEADY(WRITE_DRAM, write_stream(lines, MODEL_LINES));
	STEADY(UNCACHED_DRAM, write_uncached(lines, MODEL_LINES));
	make_random(lines, MODEL_SMALL);
	run_chase(lines, MODEL_SMALL, SMALL_SET);
	make_random(lines, MODEL_MIDDLE);
	run_chase(lines, MODEL_MIDDLE, MIDDLE_SET);
}

static void on_pmem(struct line *lines)
{
	make_random(lines, MODEL_LINES);
	run_chase(lines, MODEL_LINES, RANDOM_PMEM);
	make_descending(lines, MODEL_LINES);
	run_chase(lines, MODEL_LINES, NEXT_PMEM);
	STEADY(READ_PMEM, read_stream(lines, MODEL_LINES));
	STEADY(WRITE_PMEM, write_stream(lines, MODEL_LINES));
	STEADY(UNCACHED_PMEM, write_uncached(lines, MODEL_LINES));
	STEADY(PIECES_PMEM, write_pieces(lines, MODEL_LINES));
}

/* A file in @mode, fully allocated and mapped. */
static int make_file(const char *name, int mode, struct line **lines)
{
	size_t size = MODEL_LINES * LINE;
	int fd = MUST(open(name, O_RDWR | O_CREAT, 0600));
	void *map;

	MUST(dxs_switch(fd, mode, -1, NULL) ? -1 : 0);
	MUST(ftruncate(fd, (off_t)size));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		dxs_bail("mmap: %m");
	memset(map, 0, size);
	*lines = map;
	return fd;
}

/* The kernel's own flushes. */
static void write_and_sync(int fd)
{
	char *buf = dxs_alloc(MODEL_SYNC);

	memset(buf, 1, MODEL_SYNC);
	dxs_pwrite(fd, buf, MODEL_SYNC, 0);
	MUST(fsync(fd));
	free(buf);
}

static void sync_mapping(int fd, struct line *lines)
{
	memset(lines, 2, MODEL_SYNC);
	MUST(fsync(fd));
	memset(lines, 3, MODEL_SYNC);
	region_begin(SYNC_MAPPING);
	MUST(fsync(fd));
	region_end();
}

/* Prints the kernel's range "START:END" to standard output, for the test. */
static void tell_range(void)
{
	char line[256];
	FILE *file = fopen("/proc/iomem", "r");
	unsigned long long from, to;

	if (!file)
		dxs_bail("/proc/iomem: %m");
	while (fgets(line, sizeof(line), file))
		if (strstr(line, "Persistent Memory") &&
		    sscanf(line, "%llx-%llx", &from, &to) == 2)
			printf("pmem %llu %llu\n", from, to + 1);
	fclose(file);
}

int main(int argc, char **argv)
{
	struct line *lines;
	int fd;

	dxs_begin();
	tell_range();
	/* The flusher would write back the file in cached mode in another region. */
	dxs_must_put("/proc/sys/vm/dirty_writeback_centisecs", "0");
	dxs_mkfs(NULL);
	dxs_mount_stack();
	MUST(chdir("stack"));
	if (argc < 2 || strcmp(argv[1], "pmem")) {
		lines = mmap(NULL, MODEL_LINES * LINE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (lines == MAP_FAILED)
			dxs_bail("mmap: %m");
		on_dram(lines);
		munmap(lines, MODEL_LINES * LINE);
		fd = make_file("cached", DAXSTACK_CACHED, &lines);
		make_random(lines, MODEL_LINES);
		run_chase(lines, MODEL_LINES, RANDOM_CACHED);
		munmap(lines, MODEL_LINES * LINE);
		close(fd);
	}
	fd = make_file("dax", DAXSTACK_DAX, &lines);
	on_pmem(lines);
	sync_mapping(fd, lines);
	region_begin(WRITE_SYNC);
	write_and_sync(fd);
	region_end();
	munmap(lines, MODEL_LINES * LINE);
	close(fd);
	MUST(chdir(".."));
	dxs_umount_stack();
	dxs_ok(true, "all regions were run");
	return dxs_done();
}
