// SPDX-License-Identifier: GPL-2.0-only
/* The policy: report its knowledge. See place.h. */
#include <inttypes.h>
#include <string.h>

#include "placement.h"
#include "tool.h"

bool place_look(const struct place *place, uint64_t id, struct place_view *view)
{
	const struct place_file *f = place_find(place, id);

	if (!f)
		return false;
	memset(view, 0, sizeof(*view));
	view->id = id;
	view->mode = f->mode;
	view->wanted = f->wanted;
	view->rule = f->rule;
	view->why = f->why;
	view->size = f->last.size;
	view->set = (uint64_t)f->set;
	view->pages = f->pages;
	view->dax_load = f->dax;
	view->cached_load = f->dax - f->gain;
	view->gain = f->gain;
	view->density = f->set > 0 ? f->gain / f->set * (1ULL << 30) : 0;
	view->credit = f->credit;
	view->price = f->price;
	view->seen = f->seen;
	view->switches = f->switches;
	view->undone = f->undone;
	view->since_ns = f->since_ns;
	view->vetoes = f->vetoes;
	view->veto = f->vetoes ? f->veto : f->veto_now;
	view->not_before_ns = f->not_before_ns;
	return true;
}

void place_sums(const struct place *place, struct place_sums *sums)
{
	size_t i;

	memset(sums, 0, sizeof(*sums));
	sums->files = place->nr;
	for (i = 0; i < place->nr; i++) {
		const struct place_file *f = &place->files[i];

		if (f->mode != DAXSTACK_CACHED)
			continue;
		sums->cached++;
		sums->used_bytes += f->pages * COST_PAGE;
		sums->set_bytes += (uint64_t)f->set;
	}
	sums->budget_bytes = place->config.budget_bytes;
	sums->saved = place->all_dax - place->actual;
	sums->switches = place->switches;
	sums->refused = place->refused;
	sums->undone = place->undone;
}

static double mib(double bytes)
{
	return bytes / (1 << 20);
}

static const char *rule_name(enum place_rule rule)
{
	switch (rule) {
	case RULE_AUTO:
		return "auto";
	case RULE_DAX:
		return "dax";
	case RULE_CACHED:
		return "cached";
	default:
		return "leave";
	}
}

bool place_explain(const struct place *place, uint64_t id, FILE *to)
{
	struct place_view v;
	int other;

	if (!place_look(place, id, &v))
		return false;
	other = v.mode == DAXSTACK_DAX ? DAXSTACK_CACHED : DAXSTACK_DAX;
	fprintf(to, "mode:        %s, by rule %s; belongs in %s\n",
		mode_name((unsigned int)v.mode), rule_name(v.rule),
		mode_name((unsigned int)v.wanted));
	fprintf(to, "because:     %s\n", v.why);
	fprintf(to, "size:        %.1f MiB, of which %.1f MiB are used\n",
		mib((double)v.size), mib((double)v.set));
	fprintf(to, "time in dax: %.3f ms of each second\n", 1e3 * v.dax_load);
	fprintf(to, "in cached:   %.3f ms of each second\n", 1e3 * v.cached_load);
	fprintf(to, "gain:        %+.3f ms of each second in cached mode, ", 1e3 * v.gain);
	fprintf(to, "%+.3f ms per GiB of DRAM\n", 1e3 * v.density);
	fprintf(to, "a switch:    costs %.3f ms; %s mode would have saved %.3f ms lately\n",
		1e3 * v.price, mode_name((unsigned int)other), 1e3 * v.credit);
	fprintf(to, "switched:    %" PRIu32 " times, %" PRIu32 " of them taken back\n",
		v.switches, v.undone);
	if (v.veto)
		fprintf(to, "refused:     %s%s\n", reason_text(v.veto),
			v.vetoes ? "; the wait doubles with each attempt" :
			"");
	return true;
}
