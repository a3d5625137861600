// SPDX-License-Identifier: Apache-2.0
// Trees, errors and root starts of a block.
#include "gen/shape.h"

#include <assert.h>
#include <stdlib.h>

#include "common/rng.h"

// ---- Tree ----------------------------------------------------------------------------------

// Bits of the sort key, from the top: layer, asynchronous, service, place in the drawn order.
#define KEY_LAYER 60
#define KEY_ASYNC 59
#define KEY_SERVICE 8

// Draws the rows in sorted order; layers[] receives the layer of each.
static void draw_rows(const struct plan *p, const bool *is_async, uint64_t first_row,
		      uint32_t size, struct shape_row *rows, uint8_t *layers)
{
	uint64_t key[TRACE_ROWS_MAX];
	uint32_t instance[TRACE_ROWS_MAX], operation[TRACE_ROWS_MAX];

	for (uint32_t i = 0; i < size; i++) {
		uint32_t service, at = i;
		uint64_t k;

		plan_row(p, first_row + i, &instance[i], &operation[i]);
		service = plan_instance_service(p, instance[i]);
		k = (uint64_t)plan_service_layer(p, service) << KEY_LAYER |
		    (uint64_t)is_async[operation[i]] << KEY_ASYNC |
		    (uint64_t)service << KEY_SERVICE | i;
		for (; at > 0 && key[at - 1] > k; at--)
			key[at] = key[at - 1];
		key[at] = k;
	}
	for (uint32_t i = 0; i < size; i++) {
		uint32_t drawn = key[i] & 255;

		layers[i] = (uint8_t)(key[i] >> KEY_LAYER);
		rows[i] = (struct shape_row){
			.instance = instance[drawn],
			.operation = operation[drawn],
			.is_async = key[i] >> KEY_ASYNC & 1,
		};
	}
}

// Weight of a caller: 1 / depth^2, so that traces are wide and shallow.
static uint32_t caller_weight(const struct shape_row *row)
{
	return row->calls >= CALLS_PER_ROW_MAX ? 0
					       : 65536u / ((uint32_t)row->depth * row->depth);
}

// Picks one of the first `count` rows by weight; false when all are full.
static bool pick_caller(const struct shape_row *rows, uint32_t count, uint64_t draw,
			uint32_t *caller)
{
	uint32_t sum = 0, at;

	for (uint32_t i = 0; i < count; i++)
		sum += caller_weight(&rows[i]);
	if (sum == 0)
		return false;
	at = rng_below(draw, sum);
	for (*caller = 0; at >= caller_weight(&rows[*caller]); (*caller)++)
		at -= caller_weight(&rows[*caller]);
	return true;
}

void shape_tree(const struct plan *p, const bool *is_async, uint64_t first_row, uint32_t size,
		struct shape_row *rows)
{
	uint8_t layers[TRACE_ROWS_MAX];
	uint64_t key = rng_key(plan_recipe(p)->seed, RNG_TREE, first_row);
	uint32_t above = 0; // rows of strictly lower layers than the current one

	assert(size >= 1 && size <= TRACE_ROWS_MAX);
	draw_rows(p, is_async, first_row, size, rows, layers);
	rows[0].depth = 1;
	for (uint32_t i = 1; i < size; i++) {
		uint64_t draw = rng_draw(key, i);
		uint32_t caller;

		if (layers[i] != layers[i - 1])
			above = i;
		// The row before this one has no calls yet, so there is always a caller.
		if (!pick_caller(rows, above, draw, &caller) &&
		    !pick_caller(rows, i, draw, &caller))
			assert(0);
		rows[i].up = i - caller;
		rows[i].depth = (uint8_t)(rows[caller].depth + 1);
		rows[caller].calls++;
	}
}

// ---- Errors --------------------------------------------------------------------------------

// With these two, 5.000 % of the rows are in error on average (1.74 errors per origin); what a
// block has more or less is corrected.
#define ORIGIN_SHARE_32 UINT32_C(123265650)	// 2.87 % of 2^32, at 5 % error rows
#define PROPAGATE_SHARE_32 UINT32_C(2576980378) // 60 % of 2^32
#define NOMINAL_ERRORS_MPCT 5000u

