// SPDX-License-Identifier: Apache-2.0
// The verb `write` without its printing: opens corpus and server, chooses the epoch, refuses
// what a ttl would swallow, runs, and compares the server's count with ours.
#ifndef REPLAY_WRITE_H
#define REPLAY_WRITE_H

#include "replay/run.h"

struct write_options {
	enum model_kind model;
	const char *corpus, *server; // server may be NULL in a dry run
	uint32_t bulk, concurrency;
	uint64_t rate_per_s; // 0: closed loop
	uint64_t limit;	     // rows
	bool epoch_now;
	int64_t epoch_ms; // when not now
	int64_t timeout_ms;
	bool dry_run;
	const volatile sig_atomic_t *stop;
};

struct write_report {
	struct run_result run;
	int64_t begin_ms; // wall clock
	int64_t epoch_ms;
	int64_t newest_ms;	       // greatest row start
	char digest[DIGEST_TEXT_SIZE]; // of the manifest; empty for shards that are not merged
	uint64_t corpus_rows;	       // of the manifest, or of the shards that are there
	uint64_t blocks, blocks_of_recipe; // that are there; fewer in a part of a corpus
	bool counted;			   // before and after are known
	uint64_t before, after;		   // rows the server says the group holds
	const char *failure; // borrowed; what ended the run early, when write_run failed
};

// Null state of *report: all zero; write_report_free accepts it. With a failure after the run
// has begun, *report says what happened until then (report->run.ledger.rows > 0).
enum status write_run(const struct write_options *o, struct log *log,
		      struct write_report *report, struct err *e) MUST_CHECK;
void write_report_free(struct write_report *r);

// The first reason why the results do not hold (one sentence in text), or true. Rows of a dry
// run need not be sent.
#define WRITE_REASON 400
bool write_report_holds(const struct write_report *r, bool dry_run, char text[WRITE_REASON]);

#endif
