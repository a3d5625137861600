// SPDX-License-Identifier: Apache-2.0
// spancorpus stats: counts every row's columns, renders a sample of blocks, and holds the
// result against the claims of the recipe. Statistics may use doubles; nothing here enters
// content.
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "common/clock.h"
#include "gen/catalog.h"
#include "gen/plan.h"
#include "tools/spancorpus.h"

#define TRACE_SIZE_MAX 4096
#define PIECE_ORDER (1 * MIB)
#define PIECE_SERIES (2 * MIB)

struct compression {
	uint64_t raw, stored;
};

struct samples {
	uint32_t *v;
	size_t count, capacity;
};

struct stats {
	const struct source *source;
	uint64_t rows, traces, errors, simple, medium, blocks, inner_spans;
	uint64_t number_most; // greatest number in a text
	uint64_t late, late_wanted, copies, copies_wanted, copies_wrong;
	uint64_t *service_rows, *operation_rows, *instance_rows;
	uint8_t *served; // service x operation bitmap, one byte each, or NULL when too large
	uint64_t start_bin[20];
	struct samples row_size, latency;
	uint64_t row_bytes;
	struct compression in_order, per_series, per_trace;
	struct buf order_piece, trace_piece, row_text;
	struct buf *series; // per instance
	ZSTD_CCtx *zstd;
	struct buf packed;
	json_t *claims; // array of {claim, expected, measured, holds}
	unsigned broken;
};

