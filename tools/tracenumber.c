// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heat traces: encoding of numbers; small ones take few bytes. Reads never go beyond
 * the end: a function that fails sets @bad in struct trace_bytes, and all later ones
 * fail as well.
 */
#include <string.h>

#include "trace.h"

void trace_put_byte(struct trace_bytes *to, uint8_t byte)
{
	if (to->at < to->end)
		*to->at++ = byte;
	else
		to->bad = true;
}

/* Seven bits per byte, lowest first; the eighth bit is set if more follow. */
void trace_put_number(struct trace_bytes *to, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		trace_put_byte(to, number | 0x80);
	trace_put_byte(to, number);
}

/* Zigzag encoding: numbers close to 0 are short. */
void trace_put_signed(struct trace_bytes *to, uint64_t number)
{
	trace_put_number(to, number << 1 ^ -(number >> 63));
}

void trace_put_bytes(struct trace_bytes *to, const void *bytes, size_t len)
{
	if (to->bad || len > (size_t)(to->end - to->at)) {
		to->bad = true;
		return;
	}
	to->at = mempcpy(to->at, bytes, len);
}

uint8_t trace_get_byte(struct trace_bytes *from)
{
	if (!from->bad && from->at < from->end)
		return *from->at++;
	from->bad = true;
	return 0;
}

uint64_t trace_get_number(struct trace_bytes *from)
{
	uint64_t number = 0;
	unsigned int shift;
	uint8_t byte;

	for (shift = 0; shift < 64; shift += 7) {
		byte = trace_get_byte(from);
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			/* The tenth byte has one bit. */
			if (shift == 63 && byte > 1)
				from->bad = true;
			return from->bad ? 0 : number;
		}
	}
	from->bad = true;
	return 0;
}

uint64_t trace_get_signed(struct trace_bytes *from)
{
	uint64_t number = trace_get_number(from);

	return number >> 1 ^ -(number & 1);
}

/* Return: valid as long as the buffer; NULL if there are fewer bytes. */
const void *trace_get_bytes(struct trace_bytes *from, size_t len)
{
	const uint8_t *bytes = from->at;

	if (from->bad || len > (size_t)(from->end - from->at)) {
		from->bad = true;
		return NULL;
	}
	from->at += len;
	return bytes;
}

void trace_put_le32(uint8_t *to, uint32_t value)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		to[i] = value >> 8 * i;
}

uint32_t trace_get_le32(const uint8_t *from)
{
	return from[0] | from[1] << 8 | from[2] << 16 | (uint32_t)from[3] << 24;
}
