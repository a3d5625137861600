// SPDX-License-Identifier: Apache-2.0
// spancorpus cat: rows as JSON lines, one block or one trace or all, in output order; or the
// payload bytes of one block.
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/spancorpus.h"

struct cat {
	uint64_t block, limit;
	bool block_given, limit_given, decode, raw;
	const char *trace, *epoch_text;
	int64_t epoch_ms;
	uint64_t printed;
	struct buf line; // a row as JSON
};

static int put_json(const char *data, size_t size, void *out)
{
	struct buf *b = out;

	buf_put(b, data, size);
	return b->failed ? -1 : 0;
}

static enum status print_row(struct cat *c, const struct row *r, bool is_copy, struct err *e)
{
	enum status s = OK;

	buf_clear(&c->line);
	if (c->decode) {
		json_t *segment = segment_json(r->blob, e);

		if (segment == NULL)
			return e->code;
		json_put_columns(&c->line, r, is_copy);
		buf_put_view(&c->line, VIEW(",\"segment\":"));
		if (json_dump_callback(segment, put_json, &c->line, JSON_COMPACT) != 0)
			s = err_set(e, ERR_FORMAT, "the segment cannot be printed as JSON");
		buf_put_view(&c->line, VIEW("}\n"));
		json_decref(segment);
	} else {
		json_put_row(&c->line, r, is_copy);
	}
	if (s == OK)
		s = buf_check(&c->line, "a row as JSON", e);
	if (s == OK && fwrite(c->line.data, 1, c->line.size, stdout) != c->line.size)
		s = err_set_errno(e, ERR_IO, errno, "standard output: cannot write");
	c->printed += s == OK;
	return s;
}

static enum status cat_block(struct cat *c, struct block_worker *w, struct err *e)
{
	for (uint32_t i = 0; i < w->rows.outputs; i++) {
		uint32_t row = w->rows.order[i];
		struct row r;
		enum status s;

		if (c->limit_given && c->printed >= c->limit)
			return OK;
		if (c->trace != NULL) {
			char id[ID_MAX];
			size_t size = render_trace_id(&w->rows, row, id);

			if (size != strlen(c->trace) || memcmp(id, c->trace, size) != 0)
				continue;
		}
		s = render_row(&w->rows, row, c->epoch_ms, &w->row, &r, e);
		if (s == OK)
			s = print_row(c, &r, w->rows.is_copy[i] != 0, e);
		if (s != OK)
			return err_prefix(e, "block %" PRIu64 ": row %" PRIu64, w->block.number,
					  w->block.first_row + row);
	}
	return OK;
}

static enum status print_raw(const struct source *s, uint64_t block, struct err *e)
{
	struct block_reader *r = block_reader_new();
	struct view payload = {NULL, 0};
	struct block b;
	enum status st;

	block_init(&b);
	st = corpus_read_block(&s->corpus, r, block, &b, &payload, e);
	if (st == OK && fwrite(payload.data, 1, payload.size, stdout) != payload.size)
		st = err_set_errno(e, ERR_IO, errno, "standard output: cannot write");
	block_free(&b);
	block_reader_free(r);
	return st;
}

static enum status cat_rows(struct cat *c, const struct source *s, struct err *e)
{
	uint64_t first = c->block_given ? c->block : corpus_first_block(&s->corpus);
	uint64_t last = c->block_given ? c->block + 1 : corpus_end_block(&s->corpus);
	struct block_worker *w = block_workers_new(s, 1);
	enum status st = OK;

	for (uint64_t n = first; st == OK && n < last; n++) {
		if (!c->block_given && !corpus_has_block(&s->corpus, n))
			continue;
		st = block_worker_load(w, s, n, e);
		if (st == OK)
			st = cat_block(c, w, e);
		if ((c->trace != NULL && c->printed > 0) ||
		    (c->limit_given && c->printed >= c->limit))
			break; // a trace lies in one block
	}
	block_workers_free(w, 1);
	if (st == OK && c->trace != NULL && c->printed == 0 &&
	    !(c->limit_given && c->limit == 0))
		return err_set(e, ERR_NOT_FOUND, "%s: no trace '%s' in %s", s->corpus.dir,
			       c->trace, c->block_given ? "that block" : "the corpus");
	return st;
}

enum status verb_cat(const struct verb *v, int argc, char **argv, struct err *e)
{
	struct cat c = {0};
	const struct opt table[] = {
		{.name = "block",
		 .type = OPT_U64,
		 .value = &c.block,
		 .max = UINT64_MAX,
		 .meta = "K",
		 .given = &c.block_given,
		 .help = "only the rows of block K (from 0)"},
		{.name = "trace",
		 .type = OPT_STRING,
		 .value = &c.trace,
		 .meta = "ID",
		 .help = "only the rows of this trace"},
		{.name = "limit",
		 .type = OPT_U64,
		 .value = &c.limit,
		 .max = UINT64_MAX,
		 .meta = "N",
		 .given = &c.limit_given,
		 .help = "stop after N rows"},
		{.name = "decode",
		 .type = OPT_FLAG,
		 .value = &c.decode,
		 .help = "the segment as protobuf JSON instead of base64"},
		{.name = "raw",
		 .type = OPT_FLAG,
		 .value = &c.raw,
		 .help = "the payload bytes of one block, for protoc; needs --block"},
		{.name = "epoch",
		 .type = OPT_STRING,
		 .value = &c.epoch_text,
		 .meta = "E",
		 .help = "relative millisecond 0: RFC 3339 or ms since 1970 (default: the "
			 "manifest's)"},
		{0},
	};
	struct source s;
	const char *dir;
	enum status st = verb_options(v, table, argc, argv, &dir, e);

	if (st != OK || dir == NULL)
		return st;
	if (c.raw && (!c.block_given || c.trace != NULL || c.decode || c.epoch_text != NULL ||
		      c.limit_given))
		return err_set(e, ERR_USAGE,
			       "cat: --raw prints a block as it is stored: give --block K and "
			       "nothing else");
	if (c.raw && isatty(STDOUT_FILENO))
		return err_set(e, ERR_USAGE,
			       "cat: --raw prints binary data: send it to a file or pipe");
	st = source_open(&s, dir, e);
	if (st != OK)
		return st;
	if (c.block_given &&
	    (c.block < corpus_first_block(&s.corpus) || c.block >= corpus_end_block(&s.corpus)))
		st = err_set(e, ERR_USAGE,
			     "cat: --block %" PRIu64 ": the corpus has blocks %" PRIu64
			     " to %" PRIu64,
			     c.block, corpus_first_block(&s.corpus),
			     corpus_end_block(&s.corpus) - 1);
	if (st == OK)
		st = source_epoch(&s, c.epoch_text, &c.epoch_ms, e);
	buf_init(&c.line, (size_t)1 << 30);
	if (st == OK)
		st = c.raw ? print_raw(&s, c.block, e) : cat_rows(&c, &s, e);
	buf_free(&c.line);
	source_close(&s);
	return st == OK ? stdout_finish(e) : st;
}
