// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy: choose the moves. See place.h.
 *
 * DRAM goes to the files with the highest gain per byte. A move is not justified by its
 * expected gain but by the gain already missed: a file moves when that reaches a fair
 * part of the cost of the move, as in the ski rental problem. In addition, the total
 * cost of moves that have not paid off yet is limited to a part of the time of all
 * demand; that part shrinks with each move that turns out wrong, and grows with each
 * that has paid off.
 */
#include <stdlib.h>
#include <string.h>

#include "placement.h"

/*
 * Missed gain that justifies a move, as a part of its cost. Less than 1, because files
 * in use mostly stay in use.
 */
#define PATIENCE	0.25

/* Limit of the files that make room for one. */
enum { VICTIMS_MAX = 256 };

/* State of the decisions of one step. */
struct choice {
	struct place *place;
	struct place_move *moves;
	size_t nr, max;
	/* Files in cached mode that may have to make room, least dense first. */
	struct place_file **victims;
	size_t nr_victims;
	size_t next_victim;
	double free;
	/* Seconds spent on moves that have not paid off yet. */
	double at_stake;
};

static double price_of(const struct place *place, const struct place_file *f, int to)
{
	const struct dxs_profile *p = &place->profile;
	uint64_t ps, dirty;

	if (to == DAXSTACK_DAX) {
		dirty = cost_dirty(&f->last);
		if (dirty > f->pages)
			dirty = f->pages;
		return place_seconds(cost_switch_ps(p, &f->last, to, f->pages, dirty));
	}
	ps = cost_switch_ps(p, &f->last, to, f->pages, 0);
	ps += cost_fill_ps(p, &f->last, (uint64_t)f->set);
	return place_seconds(ps) * (1 << f->undone);
}

static uint64_t flushes(const struct place_file *f, int to)
{
	uint64_t dirty = cost_dirty(&f->last);

	if (to != DAXSTACK_DAX)
		return 0;
	return (dirty < f->pages ? dirty : f->pages) * COST_PAGE;
}

/* --- Limits. */

#define MINUTE_NS	60000000000ULL

/* Sum of the moves in the last minute. */
static struct place_pace last_minute(struct place *place)
{
	struct place_pace sum = { 0 };
	size_t i, to = 0;

	for (i = 0; i < place->nr_paces; i++) {
		struct place_pace *pace = &place->paces[i];

		if (place->now_ns - pace->at_ns >= MINUTE_NS)
			continue;
		sum.moves += pace->moves;
		sum.bytes += pace->bytes;
		place->paces[to++] = *pace;
	}
	place->nr_paces = to;
	return sum;
}

static void note_pace(struct place *place, size_t moves, uint64_t bytes)
{
	struct place_pace *pace = place->paces + place->nr_paces - 1;

	/*
	 * If the table is full, the last entry is extended and counts for longer than
	 * necessary.
	 */
	if (!place->nr_paces || (pace->at_ns != place->now_ns &&
				 place->nr_paces < PACES)) {
		pace = &place->paces[place->nr_paces++];
		memset(pace, 0, sizeof(*pace));
	}
	pace->at_ns = place->now_ns;
	pace->moves += moves;
	pace->bytes += bytes;
}

/* Reserve a group of moves: all or none of them. */
static bool take_tokens(struct choice *c, size_t moves, uint64_t bytes)
{
	const struct place_config *config = &c->place->config;
	struct place_pace done = last_minute(c->place);

	if (c->nr + moves > c->max)
		return false;
	if (config->max_switches_per_min &&
	    done.moves + moves > config->max_switches_per_min)
		return false;
	/* A file that flushes more than the limit gets a minute of its own. */
	if (config->max_flush_bytes_per_min && bytes && done.bytes &&
	    done.bytes + bytes > config->max_flush_bytes_per_min)
		return false;
	note_pace(c->place, moves, bytes);
	return true;
}

/* Return: why a file cannot be moved now, NULL if it can be. */
static const char *held(const struct place *place, const struct place_file *f)
{
	if (f->quiet)
		return "not switched during quiet hours";
	if (f->veto_now)
		return "a switch would be refused";
	if (place->now_ns < f->not_before_ns)
		return "a switch was refused; the next attempt comes later";
	return NULL;
}

static bool is_settling(const struct place *place, const struct place_file *f)
{
	return f->switches && place->step - f->moved_at < place->config.settle_intervals;
}

static void move(struct choice *c, struct place_file *f, int to, double gain,
		 const char *why)
{
	c->moves[c->nr++] = (struct place_move){
		.id = f->id, .to = to, .gain = gain, .why = why,
	};
	f->why = why;
	f->wanted = to;
}

/* --- Rules, and moves that turned out wrong. */

static void obey(struct choice *c, struct place_file *f, int to)
{
	const char *why = held(c->place, f);

	f->wanted = to;
	f->price = price_of(c->place, f, to);
	if (f->mode == to) {
		f->why = "the rules say so";
	} else if (why) {
		f->why = why;
	} else if (!take_tokens(c, 1, flushes(f, to))) {
		f->why = "the limit of switches per minute is reached";
	} else {
		move(c, f, to, to == DAXSTACK_CACHED ? f->gain : -f->gain,
		     "the rules say so");
	}
}

