// SPDX-License-Identifier: Apache-2.0
// The Write RPCs of both models: validation, acks, and the bulk that is stored as one
// transaction when the client is done. What differs between the models: where a message has its
// parts (read_stream, read_trace). Values into rows is sink_layout.c's.
#include "replay/sink_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "replay/sink_frame.h"
#include "replay/sink_layout.h"

// Where the rows of a message go. One for each change of metadata.
struct target {
	struct view metadata; // as the client sent it; every ack repeats it
	struct view group, name;
	int64_t client_revision;
	struct sink_object
		*object;  // NULL: unknown; stale when changes is behind the registry's
	int64_t revision; // of the object when the row was accepted
	uint64_t changes; // of the registry when it was looked up
};

struct held {
	uint64_t id; // message_id or version
	const struct target *target;
	struct sink_row row;
};

struct sink_write {
	struct sink_service *service;
	enum sink_kind kind;
	struct arena arena; // messages, rows, targets, layouts
	struct target *target;
	struct view spec; // fields of the last message that had a spec; size 0: none
	struct sink_layout layout;
	const struct target *layout_target; // that it is for; NULL: to be made
	uint64_t layout_changes;	    // of the registry when it was made
	struct held *rows;
	size_t count, capacity;
	struct buf null_acks; // --null: made as the messages come
	struct buf key;	      // scratch for hashes
};

// The parts of one WriteRequest, borrowed.
struct parts {
	bool has_metadata, has_element, has_spec;
	struct view metadata;
	struct view element; // stream
	uint64_t id;
	struct view span; // trace
	size_t tag_count; // trace
	bool malformed;
};

struct sink_write *sink_write_new(struct sink_service *s, enum sink_kind kind)
{
	struct sink_write *w = mem_zalloc(1, sizeof(*w));

	w->service = s;
	w->kind = kind;
	buf_init(&w->null_acks, SINK_REPLY_MAX);
	buf_init(&w->key, SINK_MESSAGE_MAX);
	return w;
}

void sink_write_free(struct sink_write *w)
{
	if (w == NULL)
		return;
	w->service->totals.dropped += w->count;
	arena_free(&w->arena);
	buf_free(&w->null_acks);
	buf_free(&w->key);
	free(w->rows);
	free(w);
}

// ---- Acks ---------------------------------------------------------------------------------

// One framed WriteResponse.
static void put_ack(struct buf *out, enum sink_kind kind, uint64_t id, struct view status,
		    struct view metadata)
{
	size_t start = out->size, size;

	buf_put(out, "\0\0\0\0", 5);
	if (kind == SINK_STREAM) {
		pb_put_uint_nz(out, 1, id);
		pb_put_view(out, 2, status);
		pb_put_bytes(out, 3, metadata.data, metadata.size);
	} else {
		pb_put_bytes(out, 1, metadata.data, metadata.size);
		pb_put_uint_nz(out, 2, id);
		pb_put_view(out, 3, status);
	}
	if (out->failed)
		return;
	size = out->size - start - 5;
	out->data[start + 1] = (uint8_t)(size >> 24);
	out->data[start + 2] = (uint8_t)(size >> 16);
	out->data[start + 3] = (uint8_t)(size >> 8);
	out->data[start + 4] = (uint8_t)size;
}

static bool reject(struct sink_write *w, uint64_t id, struct view status, struct buf *acks)
{
	w->service->totals.rejected++;
	put_ack(acks, w->kind, id, status, w->target->metadata);
	return true;
}

#define INTERNAL_ERROR VIEW("STATUS_INTERNAL_ERROR")
#define INVALID_TIMESTAMP VIEW("STATUS_INVALID_TIMESTAMP")

// ---- The message --------------------------------------------------------------------------

static void read_stream(struct view message, struct parts *p)
{
	struct pb_reader in;
	struct pb_field f;

	pb_reader_init(&in, message.data, message.size);
	while (pb_next(&in, &f)) {
		if (f.number == 1 && f.wire == PB_BYTES) {
			p->metadata = f.bytes;
			p->has_metadata = true;
		} else if (f.number == 2 && f.wire == PB_BYTES) {
			p->element = f.bytes;
			p->has_element = true;
		} else if (f.number == 3 && f.wire == PB_VARINT) {
			p->id = f.value;
		} else if (f.number == 4 && f.wire == PB_BYTES) {
			p->has_spec = true;
		}
	}
	p->malformed = in.failed;
}

