// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read the attributes of daxstack filesystems in /sys/fs/daxstack, see
 * docs/ABI/sysfs-fs-daxstack.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daxstack.h"
#include "stacks.h"
#include "tool.h"

#define DIRECTORY	"/sys/fs/daxstack"

/**
 * stack_text - read an attribute
 * @stack: the filesystem; NULL: unknown
 * @file: name of the attribute
 * @value: filled in, without the newline
 * @size: of @value
 *
 * Return: false if there is none: the module is older, or the filesystem was unmounted.
 */
bool stack_text(const struct stack *stack, const char *file, char *value,
		size_t size)
{
	ssize_t len = -1;
	int fd;

	*value = 0;
	if (!stack)
		return false;
	fd = openat(stack->dir, file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	do {
		len = read(fd, value, size - 1);
	} while (len < 0 && errno == EINTR && !signals_ended());
	close(fd);
	if (len > 0 && value[len - 1] == '\n')
		len--;
	value[len > 0 ? len : 0] = 0;
	return len > 0;
}

/**
 * stack_number - read a numeric attribute
 * @stack: the filesystem; NULL: unknown
 * @file: name of the attribute
 * @number: filled in
 */
bool stack_number(const struct stack *stack, const char *file,
		  uint64_t *number)
{
	char value[32], *end;

	if (!stack_text(stack, file, value, sizeof(value)))
		return false;
	*number = strtoull(value, &end, 10);
	return !*end;
}

/**
 * stack_no_switch - why files cannot be switched
 * @stack: the filesystem; NULL: unknown
 *
 * Return: enum daxstack_reason; DAXSTACK_REASON_COUNT if unknown.
 */
unsigned int stack_no_switch(const struct stack *stack)
{
	char name[64];

	if (!stack_text(stack, "no_switch", name, sizeof(name)))
		return DAXSTACK_REASON_COUNT;
	return reason_by_name(name);
}

static bool read_dev(struct stack *stack)
{
	unsigned int major, minor;
	char value[32];

	if (!stack_text(stack, "dev", value, sizeof(value)) ||
	    sscanf(value, "%u:%u", &major, &minor) != 2)
		return false;
	stack->dev = makedev(major, minor);
	return true;
}

/**
 * stacks_read - find all daxstack filesystems
 * @stacks: set to an array, for stacks_free()
 * @count: number of @stacks
 *
 * Return: 0 or a negative errno.
 */
int stacks_read(struct stack **stacks, size_t *count)
{
	DIR *top = opendir(DIRECTORY);
	struct dirent *entry;
	struct stack stack;

	*stacks = NULL;
	*count = 0;
	if (!top)
		return -errno;
	while ((entry = readdir(top))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(stack.device, sizeof(stack.device), "%s",
			 entry->d_name);
		stack.dir = openat(dirfd(top), entry->d_name,
				   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (stack.dir < 0)
			continue;
		if (!read_dev(&stack)) {
			close(stack.dir);
			continue;
		}
		*stacks = reallocarray(*stacks, *count + 1, sizeof(stack));
		if (!*stacks)
			err(TOOL_FAILED, "mounts");
		(*stacks)[(*count)++] = stack;
	}
	closedir(top);
	return 0;
}

/**
 * stacks_find - find the filesystem of a file
 * @stacks: of stacks_read()
 * @count: number of @stacks
 * @dev: st_dev of the file
 *
 * Return: NULL if there is none.
 */
const struct stack *stacks_find(const struct stack *stacks, size_t count,
				dev_t dev)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (stacks[i].dev == dev)
			return &stacks[i];
	return NULL;
}

/**
 * stacks_free - free what stacks_read() allocated
 * @stacks: not usable afterwards
 * @count: number of @stacks
 */
void stacks_free(struct stack *stacks, size_t count)
{
	while (count)
		close(stacks[--count].dir);
	free(stacks);
}
