// SPDX-License-Identifier: Apache-2.0
// How large rows are and how they compress as a store meets them: rendered rows of some blocks.
// Each block is measured by itself, so that any worker may take it.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "tools/spancorpus_stats.h"

#define PIECE_ORDER (1 * MIB)
#define SIZE_BINS 131072u // bytes counted one by one
// Rows of popular operations against those of rare ones. Operations differ by a quarter up or
// down, balanced along their ranks; what is left is foretold of calls, not measured.
#define POPULAR_SLACK_PCT 5.0

struct size_stats {
	const struct source *source;
	bool is_ranked; // operations are in order of popularity
	struct tally size;
	uint64_t bytes[2], rows[2]; // of rare operations, of popular ones
	struct compression in_order, per_trace;
	struct buf order_piece, trace_piece;
	ZSTD_CCtx *zstd;
	struct buf packed;
};

struct size_stats *size_stats_new(const struct source *s, const struct model *m)
{
	struct size_stats *z = mem_zalloc(1, sizeof(*z));

	z->source = s;
	z->is_ranked = m->plan != NULL;
	tally_init(&z->size, SIZE_BINS);
	buf_init(&z->order_piece, 2 * PIECE_ORDER + ROW_BLOB_MAX);
	buf_init(&z->trace_piece, (size_t)1 << 30);
	buf_init(&z->packed, (size_t)1 << 31);
	z->zstd = ZSTD_createCCtx();
	if (z->zstd == NULL)
		mem_exhausted(1, 0); // some kilobytes
	return z;
}

void size_stats_free(struct size_stats *z)
{
	if (z == NULL)
		return;
	tally_deinit(&z->size);
	buf_free(&z->order_piece);
	buf_free(&z->trace_piece);
	buf_free(&z->packed);
	ZSTD_freeCCtx(z->zstd);
	free(z);
}

void compress_piece(struct compression *c, const struct buf *piece, int level, void *zstd,
		    struct buf *packed)
{
	size_t bound = ZSTD_compressBound(piece->size), n;
	uint8_t *out;

	if (piece->size == 0)
		return;
	buf_clear(packed);
	out = buf_reserve(packed, bound);
	if (out == NULL)
		return;
	n = ZSTD_compressCCtx(zstd, out, bound, piece->data, piece->size, level);
	if (ZSTD_isError(n))
		return;
	c->raw += piece->size;
	c->stored += n;
}

void row_text(struct buf *out, const struct row *r)
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

// Pieces of whole rows, none larger than the limit unless a row alone is.
static void end_order_piece(struct size_stats *z, size_t next_row_bytes)
{
	if (z->order_piece.size + next_row_bytes <= PIECE_ORDER)
		return;
	compress_piece(&z->in_order, &z->order_piece, 3, z->zstd, &z->packed);
	buf_clear(&z->order_piece);
}

static void add_size(struct size_stats *z, uint32_t operation, size_t bytes)
{
	bool is_popular = operation < z->source->corpus.dict.operation_count / 5;

	tally_add(&z->size, (uint32_t)bytes);
	z->bytes[is_popular] += bytes;
	z->rows[is_popular]++;
}

static enum status add_order(struct size_stats *z, struct block_worker *w, struct err *e)
{
	int64_t epoch = z->source->corpus.manifest.epoch_ms;

	for (uint32_t i = 0; i < w->rows.outputs; i++) {
		uint32_t row = w->rows.order[i];
		struct row r;
		enum status s = render_row(&w->rows, row, epoch, &w->row, &r, e);

		if (s != OK)
			return s;
		if (!w->rows.is_copy[i])
			add_size(z, w->block.operation.v[row], row_size(&r));
		// The text of a row has the bytes of row_size, or a few less or more.
		end_order_piece(z, row_size(&r));
		row_text(&z->order_piece, &r);
	}
	compress_piece(&z->in_order, &z->order_piece, 3, z->zstd, &z->packed);
	buf_clear(&z->order_piece);
	return OK;
}

static enum status add_traces(struct size_stats *z, struct block_worker *w, struct err *e)
{
	int64_t epoch = z->source->corpus.manifest.epoch_ms;

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
		compress_piece(&z->per_trace, &z->trace_piece, 1, z->zstd, &z->packed);
	}
	return OK;
}

enum status size_stats_add(struct size_stats *z, struct block_worker *w, struct err *e)
{
	enum status s = add_order(z, w, e);

	return s == OK ? add_traces(z, w, e) : s;
}

static void compression_merge(struct compression *c, const struct compression *from)
{
	c->raw += from->raw;
	c->stored += from->stored;
}

void size_stats_merge(struct size_stats *z, const struct size_stats *from)
{
	tally_merge(&z->size, &from->size);
	for (size_t i = 0; i < ARRAY_LEN(z->bytes); i++) {
		z->bytes[i] += from->bytes[i];
		z->rows[i] += from->rows[i];
	}
	compression_merge(&z->in_order, &from->in_order);
	compression_merge(&z->per_trace, &from->per_trace);
}

// ---- Claims --------------------------------------------------------------------------------

bool is_usual_popularity(const struct recipe *r)
{
	return r->zipf_services_mpct == 80000 && r->zipf_services_top_mpct == 20000 &&
	       r->zipf_services_exponent == 0 && r->zipf_operations_mpct == 80000 &&
	       r->zipf_operations_top_mpct == 20000 && r->zipf_operations_exponent == 0;
}

// The scales and what differs from them only in numbers that content does not feel: with few
// operations, few variants or long rows, rows are more alike; with many errors, stacks decide.
static bool is_like_presets(const struct recipe *r)
{
	return is_usual_popularity(r) && r->services >= 50 && r->operations >= 1000 &&
	       r->variants >= 3 && r->errors_mpct <= 6000 && r->row_bytes >= 4000 &&
	       r->row_bytes <= 6000 && r->duplicates_mpct == 0;
}

// How far the mean may be off: 4 %. Few rows are a small sample of what was calibrated: 1 % and
// four standard errors, where that is more.
static double mean_bound(const struct size_stats *z, double wanted)
{
	double rows = (double)(z->rows[0] + z->rows[1]);
	double sampled =
		0.01 * wanted + 4 * sqrt(tally_variance(&z->size) / (rows < 1 ? 1 : rows));

	return fmax(0.04 * wanted, sampled);
}

static void claim_sizes(const struct size_stats *z, struct claims *c)
{
	const struct recipe *r = &z->source->corpus.manifest.recipe;
	double mean = tally_mean(&z->size), most_off, popular, rare, off;
	char bound[64];

	most_off = mean_bound(z, r->row_bytes);
	snprintf(bound, sizeof(bound), "%u +- %.0f %%", r->row_bytes,
		 100 * most_off / r->row_bytes);
	claim(c, "mean row (blob + ten columns), bytes", bound,
	      fabs(mean - r->row_bytes) <= most_off, "%.1f", mean);
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

void size_stats_claims(const struct size_stats *z, struct claims *c)
{
	const struct recipe *r = &z->source->corpus.manifest.recipe;

	if (z->size.count == 0)
		return;
	claim_sizes(z, c);
	claim_ratio(c, "compression, rows in order (zstd -3, 1 MiB)",
		    is_like_presets(r) ? "3..8 (real: 3.7)" : NULL, &z->in_order, 3, 8);
	claim_ratio(c, "compression, one trace (zstd -1)", NULL, &z->per_trace, 0, 0);
}
