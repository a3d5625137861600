// SPDX-License-Identifier: Apache-2.0
// SQLite under spansink. What the tables mean is left to registry, write and query.
#include "replay/sink_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define APPLICATION_ID 0x5350414e // "SPAN"
#define LAYOUT_VERSION 1
#define SQL_MAX (4 * MIB)
#define BUSY_WAIT_MS 5000 // somebody reads the file with sqlite3(1)

struct sink_store {
	sqlite3 *db;
	char *path;  // owned; for messages
	int lock_fd; // -1: none
	sqlite3_stmt *begin, *commit, *rollback;
	sqlite3_stmt *put, *replace, *delete;
};

struct sink_table {
	struct sink_store *store;
	int64_t oid;
	size_t count;
	bool *large; // owned; per column
	sqlite3_stmt *insert, *insert_payload;
};

struct sink_cursor {
	struct sink_store *store;
	sqlite3_stmt *stmt;
};

static enum status failed(const struct sink_store *s, const char *what, struct err *e)
{
	int code = sqlite3_errcode(s->db);
	enum status st = ERR_IO;

	if (code == SQLITE_NOMEM)
		st = ERR_MEMORY;
	else if (code == SQLITE_FULL)
		st = ERR_LIMIT;
	else if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
		st = ERR_FORMAT;
	return err_set(e, st, "database %s: %s: %s", s->path, what, sqlite3_errmsg(s->db));
}

static enum status execute(struct sink_store *s, const char *sql, const char *what,
			   struct err *e)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return failed(s, what, e);
	return OK;
}

static enum status prepare(struct sink_store *s, const char *sql, size_t size_bytes,
			   unsigned flags, sqlite3_stmt **out, struct err *e)
{
	if (size_bytes > INT_MAX ||
	    sqlite3_prepare_v3(s->db, sql, (int)size_bytes, flags, out, NULL) != SQLITE_OK)
		return failed(s, "prepare", e);
	return OK;
}

static enum status prepare_kept(struct sink_store *s, const char *sql, sqlite3_stmt **out,
				struct err *e)
{
	return prepare(s, sql, strlen(sql), SQLITE_PREPARE_PERSISTENT, out, e);
}

// Runs a statement that answers nothing, and makes it ready for the next time.
static enum status run(struct sink_store *s, sqlite3_stmt *stmt, const char *what,
		       struct err *e)
{
	enum status st = OK;

	if (sqlite3_step(stmt) != SQLITE_DONE)
		st = failed(s, what, e);
	sqlite3_reset(stmt);
	return st;
}

static enum status read_number(struct sink_store *s, const char *sql, int64_t *out,
			       struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	enum status st = prepare(s, sql, strlen(sql), 0, &stmt, e);

	if (st == OK && sqlite3_step(stmt) != SQLITE_ROW)
		st = failed(s, "read", e);
	if (st == OK)
		*out = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return st;
}

// A file is ours when it says so, new when it has no table at all.
static enum status check_owner(struct sink_store *s, bool *is_new, struct err *e)
{
	int64_t id = 0, version = 0, tables = 0;
	enum status st;

	st = read_number(s, "PRAGMA application_id", &id, e);
	if (st == OK)
		st = read_number(s, "PRAGMA user_version", &version, e);
	if (st == OK)
		st = read_number(s, "SELECT count(*) FROM sqlite_schema", &tables, e);
	if (st != OK)
		return st;
	*is_new = tables == 0;
	if (tables > 0 && id != APPLICATION_ID)
		return err_set(e, ERR_FORMAT,
			       "database %s: holds something else than spansink's rows; name a "
			       "new file",
			       s->path);
	if (tables > 0 && version != LAYOUT_VERSION)
		return err_set(e, ERR_VERSION,
			       "database %s: layout %" PRId64
			       ", this spansink knows %d; name a new file",
			       s->path, version, LAYOUT_VERSION);
	return OK;
}

static enum status set_up(struct sink_store *s, struct err *e)
{
	bool is_new;
	enum status st = check_owner(s, &is_new, e);

