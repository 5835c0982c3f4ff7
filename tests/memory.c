// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory taken by cached inodes, by inodes whose data was accessed, and by open
 * files: asserts that the stack takes no more than overlayfs over the same
 * filesystem.
 *
 * Memory is that of slabs and per-CPU areas, in pages. The lower filesystem's
 * own share is subtracted.
 *
 * Usage: memory [--json] [FILES]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dxs_test.h"

#define PER_DIR	1000

/* States of a file, one after the other. */
enum state { CACHED, OPENED, OPEN, STATES };

static const char *const state_names[] = { "cached", "opened", "open" };
static const char *const state_texts[] = {
	"a file that was looked up",
	"a file whose data was accessed",
	"an open file",
};

/* Ways to access the same files. */
enum way { LOWER, STACK, OVERLAY, WAYS };

static const char *const way_names[] = { "lower", "stack", "overlayfs" };

/* Bytes per file: in a state, compared with none, in total. */
struct memory {
	double of[STATES];
};

static int files = 20000;
static int *fds;

static FILE *must_open(const char *name)
{
	FILE *file = fopen(name, "r");

	if (!file)
		dxs_bail("%s: %m", name);
	return file;
}

/* Bytes in slabs. */
static double slabs(void)
{
	unsigned long pages, count;
	FILE *file = must_open("/proc/slabinfo");
	double bytes = 0;
	char line[512];

	while (fgets(line, sizeof(line), file))
		if (sscanf(line,
			   "%*s %*u %*u %*u %*u %lu : tunables %*u %*u %*u : slabdata %*u %lu",
			   &pages, &count) == 2)
			bytes += (double)pages * count * PAGE;
	fclose(file);
	return bytes;
}

/* Bytes in per-CPU areas, of all possible CPUs. */
static double percpu(void)
{
	FILE *file = must_open("/proc/meminfo");
	unsigned long kib = 0;
	char line[256];

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Percpu: %lu", &kib) == 1)
			break;
	fclose(file);
	return (double)kib * KIB;
}

static double memory(void)
{
	return slabs() + percpu();
}

static void forget(void)
{
	int i, fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY));

	sync();
	/* Objects freed last in one round free others in the next. */
	for (i = 0; i < 3; i++) {
		MUST(write(fd, "3", 1));
		dxs_sleep_ms(200);
	}
	close(fd);
}

static void path_of(char path[64], const char *root, int file)
{
	snprintf(path, 64, "%s/%d/%d", root, file / PER_DIR, file % PER_DIR);
}

static void look_up(const char *root)
{
	struct stat stat_buf;
	char path[64];
	int i;

	for (i = 0; i < files; i++) {
		path_of(path, root, i);
		MUST(stat(path, &stat_buf));
	}
}

static int open_one(const char *root, int file)
{
	char path[64], byte;
	int fd;

	path_of(path, root, file);
	fd = MUST(open(path, O_RDONLY));
	MUST(read(fd, &byte, 1));
	return fd;
}

static void touch(const char *root)
{
	int i;

	for (i = 0; i < files; i++)
		close(open_one(root, i));
}

static void open_all(const char *root)
{
	int i;

	for (i = 0; i < files; i++)
		fds[i] = open_one(root, i);
}

static void close_all(void)
{
	int i;

	for (i = 0; i < files; i++)
		close(fds[i]);
}

static void make_files(void)
{
	char path[64];
	int i;

	dxs_mount_lower();
	MUST(mkdir("lower/low", 0755));
	MUST(mkdir("lower/up", 0755));
	MUST(mkdir("lower/work", 0755));
	for (i = 0; i < files; i++) {
		snprintf(path, sizeof(path), "lower/up/%d", i / PER_DIR);
		if (i % PER_DIR == 0)
			MUST(mkdir(path, 0755));
		path_of(path, "lower/up", i);
		close(MUST(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644)));
	}
	/* The first access may have to store a new atime. */
	touch("lower/up");
	dxs_umount_lower();
}

static struct memory measure_at(const char *root)
{
	struct memory m;
	double before;

	forget();
	before = memory();
	look_up(root);
	m.of[CACHED] = (memory() - before) / files;
	touch(root);
	/* Closed files are freed a grace period later. */
	dxs_sleep_ms(500);
	m.of[OPENED] = (memory() - before) / files;
	open_all(root);
	m.of[OPEN] = (memory() - before) / files;
	close_all();
	return m;
}

static struct memory measure(enum way way)
{
	struct memory m;

	if (way == STACK) {
		dxs_mount_stack();
		m = measure_at("stack/up");
		dxs_umount_stack();
		return m;
	}
	dxs_mount_lower();
	if (way == OVERLAY) {
		MUST(mkdir("overlay", 0755));
		MUST(mount("none", "overlay", "overlay", 0,
			   "lowerdir=lower/low,upperdir=lower/up,workdir=lower/work"));
		m = measure_at("overlay");
		MUST(umount("overlay"));
	} else {
		m = measure_at("lower/up");
	}
	dxs_umount_lower();
	return m;
}

static void print_one(enum way way, enum state state, const struct memory *m)
{
	printf("{\"fs\": \"%s\", \"memory\": \"%s\", ", dxs_fs,
	       state_names[state]);
	printf("\"through\": \"%s\", \"files\": %d, \"bytes\": %.0f}\n",
	       way_names[way], files, m->of[state]);
}

static void print_json(const struct memory m[WAYS])
{
	int way, state;

	for (way = 0; way < WAYS; way++)
		for (state = 0; state < STATES; state++)
			print_one(way, state, &m[way]);
}

static void check(const struct memory m[WAYS])
{
	double stack, overlay;
	int state;

	for (state = 0; state < STATES; state++) {
		stack = m[STACK].of[state] - m[LOWER].of[state];
		overlay = m[OVERLAY].of[state] - m[LOWER].of[state];
		dxs_ok(stack <= overlay, "%s takes no more than with overlayfs",
		       state_texts[state]);
		dxs_diag("%.0f bytes above the lower filesystem's %.0f, overlayfs %.0f",
			 stack, m[LOWER].of[state], overlay);
	}
}

int main(int argc, char *argv[])
{
	bool json = argc > 1 && !strcmp(argv[1], "--json");
	struct memory m[WAYS];
	struct rlimit limit;
	int way;

	if (argc > 1 + json)
		files = atoi(argv[1 + json]);
	dxs_begin();
	fds = calloc(files, sizeof(*fds));
	limit.rlim_cur = files + 100;
	limit.rlim_max = files + 100;
	MUST(setrlimit(RLIMIT_NOFILE, &limit));
	dxs_mkfs(NULL);
	DXS_RUN_READ(NULL, 0, "modprobe", "overlay");
	make_files();
	for (way = 0; way < WAYS; way++)
		m[way] = measure(way);
	if (json) {
		print_json(m);
		return 0;
	}
	check(m);
	return dxs_done();
}
