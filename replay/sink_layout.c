// SPDX-License-Identifier: Apache-2.0
// Values of a WriteRequest into the tags of a row: which value is for which tag (the layout),
// and what a row of each model must bring. Metadata, acks and storing are left to sink_write.c.
#include "replay/sink_layout.h"

#include <xxhash.h>

#include "replay/sink_value.h"

// ---- Layouts -------------------------------------------------------------------------------

static size_t find_tag(const struct sink_object *o, struct view family, struct view name)
{
	size_t at = sink_object_tag(o, name);

	if (at != SINK_NO_TAG && o->kind == SINK_STREAM &&
	    !view_equal(view_of(sink_object_family_name(o, o->tags[at].family)), family))
		at = SINK_NO_TAG;
	return at;
}

// Reads one spec: names of tags (field 2 of a stream's TagFamilySpec, 1 of a trace's TagSpec).
// Counts when l->tag is NULL.
static size_t layout_family(struct sink_layout *l, struct view spec, size_t at)
{
	const bool stream = l->object->kind == SINK_STREAM;
	const uint32_t number = stream ? 2 : 1;
	struct view family = VIEW("");
	struct pb_reader in;
	struct pb_field f;

	pb_reader_init(&in, spec.data, spec.size);
	while (stream && pb_next(&in, &f))
		if (f.number == 1 && f.wire == PB_BYTES)
			family = f.bytes;
	pb_reader_init(&in, spec.data, spec.size);
	while (pb_next(&in, &f)) {
		if (f.number != number || f.wire != PB_BYTES)
			continue;
		if (l->tag != NULL)
			l->tag[at] = find_tag(l->object, family, f.bytes);
		at++;
	}
	return at;
}

// A stream has a spec for each family; a trace has one family, so that what is repeated is
// merged.
static size_t layout_spec(struct sink_layout *l, struct view spec)
{
	struct pb_reader in;
	struct pb_field f;
	size_t at = 0;

	l->family_count = 0;
	pb_reader_init(&in, spec.data, spec.size);
	while (pb_next(&in, &f)) {
		if (l->object->kind == SINK_STREAM || l->family_count == 0) {
			if (l->start != NULL)
				l->start[l->family_count] = at;
			l->family_count++;
		}
		at = layout_family(l, f.bytes, at);
	}
	if (l->start != NULL)
		l->start[l->family_count] = at;
	return at;
}

static void layout_schema(struct sink_layout *l)
{
	const struct sink_object *o = l->object;

	for (size_t i = 0; i < o->tag_count; i++) {
		l->tag[i] = i;
		if (i == 0 || o->tags[i].family != o->tags[i - 1].family)
			l->start[o->tags[i].family] = i;
	}
	l->start[l->family_count] = o->tag_count;
}

bool sink_layout_make(struct sink_layout *l, const struct sink_registry *r,
		      const struct sink_object *o, struct view spec, struct arena *a)
{
	size_t count = o->tag_count;

	*l = (struct sink_layout){.object = o, .family_count = sink_object_family_count(o)};
	if (spec.size > 0)
		count = layout_spec(l, spec);
	l->start = arena_alloc(a, l->family_count + 1, sizeof(*l->start));
	l->tag = arena_alloc(a, count, sizeof(*l->tag));
	l->key = arena_alloc(a, o->tag_count, sizeof(*l->key));
	if (l->start == NULL || l->tag == NULL || l->key == NULL)
		return false;
	if (spec.size > 0)
		layout_spec(l, spec);
	else
		layout_schema(l);
	for (size_t i = 0; i < o->tag_count; i++)
		l->key[i] = o->tags[i].key || sink_registry_is_prefix(r, o, o->tags[i].name);
	return true;
}

// ---- Rows ----------------------------------------------------------------------------------

// Value number `at` of the layout's list; end: where its family ends.
static enum sink_row_result put_value(const struct sink_layout *l, struct view bytes, size_t at,
				      size_t end, struct sink_value *values)
{
	const struct sink_object *o = l->object;
	struct sink_value v;
	size_t tag;

	if (at >= end)
		return SINK_ROW_BAD; // more values than tags
	tag = l->tag[at];
	switch (sink_value_read(bytes,
				tag == SINK_NO_TAG
					? BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_UNSPECIFIED
					: o->tags[tag].type,
				&v)) {
	case SINK_VALUE_GOOD:
		break;
	case SINK_VALUE_EMPTY:
		if (tag != SINK_NO_TAG && l->key[tag])
			return SINK_ROW_BAD;
		break;
	case SINK_VALUE_OTHER_TYPE:
		return SINK_ROW_BAD;
	case SINK_VALUE_UNREADABLE:
		return SINK_ROW_UNREADABLE;
	}
	if (tag != SINK_NO_TAG)
		values[tag] = v;
	return SINK_ROW_GOOD;
}

