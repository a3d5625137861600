// SPDX-License-Identifier: Apache-2.0
// Fills and prefixes the error record. Prints nothing: that is left to the mains.
#include "common/err.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

// Texts hold file names and bytes of servers; whatever those contain, a message stays one line.
static void make_one_line(char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			*text = ' ';
	}
}

static void format_text(char out[ERR_TEXT_SIZE], const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

static void format_text(char out[ERR_TEXT_SIZE], const char *fmt, va_list ap)
{
	if (vsnprintf(out, ERR_TEXT_SIZE, fmt, ap) < 0)
		out[0] = '\0';
	make_one_line(out);
}

enum status err_set(struct err *e, enum status code, const char *fmt, ...)
{
	char text[ERR_TEXT_SIZE]; // an argument may point into e->text
	va_list ap;

	if (e == NULL)
		return code;
	va_start(ap, fmt);
	format_text(text, fmt, ap);
	va_end(ap);
	e->code = code;
	e->sys_errno = 0;
	e->offset = ERR_NO_OFFSET;
	memcpy(e->text, text, sizeof(text));
	return code;
}

enum status err_set_errno(struct err *e, enum status code, int sys_errno, const char *fmt, ...)
{
	char text[ERR_TEXT_SIZE];
	char reason[128];
	size_t room;
	va_list ap;

	if (e == NULL)
		return code;
	va_start(ap, fmt);
	format_text(text, fmt, ap);
	va_end(ap);
	if (strerror_r(sys_errno, reason, sizeof(reason)) != 0)
		snprintf(reason, sizeof(reason), "errno %d", sys_errno);
	// The reason is worth more than the end of a long name.
	room = ERR_TEXT_SIZE - strlen(reason) - sizeof(": ");
	e->code = code;
	e->sys_errno = sys_errno;
	e->offset = ERR_NO_OFFSET;
	snprintf(e->text, ERR_TEXT_SIZE, "%.*s: %s", (int)room, text, reason);
	return code;
}

enum status err_prefix(struct err *e, const char *fmt, ...)
{
	char context[ERR_TEXT_SIZE];
	size_t head, tail;
	va_list ap;

	assert(e != NULL); // without a record the status to return is unknown
	if (e->code == OK)
		return OK;
	va_start(ap, fmt);
	format_text(context, fmt, ap);
	va_end(ap);
	// A cause is worth more than the end of a long context, of which a quarter of the line
	// is kept.
	head = strlen(context);
	tail = strlen(e->text);
	if (head + 2 + tail >= ERR_TEXT_SIZE && head > ERR_TEXT_SIZE / 4)
		head = tail < ERR_TEXT_SIZE * 3 / 4 - 2 ? ERR_TEXT_SIZE - 3 - tail
							: ERR_TEXT_SIZE / 4;
	if (head + 2 + tail >= ERR_TEXT_SIZE)
		tail = ERR_TEXT_SIZE - 3 - head;
	memmove(e->text + head + 2, e->text, tail);
	e->text[head + 2 + tail] = '\0';
	memcpy(e->text + head, ": ", 2);
	memcpy(e->text, context, head);
	return e->code;
}

const char *status_text(enum status s)
{
	static const char *const texts[] = {
#define X(name, text, exit) text,
		STATUS_LIST(X)
#undef X
	};

	return (size_t)s < ARRAY_LEN(texts) ? texts[s] : "unknown status";
}

int status_exit_code(enum status s)
{
	static const int codes[] = {
#define X(name, text, exit) exit,
		STATUS_LIST(X)
#undef X
	};

	return (size_t)s < ARRAY_LEN(codes) ? codes[s] : 1;
}
