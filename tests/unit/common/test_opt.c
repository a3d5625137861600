// SPDX-License-Identifier: Apache-2.0
// Unit tests of common/opt: every type and every way to get it wrong, help text, times.
#include "tests/unit/common/unit.h"

#include "common/opt.h"
#include "common/rng.h"

struct values {
	bool quiet;
	const char *out;
	uint64_t rows, wait_ms;
	uint32_t errors;
	int model;
	const char *tag;
	bool rows_given, model_given;
};

#define TABLE(v)                                                                               \
	{                                                                                      \
		{"quiet", OPT_FLAG, &(v)->quiet, 0, 0, NULL, "No progress.", NULL, false},     \
			{"output", OPT_STRING,	       &(v)->out, 0,	0,                     \
			 "DIR",	   "Folder to write.", NULL,	  false},                      \
			{"rows", OPT_U64, &(v)->rows,	    1,	  1000000,                     \
			 "N",	 "Rows.", &(v)->rows_given, false},                            \
			{"wait", OPT_DURATION,	      &(v)->wait_ms, 10,   3600000,            \
			 "TIME", "How long to wait.", NULL,	     false},                   \
			{"errors", OPT_PERCENT,	       &(v)->errors, 0,	   50000,              \
			 "P",	   "Share of errors.", NULL,	     false},                   \
			{"model", OPT_CHOICE,	       &(v)->model,    0,                      \
			 0,	  "stream|trace|both", "Which model.", &(v)->model_given,      \
			 false},                                                               \
			{"tag", OPT_STRING, &(v)->tag, 0, 0, "TAG", "A tag.", NULL, true},     \
			{.name = NULL},                                                        \
	}

#define MAX_WORDS 16

struct parsed {
	struct values v;
	char *argv[MAX_WORDS]; // changed by opt_parse
	char words[400];       // what argv points into
	int nargs;
	bool help, version;
	struct err e;
};

// Parses `line`, split at blanks ('_' stands for a blank inside a word).
static enum status parse(struct parsed *p, const char *line)
{
	const struct opt table[] = TABLE(&p->v);
	int argc = 1;
	char *c;

	memset(p, 0, sizeof(*p));
	p->v.rows = 7;
	p->v.rows_given = true; // cleared by the call
	snprintf(p->words, sizeof(p->words), "prog %s", line);
	p->argv[0] = p->words;
	for (c = p->words; *c != '\0'; c++) {
		if (*c == ' ') {
			*c = '\0';
			assert_true(argc < MAX_WORDS);
			if (c[1] != '\0')
				p->argv[argc++] = c + 1;
		}
	}
	return opt_parse(table, argc, p->argv, &p->nargs, &p->help, &p->version, &p->e);
}

static void test_all_types(void **state)
{
	struct parsed p;

	(void)state;
	assert_ok(parse(&p, "--quiet one --output d --rows=250k --wait 90s --errors 0.125 two "
			    "--model both -"),
		  p.e);
	assert_true(p.v.quiet && p.v.rows_given && p.v.model_given);
	assert_string_equal(p.v.out, "d");
	assert_int_equal(p.v.rows, 250000);
	assert_int_equal(p.v.wait_ms, 90000);
	assert_int_equal(p.v.errors, 125);
	assert_int_equal(p.v.model, 2);
	assert_int_equal(p.nargs, 3);
	assert_string_equal(p.argv[0], "one");
	assert_string_equal(p.argv[1], "two");
	assert_string_equal(p.argv[2], "-");
	assert_false(p.help || p.version);
}

static void test_defaults_and_words(void **state)
{
	struct parsed p;

	(void)state;
	assert_ok(parse(&p, ""), p.e);
	assert_int_equal(p.nargs, 0);
	assert_int_equal(p.v.rows, 7);
	assert_false(p.v.rows_given);
	assert_ok(parse(&p, "a -- --rows --bogus --"), p.e);
	assert_int_equal(p.nargs, 4);
	assert_string_equal(p.argv[3], "--");
	assert_ok(parse(&p, "--output="), p.e);
	assert_string_equal(p.v.out, "");
	assert_ok(parse(&p, "--output=--x=y"), p.e);
	assert_string_equal(p.v.out, "--x=y");
	assert_ok(parse(&p, "--output -5"), p.e);
	assert_string_equal(p.v.out, "-5");
	assert_ok(parse(&p, "--tag a --tag b"), p.e); // multi: the last one counts
	assert_string_equal(p.v.tag, "b");
}

