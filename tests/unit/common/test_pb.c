// SPDX-License-Identifier: Apache-2.0
// Unit tests of common/pb: bytes of the encoding chapter's examples, round trips, malformed
// input, UTF-8.
#include "tests/unit/common/unit.h"

#include "common/pb.h"
#include "common/rng.h"

static void assert_bytes(struct buf *b, const char *want, size_t size)
{
	assert_false(b->failed);
	assert_int_equal(b->size, size);
	assert_memory_equal(b->data, want, size);
	buf_clear(b);
}

#define assert_buf(b, literal) assert_bytes(b, literal, sizeof(literal) - 1)

// The examples of the Protocol Buffers documentation, and what each put leaves out.
static void test_known_bytes(void **state)
{
	static const uint32_t packed[] = {3, 270, 86942};
	static const uint64_t wide[] = {UINT64_MAX, 1};
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	pb_put_uint(&b, 1, 150);
	assert_buf(&b, "\x08\x96\x01");
	pb_put_string(&b, 2, "testing");
	assert_buf(&b, "\x12\x07testing");
	pb_put_packed32(&b, 6, packed, ARRAY_LEN(packed));
	assert_buf(&b, "\x32\x06\x03\x8e\x02\x9e\xa7\x05");
	pb_put_packed64(&b, 1, wide, ARRAY_LEN(wide));
	assert_buf(&b, "\x0a\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01");
	pb_put_uint(&b, 1, 0);
	assert_buf(&b, "\x08\x00");
	pb_put_bytes(&b, 1, NULL, 0);
	assert_buf(&b, "\x0a\x00");
	pb_put_fixed64(&b, 3, UINT64_C(0x0102030405060708));
	assert_buf(&b, "\x19\x08\x07\x06\x05\x04\x03\x02\x01");
	pb_put_tag(&b, (UINT32_C(1) << 29) - 1, PB_FIXED32);
	assert_buf(&b, "\xfd\xff\xff\xff\x0f");
	pb_put_uint_nz(&b, 1, 0);
	pb_put_string(&b, 1, "");
	pb_put_view(&b, 1, VIEW(""));
	pb_put_packed32(&b, 1, NULL, 0);
	pb_put_packed64(&b, 1, NULL, 0);
	assert_int_equal(b.size, 0);
	pb_put_uint_nz(&b, 1, 1);
	pb_put_view(&b, 1, VIEW("v"));
	assert_buf(&b, "\x08\x01\x0a\x01v");
	buf_free(&b);
}

static void test_varint_sizes(void **state)
{
	uint8_t bytes[PB_VARINT_MAX];
	unsigned bit;

	(void)state;
	assert_int_equal(pb_varint_size(0), 1);
	assert_int_equal(pb_varint_write(bytes, 0), 1);
	for (bit = 0; bit < 64; bit++) {
		uint64_t low = UINT64_C(1) << bit, high = low | (low - 1), v;
		struct pb_reader r;

		assert_int_equal(pb_varint_size(low), bit / 7 + 1);
		assert_int_equal(pb_varint_size(high), bit / 7 + 1);
		assert_int_equal(pb_varint_write(bytes, high), bit / 7 + 1);
		pb_reader_init(&r, bytes, bit / 7 + 1);
		v = pb_get_varint(&r);
		assert_true(v == high && !r.failed && r.pos == r.end);
		// every cut is malformed
		pb_reader_init(&r, bytes, bit / 7);
		v = pb_get_varint(&r);
		assert_true(v == 0 && r.failed);
	}
}

static void test_zigzag(void **state)
{
	(void)state;
	assert_true(pb_zigzag(0) == 0 && pb_zigzag(-1) == 1 && pb_zigzag(1) == 2 &&
		    pb_zigzag(-2) == 3);
	assert_true(pb_zigzag(INT64_MAX) == UINT64_MAX - 1 &&
		    pb_zigzag(INT64_MIN) == UINT64_MAX);
	assert_true(pb_unzigzag(UINT64_MAX) == INT64_MIN);
	assert_true(pb_unzigzag(UINT64_MAX - 1) == INT64_MAX);
	assert_true(pb_unzigzag(3) == -2 && pb_unzigzag(4) == 2);
}

