// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heat traces: blocks. Each block is compressed independently and has checksums, so
 * that damage is detected, and that the complete blocks of a truncated file can be
 * read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "trace.h"

/* Higher levels take much longer and save little. */
#define LEVEL	9

/* CRC-32C, bytewise: there are only some kilobytes per minute. */
uint32_t trace_checksum(const void *bytes, size_t len)
{
	static uint32_t table[256];
	const uint8_t *at = bytes;
	uint32_t crc = ~0U;
	unsigned int i, bit;

	for (i = 0; !table[255] && i < 256; i++) {
		uint32_t entry = i;

		for (bit = 0; bit < 8; bit++)
			entry = entry >> 1 ^ (entry & 1 ? 0x82f63b78 : 0);
		table[i] = entry;
	}
	while (len--)
		crc = crc >> 8 ^ table[(crc ^ *at++) & 0xff];
	return ~crc;
}

/**
 * trace_write - write all bytes
 * @fd: the file
 * @bytes: the data
 * @len: number of bytes
 *
 * Return: 0 or an errno.
 */
int trace_write(int fd, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	ssize_t n;

	for (; len; at += n, len -= n) {
		n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return n ? errno : EIO;
	}
	return 0;
}

/* --- Write. */

int trace_packer_init(struct trace_packer *packer, int fd)
{
	*packer = (struct trace_packer){
		.fd = fd,
		.context = ZSTD_createCCtx(),
		.room = TRACE_BLOCK_HEAD + ZSTD_compressBound(TRACE_RAW_MAX),
	};
	packer->packed = malloc(packer->room);
	return packer->context && packer->packed ? 0 : ENOMEM;
}

/* On failure, truncate the file to its complete blocks. */
static int append(struct trace_packer *packer, size_t len)
{
	int error = trace_write(packer->fd, packer->packed, len);

	if (!error)
		packer->bytes += len;
	else if (ftruncate(packer->fd, packer->bytes) == 0)
		lseek(packer->fd, packer->bytes, SEEK_SET);
	return error;
}

/**
 * trace_packer_begin - write the header of the file
 * @packer: of the file
 *
 * Return: 0 or an errno.
 */
int trace_packer_begin(struct trace_packer *packer)
{
	uint8_t *head = packer->packed;

	memcpy(head, TRACE_MAGIC, 8);
	trace_put_le32(head + 8, TRACE_VERSION);
	trace_put_le32(head + 12, trace_checksum(head, 12));
	return append(packer, TRACE_HEADER);
}

/**
 * trace_packer_put - write a block
 * @packer: of the file
 * @type: of the block
 * @raw: the content
 * @len: bytes, up to TRACE_RAW_MAX
 *
 * Return: 0 or an errno. The file has the whole block or nothing of it.
 */
int trace_packer_put(struct trace_packer *packer, enum trace_type type,
		     const void *raw, size_t len)
{
	uint8_t *head = packer->packed, *packed = head + TRACE_BLOCK_HEAD;
	size_t n = ZSTD_compressCCtx(packer->context, packed,
				     packer->room - TRACE_BLOCK_HEAD, raw, len, LEVEL);

	if (ZSTD_isError(n))
		return ENOMEM;
	trace_put_le32(head, type);
	trace_put_le32(head + 4, len);
	trace_put_le32(head + 8, n);
	trace_put_le32(head + 12, trace_checksum(packed, n));
	trace_put_le32(head + 16, trace_checksum(head, 16));
	return append(packer, TRACE_BLOCK_HEAD + n);
}

void trace_packer_free(struct trace_packer *packer)
{
	ZSTD_freeCCtx(packer->context);
	free(packer->packed);
}

/* --- Read. */

int trace_unpacker_init(struct trace_unpacker *unpacker, int fd)
{
	*unpacker = (struct trace_unpacker){
		.fd = fd,
		.context = ZSTD_createDCtx(),
		.room = ZSTD_compressBound(TRACE_RAW_MAX),
	};
	unpacker->packed = malloc(unpacker->room);
	unpacker->raw = malloc(TRACE_RAW_MAX);
	return unpacker->context && unpacker->packed && unpacker->raw ? 0 : ENOMEM;
}

static enum trace_read get_bytes(struct trace_unpacker *unpacker, uint8_t *to,
				 size_t len)
{
	ssize_t n;

	for (; len; to += n, len -= n) {
		n = read(unpacker->fd, to, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return TRACE_FAILED;
		else if (!n)
			return TRACE_CUT;
	}
	return TRACE_READ;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
	while (len && !bytes[len - 1])
		len--;
	return !len;
}

/**
 * trace_unpacker_begin - read the header of the file
 * @unpacker: of the file
 * @version: set, also if the version is not supported
 *
 * Return: enum trace_read.
 */
enum trace_read trace_unpacker_begin(struct trace_unpacker *unpacker,
				     uint32_t *version)
{
	uint8_t *head = unpacker->packed;
	enum trace_read result = get_bytes(unpacker, head, TRACE_HEADER);

	*version = 0;
	if (result != TRACE_READ)
		return result;
	if (memcmp(head, TRACE_MAGIC, 8) ||
	    trace_get_le32(head + 12) != trace_checksum(head, 12))
		return TRACE_DAMAGED;
	*version = trace_get_le32(head + 8);
	unpacker->bytes = TRACE_HEADER;
	return TRACE_READ;
}

/* After a crash, a file may have its length but only zeroes at the end. */
static enum trace_read check_rest(struct trace_unpacker *unpacker)
{
	size_t chunk = unpacker->room;
	enum trace_read result;
	ssize_t n;

	for (;;) {
		n = read(unpacker->fd, unpacker->packed, chunk);
		if (n < 0 && errno == EINTR)
			continue;
		result = n < 0 ? TRACE_FAILED : TRACE_CUT;
		if (n <= 0)
			return result;
		if (!all_zero(unpacker->packed, n))
			return TRACE_DAMAGED;
	}
}

/**
 * trace_unpacker_get - read a block
 * @unpacker: of the file; sets @raw, @len and @type
 *
 * Return: enum trace_read.
 */
enum trace_read trace_unpacker_get(struct trace_unpacker *unpacker)
{
	uint8_t head[TRACE_BLOCK_HEAD];
	enum trace_read result = get_bytes(unpacker, head, sizeof(head));
	size_t packed, raw;

	if (result != TRACE_READ)
		return result;
	if (all_zero(head, sizeof(head)))
		return check_rest(unpacker);
	unpacker->type = trace_get_le32(head);
	raw = trace_get_le32(head + 4);
	packed = trace_get_le32(head + 8);
	if (trace_get_le32(head + 16) != trace_checksum(head, 16) ||
	    raw > TRACE_RAW_MAX || packed > unpacker->room)
		return TRACE_DAMAGED;
	result = get_bytes(unpacker, unpacker->packed, packed);
	if (result != TRACE_READ)
		return result;
	if (trace_get_le32(head + 12) != trace_checksum(unpacker->packed, packed))
		return TRACE_DAMAGED;
	unpacker->len = ZSTD_decompressDCtx(unpacker->context, unpacker->raw, raw,
					    unpacker->packed, packed);
	if (ZSTD_isError(unpacker->len) || unpacker->len != raw)
		return TRACE_DAMAGED;
	unpacker->bytes += TRACE_BLOCK_HEAD + packed;
	return TRACE_READ;
}

void trace_unpacker_free(struct trace_unpacker *unpacker)
{
	ZSTD_freeDCtx(unpacker->context);
	free(unpacker->packed);
	free(unpacker->raw);
}
