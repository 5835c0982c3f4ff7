// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: permissions, and which operations clear set-ID bits and capabilities.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "parity.h"

static void mode_is(const char *name)
{
	struct stat st;

	MUST(lstat(name, &st));
	note("%s: mode %o, of %d, %d", name, st.st_mode, st.st_uid, st.st_gid);
}

/* --- Permission bits. */

static void as_other(void)
{
	struct stat st;

	TELL_FD(open("mine", O_RDONLY));
	TELL_FD(open("mine", O_WRONLY));
	TELL_FD(open("readable", O_RDONLY));
	TELL_FD(open("readable", O_RDWR));
	TELL_FD(open("readable", O_RDONLY | O_TRUNC));
	TELL_FD(open("readable", O_RDONLY | O_NOATIME));
	TELL(truncate("readable", 0));
	TELL(chmod("readable", 0666));
	TELL(chown("readable", NOBODY, NOBODY));
	TELL(chown("readable", -1, -1));
	TELL(access("readable", R_OK));
	TELL(access("readable", W_OK));
	TELL(access("readable", X_OK));
	TELL(stat("closed/file", &st));
	TELL_FD(open("closed", O_RDONLY));
	TELL(unlink("closed/file"));
	TELL(mkdir("closed/new", 0755));
	TELL_FD(open("searched/file", O_RDONLY));
	TELL_FD(open("searched", O_RDONLY));
	TELL(unlink("searched/file"));
	TELL(rename("readable", "moved"));
	TELL(link("readable", "linked"));
	TELL(setxattr("readable", "user.x", "x", 1, 0));
	TELL_FD(open("sticky/own", O_CREAT | O_WRONLY, 0644));
	TELL(unlink("sticky/of root"));
	TELL(rename("sticky/of root", "sticky/new"));
	TELL(rename("sticky/own", "sticky/of root"));
	TELL(unlink("sticky/own"));
}

/* The owner may not read the file but may change its mode. */
static void as_owner(void)
{
	int fd;

	TELL_FD(open("own", O_RDONLY));
	TELL(chmod("own", 0600));
	fd = TELL_FD(open("own", O_RDWR));
	TELL(fchmod(fd, 0));
	TELL(write(fd, "x", 1));
	TELL_FD(open("own", O_RDONLY));
	TELL_FD(open("new, and not writable", O_CREAT | O_WRONLY, 0));
	TELL(chown("own", 0, -1));
	TELL(chown("own", -1, 0));
	close(fd);
}

void run_permissions(void)
{
	MUST(chmod(".", 0777));
	close(make_file("mine", 10));
	MUST(chmod("mine", 0600));
	close(make_file("readable", 10));
	MUST(mkdir("closed", 0700));
	close(make_file("closed/file", 10));
	MUST(mkdir("searched", 0711));
	close(make_file("searched/file", 10));
	MUST(mkdir("sticky", 01777));
	MUST(chmod("sticky", 01777));
	close(make_file("sticky/of root", 10));
	close(make_file("own", 10));
	MUST(chown("own", SOMEONE, SOMEONE));
	MUST(chmod("own", 0));
	MUST(chmod(".", 0755));
	as_user(NOBODY, as_other);
	MUST(chmod(".", 0777));
	as_user(SOMEONE, as_owner);
	mode_is("own");
	mode_is("new, and not writable");
	umask(0);
	MUST(mkdir("all", 07777));
	mode_is("all");
	close(MUST(open("none", O_CREAT | O_WRONLY, 07777)));
	mode_is("none");
	umask(077);
	MUST(mkfifo("fifo", 0666));
	mode_is("fifo");
}

/* --- setuid, setgid. */

static void set_bits(const char *name)
{
	MUST(chown(name, SOMEONE, SOMEONE));
	MUST(chmod(name, 06777));
}

static int open_bits;

static void bits_write(void)
{
	TELL(pwrite(open_bits, "x", 1, 0));
}

static void bits_write_direct(void)
{
	void *buf = dxs_alloc(PAGE);
	int fd = MUST(open("bits", O_WRONLY | O_DIRECT));

	TELL(pwrite(fd, buf, PAGE, 0));
}

static void bits_store(void)
{
	char *map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			      open_bits, 0));

	map[0] = 'x';
}

static void bits_truncate(void)
{
	TELL(ftruncate(open_bits, 3 * PAGE));
}

