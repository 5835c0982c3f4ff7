// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions per call, measured and compared with their bounds.
 *
 * Usage: bench                   TAP: what daxstack adds to each call that has a
 *                                bound
 *        bench --counted [FILE]  TAP: what a heat session adds to that, or the
 *                                BPF programs in FILE, for scripts/measure/bench-heat
 *        bench --figures         every call on every layer, for scripts/measure/bench:
 *                                MODE CALL BOUND DEPTH CALLS, and for the lower
 *                                filesystem, the stack and overlayfs each DIRECT
 *                                DEFERRED TOTAL, in one line, with tabs
 *        bench --one CALL MODE   the same for one call
 *        bench --plain CALL MODE N   the same for one call by simple timing:
 *                                a loop of N calls, by the clock
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "bench.h"
#include "mark.h"

enum { CALLS_MAX = 64 };

static const char *const roots[ALL_LAYERS] = { "lower", "stack", "overlay", "stack" };
static const struct bench_call *const groups[] = {
	bench_data, bench_maps, bench_names
};

/* By mode, call, layer; 0: not measured. */
static struct bench_count counts[2][CALLS_MAX][ALL_LAYERS];

/* Maximum that a heat session adds to a call. */
#define BOUND_COUNTED	39

static char *buf;
static const char *one_call, *one_mode;
static int plain_calls;
static int session;
static const char *by_bpf;

/* What to measure. */
static enum what { BOUND, COUNTED, ALL, ONE, PLAIN } what = BOUND;

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

	/* In one extent, so that huge pages fit. */
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

void bench_enter(struct bench *b, int batch)
{
	char name[20];

	batch_name(name, batch);
	MUST(chdir(name));
	b->batch = batch;
}

void bench_leave(void)
{
	MUST(chdir(".."));
}

/* The contents of a batch's working directory. */
static void make_batch(int batch)
{
	char name[20];
	int i;

	batch_name(name, batch);
	make_dir(name);
	make_file("name", 0);
	MUST(setxattr("name", "user.bench", buf, 16, 0));
	make_file("fresh", FRESH_LEN);
	for (i = 1; i < DEEPEST; i++) {
		snprintf(name, sizeof(name), "%d", i);
		make_dir(name);
		make_file("name", 0);
	}
	for (i = 0; i < DEEPEST; i++)
		MUST(chdir(".."));
}

/* The contents of the calls' working directory. */
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
	for (i = 0; i < BATCHES; i++)
		make_batch(i);
}

/*
 * With extents aligned to huge pages, so that one fault can map one, and with
 * the same identifiers each time: ext4 seeds its name hash with one.
 */
#define ID	"01234567-89ab-4cde-8f01-23456789abcd"

static void make_filesystem(void)
{
	int status;

	if (dxs_on_xfs())
		status = DXS_RUN("mkfs.xfs", "-q", "-f", "-d", "su=2m,sw=1,agcount=4",
				 "-m", "uuid=" ID, dxs_pmem);
	else
		status = DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", "-U", ID, "-N",
				 "16384", "-E", "stride=512,stripe_width=512,hash_seed=" ID,
				 /*
				  * No thread may initialize the rest while we
				  * count.
				  */
				 "-E", "lazy_itable_init=0,lazy_journal_init=0",
				 dxs_pmem) ?:
			 /* Commit transactions only on request. */
			 DXS_RUN("tune2fs", "-E", "mount_opts=commit=1000000",
				 dxs_pmem);
	if (status)
		dxs_bail("cannot create %s on %s", dxs_fs, dxs_pmem);
}

/* The same on every layer, created by the lower filesystem alone. */
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

