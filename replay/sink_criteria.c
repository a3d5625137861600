// SPDX-License-Identifier: Apache-2.0
// Criteria as SQL. A criterion holds for single rows; what a qualifying row means for the
// answer is left to sink_query.c.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "banyandb/model.pb-c.h"
#include "replay/sink_query.h"
#include "replay/sink_value.h"

#define DEPTH_MAX 100
#define PARAMETERS_MAX 30000 // SQLite takes 32766
#define SQL_MAX (4 * MIB)

#define OP(name) BANYANDB__MODEL__V1__CONDITION__BINARY_OP__BINARY_OP_##name

struct condition {
	struct view name, value;
	uint64_t op;
};

void sink_sql_init(struct sink_sql *sql)
{
	*sql = (struct sink_sql){0};
	buf_init(&sql->text, SQL_MAX);
}

void sink_sql_free(struct sink_sql *sql)
{
	buf_free(&sql->text);
	free(sql->parameters);
}

void sink_sql_put(struct sink_sql *sql, struct sink_value v)
{
	if (sql->count == PARAMETERS_MAX) {
		sql->text.failed = true;
		return;
	}
	if (sql->count == sql->capacity) {
		sql->capacity = sql->capacity > 0 ? 2 * sql->capacity : 16;
		sql->parameters =
			mem_realloc(sql->parameters, sql->capacity, sizeof(*sql->parameters));
	}
	sql->parameters[sql->count++] = v;
	buf_put_u8(&sql->text, '?');
}

void sink_sql_put_int(struct sink_sql *sql, int64_t number)
{
	sink_sql_put(sql, (struct sink_value){.type = SINK_INT, .number = number});
}

void sink_query_refuse(const struct sink_query *q, struct sink_reply *r, const char *fmt, ...)
{
	char why[512];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(why, sizeof(why), fmt, ap) < 0)
		why[0] = '\0';
	va_end(ap);
	sink_fail(r, SINK_CODE_UNKNOWN,
		  "code: STATUS_INTERNAL_ERROR, msg: fail to analyze the query request for %s "
		  "%.*s: %s: invalid query message",
		  q->object->kind == SINK_STREAM ? "stream" : "trace",
		  (int)(q->name.size < 100 ? q->name.size : 100), q->name.data, why);
}

static const char *operator(uint64_t op, bool null)
{
	switch (op) {
	case OP(EQ):
		return null ? " IS " : " = ";
	case OP(NE):
		return " IS NOT ";
	case OP(LT):
		return " < ";
	case OP(GT):
		return " > ";
	case OP(LE):
		return " <= ";
	case OP(GE):
		return " >= ";
	case OP(IN):
		return " IN ";
	case OP(NOT_IN):
		return " NOT IN ";
	default:
		return NULL;
	}
}

static bool comparable(const struct sink_object *o, size_t tag, const struct sink_value *v)
{
	switch (o->tags[tag].type) {
	case BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_STRING:
		return v->type == SINK_TEXT || v->type == SINK_NULL;
	case BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_INT:
	case BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_TIMESTAMP:
		return v->type == SINK_INT || v->type == SINK_NULL;
	case BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_UNSPECIFIED:
	case BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_DATA_BINARY:
	case BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_STRING_ARRAY:
	case BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_INT_ARRAY:
	case _BANYANDB__DATABASE__V1__TAG_TYPE_IS_INT_SIZE:
		break;
	}
	return false;
}

static void put_element(struct sink_sql *sql, size_t at, struct sink_value v)
{
	if (at > 0)
		buf_put_u8(&sql->text, ',');
	sink_sql_put(sql, v);
}

// The elements of a StrArray or IntArray; a single value counts as a list of one.
static bool put_list(struct sink_sql *sql, struct view tag_value, const struct sink_value *v)
{
	struct pb_reader in, values;
	struct pb_field f, g;
	size_t count = 0;

	if (v->type != SINK_BLOB) {
		put_element(sql, 0, *v);
		return true;
	}
	pb_reader_init(&in, tag_value.data, tag_value.size);
	while (pb_next(&in, &f)) {
		if ((f.number != 3 && f.number != 5) || f.wire != PB_BYTES)
			continue;
		pb_reader_init(&values, f.bytes.data, f.bytes.size);
		while (pb_next(&values, &g)) {
			struct pb_reader packed;

			if (g.number != 1)
				continue;
			if (f.number == 3) {
				put_element(sql, count++,
					    (struct sink_value){.type = SINK_TEXT,
								.bytes = g.bytes});
				continue;
			}
			if (g.wire == PB_VARINT) {
				put_element(sql, count++,
					    (struct sink_value){.type = SINK_INT,
								.number = (int64_t)g.value});
				continue;
			}
			pb_reader_init(&packed, g.bytes.data, g.bytes.size);
			while (packed.pos < packed.end && !packed.failed) {
				int64_t n = (int64_t)pb_get_varint(&packed);

				put_element(sql, count++,
					    (struct sink_value){.type = SINK_INT, .number = n});
			}
			if (packed.failed)
				return false;
		}
		if (values.failed)
			return false;
	}
	return !in.failed;
}

// What the model allows for this tag.
static bool allowed(struct sink_query *q, const struct condition *c, size_t tag, bool under_or,
		    struct sink_reply *r)
{
	const struct sink_object *o = q->object;

	if (o->kind == SINK_STREAM) {
		if (!o->tags[tag].key || c->op == OP(EQ) || c->op == OP(IN))
			return true;
		sink_query_refuse(q, r, "operator %llu on entity tag \"%s\" is not supported",
				  (unsigned long long)c->op, o->tags[tag].name);
		return false;
	}
	if (tag != o->trace_id_tag || (c->op != OP(EQ) && c->op != OP(IN)))
		return true;
	q->by_trace_id = true;
	if (under_or)
		sink_query_refuse(q, r, "global index doesn't support OR");
	return !under_or;
}

