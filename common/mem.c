// SPDX-License-Identifier: Apache-2.0
// Allocation that aborts, the chunked arena, string views. Sizes that come from input belong
// into buf or an arena with a limit, never into mem_alloc.
#include "common/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define CHUNK_SIZE_FIRST (64 * KIB)
#define CHUNK_SIZE_MAX (1 * MIB)
#define MMAP_THRESHOLD (64 * 1024) // bytes

_Noreturn void mem_exhausted(size_t count, size_t size_bytes)
{
	if (size_bytes > 0)
		fprintf(stderr, "out of memory: %zu x %zu bytes wanted\n", count, size_bytes);
	else
		fputs("out of memory\n", stderr);
	abort();
}

void mem_return_freed(void)
{
#ifdef __GLIBC__
	// A threshold that is set does not rise by itself.
	mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	mallopt(M_TRIM_THRESHOLD, MMAP_THRESHOLD);
#endif
}

void *mem_alloc(size_t size_bytes)
{
	void *p = malloc(size_bytes > 0 ? size_bytes : 1);

	if (p == NULL)
		mem_exhausted(1, size_bytes);
	return p;
}

void *mem_zalloc(size_t count, size_t size_bytes)
{
	void *p = count > 0 && size_bytes > 0 ? calloc(count, size_bytes) : calloc(1, 1);

	if (p == NULL)
		mem_exhausted(count, size_bytes);
	return p;
}

void *mem_realloc(void *p, size_t count, size_t size_bytes)
{
	size_t total;

	if (!size_mul(count, size_bytes, &total))
		mem_exhausted(count, size_bytes);
	p = realloc(p, total > 0 ? total : 1);
	if (p == NULL)
		mem_exhausted(count, size_bytes);
	return p;
}

char *mem_strdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(mem_alloc(size), s, size);
}

uint64_t mem_peak_bytes(void)
{
	struct rusage u;
	int rc = getrusage(RUSAGE_SELF, &u);

	assert(rc == 0);
	(void)rc;
	return (uint64_t)u.ru_maxrss * KIB; // Linux counts in KiB
}

struct view view_of(const char *nul_terminated)
{
	return (struct view){nul_terminated, strlen(nul_terminated)};
}

bool view_equal(struct view a, struct view b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

// Newest first; only the head is filled further.
struct arena_chunk {
	struct arena_chunk *older;
	size_t size; // of data
	size_t used; // <= size
	_Alignas(max_align_t) unsigned char data[];
};

// Bytes at the end of the head chunk, a new chunk when they do not fit. NULL: limit or malloc.
static void *arena_take(struct arena *a, size_t size_bytes, size_t align)
{
	struct arena_chunk *c = a->head;
	size_t start = 0, end, used_after, chunk_size, total;

	if (!size_add(a->used_bytes, size_bytes, &used_after))
		return NULL;
	if (a->max_bytes > 0 && used_after > a->max_bytes)
		return NULL;
	if (c != NULL) {
		start = (c->used + align - 1) & ~(align - 1);
		if (size_add(start, size_bytes, &end) && end <= c->size) {
			c->used = end;
			a->used_bytes = used_after;
			return c->data + start;
		}
	}
	chunk_size = c == NULL ? CHUNK_SIZE_FIRST : 2 * c->size;
	if (chunk_size > CHUNK_SIZE_MAX)
		chunk_size = CHUNK_SIZE_MAX;
	if (chunk_size < size_bytes)
		chunk_size = size_bytes;
	if (!size_add(sizeof(*c), chunk_size, &total))
		return NULL;
	c = malloc(total);
	if (c == NULL) {
		a->no_memory = true;
		return NULL;
	}
	c->older = a->head;
	c->size = chunk_size;
	c->used = size_bytes;
	a->head = c;
	a->used_bytes = used_after;
	return c->data;
}

void *arena_alloc(struct arena *a, size_t count, size_t size_bytes)
{
	size_t total;
	void *p;

	if (!size_mul(count, size_bytes, &total))
		return NULL;
	if (total == 0)
		total = 1; // distinct and not NULL
	p = arena_take(a, total, _Alignof(max_align_t));
	if (p != NULL)
		memset(p, 0, total);
	return p;
}

struct view arena_copy(struct arena *a, const void *data, size_t size_bytes)
{
	char *p = arena_take(a, size_bytes > 0 ? size_bytes : 1, 1);

	if (p == NULL)
		return (struct view){NULL, 0};
	if (size_bytes > 0)
		memcpy(p, data, size_bytes);
	else
		*p = '\0';
	return (struct view){p, size_bytes};
}

bool arena_join(struct arena *a, struct arena *from)
{
	struct arena_chunk *last = from->head;
	size_t used;

	if (!size_add(a->used_bytes, from->used_bytes, &used) ||
	    (a->max_bytes > 0 && used > a->max_bytes))
		return false;
	if (a->head == NULL) {
		a->head = from->head;
	} else if (last != NULL) { // behind the head, which is filled further
		while (last->older != NULL)
			last = last->older;
		last->older = a->head->older;
		a->head->older = from->head;
	}
	a->used_bytes = used;
	from->head = NULL;
	from->used_bytes = 0;
	return true;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = NULL, *c, *older;

	for (c = a->head; c != NULL; c = older) {
		older = c->older;
		if (keep == NULL || c->size > keep->size) {
			free(keep);
			keep = c;
		} else {
			free(c);
		}
	}
	if (keep != NULL) {
		keep->older = NULL;
		keep->used = 0;
	}
	a->head = keep;
	a->used_bytes = 0;
}

void arena_free(struct arena *a)
{
	struct arena_chunk *c, *older;

	for (c = a->head; c != NULL; c = older) {
		older = c->older;
		free(c);
	}
	a->head = NULL;
	a->used_bytes = 0;
}
