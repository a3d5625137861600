// SPDX-License-Identifier: Apache-2.0
// The plan: which rows a block has and who makes each. Quotas are solved once by quota and
// joint; afterwards a row or trace number finds its place in them by a keyed bijection.
#include "gen/plan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/rng.h"
#include "gen/joint.h"
#include "gen/languages.h"
#include "gen/quota.h"

// Sizes of one kind of group; groups differ by at most one row, and the last may be shorter.
struct group_sizes {
	uint32_t traces;
	uint64_t rows;
	uint8_t size[GROUP_TRACES];
};

struct plan {
	struct recipe recipe;
	uint64_t *service_rows, *operation_rows;  // by rank = index
	uint8_t *service_group, *operation_group; // group_of
	uint32_t *service_operations;
	uint64_t *service_start;  // first unit of each service in the joint table, services + 1
	uint32_t *first_instance; // services + 1
	uint32_t *first_callee;	  // services + 1: where the callees of each begin
	uint32_t *callee;
	uint64_t *callee_bits; // plan_callee_bits
	struct joint joint;
	struct rng_perm row_perm;
	struct group_sizes group[3];
	uint32_t group_count;
};

// ---- Checks --------------------------------------------------------------------------------

static enum status check_limit(const char *option, uint64_t v, uint64_t most, struct err *e)
{
	if (v >= 1 && v <= most)
		return OK;
	return err_set(e, ERR_USAGE, "--%s: %" PRIu64 " is out of range; expected 1..%" PRIu64,
		       option, v, most);
}

static enum status check_recipe(const struct recipe *r, struct err *e)
{
	// Rows per 100 traces when all classes are at their low or their high end.
	uint32_t large = 100 - r->class_simple_pct - r->class_medium_pct;
	uint32_t low = r->class_simple_pct + 6 * r->class_medium_pct + 21 * large;
	uint32_t high = 5 * r->class_simple_pct + 20 * r->class_medium_pct + 100 * large;
	uint64_t bottom = (r->traces * low + 99) / 100, top = r->traces * high / 100;
	enum status s;

	if (r->spans < bottom || r->spans > top)
		return err_set(e, ERR_USAGE,
			       "%" PRIu64 " spans in %" PRIu64
			       " traces: with --complexity %u/%u/%u the mean must be "
			       "%u.%02u..%u.%02u spans per trace, so --spans must be %" PRIu64
			       "..%" PRIu64,
			       r->spans, r->traces, r->class_simple_pct, r->class_medium_pct,
			       large, low / 100, low % 100, high / 100, high % 100, bottom,
			       top);
	if (r->block_traces == 0 || GROUP_TRACES % r->block_traces != 0)
		return err_set(e, ERR_USAGE, "--block-traces %u does not divide %u",
			       r->block_traces, GROUP_TRACES);
	s = check_limit("services", r->services, SERVICES_MAX, e);
	if (s == OK)
		s = check_limit("instances", r->instances, INSTANCES_MAX, e);
	if (s == OK)
		s = check_limit("operations", r->operations, OPERATIONS_MAX, e);
	if (s == OK)
		s = check_limit("variants", r->variants, VARIANTS_MAX, e);
	if (s == OK)
		s = check_limit("row-bytes", r->row_bytes, ROW_BYTES_MAX, e);
	if (s != OK)
		return s;
	if (r->instances < r->services)
		return err_set(e, ERR_USAGE,
			       "%" PRIu64 " instances are too few for %" PRIu64
			       " services: raise --instances or lower --services",
			       r->instances, r->services);
	return OK;
}

// ---- Trace sizes ---------------------------------------------------------------------------

static uint64_t group_first_row(const struct plan *p, uint64_t group)
{
	uint64_t trace = u64_min(group * GROUP_TRACES, p->recipe.traces);

	return u64_mul_div(p->recipe.spans, trace, p->recipe.traces);
}

static const struct group_sizes *find_group(const struct plan *p, uint32_t traces,
					    uint64_t rows)
{
	for (uint32_t i = 0; i < p->group_count; i++) {
		if (p->group[i].traces == traces && p->group[i].rows == rows)
			return &p->group[i];
	}
	return NULL;
}

