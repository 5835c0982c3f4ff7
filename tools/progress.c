// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack set, restore, calibrate: a progress bar in one line of the terminal on
 * standard error:
 *
 *	[##############......................] 4990/10001  49%  refused 3
 *
 * while a large file takes long, with the progress on that file:
 *
 *	[####..........................] 4990/10001  49%  refused 3  unsharing 12%
 *
 * and for a known duration, the elapsed time:
 *
 *	[##############......................] 12/30 s  40%
 *
 * There is one terminal and therefore one bar. Call progress_hide() before printing a
 * line; the bar reappears when it is next due.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "set.h"

enum {
	COLUMNS_DEFAULT = 80,	/* if the terminal does not report its width */
	COLUMNS_MAX = 256,
	BAR_MIN = 10,		/* below this width, print only the numbers */
	BAR_MAX = 50,
	PERIOD_MS = 100,
};

static struct {
	bool on;
	bool stdout_too;		/* stdout is a terminal as well */
	bool counting;			/* the total is not known yet */
	bool timed;			/* progress in seconds */
	unsigned long long total;
	unsigned long long done;
	unsigned long long refused;
	unsigned long long part_done;	/* progress on one file */
	unsigned long long part_total;	/* 0: no progress on one file */
	long long due_ms;		/* time of the next update */
	int shown;			/* columns in use */
} bar;

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Asked each time, because windows can be resized. */
static int usable_columns(void)
{
	struct winsize size = { .ws_col = 0 };
	int columns;

	ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	columns = size.ws_col ? size.ws_col : COLUMNS_DEFAULT;
	if (columns > COLUMNS_MAX)
		columns = COLUMNS_MAX;
	/* Many terminals wrap after the last column. */
	return columns - 1;
}

static void put(const char *text, size_t len)
{
	/* The terminal may vanish: stop, nothing depends on it. */
	if (write(STDERR_FILENO, text, len) < 0 && errno != EINTR)
		bar.on = false;
}

static unsigned long long percent_of(unsigned long long done,
				     unsigned long long total)
{
	if (done >= total)
		return 100;
	return (double)done / total * 100;
}

static unsigned long long percent(void)
{
	return percent_of(bar.done, bar.total);
}

/* Format the numbers to fit into @columns, shortened if necessary. */
static int numbers(char *line, int columns)
{
	int len;

	if (bar.counting)
		len = snprintf(line, COLUMNS_MAX, "counting %llu", bar.done);
	else if (bar.timed)
		len = snprintf(line, COLUMNS_MAX, "%llu/%llu s  %llu%%",
			       bar.done, bar.total, percent());
	else
		len = snprintf(line, COLUMNS_MAX,
			       "%llu/%llu  %llu%%  refused %llu", bar.done,
			       bar.total, percent(), bar.refused);
	if (bar.part_total && len + (int)sizeof("  unsharing 100%") <= columns)
		len += sprintf(line + len, "  unsharing %llu%%",
			       percent_of(bar.part_done, bar.part_total));
	if (len > columns && !bar.counting)
		len = snprintf(line, COLUMNS_MAX, "%llu%%", percent());
	return len > columns ? 0 : len;
}

/* Insert a bar of @width columns before the numbers. */
static int add_bar(char *line, int len, int width)
{
	int inside = width - strlen("[] ");
	int filled = percent() * inside / 100;

	memmove(line + width, line, len);
	line[0] = '[';
	memset(line + 1, '#', filled);
	memset(line + 1 + filled, '.', inside - filled);
	memcpy(line + 1 + inside, "] ", 2);
	return width + len;
}

static void draw(void)
{
	char line[1 + 2 * COLUMNS_MAX] = "\r";
	int columns = usable_columns();
	int len = numbers(line + 1, columns);
	int width = columns - len;
	int rest;

	if (width > BAR_MAX)
		width = BAR_MAX;
	if (len && !bar.counting && width >= BAR_MIN)
		len = add_bar(line + 1, len, width);

	/* Overwrite the rest of a longer line. */
	rest = bar.shown > len ? bar.shown - len : 0;
	if (rest > columns - len)
		rest = columns - len;
	memset(line + 1 + len, ' ', rest);
	put(line, 1 + len + rest);
	bar.shown = len;
	bar.due_ms = now_ms() + PERIOD_MS;
}

/**
 * progress_begin - start the bar, if standard error is a terminal
 *
 * Starts in counting mode: each progress_step() adds one to the total, until
 * progress_counted().
 *
 * Return: whether there is a terminal; if not, counting is unnecessary.
 */
bool progress_begin(void)
{
	memset(&bar, 0, sizeof(bar));
	bar.on = isatty(STDERR_FILENO);
	bar.stdout_too = isatty(STDOUT_FILENO);
	bar.counting = true;
	bar.due_ms = now_ms() + PERIOD_MS;
	return bar.on;
}

/**
 * progress_counted - end counting mode: the count is the total, and work begins
 */
void progress_counted(void)
{
	if (!bar.on)
		return;
	bar.counting = false;
	bar.total = bar.done;
	bar.done = 0;
	/* Draw at once: the first file may take long. */
	draw();
}

/**
 * progress_seconds - show elapsed time instead of files
 * @done: seconds elapsed
 * @total: seconds in total
 */
void progress_seconds(unsigned int done, unsigned int total)
{
	if (!bar.on)
		return;
	bar.counting = false;
	bar.timed = true;
	bar.done = done;
	bar.total = total;
	if (now_ms() >= bar.due_ms)
		draw();
}

/**
 * progress_step - one more file is done
 * @refused: it was refused
 */
void progress_step(bool refused)
{
	if (!bar.on)
		return;
	bar.done++;
	bar.refused += refused;
	/* Files were created meanwhile. */
	if (!bar.counting && bar.total < bar.done)
		bar.total = bar.done;
	if (now_ms() >= bar.due_ms)
		draw();
}

/**
 * progress_part - show progress on a single file
 * @done: in any unit
 * @total: in the same unit; 0 at the end
 */
void progress_part(unsigned long long done, unsigned long long total)
{
	if (!bar.on)
		return;
	bar.part_done = done;
	bar.part_total = total;
	if (now_ms() >= bar.due_ms)
		draw();
}

/**
 * progress_hide - clear the line before other output
 * @stream: where that goes: stderr, or stdout, which need not be the terminal
 */
void progress_hide(FILE *stream)
{
	char line[2 + COLUMNS_MAX];
	int columns;

	if (!bar.on || !bar.shown || (stream == stdout && !bar.stdout_too))
		return;
	columns = usable_columns();
	if (columns > bar.shown)
		columns = bar.shown;
	memset(line, ' ', sizeof(line));
	line[0] = '\r';
	line[1 + columns] = '\r';
	put(line, 2 + columns);
	bar.shown = 0;
}

/**
 * progress_end - show the final state, and remove the bar
 */
void progress_end(void)
{
	if (!bar.on)
		return;
	draw();
	progress_hide(stderr);
	bar.on = false;
}
