// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack set: how far it is, in one line on a terminal's standard error.
 *
 *	[##############......................] 4990/10001  49%  refused 3
 *
 * and, while a large file takes long, how far that is, as
 *
 *	[####..........................] 4990/10001  49%  refused 3  unsharing 12%
 *
 * There is one terminal, and so one bar. Whoever prints a line calls
 * progress_hide() before; the bar comes back when it is next due.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "set.h"

enum {
	COLUMNS_DEFAULT = 80,	/* of a terminal that does not tell */
	COLUMNS_MAX = 256,
	BAR_MIN = 10,		/* narrower, the numbers alone say more */
	BAR_MAX = 50,
	PERIOD_MS = 100,
};

static struct {
	bool on;
	bool stdout_too;		/* that is a terminal as well */
	bool counting;			/* how many there are is not known yet */
	unsigned long long total;
	unsigned long long done;
	unsigned long long refused;
	unsigned long long part_done;	/* of a file */
	unsigned long long part_total;	/* 0: there is no part to tell of */
	long long due_ms;		/* when it may be drawn again */
	int shown;			/* columns that it takes now */
} bar;

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Asked each time: a window can be resized. */
static int usable_columns(void)
{
	struct winsize size = { .ws_col = 0 };
	int columns;

	ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	columns = size.ws_col ? size.ws_col : COLUMNS_DEFAULT;
	if (columns > COLUMNS_MAX)
		columns = COLUMNS_MAX;
	/* Many terminals wrap when the last column is written. */
	return columns - 1;
}

static void put(const char *text, size_t len)
{
	/* A terminal that is gone is no error: nothing depends on it. */
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

/* Fills in the numbers, or as much of them as @columns hold. */
static int numbers(char *line, int columns)
{
	int len;

	if (bar.counting)
		len = snprintf(line, COLUMNS_MAX, "counting %llu", bar.done);
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

/* Puts a bar of @width columns before the numbers. */
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

	/* What is left of a longer line before. */
	rest = bar.shown > len ? bar.shown - len : 0;
	if (rest > columns - len)
		rest = columns - len;
	memset(line + 1 + len, ' ', rest);
	put(line, 1 + len + rest);
	bar.shown = len;
	bar.due_ms = now_ms() + PERIOD_MS;
}

/**
 * progress_begin - show the progress from now on, if there is a terminal
 *
 * First comes the counting: each progress_step() is one more, until
 * progress_counted().
 *
 * Return: whether standard error is a terminal. Else nothing is shown, and
 * counting is not worth it.
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
 * progress_counted - what was counted is the total; now it is done
 */
void progress_counted(void)
{
	if (!bar.on)
		return;
	bar.counting = false;
	bar.total = bar.done;
	bar.done = 0;
	/* At once: the first file may take long. */
	draw();
}

/**
 * progress_step - one more is done
 * @refused: in vain
 */
void progress_step(bool refused)
{
	if (!bar.on)
		return;
	bar.done++;
	bar.refused += refused;
	/* Files that came meanwhile. */
	if (!bar.counting && bar.total < bar.done)
		bar.total = bar.done;
	if (now_ms() >= bar.due_ms)
		draw();
}

/**
 * progress_part - how far is what takes long with one file?
 * @done: in any unit
 * @total: in the same; 0 when it is done
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
 * progress_hide - clear the line, for something else to be printed there
 * @stream: where that is printed: stderr, or stdout, which need not be the
 *	terminal
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
 * progress_end - show the end, and clear the line for good
 */
void progress_end(void)
{
	if (!bar.on)
		return;
	draw();
	progress_hide(stderr);
	bar.on = false;
}
