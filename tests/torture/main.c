// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: the hardest load for switches.
 *
 * Worker threads and processes access many files in every way that the kernel
 * offers, and apply every operation to files and mappings, while other
 * processes switch the files back and forth, remount, drop caches, use up
 * memory, move tasks between cgroups, send signals and kill.
 *
 * Every byte has one owner at a time, which knows the expected value and checks
 * it whenever it can; some owners share a page with a neighbour. At the end all
 * bytes are compared by read, mapping and O_DIRECT, and once more on the lower
 * filesystem alone; then fsck.
 *
 * The same seed gives the same load: each worker has its own random numbers and
 * waits for what it needs, so that only the order among workers varies.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "torture.h"

struct options opt = { .switches = 500, .files = 8, .workers = 8 };
const char *where = "stack";

static const char usage[] =
	"Usage: torture [OPTION]...\n"
	"  --switches N   stop after N effective switches [500]\n"
	"  --seconds S    stop after S seconds [120 plus one for every two switches]\n"
	"  --seed X       seed of the random numbers\n"
	"  --files F      number of files shared by all workers [8]\n"
	"  --workers W    [8]\n"
	"  --native       the load alone, on the lower filesystem, without switches\n"
	"  --quiet        no remounts, memory pressure, signals and the like\n"
	"  --only WORDS   only kinds of operations whose name has one of the WORDS,\n"
	"                 separated by commas\n"
	"  --list         list the kinds of operations\n"
	"Environment: DAXSTACK_TORTURE_SWITCHES, _SECONDS, _SEED, _FILES, _WORKERS\n";

/* --- Setup. */

static const char *default_of(const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), "DAXSTACK_TORTURE_%s", name);
	return getenv(full);
}

static void set_number(unsigned int *number, const char *text,
		       unsigned int least, unsigned int most)
{
	*number = text ? strtoul(text, NULL, 0) : *number;
	if (*number < least)
		*number = least;
	if (*number > most)
		*number = most;
}

static void from_environment(void)
{
	const char *text = default_of("SWITCHES");

	if (text)
		opt.switches = strtoul(text, NULL, 0);
	text = default_of("SECONDS");
	if (text)
		opt.seconds = atof(text);
	text = default_of("SEED");
	opt.seed = text ? strtoull(text, NULL, 0) : now_ns() ^ getpid();
	set_number(&opt.files, default_of("FILES"), 1, MAX_SHARED);
	set_number(&opt.workers, default_of("WORKERS"), 1, MAX_WORKERS);
}

static void list_kinds(void)
{
	int i;

	for (i = 0; i < kind_count; i++)
		printf("%s\n", kinds[i].name);
	exit(0);
}

static void read_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "switches", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "files", required_argument, NULL, 'f' },
		{ "workers", required_argument, NULL, 'w' },
		{ "native", no_argument, NULL, 'N' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "only", required_argument, NULL, 'o' },
		{ "list", no_argument, NULL, 'l' },
		{}
	};
	int c;

	from_environment();
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'n':
			opt.switches = strtoul(optarg, NULL, 0);
			break;
		case 't':
			opt.seconds = atof(optarg);
			break;
		case 's':
			opt.seed = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			set_number(&opt.files, optarg, 1, MAX_SHARED);
			break;
		case 'w':
			set_number(&opt.workers, optarg, 1, MAX_WORKERS);
			break;
		case 'N':
			opt.native = true;
			where = "lower";
			break;
		case 'q':
			opt.quiet = true;
			break;
		case 'o':
			opt.only = optarg;
			break;
		case 'l':
			list_kinds();
			break;
		default:
			fprintf(stderr, "%s", usage);
			exit(2);
		}
	}
	if (!opt.seconds)
		opt.seconds = opt.native ? 60 : 120 + opt.switches * 0.5;
}

/* With extents aligned to huge pages, so that one fault can map one. */
static void make_filesystem(void)
{
	int status;

	if (!dxs_on_xfs())
		status = DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", "-E",
				 "stride=512,stripe_width=512", dxs_pmem);
	else
		/*
		 * Otherwise copy_file_range would share blocks on the lower
		 * filesystem alone.
		 */
		status = DXS_RUN("mkfs.xfs", "-q", "-f", "-d", "su=2m,sw=1,agcount=4",
				 "-m", opt.native ? "reflink=0" : "reflink=1",
				 dxs_pmem);
	if (status)
		dxs_bail("cannot create %s on %s", dxs_fs, dxs_pmem);
}

