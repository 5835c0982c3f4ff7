// SPDX-License-Identifier: GPL-2.0-only
/* daxstack help: show a manual page. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

extern char **environ;

static const char help_help[] =
"Usage: daxstack help [COMMAND]\n"
"\n"
"Show the manual page of a command, daxstack-COMMAND(1). If man or the page is\n"
"missing, print what --help prints. Without COMMAND, list the commands.\n"
"\n"
"  -h, --help  show this\n"
"\n"
"Exit status:\n"
"  0   success\n"
"  64  wrong usage, for instance an unknown COMMAND\n"
"  74  writing to standard output failed\n"
"Otherwise, that of man(1).\n"
"\n"
"Example:\n"
"  daxstack help set\n";

/* Check in advance, because man prints an error if the page is missing. */
static bool has_page(const char *page)
{
	const char *const argv[] = { "man", "-w", "1", page, NULL };
	posix_spawn_file_actions_t null;
	int status = -1;
	pid_t pid;

	if (posix_spawn_file_actions_init(&null))
		return false;
	if (!posix_spawn_file_actions_addopen(&null, STDOUT_FILENO, "/dev/null",
					      O_WRONLY, 0) &&
	    !posix_spawn_file_actions_addopen(&null, STDERR_FILENO, "/dev/null",
					      O_WRONLY, 0) &&
	    !posix_spawnp(&pid, argv[0], &null, NULL, (char *const *)argv,
			  environ))
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	posix_spawn_file_actions_destroy(&null);
	return !status;
}

static int show(const struct tool_command *cmd)
{
	char option[sizeof("--help")] = "--help";
	char *argv[3] = { cmd->title, option };
	char page[64];

	snprintf(page, sizeof(page), "daxstack-%s", cmd->name);
	if (has_page(page))
		execlp("man", "man", "1", page, NULL);
	/* Make getopt_long() start over. */
	optind = 0;
	return cmd->run(2, argv);
}

static int help_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const struct tool_command *cmd;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c != 'h')
			return tool_bad_option(argv[0], argv);
		return tool_help(&help_command);
	}
	if (optind == argc)
		return tool_general_help();
	if (optind + 1 < argc)
		return tool_usage_error(argv[0], "more than one COMMAND");
	cmd = tool_find(argv[optind]);
	if (!cmd)
		return tool_usage_error(argv[0], "'%s' is not a command",
					name_shown(argv[optind]));
	return show(cmd);
}

const struct tool_command help_command = {
	.name = "help",
	.title = "daxstack help",
	.summary = "show the manual page of a command",
	.help = help_help,
	.run = help_run,
};
