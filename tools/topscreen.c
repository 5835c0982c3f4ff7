// SPDX-License-Identifier: GPL-2.0-only
/* daxstack top: interactive output on a terminal of any size. */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "tool.h"
#include "top.h"

enum {
	/* Minimum width of names; other columns are omitted before. */
	NAME_LEAST = 12,
	WHY_WIDE = 100,
	WHY_SENTENCE = 150,
	INPUT_MAX = 16,
};

/**
 * struct screen - state of the screen
 * @top: state of the command
 * @set: the terminal, for ncurses
 * @first: index of the first visible file
 * @help: show the help instead of files
 * @asking: prompt for a new delay
 * @input: text typed so far
 * @message: shown until the next reading or key
 * @due: CLOCK_MONOTONIC of the next reading, seconds
 * @shown: number of readings shown
 * @ended: there are no more readings
 */
struct screen {
	struct top *top;
	SCREEN *set;
	size_t first;
	bool help;
	bool asking;
	char input[INPUT_MAX];
	char message[128];
	double due;
	unsigned long shown;
	bool ended;
};

static const char *const help_lines[] = {
	"Keys of daxstack top                                 press any key to return",
	"",
	"  q      quit               Space Enter   read now; in a trace, the next one",
	"  h ?    this               d s           set seconds between readings",
	"  R      reverse the order  i             hide files that were not used",
	"  Up Down PgUp PgDn Home End              scroll through the files",
	"",
	"Sort by the column of a key, or with < and > by the column next to it:",
	"",
};

#define NR_HELP	((int)(sizeof(help_lines) / sizeof(help_lines[0])))

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* --- Draw. */

static int lines_of(void)
{
	return getmaxy(stdscr);
}

static int columns_of(void)
{
	return getmaxx(stdscr);
}

static void put_line(int y, attr_t attributes, const char *text)
{
	if (y >= lines_of())
		return;
	move(y, 0);
	attrset(attributes);
	addnstr(text, columns_of());
	attrset(A_NORMAL);
}

/* Names are truncated at their beginning: the end is more informative. */
static const char *last_columns(const char *cell, size_t width, size_t room)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n;
	int columns;

	for (; *cell && width > room; cell += n) {
		n = mbrtowc(&c, cell, strlen(cell), &state);
		if (n == (size_t)-1 || n == (size_t)-2 || !n)
			break;
		columns = wcwidth(c);
		width -= columns > 0 ? columns : 0;
	}
	return cell;
}

static void draw_name(const struct top *top, struct top_row *row, size_t room)
{
	const char *name = top_name(row);
	char *path = NULL, *cell;
	size_t width;

	if (!name && asprintf(&path, "(inode %llu)", (unsigned long long)row->heat.ino) < 0)
		err(TOOL_FAILED, "name");
	if (name && top->nr_mounts > 1 && asprintf(&path, "%s/%s", row->mount->path, name) < 0)
		err(TOOL_FAILED, "name");
	cell = name_cell(path ?: name, &width);
	if (width > room) {
		addch('+');
		addstr(last_columns(cell, width, room - 1));
	} else {
		addstr(cell);
	}
	free(cell);
	free(path);
}

/* --- Columns: which there is room for. */

static int width_of(const struct top_column *column)
{
	if (strcmp(column->name, "why"))
		return column->width;
	return columns_of() >= WHY_SENTENCE ? 40 : columns_of() >= WHY_WIDE ? 14 : column->width;
}

static bool is_name(const struct top_column *column)
{
	return column == &top_columns[top_nr_columns - 1];
}

/* Return: the highest rank of columns that fit. */
static int rank_that_fits(void)
{
	int best = 0, rank, used;
	size_t i;

	for (rank = 1; rank < 16; rank++) {
		used = NAME_LEAST;
		for (i = 0; i < top_nr_columns - 1; i++)
			if (top_columns[i].rank <= rank)
				used += width_of(&top_columns[i]) + 1;
		if (used <= columns_of())
			best = rank;
	}
	return best;
}

static void draw_headings(const struct top *top, int y, int rank)
{
	const struct top_column *column;
	int x = 0, width;
	size_t i;

	if (y >= lines_of())
		return;
	attrset(A_REVERSE);
	mvhline(y, 0, ' ' | A_REVERSE, columns_of());
	for (i = 0; i < top_nr_columns && x < columns_of(); i++) {
		column = &top_columns[i];
		if (column->rank > rank)
			continue;
		width = width_of(column);
		attrset(column == top->sort ? A_REVERSE | A_BOLD : A_REVERSE);
		mvprintw(y, x + (column->kind == TOP_TEXT ? 0 :
				 width - (int)strlen(column->heading)),
			 "%.*s", columns_of() - x, column->heading);
		x += width + 1;
	}
	attrset(A_NORMAL);
}

