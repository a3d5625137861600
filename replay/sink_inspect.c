// SPDX-License-Identifier: Apache-2.0
// What spansink says about its state: Inspect, the schema barrier, the node.
#include "replay/sink_service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "banyandb/schema.pb-c.h"
#include "common/opt.h"

#define BARRIER_DEFAULT_NS (5 * NS_PER_S)
#define BARRIER_KEYS_MAX 10000

// A nested message: built in a buf of its own, put behind its length.
static void put_message(struct buf *out, uint32_t field, struct buf *message)
{
	if (message->failed)
		out->failed = true;
	pb_put_bytes(out, field, message->data, message->size);
	buf_free(message);
}

// ---- Inspect ------------------------------------------------------------------------------

static const uint32_t schema_info_field[SINK_KIND_COUNT] = {0, 1, 3, 5, 6};

void sink_put_schema_info(struct sink_service *s, struct view group, uint32_t field,
			  struct buf *out)
{
	struct buf info;

	buf_init(&info, SINK_REPLY_MAX);
	for (size_t i = 0; i < s->registry.count; i++) {
		const struct sink_object *o = s->registry.objects[i];

		if (o->kind != SINK_GROUP && view_equal(view_of(o->group), group))
			pb_put_string(&info, schema_info_field[o->kind], o->name);
	}
	put_message(out, field, &info);
}

struct shard_count {
	int64_t segment; // start / length
	int64_t shard, rows;
};

struct counts {
	struct shard_count *list;
	size_t count, capacity;
};

static void count_shard(struct counts *c, int64_t segment, int64_t shard, int64_t rows)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->list[i].segment == segment && c->list[i].shard == shard) {
			c->list[i].rows += rows;
			return;
		}
	if (c->count == c->capacity) {
		c->capacity = c->capacity > 0 ? 2 * c->capacity : 16;
		c->list = mem_realloc(c->list, c->capacity, sizeof(*c->list));
	}
	c->list[c->count++] = (struct shard_count){segment, shard, rows};
}

static enum status count_rows(struct sink_service *s, const struct sink_object *o,
			      int64_t segment_ns, int64_t oldest_ns, struct counts *c,
			      struct err *e)
{
	struct sink_value p[2] = {{.type = SINK_INT, .number = segment_ns},
				  {.type = SINK_INT, .number = oldest_ns}};
	struct sink_cursor *cursor;
	char sql[256];
	bool row = false;
	enum status st;

	snprintf(sql, sizeof(sql),
		 "SELECT \"#ts\" / ?1, \"#shard\", count(*) FROM rows_%" PRId64
		 " WHERE \"#ts\" >= ?2 GROUP BY 1, 2",
		 o->oid);
	st = sink_cursor_open(&cursor, s->store, view_of(sql), p, 2, e);
	if (st == OK)
		st = sink_cursor_next(cursor, &row, e);
	while (st == OK && row) {
		count_shard(c, sink_cursor_get(cursor, 0).number,
			    sink_cursor_get(cursor, 1).number,
			    sink_cursor_get(cursor, 2).number);
		st = sink_cursor_next(cursor, &row, e);
	}
	sink_cursor_close(cursor);
	return st;
}

static int by_segment(const void *a, const void *b)
{
	const struct shard_count *x = a, *y = b;

	if (x->segment != y->segment)
		return x->segment < y->segment ? -1 : 1;
	return x->shard < y->shard ? -1 : x->shard > y->shard;
}

// Bytes are not kept apart by shard: a nominal figure that says "not empty".
#define ROW_NOMINAL_BYTES 1024

static void put_shard(struct buf *out, const struct shard_count *c)
{
	struct buf b;

	buf_init(&b, SINK_REPLY_MAX);
	pb_put_uint_nz(&b, 1, (uint64_t)c->shard);
	pb_put_uint(&b, 2, (uint64_t)c->rows);
	pb_put_uint(&b, 3, (uint64_t)c->rows * ROW_NOMINAL_BYTES);
	pb_put_uint(&b, 4, 1);
	pb_put_uint(&b, 7, 1);
	put_message(out, 4, &b);
}

static void put_segment(struct buf *out, const struct shard_count *c, size_t count,
			int64_t segment_ns)
{
	int64_t start = c->segment * segment_ns;
	char begin[32], end[32], id[64];
	struct buf b;

	format_rfc3339_ms(start / NS_PER_MS, begin);
	format_rfc3339_ms((start + segment_ns) / NS_PER_MS, end);
	snprintf(id, sizeof(id), "%" PRId64 "-%" PRId64, start, start + segment_ns);
	buf_init(&b, SINK_REPLY_MAX);
	pb_put_string(&b, 1, id);
	pb_put_string(&b, 2, begin);
	pb_put_string(&b, 3, end);
	for (size_t i = 0; i < count; i++)
		put_shard(&b, &c[i]);
	put_message(out, 2, &b);
}

