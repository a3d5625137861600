// SPDX-License-Identifier: Apache-2.0
// One write run: bulks in flight, when they start, what became of their rows, how long they
// took. One thread drives all streams; a second one only keeps time. Knows models through
// struct model; reports and servers' counts are write's.
#ifndef REPLAY_RUN_H
#define REPLAY_RUN_H

#include <signal.h>

#include "common/log.h"
#include "replay/ack.h"
#include "replay/hist.h"
#include "replay/model.h"
#include "replay/source.h"

#define RUN_CONCURRENCY_MAX 10000
#define RUN_BULK_MAX 1000000

struct run_options {
	const struct model *model;
	uint32_t bulk;	      // spans
	uint32_t concurrency; // bulks in flight
	uint64_t rate_per_s;  // spans; 0: closed loop
	int64_t timeout_ms;   // of a bulk's call
	int64_t epoch_ms;
	struct row_limits limits;
	bool dry_run; // render and encode only
	const volatile sig_atomic_t
		*stop; // non-zero: start nothing more, let bulks in flight end
};

struct run_result {
	struct ledger ledger;
	struct hist response, service,
		lag;	// ns: due -> last answer, first byte -> last answer, due -> first byte
	uint64_t bulks; // that the rows make
	uint64_t bulks_ok;		 // ended OK with an answer to every row sent
	uint64_t bulks_failed;		 // sent, and anything else
	uint64_t retries;		 // bulks sent once more
	uint64_t messages, roots, bytes; // encoded WriteRequests, retries included
	int64_t wall_ns;		 // first start to last end
	int64_t cpu_ns;			 // of this process, in that time
	bool stopped;			 // by the user
	bool gave_up;			 // the server could not be used; first_error says why
	char first_error[320];		 // of the first call that failed; empty: none
};

void run_result_init(struct run_result *r);
void run_result_free(struct run_result *r); // null state: all zero

// Writes every row of src. OK also when rows were not acked: the ledger says so. Not OK: the
// corpus could not be read; the ledger closes all the same. r is NULL in a dry run.
enum status run_write(const struct run_options *o, struct source *src, struct rpc *r,
		      struct log *log, struct run_result *result, struct err *e) MUST_CHECK;

#endif
