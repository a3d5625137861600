// SPDX-License-Identifier: Apache-2.0
// One block: plan, shape and segment put together and written into columns. Pure given the
// tables of the generator; calibration and files are generate's.
#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/pb.h"
#include "common/rng.h"
#include "gen/disorder.h"
#include "gen/generate_private.h"
#include "gen/shape.h"

struct generator_scratch {
	uint32_t *sizes;	// rows of each trace of the block
	uint64_t *starts;	// root start of each
	struct shape_row *rows; // of the block
	size_t row_capacity;
	// of one trace
	struct segment_layout room[TRACE_ROWS_MAX];    // layouts, close together
	struct segment_layout *layout[TRACE_ROWS_MAX]; // of each row
	struct segment_call call[TRACE_ROWS_MAX];      // grouped by caller
	uint32_t first_call[TRACE_ROWS_MAX];
	uint32_t call_of[TRACE_ROWS_MAX];  // the call that a row answers
	uint32_t start_ms[TRACE_ROWS_MAX]; // true start - root start
	uint32_t parent_span[TRACE_ROWS_MAX];
};

struct generator_scratch *generator_scratch_new(const struct generator *g)
{
	struct generator_scratch *s = mem_zalloc(1, sizeof(*s));
	uint32_t traces = plan_recipe(g->plan)->block_traces;

	s->sizes = mem_zalloc(traces, sizeof(*s->sizes));
	s->starts = mem_zalloc(traces, sizeof(*s->starts));
	return s;
}

void generator_scratch_free(struct generator_scratch *s)
{
	if (s == NULL)
		return;
	free(s->sizes);
	free(s->starts);
	free(s->rows);
	free(s);
}

// Trees of all traces, then the errors of the block.
static void make_shapes(const struct generator *g, struct generator_scratch *s,
			const struct plan_block *pb)
{
	uint32_t at = 0;

	if (pb->rows > s->row_capacity) {
		s->row_capacity = pb->rows + pb->rows / 4;
		s->rows = mem_realloc(s->rows, s->row_capacity, sizeof(*s->rows));
	}
	for (uint32_t t = 0; t < pb->traces; t++) {
		shape_tree(g->plan, g->is_async, pb->first_row + at, s->sizes[t], &s->rows[at]);
		at += s->sizes[t];
	}
	shape_errors(plan_recipe(g->plan), pb, s->rows);
	shape_starts(plan_recipe(g->plan)->seed, pb, s->starts);
}

// Gives each row the stretch of call[] that holds its calls.
static void group_calls(struct generator_scratch *s, const struct shape_row *rows,
			uint32_t size)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < size; i++) {
		s->first_call[i] = sum;
		sum += rows[i].calls;
	}
	for (uint32_t i = 1; i < size; i++)
		s->call_of[i] = s->first_call[i - rows[i].up] + rows[i].place;
}

// From the leaves to the root: a caller must contain its callees in time.
static void lay_out_trace(const struct generator *g, struct generator_scratch *s,
			  const struct shape_row *rows, uint64_t first_row, uint32_t size)
{
	unsigned char *room = (unsigned char *)s->room;

	group_calls(s, rows, size);
	for (uint32_t i = size; i-- > 0;) {
		struct segment_row row = {
			.number = first_row + i,
			.operation = rows[i].operation,
			.fails = rows[i].fails,
			.is_origin = rows[i].is_origin,
			.call = &s->call[s->first_call[i]],
			.call_count = rows[i].calls,
		};

		s->layout[i] = (void *)room;
		segment_layout(g->segments, &row, s->layout[i]);
		room += segment_layout_size(s->layout[i]);
		if (i > 0)
			s->call[s->call_of[i]] = (struct segment_call){
				.row = i,
				.operation = rows[i].operation,
				.latency_ms = s->layout[i]->latency_ms,
				.failed = rows[i].fails,
				.async = rows[i].is_async,
				.retry = rows[i].is_retry,
			};
	}
	s->start_ms[0] = 0;
	s->parent_span[0] = 0;
	for (uint32_t i = 0; i < size; i++) {
		for (uint32_t c = 0; c < rows[i].calls; c++) {
			const struct segment_call *call = &s->call[s->first_call[i] + c];

			s->start_ms[call->row] = s->start_ms[i] + call->start_ms;
			s->parent_span[call->row] = call->parent_span;
		}
	}
}

