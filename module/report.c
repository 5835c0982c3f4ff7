// SPDX-License-Identifier: GPL-2.0
/*
 * What dmesg tells of switches.
 *
 * A line for each switch, each refusal, and each that is deferred. Many in a row
 * are a burst: "daxstack set -R" of a tree, or a user who switches files of his own
 * as often as he can, and would wash everything else out of the kernel's log. Of a
 * burst the first few have a line each; the others are counted, and one line tells
 * how many they were when the burst is over, every few seconds while it goes on, and
 * when the mount goes. Nothing is lost from the counts.
 *
 * Switches on the one hand and the rest on the other are rationed apart: among a
 * thousand files that are switched, the one that is refused has its line.
 */
#include <linux/workqueue.h>

#include "daxstack.h"

/* So many lines of a kind come one by one: of switches, and of the rest. */
static const unsigned long dxs_lines[] = { 5, 10 };

/* There is one more for each such time in which nothing of the kind comes. */
#define DXS_LINE_GAP	(HZ / 2)
/* A burst is over when for so long nothing has come that would be counted, */
#define DXS_QUIET	HZ
/* and is told of so often. */
#define DXS_SUM_MAX	(10 * HZ)

/* A name in a line, escaped, with NUL. */
#define DXS_NAME_SIZE	384

/* What came of a request; the first two have no reason. */
enum dxs_outcome {
	DXS_TO_CACHED,
	DXS_TO_DAX,
	DXS_DEFERRED,
	DXS_NOT_STORED,
	DXS_REFUSED,
};

static enum dxs_outcome dxs_outcome_of(const struct dxs_switch *sw)
{
	if (sw->switched && sw->cause != DXS_BORN)
		return sw->to == DAXSTACK_DAX ? DXS_TO_DAX : DXS_TO_CACHED;
	if (sw->deferred)
		return DXS_DEFERRED;
	return dxs_only_attributes(sw) ? DXS_NOT_STORED : DXS_REFUSED;
}

/* What the lower filesystem refuses by itself needs no line in dmesg. */
static bool dxs_is_lowers_refusal(const struct dxs_switch *sw)
{
	return dxs_only_attributes(sw) &&
		(sw->reason == DAXSTACK_REASON_PERSIST ||
		 sw->reason == DAXSTACK_REASON_LOWER_SAYS_NO ||
		 sw->reason == DAXSTACK_REASON_REFLINK ||
		 sw->reason == DAXSTACK_REASON_NOT_OWNER);
}

static bool dxs_is_worth_telling(const struct dxs_switch *sw, int err)
{
	if (err)
		return !dxs_is_lowers_refusal(sw);
	if (sw->switched)
		return sw->cause != DXS_BORN;
	return sw->deferred && sw->reason != DAXSTACK_REASON_DAX_OPTION;
}

static void dxs_count_outcome(struct dxs_counts *counts,
			      enum dxs_outcome outcome,
			      enum daxstack_reason reason)
{
	switch (outcome) {
	case DXS_TO_CACHED:
	case DXS_TO_DAX:
		counts->switched[outcome == DXS_TO_DAX]++;
		break;
	case DXS_DEFERRED:
		counts->deferred[reason]++;
		break;
	case DXS_NOT_STORED:
		counts->not_stored[reason]++;
		break;
	case DXS_REFUSED:
		counts->refused[reason]++;
		break;
	}
}

/**
 * struct dxs_line - a line with counts, which is printed when it is full
 * @id: of the lower filesystem, to begin each line
 * @tenths: for how long was counted, in tenths of a second
 * @len: of @text; 0: nothing yet
 * @text: what goes into the line; printk() takes some 1000 bytes
 */
struct dxs_line {
	const char *id;
	unsigned long tenths;
	size_t len;
	char text[384];
};

static void dxs_line_end(struct dxs_line *line)
{
	if (line->len)
		pr_info("%s: in %lu.%lu s %s\n", line->id, line->tenths / 10,
			line->tenths % 10, line->text);
	line->len = 0;
}

