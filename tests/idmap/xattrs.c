// SPDX-License-Identifier: GPL-2.0-only
/*
 * idmap: extended attributes: ACLs with ids, user attributes, file
 * capabilities.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "idmap.h"

#define ACCESS	"system.posix_acl_access"
#define DEFAULT	"system.posix_acl_default"
#define CAPS	"security.capability"

struct acl_entry {
	uint16_t tag;
	uint16_t perm;
	uint32_t id;
};

struct acl {
	uint32_t version;
	struct acl_entry entry[6];
};

static int set_acl(const char *path, const char *name, uint32_t uid,
		   uint32_t gid)
{
	const struct acl acl = {
		.version = 2,
		.entry = {
			{ 0x01, 7, -1 },	/* the owner */
			{ 0x02, 6, uid },
			{ 0x04, 4, -1 },	/* the group */
			{ 0x08, 5, gid },
			{ 0x10, 7, -1 },	/* mask */
			{ 0x20, 0, -1 },	/* others */
		},
	};

	return setxattr(path, name, &acl, sizeof(acl), 0);
}

static void note_acl(const char *path, const char *name)
{
	char line[256] = "";
	struct acl acl;
	ssize_t len = getxattr(path, name, &acl, sizeof(acl));
	size_t i, at = 0;

	if (len < 0) {
		note("%s: %s: %s", path, name, strerrorname_np(errno));
		return;
	}
	for (i = 0; 4 + i * sizeof(acl.entry[0]) < (size_t)len; i++)
		at += snprintf(line + at, sizeof(line) - at, " %x:%o:%d",
			       acl.entry[i].tag, acl.entry[i].perm,
			       (int)acl.entry[i].id);
	note("%s: %s:%s", path, name, line);
}

static void note_acls(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "plain/%s", name);
	note_acl(path, ACCESS);
	note_acl(path, DEFAULT);
	note_stat(path);
	snprintf(path, sizeof(path), "a/%s", name);
	note_acl(path, ACCESS);
	note_acl(path, DEFAULT);
	snprintf(path, sizeof(path), "b/%s", name);
	note_acl(path, ACCESS);
}

static void use_acl(uid_t uid, gid_t more)
{
	if (as(uid, uid, more)) {
		note("uid %u, group %u", uid, more);
		TRY(open_close("a/acl/file", O_RDWR, 0));
		TRY(open_close("a/acl/file", O_RDONLY, 0));
		TRY(access("a/acl/dir", W_OK));
		TRY(access("a/acl/dir", X_OK));
		TRY(set_acl("a/acl/file", ACCESS, uid, uid));
		done();
	}
}

void test_acls(void)
{
	MUST(mkdir("plain/acl", 0755));
	make_file("plain/acl/file", 1000, 1000, 02640);
	MUST(mkdir("plain/acl/dir", 0700));
	MUST(chown("plain/acl/dir", 1000, 1000));
	MUST(chown("plain/acl", 1000, 1000));

	if (as(A(1000), A(1000), 0)) {
		TRY(set_acl("a/acl/file", ACCESS, A(1002), A(1003)));
		TRY(set_acl("a/acl/dir", ACCESS, A(1002), A(1003)));
		TRY(set_acl("a/acl/dir", DEFAULT, A(1002), A(5003)));
		TRY(open_close("a/acl/dir/file", O_CREAT | O_EXCL, 0664));
		TRY(mkdir("a/acl/dir/dir", 0777));
		/* Unmapped: on the lower fs it would be another user. */
		TRY(set_acl("a/acl/dir/file", ACCESS, 1002, A(1003)));
		TRY(set_acl("a/acl/dir/file", ACCESS, A(1002), A(20000)));
		TRY(set_acl("plain/acl/file", ACCESS, 1002, 1003));
		done();
	}
	note_acls("acl/file");
	note_acls("acl/dir");
	note_acls("acl/dir/file");
	note_acls("acl/dir/dir");
	use_acl(A(1002), 0);
	use_acl(1002, 0);
	use_acl(A(1009), A(1003));
	use_acl(A(1009), 1003);
	use_acl(A(1009), 0);
	use_acl(1000, 0);
	note_acls("acl/file");
	TRY(set_acl("b/acl/file", ACCESS, B(1004), B(1005)));
	TRY(set_acl("b/acl/file", ACCESS, A(1004), B(1005)));
	note_acls("acl/file");
	if (as(A(1000), A(1000), 0)) {
		TRY(removexattr("a/acl/dir", DEFAULT));
		TRY(removexattr("a/acl/file", ACCESS));
		done();
	}
	/* S_ISGID depends on whether the owner is in the group. */
	make_file("plain/acl/sgid", 1000, 1005, 02750);
	if (as(A(1000), A(1000), 1005)) {
		TRY(set_acl("a/acl/sgid", ACCESS, A(1002), A(1003)));
		done();
	}
	note_stat("plain/acl/sgid");
	make_file("plain/acl/sgid2", 1000, 1005, 02750);
	if (as(A(1000), A(1000), A(1005))) {
		TRY(set_acl("a/acl/sgid2", ACCESS, A(1002), A(1003)));
		done();
	}
	note_stat("plain/acl/sgid2");
	note_acls("acl/file");
	note_acls("acl/dir");
	/* In a container ids are its own. */
	if (as_container(A(0))) {
		TRY(set_acl("a/acl/file", ACCESS, 1002, 1003));
		TRY(set_acl("a/acl/file", ACCESS, 20000, 1003));
		note_acl("a/acl/file", ACCESS);
		note_acl("plain/acl/file", ACCESS);
		done();
	}
	note_acls("acl/file");
}

