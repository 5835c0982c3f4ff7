// SPDX-License-Identifier: GPL-2.0-only
/* daxstack calibrate: print the results, as a table and as JSON. */
#include <err.h>
#include <libsmartcols.h>
#include <stdio.h>

#include "calibrate.h"
#include "daxstack.h"
#include "json.h"
#include "tool.h"

enum column { FIGURE_, UNIT, CACHED, CACHED_SPREAD, DAX, DAX_SPREAD, RATIO, VERDICT,
	      COLUMNS };

static const struct {
	const char *name;
	int flags;
} columns[COLUMNS] = {
	[FIGURE_]	= { "FIGURE", 0 },
	[UNIT]		= { "UNIT", 0 },
	[CACHED]	= { "CACHED", SCOLS_FL_RIGHT },
	[CACHED_SPREAD]	= { "QUARTILES", SCOLS_FL_RIGHT },
	[DAX]		= { "DAX", SCOLS_FL_RIGHT },
	[DAX_SPREAD]	= { "QUARTILES", SCOLS_FL_RIGHT },
	[RATIO]		= { "DAX/CACHED", SCOLS_FL_RIGHT },
	[VERDICT]	= { "VERDICT", 0 },
};

static const char *verdict_name(enum outcome verdict)
{
	switch (verdict) {
	case VERDICT_SAME:
		return "same";
	case VERDICT_DIFFERENT:
		return "different";
	default:
		return "unclear";
	}
}

/* --- Table. */

static void put_text(struct libscols_line *line, enum column column,
		     const char *text)
{
	if (scols_line_set_data(line, column, text))
		err(TOOL_FAILED, "table");
}

/* Three digits exceed the precision of the measurement. */
static int decimals(double value)
{
	return value < 10 ? 2 : value < 100 ? 1 : 0;
}

static void put_number(struct libscols_line *line, enum column column,
		       double value)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*f", decimals(value), value);
	put_text(line, column, text);
}

static void put_quartiles(struct libscols_line *line, enum column column,
			  const struct series *series)
{
	struct quartiles q = series_quartiles(series);
	char text[96];

	put_number(line, column, q.median);
	snprintf(text, sizeof(text), "%.*f-%.*f", decimals(q.low), q.low,
		 decimals(q.high), q.high);
	put_text(line, column + 1, text);
}

static struct libscols_line *add_line(struct libscols_table *table,
				      const char *name, const char *unit)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		err(TOOL_FAILED, "table");
	put_text(line, FIGURE_, name);
	put_text(line, UNIT, unit);
	return line;
}

/* Calculated from the three reads above. */
static void add_sequential(struct libscols_table *table,
			   const struct dxs_profile *p)
{
	struct libscols_line *line = add_line(table, "sequential read", "ns");

	put_number(line, CACHED, p->dram.sequential_read_ps / 1e3);
	put_number(line, DAX, p->pmem.sequential_read_ps / 1e3);
	put_number(line, RATIO, (double)p->pmem.sequential_read_ps /
		   p->dram.sequential_read_ps);
}

static void add_figure(struct libscols_table *table,
		       const struct calibration *c, const struct findings *f,
		       enum figure_id figure)
{
	struct libscols_line *line = add_line(table, figure_name(figure),
					      figure_unit(figure));
	const struct comparison *compared = &f->compared[figure];
	const struct series *series = c->series[figure];

	put_quartiles(line, CACHED, &series[DAXSTACK_CACHED]);
	put_quartiles(line, DAX, &series[DAXSTACK_DAX]);
	put_number(line, RATIO, compared->ratio);
	put_text(line, VERDICT, verdict_name(compared->verdict));
}

/**
 * calibrate_show_table - print the figures as a table
 * @out: output
 * @c: what was measured
 * @findings: what follows
 */
void calibrate_show_table(FILE *out, const struct calibration *c,
			  const struct findings *findings)
{
	struct libscols_table *table = scols_new_table();
	struct libscols_line *line;
	unsigned int i;

	if (!table)
		err(TOOL_FAILED, "table");
	for (i = 0; i < COLUMNS; i++)
		if (!scols_table_new_column(table, columns[i].name, 0,
					    columns[i].flags))
			err(TOOL_FAILED, "table");
	scols_table_set_stream(table, out);
	for (i = 0; i < FIGURES; i++) {
		add_figure(table, c, findings, i);
		if (i == FIGURE_FAR)
			add_sequential(table, &findings->profile);
	}
	line = add_line(table, "instruction", "ns");
	put_quartiles(line, CACHED, &c->instruction);
	scols_print_table(table);
	scols_unref_table(table);
	fprintf(out, "%s\n", findings->sentence);
}

/* --- JSON. */

static json_t *quartiles(const struct series *series)
{
	struct quartiles q = series_quartiles(series);

	return json_new(json_pack("{s:f, s:f, s:f}", "median", q.median,
				  "low", q.low, "high", q.high));
}

