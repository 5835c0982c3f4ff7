/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the running kernel's memory by type and symbol names.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Return: false if this kernel has no BTF. Bails out on other errors. */
bool kernel_open(void);
/* Returns the address of a symbol. Bails out. */
uint64_t kernel_symbol(const char *name);
void kernel_read(uint64_t addr, void *buf, size_t len);
uint64_t kernel_u64(uint64_t addr);

/* Returns the offset of a member; "a.b" for a nested one. Bails out. */
size_t kernel_offset(const char *type, const char *member);
/* Returns a member that is a pointer, or of the size of one. */
uint64_t kernel_member(uint64_t addr, const char *type, const char *member);

/* Calls @each for every member of a struct that is a function pointer. */
void kernel_operations(const char *type,
		       void (*each)(const char *name, size_t offset, void *arg),
		       void *arg);

#endif /* KERNEL_H */
