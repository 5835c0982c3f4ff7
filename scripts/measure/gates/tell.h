/* SPDX-License-Identifier: GPL-2.0-only */
/* Replaces module/tell.h, which needs the whole module. */
#define dxs_trace_gate_wait_begin(gate)		do { } while (0)
#define dxs_trace_gate_wait(gate, start, err)	((void)(start))