static void sample_put(struct samples *s, uint32_t v)
{
	if (s->count == s->capacity) {
		s->capacity = s->capacity ? s->capacity * 2 : 4096;
		s->v = mem_realloc(s->v, s->capacity, sizeof(*s->v));
	}
	s->v[s->count++] = v;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t sample_at(const struct samples *s, double p) // sorted
{
	size_t i = (size_t)(p * (double)(s->count - 1) + 0.5);

	return s->count > 0 ? s->v[i] : 0;
}

static void compress(struct stats *st, struct compression *c, const struct buf *piece,
		     int level)
{
	size_t bound = ZSTD_compressBound(piece->size), n;
	uint8_t *out;

	if (piece->size == 0)
		return;
	buf_clear(&st->packed);
	out = buf_reserve(&st->packed, bound);
	if (out == NULL)
		return;
	n = ZSTD_compressCCtx(st->zstd, out, bound, piece->data, piece->size, level);
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

static void add_piece(struct stats *st, struct compression *c, struct buf *piece,
		      const struct buf *row, size_t limit, int level)
{
	if (piece->size + row->size > limit) {
		compress(st, c, piece, level);
		buf_clear(piece);
	}
	buf_put(piece, row->data, row->size);
}

static enum status sample_rows(struct stats *st, struct block_worker *w, struct err *e)
{
	int64_t epoch = st->source->corpus.manifest.epoch_ms;

	for (uint32_t i = 0; i < w->rows.outputs; i++) {
		uint32_t row = w->rows.order[i];
		struct row r;
		enum status s = render_row(&w->rows, row, epoch, &w->row, &r, e);

		if (s != OK)
			return s;
		buf_clear(&st->row_text);
		row_text(&st->row_text, &r);
		if (!w->rows.is_copy[i]) {
			sample_put(&st->row_size, (uint32_t)row_size(&r));
			st->row_bytes += row_size(&r);
		}
		add_piece(st, &st->in_order, &st->order_piece, &st->row_text, PIECE_ORDER, 3);
		add_piece(st, &st->per_series, &st->series[w->block.instance.v[row]],
			  &st->row_text, PIECE_SERIES, 1);
	}
	for (uint32_t t = 0; t < w->rows.traces; t++) {
		buf_clear(&st->trace_piece);
		for (uint32_t row = w->rows.trace_first[t]; row < w->rows.trace_first[t + 1];
		     row++) {
			struct row r;
			enum status s = render_row(&w->rows, row, epoch, &w->row, &r, e);

			if (s != OK)
				return s;
			row_text(&st->trace_piece, &r);
		}
		compress(st, &st->per_trace, &st->trace_piece, 1);
	}
	return OK;
}

static void count_columns(struct stats *st, const struct block_worker *w)
{
	const struct dict *d = &st->source->corpus.dict;
	const struct block *b = &w->block;
	const struct recipe *r = &st->source->corpus.manifest.recipe;
	uint64_t start = 0;

	st->blocks++;
	st->inner_spans += b->template.count;
	for (size_t t = 0; t < b->trace_size.count; t++) {
		uint64_t bin;

		start += b->trace_start_ms.v[t];
		bin = r->window_ms > 0
			      ? u64_mul_div(start, ARRAY_LEN(st->start_bin), r->window_ms)
			      : 0;
		st->start_bin[u64_min(bin, ARRAY_LEN(st->start_bin) - 1)]++;
		st->simple += b->trace_size.v[t] <= 5;
		st->medium += b->trace_size.v[t] > 5 && b->trace_size.v[t] <= 20;
	}
	st->traces += b->trace_size.count;
	for (size_t i = 0; i < b->number_value.count; i++)
		st->number_most = u64_max(st->number_most, b->number_value.v[i]);
	for (size_t i = 0; i < block_rows(b); i++) {
		uint32_t service = d->instance[b->instance.v[i]].service;

		st->rows++;
		st->errors += b->is_error.v[i] != 0;
		st->service_rows[service]++;
		st->operation_rows[b->operation.v[i]]++;
		st->instance_rows[b->instance.v[i]]++;
		if (st->served != NULL)
			st->served[(size_t)service * d->operation_count + b->operation.v[i]] =
				1;
		if (i % 16 == 0)
			sample_put(&st->latency, b->latency_ms.v[i]);
	}
}

// The key by which the recipe orders rows; equal ones stand as in the block.
static int64_t output_key(const struct block_worker *w, const struct recipe *r, uint32_t row)
{
	return w->rows.start_rel_ms[row] +
	       (r->order == ORDER_ARRIVAL ? (int64_t)w->block.latency_ms.v[row] : 0);
}

// Late is what stands behind a row that it belongs before; a copy stands behind its row. Read
// from the order of output alone, not from the columns that made it.
static void count_disorder(struct stats *st, const struct block_worker *w)
{
	const struct recipe *r = &st->source->corpus.manifest.recipe;
	uint8_t *times = mem_zalloc((size_t)w->rows.rows + 1, 1);
	uint32_t last = UINT32_MAX;

	for (uint32_t i = 0; i < w->rows.outputs; i++) {
		uint32_t row = w->rows.order[i];
		int64_t key = output_key(w, r, row);

		st->copies_wrong += (w->rows.is_copy[i] != 0) != (times[row] == 1);
		st->copies += times[row] == 1;
		if (times[row]++ > 0)
			continue;
		if (last != UINT32_MAX && (key < output_key(w, r, last) ||
					   (key == output_key(w, r, last) && row < last)))
			st->late++;
		else
			last = row;
	}
	for (uint32_t row = 0; row < w->rows.rows; row++)
		st->copies_wrong += times[row] < 1 || times[row] > 2;
	st->late_wanted += plan_late_rows(r, w->block.first_row, w->rows.rows);
	st->copies_wanted += plan_duplicate_rows(r, w->block.first_row, w->rows.rows);
	free(times);
}

static void claim(struct stats *st, const char *name, const char *expected, bool holds,
		  const char *fmt, ...) PRINTF_LIKE(5, 6);

static void claim(struct stats *st, const char *name, const char *expected, bool holds,
		  const char *fmt, ...)
{
	char measured[128];
	json_t *o = json_object();
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(measured, sizeof(measured), fmt, ap);
	va_end(ap);
	json_object_set_new(o, "claim", json_string(name));
	json_object_set_new(o, "expected", json_string(expected));
	json_object_set_new(o, "measured", json_string(measured));
	json_object_set_new(o, "holds", json_boolean(holds));
	json_array_append_new(st->claims, o);
	st->broken += !holds;
}

static void claim_count(struct stats *st, const char *name, uint64_t expected,
			uint64_t measured)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, expected);
	claim(st, name, text, expected == measured, "%" PRIu64, measured);
}

static uint64_t seen(const uint64_t *v, uint32_t count)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		n += v[i] != 0;
	return n;
}

