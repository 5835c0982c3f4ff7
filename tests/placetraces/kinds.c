// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kinds of traces.
 */
#include "placetraces.h"

static uint32_t files[FILES_MAX];
static uint32_t nr;

static void make(uint32_t n, uint64_t size, const char *name)
{
	uint32_t i;

	for (i = 0; i < n; i++, nr++)
		files[nr] = make_file(size, "%s%u", name, nr);
}

static void some_reads(uint32_t file, uint32_t n)
{
	for (; n; n--)
		do_read(file, zipf_page(file) * PAGE, PAGE);
}

static uint64_t any_page(uint32_t file)
{
	return draw(made[file].heat.size / PAGE);
}

/* Some files are used much more than others, always the same. */
static void zipf(uint32_t step)
{
	uint32_t i, file;

	if (!step) {
		for (i = 0; i < 24; i++)
			make(1, (4 + draw(13)) * MIB, "data/");
		return;
	}
	for (i = 0; i < 30000; i++) {
		file = files[draw_zipf(nr)];
		if (draw(20))
			do_read(file, zipf_page(file) * PAGE, PAGE);
		else
			do_write(file, zipf_page(file) * PAGE, PAGE);
	}
}

/* All pages of all files are used equally often. */
static void uniform(uint32_t step)
{
	uint32_t i, file;

	if (!step) {
		make(16, 8 * MIB, "data/");
		return;
	}
	for (i = 0; i < 30000; i++) {
		file = files[draw(nr)];
		do_read(file, any_page(file) * PAGE, PAGE);
	}
}

/* The same three files for a while, then others. */
static void moving(uint32_t step)
{
	static uint32_t hot[3];
	uint32_t i, file;

	if (!step) {
		make(16, 8 * MIB, "data/");
		return;
	}
	if (step % 60 == 1)
		for (i = 0; i < 3; i++)
			hot[i] = files[draw(nr)];
	for (i = 0; i < 30000; i++) {
		file = draw(20) ? hot[draw(3)] : files[draw(nr)];
		do_read(file, zipf_page(file) * PAGE, PAGE);
	}
}

/* Different files in each interval. */
static void phases(uint32_t step)
{
	uint32_t hot[4], i;

	if (!step) {
		make(16, 8 * MIB, "data/");
		return;
	}
	for (i = 0; i < 4; i++)
		hot[i] = files[draw(nr)];
	for (i = 0; i < 30000; i++)
		do_read(hot[draw(4)], zipf_page(hot[i % 4]) * PAGE, PAGE);
}

/* Files are used heavily until a move pays, and then no more. */
static void tease(uint32_t step)
{
	static uint32_t hot, until;
	uint32_t i;

	if (!step) {
		make(32, 4 * MIB, "data/");
		return;
	}
	if (step >= until) {
		hot = files[draw(nr)];
		until = step + 1 + (uint32_t)draw(4);
	}
	for (i = 0; i < 6000; i++)
		do_read(hot, any_page(hot) * PAGE, PAGE);
	for (i = 0; i < 3000; i++)
		do_read(files[i % nr], any_page(files[i % nr]) * PAGE, PAGE);
}

/*
 * A file is used until a move pays, once more so that it is read into DRAM, and
 * then no more.
 */
static void spite(uint32_t step)
{
	static uint32_t turn;
	uint32_t file, pages, i;

	if (!step) {
		make(64, 4 * MIB, "data/");
		return;
	}
	file = files[turn % nr];
	pages = (uint32_t)(made[file].heat.size / PAGE);
	for (i = 0; i < (step % 3 ? 4 : 1) * pages; i++)
		do_read(file, (uint64_t)i * 2654435761ULL % pages * PAGE, PAGE);
	turn += step % 3 == 0;
}

