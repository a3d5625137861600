// SPDX-License-Identifier: Apache-2.0
// Whether a block fits a dictionary: every index, the tree of spans, who calls whom, and that
// there is a value for every hole. After this check render reads without looking.
#include "common/corpus.h"

#include <stdlib.h>

#include "common/corpus_private.h"

#define NO_ROW UINT32_MAX
#define NOBODY UINT32_MAX	 // owner of no template
#define SEVERAL (UINT32_MAX - 1) // owner of a template that operations share

// ---- What is read of each entry ------------------------------------------------------------

// Packed, since the entries themselves do not fit the cache and are met in no order.
struct template_shape {
	uint32_t owner;	     // first template of the operation that it is one of
	uint32_t depth_call; // 2 * depth + is_call
	uint64_t counts;     // from the lowest bits: numbers, hexes, words, 1 for depth 0
};

#define COUNT_BITS 16u // each, so that adding templates up adds all four at once

struct dict_shape {
	uint8_t *is_raw; // of each instance
	bool any_raw;
	uint32_t *owner; // first template of each operation, or NOBODY when it has none
	struct template_shape *template;
	size_t addable; // templates whose sum does not pass COUNT_BITS
};

// Operations that share many templates, as ours never do, are left without: their rows are then
// checked one after the other.
static void set_owners(const struct dict *d, struct dict_shape *s)
{
	uint32_t left = d->template_count;

	for (uint32_t i = 0; i < d->operation_count; i++) {
		const struct operation *op = &d->operation[i];

		s->owner[i] = NOBODY;
		if (op->template_count == 0 || op->template_count > left)
			continue;
		left -= op->template_count;
		s->owner[i] = op->first_template;
		for (uint32_t k = 0; k < op->template_count; k++) {
			uint32_t *owner = &s->template[op->first_template + k].owner;

			*owner = *owner == NOBODY ? op->first_template : SEVERAL;
		}
	}
}

const struct dict_shape *dict_shape_make(const struct dict *d, struct arena *a)
{
	struct dict_shape *s = arena_alloc(a, 1, sizeof(*s));
	uint32_t most = 1; // holes of a template

	if (s == NULL)
		return NULL;
	s->is_raw = arena_alloc(a, d->instance_count + 1, 1);
	s->owner = arena_alloc(a, d->operation_count + 1, sizeof(*s->owner));
	s->template = arena_alloc(a, d->template_count + 1, sizeof(*s->template));
	if (s->is_raw == NULL || s->owner == NULL || s->template == NULL)
		return NULL;
	s->any_raw = false;
	for (uint32_t i = 0; i < d->instance_count; i++) {
		s->is_raw[i] = d->instance[i].id_style == ID_RAW;
		s->any_raw = s->any_raw || s->is_raw[i];
	}
	for (uint32_t i = 0; i < d->template_count; i++) {
		const struct span_template *t = &d->template[i];
		uint64_t counts = t->numbers | (uint64_t)t->hexes << COUNT_BITS |
				  (uint64_t)t->words << 2 * COUNT_BITS |
				  (uint64_t)(t->depth == 0) << 3 * COUNT_BITS;

		s->template[i] = (struct template_shape){
			NOBODY, 2 * (uint32_t)t->depth + t->is_call, counts};
		most |= t->numbers | t->hexes | t->words;
	}
	s->addable = UINT16_MAX / most;
	set_owners(d, s);
	return s;
}

// ---- Whether rows fit ----------------------------------------------------------------------

// Running totals over the rows.
struct totals {
	uint64_t numbers, hexes, words, literals, id_bytes;
};

struct check {
	const struct block *b;
	const struct dict *d;
	const struct dict_shape *shape; // of d
	uint32_t *first_span;		// row -> its first span
	uint32_t *callee;		// span -> first row it calls, or NO_ROW
	struct totals sum;
	struct err *e;
};

// Nearly all blocks fit. To know that, and no more, columns are gone through as a whole,
// without branches that depend on a row. What is wrong with another block is told by the checks
// of the next section, one row after the other; what they refuse must not fit here.

static bool all_below(const struct column32 *c, uint32_t limit)
{
	uint32_t bad = 0;

	for (size_t i = 0; i < c->count; i++)
		bad |= c->v[i] >= limit;
	return bad == 0;
}

// All bits that are set in any value: no value is greater.
static uint32_t any_bits(const struct column32 *c)
{
	uint32_t any = 0;

	for (size_t i = 0; i < c->count; i++)
		any |= c->v[i];
	return any;
}