// Random messages come back field by field; counting gives the same size.
static void test_round_trip(void **state)
{
	static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	enum { FIELDS = 5000 };
	uint64_t key = rng_key(8, RNG_SAMPLE, 0);
	struct buf b, count;
	struct pb_reader r;
	struct pb_field f;
	unsigned i, pass;

	(void)state;
	buf_init(&b, MIB);
	buf_init_count(&count);
	for (i = 0; i < FIELDS; i++) {
		for (pass = 0; pass < 2; pass++) {
			struct buf *out = pass == 0 ? &b : &count;
			uint64_t bits = rng_draw(key, i);
			uint32_t field = rng_below(bits, UINT32_C(1) << (1 + i % 29)) | 1;

			if (i % 3 == 0)
				pb_put_uint(out, field, bits >> (bits & 63));
			else if (i % 3 == 1)
				pb_put_fixed64(out, field, bits);
			else
				pb_put_bytes(out, field, text, bits % sizeof(text));
		}
	}
	assert_int_equal(b.size, count.size);
	pb_reader_init(&r, b.data, b.size);
	for (i = 0; i < FIELDS; i++) {
		uint64_t bits = rng_draw(key, i);

		assert_true(pb_next(&r, &f));
		assert_int_equal(f.number, rng_below(bits, UINT32_C(1) << (1 + i % 29)) | 1);
		if (i % 3 == 0) {
			assert_true(f.wire == PB_VARINT && f.value == bits >> (bits & 63));
		} else if (i % 3 == 1) {
			assert_true(f.wire == PB_FIXED64 && f.value == bits);
		} else {
			assert_int_equal(f.wire, PB_BYTES);
			assert_true(
				view_equal(f.bytes, (struct view){text, bits % sizeof(text)}));
		}
	}
	assert_false(pb_next(&r, &f));
	assert_false(r.failed);
	buf_free(&b);
}

// A copy of exactly the input's size, so that a sanitizer sees every byte read too far.
static bool reads(const char *data, size_t size, unsigned *fields)
{
	void *exact = malloc(size > 0 ? size : 1);
	struct pb_reader r;
	struct pb_field f;
	bool good;

	assert_non_null(exact);
	memcpy(exact, data, size);
	pb_reader_init(&r, exact, size);
	*fields = 0;
	while (pb_next(&r, &f))
		++*fields;
	good = !r.failed;
	assert_false(pb_next(&r, &f)); // the end and a failure both stay
	assert_true(r.failed == !good);
	if (!good)
		assert_true(pb_get_varint(&r) == 0);
	free(exact);
	return good;
}

static void test_malformed(void **state)
{
	static const struct {
		const char *data;
		size_t size;
		bool good;
		unsigned fields;
	} cases[] = {
#define CASE(literal, good, fields) {literal, sizeof(literal) - 1, good, fields}
		CASE("", true, 0),
		CASE("\x08\x01", true, 1),
		CASE("\x0d\x01\x02\x03\x04", true, 1),
		CASE("\x08", false, 0),				    // no value
		CASE("\x08\x80", false, 0),			    // varint cut
		CASE("\x80", false, 0),				    // tag cut
		CASE("\x00\x01", false, 0),			    // field 0
		CASE("\x0b\x0c", false, 0),			    // groups
		CASE("\x0c", false, 0),				    // end of a group
		CASE("\x0e\x01", false, 0),			    // wire type 6
		CASE("\x0f\x01", false, 0),			    // wire type 7
		CASE("\x09\x01\x02\x03\x04\x05\x06\x07", false, 0), // 7 of 8 bytes
		CASE("\x0d\x01\x02\x03", false, 0),		    // 3 of 4 bytes
		CASE("\x0a\x02x", false, 0),			    // length past the end
		CASE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x", false,
		     0), // length 2^64 - 1
		CASE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", true, 1),	// 2^64 - 1
		CASE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", false, 0), // a 65th bit
		CASE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", false, 0), // 11 bytes
		CASE("\xf8\xff\xff\xff\x0f\x01", true, 1),  // largest field number
		CASE("\x80\x80\x80\x80\x10\x01", false, 0), // one more
		CASE("\x08\x01\x0a\x01", false, 1),	    // good field, then cut
#undef CASE
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned fields;
		bool good = reads(cases[i].data, cases[i].size, &fields);

		if (good != cases[i].good || fields != cases[i].fields)
			fail_msg("case %zu: good %d, %u fields", i, good, fields);
	}
}

