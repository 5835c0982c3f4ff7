// SPDX-License-Identifier: GPL-2.0-only
/*
 * H39: security modules see the same accesses to lower files as without the
 * stack, and none that the stack makes for itself.
 *
 * Each case runs on the lower filesystem alone first, then on the stack. Both
 * must return the same errno.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

#define LEN		(4 * PAGE)
#define NOT_DONE	255	/* exit status: could not confine the process */

/* --- Confinement of the calling process. */

/*
 * Allows all that Landlock handles for files, below @below unless it is NULL.
 */
static int landlock(const char *below)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
	};
	struct landlock_path_beneath_attr rule = {
		.allowed_access = attr.handled_access_fs,
	};
	int set, err = 0;

	set = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (set < 0)
		return errno;
	if (below) {
		rule.parent_fd = MUST(open(below, O_PATH | O_CLOEXEC));
		err = ERR(syscall(SYS_landlock_add_rule, set,
				  LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
		close(rule.parent_fd);
	}
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (!err)
		err = ERR(syscall(SYS_landlock_restrict_self, set, 0));
	close(set);
	return err;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return errno;
	err = ERR(write(fd, text, strlen(text)));
	close(fd);
	return err;
}

static const char profiles[] =
	"profile dxs_files { file, capability, mount, umount, }\n"
	"profile dxs_no_exec { capability, /** rwlk, / r, }\n"
	"profile dxs_allowed { capability, /** r, /**/allowed/** rwlk, }\n";

/* Loads the AppArmor profiles of the tests. */
static bool load_profiles(void)
{
	static const char dir[] = "/sys/kernel/security";
	static const char file[] = "profiles";
	FILE *f;

	if (access("/sys/kernel/security/apparmor", F_OK) &&
	    mount("securityfs", dir, "securityfs", 0, NULL))
		return false;
	if (access("/sys/kernel/security/apparmor/.replace", F_OK))
		return false;
	f = fopen(file, "we");
	if (!f)
		dxs_bail("%s: %m", file);
	fputs(profiles, f);
	fclose(f);
	return !DXS_RUN("apparmor_parser", "--replace", "--skip-cache",
			"--kernel-features",
			"/sys/kernel/security/apparmor/features",
			"--policy-features",
			"/sys/kernel/security/apparmor/features", file);
}

static int apparmor(const char *profile)
{
	char text[64];

	snprintf(text, sizeof(text), "changeprofile %s", profile);
	return write_file("/proc/self/attr/apparmor/current", text);
}

/* --- Cases, each in its own process. Return: an errno, or NOT_DONE. */

static int open_case(const char *dir, const char *name, int flags)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, flags | O_CLOEXEC, 0600);
}

static int map_case(int fd, int prot, int flags)
{
	void *map = mmap(NULL, LEN, prot, flags, fd, 0);

	return ERR(map);
}

