// SPDX-License-Identifier: Apache-2.0
// Templates compiled to flat lists of steps, ids and columns of a row. Leaves all checking of
// stored values to block_decode and dict_decode, preparing a block to render_block.c and
// writing blobs to render_blob.c.
#include "common/render.h"

#include <stdlib.h>
#include <string.h>

#include "common/render_private.h"

const char *const column_names[COLUMN_COUNT] = {
	"serviceId", "serviceInstanceId", "traceId",	   "startTime", "latency", "isError",
	"spanId",    "parentSpanId",	  "operationName", "component",
};

// ---- Compiling
// -------------------------------------------------------------------------------------------------------

static void count_hole(struct compiled *c, uint32_t hole)
{
	c->numbers += hole == HOLE_NUMBER;
	c->hexes += hole == HOLE_HEX;
	c->words += hole == HOLE_WORD;
}

// Emits the steps of pieces [first, last) in reverse; returns the steps written, 0 when nested
// too deep.
static uint32_t compile_pieces(const struct span_template *t, uint32_t first, uint32_t last,
			       struct step *out, uint32_t depth)
{
	uint32_t starts[256];
	uint32_t count = 0, n = 0;

	if (depth > NESTING_MAX)
		return 0;
	// Pieces of one level are found from the front (a message is followed by its
	// descendants), in portions from the back.
	for (uint32_t i = first; i < last; i += 1 + t->piece[i].child_count) {
		if (count == ARRAY_LEN(starts)) {
			uint32_t tail = compile_pieces(t, i, last, out, depth);

			out += tail;
			n += tail;
			break;
		}
		starts[count++] = i;
	}
	while (count > 0) {
		const struct piece *p = &t->piece[starts[--count]];

		if (p->message != 0) {
			uint32_t at = starts[count];
			uint32_t inner;

			out[0] = (struct step){.kind = STEP_CLOSE};
			inner = compile_pieces(t, at + 1, at + 1 + p->child_count, out + 1,
					       depth + 1);
			out[1 + inner] = (struct step){.kind = STEP_OPEN,
						       .arg = p->message << 3 | PB_BYTES};
			out += inner + 2;
			n += inner + 2;
		} else if (p->hole != HOLE_NONE) {
			*out++ = (struct step){
				.kind = STEP_HOLE,
				.hole = (uint8_t)p->hole,
				.arg = p->varint != 0 ? p->varint << 3 | PB_VARINT : 0};
			n++;
		} else {
			*out++ = (struct step){.kind = STEP_LITERAL,
					       .literal = p->literal.data,
					       .arg = (uint32_t)p->literal.size};
			n++;
		}
	}
	return n;
}

// Copies the steps, and behind them a pad and their literals, into one piece of memory.
static enum status pack_steps(struct render *r, const struct step *steps, uint32_t count,
			      struct compiled *c, struct err *e)
{
	size_t size = count * sizeof(*steps) + LITERAL_PAD;
	struct step *packed;
	char *text;

	for (uint32_t i = 0; i < count; i++)
		size += steps[i].kind == STEP_LITERAL ? steps[i].arg : 0;
	packed = size > UINT32_MAX ? NULL : arena_alloc(&r->arena, 1, size);
	if (packed == NULL)
		return err_set(e, ERR_MEMORY, "templates do not fit into memory");
	text = (char *)(packed + count) + LITERAL_PAD;
	for (uint32_t i = 0; i < count; i++) {
		packed[i] = steps[i];
		if (steps[i].kind != STEP_LITERAL)
			continue;
		packed[i].literal = text;
		if (steps[i].arg > 0)
			memcpy(text, steps[i].literal, steps[i].arg);
		text += steps[i].arg;
	}
	c->step = packed;
	c->step_count = count;
	c->size = (uint32_t)size;
	return OK;
}

static enum status compile_template(struct render *r, const struct span_template *t,
				    struct compiled *c, struct err *e)
{
	struct step *steps = mem_zalloc((size_t)t->piece_count * 2 + 1, sizeof(*steps));
	enum status s;

	for (uint32_t i = 0; i < t->piece_count; i++)
		count_hole(c, t->piece[i].hole);
	c->depth = t->depth;
	s = pack_steps(r, steps, compile_pieces(t, 0, t->piece_count, steps, 0), c, e);
	free(steps);
	return s;
}

