/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mounts of the rules file, managed while they are mounted. daxstackd runs it;
 * 'daxstack auto' does, too, if no daemon runs.
 */
#ifndef KEEP_H
#define KEEP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tend.h"

struct keep;

/**
 * struct keep_says - where messages go
 * @say: log a message with its priority (LOG_*)
 * @moved: log the result for a file
 */
struct keep_says {
	void (*say)(int priority, const char *format, ...)
		__attribute__((format(printf, 2, 3)));
	void (*moved)(const struct tend *tend, const struct tend_note *note);
};

/**
 * keep_new - read the rules
 * @rules: the file
 * @dry: move nothing
 * @says: where messages go; remains the caller's
 * @err: on failure set to the line in the file, the cause and what to write
 * @len: size of @err
 *
 * Return: NULL on failure.
 */
struct keep *keep_new(const char *rules, bool dry, const struct keep_says *says,
		      char *err, size_t len);

/* Stop managing all mounts. Files keep their modes. */
void keep_free(struct keep *keep);

/**
 * keep_reload - read the rules again
 * @keep: the mounts; continues by the old rules on failure
 * @err: as for keep_new()
 * @len: size of @err
 *
 * The knowledge about files is kept.
 */
bool keep_reload(struct keep *keep, char *err, size_t len);

/**
 * keep_look - check what is mounted
 * @keep: starts with new mounts, stops with those that are gone
 */
void keep_look(struct keep *keep);

/* Return: time when keep_run() is due, CLOCK_MONOTONIC. */
uint64_t keep_due_ns(const struct keep *keep);

/**
 * keep_run - do the work of one mount that is due, for a moment at most
 * @keep: the mounts
 */
void keep_run(struct keep *keep);

/**
 * keep_steps - number of policy steps made
 * @keep: the mounts
 * @target: of this mount; NULL: the minimum over all mounts
 *
 * Return: steps; -1 if none of them is managed.
 */
long keep_steps(const struct keep *keep, const char *target);

/**
 * keep_status - summarise the state in one line
 * @keep: the mounts
 * @text: filled in
 * @size: of @text
 */
void keep_status(const struct keep *keep, char *text, size_t size);

/**
 * keep_answer - answer a question from the control socket
 * @keep: the mounts
 * @question: any value
 *
 * Return: an object; NULL if @question is not understood.
 */
json_t *keep_answer(struct keep *keep, const json_t *question);

#endif /* KEEP_H */
