// SPDX-License-Identifier: Apache-2.0
// How traces hang together: depth, calls, callee lists, errors, retries.
#include <math.h>
#include <stdlib.h>

#include "gen/shape.h"
#include "tools/spancorpus_stats.h"

#define DEPTH_BINS 4096u

struct tree_stats {
	const struct dict *dict;
	const struct recipe *recipe;
	const struct plan *plan; // NULL: no callee lists
	bool *is_message;	 // of each operation
	bool is_fork;		 // is_message is another's
	struct tally depth, size, fan_out;
	uint64_t rows, leaves, edges, deeper, same_service, listed;
	uint64_t failing, retried, disagree, disagree_messages, disagree_rows;
	uint64_t block_errors_off, blocks;
	// of one block
	uint32_t *row_depth, *calls;
	uint32_t *called; // span of the block -> row it calls; UINT32_MAX: none
	bool *callee_fails;
	size_t row_capacity, span_capacity;
};

void mark_messages(const struct dict *d, bool *is_message)
{
	for (uint32_t o = 0; o < d->operation_count; o++) {
		const struct operation *op = &d->operation[o];

		for (uint32_t k = 0; k < op->template_count; k++) {
			const struct span_template *t = &d->template[op->first_template + k];
			struct pb_reader r;
			struct pb_field f;

			// Top-level literals hold whole fields; 9 is spanLayer, 4 is MQ.
			for (uint32_t i = 0; t->is_call && i < t->piece_count;
			     i += 1 + t->piece[i].child_count) {
				pb_reader_init(&r, t->piece[i].literal.data,
					       t->piece[i].literal.size);
				while (pb_next(&r, &f)) {
					if (f.number == 9 && f.value == 4)
						is_message[o] = true;
				}
			}
		}
	}
}

static void init_tallies(struct tree_stats *t)
{
	tally_init(&t->depth, DEPTH_BINS);
	tally_init(&t->size, DEPTH_BINS);
	tally_init(&t->fan_out, DEPTH_BINS);
}

struct tree_stats *tree_stats_new(const struct source *s, const struct model *m)
{
	struct tree_stats *t = mem_zalloc(1, sizeof(*t));

	t->dict = &s->corpus.dict;
	t->recipe = &s->corpus.manifest.recipe;
	t->plan = m->plan;
	t->is_message = mem_zalloc(t->dict->operation_count + 1u, sizeof(*t->is_message));
	mark_messages(t->dict, t->is_message);
	init_tallies(t);
	return t;
}

struct tree_stats *tree_stats_fork(const struct tree_stats *t)
{
	struct tree_stats *fork = mem_zalloc(1, sizeof(*fork));

	fork->dict = t->dict;
	fork->recipe = t->recipe;
	fork->plan = t->plan;
	fork->is_message = t->is_message;
	fork->is_fork = true;
	init_tallies(fork);
	return fork;
}

void tree_stats_merge(struct tree_stats *t, const struct tree_stats *from)
{
	tally_merge(&t->depth, &from->depth);
	tally_merge(&t->size, &from->size);
	tally_merge(&t->fan_out, &from->fan_out);
	t->rows += from->rows;
	t->leaves += from->leaves;
	t->edges += from->edges;
	t->deeper += from->deeper;
	t->same_service += from->same_service;
	t->listed += from->listed;
	t->failing += from->failing;
	t->retried += from->retried;
	t->disagree += from->disagree;
	t->disagree_messages += from->disagree_messages;
	t->disagree_rows += from->disagree_rows;
	t->block_errors_off += from->block_errors_off;
	t->blocks += from->blocks;
}

void tree_stats_free(struct tree_stats *t)
{
	if (t == NULL)
		return;
	if (!t->is_fork)
		free(t->is_message);
	tally_deinit(&t->depth);
	tally_deinit(&t->size);
	tally_deinit(&t->fan_out);
	free(t->row_depth);
	free(t->calls);
	free(t->called);
	free(t->callee_fails);
	free(t);
}

static void make_room(struct tree_stats *t, size_t rows, size_t spans)
{
	if (rows > t->row_capacity) {
		t->row_capacity = 2 * rows;
		t->row_depth = mem_realloc(t->row_depth, 2 * rows, sizeof(*t->row_depth));
		t->calls = mem_realloc(t->calls, 2 * rows, sizeof(*t->calls));
		t->callee_fails =
			mem_realloc(t->callee_fails, 2 * rows, sizeof(*t->callee_fails));
	}
	if (spans > t->span_capacity) {
		t->span_capacity = 2 * spans;
		t->called = mem_realloc(t->called, 2 * spans, sizeof(*t->called));
	}
}

// The row's entry span is in error. A literal row says no more than its column.
static bool row_fails(const struct tree_stats *t, const struct block_worker *w, uint32_t row)
{
	const struct block *b = &w->block;
	uint32_t ref = b->template.v[w->rows.first_span[row]];

	return ref == 0 ? b->is_error.v[row] != 0
			: template_of(t->dict, b->operation.v[row], ref)->is_error;
}

