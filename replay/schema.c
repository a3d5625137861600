// SPDX-License-Identifier: Apache-2.0
// Objects are handled by their descriptors: one table row per kind, no code per kind.
#include "replay/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "banyandb/database.pb-c.h"
#include "banyandb/schema.pb-c.h"
#include "common/clock.h"
#include "common/file.h"
#include "replay/pbjson.h"
#include "replay/server.h"

#define FILE_MAX_BYTES MIB
#define POLL_MS 50
#define SETTLE_MS 3000 // without a barrier: index rules cannot be probed, so wait some seconds

struct registry {
	const char *service; // up to the slash
	const char *word;    // for messages; also the kind of the barrier
	const ProtobufCMessageDescriptor *object, *create, *created, *get, *got, *delete,
		*deleted;
};

#define REGISTRY(Name, NAME, w)                                                                         \
	{                                                                                               \
		"/banyandb.database.v1." #Name "RegistryService/", w,                                   \
			&banyandb__database__v1__##NAME##__descriptor,                                  \
			&banyandb__database__v1__##NAME##_registry_service_create_request__descriptor,  \
			&banyandb__database__v1__##NAME##_registry_service_create_response__descriptor, \
			&banyandb__database__v1__##NAME##_registry_service_get_request__descriptor,     \
			&banyandb__database__v1__##NAME##_registry_service_get_response__descriptor,    \
			&banyandb__database__v1__##NAME##_registry_service_delete_request__descriptor,  \
			&banyandb__database__v1__##NAME##_registry_service_delete_response__descriptor  \
	}

#define banyandb__database__v1__group__descriptor banyandb__common__v1__group__descriptor

static const struct registry registry_group = REGISTRY(Group, group, "group");
static const struct registry registry_rule = REGISTRY(IndexRule, index_rule, "index_rule");
static const struct registry registry_binding =
	REGISTRY(IndexRuleBinding, index_rule_binding, "index_rule_binding");
static const struct registry registry_stream = REGISTRY(Stream, stream, "stream");
static const struct registry registry_trace = REGISTRY(Trace, trace, "trace");

static const struct registry *registry_of(const struct model *m, enum schema_kind kind)
{
	switch (kind) {
	case SCHEMA_GROUP:
		return &registry_group;
	case SCHEMA_RULE:
		return &registry_rule;
	case SCHEMA_BINDING:
		return &registry_binding;
	case SCHEMA_RESOURCE:
		break;
	}
	return m->kind == MODEL_STREAM ? &registry_stream : &registry_trace;
}

// ---- Members by name
// ----------------------------------------------------------------------------------------------------

static void *at(ProtobufCMessage *m, const char *name)
{
	const ProtobufCFieldDescriptor *f =
		m ? protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name) : NULL;

	return f ? (uint8_t *)(void *)m + f->offset : NULL;
}

// A pointer member (message or text) by name; NULL when there is none.
static void *pointer_at(ProtobufCMessage *m, const char *name)
{
	void *p = NULL, *where = at(m, name);

	if (where)
		memcpy(&p, where, sizeof(p));
	return p;
}

static void set_pointer(ProtobufCMessage *m, const char *name, const void *value)
{
	void *where = at(m, name);

	if (!where)
		abort(); // our mistake: no such field
	memcpy(where, &value, sizeof(value));
}

static const char *name_of(ProtobufCMessage *object)
{
	const char *name = pointer_at(pointer_at(object, "metadata"), "name");

	return name ? name : "";
}

static const char *group_of(ProtobufCMessage *object)
{
	const char *group = pointer_at(pointer_at(object, "metadata"), "group");

	return group ? group : "";
}

// ---- Loading
// ----------------------------------------------------------------------------------------------------------

static enum status load_json(const char *path, json_t **out, struct err *e)
{
	struct buf text;
	json_error_t why;
	enum status s = file_read_all(path, FILE_MAX_BYTES, &text, e);