/* The file is no longer used, and switching it back now is nearly free. */
static bool is_leftover(const struct place *place, const struct place_file *f)
{
	uint64_t fill;

	if (place->is_plenty || f->idle < AVERAGE_OVER || !f->switches ||
	    (!f->wrong && f->idle < KEPT_FOR))
		return false;
	fill = cost_fill_ps(&place->profile, &f->last, (uint64_t)f->reach);
	return f->price < place_seconds(fill) / 16;
}

static void reconsider(struct choice *c, struct place_file *f)
{
	const char *why = held(c->place, f);
	double back;

	f->price = price_of(c->place, f, DAXSTACK_DAX);
	back = place_seconds(cost_fill_ps(&c->place->profile, &f->last,
					  (uint64_t)f->set)) * PATIENCE;
	if (!why && is_leftover(c->place, f) &&
	    take_tokens(c, 1, flushes(f, DAXSTACK_DAX))) {
		move(c, f, DAXSTACK_DAX, 0, "the file is no longer used");
		return;
	}
	f->wanted = f->gain < 0 ? DAXSTACK_DAX : DAXSTACK_CACHED;
	if (f->gain >= 0) {
		f->why = "cached mode is faster for its use";
	} else if (why) {
		f->why = why;
	} else if (f->credit < f->price + back) {
		/* The file may need its DRAM again. */
		f->why = "dax mode is faster, but the switch has not paid off yet";
	} else if (!take_tokens(c, 1, flushes(f, DAXSTACK_DAX))) {
		f->why = "the limit of switches per minute is reached";
	} else {
		move(c, f, DAXSTACK_DAX, -f->gain,
		     f->switches && f->profit < 0 ?
		     "cached mode did not pay off: the move is taken back" :
		     "dax mode is faster for its use");
	}
}

/* --- DRAM in use beyond the budget. */

static double held_bytes(const struct place_file *f)
{
	return f->mode == DAXSTACK_CACHED ? (double)f->pages * COST_PAGE : 0;
}

