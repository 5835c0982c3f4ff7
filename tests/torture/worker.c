// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: a worker takes two regions or files, performs some operations on
 * them, releases them, and repeats. Its choices depend on the seed only: it
 * waits for what another worker has, and decides nothing by time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "torture.h"

/* --- Descriptors and mappings, made on demand. */

static int open_as(struct target *t, int *fd, int flags)
{
	char path[sizeof(t->file->path)];

	if (*fd < 0) {
		file_path(t->file, path);
		*fd = AGAIN(open(path, flags | O_CLOEXEC));
	}
	return *fd < 0 ? -errno : *fd;
}

int fd_of(struct worker *w, struct target *t)
{
	(void)w;
	return open_as(t, &t->access->fd, O_RDWR);
}

int direct_of(struct worker *w, struct target *t)
{
	(void)w;
	return open_as(t, &t->access->direct, O_RDWR | O_DIRECT);
}

int dsync_of(struct worker *w, struct target *t)
{
	return open_as(t, &t->access->dsync,
		       O_RDWR | (w->id % 2 ? O_DSYNC : O_SYNC));
}

int append_of(struct worker *w, struct target *t)
{
	(void)w;
	return open_as(t, &t->access->append, O_WRONLY | O_APPEND);
}

void *reserve(size_t len)
{
	uint8_t *at = mmap(NULL, len + HUGE_PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *begin;

	if (at == MAP_FAILED)
		return NULL;
	begin = (void *)(((uintptr_t)at + HUGE_PAGE - 1) & -HUGE_PAGE);
	if (begin != at)
		munmap(at, begin - at);
	munmap(begin + len, at + HUGE_PAGE - begin);
	return begin;
}

uint8_t *map_of(struct worker *w, struct target *t)
{
	struct access *access = t->access;
	int fd = fd_of(w, t);
	uint8_t *map;

	if (access->map)
		return access->map;
	if (fd < 0)
		return NULL;
	map = reserve(t->file->most);
	if (!map)
		return NULL;
	if (mmap(map, t->file->most, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
		munmap(map, t->file->most);
		return NULL;
	}
	access->map = map;
	if (t->file->kind == SHARED)
		atomic_store(&w->share->maps[file_index(t->file)], map);
	return map;
}

static void drop_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void access_drop(struct worker *w, struct file *file)
{
	struct access *access = &w->access[file_index(file)];

	if (access->map) {
		if (file->kind == SHARED)
			atomic_store(&w->share->maps[file_index(file)], NULL);
		munmap(access->map, file->most);
		access->map = NULL;
	}
	drop_fd(&access->fd);
	drop_fd(&access->direct);
	drop_fd(&access->dsync);
	drop_fd(&access->append);
}

/* --- Ranges of a target. */

bool pick(struct worker *w, const struct target *t, bool aligned, off_t *pos,
	  size_t *len)
{
	static const size_t most[] = { 64, PAGE, PAGE, 4 * PAGE, 4 * PAGE,
				       16 * PAGE, 16 * PAGE, LEN_MAX };
	size_t limit = most[below(&w->rng, ARRAY_SIZE(most))];
	size_t unit = aligned ? PAGE : 1;
	size_t room = (t->len + unit - 1) / unit;
	size_t n;

	if (!room)
		return false;
	n = below(&w->rng, limit / unit ?: 1) + 1;
	if (n > room)
		n = room;
	*pos = t->at + below(&w->rng, room - n + 1) * unit;
	*len = n * unit;
	return true;
}

bool pick_pages(struct worker *w, const struct target *t, off_t *pos,
		size_t *len)
{
	off_t first = (t->at + PAGE - 1) & -PAGE;
	struct target pages = *t;

	if (t->at + (off_t)t->len - first < PAGE)
		return false;
	pages.at = first;
	pages.len = (t->at + t->len - first) & -PAGE;
	return pick(w, &pages, true, pos, len);
}

/* --- Records of operations. */

struct record *record_begin(struct worker *w, const struct target *t,
			    off_t pos, long long len, long long arg)
{
	unsigned long number = atomic_load_explicit(&w->share->ops,
						    memory_order_relaxed);
	struct record *rec = &w->share->ring[number % RING];

	*rec = (struct record){
		.number = number,
		.kind = w->kind,
		.file = file_index(t->file),
		.pos = pos,
		.len = len,
		.arg = arg,
		.begin = dxs_now(),
		.watch = dxs_watch(),
	};
	atomic_store(&w->share->ops, number + 1);
	return rec;
}

void record_end(struct worker *w, struct record *rec, long ret)
{
	struct tally *tally = &arena->tally[rec->kind];

	(void)w;
	rec->ret = ret;
	rec->end = dxs_now();
	raise_to(&tally->longest_ns, dxs_watched(&rec->watch) * 1e9);
	atomic_fetch_add(ret == SKIP ? &tally->skipped : &tally->done, 1);
}

/* --- Changes. */

uint8_t *plan_begin(struct worker *w, struct target *t, off_t pos, size_t len)
{
	struct share *share = w->share;

	share->file = t->file;
	share->pos = pos;
	share->len = len;
	return share->plan;
}

void plan_ready(struct worker *w)
{
	atomic_store(&w->share->changing, true);
}

void plan_done(struct worker *w, size_t len)
{
	struct share *share = w->share;
	struct file *file = share->file;

	if (len > share->len) {
		complain(w->id, "%s: %zu bytes written instead of %zu",
			 kinds[w->kind].name, len, share->len);
		len = share->len;
	}
	memcpy(file->image + share->pos, share->plan, len);
	if (len && file->kind != SHARED && share->pos + (off_t)len > file->size)
		file->size = share->pos + len;
	atomic_store(&share->changing, false);
}

uint8_t *plan_random(struct worker *w, struct target *t, off_t pos, size_t len)
{
	uint8_t *plan = plan_begin(w, t, pos, len);
	uint64_t word = (uint64_t)rnd(&w->rng) << 32 | rnd(&w->rng);
	size_t i;

	/* No byte is 0, which a hole reads as. */
	for (i = 0; i < len; i += 8) {
		uint64_t value = word | 0x0101010101010101ull;

		memcpy(plan + i, &value, len - i < 8 ? len - i : 8);
		word = word * 6364136223846793005ull + pos + i;
	}
	plan_ready(w);
	return plan;
}

void plan_zero(struct worker *w, struct target *t, off_t pos, size_t len)
{
	memset(plan_begin(w, t, pos, len), 0, len);
	plan_ready(w);
}

void set_size(struct target *t, off_t size)
{
	struct file *file = t->file;

	if (size < file->size)
		memset(file->image + size, 0, file->size - size);
	file->size = size;
	t->len = size;
}

/* --- Checks. */

static const char *compare_as(const uint8_t *expected, const uint8_t *seen,
			      long ret, size_t len)
{
	if (ret != (long)len)
		return "failed";
	return memcmp(expected, seen, len) ? "wrong as well" : "right";
}

/* Reads the range again in other ways. */
static void autopsy(struct worker *w, const struct target *seen, off_t pos,
		    size_t len)
{
	struct target t = *seen;
	const uint8_t *image = t.file->image + pos;
	uint8_t *buf = malloc(len);
	uint8_t *map = map_of(w, &t);
	struct daxstack_state state = { .mode = 99 };
	char path[sizeof(t.file->path)];
	const char *by_read, *by_map = "failed", *by_new = "failed";
	void *fresh;
	off_t first = pos & -PAGE;

	if (!buf)
		return;
	by_read = compare_as(image, buf, DO(pread(fd_of(w, &t), buf, len, pos)),
			     len);
	if (map) {
		memcpy(buf, map + pos, len);
		by_map = compare_as(image, buf, len, len);
	}
	fresh = mmap(NULL, pos + len - first, PROT_READ, MAP_SHARED,
		     fd_of(w, &t), first);
	if (fresh != MAP_FAILED) {
		memcpy(buf, (uint8_t *)fresh + (pos - first), len);
		by_new = compare_as(image, buf, len, len);
		munmap(fresh, pos + len - first);
	}
	ioctl(fd_of(w, &t), DAXSTACK_IOC_STATE, &state);
	file_path(t.file, path);
	free(buf);
	complain(w->id, "a moment later: by pread %s, by the lasting mapping "
			"%s, by a new one %s; %s: mode %u, flags %#x, "
			"%u switches",
		 by_read, by_map, by_new, path, state.mode, state.flags,
		 state.switches);
}

/* Formats a few bytes in hexadecimal. */
static void hex(char *text, const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < 16; i++)
		text += sprintf(text, "%02x ", bytes[i]);
}

bool check(struct worker *w, const struct target *t, off_t pos,
	   const uint8_t *seen, size_t len, const char *how)
{
	const uint8_t *expected = t->file->image + pos;
	size_t i, wrong = 0, first = 0, last = 0;
	char a[64] = "", b[64] = "";

	if (!memcmp(expected, seen, len))
		return true;
	for (i = 0; i < len; i++) {
		if (expected[i] == seen[i])
			continue;
		if (!wrong++)
			first = i;
		last = i;
	}
	if (!wrong) {
		complain(w->id,
			 "%s: file %d at %#llx: differed only for a moment",
			 how, file_index(t->file), (long long)pos);
		return false;
	}
	hex(a, expected + first, len - first);
	hex(b, seen + first, len - first);
	complain(w->id, "%s: file %d, %#llx to %#llx: %zu bytes differ between "
			"%#llx and %#llx; the owner has %#llx to %#llx\n"
		 "expected: %s\nseen:     %s", how, file_index(t->file),
		 (long long)pos, (long long)(pos + len), wrong,
		 (long long)(pos + first), (long long)(pos + last),
		 (long long)t->at, (long long)(t->at + t->len), a, b);
	autopsy(w, t, pos, len);
	return false;
}

/* --- Operations. */

/* --only restricts the kinds; a check may read back in any way. */
static bool wanted(const struct kind *kind)
{
	char words[256], *word, *rest = words;

	if (!opt.only)
		return true;
	snprintf(words, sizeof(words), "%s", opt.only);
	while ((word = strsep(&rest, ",")))
		if (strstr(kind->name, word))
			return true;
	return false;
}

static bool is_read(const struct kind *kind)
{
	return kind->run == run_read;
}

/* Return: false if there is none. */
static bool choose_kind(struct worker *w, const struct target *t,
			bool (*may)(const struct kind *kind),
			unsigned int forbidden)
{
	static atomic_uint total;
	unsigned int sum = total, try;
	int i;

	if (!sum) {
		for (i = 0; i < kind_count; i++)
			sum += kinds[i].weight;
		total = sum;
	}
	if (!t->own)
		forbidden |= NEEDS_OWN;
	if (!t->direct)
		forbidden |= NEEDS_DIRECT;
	for (try = 0; try < 10000; try++) {
		unsigned int at = below(&w->rng, sum);

		for (i = 0; at >= kinds[i].weight; i++)
			at -= kinds[i].weight;
		if (!(kinds[i].flags & forbidden) && may(&kinds[i])) {
			w->kind = i;
			return true;
		}
	}
	return false;
}

/* Reads in the way of the worker's current kind. */
static long read_in_a_way(struct worker *w, struct target *t, off_t pos,
			  size_t len)
{
	const struct kind *kind = &kinds[w->kind];
	size_t there = len;
	struct record *rec;
	long ret;

	if (t->own && pos + (off_t)len > t->file->size)
		there = pos < t->file->size ? t->file->size - pos : 0;
	if (kind->flags & MAPPED)
		len = there;
	if (!len)
		return 0;
	memset(w->buf, 0xee, len);
	rec = record_begin(w, t, pos, len, 0);
	ret = kind->go(w, t, pos, w->buf, len);
	record_end(w, rec, ret);
	if (ret < 0)
		return ret;
	if (ret != (long)there) {
		complain(w->id, "%s: file %d at %#llx: %ld bytes read instead of %zu (of %zu)",
			 kind->name, file_index(t->file), (long long)pos, ret,
			 there, len);
		return 0;
	}
	check(w, t, pos, w->buf, there, kind->name);
	return ret;
}

long run_read(struct worker *w, struct target *a, struct target *b)
{
	off_t pos;
	size_t len;

	(void)b;
	if (!pick(w, a, kinds[w->kind].flags & NEEDS_DIRECT, &pos, &len))
		return SKIP;
	return read_in_a_way(w, a, pos, len);
}

long read_back(struct worker *w, struct target *t, off_t pos, size_t len)
{
	unsigned int forbidden = w->expendable ? NO_CHILD : 0;
	int kind = w->kind;
	long ret;

	/* A range that the kind did not choose need not be aligned. */
	choose_kind(w, t, is_read, forbidden | NEEDS_DIRECT);
	ret = read_in_a_way(w, t, pos, len);
	if (ret < 0 && ret != SKIP)
		complain(w->id, "%s: file %d at %#llx, %zu bytes: %s",
			 kinds[w->kind].name, file_index(t->file),
			 (long long)pos, len, strerror(-ret));
	w->kind = kind;
	return ret;
}

/* Own files grow now and then by a write beyond EOF. */
static bool pick_for_write(struct worker *w, struct target *t, off_t *pos,
			   size_t *len)
{
	const struct kind *kind = &kinds[w->kind];
	struct target bigger = *t;

	if (t->own && !(kind->flags & MAPPED) && once_in(&w->rng, 8))
		bigger.len = t->file->most;
	if (!pick(w, &bigger, kind->flags & NEEDS_DIRECT, pos, len))
		return false;
	/* An aligned range may end beyond an unaligned EOF. */
	if (kind->flags & MAPPED && *pos + *len > t->at + t->len)
		*len = t->at + t->len - *pos;
	return *pos + (off_t)*len <= t->file->most;
}

long run_write(struct worker *w, struct target *a, struct target *b)
{
	const struct kind *kind = &kinds[w->kind];
	struct record *rec;
	size_t len;
	off_t pos;
	long ret;

	(void)b;
	if (!pick_for_write(w, a, &pos, &len))
		return SKIP;
	memcpy(w->buf, plan_random(w, a, pos, len), len);
	rec = record_begin(w, a, pos, len, 0);
	ret = kind->go(w, a, pos, w->buf, len);
	record_end(w, rec, ret);
	plan_done(w, ret > 0 ? ret : 0);
	if (a->own)
		a->len = a->file->size;
	if (ret < 0)
		return ret;
	if (ret != (long)len)
		complain(w->id, "%s: file %d at %#llx: %ld bytes written instead of %zu",
			 kind->name, file_index(a->file), (long long)pos, ret,
			 len);
	if (once_in(&w->rng, 2))
		read_back(w, a, pos, len);
	return ret;
}

void one_operation(struct worker *w, struct target *a, struct target *b,
		   unsigned int forbidden)
{
	const struct kind *kind;
	struct record *rec;
	long ret;

	if (!choose_kind(w, a, wanted, forbidden))
		return;
	kind = &kinds[w->kind];
	if (kind->go) {
		ret = kind->run(w, a, b);
	} else {
		rec = record_begin(w, a, a->at, a->len, file_index(b->file));
		ret = kind->run(w, a, b);
		record_end(w, rec, ret);
	}
	if (ret < 0 && ret != SKIP)
		complain(w->id, "%s: file %d (%s): %s", kind->name,
			 file_index(a->file), a->file->path,
			 strerrorname_np(-ret) ?: "?");
}

/* --- SIGBUS. */

static __thread atomic_uintptr_t bus_expected;
static __thread int bus_worker = -1;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (bus_expected)
		siglongjmp(*(sigjmp_buf *)bus_expected, 1);
	complain(bus_worker, "SIGBUS at %p, code %d", info->si_addr,
		 info->si_code);
	_exit(1);
}