	if (s == ERR_NOT_FOUND)
		return err_set(
			e, ERR_NOT_FOUND,
			"schema file %s is not there; name the folder with --schemas DIR",
			path);
	if (s != OK)
		return s;
	*out = json_loadb(text.size ? (const char *)text.data : "", text.size,
			  JSON_REJECT_DUPLICATES, &why);
	buf_free(&text);
	if (!*out)
		return err_set(e, ERR_FORMAT, "schema %s: line %d, column %d: %s", path,
			       why.line, why.column, why.text);
	return OK;
}

static enum status add_object(struct schema *s, enum schema_kind kind, const char *file,
			      const json_t *json, struct err *e)
{
	struct schema_object *o;

	if (s->count == SCHEMA_OBJECTS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d schema objects", SCHEMA_OBJECTS_MAX);
	o = &s->object[s->count];
	*o = (struct schema_object){.kind = kind};
	snprintf(o->file, sizeof(o->file), "%s", file);
	if (pbjson_parse(json, registry_of(s->model, kind)->object, &o->message, e) != OK)
		return e->code;
	o->name = name_of(o->message);
	s->count++;
	if (*o->name == '\0')
		return err_set(e, ERR_FORMAT, "metadata.name: missing");
	if (kind != SCHEMA_GROUP && strcmp(group_of(o->message), s->model->group) != 0)
		return err_set(
			e, ERR_FORMAT,
			"metadata.group: \"%s\", but rows of model %s are written to \"%s\"",
			group_of(o->message), s->model->name, s->model->group);
	return OK;
}

// Groups of the other model are passed over.
static bool other_group(const struct schema *s, enum schema_kind kind, const json_t *json)
{
	const char *catalog = json_string_value(json_object_get(json, "catalog"));
	const struct model *other =
		model_get(s->model->kind == MODEL_STREAM ? MODEL_TRACE : MODEL_STREAM);

	return kind == SCHEMA_GROUP && catalog && strcmp(catalog, other->catalog) == 0;
}

static enum status load_file(struct schema *s, const char *dir, const char *file,
			     enum schema_kind kind, struct err *e)
{
	char *path = path_join(dir, file);
	json_t *json = NULL;
	enum status st = load_json(path, &json, e);
	size_t n = st != OK		 ? 0
		   : json_is_array(json) ? json_array_size(json)
					 : 1,
	       before = s->count;

	for (size_t i = 0; st == OK && i < n; i++) {
		const json_t *one = json_is_array(json) ? json_array_get(json, i) : json;

		if (other_group(s, kind, one))
			continue;
		st = add_object(s, kind, file, one, e);
		if (st != OK && json_is_array(json))
			st = err_prefix(e, "schema %s: entry %zu", path, i);
		else if (st != OK)
			st = err_prefix(e, "schema %s", path);
	}
	if (st == OK && s->count == before)
		st = err_set(e, ERR_FORMAT, "schema %s: holds no %s for model %s", path,
			     registry_of(s->model, kind)->word, s->model->name);
	json_decref(json);
	free(path);
	return st;
}

// ---- Checks of our own: what the encoders rely on, and what a server would take and never
// serve -----------------------------

static enum status check_group(const struct schema *s, ProtobufCMessage *message, struct err *e)
{
	const Banyandb__Common__V1__Group *g =
		(const Banyandb__Common__V1__Group *)(void *)message;
	const Banyandb__Common__V1__ResourceOpts *o = g->resource_opts;

	if (strcmp(g->metadata->name, s->model->group) != 0)
		return err_set(
			e, ERR_FORMAT,
			"metadata.name: \"%s\", but rows of model %s are written to \"%s\"",
			g->metadata->name, s->model->name, s->model->group);
	if (!o || o->shard_num == 0 || !o->ttl || o->ttl->num == 0 || !o->segment_interval ||
	    o->segment_interval->num == 0)
		return err_set(
			e, ERR_FORMAT,
			"resource_opts: shard_num, segment_interval and ttl must be set");
	if (o->ttl->unit == BANYANDB__COMMON__V1__INTERVAL_RULE__UNIT__UNIT_UNSPECIFIED ||
	    o->segment_interval->unit ==
		    BANYANDB__COMMON__V1__INTERVAL_RULE__UNIT__UNIT_UNSPECIFIED)
		return err_set(e, ERR_FORMAT,
			       "resource_opts: ttl and segment_interval need a unit");
	if (o->ttl->num * (o->ttl->unit == BANYANDB__COMMON__V1__INTERVAL_RULE__UNIT__UNIT_DAY
				   ? 24u
				   : 1u) <
	    o->segment_interval->num *
		    (o->segment_interval->unit ==
				     BANYANDB__COMMON__V1__INTERVAL_RULE__UNIT__UNIT_DAY
			     ? 24u
			     : 1u))
		return err_set(e, ERR_FORMAT,
			       "resource_opts.ttl: shorter than segment_interval");
	return OK;
}

static enum status check_tag(size_t i, const char *name, Banyandb__Database__V1__TagType type,
			     const struct model *m, const char *place, struct err *e)
{
	Banyandb__Database__V1__TagType wanted =
		BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_STRING;

	if (i == COL_START_TIME && m->kind == MODEL_TRACE)
		wanted = BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_TIMESTAMP;
	else if (i == COL_START_TIME || i == COL_LATENCY || i == COL_IS_ERROR)
		wanted = BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_INT;
	if (strcmp(name, column_names[i]) != 0)
		return err_set(e, ERR_FORMAT,
			       "%s[%zu].name: \"%s\", but values are written in the order that "
			       "has \"%s\" here",
			       place, i, name, column_names[i]);
	if (type != wanted)
		return err_set(
			e, ERR_FORMAT, "%s[%zu].type: %s must be %s", place, i, name,
			protobuf_c_enum_descriptor_get_value(
				&banyandb__database__v1__tag_type__descriptor, (int)wanted)
				->name);
	return OK;
}

static enum status check_stream(const struct model *m, ProtobufCMessage *message, struct err *e)
{
	const Banyandb__Database__V1__Stream *st =
		(const Banyandb__Database__V1__Stream *)(void *)message;
	enum status s = OK;

	if (st->n_tag_families != 2 || strcmp(st->tag_families[0]->name, "primary") != 0 ||
	    st->tag_families[0]->n_tags != COLUMN_COUNT ||
	    strcmp(st->tag_families[1]->name, "data_binary") != 0 ||
	    st->tag_families[1]->n_tags != 1 ||
	    st->tag_families[1]->tags[0]->type !=
		    BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_DATA_BINARY)
		return err_set(e, ERR_FORMAT,
			       "tag_families: must be primary (ten tags) and data_binary (one "
			       "DATA_BINARY tag)");
	for (size_t i = 0; s == OK && i < COLUMN_COUNT; i++)
		s = check_tag(i, st->tag_families[0]->tags[i]->name,
			      st->tag_families[0]->tags[i]->type, m, "tag_families[0].tags", e);
	if (s == OK && (!st->entity || st->entity->n_tag_names == 0))
		return err_set(e, ERR_FORMAT, "entity: missing");
	for (size_t i = 0; s == OK && i < st->entity->n_tag_names; i++)
		if (strcmp(st->entity->tag_names[i], "serviceId") != 0 &&
		    strcmp(st->entity->tag_names[i], "serviceInstanceId") != 0)
			s = err_set(e, ERR_FORMAT,
				    "entity.tag_names[%zu]: \"%s\"; only serviceId and "
				    "serviceInstanceId",
				    i, st->entity->tag_names[i]);
	return s;
}

static enum status check_trace(const struct model *m, ProtobufCMessage *message, struct err *e)
{
	const Banyandb__Database__V1__Trace *t =
		(const Banyandb__Database__V1__Trace *)(void *)message;
	enum status s = OK;

	if (t->n_tags != COLUMN_COUNT)
		return err_set(e, ERR_FORMAT,
			       "tags: %zu, but a row has %d values and its payload apart",
			       t->n_tags, COLUMN_COUNT);
	for (size_t i = 0; s == OK && i < COLUMN_COUNT; i++)
		s = check_tag(i, t->tags[i]->name, t->tags[i]->type, m, "tags", e);
	if (s == OK && strcmp(t->trace_id_tag_name, "traceId") != 0)
		s = err_set(e, ERR_FORMAT, "trace_id_tag_name: must be traceId");
	if (s == OK && strcmp(t->timestamp_tag_name, "startTime") != 0)
		s = err_set(e, ERR_FORMAT, "timestamp_tag_name: must be startTime");
	if (s == OK && strcmp(t->span_id_tag_name, "spanId") != 0)
		s = err_set(e, ERR_FORMAT, "span_id_tag_name: must be spanId");
	return s;
}

static enum status check_rule(ProtobufCMessage *message, struct err *e)
{
	const Banyandb__Database__V1__IndexRule *r =
		(const Banyandb__Database__V1__IndexRule *)(void *)message;

	if (r->type == BANYANDB__DATABASE__V1__INDEX_RULE__TYPE__TYPE_UNSPECIFIED ||
	    r->n_tags == 0)
		return err_set(e, ERR_FORMAT, "rule \"%s\": type and tags must be set",
			       r->metadata->name);
	for (size_t i = 0; i < r->n_tags; i++)
		if (model_column(r->tags[i]) < 0)
			return err_set(e, ERR_FORMAT,
				       "rule \"%s\": tags[%zu]: no tag is called \"%s\"",
				       r->metadata->name, i, r->tags[i]);
	return OK;
}

static bool has_rule(const struct schema *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->object[i].kind == SCHEMA_RULE && strcmp(s->object[i].name, name) == 0)
			return true;
	return false;
}

