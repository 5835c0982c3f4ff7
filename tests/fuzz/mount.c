// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz: mount options, sources, and cleanup after a mount.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define LONG	300		/* longer than fsconfig(2) accepts */
#define FILE_	"for-fuzz-mounts"

static char long_text[LONG + 1], blank[64] = "missing";

/* Another mount of the same device in this round. */
static enum { NOTHING, LOWER, STACK } besides;

/* The options so far. NULL, -1: not given. */
struct wanted {
	const char *source, *lower, *policy, *inherit, *dax;
	int ro;
	/*
	 * An unknown option: passed to the lower filesystem, which refuses it.
	 */
	bool unknown;
};

/* The mount on "other". */
static struct {
	struct wanted is;
	bool dir;
} mounted;

/* With STACK: the options of its superblock, and so of each mount of it. */
static struct wanted shared;

/* The inputs, for the report. */
static char inputs[700];

static void say(const char *text, ...)
{
	size_t len = strlen(inputs);
	va_list args;

	va_start(args, text);
	vsnprintf(inputs + len, sizeof(inputs) - len, text, args);
	va_end(args);
}

/* --- Options. */

/* The first GOOD_KEYS are options; the others are tried more rarely. */
#define GOOD_KEYS	6
static const char *const keys[] = {
	"lower", "switch", "inherit", "dax", "ro", "rw", "source",
	"nonsense", "nodax", "noswitch", "", "Lower", "dax ", long_text,
};

static const char *const lowers[] = { "ext4", "xfs", NULL };
static const char *const policies[] = {
	"live", "unmapped", "empty", "never", NULL
};

static const char *const inherits[] = { "create", "none", "move", NULL };
static const char *const daxes[] = { "inode", "always", "never", NULL };

static const char *const bad_values[] = {
	"", "btrfs", "ext", "ext44", "liv", "livee", "LIVE", "0", "-1", "yes",
	" live", long_text,
};

/* Picks from a list that ends with NULL. */
static const char *pick(const char *const list[])
{
	size_t n = 0;

	while (list[n])
		n++;
	return list[below(n)];
}

static const char *find(const char *const list[], const char *value)
{
	while (*list && strcmp(*list, value))
		list++;
	return *list;
}

static const char *pick_source(void)
{
	const char *const sources[] = {
		dxs_pmem, dxs_pmem, dxs_pmem, dxs_pmem, "to-pmem", "missing",
		"", "plain", "plain/inside", "fifo", "/dev/null", ".", "/proc",
		"lower", "stack", "lower/" FILE_, blank,
	};

	return PICK(sources);
}

struct option {
	unsigned int type;	/* enum fsconfig_command */
	const char *key, *value;
};

static struct option pick_option(void)
{
	static const unsigned int types[] = {
		FSCONFIG_SET_FLAG, FSCONFIG_SET_BINARY, FSCONFIG_SET_PATH,
		FSCONFIG_SET_PATH_EMPTY, FSCONFIG_SET_FD,
	};
	struct option o = {
		.key = keys[below(one_in(3) ? ARRAY_SIZE(keys) : GOOD_KEYS)],
	};
	bool bad = one_in(5);

	if (!strcmp(o.key, "lower"))
		o.value = one_in(4) ? pick(lowers) : dxs_fs;
	else if (!strcmp(o.key, "switch"))
		o.value = pick(policies);
	else if (!strcmp(o.key, "inherit"))
		o.value = pick(inherits);
	else if (!strcmp(o.key, "dax") && !one_in(3))
		o.value = pick(daxes);
	else if (!strcmp(o.key, "source"))
		o.value = pick_source();
	/* Sources already include bad ones. */
	if (bad && strcmp(o.key, "source"))
		o.value = one_in(2) ? NULL : PICK(bad_values);
	o.type = o.value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
	if (bad && one_in(2))
		o.type = PICK(types);
	/* These take no value; all others need one. */
	if (o.type == FSCONFIG_SET_FLAG || o.type == FSCONFIG_SET_FD)
		o.value = NULL;
	else if (!o.value)
		o.value = "x";
	return o;
}

/* Takes a value of a list. Return: the errno. */
static int want(const char **slot, const char *const list[],
		const struct option *o)
{
	const char *value = o->type == FSCONFIG_SET_STRING ?
		find(list, o->value) : NULL;

	if (!value)
		return EINVAL;
	*slot = value;
	return 0;
}

