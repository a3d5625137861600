// SPDX-License-Identifier: Apache-2.0
// A small schema for tests of spansink's services: groups "sg" and "tg", stream "s" (family f:
// svc STRING, the entity, tid STRING, n INT; family b: data BINARY) and trace "t" (tid, at, n,
// sid). Requests are written with common/pb.h, so that nothing of the sink makes them.
#ifndef TESTS_SINK_FIXTURE_H
#define TESTS_SINK_FIXTURE_H

#include "common/pb.h"
#include "replay/sink_service.h"
#include "tests/unit/common/unit.h"

#define NOW_MS INT64_C(1795609830000)

enum { STRING = 1, INT = 2, BINARY = 5, TIMESTAMP = 6 };

// Puts inner as a message and empties it.
static inline void put_inner(struct buf *out, uint32_t field, struct buf *inner)
{
	pb_put_bytes(out, field, inner->data, inner->size);
	buf_free(inner);
}

static inline void put_metadata(struct buf *out, uint32_t field, const char *group,
				const char *name)
{
	struct buf b;

	buf_init(&b, 1024);
	pb_put_string(&b, 1, group);
	pb_put_string(&b, 2, name);
	put_inner(out, field, &b);
}

static inline void put_tag_spec(struct buf *out, uint32_t field, const char *name, int type)
{
	struct buf b;

	buf_init(&b, 1024);
	pb_put_string(&b, 1, name);
	pb_put_uint(&b, 2, (uint64_t)type);
	put_inner(out, field, &b);
}

// Calls a method by its path and empties the request; the reply is the caller's.
static inline void call(struct sink_service *s, const char *path, struct buf *request,
			struct sink_reply *r)
{
	struct sink_request q = {.now = {NOW_MS, 1000}, .arrived_ns = 1000};
	struct sink_method m;

	q.body = (struct view){request->size > 0 ? (const char *)request->data : "",
			       request->size};
	assert_false(request->failed);
	sink_reply_init(r);
	if (sink_service_find(view_of(path), &m, r))
		m.unary(s, &q, r);
	assert_false(r->body.failed);
	buf_free(request);
}

static inline void call_ok(struct sink_service *s, const char *path, struct buf *request)
{
	struct sink_reply r;

	call(s, path, request, &r);
	if (r.code != SINK_CODE_OK)
		fail_msg("%s: %s", path, r.text);
	sink_reply_free(&r);
}

#define REGISTRY(kind, verb) "/banyandb.database.v1." kind "RegistryService/" verb

static inline void group_request(struct buf *q, const char *name, int catalog)
{
	struct buf group, opts, day, days;

	buf_init(q, 4096);
	buf_init(&group, 1024);
	buf_init(&opts, 1024);
	buf_init(&day, 64);
	buf_init(&days, 64);
	put_metadata(&group, 1, "", name);
	pb_put_uint(&group, 2, (uint64_t)catalog);
	pb_put_uint(&opts, 1, 2);
	pb_put_uint(&day, 1, 2);
	pb_put_uint(&day, 2, 1);
	put_inner(&opts, 2, &day);
	pb_put_uint(&days, 1, 2);
	pb_put_uint(&days, 2, 7);
	put_inner(&opts, 3, &days);
	put_inner(&group, 3, &opts);
	put_inner(q, 1, &group);
}

static inline void stream_request(struct buf *q, const char *extra_tag)
{
	struct buf s, f, entity;

	buf_init(q, 4096);
	buf_init(&s, 4096);
	put_metadata(&s, 1, "sg", "s");
	buf_init(&f, 1024);
	pb_put_string(&f, 1, "f");
	put_tag_spec(&f, 2, "svc", STRING);
	put_tag_spec(&f, 2, "tid", STRING);
	put_tag_spec(&f, 2, "n", INT);
	if (extra_tag != NULL)
		put_tag_spec(&f, 2, extra_tag, STRING);
	put_inner(&s, 2, &f);
	buf_init(&f, 1024);
	pb_put_string(&f, 1, "b");
	put_tag_spec(&f, 2, "data", BINARY);
	put_inner(&s, 2, &f);
	buf_init(&entity, 1024);
	pb_put_string(&entity, 1, "svc");
	put_inner(&s, 3, &entity);
	put_inner(q, 1, &s);
}

