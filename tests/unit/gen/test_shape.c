// SPDX-License-Identifier: Apache-2.0
// Unit tests of gen/shape: trees are trees, errors hit their quota and are consistent, starts
// are sorted and inside their window.
#include "tests/unit/common/unit.h"

#include "gen/scale.h"
#include "gen/shape.h"

struct fixture {
	struct recipe recipe;
	struct plan *plan;
	bool *is_async;
	struct plan_block block;
	uint32_t sizes[GROUP_TRACES];
	struct shape_row *rows;
};

static void fixture_init(struct fixture *f, uint32_t errors_mpct, uint64_t block)
{
	struct err e = {0};
	uint32_t at = 0;

	scale_recipe(&(struct scale_wish){.scale = SCALE_SMALL}, &f->recipe);
	f->recipe.errors_mpct = errors_mpct;
	assert_ok(plan_new(&f->plan, &f->recipe, &e), e);
	f->is_async = mem_zalloc(f->recipe.operations, sizeof(*f->is_async));
	for (uint32_t i = 0; i < f->recipe.operations; i += 9)
		f->is_async[i] = true;
	plan_block(f->plan, block, &f->block, f->sizes);
	f->rows = mem_zalloc(f->block.rows, sizeof(*f->rows));
	for (uint32_t t = 0; t < f->block.traces; t++) {
		shape_tree(f->plan, f->is_async, f->block.first_row + at, f->sizes[t],
			   &f->rows[at]);
		at += f->sizes[t];
	}
}

static void fixture_deinit(struct fixture *f)
{
	plan_free(f->plan);
	free(f->is_async);
	free(f->rows);
}

// The (instance, operation) pairs of a trace are those the plan draws, each once.
static void check_drawn(const struct fixture *f, uint32_t first, uint32_t size)
{
	bool used[TRACE_ROWS_MAX] = {false};

	for (uint32_t i = 0; i < size; i++) {
		struct plan_maker m = plan_row(f->plan, f->block.first_row + first + i);
		uint32_t k;

		for (k = 0; k < size; k++) {
			const struct shape_row *row = &f->rows[first + k];

			if (!used[k] && row->instance == m.instance &&
			    row->operation == m.operation && row->service == m.service)
				break;
		}
		assert_true(k < size);
		used[k] = true;
	}
}

static uint32_t layer_of(const struct fixture *f, const struct shape_row *row)
{
	return plan_service_layer(f->plan, plan_instance_service(f->plan, row->instance));
}

// A caller that does not list the row means that no row of a lower layer with room does.
static void check_listed(const struct fixture *f, const struct shape_row *rows, uint32_t i,
			 uint32_t caller, const uint32_t *calls)
{
	if (plan_calls(f->plan, rows[caller].service, rows[i].service))
		return;
	for (uint32_t k = 0; layer_of(f, &rows[k]) < layer_of(f, &rows[i]); k++)
		assert_true(calls[k] == CALLS_PER_ROW_MAX ||
			    !plan_calls(f->plan, rows[k].service, rows[i].service));
}

static void check_tree(const struct fixture *f, uint32_t first, uint32_t size)
{
	uint32_t calls[TRACE_ROWS_MAX] = {0};
	const struct shape_row *rows = &f->rows[first];

	assert_true(rows[0].up == 0 && rows[0].depth == 1);
	for (uint32_t i = 1; i < size; i++) {
		uint32_t caller = i - rows[i].up;

		assert_in_range(rows[i].up, 1, i);
		assert_true(rows[i].depth == rows[caller].depth + 1);
		assert_true(layer_of(f, &rows[i]) >= layer_of(f, &rows[i - 1]));
		// A lower layer is preferred; within the layer only when those are full.
		if (layer_of(f, &rows[caller]) == layer_of(f, &rows[i])) {
			for (uint32_t k = 0; layer_of(f, &rows[k]) < layer_of(f, &rows[i]); k++)
				assert_true(rows[k].calls == CALLS_PER_ROW_MAX);
		}
		check_listed(f, rows, i, caller, calls);
		calls[caller]++;
	}
	for (uint32_t i = 0; i < size; i++) {
		assert_true(calls[i] == rows[i].calls);
		assert_true(calls[i] <= CALLS_PER_ROW_MAX);
		assert_true(rows[i].is_async == f->is_async[rows[i].operation]);
	}
}

static void test_tree(void **state)
{
	struct fixture f;
	uint64_t depth = 0;
	uint32_t at = 0;

	(void)state;
	fixture_init(&f, 5000, 3);
	for (uint32_t t = 0; t < f.block.traces; t++) {
		uint32_t deepest = 0;

		check_drawn(&f, at, f.sizes[t]);
		check_tree(&f, at, f.sizes[t]);
		for (uint32_t i = 0; i < f.sizes[t]; i++)
			deepest =
				f.rows[at + i].depth > deepest ? f.rows[at + i].depth : deepest;
		depth += deepest;
		at += f.sizes[t];
	}
	assert_in_range(depth * 10 / f.block.traces, 22, 42); // wide and shallow
	fixture_deinit(&f);
}

