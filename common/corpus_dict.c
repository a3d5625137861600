// SPDX-License-Identifier: Apache-2.0
// The dictionary's bytes: message Dictionary of proto/corpus.proto to and from struct dict.
// Decoding checks everything that can be checked without a block, so that nobody after it has
// to. What the texts say is gen's business.
#include "common/corpus.h"

#include <stdlib.h>
#include <string.h>

#include "common/corpus_private.h"
#include "common/pb.h"

#define ENTRIES_MAX (((size_t)1 << 24) - 1) // of one kind; a step has 24 bits for a text
#define FIELD_NUMBER_MAX ((UINT32_C(1) << 29) - 1)
#define ID_PREFIX_SIZE 32u
#define ID_CLOCK_MAX_MS (INT64_C(1) << 42)
#define CLOCK_SKEW_MAX_MS (1 << 30)
#define DICT_PART (256 * KIB) // bytes that are encoded at one go, about

void template_count_holes(struct span_template *t)
{
	uint32_t count[HOLE_WORD + 1] = {0};

	for (uint32_t i = 0; i < t->piece_count; i++)
		count[t->piece[i].hole <= HOLE_WORD ? t->piece[i].hole : HOLE_NONE]++;
	t->numbers = (uint16_t)count[HOLE_NUMBER];
	t->hexes = (uint16_t)count[HOLE_HEX];
	t->words = (uint16_t)count[HOLE_WORD];
}

// ---- Encoding ------------------------------------------------------------------------------

static void put_message(struct buf *out, uint32_t field, const struct buf *message)
{
	pb_put_bytes(out, field, message->data, message->size);
}

static void put_service(struct buf *b, const struct service *s)
{
	pb_put_view(b, 1, s->name);
	pb_put_view(b, 2, s->peer);
	pb_put_uint_nz(b, 3, s->layer);
}

static void put_instance(struct buf *b, const struct instance *in)
{
	pb_put_uint_nz(b, 1, in->service);
	pb_put_view(b, 2, in->name);
	pb_put_uint_nz(b, 3, in->id_style);
	pb_put_view(b, 4, in->id_prefix);
	pb_put_uint_nz(b, 5, (uint64_t)in->id_clock_ms);
	pb_put_uint_nz(b, 6, pb_zigzag(in->clock_skew_ms));
}

static void put_operation(struct buf *b, const struct operation *op)
{
	pb_put_view(b, 1, op->name);
	pb_put_uint_nz(b, 2, op->component);
	pb_put_uint_nz(b, 3, op->first_template);
	pb_put_uint_nz(b, 4, op->template_count);
	pb_put_view(b, 5, op->peer);
}

static void put_pieces(struct buf *b, uint32_t field, const struct piece *p, uint32_t count);

static void put_piece(struct buf *b, const struct piece *p)
{
	if (piece_text(p) == 0)
		pb_put_view(b, 1, p->literal);
	pb_put_uint_nz(b, 2, p->hole);
	pb_put_uint_nz(b, 3, piece_message(p));
	put_pieces(b, 4, p + 1, p->child_count);
	pb_put_uint_nz(b, 5, piece_varint(p));
	pb_put_uint_nz(b, 6, piece_text(p));
}

static size_t uint_size(uint32_t v)
{
	return v == 0 ? 0 : 1 + pb_varint_size(v);
}

// What put_piece puts. Nested pieces are measured once per level: nesting is shallow.
static size_t piece_size(const struct piece *p)
{
	size_t size = uint_size(p->hole) + uint_size(p->text); // whichever number it is

	if (piece_text(p) == 0)
		size += p->literal.size == 0
				? 0
				: 1 + pb_varint_size(p->literal.size) + p->literal.size;
	for (uint32_t i = 1; i <= p->child_count; i += 1 + p[i].child_count) {
		size_t child = piece_size(&p[i]);

		size += 1 + pb_varint_size(child) + child;
	}
	return size;
}

static void put_pieces(struct buf *b, uint32_t field, const struct piece *p, uint32_t count)
{
	for (uint32_t i = 0; i < count; i += 1 + p[i].child_count) {
		pb_put_tag(b, field, PB_BYTES);
		pb_put_varint(b, piece_size(&p[i]));
		put_piece(b, &p[i]);
	}
}

static void put_template(struct buf *b, const struct span_template *t)
{
	pb_put_uint_nz(b, 1, t->depth);
	put_pieces(b, 2, t->piece, t->piece_count);
	pb_put_uint_nz(b, 3, t->is_error);
	pb_put_uint_nz(b, 4, t->slot);
	pb_put_uint_nz(b, 5, t->is_call);
}

