// SPDX-License-Identifier: GPL-2.0-only
/*
 * mount.daxstack: called by mount(8) for the type daxstack. libmount makes the mount;
 * this program finds the type of the lower filesystem and explains errors.
 */
#include <errno.h>
#include <getopt.h>
#include <libmount.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "kmsg.h"
#include "mountwhy.h"
#include "tool.h"

/* Limit of the kernel messages that are kept. */
#define LINES_MAX	16

static const char help[] =
"Usage: mount.daxstack [-fnrsvw] [-N NAMESPACE] [-o OPTIONS] SOURCE DIRECTORY\n"
"\n"
"Mount daxstack. mount(8) calls this for the type daxstack:\n"
"  mount -t daxstack [-o OPTIONS] SOURCE DIRECTORY\n"
"\n"
"SOURCE is a block device, by its path or as UUID=, LABEL=, PARTUUID= or\n"
"PARTLABEL=, or a directory of a mounted ext4 or XFS.\n"
"\n"
"Options:\n"
"  -f            do everything except the mount\n"
"  -N NAMESPACE  mount in this namespace: a process, or a file\n"
"  -n            do not write to /run/mount/utab\n"
"  -o OPTIONS    mount options, separated by commas; options that daxstack does\n"
"                not know go to the lower filesystem\n"
"  -r, -w        mount read-only, or writable\n"
"  -s            accepted, without effect\n"
"  -v            print what is done\n"
"  -h, --help    show this\n"
"  -V, --version show the version\n"
"\n"
"Exit status: as of mount(8): 0 mounted (if switching is off, stderr says why), 1 wrong\n"
"usage or not permitted, 2 system error, 32 the mount failed.\n"
"\n"
"Example:\n"
"  mount -t daxstack -o noatime,errors=remount-ro LABEL=db /srv/db\n";

/**
 * struct request - the mount to make
 * @spec: the source as given
 * @target: the mount point
 * @options: of -o, and those added
 * @namespace: of -N, or NULL
 * @fake: do not mount
 * @no_mtab: do not write to utab
 * @verbose: print what is done
 */
struct request {
	const char *spec;
	const char *target;
	char *options;
	const char *namespace;
	bool fake;
	bool no_mtab;
	bool verbose;
};

static int try_help(void)
{
	fputs("Try 'mount.daxstack -h'.\n", stderr);
	return MNT_EX_USAGE;
}

static int bad_option(char **argv)
{
	const char name[] = { '-', optopt, 0 };

	say("'%s' is not an option, or lacks its value",
	    shown(optopt ? name : argv[optind - 1]));
	return try_help();
}

static void no_memory(void)
{
	say("out of memory");
	exit(MNT_EX_SYSERR);
}

static void append_option(struct request *req, const char *name,
			  const char *value)
{
	if (mnt_optstr_append_option(&req->options, name, value))
		no_memory();
}

static bool has_option(const struct request *req, const char *name)
{
	return !mnt_optstr_get_option(req->options, name, NULL, NULL);
}

static char *option_value(const struct request *req, const char *name)
{
	char *value;
	size_t len;

	if (mnt_optstr_get_option(req->options, name, &value, &len) || !value)
		return NULL;
	return strndup(value, len);
}

/* Return: 0 to continue, or an exit status + 1. */
static int parse(int argc, char **argv, struct request *req)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ }
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "fnsrvwo:t:N:hV", options,
				NULL)) >= 0) {
		switch (c) {
		case 'f':
			req->fake = true;
			break;
		case 'n':
			req->no_mtab = true;
			break;
		case 's':
			break;
		case 'v':
			req->verbose = true;
			break;
		case 'r':
			append_option(req, "ro", NULL);
			break;
		case 'w':
			append_option(req, "rw", NULL);
			break;
		case 'o':
			if (mnt_optstr_append_option(&req->options, optarg,
						     NULL))
				no_memory();
			break;
		case 't':
			/* The subtype is ignored. */
			break;
		case 'N':
			req->namespace = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 1 + MNT_EX_SUCCESS;
		case 'V':
			puts("mount.daxstack " VERSION);
			return 1 + MNT_EX_SUCCESS;
		default:
			return 1 + bad_option(argv);
		}
	}
	if (argc - optind != 2) {
		say("source or directory missing");
		return 1 + try_help();
	}
	req->spec = argv[optind];
	req->target = argv[optind + 1];
	return 0;
}

/* Add lower=TYPE, so that the kernel need not try all types. */
static void add_lower(struct request *req, const char *source)
{
	struct device_content content;
	struct stat st;

	if (has_option(req, "lower") || has_option(req, "remount") ||
	    has_option(req, "bind") || stat(source, &st) ||
	    !S_ISBLK(st.st_mode))
		return;
	device_look(source, &content);
	if (content.holds == DEVICE_SOMETHING && content.lower)
		append_option(req, "lower", content.lower);
}

static struct libmnt_context *prepare(const struct request *req)
{
	struct libmnt_context *context = mnt_new_context();

	if (!context)
		no_memory();
	mnt_context_disable_helpers(context, 1);
	/* mount(8) has already read fstab. */
	mnt_context_set_optsmode(context, MNT_OMODE_NOTAB);
	mnt_context_enable_fake(context, req->fake);
	mnt_context_disable_mtab(context, req->no_mtab);
	mnt_context_enable_verbose(context, req->verbose);
	if (mnt_context_set_fstype(context, "daxstack") ||
	    mnt_context_set_source(context, req->spec) ||
	    mnt_context_set_target(context, req->target) ||
	    mnt_context_set_options(context, req->options))
		no_memory();
	return context;
}

