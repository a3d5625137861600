// SPDX-License-Identifier: Apache-2.0
// Makes a damaged corpus whole: files that have another's name are moved back, damaged blocks
// made again from the recipe, undamaged frames copied as they are stored, the manifest written
// last. A file takes its name only when it is whole and synced, so whatever interrupts this, a
// second run goes on.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pool.h"
#include "tools/spancorpus_check.h"

#define LEVEL_MOST 19

struct heal_worker {
	struct generator_scratch *scratch;
	struct frame_writer *writer;
	struct block_reader *reader;
	struct block block;
};

struct heal_slot {
	struct block_header header;
	struct buf stored; // header and frame, copied
	struct buf frame;  // made
	bool made;
};

struct heal {
	struct check *c;
	struct heal_result *r;
	const struct generator *g;
	int level;
	struct view dict; // encoded, as the recipe makes it
	// The first frame of every file that needs a new one; made when the first one does.
	struct buf head;
	uint64_t head_payload_size;
	struct digest head_content;
	struct heal_worker *worker;
	struct heal_slot *slot;
	// The file being written.
	struct file_check *f;
	struct data_scan scan;
	bool have_scan;
	struct data_writer *out;
};

// ---- Whether the recipe makes this corpus --------------------------------------------------

static enum status check_recipe(const struct check *c, struct err *e)
{
	if (!c->recipe_known)
		return err_set(
			e, ERR_DAMAGED,
			"%s: no whole copy of the recipe is left, neither in " MANIFEST_NAME
			" nor in a data file; fetch one of them again",
			c->o.dir);
	if (c->program_differs)
		return err_set(
			e, ERR_VERSION,
			"%s: the blocks are the manifest's, but this program makes other "
			"ones from the recipe; use the release that made them "
			"(" MANIFEST_NAME ", \"generator\")",
			c->o.dir);
	return OK;
}

// A generator that has changed since must not write into this corpus.
static enum status check_dictionary(const struct heal *h, struct err *e)
{
	if (!h->c->dict_known || view_equal(h->c->dict_bytes, h->dict))
		return OK;
	return err_set(
		e, ERR_VERSION,
		"%s: this program makes another dictionary from the recipe than the data "
		"files have; use the release that made them (" MANIFEST_NAME ", \"generator\")",
		h->c->o.dir);
}

// The level at which zstd makes the bytes that are stored, so that files end as they were.
static enum status probe_block(struct heal *h, const struct block_header *stored, struct err *e)
{
	struct heal_worker *w = &h->worker[0];
	struct buf frame;
	enum status s = OK;

	buf_init(&frame, BLOCK_PAYLOAD_MAX);
	for (int i = 0; i <= LEVEL_MOST && s == OK; i++) {
		int level = i == 0 ? ZSTD_LEVEL_DEFAULT : i;
		struct frame_writer *writer = frame_writer_new(level);
		struct block_header made;

		generator_block(h->g, w->scratch, stored->number, &w->block, &made);
		s = frame_write_block(writer, &w->block, &made, &frame, e);
		frame_writer_free(writer);
		if (s == OK && !digest_equal(made.content, stored->content))
			s = err_set(e, ERR_VERSION,
				    "%s: block %" PRIu64
				    " is whole, but this program makes another one from the "
				    "recipe; use the release that made it (" MANIFEST_NAME
				    ", \"generator\")",
				    h->c->o.dir, stored->number);
		if (s == OK && digest_equal(made.stored, stored->stored)) {
			h->level = level;
			break;
		}
	}
	buf_free(&frame);
	return s;
}

// Any whole block shows whether this generator made the corpus, and at which level.
static enum status probe(struct heal *h, struct err *e)
{
	const struct check *c = h->c;
	enum status s = OK;
	bool done = false;

