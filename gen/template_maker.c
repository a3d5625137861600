// SPDX-License-Identifier: Apache-2.0
// Puts one span template together: literals that grow, holes, nested fields. What a span says
// is segment_template's.
#include "gen/template_maker.h"

#include <stdlib.h>

#include "common/pb.h"

#define LITERALS_MAX (64 * KIB)

// ---- Pieces --------------------------------------------------------------------------------

static struct piece *add_piece(struct maker *m)
{
	if (m->count == PIECES_MAX) {
		m->list->failed = true;
		m->count--;
	}
	m->piece[m->count] = (struct piece){0};
	m->offset[m->count] = (uint32_t)m->text.size;
	m->literal_open = false;
	return &m->piece[m->count++];
}

// What is put into m->text from here on belongs to a literal.
static void literal_begin(struct maker *m)
{
	if (!m->literal_open)
		add_piece(m)->text = m->share; // numbered in maker_end
	m->literal_open = true;
}

static void literal_end(struct maker *m)
{
	m->piece[m->count - 1].literal.size = m->text.size - m->offset[m->count - 1];
}

void maker_share(struct maker *m)
{
	m->share = true;
	m->literal_open = false;
}

void maker_share_end(struct maker *m)
{
	m->share = false;
	m->literal_open = false;
}

void maker_hole(struct maker *m, enum hole_kind kind, uint32_t varint, uint32_t about)
{
	struct piece *p = add_piece(m);

	p->hole = (uint8_t)kind;
	p->varint = varint;
	m->holes_size += about;
}

void maker_message(struct maker *m, uint32_t field)
{
	m->open[m->open_count++] = m->count;
	add_piece(m)->message = field;
	m->holes_size += 3;
}

void maker_message_end(struct maker *m)
{
	uint32_t at = m->open[--m->open_count];

	m->piece[at].child_count = (uint16_t)(m->count - at - 1);
	m->literal_open = false;
}

static void put_uint(struct maker *m, uint32_t field, uint64_t v)
{
	if (v == 0)
		return;
	literal_begin(m);
	pb_put_uint(&m->text, field, v);
	literal_end(m);
}

// ---- Texts with holes ----------------------------------------------------------------------

static bool is_mark(char c)
{
	return c >= MARK_NUMBER && c <= MARK_SHARE_END;
}

static bool is_hole(char c)
{
	return c >= MARK_NUMBER && c <= MARK_CALLEE_PEER;
}

// The first mark at or behind `at`, or the end. Marks are bytes below 8 and rare, so eight
// bytes are looked at together: subtracting 8 from each borrows from a bit 7 that was not set.
// The lowest byte that is found is one, the others may not be.
static size_t next_mark(struct view v, size_t at)
{
	while (at + 8 <= v.size) {
		uint64_t bytes = load_le64(v.data + at);
		uint64_t low = (bytes - UINT64_C(0x0808080808080808)) & ~bytes &
			       UINT64_C(0x8080808080808080);

		if (low == 0) {
			at += 8;
			continue;
		}
		at += (size_t)__builtin_ctzll(low) / 8;
		if (is_mark(v.data[at]))
			return at;
		at++;
	}
	while (at < v.size && !is_mark(v.data[at]))
		at++;
	return at;
}

// What is known of a text when all its marks have been looked at.
struct scanned {
	struct view text;
	size_t plain_size; // without holes: bytes when the marks of sharing are gone
	bool has_hole;
};

static struct scanned scan(struct view v)
{
	struct scanned s = {v, v.size, false};

	for (size_t i = next_mark(v, 0); i < v.size && !s.has_hole; i = next_mark(v, i + 1)) {
		s.has_hole = is_hole(v.data[i]);
		s.plain_size--;
	}
	return s;
}

// Index into hole_classes[]; a letter that is not there is our own mistake.
static uint8_t class_of(char mark, char letter)
{
	for (uint32_t i = 0; i < hole_class_count; i++) {
		if (hole_classes[i].mark == mark && hole_classes[i].letter == letter)
			return (uint8_t)i;
	}
	abort();
}

// The mark at *at, and its letter when it has one; returns the bytes used.
static size_t put_mark(struct maker *m, const char *at)
{
	switch (*at) {
	case MARK_SHARE:
		maker_share(m);
		return 1;
	case MARK_SHARE_END:
		maker_share_end(m);
		return 1;
	case MARK_NUMBER:
		maker_hole(m, HOLE_NUMBER, 0, 4);
		break;
	case MARK_WORD:
		maker_hole(m, HOLE_WORD, 0, 8);
		break;
	case MARK_HEX:
		maker_hole(m, HOLE_HEX, 0, 16);
		buf_put_u8(&m->list->hole, class_of(MARK_HEX, 0));
		return 1;
	case MARK_OWN_PEER:
		maker_hole(m, HOLE_OWN_PEER, 0, 26);
		return 1;
	default:
		maker_hole(m, HOLE_CALLEE_PEER, 0, 26);
		return 1;
	}
	buf_put_u8(&m->list->hole, class_of(at[0], at[1]));
	return 2;
}

static void put_text(struct maker *m, struct view v)
{
	for (size_t i = 0; i < v.size;) {
		size_t end = next_mark(v, i);

		if (end > i) {
			literal_begin(m);
			buf_put(&m->text, v.data + i, end - i);
			literal_end(m);
		}
		i = end;
		if (i < v.size)
			i += put_mark(m, v.data + i);
	}
}

