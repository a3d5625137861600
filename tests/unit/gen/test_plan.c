// SPDX-License-Identifier: Apache-2.0
// Unit tests of gen/plan, quota and joint: every quota is exact, and what cannot be met is
// said.
#include "tests/unit/common/unit.h"

#include "gen/joint.h"
#include "gen/plan.h"
#include "gen/quota.h"
#include "gen/scale.h"

static void make_recipe(struct recipe *r, int scale, uint64_t spans)
{
	scale_recipe(&(struct scale_wish){.scale = scale, .spans = spans}, r);
}

static struct plan *make_plan(const struct recipe *r)
{
	struct err e = {0};
	struct plan *p = NULL;

	assert_ok(plan_new(&p, r, &e), e);
	return p;
}

static const struct zipf_law eighty_twenty = {20000, 80000, 0};

// ---- quota ---------------------------------------------------------------------------------

static void test_split(void **state)
{
	static const uint64_t weight[] = {3, 3, 3, 1};
	uint64_t part[4];

	(void)state;
	quota_split(10, weight, 4, part);
	assert_true(part[0] == 3 && part[1] == 3 && part[2] == 3 && part[3] == 1);
	quota_split(5, weight, 4, part); // 1.5 1.5 1.5 0.5: ties go to the first
	assert_true(part[0] == 2 && part[1] == 2 && part[2] == 1 && part[3] == 0);
	quota_split(UINT64_C(1) << 40, weight, 4, part); // products beyond 64 bits
	assert_true(part[0] + part[1] + part[2] + part[3] == UINT64_C(1) << 40);
}

// Shares from an independent solution in floating point (exponents 1.2149, 1.0239, 0.9496).
static void test_zipf_known(void **state)
{
	static const struct {
		uint32_t count;
		uint64_t rows, first, last;
	} known[] = {{100, 10000000, 2840000, 10560},
		     {1000, 1000000000, 143700000, 122000},
		     {10000, 1000000000, 81200000, 12900}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		uint64_t *q = mem_alloc(known[i].count * sizeof(*q));
		uint64_t sum = 0, top = 0;

		assert_true(quota_zipf(known[i].rows, known[i].count, &eighty_twenty, q));
		for (uint32_t k = 0; k < known[i].count; k++) {
			sum += q[k];
			top += k < known[i].count / 5 ? q[k] : 0;
			assert_true(k == 0 || q[k] <= q[k - 1]);
		}
		assert_true(sum == known[i].rows);
		assert_true(top == known[i].rows / 5 * 4);
		assert_in_range(q[0], known[i].first * 99 / 100, known[i].first * 101 / 100);
		assert_in_range(q[known[i].count - 1], known[i].last * 98 / 100,
				known[i].last * 102 / 100);
		free(q);
	}
}

static void test_zipf_few_rows(void **state)
{
	uint64_t q[100];
	uint64_t sum = 0;

	(void)state;
	assert_true(quota_zipf(400, 100, &eighty_twenty, q)); // the rarer 80 share exactly 80
	for (uint32_t i = 0; i < 100; i++) {
		assert_true(q[i] >= 1);
		sum += q[i];
	}
	assert_true(sum == 400);
	assert_true(q[99] == 1 && q[20] == 1);
	assert_false(quota_zipf(397, 100, &eighty_twenty, q));
	assert_true(quota_zipf(7, 1, &eighty_twenty, q));
	assert_true(q[0] == 7);
}

// The exponent's law, item by item, against sums made by hand: 1/1 + 1/2 + 1/3 + 1/4 = 25/12.
static void test_zipf_exponent(void **state)
{
	static const struct zipf_law one = {.exponent = 1000}, flat = {.exponent = 0},
				     steep = {.exponent = 4000};
	uint64_t q[100];
	uint64_t sum = 0;

	(void)state;
	assert_true(quota_zipf(2500, 4, &one, q));
	assert_true(q[0] == 1200 && q[1] == 600 && q[2] == 400 && q[3] == 300);
	assert_true(quota_zipf(103, 100, &flat, q));
	for (uint32_t i = 0; i < 100; i++)
		assert_true(q[i] == (i < 3 ? 2 : 1));
	assert_true(quota_zipf(1000, 100, &steep, q)); // 1 / 100^4 is far below a row
	for (uint32_t i = 0; i < 100; i++) {
		assert_true(q[i] >= 1 && (i == 0 || q[i] <= q[i - 1]));
		sum += q[i];
	}
	assert_true(sum == 1000);
	assert_false(quota_zipf(99, 100, &one, q));
}

