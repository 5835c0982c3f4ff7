// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: mappings, and what /proc shows of mappings and open files.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parity.h"

#define LEN	(8 * PAGE)

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

/* --- What /proc shows of a mapping. */

struct seen {
	unsigned long start, end, offset, inode;
	unsigned int major, minor;
	char perms[8];
	char name[256];
	char flags[512];
};

static bool look(const void *map, struct seen *seen)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	bool inside = false, found = false;
	char line[512];
	int used;

	if (!file)
		dxs_bail("smaps: %m");
	while (fgets(line, sizeof(line), file)) {
		struct seen s = { 0 };

		used = 0;
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %n", &s.start, &s.end,
			   s.perms, &s.offset, &s.major, &s.minor, &s.inode,
			   &used) == 7) {
			inside = s.start <= (uintptr_t)map &&
				s.end > (uintptr_t)map;
			if (inside) {
				snprintf(s.name, sizeof(s.name), "%s", line + used);
				*seen = s;
				found = true;
			}
		} else if (inside && !strncmp(line, "VmFlags: ", 9)) {
			snprintf(seen->flags, sizeof(seen->flags), "%s", line + 9);
		}
	}
	fclose(file);
	return found;
}

/*
 * VM_HUGEPAGE ("hg"), which the lower filesystem sets for dax, must not stay in
 * a mapping after the mode changes; after that only the user sets it.
 */
static void drop_word(char *words, const char *word)
{
	char *at = strstr(words, word);

	if (at)
		memmove(at, at + strlen(word), strlen(at + strlen(word)) + 1);
}

static void show(const char *what, const void *map, const char *name)
{
	struct seen seen;
	struct stat st;

	if (!look(map, &seen)) {
		note("%s: not mapped", what);
		return;
	}
	if (mode == DAXSTACK_DAX)
		drop_word(seen.flags, "hg ");
	note("%s: %s %lx, %ld pages, %s, flags %s", what, seen.perms, seen.offset,
	     (seen.end - seen.start) / PAGE, strrchr(seen.name, '/') ?: "no name",
	     seen.flags);
	MUST(stat(name, &st));
	note("%s: device %s, inode %s", what,
	     makedev(seen.major, seen.minor) == st.st_dev ? "right" : "wrong",
	     seen.inode == st.st_ino ? "right" : "wrong");
}

/* The link in /proc/self/map_files opens the file. */
static void by_map_files(const void *map, const char *name)
{
	char path[64], target[256];
	struct seen seen;
	struct stat st, named;
	ssize_t len;
	int fd;

	if (!look(map, &seen))
		return;
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", seen.start,
		 seen.end);
	len = readlink(path, target, sizeof(target) - 1);
	tell_ret("map_files, readlink", len < 0 ? -1 : 0);
	if (len < 0)
		return;
	target[len] = 0;
	note("map_files: %s", strrchr(target, '/'));
	MUST(stat(name, &named));
	tell_ret("map_files, stat", stat(path, &st));
	note("the same file: %s", st.st_dev == named.st_dev &&
	     st.st_ino == named.st_ino ? "yes" : "no");
	fd = TELL_FD(open(path, O_RDONLY));
	if (fd < 0)
		return;
	MUST(fstat(fd, &st));
	note("the same file: %s", st.st_dev == named.st_dev &&
	     st.st_ino == named.st_ino ? "yes" : "no");
	close(fd);
}

/* --- Kinds of mappings. */

