// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: processes that switch files and check the answers.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "torture.h"

#ifndef FS_DAX_FL
#define FS_DAX_FL 0x02000000
#endif

/* Two of three switched files are those that many workers use. */
static struct file *choose_file(struct rng *rng)
{
	if (once_in(rng, 2))
		return &arena->file[below(rng, opt.files < 2 ? 1 : 2)];
	return &arena->file[below(rng, arena->file_count)];
}

/* Returns the mode, or -1. */
static int mode_of(int fd)
{
	struct statx stx;

	if (AGAIN(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx)))
		return -1;
	return stx.stx_attributes & STATX_ATTR_DAX ? DAXSTACK_DAX :
						     DAXSTACK_CACHED;
}

static int errno_of(unsigned int reason)
{
	static const int errnos[] = {
#define REASON_ERRNO(name, err, text) err,
		DAXSTACK_REASONS(REASON_ERRNO)
#undef REASON_ERRNO
	};

	return reason < ARRAY_SIZE(errnos) ? errnos[reason] : -1;
}

/* Returns whether a switch may be refused for @reason under @policy. */
static bool plausible(enum policy policy, unsigned int reason, int to)
{
	switch (reason) {
	case DAXSTACK_REASON_PINNED:
	case DAXSTACK_REASON_WRITEBACK:
		return policy != NEVER;
	/*
	 * Storing the flag also needs the lower i_rwsem and the file's turn
	 * (H42).
	 */
	case DAXSTACK_REASON_IO:
	case DAXSTACK_REASON_SWITCHING:
	case DAXSTACK_REASON_INTERRUPTED:
		return true;
	case DAXSTACK_REASON_MAP_SYNC:
		return to == DAXSTACK_CACHED && policy != NEVER;
	case DAXSTACK_REASON_MAPPED:
		return policy == UNMAPPED;
	case DAXSTACK_REASON_HAS_BLOCKS:
		return policy == EMPTY;
	case DAXSTACK_REASON_LOWER_SHARED:
		return policy == LOWER_SHARED;
	default:
		return false;
	}
}

/**
 * struct request - one request and its answer
 * @to: the requested mode
 * @before, @after: the mode before and after
 * @call: 0: DAXSTACK_IOC_SWITCH, 1: FS_IOC_FSSETXATTR, 2: FS_IOC_SETFLAGS
 * @err: errno
 * @sw: answer of DAXSTACK_IOC_SWITCH
 * @policy: in force throughout, if @steady
 * @steady: no remount meanwhile
 * @alone: no other task switched the file meanwhile
 */
struct request {
	int to;
	int before;
	int after;
	int call;
	int err;
	struct daxstack_switch sw;
	enum policy policy;
	bool steady;
	bool alone;
};

