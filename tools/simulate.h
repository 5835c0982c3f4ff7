/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of 'daxstack simulate': simulate.c (command line), replay.c and
 * replayload.c (replay), bestfixed.c (search), simulated.c (print), simplot.c (plot).
 */
#ifndef SIMULATE_H
#define SIMULATE_H

#include "replay.h"

/* The replays that are compared; the last is the requested one. */
enum simulated {
	SIMULATED_DAX,
	SIMULATED_CACHED,
	SIMULATED_BEST,
	SIMULATED_POLICY,
	SIMULATED,
};

/**
 * struct simulation - options and results of 'daxstack simulate'
 * @path: the trace
 * @profile: file of the profile
 * @rules: the rules file, NULL without
 * @plot: file of the plot, NULL without
 * @replay: the trace in memory
 * @data: total size of its files, bytes
 * @policy: how files are placed
 * @list_moves: print each move
 * @list_files: print each file
 * @search: search for the best fixed modes
 * @json: print JSON
 * @tried: number of fixed combinations tried
 * @exact: all combinations were tried
 * @best: the best one
 * @outcomes: results; SIMULATED_BEST only if @search
 * @moves: JSON of the moves, if @json
 */
struct simulation {
	const char *path;
	const char *profile;
	const char *rules;
	const char *plot;
	struct replay replay;
	uint64_t data;
	struct replay_policy policy;
	bool list_moves;
	bool list_files;
	bool search;
	bool json;
	size_t tried;
	bool exact;
	int *best;
	struct replay_outcome outcomes[SIMULATED];
	struct json_t *moves;
};

/* simulated.c: print the results. */
void simulated_moved(void *arg, const struct replay_step *step, uint32_t file,
		     const struct place_move *move, uint64_t ps);
void simulated_print(const struct simulation *sim);
bool simulated_json(struct simulation *sim);

/**
 * simulated_plot - plot time and DRAM over time with gnuplot
 * @sim: the simulation
 *
 * Return: enum tool_status; prints the error on failure.
 */
int simulated_plot(const struct simulation *sim);

#endif
