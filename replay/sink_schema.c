// SPDX-License-Identifier: Apache-2.0
// Checks of schema objects. Where they are kept is left to sink_registry.c.
#include "replay/sink_schema.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TAGS_MAX 1000 // columns of one table
#define NAME_MAX_BYTES 1024
#define CRC32_POLYNOMIAL UINT32_C(0xedb88320)

typedef Banyandb__Common__V1__Metadata metadata;

metadata *sink_schema_metadata(enum sink_kind k, const ProtobufCMessage *m)
{
	switch (k) {
	case SINK_GROUP:
		return ((const Banyandb__Common__V1__Group *)m)->metadata;
	case SINK_STREAM:
		return ((const Banyandb__Database__V1__Stream *)m)->metadata;
	case SINK_TRACE:
		return ((const Banyandb__Database__V1__Trace *)m)->metadata;
	case SINK_INDEX_RULE:
		return ((const Banyandb__Database__V1__IndexRule *)m)->metadata;
	case SINK_BINDING:
		return ((const Banyandb__Database__V1__IndexRuleBinding *)m)->metadata;
	case SINK_KIND_COUNT:
		break;
	}
	return NULL;
}

// ---- Checks -------------------------------------------------------------------------------

static bool invalid(struct sink_reply *r, const char *field, const char *why)
{
	sink_fail(r, SINK_CODE_INVALID_ARGUMENT, "invalid %s: %s", field, why);
	return false;
}

static bool unfit(struct sink_reply *r, const char *why)
{
	sink_fail(r, SINK_CODE_UNKNOWN, "%s", why);
	return false;
}

static bool check_group(const Banyandb__Common__V1__Group *g, struct sink_reply *r)
{
	const Banyandb__Common__V1__ResourceOpts *o = g->resource_opts;

	if (o != NULL && o->shard_num == 0)
		return invalid(r, "ResourceOpts.ShardNum", "value must be greater than 0");
	if (o != NULL && o->segment_interval != NULL && o->segment_interval->num == 0)
		return invalid(r, "ResourceOpts.SegmentInterval.Num",
			       "value must be greater than 0");
	if (o != NULL && o->ttl != NULL && o->ttl->num == 0)
		return invalid(r, "ResourceOpts.Ttl.Num", "value must be greater than 0");
	if (g->metadata->name[0] == '\0')
		return unfit(r, "metadata.name is required");
	if (g->catalog == BANYANDB__COMMON__V1__CATALOG__CATALOG_UNSPECIFIED)
		return unfit(r, "catalog is unspecified");
	if (o == NULL)
		return unfit(r, "group resourceOpts is nil");
	if (o->segment_interval == NULL)
		return unfit(r, "group segmentInterval is nil");
	if (o->ttl == NULL)
		return unfit(r, "group ttl is nil");
	if (o->segment_interval->unit ==
	    BANYANDB__COMMON__V1__INTERVAL_RULE__UNIT__UNIT_UNSPECIFIED)
		return unfit(r, "group segmentInterval unit is unspecified");
	if (o->ttl->unit == BANYANDB__COMMON__V1__INTERVAL_RULE__UNIT__UNIT_UNSPECIFIED)
		return unfit(r, "group ttl unit is unspecified");
	if ((o->ttl->unit == BANYANDB__COMMON__V1__INTERVAL_RULE__UNIT__UNIT_DAY ? 24 : 1) *
		    (uint64_t)o->ttl->num <
	    (o->segment_interval->unit == BANYANDB__COMMON__V1__INTERVAL_RULE__UNIT__UNIT_DAY
		     ? 24
		     : 1) *
		    (uint64_t)o->segment_interval->num)
		return unfit(r, "group ttl is shorter than the segment interval");
	return true;
}

static bool check_tag(const char *name, Banyandb__Database__V1__TagType type,
		      const char *untyped, struct sink_reply *r)
{
	if (type == BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_UNSPECIFIED)
		return unfit(r, untyped);
	if (name[0] == '\0')
		return invalid(r, "TagSpec.Name", "value length must be at least 1 runes");
	if (strchr(name, '#') != NULL) {
		sink_fail(r, SINK_CODE_UNKNOWN,
			  "tag name \"%.200s\" must not contain reserved character \"#\"",
			  name);
		return false;
	}
	if (strlen(name) > NAME_MAX_BYTES)
		return unfit(r, "tag name is too long");
	return true;
}

static bool same_but_for_case(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++) {
		int x = *a >= 'A' && *a <= 'Z' ? *a + 32 : *a;
		int y = *b >= 'A' && *b <= 'Z' ? *b + 32 : *b;

		if (x != y)
			return false;
	}
	return *a == *b;
}

