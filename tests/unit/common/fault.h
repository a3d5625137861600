// SPDX-License-Identifier: Apache-2.0
// Makes the nth allocation from now on fail (and all later ones, as in a system without
// memory). A test that uses it has the line `// LINK:
// -Wl,--wrap=malloc,--wrap=realloc,--wrap=calloc` and includes this header once, in its main
// file: the definitions are here because a test is one source file.
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_calloc(size_t count, size_t size);

// Allocations that still succeed; negative: all. One thread only.
static long fault_alloc_left = -1;

static int fault_alloc_now(void)
{
	if (fault_alloc_left < 0)
		return 0;
	if (fault_alloc_left == 0)
		return 1;
	fault_alloc_left--;
	return 0;
}

void *__wrap_malloc(size_t size)
{
	return fault_alloc_now() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fault_alloc_now() ? NULL : __real_realloc(p, size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fault_alloc_now() ? NULL : __real_calloc(count, size);
}

#endif
