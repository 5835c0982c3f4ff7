// SPDX-License-Identifier: GPL-2.0-only
/*
 * A managed mount of daxstackd. See tend.h.
 *
 * In each interval, read the heat of all files, and give the policy the demand on each
 * file and its rule. Then execute the moves one by one, spread over the interval. No
 * file or directory of the mount stays open between calls, so that umount(8) does not
 * find it busy.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "mover.h"
#include "reading.h"
#include "tend.h"

#define NS_PER_S	1000000000ULL
#define NS_PER_MIN	(60 * NS_PER_S)

/* Maximum gap between two moves. */
#define GAP_NS		NS_PER_S
/* Windows to probe per mapped file, for accesses without faults. */
enum { PROBES = 8 };
/* Limit of moves per interval. */
enum { MOVES_MAX = 1024 };

/**
 * struct tend - a managed mount
 * @plan: settings from the rules file
 * @target: the mount point; own copy
 * @dry: move nothing
 * @note: called with the result of moves
 * @data: for @note
 * @heat: the session
 * @place: the policy
 * @now: the last reading
 * @before: the reading before
 * @step_ns: time of the next step
 * @steps: steps of the policy so far
 * @moves: decided by the last step
 * @nr_moves: number of @moves
 * @at: index of the current move; @nr_moves: none left
 * @at_ns: time to continue with the current move
 * @offset: how far its file was written back
 * @flushing: place_id() of the file that @offset belongs to
 */
struct tend {
	struct tend_plan plan;
	char *target;
	bool dry;
	void (*note)(const struct tend *tend, const struct tend_note *note, void *data);
	void *data;
	struct heat *heat;
	struct place *place;
	struct reading now;
	struct reading before;
	uint64_t step_ns;
	unsigned long long steps;
	struct place_move moves[MOVES_MAX];
	size_t nr_moves;
	size_t at;
	uint64_t at_ns;
	off_t offset;
	uint64_t flushing;
};

uint64_t tend_memory(void)
{
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return 0;
	return (uint64_t)info.totalram * info.mem_unit;
}

uint64_t tend_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

unsigned int tend_minute(void)
{
	time_t now = time(NULL);
	struct tm local;

	/* localtime_r() alone reads the time zone only once. */
	tzset();
	if (!localtime_r(&now, &local))
		return 0;
	return (unsigned int)(local.tm_hour * 60 + local.tm_min);
}

/* --- Start and end. */

bool tend_prepare(struct tend_plan *plan, const struct rules_mount *mount, char *err,
		  size_t len)
{
	plan->mount = mount;
	rules_profile(mount, plan->profile_path, sizeof(plan->profile_path));
	return !dxs_profile_read(plan->profile_path, &plan->profile, err, len);
}

static struct place_config config_of(const struct rules_mount *mount)
{
	struct place_config config;

	place_config_init(&config);
	config.budget_bytes = rules_budget(mount, tend_memory());
	config.interval_ns = mount->interval_ns;
	config.max_switches_per_min = mount->max_switches;
	config.max_flush_bytes_per_min = mount->max_flush;
	return config;
}

struct tend *tend_open(const struct tend_plan *plan, bool dry,
		       void (*note)(const struct tend *tend, const struct tend_note *note,
				    void *data),
		       void *data, char *err, size_t len)
{
	struct place_config config = config_of(plan->mount);
	struct tend *tend = calloc(1, sizeof(*tend));
	char why[512];

	if (!tend) {
		snprintf(err, len, "%s: %s", plan->mount->target, strerror(ENOMEM));
		return NULL;
	}
	tend->plan = *plan;
	tend->dry = dry;
	tend->note = note;
	tend->data = data;
	tend->target = strdup(plan->mount->target);
	tend->place = place_new(&config, &plan->profile);
	if (!tend->target || !tend->place) {
		snprintf(err, len, "%s: %s", plan->mount->target, strerror(ENOMEM));
		tend_close(tend);
		return NULL;
	}
	tend->heat = heat_open(tend->target, true, why, sizeof(why));
	if (!tend->heat) {
		snprintf(err, len, "%s: %s", tend->target, why);
		tend_close(tend);
		return NULL;
	}
	/* The first reading gives the counts a known start time. */
	tend->step_ns = tend_now_ns();
	return tend;
}