	h->level = ZSTD_LEVEL_DEFAULT;
	for (size_t i = 0; i < c->file_count && s == OK && !done; i++) {
		const struct file_check *f = &c->file[i];
		char *path = path_join(c->o.dir, f->name);
		struct data_scan scan;

		data_scan_init(&scan);
		if (f->present && f->bad_blocks < f->blocks &&
		    data_scan_open(&scan, path, NULL) == OK &&
		    data_scan_walk(&scan, f->first_block, f->blocks, true, NULL) == OK) {
			struct block_header stored;
			struct view bytes;
			uint64_t k = 0;

			while (f->bad != NULL && f->bad[k])
				k++;
			done = data_scan_stored(&scan, h->worker[0].reader, k, &stored, &bytes,
						NULL) == OK;
			if (done)
				s = probe_block(h, &stored, e);
		}
		data_scan_free(&scan);
		free(path);
	}
	return s;
}

// ---- Files under a wrong name --------------------------------------------------------------

static enum status move(struct heal *h, const char *from, const char *to, struct err *e)
{
	char *a = path_join(h->c->o.dir, from), *b = path_join(h->c->o.dir, to);
	enum status s = file_move(a, b, e);

	free(a);
	free(b);
	return s;
}

static char *with_suffix(const char *name, const char *suffix)
{
	size_t size = strlen(name) + strlen(suffix) + 1;
	char *out = mem_alloc(size);

	snprintf(out, size, "%s%s", name, suffix);
	return out;
}

static const struct file_check *file_that_begins(const struct check *c, uint64_t block)
{
	for (size_t i = 0; i < c->file_count; i++)
		if (c->file[i].first_block == block)
			return &c->file[i];
	return NULL;
}

// The one whose name this file has wrongly can do without it: it is not there in a good state.
static bool place_is_free(const struct file_check *place)
{
	return place != NULL && (!place->present || place->other || place->misplaced);
}

// Files of this corpus to their own names (through a third one, as two may be swapped); whole
// files of other corpora aside, since nothing here can make those again.
static enum status move_files(struct heal *h, struct err *e)
{
	struct check *c = h->c;
	enum status s = OK;

	for (size_t i = 0; i < c->file_count && s == OK; i++) {
		const struct file_check *f = &c->file[i];
		bool own = f->misplaced && place_is_free(file_that_begins(c, f->says_first));
		char *aside;

		if (!own && !f->other)
			continue;
		aside = with_suffix(f->name, own ? ".moved.part" : ".other");
		s = move(h, f->name, aside, e);
		if (s == OK && f->other)
			buf_printf(&h->r->text, "%s: of another corpus, kept as %s\n", f->name,
				   aside);
		h->r->moved += s == OK;
		free(aside);
	}
	for (size_t i = 0; i < c->file_count && s == OK; i++) {
		const struct file_check *f = &c->file[i];
		const struct file_check *to = file_that_begins(c, f->says_first);
		char *aside;

		if (!f->misplaced || !place_is_free(to))
			continue;
		aside = with_suffix(f->name, ".moved.part");
		s = move(h, aside, to->name, e);
		if (s == OK)
			buf_printf(&h->r->text, "%s: moved to its own name %s\n", f->name,
				   to->name);
		free(aside);
	}
	return s;
}

// ---- Writing a file again ------------------------------------------------------------------

static enum status work(void *ctx, unsigned worker, unsigned slot, uint64_t block,
			struct err *e)
{
	struct heal *h = ctx;
	struct heal_worker *w = &h->worker[worker];
	struct heal_slot *out = &h->slot[slot];
	uint64_t index = block - h->f->first_block;
	struct view stored;
	enum status s;

	out->made = !h->have_scan || (h->f->bad != NULL && h->f->bad[index]);
	if (out->made) {
		generator_block(h->g, w->scratch, block, &w->block, &out->header);
		return frame_write_block(w->writer, &w->block, &out->header, &out->frame, e);
	}
	s = data_scan_stored(&h->scan, w->reader, index, &out->header, &stored, e);
	if (s != OK)
		return e == NULL ? s : err_prefix(e, "%s: block %" PRIu64, h->f->name, block);
	block_reader_swap_stored(w->reader, &out->stored);
	return OK;
}

