// SPDX-License-Identifier: Apache-2.0
// What agents other than Java's log of an error: Go's its text, Python's a traceback, Node's a
// stack. Both of these have at most ten frames: Python's agent keeps the outermost ten
// (agent_cause_exception_depth), V8 the innermost ten (Error.stackTraceLimit).
#include "gen/catalog.h"

#define FRAMES_MAX 10u

// ---- Errors --------------------------------------------------------------------------------

// What went wrong, by fault, and how each language puts it.
struct error_text {
	const char *go, *python, *node;
};

static const struct error_text mysql[] = {
	{"Error 1213 (40001): Deadlock found when trying to get lock; try restarting "
	 "transaction",
	 "pymysql.err.OperationalError: (1213, 'Deadlock found when trying to get lock; try "
	 "restarting transaction')",
	 "Error: ER_LOCK_DEADLOCK: Deadlock found when trying to get lock; try restarting "
	 "transaction"},
	{"Error 1062 (23000): Duplicate entry '20931-7' for key 'uk_tenant_external_no'",
	 "pymysql.err.IntegrityError: (1062, \"Duplicate entry '20931-7' for key "
	 "'uk_tenant_external_no'\")",
	 "Error: ER_DUP_ENTRY: Duplicate entry '20931-7' for key 'uk_tenant_external_no'"},
	{"invalid connection",
	 "pymysql.err.OperationalError: (2013, 'Lost connection to MySQL server during query')",
	 "Error: Connection lost: The server closed the connection."},
};

static const struct error_text postgresql[] = {
	{"ERROR: deadlock detected (SQLSTATE 40P01)",
	 "psycopg2.errors.DeadlockDetected: deadlock detected", "error: deadlock detected"},
	{"ERROR: duplicate key value violates unique constraint \"uk_external_no\" (SQLSTATE "
	 "23505)",
	 "psycopg2.errors.UniqueViolation: duplicate key value violates unique constraint "
	 "\"uk_external_no\"",
	 "error: duplicate key value violates unique constraint \"uk_external_no\""},
	{"ERROR: canceling statement due to statement timeout (SQLSTATE 57014)",
	 "psycopg2.errors.QueryCanceled: canceling statement due to statement timeout",
	 "error: canceling statement due to statement timeout"},
};

static const struct error_text business[] = {
	{"amount must be positive", "ValueError: amount must be positive",
	 "RangeError: amount must be positive"},
	{"state does not allow this transition",
	 "acme.errors.StateError: state does not allow this transition",
	 "StateError: state does not allow this transition"},
	{"limit of open items reached",
	 "acme.errors.QuotaExceeded: limit of open items reached",
	 "QuotaError: limit of open items reached"},
	{"runtime error: invalid memory address or nil pointer dereference",
	 "AttributeError: 'NoneType' object has no attribute 'state'",
	 "TypeError: Cannot read properties of undefined (reading 'state')"},
};

static const struct error_text rpc_call[] = {
	{"rpc error: code = DeadlineExceeded desc = context deadline exceeded",
	 "grpc._channel._InactiveRpcError: <_InactiveRpcError of RPC that terminated with: "
	 "status = StatusCode.DEADLINE_EXCEEDED details = \"Deadline Exceeded\">",
	 "Error: 4 DEADLINE_EXCEEDED: Deadline exceeded after 3.000s"},
	{"rpc error: code = Internal desc = failed to process request",
	 "grpc._channel._InactiveRpcError: <_InactiveRpcError of RPC that terminated with: "
	 "status = StatusCode.INTERNAL details = \"failed to process request\">",
	 "Error: 13 INTERNAL: failed to process request"},
};

// An answer of 400 or more is no error to clients of Go and Python; Axios throws, and says
// which.
static const struct error_text http_call[] = {
	{"", "", "AxiosError: Request failed with status code "},
};

static const struct error_text *pick_error(enum fault fault, struct dice *d)
{
	static const struct {
		const struct error_text *list;
		uint32_t count;
	} of[] = {
		[FAULT_MYSQL] = {mysql, ARRAY_LEN(mysql)},
		[FAULT_POSTGRESQL] = {postgresql, ARRAY_LEN(postgresql)},
		[FAULT_BUSINESS] = {business, ARRAY_LEN(business)},
		[FAULT_HTTP_CALL] = {http_call, ARRAY_LEN(http_call)},
		[FAULT_DUBBO_CALL] = {rpc_call, ARRAY_LEN(rpc_call)},
		[FAULT_GRPC_CALL] = {rpc_call, ARRAY_LEN(rpc_call)},
	};

	return &of[fault].list[dice_below(d, of[fault].count)];
}

