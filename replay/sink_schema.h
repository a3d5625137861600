// SPDX-License-Identifier: Apache-2.0
// What a schema object must be like, and what may change about it. Pure.
#ifndef REPLAY_SINK_SCHEMA_H
#define REPLAY_SINK_SCHEMA_H

#include "replay/sink_service.h"

// The metadata of an object of that kind, NULL when it has none. Borrowed.
Banyandb__Common__V1__Metadata *sink_schema_metadata(enum sink_kind k,
						     const ProtobufCMessage *m);
// false: *r says what is wrong, in the words and codes of a real server; beyond what that one
// checks, references inside one object must name something.
bool sink_schema_check(enum sink_kind k, const ProtobufCMessage *m, struct sink_reply *r);
// Equal but for revisions, times and the id.
bool sink_schema_same(enum sink_kind k, const ProtobufCMessage *a, const ProtobufCMessage *b);
bool sink_schema_update_fits(enum sink_kind k, const ProtobufCMessage *before,
			     const ProtobufCMessage *after, struct sink_reply *r);
int64_t sink_schema_created_ms(enum sink_kind k, const ProtobufCMessage *m);
// Sets the revision, the times, and the id of an index rule that has none.
void sink_schema_stamp(enum sink_kind k, ProtobufCMessage *m, int64_t revision,
		       int64_t created_ms, int64_t updated_ms);

#endif
