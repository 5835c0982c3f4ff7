/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: daxstack:*
 *
 * In each: dev and ino are those of the stack's inode, name is the path of the file
 * below the root of the mount, escaped (name.c). Times are nanoseconds; pgoff is the
 * file offset in pages; mode and reason as in the ioctls; errno is positive, 0 where
 * nothing went wrong. docs/tracing.md describes each field, with examples.
 *
 * Strings are fields of their own, for those who read fields and not the text
 * (bpftrace, filters); numbers are put into words for those who read the text.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM daxstack

#if !defined(DXS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DXS_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>

#include "daxstack.h"

/*
 * The names of the reasons, all that there are, for the kernel and, by the format
 * files, for those who read its binary records.
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

#define dxs_show_mode(mode) \
	__print_symbolic(mode, { DAXSTACK_CACHED, "cached" }, \
			 { DAXSTACK_DAX, "dax" })

#define dxs_show_gate(gate) \
	__print_symbolic(gate, { DXS_GATE_IO, "io" }, \
			 { DXS_GATE_FAULT, "fault" })

/* Those of the reasons, and what lower filesystems and signals bring. */
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

/* As __string(), which is not the same in all kernels. */
#define dxs_string(field, text) \
	__dynamic_array(char, field, strlen(text) + 1)
#define dxs_assign_string(field, text) \
	memcpy(__get_dynamic_array(field), text, \
	       __get_dynamic_array_len(field))

TRACE_EVENT(daxstack_switch_begin,
	TP_PROTO(const struct dxs_switch *sw, const char *name),
	TP_ARGS(sw, name),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(int, to)
		__field(unsigned long, nrpages)
		dxs_string(name, name)
	),
	TP_fast_assign(
		__entry->dev = sw->inode->i_sb->s_dev;
		__entry->ino = sw->inode->i_ino;
		__entry->to = sw->to;
		__entry->nrpages = dxs_switch_lower(sw)->i_mapping->nrpages;
		dxs_assign_string(name, name);
	),
	TP_printk("dev %d:%d ino 0x%llx to %s nrpages %lu name %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  dxs_show_mode(__entry->to), __entry->nrpages, __get_str(name))
);

/*
 * Of each request that has begun, once: it was switched (switched is 1), there was
 * nothing to switch (0), only the flag was stored (deferred is 1), or it was refused
 * (errno is not 0).
 */
TRACE_EVENT(daxstack_switch_end,
	TP_PROTO(const struct dxs_switch *sw, int err, const char *name,
		 const char *why),
	TP_ARGS(sw, err, name, why),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(int, to)
		__field(int, errno)
		__field(int, reason)
		__field(u32, switched)
		__field(u32, deferred)
		__field(u32, attempts)
		__field(u64, pages)
		__field(u64, shut_ns)
		dxs_string(why, why)
		dxs_string(name, name)
	),
	TP_fast_assign(
		__entry->dev = sw->inode->i_sb->s_dev;
		__entry->ino = sw->inode->i_ino;
		__entry->to = sw->to;
		__entry->errno = -err;
		__entry->reason = sw->reason;
		__entry->switched = sw->switched;
		__entry->deferred = sw->deferred;
		__entry->attempts = sw->attempts;
		__entry->pages = sw->pages;
		__entry->shut_ns = sw->shut_ns;
		dxs_assign_string(why, why);
		dxs_assign_string(name, name);
	),
	TP_printk("dev %d:%d ino 0x%llx to %s %s errno %d %s reason %d %s (%s) attempts %u pages %llu shut_ns %llu name %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  dxs_show_mode(__entry->to),
		  __entry->errno ? "refused" : __entry->deferred ? "deferred" :
		  __entry->switched ? "switched" : "unchanged",
		  __entry->errno, dxs_show_errno(__entry->errno),
		  __entry->reason, dxs_show_reason(__entry->reason),
		  __get_str(why), __entry->attempts, __entry->pages,
		  __entry->shut_ns, __get_str(name))
);

/* A call (gate io) or a fault (gate fault) waits for a switch of the file ... */
TRACE_EVENT(daxstack_gate_wait_begin,
	TP_PROTO(const struct inode *inode, int gate, const char *name),
	TP_ARGS(inode, gate, name),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(int, gate)
		dxs_string(name, name)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->gate = gate;
		dxs_assign_string(name, name);
	),
	TP_printk("dev %d:%d ino 0x%llx gate %s name %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  dxs_show_gate(__entry->gate), __get_str(name))
);

/* ... and has waited for so long. errno EINTR: it was killed. */
TRACE_EVENT(daxstack_gate_wait,
	TP_PROTO(const struct inode *inode, int gate, u64 wait_ns, int err,
		 const char *name),
	TP_ARGS(inode, gate, wait_ns, err, name),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(int, gate)
		__field(int, errno)
		__field(u64, wait_ns)
		dxs_string(name, name)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->gate = gate;
		__entry->errno = -err;
		__entry->wait_ns = wait_ns;
		dxs_assign_string(name, name);
	),
	TP_printk("dev %d:%d ino 0x%llx gate %s wait_ns %llu errno %d %s name %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  dxs_show_gate(__entry->gate), __entry->wait_ns,
		  __entry->errno, dxs_show_errno(__entry->errno),
		  __get_str(name))
);

TRACE_EVENT(daxstack_fault,
	TP_PROTO(const struct inode *inode, pgoff_t pgoff, int mode, bool write,
		 const char *name),
	TP_ARGS(inode, pgoff, mode, write, name),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(unsigned long, pgoff)
		__field(int, mode)
		__field(bool, write)
		dxs_string(name, name)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->pgoff = pgoff;
		__entry->mode = mode;
		__entry->write = write;
		dxs_assign_string(name, name);
	),
	TP_printk("dev %d:%d ino 0x%llx pgoff 0x%lx mode %s %s name %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->pgoff, dxs_show_mode(__entry->mode),
		  __entry->write ? "write" : "read", __get_str(name))
);

#endif /* DXS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
