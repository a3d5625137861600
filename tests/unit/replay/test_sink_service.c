// SPDX-License-Identifier: Apache-2.0
// The services of spansink over an in-memory database: schema, writes with their acks, queries,
// counts, deletion, and a file that is taken up again.
#include <unistd.h>

#include "tests/unit/replay/sink_fixture.h"

#define NOW_NS (NOW_MS * NS_PER_MS)
#define STREAM_QUERY "/banyandb.stream.v1.StreamService/Query"
#define TRACE_QUERY "/banyandb.trace.v1.TraceService/Query"

static void open_service(struct sink_service *s, const char *path)
{
	struct err e = {0};

	assert_ok(sink_service_open(s, path, false, "here:1", &e), e);
}

static int set_up(void **state)
{
	static struct sink_service s;

	open_service(&s, NULL);
	make_schema(&s);
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	const struct sink_service *s = *state;

	assert_int_equal(s->totals.received,
			 s->totals.acked + s->totals.rejected + s->totals.dropped);
	sink_service_close(*state);
	return 0;
}

// Acks as "id STATUS|id STATUS|"; id and status are fields 1 and 2 of a stream's, 2 and 3 of a
// trace's.
static void list_acks(const struct buf *acks, uint32_t id_field, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t at = 0; at < acks->size;) {
		size_t length = (size_t)acks->data[at + 3] << 8 | acks->data[at + 4];
		struct view status = VIEW("");
		uint64_t id = 0;
		struct pb_reader in;
		struct pb_field f;

		pb_reader_init(&in, acks->data + at + 5, length);
		while (pb_next(&in, &f)) {
			if (f.number == id_field && f.wire == PB_VARINT)
				id = f.value;
			if (f.number == id_field + 1 && f.wire == PB_BYTES)
				status = f.bytes;
		}
		assert_false(in.failed);
		n += (size_t)snprintf(out + n, size - n, "%llu %.*s|", (unsigned long long)id,
				      (int)status.size, status.data);
		at += 5 + length;
	}
	assert_true(n < size);
}

struct writer {
	struct sink_write *w;
	struct buf acks;
	struct sink_reply end;
	uint32_t id_field;
	char text[1024];
};

static void writer_open(struct writer *w, struct sink_service *s, enum sink_kind kind)
{
	w->w = sink_write_new(s, kind);
	w->id_field = kind == SINK_STREAM ? 1 : 2;
	buf_init(&w->acks, MIB);
	sink_reply_init(&w->end);
}

static bool writer_send(struct writer *w, struct buf *message)
{
	bool goes_on = sink_write_message(
		w->w, (struct view){(const char *)message->data, message->size}, &w->acks,
		&w->end);

	assert_false(message->failed);
	buf_free(message);
	return goes_on;
}

// The acks so far.
static const char *writer_acks(struct writer *w)
{
	list_acks(&w->acks, w->id_field, w->text, sizeof(w->text));
	return w->text;
}

static const char *writer_finish(struct writer *w)
{
	sink_write_finish(w->w, &w->acks, &w->end);
	sink_write_free(w->w);
	writer_acks(w);
	buf_free(&w->acks);
	sink_reply_free(&w->end);
	return w->text;
}

static void write_stream(struct sink_service *s, const char *tid, int count)
{
	struct writer w;
	struct buf m;
	char id[32];

	writer_open(&w, s, SINK_STREAM);
	for (int i = 1; i <= count; i++) {
		snprintf(id, sizeof(id), "%s-%d", tid, i);
		stream_row(&m, (uint64_t)i, "a", tid, i, id, NOW_NS);
		assert_true(writer_send(&w, &m));
	}
	writer_finish(&w);
}

static void stream_query(struct buf *q, const char *tag, const char *text)
{
	struct buf p, f;

	buf_init(q, 4096);
	pb_put_string(q, 1, "sg");
	pb_put_string(q, 2, "s");
	if (tag != NULL)
		put_equals(q, 7, tag, text);
	buf_init(&p, 1024);
	buf_init(&f, 1024);
	pb_put_string(&f, 1, "f");
	pb_put_string(&f, 2, "n");
	put_inner(&p, 1, &f);
	put_inner(q, 8, &p);
}

