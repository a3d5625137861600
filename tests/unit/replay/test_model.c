// SPDX-License-Identifier: Apache-2.0
// Unit tests of replay/model*: the hand encoders against protobuf-c for the same rows, what
// must not leave, answers.
#include <stdlib.h>
#include <string.h>

#include "tests/unit/common/unit.h"

#include "banyandb/stream.pb-c.h"
#include "banyandb/trace.pb-c.h"
#include "common/rng.h"
#include "replay/model.h"

#define AREA_SIZE (64 * KIB)

static uint8_t *copy_blob(const void *ctx, uint8_t *area, size_t size_bytes)
{
	const struct view *v = ctx;

	if (v->size > size_bytes)
		return NULL;
	if (v->size > 0)
		memcpy(area + size_bytes - v->size, v->data, v->size);
	return area + size_bytes - v->size;
}

// A text for protobuf-c, which wants it writable and terminated.
static char *text_of(struct view v)
{
	char *s = mem_alloc(v.size + 1);

	if (v.size > 0)
		memcpy(s, v.data, v.size);
	s[v.size] = '\0';
	return s;
}

static Banyandb__Model__V1__TagValue *tag_new(void)
{
	Banyandb__Model__V1__TagValue *t = mem_alloc(sizeof(*t));

	banyandb__model__v1__tag_value__init(t);
	return t;
}

static Banyandb__Model__V1__TagValue *text_tag(struct view v)
{
	Banyandb__Model__V1__TagValue *t = tag_new();

	t->value_case = BANYANDB__MODEL__V1__TAG_VALUE__VALUE_STR;
	t->str = mem_alloc(sizeof(*t->str));
	banyandb__model__v1__str__init(t->str);
	t->str->value = text_of(v);
	return t;
}

static Banyandb__Model__V1__TagValue *int_tag(int64_t v)
{
	Banyandb__Model__V1__TagValue *t = tag_new();

	t->value_case = BANYANDB__MODEL__V1__TAG_VALUE__VALUE_INT;
	t->int_ = mem_alloc(sizeof(*t->int_));
	banyandb__model__v1__int__init(t->int_);
	t->int_->value = v;
	return t;
}

static Google__Protobuf__Timestamp *time_of(int64_t ms)
{
	Google__Protobuf__Timestamp *t = mem_alloc(sizeof(*t));

	google__protobuf__timestamp__init(t);
	t->seconds = ms / 1000;
	t->nanos = (int32_t)(ms % 1000 * 1000000);
	return t;
}

static void fill_tags(const struct row *row, Banyandb__Model__V1__TagValue **tags, bool trace)
{
	tags[0] = text_tag(row->service_id);
	tags[1] = text_tag(row->service_instance_id);
	tags[2] = text_tag(row->trace_id);
	tags[3] = trace ? tag_new() : int_tag(row->start_ms);
	if (trace) {
		tags[3]->value_case = BANYANDB__MODEL__V1__TAG_VALUE__VALUE_TIMESTAMP;
		tags[3]->timestamp = time_of(row->start_ms);
	}
	tags[4] = int_tag(row->latency_ms);
	tags[5] = int_tag(row->is_error);
	tags[6] = text_tag(row->span_id);
	tags[7] = text_tag(row->parent_span_id);
	tags[8] = text_tag(row->operation_name);
	tags[9] = text_tag(row->component);
}

static Banyandb__Common__V1__Metadata *metadata_of(const struct model *m)
{
	Banyandb__Common__V1__Metadata *md = mem_alloc(sizeof(*md));

	banyandb__common__v1__metadata__init(md);
	md->group = mem_strdup(m->group);
	md->name = mem_strdup(m->resource);
	return md;
}

// The same row by protobuf-c; *out is the caller's.
static size_t slow_trace(const struct row *row, uint64_t id, uint8_t **out)
{
	Banyandb__Trace__V1__WriteRequest *r = mem_alloc(sizeof(*r));
	size_t size;

	banyandb__trace__v1__write_request__init(r);
	r->metadata = metadata_of(&model_trace);
	r->n_tags = COLUMN_COUNT;
	r->tags = mem_zalloc(COLUMN_COUNT, sizeof(*r->tags));
	fill_tags(row, r->tags, true);
	r->span.len = row->blob.size;
	r->span.data = row->blob.size ? (uint8_t *)text_of(row->blob) : NULL;
	r->version = id;
	size = banyandb__trace__v1__write_request__get_packed_size(r);
	*out = mem_alloc(size);
	banyandb__trace__v1__write_request__pack(r, *out);
	banyandb__trace__v1__write_request__free_unpacked(r, NULL);
	return size;
}

