// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asserts that /sys/fs/daxstack and the commands list, why, status and help
 * report what was done to mounts and files.
 *
 * Usage: list [PART...]	sysfs umount list why status help [all]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "list.h"

static const struct dxs_part parts[] = {
	{ "sysfs", test_sysfs },
	{ "umount", test_umount },
	{ "list", test_list },
	{ "why", test_why },
	{ "status", test_status },
	{ "help", test_help },
};

char out[64 * KIB];

const char *jq(const char *filter)
{
	static char answer[4 * KIB];
	FILE *json = fopen("json", "w");
	int status;

	fputs(out, json);
	fclose(json);
	status = DXS_RUN_READ(answer, sizeof(answer), "jq", "-r", "-c", filter,
			      "json");
	if (status)
		dxs_diag("%s: %s\n%s", filter, answer, out);
	return answer;
}

const char *squeezed(void)
{
	char *from, *to = out;

	for (from = out; *from; from++) {
		if (*from == ' ' && (from[1] == ' ' || from[1] == '\n' ||
				     to == out || to[-1] == '\n'))
			continue;
		*to++ = *from;
	}
	*to = 0;
	return out;
}

void make_file(const char *path, size_t len)
{
	static uint8_t buf[64 * KIB];
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_EXCL, 0644));
	size_t pos, part;

	for (pos = 0; pos < len; pos += part) {
		part = len - pos < sizeof(buf) ? len - pos : sizeof(buf);
		dxs_fill(buf, part, 1, pos);
		dxs_pwrite(fd, buf, part, pos);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	(void)argc;
	dxs_begin();
	dxs_run_parts(parts, ARRAY_SIZE(parts), argv + 1, true);
	return dxs_done();
}
