// SPDX-License-Identifier: Apache-2.0
// Blocks through the pool, in order into the corpus. One block is a pure function of the recipe
// and its number.
#ifndef GEN_GENERATE_H
#define GEN_GENERATE_H

#include "common/corpus.h"
#include "common/log.h"
#include "gen/plan.h"
#include "gen/segment.h"

struct generator;

// Plan, dictionary and calibration: texts and spans are chosen so that the mean row of some
// sample blocks is within 0.5 % of recipe.row_bytes, or within 2 % where whole spans do not
// come closer; ERR_USAGE with the reachable range when none are. Read-only afterwards, shared
// by workers. The tables are made by `threads` of them (>= 1) and do not depend on that.
enum status generator_new(struct generator **out, const struct recipe *r, unsigned threads,
			  struct err *e) MUST_CHECK;
void generator_free(struct generator *g); // NULL is fine
const struct plan *generator_plan(const struct generator *g);
const struct dict *generator_dict(const struct generator *g);
// As calibrated on the sample blocks.
uint32_t generator_mean_row_bytes_x100(const struct generator *g);

// Fills b (reset first) and the min/max starts of *h. scratch: from generator_scratch_new, one
// per worker.
struct generator_scratch;
struct generator_scratch *generator_scratch_new(const struct generator *g);
void generator_scratch_free(struct generator_scratch *s); // NULL is fine
void generator_block(const struct generator *g, struct generator_scratch *s, uint64_t block,
		     struct block *b, struct block_header *h);

// What a whole corpus will take, scaled up from sample blocks that are made and compressed.
// Bytes are met within 5 %.
struct generate_estimate {
	uint64_t stored_bytes;	// data files
	uint64_t payload_bytes; // of the blocks before compression
	uint64_t memory_bytes;	// resident at the peak, with this many threads
	uint64_t ns_per_row;	// of one thread
	uint64_t time_ms;	// wall time with this many threads, set-up included
	uint64_t data_files;
	uint64_t blocks, file_blocks; // in all, and in a full data file
	uint64_t rows, frame_bytes;   // stored, of the blocks alone
	uint64_t setup_ns;	      // before the first block
	unsigned workers;	      // that run at a time
	struct corpus_overhead overhead;
};
enum status generate_estimate(const struct generator *g, unsigned threads, int zstd_level,
			      struct generate_estimate *out, struct err *e) MUST_CHECK;

// Data bytes of a run over `blocks` of them, which hold `rows`.
uint64_t generate_estimate_bytes(const struct generate_estimate *est, uint64_t blocks,
				 uint64_t rows);

// The share of a shard, by its rows and blocks; its memory is the whole's.
struct shard_estimate {
	struct shard shard;
	uint64_t first_block, blocks, rows, traces;
	uint64_t stored_bytes, data_files, time_ms; // as in generate_estimate
};
// shard: of at most as many as there are blocks, or none for the whole.
struct shard_estimate generate_estimate_shard(const struct generator *g,
					      const struct generate_estimate *est,
					      struct shard shard);

struct generate_options {
	struct corpus_dir *dir; // opened; its shard says which blocks
	unsigned threads;
	int zstd_level;
	uint64_t file_max_bytes; // as in corpus_writer_options
	// For a fresh dir; an unfinished one has them in its checkpoint.
	const char *title, *description, *licence;
	uint64_t *rows_kept;	  // may be NULL; receives rows that an earlier run had made
	const volatile int *stop; // may be NULL; non-zero: end early, ERR_IO "interrupted"
};
// Writes the corpus or shard, or what is missing of an unfinished one. On failure everything
// written stays for another call with another generator, and the error says so: this one's
// dictionary is written first and then forgotten, as segment_set_forget_texts does.
enum status generate_corpus(struct generator *g, const struct generate_options *o,
			    struct log *log, struct manifest *m, struct err *e) MUST_CHECK;

// Blocks of the shard: where they begin, and where they end.
void generate_range(const struct generator *g, struct shard shard,
		    struct corpus_position *first, struct corpus_position *end);

#endif
