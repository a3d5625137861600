// SPDX-License-Identifier: Apache-2.0
// How the rows of a trace hang together: who calls whom, which rows are in error, when a trace
// starts. Pure. Who makes a row is plan's, what a row looks like inside is segment's.
#ifndef GEN_SHAPE_H
#define GEN_SHAPE_H

#include "gen/plan.h"
#include "gen/quota.h"

#define CALLS_PER_ROW_MAX 7u
#define RETRY_PCT 2u
#define ATTEMPTS_MAX 3u

// A row fails when its entry span is in error; its caller sees that, so the Exit span there is
// in error, and the caller fails too unless it has another answer. A row is in error (the
// column isError) when any of its spans is. In a finished block
//
//	fails    == is_origin, or a callee fails and propagates
//	is_error == is_origin, or a callee fails
//
// where callees that are message consumers do not count: their callers are gone.
struct shape_row {
	uint32_t service, instance, operation;
	uint32_t up;   // how many rows before this one its caller stands; 0 for the root
	uint8_t depth; // 1 for the root
	uint8_t calls; // children, at most CALLS_PER_ROW_MAX
	uint8_t place; // which of its caller's calls leads to it
	bool is_async; // a message consumer: its failure stays with it
	bool is_error;
	bool fails;
	bool is_origin;	 // the error arises in this row
	bool propagates; // when it fails, so does its caller
	bool is_retry;	 // the call one place before, which failed, is made again
};

// Draws the rows first_row .. first_row + size - 1 (1 <= size <= TRACE_ROWS_MAX) from the plan,
// orders them (layer, synchronous first, popularity of the service, operation, number), and
// makes them a tree: a caller is of a lower layer if one has room, then one that lists the
// row's service as callee (plan_callees), and among those it is drawn with weight 1 / depth^2.
// is_async: one per operation.
void shape_tree(const struct plan *p, const bool *is_async, uint64_t first_row, uint32_t size,
		struct shape_row *rows);

// Decides the errors of a block whose trees are made, exactly pb->error_rows rows are in error;
// then RETRY_PCT of the calls that fail are made again, as far as the trees allow it: a trace
// must have the same service and operation twice under one caller. The attempts are neighbours
// in the caller's calls, all but the last have failed, and the last one's outcome is the
// caller's.
void shape_errors(const struct recipe *r, const struct plan_block *pb, struct shape_row *rows);

// Root starts of the block's traces, ascending, uniform in the block's window.
void shape_starts(uint64_t seed, const struct plan_block *pb, uint64_t *starts_ms);

// The row's caller sees it fail.
static inline bool shape_fails_parent(const struct shape_row *row)
{
	return row->fails && !row->is_async && row->up > 0;
}

#endif
