// SPDX-License-Identifier: Apache-2.0
// Trace queries: whole traces of which at least one row holds the criteria.
#include <inttypes.h>
#include <stdlib.h>

#include "replay/sink_query.h"

// Keeps the order of the others.
static void move_last(struct sink_projection *p, size_t tag)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->count; i++)
		if (p->tags[i] != tag)
			p->tags[kept++] = p->tags[i];
	while (kept < p->count)
		p->tags[kept++] = tag;
}

// A real server answers the tags in the order asked, but trace id and span id, which it keeps
// apart, behind the others.
static bool project_trace(const struct sink_query *q, struct view body,
			  struct sink_projection *p, struct sink_reply *r)
{
	struct pb_reader in;
	struct pb_field f;

	pb_reader_init(&in, body.data, body.size);
	while (pb_next(&in, &f))
		if (f.number == 8 && f.wire == PB_BYTES &&
		    !sink_query_project(q, p, sink_object_tag(q->object, f.bytes), f.bytes, r))
			return false;
	move_last(p, q->object->trace_id_tag);
	move_last(p, q->object->span_id_tag);
	return true;
}

// Which traces qualify, in the order asked: one column, the trace id.
static bool select_traces(struct sink_service *s, const struct sink_request *request,
			  struct sink_query *q, struct sink_sql *sql, struct sink_reply *r)
{
	const struct sink_object *o = q->object;
	const char *id = o->tags[o->trace_id_tag].name, *key = "#seq";
	const Banyandb__Database__V1__IndexRule *rule = NULL;
	int64_t oldest = sink_group_oldest_ns(q->group_object, &request->now);
	int64_t segment = sink_group_segment_ns(q->group_object);
	int64_t begin = q->begin_ns, end = q->end_ns;
	struct sink_sql where;
	bool good;

	sink_sql_init(&where);
	good = sink_criteria_put(q, &where, r);
	if (good && q->ordered && q->rule.size > 0)
		rule = sink_registry_bound_rule(&s->registry, o, q->rule);
	if (good && q->ordered && q->rule.size > 0 && rule == NULL) {
		sink_query_refuse(q, r, "index rule %.*s not found",
				  (int)(q->rule.size < 100 ? q->rule.size : 100), q->rule.data);
		good = false;
	}
	if (good && !q->by_trace_id && !q->ordered) {
		sink_fail(r, SINK_CODE_UNKNOWN,
			  "code: STATUS_INTERNAL_ERROR, msg: execute the query plan for trace "
			  "%.*s: invalid query options: either traceIDs or order must be "
			  "specified: invalid query message",
			  (int)(q->name.size < 100 ? q->name.size : 100), q->name.data);
		good = false;
	}
	sink_sql_free(&where);
	if (!good)
		return false;
	if (q->by_trace_id && begin <= end) {
		// A trace id is looked for in whole segments.
		begin = begin / segment * segment;
		if (end < INT64_MAX - segment)
			end = end / segment * segment + segment - 1;
	} else if (rule != NULL) {
		key = rule->tags[rule->n_tags - 1];
	} else {
		key = "#ts";
	}
	buf_printf(&sql->text, "SELECT ");
	sink_sql_name(&sql->text, id);
	buf_printf(&sql->text, " FROM rows_%" PRId64 " WHERE ", o->oid);
	sink_query_put_range(sql, sink_later(begin, oldest), end);
	good = sink_criteria_put(q, sql, r);
	buf_printf(&sql->text, " GROUP BY 1 ORDER BY %s(",
		   !q->by_trace_id && q->sort == SINK_SORT_DESC ? "max" : "min");
	sink_sql_name(&sql->text, key);
	buf_printf(&sql->text, ")%s, 1 LIMIT ",
		   !q->by_trace_id && q->sort == SINK_SORT_DESC ? " DESC" : "");
	sink_sql_put_int(sql, q->limit);
	buf_printf(&sql->text, " OFFSET ");
	sink_sql_put_int(sql, q->offset);
	return good;
}

static void put_span(struct buf *trace, const struct sink_query *q,
		     const struct sink_projection *p, struct sink_cursor *c,
		     struct sink_scratch *s)
{
	struct sink_value span = sink_cursor_get(c, 0), v = sink_cursor_get(c, 1);