static const struct kind {
	const char *name;
	int prot;
	int flags;
	off_t offset;
} kinds[] = {
	{ "shared", PROT_READ | PROT_WRITE, MAP_SHARED, 0 },
	{ "shared, read only", PROT_READ, MAP_SHARED, 0 },
	{ "shared, validated", PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE, 0 },
	{ "shared, no access", PROT_NONE, MAP_SHARED, 0 },
	{ "shared, write only", PROT_WRITE, MAP_SHARED, 0 },
	{ "private", PROT_READ | PROT_WRITE, MAP_PRIVATE, 0 },
	{ "private, read only", PROT_READ, MAP_PRIVATE, 0 },
	{ "executable", PROT_READ | PROT_EXEC, MAP_PRIVATE, 0 },
	{ "executable, shared", PROT_READ | PROT_EXEC, MAP_SHARED, 0 },
	{ "with an offset", PROT_READ, MAP_SHARED, 3 * PAGE },
	{ "beyond the end", PROT_READ, MAP_SHARED, 64 * PAGE },
	{ "far beyond", PROT_READ, MAP_SHARED, 1L << 43 },
	{ "unaligned", PROT_READ, MAP_SHARED, 100 },
	{ "populated", PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, 0 },
	{ "populated, private", PROT_READ | PROT_WRITE,
	  MAP_PRIVATE | MAP_POPULATE, 0 },
	{ "locked, private", PROT_READ, MAP_PRIVATE | MAP_LOCKED, 0 },
	{ "not reserved", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, 0 },
	{ "growing down", PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, 0 },
	{ "huge pages", PROT_READ, MAP_PRIVATE | MAP_HUGETLB, 0 },
	{ "synchronous", PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, 0 },
	{ "synchronous, read only", PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, 0 },
	{ "synchronous, not validated", PROT_READ, MAP_SHARED | MAP_SYNC, 0 },
	{ "synchronous, private", PROT_READ, MAP_PRIVATE | MAP_SYNC, 0 },
	{ "unknown flag", PROT_READ, MAP_SHARED_VALIDATE | (1 << 30), 0 },
	{ "droppable", PROT_READ, 0x08, 0 },
};

static void each_kind(const char *name, int flags)
{
	int fd = MUST(open(name, flags));
	size_t i;
	void *map;

	note("--- %s, opened with %d", name, flags);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		map = mmap(NULL, LEN, kinds[i].prot, kinds[i].flags, fd,
			   kinds[i].offset);
		tell_ret(kinds[i].name, map == MAP_FAILED ? -1 : 0);
		if (map == MAP_FAILED)
			continue;
		show(kinds[i].name, map, name);
		munmap(map, LEN);
	}
	close(fd);
}

/* --- Changes of a mapping. */

static sigjmp_buf out;

static void on_fault(int sig)
{
	siglongjmp(out, sig);
}

static void load(const char *what, const volatile char *at)
{
	int sig = sigsetjmp(out, 1);

	if (sig)
		note("%s: signal %d", what, sig);
	else
		note("%s: byte %#x", what, *at & 0xff);
}

