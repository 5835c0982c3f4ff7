// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps: modes, owners, times, extended attributes, ACLs, flags.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "differ.h"

#define P(step)	path_of((step)->path[0])

/* --- Modes and owners. */

static void make_chmod(struct rng *rng, struct step *step)
{
	static const mode_t bits[] = { 0, 0644, 0755, 0777, 0600, 0000, 0111 };
	static const mode_t more[] = { 0, 0, 04000, 02000, 01000, 06000,
		0100000 };

	step->n[0] = PICK(rng, bits) | PICK(rng, more);
}

static void run_chmod(struct side *side, const struct step *step,
		      struct text *out)
{
	(void)side;
	say_ret(out, chmod(P(step), step->n[0]));
}

static void run_fchmod(struct side *side, const struct step *step,
		       struct text *out)
{
	say_ret(out, fchmod(side->slots[step->slot[0]], step->n[0]));
}

static void make_chown(struct rng *rng, struct step *step)
{
	static const int ids[] = { -1, 0, 1000, 2000, 65534, 70000 };
	static const int flags[] = { 0, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH };

	step->n[0] = PICK(rng, ids);
	step->n[1] = PICK(rng, ids);
	step->n[2] = PICK(rng, flags);
}

static void run_chown(struct side *side, const struct step *step,
		      struct text *out)
{
	(void)side;
	say_ret(out, fchownat(AT_FDCWD, P(step), step->n[0], step->n[1],
			      step->n[2]));
}

static void run_fchown(struct side *side, const struct step *step,
		       struct text *out)
{
	say_ret(out, fchown(side->slots[step->slot[0]], step->n[0],
			    step->n[1]));
}

/* --- Times. */

static const struct timespec times[] = {
	{ 0, UTIME_NOW },
	{ 0, UTIME_OMIT },
	{ 0, 0 },
	{ 1000000000, 123456789 },
	{ 1, 999999999 },
	{ -1, 500000000 },
	{ -0x80000000L, 0 },
	{ -0x80000001L, 0 },
	{ 0x7fffffffL, 999999999 },
	{ 0x80000000L, 1 },
	{ 0x100000000L, 7 },
	{ 0x37fffffffL, 999999999 },
	{ 0x380000000L, 0 },
	{ 0x4000000000L, 5 },
	{ 0, 1000000000 },	/* invalid */
};

static void make_times(struct rng *rng, struct step *step)
{
	static const int flags[] = { 0, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH };

	step->n[0] = below(rng, ARRAY_SIZE(times));
	step->n[1] = below(rng, ARRAY_SIZE(times));
	if (once_in(rng, 3)) {
		step->n[0] = below(rng, 2);
		step->n[1] = step->n[0];
	}
	step->n[2] = PICK(rng, flags);
}

static void run_utimens(struct side *side, const struct step *step,
			struct text *out)
{
	struct timespec two[] = { times[step->n[0]], times[step->n[1]] };

	(void)side;
	say_ret(out, utimensat(AT_FDCWD, P(step), two, step->n[2]));
}

static void run_futimens(struct side *side, const struct step *step,
			 struct text *out)
{
	struct timespec two[] = { times[step->n[0]], times[step->n[1]] };

	say_ret(out, futimens(side->slots[step->slot[0]], two));
}

/* --- Extended attributes. */

static const char *const xattrs[] = { "user.a", "user.b", "user.c", "user.",
	"trusted.a", "trusted.b", "trusted.", "security.a", "security.b",
	"security.capability", "system.posix_acl_access",
	"system.posix_acl_default", "system.a", "system.", "other.a", "a", "",
	"trusted.overlay.a", "system.data", "user.$255", "user.$256",
	"trusted.$200" };

static const char *xattr_name(int index)
{
	static char name[300];
	const char *dollar = strchr(xattrs[index], '$');
	size_t len;

	if (!dollar)
		return xattrs[index];
	len = atoi(dollar + 1);
	memset(name, 'x', len);
	name[len] = 0;
	memcpy(name, xattrs[index], dollar - xattrs[index]);
	return name;
}

