// SPDX-License-Identifier: Apache-2.0
// HTTP/2 and gRPC framing of spansink. Sockets and time are left to sink.c, the meaning of a
// call to the services.
//
// Life of a call: HEADERS choose the method; DATA is cut into messages; a unary call answers at
// END_STREAM, a Write puts rejections at once and acks at END_STREAM. `out` holds framed
// messages that wait for HTTP/2 flow control; once `ended`, trailers with grpc-status follow
// them.
#include "replay/sink_http.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/sink_frame.h"

#define STREAM_WINDOW ((int32_t)16 << 20)
#define CONNECTION_WINDOW ((int32_t)64 << 20)
#define FRAME_SIZE_MAX ((uint32_t)1 << 20)
#define STREAMS_MAX 100000
// Frames are gathered up to this size before they go to the socket.
#define SEND_GATHER (64 * KIB)

struct call {
	struct sink_http *http;
	int32_t stream;
	struct call *next, *previous;
	struct buf path;
	bool is_grpc, has_method;
	struct sink_method method;
	struct sink_frame frame;
	struct sink_write *write; // Write calls
	struct buf request;	  // unary: the one message
	bool has_request;
	int64_t arrived_ns;
	struct buf out;	 // framed messages
	size_t out_sent; // of them
	bool responded;	 // response headers are submitted
	bool ended;	 // result is the outcome
	bool finished;	 // rows of a Write are stored
	bool closed_in;	 // END_STREAM came
	int64_t wait_until_ns;
	uint64_t wait_changes; // of the registry when it was last asked
	struct sink_reply result;
};

struct sink_http {
	struct sink_service *service;
	nghttp2_session *session;
	struct call *calls;
	struct sink_time now;
	struct buf gather;
	bool failed;
};

static nghttp2_nv field(const char *name, const char *value)
{
	union {
		const char *in;
		uint8_t *out;
	} n = {name}, v = {value};

	return (nghttp2_nv){n.out, v.out, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

// ---- Answers ------------------------------------------------------------------------------

// grpc-message: everything but printable ASCII, and '%', goes as %XX.
static void percent_encode(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (; *text != '\0' && n + 4 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c <= 0x7e && c != '%')
			out[n++] = *text;
		else
			n += (size_t)snprintf(out + n, size - n, "%%%02X", c);
	}
	out[n] = '\0';
}

struct trailers {
	char status[16];
	char message[3 * SINK_TEXT_SIZE + 8];
	nghttp2_nv fields[4];
	size_t count;
};

static void put_trailers(const struct call *c, struct trailers *t, bool alone)
{
	t->count = 0;
	snprintf(t->status, sizeof(t->status), "%d", (int)c->result.code);
	percent_encode(c->result.text, t->message, sizeof(t->message));
	if (alone) {
		t->fields[t->count++] = field(":status", "200");
		t->fields[t->count++] = field("content-type", "application/grpc");
	}
	t->fields[t->count++] = field("grpc-status", t->status);
	if (t->message[0] != '\0')
		t->fields[t->count++] = field("grpc-message", t->message);
}

static void fail_http(struct sink_http *h, int rc)
{
	if (rc != 0)
		h->failed = true;
}

static ssize_t read_out(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
			uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct call *c = source->ptr;
	struct sink_http *h = user;
	size_t left = c->out.size - c->out_sent;
	struct trailers t;

	if (left > size)
		left = size;
	if (left > 0)
		memcpy(to, c->out.data + c->out_sent, left);
	c->out_sent += left;
	if (c->out_sent < c->out.size)
		return (ssize_t)left;
	buf_clear(&c->out);
	c->out_sent = 0;
	if (!c->ended)
		return left > 0 ? (ssize_t)left : NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	put_trailers(c, &t, false);
	fail_http(h, nghttp2_submit_trailer(session, stream, t.fields, t.count));
	return (ssize_t)left;
}

// Sends what the call has to say by now.
static void respond(struct call *c)
{
	struct sink_http *h = c->http;
	nghttp2_nv head[] = {field(":status", "200"),
			     field("content-type", "application/grpc")};
	nghttp2_data_provider body = {.source.ptr = c, .read_callback = read_out};
	struct trailers t;

	if (c->out.failed) {
		sink_fail(&c->result, SINK_CODE_RESOURCE_EXHAUSTED,
			  "spansink: the answer is too large");
		c->ended = true;
		sink_write_free(c->write); // what it holds is refused with it
		c->write = NULL;
		buf_free(&c->out);
		buf_clear(&c->out);
		c->out_sent = 0;
	}
	if (c->responded) {
		// INVALID_ARGUMENT: nothing was deferred, the data is being read already.
		(void)nghttp2_session_resume_data(h->session, c->stream);
	} else if (c->out.size > 0) {
		c->responded = true;
		fail_http(h, nghttp2_submit_response(h->session, c->stream, head,
						     ARRAY_LEN(head), &body));
	} else if (c->ended) {
		c->responded = true;
		put_trailers(c, &t, true);
		fail_http(h, nghttp2_submit_response(h->session, c->stream, t.fields, t.count,
						     NULL));
	}
}

// A Write: stores what was accepted, once, whatever the reason of the end.
static void finish_write(struct call *c)
{
	if (c->write == NULL || c->finished)
		return;
	c->finished = true;
	sink_write_finish(c->write, &c->out, &c->result);
	sink_write_free(c->write);
	c->write = NULL;
}

static void end_call(struct call *c)
{
	if (c->ended)
		return;
	finish_write(c);
	c->ended = true;
	respond(c);
}

static void put_framed(struct buf *out, const struct buf *message)
{
	uint8_t head[SINK_FRAME_HEAD] = {0, (uint8_t)(message->size >> 24),
					 (uint8_t)(message->size >> 16),
					 (uint8_t)(message->size >> 8), (uint8_t)message->size};

	if (message->failed)
		out->failed = true;
	buf_put(out, head, sizeof(head));
	buf_put(out, message->data, message->size);
}

static void answer_unary(struct call *c)
{
	struct sink_http *h = c->http;
	struct sink_request q = {.body = {(const char *)c->request.data, c->request.size},
				 .now = h->now,
				 .arrived_ns = c->arrived_ns};

	if (!c->has_request) {
		sink_fail(&c->result, SINK_CODE_INTERNAL, "the call has no request message");
		end_call(c);
		return;
	}
	if (q.body.size == 0)
		q.body = VIEW("");
	buf_clear(&c->result.body);
	c->result.wait_until_ns = 0;
	c->wait_changes = h->service->registry.changes;
	c->method.unary(h->service, &q, &c->result);
	c->wait_until_ns = c->result.wait_until_ns;
	if (c->wait_until_ns != 0)
		return;
	if (c->result.code == SINK_CODE_OK)
		put_framed(&c->out, &c->result.body);
	buf_free(&c->result.body);
	buf_free(&c->request);
	end_call(c);
}

// ---- Calls --------------------------------------------------------------------------------

static void call_free(struct call *c)
{
	struct sink_http *h = c->http;

	finish_write(c);
	if (c->previous != NULL)
		c->previous->next = c->next;
	else
		h->calls = c->next;
	if (c->next != NULL)
		c->next->previous = c->previous;
	buf_free(&c->path);
	sink_frame_free(&c->frame);
	buf_free(&c->request);
	buf_free(&c->out);
	sink_reply_free(&c->result);
	free(c);
}

static int begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct sink_http *h = user;
	struct call *c;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	c = mem_zalloc(1, sizeof(*c));
	c->http = h;
	c->stream = frame->hd.stream_id;
	c->arrived_ns = h->now.monotonic_ns;
	c->next = h->calls;
	if (h->calls != NULL)
		h->calls->previous = c;
	h->calls = c;
	buf_init(&c->path, 4 * KIB);
	buf_init(&c->request, SINK_MESSAGE_MAX);
	buf_init(&c->out, SINK_REPLY_MAX);
	sink_frame_init(&c->frame);
	sink_reply_init(&c->result);
	return nghttp2_session_set_stream_user_data(session, c->stream, c);
}

