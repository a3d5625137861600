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

// Where the words of a template go, and its literals.
struct compiler {
	const struct span_template *t;
	const uint32_t *text_at; // where each shared text stands
	uint32_t *word;
	uint8_t *literal;  // NULL: not wanted
	uint32_t *last[2]; // the last instruction and the one before, or NULL
};

static void put_word(struct compiler *c, enum code code, uint32_t argument)
{
	c->last[1] = c->last[0];
	c->last[0] = c->word;
	*c->word++ = argument << CODE_BITS | code;
}

static bool is_code(const uint32_t *word, enum code code)
{
	return word != NULL && (*word & CODE_MASK) == code;
}

static void put_close(struct compiler *c)
{
	if (is_code(c->last[0], CODE_CLOSE))
		*c->last[0] += 1u << CODE_BITS;
	else
		put_word(c, CODE_CLOSE, 1);
}

// The head of a tag whose value has holes is one instruction.
static void put_open(struct compiler *c, uint32_t field)
{
	uint32_t *inner = c->last[1];

	if (is_code(c->last[0], CODE_LITERAL) && is_code(inner, CODE_OPEN) &&
	    *inner >> CODE_BITS <= UINT16_MAX && field <= UINT16_MAX) {
		uint32_t fields = field << 16 | *inner >> CODE_BITS;

		*inner = (*c->last[0] & ~CODE_MASK) | CODE_PAIR;
		*c->last[0] = fields;
		c->last[0] = inner;
		c->last[1] = NULL;
		return;
	}
	put_word(c, CODE_OPEN, field);
}

// Texts that are neighbours in memory, too, are copied as one.
static void put_text(struct compiler *c, uint32_t at, uint32_t size)
{
	uint32_t *last = c->last[0];

	if (is_code(last, CODE_TEXT) && last[1] == at + size &&
	    (*last >> CODE_BITS) + size <= ROW_BLOB_MAX) {
		*last += size << CODE_BITS;
		last[1] = at;
		return;
	}
	put_word(c, CODE_TEXT, size);
	*c->word++ = at;
}

static void put_literal(struct compiler *c, const struct piece *p)
{
	uint32_t *last = c->last[0];

	if (piece_text(p) != 0) {
		put_text(c, c->text_at[p->text - 1], (uint32_t)p->literal.size);
		return;
	}
	if ((is_code(last, CODE_NUMBER) || is_code(last, CODE_WORD)) &&
	    *last >> CODE_BITS == 0 && p->literal.size <= LITERAL_SHORT)
		*last += (uint32_t)p->literal.size << CODE_BITS;
	else
		put_word(c, CODE_LITERAL, (uint32_t)p->literal.size);
	if (c->literal == NULL)
		return;
	memcpy(c->literal, p->literal.data, p->literal.size);
	c->literal += p->literal.size;
}

static void put_hole(struct compiler *c, const struct piece *p)
{
	if (p->varint != 0) {
		put_word(c, CODE_VARINT, p->hole);
		*c->word++ = p->varint << 3 | PB_VARINT;
	} else if (p->hole == HOLE_NUMBER || p->hole == HOLE_WORD) {
		put_word(c, p->hole == HOLE_NUMBER ? CODE_NUMBER : CODE_WORD, 0);
	} else {
		put_word(c, CODE_HOLE, p->hole);
	}
}

// Emits pieces [first, last) in reverse.
static void put_pieces(struct compiler *c, uint32_t first, uint32_t last)
{
	const struct piece *piece = c->t->piece;
	uint32_t starts[256];
	uint32_t count = 0;

	// Pieces of one level are found from the front (a message is followed by its
	// descendants), in portions from the back.
	for (uint32_t i = first; i < last; i += 1 + piece[i].child_count) {
		if (count == ARRAY_LEN(starts)) {
			put_pieces(c, i, last);
			break;
		}
		starts[count++] = i;
	}
	while (count > 0) {
		uint32_t at = starts[--count];
		const struct piece *p = &piece[at];

		if (piece_message(p) != 0) {
			put_close(c);
			put_pieces(c, at + 1, at + 1 + p->child_count);
			put_open(c, p->message);
		} else if (p->hole != HOLE_NONE) {
			put_hole(c, p);
		} else {
			put_literal(c, p);
		}
	}
}

