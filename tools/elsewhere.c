// SPDX-License-Identifier: GPL-2.0
/*
 * Where else the lower filesystem of a file is mounted: in the mount namespaces
 * of all processes that may be looked at. A mount that only an open file still
 * holds (umount -l) is in none.
 */
#include <ctype.h>
#include <dirent.h>
#include <libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daxstack.h"
#include "tool.h"

/* Namespaces are told apart by their number; beyond these nobody reads on. */
#define NAMESPACES_MAX	1000
#define SHOWN_MAX	4

/**
 * struct found - the mounts found so far
 * @seen: numbers of the namespaces that were looked at
 * @nr_seen: how many
 * @out: where the text goes
 * @count: how many mounts
 */
struct found {
	ino_t seen[NAMESPACES_MAX];
	size_t nr_seen;
	FILE *out;
	unsigned int count;
};

/* Return: true if it is the first process seen in this mount namespace. */
static bool is_new(struct found *found, const char *pid)
{
	char path[64];
	struct stat st;
	size_t i;

	snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
	if (stat(path, &st) || found->nr_seen == NAMESPACES_MAX)
		return false;
	for (i = 0; i < found->nr_seen; i++)
		if (found->seen[i] == st.st_ino)
			return false;
	found->seen[found->nr_seen++] = st.st_ino;
	return true;
}

/* Anybody can mount something in a namespace of his own, on any name. */
static void put_printable(FILE *out, const char *text)
{
	for (; *text; text++)
		putc(iscntrl((unsigned char)*text) ? '?' : *text, out);
}

static void look_at(struct found *found, const char *pid, dev_t dev)
{
	struct libmnt_iter *iter;
	struct libmnt_table *table;
	struct libmnt_fs *fs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/mountinfo", pid);
	table = mnt_new_table_from_file(path);
	iter = mnt_new_iter(MNT_ITER_FORWARD);
	while (table && iter && !mnt_table_next_fs(table, iter, &fs)) {
		if (mnt_fs_get_devno(fs) != dev || found->count++ >= SHOWN_MAX)
			continue;
		if (found->count > 1)
			fputs(", ", found->out);
		put_printable(found->out, mnt_fs_get_target(fs));
		if (strcmp(pid, "self"))
			fprintf(found->out, " (as process %s sees it)", pid);
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
}

/**
 * elsewhere - where else the lower filesystem is mounted
 * @fd: an open file on a daxstack mount
 *
 * Return: the places, to be freed; NULL if none is found.
 */
char *elsewhere(int fd)
{
	struct daxstack_state state;
	struct found *found;
	struct dirent *entry;
	char *text = NULL;
	size_t size;
	DIR *proc;
	dev_t dev;

	if (ioctl(fd, DAXSTACK_IOC_STATE, &state) < 0)
		return NULL;
	dev = makedev(state.lower_major, state.lower_minor);
	found = calloc(1, sizeof(*found));
	if (!found)
		return NULL;
	found->out = open_memstream(&text, &size);
	proc = opendir("/proc");
	if (found->out && proc) {
		if (is_new(found, "self"))
			look_at(found, "self", dev);
		while ((entry = readdir(proc)))
			if (isdigit((unsigned char)*entry->d_name) &&
			    is_new(found, entry->d_name))
				look_at(found, entry->d_name, dev);
		if (found->count > SHOWN_MAX)
			fprintf(found->out, ", and %u more",
				found->count - SHOWN_MAX);
	}
	if (proc)
		closedir(proc);
	if (found->out)
		fclose(found->out);
	if (!found->count) {
		free(text);
		text = NULL;
	}
	free(found);
	return text;
}
