// SPDX-License-Identifier: Apache-2.0
// Sampling, expected rows, comparison.
#include "replay/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/rng.h"
#include "replay/server.h"
#include "replay/source.h"

#define QUERY_TRACES                                                                           \
	25 // of one query of the trace model; a stream is asked for one trace and its series at
	   // a time

_Static_assert(QUERY_TRACES <= READ_IDS_MAX, "ids of a query");

struct checking {
	const struct check_options *o;
	const struct model *model;
	struct rpc *rpc;
	struct check_report *report;
	struct row *row;  // expected: those of the traces asked for next
	uint8_t *times;	  // how often each was written: rows of a corpus may come twice
	struct buf *text; // behind each
	size_t rows, text_count;
	unsigned traces;	       // that the rows belong to
	char *series[2][READ_IDS_MAX]; // service and instance ids of the query under way
};

static void differ(struct checking *c, const struct row *want, const char *what)
{
	char *out;

	if (c->report->texts == CHECK_TEXTS)
		return;
	out = c->report->text[c->report->texts++];
	snprintf(out, CHECK_TEXT_SIZE, "trace %.*s span %.*s: %s", (int)want->trace_id.size,
		 want->trace_id.data, (int)want->span_id.size, want->span_id.data, what);
}

// Text columns: "" and null are equal, as some servers store "" as null.
static bool text_equal(struct view want, const struct tag_value *got)
{
	if (got->kind == TAG_TEXT)
		return view_equal(want, got->text);
	return want.size == 0 && (got->kind == TAG_NULL || got->kind == TAG_ABSENT);
}

static void print_tag(const struct tag_value *t, char *out, size_t size_bytes)
{
	switch (t->kind) {
	case TAG_TEXT:
		snprintf(out, size_bytes, "\"%.*s\"", (int)t->text.size, t->text.data);
		break;
	case TAG_INT:
		snprintf(out, size_bytes, "%lld", (long long)t->number);
		break;
	case TAG_TIME:
		snprintf(out, size_bytes, "time %lld ms", (long long)t->number);
		break;
	case TAG_ABSENT:
	case TAG_NULL:
	case TAG_OTHER:
		snprintf(out, size_bytes, "%s", t->kind == TAG_OTHER ? "another type" : "null");
		break;
	}
}

static bool compare_text(struct checking *c, const struct row *want, enum column column,
			 struct view text, const struct tag_value *got)
{
	char what[200], found[80];

	if (text_equal(text, got))
		return true;
	print_tag(got, found, sizeof(found));
	snprintf(what, sizeof(what), "%s is %s, not \"%.*s\"", column_names[column], found,
		 (int)(text.size < 60 ? text.size : 60), text.data);
	differ(c, want, what);
	return false;
}

static bool compare_number(struct checking *c, const struct row *want, enum column column,
			   enum tag_kind kind, int64_t number, const struct tag_value *got)
{
	char what[200], found[80];

	if (got->kind == kind && got->number == number)
		return true;
	print_tag(got, found, sizeof(found));
	snprintf(what, sizeof(what), "%s is %s, not %lld", column_names[column], found,
		 (long long)number);
	differ(c, want, what);
	return false;
}

static bool compare_payload(struct checking *c, const struct row *want, struct view got)
{
	char what[200];
	size_t at = 0, n = want->blob.size < got.size ? want->blob.size : got.size;

	if (view_equal(want->blob, got))
		return true;
	while (at < n && want->blob.data[at] == got.data[at])
		at++;
	snprintf(what, sizeof(what),
		 "payload has %zu bytes, %zu were written; first difference at byte %zu",
		 got.size, want->blob.size, at);
	differ(c, want, what);
	return false;
}

static void compare_row(struct checking *c, const struct row *want,
			const struct stored_row *got)
{
	enum tag_kind time_kind = c->model->kind == MODEL_TRACE ? TAG_TIME : TAG_INT;
	bool same = true;

	same &= compare_text(c, want, COL_SERVICE_ID, want->service_id,
			     &got->tag[COL_SERVICE_ID]);
	same &= compare_text(c, want, COL_SERVICE_INSTANCE_ID, want->service_instance_id,
			     &got->tag[COL_SERVICE_INSTANCE_ID]);
	same &= compare_text(c, want, COL_TRACE_ID, want->trace_id, &got->tag[COL_TRACE_ID]);
	same &= compare_number(c, want, COL_START_TIME, time_kind, want->start_ms,
			       &got->tag[COL_START_TIME]);
	same &= compare_number(c, want, COL_LATENCY, TAG_INT, want->latency_ms,
			       &got->tag[COL_LATENCY]);
	same &= compare_number(c, want, COL_IS_ERROR, TAG_INT, want->is_error,
			       &got->tag[COL_IS_ERROR]);
	same &= compare_text(c, want, COL_PARENT_SPAN_ID, want->parent_span_id,
			     &got->tag[COL_PARENT_SPAN_ID]);
	same &= compare_text(c, want, COL_OPERATION_NAME, want->operation_name,
			     &got->tag[COL_OPERATION_NAME]);
	same &= compare_text(c, want, COL_COMPONENT, want->component, &got->tag[COL_COMPONENT]);
	same &= compare_payload(c, want, got->payload);
	c->report->different += !same;
}

