// SPDX-License-Identifier: GPL-2.0-only
/* daxstack why: show why a switch of a file would be refused, and the remedy. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/capability.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "daxstack.h"
#include "file.h"
#include "json.h"
#include "stacks.h"
#include "tool.h"

static const char why_help[] =
"Usage: daxstack why [OPTION]... FILE...\n"
"\n"
"Show for each FILE its mode, why a switch to the other mode would be refused,\n"
"and what to do about it. Nothing is changed. For a directory, show what would\n"
"refuse switches of all files of its mount.\n"
"\n"
"Reasons that only an attempt finds (pinned pages, I/O calls and writeback that\n"
"take long) are not shown: see 'daxstack set -t'.\n"
"\n"
"  -J, --json  JSON: an array \"files\" of objects with file, mode, to, reason,\n"
"              reason_name, remedy, may_pass and elsewhere\n"
"  -h, --help  show this\n"
"\n"
"Exit status, the highest that applies:\n"
"  0   no switch would be refused\n"
"  1   a switch would be refused for a reason that may pass\n"
"  2   a switch would be refused permanently, or a FILE could not be examined\n"
"  64  wrong usage\n"
"  74  writing to standard output failed\n"
"\n"
"Example:\n"
"  daxstack why /mnt/x/log || daxstack who /mnt/x/log\n";

/**
 * struct answer - the answer for a file
 * @path: name of the file
 * @mode: current mode; NULL: a directory
 * @to: the other mode; NULL: a directory
 * @reason: why a switch would be refused, in words; NULL: it would not
 * @name: name of the reason in daxstack.h, NULL: none
 * @remedy: what to do about it, NULL: nothing
 * @elsewhere: other mounts of the lower filesystem
 * @error: errno of the reason
 * @status: enum tool_status
 */
struct answer {
	const char *path;
	const char *mode;
	const char *to;
	const char *reason;
	const char *name;
	const char *remedy;
	char *elsewhere;
	int error;
	int status;
};

/**
 * struct why - state of the command
 * @files: JSON; NULL: print text
 * @stacks: all daxstack filesystems
 * @nr_stacks: number of @stacks
 */
struct why {
	json_t *files;
	struct stack *stacks;
	size_t nr_stacks;
};

/* --- Reasons that the kernel only finds by an attempt. */

static bool may_act_for_owners(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return !syscall(SYS_capget, &head, data) &&
		data[0].effective & (1u << CAP_FOWNER);
}

/* Linux 6.2 allows dax mode for files that share blocks. */
static bool kernel_refuses_reflinks(void)
{
	unsigned int major, minor;
	struct utsname name;

	return !uname(&name) &&
		sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
		(major < 6 || (major == 6 && minor < 2));
}

#define EXTENTS	64

static bool shares_blocks(int fd)
{
	struct {
		struct fiemap head;
		struct fiemap_extent extents[EXTENTS];
	} map = { .head.fm_length = FIEMAP_MAX_OFFSET };
	struct fiemap_extent *last;
	unsigned int i;

	do {
		map.head.fm_length = FIEMAP_MAX_OFFSET - map.head.fm_start;
		map.head.fm_extent_count = EXTENTS;
		map.head.fm_mapped_extents = 0;
		if (ioctl(fd, FS_IOC_FIEMAP, &map.head) < 0 ||
		    !map.head.fm_mapped_extents)
			return false;
		for (i = 0; i < map.head.fm_mapped_extents; i++)
			if (map.extents[i].fe_flags & FIEMAP_EXTENT_SHARED)
				return true;
		last = &map.extents[i - 1];
		map.head.fm_start = last->fe_logical + last->fe_length;
	} while (!(last->fe_flags & FIEMAP_EXTENT_LAST));
	return false;
}

/* Older modules do not distinguish it from other refusals. */
static unsigned int reflink_reason(void)
{
	unsigned int reason = reason_by_name("REFLINK");

	return reason < DAXSTACK_REASON_COUNT ? reason :
						DAXSTACK_REASON_LOWER_SAYS_NO;
}

static bool lower_is(const struct why *why, const struct stat *st,
		     const char *type)
{
	char value[16];

	return stack_text(stacks_find(why->stacks, why->nr_stacks, st->st_dev),
			  "lower_type", value, sizeof(value)) &&
		!strcmp(value, type);
}

static bool is_immutable(int fd)
{
	int flags;

	return !ioctl(fd, FS_IOC_GETFLAGS, &flags) && flags & FS_IMMUTABLE_FL;
}

/* In the kernel's order of checks: owner, then the reason in @state, then the rest. */
static unsigned int reason_of(const struct why *why, int fd,
			      const struct daxstack_state *state)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return state->reason;
	if (st.st_uid != geteuid() && !may_act_for_owners())
		return DAXSTACK_REASON_NOT_OWNER;
	if (state->reason)
		return state->reason;
	if (is_immutable(fd) && lower_is(why, &st, "ext4"))
		return DAXSTACK_REASON_IMMUTABLE;
	if (state->mode == DAXSTACK_CACHED && kernel_refuses_reflinks() &&
	    lower_is(why, &st, "xfs") && shares_blocks(fd))
		return reflink_reason();
	return DAXSTACK_REASON_NONE;
}

/* --- Output. */

