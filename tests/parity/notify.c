// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: notification of operations: inotify, fanotify, dnotify, SIGIO.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "parity.h"

/* --- Operations to be reported. */

static void open_close(void)
{
	close(MUST(open("dir/file", O_RDONLY)));
}

static void read_some(void)
{
	char buf[10];
	int fd = MUST(open("dir/file", O_RDONLY));

	MUST(pread(fd, buf, sizeof(buf), 0));
	close(fd);
}

static void write_some(void)
{
	int fd = MUST(open("dir/file", O_WRONLY));

	dxs_pwrite(fd, "x", 1, 0);
	MUST(pwrite(fd, "", 0, 0));
	close(fd);
}

static void truncate_it(void)
{
	MUST(truncate("dir/file", 100));
}

static void open_truncated(void)
{
	close(MUST(open("dir/file", O_WRONLY | O_TRUNC)));
}

static void allocate(void)
{
	int fd = MUST(open("dir/file", O_WRONLY));

	MUST(fallocate(fd, 0, 0, PAGE));
	close(fd);
}

static void copy_some(void)
{
	int fd = MUST(open("dir/file", O_RDWR));
	loff_t from = 0, to = 2 * PAGE;

	MUST(copy_file_range(fd, &from, fd, &to, 100, 0));
	close(fd);
}

static void store(void)
{
	int fd = MUST(open("dir/file", O_RDWR));
	char *map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0));

	map[0]++;
	munmap(map, PAGE);
	close(fd);
}

static void change_mode(void)
{
	MUST(chmod("dir/file", 0600));
}

static void set_xattr(void)
{
	MUST(setxattr("dir/file", "user.a", "x", 1, 0));
}

static void make(void)
{
	close(MUST(open("dir/new", O_CREAT | O_WRONLY, 0644)));
	MUST(mkdir("dir/dir", 0755));
	MUST(symlink("x", "dir/link"));
	MUST(link("dir/file", "dir/hard"));
}

static void rename_some(void)
{
	MUST(rename("dir/new", "dir/moved"));
	MUST(rename("dir/moved", "outside"));
	MUST(rename("outside", "dir/new"));
	MUST(renameat2(AT_FDCWD, "dir/new", AT_FDCWD, "dir/dir",
		       RENAME_EXCHANGE));
	MUST(renameat2(AT_FDCWD, "dir/new", AT_FDCWD, "dir/dir",
		       RENAME_EXCHANGE));
}

static void take_away(void)
{
	MUST(unlink("dir/new"));
	MUST(rmdir("dir/dir"));
	MUST(unlink("dir/link"));
	MUST(unlink("dir/hard"));
}

static void temporary(void)
{
	close(MUST(open("dir", O_TMPFILE | O_WRONLY, 0644)));
}

static void fail_some(void)
{
	mkdir("dir/file", 0755);
	unlink("dir/none");
	open("dir/file", O_CREAT | O_EXCL | O_WRONLY, 0644);
}

static void move_away(void)
{
	MUST(rename("dir", "moved"));
	MUST(unlink("moved/file"));
	MUST(rmdir("moved"));
}

static const struct {
	const char *name;
	void (*run)(void);
} acts[] = {
	{ "open", open_close },
	{ "read", read_some },
	{ "write", write_some },
	{ "truncate", truncate_it },
	{ "O_TRUNC", open_truncated },
	{ "fallocate", allocate },
	{ "copy_file_range", copy_some },
	{ "store", store },
	{ "chmod", change_mode },
	{ "setxattr", set_xattr },
	{ "make", make },
	{ "rename", rename_some },
	{ "take away", take_away },
	{ "O_TMPFILE", temporary },
	{ "failures", fail_some },
	{ "move away", move_away },
};

static void begin(void)
{
	MUST(mkdir("dir", 0755));
	close(make_file("dir/file", 4 * PAGE));
}

/*
 * Names that are no known file are printed as one placeholder: inode numbers
 * differ.
 */
static const char *known(const char *name)
{
	return name[0] == '#' ? "#" : name;
}

/* --- inotify. */

