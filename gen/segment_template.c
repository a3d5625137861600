// SPDX-License-Identifier: Apache-2.0
// What the spans of an operation say: entry, calls and inner spans with their tags and logs, in
// the order the Java agent emits; other agents' are template_agents's. Which spans an operation
// consists of is decided by segment_dict.
#include <string.h>

#include "gen/template_agents.h"

#define TEXT_MAX (64 * KIB)

// The log of an exception, as the agent writes it when the span ends.
static void put_error_log(struct maker *m, const struct op_context *c, enum fault fault)
{
	struct dice d = {.key = rng_mix(c->key ^ ((uint64_t)fault + 1) * 0x9e37)};
	struct exception x = catalog_exception(fault, &d);
	struct buf *stack = &c->stack[fault];

	if (stack->size == 0)
		catalog_stack(stack, x, fault, c->kind, c->text->entity, &d);
	maker_message(m, F_LOGS);
	maker_hole(m, HOLE_SPAN_END, 1, 7);
	maker_pair(m, 2, "event", VIEW("error"));
	maker_pair(m, 2, "error.kind", view_of(x.class));
	maker_pair(m, 2, "message", view_of(x.message));
	maker_pair(m, 2, "stack", (struct view){(const char *)stack->data, stack->size});
	maker_message_end(m);
}

// ---- Entry ---------------------------------------------------------------------------------

static const char *error_status(const struct op_context *c)
{
	return c->entry_log ? "500" : "503";
}

static void http_entry_tags(struct maker *m, const struct op_context *c)
{
	struct dice d = {.key = rng_mix(c->key ^ 0x656e7472)};
	struct buf v;

	buf_init_own(&v, TEXT_MAX);
	buf_printf(&v, "http://%c%s", MARK_OWN_PEER, c->text->url);
	maker_tag_buf(m, "url", &v);
	maker_tag(m, "http.method", c->text->verb);
	if (c->http_params) {
		buf_clear(&v);
		buf_printf(&v, "page=[%cp]\nsize=[20]\nstate=[%cs]\nsort=[createdAt,desc]",
			   MARK_NUMBER, MARK_WORD);
		if (dice_percent(&d, 50))
			buf_printf(&v, "\nregion=[%cr]\nuser=[%cu]", MARK_WORD, MARK_WORD);
		maker_tag_buf(m, "http.params", &v);
	}
	if (c->http_headers) {
		uint32_t size = 200 + dice_below(&d, 400);

		buf_clear(&v);
		catalog_headers(&v, size, &d);
		maker_tag_buf(m, "http.headers", &v);
	}
	maker_tag(m, "http.status_code", m->is_error ? error_status(c) : "200");
	buf_free(&v);
}

static void rpc_entry_tags(struct maker *m, const struct op_context *c)
{
	struct buf v;

	if (c->kind == OP_GRPC) {
		if (m->is_error)
			maker_tag(m, "rpc.status_code", "INTERNAL");
		return;
	}
	buf_init_own(&v, TEXT_MAX);
	buf_printf(&v, "dubbo://%c/%s", MARK_OWN_PEER, c->text->name);
	maker_tag_buf(m, "url", &v);
	if (c->http_params) {
		buf_clear(&v);
		buf_printf(&v, "%sRequest(tenantId=7, id=3%ci, operator=%cu, state=%cs)",
			   catalog_entities[c->text->entity].class, MARK_NUMBER, MARK_WORD,
			   MARK_WORD);
		maker_tag_buf(m, "arguments", &v);
	}
	buf_free(&v);
}

static void mq_entry_tags(struct maker *m, const struct op_context *c)
{
	char latency[] = {MARK_NUMBER, 't', 0};

	if (c->kind == OP_KAFKA) {
		maker_pair(m, F_TAGS, "mq.broker", c->brokers);
		maker_tag(m, "mq.topic", c->text->topic);
		maker_tag(m, "transmission.latency", latency);
		return;
	}
	maker_tag(m, "transmission.latency", latency);
	maker_tag(m, "mq.topic", c->text->topic);
	maker_pair(m, F_TAGS, "mq.broker", c->brokers);
}