// Names are columns of SQLite, which does not tell upper from lower case.
static bool distinct(const char *const *names, size_t count, struct sink_reply *r)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (same_but_for_case(names[i], names[j])) {
				sink_fail(r, SINK_CODE_UNKNOWN,
					  "tags \"%.200s\" and \"%.200s\" have one name",
					  names[j], names[i]);
				return false;
			}
	return true;
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool check_stream_names(const Banyandb__Database__V1__Stream *s, const char **names,
			       struct sink_reply *r)
{
	size_t count = 0;

	for (size_t i = 0; i < s->n_tag_families; i++)
		for (size_t j = 0; j < s->tag_families[i]->n_tags; j++)
			names[count++] = s->tag_families[i]->tags[j]->name;
	if (!distinct(names, count, r))
		return false;
	for (size_t i = 0; i < s->entity->n_tag_names; i++)
		if (!is_one_of(s->entity->tag_names[i], names, count)) {
			sink_fail(r, SINK_CODE_UNKNOWN, "entity tag \"%.200s\" is not defined",
				  s->entity->tag_names[i]);
			return false;
		}
	return true;
}

static bool check_family(const Banyandb__Database__V1__TagFamilySpec *f, struct sink_reply *r)
{
	if (f->name[0] == '\0')
		return invalid(r, "TagFamilySpec.Name",
			       "value length must be at least 1 runes");
	if (f->n_tags == 0)
		return invalid(r, "TagFamilySpec.Tags",
			       "value must contain at least 1 item(s)");
	return true;
}

static bool check_stream(const Banyandb__Database__V1__Stream *s, struct sink_reply *r)
{
	const char **names;
	size_t count = 0;
	bool good;

	if (s->n_tag_families == 0)
		return invalid(r, "Stream.TagFamilies",
			       "value must contain at least 1 item(s)");
	for (size_t i = 0; i < s->n_tag_families; i++) {
		if (!check_family(s->tag_families[i], r))
			return false;
		count += s->tag_families[i]->n_tags;
	}
	if (s->entity == NULL)
		return invalid(r, "Stream.Entity", "value is required");
	if (s->entity->n_tag_names == 0)
		return invalid(r, "Entity.TagNames", "value must contain at least 1 item(s)");
	if (count > TAGS_MAX)
		return unfit(r, "too many tags");
	for (size_t i = 0; i < s->n_tag_families; i++)
		for (size_t j = 0; j < s->tag_families[i]->n_tags; j++) {
			const Banyandb__Database__V1__TagSpec *t = s->tag_families[i]->tags[j];

			if (!check_tag(t->name, t->type, "tag type is unspecified", r))
				return false;
			if (t->type == BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_TIMESTAMP)
				return unfit(r,
					     "a stream cannot store a tag of type TIMESTAMP");
		}
	names = mem_zalloc(count, sizeof(*names));
	good = check_stream_names(s, names, r);
	free(names);
	return good;
}

static bool check_special(const Banyandb__Database__V1__Trace *t, const char *name,
			  Banyandb__Database__V1__TagType type, const char *what,
			  struct sink_reply *r)
{
	for (size_t i = 0; i < t->n_tags; i++) {
		if (strcmp(t->tags[i]->name, name) != 0)
			continue;
		if (t->tags[i]->type == type)
			return true;
		sink_fail(r, SINK_CODE_UNKNOWN, "%s \"%.200s\" is of the wrong type", what,
			  name);
		return false;
	}
	sink_fail(r, SINK_CODE_UNKNOWN, "%s \"%.200s\" is not defined", what, name);
	return false;
}

static bool check_trace_names(const Banyandb__Database__V1__Trace *t, struct sink_reply *r)
{
	const char **names = mem_zalloc(t->n_tags, sizeof(*names));
	bool good;

	for (size_t i = 0; i < t->n_tags; i++)
		names[i] = t->tags[i]->name;
	good = distinct(names, t->n_tags, r);
	free(names);
	return good &&
	       check_special(t, t->trace_id_tag_name,
			     BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_STRING, "trace id tag",
			     r) &&
	       check_special(t, t->timestamp_tag_name,
			     BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_TIMESTAMP,
			     "timestamp tag", r) &&
	       check_special(t, t->span_id_tag_name,
			     BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_STRING, "span id tag",
			     r);
}

