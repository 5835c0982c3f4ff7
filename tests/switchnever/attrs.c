// SPDX-License-Identifier: GPL-2.0-only
/*
 * switchnever: contents, other attributes, errors, permissions.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "switchnever.h"

#define BIG	(MIB + 123)

static void check_bytes(const char *path, const uint8_t *bytes,
			const char *what)
{
	int fd = MUST(open(path, O_RDWR));
	uint8_t *seen = dxs_alloc(BIG);
	uint8_t *map;

	dxs_pread(fd, seen, BIG, 0);
	saw(true, dxs_same(bytes, seen, BIG, 0, what), "%s: bytes read", what);
	map = MUST(mmap(NULL, BIG, PROT_READ, MAP_SHARED, fd, 0));
	saw(true, dxs_same(bytes, map, BIG, 0, what), "%s: bytes mapped", what);
	MUST(munmap(map, BIG));
	free(seen);
	close(fd);
}

/* Nothing is synced before the last close. */
void play_bytes(int to)
{
	uint8_t *bytes = dxs_alloc(BIG), *map;
	int fd;

	make("f", !to);
	fd = MUST(open("f", O_RDWR));
	dxs_fill(bytes, BIG, 2, 0);
	dxs_pwrite(fd, bytes, BIG, 0);
	map = MUST(mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	dxs_fill(bytes + 5 * PAGE, 3 * PAGE, 3, 0);
	memcpy(map + 5 * PAGE, bytes + 5 * PAGE, 3 * PAGE);
	saw_errno(0, dxs_set_xflag(fd, to), "dirty");
	dxs_fill(bytes + 10 * PAGE, 3 * PAGE, 4, 0);
	memcpy(map + 10 * PAGE, bytes + 10 * PAGE, 3 * PAGE);
	dxs_fill(bytes + BIG - 200, 100, 5, 0);
	dxs_pwrite(fd, bytes + BIG - 200, 100, BIG - 200);
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       20 * PAGE, 2 * PAGE));
	memset(bytes + 20 * PAGE, 0, 2 * PAGE);
	look(fd, !to, to, "dirty");
	close(fd);
	check_bytes("f", bytes, "dirty and mapped");
	MUST(munmap(map, BIG));
	look_at("f", to, to, "dirty, closed");
	check_bytes("f", bytes, "dirty, closed");
	set("f", !to);
	look_at("f", !to, !to, "and back");
	check_bytes("f", bytes, "and back");
	free(bytes);
}

/* --- Scenes: other attributes, and errors. */

static void reopen(int *fd)
{
	close(*fd);
	*fd = MUST(open("f", O_RDONLY));
}

static void change_cap(int cap, bool on)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];
	uint32_t bit = 1u << (cap % 32);

	MUST(syscall(SYS_capget, &header, data));
	if (on)
		data[cap / 32].effective |= bit;
	else
		data[cap / 32].effective &= ~bit;
	MUST(syscall(SYS_capset, &header, data));
}

