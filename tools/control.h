/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Questions to daxstackd and their answers: JSON objects over a socket. The daemon's
 * side is listen.c, the client's side ask.c.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#ifndef CONTROL_DIR
#define CONTROL_DIR	"/run/daxstack"
#endif
#define CONTROL_SOCKET	CONTROL_DIR "/daxstackd.sock"

/* Limit of concurrent clients; more wait in the queue of the socket. */
enum { CONTROL_CLIENTS = 8, CONTROL_POLLFDS = 1 + CONTROL_CLIENTS };

struct control;

struct control *control_listen(char *err, size_t len);
void control_close(struct control *control);
void control_poll(const struct control *control, struct pollfd *fds);
void control_serve(struct control *control, const struct pollfd *fds,
		   json_t *(*answer)(const json_t *question, void *data), void *data);

json_t *control_ask(json_t *question, bool *absent, char *err, size_t len);

#endif /* CONTROL_H */
