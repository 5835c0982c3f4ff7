// SPDX-License-Identifier: GPL-2.0-only
/*
 * calibrate: the profile derived from samples; and that a chase visits every
 * element.
 */
#include <stdlib.h>
#include <string.h>

#include "../../tools/calibrate.h"
#include "calibrate.h"

#define ROUNDS	80

/**
 * struct cost - synthetic cost of a memory
 * @random: ns for a read that opens an internal line
 * @next: ns for a read in the open line
 * @line: size of an internal line
 * @access: minimum size of a write
 * @read: MB/s
 * @write: MB/s
 */
struct cost {
	double random;
	double next;
	unsigned int line;
	unsigned int access;
	double read;
	double write;
};

static double value_of(const struct cost *cost, enum figure_id figure)
{
	switch (figure) {
	case FIGURE_RANDOM:
		return cost->random;
	case FIGURE_NEAR:
		return (cost->random +
			(cost->line >= 256 ? cost->next : cost->random)) / 2;
	case FIGURE_FAR:
		return (cost->random +
			(cost->line >= 4096 ? cost->next : cost->random)) / 2;
	case FIGURE_READ:
		return cost->read;
	case FIGURE_WRITE_NT:
	case FIGURE_WRITE:
		return cost->write;
	case FIGURE_SCATTER_64:
		return 256e3 / cost->write * cost->access / 256;
	case FIGURE_SCATTER_256:
		return 256e3 / cost->write;
	default:
		return 10;
	}
}

static void make_up(struct calibration *c, const struct cost *cached,
		    const struct cost *dax)
{
	unsigned int figure, i;
	double noise;

	*c = (struct calibration){
		.rounds = ROUNDS, .seconds = 10, .device = "pmem0",
		.lower = "ext4",
		.machine = { .model = "  CPU  of ;two #words \t ", .cpus = 2 },
	};
	for (i = 0; i < ROUNDS; i++) {
		for (figure = 0; figure < FIGURES; figure++) {
			noise = 0.99 + 0.02 * random_unit();
			series_add(&c->series[figure][DAXSTACK_CACHED],
				   value_of(cached, figure) * noise);
			series_add(&c->series[figure][DAXSTACK_DAX],
				   value_of(dax, figure) * noise);
		}
		series_add(&c->instruction, 0.3);
	}
}

static void unmake(struct calibration *c, struct findings *f)
{
	unsigned int figure;

	for (figure = 0; figure < FIGURES; figure++) {
		series_free(&c->series[figure][0]);
		series_free(&c->series[figure][1]);
	}
	series_free(&c->instruction);
	findings_free(f);
}

static void is_near(double expected, uint64_t thousandths, const char *name)
{
	dxs_ok(thousandths > 980 * expected && thousandths < 1020 * expected,
	       "%s is %g, measured %g", name, expected, thousandths / 1000.0);
}

/* A written profile can be read back unchanged. */
static void check_file(const struct dxs_profile *p, const char *name)
{
	struct dxs_profile seen;
	char why[256] = "";
	FILE *file;

	dxs_is(0, dxs_profile_check(p, why, sizeof(why)),
	       "%s: the numbers are consistent: %s", name, why);
	file = fopen("derived.conf", "w");
	dxs_is(0, dxs_profile_write(file, p), "%s: written", name);
	fclose(file);
	dxs_is(0, dxs_profile_read("derived.conf", &seen, why, sizeof(why)),
	       "%s: read: %s", name, why);
	dxs_ok(!strcmp(p->source, seen.source) && p->has_fsync == seen.has_fsync &&
	       !memcmp(&p->dram, &seen.dram, sizeof(p->dram)) &&
	       !memcmp(&p->pmem, &seen.pmem, sizeof(p->pmem)),
	       "%s: unchanged", name);
	remove("derived.conf");
}

