// SPDX-License-Identifier: Apache-2.0
// Unit tests of common/buf: contents against an array, sticky limit, counting, failing realloc.
// LINK: -Wl,--wrap=malloc,--wrap=realloc,--wrap=calloc
#include "tests/unit/common/unit.h"

#include "common/buf.h"
#include "common/rng.h"
#include "tests/unit/common/fault.h"

static void put_some(struct buf *b)
{
	uint8_t *p;

	buf_put(b, "abc", 3);
	buf_put_u8(b, 'd');
	buf_put_le32(b, 0x04030201);
	buf_put_le64(b, UINT64_C(0x0807060504030201));
	buf_put_view(b, VIEW("view"));
	buf_printf(b, "%d-%s", 42, "x");
	p = buf_reserve(b, 2);
	if (p != NULL)
		memcpy(p, "RR", 2);
	buf_put(b, NULL, 0);
}

static const char some[] = "abcd\1\2\3\4\1\2\3\4\5\6\7\10view42-xRR";

static void test_puts(void **state)
{
	struct err e = {0};
	struct buf b, count;
	int round;

	(void)state;
	buf_init(&b, 1000);
	buf_init_count(&count);
	assert_null(b.data);
	for (round = 0; round < 2; round++) {
		put_some(&b);
		put_some(&count);
		assert_int_equal(b.size, sizeof(some) - 1);
		assert_memory_equal(b.data, some, sizeof(some) - 1);
		assert_int_equal(count.size, b.size);
		assert_null(count.data);
		assert_ok(buf_check(&b, "test", &e), e);
		buf_clear(&b);
		buf_clear(&count);
		assert_int_equal(b.size, 0);
		assert_true(b.capacity > 0);
	}
	buf_free(&b);
	buf_free(&count);
	buf_free(&b);
	assert_null(b.data);
}

// Random puts against an array that is large enough.
static void test_against_array(void **state)
{
	uint64_t key = rng_key(5, RNG_SAMPLE, 0);
	uint8_t *want = malloc(MIB);
	size_t size = 0, i;
	struct buf b;

	(void)state;
	assert_non_null(want);
	buf_init(&b, MIB);
	for (i = 0; i < 3000; i++) {
		uint64_t bits = rng_draw(key, i);
		size_t n = rng_below(bits, 300);

		memset(want + size, (int)(bits & 0xff), n);
		buf_put(&b, want + size, n);
		size += n;
	}
	assert_false(b.failed);
	assert_int_equal(b.size, size);
	assert_memory_equal(b.data, want, size);
	buf_free(&b);
	free(want);
}

static void test_limit(void **state)
{
	struct err e = {0};
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_put(&b, "1234", 4);
	assert_ok(buf_check(&b, "body", &e), e);
	buf_put_u8(&b, '5');
	assert_fails(buf_check(&b, "body", &e), e, ERR_LIMIT,
		     "body: larger than the limit of 4 bytes");
	buf_put(&b, NULL, 0);
	assert_int_equal(b.size, 4);
	assert_null(buf_reserve(&b, 0)); // sticky
	assert_true(b.failed);
	buf_clear(&b);
	buf_printf(&b, "%s", "1234"); // the terminating zero needs no room of the limit
	assert_false(b.failed);
	assert_int_equal(b.size, 4);
	buf_clear(&b);
	buf_printf(&b, "%s", "12345");
	assert_true(b.failed);
	assert_int_equal(b.size, 0);
	buf_clear(&b);
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(b.failed && !b.no_memory);
	buf_free(&b);
	buf_init(&b, 0);
	assert_non_null(buf_reserve(&b, 0));
	buf_put_u8(&b, 1);
	assert_int_equal(buf_check(&b, "x", NULL), ERR_LIMIT);
	buf_free(&b);
}

static void test_count_overflow(void **state)
{
	struct buf b;

	(void)state;
	buf_init_count(&b);
	assert_null(buf_reserve(&b, SIZE_MAX - 1));
	assert_false(b.failed);
	buf_put(&b, "ab", 2);
	assert_true(b.failed);
	assert_true(b.size == SIZE_MAX - 1);
}

static void test_no_memory(void **state)
{
	static const uint8_t kib[1024];
	long n;

	(void)state;
	for (n = 0; n < 100; n++) {
		struct err e = {0};
		enum status st;
		struct buf b;
		int i;

		buf_init(&b, MIB);
		fault_alloc_left = n;
		for (i = 0; i < 10; i++)
			buf_put(&b, kib, sizeof(kib));
		fault_alloc_left = -1;
		st = buf_check(&b, "block", &e);
		if (st != OK) {
			char text[100];

			snprintf(text, sizeof(text), "block: out of memory after %zu bytes",
				 b.size);
			assert_fails(st, e, ERR_MEMORY, text);
			assert_int_equal(b.size % 1024, 0);
		}
		buf_free(&b);
		if (st == OK)
			break;
	}
	assert_in_range(n, 2, 99);
}

static void test_little_endian(void **state)
{
	uint8_t bytes[9] = {0};

	(void)state;
	store_le32(bytes + 1, 0xdeadbeef); // unaligned
	assert_memory_equal(bytes + 1, "\xef\xbe\xad\xde", 4);
	assert_true(load_le32(bytes + 1) == 0xdeadbeef);
	store_le64(bytes + 1, UINT64_C(0xfedcba9876543210));
	assert_memory_equal(bytes + 1, "\x10\x32\x54\x76\x98\xba\xdc\xfe", 8);
	assert_true(load_le64(bytes + 1) == UINT64_C(0xfedcba9876543210));
}

// The vectors of RFC 4648 section 10, and bytes that use the last two characters.
static void test_base64(void **state)
{
	static const char *const vector[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xfb\xff\xfe", "+//+"},
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vector); i++) {
		struct view in = view_of(vector[i][0]);

		assert_int_equal(base64_size(in.size), strlen(vector[i][1]));
		assert_int_equal(base64_write(out, in) - out, (int)strlen(vector[i][1]));
		assert_memory_equal(out, vector[i][1], strlen(vector[i][1]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_puts),	  cmocka_unit_test(test_against_array),
		cmocka_unit_test(test_limit),	  cmocka_unit_test(test_count_overflow),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_little_endian),
		cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