void play_others(int to)
{
	unsigned int on = to == DAXSTACK_DAX ? FS_DAX_FL : 0;
	unsigned int xon = to == DAXSTACK_DAX ? FS_XFLAG_DAX : 0;
	unsigned int off = FS_DAX_FL & ~on, xoff = FS_XFLAG_DAX & ~xon;
	int fd;

	make("f", !to);
	fd = MUST(open("f", O_RDONLY));
	look_at_others(fd, "before");
	saw_errno(0, change_flags(fd, on | FS_NOATIME_FL, off),
		  "SETFLAGS, with NOATIME");
	look(fd, !to, to, "SETFLAGS, with NOATIME");
	look_at_others(fd, "SETFLAGS, with NOATIME");
	reopen(&fd);
	look(fd, to, to, "SETFLAGS, with NOATIME, closed");
	look_at_others(fd, "SETFLAGS, with NOATIME, closed");

	saw_errno(0, change_xflags(fd, xoff | FS_XFLAG_NODUMP,
				   xon | FS_XFLAG_NOATIME),
		  "FSSETXATTR, with NODUMP");
	look(fd, to, !to, "FSSETXATTR, with NODUMP");
	look_at_others(fd, "FSSETXATTR, with NODUMP");
	saw_errno(0, change_flags(fd, FS_SYNC_FL, FS_NODUMP_FL), "only SYNC");
	look(fd, to, !to, "only SYNC");
	reopen(&fd);
	look(fd, !to, !to, "only SYNC, closed");
	look_at_others(fd, "only SYNC, closed");

	/* These two need CAP_LINUX_IMMUTABLE; without it nothing is stored. */
	change_cap(CAP_LINUX_IMMUTABLE, false);
	saw_errno(EPERM, change_flags(fd, on | FS_APPEND_FL, off),
		  "SETFLAGS, with APPEND, no capability");
	saw_errno(EPERM, change_xflags(fd, xon | FS_XFLAG_IMMUTABLE, xoff),
		  "FSSETXATTR, with IMMUTABLE, no capability");
	change_cap(CAP_LINUX_IMMUTABLE, true);
	look(fd, !to, !to, "no capability");
	look_at_others(fd, "no capability");

	saw_errno(0, change_flags(fd, on | FS_APPEND_FL, off), "with APPEND");
	look(fd, !to, to, "with APPEND");
	saw_errno(EPERM, ERR(open("f", O_RDWR)),
		  "with APPEND: open for writing");
	reopen(&fd);
	look(fd, to, to, "with APPEND, closed");
	saw_errno(0, change_xflags(fd, xoff, xon), "of an APPEND file");
	look(fd, to, !to, "of an APPEND file");
	reopen(&fd);
	look(fd, !to, !to, "of an APPEND file, closed");
	saw_errno(0, change_flags(fd, 0, FS_APPEND_FL), "without APPEND");

	saw_errno(ANY, change_flags(fd, on | FS_IMMUTABLE_FL, off),
		  "with IMMUTABLE");
	look(fd, !to, ANY, "with IMMUTABLE");
	look_at_others(fd, "with IMMUTABLE");
	reopen(&fd);
	look(fd, ANY, ANY, "with IMMUTABLE, closed");
	saw_errno(ANY, change_flags(fd, off, on), "of an IMMUTABLE file");
	saw_errno(ANY, change_xflags(fd, xoff, xon),
		  "of an IMMUTABLE file, FSSETXATTR");
	look(fd, ANY, ANY, "of an IMMUTABLE file");
	saw_errno(0, change_flags(fd, on, FS_IMMUTABLE_FL | off),
		  "without IMMUTABLE");
	look(fd, ANY, to, "without IMMUTABLE");
	reopen(&fd);
	look(fd, to, to, "without IMMUTABLE, closed");
	look_at_others(fd, "without IMMUTABLE, closed");
	close(fd);
}

/* Refused entirely, or in part. */
void play_errors(int to)
{
	static const unsigned int odd[] = {
		FS_COMPR_FL, FS_UNRM_FL, FS_INDEX_FL, FS_EXTENT_FL, FS_NOCOW_FL,
		FS_INLINE_DATA_FL, FS_PROJINHERIT_FL, FS_DIRSYNC_FL,
		FS_CASEFOLD_FL, 0x80000000,
	};
	static const unsigned int xodd[] = {
		FS_XFLAG_REALTIME, FS_XFLAG_EXTSZINHERIT, FS_XFLAG_RTINHERIT,
		FS_XFLAG_NODEFRAG, FS_XFLAG_PROJINHERIT, FS_XFLAG_FILESTREAM,
		0x00100000,
	};
	struct fsxattr fsx;
	char text[64];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(odd) + ARRAY_SIZE(xodd); i++) {
		bool x = i >= ARRAY_SIZE(odd);
		unsigned int bit = x ? xodd[i - ARRAY_SIZE(odd)] : odd[i];
		unsigned int dax = x ? FS_XFLAG_DAX : FS_DAX_FL;
		unsigned int on = to == DAXSTACK_DAX ? dax : 0;
		int (*change)(int fd, unsigned int set, unsigned int clear) =
			x ? change_xflags : change_flags;

		snprintf(text, sizeof(text), "%s with %#x",
			 x ? "FSSETXATTR" : "SETFLAGS", bit);
		make("f", !to);
		fd = MUST(open("f", O_RDONLY));
		saw_errno(ANY, change(fd, on | bit, dax & ~on), "%s", text);
		look(fd, !to, ANY, "%s", text);
		look_at_others(fd, text);
		reopen(&fd);
		look(fd, ANY, ANY, "%s, closed", text);
		saw_errno(ANY, change(fd, 0, bit), "%s, and back", text);
		close(fd);
		MUST(unlink("f"));
	}

	/* Only directories can have it: the whole call is refused. */
	make("f", !to);
	fd = MUST(open("f", O_RDONLY));
	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	fsx.fsx_xflags ^= FS_XFLAG_DAX;
	fsx.fsx_xflags |= FS_XFLAG_EXTSZINHERIT;
	fsx.fsx_extsize = 16 * KIB;
	saw_errno(EINVAL, ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx)),
		  "EXTSZINHERIT of a file");
	look(fd, !to, !to, "EXTSZINHERIT of a file");

	/* A file with extents. */
	fsx.fsx_xflags &= ~FS_XFLAG_EXTSZINHERIT;
	fsx.fsx_xflags |= FS_XFLAG_EXTSIZE;
	MUST(fsync(fd));
	saw_errno(dxs_on_xfs() ? EINVAL : ANY,
		  ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx)),
		  "extent size, with extents");
	look(fd, !to, ANY, "extent size, with extents");
	reopen(&fd);
	look(fd, ANY, ANY, "extent size, with extents, closed");
	close(fd);
	MUST(unlink("f"));

	/* A file without extents. */
	fd = MUST(open("f", O_RDONLY | O_CREAT | O_EXCL, 0644));
	fsx.fsx_xflags &= ~FS_XFLAG_DAX;
	fsx.fsx_xflags |= to == DAXSTACK_DAX ? FS_XFLAG_DAX : 0;
	saw_errno(ANY, ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx)),
		  "extent size, empty");
	look(fd, ANY, ANY, "extent size, empty");
	reopen(&fd);
	look(fd, ANY, ANY, "extent size, empty, closed");
	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	saw(ANY, fsx.fsx_extsize, "extent size, empty: value");
	close(fd);
	MUST(unlink("f"));

	/* ext4 may fail after it has stored the flag. */
	make("f", !to);
	fd = MUST(open("f", O_RDONLY));
	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	fsx.fsx_xflags ^= FS_XFLAG_DAX;
	fsx.fsx_projid = 5;
	saw_errno(ANY, ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx)), "a project");
	look(fd, !to, ANY, "a project");
	reopen(&fd);
	look(fd, ANY, ANY, "a project, closed");
	close(fd);
}

