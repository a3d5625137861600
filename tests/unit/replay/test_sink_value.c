// SPDX-License-Identifier: Apache-2.0
// TagValues of spansink: read what protobuf-c writes, write the same bytes again.
#include "banyandb/model.pb-c.h"
#include "replay/sink_value.h"
#include "tests/unit/common/unit.h"

#define TYPE(name) BANYANDB__DATABASE__V1__TAG_TYPE__TAG_TYPE_##name

typedef Banyandb__Model__V1__TagValue tag_value;

// Packs v, reads it as type, puts it again: the bytes must agree.
static void round_trip(const tag_value *v, Banyandb__Database__V1__TagType type)
{
	uint8_t packed[256];
	size_t size = banyandb__model__v1__tag_value__pack(v, packed);
	struct view bytes = {(const char *)packed, size};
	struct sink_value value;
	struct pb_reader in;
	struct pb_field f;
	struct buf out;

	assert_int_equal(sink_value_read(bytes, type, &value), SINK_VALUE_GOOD);
	buf_init(&out, 1024);
	sink_value_put(&out, 3, type, &value);
	assert_false(out.failed);
	pb_reader_init(&in, out.data, out.size);
	assert_true(pb_next(&in, &f));
	assert_int_equal(f.number, 3);
	assert_int_equal(f.bytes.size, size);
	assert_memory_equal(f.bytes.data, packed, size);
	assert_false(pb_next(&in, &f));
	assert_false(in.failed);
	buf_free(&out);
}

static void test_text(void **state)
{
	static char *const texts[] = {(char *)(uintptr_t) "", (char *)(uintptr_t) "ab",
				      (char *)(uintptr_t) "\xc3\xa4\xe2\x82\xac"};
	Banyandb__Model__V1__Str str;
	tag_value v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		banyandb__model__v1__str__init(&str);
		banyandb__model__v1__tag_value__init(&v);
		str.value = texts[i];
		v.str = &str;
		v.value_case = BANYANDB__MODEL__V1__TAG_VALUE__VALUE_STR;
		round_trip(&v, TYPE(STRING));
	}
}

static void test_numbers(void **state)
{
	static const int64_t numbers[] = {0, 1, -1, 127, 128, INT64_MAX, INT64_MIN};
	Banyandb__Model__V1__Int number;
	tag_value v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		banyandb__model__v1__int__init(&number);
		banyandb__model__v1__tag_value__init(&v);
		number.value = numbers[i];
		v.int_ = &number;
		v.value_case = BANYANDB__MODEL__V1__TAG_VALUE__VALUE_INT;
		round_trip(&v, TYPE(INT));
	}
}

static void test_times(void **state)
{
	static const int64_t ms[] = {0, 1, 1000, 1795609830123, -1, -1001};
	Google__Protobuf__Timestamp t;
	tag_value v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ms); i++) {
		google__protobuf__timestamp__init(&t);
		banyandb__model__v1__tag_value__init(&v);
		t.seconds = ms[i] >= 0 ? ms[i] / 1000 : (ms[i] - 999) / 1000;
		t.nanos = (int32_t)((ms[i] - t.seconds * 1000) * 1000000);
		v.timestamp = &t;
		v.value_case = BANYANDB__MODEL__V1__TAG_VALUE__VALUE_TIMESTAMP;
		round_trip(&v, TYPE(TIMESTAMP));
	}
}

static void test_binary_null_and_arrays(void **state)
{
	int64_t numbers[] = {1, -2, 300};
	Banyandb__Model__V1__IntArray array;
	tag_value v;

	(void)state;
	banyandb__model__v1__tag_value__init(&v);
	v.value_case = BANYANDB__MODEL__V1__TAG_VALUE__VALUE_BINARY_DATA;
	v.binary_data.data = (uint8_t *)numbers;
	v.binary_data.len = sizeof(numbers);
	round_trip(&v, TYPE(DATA_BINARY));
	v.binary_data.len = 0;
	round_trip(&v, TYPE(DATA_BINARY));

	banyandb__model__v1__tag_value__init(&v);
	v.value_case = BANYANDB__MODEL__V1__TAG_VALUE__VALUE_NULL;
	round_trip(&v, TYPE(STRING));
	round_trip(&v, TYPE(INT));

	banyandb__model__v1__int_array__init(&array);
	banyandb__model__v1__tag_value__init(&v);
	array.value = numbers;
	array.n_value = ARRAY_LEN(numbers);
	v.value_case = BANYANDB__MODEL__V1__TAG_VALUE__VALUE_INT_ARRAY;
	v.int_array = &array;
	round_trip(&v, TYPE(INT_ARRAY));
}

static enum sink_value_result read_bytes(const char *bytes, size_t size,
					 Banyandb__Database__V1__TagType type)
{
	struct sink_value v;

	return sink_value_read((struct view){bytes, size}, type, &v);
}

static void test_what_does_not_fit(void **state)
{
	(void)state;
	assert_int_equal(read_bytes("", 0, TYPE(INT)), SINK_VALUE_EMPTY);
	assert_int_equal(read_bytes("\x22\x02\x08\x05", 4, TYPE(INT)), SINK_VALUE_GOOD);
	assert_int_equal(read_bytes("\x22\x02\x08\x05", 4, TYPE(STRING)),
			 SINK_VALUE_OTHER_TYPE);
	assert_int_equal(read_bytes("\x22\x02\x08\x05", 4, TYPE(TIMESTAMP)),
			 SINK_VALUE_OTHER_TYPE);
	assert_int_equal(read_bytes("\x12\x03\x0a\x01x", 5, TYPE(DATA_BINARY)),
			 SINK_VALUE_OTHER_TYPE);
	// cut, and text that is not UTF-8
	assert_int_equal(read_bytes("\x22\x02\x08", 3, TYPE(INT)), SINK_VALUE_UNREADABLE);
	assert_int_equal(read_bytes("\x12\x03\x0a\x01\xff", 5, TYPE(STRING)),
			 SINK_VALUE_UNREADABLE);
	// nanoseconds out of range, seconds past int64 ns
	assert_int_equal(read_bytes("\x3a\x06\x10\x80\x94\xeb\xdc\x03", 8, TYPE(TIMESTAMP)),
			 SINK_VALUE_OTHER_TYPE);
	assert_int_equal(read_bytes("\x3a\x0a\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 12,
				    TYPE(TIMESTAMP)),
			 SINK_VALUE_OTHER_TYPE);
}

// A value that the schema's type does not fit any more is answered as null.
static void test_other_type_is_put_as_null(void **state)
{
	struct sink_value v = {.type = SINK_INT, .number = 5};
	struct buf out;

	(void)state;
	buf_init(&out, 64);
	sink_value_put(&out, 2, TYPE(STRING), &v);
	assert_int_equal(out.size, 4);
	assert_memory_equal(out.data, "\x12\x02\x08\x00", 4);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_binary_null_and_arrays),
		cmocka_unit_test(test_what_does_not_fit),
		cmocka_unit_test(test_other_type_is_put_as_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
