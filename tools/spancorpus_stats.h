// SPDX-License-Identifier: Apache-2.0
// Shared by the spancorpus_stats*.c files: claims, and the three measurements that stats makes
// of a corpus besides counting its quotas.
#ifndef TOOLS_SPANCORPUS_STATS_H
#define TOOLS_SPANCORPUS_STATS_H

#include <inttypes.h>

#include "common/pb.h"
#include "gen/segment.h"
#include "tools/spancorpus.h"
#include "tools/spancorpus_stat_tests.h"

// ---- Claims --------------------------------------------------------------------------------

struct claims {
	void *list; // json_t *: array of {claim, expected, measured, holds}
	unsigned broken;
};

// `bound` says in words what `holds` was decided by.
void claim(struct claims *c, const char *name, const char *bound, bool holds, const char *fmt,
	   ...) PRINTF_LIKE(5, 6);
void claim_count(struct claims *c, const char *name, uint64_t expected, uint64_t measured);
// A figure without a bound.
void claim_report(struct claims *c, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
// Pearson's test of counts against shares; nothing when there are too few.
void claim_chi_square(struct claims *c, const char *name, const uint64_t *observed,
		      const double *share, size_t bins);

// What the recipe makes of a corpus: NULL when it is not one that this program generates.
struct model {
	struct plan *plan;
	struct segment_set *segments; // text lengths are not calibrated
};

// ---- Measurements --------------------------------------------------------------------------

// Trees, callee lists, errors at both ends of a call, retries: from the columns of all blocks.
struct tree_stats;
struct tree_stats *tree_stats_new(const struct source *s, const struct model *m);
void tree_stats_free(struct tree_stats *t); // NULL is fine
void tree_stats_add(struct tree_stats *t, const struct block_worker *w);
void tree_stats_claims(const struct tree_stats *t, struct claims *c);

// Root starts, calls inside their Exit spans, latencies, durations, variants, clock skew: from
// the columns of all blocks.
struct time_stats;
struct time_stats *time_stats_new(const struct source *s, const struct model *m);
void time_stats_free(struct time_stats *t); // NULL is fine
void time_stats_add(struct time_stats *t, const struct block_worker *w);
void time_stats_claims(const struct time_stats *t, struct claims *c);

// Row sizes and compression: from rendered rows of some blocks.
struct size_stats;
struct size_stats *size_stats_new(const struct source *s, const struct model *m);
void size_stats_free(struct size_stats *z); // NULL is fine
enum status size_stats_add(struct size_stats *z, struct block_worker *w,
			   struct err *e) MUST_CHECK;
// Compresses what is pending first.
void size_stats_claims(struct size_stats *z, struct claims *c);

// ---- Columns -------------------------------------------------------------------------------

// First template of a row's operation, or of the operation that an Exit span calls.
static inline const struct span_template *template_of(const struct dict *d, uint32_t operation,
						      uint32_t ref)
{
	return &d->template[d->operation[operation].first_template + (ref - 1) / 2];
}

// Marks the operations whose callers are producers of a message queue.
void mark_messages(const struct dict *d, bool *is_message);

#endif
