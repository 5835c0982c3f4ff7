/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * daxstack: the ioctls of a file on a daxstack mount.
 *
 * A regular file is in one of two modes: DAXSTACK_DAX (loads and stores go
 * straight to persistent memory) or DAXSTACK_CACHED (through the page cache).
 * The standard FS_IOC_FSSETXATTR with FS_XFLAG_DAX switches a file as well;
 * the calls here add a timeout and tell why a switch was refused.
 *
 * Example, switch an open file to dax, waiting up to two seconds for whatever
 * is in the way:
 *
 *	struct daxstack_switch sw = { .mode = DAXSTACK_DAX,
 *				      .timeout_ms = 2000 };
 *
 *	if (ioctl(fd, DAXSTACK_IOC_SWITCH, &sw) < 0)
 *		fprintf(stderr, "%s: reason %u\n", strerror(errno), sw.reason);
 */
#ifndef DAXSTACK_H
#define DAXSTACK_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* statfs(2): f_type of a daxstack mount ("DAXS"). */
#define DAXSTACK_SUPER_MAGIC	0x44415853

/* Modes of a regular file. */
#define DAXSTACK_CACHED		0
#define DAXSTACK_DAX		1

/*
 * Every reason for which a switch is refused:
 * X(name, errno, what a person is told).
 * New ones go to the end: the numbers are part of the interface.
 */
#define DAXSTACK_REASONS(X)						\
	X(NONE,		0,		"nothing in the way")		\
	X(NOT_REGULAR,	EINVAL,		"not a regular file")		\
	X(READ_ONLY,	EROFS,		"read-only filesystem")		\
	X(NOT_OWNER,	EPERM,		"caller does not own the file")	\
	X(NO_DAX,	EOPNOTSUPP,	"device has no DAX") \
	X(NO_PROBE,	EOPNOTSUPP,	"could not learn both modes of the lower filesystem") \
	X(ENCRYPTED,	EOPNOTSUPP,	"file is encrypted")		\
	X(VERITY,	EOPNOTSUPP,	"file has fs-verity")		\
	X(SWAPFILE,	ETXTBSY,	"file is an active swap file")	\
	X(INLINE_DATA,	EOPNOTSUPP,	"inline data, of the file or filesystem")		\
	X(JOURNAL_DATA,	EOPNOTSUPP,	"data journalling, of the file or filesystem")	\
	X(REALTIME,	EOPNOTSUPP,	"file is on the realtime device") \
	X(LOWER_SAYS_NO, EOPNOTSUPP,	"lower filesystem refuses DAX for this file") \
	X(FOREIGN_MAP,	EOPNOTSUPP,	"file was mapped in a way the gates do not cover") \
	X(LOWER_SHARED,	EBUSY,		"lower filesystem is mounted elsewhere") \
	X(MAP_SYNC,	EBUSY,		"a MAP_SYNC mapping exists")	\
	X(PINNED,	EBUSY,		"pages are pinned")		\
	X(IO,		EBUSY,		"an I/O call takes long to finish") \
	X(WRITEBACK,	EBUSY,		"writeback of the lower filesystem goes on") \
	X(INTERRUPTED,	EINTR,		"interrupted by a signal")	\
	X(WRITE_ERROR,	EIO,		"writing back dirty pages failed") \
	X(PERSIST,	EIO,		"the flag could not be stored in the lower inode") \
	X(MAPPED,	EBUSY,		"file is mapped (switch=unmapped)") \
	X(HAS_BLOCKS,	EINVAL,		"file has blocks allocated (switch=empty)") \
	X(NEVER,	EOPNOTSUPP,	"open files keep their mode (switch=never)") \
	X(DAX_OPTION,	EOPNOTSUPP,	"all files have one mode (dax=always or never)") \
	X(FROZEN,	EBUSY,		"filesystem is frozen") \
	X(SWITCHING,	EBUSY,		"another switch of the file goes on") \
	X(IMMUTABLE,	EPERM,		"file is immutable (chattr +i)") \
	X(KERNEL,	EOPNOTSUPP,	"kernel was not tested (parameter allow_untested_kernel)") \
	X(BLOCK_SIZE,	EOPNOTSUPP,	"block size of the lower filesystem is not the page size") \
	X(DEVICE_GONE,	EOPNOTSUPP,	"device is gone: its driver was unbound") \
	X(NO_FLAG,	EOPNOTSUPP,	"lower filesystem cannot store the flag (XFS version 4)")

#define DAXSTACK_REASON_ENUM_(name, err, text) DAXSTACK_REASON_##name,
enum daxstack_reason {
	DAXSTACK_REASONS(DAXSTACK_REASON_ENUM_)
	DAXSTACK_REASON_COUNT
};

