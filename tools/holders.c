// SPDX-License-Identifier: GPL-2.0-only
/*
 * Find processes that hold files: open, mapped, as a directory or as their program.
 *
 * Files are identified by device and inode. The names of files and processes are under
 * control of the processes examined: they are only printed. Nothing is opened except
 * files that the kernel provides in /proc, and no attributes are requested from a
 * server.
 */
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tool.h"
#include "who.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID	0x1000U
#endif
#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX	0x00200000
#endif

/**
 * struct scan - a process being examined
 * @who: the result
 * @first: index of its first holder in @who
 * @pid: process ID
 * @proc: descriptor of its directory in /proc
 * @denied: permission was denied for a part
 */
struct scan {
	struct who *who;
	size_t first;
	pid_t pid;
	int proc;
	bool denied;
};

static void note_denial(struct scan *scan)
{
	if (errno == EACCES || errno == EPERM)
		scan->denied = true;
}

static bool is_below(const struct who *who, uint64_t mnt)
{
	size_t i;

	for (i = 0; i < who->nr_below; i++)
		if (who->below[i] == mnt)
			return true;
	return false;
}

static void set_name(struct holder *holder, int dir, const char *link)
{
	char name[PATH_MAX + 16];
	ssize_t len;

	if (holder->file)
		return;
	len = readlinkat(dir, link, name, sizeof(name) - 1);
	if (len < 0)
		return;
	name[len] = 0;
	holder->file = strdup(name);
}

static struct holder *get_holder(struct scan *scan, dev_t dev, uint64_t ino)
{
	struct holder *holder = who_holder(scan->who, scan->first, dev, ino);

	holder->pid = scan->pid;
	return holder;
}

static void note_stat(struct scan *scan, struct holder *holder,
		      const struct statx *stx)
{
	uint64_t mnt = stx->stx_mask & STATX_MNT_ID ? stx->stx_mnt_id : 0;

	holder->looked = true;
	holder->type = stx->stx_mode & S_IFMT;
	holder->dax = stx->stx_attributes & STATX_ATTR_DAX;
	holder->deleted = !stx->stx_nlink;
	if (!mnt || who_is_asked(scan->who, mnt))
		holder->holds |= HOLD_HERE;
	else if (is_below(scan->who, mnt))
		holder->holds |= HOLD_BELOW;
}

/* Check the file that a link in /proc refers to, and record it if it was asked for. */
static struct holder *look_at_link(struct scan *scan, int dir, const char *link,
				   unsigned int holds)
{
	struct holder *holder;
	struct statx stx;
	dev_t dev;

	if (statx(dir, link, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_INO | STATX_NLINK | STATX_MNT_ID, &stx)) {
		note_denial(scan);
		return NULL;
	}
	dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	if (!who_match(scan->who, dev, stx.stx_ino))
		return NULL;
	holder = get_holder(scan, dev, stx.stx_ino);
	holder->holds |= holds;
	note_stat(scan, holder, &stx);
	set_name(holder, dir, link);
	return holder;
}

/* --- Descriptors. */

/* fdinfo lists the locks and leases of a descriptor. */
static void look_at_locks(struct holder *holder, int thread, const char *fd)
{
	char path[300], *text, *line;

	snprintf(path, sizeof(path), "fdinfo/%s", fd);
	text = process_read(thread, path);
	for (line = text; line; line = strchr(line, '\n')) {
		char type[16], how[16], access[16];

		line += *line == '\n';
		if (sscanf(line, "lock: %*d: %15s %15s %15s", type, how,
			   access) != 3)
			continue;
		if (strcmp(type, "LEASE") && strcmp(type, "DELEG"))
			holder->holds |= HOLD_LOCKED;
		else if (strcmp(access, "WRITE"))
			holder->holds |= HOLD_LEASE;
		else
			holder->holds |= HOLD_LEASE | HOLD_LEASE_WRITE;
	}
	free(text);
}

static DIR *open_in(struct scan *scan, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream;

	if (fd < 0) {
		note_denial(scan);
		return NULL;
	}
	stream = fdopendir(fd);
	if (!stream)
		close(fd);
	return stream;
}