// Starts of the longest row together, if all were as great as any: hours of gaps between the
// spans of a row do not happen.
static bool times_fit(const struct block *b)
{
	uint64_t start = any_bits(&b->span_start_ms), longest = any_bits(&b->span_count);

	return start * longest <= INT32_MAX && any_bits(&b->span_duration_ms) <= INT32_MAX;
}

#define STRIDE 16u // spans that are set at once; most rows have fewer

// Sets first_span, and for each span whose operation its template must be one of: its row's, or
// for a callee's template nobody's yet.
static void own_spans(const struct check *c, uint32_t *owner)
{
	const struct block *b = c->b;
	uint32_t rows = (uint32_t)block_rows(b), span = 0;
	const uint32_t *ref = b->template.v;

	for (uint32_t row = 0; row < rows; row++) {
		uint32_t own = c->shape->owner[b->operation.v[row]];

		c->first_span[row] = span;
		for (uint32_t k = 0; k < b->span_count.v[row]; k += STRIDE) {
			uint32_t *to = &owner[span + k];

			for (uint32_t i = 0; i < STRIDE; i++)
				to[i] = own;
		}
		span += b->span_count.v[row];
	}
	for (uint32_t i = 0; i < span; i++)
		owner[i] |= (ref[i] & 1) - 1; // NOBODY where it is even
}

// Gives the spans with a callee's template to their callees. From the last row to the first, so
// that the first of several children of one span stays.
static bool calls_fit(const struct check *c, uint32_t *owner)
{
	const struct block *b = c->b;
	uint32_t behind = (uint32_t)b->template.count, bad = 0;

	for (uint32_t row = (uint32_t)block_rows(b); row-- > 0;) {
		uint32_t up = b->parent.v[row], span = b->parent_span.v[row];
		uint32_t first = c->first_span[row - up], limit = b->span_count.v[row - up];
		bool root = up == 0, of_literal = b->template.v[first] == 0, calls, lent;

		limit = root ? 1 : of_literal ? INT16_MAX + 1 : limit;
		bad |= span >= limit;
		calls = !root & !of_literal & (span < limit);
		span = calls ? first + span : first;
		lent = calls & (b->template.v[span] % 2 == 0);
		owner[lent ? span : behind] = c->shape->owner[b->operation.v[row]];
	}
	return bad == 0;
}

// Every template's owner and depth. Sets the totals, and *roots: how many have depth 0.
static bool spans_fit(struct check *c, const uint32_t *owner, uint64_t *roots)
{
	const uint32_t *ref = c->b->template.v;
	size_t spans = c->b->template.count, i = 0;
	uint32_t before = 0; // depth_call of the span before

	*roots = 0;
	c->sum = (struct totals){0};
	while (i < spans) {
		size_t end = spans - i > c->shape->addable ? i + c->shape->addable : spans;
		uint64_t counts = 0;

		for (; i < end; i++) {
			uint64_t at = (uint64_t)owner[i] + (ref[i] - 1) / 2;
			const struct template_shape *t;

			if (ref[i] == 0) {
				c->sum.literals++;
				continue;
			}
			if (at >= c->d->template_count)
				return false;
			t = &c->shape->template[at];
			if (t->owner != owner[i] || ((ref[i] | t->depth_call) & 1) == 0 ||
			    t->depth_call > (before | 1) + 2)
				return false;
			before = t->depth_call;
			counts += t->counts;
		}
		c->sum.numbers += counts & UINT16_MAX;
		c->sum.hexes += counts >> COUNT_BITS & UINT16_MAX;
		c->sum.words += counts >> 2 * COUNT_BITS & UINT16_MAX;
		*roots += counts >> 3 * COUNT_BITS;
	}
	return true;
}

// Depth 0 and literal blobs: all those that there are, at the beginning of rows.
static bool firsts_fit(const struct check *c, const uint32_t *owner, uint64_t roots)
{
	const struct block *b = c->b;
	uint64_t literals = 0;

	for (uint32_t row = 0; row < block_rows(b); row++) {
		uint32_t first = c->first_span[row], ref = b->template.v[first];

		if (ref == 0) {
			if (b->span_count.v[row] != 1)
				return false;
			literals++;
		} else if (c->shape->template[owner[first] + (ref - 1) / 2].depth_call > 1) {
			return false;
		}
	}
	return literals == c->sum.literals && literals + roots == block_rows(b);
}