const char *catalog_go_error(enum fault fault, struct dice *d)
{
	return pick_error(fault, d)->go;
}

// ---- Frames --------------------------------------------------------------------------------

#define SITE "/usr/local/lib/python3.11/site-packages/"

// The outermost first, as tracebacks have them.
static const char *const flask_frames[] = {
	"  File \"" SITE "flask/app.py\", line 1463, in wsgi_app\n"
	"    response = self.full_dispatch_request()\n",
	"  File \"" SITE "skywalking/plugins/sw_flask.py\", line 68, in "
	"_sw_full_dispatch_request\n    resp = _full_dispatch_request(this)\n",
	"  File \"" SITE "flask/app.py\", line 872, in full_dispatch_request\n"
	"    rv = self.handle_user_exception(e)\n",
	"  File \"" SITE "flask/app.py\", line 870, in full_dispatch_request\n"
	"    rv = self.dispatch_request()\n",
	"  File \"" SITE "flask/app.py\", line 855, in dispatch_request\n"
	"    return self.ensure_sync(self.view_functions[rule.endpoint])(**view_args)\n",
	NULL,
};

static const char *const fastapi_frames[] = {
	"  File \"" SITE "skywalking/plugins/sw_fastapi.py\", line 77, in create_span\n"
	"    await _original_call(self, scope, receive, send_wrapper)\n",
	"  File \"" SITE "starlette/routing.py\", line 718, in app\n"
	"    await route.handle(scope, receive, send)\n",
	"  File \"" SITE "starlette/routing.py\", line 276, in handle\n"
	"    await self.app(scope, receive, send)\n",
	"  File \"" SITE "starlette/routing.py\", line 66, in app\n"
	"    response = await func(request)\n",
	"  File \"" SITE "fastapi/routing.py\", line 274, in app\n"
	"    raw_response = await run_endpoint_function(\n",
	"  File \"" SITE "fastapi/routing.py\", line 191, in run_endpoint_function\n"
	"    return await dependant.call(**values)\n",
	NULL,
};

static const char *const django_frames[] = {
	"  File \"" SITE "django/core/handlers/exception.py\", line 55, in inner\n"
	"    response = get_response(request)\n",
	"  File \"" SITE "django/core/handlers/base.py\", line 197, in _get_response\n"
	"    response = wrapped_callback(request, *callback_args, **callback_kwargs)\n",
	"  File \"" SITE "django/views/generic/base.py\", line 104, in view\n"
	"    return self.dispatch(request, *args, **kwargs)\n",
	"  File \"" SITE "rest_framework/views.py\", line 506, in dispatch\n"
	"    response = handler(request, *args, **kwargs)\n",
	NULL,
};

static const char *const grpc_python_frames[] = {
	"  File \"" SITE "skywalking/plugins/sw_grpc.py\", line 94, in "
	"invoke_intercept_method\n    return next_handler_method(request_or_iterator, "
	"context)\n",
	NULL,
};

static const char *const kafka_python_frames[] = {
	"  File \"/app/consumer.py\", line 41, in run\n    self.handle(record)\n",
	NULL,
};

static const char *const pymysql_frames[] = {
	"  File \"" SITE "skywalking/plugins/sw_pymysql.py\", line 43, in _sw_execute\n"
	"    res = _execute(this, query, args)\n",
	"  File \"" SITE "pymysql/cursors.py\", line 153, in execute\n"
	"    result = self._query(query)\n",
	"  File \"" SITE "pymysql/cursors.py\", line 322, in _query\n    conn.query(q)\n",
	"  File \"" SITE "pymysql/connections.py\", line 558, in query\n"
	"    self._affected_rows = self._read_query_result(unbuffered=unbuffered)\n",
	"  File \"" SITE "pymysql/connections.py\", line 822, in _read_query_result\n"
	"    result.read()\n",
	"  File \"" SITE "pymysql/connections.py\", line 1200, in read\n"
	"    first_packet = self.connection._read_packet()\n",
	"  File \"" SITE "pymysql/connections.py\", line 772, in _read_packet\n"
	"    packet.raise_for_error()\n",
	"  File \"" SITE "pymysql/protocol.py\", line 221, in raise_for_error\n"
	"    err.raise_mysql_exception(self._data)\n",
	"  File \"" SITE "pymysql/err.py\", line 143, in raise_mysql_exception\n"
	"    raise errorclass(errno, errval)\n",
	NULL,
};

static const char *const psycopg_frames[] = {
	"  File \"" SITE "skywalking/plugins/sw_psycopg2.py\", line 57, in execute\n"
	"    return self._self_cur.execute(query, vars)\n",
	NULL,
};