uint32_t template_entry(struct template_list *l, const struct op_context *c, bool error)
{
	static const enum span_layer layer[] = {LAYER_HTTP, LAYER_RPC, LAYER_RPC, LAYER_MQ,
						LAYER_MQ};
	struct span_head h = {.name = c->text->name,
			      .peer = c->brokers,
			      .type = TYPE_ENTRY,
			      .layer = layer[c->kind],
			      .component = c->component};
	struct maker m;

	maker_begin(&m, l, 0, 0);
	m.is_error = error;
	// Counted by segment_call_bytes: who has a caller depends on the layer.
	maker_hole(&m, HOLE_REFERENCE, 0, 0);
	if (c->language != LANGUAGE_JAVA) {
		agent_entry(&m, c);
		return maker_end(&m);
	}
	maker_head(&m, &h);
	if (c->kind == OP_HTTP)
		http_entry_tags(&m, c);
	else if (c->kind == OP_DUBBO || c->kind == OP_GRPC)
		rpc_entry_tags(&m, c);
	else
		mq_entry_tags(&m, c);
	if (error && c->entry_log)
		put_error_log(&m, c, c->fault);
	return maker_end(&m);
}

// ---- Calls ---------------------------------------------------------------------------------

static void http_call(struct maker *m, const struct op_context *c, uint32_t variant)
{
	// Clients of the callers: name and id of the component.
	static const uint32_t component[] = {2, 13};
	uint32_t id = c->feign ? 11 : component[variant % 2];
	char callee[] = {MARK_CALLEE_PEER, 0};
	struct span_head h = {.name = c->text->path,
			      .peer = view_of(callee),
			      .type = TYPE_EXIT,
			      .layer = LAYER_HTTP,
			      .component = id};
	struct buf url;

	buf_init_own(&url, TEXT_MAX);
	buf_printf(&url, "http://%c%s", MARK_CALLEE_PEER, c->text->url);
	maker_head(m, &h);
	// Feign names the method first.
	if (c->feign)
		maker_tag(m, "http.method", c->text->verb);
	maker_tag_buf(m, "url", &url);
	if (!c->feign)
		maker_tag(m, "http.method", c->text->verb);
	maker_tag(m, "http.status_code", m->is_error ? error_status(c) : "200");
	if (m->is_error && c->call_log)
		put_error_log(m, c, FAULT_HTTP_CALL);
	buf_free(&url);
}

static void rpc_call(struct maker *m, const struct op_context *c)
{
	char callee[] = {MARK_CALLEE_PEER, 0};
	// The callee's server may name it otherwise.
	struct span_head h = {.name = c->kind == OP_GRPC ? c->text->method : c->text->name,
			      .peer = view_of(callee),
			      .type = TYPE_EXIT,
			      .layer = LAYER_RPC,
			      .component = c->kind == OP_GRPC ? 23 : 3};
	struct buf url;

	buf_init_own(&url, TEXT_MAX);
	buf_printf(&url, "dubbo://%c/%s", MARK_CALLEE_PEER, c->text->name);
	maker_head(m, &h);
	if (c->kind == OP_DUBBO)
		maker_tag_buf(m, "url", &url);
	else
		maker_tag(m, "rpc.status_code", m->is_error ? "INTERNAL" : "OK");
	if (m->is_error)
		put_error_log(m, c, c->kind == OP_DUBBO ? FAULT_DUBBO_CALL : FAULT_GRPC_CALL);
	buf_free(&url);
}

static void mq_call(struct maker *m, const struct op_context *c)
{
	bool kafka = c->kind == OP_KAFKA;
	struct buf name, id;
	struct span_head h = {.peer = c->brokers, .type = TYPE_EXIT, .layer = LAYER_MQ};

	buf_init_own(&name, TEXT_MAX);
	buf_init_own(&id, TEXT_MAX);
	buf_printf(&name, kafka ? "Kafka/%s/Producer" : "RocketMQ/%s/Producer", c->text->topic);
	buf_put_u8(&name, 0);
	h.name = name.data != NULL ? (const char *)name.data : "";
	h.component = kafka ? 40 : 38;
	maker_head(m, &h);
	maker_pair(m, F_TAGS, "mq.broker", c->brokers);
	maker_tag(m, "mq.topic", c->text->topic);
	if (!kafka) {
		buf_printf(&id, "7F0000010007%c0000", MARK_HEX);
		maker_tag_buf(m, "mq.message.id", &id);
	}
	buf_free(&name);
	buf_free(&id);
}

uint32_t template_call(struct template_list *l, const struct op_context *c,
		       enum language caller, uint32_t variant, bool error)
{
	struct maker m;

	maker_begin(&m, l, 1, OP_SLOTS_MAX + 1);
	m.is_call = true;
	m.is_error = error;
	if (caller != LANGUAGE_JAVA)
		agent_call(&m, c, caller);
	else if (c->kind == OP_HTTP)
		http_call(&m, c, variant);
	else if (c->kind == OP_DUBBO || c->kind == OP_GRPC)
		rpc_call(&m, c);
	else
		mq_call(&m, c);
	return maker_end(&m);
}

// ---- Inner spans ---------------------------------------------------------------------------

