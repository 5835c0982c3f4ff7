/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Replay a heat trace: the modelled time of all demand with the files in given modes,
 * or as a policy places them.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cost.h"
#include "place.h"
#include "reuse.h"

/**
 * struct replay_file - a file of the trace
 * @id: place_id()
 * @ino: inode number
 * @generation: generation of the inode number
 * @name: path relative to the mount, NULL if it never had one
 * @uid: owner
 * @found: mode in its first record
 * @born: created while the trace was recorded
 * @largest: largest size, bytes
 * @rule: what the rules say, RULE_AUTO without rules
 */
struct replay_file {
	uint64_t id;
	uint64_t ino;
	uint32_t generation;
	char *name;
	uid_t uid;
	int found;
	bool born;
	uint64_t largest;
	enum place_rule rule;
};

/**
 * struct replay_record - demand on a file in an interval
 * @file: index of the file
 * @veto: why a switch would have been refused
 * @demand: the demand
 * @split: the footprint by time of the last use
 * @dax_ps: modelled time in dax mode
 * @cached_ps: modelled time in cached mode, with all in DRAM
 */
struct replay_record {
	uint32_t file;
	uint32_t veto;
	struct demand demand;
	struct reuse_split split;
	uint64_t dax_ps;
	uint64_t cached_ps;
};

/**
 * struct replay_step - an interval
 * @time_ns: its end, CLOCK_MONOTONIC
 * @ns: its length
 * @stamp: its number, as in the splits of its records
 * @first: index of its first record
 * @nr: number of its records; files without demand have none
 */
struct replay_step {
	uint64_t time_ns;
	uint64_t ns;
	uint64_t stamp;
	size_t first;
	size_t nr;
};

/**
 * struct replay - a trace in memory
 * @mount: mount point where it was recorded
 * @lower: type of the lower filesystem
 * @interval_ns: requested time between readings
 * @realtime_ns: CLOCK_REALTIME when CLOCK_MONOTONIC was 0
 * @windows: each sketch covers one interval
 * @cut: the trace is truncated
 * @profile: profile of all times
 * @files: by index
 * @nr_files: number of @files
 * @records: of all steps, in order
 * @nr_records: number of @records
 * @steps: starting with the second reading
 * @nr_steps: number of @steps
 */
struct replay {
	char *mount;
	char *lower;
	uint64_t interval_ns;
	uint64_t realtime_ns;
	bool windows;
	bool cut;
	struct dxs_profile profile;
	struct replay_file *files;
	size_t nr_files;
	struct replay_record *records;
	size_t nr_records;
	struct replay_step *steps;
	size_t nr_steps;
};

/**
 * struct replay_sample - result of an interval
 * @ps: modelled time of all demand, and of the switches at its end
 * @dram: bytes held by cached files at its end
 * @switches: number of switches at its end
 */
struct replay_sample {
	uint64_t ps;
	uint64_t dram;
	uint32_t switches;
};

/**
 * struct replay_outcome - result of a replay
 * @ps: total modelled time
 * @switch_ps: part of @ps for switches
 * @fill_ps: part of @ps for reading into DRAM
 * @switches: number of switches
 * @undone: number of them that were taken back
 * @flushed: bytes written back by them
 * @most_switches: maximum in any minute
 * @dram_most: maximum of bytes held by cached files
 * @dram_mean: mean of the same
 * @samples: by step
 * @modes: final mode, by file
 * @moves: number of moves, by file
 * @gains: picoseconds that cached mode has saved compared with dax mode, by file
 * @held: mean of bytes held in DRAM, by file
 */
struct replay_outcome {
	uint64_t ps;
	uint64_t switch_ps;
	uint64_t fill_ps;
	uint64_t switches;
	uint64_t undone;
	uint64_t flushed;
	uint64_t most_switches;
	uint64_t dram_most;
	uint64_t dram_mean;
	struct replay_sample *samples;
	int *modes;
	uint32_t *moves;
	int64_t *gains;
	uint64_t *held;
};

/**
 * struct replay_policy - how files are placed
 * @config: of the policy; its budget is the DRAM in each replay
 * @start: initial mode of files, or REPLAY_FOUND
 * @newborn: mode of files created in the trace, or REPLAY_FOUND or REPLAY_AUTO
 * @quiet: whether a file must not be switched at a time of the trace; may be NULL
 * @quiet_arg: for @quiet
 */
struct replay_policy {
	struct place_config config;
	int start;
	int newborn;
	bool (*quiet)(void *arg, uint32_t file, uint64_t time_ns);
	void *quiet_arg;
};

enum { REPLAY_FOUND = -1, REPLAY_AUTO = -2 };

/**
 * replay_load - read a trace
 * @path: the file
 * @profile: copied
 * @replay: filled in, for replay_free()
 * @err: on failure set to the cause and what to do
 * @len: size of @err
 *
 * Return: 0, or -1.
 */
int replay_load(const char *path, const struct dxs_profile *profile,
		struct replay *replay, char *err, size_t len);
void replay_free(struct replay *replay);

/**
 * replay_fixed - replay with a fixed mode for each file
 * @replay: the trace
 * @modes: by file
 * @budget: DRAM for files in cached mode, bytes
 * @outcome: filled in, for replay_outcome_free()
 *
 * Return: 0, or -1 without memory.
 */
int replay_fixed(const struct replay *replay, const int *modes, uint64_t budget,
		 struct replay_outcome *outcome);

/**
 * replay_fixed_ps - replay_fixed() for the time only
 * @replay: the trace
 * @modes: by file
 * @budget: DRAM for files in cached mode, bytes
 *
 * Return: picoseconds, or UINT64_MAX without memory.
 */
uint64_t replay_fixed_ps(const struct replay *replay, const int *modes,
			 uint64_t budget);

/**
 * replay_moved - called for each move of replay_placed()
 * @arg: of the caller
 * @step: the step that ends with the move
 * @file: index of the file
 * @move: the move
 * @ps: time of the move
 */
typedef void replay_moved(void *arg, const struct replay_step *step, uint32_t file,
			  const struct place_move *move, uint64_t ps);

/**
 * replay_placed - replay with files placed by the policy
 * @replay: the trace
 * @policy: settings
 * @moved: called for each move; may be NULL
 * @arg: for @moved
 * @outcome: filled in, for replay_outcome_free()
 *
 * Return: 0, or -1 without memory.
 */
int replay_placed(const struct replay *replay, const struct replay_policy *policy,
		  replay_moved *moved, void *arg, struct replay_outcome *outcome);

void replay_outcome_free(struct replay_outcome *outcome);

/**
 * replay_best - search for the best fixed mode of each file
 * @replay: the trace
 * @budget: DRAM for files in cached mode, bytes
 * @modes: filled in, by file
 * @tried: set to the number of combinations tried
 * @exact: set if all combinations were tried
 *
 * Tries all dax, all cached, files in order of gain per byte up to and beyond the
 * budget, and the solution of a knapsack; then flips or exchanges files while that
 * helps. With few files, tries all combinations.
 *
 * Return: the time in picoseconds, or UINT64_MAX without memory.
 */
uint64_t replay_best(const struct replay *replay, uint64_t budget, int *modes,
		     size_t *tried, bool *exact);

#endif