static int by_gain_per_page(const void *a, const void *b)
{
	const struct place_file *x = *(struct place_file *const *)a;
	const struct place_file *y = *(struct place_file *const *)b;
	double left = x->gain * held_bytes(y), right = y->gain * held_bytes(x);

	if (left < right || left > right)
		return left < right ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void keep_budget(struct choice *c)
{
	struct place *place = c->place;
	double budget = (double)place->config.budget_bytes, used = 0;
	size_t i, n = 0;

	for (i = 0; i < place->nr; i++) {
		struct place_file *f = &place->files[i];

		used += held_bytes(f);
		if (f->pages && f->mode == DAXSTACK_CACHED && place_is_auto(place, f) &&
		    !held(place, f) && f->wanted == DAXSTACK_CACHED)
			place->order[n++] = f;
	}
	if (used <= budget)
		return;
	qsort(place->order, n, sizeof(*place->order), by_gain_per_page);
	for (i = 0; i < n && used > budget; i++) {
		struct place_file *f = place->order[i];

		if (!take_tokens(c, 1, flushes(f, DAXSTACK_DAX)))
			return;
		used -= held_bytes(f);
		move(c, f, DAXSTACK_DAX, -f->gain,
		     "cached files exceed the DRAM budget, and this one gains least");
	}
}

/* --- Distribution of DRAM. */

static int by_density(const void *a, const void *b)
{
	const struct place_file *x = *(struct place_file *const *)a;
	const struct place_file *y = *(struct place_file *const *)b;
	double left = place_keeps(x) * y->set, right = place_keeps(y) * x->set;

	if (left < right || left > right)
		return left < right ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_density_down(const void *a, const void *b)
{
	return by_density(b, a);
}

static void find_victims(struct choice *c)
{
	struct place *place = c->place;
	double used = 0;
	size_t i;

	c->victims = place->order;
	for (i = 0; i < place->nr; i++) {
		struct place_file *f = &place->files[i];

		if (f->mode != DAXSTACK_CACHED || f->wanted != DAXSTACK_CACHED)
			continue;
		used += f->set;
		if (place_is_auto(place, f) && !held(place, f) && !is_settling(place, f))
			c->victims[c->nr_victims++] = f;
	}
	c->free = (double)place->config.budget_bytes - used;
	qsort(c->victims, c->nr_victims, sizeof(*c->victims), by_density);
}

struct room {
	size_t victims;
	double gain;		/* lost by the victims, seconds per second */
	double price;		/* of the victims' switches */
	double set;
	uint64_t flush;
	bool enough;
};

static double hysteresis(const struct choice *c)
{
	return c->place->config.hysteresis_percent / 100.0;
}

/* Choose victims for @set bytes, in order of density. */
static struct room room_for(const struct choice *c, double set)
{
	struct room room = { .enough = set <= c->free };
	size_t i = c->next_victim;

	for (; !room.enough && i < c->nr_victims && room.victims < VICTIMS_MAX; i++) {
		const struct place_file *f = c->victims[i];

		room.victims++;
		/* Protect recently moved files. */
		if (place_keeps(f) > 0)
			room.gain += place_keeps(f) * (1 + f->restless * hysteresis(c));
		room.price += price_of(c->place, f, DAXSTACK_DAX);
		room.set += f->set;
		room.flush += flushes(f, DAXSTACK_DAX);
		room.enough = set <= c->free + room.set;
	}
	return room;
}

static void make_room(struct choice *c, const struct room *room)
{
	size_t i;

	for (i = 0; i < room->victims; i++) {
		struct place_file *f = c->victims[c->next_victim++];

		move(c, f, DAXSTACK_DAX, -f->gain,
		     "makes room for a file that gains more per byte of DRAM");
	}
	c->free += room->set;
}

static const char *try_to_cache(struct choice *c, struct place_file *f)
{
	struct place *place = c->place;
	const struct place_config *config = &place->config;
	double seconds = (double)place->ns / 1e9, lost, gain;
	struct room room = room_for(c, f->set);
	const char *why = held(place, f);

	f->price = price_of(place, f, DAXSTACK_CACHED);
	if (!room.enough)
		return "it needs more DRAM than can be freed";
	/* The more often the file was moved, the more it has to gain, and for longer. */
	lost = room.gain * (1 + (1 + f->restless) * hysteresis(c));
	f->price *= 1 + f->restless;
	f->price += room.price;
	if (!f->idle)
		f->credit += (f->gain_now - lost) * seconds;
	if (f->credit < 0)
		f->credit = 0;
	/* Allow for recent demand that continues; the file has to earn its price anyway. */
	gain = f->gain > f->gain_soon / 2 ? f->gain : f->gain_soon / 2;
	if (gain <= lost)
		return "files in cached mode gain more per byte of DRAM";
	f->wanted = DAXSTACK_CACHED;
	if (why)
		return why;
	if (f->seen < 2 || f->idle)
		return "it has not been observed for long enough";
	if (f->credit < f->price * PATIENCE)
		return "cached mode is faster, but the switch has not paid off yet";
	if ((gain - lost) * seconds * config->horizon_intervals < f->price)
		return "cached mode is faster, but by too little to pay for a switch";
	if (c->at_stake + f->price > place->daring * place->all_dax)
		return "too many recent switches have not paid off yet";
	if (!take_tokens(c, room.victims + 1, room.flush))
		return "the limit of switches per minute is reached";
	make_room(c, &room);
	c->free -= f->set;
	c->at_stake += f->price;
	move(c, f, DAXSTACK_CACHED, gain, "gains most per byte of DRAM");
	return f->why;
}

static void give_dram(struct choice *c)
{
	struct place *place = c->place;
	struct place_file **list = place->order + c->nr_victims;
	size_t i, n = 0;

	for (i = 0; i < place->nr; i++) {
		struct place_file *f = &place->files[i];

		if (f->mode != DAXSTACK_DAX || !place_is_auto(place, f))
			continue;
		f->wanted = DAXSTACK_DAX;
		f->why = f->seen ? "dax mode is faster for its use" :
			"the file was not used";
		if (f->gain > 0) {
			list[n++] = f;
			continue;
		}
		f->price = price_of(place, f, DAXSTACK_CACHED);
		if (!f->idle)
			f->credit += f->gain_now * (double)place->ns / 1e9;
		if (f->credit < 0)
			f->credit = 0;
	}
	qsort(list, n, sizeof(*list), by_density_down);
	for (i = 0; i < n; i++)
		list[i]->why = try_to_cache(c, list[i]);
}

/* Include the cost of reading owed bytes into DRAM. */
static void weigh_stakes(struct choice *c)
{
	struct place *place = c->place;
	double owed = 0;
	size_t i;

	for (i = 0; i < place->nr; i++) {
		const struct place_file *f = &place->files[i];

		if (f->mode == DAXSTACK_CACHED && f->owed)
			owed += place_seconds(cost_fill_ps(&place->profile, &f->last,
							   f->owed));
	}
	c->at_stake = place->actual + owed - place->all_dax;
	if (place->daring > 0.5)
		place->daring = 0.5;
	if (place->daring < 1.0 / 256)
		place->daring = 1.0 / 256;
}

int place_choose(struct place *place, struct place_move *moves, size_t max)
{
	struct choice c = { .place = place, .moves = moves, .max = max };
	size_t i;

	if (!place->nr)
		return 0;
	for (i = 0; i < place->nr; i++) {
		struct place_file *f = &place->files[i];

		if (f->rule == RULE_DAX) {
			obey(&c, f, DAXSTACK_DAX);
		} else if (f->rule == RULE_CACHED) {
			obey(&c, f, DAXSTACK_CACHED);
		} else if (!place_is_auto(place, f)) {
			f->wanted = f->mode;
			f->why = f->rule == RULE_LEAVE ? "the rules leave it alone" :
				"it is smaller than min_size in the rules";
		} else if (f->mode == DAXSTACK_CACHED) {
			reconsider(&c, f);
		}
	}
	keep_budget(&c);
	weigh_stakes(&c);
	find_victims(&c);
	give_dram(&c);
	return (int)c.nr;
}