static size_t slow_stream(const struct row *row, uint64_t id, uint8_t **out)
{
	Banyandb__Stream__V1__WriteRequest *r = mem_alloc(sizeof(*r));
	Banyandb__Stream__V1__ElementValue *el = mem_alloc(sizeof(*el));
	size_t size;

	banyandb__stream__v1__write_request__init(r);
	banyandb__stream__v1__element_value__init(el);
	r->metadata = metadata_of(&model_stream);
	r->element = el;
	r->message_id = id;
	el->element_id = text_of(row->span_id);
	el->timestamp = time_of(row->start_ms);
	el->n_tag_families = 2;
	el->tag_families = mem_zalloc(2, sizeof(*el->tag_families));
	for (int f = 0; f < 2; f++) {
		el->tag_families[f] = mem_alloc(sizeof(**el->tag_families));
		banyandb__model__v1__tag_family_for_write__init(el->tag_families[f]);
		el->tag_families[f]->n_tags = f == 0 ? COLUMN_COUNT : 1;
		el->tag_families[f]->tags =
			mem_zalloc(COLUMN_COUNT, sizeof(*el->tag_families[f]->tags));
	}
	fill_tags(row, el->tag_families[0]->tags, false);
	el->tag_families[1]->tags[0] = tag_new();
	el->tag_families[1]->tags[0]->value_case =
		BANYANDB__MODEL__V1__TAG_VALUE__VALUE_BINARY_DATA;
	el->tag_families[1]->tags[0]->binary_data.len = row->blob.size;
	el->tag_families[1]->tags[0]->binary_data.data = (uint8_t *)text_of(row->blob);
	size = banyandb__stream__v1__write_request__get_packed_size(r);
	*out = mem_alloc(size);
	banyandb__stream__v1__write_request__pack(r, *out);
	banyandb__stream__v1__write_request__free_unpacked(r, NULL);
	return size;
}

static void expect_equal(const struct model *m, const struct row *row, uint64_t id)
{
	static uint8_t area[AREA_SIZE];
	struct blob_source blob = {copy_blob, &row->blob};
	uint8_t metadata_bytes[METADATA_MAX], *slow = NULL;
	struct view metadata = model_metadata(m, metadata_bytes);
	size_t size = m->kind == MODEL_TRACE ? slow_trace(row, id, &slow)
					     : slow_stream(row, id, &slow);
	uint8_t *fast = model_encode(m, metadata, row, &blob, id, area, AREA_SIZE);

	assert_non_null(fast);
	assert_int_equal(area + AREA_SIZE - fast, size);
	assert_memory_equal(fast, slow, size);
	// A message that does not fit is refused, and nothing is written in front of the area.
	area[0] = 0x5a;
	assert_null(model_encode(m, metadata, row, &blob, id, area + 1, row->blob.size + 100));
	assert_int_equal(area[0], 0x5a);
	free(slow);
}

static const struct row plain = {
	.service_id = {"c2Vydg==.1", 10},
	.service_instance_id = {"c2Vydg==.1_aW5zdA==", 19},
	.trace_id = {"t1", 2},
	.span_id = {"s1", 2},
	.parent_span_id = {"p1", 2},
	.operation_name = {"/a", 2},
	.component = {"Tomcat", 6},
	.start_ms = 1795607779303,
	.latency_ms = 12,
	.is_error = true,
	.blob = {"payload", 7},
};

static void test_equal_special(void **state)
{
	struct row row = plain;
	uint64_t ids[] = {1, 127, 128, 16383, 16384, 1000000000, UINT64_MAX};

	(void)state;
	for (int k = 0; k < 2; k++) {
		const struct model *m = model_get((enum model_kind)k);

		row = plain;
		for (size_t i = 0; i < ARRAY_LEN(ids); i++)
			expect_equal(m, &row, ids[i]);
		row.parent_span_id.size = 0;
		row.is_error = false;
		row.latency_ms = 0;
		expect_equal(m, &row, 5);
		row.operation_name.size = row.component.size = 0;
		expect_equal(m, &row, 5);
		row.latency_ms = UINT32_MAX;
		row.start_ms = 1000; // no nanoseconds
		expect_equal(m, &row, 5);
		row.start_ms = 999; // no seconds
		expect_equal(m, &row, 5);
		row.start_ms = START_MS_MAX;
		row.blob.size = 0;
		expect_equal(m, &row, 5);
	}
}

static uint64_t next(uint64_t *n)
{
	return rng_draw(rng_key(42, RNG_SAMPLE, 0), (*n)++);
}

static struct view random_text(uint64_t *n, const char *pool, size_t pool_size, uint32_t max)
{
	size_t size = rng_below(next(n), max + 1);

	return (struct view){pool + rng_below(next(n), (uint32_t)(pool_size - size)), size};
}