static enum status check_binding(const struct schema *s, ProtobufCMessage *message,
				 struct err *e)
{
	const Banyandb__Database__V1__IndexRuleBinding *b =
		(const Banyandb__Database__V1__IndexRuleBinding *)(void *)message;

	if (!b->subject || strcmp(b->subject->name, s->model->resource) != 0)
		return err_set(e, ERR_FORMAT, "binding \"%s\": subject.name must be %s",
			       b->metadata->name, s->model->resource);
	if (!b->begin_at || !b->expire_at)
		return err_set(e, ERR_FORMAT,
			       "binding \"%s\": begin_at and expire_at must be set",
			       b->metadata->name);
	for (size_t i = 0; i < b->n_rules; i++)
		if (!has_rule(s, b->rules[i]))
			return err_set(e, ERR_FORMAT,
				       "binding \"%s\": rules[%zu]: no rule is called \"%s\"",
				       b->metadata->name, i, b->rules[i]);
	return OK;
}

static enum status check_all(const struct schema *s, struct err *e)
{
	enum status st = OK;
	unsigned groups = 0, resources = 0;

	for (size_t i = 0; st == OK && i < s->count; i++) {
		ProtobufCMessage *m = s->object[i].message;

		if (s->object[i].kind == SCHEMA_GROUP) {
			groups++;
			st = check_group(s, m, e);
		} else if (s->object[i].kind == SCHEMA_RULE) {
			st = check_rule(m, e);
		} else if (s->object[i].kind == SCHEMA_BINDING) {
			st = check_binding(s, m, e);
		} else if (strcmp(s->object[i].name, s->model->resource) != 0) {
			st = err_set(e, ERR_FORMAT,
				     "metadata.name: \"%s\", but rows of model %s are written "
				     "to \"%s\"",
				     s->object[i].name, s->model->name, s->model->resource);
		} else {
			resources++;
			st = s->model->kind == MODEL_STREAM ? check_stream(s->model, m, e)
							    : check_trace(s->model, m, e);
		}
		if (st != OK)
			st = err_prefix(e, "%s", s->object[i].file);
	}
	if (st == OK && groups != 1)
		st = err_set(e, ERR_FORMAT, "group.json: %u groups with catalog %s, not 1",
			     groups, s->model->catalog);
	if (st == OK && resources != 1)
		st = err_set(e, ERR_FORMAT, "%u objects in %s_schema.json, not 1", resources,
			     s->model->name);
	return st;
}

