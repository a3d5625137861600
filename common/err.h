// SPDX-License-Identifier: Apache-2.0
// Status codes and the one error record that travels up the call chain.
// The layer that knows what went wrong fills it once; callers may put context in front; only
// mains print it.
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include <stdarg.h>

#include "common/base.h"

// name, text, exit status of a program that ends with it
#define STATUS_LIST(X)                                                                         \
	X(OK, "ok", 0)                                                                         \
	X(ERR_USAGE, "bad usage", 2) /* options or arguments; the user must change the call */ \
	X(ERR_IO, "input/output error", 1) /* the system refused; errno says why */            \
	X(ERR_NOT_FOUND, "not found", 1)   /* file, corpus, schema object */                   \
	X(ERR_EXISTS, "exists already", 1) /* never overwritten */                             \
	X(ERR_FORMAT, "malformed input",                                                       \
	  1)			       /* bytes that break the format; offset says where */    \
	X(ERR_DAMAGED, "damaged", 1)   /* a digest differs */                                  \
	X(ERR_DIFFERS, "different", 1) /* what was compared is not the same */                 \
	X(ERR_VERSION, "unsupported version", 1)                                               \
	X(ERR_LIMIT, "limit exceeded", 1)                                                      \
	X(ERR_NETWORK, "network error", 1) /* server unreachable, reset, timed out */          \
	X(ERR_REMOTE, "server refused", 1) /* it answered, and said no */                      \
	X(ERR_MEMORY, "out of memory", 1)                                                      \
	X(ERR_INVARIANT, "does not hold", 3) /* finished, but a result breaks an invariant */

enum status {
#define X(name, text, exit) name,
	STATUS_LIST(X)
#undef X
		STATUS_COUNT
};

#define ERR_TEXT_SIZE 512

// Null state: all zero. `text` is one line without a newline, truncated to fit.
struct err {
	enum status code;
	int sys_errno;	 // 0 when no system call was involved
	uint64_t offset; // byte offset in the input, or ERR_NO_OFFSET
	char text[ERR_TEXT_SIZE];
};

#define ERR_NO_OFFSET UINT64_MAX

// Fills *e (may be NULL) and returns code, so that a failing function can `return
// err_set(...)`.
enum status err_set(struct err *e, enum status code, const char *fmt, ...) PRINTF_LIKE(3, 4);
// As err_set, appends ": " and the text of `sys_errno`.
enum status err_set_errno(struct err *e, enum status code, int sys_errno, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
// Puts "context: " in front of the text of an error that is already set; returns e->code (OK
// stays OK).
enum status err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *status_text(enum status s);
int status_exit_code(enum status s);

#endif