static void local_name(struct buf *name, const struct op_context *c, enum slot_kind kind,
		       struct dice *d)
{
	static const char *const session[] = {
		"selectList(java.lang.String,java.lang.Object)",
		"selectOne(java.lang.String,java.lang.Object)",
		"update(java.lang.String,java.lang.Object)",
		"insert(java.lang.String,java.lang.Object)",
	};
	const struct entity *e = &catalog_entities[c->text->entity];

	if (kind == SLOT_MYBATIS) {
		buf_printf(name, "org.apache.ibatis.session.defaults.DefaultSqlSession.%s",
			   session[dice_below(d, ARRAY_LEN(session))]);
	} else if (kind == SLOT_TX) {
		buf_printf(name, "TX/get/c.a.%c.s.%sServiceImpl.", e->word[0], e->class);
		catalog_method(name, c->text->entity, d);
	} else if (kind == SLOT_POOL) {
		buf_printf(name, "HikariCP/Connection/getConnection");
	} else if (kind == SLOT_JSON) {
		buf_printf(name, "Jackson/ObjectMapper.%s",
			   dice_percent(d, 60) ? "readValue" : "writeValueAsString");
	} else {
		buf_printf(name, "com.acme.%s.service.%sServiceImpl.", e->word, e->class);
		catalog_method(name, c->text->entity, d);
	}
	buf_put_u8(name, 0);
}

static void local_span(struct maker *m, const struct op_context *c, enum slot_kind kind,
		       struct dice *d)
{
	static const uint32_t component[SLOT_KINDS] = {[SLOT_LOCAL] = 93,
						       [SLOT_MYBATIS] = 109,
						       [SLOT_TX] = 78,
						       [SLOT_POOL] = 116,
						       [SLOT_JSON] = 118};
	char length[] = {MARK_NUMBER, 'l', 0};
	struct span_head h = {.type = TYPE_LOCAL, .component = component[kind]};
	struct buf name, mapper;

	buf_init_own(&name, TEXT_MAX);
	buf_init_own(&mapper, TEXT_MAX);
	local_name(&name, c, kind, d);
	h.name = name.data != NULL ? (const char *)name.data : "";
	maker_head(m, &h);
	if (kind == SLOT_MYBATIS) {
		const struct entity *e = &catalog_entities[c->text->entity];

		buf_printf(&mapper, "com.acme.%s.mapper.%sMapper.", e->word, e->class);
		catalog_method(&mapper, c->text->entity, d);
		maker_tag_buf(m, "mybatis.mapper", &mapper);
	} else if (kind == SLOT_TX) {
		maker_tag(m, "isolationLevel", "-1");
		maker_tag(m, "propagationBehavior", "0");
		maker_tag(m, "timeout", "-1");
	} else if (kind == SLOT_JSON) {
		maker_tag(m, "length", length);
	}
	buf_free(&name);
	buf_free(&mapper);
}

static void sql_span(struct maker *m, const struct op_context *c, uint32_t size, struct dice *d)
{
	// Reads prevail.
	static const enum sql_kind mix[] = {SQL_SELECT, SQL_SELECT, SQL_SELECT, SQL_SELECT,
					    SQL_SELECT, SQL_SELECT, SQL_INSERT, SQL_UPDATE};
	const char *word = catalog_entities[c->text->entity].word;
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
	h.name = c->postgresql ? "PostgreSQL/JDBC/PreparedStatement/execute"
			       : "Mysql/JDBC/PreparedStatement/execute";
	h.peer = (struct view){(const char *)peer.data, peer.size};
	h.component = c->postgresql ? 37 : 33;
	maker_share(m);
	maker_head(m, &h);
	maker_tag(m, "db.type", c->postgresql ? "PostgreSQL" : "Mysql");
	maker_tag_buf(m, "db.instance", &instance);
	maker_share_end(m);
	maker_tag_buf(m, "db.statement", &sql);
	if (c->sql_params)
		maker_tag_buf(m, "db.sql.parameters", &params);
	buf_free(&peer);
	buf_free(&instance);
	buf_free(&sql);
	buf_free(&params);
}

