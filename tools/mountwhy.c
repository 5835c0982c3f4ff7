// SPDX-License-Identifier: GPL-2.0-only
/*
 * Explain why a mount failed, or why no file can be switched on it, and what to do. The
 * kernel decides both; this looks for its reasons afterwards.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daxstack.h"
#include "device.h"
#include "mountwhy.h"
#include "tool.h"

static const char *const reason_names[] = {
#define REASON_NAME_(name, err, text) #name,
	DAXSTACK_REASONS(REASON_NAME_)
};

/**
 * say - print an error to stderr
 * @fmt: as for printf, without a newline
 */
void say(const char *fmt, ...)
{
	va_list args;

	fputs("mount.daxstack: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	putc('\n', stderr);
}

/**
 * advise - print what to do about an error to stderr
 * @fmt: as for printf, without a newline
 */
void advise(const char *fmt, ...)
{
	va_list args;

	fputs("mount.daxstack:   ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	putc('\n', stderr);
}

/**
 * shown - escape a name for messages
 * @name: any bytes
 *
 * Return: as name_shown(), but never freed.
 */
char *shown(const char *name)
{
	return strdup(name_shown(name)) ?: "?";
}

/* --- The module. */

/**
 * module_missing - whether the kernel lacks daxstack
 */
bool module_missing(void)
{
	FILE *file = fopen("/proc/filesystems", "re");
	char line[64];
	bool found = false;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		if (strstr(line, "\tdaxstack\n"))
			found = true;
	fclose(file);
	return !found;
}

/* Run modprobe and read the first line of its output. */
static void run_modprobe(char *line, size_t size)
{
	static char *const argv[] = { "modprobe", "daxstack", NULL };
	static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	int ends[2];
	ssize_t n;
	pid_t pid;

	*line = 0;
	if (pipe(ends))
		return;
	pid = fork();
	if (!pid) {
		dup2(ends[1], STDERR_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execve("/sbin/modprobe", argv, env);
		_exit(127);
	}
	close(ends[1]);
	n = pid < 0 ? -1 : read(ends[0], line, size - 1);
	line[n > 0 ? n : 0] = 0;
	line[strcspn(line, "\n")] = 0;
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void why_no_module(void)
{
	struct utsname uts;
	char line[512];

	uname(&uts);
	run_modprobe(line, sizeof(line));
	say("this kernel, %s, has no module daxstack", uts.release);
	if (*line)
		advise("%s", shown(line));
	if (strstr(line, "rejected"))
		advise("its signature is not accepted (Secure Boot): enrol "
		       "the key that it was signed with, see mokutil(1)");
	else
		advise("install the package daxstack-dkms and "
		       "linux-headers-%s; 'dkms status' shows for which "
		       "kernels it was built",
		       uts.release);
}

/* --- Mounts that failed. */

/* Return: the first kernel message with @text in it, or NULL. */
static const char *line_with(const struct mount_try *try, const char *text)
{
	char **line;

	for (line = try->lines; *line; line++)
		if (strstr(*line, text))
			return *line;
	return NULL;
}

static void say_lines(const struct mount_try *try)
{
	char **line;

	for (line = try->lines; *line; line++)
		advise("kernel message: %s", shown(*line));
}

/* The mount point is missing, or not a directory. */
static bool why_target(const struct mount_try *try)
{
	struct stat st;

	if (stat(try->target, &st)) {
		say("%s: the mount point cannot be used: %s", shown(try->target),
		    strerror(errno));
		if (errno == ENOENT)
			advise("mkdir %s", shown(try->target));
		return true;
	}
	if (S_ISDIR(st.st_mode))
		return false;
	say("%s: the mount point is not a directory", shown(try->target));
	return true;
}

static void why_devdax(const struct mount_try *try, dev_t dev)
{
	struct device_memory memory;

	device_memory(dev, false, &memory);
	say("%s is a character device: it cannot hold a filesystem",
	    shown(try->source));
	if (memory.mode != DEVICE_DEVDAX)
		return;
	advise("%s is in devdax mode; for a block device with DAX (this destroys its data):",
	       shown(memory.name));
	advise("ndctl create-namespace -f -e %s -m fsdax", shown(memory.name));
}

/* The source is missing, or neither a block device nor a directory. */
static bool why_source(const struct mount_try *try, struct stat *st)
{
	if (stat(try->source, st)) {
		if (errno == ENOENT || errno == ENOTDIR)
			say("%s: no such device or directory",
			    shown(try->source));
		else
			say("%s: %s", shown(try->source), strerror(errno));
		if (!strncmp(try->source, "/dev/pmem", 9))
			advise("'ndctl list -N' shows the namespaces; to "
			       "create one: ndctl create-namespace -m fsdax");
		return true;
	}
	if (S_ISBLK(st->st_mode) || S_ISDIR(st->st_mode))
		return false;
	if (S_ISCHR(st->st_mode)) {
		why_devdax(try, st->st_rdev);
		return true;
	}
	say("%s is neither a block device nor a directory", shown(try->source));
	if (S_ISREG(st->st_mode))
		advise("an image can be mounted with -o loop, without DAX");
	return true;
}

static void advise_mkfs(const char *source)
{
	advise("to create one (this destroys its data): mkfs.ext4 -b 4096 %s, or mkfs.xfs %s",
	       shown(source), shown(source));
}

/* daxstack cannot be mounted on the content of the device. */
static bool why_content(const struct mount_try *try,
			const struct device_content *content)
{
	const char *source = shown(try->source);

	switch (content->holds) {
	case DEVICE_UNREAD:
		say("%s cannot be read: %s", source, strerror(content->err));
		return true;
	case DEVICE_NOTHING:
		say("%s: no filesystem found", source);
		advise_mkfs(try->source);
		return true;
	case DEVICE_SEVERAL:
		say("%s has signatures of more than one filesystem", source);
		advise("'wipefs %s' lists them, and can remove stale ones",
		       source);
		return true;
	case DEVICE_SOMETHING:
		break;
	}
	if (!content->lower) {
		say("%s holds %s: daxstack supports ext4 and XFS only", source,
		    shown(content->type));
		return true;
	}
	if (try->lower && strcmp(try->lower, content->lower)) {
		say("%s holds %s, but lower=%s was given", source, content->type,
		    shown(try->lower));
		advise("omit lower=: the type is detected");
		return true;
	}
	return false;
}

static bool why_busy(const struct mount_try *try, const struct stat *st)
{
	const char *source = shown(try->source);
	dev_t dev = S_ISBLK(st->st_mode) ? st->st_rdev : st->st_dev;
	struct device_mount mount;
	char holder[256];

	if (device_mounted(dev, "daxstack", NULL, &mount)) {
		say("%s is already mounted at %s by daxstack", source,
		    shown(mount.target));
		if (!strcmp(mount.target, try->target))
			return true;
		advise("a second mount needs the same options; to change "
		       "them: mount -o remount,... %s",
		       shown(mount.target));
		say_lines(try);
		return true;
	}
	if (device_mounted(dev, NULL, NULL, &mount)) {
		say("%s is already mounted at %s as %s, with options of its own",
		    source, shown(mount.target), shown(mount.type));
		advise("umount %s, or omit the options",
		       shown(mount.target));
		say_lines(try);
		return true;
	}
	if (S_ISBLK(st->st_mode) &&
	    device_holder(st->st_rdev, holder, sizeof(holder))) {
		say("%s is in use by the device %s", source, shown(holder));
		advise("mount /dev/%s", shown(holder));
		return true;
	}
	return false;
}

/* Kernel messages such as "ext4: Unknown parameter 'nonsense'". */
static bool why_option(const struct mount_try *try)
{
	static const char *const marks[] = { "Unknown parameter '",
		"Unrecognized mount option \"", "Bad value for '", NULL };
	const char *line, *name;
	size_t i;

	for (i = 0; marks[i]; i++) {
		line = line_with(try, marks[i]);
		if (!line)
			continue;
		name = strstr(line, marks[i]) + strlen(marks[i]);
		if (marks[i][0] == 'B')
			say("option %.*s has an invalid value",
			    (int)strcspn(name, "'\""), name);
		else
			say("unknown option '%.*s': neither daxstack nor %s has it",
			    (int)strcspn(name, "'\""), name,
			    try->lower ?: "the lower filesystem");
		say_lines(try);
		advise("see mount.daxstack(8), and ext4(5) or xfs(5)");
		return true;
	}
	return false;
}

static bool why_version(const struct mount_try *try,
			const struct device_content *content)
{
	if (!content->version || content->version >= 5)
		return false;
	say("%s holds XFS of version %u, which this kernel does not support",
	    shown(try->source), content->version);
	advise("save its data, then create it anew (this destroys the data): mkfs.xfs %s",
	       shown(try->source));
	return true;
}

/* The remaining errors. */
static void why_errno(const struct mount_try *try)
{
	const char *source = shown(try->source);

	switch (try->err) {
	case EUCLEAN:
	case EBADMSG:
		say("%s: the filesystem is damaged", source);
		advise("fsck.daxstack %s", source);
		break;
	case EACCES:
	case EROFS:
		say("%s is read-only: %s", source, strerror(try->err));
		advise("mount it with -o ro");
		break;
	case EPERM:
		say("%s: not permitted: only root can mount daxstack", source);
		break;
	default:
		say("%s: not %s %s: %s", source,
		    try->remount ? "remounted at" : "mounted at",
		    shown(try->target), strerror(try->err));
	}
	say_lines(try);
}

static bool why_type(const struct mount_try *try,
		     const struct device_content *content)
{
	if (try->err != ENODEV)
		return false;
	say("this kernel has no module %s for the filesystem on %s",
	    content->lower, shown(try->source));
	return true;
}

/**
 * why_failed - explain why a mount failed
 * @try: the mount
 */
void why_failed(const struct mount_try *try)
{
	struct device_content content = { .version = 0 };
	struct stat st;

	if (try->err == ENODEV && module_missing()) {
		why_no_module();
		return;
	}
	if (why_target(try) || why_source(try, &st))
		return;
	if (!try->remount && S_ISBLK(st.st_mode)) {
		device_look(try->source, &content);
		if (try->err != EBUSY && why_content(try, &content))
			return;
	}
	if ((try->err == EBUSY && !try->remount && why_busy(try, &st)) ||
	    why_type(try, &content) || why_option(try))
		return;
	if (try->err == EINVAL && !try->remount && why_version(try, &content))
		return;
	why_errno(try);
}

/* --- Mounts without switching. */

/* Read the reason from sysfs. Return: a reason, or -1 if the mount is not found. */
static int reason_of(const char *kernel_name)
{
	char path[320], name[64] = "";
	FILE *file;
	int i;

	snprintf(path, sizeof(path), "/sys/fs/daxstack/%s/no_switch",
		 kernel_name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = 0;
	fclose(file);
	for (i = 0; i < DAXSTACK_REASON_COUNT; i++)
		if (!strcmp(name, reason_names[i]))
			return i;
	return -1;
}

/* Find the reason in the kernel message of the mount. */
static int reason_said(const struct mount_try *try)
{
	const char *line = line_with(try, "switching is off: ");
	int i;

	for (i = 1; line && i < DAXSTACK_REASON_COUNT; i++)
		if (strstr(line, reason_text(i)))
			return i;
	if (line && strstr(line, "not tested"))
		return DAXSTACK_REASON_KERNEL;
	return DAXSTACK_REASON_NONE;
}

static void advise_anew(const char *how, const char *source)
{
	advise("to change that, create the filesystem anew (this destroys its data): %s %s",
	       how, shown(source));
}

/* The device has no DAX. */
static void off_no_dax(const struct mount_try *try, dev_t dev)
{
	struct device_memory memory;

	device_memory(dev, true, &memory);
	switch (memory.mode) {
	case DEVICE_RAW:
	case DEVICE_SECTOR:
		advise("%s is a namespace in %s mode; DAX needs fsdax mode "
		       "(this destroys its data):",
		       shown(try->source), device_mode_name(memory.mode));
		advise("umount %s; ndctl create-namespace -f -e %s -m fsdax",
		       shown(try->target), shown(memory.name));
		break;
	case DEVICE_FSDAX:
		if (memory.partition)
			advise("the partition is not aligned to the page size, "
			       "at its beginning or end");
		else
			advise("the kernel does not support DAX on it, see dmesg(1)");
		break;
	default:
		advise("%s is not persistent memory, or is device-mapper on "
		       "something without DAX; use a namespace in fsdax "
		       "mode: ndctl create-namespace -m fsdax",
		       shown(try->source));
	}
}

static void off_shared(const struct mount_try *try, dev_t dev)
{
	struct device_mount mount;

	if (device_mounted(dev, NULL, NULL, &mount))
		advise("it is already mounted at %s as %s: umount %s",
		       shown(mount.target), shown(mount.type),
		       shown(mount.target));
	else
		advise("in another mount namespace, or by an open file: see 'daxstack who %s'",
		       shown(try->target));
}

static void off_anew(const struct mount_try *try,
		     const struct device_content *content)
{
	bool xfs = content->lower && !strcmp(content->lower, "xfs");

	advise("block size %u on %ld-byte pages", content->block_size,
	       sysconf(_SC_PAGESIZE));
	advise_anew(xfs ? "mkfs.xfs -f -b size=4096" : "mkfs.ext4 -b 4096",
		    try->source);
}

/* Print the remedy for a reason. */
static void off_advice(const struct mount_try *try, int reason, dev_t dev)
{
	struct device_content content;

	device_look(try->source, &content);
	switch (reason) {
	case DAXSTACK_REASON_NO_DAX:
		off_no_dax(try, dev);
		break;
	case DAXSTACK_REASON_BLOCK_SIZE:
		off_anew(try, &content);
		break;
	case DAXSTACK_REASON_NO_FLAG:
		advise_anew("mkfs.xfs -f -m crc=1", try->source);
		break;
	case DAXSTACK_REASON_INLINE_DATA:
		advise_anew("mkfs.ext4 -b 4096 -O ^inline_data", try->source);
		break;
	case DAXSTACK_REASON_JOURNAL_DATA:
		advise("mount it without data=journal (tune2fs -o "
		       "^journal_data, if it is the default)");
		break;
	case DAXSTACK_REASON_LOWER_SHARED:
		off_shared(try, dev);
		break;
	case DAXSTACK_REASON_KERNEL:
		advise("see README and 'modinfo daxstack'");
		break;
	case DAXSTACK_REASON_NO_PROBE:
		advise("is it full, or its root directory append-only? The "
		       "next switch checks again");
		break;
	default:
		break;
	}
}

static bool is_read_only(const char *target)
{
	struct statvfs vfs;

	return !statvfs(target, &vfs) && vfs.f_flag & ST_RDONLY;
}

/**
 * why_off - if no file can be switched on a mount, explain why
 * @try: a successful mount
 *
 * Prints nothing about reasons that an option asked for.
 */
void why_off(const struct mount_try *try)
{
	struct device_mount mount;
	char kernel_name[256] = "";
	struct stat st;
	int reason;
	dev_t dev;

	if (stat(try->source, &st))
		return;
	dev = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
	device_kernel_name(dev, kernel_name, sizeof(kernel_name));
	reason = reason_of(kernel_name);
	if (reason < 0)
		reason = reason_said(try);
	if (!reason && device_mounted(dev, NULL, NULL, &mount))
		reason = DAXSTACK_REASON_LOWER_SHARED;
	if (is_read_only(try->target))
		reason = DAXSTACK_REASON_READ_ONLY;
	if (reason == DAXSTACK_REASON_NONE ||
	    reason == DAXSTACK_REASON_READ_ONLY ||
	    reason == DAXSTACK_REASON_NEVER ||
	    reason == DAXSTACK_REASON_FROZEN ||
	    (reason == DAXSTACK_REASON_DAX_OPTION && try->dax))
		return;
	say("%s: mounted, but switching is off: %s", shown(try->target),
	    reason_text(reason));
	off_advice(try, reason, dev);
}
