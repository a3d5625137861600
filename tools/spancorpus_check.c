// SPDX-License-Identifier: Apache-2.0
// Examining a folder: manifest, layout, first frames, every block, seek tables, digests. Each
// stored byte is read once and each payload decompressed once; a damaged part does not hide the
// others. Rows are checked in spancorpus_rows.c, mending is spancorpus_heal.c's.
#include "tools/spancorpus_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/pool.h"
#include "common/render.h"
#include "tools/spancorpus.h"

const char *place_text(enum place p)
{
	static const char *const text[] = {"manifest",	  "file",  "file header",
					   "first frame", "block", "seek table",
					   "corpus"};

	return text[p];
}

// ---- Findings ------------------------------------------------------------------------------

// text: without the path.
static void report(struct check *c, enum finding_kind kind, enum place place, const char *file,
		   uint64_t block, uint64_t blocks, const char *text)
{
	char line[4 * ERR_TEXT_SIZE];
	const struct finding f = {kind, place, file, block, blocks, line};

	if (file == NULL)
		snprintf(line, sizeof(line), "%s", text);
	else if (place == PLACE_BLOCK && blocks > 1)
		snprintf(line, sizeof(line), "%s/%s: blocks %" PRIu64 " to %" PRIu64 ": %s",
			 c->o.dir, file, block, block + blocks - 1, text);
	else if (place == PLACE_BLOCK)
		snprintf(line, sizeof(line), "%s/%s: block %" PRIu64 ": %s", c->o.dir, file,
			 block, text);
	else
		snprintf(line, sizeof(line), "%s/%s: %s", c->o.dir, file, text);
	if (kind == FOUND_DAMAGE)
		c->damage++;
	else if (kind == FOUND_MISSING)
		c->missing++;
	if (c->o.found != NULL)
		c->o.found(c->o.ctx, &f);
}

static void file_damage(struct check *c, struct file_check *f, enum place place,
			const char *text)
{
	f->damaged = true;
	if (place == PLACE_FILE_HEADER || place == PLACE_FIRST_FRAME)
		f->head_bad = true;
	report(c, FOUND_DAMAGE, place, f->name, 0, 0, text);
}

static void mark_bad(struct file_check *f, uint64_t index, uint64_t count)
{
	if (f->bad == NULL)
		f->bad = mem_zalloc((size_t)f->blocks, 1);
	for (uint64_t i = index; i < index + count; i++) {
		f->bad_blocks += !f->bad[i];
		f->bad[i] = 1;
	}
	f->damaged = true;
}

// ---- Generator -----------------------------------------------------------------------------

enum status generator_cache_get(struct generator_cache *g, const struct recipe *r,
				struct err *e)
{
	enum status s = recipe_check(r, e);

	if (s != OK)
		return s;
	if (g->generator != NULL && recipe_equal(&g->recipe, r))
		return OK;
	generator_cache_free(g);
	s = generator_new(&g->generator, r, 1, e);
	if (s == OK)
		g->recipe = *r;
	return s;
}

void generator_cache_free(struct generator_cache *g)
{
	generator_free(g->generator);
	*g = (struct generator_cache){0};
}

// ---- Manifest and layout -------------------------------------------------------------------

static enum status read_manifest(struct check *c, char *why, size_t why_size, struct err *e)
{
	char *self = path_join(c->o.dir, "."), *path = path_join(c->o.dir, MANIFEST_NAME);
	struct err wrong = {0};
	enum status s = OK;

	why[0] = '\0';
	if (!file_exists(c->o.dir)) {
		s = err_set(e, ERR_NOT_FOUND, "%s: no such folder", c->o.dir);
	} else if (!file_exists(self)) {
		s = err_set(e, ERR_NOT_FOUND,
			    "%s: not a folder; a corpus is a folder with " MANIFEST_NAME,
			    c->o.dir);
	} else if (file_exists(path)) {
		c->manifest_there = true;
		s = file_read_all(path, MANIFEST_MAX_BYTES, &c->manifest_text, e);
	} else {
		s = corpus_shards_read(c->o.dir, &c->manifest, &c->shard, &c->shard_count, e);
		c->manifest_good = s == OK && c->shard_count > 0;
	}
	free(path);
	free(self);
	if (s != OK || !c->manifest_there)
		return s;
	s = manifest_parse((const char *)c->manifest_text.data, c->manifest_text.size,
			   &c->manifest, &wrong);
	c->manifest_good = s == OK;
	if (s == ERR_VERSION) // whole, and newer than this program
		return err_set(e, s, "%s/" MANIFEST_NAME ": %s", c->o.dir, wrong.text);
	snprintf(why, why_size, "%s", s == OK ? "" : wrong.text);
	return OK;
}

static struct file_check *add_file(struct check *c, const char *name, uint64_t first_block,
				   uint64_t blocks)
{
	struct file_check *f;

	c->file = mem_realloc(c->file, c->file_count + 1, sizeof(*c->file));
	f = &c->file[c->file_count++];
	*f = (struct file_check){
		.name = mem_strdup(name), .first_block = first_block, .blocks = blocks};
	return f;
}

