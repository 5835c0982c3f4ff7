// SPDX-License-Identifier: GPL-2.0-only
/*
 * calibrate: measures both modes as any user with write permission; finds no
 * difference between DRAM and DRAM; leaves nothing behind.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../tools/calibrate.h"
#include "calibrate.h"

#define SAME	"no difference between the two modes was measured: "	\
		"this persistent memory is DRAM"
#define SHORT	"--seconds", "1", "--size", "4M"

static void is_json(const char *expected, const char *filter, const char *name)
{
	char answer[1024];

	DXS_RUN_READ(answer, sizeof(answer), "jq", "-r", "-c", filter, "json");
	answer[strcspn(answer, "\n")] = 0;
	dxs_str(expected, answer, "%s: %s", name, filter);
}

/* The hypervisor bit in /proc/cpuinfo. */
static bool is_guest(void)
{
	return !DXS_RUN_READ(out, sizeof(out), "grep", "-qw", "hypervisor",
			     "/proc/cpuinfo");
}

static bool read_profile(const char *path, struct dxs_profile *p)
{
	char why[512] = "";

	return dxs_is(0, dxs_profile_read(path, p, why, sizeof(why)),
		      "%s: a profile: %s", path, why);
}

static void test_no_difference(void)
{
	struct dxs_profile p;
	char before[16 * KIB];

	strcpy(before, listing());
	dxs_is(0, SH("daxstack calibrate --seconds 8 --size 8M --name my-own"
		     " -o profile.conf -J stack >json 2>said; echo $? >status;"
		     " cat said; exit $(cat status)"),
	       "measured: exit status");
	/* Both modes are DRAM here, so there must be no difference. */
	if (!dxs_ok(strstr(out, SAME), "no difference: message"))
		dxs_diag("%s", out);
	is_json("same", ".verdict", "no difference");
	is_json("[true,true]", "[(.sentence | startswith(\"" SAME "\")),"
		" (.resolution_percent >= .tolerance_percent)]",
		"no difference");
	is_json("[]", "[.figures[] | select(.memory and .verdict != \"same\")"
		" | .figure]", "no difference");
	is_json("true", ".profile.dram == .profile.pmem", "no difference");
	is_json(is_guest() ? "true" : "false", ".machine.hypervisor != null",
		"machine");
	is_json(is_guest() ? "true" : "false",
		"[.warnings[] | select(test(\"emulated|virtual\"))] | length > 0",
		"machine");
	is_json("[10,8388608,4096,true,true]",
		"[(.figures | length), .size, .page_size, .rounds >= 8,"
		" ([.figures[] | select(.memory) | .samples] | min) >= 8]",
		"measured");
	is_json("[]", "[.figures[] | . as $f | .cached, .dax |"
		" select(.low > .median or .median > .high or .low <= 0) |"
		" $f.figure]", "quartiles are in order");
	is_json("[\"my-own\",true,true]", "[.profile.name, .profile.fsync.dax_us > 0,"
		" .profile.cpu.instruction_ns > 0]", "measured");
	if (read_profile("profile.conf", &p)) {
		dxs_str("my-own", p.name, "profile: name");
		dxs_ok(!memcmp(&p.dram, &p.pmem, sizeof(p.dram)),
		       "profile: DRAM and persistent memory are the same");
		dxs_ok(p.has_fsync && p.fsync_dax_ns && p.fsync_cached_ns,
		       "profile: fsync times");
		dxs_ok(!is_guest() || strstr(p.source, "virtual machine"),
		       "profile: source names the machine");
	}
	SH("rm -f profile.conf json said status");
	dxs_str(before, listing(), "measured: no other file is left");
}

static unsigned long long switches(const char *file)
{
	char path[256], text[64] = "";

	snprintf(path, sizeof(path), "/sys/fs/daxstack/%s/%s",
		 strrchr(dxs_pmem, '/') + 1, file);
	DXS_RUN_READ(text, sizeof(text), "cat", path);
	return strtoull(text, NULL, 10);
}