void sink_put_node(struct sink_service *s, struct buf *out)
{
	static const uint8_t roles[] = {BANYANDB__DATABASE__V1__ROLE__ROLE_META,
					BANYANDB__DATABASE__V1__ROLE__ROLE_DATA,
					BANYANDB__DATABASE__V1__ROLE__ROLE_LIAISON};
	struct buf node, meta;

	buf_init(&node, MIB);
	buf_init(&meta, MIB);
	pb_put_string(&meta, 2, s->address);
	put_message(&node, 1, &meta);
	pb_put_bytes(&node, 2, roles, sizeof(roles));
	pb_put_string(&node, 3, s->address);
	put_message(out, 1, &node);
}

static void put_data(struct sink_service *s, struct buf *out, const struct counts *c,
		     int64_t segment_ns)
{
	uint64_t bytes = 0;
	struct buf data;
	size_t i = 0;

	buf_init(&data, SINK_REPLY_MAX);
	sink_put_node(s, &data);
	while (i < c->count) {
		size_t n = 1;

		while (i + n < c->count && c->list[i + n].segment == c->list[i].segment)
			n++;
		put_segment(&data, &c->list[i], n, segment_ns);
		for (; n > 0; n--)
			bytes += (uint64_t)c->list[i++].rows * ROW_NOMINAL_BYTES;
	}
	pb_put_uint_nz(&data, 3, bytes);
	put_message(out, 3, &data);
}

static void put_group(struct buf *out, const struct sink_object *group)
{
	size_t size = protobuf_c_message_get_packed_size(group->message);
	uint8_t *p;

	pb_put_tag(out, 1, PB_BYTES);
	pb_put_varint(out, size);
	p = buf_reserve(out, size);
	if (p != NULL)
		protobuf_c_message_pack(group->message, p);
}

void sink_inspect(struct sink_service *s, const struct sink_request *q, struct sink_reply *r)
{
	struct view name = VIEW("");
	const struct sink_object *group;
	struct counts counts = {0};
	struct pb_reader in;
	struct pb_field f;
	struct err e = {0};
	int64_t segment_ns, oldest;
	enum status st = OK;

	pb_reader_init(&in, q->body.data, q->body.size);
	while (pb_next(&in, &f))
		if (f.number == 1 && f.wire == PB_BYTES)
			name = f.bytes;
	group = sink_registry_find(&s->registry, SINK_GROUP, VIEW(""), name);
	if (group == NULL) {
		sink_fail(r, SINK_CODE_NOT_FOUND, "banyandb: resource not found");
		return;
	}
	segment_ns = sink_group_segment_ns(group);
	oldest = sink_group_oldest_ns(group, &q->now);
	for (size_t i = 0; st == OK && i < s->registry.count; i++) {
		const struct sink_object *o = s->registry.objects[i];

		if (!view_equal(view_of(o->group), name))
			continue;
		if (o->table != NULL)
			st = count_rows(s, o, segment_ns, oldest, &counts, &e);
		if (o->counted > 0)
			count_shard(&counts, q->now.wall_ms * NS_PER_MS / segment_ns, 0,
				    (int64_t)o->counted);
	}
	if (st != OK) {
		sink_fail(r, SINK_CODE_INTERNAL, "spansink: %s", e.text);
	} else {
		if (counts.count > 0)
			qsort(counts.list, counts.count, sizeof(*counts.list), by_segment);
		put_group(&r->body, group);
		sink_put_schema_info(s, name, 2, &r->body);
		put_data(s, &r->body, &counts, segment_ns);
		pb_put_bytes(&r->body, 4, "", 0);
	}
	free(counts.list);
}

// ---- The barrier --------------------------------------------------------------------------

static const char *const kind_name[SINK_KIND_COUNT] = {"group", "stream", "trace", "index_rule",
						       "index_rule_binding"};

static enum sink_kind key_kind(const Banyandb__Schema__V1__SchemaKey *k)
{
	for (int i = 0; i < SINK_KIND_COUNT; i++)
		if (strcmp(k->kind, kind_name[i]) == 0)
			return (enum sink_kind)i;
	return SINK_KIND_COUNT;
}

static const struct sink_object *key_object(const struct sink_service *s,
					    const Banyandb__Schema__V1__SchemaKey *k)
{
	enum sink_kind kind = key_kind(k);

	return kind == SINK_KIND_COUNT
		       ? NULL
		       : sink_registry_find(&s->registry, kind, view_of(k->group),
					    view_of(k->name));
}

// The time a barrier gives up.
static int64_t barrier_end_ns(const struct sink_request *q,
			      const Google__Protobuf__Duration *timeout)
{
	int64_t ns = BARRIER_DEFAULT_NS;

	if (timeout != NULL && (timeout->seconds > 0 || timeout->nanos > 0)) {
		if (timeout->seconds > INT64_MAX / NS_PER_S / 4)
			ns = INT64_MAX / 4;
		else
			ns = timeout->seconds * NS_PER_S + timeout->nanos;
	}
	return q->arrived_ns + ns;
}

