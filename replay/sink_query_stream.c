// SPDX-License-Identifier: Apache-2.0
// Stream queries: rows that hold the criteria, in the order asked, one for each element id.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/sink_query.h"
#include "replay/sink_value.h"

// ---- Projection ---------------------------------------------------------------------------

static bool has_family(const struct sink_object *o, struct view name)
{
	for (size_t i = 0; i < sink_object_family_count(o); i++)
		if (view_equal(view_of(sink_object_family_name(o, i)), name))
			return true;
	return false;
}

static bool project_family(const struct sink_query *q, struct view family,
			   struct sink_projection *p, struct sink_reply *r)
{
	const struct sink_object *o = q->object;
	struct view name = VIEW("");
	struct pb_reader in;
	struct pb_field f;
	size_t tag;

	pb_reader_init(&in, family.data, family.size);
	while (pb_next(&in, &f))
		if (f.number == 1 && f.wire == PB_BYTES)
			name = f.bytes;
	if (!has_family(o, name)) {
		p->unknown_family = true;
		return true;
	}
	pb_reader_init(&in, family.data, family.size);
	while (pb_next(&in, &f)) {
		if (f.number != 2 || f.wire != PB_BYTES)
			continue;
		tag = sink_object_tag(o, f.bytes);
		if (tag != SINK_NO_TAG &&
		    !view_equal(view_of(sink_object_family_name(o, o->tags[tag].family)), name))
			tag = SINK_NO_TAG;
		if (!sink_query_project(q, p, tag, f.bytes, r))
			return false;
	}
	return true;
}

static bool project_stream(const struct sink_query *q, struct sink_projection *p,
			   struct sink_reply *r)
{
	struct pb_reader in;
	struct pb_field f;

	pb_reader_init(&in, q->projection.data, q->projection.size);
	while (pb_next(&in, &f))
		if (f.number == 1 && f.wire == PB_BYTES && !project_family(q, f.bytes, p, r))
			return false;
	// With criteria a real server answers elements without tags.
	if (p->count > 0 || p->unknown_family || q->criteria.size > 0)
		return true;
	sink_fail(r, SINK_CODE_UNKNOWN,
		  "code: STATUS_INTERNAL_ERROR, msg: execute the query plan for stream %.*s: "
		  "invalid query options: tagProjection is required",
		  (int)(q->name.size < 100 ? q->name.size : 100), q->name.data);
	return false;
}

// The projected columns of one of the object's tables; NULL stands for those of the other, so
// that places agree.
static void put_columns(struct sink_sql *sql, const struct sink_object *o,
			const struct sink_projection *p, bool large)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct sink_tag *tag = &o->tags[p->tags[i]];

		buf_printf(&sql->text, ", ");
		if (sink_tag_is_large(tag) == large)
			sink_sql_name(&sql->text, tag->name);
		else
			buf_printf(&sql->text, "NULL");
	}
}

// ---- Rows ---------------------------------------------------------------------------------

// Element ids that were answered already.
struct id_set {
	uint64_t *slots; // 0: free
	size_t capacity, count;
	bool has_zero;
};

static size_t id_slot(const struct id_set *s, uint64_t id)
{
	size_t at = (size_t)(id ^ id >> 32) & (s->capacity - 1);

	while (s->slots[at] != 0 && s->slots[at] != id)
		at = (at + 1) & (s->capacity - 1);
	return at;
}

static void id_grow(struct id_set *s)
{
	struct id_set old = *s;

	s->capacity = old.capacity > 0 ? 2 * old.capacity : 64;
	s->slots = mem_zalloc(s->capacity, sizeof(*s->slots));
	for (size_t i = 0; i < old.capacity; i++)
		if (old.slots[i] != 0)
			s->slots[id_slot(s, old.slots[i])] = old.slots[i];
	free(old.slots);
}

// false when it was there.
static bool id_add(struct id_set *s, uint64_t id)
{
	size_t at;

	if (id == 0) {
		bool first = !s->has_zero;

		s->has_zero = true;
		return first;
	}
	if (2 * (s->count + 1) > s->capacity)
		id_grow(s);
	at = id_slot(s, id);
	if (s->slots[at] == id)
		return false;
	s->slots[at] = id;
	s->count++;
	return true;
}

static bool stream_order(struct sink_service *s, const struct sink_query *q,
			 struct sink_sql *sql, struct sink_reply *r)
{
	const Banyandb__Database__V1__IndexRule *rule = NULL;

	buf_printf(&sql->text, " ORDER BY ");
	if (q->rule.size > 0) {
		rule = sink_registry_bound_rule(&s->registry, q->object, q->rule);
		if (rule == NULL || rule->n_tags != 1 || rule->no_sort ||
		    sink_object_tag(q->object, view_of(rule->tags[0])) == SINK_NO_TAG) {
			sink_query_refuse(q, r, "%.*s: index is not defined",
					  (int)(q->rule.size < 100 ? q->rule.size : 100),
					  q->rule.data);
			return false;
		}
	}
	sink_sql_name(&sql->text, rule != NULL ? rule->tags[0] : "#ts");
	buf_printf(&sql->text, "%s, \"#seq\"", q->sort == SINK_SORT_DESC ? " DESC" : "");
	return true;
}

// Rows, and the payload of the row at hand when the projection asks for it.
struct element_source {
	struct sink_cursor *rows;    // #id, #ts, #seq, tags
	struct sink_cursor *payload; // #seq, tags; NULL when not asked for
};

// Families in the order of their first tag, each with its tags as asked.
static void put_families(struct buf *element, const struct sink_object *o,
			 const struct sink_projection *p, const struct element_source *c,
			 struct buf *family, struct buf *scratch)
{
	bool done[SINK_PROJECTION_MAX] = {false};

