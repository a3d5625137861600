// SPDX-License-Identifier: Apache-2.0
// Growing byte buffer with a maximum and a sticky error: put many fields, check once.
// A buffer initialised with buf_init_count stores nothing and only counts.
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <string.h>

#include "common/mem.h"

struct buf {
	uint8_t *data; // owned; NULL when counting or empty
	size_t size;   // bytes put so far
	size_t capacity;
	size_t max;	// a put that would pass it sets `failed`
	bool failed;	// sticky
	bool no_memory; // failed because the system had none, not because of max
	bool count_only;
	bool own;
};

void buf_init(struct buf *b, size_t max_bytes); // allocates nothing yet
// For sizes that we decide: no memory aborts as mem_alloc does, so there is nothing to check as
// long as max is not passed.
void buf_init_own(struct buf *b, size_t max_bytes);
void buf_init_count(struct buf *b);
void buf_free(struct buf *b);
void buf_clear(struct buf *b); // size 0, failed reset, storage kept

// What buf_put does when there is no room yet, or more to be looked at.
void buf_put_slow(struct buf *b, const void *data, size_t size_bytes);

static inline void buf_put(struct buf *b, const void *data, size_t size_bytes)
{
	// One that counts has no capacity, and passes it.
	if (size_bytes == 0 || b->failed || b->capacity < b->size ||
	    b->capacity - b->size < size_bytes || b->max - b->size < size_bytes) {
		buf_put_slow(b, data, size_bytes);
		return;
	}
	memcpy(b->data + b->size, data, size_bytes);
	b->size += size_bytes;
}

static inline void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

void buf_put_le32(struct buf *b, uint32_t v);
void buf_put_le64(struct buf *b, uint64_t v);
void buf_put_view(struct buf *b, struct view v);
void buf_put_text(struct buf *b, const char *nul_terminated);
void buf_put_decimal(struct buf *b, uint32_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
// Room for size_bytes at the end; NULL when failed or counting. The caller writes them; size
// grows at once.
uint8_t *buf_reserve(struct buf *b, size_t size_bytes);

// ERR_LIMIT or ERR_MEMORY with `what` in the text when failed, else OK.
enum status buf_check(const struct buf *b, const char *what, struct err *e) MUST_CHECK;

// Base64 with the standard alphabet and padding (RFC 4648): the characters that n bytes take,
// and the writing of `in` at out, which has room for them; returns the end.
size_t base64_size(size_t n);
char *base64_write(char *out, struct view in);

// Little-endian loads and stores of unaligned memory, whatever the machine's own order.
static inline uint32_t load_le32(const void *p)
{
	const uint8_t *c = p;

	return (uint32_t)c[0] | (uint32_t)c[1] << 8 | (uint32_t)c[2] << 16 |
	       (uint32_t)c[3] << 24;
}

static inline uint64_t load_le64(const void *p)
{
	const uint8_t *c = p;

	return load_le32(c) | (uint64_t)load_le32(c + 4) << 32;
}

static inline void store_le32(void *p, uint32_t v)
{
	uint8_t *c = p;

	c[0] = (uint8_t)v;
	c[1] = (uint8_t)(v >> 8);
	c[2] = (uint8_t)(v >> 16);
	c[3] = (uint8_t)(v >> 24);
}

static inline void store_le64(void *p, uint64_t v)
{
	uint8_t *c = p;

	store_le32(c, (uint32_t)v);
	store_le32(c + 4, (uint32_t)(v >> 32));
}

#endif