static void changes(void)
{
	int fd = MUST(open("file", O_RDWR)), reader = MUST(open("file", O_RDONLY));
	char *map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			      0)), *moved;
	unsigned char vec[LEN / PAGE];

	by_map_files(map, "file");
	TELL(mprotect(map, PAGE, PROT_READ));
	show("partly read only", map, "file");
	show("... the rest", map + PAGE, "file");
	TELL(mprotect(map, LEN, PROT_READ | PROT_EXEC));
	show("executable", map, "file");
	TELL(mprotect(map, LEN, PROT_READ | PROT_WRITE));
	show("whole again", map, "file");
	moved = mremap(map, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | 4, NULL);
	tell_ret("MREMAP_DONTUNMAP", moved == MAP_FAILED ? -1 : 0);
	if (moved != MAP_FAILED) {
		show("moved part", moved, "file");
		load("moved part", moved);
		load("old part", map);
		munmap(moved, 2 * PAGE);
	}
	moved = MUST(mremap(map, LEN, 2 * LEN, MREMAP_MAYMOVE));
	show("grown", moved, "file");
	load("grown", moved + PAGE);
	load("grown, beyond the end", moved + LEN);
	map = MUST(mremap(moved, 2 * LEN, LEN, 0));
	show("shrunk", map, "file");
	/* Length 0 makes a second mapping of the same pages. */
	moved = mremap(map, 0, LEN, MREMAP_MAYMOVE);
	tell_ret("mremap of length 0", moved == MAP_FAILED ? -1 : 0);
	if (moved != MAP_FAILED) {
		show("the second", moved, "file");
		munmap(moved, LEN);
	}
	TELL(syscall(SYS_remap_file_pages, map, PAGE, 0, 3, 0));
	show("remapped", map, "file");
	load("remapped", map);
	show("... the rest", map + PAGE, "file");
	TELL(syscall(SYS_remap_file_pages, map, PAGE, PROT_READ, 3, 0));
	TELL(msync(map, PAGE, MS_SYNC));
	TELL(msync(map, PAGE, MS_ASYNC));
	TELL(msync(map, LEN, MS_SYNC | MS_INVALIDATE));
	TELL(mlock(map, PAGE));
	TELL(msync(map, PAGE, MS_SYNC | MS_INVALIDATE));
	show("locked", map, "file");
	TELL(munlock(map, PAGE));
	TELL(mlock2(map, PAGE, MLOCK_ONFAULT));
	show("locked when touched", map, "file");
	TELL(munlock(map, PAGE));
	TELL(madvise(map, LEN, MADV_HUGEPAGE));
	TELL(madvise(map, LEN, MADV_NOHUGEPAGE));
	show("no huge pages", map, "file");
	TELL(madvise(map, LEN, MADV_RANDOM));
	TELL(madvise(map, LEN, MADV_DONTFORK));
	TELL(madvise(map, LEN, MADV_DONTDUMP));
	show("advised", map, "file");
	TELL(mincore(map, LEN, vec));
	munmap(map, LEN);

	map = MUST(mmap(NULL, LEN, PROT_READ, MAP_SHARED, reader, 0));
	TELL(mprotect(map, LEN, PROT_READ | PROT_WRITE));
	TELL(mprotect(map, LEN, PROT_READ | PROT_EXEC));
	/* The mapping outlives its descriptor and its name. */
	close(reader);
	MUST(rename("file", "renamed"));
	show("renamed", map, "renamed");
	MUST(link("renamed", "file"));
	MUST(unlink("renamed"));
	show("unlinked", map, "file");
	by_map_files(map, "file");
	munmap(map, LEN);
	close(fd);
}

/* --- A mapping counts as an open file after its descriptor is closed. */

static void run_program(const char *name)
{
	pid_t pid = MUST(fork());
	int status;

	if (!pid) {
		execl(name, name, NULL);
		_exit(errno == ETXTBSY ? 26 : 127);
	}
	MUST(waitpid(pid, &status, 0));
	note("run: status %#x", status);
}

static void busy(int prot, int map_flags, int open_flags, const char *name)
{
	int fd = MUST(open("busy", open_flags));
	void *map = MUST(mmap(NULL, PAGE, prot, map_flags, fd, 0));

	note("%s", name);
	run_program("./busy");
	close(fd);
	run_program("./busy");
	fd = MUST(open("busy", O_RDONLY));
	TELL(fcntl(fd, F_SETLEASE, F_RDLCK));
	TELL(fcntl(fd, F_SETLEASE, F_UNLCK));
	TELL(fcntl(fd, F_SETLEASE, F_WRLCK));
	TELL(fcntl(fd, F_SETLEASE, F_UNLCK));
	munmap(map, PAGE);
	TELL(fcntl(fd, F_SETLEASE, F_WRLCK));
	close(fd);
	run_program("./busy");
}

static void count_as_open(void)
{
	if (DXS_RUN("cp", "/bin/true", "busy"))
		dxs_bail("cp /bin/true");
	busy(PROT_READ | PROT_WRITE, MAP_SHARED, O_RDWR, "mapped for writing");
	busy(PROT_READ, MAP_SHARED, O_RDWR, "mapped, opened for writing");
	busy(PROT_READ, MAP_PRIVATE, O_RDWR, "private, opened for writing");
	busy(PROT_READ, MAP_SHARED, O_RDONLY, "mapped for reading");
}

/* --- Users of a file as fuser(1) finds them: descriptors and mappings. */