static void compare_rows(struct checking *c, const struct read_result *got)
{
	size_t found = 0;

	for (size_t i = 0; i < c->rows; i++) {
		const struct stored_row *match = NULL;
		size_t copies = 0;

		for (size_t k = 0; k < got->count; k++)
			if (got->row[k].tag[COL_SPAN_ID].kind == TAG_TEXT &&
			    view_equal(got->row[k].tag[COL_SPAN_ID].text, c->row[i].span_id)) {
				match = match ? match : &got->row[k];
				copies++;
			}
		found += copies;
		if (copies > c->times[i]) {
			c->report->copies += copies - c->times[i];
			differ(c, &c->row[i], "is stored more often than it was written");
		}
		if (match) {
			compare_row(c, &c->row[i], match);
		} else {
			c->report->missing++;
			differ(c, &c->row[i], "not found");
		}
	}
	c->report->rows += c->rows;
	c->report->surplus += got->count - found;
}

// Renders the used rows of a trace behind those that c->row holds already.
static enum status expect_rows(struct checking *c, const struct source_block *b,
			       const uint8_t *used, uint32_t trace, struct err *e)
{
	uint32_t first = b->rb.trace_first[trace], end = b->rb.trace_first[trace + 1];

	if (c->rows + (end - first) > c->text_count) {
		size_t count = 2 * c->text_count + (end - first);

		c->text = mem_realloc(c->text, count, sizeof(*c->text));
		c->row = mem_realloc(c->row, count, sizeof(*c->row));
		c->times = mem_realloc(c->times, count, sizeof(*c->times));
		for (; c->text_count < count; c->text_count++)
			buf_init(&c->text[c->text_count], ROW_BLOB_MAX + MIB);
	}
	for (uint32_t row = first; row < end; row++) {
		enum status s;

		if (used[row] == 0)
			continue;
		c->times[c->rows] = used[row];
		s = render_row(&b->rb, row, c->o->epoch_ms, &c->text[c->rows], &c->row[c->rows],
			       e);
		if (s != OK)
			return s;
		c->rows++;
	}
	return OK;
}

static char *text_of(struct view v)
{
	char *text = mem_alloc(v.size + 1);

	memcpy(text, v.data, v.size);
	text[v.size] = '\0';
	return text;
}

// Names the series that the expected rows are in, each once; more than a query can name: none,
// which asks all.
static void name_series(struct checking *c, struct read_query *q)
{
	for (size_t i = 0; i < c->rows; i++) {
		unsigned k = 0;

		while (k < q->series && !view_equal(c->row[i].service_instance_id,
						    view_of(q->service_instance_id[k])))
			k++;
		if (k < q->series)
			continue;
		if (k == READ_IDS_MAX) {
			for (k = 0; k < q->series; k++) {
				free(c->series[0][k]);
				free(c->series[1][k]);
			}
			q->series = 0;
			return;
		}
		q->service_id[k] = c->series[0][k] = text_of(c->row[i].service_id);
		q->service_instance_id[k] = c->series[1][k] =
			text_of(c->row[i].service_instance_id);
		q->series++;
	}
}

// Asks for the traces whose rows are expected, compares, and begins anew.
static enum status ask(struct checking *c, struct err *e)
{
	struct read_query q = {.begin_ms = INT64_MAX, .end_ms = INT64_MIN};
	struct read_result got = {0};
	char id[READ_IDS_MAX][ID_MAX + 1];
	enum status s;

	if (c->model->kind == MODEL_STREAM)
		name_series(c, &q);
	for (size_t i = 0; i < c->rows; i++) {
		const struct row *row = &c->row[i];

		q.begin_ms = row->start_ms < q.begin_ms ? row->start_ms : q.begin_ms;
		q.end_ms = row->start_ms > q.end_ms ? row->start_ms : q.end_ms;
		if (i > 0 && view_equal(row->trace_id, c->row[i - 1].trace_id))
			continue;
		snprintf(id[q.trace_ids], sizeof(id[0]), "%.*s", (int)row->trace_id.size,
			 row->trace_id.data);
		q.trace_id[q.trace_ids] = id[q.trace_ids];
		q.trace_ids++;
	}
	c->traces = 0;
	if (c->rows == 0)
		return OK;
	q.limit =
		c->model->kind == MODEL_TRACE ? 2 * q.trace_ids : (uint32_t)(2 * c->rows + 100);
	s = model_read(c->model, c->rpc, &q, c->o->timeout_ms, &got, NULL, e);
	if (s == OK) {
		c->report->traces += q.trace_ids;
		compare_rows(c, &got);
	}
	read_result_free(&got);
	for (unsigned i = 0; i < q.series; i++) {
		free(c->series[0][i]);
		free(c->series[1][i]);
	}
	c->rows = 0;
	return s;
}

