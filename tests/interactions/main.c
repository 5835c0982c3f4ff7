// SPDX-License-Identifier: GPL-2.0-only
/*
 * Switches a file back and forth while its surroundings change: remounts and
 * unmounts, module removal, descriptors passed to other processes, ptrace,
 * exec, core dumps, freezes, renames, signals, resource limits. Asserts that no
 * task hangs, no byte is lost, mode and flag agree, and every refused switch
 * gives a reason.
 *
 * Usage: interactions [NAME...]     such as lazy; without a name, all of them
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interactions.h"

static const struct dxs_part checks[] = {
	{ "remount", check_remount },
	{ "paths", check_paths },
	{ "visit", check_visit },
	{ "lazy", check_lazy },
	{ "module", check_module },
	{ "passed", check_passed },
	{ "flight", check_flight },
	{ "peek", check_peek },
	{ "core", check_core },
	{ "exec", check_exec },
	{ "fork", check_fork },
	{ "freeze", check_freeze },
	{ "loop", check_loop },
	{ "names", check_names },
	{ "kill", check_kill },
	{ "signals", check_signals },
	{ "limits", check_limits },
	{ "full", check_full },
};

static struct dxs_watch began;

double ia_now(void)
{
	return dxs_watched(&began);
}

double ia_end(void)
{
	return ia_now() + 60 * dxs_slow();
}

int ia_wait(pid_t pid)
{
	double end = ia_end();
	int status;

	while (ia_now() < end) {
		if (MUST(waitpid(pid, &status, WNOHANG)))
			return status;
		dxs_sleep_ms(2);
	}
	kill(pid, SIGKILL);
	return -1;
}

bool ia_device_free(void)
{
	double end = ia_end();
	int fd;

	do {
		fd = open(dxs_pmem, O_RDWR | O_EXCL | O_CLOEXEC);
		if (fd >= 0) {
			close(fd);
			return true;
		}
		dxs_sleep_ms(5);
	} while (ia_now() < end);
	return false;
}

void *ia_shared(size_t len)
{
	return MUST(mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

unsigned int ia_random(unsigned int below)
{
	return random() % below;
}

int ia_file(const char *path, int mode)
{
	uint8_t buf[LEN];
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

	dxs_to(fd, mode, path);
	dxs_fill(buf, LEN, SEED, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	return fd;
}

void *ia_map(int fd)
{
	return MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

bool ia_bytes(int fd, const char *what)
{
	uint8_t expected[PAGE], seen[PAGE];
	off_t pos;

	for (pos = 0; pos < LEN; pos += PAGE) {
		dxs_fill(expected, PAGE, SEED, pos);
		dxs_pread(fd, seen, PAGE, pos);
		if (!dxs_same(expected + HEAD, seen + HEAD, PAGE - HEAD,
			      pos + HEAD, what))
			return false;
	}
	return true;
}

bool ia_agree(int fd)
{
	return dxs_xflag(fd) == (dxs_mode(fd) == DAXSTACK_DAX);
}

void ia_well(int fd, const char *name)
{
	bool well = ia_agree(fd);
	int i;

	if (!well)
		dxs_diag("mode %s, flag %d", dxs_mode_name(dxs_mode(fd)),
			 dxs_xflag(fd));
	for (i = 0; well && i < 2; i++)
		well = dxs_to(fd, !dxs_mode(fd), name) && ia_agree(fd) &&
			ia_bytes(fd, name);
	dxs_ok(well,
	       "%s: mode, flag and bytes are right, and it switches", name);
}

/* --- Switches. */

static void switch_once(struct ia_switcher *s)
{
	int to = !dxs_mode(s->fd), err;
	struct daxstack_switch sw;

	err = dxs_switch(s->fd, to, s->timeout_ms, &sw);
	if (err) {
		if (err == EBUSY || err == s->allowed) {
			s->reason = sw.reason;
			s->refused++;
			return;
		}
		dxs_diag("a switch to %s: %s, reason %s", dxs_mode_name(to),
			 strerror(err), dxs_reason_name(sw.reason));
		s->wrong++;
		return;
	}
	if (sw.deferred)
		return;
	s->done += sw.switched;
	if (s->alone && dxs_mode(s->fd) != to) {
		dxs_diag("a switch to %s succeeded without effect",
			 dxs_mode_name(to));
		s->wrong++;
	}
}

