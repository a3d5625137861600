// SPDX-License-Identifier: Apache-2.0
// gRPC C core, used as measured: one channel for all streams, one completion queue thread,
// messages built in place in reference-counted slices.
//
// A stream has at most three batches under way: a send, a receive, and the one that waits for
// the status. Each batch's tag is a struct op inside the stream, which owns everything the
// batch borrows. The stream has ended when those that receive are through.
#include "replay/rpc.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>

#define WRITE_BUFFER_BYTES (256 * 1024) // more than a burst
#define CONNECT_MS 10000		// a busy server may need seconds for its first frame
#define ORPHANS_MS 500 // what a closing client waits for the last sends of its streams
#define MESSAGE_MAX_BYTES                                                                      \
	(512 * 1024 * 1024) // answers; the default of 4 MiB is less than a page of rows

enum op_kind { OP_SEND, OP_RECEIVE, OP_STATUS };

struct op {
	enum op_kind kind;
	struct rpc_stream *stream;
};

// Slabs outlive the client when gRPC still holds one: the last reference frees the pool.
struct slab_pool {
	pthread_mutex_t lock;
	struct slab *free;
	size_t refs; // slabs out + 1 for the client
};

struct slab {
	struct rpc_slab base; // first: the public part
	struct slab_pool *pool;
	struct slab *next;
	grpc_slice slice; // the caller's reference
};

struct rpc {
	const char *server; // borrowed
	// Unary calls have a connection of their own: the streams' may be blocked by a server
	// that reads no more, and a call whose bytes wait behind theirs would never end.
	grpc_channel *channel, *calls;
	grpc_completion_queue *unary, *streams;
	grpc_call *wake_call; // never started: an empty batch on it is a message to the queue
	atomic_bool wake_pending; // set by rpc_wake, cleared (acquire/release) by rpc_next
	struct slab_pool *pool;
	struct rpc_stream *free; // streams for reuse
	size_t orphans;		 // freed streams whose last send is under way
	grpc_byte_buffer *shown; // what the last RPC_MESSAGE showed
	uint8_t *joined;	 // an answer that came in pieces
	size_t joined_size;
	struct rpc *next_left; // in left_to_exit
};

struct rpc_stream {
	struct rpc *rpc;
	void *user;
	grpc_call *call;
	struct op send, receive, status;
	bool sending, receiving, waiting; // batches under way
	bool opened;			  // initial metadata is on its way
	bool ended;			  // RPC_END was given out
	bool orphan; // freed by the caller while its last send is still under way
	grpc_metadata_array initial, trailing;
	grpc_byte_buffer *received;
	grpc_status_code code;
	grpc_slice details;
	char text[256];
	struct rpc_stream *next;
};

// ---- Small things
// -------------------------------------------------------------------------------------------------------

static bool handle(struct rpc *r, struct op *op, bool success, struct rpc_event *ev);

static const char *const code_names[] = {
	"OK",
	"CANCELLED",
	"UNKNOWN",
	"INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED",
	"NOT_FOUND",
	"ALREADY_EXISTS",
	"PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION",
	"ABORTED",
	"OUT_OF_RANGE",
	"UNIMPLEMENTED",
	"INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS",
	"UNAUTHENTICATED",
};

const char *rpc_code_name(int code)
{
	return code >= 0 && (size_t)code < ARRAY_LEN(code_names) ? code_names[code] : "CODE";
}

enum status rpc_server_check(const char *server, bool allow_remote, struct err *e)
{
	const char *colon = strrchr(server, ':');
	unsigned long port = 0;
	char host[256];
	size_t n;

