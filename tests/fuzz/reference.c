// SPDX-License-Identifier: Apache-2.0
// The blob of a row as section 5.4 of FORMAT.md says it, from the first byte to the last, with
// no thought of speed: what fuzz_render holds the renderer to. Ids come from the row's columns.
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "common/pb.h"

#define NONE UINT32_MAX

// One inner span of the row.
struct reference_span {
	const struct span_template *template;
	uint32_t parent, callee; // span of the row; row of the block or NONE
	uint64_t start_ms, duration_ms;
	size_t number, hex, word; // its first values
};

struct reference {
	const struct dict *d;
	const struct block *b;
	const struct row *row; // columns
	uint32_t index;	       // of the row
	uint32_t id;	       // of the span that is being written
	struct reference_span *span;
	size_t number, hex, word; // next values
};

static uint32_t first_span_of(const struct block *b, uint32_t row)
{
	uint32_t span = 0;

	for (uint32_t i = 0; i < row; i++)
		span += b->span_count.v[i];
	return span;
}

static uint32_t callee_of(const struct block *b, uint32_t row, uint32_t span)
{
	for (uint32_t i = row + 1; i < block_rows(b); i++) {
		if (b->parent.v[i] == i - row && b->parent_span.v[i] == span)
			return i;
	}
	return NONE;
}

static const struct span_template *template_of(const struct reference *c, uint32_t row,
					       uint32_t span, uint32_t ref)
{
	uint32_t owner = ref % 2 != 0 ? row : callee_of(c->b, row, span);

	return &c->d->template[c->d->operation[c->b->operation.v[owner]].first_template +
			       (ref - 1) / 2];
}

// Goes through all rows before this one, since values have no index.
static void find_values(struct reference *c)
{
	const struct block *b = c->b;
	uint32_t at = 0;

	for (uint32_t row = 0; row < c->index; row++) {
		for (uint32_t i = 0; i < b->span_count.v[row]; i++, at++) {
			const struct span_template *t;

			if (b->template.v[at] == 0)
				continue;
			t = template_of(c, row, i, b->template.v[at]);
			c->number += t->numbers;
			c->hex += t->hexes;
			c->word += t->words;
		}
	}
}

static void find_spans(struct reference *c)
{
	const struct block *b = c->b;
	uint32_t first = first_span_of(b, c->index), inner = 0;
	uint64_t start = (uint64_t)c->row->start_ms;

	for (uint32_t row = 0; row < c->index; row++)
		inner += b->span_count.v[row] - 1;
	for (uint32_t i = 0; i < b->span_count.v[c->index]; i++) {
		struct reference_span *s = &c->span[i];

		s->template = template_of(c, c->index, i, b->template.v[first + i]);
		s->callee = callee_of(b, c->index, i);
		s->duration_ms = c->row->latency_ms;
		if (i > 0) {
			start += b->span_start_ms.v[inner];
			s->duration_ms = b->span_duration_ms.v[inner++];
			s->parent = i - 1;
			while (c->span[s->parent].template->depth >= s->template->depth)
				s->parent--;
		}
		s->start_ms = start;
		s->number = c->number;
		s->hex = c->hex;
		s->word = c->word;
		c->number += s->template->numbers;
		c->hex += s->template->hexes;
		c->word += s->template->words;
	}
}

static struct view peer_of(const struct reference *c, uint32_t row)
{
	const struct operation *op = &c->d->operation[c->b->operation.v[row]];

	return op->peer.size > 0
		       ? op->peer
		       : c->d->service[c->d->instance[c->b->instance.v[row]].service].peer;
}

static void put_reference(const struct reference *c, struct buf *out)
{
	uint32_t up = c->index - c->b->parent.v[c->index];
	const struct instance *in = &c->d->instance[c->b->instance.v[up]];
	struct buf m;

	if (up == c->index)
		return;
	buf_init(&m, ROW_BLOB_MAX);
	pb_put_view(&m, 2, c->row->trace_id);
	pb_put_view(&m, 3, c->row->parent_span_id);
	pb_put_uint_nz(&m, 4, c->b->parent_span.v[c->index]);
	pb_put_view(&m, 5, c->d->service[in->service].name);
	pb_put_view(&m, 6, in->name);
	pb_put_view(&m, 7, c->d->operation[c->b->operation.v[up]].name);
	pb_put_view(&m, 8, peer_of(c, c->index));
	pb_put_bytes(out, 5, m.data, m.size);
	buf_free(&m);
}

