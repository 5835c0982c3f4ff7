// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics of switches, which sysfs.c shows.
 */
#include "entry.h"
#include "report.h"

/**
 * dxs_count() - count a request to switch that has ended
 * @sw: the request
 * @refused: it counts as a refusal
 *
 * Context: does not sleep.
 */
void dxs_count(const struct dxs_switch *sw, bool refused)
{
	struct dxs_stats *stats = &DXS_SB(sw->inode->i_sb)->stats;

	if (sw->pages)
		atomic64_add(sw->pages, &stats->pages);
	if (sw->switched)
		atomic64_inc(&stats->switches[sw->to]);
	if (sw->deferred)
		atomic64_inc(&stats->deferred);
	if (refused)
		atomic64_inc(&stats->refusals[sw->reason]);
}

/**
 * dxs_count_shut() - record how long the gates of a file were closed
 * @sb: of the stack
 * @ns: the time, in nanoseconds
 *
 * Context: does not sleep.
 */
void dxs_count_shut(const struct super_block *sb, u64 ns)
{
	atomic64_t *most = &DXS_SB(sb)->stats.shut_max_ns;
	s64 old = atomic64_read(most);

	while (ns > old && !atomic64_try_cmpxchg(most, &old, ns))
		;
}
