// SPDX-License-Identifier: Apache-2.0
// A small corpus from the generator, in as many data files as wanted, and whole files in
// memory, for tests that damage it.
#ifndef TESTS_MADE_CORPUS_H
#define TESTS_MADE_CORPUS_H

#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/generate.h"
#include "gen/scale.h"

// 20 traces in 4 blocks; few names, so that the dictionary is small.
static inline struct recipe made_recipe(uint64_t seed)
{
	const struct scale_wish wish = {
		.spans = 200, .traces = 20, .services = 3, .instances = 3, .operations = 3};
	struct recipe r = {0};

	scale_recipe(&wish, &r);
	r.seed = seed;
	r.block_traces = 5;
	r.variants = 1;
	r.cardinality = 10;
	return r;
}

// Writes the corpus of g into dir; file_max: uncompressed bytes of a data file.
static inline enum status made_write(const struct generator *g, const char *dir,
				     uint64_t file_max, struct manifest *m, struct err *e)
{
	static char title[] = "Made", description[] = "", licence[] = "CC0-1.0",
		    program[] = "made_corpus.h";
	const struct about about = {title, description, licence, program, NULL};
	const struct recipe *r = plan_recipe(generator_plan(g));
	struct generator_scratch *scratch = generator_scratch_new(g);
	struct frame_writer *frames = frame_writer_new(3);
	struct corpus_writer *w = NULL;
	struct corpus_dir where;
	struct buf dict, frame;
	struct block b;
	enum status s;

	block_init(&b);
	buf_init(&dict, MIB);
	buf_init(&frame, MIB);
	dict_encode(generator_dict(g), &dict);
	s = corpus_dir_open(&where, dir, (struct shard){0, 0}, false, e);
	if (s == OK)
		s = corpus_writer_open(
			&w, &where,
			&(struct corpus_writer_options){
				.recipe = r,
				.about = &about,
				.dict_bytes = {(const char *)dict.data, dict.size},
				.epoch_ms = r->base_epoch_ms,
				.end_block = recipe_blocks(r),
				.file_max_bytes = file_max},
			e);
	for (uint64_t i = 0; i < recipe_blocks(r) && s == OK; i++) {
		struct block_header h;

		generator_block(g, scratch, i, &b, &h);
		s = frame_write_block(frames, &b, &h, &frame, e);
		if (s == OK)
			s = corpus_writer_add(w, &h, &frame, e);
	}
	if (s == OK)
		s = corpus_writer_finish(w, m, e);
	else
		corpus_writer_abort(w);
	corpus_dir_close(&where);
	generator_scratch_free(scratch);
	frame_writer_free(frames);
	block_free(&b);
	buf_free(&dict);
	buf_free(&frame);
	return s;
}

static inline void made_read(const char *dir, const char *name, struct buf *out)
{
	char *path = path_join(dir, name);
	struct err e = {0};

	if (file_read_all(path, MIB, out, &e) != OK) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	free(path);
}

// In place, not crash-safe: this is how damage is done.
static inline void made_put(const char *dir, const char *name, const void *data, size_t size)
{
	char *path = path_join(dir, name);
	FILE *f = fopen(path, "wb");

	if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0) {
		fprintf(stderr, "%s: cannot write\n", path);
		exit(1);
	}
	free(path);
}

static inline bool made_same(const char *dir, const char *name, const struct buf *wanted)
{
	struct buf now;
	bool same;

	made_read(dir, name, &now);
	same = now.size == wanted->size && memcmp(now.data, wanted->data, now.size) == 0;
	buf_free(&now);
	return same;
}

#endif
