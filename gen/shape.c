// SPDX-License-Identifier: Apache-2.0
// Trees, errors and root starts of a block.
#include "gen/shape.h"

#include <assert.h>
#include <stdlib.h>

#include "common/rng.h"

// ---- Tree ----------------------------------------------------------------------------------

// Bits of the sort key, from the top: layer, asynchronous, service, operation, place in the
// drawn order.
#define KEY_LAYER 60
#define KEY_ASYNC 59
#define KEY_SERVICE 32
#define KEY_OPERATION 8

// A trace in the making; entry i belongs to row i.
struct tree {
	const struct plan *plan;
	struct shape_row *rows;
	uint8_t layer[TRACE_ROWS_MAX];
	uint32_t weight[TRACE_ROWS_MAX];      // as a caller; 0 when it makes no more calls
	uint64_t callee_bits[TRACE_ROWS_MAX]; // of its service
};

// Draws the rows in sorted order.
static void draw_rows(struct tree *t, const bool *is_async, uint64_t first_row, uint32_t size)
{
	uint64_t key[TRACE_ROWS_MAX];
	struct plan_maker maker[TRACE_ROWS_MAX];

	plan_rows(t->plan, first_row, size, maker);
	for (uint32_t i = 0; i < size; i++) {
		uint32_t at = i;
		uint64_t k;

		k = (uint64_t)plan_service_layer(t->plan, maker[i].service) << KEY_LAYER |
		    (uint64_t)is_async[maker[i].operation] << KEY_ASYNC |
		    (uint64_t)maker[i].service << KEY_SERVICE |
		    (uint64_t)maker[i].operation << KEY_OPERATION | i;
		for (; at > 0 && key[at - 1] > k; at--)
			key[at] = key[at - 1];
		key[at] = k;
	}
	for (uint32_t i = 0; i < size; i++) {
		const struct plan_maker *m = &maker[key[i] & 255];

		t->layer[i] = (uint8_t)(key[i] >> KEY_LAYER);
		t->callee_bits[i] = plan_callee_bits(t->plan, m->service);
		t->rows[i] = (struct shape_row){
			.service = m->service,
			.instance = m->instance,
			.operation = m->operation,
			.is_async = key[i] >> KEY_ASYNC & 1,
		};
	}
}

// 65,536 / depth^2, so that traces are wide and shallow.
static uint32_t depth_weight(uint32_t depth)
{
	return 65536u / (depth * depth);
}

// Picks one of the first `count` rows by weight; their weights sum to `sum` > 0.
static uint32_t pick_caller(const struct tree *t, uint32_t count, uint32_t sum, uint64_t draw)
{
	uint32_t at = rng_below(draw, sum), caller = 0;

	for (; at >= t->weight[caller]; caller++) {
		at -= t->weight[caller];
		assert(caller + 1 < count);
	}
	return caller;
}

// The same among those of the first `count` rows that have `service` on their list; false when
// there is none with room.
static bool pick_lister(const struct tree *t, uint32_t count, uint32_t service, uint64_t draw,
			uint32_t *caller)
{
	uint32_t bit = plan_callee_bit(service), sum = 0, listers = 0, at;
	uint8_t lister[TRACE_ROWS_MAX];

	for (uint32_t i = 0; i < count; i++) {
		lister[listers] = (uint8_t)i;
		listers += (uint32_t)(t->callee_bits[i] >> bit & 1);
	}
	at = 0;
	for (uint32_t i = 0; i < listers; i++) {
		if (plan_calls(t->plan, t->rows[lister[i]].service, service)) {
			lister[at++] = lister[i];
			sum += t->weight[lister[i]];
		}
	}
	if (sum == 0)
		return false;
	listers = 0;
	for (at = rng_below(draw, sum); at >= t->weight[lister[listers]]; listers++)
		at -= t->weight[lister[listers]];
	*caller = lister[listers];
	return true;
}

void shape_tree(const struct plan *p, const bool *is_async, uint64_t first_row, uint32_t size,
		struct shape_row *rows)
{
	struct tree t;
	uint64_t key = rng_key(plan_recipe(p)->seed, RNG_TREE, first_row);
	// Rows of strictly lower layers than the current one, their weights, and all weights.
	uint32_t above = 0, above_sum = 0, sum;

	assert(size >= 1 && size <= TRACE_ROWS_MAX);
	t.plan = p;
	t.rows = rows;
	draw_rows(&t, is_async, first_row, size);
	rows[0].depth = 1;
	sum = t.weight[0] = depth_weight(1);
	for (uint32_t i = 1; i < size; i++) {
		uint64_t draw = rng_draw(key, i);
		uint32_t caller;

		if (t.layer[i] != t.layer[i - 1]) {
			above = i;
			above_sum = sum;
		}
		// The row before this one makes no calls yet, so there is always a caller.
		if (!pick_lister(&t, above, rows[i].service, draw, &caller))
			caller = above_sum > 0 ? pick_caller(&t, above, above_sum, draw)
					       : pick_caller(&t, i, sum, draw);
		rows[i].up = i - caller;
		rows[i].depth = (uint8_t)(rows[caller].depth + 1);
		rows[i].place = rows[caller].calls++;
		if (rows[caller].calls == CALLS_PER_ROW_MAX) {
			sum -= t.weight[caller];
			above_sum -= caller < above ? t.weight[caller] : 0;
			t.weight[caller] = 0;
		}
		t.weight[i] = depth_weight(rows[i].depth);
		sum += t.weight[i];
	}
}

