// SPDX-License-Identifier: Apache-2.0
// spancorpus stats: counts every row's columns, renders a sample of blocks, and holds the
// result against the claims of the recipe. Statistics may use doubles; nothing here enters
// content. Trees, times, sizes, series and ids are measured by the other spancorpus_stats
// files. Every worker counts for itself; sums do not tell who counted what.
#include "tools/spancorpus_stats.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/pool.h"
#include "gen/catalog.h"

#define IDS_HELD_MAX (256 * (uint64_t)MIB) // of 16-byte ids compared at a time

// Counts of one worker, in the end of all.
struct stats {
	const struct source *source;
	struct model model;
	bool is_fork; // model is another's
	uint64_t rows, traces, errors, blocks, inner_spans;
	uint64_t number_most; // greatest number in a text
	uint64_t language_rows[LANGUAGE_COUNT], language_mixed;
	uint64_t late, late_wanted, copies, copies_wanted, copies_wrong;
	uint64_t *service_rows, *operation_rows, *instance_rows;
	uint64_t trace_sizes[TRACE_ROWS_MAX + 2]; // the last: larger ones
	uint8_t *served; // bit service x operations + operation, or NULL when too large
	size_t served_bytes;
	struct tree_stats *trees;
	struct time_stats *times;
	struct size_stats *sizes;
	struct claims claims;
};

// ---- Claims --------------------------------------------------------------------------------

PRINTF_LIKE(5, 0)
static void claim_put(struct claims *c, const char *name, const char *bound, bool holds,
		      const char *fmt, va_list ap)
{
	char measured[160];
	json_t *o = json_object();

	vsnprintf(measured, sizeof(measured), fmt, ap);
	json_object_set_new(o, "claim", json_string(name));
	json_object_set_new(o, "expected", json_string(bound));
	json_object_set_new(o, "measured", json_string(measured));
	json_object_set_new(o, "holds", json_boolean(holds));
	json_array_append_new(c->list, o);
	c->broken += !holds;
}

void claim(struct claims *c, const char *name, const char *bound, bool holds, const char *fmt,
	   ...)
{
	va_list ap;

	va_start(ap, fmt);
	claim_put(c, name, bound, holds, fmt, ap);
	va_end(ap);
}

#define REPORTED "reported"

void claim_report(struct claims *c, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	claim_put(c, name, REPORTED, true, fmt, ap);
	va_end(ap);
}

void claim_count(struct claims *c, const char *name, uint64_t expected, uint64_t measured)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, expected);
	claim(c, name, text, expected == measured, "%" PRIu64, measured);
}

void claim_chi_square(struct claims *c, const char *name, const uint64_t *observed,
		      const double *share, size_t bins)
{
	uint64_t total = 0;
	unsigned freedom;
	double chi = stat_chi_square(observed, share, bins, &freedom), chance;
	char bound[64];

	if (freedom == 0)
		return;
	for (size_t i = 0; i < bins; i++)
		total += observed[i];
	chance = stat_chi_square_tail(chi, freedom);
	snprintf(bound, sizeof(bound), "chi-square(%u), chance >= %.0e", freedom,
		 STAT_CHANCE_MIN);
	claim(c, name, bound, chance >= STAT_CHANCE_MIN, "%.2f of %" PRIu64 ", chance %.2g",
	      chi, total, chance);
}

