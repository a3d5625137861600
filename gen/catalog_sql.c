// SPDX-License-Identifier: Apache-2.0
// Statements and other long request texts, made to a wished length. Names of operations are
// catalog's, stacks are catalog_stack's.
#include "gen/catalog.h"

#include <string.h>

#define SQL_MAX 2048u	// what the agent keeps of a statement
#define PARAMS_MAX 512u // and of its parameters

static const char *const columns[] = {
	"id",
	"tenant_id",
	"created_at",
	"updated_at",
	"created_by",
	"updated_by",
	"version",
	"status",
	"external_no",
	"customer_id",
	"merchant_id",
	"channel",
	"currency",
	"amount",
	"tax_amount",
	"net_amount",
	"discount",
	"quantity",
	"unit_price",
	"remark",
	"source",
	"region",
	"country_code",
	"language",
	"time_zone",
	"first_name",
	"last_name",
	"email",
	"phone",
	"street",
	"house_no",
	"postal_code",
	"city",
	"latitude",
	"longitude",
	"valid_from",
	"valid_until",
	"priority",
	"category_id",
	"parent_id",
	"root_id",
	"sort_order",
	"is_deleted",
	"is_locked",
	"is_default",
	"approved_at",
	"approved_by",
	"cancelled_at",
	"cancel_reason",
	"paid_at",
	"shipped_at",
	"delivered_at",
	"tracking_no",
	"carrier",
	"weight_g",
	"volume_ml",
	"checksum",
	"payload_type",
	"retry_count",
	"next_retry_at",
	"last_error",
	"trace_no",
	"batch_no",
	"settled_at",
	"fee_amount",
	"exchange_rate",
	"device_id",
	"client_ip",
	"user_agent",
	"session_id",
	"score",
	"risk_level",
	"tags",
	"attributes",
	"description",
	"title",
	"image_url",
	"locale",
	"owner_id",
	"team_id",
};
#define COLUMN_NAMES ((uint32_t)ARRAY_LEN(columns))

// Queries of an application name the same lists of columns again and again: each entity has
// PROJECTIONS of them per kind of list, and a text takes as much of one as it has room for.
#define PROJECTIONS 4u
#define GROUP 8u // columns that become one shared text

enum list_kind { LIST_SELECT, LIST_INSERT, LIST_UPSERT, LIST_UPDATE, LIST_FIELDS };

struct column_list {
	struct dice dice; // of the list, not of the statement
	enum list_kind kind;
	uint32_t entity, tables;
	uint32_t at, step, count; // walk through columns[], each once per lap
};

static struct column_list list_of(enum list_kind kind, uint32_t entity, uint32_t tables,
				  struct dice *d)
{
	static const uint32_t coprime[] = {1, 3, 7, 9, 11, 13, 17, 19, 21, 23}; // to 80
	uint32_t projection = dice_below(d, PROJECTIONS);
	struct column_list l = {.kind = kind, .entity = entity, .tables = tables};

	l.dice.key = rng_mix((uint64_t)kind << 48 | (uint64_t)entity << 32 | tables << 8 |
			     projection);
	l.at = dice_below(&l.dice, COLUMN_NAMES);
	l.step = coprime[dice_below(&l.dice, ARRAY_LEN(coprime))];
	return l;
}

static const char *next_column(struct column_list *l)
{
	l->at = (l->at + l->step) % COLUMN_NAMES;
	return columns[l->at];
}

static const char *table_of(uint32_t entity)
{
	return catalog_entities[entity % ENTITY_COUNT].word;
}

// One value of a parameter list. The first four vary from row to row, then every tenth.
static void put_value(struct buf *out, struct dice *d, uint32_t nth)
{
	static const char *const fixed[] = {
		"0",   "1",  "null",  "false", "true",	 "20", "CNY", "EUR", "web",
		"app", "DE", "en_US", "1024",  "500000", "A",  "NEW", "UTC", "default"};

	if (nth == 0)
		buf_printf(out, "%u%ci", 10 + dice_below(d, 90), MARK_NUMBER);
	else if (nth == 1)
		buf_printf(out, "%c%c", MARK_WORD, "sur"[dice_below(d, 3)]);
	else if (nth == 2 || nth % 10 == 2)
		buf_printf(out, "%c%c", MARK_NUMBER, "iqa"[dice_below(d, 3)]);
	else if (nth % 3 == 1)
		buf_printf(out, "%cn", MARK_WORD);
	else if (nth == 3)
		buf_printf(out, "%ca.%u0", MARK_NUMBER, dice_below(d, 10));
	else
		buf_put_view(out, view_of(fixed[dice_below(d, ARRAY_LEN(fixed))]));
}