// Most templates begin with the same four fields, which are written at one go.
static bool begins_with_ids(const struct span_template *t)
{
	static const uint32_t hole[] = {HOLE_SPAN_ID, HOLE_PARENT_SPAN_ID, HOLE_SPAN_START,
					HOLE_SPAN_END};

	if (t->piece_count < ARRAY_LEN(hole))
		return false;
	for (uint32_t i = 0; i < ARRAY_LEN(hole); i++) {
		if (t->piece[i].hole != hole[i] || t->piece[i].varint != i + 1)
			return false;
	}
	return true;
}

// Words a template needs at most, and bytes of its own literals.
static void measure(const struct render *r, const struct span_template *t, size_t *words,
		    size_t *literals)
{
	*words = 2 * (size_t)t->piece_count + 1;
	*literals = 0;
	for (uint32_t i = 0; i < t->piece_count && !r->sizes_only; i++)
		*literals += piece_text(&t->piece[i]) == 0 ? t->piece[i].literal.size : 0;
}

// Words first; literals are moved up to them when it is known how many there are.
static uint32_t *compile_template(const struct render *r, const uint32_t *text_at,
				  const struct span_template *t, uint32_t *at,
				  struct compiled *out)
{
	struct compiler c = {.t = t, .text_at = text_at, .word = at};
	bool ids = begins_with_ids(t);
	size_t words, literals;

	measure(r, t, &words, &literals);
	if (!r->sizes_only)
		c.literal = (uint8_t *)(at + words);
	put_pieces(&c, ids ? 4 : 0, t->piece_count);
	if (ids)
		put_word(&c, CODE_IDS, 0);
	if (literals > 0)
		memmove(c.word, at + words, literals);
	out->code = (uint32_t)(at - r->code);
	out->code_count = (uint32_t)(c.word - at);
	out->size = (uint32_t)(out->code_count * sizeof(*at) + literals);
	out->depth = t->depth;
	for (uint32_t i = 0; i < t->piece_count; i++)
		count_hole(out, t->piece[i].hole);
	return c.word + (literals + sizeof(*at) - 1) / sizeof(*at);
}

static enum status compile_all(struct render *r, const uint32_t *text_at, struct err *e)
{
	const struct dict *d = r->dict;
	size_t size = LITERAL_PAD;
	uint8_t *memory;
	uint32_t *at;

	for (uint32_t i = 0; i < d->template_count; i++) {
		size_t words, literals;

		measure(r, &d->template[i], &words, &literals);
		size += words * sizeof(*at) + literals + sizeof(*at);
	}
	memory = size / sizeof(*at) > UINT32_MAX ? NULL : arena_alloc(&r->arena, 1, size);
	if (memory == NULL)
		return err_set(e, ERR_MEMORY, "templates do not fit into memory");
	at = (uint32_t *)(void *)(memory + LITERAL_PAD);
	r->code = at;
	for (uint32_t i = 0; i < d->template_count; i++)
		at = compile_template(r, text_at, &d->template[i], at, &r -> template[i]);
	return OK;
}

// ---- Texts
// ------------------------------------------------------------------------------------------------------------

// Collects texts, first their sizes, then their bytes.
struct packer {
	char *text; // NULL: count only
	size_t size;
};

static struct packed pack(struct packer *k, struct view v)
{
	struct packed at = {(uint32_t)k->size, (uint32_t)v.size};

	if (k->text != NULL && v.size > 0)
		memcpy(k->text + k->size, v.data, v.size);
	k->size += v.size;
	return at;
}

// Every text of the dictionary that blobs need.
static void pack_all(struct render *r, struct packer *k, uint32_t *text_at)
{
	const struct dict *d = r->dict;

	k->size = LITERAL_PAD;
	for (uint32_t i = 0; i < d->text_count; i++)
		text_at[i] = pack(k, d->text[i]).at;
	for (uint32_t i = 0; i < d->word_count; i++)
		r->word[i] = pack(k, d->word[i]);
	for (uint32_t i = 0; i < d->service_count; i++) {
		r->service_name[i] = pack(k, d->service[i].name);
		r->service_peer[i] = pack(k, d->service[i].peer);
	}
	for (uint32_t i = 0; i < d->instance_count; i++)
		r->instance_name[i] = pack(k, d->instance[i].name);
	for (uint32_t i = 0; i < d->operation_count; i++) {
		r->operation_name[i] = pack(k, d->operation[i].name);
		r->operation_peer[i] = pack(k, d->operation[i].peer);
	}
}

