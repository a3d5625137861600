// SPDX-License-Identifier: Apache-2.0
// The driver. A slot is a bulk in flight:
//
//   idle -> open (first message encoded, stream opened) -> ... one send at a time ... ->
//   half-closed -> RPC_END -> idle, or waits -> open again
//
// Messages are encoded a burst at a time, when their stream can take the first of them, into a
// slab that all streams share: what has been encoded and not yet read by the socket stays small
// enough for the cache. A burst is up to 48 messages or 192 KB of a stream. It is encoded in
// one go because gRPC between two messages empties the caches of our code, and all but its last
// message go out with the hint that more follows, so that one write to the socket carries many.
// Streams take turns burst by burst, not message by message, for the same reason: gRPC keeps
// the messages of an unfinished burst.
#include "replay/run.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/rng.h"
#include "replay/pacer.h"

#define BURST_MESSAGES 48
#define BURST_BYTES (192 * KIB)
#define BURST_ROOM (RPC_SLAB_SIZE / 2) // a slab holds whole bursts
#define TEXT_MAX_BYTES MIB	       // the column texts of one row
#define TICK_NS (50 * NS_PER_MS)
#define ATTEMPTS_MAX 6
#define BACKOFF_NS (100 * NS_PER_MS) // doubles with each attempt, times 0.5 .. 1
#define RETRIES_MIN 20		     // budget: this, or a tenth of the bulks when that is more
#define FAILURES_MAX                                                                           \
	20 // failed bulks in a row, beside those in flight, before the run gives up

struct message {
	const uint8_t *data;
	size_t size;
	uint32_t index; // of the row in its bulk
	bool root;
};

// Messages that are encoded and not yet handed to gRPC, all in one slab.
struct burst {
	struct message message[BURST_MESSAGES];
	uint32_t next, count;
	size_t bytes;
	struct rpc_slab *slab; // a reference, or NULL; in a dry run always NULL
};

enum slot_state { SLOT_IDLE, SLOT_OPEN, SLOT_WAITS };

struct slot {
	enum slot_state state;
	struct bulk_rows rows;
	uint32_t next;		    // first row that is not encoded yet
	struct source_block *block; // that the next row is in, or NULL
	struct rpc_stream *stream;
	struct burst burst;
	bool opening; // this call has been given no message yet
	bool closed;  // half-closed
	unsigned attempts;
	int64_t due_ns, first_ns, last_ns, again_ns;
	struct slot *next_idle;
	bool is_ready; // in run.ready
	struct slot *next_ready;
};

struct timer {
	pthread_t thread;
	struct rpc *rpc;
	struct pacer pacer;
	uint64_t bulks;
	atomic_bool stop; // set by the driver (release), read by the timer (acquire)
};

struct run {
	const struct run_options *o;
	struct source *src;
	struct rpc *rpc;
	struct log *log;
	struct run_result *res;
	struct pacer pacer;
	uint64_t next_bulk;
	struct slot *slot; // concurrency of them
	struct slot *idle;
	uint32_t busy;			 // slots that are not idle
	struct slot *bursting;		 // whose burst has begun and not ended, or NULL
	struct slot *ready, *ready_last; // whose next message waits for that
	uint64_t failures;		 // in a row
	enum unsent rest; // why rows that were not begun stay unsent; UNSENT_NONE: go on
	struct buf text;
	uint8_t metadata_bytes[METADATA_MAX];
	struct view metadata;
	struct rpc_slab *slab; // that messages are encoded in, from its end; NULL: none yet
	size_t slab_free;      // bytes in front of what is used
	struct rpc_slab dry;   // a dry run's only slab
	enum status status;    // first failure that is not the server's
	struct err *e;
};

void run_result_init(struct run_result *r)
{
	memset(r, 0, sizeof(*r));
	hist_init(&r->response);
	hist_init(&r->service);
	hist_init(&r->lag);
}

void run_result_free(struct run_result *r)
{
	hist_free(&r->response);
	hist_free(&r->service);
	hist_free(&r->lag);
	memset(r, 0, sizeof(*r));
}

// ---- Encoding a message -------------------------------------------------------------------

struct blob_place {
	const struct render_block *rb;
	uint32_t row;
	int64_t epoch_ms;
};

static uint8_t *render_blob(const void *ctx, uint8_t *area, size_t size_bytes)
{
	const struct blob_place *p = ctx;

	return render_blob_backward(p->rb, p->row, p->epoch_ms, area, size_bytes);
}

