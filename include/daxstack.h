/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * daxstack: the ioctls of a file on a daxstack mount.
 *
 * A regular file is in one of two modes: DAXSTACK_DAX (loads and stores go straight
 * to persistent memory) or DAXSTACK_CACHED (through the page cache). The standard
 * FS_IOC_FSSETXATTR with FS_XFLAG_DAX switches a file as well; the ioctls here add a
 * timeout and report why a switch was refused.
 *
 * Example: switch an open file to dax, waiting up to two seconds while it is busy:
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
 * All reasons for refusing a switch: X(name, errno, text for messages). New reasons
 * are added at the end: the numbers are part of the interface.
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
	X(IO,		EBUSY,		"an I/O call has not finished") \
	X(WRITEBACK,	EBUSY,		"writeback of the lower filesystem is in progress") \
	X(INTERRUPTED,	EINTR,		"interrupted by a signal")	\
	X(WRITE_ERROR,	EIO,		"writing back dirty pages failed") \
	X(PERSIST,	EIO,		"the flag could not be stored in the lower inode") \
	X(MAPPED,	EBUSY,		"file is mapped (switch=unmapped)") \
	X(HAS_BLOCKS,	EINVAL,		"file has blocks allocated (switch=empty)") \
	X(NEVER,	EOPNOTSUPP,	"open files keep their mode (switch=never)") \
	X(DAX_OPTION,	EOPNOTSUPP,	"all files have one mode (dax=always or never)") \
	X(FROZEN,	EBUSY,		"filesystem is frozen") \
	X(SWITCHING,	EBUSY,		"another switch of the file is in progress") \
	X(IMMUTABLE,	EPERM,		"file is immutable (chattr +i)") \
	X(KERNEL,	EOPNOTSUPP,	"kernel was not tested (parameter allow_untested_kernel)") \
	X(BLOCK_SIZE,	EOPNOTSUPP,	"block size of the lower filesystem is not the page size") \
	X(DEVICE_GONE,	EOPNOTSUPP,	"device is gone: its driver was unbound") \
	X(NO_FLAG,	EOPNOTSUPP,	"lower filesystem cannot store the flag (XFS version 4)") \
	X(REFLINK,	EOPNOTSUPP,						\
	  "file shares blocks with another file (daxstack set --unshare)")

#define DAXSTACK_REASON_ENUM_(name, err, text) DAXSTACK_REASON_##name,
enum daxstack_reason {
	DAXSTACK_REASONS(DAXSTACK_REASON_ENUM_)
	DAXSTACK_REASON_COUNT
};

/**
 * struct daxstack_switch - argument of DAXSTACK_IOC_SWITCH
 * @mode: in: the new mode, DAXSTACK_DAX or DAXSTACK_CACHED
 * @timeout_ms: in: how long to wait while the file is busy (mapped, pages pinned,
 *	...), in milliseconds; 0: at most 100 ms, for causes that usually pass soon;
 *	-1: no limit. May be smaller on return if the kernel restarted the call.
 * @flags: in: must be 0
 * @reason: out: enum daxstack_reason, DAXSTACK_REASON_NONE if the file is in
 *	@mode now
 * @attempts: out: number of times that the gates were closed
 * @switched: out: 1 if the mode changed, 0 if the file was in @mode already
 * @pages: out: pages written back by all attempts together
 * @shut_ns: out: how long the gates were closed in the last attempt, in nanoseconds
 * @deferred: out: 1 if only the flag was stored, because of @reason, as on a mount
 *	with switch=never. The call succeeds; the file changes its mode when its inode
 *	is next loaded.
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
#define DAXSTACK_STATE_MAPPED	0x2	/* the file is mapped */
#define DAXSTACK_STATE_MAP_SYNC	0x4	/* ... with MAP_SYNC */
#define DAXSTACK_STATE_GATED	0x8	/* data was accessed since the load */
#define DAXSTACK_STATE_WITHHELD	0x10	/* the caller may not see the file's use */

/**
 * struct daxstack_state - result of DAXSTACK_IOC_STATE
 * @mode: the current mode, DAXSTACK_DAX or DAXSTACK_CACHED
 * @flags: DAXSTACK_STATE_*
 * @reason: why a switch to the other mode would be refused at once,
 *	DAXSTACK_REASON_NONE if it would be tried
 * @switches: number of switches since the inode was loaded
 * @refusals: number of refusals since the inode was loaded
 * @pad: 0
 * @pages: size of all folios or DAX entries of the mapping, in pages
 * @lower_major: device number of the lower filesystem, as its other mounts have it in
 *	mountinfo
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
 * DAXSTACK_IOC_SWITCH: switch a file. Like FS_IOC_FSSETXATTR it needs the owner or
 * CAP_FOWNER, and a writable mount. Fails with the errno of the reason; @reason,
 * @attempts, @pages and @shut_ns are filled in on failure, too. EINVAL with reason
 * NONE: invalid mode, flags or timeout, or reserved bytes that are not 0. EFAULT: bad
 * pointer.
 *
 * DAXSTACK_IOC_STATE: get the state of a file, on any open file. Never waits for a
 * switch. The state that depends on the file's users (how much is cached, whether it
 * is mapped or was accessed) is returned only to its owner, to CAP_FOWNER, and to
 * those who may write to it, as by mincore(2). Others get DAXSTACK_STATE_WITHHELD,
 * none of DAXSTACK_STATE_MAPPED, _MAP_SYNC and _GATED, @pages 0, and @reason
 * NOT_OWNER in place of MAPPED and MAP_SYNC.
 */
