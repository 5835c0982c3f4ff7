// SPDX-License-Identifier: GPL-2.0
/*
 * A file is switched to and fro while all around it changes: mounts come and
 * go, the module does, descriptors travel, debuggers write, programs run and
 * dump core, the filesystem freezes, names move, signals fall, limits are hit.
 * Nobody hangs, no byte is lost, mode and flag agree, and what is refused says
 * why.
 *
 * Usage: besiege [NAME...]     such as lazy; all of them without a name
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "besiege.h"

static const struct {
	const char *name;
	void (*run)(void);
} sieges[] = {
	{ "remount", siege_remount },
	{ "paths", siege_paths },
	{ "visit", siege_visit },
	{ "lazy", siege_lazy },
	{ "module", siege_module },
	{ "passed", siege_passed },
	{ "flight", siege_flight },
	{ "peek", siege_peek },
	{ "core", siege_core },
	{ "exec", siege_exec },
	{ "fork", siege_fork },
	{ "freeze", siege_freeze },
	{ "loop", siege_loop },
	{ "names", siege_names },
	{ "kill", siege_kill },
	{ "signals", siege_signals },
	{ "limits", siege_limits },
	{ "full", siege_full },
};

static struct dxs_watch began;

double bs_now(void)
{
	return dxs_watched(&began);
}

double bs_end(void)
{
	return bs_now() + 60 * dxs_slow();
}

int bs_wait(pid_t pid)
{
	double end = bs_end();
	int status;

	while (bs_now() < end) {
		if (MUST(waitpid(pid, &status, WNOHANG)))
			return status;
		dxs_sleep_ms(2);
	}
	kill(pid, SIGKILL);
	return -1;
}

bool bs_device_free(void)
{
	double end = bs_end();
	int fd;

	do {
		fd = open(dxs_pmem, O_RDWR | O_EXCL | O_CLOEXEC);
		if (fd >= 0) {
			close(fd);
			return true;
		}
		dxs_sleep_ms(5);
	} while (bs_now() < end);
	return false;
}

void *bs_shared(size_t len)
{
	return MUST(mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

unsigned int bs_random(unsigned int below)
{
	return random() % below;
}

int bs_file(const char *path, int mode)
{
	uint8_t buf[LEN];
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

	dxs_to(fd, mode, path);
	dxs_fill(buf, LEN, SEED, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	return fd;
}

void *bs_map(int fd)
{
	return MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

bool bs_bytes(int fd, const char *what)
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

bool bs_agree(int fd)
{
	return dxs_xflag(fd) == (dxs_mode(fd) == DAXSTACK_DAX);
}

void bs_well(int fd, const char *name)
{
	bool well = bs_agree(fd);
	int i;

	if (!well)
		dxs_diag("mode %s, flag %d", dxs_mode_name(dxs_mode(fd)),
			 dxs_xflag(fd));
	for (i = 0; well && i < 2; i++)
		well = dxs_to(fd, !dxs_mode(fd), name) && bs_agree(fd) &&
			bs_bytes(fd, name);
	dxs_ok(well, "%s: mode, flag and bytes, and it switches", name);
}

/* --- Switches. */

static void switch_once(struct bs_switcher *s)
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
		dxs_diag("a switch to %s: it is not", dxs_mode_name(to));
		s->wrong++;
	}
}

static void *switch_thread(void *arg)
{
	struct bs_switcher *s = arg;

	while (!s->stop)
		switch_once(s);
	return NULL;
}

void bs_switch_begin(struct bs_switcher *s, int fd)
{
	*s = (struct bs_switcher){ .fd = fd, .timeout_ms = 50, .alone = true };
	if (pthread_create(&s->thread, NULL, switch_thread, s))
		dxs_bail("cannot make a thread");
}

void bs_switch_end(struct bs_switcher *s)
{
	s->stop = true;
	pthread_join(s->thread, NULL);
}

void bs_switch_more(struct bs_switcher *s, long more)
{
	double end = bs_end();

	for (more += s->done; s->done < more && bs_now() < end;)
		dxs_sleep_ms(1);
}

bool bs_switch_refused(struct bs_switcher *s, int reason)
{
	double end = bs_end();

	s->reason = DAXSTACK_REASON_NONE;
	while (s->reason != reason && bs_now() < end)
		dxs_sleep_ms(1);
	return s->reason == reason;
}

void bs_switch_report(struct bs_switcher *s, long least, const char *name)
{
	double end = bs_end();

	while (s->done < least && bs_now() < end)
		dxs_sleep_ms(1);
	bs_switch_end(s);
	dxs_is(0, s->wrong, "%s: switched or refused", name);
	if (!dxs_ok(s->done >= least, "%s: switches took place", name))
		dxs_diag("%ld of %ld, %ld refused", s->done, least, s->refused);
}

/* --- Uses. */

static void use_once(struct bs_user *u, uint64_t value)
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
	struct bs_user *u = arg;
	uint64_t value = 0;

	while (!u->stop)
		use_once(u, ++value);
	return NULL;
}

void bs_use_begin(struct bs_user *u, int fd, int page)
{
	*u = (struct bs_user){ .fd = fd, .page = page };
	if (pthread_create(&u->thread, NULL, use_thread, u))
		dxs_bail("cannot make a thread");
}

void bs_use_more(struct bs_user *u, long more)
{
	double end = bs_end();

	for (more += u->done; u->done < more && bs_now() < end;)
		dxs_sleep_ms(1);
}

void bs_use_end(struct bs_user *u)
{
	u->stop = true;
	pthread_join(u->thread, NULL);
}

void bs_use_report(struct bs_user *u, long least, const char *name)
{
	double end = bs_end();

	while (u->done < least && bs_now() < end)
		dxs_sleep_ms(1);
	bs_use_end(u);
	dxs_is(0, u->wrong, "%s: stores, writes and reads agree", name);
	if (!dxs_ok(u->done >= least, "%s: the file was used", name))
		dxs_diag("%ld of %ld", u->done, least);
}

static bool wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(name, argv[i]))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	double begin;
	size_t i;

	/* The program that siege_exec() runs from the stack. */
	if (argc > 1 && !strcmp(argv[1], "--program"))
		return program_main(argc, argv);

	dxs_begin();
	dxs_watch_begin();
	began = dxs_watch();
	srandom(1);
	dxs_mkfs(NULL);
	dxs_mount_stack();
	for (i = 0; i < ARRAY_SIZE(sieges); i++) {
		if (!wanted(sieges[i].name, argc, argv))
			continue;
		begin = dxs_now();
		sieges[i].run();
		dxs_diag("%s: %.1f s", sieges[i].name, dxs_now() - begin);
	}
	dxs_umount_stack();
	dxs_fsck();
	return dxs_done();
}
