// SPDX-License-Identifier: Apache-2.0
// The registry calls: create, update, delete, get, list and exist are one code for all kinds,
// as their requests and replies share one shape on the wire: resource, metadata or group in
// field
// 1. Groups add their deletion.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/sink_schema.h"
#include "replay/sink_service.h"

// ---- Requests -----------------------------------------------------------------------------

// Field 1 of a request; empty when it is not there.
static bool first_field(const struct sink_request *q, struct view *out, bool *present,
			struct sink_reply *r)
{
	struct pb_reader in;
	struct pb_field f;

	*out = VIEW("");
	*present = false;
	pb_reader_init(&in, q->body.data, q->body.size);
	while (pb_next(&in, &f))
		if (f.number == 1 && f.wire == PB_BYTES) {
			*out = f.bytes;
			*present = true;
		}
	if (in.failed)
		sink_fail(r, SINK_CODE_INTERNAL,
			  "grpc: error unmarshalling request: proto: cannot parse invalid "
			  "wire-format data");
	return !in.failed;
}

// Group and name of a Metadata.
static bool read_metadata(struct view body, struct view *group, struct view *name)
{
	struct pb_reader in;
	struct pb_field f;

	*group = *name = VIEW("");
	pb_reader_init(&in, body.data, body.size);
	while (pb_next(&in, &f)) {
		if (f.number == 1 && f.wire == PB_BYTES)
			*group = f.bytes;
		else if (f.number == 2 && f.wire == PB_BYTES)
			*name = f.bytes;
	}
	return !in.failed;
}

// What Get, Delete and Exist name: a Metadata, or the bare name of a group.
static bool read_target(enum sink_kind k, const struct sink_request *q, struct view *group,
			struct view *name, struct sink_reply *r)
{
	struct view body;
	bool present;

	if (!first_field(q, &body, &present, r))
		return false;
	if (k == SINK_GROUP) {
		*group = VIEW("");
		*name = body;
		return true;
	}
	if (read_metadata(body, group, name))
		return true;
	sink_fail(r, SINK_CODE_INTERNAL, "grpc: error unmarshalling request: metadata");
	return false;
}

static ProtobufCMessage *read_resource(enum sink_kind k, const struct sink_request *q,
				       struct sink_reply *r)
{
	struct view body;
	bool present;
	ProtobufCMessage *m;

	if (!first_field(q, &body, &present, r))
		return NULL;
	if (!present) {
		sink_fail(r, SINK_CODE_INVALID_ARGUMENT, "the request holds no resource");
		return NULL;
	}
	m = protobuf_c_message_unpack(sink_kind_descriptor(k), NULL, body.size,
				      (const uint8_t *)body.data);
	if (m == NULL)
		sink_fail(r, SINK_CODE_INTERNAL,
			  "grpc: error unmarshalling request: proto: cannot parse invalid "
			  "wire-format data");
	else if (!sink_schema_check(k, m, r)) {
		protobuf_c_message_free_unpacked(m, NULL);
		m = NULL;
	}
	return m;
}

static void put_object(struct buf *out, uint32_t field, const struct sink_object *o)
{
	size_t size = protobuf_c_message_get_packed_size(o->message);
	uint8_t *p;

	pb_put_tag(out, field, PB_BYTES);
	pb_put_varint(out, size);
	p = buf_reserve(out, size);
	if (p != NULL)
		protobuf_c_message_pack(o->message, p);
}

static void store_failed(struct sink_reply *r, const struct err *e)
{
	sink_fail(r, SINK_CODE_INTERNAL, "spansink: %s", e->text);
}

// The server's clock in ns, but never the same twice.
static int64_t next_revision(struct sink_registry *r, const struct sink_request *q)
{
	int64_t now = q->now.wall_ms * NS_PER_MS;

	r->last_revision = now > r->last_revision ? now : r->last_revision + 1;
	return r->last_revision;
}

