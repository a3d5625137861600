// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share. Each fuzz_*.c defines LLVMFuzzerTestOneInput; libFuzzer drives
// it in the fuzz flavour, driver.c in every other one. A target ends with fuzz_must when
// something that has to hold does not.
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "common/corpus.h"
#include "common/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Prints the place and what does not hold, and aborts.
#define fuzz_must(condition)                                                                   \
	((condition) ? (void)0 : fuzz_broken(__FILE__, __LINE__, #condition))
_Noreturn void fuzz_broken(const char *file, int line, const char *what);

// s is OK exactly when *e says so, and a refusal has a text.
void fuzz_check_error(enum status s, const struct err *e);

// Renders every row of a block that block_decode accepted, and holds the ways to do it against
// each other: order, columns, ids, blobs forwards and backwards, into too little room.
void fuzz_render(const struct dict *d, const struct recipe *r, const struct block *b);

// The blob of a row into out (cleared first), written the slow way; columns: render_row's.
void fuzz_reference_blob(const struct dict *d, const struct block *b, uint32_t row,
			 const struct row *columns, struct buf *out);

// What block_decode accepted is encoded, decoded and encoded again: the same bytes.
void fuzz_block_again(const struct dict *d, const struct block *b);

// A recipe that is in range.
struct recipe fuzz_recipe(void);

#endif
