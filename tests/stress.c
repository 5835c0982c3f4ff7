// SPDX-License-Identifier: GPL-2.0-only
/*
 * Switches under load: two files are switched back and forth every few
 * milliseconds while threads
 *
 * - store to a shared mapping of the file, - write and read it, through the
 *   page cache and with O_DIRECT, - read from it into a mapping of it, and
 *   crosswise with the second file (H1), - call msync, fsync and fdatasync, -
 *   truncate it and punch holes, - fork children that store to inherited and to
 *   new mappings.
 *
 * Every byte has one owner thread, which keeps a copy and compares it again and
 * again. At the end all bytes are compared through the mapping, by read, with
 * O_DIRECT, and once more on the lower filesystem alone; then fsck.
 *
 * Usage: stress [-n SWITCHES] [-t SECONDS] [-s SEED]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dxs_test.h"

/*
 * Layout of both files, by owner. Parts with direct I/O start at a huge page
 * boundary: elsewhere a large folio of the page cache may extend into a
 * neighbour's part, and direct I/O then fails to invalidate it.
 */
#define STORE_AT	0
#define STORE_LEN	(1 * MIB)
#define FORK_AT		(1 * MIB)
#define FORK_LEN	(128 * KIB)
#define WRITE_AT	(2 * MIB)
#define WRITE_LEN	(1 * MIB)
#define CROSS_AT	(3 * MIB)	/* for each thread: from, to */
#define CROSS_LEN	(256 * KIB)
#define DIRECT_AT	(4 * MIB)
#define DIRECT_LEN	(2 * MIB)
#define PUNCH_AT	(6 * MIB)
#define PUNCH_LEN	(1 * MIB)
#define SIZE		(8 * MIB)	/* minimum size */
#define MOST		(10 * MIB)	/* maximum size; 0 from SIZE on */

#define STORERS		2
#define SLOTS		4		/* of each storer in each page */
/*
 * A storer pauses after this many stores. Otherwise it would starve the
 * switching thread; and on a busy host, emulated processors that never idle
 * delay every inter-processor interrupt.
 */
#define BURST		256
#define CHUNK		(16 * KIB)

static struct file {
	const char *name;
	int fd;
	int direct;
	uint8_t *map;
	uint8_t *image;		/* expected contents */
} files[2] = { { .name = "one" }, { .name = "two" } };

static atomic_bool stop;
static atomic_int complaints;
static uint64_t seed = 1;

static struct count {
	const char *what;
	unsigned long n;
} counts[] = {
#define STORES		0
	{ "stores", 0 }, { "stores", 0 },
#define WRITES		2
	{ "writes", 0 },
#define DIRECTS		3
	{ "direct writes", 0 },
#define CROSSES		4
	{ "reads into mappings", 0 }, { "reads into mappings", 0 },
#define SYNCS		6
	{ "syncs", 0 },
#define PUNCHES		7
	{ "truncates and holes", 0 },
#define FORKS		8
	{ "forks", 0 },
};

/* --- Helpers. */

static __attribute__((format(printf, 1, 2))) void complain(const char *text, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	char line[256];
	va_list args;

	va_start(args, text);
	vsnprintf(line, sizeof(line), text, args);
	va_end(args);
	atomic_store(&stop, true);
	pthread_mutex_lock(&lock);
	if (atomic_fetch_add(&complaints, 1) < 20)
		dxs_diag("%s", line);
	pthread_mutex_unlock(&lock);
}

/* xorshift64*, one state per thread. */
static uint32_t rnd(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 2685821657736338717ull) >> 32;
}

static uint64_t rnd_begin(unsigned int thread)
{
	return (seed + thread + 1) * 0x9e3779b97f4a7c15ull | 1;
}

static void check(const uint8_t *expected, const uint8_t *seen, size_t len,
		  off_t pos, const char *what)
{
	if (!dxs_same(expected, seen, len, pos, what))
		complain("%s: wrong contents", what);
}

/* A call that must transfer its full length. */
#define WHOLE(call, len) do {						\
	ssize_t ret_ = (call), len_ = (len);				\
									\
	if (ret_ != len_)						\
		complain("%s: expected %zd, seen %zd (%s)", #call,	\
			 len_, ret_,					\
			 ret_ < 0 ? strerror(errno) : "short");		\
} while (0)

/* --- The load. */

/*
 * Stores to slots of its own in all pages; each slot must have the value last
 * stored.
 */
