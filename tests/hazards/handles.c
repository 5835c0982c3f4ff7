// SPDX-License-Identifier: GPL-2.0-only
/*
 * H66: a directory found by file handle has a disconnected dentry; a lookup by
 * name moves it into place. Either may come first, and the dentry must know its
 * lower dentry in both cases.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hazards.h"

#define DIRS	12
#define DEPTH	3

struct handle {
	struct file_handle head;
	char room[MAX_HANDLE_SZ];
};

static struct handle handles[DIRS];
static char paths[DIRS][64];
static int root;

static void make_dirs(void)
{
	int i, level, mount_id;
	char path[80];

	for (i = 0; i < DIRS; i++) {
		strcpy(path, "stack");
		for (level = 0; level < DEPTH; level++) {
			snprintf(path + strlen(path), sizeof(path) - strlen(path),
				 "/d%d", i);
			MUST(mkdir(path, 0755));
		}
		strcpy(paths[i], path);
		strcat(path, "/file");
		close(MUST(open(path, O_CREAT | O_WRONLY, 0644)));
		handles[i].head.handle_bytes = MAX_HANDLE_SZ;
		MUST(name_to_handle_at(AT_FDCWD, paths[i], &handles[i].head,
				       &mount_id, 0));
	}
}

static void forget(void)
{
	int fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY));

	MUST(write(fd, "2", 1));
	close(fd);
}

struct looker {
	long wrong;
	int next;
};

/* Uses the directory in all ways that need the lower dentry. */
static long use(int dir)
{
	struct stat st;
	long wrong = 0;

	wrong += fstatat(dir, "file", &st, 0) != 0;
	wrong += fstatat(dir, "..", &st, 0) != 0;
	wrong += faccessat(dir, "none", F_OK, 0) != -1;
	return wrong;
}

static void by_handle(void *arg)
{
	struct looker *l = arg;
	int dir = open_by_handle_at(root, &handles[l->next++ % DIRS].head,
				    O_RDONLY | O_DIRECTORY);

	if (dir < 0) {
		l->wrong++;
		return;
	}
	l->wrong += use(dir);
	close(dir);
}

static void by_name(void *arg)
{
	struct looker *l = arg;
	int dir = open(paths[l->next++ % DIRS], O_RDONLY | O_DIRECTORY);

	if (dir < 0) {
		l->wrong++;
		return;
	}
	l->wrong += use(dir);
	close(dir);
}

/* Both threads open the same directory at once, with empty caches. */
void h66_aliases(void)
{
	struct looker handle = { 0 }, name = { 0 }, back = { 0 };
	struct hazard_thread a, b;
	double end = dxs_now() + 5 * dxs_slow();
	int rounds, i;

	make_dirs();
	root = MUST(open("stack", O_RDONLY | O_DIRECTORY));
	hazard_start(&a, by_handle, &handle);
	hazard_start(&b, by_name, &name);
	for (rounds = 0; rounds < 200 && (rounds < 20 || dxs_now() < end); rounds++) {
		forget();
		dxs_sleep_ms(10);
	}
	hazard_stop(&b);
	hazard_stop(&a);
	dxs_diag("%d rounds, %ld handles, %ld names", rounds, a.steps, b.steps);
	dxs_is(0, handle.wrong, "H66: directories opened by handle");
	dxs_is(0, name.wrong, "H66: directories opened by name");

	/*
	 * One after the other, each from empty caches: handle first, then name.
	 */
	for (i = 0; i < DIRS; i++) {
		int dir;

		forget();
		dir = MUST(open_by_handle_at(root, &handles[i].head,
					     O_RDONLY | O_DIRECTORY));
		back.next = i;
		by_name(&back);
		back.wrong += use(dir);
		close(dir);
	}
	dxs_is(0, back.wrong, "H66: opened by name after the handle");
	close(root);
}
