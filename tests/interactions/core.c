// SPDX-License-Identifier: GPL-2.0-only
/*
 * Core dumps of processes that map a file and switch it while they die. Asserts
 * that each core file has the right bytes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/elf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interactions.h"

#define DUMPS	8

/*
 * Bits of /proc/PID/coredump_filter. The mode of the file decides which bits
 * apply to a mapping: in dax mode those for DAX, also for its private copies.
 */
#define FILTER_ALL	"0x1ff"
#define FILTER_FILE	"0x1f"	/* not DAX */
#define FILTER_DAX	"0x1f3"	/* not files */

static void set_filter(const char *filter)
{
	int fd = MUST(open("/proc/self/coredump_filter", O_WRONLY));

	MUST(write(fd, filter, strlen(filter)));
	close(fd);
}

static void *touch(void *map)
{
	volatile uint64_t *at = map;
	uint64_t i;

	for (i = 0;; i++)
		at[i % PAGES * PAGE / 8] = i;
	return NULL;
}

/* Dies in the middle of switches and stores. */
static void die(int fd, void *map, const char *dir, const char *filter)
{
	static const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct ia_switcher s;
	pthread_t thread;

	MUST(chdir(dir));
	set_filter(filter);
	MUST(setrlimit(RLIMIT_CORE, &unlimited));
	ia_switch_begin(&s, fd);
	s.alone = false;
	if (pthread_create(&thread, NULL, touch, map))
		_exit(1);
	ia_switch_more(&s, 2);
	raise(SIGQUIT);
	_exit(2);
}

/* Reads the bytes at an address from a core file: at most LEN. */
static ssize_t read_core(int core, const void *addr, uint8_t *buf)
{
	uint64_t at = (uintptr_t)addr;
	struct elf64_hdr elf;
	struct elf64_phdr ph;
	int i;

	dxs_pread(core, &elf, sizeof(elf), 0);
	if (memcmp(elf.e_ident, ELFMAG, SELFMAG))
		return -1;
	for (i = 0; i < elf.e_phnum; i++) {
		dxs_pread(core, &ph, sizeof(ph), elf.e_phoff + i * sizeof(ph));
		if (ph.p_type != PT_LOAD || ph.p_vaddr != at)
			continue;
		if (ph.p_filesz > LEN)
			return -1;
		dxs_pread(core, buf, ph.p_filesz, ph.p_offset);
		return ph.p_filesz;
	}
	return -1;
}

/* Compares a mapping without the heads; a narrow filter may leave it out. */
static int look(int core, const uint8_t *addr, const uint8_t *image, bool all,
		const char *what)
{
	static uint8_t seen[LEN];
	ssize_t len = read_core(core, addr, seen);
	int i;

	if (len != LEN && (all || len)) {
		dxs_diag("core: %s: %zd bytes", what, len);
		return 1;
	}
	for (i = 0; i < len / PAGE; i++)
		if (!dxs_same(image + i * PAGE + HEAD, seen + i * PAGE + HEAD,
			      PAGE - HEAD, i * PAGE + HEAD, what))
			return 1;
	return 0;
}

/* Return: number of errors. */
static int dump(int fd, int i, uint8_t *map, uint8_t *private,
		const uint8_t *image, const uint8_t *copy)
{
	static const char *const filters[] = { FILTER_ALL, FILTER_DAX,
					       FILTER_ALL, FILTER_FILE };
	const char *filter = filters[i / 2 % 4];
	const char *dir = i % 2 ? "stack/cores" : "cores";
	int core, status, wrong = 0;
	char path[64];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/core", dir);
	unlink(path);
	fflush(stdout);
	pid = MUST(fork());
	if (!pid)
		die(fd, map, dir, filter);
	status = ia_wait(pid);
	if (status < 0 || !WIFSIGNALED(status) || !WCOREDUMP(status)) {
		dxs_diag("core: status %#x", status);
		return 1;
	}
	core = open(path, O_RDONLY | O_CLOEXEC);
	if (core < 0) {
		/* core_uses_pid */
		snprintf(path, sizeof(path), "%s/core.%d", dir, pid);
		core = MUST(open(path, O_RDONLY | O_CLOEXEC));
	}
	wrong += look(core, map, image, !strcmp(filter, FILTER_ALL), "shared");
	wrong += look(core, private, copy, strcmp(filter, FILTER_FILE) != 0,
		      "private");
	close(core);
	unlink(path);
	return wrong;
}

void check_core(void)
{
	int fd = ia_file("stack/core", DAXSTACK_CACHED), i, wrong = 0;
	uint8_t *image = dxs_alloc(LEN), *copy = dxs_alloc(LEN);
	uint8_t *map = ia_map(fd), *private;
	struct ia_switcher s;

	MUST(mkdir("cores", 0755));
	MUST(mkdir("stack/cores", 0755));
	dxs_fill(image, LEN, SEED, 0);
	/*
	 * All pages are copied, so the filter treats them as anonymous memory.
	 */
	private = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
			    0));
	dxs_fill(copy, LEN, SEED + 1, 0);
	memcpy(private, copy, LEN);

	ia_switch_begin(&s, fd);
	s.alone = false;
	for (i = 0; i < DUMPS; i++)
		wrong += dump(fd, i, map, private, image, copy);
	dxs_is(0, wrong, "core dumps: complete and correct");
	ia_switch_report(&s, 2 * DUMPS, "core dumps");
	ia_well(fd, "core dumps");
	MUST(munmap(map, LEN));
	MUST(munmap(private, LEN));
	close(fd);
	free(image);
	free(copy);
}
