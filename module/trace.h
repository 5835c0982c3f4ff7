/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: daxstack:*
 *
 * Common fields: dev and ino are those of the stack's inode; name is the path of the
 * file relative to the root of the mount, escaped (name.c). Times are in nanoseconds;
 * pgoff is the file offset in pages; reason is as in the ioctls; errno is positive,
 * or 0 for success. docs/tracing.md describes each field, with examples.
 *
 * Strings such as modes and results are fields, not only part of the printed text, so
 * that bpftrace and filters can use them. They are arrays of fixed size, padded with
 * zeros: bpftrace 0.23 reads a __string() as empty.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM daxstack

#if !defined(DXS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DXS_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>

#include "entry.h"
#include "tell.h"

/*
 * The names of all reasons, for the kernel's text output and, through the format
 * files, for readers of binary records.
 */
#define DXS_DEFINE_REASON(name, err, text) \
	TRACE_DEFINE_ENUM(DAXSTACK_REASON_##name);
DAXSTACK_REASONS(DXS_DEFINE_REASON)
TRACE_DEFINE_ENUM(DAXSTACK_REASON_COUNT);

#define DXS_SHOW_REASON(name, err, text) \
	{ DAXSTACK_REASON_##name, #name },
#define dxs_show_reason(reason) \
	__print_symbolic(reason, DAXSTACK_REASONS(DXS_SHOW_REASON) \
			 { DAXSTACK_REASON_COUNT, "?" })

/* The errnos of the reasons, and those that lower filesystems and signals cause. */
#define dxs_show_errno(err) \
	__print_symbolic(err, { 0, "ok" }, \
			 { EPERM, "EPERM" }, { ENOENT, "ENOENT" }, \
			 { EINTR, "EINTR" }, { EIO, "EIO" }, \
			 { ENXIO, "ENXIO" }, { EAGAIN, "EAGAIN" }, \
			 { ENOMEM, "ENOMEM" }, { EACCES, "EACCES" }, \
			 { EBUSY, "EBUSY" }, { ENODEV, "ENODEV" }, \
			 { EINVAL, "EINVAL" }, { ETXTBSY, "ETXTBSY" }, \
			 { EFBIG, "EFBIG" }, { ENOSPC, "ENOSPC" }, \
			 { EROFS, "EROFS" }, { ENODATA, "ENODATA" }, \
			 { EOVERFLOW, "EOVERFLOW" }, { EUCLEAN, "EUCLEAN" }, \
			 { EOPNOTSUPP, "EOPNOTSUPP" }, \
			 { ESTALE, "ESTALE" }, { EDQUOT, "EDQUOT" }, \
			 { ERESTARTNOINTR, "ERESTARTNOINTR" })

#ifndef DXS_TRACE_NAME
#define DXS_TRACE_NAME	128
#define DXS_TRACE_WHY	96

#define dxs_assign_words(to, words) \
	strscpy_pad(to, words, sizeof(to))
#endif

TRACE_EVENT(daxstack_switch_begin,
	TP_PROTO(const struct dxs_switch *sw, const char *name),
	TP_ARGS(sw, name),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(unsigned long, nrpages)
		__array(char, to, 8)
		__array(char, name, DXS_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->dev = sw->inode->i_sb->s_dev;
		__entry->ino = sw->inode->i_ino;
		__entry->nrpages = dxs_switch_lower(sw)->i_mapping->nrpages;
		dxs_assign_words(__entry->to, dxs_mode_name(sw->to));
		dxs_assign_words(__entry->name, name);
	),
	TP_printk("dev %d:%d ino 0x%llx to %s nrpages %lu name %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->to, __entry->nrpages, __entry->name)
);

/*
 * Once for each request that has begun. result: "switched"; "unchanged", the file was
 * in the mode already; "deferred", only the flag was stored; or "refused".
 */
TRACE_EVENT(daxstack_switch_end,
	TP_PROTO(const struct dxs_switch *sw, int err, const char *result,
		 const char *name),
	TP_ARGS(sw, err, result, name),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(int, errno)
		__field(int, reason)
		__field(u32, attempts)
		__field(u64, pages)
		__field(u64, shut_ns)
		__array(char, to, 8)
		__array(char, result, 12)
		__array(char, why, DXS_TRACE_WHY)
		__array(char, name, DXS_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->dev = sw->inode->i_sb->s_dev;
		__entry->ino = sw->inode->i_ino;
		__entry->errno = -err;
		__entry->reason = sw->reason;
		__entry->attempts = sw->attempts;
		__entry->pages = sw->pages;
		__entry->shut_ns = sw->shut_ns;
		dxs_assign_words(__entry->to, dxs_mode_name(sw->to));
		dxs_assign_words(__entry->result, result);
		dxs_assign_words(__entry->why, dxs_reason_text(sw->reason));
		dxs_assign_words(__entry->name, name);
	),
	TP_printk("dev %d:%d ino 0x%llx to %s %s errno %d %s reason %d %s (%s) attempts %u pages %llu shut_ns %llu name %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->to, __entry->result,
		  __entry->errno, dxs_show_errno(__entry->errno),
		  __entry->reason, dxs_show_reason(__entry->reason),
		  __entry->why, __entry->attempts, __entry->pages,
		  __entry->shut_ns, __entry->name)
);

/* A data call (gate "io") or a fault (gate "fault") begins to wait for a switch. */
TRACE_EVENT(daxstack_gate_wait_begin,
	TP_PROTO(const struct inode *inode, const char *gate, const char *name),
	TP_ARGS(inode, gate, name),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__array(char, gate, 8)
		__array(char, name, DXS_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		dxs_assign_words(__entry->gate, gate);
		dxs_assign_words(__entry->name, name);
	),
	TP_printk("dev %d:%d ino 0x%llx gate %s name %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->gate, __entry->name)
);

/* The wait ends after wait_ns. errno EINTR: the waiter was killed. */
TRACE_EVENT(daxstack_gate_wait,
	TP_PROTO(const struct inode *inode, const char *gate, u64 wait_ns,
		 int err, const char *name),
	TP_ARGS(inode, gate, wait_ns, err, name),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(u64, wait_ns)
		__field(int, errno)
		__array(char, gate, 8)
		__array(char, name, DXS_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->wait_ns = wait_ns;
		__entry->errno = -err;
		dxs_assign_words(__entry->gate, gate);
		dxs_assign_words(__entry->name, name);
	),
	TP_printk("dev %d:%d ino 0x%llx gate %s wait_ns %llu errno %d %s name %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->gate, __entry->wait_ns,
		  __entry->errno, dxs_show_errno(__entry->errno),
		  __entry->name)
);

TRACE_EVENT_FN(daxstack_fault,
	TP_PROTO(const struct inode *inode, pgoff_t pgoff, const char *mode,
		 bool write, const char *name),
	TP_ARGS(inode, pgoff, mode, write, name),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(unsigned long, pgoff)
		__field(bool, write)
		__array(char, mode, 8)
		__array(char, name, DXS_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->pgoff = pgoff;
		__entry->write = write;
		dxs_assign_words(__entry->mode, mode);
		dxs_assign_words(__entry->name, name);
	),
	TP_printk("dev %d:%d ino 0x%llx pgoff 0x%lx mode %s %s name %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->pgoff, __entry->mode,
		  __entry->write ? "write" : "read", __entry->name),
	dxs_watch_faults, dxs_unwatch_faults
);

#endif /* DXS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
