// SPDX-License-Identifier: GPL-2.0-only
/*
 * placecheck: asserts each property of the policy, with synthetic demand.
 */
#include <stdlib.h>
#include <string.h>

#include "placecheck.h"

#define SECOND	1000000000ULL

enum { MAX = 256, STEPS_A_MINUTE = 6 };

static struct place_config config;
static struct dxs_profile profile;
static struct place *place;
static struct place_input inputs[MAX];
static size_t nr_inputs;
static struct place_move moves[MAX];
static int nr_moves;
static uint64_t now;
static int modes[MAX];
static uint32_t moved[MAX];

static void begin(uint64_t budget)
{
	place_free(place);
	config.budget_bytes = budget;
	place = place_new(&config, &profile);
	if (!place)
		dxs_bail("no memory");
	now = SECOND;
	memset(modes, 0, sizeof(modes));
	memset(moved, 0, sizeof(moved));
	for (size_t i = 0; i < MAX; i++)
		modes[i] = DAXSTACK_DAX;
	nr_inputs = 0;
}

static struct place_input *input(uint32_t id, uint64_t size)
{
	struct place_input *in = &inputs[nr_inputs++];

	memset(in, 0, sizeof(*in));
	in->id = id;
	in->mode = modes[id];
	in->demand.ns = config.interval_ns;
	in->demand.size = size;
	return in;
}

/* Random reads of its pages. */
static struct place_input *reads(uint32_t id, uint64_t size, uint64_t n)
{
	struct place_input *in = input(id, size);

	in->demand.reads = n;
	in->demand.read_bytes = n * PAGE;
	in->demand.footprint = size;
	in->pages = modes[id] == DAXSTACK_CACHED ? size / PAGE : 0;
	return in;
}

/* A log: each write is synced. */
static struct place_input *writes(uint32_t id, uint64_t size, uint64_t n)
{
	struct place_input *in = input(id, size);

	in->demand.writes = n;
	in->demand.write_bytes = n * PAGE;
	in->demand.dirtied = n;
	in->demand.fsyncs = n;
	in->demand.footprint = size;
	in->pages = modes[id] == DAXSTACK_CACHED ? size / PAGE : 0;
	return in;
}

/* @reason: result of all moves. */
static void step(uint32_t reason)
{
	int i;

	now += config.interval_ns;
	nr_moves = place_step(place, now, inputs, nr_inputs, moves, MAX);
	if (nr_moves < 0)
		dxs_bail("no memory");
	for (i = 0; i < nr_moves; i++) {
		place_done(place, moves[i].id, now, moves[i].to, reason);
		if (reason)
			continue;
		modes[moves[i].id] = moves[i].to;
		moved[moves[i].id]++;
	}
	nr_inputs = 0;
}

static void check_hot(void)
{
	struct place_view view;
	int i;

	begin(64 * MIB);
	for (i = 0; i < 100; i++) {
		reads(1, 16 * MIB, 20000);
		writes(2, 4 * MIB, 2000);
		step(0);
	}
	dxs_is(DAXSTACK_CACHED, modes[1],
	       "a file that is read much moves to DRAM");
	dxs_is(1, moved[1], "and stays there");
	dxs_is(0, moved[2], "a log that is synced stays in dax mode");
	dxs_ok(place_look(place, 1, &view) && view.gain > 0 && view.switches == 1 &&
	       view.set == 16 * MIB && view.wanted == DAXSTACK_CACHED,
	       "the decision is explained");
	dxs_ok(place_look(place, 2, &view) && view.gain < 0,
	       "for the log, too");
	dxs_ok(!place_look(place, 3, &view),
	       "unknown files have no explanation");
}

/*
 * Files that come and go, as in a build or a sort, and a hot one that comes
 * later.
 */
static void check_gone(void)
{
	enum { FIRST = 10, AT_ONCE = 5, TURNS = 40 };
	struct place_sums sums;
	int s, i, id;

	begin(64 * MIB);
	for (s = 0; s < 200; s++) {
		if (s >= 100)
			reads(1, 16 * MIB, 20000);
		for (i = 0; i < AT_ONCE; i++) {
			id = FIRST + s % TURNS * AT_ONCE + i;
			modes[id] = DAXSTACK_CACHED;
			writes(id, 2 * MIB, 512)->demand.fsyncs = 0;
		}
		for (i = 0; s && i < AT_ONCE; i++) {
			id = FIRST + (s - 1) % TURNS * AT_ONCE + i;
			modes[id] = DAXSTACK_DAX;
			input(id, 0)->rule = RULE_LEAVE;
		}
		step(0);
	}
	place_sums(place, &sums);
	dxs_ok(sums.used_bytes <= (16 + 2 * AT_ONCE) * MIB,
	       "removed files hold no DRAM");
	dxs_is(DAXSTACK_CACHED, modes[1], "and keep no other file out of DRAM");
}

