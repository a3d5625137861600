// SPDX-License-Identifier: Apache-2.0
// Unit tests of spancorpus_otlp: a segment with everything a generated one lacks (second
// reference, keys that occur twice, a log without a name) to known bytes and a known line;
// peers; malformed blobs. tests/e2e/otlp.sh compares whole corpora.
#include "tests/unit/common/unit.h"

#include "common/pb.h"
#include "tools/spancorpus.h"

#define START_MS UINT64_C(1717200000000)

static void put_pair(struct buf *out, uint32_t field, const char *key, const char *value)
{
	struct buf pair;

	buf_init(&pair, KIB);
	pb_put_string(&pair, 1, key);
	pb_put_string(&pair, 2, value);
	pb_put_bytes(out, field, pair.data, pair.size);
	buf_free(&pair);
}

static void put_reference(struct buf *span, const char *trace, const char *segment,
			  uint64_t number)
{
	struct buf reference;

	buf_init(&reference, KIB);
	pb_put_string(&reference, 2, trace);
	pb_put_string(&reference, 3, segment);
	pb_put_uint_nz(&reference, 4, number);
	pb_put_bytes(span, 5, reference.data, reference.size);
	buf_free(&reference);
}

static void put_log(struct buf *span, uint64_t time_ms, const char *key, const char *value,
		    const char *again)
{
	struct buf line;

	buf_init(&line, KIB);
	pb_put_uint(&line, 1, time_ms);
	put_pair(&line, 2, key, value);
	if (again != NULL)
		put_pair(&line, 2, key, again);
	pb_put_bytes(span, 13, line.data, line.size);
	buf_free(&line);
}

static void put_span(struct buf *out)
{
	struct buf span;

	buf_init(&span, KIB);
	pb_put_uint(&span, 2, UINT64_MAX); // -1
	pb_put_uint(&span, 3, START_MS);
	pb_put_uint(&span, 4, START_MS + 9);
	put_reference(&span, "t0", "s0", 2);
	put_reference(&span, "t9", "s9", 0);
	pb_put_string(&span, 6, "q\"\n\x01\xc3\xa9");
	pb_put_string(&span, 7, "mq:9092");
	pb_put_uint(&span, 9, 4); // MQ
	pb_put_uint(&span, 11, 1);
	put_pair(&span, 12, "k", "a");
	put_pair(&span, 12, "k", "b");
	put_pair(&span, 12, "sw8.span_id", "7");
	put_pair(&span, 12, "e", "");
	put_log(&span, START_MS + 4, "event", "error", "x");
	put_log(&span, START_MS + 5, "m", "v", NULL);
	pb_put_bytes(out, 3, span.data, span.size);
	buf_free(&span);
}

static void put_ids(struct buf *out)
{
	pb_put_string(out, 1, "t1");
	pb_put_string(out, 2, "s1");
	pb_put_string(out, 4, "svc");
	pb_put_string(out, 5, "ins");
}

static struct view view_of_buf(const struct buf *b)
{
	return (struct view){(const char *)b->data, b->size};
}

// The request as text, NUL-terminated; borrowed from *out.
static const char *request(bool json, struct view blob, struct buf *out)
{
	struct otlp *o = otlp_new(json);
	struct err e = {0};

	buf_clear(out);
	assert_ok(otlp_put_request(o, blob, out, &e), e);
	otlp_free(o);
	buf_put_u8(out, 0);
	assert_false(out->failed);
	return (const char *)out->data;
}

// Made by OpenTelemetry's Python classes and xxhash from the same segment.
static const char known_bytes[] =
	"0ae3020a350a150a0c736572766963652e6e616d6512050a037376630a1c0a13"
	"736572766963652e696e7374616e63652e696412050a03696e7312a90212a602"
	"0a10a94d750d3a17fbe5c03234fac12ac33c1208580e00f24d9e04dc22088291"
	"6bc57aeaa2b42a0671220a01c3a930053900004d484db8d417414054d6484db8"
	"d4174a140a0c7377382e74726163655f696412040a0274314a160a0e7377382e"
	"7365676d656e745f696412040a0273314a110a0b7377382e7370616e5f696412"
	"0218004a160a0e7365727665722e6164647265737312040a026d714a120a0b73"
	"65727665722e706f727412031884474a080a016b12030a01614a070a01651202"
	"0a0050025a240900098a484db8d41712056572726f721a100a056576656e7412"
	"070a056572726f7220015a1809404b99484db8d41712036c6f671a080a016d12"
	"030a01766a1c0a100bad824cefd82e2a2db948cc9f0e9b181208e968824cc9d2"
	"79547a021802";