static enum status consume(void *ctx, unsigned slot, uint64_t block, struct err *e)
{
	struct heal *h = ctx;
	const struct heal_slot *r = &h->slot[slot];
	struct view frame = {(const char *)r->frame.data, r->frame.size};

	(void)block;
	if (!r->made)
		frame = (struct view){(const char *)r->stored.data + BLOCK_HEADER_BYTES,
				      r->stored.size - BLOCK_HEADER_BYTES};
	h->r->blocks += r->made;
	return data_writer_add(h->out, &r->header, frame, e);
}

static enum status make_head(struct heal *h, struct err *e)
{
	struct buf recipe;
	enum status s;

	if (h->head.size > 0)
		return OK;
	buf_init_own(&recipe, 64 * KIB);
	recipe_encode(&h->c->recipe, &recipe);
	s = data_head_make((struct view){(const char *)recipe.data, recipe.size}, h->dict,
			   h->c->manifest_good ? &h->c->manifest.about : &h->c->about, &h->head,
			   &h->head_payload_size, &h->head_content, e);
	buf_free(&recipe);
	return s;
}

// The file's own first frame when it is whole, else a new one.
static enum status open_writer(struct heal *h, const char *path, struct err *e)
{
	bool own = h->have_scan && !h->f->head_bad && h->scan.has_header;
	struct view head;
	enum status s = own ? data_scan_head_stored(&h->scan, h->worker[0].reader, &head, e)
			    : make_head(h, e);

	if (s != OK)
		return s;
	if (own)
		return data_writer_open(&h->out, path, h->f->first_block, head,
					h->scan.head_payload_size, h->scan.head_content, e);
	head = (struct view){(const char *)h->head.data, h->head.size};
	return data_writer_open(&h->out, path, h->f->first_block, head, h->head_payload_size,
				h->head_content, e);
}

static enum status write_file(struct heal *h, struct file_check *f, struct err *e)
{
	char *path = path_join(h->c->o.dir, f->name);
	struct pool_job job = {work, consume, h};
	uint64_t before = h->r->blocks;
	enum status s = OK;

	h->f = f;
	h->have_scan = f->present && !f->other && !f->misplaced;
	if (h->have_scan)
		s = data_scan_open(&h->scan, path, e);
	if (s == OK && h->have_scan)
		s = data_scan_walk(&h->scan, f->first_block, f->blocks, true, e);
	if (s == OK)
		s = open_writer(h, path, e);
	if (s == OK) {
		s = pool_run(&job, h->c->o.threads, f->first_block, f->first_block + f->blocks,
			     NULL, NULL, e);
		if (s == OK)
			s = data_writer_commit(h->out, &f->now, e);
		else
			data_writer_abort(h->out);
	}
	if (s == OK) {
		buf_printf(&h->r->text,
			   "%s: written again, %" PRIu64 " of %" PRIu64 " blocks made\n",
			   f->name, h->r->blocks - before, f->blocks);
		h->r->files++;
		f->present = true;
		f->damaged = false;
	}
	data_scan_free(&h->scan);
	free(path);
	return s;
}

static enum status write_files(struct heal *h, struct err *e)
{
	enum status s = OK;

	for (size_t i = 0; i < h->c->file_count && s == OK; i++)
		if (h->c->file[i].damaged || !h->c->file[i].present)
			s = write_file(h, &h->c->file[i], e);
	return s;
}

// ---- Manifest ------------------------------------------------------------------------------

// Digest of blocks as the files have them now.
static enum status sum_blocks(struct heal *h, struct digest *out, struct err *e)
{
	struct check *c = h->c;
	struct corpus_digest *sum;
	struct buf recipe;
	enum status s = OK;