static void events(int fd)
{
	char buf[8192] __attribute__((aligned(8)));
	uint32_t cookie = 0;
	ssize_t n, at;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (at = 0; at < n;) {
			struct inotify_event *e = (void *)(buf + at);

			note("%s: %x '%s'%s", e->wd == 1 ? "dir" : "file",
			     e->mask, known(e->len ? e->name : ""),
			     !e->cookie ? "" : e->cookie == cookie ?
			     " (second)" : " (first)");
			cookie = e->cookie;
			at += sizeof(*e) + e->len;
		}
	}
}

void run_inotify(void)
{
	int fd = MUST(inotify_init1(IN_NONBLOCK));
	size_t i;

	begin();
	TELL(inotify_add_watch(fd, "dir", IN_ALL_EVENTS));
	TELL(inotify_add_watch(fd, "dir/file", IN_ALL_EVENTS));
	TELL(inotify_add_watch(fd, "dir/file", IN_ALL_EVENTS | IN_ONLYDIR));
	TELL(inotify_add_watch(fd, "none", IN_ALL_EVENTS));
	TELL(inotify_add_watch(fd, "dir", IN_ALL_EVENTS | IN_MASK_CREATE));
	for (i = 0; i < ARRAY_SIZE(acts); i++) {
		note("%s", acts[i].name);
		acts[i].run();
		events(fd);
	}
	TELL(inotify_rm_watch(fd, 1));
	close(fd);
}

/* --- fanotify. */

static const char *where(uint64_t mask)
{
	return mask & FAN_ONDIR ? "dir" : "file";
}

/* Events with descriptors, and with file handles. */
static void fan_events(int fd)
{
	char buf[8192] __attribute__((aligned(8)));
	struct fanotify_event_metadata *e;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (e = (void *)buf; FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n)) {
			struct fanotify_event_info_fid *info = (void *)(e + 1);
			struct file_handle *handle = (void *)info->handle;
			struct stat st;

			if (e->fd >= 0) {
				MUST(fstat(e->fd, &st));
				note("%s: %llx, fd %x", where(e->mask),
				     (unsigned long long)e->mask,
				     st.st_mode & S_IFMT);
				close(e->fd);
				continue;
			}
			note("%s: %llx, handle of %u bytes, type %x '%s'",
			     where(e->mask), (unsigned long long)e->mask,
			     handle->handle_bytes, handle->handle_type,
			     info->hdr.info_type != FAN_EVENT_INFO_TYPE_DFID_NAME ?
			     "" : known((char *)handle->f_handle +
					handle->handle_bytes));
		}
	}
}

static volatile bool answering;

/* Open permission alternates: every second open is denied. */
static void *answer(void *arg)
{
	int fd = *(int *)arg;
	char buf[4096] __attribute__((aligned(8)));
	struct fanotify_event_metadata *e;
	struct pollfd poll_fd = { fd, POLLIN, 0 };
	unsigned int opens = 0;
	ssize_t n;

	while (answering) {
		if (poll(&poll_fd, 1, 10) <= 0)
			continue;
		n = read(fd, buf, sizeof(buf));
		for (e = (void *)buf; n > 0 && FAN_EVENT_OK(e, n);
		     e = FAN_EVENT_NEXT(e, n)) {
			struct fanotify_response r = { e->fd, FAN_ALLOW };

			if (e->mask & FAN_OPEN_PERM && opens++ % 2)
				r.response = FAN_DENY;
			MUST(write(fd, &r, sizeof(r)));
			close(e->fd);
		}
	}
	return NULL;
}

static void permission_events(void)
{
	int fd = TELL_FD(fanotify_init(FAN_CLASS_CONTENT | FAN_NONBLOCK,
				       O_RDONLY | O_LARGEFILE)), file;
	pthread_t thread;
	char buf[10];

	if (fd < 0)
		return;
	TELL(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_ACCESS_PERM,
			   AT_FDCWD, "guarded"));
	answering = true;
	if (pthread_create(&thread, NULL, answer, &fd))
		dxs_bail("cannot create a thread");
	file = TELL_FD(open("guarded", O_RDWR));
	TELL(read(file, buf, sizeof(buf)));
	TELL_FD(open("guarded", O_RDONLY));
	close(TELL_FD(open("guarded", O_RDONLY)));
	TELL_FD(open("guarded", O_RDONLY));
	close(file);
	answering = false;
	pthread_join(thread, NULL);
	close(fd);
}

