// SPDX-License-Identifier: GPL-2.0-only
/*
 * switchnever: read and change flag and mode of files.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchnever.h"

/* Records mode and flag of an open file; each expectation may be ANY. */
void look(int fd, long long mode, long long flag, const char *what, ...)
{
	unsigned int flags;
	char text[128];
	va_list args;

	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	saw(mode, dxs_mode(fd), "%s: mode", text);
	saw(flag, dxs_xflag(fd), "%s: FS_XFLAG_DAX", text);
	saw(flag, !!(flags & FS_DAX_FL), "%s: FS_DAX_FL", text);
}

/*
 * The same for a file that is opened for it. A directory is never in dax mode.
 */
void look_at(const char *path, long long mode, long long flag,
	     const char *what)
{
	int fd = MUST(open(path, O_RDONLY));

	look(fd, mode, flag, "%s", what);
	close(fd);
}

/* MAP_SYNC works only in dax mode: checks more than statx reports. */
void look_by_map(int fd, int mode, const char *what)
{
	void *map = dxs_map_sync(fd, PAGE);

	saw_errno(mode == DAXSTACK_DAX ? 0 : EOPNOTSUPP, ERR(map),
		  "%s: MAP_SYNC", what);
	if (map != MAP_FAILED)
		MUST(munmap(map, PAGE));
}

/* Records attributes other than DAX. */
void look_at_others(int fd, const char *what)
{
	struct statx stx;
	unsigned int flags;

	MUST(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME,
		   &stx));
	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	saw(ANY, flags, "%s: FS_IOC_GETFLAGS", what);
	saw(ANY, stx.stx_attributes, "%s: stx_attributes", what);
	saw(ANY, stx.stx_attributes_mask, "%s: stx_attributes_mask", what);
	saw(ANY, stx.stx_mode, "%s: stx_mode", what);
}

uint32_t sum_of(const char *path)
{
	int fd = MUST(open(path, O_RDONLY));
	uint8_t buf[PAGE];
	uint32_t sum = 1;
	ssize_t n, i;

	while ((n = MUST(read(fd, buf, sizeof(buf)))) > 0)
		for (i = 0; i < n; i++)
			sum = (sum ^ buf[i]) * 16777619;
	close(fd);
	return sum;
}

int change_flags(int fd, unsigned int set, unsigned int clear)
{
	unsigned int flags;

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags = (flags & ~clear) | set;
	return ERR(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

int change_xflags(int fd, unsigned int set, unsigned int clear)
{
	struct fsxattr fsx;

	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	fsx.fsx_xflags = (fsx.fsx_xflags & ~clear) | set;
	return ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
}

int flag_by_setflags(int fd, int mode)
{
	return mode == DAXSTACK_DAX ? change_flags(fd, FS_DAX_FL, 0) :
				      change_flags(fd, 0, FS_DAX_FL);
}

/* Changes the flag; must succeed. */
void set(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDONLY));

	saw_errno(0, dxs_set_xflag(fd, mode), "flag of %s for %s", path,
		  dxs_mode_name(mode));
	close(fd);
}

/* Creates a closed file in a mode, with contents that may still be dirty. */
void make(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_EXCL, 0644));
	uint8_t buf[LEN];

	dxs_fill(buf, LEN, 1, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	close(fd);
	if (mode == DAXSTACK_DAX)
		set(path, mode);
}

void make_dir(const char *path, int flag)
{
	MUST(mkdir(path, 0755));
	set(path, flag);
}

/* Repeated, because one round may release what the next one frees. */
void let_go(const char *which)
{
	int fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY));
	int i;

	sync();
	for (i = 0; i < 5; i++)
		MUST(write(fd, which, 1));
	close(fd);
}
