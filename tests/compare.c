// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every switch= policy in every situation: the outcome of a request to switch
 * without a timeout. Prints the table, and compares it with the README's.
 *
 * For each cell the test also checks that mode and flag match the answer, that
 * the contents are unchanged, and that a flag that was only stored takes effect
 * after the last close.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dxs_test.h"

#define LEN	(16 * PAGE)
#define NOBODY	65534
#define FILE_PATH	"stack/file"
#define README	"/usr/local/share/daxstack/README.md"

/* Outcomes; a refusal is given by its reason. */
enum { NOW = -1, LATER = -2 };
#define REFUSED(name)	DAXSTACK_REASON_##name

static const char *const policies[] = { "never", "empty", "unmapped", "live" };
enum { POLICIES = ARRAY_SIZE(policies) };

/**
 * struct scene - one cell of the table
 * @to: the requested mode
 * @path: of the file
 * @fd: descriptor used for the request
 * @other: another open file, or -1
 * @map: a mapping of the file, or NULL
 * @busy: a thread works on the file while this is set
 */
struct scene {
	int to;
	const char *path;
	int fd;
	int other;
	uint8_t *map;
	int pipe[2];
	atomic_bool busy;
	atomic_long done;
	pthread_t thread;
};

/**
 * struct situation - a row of the table
 * @enter: brings a closed file of LEN bytes into the situation
 * @leave: undoes it
 * @ask: makes the request, if not by the ioctl
 * @only: the only mode that can be requested, or -1
 * @empty: the file has no bytes
 * @delayed: the file has only delayed allocations
 * @nameless: the file cannot be opened again
 * @expected: outcome by policy
 */
struct situation {
	const char *name;
	void (*enter)(struct scene *scene);
	void (*leave)(struct scene *scene);
	int (*ask)(struct scene *scene, const char *policy);
	int only;
	bool empty;
	bool delayed;
	bool nameless;
	int expected[POLICIES];
};

/* --- Situations. */

static void open_other(struct scene *scene)
{
	scene->other = MUST(open(scene->path, O_RDWR));
}

static void close_other(struct scene *scene)
{
	close(scene->other);
	scene->other = -1;
}

static void map_it(struct scene *scene)
{
	open_other(scene);
	scene->map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			       scene->other, 0));
	close_other(scene);
}

static void enter_mapped(struct scene *scene)
{
	volatile uint8_t *map;

	map_it(scene);
	map = scene->map;
	map[0] = map[0];
	(void)map[LEN - 1];
}

static void enter_empty_mapped(struct scene *scene)
{
	map_it(scene);
}

static void enter_private(struct scene *scene)
{
	volatile uint8_t *map;

	open_other(scene);
	scene->map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			       scene->other, 0));
	close_other(scene);
	map = scene->map;
	map[0] = ~map[0];
	(void)map[LEN - 1];
}

static void leave_mapped(struct scene *scene)
{
	MUST(munmap(scene->map, LEN));
	scene->map = NULL;
}

static void begin_work(struct scene *scene, void *(*work)(void *))
{
	scene->busy = true;
	scene->done = 0;
	if (pthread_create(&scene->thread, NULL, work, scene))
		dxs_bail("cannot create a thread");
	while (!scene->done)
		dxs_sleep_ms(1);
}

static void end_work(struct scene *scene)
{
	scene->busy = false;
	pthread_join(scene->thread, NULL);
}

/* The last page is used by the writing thread. */
static void *do_io(void *arg)
{
	struct scene *scene = arg;
	uint8_t page[PAGE] = { 0 };

	while (scene->busy) {
		dxs_pwrite(scene->other, page, PAGE, LEN - PAGE);
		dxs_pread(scene->other, page, PAGE, LEN - PAGE);
		scene->done++;
	}
	return NULL;
}

static void enter_io(struct scene *scene)
{
	open_other(scene);
	begin_work(scene, do_io);
}

static void leave_io(struct scene *scene)
{
	end_work(scene);
	close_other(scene);
}

static void *do_stores(void *arg)
{
	struct scene *scene = arg;
	volatile uint64_t *word = (void *)(scene->map + LEN - PAGE);

	while (scene->busy) {
		*word = ++scene->done;
		if (!(scene->done % 256))
			dxs_sleep_ms(1);
	}
	return NULL;
}

static void enter_stores(struct scene *scene)
{
	map_it(scene);
	begin_work(scene, do_stores);
}

static void leave_stores(struct scene *scene)
{
	end_work(scene);
	dxs_is(scene->done,
	       (long long)*(volatile uint64_t *)(scene->map + LEN - PAGE),
	       "mapped and storing: the last store is kept");
	leave_mapped(scene);
}

static void enter_map_sync(struct scene *scene)
{
	open_other(scene);
	scene->map = MUST(dxs_map_sync(scene->other, LEN));
	close_other(scene);
}