// Stores the object and what hangs on it in one transaction; takes o, whatever happens.
static bool keep(struct sink_registry *g, struct sink_object *o, struct sink_reply *r)
{
	size_t size = protobuf_c_message_get_packed_size(o->message);
	uint8_t *body = mem_alloc(size + 1);
	struct err e = {0};
	enum status st;

	protobuf_c_message_pack(o->message, body);
	st = sink_store_begin(g->store, &e);
	if (st == OK) {
		st = sink_store_object_put(g->store, &o->oid, (int)o->kind,
					   (struct view){(const char *)body, size}, &e);
		if (st == OK && (o->kind == SINK_STREAM || o->kind == SINK_TRACE))
			st = sink_object_open_table(g, o, &e);
		if (st == OK)
			st = sink_store_commit(g->store, &e);
		else
			sink_store_rollback(g->store);
	}
	free(body);
	if (st != OK) {
		store_failed(r, &e);
		sink_object_free(o);
		return false;
	}
	sink_registry_insert(g, o);
	return true;
}

static void not_found(struct sink_reply *r)
{
	sink_fail(r, SINK_CODE_NOT_FOUND, "banyandb: resource not found");
}

static bool rules_known(const struct sink_registry *g, const ProtobufCMessage *m)
{
	const Banyandb__Database__V1__IndexRuleBinding *b = (const void *)m;

	for (size_t i = 0; i < b->n_rules; i++)
		if (sink_registry_find(g, SINK_INDEX_RULE, view_of(b->metadata->group),
				       view_of(b->rules[i])) == NULL)
			return false;
	return true;
}

// What an object needs beside it.
static bool surroundings_fit(const struct sink_registry *g, enum sink_kind k,
			     const ProtobufCMessage *m, const char *group, struct sink_reply *r)
{
	const struct sink_object *o;
	Banyandb__Common__V1__Catalog catalog = BANYANDB__COMMON__V1__CATALOG__CATALOG_TRACE;

	if (k == SINK_GROUP)
		return true;
	o = sink_registry_find(g, SINK_GROUP, VIEW(""), view_of(group));
	if (o == NULL || (k == SINK_BINDING && !rules_known(g, m))) {
		not_found(r);
		return false;
	}
	if (k == SINK_STREAM)
		catalog = BANYANDB__COMMON__V1__CATALOG__CATALOG_STREAM;
	if ((k == SINK_STREAM || k == SINK_TRACE) &&
	    sink_group_message(o)->catalog != catalog) {
		sink_fail(r, SINK_CODE_UNKNOWN, "group %s is of another catalog", group);
		return false;
	}
	return true;
}

static void put_revision(int64_t revision, struct sink_reply *r)
{
	pb_put_uint_nz(&r->body, 1, (uint64_t)revision);
}

void sink_create(struct sink_service *s, enum sink_kind k, const struct sink_request *q,
		 struct sink_reply *r)
{
	ProtobufCMessage *m = read_resource(k, q, r);
	struct sink_object *o;
	int64_t revision;

	if (m == NULL)
		return;
	o = sink_object_new(k, m);
	if (sink_registry_find(&s->registry, k, view_of(o->group), view_of(o->name)) != NULL) {
		sink_fail(r, SINK_CODE_ALREADY_EXISTS, "banyandb: resource already exists");
		sink_object_free(o);
		return;
	}
	if (!surroundings_fit(&s->registry, k, m, o->group, r)) {
		sink_object_free(o);
		return;
	}
	revision = o->revision = next_revision(&s->registry, q);
	sink_schema_stamp(k, m, revision, q->now.wall_ms, q->now.wall_ms);
	if (keep(&s->registry, o, r))
		put_revision(revision, r);
}

void sink_update(struct sink_service *s, enum sink_kind k, const struct sink_request *q,
		 struct sink_reply *r)
{
	ProtobufCMessage *m = read_resource(k, q, r);
	struct sink_object *o, *old;
	int64_t revision;