// ---- Which traces
// -------------------------------------------------------------------------------------------------------

struct pick {
	size_t part;
	uint32_t trace; // index in its block
};

static int pick_compare(const void *a, const void *b)
{
	const struct pick *x = a, *y = b;

	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	return (x->trace > y->trace) - (x->trace < y->trace);
}

// used[row]: how often the row is among those written. Room for all rows of the block.
static void mark_used(const struct source_block *b, uint8_t *used)
{
	memset(used, 0, b->rb.rows);
	for (uint32_t i = 0; i < b->rows; i++)
		used[b->rb.order[i]]++;
}

// Traces of the last part that have a used row, in list; a limit may cut it.
static enum status last_traces(struct source *src, uint32_t **list, uint32_t *count,
			       struct err *e)
{
	struct source_block *b;
	bool *seen;
	enum status s = source_get_part(src, src->part_count - 1, &b, e);

	if (s != OK)
		return s;
	*list = mem_zalloc((size_t)b->rb.traces + 1, sizeof(**list));
	*count = 0;
	seen = mem_zalloc((size_t)b->rb.traces + 1, sizeof(*seen));
	for (uint32_t i = 0; i < b->rows; i++)
		seen[b->rb.trace_of[b->rb.order[i]]] = true;
	for (uint32_t t = 0; t < b->rb.traces; t++)
		if (seen[t])
			(*list)[(*count)++] = t;
	free(seen);
	source_put(src, b);
	return OK;
}

// Draws `n` different traces, in corpus order.
static struct pick *draw(const struct check_options *o, const struct source *src,
			 const uint32_t *last, uint32_t last_count, uint64_t all, uint64_t n)
{
	struct pick *pick = mem_zalloc((size_t)n + 1, sizeof(*pick));
	struct rng_perm perm;

	rng_perm_init(&perm, all, o->seed, RNG_SAMPLE, 0);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t t = rng_perm_at(&perm, i);
		size_t part = 0;

		while (part + 1 < src->part_count && t >= src->part[part].traces)
			t -= src->part[part++].traces;
		pick[i].part = part;
		pick[i].trace = part + 1 == src->part_count ? last[t < last_count ? t : 0]
							    : (uint32_t)t;
	}
	qsort(pick, (size_t)n, sizeof(*pick), pick_compare);
	return pick;
}

static enum status check_picks(struct checking *c, struct source *src, const struct pick *pick,
			       uint64_t n, struct log *log, struct err *e)
{
	uint8_t *used = mem_zalloc(BLOCK_ROWS_MAX, sizeof(*used));
	struct source_block *b = NULL;
	enum status s = OK;

	for (uint64_t i = 0; s == OK && i < n; i++) {
		if (!b || b->index != pick[i].part) {
			source_put(src, b);
			s = source_get_part(src, pick[i].part, &b, e);
			if (s != OK)
				break;
			mark_used(b, used);
		}
		s = expect_rows(c, b, used, pick[i].trace, e);
		if (s == OK &&
		    ++c->traces == (c->model->kind == MODEL_TRACE ? QUERY_TRACES : 1))
			s = ask(c, e);
		log_progress(log, clock_monotonic_ns(), "%llu of %llu traces compared",
			     (unsigned long long)(i + 1), (unsigned long long)n);
	}
	if (s == OK)
		s = ask(c, e);
	source_put(src, b);
	free(used);
	return s;
}

enum status check_run(const struct check_options *o, struct log *log,
		      struct check_report *report, struct err *e)
{
	struct checking c = {.o = o, .model = model_get(o->model), .report = report};
	struct source src = {0};
	uint32_t *last = NULL, last_count = 0;
	struct pick *pick;
	uint64_t all = 0, n;
	int64_t ttl_ms;
	enum status s;

	memset(report, 0, sizeof(*report));
	s = source_open(&src, o->corpus, o->limit, e);
	if (s == OK)
		s = last_traces(&src, &last, &last_count, e);
	if (s != OK)
		goto out;
	for (size_t i = 0; i + 1 < src.part_count; i++)
		all += src.part[i].traces;
	all += last_count;
	n = u64_min(o->sample, all);
	pick = draw(o, &src, last, last_count, all, n);
	c.rpc = rpc_open(o->server);
	s = server_ttl_ms(c.rpc, c.model, o->timeout_ms, &ttl_ms, e); // is there a schema?
	if (s == OK)
		s = check_picks(&c, &src, pick, n, log, e);
	log_progress_end(log);
	rpc_close(c.rpc);
	free(pick);
out:
	for (size_t i = 0; i < c.text_count; i++)
		buf_free(&c.text[i]);
	free(c.text);
	free(c.row);
	free(c.times);
	free(last);
	source_close(&src);
	return s;
}