/* Tables, some of them hot, a log that is synced, and an occasional scan. */
static void database(uint32_t step)
{
	static uint32_t wal[2], seg;
	static uint64_t wal_at;
	static const uint32_t sizes[] = { 12, 8, 8, 4, 24, 32, 32, 40, 48 };
	uint32_t i, j, file;

	if (!step) {
		for (i = 0; i < 9; i++)
			make(1, (uint64_t)sizes[i] * MIB, "base/");
		wal[0] = make_file(16 * MIB, "pg_wal/0");
		wal[1] = make_file(16 * MIB, "pg_wal/1");
		return;
	}
	for (i = 0; i < 1500; i++) {
		for (j = 0; j < 24; j++) {
			file = files[draw(16) ? draw(4) : 4 + draw(5)];
			do_read(file, zipf_page(file) * PAGE, PAGE);
		}
		do_write(wal[seg], wal_at, 8 * KIB);
		do_fsync(wal[seg]);
		/* The last page is rewritten most of the time. */
		if (!draw(3))
			wal_at += 8 * KIB;
		if (wal_at + 8 * KIB > 16 * MIB) {
			wal_at = 0;
			seg = !seg;
		}
		if (!draw(8))
			do_write(files[draw(4)], zipf_page(files[draw(4)]) * PAGE, PAGE);
	}
	if (step % 30 == 0)
		for (i = 0; i < 4; i++)
			do_fsync(files[i]);
	if (step % 150 >= 140)
		read_all(files[step % 150 - 140 < nr ? step % 150 - 140 : 0]);
}

/*
 * A few files in use, one scan of all files, and one long scan of a large file.
 */
static void scan(uint32_t step)
{
	static uint32_t large;
	static uint64_t at;
	uint32_t i;

	if (!step) {
		make(2, 8 * MIB, "hot/");
		make(16, 12 * MIB, "cold/");
		large = make_file(256 * MIB, "cold/large");
		return;
	}
	for (i = 0; i < 2; i++)
		some_reads(files[i], 6000);
	if (step > 20 && step <= 20 + nr)
		read_all(files[step - 21]);
	for (i = 0; step > 40 && i < 1024; i++, at += PAGE)
		do_read(large, at, PAGE);
}

/* Thousands of small files. */
static void small(uint32_t step)
{
	uint32_t i, file;

	if (!step) {
		for (i = 0; i < 1200; i++)
			make(1, 4 * PAGE + draw(12) * PAGE, "mail/");
		return;
	}
	for (i = 0; i < 30000; i++) {
		file = files[draw_zipf(nr)];
		do_read(file, any_page(file) * PAGE, PAGE);
	}
}

/* Headers read all the time, sources read once, objects written and read. */
static void build(uint32_t step)
{
	static uint32_t objects[400], nr_objects;
	uint32_t i, j, file;

	if (!step) {
		make(200, 16 * KIB, "include/");
		make(800, 32 * KIB, "src/");
		return;
	}
	for (i = 0; i < 40; i++) {
		for (j = 0; j < 60; j++)
			read_all(files[draw_zipf(200)]);
		read_all(files[200 + (step * 40 + i) % 800]);
		if (nr_objects == 400) {
			for (j = 0; j < 400; j++) {
				read_all(objects[j]);
				remove_file(objects[j]);
			}
			nr_objects = 0;
		}
		file = make_file(0, "obj/%u.o", step * 40 + i);
		for (j = 0; j < 12; j++)
			do_append(file, 4 * KIB);
		objects[nr_objects++] = file;
	}
}

/* Files in moderate use, each copied once, one after the other. */
static void backup(uint32_t step)
{
	static uint32_t archive;
	uint32_t i;
	uint64_t at;

	if (!step) {
		make(20, 8 * MIB, "home/");
		archive = make_file(0, "backup/archive");
		return;
	}
	for (i = 0; i < 4; i++)
		some_reads(files[i], 2000);
	i = step % 200;
	if (i < 100)
		return;
	i = (i - 100) / 5;
	for (at = 0; at < made[files[i]].heat.size / 5; at += 64 * KIB) {
		do_read(files[i], at + step % 5 * (made[files[i]].heat.size / 5), 64 * KIB);
		do_append(archive, 64 * KIB);
	}
	if (step % 5 == 4)
		do_fsync(archive);
}

const struct kind kinds[] = {
	{ "zipf", 400, zipf },
	{ "uniform", 400, uniform },
	{ "moving", 480, moving },
	{ "phases", 400, phases },
	{ "tease", 400, tease },
	{ "spite", 400, spite },
	{ "database", 400, database },
	{ "scan", 400, scan },
	{ "small", 200, small },
	{ "build", 300, build },
	{ "backup", 400, backup },
	{ 0 }
};
