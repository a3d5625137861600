// SPDX-License-Identifier: Apache-2.0
// OTLP's two encodings of a request: protobuf, and its JSON (hex ids, enums as numbers, 64-bit
// integers as strings). Field numbers: opentelemetry/proto/trace/v1, common/v1, resource/v1,
// collector/trace/v1.
#include "tools/spancorpus.h"
#include "tools/spancorpus_otlp.h"

enum otlp_request_field { REQUEST_RESOURCE_SPANS = 1 };
enum otlp_resource_spans_field { RESOURCE_SPANS_RESOURCE = 1, RESOURCE_SPANS_SCOPE_SPANS = 2 };
enum otlp_resource_field { RESOURCE_ATTRIBUTES = 1 };
enum otlp_scope_spans_field { SCOPE_SPANS_SPANS = 2 };

enum otlp_span_field {
	SPAN_TRACE_ID = 1,
	SPAN_SPAN_ID = 2,
	SPAN_PARENT_SPAN_ID = 4,
	SPAN_NAME = 5,
	SPAN_KIND = 6,
	SPAN_START_TIME = 7,
	SPAN_END_TIME = 8,
	SPAN_ATTRIBUTES = 9,
	SPAN_DROPPED_ATTRIBUTES = 10,
	SPAN_EVENTS = 11,
	SPAN_LINKS = 13,
	SPAN_STATUS = 15,
};

enum otlp_event_field {
	EVENT_TIME = 1,
	EVENT_NAME = 2,
	EVENT_ATTRIBUTES = 3,
	EVENT_DROPPED_ATTRIBUTES = 4,
};

enum otlp_link_field { LINK_TRACE_ID = 1, LINK_SPAN_ID = 2 };
enum otlp_status_field { STATUS_CODE = 3 };
enum otlp_key_value_field { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE = 2 };
enum otlp_any_value_field { ANY_STRING = 1, ANY_INT = 3 };

#define STATUS_CODE_ERROR 2

static void big_endian(uint8_t out[8], uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> (56 - 8 * i));
}

void put_decimal(struct buf *out, int64_t v)
{
	char text[20];
	size_t at = sizeof(text);
	uint64_t left = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do {
		text[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (v < 0)
		text[--at] = '-';
	buf_put(out, text + at, sizeof(text) - at);
}

// ---- Protobuf
// --------------------------------------------------------------------------------

static void pb_attributes(struct buf *out, uint32_t field, uint32_t dropped_field,
			  const struct attributes *a)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct attribute *x = &a->v[i];
		size_t value = x->is_number ? 1 + pb_varint_size((uint64_t)x->number)
					    : 1 + pb_varint_size(x->text.size) + x->text.size;
		size_t key =
			x->key.size > 0 ? 1 + pb_varint_size(x->key.size) + x->key.size : 0;

		pb_put_tag(out, field, PB_BYTES);
		pb_put_varint(out, key + 1 + pb_varint_size(value) + value);
		pb_put_view(out, KEY_VALUE_KEY, x->key);
		pb_put_tag(out, KEY_VALUE_VALUE, PB_BYTES);
		pb_put_varint(out, value);
		// Members of a oneof are written even when empty: that is how they are chosen.
		if (x->is_number)
			pb_put_uint(out, ANY_INT, (uint64_t)x->number);
		else
			pb_put_bytes(out, ANY_STRING, x->text.data, x->text.size);
	}
	if (dropped_field != 0)
		pb_put_uint_nz(out, dropped_field, a->dropped);
}

static void pb_time(struct buf *out, uint32_t field, int64_t time_ms)
{
	pb_put_fixed64(out, field, (uint64_t)time_ms * (uint64_t)NS_PER_MS);
}

static void pb_trace(struct buf *out, uint32_t field, const struct otlp_trace_id *t)
{
	pb_put_bytes(out, field, t->hash.digest, sizeof(t->hash.digest));
}

static void pb_id(struct buf *out, uint32_t field, uint64_t hash)
{
	uint8_t id[8];

	big_endian(id, hash);
	pb_put_bytes(out, field, id, sizeof(id));
}

