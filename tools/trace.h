/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the writer and the reader of heat traces. docs/heattrace.md describes the
 * format.
 */
#ifndef DAXSTACK_TRACE_H
#define DAXSTACK_TRACE_H

#include "heattrace.h"

#define TRACE_MAGIC	"DXSHEAT\n"

enum {
	TRACE_VERSION = 1,
	/* TRACE_MAGIC, version, checksum of both */
	TRACE_HEADER = 16,
	/*
	 * type, uncompressed length, compressed length, checksum of the data, checksum
	 * of the head
	 */
	TRACE_BLOCK_HEAD = 20,
	/* Length that triggers writing a block, and maximum length. */
	TRACE_RAW_ENOUGH = 256 << 10,
	TRACE_RAW_MAX = TRACE_RAW_ENOUGH + (16 << 10),
	/* The longest name. */
	TRACE_NAME_MAX = 4095,
};

/* Limit of the bytes of all names together. */
#define TRACE_NAMES_MAX	(512UL << 20)

enum trace_type {
	TRACE_INFO = 1,		/* first block: struct heattrace_info */
	TRACE_READINGS,		/* entries */
	TRACE_END,		/* last block: the number of readings */
};

/* An entry begins with a number: its argument times 8, plus one of these. */
enum trace_entry {
	TRACE_CHANGE,		/* a file has changed; argument: files to skip */
	TRACE_NEW,		/* a new file, appended; argument: its generation */
	TRACE_NAME,		/* like CHANGE: the file was renamed; 0 bytes: it has no name */
	TRACE_RESTART,		/* like CHANGE: the counts of the file restarted */
	TRACE_DROP,		/* a file is gone, the last takes its place; argument: index */
	TRACE_READING,		/* end of a reading, followed by its time */
	TRACE_ENTRIES
};

/* --- tracefiles.c: the known files. */

/**
 * struct trace_file - state of a file besides its counts
 * @name: NULL if it has none
 * @read_size: bytes per read in the last reading with reads
 * @write_size: bytes per write, likewise
 * @write_pages: pages dirtied per write, likewise
 * @age: readings with changes since its name was asked for
 * @at: writer: index in the current reading; UINT32_MAX: not in it
 */
struct trace_file {
	char *name;
	uint64_t read_size;
	uint64_t write_size;
	uint64_t write_pages;
	uint32_t age;
	uint32_t at;
};

/**
 * struct trace_files - the known files, without gaps
 * @heat: their counts
 * @more: their other state
 * @nr: number of files
 * @room: allocated number of files
 * @index: hash table of indexes plus one, 0: empty
 * @index_mask: size of @index minus one
 * @names: total length of names
 * @key: of the hash
 */
struct trace_files {
	struct daxstack_heat_file *heat;
	struct trace_file *more;
	uint32_t nr;
	uint32_t room;
	uint32_t *index;
	uint32_t index_mask;
	size_t names;
	uint64_t key[2];
};

int trace_files_init(struct trace_files *files);
void trace_files_free(struct trace_files *files);
uint32_t trace_files_find(const struct trace_files *files, uint64_t ino,
			  uint32_t generation);
int trace_files_add(struct trace_files *files, uint64_t ino, uint32_t generation);
void trace_files_drop(struct trace_files *files, uint32_t at);
void trace_files_restart(struct trace_files *files, uint32_t at);
int trace_files_rename(struct trace_files *files, uint32_t at, const char *name,
		       size_t len);

/* --- tracenumber.c: encoding of numbers. */

/**
 * struct trace_bytes - a buffer to write to or read from
 * @at: the next byte
 * @end: behind the last byte
 * @bad: the buffer is too short, or the content is invalid
 */
struct trace_bytes {
	uint8_t *at;
	const uint8_t *end;
	bool bad;
};

void trace_put_byte(struct trace_bytes *to, uint8_t byte);
void trace_put_number(struct trace_bytes *to, uint64_t number);
void trace_put_signed(struct trace_bytes *to, uint64_t number);
void trace_put_bytes(struct trace_bytes *to, const void *bytes, size_t len);
uint8_t trace_get_byte(struct trace_bytes *from);
uint64_t trace_get_number(struct trace_bytes *from);
uint64_t trace_get_signed(struct trace_bytes *from);
const void *trace_get_bytes(struct trace_bytes *from, size_t len);
void trace_put_le32(uint8_t *to, uint32_t value);
uint32_t trace_get_le32(const uint8_t *from);

/* --- tracechange.c: changes of a file. */

bool trace_changed(const struct trace_files *files, uint32_t at,
		   const struct daxstack_heat_file *now, bool windows);
bool trace_restarted(const struct daxstack_heat_file *before,
		     const struct daxstack_heat_file *now);
void trace_put_change(struct trace_bytes *to, struct trace_files *files, uint32_t at,
		      const struct daxstack_heat_file *now, bool windows, bool fold);
void trace_get_change(struct trace_bytes *from, struct trace_files *files, uint32_t at,
		      bool windows);

/* --- tracesketch.c: sketches. */

size_t trace_sketch_bytes(const __u64 *sketch);
void trace_put_sketch(struct trace_bytes *to, const __u64 *sketch, bool fold);
void trace_get_sketch(struct trace_bytes *from, __u64 *sketch);

/* --- traceblock.c: blocks of the file. */

uint32_t trace_checksum(const void *bytes, size_t len);
int trace_write(int fd, const void *bytes, size_t len);

/* Result of reading a block. */
enum trace_read {
	TRACE_READ,		/* success */
	TRACE_CUT,		/* the file ends before or within it */
	TRACE_DAMAGED,		/* invalid content */
	TRACE_FAILED,		/* read error, see errno */
};

/**
 * struct trace_packer - compresses and writes blocks
 * @fd: the file
 * @context: of libzstd
 * @packed: a block with its head
 * @room: bytes at @packed
 * @bytes: length of the complete blocks in the file
 */
struct trace_packer {
	int fd;
	void *context;
	uint8_t *packed;
	size_t room;
	uint64_t bytes;
};

int trace_packer_init(struct trace_packer *packer, int fd);
int trace_packer_begin(struct trace_packer *packer);
int trace_packer_put(struct trace_packer *packer, enum trace_type type,
		     const void *raw, size_t len);
void trace_packer_free(struct trace_packer *packer);

/**
 * struct trace_unpacker - reads and uncompresses blocks
 * @fd: the file
 * @context: of libzstd
 * @packed: a block
 * @room: bytes at @packed
 * @raw: the uncompressed block, TRACE_RAW_MAX bytes at most
 * @len: bytes at @raw
 * @type: enum trace_type
 * @bytes: offset of the next block in the file
 */
struct trace_unpacker {
	int fd;
	void *context;
	uint8_t *packed;
	size_t room;
	uint8_t *raw;
	size_t len;
	uint32_t type;
	uint64_t bytes;
};

int trace_unpacker_init(struct trace_unpacker *unpacker, int fd);
enum trace_read trace_unpacker_begin(struct trace_unpacker *unpacker,
				     uint32_t *version);
enum trace_read trace_unpacker_get(struct trace_unpacker *unpacker);
void trace_unpacker_free(struct trace_unpacker *unpacker);

#endif /* DAXSTACK_TRACE_H */
