// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstackd: keep each file in the mode that is faster for its use, within the DRAM
 * budget of the rules file. See daxstackd(8). This file: command line, signals, main
 * loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"
#include "control.h"
#include "journal.h"
#include "json.h"
#include "keep.h"
#include "rules.h"
#include "tend.h"
#include "tool.h"

#define NS_PER_S	1000000000ULL
#define NS_PER_US	1000ULL

enum {
	STATUS_LEN = 1536,
	WHY_LEN = 1024,
	/* EX_CONFIG: systemd does not restart the unit for it. */
	BAD_CONFIG = 78,
};

static const char title[] = "daxstackd";

static const char help[] =
"Usage: daxstackd [OPTION]...\n"
"\n"
"Keep each file of the mounts in the rules file in the mode that is faster for\n"
"its use, within the DRAM budget. Runs in the foreground. When it ends, files\n"
"keep their modes.\n"
"\n"
"  -r, --rules FILE  the rules [" RULES_FILE "]\n"
"  -n, --dry-run     move nothing, only log what would be moved\n"
"  -c, --check FILE  check the rules in FILE for errors, and exit\n"
"      --reload      tell the running daemon to reload its rules, and exit\n"
"  -h, --help        show this\n"
"  -V, --version     show the version\n"
"\n"
"On SIGHUP it reloads the rules; if they have an error, the old rules stay in\n"
"force.\n"
"\n"
"Exit status:\n"
"  0   terminated by SIGTERM or SIGINT; or the rules have no errors\n"
"  2   it cannot run; or the rules were not reloaded\n"
"  64  wrong usage\n"
"  78  the rules have an error\n";

static volatile sig_atomic_t ended, hung_up;

static void on_end(int sig)
{
	(void)sig;
	ended = 1;
}

static void on_hangup(int sig)
{
	(void)sig;
	hung_up = 1;
}

/* Block the signals except while the loop waits. Return: the mask to wait with. */
static sigset_t catch_signals(void)
{
	struct sigaction act = { .sa_handler = on_end };
	sigset_t blocked, before;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGHUP);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	sigdelset(&before, SIGTERM);
	sigdelset(&before, SIGINT);
	sigdelset(&before, SIGHUP);
	sigemptyset(&act.sa_mask);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	act.sa_handler = on_hangup;
	sigaction(SIGHUP, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	return before;
}

/**
 * struct daxstackd - the daemon
 * @keep: the managed mounts
 * @control: the control socket
 * @mountinfo: descriptor that polls for changes of the mount table
 * @watchdog_ns: watchdog period of the service manager; 0: none
 * @fed_ns: time of the last watchdog message
 * @status: last status sent
 * @why: error in the rules at the last reload; "": none
 */
struct daxstackd {
	struct keep *keep;
	struct control *control;
	int mountinfo;
	uint64_t watchdog_ns;
	uint64_t fed_ns;
	char status[STATUS_LEN];
	char why[WHY_LEN];
};

/* --- Notifications to the service manager. */

static void tell_status(struct daxstackd *d, const char *state)
{
	char status[STATUS_LEN], now[WHY_LEN / 4];

	keep_status(d->keep, now, sizeof(now));
	if (d->why[0])
		snprintf(status, sizeof(status), "%s; old rules in force: %s", now, d->why);
	else
		snprintf(status, sizeof(status), "%s", now);
	if (!*state && !strcmp(status, d->status))
		return;
	snprintf(d->status, sizeof(d->status), "%s", status);
	sd_notifyf(0, "%sSTATUS=%s", state, status);
}

/* Called once per turn of the loop. */
static void feed_watchdog(struct daxstackd *d)
{
	uint64_t now = tend_now_ns();

	if (!d->watchdog_ns || now - d->fed_ns < d->watchdog_ns / 4)
		return;
	d->fed_ns = now;
	sd_notify(0, "WATCHDOG=1");
}

static void begin_reload(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)(tend_now_ns() / NS_PER_US));
}

static void reload(struct daxstackd *d)
{
	begin_reload();
	d->why[0] = 0;
	keep_reload(d->keep, d->why, sizeof(d->why));
	tell_status(d, "READY=1\n");
}

static json_t *answer(const json_t *question, void *data)
{
	const char *ask = json_string_value(json_object_get(question, "ask"));
	bool reloads = ask && !strcmp(ask, "reload");
	struct daxstackd *d = data;
	const char *why;
	json_t *answered;

	if (reloads)
		begin_reload();
	answered = keep_answer(d->keep, question);
	if (reloads) {
		why = json_string_value(json_object_get(answered, "error"));
		snprintf(d->why, sizeof(d->why), "%s", why ?: "");
		tell_status(d, "READY=1\n");
	}
	return answered;
}

/* --- The loop. */

static struct timespec timeout(const struct daxstackd *d)
{
	uint64_t due = keep_due_ns(d->keep), now = tend_now_ns();
	/* Wake up at least once a second, to time out clients that send nothing. */
	uint64_t ns = NS_PER_S;