	if (m == NULL)
		return;
	o = sink_object_new(k, m);
	old = sink_registry_find(&s->registry, k, view_of(o->group), view_of(o->name));
	if (old == NULL) {
		if (k == SINK_INDEX_RULE)
			not_found(r);
		else
			sink_fail(r, SINK_CODE_UNKNOWN, "schema %s/%s not exist", o->group,
				  o->name);
		sink_object_free(o);
		return;
	}
	if (sink_schema_same(k, old->message, m)) {
		put_revision(old->revision, r);
		sink_object_free(o);
		return;
	}
	if (!sink_schema_update_fits(k, old->message, m, r)) {
		sink_object_free(o);
		return;
	}
	o->oid = old->oid;
	o->counted = old->counted;
	revision = o->revision = next_revision(&s->registry, q);
	sink_schema_stamp(k, m, revision, sink_schema_created_ms(k, old->message),
			  q->now.wall_ms);
	if (keep(&s->registry, o, r))
		put_revision(revision, r);
}

// One object and its rows; inside a transaction.
static enum status drop(struct sink_registry *g, struct sink_object *o, struct err *e)
{
	enum status st = sink_store_object_delete(g->store, o->oid, e);

	if (st == OK && o->table != NULL) {
		sink_table_close(o->table); // an open statement would hold the table
		o->table = NULL;
		st = sink_table_drop(g->store, o->oid, e);
	}
	return st;
}

void sink_delete(struct sink_service *s, enum sink_kind k, const struct sink_request *q,
		 struct sink_reply *r)
{
	struct view group, name;
	struct sink_object *o;
	struct err e = {0};
	enum status st;

	if (!read_target(k, q, &group, &name, r))
		return;
	o = sink_registry_find(&s->registry, k, group, name);
	if (o != NULL) {
		st = sink_store_begin(s->store, &e);
		if (st == OK)
			st = drop(&s->registry, o, &e);
		if (st == OK)
			st = sink_store_commit(s->store, &e);
		else
			sink_store_rollback(s->store);
		if (st != OK) {
			store_failed(r, &e);
			return;
		}
		sink_registry_erase(&s->registry, o);
	}
	pb_put_uint_nz(&r->body, 1, o != NULL);
	pb_put_uint(&r->body, 2, (uint64_t)(q->now.wall_ms * NS_PER_MS));
}

void sink_get(struct sink_service *s, enum sink_kind k, const struct sink_request *q,
	      struct sink_reply *r)
{
	struct view group, name;
	const struct sink_object *o;

	if (!read_target(k, q, &group, &name, r))
		return;
	o = sink_registry_find(&s->registry, k, group, name);
	if (o == NULL)
		not_found(r);
	else
		put_object(&r->body, 1, o);
}

void sink_list(struct sink_service *s, enum sink_kind k, const struct sink_request *q,
	       struct sink_reply *r)
{
	struct view group = VIEW("");
	bool present;

	if (k != SINK_GROUP && !first_field(q, &group, &present, r))
		return;
	if (k != SINK_GROUP && group.size == 0) {
		sink_fail(r, SINK_CODE_INVALID_ARGUMENT, "banyandb: input is invalid");
		return;
	}
	for (size_t i = 0; i < s->registry.count; i++)
		if (s->registry.objects[i]->kind == k &&
		    view_equal(view_of(s->registry.objects[i]->group), group))
			put_object(&r->body, 1, s->registry.objects[i]);
}

void sink_exist(struct sink_service *s, enum sink_kind k, const struct sink_request *q,
		struct sink_reply *r)
{
	struct view group, name;
	bool there;

	if (!read_target(k, q, &group, &name, r))
		return;
	there = sink_registry_find(&s->registry, k, group, name) != NULL;
	if (k == SINK_GROUP) {
		pb_put_uint_nz(&r->body, 1, there);
		return;
	}
	pb_put_uint_nz(&r->body, 1,
		       sink_registry_find(&s->registry, SINK_GROUP, VIEW(""), group) != NULL);
	pb_put_uint_nz(&r->body, 2, there);
}

// ---- Deletion of groups -------------------------------------------------------------------

static bool in_group(const struct sink_object *o, struct view group)
{
	return o->kind == SINK_GROUP ? view_equal(view_of(o->name), group)
				     : view_equal(view_of(o->group), group);
}

static enum status any_row(struct sink_service *s, struct view group, bool *any, struct err *e)
{
	enum status st = OK;
	struct sink_cursor *c;
	char sql[64];

