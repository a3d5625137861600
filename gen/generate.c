// SPDX-License-Identifier: Apache-2.0
// Tables of a generator with the length of texts calibrated, and a corpus made of all blocks.
// What is in a block is block.c's.
#include "gen/generate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/pool.h"
#include "common/progress.h"
#include "common/render.h"
#include "common/rng.h"
#include "gen/generate_private.h"

// ---- Tables --------------------------------------------------------------------------------

static void segments_drop(struct generator *g)
{
	segment_set_free(g->segments);
	free(g->is_async);
	g->segments = NULL;
	g->is_async = NULL;
}

static enum status segments_make(struct generator *g, uint32_t text_scale,
				 struct segment_memo *memo, struct err *e)
{
	uint64_t operations = plan_recipe(g->plan)->operations;
	enum status s;

	segments_drop(g);
	s = segment_set_new(&g->segments, g->plan, text_scale, g->threads, memo, e);
	if (s != OK)
		return s;
	g->dict = segment_set_dict(g->segments);
	g->is_async = mem_zalloc((size_t)operations, sizeof(*g->is_async));
	for (uint32_t i = 0; i < operations; i++)
		g->is_async[i] = segment_operation_is_async(g->segments, i);
	return OK;
}

static void make_sequence(struct generator *g)
{
	struct rng_perm perm;

	rng_perm_init(&perm, SEQUENCES_MAX, plan_recipe(g->plan)->seed, RNG_SEQUENCE_PERMUTE,
		      0);
	for (uint32_t i = 0; i < SEQUENCES_MAX; i++)
		g->sequence[i] = (uint16_t)rng_perm_at(&perm, i);
}

// ---- Calibration ---------------------------------------------------------------------------

#define SAMPLE_BLOCKS 6u
#define SAMPLE_ROWS_MAX 40000u // measured; blocks of many traces are sampled within
#define SCALE_NOMINAL 1024u
#define SCALE_MIN 64u
#define SCALE_MAX 32768u
#define TRIALS_MAX 12u
#define TOLERANCE_PER_MILLE 5u // wished
#define TOLERANCE_MOST 20u     // what steps of whole spans may cost

struct sample {
	uint64_t rows, bytes;
};

// What a worker owns.
struct sampler {
	struct generator_scratch *scratch;
	struct render_block rb;
	struct block block;
	int64_t epoch_ms;
	struct sample sum; // of the block at work
};

// Sample blocks are measured by workers.
struct sampling {
	const struct generator *g;
	struct render *render;
	struct sampler *worker;
	struct sample *result; // one per slot of the pool
	uint64_t samples;
	struct sample sum;
};

static enum status sample_part(void *ctx, const struct block *part,
			       const struct block_header *h, struct err *e)
{
	struct sampler *s = ctx;
	uint32_t step = 1 + h->rows / (SAMPLE_ROWS_MAX / SAMPLE_BLOCKS);
	uint32_t at = (uint32_t)(part->first_row - h->first_row);

	render_block_set(&s->rb, part);
	for (uint32_t i = (step - at % step) % step; i < s->rb.rows; i += step) {
		size_t size;
		enum status st = render_row_size(&s->rb, i, s->epoch_ms, &size, e);

		if (st != OK)
			return st;
		s->sum.bytes += size;
		s->sum.rows++;
	}
	return OK;
}

static enum status sample_block(void *ctx, unsigned worker, unsigned slot, uint64_t job,
				struct err *e)
{
	struct sampling *run = ctx;
	struct sampler *s = &run->worker[worker];
	const struct recipe *r = plan_recipe(run->g->plan);
	uint64_t block = u64_mul_div(job, recipe_blocks(r), run->samples);
	enum status st;

	s->epoch_ms = r->base_epoch_ms;
	s->sum = (struct sample){0};
	st = generator_block_parts(run->g, s->scratch, block, &s->block, sample_part, s, e);
	run->result[slot] = s->sum;
	return st;
}

static enum status add_sample(void *ctx, unsigned slot, uint64_t job, struct err *e)
{
	struct sampling *run = ctx;

	(void)job;
	(void)e;
	run->sum.rows += run->result[slot].rows;
	run->sum.bytes += run->result[slot].bytes;
	return OK;
}