static uint32_t group_traces(const struct plan *p, uint64_t group)
{
	return (uint32_t)u64_min(GROUP_TRACES, p->recipe.traces - group * GROUP_TRACES);
}

static const struct group_sizes *group_at(const struct plan *p, uint64_t group)
{
	uint64_t rows = group_first_row(p, group + 1) - group_first_row(p, group);

	return find_group(p, group_traces(p, group), rows);
}

static enum status add_group(struct plan *p, uint32_t traces, uint64_t rows, struct err *e)
{
	struct group_sizes *g = &p->group[p->group_count];

	if (find_group(p, traces, rows) != NULL)
		return OK;
	assert(p->group_count < ARRAY_LEN(p->group));
	if (!quota_trace_sizes(traces, rows, p->recipe.class_simple_pct,
			       p->recipe.class_medium_pct, g->size))
		return err_set(e, ERR_USAGE,
			       "%u traces of 1-5, 6-20 and 21-100 spans cannot have %" PRIu64
			       " spans together: change --spans or --traces",
			       traces, rows);
	g->traces = traces;
	g->rows = rows;
	p->group_count++;
	return OK;
}

// A full group has the floor or the ceiling of its share of the rows.
static enum status solve_sizes(struct plan *p, struct err *e)
{
	const struct recipe *r = &p->recipe;
	uint64_t full = r->traces / GROUP_TRACES;
	uint32_t last = (uint32_t)(r->traces % GROUP_TRACES);
	enum status s = OK;

	if (full > 0) {
		uint64_t share = u64_mul_div(r->spans, GROUP_TRACES, r->traces);

		s = add_group(p, GROUP_TRACES, share, e);
		if (s == OK && share * r->traces != r->spans * GROUP_TRACES) // modulo 2^64
			s = add_group(p, GROUP_TRACES, share + 1, e);
	}
	if (s == OK && last > 0)
		s = add_group(p, last, r->spans - group_first_row(p, full), e);
	return s;
}

// ---- Services and operations ---------------------------------------------------------------

// Share of the services in each layer, in percent: gateways 13, the middle 48, leaves 39.
static const uint32_t layer_end_pct[LAYER_COUNT] = {13, 29, 45, 61, 100};

static void assign_service_layers(struct plan *p)
{
	uint64_t services = p->recipe.services;
	struct rng_perm perm;

	rng_perm_init(&perm, services, p->recipe.seed, RNG_SERVICE, UINT64_MAX);
	for (uint64_t i = 0; i < services; i++) {
		uint64_t pct = (2 * rng_perm_at(&perm, i) + 1) * 50 / services;
		uint8_t layer = 0;

		while (pct >= layer_end_pct[layer])
			layer++;
		p->service_group[i] = layer;
	}
}

static void assign_groups(struct plan *p)
{
	struct language_side services = {p->service_rows, p->service_group,
					 (uint32_t)p->recipe.services};
	struct language_side operations = {p->operation_rows, p->operation_group,
					   (uint32_t)p->recipe.operations};

	assign_service_layers(p);
	languages_assign(&services, &operations);
}

static void split_instances(struct plan *p)
{
	for (uint64_t i = 0; i <= p->recipe.services; i++)
		p->first_instance[i] =
			(uint32_t)u64_mul_div(i, p->recipe.instances, p->recipe.services);
}

static void count_operations(struct plan *p)
{
	for (uint32_t i = 0; i < p->joint.cell_count; i++)
		p->service_operations[p->joint.cell[i].service]++;
	for (uint64_t i = 0; i < p->recipe.services; i++)
		p->service_start[i + 1] = p->service_start[i] + p->service_rows[i];
}

// ---- Callees -------------------------------------------------------------------------------

// Callees of a service at twenty equal steps: half have at most 4, a tenth 12. The most popular
// fifth of the services has the longest lists.
static const uint8_t callee_counts[] = {2, 2, 2, 2, 3, 3, 3, 3,	 4,  4,
					4, 5, 5, 6, 6, 7, 8, 10, 12, 12};
#define CALLEE_DRAWS 256u // for services whose deeper layers are rarely drawn

static bool is_listed(const uint32_t *list, uint32_t count, uint32_t service)
{
	for (uint32_t i = 0; i < count; i++) {
		if (list[i] == service)
			return true;
	}
	return false;
}