static const char *const grpc_client_python_frames[] = {
	"  File \"" SITE "grpc/_channel.py\", line 1181, in __call__\n"
	"    return _end_unary_response_blocking(state, call, False, None)\n",
	"  File \"" SITE "grpc/_channel.py\", line 1006, in _end_unary_response_blocking\n"
	"    raise _InactiveRpcError(state)\n",
	NULL,
};

// The innermost first, as stacks have them.
static const char *const mysql_node_frames[] = {
	"    at Query.Sequence._packetToError (/app/node_modules/mysql/lib/protocol/sequences/"
	"Sequence.js:47:14)\n",
	"    at Query.ErrorPacket (/app/node_modules/mysql/lib/protocol/sequences/Query.js:79:"
	"18)\n",
	"    at Protocol._parsePacket (/app/node_modules/mysql/lib/protocol/Protocol.js:291:"
	"23)\n",
	"    at Parser._parsePacket (/app/node_modules/mysql/lib/protocol/Parser.js:433:10)\n",
	"    at Parser.write (/app/node_modules/mysql/lib/protocol/Parser.js:43:10)\n",
	"    at Protocol.write (/app/node_modules/mysql/lib/protocol/Protocol.js:38:16)\n",
	"    at Socket.<anonymous> (/app/node_modules/mysql/lib/Connection.js:88:28)\n",
	"    at Socket.emit (node:events:517:28)\n",
	"    at addChunk (node:internal/streams/readable:368:12)\n",
	"    at readableAddChunk (node:internal/streams/readable:341:9)\n",
	NULL,
};

static const char *const pg_node_frames[] = {
	"    at Parser.parseErrorMessage (/app/node_modules/pg-protocol/dist/parser.js:283:"
	"98)\n",
	"    at Parser.handlePacket "
	"(/app/node_modules/pg-protocol/dist/parser.js:122:29)\n",
	"    at Parser.parse "
	"(/app/node_modules/pg-protocol/dist/parser.js:35:38)\n",
	"    at Socket.<anonymous> (/app/node_modules/pg-protocol/dist/index.js:11:42)\n",
	"    at Socket.emit (node:events:517:28)\n",
	NULL,
};

static const char *const axios_frames[] = {
	"    at settle "
	"(/app/node_modules/axios/dist/node/axios.cjs:1983:12)\n",
	"    at IncomingMessage.handleStreamEnd "
	"(/app/node_modules/axios/dist/node/axios.cjs:3085:11)\n",
	"    at IncomingMessage.emit (node:events:529:35)\n",
	"    at endReadableNT (node:internal/streams/readable:1400:12)\n",
	"    at process.processTicksAndRejections (node:internal/process/task_queues:82:21)\n",
	"    at Axios.request "
	"(/app/node_modules/axios/dist/node/axios.cjs:3876:41)\n",
	NULL,
};

static const char *const grpc_node_frames[] = {
	"    at callErrorFromStatus "
	"(/app/node_modules/@grpc/grpc-js/build/src/call.js:31:19)\n",
	"    at Object.onReceiveStatus (/app/node_modules/@grpc/grpc-js/build/src/client.js:"
	"192:76)\n",
	"    at process.processTicksAndRejections (node:internal/process/task_queues:77:11)\n",
	NULL,
};

static const char *const express_frames[] = {
	"    at Layer.handle [as handle_request] "
	"(/app/node_modules/express/lib/router/layer.js:"
	"95:5)\n",
	"    at next (/app/node_modules/express/lib/router/route.js:144:13)\n",
	"    at Route.dispatch (/app/node_modules/express/lib/router/route.js:114:3)\n",
	"    at Layer.handle [as handle_request] "
	"(/app/node_modules/express/lib/router/layer.js:"
	"95:5)\n",
	"    at /app/node_modules/express/lib/router/index.js:284:15\n",
	"    at Function.process_params (/app/node_modules/express/lib/router/index.js:346:"
	"12)\n",
	"    at next (/app/node_modules/express/lib/router/index.js:280:10)\n",
	"    at jsonParser (/app/node_modules/body-parser/lib/types/json.js:113:7)\n",
	"    at Function.handle (/app/node_modules/express/lib/router/index.js:175:3)\n",
	"    at router.handle (/app/node_modules/skywalking-backend-js/lib/plugins/"
	"ExpressPlugin.js:52:18)\n",
	NULL,
};

static const char *const no_frames[] = {NULL};

// Frames of the server of an entry.
static const char *const *python_outer(uint32_t component)
{
	switch (component) {
	case 7001:
		return flask_frames;
	case 7004:
		return django_frames;
	case 7014:
		return fastapi_frames;
	case 23:
		return grpc_python_frames;
	default:
		return kafka_python_frames;
	}
}