	if (st != OK)
		return st;
	// A rollback journal over WAL: rows are appended, and pages that are new go to the file
	// once, not twice.
	st = execute(s,
		     "PRAGMA journal_mode=DELETE;"
		     "PRAGMA synchronous=OFF;"
		     "PRAGMA cache_size=-131072;"
		     "PRAGMA temp_store=MEMORY",
		     "set up", e);
	if (st == OK && is_new)
		st = execute(s,
			     "BEGIN;"
			     "CREATE TABLE object(oid INTEGER PRIMARY KEY AUTOINCREMENT,"
			     " kind INTEGER NOT NULL, body BLOB NOT NULL);"
			     "PRAGMA application_id=0x5350414e;"
			     "PRAGMA user_version=1;"
			     "COMMIT",
			     "set up", e);
	if (st == OK)
		st = prepare_kept(s, "BEGIN IMMEDIATE", &s->begin, e);
	if (st == OK)
		st = prepare_kept(s, "COMMIT", &s->commit, e);
	if (st == OK)
		st = prepare_kept(s, "ROLLBACK", &s->rollback, e);
	if (st == OK)
		st = prepare_kept(s, "INSERT INTO object(kind, body) VALUES(?1, ?2)", &s->put,
				  e);
	if (st == OK)
		st = prepare_kept(s, "UPDATE object SET kind = ?1, body = ?2 WHERE oid = ?3",
				  &s->replace, e);
	if (st == OK)
		st = prepare_kept(s, "DELETE FROM object WHERE oid = ?1", &s->delete, e);
	return st;
}

// Two that write into one file would each count the other's rows. SQLite's own locks are of
// another kind, so that others can read the file meanwhile.
static enum status lock_file(struct sink_store *s, struct err *e)
{
	s->lock_fd = open(s->path, O_RDWR | O_CLOEXEC);
	if (s->lock_fd < 0)
		return err_set_errno(e, ERR_IO, errno, "database %s: cannot open", s->path);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return OK;
	if (errno == EWOULDBLOCK)
		return err_set(e, ERR_EXISTS,
			       "database %s: another spansink has it open; give each a file of "
			       "its own with --db",
			       s->path);
	return err_set_errno(e, ERR_IO, errno, "database %s: cannot lock", s->path);
}

enum status sink_store_open(struct sink_store **out, const char *path, struct err *e)
{
	struct sink_store *s = mem_zalloc(1, sizeof(*s));
	enum status st;

	*out = NULL;
	s->path = mem_strdup(path != NULL ? path : "in memory");
	s->lock_fd = -1;
	if (sqlite3_open_v2(path != NULL ? path : ":memory:", &s->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK) {
		st = s->db != NULL ? failed(s, "open", e)
				   : err_set(e, ERR_MEMORY, "database %s: no memory", s->path);
	} else {
		sqlite3_busy_timeout(s->db, BUSY_WAIT_MS);
		st = path != NULL ? lock_file(s, e) : OK;
		if (st == OK)
			st = set_up(s, e);
	}
	if (st != OK) {
		sink_store_close(s);
		return st;
	}
	*out = s;
	return OK;
}

void sink_store_close(struct sink_store *s)
{
	if (s == NULL)
		return;
	sqlite3_finalize(s->begin);
	sqlite3_finalize(s->commit);
	sqlite3_finalize(s->rollback);
	sqlite3_finalize(s->put);
	sqlite3_finalize(s->replace);
	sqlite3_finalize(s->delete);
	sqlite3_close(s->db);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->path);
	free(s);
}

enum status sink_store_begin(struct sink_store *s, struct err *e)
{
	return run(s, s->begin, "begin", e);
}

enum status sink_store_commit(struct sink_store *s, struct err *e)
{
	enum status st = run(s, s->commit, "commit", e);

	if (st != OK)
		sink_store_rollback(s);
	return st;
}

void sink_store_rollback(struct sink_store *s)
{
	struct err ignored;

	// Some errors have rolled back already; then this one says so and nothing is lost.
	if (!sqlite3_get_autocommit(s->db) && run(s, s->rollback, "rollback", &ignored) != OK)
		return;
}

// ---- Objects ------------------------------------------------------------------------------

static int bind_blob(sqlite3_stmt *stmt, int at, struct view v)
{
	return sqlite3_bind_blob64(stmt, at, v.size > 0 ? v.data : "", v.size, SQLITE_STATIC);
}

enum status sink_store_object_put(struct sink_store *s, int64_t *oid, int kind,
				  struct view body, struct err *e)
{
	sqlite3_stmt *stmt = *oid < 0 ? s->put : s->replace;
	enum status st;