static void check_knapsack(void)
{
	struct place_sums sums;
	uint64_t most = 0;
	int i, cached = 0;

	begin(40 * MIB);
	for (i = 0; i < 200; i++) {
		reads(1, 16 * MIB, 8000);
		reads(2, 16 * MIB, 16000);
		reads(3, 16 * MIB, 32000);
		reads(4, 8 * MIB, 12000);
		step(0);
		place_sums(place, &sums);
		if (sums.set_bytes > most)
			most = sums.set_bytes;
	}
	for (i = 1; i <= 4; i++)
		cached += modes[i] == DAXSTACK_CACHED;
	dxs_ok(cached == 3 && modes[1] == DAXSTACK_DAX,
	       "DRAM goes to the files that gain most per byte");
	dxs_ok(most <= 40 * MIB, "the budget is not exceeded");
	dxs_ok(moved[1] + moved[2] + moved[3] + moved[4] <= 5,
	       "without moving back and forth");

	config.budget_bytes = 20 * MIB;
	place_configure(place, &config, &profile);
	for (i = 0; i < 20; i++) {
		reads(1, 16 * MIB, 8000);
		reads(2, 16 * MIB, 16000);
		reads(3, 16 * MIB, 32000);
		reads(4, 8 * MIB, 12000);
		step(0);
	}
	place_sums(place, &sums);
	dxs_ok(sums.used_bytes <= 20 * MIB,
	       "a reduced budget is not exceeded either");
}

static void check_scan(void)
{
	struct place_input *in;
	int i;

	begin(64 * MIB);
	for (i = 0; i < 100; i++) {
		in = input(1, 1024 * MIB);
		in->demand.reads = 64;
		in->demand.read_bytes = 64 * 64 * KIB;
		in->demand.footprint = 4 * MIB;
		in->demand.fresh = 4 * MIB;
		step(0);
	}
	dxs_is(0, moved[1], "a scan moves nothing");
}

static void check_vetoes(void)
{
	uint64_t asked[8] = { 0 };
	struct place_view view;
	int i, n = 0;

	begin(64 * MIB);
	for (i = 0; i < 200 && n < 6; i++) {
		reads(1, 16 * MIB, 20000);
		step(DAXSTACK_REASON_PINNED);
		if (nr_moves)
			asked[n++] = now;
	}
	dxs_ok(n == 6, "a refused move is requested again");
	for (i = 2; i < n; i++)
		if (asked[i] - asked[i - 1] < 2 * (asked[i - 1] - asked[i - 2]))
			break;
	dxs_is(n, i, "with twice the delay each time");
	dxs_ok(place_look(place, 1, &view) && view.vetoes == 6 &&
	       view.veto == DAXSTACK_REASON_PINNED && view.not_before_ns > now,
	       "the reason is recorded");
	dxs_is(DAXSTACK_DAX, modes[1], "the file stays where it is");

	begin(64 * MIB);
	for (i = n = 0; i < 50; i++) {
		reads(1, 16 * MIB, 20000)->veto = DAXSTACK_REASON_MAP_SYNC;
		reads(2, 16 * MIB, 20000)->quiet = true;
		step(0);
		n += nr_moves;
	}
	dxs_is(0, n,
	       "a move that would be refused, or is to be postponed, is not requested");
	reads(1, 16 * MIB, 20000);
	reads(2, 16 * MIB, 20000);
	step(0);
	dxs_is(2, nr_moves, "it is requested once that is over");
}

static void check_rules(void)
{
	int i;

	begin(64 * MIB);
	config.min_size = 2 * MIB;
	place_configure(place, &config, &profile);
	modes[1] = DAXSTACK_CACHED;
	for (i = 0; i < 50; i++) {
		reads(1, 16 * MIB, 20000)->rule = RULE_DAX;
		writes(2, 4 * MIB, 2000)->rule = RULE_CACHED;
		reads(3, 16 * MIB, 20000)->rule = RULE_LEAVE;
		reads(4, 1 * MIB, 20000);
		step(0);
		if (!i)
			dxs_is(2, nr_moves, "rules take effect at once");
	}
	dxs_ok(modes[1] == DAXSTACK_DAX && modes[2] == DAXSTACK_CACHED,
	       "as the rules say");
	dxs_is(0, moved[3], "a file excluded by a rule does not move");
	dxs_is(0, moved[4], "a file that is too small does not move");
	config.min_size = 0;
}

