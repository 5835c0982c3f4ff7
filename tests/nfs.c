// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stack exported by the kernel's NFS server and mounted by its client over
 * loopback, with NFS 3 and 4.2. Files are switched meanwhile; asserts that
 * contents and names agree on both sides.
 *
 * The test does the work of rpc.nfsd, exportfs, rpc.mountd and rpcbind itself:
 * it tells the server of one export and one client.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/nfs_mount.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dxs_test.h"

#define LEN	(64 * PAGE)
#define NFS_PORT	2049
#define RPCBIND_PORT	111
#define FOR_EVER	"2147483647"

/* Export flags, as in the kernel's nfsd/export.h. */
#define EXPORT_FLAGS	(0x0002 /* any port */ | 0x0400 /* no subtree check */ | \
			 0x2000 /* by number */)

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return errno;
	err = ERR(write(fd, text, strlen(text)));
	close(fd);
	return err;
}

static void tell(const char *path, const char *text)
{
	int err = write_to(path, text);

	if (err)
		dxs_bail("%s: %s: %s", path, text, strerror(err));
}

/* --- rpcbind, which answers yes to every request. */

static bool receive(int fd, void *buf, size_t len)
{
	return recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

static void *answer(void *arg)
{
	int fd = (long)arg;
	uint32_t head, call[1024], reply[8];

	while (receive(fd, &head, sizeof(head))) {
		size_t len = ntohl(head) & 0x7fffffff;

		if (len < sizeof(*call) || len > sizeof(call) ||
		    !receive(fd, call, len))
			break;
		/* xid; a reply, accepted, no verifier, result: true. */
		memset(reply, 0, sizeof(reply));
		reply[0] = htonl(0x80000000 | (sizeof(reply) - sizeof(head)));
		reply[1] = call[0];
		reply[2] = htonl(1);
		reply[7] = htonl(1);
		if (send(fd, reply, sizeof(reply), MSG_NOSIGNAL) < 0)
			break;
	}
	close(fd);
	return NULL;
}

static void *be_rpcbind(void *arg)
{
	int listener = (long)arg;
	pthread_t thread;
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0)
		if (pthread_create(&thread, NULL, answer, (void *)(long)fd))
			close(fd);
	return NULL;
}

static void start_rpcbind(void)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(RPCBIND_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	pthread_t thread;

	MUST(bind(fd, (struct sockaddr *)&at, sizeof(at)));
	MUST(listen(fd, 8));
	if (pthread_create(&thread, NULL, be_rpcbind, (void *)(long)fd))
		dxs_bail("cannot create a thread");
}

/* --- The server. */

static char export_path[256];

static void start_server(void)
{
	char line[512];

	start_rpcbind();
	/* The server records its clients there. */
	if (DXS_RUN("mkdir", "-p", "/var/lib/nfs/v4recovery"))
		dxs_bail("mkdir");
	MUST(mount("nfsd", "/proc/fs/nfsd", "nfsd", 0, NULL));
	tell("/proc/fs/nfsd/versions", "+3 +4 +4.1 +4.2\n");
	tell("/proc/fs/nfsd/nfsv4leasetime", "10\n");
	tell("/proc/fs/nfsd/nfsv4gracetime", "10\n");
	tell("/proc/fs/nfsd/portlist", "tcp 2049\n");
	tell("/proc/fs/nfsd/threads", "4\n");

	if (!realpath("stack", export_path))
		dxs_bail("stack: %m");
	tell("/proc/net/rpc/auth.unix.ip/channel",
	     "nfsd 127.0.0.1 " FOR_EVER " us\n");
	snprintf(line, sizeof(line), "us %s " FOR_EVER " %d 65534 65534 0\n",
		 export_path, EXPORT_FLAGS);
	tell("/proc/net/rpc/nfsd.export/channel", line);
	snprintf(line, sizeof(line), "us 1 \\x00000000 " FOR_EVER " %s\n",
		 export_path);
	tell("/proc/net/rpc/nfsd.fh/channel", line);
	/*
	 * Of a read reply, the other CPU may otherwise keep the page cache
	 * pages until its next network interrupt, however late that is
	 * (skb_attempt_defer_free() in net/core/skbuff.c). A switch finds
	 * them pinned.
	 */
	tell("/proc/sys/net/core/skb_defer_max", "0\n");
	/*
	 * No earlier clients exist, so the server need not wait for reclaims.
	 */
	write_to("/proc/fs/nfsd/v4_end_grace", "Y\n");
	write_to("/proc/fs/lockd/nlm_end_grace", "Y\n");
}

static void forget(const char *cache)
{
	char path[128], now[32];

	snprintf(path, sizeof(path), "/proc/net/rpc/%s/flush", cache);
	snprintf(now, sizeof(now), "%ld\n", (long)time(NULL) + 1);
	tell(path, now);
}

static void stop_server(void)
{
	tell("/proc/fs/nfsd/threads", "0\n");
	forget("auth.unix.ip");
	forget("nfsd.fh");
	forget("nfsd.export");
	MUST(umount2("/proc/fs/nfsd", 0));
}