// First block in a name of ours, "data-0000500.zst"; false for any other name.
static bool block_of_name(const char *name, uint64_t *block)
{
	char again[64];

	if (sscanf(name, "data-%20" SCNu64 ".zst", block) != 1)
		return false;
	snprintf(again, sizeof(again), "data-%07" PRIu64 ".zst", *block);
	return strcmp(again, name) == 0;
}

static int compare_first(const void *a, const void *b)
{
	const struct file_check *x = a, *y = b;

	return (x->first_block > y->first_block) - (x->first_block < y->first_block);
}

static enum status layout(struct check *c, struct err *e)
{
	char **names;
	size_t count;
	uint64_t block;
	enum status s;

	if (c->manifest_good) {
		for (size_t i = 0; i < c->manifest.file_count; i++) {
			const struct manifest_file *m = &c->manifest.file[i];

			add_file(c, m->name, m->first_block, m->blocks);
		}
		return OK;
	}
	s = file_list(c->o.dir, "data-", ".zst", &names, &count, e);
	if (s != OK)
		return s;
	for (size_t i = 0; i < count; i++)
		if (block_of_name(names[i], &block))
			add_file(c, names[i], block, 0);
	file_list_free(names, count);
	if (c->file_count > 1)
		qsort(c->file, c->file_count, sizeof(*c->file), compare_first);
	return OK;
}

// Without a manifest: how many blocks each file has, from its seek table if that can be read,
// else up to the next file.
static uint64_t blocks_of_table(const struct file_in *in)
{
	uint8_t foot[9];
	uint32_t frames;

	if (in->size < sizeof(foot) ||
	    file_in_read_at(in, in->size - sizeof(foot), foot, sizeof(foot), NULL) != OK)
		return 0;
	frames = load_le32(foot);
	return load_le32(foot + 5) == 0x8F92EAB1u && frames >= 4 && frames % 2 == 0
		       ? frames / 2 - 1
		       : 0;
}

static enum status deduce_blocks(struct check *c, struct err *e)
{
	uint64_t all = c->recipe_known ? recipe_blocks(&c->recipe) : UINT64_C(1) << 40;

	for (size_t i = 0; i < c->file_count; i++) {
		struct file_check *f = &c->file[i];
		uint64_t end = i + 1 < c->file_count ? c->file[i + 1].first_block : all;
		char *path = path_join(c->o.dir, f->name);
		struct data_scan scan;
		uint64_t most, told;
		enum status s = data_scan_open(&scan, path, e);

		if (s == OK) {
			most = end > f->first_block ? end - f->first_block : 0;
			s = data_scan_walk(&scan, f->first_block, most, false, e);
			told = blocks_of_table(&scan.in);
			if (told >= scan.blocks && told <= most &&
			    told <= scan.in.size / BLOCK_HEADER_BYTES)
				f->blocks = told;
			else if (c->recipe_known)
				f->blocks = most;
			else
				f->blocks = scan.blocks;
		}
		data_scan_free(&scan);
		free(path);
		if (s != OK)
			return s;
	}
	return OK;
}

// ---- The first frame to go by --------------------------------------------------------------

static enum status scan_head(struct check *c, const struct file_check *f,
			     struct block_reader *r, struct data_scan *scan,
			     struct data_head *head, char **path, struct err *e)
{
	enum status s;

	*path = path_join(c->o.dir, f->name);
	s = data_scan_open(scan, *path, e);
	// Where the first frame ends is then told by the first block.
	if (s == OK && !scan->has_header)
		s = data_scan_walk(scan, f->first_block, UINT64_C(1) << 40, false, e);
	if (s == OK)
		s = data_scan_head(scan, r, head, e);
	return s;
}

static const struct about *about_of(const struct check *c)
{
	return c->manifest_good ? &c->manifest.about : &c->about;
}

// Keeps what r has read.
static enum status use_head(struct check *c, const struct data_scan *scan,
			    struct block_reader *r, const struct data_head *head, struct err *e)
{
	struct arena pieces = {0}; // of templates: only compiling them takes them
	enum status s = OK;

	block_reader_take(r, &c->head);
	c->dict_bytes = head->dict;
	c->recipe_bytes = head->recipe;
	if (!c->manifest_good) {
		s = recipe_decode(head->recipe.data, head->recipe.size, &c->recipe, e);
		if (s == OK)
			s = about_decode(head->about, &c->about, e);
		c->recipe_known = s == OK;
		c->epoch_ms = c->recipe.base_epoch_ms;
	}
	if (s == OK)
		s = dict_decode_apart(c->dict_bytes.data, c->dict_bytes.size, &c->arena,
				      c->o.rows ? &pieces : NULL, &c->dict, e);
	if (s == OK && c->o.rows)
		s = render_new(&c->render, &c->dict, &c->recipe, e);
	if (s == OK)
		dict_forget_pieces(&c->dict);
	arena_free(&pieces);
	c->dict_known = s == OK;
	c->head_known = s == OK && scan->has_header &&
			about_check(about_of(c), head->about, NULL) == OK;
	c->head_content = scan->head_content;
	c->head_stored = scan->head_stored;
	return s;
}