// One call, from row `up` to row `row`.
static void add_edge(struct tree_stats *t, const struct block_worker *w, uint32_t row,
		     uint32_t up)
{
	const struct block *b = &w->block;
	const struct dict *d = t->dict;
	uint32_t span = w->rows.first_span[up] + b->parent_span.v[row];
	uint32_t from = d->instance[b->instance.v[up]].service;
	uint32_t to = d->instance[b->instance.v[row]].service;
	bool fails = row_fails(t, w, row), exit_fails;

	t->edges++;
	t->same_service += from == to;
	t->deeper += d->service[to].layer > d->service[from].layer;
	t->listed += t->plan != NULL && plan_calls(t->plan, from, to);
	if (b->template.v[span] == 0)
		return;
	if (t->called[span] == UINT32_MAX)
		t->called[span] = row;
	exit_fails = template_of(d, b->operation.v[row], b->template.v[span])->is_error;
	if (t->is_message[b->operation.v[row]]) {
		t->disagree_messages += exit_fails;
		return;
	}
	t->failing += fails;
	t->disagree += fails != exit_fails;
	t->callee_fails[up] = t->callee_fails[up] || fails;
}

// The call of a row that failed was made again: the next span calls the same service and
// operation, once the failed one has ended.
static bool is_retried(const struct tree_stats *t, const struct block_worker *w, uint32_t row)
{
	const struct block *b = &w->block;
	uint32_t up = row - b->parent.v[row];
	uint32_t next = b->parent_span.v[row] + 1, first = w->rows.first_span[up];
	uint32_t again, at;

	if (next >= b->span_count.v[up])
		return false;
	again = t->called[first + next];
	if (again == UINT32_MAX || b->operation.v[again] != b->operation.v[row] ||
	    t->dict->instance[b->instance.v[again]].service !=
		    t->dict->instance[b->instance.v[row]].service)
		return false;
	// The time columns have nothing for the first span of a row.
	at = first + next - (up + 1);
	return b->span_start_ms.v[at] >= b->span_duration_ms.v[at - 1];
}

static void add_trace(struct tree_stats *t, const struct block_worker *w, uint32_t first,
		      uint32_t end)
{
	const struct block *b = &w->block;
	uint32_t deepest = 1;

	t->row_depth[first] = 1;
	t->calls[first] = 0;
	t->callee_fails[first] = false;
	for (uint32_t row = first + 1; row < end; row++) {
		uint32_t up = row - b->parent.v[row];

		t->row_depth[row] = t->row_depth[up] + 1;
		t->calls[row] = 0;
		t->callee_fails[row] = false;
		t->calls[up]++;
		deepest = t->row_depth[row] > deepest ? t->row_depth[row] : deepest;
		add_edge(t, w, row, up);
	}
	for (uint32_t row = first; row < end; row++) {
		bool fails = row_fails(t, w, row);

		if (t->calls[row] > 0)
			tally_add(&t->fan_out, t->calls[row]);
		else
			t->leaves++;
		t->disagree_rows +=
			(b->is_error.v[row] != 0) != (fails || t->callee_fails[row]);
		if (row > first && fails && !t->is_message[b->operation.v[row]])
			t->retried += is_retried(t, w, row);
	}
	tally_add(&t->depth, deepest);
	tally_add(&t->size, end - first);
}

void tree_stats_add(struct tree_stats *t, const struct block_worker *w)
{
	const struct block *b = &w->block;
	uint64_t errors = 0, quota;

	make_room(t, w->rows.rows, b->template.count);
	for (size_t i = 0; i < b->template.count; i++)
		t->called[i] = UINT32_MAX;
	for (uint32_t i = 0; i < w->rows.traces; i++)
		add_trace(t, w, w->rows.trace_first[i], w->rows.trace_first[i + 1]);
	t->rows += w->rows.rows;
	for (uint32_t i = 0; i < w->rows.rows; i++)
		errors += b->is_error.v[i] != 0;
	quota = u64_mul_div(b->first_row + w->rows.rows, t->recipe->errors_mpct, 100000) -
		u64_mul_div(b->first_row, t->recipe->errors_mpct, 100000);
	t->block_errors_off += errors != quota;
	t->blocks++;
}

// ---- Claims --------------------------------------------------------------------------------