/**
 * struct daxstack_switch - argument of DAXSTACK_IOC_SWITCH
 * @mode: in: the mode wanted, DAXSTACK_DAX or DAXSTACK_CACHED
 * @timeout_ms: in: how long to wait for what is in the way (mappings, pinned
 *	pages, ...), in milliseconds; 0: answer at once, -1: no limit
 *	It may be less on return, if the kernel had to make the call anew.
 * @flags: in: must be 0
 * @reason: out: enum daxstack_reason, DAXSTACK_REASON_NONE if the file is in
 *	@mode now
 * @attempts: out: how often the gates were shut
 * @switched: out: 1 if the mode changed, 0 if the file was in @mode already
 * @pages: out: pages written back, by all attempts together
 * @shut_ns: out: how long the gates were shut in the last attempt, nanoseconds
 * @deferred: out: 1 if only the flag was stored, because of @reason; the file
 *	changes its mode when its inode is next loaded. The call succeeds then.
 *	So it is on a mount with switch=never.
 * @pad: must be 0
 * @reserved: must be 0
 */
struct daxstack_switch {
	__u32 mode;
	__s32 timeout_ms;
	__u32 flags;
	__u32 reason;
	__u32 attempts;
	__u32 switched;
	__u64 pages;
	__u64 shut_ns;
	__u32 deferred;
	__u32 pad;
	__u64 reserved[2];
};

/* Bits in struct daxstack_state.flags. */
#define DAXSTACK_STATE_FLAG	0x1	/* FS_XFLAG_DAX is set */
#define DAXSTACK_STATE_MAPPED	0x2	/* somebody maps the file */
#define DAXSTACK_STATE_MAP_SYNC	0x4	/* ... with MAP_SYNC */
#define DAXSTACK_STATE_GATED	0x8	/* data was touched since the load */
#define DAXSTACK_STATE_WITHHELD	0x10	/* the caller may not know who uses it */

/**
 * struct daxstack_state - result of DAXSTACK_IOC_STATE
 * @mode: the mode at this moment, DAXSTACK_DAX or DAXSTACK_CACHED
 * @flags: DAXSTACK_STATE_*
 * @reason: why a switch to the other mode would be refused at once,
 *	DAXSTACK_REASON_NONE if it would be tried
 * @switches: switches of this inode since it was loaded
 * @refusals: refusals since it was loaded
 * @pad: 0
 * @pages: folios or DAX entries that the mapping holds, in pages
 * @lower_major: device number of the lower filesystem, as in mountinfo, to find
 *	its other mounts by
 * @lower_minor: likewise
 * @reserved: 0
 */
struct daxstack_state {
	__u32 mode;
	__u32 flags;
	__u32 reason;
	__u32 switches;
	__u32 refusals;
	__u32 pad;
	__u64 pages;
	__u32 lower_major;
	__u32 lower_minor;
	__u64 reserved[3];
};

/*
 * DAXSTACK_IOC_SWITCH: as FS_IOC_FSSETXATTR, for the owner or CAP_FOWNER, on a
 * writable mount. On failure the errno of the reason; @reason, @attempts,
 * @pages and @shut_ns are filled in all the same. EINVAL with reason NONE: a
 * mode, flag or timeout that is none, or reserved bytes that are not 0.
 * EFAULT: bad pointer.
 *
 * DAXSTACK_IOC_STATE: for anyone who could open the file. Never blocks on a
 * switch. What tells of a file's users (how much is cached, whether it is mapped
 * or was touched) is only for its owner, for CAP_FOWNER, and for those who may
 * write to it, as with mincore(2). Others get DAXSTACK_STATE_WITHHELD, none of
 * DAXSTACK_STATE_MAPPED, _MAP_SYNC and _GATED, @pages 0, and @reason NOT_OWNER
 * in place of MAPPED and MAP_SYNC.
 */
#define DAXSTACK_IOC_SWITCH	_IOWR(0xDA, 1, struct daxstack_switch)
#define DAXSTACK_IOC_STATE	_IOR(0xDA, 2, struct daxstack_state)

/*
 * DAXSTACK_IOC_DIR_FLAG: set FS_XFLAG_DAX of an open directory, which new files
 * in it inherit, if @mode is DAXSTACK_DAX, else clear it. As FS_IOC_FSSETXATTR,
 * but a frozen filesystem is waited for no longer than @timeout_ms. @reason and
 * @switched (whether the flag changed) are filled in, the rest of the answer is
 * 0. ENOTTY on anything but a directory.
 */
#define DAXSTACK_IOC_DIR_FLAG	_IOWR(0xDA, 3, struct daxstack_switch)

#endif /* DAXSTACK_H */
