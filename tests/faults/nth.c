// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation of a call is made to fail: the first, the second, and so on
 * until there is none left. The call says so and has changed nothing, or could
 * do without and has done all that it does.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "faults.h"

/* How often in a row nothing has failed, till that is believed. */
#define ENOUGH	2
#define MOST	1000

/* --- What can be seen of the stack, as text. */

struct view {
	char text[3072];
	size_t len;
};

FORMAT(2, 3) static void add(struct view *view, const char *text, ...)
{
	size_t room = sizeof(view->text) - view->len;
	va_list args;
	int len;

	va_start(args, text);
	len = vsnprintf(view->text + view->len, room, text, args);
	va_end(args);
	if (len < 0 || (size_t)len >= room)
		dxs_bail("a long view");
	view->len += len;
}

static void add_name(struct view *view, const char *dir, const char *name)
{
	char path[320];
	struct statx stx;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	MUST(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
		   &stx));
	add(view, " %s %o %u", name, stx.stx_mode, stx.stx_nlink);
	/* The flag: inherit=move that cannot switch leaves that. */
	if (S_ISREG(stx.stx_mode)) {
		fd = MUST(open(path, O_RDONLY));
		add(view, " flag %d", dxs_xflag(fd));
		close(fd);
	}
}

static void add_dir(struct view *view, const char *dir)
{
	struct dirent **entries;
	int i, count = scandir(dir, &entries, NULL, alphasort);

	add(view, "%s:", dir);
	for (i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.' ||
		    strlen(entries[i]->d_name) > 2)
			add_name(view, dir, entries[i]->d_name);
		free(entries[i]);
	}
	add(view, "\n");
	if (count >= 0)
		free(entries);
}

static void add_file(struct view *view)
{
	uint8_t buf[FAULT_LEN];
	int fd = open(FAULT_FILE, O_RDONLY);
	char value[16] = "";
	uint32_t sum = 0;
	ssize_t i, len;

	if (fd < 0)
		return;
	len = MUST(pread(fd, buf, sizeof(buf), 0));
	for (i = 0; i < len; i++)
		sum = (sum ^ buf[i]) * 16777619;
	fgetxattr(fd, FAULT_XATTR, value, sizeof(value) - 1);
	add(view, "%s: %s, flag %d, %zd bytes, sum %08x, xattr \"%s\"\n",
	    FAULT_FILE, dxs_mode_name(dxs_mode(fd)), dxs_xflag(fd), len, sum,
	    value);
	close(fd);
}

static void add_mounts(struct view *view)
{
	FILE *mounts = fopen("/proc/self/mounts", "r");
	char line[512];

	while (mounts && fgets(line, sizeof(line), mounts))
		if (strstr(line, " daxstack "))
			add(view, "%s", strstr(line, " daxstack "));
	if (mounts)
		fclose(mounts);
}

static void look(struct view *view)
{
	view->len = 0;
	add_dir(view, "stack");
	add_dir(view, "stack/dir");
	add_file(view);
	add_mounts(view);
}

/* --- One call. */

/**
 * struct tally - how a call went, with one fault after another
 * @call: the call
 * @done: what is seen when it was done
 * @faults: how many faults there were
 * @failed: how often it failed
 * @other: ... with another error than ENOMEM
 * @wrong: how often it was not as it should be
 */
struct tally {
	const struct fault_call *call;
	struct view done;
	int faults;
	int failed;
	int other;
	int wrong;
};

static void complain(struct tally *tally, unsigned int nth, const char *what,
		     int err, const struct view *expected,
		     const struct view *seen)
{
	/* What is wrong once is wrong often. */
	if (tally->wrong++ < 5)
		dxs_diag("%s, fault %u: %s, errno %d (%s)\n"
			 "expected:\n%sseen:\n%s", tally->call->name, nth,
			 what, err, strerrorname_np(err), expected->text,
			 seen->text);
}

/* Return: its errno. */
static int do_call(const struct fault_call *call, unsigned int nth,
		   struct view *before, bool *fault)
{
	int err;