static enum status pack_texts(struct render *r, uint32_t *text_at, struct err *e)
{
	const struct dict *d = r->dict;
	struct packer k = {NULL, 0};

	r->word = arena_alloc(&r->arena, (size_t)d->word_count + 1, sizeof(*r->word));
	r->service_name =
		arena_alloc(&r->arena, (size_t)d->service_count + 1, sizeof(*r->service_name));
	r->service_peer =
		arena_alloc(&r->arena, (size_t)d->service_count + 1, sizeof(*r->service_peer));
	r->instance_name = arena_alloc(&r->arena, (size_t)d->instance_count + 1,
				       sizeof(*r->instance_name));
	r->operation_name = arena_alloc(&r->arena, (size_t)d->operation_count + 1,
					sizeof(*r->operation_name));
	r->operation_peer = arena_alloc(&r->arena, (size_t)d->operation_count + 1,
					sizeof(*r->operation_peer));
	if (r->word == NULL || r->service_name == NULL || r->service_peer == NULL ||
	    r->instance_name == NULL || r->operation_name == NULL || r->operation_peer == NULL)
		return err_set(e, ERR_MEMORY, "dictionary does not fit into memory");
	pack_all(r, &k, text_at);
	if (r->sizes_only)
		return OK;
	if (k.size <= UINT32_MAX)
		k.text = arena_alloc(&r->arena, 1, k.size);
	if (k.text == NULL)
		return err_set(e, ERR_MEMORY, "texts do not fit into memory");
	pack_all(r, &k, text_at);
	r->text = k.text;
	return OK;
}

// ---- Bounds
// -----------------------------------------------------------------------------------------------------------

// The most bytes that texts of each kind take.
struct longest {
	uint64_t word, peer, reference;
};

static uint64_t longest_of(const struct packed *text, uint32_t count)
{
	uint64_t most = 0;

	for (uint32_t i = 0; i < count; i++)
		most = u64_max(most, text[i].size);
	return most;
}

#define VARINT_FIELD_MAX 15u // key of five bytes, value of ten
#define OPEN_MAX 10u	     // key and length of a nested field

static struct longest find_longest(struct render *r)
{
	const struct dict *d = r->dict;
	uint64_t names = longest_of(r->instance_name, d->instance_count) +
			 longest_of(r->service_name, d->service_count);
	struct longest l = {
		.word = longest_of(r->word, d->word_count),
		.peer = u64_max(longest_of(r->service_peer, d->service_count),
				longest_of(r->operation_peer, d->operation_count)),
	};

	l.reference = l.peer + longest_of(r->operation_name, d->operation_count) + names +
		      2 * ID_MAX + 8 * OPEN_MAX;
	r->head_bound =
		(uint32_t)u64_min(names + 2 * ID_MAX + 4 * OPEN_MAX + RENDER_SLACK, UINT32_MAX);
	return l;
}

static uint64_t hole_bound(const struct longest *l, uint32_t hole)
{
	switch ((enum hole_kind)hole) {
	case HOLE_HEX:
		return 16;
	case HOLE_WORD:
		return l->word;
	case HOLE_OWN_PEER:
	case HOLE_CALLEE_PEER:
		return l->peer;
	case HOLE_REFERENCE:
		return l->reference;
	case HOLE_NONE:
	case HOLE_NUMBER:
	case HOLE_SPAN_START:
	case HOLE_SPAN_END:
	case HOLE_SPAN_ID:
	case HOLE_PARENT_SPAN_ID:
		break;
	}
	return 20;
}

static uint32_t span_bound(const struct longest *l, const struct span_template *t)
{
	uint64_t bound = OPEN_MAX;

	for (uint32_t i = 0; i < t->piece_count; i++) {
		const struct piece *p = &t->piece[i];

		bound += piece_message(p) != 0	? OPEN_MAX
			 : piece_varint(p) != 0 ? VARINT_FIELD_MAX
			 : p->hole != 0		? hole_bound(l, p->hole)
						: p->literal.size;
	}
	return (uint32_t)u64_min(bound, UINT32_MAX);
}

