// SPDX-License-Identifier: Apache-2.0
// spancorpus verify: options, what was found as lines or JSON, and whether it was healed. The
// checks are spancorpus_check.c's, mending is spancorpus_heal.c's.
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/pool.h"
#include "tools/spancorpus_check.h"

struct verify {
	struct check_options o;
	bool heal, json;
	json_t *findings, *healed; // with json
};

static const char *kind_text(enum finding_kind k)
{
	return k == FOUND_DAMAGE ? "damaged" : k == FOUND_MISSING ? "missing" : "wrong";
}

static void on_finding(void *ctx, const struct finding *f)
{
	struct verify *v = ctx;
	json_t *o;

	if (!v->json) {
		printf("%s: %s\n", kind_text(f->kind), f->text);
		return;
	}
	o = json_pack("{s:s, s:s, s:s}", "kind", kind_text(f->kind), "place",
		      place_text(f->place), "text", f->text);
	if (f->file != NULL)
		json_object_set_new(o, "file", json_string(f->file));
	if (f->blocks > 0) {
		json_object_set_new(o, "block", json_integer((json_int_t)f->block));
		json_object_set_new(o, "blocks", json_integer((json_int_t)f->blocks));
	}
	json_array_append_new(v->findings, o);
}

static void say_healed(struct verify *v, const struct heal_result *h)
{
	const char *line = (const char *)h->text.data;
	size_t left = h->text.size;

	while (left > 0) {
		const char *end = memchr(line, '\n', left);
		size_t size = (size_t)(end - line);

		if (v->json)
			json_array_append_new(v->healed, json_stringn(line, size));
		else
			printf("healed: %.*s\n", (int)size, line);
		left -= size + 1;
		line = end + 1;
	}
}

// Whether the blocks of the manifests are not all of the recipe.
static bool is_part(const struct check *c)
{
	return c->manifest_good && c->manifest.blocks < recipe_blocks(&c->manifest.recipe);
}

// What manifests name no block of; with json that is left to "first_block" and "blocks".
static void print_gaps(const struct check *c)
{
	const struct manifest *m = &c->manifest;
	uint64_t next = 0, all = recipe_blocks(&m->recipe);
	char whole[DIGEST_TEXT_SIZE];

	for (size_t i = 0; i <= m->file_count; i++) {
		uint64_t begin = i < m->file_count ? m->file[i].first_block : all;

		if (begin > next)
			printf("not here: blocks %" PRIu64 " to %" PRIu64 " of 0 to %" PRIu64
			       ", which no manifest names\n",
			       next, begin - 1, all - 1);
		next = i < m->file_count ? begin + m->file[i].blocks : all;
	}
	digest_text(m->part_of, whole);
	if (m->is_part)
		printf("part of: %s\n", whole);
}

static void print_result(const struct verify *v, const struct check *c, const char *result)
{
	char digest[DIGEST_TEXT_SIZE];
	uint64_t blocks = c->manifest_good  ? c->manifest.blocks
			  : c->recipe_known ? recipe_blocks(&c->recipe)
					    : 0;
	json_t *o;

	digest_text(c->manifest_good ? c->manifest.digest : c->digest, digest);
	if (c->shard_count > 1)
		snprintf(digest, sizeof(digest), "%s", "shards, not merged");
	if (!v->json) {
		if (is_part(c))
			print_gaps(c);
		printf("%" PRIu64 " of %" PRIu64 " blocks, %" PRIu64 " rows (%" PRIu64
		       " in error), %" PRIu64 " + %" PRIu64 " + %" PRIu64 " traces\n",
		       c->blocks_good, blocks, c->rows, c->error_rows, c->simple, c->medium,
		       c->traces - c->simple - c->medium);
		if (c->damage == 0 && c->wrong == 0)
			printf("%s: %s%s; %s\n",
			       c->complete && !is_part(c) ? "good" : "good as a partial corpus",
			       v->o.rows ? "digests, structure and every row"
					 : "digests and structure",
			       v->o.deep ? ", as the recipe makes it" : "", digest);
		return;
	}
	o = json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:O}",
		      "result", result, "digest", digest, "complete",
		      (int)(c->complete && !is_part(c)), "blocks", (json_int_t)c->blocks_good,
		      "blocks_claimed", (json_int_t)blocks, "rows", (json_int_t)c->rows,
		      "error_rows", (json_int_t)c->error_rows, "traces", (json_int_t)c->traces,
		      "damaged", (json_int_t)c->damage, "missing", (json_int_t)c->missing,
		      "wrong", (json_int_t)c->wrong, "findings", v->findings, "healed",
		      v->healed);
	if (c->manifest_good) {
		json_object_set_new(o, "first_block",
				    json_integer((json_int_t)c->manifest.file[0].first_block));
		json_object_set_new(
			o, "blocks_of_recipe",
			json_integer((json_int_t)recipe_blocks(&c->manifest.recipe)));
	}
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

