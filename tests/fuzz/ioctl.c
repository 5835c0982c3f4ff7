// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz: the ioctls, and the attributes that switch.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "fuzz.h"

/* The file: pages that must not change, and one for arguments. */
#define KEPT	(4 * PAGE)
#define LEN	(KEPT + PAGE)
#define CANARY	0x5a

enum mapped { NOT_MAPPED, SHARED, PRIVATE, SYNC };

/* The setup of this round, and the expected state of the file. */
static struct {
	const char *policy;
	enum mapped mapped;
	bool blocks;
	int fd;
	int mode;
	int flag;
	uint8_t *map;
} world;

static uint8_t kept[KEPT];

static bool policy_is(const char *policy)
{
	return !strcmp(world.policy, policy);
}

/* Checks mode, flag and contents; what was seen is expected from then on. */
static void check_file(void)
{
	int mode = dxs_mode(world.fd), flag = dxs_xflag(world.fd);
	uint8_t seen[KEPT];
	struct stat st;

	fuzz_check(mode == world.mode && flag == world.flag,
		   "expected mode %d and flag %d, seen %d and %d", world.mode,
		   world.flag, mode, flag);
	world.mode = mode;
	world.flag = flag;
	MUST(fstat(world.fd, &st));
	if (!fuzz_check(st.st_size == (world.blocks ? LEN : 0), "size %ld",
			(long)st.st_size) || !world.blocks)
		return;
	dxs_pread(world.fd, seen, KEPT, 0);
	fuzz_check(!memcmp(seen, kept, KEPT), "the contents have changed");
}

/* --- Pointers. */

enum place { GOOD, UNALIGNED, AT_END, IN_FILE, READ_ONLY, CUT_READ_ONLY,
	     CUT, UNMAPPED, KERNEL, PLACES };

static const char *const place_names[] = {
	"good", "unaligned", "at the end", "in the file", "read-only",
	"cut read-only", "cut", "unmapped", "kernel",
};

struct where {
	enum place place;
	uint8_t *at;
	size_t size;
	bool readable;
	bool writable;
	void *own_map;		/* of the file, for this case */
};

static uint8_t *arena;		/* a valid page, and two that vary */

static struct where pick_place(size_t size)
{
	static uint8_t *const kernel[] = {
		NULL, (uint8_t *)1, (uint8_t *)(1UL << 47) - 1,
		(uint8_t *)(1UL << 63), (uint8_t *)0xffff888000000000,
		(uint8_t *)0xffffffff81000000, (uint8_t *)-1UL,
	};
	struct where w = {
		.place = one_in(2) ? GOOD : (enum place)below(PLACES),
		.size = size,
	};

	switch (w.place) {
	case UNALIGNED:
		w.at = arena + 65 + 2 * below(64);
		break;
	case AT_END:
		w.at = arena + PAGE - size;
		break;
	case IN_FILE:
		if (!world.map)
			w.own_map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE,
					      MAP_SHARED, world.fd, 0));
		w.at = (world.map ?: w.own_map) + KEPT + 8 * below(32);
		break;
	case READ_ONLY:
		w.at = arena + PAGE;
		break;
	case CUT_READ_ONLY:
	case CUT:
		w.at = arena + PAGE - 1 - below(size - 1);
		break;
	case UNMAPPED:
		w.at = arena + 2 * PAGE + below(64);
		break;
	case KERNEL:
		w.at = PICK(kernel);
		break;
	default:
		w.at = arena + 64 + 8 * below(64);
	}
	/* A mapping beyond EOF cannot be touched. */
	w.writable = w.place <= AT_END || (w.place == IN_FILE && world.blocks);
	w.readable = w.writable || w.place == READ_ONLY ||
		w.place == CUT_READ_ONLY;
	return w;
}

static void put_arg(const struct where *w, const void *arg)
{
	MUST(mprotect(arena + PAGE, PAGE, PROT_READ | PROT_WRITE));
	memset(arena, CANARY, PAGE);
	if (w->readable)
		memcpy(w->at, arg, w->size);
	MUST(mprotect(arena + PAGE, PAGE, w->place == READ_ONLY ||
		      w->place == CUT_READ_ONLY ? PROT_READ : PROT_NONE));
}

