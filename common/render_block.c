// SPDX-License-Identifier: Apache-2.0
// What the rows of a block share: where spans and hole values begin, who calls whom, the order
// of output.
#include <stdlib.h>
#include <string.h>

#include "common/order.h"
#include "common/render_private.h"

void render_block_init(struct render_block *rb, const struct render *r)
{
	memset(rb, 0, sizeof(*rb));
	rb->r = r;
}

void render_block_free(struct render_block *rb)
{
	free(rb->trace_of);
	free(rb->trace_first);
	free(rb->first_span);
	free(rb->order);
	free(rb->bound);
	free(rb->start_rel_ms);
	free(rb->id);
	free(rb->raw_at);
	free(rb->literal_at);
	free(rb->span);
	free(rb->scratch);
	free(rb->key);
	free(rb->is_copy);
	memset(rb, 0, sizeof(*rb));
}

static void grow(struct render_block *rb, size_t rows, size_t spans, size_t traces)
{
	if (rows > rb->row_capacity) {
		rb->row_capacity = rows + rows / 4;
		rb->trace_of =
			mem_realloc(rb->trace_of, rb->row_capacity, sizeof(*rb->trace_of));
		rb->first_span = mem_realloc(rb->first_span, rb->row_capacity + 1,
					     sizeof(*rb->first_span));
		rb->bound = mem_realloc(rb->bound, rb->row_capacity, sizeof(*rb->bound));
		rb->start_rel_ms = mem_realloc(rb->start_rel_ms, rb->row_capacity,
					       sizeof(*rb->start_rel_ms));
		rb->id = mem_realloc(rb->id, rb->row_capacity, sizeof(*rb->id));
		rb->raw_at = mem_realloc(rb->raw_at, rb->row_capacity, sizeof(*rb->raw_at));
		rb->literal_at =
			mem_realloc(rb->literal_at, rb->row_capacity, sizeof(*rb->literal_at));
		rb->scratch = mem_realloc(rb->scratch, rb->row_capacity, sizeof(*rb->scratch));
		rb->key = mem_realloc(rb->key, rb->row_capacity, sizeof(*rb->key));
	}
	if (rb->outputs > rb->output_capacity) {
		rb->output_capacity = rb->outputs + rb->outputs / 4;
		rb->order = mem_realloc(rb->order, rb->output_capacity, sizeof(*rb->order));
		rb->is_copy =
			mem_realloc(rb->is_copy, rb->output_capacity, sizeof(*rb->is_copy));
	}
	if (spans > rb->span_capacity) {
		rb->span_capacity = spans + spans / 4;
		rb->span = mem_realloc(rb->span, rb->span_capacity, sizeof(*rb->span));
	}
	if (traces > rb->trace_capacity) {
		rb->trace_capacity = traces + traces / 4;
		rb->trace_first = mem_realloc(rb->trace_first, rb->trace_capacity + 1,
					      sizeof(*rb->trace_first));
	}
}

// Rows of each trace, row starts, where spans, raw ids and literal blobs begin.
static void set_rows(struct render_block *rb)
{
	const struct block *b = rb->b;
	const struct dict *d = rb->r->dict;
	uint64_t trace_start = 0;
	uint32_t row = 0, span = 0, raw = 0, literal = 0, literals = 0;

	for (uint32_t t = 0; t < rb->traces; t++) {
		rb->trace_first[t] = row;
		trace_start += b->trace_start_ms.v[t];
		for (uint32_t i = 0; i < b->trace_size.v[t]; i++, row++) {
			const struct instance *in = &d->instance[b->instance.v[row]];

			rb->trace_of[row] = t;
			rb->first_span[row] = span;
			rb->start_rel_ms[row] = (int64_t)trace_start +
						pb_unzigzag(b->start_ms.v[row]) +
						in->clock_skew_ms;
			rb->raw_at[row] = raw;
			raw += in->id_style == ID_RAW ? (i == 0 ? 32 : 16) : 0;
			rb->literal_at[row] = literal;
			if (b->template.v[span] == 0)
				literal += b->literal_size.v[literals++];
			span += b->span_count.v[row];
		}
	}
	rb->trace_first[rb->traces] = row;
	rb->first_span[row] = span;
}

// Which span calls which row: a child names its parent's row and the Exit span's id.
static void set_callees(struct render_block *rb)
{
	const struct block *b = rb->b;

	for (uint32_t i = 0; i < rb->first_span[rb->rows]; i++)
		rb->span[i].callee = UINT32_MAX;
	for (uint32_t row = rb->rows;
	     row-- > 0;) { // the first of several children of one span wins
		uint32_t up = b->parent.v[row];
		uint32_t first = rb->first_span[row - up];

		// The spans of a literal parent are not among ours.
		if (up != 0 && b->template.v[first] != 0)
			rb->span[first + b->parent_span.v[row]].callee = row;
	}
}

