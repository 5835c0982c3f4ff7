// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts: options, the superblock, and the module itself.
 */
#include <linux/cred.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/statfs.h>

#include "entry.h"
#include "lower.h"
#include "mapping.h"
#include "pace.h"
#include "report.h"
#include "super.h"
#include "vfs.h"

/* Parsed options; -1: not given. */
struct dxs_opts {
	char *lower;
	int policy;
	int inherit;
	int dax;
	struct dxs_passed passed;
};

static const struct fs_parameter_spec dxs_params[] = {
	fsparam_string("lower",		DXS_OPT_LOWER),
	fsparam_enum("switch",		DXS_OPT_SWITCH, dxs_policies),
	fsparam_enum("inherit",		DXS_OPT_INHERIT, dxs_inherits),
	fsparam_enum("dax",		DXS_OPT_DAX, dxs_daxes),
	/* As in ext4 and XFS: without a value it means always. */
	fsparam_flag("dax",		DXS_OPT_DAX_FLAG),
	{}
};

static int dxs_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct dxs_opts *opts = fc->fs_private;
	struct fs_parse_result result;
	int opt = fs_parse(fc, dxs_params, param, &result);

	if (opt == -ENOPARAM && strcmp(param->key, "source"))
		return dxs_passed_add(&opts->passed, fc, param);
	if (opt < 0)
		return opt;

	switch (opt) {
	case DXS_OPT_LOWER:
		if (strcmp(param->string, "ext4") &&
		    strcmp(param->string, "xfs"))
			return invalfc(fc, "lower=%s is neither ext4 nor xfs",
				       param->string);
		kfree(opts->lower);
		opts->lower = param->string;
		param->string = NULL;
		break;
	case DXS_OPT_SWITCH:
		opts->policy = result.uint_32;
		break;
	case DXS_OPT_INHERIT:
		opts->inherit = result.uint_32;
		break;
	case DXS_OPT_DAX:
		opts->dax = result.uint_32;
		break;
	case DXS_OPT_DAX_FLAG:
		opts->dax = DXS_DAX_ALWAYS;
		break;
	}
	return 0;
}

/*
 * syncfs(2) reports a writeback error once to each open file, by s_wb_err of the
 * file's superblock. So errors of the lower superblock are passed on to the stack's.
 */
static void dxs_pass_wb_error(struct super_block *sb)
{
	struct dxs_sb *sbi = DXS_SB(sb);
	int err;

	spin_lock(&sbi->wb_lock);
	err = errseq_check_and_advance(&dxs_lower_mnt(sb)->mnt_sb->s_wb_err,
				       &sbi->wb_err);
	spin_unlock(&sbi->wb_lock);
	if (err)
		errseq_set(&sb->s_wb_err, err);
}

static int dxs_sync_fs(struct super_block *sb, int wait)
{
	struct super_block *lower = dxs_lower_mnt(sb)->mnt_sb;
	int err;

	/* sync(2) syncs the lower superblock as well. */
	if (!wait)
		return 0;

	down_read(&lower->s_umount);
	err = sync_filesystem(lower);
	up_read(&lower->s_umount);
	dxs_pass_wb_error(sb);
	return err;
}

/*
 * Called when the stack has no writers any more. Freezing the lower superblock stops
 * its flusher, too, and has switches refused (FROZEN): both check the state of the
 * lower superblock.
 */
static int dxs_freeze_fs(struct super_block *sb)
{
	return freeze_super(dxs_lower_mnt(sb)->mnt_sb,
			    FREEZE_HOLDER_KERNEL | FREEZE_MAY_NEST, NULL);
}

static int dxs_unfreeze_fs(struct super_block *sb)
{
	int err = thaw_super(dxs_lower_mnt(sb)->mnt_sb,
			     FREEZE_HOLDER_KERNEL | FREEZE_MAY_NEST, NULL);

	/* -EINVAL: it was thawed through another mount already. */
	return err == -EINVAL ? 0 : err;
}

static int dxs_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct path path = dxs_lower_path(dentry);
	int err = vfs_statfs(&path, buf);

	buf->f_type = DAXSTACK_SUPER_MAGIC;
	return err;
}