static void look_at_fds(struct scan *scan, int thread)
{
	DIR *fds = open_in(scan, thread, "fd");
	struct holder *holder;
	struct dirent *entry;

	while (fds && (entry = readdir(fds))) {
		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		holder = look_at_link(scan, dirfd(fds), entry->d_name,
				      HOLD_OPEN);
		if (!holder)
			continue;
		if (!holder->fds)
			holder->fds = json_array();
		json_array_append_new(holder->fds,
				      json_integer(atoi(entry->d_name)));
		look_at_locks(holder, thread, entry->d_name);
	}
	if (fds)
		closedir(fds);
}

static void look_at_directories(struct scan *scan, int thread)
{
	look_at_link(scan, thread, "cwd", HOLD_CWD);
	look_at_link(scan, thread, "root", HOLD_ROOT);
}

/* --- Mappings. */

/**
 * struct mapping - a line of maps, or the first line of a mapping in smaps
 * @start: first address
 * @end: address after the last
 * @private: MAP_PRIVATE
 * @dev: device of the file
 * @ino: inode of the file
 * @name: offset of the file's name in the line
 */
struct mapping {
	unsigned long start;
	unsigned long end;
	bool private;
	dev_t dev;
	uint64_t ino;
	int name;
};

/* The kernel escapes newlines in names, so each mapping has one line. */
static bool parse_mapping(const char *line, struct mapping *map)
{
	unsigned int major, minor;
	unsigned long long ino;
	char perms[5];

	map->name = 0;
	if (sscanf(line, "%lx-%lx %4s %*x %x:%x %llu %n", &map->start,
		   &map->end, perms, &major, &minor, &ino, &map->name) < 6)
		return false;
	map->private = perms[3] == 'p';
	map->dev = makedev(major, minor);
	map->ino = ino;
	return true;
}

static FILE *open_text(struct scan *scan, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	FILE *file;

	if (fd < 0) {
		note_denial(scan);
		return NULL;
	}
	file = fdopen(fd, "r");
	if (!file)
		close(fd);
	return file;
}

static void add_mapping(struct scan *scan, int thread,
			const struct mapping *map, char *line)
{
	struct holder *holder = get_holder(scan, map->dev, map->ino);
	struct statx stx;
	char link[80];

	holder->holds |= HOLD_MAPPED | (map->private ? HOLD_PRIVATE : 0);
	/* The target of the link tells the mount. Following it needs CAP_SYS_ADMIN. */
	snprintf(link, sizeof(link), "map_files/%lx-%lx", map->start, map->end);
	if (!statx(thread, link, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		   STATX_TYPE | STATX_INO | STATX_NLINK | STATX_MNT_ID, &stx) &&
	    makedev(stx.stx_dev_major, stx.stx_dev_minor) == map->dev &&
	    stx.stx_ino == map->ino) {
		note_stat(scan, holder, &stx);
		set_name(holder, thread, link);
	} else if (!holder->looked) {
		holder->holds |= HOLD_HERE;
	}
	if (!holder->file && map->name && line[map->name]) {
		line[strcspn(line, "\n")] = 0;
		holder->file = strdup(line + map->name);
	}
}

/* Return: the number of lines, -1 if it cannot be read. */
static long look_at_maps(struct scan *scan, int thread, bool *found)
{
	FILE *maps = open_text(scan, thread, "maps");
	struct mapping map;
	char *line = NULL;
	size_t size = 0;
	long lines = 0;

	if (!maps)
		return -1;
	for (; getline(&line, &size, maps) > 0; lines++) {
		if (!parse_mapping(line, &map) ||
		    !who_match(scan->who, map.dev, map.ino))
			continue;
		*found = true;
		add_mapping(scan, thread, &map, line);
	}
	free(line);
	fclose(maps);
	return lines;
}

/* " sf": MAP_SYNC, " lo": locked in memory. */
static unsigned int parse_flags(const char *flags)
{
	return (strstr(flags, " sf") ? HOLD_SYNC : 0) |
		(strstr(flags, " lo") ? HOLD_MLOCKED : 0);
}

