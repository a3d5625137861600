// SPDX-License-Identifier: Apache-2.0
// Spans as the agents of Go, Python and Node write them: names, components, tags and their
// order, peers and logs. Where an agent has no plugin (Node and a queue, Python and Dubbo), the
// span is one made by hand: the plain name and component. Java's spans are segment_template's.
#include <stdio.h>
#include <string.h>

#include "gen/template_agents.h"

#define TEXT_MAX (64 * KIB)

static struct view view_of_buf(const struct buf *b)
{
	return (struct view){(const char *)b->data, b->size};
}

// ---- Errors --------------------------------------------------------------------------------

#define GO_HTTP_SERVER_ID 5004u

static const char *status_of(const struct maker *m, const struct op_context *c)
{
	return !m->is_error ? "200" : c->entry_log ? "500" : "503";
}

static const char *status_message(const struct maker *m, const struct op_context *c)
{
	return !m->is_error   ? "OK"
	       : c->entry_log ? "Internal Server Error"
			      : "Service Unavailable";
}

// What is logged by hand has a key for its text; a plugin hands over the text alone, and it
// becomes the key.
static void put_go_error(struct maker *m, const struct op_context *c, enum fault fault,
			 bool entry, struct dice *d)
{
	const char *error = catalog_go_error(fault, d);
	char text[256];

	if (fault == FAULT_BUSINESS && !entry) {
		maker_pair(m, 2, "event", VIEW("error"));
		maker_pair(m, 2, "message", view_of(error));
		return;
	}
	// Gin lists the errors of a request.
	snprintf(text, sizeof(text),
		 entry && c->kind == OP_HTTP ? "Error #01: %.200s\n" : "%.200s", error);
	maker_pair(m, 2, text, VIEW(""));
}

// entry: of the entry span.
static void put_error_log(struct maker *m, const struct op_context *c, enum language language,
			  enum fault fault, bool entry)
{
	struct dice d = {.key = rng_mix(c->key ^ ((uint64_t)fault + 1) * 0x9e37)};
	struct buf text;

	buf_init_own(&text, TEXT_MAX);
	maker_message(m, F_LOGS);
	maker_hole(m, HOLE_SPAN_END, 1, 7);
	if (language == LANGUAGE_GO) {
		put_go_error(m, c, fault, entry, &d);
	} else if (language == LANGUAGE_PYTHON) {
		catalog_python_traceback(&text, fault, entry ? c->component : 0,
					 c->text->entity, &d);
		maker_pair(m, 2, "Traceback", view_of_buf(&text));
	} else {
		catalog_node_stack(&text, fault, status_of(m, c), c->text->entity, &d);
		maker_pair(m, 2, "Stack", view_of_buf(&text));
	}
	maker_message_end(m);
	buf_free(&text);
}

// ---- HTTP ----------------------------------------------------------------------------------

// peer: a mark. Go has no scheme; a server of Node has the query too.
static void put_url(struct maker *m, const struct op_context *c, enum language language,
		    char peer, bool query)
{
	struct buf url;

	buf_init_own(&url, TEXT_MAX);
	buf_printf(&url, "%s%c%s", language == LANGUAGE_GO ? "" : "http://", peer,
		   c->text->url);
	if (query)
		buf_printf(&url, "?%sId=2%ci&state=%cs&page=%cp",
			   catalog_entities[c->text->entity].word, MARK_NUMBER, MARK_WORD,
			   MARK_NUMBER);
	maker_tag_buf(m, language == LANGUAGE_GO ? "url" : "http.url", &url);
	buf_free(&url);
}

static void put_http_params(struct maker *m, const struct op_context *c)
{
	const char *word = catalog_entities[c->text->entity].word;
	struct buf v;

	buf_init_own(&v, TEXT_MAX);
	if (c->language == LANGUAGE_GO)
		buf_printf(&v, "page=%cp&size=20&state=%cs&region=%cr&user=%cu", MARK_NUMBER,
			   MARK_WORD, MARK_WORD, MARK_WORD);
	else
		buf_printf(&v, "%sId=[2%ci]\npage=[%cp]\nstate=[%cs]\nuser=[%cu]", word,
			   MARK_NUMBER, MARK_NUMBER, MARK_WORD, MARK_WORD);
	maker_tag_buf(m, "http.params", &v);
	buf_free(&v);
}