/* Only on ext4. A file with data journalling cannot be in dax mode. */
void play_journalled(int to)
{
	int fd;

	(void)to;
	make("f", DAXSTACK_CACHED);
	fd = MUST(open("f", O_RDONLY));
	saw_errno(0, change_flags(fd, FS_JOURNAL_DATA_FL, 0), "journalled");
	saw_errno(EOPNOTSUPP, change_flags(fd, FS_DAX_FL, 0),
		  "journalled: SETFLAGS");
	saw_errno(EOPNOTSUPP, change_xflags(fd, FS_XFLAG_DAX, 0),
		  "journalled: FSSETXATTR");
	saw_errno(EOPNOTSUPP, change_flags(fd, FS_DAX_FL, FS_JOURNAL_DATA_FL),
		  "journalled: one for the other");
	look(fd, DAXSTACK_CACHED, DAXSTACK_CACHED, "journalled");
	reopen(&fd);
	look(fd, DAXSTACK_CACHED, DAXSTACK_CACHED, "journalled, closed");
	saw_errno(0, change_flags(fd, 0, FS_JOURNAL_DATA_FL), "no longer");
	saw_errno(0, change_flags(fd, FS_DAX_FL, 0), "no longer: SETFLAGS");
	reopen(&fd);
	look(fd, DAXSTACK_DAX, DAXSTACK_DAX, "no longer, closed");

	saw_errno(EOPNOTSUPP, change_flags(fd, FS_JOURNAL_DATA_FL, 0),
		  "a file in dax");
	look(fd, DAXSTACK_DAX, DAXSTACK_DAX, "a file in dax");
	saw_errno(0, change_flags(fd, 0, FS_DAX_FL), "flag cleared");
	saw_errno(ANY, change_flags(fd, FS_JOURNAL_DATA_FL, 0),
		  "flag cleared, still in dax");
	look(fd, DAXSTACK_DAX, ANY, "flag cleared, still in dax");
	look_at_others(fd, "flag cleared, still in dax");
	saw_errno(ANY, change_flags(fd, FS_JOURNAL_DATA_FL | FS_DAX_FL, 0),
		  "both, still in dax");
	look(fd, DAXSTACK_DAX, ANY, "both, still in dax");
	look_at_others(fd, "both, still in dax");
	reopen(&fd);
	look(fd, ANY, ANY, "both, still in dax, closed");
	look_at_others(fd, "both, still in dax, closed");
	change_flags(fd, 0, FS_JOURNAL_DATA_FL | FS_DAX_FL);
	reopen(&fd);
	look(fd, DAXSTACK_CACHED, DAXSTACK_CACHED, "neither");

	saw_errno(ANY, change_flags(fd, FS_JOURNAL_DATA_FL | FS_DAX_FL, 0),
		  "both in one call");
	look(fd, DAXSTACK_CACHED, ANY, "both in one call");
	look_at_others(fd, "both in one call");
	reopen(&fd);
	look(fd, ANY, ANY, "both in one call, closed");
	look_at_others(fd, "both in one call, closed");
	close(fd);
}