static void enter_pinned(struct scene *scene)
{
	map_it(scene);
	dxs_pin(scene->pipe, scene->map);
	leave_mapped(scene);
}

static void leave_pinned(struct scene *scene)
{
	dxs_unpin(scene->pipe);
}

/* Blocks are reserved but not allocated. */
static void enter_delayed(struct scene *scene)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent;
	} arg = { .map = { .fm_length = LEN, .fm_extent_count = 1 } };

	open_other(scene);
	MUST(ioctl(scene->other, FS_IOC_FIEMAP, &arg));
	dxs_ok(arg.map.fm_mapped_extents == 1 &&
	       arg.extent.fe_flags & FIEMAP_EXTENT_DELALLOC,
	       "only delayed allocations: has no blocks");
	close_other(scene);
}

static void enter_linked(struct scene *scene)
{
	MUST(link(FILE_PATH, "stack/link"));
	open_other(scene);
	scene->fd = MUST(open("stack/link", O_RDWR));
}

static void leave_linked(struct scene *scene)
{
	dxs_is(dxs_mode(scene->fd), dxs_mode(scene->other),
	       "hard-linked: both names have the same mode");
	close_other(scene);
	MUST(unlink("stack/link"));
}

static void enter_unlinked(struct scene *scene)
{
	scene->fd = MUST(open(scene->path, O_RDWR));
	MUST(unlink(scene->path));
}

static void enter_tmpfile(struct scene *scene)
{
	uint8_t buf[LEN];

	MUST(unlink(scene->path));
	scene->fd = MUST(open("stack", O_RDWR | O_TMPFILE, 0600));
	dxs_switch(scene->fd, !scene->to, 0, NULL);
	dxs_fill(buf, LEN, 1, 0);
	dxs_pwrite(scene->fd, buf, LEN, 0);
}

static void enter_move(struct scene *scene)
{
	int dir;

	MUST(mkdir("stack/dir", 0755));
	dir = MUST(open("stack/dir", O_RDONLY));
	if (dxs_set_xflag(dir, scene->to))
		dxs_bail("flag of a directory: %m");
	close(dir);
}

static void enter_move_mapped(struct scene *scene)
{
	enter_move(scene);
	enter_mapped(scene);
}

static void leave_move(struct scene *scene)
{
	MUST(rename("stack/dir/file", FILE_PATH));
	MUST(rmdir("stack/dir"));
	scene->path = FILE_PATH;
}

static void leave_move_mapped(struct scene *scene)
{
	leave_mapped(scene);
	leave_move(scene);
}

/* The rename is the request; a refused switch does not make it fail. */
static int ask_move(struct scene *scene, const char *policy)
{
	dxs_remount("inherit=move");
	dxs_errno(0, ERR(rename(scene->path, "stack/dir/file")),
		  "moved, %s: rename succeeds", policy);
	dxs_remount("inherit=create");
	scene->path = "stack/dir/file";
	return dxs_mode(scene->fd) == scene->to ? NOW : LATER;
}

static void enter_elsewhere(struct scene *scene)
{
	(void)scene;
	dxs_mount_lower();
}

static void leave_elsewhere(struct scene *scene)
{
	(void)scene;
	dxs_umount_lower();
}

/* The outcome of a request by the ioctl. */
static int outcome(int err, const struct daxstack_switch *sw)
{
	if (err)
		return sw->reason;
	if (sw->deferred && sw->reason == DAXSTACK_REASON_NEVER)
		return LATER;
	/* REASON_NONE is not an outcome. */
	return sw->reason || sw->deferred ? 0 : NOW;
}

/*
 * The kernel's flusher may be active on the filesystem, whatever the situation
 * of the file: the switch then returns that reason, and is repeated.
 */
static int ask(struct scene *scene, const char *policy)
{
	struct daxstack_switch sw;
	int err, tries = 0;

	(void)policy;
	do {
		if (tries++)
			dxs_sleep_ms(50);
		err = dxs_switch(scene->fd, scene->to, 0, &sw);
	} while (err && sw.reason == DAXSTACK_REASON_WRITEBACK && tries < 20);
	return outcome(err, &sw);
}

