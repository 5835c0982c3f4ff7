// SPDX-License-Identifier: GPL-2.0
/*
 * JSON, as all subcommands print it: an object with an array of objects.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "tool.h"

/**
 * json_new - a value that is there, or the end
 * @value: just made
 */
json_t *json_new(json_t *value)
{
	if (!value)
		errx(TOOL_FAILED, "JSON: out of memory");
	return value;
}

/**
 * put_json - add a member to an object
 * @object: to this
 * @key: its name
 * @value: its value, which is taken
 */
void put_json(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		errx(TOOL_FAILED, "JSON: out of memory");
}

/**
 * json_text - a string
 * @text: the string, or NULL for null
 *
 * JSON is UTF-8; words of the C library are in the character set of the locale.
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
 * json_number - a number
 * @known: else null
 * @number: the number
 */
json_t *json_number(bool known, uint64_t number)
{
	return known ? json_integer(number) : json_null();
}

/**
 * put_json_name - add a name that somebody else chose
 * @object: to this
 * @key: its name; with _hex appended, that of all bytes in hexadecimal
 * @name: the name; NULL for null
 *
 * JSON is UTF-8, names of files need not be.
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

/**
 * add_json_object - add an object to an array
 * @array: to this
 *
 * Return: the object, which is the array's.
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
 * In ASCII: names may have characters in them that a terminal obeys.
 *
 * Return: true if that failed.
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