static size_t count_rows(struct sink_service *s, const char *tag, const char *text)
{
	struct sink_reply r;
	struct buf q;
	size_t count;

	stream_query(&q, tag, text);
	call(s, STREAM_QUERY, &q, &r);
	if (r.code != SINK_CODE_OK)
		fail_msg("query: %s", r.text);
	count = count_field(&r.body, 1);
	sink_reply_free(&r);
	return count;
}

// data_count over all shards of Inspect.
static uint64_t inspect_count(struct sink_service *s, const char *group)
{
	struct pb_reader a, b, c, d;
	struct pb_field data, segment, shard, f;
	struct sink_reply r;
	uint64_t count = 0;
	struct buf q;

	buf_init(&q, 1024);
	pb_put_string(&q, 1, group);
	call(s, REGISTRY("Group", "Inspect"), &q, &r);
	assert_int_equal(r.code, SINK_CODE_OK);
	pb_reader_init(&a, r.body.data, r.body.size);
	while (pb_next(&a, &data)) {
		if (data.number != 3)
			continue;
		pb_reader_init(&b, data.bytes.data, data.bytes.size);
		while (pb_next(&b, &segment)) {
			if (segment.number != 2)
				continue;
			pb_reader_init(&c, segment.bytes.data, segment.bytes.size);
			while (pb_next(&c, &shard)) {
				if (shard.number != 4)
					continue;
				pb_reader_init(&d, shard.bytes.data, shard.bytes.size);
				while (pb_next(&d, &f))
					if (f.number == 2)
						count += f.value;
			}
		}
	}
	sink_reply_free(&r);
	return count;
}

static void test_acks_come_at_the_end_in_order(void **state)
{
	struct writer w;
	struct buf m;

	writer_open(&w, *state, SINK_STREAM);
	stream_row(&m, 7, "a", "t1", 1, "e1", NOW_NS);
	assert_true(writer_send(&w, &m));
	stream_row(&m, 5, "a", "t1", 2, "e2", NOW_NS);
	assert_true(writer_send(&w, &m));
	assert_string_equal(writer_acks(&w), "");
	assert_int_equal(count_rows(*state, "tid", "t1"), 0);
	assert_string_equal(writer_finish(&w), "7 STATUS_SUCCEED|5 STATUS_SUCCEED|");
	assert_int_equal(count_rows(*state, "tid", "t1"), 2);
}

static void test_rejections_come_at_once(void **state)
{
	struct writer w;
	struct buf m;

	writer_open(&w, *state, SINK_STREAM);
	stream_row(&m, 1, "a", "t2", 1, "e1", NOW_NS);
	assert_true(writer_send(&w, &m));
	stream_row(&m, 2, "a", "t2", 1, "e2", NOW_NS + 1); // not a whole ms
	assert_true(writer_send(&w, &m));
	stream_row(&m, 3, NULL, "t2", 1, "e3", NOW_NS); // empty TagValue in the entity
	assert_true(writer_send(&w, &m));
	assert_string_equal(writer_acks(&w),
			    "2 STATUS_INVALID_TIMESTAMP|3 STATUS_INTERNAL_ERROR|");
	assert_string_equal(
		writer_finish(&w),
		"2 STATUS_INVALID_TIMESTAMP|3 STATUS_INTERNAL_ERROR|1 STATUS_SUCCEED|");
	assert_int_equal(count_rows(*state, "tid", "t2"), 1);
}

