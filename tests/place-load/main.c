// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads for placement. See load.h.
 *
 * Usage: place-load list        every load: KEY<tab>KIND<tab>WHAT, in one line
 *        place-load make KEY    create the files of a load, in the working directory
 *        place-load run KEY[/N] run it there, an Nth of it; all of it is region 0 of
 *                               the memory model
 *        place-load begin       region 0 starts, for loads that are scripts
 *        place-load end         region 0 ends
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../region.h"
#include "load.h"

static const struct load *const groups[] = { loads_files, loads_lmdb };

uint64_t next_random(uint64_t *seed)
{
	uint64_t z = (*seed += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void zipf_make(struct zipf *z, long n)
{
	long k;

	z->n = n;
	z->below = dxs_alloc((n + 1) * sizeof(*z->below));
	z->below[0] = 0;
	for (k = 1; k <= n; k++)
		z->below[k] = z->below[k - 1] + (1UL << 40) / k;
}

long zipf_next(const struct zipf *z, uint64_t *seed)
{
	uint64_t x = next_random(seed) % z->below[z->n];
	long low = 0, high = z->n, middle;

	while (high - low > 1) {
		middle = (low + high) / 2;
		if (z->below[middle] <= x)
			low = middle;
		else
			high = middle;
	}
	return low;
}

const char *name_of(const char *what, long number)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s-%02ld", what, number);
	return name;
}

void make_file(const char *path, long len)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
	char *buf = dxs_alloc(64 * KIB);
	long pos, n;

	/* In one extent, so that huge pages fit. */
	if (len)
		MUST(fallocate(fd, 0, 0, len));
	for (pos = 0; pos < len; pos += n) {
		n = len - pos < 64 * KIB ? len - pos : 64 * KIB;
		dxs_fill(buf, n, 1, pos);
		dxs_pwrite(fd, buf, n, pos);
	}
	close(fd);
	free(buf);
}

/* Divisor of the number of operations. */
static long part = 1;

long some_of(long n)
{
	return n / part;
}

/* Finds a load by KEY or KEY/PART; lists all without a key. */
static const struct load *find(char *key)
{
	char *slash = key ? strchr(key, '/') : NULL;
	const struct load *load;
	size_t i;

	if (slash) {
		*slash = '\0';
		part = atol(slash + 1);
		if (part < 1)
			dxs_bail("no part of a load: '%s'", slash + 1);
	}
	for (i = 0; i < ARRAY_SIZE(groups); i++)
		for (load = groups[i]; load->key; load++)
			if (!key)
				printf("%s\t%s\t%s\n", load->key, load->kind, load->what);
			else if (!strcmp(key, load->key))
				return load;
	if (key)
		dxs_bail("no load '%s'", key);
	return NULL;
}

static int usage(void)
{
	fprintf(stderr, "usage: place-load list|begin|end|make KEY|run KEY[/N]\n");
	return 2;
}

int main(int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "";
	const struct load *load;

	if (argc == 2 && !strcmp(what, "list")) {
		find(NULL);
	} else if (argc == 2 && !strcmp(what, "begin")) {
		region_begin(0);
	} else if (argc == 2 && !strcmp(what, "end")) {
		region_end();
	} else if (argc == 3 && !strcmp(what, "make")) {
		find(argv[2])->make();
		sync();
	} else if (argc == 3 && !strcmp(what, "run")) {
		load = find(argv[2]);
		region_begin(0);
		load->run();
		region_end();
	} else {
		return usage();
	}
	return 0;
}
