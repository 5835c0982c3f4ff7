#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# How the daemon carries out the policy's moves: asserts their order, that none
# exceeds DRAM or violates changed rules, and that dirty pages are written back first,
# at the allowed pace. Uses a mock policy and a mock kernel, for rare requests and
# answers.
# host
set -u
cd "${DAXSTACK_TOP:-.}" || exit 1
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
temporary tend
# shellcheck disable=SC2154 # temporary() sets it
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/rules" <<'END'
[mount /m]
budget = 1G
interval = 200ms
max_flush_per_minute = 0
profile = /profile
[rule kept]
path = kept/*
mode = leave
[rule rest]
mode = auto
END
sed 's/max_flush_per_minute = 0/max_flush_per_minute = 8M/' "$tmp/rules" >"$tmp/slow"
cat >"$tmp/main.c" <<'END'
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "mover.h"
#include "reading.h"
#include "tend.h"

static int tests, failed;

static void is(long long expected, long long seen, const char *name)
{
	printf("%sok %d - %s\n", expected == seen ? "" : "not ", ++tests, name);
	if (expected == seen)
		return;
	printf("# expected %lld, seen %lld\n", expected, seen);
	failed = 1;
}

/* --- The mock kernel. */

enum { FILES = 6 };

static struct daxstack_heat_file files[FILES];
static const char *names[FILES];
static size_t nr_files = FILES;
static int read_error, open_error;
static uint64_t heat_ns;

struct heat { int unused; };

struct heat *heat_open(const char *mountpoint, bool windows, char *err, size_t len)
{
	(void)mountpoint, (void)windows, (void)err, (void)len;
	return calloc(1, sizeof(struct heat));
}

void heat_close(struct heat *heat)
{
	free(heat);
}

int heat_read(struct heat *heat, bool all, bool clear, unsigned int probes)
{
	(void)heat, (void)all, (void)clear, (void)probes;
	heat_ns = tend_now_ns();
	return read_error;
}

const struct daxstack_heat_file *heat_files(const struct heat *heat, size_t *nr)
{
	(void)heat;
	*nr = nr_files;
	return files;
}

uint64_t heat_time_ns(const struct heat *heat)
{
	(void)heat;
	return heat_ns;
}

int heat_name(struct heat *heat, uint64_t ino, uint32_t generation, char *path, size_t size)
{
	(void)heat, (void)generation;
	snprintf(path, size, "%s", names[ino]);
	return 0;
}

int heat_file_open(struct heat *heat, uint64_t ino, uint32_t generation, char *path,
		   size_t size)
{
	int fd;

	heat_name(heat, ino, generation, path, size);
	if (open_error)
		return open_error;
	fd = memfd_create("file", MFD_CLOEXEC);
	return ftruncate(fd, (off_t)files[ino].size) ? -errno : fd;
}

static char done[64];
static size_t nr_done;
static int flushed, open_fds;
static unsigned int refuse_to = 7, flushed_by_switch, in_the_way;

static int count_fds(void)
{
	int fd, nr = 0;

	for (fd = 3; fd < 64; fd++)
		nr += dup2(fd, fd) == fd;
	return nr;
}

unsigned int mover_in_the_way(int fd, int to)
{
	(void)fd, (void)to;
	return in_the_way;
}

int mover_flush(int fd, off_t offset)
{
	(void)fd, (void)offset;
	flushed++;
	/* As the kernel counts it. */
	files[4].by_mode[0].fsyncs++;
	return 0;
}

bool mover_switch(int fd, int to, struct daxstack_switch *answer)
{
	(void)fd;
	memset(answer, 0, sizeof(*answer));
	flushed_by_switch = flushed;
	answer->reason = (unsigned int)to == refuse_to ? DAXSTACK_REASON_PINNED : 0;
	return !answer->reason;
}

/* --- The mock policy. */

struct place { int unused; };

static struct place_move asked[FILES];
static size_t nr_asked;
static struct place_input inputs[FILES];
static size_t nr_inputs;
static unsigned long long fsyncs;

void place_config_init(struct place_config *config)
{
	memset(config, 0, sizeof(*config));
}

struct place *place_new(const struct place_config *config, const struct dxs_profile *profile)
{
	(void)config, (void)profile;
	return calloc(1, sizeof(struct place));
}

void place_free(struct place *place)
{
	free(place);
}

void place_configure(struct place *place, const struct place_config *config,
		     const struct dxs_profile *profile)
{
	(void)place, (void)config, (void)profile;
}

