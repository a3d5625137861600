// SPDX-License-Identifier: Apache-2.0
// A connection of spansink fed from memory: a scripted client, then the same bytes in other
// pieces, cut, and with bits flipped. Whatever comes, no crash, and each message that came in
// is acked, rejected or dropped.
// LINK: -Wl,--wrap=sink_write_message
#include <nghttp2/nghttp2.h>

#include "replay/sink_http.h"
#include "tests/unit/replay/sink_fixture.h"

#define NOW_NS (NOW_MS * NS_PER_MS)
#define CALLS_MAX 8

bool __real_sink_write_message(struct sink_write *w, struct view message, struct buf *acks,
			       struct sink_reply *end);
bool __wrap_sink_write_message(struct sink_write *w, struct view message, struct buf *acks,
			       struct sink_reply *end);

// Messages until there is no room for acks; 0: there is.
static unsigned no_room_after;

bool __wrap_sink_write_message(struct sink_write *w, struct view message, struct buf *acks,
			       struct sink_reply *end)
{
	bool goes_on = __real_sink_write_message(w, message, acks, end);

	if (no_room_after > 0 && --no_room_after == 0)
		acks->failed = true;
	return goes_on;
}

// What a call of the scripted client heard.
struct heard {
	char status[16];
	struct buf data;
	bool closed;
};

