// SPDX-License-Identifier: Apache-2.0
// spancorpus verify: every frame, digest and structure; with --rows the invariants of every
// row. Goes on after damage and names all.
#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/pool.h"
#include "tools/spancorpus.h"

struct job_result {
	struct findings damage, claims;
	uint64_t rows, error_rows, simple, medium;
	struct block_header header;
	bool have_header;
};

struct verify {
	const struct source *source;
	struct block_worker *worker;
	struct job_result *slot;
	struct corpus_digest *digest;
	struct log *log;
	bool rows;
	uint64_t blocks, rows_seen, error_rows, simple, medium, damage, claims;
	bool complete; // every block present and undamaged so far
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

static enum status verify_block(void *ctx, unsigned worker, unsigned slot, uint64_t number,
				struct err *e)
{
	struct verify *v = ctx;
	struct block_worker *w = &v->worker[worker];
	struct job_result *out = &v->slot[slot];
	const struct manifest *m = &v->source->corpus.manifest;
	struct err found = {0};
	char where[32];

	(void)e;
	snprintf(where, sizeof(where), "block %" PRIu64, number);
	buf_clear(&out->damage.text);
	buf_clear(&out->claims.text);
	out->damage.count = out->claims.count = out->rows = out->error_rows = out->simple =
		out->medium = 0;
	out->have_header = false;
	if (!corpus_has_block(&v->source->corpus, number))
		return OK;
	if (corpus_check_block(&v->source->corpus, w->reader, number, &found) != OK ||
	    corpus_block_header(&v->source->corpus, number, &out->header, &found) != OK ||
	    block_worker_load(w, v->source, number, &found) != OK) {
		finding_add(&out->damage, "%s", found.text);
		return OK;
	}
	out->have_header = true;
	out->rows = block_rows(&w->block);
	for (size_t i = 0; i < out->rows; i++)
		out->error_rows += w->block.is_error.v[i] != 0;
	for (size_t t = 0; t < w->block.trace_size.count; t++) {
		out->simple += w->block.trace_size.v[t] <= 5;
		out->medium += w->block.trace_size.v[t] > 5 && w->block.trace_size.v[t] <= 20;
	}
	if (v->rows) {
		check_error_quota(&m->recipe, &w->block, out->error_rows, where, &out->claims);
		check_rows(w, v->source, where, &out->claims);
	}
	return OK;
}

static enum status take_block(void *ctx, unsigned slot, uint64_t number, struct err *e)
{
	struct verify *v = ctx;
	struct job_result *r = &v->slot[slot];

	(void)e;
	if (r->damage.text.size > 0)
		printf("damaged: %.*s", (int)r->damage.text.size, (char *)r->damage.text.data);
	if (r->claims.text.size > 0)
		printf("wrong: %.*s", (int)r->claims.text.size, (char *)r->claims.text.data);
	v->damage += r->damage.count;
	v->claims += r->claims.count;
	if (r->have_header) {
		corpus_digest_block(v->digest, r->header.content);
		v->blocks++;
	} else {
		v->complete = false;
	}
	v->rows_seen += r->rows;
	v->error_rows += r->error_rows;
	v->simple += r->simple;
	v->medium += r->medium;
	log_progress(v->log, clock_monotonic_ns(), "block %" PRIu64 " of %" PRIu64, number + 1,
		     v->source->corpus.manifest.blocks);
	return OK;
}

// Claims about the whole corpus; only where every block is there.
static void check_totals(struct verify *v)
{
	const struct manifest *m = &v->source->corpus.manifest;
	struct digest d = corpus_digest_final(v->digest);
	char have[DIGEST_TEXT_SIZE], want[DIGEST_TEXT_SIZE];

	v->digest = NULL;
	if (!v->complete)
		return;
	digest_text(d, have);
	digest_text(m->digest, want);
	if (!digest_equal(d, m->digest)) {
		printf("damaged: %s: corpus digest is %s, the blocks give %s\n", MANIFEST_NAME,
		       want, have);
		v->damage++;
	}
	if (v->rows_seen != m->rows || v->rows_seen != m->recipe.spans) {
		printf("wrong: %" PRIu64 " rows, %" PRIu64 " claimed\n", v->rows_seen,
		       m->recipe.spans);
		v->claims++;
	}
}

static enum status check_files(struct verify *v)
{
	const struct manifest *m = &v->source->corpus.manifest;
	size_t present = 0;