static void print_claims(const struct claims *c, bool json)
{
	size_t i;
	json_t *o;

	if (json) {
		json_t *top = json_object();

		json_object_set(top, "claims", c->list);
		json_object_set_new(top, "holds", json_boolean(c->broken == 0));
		json_dumpf(top, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(top);
		return;
	}
	json_array_foreach(c->list, i, o)
	{
		const char *bound = json_string_value(json_object_get(o, "expected"));
		bool reported = strcmp(bound, REPORTED) == 0;
		bool holds = json_is_true(json_object_get(o, "holds"));

		printf("%-5s  %-50s  %s%s%s\n",
		       reported ? "-"
		       : holds	? "holds"
				: "NOT",
		       json_string_value(json_object_get(o, "claim")),
		       json_string_value(json_object_get(o, "measured")),
		       reported ? "" : "  | ", reported ? "" : bound);
	}
}

// ---- Counts --------------------------------------------------------------------------------

static void serve(struct stats *st, size_t bit)
{
	st->served[bit / 8] |= (uint8_t)(1u << bit % 8);
}

static bool is_served(const struct stats *st, size_t bit)
{
	return (st->served[bit / 8] >> bit % 8 & 1) != 0;
}

static void count_columns(struct stats *st, const struct block_worker *w)
{
	const struct dict *d = &st->source->corpus.dict;
	const struct block *b = &w->block;

	st->blocks++;
	st->inner_spans += b->template.count;
	for (size_t t = 0; t < b->trace_size.count; t++) {
		uint32_t size = b->trace_size.v[t];

		st->trace_sizes[size <= TRACE_ROWS_MAX ? size : TRACE_ROWS_MAX + 1]++;
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
			serve(st, (size_t)service * d->operation_count + b->operation.v[i]);
	}
}

// A row's service, operation and ids are of one language.
static void count_languages(struct stats *st, const struct block *b)
{
	const struct dict *d = &st->source->corpus.dict;
	const struct plan *p = st->model.plan;

	for (size_t i = 0; p != NULL && i < block_rows(b); i++) {
		const struct instance *instance = &d->instance[b->instance.v[i]];
		enum language l = plan_service_language(p, instance->service);
		bool is_random = l == LANGUAGE_PYTHON || l == LANGUAGE_NODE;

		st->language_rows[l]++;
		st->language_mixed += plan_operation_language(p, b->operation.v[i]) != l ||
				      (instance->id_style == ID_RAW) != is_random ||
				      (instance->id_clock_ms != 0) != (l == LANGUAGE_GO);
	}
}

static uint64_t seen(const uint64_t *v, uint32_t count)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		n += v[i] != 0;
	return n;
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

// Every item has exactly the rows that the law gives it; items are ranked by popularity.
static void claim_popularity(struct stats *st, const char *what, const uint64_t *rows,
			     uint32_t count, const struct zipf_law *law)
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
	claim(&st->claims, name, expected, differ == 0,
	      "%" PRIu64 " of %u differ; the top %g %% have %.3f %%", differ, count,
	      (double)top / 1000, 100.0 * (double)top_rows / (double)u64_max(st->rows, 1));
	free(quota);
}

static void claim_operations_per_service(struct stats *st)
{
	const struct dict *d = &st->source->corpus.dict;
	const struct recipe *r = &st->source->corpus.manifest.recipe;
	struct tally n;

	if (st->served == NULL || d->service_count == 0)
		return;
	tally_init(&n, 4096);
	for (uint32_t s = 0; s < d->service_count; s++) {
		uint32_t served = 0;

		for (uint32_t o = 0; o < d->operation_count; o++)
			served += is_served(st, (size_t)s * d->operation_count + o);
		tally_add(&n, served);
	}
	// A service serves about ten when there are as many for each, and rows to serve them: a
	// rare one has a tenth of the mean. With fewer services each serves more.
	if (r->operations >= 1000 && r->operations <= 10 * r->services &&
	    r->spans >= 100 * r->services && st->blocks == recipe_blocks(r))
		claim(&st->claims, "operations that a service serves", "mean 9..12",
		      tally_mean(&n) >= 9 && tally_mean(&n) <= 12,
		      "mean %.1f, least %u, median %u, most %u", tally_mean(&n), n.least,
		      tally_quantile(&n, 0.5), n.most);
	else
		claim_report(&st->claims, "operations that a service serves",
			     "mean %.1f, least %u, median %u, most %u", tally_mean(&n), n.least,
			     tally_quantile(&n, 0.5), n.most);
	tally_deinit(&n);
}

// ---- Quotas --------------------------------------------------------------------------------

