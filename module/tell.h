/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wrappers for the tracepoints (trace.h).
 *
 * Collecting the fields takes some work, such as finding a name. trace.c does it, and
 * only while the tracepoint is enabled; otherwise each wrapper is a static branch
 * that is patched out.
 */
#ifndef DXS_TELL_H
#define DXS_TELL_H

#include <linux/jump_label_ratelimit.h>
#include <linux/tracepoint-defs.h>

#include "entry.h"

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

/* Called before the first attempt. */
static inline void dxs_trace_switch_begin(const struct dxs_switch *sw)
{
	if (tracepoint_enabled(daxstack_switch_begin))
		__dxs_trace_switch_begin(sw);
}

/* @err: what the request returns */
static inline void dxs_trace_switch_end(const struct dxs_switch *sw, int err)
{
	if (tracepoint_enabled(daxstack_switch_end))
		__dxs_trace_switch_end(sw, err);
}

/* The caller keeps the inode of @gate alive. */
static inline void dxs_trace_gate_wait_begin(struct dxs_gate *gate)
{
	if (tracepoint_enabled(daxstack_gate_wait_begin))
		__dxs_trace_gate_wait_begin(gate);
}

/* @start: ktime_get_ns() when the wait began; @err: 0 or -EINTR */
static inline void dxs_trace_gate_wait(struct dxs_gate *gate, u64 start,
				       int err)
{
	if (tracepoint_enabled(daxstack_gate_wait))
		__dxs_trace_gate_wait(gate, start, err);
}

/*
 * Enabled while faults are traced or counted (heat.h). The common path of the
 * handlers tests this key only. Like dxs_heat_key it stays enabled for a second
 * longer.
 */
extern struct static_key_false_deferred dxs_faults_key;

static __always_inline bool dxs_faults_watched(void)
{
	return static_branch_unlikely(&dxs_faults_key.key);
}

int dxs_watch_faults(void);
void dxs_unwatch_faults(void);

/* Is the tracepoint for faults enabled? */
static __always_inline bool dxs_traces_faults(void)
{
	return tracepoint_enabled(daxstack_fault);
}

/*
 * Called before the lower handler for @mode. Context: in some kernels an RCU read
 * section.
 */
static __always_inline void dxs_trace_fault(struct inode *inode,
					    const struct vm_fault *vmf,
					    int mode)
{
	if (dxs_traces_faults())
		__dxs_trace_fault(inode, vmf, mode);
}

#endif /* DXS_TELL_H */