static void put_spans(struct block *b, const struct segment_layout *l)
{
	column32_put(&b->span_count, l->span_count);
	for (uint32_t i = 0; i < l->span_count; i++) {
		column32_put(&b->template, l->span[i].template);
		if (i > 0) {
			column32_put(&b->span_start_ms, l->span[i].start_delta_ms);
			column32_put(&b->span_duration_ms, l->span[i].duration_ms);
		}
	}
}

// Ids of agents that have UUIDs. Two versions differ in a digit, and within each:
//
// version 4 (Node): bytes 0-5, 14 and 15 are a bijection of `number` (rng_mix is one).
static void put_random_id(struct block *b, uint64_t seed, uint64_t number)
{
	uint64_t unique = rng_mix(number ^ rng_key(seed, RNG_THREAD, UINT64_MAX));
	uint64_t rest = rng_draw(rng_key(seed, RNG_THREAD, UINT64_MAX - 1), number);
	uint8_t id[16];

	for (size_t i = 0; i < 6; i++)
		id[i] = (uint8_t)(unique >> (8 * i));
	for (size_t i = 6; i < 14; i++)
		id[i] = (uint8_t)(rest >> (8 * (i - 6)));
	id[6] = (uint8_t)(0x40 | (id[6] & 0x0f));
	id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));
	id[14] = (uint8_t)(unique >> 48);
	id[15] = (uint8_t)(unique >> 56);
	buf_put(&b->id_value, id, sizeof(id));
}

// From the first day of the Gregorian calendar to 1970.
#define UUID_CLOCK_MS INT64_C(12219292800000)

// version 1 (Python): ten thousand ticks of a millisecond hold the row's sequence, which is a
// permutation within a run of rows, and whether it is the trace's id; clock sequence and node
// hold the number of the run, 14 bits and 24 (a row is below 2^40 + 2^20, so a run below 2^29).
// What is left of the node is the container's, so a process has few nodes: one until 82 million
// rows.
static void put_time_id(struct block *b, int64_t time_ms, uint32_t instance, uint32_t sequence,
			uint64_t run, bool is_trace)
{
	uint64_t ticks = (uint64_t)(time_ms + UUID_CLOCK_MS) * 10000 + 2 * sequence + is_trace;
	uint64_t node = (run >> 14 & 0xffffff) ^ (instance * UINT64_C(0x9e3779b1) & 0xffffff);
	uint8_t id[16];

	for (size_t i = 0; i < 4; i++)
		id[i] = (uint8_t)(ticks >> (24 - 8 * i));
	id[4] = (uint8_t)(ticks >> 40);
	id[5] = (uint8_t)(ticks >> 32);
	id[6] = (uint8_t)(0x10 | (ticks >> 56 & 0x0f));
	id[7] = (uint8_t)(ticks >> 48);
	id[8] = (uint8_t)(0x80 | (run >> 8 & 0x3f));
	id[9] = (uint8_t)run;
	id[10] = 0x02;
	id[11] = 0x42;
	id[12] = 0xac;
	id[13] = (uint8_t)(node >> 16);
	id[14] = (uint8_t)(node >> 8);
	id[15] = (uint8_t)node;
	buf_put(&b->id_value, id, sizeof(id));
}

// Segment id of a row, and for a root the trace id. time_ms: start by the row's own clock.
static void put_ids(const struct generator *g, struct block *b, const struct shape_row *row,
		    uint64_t number, int64_t time_ms)
{
	uint64_t seed = plan_recipe(g->plan)->seed;
	uint32_t sequence = g->sequence[number % SEQUENCES_MAX];
	bool is_raw = g->dict->instance[row->instance].id_style == ID_RAW;
	uint32_t ids = row->up == 0 ? 2 : 1;
	uint64_t thread;

	if (!is_raw) {
		thread = rng_draw(rng_key(seed, RNG_THREAD, number), 0);
		column32_put(&b->thread, rng_below(thread, THREADS_MAX));
		column32_put(&b->sequence, sequence);
		return;
	}
	column32_put(&b->thread, 0);
	column32_put(&b->sequence, 0);
	for (uint32_t i = 0; i < ids; i++) {
		if (plan_service_language(g->plan, row->service) == LANGUAGE_NODE)
			put_random_id(b, seed, 2 * number + i);
		else
			put_time_id(b, time_ms, row->instance, sequence, number / SEQUENCES_MAX,
				    i == 1);
	}
}

