// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's part of the power-cut test, see scripts/test/powercut.
 *
 * Usage: powercut-load new          create the filesystem
 *        powercut-load check FILE   check the records that FILE lists
 *        powercut-load load SEED    write records and switch, until the power is
 *                                   cut
 *
 * A record is RECORD bytes at its own position in one of several files. After
 * the call that makes it durable returns, the program prints "durable FILE
 * NUMBER" for the process that cuts the power: every record reported must exist
 * from then on, in whatever mode the file is.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dxs_test.h"

#define FILES	6
/*
 * Four share a page: a page is written back many times, with old and new
 * records.
 */
#define RECORD	1024L
#define RECORDS	(16 * MIB / RECORD)

static int file_fd[FILES];
static atomic_ulong switches;

static void path_of(char *path, size_t size, const char *mnt, int file)
{
	snprintf(path, size, "%s/file%d", mnt, file);
}

static uint32_t seed_of(int file, long number)
{
	return file * 1000003 + number;
}

static void fill(uint8_t *buf, int file, long number)
{
	dxs_fill(buf, RECORD, seed_of(file, number), number * RECORD);
}

/* --- Load. */

static void say_durable(int file, long number)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "durable %d %ld\n", file,
			   number);

	/* One write, so that lines of several threads do not mix. */
	if (write(STDOUT_FILENO, line, len) != len)
		_exit(1);
}

static void by_write(int file, long number, const uint8_t *buf)
{
	dxs_pwrite(file_fd[file], buf, RECORD, number * RECORD);
	MUST(number % 2 ? fsync(file_fd[file]) : fdatasync(file_fd[file]));
}

static void by_sync_write(int file, long number, const uint8_t *buf)
{
	char path[32];
	int fd;

	path_of(path, sizeof(path), "stack", file);
	fd = MUST(open(path, O_WRONLY | (number % 2 ? O_SYNC : O_DSYNC)));
	dxs_pwrite(fd, buf, RECORD, number * RECORD);
	close(fd);
}

static uint8_t *map_page(int file, long number, int flags)
{
	off_t pos = number * RECORD / PAGE * PAGE;

	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, file_fd[file],
		    pos);
}

static void by_store(int file, long number, const uint8_t *buf)
{
	uint8_t *map = MUST(map_page(file, number, MAP_SHARED));

	memcpy(map + number * RECORD % PAGE, buf, RECORD);
	MUST(msync(map, PAGE, MS_SYNC));
	MUST(munmap(map, PAGE));
}

/* In dax mode the store suffices; in cached mode there is no such mapping. */
static void by_map_sync(int file, long number, const uint8_t *buf)
{
	uint8_t *map = map_page(file, number, MAP_SHARED_VALIDATE | MAP_SYNC);

	if (map == MAP_FAILED) {
		by_store(file, number, buf);
		return;
	}
	memcpy(map + number * RECORD % PAGE, buf, RECORD);
	say_durable(file, number);
	MUST(munmap(map, PAGE));
}

static void (*const ways[])(int file, long number, const uint8_t *buf) = {
	by_write, by_sync_write, by_store, by_map_sync,
};

struct writer {
	int file;
	unsigned int seed;
	pthread_t thread;
};

