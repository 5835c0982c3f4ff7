// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: disturbances: remounts, a second mount of the lower filesystem,
 * cache drops, memory pressure, moves between cgroups, signals.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "torture.h"

/* In pieces, so that the end of the test need not wait. */
static void pause_ms(unsigned int ms)
{
	while (ms && !stopping()) {
		unsigned int now = ms < 50 ? ms : 50;

		dxs_sleep_ms(now);
		ms -= now;
	}
}

/* Return: 0 or errno. */
static int write_to(const char *path, const char *text, ...)
{
	char line[64];
	va_list args;
	int fd, err;

	va_start(args, text);
	vsnprintf(line, sizeof(line), text, args);
	va_end(args);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	err = ERR(write(fd, line, strlen(line)));
	close(fd);
	return err;
}

/* --- Policies. */

static void remount(const char *options)
{
	if (AGAIN(mount(NULL, where, NULL, MS_REMOUNT, options)))
		complain(-1, "remount with %s: %m", options);
}

static void set_policy(enum policy policy)
{
	static const char *const options[] = {
		[LIVE] = "switch=live", [UNMAPPED] = "switch=unmapped",
		[EMPTY] = "switch=empty", [NEVER] = "switch=never",
	};
	int err;

	atomic_fetch_add(&arena->policy_seq, 1);
	if (atomic_load(&arena->policy) == LOWER_SHARED) {
		if (AGAIN(umount2("lower", 0)))
			complain(-1, "umount lower: %m");
	}
	if (policy == LOWER_SHARED) {
		err = dxs_mount(dxs_pmem, "lower", dxs_fs, "dax=inode");
		if (err)
			complain(-1, "mount of the lower filesystem: %s",
				 strerror(err));
	} else {
		remount(options[policy]);
	}
	atomic_store(&arena->policy, policy);
	atomic_fetch_add(&arena->phases[policy], 1);
	atomic_fetch_add(&arena->policy_seq, 1);
}

static void set_inherit(const char *option, bool none)
{
	if (none)
		atomic_store(&arena->inherit_none, true);
	remount(option);
	atomic_store(&arena->inherit_none, none);
	atomic_fetch_add(&arena->inherits, 1);
}

/* Mostly live. */
static void *policies(void *arg)
{
	static const char *const inherit[] = {
		"inherit=none", "inherit=create", "inherit=move",
		"inherit=move",
	};
	struct rng rng = rng_of(3 * MAX_WORKERS + 50, 0);
	unsigned int i;

	(void)arg;
	while (!stopping()) {
		pause_ms(500 + below(&rng, 2500));
		if (stopping())
			break;
		if (once_in(&rng, 3)) {
			i = below(&rng, ARRAY_SIZE(inherit));
			set_inherit(inherit[i], i == 0);
			continue;
		}
		set_policy(1 + below(&rng, POLICIES - 1));
		pause_ms(30 + below(&rng, 200));
		set_policy(LIVE);
	}
	return NULL;
}

/* --- Memory. */

static void *drop_caches(void *arg)
{
	struct rng rng = rng_of(3 * MAX_WORKERS + 51, 0);

	(void)arg;
	while (!stopping()) {
		pause_ms(below(&rng, 2000));
		switch (below(&rng, 4)) {
		case 0:
			write_to("/proc/sys/vm/compact_memory", "1");
			break;
		case 1:
			write_to("/sys/fs/cgroup/memory.reclaim", "%uM",
				 below(&rng, 64) + 1);
			break;
		default:
			write_to("/proc/sys/vm/drop_caches", "%u",
				 below(&rng, 3) + 1);
		}
		atomic_fetch_add(&arena->drops, 1);
	}
	return NULL;
}

static unsigned long available_mib(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %lu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib / 1024;
}

/*
 * Takes most of the free memory for some time. It leaves a reserve: a test that
 * runs out of memory tests something else.
 */