static void read_trace(struct view message, struct parts *p)
{
	struct pb_reader in;
	struct pb_field f;

	pb_reader_init(&in, message.data, message.size);
	while (pb_next(&in, &f)) {
		if (f.number == 1 && f.wire == PB_BYTES) {
			p->metadata = f.bytes;
			p->has_metadata = true;
		} else if (f.number == 2 && f.wire == PB_BYTES) {
			p->tag_count++;
		} else if (f.number == 3 && f.wire == PB_BYTES) {
			p->span = f.bytes;
		} else if (f.number == 4 && f.wire == PB_VARINT) {
			p->id = f.value;
		} else if (f.number == 5 && f.wire == PB_BYTES) {
			p->has_spec = true;
		}
	}
	p->malformed = in.failed;
}

static bool unreadable(struct sink_reply *end)
{
	sink_fail(end, SINK_CODE_INTERNAL,
		  "grpc: error unmarshalling request: proto: cannot parse invalid wire-format "
		  "data");
	return false;
}

// What a real server's validation layer refuses: it ends the RPC.
static bool valid(const struct sink_write *w, const struct parts *p, struct sink_reply *end)
{
	const char *why = NULL;

	if (w->kind == SINK_STREAM && !p->has_element)
		why = "invalid WriteRequest.Element: value is required";
	else if (w->kind == SINK_STREAM && p->id == 0)
		why = "invalid WriteRequest.MessageId: value must be greater than 0";
	else if (w->kind == SINK_TRACE && p->tag_count == 0)
		why = "invalid WriteRequest.Tags: value must contain at least 1 item(s)";
	else if (w->kind == SINK_TRACE && p->id == 0)
		why = "invalid WriteRequest.Version: value must be greater than 0";
	if (why == NULL)
		return true;
	sink_fail(end, SINK_CODE_INVALID_ARGUMENT, "%s", why);
	return false;
}

// ---- Targets and specs --------------------------------------------------------------------

static void look_up(struct sink_write *w, struct target *t)
{
	t->object = sink_registry_find(&w->service->registry, w->kind, t->group, t->name);
	t->revision = t->object != NULL ? t->object->revision : 0;
	t->changes = w->service->registry.changes;
}

// The target that this metadata names. NULL: *end says why.
static struct target *new_target(struct sink_write *w, struct view metadata,
				 struct sink_reply *end)
{
	struct target *t = arena_alloc(&w->arena, 1, sizeof(*t));
	struct pb_reader in;
	struct pb_field f;

	if (t != NULL)
		t->metadata = arena_copy(&w->arena, metadata.data, metadata.size);
	if (t == NULL || t->metadata.data == NULL) {
		sink_fail(end, SINK_CODE_RESOURCE_EXHAUSTED, "spansink: out of memory");
		return NULL;
	}
	t->group = t->name = VIEW("");
	pb_reader_init(&in, t->metadata.data, t->metadata.size);
	while (pb_next(&in, &f)) {
		if (f.number == 1 && f.wire == PB_BYTES)
			t->group = f.bytes;
		else if (f.number == 2 && f.wire == PB_BYTES)
			t->name = f.bytes;
		else if (f.number == 5 && f.wire == PB_VARINT)
			t->client_revision = (int64_t)f.value;
	}
	if (in.failed || !utf8_valid(t->group.data, t->group.size) ||
	    !utf8_valid(t->name.data, t->name.size)) {
		unreadable(end);
		return NULL;
	}
	look_up(w, t);
	return t;
}

// Metadata stays in force until other metadata comes. After a change of the schema it is looked
// up anew, for a target of its own: rows that are held keep the schema they were read by.
static bool choose_target(struct sink_write *w, const struct parts *p, struct sink_reply *end)
{
	struct target *t = w->target;
	struct view metadata = VIEW("");

	if (p->has_metadata)
		metadata = p->metadata;
	else if (t != NULL)
		metadata = t->metadata;
	if (t == NULL && !p->has_metadata) {
		sink_fail(end, SINK_CODE_UNKNOWN,
			  "metadata is required for the first request of gRPC stream");
		return false;
	}
	if (t != NULL && t->changes == w->service->registry.changes &&
	    view_equal(t->metadata, metadata))
		return true;
	t = new_target(w, metadata, end);
	if (t == NULL)
		return false;
	w->target = t;
	w->layout_target = NULL;
	return true;
}