static const char *const *python_inner(enum fault fault)
{
	switch (fault) {
	case FAULT_MYSQL:
		return pymysql_frames;
	case FAULT_POSTGRESQL:
		return psycopg_frames;
	case FAULT_DUBBO_CALL:
	case FAULT_GRPC_CALL:
		return grpc_client_python_frames;
	case FAULT_HTTP_CALL:
	case FAULT_BUSINESS:
		break;
	}
	return no_frames;
}

static const char *const *node_inner(enum fault fault)
{
	switch (fault) {
	case FAULT_MYSQL:
		return mysql_node_frames;
	case FAULT_POSTGRESQL:
		return pg_node_frames;
	case FAULT_HTTP_CALL:
		return axios_frames;
	case FAULT_DUBBO_CALL:
	case FAULT_GRPC_CALL:
		return grpc_node_frames;
	case FAULT_BUSINESS:
		break;
	}
	return no_frames;
}

// Appends frames until there are FRAMES_MAX of the trace.
static void put_frames(struct buf *out, const char *const *frame, uint32_t *count)
{
	buf_put_u8(out, MARK_SHARE);
	for (; *frame != NULL && *count < FRAMES_MAX; frame++, (*count)++)
		buf_put_view(out, view_of(*frame));
	buf_put_u8(out, MARK_SHARE_END);
}

// ---- The application's own -----------------------------------------------------------------

void catalog_other_method(struct buf *out, enum language language, uint32_t entity,
			  struct dice *d)
{
	static const char *const verb[] = {"load",    "save",	 "validate", "apply",
					   "enrich",  "publish", "convert",  "authorize",
					   "compute", "find",	 "list",     "lock"};
	const struct entity *e = &catalog_entities[entity];
	const char *v = verb[dice_below(d, ARRAY_LEN(verb))];

	if (language == LANGUAGE_PYTHON)
		buf_printf(out, "%s_%s", v, e->word);
	else
		buf_printf(out, "%s%s", v, e->class);
}

static void put_python_frame(struct buf *out, const char *file, const char *code,
			     uint32_t entity, struct dice *d, uint32_t *count)
{
	const struct entity *e = &catalog_entities[entity];

	if (*count >= FRAMES_MAX)
		return;
	buf_printf(out, "  File \"/app/%s/%s.py\", line %u, in ", e->plural, file,
		   20 + dice_below(d, 300));
	catalog_other_method(out, LANGUAGE_PYTHON, entity, d);
	buf_printf(out, "\n    %s\n", code);
	(*count)++;
}

void catalog_python_traceback(struct buf *out, enum fault fault, uint32_t entry,
			      uint32_t entity, struct dice *d)
{
	const char *error = pick_error(fault, d)->python;
	uint32_t count = 0;

	buf_printf(out, "Traceback (most recent call last):\n");
	// A span sees the stack from the frame that opened it inwards.
	if (entry != 0)
		put_frames(out, python_outer(entry), &count);
	if (entry != 0 || fault == FAULT_BUSINESS) {
		put_python_frame(out, "views", "return service.handle(request)", entity, d,
				 &count);
		put_python_frame(out, "service", "return self.repository.apply(item)", entity,
				 d, &count);
		put_python_frame(out, "repository", "return self._run(statement, values)",
				 entity, d, &count);
	}
	put_frames(out, python_inner(fault), &count);
	buf_printf(out, "%s\n", error);
}

static void put_node_frame(struct buf *out, const char *suffix, const char *file,
			   uint32_t entity, struct dice *d, uint32_t *count)
{
	const struct entity *e = &catalog_entities[entity];
	uint32_t line, column;

	if (*count >= FRAMES_MAX)
		return;
	buf_printf(out, "    at %s%s.", e->class, suffix);
	catalog_other_method(out, LANGUAGE_NODE, entity, d);
	// One by one: compilers differ in the order of arguments.
	column = 5 + dice_below(d, 40);
	line = 10 + dice_below(d, 300);
	buf_printf(out, " (/app/dist/%s/%s.%s.js:%u:%u)\n", e->plural, e->word, file, line,
		   column);
	(*count)++;
}

void catalog_node_stack(struct buf *out, enum fault fault, const char *status, uint32_t entity,
			struct dice *d)
{
	uint32_t count = 0;

	buf_printf(out, "%s%s\n", pick_error(fault, d)->node,
		   fault == FAULT_HTTP_CALL ? status : "");
	put_frames(out, node_inner(fault), &count);
	put_node_frame(out, "Repository", "repository", entity, d, &count);
	put_node_frame(out, "Service", "service", entity, d, &count);
	put_node_frame(out, "Controller", "controller", entity, d, &count);
	put_frames(out, express_frames, &count);
}
