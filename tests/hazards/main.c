// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of single hazards of docs/design.md: those that no other test provokes.
 * Each hazard has one function, which runs on a freshly made filesystem; fsck
 * follows.
 *
 * Usage: hazards [NAME...]     such as H9; without a name, all of them
 *
 * tests/mutants/ has the patches that remove the guard of each hazard; the test
 * of a hazard must fail with its patch.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#include "hazards.h"

static const struct dxs_part hazards[] = {
	{ "H1", h1_fault_of_read },
	{ "H2", h2_write_faults },
	{ "H3", h3_waiting_faults },
	{ "H4", h4_lost_vma },
	{ "H5", h5_h6_mmap_lock },
	{ "H9", h9_long_term_pins },
	{ "H12", h12_shadow_entries },
	{ "H13", h13_sync },
	{ "H14", h14_cgroups },
	{ "H15", h15_map_file },
	{ "H16", h16_executable },
	{ "H19", h19_h20_write_error },
	{ "H21", h21_untouched },
	{ "H22", h22_stuck_reader },
	{ "H23", h23_slow_sync },
	{ "H26", h26_sync_faults },
	{ "H27", h27_lingering_pins },
	{ "H28", h28_adjusted_vma },
	{ "H29", h29_walkers },
	{ "H30", h30_inline_data },
	{ "H32", h32_reclaim },
	{ "H33", h33_untold },
	{ "H34", h34_held },
	{ "H35", h35_splices },
	{ "H36", h36_racing_copies },
	{ "H37", h37_changed_below },
	{ "H38", h38_translated_once },
	{ "H39", h39_judged_anew },
	{ "H40", h40_gates_stay_shut },
	{ "H41", h41_looks },
	{ "H42", h42_only_stores },
	{ "H43", h43_starved },
	{ "H44", h44_too_often },
	{ "H45", h45_write_faults },
	{ "H46", h46_vfs_locks },
	{ "H48", h48_kept_processor },
	{ "H49", h49_pollers },
	{ "H50", h50_second_mount },
	{ "H51", h51_changed_below },
	{ "H52", h52_folded_names },
	{ "H53", h53_probe_name },
	{ "H54", h54_removed_key },
	{ "H55", h55_attributes },
	{ "H56", h56_born_otherwise },
	{ "H57", h57_unmapped_before_flush },
	{ "H58", h58_vma_locks },
	{ "H61", h61_collapse },
	{ "H62", h62_held_dax_pages },
	{ "H63", h63_entries_that_go },
	{ "H64", h64_eviction_waits },
	{ "H65", h65_flags_of_the_mode },
	{ "H66", h66_aliases },
	{ "H73", h73_trim_waits },
	{ "H75", h75_kept_iocbs },
	{ "H80", h80_nobody_else },
	{ "H81", h81_changed_meanwhile },
	{ "H86", h86_refill },
};

int hazard_file(const char *path, size_t len, int mode)
{
	static uint8_t buf[MIB];
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));
	size_t pos, part;

	dxs_to(fd, mode, path);
	for (pos = 0; pos < len; pos += part) {
		part = len - pos < sizeof(buf) ? len - pos : sizeof(buf);
		dxs_fill(buf, part, 1, pos);
		dxs_pwrite(fd, buf, part, pos);
	}
	MUST(fsync(fd));
	return fd;
}

void hazard_bytes(int fd, size_t len, const char *name)
{
	static uint8_t expected[MIB], seen[MIB];
	size_t pos, part;
	bool same = true;

	for (pos = 0; same && pos < len; pos += part) {
		part = len - pos < sizeof(seen) ? len - pos : sizeof(seen);
		dxs_fill(expected, part, 1, pos);
		dxs_pread(fd, seen, part, pos);
		same = dxs_same(expected, seen, part, pos, name);
	}
	dxs_ok(same, "%s: contents", name);
}

void *hazard_map(int fd, size_t len)
{
	return MUST(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

void hazard_make_aligned(void)
{
	if (!dxs_on_xfs())
		return;
	dxs_umount_stack();
	MUST(-DXS_RUN("mkfs.xfs", "-q", "-f", "-d", "su=2m,sw=1,agcount=4",
		      dxs_pmem));
	dxs_mount_stack();
}

static void *repeat(void *arg)
{
	struct hazard_thread *thread = arg;

	while (!thread->stop) {
		thread->step(thread->arg);
		thread->steps++;
	}
	return NULL;
}

void hazard_start(struct hazard_thread *thread, void (*step)(void *),
		  void *arg)
{
	thread->step = step;
	thread->arg = arg;
	thread->stop = false;
	thread->steps = 0;
	if (pthread_create(&thread->thread, NULL, repeat, thread))
		dxs_bail("cannot create a thread");
}

void hazard_stop(struct hazard_thread *thread)
{
	thread->stop = true;
	pthread_join(thread->thread, NULL);
}

struct hazard_switches hazard_switch(int fd, double seconds, int count,
				     int timeout_ms)
{
	static const atomic_long enough = 1;

	return hazard_switch_beside(fd, seconds, count, timeout_ms, &enough);
}

struct hazard_switches hazard_switch_beside(int fd, double seconds, int count,
					    int timeout_ms,
					    const atomic_long *steps)
{
	struct hazard_switches all = { 0 };
	struct daxstack_switch sw;
	struct dxs_watch begin = dxs_watch();

	while (dxs_watched(&begin) < seconds &&
	       (all.done < count || !*steps)) {
		int err = dxs_switch(fd, !dxs_mode(fd), timeout_ms, &sw);

		all.attempts += sw.attempts;
		if (!err) {
			all.done++;
			continue;
		}
		all.refused++;
		all.pinned += sw.reason == DAXSTACK_REASON_PINNED;
	}
	return all;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--rights"))
		return rights_main();
	dxs_begin();
	dxs_watch_begin();
	dxs_run_parts(hazards, ARRAY_SIZE(hazards), argv + 1, true);
	return dxs_done();
}
