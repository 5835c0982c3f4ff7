/* SPDX-License-Identifier: GPL-2.0-only */
/* Attributes of daxstack filesystems, in /sys/fs/daxstack/DEV. */
#ifndef STACKS_H
#define STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct stack - a daxstack filesystem
 * @device: name of the lower block device, and of the directory
 * @dev: device number of the stack, as st_dev
 * @dir: descriptor of the directory
 */
struct stack {
	char device[256];
	dev_t dev;
	int dir;
};

int stacks_read(struct stack **stacks, size_t *count);
const struct stack *stacks_find(const struct stack *stacks, size_t count,
				dev_t dev);
void stacks_free(struct stack *stacks, size_t count);
bool stack_text(const struct stack *stack, const char *file, char *value,
		size_t size);
bool stack_number(const struct stack *stack, const char *file,
		  uint64_t *number);
unsigned int stack_no_switch(const struct stack *stack);

#endif /* STACKS_H */
