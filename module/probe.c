// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probe for interfaces of the kernel. kbuild preprocesses this file with the flags of
 * the target kernel, and probe.sh searches the result for the interfaces that differ
 * between kernels. Kbuild adds headers that not every kernel has. This file is never
 * compiled.
 */
#include <linux/compat.h>
#include <linux/dax.h>
#include <linux/dcache.h>
#include <linux/exportfs.h>
#include <linux/file.h>
#include <linux/fileattr.h>
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