struct hole_cursor {
	uint32_t number, hex, word, inner;
};

// Asks for the templates of a row, as if its own operation had them all.
static void fetch_templates(const struct render_block *rb, uint32_t row)
{
	const struct block *b = rb->b;
	uint32_t own = rb->r->dict->operation[b->operation.v[row]].first_template;

	for (uint32_t i = rb->first_span[row]; i < rb->first_span[row + 1]; i++)
		fetch_entry(rb->r->template, own + b->template.v[i] / 2,
			    sizeof(*rb->r->template));
}

static void set_spans_of_row(struct render_block *rb, uint32_t row, struct hole_cursor *at)
{
	const struct block *b = rb->b;
	const struct render *r = rb->r;
	uint32_t first = rb->first_span[row];
	uint32_t count = rb->first_span[row + 1] - first;
	struct render_span *span = &rb->span[first];
	const struct operation *own = &r->dict->operation[b->operation.v[row]];
	uint32_t finished = 0, open = 0, start = 0;
	uint64_t bound = r->head_bound;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t ref = b->template.v[first + i];
		uint32_t depth;

		if (ref == 0) {
			span[i] = (struct render_span){.callee = UINT32_MAX};
			return;
		}
		if (ref & 1)
			span[i].template = &r->template[own->first_template + ref / 2];
		else
			span[i].template =
				&r->template[r->dict->operation[b->operation.v[span[i].callee]]
						     .first_template +
					     ref / 2 - 1];
		depth = span[i].template->depth;
		bound += span[i].template->bound;
		span[i].code = r->code + span[i].template->code;
		span[i].code_count = span[i].template->code_count;
		span[i].code_size = span[i].template->size;
		if (i == 0) {
			span[i].parent = 0;
			span[i].duration_ms = b->latency_ms.v[row];
		} else {
			start += b->span_start_ms.v[at->inner];
			span[i].duration_ms = b->span_duration_ms.v[at->inner];
			at->inner++;
			// Climb from the span before to the one that encloses this; all left
			// behind have finished.
			open = i - 1;
			while (span[open].template->depth >= depth) {
				span[finished++].finish = open;
				open = span[open].parent;
			}
			span[i].parent = open;
		}
		span[i].start_ms = start;
		at->number += span[i].template->numbers;
		at->hex += span[i].template->hexes;
		at->word += span[i].template->words;
		span[i].number_end = at->number;
		span[i].hex_end = at->hex;
		span[i].word_end = at->word;
	}
	rb->bound[row] = (uint32_t)u64_min(bound, UINT32_MAX);
	for (open = count - 1; finished < count; open = span[open].parent)
		span[finished++].finish = open;
}

static void set_order(struct render_block *rb)
{
	const struct block *b = rb->b;
	const struct order_moves late = {b->late_row.v, b->late_by.v,
					 (uint32_t)b->late_row.count};
	const struct order_moves copies = {b->duplicate_row.v, b->duplicate_by.v,
					   (uint32_t)b->duplicate_row.count};
	const int64_t *key = rb->start_rel_ms;

	if (rb->r->recipe->order == ORDER_ARRIVAL) {
		for (uint32_t i = 0; i < rb->rows; i++)
			rb->key[i] = rb->start_rel_ms[i] + b->latency_ms.v[i];
		key = rb->key;
	}
	order_sort(key, rb->rows, rb->order, rb->scratch);
	if (late.count > 0)
		order_move_late(rb->order, rb->rows, &late);
	if (copies.count > 0)
		order_add_copies(rb->order, rb->rows, &copies, rb->is_copy);
	else
		memset(rb->is_copy, 0, rb->rows);
}

void render_block_set(struct render_block *rb, const struct block *b)
{
	struct hole_cursor at = {0};

	rb->b = b;
	rb->rows = (uint32_t)block_rows(b);
	rb->outputs = rb->rows + (uint32_t)b->duplicate_row.count;
	rb->traces = (uint32_t)b->trace_size.count;
	grow(rb, rb->rows, b->template.count, rb->traces);
	set_rows(rb);
	set_callees(rb);
	render_set_ids(rb);
	for (uint32_t row = 0; row < rb->rows; row++) {
		if (row + 2 < rb->rows)
			fetch_templates(rb, row + 2);
		set_spans_of_row(rb, row, &at);
	}
	set_order(rb);
}