static void test_zipf_shares(void **state)
{
	static const struct zipf_law ten = {10000, 90000, 0}, alike = {20000, 20000, 0};
	uint64_t q[100];
	uint64_t top = 0;

	(void)state;
	assert_true(quota_zipf(100000, 100, &ten, q));
	for (uint32_t i = 0; i < 10; i++)
		top += q[i];
	assert_true(top == 90000 && q[9] >= q[10]);
	assert_true(quota_zipf(1000, 10, &alike, q));
	assert_true(q[0] == 100 && q[9] == 100);
	assert_false(quota_zipf(1000, 3, &alike, q)); // one of three has 33 %
}

static void check_sizes(uint32_t traces, uint64_t rows, const uint8_t *sizes)
{
	uint64_t sum = 0, of_class[3] = {0};

	for (uint32_t i = 0; i < traces; i++) {
		assert_in_range(sizes[i], 1, TRACE_ROWS_MAX);
		sum += sizes[i];
		of_class[sizes[i] <= 5 ? 0 : sizes[i] <= 20 ? 1 : 2]++;
	}
	assert_true(sum == rows);
	assert_in_range(of_class[0] * 5 + 5, traces, traces + 10);
	assert_in_range(of_class[2] * 5 + 5, traces, traces + 10);
}

static void test_trace_sizes(void **state)
{
	static const uint32_t traces[] = {200, 777, 9999, 10000};
	uint8_t sizes[GROUP_TRACES];

	(void)state;
	assert_true(quota_trace_sizes(10000, 100000, 20, 60, sizes));
	check_sizes(10000, 100000, sizes);
	assert_true(sizes[0] == 1 && sizes[2000] == 6 && sizes[8000] == 21 &&
		    sizes[9999] == 100);
	for (size_t i = 0; i < ARRAY_LEN(traces); i++) {
		for (uint64_t tenths = 82; tenths <= 328; tenths += 41) {
			uint64_t rows = traces[i] * tenths / 10;

			assert_true(quota_trace_sizes(traces[i], rows, 20, 60, sizes));
			check_sizes(traces[i], rows, sizes);
		}
	}
	assert_true(quota_trace_sizes(10000, 80000, 20, 60, sizes)); // all at their low ends
	assert_true(sizes[1999] == 1 && sizes[7999] == 6 && sizes[9999] == 21);
	assert_true(quota_trace_sizes(10000, 330000, 20, 60, sizes));
	assert_true(sizes[0] == 5 && sizes[2000] == 20 && sizes[8000] == 100);
	assert_false(quota_trace_sizes(10000, 79999, 20, 60, sizes));
	assert_false(quota_trace_sizes(10000, 330001, 20, 60, sizes));
}

// ---- joint ---------------------------------------------------------------------------------

// Row and column sums of the table are the quotas, and every unit finds the cell that holds it.
static void check_joint(const struct recipe *r)
{
	struct plan *p = make_plan(r);
	uint64_t *services = mem_zalloc(r->services, sizeof(*services));
	uint64_t *operations = mem_zalloc(r->operations, sizeof(*operations));
	uint64_t *instances = mem_zalloc(r->instances, sizeof(*instances));

	for (uint64_t row = 0; row < r->spans; row++) {
		struct plan_maker m = plan_row(p, row);

		instances[m.instance]++;
		services[m.service]++;
		operations[m.operation]++;
		assert_true(m.service == plan_instance_service(p, m.instance));
	}
	for (uint32_t i = 0; i < r->services; i++)
		assert_true(services[i] == plan_service_rows(p, i));
	for (uint32_t i = 0; i < r->operations; i++)
		assert_true(operations[i] == plan_operation_rows(p, i));
	for (uint32_t i = 0; i < r->instances; i++) {
		uint32_t service = plan_instance_service(p, i);
		uint64_t n = 0;

		for (uint32_t k = 0; k < r->instances; k++)
			n += plan_instance_service(p, k) == service;
		assert_in_range(instances[i], services[service] / n, services[service] / n + 1);
	}
	free(services);
	free(operations);
	free(instances);
	plan_free(p);
}