// Digest of what must be the same in every file.
static struct digest head_identity(const struct data_head *h)
{
	struct stream_digest *d = stream_digest_new();
	struct digest out;

	stream_digest_put(d, h->recipe.data, h->recipe.size);
	stream_digest_put(d, h->dict.data, h->dict.size);
	out = stream_digest_take(d);
	stream_digest_free(d);
	return out;
}

// The identity that most whole first frames have (Boyer and Moore: whoever survives pairing off
// those that differ); only without a manifest.
static bool most_common_head(struct check *c, struct block_reader *r, struct digest *out)
{
	uint64_t ahead = 0;

	for (size_t i = 0; i < c->file_count; i++) {
		struct data_scan scan;
		struct data_head head;
		struct digest d;
		char *path;

		data_scan_init(&scan);
		if (scan_head(c, &c->file[i], r, &scan, &head, &path, NULL) == OK) {
			d = head_identity(&head);
			if (ahead == 0)
				*out = d;
			ahead += digest_equal(d, *out) ? 1 : UINT64_MAX;
		}
		data_scan_free(&scan);
		free(path);
	}
	return ahead > 0;
}

static void find_head(struct check *c, struct block_reader *r)
{
	struct digest wanted;
	struct buf recipe;
	bool vote = false;

	buf_init_own(&recipe, 64 * KIB);
	if (c->manifest_good) {
		c->recipe_known = true;
		c->recipe = c->manifest.recipe;
		c->epoch_ms = c->manifest.epoch_ms;
		recipe_encode(&c->recipe, &recipe);
	} else {
		vote = c->file_count > 1 && most_common_head(c, r, &wanted);
	}
	for (size_t i = 0; i < c->file_count && !c->dict_known; i++) {
		struct data_scan scan;
		struct data_head head;
		char *path;

		data_scan_init(&scan);
		if (scan_head(c, &c->file[i], r, &scan, &head, &path, NULL) == OK) {
			bool ours =
				c->manifest_good
					? view_equal(head.recipe,
						     (struct view){(const char *)recipe.data,
								   recipe.size})
					: !vote || digest_equal(head_identity(&head), wanted);

			// Why one cannot be used, the file's own check says.
			c->dict_known = ours && use_head(c, &scan, r, &head, NULL) == OK;
		}
		data_scan_free(&scan);
		free(path);
	}
	if (c->recipe_bytes.data == NULL && c->manifest_good)
		c->recipe_bytes = arena_copy(&c->arena, recipe.data, recipe.size);
	buf_free(&recipe);
}

// ---- One file ------------------------------------------------------------------------------

// A dictionary can break the rules and have the right digest.
static enum status try_dict(const struct data_head *head, struct err *e)
{
	struct arena a = {0};
	struct dict dict;
	enum status s;

	s = dict_decode_apart(head->dict.data, head->dict.size, &a, NULL, &dict, e);
	if (s != OK)
		err_prefix(e, "first frame");
	arena_free(&a);
	return s;
}

// First frame of a file; *stored: its bytes when they are whole.
static void check_head(struct check *c, struct file_check *f, const struct data_scan *scan,
		       struct block_reader *r, struct view *stored)
{
	struct data_head head;
	struct err e = {0};
	enum status s;

	*stored = (struct view){NULL, 0};
	if (!scan->has_header) {
		f->head_bad = true; // said already
		return;
	}
	if (c->head_known && digest_equal(scan->head_content, c->head_content) &&
	    digest_equal(scan->head_stored, c->head_stored)) {
		s = data_scan_head_stored(scan, r, stored, &e);
		if (s != OK)
			file_damage(c, f, PLACE_FIRST_FRAME, e.text);
		return;
	}
	s = data_scan_head(scan, r, &head, &e);
	if (s != OK) {
		file_damage(c, f, PLACE_FIRST_FRAME, e.text);
		return;
	}
	if (c->recipe_bytes.data != NULL && !view_equal(head.recipe, c->recipe_bytes)) {
		f->other = true;
		file_damage(c, f, PLACE_FIRST_FRAME,
			    c->manifest_good
				    ? "first frame: recipe is not the manifest's (a file of "
				      "another corpus?)"
				    : "first frame: recipe is not the other files' (a file of "
				      "another corpus?)");
		return;
	}
	if (c->dict_known && !view_equal(head.dict, c->dict_bytes)) {
		file_damage(c, f, PLACE_FIRST_FRAME,
			    "first frame: dictionary is not the other files'");
		return;
	}
	s = about_check(about_of(c), head.about, &e);
	if (s == OK && !c->dict_known)
		s = try_dict(&head, &e);
	if (s != OK) {
		file_damage(c, f, PLACE_FIRST_FRAME, e.text);
		return;
	}
	*stored = head.stored;
}

