// SPDX-License-Identifier: Apache-2.0
// A generated block in memory, as the verbs of spancorpus see it, for tests that spoil it.
#ifndef TESTS_UNIT_TOOLS_STATS_CORPUS_H
#define TESTS_UNIT_TOOLS_STATS_CORPUS_H

#include "tests/unit/common/unit.h"

#include <stdlib.h>

#include "gen/generate.h"
#include "gen/scale.h"
#include "tools/spancorpus_stats.h"

struct fixture {
	struct generator *g;
	struct source source;
	struct generator_scratch *scratch;
	struct block_worker w;
	struct block_header header;
	struct model model;
};

static void fixture_init(struct fixture *f)
{
	struct err e = {0};
	struct manifest *m = &f->source.corpus.manifest;

	*f = (struct fixture){0};
	scale_recipe(&(struct scale_wish){.scale = SCALE_SMALL,
					  .spans = 20000,
					  .services = 100,
					  .operations = 300},
		     &m->recipe);
	assert_ok(generator_new(&f->g, &m->recipe, 1, &e), e);
	m->blocks = recipe_blocks(&m->recipe);
	m->epoch_ms = m->recipe.base_epoch_ms;
	f->source.corpus.dict = *generator_dict(f->g);
	assert_ok(render_new(&f->source.render, &f->source.corpus.dict, &m->recipe, &e), e);
	f->scratch = generator_scratch_new(f->g);
	block_worker_init(&f->w, f->source.render);
	assert_ok(plan_new(&f->model.plan, &m->recipe, &e), e);
	assert_ok(segment_set_new(&f->model.segments, f->model.plan, 1024, 1, NULL, &e), e);
}

static void fixture_deinit(struct fixture *f)
{
	block_worker_deinit(&f->w);
	render_free(f->source.render);
	generator_scratch_free(f->scratch);
	segment_set_free(f->model.segments);
	plan_free(f->model.plan);
	generator_free(f->g);
}

// Makes block `number` anew.
static void fixture_block(struct fixture *f, uint64_t number)
{
	generator_block(f->g, f->scratch, number, &f->w.block, &f->header);
	render_block_set(&f->w.rows, &f->w.block);
}

static bool fixture_is_message(const struct fixture *f, uint32_t row)
{
	bool *is_message = mem_zalloc(f->source.corpus.dict.operation_count, 1);
	bool result;

	mark_messages(&f->source.corpus.dict, is_message);
	result = is_message[f->w.block.operation.v[row]];
	free(is_message);
	return result;
}

// The first row, not before `from`, that is called by another one and is a message consumer or
// not.
static uint32_t fixture_callee(const struct fixture *f, uint32_t from, bool message)
{
	for (uint32_t row = from; row < f->w.rows.rows; row++) {
		if (f->w.block.parent.v[row] > 0 && fixture_is_message(f, row) == message)
			return row;
	}
	fail_msg("no such row from %u on", from);
	return 0;
}

// Index in the span columns of the Exit span that calls a row.
static uint32_t fixture_exit(const struct fixture *f, uint32_t row)
{
	uint32_t up = row - f->w.block.parent.v[row];

	return f->w.rows.first_span[up] + f->w.block.parent_span.v[row];
}

#endif