static void test_joint_exact(void **state)
{
	struct recipe r;

	(void)state;
	make_recipe(&r, SCALE_SMALL, 0);
	check_joint(&r);
	make_recipe(&r, SCALE_SMALL, 2000);
	check_joint(&r);
	r.seed = 77;
	r.services = 3;
	r.instances = 4;
	r.operations = 2;
	check_joint(&r);
	r.services = r.instances = r.operations = 1;
	check_joint(&r);
}

static void test_joint_lookup(void **state)
{
	static const uint64_t rows[2][4] = {{5, 1, 1, 993}, {700, 1, 298, 1}};
	static const uint8_t group[4] = {0, 0, 3, 4};
	struct joint_side services = {rows[0], group, 4}, operations = {rows[1], group, 4};
	struct joint j;

	(void)state;
	joint_init(&j, 9, &services, &operations);
	assert_true(j.rows == 1000);
	for (uint64_t u = 0; u < 1000; u++) {
		const struct joint_cell *c = joint_at(&j, u);

		assert_true(c->start <= u && u < c[1].start);
	}
	joint_deinit(&j);
}

// About ten operations per service at the three scales; layers hold the rows of their services.
static void test_scales(void **state)
{
	(void)state;
	for (int scale = SCALE_SMALL; scale <= SCALE_LARGE; scale++) {
		uint64_t cells = 0, lack[LAYER_COUNT] = {0}, rarest;
		uint32_t services[LAYER_COUNT] = {0};
		struct recipe r;
		struct plan *p;

		make_recipe(&r, scale, 0);
		p = make_plan(&r);
		for (uint32_t i = 0; i < r.services; i++) {
			assert_true(plan_service_operations(p, i) >= 1);
			cells += plan_service_operations(p, i);
			services[plan_service_layer(p, i)]++;
			lack[plan_service_layer(p, i)] += plan_service_rows(p, i);
		}
		for (uint32_t i = 0; i < r.operations; i++)
			lack[plan_operation_layer(p, i)] -= plan_operation_rows(p, i);
		assert_in_range(cells * 10 / r.services, 90, 120);
		assert_true(services[0] == r.services * 13 / 100);
		assert_true(services[LAYER_COUNT - 1] == r.services * 39 / 100);
		rarest = plan_operation_rows(p, (uint32_t)r.operations - 1);
		for (uint32_t l = 0; l < LAYER_COUNT;
		     l++) // signed, so near zero from below too
			assert_true(lack[l] + 4 * rarest <= 8 * rarest);
		plan_free(p);
	}
}

// ---- languages -----------------------------------------------------------------------------

// Rows of each language, by service and by operation.
static void language_rows(const struct plan *p, uint64_t services[LANGUAGE_COUNT],
			  uint64_t operations[LANGUAGE_COUNT])
{
	const struct recipe *r = plan_recipe(p);

	memset(services, 0, LANGUAGE_COUNT * sizeof(*services));
	memset(operations, 0, LANGUAGE_COUNT * sizeof(*operations));
	for (uint32_t i = 0; i < r->services; i++)
		services[plan_service_language(p, i)] += plan_service_rows(p, i);
	for (uint32_t i = 0; i < r->operations; i++)
		operations[plan_operation_language(p, i)] += plan_operation_rows(p, i);
}

// At the three scales all languages are there, agree to the last row, and random ids are few.
static void test_language_shares(void **state)
{
	(void)state;
	for (int scale = SCALE_SMALL; scale <= SCALE_LARGE; scale++) {
		for (uint64_t seed = 1; seed <= 8; seed++) {
			uint64_t services[LANGUAGE_COUNT], operations[LANGUAGE_COUNT], random;
			struct recipe r;
			struct plan *p;

			make_recipe(&r, scale, 0);
			r.seed = seed;
			p = make_plan(&r);
			language_rows(p, services, operations);
			assert_memory_equal(services, operations, sizeof(services));
			random = services[LANGUAGE_PYTHON] + services[LANGUAGE_NODE];
			assert_in_range(random * 100 / r.spans, 10, RANDOM_ID_PCT - 1);
			for (uint32_t l = LANGUAGE_GO; l < LANGUAGE_COUNT; l++)
				assert_in_range(services[l] * 100 / r.spans, 4, 20);
			plan_free(p);
		}
	}
}