static void test_equal_random(void **state)
{
	static char pool[40000];
	uint64_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(pool); i++)
		pool[i] = (char)('!' + rng_below(next(&n), 90));
	for (int i = 0; i < 3000; i++) {
		// Lengths around the steps of varints: 127/128, 16383/16384.
		uint32_t blob_max = i % 3 == 0 ? 200 : i % 3 == 1 ? 5000 : 33000;
		struct row row = {
			.service_id = random_text(&n, pool, sizeof(pool), 140),
			.service_instance_id = random_text(&n, pool, sizeof(pool), 200),
			.trace_id = random_text(&n, pool, sizeof(pool), ID_MAX),
			.span_id = random_text(&n, pool, sizeof(pool), ID_MAX),
			.parent_span_id = random_text(&n, pool, sizeof(pool), ID_MAX),
			.operation_name = random_text(&n, pool, sizeof(pool), 300),
			.component = random_text(&n, pool, sizeof(pool), 40),
			.start_ms = (int64_t)(next(&n) >> 22),
			.latency_ms = (uint32_t)(next(&n) >> rng_below(next(&n), 32) >> 32),
			.is_error = next(&n) & 1,
			.blob = random_text(&n, pool, sizeof(pool), blob_max),
		};

		if (row.span_id.size == 0 || row.start_ms == 0)
			continue; // protobuf-c leaves an empty element id out; such rows are
				  // refused before
		expect_equal(&model_stream, &row, next(&n) | 1);
		expect_equal(&model_trace, &row, next(&n) | 1);
	}
}

static void test_refusals(void **state)
{
	const struct row_limits limits = {1795600000000, 1795700000000};
	struct row row = plain;

	(void)state;
	assert_int_equal(model_check_row(&row, &limits), UNSENT_NONE);
	row.parent_span_id.size = 0;
	row.operation_name.size = 0;
	row.component.size = 0;
	assert_int_equal(model_check_row(&row, &limits),
			 UNSENT_NONE); // roots and unnamed rows may go
	row = plain;
	row.trace_id.size = 0;
	assert_int_equal(model_check_row(&row, &limits), UNSENT_EMPTY_TRACE_ID);
	row = plain;
	row.service_id.size = 0;
	assert_int_equal(model_check_row(&row, &limits), UNSENT_EMPTY_SERVICE_ID);
	row = plain;
	row.service_instance_id.size = 0;
	assert_int_equal(model_check_row(&row, &limits), UNSENT_EMPTY_INSTANCE_ID);
	row = plain;
	row.span_id.size = 0;
	assert_int_equal(model_check_row(&row, &limits), UNSENT_EMPTY_SPAN_ID);
	row = plain;
	row.start_ms = limits.newest_ms;
	assert_int_equal(model_check_row(&row, &limits), UNSENT_NONE);
	row.start_ms = limits.newest_ms + 1;
	assert_int_equal(model_check_row(&row, &limits), UNSENT_FUTURE);
	row.start_ms = limits.oldest_ms;
	assert_int_equal(model_check_row(&row, &limits), UNSENT_NONE);
	row.start_ms = limits.oldest_ms - 1;
	assert_int_equal(model_check_row(&row, &limits), UNSENT_EXPIRED);
	row.start_ms = 0;
	assert_int_equal(model_check_row(&row, &limits), UNSENT_TIME_RANGE);
	row.start_ms = -5;
	assert_int_equal(model_check_row(&row, &limits), UNSENT_TIME_RANGE);
	row.start_ms = START_MS_MAX + 1;
	assert_int_equal(model_check_row(&row, &limits), UNSENT_TIME_RANGE);
	row = plain;
	row.operation_name = (struct view){"/bad\xff/0123456789", 15};
	assert_int_equal(model_check_row(&row, &limits), UNSENT_NOT_UTF8);
	row.operation_name = (struct view){"/gr\xc3\xbc\xc3\x9f", 7};
	assert_int_equal(model_check_row(&row, &limits), UNSENT_NONE);
	for (int i = UNSENT_NONE + 1; i < UNSENT_COUNT; i++) {
		assert_true(strlen(unsent_name((enum unsent)i)) > 3);
		assert_true(strlen(unsent_text((enum unsent)i)) > 10);
	}
}

static void test_answers(void **state)
{
	static const uint8_t stream[] = "\x08\x96\x01\x12\x0eSTATUS_SUCCEED\x1a\x02\x0a\x00";
	static const uint8_t trace[] = "\x0a\x02\x0a\x00\x10\x96\x01\x1a\x10STATUS_NOT_FOUND";
	struct view status;
	uint64_t id;
	bool succeed;

	(void)state;
	assert_true(model_parse_ack(&model_stream, stream, sizeof(stream) - 1, &id, &succeed,
				    &status));
	assert_int_equal(id, 150);
	assert_true(succeed);
	assert_true(model_parse_ack(&model_trace, trace, sizeof(trace) - 1, &id, &succeed,
				    &status));
	assert_int_equal(id, 150);
	assert_false(succeed);
	assert_true(view_equal(status, VIEW("STATUS_NOT_FOUND")));
	assert_false(model_parse_ack(&model_trace, trace, 4, &id, &succeed, &status)); // no id
	for (size_t n = 0; n < sizeof(stream) - 1;
	     n++) { // any truncation is survived, none is a success too many
		if (model_parse_ack(&model_stream, stream, n, &id, &succeed, &status))
			assert_int_equal(id, 150);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_special),
		cmocka_unit_test(test_equal_random),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