static int dxs_show_stats(struct seq_file *m, struct dentry *root)
{
	struct dentry *lower = DXS_SB(root->d_sb)->lower_root;
	const struct super_operations *ops = lower->d_sb->s_op;

	return ops->show_stats ? ops->show_stats(m, lower) : 0;
}

static int dxs_show_options(struct seq_file *m, struct dentry *root)
{
	const struct dxs_sb *sbi = DXS_SB(root->d_sb);

	seq_show_option(m, "lower", sbi->lower_mnt->mnt_sb->s_type->name);
	seq_show_option(m, "switch", dxs_option(sbi, DXS_OPT_SWITCH));
	seq_show_option(m, "inherit", dxs_option(sbi, DXS_OPT_INHERIT));
	seq_show_option(m, "dax", dxs_option(sbi, DXS_OPT_DAX));
	dxs_passed_show(m, sbi->lower_mnt->mnt_sb->s_root);
	return 0;
}

/* Releases the lower filesystem, which the stack no longer uses. */
static void dxs_put_lower(struct dxs_sb *sbi)
{
	dxs_linger_end(sbi);
	dxs_report_end(sbi);
	dput(sbi->lower_root);
	sbi->lower_root = NULL;
	if (!IS_ERR_OR_NULL(sbi->lower_mnt))
		kern_unmount(sbi->lower_mnt);
	sbi->lower_mnt = NULL;
}

static void dxs_put_super(struct super_block *sb)
{
	dxs_put_lower(DXS_SB(sb));
}

static void dxs_free_sbi(struct dxs_sb *sbi)
{
	put_cred(sbi->cred);
	dxs_passed_free(&sbi->passed);
	mutex_destroy(&sbi->probe_lock);
	mutex_destroy(&sbi->walk_lock);
	kfree(sbi);
}

/*
 * dxs_test_super() reads DXS_SB(sb) until kill_anon_super() has removed @sb from the
 * list of superblocks, so it is freed after that.
 */
static void dxs_kill_sb(struct super_block *sb)
{
	struct dxs_sb *sbi = DXS_SB(sb);
	struct device *dev = sb->s_root ? dxs_lower_device(sbi) : NULL;

	dxs_heat_del(sbi);
	dxs_sysfs_del(sbi);
	/* H77: kill_anon_super() has to free the anonymous number, not the lower one. */
	if (sbi->anon_dev)
		sb->s_dev = sbi->anon_dev;
	kill_anon_super(sb);
	/* Still set if the mount failed: then dxs_put_super() was not called. */
	if (sbi->lower_mnt)
		dxs_put_lower(sbi);
	dxs_lower_announce(dev);
	dxs_free_sbi(sbi);
}

static const struct super_operations dxs_super_ops = {
	.alloc_inode	= dxs_alloc_inode,
	.free_inode	= dxs_free_inode,
	/* Cheap to allocate again; a cached inode would keep the lower one in memory. */
	.drop_inode	= inode_just_drop,
	.evict_inode	= dxs_evict_inode,
	.put_super	= dxs_put_super,
	.sync_fs	= dxs_sync_fs,
	.freeze_fs	= dxs_freeze_fs,
	.unfreeze_fs	= dxs_unfreeze_fs,
	DXS_FREEZE_OPS
	.statfs		= dxs_statfs,
	.show_options	= dxs_show_options,
	.show_stats	= dxs_show_stats,
};

/* Options of a lower filesystem that is mounted elsewhere must be in force there already. */
static int dxs_accept_lower(struct dxs_sb *sbi, struct fs_context *fc)
{
	const struct dxs_opts *opts = fc->fs_private;
	struct dentry *root = sbi->lower_mnt->mnt_sb->s_root;
	const char *name = NULL;

	if (dxs_lower_shared(sbi)) {
		name = dxs_passed_missing(&opts->passed, root, NULL);
		if (opts->dax >= 0)
			name = "dax=";
	}
	if (fc->sb_flags & DXS_WHEN_FLAGS & ~sbi->lower_mnt->mnt_sb->s_flags)
		name = "sync, lazytime";
	if (!name)
		return 0;
	errorfc(fc, "%s is already mounted: set %s on that mount",
		fc->source, name);
	return -EBUSY;
}