void tend_close(struct tend *tend)
{
	if (!tend)
		return;
	heat_close(tend->heat);
	place_free(tend->place);
	reading_free(&tend->now);
	reading_free(&tend->before);
	free(tend->target);
	free(tend);
}

const char *tend_target(const struct tend *tend)
{
	return tend->target;
}

void tend_configure(struct tend *tend, const struct tend_plan *plan)
{
	struct place_config config = config_of(plan->mount);
	uint64_t next = tend_now_ns() + plan->mount->interval_ns;

	tend->plan = *plan;
	place_configure(tend->place, &config, &plan->profile);
	reading_forget_rules(&tend->now);
	/* Drop moves decided by the old rules. */
	tend->at = tend->nr_moves;
	if (tend->steps && next < tend->step_ns)
		tend->step_ns = next;
}

unsigned long long tend_steps(const struct tend *tend)
{
	return tend->steps;
}

const struct place *tend_place(const struct tend *tend)
{
	return tend->place;
}

const struct tend_plan *tend_plan(const struct tend *tend)
{
	return &tend->plan;
}

struct heat *tend_heat(const struct tend *tend)
{
	return tend->heat;
}

const struct reading *tend_now(const struct tend *tend)
{
	return &tend->now;
}

const struct reading *tend_before(const struct tend *tend)
{
	return &tend->before;
}

const struct place_move *tend_moves(const struct tend *tend, size_t *nr)
{
	*nr = tend->nr_moves;
	return tend->moves;
}

/* --- A step. */

static enum place_rule place_rule_of(enum rules_mode mode)
{
	switch (mode) {
	case RULES_AUTO:
		return RULE_AUTO;
	case RULES_DAX:
		return RULE_DAX;
	case RULES_CACHED:
		return RULE_CACHED;
	default:
		return RULE_LEAVE;
	}
}

static void fill_input(const struct tend *tend, struct place_input *input, size_t i,
		       uint64_t ns, unsigned int minute)
{
	const struct reading_file *file = &tend->now.files[i];
	const struct reading_file *old = reading_before(&tend->before, file);
	const struct rule *rule = file->rule;

	*input = (struct place_input){
		.id = reading_id(&file->heat),
		.mode = (int)file->heat.mode,
		.pages = file->heat.pages,
		.rule = place_rule_of(rule_mode(rule, file->heat.size)),
		.quiet = rule_is_quiet(rule, minute),
		.veto = file->heat.reason,
	};
	demand_of(&input->demand, old ? &old->heat : NULL, &file->heat, ns);
	/* fsyncs by mover_flush() are not demand. */
	if (old && old->own_fsyncs <= input->demand.fsyncs)
		input->demand.fsyncs -= old->own_fsyncs;
}

/*
 * Report files of the last reading that are gone: deleted, or evicted from the inode
 * cache. Otherwise the policy would assume that they still hold DRAM and can be moved.
 *
 * Return: number of inputs.
 */
static size_t fill_gone(const struct tend *tend, struct place_input *inputs)
{
	const struct reading *before = &tend->before;
	size_t nr = 0, i;

	for (i = 0; i < before->nr; i++) {
		uint64_t id = reading_id(&before->files[i].heat);

		if (reading_find(&tend->now, id))
			continue;
		inputs[nr++] = (struct place_input){
			.id = id,
			.mode = DAXSTACK_DAX,
			.rule = RULE_LEAVE,
		};
	}
	return nr;
}

/* Run a step of the policy. Return: 0 or an errno. */
static int ask(struct tend *tend)
{
	uint64_t ns = tend->now.time_ns - tend->before.time_ns;
	size_t nr = tend->now.nr, i;
	struct place_input *inputs = calloc(nr + tend->before.nr + 1, sizeof(*inputs));
	unsigned int minute = tend_minute();
	int moves;

	if (!inputs)
		return ENOMEM;
	for (i = 0; i < nr; i++)
		fill_input(tend, &inputs[i], i, ns, minute);
	nr += fill_gone(tend, inputs + nr);
	moves = place_step(tend->place, tend->now.time_ns, inputs, nr, tend->moves,
			   MOVES_MAX);
	free(inputs);
	if (moves < 0)
		return ENOMEM;
	tend->nr_moves = (size_t)moves;
	tend->at = 0;
	tend->at_ns = tend->now.time_ns;
	tend->steps++;
	return 0;
}

