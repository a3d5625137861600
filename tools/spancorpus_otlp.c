// SPDX-License-Identifier: Apache-2.0
// A segment as one OTLP ExportTraceServiceRequest; README says how a segment maps. Reading the
// blob and writing the two encodings have their own files.
#include <stdlib.h>

#include "tools/spancorpus.h"
#include "tools/spancorpus_otlp.h"

// The limit of all that one row becomes: a blob of 8 MiB, its ids repeated for each span.
#define REQUEST_MAX ((size_t)1 << 30)

struct otlp {
	const struct otlp_encoding *encoding;
	struct sw_segment segment;
	struct otlp_trace_id trace;
	struct attributes attributes;
	struct buf id; // text of a span id, to be hashed
	struct otlp_out out;
};

struct otlp *otlp_new(bool json)
{
	struct otlp *o = mem_zalloc(1, sizeof(*o));

	o->encoding = json ? &otlp_json : &otlp_protobuf;
	buf_init(&o->id, 2 * ROW_BLOB_MAX);
	buf_init(&o->out.message, REQUEST_MAX);
	buf_init(&o->out.inner, REQUEST_MAX);
	buf_init(&o->out.spans, REQUEST_MAX);
	return o;
}

void otlp_free(struct otlp *o)
{
	if (o == NULL)
		return;
	free(o->attributes.v);
	buf_free(&o->id);
	buf_free(&o->out.message);
	buf_free(&o->out.inner);
	buf_free(&o->out.spans);
	free(o);
}

// OTLP calls an id of zeros invalid, and receivers drop such spans. A hash of zero (one id in
// 2^64, one trace in 2^128) therefore becomes 1, for the span and for those that name it as
// parent alike.
static struct otlp_trace_id trace_hash(struct view trace_id)
{
	XXH128_hash_t h = XXH3_128bits(trace_id.data, trace_id.size);
	struct otlp_trace_id out;

	if (h.low64 == 0 && h.high64 == 0)
		h.low64 = 1;
	XXH128_canonicalFromHash(&out.hash, h);
	return out;
}

static uint64_t span_hash(struct otlp *o, struct view segment_id, int32_t span)
{
	uint64_t h;

	buf_clear(&o->id);
	buf_put_view(&o->id, segment_id);
	buf_put_u8(&o->id, 'S');
	put_decimal(&o->id, span);
	h = XXH3_64bits(o->id.data, o->id.size);
	return h != 0 ? h : 1;
}

// The parent in the segment, else the referenced span of another; 0 for a root.
static uint64_t parent_hash(struct otlp *o, const struct sw_span *s)
{
	if (s->parent >= 0)
		return span_hash(o, o->segment.id, s->parent);
	if (s->has_reference)
		return span_hash(o, s->reference.segment_id, s->reference.span_id);
	return 0;
}

static enum otlp_kind span_kind(const struct sw_span *s)
{
	bool queue = s->layer == SW_LAYER_MQ;

	switch (s->type) {
	case SW_ENTRY:
		return queue ? OTLP_CONSUMER : OTLP_SERVER;
	case SW_EXIT:
		return queue ? OTLP_PRODUCER : OTLP_CLIENT;
	case SW_LOCAL:
		return OTLP_INTERNAL;
	default:
		return OTLP_UNSPECIFIED; // a type from after this file
	}
}

// `server.address` and `server.port`: the OpenTelemetry names, on client spans and on both
// sides of a broker, of the remote end as the caller addresses it. That is what SkyWalking's
// peer is. `network.peer.address` would be the socket's IP address, which a peer need not be,
// and `peer.service` a logical name. Split only where host and port are plain to see; a list of
// brokers or anything else stays whole, so the peer can be told from the two again.
static void add_peer(struct attributes *a, struct view peer)
{
	size_t colon = 0, colons = 0;
	int64_t port = 0;

	if (peer.size == 0)
		return;
	for (size_t i = 0; i < peer.size; i++)
		if (peer.data[i] == ':') {
			colon = i;
			colons++;
		}
	for (size_t i = colon + 1; colons == 1 && i < peer.size; i++) {
		char c = peer.data[i];

		if (c < '0' || c > '9' || (c == '0' && port == 0) || port > UINT16_MAX)
			colons = 0;
		else
			port = 10 * port + (c - '0');
	}
	if (colons != 1 || colon == 0 || port == 0 || port > UINT16_MAX) {
		attributes_add_text(a, VIEW("server.address"), peer);
		return;
	}
	attributes_add_text(a, VIEW("server.address"), (struct view){peer.data, colon});
	attributes_add_number(a, VIEW("server.port"), port);
}

