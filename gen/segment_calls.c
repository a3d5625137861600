// SPDX-License-Identifier: Apache-2.0
// What rows of each layer spend on calls and on the reference to their caller: gateways call
// four others and have no caller, leaves call nobody. Counted in a few trees, as it follows
// from the sizes of traces and from who serves what.
#include <stdlib.h>

#include "common/mem.h"
#include "gen/segment_private.h"
#include "gen/shape.h"

#define SAMPLE_ROWS 8192u
#define CALL_BYTES 259u	     // one call of a mean row, errors among them
#define REFERENCE_BYTES 222u // a reference

struct layer_calls {
	uint64_t rows, calls, children;
};

static void count_block(const struct plan *p, const struct plan_block *b, const uint32_t *sizes,
			const bool *is_async, struct layer_calls of[LAYER_COUNT])
{
	struct shape_row row[TRACE_ROWS_MAX];
	uint64_t first = b->first_row;

	for (uint32_t t = 0; t < b->traces; t++) {
		shape_tree(p, is_async, first, sizes[t], row);
		for (uint32_t i = 0; i < sizes[t]; i++) {
			struct layer_calls *l = &of[plan_service_layer(p, row[i].service)];

			l->rows++;
			l->calls += row[i].calls;
			l->children += row[i].up > 0;
		}
		first += sizes[t];
	}
}

void segment_call_bytes(const struct plan *p, uint32_t bytes[LAYER_COUNT])
{
	const struct recipe *r = plan_recipe(p);
	uint64_t blocks = recipe_blocks(r), rows_of_block = r->spans / blocks + 1;
	uint64_t samples = u64_min(blocks, SAMPLE_ROWS / rows_of_block + 1);
	// Whether a row is a consumer moves it among those of its layer only.
	bool *is_async = mem_zalloc((size_t)r->operations, sizeof(*is_async));
	uint32_t *sizes = mem_zalloc(r->block_traces, sizeof(*sizes));
	struct layer_calls of[LAYER_COUNT] = {0};

	for (uint64_t i = 0; i < samples; i++) {
		struct plan_block b;

		plan_block(p, u64_mul_div(i, blocks, samples), &b, sizes);
		// A block may be the whole corpus.
		b.traces = (uint32_t)u64_min(b.traces, SAMPLE_ROWS / 4);
		count_block(p, &b, sizes, is_async, of);
	}
	for (uint32_t l = 0; l < LAYER_COUNT; l++)
		bytes[l] = of[l].rows == 0 ? 0
					   : (uint32_t)((CALL_BYTES * of[l].calls +
							 REFERENCE_BYTES * of[l].children) /
							of[l].rows);
	free(is_async);
	free(sizes);
}