	if (!colon || colon == server || !colon[1] ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
	    (size_t)(colon - server) >= sizeof(host))
		return err_set(e, ERR_USAGE, "--server %s: not HOST:PORT", server);
	for (const char *p = colon + 1; *p; p++)
		port = port * 10 + (unsigned long)(*p - '0');
	if (port < 1 || port > 65535)
		return err_set(e, ERR_USAGE, "--server %s: port is not 1..65535", server);
	n = (size_t)(colon - server);
	memcpy(host, server, n);
	host[n] = '\0';
	if (strchr(host, ':') && (host[0] != '[' || host[n - 1] != ']'))
		return err_set(e, ERR_USAGE,
			       "--server %s: an IPv6 address needs brackets, [ADDRESS]:PORT",
			       server);
	if (strchr(host, '/'))
		return err_set(e, ERR_USAGE, "--server %s: not HOST:PORT", server);
	if (allow_remote || strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return OK;
	if (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n)
		return OK;
	return err_set(e, ERR_USAGE,
		       "--server %s is not on the loopback; say --allow-remote to write to it",
		       server);
}

// A first failure of the deadlock detector costs more than our whole send path; it is a
// debugging aid of abseil, and ours to switch off. Absent or named otherwise: nothing happens.
static void quiet_mutexes(void)
{
	static const char *const names[] = {
		"_ZN4absl7debian329SetMutexDeadlockDetectionModeENS0_15OnDeadlockCycleE",
		"_ZN4absl29SetMutexDeadlockDetectionModeENS_15OnDeadlockCycleE",
	};
	void *self = dlopen(NULL, RTLD_LAZY);

	for (size_t i = 0; self && i < ARRAY_LEN(names); i++) {
		void *symbol = dlsym(self, names[i]);
		void (*set_mode)(int);

		if (!symbol)
			continue;
		memcpy(&set_mode, &symbol,
		       sizeof(set_mode)); // POSIX: a data pointer holds a function's
		set_mode(0);
		break;
	}
	if (self)
		dlclose(self);
}

static gpr_timespec deadline_of(int64_t timeout_ms)
{
	return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
			    gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
}

static void ignore_log(gpr_log_func_args *args)
{
	(void)args; // stderr is ours; failures come back as statuses
}

// ---- Opening and closing
// ----------------------------------------------------------------------------------------------------

struct rpc *rpc_open(const char *server)
{
	struct rpc *r = mem_zalloc(1, sizeof(*r));
	grpc_arg args[] = {
		{.type = GRPC_ARG_INTEGER, .value.integer = 1},
		{.type = GRPC_ARG_INTEGER, .value.integer = 1},
		{.type = GRPC_ARG_INTEGER, .value.integer = 1},
		{.type = GRPC_ARG_INTEGER, .value.integer = 0},
		{.type = GRPC_ARG_INTEGER, .value.integer = MESSAGE_MAX_BYTES},
		{.type = GRPC_ARG_INTEGER, .value.integer = -1},
		{.type = GRPC_ARG_INTEGER, .value.integer = 200},
		{.type = GRPC_ARG_INTEGER, .value.integer = CONNECT_MS},
		{.type = GRPC_ARG_INTEGER, .value.integer = 2000},
		{.type = GRPC_ARG_INTEGER, .value.integer = 0},
		{.type = GRPC_ARG_INTEGER, .value.integer = WRITE_BUFFER_BYTES},
	};
	static const char *const keys[] = {
		GRPC_ARG_MINIMAL_STACK,
		GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, // a channel is a connection
		GRPC_ARG_ENABLE_DEADLINE_CHECKS, // which the minimal stack leaves out: a silent
						 // server would hang us
		GRPC_ARG_ENABLE_RETRIES,	 // ours know what is safe to repeat
		GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH,
		GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
		GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, // also how long a connection may take
		GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, GRPC_ARG_ENABLE_HTTP_PROXY,
		GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, // a stream's, before it is written in spite
						  // of the hint
	};
	grpc_channel_args channel_args = {ARRAY_LEN(args), args};
	grpc_channel_credentials *plain;

