// SPDX-License-Identifier: Apache-2.0
// A SegmentObject as protobuf JSON: lowerCamelCase names, 64-bit integers as strings, enums by
// name, default values left out. And rows as JSON lines, written without a tree of values.
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "common/pb.h"
#include "tools/spancorpus.h"

enum json_kind { KIND_TEXT, KIND_INT32, KIND_INT64, KIND_BOOL, KIND_ENUM, KIND_MESSAGE };

struct json_message;
struct json_field {
	uint32_t number;
	const char *name;
	enum json_kind kind;
	bool repeated;
	const char *const *values; // KIND_ENUM, by number
	uint32_t value_count;
	const struct json_message *message; // KIND_MESSAGE
};

struct json_message {
	const struct json_field *field;
	size_t count;
};

static const char *const span_types[] = {"Entry", "Exit", "Local"};
static const char *const span_layers[] = {"Unknown", "Database", "RPCFramework", "Http",
					  "MQ",	     "Cache",	 "FAAS"};
static const char *const ref_types[] = {"CrossProcess", "CrossThread"};

static const struct json_field pair_fields[] = {
	{.number = 1, .name = "key"},
	{.number = 2, .name = "value"},
};
static const struct json_message pair_message = {pair_fields, ARRAY_LEN(pair_fields)};

static const struct json_field log_fields[] = {
	{.number = 1, .name = "time", .kind = KIND_INT64},
	{.number = 2,
	 .name = "data",
	 .kind = KIND_MESSAGE,
	 .repeated = true,
	 .message = &pair_message},
};
static const struct json_message log_message = {log_fields, ARRAY_LEN(log_fields)};

static const struct json_field reference_fields[] = {
	{.number = 1,
	 .name = "refType",
	 .kind = KIND_ENUM,
	 .values = ref_types,
	 .value_count = ARRAY_LEN(ref_types)},
	{.number = 2, .name = "traceId"},
	{.number = 3, .name = "parentTraceSegmentId"},
	{.number = 4, .name = "parentSpanId", .kind = KIND_INT32},
	{.number = 5, .name = "parentService"},
	{.number = 6, .name = "parentServiceInstance"},
	{.number = 7, .name = "parentEndpoint"},
	{.number = 8, .name = "networkAddressUsedAtPeer"},
};
static const struct json_message reference_message = {reference_fields,
						      ARRAY_LEN(reference_fields)};

static const struct json_field span_fields[] = {
	{.number = 1, .name = "spanId", .kind = KIND_INT32},
	{.number = 2, .name = "parentSpanId", .kind = KIND_INT32},
	{.number = 3, .name = "startTime", .kind = KIND_INT64},
	{.number = 4, .name = "endTime", .kind = KIND_INT64},
	{.number = 5,
	 .name = "refs",
	 .kind = KIND_MESSAGE,
	 .repeated = true,
	 .message = &reference_message},
	{.number = 6, .name = "operationName"},
	{.number = 7, .name = "peer"},
	{.number = 8,
	 .name = "spanType",
	 .kind = KIND_ENUM,
	 .values = span_types,
	 .value_count = ARRAY_LEN(span_types)},
	{.number = 9,
	 .name = "spanLayer",
	 .kind = KIND_ENUM,
	 .values = span_layers,
	 .value_count = ARRAY_LEN(span_layers)},
	{.number = 10, .name = "componentId", .kind = KIND_INT32},
	{.number = 11, .name = "isError", .kind = KIND_BOOL},
	{.number = 12,
	 .name = "tags",
	 .kind = KIND_MESSAGE,
	 .repeated = true,
	 .message = &pair_message},
	{.number = 13,
	 .name = "logs",
	 .kind = KIND_MESSAGE,
	 .repeated = true,
	 .message = &log_message},
	{.number = 14, .name = "skipAnalysis", .kind = KIND_BOOL},
};
static const struct json_message span_message = {span_fields, ARRAY_LEN(span_fields)};

static const struct json_field segment_fields[] = {
	{.number = 1, .name = "traceId"},
	{.number = 2, .name = "traceSegmentId"},
	{.number = 3,
	 .name = "spans",
	 .kind = KIND_MESSAGE,
	 .repeated = true,
	 .message = &span_message},
	{.number = 4, .name = "service"},
	{.number = 5, .name = "serviceInstance"},
	{.number = 6, .name = "isSizeLimited", .kind = KIND_BOOL},
};
static const struct json_message segment_message = {segment_fields, ARRAY_LEN(segment_fields)};

static json_t *to_json(const struct json_message *m, struct view bytes);