/* Sets up the lower mount for the source, which was found at @path. */
static int dxs_get_lower(struct dxs_sb *sbi, struct fs_context *fc,
			 const struct path *path)
{
	struct dxs_opts *opts = fc->fs_private;
	int err;

	if (!sbi->from_dir) {
		sbi->lower_mnt = dxs_lower_mount(fc, opts->lower,
						 dxs_option_name(dxs_daxes,
								 sbi->dax),
						 &opts->passed);
		if (!IS_ERR(sbi->lower_mnt))
			sbi->lower_root = dget(sbi->lower_mnt->mnt_root);
		else
			errorfc(fc, "%s: could not be mounted as %s: %ld",
				fc->source, opts->lower ?: "ext4 or xfs",
				PTR_ERR(sbi->lower_mnt));
	} else if (opts->dax >= 0 || !dxs_passed_empty(&opts->passed)) {
		sbi->lower_mnt = ERR_PTR(-EINVAL);
		errorfc(fc, "%s is already mounted: set %s on that mount",
			fc->source, opts->dax >= 0 ? "dax=" :
				    dxs_passed_first(&opts->passed));
	} else {
		sbi->lower_mnt = clone_private_mount(path);
		if (!IS_ERR(sbi->lower_mnt))
			sbi->lower_root = dget(path->dentry);
		else
			errorfc(fc, "%s: could not clone its mount: %ld",
				fc->source, PTR_ERR(sbi->lower_mnt));
	}
	if (IS_ERR(sbi->lower_mnt))
		return PTR_ERR(sbi->lower_mnt);

	/*
	 * Mounting looked the source up again: it may lead to another device now
	 * (H50).
	 */
	if (sbi->lower_mnt->mnt_sb->s_dev != sbi->lower_dev) {
		errorfc(fc, "%s: the source changed during the mount", fc->source);
		return -ESTALE;
	}
	/* A lower filesystem that was mounted already keeps the options it has. */
	err = dxs_accept_lower(sbi, fc);
	if (err)
		return err;

	err = dxs_lower_check(sbi->lower_mnt, sbi->lower_root);
	if (!err && opts->lower &&
	    strcmp(opts->lower, sbi->lower_mnt->mnt_sb->s_type->name))
		err = invalfc(fc, "%s is %s, not %s", fc->source,
			      sbi->lower_mnt->mnt_sb->s_type->name,
			      opts->lower);
	return err;
}

/* Applies options; those not given keep their values. */
static void dxs_apply_opts(struct dxs_sb *sbi, struct dxs_opts *opts)
{
	if (opts->policy >= 0)
		WRITE_ONCE(sbi->policy, opts->policy);
	if (opts->inherit >= 0)
		WRITE_ONCE(sbi->inherit, opts->inherit);
	if (!dxs_passed_empty(&opts->passed))
		dxs_passed_take(&sbi->passed, &opts->passed);
}

static struct dxs_sb *dxs_alloc_sbi(const struct dxs_opts *opts)
{
	struct dxs_sb *sbi = kzalloc_obj(*sbi, GFP_KERNEL);

	if (!sbi)
		return NULL;
	dxs_report_init(sbi);
	dxs_passed_init(&sbi->passed);
	mutex_init(&sbi->probe_lock);
	mutex_init(&sbi->walk_lock);
	spin_lock_init(&sbi->wb_lock);
	dxs_linger_init(sbi);
	dxs_heats_init(&sbi->heats);
	/*
	 * H39: not the mounter's credentials, which a security module may have
	 * restricted.
	 */
	sbi->cred = prepare_kernel_cred(&init_task);
	if (!sbi->cred) {
		kfree(sbi);
		return NULL;
	}
	sbi->policy = DXS_SWITCH_LIVE;
	sbi->inherit = DXS_INHERIT_CREATE;
	sbi->dax = max(opts->dax, DXS_DAX_INODE);
	if (!dxs_kernel_is_tested())
		sbi->no_switch = DAXSTACK_REASON_KERNEL;
	if (sbi->dax != DXS_DAX_INODE)
		sbi->no_switch = DAXSTACK_REASON_DAX_OPTION;
	return sbi;
}

/*
 * H77: the device number in /proc/PID/maps has to equal st_dev, otherwise tools
 * cannot find the processes that map a file. The kernel takes the number for maps
 * from the lower inode (6.1) or from the stack's (later). So the stack's superblock
 * takes the device number of the lower superblock. Its own anonymous number stays
 * allocated until unmount.
 */