/* The server releases the exported mount a little later. */
static void umount_exported(void)
{
	struct dxs_watch begin = dxs_watch();
	int err;

	while ((err = dxs_umount("stack")) == EBUSY &&
	       dxs_watched(&begin) < 60 * dxs_slow())
		dxs_sleep_ms(100);
	dxs_errno(0, err, "umount of the exported filesystem");
}

/* --- The client. */

static int mount_v4(const char *target)
{
	return ERR(mount("127.0.0.1:/", target, "nfs", 0,
			 "vers=4.2,proto=tcp,port=2049,sec=sys,actimeo=0,"
			 "addr=127.0.0.1,clientaddr=127.0.0.1"));
}

/* Returns the handle of the export's root, which rpc.mountd would give. */
static int root_handle(struct nfs3_fh *fh)
{
	char line[512], *digit;
	unsigned int byte;
	int fd = MUST(open("/proc/fs/nfsd/filehandle", O_RDWR | O_CLOEXEC));
	ssize_t len;

	len = snprintf(line, sizeof(line), "us %s 64\n", export_path);
	if (write(fd, line, len) != len) {
		int err = errno;

		close(fd);
		return err;
	}
	len = MUST(read(fd, line, sizeof(line) - 1));
	close(fd);
	line[len] = 0;
	digit = strstr(line, "\\x");
	if (!digit)
		return EPROTO;
	for (fh->size = 0; fh->size < sizeof(fh->data); fh->size++) {
		if (sscanf(digit + 2 + 2 * fh->size, "%2x", &byte) != 1)
			break;
		fh->data[fh->size] = byte;
	}
	return 0;
}

static int mount_v3(const char *target)
{
	struct nfs_mount_data data = {
		.version = NFS_MOUNT_VERSION,
		.flags = NFS_MOUNT_VER3 | NFS_MOUNT_TCP | NFS_MOUNT_NONLM |
			NFS_MOUNT_NOAC,
		.rsize = 65536,
		.wsize = 65536,
		.timeo = 600,
		.retrans = 2,
		.acregmin = 3,
		.acregmax = 60,
		.acdirmin = 30,
		.acdirmax = 60,
		.addr = {
			.sin_family = AF_INET,
			.sin_port = htons(NFS_PORT),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		},
		.hostname = "127.0.0.1",
		.namlen = 255,
	};
	int err = root_handle(&data.root);

	return err ?: ERR(mount("127.0.0.1:/", target, "nfs", 0, &data));
}

/* --- Operations through NFS. */

/*
 * Waits: the server sends page cache pages, which stay referenced until the
 * client has acknowledged them over TCP a little later.
 */
static void switch_to(int fd, int mode, const char *version)
{
	struct daxstack_switch sw;

	if (dxs_switch(fd, mode, 30000, &sw) || dxs_mode(fd) != mode)
		dxs_ok(false, "%s: to %s: reason %s", version,
		       dxs_mode_name(mode), dxs_reason_name(sw.reason));
}

static void write_all(int fd, uint32_t seed)
{
	static uint8_t buf[LEN];

	dxs_fill(buf, LEN, seed, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	MUST(fsync(fd));
}

static bool has_all(int fd, uint32_t seed, const char *where)
{
	static uint8_t expected[LEN], seen[LEN];

	dxs_fill(expected, LEN, seed, 0);
	dxs_pread(fd, seen, LEN, 0);
	return dxs_same(expected, seen, LEN, 0, where);
}

/* Written on either side and read on the other, in both modes. */
static void test_data(const char *version)
{
	int there = MUST(open("nfs/file", O_RDWR | O_CREAT | O_DIRECT, 0644));
	int here = MUST(open("stack/file", O_RDWR));
	uint8_t *buf = dxs_alloc(LEN);
	int i, wrong = 0;

	for (i = 0; i < 6; i++) {
		int mode = i & 1 ? DAXSTACK_DAX : DAXSTACK_CACHED;

		switch_to(here, mode, version);
		dxs_fill(buf, LEN, i, 0);
		dxs_pwrite(there, buf, LEN, 0);
		wrong += !has_all(here, i, "stack");
		switch_to(here, !mode, version);
		dxs_pread(there, buf, LEN, 0);
		write_all(here, i + 100);
		wrong += dxs_byte(i, 77) != buf[77];
		dxs_pread(there, buf, LEN, 0);
		wrong += dxs_byte(i + 100, LEN - 1) != buf[LEN - 1];
	}
	dxs_is(0, wrong, "%s: contents, with switches in between", version);
	close(there);
	close(here);
}

static void test_map(const char *version)
{
	int there = MUST(open("nfs/map", O_RDWR | O_CREAT, 0644));
	int here = MUST(open("stack/map", O_RDWR));
	uint8_t *map;

	write_all(there, 5);
	map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, there,
			0));
	switch_to(here, DAXSTACK_DAX, version);
	dxs_fill(map, LEN, 6, 0);
	MUST(msync(map, LEN, MS_SYNC));
	dxs_ok(has_all(here, 6, "stack"), "%s: a mapping", version);
	switch_to(here, DAXSTACK_CACHED, version);
	dxs_ok(has_all(here, 6, "stack"), "%s: ... after a switch", version);
	MUST(munmap(map, LEN));
	close(there);
	close(here);
}