static void make_directories(void)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "%s/c", where);
	MUST(mkdir(path, 0755));
	snprintf(path, sizeof(path), "%s/d", where);
	MUST(mkdir(path, 0755));
	fd = MUST(open(path, O_RDONLY | O_DIRECTORY));
	if (dxs_set_xflag(fd, DAXSTACK_DAX))
		dxs_bail("%s: cannot set the flag", path);
	close(fd);
}

static void make_files(void)
{
	struct rng rng = rng_of(0, 1);
	off_t pos;
	int i;

	for (i = 0; i < arena->file_count; i++) {
		struct file *file = &arena->file[i];
		int fd = MUST(open(file->path, O_RDWR | O_CREAT | O_EXCL, 0644));

		file_born(file, fd);
		if (file->kind == SHARED && i % 4 < 2)
			MUST(fallocate(fd, 0, 0, file->size));
		for (pos = 0; pos < file->size; pos += 4) {
			uint32_t word = rnd(&rng) | 0x01010101;

			memcpy(file->image + pos, &word,
			       file->size - pos < 4 ? file->size - pos : 4);
		}
		dxs_pwrite(fd, file->image, file->size, 0);
		close(fd);
	}
}

/* --- Under load. */

static pid_t pids[MAX_WORKERS + 8];
static int pid_count;

/* Runs @run(@first, @second) in a process of its own. */
static void begin_process(void (*run)(unsigned int, unsigned int),
			  unsigned int first, unsigned int second)
{
	pid_t pid = MUST(fork());

	if (!pid) {
		run(first, second);
		_exit(0);
	}
	pids[pid_count++] = pid;
}

static void trouble(unsigned int first, unsigned int second)
{
	(void)first;
	(void)second;
	trouble_process();
}

static void begin_all(void)
{
	/* Some workers share their memory with others, and some do not. */
	unsigned int processes = (opt.workers + 2) / 3, i;

	for (i = 0; i < processes; i++)
		begin_process(worker_process, i, processes);
	trouble_processes(pids, pid_count);
	if (!opt.native) {
		begin_process(switcher_process, 0, 2);
		begin_process(switcher_process, 2, SWITCHERS - 2);
	}
	if (!opt.quiet)
		begin_process(trouble, 0, 0);
}

static unsigned long all_ops(void)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < kind_count; i++)
		sum += atomic_load(&arena->tally[i].done);
	return sum;
}

static void print_progress(double begin)
{
	const struct switches *s = &arena->switches;

	dxs_diag("%.0f s: %lu switches of %lu calls, %lu operations",
		 dxs_now() - begin, s->effective, s->wanted, all_ops());
}

/* Returns the number of processes that are left. */
static int reap(void)
{
	int i, left = 0, status;

	for (i = 0; i < pid_count; i++) {
		if (!pids[i])
			continue;
		if (waitpid(pids[i], &status, WNOHANG) != pids[i]) {
			left++;
			continue;
		}
		pids[i] = 0;
		if (status)
			complain(-1, "process %d ended with status %#x", i,
				 status);
		else if (!stopping())
			complain(-1, "process %d ended too early", i);
	}
	return left;
}

/* Shows what workers that do not end are doing. */
static void print_stuck(void)
{
	unsigned int i;

	for (i = 0; i < opt.workers; i++)
		if (arena->share[i].tid)
			complain(i, "worker %u does not end", i);
	for (i = 0; (int)i < pid_count; i++) {
		if (!pids[i])
			continue;
		complain(-1, "process %u does not end", i);
		kill(pids[i], SIGKILL);
	}
}

static void under_load(void)
{
	double begin = dxs_now(), next = begin + 10;
	struct dxs_watch start = dxs_watch(), stopped;
	bool stops = false, stuck = false;

	begin_all();
	while (reap()) {
		print_complaints();
		if (dxs_now() > next) {
			print_progress(begin);
			next += 10;
		}
		if (dxs_watched(&start) > opt.seconds)
			atomic_store(&arena->stop, true);
		if (stopping() && !stops) {
			stops = true;
			stopped = dxs_watch();
		}
		if (stops && !stuck && dxs_watched(&stopped) > 60 * dxs_slow()) {
			stuck = true;
			print_stuck();
		}
		usleep(20000);
	}
	print_progress(begin);
	print_complaints();
}