// ---- Errors --------------------------------------------------------------------------------

// With these two, about 5 % of the rows are in error (1.75 to 2 per origin, depending on which
// services are consumers); what a block has more or less is corrected.
#define ORIGIN_SHARE_32 UINT32_C(113816633)	// 2.65 % of 2^32, at 5 % error rows
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
		struct shape_row *row = &rows[i];

		row->is_origin = rng_chance(rng_draw(key, 0), share);
		row->propagates = rng_chance(rng_draw(key, 1), PROPAGATE_SHARE_32);
		row->fails = row->fails || row->is_origin;
		row->is_error = row->is_error || row->is_origin;
		count += row->is_error;
		if (shape_fails_parent(row)) {
			rows[i - row->up].is_error = true;
			rows[i - row->up].fails = rows[i - row->up].fails || row->propagates;
		}
	}
	return count;
}

// What row i sees of its callees. except: a row that does not count (0: none, it is no callee).
static void look_down(const struct shape_row *rows, uint32_t count, uint32_t i, uint32_t except,
		      bool *any_fails, bool *any_propagates)
{
	*any_fails = false;
	*any_propagates = false;
	for (uint32_t j = i + 1; j < count && rows[j].up > 0; j++) {
		if (rows[j].up != j - i || j == except || !shape_fails_parent(&rows[j]))
			continue;
		*any_fails = true;
		*any_propagates = *any_propagates || rows[j].propagates;
	}
}

// Derives row i's flags from its callees and hands a change on to its callers; returns how many
// rows fewer are in error.
static uint32_t settle(struct shape_row *rows, uint32_t count, uint32_t i)
{
	uint32_t fewer = 0;

	for (;;) {
		struct shape_row *row = &rows[i];
		bool failed = row->fails, was_error = row->is_error, any_fails, any_propagates;

		look_down(rows, count, i, 0, &any_fails, &any_propagates);
		row->fails = row->is_origin || any_propagates;
		row->is_error = row->is_origin || any_fails;
		fewer += was_error && !row->is_error;
		if (row->fails == failed || row->is_async || row->up == 0)
			return fewer;
		i -= row->up;
	}
}

// Takes origins away, in the order of perm, until at most `wanted` of `errors` rows are in
// error. Returns how many are.
static uint32_t remove_errors(struct shape_row *rows, const struct rng_perm *perm,
			      uint32_t errors, uint32_t wanted)
{
	for (uint64_t k = 0; errors > wanted; k++) {
		uint32_t i = (uint32_t)rng_perm_at(perm, k);

		if (!rows[i].is_origin)
			continue;
		rows[i].is_origin = false;
		errors -= settle(rows, (uint32_t)perm->size, i);
	}
	return errors;
}

// Makes sound rows origins that their callers survive, in the order of perm, until `missing`
// more rows are in error. A new origin costs its caller's soundness too, so the last one
// missing must be a root, a consumer, or the callee of a row in error: a sound row with none
// above it is one.
static void add_errors(struct shape_row *rows, const struct rng_perm *perm, uint32_t missing)
{
	for (uint64_t k = 0; missing > 0; k = k + 1 == perm->size ? 0 : k + 1) {
		uint32_t i = (uint32_t)rng_perm_at(perm, k);
		struct shape_row *row = &rows[i], *caller = &rows[i - row->up];
		uint32_t cost;

		if (row->is_error)
			continue;
		cost = row->is_async || row->up == 0 || caller->is_error ? 1 : 2;
		if (cost > missing)
			continue;
		row->is_error = row->fails = row->is_origin = true;
		row->propagates = false;
		caller->is_error = caller->is_error || cost == 2;
		missing -= cost;
	}
}

// ---- Retries -------------------------------------------------------------------------------

// Calls of one caller to the same service and operation.
struct repeat {
	uint32_t row[CALLS_PER_ROW_MAX];
	uint32_t count, failing;
};

static bool is_same_call(const struct shape_row *a, const struct shape_row *b)
{
	return a->operation == b->operation && a->service == b->service;
}

// The synchronous calls like row i's of its caller, itself the first; they stand close behind,
// since rows are sorted.
static void find_repeat(const struct shape_row *rows, uint32_t count, uint32_t i,
			struct repeat *out)
{
	out->count = out->failing = 0;
	for (uint32_t j = i; j < count && (j == i || rows[j].up > 0); j++) {
		if (!is_same_call(&rows[i], &rows[j]))
			break;
		if (j - rows[j].up != i - rows[i].up)
			continue;
		out->row[out->count++] = j;
		out->failing += rows[j].fails;
	}
}