static int landlock_mmap(const char *dir)
{
	int fd = MUST(open_case(dir, "file", O_RDWR));

	if (landlock(NULL))
		return NOT_DONE;
	return map_case(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static int landlock_mmap_private(const char *dir)
{
	int fd = MUST(open_case(dir, "file", O_RDONLY));

	if (landlock(NULL))
		return NOT_DONE;
	return map_case(fd, PROT_READ | PROT_EXEC, MAP_PRIVATE);
}

static int landlock_open(const char *dir)
{
	if (landlock(NULL))
		return NOT_DONE;
	return ERR(open_case(dir, "file", O_RDWR));
}

static int landlock_tmpfile(const char *dir)
{
	if (landlock(dir))
		return NOT_DONE;
	return ERR(open_case(dir, ".", O_TMPFILE | O_RDWR));
}

static int landlock_tmpfile_denied(const char *dir)
{
	if (landlock(NULL))
		return NOT_DONE;
	return ERR(open_case(dir, ".", O_TMPFILE | O_RDWR));
}

static int apparmor_tmpfile(const char *dir)
{
	char name[64];
	int fd, err;

	if (apparmor("dxs_files"))
		return NOT_DONE;
	fd = open_case(dir, ".", O_TMPFILE | O_RDWR);
	if (fd < 0)
		return errno;
	snprintf(name, sizeof(name), "%s/linked", dir);
	unlink(name);
	err = ERR(linkat(fd, "", AT_FDCWD, name, AT_EMPTY_PATH));
	return err ?: map_case(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static int apparmor_mmap_unlinked(const char *dir)
{
	char path[256];
	int fd;

	if (apparmor("dxs_files"))
		return NOT_DONE;
	fd = open_case(dir, "gone", O_CREAT | O_RDWR);
	if (fd < 0)
		return errno;
	snprintf(path, sizeof(path), "%s/gone", dir);
	if (unlink(path))
		return errno;
	return map_case(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
}

/*
 * The profile allows it where it is opened; another process moves it before
 * mmap.
 */
static int apparmor_mmap_moved(const char *dir)
{
	int ready[2], moved[2], fd, err;
	char from[256], to[256], c;
	pid_t pid;

	snprintf(from, sizeof(from), "%s/allowed/file", dir);
	snprintf(to, sizeof(to), "%s/moved", dir);
	MUST(pipe(ready));
	MUST(pipe(moved));
	pid = MUST(fork());
	if (!pid) {
		close(ready[1]);
		if (read(ready[0], &c, 1) == 1)
			MUST(rename(from, to));
		MUST(write(moved[1], "", 1));
		_exit(0);
	}
	if (apparmor("dxs_allowed"))
		return NOT_DONE;
	fd = open_case(dir, "allowed/file", O_RDWR);
	if (fd < 0)
		return errno;
	MUST(write(ready[1], "", 1));
	MUST(read(moved[0], &c, 1));
	err = map_case(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (!err && !open_case(dir, "moved", O_RDWR))
		return NOT_DONE;
	return err;
}

/* Mapped for reading, then mprotected to execute: the profile denies that. */
static int apparmor_mprotect(const char *dir)
{
	void *map;
	int fd;

	if (apparmor("dxs_no_exec"))
		return NOT_DONE;
	fd = open_case(dir, "file", O_RDONLY);
	if (fd < 0)
		return errno;
	map = mmap(NULL, LEN, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return errno;
	return ERR(mprotect(map, LEN, PROT_READ | PROT_EXEC));
}

/* Opened earlier by an unconfined task, so the open was allowed. */
static int apparmor_mprotect_before(const char *dir)
{
	int fd = MUST(open_case(dir, "file", O_RDONLY));
	void *map;

	if (apparmor("dxs_no_exec"))
		return NOT_DONE;
	map = mmap(NULL, LEN, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return errno;
	return ERR(mprotect(map, LEN, PROT_READ | PROT_EXEC));
}

static const struct {
	const char *name;
	int expected;
	int (*run)(const char *dir);
} cases[] = {
	{ "Landlock, mmap of a file opened earlier", 0, landlock_mmap },
	{ "Landlock, executable mmap", 0, landlock_mmap_private },
	{ "Landlock, open", EACCES, landlock_open },
	{ "Landlock, O_TMPFILE", 0, landlock_tmpfile },
	{ "Landlock, O_TMPFILE outside the allowed directory", EACCES, landlock_tmpfile_denied },
	{ "AppArmor, O_TMPFILE, linkat, mmap", 0, apparmor_tmpfile },
	{ "AppArmor, mmap of an unlinked file", 0, apparmor_mmap_unlinked },
	{ "AppArmor, mmap of a moved file", 0, apparmor_mmap_moved },
	{ "AppArmor, mprotect PROT_EXEC", EACCES, apparmor_mprotect },
	{ "AppArmor, mprotect PROT_EXEC of a file opened earlier", 0,
	  apparmor_mprotect_before },
};

/*
 * AppArmor checks mprotect(2) with the label cached in the VMA's file. A
 * backing file has none, so every mprotect(2) passes, as on overlayfs. See
 * docs/kernels.md.
 */
static bool not_judged(size_t i)
{
	return cases[i].run == apparmor_mprotect && dxs_kernel_from(6, 5);
}

static int in_child(int (*run)(const char *dir), const char *dir)
{
	int status;
	pid_t pid = MUST(fork());

	if (!pid)
		_exit(run(dir));
	MUST(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : NOT_DONE;
}

static void make_files(const char *dir)
{
	static const char *const names[] = { "file", "allowed/file" };
	char path[256];
	uint8_t buf[LEN];
	size_t i;

	snprintf(path, sizeof(path), "%s/allowed", dir);
	if (mkdir(path, 0755) && errno != EEXIST)
		dxs_bail("%s: %m", path);
	dxs_fill(buf, LEN, 1, 0);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		fd = MUST(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0755));
		dxs_pwrite(fd, buf, LEN, 0);
		close(fd);
	}
}

static void run_cases(const char *dir, int results[])
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		make_files(dir);
		results[i] = in_child(cases[i].run, dir);
	}
}

/* --- Files that a switch opens for itself. */

static void on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	MUST(sched_setaffinity(0, sizeof(set), &set));
}

/* Leaves a folio in an LRU batch of the other CPU. */
static int landlock_switch(const char *dir)
{
	int fd = MUST(open_case(dir, "batch", O_CREAT | O_TRUNC | O_RDWR));
	struct daxstack_switch sw;
	uint8_t buf[PAGE] = { 1 };
	int err;

	on_cpu(1);
	dxs_pwrite(fd, buf, PAGE, 0);
	on_cpu(0);
	if (landlock(NULL))
		return NOT_DONE;
	/* Other holders may refuse a switch for a moment; the folio may not. */
	do
		err = dxs_switch(fd, DAXSTACK_DAX, 0, &sw);
	while (err && (sw.reason == DAXSTACK_REASON_WRITEBACK ||
		       sw.reason == DAXSTACK_REASON_IO));
	return err;
}

static int apparmor_mount(const char *dir)
{
	struct daxstack_switch sw;
	char options[32];
	int fd, err;

	snprintf(options, sizeof(options), "lower=%s", dxs_fs);
	if (apparmor("dxs_files"))
		return NOT_DONE;
	if (mount(dxs_pmem, dir, "daxstack", 0, options))
		return errno;
	fd = open_case(dir, "file", O_RDWR);
	err = fd < 0 ? errno : dxs_switch(fd, !dxs_mode(fd), 5000, &sw);
	close(fd);
	return umount2(dir, 0) ? errno : err;
}

static void expect(int expected, int seen, const char *name)
{
	if (seen == NOT_DONE)
		dxs_skip("cannot confine the process", "H39: %s", name);
	else
		dxs_errno(expected, seen, "H39: %s", name);
}

void h39_judged_anew(void)
{
	int lower[ARRAY_SIZE(cases)], stack[ARRAY_SIZE(cases)];
	bool profiled = load_profiles();
	size_t i;

	if (!profiled)
		dxs_diag("no AppArmor, or no apparmor_parser");
	dxs_umount_stack();
	dxs_mount_lower();
	run_cases("lower", lower);
	dxs_umount_lower();
	dxs_mount_stack();
	run_cases("stack", stack);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (not_judged(i)) {
			expect(0, stack[i], cases[i].name);
			expect(cases[i].expected, lower[i],
			       "AppArmor, mprotect PROT_EXEC, lower fs alone");
			continue;
		}
		expect(cases[i].expected, stack[i], cases[i].name);
		if (lower[i] != stack[i])
			dxs_errno(lower[i], stack[i],
				  "H39: same result as the lower fs: %s",
				  cases[i].name);
	}
	expect(0, in_child(landlock_switch, "stack"),
	       "Landlock, folio in an LRU batch");
	dxs_umount_stack();
	expect(0, in_child(apparmor_mount, "stack"),
	       "AppArmor, mount and switch");
	dxs_mount_stack();
}