static void check_optane(void)
{
	static const struct cost dram = { 101, 78.1, 4096, 64, 12000, 10000 };
	static const struct cost optane = { 305, 123.7, 256, 256, 6600, 2300 };
	struct calibration c;
	struct findings f;

	make_up(&c, &dram, &optane);
	findings_make(&f, &c, "made-up");
	dxs_is(VERDICT_DIFFERENT, f.verdict, "Optane: differs");
	dxs_ok(strstr(f.sentence, "random read takes 3.0") &&
	       !strstr(f.sentence, "no difference"), "Optane: %s", f.sentence);
	is_near(101, f.profile.dram.random_read_ps, "Optane: DRAM, random read");
	is_near(305, f.profile.pmem.random_read_ps, "Optane: random read");
	is_near(169, f.profile.pmem.sequential_read_ps, "Optane: sequential read");
	is_near(78.5, f.profile.dram.sequential_read_ps,
		"Optane: DRAM, sequential read");
	is_near(6600, f.profile.pmem.read_kb_s, "Optane: read");
	is_near(2300, f.profile.pmem.write_kb_s, "Optane: write");
	dxs_is(256, f.profile.pmem.line_bytes, "Optane: internal lines");
	dxs_is(256, f.profile.pmem.access_bytes, "Optane: minimum write");
	dxs_is(4096, f.profile.dram.line_bytes, "Optane: DRAM, internal lines");
	dxs_is(64, f.profile.dram.access_bytes, "Optane: DRAM, minimum write");
	is_near(0.3, f.profile.instruction_ps, "Optane: instruction");
	check_file(&f.profile, "Optane");
	unmake(&c, &f);
}

static void check_dram(void)
{
	static const struct cost cached = { 100, 100, 64, 64, 12000, 10000 };
	static const struct cost dax = { 106, 106, 64, 64, 11500, 9600 };
	struct calibration c;
	struct findings f;

	make_up(&c, &cached, &dax);
	findings_make(&f, &c, "made-up");
	dxs_is(VERDICT_SAME, f.verdict, "DRAM: does not differ");
	dxs_ok(strstr(f.sentence, "no difference between the two modes was "
		      "measured: this persistent memory is DRAM"),
	       "DRAM: %s", f.sentence);
	dxs_ok(!memcmp(&f.profile.dram, &f.profile.pmem,
		       sizeof(f.profile.dram)),
		       "DRAM: the same numbers for both");
	is_near(103, f.profile.pmem.random_read_ps, "DRAM: random read");
	dxs_is(64, f.profile.pmem.line_bytes, "DRAM: no internal lines");
	dxs_is(f.profile.pmem.random_read_ps, f.profile.pmem.sequential_read_ps,
	       "DRAM: sequential read as random");
	dxs_is(0, f.nr_warnings, "DRAM: no warnings");
	check_file(&f.profile, "DRAM");
	unmake(&c, &f);

	make_up(&c, &cached, &dax);
	c.machine.emulated = true;
	strcpy(c.machine.hypervisor, "QEMU TCG");
	c.machine.load = 7;
	strcpy(c.machine.governor, "powersave");
	findings_make(&f, &c, "made-up");
	dxs_is(3, f.nr_warnings, "emulated, busy, slow: three warnings");
	dxs_ok(strstr(f.profile.source, "the figures are the emulator's"),
	       "emulated: the profile says so");
	check_file(&f.profile, "emulated");
	unmake(&c, &f);
}

/* Checks that all offsets @at that should be are on one ring from offset 0. */
static void check_ring(const char *group, size_t at, size_t size, size_t step,
		       const char *name)
{
	static bool seen[GROUP_BYTES / 64];
	size_t count = GROUP_BYTES / size * (step ? 2 : 1), hops = 0, pos = 0;
	bool twice = false, astray = false;

	memset(seen, 0, sizeof(seen));
	do {
		twice |= seen[pos / 64];
		seen[pos / 64] = true;
		astray |= pos % size && pos % size != step;
		pos = *(const uint64_t *)(group + pos + at);
		hops++;
	} while (pos && pos < GROUP_BYTES && hops <= count);
	dxs_ok(!twice && !astray && !pos && hops == count,
	       "%s: one ring through all %zu, %zu hops", name, count, hops);
}

static void check_chase(void)
{
	char *group = aligned_alloc(4096, GROUP_BYTES);
	uint64_t random = 1;

	chase_link(group, &random);
	check_ring(group, 0, 256, 0, "random");
	check_ring(group, 8, 256, 128, "two in 256 bytes");
	check_ring(group, 16, 4096, 2048, "two in a page");
	dxs_ok(chase_read(group, FIGURE_RANDOM) >= 0 &&
	       chase_read(group, FIGURE_NEAR) >= 0 &&
	       chase_read(group, FIGURE_FAR) >= 0,
	       "chases return to their start");
	memset(group, 1, GROUP_BYTES);
	stream_run(group, FIGURE_SCATTER_256);
	dxs_ok(!memchr(group, 1, GROUP_BYTES),
	       "scattered writes of 256 bytes cover everything");
	free(group);
}

void test_derive(void)
{
	check_optane();
	check_dram();
	check_chase();
}
