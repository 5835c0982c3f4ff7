// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asserts that the stack implements every operation of the lower filesystem's
 * inodes, open files, mappings and superblock, or that the table of operations
 * in docs/semantics.md gives the reason why not.
 *
 * The operation tables in use are read from the kernel's memory: from the list
 * of superblocks to their inodes and to mapped inodes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../dxs_test.h"
#include "kernel.h"

#define DOC	"/usr/local/share/daxstack/semantics.md"

/*
 * The operation tables of one kind of object; those of both modes are merged.
 */
enum kind { FILE_, DIR_, LINK_, FIFO_, KINDS };

static const char *const kind_names[KINDS] = { "file", "dir", "link", "fifo" };

struct tables {
	uint64_t iop[KINDS];
	uint64_t fop[KINDS];
	uint64_t aops[2];		/* by mode */
	uint64_t vm_ops[2];
	uint64_t super;
	uint64_t export;
	uint64_t quota;
};

/* --- Reading the kernel's memory. */

static uint64_t find_super(const char *type)
{
	uint64_t head = kernel_symbol("super_blocks"), node;
	size_t list = kernel_offset("super_block", "s_list");
	char name[16] = "";
	uint64_t sb;

	for (node = kernel_u64(head); node != head; node = kernel_u64(node)) {
		sb = node - list;
		kernel_read(kernel_member(kernel_member(sb, "super_block",
							"s_type"),
					  "file_system_type", "name"),
			    name, sizeof(name) - 1);
		if (!strcmp(name, type))
			return sb;
	}
	dxs_bail("no superblock of %s", type);
}

static uint64_t find_inode(uint64_t sb, ino_t ino)
{
	uint64_t head = sb + kernel_offset("super_block", "s_inodes");
	size_t list = kernel_offset("inode", "i_sb_list");
	uint64_t node;

	for (node = kernel_u64(head); node != head; node = kernel_u64(node))
		if (kernel_member(node - list, "inode", "i_ino") == ino)
			return node - list;
	dxs_bail("no inode %lu", (unsigned long)ino);
}

/* The first VMA of the inode's mapping: the root of the interval tree. */
static uint64_t vm_ops_of(uint64_t inode)
{
	uint64_t mapping = kernel_member(inode, "inode", "i_mapping");
	uint64_t node = kernel_member(mapping, "address_space",
				      "i_mmap.rb_root.rb_node");

	if (!node)
		return 0;
	return kernel_member(node - kernel_offset("vm_area_struct", "shared.rb"),
			     "vm_area_struct", "vm_ops");
}

static void look(const char *mount, const char *type, struct tables *t)
{
	static const char *const paths[KINDS] = { "cached", "dir", "link",
						  "fifo" };
	static const char *const modes[] = { "cached", "dax" };
	uint64_t sb = find_super(type), lower = find_super(dxs_fs), inode;
	struct stat st;
	char path[64];
	int i, fd;
	void *map;

	for (i = 0; i < KINDS; i++) {
		snprintf(path, sizeof(path), "%s/%s", mount, paths[i]);
		MUST(lstat(path, &st));
		inode = find_inode(sb, st.st_ino);
		t->iop[i] = kernel_member(inode, "inode", "i_op");
		t->fop[i] = kernel_member(inode, "inode", "i_fop");
	}
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", mount, modes[i]);
		fd = MUST(open(path, O_RDWR));
		MUST(fstat(fd, &st));
		map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
				fd, 0));
		/* VMAs of the stack are in the mapping of the lower inode. */
		t->vm_ops[i] = vm_ops_of(find_inode(lower, st.st_ino));
		munmap(map, PAGE);
		close(fd);
	}
	t->super = kernel_member(sb, "super_block", "s_op");
	t->export = kernel_member(sb, "super_block", "s_export_op");
	t->quota = kernel_member(sb, "super_block", "s_qcop");
}

/* --- The documented table: "| `struct.member` | fs | why |". */

static char *doc;

static void read_doc(void)
{
	struct stat st;
	int fd = MUST(open(DOC, O_RDONLY));

	MUST(fstat(fd, &st));
	doc = calloc(1, st.st_size + 1);
	if (!doc || read(fd, doc, st.st_size) != st.st_size)
		dxs_bail(DOC);
	close(fd);
}

static bool documented(const char *type, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "\n| `%s.%s` |", type, name);
	return strstr(doc, text);
}

/* --- Comparison. */

struct pair {
	const char *type;
	const char *what;
	uint64_t lower;
	uint64_t stack;
	int had, missing, listed;
};

static void compare_member(const char *name, size_t offset, void *arg)
{
	struct pair *p = arg;
	bool has;

	if (!p->lower || !kernel_u64(p->lower + offset))
		return;
	p->had++;
	has = p->stack && kernel_u64(p->stack + offset);
	if (has)
		return;
	if (documented(p->type, name)) {
		p->listed++;
		return;
	}
	p->missing++;
	dxs_diag("%s: %s.%s is neither forwarded nor documented", p->what,
		 p->type, name);
}

static int compare(const char *type, const char *what, uint64_t lower,
		   uint64_t stack)
{
	struct pair p = { .type = type, .what = what,
			  .lower = lower, .stack = stack };

	kernel_operations(type, compare_member, &p);
	dxs_is(0, p.missing, "%s, %s: %d operations, %d of them listed", what,
	       type, p.had, p.listed);
	return p.had;
}

static void make_files(void)
{
	int fd = MUST(open("stack/cached", O_RDWR | O_CREAT, 0644));

	MUST(ftruncate(fd, PAGE));
	close(fd);
	fd = MUST(open("stack/dax", O_RDWR | O_CREAT, 0644));
	MUST(ftruncate(fd, PAGE));
	dxs_to(fd, DAXSTACK_DAX, "a file");
	close(fd);
	MUST(mkdir("stack/dir", 0755));
	MUST(symlink("file", "stack/link"));
	MUST(mkfifo("stack/fifo", 0644));
}

int main(void)
{
	static const char *const modes[] = { "cached file", "dax file" };
	struct tables stack = { 0 }, lower = { 0 };
	int i, had = 0;

	dxs_begin();
	if (!kernel_open()) {
		dxs_skip("this kernel has no BTF", "all");
		return dxs_done();
	}
	read_doc();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	make_files();
	look("stack", "daxstack", &stack);
	dxs_umount_stack();
	dxs_mount_lower();
	look("lower", dxs_fs, &lower);

	for (i = 0; i < KINDS; i++) {
		had += compare("inode_operations", kind_names[i], lower.iop[i],
			       stack.iop[i]);
		had += compare("file_operations", kind_names[i], lower.fop[i],
			       stack.fop[i]);
	}
	for (i = 0; i < 2; i++) {
		dxs_ok(lower.vm_ops[i] && stack.vm_ops[i] &&
		       stack.vm_ops[i] != lower.vm_ops[i],
		       "%s: mappings have vm_ops of the stack", modes[i]);
		had += compare("vm_operations_struct", modes[i],
			       lower.vm_ops[i], stack.vm_ops[i]);
	}
	had += compare("super_operations", "superblock", lower.super,
		       stack.super);
	had += compare("export_operations", "superblock", lower.export,
		       stack.export);
	had += compare("quotactl_ops", "superblock", lower.quota, stack.quota);
	dxs_ok(had > 80, "%d operations compared", had);
	dxs_umount_lower();
	return dxs_done();
}
