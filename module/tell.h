/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How the module comes to its tracepoints (trace.h).
 *
 * What they tell takes some work, such as finding a name. It is done in trace.c, and
 * only while somebody listens: otherwise each of these is a branch that is patched
 * out.
 */
#ifndef DXS_TELL_H
#define DXS_TELL_H

#include <linux/tracepoint-defs.h>

#include "daxstack.h"

DECLARE_TRACEPOINT(daxstack_switch_begin);
DECLARE_TRACEPOINT(daxstack_switch_end);
DECLARE_TRACEPOINT(daxstack_gate_wait_begin);
DECLARE_TRACEPOINT(daxstack_gate_wait);
DECLARE_TRACEPOINT(daxstack_fault);

void __dxs_trace_switch_begin(const struct dxs_switch *sw);
void __dxs_trace_switch_end(const struct dxs_switch *sw, int err);
void __dxs_trace_gate_wait_begin(struct dxs_gate *gate);
void __dxs_trace_gate_wait(struct dxs_gate *gate, u64 start, int err);
void __dxs_trace_fault(struct inode *inode, const struct vm_fault *vmf,
		       int mode);

/* Before anything is tried. */
static inline void dxs_trace_switch_begin(const struct dxs_switch *sw)
{
	if (tracepoint_enabled(daxstack_switch_begin))
		__dxs_trace_switch_begin(sw);
}

/* @err: what the caller gets */
static inline void dxs_trace_switch_end(const struct dxs_switch *sw, int err)
{
	if (tracepoint_enabled(daxstack_switch_end))
		__dxs_trace_switch_end(sw, err);
}

/* The caller keeps the gate's inode. */
static inline void dxs_trace_gate_wait_begin(struct dxs_gate *gate)
{
	if (tracepoint_enabled(daxstack_gate_wait_begin))
		__dxs_trace_gate_wait_begin(gate);
}

/* @start: when the wait began, by ktime_get_ns(); @err: 0, or -EINTR */
static inline void dxs_trace_gate_wait(struct dxs_gate *gate, u64 start,
				       int err)
{
	if (tracepoint_enabled(daxstack_gate_wait))
		__dxs_trace_gate_wait(gate, start, err);
}

/* A fault goes to the lower handler for @mode. Context: RCU, in some kernels. */
static __always_inline void dxs_trace_fault(struct inode *inode,
					    const struct vm_fault *vmf,
					    int mode)
{
	if (tracepoint_enabled(daxstack_fault))
		__dxs_trace_fault(inode, vmf, mode);
}

#endif /* DXS_TELL_H */