	if (due <= now)
		ns = 0;
	else if (due - now < ns)
		ns = due - now;
	if (d->watchdog_ns && ns > d->watchdog_ns / 4)
		ns = d->watchdog_ns / 4;
	return (struct timespec){
		.tv_sec = (time_t)(ns / NS_PER_S),
		.tv_nsec = (long)(ns % NS_PER_S),
	};
}

static void loop(struct daxstackd *d, const sigset_t *waiting)
{
	struct pollfd fds[1 + CONTROL_POLLFDS];

	while (!ended) {
		struct timespec time = timeout(d);

		fds[0] = (struct pollfd){ .fd = d->mountinfo, .events = POLLPRI };
		control_poll(d->control, fds + 1);
		if (ppoll(fds, 1 + CONTROL_POLLFDS, &time, waiting) < 0) {
			if (errno != EINTR) {
				journal(LOG_ERR, "poll: %s", strerror(errno));
				return;
			}
			memset(fds, 0, sizeof(fds));
		} else {
			control_serve(d->control, fds + 1, answer, d);
		}
		if (ended)
			return;
		if (hung_up) {
			hung_up = 0;
			reload(d);
		}
		if (fds[0].revents)
			keep_look(d->keep);
		keep_run(d->keep);
		tell_status(d, "");
		feed_watchdog(d);
	}
}

static const struct keep_says says = { journal, journal_move };

static int run(const char *rules, bool dry)
{
	struct daxstackd d = { .mountinfo = -1 };
	sigset_t waiting = catch_signals();
	char why[WHY_LEN];
	uint64_t usec;

	if (geteuid()) {
		journal(LOG_ERR,
			"needs CAP_SYS_ADMIN, CAP_FOWNER and CAP_DAC_READ_SEARCH: run it as "
			"root, by 'systemctl start daxstackd'");
		return TOOL_FAILED;
	}
	if (sd_watchdog_enabled(0, &usec) > 0)
		d.watchdog_ns = usec * NS_PER_US;
	d.keep = keep_new(rules, dry, &says, why, sizeof(why));
	if (!d.keep) {
		journal(LOG_ERR, "%s", why);
		return BAD_CONFIG;
	}
	d.control = control_listen(why, sizeof(why));
	d.mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (!d.control || d.mountinfo < 0) {
		journal(LOG_ERR, "%s", d.control ? "/proc/self/mountinfo: /proc is not mounted" :
						   why);
		control_close(d.control);
		keep_free(d.keep);
		return TOOL_FAILED;
	}
	if (!confine(CONTROL_DIR))
		journal(LOG_NOTICE,
			"the kernel has no Landlock: the daemon cannot give up the right to write "
			"files, and runs with it");
	keep_look(d.keep);
	tell_status(&d, "READY=1\n");
	loop(&d, &waiting);
	sd_notify(0, "STOPPING=1");
	control_close(d.control);
	close(d.mountinfo);
	keep_free(d.keep);
	return ended ? TOOL_OK : TOOL_FAILED;
}

/* --- The command line. */

static int check(const char *path)
{
	struct rules *rules;
	char why[WHY_LEN];
	struct keep *keep = keep_new(path, true, &says, why, sizeof(why));
	size_t i, nr = 0;

	if (!keep) {
		fprintf(stderr, "%s\n", why);
		return BAD_CONFIG;
	}
	keep_free(keep);
	rules = rules_read(path, why, sizeof(why));
	for (i = 0; rules && i < rules->nr_mounts; i++)
		nr += rules->mounts[i].nr_rules;
	if (rules)
		printf("%s: no errors; %zu mounts, %zu rules\n", name_shown(path),
		       rules->nr_mounts, nr);
	rules_free(rules);
	return TOOL_OK;
}

static int ask_reload(void)
{
	json_t *question = json_pack("{s:s}", "ask", "reload"), *answered;
	char why[WHY_LEN];
	const char *error;
	bool absent;

	answered = control_ask(question, &absent, why, sizeof(why));
	if (!answered) {
		fprintf(stderr, "%s: %s\n", title,
			absent ? "not running: start it by 'systemctl start daxstackd'" : why);
		return TOOL_FAILED;
	}
	error = json_string_value(json_object_get(answered, "error"));
	if (error)
		fprintf(stderr, "%s; the old rules stay in force\n", error);
	json_decref(answered);
	return error ? TOOL_FAILED : TOOL_OK;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rules", required_argument, NULL, 'r' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "check", required_argument, NULL, 'c' },
		{ "reload", no_argument, NULL, 'R' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ }
	};
	const char *rules = RULES_FILE;
	bool dry = false;
	int c;

	descriptors_keep();
	while ((c = getopt_long(argc, argv, "r:nc:hV", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			rules = optarg;
			break;
		case 'n':
			dry = true;
			break;
		case 'c':
			return check(optarg);
		case 'R':
			return ask_reload();
		case 'h':
			fputs(help, stdout);
			return TOOL_OK;
		case 'V':
			puts("daxstackd " VERSION);
			return TOOL_OK;
		default:
			return TOOL_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: '%s': operands are not allowed; see --help\n", title,
			name_shown(argv[optind]));
		return TOOL_USAGE;
	}
	return run(rules, dry);
}
