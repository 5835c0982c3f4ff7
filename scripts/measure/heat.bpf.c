// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts the reads, writes and faults that a heat session counts, by BPF. docs/heat.md
 * compares the two; scripts/measure/bench-heat runs it.
 *
 * A program at the end of each call, and at the begin of each fault, looks up the file's
 * counters in a per-CPU map by inode number. It keeps no sketches, and counts retried
 * faults twice.
 */
typedef unsigned long long __u64;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned short __u16;
typedef unsigned char __u8;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum { BPF_MAP_TYPE_PERCPU_HASH = 5, BPF_NOEXIST = 1 };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define S_DAX			8192
#define PAGE_SHIFT		12

/* The members of kernel structures that are used; CO-RE relocates them. */
#define KERNEL __attribute__((preserve_access_index))

struct inode {
	unsigned int i_flags;
	unsigned long i_ino;
} KERNEL;

struct file {
	struct inode *f_inode;
} KERNEL;

struct kiocb {
	struct file *ki_filp;
	long long ki_pos;
} KERNEL;

struct vm_area_struct {
	struct file *vm_file;
} KERNEL;

enum fault_flag { FAULT_FLAG_WRITE = 1 };

struct vm_fault {
	struct vm_area_struct *vma;
	enum fault_flag flags;
} KERNEL;

struct dxs_inode {
	struct inode *lower;
} KERNEL;

struct counts {
	__u64 reads, read_bytes, writes, write_bytes, read_faults, write_faults,
	      fsyncs, dirtied;
};

struct by_mode {
	struct counts of[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 10240);
	__type(key, __u64);
	__type(value, struct by_mode);
} files SEC(".maps");

static const struct by_mode none;

static __always_inline struct counts *counts_of(__u64 ino, unsigned int flags)
{
	struct by_mode *modes = bpf_map_lookup_elem(&files, &ino);

	if (!modes) {
		bpf_map_update_elem(&files, &ino, &none, BPF_NOEXIST);
		modes = bpf_map_lookup_elem(&files, &ino);
	}
	if (!modes)
		return NULL;
	return flags & S_DAX ? &modes->of[1] : &modes->of[0];
}

/* The lower inode has the mode; the verifier rejects the module's pointer to it. */
static __always_inline struct counts *counts_of_call(struct inode *inode)
{
	struct dxs_inode *di = (struct dxs_inode *)inode;

	return counts_of(inode->i_ino, BPF_CORE_READ(di, lower, i_flags));
}

SEC("fexit/dxs_read_iter")
int BPF_PROG(count_read, struct kiocb *iocb, void *to, long ret)
{
	struct counts *counts;

	if (ret < 0)
		return 0;
	counts = counts_of_call(iocb->ki_filp->f_inode);
	if (!counts)
		return 0;
	counts->reads++;
	counts->read_bytes += ret;
	return 0;
}

SEC("fexit/dxs_write_iter")
int BPF_PROG(count_write, struct kiocb *iocb, void *from, long ret)
{
	struct counts *counts;
	__u64 end;

	if (ret <= 0)
		return 0;
	counts = counts_of_call(iocb->ki_filp->f_inode);
	if (!counts)
		return 0;
	end = iocb->ki_pos;
	counts->writes++;
	counts->write_bytes += ret;
	counts->dirtied += ((end + 4095) >> PAGE_SHIFT) -
			   ((end - ret) >> PAGE_SHIFT);
	return 0;
}

static __always_inline int count_fault(struct vm_fault *vmf)
{
	struct inode *lower = vmf->vma->vm_file->f_inode;
	struct counts *counts = counts_of(lower->i_ino, lower->i_flags);

	if (!counts)
		return 0;
	if (vmf->flags & FAULT_FLAG_WRITE)
		counts->write_faults++;
	else
		counts->read_faults++;
	return 0;
}

SEC("fentry/dxs_vm_fault")
int BPF_PROG(count_vm_fault, struct vm_fault *vmf)
{
	return count_fault(vmf);
}

SEC("fentry/dxs_vm_page_mkwrite")
int BPF_PROG(count_page_mkwrite, struct vm_fault *vmf)
{
	return count_fault(vmf);
}

SEC("fentry/dxs_vm_pfn_mkwrite")
int BPF_PROG(count_pfn_mkwrite, struct vm_fault *vmf)
{
	return count_fault(vmf);
}

SEC("fentry/dxs_vm_huge_fault")
int BPF_PROG(count_huge_fault, struct vm_fault *vmf)
{
	return count_fault(vmf);
}

SEC("fentry/dxs_vm_map_pages")
int BPF_PROG(count_map_pages, struct vm_fault *vmf)
{
	return count_fault(vmf);
}

char LICENSE[] SEC("license") = "GPL";
