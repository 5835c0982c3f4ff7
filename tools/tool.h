/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the command daxstack share.
 */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stddef.h>

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
 * @summary: what it does, for the list of commands: a line of up to 68 columns,
 *	that begins in lower case and ends without a stop
 * @help: the answer to --help
 * @run: does it; argv[0] is @title, returns an enum tool_status
 */
struct tool_command {
	const char *name;
	char *title;
	const char *summary;
	const char *help;
	int (*run)(int argc, char **argv);
};

extern const struct tool_command lower_command;
extern const struct tool_command restore_command;
extern const struct tool_command save_command;
extern const struct tool_command set_command;
extern const struct tool_command status_command;
extern const struct tool_command who_command;
extern const struct tool_command list_command;
extern const struct tool_command why_command;
extern const struct tool_command help_command;

const struct tool_command *tool_find(const char *name);
int tool_general_help(void);

int tool_try_help(const char *title);
int tool_usage_error(const char *title, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int tool_bad_option(const char *title, char **argv);
int tool_help(const struct tool_command *cmd);

static inline int tool_worse(int a, int b)
{
	return a > b ? a : b;
}

const char *mode_name(unsigned int mode);
const char *reason_text(unsigned int reason);
const char *reason_name(unsigned int reason);
unsigned int reason_by_name(const char *name);
int reason_error(unsigned int reason);
int reason_status(unsigned int reason);
const char *reason_remedy(unsigned int reason);

const char *name_shown(const char *name);
char *name_cell(const char *name, size_t *width);
char *name_utf8(const char *name, bool *exact);
char *name_hex(const char *name);
size_t name_utf8_len(const char *s);

/* What a refusal by a lease is called: the kernel has no reason for it. */
#define LEASE_TEXT	"another process holds a lease on the file"
#define LEASE_REMEDY	"wait until it is given up, with 'daxstack set -t SECONDS'"
#define NO_PROC_TEXT	"cannot be opened safely: /proc is not mounted"

void descriptors_keep(void);

void signals_catch(void);
bool signals_ended(void);
void signals_raise(void);

char *elsewhere(int fd);

#endif /* TOOL_H */