	buf_init_own(&recipe, 64 * KIB);
	recipe_encode(&c->recipe, &recipe);
	sum = corpus_digest_new(c->recipe.content_version,
				(struct view){(const char *)recipe.data, recipe.size}, h->dict);
	buf_free(&recipe);
	for (size_t i = 0; i < c->file_count && s == OK; i++) {
		const struct file_check *f = &c->file[i];
		char *path = path_join(c->o.dir, f->name);
		struct data_scan scan;

		s = data_scan_open(&scan, path, e);
		if (s == OK)
			s = data_scan_walk(&scan, f->first_block, f->blocks, true, e);
		for (uint64_t k = 0; k < f->blocks && s == OK; k++) {
			struct block_header header;

			s = data_scan_block_header(&scan, k, &header, e);
			if (s == OK)
				corpus_digest_block(sum, header.content);
		}
		data_scan_free(&scan);
		free(path);
	}
	*out = corpus_digest_final(sum);
	return s;
}

// A good manifest stays as it is but for files that were written again.
static void update_entries(struct check *c)
{
	for (size_t i = 0; i < c->file_count; i++) {
		struct manifest_file *m = &c->manifest.file[i];
		char *name = m->name;

		*m = c->file[i].now;
		m->name = name;
	}
}

static enum status format_manifest(struct heal *h, struct buf *text, struct err *e)
{
	struct check *c = h->c;
	struct manifest m = {0};
	enum status s;

	if (c->manifest_good) {
		update_entries(c);
		return manifest_format(&c->manifest, text, e);
	}
	s = sum_blocks(h, &c->digest, e);
	if (s == OK) {
		check_manifest(c, &m);
		s = manifest_format(&m, text, e);
	}
	manifest_free(&m);
	return s;
}

static enum status write_manifest(struct heal *h, struct err *e)
{
	const struct check *c = h->c;
	char *path = path_join(c->o.dir, MANIFEST_NAME);
	struct buf text;
	enum status s;

	buf_init(&text, MANIFEST_MAX_BYTES);
	s = format_manifest(h, &text, e);
	if (s == OK && !(text.size == c->manifest_text.size &&
			 memcmp(text.data, c->manifest_text.data, text.size) == 0)) {
		s = file_write_all(path, text.data, text.size, true, e);
		h->r->manifest = s == OK;
		if (s == OK)
			buf_printf(&h->r->text, MANIFEST_NAME ": written again\n");
	}
	buf_free(&text);
	free(path);
	return s;
}

// ---- Without a manifest: blocks that no file has -------------------------------------------

static int compare_first(const void *a, const void *b)
{
	const struct file_check *x = a, *y = b;

	return (x->first_block > y->first_block) - (x->first_block < y->first_block);
}

// Adds files [first, end), each of as many blocks as spangen would put into one.
static void add_files(struct heal *h, uint64_t first, uint64_t end, uint64_t payload_max)
{
	struct check *c = h->c;

	while (first < end) {
		uint64_t blocks = u64_min(end - first, u64_max(1, payload_max));
		char name[64];

		snprintf(name, sizeof(name), "data-%07" PRIu64 ".zst", first);
		c->file = mem_realloc(c->file, c->file_count + 1, sizeof(*c->file));
		c->file[c->file_count++] = (struct file_check){
			.name = mem_strdup(name), .first_block = first, .blocks = blocks};
		first += blocks;
	}
}

// Blocks that fit into a data file, from the first one made.
static enum status blocks_per_file(struct heal *h, uint64_t block, uint64_t *out, struct err *e)
{
	struct heal_worker *w = &h->worker[0];
	struct block_header header;
	struct buf frame;
	enum status s;

	buf_init(&frame, BLOCK_PAYLOAD_MAX);
	generator_block(h->g, w->scratch, block, &w->block, &header);
	s = frame_write_block(w->writer, &w->block, &header, &frame, e);
	buf_free(&frame);
	// A tenth less: blocks differ in size.
	if (s == OK)
		*out = (DATA_PAYLOAD_MAX - u64_min(h->dict.size, DATA_PAYLOAD_MAX / 2)) / 10 *
		       9 / u64_max(1, header.payload_size);
	return s;
}

static enum status fill_gaps(struct heal *h, struct err *e)
{
	struct check *c = h->c;
	uint64_t next = 0, all = recipe_blocks(&c->recipe), most = 0;
	size_t count = c->file_count;
	enum status s = OK;