// What a worker owns, and the result of a block on its way to the consumer.
struct check_worker {
	struct block_worker w;
	struct generator_scratch *scratch;
	struct block made;
	struct buf payload;
};

struct check_slot {
	struct buf stored; // header and frame
	struct block_header header;
	char why[ERR_TEXT_SIZE]; // empty: whole
	bool absent;		 // its header was not found
	bool differs;		 // whole, but not what the recipe makes
	struct findings wrong;
	uint64_t rows, error_rows, simple, medium;
};

struct file_run {
	struct check *c;
	struct file_check *f;
	const struct data_scan *scan;
	struct check_worker *worker;
	struct check_slot *slot;
	struct stream_digest *digest;  // NULL: the file is damaged, its digest says nothing
	uint64_t absent_first, absent; // run of blocks that are not there
};

static void check_error_quota(const struct recipe *r, const struct block *b, uint64_t errors,
			      const char *where, struct findings *f)
{
	uint64_t r1 = b->first_row + block_rows(b);
	uint64_t target = u64_mul_div(r1, r->errors_mpct, 100000) -
			  u64_mul_div(b->first_row, r->errors_mpct, 100000);

	if (errors != target)
		finding_add(f, "%s: %" PRIu64 " error rows, %" PRIu64 " claimed", where, errors,
			    target);
}

static void count_block(const struct block *b, struct check_slot *out)
{
	out->rows = block_rows(b);
	for (size_t i = 0; i < out->rows; i++)
		out->error_rows += b->is_error.v[i] != 0;
	for (size_t t = 0; t < b->trace_size.count; t++) {
		out->simple += b->trace_size.v[t] <= 5;
		out->medium += b->trace_size.v[t] > 5 && b->trace_size.v[t] <= 20;
	}
}

// Against the recipe.
static enum status compare_made(const struct check *c, struct check_worker *w,
				const struct block_header *h, struct err *e)
{
	struct block_header made;
	enum status s;

	if (h->number >= recipe_blocks(&c->recipe))
		return err_set(e, ERR_DAMAGED, "the recipe makes no such block");
	generator_block(c->o.generator->generator, w->scratch, h->number, &w->made, &made);
	buf_clear(&w->payload);
	block_encode(&w->made, &w->payload);
	s = buf_check(&w->payload, "block", e);
	if (s == OK && !digest_equal(digest_of(w->payload.data, w->payload.size), h->content))
		s = err_set(e, ERR_DAMAGED, "content is not what the recipe makes");
	if (s == OK &&
	    (made.min_start_ms != h->min_start_ms || made.max_start_ms != h->max_start_ms))
		s = err_set(e, ERR_DAMAGED,
			    "starts in its header are not what the recipe makes");
	return s;
}

static enum status work(void *ctx, unsigned worker, unsigned slot, uint64_t index,
			struct err *e)
{
	struct file_run *run = ctx;
	struct check *c = run->c;
	struct check_worker *w = &run->worker[worker];
	struct check_slot *out = &run->slot[slot];
	struct view stored;
	struct err found = {0};
	char where[32];
	enum status s;

	(void)e;
	out->why[0] = '\0';
	out->rows = out->error_rows = out->simple = out->medium = 0;
	out->wrong.count = 0;
	buf_clear(&out->wrong.text);
	out->absent = run->scan->block[index].offset == 0;
	s = data_scan_block(run->scan, w->w.reader, index, c->dict_known ? &c->dict : NULL,
			    &w->w.block, &out->header, &stored, &found);
	out->differs = false;
	if (s == OK && c->o.deep) {
		s = compare_made(c, w, &out->header, &found);
		out->differs = s == ERR_DAMAGED;
	}
	if (s != OK) {
		snprintf(out->why, sizeof(out->why), "%s", found.text);
		return s == ERR_MEMORY || s == ERR_IO ? err_set(e, s, "%s", found.text) : OK;
	}
	block_reader_swap_stored(w->w.reader, &out->stored);
	count_block(&w->w.block, out);
	if (c->o.rows && c->dict_known) {
		snprintf(where, sizeof(where), "block %" PRIu64, out->header.number);
		render_block_set(&w->w.rows, &w->w.block);
		check_error_quota(&c->recipe, &w->w.block, out->error_rows, where, &out->wrong);
		check_rows(&w->w, &c->dict, &c->recipe, c->epoch_ms, &out->header, where,
			   &out->wrong);
	}
	return OK;
}

static void flush_absent(struct file_run *run)
{
	if (run->absent == 0)
		return;
	report(run->c, FOUND_DAMAGE, PLACE_BLOCK, run->f->name,
	       run->f->first_block + run->absent_first, run->absent,
	       run->absent > 1 ? "their headers are damaged or not there (truncated copy?)"
			       : "its header is damaged or not there (truncated copy?)");
	mark_bad(run->f, run->absent_first, run->absent);
	run->absent = 0;
}

