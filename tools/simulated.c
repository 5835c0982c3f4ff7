// SPDX-License-Identifier: GPL-2.0-only
/* daxstack simulate: print the results, as text and as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "simulate.h"
#include "tool.h"

#define PS	1000000000000ULL

static const char *const titles[] = { "all dax", "all cached", "best fixed", "policy" };
static const char *const keys[] = { "all_dax", "all_cached", "best_fixed", "policy" };

static bool is_there(const struct simulation *sim, int which)
{
	return which != SIMULATED_BEST || sim->search;
}

static double seconds(uint64_t ps)
{
	return (double)ps / (double)PS;
}

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

/* Seconds since the beginning of the trace. */
static double since_begin(const struct replay *replay, uint64_t time_ns)
{
	const struct replay_step *first = replay->steps;

	return (double)(time_ns - (first->time_ns - first->ns)) / 1e9;
}

static const char *file_name(const struct replay *replay, uint32_t file)
{
	static char number[64];
	const struct replay_file *f = &replay->files[file];

	if (f->name)
		return name_shown(f->name);
	snprintf(number, sizeof(number), "inode %" PRIu64 ", without a name", f->ino);
	return number;
}

/* --- Text. */

static void print_outcome(const struct simulation *sim, int which)
{
	const struct replay_outcome *o = &sim->outcomes[which];
	const struct replay_outcome *dax = &sim->outcomes[SIMULATED_DAX];
	double part = 100 * ((double)o->ps / (double)dax->ps - 1);

	printf("%-10s %14.6f s %+8.2f %% %9" PRIu64 " %11.1f MiB %9.1f MiB\n",
	       titles[which], seconds(o->ps), part, o->switches, mib(o->dram_mean),
	       mib(o->dram_most));
}

static void print_files(const struct simulation *sim)
{
	const struct replay *r = &sim->replay;
	const struct replay_outcome *o = &sim->outcomes[SIMULATED_POLICY];
	size_t i;

	printf("\n%-7s %-7s %6s %10s %10s  %s\n", "at end", "best", "moves", "MiB",
	       "in DRAM", "file");
	for (i = 0; i < r->nr_files; i++)
		printf("%-7s %-7s %6" PRIu32 " %10.1f %10.1f  %s\n",
		       mode_name((unsigned int)o->modes[i]),
		       sim->search ? mode_name((unsigned int)sim->best[i]) : "-",
		       o->moves[i], mib(r->files[i].largest), mib(o->held[i]),
		       file_name(r, (uint32_t)i));
}

void simulated_print(const struct simulation *sim)
{
	const struct replay *r = &sim->replay;
	const struct replay_outcome *o = &sim->outcomes[SIMULATED_POLICY];
	const struct replay_step *last = &r->steps[r->nr_steps - 1];
	int which;

	if (sim->list_moves)
		putchar('\n');
	/* One name per call: name_shown() has a single buffer. */
	printf("%s: %.0f s of ", name_shown(sim->path), since_begin(r, last->time_ns));
	printf("%s ", name_shown(r->mount));
	printf("(%s), %zu intervals, %zu files, %.1f MiB\n", name_shown(r->lower),
	       r->nr_steps, r->nr_files, mib(sim->data));
	printf("modelled by %s, with %.1f MiB of DRAM\n\n", r->profile.name,
	       mib(sim->policy.config.budget_bytes));
	printf("%-10s %16s %10s %9s %15s %13s\n", "", "time", "to all dax", "switches",
	       "DRAM, mean", "most");
	for (which = 0; which < SIMULATED; which++)
		if (is_there(sim, which))
			print_outcome(sim, which);
	if (sim->search)
		printf("\nbest fixed: %s %zu tried\n",
		       sim->exact ? "all" : "the best of", sim->tried);
	printf("policy: %.6f s of it are switches, %" PRIu64 " of them taken back, ",
	       seconds(o->switch_ps), o->undone);
	printf("%.1f MiB written back\n", mib(o->flushed));
	if (sim->list_files)
		print_files(sim);
}

