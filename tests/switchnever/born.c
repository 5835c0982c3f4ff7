// SPDX-License-Identifier: GPL-2.0-only
/*
 * switchnever: inheritance, and modes after the next mount.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchnever.h"

static void touch(const char *path)
{
	close(MUST(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644)));
}

/* "inherited by all regular files and subdirectories ... created" */
void play_born(int to)
{
	unsigned int flags;
	bool told;
	int fd;

	make("other", !to);
	make_dir("tree", !to);
	make("tree/file", !to);
	MUST(mkdir("tree/sub", 0755));
	MUST(mkdir("d", 0755));
	touch("d/before");
	MUST(mkdir("d/subbefore", 0755));
	set("d", to);
	look_at("d", DAXSTACK_CACHED, to, "the directory");
	look_at("d/before", DAXSTACK_CACHED, DAXSTACK_CACHED,
		"existing file");
	look_at("d/subbefore", DAXSTACK_CACHED, DAXSTACK_CACHED,
		"existing directory");

	fd = MUST(open("d/create", O_RDWR | O_CREAT | O_EXCL, 0644));
	look(fd, to, to, "create");
	close(fd);
	look_at("d/create", to, to, "create, closed");
	MUST(mknod("d/mknod", S_IFREG | 0644, 0));
	look_at("d/mknod", to, to, "mknod");
	fd = MUST(open("d", O_RDWR | O_TMPFILE, 0644));
	look(fd, to, to, "O_TMPFILE");
	MUST(linkat(fd, "", AT_FDCWD, "d/tmpfile", AT_EMPTY_PATH));
	MUST(linkat(fd, "", AT_FDCWD, "tree/tmpfile", AT_EMPTY_PATH));
	close(fd);
	look_at("d/tmpfile", to, to, "O_TMPFILE, linked");
	look_at("tree/tmpfile", to, to, "O_TMPFILE, linked elsewhere");
	MUST(mkdir("d/sub", 0755));
	look_at("d/sub", DAXSTACK_CACHED, to, "mkdir");
	MUST(mkdir("d/sub/sub", 0755));
	look_at("d/sub/sub", DAXSTACK_CACHED, to, "mkdir, nested");
	touch("d/sub/sub/create");
	look_at("d/sub/sub/create", to, to, "create, nested");

	saw(0, DXS_RUN("cp", "other", "d/cp"), "cp");
	look_at("d/cp", to, to, "cp");
	saw(sum_of("other"), sum_of("d/cp"), "cp: bytes");
	saw(0, DXS_RUN("cp", "-a", "other", "d/cp-a"), "cp -a");
	look_at("d/cp-a", to, to, "cp -a");
	saw(0, DXS_RUN("cp", "-a", "tree", "d/"), "cp -a of a tree");
	look_at("d/tree", DAXSTACK_CACHED, to, "cp -a of a tree");
	look_at("d/tree/sub", DAXSTACK_CACHED, to, "cp -a of a tree: sub");
	look_at("d/tree/file", to, to, "cp -a of a tree: file");
	saw(sum_of("other"), sum_of("d/tree/file"), "cp -a of a tree: bytes");
	saw(0, DXS_RUN("cp", "--reflink=never", "d/cp", "other"), "cp over");
	look_at("other", !to, !to, "cp over: keeps its flag");
	saw(0, DXS_RUN("cp", "other", "/tmp/upstream"), "cp away");
	saw(0, DXS_RUN("mv", "/tmp/upstream", "d/mv"),
	    "mv from another filesystem");
	look_at("d/mv", to, to, "mv from another filesystem");
	saw(sum_of("other"), sum_of("d/mv"),
	    "mv from another filesystem: bytes");
	MUST(link("other", "d/link"));
	look_at("d/link", !to, !to, "link: keeps its flag");

	/*
	 * Neither has a mode. XFS shows the flags of a fifo through
	 * file_getattr(2), from Linux 6.17 on, but without FS_DAX_FL.
	 */
	told = dxs_on_xfs() && dxs_kernel_from(6, 17);
	MUST(mkfifo("d/fifo", 0644));
	fd = MUST(open("d/fifo", O_RDONLY | O_NONBLOCK));
	saw_errno(told ? 0 : ENOTTY, ERR(ioctl(fd, FS_IOC_GETFLAGS, &flags)),
		  "fifo");
	flags = FS_DAX_FL;
	saw_errno(told ? EINVAL : ENOTTY, ERR(ioctl(fd, FS_IOC_SETFLAGS, &flags)),
		  "fifo: SETFLAGS");
	close(fd);
	MUST(symlink("create", "d/symlink"));
	fd = MUST(open("d/symlink", O_PATH | O_NOFOLLOW));
	saw_errno(EBADF, ERR(ioctl(fd, FS_IOC_GETFLAGS, &flags)), "symlink");
	saw(DAXSTACK_CACHED, dxs_mode(fd), "symlink: mode");
	close(fd);
	look_at("d/symlink", to, to, "symlink, followed");

	set("d", !to);
	touch("d/after");
	look_at("d/after", !to, !to, "created after the directory changed");
	look_at("d/create", to, to, "created before that");
}