// Mean row of sample blocks spread over the corpus, in 1/100 byte.
static enum status measure(const struct generator *g, uint32_t *mean_x100, struct err *e)
{
	struct sampling run = {
		.g = g,
		.worker = mem_zalloc(g->threads, sizeof(*run.worker)),
		.result = mem_zalloc(pool_slots(g->threads), sizeof(*run.result)),
		.samples = u64_min(recipe_blocks(plan_recipe(g->plan)), SAMPLE_BLOCKS)};
	struct pool_job job = {.work = sample_block, .consume = add_sample, .ctx = &run};
	enum status st = render_new_sizes(&run.render, g->dict, plan_recipe(g->plan), e);

	for (unsigned i = 0; i < g->threads; i++) {
		run.worker[i].scratch = generator_scratch_new(g);
		block_init(&run.worker[i].block);
		render_block_init(&run.worker[i].rb, run.render);
	}
	if (st == OK)
		st = pool_run(&job, g->threads, 0, run.samples, NULL, NULL, e);
	if (st == OK)
		*mean_x100 = (uint32_t)(100 * run.sum.bytes / run.sum.rows);
	for (unsigned i = 0; i < g->threads; i++) {
		render_block_free(&run.worker[i].rb);
		block_free(&run.worker[i].block);
		generator_scratch_free(run.worker[i].scratch);
	}
	render_free(run.render);
	free(run.worker);
	free(run.result);
	return st;
}

// How far a mean is from the wanted one, in 1/100 byte.
static uint64_t distance(uint32_t mean_x100, uint32_t wanted_bytes)
{
	uint64_t wanted = (uint64_t)wanted_bytes * 100;

	return mean_x100 > wanted ? mean_x100 - wanted : wanted - mean_x100;
}

static bool close_enough(uint32_t mean_x100, uint32_t wanted_bytes, uint64_t per_mille)
{
	return distance(mean_x100, wanted_bytes) * 1000 <= wanted_bytes * 100 * per_mille;
}

// A scale that was tried and the mean row it gave. Scale 0: none yet.
struct trial {
	uint32_t scale, mean_x100;
};

// What a trial's scale must rise or fall by, as each operation aims at its row size times the
// scale; the more the later, as where rows have all they can have the mean hardly moves.
static uint32_t step_of(const struct trial *t, uint32_t wanted_bytes, uint32_t tries)
{
	uint64_t step = distance(t->mean_x100, wanted_bytes) * SCALE_NOMINAL /
			(UINT64_C(100) * wanted_bytes);

	return (uint32_t)u64_min(u64_max(step << tries, 1), SCALE_MAX);
}

// Goes on from the nearest trial until the wanted mean lies between two, then interpolates. The
// mean grows with the scale. False when there is no further scale to try.
static bool next_scale(const struct trial *low, const struct trial *high, uint32_t wanted_bytes,
		       uint32_t tries, uint32_t *scale)
{
	uint64_t wanted_x100 = UINT64_C(100) * wanted_bytes, rise, width;

	if (high->scale == 0) {
		*scale = low->scale + step_of(low, wanted_bytes, tries);
		*scale = *scale > SCALE_MAX ? SCALE_MAX : *scale;
		return low->scale < SCALE_MAX;
	}
	if (low->scale == 0) {
		uint32_t step = step_of(high, wanted_bytes, tries), half = high->scale / 2;

		*scale = high->scale - (step < half ? step : half);
		*scale = *scale < SCALE_MIN ? SCALE_MIN : *scale;
		return high->scale > SCALE_MIN;
	}
	if (high->scale - low->scale < 2)
		return false;
	width = high->scale - low->scale;
	rise = u64_mul_div(wanted_x100 - low->mean_x100, width,
			   high->mean_x100 - low->mean_x100);
	*scale = low->scale + (uint32_t)u64_max(1, u64_min(rise, width - 1));
	return true;
}

static enum status try_scale(struct generator *g, struct trial *t, struct segment_memo *memo,
			     struct err *e)
{
	enum status s = segments_make(g, t->scale, memo, e);