// Every item has exactly the rows that the law gives it; items are ranked by popularity.
static void claim_law(struct stats *st, const char *what, const uint64_t *rows, uint32_t count,
		      const struct zipf_law *law)
{
	uint64_t *quota = mem_zalloc((size_t)count + 1, sizeof(*quota));
	uint64_t top = law->top_mpct != 0 ? law->top_mpct : 20000, top_rows = 0, differ = 0;
	char name[64], expected[64];

	if (count > 0 && !quota_zipf(st->rows, count, law, quota))
		differ = count;
	for (uint32_t i = 0; i < count; i++) {
		differ += rows[i] != quota[i];
		top_rows += i < u64_max(count * top / 100000, 1) ? rows[i] : 0;
	}
	snprintf(name, sizeof(name), "popularity of %s", what);
	if (law->top_mpct != 0)
		snprintf(expected, sizeof(expected), "quotas of %g/%g",
			 law->share_mpct / 1000.0, law->top_mpct / 1000.0);
	else
		snprintf(expected, sizeof(expected), "quotas of exponent %g",
			 law->exponent / 1000.0);
	claim(st, name, expected, differ == 0,
	      "%" PRIu64 " of %u differ; the top %g %% have %.3f %%", differ, count,
	      (double)top / 1000, 100.0 * (double)top_rows / (double)(st->rows + !st->rows));
	free(quota);
}

// Root starts over 20 equal windows, stratified: chi-square far above its 99.9 % point would
// mean a shift.
static void claim_uniform(struct stats *st)
{
	size_t bins = ARRAY_LEN(st->start_bin);
	double expected = (double)st->traces / (double)bins, chi = 0;

	if (expected < 5)
		return;
	for (size_t i = 0; i < ARRAY_LEN(st->start_bin); i++) {
		double d = (double)st->start_bin[i] - expected;

		chi += d * d / expected;
	}
	claim(st, "root starts uniform over the window", "chi-square(19) < 43.8 (99.9 %)",
	      chi < 43.8, "%.2f", chi);
}

static void claim_operations_per_service(struct stats *st)
{
	const struct dict *d = &st->source->corpus.dict;
	struct samples n = {0};
	uint64_t sum = 0;

	if (st->served == NULL || d->service_count == 0)
		return;
	for (uint32_t s = 0; s < d->service_count; s++) {
		uint32_t served = 0;

		for (uint32_t o = 0; o < d->operation_count; o++)
			served += st->served[(size_t)s * d->operation_count + o];
		sample_put(&n, served);
		sum += served;
	}
	qsort(n.v, n.count, sizeof(*n.v), compare_u32);
	claim(st, "operations served by a service", "reported", true,
	      "mean %.1f, least %u, median %u, most %u", (double)sum / d->service_count, n.v[0],
	      sample_at(&n, 0.5), n.v[n.count - 1]);
	free(n.v);
}

static void report_ratio(struct stats *st, const char *name, const char *expected,
			 const struct compression *c, double least, double most)
{
	double ratio = c->stored > 0 ? (double)c->raw / (double)c->stored : 0;

	if (c->raw == 0)
		return;
	claim(st, name, expected, ratio >= least && ratio <= most, "%.2f (%.0f MB sampled)",
	      ratio, (double)c->raw / 1e6);
}