static void bits_open_truncate(void)
{
	TELL_FD(open("bits", O_WRONLY | O_TRUNC));
}

static void bits_allocate(void)
{
	TELL(fallocate(open_bits, 0, 0, 4 * PAGE));
}

static void bits_punch(void)
{
	TELL(fallocate(open_bits, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       0, PAGE));
}

static void bits_copy(void)
{
	TELL(copy_file_range(MUST(open("from", O_RDONLY)), NULL, open_bits,
			     NULL, 10, 0));
}

static void bits_splice(void)
{
	int ends[2];

	MUST(pipe(ends));
	MUST(write(ends[1], "text", 4));
	TELL(splice(ends[0], NULL, open_bits, NULL, 4, 0));
}

static void bits_nothing(void)
{
	TELL(pwrite(open_bits, "", 0, 0));
}

static const struct {
	const char *name;
	void (*run)(void);
} bits[] = {
	{ "write", bits_write },
	{ "direct write", bits_write_direct },
	{ "store", bits_store },
	{ "ftruncate", bits_truncate },
	{ "O_TRUNC", bits_open_truncate },
	{ "fallocate", bits_allocate },
	{ "punch", bits_punch },
	{ "copy_file_range", bits_copy },
	{ "splice", bits_splice },
	{ "nothing written", bits_nothing },
};

static void in_group(void)
{
	TELL(mkdir("group/dir", 0755));
	mode_is("group/dir");
	TELL_FD(open("group/file", O_CREAT | O_WRONLY, 02775));
	mode_is("group/file");
	TELL_FD(open("group/plain", O_CREAT | O_WRONLY, 0644));
	mode_is("group/plain");
	TELL(mknod("group/fifo", S_IFIFO | 02755, 0));
	mode_is("group/fifo");
	TELL(chmod("group/file", 02775));
	mode_is("group/file");
	TELL(chmod("group/dir", 02775));
	mode_is("group/dir");
	TELL_FD(open("group", O_TMPFILE | O_WRONLY, 02775));
}

void run_special_bits(void)
{
	size_t i;

	close(make_file("from", PAGE));
	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		note("%s", bits[i].name);
		open_bits = make_file("bits", 2 * PAGE);
		set_bits("bits");
		bits[i].run();
		mode_is("bits");
		set_bits("bits");
		as_user(NOBODY, bits[i].run);
		mode_is("bits");
		/* Without group execute permission it is not set-group-ID. */
		MUST(chmod("bits", 02767));
		as_user(NOBODY, bits[i].run);
		mode_is("bits");
		close(open_bits);
		MUST(unlink("bits"));
	}
	close(make_file("bits", 10));
	set_bits("bits");
	TELL(chown("bits", 0, 0));
	mode_is("bits");
	MUST(mkdir("dir", 0755));
	MUST(chmod("dir", 06755));
	TELL(chown("dir", SOMEONE, SOMEONE));
	mode_is("dir");

	MUST(mkdir("group", 0777));
	MUST(chown("group", 0, 4711));
	MUST(chmod("group", 02777));
	as_user(SOMEONE, in_group);
}

/* --- File capabilities. */

static const char some_caps[] = {
	/* Revision 2, CAP_NET_RAW permitted. */
	0, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};

#define CAPS	"security.capability"

static void caps_are(void)
{
	char buf[64];

	TELL(getxattr("bits", CAPS, buf, sizeof(buf)));
}

static void set_caps(void)
{
	TELL(setxattr("bits", CAPS, some_caps, sizeof(some_caps), 0));
}

void run_capabilities(void)
{
	size_t i;

	close(make_file("from", PAGE));
	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		note("%s", bits[i].name);
		open_bits = make_file("bits", 2 * PAGE);
		MUST(chmod("bits", 0666));
		set_caps();
		bits[i].run();
		caps_are();
		set_caps();
		as_user(NOBODY, bits[i].run);
		caps_are();
		close(open_bits);
		MUST(unlink("bits"));
	}
	close(make_file("bits", 10));
	set_caps();
	TELL(chmod("bits", 0755));
	caps_are();
	TELL(rename("bits", "b"));
	TELL(rename("b", "bits"));
	caps_are();
	TELL(chown("bits", SOMEONE, SOMEONE));
	caps_are();
	TELL(setxattr("bits", CAPS, "x", 1, 0));
	as_user(SOMEONE, set_caps);
}
