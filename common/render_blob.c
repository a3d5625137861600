// SPDX-License-Identifier: Apache-2.0
// Writes the blob of a row backwards: the last byte first, so that the length of a nested field
// is known when its front is written and no second pass is needed.
#include <string.h>

#include "common/render_private.h"

// Writes towards lower addresses. When the area is full, `failed` is set and nothing more is
// written.
struct back {
	uint8_t *pos, *low;
	bool failed;
};

static inline bool back_room(struct back *w, size_t size)
{
	if ((size_t)(w->pos - w->low) >= size && !w->failed)
		return true;
	w->failed = true;
	return false;
}

static inline void back_put(struct back *w, const void *data, size_t size)
{
	if (!back_room(w, size) || size == 0)
		return;
	w->pos -= size;
	memcpy(w->pos, data, size);
}

// A literal of a template. Most are short: whole vectors are copied, and what they put in front
// of the text is overwritten by what comes next.
static inline void back_literal(struct back *w, const char *text, uint32_t size)
{
	uint8_t *end = w->pos;

	if (size > LITERAL_PAD || (size_t)(end - w->low) < LITERAL_PAD || w->failed) {
		back_put(w, text, size);
		return;
	}
	memcpy(end - LITERAL_PAD, text + size - LITERAL_PAD, LITERAL_PAD);
	w->pos = end - size;
}

static inline void back_varint(struct back *w, uint64_t v)
{
	size_t size = pb_varint_size(v);

	if (!back_room(w, size))
		return;
	w->pos -= size;
	pb_varint_write(w->pos, v);
}

static inline void back_string(struct back *w, uint32_t key, struct view v)
{
	if (v.size == 0)
		return;
	back_put(w, v.data, v.size);
	back_varint(w, v.size);
	back_varint(w, key);
}

#define CACHE_LINE 64u
#define FETCH_MAX 2048u

#define KEY(field, wire) ((uint32_t)(field) << 3 | (wire))

static struct view peer_of(const struct render_block *rb, uint32_t row)
{
	const struct dict *d = rb->r->dict;
	const struct operation *op = &d->operation[rb->b->operation.v[row]];

	return op->peer.size != 0
		       ? op->peer
		       : d->service[d->instance[rb->b->instance.v[row]].service].peer;
}

// refs (5): SegmentReference of a row that has a parent. refType CrossProcess is zero and so
// not written.
static void back_reference(struct back *w, const struct render_block *rb, uint32_t row)
{
	const struct block *b = rb->b;
	const struct dict *d = rb->r->dict;
	uint32_t up = b->parent.v[row];
	const uint8_t *end = w->pos;
	const struct instance *in;
	char id[ID_MAX];

	if (up == 0)
		return;
	in = &d->instance[b->instance.v[row - up]];
	back_string(w, KEY(8, PB_BYTES), peer_of(rb, row));
	back_string(w, KEY(7, PB_BYTES), d->operation[b->operation.v[row - up]].name);
	back_string(w, KEY(6, PB_BYTES), in->name);
	back_string(w, KEY(5, PB_BYTES), d->service[in->service].name);
	if (b->parent_span.v[row] != 0) {
		back_varint(w, b->parent_span.v[row]);
		back_varint(w, KEY(4, PB_VARINT));
	}
	back_string(w, KEY(3, PB_BYTES),
		    (struct view){id, render_segment_id(rb, row - up, id)});
	back_string(w, KEY(2, PB_BYTES), (struct view){id, render_trace_id(rb, row, id)});
	back_varint(w, (uint64_t)(end - w->pos));
	back_varint(w, KEY(5, PB_BYTES));
}

static void back_text(struct back *w, struct view v)
{
	back_put(w, v.data, v.size);
}

static void back_number(struct back *w, const struct step *s, uint64_t v)
{
	char text[24];
	char *p;

	if (s->arg != 0) {
		if (v == 0)
			return;
		back_varint(w, v);
		back_varint(w, s->arg);
		return;
	}
	p = decimal_backward(text + sizeof(text), v);
	back_put(w, p, (size_t)(text + sizeof(text) - p));
}

static void back_hex(struct back *w, uint64_t v)
{
	static const char digit[] = "0123456789abcdef";
	char text[16];

	for (size_t i = sizeof(text); i-- > 0; v >>= 4)
		text[i] = digit[v & 15];
	back_put(w, text, sizeof(text));
}

// Where a span's values come from while it is written from back to front.
struct span_context {
	const struct render_block *rb;
	const struct render_span *span;
	uint32_t row, id;
	int64_t start_ms;	    // since 1970
	uint32_t number, hex, word; // one past the next value
};

