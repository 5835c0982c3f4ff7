// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: libaio and io_uring.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libaio.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parity.h"

/* These libraries return -errno; converts to -1 and errno. */
static long with_errno(long ret)
{
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

static void right(const void *buf, size_t len, off_t pos)
{
	uint8_t expected[2 * PAGE];

	dxs_fill(expected, len, 1, pos);
	note("%s", memcmp(expected, buf, len) ? "wrong" : "right");
}

/* --- libaio. */

static io_context_t aio;

static long aio_do(struct iocb *iocb)
{
	struct io_event event;
	long ret = io_submit(aio, 1, &iocb);

	if (ret < 0)
		return with_errno(ret);
	ret = io_getevents(aio, 1, 1, &event, NULL);
	return with_errno(ret < 0 ? ret : (long)event.res);
}

static void aio_file(const char *name, int flags)
{
	int fd = MUST(open(name, O_RDWR | flags)), event = MUST(eventfd(0, 0));
	struct iovec iov[2];
	uint8_t *buf = dxs_alloc(2 * PAGE);
	struct iocb iocb;
	uint64_t count;

	io_prep_pread(&iocb, fd, buf, PAGE, PAGE);
	TELL(aio_do(&iocb));
	right(buf, PAGE, PAGE);
	io_prep_pread(&iocb, fd, buf, PAGE, 100 * PAGE);
	TELL(aio_do(&iocb));
	io_prep_pread(&iocb, fd, buf, 2 * PAGE, 3 * PAGE);
	TELL(aio_do(&iocb));
	dxs_fill(buf, PAGE, 1, 0);
	io_prep_pwrite(&iocb, fd, buf, PAGE, 0);
	io_set_eventfd(&iocb, event);
	TELL(aio_do(&iocb));
	TELL(read(event, &count, sizeof(count)));
	iov[0] = (struct iovec){ buf, PAGE };
	iov[1] = (struct iovec){ buf + PAGE, PAGE };
	io_prep_preadv(&iocb, fd, iov, 2, 0);
	TELL(aio_do(&iocb));
	right(buf, 2 * PAGE, 0);
	io_prep_pwritev(&iocb, fd, iov, 2, 0);
	TELL(aio_do(&iocb));
	io_prep_preadv2(&iocb, fd, iov, 2, 0, RWF_NOWAIT);
	TELL(aio_do(&iocb));
	io_prep_pwritev2(&iocb, fd, iov, 2, 0, RWF_DSYNC);
	TELL(aio_do(&iocb));
	io_prep_pwritev2(&iocb, fd, iov, 2, 0, 0x1000);
	TELL(aio_do(&iocb));
	io_prep_fsync(&iocb, fd);
	TELL(aio_do(&iocb));
	io_prep_fdsync(&iocb, fd);
	TELL(aio_do(&iocb));
	io_prep_pread(&iocb, fd, NULL, PAGE, 0);
	TELL(aio_do(&iocb));
	io_prep_pread(&iocb, fd, buf, PAGE, -1);
	TELL(aio_do(&iocb));
	io_prep_pread(&iocb, -1, buf, PAGE, 0);
	TELL(aio_do(&iocb));
	close(fd);
	fd = MUST(open(name, O_RDONLY | flags));
	io_prep_pwrite(&iocb, fd, buf, PAGE, 0);
	TELL(aio_do(&iocb));
	close(fd);
	close(event);
	free(buf);
}

void run_aio(void)
{
	long ret = io_setup(8, &aio);

	if (ret)
		dxs_bail("io_setup: %s", strerror(-ret));
	close(make_file("file", 4 * PAGE));
	aio_file("file", 0);
	note("O_DIRECT");
	aio_file("file", O_DIRECT);
	note("O_DSYNC");
	aio_file("file", O_DSYNC);
	io_destroy(aio);
}

/* --- io_uring. */

static struct io_uring ring;

static long uring_wait(void)
{
	struct io_uring_cqe *cqe;
	long ret = io_uring_submit_and_wait(&ring, 1);

	if (ret < 0)
		return with_errno(ret);
	ret = io_uring_wait_cqe(&ring, &cqe);
	if (ret)
		return with_errno(ret);
	ret = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return with_errno(ret);
}

/* A request, its flags, its result. */
#define URING(sqe_flags, op, ...) do {					\
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);		\
									\
	io_uring_prep_##op(sqe, ##__VA_ARGS__);				\
	io_uring_sqe_set_flags(sqe, sqe_flags);				\
	tell_ret(#op, uring_wait());					\
} while (0)

