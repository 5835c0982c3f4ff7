// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps: names looked up, created, moved, removed, listed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "differ.h"

#define P(step)	path_of((step)->path[0])
#define Q(step)	path_of((step)->path[1])

/* --- Shared helpers. */

static const int accesses[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, O_RDWR };
static const int open_flags[] = { O_CREAT, O_CREAT, O_CREAT, O_EXCL, O_TRUNC,
	O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_DIRECT, O_SYNC, O_DSYNC,
	O_NOATIME };
static const mode_t modes[] = { 0644, 0666, 0777, 0600, 0400, 0, 04755, 02755,
	02775, 01777, 07777, 0070, 0007 };

static int64_t make_flags(struct rng *rng)
{
	int flags = PICK(rng, accesses);
	int n = below(rng, 4);

	while (n--)
		flags |= PICK(rng, open_flags);
	return flags;
}

static void set_slot(struct side *side, unsigned int slot, int fd)
{
	if (fd < 0)
		return;
	if (side->slots[slot] >= 0)
		close(side->slots[slot]);
	side->slots[slot] = fd;
}

static void opened(struct side *side, const struct step *step, int fd,
		   struct text *out)
{
	say_ret(out, fd < 0 ? fd : 0);
	if (fd >= 0)
		say(out, " flags %#x", fcntl(fd, F_GETFL));
	set_slot(side, step->slot[0], fd);
}

/* --- Opening. */

static void make_open(struct rng *rng, struct step *step)
{
	step->n[0] = make_flags(rng);
	step->n[1] = PICK(rng, modes);
}

static void run_open(struct side *side, const struct step *step,
		     struct text *out)
{
	opened(side, step, open(P(step), step->n[0] | O_NONBLOCK | O_CLOEXEC,
				(mode_t)step->n[1]), out);
}

static void run_openat(struct side *side, const struct step *step,
		       struct text *out)
{
	opened(side, step, openat(side->slots[step->slot[1]], P(step),
				  step->n[0] | O_NONBLOCK | O_CLOEXEC,
				  (mode_t)step->n[1]), out);
}

static void make_openat(struct rng *rng, struct step *step)
{
	make_open(rng, step);
	/* The first path is a directory. */
	if (once_in(rng, 2))
		step->slot[1] = 2;
}

static void make_openat2(struct rng *rng, struct step *step)
{
	static const int resolve[] = { RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS,
		RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT,
		RESOLVE_CACHED };

	make_open(rng, step);
	if (!(step->n[0] & O_CREAT))
		step->n[1] = 0;
	step->n[2] = PICK(rng, resolve);
}

static void run_openat2(struct side *side, const struct step *step,
			struct text *out)
{
	struct open_how how = {
		.flags = step->n[0] | O_NONBLOCK | O_CLOEXEC,
		.mode = step->n[1],
		.resolve = step->n[2] & ~RESOLVE_CACHED,
	};
	int fd = syscall(SYS_openat2, AT_FDCWD, P(step), &how, sizeof(how));

	opened(side, step, fd, out);
}

static void make_creat(struct rng *rng, struct step *step)
{
	step->n[0] = PICK(rng, modes);
}

static void run_creat(struct side *side, const struct step *step,
		      struct text *out)
{
	opened(side, step, open(P(step), O_CREAT | O_WRONLY | O_TRUNC |
				O_NONBLOCK | O_CLOEXEC, (mode_t)step->n[0]),
	       out);
}

static void make_tmpfile(struct rng *rng, struct step *step)
{
	step->n[0] = O_TMPFILE | PICK(rng, accesses);
	if (once_in(rng, 4))
		step->n[0] |= O_EXCL;
	step->n[1] = PICK(rng, modes);
}

static void run_close(struct side *side, const struct step *step,
		      struct text *out)
{
	say_ret(out, close(side->slots[step->slot[0]]));
	side->slots[step->slot[0]] = -1;
}

static void run_dup(struct side *side, const struct step *step,
		    struct text *out)
{
	int fd = fcntl(side->slots[step->slot[1]], F_DUPFD_CLOEXEC, 10);

	opened(side, step, fd, out);
}

static void make_setfl(struct rng *rng, struct step *step)
{
	static const int flags[] = { 0, O_APPEND, O_DIRECT, O_NOATIME,
		O_APPEND | O_DIRECT };

	step->n[0] = PICK(rng, flags);
}

static void run_setfl(struct side *side, const struct step *step,
		      struct text *out)
{
	say_ret(out, fcntl(side->slots[step->slot[0]], F_SETFL,
			   (int)step->n[0] | O_NONBLOCK));
}

/* --- Creating. */