static void draw_row(const struct top *top, struct top_row *row, int y, int rank)
{
	char cell[128];
	int x = 0;
	size_t i;

	for (i = 0; i < top_nr_columns && x < columns_of(); i++) {
		if (top_columns[i].rank > rank)
			continue;
		move(y, x);
		if (is_name(&top_columns[i])) {
			draw_name(top, row, columns_of() - x);
			break;
		}
		top_put_cell(cell, sizeof(cell), top, &top_columns[i], row,
			     width_of(&top_columns[i]));
		addnstr(cell, columns_of() - x);
		x += width_of(&top_columns[i]) + 1;
	}
}

/* --- Layout. */

/* Lines of the summary and the message; leave some lines for files. */
static int summary_lines(void)
{
	int most = TOP_SUMMARY_LINES + 1;

	if (lines_of() < 3)
		return lines_of() > 1;
	return lines_of() < most + 2 ? (lines_of() - 1) / 2 : most;
}

static int headings_at(void)
{
	return summary_lines();
}

static int rows_at(void)
{
	return lines_of() < 3 ? summary_lines() : summary_lines() + 1;
}

static int page_rows(void)
{
	return lines_of() > rows_at() ? lines_of() - rows_at() : 0;
}

static void draw_help(void)
{
	char text[128];
	int y, i;
	size_t n;

	for (y = 0; y < NR_HELP; y++)
		put_line(y, y ? A_NORMAL : A_BOLD, help_lines[y]);
	for (n = 0, i = y; n < top_nr_columns; n++, i++) {
		snprintf(text, sizeof(text), "  %c  %-6s %s", top_columns[n].key,
			 top_columns[n].heading, top_columns[n].what);
		put_line(i, A_NORMAL, text);
	}
}

static void draw_message(const struct screen *screen, int y)
{
	char text[160];

	if (screen->asking)
		snprintf(text, sizeof(text), "Seconds between readings [%.1f]: %s",
			 screen->top->delay, screen->input);
	else
		snprintf(text, sizeof(text), "%s", screen->message);
	put_line(y, A_BOLD, text);
}

static void draw_files(struct screen *screen)
{
	struct top *top = screen->top;
	char text[TOP_SUMMARY_MAX];
	int y, rank = rank_that_fits();
	size_t i, rows = page_rows();

	for (y = 0; y < summary_lines() && y < TOP_SUMMARY_LINES; y++) {
		top_put_summary(text, sizeof(text), top, y);
		put_line(y, A_NORMAL, text);
	}
	if (*screen->message || screen->asking)
		draw_message(screen, summary_lines() ? summary_lines() - 1 : 0);
	if (lines_of() >= 3)
		draw_headings(top, headings_at(), rank);
	if (screen->first + rows > top->nr_shown)
		screen->first = top->nr_shown > rows ? top->nr_shown - rows : 0;
	for (i = 0; i < rows && screen->first + i < top->nr_shown; i++)
		draw_row(top, top->shown[screen->first + i], rows_at() + i, rank);
}

static void draw(struct screen *screen)
{
	erase();
	if (screen->help)
		draw_help();
	else
		draw_files(screen);
	move(lines_of() - 1, 0);
	refresh();
}

/* --- Keys. */

static void read_now(struct screen *screen)
{
	*screen->message = 0;
	if (!screen->ended && !top_read(screen->top)) {
		screen->ended = true;
		snprintf(screen->message, sizeof(screen->message),
			 "End of the readings.");
	} else if (!screen->ended) {
		screen->shown++;
	}
	screen->due = now() + screen->top->delay;
}

static void take_delay(struct screen *screen)
{
	double seconds;

	screen->asking = false;
	if (!*screen->input)
		return;
	if (!tool_seconds(screen->input, 86400, &seconds)) {
		snprintf(screen->message, sizeof(screen->message),
			 "'%s' is not a time from 0.1 s to 1 day", screen->input);
		return;
	}
	screen->top->delay = seconds;
	screen->due = now() + seconds;
}

static void type_delay(struct screen *screen, int key)
{
	size_t len = strlen(screen->input);

	if (key == '\n' || key == '\r' || key == KEY_ENTER)
		take_delay(screen);
	else if (key == 27)
		screen->asking = false;
	else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && len)
		screen->input[len - 1] = 0;
	else if (key < 128 && (isdigit(key) || key == '.') && len < INPUT_MAX - 1)
		screen->input[len] = key;
}

static void sort_beside(struct top *top, int step)
{
	size_t i = top->sort - top_columns;

	top->sort = &top_columns[(i + top_nr_columns + step) % top_nr_columns];
	top_arrange(top);
}

static void move_to(struct screen *screen, long first)
{
	screen->first = first > 0 ? first : 0;
}

