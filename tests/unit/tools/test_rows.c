// SPDX-License-Identifier: Apache-2.0
// Unit tests of tools/spancorpus_rows: generated rows are good, and each invariant that is
// broken on purpose is found and named.
#include "tests/unit/tools/stats_corpus.h"

#include <string.h>

static void check(struct fixture *f, struct findings *found)
{
	*found = (struct findings){.limit = 20};
	buf_init(&found->text, MIB);
	check_rows(&f->w, &f->source.corpus.dict, &f->source.corpus.manifest.recipe,
		   f->source.corpus.manifest.epoch_ms, &f->header, "here", found);
}

static void expect(struct fixture *f, const char *text)
{
	struct findings found;

	render_block_set(&f->w.rows, &f->w.block);
	check(f, &found);
	buf_put_u8(&found.text, 0);
	if (found.count == 0 || strstr((const char *)found.text.data, text) == NULL)
		fail_msg("\"%s\" is not among %d findings: %s", text, (int)found.count,
			 (const char *)found.text.data);
	buf_free(&found.text);
}

static void generated_rows_are_good(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (uint64_t n = 0; n < 4; n++) {
		struct findings found;

		fixture_block(&f, n);
		check(&f, &found);
		buf_put_u8(&found.text, 0);
		if (found.count > 0)
			fail_msg("%s", (const char *)found.text.data);
		buf_free(&found.text);
	}
	fixture_deinit(&f);
}

// A synchronous callee of which failing is `fails`.
static uint32_t callee_that(const struct fixture *f, bool fails)
{
	const struct block *b = &f->w.block;
	uint32_t row = 0;

	for (;;) {
		row = fixture_callee(f, row + 1, false);
		if (template_of(&f->source.corpus.dict, b->operation.v[row],
				b->template.v[f->w.rows.first_span[row]])
			    ->is_error == fails)
			return row;
	}
}

static void ends_that_disagree(void **state)
{
	struct fixture f;
	uint32_t row, span;

	(void)state;
	fixture_init(&f);
	fixture_block(&f, 0);
	row = callee_that(&f, true);
	span = fixture_exit(&f, row);
	// The sound ones are before the one in error.
	while (template_of(&f.source.corpus.dict, f.w.block.operation.v[row],
			   f.w.block.template.v[span])
		       ->is_error)
		f.w.block.template.v[span] -= 2;
	expect(&f, "fails, but the Exit span that calls it is not in error");
	fixture_block(&f, 0);
	row = callee_that(&f, false);
	f.w.block.template.v[f.w.rows.first_span[row]] += 2; // entry, entry in error
	expect(&f, "error flags of spans differ from the column isError");
	f.w.block.is_error.v[row] = 1;
	expect(&f, "fails, but the Exit span that calls it is not in error");
	fixture_deinit(&f);
}

static void calls_out_of_time(void **state)
{
	struct fixture f;
	uint32_t row;

	(void)state;
	fixture_init(&f);
	fixture_block(&f, 0);
	row = fixture_callee(&f, 0, true);
	f.w.block.start_ms.v[row] = 0;
	expect(&f, "a message is consumed before its producer has sent it");
	fixture_block(&f, 0);
	row = fixture_callee(&f, 0, false);
	f.w.block.start_ms.v[row] += 2 * 5000; // zigzag
	expect(&f, "ends after the Exit span that calls it");
	fixture_block(&f, 0);
	f.w.block.start_ms.v[row] = 1; // -1
	expect(&f, "starts before the Exit span that calls it");
	fixture_deinit(&f);
}

static void spans_out_of_their_parent(void **state)
{
	struct fixture f;
	uint32_t row = 0, span, at;

	(void)state;
	fixture_init(&f);
	fixture_block(&f, 0);
	// A row with a span of depth 2: its parent stands before it.
	for (;; row++) {
		const struct block *b = &f.w.block;
		uint32_t j;

		assert_true(row < f.w.rows.rows);
		for (j = 1; j < b->span_count.v[row]; j++) {
			span = f.w.rows.first_span[row] + j;
			if (b->template.v[span] % 2 == 1 &&
			    template_of(&f.source.corpus.dict, b->operation.v[row],
					b->template.v[span])
					    ->depth == 2)
				break;
		}
		if (j < b->span_count.v[row])
			break;
	}
	at = span - (row + 1);
	f.w.block.span_duration_ms.v[at] += f.w.block.span_duration_ms.v[at - 1] + 1;
	f.w.block.latency_ms.v[row] += 100000;
	expect(&f, "a span lies outside its parent span");
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generated_rows_are_good),
		cmocka_unit_test(ends_that_disagree),
		cmocka_unit_test(calls_out_of_time),
		cmocka_unit_test(spans_out_of_their_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