static int set_flags(int fd, int to)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return errno;
	flags &= ~FS_DAX_FL;
	if (to == DAXSTACK_DAX)
		flags |= FS_DAX_FL;
	return ERR(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static void ask(struct rng *rng, int fd, struct request *req)
{
	static const int timeouts[] = { 0, 0, 0, 0, 20, 20, 100, 1000 };
	unsigned int seq = atomic_load(&arena->policy_seq);
	int timeout = timeouts[below(rng, ARRAY_SIZE(timeouts))];

	req->policy = atomic_load(&arena->policy);
	switch (req->call) {
	case 0:
		req->err = dxs_switch(fd, req->to, timeout, &req->sw);
		break;
	case 1:
		req->err = dxs_set_xflag(fd, req->to);
		break;
	default:
		req->err = set_flags(fd, req->to);
	}
	req->after = mode_of(fd);
	req->steady = !(seq & 1) && seq == atomic_load(&arena->policy_seq);
}

static void describe(const struct request *req, const char *what,
		     const struct file *file)
{
	complain(-1, "switcher: %s: %s, call %d, to %s, %s before, %s after: "
		     "%s, reason %s, switched %u, deferred %u, attempts %u; "
		     "policy %d%s%s",
		 what, file->path, req->call, dxs_mode_name(req->to),
		 dxs_mode_name(req->before), dxs_mode_name(req->after),
		 req->err ? strerrorname_np(req->err) : "success",
		 dxs_reason_name(req->sw.reason), req->sw.switched,
		 req->sw.deferred, req->sw.attempts, req->policy,
		 req->steady ? "" : " (changed meanwhile)",
		 req->alone ? "" : " (others switch as well)");
}

/*
 * Checks the rules for any answer, and those for a request without
 * interference.
 */
static void judge(const struct request *req, const struct file *file)
{
	const struct daxstack_switch *sw = &req->sw;
	bool deferred = req->call ?
		req->policy == NEVER && !req->err && req->before != req->to :
		sw->deferred;
	bool never = sw->reason == DAXSTACK_REASON_NEVER;
	bool changed = req->before != req->after;

	if (req->err && req->err != EBUSY && req->err != EINTR &&
	    !(req->err == EINVAL && (req->policy == EMPTY || !req->steady)))
		describe(req, "error", file);
	if (!req->call && (req->err || sw->deferred) &&
	    req->err != (sw->deferred ? 0 : errno_of(sw->reason)))
		describe(req, "errno and reason do not match", file);
	if (!req->call && !req->err && !sw->deferred && sw->reason)
		describe(req, "success with a reason", file);
	if (req->before < 0 || req->after < 0)
		describe(req, "no mode", file);
	if (!req->steady)
		return;
	if (!req->call && req->err && !plausible(req->policy, sw->reason, req->to))
		describe(req, "implausible reason", file);
	if (!req->call && !!sw->deferred != never)
		describe(req, "deferred, or not", file);
	if (!req->alone)
		return;
	atomic_fetch_add(&arena->switches.checked, 1);
	if ((req->err || deferred) && req->after != req->before)
		describe(req, "refused, but switched", file);
	if (!req->err && !deferred && req->after != req->to)
		describe(req, "not switched", file);
	if (!req->call && !!sw->switched != changed)
		describe(req, "says switched, or not", file);
}

static void count(const struct request *req)
{
	struct switches *s = &arena->switches;
	bool effective = req->call ? req->alone && req->before != req->after :
				     req->sw.switched;

	atomic_fetch_add(&s->wanted, 1);
	if (req->err && !req->call) {
		if (req->sw.reason < DAXSTACK_REASON_COUNT)
			atomic_fetch_add(&s->refused[req->sw.reason], 1);
	} else if (req->err) {
		atomic_fetch_add(&s->refused_unsaid, 1);
	} else if (effective) {
		atomic_fetch_add(&s->effective, 1);
		if (req->call)
			atomic_fetch_add(req->call == 1 ? &s->by_xflag :
							  &s->by_flags, 1);
	} else if (req->sw.deferred) {
		atomic_fetch_add(&s->deferred, 1);
	} else {
		atomic_fetch_add(&s->same, 1);
	}
	if (!req->call && req->sw.switched) {
		raise_to(&s->longest_shut_ns, req->sw.shut_ns);
		atomic_fetch_add(&s->shut_ns, req->sw.shut_ns);
	}
}

/* A child that switches, and is killed meanwhile. */
static void killed_switcher(struct rng *rng, int fd, int to)
{
	unsigned int us = below(rng, 15000);
	pid_t pid = fork();
	int status;

	if (!pid) {
		dxs_switch(fd, to, 2000, NULL);
		_exit(0);
	}
	if (pid < 0)
		return;
	usleep(us);
	kill(pid, SIGKILL);
	AGAIN(waitpid(pid, &status, 0));
	atomic_fetch_add(&arena->switches.killed, 1);
}

static void switch_one(struct rng *rng)
{
	static const int calls[] = { 0, 0, 0, 0, 0, 0, 1, 2 };
	struct file *file = choose_file(rng);
	struct request req = { .alone = below(rng, 4) };
	char path[sizeof(file->path)];
	bool kill_it = once_in(rng, 24);
	int flags = once_in(rng, 2) ? O_RDONLY : O_RDWR;
	int fd;

	req.call = calls[below(rng, ARRAY_SIZE(calls))];
	if (kill_it)
		req.alone = false;
	if (req.alone)
		pthread_rwlock_wrlock(&file->switching);
	else
		pthread_rwlock_rdlock(&file->switching);
	file_path(file, path);
	fd = AGAIN(open(path, flags | O_CLOEXEC));
	if (fd < 0) {
		/* Its owner is recreating the file, or has ended. */
		if (errno != ENOENT)
			complain(-1, "switcher: %s: %m", path);
		goto out;
	}
	if (!file_is(file, fd))
		goto out_close;
	req.before = mode_of(fd);
	req.to = once_in(rng, 12) ? req.before : !req.before;
	if (kill_it) {
		killed_switcher(rng, fd, req.to);
	} else {
		ask(rng, fd, &req);
		judge(&req, file);
		count(&req);
	}
out_close:
	close(fd);
out:
	pthread_rwlock_unlock(&file->switching);
}

static void *switcher_thread(void *arg)
{
	unsigned int id = (uintptr_t)arg;
	struct share *share = &arena->share[MAX_WORKERS + id];
	struct rng rng = rng_of(3 * MAX_WORKERS + id, 0);

	share->pid = getpid();
	share->tid = gettid();
	while (!stopping()) {
		switch_one(&rng);
		if (atomic_load(&arena->switches.effective) >= opt.switches)
			atomic_store(&arena->stop, true);
		nap(&rng, 6000);
	}
	share->tid = 0;
	return NULL;
}

static void on_usr1(int sig)
{
	(void)sig;
}

void switcher_process(unsigned int first, unsigned int count)
{
	struct sigaction usr1 = { .sa_handler = on_usr1 };
	pthread_t threads[SWITCHERS];
	unsigned int i;

	sigaction(SIGUSR1, &usr1, NULL);
	for (i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, switcher_thread,
				   (void *)(uintptr_t)(first + i)))
			exit(1);
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}