static void plan_only(struct tend *tend);

static int step(struct tend *tend)
{
	bool first = !tend->now.time_ns;
	uint64_t now = tend_now_ns();
	int error = heat_read(tend->heat, true, true, PROBES);

	if (error)
		return error;
	tend->step_ns += tend->plan.mount->interval_ns;
	/* After a suspend, or a step that took long. */
	if (tend->step_ns <= now)
		tend->step_ns = now + tend->plan.mount->interval_ns;
	reading_free(&tend->before);
	tend->before = tend->now;
	error = reading_take(&tend->now, tend->heat, &tend->before, tend->plan.mount);
	if (error)
		return error;
	/* The first reading covers an unknown interval. */
	if (first)
		return 0;
	error = ask(tend);
	if (!error && tend->dry)
		plan_only(tend);
	return error;
}

/* --- A move. */

static struct reading_file *file_of(const struct tend *tend, uint64_t id)
{
	return reading_find(&tend->now, id);
}

/* @error: a negative errno if the file could not be opened, else 0. */
static void tell(struct tend *tend, const struct place_move *move, const char *path,
		 const struct rule *rule, const struct daxstack_switch *answer, int error)
{
	struct tend_note note = {
		.path = path,
		.from = !move->to,
		.to = move->to,
		.gain = move->gain,
		.why = move->why,
		.rule = rule ? rule->name : NULL,
		.planned = !answer,
		.error = -error,
	};
	struct place_view view;

	if (answer) {
		note.refused = answer->reason;
		note.pages = answer->pages;
		note.shut_ns = answer->shut_ns;
	}
	if (note.refused && place_look(tend->place, move->id, &view)) {
		uint64_t now = tend_now_ns();

		note.first = view.vetoes <= 1;
		if (view.not_before_ns > now)
			note.again_ns = view.not_before_ns - now;
	}
	tend->note(tend, &note, tend->data);
}

/* Log each planned move once. */
static void plan_only(struct tend *tend)
{
	char path[PATH_MAX];

	for (; tend->at < tend->nr_moves; tend->at++) {
		const struct place_move *move = &tend->moves[tend->at];
		struct reading_file *file = file_of(tend, move->id);

		if (!file || file->planned == 1 + move->to ||
		    heat_name(tend->heat, file->heat.ino, file->heat.generation, path,
			      sizeof(path)))
			continue;
		file->planned = 1 + move->to;
		tell(tend, move, path, file->rule, NULL, 0);
	}
}

/* Continue with the next move after a gap, so that moves are spread over the interval. */
static void go_on(struct tend *tend)
{
	uint64_t gap = tend->plan.mount->interval_ns / 2 / (tend->nr_moves + 1);

	tend->at++;
	tend->flushing = 0;
	tend->offset = 0;
	tend->at_ns = tend_now_ns() + (gap < GAP_NS ? gap : GAP_NS);
}

/* Does the rule still apply? The file may have been renamed, or changed its owner. */
static bool rule_stands(const struct tend *tend, struct reading_file *file, int fd,
			const char *path)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	file->heat.size = (uint64_t)st.st_size;
	/* Not st.st_uid, which is mapped on an idmapped mount. */
	if (rules_match(tend->plan.mount, path, file->heat.uid) == file->rule)
		return true;
	reading_forget_rule(file);
	return false;
}

/*
 * Delay after a piece, to limit the rate of writeback. The actual number of dirty pages
 * in a piece is unknown; assume the maximum.
 */
static uint64_t flush_ns(const struct tend *tend, const struct reading_file *file)
{
	uint64_t dirty = file->dirty * COST_PAGE, per_min = tend->plan.mount->max_flush;
	uint64_t size = file->heat.size ?: 1, bytes;

	if (!per_min)
		return 0;
	bytes = size <= MOVER_PIECE ? dirty :
		(uint64_t)((double)dirty * MOVER_PIECE / (double)size);
	if (bytes > MOVER_PIECE)
		bytes = MOVER_PIECE;
	return (uint64_t)((double)bytes / (double)per_min * NS_PER_MIN);
}