/* --- Report. */

static void print_switches(void)
{
	const struct switches *s = &arena->switches;
	unsigned int i;

	dxs_diag("switches: %lu of %lu calls, %lu by FSSETXATTR, "
		 "%lu by SETFLAGS; %lu looked at alone",
		 s->effective, s->wanted, s->by_xflag, s->by_flags, s->checked);
	dxs_diag("not switched: %lu in the mode already, %lu deferred, "
		 "%lu refused without a reason, %lu killed",
		 s->same, s->deferred, s->refused_unsaid, s->killed);
	for (i = 0; i < DAXSTACK_REASON_COUNT; i++)
		if (s->refused[i])
			dxs_diag("refused, %s: %lu", dxs_reason_name(i),
				 s->refused[i]);
	dxs_diag("gates closed: %.1f ms per switch, at most %.1f ms",
		 s->shut_ns / 1e6 / (s->effective ?: 1),
		 s->longest_shut_ns / 1e6);
	dxs_diag("phases: %u unmapped, %u empty, %u never, "
		 "%u lower mounted elsewhere, %u of inherit=",
		 arena->phases[UNMAPPED], arena->phases[EMPTY],
		 arena->phases[NEVER], arena->phases[LOWER_SHARED],
		 arena->inherits);
}

static void print_kinds(void)
{
	char line[128] = "";
	int i;

	for (i = 0; i < kind_count; i++) {
		const struct tally *tally = &arena->tally[i];
		char text[64];

		snprintf(text, sizeof(text), "%s %lu (%.0f ms); ",
			 kinds[i].name, tally->done, tally->longest_ns / 1e6);
		if (strlen(line) + strlen(text) > 100) {
			dxs_diag("%s", line);
			*line = 0;
		}
		strcat(line, text);
	}
	dxs_diag("%s", line);
	dxs_diag("%u signals, %u moves between cgroups, %u cache drops, %u MiB hogged",
		 arena->signals, arena->moves, arena->drops,
		 arena->hogged_mib);
	dxs_diag("%u children killed, %u in the middle of a change; "
		 "%u times not without waiting; %u of %u huge pages by few "
		 "faults",
		 arena->children_killed, arena->children_cut,
		 arena->nowait_again, arena->huge_faults, arena->huge_tries);
}

static double longest_read(void)
{
	uint64_t longest = 0;
	int i;

	for (i = 0; i < kind_count; i++)
		if (kinds[i].run == run_read &&
		    arena->tally[i].longest_ns > longest)
			longest = arena->tally[i].longest_ns;
	return longest / 1e9;
}

static void report(void)
{
	int i, never = 0;

	if (!opt.native)
		print_switches();
	print_kinds();
	dxs_is(0, arena->complaints, "no wrong byte, error or answer under load");
	for (i = 0; i < kind_count; i++) {
		if (arena->tally[i].done || kinds[i].flags & MAY_SKIP ||
		    kinds[i].weight < 4)
			continue;
		dxs_diag("not done: %s", kinds[i].name);
		never++;
	}
	/* A short run may leave a kind out by chance. */
	if (!opt.only && opt.switches >= 2000)
		dxs_is(0, never, "every kind of operation was performed");
	dxs_diag("longest read: %.3f s", longest_read());
	dxs_ok(longest_read() < 30, "no read takes 30 seconds");
	if (opt.native)
		return;
	dxs_ok(arena->switches.effective >= opt.switches,
	       "%lu effective switches", opt.switches);
}

/* --- Final checks. */

/* Whatever the policies left, mode and flag agree from here on. */
static void settle(int *modes)
{
	struct rng rng = rng_of(0, 2);
	int i, fd, failed = 0;

	for (i = 0; i < arena->file_count; i++) {
		struct file *file = &arena->file[i];

		if (!file->named)
			continue;
		fd = MUST(open(file->path, O_RDONLY));
		modes[i] = below(&rng, 2);
		if (!opt.native)
			failed += !dxs_to(fd, modes[i], file->path);
		else
			modes[i] = dxs_mode(fd);
		close(fd);
	}
	dxs_is(0, failed, "every file switches once more");
}

