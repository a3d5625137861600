// SPDX-License-Identifier: Apache-2.0
// How the rows of a trace hang together: who calls whom, which rows are in error, when a trace
// starts. Pure. Who makes a row is plan's, what a row looks like inside is segment's.
#ifndef GEN_SHAPE_H
#define GEN_SHAPE_H

#include "gen/plan.h"
#include "gen/quota.h"

#define CALLS_PER_ROW_MAX 7u

// Invariant of a finished block: is_error == is_origin, or a child reaches its parent with its
// error; see shape_reaches_parent.
struct shape_row {
	uint32_t instance, operation;
	uint32_t up;   // how many rows before this one its caller stands; 0 for the root
	uint8_t depth; // 1 for the root
	uint8_t calls; // children, at most CALLS_PER_ROW_MAX
	bool is_async; // a message consumer: its errors stay with it
	bool is_error;
	bool is_origin;	 // the error arises in this row
	bool propagates; // an error of this row becomes one of its caller
};

// Draws the rows first_row .. first_row + size - 1 (1 <= size <= TRACE_ROWS_MAX) from the plan,
// orders them (layer, synchronous first, popularity of the service, number), and makes them a
// tree. is_async: one per operation.
void shape_tree(const struct plan *p, const bool *is_async, uint64_t first_row, uint32_t size,
		struct shape_row *rows);

// Decides the errors of a block whose trees are made; exactly pb->error_rows rows are in error.
void shape_errors(const struct recipe *r, const struct plan_block *pb, struct shape_row *rows);

// Root starts of the block's traces, ascending, uniform in the block's window.
void shape_starts(uint64_t seed, const struct plan_block *pb, uint64_t *starts_ms);

// The row is in error and hands that to its caller.
static inline bool shape_reaches_parent(const struct shape_row *row)
{
	return row->is_error && row->propagates && !row->is_async && row->up > 0;
}

#endif
