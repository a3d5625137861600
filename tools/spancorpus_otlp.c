// SPDX-License-Identifier: Apache-2.0
// A segment as one OTLP ExportTraceServiceRequest, as protobuf or as a line of OTLP JSON (hex
// ids, enums as numbers, 64-bit integers as strings). README says how a segment maps. What the
// row's columns say and where the bytes go is left to export.
//
// Field numbers: opentelemetry/proto/trace/v1, common/v1, resource/v1, collector/trace/v1.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/pb.h"
#include "tools/spancorpus.h"

enum segment_field {
	SEGMENT_TRACE_ID = 1,
	SEGMENT_ID = 2,
	SEGMENT_SPANS = 3,
	SEGMENT_SERVICE = 4,
	SEGMENT_INSTANCE = 5,
};

enum sw_span_field {
	SW_SPAN_ID = 1,
	SW_PARENT_SPAN_ID = 2,
	SW_START_TIME = 3,
	SW_END_TIME = 4,
	SW_REFS = 5,
	SW_OPERATION_NAME = 6,
	SW_PEER = 7,
	SW_TYPE = 8,
	SW_LAYER = 9,
	SW_IS_ERROR = 11,
	SW_TAGS = 12,
	SW_LOGS = 13,
};

enum sw_reference_field { REF_TRACE_ID = 2, REF_SEGMENT_ID = 3, REF_SPAN_ID = 4 };
enum sw_log_field { LOG_TIME = 1, LOG_DATA = 2 };
enum sw_pair_field { PAIR_KEY = 1, PAIR_VALUE = 2 };
enum sw_span_type { TYPE_ENTRY = 0, TYPE_EXIT = 1, TYPE_LOCAL = 2 };
enum sw_layer { LAYER_MQ = 4 };

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

enum otlp_kind {
	KIND_UNSPECIFIED = 0,
	KIND_INTERNAL = 1,
	KIND_SERVER = 2,
	KIND_CLIENT = 3,
	KIND_PRODUCER = 4,
	KIND_CONSUMER = 5,
};

#define STATUS_CODE_ERROR 2

struct attribute {
	struct view key, text;
	int64_t number; // when is_number
	bool is_number;
};

// Keys are unique, as OTLP demands: the first of a key stays, others are counted.
struct attributes {
	struct attribute *v; // owned
	size_t count, capacity;
	uint32_t dropped;
};

struct segment {
	struct view trace_id, id, service, instance;
	XXH128_canonical_t trace_hash;
};

struct sw_span {
	struct view bytes; // for the second pass over tags, logs and references
	struct view name, peer;
	struct view parent_segment; // of the first reference
	int32_t id, parent, parent_span;
	int64_t start_ms, end_ms;
	uint64_t type, layer;
	bool is_error, has_reference;
};

struct link {
	XXH128_canonical_t trace;
	uint64_t span;
};

struct otlp {
	bool json;
	struct segment segment;
	struct attributes attributes;
	struct buf id;		   // text of a span id, to be hashed
	struct buf message, inner; // a span; an event, link or the resource
	struct buf spans;	   // the content of ScopeSpans
};

struct otlp *otlp_new(bool json)
{
	struct otlp *o = mem_zalloc(1, sizeof(*o));

	o->json = json;
	buf_init(&o->id, 2 * ROW_BLOB_MAX);
	buf_init(&o->message, (size_t)1 << 30);
	buf_init(&o->inner, (size_t)1 << 30);
	buf_init(&o->spans, (size_t)1 << 30);
	return o;
}

void otlp_free(struct otlp *o)
{
	if (o == NULL)
		return;
	free(o->attributes.v);
	buf_free(&o->id);
	buf_free(&o->message);
	buf_free(&o->inner);
	buf_free(&o->spans);
	free(o);
}

// ---- What the segment says
// -------------------------------------------------------------------

static enum status malformed(struct err *e)
{
	return err_set(e, ERR_FORMAT, "the blob is not a SegmentObject");
}

// Protobuf and JSON readers refuse a whole request for one text that is not UTF-8.
static bool text_of(const struct pb_field *f, struct view *out)
{
	*out = f->bytes;
	return f->wire == PB_BYTES && utf8_valid(f->bytes.data, f->bytes.size);
}

static bool number_of(const struct pb_field *f, uint64_t *out)
{
	*out = f->value;
	return f->wire == PB_VARINT;
}

