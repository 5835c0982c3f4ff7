// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: libaio and io_uring, by their system calls.
 */
#define _GNU_SOURCE
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "torture.h"

/* --- libaio. */

long aio_rw(struct worker *w, int fd, bool write, void *buf, size_t len,
	    off_t pos)
{
	struct iocb iocb = {
		.aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)buf,
		.aio_nbytes = len,
		.aio_offset = pos,
	};
	struct iocb *list = &iocb;
	struct io_event event;
	long ret = 0;

	if (!w->aio)
		ret = DO(syscall(SYS_io_setup, 4, &w->aio));
	if (ret < 0)
		return ret;
	ret = DO(syscall(SYS_io_submit, w->aio, 1, &list));
	if (ret != 1)
		return ret < 0 ? ret : -EIO;
	ret = DO(syscall(SYS_io_getevents, w->aio, 1, 1, &event, NULL));
	return ret == 1 ? event.res : ret < 0 ? ret : -EIO;
}

GO(get_aio)
{
	return aio_rw(w, fd_of(w, t), false, buf, len, pos);
}

GO(get_aio_direct)
{
	return aio_rw(w, direct_of(w, t), false, buf, len, pos);
}

GO(put_aio)
{
	return aio_rw(w, fd_of(w, t), true, buf, len, pos);
}

GO(put_aio_direct)
{
	return aio_rw(w, direct_of(w, t), true, buf, len, pos);
}

/* --- io_uring. */

#define ENTRIES	4

struct uring {
	int fd;
	uint8_t *sq, *cq;
	size_t sq_len, cq_len;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
	bool registered;
};

static void uring_close(struct worker *w)
{
	struct uring *u = w->uring;

	if (!u)
		return;
	munmap(u->sq, u->sq_len);
	munmap(u->cq, u->cq_len);
	munmap(u->sqes, ENTRIES * sizeof(*u->sqes));
	close(u->fd);
	free(u);
	w->uring = NULL;
}

static void *ring_map(struct uring *u, size_t len, off_t what)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, u->fd, what);
}

static bool uring_make(struct worker *w)
{
	struct uring *u;
	struct iovec iov = { w->spare, LEN_MAX };

	if (w->uring || w->no_uring)
		return w->uring;
	w->no_uring = true;
	u = calloc(1, sizeof(*u));
	if (!u)
		return false;
	u->fd = DO(syscall(SYS_io_uring_setup, ENTRIES, &u->p));
	if (u->fd < 0) {
		free(u);
		return false;
	}
	u->sq_len = u->p.sq_off.array + u->p.sq_entries * sizeof(uint32_t);
	u->cq_len = u->p.cq_off.cqes +
		u->p.cq_entries * sizeof(struct io_uring_cqe);
	u->sq = ring_map(u, u->sq_len, IORING_OFF_SQ_RING);
	u->cq = ring_map(u, u->cq_len, IORING_OFF_CQ_RING);
	u->sqes = ring_map(u, ENTRIES * sizeof(*u->sqes), IORING_OFF_SQES);
	w->uring = u;
	if (u->sq == MAP_FAILED || u->cq == MAP_FAILED ||
	    u->sqes == MAP_FAILED) {
		complain(w->id, "io_uring: %m");
		return false;
	}
	u->registered = !syscall(SYS_io_uring_register, u->fd,
				 IORING_REGISTER_BUFFERS, &iov, 1);
	w->no_uring = false;
	return true;
}