static void check_row_languages(const struct recipe *r)
{
	uint64_t services[LANGUAGE_COUNT], operations[LANGUAGE_COUNT];
	struct plan *p = make_plan(r);

	language_rows(p, services, operations);
	assert_memory_equal(services, operations, sizeof(services));
	assert_true((services[LANGUAGE_PYTHON] + services[LANGUAGE_NODE]) * 100 <=
		    r->spans * RANDOM_ID_PCT);
	for (uint64_t row = 0; row < r->spans && row < 20000; row++) {
		struct plan_maker m = plan_row(p, row);

		assert_true(plan_service_language(p, m.service) ==
			    plan_operation_language(p, m.operation));
	}
	plan_free(p);
}

// Every row's operation speaks the language of its service, whatever the numbers.
static void test_language_rows(void **state)
{
	static const struct {
		uint64_t spans, services, operations;
	} with[] = {{100000, 100, 1000}, {2000, 100, 500}, {5000, 3, 2}, {5000, 1, 1},
		    {5000, 1, 40},	 {5000, 40, 1},	   {9999, 7, 13}};
	struct recipe r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(with); i++) {
		make_recipe(&r, SCALE_SMALL, with[i].spans);
		r.services = with[i].services;
		r.instances = 5 * r.services;
		r.operations = with[i].operations;
		for (r.seed = 1; r.seed <= 4; r.seed++)
			check_row_languages(&r);
	}
	make_recipe(&r, SCALE_SMALL, 100000);
	r.zipf_services_top_mpct = r.zipf_services_mpct = 0; // all alike
	r.zipf_operations_top_mpct = r.zipf_operations_mpct = 0;
	check_row_languages(&r);
}

// ---- blocks --------------------------------------------------------------------------------

// Blocks tile traces, rows, errors and the window.
static void check_blocks(const struct recipe *r, uint64_t first, uint64_t last)
{
	struct plan *p = make_plan(r);
	uint32_t *sizes = mem_zalloc(r->block_traces, sizeof(*sizes));
	struct plan_block before = {0}, b;

	for (uint64_t i = first; i < last; i++) {
		uint32_t rows = 0;

		plan_block(p, i, &b, sizes);
		for (uint32_t t = 0; t < b.traces; t++)
			rows += sizes[t];
		assert_true(rows == b.rows);
		assert_true(b.first_trace == i * r->block_traces);
		if (i > 0 && i > first) {
			assert_true(b.first_row == before.first_row + before.rows);
			assert_true(b.window_begin_ms == before.window_end_ms);
		}
		assert_true(b.error_rows == (b.first_row + b.rows) * r->errors_mpct / 100000 -
						    b.first_row * r->errors_mpct / 100000);
		before = b;
	}
	if (last == recipe_blocks(r)) {
		assert_true(b.first_trace + b.traces == r->traces);
		assert_true(b.first_row + b.rows == r->spans);
		assert_true(b.window_end_ms == r->window_ms);
	}
	free(sizes);
	plan_free(p);
}

static void test_blocks(void **state)
{
	struct recipe r;

	(void)state;
	make_recipe(&r, SCALE_SMALL, 0);
	check_blocks(&r, 0, 20);
	make_recipe(&r, SCALE_LARGE, 0);
	check_blocks(&r, 199960, 200000);
	make_recipe(&r, SCALE_SMALL, 317771); // groups of unlike rows, a last one that is short
	r.traces = 31313;
	r.block_traces = 40;
	check_blocks(&r, 0, recipe_blocks(&r));
}

// The same rows whatever was asked before: no state.
static void test_seed(void **state)
{
	uint32_t differ = 0;
	struct recipe r;
	struct plan *p[2];

	(void)state;
	make_recipe(&r, SCALE_SMALL, 0);
	p[0] = make_plan(&r);
	r.seed = 2;
	p[1] = make_plan(&r);
	for (uint64_t row = 0; row < 100; row++) {
		differ += plan_row(p[0], row).instance != plan_row(p[1], row).instance;
	}
	assert_true(differ > 50);
	plan_free(p[0]);
	plan_free(p[1]);
}

// ---- callees -------------------------------------------------------------------------------