static uint64_t id_bytes(const struct check *c)
{
	const struct block *b = c->b;
	uint64_t sum = 0;

	for (size_t row = 0; row < block_rows(b) && c->shape->any_raw; row++)
		if (c->shape->is_raw[b->instance.v[row]])
			sum += b->parent.v[row] == 0 ? 32 : 16;
	return sum;
}

// Sets the totals when it is true.
static bool rows_fit(struct check *c)
{
	uint32_t *owner = c->callee; // not both at a time
	uint64_t roots;

	if (!all_below(&c->b->instance, c->d->instance_count) ||
	    !all_below(&c->b->operation, c->d->operation_count) || !times_fit(c->b))
		return false;
	own_spans(c, owner);
	if (!calls_fit(c, owner) || !spans_fit(c, owner, &roots) ||
	    !firsts_fit(c, owner, roots))
		return false;
	c->sum.id_bytes = id_bytes(c);
	return true;
}

// ---- What does not fit ---------------------------------------------------------------------

static enum status bad_row(const struct check *c, const char *column, uint32_t row,
			   const char *why)
{
	return err_set(c->e, ERR_FORMAT, "row %u: %s %s", row, column, why);
}

static enum status bad_span(const struct check *c, uint32_t row, uint32_t span, const char *why)
{
	return err_set(c->e, ERR_FORMAT, "row %u: template of span %u %s", row, span, why);
}

static enum status check_row_indexes(const struct check *c, uint32_t row)
{
	if (c->b->instance.v[row] >= c->d->instance_count)
		return bad_row(c, "instance", row, "is not in the dictionary");
	if (c->b->operation.v[row] >= c->d->operation_count)
		return bad_row(c, "operation", row, "is not in the dictionary");
	return OK;
}

static bool is_literal(const struct check *c, uint32_t row)
{
	return c->b->template.v[c->first_span[row]] == 0;
}

// A child names its parent's span; the first of several children of one span is the callee. The
// spans of a literal blob are not known here, so any id will do.
static enum status set_callee(const struct check *c, uint32_t row)
{
	const struct block *b = c->b;
	uint32_t up = b->parent.v[row], span = b->parent_span.v[row];
	uint32_t *callee;

	if (up == 0)
		return span == 0 ? OK : bad_row(c, "parent_span", row, "of a root is not 0");
	if (is_literal(c, row - up))
		return span <= INT16_MAX ? OK
					 : bad_row(c, "parent_span", row, "is out of range");
	if (span >= b->span_count.v[row - up])
		return bad_row(c, "parent_span", row, "is not a span of its parent");
	callee = &c->callee[c->first_span[row - up] + span];
	if (*callee == NO_ROW)
		*callee = row;
	return OK;
}

static enum status check_links(struct check *c)
{
	uint32_t rows = (uint32_t)block_rows(c->b), span = 0;
	enum status s = OK;

	for (uint32_t row = 0; row < rows; row++) {
		c->first_span[row] = span;
		span += c->b->span_count.v[row];
	}
	for (uint32_t i = 0; i < span; i++)
		c->callee[i] = NO_ROW;
	for (uint32_t row = 0; row < rows && s == OK; row++) {
		s = check_row_indexes(c, row);
		if (s == OK)
			s = set_callee(c, row);
	}
	return s;
}

// The template that value `ref` of a span means, or NULL and an error.
static const struct span_template *find_template(const struct check *c, uint32_t row,
						 uint32_t span, uint32_t ref, enum status *s)
{
	const struct operation *op = &c->d->operation[c->b->operation.v[row]];
	const struct span_template *t;
	uint32_t k = (ref - 1) / 2;

	if (ref % 2 == 0) {
		uint32_t callee = c->callee[c->first_span[row] + span];

		if (callee == NO_ROW) {
			*s = bad_span(c, row, span, "is a callee's, but no row is called");
			return NULL;
		}
		op = &c->d->operation[c->b->operation.v[callee]];
	}
	if (k >= op->template_count) {
		*s = bad_span(c, row, span, "is not one of its operation's");
		return NULL;
	}
	t = &c->d->template[op->first_template + k];
	if (ref % 2 == 0 && !t->is_call) {
		*s = bad_span(c, row, span, "is a callee's, but not lent to callers");
		return NULL;
	}
	return t;
}