static void cache_span(struct maker *m, const struct op_context *c, struct dice *d)
{
	// Commands as Jedis and as Lettuce spell them, and what the agent makes of them.
	static const struct {
		const char *jedis, *lettuce, *op;
	} command[] = {{"get", "GET", "read"},	{"hgetAll", "HGETALL", "read"},
		       {"get", "GET", "read"},	{"setex", "SETEX", "write"},
		       {"set", "SET", "write"}, {"del", "DEL", "write"}};
	static const char *const prefix[] = {"detail", "lock", "page", "stock", "token"};
	uint32_t i = dice_below(d, ARRAY_LEN(command));
	const char *cmd = c->lettuce ? command[i].lettuce : command[i].jedis;
	const char *word = catalog_entities[c->text->entity].word;
	struct span_head h = {
		.type = TYPE_EXIT, .layer = LAYER_CACHE, .component = c->lettuce ? 57 : 30};
	struct buf name, peer, key;

	buf_init_own(&name, TEXT_MAX);
	buf_init_own(&peer, TEXT_MAX);
	buf_init_own(&key, TEXT_MAX);
	buf_printf(&name, c->lettuce ? "Lettuce/%s" : "Jedis/%s", cmd);
	buf_put_u8(&name, 0);
	buf_printf(&peer, "redis-%s.cache.internal:6379", word);
	buf_printf(&key, "%s:%s:%ci", word, prefix[dice_below(d, ARRAY_LEN(prefix))],
		   MARK_NUMBER);
	h.name = name.data != NULL ? (const char *)name.data : "";
	h.peer = (struct view){(const char *)peer.data, peer.size};
	maker_head(m, &h);
	maker_tag(m, "cache.type", "Redis");
	if (!c->lettuce)
		maker_tag(m, "cache.cmd", cmd);
	maker_tag_buf(m, "cache.key", &key);
	if (c->lettuce)
		maker_tag(m, "cache.cmd", cmd);
	maker_tag(m, "cache.op", command[i].op);
	buf_free(&name);
	buf_free(&peer);
	buf_free(&key);
}

static void search_span(struct maker *m, const struct op_context *c, uint32_t size,
			struct dice *d)
{
	struct span_head h = {.name = "Elasticsearch/SearchRequest",
			      .peer = VIEW("es-search.internal:9200"),
			      .type = TYPE_EXIT,
			      .layer = LAYER_DATABASE,
			      .component = 77};
	struct buf query;

	buf_init_own(&query, TEXT_MAX);
	catalog_search(&query, c->text->entity, size, d);
	maker_head(m, &h);
	maker_tag(m, "db.type", "Elasticsearch");
	maker_tag(m, "db.instance", catalog_entities[c->text->entity].plural);
	maker_tag_buf(m, "db.statement", &query);
	buf_free(&query);
}

static void mongo_span(struct maker *m, const struct op_context *c, struct dice *d)
{
	static const char *const operation[] = {
		"MongoDB/FindOperation", "MongoDB/FindOperation",
		"MongoDB/MixedBulkWriteOperation", "MongoDB/AggregateOperation"};
	const struct entity *e = &catalog_entities[c->text->entity];
	struct span_head h = {.name = operation[dice_below(d, ARRAY_LEN(operation))],
			      .peer = VIEW("mongo-0.db.internal:27017"),
			      .type = TYPE_EXIT,
			      .layer = LAYER_DATABASE,
			      .component = 42};
	struct buf filter;

	buf_init_own(&filter, TEXT_MAX);
	buf_printf(
		&filter,
		"{\"tenantId\": 7, \"%sId\": 5%ci, \"state\": {\"$in\": [\"%cs\", \"OPEN\"]}, "
		"\"deleted\": false}",
		e->word, MARK_NUMBER, MARK_WORD);
	maker_head(m, &h);
	maker_tag(m, "db.type", "MongoDB");
	maker_tag(m, "db.instance", "acme");
	maker_tag(m, "db.collection", e->plural);
	maker_tag_buf(m, "db.bind_vars", &filter);
	buf_free(&filter);
}

uint32_t template_inner(struct template_list *l, const struct op_context *c,
			const struct slot *slot, uint32_t slot_index, uint32_t variant,
			uint32_t size, bool error)
{
	struct dice d = {.key = rng_mix(c->key + 1000 * (slot_index + 1) + variant)};
	struct maker m;

	maker_begin(&m, l, slot->depth, slot_index + 1);
	m.is_error = error;
	if (c->language != LANGUAGE_JAVA) {
		agent_inner(&m, c, slot->kind, size, &d);
		return maker_end(&m);
	}
	switch ((enum slot_kind)slot->kind) {
	case SLOT_DB:
		sql_span(&m, c, size, &d);
		break;
	case SLOT_CACHE:
		cache_span(&m, c, &d);
		break;
	case SLOT_SEARCH:
		search_span(&m, c, size, &d);
		break;
	case SLOT_MONGO:
		mongo_span(&m, c, &d);
		break;
	case SLOT_LOCAL:
	case SLOT_MYBATIS:
	case SLOT_TX:
	case SLOT_POOL:
	case SLOT_JSON:
	case SLOT_KINDS:
		local_span(&m, c, slot->kind, &d);
		break;
	}
	if (error)
		put_error_log(&m, c, c->fault);
	return maker_end(&m);
}
