// SPDX-License-Identifier: GPL-2.0-only
/*
 * Differential test: makes random sequences of calls, from a seed, on the stack
 * and on the lower filesystem alone, and compares their results and the visible
 * state of the files after each step.
 *
 * $PMEM is split in two with dm-linear, which supports DAX. Both halves get the
 * same filesystem: ext4 with the same UUID and hash seed, so that the order of
 * directory entries and the cookies of telldir(3) are the same; XFS without
 * reflink, because copy_file_range(2) would share blocks on one side.
 *
 * A sequence runs in a directory of its own, so that it can be repeated with
 * fewer steps until it is short. In every other sequence files of the stack
 * switch between modes; in the rest they are cached on both sides, and more is
 * compared.
 *
 * Tolerated differences are in known.c.
 */
#include <getopt.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "differ.h"

#define UUID		"1b4e28ba-2fa1-11d2-883f-0016d3cca427"
#define HASH_SEED	"6fa459ea-ee8a-3ca4-894e-db77e160355e"
#define MAX_DIFFERENCES	8

static unsigned long seed = 1, wanted = 5000;
static struct tally tally;
static long only = -1;
static unsigned int length = 80, every = 8;
static double shrink_seconds = 60;

/* --- Devices. */

static void make_half(const char *name, unsigned long from, unsigned long len)
{
	char table[128];

	snprintf(table, sizeof(table), "0 %lu linear %s %lu", len, dxs_pmem,
		 from);
	if (DXS_RUN("dmsetup", "create", name, "--table", table))
		dxs_bail("cannot split %s", dxs_pmem);
}

static void make_fs(const char *device)
{
	if (dxs_on_xfs() ?
	    DXS_RUN("mkfs.xfs", "-q", "-f", "-m", "reflink=0", device) :
	    DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", "-U", UUID, "-E",
		    "hash_seed=" HASH_SEED, device))
		dxs_bail("cannot create %s on %s", dxs_fs, device);
}

/*
 * When ext4 zeroes blocks around a write, they become data for lseek(2),
 * depending on the time of writeback.
 */
static void no_zeroout(void)
{
	int i;

	for (i = 0; i < 2 && !dxs_on_xfs(); i++) {
		char path[80];
		FILE *file;

		snprintf(path, sizeof(path),
			 "/sys/fs/ext4/dm-%d/extent_max_zeroout_kb", i);
		file = fopen(path, "w");
		if (!file || fprintf(file, "0\n") < 0 || fclose(file))
			dxs_bail("%s: %m", path);
	}
}

/* The directory of the mounts. */
static int work;

static void begin_devices(void)
{
	unsigned long long bytes;
	unsigned long half;
	char options[48];
	int fd = MUST(open(dxs_pmem, O_RDONLY)), i;

	MUST(ioctl(fd, BLKGETSIZE64, &bytes));
	close(fd);
	half = bytes / 2 / (2 * MIB) * (2 * MIB / 512);
	make_half("differ0", 0, half);
	make_half("differ1", half, half);
	make_fs("/dev/mapper/differ0");
	make_fs("/dev/mapper/differ1");
	/*
	 * With relatime, whether a read updates the atime may depend on which
	 * of two actions of a step came a tick later.
	 */
	snprintf(options, sizeof(options), "strictatime,lower=%s", dxs_fs);
	if (dxs_mount("/dev/mapper/differ0", "lower", dxs_fs,
		      "strictatime,dax=inode") ||
	    dxs_mount("/dev/mapper/differ1", "stack", "daxstack",
		      options))
		dxs_bail("cannot mount: %m");
	no_zeroout();
	work = MUST(open(".", O_RDONLY | O_CLOEXEC));
	for (i = 0; i < 2; i++)
		sides[i].top = MUST(open(sides[i].name, O_RDONLY | O_CLOEXEC));
}

static void end_devices(void)
{
	int i;

	MUST(fchdir(work));
	for (i = 0; i < 2; i++) {
		close(sides[i].top);
		free(sides[i].out.buf);
	}
	dxs_umount_stack();
	dxs_umount_lower();
	dxs_is(0, DXS_RUN("dmsetup", "remove", "differ0", "differ1"),
	       "the devices are no longer in use");
}

/* --- Sequences. */

static unsigned long failed[MAX_KINDS], with_switches;
static unsigned int differences;

static struct sequence make_sequence(unsigned long number)
{
	struct rng rng = { seed * 1000003 + number };
	struct sequence seq = {
		.switching = number % 2,
		.steps = calloc(length, sizeof(*seq.steps)),
		.count = length,
	};
	unsigned int i, who = below(&rng, CALLERS);