static __printf(2, 3) void dxs_line_add(struct dxs_line *line,
					const char *fmt, ...)
{
	char item[160];
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = vscnprintf(item, sizeof(item), fmt, args);
	va_end(args);
	if (line->len + len + sizeof("; ") > sizeof(line->text))
		dxs_line_end(line);
	line->len += scnprintf(line->text + line->len,
			       sizeof(line->text) - line->len, "%s%s",
			       line->len ? "; " : "", item);
}

static void dxs_line_add_reasons(struct dxs_line *line, const char *what,
				 const u32 counts[])
{
	enum daxstack_reason reason;

	for (reason = 0; reason < DAXSTACK_REASON_COUNT; reason++)
		if (counts[reason])
			dxs_line_add(line, "%u more %s: %s", counts[reason],
				     what, dxs_reason_text(reason));
}

/* @counts has been taken out of the mount's: nobody else changes it. */
static void dxs_tell_counts(const char *id, const struct dxs_counts *counts)
{
	struct dxs_line line = {
		.id = id,
		.tenths = jiffies_to_msecs(counts->last - counts->since) / 100,
	};
	int mode;

	for (mode = DAXSTACK_DAX; mode >= DAXSTACK_CACHED; mode--)
		if (counts->switched[mode])
			dxs_line_add(&line, "%u more switched to %s",
				     counts->switched[mode],
				     dxs_mode_name(mode));
	dxs_line_add_reasons(&line, "not switched", counts->refused);
	dxs_line_add_reasons(&line, "flagged for the next load",
			     counts->deferred);
	dxs_line_add_reasons(&line, "with attributes not stored",
			     counts->not_stored);
	dxs_line_end(&line);
}

/* Takes what was counted so far, for dxs_tell_counts(). Under the lock. */
static struct dxs_counts dxs_take_counts(struct dxs_reports *reports)
{
	struct dxs_counts counts = reports->counts;

	reports->counts = (struct dxs_counts){};
	return counts;
}

/* May something that happens now have a line of its own? Under the lock. */
static bool dxs_may_have_line(struct dxs_ration *ration)
{
	unsigned long now = jiffies, more = (now - ration->last) / DXS_LINE_GAP;

	ration->last = now;
	ration->lines = min(ration->lines + more, ration->most);
	if (!ration->lines)
		return false;
	ration->lines--;
	return true;
}

static void dxs_tell_one(const struct dxs_switch *sw, enum dxs_outcome outcome,
			 int err)
{
	const char *id = dxs_switch_lower(sw)->i_sb->s_id;
	u64 ino = sw->inode->i_ino;
	char name[DXS_NAME_SIZE];

	dxs_name_dentry(sw->name, name, sizeof(name));
	switch (outcome) {
	case DXS_TO_CACHED:
	case DXS_TO_DAX:
		pr_info("%s: %s (inode %llu): %s -> %s, %llu pages written back, gates shut for %llu us, attempt %u\n",
			id, name, ino, dxs_mode_name(!sw->to),
			dxs_mode_name(sw->to), sw->pages,
			div_u64(sw->shut_ns, NSEC_PER_USEC), sw->attempts);
		break;
	case DXS_DEFERRED:
		pr_info("%s: %s (inode %llu): flag set for %s, acts when the inode is next loaded: %s\n",
			id, name, ino, dxs_mode_name(sw->to),
			dxs_reason_text(sw->reason));
		break;
	case DXS_NOT_STORED:
		pr_info("%s: %s (inode %llu): attributes not stored: %s (%d)\n",
			id, name, ino, dxs_reason_text(sw->reason), err);
		break;
	case DXS_REFUSED:
		pr_info("%s: %s (inode %llu): not switched to %s: %s (%d), attempt %u\n",
			id, name, ino, dxs_mode_name(sw->to),
			dxs_reason_text(sw->reason), err, sw->attempts);
		break;
	}
}

