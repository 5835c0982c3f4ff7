// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack restore: bring files to the modes that daxstack save listed.
 *
 * The tree may belong to users who put links into it, and root restores it. So
 * names are looked up below one directory, without symbolic links; and a file
 * that has other names as well is left alone where somebody else than its owner
 * may have put this one there.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daxstack.h"
#include "modes.h"
#include "set.h"
#include "tool.h"

static const char restore_help[] =
"Usage: daxstack restore [OPTION]... [LIST]\n"
"\n"
"Bring files to the modes, and the flags of directories to what they were, when\n"
"'daxstack save' printed LIST. Without LIST, or if it is -, standard input is\n"
"read. Files that are in their mode already are left alone; those that are not\n"
"there any more are told of, and the rest is done. Ends with a summary, as\n"
"'daxstack set --recursive'.\n"
"\n"
"No symbolic link is followed, and nothing that is mounted in the tree entered.\n"
"\n"
"  -C, --directory DIR        names are in DIR [the working directory]\n"
"  -P, --absolute-names       take names that begin with a slash, or have '..' in\n"
"                             them, as well\n"
"  -H, --hard-links           switch files that have several names as well where\n"
"                             others than their owner, root and the caller may\n"
"                             change the directory\n"
"  -t, --timeout SECONDS|inf  as of 'daxstack set', for each file [0]\n"
"  -n, --dry-run              tell what would be done and what would be refused;\n"
"                             change nothing\n"
"  -J, --json                 print JSON, an object for each file\n"
"  -q, --quiet                do not complain about files, only set the exit\n"
"                             status; no summary\n"
"  -v, --verbose              say what was done\n"
"  -h, --help                 show this\n"
"\n"
"Exit status, the highest that applies:\n"
"  0   everything is as listed, or will be when it is next loaded\n"
"  1   a file was refused for a reason that may pass: try again\n"
"  2   a file was refused for a lasting reason, or is not there; or LIST could\n"
"      not be read, or not to its end\n"
"  64  wrong usage, nothing was done\n"
"  74  writing to standard output failed\n"
"\n"
"Example: a copy, with its modes\n"
"  daxstack save -C /mnt/x -R db > db.modes\n"
"  cp -a /mnt/x/db /mnt/y\n"
"  daxstack restore -C /mnt/y db.modes\n";

#define HARD_LINK_TEXT							\
	"it has other names, and others than its owner may change the"	\
	" directory (see --hard-links)"

/**
 * struct restore - what is done
 * @opt: the command line
 * @beneath: where the names are
 * @hard_links: files with several names, too
 * @list: is read
 * @list_name: what it is called
 * @line_nr: of the line at hand
 * @whole: its last line was seen
 * @tally: what came of it
 * @status: the worst so far
 */
struct restore {
	struct set_options opt;
	struct beneath beneath;
	bool hard_links;
	FILE *list;
	const char *list_name;
	unsigned long line_nr;
	bool whole;
	struct tally tally;
	int status;
};

static void list_wrong(struct restore *restore, const char *why)
{
	if (!restore->opt.quiet) {
		progress_hide(stderr);
		warnx("%s: line %lu: %s", name_shown(restore->list_name),
		      restore->line_nr, why);
	}
	restore->status = tool_worse(restore->status, TOOL_FAILED);
}

/*
 * Could somebody have put the name of another's file there? Who owns neither
 * the file nor a directory that only its owner may change cannot.
 */
static bool is_put_there(const struct restore *restore,
			 const struct file_id *id)
{
	const struct file_id *dir = &restore->beneath.dir_id;

	if (!S_ISREG(id->mode) || id->links < 2 || restore->hard_links)
		return false;
	return dir->mode & 0022 ||
		(dir->uid && dir->uid != id->uid && dir->uid != geteuid());
}

static const char *forbids(const struct restore *restore, int look,
			   const struct file_id *id, bool directory)
{
	const char *why = file_foreign(look, id);

	if (why)
		return why;
	if (!file_has_ioctls(id))
		return reason_text(DAXSTACK_REASON_NOT_REGULAR);
	if (!S_ISDIR(id->mode) == directory)
		return directory ? "it was a directory, and is a file" :
				   "it was a file, and is a directory";
	if (is_put_there(restore, id))
		return HARD_LINK_TEXT;
	return NULL;
}

static struct set_result restore_entry(struct restore *restore,
				       const struct mode_entry *entry)
{
	const struct set_options *opt = &restore->opt;
	struct set_result result;
	struct file_id id;
	const char *why = beneath_forbids(&restore->beneath, entry->name);
	int look;

	if (why)
		return apply_failed(opt, entry->name, why, 0);
	look = beneath_look(&restore->beneath, entry->name, &id);
	if (look < 0)
		return apply_failed(opt, entry->name, beneath_why(-look),
				    -look);
	why = forbids(restore, look, &id, entry->directory);
	if (why)
		result = apply_failed(opt, entry->name, why, 0);
	else
		result = apply(opt, entry->name, look, &id, NULL);
	close(look);
	return result;
}

