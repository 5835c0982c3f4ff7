// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's headers as this module sees them. kbuild preprocesses this file with
 * the flags of the kernel that is built for, and probe.sh looks in the result for
 * the interfaces that differ between kernels. It is never compiled.
 */
#if __has_include(<linux/backing-file.h>)
#include <linux/backing-file.h>
#endif
#include <linux/compat.h>
#include <linux/dax.h>
#include <linux/dcache.h>
#include <linux/exportfs.h>
#include <linux/file.h>
#include <linux/fileattr.h>
#if __has_include(<linux/filelock.h>)
#include <linux/filelock.h>
#endif
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/posix_acl.h>
#include <linux/security.h>
#include <linux/splice.h>
#include <linux/xattr.h>
