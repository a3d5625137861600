// SPDX-License-Identifier: Apache-2.0
// Unit tests of common/log: what reaches stderr, with the time handed in.
#include "tests/unit/common/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/log.h"

struct capture {
	int saved;
	FILE *file;
};

static void capture_begin(struct capture *c)
{
	c->file = tmpfile();
	assert_non_null(c->file);
	fflush(stderr);
	c->saved = dup(STDERR_FILENO);
	assert_true(c->saved >= 0);
	assert_true(dup2(fileno(c->file), STDERR_FILENO) >= 0);
}

static void capture_end(struct capture *c, const char *want)
{
	char text[2000];
	size_t size;

	fflush(stderr);
	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	rewind(c->file);
	size = fread(text, 1, sizeof(text) - 1, c->file);
	text[size] = '\0';
	fclose(c->file);
	assert_string_equal(text, want);
}

static void test_plain(void **state)
{
	struct capture c;
	struct log l;
	int64_t s = NS_PER_S;

	(void)state;
	capture_begin(&c);
	log_init(&l, "prog", false);
	log_note(&l, "hello %d", 1);
	log_progress(&l, 100 * s, "a"); // starts the clock
	log_progress(&l, 109 * s, "b");
	log_progress(&l, 110 * s, "c");
	log_progress(&l, 111 * s, "d");
	log_progress(&l, 120 * s, "e %s", "x");
	log_progress_end(&l);
	log_note(&l, "bye");
	capture_end(&c, "prog: hello 1\nprog: c\nprog: e x\nprog: bye\n");
	assert_false(l.is_terminal);
}

static void test_terminal(void **state)
{
	struct capture c;
	struct log l;
	int64_t ms = NS_PER_MS;

	(void)state;
	capture_begin(&c);
	log_init(&l, "prog", false);
	l.is_terminal = true;
	log_progress(&l, 1000 * ms, "a");
	log_progress(&l, 1199 * ms, "b");
	log_progress(&l, 1200 * ms, "c");
	log_note(&l, "n");		  // finishes the line first
	log_progress(&l, 1201 * ms, "d"); // a new line need not wait
	log_progress_end(&l);
	log_progress_end(&l);
	capture_end(&c, "\rprog: a\033[K\rprog: c\033[K\nprog: n\n\rprog: d\033[K\n");
}

// A line that wraps could not be rewritten: 79 columns, the program's name among them.
static void test_terminal_width(void **state)
{
	const char *digits = "0123456789012345678901234567890123456789";
	struct capture c;
	struct log l;

	(void)state;
	capture_begin(&c);
	log_init(&l, "prog", false);
	l.is_terminal = true;
	log_progress(&l, NS_PER_S, "%s%s", digits, digits);
	log_progress_end(&l);
	capture_end(&c, "\rprog: 0123456789012345678901234567890123456789"
			"012345678901234567890123456789012\033[K\n");
}

static void test_quiet(void **state)
{
	struct capture c;
	struct log l;

	(void)state;
	capture_begin(&c);
	log_init(&l, "prog", true);
	l.is_terminal = true;
	log_progress(&l, NS_PER_S, "a");
	log_progress(&l, 100 * NS_PER_S, "b");
	log_note(&l, "still here");
	log_progress_end(&l);
	capture_end(&c, "prog: still here\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_terminal_width),
		cmocka_unit_test(test_quiet),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