static bool is(const uint8_t *data, size_t size, const char *text)
{
	return view_equal((struct view){(const char *)data, size}, view_of(text));
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
		     void *user)
{
	static const char grpc[] = "application/grpc";
	struct call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)flags;
	(void)user;
	if (c == NULL || frame->hd.type != NGHTTP2_HEADERS ||
	    frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (is(name, name_size, ":path"))
		buf_put(&c->path, value, value_size);
	else if (is(name, name_size, "content-type"))
		c->is_grpc = value_size >= sizeof(grpc) - 1 &&
			     memcmp(value, grpc, sizeof(grpc) - 1) == 0;
	return 0;
}

static void refuse_http(struct call *c)
{
	nghttp2_nv head[] = {field(":status", "415")};

	c->ended = c->responded = true;
	fail_http(c->http, nghttp2_submit_response(c->http->session, c->stream, head,
						   ARRAY_LEN(head), NULL));
}

static void start_call(struct call *c)
{
	struct view path = {(const char *)c->path.data, c->path.size};

	if (!c->is_grpc) {
		refuse_http(c);
		return;
	}
	if (path.size == 0)
		path = VIEW("");
	c->has_method = sink_service_find(path, &c->method, &c->result);
	if (!c->has_method)
		end_call(c);
	else if (c->method.unary == NULL)
		c->write = sink_write_new(c->http->service, c->method.kind);
}

static void take_message(struct call *c, struct view message)
{
	if (c->method.unary == NULL) {
		size_t before = c->out.size;

		if (!sink_write_message(c->write, message, &c->out, &c->result))
			end_call(c);
		else if (c->out.size != before || c->out.failed)
			respond(c);
		return;
	}
	if (c->has_request) {
		sink_fail(&c->result, SINK_CODE_INTERNAL,
			  "the call has more than one request message");
		end_call(c);
		return;
	}
	c->has_request = true;
	buf_put_view(&c->request, message);
}