// ---- Options that change the files' objects
// ---------------------------------------------------------------------------------

static void set_text(char **field, const char *text)
{
	free(*field);
	*field = mem_strdup(text);
}

static const char *design_name(const char *name)
{
	if (strcmp(name, "startTime") == 0)
		return "time_based_index";
	return strcmp(name, "latency") == 0 ? "latency_based_index" : name;
}

static void use_options(struct schema *s, const struct schema_options *o)
{
	for (size_t i = 0; i < s->count; i++) {
		struct schema_object *obj = &s->object[i];

		if (obj->kind == SCHEMA_GROUP && o->ttl_days > 0) {
			Banyandb__Common__V1__Group *g =
				(Banyandb__Common__V1__Group *)(void *)obj->message;

			if (g->resource_opts && g->resource_opts->ttl) {
				g->resource_opts->ttl->unit =
					BANYANDB__COMMON__V1__INTERVAL_RULE__UNIT__UNIT_DAY;
				g->resource_opts->ttl->num = o->ttl_days;
			}
		}
		if (!o->design_rule_names || s->model->kind != MODEL_TRACE)
			continue;
		if (obj->kind == SCHEMA_RULE) {
			Banyandb__Database__V1__IndexRule *r =
				(Banyandb__Database__V1__IndexRule *)(void *)obj->message;

			set_text(&r->metadata->name, design_name(r->metadata->name));
			obj->name = r->metadata->name;
		} else if (obj->kind == SCHEMA_BINDING) {
			Banyandb__Database__V1__IndexRuleBinding *b =
				(Banyandb__Database__V1__IndexRuleBinding *)(void *)
					obj->message;

			for (size_t k = 0; k < b->n_rules; k++)
				set_text(&b->rules[k], design_name(b->rules[k]));
		}
	}
}