static void make_claims(struct stats *st)
{
	const struct manifest *m = &st->source->corpus.manifest;
	const struct recipe *r = &m->recipe;
	const struct dict *d = &st->source->corpus.dict;
	bool whole = st->blocks == m->blocks;
	char text[64];

	claim_operations_per_service(st);
	snprintf(text, sizeof(text), "at most %" PRIu32, catalog_number_most(r->cardinality));
	claim(st, "ids and other numbers in texts", text,
	      st->number_most <= catalog_number_most(r->cardinality), "%" PRIu64,
	      st->number_most);
	claim_count(st, "late rows", st->late_wanted, st->late);
	snprintf(text, sizeof(text), "%" PRIu64 ", later and once each", st->copies_wanted);
	claim(st, "duplicates beyond the rows", text,
	      st->copies == st->copies_wanted && st->copies_wrong == 0,
	      "%" PRIu64 ", %" PRIu64 " out of place", st->copies, st->copies_wrong);
	if (whole) {
		struct zipf_law services = plan_service_law(r),
				operations = plan_operation_law(r);
		uint64_t simple = r->traces * r->class_simple_pct / 100,
			 medium = r->traces * r->class_medium_pct / 100;

		claim_count(st, "rows", r->spans, st->rows);
		claim_count(st, "traces", r->traces, st->traces);
		snprintf(text, sizeof(text), "%" PRIu64 " / %" PRIu64 " / %" PRIu64 " +- 1",
			 simple, medium, r->traces - simple - medium);
		claim(st, "traces of 1-5 / 6-20 / 21-100 rows", text,
		      st->simple - simple + 1 <= 2 && st->medium - medium + 1 <= 2,
		      "%" PRIu64 " / %" PRIu64 " / %" PRIu64, st->simple, st->medium,
		      st->traces - st->simple - st->medium);
		claim_count(st, "error rows", u64_mul_div(r->spans, r->errors_mpct, 100000),
			    st->errors);
		claim_count(st, "services", r->services,
			    seen(st->service_rows, d->service_count));
		claim_count(st, "instances", r->instances,
			    seen(st->instance_rows, d->instance_count));
		claim_count(st, "operations", r->operations,
			    seen(st->operation_rows, d->operation_count));
		claim_law(st, "services", st->service_rows, d->service_count, &services);
		claim_law(st, "operations", st->operation_rows, d->operation_count,
			  &operations);
		claim_uniform(st);
	}
	if (st->row_size.count > 0) {
		double mean = (double)st->row_bytes / (double)st->row_size.count;

		qsort(st->row_size.v, st->row_size.count, sizeof(*st->row_size.v), compare_u32);
		snprintf(text, sizeof(text), "%u +- 4 %%", r->row_bytes);
		claim(st, "mean row (blob + ten columns), bytes", text,
		      fabs(mean - r->row_bytes) <= 0.04 * r->row_bytes, "%.1f", mean);
		claim(st, "row sizes, bytes", "reported", true,
		      "min %u p50 %u p90 %u p99 %u max %u", st->row_size.v[0],
		      sample_at(&st->row_size, 0.5), sample_at(&st->row_size, 0.9),
		      sample_at(&st->row_size, 0.99), st->row_size.v[st->row_size.count - 1]);
	}
	claim(st, "inner spans of a row", "reported", true, "mean %.2f",
	      st->rows > 0 ? (double)st->inner_spans / (double)st->rows : 0);
	if (st->latency.count > 0) {
		qsort(st->latency.v, st->latency.count, sizeof(*st->latency.v), compare_u32);
		claim(st, "latency, ms", "reported", true, "p50 %u p90 %u p99 %u max %u",
		      sample_at(&st->latency, 0.5), sample_at(&st->latency, 0.9),
		      sample_at(&st->latency, 0.99), st->latency.v[st->latency.count - 1]);
	}
	// The band is a claim of the presets: with few operations, rows are more alike.
	if (r->operations >= 1000 && r->duplicates_mpct == 0)
		report_ratio(st, "compression, rows in order (zstd -3, 1 MiB)",
			     "3 to 8 (real: 3.7)", &st->in_order, 3, 8);
	else
		report_ratio(st, "compression, rows in order (zstd -3, 1 MiB)", "reported",
			     &st->in_order, 0, 1e9);
	report_ratio(st, "compression, per series (zstd -1, 2 MiB)", "reported",
		     &st->per_series, 0, 1e9);
	report_ratio(st, "compression, one trace (zstd -1)", "reported", &st->per_trace, 0,
		     1e9);
}