static void run_mkdir(struct side *side, const struct step *step,
		      struct text *out)
{
	(void)side;
	say_ret(out, mkdir(P(step), step->n[0]));
}

static void make_mknod(struct rng *rng, struct step *step)
{
	static const mode_t types[] = { S_IFIFO, S_IFSOCK, S_IFREG, S_IFCHR,
		S_IFBLK, S_IFCHR, S_IFIFO, S_IFDIR, 0 };
	const dev_t devs[] = { makedev(1, 3), makedev(250, 7), 0,
			       makedev(4095, 1048575) };

	step->n[0] = PICK(rng, types) | PICK(rng, modes);
	if (S_ISCHR(step->n[0]) || S_ISBLK(step->n[0]))
		step->n[1] = PICK(rng, devs);
	if (S_ISBLK(step->n[0]))
		step->n[1] = devs[1];
}

static void run_mknod(struct side *side, const struct step *step,
		      struct text *out)
{
	(void)side;
	say_ret(out, mknod(P(step), step->n[0], step->n[1]));
}

static void make_symlink(struct rng *rng, struct step *step)
{
	step->n[0] = below(rng, TARGETS);
}

static void run_symlink(struct side *side, const struct step *step,
			struct text *out)
{
	(void)side;
	say_ret(out, symlink(target_of(step->n[0]), P(step)));
}

static void run_link(struct side *side, const struct step *step,
		     struct text *out)
{
	(void)side;
	say_ret(out, link(P(step), Q(step)));
}

static void make_linkat(struct rng *rng, struct step *step)
{
	static const int flags[] = { 0, AT_SYMLINK_FOLLOW, AT_SYMLINK_FOLLOW,
		AT_EMPTY_PATH, 0x10 };

	step->n[0] = PICK(rng, flags);
}

static void run_linkat(struct side *side, const struct step *step,
		       struct text *out)
{
	(void)side;
	say_ret(out, linkat(AT_FDCWD, P(step), AT_FDCWD, Q(step), step->n[0]));
}

static void run_link_fd(struct side *side, const struct step *step,
			struct text *out)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d",
		 side->slots[step->slot[0]]);
	say_ret(out, linkat(AT_FDCWD, path, AT_FDCWD, P(step),
			    AT_SYMLINK_FOLLOW));
}

static void run_link_empty(struct side *side, const struct step *step,
			   struct text *out)
{
	say_ret(out, linkat(side->slots[step->slot[0]], "", AT_FDCWD, P(step),
			    AT_EMPTY_PATH));
}

/* --- Removing and moving. */

static void run_rmdir(struct side *side, const struct step *step,
		      struct text *out)
{
	(void)side;
	say_ret(out, rmdir(P(step)));
}

static void run_unlink(struct side *side, const struct step *step,
		       struct text *out)
{
	(void)side;
	say_ret(out, unlink(P(step)));
}

static void run_rename(struct side *side, const struct step *step,
		       struct text *out)
{
	(void)side;
	say_ret(out, rename(P(step), Q(step)));
}

static void make_renameat2(struct rng *rng, struct step *step)
{
	static const int flags[] = { 0, RENAME_NOREPLACE, RENAME_EXCHANGE,
		RENAME_WHITEOUT, RENAME_NOREPLACE | RENAME_EXCHANGE,
		RENAME_NOREPLACE | RENAME_WHITEOUT,
		RENAME_EXCHANGE | RENAME_WHITEOUT, 8 };

	step->n[0] = PICK(rng, flags);
}

static void run_renameat2(struct side *side, const struct step *step,
			  struct text *out)
{
	(void)side;
	say_ret(out, renameat2(AT_FDCWD, P(step), AT_FDCWD, Q(step),
			       step->n[0]));
}

/* --- Looking up. */

static void make_readlink(struct rng *rng, struct step *step)
{
	static const int sizes[] = { 0, 1, 59, 60, 61, 4096 };

	step->n[0] = PICK(rng, sizes);
}

static void run_readlink(struct side *side, const struct step *step,
			 struct text *out)
{
	char buf[4096];
	ssize_t len = readlink(P(step), buf, step->n[0]);

	(void)side;
	say_ret(out, len);
	if (len > 0)
		say_bytes(out, buf, len);
}

static void make_access(struct rng *rng, struct step *step)
{
	static const int flags[] = { 0, AT_EACCESS, AT_SYMLINK_NOFOLLOW,
		AT_EACCESS | AT_SYMLINK_NOFOLLOW, AT_EACCESS };

	step->n[0] = below(rng, 9);
	step->n[1] = PICK(rng, flags);
}

static void run_access(struct side *side, const struct step *step,
		       struct text *out)
{
	(void)side;
	say_ret(out, syscall(SYS_faccessat2, AT_FDCWD, P(step),
			     (int)step->n[0], (int)step->n[1]));
}