static void test_known_bytes(void **state)
{
	struct buf blob, out, hex;
	size_t size = (sizeof(known_bytes) - 1) / 2;

	(void)state;
	buf_init(&blob, KIB);
	buf_init(&out, 4 * KIB);
	buf_init(&hex, 4 * KIB);
	put_ids(&blob);
	put_span(&blob);
	request(false, view_of_buf(&blob), &out);
	assert_int_equal(out.size, 2 + size + 1);     // length, message, NUL
	assert_memory_equal(out.data, "\xe6\x02", 2); // 358
	for (size_t i = 0; i < size; i++)
		buf_printf(&hex, "%02x", out.data[2 + i]);
	buf_put_u8(&hex, 0);
	assert_string_equal((const char *)hex.data, known_bytes);

	// Fields may come in any order: ids after the spans that need them.
	buf_clear(&blob);
	put_span(&blob);
	put_ids(&blob);
	buf_clear(&hex);
	request(false, view_of_buf(&blob), &out);
	for (size_t i = 0; i < size; i++)
		buf_printf(&hex, "%02x", out.data[2 + i]);
	buf_put_u8(&hex, 0);
	assert_string_equal((const char *)hex.data, known_bytes);
	buf_free(&blob);
	buf_free(&out);
	buf_free(&hex);
}

static const char known_line[] =
	"{\"resourceSpans\":[{\"resource\":{\"attributes\":["
	"{\"key\":\"service.name\",\"value\":{\"stringValue\":\"svc\"}},"
	"{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"ins\"}}]},"
	"\"scopeSpans\":[{\"spans\":[{\"traceId\":\"a94d750d3a17fbe5c03234fac12ac33c\","
	"\"spanId\":\"580e00f24d9e04dc\",\"parentSpanId\":\"82916bc57aeaa2b4\","
	"\"name\":\"q\\\"\\n\\u0001\xc3\xa9\",\"kind\":5,"
	"\"startTimeUnixNano\":\"1717200000000000000\","
	"\"endTimeUnixNano\":\"1717200000009000000\",\"attributes\":["
	"{\"key\":\"sw8.trace_id\",\"value\":{\"stringValue\":\"t1\"}},"
	"{\"key\":\"sw8.segment_id\",\"value\":{\"stringValue\":\"s1\"}},"
	"{\"key\":\"sw8.span_id\",\"value\":{\"intValue\":\"0\"}},"
	"{\"key\":\"server.address\",\"value\":{\"stringValue\":\"mq\"}},"
	"{\"key\":\"server.port\",\"value\":{\"intValue\":\"9092\"}},"
	"{\"key\":\"k\",\"value\":{\"stringValue\":\"a\"}},"
	"{\"key\":\"e\",\"value\":{\"stringValue\":\"\"}}],\"droppedAttributesCount\":2,"
	"\"events\":[{\"timeUnixNano\":\"1717200000004000000\",\"name\":\"error\","
	"\"attributes\":[{\"key\":\"event\",\"value\":{\"stringValue\":\"error\"}}],"
	"\"droppedAttributesCount\":1},"
	"{\"timeUnixNano\":\"1717200000005000000\",\"name\":\"log\","
	"\"attributes\":[{\"key\":\"m\",\"value\":{\"stringValue\":\"v\"}}]}],"
	"\"links\":[{\"traceId\":\"0bad824cefd82e2a2db948cc9f0e9b18\","
	"\"spanId\":\"e968824cc9d27954\"}],\"status\":{\"code\":2}}]}]}]}\n";

static void test_known_line(void **state)
{
	struct buf blob, out;

	(void)state;
	buf_init(&blob, KIB);
	buf_init(&out, 4 * KIB);
	put_ids(&blob);
	put_span(&blob);
	assert_string_equal(request(true, view_of_buf(&blob), &out), known_line);
	// An empty blob is a segment with nothing in it.
	assert_string_equal(request(true, VIEW(""), &out),
			    "{\"resourceSpans\":[{\"resource\":{\"attributes\":["
			    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"\"}},"
			    "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":"
			    "\"\"}}]},\"scopeSpans\":[{\"spans\":[]}]}]}\n");
	buf_free(&blob);
	buf_free(&out);
}

