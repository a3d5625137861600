// SPDX-License-Identifier: Apache-2.0
// Unit tests of common/err.
#include "tests/unit/common/unit.h"

#include <errno.h>

static void test_set(void **state)
{
	struct err e = {0};
	enum status st = err_set(&e, ERR_FORMAT, "block %d: bad", 12);

	(void)state;
	assert_fails(st, e, ERR_FORMAT, "block 12: bad");
	assert_int_equal(e.sys_errno, 0);
	assert_true(e.offset == ERR_NO_OFFSET);
	assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
	// an argument may be the old text
	st = err_set(&e, ERR_LIMIT, "<%s>", e.text);
	assert_fails(st, e, ERR_LIMIT, "<block 12: bad>");
}

static void test_one_line(void **state)
{
	struct err e = {0};
	enum status st = err_set(&e, ERR_REMOTE, "a\nb\r\tc\x7f");

	(void)state;
	assert_fails(st, e, ERR_REMOTE, "a b  c ");
}

static void test_truncates(void **state)
{
	struct err e = {0};
	char name[1000];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(err_set(&e, ERR_IO, "%s", name), ERR_IO);
	assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
	// the reason stays whole behind a cut name
	assert_int_equal(err_set_errno(&e, ERR_IO, ENOSPC, "%s", name), ERR_IO);
	assert_true(strlen(e.text) < ERR_TEXT_SIZE);
	assert_string_equal(strstr(e.text, ": "), ": No space left on device");
}

static void test_errno(void **state)
{
	struct err e = {0};
	enum status st = err_set_errno(&e, ERR_NOT_FOUND, ENOENT, "%s: cannot open", "a");

	(void)state;
	assert_fails(st, e, ERR_NOT_FOUND, "a: cannot open: No such file or directory");
	assert_int_equal(e.sys_errno, ENOENT);
	assert_int_equal(err_set_errno(NULL, ERR_IO, EIO, "x"), ERR_IO);
}

static void test_prefix(void **state)
{
	struct err e = {0};
	char longest[ERR_TEXT_SIZE];
	enum status st;

	(void)state;
	assert_int_equal(err_prefix(&e, "nothing"), OK);
	assert_string_equal(e.text, "");

	err_set_errno(&e, ERR_IO, EIO, "read");
	e.offset = 9;
	st = err_prefix(&e, "corpus %s", "small");
	assert_fails(st, e, ERR_IO, "corpus small: read: Input/output error");
	assert_int_equal(e.sys_errno, EIO);
	assert_true(e.offset == 9);
	st = err_prefix(&e, "%s", e.text);
	assert_fails(st, e, ERR_IO,
		     "corpus small: read: Input/output error: corpus small: read: Input/output "
		     "error");

	// a long context is cut, the cause stays
	memset(longest, 'c', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	err_set(&e, ERR_IO, "cause");
	assert_int_equal(err_prefix(&e, "%s", longest), ERR_IO);
	assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
	assert_string_equal(e.text + ERR_TEXT_SIZE - 1 - strlen("c: cause"), "c: cause");
	// both long: a quarter is the context's
	err_set(&e, ERR_IO, "%s", longest);
	e.text[0] = 'C';
	assert_int_equal(err_prefix(&e, "%s", longest), ERR_IO);
	assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
	assert_memory_equal(e.text + ERR_TEXT_SIZE / 4, ": C", 3);
}

// Any lengths fit, and the texts keep their order.
static void test_prefix_lengths(void **state)
{
	char word[ERR_TEXT_SIZE];
	int a, b;

	(void)state;
	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	for (a = 0; a < ERR_TEXT_SIZE; a += 3) {
		for (b = 0; b < ERR_TEXT_SIZE; b += 5) {
			struct err e = {0};
			size_t want = (size_t)(a + b + 2);

			err_set(&e, ERR_IO, "%.*s", b, word);
			assert_int_equal(err_prefix(&e, "%.*s", a, word), ERR_IO);
			if (want > ERR_TEXT_SIZE - 1)
				want = ERR_TEXT_SIZE - 1;
			assert_int_equal(strlen(e.text), want);
			assert_non_null(strstr(e.text, ": "));
		}
	}
}

static void test_tables(void **state)
{
	(void)state;
	assert_int_equal(status_exit_code(OK), 0);
	assert_int_equal(status_exit_code(ERR_USAGE), 2);
	assert_int_equal(status_exit_code(ERR_IO), 1);
	assert_int_equal(status_exit_code(ERR_INVARIANT), 3);
	assert_int_equal(status_exit_code(STATUS_COUNT), 1);
	assert_string_equal(status_text(OK), "ok");
	assert_string_equal(status_text(ERR_INVARIANT), "does not hold");
	assert_string_equal(status_text(STATUS_COUNT), "unknown status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),	  cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_truncates), cmocka_unit_test(test_errno),
		cmocka_unit_test(test_prefix),	  cmocka_unit_test(test_prefix_lengths),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
