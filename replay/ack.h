// SPDX-License-Identifier: Apache-2.0
// What became of every row: the ledger, and the rows of one bulk. Every row ends as exactly one
// of acked, rejected, lost, unsent. Pure. Who sends and when is run's business.
#ifndef REPLAY_ACK_H
#define REPLAY_ACK_H

#include "common/mem.h"

// Why a row was not sent. name (in results.json), text
#define UNSENT_LIST(X)                                                                         \
	X(UNSENT_EMPTY_TRACE_ID, "empty_trace_id", "trace id is empty")                        \
	X(UNSENT_EMPTY_SERVICE_ID, "empty_service_id", "service id is empty")                  \
	X(UNSENT_EMPTY_INSTANCE_ID, "empty_instance_id", "service instance id is empty")       \
	X(UNSENT_EMPTY_SPAN_ID, "empty_span_id", "span id is empty")                           \
	X(UNSENT_NOT_UTF8, "not_utf8", "a text is not UTF-8")                                  \
	X(UNSENT_TIME_RANGE, "time_out_of_range", "start time is before 1970 or after 2262")   \
	X(UNSENT_FUTURE, "future", "start time is later than now")                             \
	X(UNSENT_EXPIRED, "expired", "start time is older than the group's ttl")               \
	X(UNSENT_TOO_LARGE, "too_large", "message is larger than 16 MiB")                      \
	X(UNSENT_UNAVAILABLE, "unavailable", "the server could not be reached")                \
	X(UNSENT_OVERLOADED, "overloaded", "the server was under memory pressure")             \
	X(UNSENT_RPC_ENDED, "rpc_ended", "the bulk's call ended before this row's turn")       \
	X(UNSENT_CORPUS, "corpus", "the corpus could not be read")                             \
	X(UNSENT_STOPPED, "stopped", "the run was stopped")                                    \
	X(UNSENT_DRY_RUN, "dry_run", "nothing is sent in a dry run")

enum unsent {
	UNSENT_NONE, // not refused
#define X(id, name, text) id,
	UNSENT_LIST(X)
#undef X
		UNSENT_COUNT
};

const char *unsent_name(enum unsent why);
const char *unsent_text(enum unsent why);

#define STATUS_NAME_SIZE 48
#define STATUS_NAMES 12 // different negative statuses counted apart; the rest together

struct rejection {
	char status[STATUS_NAME_SIZE];
	uint64_t rows;
};

// Invariant: acked + rejected + lost + unsent == rows, and the sum of unsent_by == unsent.
struct ledger {
	uint64_t rows;
	uint64_t acked;	       // answered STATUS_SUCCEED
	uint64_t rejected;     // answered anything else
	uint64_t lost;	       // sent, and no answer came: stored or not is unknown
	uint64_t unsent;       // known not to be with the server
	uint64_t retried;      // rows sent once more, beside the sum
	uint64_t surplus_acks; // answers to rows that do not await one
	uint64_t acked_bytes;  // WriteRequest bytes of acked rows
	uint64_t acked_roots;  // acked rows without a parent: traces
	uint64_t unsent_by[UNSENT_COUNT];
	struct rejection rejection[STATUS_NAMES];
};

void ledger_unsent(struct ledger *l, enum unsent why, uint64_t rows);
void ledger_rejected(struct ledger *l, struct view status);
bool ledger_closes(const struct ledger *l); // the invariant

// Rows of one bulk. Null state: all zero. Two words of memory per thousand rows would do; one
// per row keeps sizes exact.
struct bulk_rows {
	uint32_t *row; // owned: size | flags, see ack.c
	uint32_t capacity;
	uint64_t first; // position of the first row; ids are position + 1
	uint32_t count;
	uint32_t awaited; // sent, no answer yet
	uint32_t answered;
};

void bulk_rows_init(struct bulk_rows *b, uint32_t capacity);
void bulk_rows_free(struct bulk_rows *b);
void bulk_rows_begin(struct bulk_rows *b, uint64_t first, uint32_t count);
void bulk_rows_refused(struct bulk_rows *b, uint32_t index, enum unsent why, struct ledger *l);
void bulk_rows_sent(struct bulk_rows *b, uint32_t index, size_t size_bytes, bool root);
// An answer to message `id`. An unknown id or a second answer counts as surplus.
void bulk_rows_answer(struct bulk_rows *b, uint64_t id, bool succeed, struct view status,
		      struct ledger *l);
// The call has ended: rows that await an answer are lost, or, when it is known that the server
// took nothing, unsent for `why`; rows that were not sent are unsent for `rest`.
void bulk_rows_end(struct bulk_rows *b, enum unsent why, enum unsent rest, struct ledger *l);
// Forget what was sent, for another try; refused rows stay refused.
void bulk_rows_again(struct bulk_rows *b, struct ledger *l);
bool bulk_rows_is_refused(const struct bulk_rows *b, uint32_t index);

#endif
