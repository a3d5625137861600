// SPDX-License-Identifier: Apache-2.0
// Reads whole traces back by id and compares every column and the payload with what the corpus
// says. Prints nothing.
#ifndef REPLAY_CHECK_H
#define REPLAY_CHECK_H

#include "common/log.h"
#include "replay/model.h"

#define CHECK_TEXTS 10 // differences described
#define CHECK_TEXT_SIZE 300

struct check_options {
	enum model_kind model;
	const char *corpus, *server;
	int64_t epoch_ms;
	uint64_t
		sample; // traces, drawn from those of the corpus (or of its first `limit` rows)
	uint64_t seed;	// of the draw
	uint64_t limit; // rows that were written
	int64_t timeout_ms;
};

struct check_report {
	uint64_t traces, rows; // compared
	uint64_t missing;      // rows not found
	uint64_t different;    // rows found with another value
	uint64_t copies;       // rows stored more often than the corpus has them: a retry, or a
			       // second run
	uint64_t surplus;      // rows that are not expected: foreign, or beyond a limit
	unsigned texts;
	char text[CHECK_TEXTS][CHECK_TEXT_SIZE];
};

// OK when the comparison was made, whatever it found.
enum status check_run(const struct check_options *o, struct log *log,
		      struct check_report *report, struct err *e) MUST_CHECK;

#endif