static void block_damage(struct file_run *run, uint64_t index, const char *text)
{
	report(run->c, FOUND_DAMAGE, PLACE_BLOCK, run->f->name, run->f->first_block + index, 1,
	       text);
	mark_bad(run->f, index, 1);
	stream_digest_free(run->digest);
	run->digest = NULL;
	run->c->next_known = false;
}

static void report_wrong(struct check *c, struct check_slot *r)
{
	char *line = (char *)r->wrong.text.data, *end;

	for (size_t left = r->wrong.text.size; left > 0;
	     left -= (size_t)(end + 1 - line), line = end + 1) {
		end = memchr(line, '\n', left);
		*end = '\0';
		report(c, FOUND_WRONG, PLACE_CORPUS, NULL, r->header.number, 1, line);
	}
	c->wrong += r->wrong.count;
}

static void take_good(struct file_run *run, struct check_slot *r)
{
	struct check *c = run->c;

	if (run->digest != NULL)
		stream_digest_put(run->digest, r->stored.data, r->stored.size);
	if (c->sum != NULL)
		corpus_digest_block(c->sum, r->header.content);
	if (run->f->now.blocks++ == 0)
		run->f->now.first_row = r->header.first_row;
	run->f->now.rows += r->header.rows;
	c->next_row = r->header.first_row + r->header.rows;
	c->next_trace = r->header.first_trace + r->header.traces;
	c->next_known = true;
	c->blocks_good++;
	c->rows += r->rows;
	c->error_rows += r->error_rows;
	c->traces += r->header.traces;
	c->simple += r->simple;
	c->medium += r->medium;
	report_wrong(c, r);
}

static enum status consume(void *ctx, unsigned slot, uint64_t index, struct err *e)
{
	struct file_run *run = ctx;
	struct check *c = run->c;
	struct check_slot *r = &run->slot[slot];

	(void)e;
	if (r->absent) {
		if (run->absent++ == 0)
			run->absent_first = index;
		c->next_known = false;
		stream_digest_free(run->digest);
		run->digest = NULL;
		return OK;
	}
	flush_absent(run);
	if (r->differs) {
		c->differ++;
		if (c->sum != NULL)
			corpus_digest_block(c->sum, r->header.content);
	}
	if (r->why[0] != '\0')
		block_damage(run, index, r->why);
	else if (c->next_known &&
		 (r->header.first_row != c->next_row || r->header.first_trace != c->next_trace))
		block_damage(run, index, "does not follow the block before it");
	else
		take_good(run, r);
	c->stored_bytes += r->header.stored_size;
	if (c->progress.log != NULL)
		progress_show(&c->progress, clock_monotonic_ns(), c->rows, c->stored_bytes);
	return OK;
}

// Size, rows, digest as the manifest says.
static void compare_entry(struct check *c, size_t i)
{
	struct file_check *f = &c->file[i];
	const struct manifest_file *m;

	if (!c->manifest_good || f->damaged)
		return;
	m = &c->manifest.file[i];
	if (f->now.size != m->size || f->now.payload_size != m->payload_size ||
	    f->now.first_row != m->first_row || f->now.rows != m->rows ||
	    !digest_equal(f->now.stored, m->stored))
		file_damage(c, f, PLACE_FILE,
			    "whole, but its size, rows or digest are not the manifest's (a "
			    "file of another copy?)");
}

struct crew {
	struct check_worker *worker;
	struct check_slot *slot;
	unsigned threads;
};

// A first frame is as large as dozens of blocks, so what reads it does not live on: no buffer
// of a worker grows to it. Puts header and frame into the file's digest, or drops that.
static void read_first_frame(struct check *c, struct file_check *f, struct file_run *run)
{
	struct block_reader *r = block_reader_new();
	uint8_t header[FILE_HEADER_BYTES];
	struct view stored;

	check_head(c, f, run->scan, r, &stored);
	if (f->damaged) {
		stream_digest_free(run->digest);
		run->digest = NULL;
	} else if (data_scan_header_bytes(run->scan, header, NULL) == OK) {
		stream_digest_put(run->digest, header, sizeof(header));
		stream_digest_put(run->digest, stored.data, stored.size);
	}
	block_reader_free(r);
}

static void crew_init(struct crew *w, const struct check *c)
{
	const struct check_options *o = &c->o;

	w->threads = o->threads;
	w->worker = mem_zalloc(o->threads, sizeof(*w->worker));
	w->slot = mem_zalloc(pool_slots(o->threads), sizeof(*w->slot));
	for (unsigned i = 0; i < o->threads; i++) {
		block_worker_init(&w->worker[i].w, c->render);
		if (o->deep)
			w->worker[i].scratch = generator_scratch_new(o->generator->generator);
		block_init(&w->worker[i].made);
		buf_init(&w->worker[i].payload, BLOCK_PAYLOAD_MAX);
	}
	for (unsigned i = 0; i < pool_slots(o->threads); i++) {
		buf_init(&w->slot[i].stored, SIZE_MAX);
		w->slot[i].wrong.limit = 5;
		buf_init(&w->slot[i].wrong.text, MIB);
	}
}

