/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON output, as all subcommands print it. */
#ifndef JSON_H
#define JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

json_t *json_new(json_t *value);
void put_json(json_t *object, const char *key, json_t *value);
json_t *json_text(const char *text);
json_t *json_number(bool known, uint64_t number);
void put_json_name(json_t *object, const char *key, const char *name);
char *json_name(const json_t *object, const char *key);
json_t *add_json_object(json_t *array);
bool print_json(const char *key, json_t *array);

#endif /* JSON_H */