static void put_trace(const struct generator *g, struct generator_scratch *s,
		      const struct shape_row *rows, uint64_t first_row, uint32_t size,
		      uint64_t root_ms, struct block *b)
{
	int64_t root_time_ms = plan_recipe(g->plan)->base_epoch_ms + (int64_t)root_ms;

	for (uint32_t i = 0; i < size; i++) {
		const struct segment_layout *l = s->layout[i];
		int32_t skew_ms = g->dict->instance[rows[i].instance].clock_skew_ms;
		struct segment_row row = {
			.number = first_row + i,
			.operation = rows[i].operation,
			.fails = rows[i].fails,
			.is_origin = rows[i].is_origin,
			.call = &s->call[s->first_call[i]],
			.call_count = rows[i].calls,
		};

		column32_put(&b->instance, rows[i].instance);
		column32_put(&b->operation, rows[i].operation);
		column32_put(&b->parent, rows[i].up);
		column32_put(&b->parent_span, s->parent_span[i]);
		column32_put(&b->start_ms, (uint32_t)pb_zigzag(s->start_ms[i]));
		column32_put(&b->latency_ms, l->latency_ms);
		column32_put(&b->is_error, rows[i].is_error);
		put_ids(g, b, &rows[i], first_row + i, root_time_ms + s->start_ms[i] + skew_ms);
		put_spans(b, l);
		segment_holes(g->segments, &row, l, b);
	}
}

// Least and greatest start, as the header has them: local clock, shifted by 2^32 to be
// positive.
static void widen(const struct generator *g, const struct generator_scratch *s,
		  const struct shape_row *rows, uint32_t size, uint64_t root_ms,
		  struct block_header *h)
{
	for (uint32_t i = 0; i < size; i++) {
		int64_t skew = g->dict->instance[rows[i].instance].clock_skew_ms;
		uint64_t start =
			(UINT64_C(1) << 32) + root_ms + s->start_ms[i] + (uint64_t)skew;

		h->min_start_ms = u64_min(h->min_start_ms, start);
		h->max_start_ms = u64_max(h->max_start_ms, start);
	}
}

// Traces [first, end) of a block into b, which they begin; `at`: rows before them. Returns the
// rows before `end`.
static uint32_t put_traces(const struct generator *g, struct generator_scratch *s,
			   const struct plan_block *pb, uint32_t first, uint32_t end,
			   uint32_t at, struct block *b, struct block_header *h)
{
	block_reset(b);
	b->number = h->number;
	b->first_trace = pb->first_trace + first;
	b->first_row = pb->first_row + at;
	for (uint32_t t = first; t < end; t++) {
		uint32_t size = s->sizes[t];

		column32_put(&b->trace_size, size);
		column64_put(&b->trace_start_ms,
			     s->starts[t] - (t == first ? 0 : s->starts[t - 1]));
		lay_out_trace(g, s, &s->rows[at], pb->first_row + at, size);
		put_trace(g, s, &s->rows[at], pb->first_row + at, size, s->starts[t], b);
		widen(g, s, &s->rows[at], size, s->starts[t], h);
		at += size;
	}
	return at;
}

static void begin_block(const struct generator *g, struct generator_scratch *s, uint64_t block,
			struct plan_block *pb, struct block_header *h)
{
	plan_block(g->plan, block, pb, s->sizes);
	make_shapes(g, s, pb);
	*h = (struct block_header){.number = block,
				   .first_trace = pb->first_trace,
				   .first_row = pb->first_row,
				   .traces = pb->traces,
				   .rows = pb->rows,
				   .min_start_ms = UINT64_MAX};
}

void generator_block(const struct generator *g, struct generator_scratch *s, uint64_t block,
		     struct block *b, struct block_header *h)
{
	struct plan_block pb;

	begin_block(g, s, block, &pb, h);
	put_traces(g, s, &pb, 0, pb.traces, 0, b, h);
	h->spans = (uint32_t)b->template.count;
	disorder_block(plan_recipe(g->plan), g->dict, &pb, b);
	h->duplicates = (uint32_t)b->duplicate_row.count;
}

#define PART_TRACES 50u

enum status generator_block_parts(const struct generator *g, struct generator_scratch *s,
				  uint64_t block, struct block *b,
				  enum status (*take)(void *ctx, const struct block *part,
						      const struct block_header *h,
						      struct err *e),
				  void *ctx, struct err *e)
{
	struct plan_block pb;
	struct block_header h;
	uint32_t at = 0;
	enum status st = OK;

	begin_block(g, s, block, &pb, &h);
	for (uint32_t t = 0; st == OK && t < pb.traces; t += PART_TRACES) {
		uint32_t end = (uint32_t)u64_min(t + PART_TRACES, pb.traces);

		at = put_traces(g, s, &pb, t, end, at, b, &h);
		st = take(ctx, b, &h, e);
	}
	return st;
}
