// SPDX-License-Identifier: Apache-2.0
// The schema objects of spansink in memory, and the tables of their rows. The calls that change
// them are in sink_verbs.c, what a kind demands of its objects in sink_schema.c.
#include "replay/sink_registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/sink_schema.h"

#define HOUR_NS (3600 * NS_PER_S)

const ProtobufCMessageDescriptor *sink_kind_descriptor(enum sink_kind kind)
{
	switch (kind) {
	case SINK_GROUP:
		return &banyandb__common__v1__group__descriptor;
	case SINK_STREAM:
		return &banyandb__database__v1__stream__descriptor;
	case SINK_TRACE:
		return &banyandb__database__v1__trace__descriptor;
	case SINK_INDEX_RULE:
		return &banyandb__database__v1__index_rule__descriptor;
	case SINK_BINDING:
	case SINK_KIND_COUNT:
		break;
	}
	return &banyandb__database__v1__index_rule_binding__descriptor;
}

// ---- Objects ------------------------------------------------------------------------------

void sink_object_free(struct sink_object *o)
{
	if (o == NULL)
		return;
	sink_table_close(o->table);
	if (o->message != NULL)
		protobuf_c_message_free_unpacked(o->message, NULL);
	free(o->tags);
	free(o);
}

static void add_tag(struct sink_object *o, const char *name,
		    Banyandb__Database__V1__TagType type, size_t family)
{
	o->tags[o->tag_count++] =
		(struct sink_tag){.name = name, .type = type, .family = family};
}

static void list_stream_tags(struct sink_object *o)
{
	const Banyandb__Database__V1__Stream *m = (const void *)o->message;
	size_t count = 0, at;

	for (size_t i = 0; i < m->n_tag_families; i++)
		count += m->tag_families[i]->n_tags;
	o->tags = mem_zalloc(count + 1, sizeof(*o->tags));
	for (size_t i = 0; i < m->n_tag_families; i++)
		for (size_t j = 0; j < m->tag_families[i]->n_tags; j++)
			add_tag(o, m->tag_families[i]->tags[j]->name,
				m->tag_families[i]->tags[j]->type, i);
	for (size_t i = 0; m->entity != NULL && i < m->entity->n_tag_names; i++) {
		at = sink_object_tag(o, view_of(m->entity->tag_names[i]));
		if (at != SINK_NO_TAG)
			o->tags[at].key = true;
	}
}

static void list_trace_tags(struct sink_object *o)
{
	const Banyandb__Database__V1__Trace *m = (const void *)o->message;

	o->tags = mem_zalloc(m->n_tags + 1, sizeof(*o->tags));
	for (size_t i = 0; i < m->n_tags; i++)
		add_tag(o, m->tags[i]->name, m->tags[i]->type, 0);
	o->trace_id_tag = sink_object_tag(o, view_of(m->trace_id_tag_name));
	o->timestamp_tag = sink_object_tag(o, view_of(m->timestamp_tag_name));
	o->span_id_tag = sink_object_tag(o, view_of(m->span_id_tag_name));
}

// Takes the message, whatever happens.
struct sink_object *sink_object_new(enum sink_kind kind, ProtobufCMessage *message)
{
	struct sink_object *o = mem_zalloc(1, sizeof(*o));
	const Banyandb__Common__V1__Metadata *meta = sink_schema_metadata(kind, message);

	o->kind = kind;
	o->message = message;
	o->oid = -1;
	o->group = kind == SINK_GROUP ? "" : meta->group;
	o->name = meta->name;
	o->revision = meta->mod_revision;
	o->trace_id_tag = o->timestamp_tag = o->span_id_tag = SINK_NO_TAG;
	if (kind == SINK_STREAM)
		list_stream_tags(o);
	else if (kind == SINK_TRACE)
		list_trace_tags(o);
	return o;
}

static int compare_views(struct view a, struct view b)
{
	size_t n = a.size < b.size ? a.size : b.size;
	int c = n > 0 ? memcmp(a.data, b.data, n) : 0;

	if (c != 0)
		return c;
	return a.size < b.size ? -1 : a.size > b.size;
}

static int compare(const struct sink_object *o, enum sink_kind kind, struct view group,
		   struct view name)
{
	int c;

	if (o->kind != kind)
		return o->kind < kind ? -1 : 1;
	c = compare_views(view_of(o->group), group);
	return c != 0 ? c : compare_views(view_of(o->name), name);
}

// Where the object is, or would stand.
static size_t position(const struct sink_registry *r, enum sink_kind kind, struct view group,
		       struct view name, bool *found)
{
	size_t low = 0, high = r->count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = compare(r->objects[middle], kind, group, name);

