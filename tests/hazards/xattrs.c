// SPDX-License-Identifier: GPL-2.0-only
/*
 * H38: extended attributes in user namespaces: permission is checked, and ids
 * are mapped, once. Each step runs on the lower filesystem alone and on the
 * stack, with the same result.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hazards.h"

#define CAPS	"security.capability"
#define ACL	"system.posix_acl_access"

/* Container ids 0 and 1000 are 1000 and 100999 outside. */
#define CONTAINER "0 1000 1\n1 100000 65536"

static const char *at;	/* directory of the filesystem */

static const char *in(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", at, name);
	return path;
}

/*
 * All capabilities, permitted and effective; VFS_CAP_REVISION_2 if @root is 0.
 */
static int set_caps(const char *path, uint32_t root)
{
	struct vfs_ns_cap_data caps = {
		.magic_etc = (root ? VFS_CAP_REVISION_3 : VFS_CAP_REVISION_2) |
			     VFS_CAP_FLAGS_EFFECTIVE,
		.data = { { .permitted = ~0U }, { .permitted = 0xff } },
		.rootid = root,
	};

	return ERR(setxattr(path, CAPS, &caps,
			    root ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2, 0));
}

/* Prints an attribute as the caller sees it. */
static void show(const char *path, const char *name)
{
	uint8_t value[256];
	ssize_t i, len = getxattr(path, name, value, sizeof(value));

	printf("%s:", name);
	if (len < 0)
		printf(" %s", strerror(errno));
	for (i = 0; i < len; i++)
		printf("%s%02x", i % 4 ? "" : " ", value[i]);
	printf("\n");
}

/* --- Steps, each run natively and on the stack by a child. */

/*
 * User 1000 of a container becomes root of a nested namespace and tries to give
 * a program that root's capabilities. The user's kuid has the same number inside, so
 * that mapping it twice does not change it.
 */
static void forge(void *arg)
{
	(void)arg;
	rights_user(1000);
	rights_nest("100999 1000 1");
	printf("set: %d\n", set_caps(in("own"), 100999));
	show(in("own"), CAPS);
}

static void run_forged(void *arg)
{
	(void)arg;
	rights_user(1000);
	show(in("own"), CAPS);
	fflush(stdout);
	rights_exec(in("own"));
}

/* The container's root grants capabilities. */
static void grant(void *arg)
{
	(void)arg;
	printf("set: %d\n", set_caps(in("roots"), 0));
	show(in("roots"), CAPS);
}

static void run_granted(void *arg)
{
	(void)arg;
	rights_user(7);
	show(in("roots"), CAPS);
	fflush(stdout);
	rights_exec(in("roots"));
}

static void run_others(void *arg)
{
	(void)arg;
	rights_user(7);
	show(in("others"), CAPS);
	fflush(stdout);
	rights_exec(in("others"));
}

/* A write clears the capabilities even if the writer may not set them. */
static void write_to(void *arg)
{
	int fd;

	(void)arg;
	rights_user(1000);
	printf("remove: %d\n", ERR(removexattr(in("own"), CAPS)));
	show(in("own"), CAPS);
	fd = open(in("own"), O_WRONLY);
	printf("truncate: %d\n", ERR(ftruncate(fd, 4 * MIB)));
	show(in("own"), CAPS);
}

static void take_owner(void *arg)
{
	(void)arg;
	printf("chown: %d\n", ERR(chown(in("roots"), 5, 5)));
	show(in("roots"), CAPS);
}

/* user::rwx, user:5:r, group::r, mask::rwx, other::r */
static void set_acl(void *arg)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag;
			uint16_t perm;
			uint32_t id;
		} entry[5];
	} acl = { 2, { { 1, 7, -1 }, { 2, 4, 5 }, { 4, 4, -1 }, { 16, 7, -1 },
		       { 32, 4, -1 } } };

	(void)arg;
	printf("acl: %d\n", ERR(setxattr(in("roots"), ACL, &acl, sizeof(acl), 0)));
	show(in("roots"), ACL);
	printf("security: %d trusted: %d user: %d\n",
	       ERR(setxattr(in("roots"), "security.x", "x", 1, 0)),
	       ERR(setxattr(in("roots"), "trusted.x", "x", 1, 0)),
	       ERR(setxattr(in("roots"), "user.x", "x", 1, 0)));
	show(in("roots"), "security.x");
	show(in("roots"), "trusted.x");
	show(in("roots"), "user.x");
}

static void look(void *arg)
{
	show(in(arg), CAPS);
	show(in(arg), ACL);
}

static const struct {
	const char *name;
	const char *map;
	void (*step)(void *arg);
	void *arg;
} steps[] = {
	{ "forged by a user for their own use", CONTAINER, forge, NULL },
	{ "forged: as stored", NULL, look, "own" },
	{ "forged, executed in the container", CONTAINER, run_forged, NULL },
	{ "granted by the container's root", CONTAINER, grant, NULL },
	{ "granted: as stored", NULL, look, "roots" },
	{ "granted, executed in the container", CONTAINER, run_granted, NULL },
	{ "granted, executed outside", NULL, run_granted, NULL },
	{ "granted by another namespace", CONTAINER, run_others, NULL },
	{ "granted by another namespace, executed outside", NULL, run_others, NULL },
	{ "cleared by a truncation", CONTAINER, write_to, NULL },
	{ "cleared by chown", CONTAINER, take_owner, NULL },
	{ "ACL and other namespaces of attributes", CONTAINER, set_acl, NULL },
	{ "ACL: as stored", NULL, look, "roots" },
};

enum { STEPS = ARRAY_SIZE(steps) };

static void all_steps(char said[STEPS][512])
{
	int i;

	rights_program(in("own"));
	rights_program(in("roots"));
	rights_program(in("others"));
	MUST(chown(in("own"), 100999, 100999));
	MUST(chown(in("roots"), 1000, 1000));
	MUST(set_caps(in("others"), 777) ? -1 : 0);
	for (i = 0; i < STEPS; i++)
		snprintf(said[i], sizeof(said[i]), "%s",
			 rights_run(steps[i].map, steps[i].step, steps[i].arg));
}

void h38_translated_once(void)
{
	static char native[STEPS][512], stacked[STEPS][512];
	int i;

	at = "stack";
	all_steps(stacked);
	MUST(unlink("stack/own"));
	MUST(unlink("stack/roots"));
	MUST(unlink("stack/others"));
	dxs_umount_stack();
	dxs_mount_lower();
	at = "lower";
	all_steps(native);
	dxs_umount_lower();
	dxs_mount_stack();
	for (i = 0; i < STEPS; i++)
		dxs_str(native[i], stacked[i], "H38: %s", steps[i].name);
	/* Check the reference results themselves. */
	dxs_ok(strstr(native[0], "set: 0") && strstr(native[2], "eff 000000000"),
	       "H38: natively a forged one grants nothing");
	dxs_ok(strstr(native[3], "set: 0") && strstr(native[5], "eff ") &&
	       !strstr(native[5], "eff 000000000"),
	       "H38: natively a granted one grants capabilities");
}
