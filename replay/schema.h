// SPDX-License-Identifier: Apache-2.0
// The schema of a model: read from JSON files, checked, created on a server, compared, dropped.
// A server checks little itself.
#ifndef REPLAY_SCHEMA_H
#define REPLAY_SCHEMA_H

#include "replay/model.h"

#define SCHEMA_OBJECTS_MAX 32

enum schema_kind { SCHEMA_GROUP, SCHEMA_RULE, SCHEMA_BINDING, SCHEMA_RESOURCE };

struct schema_object {
	enum schema_kind kind;
	ProtobufCMessage *message; // owned
	const char *name;	   // borrowed from message
	char file[48];		   // where it was read
	int64_t mod_revision;	   // what Create returned; 0: unknown
};

// In the order of creation: group, rules, bindings, stream or trace.
struct schema {
	const struct model *model;
	struct schema_object object[SCHEMA_OBJECTS_MAX];
	size_t count;
};

struct schema_options {
	const char *dir;	// folder of the JSON files
	uint32_t ttl_days;	// 0: as in the file
	bool design_rule_names; // trace: time_based_index, latency_based_index
};

// Reads and checks. ERR_FORMAT with file and place.
enum status schema_load(struct schema *s, const struct model *m, const struct schema_options *o,
			struct err *e) MUST_CHECK;
void schema_free(struct schema *s); // null state: all zero

struct schema_report {
	unsigned created, present;
	bool barrier; // false: the server has none (before 0.11); a probe query and a pause
		      // instead
};

// Creates what is missing, compares what is there (ERR_EXISTS with the difference), reads
// everything back, waits until it is applied.
enum status schema_apply(const struct schema *s, struct rpc *r, int64_t timeout_ms,
			 struct schema_report *report, struct err *e) MUST_CHECK;
// ERR_NOT_FOUND or ERR_EXISTS (differs) naming the first object that is not as in the files.
enum status schema_check(const struct schema *s, struct rpc *r, int64_t timeout_ms,
			 struct err *e) MUST_CHECK;
// Deletes the group with everything in it and waits until it is gone. A group that holds rows
// needs `yes`, else ERR_USAGE.
enum status schema_drop(const struct model *m, struct rpc *r, bool yes, int64_t timeout_ms,
			bool *was_there, struct err *e) MUST_CHECK;

#endif