// A tag that a row must bring: is there a value at its position?
static bool has_position(const struct sink_layout *l, size_t tag, const size_t *sent)
{
	for (size_t f = 0; f < l->family_count; f++)
		for (size_t j = l->start[f]; j < l->start[f + 1] && j < l->start[f] + sent[f];
		     j++)
			if (l->tag[j] == tag)
				return true;
	return false;
}

static enum sink_row_result read_family(const struct sink_layout *l, struct view bytes,
					size_t family, size_t *sent, struct sink_value *values)
{
	size_t at = l->start[family], end = l->start[family + 1];
	enum sink_row_result result = SINK_ROW_GOOD, this;
	struct pb_reader in;
	struct pb_field f;

	pb_reader_init(&in, bytes.data, bytes.size);
	while (pb_next(&in, &f)) {
		if (f.number != 1 || f.wire != PB_BYTES)
			continue;
		this = put_value(l, f.bytes, at++, end, values);
		if (this > result)
			result = this;
	}
	*sent = at - l->start[family];
	return in.failed ? SINK_ROW_UNREADABLE : result;
}

enum sink_row_result sink_row_stream(const struct sink_layout *l, struct view element,
				     struct arena *a, struct sink_row *row, struct view *id)
{
	const struct sink_object *o = l->object;
	size_t *sent = arena_alloc(a, l->family_count + 1, sizeof(*sent));
	enum sink_row_result result = SINK_ROW_GOOD, this;
	size_t family = 0;
	struct pb_reader in;
	struct pb_field f;

	*id = VIEW("");
	if (sent == NULL)
		return SINK_ROW_BAD;
	pb_reader_init(&in, element.data, element.size);
	while (pb_next(&in, &f)) {
		if (f.number == 1 && f.wire == PB_BYTES)
			*id = f.bytes;
		if (f.number != 3 || f.wire != PB_BYTES)
			continue;
		this = SINK_ROW_BAD; // more families than the schema
		if (family < l->family_count)
			this = read_family(l, f.bytes, family, &sent[family], row->values);
		family++;
		if (this > result)
			result = this;
	}
	if (in.failed || !utf8_valid(id->data, id->size))
		return SINK_ROW_UNREADABLE;
	for (size_t i = 0; i < o->tag_count; i++)
		if (o->tags[i].key && !has_position(l, i, sent) && result == SINK_ROW_GOOD)
			result = SINK_ROW_BAD;
	return result;
}

enum sink_row_result sink_row_time(struct view element, int64_t *ns)
{
	enum sink_row_result result = SINK_ROW_BAD_TIME;
	struct pb_reader in;
	struct pb_field f;

	pb_reader_init(&in, element.data, element.size);
	while (pb_next(&in, &f)) {
		if (f.number != 2 || f.wire != PB_BYTES)
			continue;
		switch (sink_time_read(f.bytes, ns)) {
		case SINK_VALUE_GOOD:
			result = *ns > 0 && *ns % NS_PER_MS == 0 ? SINK_ROW_GOOD
								 : SINK_ROW_BAD_TIME;
			break;
		case SINK_VALUE_UNREADABLE:
			return SINK_ROW_UNREADABLE;
		case SINK_VALUE_EMPTY:
		case SINK_VALUE_OTHER_TYPE:
			result = SINK_ROW_BAD_TIME;
			break;
		}
	}
	return in.failed ? SINK_ROW_UNREADABLE : result;
}

enum sink_row_result sink_row_trace(const struct sink_layout *l, struct view message,
				    struct sink_row *row)
{
	const struct sink_object *o = l->object;
	size_t at = 0, sent[1];
	enum sink_row_result result = SINK_ROW_GOOD, this;
	const struct sink_value *time = &row->values[o->timestamp_tag];
	const struct sink_value *id = &row->values[o->trace_id_tag];
	struct pb_reader in;
	struct pb_field f;

	pb_reader_init(&in, message.data, message.size);
	while (pb_next(&in, &f)) {
		if (f.number != 2 || f.wire != PB_BYTES)
			continue;
		this = put_value(l, f.bytes, at++, l->start[1], row->values);
		if (this > result)
			result = this;
	}
	if (result == SINK_ROW_UNREADABLE)
		return result;
	if (time->type != SINK_INT || time->number <= 0 || time->number % NS_PER_MS != 0)
		return SINK_ROW_BAD_TIME;
	sent[0] = at;
	if (id->type != SINK_TEXT || id->bytes.size == 0 ||
	    !has_position(l, o->span_id_tag, sent))
		return SINK_ROW_BAD;
	row->ts_ns = time->number;
	row->shard = (uint32_t)(XXH64(id->bytes.data, id->bytes.size, 0) % o->shard_count);
	return result;
}