bool gets_sigbus(volatile uint8_t *touch)
{
	sigjmp_buf back;
	bool got;

	got = sigsetjmp(back, 1);
	if (!got) {
		bus_expected = (uintptr_t)&back;
		(void)*touch;
	}
	bus_expected = 0;
	return got;
}

static void on_usr1(int sig)
{
	(void)sig;
}

static void handle_signals(void)
{
	struct sigaction bus = { .sa_sigaction = on_bus,
				 .sa_flags = SA_SIGINFO };
	struct sigaction usr1 = { .sa_handler = on_usr1 };

	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGUSR1, &usr1, NULL);	/* calls end with EINTR */
	signal(SIGPIPE, SIG_IGN);
}

/* --- Pipes that hold pages for a while. */

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static struct held {
	uint64_t until;
	int ends[2];
} held[64];

void close_later(struct worker *w, int ends[2], unsigned int ms)
{
	size_t i;

	/* In a child the lock may be held forever by a lost thread. */
	if (!w->expendable) {
		pthread_mutex_lock(&held_lock);
		for (i = 0; i < ARRAY_SIZE(held); i++) {
			if (held[i].until)
				continue;
			memcpy(held[i].ends, ends, sizeof(held[i].ends));
			held[i].until = now_ns() + ms * 1000000ull;
			pthread_mutex_unlock(&held_lock);
			return;
		}
		pthread_mutex_unlock(&held_lock);
	}
	close(ends[0]);
	close(ends[1]);
}