static void take_data(struct call *c, struct view data)
{
	struct view message;

	while (!c->ended)
		switch (sink_frame_next(&c->frame, &data, &message)) {
		case SINK_FRAME_MORE:
			return;
		case SINK_FRAME_MESSAGE:
			take_message(c, message);
			break;
		case SINK_FRAME_TOO_LARGE:
			sink_fail(&c->result, SINK_CODE_RESOURCE_EXHAUSTED,
				  "grpc: received message larger than max (%u vs. %u)",
				  (unsigned)c->frame.size_bytes, (unsigned)SINK_MESSAGE_MAX);
			end_call(c);
			break;
		case SINK_FRAME_COMPRESSED:
			sink_fail(&c->result, SINK_CODE_UNIMPLEMENTED,
				  "grpc: compressed messages are not supported");
			end_call(c);
			break;
		case SINK_FRAME_NO_MEMORY:
			sink_fail(&c->result, SINK_CODE_RESOURCE_EXHAUSTED,
				  "spansink: out of memory");
			end_call(c);
			break;
		}
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t size, void *user)
{
	struct call *c = nghttp2_session_get_stream_user_data(session, stream);

	(void)flags;
	(void)user;
	if (c != NULL && !c->ended)
		take_data(c, (struct view){(const char *)data, size});
	return 0;
}

static void half_close(struct call *c)
{
	c->closed_in = true;
	if (c->ended)
		return;
	if (sink_frame_cut(&c->frame)) {
		sink_fail(&c->result, SINK_CODE_INTERNAL,
			  "unexpected end of the request inside a message");
		end_call(c);
	} else if (c->method.unary != NULL) {
		answer_unary(c);
	} else {
		end_call(c);
	}
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)user;
	if (c == NULL)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		start_call(c);
	if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		half_close(c);
	return 0;
}

// A call that ended before the client's half-close: the client is told to stop sending.
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	if (c != NULL && frame->hd.type == NGHTTP2_HEADERS &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && !c->closed_in)
		fail_http(user, nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, c->stream,
							  NGHTTP2_NO_ERROR));
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
	struct call *c = nghttp2_session_get_stream_user_data(session, stream);

	(void)code;
	(void)user;
	if (c != NULL)
		call_free(c);
	return 0;
}

// ---- The connection -----------------------------------------------------------------------

static int make_session(struct sink_http *h)
{
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_SIZE_MAX},
	};
	nghttp2_session_callbacks *callbacks;
	int rc = nghttp2_session_callbacks_new(&callbacks);

	if (rc != 0)
		return rc;
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	rc = nghttp2_session_server_new(&h->session, callbacks, h);
	nghttp2_session_callbacks_del(callbacks);
	if (rc == 0)
		rc = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
					     ARRAY_LEN(settings));
	if (rc == 0)
		rc = nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
							   CONNECTION_WINDOW);
	return rc;
}

struct sink_http *sink_http_new(struct sink_service *s)
{
	struct sink_http *h = mem_zalloc(1, sizeof(*h));

	h->service = s;
	buf_init(&h->gather, SIZE_MAX / 2);
	if (make_session(h) != 0) {
		sink_http_free(h);
		return NULL;
	}
	return h;
}

void sink_http_free(struct sink_http *h)
{
	if (h == NULL)
		return;
	while (h->calls != NULL)
		call_free(h->calls);
	nghttp2_session_del(h->session);
	buf_free(&h->gather);
	free(h);
}

bool sink_http_receive(struct sink_http *h, struct view bytes, const struct sink_time *now)
{
	ssize_t n;

	h->now = *now;
	n = nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes.data, bytes.size);
	return n >= 0 && (size_t)n == bytes.size && !h->failed;
}

bool sink_http_send(struct sink_http *h, struct view *bytes)
{
	const uint8_t *data;
	ssize_t n;

	buf_clear(&h->gather);
	while (h->gather.size < SEND_GATHER) {
		n = nghttp2_session_mem_send(h->session, &data);
		if (n < 0)
			return false;
		if (n == 0)
			break;
		buf_put(&h->gather, data, (size_t)n);
	}
	*bytes = (struct view){(const char *)h->gather.data, h->gather.size};
	return !h->gather.failed && !h->failed;
}

bool sink_http_done(const struct sink_http *h)
{
	return !nghttp2_session_want_read(h->session) &&
	       !nghttp2_session_want_write(h->session);
}

int64_t sink_http_tick(struct sink_http *h, const struct sink_time *now)
{
	int64_t next = INT64_MAX;

	h->now = *now;
	for (struct call *c = h->calls; c != NULL; c = c->next) {
		if (c->ended || c->wait_until_ns == 0)
			continue;
		if (c->wait_changes != h->service->registry.changes ||
		    c->wait_until_ns <= now->monotonic_ns)
			answer_unary(c);
		if (!c->ended && c->wait_until_ns != 0 && c->wait_until_ns < next)
			next = c->wait_until_ns;
	}
	return next;
}

void sink_http_shut_down(struct sink_http *h)
{
	fail_http(h, nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR));
}
