// SPDX-License-Identifier: GPL-2.0-only
/*
 * File accesses of programs, for the memory model. See load.h.
 *
 * Usage: worth-load list            every load: KEY<tab>GROUP<tab>SET<tab>DRAM
 *                                   <tab>OP<tab>WHAT, in one line
 *        worth-load make [KEY|GROUP...]
 *                                   create a filesystem on $PMEM, and on it the
 *                                   files of these loads, or of all
 *        worth-load run KEY|GROUP...
 *                                   run them: for each phase a line
 *                                   REGION<tab>KEY<tab>PHASE<tab>OPERATIONS
 *                                   <tab>INSTRUCTIONS
 *
 * Instructions are read from the TSC, which is right only in a guest that
 * counts them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../region.h"
#include "load.h"

enum { FILES_MAX = 4096 };

static const struct load *const groups[] = {
	loads_reads, loads_scans, loads_writes, loads_switch, loads_sqlite, loads_lmdb,
	loads_programs
};

/* Shared by all processes. */
static int *next_region;

uint64_t next_random(uint64_t *seed)
{
	uint64_t z = (*seed += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* --- Regions. */

static uint64_t count(void)
{
	uint32_t low, high;

	__asm__ __volatile__("rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* Its number is part of the instruction. */
#define ONE(n)	else if (region == (n)) { region_begin(n); begun = true; }
#define FOUR(n)	ONE(n) ONE((n) + 1) ONE((n) + 2) ONE((n) + 3)
#define MANY(n)	FOUR(n) FOUR((n) + 4) FOUR((n) + 8) FOUR((n) + 12)

static void begin(int region)
{
	bool begun = false;

	if (region < REGION_FIRST)
		begun = false;
	MANY(0)
	MANY(16)
	MANY(32)
	MANY(48)
	MANY(64)
	MANY(80)
	MANY(96)
	MANY(112)
	MANY(128)
	MANY(144)
	MANY(160)
	MANY(176)
	MANY(192)
	MANY(208)
	if (!begun)
		dxs_bail("too many regions for one guest");
}

/* Counts the execution of @body. */
#define REGION(r, phase, ops, body) do {				\
	uint64_t from_;							\
									\
	begin(*next_region);						\
	from_ = count();						\
	body;								\
	from_ = count() - from_;					\
	region_end();							\
	printf("%d\t%s\t%s\t%ld\t%llu\n", (*next_region)++, (r)->load->key,	\
	       phase, ops, (unsigned long long)from_);			\
} while (0)

/* --- The files. */

void make_file(const char *path, long len)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
	char *buf = dxs_alloc(64 * KIB);
	long pos, n;

	/* In one extent, so that huge pages fit. */
	if (len)
		MUST(fallocate(fd, 0, 0, len));
	for (pos = 0; pos < len; pos += n) {
		n = len - pos < 64 * KIB ? len - pos : 64 * KIB;
		dxs_fill(buf, n, 1, pos);
		dxs_pwrite(fd, buf, n, pos);
	}
	MUST(fsync(fd));
	close(fd);
	free(buf);
}

void open_file(struct running *r, int flags)
{
	r->fd = MUST(open(FILE_NAME, flags | O_CLOEXEC));
}

void map_file(struct running *r)
{
	r->map = MUST(mmap(NULL, r->load->set, PROT_READ, MAP_SHARED, r->fd, 0));
}

void close_file(struct running *r)
{
	if (r->map)
		MUST(munmap(r->map, r->load->set));
	close(r->fd);
}

/*
 * With extents aligned to huge pages, and with the same identifiers each time:
 * ext4 seeds its name hash with one.
 */
#define ID	"01234567-89ab-4cde-8f01-23456789abcd"

static void make_filesystem(void)
{
	int status;

	if (dxs_on_xfs())
		status = DXS_RUN("mkfs.xfs", "-q", "-f", "-d", "su=2m,sw=1,agcount=4",
				 "-m", "uuid=" ID, dxs_pmem);
	else
		status = DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", "-U", ID, "-E",
				 "stride=512,stripe_width=512,hash_seed=" ID
				 ",lazy_itable_init=0,lazy_journal_init=0",
				 dxs_pmem);
	if (status)
		dxs_bail("cannot create %s on %s", dxs_fs, dxs_pmem);
}

/* In dax mode. */
static void make_files(const struct load *load)
{
	int dir;

	MUST(chdir("stack"));
	if (mkdir(load->dir, 0755)) {
		if (errno != EEXIST)
			dxs_bail("%s: %m", load->dir);
	} else {
		MUST(chdir(load->dir));
		dir = MUST(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		MUST(dxs_set_xflag(dir, DAXSTACK_DAX) ? -1 : 0);
		close(dir);
		load->make(load);
		MUST(chdir(".."));
	}
	MUST(chdir(".."));
}

/* --- Switches of everything below the working directory. */

static int fds[FILES_MAX];
static int n_fds;

static int collect(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)at;
	if (kind != FTW_D && (kind != FTW_F || !S_ISREG(st->st_mode)))
		return 0;
	if (n_fds == FILES_MAX)
		dxs_bail("too many files below %s", path);
	fds[n_fds++] = MUST(open(path, O_RDONLY | O_CLOEXEC));
	return 0;
}

static void open_all(void)
{
	n_fds = 0;
	MUST(nftw(".", collect, 32, FTW_PHYS));
}

static void close_all(void)
{
	while (n_fds)
		close(fds[--n_fds]);
}

/* A directory only gets the flag, which new files inherit. */
static void switch_all(int mode)
{
	int i, err;

	for (i = 0; i < n_fds; i++) {
		err = dxs_set_xflag(fds[i], mode);
		if (err)
			dxs_bail("switch to %s: %s", dxs_mode_name(mode), strerror(err));
	}
}

static void check_mode(int mode)
{
	struct stat st;
	int i;

	for (i = 0; i < n_fds; i++) {
		MUST(fstat(fds[i], &st));
		if (S_ISREG(st.st_mode) && dxs_mode(fds[i]) != mode)
			dxs_bail("a file is not in %s mode", dxs_mode_name(mode));
	}
}

/* --- The phases. */

static void plan(struct running *r, long n)
{
	r->seed++;
	if (r->load->plan)
		r->load->plan(r, n);
}

static void do_phase(struct running *r, const char *phase, long n)
{
	plan(r, n);
	REGION(r, phase, n, r->load->run(r, n));
}

/*
 * The warm-up leaves out some pages. In the steady state all pages of a set
 * that fits into memory are resident and mapped.
 */
static void settle(struct running *r, int mode)
{
	const struct load *load = r->load;
	long pos;
	int i;

	if (mode == DAXSTACK_CACHED && load->dram && load->set >= load->dram)
		return;
	open_all();
	for (i = 0; i < n_fds; i++)
		for (pos = 0; pread(fds[i], r->buf, PAGE, pos) > 0; pos += PAGE)
			;
	close_all();
	for (pos = 0; r->map && pos < load->set; pos += PAGE)
		r->sum += *(volatile uint64_t *)(r->map + pos);
}

static void steady(struct running *r, int mode)
{
	const char *name = dxs_mode_name(mode);
	char twice[16];

	settle(r, mode);
	do_phase(r, name, r->load->ops);
	if (!r->load->start_up)
		return;
	snprintf(twice, sizeof(twice), "%s-twice", name);
	do_phase(r, twice, 2 * r->load->ops);
}

static void to(struct running *r, int mode)
{
	open_all();
	REGION(r, mode == DAXSTACK_DAX ? "to-dax" : "to-cached", 1L, switch_all(mode));
	check_mode(mode);
	close_all();
}

static void make_dirty(struct running *r)
{
	long pos;

	for (pos = 0; pos < r->load->dirty; pos += PAGE)
		dxs_pwrite(r->fd, r->buf, PAGE, pos);
}

static void run_phases(const struct load *load)
{
	long most = load->warm > load->ops ? load->warm : load->ops;
	struct running r = { .load = load, .fd = -1, .seed = 1 };

	r.at = dxs_alloc((most + 1) * sizeof(*r.at));
	memset(r.at, 0, (most + 1) * sizeof(*r.at));
	r.buf = dxs_alloc(64 * KIB);
	memset(r.buf, 1, 64 * KIB);
	load->begin(&r);
	plan(&r, load->warm);
	load->run(&r, load->warm);
	steady(&r, DAXSTACK_DAX);
	to(&r, DAXSTACK_CACHED);
	do_phase(&r, "cached-warm", load->warm);
	steady(&r, DAXSTACK_CACHED);
	make_dirty(&r);
	to(&r, DAXSTACK_DAX);
	do_phase(&r, "dax-warm", load->warm);
	load->end(&r);
}

/* --- Memory. */

#define CGROUP	"/sys/fs/cgroup/"

static void limit_memory(long bytes)
{
	char text[32];

	if (!bytes)
		return;
	dxs_must_put(CGROUP "cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP "worth", 0755) && errno != EEXIST)
		dxs_bail(CGROUP "worth: %m");
	snprintf(text, sizeof(text), "%ld", bytes);
	dxs_must_put(CGROUP "worth/memory.max", text);
	dxs_must_put(CGROUP "worth/cgroup.procs", "0");
}

/* In a process of its own, so that each starts with the same memory. */
static void run_load(const struct load *load)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = MUST(fork());
	if (!pid) {
		MUST(chdir("stack"));
		MUST(chdir(load->dir));
		limit_memory(load->dram);
		run_phases(load);
		fflush(stdout);
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0));
	if (status)
		dxs_bail("%s failed: status %#x", load->key, status);
}