// Storage ids as the OAP server makes them: base64(service) ".1", and that "_"
// base64(instance).
static enum status make_ids(struct render *r, struct err *e)
{
	const struct dict *d = r->dict;

	for (uint32_t i = 0; i < d->service_count; i++) {
		size_t size = base64_size(d->service[i].name.size) + 2;
		char *text = arena_alloc(&r->arena, 1, size);

		if (text == NULL)
			return err_set(e, ERR_MEMORY, "service ids do not fit into memory");
		memcpy(base64_write(text, d->service[i].name), ".1", 2);
		r->service_id[i] = (struct view){text, size};
	}
	for (uint32_t i = 0; i < d->instance_count; i++) {
		struct view service = r->service_id[d->instance[i].service];
		size_t size = service.size + 1 + base64_size(d->instance[i].name.size);
		char *text = arena_alloc(&r->arena, 1, size);

		if (text == NULL)
			return err_set(e, ERR_MEMORY, "instance ids do not fit into memory");
		memcpy(text, service.data, service.size);
		text[service.size] = '_';
		base64_write(text + service.size + 1, d->instance[i].name);
		r->instance_id[i] = (struct view){text, size};
	}
	return OK;
}

enum status render_new(struct render **out, const struct dict *d, const struct recipe *recipe,
		       struct err *e)
{
	struct render *r = mem_zalloc(1, sizeof(*r));
	enum status s = OK;

	r->dict = d;
	r->recipe = recipe;
	r->template =
		arena_alloc(&r->arena, (size_t)d->template_count + 1, sizeof(*r->template));
	r->service_id =
		arena_alloc(&r->arena, (size_t)d->service_count + 1, sizeof(*r->service_id));
	r->instance_id =
		arena_alloc(&r->arena, (size_t)d->instance_count + 1, sizeof(*r->instance_id));
	if (r->template == NULL || r->service_id == NULL || r->instance_id == NULL)
		s = err_set(e, ERR_MEMORY, "dictionary does not fit into memory");
	for (uint32_t i = 0; s == OK && i < d->template_count; i++)
		s = compile_template(r, &d->template[i], &r -> template[i], e);
	if (s == OK)
		s = make_ids(r, e);
	if (s != OK) {
		render_free(r);
		r = NULL;
	}
	*out = r;
	return s;
}

void render_free(struct render *r)
{
	if (r == NULL)
		return;
	arena_free(&r->arena);
	free(r);
}

// ---- Ids and columns
// -------------------------------------------------------------------------------------------------

#define THREAD_FIRST 20u // stored thread 0 of rows 0..4999
#define THREADS 32u
#define SEQUENCES 5000u // rows that share one run of thread numbers

static size_t raw_id(const uint8_t *bytes, char *out)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < 16; i++) {
		out[2 * i] = digit[bytes[i] >> 4];
		out[2 * i + 1] = digit[bytes[i] & 15];
	}
	return 32;
}

static size_t dotted_id(const struct render_block *rb, uint32_t row, char *out)
{
	const struct block *b = rb->b;
	const struct instance *in = &rb->r->dict->instance[b->instance.v[row]];
	uint64_t thread =
		THREAD_FIRST + (b->first_row + row) / SEQUENCES * THREADS + b->thread.v[row];
	int64_t ms = rb->r->recipe->base_epoch_ms + in->id_clock_ms + rb->start_rel_ms[row];
	char text[48];
	char *p = text + sizeof(text);
	size_t size;

	p = decimal_backward(p, (uint64_t)ms * 10000 + (uint64_t)b->sequence.v[row] * 2);
	*--p = '.';
	p = decimal_backward(p, thread);
	*--p = '.';
	size = (size_t)(text + sizeof(text) - p);
	if (in->id_prefix.size + size > ID_MAX) // cannot happen: dict_decode bounds the prefix
		return 0;
	memcpy(out, in->id_prefix.data, in->id_prefix.size);
	memcpy(out + in->id_prefix.size, p, size);
	return in->id_prefix.size + size;
}

static bool is_raw(const struct render_block *rb, uint32_t row)
{
	return rb->r->dict->instance[rb->b->instance.v[row]].id_style == ID_RAW;
}

