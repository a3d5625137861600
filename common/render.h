// SPDX-License-Identifier: Apache-2.0
// A stored row to its ten columns and its blob (a serialised SegmentObject), at any epoch. Only
// substitutes stored values: nothing is drawn here. Pure; a struct render is read-only after
// render_new and shared by threads, a struct render_block belongs to one.
#ifndef COMMON_RENDER_H
#define COMMON_RENDER_H

#include "common/corpus.h"

// The ten tag columns in schema order.
#define COLUMN_COUNT 10
enum column {
	COL_SERVICE_ID,
	COL_SERVICE_INSTANCE_ID,
	COL_TRACE_ID,
	COL_START_TIME,
	COL_LATENCY,
	COL_IS_ERROR,
	COL_SPAN_ID,
	COL_PARENT_SPAN_ID,
	COL_OPERATION_NAME,
	COL_COMPONENT,
};
extern const char *const column_names[COLUMN_COUNT]; // "serviceId", ...

struct row {
	struct view service_id;		 // base64(name) + ".1"
	struct view service_instance_id; // serviceId + "_" + base64(instance name)
	struct view trace_id;
	struct view span_id;	    // traceSegmentId
	struct view parent_span_id; // first reference's segment id; empty for a root
	struct view operation_name;
	struct view component;
	int64_t start_ms; // since 1970, local clock of the instance (skew included)
	uint32_t latency_ms;
	bool is_error;
	bool texts_valid; // known to be UTF-8: dict_decode refuses other texts
	struct view blob;
};

struct render;
struct render_span;
struct render_id;
// Compiles the templates; d and recipe are borrowed for the life of the result.
enum status render_new(struct render **out, const struct dict *d, const struct recipe *recipe,
		       struct err *e) MUST_CHECK;
// For render_row_size and nothing else: takes a fraction of the memory, as nothing has bytes.
enum status render_new_sizes(struct render **out, const struct dict *d,
			     const struct recipe *recipe, struct err *e) MUST_CHECK;
void render_free(struct render *r); // NULL is fine

#define ID_MAX 64 // bytes of a trace or segment id

// Everything about a block that rows share: where each row's spans and holes start, which row a
// call leads to, ids, output order.
struct render_block {
	const struct render *r; // borrowed
	const struct block *b;	// borrowed until the next render_block_set
	uint32_t rows, traces;
	uint32_t *trace_of;    // row -> trace index in the block
	uint32_t *trace_first; // trace -> its first row (traces + 1 entries)
	uint32_t *first_span;  // row -> its first entry in the span columns (rows + 1 entries)
	uint32_t outputs;      // rows, and copies of the rows that come twice
	uint32_t *order;       // output position -> row; by (row start, trace, ordinal) or by
			 // arrival, as the recipe says, late rows and copies in their place
	uint8_t *is_copy;      // output position -> 1: the row has been output before
	uint32_t *bound;       // row -> its blob takes no more bytes; UINT32_MAX: unknown
	int64_t *start_rel_ms; // row -> start relative to the epoch, skew included (the
			       // column's value minus the epoch)
	// private to render.c
	struct render_id *id; // row -> its segment id
	uint32_t *raw_at;     // row -> offset of its bytes in id_value
	uint32_t *literal_at; // row -> offset of its blob in literal_data (literal rows only)
	struct render_span *span; // one per inner span
	uint32_t *scratch;	  // for sorting
	int64_t *key;		  // to sort by
	size_t output_capacity, row_capacity, span_capacity, trace_capacity;
};

void render_block_init(struct render_block *rb, const struct render *r);
void render_block_free(struct render_block *rb);
// Prepares block b (already checked by block_decode).
void render_block_set(struct render_block *rb, const struct block *b);

// Renders row `row` (index in the block, trace by trace; use order[] for output order) at
// epoch_ms = relative millisecond 0. ids, columns and blob are views into out, which is cleared
// first and must outlive them (max >= ROW_BLOB_MAX; ERR_LIMIT otherwise).
enum status render_row(const struct render_block *rb, uint32_t row, int64_t epoch_ms,
		       struct buf *out, struct row *row_out, struct err *e) MUST_CHECK;
// Without the blob (blob.size 0): columns only, into a smaller buffer.
enum status render_columns(const struct render_block *rb, uint32_t row, struct buf *out,
			   int64_t epoch_ms, struct row *row_out, struct err *e) MUST_CHECK;
// Bytes of that row, as row_size counts them, without rendering it.
enum status render_row_size(const struct render_block *rb, uint32_t row, int64_t epoch_ms,
			    size_t *size_bytes, struct err *e) MUST_CHECK;
// Bytes of blob + text of the ten columns of a rendered row: what "row size" means everywhere.
size_t row_size(const struct row *row);
// Writes the id of a row (its traceSegmentId) / of its trace into out; returns the length.
size_t render_segment_id(const struct render_block *rb, uint32_t row, char out[ID_MAX]);
size_t render_trace_id(const struct render_block *rb, uint32_t row, char out[ID_MAX]);

#define RENDER_SLACK 192u

// Output position for the hot path of the replayer: the blob with `headroom` free bytes in
// front, rendered backwards so that nested lengths need no second pass. Returns the start of
// the blob inside [area, area + size), its end is area + size; NULL when the blob and
// RENDER_SLACK bytes in front of it, which are overwritten, do not fit.
uint8_t *render_blob_backward(const struct render_block *rb, uint32_t row, int64_t epoch_ms,
			      uint8_t *area, size_t size_bytes);

// Ask for the memory that rendering `row` will touch, which hides most of the waiting; never
// needed. Spans first, a few rows ahead: they say where the rest is, which render_fetch asks
// for one row ahead.
void render_fetch_spans(const struct render_block *rb, uint32_t row);
void render_fetch(const struct render_block *rb, uint32_t row);

#endif