static const int xattr_sizes[] = { 0, 1, 10, 20, 24, 44, 100, 200, 1000, 3000,
	4000, 20000, 65536, 65537 };

static void make_xattr(struct rng *rng, struct step *step)
{
	static const int flags[] = { 0, 0, 0, 0, 0, 0, XATTR_CREATE,
		XATTR_REPLACE, 3, 4 };
	static const int often[] = { 0, 0, 0, 1, 4, 7 };

	step->n[0] = once_in(rng, 2) ? PICK(rng, often) :
		(int)below(rng, ARRAY_SIZE(xattrs));
	step->n[1] = below(rng, once_in(rng, 3) ? ARRAY_SIZE(xattr_sizes) : 8);
	step->n[1] = xattr_sizes[step->n[1]];
	step->n[2] = PICK(rng, flags);
	step->n[3] = rnd(rng);
}

static const void *xattr_value(const struct step *step)
{
	static char value[65537];

	dxs_fill(value, step->n[1], step->n[3], 0);
	/* A value close to file capabilities. */
	if (!strcmp(xattr_name(step->n[0]), "security.capability") &&
	    step->n[1] == 20)
		memcpy(value, "\1\0\0\2\1\0\0", 8);
	return value;
}

static void run_setxattr(struct side *side, const struct step *step,
			 struct text *out)
{
	(void)side;
	say_ret(out, setxattr(P(step), xattr_name(step->n[0]),
			      xattr_value(step), step->n[1], step->n[2]));
}

static void run_lsetxattr(struct side *side, const struct step *step,
			  struct text *out)
{
	(void)side;
	say_ret(out, lsetxattr(P(step), xattr_name(step->n[0]),
			       xattr_value(step), step->n[1], step->n[2]));
}

static void run_fsetxattr(struct side *side, const struct step *step,
			  struct text *out)
{
	say_ret(out, fsetxattr(side->slots[step->slot[0]],
			       xattr_name(step->n[0]), xattr_value(step),
			       step->n[1], step->n[2]));
}

static void run_getxattr(struct side *side, const struct step *step,
			 struct text *out)
{
	static char value[65537];
	ssize_t len = getxattr(P(step), xattr_name(step->n[0]), value,
			       step->n[1]);

	(void)side;
	say_ret(out, len);
	if (len > 0 && step->n[1])
		say_bytes(out, value, len);
}

static void run_listxattr(struct side *side, const struct step *step,
			  struct text *out)
{
	static char names[65537];
	ssize_t len = listxattr(P(step), names, step->n[1]);

	(void)side;
	say_ret(out, len);
	if (len > 0 && step->n[1])
		say_bytes(out, names, len);
}

static void run_flistxattr(struct side *side, const struct step *step,
			   struct text *out)
{
	static char names[65537];
	ssize_t len = flistxattr(side->slots[step->slot[0]], names,
				 step->n[1]);

	say_ret(out, len);
	if (len > 0 && step->n[1])
		say_bytes(out, names, len);
}

static void run_removexattr(struct side *side, const struct step *step,
			    struct text *out)
{
	(void)side;
	say_ret(out, lremovexattr(P(step), xattr_name(step->n[0])));
}

/* --- ACLs, in the format of the attribute. */

struct acl_entry {
	uint16_t tag;
	uint16_t perm;
	uint32_t id;
};

struct acl {
	uint32_t version;
	struct acl_entry entries[6];
};

static void make_acl(struct rng *rng, struct step *step)
{
	step->n[0] = below(rng, 3);		/* default or access ACL */
	step->n[1] = below(rng, 8);		/* kind */
	step->n[2] = below(rng, 010000000);	/* permissions */
}