static bool move_by_key(struct screen *screen, int key)
{
	long first = screen->first, rows = page_rows();

	switch (key) {
	case KEY_UP:
	case 'k':
		move_to(screen, first - 1);
		return true;
	case KEY_DOWN:
	case 'j':
		move_to(screen, first + 1);
		return true;
	case KEY_PPAGE:
		move_to(screen, first - rows);
		return true;
	case KEY_NPAGE:
		move_to(screen, first + rows);
		return true;
	case KEY_HOME:
		move_to(screen, 0);
		return true;
	case KEY_END:
		move_to(screen, screen->top->nr_shown);
		return true;
	}
	return false;
}

static void sort_by_key(struct screen *screen, int key)
{
	const struct top_column *column = key < 128 ? top_column_of_key(key) : NULL;

	if (!column) {
		snprintf(screen->message, sizeof(screen->message),
			 "Unknown key: press h for help.");
		return;
	}
	screen->top->sort = column;
	top_arrange(screen->top);
}

/* Return: false to quit. */
static bool obey(struct screen *screen, int key)
{
	struct top *top = screen->top;

	if (key == KEY_RESIZE)
		return true;
	if (screen->help) {
		screen->help = false;
		return true;
	}
	if (screen->asking) {
		type_delay(screen, key);
		return true;
	}
	*screen->message = 0;
	switch (key) {
	case 'q':
		return false;
	case 'h':
	case '?':
		screen->help = true;
		break;
	case ' ':
	case '\n':
	case '\r':
	case KEY_ENTER:
		read_now(screen);
		break;
	case 'd':
	case 's':
		screen->asking = true;
		memset(screen->input, 0, sizeof(screen->input));
		break;
	case 'i':
		top->hide_idle = !top->hide_idle;
		top_arrange(top);
		break;
	case 'R':
		top->reverse = !top->reverse;
		top_arrange(top);
		break;
	case '<':
		sort_beside(top, -1);
		break;
	case '>':
		sort_beside(top, 1);
		break;
	default:
		if (!move_by_key(screen, key))
			sort_by_key(screen, key);
	}
	return true;
}

/* --- The terminal. */

static bool is_open;

static void leave(void)
{
	if (is_open)
		endwin();
	is_open = false;
}

/* Ctrl-\ ends the program without cleanup: restore the terminal. */
static void leave_by(int sig)
{
	leave();
	signal(sig, SIG_DFL);
	raise(sig);
}

static bool enter(struct screen *screen)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		warnx("standard input and output are not a terminal: use --batch or --json");
		return false;
	}
	screen->set = newterm(NULL, stdout, stdin);
	if (!screen->set) {
		warnx("unknown terminal '%s': set TERM, or use --batch",
		      name_shown(getenv("TERM") ?: ""));
		return false;
	}
	is_open = true;
	atexit(leave);
	signal(SIGQUIT, leave_by);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	set_escdelay(25);
	nodelay(stdscr, TRUE);
	curs_set(0);
	return true;
}

/* Return: false if the terminal is gone. */
static bool wait_for_key(const struct screen *screen)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	double left = screen->due - now();
	int ms = left <= 0 ? 0 : left > 3600 ? 3600000 : (int)(left * 1e3) + 1;

	/* After the end there is no next reading. */
	if (poll(&in, 1, screen->ended ? -1 : ms) < 0)
		return errno == EINTR;
	return !(in.revents & (POLLHUP | POLLERR | POLLNVAL)) || in.revents & POLLIN;
}

/* Return: false to quit. */
static bool take_keys(struct screen *screen)
{
	bool any = false;
	int key;

	while ((key = getch()) != ERR) {
		any = true;
		if (!obey(screen, key))
			return false;
	}
	if (any)
		draw(screen);
	return true;
}

static bool is_live(const struct top *top)
{
	return !top->mounts->reader;
}

static void loop(struct screen *screen)
{
	const struct top *top = screen->top;

	while (!signals_ended() && wait_for_key(screen) && take_keys(screen)) {
		if (!screen->ended && now() >= screen->due && !signals_ended()) {
			read_now(screen);
			draw(screen);
		}
		/* All mounts were unmounted. */
		if (screen->ended && is_live(top))
			break;
		if (top->iterations && screen->shown >= top->iterations)
			break;
	}
}

/**
 * top_screen - show readings on the terminal until the user quits
 * @top: the state
 *
 * Return: enum tool_status.
 */
int top_screen(struct top *top)
{
	struct screen screen = { .top = top };

	if (!enter(&screen))
		return TOOL_FAILED;
	/* The first reading is only a base for the next one. */
	if (!top_read(top))
		screen.ended = true;
	screen.due = now() + top->delay;
	if (!is_live(top))
		read_now(&screen);
	draw(&screen);
	if (!top->iterations || screen.shown < top->iterations)
		loop(&screen);
	leave();
	delscreen(screen.set);
	return TOOL_OK;
}
