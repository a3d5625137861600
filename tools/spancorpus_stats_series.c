// SPDX-License-Identifier: Apache-2.0
// How the rows of one instance compress where a store keeps them together. Pieces are as large
// as a store's, which takes some hundred rows of one instance: so a few instances are chosen,
// and their rows followed through the blocks until the piece is full.
#include <stdatomic.h>
#include <stdlib.h>
#include <zstd.h>

#include "tools/spancorpus_stats.h"

#define PIECE_SERIES (2 * MIB)
#define SERIES_MAX 32u

struct series {
	uint32_t weight; // how often chosen
	struct buf piece;
	// Set when the piece has its size. Relaxed: whether a worker sees it late changes
	// only what it renders in vain.
	atomic_bool full;
};

struct series_stats {
	const struct source *source;
	uint8_t *series_of; // of each instance: series + 1; 0: not chosen
	struct series series[SERIES_MAX];
	uint32_t count;
	uint64_t sampled;	      // bytes
	double share_sum, weight_sum; // stored / raw by weight
	ZSTD_CCtx *zstd;
	struct buf packed;
};

// Rows at even distances, so an instance comes in by its share of the rows: what is wanted is
// the mean over bytes, whether its piece fills or not.
static void choose(struct series_stats *z, const struct block_worker *w)
{
	for (uint32_t k = 0; k < SERIES_MAX; k++) {
		uint32_t row = (uint32_t)u64_mul_div(2 * k + 1, w->rows.rows,
						     UINT64_C(2) * SERIES_MAX);
		uint32_t instance = w->block.instance.v[row];

		if (z->series_of[instance] == 0)
			z->series_of[instance] = (uint8_t)++z->count;
		z->series[z->series_of[instance] - 1].weight++;
	}
}

struct series_stats *series_stats_new(const struct source *s, const struct block_worker *w)
{
	struct series_stats *z = mem_zalloc(1, sizeof(*z));

	z->source = s;
	z->series_of = mem_zalloc(s->corpus.dict.instance_count + 1u, 1);
	for (uint32_t k = 0; k < SERIES_MAX; k++)
		buf_init_own(&z->series[k].piece, PIECE_SERIES + 2 * (size_t)ROW_BLOB_MAX);
	buf_init_own(&z->packed, 4 * (size_t)PIECE_SERIES + 4 * (size_t)ROW_BLOB_MAX);
	z->zstd = ZSTD_createCCtx();
	if (z->zstd == NULL)
		mem_exhausted(1, 0); // some kilobytes
	if (w != NULL)
		choose(z, w);
	return z;
}

void series_stats_free(struct series_stats *z)
{
	if (z == NULL)
		return;
	for (uint32_t k = 0; k < SERIES_MAX; k++)
		buf_free(&z->series[k].piece);
	buf_free(&z->packed);
	ZSTD_freeCCtx(z->zstd);
	free(z->series_of);
	free(z);
}

void series_rows_init(struct series_rows *r)
{
	*r = (struct series_rows){0};
	buf_init(&r->text, SIZE_MAX);
}

void series_rows_deinit(struct series_rows *r)
{
	buf_free(&r->text);
	free(r->series);
	free(r->size);
}

static void rows_put(struct series_rows *r, uint32_t series, size_t bytes)
{
	if (r->count == r->capacity) {
		r->capacity = 2 * r->capacity + 64;
		r->series = mem_realloc(r->series, r->capacity, sizeof(*r->series));
		r->size = mem_realloc(r->size, r->capacity, sizeof(*r->size));
	}
	r->series[r->count] = series;
	r->size[r->count++] = (uint32_t)bytes;
}

enum status series_stats_take(const struct series_stats *z, struct block_worker *w,
			      struct series_rows *out, struct err *e)
{
	int64_t epoch = z->source->corpus.manifest.epoch_ms;

	buf_clear(&out->text);
	out->count = 0;
	for (uint32_t i = 0; i < w->rows.outputs; i++) {
		uint32_t row = w->rows.order[i], k = z->series_of[w->block.instance.v[row]];
		size_t before = out->text.size;
		struct row r;
		enum status s;

		if (k == 0 ||
		    atomic_load_explicit(&z->series[k - 1].full, memory_order_relaxed))
			continue;
		s = render_row(&w->rows, row, epoch, &w->row, &r, e);
		if (s != OK)
			return s;
		row_text(&out->text, &r);
		rows_put(out, k - 1, out->text.size - before);
	}
	return buf_check(&out->text, "rows of a block", e);
}

static void end_piece(struct series_stats *z, struct series *s)
{
	struct compression c = {0};

	compress_piece(&c, &s->piece, 1, z->zstd, &z->packed);
	buf_free(&s->piece);
	if (c.raw == 0)
		return;
	z->sampled += c.raw;
	z->share_sum += s->weight * (double)c.stored / (double)c.raw;
	z->weight_sum += s->weight;
}

void series_stats_add(struct series_stats *z, const struct series_rows *r)
{
	const uint8_t *text = r->text.data;

	for (size_t i = 0; i < r->count; text += r->size[i++]) {
		struct series *s = &z->series[r->series[i]];

		if (atomic_load_explicit(&s->full, memory_order_relaxed))
			continue;
		buf_put(&s->piece, text, r->size[i]);
		if (s->piece.size < PIECE_SERIES)
			continue;
		atomic_store_explicit(&s->full, true, memory_order_relaxed);
		end_piece(z, s);
	}
}

void series_stats_claims(struct series_stats *z, struct claims *c)
{
	for (uint32_t k = 0; k < z->count; k++)
		end_piece(z, &z->series[k]);
	if (z->weight_sum > 0)
		claim_report(c, "compression, per series (zstd -1, 2 MiB)",
			     "%.2f (%u instances, %.0f MB sampled)",
			     z->weight_sum / z->share_sum, z->count, (double)z->sampled / 1e6);
}