static void test_names(const char *version)
{
	struct stat st, same;
	int fd;

	dxs_errno(0, ERR(mkdir("nfs/dir", 0755)), "%s: mkdir", version);
	fd = open("nfs/dir/a", O_CREAT | O_EXCL | O_RDWR, 0600);
	dxs_errno(0, ERR(fd), "%s: create", version);
	write_all(fd, 7);
	dxs_errno(0, ERR(rename("nfs/dir/a", "nfs/b")), "%s: rename", version);
	dxs_errno(0, ERR(link("nfs/b", "nfs/dir/c")), "%s: link", version);
	dxs_errno(0, ERR(symlink("b", "nfs/dir/l")), "%s: symlink", version);
	MUST(stat("stack/dir/c", &same));
	MUST(fstat(fd, &st));
	dxs_ok(st.st_ino == same.st_ino && st.st_size == LEN,
	       "%s: same inode on both sides", version);
	close(fd);
	/* By handle only: the server may have forgotten the name. */
	tell("/proc/sys/vm/drop_caches", "3\n");
	fd = MUST(open("nfs/dir/c", O_RDONLY));
	dxs_ok(has_all(fd, 7, "nfs"), "%s: found again by handle", version);
	close(fd);
	MUST(unlink("nfs/b"));
	MUST(unlink("nfs/dir/c"));
	MUST(unlink("nfs/dir/l"));
	dxs_errno(0, ERR(rmdir("nfs/dir")), "%s: rmdir", version);
	dxs_errno(ENOENT, ERR(stat("stack/dir", &st)), "%s: ... gone", version);
}

static void test_holes(void)
{
	int there = MUST(open("nfs/holes", O_RDWR | O_CREAT, 0644));
	int here = MUST(open("stack/holes", O_RDWR));
	uint8_t byte;

	write_all(there, 9);
	switch_to(here, DAXSTACK_DAX, "holes");
	dxs_errno(0, ERR(fallocate(there, FALLOC_FL_PUNCH_HOLE |
				   FALLOC_FL_KEEP_SIZE, PAGE, PAGE)),
		  "4.2: fallocate of a file in dax mode");
	dxs_pread(here, &byte, 1, PAGE + 3);
	dxs_is(0, byte, "4.2: ... a hole");
	dxs_is(PAGE, lseek(there, 0, SEEK_HOLE), "4.2: SEEK_HOLE");
	close(there);
	close(here);
}

/* NFS 3 has a side protocol for ACLs; the server sets them by inode. */
static void test_acls(void)
{
	char out[1024];

	close(MUST(open("nfs/acl", O_RDWR | O_CREAT, 0640)));
	dxs_is(0, DXS_RUN("setfacl", "-m", "u:65534:rw", "nfs/acl"),
	       "3: setfacl");
	DXS_RUN_READ(out, sizeof(out), "getfacl", "-cn", "stack/acl");
	dxs_ok(strstr(out, "user:65534:rw-"), "3: ACL shows on the stack");
	DXS_RUN("setfacl", "-m", "u:65533:r", "stack/acl");
	DXS_RUN_READ(out, sizeof(out), "getfacl", "-cn", "nfs/acl");
	dxs_ok(strstr(out, "user:65533:r--") && strstr(out, "user:65534:rw-"),
	       "3: getfacl");
	dxs_is(0, DXS_RUN("setfacl", "-b", "nfs/acl"), "3: setfacl -b");
	DXS_RUN_READ(out, sizeof(out), "getfacl", "-cn", "stack/acl");
	dxs_ok(!strstr(out, "65534"), "3: ... gone");
}

static void test_common(const char *version)
{
	test_data(version);
	test_map(version);
	test_names(version);
}

int main(void)
{
	dxs_begin();
	dxs_watch_begin();
	if (DXS_RUN("modprobe", "-a", "nfsd", "nfsv3", "nfsv4")) {
		dxs_skip("this kernel has no NFS", "NFS");
		return dxs_done();
	}
	dxs_mkfs(NULL);
	dxs_mount_stack();
	MUST(mkdir("nfs", 0755));
	start_server();

	if (!dxs_errno(0, mount_v3("nfs"), "mount, NFS 3"))
		return dxs_done();
	test_common("3");
	test_acls();
	dxs_errno(0, ERR(umount2("nfs", 0)), "umount, NFS 3");
	if (!dxs_errno(0, mount_v4("nfs"), "mount, NFS 4.2"))
		return dxs_done();
	test_common("4.2");
	test_holes();
	dxs_errno(0, ERR(umount2("nfs", 0)), "umount, NFS 4.2");

	stop_server();
	umount_exported();
	dxs_fsck();
	return dxs_done();
}
