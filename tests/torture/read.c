// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: ways to read a file. Each reads @len bytes at @pos into @buf and
 * returns the number of bytes, SKIP, or a negative errno.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "torture.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* Repeats until all is read, or EOF. */
#define GET_ALL(n, call) __extension__ ({				\
	size_t n = 0;							\
	long ret_ = 0;							\
									\
	while (n < len) {						\
		ret_ = DO(call);					\
		if (ret_ <= 0)						\
			break;						\
		n += ret_;						\
	}								\
	ret_ < 0 ? ret_ : (long)n;					\
})

GO(get_pread)
{
	int fd = fd_of(w, t);

	return GET_ALL(n, pread(fd, buf + n, len - n, pos + n));
}

/* Splits at an unaligned place. */
static int split(struct worker *w, struct iovec *iov, uint8_t *buf, size_t len)
{
	size_t a = below(&w->rng, len), b = below(&w->rng, len - a);

	iov[0] = (struct iovec){ buf, a };
	iov[1] = (struct iovec){ buf + a, b };
	iov[2] = (struct iovec){ buf + a + b, len - a - b };
	return 3;
}

GO(get_preadv)
{
	struct iovec iov[3];
	int n = split(w, iov, buf, len);
	long ret = DO(preadv2(fd_of(w, t), iov, n, pos, 0));

	return ret;
}

/* The part that RWF_NOWAIT cannot return is read normally. */
GO(get_nowait)
{
	struct iovec iov = { buf, len };
	long ret = DO(preadv2(fd_of(w, t), &iov, 1, pos, RWF_NOWAIT));

	if (ret < 0 && ret != -EAGAIN && ret != -EOPNOTSUPP && ret != -EINVAL)
		return ret;
	if (ret < 0) {
		atomic_fetch_add(&arena->nowait_again, 1);
		ret = 0;
	}
	if (ret < (long)len) {
		long rest = get_pread(w, t, pos + ret, buf + ret, len - ret);

		ret = rest < 0 ? rest : ret + rest;
	}
	return ret;
}

GO(get_lseek_read)
{
	int fd = fd_of(w, t);
	long ret = DO(lseek(fd, pos, SEEK_SET));

	if (ret < 0)
		return ret;
	if (ret != pos)
		complain(w->id, "lseek to %lld: %ld", (long long)pos, ret);
	return GET_ALL(n, read(fd, buf + n, len - n));
}

/* After an unaligned EOF, direct I/O cannot continue. */
GO(get_direct)
{
	int fd = direct_of(w, t);
	size_t sum = 0;
	long ret = 0;

	while (sum < len && !(sum % PAGE)) {
		ret = DO(pread(fd, buf + sum, len - sum, pos + sum));
		if (ret <= 0)
			break;
		sum += ret;
	}
	return ret < 0 ? ret : (long)sum;
}

/* Usually shorter than a switch's timeout. */
static unsigned int held_ms(struct worker *w)
{
	return below(&w->rng, once_in(&w->rng, 4) ? 400 : 60);
}

/* Reads of the page cache put the folios themselves into the pipe. */
GO(get_splice)
{
	int fd = fd_of(w, t), pipe[2];
	loff_t at = pos;
	long ret = 0, n;
	size_t sum = 0;

	if (pipe2(pipe, O_CLOEXEC))
		return -errno;
	while (sum < len) {
		n = DO(splice(fd, &at, pipe[1], NULL, len - sum, 0));
		if (n <= 0) {
			ret = n;
			break;
		}
		while (n) {
			ret = DO(read(pipe[0], buf + sum, n));
			if (ret <= 0)
				break;
			n -= ret;
			sum += ret;
		}
		if (ret <= 0)
			break;
	}
	/* Page cache folios that stay in the pipe obstruct switches. */
	if (ret > 0 && once_in(&w->rng, 8)) {
		at = pos;
		ret = DO(splice(fd, &at, pipe[1], NULL, 1, 0));
	}
	close_later(w, pipe, held_ms(w));
	return ret < 0 ? ret : (long)sum;
}

GO(get_sendfile)
{
	int fd = fd_of(w, t);
	off_t at = pos;
	long ret;

	if (ftruncate(w->memfd, 0) || lseek(w->memfd, 0, SEEK_SET) < 0)
		return -errno;
	ret = GET_ALL(n, sendfile(w->memfd, fd, &at, len - n));
	return ret < 0 ? ret : DO(pread(w->memfd, buf, len, 0));
}

/* --- Mappings. */

GO(get_map)
{
	uint8_t *map = map_of(w, t);

	if (!map)
		return -ENOMEM;
	memcpy(buf, map + pos, len);
	return len;
}

/* Maps the pages around a range; @at is the range's address. */
static void *map_part(struct worker *w, struct target *t, off_t pos,
		      size_t len, int flags, uint8_t **at, size_t *map_len)
{
	off_t first = pos & -PAGE;
	int prot = PROT_READ;
	void *map;

	if (flags & MAP_PRIVATE)
		prot |= PROT_WRITE;
	else if (once_in(&w->rng, 4))
		prot |= PROT_EXEC;
	*map_len = pos + len - first;
	map = mmap(NULL, *map_len, prot, flags, fd_of(w, t), first);
	*at = (uint8_t *)map + (pos - first);
	return map;
}

static long get_from_new(struct worker *w, struct target *t, off_t pos,
			 uint8_t *buf, size_t len, int flags)
{
	uint8_t *at;
	size_t map_len;
	void *map = map_part(w, t, pos, len, flags, &at, &map_len);

	if (map == MAP_FAILED)
		return -errno;
	memcpy(buf, at, len);
	return munmap(map, map_len) ? -errno : (long)len;
}

