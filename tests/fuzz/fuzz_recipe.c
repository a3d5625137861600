// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the bytes of a recipe. What is accepted is spelled the one canonical way; what
// is in range besides can be planned or is refused with a reason.
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "gen/plan.h"

// Planning takes time and memory in proportion to these.
#define ENTITIES_MAX 2000u
#define BLOCKS_TRIED 3u

static void plan_it(const struct recipe *r)
{
	struct plan *p = NULL;
	struct err e = {0};
	uint32_t *sizes;
	uint64_t blocks = recipe_blocks(r);
	enum status s;

	if (r->services > ENTITIES_MAX || r->instances > ENTITIES_MAX ||
	    r->operations > ENTITIES_MAX)
		return;
	s = plan_new(&p, r, &e);
	fuzz_check_error(s, &e);
	if (s != OK)
		return;
	sizes = mem_zalloc(r->block_traces, sizeof(*sizes));
	for (uint32_t i = 0; i < BLOCKS_TRIED; i++) {
		uint64_t block = i == 0 ? 0 : i == 1 ? blocks / 2 : blocks - 1;
		struct plan_block b;
		uint64_t rows = 0;
		struct plan_maker maker;

		plan_block(p, block, &b, sizes);
		fuzz_must(b.traces > 0 && b.traces <= r->block_traces);
		for (uint32_t t = 0; t < b.traces; t++)
			rows += sizes[t];
		fuzz_must(rows == b.rows && b.error_rows <= b.rows);
		fuzz_must(b.first_row + b.rows <= r->spans);
		fuzz_must(block + 1 < blocks || b.first_row + b.rows == r->spans);
		fuzz_must(b.window_begin_ms <= b.window_end_ms);
		fuzz_must(b.window_end_ms <= r->window_ms);
		maker = plan_row(p, b.first_row);
		fuzz_must(maker.service < r->services && maker.instance < r->instances &&
			  maker.operation < r->operations);
	}
	free(sizes);
	plan_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {0};
	struct recipe r;
	struct buf again;
	enum status s = recipe_decode(data, size, &r, &e);

	fuzz_check_error(s, &e);
	if (s != OK)
		return 0;
	buf_init(&again, size + 1);
	recipe_encode(&r, &again);
	fuzz_must(!again.failed && again.size == size);
	fuzz_must(memcmp(again.data, data, size) == 0);
	buf_free(&again);
	fuzz_must(recipe_equal(&r, &r));
	s = recipe_check(&r, &e);
	fuzz_check_error(s, &e);
	if (s == OK)
		plan_it(&r);
	return 0;
}