static void print_answer(const struct answer *answer)
{
	fputs(name_shown(answer->path), stdout);
	if (answer->mode)
		printf(": %s, to %s: ", answer->mode, answer->to);
	else
		printf(": directory, files of this mount: ");
	if (!answer->reason) {
		puts("a switch would be attempted");
		return;
	}
	printf("refused: %s (%s)\n", answer->reason, strerror(answer->error));
	if (answer->elsewhere)
		printf("  the lower filesystem is mounted on %s\n",
		       name_shown(answer->elsewhere));
	printf("  remedy: %s\n", answer->remedy ?: "none");
}

static void add_answer(json_t *files, const struct answer *answer)
{
	json_t *object = add_json_object(files);

	put_json_name(object, "file", answer->path);
	put_json(object, "mode", json_text(answer->mode));
	put_json(object, "to", json_text(answer->to));
	put_json(object, "reason", json_text(answer->reason));
	put_json(object, "reason_name", json_text(answer->name));
	put_json(object, "remedy", json_text(answer->remedy));
	put_json(object, "may_pass", answer->reason ?
		 json_boolean(answer->status == TOOL_BUSY) : json_null());
	put_json_name(object, "elsewhere", answer->elsewhere);
}

static void answer_with(const struct why *why, struct answer *answer, int fd,
			unsigned int reason)
{
	if (reason) {
		answer->reason = reason_text(reason);
		answer->name = reason_name(reason);
		answer->remedy = reason_remedy(reason);
		answer->error = reason_error(reason);
		answer->status = reason_status(reason);
	}
	if (reason == DAXSTACK_REASON_LOWER_SHARED)
		answer->elsewhere = lower_mounts_of(fd);
	if (why->files)
		add_answer(why->files, answer);
	else
		print_answer(answer);
	free(answer->elsewhere);
}

/* --- Files. */

static int tell_file(const struct why *why, struct answer *answer, int fd)
{
	struct daxstack_state state;

	if (ioctl(fd, DAXSTACK_IOC_STATE, &state) < 0)
		return -errno;
	answer->mode = mode_name(state.mode);
	answer->to = mode_name(!state.mode);
	answer_with(why, answer, fd, reason_of(why, fd, &state));
	return 0;
}

static int tell_directory(const struct why *why, struct answer *answer, int fd)
{
	unsigned int reason;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	reason = stack_no_switch(stacks_find(why->stacks, why->nr_stacks,
					     st.st_dev));
	/* An older module lacks the attribute. */
	if (reason == DAXSTACK_REASON_COUNT)
		return -EOPNOTSUPP;
	answer_with(why, answer, fd, reason);
	return 0;
}

/* Opening the file would break the lease. */
static void tell_leased(const struct why *why, struct answer *answer,
			const struct file_id *id)
{
	answer->mode = mode_name(id->dax ? DAXSTACK_DAX : DAXSTACK_CACHED);
	answer->to = mode_name(id->dax ? DAXSTACK_CACHED : DAXSTACK_DAX);
	answer->reason = LEASE_TEXT;
	answer->remedy = LEASE_REMEDY;
	answer->error = EWOULDBLOCK;
	answer->status = TOOL_BUSY;
	answer_with(why, answer, -1, DAXSTACK_REASON_NONE);
}

/* Return: NULL if it was shown, else why not. */
static const char *tell_looked_at(const struct why *why, struct answer *answer,
				  int look, const struct file_id *id)
{
	const char *foreign = file_foreign(look, id);
	int fd, error;

	if (foreign)
		return foreign;
	if (!file_has_ioctls(id))
		return reason_text(DAXSTACK_REASON_NOT_REGULAR);
	fd = S_ISREG(id->mode) && file_is_leased(id) ? -EWOULDBLOCK :
						       file_open(look, id);
	if (fd == -EWOULDBLOCK) {
		tell_leased(why, answer, id);
		return NULL;
	}
	if (fd == -ENOSYS)
		return NO_PROC_TEXT;
	if (fd < 0)
		return strerror(-fd);
	error = (S_ISDIR(id->mode) ? tell_directory : tell_file)(why, answer,
								 fd);
	close(fd);
	return error ? strerror(-error) : NULL;
}

static int tell(const struct why *why, const char *path)
{
	struct answer answer = { .path = path };
	struct file_id id;
	int look = file_look(AT_FDCWD, path, 0, &id);
	const char *failed;

	if (look >= 0) {
		failed = tell_looked_at(why, &answer, look, &id);
		close(look);
	} else {
		failed = strerror(-look);
	}
	if (!failed)
		return answer.status;
	warnx("%s: %s", name_shown(path), failed);
	return TOOL_FAILED;
}

static int why_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'J' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct why why = { .files = NULL };
	int status = TOOL_OK;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "Jh", options, NULL)) != -1) {
		switch (c) {
		case 'J':
			if (!why.files)
				why.files = json_new(json_array());
			break;
		case 'h':
			return tool_help(&why_command);
		default:
			return tool_bad_option(argv[0], argv);
		}
	}
	if (optind == argc)
		return tool_usage_error(argv[0], "FILE missing");
	stacks_read(&why.stacks, &why.nr_stacks);
	while (optind < argc)
		status = tool_worse(status, tell(&why, argv[optind++]));
	if (why.files && print_json("files", why.files))
		status = tool_worse(status, TOOL_WRITE);
	json_decref(why.files);
	stacks_free(why.stacks, why.nr_stacks);
	return status;
}

const struct tool_command why_command = {
	.name = "why",
	.title = "daxstack why",
	.summary = "show why a switch would be refused, and the remedy",
	.help = why_help,
	.run = why_run,
};