static void http_entry(struct maker *m, const struct op_context *c)
{
	struct dice d = {.key = rng_mix(c->key ^ 0x656e7472)};
	struct buf headers;

	switch (c->language) {
	case LANGUAGE_GO:
		maker_tag(m, "http.method", c->text->verb);
		put_url(m, c, c->language, MARK_OWN_PEER, false);
		if (c->http_params)
			put_http_params(m, c);
		if (c->http_headers) {
			uint32_t size = 200 + dice_below(&d, 400);

			buf_init_own(&headers, TEXT_MAX);
			catalog_headers(&headers, size, &d);
			maker_tag_buf(m, "http.headers", &headers);
			buf_free(&headers);
		}
		maker_tag(m, "status_code", status_of(m, c));
		break;
	case LANGUAGE_PYTHON:
		maker_tag(m, "http.method", c->text->verb);
		put_url(m, c, c->language, MARK_OWN_PEER, false);
		if (c->http_params)
			put_http_params(m, c);
		maker_tag(m, "http.status_code", status_of(m, c));
		break;
	case LANGUAGE_NODE:
	case LANGUAGE_JAVA:
	case LANGUAGE_COUNT:
		put_url(m, c, c->language, MARK_OWN_PEER, true);
		maker_tag(m, "http.method", c->text->verb);
		maker_tag(m, "http.status_code", status_of(m, c));
		maker_tag(m, "http.status.msg", status_message(m, c));
		break;
	}
}

static void http_call(struct maker *m, const struct op_context *c, enum language caller)
{
	static const uint32_t component[LANGUAGE_COUNT] = {
		[LANGUAGE_GO] = 5005, [LANGUAGE_PYTHON] = 7002, [LANGUAGE_NODE] = 4005};
	char callee[] = {MARK_CALLEE_PEER, 0};
	char name[OP_TEXT_MAX + 16];
	struct span_head h = {.name = c->text->path,
			      .peer = view_of(callee),
			      .type = TYPE_EXIT,
			      .layer = LAYER_HTTP,
			      .component = component[caller]};

	if (caller == LANGUAGE_GO) {
		snprintf(name, sizeof(name), "%s:%.140s", c->text->verb, c->text->path);
		h.name = name;
	}
	maker_head(m, &h);
	if (caller == LANGUAGE_NODE) {
		put_url(m, c, caller, MARK_CALLEE_PEER, false);
		maker_tag(m, "http.method", c->text->verb);
	} else {
		maker_tag(m, "http.method", c->text->verb);
		put_url(m, c, caller, MARK_CALLEE_PEER, false);
	}
	maker_tag(m, caller == LANGUAGE_GO ? "status_code" : "http.status_code",
		  status_of(m, c));
	if (caller == LANGUAGE_NODE)
		maker_tag(m, "http.status.msg", status_message(m, c));
	// To the others an answer is an answer, whatever its status.
	if (m->is_error && caller == LANGUAGE_NODE)
		put_error_log(m, c, caller, FAULT_HTTP_CALL, false);
}

// ---- RPC -----------------------------------------------------------------------------------

// acme.order.v1.OrderService.CreateOrder as gRPC itself names it:
// /acme.order.v1.OrderService/...
static void grpc_path(char path[OP_TEXT_MAX], const struct op_context *c)
{
	char *dot;

	snprintf(path, OP_TEXT_MAX, "/%.150s", c->text->method);
	dot = strrchr(path, '.');
	if (dot != NULL)
		*dot = '/';
}

static void grpc_entry(struct maker *m, const struct op_context *c)
{
	char path[OP_TEXT_MAX];

	grpc_path(path, c);
	if (c->language == LANGUAGE_GO) {
		maker_tag(m, "url", path);
		maker_tag(m, "rpc.type", "Unary");
		return;
	}
	maker_tag(m, "grpc.method", path);
	if (m->is_error)
		maker_tag(m, "grpc.status_code", "StatusCode.INTERNAL");
}

