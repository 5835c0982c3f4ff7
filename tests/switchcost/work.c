// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files with a given amount of cached, dirty and mapped data, and the cost of
 * switching them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cost.h"

/* Commands to a process that maps the file. */
#define OPEN	'o'	/* open, map, read the used part */
#define READ	'r'	/* read it again */
#define CLOSE	'c'	/* unmap, close */

/*
 * Many, so that most are switched without a line in dmesg: those are
 * rate-limited.
 */
#define FILES	1000

struct mapper {
	pid_t pid;
	int to;		/* commands */
	int from;	/* one byte for each command done */
};

struct scene {
	const struct work *work;
	char name[32];
	int fd;
	struct mapper *mappers;
};

uint64_t count(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void need(int err, const char *what)
{
	if (err)
		dxs_bail("%s: %s", what, strerror(err));
}

static char *buffer(void)
{
	static char *buf;

	if (!buf) {
		buf = dxs_alloc(MIB);
		memset(buf, 'x', MIB);
	}
	return buf;
}

static void write_all(int fd, off_t len)
{
	off_t pos, n;

	for (pos = 0; pos < len; pos += n) {
		n = len - pos < MIB ? len - pos : MIB;
		dxs_pwrite(fd, buffer(), n, pos);
	}
}

static void read_all(int fd, off_t len)
{
	off_t pos, n;

	for (pos = 0; pos < len; pos += n) {
		n = len - pos < MIB ? len - pos : MIB;
		dxs_pread(fd, buffer(), n, pos);
	}
}

/* Readahead would fetch more than the used part, and more in a larger file. */
static int open_file(const char *name)
{
	int fd = MUST(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644));

	need(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), "fadvise");
	return fd;
}

static void touch(const volatile char *map, off_t len)
{
	off_t pos;

	for (pos = 0; pos < len; pos += PAGE)
		(void)map[pos];
}

/* --- Processes that map the file. */

static void map_for_ever(const struct scene *scene, int from, int to)
{
	const struct work *work = scene->work;
	size_t len = work->span ?: work->used;
	char *map = MAP_FAILED, command;
	int fd = -1;

	while (read(from, &command, 1) == 1) {
		if (command == OPEN) {
			fd = open_file(scene->name);
			map = MUST(mmap(NULL, len, PROT_READ | PROT_WRITE,
					MAP_SHARED, fd, 0));
		}
		if (command != CLOSE) {
			touch(map, work->used);
		} else {
			MUST(munmap(map, len));
			MUST(close(fd));
		}
		MUST(write(to, &command, 1));
	}
	_exit(0);
}

static void start(struct scene *scene, struct mapper *mapper)
{
	int to[2], from[2];

	MUST(pipe2(to, O_CLOEXEC));
	MUST(pipe2(from, O_CLOEXEC));
	mapper->pid = MUST(fork());
	if (!mapper->pid) {
		close(to[1]);
		close(scene->fd);
		map_for_ever(scene, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	mapper->to = to[1];
	mapper->from = from[0];
}

static void tell_all(const struct scene *scene, char command)
{
	int i;

	for (i = 0; i < scene->work->mappers; i++)
		MUST(write(scene->mappers[i].to, &command, 1));
	for (i = 0; i < scene->work->mappers; i++)
		if (MUST(read(scene->mappers[i].from, &command, 1)) != 1)
			dxs_bail("a process is gone");
}

/* --- A file in a mode, with its users. */

static void make_file(struct scene *scene, const char *where)
{
	const struct work *work = scene->work;
	static int files;

	snprintf(scene->name, sizeof(scene->name), "%s/%d", where, files++);
	scene->fd = open_file(scene->name);
	if (work->sparse)
		MUST(ftruncate(scene->fd, work->size));
	else
		need(posix_fallocate(scene->fd, 0, work->size), "fallocate");
	write_all(scene->fd, work->used);
	MUST(fsync(scene->fd));
	need(posix_fadvise(scene->fd, 0, 0, POSIX_FADV_DONTNEED), "fadvise");
	/* Do not count writeback of other data. */
	sync();
}

/* Reopens the file, because the flag takes effect after the last close. */
static void reopen(struct scene *scene)
{
	MUST(close(scene->fd));
	scene->fd = open_file(scene->name);
}

/* Evicts all inodes, so that they are reloaded. */
static void forget_inodes(void)
{
	int fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY));

	MUST(write(fd, "3", 1));
	close(fd);
}

/* Uses the file as @work says, in its current mode. */
static void use(struct scene *scene)
{
	const struct work *work = scene->work;
	char *map;
	int i;

	if (dxs_mode(scene->fd) == DAXSTACK_CACHED) {
		read_all(scene->fd, work->used);
		write_all(scene->fd, work->dirty);
	} else if (work->used) {
		/* In dax mode write(2) leaves nothing to write back. */
		map = MUST(mmap(NULL, work->used, PROT_READ | PROT_WRITE,
				MAP_SHARED, scene->fd, 0));
		memset(map, 'y', work->dirty);
		touch(map, work->used);
		MUST(munmap(map, work->used));
	}
	scene->mappers = calloc(work->mappers + 1, sizeof(*scene->mappers));
	for (i = 0; i < work->mappers; i++)
		start(scene, &scene->mappers[i]);
	tell_all(scene, OPEN);
}

