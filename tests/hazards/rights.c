// SPDX-License-Identifier: GPL-2.0-only
/*
 * Credentials of a program executed by a given user, optionally in a user
 * namespace. The test binary itself is the program.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

int rights_main(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data))
		return 1;
	printf("euid %u egid %u eff %x%08x\n", geteuid(), getegid(),
	       data[1].effective, data[0].effective);
	return 0;
}

void rights_program(const char *path)
{
	static char buf[64 * KIB];
	int from = MUST(open("/proc/self/exe", O_RDONLY));
	int to = MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755));
	ssize_t len;

	while ((len = MUST(read(from, buf, sizeof(buf)))) > 0)
		if (write(to, buf, len) != len)
			dxs_bail("%s: %m", path);
	MUST(fchmod(to, 0755));
	MUST(fsync(to));
	close(to);
	close(from);
}

void rights_exec(const char *path)
{
	execl(path, path, "--rights", NULL);
	printf("exec: %s\n", strerror(errno));
	fflush(stdout);
	_exit(0);
}

void rights_user(uid_t id)
{
	if (setgroups(0, NULL) && errno != EPERM)
		_exit(101);
	if (setresgid(id, id, id) || setresuid(id, id, id))
		_exit(102);
	/* Makes its own /proc files accessible to it. */
	prctl(PR_SET_DUMPABLE, 1);
}

void rights_nest(const char *map)
{
	if (unshare(CLONE_NEWUSER) || !dxs_put("/proc/self/setgroups", "deny") ||
	    !dxs_put("/proc/self/uid_map", map) || !dxs_put("/proc/self/gid_map", map))
		_exit(103);
}

/* Output printed before the child enters its namespace must not be lost. */
static void child(int out, int go, bool space, void (*step)(void *), void *arg)
{
	char c;

	if (space && unshare(CLONE_NEWUSER))
		_exit(104);
	if (write(out, "", 1) != 1 || read(go, &c, 1) != 1)
		_exit(105);
	dup2(out, 1);
	step(arg);
	fflush(stdout);
	_exit(0);
}

const char *rights_run(const char *map, void (*step)(void *), void *arg)
{
	static char said[4096];
	int out[2], go[2], status;
	char path[64];
	size_t len = 0;
	ssize_t part;
	pid_t pid;

	fflush(stdout);
	MUST(pipe(out));
	MUST(pipe(go));
	pid = MUST(fork());
	if (!pid)
		child(out[1], go[0], map, step, arg);
	close(out[1]);
	close(go[0]);
	if (read(out[0], said, 1) != 1)
		dxs_bail("the child died");
	if (map) {
		snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
		if (!dxs_put(path, map))
			dxs_bail("%s: %m", path);
		snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
		if (!dxs_put(path, map))
			dxs_bail("%s: %m", path);
	}
	MUST(write(go[1], "", 1));
	while ((part = read(out[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += part;
	said[len] = 0;
	close(out[0]);
	close(go[1]);
	MUST(waitpid(pid, &status, 0));
	if (status)
		snprintf(said + len, sizeof(said) - len, "status %x\n", status);
	return said;
}