/* Measures both modes, whatever mode new files have. */
static void test_modes(void)
{
	unsigned long long to_dax = switches("switches_to_dax");
	unsigned long long to_cached = switches("switches_to_cached");

	MUST(mkdir("stack/plain", 0755));
	MUST(mkdir("stack/dax", 0755));
	dxs_is(0, RUN("daxstack", "set", "dax", "stack/dax"), "flag of a directory");
	dxs_is(0, RUN(CALIBRATE, SHORT, "-q", "stack/plain"),
	       "in a directory: exit status");
	dxs_is(to_dax + 2, switches("switches_to_dax"),
	       "in a directory: two files were switched to dax");
	dxs_is(to_cached, switches("switches_to_cached"),
	       "in a directory: none was switched to cached");
	dxs_is(0, RUN(CALIBRATE, SHORT, "-q", "stack/dax"),
	       "where new files are dax: exit status");
	dxs_is(to_dax + 2, switches("switches_to_dax"),
	       "where new files are dax: none was switched to dax");
	dxs_is(to_cached + 2, switches("switches_to_cached"),
	       "where new files are dax: two were switched to cached");
	dxs_remount("switch=unmapped");
	dxs_is(0, RUN(CALIBRATE, SHORT, "-q", "stack/dax"), "switch=unmapped");
	dxs_remount("switch=empty");
	dxs_is(0, RUN(CALIBRATE, SHORT, "-q", "stack/plain"), "switch=empty");
	dxs_remount("switch=live");
	MUST(rmdir("stack/plain"));
	MUST(rmdir("stack/dax"));
}

static void test_stranger(void)
{
	MUST(mkdir("stack/open", 0777));
	MUST(chmod("stack/open", 0777));
	dxs_is(0, RUN("setpriv", "--reuid", "65534", "--clear-groups", CALIBRATE,
		      SHORT, "-q", "stack/open"),
	       "unprivileged user: may measure in a writable directory");
	dxs_is(2, RUN("setpriv", "--reuid", "65534", "--clear-groups", CALIBRATE,
		      SHORT, "stack"), "unprivileged user: not elsewhere");
	dxs_ok(strstr(out, "stack: creating a scratch file failed: Permission denied\n") &&
	       strstr(out, "remedy: name a directory on the mount that you may write to"),
	       "unprivileged user: message");
	MUST(rmdir("stack/open"));
}

static void test_output(void)
{
	struct dxs_profile p;

	dxs_is(0, SH("daxstack calibrate --seconds 1 --size 4M stack >p.conf 2>said;"
		     " echo $? >status; cat said; exit $(cat status)"),
	       "to standard output: exit status");
	dxs_ok(strstr(out, "random read") && strstr(out, "QUARTILES") &&
	       strstr(out, "at most 1 s\n"),
	       "to standard output: figures and plan go to standard error");
	if (read_profile("p.conf", &p))
		dxs_str("calibrated", p.name,
			"to standard output: name of the profile");
	dxs_is(2, RUN(CALIBRATE, SHORT, "-o", "p.conf", "stack"),
	       "existing file: exit status");
	dxs_ok(strstr(out, "p.conf: File exists\n") && strstr(out, "--force") &&
	       !strstr(out, "scratch"), "existing file: message, at once");
	MUST(symlink("p.conf", "link.conf"));
	dxs_is(0, RUN(CALIBRATE, SHORT, "-q", "-f", "--name", "other", "-o",
		      "link.conf", "stack"), "--force: exit status");
	dxs_str("", out, "--quiet: no output");
	if (read_profile("link.conf", &p))
		dxs_str("other", p.name, "--force: the file is replaced");
	if (read_profile("p.conf", &p))
		dxs_str("calibrated", p.name,
			"--force: a symlink is not followed");
	dxs_is(74, SH("daxstack calibrate --seconds 1 --size 4M -q stack >/dev/full"),
	       "standard output is full");
	dxs_is(2, RUN(CALIBRATE, SHORT, "-o", "none/p.conf", "stack"),
	       "no such directory: exit status");
	dxs_ok(strstr(out, "none/p.conf: No such file or directory\n") &&
	       !strstr(out, "scratch"), "no such directory: message, at once");
	SH("rm -f p.conf link.conf said status");
}

void test_run(void)
{
	test_no_difference();
	test_modes();
	test_stranger();
	test_output();
}