// Another slab to encode in; those who send from the old one keep it alive.
static void slab_renew(struct run *u, size_t size_bytes)
{
	if (u->rpc) {
		rpc_slab_put(u->slab);
		u->slab = rpc_slab_get(u->rpc, size_bytes);
	} else {
		if (u->dry.size < size_bytes) {
			u->dry.data = mem_realloc(u->dry.data, size_bytes, 1);
			u->dry.size = size_bytes;
		}
		u->slab = &u->dry;
	}
	u->slab_free = u->slab->size;
}

static void slab_release(struct run *u)
{
	if (u->rpc)
		rpc_slab_put(u->slab);
	u->slab = NULL;
}

// Remembers the first failure; true when there is one.
static bool failed(struct run *u, enum status s)
{
	if (s != OK && u->status == OK)
		u->status = s;
	return s != OK;
}

// Where a failure is described: only the first one is.
static struct err *first_err(struct run *u)
{
	return u->status == OK ? u->e : NULL;
}

// Makes s->block the block of the next row.
static enum status find_block(struct run *u, struct slot *s, uint64_t position)
{
	if (s->block && position - s->block->first < s->block->rows)
		return OK;
	source_put(u->src, s->block);
	s->block = NULL;
	return source_get(u->src, position, &s->block, first_err(u));
}

// Writes a WriteRequest in front of what the slab holds; NULL when there is no room.
static uint8_t *encode_here(struct run *u, const struct row *row,
			    const struct blob_source *blob, uint64_t id)
{
	if (!u->slab)
		return NULL;
	return model_encode(u->o->model, u->metadata, row, blob, id, u->slab->data,
			    u->slab_free);
}

// Into a fresh slab, or into one for the largest message; NULL when it is larger than that.
static uint8_t *encode_afresh(struct run *u, const struct row *row,
			      const struct blob_source *blob, uint64_t id)
{
	uint8_t *start;

	slab_renew(u, RPC_SLAB_SIZE);
	start = encode_here(u, row, blob, id);
	if (start)
		return start;
	slab_renew(u, MODEL_MESSAGE_MAX + MIB);
	return encode_here(u, row, blob, id);
}

// Rows soon to be encoded are asked for while this one is.
static void fetch_ahead(const struct source_block *b, uint64_t output)
{
	if (output + 3 < b->rows)
		render_fetch_spans(&b->rb, b->rb.order[output + 3]);
	if (output + 1 < b->rows)
		render_fetch(&b->rb, b->rb.order[output + 1]);
}

enum encoded { ENCODED, REFUSED, FULL, FAILED };

// Encodes the next row. FULL: the burst's slab has no room for it.
static enum encoded encode_row(struct run *u, struct slot *s, struct message *m)
{
	uint64_t position = s->rows.first + s->next;
	struct blob_place place = {.epoch_ms = u->o->epoch_ms};
	struct blob_source blob = {render_blob, &place};
	struct row row;
	enum unsent why;
	uint8_t *start;
	size_t size;

	if (failed(u, find_block(u, s, position)))
		return FAILED;
	place.rb = &s->block->rb;
	place.row = s->block->rb.order[position - s->block->first];
	fetch_ahead(s->block, position - s->block->first);
	if (failed(u, render_columns(place.rb, place.row, &u->text, u->o->epoch_ms, &row,
				     first_err(u))))
		return FAILED;
	why = model_check_row(&row, &u->o->limits);
	if (why == UNSENT_NONE) {
		start = encode_here(u, &row, &blob, position + 1);
		if (!start && s->burst.count > 0)
			return FULL;
		if (!start)
			start = encode_afresh(u, &row, &blob, position + 1);
		size = start ? (size_t)(u->slab->data + u->slab_free - start) : 0;
		why = !start || size > MODEL_MESSAGE_MAX ? UNSENT_TOO_LARGE : UNSENT_NONE;
	}
	if (why != UNSENT_NONE) {
		bulk_rows_refused(&s->rows, s->next, why, &u->res->ledger);
		return REFUSED;
	}
	*m = (struct message){start, size, s->next, row.parent_span_id.size == 0};
	// A slab for large messages is used once.
	u->slab_free = u->slab->size > RPC_SLAB_SIZE ? 0 : u->slab_free - size;
	return ENCODED;
}

