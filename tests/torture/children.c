// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: children of a worker that load or store for it, or are killed during
 * an operation.
 *
 * The parent has threads, so a child must not use stdio, nor a lock outside the
 * arena.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "torture.h"

/* Return: 0, or a negative errno after a complaint about its status. */
static long wait_for(struct worker *w, pid_t pid, bool may_be_killed)
{
	int status = 0;

	if (pid < 0)
		return -errno;
	if (AGAIN(waitpid(pid, &status, 0)) != pid)
		return -errno;
	if (!status || (may_be_killed && WIFSIGNALED(status) &&
			WTERMSIG(status) == SIGKILL))
		return 0;
	complain(w->id, "%s: child ended with status %#x",
		 kinds[w->kind].name, status);
	return 0;
}

/* Loads in the child's memory, into a file shared with the parent. */
static long get_by_child(struct worker *w, struct target *t, off_t pos,
			 uint8_t *buf, size_t len, bool private)
{
	uint8_t *map = map_of(w, t);
	off_t first = pos & -PAGE;
	long ret;
	pid_t pid;

	if (!map)
		return -ENOMEM;
	if (ftruncate(w->memfd, 0))
		return -errno;
	pid = fork();
	if (!pid) {
		forget_held();
		if (private) {
			map = mmap(NULL, pos + len - first, PROT_READ,
				   MAP_PRIVATE, t->access->fd, first);
			if (map == MAP_FAILED)
				_exit(2);
			map -= first;
		}
		/* With inherited mappings. */
		_exit(pwrite(w->memfd, map + pos, len, 0) != (ssize_t)len);
	}
	ret = wait_for(w, pid, false);
	return ret ?: DO(pread(w->memfd, buf, len, 0));
}

GO(get_child)
{
	return get_by_child(w, t, pos, buf, len, false);
}

GO(get_child_private)
{
	return get_by_child(w, t, pos, buf, len, true);
}

static long put_by_child(struct worker *w, struct target *t, off_t pos,
			 const uint8_t *buf, size_t len, bool new)
{
	uint8_t *map = map_of(w, t);
	off_t first = pos & -PAGE;
	pid_t pid;

	if (!map)
		return -ENOMEM;
	pid = fork();
	if (!pid) {
		forget_held();
		if (new) {
			map = mmap(NULL, pos + len - first,
				   PROT_READ | PROT_WRITE, MAP_SHARED,
				   t->access->fd, first);
			if (map == MAP_FAILED)
				_exit(2);
			map -= first;
		}
		memcpy(map + pos, buf, len);
		_exit(memcmp(map + pos, buf, len) ? 3 : 0);
	}
	return wait_for(w, pid, false) ?: (long)len;
}

GO(put_child)
{
	return put_by_child(w, t, pos, buf, len, false);
}

GO(put_child_new)
{
	return put_by_child(w, t, pos, buf, len, true);
}

/* --- Children that are killed. */

static void expend(struct worker *w, struct target *a, struct target *b,
		   unsigned int seed)
{
	unsigned int i, n = below(&w->rng, 8) + 1;

	w->expendable = true;
	forget_held();
	/* These belong to the parent's memory. */
	w->aio = 0;
	w->uring = NULL;
	w->no_uring = false;
	close(w->mem);
	w->mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	for (i = 0; i < n && !stopping(); i++) {
		w->rng = rng_of(seed, i);
		one_operation(w, a, b, NO_CHILD | NEEDS_OWN);
	}
	_exit(0);
}

/* A range that was being changed has the old or the new value in each byte. */
static void reconcile(struct worker *w, const struct target *a)
{
	struct share *share = w->share;
	struct file *file = share->file;
	struct target t = *a;
	uint8_t *image;
	size_t i;
	long ret;

	if (!atomic_load(&share->changing))
		return;
	atomic_fetch_add(&arena->children_cut, 1);
	t.file = file;
	t.access = &w->access[file_index(file)];
	image = file->image + share->pos;
	ret = get_pread(w, &t, share->pos, w->buf, share->len);
	if (ret != (long)share->len) {
		complain(w->id, "file %d at %#llx, after a kill: read %ld of %zu",
			 file_index(file), (long long)share->pos, ret,
			 share->len);
		return;
	}
	for (i = 0; i < share->len; i++) {
		if (w->buf[i] == image[i] || w->buf[i] == share->plan[i])
			continue;
		complain(w->id, "file %d at %#llx, after a kill: "
				"%#x is neither the old %#x nor the new %#x",
			 file_index(file), (long long)share->pos + i,
			 w->buf[i], image[i], share->plan[i]);
		break;
	}
	memcpy(image, w->buf, share->len);
	atomic_store(&share->changing, false);
	read_back(w, &t, share->pos, share->len);
}

RUN(run_expendable)
{
	unsigned int seed = rnd(&w->rng), us = below(&w->rng, 10000);
	bool killed = below(&w->rng, 4);
	int kind = w->kind;
	pid_t pid;
	long ret;

	if (a->own || b->own)
		return SKIP;
	pid = fork();
	if (!pid)
		expend(w, a, b, seed);
	if (pid > 0 && killed) {
		usleep(us);
		kill(pid, SIGKILL);
		atomic_fetch_add(&arena->children_killed, 1);
	}
	ret = wait_for(w, pid, killed);
	reconcile(w, a);
	w->kind = kind;
	return ret;
}
