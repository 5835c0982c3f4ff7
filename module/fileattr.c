// SPDX-License-Identifier: GPL-2.0-only
/*
 * FS_IOC_FSGETXATTR and FS_IOC_FSSETXATTR, FS_IOC_GETFLAGS and FS_IOC_SETFLAGS (chattr):
 * the VFS operations that read and set FS_XFLAG_DAX. To set the flag of a regular file is
 * a request to switch the file, which stores the flag as its last step. So these stand
 * above request.c, and xflag.c, which reads and stores the flag, below it.
 */
#include "entry.h"
#include "copies.h"
#include "request.h"
#include "switch.h"
#include "vfs.h"
#include "xflag.h"

int dxs_fileattr_get(struct dentry *dentry, struct file_kattr *fa)
{
	return vfs_fileattr_get(dxs_lower_dentry(dentry), fa);
}

/* Files that are not regular have no mode: the lower inode takes all attributes. */
static int dxs_fileattr_forward(struct mnt_idmap *idmap, struct dentry *dentry,
				struct file_kattr *fa)
{
	struct vfsmount *mnt = dxs_lower_mnt(dentry->d_sb);
	int err = mnt_want_write(mnt);

	if (err)
		return err;
	err = vfs_fileattr_set(idmap, dxs_lower_dentry(dentry), fa);
	dxs_copy_attr(d_inode(dentry));
	mnt_drop_write(mnt);
	return err;
}

/*
 * FS_IOC_FSSETXATTR and FS_IOC_SETFLAGS. A change of the DAX bit of a regular file is a
 * switch; all other attributes are stored with it, all or none (H55).
 *
 * A call that changes only other attributes leaves the mode alone, even if the mode is
 * not what the flag says (as after a deferred switch). A call that changes nothing asks
 * for the mode that the flag says.
 *
 * H46: the VFS holds i_rwsem, and an unlink of the file waits for it while it holds the
 * i_rwsem of the directory. So i_rwsem is released while dirty pages are written and
 * while the request waits. It protects nothing here: attributes are compared and stored
 * under the lower i_rwsem, where the checks of the VFS are repeated
 * (dxs_fileattr_allowed(), dxs_persist()). The caller keeps write access to the mount, as
 * it does while ext4 writes back for FS_IMMUTABLE_FL.
 */
int dxs_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry,
		     struct file_kattr *fa)
{
	struct inode *inode = d_inode(dentry);
	struct dxs_switch sw;
	int err;

	if (!S_ISREG(inode->i_mode))
		return dxs_fileattr_forward(idmap, dentry, fa);

	sw = dxs_switch_of(dentry, dxs_fileattr_mode(fa));
	sw.idmap = idmap;
	sw.fa = fa;
	inode_unlock(inode);
	err = dxs_only_stores(inode->i_sb) ? dxs_store(&sw) : dxs_switch(&sw);
	inode_lock(inode);
	return err;
}
