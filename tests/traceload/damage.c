// SPDX-License-Identifier: GPL-2.0-only
/*
 * traceload: damaged traces: truncated, changed, forged.
 */
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traceload.h"

/* --- Truncated and changed. */

static char *load(const char *path, size_t *len)
{
	int fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	struct stat st;
	char *all;

	MUST(fstat(fd, &st));
	*len = st.st_size;
	all = malloc(*len);
	if (!all || MUST(read(fd, all, *len)) != st.st_size)
		errx(1, "%s: not read", path);
	close(fd);
	return all;
}

static void store(const char *path, const char *all, size_t len)
{
	int fd = MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));

	if (MUST(write(fd, all, len)) != (ssize_t)len)
		errx(1, "%s: not written", path);
	close(fd);
}

/* A small trace, with its readings in several blocks. */
#define DAMAGE_READINGS	20

static char *make_for_damage(const char *path, size_t *len)
{
	struct model *m = new_model(4);

	make_small(path, true, DAMAGE_READINGS, m);
	free(m);
	return load(path, len);
}

void cut(const char *path)
{
	unsigned int last = 0, steps = 0, wrong = 0, silent = 0;
	struct outcome seen;
	size_t len, n;
	char *all = make_for_damage(path, &len);

	for (n = 0; n < len; n++) {
		store(path, all, n);
		seen = attempt(path);
		silent += seen.failed && !*seen.why;
		/*
		 * From the first block on it is a valid trace that was cut off,
		 * not a damaged one.
		 */
		wrong += seen.complete || (seen.opened && seen.failed) ||
			seen.readings < last || (last && !seen.opened);
		steps += seen.readings > last;
		last = seen.readings;
	}
	dxs_diag("%zu lengths, readings became more at %u of them", len, steps);
	dxs_is(0, wrong, "cut at every length: read as far as possible");
	dxs_is(0, silent, "... or a message");
	dxs_ok(steps > 2, "... block by block");
	store(path, all, len);
	dxs_is(DAMAGE_READINGS, attempt(path).readings, "whole: all readings");
	dxs_ok(attempt(path).complete, "... and complete");
	all = realloc(all, len + 4096);
	memset(all + len, 0, 4096);
	store(path, all, len + 1);
	dxs_ok(attempt(path).failed, "an extra byte is detected");
	/* As after a crash: zeros before the last block. */
	memset(all + len - 30, 0, 4096);
	store(path, all, len - 30 + 4096);
	dxs_ok(attempt(path).opened,
	       "zeros at the end of a truncated trace: opened");
	free(all);
}

void flip(const char *path)
{
	static const uint8_t masks[] = { 0x01, 0x80, 0xff };
	unsigned int unnoticed = 0, silent = 0;
	struct outcome seen;
	size_t len, n, i;
	char *all = make_for_damage(path, &len);

	for (n = 0; n < len; n++) {
		for (i = 0; i < ARRAY_SIZE(masks); i++) {
			all[n] ^= masks[i];
			store(path, all, len);
			all[n] ^= masks[i];
			seen = attempt(path);
			unnoticed += !seen.failed;
			silent += seen.failed && !*seen.why;
		}
	}
	dxs_is(0, unnoticed,
	       "%zu bytes changed, one after the other: detected", len);
	dxs_is(0, silent, "... with a message");
	store(path, all, len);
	dxs_ok(attempt(path).complete, "unchanged: complete");
	free(all);
}

/* --- Forged: blocks with valid checksums and arbitrary contents. */

static void count(struct outcome seen, unsigned int *refused, unsigned int *silent)
{
	*refused += seen.failed;
	*silent += seen.failed && !*seen.why;
}

void forge(const char *path)
{
	static const uint8_t values[] = { 0, 0x7f, 0x80, 0xff };
	unsigned int refused = 0, silent = 0, tried = 0;
	struct blocks blocks = { .nr = 0 };
	size_t len, b, n, i;
	uint8_t kept;

	free(make_for_damage(path, &len));
	take_apart(path, &blocks);
	put_together(path, &blocks);
	dxs_ok(attempt(path).complete, "taken apart and put together: complete");
	for (b = 0; b < blocks.nr; b++) {
		for (n = 0; n < blocks.len[b]; n++) {
			kept = blocks.raw[b][n];
			for (i = 0; i < ARRAY_SIZE(values) + 1; i++, tried++) {
				blocks.raw[b][n] = i < ARRAY_SIZE(values) ?
					values[i] : kept ^ 1 << below(8);
				put_together(path, &blocks);
				count(attempt(path), &refused, &silent);
			}
			blocks.raw[b][n] = kept;
		}
	}
	dxs_ok(refused > tried / 10,
	       "%u forged bytes: %u refused, the rest reads as a trace",
	       tried, refused);
	/* Random data in a block, and blocks of any type. */
	for (i = 0; i < 2000; i++) {
		b = 1 + below(blocks.nr - 1);
		for (n = 0; n < blocks.len[b]; n++)
			blocks.raw[b][n] = rnd();
		blocks.type[b] = below(10) ? TRACE_READINGS : below(5);
		put_together(path, &blocks);
		count(attempt(path), &refused, &silent);
	}
	dxs_is(0, silent, "all with a message");
	for (b = 0; b < blocks.nr; b++)
		free(blocks.raw[b]);
}

/* A file size limit acts like a full disk. */
void full(const char *path)
{
	struct model *m = new_model(MODEL_FILES);
	struct heattrace_writer *w = create(path, true);
	struct daxstack_heat_file files[MODEL_FILES];
	struct outcome seen;
	unsigned int n;
	int error = 0;

	for (n = 0; n < 1000000 && !error; n++) {
		model_step(m, true);
		error = heattrace_put(w, m->time_ns, files, model_collect(m, files),
				      model_name, m);
	}
	dxs_errno(EFBIG, error, "the file exceeds the limit: reported");
	dxs_errno(EFBIG, heattrace_put(w, m->time_ns + 1, files, 0, NULL, NULL),
		  "... by all later calls");
	dxs_errno(EFBIG, heattrace_end(w), "... and at the end");
	seen = attempt(path);
	dxs_ok(!seen.failed && seen.readings > n / 2,
	       "the part written is a trace: %u of %u readings",
	       seen.readings, n);
	dxs_ok(seen.complete, "... with an end, for which there was room");
	free(m);
}
