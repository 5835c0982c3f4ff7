// SPDX-License-Identifier: GPL-2.0-only
/*
 * overlay: makes the same calls through an overlay with its layers on the lower
 * filesystem and with its layers on the stack; asserts the same results.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "overlay.h"

/**
 * struct setup - an overlay
 * @lower_here, @upper_here: the layer is on the tested filesystem, not on the
 *   tmpfs "elsewhere"
 * @options: further options
 */
static const struct setup {
	const char *name;
	bool lower_here, upper_here;
	const char *options;
} setups[] = {
	{ "both", true, true, "" },
	{ "upper", false, true, "" },
	{ "lower", true, false, ",xino=auto" },
	{ "index", true, true, ",index=on,nfs_export=on" },
	{ "metacopy", true, true, ",metacopy=on,redirect_dir=on" },
	{ "volatile", true, true, ",volatile" },
	{ "userxattr", true, true, ",userxattr" },
	{ "xino", true, false, ",xino=on,redirect_dir=on" },
};

static void put_file(const char *path, size_t pages, uint32_t seed)
{
	uint8_t *buf = malloc(pages * PAGE);
	int fd = MUST(open(path, O_WRONLY | O_CREAT, 0644));

	dxs_fill(buf, pages * PAGE, seed, 0);
	dxs_pwrite(fd, buf, pages * PAGE, 0);
	close(fd);
	free(buf);
}

static void at(char *path, const char *root, const char *name)
{
	snprintf(path, 256, "%s/%s", root, name);
}

/* The files that ops.c expects. */
static void make_layers(const char *lower, const char *upper)
{
	static const char *const dirs[] = { "l", "l/dir", "l/dir/deep", "l2" };
	char path[256], other[256];
	size_t i;

	MUST(mkdir(lower, 0755));
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		at(path, lower, dirs[i]);
		MUST(mkdir(path, 0755));
	}
	at(path, lower, "l/file");
	put_file(path, 8, 1);
	at(path, lower, "l/file2");
	put_file(path, 3, 2);
	at(other, lower, "l/twin");
	MUST(link(path, other));
	at(path, lower, "l/dir/in");
	put_file(path, 1, 3);
	at(path, lower, "l2/gone");
	put_file(path, 1, 4);
	at(path, lower, "l/dir/deep/in2");
	put_file(path, 2, 5);
	at(path, lower, "l/link");
	MUST(symlink("file", path));
	if (strcmp(lower, upper))
		MUST(mkdir(upper, 0755));
	at(path, upper, "u");
	MUST(mkdir(path, 0755));
	at(path, upper, "w");
	MUST(mkdir(path, 0755));
	at(path, upper, "u/mine");
	put_file(path, 1, 6);
}

static char *tell_one(const struct setup *s, const char *root)
{
	char lower[64], upper[64], options[512], layers[80], *text;

	snprintf(lower, sizeof(lower), "%s/%s",
		 s->lower_here ? root : "elsewhere", s->name);
	snprintf(upper, sizeof(upper), "%s/%s",
		 s->upper_here ? root : "elsewhere", s->name);
	make_layers(lower, upper);
	snprintf(options, sizeof(options),
		 "lowerdir=%s/l:%s/l2,upperdir=%s/u,workdir=%s/w%s",
		 lower, lower, upper, upper, s->options);
	if (!dxs_errno(0, ERR(mount("overlay", "over", "overlay", 0, options)),
		       "%s: %s: mounted", root, s->name))
		return NULL;
	MUST(chdir("over"));
	snprintf(layers, sizeof(layers), "../%s", upper);
	text = tell_all(layers);
	MUST(chdir(".."));
	MUST(umount("over"));
	return text;
}

/* Prints the first lines that differ. */
static bool same_lines(char *expected, char *seen, const char *name)
{
	char *a, *b, *save_a, *save_b;
	int lines = 0, bad = 0;

	if (!expected || !seen)
		return dxs_ok(false, "%s: same results", name);
	a = strtok_r(expected, "\n", &save_a);
	b = strtok_r(seen, "\n", &save_b);
	for (; a || b; lines++) {
		if ((!a || !b || strcmp(a, b)) && bad++ < 20)
			dxs_diag("alone: %s\n# stack: %s", a ?: "-", b ?: "-");
		a = a ? strtok_r(NULL, "\n", &save_a) : NULL;
		b = b ? strtok_r(NULL, "\n", &save_b) : NULL;
	}
	return dxs_ok(!bad && lines > 100, "%s: %d lines, same as on %s alone",
		      name, lines, dxs_fs);
}

/*
 * A file whose data is in a data-only layer, found only by its absolute path.
 */
static char *tell_data_only(const char *root)
{
	char meta[256], data[256], options[512], *text;
	int fd;

	at(meta, root, "meta");
	MUST(mkdir(meta, 0755));
	at(data, root, "data");
	MUST(mkdir(data, 0755));
	at(data, root, "data/object");
	put_file(data, 5, 9);
	at(meta, root, "meta/name");
	close(MUST(open(meta, O_WRONLY | O_CREAT, 0600)));
	MUST(truncate(meta, 5 * PAGE));
	MUST(setxattr(meta, "trusted.overlay.metacopy", "", 0, 0));
	MUST(setxattr(meta, "trusted.overlay.redirect", "/object", 7, 0));
	snprintf(options, sizeof(options),
		 "metacopy=on,redirect_dir=on,lowerdir=%s/meta::%s/data", root, root);
	if (!dxs_errno(0, ERR(mount("overlay", "over", "overlay", 0, options)),
		       "%s: data-only layer: mounted", root))
		return NULL;
	text = calloc(5, PAGE);
	fd = open("over/name", O_RDONLY);
	if (dxs_errno(0, ERR(fd), "%s: data-only layer: open", root)) {
		dxs_pread(fd, text, 5 * PAGE, 0);
		close(fd);
	}
	MUST(umount("over"));
	return text;
}

void test_compare(void)
{
	char *alone[ARRAY_SIZE(setups)], *stacked;
	char *data[2];
	size_t i;

	MUST(mkdir("elsewhere", 0755));
	MUST(mount("none", "elsewhere", "tmpfs", 0, NULL));
	dxs_mkfs(NULL);
	dxs_mount_lower();
	for (i = 0; i < ARRAY_SIZE(setups); i++)
		alone[i] = tell_one(&setups[i], "lower");
	data[0] = tell_data_only("lower");
	dxs_umount_lower();
	MUST(umount("elsewhere"));

	MUST(mount("none", "elsewhere", "tmpfs", 0, NULL));
	dxs_mkfs(NULL);
	dxs_mount_stack();
	for (i = 0; i < ARRAY_SIZE(setups); i++) {
		stacked = tell_one(&setups[i], "stack");
		same_lines(alone[i], stacked, setups[i].name);
		free(alone[i]);
		free(stacked);
	}
	data[1] = tell_data_only("stack");
	dxs_ok(data[0] && data[1] && !memcmp(data[0], data[1], 5 * PAGE),
	       "data-only layer: same data");
	free(data[0]);
	free(data[1]);
	dxs_umount_stack();
	MUST(umount("elsewhere"));
	dxs_fsck();
}