// Draws services with the frequency of their rows and keeps those of deeper layers: what is
// called much is on many lists.
static uint32_t draw_callees(const struct plan *p, uint32_t service, uint32_t list[CALLEES_MAX])
{
	uint64_t key = rng_key(p->recipe.seed, RNG_CALLEES, service);
	uint32_t fifth = ARRAY_LEN(callee_counts) / 5, count = 0, wanted;
	bool popular = service < p->recipe.services / 5;
	uint64_t draw = rng_draw(key, 0);

	wanted = popular ? callee_counts[4 * fifth + rng_below(draw, fifth)]
			 : callee_counts[rng_below(draw, 4 * fifth)];

	for (uint32_t n = 1; count < wanted && n <= CALLEE_DRAWS; n++) {
		uint64_t unit =
			u64_mul_div(rng_draw(key, n) >> 1, p->joint.rows, UINT64_C(1) << 63);
		uint32_t callee = joint_at(&p->joint, unit)->service;

		if (group_layer(p->service_group[callee]) >
			    group_layer(p->service_group[service]) &&
		    !is_listed(list, count, callee))
			list[count++] = callee;
	}
	return count;
}

static void solve_callees(struct plan *p)
{
	uint32_t services = (uint32_t)p->recipe.services;
	uint32_t list[CALLEES_MAX];

	for (uint32_t i = 0; i < services; i++) {
		uint32_t count = 0;

		if (group_layer(p->service_group[i]) + 1u < LAYER_COUNT)
			count = draw_callees(p, i, list);
		p->first_callee[i + 1] = p->first_callee[i] + count;
		for (uint32_t k = 0; k < count; k++) {
			p->callee[p->first_callee[i] + k] = list[k];
			p->callee_bits[i] |= UINT64_C(1) << plan_callee_bit(list[k]);
		}
	}
}

// ---- Tables --------------------------------------------------------------------------------

static enum status solve_zipf(const char *what, uint64_t rows, uint64_t count,
			      const struct zipf_law *law, uint64_t *quota, struct err *e)
{
	uint32_t rest = 100000 - law->share_mpct;

	if (quota_zipf(rows, (uint32_t)count, law, quota))
		return OK;
	if (law->top_mpct == 0)
		return err_set(e, ERR_USAGE,
			       "%" PRIu64 " %s are too many for %" PRIu64
			       " spans: each must occur; lower --%s or raise --spans",
			       count, what, rows, what);
	if (count * law->share_mpct < 100000)
		return err_set(e, ERR_USAGE,
			       "--zipf-%s: one of %" PRIu64
			       " %s has more than %u.%03u %% of the "
			       "spans if all are alike; raise the share or --%s",
			       what, count, what, law->share_mpct / 1000,
			       law->share_mpct % 1000, what);
	return err_set(e, ERR_USAGE,
		       "%" PRIu64 " %s are too many for %" PRIu64
		       " spans: each must occur, and the rarer ones share %u.%03u %% of the "
		       "spans; lower --%s or raise --spans",
		       count, what, rows, rest / 1000, rest % 1000, what);
}

struct zipf_law plan_service_law(const struct recipe *r)
{
	return (struct zipf_law){r->zipf_services_top_mpct, r->zipf_services_mpct,
				 r->zipf_services_exponent};
}

struct zipf_law plan_operation_law(const struct recipe *r)
{
	return (struct zipf_law){r->zipf_operations_top_mpct, r->zipf_operations_mpct,
				 r->zipf_operations_exponent};
}

static enum status solve_joint(struct plan *p, struct err *e)
{
	const struct recipe *r = &p->recipe;
	struct zipf_law services = plan_service_law(r), operations = plan_operation_law(r);
	enum status s;

	s = solve_zipf("services", r->spans, r->services, &services, p->service_rows, e);
	if (s == OK)
		s = solve_zipf("operations", r->spans, r->operations, &operations,
			       p->operation_rows, e);
	if (s != OK)
		return s;
	assign_groups(p);
	split_instances(p);
	joint_init(
		&p->joint, r->seed,
		&(struct joint_side){p->service_rows, p->service_group, (uint32_t)r->services},
		&(struct joint_side){p->operation_rows, p->operation_group,
				     (uint32_t)r->operations});
	assert(p->joint.rows == r->spans);
	count_operations(p);
	solve_callees(p);
	return OK;
}

