// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack save: list the modes of files, for daxstack restore.
 *
 * The list has FS_XFLAG_DAX, the mode in which a file is loaded next, so a lower
 * filesystem without daxstack can be listed as well.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daxstack.h"
#include "modes.h"
#include "set.h"
#include "tool.h"

static const char save_help[] =
"Usage: daxstack save [OPTION]... PATH... > LIST\n"
"\n"
"Print a list of the modes of files and of the flags of directories, for\n"
"'daxstack restore': cp, rsync and tar do not preserve them. A PATH may be on a\n"
"daxstack mount, or on ext4 or XFS alone. The mode listed is the one in which the\n"
"file is loaded next (FS_XFLAG_DAX).\n"
"\n"
"  -R, --recursive       also everything below each PATH that is a directory, on\n"
"                        the same filesystem. Symbolic links are not followed\n"
"  -C, --directory DIR   look up PATHs in DIR [the working directory]\n"
"  -P, --absolute-names  keep names as they are; otherwise leading slashes of a\n"
"                        PATH are removed, and '..' in it is refused\n"
"  -h, --help            show this\n"
"\n"
"Exit status, the highest that applies:\n"
"  0   everything is listed\n"
"  1   a file is not listed for a reason that may pass: try again\n"
"  2   a file is not listed, or a directory only in part\n"
"  64  wrong usage\n"
"  74  writing to standard output failed\n"
"\n"
"Example: a copy, with its modes\n"
"  daxstack save -C /mnt/x -R db > db.modes\n"
"  cp -a /mnt/x/db /mnt/y\n"
"  daxstack restore -C /mnt/y db.modes\n";

/**
 * struct saver - state of the command
 * @resolver: where to look up operands
 * @recursive: also list everything below them
 * @cut: a warning about removed slashes was printed
 * @status: the worst status so far
 */
struct saver {
	struct resolver resolver;
	bool recursive;
	bool cut;
	int status;
};

static void failed(struct saver *saver, const char *path, const char *why,
		   int status)
{
	warnx("%s: %s", name_shown(path), why);
	saver->status = tool_worse(saver->status, status);
}

static const char *without_front(const struct saver *saver, const char *path)
{
	const char *name = path;

	if (saver->resolver.anywhere)
		return path;
	name += strspn(name, "/");
	while (!strncmp(name, "./", 2)) {
		name += 2;
		name += strspn(name, "/");
	}
	return *name ? name : ".";
}

/* Return: the file opened for reading, or -1. */
static int save_file(struct saver *saver, const char *path, int look,
		     const struct file_id *id)
{
	struct mode_entry entry = {
		.directory = S_ISDIR(id->mode),
		.name = without_front(saver, path),
	};
	struct fsxattr fsx;
	int fd;

	/* Do not break leases of other processes. */
	fd = S_ISREG(id->mode) && file_is_leased(id) ? -EWOULDBLOCK :
						       file_open(look, id);
	if (fd == -EWOULDBLOCK) {
		failed(saver, path, LEASE_TEXT, TOOL_BUSY);
		return -1;
	}
	if (fd < 0) {
		failed(saver, path,
		       fd == -ENOSYS ? NO_PROC_TEXT : strerror(-fd),
		       TOOL_FAILED);
		return -1;
	}
	if (ioctl(fd, FS_IOC_FSGETXATTR, &fsx) < 0) {
		failed(saver, path, errno == ENOTTY || errno == EOPNOTSUPP ?
		       "the filesystem does not support modes of files" :
		       strerror(errno), TOOL_FAILED);
		return fd;
	}
	entry.mode = fsx.fsx_xflags & FS_XFLAG_DAX ? DAXSTACK_DAX :
						     DAXSTACK_CACHED;
	modes_put(&entry);
	return fd;
}

static int save_entry(struct walk *walk, int dir, const char *name,
		      unsigned char type)
{
	struct saver *saver = walk_data(walk);
	struct file_id id;
	int look, fd = -1;

	if (type != DT_REG && type != DT_DIR && type != DT_UNKNOWN)
		return -1;
	look = file_look(dir, name, O_NOFOLLOW, &id);
	/* The file was removed after its name was read. */
	if (look == -ENOENT)
		return -1;
	if (look < 0) {
		failed(saver, walk_path(walk), strerror(-look), TOOL_FAILED);
		return -1;
	}
	if (walk_may_enter(walk, &id) && file_has_ioctls(&id))
		fd = save_file(saver, walk_path(walk), look, &id);
	close(look);
	if (fd >= 0 && !S_ISDIR(id.mode)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void save_lost(struct walk *walk, const char *why)
{
	failed(walk_data(walk), walk_path(walk), why, TOOL_FAILED);
}

static void say_cut(struct saver *saver)
{
	if (saver->cut)
		return;
	warnx("leading slashes of names are removed: restore with -C /");
	saver->cut = true;
}

static void save_operand(struct saver *saver, const char *path)
{
	static const struct walk_ops ops = {
		.entry = save_entry,
		.lost = save_lost,
	};
	const char *why;
	struct file_id id;
	int look, fd;

	/* Refuse now what restore would refuse. */
	if (*path == '/' && !saver->resolver.anywhere)
		say_cut(saver);
	why = resolver_forbids(&saver->resolver, path + strspn(path, "/"));
	if (why || !*path) {
		failed(saver, path, why ?: strerror(ENOENT), TOOL_FAILED);
		return;
	}
	look = resolver_look(&saver->resolver, path, &id);
	if (look < 0) {
		failed(saver, path, resolver_error(-look), TOOL_FAILED);
		return;
	}
	if (!file_has_ioctls(&id)) {
		failed(saver, path, reason_text(DAXSTACK_REASON_NOT_REGULAR),
		       TOOL_FAILED);
		close(look);
		return;
	}
	fd = save_file(saver, path, look, &id);
	close(look);
	if (fd >= 0 && saver->recursive && S_ISDIR(id.mode))
		walk_tree(&ops, saver, path, fd);
	else if (fd >= 0)
		close(fd);
}

static int save_paths(struct saver *saver, char *const *paths,
		      const char *root)
{
	if (!resolver_open(&saver->resolver, root))
		return TOOL_FAILED;
	signals_catch();
	modes_put_header();
	while (*paths && !signals_ended())
		save_operand(saver, *paths++);
	/* After an interruption, the missing last line marks the list as incomplete. */
	if (!signals_ended())
		modes_put_end();
	resolver_close(&saver->resolver);
	return saver->status;
}

static int save_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "recursive", no_argument, NULL, 'R' },
		{ "directory", required_argument, NULL, 'C' },
		{ "absolute-names", no_argument, NULL, 'P' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct saver saver = { .status = TOOL_OK };
	const char *root = ".";
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "RC:Ph", options, NULL)) != -1) {
		switch (c) {
		case 'R':
			saver.recursive = true;
			break;
		case 'C':
			root = optarg;
			break;
		case 'P':
			saver.resolver.anywhere = true;
			break;
		case 'h':
			return tool_help(&save_command);
		default:
			return tool_bad_option(argv[0], argv);
		}
	}
	if (optind == argc)
		return tool_usage_error(argv[0], "PATH missing");
	return save_paths(&saver, argv + optind, root);
}

const struct tool_command save_command = {
	.name = "save",
	.summary = "print the modes of files and trees, to restore them",
	.title = "daxstack save",
	.help = save_help,
	.run = save_run,
};
