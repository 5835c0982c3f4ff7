// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times readers on two processors, of one file or of one each, by the clock.
 * Needs a guest that has two processors and does not count instructions.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "cost.h"

#define READERS	2
#define READS	20000
#define ROUNDS	15

struct reader {
	pthread_barrier_t *barrier;
	int fd, cpu;
	uint64_t took;
};

static void *read_often(void *arg)
{
	struct reader *reader = arg;
	cpu_set_t cpus;
	uint64_t start;
	char buf[64];
	int i;

	CPU_ZERO(&cpus);
	CPU_SET(reader->cpu, &cpus);
	MUST(sched_setaffinity(0, sizeof(cpus), &cpus));
	pthread_barrier_wait(reader->barrier);
	start = count();
	for (i = 0; i < READS; i++)
		dxs_pread(reader->fd, buf, sizeof(buf), 0);
	reader->took = count() - start;
	return NULL;
}

/* Nanoseconds for each read, of the slower reader. */
static double time_of(int fds[READERS], int readers)
{
	struct reader reader[READERS];
	pthread_t threads[READERS];
	pthread_barrier_t barrier;
	uint64_t longest = 0;
	int i;

	pthread_barrier_init(&barrier, NULL, readers);
	for (i = 0; i < readers; i++) {
		reader[i] = (struct reader){
			.barrier = &barrier, .fd = fds[i], .cpu = i,
		};
		pthread_create(&threads[i], NULL, read_often, &reader[i]);
	}
	for (i = 0; i < readers; i++) {
		pthread_join(threads[i], NULL);
		if (reader[i].took > longest)
			longest = reader[i].took;
	}
	return (double)longest / READS;
}

static double least_time_of(int fds[READERS], int readers)
{
	double least = time_of(fds, readers), next;
	int i;

	for (i = 1; i < ROUNDS; i++) {
		next = time_of(fds, readers);
		if (next < least)
			least = next;
	}
	return least;
}

static int open_in_mode(const char *where, const char *file, int mode)
{
	char path[32], byte[64] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/%s", where, file);
	fd = MUST(open(path, O_RDWR | O_CREAT, 0644));
	dxs_pwrite(fd, byte, sizeof(byte), 0);
	MUST(fsync(fd));
	if (dxs_mode(fd) != mode) {
		dxs_set_xflag(fd, mode);
		close(fd);
		fd = MUST(open(path, O_RDWR));
	}
	if (dxs_mode(fd) != mode)
		dxs_bail("%s is not in mode %s", path, dxs_mode_name(mode));
	return fd;
}

void print_readers(const char *where)
{
	int mode, own[READERS], shared[READERS];

	for (mode = 0; mode < 2; mode++) {
		own[0] = open_in_mode(where, "a", mode);
		own[1] = open_in_mode(where, "b", mode);
		/* One open file each: only the inode is shared. */
		shared[0] = own[0];
		shared[1] = open_in_mode(where, "a", mode);
		printf("{\"fs\": \"%s\", \"readers\": \"%s\", ", dxs_fs, where);
		printf("\"mode\": \"%s\", \"alone_ns\": %.0f, ",
		       dxs_mode_name(mode), least_time_of(own, 1));
		printf("\"shared_ns\": %.0f, \"own_ns\": %.0f}\n",
		       least_time_of(shared, READERS),
		       least_time_of(own, READERS));
		close(shared[1]);
		close(own[0]);
		close(own[1]);
	}
}
