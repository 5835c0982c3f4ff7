// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the running kernel's memory: types from BTF, symbols from kallsyms,
 * bytes from /proc/kcore.
 */
#define _GNU_SOURCE
#include <bpf/btf.h>
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../dxs_test.h"
#include "kernel.h"

static struct btf *btf;
static int kcore = -1;
static Elf64_Phdr *segments;
static int segment_count;

bool kernel_open(void)
{
	Elf64_Ehdr head;
	size_t len;

	btf = btf__load_vmlinux_btf();
	if (!btf)
		return false;
	kcore = MUST(open("/proc/kcore", O_RDONLY));
	if (pread(kcore, &head, sizeof(head), 0) != sizeof(head))
		dxs_bail("/proc/kcore has no ELF header");
	segment_count = head.e_phnum;
	len = segment_count * sizeof(*segments);
	segments = malloc(len);
	if (!segments || pread(kcore, segments, len, head.e_phoff) != (ssize_t)len)
		dxs_bail("/proc/kcore has no segments");
	return true;
}

void kernel_read(uint64_t addr, void *buf, size_t len)
{
	int i;

	for (i = 0; i < segment_count; i++) {
		const Elf64_Phdr *s = &segments[i];

		if (s->p_type != PT_LOAD || addr < s->p_vaddr ||
		    addr - s->p_vaddr + len > s->p_memsz)
			continue;
		if (pread(kcore, buf, len, s->p_offset + addr - s->p_vaddr) !=
		    (ssize_t)len)
			dxs_bail("/proc/kcore: %#llx: %m",
				 (unsigned long long)addr);
		return;
	}
	dxs_bail("/proc/kcore has no %#llx", (unsigned long long)addr);
}

uint64_t kernel_u64(uint64_t addr)
{
	uint64_t value;

	kernel_read(addr, &value, sizeof(value));
	return value;
}

uint64_t kernel_symbol(const char *name)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	unsigned long long addr, found = 0;
	char line[512], symbol[256];

	while (file && !found && fgets(line, sizeof(line), file))
		if (sscanf(line, "%llx %*c %255s", &addr, symbol) == 2 &&
		    !strcmp(symbol, name))
			found = addr;
	if (!found)
		dxs_bail("no symbol %s", name);
	fclose(file);
	return found;
}

static const struct btf_type *plain(int id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (btf_is_mod(t) || btf_is_typedef(t))
		t = btf__type_by_id(btf, t->type);
	return t;
}

static const struct btf_type *struct_named(const char *type)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);

	if (id < 0)
		dxs_bail("no struct %s", type);
	return btf__type_by_id(btf, id);
}

/* Searches anonymous members, too. Return: the offset, or -1. */
static long find(const struct btf_type *t, const char *name, size_t len,
		 const struct btf_type **found)
{
	int i;

	for (i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = btf_members(t) + i;
		const char *seen = btf__name_by_offset(btf, m->name_off);
		long offset = btf_member_bit_offset(t, i) / 8;
		const struct btf_type *inner = plain(m->type);
		long within;

		if (strlen(seen) == len && !strncmp(seen, name, len)) {
			*found = inner;
			return offset;
		}
		if (*seen || !btf_is_composite(inner))
			continue;
		within = find(inner, name, len, found);
		if (within >= 0)
			return offset + within;
	}
	return -1;
}

size_t kernel_offset(const char *type, const char *member)
{
	const struct btf_type *t = struct_named(type);
	const char *name = member;
	size_t len, sum = 0;
	long offset;

	for (;;) {
		len = strcspn(name, ".");
		offset = find(t, name, len, &t);
		if (offset < 0)
			dxs_bail("struct %s has no %s", type, member);
		sum += offset;
		if (!name[len])
			return sum;
		name += len + 1;
	}
}

uint64_t kernel_member(uint64_t addr, const char *type, const char *member)
{
	return kernel_u64(addr + kernel_offset(type, member));
}

void kernel_operations(const char *type,
		       void (*each)(const char *name, size_t offset, void *arg),
		       void *arg)
{
	const struct btf_type *t = struct_named(type);
	int i;

	for (i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = btf_members(t) + i;
		const struct btf_type *inner = plain(m->type);

		if (btf_is_ptr(inner) && btf_is_func_proto(plain(inner->type)))
			each(btf__name_by_offset(btf, m->name_off),
			     btf_member_bit_offset(t, i) / 8, arg);
	}
}