static void put_params(struct buf *out, uint32_t count, struct dice *d)
{
	size_t start = out->size;

	buf_put_u8(out, '[');
	for (uint32_t i = 0; i < count && out->size - start < PARAMS_MAX - 40; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		put_value(out, d, i);
	}
	buf_put_u8(out, ']');
}

// One entry of the list, as its kind of statement wants it.
static void put_column(struct buf *out, struct column_list *l)
{
	const char *c = next_column(l);
	uint32_t table = l->count / COLUMN_NAMES, first, second;
	size_t size = strlen(c);

	l->count++;
	switch (l->kind) {
	case LIST_SELECT: // aliases as object-relational mappers make them
		table += dice_below(&l->dice, l->tables);
		first = dice_below(&l->dice, 1000);
		second = dice_below(&l->dice, 100);
		buf_put(out, ", ", 2);
		buf_put(out, &"abcd"[table % l->tables], 1);
		buf_put(out, ".", 1);
		buf_put(out, c, size);
		buf_put(out, " AS ", 4);
		buf_put(out, c, size < 5 ? size : 5);
		buf_put_decimal(out, first);
		buf_put(out, "_", 1);
		buf_put_decimal(out, second);
		buf_put(out, "_", 1);
		break;
	case LIST_INSERT:
		buf_put(out, ", ", 2);
		buf_put(out, c, size);
		break;
	case LIST_UPSERT:
		buf_put(out, ", ", 2);
		buf_put(out, c, size);
		buf_put_text(out, " = COALESCE(VALUES(");
		buf_put(out, c, size);
		buf_put(out, "), ", 3);
		buf_put_decimal(out, dice_below(&l->dice, 10000));
		buf_put(out, ")", 1);
		break;
	case LIST_UPDATE:
		buf_put(out, ", ", 2);
		buf_put(out, c, size);
		buf_put(out, " = ?", 4);
		break;
	case LIST_FIELDS:
		buf_put(out, ",\"", 2);
		buf_put_text(out, table_of(l->entity));
		buf_put(out, ".", 1);
		buf_put(out, c, size);
		buf_put(out, "\"", 1);
		break;
	}
}

static void put_shared(struct buf *out, const void *text, size_t size)
{
	buf_put_u8(out, MARK_SHARE);
	buf_put(out, text, size);
	buf_put_u8(out, MARK_SHARE_END);
}

// Appends entries, at most `most` and at most `room` bytes of them; returns how many.
static uint32_t put_columns(struct buf *out, struct column_list *l, size_t room, uint32_t most)
{
	uint32_t count = 0, n = GROUP;
	struct buf group;

	buf_init_own(&group, SQL_MAX);
	while (n == GROUP && count < most) {
		size_t end = 0;

		buf_clear(&group);
		for (n = 0; n < GROUP && count + n < most; n++) {
			put_column(&group, l);
			if (group.size > room)
				break;
			end = group.size;
		}
		if (end > 0)
			put_shared(out, group.data, end);
		room -= end;
		count += n;
	}
	buf_free(&group);
	return count;
}

// Bytes that are left of `size` after `used`.
static size_t room_of(uint32_t size, size_t used)
{
	return used < size ? size - used : 0;
}

// SELECT over one to four joined tables; columns until the wished size is reached.
static uint32_t put_select(struct buf *out, uint32_t entity, uint32_t size, struct dice *d)
{
	static const char *const part[] = {"item", "detail", "ext"};
	const char *table = table_of(entity);
	uint32_t tables = size > 1300 ? 4 : size > 700 ? 3 : size > 350 ? 2 : 1;
	uint32_t conditions = 1 + dice_below(d, 4);
	struct column_list list = list_of(LIST_SELECT, entity, tables, d);
	struct buf from, where;

	buf_init_own(&from, SQL_MAX);
	buf_init_own(&where, SQL_MAX);
	buf_printf(&from, " FROM t_%s a", table);
	for (uint32_t i = 1; i < tables; i++)
		buf_printf(&from, " LEFT JOIN t_%s_%s %c ON %c.%s_id = a.id", table,
			   part[i - 1], "abcd"[i], "abcd"[i], table);
	buf_printf(&from, " WHERE a.tenant_id = ?");
	for (uint32_t i = 0; i < conditions; i++)
		buf_printf(&where, " AND a.%s = ?", columns[dice_below(d, COLUMN_NAMES)]);
	buf_printf(&where, " AND a.is_deleted = 0 ORDER BY a.created_at DESC LIMIT ?");
	buf_printf(out, "SELECT a.id");
	put_columns(out, &list, room_of(size, 11 + from.size + where.size),
		    tables * COLUMN_NAMES);
	put_shared(out, from.data, from.size);
	buf_put(out, where.data, where.size);
	buf_free(&from);
	buf_free(&where);
	return conditions + 2;
}