static void take_arg(const struct where *w, void *arg)
{
	uint8_t *at;

	if (w->writable)
		memcpy(arg, w->at, w->size);
	if (w->writable && w->place != IN_FILE) {
		memset(w->at, CANARY, w->size);
		for (at = arena; at < arena + PAGE && *at == CANARY; at++)
			;
		fuzz_check(at == arena + PAGE,
			   "written beside the argument, at %ld",
			   (long)(at - w->at));
	}
	if (w->own_map)
		munmap(w->own_map, LEN);
}

static int call(bool stranger, unsigned int cmd, void *arg)
{
	int err;

	if (stranger)
		MUST(seteuid(NOBODY));
	err = ERR(ioctl(world.fd, cmd, arg));
	if (stranger)
		MUST(seteuid(0));
	return err;
}

/* --- Switches. */

#define ERRNO_OF_(name, err, text) err,
static const int reason_errno[] = { DAXSTACK_REASONS(ERRNO_OF_) };

/*
 * The expected result of a request by the owner: docs/semantics.md, 11 to 14.
 */
static unsigned int expected_reason(int to, bool mapped)
{
	if (world.mode == to)
		return DAXSTACK_REASON_NONE;
	if (policy_is("never"))
		return DAXSTACK_REASON_NEVER;
	if (to == DAXSTACK_CACHED && world.mapped == SYNC)
		return DAXSTACK_REASON_MAP_SYNC;
	if (policy_is("unmapped") && mapped)
		return DAXSTACK_REASON_MAPPED;
	if (policy_is("empty") && world.blocks)
		return DAXSTACK_REASON_HAS_BLOCKS;
	return DAXSTACK_REASON_NONE;
}

/* The refusal is transient: no error in the inputs. */
static bool is_passing(int err, unsigned int reason)
{
	return err == EBUSY && (reason == DAXSTACK_REASON_WRITEBACK ||
				reason == DAXSTACK_REASON_PINNED ||
				reason == DAXSTACK_REASON_IO);
}

static void expect_done(int to, unsigned int reason)
{
	world.flag = to;
	if (reason != DAXSTACK_REASON_NEVER)
		world.mode = to;
}

