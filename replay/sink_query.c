// SPDX-License-Identifier: Apache-2.0
// What queries of both models share: reading the request, running SQL, putting tags. What is
// answered is in sink_query_stream.c and sink_query_trace.c, criteria in sink_criteria.c.
#include "replay/sink_query.h"

#include "replay/sink_value.h"

#define LIMIT_DEFAULT 20

// ---- The request --------------------------------------------------------------------------

static bool read_order(struct view bytes, struct sink_query *q)
{
	struct pb_reader in;
	struct pb_field f;

	q->ordered = true;
	pb_reader_init(&in, bytes.data, bytes.size);
	while (pb_next(&in, &f)) {
		if (f.number == 1 && f.wire == PB_BYTES)
			q->rule = f.bytes;
		else if (f.number == 2 && f.wire == PB_VARINT)
			q->sort = f.value == SINK_SORT_DESC ? SINK_SORT_DESC : SINK_SORT_ASC;
	}
	return !in.failed;
}

// false with *r: a range that is refused.
static bool read_range(struct view bytes, struct sink_query *q, struct sink_reply *r)
{
	int64_t time;
	struct pb_reader in;
	struct pb_field f;

	q->has_range = true;
	pb_reader_init(&in, bytes.data, bytes.size);
	while (pb_next(&in, &f)) {
		if ((f.number != 1 && f.number != 2) || f.wire != PB_BYTES)
			continue;
		if (sink_time_read(f.bytes, &time) != SINK_VALUE_GOOD ||
		    time % NS_PER_MS != 0) {
			sink_fail(r, SINK_CODE_INVALID_ARGUMENT,
				  "the time range is invalid :time is not millisecond "
				  "precision");
			return false;
		}
		*(f.number == 1 ? &q->begin_ns : &q->end_ns) = time;
	}
	return !in.failed;
}

static bool read_field(const struct pb_field *f, struct sink_query *q, struct sink_reply *r)
{
	switch (f->number) {
	case 1:
		q->group = f->bytes;
		q->group_count++;
		break;
	case 2:
		q->name = f->bytes;
		break;
	case 3:
		return read_range(f->bytes, q, r);
	case 4:
		q->offset = (uint32_t)f->value;
		break;
	case 5:
		q->limit = (uint32_t)f->value;
		break;
	case 6:
		return read_order(f->bytes, q);
	case 7:
		q->criteria = f->bytes;
		break;
	case 8:
		q->projection = f->bytes;
		q->has_projection = true;
		break;
	default:
		break;
	}
	return true;
}

bool sink_query_invalid(struct sink_reply *r, const char *why)
{
	sink_fail(r, SINK_CODE_INVALID_ARGUMENT, "invalid QueryRequest.%s", why);
	return false;
}

bool sink_query_read(struct view body, struct sink_query *q, struct sink_reply *r)
{
	struct pb_reader in;
	struct pb_field f;

	*q = (struct sink_query){.begin_ns = 0, .end_ns = INT64_MAX, .equal_tag = SINK_NO_TAG};
	pb_reader_init(&in, body.data, body.size);
	while (pb_next(&in, &f))
		if (!read_field(&f, q, r)) {
			if (r->code == SINK_CODE_OK)
				break;
			return false;
		}
	if (in.failed || in.pos != in.end) {
		sink_fail(r, SINK_CODE_INTERNAL,
			  "grpc: error unmarshalling request: proto: cannot parse invalid "
			  "wire-format data");
		return false;
	}
	if (q->group_count == 0)
		return sink_query_invalid(r, "Groups: value must contain at least 1 item(s)");
	if (q->name.size == 0)
		return sink_query_invalid(r, "Name: value length must be at least 1 runes");
	if (q->limit == 0)
		q->limit = LIMIT_DEFAULT;
	return true;
}

bool sink_query_find(struct sink_service *s, struct sink_query *q, enum sink_kind kind,
		     struct sink_reply *r)
{
	if (q->group_count > 1) {
		sink_fail(r, SINK_CODE_UNIMPLEMENTED,
			  "spansink answers queries of one group at a time");
		return false;
	}
	q->object = sink_registry_find(&s->registry, kind, q->group, q->name);
	q->group_object = sink_registry_find(&s->registry, SINK_GROUP, VIEW(""), q->group);
	if (q->object != NULL && q->group_object != NULL && q->object->table != NULL)
		return true;
	sink_fail(r, SINK_CODE_UNKNOWN,
		  "code: STATUS_INTERNAL_ERROR, msg: fail to get execution context for %s "
		  "%.*s: %s: invalid query message",
		  kind == SINK_STREAM ? "stream" : "trace",
		  (int)(q->name.size < 100 ? q->name.size : 100), q->name.data,
		  kind == SINK_STREAM ? "stream doesn't exist" : "trace not found");
	return false;
}

void sink_query_failed(struct sink_reply *r, const struct err *e)
{
	sink_fail(r, SINK_CODE_INTERNAL, "spansink: %s", e->text);
}

bool sink_query_open(struct sink_service *s, struct sink_sql *sql, struct sink_cursor **c,
		     struct sink_reply *r)
{
	struct err e = {0};
	enum status st = buf_check(&sql->text, "the query", &e);

	*c = NULL;
	if (st == OK)
		st = sink_cursor_open(
			c, s->store,
			(struct view){(const char *)sql->text.data, sql->text.size},
			sql->parameters, sql->count, &e);
	if (st != OK)
		sink_query_failed(r, &e);
	return st == OK;
}

bool sink_query_next(struct sink_cursor *c, bool *row, struct sink_reply *r)
{
	struct err e = {0};

	*row = false;
	if (sink_cursor_next(c, row, &e) == OK)
		return true;
	sink_query_failed(r, &e);
	return false;
}

void sink_query_put_range(struct sink_sql *sql, int64_t begin, int64_t end)
{
	buf_printf(&sql->text, "\"#ts\" >= ");
	sink_sql_put_int(sql, begin);
	buf_printf(&sql->text, " AND \"#ts\" <= ");
	sink_sql_put_int(sql, end);
	buf_printf(&sql->text, " AND ");
}

// ---- Projection ---------------------------------------------------------------------------

bool sink_query_project(const struct sink_query *q, struct sink_projection *p, size_t tag,
			struct view name, struct sink_reply *r)
{
	if (tag == SINK_NO_TAG || p->count == SINK_PROJECTION_MAX) {
		sink_query_refuse(q, r, "%.*s: tag is not defined",
				  (int)(name.size < 100 ? name.size : 100), name.data);
		return false;
	}
	p->tags[p->count++] = tag;
	return true;
}

// A Tag of the answer: key and value.
void sink_query_put_tag(struct buf *out, uint32_t field, const struct sink_tag *tag,
			const struct sink_value *v, struct buf *scratch)
{
	buf_clear(scratch);
	pb_put_string(scratch, 1, tag->name);
	sink_value_put(scratch, 2, tag->type, v);
	if (scratch->failed)
		out->failed = true;
	pb_put_bytes(out, field, scratch->data, scratch->size);
}

void sink_scratch_init(struct sink_scratch *s)
{
	buf_init(&s->a, SINK_REPLY_MAX);
	buf_init(&s->b, SINK_REPLY_MAX);
	buf_init(&s->c, SINK_REPLY_MAX);
}

void sink_scratch_free(struct sink_scratch *s)
{
	buf_free(&s->a);
	buf_free(&s->b);
	buf_free(&s->c);
}
