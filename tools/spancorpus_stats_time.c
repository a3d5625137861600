// SPDX-License-Identifier: Apache-2.0
// When things happen and how long they take: root starts, calls, latencies, durations, clock
// skew; and which variants occur, since both are laws of spans.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/spancorpus_stats.h"

#define START_BINS 1000u
#define MS_BINS 65536u // latencies counted one by one
#define LAW_BINS 256u  // durations too
#define PHASES 200u    // steps within a millisecond
#define VARIANT_COUNTS (VARIANTS_MAX + 1)
// Spans do not start at a uniform phase of the millisecond: the first of a row starts about
// 0.75 ms in. Their rounded durations follow the law within this.
#define PHASE_SLACK 0.03

struct law_count {
	const char *name;
	uint32_t median_us, sigma_pct, mean_us;
	uint64_t bin[LAW_BINS]; // the last: all that are longer
	uint64_t count;
};

struct time_stats {
	const struct dict *dict;
	const struct recipe *recipe;
	bool *is_message;	 // of each operation
	struct segment_law *law; // of each template; variants 0: none
	bool is_fork;		 // these two are another's
	uint64_t start_bin[START_BINS];
	uint64_t starts, starts_outside;
	uint32_t narrowest_ms; // block window
	struct tally latency, self;
	uint64_t calls_outside, messages_inside, negative_self;
	uint64_t pairs, overlaps;
	struct law_count laws[SEGMENT_LAWS];
	uint64_t variant[VARIANT_COUNTS][VARIANT_COUNTS];
	uint8_t *is_sent; // of each span of a block: it sends a message
	size_t span_capacity;
};

struct time_stats *time_stats_new(const struct source *s, const struct model *m)
{
	struct time_stats *t = mem_zalloc(1, sizeof(*t));
	const struct dict *d = &s->corpus.dict;

	t->dict = d;
	t->recipe = &s->corpus.manifest.recipe;
	t->narrowest_ms = UINT32_MAX;
	t->is_message = mem_zalloc(d->operation_count + 1u, sizeof(*t->is_message));
	mark_messages(d, t->is_message);
	t->law = mem_zalloc(d->template_count + 1u, sizeof(*t->law));
	for (uint32_t o = 0; m->segments != NULL && o < d->operation_count; o++) {
		for (uint32_t k = 0; k < d->operation[o].template_count; k++) {
			struct segment_law *law = &t->law[d->operation[o].first_template + k];

			if (!segment_law_of(m->segments, o, k, law))
				law->variants = 0;
		}
	}
	tally_init(&t->latency, MS_BINS);
	tally_init(&t->self, MS_BINS);
	return t;
}

struct time_stats *time_stats_fork(const struct time_stats *t)
{
	struct time_stats *fork = mem_zalloc(1, sizeof(*fork));

	fork->dict = t->dict;
	fork->recipe = t->recipe;
	fork->narrowest_ms = UINT32_MAX;
	fork->is_message = t->is_message;
	fork->law = t->law;
	fork->is_fork = true;
	tally_init(&fork->latency, MS_BINS);
	tally_init(&fork->self, MS_BINS);
	return fork;
}

static void law_merge(struct law_count *l, const struct law_count *from)
{
	if (from->count == 0)
		return;
	l->name = from->name;
	l->median_us = from->median_us;
	l->sigma_pct = from->sigma_pct;
	l->mean_us = from->mean_us;
	for (uint32_t i = 0; i < LAW_BINS; i++)
		l->bin[i] += from->bin[i];
	l->count += from->count;
}

void time_stats_merge(struct time_stats *t, const struct time_stats *from)
{
	for (uint32_t i = 0; i < START_BINS; i++)
		t->start_bin[i] += from->start_bin[i];
	t->starts += from->starts;
	t->starts_outside += from->starts_outside;
	t->narrowest_ms = (uint32_t)u64_min(t->narrowest_ms, from->narrowest_ms);
	tally_merge(&t->latency, &from->latency);
	tally_merge(&t->self, &from->self);
	t->calls_outside += from->calls_outside;
	t->messages_inside += from->messages_inside;
	t->negative_self += from->negative_self;
	t->pairs += from->pairs;
	t->overlaps += from->overlaps;
	for (uint32_t i = 0; i < SEGMENT_LAWS; i++)
		law_merge(&t->laws[i], &from->laws[i]);
	for (uint32_t i = 0; i < VARIANT_COUNTS; i++) {
		for (uint32_t k = 0; k < VARIANT_COUNTS; k++)
			t->variant[i][k] += from->variant[i][k];
	}
}

void time_stats_free(struct time_stats *t)
{
	if (t == NULL)
		return;
	if (!t->is_fork) {
		free(t->is_message);
		free(t->law);
	}
	free(t->is_sent);
	tally_deinit(&t->latency);
	tally_deinit(&t->self);
	free(t);
}

