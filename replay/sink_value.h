// SPDX-License-Identifier: Apache-2.0
// TagValues: from the wire to what the store keeps, and back. Pure.
#ifndef REPLAY_SINK_VALUE_H
#define REPLAY_SINK_VALUE_H

#include "banyandb/database.pb-c.h"
#include "common/pb.h"
#include "replay/sink_store.h"

enum sink_value_result {
	SINK_VALUE_GOOD,
	SINK_VALUE_EMPTY, // a TagValue without a member; *v is null
	SINK_VALUE_OTHER_TYPE,
	SINK_VALUE_UNREADABLE, // malformed, or text that is not UTF-8
};

// Reads a TagValue; a null fits every type. type UNSPECIFIED: any. *v borrows from bytes; an
// array is kept as the TagValue's own bytes.
enum sink_value_result sink_value_read(struct view bytes, Banyandb__Database__V1__TagType type,
				       struct sink_value *v);
// A google.protobuf.Timestamp in ns; OTHER_TYPE: not representable.
enum sink_value_result sink_time_read(struct view bytes, int64_t *ns);
// Puts v as field `field` of type TagValue. A value that does not fit the type is put as null.
void sink_value_put(struct buf *out, uint32_t field, Banyandb__Database__V1__TagType type,
		    const struct sink_value *v);
void sink_time_put(struct buf *out, uint32_t field, int64_t ns);

#endif