static void end(struct scene *scene)
{
	int i;

	/* Each has inherited the pipes to those before it. */
	for (i = 0; i < scene->work->mappers; i++) {
		close(scene->mappers[i].to);
		close(scene->mappers[i].from);
	}
	for (i = 0; i < scene->work->mappers; i++)
		MUST(waitpid(scene->mappers[i].pid, NULL, 0));
	free(scene->mappers);
	close(scene->fd);
	MUST(unlink(scene->name));
	sync();
}

/*
 * Every process reads the used part; without processes, the test itself does.
 */
static uint64_t read_again(const struct scene *scene)
{
	uint64_t start = count();

	if (scene->work->mappers)
		tell_all(scene, READ);
	else
		read_all(scene->fd, scene->work->used);
	return count() - start;
}

struct cost cost_of_switch(const struct work *work, int to)
{
	struct scene scene = { .work = work };
	struct daxstack_switch sw;
	struct cost cost;
	uint64_t start;
	int err;

	make_file(&scene, "stack");
	if (to == DAXSTACK_CACHED && !dxs_to(scene.fd, DAXSTACK_DAX, scene.name))
		dxs_bail("cannot continue");
	use(&scene);

	start = count();
	err = dxs_switch(scene.fd, to, 2000, &sw);
	cost.all = count() - start;
	if (err || sw.attempts != 1)
		dxs_bail("%s to %s: %s, reason %s, attempts %u", scene.name,
			 dxs_mode_name(to), strerror(err),
			 dxs_reason_name(sw.reason), sw.attempts);
	cost.shut = sw.shut_ns;
	cost.again = read_again(&scene);
	end(&scene);
	return cost;
}

struct cost cost_without_stack(const struct work *work, int to)
{
	struct scene scene = { .work = work };
	struct cost cost = {};
	uint64_t start;

	make_file(&scene, "lower");
	if (to == DAXSTACK_CACHED) {
		need(dxs_set_xflag(scene.fd, DAXSTACK_DAX), "set flag");
		reopen(&scene);
	}
	use(&scene);

	start = count();
	tell_all(&scene, CLOSE);
	need(dxs_set_xflag(scene.fd, to), "set flag");
	MUST(close(scene.fd));
	cost.all = count() - start;

	start = count();
	forget_inodes();
	cost.drop = count() - start;

	start = count();
	scene.fd = open_file(scene.name);
	cost.all += count() - start;
	if (dxs_mode(scene.fd) != to)
		dxs_bail("%s was not evicted", scene.name);

	start = count();
	if (work->mappers)
		tell_all(&scene, OPEN);
	else
		read_all(scene.fd, work->used);
	cost.again = count() - start;
	end(&scene);
	return cost;
}

uint64_t cost_of_flush(const struct work *work)
{
	struct scene scene = { .work = work };
	uint64_t start, cost;

	make_file(&scene, "lower");
	use(&scene);
	start = count();
	MUST(fsync(scene.fd));
	need(posix_fadvise(scene.fd, 0, 0, POSIX_FADV_DONTNEED), "fadvise");
	cost = count() - start;
	end(&scene);
	return cost;
}

static void path_of(char path[32], const char *where, int file)
{
	snprintf(path, 32, "%s/many/%d", where, file);
}

static void make_many(const char *where)
{
	char path[32];
	int i, fd;

	snprintf(path, sizeof(path), "%s/many", where);
	MUST(mkdir(path, 0755));
	for (i = 0; i < FILES; i++) {
		path_of(path, where, i);
		fd = MUST(open(path, O_RDWR | O_CREAT | O_EXCL, 0644));
		write_all(fd, PAGE);
		close(fd);
	}
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

uint64_t cost_of_flag(const char *where, int to)
{
	uint64_t start, costs[FILES];
	struct fsxattr fsx;
	char path[32];
	int i, fd;

	path_of(path, where, 0);
	if (access(path, F_OK))
		make_many(where);
	/* Writing the file used it. */
	sync();
	forget_inodes();
	for (i = 0; i < FILES; i++) {
		path_of(path, where, i);
		fd = MUST(open(path, O_RDONLY));
		MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
		fsx.fsx_xflags ^= FS_XFLAG_DAX;
		/* fsx has the flag to come. */
		if ((fsx.fsx_xflags & FS_XFLAG_DAX ? DAXSTACK_DAX :
						     DAXSTACK_CACHED) != to)
			dxs_bail("%s: not in the other mode", path);
		start = count();
		MUST(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
		costs[i] = count() - start;
		close(fd);
	}
	qsort(costs, FILES, sizeof(*costs), compare);
	return costs[FILES / 2];
}