static void crew_free(struct crew *w)
{
	for (unsigned i = 0; i < w->threads; i++) {
		block_worker_deinit(&w->worker[i].w);
		generator_scratch_free(w->worker[i].scratch);
		block_free(&w->worker[i].made);
		buf_free(&w->worker[i].payload);
	}
	for (unsigned i = 0; i < pool_slots(w->threads); i++) {
		buf_free(&w->slot[i].stored);
		buf_free(&w->slot[i].wrong.text);
	}
	free(w->worker);
	free(w->slot);
}

static bool size_is_wrong(const struct check *c, const struct file_check *f,
			  const struct data_scan *scan, struct err *e)
{
	uint64_t size;

	if (!c->manifest_good)
		return false;
	size = c->manifest.file[f - c->file].size;
	// Where every block is found, the seek table tells as well, and more exactly.
	if (scan->in.size == size || (scan->in.size > size && scan->found == scan->blocks))
		return false;
	(void)err_set(e, ERR_DAMAGED,
		      scan->in.size < size ? "ends at byte %" PRIu64
					     ", the manifest says %" PRIu64 " (truncated copy?)"
					   : "has %" PRIu64
					     " bytes, the manifest says %" PRIu64,
		      scan->in.size, size);
	return true;
}

static enum status check_parts(struct check *c, struct file_check *f, struct data_scan *scan,
			       struct crew *crew, struct err *e)
{
	struct file_run run = {.c = c,
			       .f = f,
			       .scan = scan,
			       .worker = crew->worker,
			       .slot = crew->slot,
			       .digest = stream_digest_new()};
	struct pool_job job = {work, consume, &run};
	struct err found = {0};
	struct buf table;
	enum status s;

	if (data_scan_header(scan, f->first_block, &found) != OK)
		file_damage(c, f, PLACE_FILE_HEADER, found.text);
	read_first_frame(c, f, &run);
	f->says_first = scan->says_first;
	f->misplaced = scan->has_header && !f->other && scan->says_first != f->first_block;
	if (f->other || f->misplaced) {
		mark_bad(f, 0, f->blocks);
		c->next_known = false;
		stream_digest_free(run.digest);
		return OK;
	}
	s = data_scan_walk(scan, f->first_block, f->blocks, true, e);
	if (s == OK)
		s = pool_run(&job, crew->threads, 0, f->blocks, NULL, NULL, e);
	flush_absent(&run);
	buf_init(&table, 0);
	if (s == OK && size_is_wrong(c, f, scan, &found))
		file_damage(c, f, PLACE_FILE, found.text);
	else if (s == OK && data_scan_table(scan, &table, &found) != OK)
		file_damage(c, f, PLACE_SEEK_TABLE, found.text);
	if (s == OK && run.digest != NULL && !f->damaged) {
		stream_digest_put(run.digest, table.data, table.size);
		f->now.stored = stream_digest_take(run.digest);
		f->now.size = scan->in.size;
		f->now.payload_size = data_scan_payload_size(scan);
		f->now.first_block = f->first_block;
	}
	buf_free(&table);
	stream_digest_free(run.digest);
	return s;
}

static enum status check_file(struct check *c, size_t i, struct crew *crew, struct err *e)
{
	struct file_check *f = &c->file[i];
	char *path = path_join(c->o.dir, f->name), text[96];
	struct data_scan scan;
	struct err found = {0};
	enum status s;

	data_scan_init(&scan);
	f->present = file_exists(path);
	if (!f->present) {
		snprintf(text, sizeof(text), "blocks %" PRIu64 " to %" PRIu64 " are not there",
			 f->first_block, f->first_block + f->blocks - 1);
		report(c, FOUND_MISSING, PLACE_FILE, f->name, f->first_block, f->blocks, text);
		c->complete = c->next_known = false;
		free(path);
		return OK;
	}
	s = data_scan_open(&scan, path, &found);
	if (s != OK) {
		s = err_set(e, s, "%s", found.text);
	} else {
		s = check_parts(c, f, &scan, crew, e);
		compare_entry(c, i);
	}
	if (f->bad_blocks > 0)
		c->complete = false;
	data_scan_free(&scan);
	free(path);
	return s;
}

// ---- The whole -----------------------------------------------------------------------------

// Whether the manifest is of every block of the recipe: then totals are the recipe's.
static bool is_whole(const struct check *c)
{
	return c->manifest.blocks == recipe_blocks(&c->recipe);
}

static void report_gap(struct check *c, uint64_t first, uint64_t end)
{
	char text[96];

	snprintf(text, sizeof(text), "blocks %" PRIu64 " to %" PRIu64 ": no data file has them",
		 first, end - 1);
	report(c, FOUND_MISSING, PLACE_CORPUS, NULL, first, end - first, text);
	c->complete = false;
}

// Without a manifest: whether files follow each other from block 0 to the recipe's last.
static void check_gaps(struct check *c)
{
	uint64_t next = 0, all = c->recipe_known ? recipe_blocks(&c->recipe) : 0;

	for (size_t i = 0; i < c->file_count; i++) {
		if (c->file[i].first_block > next)
			report_gap(c, next, c->file[i].first_block);
		next = c->file[i].first_block + c->file[i].blocks;
	}
	if (next < all)
		report_gap(c, next, all);
}