// The spans of a row that is not literal; *inner counts spans that are not a row's first.
static enum status check_spans(struct check *c, uint32_t row, uint32_t *inner)
{
	const struct block *b = c->b;
	const uint32_t *ref = &b->template.v[c->first_span[row]];
	uint64_t start = 0;
	uint32_t depth = 0;
	enum status s = OK;

	for (uint32_t i = 0; i < b->span_count.v[row]; i++) {
		const struct span_template *t;

		if (ref[i] == 0)
			return bad_span(c, row, i, "is the literal blob among others");
		t = find_template(c, row, i, ref[i], &s);
		if (t == NULL)
			return s;
		if (i == 0 ? t->depth != 0 : t->depth == 0 || t->depth > depth + 1)
			return bad_span(c, row, i, "has a depth that makes no tree");
		depth = t->depth;
		if (i > 0) {
			start += b->span_start_ms.v[*inner];
			if (start > INT32_MAX || b->span_duration_ms.v[*inner] > INT32_MAX)
				return bad_row(c, "span time", row, "is out of range");
			++*inner;
		}
		c->sum.numbers += t->numbers;
		c->sum.hexes += t->hexes;
		c->sum.words += t->words;
	}
	return OK;
}

static enum status check_all_rows(struct check *c)
{
	const struct block *b = c->b;
	uint32_t rows = (uint32_t)block_rows(b), inner = 0;
	enum status s = OK;

	c->sum = (struct totals){.id_bytes = id_bytes(c)};
	for (uint32_t row = 0; row < rows && s == OK; row++) {
		if (!is_literal(c, row)) {
			s = check_spans(c, row, &inner);
		} else {
			c->sum.literals++;
			if (b->span_count.v[row] != 1)
				s = bad_span(c, row, 0, "is the literal blob among others");
		}
	}
	return s;
}

static enum status check_rows(struct check *c)
{
	enum status s = check_links(c);

	return s == OK ? check_all_rows(c) : s;
}

static enum status check_totals(const struct check *c)
{
	const struct block *b = c->b;
	const struct {
		const char *name;
		uint64_t count, wanted;
	} columns[] = {
		{"number_value", b->number_value.count, c->sum.numbers},
		{"hex_value", b->hex_value.count, c->sum.hexes},
		{"word_value", b->word_value.count, c->sum.words},
		{"literal_value", b->literal_size.count, c->sum.literals},
		{"id_value", b->id_value.size, c->sum.id_bytes},
	};

	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		if (columns[i].count != columns[i].wanted)
			return err_set(c->e, ERR_FORMAT,
				       "column %s has %llu values instead of %llu",
				       columns[i].name, (unsigned long long)columns[i].count,
				       (unsigned long long)columns[i].wanted);
	}
	if (all_below(&b->word_value, c->d->word_count))
		return OK;
	for (size_t i = 0;; i++) {
		if (b->word_value.v[i] >= c->d->word_count)
			return err_set(c->e, ERR_FORMAT,
				       "column word_value: value %zu is not in the dictionary",
				       i);
	}
}

static enum status check_block(const struct block *b, const struct dict *d,
			       struct block_scratch *room, bool quickly, struct err *e)
{
	struct check c = {.b = b, .d = d, .shape = d->shape, .e = e};
	struct arena own = {0}; // for a dictionary that its maker has in hand
	size_t wanted = block_rows(b) + b->template.count + STRIDE;
	enum status s;

	if (wanted > room->capacity) {
		free(room->v);
		room->capacity = wanted + wanted / 4;
		room->v = malloc(room->capacity * sizeof(*room->v));
		if (room->v == NULL) {
			room->capacity = 0;
			return err_set(e, ERR_MEMORY, "checking it does not fit into memory");
		}
	}
	if (c.shape == NULL)
		c.shape = dict_shape_make(d, &own);
	if (c.shape == NULL) {
		arena_free(&own);
		return err_set(e, ERR_MEMORY, "checking it does not fit into memory");
	}
	c.first_span = room->v;
	c.callee = room->v + block_rows(b);
	s = quickly && rows_fit(&c) ? OK : check_rows(&c);
	if (s == OK)
		s = check_totals(&c);
	arena_free(&own);
	return s;
}

enum status block_check(const struct block *b, const struct dict *d, struct block_scratch *room,
			struct err *e)
{
	return check_block(b, d, room, true, e);
}

enum status block_check_slowly(const struct block *b, const struct dict *d,
			       struct block_scratch *room, struct err *e)
{
	return check_block(b, d, room, false, e);
}
