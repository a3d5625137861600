// SPDX-License-Identifier: Apache-2.0
// Unit tests of replay/results and write's verdict: the names other programs rely on, nulls
// where samples are few, reasons.
#include <string.h>

#include "tests/unit/common/unit.h"

#include "common/file.h"
#include "replay/results.h"

static void fill(struct write_report *r)
{
	memset(r, 0, sizeof(*r));
	run_result_init(&r->run);
	r->run.ledger = (struct ledger){
		.rows = 1000, .acked = 1000, .acked_bytes = 5000000, .acked_roots = 100};
	r->run.messages = 1000;
	r->run.wall_ns = 2 * NS_PER_S;
	r->run.cpu_ns = 5 * NS_PER_MS;
	for (int i = 1; i <= 200; i++) {
		hist_record(&r->run.response, i * NS_PER_MS);
		hist_record(&r->run.service, i * NS_PER_MS / 2);
	}
	hist_record(&r->run.lag, 1000);
	r->epoch_ms = 1795607779303;
	r->counted = true;
	r->before = 5;
	r->after = 1005;
}

static const json_t *at(const json_t *j, const char *a, const char *b, const char *c)
{
	j = json_object_get(j, a);
	if (b)
		j = json_object_get(j, b);
	if (c)
		j = json_object_get(j, c);
	assert_non_null(j);
	return j;
}

static void test_names(void **state)
{
	static const char *const ledger[] = {"rows", "acked",  "rejected",
					     "lost", "unsent", "retried"};
	static const char *const clocks[] = {"response", "service", "lag"};
	static const char *const figures[] = {"p50", "p95", "p99", "p999", "max", "samples"};
	struct write_options o = {.model = MODEL_TRACE,
				  .bulk = 10,
				  .concurrency = 4,
				  .rate_per_s = 500,
				  .limit = UINT64_MAX};
	struct write_report r;
	json_t *j;

	(void)state;
	fill(&r);
	j = results_json(&o, &r);
	for (size_t i = 0; i < ARRAY_LEN(ledger); i++)
		assert_true(json_is_integer(at(j, "ledger", ledger[i], NULL)));
	for (size_t i = 0; i < ARRAY_LEN(clocks); i++)
		for (size_t k = 0; k < ARRAY_LEN(figures); k++)
			at(j, "latency_ms", clocks[i], figures[k]);
	assert_true(json_real_value(at(j, "rate", "spans_per_s", NULL)) == 500.0);
	assert_true(json_real_value(at(j, "rate", "traces_per_s", NULL)) == 50.0);
	assert_true(json_real_value(at(j, "rate", "mb_per_s", NULL)) == 2.5);
	assert_true(json_real_value(at(j, "client", "cpu_us_per_span", NULL)) == 5.0);
	assert_true(json_integer_value(at(j, "epoch_ms", NULL, NULL)) == 1795607779303);
	assert_true(json_real_value(at(j, "latency_ms", "response", "p50")) >= 100.0);
	assert_true(json_is_real(at(j, "latency_ms", "response", "p95")));
	assert_true(
		json_is_null(at(j, "latency_ms", "response", "p99"))); // 1,000 samples needed
	assert_true(json_is_null(at(j, "latency_ms", "lag", "p50")));
	assert_true(json_is_true(at(j, "holds", NULL, NULL)));
	assert_true(json_is_false(at(j, "partial", NULL, NULL)));
	json_decref(j);
	o.rate_per_s = 0; // closed loop: no lag
	r.run.stopped = true;
	j = results_json(&o, &r);
	assert_true(json_is_null(at(j, "latency_ms", "lag", NULL)));
	assert_true(json_is_true(at(j, "partial", NULL, NULL)));
	json_decref(j);
	write_report_free(&r);
}

static void expect_reason(const struct write_report *r, const char *part)
{
	char text[WRITE_REASON] = "";

	assert_false(write_report_holds(r, false, text));
	if (!strstr(text, part))
		fail_msg("no '%s' in: %s", part, text);
}

