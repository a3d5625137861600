// SPDX-License-Identifier: Apache-2.0
// A query of either model on its way to SQL: the request's parts, and criteria as a WHERE
// clause. Private to sink_query*.c and sink_criteria.c.
#ifndef REPLAY_SINK_QUERY_H
#define REPLAY_SINK_QUERY_H

#include "replay/sink_service.h"

enum sink_sort { SINK_SORT_UNSPECIFIED, SINK_SORT_DESC, SINK_SORT_ASC };

struct sink_query {
	struct view group, name;
	size_t group_count;
	bool has_range;
	int64_t begin_ns, end_ns; // both inclusive
	uint32_t offset, limit;
	bool ordered;
	struct view rule; // of order_by
	enum sink_sort sort;
	struct view criteria;	// size 0: none
	bool has_projection;	// stream: the field is there
	struct view projection; // stream: TagProjection
	struct sink_object *object;
	const struct sink_object *group_object;
	// Set by sink_criteria_put: EQ or IN on the trace id; the last other tag so asked for.
	bool by_trace_id;
	size_t equal_tag; // SINK_NO_TAG: none
};

// One statement with its parameters.
struct sink_sql {
	struct buf text;
	struct sink_value *parameters;
	size_t count, capacity;
};

void sink_sql_init(struct sink_sql *sql);
void sink_sql_free(struct sink_sql *sql);
// Puts a "?" and remembers its value, borrowed.
void sink_sql_put(struct sink_sql *sql, struct sink_value v);
void sink_sql_put_int(struct sink_sql *sql, int64_t number);

// The criteria as an SQL expression over the object's table. false: *r says why.
bool sink_criteria_put(struct sink_query *q, struct sink_sql *sql, struct sink_reply *r);
// "fail to analyze ...", as a real server wraps it.
void sink_query_refuse(const struct sink_query *q, struct sink_reply *r, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

// Tags that an answer shows.
#define SINK_PROJECTION_MAX 1000

struct sink_projection {
	size_t tags[SINK_PROJECTION_MAX]; // of the object, as asked
	size_t count;
	bool unknown_family; // nothing is answered
};

// Buffers that an answer is put together in.
struct sink_scratch {
	struct buf a, b, c;
};

void sink_scratch_init(struct sink_scratch *s);
void sink_scratch_free(struct sink_scratch *s);

// The functions below that return bool: false means that *r says why.
bool sink_query_read(struct view body, struct sink_query *q, struct sink_reply *r);
// Sets q->object and q->group_object.
bool sink_query_find(struct sink_service *s, struct sink_query *q, enum sink_kind kind,
		     struct sink_reply *r);
bool sink_query_open(struct sink_service *s, struct sink_sql *sql, struct sink_cursor **c,
		     struct sink_reply *r);
bool sink_query_next(struct sink_cursor *c, bool *row, struct sink_reply *r);
// "#ts" between these, both inclusive, AND.
void sink_query_put_range(struct sink_sql *sql, int64_t begin, int64_t end);
// Adds a tag; SINK_NO_TAG is refused by its name.
bool sink_query_project(const struct sink_query *q, struct sink_projection *p, size_t tag,
			struct view name, struct sink_reply *r);
void sink_query_put_tag(struct buf *out, uint32_t field, const struct sink_tag *tag,
			const struct sink_value *v, struct buf *scratch);
static inline int64_t sink_later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void sink_query_failed(struct sink_reply *r, const struct err *e);
// INVALID_ARGUMENT "invalid QueryRequest.<why>"; returns false.
bool sink_query_invalid(struct sink_reply *r, const char *why);

#endif