static void burst_drop(struct run *u, struct slot *s)
{
	if (u->rpc)
		rpc_slab_put(s->burst.slab);
	s->burst.slab = NULL;
	s->burst.next = s->burst.count = 0;
	s->burst.bytes = 0;
}

// Encodes messages until the burst is full or no row is left: then it may be empty. Not OK:
// u->status.
static enum status burst_fill(struct run *u, struct slot *s)
{
	struct burst *b = &s->burst;
	// The first message of a call opens it, and gRPC sends that at once.
	uint32_t most = s->opening ? 1 : BURST_MESSAGES;
	enum encoded got = REFUSED;

	burst_drop(u, s);
	if (u->slab && u->slab_free < BURST_ROOM)
		slab_renew(u, RPC_SLAB_SIZE);
	for (; s->next < s->rows.count && b->count < most && b->bytes < BURST_BYTES;
	     s->next++) {
		if (bulk_rows_is_refused(&s->rows, s->next))
			continue;
		got = encode_row(u, s, &b->message[b->count]);
		if (got == FULL || got == FAILED)
			break;
		if (got == ENCODED)
			b->bytes += b->message[b->count++].size;
	}
	if (b->count > 0 && u->rpc)
		b->slab = rpc_slab_ref(u->slab);
	if (s->next == s->rows.count || got == FAILED) {
		source_put(u->src, s->block);
		s->block = NULL;
	}
	return got == FAILED ? u->status : OK;
}

static void count_message(struct run *u, const struct message *m)
{
	u->res->messages++;
	u->res->roots += m->root;
	u->res->bytes += m->size;
}

// ---- A bulk
// -------------------------------------------------------------------------------------------------------------

// The turn of s is over.
static void turn_end(struct run *u, struct slot *s)
{
	if (u->bursting == s)
		u->bursting = NULL;
}

static void ready_add(struct run *u, struct slot *s)
{
	s->is_ready = true;
	s->next_ready = NULL;
	if (u->ready)
		u->ready_last->next_ready = s;
	else
		u->ready = s;
	u->ready_last = s;
}

static void ready_remove(struct run *u, struct slot *s)
{
	struct slot **at = &u->ready, *before = NULL;

	while (*at != s) {
		before = *at;
		at = &before->next_ready;
	}
	*at = s->next_ready;
	if (u->ready_last == s)
		u->ready_last = before;
	s->is_ready = false;
}

// Sends the next message of the burst.
static void send(struct run *u, struct slot *s)
{
	const struct message *m = &s->burst.message[s->burst.next++];
	bool burst_ends = s->burst.next == s->burst.count;
	bool last = burst_ends && s->next == s->rows.count;

	bulk_rows_sent(&s->rows, m->index, m->size, m->root);
	count_message(u, m);
	s->opening = false;
	s->closed = last;
	rpc_stream_send(s->stream, s->burst.slab, m->data, m->size,
			last	     ? RPC_LAST
			: burst_ends ? 0
				     : RPC_MORE);
	u->bursting = s;
	if (burst_ends)
		turn_end(u, s);
}

static void slot_release(struct run *u, struct slot *s)
{
	turn_end(u, s);
	burst_drop(u, s);
	if (s->is_ready)
		ready_remove(u, s);
	source_put(u->src, s->block);
	s->block = NULL;
	if (s->stream)
		rpc_stream_free(s->stream);
	s->stream = NULL;
}

static void slot_idle(struct run *u, struct slot *s)
{
	slot_release(u, s);
	s->state = SLOT_IDLE;
	s->next_idle = u->idle;
	u->idle = s;
	u->busy--;
}

// The corpus cannot be read: nothing more is started.
static void fail(struct run *u)
{
	if (u->rest == UNSENT_NONE)
		u->rest = UNSENT_CORPUS;
}

// Opens the call of a bulk whose rows are set and sends its first message.
static void bulk_open(struct run *u, struct slot *s)
{
	s->next = 0;
	s->opening = true;
	s->closed = false;
	if (burst_fill(u, s) != OK) {
		fail(u);
		bulk_rows_end(&s->rows, UNSENT_NONE, UNSENT_CORPUS, &u->res->ledger);
		slot_idle(u, s);
		return;
	}
	if (s->burst.count == 0) { // every row was refused
		bulk_rows_end(&s->rows, UNSENT_NONE, UNSENT_STOPPED, &u->res->ledger);
		slot_idle(u, s);
		return;
	}
	s->state = SLOT_OPEN;
	s->stream = rpc_stream_open(u->rpc, u->o->model->write_method, u->o->timeout_ms, s);
	if (s->attempts++ == 0)
		s->first_ns = clock_monotonic_ns();
	if (u->o->rate_per_s == 0)
		s->due_ns = s->first_ns;
	send(u, s);
}