/* Returns the length. */
static size_t make_acl_value(const struct step *step, struct acl *acl)
{
	static const uint16_t tags[] = { 1, 2, 4, 8, 16, 32 };
	static const uint32_t ids[] = { -1, 1000, -1, 2000, -1, -1 };
	unsigned int i, n = 0;

	acl->version = step->n[1] == 7 ? 3 : 2;
	for (i = 0; i < ARRAY_SIZE(tags); i++) {
		/* A minimal one, and one without a mask. */
		if (step->n[1] == 0 && (i == 1 || i == 3 || i == 4))
			continue;
		if (step->n[1] == 6 && i == 4)
			continue;
		acl->entries[n++] = (struct acl_entry){ tags[i],
			step->n[2] >> 3 * i & 7, ids[i] };
	}
	if (step->n[1] == 5)
		acl->entries[1].perm = 0xff;
	return 4 + n * sizeof(acl->entries[0]);
}

static void run_setacl(struct side *side, const struct step *step,
		       struct text *out)
{
	struct acl acl;
	size_t len = make_acl_value(step, &acl);

	(void)side;
	say_ret(out, setxattr(P(step), step->n[0] ? "system.posix_acl_access" :
			      "system.posix_acl_default", &acl, len, 0));
}

/* --- Flags: read, changed, written back, as chattr does. */

static const unsigned int flag_sets[] = { FS_APPEND_FL, FS_IMMUTABLE_FL,
	FS_NODUMP_FL, FS_NOATIME_FL, FS_SYNC_FL, FS_DIRSYNC_FL, FS_TOPDIR_FL,
	FS_PROJINHERIT_FL, FS_SECRM_FL, FS_UNRM_FL, FS_COMPR_FL,
	FS_EXTENT_FL, FS_NOCOW_FL, FS_CASEFOLD_FL, 0, 0x80000000,
	FS_JOURNAL_DATA_FL };

static void make_setflags(struct rng *rng, struct step *step)
{
	/* A file cannot have data journalling and dax. */
	unsigned int count = ARRAY_SIZE(flag_sets) - 1;

	step->n[0] = flag_sets[below(rng, once_in(rng, 3) ? count : 6)];
	step->n[1] = below(rng, 3);
}

static void make_setflags_still(struct rng *rng, struct step *step)
{
	step->n[0] = FS_JOURNAL_DATA_FL;
	step->n[1] = below(rng, 3);
	(void)rng;
}

static void change_flags(int fd, const struct step *step, struct text *out)
{
	unsigned int flags = 0;
	int ret;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags)) {
		say_ret(out, -1);
		return;
	}
	if (step->n[1])
		flags ^= step->n[0];
	else
		flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	ret = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	say_ret(out, ret);
}