static void *store(void *arg)
{
	long me = (long)arg;
	uint64_t state = rnd_begin(STORES + me);

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint32_t r = rnd(&state);
		size_t at = STORE_AT + r % (STORE_LEN / PAGE) * PAGE +
			(r >> 24) % SLOTS * (PAGE / SLOTS) +
			me * sizeof(uint64_t);
		volatile uint64_t *slot = (void *)(files[0].map + at);
		uint64_t *last = (void *)(files[0].image + at);
		uint64_t seen = *slot;

		if (seen != *last)
			complain("storer %ld at %#zx: expected %llu, seen %llu",
				 me, at, (unsigned long long)*last,
				 (unsigned long long)seen);
		*slot = ++*last;
		if (++counts[STORES + me].n % BURST == 0)
			usleep(500);
	}
	return NULL;
}

/* Writes to a random place of a part, in units of @align, and reads it back. */
static void write_and_read(uint64_t *state, int fd, size_t align, off_t part,
			   size_t part_len, uint8_t *buf, const char *what)
{
	uint8_t *image = files[0].image;
	size_t len = (rnd(state) % (CHUNK / align) + 1) * align;
	off_t pos = part + rnd(state) % ((part_len - len) / align + 1) * align;

	dxs_fill(image + pos, len, rnd(state), pos);
	memcpy(buf, image + pos, len);
	WHOLE(pwrite(fd, buf, len, pos), len);

	len = (rnd(state) % (CHUNK / align) + 1) * align;
	if (rnd(state) % 2)
		pos = part + rnd(state) % ((part_len - len) / align + 1) * align;
	if (pos + (off_t)len > part + (off_t)part_len)
		len = part + part_len - pos;
	memset(buf, 0, len);
	WHOLE(pread(fd, buf, len, pos), len);
	check(image + pos, buf, len, pos, what);
}

static void *buffered(void *arg)
{
	uint64_t state = rnd_begin(WRITES);
	uint8_t *buf = dxs_alloc(CHUNK);

	(void)arg;
	while (!atomic_load(&stop)) {
		write_and_read(&state, files[0].fd, 1, WRITE_AT, WRITE_LEN,
			       buf, "pread");
		counts[WRITES].n++;
		usleep(500);
	}
	free(buf);
	return NULL;
}

static void *direct(void *arg)
{
	uint64_t state = rnd_begin(DIRECTS);
	uint8_t *buf = dxs_alloc(CHUNK);

	(void)arg;
	while (!atomic_load(&stop)) {
		write_and_read(&state, files[0].direct, PAGE, DIRECT_AT,
			       DIRECT_LEN, buf, "pread, O_DIRECT");
		counts[DIRECTS].n++;
		usleep(500);
	}
	free(buf);
	return NULL;
}

/*
 * H1: reads from a file into a mapping of the same or the other file, and
 * writes from such a mapping. The second thread uses the files the other way
 * round.
 */
static void *cross(void *arg)
{
	long me = (long)arg;
	uint64_t state = rnd_begin(CROSSES + me);
	off_t from = CROSS_AT + me * 2 * CROSS_LEN, to = from + CROSS_LEN;
	struct file *src = &files[me];
	uint8_t *buf = dxs_alloc(CHUNK);

	while (!atomic_load(&stop)) {
		struct file *dst = &files[rnd(&state) % 2];
		size_t len = rnd(&state) % CHUNK + 1;
		off_t a = from + rnd(&state) % (CROSS_LEN - len + 1);
		off_t b = to + rnd(&state) % (CROSS_LEN - len + 1);

		dxs_fill(src->image + a, len, rnd(&state), a);
		memcpy(dst->image + b, src->image + a, len);
		memcpy(buf, src->image + a, len);
		WHOLE(pwrite(src->fd, buf, len, a), len);
		if (rnd(&state) % 2)
			WHOLE(pread(src->fd, dst->map + b, len, a), len);
		else
			WHOLE(pwrite(dst->fd, src->map + a, len, b), len);
		memset(buf, 0, len);
		WHOLE(pread(dst->fd, buf, len, b), len);
		check(dst->image + b, buf, len, b, "crosswise");
		counts[CROSSES + me].n++;
		usleep(500);
	}
	free(buf);
	return NULL;
}