int place_step(struct place *place, uint64_t now_ns, const struct place_input *in, size_t nr,
	       struct place_move *moves, size_t max)
{
	size_t i;

	(void)place, (void)now_ns, (void)max;
	nr_inputs = nr;
	for (i = 0; i < nr; i++)
		inputs[in[i].id] = in[i];
	fsyncs += inputs[4].demand.fsyncs;
	memcpy(moves, asked, sizeof(asked));
	return (int)nr_asked;
}

void place_done(struct place *place, uint64_t id, uint64_t now_ns, int to, uint32_t reason)
{
	(void)place, (void)now_ns, (void)to;
	done[nr_done++] = (char)(reason ? 'A' + id : 'a' + id);
}

bool place_look(const struct place *place, uint64_t id, struct place_view *view)
{
	(void)place, (void)id, (void)view;
	return false;
}

void demand_of(struct demand *d, const struct daxstack_heat_file *before,
	       const struct daxstack_heat_file *now, uint64_t ns)
{
	memset(d, 0, sizeof(*d));
	d->ns = ns;
	d->fsyncs = now->by_mode[0].fsyncs - (before ? before->by_mode[0].fsyncs : 0);
}

int dxs_profile_read(const char *path, struct dxs_profile *p, char *err, size_t len)
{
	(void)path, (void)p, (void)err, (void)len;
	return 0;
}

/* --- The test. */

static int notes;

static void note(const struct tend *tend, const struct tend_note *what, void *data)
{
	(void)tend, (void)what, (void)data;
	notes++;
}

static void move(uint64_t id, int to)
{
	asked[nr_asked++] = (struct place_move){ .id = id, .to = to, .why = "" };
}

/* Runs until @steps more decisions were made, and the last one carried out. */
static void go(struct tend *tend, unsigned long long steps, int ms)
{
	uint64_t until = tend_now_ns() + (uint64_t)ms * 1000000;
	unsigned long long from = tend_steps(tend);

	while (tend_steps(tend) < from + steps || tend_now_ns() < until) {
		uint64_t due = tend_due_ns(tend), now = tend_now_ns();

		if (tend_steps(tend) > from + steps)
			break;
		if (due > now)
			usleep((useconds_t)((due - now) / 1000 < 10000 ?
					    (due - now) / 1000 + 1 : 10000));
		if (tend_run(tend))
			break;
		if (count_fds() > open_fds)
			open_fds = count_fds();
		if (tend_steps(tend) == from + steps)
			nr_asked = 0;
	}
}

static void again(void)
{
	size_t i;

	memset(done, 0, sizeof(done));
	nr_done = 0;
	nr_asked = 0;
	flushed = 0;
	notes = 0;
	flushed_by_switch = 0;
	refuse_to = 7;
	open_error = 0;
	for (i = 0; i < FILES; i++) {
		names[i] = "base/file";
		files[i] = (struct daxstack_heat_file){
			.ino = i, .size = 1 << 20, .mode = DAXSTACK_CACHED, .pages = 256,
			.uid = geteuid(), .by_mode = { files[i].by_mode[0] },
		};
	}
}

static struct tend *begin(const char *path, bool dry, struct tend_plan *plan,
			  struct rules **rules)
{
	char why[256];

	again();
	*rules = rules_read(path, why, sizeof(why));
	if (!*rules || !tend_prepare(plan, &(*rules)->mounts[0], why, sizeof(why)))
		exit(puts(why));
	return tend_open(plan, dry, note, NULL, why, sizeof(why));
}

