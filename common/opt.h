// SPDX-License-Identifier: Apache-2.0
// Option tables: one table drives parsing, range checks, --help and the man-page test.
#ifndef COMMON_OPT_H
#define COMMON_OPT_H

#include "common/err.h"

enum opt_type {
	OPT_FLAG,     // bool *
	OPT_STRING,   // const char **, borrowed from argv
	OPT_U64,      // uint64_t *, suffixes k M G (powers of 1000) accepted, min..max checked
	OPT_DURATION, // uint64_t * in ms; needs a unit: ms s m h d
	OPT_PERCENT,  // uint32_t * in 1/1000 percent: "5" = 5000, "0.125" = 125
	OPT_CHOICE,   // int *, index into choices ("a|b|c")
};

struct opt {
	const char *name; // without dashes; NULL ends the table
	enum opt_type type;
	void *value;	   // where the parsed value goes; keeps its default when not given
	uint64_t min, max; // OPT_U64, OPT_DURATION (ms), OPT_PERCENT
	const char *meta;  // "N", "DIR", "HOST:PORT"; for OPT_CHOICE the choices
	const char *help;  // one sentence with unit and default
	bool *given;	   // may be NULL; set when the option occurred
	bool multi; // may occur more than once (the last one counts); otherwise twice is an
		    // error
};

// Parses argv[1..] against the table. Accepts --name VALUE and --name=VALUE, "--" ends options,
// words that are not options are moved to the front of argv and counted in *nargs
// (argv[0..*nargs-1]). "--help" and "--version" set *help / *version. ERR_USAGE with one line
// that names the option, its range and, for an unknown one, the nearest known name.
enum status opt_parse(const struct opt *table, int argc, char **argv, int *nargs, bool *help,
		      bool *version, struct err *e) MUST_CHECK;
// Prints the table as aligned help lines to `out` (FILE * as void so that headers stay small).
void opt_help(const struct opt *table, void *out);

// The parsers, for use outside tables. Whole string must be consumed.
enum status parse_u64(const char *s, uint64_t min, uint64_t max, const char *what,
		      uint64_t *out, struct err *e) MUST_CHECK;
// In 1/1000 percent, as OPT_PERCENT. max <= UINT32_MAX.
enum status parse_percent(const char *s, uint64_t min, uint64_t max, const char *what,
			  uint32_t *out, struct err *e) MUST_CHECK;
enum status parse_duration_ms(const char *s, uint64_t min, uint64_t max, const char *what,
			      uint64_t *out, struct err *e) MUST_CHECK;
// "2026-11-25T10:00:00Z", with optional .fff and numeric offset, or an integer of ms since
// 1970. -> ms since 1970.
enum status parse_epoch_ms(const char *s, int64_t *out, struct err *e) MUST_CHECK;
// ms since 1970 -> "2026-11-25T10:00:00.000Z"; out has room for 32 bytes.
void format_rfc3339_ms(int64_t epoch_ms, char out[32]);

#endif
