// SPDX-License-Identifier: Apache-2.0
// spancorpus stats: counts every row's columns, renders a sample of blocks, and holds the
// result against the claims of the recipe. Statistics may use doubles; nothing here enters
// content. Trees, times and sizes are measured by the other spancorpus_stats files.
#include "tools/spancorpus_stats.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "gen/catalog.h"

struct stats {
	const struct source *source;
	struct model model;
	uint64_t rows, traces, errors, blocks, inner_spans;
	uint64_t number_most; // greatest number in a text
	uint64_t late, late_wanted, copies, copies_wanted, copies_wrong;
	uint64_t *service_rows, *operation_rows, *instance_rows;
	uint64_t trace_sizes[TRACE_ROWS_MAX + 2]; // the last: larger ones
	uint8_t *served; // service x operation bitmap, one byte each, or NULL when too large
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
			st->served[(size_t)service * d->operation_count + b->operation.v[i]] =
				1;
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
			served += st->served[(size_t)s * d->operation_count + o];
		tally_add(&n, served);
	}
	// A service serves about ten when there are as many for each, and rows to serve them: a
	// rare one has a tenth of the mean.
	if (r->operations >= 1000 && r->spans >= 100 * r->services &&
	    st->blocks == recipe_blocks(r))
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

static void make_claims(struct stats *st)
{
	struct claims *c = &st->claims;
	const struct manifest *m = &st->source->corpus.manifest;

	claim_operations_per_service(st);
	claim_report(c, "inner spans of a row", "mean %.2f",
		     st->rows > 0 ? (double)st->inner_spans / (double)st->rows : 0);
	claim_order(st);
	if (st->blocks == recipe_blocks(&m->recipe))
		claim_quotas(st);
	tree_stats_claims(st->trees, c);
	time_stats_claims(st->times, c);
	size_stats_claims(st->sizes, c);
}

// ---- The verb ------------------------------------------------------------------------------

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
	if (segment_set_new(&m->segments, m->plan, 1024, 1, &ignored) == OK &&
	    segment_set_dict(m->segments)->template_count == d->template_count)
		return;
	segment_set_free(m->segments);
	m->segments = NULL;
}

static void stats_init(struct stats *st, const struct source *s)
{
	const struct dict *d = &s->corpus.dict;

	st->source = s;
	st->service_rows = mem_zalloc(d->service_count + 1u, sizeof(uint64_t));
	st->operation_rows = mem_zalloc(d->operation_count + 1u, sizeof(uint64_t));
	st->instance_rows = mem_zalloc(d->instance_count + 1u, sizeof(uint64_t));
	if ((uint64_t)d->service_count * d->operation_count <= 64 * MIB)
		st->served = mem_zalloc((size_t)d->service_count * d->operation_count + 1, 1);
	model_init(&st->model, s);
	st->trees = tree_stats_new(s, &st->model);
	st->times = time_stats_new(s, &st->model);
	st->sizes = size_stats_new(s, &st->model);
	st->claims.list = json_array();
}

static void stats_free(struct stats *st)
{
	tree_stats_free(st->trees);
	time_stats_free(st->times);
	size_stats_free(st->sizes);
	segment_set_free(st->model.segments);
	plan_free(st->model.plan);
	free(st->service_rows);
	free(st->operation_rows);
	free(st->instance_rows);
	free(st->served);
	json_decref(st->claims.list);
}

static enum status measure(struct stats *st, uint64_t sample, struct log *log, struct err *e)
{
	const struct corpus *c = &st->source->corpus;
	struct block_worker *w = block_workers_new(st->source, 1);
	uint64_t blocks = c->manifest.blocks, end = corpus_end_block(c),
		 step = sample > 0 ? (blocks + sample - 1) / sample : 0;
	enum status s = OK;

	for (uint64_t n = corpus_first_block(c); s == OK && n < end; n++) {
		if (!corpus_has_block(c, n))
			continue;
		s = block_worker_load(w, st->source, n, e);
		if (s != OK)
			break;
		count_columns(st, w);
		count_disorder(st, w);
		tree_stats_add(st->trees, w);
		time_stats_add(st->times, w);
		if (step > 0 && n % step == 0)
			s = size_stats_add(st->sizes, w, e);
		log_progress(log, clock_monotonic_ns(), "block %" PRIu64 " of %" PRIu64, n + 1,
			     end);
	}
	log_progress_end(log);
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
		print_claims(&st.claims, json);
		r = stdout_finish(e);
	}
	if (r == OK && st.claims.broken > 0)
		r = err_set(e, ERR_INVARIANT, "%s: %u of the recipe's claims do not hold", dir,
			    st.claims.broken);
	stats_free(&st);
	source_close(&s);
	return r;
}