	if (sqlite3_bind_int(stmt, 1, kind) != SQLITE_OK ||
	    bind_blob(stmt, 2, body) != SQLITE_OK ||
	    (*oid >= 0 && sqlite3_bind_int64(stmt, 3, *oid) != SQLITE_OK))
		return failed(s, "bind", e);
	st = run(s, stmt, "store a schema object", e);
	if (st == OK && *oid < 0)
		*oid = sqlite3_last_insert_rowid(s->db);
	return st;
}

enum status sink_store_object_delete(struct sink_store *s, int64_t oid, struct err *e)
{
	if (sqlite3_bind_int64(s->delete, 1, oid) != SQLITE_OK)
		return failed(s, "bind", e);
	return run(s, s->delete, "delete a schema object", e);
}

enum status sink_store_object_each(struct sink_store *s, sink_object_fn *fn, void *user,
				   struct err *e)
{
	struct sink_cursor *c;
	bool row = false;
	enum status st = sink_cursor_open(
		&c, s, VIEW("SELECT oid, kind, body FROM object ORDER BY oid"), NULL, 0, e);

	if (st == OK)
		st = sink_cursor_next(c, &row, e);
	while (st == OK && row) {
		st = fn(user, sink_cursor_get(c, 0).number, (int)sink_cursor_get(c, 1).number,
			sink_cursor_get(c, 2).bytes, e);
		if (st == OK)
			st = sink_cursor_next(c, &row, e);
	}
	sink_cursor_close(c);
	return st;
}

// ---- Tables -------------------------------------------------------------------------------

void sink_sql_name(struct buf *sql, const char *name)
{
	buf_put_u8(sql, '"');
	for (; *name != '\0'; name++) {
		if (*name == '"')
			buf_put_u8(sql, '"');
		buf_put_u8(sql, (uint8_t)*name);
	}
	buf_put_u8(sql, '"');
}

// The statement built in sql, which is cleared.
static enum status execute_buf(struct sink_store *s, struct buf *sql, const char *what,
			       struct err *e)
{
	enum status st;

	buf_put_u8(sql, '\0');
	st = buf_check(sql, "SQL statement", e);
	if (st == OK)
		st = execute(s, (const char *)sql->data, what, e);
	buf_clear(sql);
	return st;
}

static enum status has_column(struct sink_store *s, const char *table, const char *column,
			      bool *has, struct err *e)
{
	struct sink_value p[2] = {{.type = SINK_TEXT, .bytes = view_of(table)},
				  {.type = SINK_TEXT, .bytes = view_of(column)}};
	struct sink_cursor *c;
	enum status st;

	st = sink_cursor_open(
		&c, s, VIEW("SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2"), p, 2, e);
	if (st == OK)
		st = sink_cursor_next(c, has, e);
	sink_cursor_close(c);
	return st;
}

// One of an object's two tables: `head` are its own columns, then those of that size.
static enum status make_table(struct sink_store *s, const char *table, const char *head,
			      const struct sink_column *columns, size_t count, bool large,
			      struct buf *sql, struct err *e)
{
	enum status st;
	bool has;

	buf_printf(sql, "CREATE TABLE IF NOT EXISTS %s(%s", table, head);
	for (size_t i = 0; i < count; i++) {
		if (columns[i].large != large)
			continue;
		buf_printf(sql, ", ");
		sink_sql_name(sql, columns[i].name);
	}
	buf_printf(sql, ")");
	st = execute_buf(s, sql, "create a table", e);
	for (size_t i = 0; st == OK && i < count; i++) {
		if (columns[i].large != large)
			continue;
		st = has_column(s, table, columns[i].name, &has, e);
		if (st != OK || has)
			continue;
		buf_printf(sql, "ALTER TABLE %s ADD COLUMN ", table);
		sink_sql_name(sql, columns[i].name);
		st = execute_buf(s, sql, "add a column", e);
	}
	return st;
}

static enum status make_tables(struct sink_store *s, int64_t oid,
			       const struct sink_column *columns, size_t count, struct buf *sql,
			       struct err *e)
{
	char table[48];
	enum status st;