/* Takes an option. Return: the expected errno. */
static int expect_option(struct wanted *w, const struct option *o)
{
	bool string = o->type == FSCONFIG_SET_STRING;

	if (!strcmp(o->key, "ro") || !strcmp(o->key, "rw")) {
		w->ro = o->key[1] == 'o';
		return 0;
	}
	if (!strcmp(o->key, "lower"))
		return want(&w->lower, lowers, o);
	if (!strcmp(o->key, "switch"))
		return want(&w->policy, policies, o);
	if (!strcmp(o->key, "inherit"))
		return want(&w->inherit, inherits, o);
	if (!strcmp(o->key, "dax") && o->type == FSCONFIG_SET_FLAG) {
		w->dax = "always";
		return 0;
	}
	if (!strcmp(o->key, "dax"))
		return want(&w->dax, daxes, o);
	if (!strcmp(o->key, "source") && string && !w->source) {
		w->source = o->value;
		return 0;
	}
	if (!strcmp(o->key, "source") ||
	    (!string && o->type != FSCONFIG_SET_FLAG))
		return EINVAL;
	w->unknown = true;
	return 0;
}

/* --- Expected results of a mount. */

/* Return: the errno. */
static int expect_mount(const struct wanted *w)
{
	bool other = w->lower && strcmp(w->lower, dxs_fs), dir;
	const char *s = w->source;

	if (!s || !*s)
		return EINVAL;
	if (!strcmp(s, "missing"))
		return ENOENT;
	if (!strcmp(s, "plain/inside"))
		return ENOTDIR;
	if (!strcmp(s, "plain") || !strcmp(s, "fifo") || !strcmp(s, "/dev/null"))
		return ENOTBLK;
	if (!strcmp(s, "lower/" FILE_))
		return besides == LOWER ? ENOTBLK : ENOENT;
	dir = !strcmp(s, "lower") && besides == LOWER;
	if (!dir && strcmp(s, dxs_pmem) && strcmp(s, "to-pmem"))
		return EINVAL;		/* no lower filesystem */
	if (dir)
		return other || w->dax || w->unknown ? EINVAL : 0;
	/* The same superblock: options must match those it has. */
	if (besides == STACK && !other)
		return (w->policy && strcmp(w->policy, shared.policy)) ||
			(w->inherit && strcmp(w->inherit, shared.inherit)) ||
			(w->dax && strcmp(w->dax, shared.dax)) ||
			w->unknown || (w->ro == 1) != shared.ro ? EBUSY : 0;
	if (w->unknown)
		return EINVAL;
	/* Its other mount determines the options. */
	if (besides == LOWER && (other || w->dax || w->ro == 1))
		return EBUSY;
	return other ? EINVAL : 0;
}

static void now_mounted(const struct wanted *w)
{
	mounted.is = *w;
	mounted.is.lower = dxs_fs;
	mounted.dir = !strcmp(w->source, "lower");
	if (besides == STACK) {
		mounted.is = shared;
		return;
	}
	mounted.is.policy = w->policy ?: "live";
	mounted.is.inherit = w->inherit ?: "create";
	mounted.is.dax = w->dax ?: "inode";
	mounted.is.ro = w->ro == 1;
}

static int expect_remount(const struct wanted *w)
{
	if (w->lower && strcmp(w->lower, dxs_fs))
		return EINVAL;
	if (w->dax && strcmp(w->dax, mounted.is.dax))
		return EINVAL;
	if (w->unknown)
		return besides == LOWER && !mounted.dir ? EBUSY : EINVAL;
	/*
	 * A lower filesystem without other mounts is remounted with the stack.
	 */
	return 0;
}

static void now_remounted(const struct wanted *w)
{
	mounted.is.policy = w->policy ?: mounted.is.policy;
	mounted.is.inherit = w->inherit ?: mounted.is.inherit;
	if (w->ro >= 0)
		mounted.is.ro = w->ro;
	if (besides == STACK)
		shared = mounted.is;
}

/* Returns the superblock options on "other", and the number of mounts. */
static int read_mounts(char *options, size_t size)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], *last;
	int mounts = 0;

	if (!file)
		dxs_bail("mountinfo: %m");
	snprintf(options, size, "not mounted");
	while (fgets(line, sizeof(line), file)) {
		mounts++;
		line[strcspn(line, "\n")] = 0;
		last = strrchr(line, ' ');
		if (last && strstr(line, "/other ") && strstr(line, " daxstack "))
			snprintf(options, size, "%s", last + 1);
	}
	fclose(file);
	return mounts;
}

static unsigned int expected_reason(void)
{
	if (mounted.is.ro)
		return DAXSTACK_REASON_READ_ONLY;
	if (strcmp(mounted.is.dax, "inode"))
		return DAXSTACK_REASON_DAX_OPTION;
	if (!strcmp(mounted.is.policy, "never"))
		return DAXSTACK_REASON_NEVER;
	return besides == LOWER ? DAXSTACK_REASON_LOWER_SHARED :
				  DAXSTACK_REASON_NONE;
}

