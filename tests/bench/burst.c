// SPDX-License-Identifier: Apache-2.0
// The least that a C-core client can do: the bursts of spanreplay, messages encoded once and
// sent again and again, answers read and thrown away. What it costs per span is what
// spanreplay's hot path is measured against.
//
//   burst HOST:PORT SPANS BULK STREAMS SPAN_BYTES     prints one JSON line
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include "common/clock.h"
#include "replay/model.h"

#define BURST_MESSAGES 48
#define BURST_BYTES (192 * KIB)

enum tag_kind_ { TAG_SEND, TAG_RECEIVE, TAG_STATUS };

struct tag {
	enum tag_kind_ kind;
	struct stream *stream;
};

struct stream {
	grpc_call *call;
	struct tag send, receive, status;
	unsigned open; // batches under way
	unsigned sent;
	grpc_metadata_array initial, trailing;
	grpc_byte_buffer *received;
	grpc_status_code code;
	grpc_slice details;
};

static grpc_completion_queue *cq;
static grpc_channel *channel;
static grpc_slice message;
static unsigned bulk, burst;
static long bulks_left, acks, failures;

static void start(struct stream *s, const grpc_op *ops, size_t n, struct tag *tag)
{
	s->open++;
	if (grpc_call_start_batch(s->call, ops, n, tag, NULL) != GRPC_CALL_OK)
		abort();
}