	_Static_assert(ARRAY_LEN(args) == ARRAY_LEN(keys), "one value per key");
	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		args[i].key = mem_strdup(keys[i]);
	quiet_mutexes();
	gpr_set_log_function(ignore_log);
	grpc_init();
	plain = grpc_insecure_credentials_create();
	r->server = server;
	r->channel = grpc_channel_create(server, plain, &channel_args);
	r->calls = grpc_channel_create(server, plain, &channel_args);
	grpc_channel_credentials_release(plain);
	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		free(args[i].key);
	r->unary = grpc_completion_queue_create_for_pluck(NULL);
	r->streams = grpc_completion_queue_create_for_next(NULL);
	r->wake_call = grpc_channel_create_call(r->channel, NULL, 0, r->streams,
						grpc_slice_from_static_string("/wake"), NULL,
						gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
	atomic_init(&r->wake_pending, false);
	r->pool = mem_zalloc(1, sizeof(*r->pool));
	pthread_mutex_init(&r->pool->lock, NULL);
	r->pool->refs = 1;
	return r;
}

static void drain(grpc_completion_queue *cq, bool pluck)
{
	grpc_completion_queue_shutdown(cq);
	if (!pluck)
		while (grpc_completion_queue_next(cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL)
			       .type != GRPC_QUEUE_SHUTDOWN)
			;
	grpc_completion_queue_destroy(cq);
}

// Drops one reference of the pool; the last one frees it.
static void pool_unref(struct slab_pool *p)
{
	size_t left;
	struct slab *next;

	pthread_mutex_lock(&p->lock);
	left = --p->refs;
	pthread_mutex_unlock(&p->lock);
	if (left > 0)
		return;
	for (struct slab *s = p->free; s; s = next) {
		next = s->next;
		gpr_free_aligned(s);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}

// Clients whose connection a server has blocked: gRPC closes one only once the server reads
// on, so they are left to exit, and stay reachable. Touched by closing threads only; programs
// close their clients on one.
static struct rpc *left_to_exit;

// Gives the last sends of freed streams a moment: those of a connection that is gone complete
// on another thread, soon but not at once.
static void reap_orphans(struct rpc *r)
{
	gpr_timespec until = deadline_of(ORPHANS_MS);
	grpc_event e;
	struct rpc_event ignored;

	while (r->orphans > 0) {
		e = grpc_completion_queue_next(r->streams, until, NULL);
		if (e.type != GRPC_OP_COMPLETE)
			return;
		if (e.tag != &r->wake_pending)
			handle(r, e.tag, e.success, &ignored);
	}
}

void rpc_close(struct rpc *r)
{
	struct rpc_stream *next;

	if (!r)
		return;
	if (r->shown)
		grpc_byte_buffer_destroy(r->shown);
	r->shown = NULL;
	reap_orphans(r);
	if (r->orphans > 0) {
		r->next_left = left_to_exit;
		left_to_exit = r;
		return;
	}
	for (struct rpc_stream *s = r->free; s; s = next) {
		next = s->next;
		free(s);
	}
	grpc_call_unref(r->wake_call);
	grpc_channel_destroy(r->channel);
	grpc_channel_destroy(r->calls);
	drain(r->unary, true);
	drain(r->streams, false);
	grpc_shutdown_blocking();
	pool_unref(r->pool);
	free(r->joined);
	free(r);
}

const char *rpc_server(const struct rpc *r)
{
	return r->server;
}

// ---- Unary calls
// --------------------------------------------------------------------------------------------------------

// Copies a server's text as one printable line.
static void line_of(grpc_slice text, char *out, size_t size_bytes)
{
	size_t n = GRPC_SLICE_LENGTH(text) < size_bytes - 1 ? GRPC_SLICE_LENGTH(text)
							    : size_bytes - 1;

	memcpy(out, GRPC_SLICE_START_PTR(text), n);
	out[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)out[i] < 0x20 || (unsigned char)out[i] == 0x7f)
			out[i] = ' ';
}

static grpc_byte_buffer *pack(const ProtobufCMessage *m)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	grpc_slice slice = grpc_slice_malloc(size);
	grpc_byte_buffer *b;

	protobuf_c_message_pack(m, GRPC_SLICE_START_PTR(slice));
	b = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return b;
}

static ProtobufCMessage *unpack(grpc_byte_buffer *b, const ProtobufCMessageDescriptor *type)
{
	grpc_byte_buffer_reader reader;
	grpc_slice all;
	ProtobufCMessage *m;

	if (!grpc_byte_buffer_reader_init(&reader, b))
		return NULL;
	all = grpc_byte_buffer_reader_readall(&reader);
	grpc_byte_buffer_reader_destroy(&reader);
	m = protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(all),
				      GRPC_SLICE_START_PTR(all));
	grpc_slice_unref(all);
	return m;
}

