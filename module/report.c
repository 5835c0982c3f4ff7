// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines in dmesg about switches.
 *
 * Each switch, each refusal and each deferred request gets a line. Many in a row are a
 * burst: "daxstack set -R" of a tree, or a user who switches files as often as possible,
 * which would push everything else out of the log. Of a burst the first few requests get a
 * line each. The others are counted, and one line with the counts follows when the burst
 * is over, every few seconds while it lasts, and at unmount. No request is lost from the
 * counts.
 *
 * Switches have one ration of lines and everything else has another: among a thousand
 * files that are switched, the single refused one gets its line.
 */
#include <linux/workqueue.h>

#include "entry.h"
#include "report.h"

/* Longest run of single lines: of switches, and of everything else. */
static const unsigned long dxs_lines[] = { 5, 10 };

/* One more line is allowed for each such time without an event of the kind. */
#define DXS_LINE_GAP	(HZ / 2)
/* A burst is over after this time without an event that would be counted. */
#define DXS_QUIET	HZ
/* While it lasts, a summary is printed at this interval. */
#define DXS_SUM_MAX	(10 * HZ)

/* Size of a name in a line, escaped, with NUL. */
#define DXS_NAME_SIZE	384

/* Results of a request; the first two have no reason. */
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

/* What the lower filesystem refuses by itself gets no line. */
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
 * @id: of the lower filesystem; begins each line
 * @tenths: how long was counted, in tenths of a second
 * @len: length of @text; 0: nothing yet
 * @text: the line; printk() takes about 1000 bytes
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

/* @counts was removed from the mount: no other task changes it. */
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

/* Take the counts so far, for dxs_tell_counts(). Under the lock. */
static struct dxs_counts dxs_take_counts(struct dxs_reports *reports)
{
	struct dxs_counts counts = reports->counts;

	reports->counts = (struct dxs_counts){};
	return counts;
}

/* May an event that happens now have a line of its own? Under the lock. */
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

/* Print the counts first: lines are in the order of events. Not inline: a large frame. */
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
 * dxs_report() - report the result of a switch request in dmesg
 * @sw: the request
 * @err: the errno that the caller gets
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

/* Is the burst over, or has it lasted long enough? Under the lock. */
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
 * dxs_report_init() - set up the reports of a mount
 * @sbi: the mount, being set up
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
 * dxs_report_end() - print what was counted and not printed yet
 * @sbi: the mount, being unmounted; the lower mount still exists, if it ever did
 *
 * H79: the worker must not find a mount that is gone, and its counts must not be lost.
 *
 * Context: sleeps. No task switches files any more.
 */
void dxs_report_end(struct dxs_sb *sbi)
{
	struct dxs_counts counts;

	cancel_delayed_work_sync(&sbi->reports.work);
	counts = dxs_take_counts(&sbi->reports);
	if (counts.any)
		dxs_tell_counts(sbi->lower_mnt->mnt_sb->s_id, &counts);
}