static void pb_event(struct otlp_out *o, const struct otlp_event *v, const struct attributes *a)
{
	buf_clear(&o->inner);
	pb_time(&o->inner, EVENT_TIME, v->time_ms);
	pb_put_view(&o->inner, EVENT_NAME, v->name);
	pb_attributes(&o->inner, EVENT_ATTRIBUTES, EVENT_DROPPED_ATTRIBUTES, a);
	pb_put_bytes(&o->message, SPAN_EVENTS, o->inner.data, o->inner.size);
}

static void pb_link(struct otlp_out *o, const struct otlp_link *l)
{
	buf_clear(&o->inner);
	pb_trace(&o->inner, LINK_TRACE_ID, &l->trace);
	pb_id(&o->inner, LINK_SPAN_ID, l->span);
	pb_put_bytes(&o->message, SPAN_LINKS, o->inner.data, o->inner.size);
}

static void pb_span_begin(struct otlp_out *o, const struct otlp_span *s,
			  const struct attributes *a)
{
	struct buf *m = &o->message;

	buf_clear(m);
	pb_trace(m, SPAN_TRACE_ID, &s->trace);
	pb_id(m, SPAN_SPAN_ID, s->id);
	if (s->parent != 0)
		pb_id(m, SPAN_PARENT_SPAN_ID, s->parent);
	pb_put_view(m, SPAN_NAME, s->name);
	pb_put_uint_nz(m, SPAN_KIND, s->kind);
	pb_time(m, SPAN_START_TIME, s->start_ms);
	pb_time(m, SPAN_END_TIME, s->end_ms);
	pb_attributes(m, SPAN_ATTRIBUTES, SPAN_DROPPED_ATTRIBUTES, a);
}

static void pb_span_end(struct otlp_out *o, const struct otlp_span *s)
{
	if (s->is_error) {
		pb_put_tag(&o->message, SPAN_STATUS, PB_BYTES);
		pb_put_varint(&o->message, 2); // tag and code
		pb_put_uint(&o->message, STATUS_CODE, STATUS_CODE_ERROR);
	}
	pb_put_bytes(&o->spans, SCOPE_SPANS_SPANS, o->message.data, o->message.size);
}

static size_t field_size(size_t content)
{
	return 1 + pb_varint_size(content) + content; // every field number here is below 16
}

static void pb_request(struct otlp_out *o, const struct attributes *resource, struct buf *out)
{
	size_t resource_spans;

	buf_clear(&o->inner);
	pb_attributes(&o->inner, RESOURCE_ATTRIBUTES, 0, resource);
	resource_spans = field_size(o->inner.size) + field_size(o->spans.size);
	pb_put_varint(out, field_size(resource_spans));
	pb_put_tag(out, REQUEST_RESOURCE_SPANS, PB_BYTES);
	pb_put_varint(out, resource_spans);
	pb_put_bytes(out, RESOURCE_SPANS_RESOURCE, o->inner.data, o->inner.size);
	pb_put_bytes(out, RESOURCE_SPANS_SCOPE_SPANS, o->spans.data, o->spans.size);
}

const struct otlp_encoding otlp_protobuf = {pb_span_begin, pb_event, pb_link, pb_span_end,
					    pb_request};

// ---- JSON
// ------------------------------------------------------------------------------------

#define PUT(out, literal) buf_put(out, literal, sizeof(literal) - 1)

static void json_hex(struct buf *out, const uint8_t *data, size_t size)
{
	static const char digit[] = "0123456789abcdef";
	char text[32];

	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digit[data[i] >> 4];
		text[2 * i + 1] = digit[data[i] & 15];
	}
	buf_put(out, text, 2 * size);
}

static void json_id(struct buf *out, uint64_t hash)
{
	uint8_t id[8];

	big_endian(id, hash);
	json_hex(out, id, sizeof(id));
}

