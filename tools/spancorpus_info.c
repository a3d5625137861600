// SPDX-License-Identifier: Apache-2.0
// spancorpus info: what a corpus is, from its manifest and dictionary; reads no block.
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "tools/spancorpus.h"

static uint64_t stored_bytes(const struct manifest *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->file_count; i++)
		sum += m->file[i].size;
	return sum;
}

// Copies beyond the rows of the data files, which follow each other.
static uint64_t duplicates(const struct manifest *m)
{
	uint64_t first = m->file[0].first_row, share = m->recipe.duplicates_mpct;

	return u64_mul_div(first + m->rows, share, 100000) - u64_mul_div(first, share, 100000);
}

static void set_text(json_t *o, const char *key, const char *text)
{
	json_object_set_new(o, key, json_string(text != NULL ? text : ""));
}

static void print_json(const struct source *s, const char *digest, const char *epoch)
{
	const struct manifest *m = &s->corpus.manifest;
	const struct dict *d = &s->corpus.dict;
	struct recipe_value field[RECIPE_FIELD_COUNT];
	json_t *o = json_object(), *recipe = json_object(), *files = json_array(),
	       *dict = json_object();

	set_text(o, "digest", digest);
	if (!s->corpus.digest_is_known)
		json_object_set_new(o, "digest", json_null());
	json_object_set_new(o, "first_block",
			    json_integer((json_int_t)corpus_first_block(&s->corpus)));
	json_object_set_new(o, "blocks_of_recipe",
			    json_integer((json_int_t)recipe_blocks(&m->recipe)));
	if (m->is_part) {
		char whole[DIGEST_TEXT_SIZE];

		digest_text(m->part_of, whole);
		set_text(o, "part_of", whole);
	}
	json_object_set_new(o, "rows", json_integer((json_int_t)m->rows));
	json_object_set_new(o, "traces", json_integer((json_int_t)m->traces));
	json_object_set_new(o, "blocks", json_integer((json_int_t)m->blocks));
	json_object_set_new(o, "duplicates", json_integer((json_int_t)duplicates(m)));
	json_object_set_new(o, "stored_bytes", json_integer((json_int_t)stored_bytes(m)));
	set_text(o, "epoch", epoch);
	json_object_set_new(o, "epoch_ms", json_integer(m->epoch_ms));
	json_object_set_new(o, "format_version", json_integer(m->format_version));
	set_text(o, "title", m->about.title);
	set_text(o, "description", m->about.description);
	set_text(o, "licence", m->about.licence);
	set_text(o, "generator", m->about.generator);
	set_text(o, "zstd_version", m->about.zstd_version);
	recipe_values(&m->recipe, field);
	for (size_t i = 0; i < RECIPE_FIELD_COUNT; i++)
		json_object_set_new(recipe, field[i].name,
				    json_integer((json_int_t)field[i].value));
	json_object_set_new(o, "recipe", recipe);
	json_object_set_new(dict, "bytes", json_integer((json_int_t)s->corpus.dict_bytes.size));
	json_object_set_new(dict, "services", json_integer(d->service_count));
	json_object_set_new(dict, "instances", json_integer(d->instance_count));
	json_object_set_new(dict, "operations", json_integer(d->operation_count));
	json_object_set_new(dict, "templates", json_integer(d->template_count));
	json_object_set_new(o, "dictionary", dict);
	for (size_t i = 0; i < m->file_count; i++) {
		json_t *f = json_object();

		set_text(f, "name", m->file[i].name);
		json_object_set_new(f, "bytes", json_integer((json_int_t)m->file[i].size));
		json_object_set_new(f, "payload_bytes",
				    json_integer((json_int_t)m->file[i].payload_size));
		json_object_set_new(f, "first_block",
				    json_integer((json_int_t)m->file[i].first_block));
		json_object_set_new(f, "blocks", json_integer((json_int_t)m->file[i].blocks));
		json_object_set_new(f, "rows", json_integer((json_int_t)m->file[i].rows));
		json_object_set_new(
			f, "present",
			json_boolean(corpus_has_block(&s->corpus, m->file[i].first_block)));
		json_array_append_new(files, f);
	}
	json_object_set_new(o, "files", files);
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

// What there is of the corpus, when that is not all.
static void print_part(const struct corpus *c)
{
	uint64_t blocks = recipe_blocks(&c->manifest.recipe);
	char whole[DIGEST_TEXT_SIZE];

	if (c->manifest.blocks == blocks)
		return;
	printf("part         %" PRIu64 " of %" PRIu64 " blocks:", c->manifest.blocks, blocks);
	for (size_t i = 0; i < c->part_count; i++)
		printf("%s %" PRIu64 " to %" PRIu64, i > 0 ? "," : "", c->part[i].first_block,
		       c->part[i].end_block - 1);
	putchar('\n');
	if (!c->manifest.is_part)
		return;
	digest_text(c->manifest.part_of, whole);
	printf("part of      %s\n", whole);
}

static void print_text(const struct source *s, const char *digest, const char *epoch)
{
	const struct manifest *m = &s->corpus.manifest;
	const struct dict *d = &s->corpus.dict;
	struct recipe_value field[RECIPE_FIELD_COUNT];
	uint64_t stored = stored_bytes(m);
	size_t present = 0;

	for (size_t i = 0; i < m->file_count; i++)
		present += corpus_has_block(&s->corpus, m->file[i].first_block);
	printf("digest       %s\n", digest);
	print_part(&s->corpus);
	if (m->about.title != NULL && m->about.title[0] != '\0')
		printf("title        %s\n", m->about.title);
	if (m->about.description != NULL && m->about.description[0] != '\0')
		printf("description  %s\n", m->about.description);
	if (m->about.licence != NULL && m->about.licence[0] != '\0')
		printf("licence      %s\n", m->about.licence);
	printf("rows         %" PRIu64 "\ntraces       %" PRIu64 "\nblocks       %" PRIu64 "\n",
	       m->rows, m->traces, m->blocks);
	if (m->recipe.late_mpct != 0 || m->recipe.duplicates_mpct != 0)
		printf("disorder     %" PRIu64 " rows come twice, %u.%03u %% late\n",
		       duplicates(m), m->recipe.late_mpct / 1000, m->recipe.late_mpct % 1000);
	printf("stored       %" PRIu64 " bytes in %zu files, %.1f bytes a row\n", stored,
	       m->file_count, m->rows != 0 ? (double)stored / (double)m->rows : 0.0);
	if (present != m->file_count)
		printf("present      %zu of %zu files: a partial corpus\n", present,
		       m->file_count);
	printf("dictionary   %zu bytes: %u services, %u instances, %u operations, %u span "
	       "templates\n",
	       s->corpus.dict_bytes.size, d->service_count, d->instance_count,
	       d->operation_count, d->template_count);
	printf("epoch        %s (default for exports)\n", epoch);
	printf("versions     format %u, content %u, written by %s with zstd %s\n",
	       m->format_version, m->recipe.content_version,
	       m->about.generator != NULL ? m->about.generator : "?",
	       m->about.zstd_version != NULL ? m->about.zstd_version : "?");
	recipe_values(&m->recipe, field);
	fputs("recipe      ", stdout);
	for (size_t i = 1; i < RECIPE_FIELD_COUNT; i++)
		printf("%s%s=%" PRIu64, i > 1 && i % 4 == 1 ? "\n             " : " ",
		       field[i].name, field[i].value);
	putchar('\n');
}

enum status verb_info(const struct verb *v, int argc, char **argv, struct err *e)
{
	bool json = false;
	const struct opt table[] = {
		{.name = "json",
		 .type = OPT_FLAG,
		 .value = &json,
		 .help = "print one JSON object"},
		{0},
	};
	struct source s;
	const char *dir;
	char digest[DIGEST_TEXT_SIZE], epoch[32];
	enum status st = verb_options(v, table, argc, argv, &dir, e);

	if (st != OK || dir == NULL)
		return st;
	st = source_open(&s, dir, e);
	if (st != OK)
		return st;
	digest_text(s.corpus.manifest.digest, digest);
	if (!s.corpus.digest_is_known)
		strcpy(digest, "not known before merge");
	format_rfc3339_ms(s.corpus.manifest.epoch_ms, epoch);
	if (json)
		print_json(&s, digest, epoch);
	else
		print_text(&s, digest, epoch);
	source_close(&s);
	return stdout_finish(e);
}