static bool check_trace(const Banyandb__Database__V1__Trace *t, struct sink_reply *r)
{
	static const char too_short[] = "value length must be at least 1 runes";

	if (t->n_tags == 0)
		return invalid(r, "Trace.Tags", "value must contain at least 1 item(s)");
	if (t->trace_id_tag_name[0] == '\0')
		return invalid(r, "Trace.TraceIdTagName", too_short);
	if (t->timestamp_tag_name[0] == '\0')
		return invalid(r, "Trace.TimestampTagName", too_short);
	if (t->span_id_tag_name[0] == '\0')
		return invalid(r, "Trace.SpanIdTagName", too_short);
	if (t->n_tags > TAGS_MAX)
		return unfit(r, "too many tags");
	for (size_t i = 0; i < t->n_tags; i++)
		if (!check_tag(t->tags[i]->name, t->tags[i]->type,
			       "trace tag type is unspecified", r))
			return false;
	return check_trace_names(t, r);
}

static bool check_rule(const Banyandb__Database__V1__IndexRule *rule, struct sink_reply *r)
{
	if (rule->n_tags == 0)
		return invalid(r, "IndexRule.Tags", "value must contain at least 1 item(s)");
	if (rule->type == BANYANDB__DATABASE__V1__INDEX_RULE__TYPE__TYPE_UNSPECIFIED)
		return unfit(r, "indexRule type is unspecified");
	return true;
}

static bool check_binding(const Banyandb__Database__V1__IndexRuleBinding *b,
			  struct sink_reply *r)
{
	if (b->n_rules == 0)
		return invalid(r, "IndexRuleBinding.Rules",
			       "value must contain at least 1 item(s)");
	if (b->subject == NULL)
		return invalid(r, "IndexRuleBinding.Subject", "value is required");
	if (b->begin_at == NULL)
		return invalid(r, "IndexRuleBinding.BeginAt", "value is required");
	if (b->expire_at == NULL)
		return invalid(r, "IndexRuleBinding.ExpireAt", "value is required");
	return true;
}

static bool check_metadata(enum sink_kind k, const metadata *m, struct sink_reply *r)
{
	static const char *const field[SINK_KIND_COUNT] = {
		"Group.Metadata", "Stream.Metadata", "Trace.Metadata", "IndexRule.Metadata",
		"IndexRuleBinding.Metadata"};

	if (m == NULL)
		return invalid(r, field[k], "value is required");
	if (k != SINK_GROUP && m->group[0] == '\0')
		return unfit(r, "metadata.group is required");
	if (k != SINK_GROUP && m->name[0] == '\0')
		return unfit(r, "metadata.name is required");
	if (!utf8_valid(m->group, strlen(m->group)) || !utf8_valid(m->name, strlen(m->name))) {
		sink_fail(r, SINK_CODE_INTERNAL,
			  "grpc: error unmarshalling request: string field contains invalid "
			  "UTF-8");
		return false;
	}
	return true;
}

bool sink_schema_check(enum sink_kind k, const ProtobufCMessage *m, struct sink_reply *r)
{
	if (!check_metadata(k, sink_schema_metadata(k, m), r))
		return false;
	switch (k) {
	case SINK_GROUP:
		return check_group((const void *)m, r);
	case SINK_STREAM:
		return check_stream((const void *)m, r);
	case SINK_TRACE:
		return check_trace((const void *)m, r);
	case SINK_INDEX_RULE:
		return check_rule((const void *)m, r);
	case SINK_BINDING:
	case SINK_KIND_COUNT:
		break;
	}
	return check_binding((const void *)m, r);
}

// ---- Changes ------------------------------------------------------------------------------

// The places of an object's times, which protobuf-c allocates with malloc.
static void time_fields(enum sink_kind k, ProtobufCMessage *m,
			Google__Protobuf__Timestamp ***created,
			Google__Protobuf__Timestamp ***updated)
{
	switch (k) {
	case SINK_GROUP:
		*created = &((Banyandb__Common__V1__Group *)m)->created_at;
		*updated = &((Banyandb__Common__V1__Group *)m)->updated_at;
		return;
	case SINK_STREAM:
		*created = &((Banyandb__Database__V1__Stream *)m)->created_at;
		*updated = &((Banyandb__Database__V1__Stream *)m)->updated_at;
		return;
	case SINK_TRACE:
		*created = &((Banyandb__Database__V1__Trace *)m)->created_at;
		*updated = &((Banyandb__Database__V1__Trace *)m)->updated_at;
		return;
	case SINK_INDEX_RULE:
		*created = &((Banyandb__Database__V1__IndexRule *)m)->created_at;
		*updated = &((Banyandb__Database__V1__IndexRule *)m)->updated_at;
		return;
	case SINK_BINDING:
	case SINK_KIND_COUNT:
		break;
	}
	*created = &((Banyandb__Database__V1__IndexRuleBinding *)m)->created_at;
	*updated = &((Banyandb__Database__V1__IndexRuleBinding *)m)->updated_at;
}

