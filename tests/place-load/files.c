// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads on plain files, by read(2) and write(2): 16 files of 4 MiB, or
 * thousands of small files.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load.h"

#define FILES		16L
#define BYTES		(4 * MIB)
#define PAGES		(BYTES / PAGE)
#define PIECE		(64 * KIB)
#define RECORD		512L

#define SMALL_FILES	4096L
#define SMALL_BYTES	(16 * KIB)

static int fds[FILES];
static char *buf;
static uint64_t sum;

static void make_files(void)
{
	long i;

	for (i = 0; i < FILES; i++)
		make_file(name_of("file", i), BYTES);
	make_file("log", 0);
}

static void begin(void)
{
	long i;

	buf = dxs_alloc(PIECE);
	for (i = 0; i < FILES; i++)
		fds[i] = MUST(open(name_of("file", i), O_RDWR | O_CLOEXEC));
}

static void read_page(long file, long page)
{
	if (pread(fds[file], buf, PAGE, page * PAGE) != PAGE)
		dxs_bail("pread: %m");
	sum += *(volatile uint64_t *)(buf + page % 512 * 8);
}

static void write_page(long file, long page)
{
	if (pwrite(fds[file], buf, PAGE, page * PAGE) != PAGE)
		dxs_bail("pwrite: %m");
}

static void append(int log)
{
	if (write(log, buf, RECORD) != RECORD)
		dxs_bail("write: %m");
	MUST(fdatasync(log));
}

/*
 * Reads some files more than others; overwrites an unread file page by page
 * with fsync; appends to a log. With @turn, four of five reads are of three
 * files, which change after that many operations.
 */
static void run_zipf(long n, long turn)
{
	int log = MUST(open("log", O_WRONLY | O_APPEND | O_CLOEXEC));
	uint64_t seed = 1;
	struct zipf all;
	long i, file;

	n = some_of(n);
	begin();
	zipf_make(&all, FILES - 1);
	for (i = 0; i < n; i++) {
		if (turn && next_random(&seed) % 5)
			file = (next_random(&seed) % 3 + i / turn * 3) % (FILES - 1);
		else
			file = zipf_next(&all, &seed);
		read_page(file, next_random(&seed) % PAGES);
		if (i % 20 == 0) {
			write_page(FILES - 1, next_random(&seed) % PAGES);
			MUST(fdatasync(fds[FILES - 1]));
		}
		if (i % 200 == 0)
			append(log);
	}
}

static void run_steady(void)
{
	run_zipf(600000, 0);
}

static void run_shift(void)
{
	run_zipf(1200000, 300000);
}

/* Reads all files equally often. */
static void run_uniform(void)
{
	uint64_t seed = 1;
	long i;

	begin();
	for (i = 0; i < some_of(900000); i++)
		read_page(next_random(&seed) % FILES, next_random(&seed) % PAGES);
}

/*
 * Four files at a time, then four others after about the number of operations
 * in one recording interval.
 */
static void run_phases(void)
{
	uint64_t seed = 1;
	long i, first = 0;

	begin();
	for (i = 0; i < some_of(600000); i++) {
		if (i % 15000 == 0)
			first = (first + 4) % FILES;
		read_page((first + next_random(&seed) % 4) % FILES,
			  next_random(&seed) % PAGES);
	}
}

static void scan(long file)
{
	const char *p;
	long pos;

	for (pos = 0; pos < BYTES; pos += PIECE) {
		if (pread(fds[file], buf, PIECE, pos) != PIECE)
			dxs_bail("pread: %m");
		for (p = buf; p < buf + PIECE; p += sizeof(uint64_t))
			sum += *(const volatile uint64_t *)p;
	}
}

/* Three files are read all the time; halfway through, each other file is read once. */
static void run_scan(void)
{
	uint64_t seed = 1;
	long i;

	begin();
	for (i = 0; i < some_of(500000); i++) {
		read_page(next_random(&seed) % 3, next_random(&seed) % PAGES);
		if (i >= 200000 && i < 213000 && i % 1000 == 0)
			scan(3 + (i - 200000) / 1000);
	}
}

static const char *small_name(long i)
{
	static char name[64];

	snprintf(name, sizeof(name), "dir-%02ld/small-%02ld", i / 64, i % 64);
	return name;
}

static void make_small(void)
{
	long i;

	for (i = 0; i < SMALL_FILES; i++) {
		if (i % 64 == 0)
			MUST(mkdir(name_of("dir", i / 64), 0755));
		make_file(small_name(i), SMALL_BYTES);
	}
}

/*
 * Files are opened, read and closed, as by a web server; one in 50 is replaced.
 */
static void run_small(void)
{
	uint64_t seed = 1;
	struct zipf z;
	long i, file;
	int fd;

	buf = dxs_alloc(SMALL_BYTES);
	zipf_make(&z, SMALL_FILES);
	for (i = 0; i < some_of(120000); i++) {
		file = zipf_next(&z, &seed) * 2654435761UL % SMALL_FILES;
		fd = MUST(open(small_name(file), O_RDWR | O_CLOEXEC));
		if (i % 50 == 0)
			dxs_pwrite(fd, buf, SMALL_BYTES, 0);
		else if (pread(fd, buf, SMALL_BYTES, 0) != SMALL_BYTES)
			dxs_bail("pread: %m");
		close(fd);
	}
}

const struct load loads_files[] = {
	{ .key = "steady", .kind = "steady", .make = make_files, .run = run_steady,
	  .what = "files: zipfian reads, one overwritten and synced, a log" },
	{ .key = "shift", .kind = "moving", .make = make_files, .run = run_shift,
	  .what = "files: the same, with a working set that moves" },
	{ .key = "uniform", .kind = "adversarial", .make = make_files,
	  .run = run_uniform, .what = "reads of all files alike" },
	{ .key = "phases", .kind = "adversarial", .make = make_files,
	  .run = run_phases, .what = "other files are hot in each interval" },
	{ .key = "scan", .kind = "adversarial", .make = make_files, .run = run_scan,
	  .what = "three hot files; all others are read once" },
	{ .key = "small", .kind = "adversarial", .make = make_small, .run = run_small,
	  .what = "thousands of small files, zipfian" },
	{}
};