static void test_a_violation_ends_the_rpc_and_keeps_what_was_before(void **state)
{
	struct writer w;
	struct buf m;

	writer_open(&w, *state, SINK_STREAM);
	stream_row(&m, 1, "a", "t3", 1, "e1", NOW_NS);
	assert_true(writer_send(&w, &m));
	stream_row(&m, 0, "a", "t3", 1, "e2", NOW_NS);
	assert_false(writer_send(&w, &m));
	assert_int_equal(w.end.code, SINK_CODE_INVALID_ARGUMENT);
	assert_string_equal(w.end.text,
			    "invalid WriteRequest.MessageId: value must be greater than 0");
	assert_string_equal(writer_finish(&w), "1 STATUS_SUCCEED|");
	assert_int_equal(count_rows(*state, "tid", "t3"), 1);
}

static void test_first_message_needs_metadata(void **state)
{
	struct writer w;
	struct buf m;

	writer_open(&w, *state, SINK_STREAM);
	buf_init(&m, 64);
	pb_put_bytes(&m, 2, "", 0);
	pb_put_uint(&m, 3, 1);
	assert_false(writer_send(&w, &m));
	assert_int_equal(w.end.code, SINK_CODE_UNKNOWN);
	assert_string_equal(w.end.text,
			    "metadata is required for the first request of gRPC stream");
	assert_string_equal(writer_finish(&w), "");
}

static void test_unknown_names(void **state)
{
	struct writer w;
	struct buf m;

	writer_open(&w, *state, SINK_STREAM);
	buf_init(&m, 1024);
	put_metadata(&m, 1, "sg", "nobody");
	{
		struct buf e;

		buf_init(&e, 64);
		put_time_value(&e, 2, 0, NOW_NS);
		put_inner(&m, 2, &e);
	}
	pb_put_uint(&m, 3, 1);
	assert_true(writer_send(&w, &m));
	assert_string_equal(writer_finish(&w), "1 STATUS_INTERNAL_ERROR|");

	writer_open(&w, *state, SINK_TRACE);
	buf_init(&m, 1024);
	put_metadata(&m, 1, "tg", "nobody");
	put_text_value(&m, 2, "x");
	pb_put_uint(&m, 4, 9);
	assert_true(writer_send(&w, &m));
	assert_string_equal(writer_finish(&w), "9 STATUS_NOT_FOUND|");
}

static void test_bad_trace_rows(void **state)
{
	struct writer w;
	struct buf m;

	writer_open(&w, *state, SINK_TRACE);
	trace_row(&m, 1, "tr1", NOW_NS, "s1");
	assert_true(writer_send(&w, &m));
	trace_row(&m, 2, "", NOW_NS, "s2"); // an empty id poisons a real server
	assert_true(writer_send(&w, &m));
	trace_row(&m, 3, "tr1", NOW_NS + 5, "s3");
	assert_true(writer_send(&w, &m));
	trace_row(&m, 4, "tr1", NOW_NS, NULL); // ends before the span id
	assert_true(writer_send(&w, &m));
	trace_row(&m, 5, "tr1", NOW_NS, "s5");
	put_text_value(&m, 2, "one too many");
	assert_true(writer_send(&w, &m));
	assert_string_equal(
		writer_finish(&w),
		"2 STATUS_INTERNAL_ERROR|3 STATUS_INVALID_TIMESTAMP|"
		"4 STATUS_INTERNAL_ERROR|5 STATUS_INTERNAL_ERROR|1 STATUS_SUCCEED|");
	assert_int_equal(inspect_count(*state, "tg"), 1);
}

// TagSpec { names }
static void put_spec(struct buf *m, const char *first, const char *second)
{
	struct buf spec;

	buf_init(&spec, 64);
	pb_put_string(&spec, 1, first);
	pb_put_string(&spec, 1, second);
	put_inner(m, 5, &spec);
}

// A field that comes twice is merged, as protobuf says; it is not a second family.
static void test_a_trace_spec_in_two_parts(void **state)
{
	struct writer w;
	struct buf m;

	writer_open(&w, *state, SINK_TRACE);
	trace_row(&m, 1, "tr2", NOW_NS, "s1");
	put_spec(&m, "tid", "at");
	put_spec(&m, "n", "sid");
	assert_true(writer_send(&w, &m));
	trace_row(&m, 2, "tr2", NOW_NS, NULL); // ends before the span id
	assert_true(writer_send(&w, &m));
	assert_string_equal(writer_finish(&w), "2 STATUS_INTERNAL_ERROR|1 STATUS_SUCCEED|");
	assert_int_equal(inspect_count(*state, "tg"), 1);
}