enum status rpc_call(struct rpc *r, const char *method, const ProtobufCMessage *request,
		     const ProtobufCMessageDescriptor *answer_type, ProtobufCMessage **answer,
		     int64_t timeout_ms, int *code, struct err *e)
{
	grpc_slice path = grpc_slice_from_copied_string(method);
	grpc_call *call = grpc_channel_create_call(r->calls, NULL, 0, r->unary, path, NULL,
						   deadline_of(timeout_ms), NULL);
	grpc_byte_buffer *out = pack(request), *in = NULL;
	grpc_metadata_array initial, trailing;
	grpc_status_code got = GRPC_STATUS_UNKNOWN;
	grpc_slice details = grpc_empty_slice();
	grpc_op ops[6];
	enum status s = OK;
	ProtobufCMessage *m = NULL;
	char text[300];

	grpc_metadata_array_init(&initial);
	grpc_metadata_array_init(&trailing);
	memset(ops, 0, sizeof(ops));
	ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
	ops[1].op = GRPC_OP_SEND_MESSAGE;
	ops[1].data.send_message.send_message = out;
	ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
	ops[3].data.recv_initial_metadata.recv_initial_metadata = &initial;
	ops[4].op = GRPC_OP_RECV_MESSAGE;
	ops[4].data.recv_message.recv_message = &in;
	ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
	ops[5].data.recv_status_on_client.trailing_metadata = &trailing;
	ops[5].data.recv_status_on_client.status = &got;
	ops[5].data.recv_status_on_client.status_details = &details;
	if (grpc_call_start_batch(call, ops, 6, &ops, NULL) != GRPC_CALL_OK)
		abort(); // our mistake
	grpc_completion_queue_pluck(r->unary, &ops, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);

	if (code)
		*code = (int)got;
	if (got != GRPC_STATUS_OK) {
		line_of(details, text, sizeof(text));
		s = err_set(
			e,
			got == GRPC_STATUS_UNAVAILABLE || got == GRPC_STATUS_DEADLINE_EXCEEDED
				? ERR_NETWORK
				: ERR_REMOTE,
			"server %s: %s: %s: %s%s", r->server,
			strrchr(method, '/') ? method + 1 : method, rpc_code_name((int)got),
			text,
			got == GRPC_STATUS_UNAVAILABLE
				? " (is a BanyanDB running there, and is this its gRPC "
				  "port?)"
			: got == GRPC_STATUS_DEADLINE_EXCEEDED ? " (no answer within --timeout)"
							       : "");
	} else if (answer && (!in || !(m = unpack(in, answer_type)))) {
		s = err_set(e, ERR_REMOTE, "server %s: %s: the answer is not a %s", r->server,
			    method + 1, answer_type->name);
	}
	if (answer)
		*answer = m;
	grpc_byte_buffer_destroy(out);
	if (in)
		grpc_byte_buffer_destroy(in);
	grpc_slice_unref(details);
	grpc_slice_unref(path);
	grpc_metadata_array_destroy(&initial);
	grpc_metadata_array_destroy(&trailing);
	grpc_call_unref(call);
	return s;
}

// ---- Slabs
// --------------------------------------------------------------------------------------------------------------

// The last slice of a slab is gone. Runs on whatever thread dropped it.
static void slab_done(void *arg)
{
	struct slab *s = arg;
	struct slab_pool *p = s->pool;

	if (s->base.size == RPC_SLAB_SIZE) {
		pthread_mutex_lock(&p->lock);
		s->next = p->free;
		p->free = s;
		pthread_mutex_unlock(&p->lock);
	} else {
		gpr_free_aligned(s);
	}
	pool_unref(p);
}

struct rpc_slab *rpc_slab_get(struct rpc *r, size_t size_bytes)
{
	struct slab_pool *p = r->pool;
	size_t size = size_bytes > RPC_SLAB_SIZE ? size_bytes : RPC_SLAB_SIZE;
	struct slab *s = NULL;

