// SPDX-License-Identifier: Apache-2.0
// Shared by the spancorpus_stats*.c files: claims, and the measurements that stats makes of a
// corpus besides counting its quotas.
#ifndef TOOLS_SPANCORPUS_STATS_H
#define TOOLS_SPANCORPUS_STATS_H

#include <inttypes.h>

#include "common/pb.h"
#include "gen/segment.h"
#include "tools/spancorpus.h"
#include "tools/spancorpus_stat_tests.h"

// ---- Claims --------------------------------------------------------------------------------

// Services and operations are as popular as the scales have them: bounds of what follows from
// that hold for others too, or not.
bool is_usual_popularity(const struct recipe *r);

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
// With counts of its own, for another worker; borrows what t knows of the corpus.
struct tree_stats *tree_stats_fork(const struct tree_stats *t);
void tree_stats_free(struct tree_stats *t); // NULL is fine
// Adds the counts of `from` to those of t, in any order.
void tree_stats_merge(struct tree_stats *t, const struct tree_stats *from);
void tree_stats_add(struct tree_stats *t, const struct block_worker *w);
void tree_stats_claims(const struct tree_stats *t, struct claims *c);

// Root starts, calls inside their Exit spans, latencies, durations, variants, clock skew: from
// the columns of all blocks.
struct time_stats;
struct time_stats *time_stats_new(const struct source *s, const struct model *m);
struct time_stats *time_stats_fork(const struct time_stats *t);
void time_stats_free(struct time_stats *t); // NULL is fine
void time_stats_merge(struct time_stats *t, const struct time_stats *from);
void time_stats_add(struct time_stats *t, const struct block_worker *w);
void time_stats_claims(const struct time_stats *t, struct claims *c);

// Row sizes and compression in order and per trace: from rendered rows of some blocks, each by
// itself.
struct size_stats;
struct size_stats *size_stats_new(const struct source *s, const struct model *m);
void size_stats_free(struct size_stats *z); // NULL is fine
enum status size_stats_add(struct size_stats *z, struct block_worker *w,
			   struct err *e) MUST_CHECK;
void size_stats_merge(struct size_stats *z, const struct size_stats *from);
void size_stats_claims(const struct size_stats *z, struct claims *c);

// Compression per series: the first rows of some instances, chosen as often as they have rows.
// Workers take, one thread adds in block order.
struct series_stats;
struct series_rows {
	struct buf text; // rows one behind the other
	uint32_t *series, *size;
	size_t count, capacity;
};
// w: a loaded block, whose rows say which instances are chosen; NULL: none are.
struct series_stats *series_stats_new(const struct source *s, const struct block_worker *w);
void series_stats_free(struct series_stats *z); // NULL is fine
enum status series_stats_take(const struct series_stats *z, struct block_worker *w,
			      struct series_rows *out, struct err *e) MUST_CHECK;
void series_stats_add(struct series_stats *z, const struct series_rows *r);
void series_stats_claims(struct series_stats *z, struct claims *c);
void series_rows_init(struct series_rows *r);
void series_rows_deinit(struct series_rows *r);

// What both share. The row as a store sees it: ten column texts, then the blob.
void row_text(struct buf *out, const struct row *r);
struct compression {
	uint64_t raw, stored;
};
// Adds a piece that a store compresses by itself; zstd and packed are the caller's scratch.
void compress_piece(struct compression *c, const struct buf *piece, int level, void *zstd,
		    struct buf *packed);

// Ids that occur twice, exactly. Workers take, one thread adds in block order.
struct id_stats;
struct block_ids {
	uint64_t first_row, dotted_roots;
	uint16_t *sequence; // of each row; UINT16_MAX: it has an id of 16 bytes
	size_t rows, capacity;
	struct buf raw; // ids of 16 bytes
};
void block_ids_init(struct block_ids *b);
void block_ids_deinit(struct block_ids *b);
void block_ids_take(struct block_ids *out, const struct dict *d, const struct block *b);
// limit_bytes: of ids held at a time.
struct id_stats *id_stats_new(const struct source *s, uint64_t limit_bytes);
void id_stats_free(struct id_stats *d); // NULL is fine
void id_stats_add(struct id_stats *d, const struct block_ids *b);
// Compares what was added; true: all blocks must be added again.
bool id_stats_next_pass(struct id_stats *d);
void id_stats_claims(const struct id_stats *d, struct claims *c);

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