static void test_garbage_ends_the_rpc(void **state)
{
	struct writer w;
	struct buf m;

	writer_open(&w, *state, SINK_TRACE);
	buf_init(&m, 64);
	buf_put(&m, "\x0a\x7f", 2);
	assert_false(writer_send(&w, &m));
	assert_int_equal(w.end.code, SINK_CODE_INTERNAL);
	writer_finish(&w);
}

static void test_rows_that_share_an_id_come_back_once(void **state)
{
	struct writer w;
	struct buf m;

	writer_open(&w, *state, SINK_STREAM);
	for (uint64_t i = 1; i <= 3; i++) {
		stream_row(&m, i, "a", "twice", 1, i == 3 ? "other" : "same", NOW_NS);
		assert_true(writer_send(&w, &m));
	}
	writer_finish(&w);
	assert_int_equal(count_rows(*state, "tid", "twice"), 2);
	assert_int_equal(inspect_count(*state, "sg"), 3);
}

static void test_expired_rows_are_hidden(void **state)
{
	struct writer w;
	struct buf m;

	writer_open(&w, *state, SINK_STREAM);
	stream_row(&m, 1, "a", "old", 1, "e", NOW_NS - 9 * 86400 * NS_PER_S);
	assert_true(writer_send(&w, &m));
	assert_string_equal(writer_finish(&w), "1 STATUS_SUCCEED|");
	assert_int_equal(count_rows(*state, "tid", "old"), 0);
	assert_int_equal(inspect_count(*state, "sg"), 0);
}

static void test_trace_by_id(void **state)
{
	struct writer w;
	struct sink_reply r;
	struct pb_reader in;
	struct pb_field f;
	struct buf m, q;

	writer_open(&w, *state, SINK_TRACE);
	for (uint64_t i = 1; i <= 3; i++) {
		trace_row(&m, i, i < 3 ? "x" : "y", NOW_NS, "s");
		assert_true(writer_send(&w, &m));
	}
	writer_finish(&w);
	buf_init(&q, 1024);
	pb_put_string(&q, 1, "tg");
	pb_put_string(&q, 2, "t");
	put_equals(&q, 7, "tid", "x");
	call(*state, TRACE_QUERY, &q, &r);
	assert_int_equal(r.code, SINK_CODE_OK);
	assert_int_equal(count_field(&r.body, 1), 1);
	pb_reader_init(&in, r.body.data, r.body.size);
	assert_true(pb_next(&in, &f));
	{
		struct buf trace = {.data = (uint8_t *)(uintptr_t)f.bytes.data,
				    .size = f.bytes.size};

		assert_int_equal(count_field(&trace, 1), 2); // every copy comes back
		assert_int_equal(count_field(&trace, 2), 1);
	}
	sink_reply_free(&r);
}

static void test_deep_criteria_are_refused(void **state)
{
	struct sink_reply r;
	struct buf q, inner, outer;

	buf_init(&inner, MIB);
	put_equals(&inner, 2, "tid", "x");
	for (int i = 0; i < 300; i++) {
		struct buf le;

		// Criteria { le { op AND, left Criteria } }
		buf_init(&le, MIB);
		pb_put_uint(&le, 1, 1);
		put_inner(&le, 2, &inner);
		buf_init(&outer, MIB);
		put_inner(&outer, 1, &le);
		inner = outer;
	}
	stream_query(&q, NULL, NULL);
	put_inner(&q, 7, &inner);
	call(*state, STREAM_QUERY, &q, &r);
	assert_int_equal(r.code, SINK_CODE_UNKNOWN);
	assert_non_null(strstr(r.text, "criteria nest deeper than"));
	sink_reply_free(&r);
}