		if (c == 0) {
			*found = true;
			return middle;
		}
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct sink_object *sink_registry_find(const struct sink_registry *r, enum sink_kind kind,
				       struct view group, struct view name)
{
	bool found;
	size_t at = position(r, kind, kind == SINK_GROUP ? VIEW("") : group, name, &found);

	return found ? r->objects[at] : NULL;
}

// Streams and traces know their group's number of shards.
static void spread_shards(struct sink_registry *r, const struct sink_object *group)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->objects[i]->group, group->name) == 0)
			r->objects[i]->shard_count =
				sink_group_message(group)->resource_opts->shard_num;
}

void sink_registry_insert(struct sink_registry *r, struct sink_object *o)
{
	bool found;
	size_t at = position(r, o->kind, view_of(o->group), view_of(o->name), &found);

	r->changes++;
	if (o->kind == SINK_GROUP)
		spread_shards(r, o);
	if (found) {
		sink_object_free(r->objects[at]);
		r->objects[at] = o;
		return;
	}
	if (r->count == r->capacity) {
		r->capacity = r->capacity > 0 ? 2 * r->capacity : 64;
		r->objects = mem_realloc(r->objects, r->capacity, sizeof(struct sink_object *));
	}
	memmove(r->objects + at + 1, r->objects + at,
		(r->count - at) * sizeof(struct sink_object *));
	r->objects[at] = o;
	r->count++;
}

void sink_registry_erase(struct sink_registry *r, struct sink_object *o)
{
	bool found;
	size_t at = position(r, o->kind, view_of(o->group), view_of(o->name), &found);

	r->changes++;
	sink_object_free(o);
	memmove(r->objects + at, r->objects + at + 1,
		(r->count - at - 1) * sizeof(struct sink_object *));
	r->count--;
}

size_t sink_object_tag(const struct sink_object *o, struct view name)
{
	for (size_t i = 0; i < o->tag_count; i++)
		if (view_equal(view_of(o->tags[i].name), name))
			return i;
	return SINK_NO_TAG;
}

bool sink_tag_is_large(const struct sink_tag *t)
{
	return t->type == BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_DATA_BINARY;
}

size_t sink_object_family_count(const struct sink_object *o)
{
	return o->kind == SINK_STREAM
		       ? ((const Banyandb__Database__V1__Stream *)o->message)->n_tag_families
		       : 1;
}

const char *sink_object_family_name(const struct sink_object *o, size_t family)
{
	const Banyandb__Database__V1__Stream *m = (const void *)o->message;

	return o->kind == SINK_STREAM ? m->tag_families[family]->name : "";
}

const Banyandb__Common__V1__Group *sink_group_message(const struct sink_object *o)
{
	return (const Banyandb__Common__V1__Group *)o->message;
}

static int64_t interval_ns(const Banyandb__Common__V1__IntervalRule *rule)
{
	int64_t unit = rule->unit == BANYANDB__COMMON__V1__INTERVAL_RULE__UNIT__UNIT_HOUR
			       ? HOUR_NS
			       : 24 * HOUR_NS;
	int64_t ns;

	return __builtin_mul_overflow(unit, (int64_t)rule->num, &ns) ? INT64_MAX / 2 : ns;
}

int64_t sink_group_segment_ns(const struct sink_object *group)
{
	return interval_ns(sink_group_message(group)->resource_opts->segment_interval);
}

int64_t sink_group_ttl_ns(const struct sink_object *group)
{
	return interval_ns(sink_group_message(group)->resource_opts->ttl);
}

int64_t sink_group_oldest_ns(const struct sink_object *group, const struct sink_time *now)
{
	int64_t segment = sink_group_segment_ns(group);
	int64_t oldest = now->wall_ms * NS_PER_MS - sink_group_ttl_ns(group);

	// A long TTL reaches back before 1970, where no row can be.
	return oldest <= 0 ? 0 : oldest / segment * segment;
}

static bool binds(const Banyandb__Database__V1__IndexRuleBinding *b,
		  const struct sink_object *o)
{
	Banyandb__Common__V1__Catalog catalog =
		o->kind == SINK_STREAM ? BANYANDB__COMMON__V1__CATALOG__CATALOG_STREAM
				       : BANYANDB__COMMON__V1__CATALOG__CATALOG_TRACE;

	return strcmp(b->metadata->group, o->group) == 0 && b->subject->catalog == catalog &&
	       strcmp(b->subject->name, o->name) == 0;
}

const Banyandb__Database__V1__IndexRule *sink_registry_bound_rule(const struct sink_registry *r,
								  const struct sink_object *o,
								  struct view name)
{
	const struct sink_object *rule =
		sink_registry_find(r, SINK_INDEX_RULE, view_of(o->group), name);

