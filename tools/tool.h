/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the command daxstack share.
 */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <sys/stat.h>

/* Exit statuses. With several files the highest wins. */
enum tool_status {
	TOOL_OK = 0,
	TOOL_BUSY = 1,		/* refused, but worth trying again */
	TOOL_FAILED = 2,	/* refused for good, or not opened */
	TOOL_USAGE = 64,	/* EX_USAGE */
	TOOL_WRITE = 74,	/* EX_IOERR: stdout could not be written */
};

/**
 * struct tool_command - a subcommand
 * @name: what is typed
 * @title: how it names itself in messages, "daxstack NAME"
 * @help: the answer to --help
 * @run: does it; argv[0] is @title, returns an enum tool_status
 */
struct tool_command {
	const char *name;
	char *title;
	const char *help;
	int (*run)(int argc, char **argv);
};

extern const struct tool_command set_command;
extern const struct tool_command status_command;

int tool_try_help(const char *title);
int tool_usage_error(const char *title, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int tool_help(const struct tool_command *cmd);

static inline int tool_worse(int a, int b)
{
	return a > b ? a : b;
}

int file_open(const char *path, struct stat *st, const char **why);
bool file_is_regular(const struct stat *st);
const char *mode_name(unsigned int mode);
const char *reason_text(unsigned int reason);

char *elsewhere(int fd);

#endif /* TOOL_H */
