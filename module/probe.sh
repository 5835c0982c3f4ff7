#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Say which interfaces the kernel's headers have, as macros for compat.h.
#
# Usage: probe.sh PREPROCESSED
#
#   PREPROCESSED  probe.c after the preprocessor, with its macros (-dD)
#
# Kbuild runs this for each kernel that the module is built for. What stable updates
# change as well is asked for here and not derived from the kernel's version.
# Each feature is named after the newest form of the interface.
set -eu

[ $# = 1 ] && [ -r "$1" ] || {
	sed -n '2,/^set /{/^# SPDX-/d;/^#/s/^# \{0,1\}//p}' "$0" >&2
	exit 2
}

# One line without the marks of the preprocessor and with single blanks, so that a
# declaration is found however it is laid out.
text=$(mktemp)
trap 'rm -f "$text"' EXIT
sed '/^# [0-9]/d' "$1" | tr -s ' \t\n' ' ' >"$text"

# have FEATURE PATTERN: the headers match an extended regular expression.
have()
{
	if grep -Eq -- "$2" "$text"; then
		echo "#define DXS_HAVE_$1 1"
	fi
}

echo '/* Made by probe.sh from the headers of the kernel that is built for. */'

# fs: mounts, names, attributes
have MNT_IDMAP 'struct mnt_idmap nop_mnt_idmap'
have KERNEL_TMPFILE_OPEN 'struct file \*kernel_tmpfile_open\('
have BACKING_FILE 'struct file \*backing_file_open\('
have BACKING_FILE_USER_FILE 'struct file \*backing_file_open\(const struct file \*'
have SECURITY_MMAP_BACKING_FILE 'int security_mmap_backing_file\('
have FOP_FLAGS 'fop_flags_t fop_flags;'
have FOP_DONTCACHE '#define FOP_DONTCACHE '
have FMODE_CAN_ATOMIC_WRITE '#define FMODE_CAN_ATOMIC_WRITE '
have FILE_REF 'file_ref_t f_ref;'
have FILE_CONST_PATH 'struct path __f_path;'
have MNT_GET_WRITE_ACCESS 'int mnt_get_write_access\('
have FSNOTIFY_MODE 'void file_set_fsnotify_mode\(struct file \*file, fmode_t'
have FMODE_NOREUSE '#define FMODE_NOREUSE '
have VFS_SPLICE_READ 'vfs_splice_read\(struct file \*'
have INODE_CTIME_ACCESSORS 'inode_set_ctime_to_ts\('
have INODE_TIME_ACCESSORS 'inode_set_mtime_to_ts\('
have UPDATE_TIME_TYPE '\(\*update_time\) ?\(struct inode \*(inode)?, enum fs_update_time'
have UPDATE_TIME_WITHOUT_TIME '\(\*update_time\) ?\(struct inode \*, int\)'
have FC_MOUNT_LONGTERM 'struct vfsmount \*fc_mount_longterm\('
have FREEZE_HOLDER 'freeze_super\(struct super_block \*(super|sb), enum freeze_holder'
have FREEZE_EXCL 'FREEZE_EXCL ?='
have FREEZE_OWNER 'freeze_super\(struct super_block \*(super|sb), enum freeze_holder who, const void \*'
have SUPER_SET_UUID 'super_set_uuid\('
have SET_DEFAULT_D_OP 'set_default_d_op\('
have INODE_JUST_DROP 'inode_just_drop\('
have INODE_STATE_READ 'inode_state_read_once\('
have FILE_KATTR 'struct file_kattr \{'
have PARSE_FS_STRING_WITHOUT_LENGTH 'vfs_parse_fs_string\(struct fs_context \*fc, const char \*key, const char \*value\)'
have CONST_XATTR_HANDLERS 'const struct xattr_handler \* ?const \*s_xattr'
have GET_INODE_ACL '\(\*get_inode_acl\)'
have VFS_SET_ACL 'vfs_set_acl\('
have FOR_EACH_ALIAS '#define for_each_alias\('
have D_REAL_TYPE 'enum d_real_type \{'
have D_REVALIDATE_NAME '\(\*d_revalidate\)\(struct inode \*'
have GENERIC_ENCODE_INO32 'int generic_encode_ino32_fh\('
have ENCODE_INODE_FH_FLAGS 'exportfs_encode_inode_fh\(struct inode \*inode, struct fid \*fid, int \*max_len, struct inode \*parent, int flags\)'
have LOOKUP_NOPERM 'lookup_noperm_unlocked\('
have LOOKUP_ONE_QSTR_EXCL 'struct dentry \*lookup_one_qstr_excl\('
have START_CREATING_NOPERM 'struct dentry \*start_creating_noperm\('
have DELEGATED_INODE 'struct delegated_inode \{'
have END_DIROP 'void end_dirop\('
have MKDIR_DENTRY 'struct dentry \* ?\(\*mkdir\) ?\('
have CREATE_WITHOUT_EXCL '\(\*create\) ?\(struct mnt_idmap \*, struct inode \*, ?struct dentry \*, umode_t\)'
have START_RENAMING_DENTRY 'start_renaming_dentry\('
have FILEMAP_FDATAWRITE_WBC 'filemap_fdatawrite_wbc\('

# headers
have FILELOCK_H '#define _LINUX_FILELOCK_H'
have FOLIO_BATCH_H '#define _LINUX_FOLIO_BATCH_H'

# mm
have VM_FLAGS_SET 'void vm_flags_set\('
have HUGE_FAULT_ORDER '\(\*huge_fault\)\(struct vm_fault \*vmf, unsigned int order\)'
have PAGE_MAPCOUNT ' page_mapcount\(struct page \*page\) \{'
have VMA_LOCK 'vma_start_write\('
have MM_LOCK_SEQCOUNT 'seqcount_t mm_lock_seq;'
have RELEASE_FAULT_LOCK 'release_fault_lock\('
have MMAP_PREPARE 'compat_set_desc_from_vma\('
have MAPPING_FOLIO_ORDER '#define AS_FOLIO_ORDER_MAX|AS_FOLIO_ORDER_MAX = '
have READ_ONLY_THP 'int filemap_nr_thps\('

# dax
have DAX_BREAK_LAYOUT 'dax_break_layout\(struct inode \*inode, loff_t start'
have DAX_DELETE_MAPPING_RANGE 'void dax_delete_mapping_range\('
