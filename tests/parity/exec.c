// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: programs and libraries executed from the filesystem.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parity.h"

static void copy(const char *from, const char *to, mode_t perm)
{
	int in = MUST(open(from, O_RDONLY));
	int out = MUST(open(to, O_WRONLY | O_CREAT | O_TRUNC, perm));

	while (MUST(sendfile(out, in, NULL, MIB)))
		;
	close(in);
	close(out);
}

/* Runs until told to exit. */
static pid_t start(const char *path)
{
	int ready[2];
	pid_t pid;
	char c;

	MUST(pipe2(ready, O_CLOEXEC));
	pid = MUST(fork());
	if (!pid) {
		execl(path, "sleep", "1000", NULL);
		_exit(127);
	}
	close(ready[1]);
	/* Closed by execve(2). */
	read(ready[0], &c, 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	MUST(waitpid(pid, &status, 0));
	note("ended: %x", status);
}

static void exe_is(pid_t pid)
{
	char link[64], path[256];
	const char *name;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = MUST(readlink(link, path, sizeof(path) - 1));
	path[n] = 0;
	name = strrchr(path, '/');
	note("exe: %s", name ?: path);
}

static void run_it(const char *path)
{
	int fd = MUST(open(".", O_RDWR | O_TMPFILE, 0644)), status;
	pid_t pid = MUST(fork());
	char out[200];
	ssize_t n;

	if (!pid) {
		MUST(dup2(fd, 1));
		execl(path, "echo", "hello", NULL);
		_exit(100 + errno);
	}
	MUST(waitpid(pid, &status, 0));
	n = MUST(pread(fd, out, sizeof(out) - 1, 0));
	out[n] = 0;
	note("%s: status %d, says '%s'", path, WEXITSTATUS(status), out);
	close(fd);
}

/* A program that prints its credentials. */
static void show_ids(void)
{
	run_it("./id");
}

static void write_while_run(const char *path)
{
	TELL_FD(open(path, O_WRONLY));
	TELL_FD(open(path, O_RDWR));
	TELL_FD(open(path, O_RDONLY | O_TRUNC));
	TELL(truncate(path, 10));
	TELL(chmod(path, 0700));
	TELL(rename(path, "moved"));
	TELL(rename("moved", path));
}

void run_exec(void)
{
	int fd, dir, status;
	pid_t pid;

	copy("/bin/busybox", "echo", 0755);
	copy("/bin/busybox", "sleep", 0755);
	copy("/bin/busybox", "id", 0755);
	run_it("./echo");
	pid = start("./sleep");
	exe_is(pid);
	write_while_run("sleep");
	TELL(unlink("sleep"));
	exe_is(pid);
	end(pid);

	fd = MUST(open("echo", O_WRONLY));
	run_it("./echo");
	close(fd);
	fd = MUST(open("echo", O_RDONLY));
	run_it("./echo");
	pid = MUST(fork());
	if (!pid) {
		MUST(dup2(MUST(open("/dev/null", O_WRONLY)), 1));
		execveat(fd, "", (char *[]){ "echo", "hello", NULL },
			 (char *[]){ NULL }, AT_EMPTY_PATH);
		_exit(100 + errno);
	}
	MUST(waitpid(pid, &status, 0));
	note("execveat: %d", WEXITSTATUS(status));
	close(fd);

	MUST(chmod("echo", 0644));
	run_it("./echo");
	MUST(chmod("echo", 0711));
	run_it("./echo");
	fd = MUST(open("script", O_WRONLY | O_CREAT, 0755));
	dxs_pwrite(fd, "#!/bin/sh\necho \"$0\" says \"$1\"\n", 30, 0);
	close(fd);
	run_it("./script");
	fd = MUST(open("no program", O_WRONLY | O_CREAT, 0755));
	dxs_pwrite(fd, "nothing", 7, 0);
	close(fd);
	run_it("./no program");
	MUST(mkdir("dir", 0755));
	run_it("./dir");

	/* Effective credentials with set-ID bits, and with nosuid. */
	MUST(chown("id", SOMEONE, SOMEONE));
	MUST(chmod("id", 06755));
	MUST(chmod(".", 0777));
	as_user(NOBODY, show_ids);
	TELL(mount(NULL, ROOT, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL));
	as_user(NOBODY, show_ids);
	TELL(mount(NULL, ROOT, NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC, NULL));
	MUST(chmod("echo", 0755));
	run_it("./echo");
	fd = MUST(open("echo", O_RDONLY));
	note("mapped to run: %s", mmap(NULL, PAGE, PROT_READ | PROT_EXEC,
				       MAP_PRIVATE, fd, 0) == MAP_FAILED ?
	     strerrorname_np(errno) : "yes");
	close(fd);
	TELL(mount(NULL, ROOT, NULL, MS_REMOUNT | MS_BIND | MS_RELATIME, NULL));
	dir = MUST(open(".", O_RDONLY | O_DIRECTORY));
	TELL(faccessat(dir, "echo", X_OK, 0));
	close(dir);
}

void run_libraries(void)
{
	double (*cosine)(double x);
	void *lib;
	Dl_info info;

	lib = dlopen("libm.so.6", RTLD_NOW);
	if (!lib || !dladdr(dlsym(lib, "cos"), &info))
		dxs_bail("no libm: %s", dlerror());
	copy(info.dli_fname, "libown.so", 0644);
	dlclose(lib);
	lib = dlopen("./libown.so", RTLD_NOW | RTLD_LOCAL);
	if (!lib) {
		note("dlopen: %s", dlerror());
		return;
	}
	cosine = dlsym(lib, "cos");
	note("%s", dladdr(cosine, &info) && strstr(info.dli_fname, "libown") ?
	     "ours" : "another");
	note("cos 0 is %g, cos 3 %g", cosine(0), cosine(3));
	/* A mapped library can still be opened for writing. */
	TELL_FD(open("libown.so", O_RDWR));
	TELL(dlclose(lib));
}