	for (size_t i = 0; i < m->file_count; i++) {
		struct err found = {0};

		if (!corpus_has_block(&v->source->corpus, m->file[i].first_block)) {
			printf("missing: %s/%s: blocks %" PRIu64 " to %" PRIu64 "\n",
			       v->source->corpus.dir, m->file[i].name, m->file[i].first_block,
			       m->file[i].first_block + m->file[i].blocks - 1);
			continue;
		}
		present++;
		if (corpus_check_file(&v->source->corpus, i, &found) != OK) {
			printf("damaged: %s\n", found.text);
			v->damage++;
		}
	}
	v->complete = present == m->file_count;
	return OK;
}

static enum status report(const struct verify *v, struct err *e)
{
	const struct manifest *m = &v->source->corpus.manifest;
	char digest[DIGEST_TEXT_SIZE];
	enum status s;

	digest_text(m->digest, digest);
	printf("%" PRIu64 " of %" PRIu64 " blocks, %" PRIu64 " rows (%" PRIu64
	       " in error), %" PRIu64 " + %" PRIu64 " + %" PRIu64 " traces\n",
	       v->blocks, m->blocks, v->rows_seen, v->error_rows, v->simple, v->medium,
	       v->complete ? m->traces - v->simple - v->medium : 0);
	if (v->damage == 0 && v->claims == 0)
		printf("%s: %s %s\n", v->complete ? "good" : "good as a partial corpus",
		       v->rows ? "digests, structure and every row;" : "digests and structure;",
		       digest);
	s = stdout_finish(e);
	if (s != OK)
		return s;
	if (v->damage > 0)
		return err_set(e, ERR_DAMAGED,
			       "%s: %" PRIu64 " damaged places; regenerate from the recipe or "
			       "fetch the named files again",
			       v->source->corpus.dir, v->damage);
	if (v->claims > 0)
		return err_set(e, ERR_INVARIANT, "%s: %" PRIu64 " rows or claims do not hold",
			       v->source->corpus.dir, v->claims);
	return OK;
}

static enum status run(struct verify *v, unsigned threads, struct err *e)
{
	const struct corpus *c = &v->source->corpus;
	struct pool_job job = {verify_block, take_block, v};
	unsigned slots = pool_slots(threads);
	enum status s;

	v->worker = block_workers_new(v->source, threads);
	v->slot = mem_zalloc(slots, sizeof(*v->slot));
	for (unsigned i = 0; i < slots; i++) {
		v->slot[i].damage.limit = v->slot[i].claims.limit = 5;
		buf_init(&v->slot[i].damage.text, MIB);
		buf_init(&v->slot[i].claims.text, MIB);
	}
	v->digest = corpus_digest_new(c->manifest.recipe.content_version, c->recipe_bytes,
				      c->dict_bytes);
	s = check_files(v);
	if (s == OK)
		s = pool_run(&job, threads, 0, c->manifest.blocks, NULL, NULL, e);
	log_progress_end(v->log);
	check_totals(v);
	if (s == OK)
		s = report(v, e);
	for (unsigned i = 0; i < slots; i++) {
		buf_free(&v->slot[i].damage.text);
		buf_free(&v->slot[i].claims.text);
	}
	free(v->slot);
	block_workers_free(v->worker, threads);
	return s;
}

enum status verb_verify(const struct verb *verb, int argc, char **argv, struct err *e)
{
	uint64_t threads = pool_default_threads();
	bool quiet = false;
	struct verify v = {0};
	const struct opt table[] = {
		{.name = "rows",
		 .type = OPT_FLAG,
		 .value = &v.rows,
		 .help = "also check the invariants of every row"},
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
	struct source source;
	struct log log;
	const char *dir;
	enum status s = verb_options(verb, table, argc, argv, &dir, e);

	if (s != OK || dir == NULL)
		return s;
	s = source_open(&source, dir, e);
	if (s != OK)
		return s;
	log_init(&log, "spancorpus", quiet);
	v.source = &source;
	v.log = &log;
	s = run(&v, (unsigned)threads, e);
	source_close(&source);
	return s;
}
