// SPDX-License-Identifier: GPL-2.0
/*
 * What the tracepoints are given: see tell.h.
 */
#include <linux/ktime.h>
#include <linux/mm.h>

#include "daxstack.h"
#include "tell.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

void __dxs_trace_switch_begin(const struct dxs_switch *sw)
{
	struct dxs_name name;

	trace_daxstack_switch_begin(sw, dxs_name_dentry(sw->name, &name));
}

void __dxs_trace_switch_end(const struct dxs_switch *sw, int err)
{
	struct dxs_name name;

	trace_daxstack_switch_end(sw, err, dxs_name_dentry(sw->name, &name),
				  dxs_reason_text(sw->reason));
}

static struct inode *dxs_gate_inode(struct dxs_gate *gate)
{
	struct dxs_gates *gates = gate->kind == DXS_GATE_FAULT ?
		container_of(gate, struct dxs_gates, fault) :
		container_of(gate, struct dxs_gates, io);

	return &container_of(gates, struct dxs_inode, gates)->vfs_inode;
}

void __dxs_trace_gate_wait_begin(struct dxs_gate *gate)
{
	struct inode *inode = dxs_gate_inode(gate);
	struct dxs_name name;

	trace_daxstack_gate_wait_begin(inode, gate->kind,
				       dxs_name_inode(inode, &name));
}

void __dxs_trace_gate_wait(struct dxs_gate *gate, u64 start, int err)
{
	struct inode *inode = dxs_gate_inode(gate);
	struct dxs_name name;

	trace_daxstack_gate_wait(inode, gate->kind, ktime_get_ns() - start, err,
				 dxs_name_inode(inode, &name));
}

void __dxs_trace_fault(struct inode *inode, const struct vm_fault *vmf,
		       int mode)
{
	struct dxs_name name;

	trace_daxstack_fault(inode, vmf->pgoff, mode,
			     vmf->flags & FAULT_FLAG_WRITE,
			     dxs_name_inode(inode, &name));
}