// Tag, length and text of a string field without holes.
static void put_string(struct maker *m, uint32_t field, const struct scanned *s)
{
	literal_begin(m);
	pb_put_tag(&m->text, field, PB_BYTES);
	pb_put_varint(&m->text, s->plain_size);
	literal_end(m);
	put_text(m, s->text);
}

// A string field. One that has holes becomes a message of text and holes: the wire type is the
// same.
void maker_string(struct maker *m, uint32_t field, struct view v)
{
	struct scanned s = scan(v);

	if (v.size == 0)
		return;
	if (!s.has_hole) {
		put_string(m, field, &s);
		return;
	}
	maker_message(m, field);
	put_text(m, v);
	maker_message_end(m);
}

static size_t string_size(size_t size)
{
	return size == 0 ? 0 : 1 + pb_varint_size(size) + size;
}

// A KeyStringValuePair.
void maker_pair(struct maker *m, uint32_t field, const char *key, struct view value)
{
	struct view k = view_of(key);
	struct scanned s = scan(value);

	if (s.has_hole) {
		maker_message(m, field);
		maker_string(m, 1, k);
		maker_string(m, 2, value);
		maker_message_end(m);
		return;
	}
	literal_begin(m);
	pb_put_tag(&m->text, field, PB_BYTES);
	pb_put_varint(&m->text, string_size(k.size) + string_size(s.plain_size));
	pb_put_view(&m->text, 1, k);
	literal_end(m);
	if (value.size > 0)
		put_string(m, 2, &s);
}

void maker_tag(struct maker *m, const char *key, const char *value)
{
	maker_pair(m, F_TAGS, key, view_of(value));
}

void maker_tag_buf(struct maker *m, const char *key, const struct buf *value)
{
	maker_pair(m, F_TAGS, key, (struct view){(const char *)value->data, value->size});
}

// ---- Beginning and end ---------------------------------------------------------------------

void maker_begin(struct maker *m, struct template_list *l, uint32_t depth, uint32_t slot)
{
	m->list = l;
	buf_init_own(&m->text, LITERALS_MAX);
	m->count = m->open_count = 0;
	m->literal_open = m->share = m->is_error = m->is_call = false;
	m->holes_size = 0;
	m->depth = depth;
	m->slot = slot;
	if (l->count == l->capacity) {
		l->capacity = l->capacity * 2 + 64;
		l->v = mem_realloc(l->v, l->capacity, sizeof(*l->v));
		l->hole_first =
			mem_realloc(l->hole_first, l->capacity + 1, sizeof(*l->hole_first));
	}
	l->hole_first[l->count] = (uint32_t)l->hole.size;
	maker_hole(m, HOLE_SPAN_ID, F_ID, 2);
	maker_hole(m, HOLE_PARENT_SPAN_ID, F_PARENT, depth == 0 ? 11 : depth > 1 ? 2 : 0);
	maker_hole(m, HOLE_SPAN_START, F_START, 7);
	maker_hole(m, HOLE_SPAN_END, F_END, 7);
}

void maker_head(struct maker *m, const struct span_head *h)
{
	maker_string(m, F_NAME, view_of(h->name));
	maker_string(m, F_PEER, h->peer);
	put_uint(m, F_TYPE, h->type);
	put_uint(m, F_LAYER, h->layer);
	put_uint(m, F_COMPONENT, h->component);
	put_uint(m, F_ERROR, m->is_error);
}

// Less is not worth a piece of its own.
#define SHARED_MIN 48u

// The literal of piece i, if it is one, moves to the shared texts or to the list's arena.
static void keep_literal(struct maker *m, uint32_t i)
{
	struct template_list *l = m->list;
	struct piece *p = &m->piece[i];
	struct view v = {(const char *)m->text.data + m->offset[i], p->literal.size};

	if (v.size == 0)
		return;
	if (p->text != 0 && v.size >= SHARED_MIN) {
		p->text = texts_number(l->texts, v);
		p->literal = l->texts->v[p->text - 1];
		return;
	}
	p->text = 0;
	p->literal = arena_copy(l->arena, v.data, v.size);
	l->failed |= p->literal.data == NULL;
}

// Moves the template to the list; returns about the bytes of its span, tag and length included.
uint32_t maker_end(struct maker *m)
{
	struct template_list *l = m->list;
	struct span_template *t = &l->v[l->count++];
	uint32_t size = (uint32_t)m->text.size + m->holes_size + 3;
	struct piece *piece;

	*t = (struct span_template){.depth = (uint16_t)m->depth,
				    .slot = m->slot,
				    .is_error = m->is_error,
				    .is_call = m->is_call};
	if (l->measures) {
		l->failed |= m->text.failed;
		buf_free(&m->text);
		return size;
	}
	piece = arena_alloc(l->arena, m->count, sizeof(*piece));
	if (piece == NULL || m->text.failed) {
		l->failed = true;
		buf_free(&m->text);
		return size;
	}
	for (uint32_t i = 0; i < m->count; i++) {
		keep_literal(m, i);
		piece[i] = m->piece[i];
	}
	t->piece = piece;
	t->piece_count = (uint16_t)m->count;
	template_count_holes(t);
	l->hole_first[l->count] = (uint32_t)l->hole.size;
	buf_free(&m->text);
	return size;
}
