// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heat sessions: asserts what is counted, who may read it, and that counting
 * and probing lose no data.
 *
 * Usage: heat [PART...]	see @parts [all]
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heat.h"

static const struct dxs_part parts[] = {
	{ "counts", test_counts },
	{ "refaults", test_refaults },
	{ "sketch", test_sketch },
	{ "errors", test_errors },
	{ "sessions", test_sessions },
	{ "names", test_names },
	{ "open", test_open },
	{ "umount", test_umount },
	{ "probes", test_probes },
	{ "locked", test_locked },
	{ "dirty", test_dirty },
	{ "data", test_data },
	{ "storm", test_storm },
};

struct heat *session(bool windows)
{
	char err[256];
	struct heat *heat = heat_open("stack", windows, err, sizeof(err));

	if (!heat)
		dxs_bail("session: %s", err);
	return heat;
}

void read_out(struct heat *heat, bool all, bool clear, unsigned int probes)
{
	int error = heat_read(heat, all, clear, probes);

	if (error)
		dxs_bail("read of the session: %s", strerror(error));
}

const struct daxstack_heat_file *told(const struct heat *heat, int fd)
{
	const struct daxstack_heat_file *files;
	struct stat st;
	size_t nr, i;

	MUST(fstat(fd, &st));
	files = heat_files(heat, &nr);
	for (i = 0; i < nr; i++)
		if (files[i].ino == st.st_ino)
			return &files[i];
	return NULL;
}

struct daxstack_heat_file must_tell(const struct heat *heat, int fd)
{
	const struct daxstack_heat_file *file = told(heat, fd);

	if (!file)
		dxs_bail("a used file is not reported");
	return *file;
}

int make(const char *path, size_t len, int mode)
{
	static uint8_t buf[64 * KIB];
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
	size_t pos, part;
	int error;

	MUST(fallocate(fd, 0, 0, len));
	for (pos = 0; pos < len; pos += part) {
		part = len - pos < sizeof(buf) ? len - pos : sizeof(buf);
		dxs_fill(buf, part, 1, pos);
		dxs_pwrite(fd, buf, part, pos);
	}
	error = dxs_switch(fd, mode, 10000, NULL);
	if (error)
		dxs_bail("%s: not switched: %s", path, strerror(error));
	return fd;
}

void load(const void *page)
{
	*(volatile const char *)page;
}

void load_all(const void *area, size_t len)
{
	size_t pos;

	for (pos = 0; pos < len; pos += PAGE)
		load(area + pos);
}

void *map(int fd, size_t len)
{
	return MUST(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

int main(int argc, char **argv)
{
	(void)argc;
	dxs_begin();
	dxs_run_parts(parts, ARRAY_SIZE(parts), argv + 1, true);
	return dxs_done();
}