/* The lines are in the order in which things happened. Large: not for each switch. */
static noinline void dxs_tell_now(const struct dxs_switch *sw,
				  enum dxs_outcome outcome, int err)
{
	struct dxs_reports *reports = &DXS_SB(sw->inode->i_sb)->reports;
	struct dxs_counts counts;

	spin_lock(&reports->lock);
	counts = dxs_take_counts(reports);
	spin_unlock(&reports->lock);
	if (counts.any)
		dxs_tell_counts(dxs_switch_lower(sw)->i_sb->s_id, &counts);
	dxs_tell_one(sw, outcome, err);
}

/**
 * dxs_report() - tell in dmesg what came of a request to switch
 * @sw: the request
 * @err: what the caller gets
 *
 * Context: does not sleep.
 */
void dxs_report(const struct dxs_switch *sw, int err)
{
	struct dxs_reports *reports = &DXS_SB(sw->inode->i_sb)->reports;
	enum dxs_outcome outcome = dxs_outcome_of(sw);
	bool alone;

	if (!dxs_is_worth_telling(sw, err))
		return;
	spin_lock(&reports->lock);
	alone = dxs_may_have_line(&reports->rations[outcome > DXS_TO_DAX]);
	if (!alone) {
		reports->counts.last = jiffies;
		if (!reports->counts.any) {
			reports->counts.any = true;
			reports->counts.since = jiffies;
			queue_delayed_work(dxs_wq, &reports->work, DXS_QUIET);
		}
		dxs_count_outcome(&reports->counts, outcome, sw->reason);
	}
	spin_unlock(&reports->lock);
	if (alone)
		dxs_tell_now(sw, outcome, err);
}

/* Is the burst over, or has it gone on for long enough? Under the lock. */
static bool dxs_is_time_to_tell(const struct dxs_counts *counts)
{
	return time_after_eq(jiffies, counts->last + DXS_QUIET) ||
	       time_after_eq(jiffies, counts->since + DXS_SUM_MAX);
}

static void dxs_report_work(struct work_struct *work)
{
	struct dxs_sb *sbi = container_of(to_delayed_work(work), struct dxs_sb,
					  reports.work);
	struct dxs_reports *reports = &sbi->reports;
	struct dxs_counts counts = {};

	spin_lock(&reports->lock);
	if (reports->counts.any) {
		if (dxs_is_time_to_tell(&reports->counts))
			counts = dxs_take_counts(reports);
		else
			queue_delayed_work(dxs_wq, &reports->work, DXS_QUIET);
	}
	spin_unlock(&reports->lock);
	if (counts.any)
		dxs_tell_counts(sbi->lower_mnt->mnt_sb->s_id, &counts);
}

/**
 * dxs_report_init() - nothing has been told yet
 * @sbi: the mount, being made
 */
void dxs_report_init(struct dxs_sb *sbi)
{
	struct dxs_reports *reports = &sbi->reports;
	int i;

	spin_lock_init(&reports->lock);
	for (i = 0; i < ARRAY_SIZE(reports->rations); i++)
		reports->rations[i] = (struct dxs_ration){
			.most = dxs_lines[i],
			.lines = dxs_lines[i],
			.last = jiffies,
		};
	INIT_DELAYED_WORK(&reports->work, dxs_report_work);
}

/**
 * dxs_report_end() - the mount goes: tell what is left to be told
 * @sbi: the mount; the lower one is still there, if ever it was
 *
 * H79: the worker must not find a mount that is gone, and what it would have told
 * must not be lost.
 *
 * Context: sleeps. Nobody switches any more.
 */
void dxs_report_end(struct dxs_sb *sbi)
{
	struct dxs_counts counts;

	cancel_delayed_work_sync(&sbi->reports.work);
	counts = dxs_take_counts(&sbi->reports);
	if (counts.any)
		dxs_tell_counts(sbi->lower_mnt->mnt_sb->s_id, &counts);
}
