// SPDX-License-Identifier: GPL-2.0-only
/*
 * traceload: the blocks of a trace without checksums, to be replaced by other
 * data.
 */
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traceload.h"

void take_apart(const char *path, struct blocks *blocks)
{
	int fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	struct trace_unpacker unpacker;
	uint32_t version;

	if (trace_unpacker_init(&unpacker, fd) ||
	    trace_unpacker_begin(&unpacker, &version) != TRACE_READ)
		errx(1, "%s: no trace", path);
	while (blocks->nr < ARRAY_SIZE(blocks->raw) &&
	       trace_unpacker_get(&unpacker) == TRACE_READ) {
		blocks->raw[blocks->nr] = malloc(unpacker.len + 64);
		memcpy(blocks->raw[blocks->nr], unpacker.raw, unpacker.len);
		blocks->len[blocks->nr] = unpacker.len;
		blocks->type[blocks->nr++] = unpacker.type;
	}
	trace_unpacker_free(&unpacker);
	close(fd);
}

void put_together(const char *path, const struct blocks *blocks)
{
	int fd = MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	struct trace_packer packer;
	size_t i;

	if (trace_packer_init(&packer, fd) || trace_packer_begin(&packer))
		errx(1, "%s: not written", path);
	for (i = 0; i < blocks->nr; i++)
		if (trace_packer_put(&packer, blocks->type[i], blocks->raw[i],
				     blocks->len[i]))
			errx(1, "%s: not written", path);
	trace_packer_free(&packer);
	close(fd);
}

/* Files with long names, thousands of which compress into a small block. */
void bomb(const char *path)
{
	static uint8_t raw[TRACE_RAW_MAX];
	static char name[TRACE_NAME_MAX];
	struct blocks blocks = { .nr = 0 };
	struct model *m = new_model(MODEL_FILES);
	struct trace_packer packer;
	struct trace_bytes to;
	uint64_t ino = 1;
	unsigned int n;
	int fd;

	make_small(path, true, 1, m);
	take_apart(path, &blocks);
	fd = MUST(open(path, O_WRONLY | O_TRUNC | O_CLOEXEC));
	if (trace_packer_init(&packer, fd) || trace_packer_begin(&packer) ||
	    trace_packer_put(&packer, TRACE_INFO, blocks.raw[0], blocks.len[0]))
		errx(1, "%s: not written", path);
	memset(name, 'x', sizeof(name));
	for (n = 0; n < 3000; n++) {
		to = (struct trace_bytes){ .at = raw, .end = raw + sizeof(raw) };
		while (to.at - raw < TRACE_RAW_ENOUGH) {
			trace_put_number(&to, TRACE_NEW);
			trace_put_number(&to, ino);
			trace_put_number(&to, TRACE_NAME + 8 * !!(ino > 1));
			trace_put_number(&to, sizeof(name));
			trace_put_bytes(&to, name, sizeof(name));
			ino++;
		}
		if (trace_packer_put(&packer, TRACE_READINGS, raw, to.at - raw))
			errx(1, "%s: not written", path);
	}
	printf("%llu files in %llu bytes\n", (unsigned long long)ino,
	       (unsigned long long)packer.bytes);
	trace_packer_free(&packer);
	close(fd);
}