static inline void trace_request(struct buf *q)
{
	struct buf t;

	buf_init(q, 4096);
	buf_init(&t, 4096);
	put_metadata(&t, 1, "tg", "t");
	put_tag_spec(&t, 2, "tid", STRING);
	put_tag_spec(&t, 2, "at", TIMESTAMP);
	put_tag_spec(&t, 2, "n", INT);
	put_tag_spec(&t, 2, "sid", STRING);
	pb_put_string(&t, 3, "tid");
	pb_put_string(&t, 4, "at");
	pb_put_string(&t, 6, "sid");
	put_inner(q, 1, &t);
}

static inline void make_schema(struct sink_service *s)
{
	struct buf q;

	group_request(&q, "sg", 1);
	call_ok(s, REGISTRY("Group", "Create"), &q);
	group_request(&q, "tg", 4);
	call_ok(s, REGISTRY("Group", "Create"), &q);
	stream_request(&q, NULL);
	call_ok(s, REGISTRY("Stream", "Create"), &q);
	trace_request(&q);
	call_ok(s, REGISTRY("Trace", "Create"), &q);
}

static inline void put_text_value(struct buf *out, uint32_t field, const char *text)
{
	struct buf v, str;

	buf_init(&v, 1024);
	buf_init(&str, 1024);
	pb_put_string(&str, 1, text);
	put_inner(&v, 2, &str);
	put_inner(out, field, &v);
}

static inline void put_int_value(struct buf *out, uint32_t field, int64_t n)
{
	struct buf v, number;

	buf_init(&v, 1024);
	buf_init(&number, 1024);
	pb_put_uint_nz(&number, 1, (uint64_t)n);
	put_inner(&v, 4, &number);
	put_inner(out, field, &v);
}

static inline void put_time_value(struct buf *out, uint32_t field, uint32_t member, int64_t ns)
{
	struct buf v, t;

	buf_init(&v, 1024);
	buf_init(&t, 1024);
	pb_put_uint_nz(&t, 1, (uint64_t)(ns / NS_PER_S));
	pb_put_uint_nz(&t, 2, (uint64_t)(ns % NS_PER_S));
	if (member == 0) {
		put_inner(out, field, &t);
		buf_free(&v);
		return;
	}
	put_inner(&v, member, &t);
	put_inner(out, field, &v);
}

// A WriteRequest of stream "s". svc NULL: an empty TagValue.
static inline void stream_row(struct buf *m, uint64_t id, const char *svc, const char *tid,
			      int64_t n, const char *element_id, int64_t ts_ns)
{
	struct buf e, f, v;

	buf_init(m, 4096);
	buf_init(&e, 4096);
	buf_init(&f, 4096);
	put_metadata(m, 1, "sg", "s");
	pb_put_string(&e, 1, element_id);
	put_time_value(&e, 2, 0, ts_ns);
	if (svc != NULL)
		put_text_value(&f, 1, svc);
	else
		pb_put_bytes(&f, 1, "", 0);
	put_text_value(&f, 1, tid);
	put_int_value(&f, 1, n);
	put_inner(&e, 3, &f);
	buf_init(&f, 4096);
	buf_init(&v, 64);
	pb_put_bytes(&v, 6, "payload", 7);
	put_inner(&f, 1, &v);
	put_inner(&e, 3, &f);
	put_inner(m, 2, &e);
	pb_put_uint_nz(m, 3, id);
}

static inline void trace_row(struct buf *m, uint64_t id, const char *tid, int64_t ts_ns,
			     const char *sid)
{
	buf_init(m, 4096);
	put_metadata(m, 1, "tg", "t");
	put_text_value(m, 2, tid);
	put_time_value(m, 2, 7, ts_ns);
	put_int_value(m, 2, 5);
	if (sid != NULL)
		put_text_value(m, 2, sid);
	pb_put_bytes(m, 3, "payload", 7);
	pb_put_uint_nz(m, 4, id);
}

// Criteria: tag EQ text.
static inline void put_equals(struct buf *q, uint32_t field, const char *tag, const char *text)
{
	struct buf criteria, condition;

	buf_init(&criteria, 4096);
	buf_init(&condition, 4096);
	pb_put_string(&condition, 1, tag);
	pb_put_uint(&condition, 2, 1);
	put_text_value(&condition, 3, text);
	put_inner(&criteria, 2, &condition);
	put_inner(q, field, &criteria);
}

// Number of messages in field `field` of a reply.
static inline size_t count_field(const struct buf *b, uint32_t field)
{
	struct pb_reader in;
	struct pb_field f;
	size_t count = 0;

	pb_reader_init(&in, b->data, b->size);
	while (pb_next(&in, &f))
		count += f.number == field;
	assert_false(in.failed);
	return count;
}

#endif