	*any = false;
	for (size_t i = 0; st == OK && !*any && i < s->registry.count; i++) {
		const struct sink_object *o = s->registry.objects[i];

		if (o->table == NULL || !in_group(o, group))
			continue;
		snprintf(sql, sizeof(sql), "SELECT 1 FROM rows_%" PRId64 " LIMIT 1", o->oid);
		st = sink_cursor_open(&c, s->store, view_of(sql), NULL, 0, e);
		if (st == OK)
			st = sink_cursor_next(c, any, e);
		sink_cursor_close(c);
		*any = *any || o->counted > 0;
	}
	return st;
}

// All of the group in one transaction. data_only keeps the schema.
static enum status drop_group(struct sink_service *s, struct view group, bool data_only,
			      struct err *e)
{
	struct sink_registry *g = &s->registry;
	enum status st = sink_store_begin(s->store, e);

	for (size_t i = 0; st == OK && i < g->count; i++) {
		struct sink_object *o = g->objects[i];

		if (!in_group(o, group))
			continue;
		if (!data_only) {
			st = drop(g, o, e);
		} else if (o->table != NULL) {
			sink_table_close(o->table);
			o->table = NULL;
			o->counted = 0;
			st = sink_table_drop(s->store, o->oid, e);
			if (st == OK)
				st = sink_object_open_table(g, o, e);
		}
	}
	if (st == OK)
		st = sink_store_commit(s->store, e);
	else
		sink_store_rollback(s->store);
	for (size_t i = g->count; st == OK && !data_only && i-- > 0;)
		if (in_group(g->objects[i], group))
			sink_registry_erase(g, g->objects[i]);
	return st;
}

// A real server deletes in a task that one polls; ours is done before the answer goes out, and
// the task says so.
void sink_group_delete(struct sink_service *s, const struct sink_request *q,
		       struct sink_reply *r)
{
	struct view group = VIEW("");
	bool dry_run = false, force = false, data_only = false, any;
	struct pb_reader in;
	struct pb_field f;
	struct err e = {0};

	pb_reader_init(&in, q->body.data, q->body.size);
	while (pb_next(&in, &f)) {
		if (f.number == 1 && f.wire == PB_BYTES)
			group = f.bytes;
		else if (f.wire == PB_VARINT && f.number == 2)
			dry_run = f.value != 0;
		else if (f.wire == PB_VARINT && f.number == 3)
			force = f.value != 0;
		else if (f.wire == PB_VARINT && f.number == 4)
			data_only = f.value != 0;
	}
	if (sink_registry_find(&s->registry, SINK_GROUP, VIEW(""), group) == NULL) {
		not_found(r);
		return;
	}
	if (dry_run) {
		sink_put_schema_info(s, group, 1, &r->body);
		return;
	}
	if (any_row(s, group, &any, &e) != OK) {
		store_failed(r, &e);
		return;
	}
	if (any && !force) {
		sink_fail(r, SINK_CODE_FAILED_PRECONDITION,
			  "group %.*s is not empty, use force=true to delete non-empty groups",
			  (int)group.size, group.data);
		return;
	}
	buf_put_view(&s->registry.tasks, group);
	buf_put_u8(&s->registry.tasks, '\0');
	if (s->registry.tasks.failed)
		buf_clear(&s->registry.tasks);
	if (drop_group(s, group, data_only, &e) != OK)
		store_failed(r, &e);
}

void sink_group_task(struct sink_service *s, const struct sink_request *q, struct sink_reply *r)
{
	const struct buf *tasks = &s->registry.tasks;
	struct view group;
	bool present;
	size_t at = 0;

	if (!first_field(q, &group, &present, r))
		return;
	while (at < tasks->size) {
		struct view v = view_of((const char *)tasks->data + at);

		if (view_equal(v, group)) {
			static const uint8_t completed[] = {
				0x08,
				BANYANDB__DATABASE__V1__GROUP_DELETION_TASK__PHASE__PHASE_COMPLETED};

			pb_put_bytes(&r->body, 1, completed, sizeof(completed));
			return;
		}
		at += v.size + 1;
	}
	not_found(r);
}