// A spec stays in force until another comes, on both models, also over new metadata. It is kept
// as the message's spec fields, one after the other.
static bool keep_spec(struct sink_write *w, struct view message, struct sink_reply *end)
{
	uint32_t number = w->kind == SINK_STREAM ? 4 : 5;
	struct pb_reader in;
	struct pb_field f;

	buf_clear(&w->key);
	pb_reader_init(&in, message.data, message.size);
	while (pb_next(&in, &f))
		if (f.number == number && f.wire == PB_BYTES)
			pb_put_bytes(&w->key, 1, f.bytes.data, f.bytes.size);
	if (view_equal(w->spec, (struct view){(const char *)w->key.data, w->key.size}))
		return true;
	w->spec = arena_copy(&w->arena, w->key.data, w->key.size);
	w->layout_target = NULL;
	if (w->spec.data == NULL || w->key.failed) {
		sink_fail(end, SINK_CODE_RESOURCE_EXHAUSTED, "spansink: out of memory");
		return false;
	}
	return true;
}

// ---- Rows ---------------------------------------------------------------------------------

// Hash of "<group>|<name>|<element id>", which is what queries answer as the element's id.
static uint64_t element_hash(struct sink_write *w, struct view id)
{
	char made[64];

	buf_clear(&w->key);
	buf_put_view(&w->key, w->target->group);
	buf_put_u8(&w->key, '|');
	buf_put_view(&w->key, w->target->name);
	buf_put_u8(&w->key, '|');
	if (id.size == 0) {
		snprintf(made, sizeof(made), "made by spansink %llu %lld",
			 (unsigned long long)++w->service->generated,
			 (long long)w->service->registry.last_revision);
		id = view_of(made);
	}
	buf_put_view(&w->key, id);
	return XXH64(w->key.data, w->key.size, 0);
}

// A series is always in one shard, as on a real server; which one is ours to choose.
static uint32_t series_shard(struct sink_write *w, const struct sink_value *values)
{
	const struct sink_object *o = w->target->object;

	buf_clear(&w->key);
	buf_put_view(&w->key, w->target->name);
	for (size_t i = 0; i < o->tag_count; i++) {
		if (!o->tags[i].key)
			continue;
		buf_put_u8(&w->key, 0);
		if (values[i].type == SINK_INT)
			buf_put_le64(&w->key, (uint64_t)values[i].number);
		else
			buf_put_view(&w->key, values[i].bytes);
	}
	return (uint32_t)(XXH64(w->key.data, w->key.size, 0) % o->shard_count);
}

// The layout of this message's values: the target's and the spec's in force.
static bool make_layout(struct sink_write *w)
{
	const struct sink_registry *registry = &w->service->registry;

	if (w->layout_target == w->target && w->layout_changes == registry->changes)
		return true;
	if (!sink_layout_make(&w->layout, registry, w->target->object, w->spec, &w->arena))
		return false;
	w->layout_target = w->target;
	w->layout_changes = registry->changes;
	return true;
}

static enum sink_row_result read_row(struct sink_write *w, const struct parts *p,
				     struct view message, struct sink_row *row)
{
	enum sink_row_result result;
	struct view id;

	if (w->kind == SINK_TRACE) {
		row->span = p->span;
		return sink_row_trace(&w->layout, message, row);
	}
	result = sink_row_stream(&w->layout, p->element, &w->arena, row, &id);
	if (result == SINK_ROW_GOOD) {
		row->id = element_hash(w, id);
		row->shard = series_shard(w, row->values);
	}
	return result;
}

static struct view target_status(const struct sink_write *w)
{
	const struct target *t = w->target;

	if (t->object == NULL)
		return w->kind == SINK_STREAM && t->client_revision == 0
			       ? INTERNAL_ERROR
			       : VIEW("STATUS_NOT_FOUND");
	if (t->client_revision > 0 && t->client_revision < t->object->revision)
		return VIEW("STATUS_EXPIRED_SCHEMA");
	if (t->client_revision > t->object->revision)
		return VIEW("STATUS_SCHEMA_NOT_APPLIED");
	return VIEW("");
}

static bool no_memory(struct sink_reply *end)
{
	sink_fail(end, SINK_CODE_RESOURCE_EXHAUSTED, "spansink: out of memory");
	return false;
}

static void hold(struct sink_write *w, uint64_t id, const struct sink_row *row)
{
	if (w->count == w->capacity) {
		w->capacity = w->capacity > 0 ? 2 * w->capacity : 64;
		w->rows = mem_realloc(w->rows, w->capacity, sizeof(*w->rows));
	}
	w->rows[w->count++] = (struct held){.id = id, .target = w->target, .row = *row};
}

static bool take_row(struct sink_write *w, struct view message, struct buf *acks,
		     struct sink_reply *end)
{
	struct parts p = {0};
	struct sink_row row = {0};
	enum sink_row_result result = SINK_ROW_GOOD;
	struct view status;

