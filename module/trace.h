/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: daxstack:*
 *
 * Units: dev and ino are those of the stack's inode; times are nanoseconds;
 * pgoff is the file offset in pages; mode and reason as in the ioctls.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM daxstack

#if !defined(DXS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DXS_TRACE_H

#include <linux/tracepoint.h>

#include "daxstack.h"

#define dxs_show_mode(mode) \
	__print_symbolic(mode, { DAXSTACK_CACHED, "cached" }, \
			 { DAXSTACK_DAX, "dax" })

TRACE_EVENT(daxstack_switch_begin,
	TP_PROTO(const struct inode *inode, int to),
	TP_ARGS(inode, to),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(int, to)
		__field(unsigned long, nrpages)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->to = to;
		__entry->nrpages = dxs_lower_inode(inode)->i_mapping->nrpages;
	),
	TP_printk("dev %d:%d ino 0x%llx to %s nrpages %lu",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  dxs_show_mode(__entry->to), __entry->nrpages)
);

TRACE_EVENT(daxstack_switch_end,
	TP_PROTO(const struct inode *inode, const struct dxs_switch *sw,
		 int err),
	TP_ARGS(inode, sw, err),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(int, to)
		__field(int, reason)
		__field(int, err)
		__field(u32, attempts)
		__field(u64, pages)
		__field(u64, shut_ns)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->to = sw->to;
		__entry->reason = sw->reason;
		__entry->err = err;
		__entry->attempts = sw->attempts;
		__entry->pages = sw->pages;
		__entry->shut_ns = sw->shut_ns;
	),
	TP_printk("dev %d:%d ino 0x%llx to %s err %d reason %d attempts %u pages %llu shut_ns %llu",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  dxs_show_mode(__entry->to), __entry->err, __entry->reason,
		  __entry->attempts, __entry->pages, __entry->shut_ns)
);

TRACE_EVENT(daxstack_gate_wait,
	TP_PROTO(const struct dxs_gate *gate),
	TP_ARGS(gate),
	TP_STRUCT__entry(
		__field(const void *, gate)
	),
	TP_fast_assign(
		__entry->gate = gate;
	),
	TP_printk("gate %p", __entry->gate)
);

TRACE_EVENT(daxstack_fault,
	TP_PROTO(const struct inode *inode, pgoff_t pgoff, int mode, bool write),
	TP_ARGS(inode, pgoff, mode, write),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(unsigned long, pgoff)
		__field(int, mode)
		__field(bool, write)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->pgoff = pgoff;
		__entry->mode = mode;
		__entry->write = write;
	),
	TP_printk("dev %d:%d ino 0x%llx pgoff 0x%lx mode %s %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->pgoff, dxs_show_mode(__entry->mode),
		  __entry->write ? "write" : "read")
);

#endif /* DXS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
