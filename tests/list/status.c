// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack status of trees, and totals by directory; daxstack help.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "list.h"

#define STATUS	"daxstack", "status"
#define TREE	"stack/tree"

/* Six files in three directories; two files are dax and one is mapped. */
static void make_tree(void)
{
	MUST(mkdir(TREE, 0755));
	MUST(mkdir(TREE "/a b", 0755));
	MUST(mkdir(TREE "/a b/c", 0755));
	make_file(TREE "/1", PAGE);
	make_file(TREE "/2", PAGE);
	make_file(TREE "/a b/3", 3 * PAGE);
	make_file(TREE "/a b/line\nend", PAGE);
	make_file(TREE "/a b/c/4", PAGE);
	make_file(TREE "/a b/c/5", PAGE);
	dxs_set_mode(TREE "/1", DAXSTACK_DAX);
	dxs_set_mode(TREE "/a b/c/4", DAXSTACK_DAX);
	MUST(symlink("../..", TREE "/a b/up"));
	MUST(mkfifo(TREE "/fifo", 0600));
	dxs_is(0, RUN("daxstack", "set", "dax", TREE "/a b"), "set the flag");
}

static void test_recursive(void)
{
	dxs_is(0, RUN(STATUS, "-J", TREE), "a directory: exit status");
	dxs_str("[\"" TREE "\"]\n", jq("[.files[].file]"),
		"a directory: itself only");
	dxs_is(0, RUN(STATUS, "-RJ", TREE), "-R: exit status");
	dxs_str("[\"stack/tree\",\"stack/tree/1\",\"stack/tree/2\","
		"\"stack/tree/a b\",\"stack/tree/a b/3\",\"stack/tree/a b/c\","
		"\"stack/tree/a b/c/4\",\"stack/tree/a b/c/5\","
		"\"stack/tree/a b/line\\nend\"]\n",
		jq("[.files[].file] | sort"), "-R: all files and directories");
	dxs_str("[\"stack/tree/1\",\"stack/tree/a b/c/4\"]\n",
		jq("[.files[] | select(.mode == \"dax\").file] | sort"),
		"-R: modes of files");
	dxs_str("[\"stack/tree\",\"stack/tree/a b/c\"]\n",
		jq("[.files[] | select(.mode == null and .flag == false).file] | sort"),
		"-R: flags of directories");
	dxs_is(0, RUN(STATUS, "-Rn", TREE "/a b/c/4", TREE "/a b/c"),
	       "-R: a file and a tree: exit status");
	dxs_ok(!strncmp(squeezed(), TREE "/a b/c/4 dax yes no 0 1 0\n"
			TREE "/a b/c no\n",
			strlen(TREE "/a b/c/4 dax yes no 0 1 0\n"
			       TREE "/a b/c no\n")),
	       "-R: a file and a tree: in this order");
}

static void test_by_directory(void)
{
	int fd = MUST(open(TREE "/a b/3", O_RDONLY));
	void *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	dxs_is(0, RUN(STATUS, "-Dn", TREE "/"), "-D: exit status");
	dxs_str(TREE "/ no 1 1 1 0 1 0 0\n", squeezed(), "-D: sums");
	dxs_is(0, RUN(STATUS, "-DRJ", TREE), "-DR: exit status");
	dxs_str("[[\"stack/tree\",false,1,1,1,0,1,0,0],"
		"[\"stack/tree/a b\",true,0,2,4,1,0,0,0],"
		"[\"stack/tree/a b/c\",false,1,1,1,0,1,0,0]]\n",
		jq("[.directories[] | [.directory, .flag, .dax, .cached, .pages,"
		   " .mapped, .switches, .refusals, .blocked]] | sort"),
		"-DR: totals of each directory");
	RUN(STATUS, "-D", TREE);
	dxs_str("DIRECTORY FLAG DAX CACHED PAGES MAPPED SWITCHES REFUSALS BLOCKED\n"
		TREE " no 1 1 1 0 1 0 0\n", squeezed(), "-D: headings");
	dxs_remount("switch=unmapped");
	RUN(STATUS, "-DJ", TREE "/a b");
	dxs_str("[1,1]\n", jq(".directories[0] | [.blocked, .mapped]"),
		"-D: files whose switch would be refused");
	dxs_remount("switch=live");
	dxs_is(2, RUN(STATUS, "-D", TREE "/1"), "-D: a file: exit status");
	dxs_ok(strstr(out, "/1: Not a directory\n"), "-D: a file: message");
	MUST(munmap(map, PAGE));
	close(fd);
}

static void test_left_out(void)
{
	MUST(mkdir(TREE "/mounted", 0755));
	MUST(mount("stack", TREE "/mounted", NULL, MS_BIND, NULL));
	dxs_is(0, RUN(STATUS, "-RJ", TREE), "mount inside: exit status");
	dxs_str("9\n", jq(".files | length"), "mount inside: left out");
	MUST(umount(TREE "/mounted"));
	MUST(chmod(TREE "/a b", 0700));
	MUST(chmod("stack", 0755));
	MUST(chmod(".", 0755));
	dxs_is(2, RUN("setpriv", "--reuid", "65534", "--clear-groups", STATUS,
		      "-Rn", TREE), "unreadable directory: exit status");
	dxs_ok(strstr(out, "a b: Permission denied\n") &&
	       strstr(out, TREE "/1 "),
	       "unreadable directory: the rest is shown");
}

void test_status(void)
{
	make_tree();
	test_recursive();
	test_by_directory();
	test_left_out();
}

/* The guest has no man. */
void test_help(void)
{
	static const char *const commands[] = { "set", "status", "list", "why",
		"help" };
	static char general[16 * KIB], help[16 * KIB];
	char line[32];
	size_t i;

	dxs_is(0, DXS_RUN_READ(general, sizeof(general), "daxstack", "help"),
	       "help: exit status");
	dxs_is(0, DXS_RUN_READ(help, sizeof(help), "daxstack", "--help"),
	       "--help: exit status");
	dxs_str(general, help, "help and --help print the same");
	dxs_ok(!strstr(general, "(null)"), "all commands have a summary");
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		snprintf(line, sizeof(line), "\n  %-8s ", commands[i]);
		dxs_ok(strstr(general, line) &&
		       strstr(general, line)[strlen(line)] != '\n',
		       "%s is listed", commands[i]);
		dxs_is(0, DXS_RUN_READ(help, sizeof(help), "daxstack", "help",
				       commands[i]), "help %s", commands[i]);
		dxs_is(0, RUN("daxstack", commands[i], "--help"),
		       "%s --help", commands[i]);
		dxs_str(help, out, "help %s: same as --help, without man",
			commands[i]);
		dxs_ok(strstr(out, "Exit status") && strstr(out, "Example"),
		       "%s --help: exit status, example", commands[i]);
	}
	dxs_is(64, RUN("daxstack", "help", "nothing"),
	       "help of an unknown command");
	dxs_is(64, RUN("daxstack"), "no command");
}