// Only one plain host:port is taken apart.
static void test_peers(void **state)
{
	static const struct {
		const char *peer, *address, *port;
	} cases[] = {
		{"db.internal:3306", "db.internal", "3306"},
		{"h:65535", "h", "65535"},
		{"h:65536", "h:65536", NULL},
		{"h:0", "h:0", NULL},
		{"h:080", "h:080", NULL},
		{"h:", "h:", NULL},
		{"h", "h", NULL},
		{":80", ":80", NULL},
		{"localhost:-1", "localhost:-1", NULL},
		{"::1", "::1", NULL},
		{"a:9092;b:9092", "a:9092;b:9092", NULL},
	};
	struct buf span, blob, out;
	char want[128];

	(void)state;
	buf_init(&span, KIB);
	buf_init(&blob, KIB);
	buf_init(&out, 4 * KIB);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *text;

		buf_clear(&span);
		pb_put_string(&span, 7, cases[i].peer);
		buf_clear(&blob);
		pb_put_bytes(&blob, 3, span.data, span.size);
		text = request(true, view_of_buf(&blob), &out);
		snprintf(want, sizeof(want),
			 "\"server.address\",\"value\":{\"stringValue\":\"%s\"}",
			 cases[i].address);
		assert_non_null(strstr(text, want));
		snprintf(want, sizeof(want), "\"server.port\",\"value\":{\"intValue\":\"%s\"}",
			 cases[i].port != NULL ? cases[i].port : "");
		assert_int_equal(strstr(text, want) != NULL, cases[i].port != NULL);
		assert_int_equal(strstr(text, "server.port") != NULL, cases[i].port != NULL);
	}
	buf_free(&span);
	buf_free(&blob);
	buf_free(&out);
}

// A type that SkyWalking may add one day is no kind; a Local span on the layer MQ is internal.
static void test_kinds(void **state)
{
	static const struct {
		uint64_t type, layer;
		const char *kind;
	} cases[] = {
		{0, 3, "\"kind\":2,"}, {1, 1, "\"kind\":3,"}, {2, 0, "\"kind\":1,"},
		{0, 4, "\"kind\":5,"}, {1, 4, "\"kind\":4,"}, {2, 4, "\"kind\":1,"},
		{7, 0, "\"kind\":0,"},
	};
	struct buf span, blob, out;

	(void)state;
	buf_init(&span, KIB);
	buf_init(&blob, KIB);
	buf_init(&out, 4 * KIB);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&span);
		pb_put_uint(&span, 8, cases[i].type);
		pb_put_uint(&span, 9, cases[i].layer);
		buf_clear(&blob);
		pb_put_bytes(&blob, 3, span.data, span.size);
		assert_non_null(strstr(request(true, view_of_buf(&blob), &out), cases[i].kind));
	}
	buf_free(&span);
	buf_free(&blob);
	buf_free(&out);
}

static void test_malformed(void **state)
{
	static const struct view cases[] = {
		VIEW_INIT("BLOB"),
		VIEW_INIT("\x0a\x05t"),			       // cut
		VIEW_INIT("\x08\x01"),			       // trace id as a number
		VIEW_INIT("\x0a\x01\xff"),		       // not UTF-8
		VIEW_INIT("\x18\x01"),			       // a span that is a number
		VIEW_INIT("\x1a\x02\x0a\x00"),		       // span id as a text
		VIEW_INIT("\x1a\x03\x32\x01\xff"),	       // operation name
		VIEW_INIT("\x1a\x02\x60\x01"),		       // a tag that is a number
		VIEW_INIT("\x1a\x05\x62\x03\x0a\x01\xc0"),     // key of a tag
		VIEW_INIT("\x1a\x05\x6a\x03\x12\x01\x0a"),     // pair of a log, cut
		VIEW_INIT("\x1a\x02\x28\x01"),		       // a reference that is a number
		VIEW_INIT("\x1a\x06\x2a\x00\x2a\x02\x12\x05"), // second reference, cut
		// times: before 1970, and beyond 64 bits of nanoseconds
		VIEW_INIT("\x1a\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		VIEW_INIT("\x1a\x08\x20\x80\x80\x80\x80\x80\x80\x08"),
	};
	struct buf out;

	(void)state;
	buf_init(&out, 4 * KIB);
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct otlp *o = otlp_new(i % 2 == 1);
		struct err e = {0};

		assert_fails(otlp_put_request(o, cases[i / 2], &out, &e), e, ERR_FORMAT,
			     "the blob is not a SegmentObject");
		otlp_free(o);
	}
	otlp_free(NULL);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_bytes), cmocka_unit_test(test_known_line),
		cmocka_unit_test(test_peers),	    cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