static int ask_read_only(struct scene *scene, const char *policy)
{
	int seen;

	MUST(mount(NULL, "stack", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	seen = ask(scene, policy);
	dxs_remount("");
	return seen;
}

static int ask_as_nobody(struct scene *scene, const char *policy)
{
	int seen;

	MUST(seteuid(NOBODY));
	seen = ask(scene, policy);
	MUST(seteuid(0));
	return seen;
}

static const struct situation situations[] = {
	{ "closed", NULL, NULL, .only = -1,
	  .expected = { LATER, REFUSED(HAS_BLOCKS), NOW, NOW } },
	{ "open", open_other, close_other, .only = -1,
	  .expected = { LATER, REFUSED(HAS_BLOCKS), NOW, NOW } },
	{ "open and under I/O", enter_io, leave_io, .only = -1,
	  .expected = { LATER, REFUSED(HAS_BLOCKS), NOW, NOW } },
	{ "mapped", enter_mapped, leave_mapped, .only = -1,
	  .expected = { LATER, REFUSED(HAS_BLOCKS), REFUSED(MAPPED), NOW } },
	{ "mapped privately", enter_private, leave_mapped, .only = -1,
	  .expected = { LATER, REFUSED(HAS_BLOCKS), REFUSED(MAPPED), NOW } },
	{ "mapped and storing", enter_stores, leave_stores, .only = -1,
	  .expected = { LATER, REFUSED(HAS_BLOCKS), REFUSED(MAPPED), NOW } },
	{ "mapped with MAP_SYNC", enter_map_sync, leave_mapped,
	  .only = DAXSTACK_CACHED,
	  .expected = { LATER, REFUSED(MAP_SYNC), REFUSED(MAP_SYNC),
			REFUSED(MAP_SYNC) } },
	{ "a page pinned by vmsplice", enter_pinned, leave_pinned, .only = -1,
	  .expected = { LATER, REFUSED(HAS_BLOCKS), REFUSED(PINNED),
			REFUSED(PINNED) } },
	{ "empty", NULL, NULL, .only = -1, .empty = true,
	  .expected = { LATER, NOW, NOW, NOW } },
	{ "empty and mapped", enter_empty_mapped, leave_mapped, .only = -1,
	  .empty = true, .expected = { LATER, NOW, REFUSED(MAPPED), NOW } },
	{ "only delayed allocations", enter_delayed, NULL,
	  .only = DAXSTACK_DAX, .delayed = true,
	  .expected = { LATER, REFUSED(HAS_BLOCKS), NOW, NOW } },
	{ "hard-linked, open by both names", enter_linked, leave_linked,
	  .only = -1, .expected = { LATER, REFUSED(HAS_BLOCKS), NOW, NOW } },
	{ "unlinked but open", enter_unlinked, NULL, .only = -1,
	  .nameless = true,
	  .expected = { LATER, REFUSED(HAS_BLOCKS), NOW, NOW } },
	{ "made by O_TMPFILE", enter_tmpfile, NULL, .only = -1,
	  .nameless = true,
	  .expected = { LATER, REFUSED(HAS_BLOCKS), NOW, NOW } },
	{ "moved, `inherit=move`", enter_move, leave_move, ask_move,
	  .only = -1, .expected = { LATER, LATER, NOW, NOW } },
	{ "moved and mapped", enter_move_mapped, leave_move_mapped, ask_move,
	  .only = -1, .expected = { LATER, LATER, LATER, NOW } },
	{ "lower mounted elsewhere", enter_elsewhere, leave_elsewhere,
	  .only = -1,
	  .expected = { LATER, REFUSED(LOWER_SHARED), REFUSED(LOWER_SHARED),
			REFUSED(LOWER_SHARED) } },
	{ "read-only mount", NULL, NULL, ask_read_only, .only = -1,
	  .expected = { REFUSED(READ_ONLY), REFUSED(READ_ONLY),
			REFUSED(READ_ONLY), REFUSED(READ_ONLY) } },
	{ "owned by another user", NULL, NULL, ask_as_nobody, .only = -1,
	  .expected = { REFUSED(NOT_OWNER), REFUSED(NOT_OWNER),
			REFUSED(NOT_OWNER), REFUSED(NOT_OWNER) } },
};

/* --- A cell. */

static const int errnos[] = {
#define ERRNO(name, err, text) err,
	DAXSTACK_REASONS(ERRNO)
#undef ERRNO
};

static const char *outcome_text(int seen)
{
	static char text[64];

	if (seen == NOW)
		return "now";
	if (seen == LATER)
		return "at the next load";
	snprintf(text, sizeof(text), "%s %s", strerrorname_np(errnos[seen]),
		 dxs_reason_name(seen));
	return text;
}

/*
 * Creates a closed file in the other mode, of LEN bytes unless it is to be
 * empty.
 */
static void make_file(const struct situation *row, int mode)
{
	int fd = MUST(open(FILE_PATH, O_RDWR | O_CREAT | O_EXCL, 0644));
	uint8_t buf[LEN];

	dxs_to(fd, mode, row->name);
	dxs_fill(buf, LEN, 1, 0);
	if (!row->empty)
		dxs_pwrite(fd, buf, LEN, 0);
	if (!row->delayed)
		MUST(fsync(fd));
	close(fd);
}

/* Checks mode, flag and contents. The last page may be in use. */
static void check_file(int fd, int mode, int flag, bool empty, const char *name)
{
	uint8_t expected[LEN - PAGE], seen[LEN - PAGE];
	struct stat st;

	dxs_str(dxs_mode_name(mode), dxs_mode_name(dxs_mode(fd)), "%s: mode",
		name);
	dxs_str(dxs_mode_name(flag), dxs_mode_name(dxs_xflag(fd)), "%s: flag",
		name);
	MUST(fstat(fd, &st));
	if (empty) {
		dxs_is(0, st.st_size, "%s: still empty", name);
		return;
	}
	dxs_is(LEN, st.st_size, "%s: size", name);
	dxs_pread(fd, seen, sizeof(seen), 0);
	dxs_fill(expected, sizeof(expected), 1, 0);
	dxs_ok(dxs_same(expected, seen, sizeof(seen), 0, name), "%s: bytes",
	       name);
}

static int run_cell(const struct situation *row, int to, int policy)
{
	struct scene scene = { .to = to, .path = FILE_PATH, .fd = -1,
			       .other = -1 };
	char name[128], option[32];
	int seen;

	snprintf(name, sizeof(name), "%s, to %s, switch=%s", row->name,
		 dxs_mode_name(to), policies[policy]);
	make_file(row, !to);
	if (row->enter)
		row->enter(&scene);
	if (scene.fd < 0)
		scene.fd = MUST(open(scene.path, O_RDONLY));
	snprintf(option, sizeof(option), "switch=%s", policies[policy]);
	dxs_remount(option);

	seen = (row->ask ?: ask)(&scene, policies[policy]);
	if (!dxs_ok(seen == row->expected[policy], "%s", name)) {
		dxs_diag("expected: %s", outcome_text(row->expected[policy]));
		dxs_diag("seen: %s", outcome_text(seen));
	}
	check_file(scene.fd, seen == NOW ? to : !to, seen > 0 ? !to : to,
		   row->empty, name);
	dxs_remount("switch=live");
	if (row->leave)
		row->leave(&scene);
	close(scene.fd);
	if (row->nameless)
		return seen;
	if (seen <= 0) {
		/* After the last close. */
		scene.fd = MUST(open(FILE_PATH, O_RDONLY));
		check_file(scene.fd, to, to, row->empty, name);
		close(scene.fd);
	}
	MUST(unlink(FILE_PATH));
	return seen;
}

/* --- The table. */

static char table[ARRAY_SIZE(situations) + 2][160];

static void print_cell(char *line, int width, const char *text)
{
	size_t len = strlen(line);

	snprintf(line + len, sizeof(table[0]) - len, " %-*s |", width, text);
}

static void print_head(void)
{
	size_t len;
	int i;

	strcpy(table[0], "|");
	strcpy(table[1], "|");
	for (i = 0; i <= POLICIES; i++) {
		int width = i ? 19 : 31;
		char head[32] = "the file is";

		if (i)
			snprintf(head, sizeof(head), "`switch=%s`",
				 policies[i - 1]);
		print_cell(table[0], width, head);
		len = strlen(table[1]);
		memset(table[1] + len, '-', width + 2);
		strcpy(table[1] + len + width + 2, "|");
	}
}

/* One row; the outcome is the same for both modes. */
static void run_row(const struct situation *row, char *line)
{
	int policy, to, seen, before;

	strcpy(line, "|");
	print_cell(line, 31, row->name);
	for (policy = 0; policy < POLICIES; policy++) {
		before = 0;
		for (to = DAXSTACK_CACHED; to <= DAXSTACK_DAX; to++) {
			if (row->only >= 0 && row->only != to)
				continue;
			seen = run_cell(row, to, policy);
			if (!before || seen != before)
				print_cell(line, 19, outcome_text(seen));
			before = seen;
		}
	}
}

/* Asserts that the table in the README is exactly this one. */
static void check_readme(void)
{
	FILE *file = fopen(README, "r");
	char line[1024];
	size_t row = 0;
	bool inside = false;

	if (!file)
		dxs_bail("%s: %m", README);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "| the file is", 13))
			inside = true;
		if (!inside)
			continue;
		if (*line != '|')
			break;
		dxs_str(row < ARRAY_SIZE(table) ? table[row] : "", line,
			"README: line %zu of the table", row + 1);
		row++;
	}
	fclose(file);
	dxs_is(ARRAY_SIZE(table), row, "README: the table is complete");
}

int main(void)
{
	size_t i;

	dxs_begin();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	MUST(chmod("stack", 0777));
	print_head();
	for (i = 0; i < ARRAY_SIZE(situations); i++)
		run_row(&situations[i], table[i + 2]);
	dxs_umount_stack();
	dxs_fsck();
	for (i = 0; i < ARRAY_SIZE(table); i++)
		dxs_diag("%s", table[i]);
	check_readme();
	return dxs_done();
}