static void *sync_all(void *arg)
{
	uint64_t state = rnd_begin(SYNCS);

	(void)arg;
	while (!atomic_load(&stop)) {
		struct file *file = &files[rnd(&state) % 2];
		int err = 0;

		switch (rnd(&state) % 4) {
		case 0:
			err = ERR(msync(file->map, SIZE, MS_SYNC));
			break;
		case 1:
			err = ERR(msync(file->map + WRITE_AT, WRITE_LEN,
					MS_SYNC));
			break;
		case 2:
			err = ERR(fsync(file->fd));
			break;
		default:
			err = ERR(fdatasync(file->fd));
		}
		if (err)
			complain("msync or fsync: %s", strerror(err));
		counts[SYNCS].n++;
		usleep(rnd(&state) % 30000);
	}
	return NULL;
}

/*
 * No thread writes beyond SIZE: bytes that appear there when the file grows are
 * 0.
 */
static void truncate_tail(uint64_t *state, uint8_t *buf)
{
	static const uint8_t zero[CHUNK];
	off_t size = SIZE + rnd(state) % (MOST - SIZE);
	ssize_t n;

	WHOLE(ftruncate(files[0].fd, size), 0);
	memset(buf, 1, CHUNK);
	n = pread(files[0].fd, buf, CHUNK, SIZE);
	if (n != (size - SIZE < CHUNK ? size - SIZE : CHUNK))
		complain("size %lld: a read from the tail returns %zd",
			 (long long)size, n);
	else
		check(zero, buf, n, SIZE, "tail");
	if (rnd(state) % 2)
		WHOLE(ftruncate(files[0].fd, SIZE), 0);
}

static void punch(uint64_t *state, uint8_t *buf)
{
	int fd = files[0].fd;
	size_t len = rnd(state) % CHUNK + 1;
	off_t pos = PUNCH_AT + rnd(state) % (PUNCH_LEN - len + 1);
	uint8_t *image = files[0].image + pos;

	memset(image, 0, len);
	WHOLE(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos,
			len), 0);
	if (rnd(state) % 2) {
		memset(buf, 1, len);
		WHOLE(pread(fd, buf, len, pos), len);
		check(image, buf, len, pos, "hole");
	} else {
		check(image, files[0].map + pos, len, pos, "mapped hole");
	}
	dxs_fill(image, len, rnd(state), pos);
	if (rnd(state) % 2) {
		WHOLE(pwrite(fd, image, len, pos), len);
		check(image, files[0].map + pos, len, pos, "mapped, written");
	} else {
		memcpy(files[0].map + pos, image, len);
		WHOLE(pread(fd, buf, len, pos), len);
		check(image, buf, len, pos, "stored, read");
	}
}

static void *cut(void *arg)
{
	uint64_t state = rnd_begin(PUNCHES);
	uint8_t *buf = dxs_alloc(CHUNK);

	(void)arg;
	while (!atomic_load(&stop)) {
		if (rnd(&state) % 2)
			truncate_tail(&state, buf);
		else
			punch(&state, buf);
		counts[PUNCHES].n++;
		usleep(1000);
	}
	free(buf);
	return NULL;
}

/* In a child of a multithreaded process: no stdio, no locks. */
static int child_stores(size_t at, uint64_t value)
{
	struct file *file = &files[0];
	uint8_t *own = mmap(NULL, FORK_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			    file->fd, FORK_AT);

	if (own == MAP_FAILED)
		return 2;
	*(volatile uint64_t *)(own + at - FORK_AT + 8) = value;
	*(volatile uint64_t *)(file->map + at) = value;
	if (*(volatile uint64_t *)(own + at - FORK_AT) != value ||
	    *(volatile uint64_t *)(file->map + at + 8) != value)
		return 3;
	if (munmap(own, FORK_LEN))
		return 4;
	return 0;
}

static void *fork_children(void *arg)
{
	uint64_t state = rnd_begin(FORKS);
	struct file *file = &files[0];

	(void)arg;
	while (!atomic_load(&stop)) {
		size_t at = FORK_AT + rnd(&state) % (FORK_LEN / PAGE) * PAGE;
		uint64_t value = rnd(&state), seen[2];
		pid_t pid = fork();
		int status = 0;

		if (!pid)
			_exit(child_stores(at, value));
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
			complain("child: status %#x", status);
			break;
		}
		memcpy(file->image + at, &value, 8);
		memcpy(file->image + at + 8, &value, 8);
		WHOLE(pread(file->fd, seen, 16, at), 16);
		check(file->image + at, (void *)seen, 16, at, "of the child");
		counts[FORKS].n++;
		usleep(300000);
	}
	return NULL;
}

