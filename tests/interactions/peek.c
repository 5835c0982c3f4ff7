// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads and writes a mapping of another process through ptrace,
 * process_vm_readv(2) and /proc/PID/mem while the file is switched. These use
 * get_user_pages(), some without permission to drop the mmap_lock, and hold a
 * page for a moment.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interactions.h"

#define POKES	400
#define MOST	6000

/**
 * struct victim - a stopped process with a mapping
 * @map: of the file, shared; at the same address in this process
 * @private: of the same file, private and not writable
 * @mem: /proc/PID/mem
 * @image: expected contents of the file
 */
struct victim {
	pid_t pid;
	int fd;
	uint8_t *map;
	uint8_t *private;
	int mem;
	uint8_t image[LEN];
};

static bool poke_words(struct victim *v, size_t pos, size_t len)
{
	long word;
	size_t at;

	for (at = pos / 8 * 8; at < pos + len; at += 8) {
		memcpy(&word, v->image + at, 8);
		if (ptrace(PTRACE_POKEDATA, v->pid, v->map + at, word))
			return false;
	}
	return true;
}

static bool peek_words(struct victim *v, uint8_t *buf, size_t pos, size_t len)
{
	size_t at;
	long word;

	for (at = pos / 8 * 8; at < pos + len; at += 8) {
		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, v->pid, v->map + at, NULL);
		if (errno)
			return false;
		memcpy(buf + at, &word, 8);
	}
	return true;
}

static bool poke(struct victim *v, int how, size_t pos, size_t len)
{
	struct iovec here = { v->image + pos, len }, there = { v->map + pos, len };

	switch (how) {
	case 0:
		return poke_words(v, pos, len);
	case 1:
		return process_vm_writev(v->pid, &here, 1, &there, 1, 0) ==
			(ssize_t)len;
	case 2:
		return pwrite(v->mem, here.iov_base, len,
			      (uintptr_t)there.iov_base) == (ssize_t)len;
	case 3:
		memcpy(v->map + pos, v->image + pos, len);
		return true;
	default:
		return pwrite(v->fd, here.iov_base, len, pos) == (ssize_t)len;
	}
}

static bool peek(struct victim *v, int how, uint8_t *buf, size_t pos, size_t len)
{
	struct iovec here = { buf + pos, len }, there = { v->map + pos, len };

	switch (how) {
	case 0:
		return peek_words(v, buf, pos, len);
	case 1:
		return process_vm_readv(v->pid, &here, 1, &there, 1, 0) ==
			(ssize_t)len;
	case 2:
		return pread(v->mem, buf + pos, len,
			     (uintptr_t)there.iov_base) == (ssize_t)len;
	case 3:
		memcpy(buf + pos, v->map + pos, len);
		return true;
	default:
		return pread(v->fd, buf + pos, len, pos) == (ssize_t)len;
	}
}

static const char *const ways[] = {
	"ptrace", "process_vm", "/proc/PID/mem", "the mapping", "the file",
};

/* Writes in one way, reads in all. Return: number of errors. */
static int poke_and_look(struct victim *v, int i)
{
	static uint8_t buf[LEN + 8];
	int how = i % ARRAY_SIZE(ways), other, wrong = 0;
	size_t len, pos;

	/* Single words are slow. */
	len = 1 + ia_random(how ? MOST : 64);
	pos = ia_random(LEN - len);
	dxs_fill(v->image + pos, len, i, pos);
	if (!poke(v, how, pos, len)) {
		dxs_diag("written by %s: %m", ways[how]);
		return 1;
	}
	for (other = 0; other < (int)ARRAY_SIZE(ways); other++) {
		size_t part = other || len < 64 ? len : 64;

		memset(buf + pos, ~v->image[pos], part);
		if (!peek(v, other, buf, pos, part)) {
			dxs_diag("read by %s: %m", ways[other]);
			wrong++;
		} else if (!dxs_same(v->image + pos, buf + pos, part, pos,
				     ways[other])) {
			dxs_diag("... was written by %s", ways[how]);
			wrong++;
		}
	}
	return wrong;
}

/* Like a breakpoint: a private copy is written, the file is unchanged. */
static int poke_private(struct victim *v)
{
	size_t pos = (1 + ia_random(PAGES - 1)) * PAGE + 512;
	uint8_t seen[HEAD];
	long word = random();

	if (ptrace(PTRACE_POKEDATA, v->pid, v->private + pos, word) ||
	    ptrace(PTRACE_PEEKDATA, v->pid, v->private + pos, NULL) != word) {
		dxs_diag("a private page: %m");
		return 1;
	}
	dxs_pread(v->fd, seen, HEAD, pos);
	return !dxs_same(v->image + pos, seen, HEAD, pos, "a private page");
}

void check_peek(void)
{
	static struct victim v;
	struct ia_switcher s;
	double end = ia_end();
	int i, wrong = 0, status;
	char path[32];

	v.fd = ia_file("stack/peek", DAXSTACK_CACHED);
	dxs_fill(v.image, LEN, SEED, 0);
	v.map = ia_map(v.fd);
	v.private = MUST(mmap(NULL, LEN, PROT_READ, MAP_PRIVATE, v.fd, 0));
	v.pid = MUST(fork());
	if (!v.pid)
		for (;;)
			pause();
	MUST(ptrace(PTRACE_ATTACH, v.pid, NULL, NULL));
	MUST(waitpid(v.pid, &status, 0));
	snprintf(path, sizeof(path), "/proc/%d/mem", v.pid);
	v.mem = MUST(open(path, O_RDWR | O_CLOEXEC));

	ia_switch_begin(&s, v.fd);
	for (i = 0; (i < POKES || s.done < 100) && ia_now() < end; i++) {
		wrong += poke_and_look(&v, i);
		if (i % 4 == 0)
			wrong += poke_private(&v);
	}
	dxs_ok(i >= POKES, "written from outside: often enough");
	dxs_diag("peek: %d writes, %ld switches", i, s.done);
	ia_switch_report(&s, 100, "written from outside");
	dxs_is(0, wrong, "written from outside: all readers see it");

	MUST(kill(v.pid, SIGKILL));
	MUST(waitpid(v.pid, NULL, 0));
	close(v.mem);
	MUST(munmap(v.map, LEN));
	MUST(munmap(v.private, LEN));
	close(v.fd);
}