static enum status verdict(const struct verify *v, const struct check *c, struct err *e)
{
	if (c->damage > 0)
		return err_set(e, ERR_DAMAGED,
			       "%s: %" PRIu64 " damaged places; verify --heal makes them again "
			       "from the recipe, or fetch the named files again",
			       v->o.dir, c->damage);
	if (c->blocks_good == 0)
		return err_set(e, ERR_NOT_FOUND,
			       "%s: none of the data files that " MANIFEST_NAME
			       " names is there; copy them beside it, or make them again with "
			       "verify --heal",
			       v->o.dir);
	if (c->wrong > 0)
		return err_set(e, ERR_INVARIANT, "%s: %" PRIu64 " rows or claims do not hold",
			       v->o.dir, c->wrong);
	return OK;
}

// One check, and when it finds what can be mended, the mending. *again: check once more.
static enum status step(struct verify *v, struct check *c, bool *again, struct err *e)
{
	struct heal_result h = {0};
	enum status s = check_run(c, &v->o, e);
	bool moved = false;

	*again = false;
	if (s != OK || !v->heal || c->damage + c->missing == 0)
		return s;
	// Whole blocks that are not the manifest's: only the recipe tells which.
	if (c->digest_differs && !v->o.deep) {
		v->o.deep = *again = true;
		return OK;
	}
	buf_init(&h.text, MIB);
	s = heal_run(c, &h, &moved, e);
	say_healed(v, &h);
	buf_free(&h.text);
	*again = s == OK;
	return s;
}

#define STEPS_MAX 5 // check, move, deep check, heal, check

static enum status run(struct verify *v, struct err *e)
{
	struct generator_cache generator = {0};
	struct check c = {0};
	bool again = true, mended = false;
	enum status s = OK, out;

	v->o.generator = &generator;
	v->o.found = on_finding;
	v->o.ctx = v;
	for (int i = 0; again && s == OK && i < STEPS_MAX; i++) {
		check_free(&c);
		s = step(v, &c, &again, e);
		mended |= again;
	}
	if (s == OK) {
		s = verdict(v, &c, e);
		print_result(v, &c,
			     s == ERR_DAMAGED		  ? "damaged"
			     : s == ERR_INVARIANT	  ? "wrong"
			     : mended			  ? "healed"
			     : c.complete && !is_part(&c) ? "good"
							  : "partial");
	}
	check_free(&c);
	generator_cache_free(&generator);
	out = stdout_finish(s == OK ? e : NULL);
	return s == OK ? out : s;
}

enum status verb_verify(const struct verb *verb, int argc, char **argv, struct err *e)
{
	uint64_t threads = pool_default_threads();
	bool quiet = false;
	struct verify v = {0};
	const struct opt table[] = {
		{.name = "rows",
		 .type = OPT_FLAG,
		 .value = &v.o.rows,
		 .help = "also check the invariants of every row"},
		{.name = "deep",
		 .type = OPT_FLAG,
		 .value = &v.o.deep,
		 .help = "also make every block again from the recipe and compare"},
		{.name = "heal",
		 .type = OPT_FLAG,
		 .value = &v.heal,
		 .help = "make what is damaged or missing again from the recipe, in place"},
		{.name = "json",
		 .type = OPT_FLAG,
		 .value = &v.json,
		 .help = "one JSON object: counts, findings, what was healed"},
		{.name = "threads",
		 .type = OPT_U64,
		 .value = &threads,
		 .min = 1,
		 .max = 256,
		 .meta = "N",
		 .help = "workers (default: online processors)"},
		{.name = "quiet",
		 .type = OPT_FLAG,
		 .value = &quiet,
		 .help = "no progress on stderr"},
		{0},
	};
	struct log log;
	enum status s = verb_options(verb, table, argc, argv, &v.o.dir, e);

	if (s != OK || v.o.dir == NULL)
		return s;
	mem_return_freed(); // first frames and the pieces of templates
	log_init(&log, "spancorpus", quiet);
	v.o.log = &log;
	v.o.threads = (unsigned)threads;
	v.findings = json_array();
	v.healed = json_array();
	s = run(&v, e);
	json_decref(v.findings);
	json_decref(v.healed);
	return s;
}
