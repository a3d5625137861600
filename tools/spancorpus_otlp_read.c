// SPDX-License-Identifier: Apache-2.0
// What a SegmentObject says, for OTLP: its spans and their pairs, checked.
// proto/skywalking.proto has the fields.
#include <stdlib.h>

#include "tools/spancorpus_otlp.h"

enum segment_field {
	SEGMENT_TRACE_ID = 1,
	SEGMENT_ID = 2,
	SEGMENT_SERVICE = 4,
	SEGMENT_INSTANCE = 5,
};

enum span_field {
	SPAN_ID = 1,
	SPAN_PARENT_SPAN_ID = 2,
	SPAN_START_TIME = 3,
	SPAN_END_TIME = 4,
	SPAN_OPERATION_NAME = 6,
	SPAN_PEER = 7,
	SPAN_TYPE = 8,
	SPAN_LAYER = 9,
	SPAN_IS_ERROR = 11,
};

enum reference_field { REF_TRACE_ID = 2, REF_SEGMENT_ID = 3, REF_SPAN_ID = 4 };
enum log_field { LOG_TIME = 1, LOG_DATA = 2 };
enum pair_field { PAIR_KEY = 1, PAIR_VALUE = 2 };

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

void attributes_clear(struct attributes *a)
{
	a->count = 0;
	a->dropped = 0;
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

void attributes_add_text(struct attributes *a, struct view key, struct view text)
{
	struct attribute *x = attribute_add(a, key);

	if (x != NULL)
		x->text = text;
}

void attributes_add_number(struct attributes *a, struct view key, int64_t number)
{
	struct attribute *x = attribute_add(a, key);

	if (x != NULL) {
		x->number = number;
		x->is_number = true;
	}
}

// Empty, and no data, when the field is not a message.
static bool message_of(const struct pb_field *f, struct pb_reader *r)
{
	bool ok = f->wire == PB_BYTES;

	pb_reader_init(r, ok ? f->bytes.data : NULL, ok ? f->bytes.size : 0);
	return ok;
}

bool sw_pair_read(struct attributes *a, const struct pb_field *pair)
{
	struct view key = {"", 0}, value = {"", 0};
	struct pb_reader r;
	struct pb_field f;
	bool ok = message_of(pair, &r);

	while (ok && pb_next(&r, &f)) {
		if (f.number == PAIR_KEY)
			ok = text_of(&f, &key);
		else if (f.number == PAIR_VALUE)
			ok = text_of(&f, &value);
	}
	if (!ok || r.failed)
		return false;
	attributes_add_text(a, key, value);
	return true;
}

bool sw_log_read(struct attributes *a, int64_t *time_ms, const struct pb_field *line)
{
	struct pb_reader r;
	struct pb_field f;
	bool ok = message_of(line, &r);

	attributes_clear(a);
	*time_ms = 0;
	while (ok && pb_next(&r, &f)) {
		if (f.number == LOG_TIME)
			ok = time_of(&f, time_ms);
		else if (f.number == LOG_DATA)
			ok = sw_pair_read(a, &f);
	}
	return ok && !r.failed;
}

bool sw_segment_read(struct sw_segment *s, struct view blob)
{
	struct pb_reader r;
	struct pb_field f;
	bool ok = true;

	*s = (struct sw_segment){{"", 0}, {"", 0}, {"", 0}, {"", 0}};
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

bool sw_reference_read(struct sw_reference *out, const struct pb_field *reference)
{
	struct pb_reader r;
	struct pb_field f;
	bool ok = message_of(reference, &r);

	*out = (struct sw_reference){{"", 0}, {"", 0}, 0};
	while (ok && pb_next(&r, &f)) {
		if (f.number == REF_TRACE_ID)
			ok = text_of(&f, &out->trace_id);
		else if (f.number == REF_SEGMENT_ID)
			ok = text_of(&f, &out->segment_id);
		else if (f.number == REF_SPAN_ID)
			ok = int32_of(&f, &out->span_id);
	}
	return ok && !r.failed;
}

static bool span_field(struct sw_span *s, const struct pb_field *f)
{
	uint64_t flag = 0;
	bool ok;

	switch (f->number) {
	case SPAN_ID:
		return int32_of(f, &s->id);
	case SPAN_PARENT_SPAN_ID:
		return int32_of(f, &s->parent);
	case SPAN_START_TIME:
		return time_of(f, &s->start_ms);
	case SPAN_END_TIME:
		return time_of(f, &s->end_ms);
	case SPAN_OPERATION_NAME:
		return text_of(f, &s->name);
	case SPAN_PEER:
		return text_of(f, &s->peer);
	case SPAN_TYPE:
		return number_of(f, &s->type);
	case SPAN_LAYER:
		return number_of(f, &s->layer);
	case SPAN_IS_ERROR:
		ok = number_of(f, &flag);
		s->is_error = flag != 0;
		return ok;
	case SW_SPAN_REFS:
		if (s->has_reference)
			return f->wire == PB_BYTES;
		s->has_reference = true;
		return sw_reference_read(&s->reference, f);
	default:
		return true;
	}
}

bool sw_span_read(struct sw_span *s, const struct pb_field *span)
{
	struct pb_reader r;
	struct pb_field f;
	bool ok = message_of(span, &r);

	*s = (struct sw_span){.bytes = span->bytes, .name = {"", 0}, .peer = {"", 0}};
	while (ok && pb_next(&r, &f))
		ok = span_field(s, &f);
	return ok && !r.failed;
}
