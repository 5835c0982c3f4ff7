// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: the shared memory, random numbers, and complaints.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>

#include "torture.h"

struct arena *arena;

/* --- Random numbers. */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

struct rng rng_of(unsigned int who, unsigned int what)
{
	uint64_t state = mix(opt.seed + 0x9e3779b97f4a7c15ull);

	state = mix(state + ((uint64_t)who << 32 | what) * 0x9e3779b97f4a7c15ull);
	return (struct rng){ state | 1 };
}

/* xorshift64* */
uint32_t rnd(struct rng *rng)
{
	rng->state ^= rng->state >> 12;
	rng->state ^= rng->state << 25;
	rng->state ^= rng->state >> 27;
	return (rng->state * 2685821657736338717ull) >> 32;
}

uint32_t below(struct rng *rng, uint32_t n)
{
	return (uint64_t)rnd(rng) * n >> 32;
}

bool once_in(struct rng *rng, uint32_t n)
{
	return !below(rng, n);
}

/* --- Files and regions. */

static void init_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(mutex, &attr);
	pthread_mutexattr_destroy(&attr);
}

static void init_rwlock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

static void *shared_memory(size_t len)
{
	return MUST(mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

static void add_file(enum file_kind kind, unsigned int number, off_t size,
		     off_t most)
{
	static const char *const letter[] = { "s", "o", "t" };
	struct file *file = &arena->file[arena->file_count++];

	file->kind = kind;
	file->named = true;
	file->size = size;
	file->most = most;
	file->image = shared_memory(most);
	init_mutex(&file->name_lock);
	init_rwlock(&file->switching);
	/* Files created in "d" start in dax mode. */
	snprintf(file->path, sizeof(file->path), "%s/%s/%s%u", where,
		 number % 2 ? "d" : "c", letter[kind], number);
}

static void add_region(struct file *file, off_t at, size_t len, bool direct)
{
	struct region *region = &arena->region[arena->region_count++];

	region->file = file;
	region->at = at;
	region->len = len;
	region->direct = direct;
	init_mutex(&region->lock);
}

/*
 * First huge page of a shared file: many small regions, two or three of which
 * share each page, then large ones, with borders inside pages. Second huge
 * page: a single region.
 */
#define SMALL_REGIONS	16
#define LARGE_REGIONS	4
#define REGIONS		(SMALL_REGIONS + LARGE_REGIONS + 1)
#define SMALL_LEN	(40 * KIB)

static void divide(struct file *file, struct rng *rng)
{
	off_t at = 0, end;
	int i;

	for (i = 1; i <= SMALL_REGIONS; i++) {
		end = i * SMALL_LEN / SMALL_REGIONS + below(rng, 1024);
		add_region(file, at, end - at, false);
		at = end;
	}
	for (i = 1; i <= LARGE_REGIONS; i++) {
		end = i * HUGE_PAGE / LARGE_REGIONS;
		if (i < LARGE_REGIONS)
			end += below(rng, 8 * PAGE);
		add_region(file, at, end - at, false);
		at = end;
	}
	add_region(file, at, SHARED_SIZE - at, true);
}

void arena_make(void)
{
	struct rng rng = rng_of(0, 0);
	unsigned int i, j;

	arena = shared_memory(sizeof(*arena) +
			      opt.files * REGIONS * sizeof(struct region));
	for (i = 0; i < opt.files; i++) {
		add_file(SHARED, i, SHARED_SIZE, SHARED_SIZE);
		divide(&arena->file[i], &rng);
	}
	for (i = 0; i < opt.workers; i++) {
		struct share *share = &arena->share[i];

		share->plan = shared_memory(LEN_MAX);
		add_file(OWN, i, MIB + below(&rng, MIB), OWN_MOST);
		for (j = 0; j < TINIES; j++)
			add_file(TINY, i * TINIES + j, below(&rng, TINY_MOST),
				 TINY_MOST);
	}
}

int file_index(const struct file *file)
{
	return file - arena->file;
}

/*
 * A child killed while it held the lock was only reading: it may not change
 * names.
 */
static void lock_name(struct file *file)
{
	if (pthread_mutex_lock(&file->name_lock) == EOWNERDEAD)
		pthread_mutex_consistent(&file->name_lock);
}

void file_path(struct file *file, char *path)
{
	lock_name(file);
	memcpy(path, file->path, sizeof(file->path));
	pthread_mutex_unlock(&file->name_lock);
}

void file_set_path(struct file *file, bool named, const char *path, ...)
{
	char text[sizeof(file->path)];
	va_list args;

	va_start(args, path);
	vsnprintf(text, sizeof(text), path, args);
	va_end(args);
	lock_name(file);
	memcpy(file->path, text, sizeof(text));
	file->named = named;
	pthread_mutex_unlock(&file->name_lock);
}

bool file_is(const struct file *file, int fd)
{
	struct stat st;

	return !AGAIN(fstat(fd, &st)) && st.st_ino == atomic_load(&file->ino);
}

void file_born(struct file *file, int fd)
{
	struct stat st;

	if (!AGAIN(fstat(fd, &st)))
		atomic_store(&file->ino, st.st_ino);
}

/* --- Complaints. */

bool stopping(void)
{
	return atomic_load_explicit(&arena->stop, memory_order_relaxed);
}

/*
 * No stdio: the caller may be a child of a multithreaded process, in which
 * another thread held stdio's lock.
 */
void complain(int who, const char *text, ...)
{
	unsigned int number = atomic_fetch_add(&arena->complaints, 1);
	int patience = 2000;
	va_list args;

	if (number < COMPLAINTS) {
		va_start(args, text);
		vsnprintf(arena->complaint[number], COMPLAINT_LEN, text, args);
		va_end(args);
		atomic_store(&arena->complainer[number], who);
		/* In order; but an earlier complainant may have been killed. */
		while (atomic_load(&arena->told) != number && patience--)
			usleep(1000);
		atomic_store(&arena->told, number + 1);
	}
	atomic_store(&arena->stop, true);
}

static void print_ring(const struct share *share)
{
	unsigned long ops = atomic_load(&share->ops);
	unsigned long i = ops > RING ? ops - RING : 0;

	for (; i < ops; i++) {
		const struct record *rec = &share->ring[i % RING];
		const struct file *file = &arena->file[rec->file];
		char how[32] = "in progress";

		if (rec->end != 0)
			snprintf(how, sizeof(how), "%.1f ms",
				 (rec->end - rec->begin) * 1e3);
		dxs_diag("  #%lu at %.4f: %s file %d (%s) pos %#llx len %#llx arg %#llx: %lld, %s",
			 rec->number, rec->begin, kinds[rec->kind].name,
			 rec->file, file->path, rec->pos, rec->len, rec->arg,
			 rec->ret, how);
	}
}

void print_complaints(void)
{
	static unsigned int printed;
	static bool rings[MAX_WORKERS];

	while (printed < atomic_load(&arena->told)) {
		int who = atomic_load(&arena->complainer[printed]);

		dxs_diag("at %.4f: %s", dxs_now(), arena->complaint[printed]);
		if (who >= 0 && who < MAX_WORKERS && !rings[who]) {
			rings[who] = true;
			dxs_diag("the last operations of worker %d:", who);
			print_ring(&arena->share[who]);
		}
		printed++;
	}
}

/* --- Time. */

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

void raise_to(_Atomic uint64_t *max, uint64_t value)
{
	uint64_t old = atomic_load_explicit(max, memory_order_relaxed);

	while (value > old && !atomic_compare_exchange_weak(max, &old, value))
		;
}

void nap(struct rng *rng, unsigned int max_us)
{
	usleep(below(rng, max_us) + 1);
}