static void make_statx(struct rng *rng, struct step *step)
{
	static const unsigned int masks[] = { 0, STATX_TYPE, STATX_MODE,
		STATX_NLINK | STATX_SIZE, STATX_BTIME, STATX_BASIC_STATS,
		0x7fffffff, 0x80000000, STATX_MNT_ID, 0x2000 };
	static const int flags[] = { 0, AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT,
		AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC, AT_EMPTY_PATH,
		AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, 1 };

	step->n[0] = PICK(rng, masks);
	step->n[1] = PICK(rng, flags);
}

/* Fields that older C libraries do not have in struct statx. */
#define DIO_ALIGN(stx)	(((uint32_t *)(stx))[38])

static void run_statx(struct side *side, const struct step *step,
		      struct text *out)
{
	struct statx stx;
	int ret;

	(void)side;
	memset(&stx, 0, sizeof(stx));
	ret = statx(AT_FDCWD, P(step), step->n[1], step->n[0], &stx);
	say_ret(out, ret);
	if (ret)
		return;
	say(out, " mask %#x mode 0%o nlink %u owner %u:%u size %llu attr %#llx of %#llx",
	    stx.stx_mask, stx.stx_mode, stx.stx_nlink, stx.stx_uid,
	    stx.stx_gid, (unsigned long long)stx.stx_size,
	    (unsigned long long)stx.stx_attributes & ~STATX_ATTR_DAX,
	    (unsigned long long)stx.stx_attributes_mask);
	if (!switching || !known(KNOWN_DIOALIGN))
		say(out, " dio %u %u", DIO_ALIGN(&stx), (&DIO_ALIGN(&stx))[1]);
}

static void run_statfs(struct side *side, const struct step *step,
		       struct text *out)
{
	struct statfs fs;
	int ret = statfs(P(step), &fs);

	(void)side;
	say_ret(out, ret);
	if (!ret && known(KNOWN_FSTYPE))
		say(out, " bsize %ld frsize %ld blocks %ld files %ld namelen %ld flags %#lx",
		    fs.f_bsize, fs.f_frsize, fs.f_blocks, fs.f_files,
		    fs.f_namelen, fs.f_flags);
}

/* --- Listing: with small buffers, starting at a cookie. */

struct entry {
	uint64_t ino;
	int64_t off;
	unsigned short len;
	unsigned char type;
	char name[];
};

static void make_getdents(struct rng *rng, struct step *step)
{
	static const int sizes[] = { 0, 10, 24, 32, 64, 280, 4096, 4096 };

	step->n[0] = PICK(rng, sizes);
	step->n[1] = below(rng, 4);
	if (once_in(rng, 2))
		step->slot[0] = 2;
}

/* Returns the number of entries; stores the cookie of the @nth. */
static long list(int fd, size_t size, long nth, int64_t *cookie,
		 struct text *out)
{
	char buf[4096] __attribute__((aligned(8)));
	long count = 0, len, at;

	while (count < 100) {
		len = syscall(SYS_getdents64, fd, buf, size);
		if (len <= 0) {
			say_ret(out, len);
			break;
		}
		for (at = 0; at < len; count++) {
			struct entry *entry = (struct entry *)(buf + at);

			say(out, " %.10s/%u/%llx", entry->name, entry->type,
			    (unsigned long long)entry->off);
			if (count == nth)
				*cookie = entry->off;
			at += entry->len;
		}
	}
	return count;
}

static void run_getdents(struct side *side, const struct step *step,
			 struct text *out)
{
	int64_t cookie = 0;
	int fd = open(P(step), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)side;
	if (fd < 0) {
		say_ret(out, fd);
		return;
	}
	list(fd, step->n[0], step->n[1], &cookie, out);
	say(out, "; again from %#llx:", (unsigned long long)cookie);
	say(out, " %s", lseek(fd, cookie, SEEK_SET) == cookie ? "" : "not");
	list(fd, step->n[0], -1, &cookie, out);
	close(fd);
}

/* Reads a directory that changes meanwhile. */
static void run_getdents_fd(struct side *side, const struct step *step,
			    struct text *out)
{
	char buf[4096] __attribute__((aligned(8)));
	long len = syscall(SYS_getdents64, side->slots[step->slot[0]], buf,
			   (size_t)step->n[0]), at;

	say_ret(out, len);
	for (at = 0; at < len; at += ((struct entry *)(buf + at))->len)
		say(out, " %.10s", ((struct entry *)(buf + at))->name);
}

/* Many names of one file, so that a directory has more than a block. */
#define CROWD	90

static void crowd_name(char *buf, size_t size, const char *dir, int64_t n)
{
	snprintf(buf, size, "%s/%0100lld", dir, (long long)n);
}