	if (s == OK)
		s = measure(g, &t->mean_x100, e);
	g->mean_row_bytes_x100 = t->mean_x100;
	return s;
}

static enum status refuse_row_bytes(uint32_t wanted, const struct trial *low,
				    const struct trial *high, struct err *e)
{
	if (low->scale == 0)
		return err_set(e, ERR_USAGE,
			       "--row-bytes %u is out of range for this recipe: expected "
			       "%u..%u (the smallest rows are entries and calls)",
			       wanted, (high->mean_x100 + 99) / 100, ROW_BYTES_MAX);
	if (high->scale == 0)
		return err_set(
			e, ERR_USAGE,
			"--row-bytes %u is out of range for this recipe: expected at most "
			"%u",
			wanted, low->mean_x100 / 100);
	return err_set(
		e, ERR_USAGE,
		"--row-bytes %u cannot be met within %u %%: the nearest means are %u and "
		"%u bytes; choose one of these, or more --operations",
		wanted, TOLERANCE_MOST / 10, low->mean_x100 / 100, high->mean_x100 / 100);
}

static enum status find_scale(struct generator *g, struct segment_memo *memo, struct err *e)
{
	uint32_t wanted = plan_recipe(g->plan)->row_bytes;
	struct trial low = {0}, high = {0}, best = {0}, now = {.scale = SCALE_NOMINAL};

	for (uint32_t i = 0; i < TRIALS_MAX; i++) {
		enum status s = try_scale(g, &now, memo, e);

		if (s != OK || close_enough(now.mean_x100, wanted, TOLERANCE_PER_MILLE))
			return s;
		if (best.scale == 0 ||
		    distance(now.mean_x100, wanted) < distance(best.mean_x100, wanted))
			best = now;
		if (now.mean_x100 < wanted * 100)
			low = now;
		else
			high = now;
		if (!next_scale(&low, &high, wanted, i, &now.scale))
			break;
	}
	if (close_enough(best.mean_x100, wanted, TOLERANCE_MOST))
		return try_scale(g, &best, memo, e);
	return refuse_row_bytes(wanted, &low, &high, e);
}

static enum status calibrate(struct generator *g, struct err *e)
{
	struct segment_memo *memo = segment_memo_new(g->plan);
	enum status s = find_scale(g, memo, e);

	segment_memo_free(memo);
	return s;
}

// ---- Interface -----------------------------------------------------------------------------

enum status generator_new(struct generator **out, const struct recipe *r, unsigned threads,
			  struct err *e)
{
	struct generator *g = mem_zalloc(1, sizeof(*g));
	int64_t begin_ns = clock_monotonic_ns();
	enum status s = plan_new(&g->plan, r, e);

	*out = NULL;
	g->threads = threads;
	if (s == OK) {
		make_sequence(g);
		s = calibrate(g, e);
	}
	if (s != OK) {
		generator_free(g);
		return s;
	}
	g->dict_size = dict_encoded_size(g->dict);
	g->setup_ns = clock_monotonic_ns() - begin_ns;
	*out = g;
	return OK;
}

void generator_free(struct generator *g)
{
	if (g == NULL)
		return;
	segments_drop(g);
	plan_free(g->plan);
	free(g);
}

#define DICT_MAX (DATA_PAYLOAD_MAX / 2) // bytes: leaves half of a data file to blocks

enum status generator_check_dict(const struct generator *g, struct err *e)
{
	if (g->dict_size <= DICT_MAX)
		return OK;
	return err_set(e, ERR_USAGE,
		       "dictionary of %zu bytes is larger than %zu (lower --operations or "
		       "--variants)",
		       g->dict_size, (size_t)DICT_MAX);
}

const struct plan *generator_plan(const struct generator *g)
{
	return g->plan;
}

const struct dict *generator_dict(const struct generator *g)
{
	return g->dict;
}

uint32_t generator_mean_row_bytes_x100(const struct generator *g)
{
	return g->mean_row_bytes_x100;
}

// ---- Workers -------------------------------------------------------------------------------

// What a worker owns.
struct worker {
	struct generator_scratch *scratch;
	struct frame_writer *writer;
	struct block block;
};

