// SPDX-License-Identifier: Apache-2.0
// What every unit test needs: cmocka with its prerequisites, and a check of an error's status
// and text together.
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"

// The call returned `code`, the record says the same, and its text is `text`.
#define assert_fails(st, e, want, message)                                                     \
	do {                                                                                   \
		assert_int_equal((st), (want));                                                \
		assert_int_equal((e).code, (want));                                            \
		assert_string_equal((e).text, (message));                                      \
	} while (0)

#define assert_ok(st, e)                                                                       \
	do {                                                                                   \
		if ((st) != OK)                                                                \
			fail_msg("unexpected error: %s", (e).text);                            \
	} while (0)

#endif