/* One request, waited for. */
static long uring_do(struct worker *w, const struct io_uring_sqe *sqe)
{
	struct uring *u = w->uring;
	const struct io_uring_cqe *cqes = (void *)(u->cq + u->p.cq_off.cqes);
	atomic_uint *sq_tail = (void *)(u->sq + u->p.sq_off.tail);
	atomic_uint *cq_head = (void *)(u->cq + u->p.cq_off.head);
	atomic_uint *cq_tail = (void *)(u->cq + u->p.cq_off.tail);
	uint32_t *array = (void *)(u->sq + u->p.sq_off.array);
	uint32_t tail = atomic_load(sq_tail), head = atomic_load(cq_head);
	uint32_t at = tail & (u->p.sq_entries - 1);
	long ret, submit = 1;

	u->sqes[at] = *sqe;
	/* Now and then by a kernel thread. */
	if (once_in(&w->rng, 3))
		u->sqes[at].flags |= IOSQE_ASYNC;
	array[at] = at;
	atomic_store(sq_tail, tail + 1);
	while (atomic_load(cq_tail) == head) {
		ret = syscall(SYS_io_uring_enter, u->fd, submit, 1,
			      IORING_ENTER_GETEVENTS, NULL, 0);
		if (ret < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (ret >= submit)
			submit = 0;
	}
	ret = cqes[head & (u->p.cq_entries - 1)].res;
	atomic_store(cq_head, head + 1);
	return ret;
}

/* Canceled: a signal arrived while a kernel thread was being created for it. */
static bool uring_again(long ret)
{
	return ret == -EINTR || ret == -EAGAIN || ret == -ECANCELED;
}

/* A vector of two; short transfers are continued. */
long uring_rw(struct worker *w, int fd, bool write, void *buf, size_t len,
	      off_t pos)
{
	size_t half = len > PAGE ? PAGE : 0, sum = 0;
	long ret = 0;

	if (!uring_make(w))
		return SKIP;
	while (sum < len) {
		const struct iovec iov[] = {
			{ (uint8_t *)buf + sum, half },
			{ (uint8_t *)buf + sum + half, len - sum - half },
		};
		struct io_uring_sqe sqe = {
			.opcode = write ? IORING_OP_WRITE : IORING_OP_READ,
			.fd = fd,
			.addr = (uintptr_t)buf + sum,
			.len = len - sum,
			.off = pos + sum,
		};

		if (half) {
			sqe.opcode = write ? IORING_OP_WRITEV : IORING_OP_READV;
			sqe.addr = (uintptr_t)iov;
			sqe.len = 2;
		}
		ret = uring_do(w, &sqe);
		if (uring_again(ret))
			continue;
		if (ret <= 0)
			break;
		sum += ret;
		half = 0;
		/* EOF: direct I/O cannot continue at an unaligned position. */
		if (!((pos | len) % PAGE) && sum % PAGE)
			break;
	}
	return ret < 0 ? ret : (long)sum;
}

static long uring_fixed(struct worker *w, int fd, bool write, size_t len,
			off_t pos)
{
	struct io_uring_sqe sqe = {
		.opcode = write ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED,
		.fd = fd,
		.addr = (uintptr_t)w->spare,
		.len = len,
		.off = pos,
	};
	long ret;

	if (!uring_make(w) || !w->uring->registered)
		return SKIP;
	do
		ret = uring_do(w, &sqe);
	while (uring_again(ret));
	return ret;
}

GO(get_uring)
{
	return uring_rw(w, fd_of(w, t), false, buf, len, pos);
}

GO(get_uring_direct)
{
	return uring_rw(w, direct_of(w, t), false, buf, len, pos);
}

GO(get_uring_fixed)
{
	long ret = uring_fixed(w, fd_of(w, t), false, len, pos);

	if (ret > 0)
		memcpy(buf, w->spare, ret);
	return ret;
}

GO(put_uring)
{
	return uring_rw(w, fd_of(w, t), true, buf, len, pos);
}

GO(put_uring_direct)
{
	return uring_rw(w, direct_of(w, t), true, buf, len, pos);
}

GO(put_uring_fixed)
{
	if (!uring_make(w) || !w->uring->registered)
		return SKIP;
	memcpy(w->spare, buf, len);
	return uring_fixed(w, fd_of(w, t), true, len, pos);
}

static void unregister(struct uring *u)
{
	AGAIN(syscall(SYS_io_uring_register, u->fd, IORING_UNREGISTER_BUFFERS,
		      NULL, 0));
}

/*
 * A mapping as a registered buffer would be a long-term pin. Linux 6.1 refuses
 * registered buffers that map a file; where that is allowed, the buffer is read
 * into.
 */
RUN(run_register_map)
{
	uint8_t *map = map_of(w, a);
	struct iovec iov;
	size_t len;
	off_t pos;
	long ret;

	(void)b;
	if (!uring_make(w) || !map || !pick_pages(w, a, &pos, &len))
		return SKIP;
	iov = (struct iovec){ map + pos, len };
	unregister(w->uring);
	ret = DO(syscall(SYS_io_uring_register, w->uring->fd,
			 IORING_REGISTER_BUFFERS, &iov, 1));
	if (!ret) {
		struct io_uring_sqe sqe = {
			.opcode = IORING_OP_READ_FIXED,
			.fd = w->memfd,
			.addr = (uintptr_t)iov.iov_base,
			.len = len,
		};

		memcpy(w->spare, plan_random(w, a, pos, len), len);
		if (DO(pwrite(w->memfd, w->spare, len, 0)) == (long)len)
			ret = uring_do(w, &sqe);
		plan_done(w, ret < 0 ? 0 : ret);
		nap(&w->rng, 5000);
		unregister(w->uring);
	}
	iov = (struct iovec){ w->spare, LEN_MAX };
	w->uring->registered = !syscall(SYS_io_uring_register, w->uring->fd,
					IORING_REGISTER_BUFFERS, &iov, 1);
	return ret == -EOPNOTSUPP || ret == -EFAULT ? 0 : ret;
}

void async_end(struct worker *w)
{
	uring_close(w);
	if (w->aio)
		syscall(SYS_io_destroy, w->aio);
	w->aio = 0;
}
