// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions per call, measured and held to their bounds.
 *
 * Usage: bench                   TAP: what daxstack adds to each call that has a
 *                                bound
 *        bench --figures         every call on every layer, for scripts/bench:
 *                                MODE<tab>CALL<tab>BOUND<tab>LOWER<tab>STACK
 *                                <tab>OVERLAY, in one line
 *        bench --one CALL MODE   the same for one call
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "bench.h"

enum { CALLS_MAX = 64 };

static const char *const roots[LAYERS] = { "lower", "stack", "overlay" };
static const struct bench_call *const groups[] = {
	bench_data, bench_maps, bench_names
};

/* By mode, call, layer; 0: not measured. */
static uint64_t counts[2][CALLS_MAX][LAYERS];
static char *buf;
static const char *one_call, *one_mode;

void bench_open(struct bench *b, const char *path, int flags)
{
	b->fd = MUST(open(path, flags | O_CLOEXEC));
}

void bench_close(struct bench *b)
{
	close(b->fd);
}

/* --- The files. */

static void make_file(const char *path, size_t len)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
	size_t pos;

	/* In one piece, so that huge pages fit. */
	if (len)
		MUST(fallocate(fd, 0, 0, len));
	for (pos = 0; pos < len; pos += 64 * KIB)
		dxs_pwrite(fd, buf, 64 * KIB, pos);
	MUST(fsync(fd));
	close(fd);
}

static void make_dir(const char *path)
{
	MUST(mkdir(path, 0755));
	MUST(chdir(path));
}

static void batch_name(char name[20], int batch)
{
	sprintf(name, "batch%d", batch);
}

/* What a batch finds in its working directory. */
static void make_batch(int batch)
{
	char name[20];
	int i;

	batch_name(name, batch);
	make_dir(name);
	make_file("name", 0);
	MUST(setxattr("name", "user.bench", buf, 16, 0));
	make_file("fresh", FRESH_LEN);
	for (i = 1; i <= 8; i++) {
		snprintf(name, sizeof(name), "%d", i);
		make_dir(name);
	}
	make_file("name", 0);
	for (i = 0; i <= 8; i++)
		MUST(chdir(".."));
}

/* What the calls find in theirs. */
static void make_tree(void)
{
	char name[16];
	int i;

	make_file("huge", HUGE_PAGES * HUGE_LEN);
	make_file("file", FILE_LEN);
	make_dir("many");
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%08d", i);
		MUST(mknod(name, S_IFREG | 0644, 0));
	}
	MUST(chdir(".."));
	for (i = 0; i < BENCH_BATCHES; i++)
		make_batch(i);
}

/*
 * With extents aligned to huge pages, so that one fault can map one, and with
 * the same identifiers each time: ext4 hashes names with one.
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
				 "stride=512,stripe_width=512,hash_seed=" ID,
				 dxs_pmem) ?:
			 /* A transaction ends when it is told to. */
			 DXS_RUN("tune2fs", "-E", "mount_opts=commit=3600",
				 dxs_pmem);
	if (status)
		dxs_bail("cannot make %s on %s", dxs_fs, dxs_pmem);
}