static void test_update_adds_a_column(void **state)
{
	struct sink_reply r;
	struct buf q, p, f;

	write_stream(*state, "before", 1);
	stream_request(&q, "extra");
	call_ok(*state, REGISTRY("Stream", "Update"), &q);
	assert_int_equal(count_rows(*state, "tid", "before"), 1);
	buf_init(&q, 4096);
	pb_put_string(&q, 1, "sg");
	pb_put_string(&q, 2, "s");
	buf_init(&p, 1024);
	buf_init(&f, 1024);
	pb_put_string(&f, 1, "f");
	pb_put_string(&f, 2, "extra");
	put_inner(&p, 1, &f);
	put_inner(&q, 8, &p);
	call(*state, STREAM_QUERY, &q, &r);
	assert_int_equal(r.code, SINK_CODE_OK);
	assert_int_equal(count_field(&r.body, 1), 1);
	sink_reply_free(&r);
}

static void test_schema_change_during_a_bulk(void **state)
{
	struct writer w;
	struct buf m, q;

	writer_open(&w, *state, SINK_STREAM);
	stream_row(&m, 1, "a", "mid", 1, "e", NOW_NS);
	assert_true(writer_send(&w, &m));
	stream_request(&q, "extra");
	call_ok(*state, REGISTRY("Stream", "Update"), &q);
	stream_row(&m, 2, "a", "mid", 1, "f", NOW_NS);
	assert_true(writer_send(&w, &m));
	// The first was read by a schema that is no more.
	assert_string_equal(writer_finish(&w), "1 STATUS_INTERNAL_ERROR|2 STATUS_SUCCEED|");
}

static void test_group_deletion(void **state)
{
	struct sink_reply r;
	struct writer w;
	struct buf q, m;

	write_stream(*state, "x", 2);
	buf_init(&q, 64);
	pb_put_string(&q, 1, "sg");
	call(*state, REGISTRY("Group", "Delete"), &q, &r);
	assert_int_equal(r.code, SINK_CODE_FAILED_PRECONDITION);
	assert_string_equal(r.text,
			    "group sg is not empty, use force=true to delete non-empty groups");
	sink_reply_free(&r);

	writer_open(&w, *state, SINK_STREAM);
	stream_row(&m, 1, "a", "late", 1, "e", NOW_NS);
	assert_true(writer_send(&w, &m));
	buf_init(&q, 64);
	pb_put_string(&q, 1, "sg");
	pb_put_uint(&q, 3, 1);
	call_ok(*state, REGISTRY("Group", "Delete"), &q);
	assert_string_equal(writer_finish(&w), "1 STATUS_INTERNAL_ERROR|");

	buf_init(&q, 64);
	pb_put_string(&q, 1, "sg");
	call(*state, REGISTRY("Group", "Get"), &q, &r);
	assert_int_equal(r.code, SINK_CODE_NOT_FOUND);
	sink_reply_free(&r);
	buf_init(&q, 64);
	pb_put_string(&q, 1, "sg");
	call(*state, REGISTRY("Group", "Query"), &q, &r);
	assert_int_equal(r.code, SINK_CODE_OK);
	assert_int_equal(r.body.data[3], 3); // task { current_phase COMPLETED }
	sink_reply_free(&r);
}

static void test_barrier_waits_and_gives_up(void **state)
{
	struct sink_request q = {.now = {NOW_MS, 1000}, .arrived_ns = 1000};
	struct sink_method m;
	struct sink_reply r;
	struct buf body, key, timeout;

	buf_init(&body, 1024);
	buf_init(&key, 1024);
	buf_init(&timeout, 64);
	pb_put_string(&key, 1, "stream");
	pb_put_string(&key, 2, "sg");
	pb_put_string(&key, 3, "later");
	put_inner(&body, 1, &key);
	pb_put_uint(&timeout, 1, 2);
	put_inner(&body, 3, &timeout);
	q.body = (struct view){(const char *)body.data, body.size};
	sink_reply_init(&r);
	assert_true(sink_service_find(
		VIEW("/banyandb.schema.v1.SchemaBarrierService/AwaitSchemaApplied"), &m, &r));
	m.unary(*state, &q, &r);
	assert_int_equal(r.wait_until_ns, 1000 + 2 * NS_PER_S);
	r.wait_until_ns = 0;
	q.now.monotonic_ns = 1000 + 2 * NS_PER_S;
	m.unary(*state, &q, &r);
	assert_int_equal(r.wait_until_ns, 0);
	assert_int_equal(r.code, SINK_CODE_OK);
	assert_int_equal(count_field(&r.body, 1), 0); // applied = false
	assert_int_equal(count_field(&r.body, 2), 1);
	sink_reply_free(&r);
	buf_free(&body);
}

