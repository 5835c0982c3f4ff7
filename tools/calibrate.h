/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of 'daxstack calibrate': calibrate.c (command), machine.c
 * (describe the machine), scratch.c (scratch files), chase.c, stream.c, synced.c
 * (measure), findings.c (derive the profile and the verdict), calibrateshow.c (print
 * them), output.c (write the profile).
 */
#ifndef CALIBRATE_H
#define CALIBRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profile.h"
#include "samples.h"

/* Arrays are indexed by mode: DAXSTACK_CACHED, DAXSTACK_DAX. */
#define MODES		2

/*
 * A scratch file consists of groups. Odd and even groups alternate: pointer chains in
 * one, streams in the other. A group has 512 pages, so a second-level TLB, of 1024
 * entries and more, holds all of it.
 */
#define GROUP_BYTES	((size_t)2 << 20)
#define GROUPS_MIN	2

/*
 * Parts that a sample is timed in. The median counts, so a short interruption spoils
 * one part only.
 */
#define PARTS		8

/* The figures that are measured, in both modes. */
enum figure_id {
	FIGURE_RANDOM,		/* ns per read, one line of each 256 bytes */
	FIGURE_NEAR,		/* ... two lines of each 256 bytes, one after the other */
	FIGURE_FAR,		/* ... two lines of each page */
	FIGURE_READ,		/* MB/s */
	FIGURE_WRITE_NT,	/* MB/s, by stores around the caches */
	FIGURE_WRITE,		/* MB/s, by ordinary stores, and then flushed */
	FIGURE_SCATTER_64,	/* ns per write, 64 of each 256 bytes */
	FIGURE_SCATTER_256,	/* ... all 256 bytes, but in random order */
	FIGURE_OVERWRITE,	/* us, fsync(2) of a page that was overwritten */
	FIGURE_APPEND,		/* us, fsync(2) of a page that was appended */
	FIGURES
};

/**
 * struct machine - where the measurement runs
 * @cpu: processor that the measuring thread is pinned to; -1: not pinned
 * @cpu_node: NUMA node of @cpu; -1: unknown
 * @memory_node: NUMA node of the persistent memory; -1: unknown
 * @cpus: number of processors online
 * @llc: size of the last-level cache of @cpu, in bytes
 * @load: load average of the last minute, before the measurement
 * @model: name of the processor
 * @governor: frequency governor; "": unknown
 * @hypervisor: name of the hypervisor; "": none
 * @emulated: the hypervisor executes instructions in software
 */
struct machine {
	int cpu;
	int cpu_node;
	int memory_node;
	long cpus;
	size_t llc;
	double load;
	char model[128];
	char governor[32];
	char hypervisor[32];
	bool emulated;
};

void machine_look(struct machine *machine, dev_t device);
size_t machine_free_memory(void);
double machine_now(void);

/**
 * struct scratch - the scratch files of one mode, without names
 * @mode: the mode
 * @fd: file for streams and chases
 * @map: mapping of all of @fd, in pages of 4 KiB
 * @sync_fd: small file, for fsync(2)
 * @sync_page: next page of @sync_fd to overwrite
 * @sync_end: next page of @sync_fd to append
 */
struct scratch {
	unsigned int mode;
	int fd;
	char *map;
	int sync_fd;
	unsigned int sync_page;
	unsigned int sync_end;
};

/**
 * struct scratches - the scratch files of both modes
 * @of: by mode
 * @groups: groups in each file
 * @dir: the directory
 * @path: its name
 * @lower: device of the lower filesystem; 0: unknown
 */
struct scratches {
	struct scratch of[MODES];
	size_t groups;
	int dir;
	const char *path;
	dev_t lower;
};

int scratch_open(struct scratches *scratches, size_t bytes);
int scratch_fill(struct scratches *scratches, double until);
int scratch_check(const struct scratches *scratches);
void scratch_close(struct scratches *scratches);
char *scratch_group(const struct scratches *scratches, unsigned int mode,
		    size_t number, bool stream);
int scratch_refused(const char *path, unsigned int reason, dev_t lower);
int scratch_failed(const char *path, const char *what, int error);

void chase_link(char *group, uint64_t *random);
double chase_read(char *group, enum figure_id figure);
double stream_run(char *group, enum figure_id figure);
double synced_run(struct scratch *scratch, enum figure_id figure);
double instruction_run(void);

bool flush_works(void);
void flush_lines(const char *from, size_t bytes, size_t step);
bool stream_nontemporal(void);
unsigned long faults_now(void);

/**
 * struct calibration - what was measured
 * @machine: where
 * @series: samples, by figure and mode
 * @instruction: ns per instruction that does not wait
 * @rounds: number of rounds
 * @discarded: samples dropped because page faults occurred in them
 * @size: of a scratch file, in bytes
 * @seconds: duration
 * @preempted: involuntary context switches
 * @device: of the lower filesystem
 * @lower: type of the lower filesystem
 */
struct calibration {
	struct machine machine;
	struct series series[FIGURES][MODES];
	struct series instruction;
	size_t rounds;
	size_t discarded;
	size_t size;
	double seconds;
	unsigned long preempted;
	char device[64];
	char lower[16];
};

/**
 * struct findings - what follows from the samples
 * @profile: for the memory model
 * @compared: by figure
 * @verdict: over all memory figures
 * @resolution: smallest difference that would have been detected, in per cent
 * @sentence: the verdict in words
 * @warnings: reasons to doubt the result; NULL-terminated
 * @nr_warnings: number of @warnings
 */
struct findings {
	struct dxs_profile profile;
	struct comparison compared[FIGURES];
	enum outcome verdict;
	unsigned int resolution;
	char sentence[512];
	char *warnings[12];
	size_t nr_warnings;
};

bool figure_is_memory(enum figure_id figure);
const char *figure_name(enum figure_id figure);
const char *figure_unit(enum figure_id figure);
void findings_make(struct findings *findings, const struct calibration *c,
		   const char *name);
void findings_free(struct findings *findings);
void calibrate_show_table(FILE *out, const struct calibration *c,
			  const struct findings *findings);
int calibrate_show_json(const struct calibration *c, const struct findings *findings);

bool output_possible(const char *path, bool replace);
int output_write(const char *path, bool replace,
		 const struct dxs_profile *profile);

#endif /* CALIBRATE_H */
