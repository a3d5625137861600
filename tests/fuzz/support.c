// SPDX-License-Identifier: Apache-2.0
// What more than one fuzz target checks.
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/common/tiny_corpus.h"

// Rendered bytes of one input: a small input can ask for gigabytes, and bugs do not need them.
#define RENDERED_MAX (4 * MIB)

_Noreturn void fuzz_broken(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

void fuzz_check_error(enum status s, const struct err *e)
{
	if (s == OK)
		return;
	fuzz_must(s < STATUS_COUNT);
	fuzz_must(e->code == s);
	fuzz_must(e->text[0] != '\0');
	fuzz_must(strchr(e->text, '\n') == NULL);
}

struct recipe fuzz_recipe(void)
{
	return tiny_recipe;
}

// ---- Order of output
// -------------------------------------------------------------------------

#define ORDER_ROWS_MAX 512u // rows of a block whose order is made the slow way: n^2

static int64_t key_of(const struct render_block *rb, const struct recipe *r, uint32_t row)
{
	return rb->start_rel_ms[row] +
	       (r->order == ORDER_ARRIVAL ? (int64_t)rb->b->latency_ms.v[row] : 0);
}

// How far a row is moved, 0 when it is not among them.
static uint64_t distance_of(const struct column32 *row, const struct column32 *by, uint32_t r)
{
	uint64_t at = 0;

	for (size_t i = 0; i < row->count; i++) {
		at += row->v[i];
		if (at == r)
			return by->v[i];
	}
	return 0;
}

// Section 5.5 of FORMAT.md: puts `moved` entries behind as many of `base` as gap[] says.
static uint32_t put_behind(const uint32_t *base, uint32_t count, const uint32_t *moved,
			   const uint64_t *gap, uint32_t moves, uint32_t *out)
{
	uint32_t n = 0;

	for (uint32_t g = 0; g <= count; g++) {
		for (uint32_t i = 0; i < moves; i++) {
			if ((gap[i] < count ? gap[i] : count) == g)
				out[n++] = moved[i];
		}
		if (g < count)
			out[n++] = base[g];
	}
	return n;
}

static uint32_t reference_order(const struct render_block *rb, const struct recipe *r,
				uint32_t *out)
{
	const struct block *b = rb->b;
	uint32_t sorted[ORDER_ROWS_MAX], base[ORDER_ROWS_MAX] = {0};
	uint32_t moved[ORDER_ROWS_MAX] = {0};
	uint64_t gap[ORDER_ROWS_MAX] = {0};
	uint32_t on_time = 0, moves = 0;

	for (uint32_t row = 0; row < rb->rows; row++) {
		uint32_t at = row;

		for (; at > 0 && key_of(rb, r, sorted[at - 1]) > key_of(rb, r, row); at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = row;
	}
	for (uint32_t i = 0; i < rb->rows; i++) {
		uint64_t by = distance_of(&b->late_row, &b->late_by, sorted[i]);

		if (by == 0) {
			base[on_time++] = sorted[i];
		} else {
			gap[moves] = on_time + by;
			moved[moves++] = sorted[i];
		}
	}
	fuzz_must(put_behind(base, on_time, moved, gap, moves, sorted) == rb->rows);
	moves = 0;
	for (uint32_t i = 0; i < rb->rows; i++) {
		uint64_t by = distance_of(&b->duplicate_row, &b->duplicate_by, sorted[i]);

		if (by > 0) {
			gap[moves] = i + 1 + by;
			moved[moves++] = sorted[i];
		}
	}
	return put_behind(sorted, rb->rows, moved, gap, moves, out);
}

// The output order names every row once and copies once more, and is the one that the slow way
// finds.
static void check_order(const struct render_block *rb, const struct recipe *r)
{
	uint8_t *seen = mem_zalloc(rb->rows, 1);
	uint32_t wanted[2 * ORDER_ROWS_MAX];
	uint32_t copies = 0;

	fuzz_must(rb->outputs == rb->rows + rb->b->duplicate_row.count);
	for (uint32_t i = 0; i < rb->outputs; i++) {
		uint32_t row = rb->order[i];

		fuzz_must(row < rb->rows);
		fuzz_must(rb->is_copy[i] == seen[row]);
		fuzz_must(seen[row]++ < 2);
		copies += rb->is_copy[i];
	}
	fuzz_must(copies == rb->outputs - rb->rows);
	free(seen);
	if (rb->rows > ORDER_ROWS_MAX)
		return;
	fuzz_must(reference_order(rb, r, wanted) == rb->outputs);
	fuzz_must(memcmp(wanted, rb->order, rb->outputs * sizeof(wanted[0])) == 0);
}

// ---- Rows ----------------------------------------------------------------------------------

// A blob of a known size fits that and the slack, and no less (a literal blob needs no slack).
static void check_backward(const struct render_block *rb, uint32_t row, struct view blob)
{
	size_t size = blob.size + RENDER_SLACK;
	uint8_t *area = malloc(size); // exactly as large, so that ASan sees its ends
	const uint8_t *end;

	fuzz_must(area != NULL);
	end = area + size;
	fuzz_must(render_blob_backward(rb, row, TINY_EPOCH_MS, area, size) == end - blob.size);
	fuzz_must(blob.size == 0 || memcmp(end - blob.size, blob.data, blob.size) == 0);
	if (rb->b->template.v[rb->first_span[row]] != 0)
		fuzz_must(render_blob_backward(rb, row, TINY_EPOCH_MS, area, size - 1) == NULL);
	free(area);
}

static void check_columns(const struct render_block *rb, uint32_t row, const struct row *full,
			  struct buf *out)
{
	char id[ID_MAX];
	struct row columns;
	struct err e = {0};

	fuzz_must(render_columns(rb, row, out, TINY_EPOCH_MS, &columns, &e) == OK);
	fuzz_must(columns.blob.size == 0);
	fuzz_must(view_equal(columns.service_id, full->service_id));
	fuzz_must(view_equal(columns.service_instance_id, full->service_instance_id));
	fuzz_must(view_equal(columns.trace_id, full->trace_id));
	fuzz_must(view_equal(columns.span_id, full->span_id));
	fuzz_must(view_equal(columns.parent_span_id, full->parent_span_id));
	fuzz_must(view_equal(columns.operation_name, full->operation_name));
	fuzz_must(view_equal(columns.component, full->component));
	fuzz_must(columns.start_ms == full->start_ms);
	fuzz_must(columns.latency_ms == full->latency_ms);
	fuzz_must(columns.is_error == full->is_error);
	fuzz_must(full->span_id.size > 0 && full->trace_id.size > 0);
	fuzz_must((full->parent_span_id.size > 0) == (rb->b->parent.v[row] != 0));
	fuzz_must(render_segment_id(rb, row, id) == full->span_id.size);
	fuzz_must(render_trace_id(rb, row, id) == full->trace_id.size);
	fuzz_must(row_size(&columns) + full->blob.size == row_size(full));
}

void fuzz_render(const struct dict *d, const struct recipe *r, const struct block *b)
{
	struct render *render = NULL;
	struct render_block rb;
	struct buf out, small, reference;
	struct err e = {0};
	size_t rendered = 0;

	fuzz_must(render_new(&render, d, r, &e) == OK);
	render_block_init(&rb, render);
	buf_init(&out, 4 * ROW_BLOB_MAX);
	buf_init(&small, 4 * KIB);
	buf_init(&reference, 2 * ROW_BLOB_MAX);
	render_block_set(&rb, b);
	render_block_set(&rb, b); // storage is reused
	fuzz_must(rb.rows == block_rows(b));
	check_order(&rb, r);
	for (uint32_t row = 0; row < rb.rows && rendered < RENDERED_MAX; row++) {
		struct row full;
		enum status s;

		render_fetch_spans(&rb, row);
		render_fetch(&rb, row);
		s = render_row(&rb, row, TINY_EPOCH_MS, &out, &full, &e);
		fuzz_check_error(s, &e);
		fuzz_must(s == OK || s == ERR_LIMIT); // a blob may be too large
		if (s != OK) {
			rendered += ROW_BLOB_MAX;
			continue;
		}
		fuzz_reference_blob(d, b, row, &full, &reference);
		fuzz_must(!reference.failed && reference.size == full.blob.size);
		fuzz_must(full.blob.size == 0 ||
			  memcmp(reference.data, full.blob.data, full.blob.size) == 0);
		check_backward(&rb, row, full.blob);
		check_columns(&rb, row, &full, &small);
		rendered += 64 + full.blob.size;
	}
	buf_free(&out);
	buf_free(&small);
	buf_free(&reference);
	render_block_free(&rb);
	render_free(render);
}

void fuzz_block_again(const struct dict *d, const struct block *b)
{
	struct block again;
	struct buf first, second;
	struct err e = {0};

	block_init(&again);
	buf_init(&first, BLOCK_PAYLOAD_MAX);
	buf_init(&second, BLOCK_PAYLOAD_MAX);
	block_encode(b, &first);
	fuzz_must(!first.failed);
	fuzz_must(block_decode(first.data, first.size, d, &again, &e) == OK);
	block_encode(&again, &second);
	fuzz_must(first.size == second.size);
	fuzz_must(memcmp(first.data, second.data, first.size) == 0);
	buf_free(&first);
	buf_free(&second);
	block_free(&again);
}