static void make_crowd(struct rng *rng, struct step *step)
{
	step->n[0] = below(rng, 100);
	step->n[1] = below(rng, CROWD);
	step->n[2] = 1 + below(rng, 7);
}

static void run_crowd(struct side *side, const struct step *step,
		      struct text *out)
{
	char path[600];
	int64_t i, made = 0;

	(void)side;
	if (strlen(Q(step)) > 300)
		return;
	for (i = 0; i < step->n[1]; i++) {
		crowd_name(path, sizeof(path), Q(step), step->n[0] + i);
		made += !link(P(step), path);
	}
	say(out, " made %lld", (long long)made);
}

static void run_uncrowd(struct side *side, const struct step *step,
			struct text *out)
{
	char path[600];
	int64_t i, gone = 0;

	(void)side;
	if (strlen(P(step)) > 300)
		return;
	for (i = 0; i < 200; i += step->n[2]) {
		crowd_name(path, sizeof(path), P(step), i);
		gone += !unlink(path);
	}
	say(out, " gone %lld", (long long)gone);
}

/* Evicts inodes and dentries, so that they are reloaded. */
static void run_forget(struct side *side, const struct step *step,
		       struct text *out)
{
	int fd;

	(void)step;
	(void)out;
	become(0);
	syncfs(side->top);
	fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC));
	MUST(write(fd, "2", 1));
	close(fd);
}

const struct kind name_kinds[] = {
	{ "open", "{s} = open({p}, {0x}, {1o})", 60, false, make_open, run_open },
	{ "openat", "{s} = openat({t}, {p}, {0x}, {1o})", 8, false, make_openat,
	  run_openat },
	{ "openat2", "{s} = openat2({p}, {0x}, {1o}, resolve {2x})", 8, false,
	  make_openat2, run_openat2 },
	{ "creat", "{s} = creat({p}, {0o})", 12, false, make_creat, run_creat },
	{ "tmpfile", "{s} = open({p}, {0x} (O_TMPFILE), {1o})", 10, false,
	  make_tmpfile, run_open },
	{ "close", "close({s})", 10, false, NULL, run_close },
	{ "dup", "{s} = dup({t})", 4, false, NULL, run_dup },
	{ "fcntl F_SETFL", "fcntl({s}, F_SETFL, {0x})", 6, false, make_setfl,
	  run_setfl },
	{ "mkdir", "mkdir({p}, {0o})", 14, false, make_creat, run_mkdir },
	{ "mknod", "mknod({p}, {0o}, {1x})", 10, false, make_mknod, run_mknod },
	{ "symlink", "symlink(target {0}, {p})", 10, false, make_symlink,
	  run_symlink },
	{ "link", "link({p}, {q})", 12, false, NULL, run_link },
	{ "linkat", "linkat({p}, {q}, {0x})", 8, false, make_linkat, run_linkat },
	{ "linkat of /proc/self/fd", "linkat(/proc/self/fd/{s}, {p}, AT_SYMLINK_FOLLOW)",
	  8, false, NULL, run_link_fd },
	{ "linkat AT_EMPTY_PATH", "linkat({s}, '', {p}, AT_EMPTY_PATH)", 6, false,
	  NULL, run_link_empty },
	{ "rmdir", "rmdir({p})", 10, false, NULL, run_rmdir },
	{ "unlink", "unlink({p})", 12, false, NULL, run_unlink },
	{ "rename", "rename({p}, {q})", 14, false, NULL, run_rename },
	{ "renameat2", "renameat2({p}, {q}, {0x})", 14, false, make_renameat2,
	  run_renameat2 },
	{ "readlink", "readlink({p}, {0})", 6, false, make_readlink,
	  run_readlink },
	{ "faccessat2", "faccessat2({p}, {0x}, {1x})", 8, false, make_access,
	  run_access },
	{ "statx", "statx({p}, mask {0x}, flags {1x})", 8, false, make_statx,
	  run_statx },
	{ "statfs", "statfs({p})", 2, false, NULL, run_statfs },
	{ "getdents", "getdents({p}, size {0}), again from entry {1}", 8, false,
	  make_getdents, run_getdents },
	{ "many names", "link({p}, {q}/N), {1} of them, from {0}", 2, false,
	  make_crowd, run_crowd },
	{ "many names gone", "unlink({p}/N), every {2}.", 3, false, make_crowd,
	  run_uncrowd },
	{ "inodes loaded anew", "sync, drop_caches", 1, false, NULL,
	  run_forget },
	{ "getdents of an open one", "getdents({s}, size {0})", 6, false,
	  make_getdents, run_getdents_fd },
	{ .name = NULL }
};
