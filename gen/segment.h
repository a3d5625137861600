// SPDX-License-Identifier: Apache-2.0
// What a segment contains: names, operations, span templates (the dictionary), and for one row
// the inner spans, their times and hole values. Pure after segment_new. Which rows exist, their
// tree and their errors come from shape.
#ifndef GEN_SEGMENT_H
#define GEN_SEGMENT_H

#include <stddef.h>

#include "common/corpus.h"
#include "gen/plan.h"

struct segment_set;
// What building the same operations at another scale need not find out again.
struct segment_memo;
struct segment_memo *segment_memo_new(const struct plan *p);
void segment_memo_free(struct segment_memo *m);

// Builds the dictionary. scale_1024: multiplies the mean row that each operation aims at, by
// longer texts and more spans or shorter and fewer (1024: recipe.row_bytes); the caller
// calibrates it, as calls and errors depend on the trees of rows. Operations are built by
// `threads` workers (>= 1); what they say does not depend on that. memo: of the same plan, may
// be NULL.
enum status segment_set_new(struct segment_set **out, const struct plan *p, uint32_t scale_1024,
			    unsigned threads, struct segment_memo *memo,
			    struct err *e) MUST_CHECK;
void segment_set_free(struct segment_set *s);
const struct dict *segment_set_dict(const struct segment_set *s);
// Most of the memory goes: the dictionary has neither texts nor templates any more, rows can
// still be laid out.
void segment_set_forget_texts(struct segment_set *s);

// ---- Laws ----------------------------------------------------------------------------------
// What rows are drawn from, for those who hold a corpus against it.

#define SEGMENT_LAWS 16u // kinds are below

struct segment_law {
	uint32_t kind; // spans of a kind follow the same law of times
	const char *name;
	uint32_t median_us, sigma_pct; // log-normal, but one in a hundred is 20 times as long
	uint32_t mean_us;	       // of whatever law
	uint32_t variant, variants;    // which of how many texts
	bool leads;		       // its variant was drawn for it, not for a span before it
	bool is_self;		       // its duration is one draw: no spans lie within
};
// The law of a template of an operation (0: its first); false for entries, calls and failures.
bool segment_law_of(const struct segment_set *s, uint32_t operation, uint32_t template,
		    struct segment_law *out);
// Of 65,536 draws among `variants` texts, how many fall to each.
void segment_variant_law(uint32_t variants, uint32_t of_65536[]);

// ---- Rows ----------------------------------------------------------------------------------

// A child call of a row, in the order the parent makes them.
struct segment_call {
	uint32_t row;	     // caller's own number of the child, handed back untouched
	uint32_t operation;  // of the child
	uint32_t latency_ms; // of the child
	bool failed;	     // the child fails: its entry span is in error
	bool async; // message queue: the child starts after the producer, outside the parent's
		    // interval
	bool retry; // the call before, which failed, is made again
	// filled by segment_layout:
	uint32_t parent_span; // id of the Exit span
	uint32_t start_ms;    // child's true start - this row's start
};

struct segment_span {
	uint32_t template;	 // as stored: 0 literal, 2k+1 own, 2k+2 callee's
	uint32_t start_delta_ms; // to the span before it in creation order (0 for the first)
	uint32_t duration_ms;	 // (the first span's is the row's latency)
};

#define SEGMENT_SPANS_MAX 300

struct segment_layout {
	uint32_t span_count;
	uint32_t latency_ms;
	struct segment_span span[SEGMENT_SPANS_MAX];
};

// Bytes of a layout that are in use: what lies behind them may be another one.
static inline size_t segment_layout_size(const struct segment_layout *l)
{
	return offsetof(struct segment_layout, span) + l->span_count * sizeof(l->span[0]);
}

struct segment_row {
	uint64_t number; // global row number: key of all draws
	uint32_t operation;
	bool fails;	// its entry span is in error
	bool is_origin; // the error arises in this row: an inner span, if there is one, fails
			// and carries the log
	struct segment_call *call;
	uint32_t call_count;
};

bool segment_operation_is_async(const struct segment_set *s,
				uint32_t operation); // a message consumer
// Lays out the row's spans in time; children must be laid out before (their latency is needed).
void segment_layout(const struct segment_set *s, const struct segment_row *row,
		    struct segment_layout *out);
// Appends the hole values of the laid-out spans to the block's hole columns, in the order
// render reads them: spans in creation order, holes of a template in piece order.
void segment_holes(const struct segment_set *s, const struct segment_row *row,
		   const struct segment_layout *l, struct block *b);

#endif
