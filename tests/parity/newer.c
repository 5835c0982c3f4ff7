// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: calls and flags added after Linux 6.1, and hints. An older kernel
 * refuses them on both sides alike.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "parity.h"

/* Not in older headers. */
#define NOAPPEND	0x20
#define ATOMIC		0x40
#define DONTCACHE	0x80
#define NOSIGNAL	0x100
#ifndef SYS_cachestat
#define SYS_cachestat	451
#endif
#define DIOALIGN	0x2000
#define MNT_ID_UNIQUE	0x4000
#define SUBVOL		0x8000
#define WRITE_ATOMIC	0x10000
#define DIO_READ_ALIGN	0x20000
#ifndef FADV_NOREUSE
#define FADV_NOREUSE	POSIX_FADV_NOREUSE
#endif
#ifndef F_GET_FILE_RW_HINT
#define F_GET_FILE_RW_HINT 1037
#define F_SET_FILE_RW_HINT 1038
#endif

static void flagged_writes(int fd, const char *how, size_t len)
{
	static const struct {
		const char *name;
		int flags;
	} all[] = {
		{ "0", 0 },
		{ "HIPRI", RWF_HIPRI },
		{ "DSYNC", RWF_DSYNC },
		{ "SYNC", RWF_SYNC },
		{ "NOWAIT", RWF_NOWAIT },
		{ "APPEND", RWF_APPEND },
		{ "NOAPPEND", NOAPPEND },
		{ "NOAPPEND | APPEND", NOAPPEND | RWF_APPEND },
		{ "ATOMIC", ATOMIC },
		{ "DONTCACHE", DONTCACHE },
		{ "DONTCACHE | SYNC", DONTCACHE | RWF_SYNC },
		{ "DONTCACHE | ATOMIC", DONTCACHE | ATOMIC },
		{ "NOSIGNAL", NOSIGNAL },
		{ "1 << 9", 1 << 9 },
		{ "1 << 30", 1 << 30 },
	};
	uint8_t *buf = dxs_alloc(len), *back = dxs_alloc(len);
	struct iovec iov = { buf, len }, into = { back, len };
	struct stat st;
	ssize_t n;
	size_t i;

	dxs_fill(buf, len, 2, 0);
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		/* Whether the write would block depends on the mode. */
		if (all[i].flags == RWF_NOWAIT)
			continue;
		note("%s, %zu bytes, RWF_%s", how, len, all[i].name);
		MUST(ftruncate(fd, 4 * len));
		MUST(lseek(fd, 0, SEEK_SET));
		tell_ret("pwritev2", pwritev2(fd, &iov, 1, len, all[i].flags));
		MUST(fstat(fd, &st));
		note("size %ld", (long)st.st_size);
		memset(back, 0, len);
		n = preadv2(fd, &into, 1, len, all[i].flags);
		tell_ret("preadv2", n);
		if (n > 0)
			note("the bytes are %s", !back[0] ? "none" :
			     memcmp(buf, back, n) ? "others" : "right");
		/* At the current file position. */
		tell_ret("pwritev2 at -1", pwritev2(fd, &iov, 1, -1,
						    all[i].flags));
	}
}

static void unaligned_atomic(int fd)
{
	uint8_t *buf = dxs_alloc(4 * PAGE);
	struct iovec two[2] = { { buf, PAGE }, { buf + PAGE, PAGE } };
	struct iovec odd = { buf, 3 * PAGE }, big = { buf, 4 * PAGE };

	tell_ret("atomic, two segments", pwritev2(fd, two, 2, 0, ATOMIC));
	tell_ret("atomic, three pages", pwritev2(fd, &odd, 1, 0, ATOMIC));
	tell_ret("atomic, four pages", pwritev2(fd, &big, 1, 0, ATOMIC));
	tell_ret("atomic, unaligned", pwritev2(fd, two, 1, 512, ATOMIC));
	tell_ret("atomic, of nothing", pwritev2(fd, two, 0, 0, ATOMIC));
}


static uint32_t word_at(const struct statx *x, size_t offset)
{
	uint32_t word;

	memcpy(&word, (const char *)x + offset, sizeof(word));
	return word;
}