	for (size_t i = 0; rule != NULL && i < r->count; i++) {
		const Banyandb__Database__V1__IndexRuleBinding *b =
			(const void *)r->objects[i]->message;

		if (r->objects[i]->kind != SINK_BINDING || !binds(b, o))
			continue;
		for (size_t j = 0; j < b->n_rules; j++)
			if (view_equal(view_of(b->rules[j]), name))
				return (const void *)rule->message;
	}
	return NULL;
}

bool sink_registry_is_prefix(const struct sink_registry *r, const struct sink_object *o,
			     const char *tag)
{
	for (size_t i = 0; i < r->count; i++) {
		const Banyandb__Database__V1__IndexRule *rule =
			(const void *)r->objects[i]->message;

		if (r->objects[i]->kind != SINK_INDEX_RULE ||
		    strcmp(r->objects[i]->group, o->group) != 0 ||
		    sink_registry_bound_rule(r, o, view_of(r->objects[i]->name)) == NULL)
			continue;
		for (size_t j = 0; j + 1 < rule->n_tags; j++)
			if (strcmp(rule->tags[j], tag) == 0)
				return true;
	}
	return false;
}

// ---- Tables -------------------------------------------------------------------------------

enum status sink_object_open_table(struct sink_registry *r, struct sink_object *o,
				   struct err *e)
{
	const struct sink_object *group =
		sink_registry_find(r, SINK_GROUP, VIEW(""), view_of(o->group));
	struct sink_column *columns = mem_zalloc(o->tag_count + 1, sizeof(*columns));
	enum status st;

	if (group != NULL)
		o->shard_count = sink_group_message(group)->resource_opts->shard_num;
	for (size_t i = 0; i < o->tag_count; i++)
		columns[i] =
			(struct sink_column){o->tags[i].name, sink_tag_is_large(&o->tags[i])};
	st = sink_table_open(&o->table, r->store, o->oid, columns, o->tag_count, e);
	if (st == OK && o->trace_id_tag != SINK_NO_TAG)
		st = sink_table_index(o->table, o->tags[o->trace_id_tag].name, e);
	free(columns);
	return st;
}

enum status sink_object_index(const struct sink_registry *r, struct sink_object *o, size_t tag,
			      struct err *e)
{
	enum status st = OK;

	for (size_t i = 0; st == OK && !o->tags[tag].indexed && i < r->count; i++) {
		const Banyandb__Database__V1__IndexRule *rule =
			(const void *)r->objects[i]->message;

		if (r->objects[i]->kind != SINK_INDEX_RULE ||
		    strcmp(r->objects[i]->group, o->group) != 0 || rule->n_tags != 1 ||
		    strcmp(rule->tags[0], o->tags[tag].name) != 0 ||
		    sink_registry_bound_rule(r, o, view_of(r->objects[i]->name)) == NULL)
			continue;
		st = sink_table_index(o->table, o->tags[tag].name, e);
		o->tags[tag].indexed = st == OK;
	}
	return st;
}

// ---- Opening ------------------------------------------------------------------------------

static enum status load(void *user, int64_t oid, int kind, struct view body, struct err *e)
{
	struct sink_registry *r = user;
	ProtobufCMessage *m = NULL;
	struct sink_object *o;

	if (kind >= 0 && kind < SINK_KIND_COUNT)
		m = protobuf_c_message_unpack(sink_kind_descriptor((enum sink_kind)kind), NULL,
					      body.size, (const uint8_t *)body.data);
	if (m == NULL || sink_schema_metadata((enum sink_kind)kind, m) == NULL) {
		if (m != NULL)
			protobuf_c_message_free_unpacked(m, NULL);
		return err_set(e, ERR_FORMAT,
			       "database: schema object %" PRId64 " cannot be read", oid);
	}
	o = sink_object_new((enum sink_kind)kind, m);
	o->oid = oid;
	if (o->revision > r->last_revision)
		r->last_revision = o->revision;
	sink_registry_insert(r, o);
	return OK;
}

enum status sink_registry_open(struct sink_registry *r, struct sink_store *store, struct err *e)
{
	enum status st;

	*r = (struct sink_registry){.store = store};
	buf_init(&r->tasks, MIB);
	st = sink_store_object_each(store, load, r, e);
	for (size_t i = 0; st == OK && i < r->count; i++)
		if (r->objects[i]->kind == SINK_STREAM || r->objects[i]->kind == SINK_TRACE)
			st = sink_object_open_table(r, r->objects[i], e);
	return st;
}

void sink_registry_close(struct sink_registry *r)
{
	for (size_t i = 0; i < r->count; i++)
		sink_object_free(r->objects[i]);
	free(r->objects);
	buf_free(&r->tasks);
	*r = (struct sink_registry){0};
}