static uint32_t origin_share(const struct recipe *r)
{
	uint64_t share = (uint64_t)ORIGIN_SHARE_32 * r->errors_mpct / NOMINAL_ERRORS_MPCT;

	return (uint32_t)u64_min(share, UINT32_MAX);
}

static uint32_t draw_errors(const struct recipe *r, const struct plan_block *pb,
			    struct shape_row *rows)
{
	uint32_t share = origin_share(r), count = 0;

	for (uint32_t i = pb->rows; i-- > 0;) { // children before callers
		uint64_t key = rng_key(r->seed, RNG_ERROR, pb->first_row + i);

		rows[i].is_origin = rng_chance(rng_draw(key, 0), share);
		rows[i].propagates = rng_chance(rng_draw(key, 1), PROPAGATE_SHARE_32);
		rows[i].is_error = rows[i].is_error || rows[i].is_origin;
		count += rows[i].is_error;
		if (shape_reaches_parent(&rows[i]))
			rows[i - rows[i].up].is_error = true;
	}
	return count;
}

// Keeps the errors of row i's callees with them.
static void swallow(struct shape_row *rows, uint32_t count, uint32_t i)
{
	for (uint32_t j = i + 1; j < count && rows[j].up > 0; j++) {
		if (rows[j].up == j - i && shape_reaches_parent(&rows[j]))
			rows[j].propagates = false;
	}
}

// True when an error of row i comes from a callee.
static bool is_handed(const struct shape_row *rows, uint32_t count, uint32_t i)
{
	for (uint32_t j = i + 1; j < count && rows[j].up > 0; j++) {
		if (rows[j].up == j - i && shape_reaches_parent(&rows[j]))
			return true;
	}
	return false;
}

// Makes rows origins, in the order of perm, until `missing` more are in error.
static void add_errors(struct shape_row *rows, const struct rng_perm *perm, uint32_t missing)
{
	for (uint64_t k = 0; missing > 0; k++) {
		struct shape_row *row = &rows[rng_perm_at(perm, k)];

		if (row->is_error)
			continue;
		row->is_error = true;
		row->is_origin = true;
		row->propagates = false;
		missing--;
	}
}

// Takes errors that no caller got, in the order of perm, until `excess` fewer are in error:
// those that came from no callee first. Each step changes exactly one row from error to sound.
static void remove_errors(struct shape_row *rows, const struct rng_perm *perm, uint32_t excess)
{
	uint32_t count = (uint32_t)perm->size;

	for (bool lone = true; excess > 0; lone = false) {
		for (uint64_t k = 0; excess > 0 && k < count; k++) {
			uint32_t i = (uint32_t)rng_perm_at(perm, k);

			if (!rows[i].is_error || shape_reaches_parent(&rows[i]))
				continue;
			if (lone && is_handed(rows, count, i))
				continue;
			swallow(rows, count, i);
			rows[i].is_error = false;
			rows[i].is_origin = false;
			excess--;
		}
	}
}

void shape_errors(const struct recipe *r, const struct plan_block *pb, struct shape_row *rows)
{
	uint32_t count = draw_errors(r, pb, rows);
	struct rng_perm perm;

	// Index: counted from the end, apart from the row numbers of the draws.
	rng_perm_init(&perm, pb->rows, r->seed, RNG_ERROR, UINT64_MAX - pb->first_row);
	if (count < pb->error_rows)
		add_errors(rows, &perm, pb->error_rows - count);
	else
		remove_errors(rows, &perm, count - pb->error_rows);
}

// ---- Starts --------------------------------------------------------------------------------

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void shape_starts(uint64_t seed, const struct plan_block *pb, uint64_t *starts_ms)
{
	// A window of less than a millisecond still has one.
	uint64_t width = u64_max(pb->window_end_ms - pb->window_begin_ms, 1);

	for (uint32_t i = 0; i < pb->traces; i++) {
		uint64_t key = rng_key(seed, RNG_TRACE_START, pb->first_trace + i);
		uint64_t draw = rng_draw(key, 0) >> 1;

		starts_ms[i] =
			pb->window_begin_ms + u64_mul_div(draw, width, UINT64_C(1) << 63);
	}
	qsort(starts_ms, pb->traces, sizeof(*starts_ms), compare_u64);
}