/* --- The switches. */

static struct {
	unsigned long attempts, effective, by_xflag, busy, other;
	unsigned long reasons[DAXSTACK_REASON_COUNT];
	uint64_t *shut_ns;
	unsigned long shut_count, shut_room;
} sw_stats;

static void note_shut(uint64_t ns)
{
	if (sw_stats.shut_count == sw_stats.shut_room) {
		sw_stats.shut_room = 2 * sw_stats.shut_room + 256;
		sw_stats.shut_ns = realloc(sw_stats.shut_ns,
					   8 * sw_stats.shut_room);
		if (!sw_stats.shut_ns)
			dxs_bail("no memory");
	}
	sw_stats.shut_ns[sw_stats.shut_count++] = ns;
}

static void switch_once(struct file *file, bool by_xflag)
{
	int from = dxs_mode(file->fd), to = !from;
	struct daxstack_switch sw = { 0 };
	int err;

	if (by_xflag)
		err = dxs_set_xflag(file->fd, to);
	else
		err = dxs_switch(file->fd, to, 0, &sw);
	sw_stats.attempts++;
	if (err == EBUSY) {
		sw_stats.busy++;
		if (by_xflag)
			return;
		if (sw.reason < DAXSTACK_REASON_COUNT)
			sw_stats.reasons[sw.reason]++;
	} else if (err) {
		sw_stats.other++;
		complain("switch to %s%s: %s, reason %s", dxs_mode_name(to),
			 by_xflag ? " by FSSETXATTR" : "", strerror(err),
			 dxs_reason_name(sw.reason));
	}
	if (dxs_mode(file->fd) != (err ? from : to)) {
		complain("%s after a switch to %s that returned '%s'",
			 dxs_mode_name(dxs_mode(file->fd)), dxs_mode_name(to),
			 strerror(err));
	} else if (!err) {
		sw_stats.effective++;
		sw_stats.by_xflag += by_xflag;
		if (!by_xflag)
			note_shut(sw.shut_ns);
	}
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_figures(double seconds)
{
	struct rusage usage;
	unsigned long n = sw_stats.shut_count;
	size_t i;

	getrusage(RUSAGE_SELF, &usage);
	dxs_diag("%.1f s; %lu attempts, %lu effective (%lu by FSSETXATTR), %lu busy",
		 seconds, sw_stats.attempts, sw_stats.effective,
		 sw_stats.by_xflag, sw_stats.busy);
	for (i = 0; i < DAXSTACK_REASON_COUNT; i++)
		if (sw_stats.reasons[i])
			dxs_diag("busy, %s: %lu", dxs_reason_name(i),
				 sw_stats.reasons[i]);
	if (n) {
		qsort(sw_stats.shut_ns, n, 8, by_size);
		dxs_diag("gates closed, ms: min %.2f, median %.2f, max %.2f",
			 sw_stats.shut_ns[0] / 1e6,
			 sw_stats.shut_ns[n / 2] / 1e6,
			 sw_stats.shut_ns[n - 1] / 1e6);
	}
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		dxs_diag("%s: %lu", counts[i].what, counts[i].n);
	dxs_diag("faults: %ld", usage.ru_minflt + usage.ru_majflt);
}

struct job {
	void *(*work)(void *arg);
	long me;
};

/*
 * Runs a load thread at low priority: on slow emulated processors the switching
 * thread must get its share.
 */
static void *run(void *arg)
{
	const struct job *job = arg;

	MUST(setpriority(PRIO_PROCESS, gettid(), 10));
	return job->work((void *)job->me);
}

static bool all_done(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++)
		if (!counts[i].n)
			return false;
	return sw_stats.by_xflag;
}

/*
 * Runs for @seconds at least, and until there were enough switches and some
 * operations of each kind. The guest's own timeout ends a hang.
 */
