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
	bool *is_async;		 // of each operation
	uint16_t sequence[SEQUENCES_MAX];
	uint32_t mean_row_bytes_x100;
	unsigned threads; // that make these tables
	int64_t setup_ns; // what making these tables took
};

// Encodes the dictionary into *out (initialised here, freed by the caller): a third of what the
// tables take, so not kept.
enum status generator_encode_dict(const struct generator *g, struct buf *out,
				  struct err *e) MUST_CHECK;

#endif
