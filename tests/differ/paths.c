// SPDX-License-Identifier: GPL-2.0-only
/*
 * differ: the names that steps use: few, so that steps use the same files; some
 * of them unusual.
 */
#define _GNU_SOURCE
#include <limits.h>

#include "differ.h"

enum { NAME_255 = 1, NAME_256, DEEP_255, PATH_MAX_1, PATH_MAX_0 };

static const struct name {
	const char *path;
	unsigned int weight;
	int longer;
} names[] = {
	{ "a", 30, 0 },
	{ "b", 30, 0 },
	{ "c", 12, 0 },
	{ "d0", 16, 0 },
	{ "d0/a", 16, 0 },
	{ "d0/b", 10, 0 },
	{ "d0/d2", 10, 0 },
	{ "d0/d2/a", 8, 0 },
	{ "d1", 12, 0 },
	{ "d1/a", 10, 0 },
	{ "d1/d2", 6, 0 },
	{ "e", 8, 0 },
	{ "g", 12, 0 },
	{ "h", 12, 0 },
	{ "i", 8, 0 },
	{ "d0/g", 8, 0 },
	{ "d0/h", 8, 0 },
	{ "d1/g", 8, 0 },
	{ "d1/h", 8, 0 },
	{ "d0/d2/g", 6, 0 },
	{ "l", 8, 0 },
	{ "f", 6, 0 },
	{ "dl", 4, 0 },
	{ "dl/a", 4, 0 },
	{ "loop", 2, 0 },
	{ ".", 4, 0 },
	{ "..", 2, 0 },
	{ "", 2, 0 },
	{ "a/", 2, 0 },
	{ "d0/", 3, 0 },
	{ "dl/", 2, 0 },
	{ "d0/..", 1, 0 },
	{ "d0/.", 1, 0 },
	{ "a/x", 2, 0 },
	{ "no/x", 2, 0 },
	{ "loop/x", 1, 0 },
	{ "l/", 1, 0 },
	{ "f/x", 1, 0 },
	{ "(name of 255 bytes)", 2, NAME_255 },
	{ "(name of 256 bytes)", 1, NAME_256 },
	{ "d0/(name of 255 bytes)", 2, DEEP_255 },
	{ "(path of 4095 bytes to a)", 1, PATH_MAX_1 },
	{ "(path of 4096 bytes to a)", 1, PATH_MAX_0 },
};

static char *make_long(int longer)
{
	char *text = calloc(1, PATH_MAX + 8);
	size_t len;

	if (!text)
		abort();
	switch (longer) {
	case NAME_255:
		memset(text, 'n', 255);
		break;
	case NAME_256:
		memset(text, 'n', 256);
		break;
	case DEEP_255:
		strcpy(text, "d0/");
		memset(text + 3, 'm', 255);
		break;
	case PATH_MAX_1:
	case PATH_MAX_0:
		len = PATH_MAX - (longer == PATH_MAX_1);
		for (size_t i = 0; i + 1 < len; i++)
			text[i] = i % 2 == (len - 1) % 2 ? '.' : '/';
		/* Relative, whatever the length is. */
		text[0] = '.';
		text[len - 1] = 'a';
		break;
	}
	return text;
}

const char *path_of(unsigned int index)
{
	static char *longer[ARRAY_SIZE(names)];
	const struct name *name = &names[index];

	if (!name->longer)
		return name->path;
	if (!longer[index])
		longer[index] = make_long(name->longer);
	return longer[index];
}

const char *path_text(unsigned int index)
{
	return *names[index].path ? names[index].path : "''";
}

unsigned int make_path(struct rng *rng)
{
	static unsigned int sum;
	unsigned int i, n;

	if (!sum)
		for (i = 0; i < ARRAY_SIZE(names); i++)
			sum += names[i].weight;
	n = below(rng, sum);
	for (i = 0; n >= names[i].weight; i++)
		n -= names[i].weight;
	return i;
}

const char *target_of(unsigned int index)
{
	static const char *const plain[] = { "a", "b", "d0", "d0/a", "../w/b",
					     "loop", "nowhere", "" };
	static const size_t lengths[] = { 59, 60, 255, 1023, 1024, 4095 };
	static char text[PATH_MAX + 1];

	if (index < ARRAY_SIZE(plain))
		return plain[index];
	index -= ARRAY_SIZE(plain);
	memset(text, 't', lengths[index]);
	/* Names of this length are invalid. */
	if (lengths[index] > 255)
		text[200] = '/';
	text[lengths[index]] = 0;
	return text;
}