#define DAXSTACK_IOC_SWITCH	_IOWR(0xDA, 1, struct daxstack_switch)
#define DAXSTACK_IOC_STATE	_IOR(0xDA, 2, struct daxstack_state)

/*
 * DAXSTACK_IOC_DIR_FLAG: set FS_XFLAG_DAX of an open directory, which new files in it
 * inherit, if @mode is DAXSTACK_DAX, else clear it. Like FS_IOC_FSSETXATTR, but waits
 * no longer than @timeout_ms for the thaw of a frozen filesystem. Fills in @reason
 * and @switched (the flag was changed); the other output fields are 0. ENOTTY on
 * anything but a directory.
 */
#define DAXSTACK_IOC_DIR_FLAG	_IOWR(0xDA, 3, struct daxstack_switch)

/*
 * Heat: counters of the accesses to each file of a mount.
 *
 * A session is a file descriptor. Accesses are counted while the mount has a session,
 * at a cost of a few instructions each. A session does not keep the mount busy: after
 * umount(8) its ioctls fail with ENODEV.
 *
 * Example: all files that were used since the session was opened:
 *
 *	struct daxstack_heat_open open = { 0 };
 *	int heat = ioctl(fd, DAXSTACK_IOC_HEAT_OPEN, &open);
 *	struct daxstack_heat_file files[64];
 *	struct daxstack_heat_read read = { .files = (uintptr_t)files, .max = 64 };
 *
 *	do {
 *		if (ioctl(heat, DAXSTACK_IOC_HEAT_READ, &read) < 0)
 *			err(1, "heat");
 *		use(files, read.count);
 *	} while (read.cursor);
 */

/* Bits in struct daxstack_heat_open.flags. */
#define DAXSTACK_HEAT_WINDOWS	0x1	/* the session may clear sketches and probe */

/* Bits in struct daxstack_heat_read.flags. */
#define DAXSTACK_HEAT_CLEAR	0x1	/* clear the sketches after reading them */
#define DAXSTACK_HEAT_ALL	0x2	/* include files that only hold pages */

/* Maximum number of windows that one read-out probes in a file, and pages per window. */
#define DAXSTACK_HEAT_PROBES_MAX	32
#define DAXSTACK_HEAT_WINDOW_PAGES	16

/* Total number of bits in struct daxstack_heat_file.sketch. */
#define DAXSTACK_HEAT_SKETCH_BITS	256

/**
 * struct daxstack_heat_open - argument of DAXSTACK_IOC_HEAT_OPEN
 * @flags: in: DAXSTACK_HEAT_WINDOWS or 0
 * @pad: must be 0
 * @reserved: must be 0
 */
struct daxstack_heat_open {
	__u32 flags;
	__u32 pad;
	__u64 reserved[2];
};

/**
 * struct daxstack_heat_counts - accesses to a file while it was in one mode
 * @reads: read(2) and its like, splice(2) and sendfile(2) out of the file
 * @read_bytes: bytes read by them
 * @writes: write(2) and its like, splice(2) into the file
 * @write_bytes: bytes written by them
 * @read_faults: faults on mappings by loads
 * @write_faults: faults on mappings by stores, including the first store to a page
 *	that is mapped read-only
 * @fsyncs: fsync(2), fdatasync(2), msync(2), and writes with O_SYNC or O_DSYNC
 * @dirtied: pages made dirty: those that writes spanned, and one for each write
 *	fault
 *
 * Counters only increase while counting is on and the inode is loaded.
 */
struct daxstack_heat_counts {
	__u64 reads;
	__u64 read_bytes;
	__u64 writes;
	__u64 write_bytes;
	__u64 read_faults;
	__u64 write_faults;
	__u64 fsyncs;
	__u64 dirtied;
};

