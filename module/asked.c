// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does anything besides its mode and its ACL decide about a lower inode?
 *
 * inode_permission() of the lower inode also asks security modules. The VFS asks them
 * about the inode of the stack. Their answers can differ if a module keeps a label for
 * each inode, which is stored in the lower filesystem and may be changed there, or if a
 * program looks at inodes. If no module does either, the answer for the lower inode is
 * that for the stack's (H80).
 *
 * Kernel modules cannot list the security modules; securityfs has a list for users, which
 * is fixed at boot. The modules named below have no inode_permission hook on any supported
 * kernel; every other module is assumed to have one.
 *
 * BPF programs come and go. A program that is attached to that hook patches the beginning
 * of an empty function, bpf_lsm_inode_permission(). One that overrides the answer of all
 * modules (fmod_ret), with or without the BPF module, patches that of
 * security_inode_permission(). While the instruction there is still the compiler's no-op,
 * no program is attached.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "asked.h"

static const u32 dxs_always_asked;
#if !defined(CONFIG_SECURITY) || defined(CONFIG_X86_64)
static const u32 dxs_never_asked = DXS_NOT_ASKED;
#endif

/* Read by dxs_only_mode(). */
const u32 *dxs_asked __read_mostly = &dxs_always_asked;
const u32 *dxs_asked_first __read_mostly = &dxs_always_asked;

#if defined(CONFIG_SECURITY) && defined(CONFIG_X86_64)
static const char *const dxs_ask_nothing[] = {
	"capability", "lockdown", "yama", "loadpin", "safesetid", "landlock",
	"apparmor", "tomoyo", "ipe", "integrity", "ima", "evm",
};

/* The first word of a function that a BPF program patches. */
static const u32 *dxs_bpf_hook(const char *function)
{
#if defined(CONFIG_KPROBES) && defined(CONFIG_DYNAMIC_FTRACE)
	/* Tells the address of the function; the probe is never armed. */
	struct kprobe probe = {
		.symbol_name = function,
		.flags = KPROBE_FLAG_DISABLED,
	};
	const u32 *hook;

	if (register_kprobe(&probe))
		return &dxs_always_asked;
	hook = (const u32 *)probe.addr;
	unregister_kprobe(&probe);
	return hook;
#else
	return &dxs_always_asked;
#endif
}

/* The file can copy to user memory only: use that of the task that loads the module. */
static ssize_t dxs_read_list(struct file *file, char *list, size_t size)
{
	unsigned long page;
	loff_t pos = 0;
	ssize_t len;

	if (!file->f_op->read || !current->mm)
		return -EINVAL;
	page = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(page))
		return page;
	len = file->f_op->read(file, (char __user *)page,
			       min_t(size_t, size - 1, PAGE_SIZE), &pos);
	if (len >= 0 && copy_from_user(list, (char __user *)page, len))
		len = -EFAULT;
	vm_munmap(page, PAGE_SIZE);
	if (len >= 0)
		list[len] = '\0';
	return len;
}

/* Names of the active modules, separated by commas, as users read them. */
static ssize_t dxs_list_asked(char *list, size_t size)
{
	struct file_system_type *type = get_fs_type("securityfs");
	struct vfsmount *mnt;
	struct file *file;
	ssize_t len;

	if (!type)
		return -ENODEV;
	mnt = kern_mount(type);
	module_put(type->owner);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	file = file_open_root_mnt(mnt, "lsm", O_RDONLY, 0);
	if (IS_ERR(file)) {
		len = PTR_ERR(file);
	} else {
		len = dxs_read_list(file, list, size);
		fput(file);
	}
	kern_unmount(mnt);
	return len;
}

static const u32 *dxs_find_asked(void)
{
	const u32 *asked = &dxs_never_asked;
	char list[256], *rest = list, *name;
	ssize_t len = dxs_list_asked(list, sizeof(list));

	/* The list may be longer. */
	if (len < 0 || len == sizeof(list) - 1)
		return &dxs_always_asked;
	while ((name = strsep(&rest, ",\n"))) {
		if (!*name ||
		    match_string(dxs_ask_nothing, ARRAY_SIZE(dxs_ask_nothing),
				 name) >= 0)
			continue;
		if (strcmp(name, "bpf"))
			return &dxs_always_asked;
		asked = dxs_bpf_hook("bpf_lsm_inode_permission");
	}
	return asked;
}
#elif defined(CONFIG_SECURITY)
/* The no-op is known for one architecture only. */
static const u32 *dxs_find_asked(void)
{
	return &dxs_always_asked;
}
#else
static const u32 *dxs_find_asked(void)
{
	return &dxs_never_asked;
}
#endif

/* Without security modules the function does not exist. */
static const u32 *dxs_find_asked_first(void)
{
#if !defined(CONFIG_SECURITY)
	return &dxs_never_asked;
#elif defined(CONFIG_X86_64)
	return dxs_bpf_hook("security_inode_permission");
#else
	return &dxs_always_asked;
#endif
}

/**
 * dxs_init_asked() - find out what is asked about lower inodes
 * @kernel: credentials of the kernel itself
 *
 * Context: sleeps. While the module is loaded.
 */
void __init dxs_init_asked(const struct cred *kernel)
{
	const struct cred *old = override_creds(kernel);

	dxs_asked = dxs_find_asked();
	dxs_asked_first = dxs_find_asked_first();
	revert_creds(old);
}
