// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes every allocation of a call fail in turn: the first, the second, and so
 * on until none is left. Asserts that the call either returns ENOMEM and has
 * changed nothing, or does without the allocation and has its full effect.
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

#include "faultinject.h"

/* Number of runs in a row without a fault before the end is believed. */
#define ENOUGH	2
#define MOST	1000

/* --- The visible state of the stack, as text. */

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
		dxs_bail("the view is too long");
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
	/*
	 * Includes the flag: it is what inherit=move leaves if it cannot
	 * switch.
	 */
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
 * struct tally - results of a call, over all its faults
 * @call: the call
 * @done: visible state after success
 * @faults: number of faults
 * @failed: number of failures
 * @other: failures with an errno other than ENOMEM
 * @wrong: number of errors
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
	/* An error tends to repeat. */
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

/* Return: whether the fault occurred. */
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
			complain(tally, nth, "unexpected errno", err, &before,
				 &after);
	}
	if (err && !fault)
		complain(tally, nth, "fails without a fault", err, &before,
			 &after);
	else if (err && strcmp(before.text, after.text))
		complain(tally, nth, "failed, yet changed something", err,
			 &before, &after);
	else if (!err && strcmp(tally->done.text, after.text))
		complain(tally, nth, "not done, yet reports success", err,
			 &tally->done, &after);
	if (call->after)
		call->after();
	return fault;
}

/* Injects one fault after another. Return: their number. */
static int try_faults(struct tally *tally)
{
	int without = 0, before = tally->faults;
	unsigned int nth;

	for (nth = 1; nth < MOST && without < ENOUGH; nth++)
		without = try_fault(tally, nth) ? 0 : without + 1;
	if (nth == MOST)
		dxs_ok(false,
		       "%s: the number of faults is finite", tally->call->name);
	return tally->faults - before;
}

static void try_call(const struct fault_call *call)
{
	struct tally tally = { .call = call };
	double start = dxs_now();
	struct view before;
	int err, slabs, pages, gates;
	bool fault;

	/*
	 * Once without a fault: to see its effect, and for work that is done
	 * only once.
	 */
	err = do_call(call, 0, &before, &fault);
	look(&tally.done);
	if (call->after)
		call->after();
	if (err) {
		dxs_errno(0, err, "%s, without faults", call->name);
		return;
	}
	/*
	 * One kind at a time: a slab cache needs pages only at times, so that
	 * an allocation would be the fourth in one run and the third in the
	 * next, and never fail.
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
	dxs_diag("%d objects, %d pages, %d gates: %d ENOMEM, %d other errnos, %d successes; %.1f s",
		 slabs, pages, gates, tally.failed - tally.other, tally.other,
		 tally.faults - tally.failed, dxs_now() - start);
}

/* --- Memory leaks. */

#define KMEMLEAK "/sys/kernel/debug/kmemleak"

static void check_leaks(void)
{
	char line[160];
	int lines = 0;
	FILE *list;

	/*
	 * kmemleak reports an object only if it is some seconds old and seen
	 * twice.
	 */
	if (!dxs_put(KMEMLEAK, "scan")) {
		dxs_skip("this kernel has no kmemleak", "leaks");
		return;
	}
	dxs_sleep_ms(6000);
	dxs_put(KMEMLEAK, "scan");
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
		dxs_skip(reason, "failing allocations");
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
