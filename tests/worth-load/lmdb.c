// SPDX-License-Identifier: GPL-2.0-only
/*
 * LMDB: values of 200 bytes by key, read through its mapping and written by
 * pwrite(2) and fdatasync(2), one transaction each.
 */
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

#define ROWS	25000L
#define ROW	200

struct database {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *txn;
	uint8_t row[ROW];
};

static void check(int code)
{
	if (code)
		dxs_bail("lmdb: %s", mdb_strerror(code));
}

static struct database *open_database(void)
{
	struct database *d = dxs_alloc(sizeof(*d));
	MDB_txn *txn;

	memset(d, 0, sizeof(*d));
	check(mdb_env_create(&d->env));
	check(mdb_env_set_mapsize(d->env, 16 * MIB));
	check(mdb_env_open(d->env, ".", 0, 0644));
	check(mdb_txn_begin(d->env, NULL, 0, &txn));
	check(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &d->dbi));
	check(mdb_txn_commit(txn));
	return d;
}

static void put(struct database *d, MDB_txn *txn, uint64_t k, unsigned int flags)
{
	MDB_val key = { sizeof(k), &k }, val = { ROW, d->row };

	check(mdb_put(txn, d->dbi, &key, &val, flags));
}

static void make(const struct load *load)
{
	struct database *d = open_database();
	MDB_txn *txn;
	long i;

	(void)load;
	check(mdb_txn_begin(d->env, NULL, 0, &txn));
	for (i = 0; i < ROWS; i++) {
		dxs_fill(d->row, ROW, i, 0);
		put(d, txn, i, MDB_APPEND);
	}
	check(mdb_txn_commit(txn));
	mdb_env_close(d->env);
	free(d);
}

static void begin(struct running *r)
{
	struct database *d = open_database();

	check(mdb_txn_begin(d->env, NULL, MDB_RDONLY, &d->txn));
	mdb_txn_reset(d->txn);
	r->own = d;
}

static void plan(struct running *r, long n)
{
	uint64_t seed = r->seed << 32;
	long i;

	for (i = 0; i < n; i++)
		r->at[i] = next_random(&seed) % ROWS;
}

static void run_get(struct running *r, long n)
{
	struct database *d = r->own;
	uint64_t k;
	MDB_val key = { sizeof(k), &k }, val;
	long i, j;

	for (i = 0; i < n; i++) {
		k = r->at[i];
		check(mdb_txn_renew(d->txn));
		check(mdb_get(d->txn, d->dbi, &key, &val));
		for (j = 0; j < ROW; j++)
			r->sum += ((const uint8_t *)val.mv_data)[j];
		mdb_txn_reset(d->txn);
	}
}

static void run_put(struct running *r, long n)
{
	struct database *d = r->own;
	MDB_txn *txn;
	long i;

	for (i = 0; i < n; i++) {
		d->row[i % ROW]++;
		check(mdb_txn_begin(d->env, NULL, 0, &txn));
		put(d, txn, r->at[i], 0);
		check(mdb_txn_commit(txn));
	}
}

static void end(struct running *r)
{
	struct database *d = r->own;

	mdb_txn_abort(d->txn);
	mdb_env_close(d->env);
	free(d);
}

const struct load loads_lmdb[] = {
	{ .key = "lmdb-get", .group = "databases", .dir = "lmdb",
	  .what = "LMDB, values by key", .op = "get", .set = 6 * MIB,
	  .dram = 16 * MIB, .warm = 12000, .ops = 12000, .make = make, .begin = begin,
	  .plan = plan, .run = run_get, .end = end },
	{ .key = "lmdb-put", .group = "databases", .dir = "lmdb",
	  .what = "LMDB, updates by key", .op = "transaction", .set = 6 * MIB,
	  .dram = 16 * MIB, .warm = 1000, .ops = 1000, .make = make, .begin = begin,
	  .plan = plan, .run = run_put, .end = end },
	{}
};
