/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether anything but mode, owner and ACL decides who may access a lower inode.
 */
#ifndef DXS_ASKED_H
#define DXS_ASKED_H

#include <linux/compiler.h>
#include <linux/cred.h>
#include <linux/types.h>

/* A no-op instruction of the length of a call (x86-64). */
#define DXS_NOT_ASKED	0x00441f0fu

extern const u32 *dxs_asked, *dxs_asked_first;
void dxs_init_asked(const struct cred *kernel);

/*
 * Do the mode and the ACL of a lower inode decide alone? H80: a program that is
 * attached before this check is asked.
 */
static __always_inline bool dxs_only_mode(void)
{
	return likely(READ_ONCE(*dxs_asked) == DXS_NOT_ASKED) &&
		likely(READ_ONCE(*dxs_asked_first) == DXS_NOT_ASKED);
}

#endif /* DXS_ASKED_H */