	// Values are views into this copy until the bulk is stored.
	message = arena_copy(&w->arena, message.data, message.size);
	if (message.data == NULL)
		return no_memory(end);
	if (w->kind == SINK_STREAM)
		read_stream(message, &p);
	else
		read_trace(message, &p);
	if (p.malformed)
		return unreadable(end);
	if (!valid(w, &p, end) || !choose_target(w, &p, end) ||
	    (p.has_spec && !keep_spec(w, message, end)))
		return false;
	if (w->kind == SINK_STREAM)
		result = sink_row_time(p.element, &row.ts_ns);
	if (result == SINK_ROW_BAD_TIME)
		return reject(w, p.id, INVALID_TIMESTAMP, acks);
	status = target_status(w);
	if (status.size > 0)
		return reject(w, p.id, status, acks);
	row.values = arena_alloc(&w->arena, w->target->object->tag_count, sizeof(*row.values));
	if (row.values == NULL || !make_layout(w))
		return no_memory(end);
	if (result == SINK_ROW_GOOD)
		result = read_row(w, &p, message, &row);
	if (result == SINK_ROW_UNREADABLE)
		return unreadable(end);
	if (result != SINK_ROW_GOOD)
		return reject(w, p.id,
			      result == SINK_ROW_BAD ? INTERNAL_ERROR : INVALID_TIMESTAMP,
			      acks);
	hold(w, p.id, &row);
	return true;
}

// --null: no look at the row, only at what the ack needs.
static bool count_row(struct sink_write *w, struct view message, struct sink_reply *end)
{
	struct parts p = {0};

	if (w->kind == SINK_STREAM)
		read_stream(message, &p);
	else
		read_trace(message, &p);
	if (p.malformed)
		return unreadable(end);
	if (!valid(w, &p, end) || !choose_target(w, &p, end))
		return false;
	if (w->target->object != NULL)
		w->target->object->counted++;
	put_ack(&w->null_acks, w->kind, p.id, VIEW("STATUS_SUCCEED"), w->target->metadata);
	w->count++;
	return true;
}

bool sink_write_message(struct sink_write *w, struct view message, struct buf *acks,
			struct sink_reply *end)
{
	struct sink_totals *totals = &w->service->totals;
	bool goes_on;

	totals->received++;
	totals->bytes += message.size;
	goes_on =
		w->service->null ? count_row(w, message, end) : take_row(w, message, acks, end);
	if (!goes_on)
		totals->dropped++;
	return goes_on;
}

// ---- The end of the bulk ------------------------------------------------------------------

// The row's table, NULL when the schema went or changed since it was accepted.
static struct sink_table *table_of(const struct sink_write *w, const struct held *h)
{
	const struct target *t = h->target;
	const struct sink_object *o = t->object;

	if (t->changes != w->service->registry.changes)
		o = sink_registry_find(&w->service->registry, w->kind, t->group, t->name);
	return o != NULL && o->revision == t->revision ? o->table : NULL;
}

static enum status store(struct sink_write *w, struct err *e)
{
	struct sink_store *s = w->service->store;
	enum status st = sink_store_begin(s, e);

	if (st != OK)
		return st;
	for (size_t i = 0; st == OK && i < w->count; i++) {
		struct sink_table *t = table_of(w, &w->rows[i]);

		if (t != NULL)
			st = sink_table_insert(t, &w->rows[i].row, e);
	}
	if (st == OK)
		return sink_store_commit(s, e);
	sink_store_rollback(s);
	return st;
}

void sink_write_finish(struct sink_write *w, struct buf *acks, struct sink_reply *end)
{
	struct sink_totals *totals = &w->service->totals;
	struct err e = {0};
	enum status st = OK;

	if (w->service->null) {
		buf_put(acks, w->null_acks.data, w->null_acks.size);
		buf_free(&w->null_acks);
		totals->acked += w->count;
		w->count = 0;
		return;
	}
	if (w->count > 0)
		st = store(w, &e);
	for (size_t i = 0; i < w->count; i++) {
		const struct held *h = &w->rows[i];
		struct view status = VIEW("STATUS_SUCCEED");

		if (st == ERR_LIMIT)
			status = VIEW("STATUS_DISK_FULL");
		else if (st != OK || table_of(w, h) == NULL)
			status = INTERNAL_ERROR;
		if (status.size == VIEW("STATUS_SUCCEED").size)
			totals->acked++;
		else
			totals->rejected++;
		put_ack(acks, w->kind, h->id, status, h->target->metadata);
	}
	w->count = 0;
	if (st != OK && st != ERR_LIMIT)
		sink_fail(end, SINK_CODE_INTERNAL, "spansink: %s", e.text);
}