enum status schema_load(struct schema *s, const struct model *m, const struct schema_options *o,
			struct err *e)
{
	char file[64];
	enum status st;

	*s = (struct schema){.model = m};
	st = load_file(s, o->dir, "group.json", SCHEMA_GROUP, e);
	snprintf(file, sizeof(file), "%s_index_rules.json", m->name);
	if (st == OK)
		st = load_file(s, o->dir, file, SCHEMA_RULE, e);
	snprintf(file, sizeof(file), "%s_index_rule_bindings.json", m->name);
	if (st == OK)
		st = load_file(s, o->dir, file, SCHEMA_BINDING, e);
	snprintf(file, sizeof(file), "%s_schema.json", m->name);
	if (st == OK)
		st = load_file(s, o->dir, file, SCHEMA_RESOURCE, e);
	if (st == OK) {
		use_options(s, o);
		st = check_all(s, e);
		if (st != OK)
			st = err_prefix(e, "schema %s", o->dir);
	}
	if (st != OK)
		schema_free(s);
	return st;
}

void schema_free(struct schema *s)
{
	for (size_t i = 0; i < s->count; i++)
		protobuf_c_message_free_unpacked(s->object[i].message, NULL);
	*s = (struct schema){0};
}

// ---- On the server
// --------------------------------------------------------------------------------------------------------

#define REQUEST_MAX 128 // bytes of a request struct: base and one or two pointers

union request {
	ProtobufCMessage base;
	uint8_t room[REQUEST_MAX];
	max_align_t align;
};

static ProtobufCMessage *request_init(union request *q, const ProtobufCMessageDescriptor *type)
{
	if (type->sizeof_message > sizeof(*q))
		abort(); // our mistake
	memset(q, 0, sizeof(*q));
	protobuf_c_message_init(type, q);
	return &q->base;
}

static enum status method_call(struct rpc *r, const struct registry *reg, const char *verb,
			       const ProtobufCMessage *request,
			       const ProtobufCMessageDescriptor *type,
			       ProtobufCMessage **answer, int64_t timeout_ms, int *code,
			       struct err *e)
{
	char method[128];

