// SPDX-License-Identifier: GPL-2.0-only
/*
 * command: status does not break leases; set waits for lease holders.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "command.h"

#define FILE_	"stack/leased"
#define HELD	"another process holds a lease on the file"

static volatile sig_atomic_t asked;
static char out[4096];

static void on_io(int sig)
{
	(void)sig;
	asked = 1;
}

/*
 * Takes a write lease, for which no other process may have the file open. A
 * lease break raises SIGIO.
 */
static int take_lease(void)
{
	int fd = MUST(open(FILE_, O_RDWR));

	asked = 0;
	MUST(fcntl(fd, F_SETLEASE, F_WRLCK));
	return fd;
}

static void give_up(int fd)
{
	MUST(fcntl(fd, F_SETLEASE, F_UNLCK));
}

void test_lease(void)
{
	struct sigaction act = { .sa_handler = on_io, .sa_flags = SA_RESTART };
	struct proc proc;
	int fd;

	MUST(sigaction(SIGIO, &act, NULL));
	make_file(FILE_);
	dxs_set_mode(FILE_, DAXSTACK_DAX);
	fd = take_lease();
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), "daxstack", "status", "-n",
			       FILE_), "status: exit status");
	dxs_ok(strstr(out, FILE_ " dax ") &&
	       strstr(out, " " HELD "\n"),
	       "status: mode");
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), "daxstack", "status", "-J",
			       FILE_), "status -J: exit status");
	dxs_ok(strstr(out, "\"mode\": \"dax\"") && strstr(out, "\"flag\": null"),
	       "status -J: mode, and an unknown flag");
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), "daxstack", "status", "-nR",
			       "stack"), "status -R: exit status");
	/* Other names may be longer. */
	dxs_ok(strstr(out, FILE_ " ") && strstr(out, " " HELD "\n"),
	       "status -R: shows the lease");
	dxs_is(0, asked, "status: no lease is broken");

	/* set breaks the lease, as any open does. */
	dxs_is(1, DXS_RUN_READ(out, sizeof(out), "daxstack", "set", "cached",
			       FILE_), "set: refused for now");
	dxs_str("daxstack: " FILE_ ": not switched to cached: " HELD
		" (Resource temporarily unavailable)\n", out, "set: reason");
	dxs_is(1, asked, "set: the lease holder is notified");
	proc = proc_start(ARGV("daxstack", "set", "-v", "-t", "600", "cached",
			       FILE_));
	if (dxs_ok(proc_waits_in(&proc, SYS_clock_nanosleep),
		   "set -t: waits for the lease"))
		give_up(fd);
	dxs_is(0, proc_end(&proc, out, sizeof(out)), "set -t: exit status");
	dxs_is(1, occurrences(out, ": dax -> cached, "),
	       "set -t: switched after the lease is given up");

	fcntl(fd, F_SETLEASE, F_UNLCK);
	MUST(fcntl(fd, F_SETLEASE, F_WRLCK));
	dxs_is(1, DXS_RUN("daxstack", "set", "-q", "-t", "0.1", "dax", FILE_),
	       "set -t: the timeout expires");
	give_up(fd);
	close(fd);

	fd = MUST(open(FILE_, O_RDONLY));
	MUST(fcntl(fd, F_SETLEASE, F_RDLCK));
	asked = 0;
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), "daxstack", "status", "-n",
			       FILE_), "read lease: exit status");
	dxs_ok(strstr(out, FILE_ " cached ") && !strstr(out, HELD) && !asked,
	       "a read lease does not obstruct a switch");
	close(fd);
}
