// SPDX-License-Identifier: Apache-2.0
// Unit tests of common/mem: arena limits, alignment, reuse, failing malloc; views.
// LINK: -Wl,--wrap=malloc,--wrap=realloc,--wrap=calloc
#include "tests/unit/common/unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/rng.h"
#include "tests/unit/common/fault.h"

static void test_heap(void **state)
{
	int *v = mem_zalloc(3, sizeof(*v));
	char *s = mem_strdup("abc");
	void *empty = mem_alloc(0);
	void *nothing = mem_zalloc(0, 8);

	(void)state;
	assert_true(v[0] == 0 && v[2] == 0);
	v[2] = 7;
	v = mem_realloc(v, 1000, sizeof(*v));
	assert_int_equal(v[2], 7);
	assert_string_equal(s, "abc");
	assert_non_null(empty);
	assert_non_null(nothing);
	free(v);
	free(s);
	free(empty);
	free(nothing);
}

static void test_arena_join(void **state)
{
	struct arena a = {.max_bytes = 300000}, from = {0};
	struct view mine, theirs, big;

	(void)state;
	theirs = arena_copy(&from, "theirs", 6);
	assert_true(arena_join(&a, &from)); // into an empty one
	assert_true(from.head == NULL && from.used_bytes == 0);
	mine = arena_copy(&a, "mine", 4);
	big = arena_copy(&from, "big", 3);
	assert_non_null(arena_alloc(&from, 1, 200000));
	assert_true(arena_join(&a, &from));
	assert_true(a.used_bytes == 200000 + 13);
	assert_non_null(arena_alloc(&from, 1, 100000));
	assert_false(arena_join(&a, &from));
	assert_true(from.used_bytes == 100000);
	assert_true(arena_join(&a, &(struct arena){0})); // nothing
	assert_true(view_equal(theirs, VIEW("theirs")) && view_equal(mine, VIEW("mine")) &&
		    view_equal(big, VIEW("big")));
	arena_free(&from);
	arena_free(&a);
}

// Runs `f` in a child; it must abort with `message` on stderr.
static void assert_aborts(void (*f)(void), const char *message)
{
	char text[200] = "";
	size_t size = 0;
	ssize_t n;
	int fds[2], rc;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(fds[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		f();
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(child, &rc, 0), child);
	assert_true(WIFSIGNALED(rc) && WTERMSIG(rc) == SIGABRT);
	assert_string_equal(text, message);
}

static void alloc_without_memory(void)
{
	fault_alloc_left = 0;
	free(mem_alloc(77));
}

static void zalloc_without_memory(void)
{
	fault_alloc_left = 0;
	free(mem_zalloc(3, 5));
}

static void realloc_overflow(void)
{
	free(mem_realloc(NULL, SIZE_MAX / 2, 4));
}

static void test_heap_aborts(void **state)
{
	char message[100];

	(void)state;
	assert_aborts(alloc_without_memory, "out of memory: 1 x 77 bytes wanted\n");
	assert_aborts(zalloc_without_memory, "out of memory: 3 x 5 bytes wanted\n");
	snprintf(message, sizeof(message), "out of memory: %zu x 4 bytes wanted\n",
		 SIZE_MAX / 2);
	assert_aborts(realloc_overflow, message);
}

static void test_views(void **state)
{
	struct view none = {NULL, 0};

	(void)state;
	assert_true(view_equal(VIEW("abc"), view_of("abc")));
	assert_false(view_equal(VIEW("abc"), VIEW("abd")));
	assert_false(view_equal(VIEW("abc"), VIEW("ab")));
	assert_true(view_equal(none, VIEW("")));
	assert_int_equal(VIEW("a\0b").size, 3);
}

// Random sizes: blocks are zeroed, aligned, and nobody writes into another's block; again after
// a reset.
static void test_arena_blocks(void **state)
{
	enum { COUNT = 2000 };
	struct arena a = {0};
	unsigned char *blocks[COUNT];
	size_t sizes[COUNT];
	unsigned round, i;
	size_t k;

	(void)state;
	for (round = 0; round < 3; round++) {
		uint64_t key = rng_key(3, RNG_SAMPLE, round);

		for (i = 0; i < COUNT; i++) {
			uint64_t bits = rng_draw(key, i);

			sizes[i] = i % 500 == 499 ? 3 * MIB : rng_below(bits, 700);
			if (i % 3 == 0) {
				blocks[i] = arena_alloc(&a, sizes[i], 1);
				assert_non_null(blocks[i]);
				assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t),
						 0);
				for (k = 0; k < sizes[i]; k++)
					assert_int_equal(blocks[i][k], 0);
				memset(blocks[i], (int)i & 0xff, sizes[i]);
			} else {
				char *bytes = malloc(sizes[i] + 1);

				assert_non_null(bytes);
				memset(bytes, (int)i & 0xff, sizes[i] + 1);
				blocks[i] = (unsigned char *)(uintptr_t)arena_copy(&a, bytes,
										   sizes[i])
						    .data;
				assert_non_null(blocks[i]);
				free(bytes);
			}
		}
		for (i = 0; i < COUNT; i++) {
			for (k = 0; k < sizes[i]; k++)
				assert_int_equal(blocks[i][k], i & 0xff);
		}
		assert_true(a.used_bytes >= 4 * 3 * MIB);
		arena_reset(&a);
		assert_int_equal(a.used_bytes, 0);
		assert_non_null(a.head);
	}
	arena_free(&a);
	assert_null(a.head);
	arena_free(&a);
	arena_reset(&a);
}

static void test_arena_limits(void **state)
{
	struct arena a = {.max_bytes = 1000};
	struct view v;

	(void)state;
	assert_non_null(arena_alloc(&a, 10, 100));
	assert_null(arena_alloc(&a, 1, 1));
	v = arena_copy(&a, "x", 1);
	assert_true(v.data == NULL && v.size == 0);
	arena_reset(&a);
	assert_null(arena_alloc(&a, 1, 1001));
	assert_non_null(arena_alloc(&a, 1, 999)); // a refusal takes nothing
	assert_null(arena_alloc(&a, SIZE_MAX, 2));
	assert_null(arena_alloc(&a, 1, SIZE_MAX));
	arena_free(&a);
	a.max_bytes = 0;
	assert_null(arena_alloc(&a, 1, SIZE_MAX - 8)); // no room for the chunk's head
	v = arena_copy(&a, NULL, 0);
	assert_true(v.data != NULL && v.size == 0);
	arena_free(&a);
}

// Every malloc fails once; what was there stays usable.
static void test_arena_malloc_fails(void **state)
{
	long n;

	(void)state;
	for (n = 0;; n++) {
		struct arena a = {0};
		unsigned got = 0, i;

		fault_alloc_left = n;
		for (i = 0; i < 5; i++)
			got += arena_alloc(&a, 1, 100 * KIB) != NULL;
		fault_alloc_left = -1;
		assert_true(got <= 5);
		if (got == 5) {
			arena_free(&a);
			break;
		}
		assert_non_null(arena_alloc(&a, 1, 100 * KIB));
		arena_free(&a);
	}
	assert_true(n >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heap),
		cmocka_unit_test(test_heap_aborts),
		cmocka_unit_test(test_arena_join),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_arena_blocks),
		cmocka_unit_test(test_arena_limits),
		cmocka_unit_test(test_arena_malloc_fails),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