// Noise never makes the reader leave the input (the sanitizer watches), and it always ends.
static void test_noise(void **state)
{
	uint64_t key = rng_key(9, RNG_SAMPLE, 0);
	unsigned i, k, good = 0, fields;

	(void)state;
	for (i = 0; i < 20000; i++) {
		char data[24];
		size_t size = i % (sizeof(data) + 1);

		for (k = 0; k < sizeof(data); k++)
			data[k] = (char)(rng_draw(key, i * 100 + k) & (i & 1 ? 0xff : 0x1f));
		good += reads(data, size, &fields);
	}
	assert_in_range(good, 100, 19900);
}

static struct pb_field bytes_field(const char *data, size_t size)
{
	return (struct pb_field){.number = 1, .wire = PB_BYTES, .bytes = {data, size}};
}

static void test_packed(void **state)
{
	struct pb_field f = bytes_field("\x01\x96\x01\xff\xff\xff\xff\x0f", 8);
	struct pb_field one = {.number = 1, .wire = PB_VARINT, .value = 5};
	uint32_t v[8] = {0};
	uint64_t w[8] = {0};
	size_t n = 0;

	(void)state;
	assert_int_equal(pb_packed_count(&f), 3);
	assert_int_equal(pb_packed_count(&one), 1);
	assert_true(pb_get_packed32(&f, v, &n, 8));
	assert_true(pb_get_packed32(&one, v, &n, 8)); // appends
	assert_int_equal(n, 4);
	assert_true(v[0] == 1 && v[1] == 150 && v[2] == UINT32_MAX && v[3] == 5);
	n = 0;
	assert_true(pb_get_packed64(&f, w, &n, 3)); // exactly max
	assert_true(n == 3 && w[2] == UINT32_MAX);
	assert_false(pb_get_packed64(&one, w, &n, 3));
	assert_false(pb_get_packed32(&one, v, &n, 3));
	n = 0;
	assert_false(pb_get_packed64(&f, w, &n, 2));
	n = 0;
	assert_false(pb_get_packed32(&f, v, &n, 2));

	f = bytes_field("\x80\x80\x80\x80\x10", 5); // 2^32
	n = 0;
	assert_true(pb_get_packed64(&f, w, &n, 8) && w[0] == UINT64_C(1) << 32);
	n = 0;
	assert_false(pb_get_packed32(&f, v, &n, 8));
	one.value = UINT64_C(1) << 32;
	assert_false(pb_get_packed32(&one, v, &n, 8));

	f = bytes_field("\x01\x80", 2); // cut
	assert_int_equal(pb_packed_count(&f), 0);
	n = 0;
	assert_false(pb_get_packed32(&f, v, &n, 8));
	n = 0;
	assert_false(pb_get_packed64(&f, w, &n, 8));
	f = bytes_field(NULL, 0);
	n = 0;
	assert_true(pb_get_packed32(&f, v, &n, 8) && n == 0);
	assert_int_equal(pb_packed_count(&f), 0);
	f.wire = PB_FIXED64;
	assert_false(pb_get_packed32(&f, v, &n, 8));
	assert_false(pb_get_packed64(&f, w, &n, 8));
	assert_int_equal(pb_packed_count(&f), 0);
}

// Obviously right: one varint after the other.
static bool slow_packed(const struct pb_field *f, uint64_t most, uint64_t *out, size_t *count,
			size_t max)
{
	struct pb_reader r;

	pb_reader_init(&r, f->bytes.data, f->bytes.size);
	for (*count = 0; r.pos < r.end; ++*count) {
		uint64_t v = pb_get_varint(&r);

		if (r.failed || v > most || *count == max)
			return false;
		out[*count] = v;
	}
	return true;
}

#define PACKED_BYTES 120u

// Varints of 1..longest bytes, mostly the shorter ones; some with a byte changed.
static size_t random_packed(uint64_t key, uint8_t *out)
{
	uint32_t longest = 1 + rng_below(rng_draw(key, 0), 10);
	uint32_t size = rng_below(rng_draw(key, 1), PACKED_BYTES - 10);
	uint64_t draw = 2;
	size_t n = 0;

	while (n < size) {
		uint32_t bytes = 1 + rng_below(rng_draw(key, draw++), longest);

		bytes = 1 + rng_below(rng_draw(key, draw++), bytes);
		n += pb_varint_write(out + n, rng_draw(key, draw++) >>
						      (bytes < 10 ? 64 - 7 * bytes : 0));
	}
	if (n > 0 && rng_below(rng_draw(key, draw), 4) == 0)
		out[rng_below(rng_draw(key, draw + 1), (uint32_t)n)] ^= (uint8_t)(1 << n % 8);
	return n;
}

