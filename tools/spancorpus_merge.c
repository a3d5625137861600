// SPDX-License-Identifier: Apache-2.0
// spancorpus merge: the manifests of all shards of a folder become corpus.json. Data files stay
// as they are; of their blocks only the headers are read, for the corpus digest.
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tools/spancorpus.h"

// "0, 3 and 7 to 9": the shards that are not there.
static enum status check_all_there(const struct corpus *c, uint32_t shards, struct err *e)
{
	struct buf missing;
	uint32_t next = 0, count = 0;

	buf_init_own(&missing, 200);
	for (size_t i = 0; i <= c->part_count; i++) {
		struct shard s = {shards, shards};

		if (i < c->part_count)
			shard_of_name(c->part[i].name, MANIFEST_SUFFIX, &s);
		for (; next < s.index; next++, count++)
			buf_printf(&missing, "%s%" PRIu32, count > 0 ? ", " : "", next);
		next = s.index + 1;
	}
	if (count > 0)
		err_set(e, ERR_NOT_FOUND,
			"%s: %" PRIu32 " of %" PRIu32 " shards are not there or not finished "
			"(%.*s%s); make them with spangen "
			"generate --shard I/%" PRIu32 ", or copy their files here",
			c->dir, count, shards, (int)missing.size, (const char *)missing.data,
			missing.failed ? ", ..." : "", shards);
	buf_free(&missing);
	return count > 0 ? ERR_NOT_FOUND : OK;
}

static enum status part_digest_differs(const struct corpus *c, const struct corpus_part *p,
				       struct err *e)
{
	return err_set(e, ERR_DAMAGED,
		       "%s: %s: its digest is not that of its blocks (data files of another "
		       "run?); spancorpus verify says more",
		       c->dir, p->name);
}

static struct corpus_digest *digest_begin(const struct corpus *c)
{
	return corpus_digest_new(c->manifest.recipe.content_version, c->recipe_bytes,
				 c->dict_bytes);
}

// Digest of all blocks; those of the shards are compared on the way.
static enum status digest_blocks(const struct corpus *c, struct digest *out, struct err *e)
{
	struct corpus_digest *all = digest_begin(c);
	enum status s = OK;

	for (size_t i = 0; s == OK && i < c->part_count; i++) {
		const struct corpus_part *p = &c->part[i];
		struct corpus_digest *own = digest_begin(c);
		struct block_header h;

		for (uint64_t n = p->first_block; s == OK && n < p->end_block; n++) {
			s = corpus_block_header(c, n, &h, e);
			if (s != OK)
				break;
			corpus_digest_block(all, h.content);
			corpus_digest_block(own, h.content);
		}
		if (!digest_equal(corpus_digest_final(own), p->digest) && s == OK)
			s = part_digest_differs(c, p, e);
	}
	*out = corpus_digest_final(all);
	return s;
}

// corpus.json that is there already must say the same.
static enum status compare(const char *path, const struct buf *text, struct err *e)
{
	struct buf there;
	enum status s = file_read_all(path, MANIFEST_MAX_BYTES, &there, e);
	bool same = s == OK && there.size == text->size &&
		    memcmp(there.data, text->data, text->size) == 0;

	buf_free(&there);
	if (s != OK || same)
		return s;
	return err_set(e, ERR_EXISTS,
		       "%s: exists already and is not what the shards make; remove it (or the "
		       "manifests of the shards, if it is the right one)",
		       path);
}

static enum status write_manifest(const char *dir, const struct manifest *m, bool *was_there,
				  struct err *e)
{
	char *path = path_join(dir, MANIFEST_NAME);
	struct buf text;
	enum status s;

	buf_init(&text, MANIFEST_MAX_BYTES);
	s = manifest_format(m, &text, e);
	*was_there = file_exists(path);
	if (s == OK && *was_there)
		s = compare(path, &text, e);
	else if (s == OK)
		s = file_write_all(path, text.data, text.size, false, e);
	buf_free(&text);
	free(path);
	return s;
}

static void print_text(const struct corpus *c, bool was_there)
{
	const struct manifest *m = &c->manifest;
	char digest[DIGEST_TEXT_SIZE];

	digest_text(m->digest, digest);
	printf("digest      %s\nrows        %" PRIu64 " in %" PRIu64 " traces, %" PRIu64
	       " blocks\nmerged      %zu shards, %zu data files%s\n",
	       digest, m->rows, m->traces, m->blocks, c->part_count, m->file_count,
	       was_there ? "; they were already" : "");
}

static void print_json(const struct corpus *c, bool was_there)
{
	const struct manifest *m = &c->manifest;
	char digest[DIGEST_TEXT_SIZE];
	json_t *o;

	digest_text(m->digest, digest);
	o = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:b}", "digest", digest, "rows",
		      (json_int_t)m->rows, "traces", (json_int_t)m->traces, "blocks",
		      (json_int_t)m->blocks, "shards", (json_int_t)c->part_count, "data_files",
		      (json_int_t)m->file_count, "was_merged", (int)was_there);
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

static enum status merge(struct corpus *c, bool json, struct err *e)
{
	struct manifest *m = &c->manifest;
	bool was_there;
	enum status s = check_all_there(c, m->shard.count, e);

	if (s == OK)
		s = digest_blocks(c, &m->digest, e);
	if (s != OK)
		return s;
	m->shard = (struct shard){0, 0};
	s = write_manifest(c->dir, m, &was_there, e);
	if (s != OK)
		return s;
	if (json)
		print_json(c, was_there);
	else
		print_text(c, was_there);
	return stdout_finish(e);
}

enum status verb_merge(const struct verb *v, int argc, char **argv, struct err *e)
{
	bool json = false;
	const struct opt table[] = {
		{.name = "json",
		 .type = OPT_FLAG,
		 .value = &json,
		 .help = "print one JSON object"},
		{0},
	};
	struct corpus c;
	const char *dir;
	enum status s = verb_options(v, table, argc, argv, &dir, e);

	if (s != OK || dir == NULL)
		return s;
	s = corpus_open_shards(&c, dir, e);
	if (s == OK)
		s = merge(&c, json, e);
	corpus_close(&c);
	return s;
}