static void claim_classes(struct stats *st)
{
	const struct recipe *r = &st->source->corpus.manifest.recipe;
	uint64_t simple = r->traces * r->class_simple_pct / 100;
	uint64_t medium = r->traces * r->class_medium_pct / 100, have[3] = {0};
	char text[64];

	for (uint32_t size = 1; size < ARRAY_LEN(st->trace_sizes); size++)
		have[size <= 5 ? 0 : size <= 20 ? 1 : 2] += st->trace_sizes[size];
	snprintf(text, sizeof(text), "%" PRIu64 " / %" PRIu64 " / %" PRIu64 " +- 1", simple,
		 medium, r->traces - simple - medium);
	claim(&st->claims, "traces of 1-5 / 6-20 / 21-100 rows", text,
	      have[0] - simple + 1 <= 2 && have[1] - medium + 1 <= 2,
	      "%" PRIu64 " / %" PRIu64 " / %" PRIu64, have[0], have[1], have[2]);
}

// Within a service, rows go round its instances: all have some when there are enough.
static void claim_instances(struct stats *st)
{
	const struct dict *d = &st->source->corpus.dict;
	uint64_t *least = mem_zalloc(d->service_count + 1u, sizeof(*least));
	uint64_t *most = mem_zalloc(d->service_count + 1u, sizeof(*most));
	uint64_t *count = mem_zalloc(d->service_count + 1u, sizeof(*count));
	uint64_t spread = 0, used = 0;

	for (uint32_t i = 0; i < d->service_count; i++)
		least[i] = UINT64_MAX;
	for (uint32_t i = 0; i < d->instance_count; i++) {
		uint32_t s = d->instance[i].service;

		least[s] = u64_min(least[s], st->instance_rows[i]);
		most[s] = u64_max(most[s], st->instance_rows[i]);
		spread = u64_max(spread, most[s] - least[s]);
		count[s]++;
	}
	for (uint32_t i = 0; i < d->service_count; i++)
		used += u64_min(count[i], st->service_rows[i]);
	claim_count(&st->claims, "instances", used, seen(st->instance_rows, d->instance_count));
	claim(&st->claims, "rows of the instances of a service", "differ by at most 1",
	      spread <= 1, "by %" PRIu64, spread);
	free(least);
	free(most);
	free(count);
}

static void claim_sizes(struct stats *st)
{
	uint64_t sizes[TRACE_ROWS_MAX + 1], off = st->trace_sizes[TRACE_ROWS_MAX + 1] != 0;

	if (st->model.plan == NULL)
		return;
	plan_trace_sizes(st->model.plan, sizes);
	for (uint32_t i = 0; i <= TRACE_ROWS_MAX; i++)
		off += sizes[i] != st->trace_sizes[i];
	claim_count(&st->claims, "sizes 1..100 that miss their number of traces", 0, off);
}

static void claim_quotas(struct stats *st)
{
	const struct recipe *r = &st->source->corpus.manifest.recipe;
	const struct dict *d = &st->source->corpus.dict;
	struct zipf_law services = plan_service_law(r), operations = plan_operation_law(r);
	struct claims *c = &st->claims;

	claim_count(c, "rows", r->spans, st->rows);
	claim_count(c, "traces", r->traces, st->traces);
	claim_classes(st);
	claim_count(c, "error rows", u64_mul_div(r->spans, r->errors_mpct, 100000), st->errors);
	claim_count(c, "services", r->services, seen(st->service_rows, d->service_count));
	claim_count(c, "operations", r->operations,
		    seen(st->operation_rows, d->operation_count));
	claim_instances(st);
	claim_sizes(st);
	claim_popularity(st, "services", st->service_rows, d->service_count, &services);
	claim_popularity(st, "operations", st->operation_rows, d->operation_count, &operations);
}

// Order of output and what the columns of each block say, whether the corpus is whole or not.
static void claim_order(struct stats *st)
{
	const struct recipe *r = &st->source->corpus.manifest.recipe;
	char text[64];

	snprintf(text, sizeof(text), "at most %" PRIu32, catalog_number_most(r->cardinality));
	claim(&st->claims, "ids and other numbers in texts", text,
	      st->number_most <= catalog_number_most(r->cardinality), "%" PRIu64,
	      st->number_most);
	claim_count(&st->claims, "late rows", st->late_wanted, st->late);
	snprintf(text, sizeof(text), "%" PRIu64 ", later and once each", st->copies_wanted);
	claim(&st->claims, "duplicates beyond the rows", text,
	      st->copies == st->copies_wanted && st->copies_wrong == 0,
	      "%" PRIu64 ", %" PRIu64 " out of place", st->copies, st->copies_wrong);
}