static double storm(double seconds, unsigned long wanted)
{
	static void *(*const work[])(void *) = {
		store, store, buffered, direct, cross, cross, sync_all, cut,
		fork_children,
	};
	pthread_t threads[ARRAY_SIZE(work)];
	struct job jobs[ARRAY_SIZE(work)];
	uint64_t state = rnd_begin(99);
	double begin = dxs_now(), end = begin + seconds;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(work); i++) {
		/* The second thread of a kind gets 1. */
		jobs[i].me = i && work[i] == work[i - 1];
		jobs[i].work = work[i];
		if (pthread_create(&threads[i], NULL, run, &jobs[i]))
			dxs_bail("cannot create a thread");
	}
	while (!atomic_load(&stop) &&
	       (dxs_now() < end || sw_stats.effective < wanted || !all_done())) {
		switch_once(&files[!(rnd(&state) % 4)], !(rnd(&state) % 8));
		usleep(rnd(&state) % 6000);
	}
	atomic_store(&stop, true);
	seconds = dxs_now() - begin;
	for (i = 0; i < ARRAY_SIZE(work); i++)
		pthread_join(threads[i], NULL);
	return seconds;
}

/* --- Setup and final checks. */

static void open_files(const char *dir)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		struct file *file = &files[i];
		char path[32];

		snprintf(path, sizeof(path), "%s/%s", dir, file->name);
		file->fd = MUST(open(path, O_RDWR | O_CREAT, 0644));
		file->direct = MUST(open(path, O_RDWR | O_DIRECT));
		if (!file->image) {
			file->image = dxs_alloc(MOST);
			dxs_fill(file->image, SIZE, i, 0);
			/* The counters start at zero. */
			memset(file->image + STORE_AT, 0, STORE_LEN);
			dxs_pwrite(file->fd, file->image, SIZE, 0);
		}
		file->map = MUST(mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				      MAP_SHARED, file->fd, 0));
	}
}

static void close_files(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		munmap(files[i].map, SIZE);
		close(files[i].fd);
		close(files[i].direct);
	}
}

static void check_all(const char *where)
{
	uint8_t *buf = dxs_alloc(SIZE);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		const struct file *file = &files[i];

		dxs_ok(dxs_same(file->image, file->map, SIZE, 0, file->name),
		       "%s: contents of file %s in its mapping", where,
		       file->name);
		dxs_pread(file->fd, buf, SIZE, 0);
		dxs_ok(dxs_same(file->image, buf, SIZE, 0, file->name),
		       "%s: contents of file %s by read", where, file->name);
		memset(buf, 0, SIZE);
		dxs_pread(file->direct, buf, SIZE, 0);
		dxs_ok(dxs_same(file->image, buf, SIZE, 0, file->name),
		       "%s: contents of file %s by O_DIRECT", where,
		       file->name);
	}
	free(buf);
}

int main(int argc, char **argv)
{
	unsigned long wanted = 150;
	double seconds = 0;
	int modes[ARRAY_SIZE(files)];
	int opt;
	size_t i;

	seed = (uint64_t)(dxs_now() * 1e6) ^ (uint64_t)getpid() << 32;
	while ((opt = getopt(argc, argv, "n:t:s:")) != -1) {
		switch (opt) {
		case 'n':
			wanted = strtoul(optarg, NULL, 0);
			break;
		case 't':
			seconds = atof(optarg);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		default:
			fprintf(stderr, "Usage: stress [-n SWITCHES] [-t SECONDS] [-s SEED]\n");
			return 2;
		}
	}

	dxs_begin();
	dxs_diag("seed %#llx", (unsigned long long)seed);
	dxs_mkfs(NULL);
	dxs_mount_stack();
	open_files("stack");

	print_figures(storm(seconds, wanted));
	dxs_is(0, complaints, "no error and no wrong byte under load");
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		dxs_ok(counts[i].n, "load included %s", counts[i].what);
	dxs_ok(sw_stats.effective >= wanted,
	       "at least %lu effective switches", wanted);
	dxs_ok(sw_stats.by_xflag, "some of them by FSSETXATTR");
	dxs_ok(3 * sw_stats.busy < sw_stats.attempts,
	       "fewer than a third of the switches return busy");
	dxs_is(0, sw_stats.other, "switches return no other error");

	check_all("after the storm");
	for (i = 0; i < ARRAY_SIZE(files); i++)
		modes[i] = dxs_mode(files[i].fd);
	close_files();
	dxs_umount_stack();

	dxs_mount_lower();
	open_files("lower");
	for (i = 0; i < ARRAY_SIZE(files); i++)
		dxs_str(dxs_mode_name(modes[i]),
			dxs_mode_name(dxs_mode(files[i].fd)),
			"lower filesystem: mode of file %s", files[i].name);
	check_all("lower filesystem");
	close_files();
	dxs_umount_lower();
	dxs_fsck();
	return dxs_done();
}