static bool int32_of(const struct pb_field *f, int32_t *out)
{
	*out = (int32_t)(uint32_t)f->value;
	return f->wire == PB_VARINT;
}

// OTLP counts nanoseconds since 1970 in 64 unsigned bits: until 2554.
static bool time_of(const struct pb_field *f, int64_t *out)
{
	*out = (int64_t)f->value;
	return f->wire == PB_VARINT && *out >= 0 && *out <= INT64_MAX / NS_PER_MS;
}

static struct attribute *attribute_add(struct attributes *a, struct view key)
{
	for (size_t i = 0; i < a->count; i++)
		if (view_equal(a->v[i].key, key)) {
			a->dropped++;
			return NULL;
		}
	if (a->count == a->capacity) {
		a->capacity = a->capacity != 0 ? 2 * a->capacity : 32;
		a->v = mem_realloc(a->v, a->capacity, sizeof(*a->v));
	}
	a->v[a->count] = (struct attribute){.key = key};
	return &a->v[a->count++];
}

static void attribute_add_text(struct attributes *a, struct view key, struct view text)
{
	struct attribute *x = attribute_add(a, key);

	if (x != NULL)
		x->text = text;
}

static void attribute_add_number(struct attributes *a, struct view key, int64_t number)
{
	struct attribute *x = attribute_add(a, key);

	if (x != NULL) {
		x->number = number;
		x->is_number = true;
	}
}

static bool attribute_add_pair(struct attributes *a, const struct pb_field *pair)
{
	struct view key = {"", 0}, value = {"", 0};
	struct pb_reader r;
	struct pb_field f;
	bool ok = pair->wire == PB_BYTES;

	pb_reader_init(&r, pair->bytes.data, ok ? pair->bytes.size : 0);
	while (ok && pb_next(&r, &f)) {
		if (f.number == PAIR_KEY)
			ok = text_of(&f, &key);
		else if (f.number == PAIR_VALUE)
			ok = text_of(&f, &value);
	}
	if (!ok || r.failed)
		return false;
	attribute_add_text(a, key, value);
	return true;
}

// `server.address` and `server.port`: the OpenTelemetry names, on client spans and on both
// sides of a broker, of the remote end as the caller addresses it. That is what SkyWalking's
// peer is. `network.peer.address` would be the socket's IP address, which a peer need not be,
// and `peer.service` a logical name. Split only where host and port are plain to see; a list of
// brokers or anything else stays whole, so the peer can be told from the two again.
static void attribute_add_peer(struct attributes *a, struct view peer)
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
		attribute_add_text(a, VIEW("server.address"), peer);
		return;
	}
	attribute_add_text(a, VIEW("server.address"), (struct view){peer.data, colon});
	attribute_add_number(a, VIEW("server.port"), port);
}

static bool segment_read(struct segment *s, struct view blob)
{
	struct pb_reader r;
	struct pb_field f;
	bool ok = true;

	*s = (struct segment){{"", 0}, {"", 0}, {"", 0}, {"", 0}, {{0}}};
	pb_reader_init(&r, blob.data, blob.size);
	while (ok && pb_next(&r, &f)) {
		if (f.number == SEGMENT_TRACE_ID)
			ok = text_of(&f, &s->trace_id);
		else if (f.number == SEGMENT_ID)
			ok = text_of(&f, &s->id);
		else if (f.number == SEGMENT_SERVICE)
			ok = text_of(&f, &s->service);
		else if (f.number == SEGMENT_INSTANCE)
			ok = text_of(&f, &s->instance);
	}
	return ok && !r.failed;
}

static bool reference_read(struct view bytes, struct view *trace, struct view *segment,
			   int32_t *span)
{
	struct pb_reader r;
	struct pb_field f;
	bool ok = true;

	*trace = *segment = (struct view){"", 0};
	*span = 0;
	pb_reader_init(&r, bytes.data, bytes.size);
	while (ok && pb_next(&r, &f)) {
		if (f.number == REF_TRACE_ID)
			ok = text_of(&f, trace);
		else if (f.number == REF_SEGMENT_ID)
			ok = text_of(&f, segment);
		else if (f.number == REF_SPAN_ID)
			ok = int32_of(&f, span);
	}
	return ok && !r.failed;
}