/* The three examples of dax.rst, word for word. */
void play_examples(int to)
{
	static const struct {
		const char *make;
		const char *flag;
		const char *more[2];
		const char *dax;
	} examples[] = {
		{ "A/a/b/c", "A/a", { "A/a/b/c/d", "A/a/e" }, "ae" },
		{ "B/a", "B/a", { "B/a/b/c/d" }, "abcd" },
		{ "C/a/b/c", "C/a/b/c", { "C/a/b/c/d" }, "cd" },
	};
	char command[128], what[16], path[PATH_MAX];
	FILE *found;
	size_t i, j;

	(void)to;
	for (i = 0; i < ARRAY_SIZE(examples); i++) {
		saw(0, DXS_RUN("mkdir", "-p", examples[i].make), "mkdir -p");
		saw(0, DXS_RUN("xfs_io", "-r", "-c", "chattr +x",
			       examples[i].flag), "chattr +x");
		for (j = 0; j < 2 && examples[i].more[j]; j++)
			saw(0, DXS_RUN("mkdir", "-p", examples[i].more[j]),
			    "mkdir");
		snprintf(command, sizeof(command),
			 "find %.1s -mindepth 1 -type d | sort",
			 examples[i].make);
		found = popen(command, "r");
		while (found && fgets(path, sizeof(path), found)) {
			size_t len = strcspn(path, "\n");

			path[len] = 0;
			snprintf(what, sizeof(what), "%c: %c", path[0],
				 path[len - 1]);
			look_at(path, DAXSTACK_CACHED,
				!!strchr(examples[i].dax, path[len - 1]), what);
		}
		if (!found || pclose(found))
			dxs_bail("cannot list the directories");
	}
}

void play_moved(int to)
{
	int fd;

	make_dir("d", to);
	make_dir("e", !to);
	make("f", !to);
	saw(0, DXS_RUN("mv", "f", "d/"), "mv");
	look_at("d/f", !to, !to, "mv: keeps its flag");
	MUST(rename("d/f", "d/g"));
	look_at("d/g", !to, !to, "rename within: keeps its flag");
	fd = MUST(open("d/g", O_RDONLY));
	MUST(rename("d/g", "f"));
	look(fd, !to, !to, "rename while open: keeps its flag");
	saw_errno(0, dxs_set_xflag(fd, to), "changed while open");
	MUST(rename("f", "e/f"));
	look(fd, !to, to, "changed and renamed while open");
	look_at("e/f", !to, to, "changed and renamed while open: opened again");
	close(fd);
	look_at("e/f", to, to, "changed and renamed while open: closed");

	/* Over an open file. */
	make("e/g", !to);
	fd = MUST(open("e/g", O_RDONLY));
	saw_errno(0, dxs_set_xflag(fd, to), "replaced while open");
	MUST(rename("e/f", "e/g"));
	look(fd, !to, to, "replaced while open");
	close(fd);
	look_at("e/g", to, to, "replaced: new file");

	touch("d/x");
	touch("e/y");
	MUST(renameat2(AT_FDCWD, "d/x", AT_FDCWD, "e/y", RENAME_EXCHANGE));
	look_at("e/y", to, to, "exchanged: one");
	look_at("d/x", !to, !to, "exchanged: the other");
	MUST(renameat2(AT_FDCWD, "d/x", AT_FDCWD, "e", RENAME_EXCHANGE));
	look_at("e", !to, !to, "exchanged with a directory: file");
	look_at("d/x", DAXSTACK_CACHED, !to, "exchanged with a directory");
	look_at("d/x/y", to, to, "exchanged with a directory: file in it");
	touch("d/x/new");
	look_at("d/x/new", !to, !to,
		"exchanged with a directory: new file in it");

	MUST(mkdir("d/sub", 0755));
	touch("d/sub/x");
	saw(0, DXS_RUN("mv", "d/sub", "d/x/"), "mv of a directory");
	look_at("d/x/sub", DAXSTACK_CACHED, to, "mv of a directory: itself");
	look_at("d/x/sub/x", to, to, "mv of a directory: file in it");
	touch("d/x/sub/y");
	look_at("d/x/sub/y", to, to, "mv of a directory: new file in it");
}

/* The root directory, restored afterwards. */
void play_root(int to)
{
	MUST(chdir(root));
	set(".", to);
	look_at(".", DAXSTACK_CACHED, to, "root");
	touch("born");
	look_at("born", to, to, "created in the root");
	MUST(unlink("born"));
	set(".", DAXSTACK_CACHED);
}

/*
 * A stored flag takes effect at the next mount, even if it never acted before.
 */
void leave_some(int to)
{
	int fd;

	make_dir("d", to);
	touch("d/born");
	make("closed", !to);
	set("closed", to);
	make("open", !to);
	fd = MUST(open("open", O_RDONLY));
	saw_errno(0, dxs_set_xflag(fd, to), "open");
	close(fd);
	make("as-it-was", !to);
	make("linked", !to);
	MUST(link("linked", "d/linked"));
	look_at("d/linked", !to, !to, "linked");
	set("linked", to);
}

void find_some(int to)
{
	look_at("d", DAXSTACK_CACHED, to, "a directory");
	look_at("d/born", to, to, "created in it");
	look_at("closed", to, to, "changed while closed");
	look_at("open", to, to, "changed while open");
	look_at("as-it-was", !to, !to, "unchanged");
	look_at("linked", to, to, "changed by another name");
	look_at("d/linked", to, to, "changed by another name, that name");
	touch("d/later");
	look_at("d/later", to, to, "created later");
}
