// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection: the kernel's, in the form that makes the Nth possible
 * failure of one thread happen.
 *
 * The call stack limits what counts: for allocations, the module must be in it
 * and the lower filesystem must not. This leaves allocations by the module, and
 * by the VFS for it: inodes, files, dentries, mount contexts. How the lower
 * filesystem handles faults of its own allocations is not tested; ext4 logs
 * errors and leaves a truncate half done.
 *
 * Linux 6.1 checks the stack only after it has counted down fail-nth, which
 * makes the filter useless (fixed in 6.2: "fault-injection: make stacktrace
 * filter works as expected").
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faultinject.h"

#define DEPTH	"32"		/* the kernel's limit */

/* A range of code addresses, [start, end). */
struct range {
	unsigned long long start;
	unsigned long long end;
};

/* The module's function that allocates per-CPU memory, and its -ENOMEM. */
#define GATES	"dxs_gate_init"
#define GATES_ENOMEM "0xfffffffffffffff4"

static int nth_fd = -1;

static bool have(const char *attr)
{
	char path[80];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", attr);
	return !access(path, F_OK);
}

static bool set(const char *attr, const char *name, const char *value)
{
	char path[80];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", attr, name);
	return dxs_put(path, value);
}

/* Requires an address in @in on the stack, and none in @out. */
static bool set_stack(const char *attr, struct range in, struct range out)
{
	const struct {
		const char *name;
		unsigned long long value;
	} bounds[] = {
		{ "require-start", in.start }, { "require-end", in.end },
		{ "reject-start", out.start }, { "reject-end", out.end },
	};
	char text[24];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bounds); i++) {
		snprintf(text, sizeof(text), "%#llx", bounds[i].value);
		if (!set(attr, bounds[i].name, text))
			return false;
	}
	return set(attr, "stacktrace-depth", DEPTH);
}

static bool set_never(const char *attr)
{
	/* No code has addresses that low. */
	const struct range none = { 1, 2 };

	return !have(attr) || set_stack(attr, none, none);
}

/* Code and data of a module; data addresses are never return addresses. */
static struct range of_module(const char *name)
{
	unsigned long long start, size;
	struct range range = { 0 };
	char line[512], found[64];
	FILE *modules = fopen("/proc/modules", "r");

	while (modules && fgets(line, sizeof(line), modules)) {
		if (sscanf(line, "%63s %llu %*s %*s %*s %llx", found, &size,
			   &start) != 3 || strcmp(found, name))
			continue;
		range.start = start;
		range.end = start + size;
	}
	if (modules)
		fclose(modules);
	return range;
}

/*
 * Kernel code whose symbols begin with @prefix: the largest range without a
 * large gap. Init code and cold code are elsewhere.
 */
static struct range of_prefix(const char *prefix)
{
	struct range best = { 0 }, piece = { 0 };
	unsigned long long at;
	char line[512], name[256], type;
	FILE *symbols = fopen("/proc/kallsyms", "r");

	while (symbols && fgets(line, sizeof(line), symbols)) {
		if (sscanf(line, "%llx %c %255s", &at, &type, name) != 3 ||
		    !strchr("tT", type) ||
		    strncmp(name, prefix, strlen(prefix)))
			continue;
		if (at < piece.start || at > piece.end + MIB / 2)
			piece.start = at;
		piece.end = at + 1;
		if (piece.end - piece.start > best.end - best.start)
			best = piece;
	}
	if (symbols)
		fclose(symbols);
	return best;
}

static bool set_module(const char *attr)
{
	struct range module = of_module("daxstack");
	struct range lower = of_module(dxs_fs);

	if (!lower.start)
		lower = of_prefix(dxs_on_xfs() ? "xfs_" : "ext4_");
	return module.start && lower.start && set_stack(attr, module, lower);
}

static void make_it_fail(const char *value)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/%s/make-it-fail",
		 strrchr(dxs_pmem, '/') + 1);
	dxs_put(path, value);
}

static const char *setup(void)
{
	static const char *const attrs[] = { "failslab", "fail_page_alloc" };
	size_t i;

	if (nth_fd < 0)
		nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0)
		return "this kernel has no /proc/thread-self/fail-nth";
	for (i = 0; i < ARRAY_SIZE(attrs); i++)
		if (!set(attrs[i], "verbose", "0") ||
		    !set(attrs[i], "ignore-gfp-wait", "N"))
			return "this kernel cannot make allocations fail";
	/* Copies to and from user space count as well: see is_quiet(). */
	if (have("fail_usercopy"))
		set("fail_usercopy", "verbose", "0");
	if (!set("fail_page_alloc", "ignore-gfp-highmem", "N"))
		return "this kernel cannot make allocations fail";
	fault_kinds(true, true);
	return NULL;
}

void fault_kinds(bool slabs, bool pages)
{
	/* No cache has the mark, and no block of pages is as large. */
	if (!set("failslab", "cache-filter", slabs ? "N" : "Y") ||
	    !set("fail_page_alloc", "min-order", pages ? "0" : "64"))
		dxs_bail("cannot select which allocations fail: %m");
}

void fault_gates(bool fail)
{
	if (!have("fail_function"))
		return;
	if (!set("fail_function", "verbose", "0") ||
	    !set("fail_function", "inject", fail ? GATES : "!" GATES) ||
	    (fail && !set("fail_function/" GATES, "retval", GATES_ENOMEM)))
		dxs_bail("cannot select whether gate allocations fail: %m");
}

/* Returns whether nothing is counted at present. */
static bool is_quiet(void)
{
	char buf[16];
	bool failed;
	int fd;

	fault_arm(1);
	fd = open("/dev/zero", O_RDONLY);
	failed = fd < 0 || read(fd, buf, sizeof(buf)) < 0;
	failed |= fault_disarm();
	close(fd);
	return !failed;
}

const char *fault_limit(void)
{
	const char *reason = setup();

	if (reason)
		return reason;
	if (!set_never("failslab") || !set_never("fail_page_alloc") ||
	    !set_never("fail_usercopy"))
		return "this kernel cannot limit faults to a module";
	if (!is_quiet())
		return "this kernel cannot limit fail-nth to a module";
	if (!set_module("failslab") || !set_module("fail_page_alloc"))
		dxs_bail("cannot limit faults to the module: %m");
	return NULL;
}

const char *fault_unlimit(void)
{
	const char *reason = setup();

	if (!reason && have("failslab/require-start") &&
	    !(set("failslab", "stacktrace-depth", "0") &&
	      set("fail_page_alloc", "stacktrace-depth", "0")))
		dxs_bail("cannot lift the limits of faults: %m");
	return reason;
}

const char *fault_writes(void)
{
	const char *reason = setup();

	if (reason)
		return reason;
	if (!have("fail_make_request") ||
	    !set("fail_make_request", "verbose", "0"))
		return "this kernel cannot make writes fail";
	fault_kinds(false, false);
	if (have("fail_usercopy"))
		set_never("fail_usercopy");
	if (!is_quiet())
		return "this kernel cannot limit faults to writes";
	make_it_fail("1");
	return NULL;
}

void fault_end(void)
{
	make_it_fail("0");
}

void fault_arm(unsigned int nth)
{
	char text[12];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(nth_fd, text, len, 0) != len)
		dxs_bail("fail-nth: %m");
}

bool fault_disarm(void)
{
	char text[12] = "";

	MUST(pread(nth_fd, text, sizeof(text) - 1, 0));
	fault_arm(0);
	return !atoi(text);
}