// Both widths, both ways, in memory of exactly the size, and one value too many.
static void test_packed_agrees(void **state)
{
	size_t good = 0;

	(void)state;
	for (uint64_t i = 0; i < 20000; i++) {
		uint8_t bytes[PACKED_BYTES];
		size_t size = random_packed(rng_key(10, RNG_SAMPLE, i), bytes), n = 0, n32,
		       n32_c, n64, n64_c;
		size_t max = pb_count_ends(bytes, size);
		uint8_t *data = malloc(size + 1);
		uint32_t *v = calloc(max + 1, sizeof(*v)), *v_c = calloc(max + 1, sizeof(*v));
		uint64_t *w = calloc(max + 1, sizeof(*w)), *w_c = calloc(max + 1, sizeof(*w));
		uint64_t wanted[PACKED_BYTES];
		struct pb_field f = bytes_field((const char *)data + 1, size);
		bool ok;

		memcpy(data + 1, bytes, size);
		n32 = n32_c = n64 = n64_c = 0;
		ok = slow_packed(&f, UINT64_MAX, wanted, &n, max);
		assert_int_equal(pb_get_packed64(&f, w, &n64, max), ok);
		assert_int_equal(pb_get_packed64_c(&f, w_c, &n64_c, max), ok);
		if (ok) {
			assert_true(n64 == n && n64_c == n);
			assert_memory_equal(w, wanted, n * sizeof(*w));
			assert_memory_equal(w_c, wanted, n * sizeof(*w));
		}
		ok = slow_packed(&f, UINT32_MAX, wanted, &n, max);
		good += ok;
		assert_int_equal(pb_get_packed32(&f, v, &n32, max), ok);
		assert_int_equal(pb_get_packed32_c(&f, v_c, &n32_c, max), ok);
		if (ok) {
			assert_true(n32 == n && n32_c == n);
			for (size_t k = 0; k < n; k++)
				assert_true(v[k] == wanted[k] && v_c[k] == wanted[k]);
		}
		if (max > 0) {
			n64 = n32 = 0;
			assert_false(pb_get_packed64(&f, w, &n64, max - 1));
			assert_false(pb_get_packed32(&f, v, &n32, max - 1));
			assert_true(w[max] == 0 && v[max] == 0);
		}
		free(data);
		free(v);
		free(v_c);
		free(w);
		free(w_c);
	}
	assert_in_range(good, 5000, 19000);
}

// Obviously right: decodes a code point, then compares with its shortest encoding.
static bool slow_utf8(const uint8_t *p, size_t size)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t i = 0, n, k;

	while (i < size) {
		uint32_t c = p[i];

		n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
		if (n == 0 || n > size - i)
			return false;
		if (n > 1)
			c &= UINT32_C(0x7f) >> n;
		for (k = 1; k < n; k++) {
			if (p[i + k] >> 6 != 2)
				return false;
			c = c << 6 | (p[i + k] & 0x3fU);
		}
		if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
		i += n;
	}
	return true;
}

static void test_utf8(void **state)
{
	uint8_t long_text[40];
	uint32_t v;
	size_t i;

	(void)state;
	assert_true(utf8_valid(NULL, 0));
	assert_true(utf8_valid("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15));
	// all sequences of two bytes, and of four with every combination of marks that matter
	for (v = 0; v < 0x10000; v++) {
		uint8_t p[4] = {(uint8_t)(v >> 8), (uint8_t)v, 0x80, 0xbf};

		for (i = 1; i <= sizeof(p); i++)
			assert_true(utf8_valid(p, i) == slow_utf8(p, i));
		p[2] = (uint8_t)(v * 7 >> 3);
		assert_true(utf8_valid(p, 4) == slow_utf8(p, 4));
	}
	// a bad byte is seen wherever it stands
	for (i = 0; i < sizeof(long_text); i++) {
		memset(long_text, 'a', sizeof(long_text));
		assert_true(utf8_valid(long_text, sizeof(long_text)));
		long_text[i] = 0x80;
		assert_false(utf8_valid(long_text, sizeof(long_text)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_bytes), cmocka_unit_test(test_varint_sizes),
		cmocka_unit_test(test_zigzag),	    cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_malformed),   cmocka_unit_test(test_noise),
		cmocka_unit_test(test_packed),	    cmocka_unit_test(test_packed_agrees),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests_name("pb", tests, NULL, NULL);
}
