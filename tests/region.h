/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Markers for the memory model (scripts/measure/memory-model.c): instructions from
 * region_begin() to region_end() are counted as a region. See
 * docs/memory-model.md.
 *
 * The marker is a no-op, with or without the model. It contains the number, and
 * a value in RAX by which the model checks that it reads the registers at the
 * right place. Registers are up to date after a jump.
 */
#ifndef DXS_REGION_H
#define DXS_REGION_H

#define REGION_FIRST	0	/* numbers of regions */
#define REGION_LAST	254
#define REGION_SIGN	0x6d656d6f72796f6bUL

#define REGION_TELL(number)						\
	__asm__ __volatile__("jmp 1f\n1:\tnopl %c0(%1)" : :			\
			     "i"(0x64787300 + (number)), "a"(REGION_SIGN) :	\
			     "memory")

/*
 * The number is a constant. Regions do not nest; a second begin of a region
 * adds to it.
 */
#define region_begin(number)	REGION_TELL((number) & 0xff)
#define region_end()		REGION_TELL(0xff)

#endif