	if (c->manifest_good)
		return OK;
	for (size_t i = 0; i <= count && s == OK; i++) {
		uint64_t begin = i < count ? c->file[i].first_block : all;

		if (begin > next) {
			if (most == 0)
				s = blocks_per_file(h, next, &most, e);
			if (s == OK)
				add_files(h, next, begin, most);
		}
		if (i < count)
			next = begin + c->file[i].blocks;
	}
	if (c->file_count > 1)
		qsort(c->file, c->file_count, sizeof(*c->file), compare_first);
	return s;
}

// ---- The whole -----------------------------------------------------------------------------

static void crew_init(struct heal *h)
{
	unsigned threads = h->c->o.threads;

	h->worker = mem_zalloc(threads, sizeof(*h->worker));
	h->slot = mem_zalloc(pool_slots(threads), sizeof(*h->slot));
	for (unsigned i = 0; i < threads; i++) {
		h->worker[i].scratch = generator_scratch_new(h->g);
		h->worker[i].reader = block_reader_new();
		block_init(&h->worker[i].block);
	}
	for (unsigned i = 0; i < pool_slots(threads); i++) {
		buf_init(&h->slot[i].stored, SIZE_MAX);
		buf_init(&h->slot[i].frame, SIZE_MAX);
	}
}

static void crew_set_level(struct heal *h)
{
	for (unsigned i = 0; i < h->c->o.threads; i++)
		h->worker[i].writer = frame_writer_new(h->level);
}

static void crew_free(struct heal *h)
{
	unsigned threads = h->c->o.threads;

	for (unsigned i = 0; i < threads; i++) {
		generator_scratch_free(h->worker[i].scratch);
		frame_writer_free(h->worker[i].writer);
		block_reader_free(h->worker[i].reader);
		block_free(&h->worker[i].block);
	}
	for (unsigned i = 0; i < pool_slots(threads); i++) {
		buf_free(&h->slot[i].stored);
		buf_free(&h->slot[i].frame);
	}
	free(h->worker);
	free(h->slot);
}

static bool needs_moving(const struct check *c)
{
	for (size_t i = 0; i < c->file_count; i++) {
		const struct file_check *f = &c->file[i];

		if (f->other ||
		    (f->misplaced && place_is_free(file_that_begins(c, f->says_first))))
			return true;
	}
	return false;
}

static enum status mend(struct heal *h, struct err *e)
{
	enum status s = check_dictionary(h, e);

	crew_init(h);
	if (s == OK)
		s = probe(h, e);
	if (s == OK) {
		crew_set_level(h);
		s = fill_gaps(h, e);
	}
	if (s == OK)
		s = write_files(h, e);
	if (s == OK)
		s = write_manifest(h, e);
	crew_free(h);
	return s;
}

enum status heal_run(struct check *c, struct heal_result *r, bool *again, struct err *e)
{
	struct heal h = {.c = c, .r = r, .level = ZSTD_LEVEL_DEFAULT};
	struct buf dict;
	enum status s = check_recipe(c, e);

	*again = false;
	if (s == OK && c->shard_count > 0)
		s = err_set(e, ERR_USAGE,
			    "%s: shards are not healed before they are merged (spancorpus "
			    "merge); or remove the damaged shard and make it again",
			    c->o.dir);
	if (s == OK)
		s = generator_cache_get(c->o.generator, &c->recipe, e);
	if (s != OK)
		return s;
	if (needs_moving(c)) {
		*again = true;
		return move_files(&h, e);
	}
	h.g = c->o.generator->generator;
	data_scan_init(&h.scan);
	buf_init(&dict, SIZE_MAX);
	buf_init(&h.head, SIZE_MAX);
	dict_encode(generator_dict(h.g), &dict);
	h.dict = (struct view){(const char *)dict.data, dict.size};
	s = buf_check(&dict, "dictionary", e);
	if (s == OK)
		s = mend(&h, e);
	buf_free(&h.head);
	buf_free(&dict);
	return s;
}