	if (!seq.steps)
		abort();
	for (i = 0; i < length; i++) {
		seq.steps[i] = make_step(&rng, seq.switching);
		/*
		 * Mostly by the owner: otherwise a caller rarely uses its own
		 * files.
		 */
		if (kinds[seq.steps[i].kind] != &switch_kind && once_in(&rng, 2))
			seq.steps[i].who = who;
	}
	return seq;
}

static void print_steps(const struct sequence *seq, const char *why)
{
	struct text out = { 0 };
	unsigned int i;

	say(&out, "%s\n", why);
	for (i = 0; i < seq->count; i++) {
		say(&out, "  %2u. ", i + 1);
		say_step(&out, &seq->steps[i]);
		say(&out, "\n");
	}
	dxs_diag("%s", out.buf);
	free(out.buf);
}

static void report(unsigned long number, struct sequence *seq, int at,
		   struct text *seen)
{
	unsigned int kind = seq->steps[at].kind;
	struct text shorter = { 0 };

	failed[kind]++;
	differences++;
	dxs_diag("seed %lu, sequence %lu, step %d (%s): a difference", seed,
		 number, at + 1, kinds[kind]->name);
	dxs_diag("%s", seen->buf);
	if (failed[kind] > 2) {
		dxs_diag("(not reduced: there were two of the kind)");
		return;
	}
	seq->count = at + 1;
	at = shrink(seq, &shorter, shrink_seconds);
	if (at < 0) {
		print_steps(seq,
			    "the difference did not recur with these steps:");
	} else {
		failed[seq->steps[at].kind] += seq->steps[at].kind != kind;
		print_steps(seq, "these steps reproduce it:");
		dxs_diag("%s", shorter.buf);
	}
	free(shorter.buf);
}

static void play_one(unsigned long number)
{
	struct sequence seq = make_sequence(number);
	unsigned long before = tally.steps;
	struct text seen = { 0 };
	int at;

	if (only >= 0)
		print_steps(&seq, "the steps are:");
	at = play(&seq, every, &seen, &tally);
	if (seq.switching)
		with_switches += tally.steps - before;
	if (at >= 0)
		report(number, &seq, at, &seen);
	free(seq.steps);
	free(seen.buf);
}

/* --- Options, and the report. */

static void usage(FILE *to)
{
	fprintf(to,
		"Usage: differ [OPTION]...\n"
		"  --seed N       seed of the sequences, 0: from the clock [1]\n"
		"  --steps N      total number of steps [5000]\n"
		"  --length N     steps of a sequence [80]\n"
		"  --every N      compare all files after every N steps [8]\n"
		"  --sequence N   only this sequence\n"
		"  --shrink N     seconds to spend on reducing a sequence [60]\n");
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "steps", required_argument, NULL, 'n' },
		{ "length", required_argument, NULL, 'l' },
		{ "every", required_argument, NULL, 'e' },
		{ "sequence", required_argument, NULL, 'o' },
		{ "shrink", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			seed = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			wanted = strtoul(optarg, NULL, 0);
			break;
		case 'l':
			length = atoi(optarg);
			break;
		case 'e':
			every = atoi(optarg);
			break;
		case 'o':
			only = atol(optarg);
			break;
		case 't':
			shrink_seconds = atof(optarg);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (!length || !every)
		dxs_bail("a sequence has at least one step");
}

static void report_kinds(void)
{
	unsigned int i;

	for (i = 0; i < nr_kinds; i++) {
		if (tally.done[i] || failed[i])
			dxs_ok(!failed[i],
			       "%s: %lu times, %lu of them successful",
			       kinds[i]->name, tally.done[i], tally.well[i]);
		else if (only < 0 && wanted >= 5000)
			dxs_ok(false, "%s: never occurred", kinds[i]->name);
	}
}

int main(int argc, char **argv)
{
	unsigned long number;
	double began;

	parse(argc, argv);
	dxs_begin();
	signal(SIGIO, SIG_IGN);
	begin_devices();
	if (!seed)
		seed = time(NULL) % 1000000;
	dxs_diag("seed %lu", seed);
	began = dxs_now();
	if (only >= 0)
		play_one(only);
	for (number = 0; only < 0 && tally.steps < wanted; number++) {
		play_one(number);
		if (differences == MAX_DIFFERENCES)
			break;
	}
	dxs_diag("%.0f s: %lu steps, %lu with switches among them; %lu switches, %lu refused",
		 dxs_now() - began, tally.steps, with_switches, switches_made,
		 switches_refused);
	report_known();
	report_kinds();
	dxs_is(0, differences, "differences");
	if (only < 0)
		dxs_ok(tally.steps >= wanted, "%lu steps, of %lu",
		       tally.steps, wanted);
	dxs_ok(!with_switches || switches_made, "%lu switches were made",
	       switches_made);
	end_devices();
	return dxs_done();
}
