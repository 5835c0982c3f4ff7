// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack simulate: plot time and DRAM over time. gnuplot reads data and commands from
 * its standard input, so that no file name becomes part of a shell command.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "simulate.h"
#include "tool.h"

extern char **environ;

/* Limit of the points per curve; more make no visible difference. */
enum { POINTS = 500 };

static const char *const titles[] = { "all dax", "all cached", "best fixed", "policy" };

static bool is_there(const struct simulation *sim, int which)
{
	return which != SIMULATED_BEST || sim->search;
}

/* Columns: end of the interval; time in milliseconds per second; DRAM in MiB; switches. */
static void put_data(FILE *to, const struct simulation *sim, int which)
{
	const struct replay *r = &sim->replay;
	const struct replay_sample *samples = sim->outcomes[which].samples;
	size_t step = r->nr_steps / POINTS + 1, i, j;
	uint64_t begin = r->steps[0].time_ns - r->steps[0].ns;

	fprintf(to, "$data%d << END\n", which);
	for (i = 0; i < r->nr_steps; i += step) {
		uint64_t ps = 0, ns = 0, dram = 0, switches = 0;

		for (j = i; j < i + step && j < r->nr_steps; j++) {
			ps += samples[j].ps;
			ns += r->steps[j].ns;
			switches += samples[j].switches;
			if (samples[j].dram > dram)
				dram = samples[j].dram;
		}
		fprintf(to, "%.3f %.6f %.3f %llu\n",
			(double)(r->steps[j - 1].time_ns - begin) / 1e9,
			(double)ps / (double)ns, (double)dram / (1 << 20),
			(unsigned long long)switches);
	}
	fputs("END\n", to);
}

static void put_curves(FILE *to, const struct simulation *sim, int column,
		       const char *with)
{
	const char *comma = "plot ";
	int which;

	for (which = 0; which < SIMULATED; which++) {
		if (!is_there(sim, which))
			continue;
		fprintf(to, "%s$data%d using 1:%d with %s lc %d title \"%s\"", comma,
			which, column, with, which + 1, titles[which]);
		comma = ", ";
	}
	putc('\n', to);
}

static void put_all(FILE *to, const struct simulation *sim)
{
	int which;

	fputs("set terminal svg size 900,720 font \"sans,12\" background \"white\"\n"
	      "set multiplot layout 3,1\n"
	      "set grid\nset key below samplen 2\nset yrange [0:]\n", to);
	for (which = 0; which < SIMULATED; which++)
		if (is_there(sim, which))
			put_data(to, sim, which);
	fprintf(to, "set title \"modelled by %s, with %.1f MiB of DRAM\"\n",
		sim->replay.profile.name,
		(double)sim->policy.config.budget_bytes / (1 << 20));
	fputs("set ylabel \"ms per second\"\n", to);
	put_curves(to, sim, 2, "lines");
	fputs("set title \"\"\nset ylabel \"DRAM, MiB\"\n", to);
	put_curves(to, sim, 3, "lines");
	fputs("set ylabel \"switches\"\nset xlabel \"seconds\"\n", to);
	fprintf(to, "plot $data%d using 1:4 with impulses lc %d title \"policy\"\n",
		SIMULATED_POLICY, SIMULATED_POLICY + 1);
}

static int failed(const char *path, const char *why, const char *remedy)
{
	warnx("%s: plotting failed: %s", name_shown(path), why);
	if (remedy)
		warnx("remedy: %s", remedy);
	return TOOL_FAILED;
}

int simulated_plot(const struct simulation *sim)
{
	char *const argv[] = { (char[]){ "gnuplot" }, (char[]){ "-" }, NULL };
	posix_spawn_file_actions_t actions;
	int out, ends[2], error, status;
	pid_t pid;
	FILE *to;

	out = open(sim->plot, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out < 0)
		return failed(sim->plot, strerror(errno), NULL);
	if (pipe2(ends, O_CLOEXEC))
		err(TOOL_FAILED, "pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[0]);
	close(out);
	if (error) {
		close(ends[1]);
		unlink(sim->plot);
		return failed(sim->plot, strerror(error),
			      error == ENOENT ? "install gnuplot (Debian: gnuplot-nox)" :
			      NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	to = fdopen(ends[1], "w");
	if (!to)
		err(TOOL_FAILED, "gnuplot");
	put_all(to, sim);
	error = ferror(to);
	error |= fclose(to);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (error || !WIFEXITED(status) || WEXITSTATUS(status))
		return failed(sim->plot, "gnuplot failed, see above", NULL);
	return TOOL_OK;
}
