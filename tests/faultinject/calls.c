// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls that are made to fail, each with its setup and teardown. Functions
 * that make a call return its errno.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "faultinject.h"

static char *lower_path;	/* absolute, as a mount source */
static int fd = -1;		/* of FAULT_FILE, for calls that need it open */
static uint8_t *map;		/* of it */

static void open_file(void)
{
	fd = MUST(open(FAULT_FILE, O_RDWR));
}

static void close_file(void)
{
	close(fd);
}

static void map_file(void)
{
	open_file();
	map = MUST(mmap(NULL, FAULT_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

static void unmap_file(void)
{
	MUST(munmap(map, FAULT_LEN));
	close_file();
}

static int closed(int new_fd)
{
	int err = ERR(new_fd);

	close(new_fd);
	return err;
}

static int do_open(void)
{
	return closed(open(FAULT_FILE, O_RDWR));
}

static int do_read(void)
{
	char buf[PAGE];

	return ERR(pread(fd, buf, PAGE, PAGE));
}

/* Writes the same bytes again. */
static int do_write(void)
{
	char buf[PAGE];

	dxs_fill(buf, PAGE, 1, PAGE);
	return ERR(pwrite(fd, buf, PAGE, PAGE));
}

static int do_map(void)
{
	void *new_map = mmap(NULL, FAULT_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			     0);
	int err = ERR(new_map);

	if (!err)
		munmap(new_map, FAULT_LEN);
	return err;
}

static int do_fault_read(void)
{
	return ERR(madvise(map, FAULT_LEN, MADV_POPULATE_READ));
}

static int do_fault_write(void)
{
	return ERR(madvise(map, FAULT_LEN, MADV_POPULATE_WRITE));
}

static void to(int mode)
{
	int err;

	open_file();
	err = dxs_switch(fd, mode, 2000, NULL);
	if (err)
		dxs_bail("switch to %s: %s", dxs_mode_name(mode),
			 strerror(err));
	close_file();
}

static void to_dax(void)
{
	to(DAXSTACK_DAX);
}

static void close_cached(void)
{
	close_file();
	to(DAXSTACK_CACHED);
}

static void unmap_cached(void)
{
	unmap_file();
	to(DAXSTACK_CACHED);
}

static void map_dirty(void)
{
	map_file();
	map[PAGE] = map[PAGE];
	map[3 * PAGE] = map[3 * PAGE];
}

static int do_to_dax(void)
{
	return dxs_switch(fd, DAXSTACK_DAX, 0, NULL);
}

static int do_to_cached(void)
{
	return dxs_switch(fd, DAXSTACK_CACHED, 0, NULL);
}

static int do_x_dax(void)
{
	return dxs_set_xflag(fd, DAXSTACK_DAX);
}

static int do_x_cached(void)
{
	return dxs_set_xflag(fd, DAXSTACK_CACHED);
}

static int do_state(void)
{
	struct daxstack_state state;

	return ERR(ioctl(fd, DAXSTACK_IOC_STATE, &state));
}

static int do_create(void)
{
	return ERR(mknod("stack/new", S_IFREG | 0644, 0));
}

static int do_create_dax(void)
{
	return ERR(mknod("stack/dir/new", S_IFREG | 0644, 0));
}

static int do_tmpfile(void)
{
	return closed(open("stack/dir", O_RDWR | O_TMPFILE, 0644));
}

static int do_mkdir(void)
{
	return ERR(mkdir("stack/new", 0755));
}

static int do_symlink(void)
{
	return ERR(symlink("file", "stack/new"));
}

static int do_link(void)
{
	return ERR(link(FAULT_FILE, "stack/new"));
}

static void make_new(void)
{
	close(MUST(open("stack/new", O_RDWR | O_CREAT, 0644)));
}

static int do_unlink(void)
{
	return ERR(unlink("stack/new"));
}

static int do_rename(void)
{
	return ERR(rename("stack/new", "stack/dir/moved"));
}

static void rm_new(void)
{
	unlink("stack/new");
	rmdir("stack/new");
	unlink("stack/dir/new");
	unlink("stack/dir/moved");
}

static void inherit_move(void)
{
	make_new();
	dxs_remount("inherit=move");
}

static void inherit_create(void)
{
	rm_new();
	dxs_remount("inherit=create");
}

static int do_stat(void)
{
	struct stat st;

	return ERR(stat(FAULT_FILE, &st));
}

static int do_readdir(void)
{
	char buf[1024];
	int dir = open("stack", O_RDONLY | O_DIRECTORY), err = ERR(dir);

	if (!err)
		err = ERR(syscall(SYS_getdents64, dir, buf, sizeof(buf)));
	close(dir);
	return err;
}

static int do_setxattr(void)
{
	return ERR(setxattr(FAULT_FILE, FAULT_XATTR, "value", 5, 0));
}

static int do_getxattr(void)
{
	char value[16];

	return ERR(getxattr(FAULT_FILE, FAULT_XATTR, value, sizeof(value)));
}

static void set_xattr(void)
{
	MUST(setxattr(FAULT_FILE, FAULT_XATTR, "value", 5, 0));
}

static void rm_xattr(void)
{
	if (removexattr(FAULT_FILE, FAULT_XATTR) && errno != ENODATA)
		dxs_bail("removexattr: %m");
}

static int do_truncate(void)
{
	return ERR(truncate(FAULT_FILE, 3 * PAGE));
}

static void fill_file(void)
{
	uint8_t buf[FAULT_LEN];

	open_file();
	dxs_fill(buf, FAULT_LEN, 1, 0);
	dxs_pwrite(fd, buf, FAULT_LEN, 0);
	close_file();
}

static int do_fallocate(void)
{
	return ERR(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, PAGE));
}

static void fill_close(void)
{
	close_file();
	fill_file();
}

static int do_fsync(void)
{
	return ERR(fsync(fd));
}

static void open_dirty(void)
{
	open_file();
	do_write();
}

static int do_remount(void)
{
	return ERR(mount(NULL, "stack", NULL, MS_REMOUNT, "switch=unmapped"));
}

static void switch_live(void)
{
	dxs_remount("switch=live");
}

static int do_mount(void)
{
	return ERR(mount(dxs_pmem, "stack", "daxstack", 0, ""));
}

static int do_mount_dir(void)
{
	return ERR(mount(lower_path, "stack", "daxstack", 0, ""));
}

static void mount_again(void)
{
	dxs_umount("stack");
	dxs_umount("lower");
	dxs_mount_stack();
}

/* The mount may have succeeded or failed: switches files, or mounts again. */
static void use_mount(void)
{
	if (access(FAULT_FILE, F_OK)) {
		mount_again();
		return;
	}
	/* The stack needs the lower filesystem for itself. */
	dxs_umount("lower");
	to(DAXSTACK_DAX);
	to(DAXSTACK_CACHED);
}

static void only_lower(void)
{
	dxs_umount_stack();
	dxs_mount_lower();
}

static int do_umount(void)
{
	return dxs_umount("stack");
}

/* Whether the kernel must drop its caches first. */
#define WARM	false
#define COLD	true

const struct fault_call fault_calls[] = {
	{ "open", COLD, NULL, NULL, do_open, NULL, 0 },
	{ "stat", COLD, NULL, NULL, do_stat, NULL, 0 },
	{ "readdir", COLD, NULL, NULL, do_readdir, NULL, 0 },
	{ "first read", COLD, NULL, open_file, do_read, close_file, 0 },
	{ "first write", COLD, NULL, open_file, do_write, close_file, 0 },
	{ "first mmap", COLD, NULL, open_file, do_map, close_file, 0 },
	{ "read fault, cached", COLD, NULL, map_file,
		do_fault_read, unmap_file, EFAULT },
	{ "write fault, cached", COLD, NULL, map_file,
		do_fault_write, unmap_file, EFAULT },
	{ "read fault, dax", COLD, to_dax, map_file,
		do_fault_read, unmap_cached, EFAULT },
	{ "write fault, dax", COLD, to_dax, map_file,
		do_fault_write, unmap_cached, EFAULT },
	{ "switch to dax", WARM, NULL, map_dirty, do_to_dax, unmap_cached, 0 },
	{ "switch to dax, cold", COLD, NULL, open_file,
		do_to_dax, close_cached, 0 },
	{ "switch to cached", WARM, to_dax, map_dirty,
		do_to_cached, unmap_cached, 0 },
	{ "FSSETXATTR to dax", WARM, NULL, map_dirty,
		do_x_dax, unmap_cached, 0 },
	{ "FSSETXATTR to cached", WARM, to_dax, map_dirty,
		do_x_cached, unmap_cached, 0 },
	{ "state", COLD, NULL, open_file, do_state, close_file, 0 },
	{ "create", WARM, NULL, NULL, do_create, rm_new, 0 },
	{ "create in a dax directory", WARM, NULL, NULL,
		do_create_dax, rm_new, 0 },
	{ "O_TMPFILE in a dax directory", WARM, NULL, NULL,
		do_tmpfile, NULL, 0 },
	{ "mkdir", WARM, NULL, NULL, do_mkdir, rm_new, 0 },
	{ "symlink", WARM, NULL, NULL, do_symlink, rm_new, 0 },
	{ "link", WARM, NULL, NULL, do_link, rm_new, 0 },
	{ "unlink", COLD, make_new, NULL, do_unlink, rm_new, 0 },
	{ "rename", COLD, make_new, NULL, do_rename, rm_new, 0 },
	{ "rename, inherit=move", WARM, inherit_move, NULL,
		do_rename, inherit_create, 0 },
	{ "setxattr", COLD, NULL, NULL, do_setxattr, rm_xattr, 0 },
	{ "getxattr", COLD, set_xattr, NULL, do_getxattr, rm_xattr, 0 },
	{ "truncate", COLD, NULL, NULL, do_truncate, fill_file, 0 },
	{ "fallocate", WARM, NULL, open_file, do_fallocate, fill_close, 0 },
	{ "fsync", WARM, NULL, open_dirty, do_fsync, close_file, 0 },
	{ "remount", WARM, NULL, NULL, do_remount, switch_live, 0 },
	{ "umount", WARM, NULL, NULL, do_umount, mount_again, 0 },
	{ "mount", WARM, dxs_umount_stack, NULL, do_mount, use_mount, 0 },
	{ "mount of a directory", WARM, only_lower, NULL,
		do_mount_dir, use_mount, 0 },
};

const size_t fault_call_count = ARRAY_SIZE(fault_calls);

void fault_prepare_calls(void)
{
	int dir;

	lower_path = realpath("lower", NULL);
	if (!lower_path)
		dxs_bail("lower: %m");
	dxs_mkfs(NULL);
	dxs_mount_stack();
	MUST(mkdir("stack/dir", 0755));
	dir = MUST(open("stack/dir", O_RDONLY | O_DIRECTORY));
	if (dxs_set_xflag(dir, DAXSTACK_DAX))
		dxs_bail("FS_XFLAG_DAX of a directory: %m");
	close(dir);
	close(MUST(open(FAULT_FILE, O_RDWR | O_CREAT, 0644)));
	fill_file();
}
