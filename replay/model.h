// SPDX-License-Identifier: Apache-2.0
// The two storage models behind one interface: how a row becomes a WriteRequest, how its answer
// reads, how rows come back. Everything that is alike lives in the driver (run), in schema,
// check and server; what differs is a field or a function here.
#ifndef REPLAY_MODEL_H
#define REPLAY_MODEL_H

#include "banyandb/model.pb-c.h"
#include "common/render.h"
#include "replay/ack.h"
#include "replay/rpc.h"

#define MODEL_MESSAGE_MAX (16 * MIB) // the server's default limit of a received message

enum model_kind { MODEL_STREAM, MODEL_TRACE };
#define MODEL_CHOICES "stream|trace" // in enum order

struct read_query;
struct read_result;

// ---- Writing
// --------------------------------------------------------------------------------------------------------

// Renders a blob so that it ends at area + size_bytes; returns its start, NULL when it does not
// fit.
struct blob_source {
	uint8_t *(*render)(const void *ctx, uint8_t *area, size_t size_bytes);
	const void *ctx;
};

// Which times may go out; see model_check_row.
struct row_limits {
	int64_t oldest_ms; // rows before it would be hidden by the group's ttl
	int64_t newest_ms; // rows after it would make the server drop live segments
};

#define START_MS_MAX (INT64_MAX / NS_PER_MS) // the server keeps ns in 64 bits

// UNSENT_NONE, or why this row must not leave: inputs that hurt a server whatever the model.
enum unsent model_check_row(const struct row *row, const struct row_limits *limits);

struct model {
	enum model_kind kind;
	const char *name;     // "stream"
	const char *kind_key; // of the schema barrier
	const char *catalog;  // "CATALOG_STREAM"
	const char *group, *resource;
	const char *write_method, *query_method;
	uint32_t ack_id_field, ack_status_field;
	// Backward encoders: both write in front of `p` and return the new start. tail: what
	// follows the payload. head: what precedes it; blob and the message's end are given,
	// `metadata` is the encoded metadata field.
	uint8_t *(*tail)(uint8_t *p, uint64_t id);
	uint8_t *(*head)(uint8_t *blob, const uint8_t *blob_end, const struct row *row,
			 struct view metadata);
	enum status (*read)(const struct model *m, struct rpc *r, const struct read_query *q,
			    int64_t timeout_ms, struct read_result *out, int *code,
			    struct err *e);
};

const struct model *model_get(enum model_kind kind);
extern const struct model model_stream, model_trace;

#define METADATA_MAX 256
// The metadata field (tag, length, group and name) that every message starts with; returns a
// view into out.
struct view model_metadata(const struct model *m, uint8_t out[METADATA_MAX]);

// Encodes the WriteRequest of one row so that it ends at area + size_bytes. id: position + 1.
// Returns its start, NULL when it does not fit. The row must have passed model_check_row;
// row->blob is not looked at.
uint8_t *model_encode(const struct model *m, struct view metadata, const struct row *row,
		      const struct blob_source *blob, uint64_t id, uint8_t *area,
		      size_t size_bytes);

// Reads an answer: false when malformed. *status borrows from data.
bool model_parse_ack(const struct model *m, const uint8_t *data, size_t size_bytes,
		     uint64_t *id, bool *succeed, struct view *status);

// Shared by the two heads: prepend the tag values of columns, in front of p.
uint8_t *model_put_varint(uint8_t *p, uint64_t v);
uint8_t *model_put_raw(uint8_t *p, struct view v);
// One field of TagValues holding a text / an integer; field_tag is the byte of `tags` in the
// message around it.
uint8_t *model_put_text(uint8_t *p, uint8_t field_tag, struct view v);
uint8_t *model_put_int(uint8_t *p, uint8_t field_tag, uint64_t v);
// The body of a Timestamp.
uint8_t *model_put_time(uint8_t *p, int64_t ms);

// ---- Reading back
// -----------------------------------------------------------------------------------------------------

enum tag_kind { TAG_ABSENT, TAG_NULL, TAG_TEXT, TAG_INT, TAG_TIME, TAG_OTHER };

struct tag_value {
	enum tag_kind kind;
	struct view text;
	int64_t number; // TAG_INT the value, TAG_TIME ms since 1970
};

struct stored_row {
	struct tag_value tag[COLUMN_COUNT];
	struct view payload;
};

#define READ_IDS_MAX 64

// Either the rows of some traces, or all rows of a time range.
struct read_query {
	const char *trace_id[READ_IDS_MAX];
	unsigned trace_ids; // 0: every trace
	// Stream: the series to look into; a lookup costs memory and time for every series it
	// may not leave out. 0: all of them.
	const char *service_id[READ_IDS_MAX], *service_instance_id[READ_IDS_MAX];
	unsigned series;
	int64_t begin_ms, end_ms; // both inclusive
	uint32_t limit;		  // rows (stream), traces (trace); at most 1000000
};

struct read_result {
	struct stored_row *row; // owned; views borrow from answer
	size_t count;
	bool full; // as many rows (traces) as the limit: there may be more
	ProtobufCMessage *answer;
};

enum status model_read(const struct model *m, struct rpc *r, const struct read_query *q,
		       int64_t timeout_ms, struct read_result *out, int *code,
		       struct err *e) MUST_CHECK;
void read_result_free(struct read_result *r); // null state: all zero

// A condition on a text tag: EQ one value, IN several.
struct query_condition {
	Banyandb__Model__V1__Criteria criteria;
	Banyandb__Model__V1__Condition condition;
	Banyandb__Model__V1__TagValue value;
	Banyandb__Model__V1__Str str;
	Banyandb__Model__V1__StrArray array;
	char *text[READ_IDS_MAX]; // owned
};

// The parts that the query messages of both models share, with the memory behind them.
struct query_parts {
	Banyandb__Model__V1__TimeRange range;
	Google__Protobuf__Timestamp begin, end;
	struct query_condition by_trace, by_service, by_instance;
	Banyandb__Model__V1__LogicalExpression both[2];
	Banyandb__Model__V1__Criteria node[2];
	Banyandb__Model__V1__Criteria *criteria; // NULL: none
	char group[64], name[64], tag[COLUMN_COUNT][32];
	char *groups[1], *tags[COLUMN_COUNT]; // the ten names in schema order
};

void query_parts_init(struct query_parts *p, const struct model *m, const struct read_query *q);
void query_parts_free(struct query_parts *p);
int model_column(const char *tag_name); // enum column, or -1
struct tag_value model_tag_value(const Banyandb__Model__V1__TagValue *v);

#endif
