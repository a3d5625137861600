// SPDX-License-Identifier: Apache-2.0
// Rows of a corpus by position: 0, 1, 2, ... in output order over the blocks that are there,
// copies of rows that come twice among them. Blocks are read once, kept while somebody needs
// them, and reused. One thread.
#ifndef REPLAY_SOURCE_H
#define REPLAY_SOURCE_H

#include "common/render.h"

// A block in memory: rows [first, first + rows) of the source.
struct source_block {
	struct block block;
	struct render_block rb;
	size_t index;	// which block of the source; see source.c
	uint64_t first; // position of its first row
	uint32_t rows;	// used rows: the last block may be cut by a limit
	unsigned refs;
	struct source_block *next; // idle list
};

// Which blocks there are, in order.
struct source_part {
	uint64_t number; // of the block
	uint64_t first;	 // position of its first row
	uint64_t first_trace;
	uint32_t rows, traces;		// used rows; all traces
	int64_t min_rel_ms, max_rel_ms; // row starts relative to the epoch
	struct source_block *loaded;	// NULL: not in memory
};

struct source {
	struct corpus corpus;
	struct render *render;
	struct block_reader *reader;
	struct source_part *part; // owned
	size_t part_count;
	uint64_t rows;			// in all parts; one that comes twice counts twice
	int64_t min_rel_ms, max_rel_ms; // least and greatest row start, relative to the epoch;
					// exact with a limit too
	struct source_block *idle, *idle_last; // loaded, not needed: oldest first
	size_t idle_count;
};

// limit: rows; UINT64_MAX for all. ERR_NOT_FOUND when no block is there.
enum status source_open(struct source *s, const char *dir, uint64_t limit,
			struct err *e) MUST_CHECK;
void source_close(struct source *s); // null state: all zero

// The block that holds `position` (< rows), with a reference more.
enum status source_get(struct source *s, uint64_t position, struct source_block **out,
		       struct err *e) MUST_CHECK;
// A part by its index.
enum status source_get_part(struct source *s, size_t index, struct source_block **out,
			    struct err *e) MUST_CHECK;
void source_put(struct source *s, struct source_block *b); // NULL is fine

#endif