static void bulk_begin(struct run *u, uint64_t number)
{
	struct slot *s = u->idle;
	uint64_t first = number * u->o->bulk;

	u->idle = s->next_idle;
	u->busy++;
	bulk_rows_begin(&s->rows, first, (uint32_t)u64_min(u->o->bulk, u->src->rows - first));
	s->attempts = 0;
	s->due_ns = pacer_due_ns(&u->pacer, number);
	bulk_open(u, s);
}

// Starts what is due, as far as slots allow.
static void start_due(struct run *u)
{
	uint64_t due;

	if (u->next_bulk >= u->res->bulks || u->rest != UNSENT_NONE || !u->idle)
		return;
	due = pacer_due_count(&u->pacer, clock_monotonic_ns());
	while (u->idle && u->next_bulk < u->res->bulks && u->next_bulk < due &&
	       u->rest == UNSENT_NONE && !*u->o->stop)
		bulk_begin(u, u->next_bulk++);
}

// The stream can take the next message.
static void go_on(struct run *u, struct slot *s)
{
	if (s->burst.next < s->burst.count) {
		send(u, s);
	} else if (burst_fill(u, s) != OK) {
		fail(u);
		turn_end(u, s);
		rpc_stream_cancel(s->stream);
	} else if (s->burst.count == 0) { // the rest was refused
		s->closed = true;
		turn_end(u, s);
		rpc_stream_half_close(s->stream);
	} else {
		send(u, s);
	}
}

// Those whose turn it is.
static void go_on_ready(struct run *u)
{
	while (u->ready && !u->bursting) {
		struct slot *s = u->ready;

		ready_remove(u, s);
		go_on(u, s);
	}
}

static void on_sent(struct run *u, struct slot *s, bool ok)
{
	if (!ok || s->closed) // the end of the call is on its way
		turn_end(u, s);
	else if (u->bursting && u->bursting != s)
		ready_add(u, s);
	else
		go_on(u, s);
	go_on_ready(u);
}

static void on_answer(struct run *u, struct slot *s, const struct rpc_event *ev)
{
	struct view status;
	uint64_t id;
	bool succeed;

	if (!model_parse_ack(u->o->model, ev->data, ev->size_bytes, &id, &succeed, &status)) {
		u->res->ledger.surplus_acks++;
		return;
	}
	bulk_rows_answer(&s->rows, id, succeed, status, &u->res->ledger);
	if (s->rows.awaited == 0)
		s->last_ns = clock_monotonic_ns();
}

// What a call's end says about its rows when it is certain that the server took none of them,
// else UNSENT_NONE.
static enum unsent nothing_stored(const struct slot *s, const struct rpc_event *ev)
{
	if (s->rows.answered > 0)
		return UNSENT_NONE;
	if (ev->code == RPC_RESOURCE_EXHAUSTED && strstr(ev->text, "memory pressure"))
		return UNSENT_OVERLOADED;
	// Only a connection that never stood proves it: a server that dies later may have
	// stored what it read.
	if (ev->code == RPC_UNAVAILABLE && strstr(ev->text, "failed to connect"))
		return UNSENT_UNAVAILABLE;
	return UNSENT_NONE;
}

static bool may_retry(const struct run *u, const struct slot *s)
{
	uint64_t budget = u64_max(RETRIES_MIN, u->res->bulks / 10);

	return u->rest == UNSENT_NONE && s->attempts < ATTEMPTS_MAX && u->res->retries < budget;
}

static void wait_again(struct run *u, struct slot *s)
{
	int64_t wait_ns = BACKOFF_NS << (s->attempts - 1);
	uint64_t key = rng_key(0, RNG_SAMPLE, s->rows.first);
	uint64_t bits = rng_draw(key, s->attempts);

	u->res->retries++;
	bulk_rows_again(&s->rows, &u->res->ledger);
	slot_release(u, s);
	s->state = SLOT_WAITS;
	s->again_ns =
		clock_monotonic_ns() + wait_ns / 2 + rng_below(bits, 1000) * wait_ns / 2000;
}

static void note_error(struct run *u, const struct rpc_event *ev)
{
	if (u->res->first_error[0] == '\0')
		snprintf(u->res->first_error, sizeof(u->res->first_error), "%s: %s",
			 rpc_code_name(ev->code), ev->text);
}

