// SPDX-License-Identifier: Apache-2.0
// Memory: abort-on-failure allocation for sizes known at start, an arena for a job's data,
// string views.
#ifndef COMMON_MEM_H
#define COMMON_MEM_H

#include "common/err.h"

// What mem_alloc and its kin do when there is no memory: one message, abort. For libraries that
// allocate some kilobytes at start.
_Noreturn void mem_exhausted(size_t count, size_t size_bytes);

// Call first in a program whose memory should fall again when large things are freed, whoever
// freed them: glibc's malloc keeps them otherwise, and per thread.
void mem_return_freed(void);
// For sizes known at start (tables, contexts): never returns NULL; prints one message and
// aborts.
void *mem_alloc(size_t size_bytes);
void *mem_zalloc(size_t count, size_t size_bytes);
void *mem_realloc(void *p, size_t count, size_t size_bytes);
char *mem_strdup(const char *s);
// The most memory this process ever had resident (getrusage).
uint64_t mem_peak_bytes(void);

// A borrowed string of bytes, not NUL-terminated.
struct view {
	const char *data;
	size_t size;
};

#define VIEW(literal) ((struct view){(literal), sizeof(literal) - 1})
// The same as an initialiser of static data.
#define VIEW_INIT(literal)                                                                     \
	{                                                                                      \
		(literal), sizeof(literal) - 1                                                 \
	}

struct view view_of(const char *nul_terminated);
bool view_equal(struct view a, struct view b);

// Chunked bump allocator. Null state: all zero. Frees everything at once; no object has a
// destructor.
struct arena_chunk;
struct arena {
	struct arena_chunk *head; // newest chunk
	size_t used_bytes;	  // in all chunks
	size_t max_bytes;	  // 0: no limit
	bool no_memory;		  // malloc failed once, not because of max_bytes
};

// Returns zeroed memory aligned for any type, or NULL when max_bytes would be passed or malloc
// fails. The block lives until arena_reset or arena_free.
void *arena_alloc(struct arena *a, size_t count, size_t size_bytes);
struct view arena_copy(struct arena *a, const void *data,
		       size_t size_bytes); // data NULL on failure
// Moves what is in `from`, pointers stay valid; false, and nothing moved, when max_bytes would
// be passed. *from is empty afterwards.
bool arena_join(struct arena *a, struct arena *from);
// Keeps the largest chunk for reuse; all pointers die.
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