static void uring_data(int fd, int flags, uint8_t *buf)
{
	struct iovec iov[2] = { { buf, PAGE }, { buf + PAGE, PAGE } };

	URING(flags, read, fd, buf, PAGE, PAGE);
	right(buf, PAGE, PAGE);
	URING(flags, write, fd, buf, PAGE, PAGE);
	URING(flags, readv, fd, iov, 2, 0);
	right(buf, 2 * PAGE, 0);
	URING(flags, writev, fd, iov, 2, 0);
	URING(flags, writev2, fd, iov, 2, 0, RWF_DSYNC);
	URING(flags, readv2, fd, iov, 2, 0, RWF_HIPRI);
	URING(flags, read_fixed, fd, buf, 2 * PAGE, 0, 0);
	right(buf, 2 * PAGE, 0);
	URING(flags, write_fixed, fd, buf, 2 * PAGE, 0, 0);
	URING(flags, read, fd, buf, PAGE, 100 * PAGE);
	URING(flags, fsync, fd, 0);
	URING(flags, fsync, fd, IORING_FSYNC_DATASYNC);
	URING(flags, fallocate, fd, 0, 0, 4 * PAGE);
	URING(flags, fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	      2 * PAGE, PAGE);
	URING(flags, fadvise, fd, 0, 0, POSIX_FADV_WILLNEED);
}

static void uring_file(const char *name, int open_flags, unsigned int setup)
{
	int fd = MUST(open(name, O_RDWR | open_flags));
	uint8_t *buf = dxs_alloc(2 * PAGE);
	struct iovec iov = { buf, 2 * PAGE };

	if (tell_ret("set up", with_errno(io_uring_queue_init(8, &ring, setup)))) {
		close(fd);
		return;
	}
	TELL(io_uring_register_buffers(&ring, &iov, 1));
	TELL(io_uring_register_files(&ring, &fd, 1));
	uring_data(fd, 0, buf);
	note("by a thread");
	uring_data(fd, IOSQE_ASYNC, buf);
	note("registered file");
	uring_data(0, IOSQE_FIXED_FILE, buf);
	io_uring_queue_exit(&ring);
	close(fd);
	free(buf);
}

static void uring_names(void)
{
	static const struct open_how how = { .flags = O_RDWR | O_CREAT,
					     .mode = 0644 };
	struct statx st;
	char value[8];
	int fd;

	if (tell_ret("set up", with_errno(io_uring_queue_init(8, &ring, 0))))
		return;
	fd = MUST(open("file", O_RDWR));
	URING(0, statx, AT_FDCWD, "file", 0, STATX_SIZE, &st);
	note("size %llu", (unsigned long long)st.stx_size);
	URING(0, mkdirat, AT_FDCWD, "dir", 0755);
	URING(0, symlinkat, "x", AT_FDCWD, "link");
	URING(0, linkat, AT_FDCWD, "file", AT_FDCWD, "hard", 0);
	URING(0, renameat, AT_FDCWD, "hard", AT_FDCWD, "moved", 0);
	URING(0, unlinkat, AT_FDCWD, "moved", 0);
	URING(0, unlinkat, AT_FDCWD, "dir", AT_REMOVEDIR);
	URING(0, fsetxattr, fd, "user.a", "value", 0, 5);
	URING(0, fgetxattr, fd, "user.a", value, 8);
	URING(0, getxattr, "user.none", value, "file", 8);
	URING(0, openat, AT_FDCWD, "none", O_RDONLY, 0);
	{
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		long ret;

		io_uring_prep_openat2(sqe, AT_FDCWD, "new",
				      (struct open_how *)&how);
		ret = uring_wait();
		tell_ret("openat2", ret < 0 ? ret : 0);
		URING(0, close, ret);
	}
	io_uring_queue_exit(&ring);
	close(fd);
}

void run_uring(void)
{
	close(make_file("file", 4 * PAGE));
	uring_file("file", 0, 0);
	note("O_DIRECT");
	uring_file("file", O_DIRECT, 0);
	/*
	 * The device cannot poll, so the lower filesystem refuses it in cached
	 * mode; the stack refuses it in both modes.
	 */
	if (mode == DAXSTACK_DAX) {
		note("polled");
		uring_file("file", O_DIRECT, IORING_SETUP_IOPOLL);
	}
	note("polled, not direct");
	uring_file("file", 0, IORING_SETUP_IOPOLL);
	note("submitted by a thread");
	uring_file("file", 0, IORING_SETUP_SQPOLL);
	uring_names();
}
