// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asserts that with switch=never the stack behaves as the lower filesystem
 * alone: what a change of the flag does and when it takes effect, inheritance,
 * errors.
 *
 * The same scenes run on the lower filesystem alone and on the stack, each in a
 * directory of its own. All results go into a log, and the two logs are
 * compared. Where Documentation/filesystems/dax.rst or a man page documents a
 * result, the log has the documented value as well, in case both sides are
 * wrong.
 *
 * Left out, because the stack is known to differ: FICLONE, and pages of a file
 * in dax mode that stay pinned after its last close.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchnever.h"

static const struct scene {
	const char *name;
	void (*play)(int to);
	/* After the next mount. */
	void (*find)(int to);
	bool once;
	bool ext4;
} scenes[] = {
	{ "open", .play = play_open },
	{ "there and back", .play = play_back },
	{ "held", .play = play_held },
	{ "hard links", .play = play_links },
	{ "drop_caches", .play = play_caches },
	{ "nameless", .play = play_unlinked },
	{ "bytes", .play = play_bytes },
	{ "other attributes", .play = play_others },
	{ "errors", .play = play_errors },
	{ "data journalling", .play = play_journalled, .once = true, .ext4 = true },
	{ "who", .play = play_who },
	{ "read-only", .play = play_read_only },
	{ "born", .play = play_born },
	{ "examples", .play = play_examples, .once = true },
	{ "moved", .play = play_moved },
	{ "root", .play = play_root },
	{ "persistent", .play = leave_some, .find = find_some },
};

static void play_all(bool again)
{
	const struct scene *scene = scenes;
	char dir[PATH_MAX];
	int to;

	for (; scene < scenes + ARRAY_SIZE(scenes); scene++) {
		void (*play)(int to) = again ? scene->find : scene->play;

		if (!play || (scene->ext4 && dxs_on_xfs()))
			continue;
		for (to = scene->once; to <= DAXSTACK_DAX; to++) {
			snprintf(scene_name, sizeof(scene_name), "%s%s%s",
				 scene->name, scene->once ? "" : ", to ",
				 scene->once ? "" : dxs_mode_name(to));
			snprintf(dir, sizeof(dir), "%s/%s", root, scene_name);
			if (!again)
				MUST(mkdir(dir, 0755));
			MUST(chdir(dir));
			play(to);
		}
	}
}

static void run(const char *mount_point, void (*mount_it)(void),
		struct log *log)
{
	char *dir = realpath(".", NULL);
	int again;

	dxs_mkfs(NULL);
	log_now = log;
	for (again = 0; again < 2; again++) {
		mount_it();
		root = realpath(mount_point, NULL);
		play_all(again);
		MUST(chdir(dir));
		MUST(umount2(mount_point, 0));
		free(root);
	}
	dxs_fsck();
	free(dir);
}

static void mount_never(void)
{
	char options[48];
	int err;

	snprintf(options, sizeof(options), "lower=%s,switch=never", dxs_fs);
	err = dxs_mount(dxs_pmem, "stack", "daxstack", options);
	if (err)
		dxs_bail("mount with %s: %s", options, strerror(err));
}

int main(void)
{
	double start;

	dxs_begin();
	start = dxs_now();
	run("lower", dxs_mount_lower, &on_lower);
	dxs_diag("%.1f s on the lower filesystem alone", dxs_now() - start);
	start = dxs_now();
	run("stack", mount_never, &on_stack);
	dxs_diag("%.1f s on the stack", dxs_now() - start);
	compare_logs();
	return dxs_done();
}