static void newer_attributes(const char *name)
{
	union {
		struct statx x;
		char room[256];
	} all;

	memset(&all, 0, sizeof(all));
	tell_ret(name, statx(AT_FDCWD, name, 0, STATX_BASIC_STATS | STATX_BTIME |
			     DIOALIGN | SUBVOL | WRITE_ATOMIC | DIO_READ_ALIGN,
			     &all.x));
	note("%s: mask %#x, attributes %#llx of %#llx", name, all.x.stx_mask,
	     (unsigned long long)all.x.stx_attributes,
	     (unsigned long long)all.x.stx_attributes_mask);
	note("%s: direct I/O by %u, %u; reads %u", name, word_at(&all.x, 0x98),
	     word_at(&all.x, 0x9c), word_at(&all.x, 0xb4));
	note("%s: atomic writes of %u to %u, at best %u, %u segments", name,
	     word_at(&all.x, 0xa8), word_at(&all.x, 0xac),
	     word_at(&all.x, 0xb8), word_at(&all.x, 0xb0));
}

static void hints(int fd)
{
	static const int advice[] = { POSIX_FADV_NORMAL, POSIX_FADV_RANDOM,
		POSIX_FADV_SEQUENTIAL, POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,
		POSIX_FADV_NOREUSE, 6, 7, 100 };
	uint64_t hint;
	char c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		note("advice %d: %d", advice[i],
		     posix_fadvise(fd, 0, 0, advice[i]));
		TELL(pread(fd, &c, 1, 0));
	}
	note("advice, negative: %d", posix_fadvise(fd, 0, -1, POSIX_FADV_NOREUSE));
	for (i = 0; i < 8; i++) {
		hint = i;
		TELL(fcntl(fd, F_SET_RW_HINT, &hint));
		TELL(fcntl(fd, F_GET_RW_HINT, &hint));
		note("hint %d", (int)hint);
		hint = i;
		TELL(fcntl(fd, F_SET_FILE_RW_HINT, &hint));
		TELL(fcntl(fd, F_GET_FILE_RW_HINT, &hint));
	}
	hint = 1ull << 40;
	TELL(fcntl(fd, F_SET_RW_HINT, &hint));
}

/* Its numbers for a cached file are among the limits in README.md. */
static void cache_statistics(void)
{
	struct { uint64_t off, len; } range = { 0, 0 };
	uint64_t stat[5] = { 0 };
	int fd = MUST(open("file", O_RDONLY)), pipes[2];

	TELL(syscall(SYS_cachestat, fd, &range, stat, 0));
	TELL(syscall(SYS_cachestat, fd, &range, stat, 1));
	TELL(syscall(SYS_cachestat, fd, NULL, stat, 0));
	TELL(syscall(SYS_cachestat, -1, &range, stat, 0));
	MUST(pipe(pipes));
	TELL(syscall(SYS_cachestat, pipes[0], &range, stat, 0));
	close(fd);
}

static void newer_advice(int fd)
{
	static const struct {
		const char *name;
		int advice;
	} all[] = {
		{ "COLD", 20 }, { "PAGEOUT", 21 }, { "POPULATE_READ", 22 },
		{ "POPULATE_WRITE", 23 }, { "DONTNEED_LOCKED", 24 },
		{ "GUARD_INSTALL", 102 }, { "GUARD_REMOVE", 103 },
		{ "FREE", 8 }, { "REMOVE", 9 }, { "DONTFORK", 10 },
		{ "DOFORK", 11 }, { "MERGEABLE", 12 }, { "UNMERGEABLE", 13 },
		{ "HUGEPAGE", 14 }, { "NOHUGEPAGE", 15 }, { "DONTDUMP", 16 },
		{ "DODUMP", 17 }, { "WIPEONFORK", 18 }, { "KEEPONFORK", 19 },
		{ "WILLNEED", 3 }, { "DONTNEED", 4 }, { "RANDOM", 1 },
	};
	char *map = MUST(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0));
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		map[0] = 7;
		tell_ret(all[i].name, madvise(map, 2 * PAGE, all[i].advice));
		if (all[i].advice == 102)
			continue;
		note("after %s: %d, %d", all[i].name, map[0], map[2 * PAGE]);
	}
	munmap(map, 4 * PAGE);
}

