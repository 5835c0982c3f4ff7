// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack-demo FILE: the workload of the demonstration.
 *
 * Maps FILE (8 MiB) and stores to it from two threads until SIGTERM. Each thread owns
 * half of the 8-byte slots of every page and remembers its last store to each. At the
 * end every slot is compared, in the mapping and by read(2). Prints the number of
 * stores and of lost stores; exit status 0 if no store was lost.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE	(8UL << 20)
#define SLOTS	(SIZE / sizeof(uint64_t))
#define THREADS	2

static volatile uint64_t *map;
static uint64_t *last;
static atomic_bool stop;
static uint64_t stores[THREADS];

/* xorshift64; any generator will do that soon reaches all pages. */
static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void *store(void *arg)
{
	unsigned long me = (unsigned long)arg;
	uint64_t x = 88172645463325252ULL + me;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint64_t slot = next_random(&x) % (SLOTS / THREADS) * THREADS + me;

		last[slot] = ++stores[me];
		map[slot] = last[slot];
	}
	return NULL;
}

static unsigned long compare(int fd)
{
	uint64_t *read_back = malloc(SIZE);
	unsigned long i, lost = 0;

	if (!read_back || pread(fd, read_back, SIZE, 0) != (ssize_t)SIZE)
		err(1, "read");
	for (i = 0; i < SLOTS; i++)
		lost += map[i] != last[i] || read_back[i] != last[i];
	free(read_back);
	return lost;
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS];
	unsigned long i, lost;
	uint64_t all = 0;
	sigset_t set;
	int fd, sig;

	if (argc != 2)
		errx(64, "usage: daxstack-demo FILE");
	fd = open(argv[1], O_RDWR | O_CREAT, 0644);
	if (fd < 0 || ftruncate(fd, SIZE))
		err(1, "%s", argv[1]);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	last = calloc(SLOTS, sizeof(*last));
	if (map == MAP_FAILED || !last)
		err(1, "mmap");

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, store, (void *)i))
			errx(1, "pthread_create");
	sigwait(&set, &sig);
	atomic_store(&stop, 1);
	for (i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		all += stores[i];
	}

	lost = compare(fd);
	printf("%llu stores done, %lu lost\n", (unsigned long long)all, lost);
	if (fsync(fd) || fflush(stdout))
		err(1, "fsync");
	return lost ? 1 : 0;
}
