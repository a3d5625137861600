// SPDX-License-Identifier: Apache-2.0
// How large rows are and how they compress as a store meets them: rendered rows of some blocks.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "tools/spancorpus_stats.h"

#define PIECE_ORDER (1 * MIB)
#define PIECE_SERIES (2 * MIB)
#define SIZE_BINS 131072u // bytes counted one by one
// Rows of popular operations against those of rare ones. Operations differ by a quarter up or
// down whatever their rank, and the most popular one alone has a seventh of the rows.
#define POPULAR_SLACK_PCT 8.0

struct compression {
	uint64_t raw, stored;
};

struct size_stats {
	const struct source *source;
	bool is_ranked; // operations are in order of popularity
	struct tally size;
	uint64_t bytes[2], rows[2]; // of rare operations, of popular ones
	struct compression in_order, per_series, per_trace;
	struct buf order_piece, trace_piece, row_text;
	struct buf *series; // per instance
	ZSTD_CCtx *zstd;
	struct buf packed;
};

struct size_stats *size_stats_new(const struct source *s, const struct model *m)
{
	const struct dict *d = &s->corpus.dict;
	struct size_stats *z = mem_zalloc(1, sizeof(*z));

	z->source = s;
	z->is_ranked = m->plan != NULL;
	tally_init(&z->size, SIZE_BINS);
	z->series = mem_zalloc(d->instance_count + 1u, sizeof(*z->series));
	for (uint32_t i = 0; i < d->instance_count; i++)
		buf_init(&z->series[i], 2 * PIECE_SERIES + ROW_BLOB_MAX);
	buf_init(&z->order_piece, 2 * PIECE_ORDER + ROW_BLOB_MAX);
	buf_init(&z->trace_piece, (size_t)1 << 30);
	buf_init(&z->row_text, 2 * ROW_BLOB_MAX);
	buf_init(&z->packed, (size_t)1 << 31);
	z->zstd = ZSTD_createCCtx();
	return z;
}

void size_stats_free(struct size_stats *z)
{
	if (z == NULL)
		return;
	for (uint32_t i = 0; i < z->source->corpus.dict.instance_count; i++)
		buf_free(&z->series[i]);
	free(z->series);
	tally_deinit(&z->size);
	buf_free(&z->order_piece);
	buf_free(&z->trace_piece);
	buf_free(&z->row_text);
	buf_free(&z->packed);
	ZSTD_freeCCtx(z->zstd);
	free(z);
}

static void compress(struct size_stats *z, struct compression *c, const struct buf *piece,
		     int level)
{
	size_t bound = ZSTD_compressBound(piece->size), n;
	uint8_t *out;

	if (piece->size == 0)
		return;
	buf_clear(&z->packed);
	out = buf_reserve(&z->packed, bound);
	if (out == NULL)
		return;
	n = ZSTD_compressCCtx(z->zstd, out, bound, piece->data, piece->size, level);
	if (ZSTD_isError(n))
		return;
	c->raw += piece->size;
	c->stored += n;
}

// The row as a store sees it: ten column texts, then the blob.
static void row_text(struct buf *out, const struct row *r)
{
	buf_put_view(out, r->service_id);
	buf_put_view(out, r->service_instance_id);
	buf_put_view(out, r->trace_id);
	buf_printf(out, "%" PRId64 "%" PRIu32 "%d", r->start_ms, r->latency_ms, r->is_error);
	buf_put_view(out, r->span_id);
	buf_put_view(out, r->parent_span_id);
	buf_put_view(out, r->operation_name);
	buf_put_view(out, r->component);
	buf_put_view(out, r->blob);
}

static void add_piece(struct size_stats *z, struct compression *c, struct buf *piece,
		      const struct buf *row, size_t limit, int level)
{
	if (piece->size + row->size > limit) {
		compress(z, c, piece, level);
		buf_clear(piece);
	}
	buf_put(piece, row->data, row->size);
}

static void add_size(struct size_stats *z, uint32_t operation, size_t bytes)
{
	bool is_popular = operation < z->source->corpus.dict.operation_count / 5;

	tally_add(&z->size, (uint32_t)bytes);
	z->bytes[is_popular] += bytes;
	z->rows[is_popular]++;
}

enum status size_stats_add(struct size_stats *z, struct block_worker *w, struct err *e)
{
	int64_t epoch = z->source->corpus.manifest.epoch_ms;

