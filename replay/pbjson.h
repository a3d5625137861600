// SPDX-License-Identifier: Apache-2.0
// protobuf-c messages by their descriptors: from JSON, and how two of them differ. Knows no
// message but Timestamp. Pure.
#ifndef REPLAY_PBJSON_H
#define REPLAY_PBJSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "common/err.h"

#define PBJSON_PATH 320

// Field names as in the .proto, enum values by name, Timestamp as RFC 3339. ERR_FORMAT names
// the place ("tags[3].type") and what it expected; unknown keys are refused. *out moves to the
// caller: protobuf_c_message_free_unpacked.
enum status pbjson_parse(const json_t *json, const ProtobufCMessageDescriptor *type,
			 ProtobufCMessage **out, struct err *e) MUST_CHECK;

// Whether `got` has everything that is set in `want`; fields whose name stands in `ignore`
// (NULL ends it), or that want leaves unset, are passed over. When not, `text` receives
// "tags[3].type is INT, not STRING".
bool pbjson_covers(const ProtobufCMessage *want, const ProtobufCMessage *got,
		   const char *const *ignore, char text[PBJSON_PATH]);

#endif
