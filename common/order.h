// SPDX-License-Identifier: Apache-2.0
// The order in which the rows of a block are output: sorted by a key, late ones moved behind
// others, copies of some added. Pure. FORMAT.md, section 5.5, is the specification; which rows
// are late or come twice is stored in the block and drawn by gen.
#ifndef COMMON_ORDER_H
#define COMMON_ORDER_H

#include "common/base.h"

// order[0..rows-1]: the rows by rising key, equal ones by number. scratch: as large.
void order_sort(const int64_t *key, uint32_t rows, uint32_t *order, uint32_t *scratch);

// Rows to be put elsewhere, by rising number: the first as it is, then differences; and how
// far. Numbers are below the rows of the block, distances at least 1.
struct order_moves {
	const uint32_t *row, *by;
	uint32_t count;
};

// order[0..rows-1], sorted, with the late rows behind `by` more of those on time, but not
// behind more than there are.
void order_move_late(uint32_t *order, uint32_t rows, const struct order_moves *late);

// Adds a copy of each of the rows, behind `by` more rows than there are up to and including it,
// but not behind more than there are. order: room for rows + copies->count entries; is_copy (as
// large) says which are copies.
void order_add_copies(uint32_t *order, uint32_t rows, const struct order_moves *copies,
		      uint8_t *is_copy);

#endif