// A bulk that did not end well and will not be sent again.
static void bulk_failed(struct run *u, struct slot *s, enum unsent why)
{
	u->res->bulks_failed++;
	u->failures++;
	if (u->rest == UNSENT_NONE &&
	    (why != UNSENT_NONE || u->failures > FAILURES_MAX + (uint64_t)u->o->concurrency)) {
		u->res->gave_up = true;
		u->rest = why != UNSENT_NONE ? why : UNSENT_UNAVAILABLE;
	}
	if (u->status != OK) // we cancelled the call: the corpus could not be read
		bulk_rows_end(&s->rows, why, UNSENT_CORPUS, &u->res->ledger);
	else
		bulk_rows_end(&s->rows, why, why != UNSENT_NONE ? why : UNSENT_RPC_ENDED,
			      &u->res->ledger);
}

static void on_end(struct run *u, struct slot *s, const struct rpc_event *ev)
{
	enum unsent why = ev->code == RPC_OK ? UNSENT_NONE : nothing_stored(s, ev);

	if (ev->code != RPC_OK && u->status == OK)
		note_error(u, ev);
	if (why != UNSENT_NONE && may_retry(u, s)) {
		wait_again(u, s);
		return;
	}
	if (ev->code == RPC_OK && s->closed && s->rows.awaited == 0) {
		u->failures = 0;
		u->res->bulks_ok++;
		hist_record(&u->res->response, s->last_ns - s->due_ns);
		hist_record(&u->res->service, s->last_ns - s->first_ns);
		if (u->o->rate_per_s > 0)
			hist_record(&u->res->lag, s->first_ns - s->due_ns);
		bulk_rows_end(&s->rows, UNSENT_NONE, UNSENT_RPC_ENDED, &u->res->ledger);
	} else {
		bulk_failed(u, s, why);
	}
	slot_idle(u, s);
}

// ---- Time
// -----------------------------------------------------------------------------------------------------------------

// Wakes the driver when a bulk is due, and twenty times a second.
static void *timer_main(void *arg)
{
	struct timer *t = arg;

	while (!atomic_load_explicit(&t->stop, memory_order_acquire)) {
		int64_t now_ns = clock_monotonic_ns(), until_ns = now_ns + TICK_NS;

		if (t->pacer.rate_per_s > 0) {
			uint64_t k = pacer_due_count(&t->pacer, now_ns);

			if (k < t->bulks && pacer_due_ns(&t->pacer, k) < until_ns)
				until_ns = pacer_due_ns(&t->pacer, k);
		}
		clock_sleep_until_ns(until_ns);
		rpc_wake(t->rpc);
	}
	return NULL;
}

static void on_wake(struct run *u)
{
	int64_t now_ns = clock_monotonic_ns();
	const struct ledger *l = &u->res->ledger;

	if (*u->o->stop && u->rest == UNSENT_NONE) {
		u->res->stopped = true;
		u->rest = UNSENT_STOPPED;
		if (!u->log->quiet)
			log_note(u->log,
				 "stopping: %u bulks in flight have up to %lld s; a second "
				 "signal ends at once",
				 u->busy,
				 (long long)((u->o->timeout_ms + MS_PER_S - 1) / MS_PER_S));
	}
	for (uint32_t i = 0; i < u->o->concurrency; i++) {
		struct slot *s = &u->slot[i];

		if (s->state != SLOT_WAITS)
			continue;
		if (u->rest != UNSENT_NONE) {
			bulk_rows_end(&s->rows, UNSENT_NONE, u->rest, &u->res->ledger);
			slot_idle(u, s);
		} else if (s->again_ns <= now_ns) {
			bulk_open(u, s);
		}
	}
	log_progress(u->log, now_ns, "%llu of %llu rows acked, %.0f/s, %u bulks in flight",
		     (unsigned long long)l->acked, (unsigned long long)l->rows,
		     (double)l->acked * (double)NS_PER_S /
			     (double)(now_ns - u->pacer.start_ns + 1),
		     u->busy);
}

