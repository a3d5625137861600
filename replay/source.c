// SPDX-License-Identifier: Apache-2.0
// Block table and cache of a corpus being replayed.
#include "replay/source.h"

#include <stdlib.h>
#include <string.h>

// Headers hold starts with 2^32 added, so that a clock behind the epoch is not negative.
#define START_BIAS (INT64_C(1) << 32)
#define IDLE_MAX 2 // blocks kept for those who come back a little late

// Adds the blocks of one data file; a file that is not there (a partial corpus) has none.
static enum status add_file(struct source *s, const struct manifest_file *f, uint64_t limit,
			    size_t *capacity, struct err *e)
{
	for (uint64_t n = f->first_block; n < f->first_block + f->blocks && s->rows < limit;
	     n++) {
		struct source_part *p;
		struct block_header h;
		enum status st;

		if (!corpus_has_block(&s->corpus, n))
			return OK;
		st = corpus_block_header(&s->corpus, n, &h, e);
		if (st != OK)
			return st;
		if (s->part_count == *capacity) {
			*capacity = *capacity ? 2 * *capacity : 64;
			s->part = mem_realloc(s->part, *capacity, sizeof(*s->part));
		}
		p = &s->part[s->part_count++];
		*p = (struct source_part){
			.number = n,
			.first = s->rows,
			.first_trace = h.first_trace,
			.rows = (uint32_t)u64_min((uint64_t)h.rows + h.duplicates,
						  limit - s->rows),
			.traces = h.traces,
			.min_rel_ms = (int64_t)h.min_start_ms - START_BIAS,
			.max_rel_ms = (int64_t)h.max_start_ms - START_BIAS,
		};
		s->rows += p->rows;
	}
	return OK;
}

static enum status add_parts(struct source *s, uint64_t limit, struct err *e)
{
	const struct manifest *m = &s->corpus.manifest;
	size_t capacity = 0;

	for (size_t f = 0; f < m->file_count; f++) {
		enum status st = add_file(s, &m->file[f], limit, &capacity, e);

		if (st != OK)
			return st;
	}
	if (s->rows == 0)
		return err_set(e, ERR_NOT_FOUND, "corpus %s: no rows to replay", s->corpus.dir);
	return OK;
}

// Least and greatest start of the used rows. Only a block that a limit cuts must be looked
// into.
static enum status find_bounds(struct source *s, struct err *e)
{
	struct source_part *last = &s->part[s->part_count - 1];
	struct source_block *b;
	enum status st = source_get_part(s, s->part_count - 1, &b, e);

	if (st != OK)
		return st;
	if (b->rb.outputs != last->rows) {
		last->min_rel_ms = INT64_MAX;
		last->max_rel_ms = INT64_MIN;
		for (uint32_t i = 0; i < last->rows; i++) {
			int64_t rel = b->rb.start_rel_ms[b->rb.order[i]];

			last->min_rel_ms = rel < last->min_rel_ms ? rel : last->min_rel_ms;
			last->max_rel_ms = rel > last->max_rel_ms ? rel : last->max_rel_ms;
		}
	}
	source_put(s, b);
	s->min_rel_ms = INT64_MAX;
	s->max_rel_ms = INT64_MIN;
	for (size_t i = 0; i < s->part_count; i++) {
		s->min_rel_ms = s->part[i].min_rel_ms < s->min_rel_ms ? s->part[i].min_rel_ms
								      : s->min_rel_ms;
		s->max_rel_ms = s->part[i].max_rel_ms > s->max_rel_ms ? s->part[i].max_rel_ms
								      : s->max_rel_ms;
	}
	return OK;
}

enum status source_open(struct source *s, const char *dir, uint64_t limit, struct err *e)
{
	enum status st;

	memset(s, 0, sizeof(*s));
	st = corpus_open(&s->corpus, dir, e);
	if (st == OK)
		st = render_new(&s->render, &s->corpus.dict, &s->corpus.manifest.recipe, e);
	if (st == OK) {
		s->reader = block_reader_new();
		st = add_parts(s, limit, e);
	}
	if (st == OK)
		st = find_bounds(s, e);
	if (st != OK)
		source_close(s);
	return st;
}

static void block_delete(struct source_block *b)
{
	render_block_free(&b->rb);
	block_free(&b->block);
	free(b);
}

void source_close(struct source *s)
{
	struct source_block *next;

	for (struct source_block *b = s->idle; b; b = next) {
		next = b->next;
		block_delete(b);
	}
	block_reader_free(s->reader);
	render_free(s->render);
	free(s->part);
	corpus_close(&s->corpus);
	memset(s, 0, sizeof(*s));
}

// Takes a block out of the idle list.
static void idle_remove(struct source *s, struct source_block *b)
{
	struct source_block **at = &s->idle, *before = NULL;

	while (*at != b) {
		before = *at;
		at = &(*at)->next;
	}
	*at = b->next;
	if (s->idle_last == b)
		s->idle_last = before;
	b->next = NULL;
	s->idle_count--;
}

static void idle_add(struct source *s, struct source_block *b)
{
	b->next = NULL;
	if (s->idle_last)
		s->idle_last->next = b;
	else
		s->idle = b;
	s->idle_last = b;
	s->idle_count++;
}

// An empty block to read into: the oldest idle one when there are enough, else a new one.
static struct source_block *block_obtain(struct source *s)
{
	struct source_block *b = s->idle;

	if (b && s->idle_count >= IDLE_MAX) {
		idle_remove(s, b);
		s->part[b->index].loaded = NULL;
		return b;
	}
	b = mem_zalloc(1, sizeof(*b));
	block_init(&b->block);
	render_block_init(&b->rb, s->render);
	return b;
}

enum status source_get_part(struct source *s, size_t index, struct source_block **out,
			    struct err *e)
{
	struct source_part *p = &s->part[index];
	struct source_block *b = p->loaded;
	enum status st;

	*out = NULL;
	if (b) {
		if (b->refs++ == 0)
			idle_remove(s, b);
		*out = b;
		return OK;
	}
	b = block_obtain(s);
	block_reset(&b->block);
	st = corpus_read_block(&s->corpus, s->reader, p->number, &b->block, NULL, e);
	if (st != OK) {
		block_delete(b);
		return st;
	}
	if (block_rows(&b->block) + b->block.duplicate_row.count < p->rows) {
		st = err_set(e, ERR_DAMAGED,
			     "corpus %s: block %llu: %zu rows, %u when it was opened: the file "
			     "has changed",
			     s->corpus.dir, (unsigned long long)p->number,
			     block_rows(&b->block) + b->block.duplicate_row.count, p->rows);
		block_delete(b);
		return st;
	}
	render_block_set(&b->rb, &b->block);
	b->index = index;
	b->first = p->first;
	b->rows = p->rows;
	b->refs = 1;
	p->loaded = b;
	*out = b;
	return OK;
}

enum status source_get(struct source *s, uint64_t position, struct source_block **out,
		       struct err *e)
{
	size_t low = 0, high = s->part_count - 1;

	while (low < high) {
		size_t middle = low + (high - low + 1) / 2;

		if (s->part[middle].first <= position)
			low = middle;
		else
			high = middle - 1;
	}
	return source_get_part(s, low, out, e);
}

void source_put(struct source *s, struct source_block *b)
{
	if (!b || --b->refs > 0)
		return;
	idle_add(s, b);
	if (s->idle_count > IDLE_MAX) {
		struct source_block *oldest = s->idle;

		idle_remove(s, oldest);
		s->part[oldest->index].loaded = NULL;
		block_delete(oldest);
	}
}