	snprintf(method, sizeof(method), "%s%s", reg->service, verb);
	return rpc_call(r, method, request, type, answer, timeout_ms, code, e);
}

static enum status create(const struct schema *s, struct schema_object *o, struct rpc *r,
			  int64_t timeout_ms, int *code, struct err *e)
{
	const struct registry *reg = registry_of(s->model, o->kind);
	union request q;
	ProtobufCMessage *request = request_init(&q, reg->create), *answer = NULL;
	enum status st;

	set_pointer(request, reg->word, o->message);
	st = method_call(r, reg, "Create", request, reg->created, &answer, timeout_ms, code, e);
	if (answer) {
		const void *revision = at(answer, "mod_revision");

		if (revision)
			memcpy(&o->mod_revision, revision, sizeof(o->mod_revision));
		protobuf_c_message_free_unpacked(answer, NULL);
	}
	return st;
}

// Get or Delete by name; the answer is the caller's.
static enum status by_name(const struct schema *s, const struct schema_object *o,
			   const char *verb, struct rpc *r, int64_t timeout_ms,
			   ProtobufCMessage **answer, int *code, struct err *e)
{
	const struct registry *reg = registry_of(s->model, o->kind);
	bool get = strcmp(verb, "Get") == 0;
	union request q;
	ProtobufCMessage *request = request_init(&q, get ? reg->get : reg->delete);

	if (o->kind == SCHEMA_GROUP)
		set_pointer(request, "group", o->name);
	else
		set_pointer(request, "metadata", pointer_at(o->message, "metadata"));
	return method_call(r, reg, verb, request, get ? reg->got : reg->deleted, answer,
			   timeout_ms, code, e);
}

// Reads an object back and compares it with ours, passing over what a server fills in.
static enum status verify(const struct schema *s, const struct schema_object *o, struct rpc *r,
			  int64_t timeout_ms, struct err *e)
{
	static const char *const ignore[] = {"id",	   "create_revision", "mod_revision",
					     "updated_at", "created_at",      NULL};
	const struct registry *reg = registry_of(s->model, o->kind);
	ProtobufCMessage *answer = NULL, *got;
	char difference[PBJSON_PATH];
	int code;
	enum status st = by_name(s, o, "Get", r, timeout_ms, &answer, &code, e);

	if (code == RPC_NOT_FOUND)
		return err_set(e, ERR_NOT_FOUND,
			       "server %s: %s %s is not there; create it with: spanreplay "
			       "schema apply --model %s%s",
			       rpc_server(r), reg->word, o->name, s->model->name,
			       reg == &registry_rule
				       ? " (or were rules applied with another --rule-names?)"
				       : "");
	if (st != OK)
		return st;
	got = pointer_at(answer, reg->word);
	if (!got)
		st = err_set(e, ERR_REMOTE, "server %s: %s %s: the answer holds no object",
			     rpc_server(r), reg->word, o->name);
	else if (!pbjson_covers(o->message, got, ignore, difference))
		st = err_set(e, ERR_EXISTS,
			     "server %s: %s %s differs: %s; use its options, or drop it first: "
			     "spanreplay schema drop --model %s",
			     rpc_server(r), reg->word, o->name, difference, s->model->name);
	protobuf_c_message_free_unpacked(answer, NULL);
	return st;
}

enum status schema_check(const struct schema *s, struct rpc *r, int64_t timeout_ms,
			 struct err *e)
{
	enum status st = OK;

	for (size_t i = 0; st == OK && i < s->count; i++)
		st = verify(s, &s->object[i], r, timeout_ms, e);
	return st;
}

static void pause_ms(int64_t ms)
{
	clock_sleep_until_ns(clock_monotonic_ns() + ms * NS_PER_MS);
}

// Before 0.11: until a query by trace id works, and some seconds more for the index rules.
static enum status probe(const struct schema *s, struct rpc *r, int64_t timeout_ms,
			 struct err *e)
{
	int64_t end_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS,
		now_ms = clock_wall_ms();
	struct read_query q = {.trace_id = {"probe"},
			       .trace_ids = 1,
			       .begin_ms = now_ms - 60 * MS_PER_S,
			       .end_ms = now_ms,
			       .limit = 1};
	struct read_result got;
	enum status st;