static size_t template_size(const struct span_template *t)
{
	size_t size = uint_size(t->depth) + uint_size(t->is_error) + uint_size(t->slot) +
		      uint_size(t->is_call);

	for (uint32_t i = 0; i < t->piece_count; i += 1 + t->piece[i].child_count) {
		size_t piece = piece_size(&t->piece[i]);

		size += 1 + pb_varint_size(piece) + piece;
	}
	return size;
}

// Entry i of a kind; m: for one message.
static void put_entry(const struct dict *d, uint32_t kind, uint32_t i, struct buf *m,
		      struct buf *out)
{
	struct view text;

	buf_clear(m);
	switch (kind) {
	case 1:
		put_service(m, &d->service[i]);
		break;
	case 2:
		put_instance(m, &d->instance[i]);
		break;
	case 3:
		put_operation(m, &d->operation[i]);
		break;
	case 4:
		if (out->count_only)
			m->size = template_size(&d->template[i]);
		else
			put_template(m, &d->template[i]);
		break;
	default:
		text = kind == 5 ? d->component[i] : kind == 6 ? d->word[i] : d->text[i];
		pb_put_bytes(out, kind, text.data, text.size);
		return;
	}
	out->failed |= m->failed;
	put_message(out, kind, m);
}

// Puts all into out, which is handed to `sink` and emptied whenever it has become large (NULL:
// never).
static enum status put_all(const struct dict *d, struct buf *out, const struct dict_sink *sink,
			   struct err *e)
{
	const uint32_t count[] = {0,
				  d->service_count,
				  d->instance_count,
				  d->operation_count,
				  d->template_count,
				  d->component_count,
				  d->word_count,
				  d->text_count};
	enum status s = OK;
	struct buf m; // one message

	buf_init(&m, BLOCK_PAYLOAD_MAX);
	m.count_only = out->count_only;
	for (uint32_t kind = 1; kind < ARRAY_LEN(count); kind++) {
		for (uint32_t i = 0; s == OK && i < count[kind]; i++) {
			put_entry(d, kind, i, &m, out);
			if (sink == NULL || out->size < DICT_PART)
				continue;
			s = buf_check(out, "dictionary", e);
			if (s == OK)
				s = sink->put(sink->ctx,
					      (struct view){(const char *)out->data, out->size},
					      e);
			buf_clear(out);
		}
	}
	buf_free(&m);
	return s;
}

void dict_encode(const struct dict *d, struct buf *out)
{
	(void)!put_all(d, out, NULL, NULL); // a buffer's errors are sticky
}

size_t dict_encoded_size(const struct dict *d)
{
	struct buf size;

	buf_init_count(&size);
	dict_encode(d, &size);
	return size.size;
}

enum status dict_encode_parts(const struct dict *d, const struct dict_sink *sink, struct err *e)
{
	enum status s;
	struct buf out;

	buf_init(&out, 2 * BLOCK_PAYLOAD_MAX);
	s = put_all(d, &out, sink, e);
	if (s == OK)
		s = buf_check(&out, "dictionary", e);
	if (s == OK)
		s = sink->put(sink->ctx, (struct view){(const char *)out.data, out.size}, e);
	buf_free(&out);
	return s;
}

// ---- Decoding ------------------------------------------------------------------------------

// The entry that is being decoded, for messages, and the first error.
struct decoder {
	struct arena *pieces; // NULL: they are not kept
	struct piece *room;   // owned: of a template whose pieces are not kept
	size_t room_count;
	const struct dict *dict; // what is decoded of it
	struct err *e;
	enum status status;
	const char *kind; // "service", "template", ...
	uint32_t index;
};

static void wrong(struct decoder *d, const char *what)
{
	if (d->status == OK)
		d->status = err_set(d->e, ERR_FORMAT, "dictionary: %s %u: %s", d->kind,
				    d->index, what);
}

static void unknown(struct decoder *d, const char *what, uint64_t number)
{
	if (d->status == OK)
		d->status = err_set(d->e, ERR_VERSION,
				    "dictionary: %s %u: unknown %s %llu (made by a newer "
				    "version? use that one to read it)",
				    d->kind, d->index, what, (unsigned long long)number);
}

static uint32_t get_u32(struct decoder *d, const struct pb_field *f)
{
	if (f->wire != PB_VARINT || f->value > UINT32_MAX) {
		wrong(d, "a number is malformed");
		return 0;
	}
	return (uint32_t)f->value;
}