static void test_help_version(void **state)
{
	struct parsed p;

	(void)state;
	assert_ok(parse(&p, "--help"), p.e);
	assert_true(p.help && !p.version);
	assert_ok(parse(&p, "--rows 3 --version --bogus"), p.e); // nothing behind it matters
	assert_true(p.version && !p.help);
	assert_ok(parse(&p, "-- --help"), p.e);
	assert_false(p.help);
	assert_int_equal(p.nargs, 1);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *line;
		const char *message;
	} cases[] = {
		// names
		{"--row 3", "unknown option --row; did you mean --rows?"},
		{"--rwos=3", "unknown option --rwos; did you mean --rows?"},
		{"--out d", "unknown option --out; did you mean --output?"},
		{"--hlep", "unknown option --hlep; did you mean --help?"},
		{"--versoin", "unknown option --versoin; did you mean --version?"},
		{"-rows", "unknown option -rows; did you mean --rows?"},
		{"--frobnicate", "unknown option --frobnicate; --help lists all"},
		{"-x", "unknown option -x; --help lists all"},
		{"--=3", "unknown option --; --help lists all"},
		// presence
		{"--rows 1 --rows 2", "--rows is given twice"},
		{"--quiet --quiet", "--quiet is given twice"},
		{"--quiet=yes", "--quiet takes no value, but 'yes' is given"},
		{"--rows", "--rows needs a value: N"},
		{"--model", "--model needs a value: stream|trace|both"},
		{"--output --quiet",
		 "--output needs a value: DIR (write --output=--quiet if that is the value)"},
		// values
		{"--rows x", "--rows: 'x' is not a whole number (suffixes k M G allowed); "
			     "expected 1..1000000"},
		{"--rows=", "--rows: '' is not a whole number (suffixes k M G allowed); "
			    "expected 1..1000000"},
		{"--rows -5", "--rows: '-5' is not a whole number (suffixes k M G allowed); "
			      "expected 1..1000000"},
		{"--rows 5K", "--rows: '5K' is not a whole number (suffixes k M G allowed); "
			      "expected 1..1000000"},
		{"--rows 1.5M",
		 "--rows: '1.5M' is not a whole number (suffixes k M G allowed); "
		 "expected 1..1000000"},
		{"--rows 0", "--rows: 0 is out of range; expected 1..1000000"},
		{"--rows 2M", "--rows: 2M is out of range; expected 1..1000000"},
		{"--rows 18446744073709551617",
		 "--rows: 18446744073709551617 is out of range; expected 1..1000000"},
		{"--wait 5",
		 "--wait: '5' is not a duration (a whole number with a unit: ms s m h d); "
		 "expected 10ms..1h"},
		{"--wait 9ms", "--wait: 9ms is out of range; expected 10ms..1h"},
		{"--wait 2h", "--wait: 2h is out of range; expected 10ms..1h"},
		{"--errors 50.001", "--errors: 50.001 is out of range; expected 0..50"},
		{"--errors 5%", "--errors: '5%' is not a percentage (a number with at most 3 "
				"decimals, no sign); "
				"expected 0..50"},
		{"--errors 1.2345", "--errors: '1.2345' is not a percentage (a number with at "
				    "most 3 decimals, no sign); "
				    "expected 0..50"},
		{"--model strea", "--model: 'strea' is not one of stream|trace|both"},
		{"--model stream|trace",
		 "--model: 'stream|trace' is not one of stream|trace|both"},
		{"--model=", "--model: '' is not one of stream|trace|both"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct parsed p;

		assert_fails(parse(&p, cases[i].line), p.e, ERR_USAGE, cases[i].message);
		assert_int_equal(p.v.model, 0);
	}
}