static double percent(uint64_t part, uint64_t whole)
{
	return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

// What the bounds on trees were measured at.
static bool has_preset_sizes(const struct recipe *r)
{
	return r->spans == 10 * r->traces && r->class_simple_pct == 20 &&
	       r->class_medium_pct == 60 && r->traces >= 1000 && r->services >= 100;
}

static void claim_shape(const struct tree_stats *t, struct claims *c)
{
	double depth = tally_mean(&t->depth), leaves = percent(t->leaves, t->rows);
	double calls = tally_mean(&t->fan_out);
	uint32_t p50 = tally_quantile(&t->depth, 0.5), p90 = tally_quantile(&t->depth, 0.9);
	uint32_t p99 = tally_quantile(&t->depth, 0.99), c90 = tally_quantile(&t->fan_out, 0.9);

	claim_report(c, "rows of a trace", "mean %.3f p50 %u p90 %u p99 %u largest %u",
		     tally_mean(&t->size), tally_quantile(&t->size, 0.5),
		     tally_quantile(&t->size, 0.9), tally_quantile(&t->size, 0.99),
		     t->size.most);
	claim(c, "calls of a row", "at most 7", t->fan_out.most <= CALLS_PER_ROW_MAX,
	      "mean of callers %.2f p90 %u most %u", calls, c90, t->fan_out.most);
	if (!has_preset_sizes(t->recipe)) {
		claim_report(c, "depth of a trace", "mean %.2f p50 %u p90 %u p99 %u most %u",
			     depth, p50, p90, p99, t->depth.most);
		claim_report(c, "rows that call nobody", "%.1f %%", leaves);
		return;
	}
	claim(c, "depth of a trace", "mean 2.7..3.6, p50 3, p90 4..5, p99 5..7",
	      depth >= 2.7 && depth <= 3.6 && p50 == 3 && p90 >= 4 && p90 <= 5 && p99 >= 5 &&
		      p99 <= 7,
	      "mean %.2f p50 %u p90 %u p99 %u most %u", depth, p50, p90, p99, t->depth.most);
	// The mean follows from the leaves: nine of ten rows are called, so it is
	// 0.9 / (1 - leaves), and 56 to 69 % give 2.05 to 2.90.
	claim(c, "calls of a row that calls", "mean 2.0..2.9, p90 4..6",
	      calls >= 2.0 && calls <= 2.9 && c90 >= 4 && c90 <= 6, "mean %.2f p90 %u", calls,
	      c90);
	claim(c, "rows that call nobody", "56..69 %", leaves >= 56 && leaves <= 69, "%.1f %%",
	      leaves);
}

// 2 % of a block's failing calls, rounded up or down by a draw, where trees have as many
// repeats.
static void claim_retries(const struct tree_stats *t, struct claims *c)
{
	double share = percent(t->retried, t->failing);
	double slack, blocks = (double)t->blocks;
	char bound[64];

	if (t->failing == 0)
		return;
	slack = 100 * (4 * 0.5 * sqrt(blocks) + 1) / (double)t->failing;
	snprintf(bound, sizeof(bound), "at most %u %% + %.2f", RETRY_PCT, slack);
	// With more errors or fewer services, failures of the same call meet without being
	// drawn.
	if (t->recipe->errors_mpct <= 6000 && t->dict->service_count >= 50 &&
	    t->dict->operation_count >= 50 && is_usual_popularity(t->recipe))
		claim(c, "failing calls made again", bound, share <= RETRY_PCT + slack,
		      "%.2f %% of %" PRIu64, share, t->failing);
	else
		claim_report(c, "failing calls made again", "%.2f %% of %" PRIu64, share,
			     t->failing);
}

static void claim_lists(const struct tree_stats *t, struct claims *c)
{
	struct tally n;

	if (t->plan == NULL)
		return;
	tally_init(&n, CALLEES_MAX + 1);
	for (uint32_t i = 0; i < t->dict->service_count; i++) {
		uint32_t count;

		plan_callees(t->plan, i, &count);
		if (t->dict->service[i].layer + 1 < LAYER_COUNT)
			tally_add(&n, count);
	}
	if (t->dict->service_count >= 50 && is_usual_popularity(t->recipe))
		claim(c, "callees that a service lists", "2..12, p50 3..5, p90 8..12",
		      n.least >= 2 && n.most <= 12 && tally_quantile(&n, 0.5) >= 3 &&
			      tally_quantile(&n, 0.5) <= 5 && tally_quantile(&n, 0.9) >= 8,
		      "least %u p50 %u p90 %u most %u", n.least, tally_quantile(&n, 0.5),
		      tally_quantile(&n, 0.9), n.most);
	claim_report(c, "calls on their caller's list", "%.2f %% of %" PRIu64,
		     percent(t->listed, t->edges), t->edges);
	tally_deinit(&n);
}

void tree_stats_claims(const struct tree_stats *t, struct claims *c)
{
	claim_shape(t, c);
	claim_lists(t, c);
	claim_report(c, "calls to a deeper layer; within a service", "%.2f %%; %.2f %%",
		     percent(t->deeper, t->edges), percent(t->same_service, t->edges));
	claim_count(c, "blocks whose error rows miss their quota", 0, t->block_errors_off);
	claim_count(c, "calls whose ends disagree on failure", 0, t->disagree);
	claim_count(c, "rows in error without an error, or sound with one", 0,
		    t->disagree_rows);
	claim_count(c, "messages consumed whose producer failed", 0, t->disagree_messages);
	claim_retries(t, c);
}