static void fan_acts(int fd)
{
	size_t i;

	begin();
	for (i = 0; i < ARRAY_SIZE(acts); i++) {
		note("%s", acts[i].name);
		acts[i].run();
		fan_events(fd);
	}
}

#define DATA_EVENTS	(FAN_ACCESS | FAN_MODIFY | FAN_CLOSE | FAN_OPEN | \
			 FAN_ONDIR | FAN_EVENT_ON_CHILD)
#define NAME_EVENTS	(FAN_CREATE | FAN_DELETE | FAN_MOVE | FAN_ATTRIB | \
			 FAN_DELETE_SELF | FAN_MOVE_SELF | FAN_ONDIR)

void run_fanotify(void)
{
	int fd;

	close(make_file("guarded", PAGE));
	note("by mount");
	fd = TELL_FD(fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY));
	TELL(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, DATA_EVENTS &
			   ~(uint64_t)FAN_EVENT_ON_CHILD, AT_FDCWD, ROOT));
	fan_acts(fd);
	close(fd);

	note("by filesystem, with names");
	fd = TELL_FD(fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK |
				   FAN_REPORT_DFID_NAME, O_RDONLY));
	TELL(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
			   DATA_EVENTS | NAME_EVENTS, AT_FDCWD, ROOT));
	fan_acts(fd);
	close(fd);

	note("by inode, with handles");
	begin();
	fd = TELL_FD(fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK |
				   FAN_REPORT_FID, O_RDONLY));
	TELL(fanotify_mark(fd, FAN_MARK_ADD, DATA_EVENTS | NAME_EVENTS,
			   AT_FDCWD, "dir"));
	move_away();
	fan_acts(fd);
	close(fd);
	permission_events();
}

/* --- dnotify, SIGIO. */

static volatile sig_atomic_t told;

static void tell(int sig)
{
	(void)sig;
	told++;
}

void run_dnotify(void)
{
	struct sigaction act = { .sa_handler = tell };
	int dir;
	size_t i;

	begin();
	sigaction(SIGIO, &act, NULL);
	dir = MUST(open("dir", O_RDONLY | O_DIRECTORY));
	TELL(fcntl(dir, F_NOTIFY, DN_ACCESS | DN_MODIFY | DN_CREATE |
		   DN_DELETE | DN_RENAME | DN_ATTRIB | DN_MULTISHOT));
	for (i = 0; i < ARRAY_SIZE(acts) - 1; i++) {
		told = 0;
		acts[i].run();
		note("%s: %s", acts[i].name, told ? "told" : "not told");
	}
	TELL(fcntl(dir, F_NOTIFY, 0));
	close(dir);
	dir = MUST(open("dir/file", O_RDONLY));
	TELL(fcntl(dir, F_NOTIFY, DN_ACCESS));
	close(dir);
}

void run_async_events(void)
{
	int fd = make_file("file", PAGE);
	struct pollfd poll_fd = { fd, POLLIN | POLLOUT | POLLPRI, 0 };

	TELL(poll(&poll_fd, 1, 0));
	note("events %x", poll_fd.revents);
	TELL(fcntl(fd, F_SETOWN, getpid()));
	TELL(fcntl(fd, F_GETOWN) == getpid());
	TELL(fcntl(fd, F_SETSIG, SIGUSR1));
	TELL(fcntl(fd, F_GETSIG));
	TELL(fcntl(fd, F_SETFL, O_ASYNC));
	TELL(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_NOATIME));
	TELL(fcntl(fd, F_GETFL));
	TELL(fcntl(fd, F_SETFL, O_DIRECT));
	TELL(fcntl(fd, F_GETFL));
	TELL(fcntl(fd, F_SET_RW_HINT, &(uint64_t){ RWH_WRITE_LIFE_SHORT }));
	TELL(fcntl(fd, F_SET_RW_HINT, &(uint64_t){ 77 }));
	TELL(fcntl(fd, F_GET_RW_HINT, &(uint64_t){ 0 }));
	TELL(fcntl(fd, F_ADD_SEALS, 1));
	close(fd);
}