static void drive(struct run *u)
{
	struct rpc_event ev;

	start_due(u);
	while (u->busy > 0 || (u->next_bulk < u->res->bulks && u->rest == UNSENT_NONE)) {
		rpc_next(u->rpc, &ev);
		switch (ev.kind) {
		case RPC_WAKE:
			on_wake(u);
			start_due(u);
			break;
		case RPC_SENT:
			on_sent(u, ev.user, ev.ok);
			break;
		case RPC_MESSAGE:
			on_answer(u, ev.user, &ev);
			break;
		case RPC_END:
			on_end(u, ev.user, &ev);
			go_on_ready(u);
			start_due(u);
			break;
		}
	}
}

// Renders and encodes everything, sends nothing.
static void drive_dry(struct run *u)
{
	struct slot *s = u->idle;

	for (; u->next_bulk < u->res->bulks && u->rest == UNSENT_NONE; u->next_bulk++) {
		uint64_t first = u->next_bulk * u->o->bulk;

		bulk_rows_begin(&s->rows, first,
				(uint32_t)u64_min(u->o->bulk, u->src->rows - first));
		s->next = 0;
		do {
			if (burst_fill(u, s) != OK)
				fail(u);
			for (uint32_t i = 0; i < s->burst.count; i++)
				count_message(u, &s->burst.message[i]);
			ledger_unsent(&u->res->ledger, UNSENT_DRY_RUN, s->burst.count);
		} while (s->next < s->rows.count && u->rest == UNSENT_NONE);
		if (u->rest != UNSENT_NONE) {
			ledger_unsent(&u->res->ledger, u->rest, s->rows.count - s->next);
		} else if (*u->o->stop) {
			u->res->stopped = true;
			u->rest = UNSENT_STOPPED;
		}
		if ((u->next_bulk & 15) == 0)
			log_progress(u->log, clock_monotonic_ns(), "%llu of %llu rows encoded",
				     (unsigned long long)u->res->messages,
				     (unsigned long long)u->res->ledger.rows);
	}
	slot_release(u, s);
}

static void slots_new(struct run *u)
{
	u->slot = mem_zalloc(u->o->concurrency, sizeof(*u->slot));
	for (uint32_t i = u->o->concurrency; i-- > 0;) {
		bulk_rows_init(&u->slot[i].rows, u->o->bulk);
		u->slot[i].next_idle = u->idle;
		u->idle = &u->slot[i];
	}
}

static void slots_free(struct run *u)
{
	for (uint32_t i = 0; i < u->o->concurrency; i++)
		bulk_rows_free(&u->slot[i].rows);
	free(u->slot);
}

static enum status drive_timed(struct run *u)
{
	struct timer t = {.rpc = u->rpc, .pacer = u->pacer, .bulks = u->res->bulks};
	int rc;

	atomic_init(&t.stop, false);
	rc = pthread_create(&t.thread, NULL, timer_main, &t);
	if (rc != 0)
		return err_set_errno(u->e, ERR_MEMORY, rc, "cannot start a thread");
	drive(u);
	u->res->wall_ns = clock_monotonic_ns() - u->pacer.start_ns; // the timer may sleep on
	atomic_store_explicit(&t.stop, true, memory_order_release);
	pthread_join(t.thread, NULL);
	return u->status;
}

enum status run_write(const struct run_options *o, struct source *src, struct rpc *r,
		      struct log *log, struct run_result *result, struct err *e)
{
	struct run u = {.o = o, .src = src, .rpc = r, .log = log, .res = result, .e = e};
	int64_t cpu_ns;
	enum status st;

	result->ledger.rows = src->rows;
	result->bulks = (src->rows + o->bulk - 1) / o->bulk;
	buf_init(&u.text, TEXT_MAX_BYTES);
	u.metadata = model_metadata(o->model, u.metadata_bytes);
	slots_new(&u);
	cpu_ns = clock_process_cpu_ns();
	u.pacer = (struct pacer){
		.start_ns = clock_monotonic_ns(), .rate_per_s = o->rate_per_s, .bulk = o->bulk};
	if (o->dry_run) {
		drive_dry(&u);
		result->wall_ns = clock_monotonic_ns() - u.pacer.start_ns;
		st = u.status;
	} else {
		st = drive_timed(&u);
	}
	result->cpu_ns = clock_process_cpu_ns() - cpu_ns;
	if (u.next_bulk < result->bulks)
		ledger_unsent(&result->ledger, u.rest == UNSENT_NONE ? UNSENT_STOPPED : u.rest,
			      src->rows - u.next_bulk * o->bulk);
	log_progress_end(log);
	slab_release(&u);
	slots_free(&u);
	buf_free(&u.text);
	free(u.dry.data);
	return st;
}
