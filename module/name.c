// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of files for dmesg and the tracepoints.
 *
 * Users may put line ends and terminal control characters into names. So names are
 * escaped here, and need no further treatment where they are shown.
 */
#include <linux/dcache.h>
#include <linux/string_helpers.h>

#include "report.h"

/* Includes the NUL. A single component with ".../" before it always fits. */
#define DXS_PATH_SIZE	(NAME_MAX + 8)

/**
 * dxs_name_dentry() - path of a dentry relative to the root of the mount, escaped
 * @dentry: of the stack; kept, with its parents, by a reference or by RCU
 * @name: the result; "..." and the end of the path if it is too long
 * @size: size of @name with the NUL, at least some ten bytes
 *
 * Non-printable characters and the backslash are escaped as in C, other bytes in
 * octal.
 *
 * Context: does not sleep.
 * Return: @name
 */
const char *dxs_name_dentry(const struct dentry *dentry, char *name,
			    size_t size)
{
	char buf[DXS_PATH_SIZE], *path;
	size_t len;

	path = dentry_path_raw(dentry, buf, sizeof(buf));
	if (IS_ERR(path)) {
		scnprintf(buf, sizeof(buf), ".../%pd", dentry);
		path = buf;
	}
	len = strlen(path);
	if (len >= size) {
		path += len - (size - 1);
		len = size - 1;
		memcpy(path, "...", 3);
	}
	len = string_escape_mem(path, len, name, size - 1,
				ESCAPE_ANY_NP | ESCAPE_APPEND, "\\");
	name[min(len, size - 1)] = 0;
	return name;
}

/**
 * dxs_name_inode() - one of the names of an inode, escaped
 * @inode: of the stack
 * @name: the result, as by dxs_name_dentry(); "?" if no dentry is cached
 * @size: size of @name with the NUL
 *
 * Takes no reference to the dentry, because dropping the last one might sleep. RCU
 * keeps a dentry that is freed concurrently, its parents and their names for a grace
 * period.
 *
 * Context: does not sleep; i_lock is not held.
 * Return: @name
 */
const char *dxs_name_inode(struct inode *inode, char *name, size_t size)
{
	struct dentry *dentry, *found = NULL;

	rcu_read_lock();
	spin_lock(&inode->i_lock);
	for_each_alias(dentry, inode) {
		found = dentry;
		break;
	}
	spin_unlock(&inode->i_lock);
	if (found)
		dxs_name_dentry(found, name, size);
	else
		strscpy(name, "?", size);
	rcu_read_unlock();
	return name;
}
