// SPDX-License-Identifier: GPL-2.0-only
/*
 * SQLite: rows of 200 bytes by key, in a database larger than its own cache,
 * with a write-ahead log that each transaction syncs.
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

#define ROWS	25000L
#define ROW	200

struct database {
	sqlite3 *db;
	sqlite3_stmt *select, *update;
	uint8_t row[ROW];
};

static void check(sqlite3 *db, int code)
{
	if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
		dxs_bail("sqlite: %s", sqlite3_errmsg(db));
}

static void sql(sqlite3 *db, const char *text)
{
	check(db, sqlite3_exec(db, text, NULL, NULL, NULL));
}

static sqlite3 *open_database(void)
{
	sqlite3 *db;

	check(NULL, sqlite3_open("database", &db));
	sql(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		"PRAGMA cache_size=-256");
	return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text)
{
	sqlite3_stmt *stmt;

	check(db, sqlite3_prepare_v2(db, text, -1, &stmt, NULL));
	return stmt;
}

static void make(const struct load *load)
{
	sqlite3 *db = open_database();
	sqlite3_stmt *insert;
	uint8_t row[ROW];
	long i;

	(void)load;
	sql(db, "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB); BEGIN");
	insert = prepare(db, "INSERT INTO t VALUES (?, ?)");
	for (i = 0; i < ROWS; i++) {
		dxs_fill(row, ROW, i, 0);
		sqlite3_bind_int64(insert, 1, i);
		sqlite3_bind_blob(insert, 2, row, ROW, SQLITE_STATIC);
		check(db, sqlite3_step(insert));
		check(db, sqlite3_reset(insert));
	}
	sqlite3_finalize(insert);
	sql(db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
	check(db, sqlite3_close(db));
}

static void begin(struct running *r)
{
	struct database *d = dxs_alloc(sizeof(*d));

	memset(d, 0, sizeof(*d));
	d->db = open_database();
	d->select = prepare(d->db, "SELECT v FROM t WHERE k = ?");
	d->update = prepare(d->db, "UPDATE t SET v = ? WHERE k = ?");
	r->own = d;
}

static void plan(struct running *r, long n)
{
	uint64_t seed = r->seed << 32;
	long i;

	for (i = 0; i < n; i++)
		r->at[i] = next_random(&seed) % ROWS;
}

static void run_select(struct running *r, long n)
{
	struct database *d = r->own;
	long i;

	for (i = 0; i < n; i++) {
		sqlite3_bind_int64(d->select, 1, r->at[i]);
		if (sqlite3_step(d->select) != SQLITE_ROW)
			dxs_bail("sqlite: no row %u", r->at[i]);
		r->sum += *(const uint8_t *)sqlite3_column_blob(d->select, 0);
		check(d->db, sqlite3_reset(d->select));
	}
}

static void run_update(struct running *r, long n)
{
	struct database *d = r->own;
	long i;

	for (i = 0; i < n; i++) {
		d->row[i % ROW]++;
		sqlite3_bind_blob(d->update, 1, d->row, ROW, SQLITE_STATIC);
		sqlite3_bind_int64(d->update, 2, r->at[i]);
		check(d->db, sqlite3_step(d->update));
		check(d->db, sqlite3_reset(d->update));
	}
}

static void end(struct running *r)
{
	struct database *d = r->own;

	sqlite3_finalize(d->select);
	sqlite3_finalize(d->update);
	check(d->db, sqlite3_close(d->db));
}

const struct load loads_sqlite[] = {
	{ .key = "sqlite-select", .group = "databases", .dir = "sqlite",
	  .what = "SQLite, rows by key", .op = "SELECT", .set = 6 * MIB,
	  .dram = 16 * MIB, .warm = 6000, .ops = 3000, .make = make, .begin = begin,
	  .plan = plan, .run = run_select, .end = end },
	/* A whole number of log checkpoints. */
	{ .key = "sqlite-update", .group = "databases", .dir = "sqlite",
	  .what = "SQLite, updates by key", .op = "transaction", .set = 6 * MIB,
	  .dram = 16 * MIB, .warm = 2000, .ops = 2000, .make = make, .begin = begin,
	  .plan = plan, .run = run_update, .end = end },
	{}
};