GO(get_new_map)
{
	return get_from_new(w, t, pos, buf, len, MAP_SHARED);
}

GO(get_populated)
{
	return get_from_new(w, t, pos, buf, len, MAP_SHARED | MAP_POPULATE);
}

GO(get_private)
{
	return get_from_new(w, t, pos, buf, len,
			    once_in(&w->rng, 4) ? MAP_PRIVATE | MAP_POPULATE :
						  MAP_PRIVATE);
}

/* Stores to a private mapping must not change the file. */
GO(get_cow)
{
	uint8_t *at, stored = rnd(&w->rng);
	size_t map_len, i;
	void *map = map_part(w, t, pos, len, MAP_PRIVATE, &at, &map_len);
	long ret = len;

	if (map == MAP_FAILED)
		return -errno;
	if (once_in(&w->rng, 2))
		memcpy(buf, at, len);
	for (i = 0; i < len; i += PAGE)
		at[i] = stored;
	if (once_in(&w->rng, 2))
		nap(&w->rng, 5000);
	for (i = 0; i < len; i += PAGE)
		if (at[i] != stored)
			complain(w->id, "private store at %#llx lost: expected %#x, seen %#x",
				 (long long)pos + i, stored, at[i]);
	/* The rest of each page is still the file's. */
	memcpy(buf, at, len);
	for (i = 0; i < len; i += PAGE) {
		if (DO(pread(fd_of(w, t), buf + i, 1, pos + i)) != 1)
			ret = -EIO;
	}
	if (munmap(map, map_len))
		ret = -errno;
	return ret;
}

/* Pages of a mapping in a pipe; some stay there for a while. */
GO(get_vmsplice)
{
	uint8_t *map = map_of(w, t);
	struct iovec iov = { map + pos, len };
	size_t sum = 0;
	int pipe[2];
	long n = 0;

	if (!map)
		return -ENOMEM;
	/* As many as a pipe takes. */
	if (len > 12 * PAGE)
		return get_map(w, t, pos, buf, len);
	if (pipe2(pipe, O_CLOEXEC))
		return -errno;
	n = DO(vmsplice(pipe[1], &iov, 1, 0));
	while (n > 0 && sum < len) {
		n = DO(read(pipe[0], buf + sum, len - sum));
		if (n > 0)
			sum += n;
	}
	if (n > 0 && once_in(&w->rng, 4)) {
		iov.iov_len = 1;
		n = DO(vmsplice(pipe[1], &iov, 1, 0));
	}
	close_later(w, pipe, held_ms(w));
	return n < 0 ? n : (long)sum;
}

GO(get_write_from_map)
{
	uint8_t *map = map_of(w, t);
	long ret;

	if (!map)
		return -ENOMEM;
	ret = GET_ALL(n, pwrite(w->memfd, map + pos + n, len - n, n));
	return ret < 0 ? ret : DO(pread(w->memfd, buf, len, 0));
}

GO(get_process_vm)
{
	uint8_t *map = map_of(w, t);
	struct iovec local = { buf, len }, remote = { map + pos, len };

	if (!map)
		return -ENOMEM;
	return DO(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
}

GO(get_proc_mem)
{
	uint8_t *map = map_of(w, t);

	if (!map)
		return -ENOMEM;
	return GET_ALL(n, pread(w->mem, buf + n, len - n,
				(off_t)(uintptr_t)(map + pos + n)));
}

/* Faults, then moves the page tables to another address. */
GO(get_moved_map)
{
	uint8_t *at;
	size_t map_len;
	uint8_t *map = map_part(w, t, pos, len, MAP_SHARED, &at, &map_len);
	size_t offset = at - map, more = map_len + 4 * PAGE;
	volatile uint8_t touch;
	uint8_t *moved, *place;

	if (map == MAP_FAILED)
		return -errno;
	touch = *at;
	(void)touch;
	if (once_in(&w->rng, 3)) {
		/* The old address stays mapped, with empty page tables. */
		map_len = (map_len + PAGE - 1) & -PAGE;
		moved = mremap(map, map_len, map_len,
			       MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
		if (moved == MAP_FAILED)
			return -errno;
		memcpy(buf, moved + offset, len);
		check(w, t, pos, at, len, "old place of a moved mapping");
		munmap(map, map_len);
		return munmap(moved, map_len) ? -errno : (long)len;
	}
	place = reserve(more);
	if (!place)
		return -ENOMEM;
	moved = mremap(map, map_len, more, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	if (moved == MAP_FAILED)
		return -errno;
	memcpy(buf, moved + offset, len);
	return munmap(moved, more) ? -errno : (long)len;
}

/* Maps another part of the file at the address. */
GO(get_remapped)
{
	off_t other = t->file->kind == SHARED ? 0 : pos & -PAGE;
	/* Whole pages: the call rounds down. */
	size_t map_len = (pos % PAGE + len + PAGE - 1) & -PAGE;
	uint8_t *map = mmap(NULL, map_len, PROT_READ, MAP_SHARED, fd_of(w, t),
			    other);
	long ret = len;

	if (map == MAP_FAILED)
		return -errno;
	if (remap_file_pages(map, map_len, 0, pos / PAGE, 0))
		ret = -errno;
	else
		memcpy(buf, map + pos % PAGE, len);
	return munmap(map, map_len) ? -errno : ret;
}
