// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daemon's side of the control socket. A client cannot block the daemon: all I/O is
 * non-blocking, and clients that take too long are dropped.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control.h"

enum { QUESTION_MAX = 32 * 1024, SECONDS = 10 };

/**
 * struct client - a connection
 * @fd: the connection; -1: unused
 * @until: deadline, CLOCK_MONOTONIC in seconds
 * @question: bytes received
 * @len: number of bytes in @question
 * @answer: NULL: the question is incomplete
 * @sent: bytes of @answer that were sent
 */
struct client {
	int fd;
	time_t until;
	char question[QUESTION_MAX];
	size_t len;
	char *answer;
	size_t sent;
};

/**
 * struct control - the socket
 * @fd: the listening socket
 * @clients: the connections
 */
struct control {
	int fd;
	struct client clients[CONTROL_CLIENTS];
};

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Is a daemon listening? */
static bool is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive = fd >= 0 && (!connect(fd, (const struct sockaddr *)address,
					  sizeof(*address)) || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return alive;
}

static int bind_to(int fd, const struct sockaddr_un *address)
{
	mode_t before = umask(0177);
	int failed = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	/* Replace a stale socket of a daemon that was killed. */
	if (failed && errno == EADDRINUSE && !is_alive(address)) {
		unlink(address->sun_path);
		failed = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	}
	umask(before);
	return failed;
}

/* Refuse a directory that others can write to: the socket could be theirs. */
static bool make_dir(char *err, size_t len)
{
	struct stat st;

	if (mkdir(CONTROL_DIR, 0755) < 0 && errno != EEXIST) {
		snprintf(err, len, "%s: %s", CONTROL_DIR, strerror(errno));
		return false;
	}
	if (!lstat(CONTROL_DIR, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	    !(st.st_mode & 0022))
		return true;
	snprintf(err, len, "%s: not owned by root, or writable by others: remove it",
		 CONTROL_DIR);
	return false;
}

/**
 * control_listen - create the socket
 * @err: on failure set to the cause and what to do
 * @len: size of @err
 *
 * Return: NULL on failure, also if another daemon runs.
 */
struct control *control_listen(char *err, size_t len)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET };
	struct control *control = calloc(1, sizeof(*control));
	size_t i;

	if (!control) {
		snprintf(err, len, "%s", strerror(ENOMEM));
		return NULL;
	}
	for (i = 0; i < CONTROL_CLIENTS; i++)
		control->clients[i].fd = -1;
	if (!make_dir(err, len)) {
		free(control);
		return NULL;
	}
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd >= 0 && !bind_to(control->fd, &address) &&
	    !listen(control->fd, CONTROL_CLIENTS))
		return control;
	if (errno == EADDRINUSE)
		snprintf(err, len,
			 "%s: another daxstackd is running: stop it first ('systemctl "
			 "stop daxstackd')",
			 address.sun_path);
	else
		snprintf(err, len, "%s: %s", address.sun_path, strerror(errno));
	if (control->fd >= 0)
		close(control->fd);
	free(control);
	return NULL;
}

static void drop(struct client *client)
{
	close(client->fd);
	client->fd = -1;
	free(client->answer);
	client->answer = NULL;
}

/**
 * control_close - remove the socket
 * @control: may be NULL
 */
void control_close(struct control *control)
{
	size_t i;

	if (!control)
		return;
	for (i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i].fd >= 0)
			drop(&control->clients[i]);
	unlink(CONTROL_SOCKET);
	close(control->fd);
	free(control);
}

/**
 * control_poll - fill in the descriptors to poll
 * @control: the socket
 * @fds: array of CONTROL_POLLFDS, filled in
 */
void control_poll(const struct control *control, struct pollfd *fds)
{
	bool full = true;
	size_t i;

	for (i = 0; i < CONTROL_CLIENTS; i++) {
		const struct client *client = &control->clients[i];

		full &= client->fd >= 0;
		fds[1 + i] = (struct pollfd){
			.fd = client->fd,
			.events = client->answer ? POLLOUT : POLLIN,
		};
	}
	fds[0] = (struct pollfd){ .fd = full ? -1 : control->fd, .events = POLLIN };
}

/* File names and heat are for root only. */
static bool may_ask(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && !peer.uid;
}

static void take_client(struct control *control)
{
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i;

	if (fd < 0)
		return;
	for (i = 0; i < CONTROL_CLIENTS && control->clients[i].fd >= 0; i++)
		;
	if (i == CONTROL_CLIENTS || !may_ask(fd)) {
		close(fd);
		return;
	}
	control->clients[i].fd = fd;
	control->clients[i].until = seconds() + SECONDS;
	control->clients[i].len = 0;
	control->clients[i].sent = 0;
}

static void hear(struct client *client, json_t *(*answer)(const json_t *, void *),
		 void *data)
{
	ssize_t n = recv(client->fd, client->question + client->len,
			 QUESTION_MAX - client->len, 0);
	json_t *question, *answered;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (n && client->len + (size_t)n == QUESTION_MAX)) {
		drop(client);
		return;
	}
	client->len += (size_t)n;
	if (n)
		return;
	question = json_loadb(client->question, client->len, 0, NULL);
	answered = question ? answer(question, data) : NULL;
	client->answer = answered ? json_dumps(answered, JSON_COMPACT | JSON_ENSURE_ASCII) :
				    NULL;
	json_decref(question);
	json_decref(answered);
	if (!client->answer)
		drop(client);
}

static void say(struct client *client)
{
	size_t left = strlen(client->answer + client->sent);
	ssize_t n = send(client->fd, client->answer + client->sent, left, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (size_t)n == left)
		drop(client);
	else
		client->sent += (size_t)n;
}

/**
 * control_serve - make progress with all clients
 * @control: the socket
 * @fds: of control_poll(), after poll()
 * @answer: called for a question, which is an untrusted value of any type; returns the
 *   answer, or NULL to close the connection
 * @data: for @answer
 */
void control_serve(struct control *control, const struct pollfd *fds,
		   json_t *(*answer)(const json_t *question, void *data), void *data)
{
	time_t now = seconds();
	size_t i;

	for (i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *client = &control->clients[i];

		if (client->fd < 0 || client->fd != fds[1 + i].fd)
			continue;
		if (now > client->until)
			drop(client);
		else if (fds[1 + i].revents && client->answer)
			say(client);
		else if (fds[1 + i].revents)
			hear(client, answer, data);
	}
	if (fds[0].revents)
		take_client(control);
}