static void rpc_call(struct maker *m, const struct op_context *c, enum language caller)
{
	char callee[] = {MARK_CALLEE_PEER, 0};
	char path[OP_TEXT_MAX];
	struct span_head h = {.name = c->text->method,
			      .peer = view_of(callee),
			      .type = TYPE_EXIT,
			      .layer = LAYER_RPC,
			      .component = c->kind == OP_DUBBO ? 3 : 23};
	struct buf url;

	grpc_path(path, c);
	if (caller == LANGUAGE_PYTHON || c->kind == OP_DUBBO)
		h.name = path;
	maker_head(m, &h);
	buf_init_own(&url, TEXT_MAX);
	if (c->kind == OP_DUBBO) {
		buf_printf(&url, "%c%s", MARK_CALLEE_PEER, path);
		maker_tag_buf(m, "url", &url);
	} else if (caller == LANGUAGE_GO) {
		maker_tag(m, "url", path);
		maker_tag(m, "rpc.type", "Unary");
	} else if (caller == LANGUAGE_PYTHON) {
		maker_tag(m, "grpc.method", path);
		maker_tag(m, "grpc.url", callee);
	}
	if (m->is_error)
		put_error_log(m, c, caller, FAULT_GRPC_CALL, false);
	buf_free(&url);
}

// ---- Queues --------------------------------------------------------------------------------

static void mq_entry(struct maker *m, const struct op_context *c)
{
	struct buf id;

	if (c->kind == OP_KAFKA) {
		maker_pair(m, F_TAGS, "mq.broker", c->brokers);
		maker_tag(m, "mq.topic", c->text->topic);
		return;
	}
	buf_init_own(&id, TEXT_MAX);
	maker_tag(m, "mq.topic", c->text->topic);
	buf_printf(&id, "AC11000300012A9F%c0000", MARK_HEX);
	maker_tag_buf(m, "mq.msg.id", &id);
	buf_clear(&id);
	buf_printf(&id, "AC11000400002A9F%c", MARK_HEX);
	maker_tag_buf(m, "mq.offset.msg.id", &id);
	maker_pair(m, F_TAGS, "mq.broker", c->brokers);
	maker_tag(m, "mq.status", "CONSUME_SUCCESS");
	buf_free(&id);
}

static void mq_call(struct maker *m, const struct op_context *c, enum language caller)
{
	bool kafka = c->kind == OP_KAFKA;
	char name[OP_TEXT_MAX + 32];
	struct span_head h = {.name = name,
			      .peer = c->brokers,
			      .type = TYPE_EXIT,
			      .layer = LAYER_MQ,
			      .component = kafka ? 40 : 38};
	struct buf id;

	snprintf(name, sizeof(name), "%s/%.100s/Producer", kafka ? "Kafka" : "RocketMQ",
		 c->text->topic);
	maker_head(m, &h);
	if (kafka || caller != LANGUAGE_GO) {
		maker_pair(m, F_TAGS, "mq.broker", c->brokers);
		maker_tag(m, "mq.topic", c->text->topic);
		return;
	}
	buf_init_own(&id, TEXT_MAX);
	maker_tag(m, "mq.topic", c->text->topic);
	maker_tag(m, "mq.status", "SEND_OK");
	buf_printf(&id, "%cq", MARK_NUMBER);
	maker_tag_buf(m, "mq.queue", &id);
	maker_pair(m, F_TAGS, "mq.broker", c->brokers);
	buf_clear(&id);
	buf_printf(&id, "AC11000300012A9F%c0000", MARK_HEX);
	maker_tag_buf(m, "mq.msg.id", &id);
	buf_clear(&id);
	buf_printf(&id, "AC11000400002A9F%c", MARK_HEX);
	maker_tag_buf(m, "mq.offset.msg.id", &id);
	buf_free(&id);
}

// ---- Entries and calls ---------------------------------------------------------------------

// Who called, as a server of Python or Node sees it: a pod of the cluster and any port.
static void client_peer(struct buf *out, const struct op_context *c)
{
	struct dice d = {.key = rng_mix(c->key ^ 0x70656572)};
	uint32_t second = dice_below(&d, 64), third = dice_below(&d, 254) + 1;

	if (c->kind == OP_KAFKA || c->language == LANGUAGE_GO)
		return;
	buf_printf(out, "%s10.%u.%u.7:4%cl", c->kind == OP_GRPC ? "ipv4:" : "", second, third,
		   MARK_NUMBER);
}