/* Numbers increase by one: all records before the first missing one exist. */
static long first_free(int file)
{
	uint8_t seen[RECORD], expected[RECORD];
	long low = 0, high = RECORDS;

	while (low < high) {
		long middle = (low + high) / 2;

		dxs_pread(file_fd[file], seen, RECORD, middle * RECORD);
		fill(expected, file, middle);
		if (memcmp(seen, expected, RECORD))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void *write_records(void *arg)
{
	struct writer *writer = arg;
	uint8_t buf[RECORD];
	long number;

	for (number = first_free(writer->file); number < RECORDS; number++) {
		fill(buf, writer->file, number);
		ways[rand_r(&writer->seed) % ARRAY_SIZE(ways)](writer->file,
							       number, buf);
		say_durable(writer->file, number);
	}
	/* A power cut from here on could lose nothing. */
	dxs_bail("file %d: all records have been written", writer->file);
}

static void run_load(unsigned int seed)
{
	struct writer writers[FILES];
	char path[32];
	int i;

	dxs_mount_stack();
	for (i = 0; i < FILES; i++) {
		path_of(path, sizeof(path), "stack", i);
		file_fd[i] = MUST(open(path, O_RDWR));
		writers[i] = (struct writer){ .file = i, .seed = seed + i };
		if (pthread_create(&writers[i].thread, NULL, write_records,
				   &writers[i]))
			dxs_bail("cannot create a thread");
	}
	printf("load\n");
	fflush(stdout);
	for (;;) {
		i = rand_r(&seed) % FILES;
		if (!dxs_switch(file_fd[i], !dxs_mode(file_fd[i]), 0, NULL))
			switches++;
		/* Fewer lines than switches: the output is for records. */
		if (switches % 16 == 0) {
			printf("switches %lu\n", switches);
			fflush(stdout);
		}
	}
}

/* --- Check. */

static void check_record(const char *mnt, int fd, const uint8_t *map, int file,
			 long number, long *lost)
{
	uint8_t seen[RECORD], expected[RECORD];

	fill(expected, file, number);
	dxs_pread(fd, seen, RECORD, number * RECORD);
	if (memcmp(seen, expected, RECORD) ||
	    memcmp(map + number * RECORD, expected, RECORD)) {
		dxs_diag("%s: file %d, record %ld is lost", mnt, file, number);
		(*lost)++;
	}
}

static void check_records(const char *mnt, const char *list)
{
	long number, count = 0, lost = 0;
	uint8_t *maps[FILES];
	int fds[FILES], file;
	char path[32];
	FILE *in = fopen(list, "r");

	if (!in)
		dxs_bail("%s: %m", list);
	for (file = 0; file < FILES; file++) {
		path_of(path, sizeof(path), mnt, file);
		fds[file] = MUST(open(path, O_RDONLY));
		maps[file] = MUST(mmap(NULL, RECORDS * RECORD, PROT_READ,
				       MAP_SHARED, fds[file], 0));
		dxs_is(dxs_xflag(fds[file]), dxs_mode(fds[file]),
		       "%s: file %d is in the mode of its flag", mnt, file);
	}
	while (fscanf(in, "%d %ld", &file, &number) == 2) {
		if (file < 0 || file >= FILES || number < 0 ||
		    number >= RECORDS)
			dxs_bail("%s: no such record: %d %ld", list, file,
				 number);
		check_record(mnt, fds[file], maps[file], file, number, &lost);
		count++;
	}
	fclose(in);
	for (file = 0; file < FILES; file++) {
		munmap(maps[file], RECORDS * RECORD);
		close(fds[file]);
	}
	dxs_is(0, lost, "%s: all of %ld records exist", mnt, count);
}

static void check(const char *list)
{
	/* The mount replays the journal; then fsck finds no errors. */
	dxs_mount_lower();
	check_records("lower", list);
	dxs_umount_lower();
	dxs_fsck();
	dxs_mount_stack();
	check_records("stack", list);
	dxs_umount_stack();
}

static void make(void)
{
	char path[32];
	int i, fd;

	dxs_mkfs(NULL);
	dxs_mount_stack();
	for (i = 0; i < FILES; i++) {
		path_of(path, sizeof(path), "stack", i);
		fd = MUST(open(path, O_RDWR | O_CREAT, 0644));
		MUST(ftruncate(fd, RECORDS * RECORD));
		MUST(fsync(fd));
		close(fd);
	}
	dxs_umount_stack();
	dxs_ok(true, "a new filesystem");
}

int main(int argc, char **argv)
{
	dxs_begin();
	if (argc == 2 && !strcmp(argv[1], "new"))
		make();
	else if (argc == 3 && !strcmp(argv[1], "check"))
		check(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "load"))
		run_load(strtoul(argv[2], NULL, 0));
	else
		dxs_bail("see the top of the source");
	return dxs_done();
}
