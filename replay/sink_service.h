// SPDX-License-Identifier: Apache-2.0
// What spansink answers, apart from how bytes travel: services get a request and fill a reply.
// Pure but for the store; no socket, no HTTP/2, no clock.
#ifndef REPLAY_SINK_SERVICE_H
#define REPLAY_SINK_SERVICE_H

#include "common/pb.h"
#include "replay/sink_registry.h"

// Codes of gRPC that we use.
enum sink_code {
	SINK_CODE_OK = 0,
	SINK_CODE_UNKNOWN = 2,
	SINK_CODE_INVALID_ARGUMENT = 3,
	SINK_CODE_NOT_FOUND = 5,
	SINK_CODE_ALREADY_EXISTS = 6,
	SINK_CODE_RESOURCE_EXHAUSTED = 8,
	SINK_CODE_FAILED_PRECONDITION = 9,
	SINK_CODE_UNIMPLEMENTED = 12,
	SINK_CODE_INTERNAL = 13,
};

#define SINK_TEXT_SIZE 1024
#define SINK_REPLY_MAX ((size_t)1 << 30)

// Every message that came in ends as one of acked, rejected, or dropped with its RPC:
// received == acked + rejected + dropped once all RPCs have ended.
struct sink_totals {
	uint64_t received, acked, rejected, dropped;
	uint64_t bytes; // of WriteRequests
};

struct sink_service {
	struct sink_registry registry;
	struct sink_store *store; // owned
	bool null;		  // count rows, keep none
	const char *address;	  // borrowed; what we call ourselves
	uint64_t generated;	  // element ids we made
	struct sink_totals totals;
};

struct sink_reply {
	enum sink_code code;
	char text[SINK_TEXT_SIZE];
	struct buf body; // the message when code is OK
	// Not 0: no answer yet; ask again when the schema has changed, or at this time.
	int64_t wait_until_ns;
};

struct sink_request {
	struct view body;
	struct sink_time now;
	int64_t arrived_ns; // monotonic
};

typedef void sink_unary_fn(struct sink_service *s, const struct sink_request *q,
			   struct sink_reply *r);

struct sink_method {
	const char *name;     // "Query"
	sink_unary_fn *unary; // NULL: Write
	enum sink_kind kind;  // of the rows that Write takes
};

enum status sink_service_open(struct sink_service *s, const char *db_path, bool null,
			      const char *address, struct err *e) MUST_CHECK;
void sink_service_close(struct sink_service *s);

// path: "/package.Service/Method". false: *r says UNIMPLEMENTED.
bool sink_service_find(struct view path, struct sink_method *m, struct sink_reply *r);

void sink_reply_init(struct sink_reply *r);
void sink_reply_free(struct sink_reply *r);
void sink_fail(struct sink_reply *r, enum sink_code code, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

// Unary calls, by the file that has them.
// sink_verbs.c: of all registries
void sink_create(struct sink_service *s, enum sink_kind k, const struct sink_request *q,
		 struct sink_reply *r);
void sink_update(struct sink_service *s, enum sink_kind k, const struct sink_request *q,
		 struct sink_reply *r);
void sink_delete(struct sink_service *s, enum sink_kind k, const struct sink_request *q,
		 struct sink_reply *r);
void sink_get(struct sink_service *s, enum sink_kind k, const struct sink_request *q,
	      struct sink_reply *r);
void sink_list(struct sink_service *s, enum sink_kind k, const struct sink_request *q,
	       struct sink_reply *r);
void sink_exist(struct sink_service *s, enum sink_kind k, const struct sink_request *q,
		struct sink_reply *r);
void sink_group_delete(struct sink_service *s, const struct sink_request *q,
		       struct sink_reply *r);
void sink_group_task(struct sink_service *s, const struct sink_request *q,
		     struct sink_reply *r);
// sink_inspect.c
void sink_inspect(struct sink_service *s, const struct sink_request *q, struct sink_reply *r);
void sink_put_schema_info(struct sink_service *s, struct view group, uint32_t field,
			  struct buf *out);
void sink_await_revision(struct sink_service *s, const struct sink_request *q,
			 struct sink_reply *r);
void sink_await_applied(struct sink_service *s, const struct sink_request *q,
			struct sink_reply *r);
void sink_await_deleted(struct sink_service *s, const struct sink_request *q,
			struct sink_reply *r);
void sink_put_node(struct sink_service *s, struct buf *out);
// sink_query_stream.c, sink_query_trace.c
void sink_query_stream(struct sink_service *s, const struct sink_request *q,
		       struct sink_reply *r);
void sink_query_trace(struct sink_service *s, const struct sink_request *q,
		      struct sink_reply *r);

// ---- Write (sink_write.c) -----------------------------------------------------------------

struct sink_write; // one Write RPC

struct sink_write *sink_write_new(struct sink_service *s, enum sink_kind kind);
// One WriteRequest, borrowed for the call. A rejection is put into *acks at once, as a framed
// message; an accepted row is held. false: the RPC ends with what *end says.
bool sink_write_message(struct sink_write *w, struct view message, struct buf *acks,
			struct sink_reply *end);
// The end, whatever its reason: stores what was accepted and puts its acks, in order. *end is
// changed only when the store fails.
void sink_write_finish(struct sink_write *w, struct buf *acks, struct sink_reply *end);
void sink_write_free(struct sink_write *w); // what was not finished counts as dropped

#endif
