// SPDX-License-Identifier: Apache-2.0
// What spansink keeps: schema objects and rows, in SQLite. The only part that knows SQLite;
// it knows no protobuf and no model.
//
// Every stream or trace has a table rows_<oid>: "#seq" (order of arrival), "#ts" (ns since
// 1970), "#id" (hash of the element id), "#shard" and one column per tag, called like the tag.
// Tag names hold no '#', so the two kinds never meet. What is large, "#span" (payload of the
// trace model) and the columns of binary tags, stands in payload_<oid> under the same "#seq":
// a scan of rows_<oid> reads some 300 bytes of a 5 KB row.
// Types in a column: text, int, time (int, ns), binary and arrays (blob), NULL.
//
// A file has a rollback journal with synchronous=OFF: it survives the death of this process at
// any moment, not a power cut.
#ifndef REPLAY_SINK_STORE_H
#define REPLAY_SINK_STORE_H

#include "common/buf.h"

enum sink_value_type { SINK_NULL, SINK_INT, SINK_TEXT, SINK_BLOB };

struct sink_value {
	enum sink_value_type type;
	int64_t number;	   // SINK_INT
	struct view bytes; // SINK_TEXT, SINK_BLOB; borrowed
};

struct sink_store;
struct sink_table; // rows of one stream or trace
struct sink_cursor;

// path NULL: in memory. A new file gets our tables; a file of somebody else is ERR_FORMAT.
enum status sink_store_open(struct sink_store **out, const char *path,
			    struct err *e) MUST_CHECK;
void sink_store_close(struct sink_store *s); // NULL is fine

enum status sink_store_begin(struct sink_store *s, struct err *e) MUST_CHECK;
enum status sink_store_commit(struct sink_store *s, struct err *e) MUST_CHECK;
void sink_store_rollback(struct sink_store *s);

// Schema objects. *oid: -1 for a new one, which gets its number; kept by later puts.
enum status sink_store_object_put(struct sink_store *s, int64_t *oid, int kind,
				  struct view body, struct err *e) MUST_CHECK;
enum status sink_store_object_delete(struct sink_store *s, int64_t oid,
				     struct err *e) MUST_CHECK;
typedef enum status sink_object_fn(void *user, int64_t oid, int kind, struct view body,
				   struct err *e);
enum status sink_store_object_each(struct sink_store *s, sink_object_fn *fn, void *user,
				   struct err *e) MUST_CHECK;

struct sink_column {
	const char *name;
	bool large; // kept in payload_<oid>
};

// Opens the tables of object oid for these columns; makes them, and columns that are new.
// Names are borrowed only during the call. Caller closes it.
enum status sink_table_open(struct sink_table **out, struct sink_store *s, int64_t oid,
			    const struct sink_column *columns, size_t count,
			    struct err *e) MUST_CHECK;
void sink_table_close(struct sink_table *t); // NULL is fine
enum status sink_table_index(struct sink_table *t, const char *column,
			     struct err *e) MUST_CHECK;
enum status sink_table_drop(struct sink_store *s, int64_t oid, struct err *e) MUST_CHECK;

struct sink_row {
	int64_t ts_ns;
	uint64_t id;
	uint32_t shard;
	struct sink_value *values; // one per column, in the order of sink_table_open
	struct view span;
};
enum status sink_table_insert(struct sink_table *t, const struct sink_row *row,
			      struct err *e) MUST_CHECK;

// "name" with quotes doubled, as an identifier of SQL.
void sink_sql_name(struct buf *sql, const char *name);

// Runs one statement with its parameters. Caller closes the cursor.
enum status sink_cursor_open(struct sink_cursor **out, struct sink_store *s, struct view sql,
			     const struct sink_value *parameters, size_t count,
			     struct err *e) MUST_CHECK;
// *row: there is one.
enum status sink_cursor_next(struct sink_cursor *c, bool *row, struct err *e) MUST_CHECK;
// Borrowed until the next call on the cursor.
struct sink_value sink_cursor_get(struct sink_cursor *c, size_t column);
// Starts over with another first parameter.
enum status sink_cursor_restart(struct sink_cursor *c, const struct sink_value *parameter,
				struct err *e) MUST_CHECK;
void sink_cursor_close(struct sink_cursor *c); // NULL is fine

#endif