static void make_bad(struct daxstack_switch *arg)
{
	static const uint32_t modes[] = {
		2, 3, 0x100, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
	};
	static const int32_t timeouts[] = { -2, -1000, INT_MIN };

	do {
		switch (below(5)) {
		case 0:
			arg->mode = PICK(modes);
			break;
		case 1:
			arg->timeout_ms = PICK(timeouts);
			break;
		case 2:
			arg->flags |= 1u << below(32);
			break;
		case 3:
			arg->pad |= 1u << below(32);
			break;
		default:
			arg->reserved[below(2)] |= 1ul << below(64);
		}
	} while (one_in(3));
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A signal every some milliseconds, or none. */
static void set_alarm(long ms)
{
	struct timeval time = { .tv_usec = ms * 1000 };
	struct itimerval timer = { time, time };

	MUST(setitimer(ITIMER_REAL, &timer, NULL));
}

static struct daxstack_state get_state(void)
{
	struct daxstack_state state;

	MUST(ioctl(world.fd, DAXSTACK_IOC_STATE, &state));
	return state;
}

static void check_answer(const struct daxstack_switch *in,
			 const struct daxstack_switch *out, int err,
			 unsigned int reason, const struct daxstack_state *before)
{
	bool deferred = reason == DAXSTACK_REASON_NEVER;
	bool switched = !reason && world.mode != (int)in->mode;
	struct daxstack_state after = get_state();

	if (!reason && is_passing(err, out->reason)) {
		fuzz_passing();
		reason = out->reason;
		switched = false;
	}
	fuzz_errno(deferred ? 0 : reason_errno[reason], err);
	fuzz_check(out->reason == reason, "expected reason %s, seen %s",
		   dxs_reason_name(reason), dxs_reason_name(out->reason));
	fuzz_check(out->switched == switched && out->deferred == deferred,
		   "switched %u, deferred %u", out->switched, out->deferred);
	fuzz_check(in->mode == out->mode && in->timeout_ms == out->timeout_ms &&
		   !out->flags && !out->pad && !out->reserved[0] &&
		   !out->reserved[1], "an input has changed");
	fuzz_check(after.switches - before->switches == switched &&
		   after.refusals - before->refusals == !!err,
		   "switches %u to %u, refusals %u to %u", before->switches,
		   after.switches, before->refusals, after.refusals);
	if (!err)
		expect_done(in->mode, reason);
}

static void fuzz_switch(void)
{
	static const int32_t timeouts[] = { 0, 0, 0, 1, 7, 20, INT_MAX, -1 };
	struct where w = pick_place(sizeof(struct daxstack_switch));
	struct daxstack_switch arg = {
		.mode = below(2), .timeout_ms = PICK(timeouts),
		/* Outputs, with random contents. */
		.reason = rnd(), .attempts = rnd(), .switched = rnd(),
		.pages = rnd(), .shut_ns = rnd(), .deferred = rnd(),
	};
	struct daxstack_state before = get_state();
	unsigned int reason = expected_reason(arg.mode, world.map || w.own_map);
	bool bad = one_in(4), stranger = one_in(8), blocked;
	struct daxstack_switch out;
	int err;

	if (bad)
		make_bad(&arg);
	/* The request waits for something permanent. */
	blocked = !bad && !stranger && w.writable &&
		reason_errno[reason] == EBUSY &&
		(arg.timeout_ms < 0 || arg.timeout_ms > 20);
	if (blocked)
		reason = DAXSTACK_REASON_INTERRUPTED;
	if (stranger)
		reason = DAXSTACK_REASON_NOT_OWNER;
	fuzz_case(bad ? FUZZ_SWITCH_BAD : w.writable ? FUZZ_SWITCH :
		  FUZZ_SWITCH_PTR,
		  "pointer %s (%p), mode %u, timeout %d, flags %#x, pad %#x, reserved %#llx %#llx; switch=%s, file in mode %d with flag %d, blocks %d, mapped %d, stranger %d",
		  place_names[w.place], w.at, arg.mode, arg.timeout_ms,
		  arg.flags, arg.pad, arg.reserved[0], arg.reserved[1],
		  world.policy, world.mode, world.flag, world.blocks,
		  world.mapped, stranger);
	put_arg(&w, &arg);
	/* Also for a bad request, in case it is accepted. */
	if (blocked || bad)
		set_alarm(5);
	err = call(stranger, DAXSTACK_IOC_SWITCH, w.at);
	if (blocked || bad)
		set_alarm(0);
	take_arg(&w, &out);
	if (!w.writable)
		fuzz_check(err == EFAULT || (bad && w.readable && err == EINVAL),
			   "seen errno %d", err);
	else if (bad)
		fuzz_check(err == EINVAL && out.reason == DAXSTACK_REASON_NONE,
			   "errno %d, reason %u", err, out.reason);
	else
		check_answer(&arg, &out, err, reason, &before);
}

static void fuzz_state(void)
{
	struct where w = pick_place(sizeof(struct daxstack_state));
	unsigned int flags = world.flag ? DAXSTACK_STATE_FLAG : 0;
	bool mapped = world.map || w.own_map, stranger = one_in(4);
	struct daxstack_state out;
	unsigned int reason;
	int err;

	if (mapped)
		flags |= DAXSTACK_STATE_MAPPED;
	if (world.mapped == SYNC)
		flags |= DAXSTACK_STATE_MAP_SYNC;
	fuzz_case(w.writable ? FUZZ_STATE : FUZZ_STATE_PTR,
		  "pointer %s (%p); switch=%s, blocks %d, mapped %d",
		  place_names[w.place], w.at, world.policy, world.blocks,
		  world.mapped);
	memset(&out, 0xff, sizeof(out));
	put_arg(&w, &out);
	err = call(stranger, DAXSTACK_IOC_STATE, w.at);
	take_arg(&w, &out);
	if (!fuzz_errno(w.writable ? 0 : EFAULT, err) || err)
		return;
	reason = expected_reason(!world.mode, mapped);
	if (stranger) {
		flags &= DAXSTACK_STATE_FLAG;
		flags |= DAXSTACK_STATE_WITHHELD;
		if (reason == DAXSTACK_REASON_MAPPED ||
		    reason == DAXSTACK_REASON_MAP_SYNC)
			reason = DAXSTACK_REASON_NOT_OWNER;
		fuzz_check(!out.pages && !(out.flags & DAXSTACK_STATE_GATED),
			   "shown to another user: pages %llu, flags %#x",
			   (unsigned long long)out.pages, out.flags);
	}
	fuzz_check((int)out.mode == world.mode &&
		   (out.flags & ~DAXSTACK_STATE_GATED) == flags,
		   "mode %u, flags %#x", out.mode, out.flags);
	fuzz_check(out.reason == reason, "reason %s",
		   dxs_reason_name(out.reason));
	fuzz_check(!out.pad && !out.reserved[0] && !out.reserved[1] &&
		   !out.reserved[2], "reserved is not 0");
}

/* --- Other descriptors, other ioctl numbers. */

static void fuzz_descriptor(void)
{
	static const struct {
		const char *path;
		int flags;
		int err;
	} files[] = {
		{ "stack",		O_RDONLY | O_DIRECTORY, ENOTTY },
		{ "stack/dir",		O_RDONLY,	ENOTTY },
		{ "stack/fifo",		O_RDWR,		ENOTTY },
		{ "stack/null",		O_RDWR,		ENOTTY },
		{ "stack/file",		O_PATH,		EBADF },
		{ "stack/socket",	O_PATH,		EBADF },
		{ "stack/link",		O_PATH | O_NOFOLLOW, EBADF },
		{ "plain",		O_RDWR | O_CREAT, ENOTTY },
		{ "/proc/self/stat",	O_RDONLY,	ENOTTY },
		{ NULL,			0,		EBADF },
	};
	struct daxstack_switch arg = { .mode = below(2) };
	unsigned int cmd = one_in(2) ? DAXSTACK_IOC_SWITCH : DAXSTACK_IOC_STATE;
	size_t i = below(ARRAY_SIZE(files));
	int fd = -1;

	fuzz_case(FUZZ_FD, "%s, cmd %#x", files[i].path ?: "none", cmd);
	if (files[i].path)
		fd = MUST(open(files[i].path, files[i].flags, 0644));
	else if (one_in(2))
		fd = 12345;
	fuzz_errno(files[i].err, ERR(ioctl(fd, cmd, &arg)));
	if (files[i].path)
		close(fd);
}

static void fuzz_unknown(void)
{
	static const uint8_t types[] = { 0xDA, 0xDA, 0xDA, 0xD9, 0xDB, 0xff };
	static const size_t sizes[] = {
		0, 1, 4, sizeof(struct daxstack_switch) - 8,
		sizeof(struct daxstack_switch),
		sizeof(struct daxstack_switch) + 8,
		sizeof(struct daxstack_state), 0x3fff,
	};
	struct where w = pick_place(sizeof(struct daxstack_switch));
	struct daxstack_switch arg = { .mode = !world.mode }, out;
	unsigned int cmd;

	do {
		cmd = _IOC(below(4), PICK(types),
			   one_in(2) ? below(4) : below(256),
			   one_in(4) ? below(0x4000) : PICK(sizes));
	} while (cmd == DAXSTACK_IOC_SWITCH || cmd == DAXSTACK_IOC_STATE);
	fuzz_case(FUZZ_UNKNOWN, "cmd %#x", cmd);
	put_arg(&w, &arg);
	fuzz_errno(ENOTTY, call(false, cmd, w.at));
	take_arg(&w, &out);
}

/* --- Attributes. */

/*
 * Checks a call that asks for a mode and, if @rest, for other attributes.
 *
 * Return: whether the call must have had no effect.
 */
static bool check_attributes(int err, int to, bool rest, bool stranger,
			     const struct where *w)
{
	unsigned int reason = expected_reason(to, world.map || w->own_map);
	/* Semantics, 6: this does not request a switch. */
	bool leaves_mode = rest && to == world.flag;

	if (!w->readable)
		fuzz_errno(EFAULT, err);
	else if (stranger)
		fuzz_errno(EPERM, err);
	else if (err == EBUSY && !reason)
		fuzz_passing();
	else if (leaves_mode || rest)
		/*
		 * Which other attributes are valid depends on the lower
		 * filesystem.
		 */
		fuzz_check(err || leaves_mode || !reason ||
			   reason == DAXSTACK_REASON_NEVER,
			   "expected %s", dxs_reason_name(reason));
	else
		fuzz_errno(reason == DAXSTACK_REASON_NEVER ? 0 :
			   reason_errno[reason], err);
	if (!err && !leaves_mode)
		expect_done(to, reason);
	return err;
}

static void fuzz_xattr(void)
{
	struct where w = pick_place(sizeof(struct fsxattr));
	bool stranger = one_in(8), rest;
	struct fsxattr old, arg, out, now;
	int err;

	MUST(ioctl(world.fd, FS_IOC_FSGETXATTR, &old));
	arg = old;
	if (one_in(2))
		arg.fsx_xflags ^= FS_XFLAG_DAX;
	while (one_in(2))
		arg.fsx_xflags ^= 1u << below(32);
	if (one_in(8))
		arg.fsx_projid = below(4);
	if (one_in(8))
		arg.fsx_extsize = one_in(2) ? (uint32_t)rnd() : below(4) * PAGE;
	if (one_in(8))
		arg.fsx_cowextsize = one_in(2) ? (uint32_t)rnd() : PAGE;
	rest = (arg.fsx_xflags ^ old.fsx_xflags) & ~FS_XFLAG_DAX ||
		arg.fsx_projid != old.fsx_projid ||
		arg.fsx_extsize != old.fsx_extsize ||
		arg.fsx_cowextsize != old.fsx_cowextsize;
	fuzz_case(FUZZ_XATTR,
		  "pointer %s (%p), xflags %#x -> %#x, projid %u, extsize %u, cowextsize %u; switch=%s, blocks %d, mapped %d, stranger %d",
		  place_names[w.place], w.at, old.fsx_xflags, arg.fsx_xflags,
		  arg.fsx_projid, arg.fsx_extsize, arg.fsx_cowextsize,
		  world.policy, world.blocks, world.mapped, stranger);
	put_arg(&w, &arg);
	err = call(stranger, FS_IOC_FSSETXATTR, w.at);
	take_arg(&w, &out);
	MUST(ioctl(world.fd, FS_IOC_FSGETXATTR, &now));
	if (check_attributes(err, !!(arg.fsx_xflags & FS_XFLAG_DAX), rest,
			     stranger, &w)) {
		/* Writeback may add extents. */
		now.fsx_nextents = old.fsx_nextents;
		fuzz_check(!memcmp(&now, &old, sizeof(now)),
			   "errno %d, and xflags %#x, projid %u, extsize %u, cowextsize %u",
			   err, now.fsx_xflags, now.fsx_projid,
			   now.fsx_extsize, now.fsx_cowextsize);
	} else if (rest) {
		old.fsx_xflags &= ~FS_XFLAG_DAX;
		old.fsx_xflags |= now.fsx_xflags & FS_XFLAG_DAX;
		err = ERR(ioctl(world.fd, FS_IOC_FSSETXATTR, &old));
		fuzz_check(!err, "set back: errno %d", err);
	}
}

static void fuzz_flags(void)
{
	/* ext4 may convert the file as well, and leave it half converted. */
	const int big = FS_EXTENT_FL | FS_JOURNAL_DATA_FL;
	struct where w = pick_place(sizeof(int));
	bool stranger = one_in(8), rest;
	int old = 0, arg, out, now = 0, err;

	MUST(ioctl(world.fd, FS_IOC_GETFLAGS, &old));
	arg = old;
	if (one_in(2))
		arg ^= FS_DAX_FL;
	while (one_in(2))
		arg ^= 1u << below(32);
	/* ext4 accepts both at once, and then refuses to clear either. */
	if (arg & FS_DAX_FL)
		arg &= ~FS_JOURNAL_DATA_FL;
	rest = (arg ^ old) & ~FS_DAX_FL;
	fuzz_case(FUZZ_FLAGS,
		  "pointer %s (%p), flags %#x -> %#x; switch=%s, blocks %d, mapped %d, stranger %d",
		  place_names[w.place], w.at, old, arg, world.policy,
		  world.blocks, world.mapped, stranger);
	put_arg(&w, &arg);
	err = call(stranger, FS_IOC_SETFLAGS, w.at);
	take_arg(&w, &out);
	MUST(ioctl(world.fd, FS_IOC_GETFLAGS, &now));
	if (check_attributes(err, !!(arg & FS_DAX_FL), rest, stranger, &w))
		fuzz_check(now == old || (arg ^ old) & big,
			   "errno %d, and flags %#x", err, now);
	if (rest && now != old) {
		old = (old & ~FS_DAX_FL) | (now & FS_DAX_FL);
		err = ERR(ioctl(world.fd, FS_IOC_SETFLAGS, &old));
		fuzz_check(!err, "set back: errno %d", err);
	}
}

/* --- A round. */

static void make_files(void)
{
	mode_t kinds[] = { S_IFIFO, S_IFSOCK, S_IFCHR };
	const char *const names[] = { "stack/fifo", "stack/socket", "stack/null" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (mknod(names[i], kinds[i] | 0644, 0x103) && errno != EEXIST)
			dxs_bail("%s: %m", names[i]);
	mkdir("stack/dir", 0755);
	(void)!symlink("file", "stack/link");
	unlink("stack/file");
}

static void begin_world(void)
{
	static const char *const policies[] = {
		"live", "live", "unmapped", "empty", "never",
	};
	static const int map_flags[] = {
		[SHARED] = MAP_SHARED, [PRIVATE] = MAP_PRIVATE,
		[SYNC] = MAP_SHARED_VALIDATE | MAP_SYNC,
	};
	char option[32];

	dxs_mount_stack();
	make_files();
	world.policy = PICK(policies);
	world.mapped = one_in(2) ? NOT_MAPPED : below(4);
	world.blocks = !one_in(3);
	world.fd = MUST(open("stack/file", O_RDWR | O_CREAT | O_EXCL, 0644));
	world.mode = world.mapped == SYNC || one_in(2) ? DAXSTACK_DAX :
							 DAXSTACK_CACHED;
	world.flag = world.mode;
	dxs_to(world.fd, world.mode, "a new file");
	if (world.blocks) {
		dxs_fill(kept, KEPT, 1, 0);
		dxs_pwrite(world.fd, kept, KEPT, 0);
		dxs_pwrite(world.fd, kept, PAGE, KEPT);
	}
	world.map = NULL;
	if (world.mapped)
		world.map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE,
				      map_flags[world.mapped], world.fd, 0));
	snprintf(option, sizeof(option), "switch=%s", world.policy);
	dxs_remount(option);
}

void fuzz_ioctls(int cases)
{
	static void (*const kinds[])(void) = {
		fuzz_switch, fuzz_switch, fuzz_switch, fuzz_switch, fuzz_state,
		fuzz_descriptor, fuzz_unknown, fuzz_xattr, fuzz_xattr,
		fuzz_flags,
	};
	struct sigaction action = { .sa_handler = on_alarm };

	MUST(sigaction(SIGALRM, &action, NULL));
	if (!arena)
		arena = MUST(mmap(NULL, 3 * PAGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	MUST(mprotect(arena, PAGE, PROT_READ | PROT_WRITE));
	begin_world();
	while (cases--) {
		PICK(kinds)();
		check_file();
	}
	if (world.map)
		MUST(munmap(world.map, LEN));
	close(world.fd);
	dxs_umount_stack();
}