	if (call->before)
		call->before();
	look(before);
	if (call->cold)
		fault_drop_caches();
	if (call->ready)
		call->ready();
	fault_arm(nth);
	err = call->call();
	*fault = fault_disarm() && nth;
	return err;
}

/* Return: whether the fault happened. */
static bool try_fault(struct tally *tally, unsigned int nth)
{
	const struct fault_call *call = tally->call;
	struct view before, after;
	bool fault;
	int err = do_call(call, nth, &before, &fault);

	look(&after);
	tally->faults += fault;
	tally->failed += !!err;
	if (err && err != ENOMEM) {
		tally->other++;
		if (err != call->other)
			complain(tally, nth, "another error", err, &before,
				 &after);
	}
	if (err && !fault)
		complain(tally, nth, "fails without a fault", err, &before,
			 &after);
	else if (err && strcmp(before.text, after.text))
		complain(tally, nth, "has failed and changed something", err,
			 &before, &after);
	else if (!err && strcmp(tally->done.text, after.text))
		complain(tally, nth, "is not done, and says it is", err,
			 &tally->done, &after);
	if (call->after)
		call->after();
	return fault;
}

/* One fault after another. Return: how many. */
static int try_faults(struct tally *tally)
{
	int without = 0, before = tally->faults;
	unsigned int nth;

	for (nth = 1; nth < MOST && without < ENOUGH; nth++)
		without = try_fault(tally, nth) ? 0 : without + 1;
	if (nth == MOST)
		dxs_ok(false, "%s: faults have an end", tally->call->name);
	return tally->faults - before;
}

static void try_call(const struct fault_call *call)
{
	struct tally tally = { .call = call };
	double start = dxs_now();
	struct view before;
	int err, slabs, pages, gates;
	bool fault;

	/* Once without: to know what it does, and for what is done only once. */
	err = do_call(call, 0, &before, &fault);
	look(&tally.done);
	if (call->after)
		call->after();
	if (err) {
		dxs_errno(0, err, "%s, without faults", call->name);
		return;
	}
	/*
	 * Apart: a slab cache needs pages at times, and what follows would be the
	 * fourth chance in one run, but the third in the next, and never fail.
	 */
	fault_kinds(true, false);
	slabs = try_faults(&tally);
	fault_kinds(false, true);
	pages = try_faults(&tally);
	fault_kinds(false, false);
	fault_gates(true);
	gates = try_faults(&tally);
	fault_gates(false);
	dxs_is(0, tally.wrong, "%s", call->name);
	dxs_diag("%d objects, %d pages, %d gates: %d ENOMEM, %d others, %d done without; %.1f s",
		 slabs, pages, gates, tally.failed - tally.other, tally.other,
		 tally.faults - tally.failed, dxs_now() - start);
}

/* --- What is left behind. */

#define KMEMLEAK "/sys/kernel/debug/kmemleak"

static void check_leaks(void)
{
	char line[160];
	int lines = 0;
	FILE *list;

	/* It must see an object twice, some seconds old. */
	if (!fault_put(KMEMLEAK, "scan")) {
		dxs_skip("this kernel does not look for leaks", "leaks");
		return;
	}
	dxs_sleep_ms(6000);
	fault_put(KMEMLEAK, "scan");
	list = fopen(KMEMLEAK, "r");
	while (list && fgets(line, sizeof(line), list))
		if (lines++ < 60)
			dxs_diag("%.*s", (int)strcspn(line, "\n"), line);
	if (list)
		fclose(list);
	dxs_is(0, lines, "leaks");
}

void fault_allocations(bool (*wanted)(const char *name), bool anywhere)
{
	const char *reason;
	bool some = false;
	size_t i;

	for (i = 0; i < fault_call_count; i++)
		some |= wanted(fault_calls[i].name);
	if (!some)
		return;
	fault_prepare_calls();
	reason = anywhere ? fault_unlimit() : fault_limit();
	if (reason) {
		dxs_skip(reason, "allocations that fail");
		dxs_umount_stack();
		return;
	}
	for (i = 0; i < fault_call_count; i++)
		if (wanted(fault_calls[i].name))
			try_call(&fault_calls[i]);
	fault_end();
	dxs_umount_stack();
	dxs_fsck();
	check_leaks();
}
