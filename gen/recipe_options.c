// SPDX-License-Identifier: Apache-2.0
// The table of content options, their values that are more than a number, and --recipe.
#include "gen/recipe_options.h"

#include <inttypes.h>
#include <string.h>

#include "common/file.h"
#include "gen/plan.h"

#define PERCENT_100 100000u

// ---- Table ---------------------------------------------------------------------------------

// Adds an option to those that may be given; the table entry's `given`.
static bool *note(struct recipe_options *o, const char *name)
{
	uint32_t i = o->option_count++;

	o->option[i].name = name;
	o->option[i].given = false;
	return &o->option[i].given;
}

static struct opt number(struct recipe_options *o, const char *name, uint64_t *value,
			 uint64_t min, uint64_t max, const char *help)
{
	return (struct opt){.name = name,
			    .type = OPT_U64,
			    .value = value,
			    .min = min,
			    .max = max,
			    .meta = "N",
			    .help = help,
			    .given = note(o, name)};
}

static struct opt percent(struct recipe_options *o, const char *name, uint32_t *value,
			  uint64_t max, const char *help)
{
	return (struct opt){.name = name,
			    .type = OPT_PERCENT,
			    .value = value,
			    .max = max,
			    .meta = "PERCENT",
			    .help = help,
			    .given = note(o, name)};
}

static struct opt text(struct recipe_options *o, const char *name, const char **value,
		       const char *meta, const char *help)
{
	return (struct opt){.name = name,
			    .type = OPT_STRING,
			    .value = value,
			    .meta = meta,
			    .help = help,
			    .given = note(o, name)};
}

static struct opt choice(struct recipe_options *o, const char *name, int *value,
			 const char *choices, const char *help)
{
	return (struct opt){.name = name,
			    .type = OPT_CHOICE,
			    .value = value,
			    .meta = choices,
			    .help = help,
			    .given = note(o, name)};
}

// How large it is.
static struct opt *size_table(struct recipe_options *o, struct opt *t)
{
	struct scale_wish *w = &o->wish;

	*t++ = text(o, "recipe", &o->file, "FILE",
		    "Manifest (corpus.json) whose recipe to follow: the same digest anywhere. "
		    "Options "
		    "beside it must say the same.");
	*t++ = choice(o, "scale", &w->scale, SCALE_CHOICES,
		      "Defaults of the counts and the window: small is 100k spans, medium 10M, "
		      "large 1G (small).");
	*t++ = number(o, "seed", &o->seed, 0, INT64_MAX,
		      "Another seed, another corpus of the same shape (1).");
	*t++ = number(o, "spans", &w->spans, 1, UINT64_C(1) << 40,
		      "Rows. Alone it keeps 10 per trace. Fewer than the scale has also shrink "
		      "services, instances and operations, unless one of these is given.");
	*t++ = number(o, "traces", &w->traces, 1, UINT64_C(1) << 36,
		      "Traces, of 8.0 to 33.0 spans on average. Alone it keeps 10 each.");
	*t++ = number(o, "services", &w->services, 1, SERVICES_MAX, "Services.");
	*t++ = number(o, "instances", &w->instances, 1, INSTANCES_MAX,
		      "Instances of all services together (5 per service).");
	*t++ = number(o, "operations", &w->operations, 1, OPERATIONS_MAX, "Operation names.");
	*t++ = (struct opt){
		.name = "window",
		.type = OPT_DURATION,
		.value = &w->window_ms,
		.min = 1000,
		.max = UINT64_C(3650) * 86400000,
		.meta = "TIME",
		.help = "Time over which the starts of the traces are spread (1h, 24h, 7d).",
		.given = note(o, "window")};
	*t++ = number(o, "block-traces", &o->block_traces, 1, GROUP_TRACES,
		      "Traces in a block, a divisor of 10000 (500).");
	return t;
}