int main(int argc, char **argv)
{
	struct rules *rules, *slow;
	struct tend_plan plan, slow_plan;
	struct tend *tend;
	int fds = count_fds();

	(void)argc;
	tend = begin(argv[1], false, &plan, &rules);
	go(tend, 1, 0);

	move(2, DAXSTACK_DAX), move(0, DAXSTACK_CACHED), move(1, DAXSTACK_CACHED);
	go(tend, 1, 400);
	is(0, strcmp(done, "cab"), "moves are made in the order of the policy");
	is(3, notes, "... and reported");
	is(3, flushed, "... each after writeback");
	is(fds, open_fds, "... and no file stays open");

	again();
	move(2, DAXSTACK_DAX), move(0, DAXSTACK_CACHED), move(3, DAXSTACK_DAX);
	refuse_to = DAXSTACK_DAX;
	go(tend, 1, 400);
	is(0, strcmp(done, "CD"), "after a move that freed no DRAM none follows that needs some");

	again();
	move(2, DAXSTACK_DAX), move(0, DAXSTACK_CACHED);
	open_error = -EWOULDBLOCK;
	go(tend, 1, 400);
	is(0, strcmp(done, "C"), "likewise after a file that cannot be opened");

	again();
	move(2, DAXSTACK_DAX), move(0, DAXSTACK_CACHED);
	open_error = -ENOENT;
	go(tend, 1, 400);
	is(0, strcmp(done, "CA") || notes, "moves of removed files are retried later, silently");

	again();
	nr_files = FILES - 1;
	go(tend, 1, 0);
	is(1, inputs[5].mode == DAXSTACK_DAX && !inputs[5].pages &&
	   inputs[5].rule == RULE_LEAVE,
	   "a removed file is reported once more, without DRAM and not to be moved");
	go(tend, 1, 0);
	is(FILES - 1, (long long)nr_inputs, "... and then no longer");
	nr_files = FILES;

	again();
	go(tend, 1, 0);
	move(1, DAXSTACK_DAX), move(2, DAXSTACK_DAX);
	names[1] = "kept/file";
	go(tend, 1, 400);
	is(0, strcmp(done, "c"), "a renamed file is not moved by the rule of its old name");
	go(tend, 1, 0);
	is(RULE_LEAVE, inputs[1].rule, "... and next has the rule of its new name");
	is(RULE_AUTO, inputs[2].rule, "... other files keep their rule");

	again();
	go(tend, 1, 0);
	files[4].size = 40 << 20;
	files[4].pages = 10240;
	files[4].by_mode[0].dirtied += 10240;
	move(4, DAXSTACK_DAX);
	fsyncs = 0;
	go(tend, 1, 400);
	is(5, flushed_by_switch, "a dirty file is written back in pieces, then switched");
	is(0, strcmp(done, "e"), "... once");
	files[4].by_mode[0].fsyncs += 2;
	go(tend, 1, 0);
	is(2, (long long)fsyncs, "... and only fsyncs by others count as demand");

	again();
	go(tend, 1, 0);
	files[4].by_mode[0].dirtied += 256;
	in_the_way = DAXSTACK_REASON_MAP_SYNC;
	move(4, DAXSTACK_DAX), move(0, DAXSTACK_CACHED);
	go(tend, 1, 400);
	is(0, strcmp(done, "E"), "the reason of a refusal is reported to the policy");
	is(0, flushed, "... and no writeback is done for it");
	in_the_way = DAXSTACK_REASON_NONE;

	again();
	go(tend, 1, 0);
	move(1, DAXSTACK_DAX);
	go(tend, 1, 0);
	tend_configure(tend, &plan);
	go(tend, 0, 300);
	is(0, nr_done, "moves requested under old rules are dropped with new ones");

	read_error = ENODEV;
	is(ENODEV, ({ usleep(300000); tend_run(tend); }), "an unmount is reported");
	read_error = 0;
	tend_close(tend);

	tend = begin(argv[2], false, &slow_plan, &slow);
	go(tend, 1, 0);
	files[4].size = 40 << 20;
	files[4].pages = 10240;
	files[4].by_mode[0].dirtied += 10240;
	move(4, DAXSTACK_DAX);
	go(tend, 1, 1500);
	is(1, flushed, "of 40 MiB at 8 MiB a minute, one piece is written back at once");
	is(0, nr_done, "... and the file is not switched before the rest");
	tend_close(tend);

	tend = begin(argv[1], true, &plan, &rules);
	go(tend, 1, 0);
	move(2, DAXSTACK_DAX);
	go(tend, 1, 0);
	move(2, DAXSTACK_DAX);
	go(tend, 1, 0);
	is(0, nr_done, "--dry-run: nothing is moved");
	is(1, notes, "... and reported once");
	tend_close(tend);
	printf("1..%d\n", tests);
	return failed;
}
END
if ! "${CC:-cc}" -g -O1 -D_GNU_SOURCE -Wall -Wextra -Werror -fsanitize=address,undefined \
	-fno-sanitize-recover=all -Iinclude -Itools -o "$tmp/tend" "$tmp/main.c" \
	tools/tend.c tools/reading.c tools/rules.c tools/rulematch.c -linih; then
	echo 'Bail out! it does not build'
	exit 1
fi
ASAN_OPTIONS=detect_leaks=0 timeout 120 "$tmp/tend" "$tmp/rules" "$tmp/slow"