struct client {
	nghttp2_session *session;
	struct buf sent; // all bytes to the server
	struct heard heard[CALLS_MAX];
	struct buf bodies[CALLS_MAX];
	size_t body_at[CALLS_MAX];
	size_t count;
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
		     void *user)
{
	struct client *c = user;
	struct heard *h = &c->heard[(frame->hd.stream_id - 1) / 2];

	(void)session;
	(void)flags;
	if (name_size == 11 && memcmp(name, "grpc-status", 11) == 0 &&
	    value_size < sizeof(h->status)) {
		memcpy(h->status, value, value_size);
		h->status[value_size] = '\0';
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t size, void *user)
{
	struct client *c = user;

	(void)session;
	(void)flags;
	buf_put(&c->heard[(stream - 1) / 2].data, data, size);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
	struct client *c = user;

	(void)session;
	(void)code;
	c->heard[(stream - 1) / 2].closed = true;
	return 0;
}

static void client_open(struct client *c)
{
	nghttp2_session_callbacks *callbacks;

	memset(c, 0, sizeof(*c));
	buf_init(&c->sent, 8 * MIB);
	assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	assert_int_equal(nghttp2_session_client_new(&c->session, callbacks, c), 0);
	nghttp2_session_callbacks_del(callbacks);
	assert_int_equal(nghttp2_submit_settings(c->session, 0, NULL, 0), 0);
}

static void client_close(struct client *c)
{
	for (size_t i = 0; i < c->count; i++) {
		buf_free(&c->heard[i].data);
		buf_free(&c->bodies[i]);
	}
	buf_free(&c->sent);
	nghttp2_session_del(c->session);
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
			 uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct client *c = user;
	size_t at = (size_t)(stream - 1) / 2;
	size_t left = c->bodies[at].size - c->body_at[at];

	(void)session;
	(void)source;
	if (left > size)
		left = size;
	memcpy(to, c->bodies[at].data + c->body_at[at], left);
	c->body_at[at] += left;
	if (c->body_at[at] == c->bodies[at].size)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)left;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value,
			    strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

// The body of the next call; messages are put with put_message.
static struct buf *next_body(struct client *c)
{
	buf_init(&c->bodies[c->count], 4 * MIB);
	buf_init(&c->heard[c->count].data, 4 * MIB);
	return &c->bodies[c->count];
}

static void put_message(struct buf *body, struct buf *m)
{
	uint8_t head[5] = {0, 0, 0, (uint8_t)(m->size >> 8), (uint8_t)m->size};

	buf_put(body, head, sizeof(head));
	buf_put(body, m->data, m->size);
	buf_free(m);
}

static void client_call(struct client *c, const char *path, const char *content_type)
{
	nghttp2_nv head[] = {field(":method", "POST"),
			     field(":scheme", "http"),
			     field(":path", path),
			     field(":authority", "x"),
			     field("content-type", content_type),
			     field("te", "trailers")};
	nghttp2_data_provider body = {.read_callback = read_body};

	assert_true(nghttp2_submit_request(c->session, NULL, head, ARRAY_LEN(head), &body,
					   NULL) > 0);
	c->count++;
}

static void pump(struct client *c, struct sink_http *h)
{
	const struct sink_time t = {NOW_MS, 1000};
	const uint8_t *data;
	struct view out;
	ssize_t n;
	bool busy = true;

	while (busy) {
		busy = false;
		while ((n = nghttp2_session_mem_send(c->session, &data)) > 0) {
			buf_put(&c->sent, data, (size_t)n);
			assert_true(sink_http_receive(
				h, (struct view){(const char *)data, (size_t)n}, &t));
			busy = true;
		}
		assert_true(sink_http_send(h, &out));
		if (out.size > 0) {
			assert_int_equal(nghttp2_session_mem_recv(c->session,
								  (const uint8_t *)out.data,
								  out.size),
					 (ssize_t)out.size);
			busy = true;
		}
	}
}

// The calls of the script: two Writes with a rejection, a query, Inspect, and what is refused.
static void script(struct client *c)
{
	struct buf *body, m;
	char id[32];

	body = next_body(c);
	for (uint64_t i = 1; i <= 20; i++) {
		snprintf(id, sizeof(id), "e%llu", (unsigned long long)i);
		stream_row(&m, i, "a", "tid", 1, id, NOW_NS + (i == 7));
		put_message(body, &m);
	}
	client_call(c, "/banyandb.stream.v1.StreamService/Write", "application/grpc");
	body = next_body(c);
	for (uint64_t i = 1; i <= 20; i++) {
		trace_row(&m, i, "tid", NOW_NS, "s");
		put_message(body, &m);
	}
	client_call(c, "/banyandb.trace.v1.TraceService/Write", "application/grpc+proto");
	body = next_body(c);
	buf_init(&m, 64);
	pb_put_string(&m, 1, "sg");
	put_message(body, &m);
	client_call(c, REGISTRY("Group", "Inspect"), "application/grpc");
	body = next_body(c);
	buf_init(&m, 64);
	put_message(body, &m);
	client_call(c, "/no.such.Service/Call", "application/grpc");
	body = next_body(c);
	buf_init(&m, 64);
	put_message(body, &m);
	client_call(c, "/", "text/html");
	body = next_body(c);
	buf_put(body,
		"\0\0\0\0\x7f"
		"cut",
		8);
	client_call(c, "/grpc.health.v1.Health/Check", "application/grpc");
	body = next_body(c);
	stream_row(&m, 0, "a", "tid", 1, "e", NOW_NS);
	put_message(body, &m);
	client_call(c, "/banyandb.stream.v1.StreamService/Write", "application/grpc");
}

static size_t count_messages(const struct buf *b)
{
	size_t count = 0;

	for (size_t at = 0; at < b->size; count++)
		at += 5 + ((size_t)b->data[at + 3] << 8 | b->data[at + 4]);
	return count;
}

static void assert_totals(const struct sink_service *s)
{
	assert_int_equal(s->totals.received,
			 s->totals.acked + s->totals.rejected + s->totals.dropped);
}

static void open_service(struct sink_service *s, bool null)
{
	struct err e = {0};

	assert_ok(sink_service_open(s, NULL, null, "here:1", &e), e);
	make_schema(s);
}

static void test_script(void **state)
{
	static const char *const status[] = {"0", "0", "0", "12", "", "13", "3"};
	struct sink_service s;
	struct sink_http *h;
	struct client c;

	(void)state;
	open_service(&s, false);
	h = sink_http_new(&s);
	client_open(&c);
	script(&c);
	pump(&c, h);
	for (size_t i = 0; i < c.count; i++) {
		assert_string_equal(c.heard[i].status, status[i]);
		assert_true(c.heard[i].closed);
	}
	assert_int_equal(count_messages(&c.heard[0].data), 20);
	assert_int_equal(count_messages(&c.heard[1].data), 20);
	assert_int_equal(s.totals.received, 41);
	assert_int_equal(s.totals.acked, 39);
	assert_int_equal(s.totals.rejected, 1);
	assert_int_equal(s.totals.dropped, 1);
	sink_http_free(h);
	client_close(&c);
	sink_service_close(&s);
}

static void test_null_counts_and_acks(void **state)
{
	struct sink_service s;
	struct sink_http *h;
	struct client c;

	(void)state;
	open_service(&s, true);
	h = sink_http_new(&s);
	client_open(&c);
	script(&c);
	pump(&c, h);
	assert_int_equal(count_messages(&c.heard[0].data), 20);
	assert_int_equal(count_messages(&c.heard[1].data), 20);
	assert_int_equal(s.totals.acked, 40);
	assert_totals(&s);
	sink_http_free(h);
	client_close(&c);
	sink_service_close(&s);
}

// A Write whose acks have no room ends in an error; none of its rows may stay.
static void test_no_room_for_acks(void **state)
{
	struct sink_service s;
	struct sink_http *h;
	struct client c;
	struct buf *body, m;

	(void)state;
	open_service(&s, false);
	h = sink_http_new(&s);
	client_open(&c);
	body = next_body(&c);
	for (uint64_t i = 1; i <= 5; i++) {
		trace_row(&m, i, "tid", NOW_NS, "s");
		put_message(body, &m);
	}
	client_call(&c, "/banyandb.trace.v1.TraceService/Write", "application/grpc");
	no_room_after = 3;
	pump(&c, h);
	assert_string_equal(c.heard[0].status, "8");
	sink_http_free(h);
	assert_int_equal(s.totals.received, 3);
	assert_int_equal(s.totals.acked, 0);
	assert_int_equal(s.totals.dropped, 3);
	client_close(&c);
	sink_service_close(&s);
}

// Feeds bytes in pieces of at most step; stops when the server has had enough.
static void feed(const struct buf *bytes, size_t size, size_t step, bool null)
{
	const struct sink_time t = {NOW_MS, 1000};
	struct sink_service s;
	struct sink_http *h;
	struct view out;
	bool good = true;

	open_service(&s, null);
	h = sink_http_new(&s);
	for (size_t at = 0; good && at < size; at += step) {
		size_t piece = size - at < step ? size - at : step;
		char *copy = malloc(piece);

		memcpy(copy, bytes->data + at, piece);
		good = sink_http_receive(h, (struct view){copy, piece}, &t);
		free(copy);
		while (good && sink_http_send(h, &out) && out.size > 0)
			continue;
		sink_http_tick(h, &t);
	}
	sink_http_free(h);
	assert_totals(&s);
	sink_service_close(&s);
}

static void record(struct buf *bytes)
{
	struct sink_service s;
	struct sink_http *h;
	struct client c;

	open_service(&s, false);
	h = sink_http_new(&s);
	client_open(&c);
	script(&c);
	pump(&c, h);
	*bytes = c.sent;
	buf_init(&c.sent, 1);
	sink_http_free(h);
	client_close(&c);
	sink_service_close(&s);
}

static void test_any_pieces(void **state)
{
	static const size_t steps[] = {1, 2, 7, 100, 100000};
	struct buf bytes;

	(void)state;
	record(&bytes);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		feed(&bytes, bytes.size, steps[i], false);
	buf_free(&bytes);
}

static void test_cut_anywhere(void **state)
{
	struct buf bytes;

	(void)state;
	record(&bytes);
	for (size_t size = 0; size < bytes.size; size += 97)
		feed(&bytes, size, 1000, false);
	buf_free(&bytes);
}

static void test_flipped_bits(void **state)
{
	uint64_t seed = 1;
	struct buf bytes;

	(void)state;
	record(&bytes);
	for (int round = 0; round < 150; round++) {
		size_t at;
		uint8_t before;

		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		at = (size_t)(seed >> 33) % bytes.size;
		before = bytes.data[at];
		bytes.data[at] ^= (uint8_t)(1U << (seed >> 20 & 7));
		feed(&bytes, bytes.size, 4096, round % 2 == 1);
		bytes.data[at] = before;
	}
	buf_free(&bytes);
}

static void test_not_http2(void **state)
{
	const struct sink_time t = {NOW_MS, 1000};
	struct sink_service s;
	struct sink_http *h;

	(void)state;
	open_service(&s, false);
	h = sink_http_new(&s);
	assert_false(sink_http_receive(h, VIEW("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), &t));
	sink_http_free(h);
	sink_service_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_null_counts_and_acks),
		cmocka_unit_test(test_no_room_for_acks),
		cmocka_unit_test(test_any_pieces),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_not_http2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
