// SPDX-License-Identifier: GPL-2.0-only
/*
 * Switches the files of a tree back and forth while programs use them.
 *
 * Walks DIR again and again until SIGTERM. Switches each file that is mapped or
 * was changed in the last few seconds, and others now and then; also each file
 * of DIR's filesystem that a process has open or mapped, including unlinked
 * files. Flags of directories change as well, so that new files start in either
 * mode. After each switch it pauses for as long as the switch took, to let the
 * programs run.
 *
 * Prints statistics. Fails if there were fewer than COUNT effective switches to
 * dax, or to cached, of files in use (open, mapped, or just changed); or if a
 * switch was refused for a reason that is not in the list (names of
 * include/daxstack.h; default PINNED,IO,WRITEBACK).
 *
 * Usage: switcher [-n COUNT] [-r REASON,...] DIR
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dxs_test.h"

#define HOT_SECONDS	5
#define COLD_ONE_IN	8
#define TIMEOUT_MS	200
#define NSEC_PER_SEC	1000000000
#define USEC_PER_SEC	1000000

static volatile sig_atomic_t stop;
static dev_t device;

static struct {
	unsigned long passes;
	unsigned long effective;
	unsigned long to_dax;
	unsigned long to_cached_in_use;	/* open, or just changed */
	unsigned long to_dax_in_use;
	unsigned long mapped;
	unsigned long unlinked;
	unsigned long directories;
	unsigned long pages;		/* written back */
	unsigned long refused[DAXSTACK_REASON_COUNT];
	unsigned long errors;		/* of any other kind */
	double longest;			/* time for one switch, in seconds */
	double shut;			/* ... of which the gates were closed */
} did;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void error(const char *path, const char *what)
{
	if (did.errors++ < 10)
		printf("# %s: %s: %m\n", path, what);
}

static void flip_directory(const char *path, int fd)
{
	struct fsxattr attr;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr)) {
		error(path, "FSGETXATTR");
		return;
	}
	attr.fsx_xflags ^= FS_XFLAG_DAX;
	if (ioctl(fd, FS_IOC_FSSETXATTR, &attr))
		error(path, "FSSETXATTR");
	else
		did.directories++;
}

/* Return: whether the file is in use and was switched. */
static bool flip_once(const char *path, int fd, const struct stat *st,
		      bool is_open)
{
	struct daxstack_switch sw = { .timeout_ms = TIMEOUT_MS };
	struct daxstack_state state;
	const double nanosecond = 1.0 / NSEC_PER_SEC;
	double start, took;
	bool mapped, hot;

	if (ioctl(fd, DAXSTACK_IOC_STATE, &state)) {
		error(path, "STATE");
		return false;
	}
	mapped = state.flags & DAXSTACK_STATE_MAPPED;
	hot = is_open || mapped ||
		st->st_mtime >= time(NULL) - HOT_SECONDS;
	if (!hot && rand() % COLD_ONE_IN)
		return false;
	sw.mode = state.mode == DAXSTACK_DAX ? DAXSTACK_CACHED : DAXSTACK_DAX;
	start = dxs_now();
	if (ioctl(fd, DAXSTACK_IOC_SWITCH, &sw)) {
		if (stop && errno == EINTR)
			return false;
		if (sw.reason && sw.reason < DAXSTACK_REASON_COUNT)
			did.refused[sw.reason]++;
		else
			error(path, "SWITCH");
	} else if (sw.switched) {
		did.effective++;
		did.to_dax += sw.mode == DAXSTACK_DAX;
		did.to_cached_in_use += hot && sw.mode == DAXSTACK_CACHED;
		did.to_dax_in_use += hot && sw.mode == DAXSTACK_DAX;
		did.mapped += mapped;
		did.unlinked += !st->st_nlink;
		did.pages += sw.pages;
	}
	took = dxs_now() - start;
	if (took > did.longest)
		did.longest = took;
	if (sw.shut_ns * nanosecond > did.shut)
		did.shut = sw.shut_ns * nanosecond;
	if (!stop)
		usleep(took < 1 ? took * USEC_PER_SEC + 500 : USEC_PER_SEC);
	return hot && sw.switched;
}

/* Some files are gone before the next pass: half of them are switched twice. */
static void flip_file(const char *path, int fd, const struct stat *st,
		      bool is_open)
{
	if (flip_once(path, fd, st, is_open) && !stop && rand() % 2)
		flip_once(path, fd, st, is_open);
}

static int visit(const char *path, const struct stat *st, int type,
		 struct FTW *where)
{
	struct stat now;
	int fd;