	pthread_mutex_lock(&p->lock);
	p->refs++;
	if (size == RPC_SLAB_SIZE && p->free) {
		s = p->free;
		p->free = s->next;
	}
	pthread_mutex_unlock(&p->lock);
	if (!s) {
		s = gpr_malloc_aligned(sizeof(*s) + size, 64); // aborts on failure
		s->base.data = (uint8_t *)(s + 1);
		s->base.size = size;
		s->pool = p;
	}
	s->slice = grpc_slice_new_with_user_data(s->base.data, size, slab_done, s);
	return &s->base;
}

static struct slab *slab_of(struct rpc_slab *s)
{
	return (struct slab *)(void *)s; // base is the first member
}

struct rpc_slab *rpc_slab_ref(struct rpc_slab *s)
{
	grpc_slice_ref(slab_of(s)->slice);
	return s;
}

void rpc_slab_put(struct rpc_slab *s)
{
	if (s)
		grpc_slice_unref(slab_of(s)->slice);
}

// ---- Streams
// ------------------------------------------------------------------------------------------------------------

static void start(struct rpc_stream *s, const grpc_op *ops, size_t count, struct op *tag)
{
	if (grpc_call_start_batch(s->call, ops, count, tag, NULL) != GRPC_CALL_OK)
		abort(); // our mistake: an operation twice
}

static void receive(struct rpc_stream *s, bool first)
{
	grpc_op ops[2];

	memset(ops, 0, sizeof(ops));
	ops[0].op = GRPC_OP_RECV_MESSAGE;
	ops[0].data.recv_message.recv_message = &s->received;
	if (first) {
		ops[1].op = GRPC_OP_RECV_INITIAL_METADATA;
		ops[1].data.recv_initial_metadata.recv_initial_metadata = &s->initial;
	}
	s->received = NULL;
	s->receiving = true;
	start(s, ops, first ? 2 : 1, &s->receive);
}

struct rpc_stream *rpc_stream_open(struct rpc *r, const char *method, int64_t timeout_ms,
				   void *user)
{
	struct rpc_stream *s = r->free;
	grpc_op op;

	if (s)
		r->free = s->next;
	else
		s = mem_alloc(sizeof(*s));
	memset(s, 0, sizeof(*s));
	s->rpc = r;
	s->user = user;
	s->send = (struct op){OP_SEND, s};
	s->receive = (struct op){OP_RECEIVE, s};
	s->status = (struct op){OP_STATUS, s};
	s->details = grpc_empty_slice();
	grpc_metadata_array_init(&s->initial);
	grpc_metadata_array_init(&s->trailing);
	s->call = grpc_channel_create_call(r->channel, NULL, 0, r->streams,
					   grpc_slice_from_static_string(method), NULL,
					   deadline_of(timeout_ms), NULL);
	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
	op.data.recv_status_on_client.trailing_metadata = &s->trailing;
	op.data.recv_status_on_client.status = &s->code;
	op.data.recv_status_on_client.status_details = &s->details;
	s->waiting = true;
	start(s, &op, 1, &s->status);
	receive(s, true);
	return s;
}

static void send_ops(struct rpc_stream *s, grpc_byte_buffer *message, unsigned flags)
{
	grpc_op ops[3];
	size_t n = 0;

	assert(!s->sending);
	memset(ops, 0, sizeof(ops));
	if (!s->opened)
		ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
	if (message) {
		ops[n].op = GRPC_OP_SEND_MESSAGE;
		ops[n].flags = flags & RPC_MORE ? GRPC_WRITE_BUFFER_HINT : 0;
		ops[n++].data.send_message.send_message = message;
	}
	if (flags & RPC_LAST)
		ops[n++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	s->opened = true;
	s->sending = true;
	start(s, ops, n, &s->send);
}

void rpc_stream_send(struct rpc_stream *s, struct rpc_slab *slab, const uint8_t *data,
		     size_t size_bytes, unsigned flags)
{
	size_t begin = (size_t)(data - slab->data);
	grpc_slice slice = grpc_slice_sub(slab_of(slab)->slice, begin, begin + size_bytes);
	grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);

	grpc_slice_unref(slice);
	send_ops(s, message, flags);
	grpc_byte_buffer_destroy(message); // the batch has taken the slices
}