/* smaps is slow to read, because the kernel counts pages: only if there was a match. */
static void look_at_smaps(struct scan *scan, int thread)
{
	FILE *smaps = open_text(scan, thread, "smaps");
	struct mapping map = { .ino = 0 };
	bool match = false;
	char *line = NULL;
	size_t size = 0;

	while (smaps && getline(&line, &size, smaps) > 0) {
		if (!strncmp(line, "VmFlags:", 8)) {
			if (match)
				get_holder(scan, map.dev, map.ino)->holds |=
					parse_flags(line + 8);
		} else if (parse_mapping(line, &map)) {
			match = who_match(scan->who, map.dev, map.ino);
		}
	}
	free(line);
	if (smaps)
		fclose(smaps);
}

/* If the first thread of a process has exited, another thread shows the mappings. */
static bool look_at_memory(struct scan *scan, int thread)
{
	bool found = false;

	if (look_at_maps(scan, thread, &found) <= 0)
		return false;
	if (found)
		look_at_smaps(scan, thread);
	return true;
}

/* --- Processes. */

static bool shares(const struct scan *scan, pid_t tid, int what)
{
	return !syscall(SYS_kcmp, scan->pid, tid, what, 0, 0);
}

/* Threads may have descriptors and directories of their own (unshare(2)). */
static void look_at_threads(struct scan *scan, bool memory)
{
	DIR *tasks = open_in(scan, scan->proc, "task");
	struct dirent *entry;
	pid_t tid;
	int fd;

	while (tasks && (entry = readdir(tasks))) {
		tid = atoi(entry->d_name);
		if (tid <= 0 || tid == scan->pid)
			continue;
		fd = openat(dirfd(tasks), entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!shares(scan, tid, KCMP_FILES))
			look_at_fds(scan, fd);
		if (!shares(scan, tid, KCMP_FS))
			look_at_directories(scan, fd);
		if (!memory)
			memory = look_at_memory(scan, fd);
		close(fd);
	}
	if (tasks)
		closedir(tasks);
}

/* Set user and command in the holders of the process. */
static void name_process(struct scan *scan)
{
	struct who *who = scan->who;
	char *command;
	uid_t uid = 0;
	size_t i;

	if (who->nr_holders == scan->first)
		return;
	command = process_command(scan->proc);
	process_uid(scan->proc, &uid);
	for (i = scan->first; i < who->nr_holders; i++) {
		who->holders[i].uid = uid;
		who->holders[i].command = strdup(command);
	}
	free(command);
}

/* Kernel threads hold no files, and cannot be examined. */
static bool is_kernel_thread(int proc)
{
	const unsigned int pf_kthread = 0x200000;
	char *text = process_read(proc, "stat");
	/* The name may contain parentheses. */
	const char *rest = text ? strrchr(text, ')') : NULL;
	unsigned int flags = 0;

	if (rest)
		sscanf(rest, ") %*c %*d %*d %*d %*d %*d %u", &flags);
	free(text);
	return flags & pf_kthread;
}

static void look_at_process(struct who *who, const char *pid)
{
	struct scan scan = {
		.who = who,
		.first = who->nr_holders,
		.pid = atoi(pid),
		.proc = process_open(pid),
	};
	bool memory;

	if (scan.proc < 0)
		return;
	who->processes++;
	look_at_fds(&scan, scan.proc);
	look_at_directories(&scan, scan.proc);
	look_at_link(&scan, scan.proc, "exe", HOLD_EXE);
	memory = look_at_memory(&scan, scan.proc);
	look_at_threads(&scan, memory);
	name_process(&scan);
	who->unseen += scan.denied && !is_kernel_thread(scan.proc);
	close(scan.proc);
}

/**
 * holders_find - examine all processes
 * @who: with targets and mounts filled in
 */
void holders_find(struct who *who)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		err(TOOL_FAILED, "/proc");
	while ((entry = readdir(proc)))
		if (isdigit((unsigned char)*entry->d_name) &&
		    atoi(entry->d_name) != getpid())
			look_at_process(who, entry->d_name);
	closedir(proc);
}