static void check_totals(struct check *c)
{
	char have[DIGEST_TEXT_SIZE], want[DIGEST_TEXT_SIZE], text[ERR_TEXT_SIZE];

	c->digest = corpus_digest_final(c->sum);
	c->sum = NULL;
	c->program_differs = c->differ > 0 && c->manifest_good &&
			     digest_equal(c->digest, c->manifest.digest);
	if (!c->complete || !c->dict_known || !c->manifest_good)
		return;
	if (c->shard_count == 0 && !digest_equal(c->digest, c->manifest.digest)) {
		digest_text(c->digest, have);
		digest_text(c->manifest.digest, want);
		snprintf(text, sizeof(text), "corpus digest is %s, but the blocks give %s",
			 want, have);
		c->digest_differs = c->damage == 0;
		report(c, FOUND_DAMAGE, PLACE_MANIFEST, MANIFEST_NAME, 0, 0, text);
	}
	if (is_whole(c) && (c->rows != c->recipe.spans || c->traces != c->recipe.traces)) {
		snprintf(text, sizeof(text),
			 "%" PRIu64 " rows in %" PRIu64 " traces, %" PRIu64 " in %" PRIu64
			 " claimed",
			 c->rows, c->traces, c->recipe.spans, c->recipe.traces);
		report(c, FOUND_WRONG, PLACE_CORPUS, NULL, 0, 0, text);
		c->wrong++;
	}
}

static char *text_copy(const char *text)
{
	return mem_strdup(text == NULL ? "" : text);
}

void check_manifest(const struct check *c, struct manifest *m)
{
	const struct about *a = about_of(c);

	*m = (struct manifest){
		.format_version = FORMAT_VERSION,
		.recipe = c->recipe,
		.about = {text_copy(a->title), text_copy(a->description), text_copy(a->licence),
			  text_copy(a->generator), text_copy(a->zstd_version)},
		.rows = c->recipe.spans,
		.traces = c->recipe.traces,
		.blocks = recipe_blocks(&c->recipe),
		.epoch_ms = c->epoch_ms,
		.digest = c->digest,
		.file = mem_zalloc(c->file_count == 0 ? 1 : c->file_count, sizeof(*m->file)),
		.file_count = c->file_count,
	};
	for (size_t i = 0; i < c->file_count; i++) {
		m->file[i] = c->file[i].now;
		m->file[i].name = mem_strdup(c->file[i].name);
	}
}

// "line 17: `"seed": 3,` instead of `"seed": 1,`": the first line of the manifest that is not
// what the data files say.
static void first_difference(const struct check *c, const struct buf *wanted, char *out,
			     size_t out_size)
{
	const char *a = (const char *)c->manifest_text.data, *b = (const char *)wanted->data;
	size_t a_size = c->manifest_text.size, b_size = wanted->size, at = 0, begin = 0;
	size_t end;
	unsigned line = 1;

	while (at < a_size && at < b_size && a[at] == b[at]) {
		if (a[at++] == '\n') {
			line++;
			begin = at;
		}
	}
	for (end = begin; end < b_size && b[end] != '\n'; end++)
		;
	snprintf(out, out_size, "line %u, byte %zu: should be \"%.*s\"", line, at,
		 (int)u64_min(100, end - begin), b + begin);
}

static void report_manifest(struct check *c, const char *why)
{
	char text[2 * ERR_TEXT_SIZE], where[256] = "";
	struct manifest m;
	struct buf wanted;

	if (c->manifest_good)
		return;
	if (!c->manifest_there) {
		report(c, FOUND_DAMAGE, PLACE_MANIFEST, MANIFEST_NAME, 0, 0,
		       "not there; the folder is not a corpus, or writing it was not finished");
		return;
	}
	if (c->complete && c->damage == 0 && c->dict_known) {
		check_manifest(c, &m);
		buf_init(&wanted, MANIFEST_MAX_BYTES);
		if (manifest_format(&m, &wanted, NULL) == OK)
			first_difference(c, &wanted, where, sizeof(where));
		buf_free(&wanted);
		manifest_free(&m);
	}
	snprintf(text, sizeof(text), "%s%s%s", why, where[0] == '\0' ? "" : "; ", where);
	report(c, FOUND_DAMAGE, PLACE_MANIFEST, MANIFEST_NAME, 0, 0, text);
}

// The dictionary of the data files against the recipe.
static enum status check_dictionary(struct check *c, struct err *e)
{
	struct buf made;
	enum status s;

	buf_init(&made, SIZE_MAX);
	dict_encode(generator_dict(c->o.generator->generator), &made);
	s = buf_check(&made, "dictionary", e);
	if (s == OK && c->dict_known &&
	    !view_equal(c->dict_bytes, (struct view){(const char *)made.data, made.size}))
		report(c, FOUND_DAMAGE, PLACE_CORPUS, NULL, 0, 0,
		       "first frames: dictionary is not what the recipe makes");
	buf_free(&made);
	return s;
}