static void dxs_take_dev(struct super_block *sb)
{
	struct dxs_sb *sbi = DXS_SB(sb);

	sbi->anon_dev = sb->s_dev;
	sb->s_dev = sbi->lower_mnt->mnt_sb->s_dev;
}

static int dxs_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct dxs_sb *sbi = DXS_SB(sb);
	struct super_block *lower = sbi->lower_mnt->mnt_sb;
	struct inode *root;

	dxs_apply_opts(sbi, fc->fs_private);
	sbi->sb = sb;
	dxs_take_dev(sb);
	sb->s_magic = DAXSTACK_SUPER_MAGIC;
	sb->s_op = &dxs_super_ops;
	sb->s_xattr = dxs_xattr_handlers;
	/*
	 * A handle does not say whether a file is in the tree below the root of the
	 * stack.
	 */
	if (IS_ROOT(sbi->lower_root))
		sb->s_export_op = dxs_export_ops_for(lower);
	dxs_quota_init(sb);
	sbi->wb_err = errseq_sample(&lower->s_wb_err);
	set_default_d_op(sb, &dxs_dentry_ops);
	sb->s_stack_depth = dxs_stack_depth(lower);
	super_set_uuid(sb, lower->s_uuid.b, super_uuid_len(lower));
	sb->s_maxbytes = lower->s_maxbytes;
	sb->s_blocksize = lower->s_blocksize;
	sb->s_blocksize_bits = lower->s_blocksize_bits;
	sb->s_time_gran = lower->s_time_gran;
	sb->s_time_min = lower->s_time_min;
	sb->s_time_max = lower->s_time_max;
	sb->s_flags |= lower->s_flags & (SB_POSIXACL | DXS_WHEN_FLAGS);
	if (sb_rdonly(lower) || __mnt_is_readonly(sbi->lower_mnt))
		sb->s_flags |= SB_RDONLY;

	root = dxs_iget(sb, d_inode(sbi->lower_root));
	if (IS_ERR(root))
		return PTR_ERR(root);
	sb->s_root = d_make_root(root);
	if (!sb->s_root)
		return -ENOMEM;
	sb->s_root->d_fsdata = dget(sbi->lower_root);

	if (dxs_learn_personalities(sbi))
		pr_info("%s: %s on %s, switching is on (switch=%s)\n",
			lower->s_id, lower->s_type->name, fc->source,
			dxs_option_name(dxs_policies, sbi->policy));
	else
		pr_warn("%s: %s on %s, switching is off: %s\n", lower->s_id,
			lower->s_type->name, fc->source,
			dxs_reason_text(sbi->no_switch));
	dxs_sysfs_add(sbi);
	return 0;
}

/* Is @sb the stack on the lower filesystem of @fc? Context: sb_lock is held. */
static int dxs_test_super(struct super_block *sb, struct fs_context *fc)
{
	const struct dxs_sb *new = fc->s_fs_info;

	return DXS_SB(sb)->lower_dev == new->lower_dev;
}

/*
 * H50: two stacks on one lower filesystem would have two inodes for one file, each
 * with its own locks, leases and notifications. Hard links can connect any two
 * directories, so all of the lower filesystem needs a single stack superblock.
 *
 * Mounting the same source again returns the same superblock, as in any filesystem.
 * All options given have to equal those in force.
 */
static int dxs_share_super(struct fs_context *fc, const struct super_block *sb,
			   const struct path *path, bool from_dir)
{
	const struct dxs_opts *opts = fc->fs_private;
	const struct dxs_sb *sbi = DXS_SB(sb);
	const struct super_block *lower = sbi->lower_mnt->mnt_sb;
	bool ro = fc->sb_flags & SB_RDONLY;
	const char *name;

	if (opts->lower && strcmp(opts->lower, lower->s_type->name))
		return invalfc(fc, "%s is %s, not %s", fc->source,
			       lower->s_type->name, opts->lower);
	if (sbi->lower_root != (from_dir ? path->dentry : lower->s_root)) {
		errorfc(fc, "%s: daxstack is mounted on another directory of this filesystem",
			fc->source);
		return -EBUSY;
	}
	if ((opts->policy >= 0 && opts->policy != READ_ONCE(sbi->policy)) ||
	    (opts->inherit >= 0 && opts->inherit != READ_ONCE(sbi->inherit)) ||
	    (opts->dax >= 0 && opts->dax != sbi->dax) ||
	    fc->sb_flags & DXS_WHEN_FLAGS & ~sb->s_flags) {
		errorfc(fc, "%s: daxstack is already mounted on it with other options: remount it",
			fc->source);
		return -EBUSY;
	}
	name = dxs_passed_missing(&opts->passed, lower->s_root, &sbi->passed);
	if (name) {
		errorfc(fc, "%s: daxstack is already mounted on it with another %s: remount it",
			fc->source, name);
		return -EBUSY;
	}
	if (from_dir)
		ro = ro || sb_rdonly(lower) || __mnt_is_readonly(path->mnt);
	if (ro != sb_rdonly(sb)) {
		errorfc(fc, "%s: daxstack is already mounted on it, %s", fc->source,
			ro ? "writable" : "read-only");
		return -EBUSY;
	}
	return 0;
}