	for (uint32_t i = 0; i < w->rows.outputs; i++) {
		uint32_t row = w->rows.order[i];
		struct row r;
		enum status s = render_row(&w->rows, row, epoch, &w->row, &r, e);

		if (s != OK)
			return s;
		buf_clear(&z->row_text);
		row_text(&z->row_text, &r);
		if (!w->rows.is_copy[i])
			add_size(z, w->block.operation.v[row], row_size(&r));
		add_piece(z, &z->in_order, &z->order_piece, &z->row_text, PIECE_ORDER, 3);
		add_piece(z, &z->per_series, &z->series[w->block.instance.v[row]], &z->row_text,
			  PIECE_SERIES, 1);
	}
	for (uint32_t t = 0; t < w->rows.traces; t++) {
		buf_clear(&z->trace_piece);
		for (uint32_t row = w->rows.trace_first[t]; row < w->rows.trace_first[t + 1];
		     row++) {
			struct row r;
			enum status s = render_row(&w->rows, row, epoch, &w->row, &r, e);

			if (s != OK)
				return s;
			row_text(&z->trace_piece, &r);
		}
		compress(z, &z->per_trace, &z->trace_piece, 1);
	}
	return OK;
}

// ---- Claims --------------------------------------------------------------------------------

// The scales and what differs from them only in numbers that content does not feel: with few
// operations, few variants or long rows, rows are more alike; with many errors, stacks decide.
static bool is_like_presets(const struct recipe *r)
{
	return r->operations >= 1000 && r->variants >= 3 && r->errors_mpct <= 6000 &&
	       r->row_bytes >= 4000 && r->row_bytes <= 6000 && r->duplicates_mpct == 0;
}

static void claim_sizes(const struct size_stats *z, struct claims *c)
{
	const struct recipe *r = &z->source->corpus.manifest.recipe;
	double mean = tally_mean(&z->size), popular, rare, off;
	char bound[64];

	snprintf(bound, sizeof(bound), "%u +- 4 %%", r->row_bytes);
	claim(c, "mean row (blob + ten columns), bytes", bound,
	      fabs(mean - r->row_bytes) <= 0.04 * r->row_bytes, "%.1f", mean);
	claim_report(c, "row sizes, bytes", "min %u p50 %u p90 %u p99 %u max %u", z->size.least,
		     tally_quantile(&z->size, 0.5), tally_quantile(&z->size, 0.9),
		     tally_quantile(&z->size, 0.99), z->size.most);
	if (!z->is_ranked || z->rows[0] == 0 || z->rows[1] == 0)
		return;
	popular = (double)z->bytes[1] / (double)z->rows[1];
	rare = (double)z->bytes[0] / (double)z->rows[0];
	off = 100 * (popular - rare) / mean;
	snprintf(bound, sizeof(bound), "within %.0f %% of those of rare ones",
		 POPULAR_SLACK_PCT);
	if (is_like_presets(r))
		claim(c, "rows of the most popular fifth of operations", bound,
		      fabs(off) <= POPULAR_SLACK_PCT, "%.0f and %.0f bytes, %+.1f %%", popular,
		      rare, off);
	else
		claim_report(c, "rows of the most popular fifth of operations, and others",
			     "%.0f and %.0f bytes, %+.1f %%", popular, rare, off);
}

static void claim_ratio(struct claims *c, const char *name, const char *bound,
			const struct compression *z, double least, double most)
{
	double ratio = z->stored > 0 ? (double)z->raw / (double)z->stored : 0;
	double megabytes = (double)z->raw / 1e6;

	if (z->raw == 0)
		return;
	if (bound == NULL)
		claim_report(c, name, "%.2f (%.0f MB sampled)", ratio, megabytes);
	else
		claim(c, name, bound, ratio >= least && ratio <= most, "%.2f (%.0f MB sampled)",
		      ratio, megabytes);
}

void size_stats_claims(struct size_stats *z, struct claims *c)
{
	const struct recipe *r = &z->source->corpus.manifest.recipe;

	compress(z, &z->in_order, &z->order_piece, 3);
	for (uint32_t i = 0; i < z->source->corpus.dict.instance_count; i++)
		compress(z, &z->per_series, &z->series[i], 1);
	if (z->size.count == 0)
		return;
	claim_sizes(z, c);
	claim_ratio(c, "compression, rows in order (zstd -3, 1 MiB)",
		    is_like_presets(r) ? "3..8 (real: 3.7)" : NULL, &z->in_order, 3, 8);
	claim_ratio(c, "compression, per series (zstd -1, 2 MiB)", NULL, &z->per_series, 0, 0);
	claim_ratio(c, "compression, one trace (zstd -1)", NULL, &z->per_trace, 0, 0);
}
