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

// Walks the columns from a start that the key chooses, each once per lap.
struct walk {
	uint32_t at, step;
};

static struct walk walk_columns(struct dice *d)
{
	static const uint32_t coprime[] = {1, 3, 7, 9, 11, 13, 17, 19, 21, 23}; // to 80
	uint32_t at = dice_below(d, COLUMN_NAMES);
	uint32_t step = coprime[dice_below(d, ARRAY_LEN(coprime))];

	return (struct walk){at, step};
}

static const char *walk_next(struct walk *w)
{
	w->at = (w->at + w->step) % COLUMN_NAMES;
	return columns[w->at];
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

// SELECT over one to four joined tables; columns until the wished size is reached.
static uint32_t put_select(struct buf *out, uint32_t entity, uint32_t size, struct dice *d)
{
	static const char *const part[] = {"item", "detail", "ext"};
	const char *table = table_of(entity);
	uint32_t tables = size > 1300 ? 4 : size > 700 ? 3 : size > 350 ? 2 : 1;
	uint32_t conditions = 1 + dice_below(d, 4), begin = (uint32_t)out->size;
	struct walk w = walk_columns(d);
	struct buf tail;

	buf_init(&tail, SQL_MAX);
	buf_printf(&tail, " FROM t_%s a", table);
	for (uint32_t i = 1; i < tables; i++)
		buf_printf(&tail, " LEFT JOIN t_%s_%s %c ON %c.%s_id = a.id", table,
			   part[i - 1], "abcd"[i], "abcd"[i], table);
	buf_printf(&tail, " WHERE a.tenant_id = ?");
	for (uint32_t i = 0; i < conditions; i++)
		buf_printf(&tail, " AND a.%s = ?", walk_next(&w));
	buf_printf(&tail, " AND a.is_deleted = 0 ORDER BY a.created_at DESC LIMIT ?");
	buf_printf(out, "SELECT a.id");
	for (uint32_t i = 0; i < tables * COLUMN_NAMES; i++) {
		uint32_t t = i / COLUMN_NAMES + dice_below(d, tables);
		const char *c = walk_next(&w);
		uint32_t first = dice_below(d, 1000);
		uint32_t second = dice_below(d, 100);

		// Aliases as object-relational mappers make them: unlike in every statement.
		if (out->size - begin + tail.size + strlen(c) + 24 > size)
			break;
		buf_printf(out, ", %c.%s AS %.5s%u_%u_", "abcd"[t % tables], c, c, first,
			   second);
	}
	buf_put(out, tail.data, tail.size);
	buf_free(&tail);
	return conditions + 2;
}

static uint32_t put_insert(struct buf *out, uint32_t entity, uint32_t size, struct dice *d)
{
	uint32_t begin = (uint32_t)out->size, count = 1;
	struct walk w = walk_columns(d);

	buf_printf(out, "INSERT INTO t_%s (id", table_of(entity));
	while (count < 30 && out->size - begin + 3 * count + 90 < size) {
		buf_printf(out, ", %s", walk_next(&w));
		count++;
	}
	buf_printf(out, ") VALUES ");
	buf_printf(out, "(?");
	for (uint32_t i = 1; i < count; i++)
		buf_printf(out, ", ?");
	buf_printf(out, ") ON DUPLICATE KEY UPDATE version = version + 1");
	while (out->size - begin + 60 < size) {
		const char *c = walk_next(&w);

		buf_printf(out, ", %s = COALESCE(VALUES(%s), %u)", c, c, dice_below(d, 10000));
	}
	return count;
}

static uint32_t put_update(struct buf *out, uint32_t entity, uint32_t size, struct dice *d)
{
	static const char tail[] = " WHERE id = ? AND tenant_id = ? AND version = ?";
	uint32_t begin = (uint32_t)out->size, count = 0;
	struct walk w = walk_columns(d);

	buf_printf(out, "UPDATE t_%s SET version = version + 1", table_of(entity));
	while (count < COLUMN_NAMES) {
		const char *c = walk_next(&w);

		if (out->size - begin + strlen(c) + 6 + sizeof(tail) > size)
			break;
		buf_printf(out, ", %s = ?", c);
		count++;
	}
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
	struct walk w = walk_columns(d);

	buf_printf(
		out,
		"{\"from\":0,\"size\":20,\"query\":{\"bool\":{\"must\":[{\"term\":{\"%sId\":{"
		"\"value\":4%ci}}},{\"term\":{\"state\":{\"value\":\"%cs\"}}}]}},\"sort\":[{"
		"\"created_at\":{\"order\":\"desc\"}}],\"_source\":{\"includes\":[\"id\"",
		table_of(entity), MARK_NUMBER, MARK_WORD);
	while (out->size - begin + 40 < size)
		buf_printf(out, ",\"%s.%s\"", table_of(entity), walk_next(&w));
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

	buf_printf(out, "user-agent=[%s]", agent[dice_below(d, ARRAY_LEN(agent))]);
	for (uint32_t i = 0; i < ARRAY_LEN(header) && out->size - begin < size; i++)
		buf_printf(out, "\n%s", header[(at + i) % ARRAY_LEN(header)]);
}