/* Checks that the mount has the given options. */
static void check_mounted(void)
{
	char expected[256], seen[512];
	struct daxstack_state state;
	size_t len;
	int fd;

	snprintf(expected, sizeof(expected),
		 "%s,lower=%s,switch=%s,inherit=%s,dax=%s",
		 mounted.is.ro ? "ro" : "rw", mounted.is.lower,
		 mounted.is.policy, mounted.is.inherit, mounted.is.dax);
	read_mounts(seen, sizeof(seen));
	/* The lower filesystem's options follow. */
	len = strlen(expected);
	fuzz_check(!strncmp(expected, seen, len) &&
		   (!seen[len] || seen[len] == ','), "expected %s, seen %s",
		   expected, seen);
	fd = open("other/" FILE_, O_RDONLY);
	if (!fuzz_check(fd >= 0, "no " FILE_))
		return;
	MUST(ioctl(fd, DAXSTACK_IOC_STATE, &state));
	fuzz_check(state.reason == expected_reason(),
		   "expected reason %s, seen %s",
		   dxs_reason_name(expected_reason()),
		   dxs_reason_name(state.reason));
	close(fd);
}

/* --- By fsconfig(2). */

static int set_option(int fd, const struct option *o)
{
	int aux = 0;

	if (o->type == FSCONFIG_SET_BINARY)
		aux = strlen(o->value) ?: 1;
	else if (o->type == FSCONFIG_SET_PATH ||
		 o->type == FSCONFIG_SET_PATH_EMPTY)
		aux = AT_FDCWD;
	else if (o->type == FSCONFIG_SET_FD)
		aux = fd;
	return ERR(fsconfig(fd, o->type, o->key, o->value, aux));
}

static void set_options(int fd, struct wanted *w)
{
	struct option o;
	int expected;

	while (!one_in(4)) {
		o = pick_option();
		say("; type %u %.20s=%.20s", o.type, o.key, o.value ?: "(none)");
		fuzz_case(FUZZ_OPTION, "%s", inputs);
		if (o.type == FSCONFIG_SET_PATH && !*o.value)
			expected = ENOENT;
		else if (o.key == long_text || o.value == long_text)
			/* A path is not checked before it is used. */
			expected = o.key != long_text &&
				o.type != FSCONFIG_SET_STRING ?
				expect_option(w, &o) : EINVAL;
		else
			expected = expect_option(w, &o);
		fuzz_errno(expected, set_option(fd, &o));
	}
}

/* After creation, or failure, a context takes no options. */
static void check_phase(int fd)
{
	fuzz_errno(EBUSY, ERR(fsconfig(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0)));
	fuzz_errno(EBUSY, ERR(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0)));
}

