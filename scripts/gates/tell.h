/* SPDX-License-Identifier: GPL-2.0 */
/* In place of module/tell.h, which wants the whole of the module. */
#define dxs_trace_gate_wait_begin(gate)		do { } while (0)
#define dxs_trace_gate_wait(gate, start, err)	((void)(start))
