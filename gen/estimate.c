// SPDX-License-Identifier: Apache-2.0
// What a corpus will take, foretold: sample blocks are made and compressed, the first frame of
// a data file is made as it will stand there, and the rest is arithmetic. Nothing is written.
#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/pool.h"
#include "gen/generate_private.h"

// Blocks differ by about a percent when they have thousands of rows, so that these give the
// mean well within the 5 % promised; small blocks are sampled until there are rows enough.
#define SAMPLE_BLOCKS_MIN 6u
#define SAMPLE_ROWS_MIN 30000u

struct sample {
	uint64_t rows, stored_bytes, payload_bytes;
	int64_t cpu_ns;
	uint64_t timed_rows;
};

static uint64_t sample_count(const struct recipe *r)
{
	uint64_t blocks = recipe_blocks(r);
	uint64_t for_rows = u64_mul_div(SAMPLE_ROWS_MIN, blocks, r->spans) + 1;

	return u64_min(blocks, u64_max(for_rows, SAMPLE_BLOCKS_MIN));
}

// The first block touches memory for the first time, so it is not timed unless it is alone.
static enum status take_samples(const struct generator *g, int zstd_level, struct sample *out,
				struct err *e)
{
	const struct recipe *r = plan_recipe(g->plan);
	uint64_t blocks = recipe_blocks(r), count = sample_count(r);
	struct generator_scratch *scratch = generator_scratch_new(g);
	struct frame_writer *writer = frame_writer_new(zstd_level);
	uint32_t *sizes = mem_zalloc(r->block_traces, sizeof(*sizes));
	struct block block;
	struct buf frame;
	enum status s = OK;

	*out = (struct sample){0};
	block_init(&block);
	buf_init(&frame, BLOCK_PAYLOAD_MAX);
	for (uint64_t i = 0; s == OK && i < count; i++) {
		uint64_t number = u64_mul_div(2 * i + 1, blocks, 2 * count);
		int64_t begin_ns = clock_monotonic_ns();
		struct block_header h;
		struct plan_block pb;

		generator_block(g, scratch, number, &block, &h);
		s = frame_write_block(writer, &block, &h, &frame, e);
		if (i > 0 || count == 1) {
			out->cpu_ns += clock_monotonic_ns() - begin_ns;
			out->timed_rows += h.rows;
		}
		// Rows of the recipe: a block may hold copies besides.
		plan_block(g->plan, number, &pb, sizes);
		out->rows += pb.rows;
		out->stored_bytes += h.stored_size;
		out->payload_bytes += h.payload_size;
	}
	buf_free(&frame);
	block_free(&block);
	free(sizes);
	frame_writer_free(writer);
	generator_scratch_free(scratch);
	return s;
}

static uint64_t file_count(const struct generate_estimate *est, uint64_t blocks)
{
	return (blocks + est->file_blocks - 1) / est->file_blocks;
}

uint64_t generate_estimate_bytes(const struct generate_estimate *est, uint64_t blocks,
				 uint64_t rows)
{
	return u64_mul_div(est->frame_bytes, rows, est->rows) +
	       blocks * est->overhead.block_bytes +
	       file_count(est, blocks) * est->overhead.file_bytes;
}

struct shard_estimate generate_estimate_shard(const struct generator *g,
					      const struct generate_estimate *est,
					      struct shard shard)
{
	struct shard_estimate out = {.shard = shard};
	struct corpus_position first, end;
	uint64_t work_ns;

	generate_range(g, shard, &first, &end);
	out.first_block = first.block;
	out.blocks = end.block - first.block;
	out.rows = end.row - first.row;
	out.traces = end.trace - first.trace;
	out.data_files = file_count(est, out.blocks);
	out.stored_bytes = generate_estimate_bytes(est, out.blocks, out.rows);
	work_ns = u64_mul_div(est->ns_per_row, out.rows, u64_min(est->workers, out.blocks));
	out.time_ms = (est->setup_ns + work_ns) / (uint64_t)NS_PER_MS;
	return out;
}

// Resident memory of this process at its peak, which has done once what generate begins with
// and what one worker does, and the other workers' blocks, frames and zstd contexts.
static uint64_t memory_bytes(const struct sample *t, uint64_t sampled, unsigned threads)
{
	uint64_t worker = 4 * t->payload_bytes / sampled + 2 * t->stored_bytes / sampled;

	return mem_peak_bytes() + (threads - 1) * (worker + 2 * MIB);
}

enum status generate_estimate(const struct generator *g, unsigned threads, int zstd_level,
			      struct generate_estimate *out, struct err *e)
{
	const struct recipe *r = plan_recipe(g->plan);
	int64_t begin_ns = clock_monotonic_ns();
	struct shard_estimate all;
	struct sample t;
	enum status s = generator_check_dict(g, e);
	int64_t head_ns;

	if (s == OK)
		s = corpus_overhead(r, &(struct about){0}, generator_dict(g), &out->overhead,
				    e);
	head_ns = clock_monotonic_ns() - begin_ns;
	if (s == OK)
		s = take_samples(g, zstd_level, &t, e);
	if (s != OK)
		return s;
	out->blocks = recipe_blocks(r);
	out->rows = r->spans;
	out->frame_bytes = u64_mul_div(r->spans, t.stored_bytes, t.rows);
	out->payload_bytes = u64_mul_div(r->spans, t.payload_bytes, t.rows);
	out->file_blocks = (DATA_PAYLOAD_MAX - out->overhead.head_payload_bytes) /
			   u64_max(out->payload_bytes / out->blocks, 1);
	out->file_blocks = u64_max(out->file_blocks, 1);
	out->ns_per_row = (uint64_t)t.cpu_ns / t.timed_rows;
	out->setup_ns = (uint64_t)(g->setup_ns + head_ns);
	out->workers = threads < pool_default_threads() ? threads : pool_default_threads();
	all = generate_estimate_shard(g, out, (struct shard){0, 0});
	out->stored_bytes = all.stored_bytes;
	out->data_files = all.data_files;
	out->time_ms = all.time_ms;
	out->memory_bytes = memory_bytes(&t, sample_count(r), threads);
	return OK;
}