void play_who(int to)
{
	struct stat st;
	int fd, dir;

	make("f", !to);
	MUST(mkdir("d", 0755));
	fd = MUST(open("f", O_RDONLY));
	dir = MUST(open("d", O_RDONLY));
	MUST(seteuid(NOBODY));
	saw_errno(EPERM, dxs_set_xflag(fd, to), "another user: FSSETXATTR");
	saw_errno(EPERM, dxs_set_xflag(fd, !to),
		  "another user: FSSETXATTR without a change");
	saw_errno(EPERM, flag_by_setflags(fd, to), "another user: SETFLAGS");
	saw_errno(EPERM, dxs_set_xflag(dir, DAXSTACK_DAX),
		  "another user: a directory");
	MUST(seteuid(0));
	look(fd, !to, !to, "another user");
	reopen(&fd);
	look(fd, !to, !to, "another user, closed");

	MUST(fchown(fd, NOBODY, NOBODY));
	MUST(fchmod(fd, 0444));
	change_cap(CAP_FOWNER, false);
	saw_errno(EPERM, dxs_set_xflag(fd, to),
		  "root without CAP_FOWNER: FSSETXATTR");
	saw_errno(EPERM, flag_by_setflags(fd, to),
		  "root without CAP_FOWNER: SETFLAGS");
	change_cap(CAP_FOWNER, true);
	look(fd, !to, !to, "root without CAP_FOWNER");
	saw_errno(0, dxs_set_xflag(fd, to), "root with CAP_FOWNER");
	look(fd, !to, to, "root with CAP_FOWNER");
	reopen(&fd);
	look(fd, to, to, "root with CAP_FOWNER, closed");

	MUST(fchmod(fd, 06555));
	MUST(seteuid(NOBODY));
	saw_errno(0, dxs_set_xflag(fd, !to), "the owner: FSSETXATTR");
	MUST(fstat(fd, &st));
	saw(ANY, st.st_mode, "the owner: the set-user-ID bit");
	saw_errno(0, flag_by_setflags(fd, to), "the owner: SETFLAGS");
	saw_errno(0, flag_by_setflags(fd, !to), "the owner: and back");
	MUST(seteuid(0));
	look(fd, to, !to, "the owner");
	reopen(&fd);
	look(fd, !to, !to, "the owner, closed");
	close(fd);
	close(dir);
}

static void remount(unsigned long flags)
{
	MUST(mount(NULL, root, NULL, MS_REMOUNT | flags, NULL));
}

void play_read_only(int to)
{
	/* The whole filesystem, or the mount. */
	static const unsigned long binds[] = { 0, MS_BIND };
	char text[64];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(binds); i++) {
		const char *name = binds[i] ? "read-only mount" :
					      "read-only filesystem";

		make("f", !to);
		fd = MUST(open("f", O_RDONLY));
		remount(MS_RDONLY | binds[i]);
		saw_errno(EROFS, dxs_set_xflag(fd, to), "%s: FSSETXATTR", name);
		saw_errno(EROFS, dxs_set_xflag(fd, !to),
			  "%s: FSSETXATTR without a change", name);
		saw_errno(EROFS, flag_by_setflags(fd, to), "%s: SETFLAGS",
			  name);
		MUST(seteuid(NOBODY));
		saw_errno(EROFS, dxs_set_xflag(fd, to), "%s: another user",
			  name);
		MUST(seteuid(0));
		look(fd, !to, !to, "%s", name);
		reopen(&fd);
		look(fd, !to, !to, "%s, closed", name);
		remount(binds[i]);

		saw_errno(0, dxs_set_xflag(fd, to), "%s: before", name);
		remount(MS_RDONLY | binds[i]);
		look(fd, !to, to, "%s, changed before", name);
		close(fd);
		snprintf(text, sizeof(text), "%s, changed before, closed",
			 name);
		look_at("f", to, to, text);
		remount(binds[i]);
		MUST(unlink("f"));
	}
}