/* Return: whether there is more to write back. */
static bool flush_piece(struct tend *tend, struct reading_file *file, int fd)
{
	/*
	 * Pieces without dirty pages take no time. Pages may have become dirty since
	 * the reading.
	 */
	if ((uint64_t)tend->offset >= file->heat.size)
		return false;
	if (mover_flush(fd, tend->offset))
		return false;
	file->own_fsyncs++;
	tend->offset += MOVER_PIECE;
	tend->at_ns = tend_now_ns() + flush_ns(tend, file);
	return true;
}

/* A refused move to dax makes no room: drop the moves to cached after it. */
static void keep_budget(struct tend *tend, const struct place_move *refused)
{
	size_t from = tend->at + 1, to = from;

	if (refused->to != DAXSTACK_DAX)
		return;
	for (; from < tend->nr_moves; from++)
		if (tend->moves[from].to == DAXSTACK_DAX)
			tend->moves[to++] = tend->moves[from];
	tend->nr_moves = to;
}

static void finish(struct tend *tend, const struct place_move *move,
		   struct reading_file *file, const struct daxstack_switch *answer,
		   const char *path, int error)
{
	place_done(tend->place, move->id, tend_now_ns(), move->to, answer->reason);
	tell(tend, move, path, file->rule, answer, error);
	if (answer->reason)
		keep_budget(tend, move);
}

static void do_switch(struct tend *tend, const struct place_move *move,
		      struct reading_file *file, int fd, const char *path)
{
	struct daxstack_switch answer;

	if (mover_switch(fd, move->to, &answer))
		file->heat.mode = (unsigned int)move->to;
	finish(tend, move, file, &answer, path, 0);
}

/* The file could not be opened: it is gone, or the open was refused. */
static void cannot_open(struct tend *tend, const struct place_move *move,
			struct reading_file *file, int error, const char *path)
{
	struct daxstack_switch answer = { .reason = DAXSTACK_REASON_IO };

	if (error == -ENODEV)
		return;
	/*
	 * Deleted, or open without a name: not worth a message, but the policy must not
	 * retry it in each interval at the expense of other files.
	 */
	if (error == -ENOENT || error == -ESTALE) {
		place_done(tend->place, move->id, tend_now_ns(), move->to, answer.reason);
		return;
	}
	if (error == -EACCES || error == -EPERM)
		answer.reason = DAXSTACK_REASON_NOT_OWNER;
	finish(tend, move, file, &answer, path, error);
}

static void do_move(struct tend *tend)
{
	const struct place_move *move = &tend->moves[tend->at];
	struct reading_file *file = file_of(tend, move->id);
	struct daxstack_switch answer = { .reason = DAXSTACK_REASON_NONE };
	char path[PATH_MAX] = "";
	bool more = false;
	int fd;

	if (!file) {
		go_on(tend);
		return;
	}
	/* A move not finished in the last interval continues at its offset. */
	if (tend->flushing != move->id) {
		tend->flushing = move->id;
		tend->offset = 0;
	}
	fd = heat_file_open(tend->heat, file->heat.ino, file->heat.generation, path,
			    sizeof(path));
	if (fd < 0) {
		cannot_open(tend, move, file, fd, path);
		go_on(tend);
		return;
	}
	if (!rule_stands(tend, file, fd, path)) {
		/* The next step looks up its new rule. */
	} else if (rule_is_quiet(file->rule, tend_minute())) {
		/* Quiet hours may have begun after the decision. */
		keep_budget(tend, move);
	} else {
		/* Write nothing back if the switch would be refused. */
		answer.reason = mover_in_the_way(fd, move->to);
		more = !answer.reason && flush_piece(tend, file, fd);
		if (answer.reason)
			finish(tend, move, file, &answer, path, 0);
		else if (!more)
			do_switch(tend, move, file, fd, path);
	}
	close(fd);
	if (!more)
		go_on(tend);
}

/* --- Schedule. */

static bool has_move(const struct tend *tend)
{
	return !tend->dry && tend->at < tend->nr_moves;
}

uint64_t tend_due_ns(const struct tend *tend)
{
	if (has_move(tend) && tend->at_ns < tend->step_ns)
		return tend->at_ns;
	return tend->step_ns;
}

int tend_run(struct tend *tend)
{
	uint64_t now = tend_now_ns();

	if (now >= tend->step_ns)
		return step(tend);
	if (has_move(tend) && now >= tend->at_ns)
		do_move(tend);
	return 0;
}
