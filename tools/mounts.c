// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts in the mount namespaces of all visible processes. A mount that only an open
 * file keeps alive (umount -l) is in none of them.
 */
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"
#include "who.h"

/**
 * struct spaces - the namespaces visited so far
 * @numbers: their inode numbers
 * @nr: number of @numbers
 */
struct spaces {
	uint64_t *numbers;
	size_t nr;
};

static bool is_new(struct spaces *seen, uint64_t ns)
{
	size_t i;

	for (i = 0; i < seen->nr; i++)
		if (seen->numbers[i] == ns)
			return false;
	seen->numbers = who_grow(seen->numbers, seen->nr, sizeof(ns));
	seen->numbers[seen->nr++] = ns;
	return true;
}

static struct libmnt_table *read_table(int proc)
{
	struct libmnt_table *table = mnt_new_table();
	int fd = openat(proc, "mountinfo", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (table && file)
		mnt_table_parse_stream(table, file, "mountinfo");
	if (file)
		fclose(file);
	else if (fd >= 0)
		close(fd);
	return table;
}

static void visit_process(struct spaces *seen, const char *pid,
			  void (*visit)(const struct mount_space *space,
					void *data), void *data)
{
	struct mount_space space = { .own = !isdigit((unsigned char)*pid) };
	struct stat st;

	space.proc = process_open(pid);
	if (space.proc < 0)
		return;
	if (!fstatat(space.proc, "ns/mnt", &st, 0) && is_new(seen, st.st_ino)) {
		space.ns = st.st_ino;
		space.pid = space.own ? getpid() : atoi(pid);
		space.table = read_table(space.proc);
		if (space.table)
			visit(&space, data);
		mnt_unref_table(space.table);
	}
	close(space.proc);
}

/**
 * mounts_visit - visit all mount namespaces
 * @visit: called for each, starting with the caller's own
 * @data: for @visit
 */
void mounts_visit(void (*visit)(const struct mount_space *space, void *data),
		  void *data)
{
	struct spaces seen = { .nr = 0 };
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	visit_process(&seen, "self", visit, data);
	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)*entry->d_name))
			visit_process(&seen, entry->d_name, visit, data);
	if (proc)
		closedir(proc);
	free(seen.numbers);
}

/* --- For 'daxstack who'. */

static bool is_stack(struct libmnt_fs *fs)
{
	const char *type = mnt_fs_get_fstype(fs);

	return type && !strcmp(type, "daxstack");
}

static void note_policy(const struct who *who, struct libmnt_fs *fs)
{
	struct who_asked *asked = who_asked_dev(who, mnt_fs_get_devno(fs));
	char *value;
	size_t len;

	if (!mnt_fs_get_option(fs, "switch", &value, &len) &&
	    len < sizeof(asked->policy))
		memcpy(asked->policy, value, len);
}

static char *copy(const char *text)
{
	char *copied = strdup(text ?: "");

	if (!copied)
		err(TOOL_FAILED, "mounts");
	return copied;
}

static void add_mount(struct who *who, const struct mount_space *space,
		      struct libmnt_fs *fs, const char *vetoes)
{
	who->mounts = who_grow(who->mounts, who->nr_mounts,
			       sizeof(*who->mounts));
	who->mounts[who->nr_mounts++] = (struct mount_found){
		.target = copy(mnt_fs_get_target(fs)),
		.type = copy(mnt_fs_get_fstype(fs)),
		.ns = space->ns,
		.own = space->own,
		.pid = space->pid,
		.command = process_command(space->proc),
		.id = mnt_fs_get_id(fs),
		.vetoes = vetoes,
	};
}

static void look_at(struct who *who, const struct mount_space *space,
		    struct libmnt_fs *fs)
{
	uint64_t id = mnt_fs_get_id(fs);

	if (who_is_asked(who, mnt_fs_get_parent_id(fs))) {
		add_mount(who, space, fs, "umount");
		return;
	}
	if (!who_asked_dev(who, mnt_fs_get_devno(fs)))
		return;
	if (!is_stack(fs)) {
		who->below = who_grow(who->below, who->nr_below, sizeof(id));
		who->below[who->nr_below++] = id;
		add_mount(who, space, fs, "switch, device");
		return;
	}
	note_policy(who, fs);
	/*
	 * An operand that is a device selects all its mounts here; mounts in other
	 * namespaces are extra.
	 */
	if (!who_is_asked(who, id) || !space->own)
		add_mount(who, space, fs, "device");
}

static void find_in(const struct mount_space *space, void *data)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	while (iter && !mnt_table_next_fs(space->table, iter, &fs))
		look_at(data, space, fs);
	mnt_free_iter(iter);
}

/**
 * mounts_find - find mounts of the filesystems asked about, and of their lower
 * filesystems
 * @who: with @asked filled in
 */
void mounts_find(struct who *who)
{
	mounts_visit(find_in, who);
}