static void note_user(const char *path)
{
	char value[8] = "", names[256];
	ssize_t len;

	TRY(setxattr(path, "user.x", "1", 1, 0));
	TRY(getxattr(path, "user.x", value, sizeof(value) - 1));
	TRY(setxattr(path, "trusted.x", "1", 1, 0));
	TRY(setxattr(path, "security.x", "1", 1, 0));
	len = listxattr(path, names, sizeof(names));
	note("%s: %s %s", path, value, len < 0 ? "-" : "listed");
	TRY(removexattr(path, "user.x"));
}

void test_attributes(void)
{
	const uid_t uids[] = { A(1000), 1000, A(1001), 0 };
	size_t i;

	MUST(mkdir("plain/attrs", 0777));
	make_file("plain/attrs/file", 1000, 1000, 0600);
	MUST(mkdir("plain/attrs/sticky", 0));
	MUST(chown("plain/attrs/sticky", 1000, 1000));
	MUST(chmod("plain/attrs/sticky", 01777));
	for (i = 0; i < ARRAY_SIZE(uids); i++) {
		if (as(uids[i], uids[i], 0)) {
			note_user("a/attrs/file");
			note_user("a/attrs/sticky");
			note_user("b/attrs/file");
			done();
		}
	}
	make_file("plain/attrs/zero", 0, 0, 0666);
	note_user("b/attrs/zero");
}

static int set_caps(const char *path, uint32_t rootid)
{
	struct vfs_ns_cap_data caps = {
		.magic_etc = (rootid ? VFS_CAP_REVISION_3 : VFS_CAP_REVISION_2) |
			VFS_CAP_FLAGS_EFFECTIVE,
		.data[0].permitted = 1 << CAP_NET_BIND_SERVICE,
		.rootid = rootid,
	};

	return setxattr(path, CAPS, &caps,
			rootid ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2, 0);
}

static void note_caps(const char *path)
{
	struct vfs_ns_cap_data caps = {};
	ssize_t len = getxattr(path, CAPS, &caps, sizeof(caps));

	if (len < 0)
		note("%s: capabilities: %s", path, strerrorname_np(errno));
	else
		note("%s: capabilities: %zd %x %x root %u", path, len,
		     caps.magic_etc, caps.data[0].permitted, caps.rootid);
}

int tell_capabilities(void)
{
	char line[128];
	FILE *status = fopen("/proc/self/status", "r");

	if (!status)
		return 1;
	while (fgets(line, sizeof(line), status))
		if (!strncmp(line, "CapEff", 6) || !strncmp(line, "Uid", 3) ||
		    !strncmp(line, "Gid", 3))
			printf("%.*s;", (int)strcspn(line, "\n"), line);
	fclose(status);
	return 0;
}

static void note_exec(const char *path)
{
	char out[256] = "";
	int status = DXS_RUN_READ(out, sizeof(out), path, "--capabilities");

	note("%u executes %s: %d: %s", geteuid(), path, status, out);
}

static void exec_as(uid_t uid, const char *path)
{
	if (as(uid, uid, 0)) {
		note_exec(path);
		done();
	}
}

static void in_container(void)
{
	note_caps("a/caps/prog");
	note_exec("a/caps/prog");
	TRY(set_caps("a/caps/prog", 0));
	note_caps("a/caps/prog");
	TRY(set_caps("plain/caps/prog", 0));
	exec_as(1000, "a/caps/prog");
	exec_as(1000, "plain/caps/prog");
	note_exec("a/caps/suid");
	exec_as(1000, "a/caps/suid");
}

void test_capabilities(void)
{
	MUST(mkdir("plain/caps", 0755));
	MUST(chown("plain/caps", 0, 0));
	copy_file("/proc/self/exe", "plain/caps/prog");
	copy_file("/proc/self/exe", "plain/caps/suid");
	MUST(chown("plain/caps/suid", 1001, 1002));
	MUST(chmod("plain/caps/suid", 06755));

	exec_as(A(1000), "a/caps/suid");
	exec_as(A(1000), "plain/caps/suid");
	TRY(set_caps("a/caps/prog", 0));
	note_caps("plain/caps/prog");
	note_caps("a/caps/prog");
	note_caps("b/caps/prog");
	exec_as(A(1000), "a/caps/prog");
	TRY(removexattr("a/caps/prog", CAPS));
	/* The root id of a namespace, as mapped by the mount. */
	TRY(set_caps("a/caps/prog", A(0)));
	note_caps("plain/caps/prog");
	note_caps("a/caps/prog");
	TRY(set_caps("b/caps/prog", A(1000)));
	note_caps("plain/caps/prog");
	note_caps("a/caps/prog");
	note_caps("b/caps/prog");
	TRY(set_caps("a/caps/prog", A(1000)));
	exec_as(A(1000), "a/caps/prog");
	if (as(A(0), A(0), 0)) {
		TRY(set_caps("a/caps/prog", 0));
		done();
	}
	if (as_container(A(0))) {
		in_container();
		done();
	}
	note_caps("plain/caps/prog");
	note_caps("a/caps/prog");
	note_caps("b/caps/prog");
	exec_as(A(1000), "a/caps/prog");
	exec_as(A(1000), "plain/caps/prog");
	/* Capabilities are cleared by a write, and by chown. */
	if (as_container(A(0))) {
		TRY(truncate("a/caps/prog", 100));
		note_caps("a/caps/prog");
		TRY(set_caps("a/caps/suid", 0));
		note_caps("a/caps/suid");
		TRY(chown("a/caps/suid", 7, 8));
		note_caps("a/caps/suid");
		note_stat("a/caps/suid");
		done();
	}
	note_caps("plain/caps/suid");
	note_stat("plain/caps/suid");
}
