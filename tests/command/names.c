// SPDX-License-Identifier: GPL-2.0-only
/*
 * command: names with newlines, escape sequences and invalid UTF-8: asserts
 * that output for a terminal or a mail is plain text, and that JSON is valid.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

#define EVIL	"stack/names/a\n\033]0;b\007\xc2\23331m\xff\xed\xa0\x80\"\\x41"
#define SHOWN	"stack/names/a\\x0a\\x1b]0;b\\x07\\xc2\\x9b31m\\xff\\xed\\xa0\\x80\"\\x5cx41"
#define HEX	"737461636B2F6E616D65732F610A1B5D303B6207C29B33316DFFEDA080225C783431"
#define NONE	"\xef\xbf\xbd"	/* U+FFFD */
#define UMLAUT	"stack/names/\xc3\xbc \xe2\x80\xae\xf0\x9f\x98\x80"

static char out[16384], part[4096];

static void is_shown(int times, const char *name)
{
	if (!dxs_ok(is_plain(out), "%s: only printable characters", name))
		dxs_diag("%s", out);
	dxs_is(times, occurrences(out, SHOWN), "%s: the escaped name", name);
}

/* Returns the result of jq for the file "json". */
static const char *jq(const char *filter)
{
	int status = DXS_RUN_READ(part, sizeof(part), "jq", "-r", filter,
				  "json");

	if (status)
		dxs_diag("jq: %s", part);
	return status ? "" : part;
}

static void test_json(void)
{
	FILE *json = fopen("json", "w");

	dxs_is(0, DXS_RUN_READ(out, sizeof(out), "daxstack", "status", "-J",
			       EVIL, UMLAUT, "stack/names"),
	       "JSON: exit status");
	fputs(out, json);
	fclose(json);
	/* In ASCII, so also in UTF-8. */
	dxs_ok(is_plain(out), "JSON: only printable characters");
	dxs_str("stack/names/a\n\033]0;b\007\xc2\23331m" NONE NONE NONE NONE
		"\"\\x41\n",
		jq(".files[0].file"), "JSON: a name that is not UTF-8");
	dxs_str(HEX "\n", jq(".files[0].file_hex"),
		"JSON: all its bytes, in hexadecimal");
	dxs_str(UMLAUT "\n", jq(".files[1].file"), "JSON: a name in UTF-8");
	dxs_str("null\n", jq(".files[1].file_hex"),
		"JSON: a UTF-8 name has no hexadecimal form");
	dxs_str("cached true 1 null\n",
		jq(".files[1] | \"\\(.mode) \\(.flag == false) \\(.pages) \\(.reason)\""),
		"JSON: other fields");
	dxs_str("null null false\n",
		jq(".files[2] | \"\\(.mode) \\(.pages) \\(.flag)\""),
		"JSON: a directory");
	dxs_str("3\n", jq(".files | length"), "JSON: number of files");
}

static void test_options(void)
{
	dxs_is(64, DXS_RUN_READ(out, sizeof(out), "daxstack", "status",
				"-\033[1m"), "an option: exit status");
	dxs_ok(is_plain(out) && strstr(out, "'-\\x1b' is not an option"),
	       "an option: escaped");
	dxs_is(64, DXS_RUN_READ(out, sizeof(out), "daxstack", "set", "dax",
				"--\033[1m"), "a long option: exit status");
	dxs_ok(is_plain(out) && strstr(out, "'--\\x1b[1m' is not an option"),
	       "a long option: escaped");
	dxs_is(64, DXS_RUN_READ(out, sizeof(out), "daxstack", "set", "\033[1m",
				"x"), "a mode: exit status");
	dxs_ok(is_plain(out) && strstr(out, "'\\x1b[1m' is not a mode"),
	       "a mode: escaped");
}

/* Characters that the locale supports are shown. */
static void test_locale(void)
{
	/* As cron sets it. */
	setenv("LC_ALL", "C", 1);
	DXS_RUN_READ(out, sizeof(out), "daxstack", "set", "-v", "cached",
		     UMLAUT);
	dxs_str("stack/names/\\xc3\\xbc \\xe2\\x80\\xae\\xf0\\x9f\\x98\\x80: already cached\n",
		out, "locale C: ASCII");
	setenv("LC_ALL", "C.UTF-8", 1);
	DXS_RUN_READ(out, sizeof(out), "daxstack", "set", "-v", "cached",
		     UMLAUT);
	dxs_str("stack/names/\xc3\xbc \\xe2\\x80\\xae\xf0\x9f\x98\x80: already cached\n",
		out, "locale C.UTF-8: all but bidirectional controls");
	DXS_RUN_READ(out, sizeof(out), "daxstack", "set", "-v", "dax", EVIL);
	is_shown(1, "locale C.UTF-8");
	unsetenv("LC_ALL");
}

void test_names(void)
{
	void *map;
	int fd;

	MUST(mkdir("stack/names", 0777));
	make_file(EVIL);
	make_file(UMLAUT);
	DXS_RUN_READ(out, sizeof(out), "daxstack", "status", EVIL);
	is_shown(1, "status");
	test_json();
	test_options();
	test_locale();

	fd = MUST(open(EVIL, O_RDWR));
	map = dxs_map_sync(fd, PAGE);
	DXS_RUN_READ(out, sizeof(out), "daxstack", "set", "cached", EVIL);
	is_shown(1, "set, refused");
	DXS_RUN_READ(out, sizeof(out), "daxstack", "set", "-R", "-v", "cached",
		     "stack/names");
	is_shown(1, "set -R, refused");
	munmap(map, PAGE);
	close(fd);
	DXS_RUN_READ(out, sizeof(out), "daxstack", "set", "-R", "-v", "cached",
		     "stack/names");
	is_shown(1, "set -R, switched");
	MUST(unlink(EVIL));
	DXS_RUN_READ(out, sizeof(out), "daxstack", "status", EVIL);
	is_shown(1, "status, no such file");
	MUST(mkdir(EVIL, 0777));
	DXS_RUN_READ(out, sizeof(out), "daxstack", "set", "-v", "dax", EVIL);
	is_shown(1, "set, a directory");
}