static bool span_field(struct sw_span *s, const struct pb_field *f)
{
	struct view trace;
	uint64_t flag = 0;
	bool ok;

	switch (f->number) {
	case SW_SPAN_ID:
		return int32_of(f, &s->id);
	case SW_PARENT_SPAN_ID:
		return int32_of(f, &s->parent);
	case SW_START_TIME:
		return time_of(f, &s->start_ms);
	case SW_END_TIME:
		return time_of(f, &s->end_ms);
	case SW_OPERATION_NAME:
		return text_of(f, &s->name);
	case SW_PEER:
		return text_of(f, &s->peer);
	case SW_TYPE:
		return number_of(f, &s->type);
	case SW_LAYER:
		return number_of(f, &s->layer);
	case SW_IS_ERROR:
		ok = number_of(f, &flag);
		s->is_error = flag != 0;
		return ok;
	case SW_REFS:
		if (f->wire != PB_BYTES || s->has_reference)
			return f->wire == PB_BYTES;
		s->has_reference = true;
		return reference_read(f->bytes, &trace, &s->parent_segment, &s->parent_span);
	default:
		return true;
	}
}

static bool span_read(struct sw_span *s, const struct pb_field *span)
{
	struct pb_reader r;
	struct pb_field f;
	bool ok = span->wire == PB_BYTES;

	*s = (struct sw_span){.bytes = span->bytes, .name = {"", 0}, .peer = {"", 0}};
	pb_reader_init(&r, span->bytes.data, ok ? span->bytes.size : 0);
	while (ok && pb_next(&r, &f))
		ok = span_field(s, &f);
	return ok && !r.failed;
}

static enum otlp_kind span_kind(const struct sw_span *s)
{
	bool queue = s->layer == LAYER_MQ;

	switch (s->type) {
	case TYPE_ENTRY:
		return queue ? KIND_CONSUMER : KIND_SERVER;
	case TYPE_EXIT:
		return queue ? KIND_PRODUCER : KIND_CLIENT;
	case TYPE_LOCAL:
		return KIND_INTERNAL;
	default:
		return KIND_UNSPECIFIED; // a type from after this file
	}
}

static bool collect_span_attributes(struct otlp *o, const struct sw_span *s)
{
	struct attributes *a = &o->attributes;
	struct pb_reader r;
	struct pb_field f;

	a->count = a->dropped = 0;
	attribute_add_text(a, VIEW("sw8.trace_id"), o->segment.trace_id);
	attribute_add_text(a, VIEW("sw8.segment_id"), o->segment.id);
	attribute_add_number(a, VIEW("sw8.span_id"), s->id);
	attribute_add_peer(a, s->peer);
	pb_reader_init(&r, s->bytes.data, s->bytes.size);
	while (pb_next(&r, &f))
		if (f.number == SW_TAGS && !attribute_add_pair(a, &f))
			return false;
	return true;
}

// Reads a Log: its pairs into o->attributes, its time, and a name: SkyWalking's agents say what
// happened in the pair `event`.
static bool collect_event(struct otlp *o, const struct pb_field *log, int64_t *time_ms,
			  struct view *name)
{
	struct attributes *a = &o->attributes;
	struct pb_reader r;
	struct pb_field f;
	bool ok = log->wire == PB_BYTES;

	a->count = a->dropped = 0;
	*time_ms = 0;
	*name = VIEW("log");
	pb_reader_init(&r, log->bytes.data, ok ? log->bytes.size : 0);
	while (ok && pb_next(&r, &f)) {
		if (f.number == LOG_TIME)
			ok = time_of(&f, time_ms);
		else if (f.number == LOG_DATA)
			ok = attribute_add_pair(a, &f);
	}
	for (size_t i = 0; i < a->count; i++)
		if (view_equal(a->v[i].key, VIEW("event")) && a->v[i].text.size > 0)
			*name = a->v[i].text;
	return ok && !r.failed;
}

// ---- Ids
// -------------------------------------------------------------------------------------

// OTLP calls an id of zeros invalid, and receivers drop such spans. A hash of zero (one id in
// 2^64, one trace in 2^128) therefore becomes 1, for the span and for those that name it as
// parent alike.
static XXH128_canonical_t trace_hash(struct view trace_id)
{
	XXH128_hash_t h = XXH3_128bits(trace_id.data, trace_id.size);
	XXH128_canonical_t out;

	if (h.low64 == 0 && h.high64 == 0)
		h.low64 = 1;
	XXH128_canonicalFromHash(&out, h);
	return out;
}

static void put_decimal(struct buf *out, int64_t v)
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

static void big_endian(uint8_t out[8], uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> (56 - 8 * i));
}