static void *hog(void *arg)
{
	struct rng rng = rng_of(3 * MAX_WORKERS + 52, 0);
	const unsigned long spare = 160, piece = 8;
	unsigned long all, mib;
	uint8_t *mem;

	(void)arg;
	while (!stopping()) {
		pause_ms(3000 + below(&rng, 6000));
		all = available_mib();
		mem = reserve(all * MIB);
		if (!mem || mprotect(mem, all * MIB, PROT_READ | PROT_WRITE))
			continue;
		madvise(mem, all * MIB, MADV_HUGEPAGE);
		for (mib = 0; available_mib() > spare && mib + piece < all &&
		     !stopping(); mib += piece)
			memset(mem + mib * MIB, 1, piece * MIB);
		atomic_fetch_add(&arena->hogged_mib, mib);
		pause_ms(below(&rng, 1000));
		munmap(mem, all * MIB);
	}
	return NULL;
}

/* --- Cgroups. */

#define CGROUPS "/sys/fs/cgroup"

static pid_t movable[MAX_WORKERS];
static int movables;
static bool have_cgroups;

/*
 * Creating the first cgroup makes the kernel patch its own code, which is slow,
 * the more so on busy emulated processors: so do it beforehand.
 */
void trouble_prepare(void)
{
	have_cgroups = !write_to(CGROUPS "/cgroup.subtree_control",
				 "+memory +io") &&
		!mkdir(CGROUPS "/torture", 0755) &&
		!rmdir(CGROUPS "/torture");
}

/*
 * Each process gets a group of its own, which it leaves for a new one: when the
 * old group is removed, its dirty inodes move to others.
 */
static void *cgroups(void *arg)
{
	struct rng rng = rng_of(3 * MAX_WORKERS + 53, 0);
	char old[MAX_WORKERS][64] = {}, new[64], path[128];
	unsigned int number = 0;
	int i;

	(void)arg;
	if (!have_cgroups)
		return NULL;
	while (!stopping()) {
		pause_ms(200 + below(&rng, 1500));
		i = below(&rng, movables);
		snprintf(new, sizeof(new), CGROUPS "/torture%u", number++);
		if (mkdir(new, 0755))
			continue;
		snprintf(path, sizeof(path), "%s/memory.high", new);
		if (once_in(&rng, 3))
			write_to(path, "%uM", 64 + below(&rng, 64));
		snprintf(path, sizeof(path), "%s/cgroup.procs", new);
		write_to(path, "%d", movable[i]);
		atomic_fetch_add(&arena->moves, 1);
		if (*old[i])
			rmdir(old[i]);
		memcpy(old[i], new, sizeof(new));
	}
	for (i = 0; i < movables; i++)
		write_to(CGROUPS "/cgroup.procs", "%d", movable[i]);
	for (i = 0; i < movables; i++)
		if (*old[i])
			rmdir(old[i]);
	return NULL;
}

/* --- Signals, whose handler only ends a call with EINTR. */

static void *signals(void *arg)
{
	struct rng rng = rng_of(3 * MAX_WORKERS + 54, 0);

	(void)arg;
	while (!stopping()) {
		struct share *share = &arena->share[below(&rng, MAX_WORKERS + 8)];

		nap(&rng, 10000);
		if (!share->tid)
			continue;
		syscall(SYS_tgkill, share->pid, share->tid, SIGUSR1);
		atomic_fetch_add(&arena->signals, 1);
	}
	return NULL;
}

void trouble_processes(pid_t *pids, int count)
{
	memcpy(movable, pids, count * sizeof(*pids));
	movables = count;
}

void trouble_process(void)
{
	static void *(*const troubles[])(void *) = {
		drop_caches, signals, hog, cgroups, policies,
	};
	int count = ARRAY_SIZE(troubles) - opt.native, i;
	pthread_t threads[ARRAY_SIZE(troubles)];

	for (i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, troubles[i], NULL))
			exit(1);
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}