static bool put_condition(struct sink_query *q, const struct condition *c, bool under_or,
			  struct sink_sql *sql, struct sink_reply *r)
{
	size_t tag = sink_object_tag(q->object, c->name);
	bool list = c->op == OP(IN) || c->op == OP(NOT_IN);
	const char *op;
	struct sink_value v;

	if (tag == SINK_NO_TAG) {
		sink_query_refuse(q, r, "tag \"%.*s\" does not exist: tag is not defined",
				  (int)(c->name.size < 100 ? c->name.size : 100), c->name.data);
		return false;
	}
	if (!allowed(q, c, tag, under_or, r))
		return false;
	if ((c->op == OP(EQ) || c->op == OP(IN)) && !under_or && !q->object->tags[tag].key)
		q->equal_tag = tag;
	if (sink_value_read(c->value, BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_UNSPECIFIED,
			    &v) == SINK_VALUE_UNREADABLE) {
		sink_query_refuse(q, r, "the value cannot be read");
		return false;
	}
	op = operator(c->op, v.type == SINK_NULL);
	if (op == NULL) {
		sink_query_refuse(q, r, "operator %llu is not supported by spansink",
				  (unsigned long long)c->op);
		return false;
	}
	if (!comparable(q->object, tag, &v) && !(list && v.type == SINK_BLOB)) {
		buf_printf(&sql->text, "0"); // never equal, never less
		return true;
	}
	sink_sql_name(&sql->text, q->object->tags[tag].name);
	buf_printf(&sql->text, "%s", op);
	if (!list) {
		sink_sql_put(sql, v);
		return true;
	}
	buf_put_u8(&sql->text, '(');
	if (!put_list(sql, c->value, &v)) {
		sink_query_refuse(q, r, "the list cannot be read");
		return false;
	}
	buf_put_u8(&sql->text, ')');
	return true;
}

static bool read_condition(struct view bytes, struct condition *c)
{
	struct pb_reader in;
	struct pb_field f;

	*c = (struct condition){.name = VIEW(""), .value = VIEW("")};
	pb_reader_init(&in, bytes.data, bytes.size);
	while (pb_next(&in, &f)) {
		if (f.number == 1 && f.wire == PB_BYTES)
			c->name = f.bytes;
		else if (f.number == 2 && f.wire == PB_VARINT)
			c->op = f.value;
		else if (f.number == 3 && f.wire == PB_BYTES)
			c->value = f.bytes;
	}
	return !in.failed;
}

struct logical {
	uint64_t op;
	bool has_left, has_right;
	struct view left, right;
};

static bool read_logical(struct view bytes, struct logical *l)
{
	struct pb_reader in;
	struct pb_field f;

	*l = (struct logical){0};
	pb_reader_init(&in, bytes.data, bytes.size);
	while (pb_next(&in, &f)) {
		if (f.number == 1 && f.wire == PB_VARINT) {
			l->op = f.value;
		} else if (f.number == 2 && f.wire == PB_BYTES) {
			l->left = f.bytes;
			l->has_left = true;
		} else if (f.number == 3 && f.wire == PB_BYTES) {
			l->right = f.bytes;
			l->has_right = true;
		}
	}
	return !in.failed;
}

// The one member of a Criteria. number 0: none.
static bool read_criteria(struct view bytes, struct pb_field *member)
{
	struct pb_reader in;
	struct pb_field f;

	*member = (struct pb_field){0};
	pb_reader_init(&in, bytes.data, bytes.size);
	while (pb_next(&in, &f))
		if ((f.number == 1 || f.number == 2) && f.wire == PB_BYTES)
			*member = f;
	return !in.failed;
}

// A client may leave a side of an expression out: then the other one is all there is.
// NOLINTNEXTLINE(misc-no-recursion): depth is bounded
static bool put_criteria(struct sink_query *q, struct view bytes, int depth, bool under_or,
			 struct sink_sql *sql, struct sink_reply *r)
{
	struct pb_field member;
	struct condition c = {0};
	struct logical l = {0};
	bool is_or;

	if (depth > DEPTH_MAX) {
		sink_query_refuse(q, r, "criteria nest deeper than %d", DEPTH_MAX);
		return false;
	}
	if (!read_criteria(bytes, &member) ||
	    (member.number == 1 && !read_logical(member.bytes, &l)) ||
	    (member.number == 2 && !read_condition(member.bytes, &c))) {
		sink_query_refuse(q, r, "criteria cannot be read");
		return false;
	}
	if (member.number == 2)
		return put_condition(q, &c, under_or, sql, r);
	if (member.number == 0 || (!l.has_left && !l.has_right)) {
		buf_printf(&sql->text, "1");
		return true;
	}
	is_or = l.op == BANYANDB__MODEL__V1__LOGICAL_EXPRESSION__LOGICAL_OP__LOGICAL_OP_OR;
	under_or = under_or || (is_or && l.has_left && l.has_right);
	buf_put_u8(&sql->text, '(');
	if (l.has_left && !put_criteria(q, l.left, depth + 1, under_or, sql, r))
		return false;
	if (l.has_left && l.has_right)
		buf_printf(&sql->text, "%s", is_or ? " OR " : " AND ");
	if (l.has_right && !put_criteria(q, l.right, depth + 1, under_or, sql, r))
		return false;
	buf_put_u8(&sql->text, ')');
	return true;
}

bool sink_criteria_put(struct sink_query *q, struct sink_sql *sql, struct sink_reply *r)
{
	if (q->criteria.size == 0) {
		buf_printf(&sql->text, "1");
		return true;
	}
	return put_criteria(q, q->criteria, 0, false, sql, r);
}