static void claim_languages(struct stats *st)
{
	const uint64_t *rows = st->language_rows;
	double part = 100.0 / (double)u64_max(st->rows, 1);
	double random = part * (double)(rows[LANGUAGE_PYTHON] + rows[LANGUAGE_NODE]);
	char bound[48];

	if (st->model.plan == NULL)
		return;
	claim_report(&st->claims, "rows by language",
		     "Java %.2f %%, Go %.2f %%, Python %.2f %%, Node %.2f %%",
		     part * (double)rows[LANGUAGE_JAVA], part * (double)rows[LANGUAGE_GO],
		     part * (double)rows[LANGUAGE_PYTHON], part * (double)rows[LANGUAGE_NODE]);
	claim_count(&st->claims, "rows of a service with operation or ids of another language",
		    0, st->language_mixed);
	// The bound is one of the whole corpus.
	if (st->blocks != recipe_blocks(&st->source->corpus.manifest.recipe))
		return;
	snprintf(bound, sizeof(bound), "at most %u %%", RANDOM_ID_PCT);
	claim(&st->claims, "rows with random ids (Python and Node)", bound,
	      random <= RANDOM_ID_PCT, "%.2f %%", random);
}

static void make_claims(struct stats *st, struct series_stats *series,
			const struct id_stats *ids)
{
	struct claims *c = &st->claims;
	const struct manifest *m = &st->source->corpus.manifest;

	claim_languages(st);
	claim_operations_per_service(st);
	claim_report(c, "inner spans of a row", "mean %.2f",
		     st->rows > 0 ? (double)st->inner_spans / (double)st->rows : 0);
	claim_order(st);
	id_stats_claims(ids, c);
	if (st->blocks == recipe_blocks(&m->recipe))
		claim_quotas(st);
	tree_stats_claims(st->trees, c);
	time_stats_claims(st->times, c);
	size_stats_claims(st->sizes, c);
	series_stats_claims(series, c);
}

// ---- Counts of a worker --------------------------------------------------------------------

// A corpus that this program did not generate has columns to count and no plan to meet.
static void model_init(struct model *m, const struct source *s)
{
	const struct recipe *r = &s->corpus.manifest.recipe;
	const struct dict *d = &s->corpus.dict;
	struct err ignored = {0};

	*m = (struct model){NULL, NULL};
	if (r->content_version != CONTENT_VERSION || d->service_count != r->services ||
	    d->instance_count != r->instances || d->operation_count != r->operations ||
	    plan_new(&m->plan, r, &ignored) != OK)
		return;
	if (segment_set_new(&m->segments, m->plan, 1024, 1, NULL, &ignored) == OK &&
	    segment_set_dict(m->segments)->template_count == d->template_count)
		return;
	segment_set_free(m->segments);
	m->segments = NULL;
}

// A fork counts for another worker, with the model of the first.
static void stats_init(struct stats *st, const struct source *s, const struct stats *first)
{
	const struct dict *d = &s->corpus.dict;
	uint64_t places = (uint64_t)d->service_count * d->operation_count;

	*st = (struct stats){.source = s, .is_fork = first != NULL};
	st->service_rows = mem_zalloc(d->service_count + 1u, sizeof(uint64_t));
	st->operation_rows = mem_zalloc(d->operation_count + 1u, sizeof(uint64_t));
	st->instance_rows = mem_zalloc(d->instance_count + 1u, sizeof(uint64_t));
	if (places <= 64 * MIB) {
		st->served_bytes = (size_t)places / 8 + 1;
		st->served = mem_zalloc(st->served_bytes, 1);
	}
	if (first != NULL)
		st->model = first->model;
	else
		model_init(&st->model, s);
	st->trees =
		first != NULL ? tree_stats_fork(first->trees) : tree_stats_new(s, &st->model);
	st->times =
		first != NULL ? time_stats_fork(first->times) : time_stats_new(s, &st->model);
	st->sizes = size_stats_new(s, &st->model);
	st->claims.list = first != NULL ? NULL : json_array();
}