// A finished block on its way to the file.
struct result {
	struct block_header header;
	struct buf frame;
};

static void worker_init(struct worker *w, const struct generator *g, int zstd_level)
{
	w->scratch = generator_scratch_new(g);
	w->writer = frame_writer_new(zstd_level);
	block_init(&w->block);
}

static void worker_deinit(struct worker *w)
{
	generator_scratch_free(w->scratch);
	frame_writer_free(w->writer);
	block_free(&w->block);
}

static enum status make_frame(const struct generator *g, struct worker *w, uint64_t block,
			      struct result *r, struct err *e)
{
	enum status s;

	generator_block(g, w->scratch, block, &w->block, &r->header);
	s = frame_write_block(w->writer, &w->block, &r->header, &r->frame, e);
	if (s != OK)
		return err_prefix(e, "block %" PRIu64, block);
	return OK;
}

// ---- Corpus --------------------------------------------------------------------------------

struct run {
	const struct generator *g;
	struct worker *worker; // one per thread
	struct result *result; // one per slot of the pool
	struct corpus_writer *writer;
	struct progress progress;
	uint64_t rows;
	uint64_t bytes_before; // of an earlier run
};

static enum status run_work(void *ctx, unsigned worker, unsigned slot, uint64_t job,
			    struct err *e)
{
	struct run *run = ctx;

	return make_frame(run->g, &run->worker[worker], job, &run->result[slot], e);
}

static enum status run_consume(void *ctx, unsigned slot, uint64_t job, struct err *e)
{
	struct run *run = ctx;
	const struct result *r = &run->result[slot];
	enum status s = corpus_writer_add(run->writer, &r->header, &r->frame, e);

	(void)job;
	run->rows += r->header.rows;
	if (s == OK && run->progress.log != NULL)
		progress_show(&run->progress, clock_monotonic_ns(), run->rows,
			      corpus_writer_bytes(run->writer) - run->bytes_before);
	return s;
}

static void run_init(struct run *run, const struct generator *g,
		     const struct generate_options *o)
{
	unsigned slots = pool_slots(o->threads);

	run->worker = mem_zalloc(o->threads, sizeof(*run->worker));
	run->result = mem_zalloc(slots, sizeof(*run->result));
	for (unsigned i = 0; i < o->threads; i++)
		worker_init(&run->worker[i], g, o->zstd_level);
	for (unsigned i = 0; i < slots; i++)
		buf_init(&run->result[i].frame, BLOCK_PAYLOAD_MAX);
	run->progress.begin_ns = clock_monotonic_ns();
}

static void run_deinit(struct run *run, unsigned threads)
{
	for (unsigned i = 0; i < threads; i++)
		worker_deinit(&run->worker[i]);
	for (unsigned i = 0; i < pool_slots(threads); i++)
		buf_free(&run->result[i].frame);
	free(run->worker);
	free(run->result);
}

static struct corpus_position position_of(const struct plan *p, uint64_t block)
{
	const struct recipe *r = plan_recipe(p);
	struct corpus_position at = {block, r->traces, r->spans};
	struct plan_block b;
	uint32_t *sizes;

	if (block == recipe_blocks(r))
		return at;
	sizes = mem_zalloc(r->block_traces, sizeof(*sizes));
	plan_block(p, block, &b, sizes);
	free(sizes);
	at.trace = b.first_trace;
	at.row = b.first_row;
	return at;
}

void generate_range(const struct generator *g, struct shard shard,
		    struct corpus_position *first, struct corpus_position *end)
{
	uint64_t first_block, end_block;

	shard_range(shard, recipe_blocks(plan_recipe(g->plan)), &first_block, &end_block);
	*first = position_of(g->plan, first_block);
	*end = position_of(g->plan, end_block);
}

static void fill_checkpoint(struct checkpoint *c, const struct generator *g,
			    const struct generate_options *o)
{
	c->recipe = *plan_recipe(g->plan);
	c->about.title = o->title == NULL ? NULL : mem_strdup(o->title);
	c->about.description = o->description == NULL ? NULL : mem_strdup(o->description);
	c->about.licence = o->licence == NULL ? NULL : mem_strdup(o->licence);
	c->about.generator = mem_strdup("spangen " SPANGEN_VERSION);
	c->about.zstd_version = mem_strdup(ZSTD_versionString());
	c->zstd_level = (uint32_t)o->zstd_level;
	c->file_max_bytes = o->file_max_bytes;
}