// The i-th row starts a repeat of which some fail.
static bool next_repeat(const struct shape_row *rows, uint32_t count, uint32_t i,
			struct repeat *out)
{
	if (rows[i].up == 0 || rows[i].is_async || i + 1 == count ||
	    !is_same_call(&rows[i], &rows[i + 1]))
		return false;
	for (uint32_t j = i;
	     j-- > 0 && rows[j + 1].up > 0 && is_same_call(&rows[i], &rows[j]);) {
		if (rows[j].up > 0 && j - rows[j].up == i - rows[i].up)
			return false; // not the first of its kind
	}
	find_repeat(rows, count, i, out);
	return out->count > 1 && out->failing > 0;
}

// Whether the row that fails can do so without its caller, whatever else happens.
static bool can_swallow(const struct shape_row *rows, uint32_t count, uint32_t i)
{
	const struct shape_row *caller = &rows[i - rows[i].up];
	bool any_fails, any_propagates;

	if (!rows[i].propagates || caller->is_origin)
		return true;
	look_down(rows, count, i - rows[i].up, i, &any_fails, &any_propagates);
	return any_propagates;
}

// In which order the calls of a repeat are made: without retries sound ones first, so that none
// follows a failure; among those that fail the one that their caller fails with is last.
static uint32_t call_rank(const struct shape_row *row, bool failing_first)
{
	if (!row->fails)
		return failing_first ? 3 : 0;
	return row->propagates ? 2 : 1;
}

static void order_calls(struct shape_row *rows, struct repeat *r, bool failing_first)
{
	uint8_t place = rows[r->row[0]].place; // the least: neighbours before and after

	for (uint32_t k = 1; k < r->count; k++) {
		uint32_t row = r->row[k], at = k;

		place = rows[row].place < place ? rows[row].place : place;
		for (; at > 0 && call_rank(&rows[r->row[at - 1]], failing_first) >
					 call_rank(&rows[row], failing_first);
		     at--)
			r->row[at] = r->row[at - 1];
		r->row[at] = row;
	}
	for (uint32_t k = 0; k < r->count; k++)
		rows[r->row[k]].place = (uint8_t)(place + k);
}

// The only failure of a repeat is answered by another attempt, which is heard.
static void retry_once(struct shape_row *rows, struct repeat *r)
{
	order_calls(rows, r, true);
	rows[r->row[0]].propagates = false;
	rows[r->row[1]].is_retry = true;
}

// Several failures of a repeat are attempts of one call; only the last is its caller's failure.
// Returns how many were made again.
static uint32_t retry_failing(struct shape_row *rows, struct repeat *r)
{
	uint32_t first = r->count - r->failing, retries = 0;

	order_calls(rows, r, false);
	for (uint32_t k = first; k < r->count; k++) {
		struct shape_row *row = &rows[r->row[k]];

		row->is_retry = (k - first) % ATTEMPTS_MAX != 0;
		retries += row->is_retry;
		row->propagates = row->propagates && k + 1 == r->count;
	}
	return retries;
}

static void make_retries(uint64_t seed, const struct plan_block *pb, struct shape_row *rows)
{
	uint64_t key = rng_key(seed, RNG_RETRY, pb->first_row);
	uint32_t failing = 0, open = 0, wanted, retries = 0;
	struct repeat r;

	for (uint32_t i = 0; i < pb->rows; i++) {
		failing += shape_fails_parent(&rows[i]);
		if (!next_repeat(rows, pb->rows, i, &r))
			continue;
		if (r.failing > 1)
			retries += retry_failing(rows, &r);
		else
			order_calls(rows, &r, false);
		open += r.failing == 1 && can_swallow(rows, pb->rows, r.row[r.count - 1]);
	}
	wanted = (failing * RETRY_PCT + rng_below(rng_draw(key, 0), 100)) / 100;
	wanted = wanted > retries ? wanted - retries : 0;
	// Each of the open ones with the same chance, and as many as wanted (Knuth, algorithm
	// S).
	for (uint32_t i = 0; i < pb->rows && wanted > 0 && open > 0; i++) {
		if (!next_repeat(rows, pb->rows, i, &r) || r.failing > 1)
			continue;
		order_calls(rows, &r, false);
		if (!can_swallow(rows, pb->rows, r.row[r.count - 1]))
			continue;
		if (rng_below(rng_draw(key, open), open) < wanted) {
			retry_once(rows, &r);
			wanted--;
		}
		open--;
	}
}

void shape_errors(const struct recipe *r, const struct plan_block *pb, struct shape_row *rows)
{
	uint32_t count = draw_errors(r, pb, rows);
	struct rng_perm perm;

	// Index: counted from the end, apart from the row numbers of the draws.
	rng_perm_init(&perm, pb->rows, r->seed, RNG_ERROR, UINT64_MAX - pb->first_row);
	count = remove_errors(rows, &perm, count, pb->error_rows);
	add_errors(rows, &perm, pb->error_rows - count);
	make_retries(r->seed, pb, rows);
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
