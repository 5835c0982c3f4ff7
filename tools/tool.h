/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by all subcommands of daxstack. */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Exit statuses. With several files the highest counts. */
enum tool_status {
	TOOL_OK = 0,
	TOOL_BUSY = 1,		/* refused, may succeed later */
	TOOL_FAILED = 2,	/* refused permanently, or not opened */
	TOOL_USAGE = 64,	/* EX_USAGE */
	TOOL_WRITE = 74,	/* EX_IOERR: writing to stdout failed */
};

/**
 * struct tool_command - a subcommand
 * @name: name on the command line
 * @title: name in messages, "daxstack NAME"
 * @summary: description for the list of commands: a line of up to 68 columns, that
 *   begins in lower case and ends without a full stop
 * @help: text of --help
 * @run: runs it; argv[0] is @title, returns an enum tool_status
 */
struct tool_command {
	const char *name;
	char *title;
	const char *summary;
	const char *help;
	int (*run)(int argc, char **argv);
};

extern const struct tool_command auto_command;
extern const struct tool_command calibrate_command;
extern const struct tool_command lower_command;
extern const struct tool_command record_command;
extern const struct tool_command restore_command;
extern const struct tool_command save_command;
extern const struct tool_command simulate_command;
extern const struct tool_command set_command;
extern const struct tool_command status_command;
extern const struct tool_command top_command;
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
bool tool_seconds(const char *text, double most, double *seconds);

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

/* Texts for refusals that the kernel has no reason for. */
#define LEASE_TEXT	"another process holds a lease on the file"
#define LEASE_REMEDY	"wait until it is released, with 'daxstack set -t SECONDS'"
#define NO_PROC_TEXT	"cannot be opened safely: /proc is not mounted"

void descriptors_keep(void);

void signals_catch(void);
bool signals_ended(void);
void signals_raise(void);

char *lower_mounts_of(int fd);
char *lower_mounts(dev_t dev);

#endif /* TOOL_H */