	for (;;) {
		st = model_read(s->model, r, &q, timeout_ms, &got, NULL, e);
		read_result_free(&got);
		if (st == OK || clock_monotonic_ns() > end_ns)
			break;
		pause_ms(POLL_MS);
	}
	if (st == OK)
		pause_ms(SETTLE_MS);
	return st;
}

// Waits until every node has applied the objects. *absent: the server has no barrier.
static enum status barrier(const struct schema *s, struct rpc *r, int64_t timeout_ms,
			   bool *absent, struct err *e)
{
	Banyandb__Schema__V1__AwaitSchemaAppliedRequest request;
	Banyandb__Schema__V1__AwaitSchemaAppliedResponse *got;
	Banyandb__Schema__V1__SchemaKey key[SCHEMA_OBJECTS_MAX], *keys[SCHEMA_OBJECTS_MAX];
	Google__Protobuf__Duration wait;
	ProtobufCMessage *answer = NULL;
	int64_t revisions[SCHEMA_OBJECTS_MAX];
	char word[SCHEMA_OBJECTS_MAX][24], name[SCHEMA_OBJECTS_MAX][128], group[128];
	int code;
	enum status st;

	banyandb__schema__v1__await_schema_applied_request__init(&request);
	google__protobuf__duration__init(&wait);
	snprintf(group, sizeof(group), "%s", s->model->group);
	for (size_t i = 0; i < s->count; i++) {
		banyandb__schema__v1__schema_key__init(&key[i]);
		snprintf(word[i], sizeof(word[i]), "%s",
			 registry_of(s->model, s->object[i].kind)->word);
		snprintf(name[i], sizeof(name[i]), "%s", s->object[i].name);
		key[i].kind = word[i];
		key[i].name = name[i];
		if (s->object[i].kind != SCHEMA_GROUP)
			key[i].group = group;
		keys[i] = &key[i];
		revisions[i] = s->object[i].mod_revision;
	}
	wait.seconds = timeout_ms / MS_PER_S;
	wait.nanos = (int32_t)(timeout_ms % MS_PER_S * NS_PER_MS);
	request.n_keys = request.n_min_revisions = s->count;
	request.keys = keys;
	request.min_revisions = revisions;
	request.timeout = &wait;
	st = rpc_call(r, "/banyandb.schema.v1.SchemaBarrierService/AwaitSchemaApplied",
		      &request.base,
		      &banyandb__schema__v1__await_schema_applied_response__descriptor, &answer,
		      timeout_ms + 5 * MS_PER_S, &code, e);
	*absent = code == RPC_UNIMPLEMENTED;
	if (*absent)
		return OK;
	if (st != OK)
		return st;
	got = (Banyandb__Schema__V1__AwaitSchemaAppliedResponse *)(void *)answer;
	if (!got->applied)
		st = err_set(
			e, ERR_NETWORK,
			"server %s: schema of %s not applied within %lld ms (node %s lags)",
			rpc_server(r), s->model->group, (long long)timeout_ms,
			got->n_laggards ? got->laggards[0]->node : "unknown");
	protobuf_c_message_free_unpacked(answer, NULL);
	return st;
}

enum status schema_apply(const struct schema *s, struct rpc *r, int64_t timeout_ms,
			 struct schema_report *report, struct err *e)
{
	struct schema copy = *s; // revisions are noted in the copy; objects are borrowed
	enum status st = OK;
	bool absent = false;
	int code;

	*report = (struct schema_report){0};
	for (size_t i = 0; st == OK && i < copy.count; i++) {
		st = create(s, &copy.object[i], r, timeout_ms, &code, e);
		if (code == RPC_ALREADY_EXISTS) {
			report->present++;
			st = verify(s, &copy.object[i], r, timeout_ms, e);
		} else if (st == OK) {
			report->created++;
		}
	}
	if (st == OK)
		st = schema_check(s, r, timeout_ms, e);
	if (st == OK)
		st = barrier(&copy, r, timeout_ms, &absent, e);
	report->barrier = !absent;
	if (st == OK && absent)
		st = probe(s, r, timeout_ms, e);
	return st;
}