// ---- Counting ------------------------------------------------------------------------------

static uint64_t window_at(const struct recipe *r, uint64_t trace)
{
	return u64_mul_div(trace, r->window_ms, r->traces);
}

static void add_starts(struct time_stats *t, const struct block *b)
{
	uint64_t begin = window_at(t->recipe, b->first_trace), start = 0;
	uint64_t end = window_at(t->recipe, b->first_trace + b->trace_size.count);
	uint64_t width = u64_max(end - begin, 1);

	t->narrowest_ms = (uint32_t)u64_min(width, t->narrowest_ms);
	for (size_t i = 0; i < b->trace_size.count; i++) {
		start += b->trace_start_ms.v[i];
		t->starts++;
		if (start < begin || start >= begin + width)
			t->starts_outside++;
		else
			t->start_bin[u64_mul_div(start - begin, START_BINS, width)]++;
	}
}

static void add_span(struct time_stats *t, const struct segment_law *law, uint32_t ms)
{
	if (law->leads && law->variants > 1 && law->variants < VARIANT_COUNTS)
		t->variant[law->variants][law->variant]++;
	if (law->is_self && law->kind < SEGMENT_LAWS) {
		struct law_count *c = &t->laws[law->kind];

		c->name = law->name;
		c->median_us = law->median_us;
		c->sigma_pct = law->sigma_pct;
		c->mean_us = law->mean_us;
		c->bin[ms < LAW_BINS ? ms : LAW_BINS - 1]++;
		c->count++;
	}
}

#define CALLS_SEEN_MAX 512u

struct call_time {
	uint32_t start, end, span;
};

// What is left of the latency when the calls on the critical path are taken away: the one that
// ends last, then the one that ends last before that starts, and so on.
static int64_t self_ms(const struct call_time *call, uint32_t count, uint32_t latency_ms)
{
	int64_t self = latency_ms;
	uint32_t until = UINT32_MAX;

	for (;;) {
		const struct call_time *last = NULL;

		for (uint32_t i = 0; i < count; i++) {
			// Of those that take no time, only one can be last: it costs nothing.
			if (call[i].end <= until && call[i].start < call[i].end &&
			    (last == NULL || call[i].end > last->end))
				last = &call[i];
		}
		if (last == NULL)
			return self;
		self -= last->end - last->start;
		until = last->start;
	}
}

static void add_row(struct time_stats *t, const struct block_worker *w, uint32_t row)
{
	const struct block *b = &w->block;
	uint32_t first = w->rows.first_span[row], start = 0, calls = 0;
	struct call_time call[CALLS_SEEN_MAX];
	int64_t self;

	tally_add(&t->latency, b->latency_ms.v[row]);
	for (uint32_t j = 1; j < b->span_count.v[row]; j++) {
		uint32_t ref = b->template.v[first + j], at = first + j - (row + 1);
		uint32_t ms = b->span_duration_ms.v[at];

		start += b->span_start_ms.v[at];
		if (ref % 2 == 1)
			add_span(t,
				 &t->law[template_of(t->dict, b->operation.v[row], ref) -
					 t->dict->template],
				 ms);
		else if (ref != 0 && !t->is_sent[first + j] && calls < CALLS_SEEN_MAX)
			call[calls++] = (struct call_time){start, start + ms, j};
	}
	for (uint32_t i = 1; i < calls; i++) {
		if (call[i].span != call[i - 1].span + 1 ||
		    call[i - 1].end == call[i - 1].start)
			continue;
		t->pairs++;
		t->overlaps += call[i].start < call[i - 1].end;
	}
	self = self_ms(call, calls, b->latency_ms.v[row]);
	t->negative_self += self < 0;
	tally_add(&t->self, self < 0 ? 0 : (uint32_t)self);
}

// True times of a row and the Exit span that calls it, both from the root's start.
static void add_call(struct time_stats *t, const struct block_worker *w, uint32_t row)
{
	const struct block *b = &w->block;
	uint32_t up = row - b->parent.v[row], span = b->parent_span.v[row];
	uint32_t at = w->rows.first_span[up] + 1 - (up + 1);
	int64_t exit = pb_unzigzag(b->start_ms.v[up]), start = pb_unzigzag(b->start_ms.v[row]);
	int64_t exit_end, end = start + b->latency_ms.v[row];

	if (b->template.v[w->rows.first_span[up]] == 0 || span == 0)
		return;
	for (uint32_t j = 1; j <= span; j++)
		exit += b->span_start_ms.v[at + j - 1];
	exit_end = exit + b->span_duration_ms.v[at + span - 1];
	if (t->is_message[b->operation.v[row]])
		t->messages_inside += start < exit_end;
	else
		t->calls_outside += start < exit || end > exit_end;
}