	(void)where;
	if (stop)
		return FTW_STOP;
	if (type != FTW_F && type != FTW_D)
		return FTW_CONTINUE;
	if (type == FTW_F && !S_ISREG(st->st_mode))
		return FTW_CONTINUE;
	if (type == FTW_D && rand() % COLD_ONE_IN)
		return FTW_CONTINUE;
	/* Non-blocking, in case there is a lease. */
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME |
			O_CLOEXEC);
	if (fd < 0) {
		/* Removed or replaced since it was listed; or leased. */
		if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP &&
		    errno != EWOULDBLOCK)
			error(path, "open");
		return FTW_CONTINUE;
	}
	if (fstat(fd, &now))
		error(path, "fstat");
	else if (S_ISDIR(now.st_mode))
		flip_directory(path, fd);
	else if (S_ISREG(now.st_mode))
		flip_file(path, fd, &now, false);
	close(fd);
	return FTW_CONTINUE;
}

/* Visits the links in /proc/PID/fd or map_files. */
static void visit_links(pid_t pid, const char *kind)
{
	struct dirent *entry;
	char path[300];
	struct stat st;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, kind);
	dir = opendir(path);
	if (!dir)
		return;
	while (!stop && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/%s/%s", pid, kind,
			 entry->d_name);
		if (stat(path, &st) || !S_ISREG(st.st_mode) ||
		    st.st_dev != device)
			continue;
		/* Gone meanwhile, or leased, or it cannot be opened. */
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		/* The number or address may refer to another file by now. */
		if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
		    st.st_dev == device)
			flip_file(path, fd, &st, true);
		close(fd);
	}
	closedir(dir);
}

static void visit_processes(void)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	if (!dir)
		return;
	while (!stop && (entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);

		if (!isdigit(entry->d_name[0]) || pid == getpid())
			continue;
		visit_links(pid, "fd");
		visit_links(pid, "map_files");
	}
	closedir(dir);
}

/* Prints refusals. Return: whether all reasons are in @expected. */
static bool all_expected(const char *expected)
{
	bool fine = true;
	int i;

	for (i = 1; i < DAXSTACK_REASON_COUNT; i++) {
		const char *name = dxs_reason_name(i);
		const char *found = expected;
		size_t len = strlen(name);

		if (!did.refused[i])
			continue;
		while ((found = strstr(found, name))) {
			if ((found == expected || found[-1] == ',') &&
			    (!found[len] || found[len] == ','))
				break;
			found += len;
		}
		printf("# refused, %s: %lu%s\n", name, did.refused[i],
		       found ? "" : " (not expected)");
		fine &= !!found;
	}
	return fine;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	const char *expected = "PINNED,IO,WRITEBACK";
	unsigned long least = 1;
	double start;
	struct stat st;
	bool fine;
	int opt;

	while ((opt = getopt(argc, argv, "n:r:")) != -1) {
		switch (opt) {
		case 'n':
			least = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			expected = optarg;
			break;
		default:
			return 2;
		}
	}
	if (optind != argc - 1)
		return 2;
	device = MUST(stat(argv[optind], &st)) ? 0 : st.st_dev;
	/* One process against many programs. */
	MUST(setpriority(PRIO_PROCESS, 0, -15));
	/* Without SA_RESTART, so that it interrupts a waiting switch. */
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	start = dxs_now();
	while (!stop) {
		if (nftw(argv[optind], visit, 20,
			 FTW_PHYS | FTW_MOUNT | FTW_ACTIONRETVAL) == -1 &&
		    errno != ENOENT)
			error(argv[optind], "nftw");
		visit_processes();
		did.passes++;
		if (!stop)
			usleep(10000);
	}
	printf("# %lu switches (%lu to dax) in %.0f s and %lu passes\n",
	       did.effective, did.to_dax, dxs_now() - start, did.passes);
	printf("# of files in use %lu to dax, %lu to cached; of mapped %lu, of unlinked %lu\n",
	       did.to_dax_in_use, did.to_cached_in_use, did.mapped,
	       did.unlinked);
	printf("# %lu pages written back; %lu directories\n", did.pages,
	       did.directories);
	printf("# longest switch %.0f ms, gates closed for at most %.0f ms\n",
	       did.longest * 1e3, did.shut * 1e3);
	fine = all_expected(expected);
	if (did.to_dax_in_use < least || did.to_cached_in_use < least) {
		printf("# fewer than %lu switches of files in use to one of the modes\n",
		       least);
		fine = false;
	}
	return fine && !did.errors ? 0 : 1;
}
