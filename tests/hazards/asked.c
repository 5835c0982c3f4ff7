// SPDX-License-Identifier: GPL-2.0-only
/*
 * H80: permission checks on a lower inode beyond its mode: ACLs, and BPF
 * programs attached while the stack is mounted. Also leases and write access of
 * lower files that the stack has open.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hazards.h"

enum { USER = 1234 };

/* --- The mode and ACL of the lower inode change. */

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

/*
 * Sets an ACL, as an extended attribute, that denies @user everything. The mode
 * stays 0755.
 */
static void deny(const char *path, uint32_t user)
{
	struct {
		uint32_t version;
		struct acl_entry entries[5];
	} acl = {
		.version = 2,
		.entries = {
			{ 0x01, 7, -1 }, { 0x02, 0, user }, { 0x04, 5, -1 },
			{ 0x10, 5, -1 }, { 0x20, 5, -1 },
		},
	};

	MUST(setxattr(path, "system.posix_acl_access", &acl, sizeof(acl), 0));
}

static int stat_as(const char *path, uid_t user)
{
	pid_t pid = MUST(fork());
	struct stat st;
	int status;

	if (!pid) {
		if (setgid(user) || setuid(user))
			_exit(255);
		_exit(stat(path, &st) ? errno : 0);
	}
	MUST(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void rights_below(const char *how)
{
	MUST(mkdir("lower/h80", 0755));
	MUST(mknod("lower/h80/file", S_IFREG | 0644, 0));
	/* Twice, so that the lower inode caches that it has no ACL. */
	stat_as("stack/h80/file", USER);
	dxs_errno(0, stat_as("stack/h80/file", USER),
		  "H80, %s: mode 0755 lets any user in",
		  how);
	deny("lower/h80", USER);
	dxs_errno(EACCES, stat_as("stack/h80/file", USER),
		  "H80, %s: ACL added on the lower fs denies the user", how);
	dxs_errno(0, stat_as("stack/h80/file", USER + 1),
		  "H80, %s: the ACL does not affect another user", how);
	MUST(removexattr("lower/h80", "system.posix_acl_access"));
	MUST(chmod("lower/h80", 0700));
	dxs_errno(EACCES, stat_as("stack/h80/file", USER),
		  "H80, %s: mode narrowed on the lower fs denies access", how);
	MUST(chown("lower/h80", USER, 0));
	dxs_errno(0, stat_as("stack/h80/file", USER),
		  "H80, %s: the lower owner has access", how);
	MUST(chown("lower/h80", USER + 1, 0));
	dxs_errno(EACCES, stat_as("stack/h80/file", USER),
		  "H80, %s: the former lower owner has no access", how);
	MUST(unlink("lower/h80/file"));
	MUST(rmdir("lower/h80"));
}

/* --- A BPF program attached to the permission hook. */

static long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* Returns the size of the data that follows a BTF type. */
static size_t btf_more(const struct btf_type *type)
{
	size_t count = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return 8 * count;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		return 12 * count;
	default:
		return 0;
	}
}

/* Returns the BTF id of the function @name, or 0. */
static int btf_function(const char *name)
{
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	const struct btf_header *header;
	const char *strings, *pos, *end;
	int id, found = 0;
	struct stat st;
	char *data;
	size_t len;

	if (fd < 0)
		return 0;
	MUST(fstat(fd, &st));
	data = dxs_alloc(st.st_size);
	for (len = 0; len < (size_t)st.st_size;) {
		ssize_t got = MUST(read(fd, data + len, st.st_size - len));

		if (!got)
			break;
		len += got;
	}
	close(fd);
	header = (const void *)data;
	pos = data + header->hdr_len + header->type_off;
	end = pos + header->type_len;
	strings = data + header->hdr_len + header->str_off;
	for (id = 1; pos < end && !found; id++) {
		const struct btf_type *type = (const void *)pos;

		if (BTF_INFO_KIND(type->info) == BTF_KIND_FUNC &&
		    !strcmp(strings + type->name_off, name))
			found = id;
		pos += sizeof(*type) + btf_more(type);
	}
	free(data);
	return found;
}

#define INSN(op, to, from, jump, value) \
	{ .code = (op), .dst_reg = (to), .src_reg = (from), .off = (jump), \
	  .imm = (value) }

/* BPF program types that can deny a permission check. */
static const struct way {
	const char *name, *function;
	int type, attach;
} ways[] = {
	{ "LSM", "bpf_lsm_inode_permission", BPF_PROG_TYPE_LSM, BPF_LSM_MAC },
	{ "fmod_ret", "security_inode_permission", BPF_PROG_TYPE_TRACING,
	  BPF_MODIFY_RETURN },
};

/*
 * Attaches a program that counts in @map the checks of this process. Return:
 * the link, or -1.
 */
static int attach(const struct way *way, int map)
{
	struct bpf_insn insns[] = {
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0,
		     BPF_FUNC_get_current_pid_tgid),
		INSN(BPF_ALU64 | BPF_RSH | BPF_K, 0, 0, 0, 32),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 9, getpid()),
		INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),
		INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, 0, BPF_ADD),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr load = {
		.prog_type = way->type,
		.expected_attach_type = way->attach,
		.insns = (uintptr_t)insns,
		.insn_cnt = ARRAY_SIZE(insns),
		.license = (uintptr_t)"GPL",
		.attach_btf_id = btf_function(way->function),
	};
	union bpf_attr open = {};
	int program, link;

	if (!load.attach_btf_id)
		return -1;
	program = bpf(BPF_PROG_LOAD, &load);
	if (program < 0)
		return -1;
	open.raw_tracepoint.prog_fd = program;
	link = bpf(BPF_RAW_TRACEPOINT_OPEN, &open);
	close(program);
	return link;
}