	buf_clear(&s->b);
	// The store is read before the buffers grow; SQLite's bytes live until the next step.
	if (span.bytes.size > 0)
		pb_put_view(&s->b, 2, span.bytes);
	if (v.type == SINK_TEXT)
		pb_put_view(&s->b, 3, v.bytes);
	for (size_t i = 0; i < p->count; i++) {
		v = sink_cursor_get(c, 2 + i);
		if (v.type == SINK_NULL && p->tags[i] == q->object->span_id_tag)
			v = (struct sink_value){.type = SINK_TEXT, .bytes = VIEW("")};
		sink_query_put_tag(&s->b, 1, &q->object->tags[p->tags[i]], &v, &s->c);
	}
	if (s->b.failed)
		trace->failed = true;
	pb_put_bytes(trace, 1, s->b.data, s->b.size);
}

static void put_trace_columns(struct sink_sql *sql, const struct sink_object *o,
			      const struct sink_projection *p)
{
	for (size_t i = 0; i < p->count; i++) {
		buf_printf(&sql->text, ", ");
		sink_sql_name(&sql->text, o->tags[p->tags[i]].name);
	}
}

// All spans of one trace, in the order they came.
static bool put_trace(struct sink_service *s, const struct sink_request *request,
		      const struct sink_query *q, const struct sink_projection *p,
		      struct view id, struct sink_scratch *scratch, struct sink_reply *r)
{
	const struct sink_object *o = q->object;
	struct sink_cursor *c = NULL;
	struct sink_sql sql;
	bool good, row = false;

	sink_sql_init(&sql);
	buf_clear(&scratch->a);
	buf_printf(&sql.text, "SELECT \"#span\", ");
	sink_sql_name(&sql.text, o->tags[o->span_id_tag].name);
	put_trace_columns(&sql, o, p);
	buf_printf(&sql.text,
		   " FROM rows_%" PRId64 " CROSS JOIN payload_%" PRId64
		   " USING(\"#seq\") WHERE ",
		   o->oid, o->oid);
	sink_sql_name(&sql.text, o->tags[o->trace_id_tag].name);
	buf_printf(&sql.text, " = ");
	sink_sql_put(&sql, (struct sink_value){.type = SINK_TEXT, .bytes = id});
	buf_printf(&sql.text, " AND \"#ts\" >= ");
	sink_sql_put_int(&sql, sink_group_oldest_ns(q->group_object, &request->now));
	buf_printf(&sql.text, " ORDER BY \"#seq\"");
	good = sink_query_open(s, &sql, &c, r) && sink_query_next(c, &row, r);
	while (good && row) {
		put_span(&scratch->a, q, p, c, scratch);
		good = sink_query_next(c, &row, r);
	}
	pb_put_view(&scratch->a, 2, id);
	if (scratch->a.failed)
		r->body.failed = true;
	pb_put_bytes(&r->body, 1, scratch->a.data, scratch->a.size);
	sink_cursor_close(c);
	sink_sql_free(&sql);
	return good;
}

void sink_query_trace(struct sink_service *s, const struct sink_request *request,
		      struct sink_reply *r)
{
	struct sink_projection *p = mem_zalloc(1, sizeof(*p));
	struct sink_cursor *c = NULL;
	struct sink_scratch scratch;
	struct sink_query q;
	struct sink_sql sql;
	bool row;

	sink_sql_init(&sql);
	sink_scratch_init(&scratch);
	if (sink_query_read(request->body, &q, r) && sink_query_find(s, &q, SINK_TRACE, r) &&
	    project_trace(&q, request->body, p, r) && select_traces(s, request, &q, &sql, r) &&
	    sink_query_open(s, &sql, &c, r))
		while (sink_query_next(c, &row, r) && row)
			if (!put_trace(s, request, &q, p, sink_cursor_get(c, 0).bytes, &scratch,
				       r))
				break;
	sink_cursor_close(c);
	sink_scratch_free(&scratch);
	sink_sql_free(&sql);
	free(p);
}