static bool config_mount(void)
{
	struct wanted w = { .ro = -1 };
	struct option source = { FSCONFIG_SET_STRING, "source", pick_source() };
	int fd = MUST(fsopen("daxstack", FSOPEN_CLOEXEC)), mnt, err;

	say("fsopen");
	if (!one_in(8)) {
		say("; source=%s", source.value);
		set_option(fd, &source);
		expect_option(&w, &source);
	}
	set_options(fd, &w);
	fuzz_case(FUZZ_CREATE, "%s", inputs);
	if (one_in(8)) {
		fuzz_errno(EINVAL, ERR(fsmount(fd, FSMOUNT_CLOEXEC, 0)));
		close(fd);
		return false;
	}
	err = ERR(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	fuzz_errno(expect_mount(&w), err);
	check_phase(fd);
	mnt = fsmount(fd, FSMOUNT_CLOEXEC, 0);
	fuzz_errno(err ? EINVAL : 0, ERR(mnt));
	close(fd);
	if (mnt < 0)
		return false;
	/* The mount may be dropped before it is attached. */
	if (one_in(4)) {
		close(mnt);
		return false;
	}
	MUST(move_mount(mnt, "", AT_FDCWD, "other", MOVE_MOUNT_F_EMPTY_PATH));
	close(mnt);
	now_mounted(&w);
	check_mounted();
	return true;
}

static void config_remount(void)
{
	struct wanted w = { .ro = -1 };
	int fd = MUST(fspick(AT_FDCWD, "other", FSPICK_CLOEXEC)), err, expected;

	say("; fspick");
	set_options(fd, &w);
	fuzz_case(FUZZ_RECONFIGURE, "%s", inputs);
	expected = expect_remount(&w);
	err = ERR(fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	fuzz_errno(expected, err);
	if (!err)
		now_remounted(&w);
	else
		check_phase(fd);
	check_mounted();
	close(fd);
}

/* --- By mount(2). */

/* Return: the errno that the options themselves lead to. */
static int pick_data(struct wanted *w, char *data, size_t size)
{
	struct option o;
	size_t len = 0;
	int err = 0;

	*data = 0;
	while (!one_in(3) && len < size - 2 * LONG - 3) {
		o = pick_option();
		if (o.type != FSCONFIG_SET_STRING)
			o.value = NULL;
		o.type = o.value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
		len += snprintf(data + len, size - len, "%s%s%s%s",
				len ? "," : "", o.key, o.value ? "=" : "",
				o.value ?: "");
		/*
		 * The first invalid option ends parsing; empty ones are
		 * skipped.
		 */
		if (!err && *o.key)
			err = expect_option(w, &o);
	}
	return err;
}

static bool old_mount(void)
{
	static char data[4096];
	const char *source = one_in(16) ? NULL : pick_source();
	bool bad = one_in(32), ro = one_in(4);
	struct wanted w = { .source = source, .ro = ro };
	int expected = pick_data(&w, data, sizeof(data)), err;

	say("mount %s, ro %d, %.200s", source ?: "(none)", ro, data);
	fuzz_case(FUZZ_MOUNT, "%s", inputs);
	err = ERR(mount(source, "other", "daxstack", ro ? MS_RDONLY : 0,
			bad ? (char *)1 : data));
	fuzz_errno(bad ? EFAULT : expected ?: expect_mount(&w), err);
	if (err)
		return false;
	now_mounted(&w);
	check_mounted();
	return true;
}

static void old_remount(void)
{
	static char data[4096];
	bool ro = one_in(4);
	struct wanted w = { .ro = ro };
	int expected = pick_data(&w, data, sizeof(data)), err;

	say("; remount, ro %d, %.200s", ro, data);
	fuzz_case(FUZZ_REMOUNT, "%s", inputs);
	err = ERR(mount(NULL, "other", NULL, MS_REMOUNT | (ro ? MS_RDONLY : 0),
			data));
	fuzz_errno(expected ?: expect_remount(&w), err);
	if (!err)
		now_remounted(&w);
	check_mounted();
}

/* --- A round. */

static void fuzz_mount(int mounts)
{
	char options[256];
	int fd;

	*inputs = 0;
	if (one_in(2) ? config_mount() : old_mount()) {
		while (!one_in(3))
			(one_in(2) ? config_remount : old_remount)();
		fuzz_errno(0, dxs_umount("other"));
	}
	fuzz_case(FUZZ_LEFT, "%s", inputs);
	fuzz_check(read_mounts(options, sizeof(options)) == mounts,
		   "something is mounted: %s", options);
	if (besides != NOTHING)
		return;
	fd = open(dxs_pmem, O_RDONLY | O_EXCL);
	fuzz_check(fd >= 0, "the device is in use: %m");
	close(fd);
}

/* An empty block device. */
static void make_blank(void)
{
	int fd = MUST(open("blank", O_RDWR | O_CREAT, 0600));

	MUST(ftruncate(fd, MIB));
	close(fd);
	DXS_RUN_READ(NULL, 0, "modprobe", "loop");
	if (DXS_RUN_READ(blank, sizeof(blank), "losetup", "-f", "--show",
			 "blank"))
		snprintf(blank, sizeof(blank), "missing");
	blank[strcspn(blank, "\n")] = 0;
}

void fuzz_mounts_begin(void)
{
	memset(long_text, 'x', LONG);
	MUST(mkdir("other", 0755));
	MUST(mkfifo("fifo", 0644));
	MUST(symlink(dxs_pmem, "to-pmem"));
	close(MUST(open("plain", O_RDWR | O_CREAT, 0644)));
	make_blank();
	/*
	 * Otherwise ext4 would refuse project ids only after it changed other
	 * attributes.
	 */
	if (dxs_on_xfs())
		dxs_mkfs(NULL);
	else if (DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", "-O",
			 "project", dxs_pmem))
		dxs_bail("cannot create ext4 with project ids");
	dxs_mount_stack();
	close(MUST(open("stack/" FILE_, O_RDWR | O_CREAT, 0644)));
	dxs_umount_stack();
}

void fuzz_mounts(int cases)
{
	char options[256];
	int mounts;

	besides = one_in(2) ? NOTHING : one_in(2) ? LOWER : STACK;
	if (besides == LOWER)
		dxs_mount_lower();
	else if (besides == STACK)
		dxs_mount_stack();
	shared = (struct wanted){ .lower = dxs_fs, .policy = "live",
				  .inherit = "create", .dax = "inode" };
	mounts = read_mounts(options, sizeof(options));
	while (cases-- > 0)
		fuzz_mount(mounts);
	if (besides == LOWER)
		dxs_umount_lower();
	else if (besides == STACK)
		dxs_umount_stack();
}
