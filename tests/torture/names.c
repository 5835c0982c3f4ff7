// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: names of files, and unnamed files. All operations but the last two
 * are for files of the worker's own.
 *
 * An unnamed file is accessed through a descriptor of its owner in /proc, also
 * by the switchers.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/file.h>

#include "torture.h"

/* Generates a name that no file has or had. */
static void new_name(struct worker *w, const struct file *file, char *name)
{
	snprintf(name, sizeof(file->path), "%s/%c/w%u.%u", where,
		 once_in(&w->rng, 2) ? 'd' : 'c', w->id, w->names++);
}

/* Held during a change of name that may switch the file (inherit=move). */
void hold_mode(struct file *file)
{
	pthread_rwlock_rdlock(&file->switching);
}

void leave_mode(struct file *file)
{
	pthread_rwlock_unlock(&file->switching);
}

RUN(run_rename)
{
	char name[sizeof(a->file->path)];
	long ret;

	(void)b;
	if (!a->file->named)
		return SKIP;
	new_name(w, a->file, name);
	hold_mode(a->file);
	ret = DO(rename(a->file->path, name));
	if (!ret)
		file_set_path(a->file, true, "%s", name);
	leave_mode(a->file);
	return ret;
}

RUN(run_exchange)
{
	char name[sizeof(a->file->path)];
	long ret;

	(void)w;
	if (!b->own || a->file == b->file || !a->file->named ||
	    !b->file->named)
		return SKIP;
	hold_mode(a->file);
	hold_mode(b->file);
	ret = DO(renameat2(AT_FDCWD, a->file->path, AT_FDCWD, b->file->path,
			   RENAME_EXCHANGE));
	if (!ret) {
		file_path(a->file, name);
		file_set_path(a->file, true, "%s", b->file->path);
		file_set_path(b->file, true, "%s", name);
	}
	leave_mode(b->file);
	leave_mode(a->file);
	return ret;
}

/* Two names for a while, then one of them. */
RUN(run_link)
{
	char name[sizeof(a->file->path)];
	long ret;

	if (!a->file->named)
		return SKIP;
	new_name(w, a->file, name);
	hold_mode(a->file);
	ret = DO(link(a->file->path, name));
	if (!ret && once_in(&w->rng, 2)) {
		char old[sizeof(a->file->path)];

		file_path(a->file, old);
		file_set_path(a->file, true, "%s", name);
		memcpy(name, old, sizeof(old));
	}
	leave_mode(a->file);
	if (ret)
		return ret;
	/* Access by the new name: everything else is unchanged. */
	access_drop(w, a->file);
	run_statx(w, a, b);
	return DO(unlink(name));
}

static void now_nameless(struct target *t)
{
	file_set_path(t->file, false, "/proc/%d/fd/%d", getpid(),
		      t->access->fd);
}

static void forget(struct worker *w, struct target *t)
{
	access_drop(w, t->file);
	set_size(t, 0);
	t->file->linkable = false;
}

/*
 * Creates and opens a file. Rule 21 of docs/semantics.md: with inherit=none a directory
 * with the flag takes no files while the lower filesystem is mounted elsewhere. EBUSY is
 * accepted only then, and the call is repeated.
 */
static int create(const char *name, int flags)
{
	bool none, elsewhere;
	unsigned int seq;
	int fd;

	do {
		none = atomic_load(&arena->inherit_none);
		seq = atomic_load(&arena->policy_seq);
		elsewhere = seq & 1 ||
			    atomic_load(&arena->policy) == LOWER_SHARED;
		fd = AGAIN(open(name, flags | O_RDWR | O_CLOEXEC, 0644));
		none |= atomic_load(&arena->inherit_none);
		elsewhere |= seq != atomic_load(&arena->policy_seq);
	} while (fd < 0 && errno == EBUSY && none && elsewhere);
	return fd;
}

static long file_make(struct worker *w, struct target *t, bool unnamed)
{
	char name[sizeof(t->file->path)];

	forget(w, t);
	if (unnamed) {
		snprintf(name, sizeof(name), "%s/%c", where,
			 once_in(&w->rng, 2) ? 'd' : 'c');
		t->access->fd = create(name, O_TMPFILE);
		if (t->access->fd < 0)
			return -errno;
		file_born(t->file, t->access->fd);
		t->file->linkable = true;
		now_nameless(t);
		return 0;
	}
	new_name(w, t->file, name);
	t->access->fd = create(name, O_CREAT | O_EXCL);
	if (t->access->fd < 0)
		return -errno;
	file_born(t->file, t->access->fd);
	file_set_path(t->file, true, "%s", name);
	return 0;
}

/* Keeps the unlinked file open for a while, then creates a new one. */
RUN(run_unlink)
{
	long ret;

	(void)b;
	if (!a->file->named)
		return file_make(w, a, false);
	if (fd_of(w, a) < 0)
		return -errno;
	hold_mode(a->file);
	ret = DO(unlink(a->file->path));
	if (!ret)
		now_nameless(a);
	leave_mode(a->file);
	return ret;
}

RUN(run_tmpfile)
{
	long ret = 0;

	(void)b;
	if (a->file->named)
		ret = DO(unlink(a->file->path));
	return ret ?: file_make(w, a, true);
}

RUN(run_linkat)
{
	char name[sizeof(a->file->path)];
	long ret;

	(void)b;
	if (a->file->named || !a->file->linkable)
		return SKIP;
	new_name(w, a->file, name);
	hold_mode(a->file);
	ret = DO(linkat(AT_FDCWD, a->file->path, AT_FDCWD, name,
			AT_SYMLINK_FOLLOW));
	if (!ret) {
		a->file->linkable = false;
		file_set_path(a->file, true, "%s", name);
	}
	leave_mode(a->file);
	return ret;
}

/*
 * Drops all descriptors and mappings of a file; they are made again on demand.
 */
RUN(run_reopen)
{
	(void)b;
	if (!a->file->named)
		return SKIP;
	access_drop(w, a->file);
	return 0;
}

RUN(run_lock)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
			      .l_start = a->at, .l_len = a->len ?: 1 };
	int fd = fd_of(w, a);
	long ret;

	(void)b;
	if (once_in(&w->rng, 2)) {
		ret = DO(flock(fd, LOCK_EX | LOCK_NB));
		if (ret)
			return ret == -EAGAIN ? 0 : ret;
		return DO(flock(fd, LOCK_UN));
	}
	/* The worker owns the region, so its lock is free. */
	ret = DO(fcntl(fd, F_OFD_SETLK, &lock));
	lock.l_type = F_UNLCK;
	return ret ?: DO(fcntl(fd, F_OFD_SETLK, &lock));
}
