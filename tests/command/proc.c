// SPDX-License-Identifier: GPL-2.0-only
/*
 * command: programs that run beside the test, or are stopped before each of
 * their system calls.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

static void exec_with_output(const char *const argv[], int out)
{
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

static int output(void)
{
	return MUST(memfd_create("out", MFD_CLOEXEC));
}

static void read_output(int fd, char *out, size_t size)
{
	ssize_t len = MUST(pread(fd, out, size - 1, 0));

	out[len] = 0;
	close(fd);
}

static int status_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

struct proc proc_start(const char *const argv[])
{
	struct proc proc = { .out = output() };

	fflush(stdout);
	proc.pid = MUST(fork());
	if (!proc.pid) {
		/* It must not survive a killed test. */
		exec_with_output(argv, proc.out);
	}
	return proc;
}

static bool has_ended(const struct proc *proc)
{
	siginfo_t info = { 0 };

	MUST(waitid(P_PID, proc->pid, &info, WEXITED | WNOHANG | WNOWAIT));
	return info.si_pid;
}

bool proc_waits_in(const struct proc *proc, long nr)
{
	char path[64], text[64];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", proc->pid);
	for (;;) {
		if (has_ended(proc))
			return false;
		fd = MUST(open(path, O_RDONLY));
		len = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[len < 0 ? 0 : len] = 0;
		/* The file has "running" otherwise. */
		if (len > 0 && text[0] != 'r' && atol(text) == nr)
			return true;
		dxs_sleep_ms(5);
	}
}

bool proc_ends(struct proc *proc, int seconds, int *status, char *out,
	       size_t size)
{
	struct dxs_watch begin = dxs_watch();

	while (!has_ended(proc)) {
		if (dxs_watched(&begin) > seconds * dxs_slow())
			return false;
		dxs_sleep_ms(10);
	}
	MUST(waitpid(proc->pid, status, 0));
	*status = status_of(*status);
	read_output(proc->out, out, size);
	return true;
}

int proc_end(struct proc *proc, char *out, size_t size)
{
	int status;

	if (!proc_ends(proc, 60, &status, out, size)) {
		kill(proc->pid, SIGKILL);
		dxs_bail("the command does not end");
	}
	return status;
}

static bool names_the_stack(pid_t pid, unsigned long address)
{
	char text[6];
	struct iovec local = { text, sizeof(text) };
	struct iovec remote = { (void *)address, sizeof(text) };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) ==
		sizeof(text) && !memcmp(text, "stack/", sizeof(text));
}

/* Return: whether the program is about to make a call. */
static bool get_call(struct call *call)
{
	struct __ptrace_syscall_info info;
	int i;

	MUST(ptrace(PTRACE_GET_SYSCALL_INFO, call->pid, sizeof(info), &info));
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	call->nr = info.entry.nr;
	for (i = 0; i < 6; i++)
		call->args[i] = info.entry.args[i];
	return true;
}

int traced(char *out, size_t size, const char *const argv[],
	   void (*hook)(const struct call *call, void *data), void *data)
{
	struct proc proc = { .out = output() };
	struct call call = { 0 };
	bool on_stack = false;
	int status, sig;

	fflush(stdout);
	proc.pid = MUST(fork());
	if (!proc.pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		exec_with_output(argv, proc.out);
	}
	call.pid = proc.pid;
	MUST(waitpid(proc.pid, &status, 0));
	MUST(ptrace(PTRACE_SETOPTIONS, proc.pid, 0,
		    PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL |
		    PTRACE_O_TRACEEXEC));
	for (sig = 0;;) {
		MUST(ptrace(PTRACE_SYSCALL, proc.pid, 0, sig));
		MUST(waitpid(proc.pid, &status, 0));
		if (!WIFSTOPPED(status))
			break;
		sig = WSTOPSIG(status);
		if (sig == SIGTRAP)
			sig = 0;
		if (sig != (SIGTRAP | 0x80))
			continue;
		sig = 0;
		if (!get_call(&call))
			continue;
		on_stack |= call.nr == SYS_openat &&
			names_the_stack(call.pid, call.args[1]);
		if (!on_stack)
			continue;
		hook(&call, data);
		call.count++;
	}
	read_output(proc.out, out, size);
	return status_of(status);
}
