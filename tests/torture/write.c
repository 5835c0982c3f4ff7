// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: ways to write a file. Each writes @len bytes from @buf at @pos and
 * returns the number of bytes, SKIP, or a negative errno.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "torture.h"

/* Repeats until all is written. */
#define PUT_ALL(n, call) __extension__ ({				\
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

GO(put_pwrite)
{
	int fd = fd_of(w, t);

	return PUT_ALL(n, pwrite(fd, buf + n, len - n, pos + n));
}

GO(put_pwritev)
{
	size_t a = below(&w->rng, len), b = below(&w->rng, len - a);
	const struct iovec iov[] = {
		{ buf, a }, { buf + a, b }, { buf + a + b, len - a - b },
	};

	return DO(pwritev2(fd_of(w, t), iov, 3, pos, 0));
}

GO(put_dsync_flag)
{
	const struct iovec iov = { buf, len };
	int flag = once_in(&w->rng, 2) ? RWF_DSYNC : RWF_SYNC;

	return DO(pwritev2(fd_of(w, t), &iov, 1, pos, flag));
}

/* The part that RWF_NOWAIT cannot write is written normally. */
GO(put_nowait)
{
	const struct iovec iov = { buf, len };
	long ret = DO(pwritev2(fd_of(w, t), &iov, 1, pos, RWF_NOWAIT));

	if (ret < 0 && ret != -EAGAIN && ret != -EOPNOTSUPP && ret != -EINVAL)
		return ret;
	if (ret < 0) {
		atomic_fetch_add(&arena->nowait_again, 1);
		ret = 0;
	}
	if (ret < (long)len) {
		long rest = put_pwrite(w, t, pos + ret, buf + ret, len - ret);

		ret = rest < 0 ? rest : ret + rest;
	}
	return ret;
}

GO(put_lseek_write)
{
	int fd = fd_of(w, t);
	long ret = DO(lseek(fd, pos, SEEK_SET));

	if (ret < 0)
		return ret;
	return PUT_ALL(n, write(fd, buf + n, len - n));
}

GO(put_dsync)
{
	int fd = dsync_of(w, t);

	return PUT_ALL(n, pwrite(fd, buf + n, len - n, pos + n));
}

GO(put_direct)
{
	int fd = direct_of(w, t);

	return PUT_ALL(n, pwrite(fd, buf + n, len - n, pos + n));
}

GO(put_direct_dsync)
{
	const struct iovec iov[] = {
		{ buf, PAGE }, { buf + PAGE, len - PAGE },
	};

	return DO(pwritev2(direct_of(w, t), iov, len > PAGE ? 2 : 1, pos,
			   RWF_DSYNC));
}

GO(put_splice)
{
	int fd = fd_of(w, t), pipe[2];
	loff_t at = pos;
	size_t sum = 0;
	long ret = 0, n;

	if (pipe2(pipe, O_CLOEXEC))
		return -errno;
	while (sum < len && ret >= 0) {
		n = DO(write(pipe[1], buf + sum,
			     len - sum < 8 * PAGE ? len - sum : 8 * PAGE));
		ret = n;
		while (n > 0 && ret > 0) {
			ret = DO(splice(pipe[0], NULL, fd, &at, n, 0));
			if (ret > 0) {
				n -= ret;
				sum += ret;
			}
		}
	}
	close(pipe[0]);
	close(pipe[1]);
	return ret < 0 ? ret : (long)sum;
}

GO(put_sendfile)
{
	int fd = fd_of(w, t);
	off_t at = 0;
	long ret;

	ret = PUT_ALL(n, pwrite(w->memfd, buf + n, len - n, n));
	if (ret >= 0)
		ret = DO(lseek(fd, pos, SEEK_SET));
	if (ret < 0)
		return ret;
	return PUT_ALL(n, sendfile(fd, w->memfd, &at, len - n));
}

/* --- Mappings. */

GO(put_map)
{
	uint8_t *map = map_of(w, t);

	if (!map)
		return -ENOMEM;
	memcpy(map + pos, buf, len);
	return len;
}

/* Many small stores, each read back. */
GO(put_words)
{
	volatile uint8_t *map = map_of(w, t);
	size_t i;

	if (!map)
		return -ENOMEM;
	for (i = 0; i < len; i++) {
		map[pos + i] = buf[i];
		if (map[pos + i] != buf[i])
			complain(w->id, "stored %#x at %#llx, loaded %#x",
				 buf[i], (long long)pos + i, map[pos + i]);
		if (i % 512 == 511)
			usleep(20);
	}
	return len;
}