static void print_claims(const struct stats *st, bool json)
{
	size_t i;
	json_t *o;

	if (json) {
		json_t *top = json_object();

		json_object_set(top, "claims", st->claims);
		json_object_set_new(top, "holds", json_boolean(st->broken == 0));
		json_dumpf(top, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(top);
		return;
	}
	json_array_foreach(st->claims, i, o)
		printf("%-6s %-44s %-34s %s\n",
		       json_is_true(json_object_get(o, "holds")) ? "ok" : "BROKEN",
		       json_string_value(json_object_get(o, "claim")),
		       json_string_value(json_object_get(o, "expected")),
		       json_string_value(json_object_get(o, "measured")));
}

static void stats_init(struct stats *st, const struct source *s)
{
	const struct dict *d = &s->corpus.dict;

	st->source = s;
	st->service_rows = mem_zalloc(d->service_count + 1, sizeof(uint64_t));
	st->operation_rows = mem_zalloc(d->operation_count + 1, sizeof(uint64_t));
	st->instance_rows = mem_zalloc(d->instance_count + 1, sizeof(uint64_t));
	if ((uint64_t)d->service_count * d->operation_count <= 64 * MIB)
		st->served = mem_zalloc((size_t)d->service_count * d->operation_count + 1, 1);
	st->series = mem_zalloc(d->instance_count + 1, sizeof(*st->series));
	for (uint32_t i = 0; i < d->instance_count; i++)
		buf_init(&st->series[i], 2 * PIECE_SERIES + ROW_BLOB_MAX);
	buf_init(&st->order_piece, 2 * PIECE_ORDER + ROW_BLOB_MAX);
	buf_init(&st->trace_piece, (size_t)1 << 30);
	buf_init(&st->row_text, 2 * ROW_BLOB_MAX);
	buf_init(&st->packed, (size_t)1 << 31);
	st->zstd = ZSTD_createCCtx();
	st->claims = json_array();
}

static void stats_free(struct stats *st)
{
	for (uint32_t i = 0; i < st->source->corpus.dict.instance_count; i++)
		buf_free(&st->series[i]);
	free(st->series);
	free(st->service_rows);
	free(st->operation_rows);
	free(st->instance_rows);
	free(st->served);
	free(st->row_size.v);
	free(st->latency.v);
	buf_free(&st->order_piece);
	buf_free(&st->trace_piece);
	buf_free(&st->row_text);
	buf_free(&st->packed);
	ZSTD_freeCCtx(st->zstd);
	json_decref(st->claims);
}

static enum status measure(struct stats *st, uint64_t sample, struct log *log, struct err *e)
{
	const struct corpus *c = &st->source->corpus;
	struct block_worker *w = block_workers_new(st->source, 1);
	uint64_t blocks = c->manifest.blocks,
		 step = sample > 0 ? (blocks + sample - 1) / sample : 0;
	enum status s = OK;

	for (uint64_t n = 0; s == OK && n < blocks; n++) {
		if (!corpus_has_block(c, n))
			continue;
		s = block_worker_load(w, st->source, n, e);
		if (s != OK)
			break;
		count_columns(st, w);
		count_disorder(st, w);
		if (step > 0 && n % step == 0)
			s = sample_rows(st, w, e);
		log_progress(log, clock_monotonic_ns(), "block %" PRIu64 " of %" PRIu64, n + 1,
			     blocks);
	}
	log_progress_end(log);
	compress(st, &st->in_order, &st->order_piece, 3);
	for (uint32_t i = 0; i < c->dict.instance_count; i++)
		compress(st, &st->per_series, &st->series[i], 1);
	block_workers_free(w, 1);
	return s;
}

enum status verb_stats(const struct verb *v, int argc, char **argv, struct err *e)
{
	bool json = false, quiet = false;
	uint64_t sample = 20;
	const struct opt table[] = {
		{.name = "json",
		 .type = OPT_FLAG,
		 .value = &json,
		 .help = "print one JSON object"},
		{.name = "sample",
		 .type = OPT_U64,
		 .value = &sample,
		 .max = 1000000,
		 .meta = "N",
		 .help = "blocks to render for sizes and compression (default 20; 0: none)"},
		{.name = "quiet",
		 .type = OPT_FLAG,
		 .value = &quiet,
		 .help = "no progress on stderr"},
		{0},
	};
	struct stats st = {0};
	struct source s;
	struct log log;
	const char *dir;
	enum status r = verb_options(v, table, argc, argv, &dir, e);

	if (r != OK || dir == NULL)
		return r;
	r = source_open(&s, dir, e);
	if (r != OK)
		return r;
	log_init(&log, "spancorpus", quiet);
	stats_init(&st, &s);
	r = measure(&st, sample, &log, e);
	if (r == OK) {
		make_claims(&st);
		print_claims(&st, json);
		r = stdout_finish(e);
	}
	if (r == OK && st.broken > 0)
		r = err_set(e, ERR_INVARIANT, "%s: %u of the recipe's claims do not hold", dir,
			    st.broken);
	stats_free(&st);
	source_close(&s);
	return r;
}