	for (size_t i = 0; i < p->count; i++) {
		size_t number = o->tags[p->tags[i]].family;

		if (done[i])
			continue;
		buf_clear(family);
		pb_put_string(family, 1, sink_object_family_name(o, number));
		for (size_t j = i; j < p->count; j++) {
			struct sink_value v;

			if (o->tags[p->tags[j]].family != number)
				continue;
			done[j] = true;
			v = sink_tag_is_large(&o->tags[p->tags[j]])
				    ? sink_cursor_get(c->payload, 1 + j)
				    : sink_cursor_get(c->rows, 3 + j);
			sink_query_put_tag(family, 2, &o->tags[p->tags[j]], &v, scratch);
		}
		if (family->failed)
			element->failed = true;
		pb_put_bytes(element, 3, family->data, family->size);
	}
}

static void put_element(struct sink_reply *r, const struct sink_query *q,
			const struct sink_projection *p, const struct element_source *c,
			struct sink_scratch *s)
{
	char id[17];

	snprintf(id, sizeof(id), "%016" PRIx64, (uint64_t)sink_cursor_get(c->rows, 0).number);
	buf_clear(&s->a);
	pb_put_string(&s->a, 1, id);
	sink_time_put(&s->a, 2, sink_cursor_get(c->rows, 1).number);
	put_families(&s->a, q->object, p, c, &s->b, &s->c);
	if (s->a.failed)
		r->body.failed = true;
	pb_put_bytes(&r->body, 1, s->a.data, s->a.size);
}

// Moves to the payload of the row at hand.
static bool next_payload(const struct element_source *c, struct sink_reply *r)
{
	struct sink_value seq = sink_cursor_get(c->rows, 2);
	struct err e = {0};
	bool row;

	if (c->payload == NULL)
		return true;
	if (sink_cursor_restart(c->payload, &seq, &e) == OK)
		return sink_query_next(c->payload, &row, r);
	sink_query_failed(r, &e);
	return false;
}

// Rows that share an element id come back once; offset and limit count what comes back.
static void answer_stream(const struct sink_query *q, const struct sink_projection *p,
			  const struct element_source *c, struct sink_reply *r)
{
	uint64_t skip = q->offset, left = q->limit;
	struct id_set seen = {0};
	struct sink_scratch s;
	bool row;

	sink_scratch_init(&s);
	while (left > 0 && sink_query_next(c->rows, &row, r) && row) {
		if (!id_add(&seen, (uint64_t)sink_cursor_get(c->rows, 0).number))
			continue;
		if (skip > 0) {
			skip--;
			continue;
		}
		left--;
		if (!next_payload(c, r))
			break;
		put_element(r, q, p, c, &s);
	}
	free(seen.slots);
	sink_scratch_free(&s);
}

static bool open_rows(struct sink_service *s, const struct sink_request *request,
		      struct sink_query *q, const struct sink_projection *p,
		      struct sink_cursor **rows, struct sink_reply *r)
{
	struct err e = {0};
	struct sink_sql sql;
	bool good;

	sink_sql_init(&sql);
	buf_printf(&sql.text, "SELECT \"#id\", \"#ts\", \"#seq\"");
	put_columns(&sql, q->object, p, false);
	buf_printf(&sql.text, " FROM rows_%" PRId64 " WHERE ", q->object->oid);
	sink_query_put_range(
		&sql,
		sink_later(q->begin_ns, sink_group_oldest_ns(q->group_object, &request->now)),
		q->end_ns);
	good = sink_criteria_put(q, &sql, r) && stream_order(s, q, &sql, r);
	if (good && q->equal_tag != SINK_NO_TAG &&
	    sink_object_index(&s->registry, q->object, q->equal_tag, &e) != OK) {
		sink_query_failed(r, &e);
		good = false;
	}
	good = good && sink_query_open(s, &sql, rows, r);
	sink_sql_free(&sql);
	return good;
}

static bool open_payload(struct sink_service *s, const struct sink_query *q,
			 const struct sink_projection *p, struct sink_cursor **payload,
			 struct sink_reply *r)
{
	struct sink_sql sql;
	bool good, needed = false;

	for (size_t i = 0; i < p->count; i++)
		needed = needed || sink_tag_is_large(&q->object->tags[p->tags[i]]);
	if (!needed)
		return true;
	sink_sql_init(&sql);
	buf_printf(&sql.text, "SELECT \"#seq\"");
	put_columns(&sql, q->object, p, true);
	buf_printf(&sql.text, " FROM payload_%" PRId64 " WHERE \"#seq\" = ", q->object->oid);
	sink_sql_put_int(&sql, 0);
	good = sink_query_open(s, &sql, payload, r);
	sink_sql_free(&sql);
	return good;
}

void sink_query_stream(struct sink_service *s, const struct sink_request *request,
		       struct sink_reply *r)
{
	struct sink_projection *p = mem_zalloc(1, sizeof(*p));
	struct element_source c = {NULL, NULL};
	struct sink_query q;

	if (!sink_query_read(request->body, &q, r))
		goto out;
	if (!q.has_projection)
		sink_query_invalid(r, "Projection: value is required");
	else if (sink_query_find(s, &q, SINK_STREAM, r) && project_stream(&q, p, r) &&
		 open_rows(s, request, &q, p, &c.rows, r) && !p->unknown_family &&
		 open_payload(s, &q, p, &c.payload, r))
		answer_stream(&q, p, &c, r);
out:
	sink_cursor_close(c.rows);
	sink_cursor_close(c.payload);
	free(p);
}
