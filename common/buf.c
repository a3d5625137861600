// SPDX-License-Identifier: Apache-2.0
// The growing buffer and little-endian loads and stores. What the bytes mean is left to pb and
// the writers above.
#include "common/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST ((size_t)256)

void buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){.max = max_bytes};
}

void buf_init_own(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){.max = max_bytes, .own = true};
}

void buf_init_count(struct buf *b)
{
	*b = (struct buf){.max = SIZE_MAX, .count_only = true};
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max, .count_only = b->count_only, .own = b->own};
}

void buf_clear(struct buf *b)
{
	b->size = 0;
	b->failed = false;
	b->no_memory = false;
}

// Storage for size_bytes more plus `spare` that never counts. False, and failed set, when max
// or memory ends.
static bool make_room(struct buf *b, size_t size_bytes, size_t spare)
{
	size_t size, need, capacity;
	uint8_t *data;

	if (b->failed)
		return false;
	if (!size_add(b->size, size_bytes, &size) || size > b->max ||
	    !size_add(size, spare, &need)) {
		b->failed = true;
		return false;
	}
	if (b->count_only || need <= b->capacity)
		return true;
	capacity = b->capacity < CAPACITY_FIRST ? CAPACITY_FIRST : b->capacity;
	while (capacity < need && capacity <= SIZE_MAX / 2)
		capacity *= 2;
	if (capacity > b->max)
		capacity = b->max;
	if (capacity < need)
		capacity = need;
	data = realloc(b->data, capacity);
	if (data == NULL && b->own)
		mem_exhausted(1, capacity);
	if (data == NULL) {
		b->failed = true;
		b->no_memory = true;
		return false;
	}
	b->data = data;
	b->capacity = capacity;
	return true;
}

void buf_put_slow(struct buf *b, const void *data, size_t size_bytes)
{
	if (!make_room(b, size_bytes, 0))
		return;
	if (!b->count_only && size_bytes > 0)
		memcpy(b->data + b->size, data, size_bytes);
	b->size += size_bytes;
}

void buf_put_le32(struct buf *b, uint32_t v)
{
	uint8_t bytes[4];

	store_le32(bytes, v);
	buf_put(b, bytes, sizeof(bytes));
}

void buf_put_le64(struct buf *b, uint64_t v)
{
	uint8_t bytes[8];

	store_le64(bytes, v);
	buf_put(b, bytes, sizeof(bytes));
}

void buf_put_view(struct buf *b, struct view v)
{
	buf_put(b, v.data, v.size);
}

void buf_put_text(struct buf *b, const char *nul_terminated)
{
	buf_put(b, nul_terminated, strlen(nul_terminated));
}

void buf_put_decimal(struct buf *b, uint32_t v)
{
	uint8_t digit[10];
	size_t at = sizeof(digit);

	do
		digit[--at] = (uint8_t)('0' + v % 10);
	while ((v /= 10) > 0);
	buf_put(b, digit + at, sizeof(digit) - at);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t room = 0; // there already; most texts fit
	va_list ap;
	int n;

	if (!b->count_only && make_room(b, 0, CAPACITY_FIRST / 2))
		room = b->capacity - b->size;
	va_start(ap, fmt);
	n = vsnprintf(room > 0 ? (char *)b->data + b->size : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		b->failed = true;
	if (!make_room(b, n < 0 ? 0 : (size_t)n, 1))
		return;
	if (!b->count_only && (size_t)n >= room) {
		va_start(ap, fmt);
		vsnprintf((char *)b->data + b->size, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->size += (size_t)n;
}

uint8_t *buf_reserve(struct buf *b, size_t size_bytes)
{
	uint8_t *p;

	if (!make_room(b, size_bytes, 1)) // the spare byte: not NULL for an empty reservation
		return NULL;
	p = b->count_only ? NULL : b->data + b->size;
	b->size += size_bytes;
	return p;
}

enum status buf_check(const struct buf *b, const char *what, struct err *e)
{
	if (!b->failed)
		return OK;
	if (b->no_memory)
		return err_set(e, ERR_MEMORY, "%s: out of memory after %zu bytes", what,
			       b->size);
	return err_set(e, ERR_LIMIT, "%s: larger than the limit of %zu bytes", what, b->max);
}

size_t base64_size(size_t n)
{
	return (n + 2) / 3 * 4;
}

char *base64_write(char *out, struct view in)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i = 0;

	for (; i < in.size; i += 3) {
		size_t left = in.size - i;
		uint32_t a = (uint8_t)in.data[i];
		uint32_t b = left > 1 ? (uint8_t)in.data[i + 1] : 0;
		uint32_t c = left > 2 ? (uint8_t)in.data[i + 2] : 0;
		uint32_t v = a << 16 | b << 8 | c;

		*out++ = digit[v >> 18];
		*out++ = digit[v >> 12 & 63];
		*out++ = left > 1 ? digit[v >> 6 & 63] : '=';
		*out++ = left > 2 ? digit[v & 63] : '=';
	}
	return out;
}