// The shard that begins with the file has a digest of its own blocks.
static void begin_shard(struct check *c, const struct file_check *f, size_t *shard)
{
	if (*shard + 1 < c->shard_count && f->first_block >= c->shard[*shard + 1].first_block) {
		(*shard)++;
		c->next_known = false; // another may be missing between the two
	}
	if (f->first_block != c->shard[*shard].first_block || !c->dict_known)
		return;
	(void)corpus_digest_final(c->sum);
	c->sum = corpus_digest_new(c->recipe.content_version, c->recipe_bytes, c->dict_bytes);
}

static void end_shard(struct check *c, const struct file_check *f, size_t shard)
{
	const struct corpus_part *p = &c->shard[shard];
	char have[DIGEST_TEXT_SIZE], want[DIGEST_TEXT_SIZE], text[ERR_TEXT_SIZE];
	struct digest d;

	if (f->first_block + f->blocks != p->end_block || !c->dict_known)
		return;
	d = corpus_digest_final(c->sum);
	c->sum = NULL;
	for (size_t i = 0; i < c->file_count; i++) {
		if (c->file[i].first_block >= p->first_block &&
		    c->file[i].first_block < p->end_block &&
		    (!c->file[i].present || c->file[i].bad_blocks > 0))
			return; // that is said already
	}
	if (digest_equal(d, p->digest))
		return;
	digest_text(d, have);
	digest_text(p->digest, want);
	snprintf(text, sizeof(text), "digest of the shard is %s, but the blocks give %s", want,
		 have);
	report(c, FOUND_DAMAGE, PLACE_MANIFEST, p->name, 0, 0, text);
}

static enum status check_files(struct check *c, struct err *e)
{
	struct crew crew;
	size_t shard = 0;
	enum status s = OK;

	crew_init(&crew, c);
	c->complete = true;
	for (size_t i = 0; i < c->file_count && s == OK; i++) {
		if (c->shard_count > 0)
			begin_shard(c, &c->file[i], &shard);
		if (c->manifest_good) {
			c->next_known =
				c->next_known && c->next_row == c->manifest.file[i].first_row;
		}
		s = check_file(c, i, &crew, e);
		if (s == OK && c->shard_count > 0)
			end_shard(c, &c->file[i], shard);
	}
	crew_free(&crew);
	return s;
}

static enum status nothing_there(const struct check *c, struct err *e)
{
	if (!c->manifest_there && c->file_count == 0)
		return err_set(e, ERR_NOT_FOUND,
			       "%s/" MANIFEST_NAME
			       ": not there; the folder is not a corpus, or writing it was "
			       "not finished",
			       c->o.dir);
	return OK;
}

enum status check_run(struct check *c, const struct check_options *o, struct err *e)
{
	struct block_reader *r = block_reader_new();
	char why[ERR_TEXT_SIZE];
	enum status s;

	*c = (struct check){.o = *o};
	buf_init(&c->manifest_text, MANIFEST_MAX_BYTES);
	s = read_manifest(c, why, sizeof(why), e);
	if (s == OK)
		s = layout(c, e);
	if (s == OK)
		s = nothing_there(c, e);
	if (s == OK)
		find_head(c, r);
	if (s == OK && !c->manifest_good)
		s = deduce_blocks(c, e);
	block_reader_free(r);
	if (s == OK && o->deep && c->recipe_known) {
		s = generator_cache_get(o->generator, &c->recipe, e);
		if (s == OK)
			s = check_dictionary(c, e);
	} else if (s == OK && o->deep) {
		s = err_set(e, ERR_DAMAGED,
			    "%s: no whole copy of the recipe is left, nothing can be compared "
			    "with it",
			    o->dir);
	}
	if (s == OK && c->dict_known)
		c->sum = corpus_digest_new(c->recipe.content_version, c->recipe_bytes,
					   c->dict_bytes);
	c->progress = (struct progress){.log = o->log,
					.verb = "read",
					.rows_all = c->manifest_good  ? c->manifest.rows
						    : c->recipe_known ? c->recipe.spans
								      : 0,
					.begin_ns = clock_monotonic_ns()};
	if (s == OK)
		s = check_files(c, e);
	if (o->log != NULL)
		log_progress_end(o->log);
	if (s == OK && !c->manifest_good)
		check_gaps(c);
	if (s == OK) {
		check_totals(c);
		report_manifest(c, why);
	}
	return s;
}

void check_free(struct check *c)
{
	for (size_t i = 0; i < c->file_count; i++) {
		free(c->file[i].name);
		free(c->file[i].bad);
	}
	free(c->file);
	(void)corpus_digest_final(c->sum);
	render_free(c->render);
	manifest_free(&c->manifest);
	free(c->shard);
	buf_free(&c->manifest_text);
	about_free(&c->about);
	buf_free(&c->head);
	arena_free(&c->arena);
	*c = (struct check){0};
}