static uint64_t count_calls(int map, const char *path)
{
	uint64_t count[2] = {};
	uint32_t key = 0;
	union bpf_attr look = {
		.map_fd = map,
		.key = (uintptr_t)&key,
	};
	struct stat st;

	look.value = (uintptr_t)&count[0];
	MUST(bpf(BPF_MAP_LOOKUP_ELEM, &look));
	MUST(stat(path, &st));
	look.value = (uintptr_t)&count[1];
	MUST(bpf(BPF_MAP_LOOKUP_ELEM, &look));
	return count[1] - count[0];
}

static void program(const struct way *way)
{
	union bpf_attr make = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 1,
	};
	int map = bpf(BPF_MAP_CREATE, &make), link;
	uint64_t lower, stack;
	struct stat st;

	MUST(mkdir("lower/h80", 0755));
	MUST(mknod("lower/h80/file", S_IFREG | 0644, 0));
	/* Cached, so that the lookup takes the fast path. */
	MUST(stat("stack/h80/file", &st));
	MUST(stat("stack/h80/file", &st));
	link = map < 0 ? -1 : attach(way, map);
	if (link < 0) {
		dxs_skip("cannot attach the program",
			 "H80: a program, %s", way->name);
	} else {
		count_calls(map, "lower/h80/file");
		lower = count_calls(map, "lower/h80/file");
		stack = count_calls(map, "stack/h80/file");
		/*
		 * One call each for the stack's root and directory and their
		 * lower inodes.
		 */
		if (!dxs_ok(lower && stack == lower + 2,
			    "H80: BPF program is also called for lower inodes, %s",
			    way->name))
			dxs_diag("%llu calls on the lower filesystem, %llu on the stack",
				 (unsigned long long)lower,
				 (unsigned long long)stack);
		close(link);
	}
	if (map >= 0)
		close(map);
	MUST(unlink("lower/h80/file"));
	MUST(rmdir("lower/h80"));
}

/* --- How an open file of the stack counts on the lower filesystem. */

static void open_counts_on_lower(void)
{
	int fd, lower;

	close(MUST(open("lower/h80", O_RDWR | O_CREAT | O_CLOEXEC, 0755)));
	fd = MUST(open("stack/h80", O_WRONLY | O_CLOEXEC));
	lower = MUST(open("lower/h80", O_RDONLY | O_CLOEXEC));
	dxs_errno(EAGAIN, ERR(fcntl(lower, F_SETLEASE, F_RDLCK)),
		  "H80: no read lease on a lower file that the stack writes");
	if (dxs_kernel_from(6, 5))
		dxs_errno(EBUSY,
			  ERR(mount(NULL, "lower", NULL,
				    MS_REMOUNT | MS_RDONLY, "dax=inode")),
			  "H80: lower fs with a file open for writing does not go read-only");
	close(fd);
	dxs_errno(0, ERR(fcntl(lower, F_SETLEASE, F_RDLCK)),
		  "H80: no writer is left after close(2)");
	fd = open("stack/h80", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	dxs_errno(EAGAIN, fd < 0 ? errno : 0,
		  "H80: open for writing first breaks a lower lease");
	if (fd >= 0)
		close(fd);
	MUST(fcntl(lower, F_SETLEASE, F_UNLCK));
	close(lower);
	MUST(unlink("lower/h80"));
}

void h80_nobody_else(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	size_t i;

	MUST(sigaction(SIGIO, &ignore, NULL));
	dxs_mount_lower();
	rights_below("mounted twice");
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		program(&ways[i]);
	open_counts_on_lower();
	dxs_umount_stack();
	MUST(dxs_mount("lower", "stack", "daxstack", "rw") ? -1 : 0);
	rights_below("a directory");
	dxs_umount_stack();
	dxs_umount_lower();
	dxs_mount_stack();
	ignore.sa_handler = SIG_DFL;
	MUST(sigaction(SIGIO, &ignore, NULL));
}
