// SPDX-License-Identifier: Apache-2.0
// split_corpus IN OUT [CONTENT_VERSION [SEED]]: the corpus IN, of one data file, in four; with
// a recipe that says another content version or seed, which the blocks then do not follow. For
// tests of verify.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/corpus_check.h"

#define FILES 4u

static void must(enum status s, const struct err *e)
{
	if (s == OK)
		return;
	fprintf(stderr, "split_corpus: %s\n", e->text);
	exit(1);
}

struct split {
	struct corpus c;
	struct data_scan scan;
	struct block_reader *reader;
	struct buf recipe, head;
	uint64_t head_payload_size;
	struct digest head_content;
	struct corpus_digest *digest;
	struct manifest m; // of OUT; texts are the corpus's
	struct manifest_file file[FILES];
	char name[FILES][64];
};

static void write_file(struct split *s, const char *dir, unsigned i)
{
	uint64_t blocks = s->c.manifest.blocks, first = blocks * i / FILES;
	struct view head = {(const char *)s->head.data, s->head.size};
	struct data_writer *w;
	struct err e = {0};
	char *path;

	snprintf(s->name[i], sizeof(s->name[i]), "data-%07llu.zst", (unsigned long long)first);
	path = path_join(dir, s->name[i]);
	must(data_writer_open(&w, path, first, head, s->head_payload_size, s->head_content, &e),
	     &e);
	for (uint64_t k = first; k < blocks * (i + 1) / FILES; k++) {
		struct block_header h;
		struct view stored;

		must(data_scan_stored(&s->scan, s->reader, k, &h, &stored, &e), &e);
		stored.data += BLOCK_HEADER_BYTES;
		stored.size -= BLOCK_HEADER_BYTES;
		must(data_writer_add(w, &h, stored, &e), &e);
		corpus_digest_block(s->digest, h.content);
	}
	must(data_writer_commit(w, &s->file[i], &e), &e);
	s->file[i].name = s->name[i];
	free(path);
}

static void write_manifest(struct split *s, const char *dir)
{
	char *path = path_join(dir, MANIFEST_NAME);
	struct err e = {0};
	struct buf text;

	s->m.file = s->file;
	s->m.file_count = FILES;
	s->m.digest = corpus_digest_final(s->digest);
	buf_init(&text, MANIFEST_MAX_BYTES);
	must(manifest_format(&s->m, &text, &e), &e);
	must(file_write_all(path, text.data, text.size, false, &e), &e);
	buf_free(&text);
	free(path);
}

int main(int argc, char **argv)
{
	struct split s = {0};
	struct err e = {0};
	char *path;

	if (argc < 3)
		return 2;
	must(corpus_open(&s.c, argv[1], &e), &e);
	path = path_join(argv[1], s.c.manifest.file[0].name);
	must(data_scan_open(&s.scan, path, &e), &e);
	must(data_scan_walk(&s.scan, 0, s.c.manifest.blocks, true, &e), &e);
	must(file_make_dir(argv[2], &e), &e);
	s.reader = block_reader_new();
	s.m = s.c.manifest;
	if (argc > 3)
		s.m.recipe.content_version = (uint32_t)strtoul(argv[3], NULL, 10);
	if (argc > 4)
		s.m.recipe.seed = strtoull(argv[4], NULL, 10);
	buf_init(&s.recipe, 64 * KIB);
	buf_init(&s.head, SIZE_MAX);
	recipe_encode(&s.m.recipe, &s.recipe);
	s.digest = corpus_digest_new(s.m.recipe.content_version,
				     (struct view){(const char *)s.recipe.data, s.recipe.size},
				     s.c.dict_bytes);
	must(data_head_make((struct view){(const char *)s.recipe.data, s.recipe.size},
			    s.c.dict_bytes, &s.m.about, &s.head, &s.head_payload_size,
			    &s.head_content, &e),
	     &e);
	for (unsigned i = 0; i < FILES; i++)
		write_file(&s, argv[2], i);
	write_manifest(&s, argv[2]);
	buf_free(&s.recipe);
	buf_free(&s.head);
	block_reader_free(s.reader);
	data_scan_free(&s.scan);
	corpus_close(&s.c);
	free(path);
	return 0;
}