// Distinct, deeper, found by the filter; how long the lists are.
static void check_callees(enum scale scale)
{
	uint64_t longer[CALLEES_MAX + 2] = {0}, callers = 0, p50 = 0, p90 = 0;
	struct recipe r;
	struct plan *p;

	make_recipe(&r, (int)scale, 0);
	p = make_plan(&r);
	for (uint32_t s = 0; s < r.services; s++) {
		uint32_t count, layer = plan_service_layer(p, s);
		const uint32_t *callee = plan_callees(p, s, &count);

		if (layer + 1 == LAYER_COUNT) {
			assert_true(count == 0 && plan_callee_bits(p, s) == 0);
			continue;
		}
		assert_in_range(count, 2, CALLEES_MAX);
		callers++;
		for (uint32_t i = 0; i < count; i++) {
			assert_true(plan_service_layer(p, callee[i]) > layer);
			assert_true(plan_calls(p, s, callee[i]));
			assert_true(plan_callee_bits(p, s) >> plan_callee_bit(callee[i]) & 1);
			for (uint32_t k = 0; k < i; k++)
				assert_true(callee[k] != callee[i]);
		}
		assert_false(plan_calls(p, s, s));
		for (uint32_t n = 0; n <= count; n++)
			longer[n]++;
	}
	while (longer[p50 + 1] * 2 > callers)
		p50++;
	while (longer[p90 + 1] * 10 > callers)
		p90++;
	assert_in_range(p50, 3, 5);
	assert_in_range(p90, 8, CALLEES_MAX);
	plan_free(p);
}

static void test_callees(void **state)
{
	(void)state;
	check_callees(SCALE_SMALL);
	check_callees(SCALE_MEDIUM);
}

// Counted block by block, the sizes are those that the plan says.
static void test_size_counts(void **state)
{
	static const uint64_t traces[] = {10000, 25000, 1234};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(traces); i++) {
		uint64_t said[TRACE_ROWS_MAX + 1], seen[TRACE_ROWS_MAX + 1] = {0};
		uint32_t sizes[GROUP_TRACES];
		struct recipe r;
		struct plan *p;

		make_recipe(&r, SCALE_SMALL, 0);
		r.traces = traces[i];
		r.spans = 10 * traces[i] + i;
		p = make_plan(&r);
		for (uint64_t block = 0; block < recipe_blocks(&r); block++) {
			struct plan_block b;

			plan_block(p, block, &b, sizes);
			for (uint32_t t = 0; t < b.traces; t++)
				seen[sizes[t]]++;
		}
		plan_trace_sizes(p, said);
		assert_memory_equal(said, seen, sizeof(seen));
		plan_free(p);
	}
}

// ---- refusals ------------------------------------------------------------------------------

static void test_refused(void **state)
{
	struct err e = {0};
	struct recipe r;
	struct plan *p;

	(void)state;
	make_recipe(&r, SCALE_SMALL, 0);
	r.traces = 13000;
	assert_fails(plan_new(&p, &r, &e), e, ERR_USAGE,
		     "100000 spans in 13000 traces: with --complexity 20/60/20 the mean must "
		     "be 8.00..33.00 spans per trace, "
		     "so --spans must be 104000..429000");
	assert_null(p);
	make_recipe(&r, SCALE_SMALL, 0);
	r.block_traces = 7;
	assert_fails(plan_new(&p, &r, &e), e, ERR_USAGE,
		     "--block-traces 7 does not divide 10000");
	make_recipe(&r, SCALE_SMALL, 0);
	r.instances = 99;
	assert_fails(plan_new(&p, &r, &e), e, ERR_USAGE,
		     "99 instances are too few for 100 services: raise --instances or lower "
		     "--services");
	make_recipe(&r, SCALE_SMALL, 2000);
	r.operations = 1000;
	assert_fails(
		plan_new(&p, &r, &e), e, ERR_USAGE,
		"1000 operations are too many for 2000 spans: each must occur, and the rarer "
		"ones share 20.000 % of the spans; lower --operations or raise --spans");
	make_recipe(&r, SCALE_SMALL, 33);
	r.traces = 1;
	assert_fails(
		plan_new(&p, &r, &e), e, ERR_USAGE,
		"1 traces of 1-5, 6-20 and 21-100 spans cannot have 33 spans together: change "
		"--spans or --traces");
	make_recipe(&r, SCALE_SMALL, 0);
	r.content_version = 9999;
	assert_int_equal(plan_new(&p, &r, &e), ERR_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_callees),
		cmocka_unit_test(test_size_counts),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_zipf_known),
		cmocka_unit_test(test_zipf_few_rows),
		cmocka_unit_test(test_zipf_exponent),
		cmocka_unit_test(test_zipf_shares),
		cmocka_unit_test(test_trace_sizes),
		cmocka_unit_test(test_joint_exact),
		cmocka_unit_test(test_joint_lookup),
		cmocka_unit_test(test_scales),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_language_shares),
		cmocka_unit_test(test_language_rows),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
