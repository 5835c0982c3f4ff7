/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Markers for the profiler (scripts/measure/bench-profile.c): no-op instructions with a
 * number in them.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK(number)	__asm__ __volatile__("nopl " #number "(%%rax)" : : : "memory")

/* From here on the instructions belong to ... */
#define MARK_CALL()	MARK(0x62656e10)	/* a call */
#define MARK_LATER()	MARK(0x62656e11)	/* work deferred by calls */
#define MARK_NOTHING()	MARK(0x62656e12)	/* what would be done anyway */
#define MARK_OTHER()	MARK(0x62656eff)	/* not of interest */

/* ... on this layer. */
#define MARK_LOWER()	MARK(0x62656e00)
#define MARK_STACK()	MARK(0x62656e01)
#define MARK_OVERLAY()	MARK(0x62656e02)

#endif /* BENCH_MARK_H */