static bool get_bool(struct decoder *d, const struct pb_field *f)
{
	uint32_t v = get_u32(d, f);

	if (v > 1)
		wrong(d, "a flag is neither 0 nor 1");
	return v == 1;
}

static struct view get_bytes(struct decoder *d, const struct pb_field *f)
{
	if (f->wire != PB_BYTES) {
		wrong(d, "a text is malformed");
		return VIEW("");
	}
	return f->bytes;
}

static struct view get_text(struct decoder *d, const struct pb_field *f)
{
	struct view v = get_bytes(d, f);

	if (!utf8_valid(v.data, v.size))
		wrong(d, "a text is not valid UTF-8");
	return v;
}

// The end of a message was reached, or its bytes are malformed.
static void end_of(struct decoder *d, const struct pb_reader *r)
{
	if (r->failed)
		wrong(d, "malformed message");
}

static void get_service(struct decoder *d, struct view bytes, struct service *out)
{
	struct pb_reader r;
	struct pb_field f;

	pb_reader_init(&r, bytes.data, bytes.size);
	while (d->status == OK && pb_next(&r, &f)) {
		switch (f.number) {
		case 1:
			out->name = get_text(d, &f);
			break;
		case 2:
			out->peer = get_text(d, &f);
			break;
		case 3:
			out->layer = get_u32(d, &f);
			break;
		default:
			unknown(d, "field", f.number);
		}
	}
	end_of(d, &r);
	if (out->name.size == 0)
		wrong(d, "has no name");
}

