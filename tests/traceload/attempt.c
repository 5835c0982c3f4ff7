// SPDX-License-Identifier: GPL-2.0-only
/*
 * traceload: reads any file, as far as possible.
 */
#include <err.h>
#include <string.h>

#include "traceload.h"

struct outcome attempt(const char *path)
{
	struct outcome seen = { .opened = false };
	const struct daxstack_heat_file *files;
	struct heattrace_reader *r = heattrace_open(path, seen.why, sizeof(seen.why));
	uint64_t time_ns;
	size_t nr, i;
	int got;

	if (!r) {
		seen.failed = true;
		return seen;
	}
	seen.opened = true;
	while ((got = heattrace_next(r, &time_ns, &files, &nr)) > 0) {
		seen.readings++;
		for (i = 0; i < nr; i++) {
			if (files[i].mode > DAXSTACK_DAX || files[i].sketch_shift > 63)
				errx(1, "what no file has was read");
			heattrace_name(r, files[i].ino, files[i].generation);
		}
	}
	seen.failed = got < 0;
	seen.complete = heattrace_state(r) == HEATTRACE_COMPLETE;
	snprintf(seen.why, sizeof(seen.why), "%s", heattrace_error(r));
	heattrace_close(r);
	return seen;
}

int read_all(const char *path)
{
	struct outcome seen = attempt(path);

	printf("%u readings, %s%s%s\n", seen.readings,
	       seen.complete ? "complete" : seen.failed ? "refused" : "cut",
	       *seen.why ? ": " : "", seen.why);
	return seen.failed;
}

static void show_file(const struct heattrace_reader *r,
		      const struct daxstack_heat_file *file)
{
	const struct daxstack_heat_counts *c = &file->by_mode[DAXSTACK_CACHED];
	const struct daxstack_heat_counts *d = &file->by_mode[DAXSTACK_DAX];
	const char *name = heattrace_name(r, file->ino, file->generation);

	printf("%s %llu %llu %llu %llu %llu %llu %llu %u ",
	       file->mode == DAXSTACK_DAX ? "dax" : "cached",
	       c->reads + d->reads, c->read_bytes + d->read_bytes,
	       c->writes + d->writes, c->write_bytes + d->write_bytes,
	       c->read_faults + c->write_faults + d->read_faults + d->write_faults,
	       c->fsyncs + d->fsyncs, file->pages, file->reason);
	for (name = name ?: "-"; *name; name++)
		printf(*name > ' ' && *name <= '~' ? "%c" : "\\x%02x",
		       (unsigned char)*name);
	putchar('\n');
}

int show_last(const char *path)
{
	char why[256];
	struct heattrace_reader *r = heattrace_open(path, why, sizeof(why));
	const struct daxstack_heat_file *files;
	uint64_t time_ns;
	size_t nr = 0, i;

	if (!r)
		errx(1, "%s: %s", path, why);
	while (heattrace_next(r, &time_ns, &files, &nr) > 0)
		;
	for (i = 0; i < nr; i++)
		show_file(r, &files[i]);
	i = *heattrace_error(r);
	heattrace_close(r);
	return i != 0;
}