/* For sget_fc(): find a superblock, do not create one. */
static int dxs_set_none(struct super_block *sb, struct fs_context *fc)
{
	return -ENOENT;
}

/*
 * Finds the stack's superblock on the lower filesystem that fc->s_fs_info names, or
 * creates it, which consumes fc->s_fs_info.
 *
 * H77: lookups by device (quotactl(2)) return the oldest superblock with the number.
 * That has to be the lower one, so it is mounted before the stack's is created.
 */
static struct super_block *dxs_get_super(struct fs_context *fc,
					 const struct path *path)
{
	struct super_block *sb = sget_fc(fc, dxs_test_super, dxs_set_none);
	int err;

	if (PTR_ERR_OR_ZERO(sb) != -ENOENT)
		return sb;
	err = dxs_get_lower(fc->s_fs_info, fc, path);
	return err ? ERR_PTR(err) : sget_fc(fc, dxs_test_super, set_anon_super_fc);
}

static int dxs_get_tree_of(struct fs_context *fc, const struct path *path)
{
	const struct inode *source = d_inode(path->dentry);
	bool from_dir = S_ISDIR(source->i_mode);
	struct dxs_claim claim;
	struct super_block *sb;
	struct dxs_sb *sbi;
	int err;

	if (!from_dir && !S_ISBLK(source->i_mode)) {
		errorfc(fc, "%s is neither a block device nor a directory",
			fc->source);
		return -ENOTBLK;
	}
	/*
	 * A directory of a daxstack mount has the lower device number (H77): check
	 * its type.
	 */
	if (from_dir && !dxs_lower_supported(source->i_sb))
		return invalfc(fc, "%s: lower filesystem %s is neither ext4 nor xfs",
			       fc->source, source->i_sb->s_type->name);
	sbi = dxs_alloc_sbi(fc->fs_private);
	if (!sbi)
		return -ENOMEM;
	sbi->from_dir = from_dir;
	sbi->lower_dev = from_dir ? source->i_sb->s_dev : source->i_rdev;
	err = dxs_claim(&claim, sbi->lower_dev);
	if (err) {
		dxs_free_sbi(sbi);
		return err;
	}
	fc->s_fs_info = sbi;
	sb = dxs_get_super(fc, path);
	dxs_unclaim(&claim);
	/* Still set: an existing superblock was found, or an error occurred. */
	if (fc->s_fs_info) {
		dxs_put_lower(sbi);
		dxs_free_sbi(sbi);
	}
	fc->s_fs_info = NULL;
	if (IS_ERR(sb))
		return PTR_ERR(sb);

	if (sb->s_root) {
		err = dxs_share_super(fc, sb, path, from_dir);
	} else {
		err = dxs_fill_super(sb, fc);
		if (!err) {
			sb->s_flags |= SB_ACTIVE;
			dxs_lower_announce(dxs_lower_device(sbi));
		}
	}
	if (err) {
		deactivate_locked_super(sb);
		return err;
	}
	fc->root = dget(sb->s_root);
	return 0;
}

static int dxs_get_tree(struct fs_context *fc)
{
	struct path path;
	int err;

	/* kern_path() would resolve an empty path to the working directory. */
	if (!fc->source || !*fc->source)
		return invalfc(fc, "no source given");
	err = kern_path(fc->source, LOOKUP_FOLLOW, &path);
	if (err) {
		errorfc(fc, "%s: lookup failed: %d", fc->source, err);
		return err;
	}
	err = dxs_get_tree_of(fc, &path);
	path_put(&path);
	return err;
}