static void check_pace(void)
{
	uint64_t last[STEPS_A_MINUTE] = { 0 }, sum = 0, most = 0, all = 0;
	int i, j;

	config.max_switches_per_min = 7;
	begin(1024 * MIB);
	for (i = 0; i < 120; i++) {
		for (j = 0; j < 100; j++)
			reads((uint32_t)j, 1 * MIB, 5000);
		step(0);
		sum += (uint64_t)nr_moves - last[i % STEPS_A_MINUTE];
		last[i % STEPS_A_MINUTE] = (uint64_t)nr_moves;
		all += (uint64_t)nr_moves;
		if (sum > most)
			most = sum;
	}
	dxs_is(7, (long long)most,
	       "at most 7 switches in a minute, and as many are used");
	dxs_is(100, (long long)all, "all moves are made in the end");
	config.max_switches_per_min = 600;

	config.max_flush_bytes_per_min = 3 * MIB;
	begin(1024 * MIB);
	for (j = 0; j < 10; j++)
		modes[j] = DAXSTACK_CACHED;
	memset(last, 0, sizeof(last));
	for (i = 0, all = sum = most = 0; i < 120; i++) {
		for (j = 0; j < 10; j++) {
			struct place_input *in = writes((uint32_t)j, 1 * MIB, 2000);

			in->rule = RULE_DAX;
			in->demand.fsyncs = 0;
		}
		step(0);
		sum += (uint64_t)nr_moves - last[i % STEPS_A_MINUTE];
		last[i % STEPS_A_MINUTE] = (uint64_t)nr_moves;
		all += (uint64_t)nr_moves;
		if (sum > most)
			most = sum;
	}
	dxs_is(3, (long long)most,
	       "with 1 MiB to write back each, 3 in a minute");
	dxs_is(10, (long long)all, "all moves are made in the end");
	config.max_flush_bytes_per_min = 1 << 30;
}

static void check_wavering(void)
{
	struct place_sums sums;
	int i;

	begin(64 * MIB);
	for (i = 0; i < 400; i++) {
		if (i / 5 % 2)
			reads(1, 16 * MIB, 20000);
		else
			writes(1, 16 * MIB, 20000);
		step(0);
	}
	dxs_ok(moved[1] <= 8,
	       "a file with mixed use does not move back and forth");
	dxs_diag("%u moves", moved[1]);

	/*
	 * It gains while the file is in dax mode, but never once it is in DRAM.
	 */
	begin(64 * MIB);
	for (i = 0; i < 200; i++) {
		struct place_input *in;

		if (modes[1] == DAXSTACK_DAX) {
			reads(1, 16 * MIB, 8000);
		} else {
			in = writes(1, 16 * MIB, 2000);
			in->pages = 100;
		}
		step(0);
	}
	place_sums(place, &sums);
	dxs_ok(sums.undone >= 1, "a wrong move is undone");
	dxs_ok(moved[1] <= 12, "and retried ever more rarely");
	dxs_diag("%u moves, %llu undone", moved[1],
		 (unsigned long long)sums.undone);
}

static void check_newborn(void)
{
	int i, j;

	begin(64 * MIB);
	dxs_is(DAXSTACK_DAX, place_newborn(place),
	       "new files start in dax mode");
	for (i = 0; i < 20; i++) {
		for (j = 0; j < 10; j++) {
			struct place_input *in = input((uint32_t)(i * 10 + j), 64 * KIB);

			in->demand.writes = 16;
			in->demand.write_bytes = 64 * KIB;
			in->demand.dirtied = 16;
			in->demand.grown = 64 * KIB;
			in->demand.footprint = 64 * KIB;
			in->demand.fresh = 64 * KIB;
		}
		step(0);
	}
	dxs_is(DAXSTACK_CACHED, place_newborn(place),
	       "unless earlier ones were better off in cached mode");
}

static uint64_t run_once(void)
{
	uint64_t sum = 0, state = 1;
	int i, j;

	begin(32 * MIB);
	for (i = 0; i < 100; i++) {
		for (j = 0; j < 20; j++) {
			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
			reads((uint32_t)j, 4 * MIB, state >> 51);
		}
		step(0);
		for (j = 0; j < nr_moves; j++) {
			uint64_t gain;

			memcpy(&gain, &moves[j].gain, sizeof(gain));
			sum = sum * 31 + moves[j].id * 2 + (uint64_t)moves[j].to + gain;
		}
	}
	return sum;
}

static void check_the_rest(void)
{
	struct place_sums sums;
	char *text = NULL;
	size_t size;
	FILE *to;
	int i;

	dxs_ok(run_once() == run_once(), "the same demand gives the same moves");

	begin(64 * MIB);
	for (i = 0; i < 400; i++) {
		if (i < 5)
			reads(1, 1 * MIB, 10);
		step(0);
	}
	place_sums(place, &sums);
	dxs_is(0, (long long)sums.files, "unused files are forgotten");

	begin(64 * MIB);
	for (i = 0; i < 20; i++) {
		reads(1, 16 * MIB, 20000);
		step(0);
	}
	to = open_memstream(&text, &size);
	if (!to)
		dxs_bail("no memory");
	dxs_ok(place_explain(place, 1, to), "known files are explained");
	dxs_ok(!place_explain(place, 2, to), "unknown files are not");
	fclose(to);
	dxs_ok(strstr(text, "cached") && strstr(text, "because:"), "in words");
	free(text);

	begin(0);
	for (i = 0; i < 20; i++) {
		reads(1, 16 * MIB, 20000);
		step(0);
	}
	dxs_is(0, moved[1], "without a budget nothing moves to DRAM");
}

void check_policy(void)
{
	place_config_init(&config);
	config.interval_ns = 60 * SECOND / STEPS_A_MINUTE;
	profile = profile_named("optane-dc");
	check_hot();
	check_gone();
	check_knapsack();
	check_scan();
	check_vetoes();
	check_rules();
	check_pace();
	check_wavering();
	check_newborn();
	check_the_rest();
	place_free(place);
}
