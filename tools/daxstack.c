// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack: switch files of a daxstack mount between DAX and the page cache, and show
 * their modes. This file: dispatch of subcommands, help, exit.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>

#include "tool.h"

static const char title[] = "daxstack";

static const struct tool_command *const commands[] = {
	&set_command,
	&status_command,
	&save_command,
	&restore_command,
	&lower_command,
	&who_command,
	&list_command,
	&why_command,
	&calibrate_command,
	&top_command,
	&record_command,
	&simulate_command,
	&auto_command,
	&help_command,
	NULL
};

static const char usage[] =
"Usage: daxstack COMMAND [OPTION]... [ARGUMENT]...\n"
"       daxstack --help | --version\n"
"\n"
"Switch files of a daxstack mount between DAX and the page cache while they are\n"
"in use, and show which file is in which mode, and why.\n"
"\n"
"Commands:\n";

static const char after_commands[] =
"\n"
"'daxstack COMMAND --help' shows the options, their units, and the exit statuses;\n"
"'daxstack help COMMAND' shows the manual page.\n"
"\n"
"Example:\n"
"  daxstack set -v dax /mnt/x/log && daxstack status /mnt/x/log\n";

/**
 * tool_try_help - after a usage error, print where to find help
 * @title: name of the command
 *
 * Return: the exit status.
 */
int tool_try_help(const char *title)
{
	fprintf(stderr, "Try '%s --help'.\n", title);
	return TOOL_USAGE;
}

/**
 * tool_usage_error - report an error in the command line
 * @title: name of the command
 * @fmt: as for printf, without a newline
 *
 * Return: the exit status.
 */
int tool_usage_error(const char *title, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", title);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	putc('\n', stderr);
	return tool_try_help(title);
}

/* Is the option that getopt_long() rejected a long one? */
static bool is_long(char **argv)
{
	const char *rest = argv[optind];

	/* getopt_long() leaves optopt 0 for an unknown long option. */
	if (!optopt)
		return true;
	if (strncmp(argv[optind - 1], "--", 2))
		return false;
	/* After it has rejected the x of "-xR", optind is still at that word. */
	if (rest && rest[0] == '-' && rest[1] != '-')
		rest = strchr(rest, optopt);
	else
		rest = NULL;
	return !rest || !rest[1];
}

/**
 * tool_bad_option - report an invalid option after getopt_long() returned '?'
 * @title: name of the command
 * @argv: its arguments
 *
 * getopt_long() itself (opterr) would print the option unescaped.
 *
 * Return: the exit status.
 */
int tool_bad_option(const char *title, char **argv)
{
	const char short_name[] = { optopt, 0 };

	if (is_long(argv))
		return tool_usage_error(title, "'%s' is not an option, or lacks its value",
					name_shown(argv[optind - 1]));
	return tool_usage_error(title, "'-%s' is not an option, or lacks its value",
				name_shown(short_name));
}

/**
 * tool_help - print the --help text of a subcommand
 * @cmd: the subcommand
 *
 * Return: the exit status.
 */
int tool_help(const struct tool_command *cmd)
{
	fputs(cmd->help, stdout);
	return TOOL_OK;
}

/**
 * tool_general_help - list the commands
 *
 * Return: the exit status.
 */
int tool_general_help(void)
{
	const struct tool_command *const *cmd;

	fputs(usage, stdout);
	for (cmd = commands; *cmd; cmd++)
		printf("  %-9s %s\n", (*cmd)->name,
		       (*cmd)->summary ?: "");
	fputs(after_commands, stdout);
	return TOOL_OK;
}

/**
 * tool_find - find a subcommand by its name
 * @name: from the command line
 *
 * Return: NULL if there is none.
 */
const struct tool_command *tool_find(const char *name)
{
	const struct tool_command *const *cmd;

	for (cmd = commands; *cmd; cmd++)
		if (!strcmp(name, (*cmd)->name))
			break;
	return *cmd;
}

static int run(int argc, char **argv)
{
	const struct tool_command *cmd;

	if (argc < 2)
		return tool_usage_error(title, "command missing");
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return tool_general_help();
	if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")) {
		puts("daxstack " VERSION);
		return TOOL_OK;
	}
	cmd = tool_find(argv[1]);
	if (cmd) {
		argv[1] = cmd->title;
		return cmd->run(argc - 1, argv + 1);
	}
	return tool_usage_error(title, "'%s' is not %s", name_shown(argv[1]),
				*argv[1] == '-' ? "an option" : "a command");
}

/*
 * A full disk shows only when the last buffer is written. A stdout that was closed from
 * the start is no error if there is nothing to write.
 */
static int close_stdout(int status)
{
	bool pending = __fpending(stdout) > 0;
	bool failed = ferror(stdout);

	errno = 0;
	if (fclose(stdout) && (pending || errno != EBADF))
		failed = true;
	if (!failed)
		return status;
	if (errno)
		warn("write error");
	else
		warnx("write error");
	return tool_worse(status, TOOL_WRITE);
}

int main(int argc, char **argv)
{
	int status;

	descriptors_keep();
	setlocale(LC_ALL, "");
	status = close_stdout(run(argc, argv));
	signals_raise();
	return status;
}
