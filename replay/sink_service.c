// SPDX-License-Identifier: Apache-2.0
// The table of methods, replies, and the services too small for a file of their own.
#include "replay/sink_service.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// The newest version whose behaviour we follow, as its API names itself.
#define API_VERSION "0.11"

// ---- Replies ------------------------------------------------------------------------------

void sink_reply_init(struct sink_reply *r)
{
	r->code = SINK_CODE_OK;
	r->text[0] = '\0';
	r->wait_until_ns = 0;
	buf_init(&r->body, SINK_REPLY_MAX);
}

void sink_reply_free(struct sink_reply *r)
{
	buf_free(&r->body);
}

void sink_fail(struct sink_reply *r, enum sink_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(r->text, sizeof(r->text), fmt, ap) < 0)
		r->text[0] = '\0';
	va_end(ap);
	r->code = code;
}

// ---- Small services -----------------------------------------------------------------------

static void health(struct sink_service *s, const struct sink_request *q, struct sink_reply *r)
{
	struct pb_reader in;
	struct pb_field f;
	bool named = false;

	(void)s;
	pb_reader_init(&in, q->body.data, q->body.size);
	while (pb_next(&in, &f))
		named = named || (f.number == 1 && f.bytes.size > 0);
	if (named)
		sink_fail(r, SINK_CODE_NOT_FOUND, "unknown service");
	else
		pb_put_uint(&r->body, 1, 1); // SERVING
}

static void api_version(struct sink_service *s, const struct sink_request *q,
			struct sink_reply *r)
{
	struct buf version;

	(void)s;
	(void)q;
	buf_init(&version, MIB);
	pb_put_string(&version, 1, API_VERSION);
	pb_put_string(&version, 2, "spansink-" SPANGEN_VERSION);
	pb_put_bytes(&r->body, 1, version.data, version.size);
	buf_free(&version);
}

static void current_node(struct sink_service *s, const struct sink_request *q,
			 struct sink_reply *r)
{
	(void)q;
	sink_put_node(s, &r->body);
}

// ---- Methods ------------------------------------------------------------------------------

// The verbs of the registries, one function for each pair.
#define REGISTRY_VERBS(X, name, kind)                                                          \
	X(name, create, kind)                                                                  \
	X(name, update, kind)                                                                  \
	X(name, delete, kind)                                                                  \
	X(name, get, kind)                                                                     \
	X(name, list, kind)                                                                    \
	X(name, exist, kind)
#define VERB(name, verb, kind)                                                                 \
	static void name##_##verb(struct sink_service *s, const struct sink_request *q,        \
				  struct sink_reply *r)                                        \
	{                                                                                      \
		sink_##verb(s, kind, q, r);                                                    \
	}
REGISTRY_VERBS(VERB, stream, SINK_STREAM)
REGISTRY_VERBS(VERB, trace, SINK_TRACE)
REGISTRY_VERBS(VERB, rule, SINK_INDEX_RULE)
REGISTRY_VERBS(VERB, binding, SINK_BINDING)
VERB(group, create, SINK_GROUP)
VERB(group, update, SINK_GROUP)
VERB(group, get, SINK_GROUP)
VERB(group, list, SINK_GROUP)
VERB(group, exist, SINK_GROUP)

#define DATABASE "banyandb.database.v1."
#define REGISTRY(service, name)                                                                \
	{DATABASE service "RegistryService", {"Create", name##_create, 0}},                    \
		{DATABASE service "RegistryService", {"Update", name##_update, 0}},            \
		{DATABASE service "RegistryService", {"Get", name##_get, 0}},                  \
		{DATABASE service "RegistryService", {"List", name##_list, 0}},                \
	{                                                                                      \
		DATABASE service "RegistryService",                                            \
		{                                                                              \
			"Exist", name##_exist, 0                                               \
		}                                                                              \
	}

static const struct {
	const char *service;
	struct sink_method method;
} methods[] = {
	{"banyandb.stream.v1.StreamService", {"Write", NULL, SINK_STREAM}},
	{"banyandb.trace.v1.TraceService", {"Write", NULL, SINK_TRACE}},
	{"banyandb.stream.v1.StreamService", {"Query", sink_query_stream, 0}},
	{"banyandb.trace.v1.TraceService", {"Query", sink_query_trace, 0}},
	{"grpc.health.v1.Health", {"Check", health, 0}},
	{"banyandb.common.v1.Service", {"GetAPIVersion", api_version, 0}},
	{DATABASE "NodeQueryService", {"GetCurrentNode", current_node, 0}},
	REGISTRY("Group", group),
	{DATABASE "GroupRegistryService", {"Delete", sink_group_delete, 0}},
	{DATABASE "GroupRegistryService", {"Inspect", sink_inspect, 0}},
	{DATABASE "GroupRegistryService", {"Query", sink_group_task, 0}},
	REGISTRY("Stream", stream),
	{DATABASE "StreamRegistryService", {"Delete", stream_delete, 0}},
	REGISTRY("Trace", trace),
	{DATABASE "TraceRegistryService", {"Delete", trace_delete, 0}},
	REGISTRY("IndexRule", rule),
	{DATABASE "IndexRuleRegistryService", {"Delete", rule_delete, 0}},
	REGISTRY("IndexRuleBinding", binding),
	{DATABASE "IndexRuleBindingRegistryService", {"Delete", binding_delete, 0}},
	{"banyandb.schema.v1.SchemaBarrierService",
	 {"AwaitRevisionApplied", sink_await_revision, 0}},
	{"banyandb.schema.v1.SchemaBarrierService",
	 {"AwaitSchemaApplied", sink_await_applied, 0}},
	{"banyandb.schema.v1.SchemaBarrierService",
	 {"AwaitSchemaDeleted", sink_await_deleted, 0}},
};

bool sink_service_find(struct view path, struct sink_method *m, struct sink_reply *r)
{
	const char *slash = NULL;
	struct view service, method;
	bool known = false;

	if (path.size > 0 && path.data[0] == '/')
		path = (struct view){path.data + 1, path.size - 1};
	if (path.size > 0)
		slash = memchr(path.data, '/', path.size);
	if (slash == NULL) {
		sink_fail(r, SINK_CODE_UNIMPLEMENTED, "malformed method name: \"/%.*s\"",
			  (int)(path.size < 200 ? path.size : 200), path.data);
		return false;
	}
	service = (struct view){path.data, (size_t)(slash - path.data)};
	method = (struct view){slash + 1, path.size - service.size - 1};
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (!view_equal(view_of(methods[i].service), service))
			continue;
		known = true;
		if (view_equal(view_of(methods[i].method.name), method)) {
			*m = methods[i].method;
			return true;
		}
	}
	if (known)
		sink_fail(r, SINK_CODE_UNIMPLEMENTED, "unknown method %.*s for service %.*s",
			  (int)(method.size < 200 ? method.size : 200), method.data,
			  (int)service.size, service.data);
	else
		sink_fail(r, SINK_CODE_UNIMPLEMENTED, "unknown service %.*s",
			  (int)(service.size < 200 ? service.size : 200), service.data);
	return false;
}

enum status sink_service_open(struct sink_service *s, const char *db_path, bool null,
			      const char *address, struct err *e)
{
	enum status st;

	*s = (struct sink_service){.null = null, .address = address};
	st = sink_store_open(&s->store, db_path, e);
	if (st == OK)
		st = sink_registry_open(&s->registry, s->store, e);
	if (st != OK)
		sink_service_close(s);
	return st;
}

void sink_service_close(struct sink_service *s)
{
	sink_registry_close(&s->registry);
	sink_store_close(s->store);
	s->store = NULL;
}