static void users(void)
{
	int fd = MUST(open("file", O_RDWR | O_APPEND)), info;
	char path[64], text[1024], *line, *rest = text, target[256];
	struct stat st, seen;
	ssize_t len;

	MUST(stat("file", &st));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	MUST(stat(path, &seen));
	note("by descriptor: %s", seen.st_dev == st.st_dev &&
	     seen.st_ino == st.st_ino ? "the same" : "another");
	len = MUST(readlink(path, target, sizeof(target) - 1));
	target[len] = 0;
	note("its name: %s", strrchr(target, '/'));
	MUST(lseek(fd, 77, SEEK_SET));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = MUST(open(path, O_RDONLY));
	len = MUST(read(info, text, sizeof(text) - 1));
	text[len] = 0;
	close(info);
	while ((line = strsep(&rest, "\n")) && *line) {
		/* The mount id differs between the sides. */
		if (!strncmp(line, "mnt_id", 6))
			continue;
		if (!strncmp(line, "ino:", 4))
			note("fdinfo: inode %s", strtoull(line + 4, NULL, 10) ==
			     st.st_ino ? "right" : "wrong");
		else
			note("fdinfo: %s", line);
	}
	close(fd);
}

/* --- Build ids, which the kernel reads from the file of a mapping. */

struct query {
	uint64_t size, flags, addr;
	uint64_t start, end, vma_flags, page_size, offset, inode;
	uint32_t major, minor, name_size, build_id_size;
	uint64_t name, build_id;
};

#define QUERY	_IOWR('f', 17, struct query)

static void ask(int maps, const void *map, const char *name)
{
	uint8_t id[64];
	char path[256], hex[2 * sizeof(id) + 1] = "";
	struct query query = {
		.size = sizeof(query), .addr = (uintptr_t)map,
		.name = (uintptr_t)path, .name_size = sizeof(path),
		.build_id = (uintptr_t)id, .build_id_size = sizeof(id),
	};
	struct stat st;
	uint32_t i;

	if (tell_ret("PROCMAP_QUERY", ioctl(maps, QUERY, &query)))
		return;
	for (i = 0; i < query.build_id_size && i < sizeof(id); i++)
		sprintf(hex + 2 * i, "%02x", id[i]);
	note("build id of %u bytes: %s", query.build_id_size, hex);
	MUST(stat(name, &st));
	note("of %s; device %s, inode %s", strrchr(path, '/'),
	     makedev(query.major, query.minor) == st.st_dev ? "right" : "wrong",
	     query.inode == st.st_ino ? "right" : "wrong");
}

static void build_ids(void)
{
	int maps = MUST(open("/proc/self/maps", O_RDONLY)), fd;
	void *map;

	if (DXS_RUN("cp", "/bin/true", "program"))
		dxs_bail("cp /bin/true");
	fd = MUST(open("program", O_RDONLY));
	map = MUST(mmap(NULL, 4 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
	note("--- build ids");
	dxs_log_mark();
	/* With pages in the page cache or not, mapped or not. */
	ask(maps, map, "program");
	load("the program", map);
	ask(maps, map, "program");
	MUST(fsync(fd));
	MUST(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	ask(maps, map, "program");
	munmap(map, 4 * PAGE);
	close(fd);
	fd = MUST(open("file", O_RDONLY));
	map = MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	ask(maps, map, "file");
	munmap(map, PAGE);
	fd = MUST(open("file", O_WRONLY | O_APPEND));
	close(fd);
	note("the kernel %s", dxs_log_has("read not supported") ? "complained" :
	     "said nothing");
	close(maps);
}

void run_mapped(void)
{
	struct sigaction act = { .sa_handler = on_fault };

	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
	close(make_file("file", LEN));
	close(make_file("empty", 0));
	each_kind("file", O_RDWR);
	each_kind("file", O_RDONLY);
	each_kind("file", O_WRONLY);
	each_kind("empty", O_RDWR);
	changes();
	count_as_open();
	users();
	build_ids();
}