static void by_descriptor(int fd)
{
	struct { uint8_t len; uint8_t id[16]; } uuid = { 0 };
	struct { uint32_t len; uint8_t name[128]; } sysfs = { 0 };

	/* FS_IOC_GETFSUUID, FS_IOC_GETFSSYSFSPATH; both since 6.9 */
	tell_ret("FS_IOC_GETFSUUID", ioctl(fd, _IOR(0x15, 0, uuid), &uuid));
	tell_ret("FS_IOC_GETFSSYSFSPATH", ioctl(fd, _IOR(0x15, 1, sysfs), &sysfs));
	/* F_CREATED_QUERY, F_DUPFD_QUERY; since 6.12 and 6.10 */
	TELL(fcntl(fd, 1024 + 4));
	TELL(fcntl(fd, 1024 + 3, fd));
}

/* Attributes by path, also of files that cannot be opened; since 6.17. */
#define SYS_file_getattr_	468
#define SYS_file_setattr_	469

struct file_attr {
	uint64_t xflags;
	uint32_t extsize, nextents, projid, cowextsize;
};

static void attributes_by_path(const char *name)
{
	struct file_attr attr = { 0 };

	note("--- attributes of %s", name);
	TELL(syscall(SYS_file_getattr_, AT_FDCWD, name, &attr, sizeof(attr),
		     AT_SYMLINK_NOFOLLOW));
	/* The number of extents depends on the mode. */
	note("xflags %#llx, project %u, hints %u, %u",
	     (unsigned long long)attr.xflags, attr.projid, attr.extsize,
	     attr.cowextsize);
	attr.xflags |= FS_XFLAG_NODUMP;
	TELL(syscall(SYS_file_setattr_, AT_FDCWD, name, &attr, sizeof(attr),
		     AT_SYMLINK_NOFOLLOW));
	TELL(syscall(SYS_file_getattr_, AT_FDCWD, name, &attr, sizeof(attr),
		     AT_SYMLINK_NOFOLLOW));
	note("xflags %#llx", (unsigned long long)attr.xflags);
	attr.projid = 77;
	TELL(syscall(SYS_file_setattr_, AT_FDCWD, name, &attr, sizeof(attr),
		     AT_SYMLINK_NOFOLLOW));
	attr.xflags |= FS_XFLAG_IMMUTABLE;
	TELL(syscall(SYS_file_setattr_, AT_FDCWD, name, &attr, sizeof(attr),
		     AT_SYMLINK_NOFOLLOW));
	attr.xflags &= ~FS_XFLAG_IMMUTABLE;
	TELL(syscall(SYS_file_setattr_, AT_FDCWD, name, &attr, sizeof(attr),
		     AT_SYMLINK_NOFOLLOW));
	TELL(syscall(SYS_file_setattr_, AT_FDCWD, name, &attr, 3, 0));
}

static void attributes_of_others(void)
{
	attributes_by_path("file");
}

void run_newer(void)
{
	int fd = make_file("file", 8 * PAGE), direct;

	flagged_writes(fd, "plain", PAGE);
	flagged_writes(fd, "plain", 100);
	close(fd);
	fd = MUST(open("file", O_RDWR | O_APPEND));
	flagged_writes(fd, "O_APPEND", PAGE);
	close(fd);
	direct = MUST(open("file", O_RDWR | O_DIRECT));
	flagged_writes(direct, "O_DIRECT", PAGE);
	flagged_writes(direct, "O_DIRECT", 4 * PAGE);
	unaligned_atomic(direct);
	close(direct);

	fd = MUST(open("file", O_RDWR));
	MUST(ftruncate(fd, 0));
	MUST(ftruncate(fd, 8 * PAGE));
	unaligned_atomic(fd);
	hints(fd);
	cache_statistics();
	newer_advice(fd);
	by_descriptor(fd);
	close(fd);
	MUST(mkdir("dir", 0755));
	newer_attributes("file");
	newer_attributes("dir");
	MUST(symlink("file", "link"));
	MUST(mkfifo("fifo", 0644));
	attributes_by_path("file");
	attributes_by_path("dir");
	attributes_by_path("link");
	attributes_by_path("fifo");
	as_user(NOBODY, attributes_of_others);
}