static void add_line(char **lines, char *line)
{
	size_t i = 0;

	while (lines[i] && strcmp(lines[i], line))
		i++;
	if (i < LINES_MAX && !lines[i])
		lines[i] = line;
	else
		free(line);
}

/* Add messages that libmount has read from the kernel's mount context, in versions that do. */
static void add_messages(struct libmnt_context *context, char **lines)
{
#ifdef HAVE_MNT_MESGS
	char **message = mnt_context_get_mesgs(context);

	/* Format: "e daxstack: ..." */
	for (; message && *message; message++)
		if (strlen(*message) > 2)
			add_line(lines, strdup(*message + 2) ?: "");
#else
	(void)context;
	(void)lines;
#endif
}

static void add_kmsg(int kmsg, const char *source, char **lines)
{
	char name[256] = "", *line;
	struct stat st;

	if (!stat(source, &st))
		device_kernel_name(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev,
				   name, sizeof(name));
	while ((line = kmsg_next(kmsg, name)))
		add_line(lines, line);
}

/* Print the error of libmount itself. */
static int refused(struct libmnt_context *context, const struct request *req,
		   int err)
{
	char text[BUFSIZ] = "";
	int status = mnt_context_get_excode(context, err, text, sizeof(text));

	if (status == MNT_EX_SUCCESS)
		return status;
	if (err == -MNT_ERR_NOSOURCE)
		say("%s: no such device; 'blkid' lists the devices",
		    shown(req->spec));
	else
		say("%s: %s", shown(req->target), shown(text));
	return status;
}

/* The mount system call was made. Return: the exit status. */
static int tell(struct libmnt_context *context, const struct request *req,
		const char *source, int kmsg, int err)
{
	char *lines[LINES_MAX + 1] = { NULL };
	struct mount_try try = {
		.source = source,
		.target = req->target,
		.lower = option_value(req, "lower"),
		.err = mnt_context_get_syscall_errno(context),
		.remount = has_option(req, "remount"),
		.dax = has_option(req, "dax"),
		.lines = lines,
	};
	char text[BUFSIZ] = "";
	int status = mnt_context_get_excode(context, err, text, sizeof(text));

	add_messages(context, lines);
	add_kmsg(kmsg, source, lines);
	mnt_context_switch_target_ns(context);
	if (try.err) {
		/* With nofail, a missing device is not an error. */
		if (status != MNT_EX_SUCCESS)
			why_failed(&try);
		return status;
	}
	if (mnt_context_forced_rdonly(context))
		say("%s is write-protected: mounted read-only", shown(source));
	if (status != MNT_EX_SUCCESS)
		say("%s: %s", shown(req->target), shown(text));
	if (!try.remount)
		why_off(&try);
	return status;
}

/* For nofail: independent of whether the kernel has daxstack. */
static bool is_absent(const char *source)
{
	struct stat st;

	return !source || (stat(source, &st) && errno == ENOENT);
}

/* As in mount(8): -N takes a process or a file. */
static bool set_namespace(struct libmnt_context *context, const char *name)
{
	bool is_process = *name && !name[strspn(name, "0123456789")];
	char path[64];
	int err;

	if (is_process)
		snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", name);
	err = mnt_context_set_target_ns(context, is_process ? path : name);
	if (err)
		say("%s: no such mount namespace: %s", shown(name),
		    strerror(err < 0 ? -err : errno));
	return !err;
}

static int do_mount(struct request *req)
{
	struct libmnt_context *context;
	int kmsg, err, status;
	char *source;

	/* If a tag is not found, libmount reports it. */
	source = mnt_resolve_spec(req->spec, NULL);
	if (source)
		add_lower(req, source);
	context = prepare(req);
	if (mnt_context_is_restricted(context)) {
		say("only root can mount daxstack: mount.daxstack is not setuid");
		advise("with 'user' in fstab: mount -i %s", shown(req->target));
		return MNT_EX_USAGE;
	}
	if (req->namespace && !set_namespace(context, req->namespace))
		return MNT_EX_SYSERR;
	if (req->verbose)
		say("%s on %s, options %s", shown(source ?: req->spec),
		    shown(req->target), shown(req->options ?: "none"));
	if (has_option(req, "nofail") && is_absent(source)) {
		mnt_free_context(context);
		return MNT_EX_SUCCESS;
	}
	kmsg = kmsg_begin();
	err = mnt_context_mount(context);
	/* A mount that was not made needs no explanation. */
	if (req->fake && !err)
		status = MNT_EX_SUCCESS;
	else if (!mnt_context_syscall_called(context))
		status = refused(context, req, err);
	else
		status = tell(context, req, source ?: req->spec, kmsg, err);
	mnt_free_context(context);
	return status;
}

int main(int argc, char **argv)
{
	struct request req = { .spec = NULL };
	int status;

	descriptors_keep();
	setlocale(LC_ALL, "");
	mnt_init_debug(0);
	status = parse(argc, argv, &req);
	return status ? status - 1 : do_mount(&req);
}