static void test_u64(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{"0", 0},
		{"7", 7},
		{"007", 7},
		{"3k", 3000},
		{"3M", 3000000},
		{"3G", UINT64_C(3000000000)},
		{"18446744073709551615", UINT64_MAX},
		{"18446744073G", UINT64_C(18446744073000000000)},
	};
	static const char *const large[] = {"18446744073709551616", "18446744074G",
					    "99999999999999999999k"};
	static const char *const bad[] = {"",  " 1",  "1 ",  "+1",   "-0",
					  "k", "1kk", "1e3", "0x10", "1T"};
	struct err e = {0};
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++) {
		assert_ok(parse_u64(good[i].text, 0, UINT64_MAX, "n", &v, &e), e);
		assert_true(v == good[i].value);
	}
	v = 77;
	for (i = 0; i < ARRAY_LEN(large); i++) {
		char text[200];

		snprintf(text, sizeof(text), "n: %s is out of range; expected at least 0",
			 large[i]);
		assert_fails(parse_u64(large[i], 0, UINT64_MAX, "n", &v, &e), e, ERR_USAGE,
			     text);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		char text[200];

		snprintf(
			text, sizeof(text),
			"n: '%s' is not a whole number (suffixes k M G allowed); expected 0..9",
			bad[i]);
		assert_fails(parse_u64(bad[i], 0, 9, "n", &v, &e), e, ERR_USAGE, text);
	}
	assert_int_equal(v, 77); // untouched by failures
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {
		{"0s", 0},	{"1ms", 1},	  {"250ms", 250},    {"2s", 2000},
		{"3m", 180000}, {"4h", 14400000}, {"5d", 432000000}, {"0d", 0},
	};
	static const char *const bad[] = {"",	 "0",	 "5",	  "s",	 "1S",
					  "1 s", "1.5s", "1h30m", "1us", "-1s"};
	struct err e = {0};
	uint64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++) {
		assert_ok(parse_duration_ms(good[i].text, 0, UINT64_MAX, "t", &ms, &e), e);
		assert_true(ms == good[i].ms);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		char text[200];

		snprintf(text, sizeof(text),
			 "t: '%s' is not a duration (a whole number with a unit: ms s m h d); "
			 "expected 0ms..1d",
			 bad[i]);
		assert_fails(parse_duration_ms(bad[i], 0, 86400000, "t", &ms, &e), e, ERR_USAGE,
			     text);
	}
	assert_fails(parse_duration_ms("213503982335d", 1500, UINT64_MAX, "t", &ms, &e), e,
		     ERR_USAGE, "t: 213503982335d is out of range; expected at least 1500ms");
}

static void test_percent(void **state)
{
	static const struct {
		const char *line;
		uint32_t value;
	} good[] = {
		{"--errors 0", 0},	 {"--errors 5", 5000},	   {"--errors 5.", 1},
		{"--errors 0.001", 1},	 {"--errors 12.5", 12500}, {"--errors 50.000", 50000},
		{"--errors 00.10", 100}, {"--errors .5", 1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++) {
		struct parsed p;
		enum status st = parse(&p, good[i].line);

		if (strchr(good[i].line, '.') != NULL && good[i].value == 1 &&
		    strstr(good[i].line, "0.001") == NULL) {
			assert_int_equal(st, ERR_USAGE); // a point needs digits on both sides
			continue;
		}
		assert_ok(st, p.e);
		assert_int_equal(p.v.errors, good[i].value);
	}
}

static void test_help_text(void **state)
{
	struct values v;
	const struct opt table[] = {
		{"quiet", OPT_FLAG, &v.quiet, 0, 0, NULL, "No progress.", NULL, false},
		{"rows", OPT_U64, &v.rows, 1, 1000000, "N", "Rows.", NULL, false},
		{"wait", OPT_DURATION, &v.wait_ms, 1500, UINT64_MAX, "TIME", "Wait.", NULL,
		 false},
		{"errors", OPT_PERCENT, &v.errors, 500, 50000, "P", "Share.", NULL, false},
		{"any", OPT_U64, &v.rows, 0, UINT64_MAX, "N", "Any number.", NULL, false},
		{"a-name-that-is-long", OPT_CHOICE, &v.model, 0, 0, "stream|trace|both",
		 "A sentence that is so long that it does not fit into the rest of the line "
		 "and is broken "
		 "between words.",
		 NULL, false},
		{.name = NULL},
	};
	char text[2000];
	FILE *out = tmpfile();
	size_t size;

	(void)state;
	assert_non_null(out);
	opt_help(table, out);
	rewind(out);
	size = fread(text, 1, sizeof(text) - 1, out);
	text[size] = '\0';
	fclose(out);
	assert_string_equal(
		text, "  --quiet                     No progress.\n"
		      "  --rows N                    Rows. [1..1000000]\n"
		      "  --wait TIME                 Wait. [at least 1500ms]\n"
		      "  --errors P                  Share. [0.5..50]\n"
		      "  --any N                     Any number.\n"
		      "  --a-name-that-is-long stream|trace|both\n"
		      "                              A sentence that is so long that it does "
		      "not fit into the rest of\n"
		      "                              the line and is broken between words.\n"
		      "  --help                      Print this help and exit.\n"
		      "  --version                   Print the version and exit.\n");
}

static void test_epoch_known(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		// expected values from date(1)
		{"1970-01-01T00:00:00Z", 0},
		{"1969-12-31T23:59:59.999Z", -1},
		{"2026-11-25T10:00:00Z", INT64_C(1795600800000)},
		{"2026-11-25T10:00:00.5Z", INT64_C(1795600800500)},
		{"2026-11-25T10:00:00.25Z", INT64_C(1795600800250)},
		{"2026-11-25T10:00:00.007Z", INT64_C(1795600800007)},
		{"2026-11-25T11:30:00+01:30", INT64_C(1795600800000)},
		{"2026-11-25T02:00:00-08:00", INT64_C(1795600800000)},
		{"2026-11-25T10:00:00-00:00", INT64_C(1795600800000)},
		{"2026-11-26T00:00:00+14:00", INT64_C(1795600800000)},
		{"2000-02-29T00:00:00Z", INT64_C(951782400000)},
		{"2024-02-29T12:00:00Z", INT64_C(1709208000000)},
		{"2100-03-01T00:00:00Z", INT64_C(4107542400000)},
		{"1900-03-01T00:00:00Z", INT64_C(-2203891200000)},
		{"0001-01-01T00:00:00Z", INT64_C(-62135596800000)},
		{"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
		{"1795600800123", INT64_C(1795600800123)},
		{"-1", -1},
		{"0", 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};
		int64_t ms = 42;

		assert_ok(parse_epoch_ms(cases[i].text, &ms, &e), e);
		if (ms != cases[i].ms)
			fail_msg("%s: %lld", cases[i].text, (long long)ms);
	}
}

static void test_epoch_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"now",
		"2026-11-25",
		"2026-11-25T10:00:00", // no offset
		"2026-11-25 10:00:00Z",
		"2026-11-25T10:00Z",
		"2026-11-25T10:00:00z",
		"2026-11-25T10:00:00.Z",
		"2026-11-25T10:00:00.1234Z", // finer than a ms
		"2026-11-25T10:00:00Zx",
		"2026-11-25T10:00:00+1:00",
		"2026-11-25T10:00:00+0100",
		"2026-11-25T10:00:00+24:00",
		"2026-11-25T10:00:00+01:60",
		"2026-11-25T24:00:00Z",
		"2026-11-25T10:60:00Z",
		"2026-11-25T10:00:60Z",
		"2026-13-01T10:00:00Z",
		"2026-00-01T10:00:00Z",
		"2026-11-00T10:00:00Z",
		"2026-11-31T10:00:00Z",
		"2026-02-29T10:00:00Z",
		"2100-02-29T10:00:00Z",
		"0000-01-01T00:00:00Z",
		"+5",
		"1.5",
		"--5",
		"5k",
	};
	static const char *const far[] = {
		"9223372036854775807",	    "9223372036854775808",
		"253402300800000",	    "-62135596800001",
		"99999999999999999999999",  "0001-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01"};
	struct err e = {0};
	int64_t ms = 42;
	char text[300];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text),
			 "'%s' is not a time; expected one like 2026-11-25T10:00:00Z, "
			 "2026-11-25T11:00:00.250+01:00, or ms since 1970",
			 bad[i]);
		assert_fails(parse_epoch_ms(bad[i], &ms, &e), e, ERR_USAGE, text);
	}
	for (i = 0; i < ARRAY_LEN(far); i++) {
		snprintf(text, sizeof(text),
			 "%s is out of range; expected a time in the years 0001 to 9999",
			 far[i]);
		assert_fails(parse_epoch_ms(far[i], &ms, &e), e, ERR_USAGE, text);
	}
	assert_int_equal(ms, 42);
}

