// SPDX-License-Identifier: Apache-2.0
// Option tables, value parsers and RFC 3339 times. Whether options go together is left to the
// programs.
#include "common/opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define HELP_COLUMN 30 // where help texts begin
#define HELP_WIDTH 96

// --- values ---

struct unit {
	const char *suffix;
	uint64_t factor;
};

// Largest first: the first that divides a value exactly prints it.
static const struct unit count_units[] = {
	{"G", 1000000000}, {"M", 1000000}, {"k", 1000}, {"", 1}};
static const struct unit duration_units[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

enum scan { SCAN_OK, SCAN_OVERFLOW, SCAN_BAD };

// Decimal digits at *s; *s moves behind them. An overflow still consumes all digits.
static enum scan scan_digits(const char **s, uint64_t *out)
{
	enum scan result = SCAN_OK;
	uint64_t v = 0;

	if (**s < '0' || **s > '9')
		return SCAN_BAD;
	for (; **s >= '0' && **s <= '9'; (*s)++) {
		if (!u64_mul(v, 10, &v) || !u64_add(v, (uint64_t)(**s - '0'), &v))
			result = SCAN_OVERFLOW;
	}
	*out = v;
	return result;
}

static enum scan scan_with_unit(const char *s, const struct unit *units, size_t unit_count,
				uint64_t *out)
{
	enum scan result = scan_digits(&s, out);
	size_t i;

	if (result == SCAN_BAD)
		return SCAN_BAD;
	for (i = 0; i < unit_count; i++) {
		if (strcmp(s, units[i].suffix) == 0)
			return result == SCAN_OK && u64_mul(*out, units[i].factor, out)
				       ? SCAN_OK
				       : SCAN_OVERFLOW;
	}
	return SCAN_BAD;
}

// Thousandths: up to three digits after the point.
static enum scan scan_thousandths(const char *s, uint64_t *out)
{
	enum scan result = scan_digits(&s, out);
	uint64_t unit = 1000, fraction = 0;

	if (result == SCAN_BAD)
		return SCAN_BAD;
	if (*s == '.') {
		if (s[1] == '\0')
			return SCAN_BAD;
		for (s++; *s >= '0' && *s <= '9'; s++) {
			unit /= 10;
			if (unit == 0)
				return SCAN_BAD;
			fraction += (uint64_t)(*s - '0') * unit;
		}
	}
	if (*s != '\0')
		return SCAN_BAD;
	if (result != SCAN_OK || !u64_mul(*out, 1000, out) || !u64_add(*out, fraction, out))
		return SCAN_OVERFLOW;
	return SCAN_OK;
}

#define NUMBER_SIZE 32

static void print_number(char out[NUMBER_SIZE], enum opt_type type, uint64_t v)
{
	size_t i = 0;

	if (type == OPT_DURATION) {
		while (i + 1 < ARRAY_LEN(duration_units) &&
		       (v == 0 || v % duration_units[i].factor != 0))
			i++;
		snprintf(out, NUMBER_SIZE, "%llu%s",
			 (unsigned long long)(v / duration_units[i].factor),
			 duration_units[i].suffix);
	} else if (type == OPT_PERCENT && v % 1000 != 0) {
		int n = snprintf(out, NUMBER_SIZE, "%llu.%03llu",
				 (unsigned long long)(v / 1000),
				 (unsigned long long)(v % 1000));

		while (n > 0 && out[n - 1] == '0')
			out[--n] = '\0';
	} else {
		snprintf(out, NUMBER_SIZE, "%llu",
			 (unsigned long long)(type == OPT_PERCENT ? v / 1000 : v));
	}
}

#define RANGE_SIZE (2 * NUMBER_SIZE + 16)

static void print_range(char out[RANGE_SIZE], enum opt_type type, uint64_t min, uint64_t max)
{
	char low[NUMBER_SIZE], high[NUMBER_SIZE];

	print_number(low, type, min);
	print_number(high, type, max);
	if (max == UINT64_MAX)
		snprintf(out, RANGE_SIZE, "at least %s", low);
	else
		snprintf(out, RANGE_SIZE, "%s..%s", low, high);
}

static enum status parse_number(const char *s, enum opt_type type, uint64_t min, uint64_t max,
				const char *what, uint64_t *out, struct err *e)
{
	const char *form = "a whole number (suffixes k M G allowed)";
	char range[RANGE_SIZE];
	uint64_t v = 0;
	enum scan result;

	if (type == OPT_DURATION) {
		form = "a duration (a whole number with a unit: ms s m h d)";
		result = scan_with_unit(s, duration_units, ARRAY_LEN(duration_units), &v);
	} else if (type == OPT_PERCENT) {
		form = "a percentage (a number with at most 3 decimals, no sign)";
		result = scan_thousandths(s, &v);
	} else {
		result = scan_with_unit(s, count_units, ARRAY_LEN(count_units), &v);
	}
	print_range(range, type, min, max);
	if (result == SCAN_BAD)
		return err_set(e, ERR_USAGE, "%s: '%s' is not %s; expected %s", what, s, form,
			       range);
	if (result == SCAN_OVERFLOW || v < min || v > max)
		return err_set(e, ERR_USAGE, "%s: %s is out of range; expected %s", what, s,
			       range);
	*out = v;
	return OK;
}

enum status parse_u64(const char *s, uint64_t min, uint64_t max, const char *what,
		      uint64_t *out, struct err *e)
{
	return parse_number(s, OPT_U64, min, max, what, out, e);
}

enum status parse_duration_ms(const char *s, uint64_t min, uint64_t max, const char *what,
			      uint64_t *out, struct err *e)
{
	return parse_number(s, OPT_DURATION, min, max, what, out, e);
}

enum status parse_percent(const char *s, uint64_t min, uint64_t max, const char *what,
			  uint32_t *out, struct err *e)
{
	uint64_t v = 0;
	enum status st =
		parse_number(s, OPT_PERCENT, min, u64_min(max, UINT32_MAX), what, &v, e);

	if (st == OK)
		*out = (uint32_t)v;
	return st;
}

// --- tables ---

// Edits (insert, delete, replace a byte) that turn a into b; names are short, so longer ones
// count as far away.
static size_t edit_distance(struct view a, struct view b)
{
	size_t row[64];
	size_t i, j;

	if (a.size >= ARRAY_LEN(row) || b.size >= ARRAY_LEN(row))
		return SIZE_MAX;
	for (j = 0; j <= b.size; j++)
		row[j] = j;
	for (i = 1; i <= a.size; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (j = 1; j <= b.size; j++) {
			size_t best = diagonal + (a.data[i - 1] != b.data[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[b.size];
}

// How far `known` is from what was typed; a beginning of it ("out" for "output") counts as one
// edit.
static size_t name_distance(struct view typed, struct view known)
{
	if (typed.size >= 2 && typed.size < known.size &&
	    memcmp(typed.data, known.data, typed.size) == 0)
		return 1;
	return edit_distance(typed, known);
}

static const char *nearest_name(const struct opt *table, struct view typed)
{
	static const char *const builtin[] = {"help", "version"};
	size_t best = 2 + typed.size / 3; // further away is no help
	const char *nearest = NULL;
	const struct opt *o;
	size_t i, d;

	for (o = table; o->name != NULL; o++) {
		d = name_distance(typed, view_of(o->name));
		if (d < best) {
			best = d;
			nearest = o->name;
		}
	}
	for (i = 0; i < ARRAY_LEN(builtin); i++) {
		d = name_distance(typed, view_of(builtin[i]));
		if (d < best) {
			best = d;
			nearest = builtin[i];
		}
	}
	return nearest;
}

static enum status unknown_option(const struct opt *table, const char *word, struct err *e)
{
	const char *name = word + strspn(word, "-");
	struct view typed = {name, strcspn(name, "=")};
	const char *nearest = nearest_name(table, typed);
	int shown = (int)strcspn(word, "=");

	if (nearest != NULL)
		return err_set(e, ERR_USAGE, "unknown option %.*s; did you mean --%s?", shown,
			       word, nearest);
	return err_set(e, ERR_USAGE, "unknown option %.*s; --help lists all", shown, word);
}

static enum status parse_choice(const char *s, const char *choices, const char *what, int *out,
				struct err *e)
{
	struct view given = view_of(s);
	const char *p = choices;
	int index;

	for (index = 0;; index++) {
		struct view choice = {p, strcspn(p, "|")};

		if (view_equal(given, choice)) {
			*out = index;
			return OK;
		}
		if (p[choice.size] == '\0')
			break;
		p += choice.size + 1;
	}
	return err_set(e, ERR_USAGE, "%s: '%s' is not one of %s", what, s, choices);
}

static enum status store_value(const struct opt *o, const char *text, struct err *e)
{
	char what[80];

	snprintf(what, sizeof(what), "--%s", o->name);
	switch (o->type) {
	case OPT_FLAG:
		*(bool *)o->value = true;
		return OK;
	case OPT_STRING:
		*(const char **)o->value = text;
		return OK;
	case OPT_U64:
	case OPT_DURATION:
		return parse_number(text, o->type, o->min, o->max, what, o->value, e);
	case OPT_PERCENT:
		return parse_percent(text, o->min, o->max, what, o->value, e);
	case OPT_CHOICE:
		return parse_choice(text, o->meta, what, o->value, e);
	}
	return err_set(e, ERR_USAGE, "%s: the table names no such type", what);
}

static const struct opt *find_option(const struct opt *table, struct view name)
{
	const struct opt *o;

	for (o = table; o->name != NULL; o++) {
		if (view_equal(view_of(o->name), name))
			return o;
	}
	return NULL;
}

// Handles the option at argv[*i], whose value may be the next word: *i then moves on to it.
static enum status parse_option(const struct opt *table, bool *seen, int argc, char **argv,
				int *i, struct err *e)
{
	const char *word = argv[*i];
	struct view name = {word + 2, strcspn(word + 2, "=")};
	const char *value = name.data[name.size] == '=' ? name.data + name.size + 1 : NULL;
	const struct opt *o = strncmp(word, "--", 2) == 0 ? find_option(table, name) : NULL;
	enum status st;

	if (o == NULL)
		return unknown_option(table, word, e);
	if (seen[o - table] && !o->multi)
		return err_set(e, ERR_USAGE, "--%s is given twice", o->name);
	if (o->type == OPT_FLAG && value != NULL)
		return err_set(e, ERR_USAGE, "--%s takes no value, but '%s' is given", o->name,
			       value);
	if (o->type != OPT_FLAG && value == NULL) {
		if (*i + 1 >= argc)
			return err_set(e, ERR_USAGE, "--%s needs a value: %s", o->name,
				       o->meta);
		if (strncmp(argv[*i + 1], "--", 2) == 0)
			return err_set(
				e, ERR_USAGE,
				"--%s needs a value: %s (write --%s=%s if that is the value)",
				o->name, o->meta, o->name, argv[*i + 1]);
		value = argv[++*i];
	}
	st = store_value(o, value, e);
	if (st != OK)
		return st;
	seen[o - table] = true;
	if (o->given != NULL)
		*o->given = true;
	return OK;
}

enum status opt_parse(const struct opt *table, int argc, char **argv, int *nargs, bool *help,
		      bool *version, struct err *e)
{
	enum status st = OK;
	bool only_words = false;
	size_t count = 0;
	bool *seen;
	int i;

	*nargs = 0;
	*help = false;
	*version = false;
	for (; table[count].name != NULL; count++) {
		if (table[count].given != NULL)
			*table[count].given = false;
	}
	seen = mem_zalloc(count, sizeof(*seen));
	for (i = 1; i < argc && st == OK && !*help && !*version; i++) {
		if (only_words || argv[i][0] != '-' || argv[i][1] == '\0')
			argv[(*nargs)++] = argv[i];
		else if (strcmp(argv[i], "--") == 0)
			only_words = true;
		else if (strcmp(argv[i], "--help") == 0)
			*help = true;
		else if (strcmp(argv[i], "--version") == 0)
			*version = true;
		else
			st = parse_option(table, seen, argc, argv, &i, e);
	}
	free(seen);
	return st;
}

// --- help ---

// Words of `text` from column HELP_COLUMN on, broken before HELP_WIDTH. `column`: where the
// line stands.
static void print_wrapped(FILE *out, int column, const char *text)
{
	if (column + 2 > HELP_COLUMN) {
		fputc('\n', out);
		column = 0;
	}
	fprintf(out, "%*s", HELP_COLUMN - column, "");
	column = HELP_COLUMN;
	while (*text != '\0') {
		int size = (int)strcspn(text, " ");
		bool first = column == HELP_COLUMN;

		if (!first && column + 1 + size > HELP_WIDTH) {
			fprintf(out, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
			first = true;
		}
		fprintf(out, "%s%.*s", first ? "" : " ", size, text);
		column += size + !first;
		text += size;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

void opt_help(const struct opt *table, void *out)
{
	const struct opt *o;

	for (o = table; o->name != NULL; o++) {
		bool numeric =
			o->type == OPT_U64 || o->type == OPT_DURATION || o->type == OPT_PERCENT;
		char range[RANGE_SIZE];
		char text[1024];
		int column;

		if (o->type == OPT_FLAG)
			column = fprintf(out, "  --%s", o->name);
		else
			column = fprintf(out, "  --%s %s", o->name, o->meta);
		print_range(range, o->type, o->min, o->max);
		if (numeric && (o->min > 0 || o->max < UINT64_MAX))
			snprintf(text, sizeof(text), "%s [%s]", o->help, range);
		else
			snprintf(text, sizeof(text), "%s", o->help);
		print_wrapped(out, column, text);
	}
	print_wrapped(out, fprintf(out, "  --help"), "Print this help and exit.");
	print_wrapped(out, fprintf(out, "  --version"), "Print the version and exit.");
}

// --- times ---

// Days from 1970-01-01 in the proleptic Gregorian calendar. Eras of 400 years, years that begin
// in March so that the leap day comes last (Hinnant, "chrono-compatible low-level date
// algorithms").
static int64_t days_of_date(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era =
		year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static void date_of_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = yoe + era * 400 + (*month <= 2);
}

#define MS_PER_DAY INT64_C(86400000)
#define EPOCH_MS_MIN INT64_C(-62135596800000) // 0001-01-01T00:00:00.000Z
#define EPOCH_MS_MAX INT64_C(253402300799999) // 9999-12-31T23:59:59.999Z

// Exactly `digits` digits within low..high; *s moves behind them.
static bool scan_field(const char **s, int digits, int64_t low, int64_t high, int64_t *out)
{
	int64_t v = 0;

	for (; digits > 0; digits--, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		v = v * 10 + (**s - '0');
	}
	*out = v;
	return v >= low && v <= high;
}

static bool scan_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static bool scan_date(const char **s, int64_t *days)
{
	static const int64_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t year, month, day, last;

	if (!scan_field(s, 4, 1, 9999, &year) || !scan_char(s, '-') ||
	    !scan_field(s, 2, 1, 12, &month) || !scan_char(s, '-'))
		return false;
	last = month_days[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		last = 29;
	if (!scan_field(s, 2, 1, last, &day))
		return false;
	*days = days_of_date(year, month, day);
	return true;
}

// hh:mm:ss with one to three decimals. Leap seconds (:60) do not exist in ms since 1970.
static bool scan_time(const char **s, int64_t *ms)
{
	int64_t hour, minute, second, fraction = 0, unit = 100;

	if (!scan_field(s, 2, 0, 23, &hour) || !scan_char(s, ':') ||
	    !scan_field(s, 2, 0, 59, &minute) || !scan_char(s, ':') ||
	    !scan_field(s, 2, 0, 59, &second))
		return false;
	if (scan_char(s, '.')) {
		if (**s < '0' || **s > '9')
			return false;
		for (; unit > 0 && **s >= '0' && **s <= '9'; unit /= 10)
			fraction += (*(*s)++ - '0') * unit;
	}
	*ms = ((hour * 60 + minute) * 60 + second) * MS_PER_S + fraction;
	return true;
}

// Z or +hh:mm or -hh:mm, to the end of the string.
static bool scan_offset(const char *s, int64_t *ms)
{
	int64_t sign = *s == '-' ? -1 : 1;
	int64_t hour, minute;

	*ms = 0;
	if (*s == 'Z')
		return s[1] == '\0';
	if (*s != '+' && *s != '-')
		return false;
	s++;
	if (!scan_field(&s, 2, 0, 23, &hour) || !scan_char(&s, ':') ||
	    !scan_field(&s, 2, 0, 59, &minute))
		return false;
	*ms = sign * (hour * 60 + minute) * 60 * MS_PER_S;
	return *s == '\0';
}

static bool scan_rfc3339(const char *s, int64_t *out)
{
	int64_t days, ms, offset_ms;

	if (!scan_date(&s, &days) || !scan_char(&s, 'T') || !scan_time(&s, &ms) ||
	    !scan_offset(s, &offset_ms))
		return false;
	*out = days * MS_PER_DAY + ms - offset_ms;
	return true;
}

static enum scan scan_epoch_integer(const char *s, int64_t *out)
{
	bool negative = scan_char(&s, '-');
	uint64_t v = 0;
	enum scan result = scan_digits(&s, &v);

	if (result == SCAN_BAD || *s != '\0')
		return SCAN_BAD;
	if (result == SCAN_OVERFLOW || v > INT64_MAX)
		return SCAN_OVERFLOW;
	*out = negative ? -(int64_t)v : (int64_t)v;
	return SCAN_OK;
}

enum status parse_epoch_ms(const char *s, int64_t *out, struct err *e)
{
	int64_t ms = 0;
	enum scan result = scan_epoch_integer(s, &ms);

	if (result == SCAN_BAD) {
		if (!scan_rfc3339(s, &ms))
			return err_set(
				e, ERR_USAGE,
				"'%s' is not a time; expected one like 2026-11-25T10:00:00Z, "
				"2026-11-25T11:00:00.250+01:00, or ms since 1970",
				s);
		result = SCAN_OK;
	}
	if (result == SCAN_OVERFLOW || ms < EPOCH_MS_MIN || ms > EPOCH_MS_MAX)
		return err_set(e, ERR_USAGE,
			       "%s is out of range; expected a time in the years 0001 to 9999",
			       s);
	*out = ms;
	return OK;
}

void format_rfc3339_ms(int64_t epoch_ms, char out[32])
{
	int64_t days = epoch_ms / MS_PER_DAY;
	int64_t ms = epoch_ms % MS_PER_DAY;
	int64_t year, month, day;

	if (ms < 0) {
		ms += MS_PER_DAY;
		days--;
	}
	date_of_days(days, &year, &month, &day);
	snprintf(out, 32, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", (long long)year, (int)month,
		 (int)day, (int)(ms / 3600000), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
		 (int)(ms % 1000));
}