/*
 * Remount. Type and dax= are fixed at mount. The lower filesystem is remounted first:
 * if it refuses, nothing has changed yet.
 */
static int dxs_reconfigure(struct fs_context *fc)
{
	struct super_block *sb = fc->root->d_sb;
	struct dxs_opts *opts = fc->fs_private;
	struct vfsmount *mnt = dxs_lower_mnt(sb);
	int err;

	if (opts->lower && strcmp(opts->lower, mnt->mnt_sb->s_type->name))
		return invalfc(fc, "lower= is fixed at mount");
	if (opts->dax >= 0 && opts->dax != DXS_SB(sb)->dax)
		return invalfc(fc, "dax= is fixed at mount");
	sync_filesystem(sb);
	err = dxs_remount_lower(fc, &opts->passed);
	if (err)
		return err;
	sb->s_flags = (sb->s_flags & ~SB_POSIXACL) |
		      (mnt->mnt_sb->s_flags & SB_POSIXACL);
	dxs_apply_opts(DXS_SB(sb), opts);
	pr_info("%s: remounted, switch=%s, inherit=%s\n", mnt->mnt_sb->s_id,
		dxs_option_name(dxs_policies, DXS_SB(sb)->policy),
		dxs_option_name(dxs_inherits, DXS_SB(sb)->inherit));
	return 0;
}

static void dxs_free_fc(struct fs_context *fc)
{
	struct dxs_opts *opts = fc->fs_private;

	if (!opts)
		return;
	kfree(opts->lower);
	dxs_passed_free(&opts->passed);
	kfree(opts);
}

static const struct fs_context_operations dxs_context_ops = {
	.parse_param	= dxs_parse_param,
	.get_tree	= dxs_get_tree,
	.reconfigure	= dxs_reconfigure,
	.free		= dxs_free_fc,
};

static int dxs_init_fs_context(struct fs_context *fc)
{
	struct dxs_opts *opts = kzalloc_obj(*opts, GFP_KERNEL);

	if (!opts)
		return -ENOMEM;
	opts->policy = -1;
	opts->inherit = -1;
	opts->dax = -1;
	dxs_passed_init(&opts->passed);
	fc->fs_private = opts;
	fc->ops = &dxs_context_ops;
	return 0;
}

static struct file_system_type dxs_fs_type = {
	.owner		= THIS_MODULE,
	.name		= "daxstack",
	.init_fs_context = dxs_init_fs_context,
	.parameters	= dxs_params,
	.kill_sb	= dxs_kill_sb,
	/* Ids are checked and reported by the idmap of the caller's mount (H70). */
	.fs_flags	= FS_ALLOW_IDMAP,
};
MODULE_ALIAS_FS("daxstack");

static int __init dxs_init(void)
{
	int err;

	err = dxs_init_work();
	if (err)
		return err;
	err = dxs_init_inodecache();
	if (err)
		goto out_wq;
	err = dxs_init_filecache();
	if (err)
		goto out_inodes;
	err = dxs_init_own();
	if (err)
		goto out_files;
	err = dxs_init_sysfs();
	if (err)
		goto out_own;
	err = register_filesystem(&dxs_fs_type);
	if (err)
		goto out_sysfs;
	return 0;

out_sysfs:
	dxs_exit_sysfs();
out_own:
	dxs_destroy_own();
out_files:
	dxs_destroy_filecache();
out_inodes:
	dxs_destroy_inodecache();
out_wq:
	dxs_destroy_work();
	return err;
}

static void __exit dxs_exit(void)
{
	unregister_filesystem(&dxs_fs_type);
	dxs_destroy_work();
	/* A fault may have left its gate, but not yet our code (H4). */
	synchronize_rcu_tasks();
	dxs_pace_end();
	dxs_heat_exit();
	dxs_exit_sysfs();
	dxs_destroy_own();
	dxs_destroy_filecache();
	dxs_destroy_inodecache();
}

module_init(dxs_init);
module_exit(dxs_exit);
MODULE_DESCRIPTION("Stacked filesystem that switches files between DAX and page cache live");
MODULE_AUTHOR(DXS_AUTHOR);
MODULE_VERSION(DXS_VERSION);
MODULE_LICENSE("GPL");