static void put_key(struct buf *laggard, uint32_t field,
		    const Banyandb__Schema__V1__SchemaKey *k)
{
	struct buf b;

	buf_init(&b, MIB);
	pb_put_string(&b, 1, k->kind);
	pb_put_string(&b, 2, k->group);
	pb_put_string(&b, 3, k->name);
	put_message(laggard, field, &b);
}

// Ends the wait: applied, or the laggard, which is moved.
static void settle(struct sink_service *s, const struct sink_request *q, bool applied,
		   int64_t end_ns, struct buf *keys, struct sink_reply *r)
{
	struct buf laggard;

	if (applied) {
		pb_put_uint(&r->body, 1, 1);
	} else if (q->now.monotonic_ns < end_ns) {
		r->wait_until_ns = end_ns;
	} else {
		buf_init(&laggard, SINK_REPLY_MAX);
		pb_put_string(&laggard, 1, s->address);
		pb_put_uint_nz(&laggard, 2, (uint64_t)s->registry.last_revision);
		buf_put(&laggard, keys->data, keys->size);
		put_message(&r->body, 2, &laggard);
	}
	buf_free(keys);
}

static void bad_request(struct sink_reply *r)
{
	sink_fail(r, SINK_CODE_INTERNAL,
		  "grpc: error unmarshalling request: proto: cannot parse invalid wire-format "
		  "data");
}

void sink_await_revision(struct sink_service *s, const struct sink_request *q,
			 struct sink_reply *r)
{
	Banyandb__Schema__V1__AwaitRevisionAppliedRequest *m =
		banyandb__schema__v1__await_revision_applied_request__unpack(
			NULL, q->body.size, (const uint8_t *)q->body.data);
	struct buf keys;

	if (m == NULL) {
		bad_request(r);
		return;
	}
	buf_init(&keys, MIB);
	settle(s, q, m->min_revision <= s->registry.last_revision,
	       barrier_end_ns(q, m->timeout), &keys, r);
	banyandb__schema__v1__await_revision_applied_request__free_unpacked(m, NULL);
}

static bool keys_fit(Banyandb__Schema__V1__SchemaKey *const *keys, size_t count,
		     struct sink_reply *r)
{
	for (size_t i = 0; i < count && i < BARRIER_KEYS_MAX; i++)
		if (key_kind(keys[i]) == SINK_KIND_COUNT) {
			sink_fail(r, SINK_CODE_INVALID_ARGUMENT, "unknown kind \"%.100s\"",
				  keys[i]->kind);
			return false;
		}
	if (count <= BARRIER_KEYS_MAX)
		return true;
	sink_fail(r, SINK_CODE_INVALID_ARGUMENT, "too many keys: %zu, at most %d", count,
		  BARRIER_KEYS_MAX);
	return false;
}

void sink_await_applied(struct sink_service *s, const struct sink_request *q,
			struct sink_reply *r)
{
	Banyandb__Schema__V1__AwaitSchemaAppliedRequest *m =
		banyandb__schema__v1__await_schema_applied_request__unpack(
			NULL, q->body.size, (const uint8_t *)q->body.data);
	bool applied = true;
	struct buf missing;

	if (m == NULL) {
		bad_request(r);
		return;
	}
	if (keys_fit(m->keys, m->n_keys, r)) {
		buf_init(&missing, SINK_REPLY_MAX);
		for (size_t i = 0; i < m->n_keys; i++) {
			const struct sink_object *o = key_object(s, m->keys[i]);
			int64_t least = i < m->n_min_revisions ? m->min_revisions[i] : 0;

			if (o != NULL && o->revision >= least)
				continue;
			applied = false;
			put_key(&missing, 3, m->keys[i]);
		}
		settle(s, q, applied, barrier_end_ns(q, m->timeout), &missing, r);
	}
	banyandb__schema__v1__await_schema_applied_request__free_unpacked(m, NULL);
}

void sink_await_deleted(struct sink_service *s, const struct sink_request *q,
			struct sink_reply *r)
{
	Banyandb__Schema__V1__AwaitSchemaDeletedRequest *m =
		banyandb__schema__v1__await_schema_deleted_request__unpack(
			NULL, q->body.size, (const uint8_t *)q->body.data);
	bool gone = true;
	struct buf present;

	if (m == NULL) {
		bad_request(r);
		return;
	}
	if (keys_fit(m->keys, m->n_keys, r)) {
		buf_init(&present, SINK_REPLY_MAX);
		for (size_t i = 0; i < m->n_keys; i++) {
			if (key_object(s, m->keys[i]) == NULL)
				continue;
			gone = false;
			put_key(&present, 4, m->keys[i]);
		}
		settle(s, q, gone, barrier_end_ns(q, m->timeout), &present, r);
	}
	banyandb__schema__v1__await_schema_deleted_request__free_unpacked(m, NULL);
}