/* The same on every layer, made by the lower filesystem alone. */
static void make_files(void)
{
	int mode, dir;

	make_filesystem();
	dxs_mount_lower();
	MUST(chdir("lower"));
	MUST(mkdir("empty", 0755));
	MUST(mkdir("work", 0755));
	make_dir(UPPER);
	for (mode = 0; mode < 2; mode++) {
		make_dir(dxs_mode_name(mode));
		dir = MUST(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		MUST(dxs_set_xflag(dir, mode) ? -1 : 0);
		close(dir);
		make_tree();
		MUST(chdir(".."));
	}
	MUST(chdir("../.."));
	dxs_umount_lower();
}

/* --- The layers. */

static void mount_overlay(void)
{
	int err;

	dxs_mount_lower();
	err = mount("overlay", "overlay", "overlay", 0,
		    "lowerdir=lower/empty,upperdir=lower/" UPPER ",workdir=lower/work");
	if (err)
		dxs_bail("mount overlay: %m");
}

static void mount_layer(enum bench_layer layer)
{
	switch (layer) {
	case ON_LOWER:
		dxs_mount_lower();
		break;
	case ON_STACK:
		dxs_mount_stack();
		break;
	default:
		mount_overlay();
	}
}

static void umount_layer(enum bench_layer layer)
{
	switch (layer) {
	case ON_STACK:
		dxs_umount_stack();
		break;
	case ON_OVERLAY:
		MUST(umount2("overlay", 0));
		/* fallthrough */
	default:
		dxs_umount_lower();
	}
}

static void go_to(enum bench_layer layer, int mode)
{
	MUST(chdir(roots[layer]));
	/* The root of the overlay is the upper directory. */
	if (layer != ON_OVERLAY)
		MUST(chdir(UPPER));
	MUST(chdir(dxs_mode_name(mode)));
}

static void go_back(enum bench_layer layer)
{
	MUST(chdir(layer == ON_OVERLAY ? "../.." : "../../.."));
}

/* --- Counting. */

/*
 * To the profiler: what comes is on this layer, or on none. An instruction that
 * does nothing, with a number in it.
 */
static void tell_profiler(enum bench_layer layer)
{
#define TELL(number)	__asm__ __volatile__("nopl " #number "(%rax)")
	switch (layer) {
	case ON_LOWER:
		TELL(0x62656e00);
		break;
	case ON_STACK:
		TELL(0x62656e01);
		break;
	case ON_OVERLAY:
		TELL(0x62656e02);
		break;
	default:
		TELL(0x62656eff);
	}
#undef TELL
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/*
 * The median of a batch, so that a timer tick, a refilled cache or a new time
 * stamp in some of the runs does not show; and the least of all batches, for
 * each has its own dentries, and some may share a hash bucket.
 */
static uint64_t measure(struct bench *b, const struct bench_call *call)
{
	uint64_t seen[BENCH_RUNS], least = UINT64_MAX;
	char dir[20];
	int run;

	if (call->begin && !call->begin(b))
		return 0;
	for (b->batch = 0; b->batch < BENCH_BATCHES; b->batch++) {
		batch_name(dir, b->batch);
		MUST(chdir(dir));
		/* Kernel threads get their turn between batches, not in them. */
		dxs_sleep_ms(50);
		for (run = 0; run < BENCH_RUNS; run++)
			seen[run] = call->once(b, run);
		MUST(chdir(".."));
		qsort(seen, BENCH_RUNS, sizeof(*seen), by_size);
		if (seen[BENCH_RUNS / 2] < least)
			least = seen[BENCH_RUNS / 2];
	}
	if (call->end)
		call->end(b);
	return least;
}

/* Which of the calls. */
enum what { BOUND, ALL, ONE };

static bool wanted(int mode, const struct bench_call *call, enum what what)
{
	switch (what) {
	case BOUND:
		return call->bound;
	case ALL:
		return true;
	default:
		return !strcmp(call->name, one_call) &&
			!strcmp(dxs_mode_name(mode), one_mode);
	}
}

static void measure_all(enum bench_layer layer, int mode, enum what what)
{
	struct bench b = { .layer = layer, .mode = mode, .buf = buf };
	const struct bench_call *call;
	size_t group;
	int i = 0;

	for (group = 0; group < ARRAY_SIZE(groups); group++)
		for (call = groups[group]; call->name; call++, i++) {
			if (!wanted(mode, call, what))
				continue;
			if (what == ONE)
				tell_profiler(layer);
			counts[mode][i][layer] = measure(&b, call);
			tell_profiler(LAYERS);
		}
}

static void measure_layer(enum bench_layer layer, enum what what)
{
	int mode;

	make_files();
	mount_layer(layer);
	for (mode = 0; mode < 2; mode++) {
		go_to(layer, mode);
		measure_all(layer, mode, what);
		go_back(layer);
	}
	umount_layer(layer);
}

/* --- What comes of it. */

static void tell(int mode, const struct bench_call *call, const uint64_t *count)
{
	if (count[ON_LOWER])
		printf("%s\t%s\t%d\t%llu\t%llu\t%llu\n", dxs_mode_name(mode),
		       call->name, call->bound,
		       (unsigned long long)count[ON_LOWER],
		       (unsigned long long)count[ON_STACK],
		       (unsigned long long)count[ON_OVERLAY]);
}

static void check(int mode, const struct bench_call *call, const uint64_t *count)
{
	long long extra = count[ON_STACK] - count[ON_LOWER];

	if (!call->bound || !count[ON_LOWER])
		return;
	if (!dxs_ok(extra <= call->bound, "%s, %s: at most %d more instructions",
		    call->name, dxs_mode_name(mode), call->bound))
		dxs_diag("expected at most %d, seen %lld", call->bound, extra);
	dxs_diag("%lld on %llu", extra, (unsigned long long)count[ON_LOWER]);
}

static void each_result(void (*act)(int mode, const struct bench_call *call,
				    const uint64_t *count))
{
	const struct bench_call *call;
	size_t group;
	int mode, i;

	for (mode = 0; mode < 2; mode++)
		for (group = 0, i = 0; group < ARRAY_SIZE(groups); group++)
			for (call = groups[group]; call->name; call++, i++)
				act(mode, call, counts[mode][i]);
}

static void setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* Not every kernel has all of them, nor has it XFS loaded each time. */
	if (fd < 0)
		return;
	MUST(write(fd, value, strlen(value)));
	close(fd);
}

/* Nobody else runs while we do, nor does anyone come round by the clock. */
static void be_alone(void)
{
	struct sched_param param = { .sched_priority = 50 };

	setting("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	setting("/proc/sys/vm/dirty_writeback_centisecs", "0");
	setting("/proc/sys/vm/dirtytime_expire_seconds", "0");
	setting("/proc/sys/vm/stat_interval", "3600");
	setting("/proc/sys/fs/xfs/xfssyncd_centisecs", "720000");
	MUST(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param));
	MUST(mlockall(MCL_CURRENT));
}

int main(int argc, char *argv[])
{
	enum what what = BOUND;
	int layer;

	if (argc == 2 && !strcmp(argv[1], "--figures"))
		what = ALL;
	if (argc == 4 && !strcmp(argv[1], "--one")) {
		what = ONE;
		one_call = argv[2];
		one_mode = argv[3];
	}
	dxs_begin();
	if (what == BOUND && dxs_slow() > 1) {
		dxs_skip("a debug kernel counts itself", "bounds");
		return dxs_done();
	}
	MUST(mkdir("overlay", 0755));
	buf = dxs_alloc(64 * KIB);
	memset(buf, 1, 64 * KIB);
	be_alone();
	for (layer = 0; layer < (what == BOUND ? ON_OVERLAY : LAYERS); layer++)
		measure_layer(layer, what);
	each_result(what == BOUND ? check : tell);
	return what == BOUND ? dxs_done() : 0;
}