static int open_any(const char *path)
{
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static void run_setflags(struct side *side, const struct step *step,
			 struct text *out)
{
	int fd = open_any(P(step));

	(void)side;
	if (fd < 0) {
		say_ret(out, fd);
		return;
	}
	change_flags(fd, step, out);
	close(fd);
}

static void run_setflags_fd(struct side *side, const struct step *step,
			    struct text *out)
{
	change_flags(side->slots[step->slot[0]], step, out);
}

static void make_fssetxattr(struct rng *rng, struct step *step)
{
	static const unsigned int xflags[] = { FS_XFLAG_IMMUTABLE,
		FS_XFLAG_APPEND, FS_XFLAG_SYNC, FS_XFLAG_NOATIME,
		FS_XFLAG_NODUMP, FS_XFLAG_PROJINHERIT, FS_XFLAG_NODEFRAG,
		FS_XFLAG_NOSYMLINKS, 0, FS_XFLAG_REALTIME, FS_XFLAG_FILESTREAM,
		0x01000000, FS_XFLAG_EXTSZINHERIT, FS_XFLAG_RTINHERIT };
	static const unsigned int projects[] = { 0, 0, 0, 5, 100000 };

	step->n[0] = PICK(rng, xflags);
	step->n[1] = PICK(rng, projects);
}

static void make_extsize(struct rng *rng, struct step *step)
{
	static const unsigned int sizes[] = { 0, 4096, 65536, 4097, 1 << 30 };

	step->n[0] = once_in(rng, 2) ? FS_XFLAG_EXTSIZE : FS_XFLAG_EXTSZINHERIT;
	step->n[1] = 0;
	step->n[2] = PICK(rng, sizes);
}

static void run_fssetxattr(struct side *side, const struct step *step,
			   struct text *out)
{
	int fd = open_any(P(step));
	struct fsxattr fsx;

	(void)side;
	if (fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &fsx)) {
		say_ret(out, -1);
		if (fd >= 0)
			close(fd);
		return;
	}
	fsx.fsx_xflags ^= step->n[0];
	fsx.fsx_projid ^= step->n[1];
	if (step->n[2])
		fsx.fsx_extsize = step->n[2];
	say_ret(out, ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
	close(fd);
}

/* --- Other ioctls: all that the stack knows, and some unknown ones. */

static void make_ioctl(struct rng *rng, struct step *step)
{
	static const unsigned int cmds[] = { FS_IOC_GETFSLABEL, FIGETBSZ,
		FIOASYNC, FIONREAD, 0x5401, 0x12345678,
		FS_IOC_GETVERSION };

	step->n[0] = PICK(rng, cmds);
}

static void run_ioctl(struct side *side, const struct step *step,
		      struct text *out)
{
	char arg[512] = "";

	say_ret(out, ioctl(side->slots[step->slot[0]], step->n[0], arg));
	/* Inode numbers and generations differ between the sides. */
	if (step->n[0] != FS_IOC_GETVERSION)
		say_bytes(out, arg, sizeof(arg));
}

const struct kind attr_kinds[] = {
	{ "chmod", "chmod({p}, {0o})", 14, false, make_chmod, run_chmod },
	{ "fchmod", "fchmod({s}, {0o})", 8, false, make_chmod, run_fchmod },
	{ "chown", "fchownat({p}, {0}, {1}, {2x})", 14, false, make_chown,
	  run_chown },
	{ "fchown", "fchown({s}, {0}, {1})", 8, false, make_chown, run_fchown },
	{ "utimensat", "utimensat({p}, times {0}, {1}, {2x})", 12, false,
	  make_times, run_utimens },
	{ "futimens", "futimens({s}, times {0}, {1})", 8, false, make_times,
	  run_futimens },
	{ "setxattr", "setxattr({p}, name {0}, size {1}, flags {2x}, seed {3})",
	  12, false, make_xattr, run_setxattr },
	{ "lsetxattr", "lsetxattr({p}, name {0}, size {1}, flags {2x}, seed {3})",
	  8, false, make_xattr, run_lsetxattr },
	{ "fsetxattr", "fsetxattr({s}, name {0}, size {1}, flags {2x}, seed {3})",
	  8, false, make_xattr, run_fsetxattr },
	{ "getxattr", "getxattr({p}, name {0}, size {1})", 6, false, make_xattr,
	  run_getxattr },
	{ "listxattr", "listxattr({p}, size {1})", 4, false, make_xattr,
	  run_listxattr },
	{ "flistxattr", "flistxattr({s}, size {1})", 4, false, make_xattr,
	  run_flistxattr },
	{ "removexattr", "lremovexattr({p}, name {0})", 8, false, make_xattr,
	  run_removexattr },
	{ "POSIX ACLs", "setxattr({p}, acl {0}, kind {1}, {2o})", 14, false,
	  make_acl, run_setacl },
	{ "FS_IOC_SETFLAGS", "setflags({p}, {0x}, how {1})", 10, false,
	  make_setflags, run_setflags },
	{ "FS_IOC_SETFLAGS of an open one", "setflags({s}, {0x}, how {1})", 6,
	  false, make_setflags, run_setflags_fd },
	{ "FS_JOURNAL_DATA_FL", "setflags({p}, {0x}, how {1})", 3, true,
	  make_setflags_still, run_setflags },
	{ "FS_IOC_FSSETXATTR", "fssetxattr({p}, xflags ^ {0x}, project ^ {1})",
	  8, false, make_fssetxattr, run_fssetxattr },
	{ "ioctl", "ioctl({s}, {0x})", 4, false, make_ioctl, run_ioctl },
	{ "extent size hints", "fssetxattr({p}, xflags ^ {0x}, extsize {2})", 4,
	  true, make_extsize, run_fssetxattr },
	{ .name = NULL }
};
