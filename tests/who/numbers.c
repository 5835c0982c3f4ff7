// SPDX-License-Identifier: GPL-2.0-only
/*
 * H77: the device number. Asserts that stat(2), /proc/PID/maps and mountinfo
 * agree, that the kernel finds the lower filesystem by it, and that mounts and
 * unmounts leave nothing behind.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/quota.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "who.h"

/* Reads device and inode of a mapping from /proc/self/maps. */
static bool look_at_map(const void *map, dev_t *dev, unsigned long *ino)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned int major, minor;
	unsigned long start;
	char line[1000];
	bool found = false;

	while (!found && maps && fgets(line, sizeof(line), maps))
		found = sscanf(line, "%lx-%*x %*s %*x %x:%x %lu", &start,
			       &major, &minor, ino) == 4 &&
			start == (unsigned long)map;
	if (maps)
		fclose(maps);
	*dev = makedev(major, minor);
	return found;
}

static dev_t dev_in_mountinfo(const char *directory)
{
	char path[512], target[512], line[2000];
	FILE *info = fopen("/proc/self/mountinfo", "r");
	unsigned int major, minor;
	dev_t dev = 0;

	if (!realpath(directory, path))
		dxs_bail("%s: %m", directory);
	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "%*d %*d %u:%u %*s %511s", &major, &minor,
			   target) == 3 && !strcmp(target, path))
			dev = makedev(major, minor);
	if (info)
		fclose(info);
	return dev;
}

static void agree(int mode)
{
	const char *name = dxs_mode_name(mode);
	unsigned long ino = 0;
	struct stat st;
	void *map;
	dev_t dev;
	int fd;

	make_file("stack/numbers", mode);
	fd = MUST(open("stack/numbers", O_RDWR));
	map = MUST(mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0));
	MUST(fstat(fd, &st));
	close(fd);
	if (!dxs_ok(look_at_map(map, &dev, &ino), "%s: in maps", name))
		return;
	dxs_is(st.st_dev, dev, "%s: device in maps", name);
	dxs_is(st.st_ino, ino, "%s: inode in maps", name);
	dxs_is(st.st_dev, dev_in_mountinfo("stack"), "%s: device in mountinfo",
	       name);
	MUST(munmap(map, LEN));
	MUST(stat(dxs_pmem, &st));
	dxs_is(st.st_rdev, dev, "%s: is the number of the block device", name);
}

static int quotactl_by_device(int cmd, void *addr)
{
	return ERR(syscall(SYS_quotactl, QCMD(cmd, USRQUOTA), dxs_pmem, 0,
			   addr));
}

/*
 * A call that the lower filesystem answers, and the stack's superblock does
 * not.
 */
static void lower_is_found(const char *name)
{
	unsigned int flags = 0, format = 0;

	if (dxs_on_xfs()) {
		dxs_errno(EINVAL, quotactl_by_device(Q_XQUOTARM, &flags),
			  "%s: XFS answers quotactl(2)", name);
		return;
	}
	dxs_errno(0, quotactl_by_device(Q_GETFMT, &format),
		  "%s: ext4 answers quotactl(2)", name);
	dxs_is(QFMT_VFS_V1, format, "%s: quota format", name);
}

/* Concurrent mounts: one creates the superblock, the others share it. */
static void mount_at_once(void)
{
	enum { N = 4 };
	char directory[N][8], options[40];
	int failed = 0, status, i;
	pid_t pids[N];

	snprintf(options, sizeof(options), "lower=%s,dax=inode", dxs_fs);
	for (i = 0; i < N; i++) {
		snprintf(directory[i], sizeof(directory[i]), "once%d", i);
		MUST(mkdir(directory[i], 0755));
	}
	fflush(stdout);
	for (i = 0; i < N; i++) {
		pids[i] = MUST(fork());
		if (!pids[i])
			_exit(dxs_mount(dxs_pmem, directory[i], "daxstack",
					options));
	}
	for (i = 0; i < N; i++) {
		MUST(waitpid(pids[i], &status, 0));
		if (status) {
			dxs_diag("mount %d: status %#x", i, status);
			failed++;
		}
	}
	dxs_is(0, failed, "concurrent mounts succeed");
	for (i = 0; i < N; i++) {
		dxs_umount(directory[i]);
		MUST(rmdir(directory[i]));
	}
}

void test_numbers(void)
{
	int i;

	if (dxs_on_xfs() ? DXS_RUN("mkfs.xfs", "-q", "-f", dxs_pmem) :
			   DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", "-O",
				   "quota", dxs_pmem))
		dxs_bail("mkfs");
	dxs_mount_stack();
	agree(DAXSTACK_CACHED);
	agree(DAXSTACK_DAX);
	lower_is_found("mounted by device");
	dxs_umount_stack();

	/* If the wrong number were released, the kernel would complain. */
	for (i = 0; i < 3; i++)
		mount_at_once();

	dxs_mount_lower();
	MUST(dxs_mount("lower", "stack", "daxstack", "rw") ? -1 : 0);
	dxs_is(dev_in_mountinfo("lower"), dev_in_mountinfo("stack"),
	       "mounted by directory: same device");
	lower_is_found("mounted by directory");
	dxs_umount_lower();
	lower_is_found("directory unmounted");
	dxs_umount_stack();
}
