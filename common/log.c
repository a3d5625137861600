// SPDX-License-Identifier: Apache-2.0
// Notes and progress on stderr. Used from one thread; a refused write to stderr has nowhere to
// be told and is ignored.
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 1024
#define TERMINAL_COLUMNS 79 // a line that wraps cannot be rewritten
#define TERMINAL_PERIOD_NS (NS_PER_S / 5)
#define PLAIN_PERIOD_NS (10 * NS_PER_S)

void log_init(struct log *l, const char *program, bool quiet)
{
	*l = (struct log){
		.program = program, .quiet = quiet, .is_terminal = isatty(STDERR_FILENO) == 1};
}

void log_note(struct log *l, const char *fmt, ...)
{
	char text[LINE_SIZE];
	va_list ap;

	log_progress_end(l);
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	fprintf(stderr, "%s: %s\n", l->program, text);
}

void log_progress(struct log *l, int64_t now_ns, const char *fmt, ...)
{
	char text[LINE_SIZE];
	va_list ap;

	if (l->quiet)
		return;
	if (l->is_terminal) {
		if (l->line_open && now_ns - l->last_ns < TERMINAL_PERIOD_NS)
			return;
	} else if (l->last_ns == 0) {
		l->last_ns = now_ns; // runs shorter than the period stay silent
		return;
	} else if (now_ns - l->last_ns < PLAIN_PERIOD_NS) {
		return;
	}
	l->last_ns = now_ns;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	if (l->is_terminal) {
		size_t name = strlen(l->program) + 2;
		int room = (int)(name < TERMINAL_COLUMNS ? TERMINAL_COLUMNS - name : 0);

		// The sequence clears the rest of the line.
		fprintf(stderr, "\r%s: %.*s\033[K", l->program, room, text);
		l->line_open = true;
	} else {
		fprintf(stderr, "%s: %s\n", l->program, text);
	}
}

void log_progress_end(struct log *l)
{
	if (l->line_open)
		fputc('\n', stderr);
	l->line_open = false;
}