static bool compare_one(const struct file *file, const char *path, int way)
{
	uint8_t *buf = dxs_alloc(file->most + PAGE);
	int fd = MUST(open(path, way == 2 ? O_RDWR | O_DIRECT : O_RDWR));
	struct stat st;
	bool same;
	void *map;

	MUST(fstat(fd, &st));
	if (st.st_size != file->size) {
		dxs_diag("%s: size %lld, expected %lld", path,
			 (long long)st.st_size, (long long)file->size);
		same = false;
	} else if (!file->size) {
		same = true;
	} else if (way == 1) {
		map = MUST(mmap(NULL, file->size, PROT_READ, MAP_SHARED, fd, 0));
		same = dxs_same(file->image, map, file->size, 0, path);
		munmap(map, file->size);
	} else {
		MUST(pread(fd, buf, (file->size + PAGE - 1) & -PAGE, 0));
		same = dxs_same(file->image, buf, file->size, 0, path);
	}
	close(fd);
	free(buf);
	return same;
}

static void compare_all(const char *directory)
{
	static const char *const ways[] = { "by read", "by mapping",
					    "with O_DIRECT" };
	char path[64];
	int i, way, wrong;

	for (way = 0; way < 3; way++) {
		wrong = 0;
		for (i = 0; i < arena->file_count; i++) {
			struct file *file = &arena->file[i];

			if (!file->named)
				continue;
			snprintf(path, sizeof(path), "%s%s", directory,
				 strchr(file->path, '/'));
			wrong += !compare_one(file, path, way);
		}
		dxs_is(0, wrong, "%s: all files compared %s", directory,
		       ways[way]);
	}
}

static void compare_modes(const int *modes)
{
	int i, fd, wrong = 0;
	char path[64];

	for (i = 0; i < arena->file_count; i++) {
		struct file *file = &arena->file[i];

		if (!file->named)
			continue;
		snprintf(path, sizeof(path), "lower%s", strchr(file->path, '/'));
		fd = MUST(open(path, O_RDONLY));
		wrong += dxs_mode(fd) != modes[i];
		close(fd);
	}
	dxs_is(0, wrong, "the lower filesystem has the same modes");
}

static void afterwards(void)
{
	int *modes = calloc(arena->file_count, sizeof(*modes));

	if (!modes)
		dxs_bail("no memory");
	if (!opt.native) {
		umount2("lower", 0);
		dxs_remount("switch=live");
	}
	settle(modes);
	compare_all(where);
	if (opt.native)
		dxs_umount_lower();
	else
		dxs_umount_stack();
	dxs_mount_lower();
	compare_modes(modes);
	compare_all("lower");
	dxs_umount_lower();
	dxs_fsck();
}

/*
 * On ext4, with or without the stack: a write to part of an allocated range may
 * at once zero blocks around it; a task with such a block mapped in dax mode
 * keeps seeing the zero page, whatever is written there later. Turn that off.
 * See docs/semantics.md.
 */
static void keep_unwritten(void)
{
	char path[64];
	int fd;

	if (dxs_on_xfs())
		return;
	snprintf(path, sizeof(path), "/sys/fs/ext4/%s/extent_max_zeroout_kb",
		 strrchr(dxs_pmem, '/') + 1);
	fd = MUST(open(path, O_WRONLY));
	MUST(write(fd, "0", 1));
	close(fd);
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	dxs_begin();
	dxs_watch_begin();
	dxs_diag("seed %#llx; to run again: torture --seed %#llx --switches "
		 "%lu --files %u --workers %u%s%s%s%s",
		 (unsigned long long)opt.seed, (unsigned long long)opt.seed,
		 opt.switches, opt.files, opt.workers,
		 opt.native ? " --native" : "", opt.quiet ? " --quiet" : "",
		 opt.only ? " --only " : "", opt.only ?: "");
	arena_make();
	make_filesystem();
	if (opt.native)
		dxs_mount_lower();
	else
		dxs_mount_stack();
	keep_unwritten();
	make_directories();
	make_files();
	if (!opt.quiet)
		trouble_prepare();
	/* See tell_processors(). */
	dxs_expect("mm/.*: bad pmd [0-9a-f]");
	under_load();
	dxs_expect(NULL);
	report();
	afterwards();
	if (arena->complaints)
		dxs_diag("seed %#llx", (unsigned long long)opt.seed);
	return dxs_done();
}
