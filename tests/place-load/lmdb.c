// SPDX-License-Identifier: GPL-2.0-only
/*
 * LMDB: 16 databases, each a file of about 4 MiB read through its mapping; and
 * a backup of all of them while they are in use.
 */
#define _GNU_SOURCE
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

#define DATABASES	16L
#define ROWS		14000L
#define ROW		200

struct database {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *txn;
};

static struct database databases[DATABASES];
static uint8_t row[ROW];
static uint64_t sum;

static void check(int code)
{
	if (code)
		dxs_bail("lmdb: %s", mdb_strerror(code));
}

static void open_database(struct database *d, long i)
{
	MDB_txn *txn;

	check(mdb_env_create(&d->env));
	check(mdb_env_set_mapsize(d->env, 8 * MIB));
	check(mdb_env_open(d->env, name_of("database", i), MDB_NOSUBDIR, 0644));
	check(mdb_txn_begin(d->env, NULL, 0, &txn));
	check(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &d->dbi));
	check(mdb_txn_commit(txn));
}

static void make(void)
{
	struct database d;
	MDB_txn *txn;
	uint64_t k;
	MDB_val key = { sizeof(k), &k }, val = { ROW, row };
	long i;

	for (i = 0; i < DATABASES; i++) {
		open_database(&d, i);
		check(mdb_txn_begin(d.env, NULL, 0, &txn));
		for (k = 0; k < ROWS; k++) {
			dxs_fill(row, ROW, k, 0);
			check(mdb_put(txn, d.dbi, &key, &val, MDB_APPEND));
		}
		check(mdb_txn_commit(txn));
		mdb_env_close(d.env);
	}
}

static void begin(void)
{
	struct database *d;
	long i;

	for (i = 0; i < DATABASES; i++) {
		d = &databases[i];
		open_database(d, i);
		/* The last database is written to. */
		if (i == DATABASES - 1)
			continue;
		check(mdb_txn_begin(d->env, NULL, MDB_RDONLY, &d->txn));
		mdb_txn_reset(d->txn);
	}
}

static void get(struct database *d, uint64_t k)
{
	MDB_val key = { sizeof(k), &k }, val;
	long i;

	check(mdb_txn_renew(d->txn));
	check(mdb_get(d->txn, d->dbi, &key, &val));
	for (i = 0; i < ROW; i += 8)
		sum += ((const uint8_t *)val.mv_data)[i];
	mdb_txn_reset(d->txn);
}

static void put(struct database *d, uint64_t k)
{
	MDB_val key = { sizeof(k), &k }, val = { ROW, row };
	MDB_txn *txn;

	row[k % ROW]++;
	check(mdb_txn_begin(d->env, NULL, 0, &txn));
	check(mdb_put(txn, d->dbi, &key, &val, 0));
	check(mdb_txn_commit(txn));
}

/* Reads all files of the working directory, as a backup does. */
static pid_t back_up(void)
{
	pid_t pid = MUST(fork());

	if (!pid) {
		execlp("sh", "sh", "-c", "tar -cf - . | cat >/dev/null", NULL);
		_exit(127);
	}
	return pid;
}

/*
 * Reads values of some databases more than of others, and writes one after
 * every @every reads. With @turn, nine of ten reads are of a working set in
 * three databases, with some keys much more frequent, and after @turn reads of
 * three other databases; the tenth is of any. A backup starts after @backup
 * reads; 0: none.
 */
static void run(long n, long every, long turn, long backup)
{
	struct zipf all, set;
	uint64_t seed = 1;
	long i, which, key;
	pid_t pid = 0;
	int status = 0;

	n = some_of(n);
	begin();
	zipf_make(&all, DATABASES - 1);
	zipf_make(&set, 3 * ROWS);
	for (i = 0; i < n; i++) {
		if (turn && next_random(&seed) % 10) {
			key = zipf_next(&set, &seed);
			which = (key % 3 + i / turn * 3) % (DATABASES - 1);
			key = key * 2654435761L % ROWS;
		} else {
			which = turn ? (long)(next_random(&seed) % (DATABASES - 1)) :
				zipf_next(&all, &seed);
			key = next_random(&seed) % ROWS;
		}
		get(&databases[which], key);
		if (i % every == 0)
			put(&databases[DATABASES - 1], next_random(&seed) % ROWS);
		if (backup && i == backup)
			pid = back_up();
	}
	if (pid)
		MUST(waitpid(pid, &status, 0));
	if (status)
		dxs_bail("the backup failed: status %#x", status);
}

static void run_moving(void)
{
	run(13500000, 400, 4500000, 0);
}

static void run_backup(void)
{
	run(1600000, 100, 0, 500000);
}

const struct load loads_lmdb[] = {
	{ .key = "lmdb", .kind = "moving", .make = make, .run = run_moving,
	  .what = "LMDB: a zipfian working set that moves between databases" },
	{ .key = "backup", .kind = "other", .make = make, .run = run_backup,
	  .what = "LMDB, and tar reads all of it meanwhile" },
	{}
};
