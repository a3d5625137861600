// SPDX-License-Identifier: Apache-2.0
// The gRPC message splitter of spansink: whatever the cuts, the messages are the same.
#include "replay/sink_frame.h"
#include "tests/unit/common/unit.h"

// Three messages: "ab", an empty one, "xyz".
static const char three[] = "\0\0\0\0\2ab"
			    "\0\0\0\0\0"
			    "\0\0\0\0\3xyz";
#define THREE_SIZE (sizeof(three) - 1)

// Feeds the input in pieces of step bytes; joins the messages with '|'.
static void split(size_t step, char out[64])
{
	struct sink_frame f;
	size_t n = 0;

	sink_frame_init(&f);
	for (size_t at = 0; at < THREE_SIZE; at += step) {
		size_t size = THREE_SIZE - at < step ? THREE_SIZE - at : step;
		char *copy = malloc(size); // of exactly that size, so that ASan sees overruns
		struct view in = {copy, size}, message;

		memcpy(copy, three + at, size);
		while (sink_frame_next(&f, &in, &message) == SINK_FRAME_MESSAGE) {
			if (message.size > 0)
				memcpy(out + n, message.data, message.size);
			n += message.size;
			out[n++] = '|';
		}
		assert_int_equal(in.size, 0);
		free(copy);
	}
	out[n] = '\0';
	assert_false(sink_frame_cut(&f));
	sink_frame_free(&f);
}

static void test_any_cut_gives_the_same_messages(void **state)
{
	char out[64];

	(void)state;
	for (size_t step = 1; step <= THREE_SIZE; step++) {
		split(step, out);
		assert_string_equal(out, "ab||xyz|");
	}
}

static void test_a_cut_message_is_noticed(void **state)
{
	struct view in, message;
	struct sink_frame f;

	(void)state;
	for (size_t size = 1; size < 7; size++) {
		sink_frame_init(&f);
		in = (struct view){three, size};
		assert_int_equal(sink_frame_next(&f, &in, &message), SINK_FRAME_MORE);
		assert_true(sink_frame_cut(&f));
		sink_frame_free(&f);
	}
}

static enum sink_frame_result first(const char *head, struct sink_frame *f)
{
	struct view in = {head, SINK_FRAME_HEAD}, message;

	sink_frame_init(f);
	return sink_frame_next(f, &in, &message);
}

static void test_size_limit(void **state)
{
	struct sink_frame f;

	(void)state;
	assert_int_equal(first("\0\1\0\0\0", &f), SINK_FRAME_MORE); // 16 MiB: the most
	sink_frame_free(&f);
	assert_int_equal(first("\0\1\0\0\1", &f), SINK_FRAME_TOO_LARGE);
	assert_int_equal(f.size_bytes, SINK_MESSAGE_MAX + 1);
	sink_frame_free(&f);
	assert_int_equal(first("\0\377\377\377\377", &f), SINK_FRAME_TOO_LARGE);
	sink_frame_free(&f);
}

static void test_compressed_is_refused(void **state)
{
	struct sink_frame f;

	(void)state;
	assert_int_equal(first("\1\0\0\0\2", &f), SINK_FRAME_COMPRESSED);
	sink_frame_free(&f);
}

// The length of a message is a claim: memory grows with what has come of it.
static void test_a_claim_costs_no_memory(void **state)
{
	struct sink_frame f;
	struct view in = {"\0\1\0\0\0xx", 7}, message;

	(void)state;
	sink_frame_init(&f);
	assert_int_equal(sink_frame_next(&f, &in, &message), SINK_FRAME_MORE);
	assert_true(f.partial.capacity < MIB);
	sink_frame_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_cut_gives_the_same_messages),
		cmocka_unit_test(test_a_cut_message_is_noticed),
		cmocka_unit_test(test_size_limit),
		cmocka_unit_test(test_compressed_is_refused),
		cmocka_unit_test(test_a_claim_costs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