/* The session has not been read, and no probe was started. */
static void begin_counting(void)
{
	struct daxstack_heat_open arg = { .flags = DAXSTACK_HEAT_WINDOWS };
	int fd = MUST(open("stack", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	session = MUST(ioctl(fd, DAXSTACK_IOC_HEAT_OPEN, &arg));
	close(fd);
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
	case ON_COUNTED:
		dxs_mount_stack();
		if (by_bpf)
			bpf_begin(by_bpf);
		else
			begin_counting();
		break;
	default:
		mount_overlay();
	}
}

static void umount_layer(enum bench_layer layer)
{
	switch (layer) {
	case ON_COUNTED:
		if (by_bpf)
			bpf_end();
		else
			MUST(close(session));
		/* fallthrough */
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

static void tell_layer(enum bench_layer layer)
{
	switch (layer) {
	case ON_LOWER:
		MARK_LOWER();
		break;
	case ON_OVERLAY:
		MARK_OVERLAY();
		break;
	default:
		MARK_STACK();
	}
}

static bool wanted(enum bench_layer layer, int mode,
		   const struct bench_call *call)
{
	switch (what) {
	case BOUND:
		return layer == ON_COUNTED ? call->counted : bench_bound(call);
	case COUNTED:
		return call->counted;
	case ALL:
		return true;
	default:
		return !strcmp(call->name, one_call) &&
			!strcmp(dxs_mode_name(mode), one_mode);
	}
}

static void measure_all(enum bench_layer layer, int mode)
{
	struct bench b = { .layer = layer, .mode = mode, .buf = buf };
	const struct bench_call *call;
	size_t group;
	int i = 0;

	for (group = 0; group < ARRAY_SIZE(groups); group++)
		for (call = groups[group]; call->name; call++, i++) {
			if (!wanted(layer, mode, call))
				continue;
			if (what == PLAIN)
				count_plainly(&b, call, plain_calls,
					      &counts[mode][i][layer]);
			else
				count_call(&b, call, &counts[mode][i][layer]);
		}
}

static void measure_layer(enum bench_layer layer)
{
	int mode;

	make_files();
	mount_layer(layer);
	tell_layer(layer);
	for (mode = 0; mode < 2; mode++) {
		go_to(layer, mode);
		measure_all(layer, mode);
		go_back(layer);
	}
	umount_layer(layer);
}

/* --- Results. */

static void tell(int mode, const struct bench_call *call,
		 const struct bench_count *count)
{
	int layer;

	if (!count_total(&count[ON_LOWER]))
		return;
	printf("%s\t%s\t%d\t%d\t%d", dxs_mode_name(mode), call->name, bench_bound(call),
	       call->depth, call->calls / BATCHES * BATCHES);
	for (layer = 0; layer < LAYERS; layer++)
		printf("\t%ld\t%ld\t%ld", lround(count[layer].direct),
		       count_total(&count[layer]) - lround(count[layer].direct),
		       count_total(&count[layer]));
	printf("\n");
}

/* Only the direct part: counting defers no work. */
static void check_counted(int mode, const struct bench_call *call,
			  const struct bench_count *count)
{
	double extra = count[ON_COUNTED].direct - count[ON_STACK].direct;

	if (!count_total(&count[ON_COUNTED]))
		return;
	dxs_ok(extra <= BOUND_COUNTED,
	       "%s, %s: counting adds at most %d instructions",
	       call->name, dxs_mode_name(mode), BOUND_COUNTED);
	dxs_diag("counting: %+.1f on %.1f", extra, count[ON_STACK].direct);
}

/* The layers needed for the bounds. */
static void measure_bounds(void)
{
	/*
	 * Also for COUNTED: the first calls of all have extra cost in the
	 * kernel.
	 */
	measure_layer(ON_LOWER);
	measure_layer(ON_STACK);
	/*
	 * The stack's code is the same on all kernels and filesystems. XFS has
	 * large folios on 6.12, at varying offsets: faults and writes then
	 * differ by more than the bounds.
	 */
	if (what == COUNTED || (!dxs_on_xfs() && dxs_kernel_from(6, 12) &&
				!dxs_kernel_from(7, 0)))
		measure_layer(ON_COUNTED);
}

static void check(int mode, const struct bench_call *call,
		  const struct bench_count *count)
{
	const struct bench_count *low = &count[ON_LOWER], *stack = &count[ON_STACK];
	long extra = count_total(stack) - count_total(low);
	static long first, first_bound;
	int bound = bench_bound(call);

	if (!count_total(stack))
		return;
	check_counted(mode, call, count);
	if (!bound || !count_total(low))
		return;
	if (!dxs_ok(extra <= bound, "%s, %s: at most %d more instructions",
		    call->name, dxs_mode_name(mode), bound))
		dxs_diag("expected at most %d, seen %ld", bound, extra);
	dxs_diag("%ld on %ld: in the call %+.1f on %.1f, deferred %+.1f on %.1f", extra,
		 count_total(low), stack->direct - low->direct, low->direct,
		 stack->later - low->later, low->later);

	/*
	 * Each further component as well: the first one may hide the cost of
	 * others.
	 */
	if (call->depth == 1) {
		first = extra;
		first_bound = bound;
	} else if (call->depth) {
		if (!dxs_ok(extra - first <= bound - first_bound,
			    "%s, %s: at most %ld more per further component",
			    call->name, dxs_mode_name(mode),
			    (bound - first_bound) / (call->depth - 1)))
			dxs_diag("seen %.1f", (double)(extra - first) / (call->depth - 1));
	}
}

static void each_result(void (*act)(int mode, const struct bench_call *call,
				    const struct bench_count *count))
{
	const struct bench_call *call;
	size_t group;
	int mode, i;

	for (mode = 0; mode < 2; mode++)
		for (group = 0, i = 0; group < ARRAY_SIZE(groups); group++)
			for (call = groups[group]; call->name; call++, i++)
				act(mode, call, counts[mode][i]);
}

int main(int argc, char *argv[])
{
	bool bounds;
	int layer;

	if (argc == 2 && !strcmp(argv[1], "--figures"))
		what = ALL;
	if (argc >= 2 && !strcmp(argv[1], "--counted")) {
		what = COUNTED;
		by_bpf = argv[2];
	}
	if (argc == 4 && !strcmp(argv[1], "--one"))
		what = ONE;
	if (argc == 5 && !strcmp(argv[1], "--plain")) {
		what = PLAIN;
		plain_calls = atoi(argv[4]);
	}
	if (what == ONE || what == PLAIN) {
		one_call = argv[2];
		one_mode = argv[3];
	}
	dxs_begin();
	bounds = what == BOUND || what == COUNTED;
	if (bounds && dxs_slow() > 1) {
		dxs_skip("a debug kernel adds instructions of its own",
			 "bounds");
		return dxs_done();
	}
	MUST(mkdir("overlay", 0755));
	buf = dxs_alloc(FILE_LEN);
	memset(buf, 1, FILE_LEN);
	count_begin();
	if (bounds)
		measure_bounds();
	for (layer = 0; !bounds && layer < LAYERS; layer++)
		measure_layer(layer);
	each_result(bounds ? check : tell);
	return bounds ? dxs_done() : 0;
}