static enum status open_writer(const struct generator *g, const struct generate_options *o,
			       const struct corpus_position *first, uint64_t end_block,
			       struct corpus_writer **out, struct err *e)
{
	const struct recipe *r = plan_recipe(g->plan);
	bool fresh = o->dir->state == CORPUS_DIR_FRESH;
	struct checkpoint c = {0};
	const struct checkpoint *use = fresh ? &c : &o->dir->checkpoint;
	struct corpus_writer_options w;
	enum status s = generator_check_dict(g, e);

	*out = NULL;
	fill_checkpoint(&c, g, o);
	w = (struct corpus_writer_options){
		.recipe = r,
		.about = &use->about,
		.dict = g->dict,
		.dict_size = g->dict_size,
		.epoch_ms = r->base_epoch_ms,
		.first = *first,
		.end_block = end_block,
		.file_max_bytes = o->file_max_bytes,
	};
	if (s == OK)
		s = corpus_writer_open(out, o->dir, &w, e);
	if (s == OK && fresh)
		s = corpus_dir_begin(o->dir, &c, e);
	if (s != OK) {
		corpus_writer_abort(*out);
		*out = NULL;
	}
	checkpoint_free(&c);
	return s;
}

// Keeps what is there and makes what is missing, until nothing is.
static enum status make_missing(struct run *run, const struct generate_options *o,
				uint64_t end_block, struct corpus_position *at, struct err *e)
{
	struct pool_job job = {.work = run_work, .consume = run_consume, .ctx = run};
	uint64_t until, next, first_row = at->row;
	enum status s = corpus_writer_keep(run->writer, at, &until, e);

	run->rows = run->progress.rows_before = at->row - first_row;
	run->bytes_before = corpus_writer_bytes(run->writer);
	run->progress.begin_ns = clock_monotonic_ns();
	while (s == OK && at->block < end_block) {
		s = pool_run(&job, o->threads, at->block, until, o->stop, &next, e);
		if (s == OK && next < until)
			return err_set(e, ERR_IO,
				       "%s: interrupted at block %" PRIu64 " of %" PRIu64,
				       o->dir->path, next, end_block);
		if (s == OK)
			s = corpus_writer_end_file(run->writer, e);
		if (s == OK)
			s = corpus_writer_keep(run->writer, at, &until, e);
		if (s == OK) {
			run->progress.rows_before += at->row - first_row - run->rows;
			run->rows = at->row - first_row;
		}
	}
	return s;
}

// Nothing is lost by a failure, so that is part of what it says.
static enum status suggest_resume(const struct corpus_dir *d, struct err *e)
{
	struct err cause = *e;

	if (d->state == CORPUS_DIR_UNFINISHED && cause.code != ERR_DAMAGED)
		err_set(e, cause.code, "%.400s; --resume goes on from here", cause.text);
	e->sys_errno = cause.sys_errno;
	return e->code;
}

enum status generate_corpus(struct generator *g, const struct generate_options *o,
			    struct log *log, struct manifest *m, struct err *e)
{
	struct run run = {.g = g, .progress = {.log = log, .verb = "stored"}};
	struct corpus_position at, end;
	enum status s;

	generate_range(g, o->dir->shard, &at, &end);
	run.progress.rows_all = end.row - at.row;
	s = open_writer(g, o, &at, end.block, &run.writer, e);
	if (s != OK)
		return s;
	segment_set_forget_texts(g->segments); // they are in the first frame
	run_init(&run, g, o);
	s = make_missing(&run, o, end.block, &at, e);
	if (o->rows_kept != NULL)
		*o->rows_kept = run.progress.rows_before;
	if (log != NULL)
		log_progress_end(log);
	if (s == OK)
		s = corpus_writer_finish(run.writer, m, e);
	else
		corpus_writer_abort(run.writer);
	run_deinit(&run, o->threads);
	return s == OK || e == NULL ? s : suggest_resume(o->dir, e);
}
