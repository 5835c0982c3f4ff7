// SPDX-License-Identifier: GPL-2.0-only
/* Client side of the control socket of daxstackd. The daemon's side is listen.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"

/*
 * Timeout of an answer. While the daemon switches a large file it answers between
 * chunks of writeback.
 */
enum { SECONDS = 60 };

static json_t *converse(int fd, const json_t *question)
{
	struct timeval patience = { .tv_sec = SECONDS };
	json_t *answer;
	FILE *file;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (json_dumpfd(question, fd, JSON_ENSURE_ASCII) || shutdown(fd, SHUT_WR) < 0)
		return NULL;
	fd = dup(fd);
	file = fd < 0 ? NULL : fdopen(fd, "r");
	if (!file) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	answer = json_loadf(file, 0, NULL);
	fclose(file);
	return answer;
}

/**
 * control_ask - send a question to daxstackd
 * @question: consumed
 * @absent: set to whether no daemon runs
 * @err: on another failure, set to the cause and what to do
 * @len: size of @err
 *
 * Return: the answer, an object; NULL on failure.
 */
json_t *control_ask(json_t *question, bool *absent, char *err, size_t len)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	json_t *answer = NULL;

	*absent = false;
	if (fd < 0) {
		snprintf(err, len, "daxstackd: %s", strerror(errno));
	} else if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		*absent = errno == ENOENT || errno == ECONNREFUSED;
		snprintf(err, len, "%s: %s%s", address.sun_path, strerror(errno),
			 errno == EACCES ? ": only root may ask" : "");
	} else {
		answer = converse(fd, question);
		if (!json_is_object(answer)) {
			json_decref(answer);
			answer = NULL;
			snprintf(err, len,
				 "daxstackd does not answer: see 'systemctl status "
				 "daxstackd'");
		}
	}
	if (fd >= 0)
		close(fd);
	json_decref(question);
	return answer;
}