static json_t *value_json(const struct json_field *j, const struct pb_field *f)
{
	char text[24];

	switch (j->kind) {
	case KIND_TEXT:
		return json_stringn(f->bytes.data, f->bytes.size);
	case KIND_INT32:
		return json_integer((json_int_t)(int64_t)f->value);
	case KIND_INT64:
		snprintf(text, sizeof(text), "%" PRId64, (int64_t)f->value);
		return json_string(text);
	case KIND_BOOL:
		return json_boolean(f->value != 0);
	case KIND_ENUM:
		return f->value < j->value_count ? json_string(j->values[f->value])
						 : json_integer((json_int_t)f->value);
	case KIND_MESSAGE:
		return to_json(j->message, f->bytes);
	}
	return NULL;
}

// NULL when the bytes are not that message. Unknown fields are left out, as protobuf's JSON
// does.
static json_t *to_json(const struct json_message *m, struct view bytes)
{
	json_t *o = json_object();
	struct pb_reader r;
	struct pb_field f;
	bool ok = true;

	pb_reader_init(&r, bytes.data, bytes.size);
	while (ok && pb_next(&r, &f)) {
		const struct json_field *j = NULL;
		json_t *value;

		for (size_t i = 0; i < m->count; i++)
			if (m->field[i].number == f.number)
				j = &m->field[i];
		if (j == NULL)
			continue;
		ok = f.wire ==
		     (j->kind == KIND_TEXT || j->kind == KIND_MESSAGE ? PB_BYTES : PB_VARINT);
		value = ok ? value_json(j, &f) : NULL;
		ok = value != NULL;
		if (!ok)
			break;
		if (j->repeated) {
			if (json_object_get(o, j->name) == NULL)
				json_object_set_new(o, j->name, json_array());
			json_array_append_new(json_object_get(o, j->name), value);
		} else {
			json_object_set_new(o, j->name, value);
		}
	}
	if (!ok || r.failed) {
		json_decref(o);
		return NULL;
	}
	return o;
}

void *segment_json(struct view blob, struct err *e)
{
	json_t *o = to_json(&segment_message, blob);

	if (o == NULL)
		err_set(e, ERR_FORMAT, "the blob is not a SegmentObject");
	return o;
}

void json_put_text(struct buf *out, struct view text)
{
	static const char digit[] = "0123456789abcdef";
	size_t plain = 0; // start of the run that needs no escape

	buf_put_u8(out, '"');
	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = (uint8_t)text.data[i];
		char escape[6] = {'\\', 0, '0', '0', digit[c >> 4], digit[c & 15]};
		size_t size = 2;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_put(out, text.data + plain, i - plain);
		plain = i + 1;
		switch (c) {
		case '\b':
			escape[1] = 'b';
			break;
		case '\f':
			escape[1] = 'f';
			break;
		case '\n':
			escape[1] = 'n';
			break;
		case '\r':
			escape[1] = 'r';
			break;
		case '\t':
			escape[1] = 't';
			break;
		case '"':
		case '\\':
			escape[1] = (char)c;
			break;
		default:
			escape[1] = 'u';
			size = sizeof(escape);
		}
		buf_put(out, escape, size);
	}
	buf_put(out, text.data + plain, text.size - plain);
	buf_put_u8(out, '"');
}

static void put_member(struct buf *out, enum column column, struct view text)
{
	buf_put_u8(out, column == COL_SERVICE_ID ? '{' : ',');
	json_put_text(out, view_of(column_names[column]));
	buf_put_u8(out, ':');
	json_put_text(out, text);
}

void json_put_columns(struct buf *out, const struct row *r, bool is_copy)
{
	put_member(out, COL_SERVICE_ID, r->service_id);
	put_member(out, COL_SERVICE_INSTANCE_ID, r->service_instance_id);
	put_member(out, COL_TRACE_ID, r->trace_id);
	buf_printf(out, ",\"%s\":%" PRId64 ",\"%s\":%" PRIu32 ",\"%s\":%d",
		   column_names[COL_START_TIME], r->start_ms, column_names[COL_LATENCY],
		   r->latency_ms, column_names[COL_IS_ERROR], r->is_error);
	put_member(out, COL_SPAN_ID, r->span_id);
	put_member(out, COL_PARENT_SPAN_ID, r->parent_span_id);
	put_member(out, COL_OPERATION_NAME, r->operation_name);
	put_member(out, COL_COMPONENT, r->component);
	if (is_copy)
		buf_put_view(out, VIEW(",\"duplicate\":true"));
}

void json_put_row(struct buf *out, const struct row *r, bool is_copy)
{
	size_t size = base64_size(r->blob.size);
	uint8_t *text;

	json_put_columns(out, r, is_copy);
	buf_put_view(out, VIEW(",\"dataBinary\":\""));
	text = buf_reserve(out, size);
	if (text != NULL)
		base64_write((char *)text, r->blob);
	buf_put_view(out, VIEW("\"}\n"));
}