/*
 * In a child: its copies of the pipes would hold the pages as well, while it
 * waits for a task that waits for them (fallocate(2) on XFS in dax mode).
 */
void forget_held(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(held); i++) {
		if (!held[i].until)
			continue;
		close(held[i].ends[0]);
		close(held[i].ends[1]);
	}
}

static void close_held(bool all)
{
	uint64_t now = now_ns();
	size_t i;

	pthread_mutex_lock(&held_lock);
	for (i = 0; i < ARRAY_SIZE(held); i++) {
		if (!held[i].until || (held[i].until > now && !all))
			continue;
		close(held[i].ends[0]);
		close(held[i].ends[1]);
		held[i].until = 0;
	}
	pthread_mutex_unlock(&held_lock);
}

/* --- The worker itself. */

static void target_region(struct worker *w, struct region *region,
			  struct target *t)
{
	*t = (struct target){
		.file = region->file,
		.at = region->at,
		.len = region->len,
		.direct = region->direct,
		.access = &w->access[file_index(region->file)],
	};
}

static void target_own(struct worker *w, struct file *file, struct target *t)
{
	*t = (struct target){
		.file = file,
		.len = file->size,
		.direct = true,
		.own = true,
		.access = &w->access[file_index(file)],
	};
}

/* Half of the choices are the first two files, so that workers meet there. */
static struct region *choose_region(struct rng *rng)
{
	int per_file = arena->region_count / opt.files;
	int hot = opt.files < 2 ? 1 : 2;
	int file = once_in(rng, 2) ? below(rng, hot) : below(rng, opt.files);