void render_set_ids(struct render_block *rb)
{
	for (uint32_t row = 0; row < rb->rows; row++) {
		struct render_id *id = &rb->id[row];

		id->size = (uint8_t)(is_raw(rb, row)
					     ? raw_id(rb->b->id_value.data + rb->raw_at[row],
						      id->text)
					     : dotted_id(rb, row, id->text));
	}
}

size_t render_segment_id(const struct render_block *rb, uint32_t row, char out[ID_MAX])
{
	memcpy(out, rb->id[row].text, ID_MAX);
	return rb->id[row].size;
}

size_t render_trace_id(const struct render_block *rb, uint32_t row, char out[ID_MAX])
{
	uint32_t root = rb->trace_first[rb->trace_of[row]];
	size_t size;

	if (is_raw(rb, root))
		return raw_id(rb->b->id_value.data + rb->raw_at[root] + 16, out);
	size = render_segment_id(rb, root, out);
	if (size > 0)
		out[size - 1]++; // N + 1: N is even, so only its last digit changes
	return size;
}

// Fills the columns; ids go to `ids`, which has room for three.
static void fill_columns(const struct render_block *rb, uint32_t row, int64_t epoch_ms,
			 char *ids, struct row *out)
{
	const struct block *b = rb->b;
	const struct render *r = rb->r;
	const struct instance *in = &r->dict->instance[b->instance.v[row]];
	const struct operation *op = &r->dict->operation[b->operation.v[row]];
	uint32_t up = b->parent.v[row];

	out->service_id = r->service_id[in->service];
	out->service_instance_id = r->instance_id[b->instance.v[row]];
	out->trace_id = (struct view){ids, render_trace_id(rb, row, ids)};
	ids += ID_MAX;
	out->span_id = (struct view){ids, render_segment_id(rb, row, ids)};
	ids += ID_MAX;
	out->parent_span_id =
		(struct view){ids, up != 0 ? render_segment_id(rb, row - up, ids) : 0};
	out->operation_name = op->name;
	out->component = r->dict->component[op->component];
	out->start_ms = epoch_ms + rb->start_rel_ms[row];
	out->latency_ms = b->latency_ms.v[row];
	out->is_error = b->is_error.v[row] != 0;
	out->blob = (struct view){NULL, 0};
}

enum status render_columns(const struct render_block *rb, uint32_t row, struct buf *out,
			   int64_t epoch_ms, struct row *row_out, struct err *e)
{
	uint8_t *ids;

	buf_clear(out);
	ids = buf_reserve(out, 3 * ID_MAX);
	if (ids == NULL)
		return buf_check(out, "row ids", e);
	fill_columns(rb, row, epoch_ms, (char *)ids, row_out);
	return OK;
}

static size_t decimal_size(uint64_t v)
{
	size_t n = 1;

	for (; v >= 10; v /= 10)
		n++;
	return n;
}

size_t row_size(const struct row *row)
{
	return row->blob.size + row->service_id.size + row->service_instance_id.size +
	       row->trace_id.size + row->span_id.size + row->parent_span_id.size +
	       row->operation_name.size + row->component.size +
	       decimal_size((uint64_t)row->start_ms) + decimal_size(row->latency_ms) + 1;
}

enum status render_row(const struct render_block *rb, uint32_t row, int64_t epoch_ms,
		       struct buf *out, struct row *row_out, struct err *e)
{
	size_t area = 16 * KIB;

	for (;; area *= 2) {
		uint8_t *p, *blob;

		buf_clear(out);
		p = buf_reserve(out, 3 * ID_MAX + area);
		if (p == NULL)
			return buf_check(out, "row", e);
		blob = render_blob_backward(rb, row, epoch_ms, p + 3 * ID_MAX, area);
		if (blob == NULL && area >= ROW_BLOB_MAX)
			return err_set(e, ERR_LIMIT, "row %llu: blob is larger than %zu bytes",
				       (unsigned long long)(rb->b->first_row + row), area);
		if (blob == NULL)
			continue;
		fill_columns(rb, row, epoch_ms, (char *)p, row_out);
		row_out->blob = (struct view){(const char *)blob,
					      (size_t)(p + 3 * ID_MAX + area - blob)};
		return OK;
	}
}