static void test_a_file_is_taken_up_again(void **state)
{
	char path[] = "sink-test-XXXXXX";
	char side[64];
	struct sink_service s;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	open_service(&s, path);
	make_schema(&s);
	write_stream(&s, "kept", 3);
	sink_service_close(&s);
	open_service(&s, path);
	assert_int_equal(count_rows(&s, "tid", "kept"), 3);
	write_stream(&s, "more", 2);
	assert_int_equal(inspect_count(&s, "sg"), 5);
	sink_service_close(&s);
	unlink(path);
	snprintf(side, sizeof(side), "%s-journal", path);
	assert_int_equal(access(side, F_OK), -1); // a clean end leaves none
}

static void test_a_foreign_file_is_refused(void **state)
{
	char path[] = "sink-test-XXXXXX";
	struct sink_service s;
	char message[256];
	struct err e = {0};
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd,
			       "this is no database, but longer than its head ............."
			       "..........................................",
			       100),
			 100);
	close(fd);
	snprintf(message, sizeof(message), "database %s: read: file is not a database", path);
	assert_fails(sink_service_open(&s, path, false, "here:1", &e), e, ERR_FORMAT, message);
	unlink(path);
}

static void test_unknown_methods(void **state)
{
	struct sink_method m;
	struct sink_reply r;

	(void)state;
	sink_reply_init(&r);
	assert_false(sink_service_find(VIEW("/a.B/C"), &m, &r));
	assert_int_equal(r.code, SINK_CODE_UNIMPLEMENTED);
	assert_string_equal(r.text, "unknown service a.B");
	assert_false(sink_service_find(VIEW("/grpc.health.v1.Health/Watch"), &m, &r));
	assert_string_equal(r.text, "unknown method Watch for service grpc.health.v1.Health");
	assert_false(sink_service_find(VIEW("nonsense"), &m, &r));
	assert_int_equal(r.code, SINK_CODE_UNIMPLEMENTED);
	sink_reply_free(&r);
}

#define WITH_SCHEMA(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCHEMA(test_acks_come_at_the_end_in_order),
		WITH_SCHEMA(test_rejections_come_at_once),
		WITH_SCHEMA(test_a_violation_ends_the_rpc_and_keeps_what_was_before),
		WITH_SCHEMA(test_first_message_needs_metadata),
		WITH_SCHEMA(test_unknown_names),
		WITH_SCHEMA(test_bad_trace_rows),
		WITH_SCHEMA(test_a_trace_spec_in_two_parts),
		WITH_SCHEMA(test_garbage_ends_the_rpc),
		WITH_SCHEMA(test_rows_that_share_an_id_come_back_once),
		WITH_SCHEMA(test_expired_rows_are_hidden),
		WITH_SCHEMA(test_trace_by_id),
		WITH_SCHEMA(test_deep_criteria_are_refused),
		WITH_SCHEMA(test_update_adds_a_column),
		WITH_SCHEMA(test_schema_change_during_a_bulk),
		WITH_SCHEMA(test_group_deletion),
		WITH_SCHEMA(test_barrier_waits_and_gives_up),
		cmocka_unit_test(test_a_file_is_taken_up_again),
		cmocka_unit_test(test_a_foreign_file_is_refused),
		cmocka_unit_test(test_unknown_methods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
