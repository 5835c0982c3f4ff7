// SPDX-License-Identifier: GPL-2.0-only
/* daxstack auto: print the answers as text, from their JSON form. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "json.h"
#include "tool.h"

static double real(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* Names are arbitrary bytes. */
static void put_name(const json_t *object, const char *key)
{
	char *name = json_name(object, key);

	fputs(name ? name_shown(name) : "(no name)", stdout);
	free(name);
}

static void put_size(double bytes)
{
	static const char units[] = "BKMGTP";
	int unit = 0;

	for (; bytes >= 1024 && units[unit + 1]; unit++)
		bytes /= 1024;
	printf(unit && bytes < 100 ? "%.1f%c" : "%.0f%c", bytes, units[unit]);
}

static void put_gain(double gain)
{
	printf("%s %.3f ms/s", gain < 0 ? "costs" : "gains", (gain < 0 ? -gain : gain) * 1000);
}

/* --- A mount. */

static void put_file(const json_t *file, const char *from)
{
	fputs("  ", stdout);
	put_name(file, "file");
	printf(": %s", from);
}

static void put_rule_name(const json_t *file)
{
	if (json_is_null(json_object_get(file, "rule")))
		return;
	fputs(", rule ", stdout);
	put_name(file, "rule");
}

static void show_moves(const json_t *moves)
{
	const json_t *move;
	size_t i;

	if (json_array_size(moves))
		puts("  moves of the last decision:");
	json_array_foreach(moves, i, move) {
		fputs("  ", stdout);
		put_file(move, "to ");
		printf("%s: %s (", text(move, "to"), text(move, "why"));
		put_gain(real(move, "gain"));
		put_rule_name(move);
		puts(")");
	}
}

static void show_elsewhere(const json_t *files)
{
	const json_t *file;
	size_t i;

	if (json_array_size(files))
		puts("  files not in the mode that they belong in:");
	json_array_foreach(files, i, file) {
		fputs("  ", stdout);
		put_file(file, text(file, "mode"));
		printf(", belongs in %s mode: %s (cached mode ", text(file, "wanted"),
		       text(file, "why"));
		put_gain(real(file, "gain"));
		put_rule_name(file);
		puts(")");
	}
}

/**
 * auto_show_mount - print a mount
 * @mount: of explain_mount()
 */
void auto_show_mount(const json_t *mount)
{
	put_name(mount, "mount");
	printf(": %.0f files, %.0f of them cached, ", real(mount, "files"),
	       real(mount, "cached"));
	put_size(real(mount, "used"));
	fputs(" of ", stdout);
	put_size(real(mount, "budget"));
	printf(" of DRAM; %.0f switches, %.0f refused, %.0f undone (profile %s)\n",
	       real(mount, "switches"), real(mount, "refused"), real(mount, "undone"),
	       text(mount, "profile"));
	show_moves(json_object_get(mount, "moves"));
	show_elsewhere(json_object_get(mount, "elsewhere"));
}

/* --- A file. */

static void show_rule(const json_t *file)
{
	if (json_is_null(json_object_get(file, "rule"))) {
		puts("  rule:   none matches; the file is left alone");
		return;
	}
	fputs("  rule:   ", stdout);
	put_name(file, "rule");
	fputs(" (", stdout);
	put_name(file, "rules");
	printf(":%.0f): %s%s%s\n", real(file, "rule_line"), text(file, "rule_mode"),
	       is_true(file, "too_small") ? ", because the file is below min_size" : "",
	       is_true(file, "quiet") ? "; it is a quiet hour" : "");
}

static void show_heat(const json_t *file)
{
	const json_t *heat = json_object_get(file, "heat");

	if (!real(file, "steps")) {
		puts("  heat:   unknown until an interval has passed");
		return;
	}
	if (!json_is_object(heat)) {
		puts("  heat:   none, the file was not used lately");
		return;
	}
	printf("  heat:   %.1f reads/s, ", real(heat, "reads"));
	put_size(real(heat, "read_bytes"));
	printf("/s; %.1f writes/s, ", real(heat, "writes"));
	put_size(real(heat, "write_bytes"));
	printf("/s; %.1f faults/s; %.1f fsyncs/s; ",
	       real(heat, "read_faults") + real(heat, "write_faults"),
	       real(heat, "fsyncs"));
	put_size(real(heat, "footprint"));
	printf(" touched in %.1f s\n", real(heat, "seconds"));
}

static void show_policy(const json_t *policy)
{
	if (!json_is_object(policy))
		return;
	printf("  load:   %.3f ms/s in dax, %.3f ms/s in cached mode, which ",
	       real(policy, "dax_load") * 1000, real(policy, "cached_load") * 1000);
	put_gain(real(policy, "gain"));
	fputs(" with ", stdout);
	put_size(real(policy, "set"));
	puts(" of DRAM");
	printf("  state:  belongs in %s mode: %s\n", text(policy, "wanted"), text(policy, "why"));
	printf("  moved:  %.0f times, %.0f of them undone\n", real(policy, "switches"),
	       real(policy, "undone"));
	if (real(policy, "refusals"))
		printf("  refused %.0f times in a row: %s; tried again in %.0f s\n",
		       real(policy, "refusals"), text(policy, "refused"),
		       real(policy, "again_s"));
}

/**
 * auto_show_file - print a file
 * @file: of explain_file(), merged with what 'daxstack auto' has read itself
 */
void auto_show_file(const json_t *file)
{
	const char *in_the_way = text(file, "in_the_way"), *reason = text(file, "reason");

	put_name(file, "name");
	printf(": %s, ", text(file, "mode"));
	put_size(real(file, "size"));
	puts("");
	if (*in_the_way) {
		printf("  the mount is not managed: %s\n", in_the_way);
	} else if (!is_true(file, "known")) {
		fputs("  the mount is not in the rules (", stdout);
		put_name(file, "rules");
		puts("): the file is never moved");
	} else {
		show_rule(file);
		show_heat(file);
		show_policy(json_object_get(file, "policy"));
	}
	if (*reason)
		printf("  a switch would be refused: %s\n", reason);
	if (*text(file, "remedy"))
		printf("  remedy: %s\n", text(file, "remedy"));
}