static enum status compile_dict(struct render *r, struct err *e)
{
	uint32_t *text_at = mem_zalloc((size_t)r->dict->text_count + 1, sizeof(*text_at));
	enum status s = pack_texts(r, text_at, e);

	if (s == OK)
		s = compile_all(r, text_at, e);
	if (s == OK) {
		struct longest l = find_longest(r);

		for (uint32_t i = 0; i < r->dict->template_count; i++)
			r->template[i].bound = span_bound(&l, &r->dict->template[i]);
	}
	free(text_at);
	return s;
}

// Storage ids as the OAP server makes them: base64(service) ".1", and that "_"
// base64(instance).
static void size_ids(struct render *r)
{
	const struct dict *d = r->dict;

	for (uint32_t i = 0; i < d->service_count; i++)
		r->service_id[i].size = base64_size(d->service[i].name.size) + 2;
	for (uint32_t i = 0; i < d->instance_count; i++)
		r->instance_id[i].size = r->service_id[d->instance[i].service].size + 1 +
					 base64_size(d->instance[i].name.size);
}

static enum status make_ids(struct render *r, struct err *e)
{
	const struct dict *d = r->dict;

	size_ids(r);
	if (r->sizes_only)
		return OK;

	for (uint32_t i = 0; i < d->service_count; i++) {
		char *text = arena_alloc(&r->arena, 1, r->service_id[i].size);

		if (text == NULL)
			return err_set(e, ERR_MEMORY, "service ids do not fit into memory");
		memcpy(base64_write(text, d->service[i].name), ".1", 2);
		r->service_id[i].data = text;
	}
	for (uint32_t i = 0; i < d->instance_count; i++) {
		struct view service = r->service_id[d->instance[i].service];
		char *text = arena_alloc(&r->arena, 1, r->instance_id[i].size);

		if (text == NULL)
			return err_set(e, ERR_MEMORY, "instance ids do not fit into memory");
		memcpy(text, service.data, service.size);
		text[service.size] = '_';
		base64_write(text + service.size + 1, d->instance[i].name);
		r->instance_id[i].data = text;
	}
	return OK;
}

static enum status make(struct render **out, const struct dict *d, const struct recipe *recipe,
			bool sizes_only, struct err *e)
{
	struct render *r = mem_zalloc(1, sizeof(*r));
	enum status s = OK;

	r->dict = d;
	r->recipe = recipe;
	r->sizes_only = sizes_only;
	r->template =
		arena_alloc(&r->arena, (size_t)d->template_count + 1, sizeof(*r->template));
	r->service_id =
		arena_alloc(&r->arena, (size_t)d->service_count + 1, sizeof(*r->service_id));
	r->instance_id =
		arena_alloc(&r->arena, (size_t)d->instance_count + 1, sizeof(*r->instance_id));
	if (r->template == NULL || r->service_id == NULL || r->instance_id == NULL)
		s = err_set(e, ERR_MEMORY, "dictionary does not fit into memory");
	if (s == OK)
		s = compile_dict(r, e);
	if (s == OK)
		s = make_ids(r, e);
	if (s != OK) {
		render_free(r);
		r = NULL;
	}
	*out = r;
	return s;
}

enum status render_new(struct render **out, const struct dict *d, const struct recipe *recipe,
		       struct err *e)
{
	return make(out, d, recipe, false, e);
}

enum status render_new_sizes(struct render **out, const struct dict *d,
			     const struct recipe *recipe, struct err *e)
{
	return make(out, d, recipe, true, e);
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
	char text[2 * DECIMAL_MAX + 2];
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
	out->texts_valid = true;
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

enum status render_row_size(const struct render_block *rb, uint32_t row, int64_t epoch_ms,
			    size_t *size_bytes, struct err *e)
{
	bool literal = render_is_literal(rb, row);
	char ids[3 * ID_MAX];
	struct row r;

	fill_columns(rb, row, epoch_ms, ids, &r);
	r.blob.size =
		literal ? render_literal(rb, row).size : render_blob_size(rb, row, epoch_ms);
	if (r.blob.size + (literal ? 0 : RENDER_SLACK) > ROW_BLOB_MAX)
		return err_set(e, ERR_LIMIT, "row %llu: blob is larger than %zu bytes",
			       (unsigned long long)(rb->b->first_row + row),
			       (size_t)ROW_BLOB_MAX);
	*size_bytes = row_size(&r);
	return OK;
}
