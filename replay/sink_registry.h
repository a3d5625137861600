// SPDX-License-Identifier: Apache-2.0
// Schema objects of spansink: groups, streams, traces, index rules and bindings. All are in
// memory, sorted, and stored as they change. The calls are in sink_verbs.c, barrier and Inspect
// in sink_inspect.c; rows are left to sink_write.c and sink_query.c.
#ifndef REPLAY_SINK_REGISTRY_H
#define REPLAY_SINK_REGISTRY_H

#include <protobuf-c/protobuf-c.h>

#include "banyandb/database.pb-c.h"
#include "replay/sink_store.h"

struct sink_time {
	int64_t wall_ms;
	int64_t monotonic_ns;
};

enum sink_kind {
	SINK_GROUP,
	SINK_STREAM,
	SINK_TRACE,
	SINK_INDEX_RULE,
	SINK_BINDING,
	SINK_KIND_COUNT
};

#define SINK_NO_TAG SIZE_MAX

// One tag of a stream or trace; the tags of all families in one list, in schema order.
struct sink_tag {
	const char *name; // borrowed from the object's message
	Banyandb__Database__V1__TagType type;
	size_t family; // index; 0 on trace
	bool key;      // part of a stream's entity: never absent from a row
	bool indexed;  // by SQLite
};

// Invariant: of (kind, group, name) there is one. A group has its name in both.
struct sink_object {
	enum sink_kind kind;
	const char *group; // borrowed from message; "" for a group
	const char *name;
	int64_t revision; // ns; of the last change
	int64_t oid;	  // number in the store
	ProtobufCMessage *message;
	// Streams and traces only.
	struct sink_tag *tags;
	size_t tag_count;
	size_t trace_id_tag, timestamp_tag, span_id_tag; // SINK_NO_TAG on streams
	uint32_t shard_count;				 // of the group
	struct sink_table *table;
	uint64_t counted; // rows counted and not stored (--null)
};

struct sink_registry {
	struct sink_store *store; // borrowed
	struct sink_object **objects;
	size_t count, capacity;
	int64_t last_revision;
	uint64_t changes; // grows with each change: pointers to objects from before are stale
	struct buf tasks; // names of groups that were deleted, each ended by a NUL
};

enum status sink_registry_open(struct sink_registry *r, struct sink_store *store,
			       struct err *e) MUST_CHECK;
void sink_registry_close(struct sink_registry *r);

// NULL when there is none. group is ignored for SINK_GROUP.
struct sink_object *sink_registry_find(const struct sink_registry *r, enum sink_kind kind,
				       struct view group, struct view name);
const Banyandb__Common__V1__Group *sink_group_message(const struct sink_object *o);
// Index of a tag by name, SINK_NO_TAG when there is none.
size_t sink_object_tag(const struct sink_object *o, struct view name);
bool sink_tag_is_large(const struct sink_tag *t); // kept beside the row
// Gives a tag of a bound rule its SQLite index, for a query that looks for one value of it. Not
// before: a bulk of rows touches most pages of every index.
enum status sink_object_index(const struct sink_registry *r, struct sink_object *o, size_t tag,
			      struct err *e) MUST_CHECK;
const char *sink_object_family_name(const struct sink_object *o, size_t family);
size_t sink_object_family_count(const struct sink_object *o);
// The rule of that name when a binding ties it to the object, else NULL.
const Banyandb__Database__V1__IndexRule *sink_registry_bound_rule(const struct sink_registry *r,
								  const struct sink_object *o,
								  struct view name);
// True for the tags of an object's bound rules, but for the last of each: on a trace they
// choose the series.
bool sink_registry_is_prefix(const struct sink_registry *r, const struct sink_object *o,
			     const char *tag);
// Length of the group's segments and its time to live, in ns.
int64_t sink_group_segment_ns(const struct sink_object *group);
int64_t sink_group_ttl_ns(const struct sink_object *group);
// Rows before this time are expired: a whole number of segments, as those go as one.
int64_t sink_group_oldest_ns(const struct sink_object *group, const struct sink_time *now);

// For sink_verbs.c, which changes what is here.
const ProtobufCMessageDescriptor *sink_kind_descriptor(enum sink_kind kind);
// Takes the message. Its metadata must be there.
struct sink_object *sink_object_new(enum sink_kind kind, ProtobufCMessage *message);
void sink_object_free(struct sink_object *o); // NULL is fine
// Opens or makes the table of a stream's or trace's rows.
enum status sink_object_open_table(struct sink_registry *r, struct sink_object *o,
				   struct err *e) MUST_CHECK;
// Takes o, and frees the object of the same name that it replaces.
void sink_registry_insert(struct sink_registry *r, struct sink_object *o);
void sink_registry_erase(struct sink_registry *r, struct sink_object *o); // frees o

#endif