static bool is_id_prefix(struct view v)
{
	if (v.size != ID_PREFIX_SIZE)
		return false;
	for (size_t i = 0; i < v.size; i++) {
		char c = v.data[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
	}
	return true;
}

static void check_instance(struct decoder *d, const struct instance *in)
{
	if (in->name.size == 0)
		wrong(d, "has no name");
	if (in->id_style > ID_RAW)
		unknown(d, "id style", in->id_style);
	if (in->id_style == ID_DOTTED && !is_id_prefix(in->id_prefix))
		wrong(d, "id prefix is not 32 lower-case hex digits");
	if (in->id_style == ID_RAW && (in->id_prefix.size != 0 || in->id_clock_ms != 0))
		wrong(d, "raw ids have neither prefix nor clock");
	if (in->id_clock_ms < 0 || in->id_clock_ms > ID_CLOCK_MAX_MS)
		wrong(d, "id clock is out of range");
	if (in->clock_skew_ms < -CLOCK_SKEW_MAX_MS || in->clock_skew_ms > CLOCK_SKEW_MAX_MS)
		wrong(d, "clock skew is out of range");
}

static void get_instance(struct decoder *d, struct view bytes, struct instance *out)
{
	struct pb_reader r;
	struct pb_field f;

	pb_reader_init(&r, bytes.data, bytes.size);
	while (d->status == OK && pb_next(&r, &f)) {
		switch (f.number) {
		case 1:
			out->service = get_u32(d, &f);
			break;
		case 2:
			out->name = get_text(d, &f);
			break;
		case 3:
			out->id_style = get_u32(d, &f);
			break;
		case 4:
			out->id_prefix = get_text(d, &f);
			break;
		case 5:
			if (f.wire != PB_VARINT)
				wrong(d, "a number is malformed");
			out->id_clock_ms = (int64_t)f.value;
			break;
		case 6:
			out->clock_skew_ms = (int32_t)pb_unzigzag(get_u32(d, &f));
			break;
		default:
			unknown(d, "field", f.number);
		}
	}
	end_of(d, &r);
	check_instance(d, out);
}

static void get_operation(struct decoder *d, struct view bytes, struct operation *out)
{
	struct pb_reader r;
	struct pb_field f;

	pb_reader_init(&r, bytes.data, bytes.size);
	while (d->status == OK && pb_next(&r, &f)) {
		switch (f.number) {
		case 1:
			out->name = get_text(d, &f);
			break;
		case 2:
			out->component = get_u32(d, &f);
			break;
		case 3:
			out->first_template = get_u32(d, &f);
			break;
		case 4:
			out->template_count = get_u32(d, &f);
			break;
		case 5:
			out->peer = get_text(d, &f);
			break;
		default:
			unknown(d, "field", f.number);
		}
	}
	end_of(d, &r);
}

// Pieces in a field 'piece' that is nested `depth` deep, itself and descendants; 0 and an error
// when malformed.
static uint32_t count_pieces(struct decoder *d, struct view bytes, uint32_t depth)
{
	struct pb_reader r;
	struct pb_field f;
	uint32_t count = 1;

	if (depth > PIECE_NESTING_MAX)
		wrong(d, "messages are nested too deep");
	pb_reader_init(&r, bytes.data, bytes.size);
	while (d->status == OK && pb_next(&r, &f)) {
		if (f.number == 4)
			count += count_pieces(d, get_bytes(d, &f), depth + 1);
	}
	end_of(d, &r);
	return count;
}

static bool hole_is_number(uint32_t hole)
{
	return hole == HOLE_NUMBER || (hole >= HOLE_SPAN_START && hole <= HOLE_PARENT_SPAN_ID);
}

static uint8_t get_hole(struct decoder *d, const struct pb_field *f)
{
	uint32_t v = get_u32(d, f);

	if (v > HOLE_REFERENCE)
		unknown(d, "kind of hole", v);
	return (uint8_t)v;
}

// A piece as its message has it.
struct piece_fields {
	struct view literal;
	uint32_t text, varint, message;
	uint16_t child_count;
	uint8_t hole;
};

static void check_piece(struct decoder *d, const struct piece_fields *p)
{
	switch (p->hole) {
	case HOLE_NONE:
	case HOLE_NUMBER:
	case HOLE_HEX:
	case HOLE_WORD:
	case HOLE_OWN_PEER:
	case HOLE_CALLEE_PEER:
	case HOLE_REFERENCE:
		break;
	case HOLE_SPAN_START:
	case HOLE_SPAN_END:
	case HOLE_SPAN_ID:
	case HOLE_PARENT_SPAN_ID:
		if (p->varint == 0)
			wrong(d, "a span's own number is not a varint field");
		break;
	default:
		unknown(d, "kind of hole", p->hole);
	}
	if ((p->literal.size > 0) + (p->hole != HOLE_NONE) + (p->message != 0) +
		    (p->text != 0) !=
	    1)
		wrong(d, "a piece is not exactly one of literal, hole, message, text");
	if (p->message > FIELD_NUMBER_MAX || p->varint > FIELD_NUMBER_MAX)
		wrong(d, "a field number is out of range");
	if (p->varint != 0 && !hole_is_number(p->hole))
		wrong(d, "a varint field is not a number");
	if (p->child_count != 0 && p->message == 0)
		wrong(d, "a piece that is no message has pieces");
}

// Fills *at, then its descendants behind it; returns the entry after the last.
static struct piece *get_piece(struct decoder *d, struct view bytes, struct piece *at)
{
	struct piece *next = at + 1;
	struct piece_fields p = {0};
	struct pb_reader r;
	struct pb_field f;

	pb_reader_init(&r, bytes.data, bytes.size);
	while (d->status == OK && pb_next(&r, &f)) {
		switch (f.number) {
		case 1:
			p.literal = get_bytes(d, &f);
			break;
		case 2:
			p.hole = get_hole(d, &f);
			break;
		case 3:
			p.message = get_u32(d, &f);
			break;
		case 4:
			next = get_piece(d, get_bytes(d, &f), next);
			break;
		case 5:
			p.varint = get_u32(d, &f);
			break;
		case 6:
			p.text = get_u32(d, &f);
			break;
		default:
			unknown(d, "field of a piece", f.number);
		}
	}
	p.child_count = (uint16_t)(next - at - 1); // at most TEMPLATE_PIECES_MAX
	if (d->status == OK)
		check_piece(d, &p);
	if (p.text > d->dict->text_count)
		wrong(d, "a text is out of range");
	else if (p.text != 0)
		p.literal = d->dict->text[p.text - 1];
	*at = (struct piece){.literal = p.literal,
			     .text = p.text | p.varint | p.message, // one of them
			     .child_count = p.child_count,
			     .hole = p.hole};
	return next;
}

static uint16_t get_depth(struct decoder *d, const struct pb_field *f)
{
	uint32_t v = get_u32(d, f);

	if (v > TEMPLATE_DEPTH_MAX)
		wrong(d, "is nested too deep");
	return (uint16_t)v;
}

// Memory for the pieces of a template; NULL and an error when there is none.
static struct piece *piece_room(struct decoder *d, uint32_t count)
{
	struct piece *p = d->room;

	if (d->pieces != NULL) {
		p = arena_alloc(d->pieces, count, sizeof(*p));
	} else if (p == NULL || count > d->room_count) {
		d->room_count = count + count / 2 + 1;
		p = realloc(d->room, d->room_count * sizeof(*p));
		d->room = p != NULL ? p : d->room;
	}
	if (p == NULL && d->status == OK)
		d->status = err_set(d->e, ERR_MEMORY, "dictionary: templates do not fit");
	return p;
}

static void get_template(struct decoder *d, struct view bytes, struct span_template *out)
{
	struct piece *piece, *next;
	struct pb_reader r;
	struct pb_field f;
	uint32_t count = 0;

	pb_reader_init(&r, bytes.data, bytes.size);
	while (d->status == OK && pb_next(&r, &f)) {
		if (f.number == 2)
			count += count_pieces(d, get_bytes(d, &f), 0);
	}
	end_of(d, &r);
	if (count > TEMPLATE_PIECES_MAX)
		wrong(d, "has too many pieces");
	if (d->status != OK)
		return;
	piece = next = piece_room(d, count);
	if (piece == NULL)
		return;
	pb_reader_init(&r, bytes.data, bytes.size);
	while (d->status == OK && pb_next(&r, &f)) {
		switch (f.number) {
		case 1:
			out->depth = get_depth(d, &f);
			break;
		case 2:
			next = get_piece(d, get_bytes(d, &f), next);
			break;
		case 3:
			out->is_error = get_bool(d, &f);
			break;
		case 4:
			out->slot = get_u32(d, &f);
			break;
		case 5:
			out->is_call = get_bool(d, &f);
			break;
		default:
			unknown(d, "field", f.number);
		}
	}
	out->piece = piece;
	out->piece_count = (uint16_t)count;
	if (d->status == OK)
		template_count_holes(out);
	if (d->pieces == NULL) {
		out->piece = NULL;
		out->piece_count = 0;
	}
	if (d->index == 0 && (count != 0 || out->depth != 0))
		wrong(d, "is not empty, as the literal blob must be");
}

#define KINDS 7u
#define KIND_TEXT 7u

// How many entries of each kind there are, and that the outer message is well formed.
static enum status count_entries(const void *data, size_t size_bytes, uint32_t count[KINDS + 1],
				 struct err *e)
{
	struct pb_reader r;
	struct pb_field f;

	memset(count, 0, (KINDS + 1) * sizeof(count[0]));
	pb_reader_init(&r, data, size_bytes);
	while (pb_next(&r, &f)) {
		if (f.number > KINDS)
			return err_set(e, ERR_VERSION,
				       "dictionary: unknown field %u (made by a newer version? "
				       "use that one to read it)",
				       f.number);
		if (f.wire != PB_BYTES || ++count[f.number] > ENTRIES_MAX)
			return err_set(e, ERR_FORMAT, "dictionary: field %u is malformed",
				       f.number);
	}
	if (r.failed)
		return err_set(e, ERR_FORMAT, "dictionary: malformed at byte %zu",
			       (size_t)(r.pos - r.start));
	return OK;
}

static enum status allocate(struct dict *out, const uint32_t count[KINDS + 1], struct arena *a,
			    struct err *e)
{
	out->service = arena_alloc(a, count[1], sizeof(*out->service));
	out->instance = arena_alloc(a, count[2], sizeof(*out->instance));
	out->operation = arena_alloc(a, count[3], sizeof(*out->operation));
	out->template = arena_alloc(a, count[4], sizeof(*out->template));
	out->component = arena_alloc(a, count[5], sizeof(*out->component));
	out->word = arena_alloc(a, count[6], sizeof(*out->word));
	out->text = arena_alloc(a, count[7], sizeof(*out->text));
	if (out->service == NULL || out->instance == NULL || out->operation == NULL ||
	    out->template == NULL || out->component == NULL || out->word == NULL ||
	    out->text == NULL)
		return err_set(e, ERR_MEMORY, "dictionary: does not fit into memory");
	return OK;
}

static void get_entry(struct decoder *d, const struct pb_field *f, struct dict *out)
{
	switch (f->number) {
	case 1:
		d->kind = "service";
		d->index = out->service_count++;
		get_service(d, f->bytes, &out->service[d->index]);
		break;
	case 2:
		d->kind = "instance";
		d->index = out->instance_count++;
		get_instance(d, f->bytes, &out->instance[d->index]);
		break;
	case 3:
		d->kind = "operation";
		d->index = out->operation_count++;
		get_operation(d, f->bytes, &out->operation[d->index]);
		break;
	case 4:
		d->kind = "template";
		d->index = out->template_count++;
		get_template(d, f->bytes, &out->template[d->index]);
		break;
	case 5:
		d->kind = "component";
		d->index = out->component_count++;
		out->component[d->index] = get_text(d, f);
		break;
	case 6:
		d->kind = "word";
		d->index = out->word_count++;
		out->word[d->index] = get_text(d, f);
		break;
	default:
		d->kind = "text";
		d->index = out->text_count++;
		out->text[d->index] = f->bytes;
		if (f->bytes.size == 0)
			wrong(d, "is empty");
		break;
	}
}

static int compare_prefix(const void *a, const void *b)
{
	const struct view *x = a, *y = b;

	return memcmp(x->data, y->data, ID_PREFIX_SIZE);
}

// Ids are unique because prefixes are.
static void check_prefixes(struct decoder *d, const struct dict *out)
{
	struct view *prefix = calloc((size_t)out->instance_count + 1, sizeof(*prefix));
	size_t count = 0;

	if (prefix == NULL) {
		d->status = err_set(d->e, ERR_MEMORY, "dictionary: does not fit into memory");
		return;
	}
	for (uint32_t i = 0; i < out->instance_count; i++) {
		if (out->instance[i].id_style == ID_DOTTED)
			prefix[count++] = out->instance[i].id_prefix;
	}
	qsort(prefix, count, sizeof(*prefix), compare_prefix);
	for (size_t i = 1; i < count && d->status == OK; i++) {
		if (compare_prefix(&prefix[i - 1], &prefix[i]) == 0)
			d->status = err_set(d->e, ERR_FORMAT,
					    "dictionary: two instances share the id prefix "
					    "%.32s",
					    prefix[i].data);
	}
	free(prefix);
}

// Indexes from one kind of entry to another.
static void check_indexes(struct decoder *d, const struct dict *out)
{
	d->kind = "instance";
	for (d->index = 0; d->index < out->instance_count; d->index++) {
		if (out->instance[d->index].service >= out->service_count)
			wrong(d, "service index is out of range");
	}
	d->kind = "operation";
	for (d->index = 0; d->index < out->operation_count; d->index++) {
		const struct operation *op = &out->operation[d->index];

		if (op->component >= out->component_count)
			wrong(d, "component index is out of range");
		// Template 0 is the literal blob and belongs to nobody.
		if ((op->first_template == 0 && op->template_count != 0) ||
		    op->first_template > out->template_count ||
		    op->template_count > out->template_count - op->first_template)
			wrong(d, "templates are out of range");
	}
}

enum status dict_decode(const void *data, size_t size_bytes, struct arena *a, struct dict *out,
			struct err *e)
{
	return dict_decode_apart(data, size_bytes, a, a, out, e);
}

void dict_forget_pieces(struct dict *d)
{
	for (uint32_t i = 0; i < d->template_count; i++) {
		d->template[i].piece = NULL;
		d->template[i].piece_count = 0;
	}
}

enum status dict_decode_apart(const void *data, size_t size_bytes, struct arena *a,
			      struct arena *pieces, struct dict *out, struct err *e)
{
	struct decoder d = {.pieces = pieces, .dict = out, .e = e};
	uint32_t count[KINDS + 1];
	struct pb_reader r;
	struct pb_field f;
	enum status s;

	*out = (struct dict){0};
	s = count_entries(data, size_bytes, count, e);
	if (s == OK && count[4] == 0)
		s = err_set(e, ERR_FORMAT, "dictionary: template 0 is missing");
	if (s == OK)
		s = allocate(out, count, a, e);
	if (s != OK)
		return s;
	pb_reader_init(&r, data, size_bytes);
	while (d.status == OK && pb_next(&r, &f)) { // pieces refer to them
		if (f.number == KIND_TEXT)
			get_entry(&d, &f, out);
	}
	pb_reader_init(&r, data, size_bytes);
	while (d.status == OK && pb_next(&r, &f)) {
		if (f.number != KIND_TEXT)
			get_entry(&d, &f, out);
	}
	free(d.room);
	if (d.status == OK)
		check_prefixes(&d, out);
	check_indexes(&d, out);
	if (d.status != OK)
		return d.status;
	out->shape = dict_shape_make(out, a);
	return out->shape != NULL
		       ? OK
		       : err_set(e, ERR_MEMORY, "dictionary: does not fit into memory");
}
