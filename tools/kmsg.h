/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KMSG_H
#define KMSG_H

#include <stddef.h>

int kmsg_begin(void);
char *kmsg_next(int fd, const char *device);

#endif /* KMSG_H */