static void put_number(struct buf *out, uint32_t varint, uint64_t v)
{
	if (varint != 0)
		pb_put_uint_nz(out, varint, v);
	else
		buf_printf(out, "%llu", (unsigned long long)v);
}

static void put_hole(struct reference *c, const struct piece *p, struct buf *out)
{
	const struct reference_span *s = &c->span[c->id];

	switch (p->hole) {
	case HOLE_NUMBER:
		put_number(out, p->varint, c->b->number_value.v[c->number++]);
		break;
	case HOLE_HEX:
		buf_printf(out, "%016llx", (unsigned long long)c->b->hex_value.v[c->hex++]);
		break;
	case HOLE_WORD:
		buf_put_view(out, c->d->word[c->b->word_value.v[c->word++]]);
		break;
	case HOLE_SPAN_START:
		put_number(out, p->varint, s->start_ms);
		break;
	case HOLE_SPAN_END:
		put_number(out, p->varint, s->start_ms + s->duration_ms);
		break;
	case HOLE_SPAN_ID:
		put_number(out, p->varint, c->id);
		break;
	case HOLE_PARENT_SPAN_ID:
		put_number(out, p->varint, c->id == 0 ? UINT64_MAX : s->parent);
		break;
	case HOLE_OWN_PEER:
		buf_put_view(out, peer_of(c, c->index));
		break;
	case HOLE_CALLEE_PEER:
		if (s->callee != NONE)
			buf_put_view(out, peer_of(c, s->callee));
		break;
	default:
		fuzz_must(p->hole == HOLE_REFERENCE);
		put_reference(c, out);
		break;
	}
}

static void put_pieces(struct reference *c, const struct piece *p, uint32_t count,
		       struct buf *out)
{
	for (uint32_t i = 0; i < count && !out->failed; i += 1 + p[i].child_count) {
		struct buf m;

		if (piece_message(&p[i]) != 0) {
			buf_init(&m, 2 * ROW_BLOB_MAX);
			put_pieces(c, &p[i + 1], p[i].child_count, &m);
			pb_put_bytes(out, p[i].message, m.data, m.size);
			out->failed |= m.failed;
			buf_free(&m);
		} else if (p[i].hole != HOLE_NONE) {
			put_hole(c, &p[i], out);
		} else {
			buf_put_view(out, p[i].literal);
		}
	}
}

static void put_span(struct reference *c, uint32_t id, struct buf *out)
{
	const struct reference_span *s = &c->span[id];
	struct buf m;

	buf_init(&m, 2 * ROW_BLOB_MAX);
	c->id = id;
	c->number = s->number;
	c->hex = s->hex;
	c->word = s->word;
	put_pieces(c, s->template->piece, s->template->piece_count, &m);
	pb_put_bytes(out, 3, m.data, m.size);
	out->failed |= m.failed;
	buf_free(&m);
}

// Children before their parent, siblings in creation order: a span is written when one comes
// that is not inside it.
static void put_spans(struct reference *c, struct buf *out)
{
	uint32_t open = 0;

	for (uint32_t i = 1; i < c->b->span_count.v[c->index]; i++) {
		for (; open != c->span[i].parent; open = c->span[open].parent)
			put_span(c, open, out);
		open = i;
	}
	for (; open != 0; open = c->span[open].parent)
		put_span(c, open, out);
	put_span(c, 0, out);
}

static void put_literal(const struct block *b, uint32_t row, struct buf *out)
{
	const uint8_t *at = b->literal_data.data;
	uint32_t literal = 0;

	for (uint32_t i = 0; i < row; i++) {
		if (b->template.v[first_span_of(b, i)] == 0 && b->literal_size.v[literal] > 0)
			at += b->literal_size.v[literal];
		literal += b->template.v[first_span_of(b, i)] == 0;
	}
	buf_put(out, at, b->literal_size.v[literal]);
}

void fuzz_reference_blob(const struct dict *d, const struct block *b, uint32_t row,
			 const struct row *columns, struct buf *out)
{
	struct reference c = {.d = d, .b = b, .row = columns, .index = row};
	const struct instance *in = &d->instance[b->instance.v[row]];

	buf_clear(out);
	if (b->template.v[first_span_of(b, row)] == 0) {
		put_literal(b, row, out);
		return;
	}
	c.span = mem_zalloc(b->span_count.v[row], sizeof(*c.span));
	find_values(&c);
	find_spans(&c);
	pb_put_view(out, 1, columns->trace_id);
	pb_put_view(out, 2, columns->span_id);
	put_spans(&c, out);
	pb_put_view(out, 4, d->service[in->service].name);
	pb_put_view(out, 5, in->name);
	free(c.span);
}
