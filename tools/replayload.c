// SPDX-License-Identifier: GPL-2.0-only
/* Load a heat trace into memory. See replay.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heattrace.h"
#include "replay.h"

/* State of a file that is carried from one reading to the next. */
struct known {
	struct daxstack_heat_file last;
	struct reuse reuse;
	uint64_t reading;
};

struct loading {
	struct heattrace_reader *reader;
	struct replay *replay;
	struct known *known;
	size_t max_files, max_records, max_steps;
	uint32_t *table;	/* of indexes + 1, by id */
	size_t buckets;
	uint64_t reading;
	uint64_t time_ns;
	char *err;
	size_t len;
};

static int fails(struct loading *l, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fails(struct loading *l, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(l->err, l->len, format, args);
	va_end(args);
	return -1;
}

static int no_memory(struct loading *l)
{
	return fails(l, "not enough memory for the trace: replay a shorter one");
}

/* Make room for one more element. */
static void *more(void *array, size_t nr, size_t *max, size_t size)
{
	size_t want = *max ? 2 * *max : 64;
	void *new;

	if (nr < *max)
		return array;
	new = realloc(array, want * size);
	if (new)
		*max = want;
	return new;
}

static size_t bucket_of(const struct loading *l, uint64_t id)
{
	id ^= id >> 32;
	return id * 0x9e3779b97f4a7c15ULL >> 20 & (l->buckets - 1);
}

static void enter(struct loading *l, size_t number)
{
	size_t i = bucket_of(l, l->replay->files[number].id);

	while (l->table[i])
		i = (i + 1) & (l->buckets - 1);
	l->table[i] = (uint32_t)number + 1;
}

static int grow_table(struct loading *l)
{
	size_t buckets = 2 * l->max_files, i;
	uint32_t *table = calloc(buckets, sizeof(*table));

	if (!table)
		return -1;
	free(l->table);
	l->table = table;
	l->buckets = buckets;
	for (i = 0; i < l->replay->nr_files; i++)
		enter(l, i);
	return 0;
}

static struct known *find(struct loading *l, uint64_t id, uint32_t *number)
{
	size_t i;

	if (!l->buckets)
		return NULL;
	for (i = bucket_of(l, id); l->table[i]; i = (i + 1) & (l->buckets - 1)) {
		*number = l->table[i] - 1;
		if (l->replay->files[*number].id == id)
			return &l->known[*number];
	}
	return NULL;
}

static struct known *add(struct loading *l, const struct daxstack_heat_file *f,
			 uint32_t *number)
{
	struct replay *r = l->replay;
	size_t max = l->max_files;
	struct replay_file *files;
	struct known *known;

	files = more(r->files, r->nr_files, &max, sizeof(*files));
	if (!files)
		return NULL;
	r->files = files;
	if (max != l->max_files) {
		known = realloc(l->known, max * sizeof(*known));
		if (!known)
			return NULL;
		l->known = known;
		l->max_files = max;
		if (grow_table(l))
			return NULL;
	}
	*number = (uint32_t)r->nr_files;
	r->files[*number] = (struct replay_file){
		.id = place_id(f->ino, f->generation), .ino = f->ino,
		.generation = f->generation, .uid = f->uid, .found = (int)f->mode,
	};
	memset(&l->known[*number], 0, sizeof(*l->known));
	enter(l, r->nr_files++);
	return &l->known[*number];
}

static int name_it(struct loading *l, struct replay_file *file)
{
	const char *name;

	if (file->name)
		return 0;
	name = heattrace_name(l->reader, file->ino, file->generation);
	if (!name)
		return 0;
	file->name = strdup(name);
	return file->name ? 0 : -1;
}

static int take_file(struct loading *l, const struct daxstack_heat_file *f, uint64_t ns)
{
	struct replay *r = l->replay;
	const struct daxstack_heat_file *before;
	struct replay_record *records, *rec;
	struct known *known;
	uint32_t number;

	known = find(l, place_id(f->ino, f->generation), &number);
	/* The counts of the first reading have no known interval. */
	before = known ? &known->last : ns ? NULL : f;
	if (!known)
		known = add(l, f, &number);
	if (!known || name_it(l, &r->files[number]))
		return no_memory(l);
	/* Two files may have the same place_id(): use one of them per reading. */
	if (known->reading == l->reading)
		return 0;
	if (f->size > r->files[number].largest)
		r->files[number].largest = f->size;
	if (!ns)
		goto out;
	records = more(r->records, r->nr_records, &l->max_records, sizeof(*records));
	if (!records)
		return no_memory(l);
	r->records = records;
	rec = &r->records[r->nr_records];
	demand_of(&rec->demand, before, f, ns);
	if (demand_is_none(&rec->demand))
		goto out;
	if (!before && rec->demand.grown && rec->demand.grown >= f->size / 2)
		r->files[number].born = true;
	rec->file = number;
	rec->veto = f->reason;
	reuse_step(&known->reuse, &rec->demand, l->reading, &rec->split);
	rec->dax_ps = cost_ps(&r->profile, &rec->demand, DAXSTACK_DAX, 0);
	rec->cached_ps = cost_ps(&r->profile, &rec->demand, DAXSTACK_CACHED, 0);
	r->nr_records++;
out:
	known->last = *f;
	known->reading = l->reading;
	return 0;
}

static int take_reading(struct loading *l, uint64_t time_ns,
			const struct daxstack_heat_file *files, size_t nr)
{
	struct replay *r = l->replay;
	struct replay_step *steps, *step;
	uint64_t ns = 0;
	size_t i;

	if (l->reading++) {
		if (time_ns <= l->time_ns)
			return fails(l,
				     "reading %" PRIu64 " is not later than the one "
				     "before: the trace is damaged, record it anew",
				     l->reading);
		ns = time_ns - l->time_ns;
		steps = more(r->steps, r->nr_steps, &l->max_steps, sizeof(*steps));
		if (!steps)
			return no_memory(l);
		r->steps = steps;
		step = &r->steps[r->nr_steps++];
		step->time_ns = time_ns;
		step->ns = ns;
		step->stamp = l->reading;
		step->first = r->nr_records;
	}
	l->time_ns = time_ns;
	for (i = 0; i < nr; i++)
		if (take_file(l, &files[i], ns))
			return -1;
	if (r->nr_steps)
		r->steps[r->nr_steps - 1].nr = r->nr_records -
			r->steps[r->nr_steps - 1].first;
	return 0;
}

static int read_all(struct loading *l)
{
	const struct daxstack_heat_file *files;
	uint64_t time_ns;
	size_t nr;
	int more;

	while ((more = heattrace_next(l->reader, &time_ns, &files, &nr)) > 0)
		if (take_reading(l, time_ns, files, nr))
			return -1;
	if (more < 0)
		return fails(l, "%s", heattrace_error(l->reader));
	l->replay->cut = heattrace_state(l->reader) != HEATTRACE_COMPLETE;
	if (!l->replay->nr_steps)
		return fails(l,
			     "it has fewer than two readings: record for longer "
			     "than one interval");
	if (!l->replay->nr_records)
		return fails(l,
			     "no file was used: record while programs use the "
			     "mount");
	return 0;
}

int replay_load(const char *path, const struct dxs_profile *profile,
		struct replay *replay, char *err, size_t len)
{
	struct loading l = { .replay = replay, .err = err, .len = len };
	const struct heattrace_info *info;
	int failed;

	memset(replay, 0, sizeof(*replay));
	replay->profile = *profile;
	l.reader = heattrace_open(path, err, len);
	if (!l.reader)
		return -1;
	info = heattrace_info(l.reader);
	replay->mount = strdup(info->mount);
	replay->lower = strdup(info->lower);
	replay->interval_ns = info->interval_ns;
	replay->realtime_ns = info->realtime_ns;
	replay->windows = info->windows;
	failed = replay->mount && replay->lower ? read_all(&l) : no_memory(&l);
	heattrace_close(l.reader);
	free(l.known);
	free(l.table);
	if (failed)
		replay_free(replay);
	return failed;
}

void replay_free(struct replay *replay)
{
	size_t i;

	for (i = 0; i < replay->nr_files; i++)
		free(replay->files[i].name);
	free(replay->mount);
	free(replay->lower);
	free(replay->files);
	free(replay->records);
	free(replay->steps);
	memset(replay, 0, sizeof(*replay));
}