// What it is like.
struct opt *recipe_options_table(struct recipe_options *o, struct opt *t)
{
	o->option_count = 0;
	t = size_table(o, t);
	*t++ = text(o, "complexity", &o->complexity, "S/M/C",
		    "Whole percentages of simple (1-5 spans), medium (6-20) and complex "
		    "(21-100) traces "
		    "(20/60/20).");
	*t++ = percent(o, "errors", &o->errors_mpct, PERCENT_100, "Rows in error (5).");
	*t++ = text(o, "zipf-services", &o->zipf_services, "LAW",
		    "Popularity of services: a share (80/20: the top 20 % have 80 % of the "
		    "spans) or "
		    "the exponent of a Zipf law (1.1; 0: all alike) (80/20).");
	*t++ = text(o, "zipf-operations", &o->zipf_operations, "LAW",
		    "The same of operations (80/20).");
	*t++ = choice(
		o, "self-time-dist", &o->self_time, "lognormal|exponential|uniform|fixed",
		"Law of self times, of the same means; lognormal has a tail of twentyfold ones "
		"(lognormal).");
	*t++ = number(o, "row-bytes", &o->row_bytes, 1, ROW_BYTES_MAX,
		      "Mean of blob and column texts of a row, to 64k, by longer texts and "
		      "more spans (5000).");
	*t++ = number(o, "variants", &o->variants, 1, VARIANTS_MAX,
		      "Templates per inner span: with more, rows of an operation differ more, "
		      "and the "
		      "dictionary grows (3).");
	*t++ = number(
		o, "cardinality", &o->cardinality, 1, CARDINALITY_MAX,
		"Distinct ids in urls, SQL and keys; other numbers there have at most as many "
		"values (15000).");
	*t++ = choice(o, "order", &o->order, "start|arrival",
		      "Order of rows within a block: by start, or by end as agents report them "
		      "(start).");
	*t++ = percent(o, "late", &o->late_mpct, LATE_MAX_MPCT,
		       "Rows that come later in their block than --order says (0).");
	*t++ = percent(
		o, "duplicates", &o->duplicates_mpct, PERCENT_100,
		"Rows that come a second time, later in their block, beyond --spans (0).");
	return t;
}

void recipe_options_init(struct recipe_options *o)
{
	struct recipe r;

	*o = (struct recipe_options){0};
	scale_recipe(&o->wish, &r);
	o->seed = r.seed;
	o->block_traces = r.block_traces;
	o->variants = r.variants;
	o->row_bytes = r.row_bytes;
	o->cardinality = r.cardinality;
	o->errors_mpct = r.errors_mpct;
	o->late_mpct = r.late_mpct;
	o->duplicates_mpct = r.duplicates_mpct;
	o->order = (int)r.order;
	o->self_time = (int)r.self_time;
}

static bool is_given(const struct recipe_options *o, const char *name)
{
	for (uint32_t i = 0; i < o->option_count; i++) {
		if (strcmp(o->option[i].name, name) == 0)
			return o->option[i].given;
	}
	return false;
}

bool recipe_options_has_size(const struct recipe_options *o)
{
	return is_given(o, "scale") || is_given(o, "spans") || is_given(o, "traces") ||
	       is_given(o, "recipe");
}

// ---- Values --------------------------------------------------------------------------------

// Splits "A/B/C" at its slashes into thousandths; false unless there are exactly `count` parts.
static bool split_parts(const char *value, uint32_t count, uint32_t *part)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t size = strcspn(value, "/");
		char one[16];

		if (size >= sizeof(one) || (value[size] == '/') != (i + 1 < count))
			return false;
		memcpy(one, value, size);
		one[size] = '\0';
		if (parse_percent(one, 0, PERCENT_100, "", &part[i], NULL) != OK)
			return false;
		value += size + 1;
	}
	return true;
}

static enum status parse_complexity(const char *value, struct recipe *r, struct err *e)
{
	uint32_t part[3];

	if (!split_parts(value, 3, part) || part[0] % 1000 + part[1] % 1000 != 0 ||
	    (uint64_t)part[0] + part[1] + part[2] != PERCENT_100)
		return err_set(
			e, ERR_USAGE,
			"--complexity: '%s' is not three whole percentages 0..100 of simple, "
			"medium and complex traces that make 100, such as 20/60/20",
			value);
	r->class_simple_pct = part[0] / 1000;
	r->class_medium_pct = part[1] / 1000;
	return OK;
}

static enum status parse_zipf(const char *option, const char *value, struct zipf_law *law,
			      struct err *e)
{
	uint32_t part[2];

	if (split_parts(value, 1, part) && part[0] <= ZIPF_EXPONENT_MAX) {
		*law = (struct zipf_law){.exponent = part[0]};
		return OK;
	}
	if (split_parts(value, 2, part) && part[1] > 0 && part[0] >= part[1] &&
	    part[0] < PERCENT_100) {
		*law = (struct zipf_law){.share_mpct = part[0], .top_mpct = part[1]};
		return OK;
	}
	return err_set(
		e, ERR_USAGE,
		"--%s: '%s' is neither a share A/B with 0 < B <= A < 100, such as 80/20 (the "
		"top B %% have A %% of the spans), nor an exponent 0..%u, such as 1.1 (at "
		"most 3 decimals)",
		option, value, ZIPF_EXPONENT_MAX / 1000);
}

static enum status set_zipf(const struct recipe_options *o, struct recipe *r, struct err *e)
{
	struct zipf_law services = plan_service_law(r), operations = plan_operation_law(r);
	enum status s = OK;

