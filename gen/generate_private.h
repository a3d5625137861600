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
	struct buf dict_bytes; // the encoded dictionary
	int64_t setup_ns;      // what making these tables took
};

#endif