void agent_entry(struct maker *m, const struct op_context *c)
{
	struct span_head h = {
		.name = c->text->name, .type = TYPE_ENTRY, .component = c->component};
	struct buf peer;

	buf_init_own(&peer, KIB);
	client_peer(&peer, c);
	h.peer = c->language == LANGUAGE_GO ? c->brokers : view_of_buf(&peer);
	h.layer = c->kind == OP_HTTP ? LAYER_HTTP : c->kind == OP_GRPC ? LAYER_RPC : LAYER_MQ;
	maker_head(m, &h);
	if (c->kind == OP_HTTP)
		http_entry(m, c);
	else if (c->kind == OP_GRPC)
		grpc_entry(m, c);
	else
		mq_entry(m, c);
	// Go's plain server sees the status only.
	if (m->is_error && c->entry_log && c->component != GO_HTTP_SERVER_ID)
		put_error_log(m, c, c->language, c->fault, true);
	buf_free(&peer);
}

void agent_call(struct maker *m, const struct op_context *c, enum language caller)
{
	if (c->kind == OP_HTTP)
		http_call(m, c, caller);
	else if (c->kind == OP_DUBBO || c->kind == OP_GRPC)
		rpc_call(m, c, caller);
	else
		mq_call(m, c, caller);
}

bool agent_calls_alike(enum op_kind kind, enum language a, enum language b)
{
	return kind == OP_KAFKA || (kind == OP_ROCKETMQ && a != LANGUAGE_JAVA &&
				    a != LANGUAGE_GO && b != LANGUAGE_GO);
}

// ---- Inner spans ---------------------------------------------------------------------------

static void local_span(struct maker *m, const struct op_context *c, struct dice *d)
{
	const struct entity *e = &catalog_entities[c->text->entity];
	struct span_head h = {.type = TYPE_LOCAL};
	struct buf name;

	buf_init_own(&name, TEXT_MAX);
	if (c->language == LANGUAGE_GO)
		buf_printf(&name, "%s.(*%sService).", e->word, e->class);
	else if (c->language == LANGUAGE_PYTHON)
		buf_printf(&name, "%s.service.%sService.", e->word, e->class);
	else
		buf_printf(&name, "%sService.", e->class);
	catalog_other_method(&name, c->language, c->text->entity, d);
	buf_put_u8(&name, 0);
	h.name = name.data != NULL ? (const char *)name.data : "";
	maker_head(m, &h);
	buf_free(&name);
}

// A statement with the placeholders of the driver: %s in Python, $1 for PostgreSQL elsewhere.
static void put_statement(struct maker *m, const struct op_context *c, const struct buf *sql)
{
	bool python = c->language == LANGUAGE_PYTHON, numbered = !python && c->postgresql;
	uint32_t n = 0;
	struct buf out;

	buf_init_own(&out, TEXT_MAX);
	for (size_t i = 0; i < sql->size; i++) {
		if (sql->data[i] != '?' || (!python && !numbered))
			buf_put_u8(&out, sql->data[i]);
		else if (python)
			buf_put(&out, "%s", 2);
		else
			buf_printf(&out, "$%u", ++n);
	}
	maker_tag_buf(m, "db.statement", &out);
	buf_free(&out);
}

// "[a,b]" as it is in Python, "[a, b]" in Node, "a, b" in Go.
static void put_sql_params(struct maker *m, const struct op_context *c,
			   const struct buf *params)
{
	bool go = c->language == LANGUAGE_GO;
	struct buf out;

	buf_init_own(&out, TEXT_MAX);
	for (size_t i = go ? 1 : 0; i + (go ? 1 : 0) < params->size; i++) {
		buf_put_u8(&out, params->data[i]);
		if (params->data[i] == ',' && c->language != LANGUAGE_PYTHON)
			buf_put_u8(&out, ' ');
	}
	maker_tag_buf(m, "db.sql.parameters", &out);
	buf_free(&out);
}

static const char *sql_name(const struct op_context *c, enum sql_kind kind)
{
	if (c->language == LANGUAGE_PYTHON)
		return c->postgresql ? "PostgreSQL/Psycopg/execute" : "Mysql/PyMsql/execute";
	if (c->language == LANGUAGE_NODE)
		return c->postgresql ? "pg/query" : "mysql/query";
	if (c->postgresql)
		return kind == SQL_SELECT ? "PostgreSQL/Query" : "PostgreSQL/Exec";
	return kind == SQL_SELECT ? "Mysql/Query" : "Mysql/Exec";
}

