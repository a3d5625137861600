// SPDX-License-Identifier: Apache-2.0
// The gRPC client: one channel, unary calls with protobuf-c messages, and bidirectional Write
// streams driven by one thread. The only file that knows gRPC. What is sent and what an answer
// means is left to the callers.
#ifndef REPLAY_RPC_H
#define REPLAY_RPC_H

#include <protobuf-c/protobuf-c.h>

#include "common/mem.h"

// Status codes of gRPC that callers treat apart (numbers are those of the wire).
enum rpc_code {
	RPC_OK = 0,
	RPC_CANCELLED = 1,
	RPC_UNKNOWN = 2,
	RPC_INVALID_ARGUMENT = 3,
	RPC_DEADLINE_EXCEEDED = 4,
	RPC_NOT_FOUND = 5,
	RPC_ALREADY_EXISTS = 6,
	RPC_RESOURCE_EXHAUSTED = 8,
	RPC_FAILED_PRECONDITION = 9,
	RPC_UNIMPLEMENTED = 12,
	RPC_INTERNAL = 13,
	RPC_UNAVAILABLE = 14,
};

const char *
rpc_code_name(int code); // "UNAVAILABLE"; "CODE" for numbers that gRPC does not know

// HOST:PORT, [V6]:PORT. Without allow_remote only the loopback: localhost, 127.0.0.0/8, ::1.
// ERR_USAGE with the remedy.
enum status rpc_server_check(const char *server, bool allow_remote, struct err *e) MUST_CHECK;

struct rpc;
// Connects lazily: an unreachable server shows in the first call. server is borrowed for the
// life of the result.
struct rpc *rpc_open(const char *server);
void rpc_close(struct rpc *r); // NULL is fine; all streams must have ended
const char *rpc_server(const struct rpc *r);

// One unary call. *answer (NULL: it is not looked at) moves to the caller:
// protobuf_c_message_free_unpacked. *code (may be NULL) receives the gRPC code. Not OK:
// ERR_NETWORK for UNAVAILABLE and DEADLINE_EXCEEDED, else ERR_REMOTE with server, method, code
// and the server's text.
enum status rpc_call(struct rpc *r, const char *method, const ProtobufCMessage *request,
		     const ProtobufCMessageDescriptor *answer_type, ProtobufCMessage **answer,
		     int64_t timeout_ms, int *code, struct err *e) MUST_CHECK;

// ---- Slabs: memory that messages are built in; gRPC sends it without a copy
// ---------------------------------------------

struct rpc_slab {
	uint8_t *data;
	size_t size;
};

#define RPC_SLAB_SIZE (416 * KIB)

// A slab of at least size_bytes (standard ones are recycled); the caller holds one reference,
// each message sent from it another.
struct rpc_slab *rpc_slab_get(struct rpc *r, size_t size_bytes);
struct rpc_slab *rpc_slab_ref(struct rpc_slab *s); // another reference of the caller's
void rpc_slab_put(struct rpc_slab *s);		   // drops one; NULL is fine

// ---- Write streams
// --------------------------------------------------------------------------------------------------

struct rpc_stream;

enum rpc_send_flags {
	RPC_MORE = 1, // more follows at once: may wait in the write buffer. Never on a stream's
		      // first or last message
	RPC_LAST = 2, // half-close after this message
};

enum rpc_event_kind {
	RPC_WAKE, // rpc_wake was called
	RPC_SENT, // the last send is through: the next may follow (ok), or the stream is broken
		  // (an RPC_END follows)
	RPC_MESSAGE, // data: borrowed until the next rpc_next
	RPC_END,     // code and text; the stream has no operation left: rpc_stream_free
};

struct rpc_event {
	enum rpc_event_kind kind;
	void *user; // of the stream
	bool ok;
	const uint8_t *data;
	size_t size_bytes;
	int code;
	const char *text; // borrowed until the stream is freed
};

// Opens a stream of `method`; nothing goes out before the first send. The deadline counts from
// now. All calls on streams and rpc_next are made by one thread.
struct rpc_stream *rpc_stream_open(struct rpc *r, const char *method, int64_t timeout_ms,
				   void *user);
// One message: bytes [data, data + size_bytes) of slab. One send at a time: wait for RPC_SENT.
void rpc_stream_send(struct rpc_stream *s, struct rpc_slab *slab, const uint8_t *data,
		     size_t size_bytes, unsigned flags);
void rpc_stream_half_close(struct rpc_stream *s); // without a message; an RPC_SENT follows
void rpc_stream_cancel(struct rpc_stream *s);	  // RPC_END comes soon
void rpc_stream_free(struct rpc_stream *s);	  // after RPC_END

// Waits for the next event. Events of one stream come in order.
void rpc_next(struct rpc *r, struct rpc_event *ev);
// From any one other thread: makes rpc_next return RPC_WAKE soon; wakes that have not been seen
// yet melt into one.
void rpc_wake(struct rpc *r);

#endif