static void test_epoch_round_trip(void **state)
{
	const int64_t low = INT64_C(-62135596800000), high = INT64_C(253402300799999);
	struct err e = {0};
	char text[32];
	int64_t back;
	uint64_t i;

	(void)state;
	format_rfc3339_ms(INT64_C(1795600800007), text);
	assert_string_equal(text, "2026-11-25T10:00:00.007Z");
	format_rfc3339_ms(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999Z");
	format_rfc3339_ms(INT64_MIN, text); // outlandish years still fit
	assert_string_equal(text, "-292275055-05-16T16:47:04.192Z");
	format_rfc3339_ms(INT64_MAX, text);
	assert_string_equal(text, "292278994-08-17T07:12:55.807Z");
	for (i = 0; i < 50000; i++) {
		int64_t ms = low + (int64_t)(rng_draw(4, i) % (uint64_t)(high - low + 1));

		format_rfc3339_ms(ms, text);
		assert_ok(parse_epoch_ms(text, &back, &e), e);
		assert_true(back == ms);
	}
	// every day of 400 years, which is all leap years there are
	for (i = 0; i < 146097; i++) {
		int64_t ms = (int64_t)i * 86400000;

		format_rfc3339_ms(ms, text);
		assert_ok(parse_epoch_ms(text, &back, &e), e);
		assert_true(back == ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_types),
		cmocka_unit_test(test_defaults_and_words),
		cmocka_unit_test(test_help_version),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_help_text),
		cmocka_unit_test(test_epoch_known),
		cmocka_unit_test(test_epoch_refused),
		cmocka_unit_test(test_epoch_round_trip),
	};

	return cmocka_run_group_tests_name("opt", tests, NULL, NULL);
}