static bool span_attributes(struct otlp *o, const struct sw_span *s)
{
	struct attributes *a = &o->attributes;
	struct pb_reader r;
	struct pb_field f;

	attributes_clear(a);
	attributes_add_text(a, VIEW("sw8.trace_id"), o->segment.trace_id);
	attributes_add_text(a, VIEW("sw8.segment_id"), o->segment.id);
	attributes_add_number(a, VIEW("sw8.span_id"), s->id);
	add_peer(a, s->peer);
	pb_reader_init(&r, s->bytes.data, s->bytes.size);
	while (pb_next(&r, &f))
		if (f.number == SW_SPAN_TAGS && !sw_pair_read(a, &f))
			return false;
	return true;
}

// SkyWalking's agents say in the pair `event` what happened.
static struct view event_name(const struct attributes *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (view_equal(a->v[i].key, VIEW("event")) && a->v[i].text.size > 0)
			return a->v[i].text;
	return VIEW("log");
}

static bool put_events(struct otlp *o, const struct sw_span *s)
{
	struct pb_reader r;
	struct pb_field f;

	pb_reader_init(&r, s->bytes.data, s->bytes.size);
	while (pb_next(&r, &f)) {
		struct otlp_event event;

		if (f.number != SW_SPAN_LOGS)
			continue;
		if (!sw_log_read(&o->attributes, &event.time_ms, &f))
			return false;
		event.name = event_name(&o->attributes);
		o->encoding->event(&o->out, &event, &o->attributes);
	}
	return true;
}

// A span has one parent: the first reference. The others (a consumer that takes a batch of
// messages) become links.
static bool put_links(struct otlp *o, const struct sw_span *s)
{
	struct pb_reader r;
	struct pb_field f;
	bool first = true;

	pb_reader_init(&r, s->bytes.data, s->bytes.size);
	while (pb_next(&r, &f)) {
		struct sw_reference reference;
		struct otlp_link link;

		if (f.number != SW_SPAN_REFS)
			continue;
		if (!first) {
			if (!sw_reference_read(&reference, &f))
				return false;
			link.trace = trace_hash(reference.trace_id);
			link.span = span_hash(o, reference.segment_id, reference.span_id);
			o->encoding->link(&o->out, &link);
		}
		first = false;
	}
	return true;
}

static bool put_span(struct otlp *o, const struct pb_field *field)
{
	struct sw_span s;
	struct otlp_span span;

	if (!sw_span_read(&s, field) || !span_attributes(o, &s))
		return false;
	span = (struct otlp_span){
		.trace = o->trace,
		.id = span_hash(o, o->segment.id, s.id),
		.parent = parent_hash(o, &s),
		.name = s.name,
		.kind = span_kind(&s),
		.start_ms = s.start_ms,
		.end_ms = s.end_ms,
		.is_error = s.is_error,
	};
	o->encoding->span_begin(&o->out, &span, &o->attributes);
	if (!put_events(o, &s) || !put_links(o, &s))
		return false;
	o->encoding->span_end(&o->out, &span);
	return true;
}

enum status otlp_put_request(struct otlp *o, struct view blob, struct buf *out, struct err *e)
{
	struct attributes *a = &o->attributes;
	struct pb_reader r;
	struct pb_field f;
	bool ok = sw_segment_read(&o->segment, blob);

	if (ok)
		o->trace = trace_hash(o->segment.trace_id);
	buf_clear(&o->out.spans);
	pb_reader_init(&r, blob.data, blob.size);
	while (ok && pb_next(&r, &f))
		if (f.number == SEGMENT_SPANS)
			ok = put_span(o, &f);
	if (!ok)
		return err_set(e, ERR_FORMAT, "the blob is not a SegmentObject");
	attributes_clear(a);
	attributes_add_text(a, VIEW("service.name"), o->segment.service);
	attributes_add_text(a, VIEW("service.instance.id"), o->segment.instance);
	o->encoding->request(&o->out, a, out);
	if (o->id.failed || o->out.message.failed || o->out.inner.failed || o->out.spans.failed)
		return err_set(e, ERR_LIMIT, "a span of the row is too large for OTLP");
	return OK;
}
