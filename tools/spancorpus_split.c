// SPDX-License-Identifier: Apache-2.0
// spancorpus split: a run of blocks as a corpus of its own folder. Frames are copied as they
// are stored; data files end where those of the source do, so one that is wholly inside stays
// as it is.
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tools/spancorpus.h"

struct split {
	const struct corpus *source;
	uint64_t first, last; // blocks, inclusive
	const char *out;
	bool json;
};

// "A-B", both inclusive; "A" alone is one block.
static enum status parse_blocks(const char *text, struct split *s, struct err *e)
{
	char *copy = mem_strdup(text), *dash = strchr(copy, '-');
	enum status st;

	if (dash != NULL)
		*dash = '\0';
	st = parse_u64(copy, 0, UINT64_MAX - 1, "--blocks A-B", &s->first, e);
	if (st == OK)
		st = parse_u64(dash != NULL ? dash + 1 : copy, 0, UINT64_MAX - 1,
			       "--blocks A-B", &s->last, e);
	free(copy);
	if (st == OK && s->last < s->first)
		st = err_set(e, ERR_USAGE, "--blocks %s: the last is before the first", text);
	return st;
}

static enum status check_blocks(const struct split *s, struct err *e)
{
	const struct corpus *c = s->source;

	if (s->first < corpus_first_block(c) || s->last >= corpus_end_block(c))
		return err_set(e, ERR_USAGE,
			       "--blocks %" PRIu64 "-%" PRIu64 ": %s has blocks %" PRIu64
			       " to %" PRIu64,
			       s->first, s->last, c->dir, corpus_first_block(c),
			       corpus_end_block(c) - 1);
	return OK;
}

static bool begins_file(const struct corpus *c, uint64_t block)
{
	for (size_t i = 0; i < c->manifest.file_count; i++) {
		if (c->manifest.file[i].first_block == block)
			return true;
	}
	return false;
}

static enum status copy_blocks(const struct split *s, struct corpus_writer *w, struct err *e)
{
	struct block_reader *r = block_reader_new();
	struct block_header h;
	struct buf frame;
	enum status st = OK;

	buf_init(&frame, 2 * BLOCK_PAYLOAD_MAX);
	for (uint64_t n = s->first; st == OK && n <= s->last; n++) {
		if (n > s->first && begins_file(s->source, n))
			st = corpus_writer_end_file(w, e);
		if (st == OK)
			st = corpus_read_stored(s->source, r, n, &h, &frame, e);
		if (st == OK)
			st = corpus_writer_add(w, &h, &frame, e);
	}
	buf_free(&frame);
	block_reader_free(r);
	return st;
}

static enum status write_part(const struct split *s, struct corpus_dir *dir,
			      struct manifest *out, struct err *e)
{
	const struct manifest *m = &s->source->manifest;
	bool whole = m->blocks == recipe_blocks(&m->recipe) && s->source->digest_is_known;
	struct corpus_writer_options o = {
		.recipe = &m->recipe,
		.about = &m->about,
		.dict_bytes = s->source->dict_bytes,
		.epoch_ms = m->epoch_ms,
		.end_block = s->last + 1,
		.part_of = m->is_part ? &m->part_of
			   : whole    ? &m->digest
				      : NULL,
	};
	struct corpus_writer *w = NULL;
	struct block_header h;
	enum status st = corpus_block_header(s->source, s->first, &h, e);

	o.first = (struct corpus_position){h.number, h.first_trace, h.first_row};
	if (st == OK)
		st = corpus_writer_open(&w, dir, &o, e);
	if (st == OK)
		st = copy_blocks(s, w, e);
	if (st == OK)
		return corpus_writer_finish(w, out, e);
	corpus_writer_abort(w);
	return st;
}

static void print_text(const struct split *s, const struct manifest *m, const char *digest)
{
	printf("digest      %s of these blocks\nblocks      %" PRIu64 " to %" PRIu64
	       " of 0 to %" PRIu64 "\nrows        %" PRIu64 " in %" PRIu64
	       " traces, %zu data files\n",
	       digest, s->first, s->last, recipe_blocks(&m->recipe) - 1, m->rows, m->traces,
	       m->file_count);
}

static void print_json(const struct split *s, const struct manifest *m, const char *digest)
{
	json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "digest", digest, "first_block",
			      (json_int_t)s->first, "blocks", (json_int_t)m->blocks, "rows",
			      (json_int_t)m->rows, "traces", (json_int_t)m->traces,
			      "data_files", (json_int_t)m->file_count);

	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

static enum status split(const struct split *s, struct err *e)
{
	struct manifest m = {0};
	struct corpus_dir dir = {0};
	char digest[DIGEST_TEXT_SIZE];
	enum status st = check_blocks(s, e);

	if (st == OK)
		st = corpus_dir_open(&dir, s->out, (struct shard){0, 0}, false, e);
	if (st == OK)
		st = write_part(s, &dir, &m, e);
	corpus_dir_close(&dir);
	if (st != OK)
		return st;
	digest_text(m.digest, digest);
	if (s->json)
		print_json(s, &m, digest);
	else
		print_text(s, &m, digest);
	manifest_free(&m);
	return stdout_finish(e);
}

enum status verb_split(const struct verb *v, int argc, char **argv, struct err *e)
{
	struct split s = {0};
	const char *blocks = NULL, *dir;
	const struct opt table[] = {
		{.name = "blocks",
		 .type = OPT_STRING,
		 .value = &blocks,
		 .meta = "A-B",
		 .help = "first and last block, from 0; both are copied"},
		{.name = "out",
		 .type = OPT_STRING,
		 .value = &s.out,
		 .meta = "DIR2",
		 .help = "folder to write, created if missing; must be empty"},
		{.name = "json",
		 .type = OPT_FLAG,
		 .value = &s.json,
		 .help = "print one JSON object"},
		{0},
	};
	struct corpus c;
	enum status st = verb_options(v, table, argc, argv, &dir, e);

	if (st != OK || dir == NULL)
		return st;
	if (blocks == NULL || s.out == NULL || s.out[0] == '\0')
		return err_set(e, ERR_USAGE, "split: --blocks A-B and --out DIR2 are needed");
	st = parse_blocks(blocks, &s, e);
	if (st != OK)
		return err_prefix(e, "split");
	st = corpus_open(&c, dir, e);
	if (st != OK)
		return st;
	s.source = &c;
	st = split(&s, e);
	corpus_close(&c);
	return st;
}