static void json_attributes(struct buf *out, const struct attributes *a)
{
	PUT(out, "\"attributes\":[");
	for (size_t i = 0; i < a->count; i++) {
		const struct attribute *x = &a->v[i];

		if (i > 0)
			buf_put_u8(out, ',');
		PUT(out, "{\"key\":");
		json_put_text(out, x->key);
		if (x->is_number) {
			PUT(out, ",\"value\":{\"intValue\":\"");
			put_decimal(out, x->number);
			PUT(out, "\"}}");
		} else {
			PUT(out, ",\"value\":{\"stringValue\":");
			json_put_text(out, x->text);
			PUT(out, "}}");
		}
	}
	buf_put_u8(out, ']');
	if (a->dropped > 0) {
		PUT(out, ",\"droppedAttributesCount\":");
		put_decimal(out, a->dropped);
	}
}

// Milliseconds as nanoseconds, a string as all 64-bit integers.
static void json_time(struct buf *out, int64_t time_ms)
{
	buf_put_u8(out, '"');
	put_decimal(out, time_ms * NS_PER_MS);
	buf_put_u8(out, '"');
}

static void json_event(struct otlp_out *o, const struct otlp_event *v,
		       const struct attributes *a)
{
	if (o->events++ == 0)
		PUT(&o->message, ",\"events\":[{\"timeUnixNano\":");
	else
		PUT(&o->message, ",{\"timeUnixNano\":");
	json_time(&o->message, v->time_ms);
	PUT(&o->message, ",\"name\":");
	json_put_text(&o->message, v->name);
	buf_put_u8(&o->message, ',');
	json_attributes(&o->message, a);
	buf_put_u8(&o->message, '}');
}

// Links come after the events, whose list ends here.
static void json_events_end(struct otlp_out *o)
{
	if (o->events > 0)
		buf_put_u8(&o->message, ']');
	o->events = 0;
}

static void json_link(struct otlp_out *o, const struct otlp_link *l)
{
	json_events_end(o);
	if (o->links++ == 0)
		PUT(&o->message, ",\"links\":[{\"traceId\":\"");
	else
		PUT(&o->message, ",{\"traceId\":\"");
	json_hex(&o->message, l->trace.hash.digest, sizeof(l->trace.hash.digest));
	PUT(&o->message, "\",\"spanId\":\"");
	json_id(&o->message, l->span);
	PUT(&o->message, "\"}");
}

static void json_span_begin(struct otlp_out *o, const struct otlp_span *s,
			    const struct attributes *a)
{
	struct buf *m = &o->message;

	buf_clear(m);
	o->events = o->links = 0;
	PUT(m, "{\"traceId\":\"");
	json_hex(m, s->trace.hash.digest, sizeof(s->trace.hash.digest));
	PUT(m, "\",\"spanId\":\"");
	json_id(m, s->id);
	if (s->parent != 0) {
		PUT(m, "\",\"parentSpanId\":\"");
		json_id(m, s->parent);
	}
	PUT(m, "\",\"name\":");
	json_put_text(m, s->name);
	PUT(m, ",\"kind\":");
	put_decimal(m, s->kind);
	PUT(m, ",\"startTimeUnixNano\":");
	json_time(m, s->start_ms);
	PUT(m, ",\"endTimeUnixNano\":");
	json_time(m, s->end_ms);
	buf_put_u8(m, ',');
	json_attributes(m, a);
}

static void json_span_end(struct otlp_out *o, const struct otlp_span *s)
{
	json_events_end(o);
	if (o->links > 0)
		buf_put_u8(&o->message, ']');
	if (s->is_error) {
		PUT(&o->message, ",\"status\":{\"code\":");
		put_decimal(&o->message, STATUS_CODE_ERROR);
		buf_put_u8(&o->message, '}');
	}
	buf_put_u8(&o->message, '}');
	if (o->spans.size > 0)
		buf_put_u8(&o->spans, ',');
	buf_put(&o->spans, o->message.data, o->message.size);
}

static void json_request(struct otlp_out *o, const struct attributes *resource, struct buf *out)
{
	PUT(out, "{\"resourceSpans\":[{\"resource\":{");
	json_attributes(out, resource);
	PUT(out, "},\"scopeSpans\":[{\"spans\":[");
	buf_put(out, o->spans.data, o->spans.size);
	PUT(out, "]}]}]}\n");
}

const struct otlp_encoding otlp_json = {json_span_begin, json_event, json_link, json_span_end,
					json_request};
