// SPDX-License-Identifier: GPL-2.0-only
/*
 * H72: FUSE passthrough maps a file of the stack; the mapping is the only thing
 * that keeps the file: no descriptor, no path.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "overlay.h"

/* Not in older headers: see include/uapi/linux/fuse.h of Linux 6.9. */
#define PASSTHROUGH		(1ull << 37)
#define OPEN_PASSTHROUGH	(1 << 7)

struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};

#define BACKING_OPEN	_IOW(229, 1, struct backing_map)
#define BACKING_CLOSE	_IOW(229, 2, uint32_t)


#define LEN	(32 * PAGE)
#define NODE	2

static void answer(int dev, uint64_t unique, int err, const void *data, size_t len)
{
	char buf[512];
	struct fuse_out_header head = {
		.len = sizeof(head) + (err ? 0 : len),
		.error = -err,
		.unique = unique,
	};

	memcpy(buf, &head, sizeof(head));
	if (len)
		memcpy(buf + sizeof(head), data, len);
	if (write(dev, buf, head.len) < 0 && errno != ENOENT)
		_exit(3);
}

static struct fuse_attr attr_of(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node,
		.mode = node == NODE ? S_IFREG | 0644 : S_IFDIR | 0755,
		.nlink = 1,
		.size = node == NODE ? LEN : 0,
		.blksize = PAGE,
	};
}

/* Opens stack/file for each opener, and closes it on release. */
static void serve(int dev, const struct fuse_in_header *in, const char *arg)
{
	static int fd, id;
	union {
		struct fuse_init_out init;
		struct fuse_entry_out entry;
		struct fuse_attr_out attr;
		struct fuse_open_out open;
		struct fuse_statfs_out statfs;
		uint32_t words[16];
	} out;
	struct backing_map map = { 0 };

	memset(&out, 0, sizeof(out));
	switch (in->opcode) {
	case FUSE_INIT:
		out.init.major = FUSE_KERNEL_VERSION;
		out.init.minor = 40;
		out.init.max_readahead = ((struct fuse_init_in *)arg)->max_readahead;
		out.init.flags = 1u << 30;	/* FUSE_INIT_EXT */
		out.init.flags2 = PASSTHROUGH >> 32;
		out.init.max_write = PAGE;
		/* max_stack_depth */
		memcpy((char *)&out.init + offsetof(struct fuse_init_out, flags2) + 4,
		       &(uint32_t){ 2 }, 4);
		answer(dev, in->unique, 0, &out, sizeof(out.init));
		break;
	case FUSE_LOOKUP:
		if (strcmp(arg, "file")) {
			answer(dev, in->unique, ENOENT, NULL, 0);
			break;
		}
		out.entry.nodeid = NODE;
		out.entry.attr_valid = 1000;
		out.entry.entry_valid = 1000;
		out.entry.attr = attr_of(NODE);
		answer(dev, in->unique, 0, &out, sizeof(out.entry));
		break;
	case FUSE_GETATTR:
		out.attr.attr_valid = 1000;
		out.attr.attr = attr_of(in->nodeid);
		answer(dev, in->unique, 0, &out, sizeof(out.attr));
		break;
	case FUSE_OPEN:
		fd = open("stack/file", O_RDWR);
		map.fd = fd;
		id = ioctl(dev, BACKING_OPEN, &map);
		if (id <= 0) {
			answer(dev, in->unique, errno ?: EIO, NULL, 0);
			break;
		}
		out.open.fh = 1;
		out.open.open_flags = OPEN_PASSTHROUGH;
		memcpy((char *)&out.open + 12, &id, sizeof(id));
		answer(dev, in->unique, 0, &out, sizeof(out.open));
		break;
	case FUSE_RELEASE:
		close(fd);
		ioctl(dev, BACKING_CLOSE, &id);
		answer(dev, in->unique, 0, NULL, 0);
		break;
	case FUSE_FLUSH:
	case FUSE_ACCESS:
		answer(dev, in->unique, 0, NULL, 0);
		break;
	case FUSE_STATFS:
		answer(dev, in->unique, 0, &out, sizeof(out.statfs));
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(dev, in->unique, ENOSYS, NULL, 0);
	}
}

static pid_t start_server(int dev)
{
	static char buf[1 << 17];
	pid_t pid = MUST(fork());

	if (pid)
		return pid;
	while (read(dev, buf, sizeof(buf)) > 0)
		serve(dev, (void *)buf, buf + sizeof(struct fuse_in_header));
	_exit(0);
}

/* Waits until the server has closed the stack's file: RELEASE has no reply. */
static bool let_go(pid_t server)
{
	char link[64], path[256];
	int fd, tries;
	ssize_t n;
	bool has;

	for (tries = 0; tries < 3000; tries++) {
		has = false;
		for (fd = 0; fd < 64; fd++) {
			snprintf(link, sizeof(link), "/proc/%d/fd/%d", server, fd);
			n = readlink(link, path, sizeof(path) - 1);
			path[n > 0 ? n : 0] = '\0';
			has |= !!strstr(path, "stack/file");
		}
		if (!has)
			return true;
		dxs_sleep_ms(10);
	}
	return false;
}

void test_passthrough(void)
{
	uint8_t *expected = malloc(LEN), *map;
	char options[128];
	int dev, fd, err;
	pid_t server;

	dxs_mkfs(NULL);
	dxs_mount_stack();
	fd = MUST(open("stack/file", O_RDWR | O_CREAT, 0644));
	dxs_fill(expected, LEN, 1, 0);
	dxs_pwrite(fd, expected, LEN, 0);
	close(fd);

	DXS_RUN_READ(NULL, 0, "modprobe", "fuse");
	dev = MUST(open("/dev/fuse", O_RDWR));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0",
		 dev);
	MUST(mkdir("fuse", 0755));
	MUST(mount("none", "fuse", "fuse", 0, options));
	server = start_server(dev);
	close(dev);

	fd = open("fuse/file", O_RDWR);
	if (!dxs_errno(0, ERR(fd), "passthrough open of a file of the stack"))
		goto out;
	map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	dxs_errno(0, ERR(map), "passthrough mmap");
	close(fd);
	if (map == MAP_FAILED)
		goto out;
	dxs_ok(let_go(server), "the server closes the file");

	/* No dentry cache may keep it in use either. */
	err = dxs_umount("stack");
	if (dxs_errno(EBUSY, err,
		      "umount of the stack with the mapping: EBUSY")) {
		dxs_ok(dxs_same(expected, map, LEN, 0, "the mapping"),
		       "contents of the mapping");
		fd = MUST(open("stack/file", O_RDWR));
		dxs_to(fd, DAXSTACK_DAX, "switch with the mapping");
		map[PAGE] ^= 1;
		expected[PAGE] ^= 1;
		dxs_to(fd, DAXSTACK_CACHED, "switch back");
		dxs_ok(dxs_same(expected, map, LEN, 0, "the mapping"),
		       "contents of the mapping after the switches");
		close(fd);
	}
	MUST(munmap(map, LEN));
	if (err)
		dxs_errno(0, dxs_umount("stack"),
			  "umount after the mapping is gone");
	dxs_fsck();
out:
	MUST(umount2("fuse", MNT_DETACH));
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	free(expected);
}
