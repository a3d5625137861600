// SPDX-License-Identifier: Apache-2.0
// Rows from the values of a WriteRequest; of sink_write.c only.
#ifndef REPLAY_SINK_LAYOUT_H
#define REPLAY_SINK_LAYOUT_H

#include "common/pb.h"
#include "replay/sink_registry.h"

// Which tag each value of a message is for: value j of family f is tag[start[f] + j]. A trace
// has one family.
struct sink_layout {
	const struct sink_object *object; // borrowed
	size_t family_count;
	size_t *start; // family_count + 1
	size_t *tag;   // SINK_NO_TAG: a name in the spec that the schema does not know
	bool *key;     // per tag of the object: must not be an empty TagValue
};

// spec: the client's spec fields, one after the other; empty: as the schema has its tags. What
// is allocated is the arena's. false: no memory.
bool sink_layout_make(struct sink_layout *l, const struct sink_registry *r,
		      const struct sink_object *o, struct view spec, struct arena *a);

// The worst of what was found is the result.
enum sink_row_result {
	SINK_ROW_GOOD,
	SINK_ROW_BAD,	     // STATUS_INTERNAL_ERROR
	SINK_ROW_BAD_TIME,   // STATUS_INVALID_TIMESTAMP
	SINK_ROW_UNREADABLE, // ends the RPC
};

// The time of a stream's element. A server checks it before anything else.
enum sink_row_result sink_row_time(struct view element, int64_t *ns);
// Fills row->values, of which there is one for each tag, with views into the element, and *id.
enum sink_row_result sink_row_stream(const struct sink_layout *l, struct view element,
				     struct arena *a, struct sink_row *row, struct view *id);
// Fills row->values, ts_ns and shard.
enum sink_row_result sink_row_trace(const struct sink_layout *l, struct view message,
				    struct sink_row *row);

#endif