	/* One of four chosen regions is the one for direct I/O. */
	if (once_in(rng, 4))
		return &arena->region[(file + 1) * per_file - 1];
	return &arena->region[file * per_file + below(rng, per_file)];
}

static struct file *choose_own(struct worker *w, struct rng *rng)
{
	int first = opt.files + w->id * (1 + TINIES);

	return &arena->file[first + below(rng, 1 + TINIES)];
}

/* What a worker takes at a time; the region is NULL for a file of its own. */
struct stay {
	struct region *region[2];
	struct file *own[2];
};

static void choose_stay(struct worker *w, struct rng *rng, struct stay *stay)
{
	int i;

	*stay = (struct stay){};
	for (i = 0; i < 2; i++) {
		if (once_in(rng, 3))
			stay->own[i] = choose_own(w, rng);
		else
			stay->region[i] = choose_region(rng);
	}
	/* Locks are taken in order, and no lock twice. */
	if (stay->region[0] && stay->region[1] &&
	    stay->region[0] > stay->region[1]) {
		struct region *region = stay->region[0];

		stay->region[0] = stay->region[1];
		stay->region[1] = region;
	}
}

static void lock_stay(const struct stay *stay, bool lock)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct region *region = stay->region[i];

		if (!region || (i && region == stay->region[0]))
			continue;
		if (lock)
			pthread_mutex_lock(&region->lock);
		else
			pthread_mutex_unlock(&region->lock);
	}
}