static long put_in_new(struct worker *w, struct target *t, off_t pos,
		       const uint8_t *buf, size_t len, int prot, int flags)
{
	off_t first = pos & -PAGE;
	size_t map_len = pos + len - first;
	uint8_t *map = mmap(NULL, map_len, prot, flags, fd_of(w, t), first);
	volatile uint8_t touch;

	if (map == MAP_FAILED)
		return -errno;
	if (!(prot & PROT_WRITE)) {
		touch = map[pos - first];
		(void)touch;
		if (mprotect(map, map_len, PROT_READ | PROT_WRITE))
			return -errno;
	}
	memcpy(map + (pos - first), buf, len);
	return munmap(map, map_len) ? -errno : (long)len;
}

GO(put_new_map)
{
	return put_in_new(w, t, pos, buf, len, PROT_READ | PROT_WRITE,
			  MAP_SHARED);
}

GO(put_populated)
{
	return put_in_new(w, t, pos, buf, len, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE);
}

GO(put_mprotect)
{
	return put_in_new(w, t, pos, buf, len, PROT_READ, MAP_SHARED);
}

/* Only in dax mode, which must stay while this mapping exists (H10). */
GO(put_map_sync)
{
	off_t first = pos & -PAGE;
	size_t map_len = pos + len - first;
	int fd = fd_of(w, t);
	uint8_t *map = mmap(NULL, map_len, PROT_READ | PROT_WRITE,
			    MAP_SHARED_VALIDATE | MAP_SYNC, fd, first);

	if (map == MAP_FAILED)
		return errno == EOPNOTSUPP ? SKIP : -errno;
	if (dxs_mode(fd) != DAXSTACK_DAX)
		complain(w->id, "mapped with MAP_SYNC, but not in dax mode");
	memcpy(map + (pos - first), buf, len);
	if (once_in(&w->rng, 2))
		nap(&w->rng, 3000);
	if (dxs_mode(fd) != DAXSTACK_DAX)
		complain(w->id, "left dax mode under MAP_SYNC");
	return munmap(map, map_len) ? -errno : (long)len;
}

/* Faults one page in, then the mapping grows and moves. */
GO(put_moved_map)
{
	off_t first = pos & -PAGE;
	size_t map_len = pos + len - first;
	uint8_t *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    fd_of(w, t), first);
	uint8_t *moved, *place;

	if (map == MAP_FAILED)
		return -errno;
	map[pos - first] = buf[0];
	if (once_in(&w->rng, 2)) {
		place = reserve(map_len);
		moved = mremap(map, PAGE, map_len,
			       MREMAP_MAYMOVE | MREMAP_FIXED, place);
	} else {
		moved = mremap(map, PAGE, map_len, MREMAP_MAYMOVE);
	}
	if (moved == MAP_FAILED)
		return -errno;
	memcpy(moved + (pos - first), buf, len);
	return munmap(moved, map_len) ? -errno : (long)len;
}

GO(put_remapped)
{
	off_t other = t->file->kind == SHARED ? 0 : pos & -PAGE;
	/* Whole pages: the call rounds down. */
	size_t map_len = (pos % PAGE + len + PAGE - 1) & -PAGE;
	uint8_t *map = mmap(NULL, map_len, PROT_READ | PROT_WRITE, MAP_SHARED,
			    fd_of(w, t), other);
	long ret = len;

	if (map == MAP_FAILED)
		return -errno;
	if (remap_file_pages(map, map_len, 0, pos / PAGE, 0))
		ret = -errno;
	else
		memcpy(map + pos % PAGE, buf, len);
	return munmap(map, map_len) ? -errno : ret;
}

/* --- The kernel stores to a mapping. */

GO(put_read_into_map)
{
	uint8_t *map = map_of(w, t);
	long ret;

	if (!map)
		return -ENOMEM;
	ret = PUT_ALL(n, pwrite(w->memfd, buf + n, len - n, n));
	if (ret < 0)
		return ret;
	return PUT_ALL(n, pread(w->memfd, map + pos + n, len - n, n));
}

GO(put_process_vm)
{
	uint8_t *map = map_of(w, t);
	const struct iovec local = { buf, len }, remote = { map + pos, len };

	if (!map)
		return -ENOMEM;
	return DO(process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
}

GO(put_proc_mem)
{
	uint8_t *map = map_of(w, t);

	if (!map)
		return -ENOMEM;
	return PUT_ALL(n, pwrite(w->mem, buf + n, len - n,
				 (off_t)(uintptr_t)(map + pos + n)));
}