	if (o->zipf_services != NULL)
		s = parse_zipf("zipf-services", o->zipf_services, &services, e);
	if (s == OK && o->zipf_operations != NULL)
		s = parse_zipf("zipf-operations", o->zipf_operations, &operations, e);
	r->zipf_services_mpct = services.share_mpct;
	r->zipf_services_top_mpct = services.top_mpct;
	r->zipf_services_exponent = services.exponent;
	r->zipf_operations_mpct = operations.share_mpct;
	r->zipf_operations_top_mpct = operations.top_mpct;
	r->zipf_operations_exponent = operations.exponent;
	return s;
}

// The recipe of the options alone.
static enum status make_recipe(const struct recipe_options *o, struct recipe *r, struct err *e)
{
	enum status s;

	scale_recipe(&o->wish, r);
	r->seed = o->seed;
	r->block_traces = (uint32_t)o->block_traces;
	r->variants = (uint32_t)o->variants;
	r->row_bytes = (uint32_t)o->row_bytes;
	r->cardinality = (uint32_t)o->cardinality;
	r->errors_mpct = o->errors_mpct;
	r->late_mpct = o->late_mpct;
	r->duplicates_mpct = o->duplicates_mpct;
	r->order = (uint32_t)o->order;
	r->self_time = (uint32_t)o->self_time;
	s = set_zipf(o, r, e);
	if (s == OK && o->complexity != NULL)
		s = parse_complexity(o->complexity, r, e);
	return s;
}

// ---- A recipe that is there ----------------------------------------------------------------

// Which option decides a field; `scaled`: --scale does, too.
static const struct {
	const char *field, *option;
	bool scaled;
} owners[] = {
	{"seed", "seed", false},
	{"spans", "spans", true},
	{"traces", "traces", true},
	{"services", "services", true},
	{"instances", "instances", true},
	{"operations", "operations", true},
	{"window_ms", "window", true},
	{"block_traces", "block-traces", false},
	{"variants", "variants", false},
	{"row_bytes", "row-bytes", false},
	{"errors_mpct", "errors", false},
	{"order", "order", false},
	{"zipf_services_mpct", "zipf-services", false},
	{"zipf_operations_mpct", "zipf-operations", false},
	{"class_simple_pct", "complexity", false},
	{"class_medium_pct", "complexity", false},
	{"zipf_services_top_mpct", "zipf-services", false},
	{"zipf_operations_top_mpct", "zipf-operations", false},
	{"zipf_services_exponent", "zipf-services", false},
	{"zipf_operations_exponent", "zipf-operations", false},
	{"self_time", "self-time-dist", false},
	{"cardinality", "cardinality", false},
	{"late_mpct", "late", false},
	{"duplicates_mpct", "duplicates", false},
};

// The given option that decides a field, or NULL.
static const char *given_option(const struct recipe_options *o, const char *field)
{
	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		if (strcmp(owners[i].field, field) != 0)
			continue;
		if (is_given(o, owners[i].option))
			return owners[i].option;
		return owners[i].scaled && is_given(o, "scale") ? "scale" : NULL;
	}
	return NULL; // no option decides it
}

enum status recipe_options_agree(const struct recipe_options *o, const struct recipe *stored,
				 const char *where, struct err *e)
{
	struct recipe_value has[RECIPE_FIELD_COUNT], asks[RECIPE_FIELD_COUNT];
	struct recipe r;
	enum status s = make_recipe(o, &r, e);

	if (s != OK)
		return s;
	recipe_values(stored, has);
	recipe_values(&r, asks);
	for (size_t i = 0; i < RECIPE_FIELD_COUNT; i++) {
		const char *option = given_option(o, has[i].name);

		if (option != NULL && has[i].value != asks[i].value)
			return err_set(e, ERR_USAGE,
				       "--%s asks for %s %" PRIu64 ", but %s has %" PRIu64
				       ": leave the option out, or that recipe",
				       option, asks[i].name, asks[i].value, where,
				       has[i].value);
	}
	return OK;
}

static enum status read_recipe(const char *path, struct recipe *r, struct err *e)
{
	struct buf text;
	enum status s;

	buf_init(&text, MANIFEST_MAX_BYTES);
	s = file_read_all(path, MANIFEST_MAX_BYTES, &text, e);
	if (s == OK) {
		s = manifest_recipe((const char *)text.data, text.size, r, e);
		if (s != OK)
			s = err_prefix(e, "%s", path);
	}
	buf_free(&text);
	return s;
}

enum status recipe_options_make(const struct recipe_options *o, struct recipe *r, struct err *e)
{
	enum status s;

	if (o->file == NULL)
		return make_recipe(o, r, e);
	s = read_recipe(o->file, r, e);
	return s == OK ? recipe_options_agree(o, r, o->file, e) : s;
}