static void set_time(Google__Protobuf__Timestamp **at, int64_t ms)
{
	if (*at == NULL) {
		*at = mem_alloc(sizeof(**at));
		google__protobuf__timestamp__init(*at);
	}
	(*at)->seconds = ms / MS_PER_S;
	(*at)->nanos = (int32_t)(ms % MS_PER_S * NS_PER_MS);
}

// CRC-32 of IEEE 802.3, bit by bit: a few names at a time are not worth a table.
static uint32_t crc32_of(uint32_t crc, const char *s)
{
	crc = ~crc;
	for (; *s != '\0'; s++) {
		crc ^= (uint8_t)*s;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32_POLYNOMIAL : 0);
	}
	return ~crc;
}

int64_t sink_schema_created_ms(enum sink_kind k, const ProtobufCMessage *m)
{
	const Google__Protobuf__Timestamp *t = NULL;

	switch (k) {
	case SINK_GROUP:
		t = ((const Banyandb__Common__V1__Group *)m)->created_at;
		break;
	case SINK_STREAM:
		t = ((const Banyandb__Database__V1__Stream *)m)->created_at;
		break;
	case SINK_TRACE:
		t = ((const Banyandb__Database__V1__Trace *)m)->created_at;
		break;
	case SINK_INDEX_RULE:
		t = ((const Banyandb__Database__V1__IndexRule *)m)->created_at;
		break;
	case SINK_BINDING:
		t = ((const Banyandb__Database__V1__IndexRuleBinding *)m)->created_at;
		break;
	case SINK_KIND_COUNT:
		break;
	}
	return t != NULL ? t->seconds * MS_PER_S + t->nanos / NS_PER_MS : 0;
}

void sink_schema_stamp(enum sink_kind k, ProtobufCMessage *m, int64_t revision,
		       int64_t created_ms, int64_t updated_ms)
{
	Google__Protobuf__Timestamp **created_at, **updated_at;
	metadata *meta = sink_schema_metadata(k, m);

	assert(meta != NULL); // checked when the object came in
	time_fields(k, m, &created_at, &updated_at);
	meta->create_revision = 0; // a real server never fills it
	meta->mod_revision = revision;
	if (k == SINK_INDEX_RULE && meta->id == 0)
		meta->id = crc32_of(crc32_of(0, meta->group), meta->name);
	set_time(created_at, created_ms);
	set_time(updated_at, updated_ms);
}

static uint8_t *pack(const ProtobufCMessage *m, size_t *size)
{
	uint8_t *p;

	*size = protobuf_c_message_get_packed_size(m);
	p = mem_alloc(*size + 1);
	protobuf_c_message_pack(m, p);
	return p;
}

// The bytes of the message had nobody stamped it. Caller frees.
static uint8_t *pack_plain(enum sink_kind k, const ProtobufCMessage *message, size_t *size)
{
	uint8_t *bytes = pack(message, size), *plain;
	ProtobufCMessage *m =
		protobuf_c_message_unpack(message->descriptor, NULL, *size, bytes);
	Google__Protobuf__Timestamp **created_at, **updated_at;
	metadata *meta;

	free(bytes);
	if (m == NULL)
		return NULL;
	meta = sink_schema_metadata(k, m);
	assert(meta != NULL);
	meta->id = 0;
	meta->create_revision = meta->mod_revision = 0;
	time_fields(k, m, &created_at, &updated_at);
	free(*created_at);
	free(*updated_at);
	*created_at = *updated_at = NULL;
	plain = pack(m, size);
	protobuf_c_message_free_unpacked(m, NULL);
	return plain;
}

bool sink_schema_same(enum sink_kind k, const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	size_t a_size = 0, b_size = 0;
	uint8_t *a_bytes = pack_plain(k, a, &a_size), *b_bytes = pack_plain(k, b, &b_size);
	bool same = a_bytes != NULL && b_bytes != NULL && a_size == b_size &&
		    memcmp(a_bytes, b_bytes, a_size) == 0;

	free(a_bytes);
	free(b_bytes);
	return same;
}

static bool entities_equal(const Banyandb__Database__V1__Entity *a,
			   const Banyandb__Database__V1__Entity *b)
{
	if (a->n_tag_names != b->n_tag_names)
		return false;
	for (size_t i = 0; i < a->n_tag_names; i++)
		if (strcmp(a->tag_names[i], b->tag_names[i]) != 0)
			return false;
	return true;
}

bool sink_schema_update_fits(enum sink_kind k, const ProtobufCMessage *before,
			     const ProtobufCMessage *after, struct sink_reply *r)
{
	if (k == SINK_STREAM &&
	    !entities_equal(((const Banyandb__Database__V1__Stream *)before)->entity,
			    ((const Banyandb__Database__V1__Stream *)after)->entity))
		return unfit(r, "validation failed: entity is different");
	return true;
}