	snprintf(table, sizeof(table), "payload_%" PRId64, oid);
	st = make_table(s, table, "\"#seq\" INTEGER PRIMARY KEY, \"#span\" BLOB", columns,
			count, true, sql, e);
	if (st != OK)
		return st;
	snprintf(table, sizeof(table), "rows_%" PRId64, oid);
	st = make_table(s, table,
			"\"#seq\" INTEGER PRIMARY KEY, \"#ts\" INTEGER NOT NULL,"
			" \"#id\" INTEGER NOT NULL, \"#shard\" INTEGER NOT NULL",
			columns, count, false, sql, e);
	if (st != OK)
		return st;
	// Counting per segment and shard reads this index and no row.
	buf_printf(sql,
		   "CREATE INDEX IF NOT EXISTS time_%" PRId64 " ON %s(\"#ts\", \"#shard\")",
		   oid, table);
	return execute_buf(s, sql, "create an index", e);
}

static enum status prepare_insert(struct sink_store *s, const char *head,
				  const char *parameters, const struct sink_column *columns,
				  size_t count, bool large, struct buf *sql, sqlite3_stmt **out,
				  struct err *e)
{
	enum status st;

	buf_clear(sql);
	buf_printf(sql, "INSERT INTO %s", head);
	for (size_t i = 0; i < count; i++)
		if (columns[i].large == large) {
			buf_printf(sql, ", ");
			sink_sql_name(sql, columns[i].name);
		}
	buf_printf(sql, ") VALUES(%s", parameters);
	for (size_t i = 0; i < count; i++)
		if (columns[i].large == large)
			buf_printf(sql, ", ?");
	buf_printf(sql, ")");
	st = buf_check(sql, "SQL statement", e);
	return st != OK ? st
			: prepare(s, (const char *)sql->data, sql->size,
				  SQLITE_PREPARE_PERSISTENT, out, e);
}

enum status sink_table_open(struct sink_table **out, struct sink_store *s, int64_t oid,
			    const struct sink_column *columns, size_t count, struct err *e)
{
	struct sink_table *t = mem_zalloc(1, sizeof(*t));
	char head[128];
	struct buf sql;
	enum status st;

	*out = NULL;
	*t = (struct sink_table){.store = s, .oid = oid, .count = count};
	t->large = mem_zalloc(count + 1, sizeof(*t->large));
	for (size_t i = 0; i < count; i++)
		t->large[i] = columns[i].large;
	buf_init(&sql, SQL_MAX);
	st = make_tables(s, oid, columns, count, &sql, e);
	snprintf(head, sizeof(head), "rows_%" PRId64 "(\"#ts\", \"#id\", \"#shard\"", oid);
	if (st == OK)
		st = prepare_insert(s, head, "?, ?, ?", columns, count, false, &sql, &t->insert,
				    e);
	snprintf(head, sizeof(head), "payload_%" PRId64 "(\"#seq\", \"#span\"", oid);
	if (st == OK)
		st = prepare_insert(s, head, "?, ?", columns, count, true, &sql,
				    &t->insert_payload, e);
	buf_free(&sql);
	if (st != OK) {
		sink_table_close(t);
		return st;
	}
	*out = t;
	return OK;
}

void sink_table_close(struct sink_table *t)
{
	if (t == NULL)
		return;
	sqlite3_finalize(t->insert);
	sqlite3_finalize(t->insert_payload);
	free(t->large);
	free(t);
}

enum status sink_table_index(struct sink_table *t, const char *column, struct err *e)
{
	struct buf sql, name;
	enum status st;

	buf_init(&sql, SQL_MAX);
	buf_init(&name, SQL_MAX);
	buf_printf(&name, "tag_%" PRId64 "_%s", t->oid, column);
	buf_put_u8(&name, '\0');
	st = buf_check(&name, "index name", e);
	if (st == OK) {
		buf_printf(&sql, "CREATE INDEX IF NOT EXISTS ");
		sink_sql_name(&sql, (const char *)name.data);
		buf_printf(&sql, " ON rows_%" PRId64 "(", t->oid);
		sink_sql_name(&sql, column);
		buf_printf(&sql, ")");
		st = execute_buf(t->store, &sql, "create an index", e);
	}
	buf_free(&name);
	buf_free(&sql);
	return st;
}

enum status sink_table_drop(struct sink_store *s, int64_t oid, struct err *e)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
		 "DROP TABLE IF EXISTS rows_%" PRId64 "; DROP TABLE IF EXISTS payload_%" PRId64,
		 oid, oid);
	return execute(s, sql, "drop a table", e);
}

