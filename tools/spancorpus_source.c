// SPDX-License-Identifier: Apache-2.0
// What the verbs share: options with a folder or two, an opened corpus, workers over blocks,
// the epoch, a checked stdout.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "tools/spancorpus.h"

enum status verb_folders(const struct verb *v, const struct opt *table, int argc, char **argv,
			 int count, const char **dir, struct err *e)
{
	bool help = false, version = false;
	int given = 0;
	enum status s = opt_parse(table, argc, argv, &given, &help, &version, e);

	for (int i = 0; i < count; i++)
		dir[i] = NULL;
	if (s != OK)
		return err_prefix(e, "%s", v->name);
	if (help) {
		printf("Usage: spancorpus %s [options] %s\n%s.\n\n", v->name, v->args,
		       v->summary);
		opt_help(table, stdout);
		return stdout_finish(e);
	}
	if (given != count)
		return err_set(e, ERR_USAGE, "%s: %s needed, %d given", v->name,
			       count == 1 ? "one corpus folder is" : "two corpus folders are",
			       given);
	for (int i = 0; i < count; i++)
		dir[i] = argv[i];
	return OK;
}

enum status verb_options(const struct verb *v, const struct opt *table, int argc, char **argv,
			 const char **dir, struct err *e)
{
	return verb_folders(v, table, argc, argv, 1, dir, e);
}

enum status source_open(struct source *s, const char *dir, struct err *e)
{
	enum status st;

	memset(s, 0, sizeof(*s));
	st = corpus_open(&s->corpus, dir, e);
	if (st == OK)
		st = render_new(&s->render, &s->corpus.dict, &s->corpus.manifest.recipe, e);
	if (st != OK)
		source_close(s);
	return st;
}

void source_close(struct source *s)
{
	render_free(s->render);
	corpus_close(&s->corpus);
	memset(s, 0, sizeof(*s));
}

void block_worker_init(struct block_worker *w, const struct render *r)
{
	w->reader = block_reader_new();
	block_init(&w->block);
	render_block_init(&w->rows, r);
	buf_init(&w->row, 2 * ROW_BLOB_MAX);
	w->scratch = NULL;
}

void block_worker_deinit(struct block_worker *w)
{
	block_reader_free(w->reader);
	block_free(&w->block);
	render_block_free(&w->rows);
	buf_free(&w->row);
	row_scratch_free(w->scratch);
}

struct progress source_progress(const struct source *s, struct log *log, const char *verb)
{
	const struct manifest *m = &s->corpus.manifest;
	struct progress p = {.log = log, .verb = verb, .begin_ns = clock_monotonic_ns()};

	for (size_t i = 0; i < m->file_count; i++) {
		if (corpus_has_block(&s->corpus, m->file[i].first_block))
			p.rows_all += m->file[i].rows;
	}
	return p;
}

struct block_worker *block_workers_new(const struct source *s, unsigned count)
{
	struct block_worker *w = mem_zalloc(count, sizeof(*w));

	for (unsigned i = 0; i < count; i++)
		block_worker_init(&w[i], s->render);
	return w;
}

void block_workers_free(struct block_worker *w, unsigned count)
{
	for (unsigned i = 0; w != NULL && i < count; i++)
		block_worker_deinit(&w[i]);
	free(w);
}

enum status block_worker_load(struct block_worker *w, const struct source *s, uint64_t number,
			      struct err *e)
{
	enum status st = corpus_read_block(&s->corpus, w->reader, number, &w->block, NULL, e);

	if (st == OK)
		render_block_set(&w->rows, &w->block);
	return st;
}

// Times between these take six bytes as a varint: 2^35 .. 2^42 - 1.
#define EPOCH_LEAST (INT64_C(1) << 35)
#define EPOCH_MOST (INT64_C(1) << 42)

enum status source_epoch(const struct source *s, const char *text, int64_t *epoch_ms,
			 struct err *e)
{
	int64_t room = (int64_t)s->corpus.manifest.recipe.window_ms + 7 * 24 * 3600 * MS_PER_S;
	enum status st = OK;

	*epoch_ms = s->corpus.manifest.epoch_ms;
	if (text != NULL)
		st = parse_epoch_ms(text, epoch_ms, e);
	if (st != OK)
		return err_prefix(e, "--epoch");
	if (*epoch_ms < EPOCH_LEAST + MS_PER_S || *epoch_ms > EPOCH_MOST - room)
		return err_set(e, ERR_USAGE,
			       "--epoch %lld: times must lie between 1971-02-03 and 2109-05-15",
			       (long long)*epoch_ms);
	return OK;
}

enum status stdout_finish(struct err *e)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return err_set_errno(e, ERR_IO, errno, "standard output: cannot write");
	return OK;
}