static void stay(struct worker *w, unsigned int number)
{
	struct rng rng = rng_of(w->id + 1, number);
	struct target target[2];
	unsigned int ops, i;
	struct stay stay;
	int first;

	choose_stay(w, &rng, &stay);
	lock_stay(&stay, true);
	for (i = 0; i < 2; i++) {
		if (stay.own[i])
			target_own(w, stay.own[i], &target[i]);
		else
			target_region(w, stay.region[i], &target[i]);
	}
	first = below(&rng, 2);
	ops = below(&rng, 12) + 1;
	for (i = 0; i < ops && !stopping(); i++) {
		/*
		 * The random numbers of an operation do not depend on earlier
		 * ones.
		 */
		w->rng = rng_of(w->id + 1 + MAX_WORKERS, number * 16 + i);
		one_operation(w, &target[first], &target[!first], 0);
		/* The two may be the same file. */
		for (int j = 0; j < 2; j++)
			if (target[j].own)
				target[j].len = target[j].file->size;
		first ^= once_in(&rng, 3);
		nap(&rng, 600);
	}
	for (i = 0; i < 2; i++)
		if (stay.own[i] && stay.own[i]->kind == TINY &&
		    stay.own[i]->named && once_in(&rng, 2))
			access_drop(w, stay.own[i]);
	lock_stay(&stay, false);
}