static void test_verdict(void **state)
{
	struct write_report r;
	char text[WRITE_REASON];

	(void)state;
	fill(&r);
	assert_true(write_report_holds(&r, false, text));
	r.after = 1004;
	expect_reason(&r, "the server counts 1004 rows");
	r.counted = false;
	expect_reason(&r, "unknown");
	r.run.ledger.surplus_acks = 1;
	expect_reason(&r, "nothing awaited");
	r.run.ledger.acked = 999;
	expect_reason(&r, "does not close");
	r.run.ledger.lost = 1;
	strcpy(r.run.first_error, "UNAVAILABLE: gone");
	expect_reason(&r,
		      "0 rows rejected, 1 lost, 0 unsent; first failure: UNAVAILABLE: gone");
	write_report_free(&r);
	fill(&r); // nothing is sent in a dry run, and that is well
	r.run.ledger = (struct ledger){.rows = 10, .unsent = 10};
	r.run.ledger.unsent_by[UNSENT_DRY_RUN] = 10;
	assert_true(write_report_holds(&r, true, text));
	r.run.ledger.unsent_by[UNSENT_DRY_RUN] = 9;
	r.run.ledger.unsent_by[UNSENT_FUTURE] = 1;
	assert_false(write_report_holds(&r, true, text));
	write_report_free(&r);
}

static void test_file(void **state)
{
	json_t *j = json_pack("{s:s}", "program", "spanreplay");
	struct err e = {0};
	struct buf b;

	(void)state;
	assert_int_equal(results_write("r.json", j, &e), OK);
	json_object_set_new(j, "n", json_integer(2));
	assert_int_equal(results_write("r.json", j, &e), OK); // replaced
	assert_int_equal(file_read_all("r.json", MIB, &b, &e), OK);
	assert_int_equal(b.size, strlen("{\n  \"program\": \"spanreplay\",\n  \"n\": 2\n}\n"));
	buf_free(&b);
	assert_int_equal(results_write("/dev/full", j, &e), ERR_IO);
	assert_non_null(strstr(e.text, "/dev/full"));
	assert_int_not_equal(results_write("no/such/r.json", j, &e), OK);
	assert_int_equal(results_check_path("no/such/r.json", &e), ERR_IO);
	assert_non_null(strstr(e.text, "no/such/r.json"));
	assert_int_equal(results_check_path("r.json", &e), OK);
	assert_int_equal(results_check_path(".", &e), ERR_IO);
	// What is not ours stays.
	json_object_set_new(j, "program", json_string("another"));
	assert_int_equal(results_write("other.json", j, &e), OK);
	assert_int_equal(results_check_path("other.json", &e), ERR_EXISTS);
	assert_non_null(strstr(e.text, "other.json"));
	assert_int_equal(results_check_path("/proc/r.json", &e), ERR_IO);
	json_decref(j);
}

// 1000 rows in 2 s are 500 spans/s.
static void test_rate_missed(void **state)
{
	struct write_options o = {.model = MODEL_TRACE, .bulk = 10, .concurrency = 4};
	struct write_report r;

	(void)state;
	fill(&r);
	assert_false(results_rate_missed(&o, &r)); // closed loop
	o.rate_per_s = 500;
	assert_false(results_rate_missed(&o, &r));
	o.rate_per_s = 530; // planned 1.887 s; slow, but each bulk began on time
	assert_false(results_rate_missed(&o, &r));
	hist_record(&r.run.lag, 94 * NS_PER_MS); // not quite a twentieth of it
	assert_false(results_rate_missed(&o, &r));
	hist_record(&r.run.lag, 95 * NS_PER_MS);
	assert_true(results_rate_missed(&o, &r));
	o.rate_per_s = 520; // late, but 96 % of it
	assert_false(results_rate_missed(&o, &r));
	write_report_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_missed),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_verdict),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