static void *switch_thread(void *arg)
{
	struct ia_switcher *s = arg;

	while (!s->stop)
		switch_once(s);
	return NULL;
}

void ia_switch_begin(struct ia_switcher *s, int fd)
{
	*s = (struct ia_switcher){ .fd = fd, .timeout_ms = 50, .alone = true };
	if (pthread_create(&s->thread, NULL, switch_thread, s))
		dxs_bail("cannot create a thread");
}

void ia_switch_end(struct ia_switcher *s)
{
	s->stop = true;
	pthread_join(s->thread, NULL);
}

void ia_switch_more(struct ia_switcher *s, long more)
{
	double end = ia_end();

	for (more += s->done; s->done < more && ia_now() < end;)
		dxs_sleep_ms(1);
}

bool ia_switch_refused(struct ia_switcher *s, int reason)
{
	double end = ia_end();

	s->reason = DAXSTACK_REASON_NONE;
	while (s->reason != reason && ia_now() < end)
		dxs_sleep_ms(1);
	return s->reason == reason;
}

void ia_switch_report(struct ia_switcher *s, long least, const char *name)
{
	double end = ia_end();

	while (s->done < least && ia_now() < end)
		dxs_sleep_ms(1);
	ia_switch_end(s);
	dxs_is(0, s->wrong, "%s: every switch succeeds or is refused", name);
	if (!dxs_ok(s->done >= least, "%s: enough switches succeed", name))
		dxs_diag("%ld of %ld, %ld refused", s->done, least, s->refused);
}

/* --- File users. */

static void use_once(struct ia_user *u, uint64_t value)
{
	off_t pos = u->page * PAGE;
	volatile uint64_t *map;
	uint64_t seen;

	map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
			pos));
	if (value % 2)
		*map = value;
	else
		dxs_pwrite(u->fd, &value, HEAD, pos);
	if (value % 3 == 0)
		dxs_sleep_ms(1);
	dxs_pread(u->fd, &seen, HEAD, pos);
	if (seen != value || *map != value) {
		dxs_diag("page %d: expected %llu, seen %llu by read, %llu mapped",
			 u->page, (unsigned long long)value,
			 (unsigned long long)seen, (unsigned long long)*map);
		u->wrong++;
	}
	MUST(munmap((void *)map, PAGE));
	u->done++;
}

static void *use_thread(void *arg)
{
	struct ia_user *u = arg;
	uint64_t value = 0;

	while (!u->stop)
		use_once(u, ++value);
	return NULL;
}

void ia_use_begin(struct ia_user *u, int fd, int page)
{
	*u = (struct ia_user){ .fd = fd, .page = page };
	if (pthread_create(&u->thread, NULL, use_thread, u))
		dxs_bail("cannot create a thread");
}

void ia_use_more(struct ia_user *u, long more)
{
	double end = ia_end();

	for (more += u->done; u->done < more && ia_now() < end;)
		dxs_sleep_ms(1);
}

void ia_use_end(struct ia_user *u)
{
	u->stop = true;
	pthread_join(u->thread, NULL);
}

void ia_use_report(struct ia_user *u, long least, const char *name)
{
	double end = ia_end();

	while (u->done < least && ia_now() < end)
		dxs_sleep_ms(1);
	ia_use_end(u);
	dxs_is(0, u->wrong, "%s: stores, writes and reads agree", name);
	if (!dxs_ok(u->done >= least,
		    "%s: the file was used often enough", name))
		dxs_diag("%ld of %ld", u->done, least);
}

int main(int argc, char **argv)
{
	/* The program that check_exec() runs from the stack. */
	if (argc > 1 && !strcmp(argv[1], "--program"))
		return program_main(argc, argv);

	dxs_begin();
	dxs_watch_begin();
	began = dxs_watch();
	srandom(1);
	dxs_run_parts(checks, ARRAY_SIZE(checks), argv + 1, false);
	return dxs_done();
}
