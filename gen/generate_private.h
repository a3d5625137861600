// SPDX-License-Identifier: Apache-2.0
// The tables of a generator, shared by block.c (makes blocks), generate.c (calibrates, writes)
// and estimate.c.
#ifndef GEN_GENERATE_PRIVATE_H
#define GEN_GENERATE_PRIVATE_H

#include "gen/generate.h"

// Read-only once made.
struct generator {
	struct plan *plan;
	struct segment_set *segments;
	const struct dict *dict; // of segments
	size_t dict_size;	 // bytes of its encoding
	bool *is_async;		 // of each operation
	uint16_t sequence[SEQUENCES_MAX];
	uint32_t mean_row_bytes_x100;
	unsigned threads; // that make these tables
	int64_t setup_ns; // what making these tables took
};

// The same rows in parts of few traces, each in b as if it were a block of its own without
// disorder, for those who have little room; ends early when `take` fails. h: of the whole
// block, its rows and number are set.
enum status generator_block_parts(const struct generator *g, struct generator_scratch *s,
				  uint64_t block, struct block *b,
				  enum status (*take)(void *ctx, const struct block *part,
						      const struct block_header *h,
						      struct err *e),
				  void *ctx, struct err *e) MUST_CHECK;

// ERR_USAGE when the dictionary leaves too little of a data file to blocks.
enum status generator_check_dict(const struct generator *g, struct err *e) MUST_CHECK;

#endif