// ---- Interface -----------------------------------------------------------------------------

enum status plan_new(struct plan **out, const struct recipe *r, struct err *e)
{
	struct plan *p;
	enum status s = recipe_check(r, e);

	*out = NULL;
	if (s == ERR_FORMAT) { // here the numbers come from options, not from a file
		s = ERR_USAGE;
		if (e != NULL)
			e->code = s;
	}
	if (s == OK)
		s = check_recipe(r, e);
	if (s != OK)
		return s;
	p = mem_zalloc(1, sizeof(*p));
	p->recipe = *r;
	p->service_rows = mem_zalloc((size_t)r->services, sizeof(*p->service_rows));
	p->service_group = mem_zalloc((size_t)r->services, sizeof(*p->service_group));
	p->service_operations = mem_zalloc((size_t)r->services, sizeof(*p->service_operations));
	p->first_callee = mem_zalloc((size_t)(r->services + 1), sizeof(*p->first_callee));
	p->callee = mem_zalloc((size_t)(r->services * CALLEES_MAX), sizeof(*p->callee));
	p->callee_bits = mem_zalloc((size_t)r->services, sizeof(*p->callee_bits));
	p->service_start = mem_zalloc((size_t)(r->services + 1), sizeof(*p->service_start));
	p->first_instance = mem_zalloc((size_t)(r->services + 1), sizeof(*p->first_instance));
	p->operation_rows = mem_zalloc((size_t)r->operations, sizeof(*p->operation_rows));
	p->operation_group = mem_zalloc((size_t)r->operations, sizeof(*p->operation_group));
	rng_perm_init(&p->row_perm, r->spans, r->seed, RNG_ROW_PERMUTE, 0);
	s = solve_sizes(p, e);
	if (s == OK)
		s = solve_joint(p, e);
	if (s != OK) {
		plan_free(p);
		return s;
	}
	*out = p;
	return OK;
}

void plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	joint_deinit(&p->joint);
	free(p->service_rows);
	free(p->service_group);
	free(p->service_operations);
	free(p->service_start);
	free(p->first_instance);
	free(p->first_callee);
	free(p->callee);
	free(p->callee_bits);
	free(p->operation_rows);
	free(p->operation_group);
	free(p);
}

const struct recipe *plan_recipe(const struct plan *p)
{
	return &p->recipe;
}

uint32_t plan_service_layer(const struct plan *p, uint32_t service)
{
	return group_layer(p->service_group[service]);
}

uint32_t plan_operation_layer(const struct plan *p, uint32_t operation)
{
	return group_layer(p->operation_group[operation]);
}

enum language plan_service_language(const struct plan *p, uint32_t service)
{
	return group_language(p->service_group[service]);
}

enum language plan_operation_language(const struct plan *p, uint32_t operation)
{
	return group_language(p->operation_group[operation]);
}

uint64_t plan_operation_rows(const struct plan *p, uint32_t operation)
{
	return p->operation_rows[operation];
}

uint64_t plan_service_rows(const struct plan *p, uint32_t service)
{
	return p->service_rows[service];
}

uint32_t plan_service_operations(const struct plan *p, uint32_t service)
{
	return p->service_operations[service];
}

uint32_t plan_instance_service(const struct plan *p, uint32_t instance)
{
	uint32_t low = 0, high = (uint32_t)p->recipe.services;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (p->first_instance[middle] <= instance)
			low = middle;
		else
			high = middle;
	}
	return low;
}

const uint32_t *plan_callees(const struct plan *p, uint32_t service, uint32_t *count)
{
	*count = p->first_callee[service + 1] - p->first_callee[service];
	return &p->callee[p->first_callee[service]];
}

uint64_t plan_callee_bits(const struct plan *p, uint32_t service)
{
	return p->callee_bits[service];
}

bool plan_calls(const struct plan *p, uint32_t caller, uint32_t callee)
{
	uint32_t count;
	const uint32_t *list = plan_callees(p, caller, &count);

	return is_listed(list, count, callee);
}

