// SPDX-License-Identifier: GPL-2.0-only
/* JSON output, as all subcommands print it: an object with an array of objects. */
#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "tool.h"

/**
 * json_new - check an allocation
 * @value: a new value; NULL ends the program
 */
json_t *json_new(json_t *value)
{
	if (!value)
		errx(TOOL_FAILED, "JSON: out of memory");
	return value;
}

/**
 * put_json - add a member to an object
 * @object: the object
 * @key: name of the member
 * @value: consumed
 */
void put_json(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		errx(TOOL_FAILED, "JSON: out of memory");
}

/**
 * json_text - create a string
 * @text: the string, or NULL for null
 *
 * JSON is UTF-8; messages of the C library are in the character set of the locale.
 */
json_t *json_text(const char *text)
{
	char *utf8;
	json_t *value;
	bool exact;

	if (!text)
		return json_null();
	utf8 = name_utf8(text, &exact);
	value = json_string(utf8);
	free(utf8);
	return value;
}

/**
 * json_number - create a number
 * @known: false: null
 * @number: the number
 */
json_t *json_number(bool known, uint64_t number)
{
	return known ? json_integer(number) : json_null();
}

/**
 * put_json_name - add a name that another user chose
 * @object: the object
 * @key: name of the member; the member @key with _hex appended has all bytes in
 *   hexadecimal
 * @name: the name; NULL for null
 *
 * JSON is UTF-8; names of files need not be.
 */
void put_json_name(json_t *object, const char *key, const char *name)
{
	bool exact = true;
	char *utf8 = name ? name_utf8(name, &exact) : NULL;
	char *hex = exact ? NULL : name_hex(name);
	char key_hex[32];

	snprintf(key_hex, sizeof(key_hex), "%s_hex", key);
	put_json(object, key, json_text(utf8));
	put_json(object, key_hex, json_text(hex));
	free(utf8);
	free(hex);
}

/* Return: the value of two hexadecimal digits, -1 if they are none. */
static int hex_byte(const char *hex)
{
	unsigned int byte;

	if (!isxdigit((unsigned char)hex[0]) || !isxdigit((unsigned char)hex[1]) ||
	    sscanf(hex, "%2x", &byte) != 1)
		return -1;
	return (int)byte;
}

/**
 * json_name - get a name added by put_json_name()
 * @object: the object
 * @key: name of the member
 *
 * Return: allocated; NULL if it is missing or not a name.
 */
char *json_name(const json_t *object, const char *key)
{
	const char *text, *hex;
	char key_hex[32], *name, *to;
	int byte;

	snprintf(key_hex, sizeof(key_hex), "%s_hex", key);
	text = json_string_value(json_object_get(object, key));
	hex = json_string_value(json_object_get(object, key_hex));
	name = text || hex ? strdup(hex ?: text) : NULL;
	for (to = name; name && hex && *hex; hex += 2) {
		byte = hex_byte(hex);
		if (byte <= 0) {
			free(name);
			return NULL;
		}
		*to++ = (char)byte;
		*to = 0;
	}
	return name;
}

/**
 * add_json_object - append an object to an array
 * @array: the array
 *
 * Return: the object, owned by the array.
 */
json_t *add_json_object(json_t *array)
{
	json_t *object = json_object();

	if (json_array_append_new(array, object))
		errx(TOOL_FAILED, "JSON: out of memory");
	return object;
}

/**
 * print_json - print an object with one array
 * @key: name of the array
 * @array: the array
 *
 * In ASCII: names may contain control sequences for terminals.
 *
 * Return: true on failure.
 */
bool print_json(const char *key, json_t *array)
{
	json_t *all = json_pack("{s:O}", key, array);
	bool failed = !all ||
		json_dumpf(all, stdout, JSON_INDENT(3) | JSON_ENSURE_ASCII) ||
		putchar('\n') == EOF;

	json_decref(all);
	return failed;
}