static void send_one(struct stream *s)
{
	grpc_byte_buffer *b = grpc_raw_byte_buffer_create(&message, 1);
	bool last = s->sent + 1 == bulk;
	grpc_op ops[3];
	size_t n = 0;

	memset(ops, 0, sizeof(ops));
	if (s->sent == 0)
		ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
	ops[n].op = GRPC_OP_SEND_MESSAGE;
	ops[n].flags =
		!last && s->sent > 0 && (s->sent + 1) % burst != 0 ? GRPC_WRITE_BUFFER_HINT : 0;
	ops[n++].data.send_message.send_message = b;
	if (last)
		ops[n++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	s->sent++;
	start(s, ops, n, &s->send);
	grpc_byte_buffer_destroy(b);
}

static void receive(struct stream *s, bool first)
{
	grpc_op ops[2];

	memset(ops, 0, sizeof(ops));
	ops[0].op = GRPC_OP_RECV_MESSAGE;
	ops[0].data.recv_message.recv_message = &s->received;
	ops[1].op = GRPC_OP_RECV_INITIAL_METADATA;
	ops[1].data.recv_initial_metadata.recv_initial_metadata = &s->initial;
	start(s, ops, first ? 2 : 1, &s->receive);
}

static void bulk_start(struct stream *s)
{
	grpc_op op;

	memset(s, 0, sizeof(*s));
	s->send = (struct tag){TAG_SEND, s};
	s->receive = (struct tag){TAG_RECEIVE, s};
	s->status = (struct tag){TAG_STATUS, s};
	s->details = grpc_empty_slice();
	grpc_metadata_array_init(&s->initial);
	grpc_metadata_array_init(&s->trailing);
	s->call = grpc_channel_create_call(
		channel, NULL, 0, cq, grpc_slice_from_static_string(model_trace.write_method),
		NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
	op.data.recv_status_on_client.trailing_metadata = &s->trailing;
	op.data.recv_status_on_client.status = &s->code;
	op.data.recv_status_on_client.status_details = &s->details;
	start(s, &op, 1, &s->status);
	receive(s, true);
	send_one(s);
	bulks_left--;
}

static void bulk_end(struct stream *s)
{
	failures += s->code != GRPC_STATUS_OK;
	grpc_slice_unref(s->details);
	grpc_metadata_array_destroy(&s->initial);
	grpc_metadata_array_destroy(&s->trailing);
	grpc_call_unref(s->call);
}

// Until the streams have sent all bulks and ended.
static void drive(unsigned streams)
{
	while (streams > 0) {
		grpc_event e = grpc_completion_queue_next(
			cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
		struct tag *t = e.tag;
		struct stream *s = t->stream;

		s->open--;
		if (t->kind == TAG_SEND && e.success && s->sent < bulk) {
			send_one(s);
		} else if (t->kind == TAG_RECEIVE && s->received) {
			acks++;
			grpc_byte_buffer_destroy(s->received);
			receive(s, false);
		}
		if (s->open > 0)
			continue;
		bulk_end(s);
		if (bulks_left > 0)
			bulk_start(s);
		else
			streams--;
	}
}

static uint8_t *fill_blob(const void *ctx, uint8_t *area, size_t size_bytes)
{
	size_t n = *(const size_t *)ctx;

	if (n > size_bytes)
		return NULL;
	for (size_t i = 0; i < n; i++)
		area[size_bytes - n + i] = (uint8_t)(i * 131);
	return area + size_bytes - n;
}

static grpc_slice make_message(size_t span_bytes)
{
	static uint8_t area[MIB];
	uint8_t metadata_bytes[METADATA_MAX], *start_at;
	struct row row = {
		.service_id = VIEW("c2VydmljZQ==.1"),
		.service_instance_id = VIEW("c2VydmljZQ==.1_aW5zdGFuY2UtMQ=="),
		.trace_id = VIEW("0123456789abcdef0123456789abcdef.1.17956077793030001"),
		.span_id = VIEW("0123456789abcdef0123456789abcdef.1.17956077793030002"),
		.operation_name = VIEW("GET:/orders/{id}"),
		.component = VIEW("Tomcat"),
		.start_ms = clock_wall_ms() - 1000,
		.latency_ms = 12,
	};
	struct blob_source blob = {fill_blob, &span_bytes};

	start_at = model_encode(&model_trace, model_metadata(&model_trace, metadata_bytes),
				&row, &blob, 1, area, sizeof(area));
	if (!start_at)
		abort();
	return grpc_slice_from_static_buffer(start_at,
					     (size_t)(area + sizeof(area) - start_at));
}

int main(int argc, char **argv)
{
	grpc_arg args[] = {
		{.type = GRPC_ARG_INTEGER,
		 .key = (char[]){GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE},
		 .value.integer = 256 * 1024},
		{.type = GRPC_ARG_INTEGER,
		 .key = (char[]){GRPC_ARG_MINIMAL_STACK},
		 .value.integer = 1},
		{.type = GRPC_ARG_INTEGER,
		 .key = (char[]){GRPC_ARG_ENABLE_RETRIES},
		 .value.integer = 0},
	};
	grpc_channel_args channel_args = {ARRAY_LEN(args), args};
	grpc_channel_credentials *plain;
	struct stream *stream;
	unsigned streams, used;
	long bulks;
	int64_t wall_ns, cpu_ns;

	if (argc != 6) {
		fprintf(stderr, "usage: burst HOST:PORT SPANS BULK STREAMS SPAN_BYTES\n");
		return 2;
	}
	bulk = (unsigned)strtoul(argv[3], NULL, 10);
	bulks = bulks_left = (long)(strtoul(argv[2], NULL, 10) / bulk);
	streams = (unsigned)strtoul(argv[4], NULL, 10);
	grpc_init();
	plain = grpc_insecure_credentials_create();
	channel = grpc_channel_create(argv[1], plain, &channel_args);
	grpc_channel_credentials_release(plain);
	cq = grpc_completion_queue_create_for_next(NULL);
	message = make_message(strtoul(argv[5], NULL, 10));
	burst = (unsigned)(BURST_BYTES / GRPC_SLICE_LENGTH(message)) +
		1; // as many as reach the size
	burst = burst > BURST_MESSAGES ? BURST_MESSAGES : burst;
	stream = mem_zalloc(streams, sizeof(*stream));

	cpu_ns = clock_process_cpu_ns();
	wall_ns = clock_monotonic_ns();
	for (used = 0; used < streams && bulks_left > 0; used++)
		bulk_start(&stream[used]);
	drive(used);
	wall_ns = clock_monotonic_ns() - wall_ns;
	cpu_ns = clock_process_cpu_ns() - cpu_ns;

	printf("{\"bench\": \"burst\", \"spans\": %ld, \"acks\": %ld, \"failures\": %ld, "
	       "\"bulk\": %u, \"streams\": %u, \"burst\": %u, "
	       "\"message_bytes\": %zu, \"wall_s\": %.4f, \"cpu_us_per_span\": %.3f}\n",
	       bulks * (long)bulk, acks, failures, bulk, streams, burst,
	       GRPC_SLICE_LENGTH(message), (double)wall_ns / 1e9,
	       (double)cpu_ns / 1e3 / (double)(bulks * (long)bulk));
	free(stream);
	return failures > 0 || acks != bulks * (long)bulk;
}