// What a finished block promises (shape.h).
static void check_consistent(const struct fixture *f)
{
	uint32_t errors = 0;

	for (uint32_t i = 0; i < f->block.rows; i++) {
		const struct shape_row *row = &f->rows[i];
		bool seen = false, handed = false;

		for (uint32_t k = i + 1; k < f->block.rows && f->rows[k].up > 0; k++) {
			if (f->rows[k].up != k - i || !shape_fails_parent(&f->rows[k]))
				continue;
			seen = true;
			handed = handed || f->rows[k].propagates;
		}
		assert_true(row->fails == (row->is_origin || handed));
		assert_true(row->is_error == (row->is_origin || seen));
		errors += row->is_error;
	}
	assert_int_equal(errors, f->block.error_rows);
}

// The row whose caller makes call `place`.
static const struct shape_row *callee_at(const struct fixture *f, uint32_t caller,
					 uint32_t place)
{
	for (uint32_t k = caller + 1; k < f->block.rows && f->rows[k].up > 0; k++) {
		if (f->rows[k].up == k - caller && f->rows[k].place == place)
			return &f->rows[k];
	}
	return NULL;
}

// Places are a numbering of the calls; a call like the one before it, which failed, is a retry,
// and a failed attempt that is made again is not handed on. Returns the retries.
static uint32_t check_calls(const struct fixture *f)
{
	uint32_t retries = 0;

	for (uint32_t i = 0; i < f->block.rows; i++) {
		const struct shape_row *before = NULL;
		uint32_t attempts = 1;

		for (uint32_t place = 0; place < f->rows[i].calls; place++) {
			const struct shape_row *row = callee_at(f, i, place);
			bool repeats;

			assert_non_null(row);
			repeats = before != NULL && shape_fails_parent(before) &&
				  before->service == row->service &&
				  before->operation == row->operation;
			attempts = row->is_retry ? attempts + 1 : 1;
			assert_true(attempts <= ATTEMPTS_MAX);
			assert_true(row->is_retry == repeats ||
				    (repeats && attempts == 1 && row->fails));
			assert_true(!row->is_retry || !before->propagates);
			retries += row->is_retry;
			before = row;
		}
	}
	return retries;
}

static void test_errors(void **state)
{
	static const uint32_t mpct[] = {0, 1, 125, 5000, 30000, 90000, 100000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mpct); i++) {
		struct fixture f;

		fixture_init(&f, mpct[i], 5);
		shape_errors(&f.recipe, &f.block, f.rows);
		check_consistent(&f);
		check_calls(&f);
		fixture_deinit(&f);
	}
}

// RETRY_PCT of the failing calls, over the blocks of a group.
static void test_retries(void **state)
{
	uint64_t failing = 0, retries = 0;

	(void)state;
	for (uint64_t block = 0; block < 20; block++) {
		struct fixture f;

		fixture_init(&f, 5000, block);
		shape_errors(&f.recipe, &f.block, f.rows);
		for (uint32_t i = 0; i < f.block.rows; i++)
			failing += shape_fails_parent(&f.rows[i]);
		retries += check_calls(&f);
		fixture_deinit(&f);
	}
	assert_in_range(retries * 1000 / failing, 10 * RETRY_PCT - 6, 10 * RETRY_PCT + 6);
}

// Targets far from what is drawn: both corrections, down to one error and none.
static void test_errors_corrected(void **state)
{
	static const uint32_t target[] = {0, 1, 2, 50, 951, 952, 4000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(target); i++) {
		struct fixture f;

		fixture_init(&f, 20000, 7);
		f.block.error_rows = target[i];
		shape_errors(&f.recipe, &f.block, f.rows);
		check_consistent(&f);
		fixture_deinit(&f);
	}
}

// Some errors travel to callers, and none beyond a message queue.
static void test_errors_travel(void **state)
{
	struct fixture f;
	uint32_t origins = 0, survived = 0;

	(void)state;
	fixture_init(&f, 5000, 2);
	shape_errors(&f.recipe, &f.block, f.rows);
	for (uint32_t i = 0; i < f.block.rows; i++) {
		origins += f.rows[i].is_origin;
		survived += f.rows[i].is_error && !f.rows[i].fails;
	}
	assert_in_range(origins * 100 / f.block.error_rows, 45,
			62); // 1.75 to 2 errors per origin
	assert_in_range(survived * 100 / f.block.error_rows, 10, 35);
	fixture_deinit(&f);
}

static void test_starts(void **state)
{
	struct plan_block b = {.first_trace = 500,
			       .traces = 500,
			       .window_begin_ms = 1000,
			       .window_end_ms = 181000};
	uint64_t starts[500], again[500], half = 0;

	(void)state;
	shape_starts(1, &b, starts);
	for (uint32_t i = 0; i < b.traces; i++) {
		assert_in_range(starts[i], 1000, 180999);
		assert_true(i == 0 || starts[i] >= starts[i - 1]);
		half += starts[i] < 91000;
	}
	assert_in_range(half, 200, 300);
	shape_starts(1, &b, again);
	assert_memory_equal(starts, again, sizeof(starts));
	shape_starts(2, &b, again);
	assert_memory_not_equal(starts, again, sizeof(starts));
	b.window_end_ms = b.window_begin_ms; // less than a millisecond wide
	shape_starts(1, &b, starts);
	assert_true(starts[0] == 1000 && starts[499] == 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),	      cmocka_unit_test(test_errors),
		cmocka_unit_test(test_retries),	      cmocka_unit_test(test_errors_corrected),
		cmocka_unit_test(test_errors_travel), cmocka_unit_test(test_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