static void back_hole(struct back *w, const struct step *s, struct span_context *c)
{
	const struct block *b = c->rb->b;

	switch ((enum hole_kind)s->hole) {
	case HOLE_NUMBER:
		back_number(w, s, b->number_value.v[--c->number]);
		break;
	case HOLE_HEX:
		back_hex(w, b->hex_value.v[--c->hex]);
		break;
	case HOLE_WORD:
		back_text(w, c->rb->r->dict->word[b->word_value.v[--c->word]]);
		break;
	case HOLE_SPAN_START:
		back_number(w, s, (uint64_t)c->start_ms);
		break;
	case HOLE_SPAN_END:
		back_number(w, s, (uint64_t)c->start_ms + c->span->duration_ms);
		break;
	case HOLE_SPAN_ID:
		back_number(w, s, c->id);
		break;
	case HOLE_PARENT_SPAN_ID: // -1 for the first span: sign-extended to 64 bits
		back_number(w, s, c->id == 0 ? UINT64_MAX : c->span->parent);
		break;
	case HOLE_OWN_PEER:
		back_text(w, peer_of(c->rb, c->row));
		break;
	case HOLE_CALLEE_PEER:
		if (c->span->callee != UINT32_MAX)
			back_text(w, peer_of(c->rb, c->span->callee));
		break;
	case HOLE_REFERENCE:
		back_reference(w, c->rb, c->row);
		break;
	case HOLE_NONE:
		break;
	}
}

static void back_span(struct back *w, struct span_context *c)
{
	const uint8_t *end[NESTING_MAX + 1];
	const uint8_t *span_end = w->pos;
	const struct step *s = c->span->step;
	const struct step *last = s + c->span->step_count;
	size_t open = 0;

	for (; s < last; s++) {
		switch (s->kind) {
		case STEP_LITERAL:
			back_literal(w, s->literal, s->arg);
			break;
		case STEP_HOLE:
			back_hole(w, s, c);
			break;
		case STEP_CLOSE:
			end[open++] = w->pos;
			break;
		case STEP_OPEN:
			back_varint(w, (uint64_t)(end[--open] - w->pos));
			back_varint(w, s->arg);
			break;
		}
	}
	back_varint(w, (uint64_t)(span_end - w->pos));
	back_varint(w, KEY(3, PB_BYTES));
}

static bool is_literal(const struct render_block *rb, uint32_t row)
{
	return rb->b->template.v[rb->first_span[row]] == 0;
}

static struct view literal_blob(const struct render_block *rb, uint32_t row)
{
	const struct block *b = rb->b;
	uint32_t begin = rb->literal_at[row];
	size_t end = row + 1 < rb->rows ? rb->literal_at[row + 1] : b->literal_data.size;

	return (struct view){(const char *)b->literal_data.data + begin, end - begin};
}

// Asks for a template's memory ahead of its use.
static inline void fetch_template(const struct render_span *s)
{
	const char *p = (const char *)s->step;

	for (uint32_t at = 0; at < s->step_size && at < FETCH_MAX; at += CACHE_LINE)
		__builtin_prefetch(p + at);
}

void render_fetch(const struct render_block *rb, uint32_t row)
{
	if (is_literal(rb, row))
		return;
	for (uint32_t i = rb->first_span[row + 1]; i-- > rb->first_span[row];)
		fetch_template(&rb->span[i]);
}

uint8_t *render_blob_backward(const struct render_block *rb, uint32_t row, int64_t epoch_ms,
			      uint8_t *area, size_t size_bytes)
{
	const struct dict *d = rb->r->dict;
	const struct instance *in = &d->instance[rb->b->instance.v[row]];
	const struct render_span *span = &rb->span[rb->first_span[row]];
	struct back w = {area + size_bytes, area, false};
	char id[ID_MAX];

	if (is_literal(rb, row)) {
		struct view v = literal_blob(rb, row);

		back_put(&w, v.data, v.size);
		return w.failed ? NULL : w.pos;
	}
	back_string(&w, KEY(5, PB_BYTES), in->name);
	back_string(&w, KEY(4, PB_BYTES), d->service[in->service].name);
	for (uint32_t k = rb->first_span[row + 1] - rb->first_span[row];
	     k-- > 0 && !w.failed;) {
		uint32_t i = span[k].finish;
		struct span_context c = {
			.rb = rb,
			.span = &span[i],
			.row = row,
			.id = i,
			.start_ms = epoch_ms + rb->start_rel_ms[row] + span[i].start_ms,
			.number = span[i].number_end,
			.hex = span[i].hex_end,
			.word = span[i].word_end,
		};

		back_span(&w, &c);
	}
	back_string(&w, KEY(2, PB_BYTES), (struct view){id, render_segment_id(rb, row, id)});
	back_string(&w, KEY(1, PB_BYTES), (struct view){id, render_trace_id(rb, row, id)});
	return w.failed ? NULL : w.pos;
}
