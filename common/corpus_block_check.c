// SPDX-License-Identifier: Apache-2.0
// Whether a block fits a dictionary: every index, the tree of spans, who calls whom, and that
// there is a value for every hole. After this check render reads without looking.
#include "common/corpus.h"

#include <stdlib.h>

#include "common/corpus_private.h"

#define NO_ROW UINT32_MAX

// ---- What is read of each entry ------------------------------------------------------------

// Packed, since the entries themselves do not fit the cache and are met in no order.
struct operation_shape {
	uint32_t first_template, template_count;
};

struct template_shape {
	uint32_t numbers, hexes, words;
	uint32_t depth_call; // 2 * depth + is_call
};

struct dict_shape {
	uint8_t *is_raw; // of each instance
	struct operation_shape *operation;
	struct template_shape *template;
};

const struct dict_shape *dict_shape_make(const struct dict *d, struct arena *a)
{
	struct dict_shape *s = arena_alloc(a, 1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->is_raw = arena_alloc(a, d->instance_count + 1, 1);
	s->operation = arena_alloc(a, d->operation_count + 1, sizeof(*s->operation));
	s->template = arena_alloc(a, d->template_count + 1, sizeof(*s->template));
	if (s->is_raw == NULL || s->operation == NULL || s->template == NULL)
		return NULL;
	for (uint32_t i = 0; i < d->instance_count; i++)
		s->is_raw[i] = d->instance[i].id_style == ID_RAW;
	for (uint32_t i = 0; i < d->operation_count; i++)
		s->operation[i] = (struct operation_shape){d->operation[i].first_template,
							   d->operation[i].template_count};
	for (uint32_t i = 0; i < d->template_count; i++) {
		const struct span_template *t = &d->template[i];

		s->template[i] = (struct template_shape){t->numbers, t->hexes, t->words,
							 2 * t->depth + (uint32_t)t->is_call};
	}
	return s;
}

// ---- Checks --------------------------------------------------------------------------------

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
static const struct template_shape *find_template(const struct check *c, uint32_t row,
						  uint32_t span, uint32_t ref, enum status *s)
{
	const struct operation_shape *op = &c->shape->operation[c->b->operation.v[row]];
	const struct template_shape *t;
	uint32_t k = (ref - 1) / 2;

	if (ref % 2 == 0) {
		uint32_t callee = c->callee[c->first_span[row] + span];

		if (callee == NO_ROW) {
			*s = bad_span(c, row, span, "is a callee's, but no row is called");
			return NULL;
		}
		op = &c->shape->operation[c->b->operation.v[callee]];
	}
	if (k >= op->template_count) {
		*s = bad_span(c, row, span, "is not one of its operation's");
		return NULL;
	}
	t = &c->shape->template[op->first_template + k];
	if (ref % 2 == 0 && t->depth_call % 2 == 0) {
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
		const struct template_shape *t;
		uint32_t own;

		if (ref[i] == 0)
			return bad_span(c, row, i, "is the literal blob among others");
		t = find_template(c, row, i, ref[i], &s);
		if (t == NULL)
			return s;
		own = t->depth_call / 2;
		if (i == 0 ? own != 0 : own == 0 || own > depth + 1)
			return bad_span(c, row, i, "has a depth that makes no tree");
		depth = own;
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

	for (uint32_t row = 0; row < rows && s == OK; row++) {
		if (c->shape->is_raw[b->instance.v[row]])
			c->sum.id_bytes += b->parent.v[row] == 0 ? 32 : 16;
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
	for (size_t i = 0; i < b->word_value.count; i++) {
		if (b->word_value.v[i] >= c->d->word_count)
			return err_set(c->e, ERR_FORMAT,
				       "column word_value: value %zu is not in the dictionary",
				       i);
	}
	return OK;
}

enum status block_check(const struct block *b, const struct dict *d, struct block_scratch *room,
			struct err *e)
{
	struct check c = {.b = b, .d = d, .shape = d->shape, .e = e};
	struct arena own = {0}; // for a dictionary that its maker has in hand
	size_t wanted = block_rows(b) + b->template.count;
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
	s = check_links(&c);
	if (s == OK)
		s = check_all_rows(&c);
	if (s == OK)
		s = check_totals(&c);
	arena_free(&own);
	return s;
}