/**
 * struct daxstack_heat_file - a file in the result of DAXSTACK_IOC_HEAT_READ
 * @ino: inode number
 * @generation: of the inode number, as from FS_IOC_GETVERSION
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED
 * @size: in bytes
 * @pages: size of all folios or DAX entries of the mapping, in pages
 * @flags: DAXSTACK_STATE_FLAG, _MAPPED, _MAP_SYNC, _GATED
 * @reason: why a switch to the other mode would be refused at once, as in struct
 *	daxstack_state
 * @uid: its owner
 * @switches: number of switches since the inode was loaded
 * @by_mode: accesses, by the mode that the file was in
 * @refaults: faults since the last switch, limited to the pages that the mapping held
 *	when it began: the cost of mapping again what the switch unmapped
 * @sketch: hash bitmap of the pages at which calls and faults began since the
 *	sketches were last cleared
 * @sketch_shift: only one in 2^@sketch_shift pages, chosen by hash, is in the sketch.
 *	With z bits of DAXSTACK_HEAT_SKETCH_BITS (m) clear, -m ln(z / m) *
 *	2^@sketch_shift pages were touched.
 * @probed: windows that were unmapped by the last read-out that probed. The windows
 *	of one large entry, such as a huge DAX entry, count as one once the entry was
 *	touched
 * @probe_hits: windows that were touched through a mapping since
 * @pad: 0
 * @probe_wait_ns: time from the unmapping to the first touch, summed over @probe_hits
 *	and the windows that were mapped again together with them
 * @reserved: 0
 */
struct daxstack_heat_file {
	__u64 ino;
	__u32 generation;
	__u32 mode;
	__u64 size;
	__u64 pages;
	__u32 flags;
	__u32 reason;
	__u32 uid;
	__u32 switches;
	struct daxstack_heat_counts by_mode[2];
	__u64 refaults;
	__u64 sketch[4];
	__u32 sketch_shift;
	__u32 probed;
	__u32 probe_hits;
	__u32 pad;
	__u64 probe_wait_ns;
	__u64 reserved[4];
};

/**
 * struct daxstack_heat_read - argument of DAXSTACK_IOC_HEAT_READ
 * @files: in: pointer to an array of struct daxstack_heat_file
 * @max: in: number of elements of the array
 * @flags: in: DAXSTACK_HEAT_CLEAR, DAXSTACK_HEAT_ALL
 * @probes: in: number of windows to unmap in each mapped file, chosen at random, at
 *	most DAXSTACK_HEAT_PROBES_MAX. The next access to such a window takes a fault,
 *	which reveals accesses that cause none otherwise. The result has the hits of
 *	the previous windows. 0: keep the previous windows
 * @count: out: number of files filled in
 * @cursor: in: 0 to begin, else the value that the previous call returned; out: 0 if
 *	all files were returned
 * @time_ns: out: CLOCK_MONOTONIC at the start of the call
 * @reserved: must be 0
 */
struct daxstack_heat_read {
	__u64 files;
	__u32 max;
	__u32 flags;
	__u32 probes;
	__u32 count;
	__u64 cursor;
	__u64 time_ns;
	__u64 reserved[2];
};

/**
 * struct daxstack_heat_name - argument of DAXSTACK_IOC_HEAT_NAME
 * @ino: in: a file, as in struct daxstack_heat_file
 * @generation: in: likewise
 * @size: in: size of the buffer
 * @name: in: pointer to the buffer, for a path below the root of the filesystem,
 *	without a slash before it; any bytes, with a 0 at the end
 */
struct daxstack_heat_name {
	__u64 ino;
	__u32 generation;
	__u32 size;
	__u64 name;
};

/*
 * DAXSTACK_IOC_HEAT_OPEN: open a session, on any open file or directory of the mount.
 * Returns a file descriptor with O_CLOEXEC. EPERM: no CAP_SYS_ADMIN. EBUSY:
 * DAXSTACK_HEAT_WINDOWS, and another session of the mount has it. EINVAL: unknown flags,
 * or reserved bytes that are not 0. ENODEV: the mount is being unmounted.
 *
 * The following ioctls are for sessions.
 *
 * DAXSTACK_IOC_HEAT_READ: read the next files, up to @max. EINVAL: as above, or too
 * many @probes, or @max is 0. EPERM: _CLEAR or @probes without DAXSTACK_HEAT_WINDOWS.
 * EFAULT: bad pointer. EINTR: a signal came before the first file. ENODEV: the mount
 * was unmounted.
 *
 * DAXSTACK_IOC_HEAT_NAME: get a name of a file whose inode is loaded; of several
 * links the last one used. ENOENT: it has no name, or is not loaded any more.
 * ENAMETOOLONG: the buffer is too small.
 */
#define DAXSTACK_IOC_HEAT_OPEN	_IOW(0xDA, 4, struct daxstack_heat_open)
#define DAXSTACK_IOC_HEAT_READ	_IOWR(0xDA, 5, struct daxstack_heat_read)
#define DAXSTACK_IOC_HEAT_NAME	_IOW(0xDA, 6, struct daxstack_heat_name)

#endif /* DAXSTACK_H */