/* --- Selection of loads. */

static bool named(const struct load *load, char *names[])
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, load->key) || !strcmp(*names, load->group))
			return true;
	return false;
}

static void tell(const struct load *load)
{
	printf("%s\t%s\t%ld\t%ld\t%s\t%s\n", load->key, load->group, load->set,
	       load->dram, load->op, load->what);
}

static int each(void (*act)(const struct load *load), char *names[])
{
	const struct load *load;
	size_t i;
	int n = 0;

	for (i = 0; i < ARRAY_SIZE(groups); i++)
		for (load = groups[i]; load->key; load++)
			if (named(load, names)) {
				act(load);
				n++;
			}
	return n;
}

int main(int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "list")) {
		each(tell, argv + 2);
		return 0;
	}
	if (strcmp(what, "make") && (strcmp(what, "run") || argc < 3)) {
		fprintf(stderr, "usage: worth-load list|make|run [KEY|GROUP...]\n");
		return 2;
	}
	dxs_begin();
	next_region = MUST(mmap(NULL, sizeof(*next_region), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	if (!strcmp(what, "make"))
		make_filesystem();
	dxs_mount_stack();
	if (!each(strcmp(what, "make") ? run_load : make_files, argv + 2))
		dxs_bail("no load of that name");
	dxs_umount_stack();
	return 0;
}
