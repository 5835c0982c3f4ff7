/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * FS_XFLAG_DAX and the attributes that are set together with it: see xflag.c.
 */
#ifndef DXS_XFLAG_H
#define DXS_XFLAG_H

#include "entry.h"

/* The mode that attributes ask for. */
static inline int dxs_fileattr_mode(const struct file_kattr *fa)
{
	return fa->fsx_xflags & FS_XFLAG_DAX ? DAXSTACK_DAX : DAXSTACK_CACHED;
}

int dxs_fileattr_lower(struct dentry *lower, struct file_kattr *fa);
int dxs_flag(struct dentry *lower);
bool dxs_fileattr_changes(const struct file_kattr *asked,
			  const struct file_kattr *now);
int dxs_fileattr_store(struct mnt_idmap *idmap, struct dentry *lower, int mode,
		       const struct file_kattr *asked, bool whole);

#endif /* DXS_XFLAG_H */
