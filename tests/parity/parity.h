/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parity: makes the same calls on the lower filesystem alone and on the stack,
 * in directories of both modes. A subject records its results, one per line;
 * each line must be the same on both sides.
 *
 * A subject runs in a process and an empty directory of its own,
 * SIDE/MODE/NAME, which is its working directory.
 */
#ifndef PARITY_H
#define PARITY_H

#include "../dxs_test.h"

struct subject {
	const char *name;
	void (*run)(void);
	bool once;		/* in one mode only, as it is slow */
};

extern const struct subject subjects[];

/* --- Location of the subject. */

extern bool on_stack;
extern int mode;		/* DAXSTACK_DAX or DAXSTACK_CACHED */
/* The root of the side, relative to the subject's directory. */
#define ROOT	"../.."

/* --- Recording results. */

void note(const char *text, ...) FORMAT(1, 2);
/* Records the result of a call, or its errno; keeps errno. Return: @ret. */
long tell_ret(const char *call, long ret);
#define TELL(call)	tell_ret(#call, (long)(call))
/*
 * The same for a call that returns a descriptor, whose number is not recorded.
 */
int tell_fd(const char *call, int fd);
#define TELL_FD(call)	tell_fd(#call, (call))

/* --- Helpers. */

/* Runs @run as another user, without capabilities. */
void as_user(uid_t uid, void (*run)(void));
/* Runs @run in a child and waits; records how it ended, if not well. */
void in_child(void (*run)(void));
/* Creates a file with @len bytes, open for reading and writing. */
int make_file(const char *name, size_t len);
/* Records a line if the contents of the file differ from @text. */
void has_text(const char *name, const char *text);

/* Waits until the next operation gets a later timestamp than the last. */
void next_tick(void);

#define NOBODY	65534
#define SOMEONE	1000

/* --- The subjects. */

void run_acls(void);
void run_aio(void);
void run_async_events(void);
void run_atimes(void);
void run_attributes(void);
void run_capabilities(void);
void run_devices(void);
void run_dnotify(void);
void run_exec(void);
void run_fanotify(void);
void run_full(void);
void run_handles(void);
void run_inotify(void);
void run_lease_breaks(void);
void run_leases(void);
void run_libraries(void);
void run_links(void);
void run_lists(void);
void run_locks(void);
void run_mapped(void);
void run_names(void);
void run_newer(void);
void run_permissions(void);
void run_sizes(void);
void run_sockets(void);
void run_special_bits(void);
void run_symlinks(void);
void run_times(void);
void run_uring(void);
void run_views(void);
void run_xattrs(void);

#endif /* PARITY_H */