static void sql_span(struct maker *m, const struct op_context *c, uint32_t size, struct dice *d)
{
	// Reads prevail.
	static const enum sql_kind mix[] = {SQL_SELECT, SQL_SELECT, SQL_SELECT, SQL_SELECT,
					    SQL_SELECT, SQL_SELECT, SQL_INSERT, SQL_UPDATE};
	// MySQL, PostgreSQL.
	static const uint32_t component[LANGUAGE_COUNT][2] = {[LANGUAGE_GO] = {5012, 22},
							      [LANGUAGE_PYTHON] = {7003, 7010},
							      [LANGUAGE_NODE] = {5, 22}};
	const char *word = catalog_entities[c->text->entity].word;
	const char *type = c->postgresql		    ? "PostgreSQL"
			   : c->language == LANGUAGE_PYTHON ? "mysql"
							    : "Mysql";
	struct buf peer, instance, sql, params;
	struct span_head h = {.type = TYPE_EXIT, .layer = LAYER_DATABASE};
	enum sql_kind kind = mix[dice_below(d, ARRAY_LEN(mix))];

	buf_init_own(&peer, TEXT_MAX);
	buf_init_own(&instance, TEXT_MAX);
	buf_init_own(&sql, TEXT_MAX);
	buf_init_own(&params, TEXT_MAX);
	buf_printf(&peer,
		   c->postgresql ? "pg-%s.db.internal:5432" : "mysql-%s.db.internal:3306",
		   word);
	buf_printf(&instance, "%s_db", word);
	catalog_sql(&sql, c->sql_params ? &params : NULL, kind, c->text->entity, size, d);
	h.name = sql_name(c, kind);
	h.peer = view_of_buf(&peer);
	h.component = component[c->language][c->postgresql];
	maker_head(m, &h);
	if (c->language == LANGUAGE_GO) {
		put_statement(m, c, &sql);
		maker_tag(m, "db.type", type);
	} else {
		maker_tag(m, "db.type", type);
		maker_tag_buf(m, "db.instance", &instance);
		put_statement(m, c, &sql);
	}
	if (c->sql_params)
		put_sql_params(m, c, &params);
	buf_free(&peer);
	buf_free(&instance);
	buf_free(&sql);
	buf_free(&params);
}

static void cache_span(struct maker *m, const struct op_context *c, struct dice *d)
{
	static const struct {
		const char *lower, *upper, *op;
	} command[] = {{"get", "GET", "read"},	{"hgetall", "HGETALL", "read"},
		       {"get", "GET", "read"},	{"hset", "HSET", "write"},
		       {"set", "SET", "write"}, {"del", "DEL", "write"}};
	static const char *const prefix[] = {"detail", "lock", "page", "stock", "token"};
	uint32_t i = dice_below(d, ARRAY_LEN(command));
	const char *word = catalog_entities[c->text->entity].word;
	bool python = c->language == LANGUAGE_PYTHON;
	const char *cmd = python ? command[i].upper : command[i].lower;
	struct span_head h = {.type = TYPE_EXIT,
			      .layer = LAYER_CACHE,
			      .component = c->language == LANGUAGE_GO ? 5014 : 7};
	struct buf name, peer, key;

	buf_init_own(&name, TEXT_MAX);
	buf_init_own(&peer, TEXT_MAX);
	buf_init_own(&key, TEXT_MAX);
	buf_printf(&name, python ? "Redis/%s" : "redis/%s", cmd);
	buf_put_u8(&name, 0);
	buf_printf(&peer, "redis-%s.cache.internal:6379", word);
	buf_printf(&key, "%s:%s:%ci", word, prefix[dice_below(d, ARRAY_LEN(prefix))],
		   MARK_NUMBER);
	h.name = name.data != NULL ? (const char *)name.data : "";
	h.peer = view_of_buf(&peer);
	maker_head(m, &h);
	if (c->language == LANGUAGE_GO) {
		maker_tag(m, "cache.type", "redis");
		maker_tag(m, "cache.op", command[i].op);
		maker_tag(m, "cache.cmd", cmd);
		maker_tag_buf(m, "cache.key", &key);
	} else if (python) {
		maker_tag(m, "cache.type", "Redis");
		maker_tag_buf(m, "cache.key", &key);
		maker_tag(m, "cache.cmd", cmd);
		maker_tag(m, "cache.op", command[i].op);
	} else {
		maker_tag(m, "db.type", "Redis");
		maker_tag(m, "db.instance", "0");
	}
	buf_free(&name);
	buf_free(&peer);
	buf_free(&key);
}