void simulated_moved(void *arg, const struct replay_step *step, uint32_t file,
		     const struct place_move *move, uint64_t ps)
{
	struct simulation *sim = arg;
	json_t *o;

	if (sim->json) {
		o = add_json_object(sim->moves);
		put_json(o, "time_ns", json_integer((json_int_t)step->time_ns));
		put_json(o, "file", json_integer(file));
		put_json(o, "to", json_text(mode_name((unsigned int)move->to)));
		put_json(o, "gain", json_real(move->gain));
		put_json(o, "why", json_text(move->why));
		put_json(o, "switch_ps", json_integer((json_int_t)ps));
	} else if (sim->list_moves) {
		printf("%10.3f s  to %-6s  %+9.4f ms/s  %s: %s\n",
		       since_begin(&sim->replay, step->time_ns),
		       mode_name((unsigned int)move->to), 1e3 * move->gain,
		       file_name(&sim->replay, file), move->why);
	}
}

/* --- JSON. */

static void put_number(json_t *object, const char *key, uint64_t n)
{
	put_json(object, key, json_integer((json_int_t)n));
}

static json_t *outcome_json(const struct replay *r, const struct replay_outcome *o)
{
	json_t *object = json_new(json_object()), *ps, *dram, *switches;
	size_t i;

	put_number(object, "ps", o->ps);
	put_number(object, "switch_ps", o->switch_ps);
	put_number(object, "fill_ps", o->fill_ps);
	put_number(object, "switches", o->switches);
	put_number(object, "most_switches_per_minute", o->most_switches);
	put_number(object, "undone", o->undone);
	put_number(object, "flushed_bytes", o->flushed);
	put_number(object, "dram_mean_bytes", o->dram_mean);
	put_number(object, "dram_most_bytes", o->dram_most);
	ps = json_new(json_array());
	dram = json_new(json_array());
	switches = json_new(json_array());
	for (i = 0; i < r->nr_steps; i++) {
		const struct replay_sample *s = &o->samples[i];

		if (json_array_append_new(ps, json_integer((json_int_t)s->ps)) ||
		    json_array_append_new(dram, json_integer((json_int_t)s->dram)) ||
		    json_array_append_new(switches, json_integer(s->switches)))
			json_new(NULL);
	}
	put_json(object, "interval_ps", ps);
	put_json(object, "interval_dram_bytes", dram);
	put_json(object, "interval_switches", switches);
	return object;
}

static json_t *files_json(const struct simulation *sim)
{
	const struct replay *r = &sim->replay;
	const struct replay_outcome *o = &sim->outcomes[SIMULATED_POLICY];
	json_t *array = json_new(json_array()), *object;
	size_t i;

	for (i = 0; i < r->nr_files; i++) {
		object = add_json_object(array);
		put_json_name(object, "name", r->files[i].name);
		put_number(object, "ino", r->files[i].ino);
		put_number(object, "generation", r->files[i].generation);
		put_number(object, "size", r->files[i].largest);
		put_json(object, "mode", json_text(mode_name((unsigned int)o->modes[i])));
		put_json(object, "best", sim->search ?
			 json_text(mode_name((unsigned int)sim->best[i])) : json_null());
		put_number(object, "moves", o->moves[i]);
		put_number(object, "dram_mean_bytes", o->held[i]);
	}
	return array;
}

static json_t *times_json(const struct replay *r)
{
	json_t *array = json_new(json_array());
	size_t i;

	for (i = 0; i < r->nr_steps; i++)
		if (json_array_append_new(array,
					  json_integer((json_int_t)r->steps[i].time_ns)))
			json_new(NULL);
	return array;
}

/* Return: true on failure. */
bool simulated_json(struct simulation *sim)
{
	const struct replay *r = &sim->replay;
	json_t *array = json_new(json_array()), *o = add_json_object(array);
	bool failed;
	int which;

	put_json_name(o, "trace", sim->path);
	put_json_name(o, "mount", r->mount);
	put_json(o, "lower", json_text(r->lower));
	put_json(o, "complete", json_boolean(!r->cut));
	put_json(o, "profile", json_text(r->profile.name));
	put_number(o, "budget_bytes", sim->policy.config.budget_bytes);
	put_number(o, "data_bytes", sim->data);
	put_number(o, "intervals", r->nr_steps);
	put_json(o, "time_ns", times_json(r));
	for (which = 0; which < SIMULATED; which++)
		put_json(o, keys[which], is_there(sim, which) ?
			 outcome_json(r, &sim->outcomes[which]) : json_null());
	put_json(o, "best_fixed_tried", json_number(sim->search, sim->tried));
	put_json(o, "best_fixed_exact",
		 sim->search ? json_boolean(sim->exact) : json_null());
	put_json(o, "files", files_json(sim));
	put_json(o, "moves", json_incref(sim->moves));
	failed = print_json("simulate", array);
	json_decref(array);
	return failed;
}