static int bind_value(sqlite3_stmt *stmt, int at, const struct sink_value *v)
{
	switch (v->type) {
	case SINK_INT:
		return sqlite3_bind_int64(stmt, at, v->number);
	case SINK_TEXT:
		return sqlite3_bind_text64(stmt, at, v->bytes.size > 0 ? v->bytes.data : "",
					   v->bytes.size, SQLITE_STATIC, SQLITE_UTF8);
	case SINK_BLOB:
		return bind_blob(stmt, at, v->bytes);
	case SINK_NULL:
		break;
	}
	return sqlite3_bind_null(stmt, at);
}

static int bind_columns(const struct sink_table *t, const struct sink_row *row, bool large,
			sqlite3_stmt *stmt, int at)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < t->count; i++)
		if (t->large[i] == large)
			rc = bind_value(stmt, at++, &row->values[i]);
	return rc;
}

enum status sink_table_insert(struct sink_table *t, const struct sink_row *row, struct err *e)
{
	int rc = sqlite3_bind_int64(t->insert, 1, row->ts_ns);
	enum status st;

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(t->insert, 2, (int64_t)row->id);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(t->insert, 3, row->shard);
	if (rc == SQLITE_OK)
		rc = bind_columns(t, row, false, t->insert, 4);
	if (rc == SQLITE_OK)
		rc = bind_blob(t->insert_payload, 2, row->span);
	if (rc == SQLITE_OK)
		rc = bind_columns(t, row, true, t->insert_payload, 3);
	if (rc != SQLITE_OK)
		return failed(t->store, "bind", e);
	st = run(t->store, t->insert, "insert a row", e);
	if (st != OK)
		return st;
	if (sqlite3_bind_int64(t->insert_payload, 1, sqlite3_last_insert_rowid(t->store->db)) !=
	    SQLITE_OK)
		return failed(t->store, "bind", e);
	return run(t->store, t->insert_payload, "insert a payload", e);
}

// ---- Cursors ------------------------------------------------------------------------------

enum status sink_cursor_open(struct sink_cursor **out, struct sink_store *s, struct view sql,
			     const struct sink_value *parameters, size_t count, struct err *e)
{
	struct sink_cursor *c = mem_zalloc(1, sizeof(*c));
	enum status st;
	int rc = SQLITE_OK;

	*out = c;
	c->store = s;
	st = prepare(s, sql.data, sql.size, 0, &c->stmt, e);
	if (st != OK)
		return st;
	for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
		rc = bind_value(c->stmt, (int)i + 1, &parameters[i]);
	return rc == SQLITE_OK ? OK : failed(s, "bind", e);
}

enum status sink_cursor_next(struct sink_cursor *c, bool *row, struct err *e)
{
	int rc = sqlite3_step(c->stmt);

	*row = rc == SQLITE_ROW;
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : failed(c->store, "read", e);
}

enum status sink_cursor_restart(struct sink_cursor *c, const struct sink_value *parameter,
				struct err *e)
{
	sqlite3_reset(c->stmt);
	return bind_value(c->stmt, 1, parameter) == SQLITE_OK ? OK
							      : failed(c->store, "bind", e);
}

struct sink_value sink_cursor_get(struct sink_cursor *c, size_t column)
{
	int at = (int)column;
	struct sink_value v = {0};

	switch (sqlite3_column_type(c->stmt, at)) {
	case SQLITE_INTEGER:
		v.type = SINK_INT;
		v.number = sqlite3_column_int64(c->stmt, at);
		break;
	case SQLITE_TEXT:
		v.type = SINK_TEXT;
		v.bytes.data = (const char *)sqlite3_column_text(c->stmt, at);
		v.bytes.size = (size_t)sqlite3_column_bytes(c->stmt, at);
		break;
	case SQLITE_BLOB:
		v.type = SINK_BLOB;
		v.bytes.data = sqlite3_column_blob(c->stmt, at);
		v.bytes.size = (size_t)sqlite3_column_bytes(c->stmt, at);
		break;
	default:
		break;
	}
	return v;
}

void sink_cursor_close(struct sink_cursor *c)
{
	if (c == NULL)
		return;
	sqlite3_finalize(c->stmt);
	free(c);
}