static void mark_sent(struct time_stats *t, const struct block_worker *w)
{
	const struct block *b = &w->block;

	if (b->template.count > t->span_capacity) {
		t->span_capacity = 2 * b->template.count;
		t->is_sent = mem_realloc(t->is_sent, t->span_capacity, sizeof(*t->is_sent));
	}
	memset(t->is_sent, 0, b->template.count);
	for (uint32_t row = 0; row < w->rows.rows; row++) {
		if (b->parent.v[row] > 0 && t->is_message[b->operation.v[row]])
			t->is_sent[w->rows.first_span[row - b->parent.v[row]] +
				   b->parent_span.v[row]] = 1;
	}
}

void time_stats_add(struct time_stats *t, const struct block_worker *w)
{
	mark_sent(t, w);
	add_starts(t, &w->block);
	for (uint32_t row = 0; row < w->rows.rows; row++) {
		add_row(t, w, row);
		if (w->block.parent.v[row] > 0)
			add_call(t, w, row);
	}
}

// ---- Claims --------------------------------------------------------------------------------

// Starts are stratified: each block has its own stretch of the window, and within it they are
// uniform.
static void claim_starts(const struct time_stats *t, struct claims *c)
{
	double cumulative[START_BINS], d, chance;
	// Whole milliseconds: bins of a narrow window hold none, one, two of them.
	double grain = 1.0 / t->narrowest_ms;
	char bound[64];

	claim_count(c, "root starts outside their block's window", 0, t->starts_outside);
	if (t->starts == t->starts_outside)
		return;
	for (uint32_t i = 0; i < START_BINS; i++)
		cumulative[i] = (i + 1.0) / START_BINS;
	d = stat_ks_distance(t->start_bin, cumulative, START_BINS);
	chance = stat_ks_tail(d > grain ? d - grain : 0, t->starts);
	snprintf(bound, sizeof(bound), "Kolmogorov-Smirnov, chance >= %.0e", STAT_CHANCE_MIN);
	claim(c, "root starts uniform within their block", bound, chance >= STAT_CHANCE_MIN,
	      "D %.5f of %" PRIu64 ", chance %.2g", d, t->starts, chance);
}

// P(a self time <= ms).
static double law_cdf(const struct law_count *l, uint32_t self_time, double ms)
{
	double median = l->median_us / 1000.0, sigma = l->sigma_pct / 100.0;
	double mean = l->mean_us / 1000.0;

	if (self_time == SELF_TIME_EXPONENTIAL)
		return 1 - exp(-ms / mean);
	if (self_time == SELF_TIME_UNIFORM)
		return fmin(1, ms / (2 * mean));
	return 0.99 * stat_lognormal_cdf(ms, median, sigma) +
	       0.01 * stat_lognormal_cdf(ms, 20 * median, sigma);
}

// Of a whole number n of milliseconds that a span of x ms shows when its start has any phase:
// P(shown <= n) is the mean of P(x <= y) over y in n .. n + 1.
static double shown_cdf(const struct law_count *l, uint32_t self_time, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < PHASES; i++)
		sum += law_cdf(l, self_time, n + (i + 0.5) / PHASES);
	return sum / PHASES;
}

// A fixed time shows as the whole milliseconds below or above it.
static void claim_fixed(const struct law_count *l, const char *name, struct claims *c)
{
	uint32_t least = (l->mean_us > 0 ? l->mean_us - 1 : 0) / 1000;
	uint32_t most = (l->mean_us + 1) / 1000 + 1;
	uint64_t off = l->count;
	char bound[64];

	for (uint32_t ms = least; ms <= most && ms + 1 < LAW_BINS; ms++)
		off -= l->bin[ms];
	snprintf(bound, sizeof(bound), "fixed %.3f ms: %u..%u shown", l->mean_us / 1000.0,
		 least, most);
	claim(c, name, bound, off == 0, "%" PRIu64 " of %" PRIu64 " differ", off, l->count);
}

static void claim_law(const struct law_count *l, uint32_t self_time, struct claims *c)
{
	double cumulative[LAW_BINS], d, most;
	char name[80], bound[96];

	snprintf(name, sizeof(name), "self times, %s", l->name);
	if (self_time == SELF_TIME_FIXED) {
		claim_fixed(l, name, c);
		return;
	}
	for (uint32_t i = 0; i + 1 < LAW_BINS; i++)
		cumulative[i] = shown_cdf(l, self_time, i);
	cumulative[LAW_BINS - 1] = 1;
	d = stat_ks_distance(l->bin, cumulative, LAW_BINS);
	most = PHASE_SLACK + 2.5 / sqrt((double)l->count); // 2.5: chance 7e-6
	if (self_time == SELF_TIME_LOGNORMAL)
		snprintf(bound, sizeof(bound), "log-normal %.2f ms, %.2f: distance <= %.3f",
			 l->median_us / 1000.0, l->sigma_pct / 100.0, most);
	else
		snprintf(bound, sizeof(bound), "%s, mean %.3f ms: distance <= %.3f",
			 self_time == SELF_TIME_UNIFORM ? "uniform" : "exponential",
			 l->mean_us / 1000.0, most);
	claim(c, name, bound, d <= most, "%.4f of %" PRIu64, d, l->count);
}

