// SPDX-License-Identifier: GPL-2.0-only
/*
 * idmap: a container: root of a user namespace with its root directory on the
 * idmapped mount, running ordinary programs.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "idmap.h"

#define SCRIPT								\
	"set -e; export PATH=/bin; /bin/busybox --install -s /bin\n"		\
	"mkdir -p home/user var/tmp; chmod 1777 var/tmp\n"		\
	"chown 1000:1000 home/user\n"					\
	"echo 1 >home/user/file; chown 1000:1000 home/user/file\n"	\
	"chmod 4750 home/user/file; ln home/user/file home/user/link\n"	\
	"mkfifo var/fifo; mv var/fifo home/fifo; ln -s x home/symlink\n" \
	"tar cf var/home.tar home; rm -r home\n"			\
	"tar xpf var/home.tar; cp -a home home2\n"			\
	"rm var/home.tar; ls -nR home home2 | sed -e /^total/d -e 's/ [A-Z][a-z][a-z] .* / /'\n"

static void in_root(void)
{
	char out[4096] = "", *line, *rest = out;
	int status;

	TRY(mknod("dev", S_IFCHR | 0666, makedev(1, 3)));
	TRY(mkdir("own", 0755));
	TRY(chown("own", 1000, 1000));
	TRY(chown("own", 20000, 0));
	note_stat("own");
	note_stat("/");
	if (as(1000, 1000, 0)) {
		TRY(mkdir("/own/dir", 0755));
		TRY(mkdir("/bin/dir", 0755));
		TRY(rmdir("/own/dir"));
		TRY(rmdir("/own"));
		done();
	}
	status = DXS_RUN_READ(out, sizeof(out), "/bin/busybox", "sh", "-c",
			      SCRIPT);
	note("the script: %d", status);
	while ((line = strsep(&rest, "\n")))
		note("  %s", line);
}

void test_container(void)
{
	MUST(mkdir("plain/root", 0755));
	MUST(mkdir("plain/root/bin", 0755));
	copy_file("/bin/busybox", "plain/root/bin/busybox");
	MUST(chown("plain/root", 0, 0));
	if (as_container(A(0))) {
		TRY(chroot("a/root"));
		MUST(chdir("/"));
		in_root();
		done();
	}
	note_stat("plain/root/own");
	note_stat("plain/root/home/user/file");
	note_stat("plain/root/home/fifo");
	note_stat("a/root/home2/user/link");
	note_stat("b/root/home2/user/link");
	/*
	 * On the mount without idmap, the container's root is an unmapped user.
	 */
	if (as_container(A(0))) {
		note_stat("plain/root");
		note_stat("a/root");
		TRY(mkdir("plain/root/new", 0755));
		TRY(unlink("plain/root/home/fifo"));
		TRY(chown("plain/root/own", 0, 0));
		TRY(chmod("plain/root/own", 0777));
		TRY(rename("a/root/home", "a/root/home3"));
		done();
	}
	note_stat("plain/root/home3/user/file");
}