// The parent in the segment, else the referenced span of another; false for a root.
static bool parent_hash(struct otlp *o, const struct sw_span *s, uint64_t *out)
{
	if (s->parent >= 0)
		*out = span_hash(o, o->segment.id, s->parent);
	else if (s->has_reference)
		*out = span_hash(o, s->parent_segment, s->parent_span);
	return s->parent >= 0 || s->has_reference;
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

static void pb_id(struct buf *out, uint32_t field, uint64_t hash)
{
	uint8_t id[8];

	big_endian(id, hash);
	pb_put_bytes(out, field, id, sizeof(id));
}

static void pb_event(struct otlp *o, int64_t time_ms, struct view name)
{
	buf_clear(&o->inner);
	pb_time(&o->inner, EVENT_TIME, time_ms);
	pb_put_view(&o->inner, EVENT_NAME, name);
	pb_attributes(&o->inner, EVENT_ATTRIBUTES, EVENT_DROPPED_ATTRIBUTES, &o->attributes);
	pb_put_bytes(&o->message, SPAN_EVENTS, o->inner.data, o->inner.size);
}

static void pb_link(struct otlp *o, const struct link *l)
{
	buf_clear(&o->inner);
	pb_put_bytes(&o->inner, LINK_TRACE_ID, l->trace.digest, sizeof(l->trace.digest));
	pb_id(&o->inner, LINK_SPAN_ID, l->span);
	pb_put_bytes(&o->message, SPAN_LINKS, o->inner.data, o->inner.size);
}

static void pb_span_begin(struct otlp *o, const struct sw_span *s)
{
	struct buf *m = &o->message;
	uint64_t parent;

	buf_clear(m);
	pb_put_bytes(m, SPAN_TRACE_ID, o->segment.trace_hash.digest,
		     sizeof(o->segment.trace_hash.digest));
	pb_id(m, SPAN_SPAN_ID, span_hash(o, o->segment.id, s->id));
	if (parent_hash(o, s, &parent))
		pb_id(m, SPAN_PARENT_SPAN_ID, parent);
	pb_put_view(m, SPAN_NAME, s->name);
	pb_put_uint_nz(m, SPAN_KIND, span_kind(s));
	pb_time(m, SPAN_START_TIME, s->start_ms);
	pb_time(m, SPAN_END_TIME, s->end_ms);
	pb_attributes(m, SPAN_ATTRIBUTES, SPAN_DROPPED_ATTRIBUTES, &o->attributes);
}

static void pb_span_end(struct otlp *o, const struct sw_span *s)
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

static void pb_request(struct otlp *o, struct buf *out)
{
	size_t resource_spans;

	buf_clear(&o->inner);
	pb_attributes(&o->inner, RESOURCE_ATTRIBUTES, 0, &o->attributes);
	resource_spans = field_size(o->inner.size) + field_size(o->spans.size);
	pb_put_varint(out, field_size(resource_spans));
	pb_put_tag(out, REQUEST_RESOURCE_SPANS, PB_BYTES);
	pb_put_varint(out, resource_spans);
	pb_put_bytes(out, RESOURCE_SPANS_RESOURCE, o->inner.data, o->inner.size);
	pb_put_bytes(out, RESOURCE_SPANS_SCOPE_SPANS, o->spans.data, o->spans.size);
}

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

static void json_event(struct otlp *o, bool first, int64_t time_ms, struct view name)
{
	if (first)
		PUT(&o->message, ",\"events\":[{\"timeUnixNano\":");
	else
		PUT(&o->message, ",{\"timeUnixNano\":");
	json_time(&o->message, time_ms);
	PUT(&o->message, ",\"name\":");
	json_put_text(&o->message, name);
	buf_put_u8(&o->message, ',');
	json_attributes(&o->message, &o->attributes);
	buf_put_u8(&o->message, '}');
}

static void json_link(struct otlp *o, bool first, const struct link *l)
{
	if (first)
		PUT(&o->message, ",\"links\":[{\"traceId\":\"");
	else
		PUT(&o->message, ",{\"traceId\":\"");
	json_hex(&o->message, l->trace.digest, sizeof(l->trace.digest));
	PUT(&o->message, "\",\"spanId\":\"");
	json_id(&o->message, l->span);
	PUT(&o->message, "\"}");
}

static void json_span_begin(struct otlp *o, const struct sw_span *s)
{
	struct buf *m = &o->message;
	uint64_t parent;

	buf_clear(m);
	PUT(m, "{\"traceId\":\"");
	json_hex(m, o->segment.trace_hash.digest, sizeof(o->segment.trace_hash.digest));
	PUT(m, "\",\"spanId\":\"");
	json_id(m, span_hash(o, o->segment.id, s->id));
	if (parent_hash(o, s, &parent)) {
		PUT(m, "\",\"parentSpanId\":\"");
		json_id(m, parent);
	}
	PUT(m, "\",\"name\":");
	json_put_text(m, s->name);
	PUT(m, ",\"kind\":");
	put_decimal(m, span_kind(s));
	PUT(m, ",\"startTimeUnixNano\":");
	json_time(m, s->start_ms);
	PUT(m, ",\"endTimeUnixNano\":");
	json_time(m, s->end_ms);
	buf_put_u8(m, ',');
	json_attributes(m, &o->attributes);
}

static void json_span_end(struct otlp *o, const struct sw_span *s)
{
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

static void json_request(struct otlp *o, struct buf *out)
{
	PUT(out, "{\"resourceSpans\":[{\"resource\":{");
	json_attributes(out, &o->attributes);
	PUT(out, "},\"scopeSpans\":[{\"spans\":[");
	buf_put(out, o->spans.data, o->spans.size);
	PUT(out, "]}]}]}\n");
}

// ---- Both
// ------------------------------------------------------------------------------------

static bool put_events(struct otlp *o, const struct sw_span *s)
{
	struct pb_reader r;
	struct pb_field f;
	bool first = true;

	pb_reader_init(&r, s->bytes.data, s->bytes.size);
	while (pb_next(&r, &f)) {
		struct view name;
		int64_t time_ms;

		if (f.number != SW_LOGS)
			continue;
		if (!collect_event(o, &f, &time_ms, &name))
			return false;
		if (o->json)
			json_event(o, first, time_ms, name);
		else
			pb_event(o, time_ms, name);
		first = false;
	}
	if (o->json && !first)
		buf_put_u8(&o->message, ']');
	return true;
}

// A span has one parent: the first reference. The others (a consumer that takes a batch of
// messages) become links.
static bool put_links(struct otlp *o, const struct sw_span *s)
{
	struct pb_reader r;
	struct pb_field f;
	unsigned seen = 0;

	pb_reader_init(&r, s->bytes.data, s->bytes.size);
	while (pb_next(&r, &f)) {
		struct view trace, segment;
		struct link link;
		int32_t span;

		if (f.number != SW_REFS || seen++ == 0)
			continue;
		if (!reference_read(f.bytes, &trace, &segment, &span))
			return false;
		link.trace = trace_hash(trace);
		link.span = span_hash(o, segment, span);
		if (o->json)
			json_link(o, seen == 2, &link);
		else
			pb_link(o, &link);
	}
	if (o->json && seen > 1)
		buf_put_u8(&o->message, ']');
	return true;
}

static bool put_span(struct otlp *o, const struct pb_field *field)
{
	struct sw_span s;

	if (!span_read(&s, field) || !collect_span_attributes(o, &s))
		return false;
	if (o->json)
		json_span_begin(o, &s);
	else
		pb_span_begin(o, &s);
	if (!put_events(o, &s) || !put_links(o, &s))
		return false;
	if (o->json)
		json_span_end(o, &s);
	else
		pb_span_end(o, &s);
	return true;
}

enum status otlp_put_request(struct otlp *o, struct view blob, struct buf *out, struct err *e)
{
	struct pb_reader r;
	struct pb_field f;

	if (!segment_read(&o->segment, blob))
		return malformed(e);
	o->segment.trace_hash = trace_hash(o->segment.trace_id);
	buf_clear(&o->spans);
	pb_reader_init(&r, blob.data, blob.size);
	while (pb_next(&r, &f))
		if (f.number == SEGMENT_SPANS && !put_span(o, &f))
			return malformed(e);
	o->attributes.count = o->attributes.dropped = 0;
	attribute_add_text(&o->attributes, VIEW("service.name"), o->segment.service);
	attribute_add_text(&o->attributes, VIEW("service.instance.id"), o->segment.instance);
	if (o->json)
		json_request(o, out);
	else
		pb_request(o, out);
	if (o->id.failed || o->message.failed || o->inner.failed || o->spans.failed)
		return err_set(e, ERR_LIMIT, "a span of the row is too large for OTLP");
	return OK;
}