static void add_json_figure(json_t *all, const struct calibration *c,
			    const struct findings *f, enum figure_id figure)
{
	const struct comparison *compared = &f->compared[figure];
	const struct series *series = c->series[figure];
	json_t *object = add_json_object(all);

	put_json(object, "figure", json_text(figure_name(figure)));
	put_json(object, "unit", json_text(figure_unit(figure)));
	put_json(object, "samples",
		 json_number(true, series[DAXSTACK_DAX].count));
	put_json(object, "cached", quartiles(&series[DAXSTACK_CACHED]));
	put_json(object, "dax", quartiles(&series[DAXSTACK_DAX]));
	put_json(object, "ratio", json_pack("{s:f, s:f, s:f}", "median",
					    compared->ratio, "low",
					    compared->low, "high",
					    compared->high));
	put_json(object, "verdict", json_text(verdict_name(compared->verdict)));
	put_json(object, "memory", json_boolean(figure_is_memory(figure)));
}

static json_t *memory(const struct dxs_memory *m)
{
	return json_new(json_pack("{s:f, s:f, s:f, s:f, s:I, s:I}",
				  "random_read_ns", m->random_read_ps / 1e3,
				  "sequential_read_ns",
				  m->sequential_read_ps / 1e3,
				  "read_mb_s", m->read_kb_s / 1e3,
				  "write_mb_s", m->write_kb_s / 1e3,
				  "line_bytes", (json_int_t)m->line_bytes,
				  "access_bytes", (json_int_t)m->access_bytes));
}

static json_t *profile(const struct dxs_profile *p)
{
	json_t *object = json_new(json_object());

	put_json(object, "name", json_text(p->name));
	put_json(object, "description", json_text(p->description));
	put_json(object, "source", json_text(p->source));
	put_json(object, "cpu", json_pack("{s:f}", "instruction_ns",
					  p->instruction_ps / 1e3));
	put_json(object, "dram", memory(&p->dram));
	put_json(object, "pmem", memory(&p->pmem));
	put_json(object, "fsync",
		 json_pack("{s:f, s:f}", "dax_us", p->fsync_dax_ns / 1e3,
			   "cached_us", p->fsync_cached_ns / 1e3));
	return object;
}

static json_t *machine(const struct machine *m)
{
	json_t *object = json_new(json_object());

	put_json(object, "model", json_text(m->model));
	put_json(object, "hypervisor",
		 json_text(*m->hypervisor ? m->hypervisor : NULL));
	put_json(object, "emulated", json_boolean(m->emulated));
	put_json(object, "cpus", json_number(true, m->cpus));
	put_json(object, "cpu", json_number(m->cpu >= 0, m->cpu));
	put_json(object, "cpu_node", json_number(m->cpu_node >= 0, m->cpu_node));
	put_json(object, "memory_node",
		 json_number(m->memory_node >= 0, m->memory_node));
	put_json(object, "last_level_cache", json_number(true, m->llc));
	put_json(object, "load", json_real(m->load));
	put_json(object, "governor",
		 json_text(*m->governor ? m->governor : NULL));
	put_json(object, "nontemporal_stores",
		 json_boolean(stream_nontemporal()));
	return object;
}

/**
 * calibrate_show_json - print everything as JSON
 * @c: what was measured
 * @findings: what follows
 *
 * Return: enum tool_status.
 */
int calibrate_show_json(const struct calibration *c, const struct findings *findings)
{
	json_t *all = json_new(json_object());
	json_t *figures = json_new(json_array());
	json_t *warnings = json_new(json_array());
	bool failed;
	size_t i;

	for (i = 0; i < FIGURES; i++)
		add_json_figure(figures, c, findings, i);
	for (i = 0; i < findings->nr_warnings; i++)
		json_array_append_new(warnings,
				      json_text(findings->warnings[i]));
	put_json(all, "profile", profile(&findings->profile));
	put_json(all, "verdict", json_text(verdict_name(findings->verdict)));
	put_json(all, "sentence", json_text(findings->sentence));
	put_json(all, "tolerance_percent", json_real((SAMPLES_SAME - 1) * 100));
	put_json(all, "resolution_percent",
		 json_number(true, findings->resolution));
	put_json(all, "warnings", warnings);
	put_json(all, "figures", figures);
	put_json(all, "instruction", quartiles(&c->instruction));
	put_json(all, "machine", machine(&c->machine));
	put_json(all, "device", json_text(c->device));
	put_json(all, "lower", json_text(c->lower));
	put_json(all, "rounds", json_number(true, c->rounds));
	put_json(all, "discarded", json_number(true, c->discarded));
	put_json(all, "size", json_number(true, c->size));
	put_json(all, "page_size", json_number(true, 4096));
	put_json(all, "seconds", json_real(c->seconds));
	failed = json_dumpf(all, stdout, JSON_INDENT(3) | JSON_ENSURE_ASCII |
			    JSON_REAL_PRECISION(6)) || putchar('\n') == EOF;
	json_decref(all);
	return failed ? TOOL_WRITE : TOOL_OK;
}