static void stats_free(struct stats *st)
{
	tree_stats_free(st->trees);
	time_stats_free(st->times);
	size_stats_free(st->sizes);
	if (!st->is_fork) {
		segment_set_free(st->model.segments);
		plan_free(st->model.plan);
	}
	free(st->service_rows);
	free(st->operation_rows);
	free(st->instance_rows);
	free(st->served);
	json_decref(st->claims.list);
}

static void counts_merge(uint64_t *v, const uint64_t *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		v[i] += from[i];
}

static void stats_merge(struct stats *st, const struct stats *from)
{
	const struct dict *d = &st->source->corpus.dict;

	st->rows += from->rows;
	st->traces += from->traces;
	st->errors += from->errors;
	st->blocks += from->blocks;
	st->inner_spans += from->inner_spans;
	st->number_most = u64_max(st->number_most, from->number_most);
	st->late += from->late;
	st->late_wanted += from->late_wanted;
	st->copies += from->copies;
	st->copies_wanted += from->copies_wanted;
	st->copies_wrong += from->copies_wrong;
	counts_merge(st->language_rows, from->language_rows, LANGUAGE_COUNT);
	st->language_mixed += from->language_mixed;
	counts_merge(st->service_rows, from->service_rows, d->service_count);
	counts_merge(st->operation_rows, from->operation_rows, d->operation_count);
	counts_merge(st->instance_rows, from->instance_rows, d->instance_count);
	counts_merge(st->trace_sizes, from->trace_sizes, ARRAY_LEN(st->trace_sizes));
	for (size_t i = 0; i < st->served_bytes; i++)
		st->served[i] |= from->served[i];
	tree_stats_merge(st->trees, from->trees);
	time_stats_merge(st->times, from->times);
	size_stats_merge(st->sizes, from->sizes);
}

// ---- Measuring -----------------------------------------------------------------------------

// What must be seen in block order, on its way from a worker.
struct measure_slot {
	bool absent;
	struct block_ids ids;
	struct series_rows series;
};

struct measure {
	const struct source *source;
	unsigned threads;
	struct stats *stats;	     // per worker
	struct block_worker *worker; // likewise
	struct measure_slot *slot;
	struct id_stats *ids;
	struct series_stats *series;
	uint64_t step; // every so many blocks one is rendered; 0: none
	bool is_first_pass;
	struct log *log;
};

static enum status measure_work(void *ctx, unsigned worker, unsigned slot, uint64_t block,
				struct err *e)
{
	struct measure *m = ctx;
	struct stats *st = &m->stats[worker];
	struct block_worker *w = &m->worker[worker];
	struct measure_slot *out = &m->slot[slot];
	enum status s;

	out->absent = !corpus_has_block(&m->source->corpus, block);
	if (out->absent)
		return OK;
	// Ids stand in the columns: a pass for them alone prepares no rows.
	if (!m->is_first_pass)
		s = corpus_read_block(&m->source->corpus, w->reader, block, &w->block, NULL, e);
	else
		s = block_worker_load(w, m->source, block, e);
	if (s != OK)
		return s;
	block_ids_take(&out->ids, &m->source->corpus.dict, &w->block);
	if (!m->is_first_pass)
		return OK;
	count_columns(st, w);
	count_languages(st, &w->block);
	count_disorder(st, w);
	tree_stats_add(st->trees, w);
	time_stats_add(st->times, w);
	if (m->step > 0 && block % m->step == 0)
		s = size_stats_add(st->sizes, w, e);
	return s == OK ? series_stats_take(m->series, w, &out->series, e) : s;
}

static enum status measure_consume(void *ctx, unsigned slot, uint64_t block, struct err *e)
{
	struct measure *m = ctx;
	const struct measure_slot *in = &m->slot[slot];

	(void)e;
	if (in->absent)
		return OK;
	id_stats_add(m->ids, &in->ids);
	if (m->is_first_pass)
		series_stats_add(m->series, &in->series);
	log_progress(m->log, clock_monotonic_ns(), "block %" PRIu64 " of %" PRIu64, block + 1,
		     corpus_end_block(&m->source->corpus));
	return OK;
}

