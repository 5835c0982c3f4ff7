/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The running kernel's memory, by the names of its types.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Return: false if this kernel does not tell of its types. Bails out else. */
bool kernel_open(void);
/* The address of a symbol. Bails out. */
uint64_t kernel_symbol(const char *name);
void kernel_read(uint64_t addr, void *buf, size_t len);
uint64_t kernel_u64(uint64_t addr);

/* The offset of a member, "a.b" for one within. Bails out. */
size_t kernel_offset(const char *type, const char *member);
/* A member that is a pointer, or as long as one. */
uint64_t kernel_member(uint64_t addr, const char *type, const char *member);

/* Calls @each for every member of a struct that is a pointer to a function. */
void kernel_operations(const char *type,
		       void (*each)(const char *name, size_t offset, void *arg),
		       void *arg);

#endif /* KERNEL_H */
