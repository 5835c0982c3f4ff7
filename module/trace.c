// SPDX-License-Identifier: GPL-2.0-only
/* Collects what the tracepoints record: see tell.h. */
#include <linux/ktime.h>
#include <linux/mm.h>

#include "entry.h"
#include "report.h"
#include "tell.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

DEFINE_STATIC_KEY_DEFERRED_FALSE(dxs_faults_key, HZ);

/* Tracing or counting of faults begins. Context: sleeps. */
int dxs_watch_faults(void)
{
	static_branch_deferred_inc(&dxs_faults_key);
	return 0;
}

/* Tracing or counting of faults ends. Context: sleeps. */
void dxs_unwatch_faults(void)
{
	static_branch_slow_dec_deferred(&dxs_faults_key);
}

void __dxs_trace_switch_begin(const struct dxs_switch *sw)
{
	char name[DXS_TRACE_NAME];

	dxs_name_dentry(sw->name, name, sizeof(name));
	trace_daxstack_switch_begin(sw, name);
}

void __dxs_trace_switch_end(const struct dxs_switch *sw, int err)
{
	char name[DXS_TRACE_NAME];
	const char *result = "unchanged";

	if (err)
		result = "refused";
	else if (sw->deferred)
		result = "deferred";
	else if (sw->switched)
		result = "switched";
	dxs_name_dentry(sw->name, name, sizeof(name));
	trace_daxstack_switch_end(sw, err, result, name);
}

static struct inode *dxs_gate_inode(struct dxs_gate *gate)
{
	struct dxs_gates *gates = gate->kind == DXS_GATE_FAULT ?
		container_of(gate, struct dxs_gates, fault) :
		container_of(gate, struct dxs_gates, io);

	return &container_of(gates, struct dxs_inode, gates)->vfs_inode;
}

static const char *dxs_gate_name(const struct dxs_gate *gate)
{
	return gate->kind == DXS_GATE_FAULT ? "fault" : "io";
}

void __dxs_trace_gate_wait_begin(struct dxs_gate *gate)
{
	struct inode *inode = dxs_gate_inode(gate);
	char name[DXS_TRACE_NAME];

	dxs_name_inode(inode, name, sizeof(name));
	trace_daxstack_gate_wait_begin(inode, dxs_gate_name(gate), name);
}

void __dxs_trace_gate_wait(struct dxs_gate *gate, u64 start, int err)
{
	u64 wait_ns = ktime_get_ns() - start;
	struct inode *inode = dxs_gate_inode(gate);
	char name[DXS_TRACE_NAME];

	dxs_name_inode(inode, name, sizeof(name));
	trace_daxstack_gate_wait(inode, dxs_gate_name(gate), wait_ns, err,
				 name);
}

void __dxs_trace_fault(struct inode *inode, const struct vm_fault *vmf,
		       int mode)
{
	char name[DXS_TRACE_NAME];

	dxs_name_inode(inode, name, sizeof(name));
	trace_daxstack_fault(inode, vmf->pgoff, dxs_mode_name(mode),
			     vmf->flags & FAULT_FLAG_WRITE, name);
}