#define INSERT_MOST 30u

static uint32_t put_insert(struct buf *out, uint32_t entity, uint32_t size, struct dice *d)
{
	static const char *const marks =
		"?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
		"?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?";
	static const char tail[] = ") ON DUPLICATE KEY UPDATE version = version + 1";
	struct column_list names = list_of(LIST_INSERT, entity, 1, d);
	struct column_list rest = list_of(LIST_UPSERT, entity, 1, d);
	size_t head = 40 + strlen(table_of(entity)) + sizeof(tail);
	uint32_t count, begin = (uint32_t)out->size;

	buf_printf(out, "INSERT INTO t_%s (id", table_of(entity));
	// A third of what a name takes is its question mark.
	count = 1 + put_columns(out, &names, room_of(size, head) * 3 / 4, INSERT_MOST - 1);
	buf_printf(out, ") VALUES (");
	put_shared(out, marks, 3 * count - 2);
	buf_printf(out, "%s", tail);
	put_columns(out, &rest, room_of(size, out->size - begin), COLUMN_NAMES);
	return count;
}

static uint32_t put_update(struct buf *out, uint32_t entity, uint32_t size, struct dice *d)
{
	static const char tail[] = " WHERE id = ? AND tenant_id = ? AND version = ?";
	struct column_list list = list_of(LIST_UPDATE, entity, 1, d);
	uint32_t begin = (uint32_t)out->size, count;

	buf_printf(out, "UPDATE t_%s SET version = version + 1", table_of(entity));
	count = put_columns(out, &list, room_of(size, out->size - begin + sizeof(tail)),
			    COLUMN_NAMES);
	buf_printf(out, "%s", tail);
	return count + 3;
}

void catalog_sql(struct buf *out, struct buf *params, enum sql_kind kind, uint32_t entity,
		 uint32_t size, struct dice *d)
{
	uint32_t wished = size > SQL_MAX - 80 ? SQL_MAX - 80 : size;
	uint32_t count = 0;

	// An UPDATE of all columns ends at about 1,400 bytes.
	if (kind == SQL_UPDATE && wished > 1300)
		kind = SQL_SELECT;
	switch (kind) {
	case SQL_SELECT:
		count = put_select(out, entity, wished, d);
		break;
	case SQL_INSERT:
		count = put_insert(out, entity, wished, d);
		break;
	case SQL_UPDATE:
		count = put_update(out, entity, wished, d);
		break;
	}
	if (params != NULL)
		put_params(params, count, d);
}

void catalog_search(struct buf *out, uint32_t entity, uint32_t size, struct dice *d)
{
	size_t begin = out->size;
	struct column_list list = list_of(LIST_FIELDS, entity, 1, d);

	buf_printf(
		out,
		"{\"from\":0,\"size\":20,\"query\":{\"bool\":{\"must\":[{\"term\":{\"%sId\":{"
		"\"value\":4%ci}}},{\"term\":{\"state\":{\"value\":\"%cs\"}}}]}},\"sort\":[{"
		"\"created_at\":{\"order\":\"desc\"}}],\"_source\":{\"includes\":[\"id\"",
		table_of(entity), MARK_NUMBER, MARK_WORD);
	put_columns(out, &list, room_of(size, out->size - begin + 40), 2 * COLUMN_NAMES);
	buf_printf(out, "]},\"track_total_hits\":1000}");
}

void catalog_headers(struct buf *out, uint32_t size, struct dice *d)
{
	static const char *const header[] = {
		"accept=[application/json, text/plain, */*]",
		"accept-language=[en-US,en;q=0.9,de;q=0.7]",
		"accept-encoding=[gzip, deflate, br]",
		"content-type=[application/json;charset=UTF-8]",
		"x-tenant=[acme-retail]",
		"x-client-version=[5.18.2]",
		"x-forwarded-proto=[https]",
		"x-feature-set=[checkout-v2,search-v4,express]",
		"cache-control=[no-cache]",
		"referer=[https://shop.example.com/checkout/review]",
		"x-app-channel=[web-desktop]",
		"connection=[keep-alive]",
	};
	static const char *const agent[] = {
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/124.0.0.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15",
		"okhttp/4.12.0",
		"Apache-HttpClient/4.5.14 (Java/17.0.10)",
	};
	size_t begin = out->size;
	uint32_t at = dice_below(d, ARRAY_LEN(header));

	buf_printf(out, "x-request-id=[%c%c]\nuser-agent=[%s]", MARK_HEX, MARK_HEX,
		   agent[dice_below(d, ARRAY_LEN(agent))]);
	for (uint32_t i = 0; i < ARRAY_LEN(header) && out->size - begin < size; i++)
		buf_printf(out, "\n%s", header[(at + i) % ARRAY_LEN(header)]);
}