void rpc_stream_half_close(struct rpc_stream *s)
{
	send_ops(s, NULL, RPC_LAST);
}

void rpc_stream_cancel(struct rpc_stream *s)
{
	grpc_call_cancel(s->call, NULL);
}

static void recycle(struct rpc_stream *s)
{
	s->next = s->rpc->free;
	s->rpc->free = s;
}

void rpc_stream_free(struct rpc_stream *s)
{
	assert(s->ended);
	grpc_slice_unref(s->details);
	grpc_metadata_array_destroy(&s->initial);
	grpc_metadata_array_destroy(&s->trailing);
	grpc_call_unref(s->call);
	s->orphan = s->sending; // its socket may be blocked for as long as the server likes
	if (s->orphan)
		s->rpc->orphans++;
	else
		recycle(s);
}

// The bytes of a received message; usually one slice.
static void show(struct rpc *r, grpc_byte_buffer *b, struct rpc_event *ev)
{
	grpc_slice_buffer *sb = &b->data.raw.slice_buffer;

	r->shown = b;
	if (sb->count == 1) {
		ev->data = GRPC_SLICE_START_PTR(sb->slices[0]);
		ev->size_bytes = GRPC_SLICE_LENGTH(sb->slices[0]);
		return;
	}
	if (sb->length > r->joined_size) {
		r->joined = mem_realloc(r->joined, sb->length, 1);
		r->joined_size = sb->length;
	}
	ev->data = r->joined;
	ev->size_bytes = 0;
	for (size_t i = 0; i < sb->count; i++) {
		size_t n = GRPC_SLICE_LENGTH(sb->slices[i]);

		memcpy(r->joined + ev->size_bytes, GRPC_SLICE_START_PTR(sb->slices[i]), n);
		ev->size_bytes += n;
	}
}

// True when nothing more can come from the server: fills *ev with the end. A send may still be
// under way: gRPC completes it only when the socket has taken its bytes, which a stopped server
// never lets happen.
static bool at_end(struct rpc_stream *s, struct rpc_event *ev)
{
	if (s->receiving || s->waiting || s->ended)
		return false;
	s->ended = true;
	line_of(s->details, s->text, sizeof(s->text));
	ev->kind = RPC_END;
	ev->user = s->user;
	ev->code = (int)s->code;
	ev->text = s->text;
	return true;
}

// One completed batch; true when it makes an event for the caller.
static bool handle(struct rpc *r, struct op *op, bool success, struct rpc_event *ev)
{
	struct rpc_stream *s = op->stream;

	ev->user = s->user;
	switch (op->kind) {
	case OP_SEND:
		s->sending = false;
		if (s->orphan) {
			r->orphans--;
			recycle(s);
		}
		if (s->ended)
			return false;
		ev->kind = RPC_SENT;
		ev->ok = success;
		return true;
	case OP_RECEIVE:
		s->receiving = false;
		if (!s->received)
			return at_end(s, ev);
		ev->kind = RPC_MESSAGE;
		show(r, s->received, ev);
		receive(s, false);
		return true;
	case OP_STATUS:
		s->waiting = false;
		return at_end(s, ev);
	}
	abort();
}

void rpc_next(struct rpc *r, struct rpc_event *ev)
{
	memset(ev, 0, sizeof(*ev));
	if (r->shown) {
		grpc_byte_buffer_destroy(r->shown);
		r->shown = NULL;
	}
	for (;;) {
		grpc_event e = grpc_completion_queue_next(
			r->streams, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);

		assert(e.type == GRPC_OP_COMPLETE);
		if (e.tag == &r->wake_pending) {
			atomic_store_explicit(&r->wake_pending, false, memory_order_release);
			ev->kind = RPC_WAKE;
			return;
		}
		if (handle(r, e.tag, e.success, ev))
			return;
	}
}

void rpc_wake(struct rpc *r)
{
	if (atomic_exchange_explicit(&r->wake_pending, true, memory_order_acq_rel))
		return;
	if (grpc_call_start_batch(r->wake_call, NULL, 0, &r->wake_pending, NULL) !=
	    GRPC_CALL_OK)
		abort();
}