// ---- Dropping
// ---------------------------------------------------------------------------------------------------------

static enum status group_is_there(const struct model *m, struct rpc *r, int64_t timeout_ms,
				  bool *there, struct err *e)
{
	int64_t ttl_ms;
	enum status st = server_ttl_ms(r, m, timeout_ms, &ttl_ms, e);

	*there = st != ERR_NOT_FOUND;
	return st == ERR_NOT_FOUND ? OK : st;
}

static enum status delete_group(const struct model *m, struct rpc *r, int64_t timeout_ms,
				int *code, struct err *e)
{
	Banyandb__Database__V1__GroupRegistryServiceDeleteRequest request;
	char group[128];

	banyandb__database__v1__group_registry_service_delete_request__init(&request);
	snprintf(group, sizeof(group), "%s", m->group);
	request.group = group;
	request.force = true;
	return method_call(r, &registry_group, "Delete", &request.base, registry_group.deleted,
			   NULL, timeout_ms, code, e);
}

// Waits until no node knows the group any more; a server without a barrier has nothing to say.
static enum status barrier_gone(const struct model *m, struct rpc *r, int64_t timeout_ms,
				struct err *e)
{
	Banyandb__Schema__V1__AwaitSchemaDeletedRequest request;
	Banyandb__Schema__V1__SchemaKey key, *keys[1] = {&key};
	Google__Protobuf__Duration wait;
	char group[128], word[] = "group";
	int code;
	enum status st;

	banyandb__schema__v1__await_schema_deleted_request__init(&request);
	banyandb__schema__v1__schema_key__init(&key);
	google__protobuf__duration__init(&wait);
	snprintf(group, sizeof(group), "%s", m->group);
	key.kind = word;
	key.name = group;
	wait.seconds = timeout_ms / MS_PER_S;
	request.n_keys = 1;
	request.keys = keys;
	request.timeout = &wait;
	st = rpc_call(r, "/banyandb.schema.v1.SchemaBarrierService/AwaitSchemaDeleted",
		      &request.base,
		      &banyandb__schema__v1__await_schema_deleted_response__descriptor, NULL,
		      timeout_ms + 5 * MS_PER_S, &code, e);
	return code == RPC_UNIMPLEMENTED ? OK : st;
}

enum status schema_drop(const struct model *m, struct rpc *r, bool yes, int64_t timeout_ms,
			bool *was_there, struct err *e)
{
	int64_t end_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	uint64_t rows = 0;
	bool there = false;
	int code;
	enum status st = group_is_there(m, r, timeout_ms, was_there, e);

	if (st != OK || !*was_there)
		return st;
	if (!yes) {
		st = server_count(r, m, timeout_ms, clock_wall_ms(), &rows, e);
		if (st != OK)
			return st;
		if (rows > 0)
			return err_set(
				e, ERR_USAGE,
				"server %s: group %s holds %llu rows; say --yes to delete them",
				rpc_server(r), m->group, (unsigned long long)rows);
	}
	st = delete_group(m, r, timeout_ms, &code, e);
	if (code == RPC_UNIMPLEMENTED)
		return err_set(e, ERR_REMOTE,
			       "server %s: cannot delete a group (before 0.10): stop it and "
			       "empty its data folder",
			       rpc_server(r));
	if (st != OK && code != RPC_NOT_FOUND)
		return st;
	for (;;) {
		st = group_is_there(m, r, timeout_ms, &there, e);
		if (st != OK || !there)
			break;
		if (clock_monotonic_ns() > end_ns)
			return err_set(e, ERR_NETWORK,
				       "server %s: group %s is still there after %lld ms",
				       rpc_server(r), m->group, (long long)timeout_ms);
		pause_ms(POLL_MS);
	}
	return st == OK ? barrier_gone(m, r, timeout_ms, e) : st;
}
