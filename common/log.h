// SPDX-License-Identifier: Apache-2.0
// Messages for people on stderr: one-line notes and a progress line that rewrites itself on a
// terminal and prints a line every 10 s elsewhere. stdout belongs to results.
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/base.h"

// program: name printed in front, borrowed for the whole run.
struct log {
	const char *program;
	bool quiet;	  // no progress, notes still printed
	bool is_terminal; // stderr
	bool line_open;	  // a progress line stands unfinished on the terminal
	int64_t last_ns;  // monotonic time of the last progress output
};

void log_init(struct log *l, const char *program, bool quiet);
void log_note(struct log *l, const char *fmt, ...) PRINTF_LIKE(2, 3); // "program: text\n"
// Rate-limited (5 per s on a terminal, one per 10 s elsewhere). now_ns: monotonic.
void log_progress(struct log *l, int64_t now_ns, const char *fmt, ...) PRINTF_LIKE(3, 4);
void log_progress_end(struct log *l); // leaves the last progress line finished with a newline

#endif
