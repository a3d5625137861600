// SPDX-License-Identifier: Apache-2.0
// How far a long run over rows is, as one line: share, rates, time left. Pure but for the line
// that it hands to log, which decides whether and where it appears.
#ifndef COMMON_PROGRESS_H
#define COMMON_PROGRESS_H

#include "common/log.h"

struct progress {
	struct log *log;      // borrowed
	const char *verb;     // of the bytes: "stored", "read", "out"; borrowed
	uint64_t rows_all;    // of the whole run
	uint64_t rows_before; // done by an earlier run: part of the share, not of the rates
	int64_t begin_ns;     // monotonic
};

// One line, without the program's name: "37 %, 0:07 left, 3.7M of 10.0M rows, 812.3k rows/s,
// 32.1 MB/s stored". rows: done so far, rows_before included; bytes: moved by this run. Rates
// are those since begin_ns.
#define PROGRESS_TEXT_SIZE 256
void progress_text(const struct progress *p, int64_t now_ns, uint64_t rows, uint64_t bytes,
		   char out[PROGRESS_TEXT_SIZE]);
// The same to log; called as often as convenient.
void progress_show(const struct progress *p, int64_t now_ns, uint64_t rows, uint64_t bytes);

#endif