static void claim_variants(const struct time_stats *t, struct claims *c)
{
	for (uint32_t v = 2; v < VARIANT_COUNTS; v++) {
		uint32_t of_65536[VARIANT_COUNTS];
		double share[VARIANT_COUNTS];
		char name[64];

		segment_variant_law(v, of_65536);
		for (uint32_t i = 0; i < v; i++)
			share[i] = of_65536[i] / 65536.0;
		snprintf(name, sizeof(name), "variants of spans that have %u", v);
		claim_chi_square(c, name, t->variant[v], share, v);
	}
}

// 95 % within 2 ms, 4 % within 10, 1 % within 100, uniform in each.
static void claim_skew(const struct time_stats *t, struct claims *c)
{
	enum { CLOSE = 2, NEAR = 10, FAR = 100 };
	const double share[] = {0.95 + 0.04 * 5 / 21 + 0.01 * 5 / 201,
				0.04 * 16 / 21 + 0.01 * 16 / 201, 0.01 * 180 / 201};
	uint64_t seen[3] = {0};
	uint32_t most = 0, instances = t->dict->instance_count;

	for (uint32_t i = 0; i < instances; i++) {
		int32_t skew = t->dict->instance[i].clock_skew_ms;
		uint32_t size = (uint32_t)(skew < 0 ? -skew : skew);

		seen[size <= CLOSE ? 0 : size <= NEAR ? 1 : 2]++;
		most = size > most ? size : most;
	}
	claim(c, "clock skew of instances, ms", "at most 100", most <= FAR,
	      "within 2: %.2f %%, 10: %.2f %%, beyond: %.2f %%, most %u",
	      100.0 * (double)seen[0] / instances,
	      100.0 * (double)(seen[0] + seen[1]) / instances,
	      100.0 * (double)seen[2] / instances, most);
	claim_chi_square(c, "clock skew: 95 / 4 / 1 % within 2 / 10 / 100 ms", seen, share, 3);
}

// Of calls that follow another without work between, as far as the one before takes a
// millisecond at all; those made again never overlap.
static void claim_overlaps(const struct time_stats *t, struct claims *c)
{
	double share = 100.0 * (double)t->overlaps / (double)u64_max(t->pairs, 1);
	double slack = 1 + 100 * 4.5 * sqrt(0.3 * 0.7 / (double)u64_max(t->pairs, 1));
	char bound[48];

	snprintf(bound, sizeof(bound), "30 +- %.2f %%", slack);
	// Where most that follow are made again, or work stands between nearly all calls, the
	// pairs that are left are others.
	if (t->pairs == 0)
		return;
	if (t->pairs < 100 || t->recipe->errors_mpct > 6000 || t->recipe->row_bytes > 10000)
		claim_report(c, "calls that overlap the call before them",
			     "%.2f %% of %" PRIu64, share, t->pairs);
	else
		claim(c, "calls that overlap the call before them", bound,
		      fabs(share - 30) <= slack, "%.2f %% of %" PRIu64, share, t->pairs);
}

void time_stats_claims(const struct time_stats *t, struct claims *c)
{
	claim_starts(t, c);
	claim_skew(t, c);
	claim_count(c, "calls not inside their Exit span (true times)", 0, t->calls_outside);
	claim_count(c, "messages consumed before they were sent", 0, t->messages_inside);
	claim_count(c, "rows shorter than the calls on their critical path", 0,
		    t->negative_self);
	claim_report(c, "latency, ms", "mean %.1f p50 %u p90 %u p99 %u most %u",
		     tally_mean(&t->latency), tally_quantile(&t->latency, 0.5),
		     tally_quantile(&t->latency, 0.9), tally_quantile(&t->latency, 0.99),
		     t->latency.most);
	claim_report(c, "latency without calls on the critical path, ms",
		     "mean %.1f p50 %u p90 %u p99 %u most %u", tally_mean(&t->self),
		     tally_quantile(&t->self, 0.5), tally_quantile(&t->self, 0.9),
		     tally_quantile(&t->self, 0.99), t->self.most);
	claim_overlaps(t, c);
	for (uint32_t i = 0; i < SEGMENT_LAWS; i++) {
		if (t->laws[i].count >= 100)
			claim_law(&t->laws[i], t->recipe->self_time, c);
	}
	claim_variants(t, c);
}
