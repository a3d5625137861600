// SPDX-License-Identifier: Apache-2.0
// Private to spancorpus_otlp*.c: a segment as read (spancorpus_otlp_read.c) and as written
// (spancorpus_otlp_write.c); spancorpus_otlp.c maps one to the other.
#ifndef TOOLS_SPANCORPUS_OTLP_H
#define TOOLS_SPANCORPUS_OTLP_H

#include <xxhash.h>

#include "common/pb.h"

// ---- As read -----------------------------------------------------------------------------

// Fields of skywalking.v3.SegmentObject and SpanObject that hold messages to walk over.
#define SEGMENT_SPANS 3
#define SW_SPAN_REFS 5
#define SW_SPAN_TAGS 12
#define SW_SPAN_LOGS 13

enum sw_span_type { SW_ENTRY = 0, SW_EXIT = 1, SW_LOCAL = 2 };
#define SW_LAYER_MQ 4

struct sw_segment {
	struct view trace_id, id, service, instance;
};

struct sw_reference {
	struct view trace_id, segment_id;
	int32_t span_id;
};

struct sw_span {
	struct view bytes; // tags, logs and references are walked over once more
	struct view name, peer;
	struct sw_reference reference; // the first
	int32_t id, parent;
	int64_t start_ms, end_ms;
	uint64_t type, layer; // enum sw_span_type, or what a newer agent sends
	bool is_error, has_reference;
};

struct attribute {
	struct view key, text;
	int64_t number; // when is_number
	bool is_number;
};

// Keys are unique, as OTLP demands: the first of a key stays, others are counted.
struct attributes {
	struct attribute *v; // owned
	size_t count, capacity;
	uint32_t dropped;
};

void attributes_clear(struct attributes *a);
void attributes_add_text(struct attributes *a, struct view key, struct view text);
void attributes_add_number(struct attributes *a, struct view key, int64_t number);

// All views are borrowed from the blob. False when it is not that message, a text is not UTF-8,
// or a time is none that OTLP can say.
bool sw_segment_read(struct sw_segment *s, struct view blob);
bool sw_span_read(struct sw_span *s, const struct pb_field *span);
bool sw_reference_read(struct sw_reference *r, const struct pb_field *reference);
// Adds a KeyStringValuePair.
bool sw_pair_read(struct attributes *a, const struct pb_field *pair);
// Replaces *a by the pairs of a Log.
bool sw_log_read(struct attributes *a, int64_t *time_ms, const struct pb_field *line);

// ---- As written --------------------------------------------------------------------------

enum otlp_kind {
	OTLP_UNSPECIFIED = 0,
	OTLP_INTERNAL = 1,
	OTLP_SERVER = 2,
	OTLP_CLIENT = 3,
	OTLP_PRODUCER = 4,
	OTLP_CONSUMER = 5,
};

struct otlp_trace_id {
	XXH128_canonical_t hash; // big-endian, never all zero
};

struct otlp_span {
	struct otlp_trace_id trace;
	uint64_t id, parent; // parent 0: none
	struct view name;
	enum otlp_kind kind;
	int64_t start_ms, end_ms;
	bool is_error;
};

struct otlp_event {
	int64_t time_ms;
	struct view name;
};

struct otlp_link {
	struct otlp_trace_id trace;
	uint64_t span;
};

// Buffers of a request in the making.
struct otlp_out {
	struct buf message, inner; // a span; an event, link or the resource
	struct buf spans;	   // the content of ScopeSpans
	unsigned events, links;	   // of the span so far
};

// The calls for one encoding: span_begin (with its attributes), each event (with its), each
// link, span_end, and when all spans are in, request (with the resource's attributes), which
// appends to *out.
struct otlp_encoding {
	void (*span_begin)(struct otlp_out *o, const struct otlp_span *s,
			   const struct attributes *a);
	void (*event)(struct otlp_out *o, const struct otlp_event *v,
		      const struct attributes *a);
	void (*link)(struct otlp_out *o, const struct otlp_link *l);
	void (*span_end)(struct otlp_out *o, const struct otlp_span *s);
	void (*request)(struct otlp_out *o, const struct attributes *resource, struct buf *out);
};
extern const struct otlp_encoding otlp_protobuf, otlp_json;

// An integer as decimal text.
void put_decimal(struct buf *out, int64_t v);

#endif
