// SPDX-License-Identifier: Apache-2.0
// TagValues. What a row must hold is left to sink_write.c.
#include "replay/sink_value.h"

#define BINARY BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_DATA_BINARY
#define STRING BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_STRING
#define INT BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_INT
#define STRINGS BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_STRING_ARRAY
#define INTS BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_INT_ARRAY
#define TIMESTAMP BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_TIMESTAMP
#define ANY BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_UNSPECIFIED

// Numbers of TagValue's members.
enum { NULL_FIELD = 1, STR = 2, STR_ARRAY = 3, INT64 = 4, INT_ARRAY = 5, BYTES = 6, TIME = 7 };

enum sink_value_result sink_time_read(struct view bytes, int64_t *ns)
{
	int64_t seconds = 0, nanos = 0;
	struct pb_reader in;
	struct pb_field f;

	pb_reader_init(&in, bytes.data, bytes.size);
	while (pb_next(&in, &f)) {
		if (f.number == 1 && f.wire == PB_VARINT)
			seconds = (int64_t)f.value;
		else if (f.number == 2 && f.wire == PB_VARINT)
			nanos = (int32_t)(uint32_t)f.value;
	}
	if (in.failed)
		return SINK_VALUE_UNREADABLE;
	if (nanos < 0 || nanos >= NS_PER_S || __builtin_mul_overflow(seconds, NS_PER_S, ns) ||
	    __builtin_add_overflow(*ns, nanos, ns))
		return SINK_VALUE_OTHER_TYPE;
	return SINK_VALUE_GOOD;
}

void sink_time_put(struct buf *out, uint32_t field, int64_t ns)
{
	uint8_t b[2 + 2 * PB_VARINT_MAX];
	int64_t seconds = ns / NS_PER_S, nanos = ns % NS_PER_S;
	size_t n = 0;

	if (nanos < 0) {
		seconds--;
		nanos += NS_PER_S;
	}
	if (seconds != 0) {
		b[n++] = 1 << 3 | PB_VARINT;
		n += pb_varint_write(b + n, (uint64_t)seconds);
	}
	if (nanos != 0) {
		b[n++] = 2 << 3 | PB_VARINT;
		n += pb_varint_write(b + n, (uint64_t)nanos);
	}
	pb_put_bytes(out, field, b, n);
}

// The one field of a wrapper message: Str.value or Int.value.
static bool unwrap(struct view wrapper, struct pb_field *value)
{
	struct pb_reader in;
	struct pb_field f;

	*value = (struct pb_field){0};
	pb_reader_init(&in, wrapper.data, wrapper.size);
	while (pb_next(&in, &f))
		if (f.number == 1)
			*value = f;
	return !in.failed;
}

// The last member on the wire is the one that counts.
static bool last_member(struct view bytes, struct pb_field *member)
{
	struct pb_reader in;
	struct pb_field f;

	*member = (struct pb_field){0};
	pb_reader_init(&in, bytes.data, bytes.size);
	while (pb_next(&in, &f)) {
		bool is_null = f.number == NULL_FIELD && f.wire == PB_VARINT;

		if (is_null || (f.number >= STR && f.number <= TIME && f.wire == PB_BYTES))
			*member = f;
	}
	return !in.failed;
}

static enum sink_value_result fits(Banyandb__Database__V1__TagType type,
				   Banyandb__Database__V1__TagType is)
{
	return type == is || type == ANY ? SINK_VALUE_GOOD : SINK_VALUE_OTHER_TYPE;
}

static enum sink_value_result read_str(struct view bytes, Banyandb__Database__V1__TagType type,
				       struct sink_value *v)
{
	struct pb_field inner;

	if (!unwrap(bytes, &inner) || !utf8_valid(inner.bytes.data, inner.bytes.size))
		return SINK_VALUE_UNREADABLE;
	*v = (struct sink_value){.type = SINK_TEXT, .bytes = inner.bytes};
	return fits(type, STRING);
}

enum sink_value_result sink_value_read(struct view bytes, Banyandb__Database__V1__TagType type,
				       struct sink_value *v)
{
	enum sink_value_result time;
	struct pb_field member, inner;

	*v = (struct sink_value){.type = SINK_NULL};
	if (!last_member(bytes, &member))
		return SINK_VALUE_UNREADABLE;
	switch (member.number) {
	case 0:
		return SINK_VALUE_EMPTY;
	case NULL_FIELD:
		return SINK_VALUE_GOOD;
	case STR:
		return read_str(member.bytes, type, v);
	case INT64:
		if (!unwrap(member.bytes, &inner))
			return SINK_VALUE_UNREADABLE;
		*v = (struct sink_value){.type = SINK_INT, .number = (int64_t)inner.value};
		return fits(type, INT);
	case BYTES:
		*v = (struct sink_value){.type = SINK_BLOB, .bytes = member.bytes};
		return fits(type, BINARY);
	case TIME:
		v->type = SINK_INT;
		time = sink_time_read(member.bytes, &v->number);
		return time != SINK_VALUE_GOOD ? time : fits(type, TIMESTAMP);
	default:
		break;
	}
	*v = (struct sink_value){.type = SINK_BLOB, .bytes = bytes};
	return fits(type, member.number == STR_ARRAY ? STRINGS : INTS);
}

// Field `field` { member { 1: value } }, where value takes size_bytes with its tag.
static void put_head(struct buf *out, uint32_t field, uint32_t member, size_t size_bytes)
{
	pb_put_tag(out, field, PB_BYTES);
	pb_put_varint(out, 1 + pb_varint_size(size_bytes) + size_bytes);
	pb_put_tag(out, member, PB_BYTES);
	pb_put_varint(out, size_bytes);
}

static void put_text(struct buf *out, uint32_t field, struct view text)
{
	size_t size = text.size > 0 ? 1 + pb_varint_size(text.size) + text.size : 0;

	put_head(out, field, STR, size);
	pb_put_view(out, 1, text);
}

static void put_number(struct buf *out, uint32_t field, int64_t number)
{
	put_head(out, field, INT64, number != 0 ? 1 + pb_varint_size((uint64_t)number) : 0);
	pb_put_uint_nz(out, 1, (uint64_t)number);
}

static void put_binary(struct buf *out, uint32_t field, struct view bytes)
{
	put_head(out, field, BYTES, bytes.size);
	buf_put_view(out, bytes);
}

static void put_time(struct buf *out, uint32_t field, int64_t ns)
{
	uint8_t b[4 + 2 * PB_VARINT_MAX];
	struct buf time;

	buf_init(&time, sizeof(b));
	sink_time_put(&time, TIME, ns);
	pb_put_bytes(out, field, time.data, time.size);
	buf_free(&time);
}

void sink_value_put(struct buf *out, uint32_t field, Banyandb__Database__V1__TagType type,
		    const struct sink_value *v)
{
	static const uint8_t null[] = {NULL_FIELD << 3 | PB_VARINT, 0};

	if (v->type == SINK_TEXT && type == STRING)
		put_text(out, field, v->bytes);
	else if (v->type == SINK_INT && type == INT)
		put_number(out, field, v->number);
	else if (v->type == SINK_BLOB && type == BINARY)
		put_binary(out, field, v->bytes);
	else if (v->type == SINK_INT && type == TIMESTAMP)
		put_time(out, field, v->number);
	else if (v->type == SINK_BLOB && (type == STRINGS || type == INTS))
		pb_put_bytes(out, field, v->bytes.data, v->bytes.size);
	else
		pb_put_bytes(out, field, null, sizeof(null));
}