static enum status new_series(struct measure *m, struct err *e)
{
	const struct corpus *c = &m->source->corpus;
	uint64_t block = corpus_first_block(c), end = corpus_end_block(c);
	struct block_worker *w = m->worker;
	enum status s;

	while (block < end && !corpus_has_block(c, block))
		block++;
	if (m->step == 0 || block == end) {
		m->series = series_stats_new(m->source, NULL);
		return OK;
	}
	s = block_worker_load(w, m->source, block, e);
	if (s == OK)
		m->series = series_stats_new(m->source, w);
	return s;
}

static void measure_init(struct measure *m, const struct source *s, unsigned threads,
			 uint64_t sample, struct log *log)
{
	uint64_t blocks = s->corpus.manifest.blocks;

	*m = (struct measure){
		.source = s,
		.threads = threads,
		.stats = mem_zalloc(threads, sizeof(*m->stats)),
		.worker = block_workers_new(s, threads),
		.slot = mem_zalloc(pool_slots(threads), sizeof(*m->slot)),
		.ids = id_stats_new(s, IDS_HELD_MAX),
		.step = sample > 0 ? (blocks + sample - 1) / sample : 0,
		.is_first_pass = true,
		.log = log,
	};
	for (unsigned i = 0; i < threads; i++)
		stats_init(&m->stats[i], s, i == 0 ? NULL : &m->stats[0]);
	for (unsigned i = 0; i < pool_slots(threads); i++) {
		block_ids_init(&m->slot[i].ids);
		series_rows_init(&m->slot[i].series);
	}
}

static void measure_free(struct measure *m)
{
	for (unsigned i = m->threads; i > 0; i--)
		stats_free(&m->stats[i - 1]);
	for (unsigned i = 0; i < pool_slots(m->threads); i++) {
		block_ids_deinit(&m->slot[i].ids);
		series_rows_deinit(&m->slot[i].series);
	}
	free(m->stats);
	block_workers_free(m->worker, m->threads);
	free(m->slot);
	id_stats_free(m->ids);
	series_stats_free(m->series);
}

// The counts of all are then those of worker 0.
static enum status measure_run(struct measure *m, struct err *e)
{
	const struct corpus *c = &m->source->corpus;
	const struct pool_job job = {measure_work, measure_consume, m};
	enum status s = new_series(m, e);

	while (s == OK) {
		s = pool_run(&job, m->threads, corpus_first_block(c), corpus_end_block(c), NULL,
			     NULL, e);
		m->is_first_pass = false;
		if (s == OK && !id_stats_next_pass(m->ids))
			break;
	}
	log_progress_end(m->log);
	for (unsigned i = 1; i < m->threads; i++)
		stats_merge(&m->stats[0], &m->stats[i]);
	return s;
}

// ---- The verb ------------------------------------------------------------------------------

static enum status report(struct measure *m, const char *dir, bool json, struct err *e)
{
	struct claims *c = &m->stats[0].claims;
	enum status s;

	make_claims(&m->stats[0], m->series, m->ids);
	print_claims(c, json);
	s = stdout_finish(e);
	if (s == OK && c->broken > 0)
		s = err_set(e, ERR_INVARIANT, "%s: %u of the recipe's claims do not hold", dir,
			    c->broken);
	return s;
}

enum status verb_stats(const struct verb *v, int argc, char **argv, struct err *e)
{
	bool json = false, quiet = false;
	uint64_t sample = 20, threads = pool_default_threads();
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
		{.name = "threads",
		 .type = OPT_U64,
		 .value = &threads,
		 .min = 1,
		 .max = 256,
		 .meta = "N",
		 .help = "workers (default: online processors)"},
		{.name = "quiet",
		 .type = OPT_FLAG,
		 .value = &quiet,
		 .help = "no progress on stderr"},
		{0},
	};
	struct measure m;
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
	measure_init(&m, &s, (unsigned)threads, sample, &log);
	r = measure_run(&m, e);
	if (r == OK)
		r = report(&m, dir, json, e);
	measure_free(&m);
	source_close(&s);
	return r;
}