// Python only.
static void search_span(struct maker *m, const struct op_context *c, uint32_t size,
			struct dice *d)
{
	const struct entity *e = &catalog_entities[c->text->entity];
	char name[OP_TEXT_MAX];
	struct span_head h = {.name = name,
			      .peer = VIEW("es-search.internal:9200"),
			      .type = TYPE_EXIT,
			      .layer = LAYER_DATABASE,
			      .component = 47};
	struct buf query;

	snprintf(name, sizeof(name), "Elasticsearch/POST/%s/_search", e->plural);
	buf_init_own(&query, TEXT_MAX);
	catalog_search(&query, c->text->entity, size, d);
	maker_head(m, &h);
	maker_tag(m, "db.type", "Elasticsearch");
	maker_tag_buf(m, "db.statement", &query);
	buf_free(&query);
}

static void mongo_span(struct maker *m, const struct op_context *c)
{
	const struct entity *e = &catalog_entities[c->text->entity];
	bool go = c->language == LANGUAGE_GO, python = c->language == LANGUAGE_PYTHON;
	struct span_head h = {.name = python ? "MongoDB/FindOperation" : "MongoDB/find",
			      .peer = VIEW("mongo-0.db.internal:27017"),
			      .type = TYPE_EXIT,
			      .layer = LAYER_DATABASE,
			      .component = go ? 42 : 9};
	struct buf text;

	buf_init_own(&text, TEXT_MAX);
	maker_head(m, &h);
	maker_tag(m, "db.type", "MongoDB");
	if (!go)
		maker_tag(m, "db.instance", "acme");
	if (go)
		buf_printf(&text,
			   "{\"find\":\"%s\",\"filter\":{\"tenantId\":7,\"%sId\":5%ci,"
			   "\"state\":\"%cs\"},"
			   "\"limit\":{\"$numberLong\":\"20\"},\"$db\":\"acme\"}",
			   e->plural, e->word, MARK_NUMBER, MARK_WORD);
	else if (python)
		buf_printf(&text,
			   "find {'filter': {'tenantId': 7, '%sId': 5%ci, 'state': '%cs'}, "
			   "'limit': 20}",
			   e->word, MARK_NUMBER, MARK_WORD);
	else
		buf_printf(&text, "%s.find({\"tenantId\":7,\"%sId\":5%ci,\"state\":\"%cs\"})",
			   e->plural, e->word, MARK_NUMBER, MARK_WORD);
	maker_tag_buf(m, "db.statement", &text);
	buf_free(&text);
}

// Go only: the transaction's end.
static void commit_span(struct maker *m, const struct op_context *c)
{
	const char *word = catalog_entities[c->text->entity].word;
	struct span_head h = {.name = c->postgresql ? "PostgreSQL/Tx/Commit"
						    : "Mysql/Tx/Commit",
			      .type = TYPE_EXIT,
			      .layer = LAYER_DATABASE,
			      .component = c->postgresql ? 22 : 5012};
	struct buf peer;

	buf_init_own(&peer, TEXT_MAX);
	buf_printf(&peer,
		   c->postgresql ? "pg-%s.db.internal:5432" : "mysql-%s.db.internal:3306",
		   word);
	h.peer = view_of_buf(&peer);
	maker_head(m, &h);
	maker_tag(m, "db.type", c->postgresql ? "PostgreSQL" : "Mysql");
	buf_free(&peer);
}

void agent_inner(struct maker *m, const struct op_context *c, enum slot_kind kind,
		 uint32_t size, struct dice *d)
{
	switch (kind) {
	case SLOT_DB:
		sql_span(m, c, size, d);
		break;
	case SLOT_CACHE:
		cache_span(m, c, d);
		break;
	case SLOT_SEARCH:
		search_span(m, c, size, d);
		break;
	case SLOT_MONGO:
		mongo_span(m, c);
		break;
	case SLOT_TX:
		commit_span(m, c);
		break;
	case SLOT_LOCAL:
	case SLOT_MYBATIS:
	case SLOT_POOL:
	case SLOT_JSON:
	case SLOT_KINDS:
		local_span(m, c, d);
		break;
	}
	if (m->is_error)
		put_error_log(m, c, c->language, c->fault, false);
}
