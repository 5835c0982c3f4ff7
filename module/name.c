// SPDX-License-Identifier: GPL-2.0
/*
 * The names of files, as dmesg and the tracepoints have them.
 *
 * Anyone may put line ends, and what terminals obey, into the name of a file. So a
 * name is escaped before it goes anywhere: whoever shows it has no more to do.
 */
#include <linux/dcache.h>
#include <linux/string_helpers.h>

#include "daxstack.h"

/* With NUL. A single component, with ".../" before it, always fits. */
#define DXS_PATH_SIZE	(NAME_MAX + 8)

/**
 * dxs_name_dentry() - the path of a dentry below the root of the mount, escaped
 * @dentry: of the stack; it stays, or RCU keeps it and those above it
 * @name: the result; of a path that is too long its end, after "..."
 * @size: of @name, with NUL; more than a few
 *
 * What is not printable is escaped as in C, so is the backslash itself, and other
 * bytes are octal.
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
 * dxs_name_inode() - likewise, by one of the names of an inode
 * @inode: of the stack
 * @name: the result; "?" if it has no name in the cache
 * @size: of @name, with NUL
 *
 * A dentry that is let go meanwhile stays in memory for a grace period, and so do
 * those above it and their names: no reference is taken, for to drop the last one
 * might sleep.
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