static void restore_line(struct restore *restore, char *line)
{
	struct mode_entry entry;
	struct set_result result;

	switch (modes_parse(line, &entry)) {
	case MODES_ENTRY:
		restore->opt.mode = entry.mode;
		result = restore_entry(restore, &entry);
		report(&restore->opt, entry.name, &result);
		tally_add(&restore->tally, &result);
		restore->status = tool_worse(restore->status, result.status);
		progress_step(result.outcome == SET_REFUSED);
		break;
	case MODES_END:
		restore->whole = true;
		break;
	case MODES_COMMENT:
		break;
	case MODES_WRONG:
		list_wrong(restore, "neither an entry nor a comment");
		break;
	}
}

/* Return: the next line, without its end; NULL if there is none. */
static char *read_line(struct restore *restore, char **buf, size_t *size)
{
	ssize_t len = getline(buf, size, restore->list);

	/* A signal may have cut the line. */
	if (signals_ended() || len < 0)
		return NULL;
	restore->line_nr++;
	if (len && (*buf)[len - 1] == '\n')
		(*buf)[--len] = 0;
	/* No name is empty: so this is no entry. */
	if (strlen(*buf) != (size_t)len)
		**buf = '?';
	return *buf;
}

/* The list once before, for the progress to know how long it is. */
static void count_lines(FILE *list)
{
	long start = ftell(list);
	int c;

	if (start < 0)
		return;
	while ((c = getc(list)) != EOF)
		if (c == '\n')
			progress_step(false);
	fseek(list, start, SEEK_SET);
	progress_counted();
}

static void restore_lines(struct restore *restore)
{
	char *buf = NULL, *line;
	const char *why;
	size_t size = 0;

	line = read_line(restore, &buf, &size);
	why = line ? modes_check_header(line) : "not a list of modes: it is empty";
	if (why && !signals_ended())
		list_wrong(restore, why);
	while (!why && (line = read_line(restore, &buf, &size)))
		restore_line(restore, line);
	if (ferror(restore->list) && !signals_ended())
		list_wrong(restore, strerror(errno));
	else if (!why && !restore->whole && !signals_ended())
		list_wrong(restore, "the list ends without '# end': it may have been cut off");
	free(buf);
}

static int run(struct restore *restore, const char *root)
{
	if (!beneath_open(&restore->beneath, root))
		return TOOL_FAILED;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signals_catch();
	if (!restore->opt.quiet && progress_begin())
		count_lines(restore->list);
	report_begin(&restore->opt);
	restore_lines(restore);
	progress_end();
	report_end(&restore->opt);
	if (!restore->opt.quiet && !restore->opt.json) {
		tally_print(&restore->tally, &restore->opt);
		if (signals_ended())
			puts("interrupted: the rest was not tried");
	}
	tally_free(&restore->tally);
	beneath_close(&restore->beneath);
	return restore->status;
}

static int run_list(struct restore *restore, const char *root)
{
	int status;

	restore->list = strcmp(restore->list_name, "-") ?
		fopen(restore->list_name, "re") : stdin;
	if (!restore->list) {
		warn("%s", name_shown(restore->list_name));
		return TOOL_FAILED;
	}
	status = run(restore, root);
	if (restore->list != stdin)
		fclose(restore->list);
	return status;
}

static int restore_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "directory", required_argument, NULL, 'C' },
		{ "absolute-names", no_argument, NULL, 'P' },
		{ "hard-links", no_argument, NULL, 'H' },
		{ "timeout", required_argument, NULL, 't' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'J' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	/* Of many files, where else the lower filesystem is, is not told for each. */
	struct restore restore = {
		.opt = { .restores = true, .recursive = true },
		.list_name = "-",
		.status = TOOL_OK,
	};
	struct set_options *opt = &restore.opt;
	const char *root = ".";
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "C:PHt:nJqvh", options,
				NULL)) != -1) {
		switch (c) {
		case 'C':
			root = optarg;
			break;
		case 'P':
			restore.beneath.anywhere = true;
			break;
		case 'H':
			restore.hard_links = true;
			break;
		case 't':
			if (!set_timeout(opt, argv[0], optarg))
				return TOOL_USAGE;
			break;
		case 'n':
			opt->dry_run = true;
			break;
		case 'J':
			opt->json = true;
			break;
		case 'q':
			opt->quiet = true;
			break;
		case 'v':
			opt->verbose = true;
			break;
		case 'h':
			return tool_help(&restore_command);
		default:
			return tool_bad_option(argv[0], argv);
		}
	}
	if (argc - optind > 1)
		return tool_usage_error(argv[0], "more than one LIST");
	if (set_check(opt, argv[0]))
		return TOOL_USAGE;
	if (optind < argc)
		restore.list_name = argv[optind];
	return run_list(&restore, root);
}

const struct tool_command restore_command = {
	.name = "restore",
	.summary = "switch files to the modes that save has printed",
	.title = "daxstack restore",
	.help = restore_help,
	.run = restore_run,
};