void plan_trace_sizes(const struct plan *p, uint64_t count[TRACE_ROWS_MAX + 1])
{
	uint64_t groups = (p->recipe.traces + GROUP_TRACES - 1) / GROUP_TRACES;
	uint64_t used[ARRAY_LEN(p->group)] = {0};

	for (uint64_t i = 0; i < groups; i++)
		used[group_at(p, i) - p->group]++;
	memset(count, 0, (TRACE_ROWS_MAX + 1) * sizeof(*count));
	for (uint32_t g = 0; g < p->group_count; g++) {
		for (uint32_t i = 0; i < p->group[g].traces; i++)
			count[p->group[g].size[i]] += used[g];
	}
}

// What a share of all rows leaves for these: the shares of all blocks add up.
static uint32_t share_of(uint64_t first_row, uint32_t rows, uint32_t mpct)
{
	return (uint32_t)(u64_mul_div(first_row + rows, mpct, 100000) -
			  u64_mul_div(first_row, mpct, 100000));
}

uint32_t plan_late_rows(const struct recipe *r, uint64_t first_row, uint32_t rows)
{
	return (uint32_t)u64_min(share_of(first_row, rows, r->late_mpct), rows - 1);
}

uint32_t plan_duplicate_rows(const struct recipe *r, uint64_t first_row, uint32_t rows)
{
	return share_of(first_row, rows, r->duplicates_mpct);
}

static uint64_t window_at(const struct plan *p, uint64_t trace)
{
	return u64_mul_div(trace, p->recipe.window_ms, p->recipe.traces);
}

void plan_block(const struct plan *p, uint64_t block, struct plan_block *out, uint32_t *sizes)
{
	uint64_t trace = block * p->recipe.block_traces;
	uint64_t group = trace / GROUP_TRACES;
	uint32_t before = (uint32_t)(trace % GROUP_TRACES);
	const struct group_sizes *g = group_at(p, group);
	uint64_t at[256];
	struct rng_perm perm;

	assert(trace < p->recipe.traces);
	*out = (struct plan_block){
		.first_trace = trace,
		.first_row = group_first_row(p, group),
		.traces = (uint32_t)u64_min(p->recipe.block_traces, g->traces - before),
	};
	rng_perm_init(&perm, g->traces, p->recipe.seed, RNG_TRACE_PERMUTE, group);
	for (uint32_t i = 0, count; i < before + out->traces; i += count) {
		count = (uint32_t)u64_min(ARRAY_LEN(at), before + out->traces - i);
		rng_perm_range(&perm, i, count, at);
		for (uint32_t k = 0; k < count; k++) {
			uint32_t size = g->size[at[k]];

			if (i + k < before) {
				out->first_row += size;
			} else {
				sizes[i + k - before] = size;
				out->rows += size;
			}
		}
	}
	out->error_rows = share_of(out->first_row, out->rows, p->recipe.errors_mpct);
	out->late_rows = plan_late_rows(&p->recipe, out->first_row, out->rows);
	out->duplicate_rows = plan_duplicate_rows(&p->recipe, out->first_row, out->rows);
	out->window_begin_ms = window_at(p, trace);
	out->window_end_ms = window_at(p, trace + out->traces);
}

static struct plan_maker maker_of(const struct plan *p, uint64_t unit)
{
	const struct joint_cell *c = joint_at(&p->joint, unit);
	uint32_t first = p->first_instance[c->service];
	uint32_t count = p->first_instance[c->service + 1] - first;

	return (struct plan_maker){
		.service = c->service,
		.instance = first + (uint32_t)((unit - p->service_start[c->service]) % count),
		.operation = c->operation,
	};
}

struct plan_maker plan_row(const struct plan *p, uint64_t row)
{
	return maker_of(p, rng_perm_at(&p->row_perm, row));
}

void plan_rows(const struct plan *p, uint64_t first, uint32_t count, struct plan_maker *out)
{
	uint64_t unit[TRACE_ROWS_MAX];

	assert(count <= TRACE_ROWS_MAX);
	rng_perm_range(&p->row_perm, first, count, unit);
	for (uint32_t i = 0; i < count; i++)
		out[i] = maker_of(p, unit[i]);
}