static void make_own_files(struct worker *w)
{
	int first = opt.files + w->id * (1 + TINIES), i;

	for (i = first; i <= first + TINIES; i++) {
		struct target t;

		target_own(w, &arena->file[i], &t);
		if (fd_of(w, &t) < 0)
			complain(w->id, "%s: %m", t.file->path);
	}
}

/* Compares unnamed files now: they cannot be found later. */
static void compare_unnamed(struct worker *w)
{
	int first = opt.files + w->id * (1 + TINIES), i;
	struct target t;
	off_t pos;

	for (i = first; i <= first + TINIES; i++) {
		target_own(w, &arena->file[i], &t);
		if (t.file->named)
			continue;
		for (pos = 0; pos < t.file->size; pos += LEN_MAX) {
			long n = DO(pread(t.access->fd, w->buf, LEN_MAX, pos));

			if (n < 0) {
				complain(w->id, "unnamed file: %s",
					 strerror(-n));
				break;
			}
			check(w, &t, pos, w->buf, n, "unnamed file");
		}
	}
}

static void worker_begin(struct worker *w)
{
	int i;

	w->share = &arena->share[w->id];
	w->share->pid = getpid();
	w->share->tid = gettid();
	bus_worker = w->id;
	w->access = calloc(arena->file_count, sizeof(*w->access));
	w->buf = dxs_alloc(LEN_MAX);
	w->spare = dxs_alloc(LEN_MAX);
	w->memfd = memfd_create("torture", MFD_CLOEXEC);
	w->mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	w->pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	if (!w->access || w->memfd < 0 || w->mem < 0 || w->pidfd < 0)
		complain(w->id, "cannot begin: %m");
	for (i = 0; w->access && i < arena->file_count; i++)
		w->access[i] = (struct access){ -1, -1, -1, -1, NULL };
}

static atomic_uint running;

static void *worker_thread(void *arg)
{
	struct worker w = { .id = (uintptr_t)arg };
	unsigned int number = 0;
	int i;

	worker_begin(&w);
	/* The switchers must get their share of the CPU, as in tests/stress.c. */
	setpriority(PRIO_PROCESS, gettid(), 10);
	if (!stopping())
		make_own_files(&w);
	while (!stopping())
		stay(&w, number++);
	compare_unnamed(&w);
	w.share->tid = 0;
	async_end(&w);
	for (i = 0; i < arena->file_count; i++)
		access_drop(&w, &arena->file[i]);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

void worker_process(unsigned int first, unsigned int step)
{
	pthread_t threads[MAX_WORKERS];
	unsigned int n = 0, id;

	handle_signals();
	for (id = first; id < opt.workers; id += step) {
		atomic_fetch_add(&running, 1);
		if (pthread_create(&threads[n], NULL, worker_thread,
				   (void *)(uintptr_t)id))
			complain(id, "cannot create a thread");
		else
			n++;
	}
	/* Until all workers have ended: another may wait for a held page. */
	while (atomic_load(&running)) {
		usleep(5000);
		close_held(stopping());
	}
	while (n)
		pthread_join(threads[--n], NULL);
	close_held(true);
}
