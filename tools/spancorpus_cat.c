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
};

static json_t *text_json(struct view v)
{
	return json_stringn(v.data, v.size);
}

static json_t *base64_json(struct view in)
{
	size_t size = base64_size(in.size);
	char *text = mem_alloc(size + 1);
	json_t *j;

	base64_write(text, in);
	j = json_stringn(text, size);
	free(text);
	return j;
}

static enum status print_row(struct cat *c, const struct row *r, struct err *e)
{
	json_t *o = json_object();
	json_t *segment = NULL;

	json_object_set_new(o, "serviceId", text_json(r->service_id));
	json_object_set_new(o, "serviceInstanceId", text_json(r->service_instance_id));
	json_object_set_new(o, "traceId", text_json(r->trace_id));
	json_object_set_new(o, "startTime", json_integer(r->start_ms));
	json_object_set_new(o, "latency", json_integer(r->latency_ms));
	json_object_set_new(o, "isError", json_integer(r->is_error));
	json_object_set_new(o, "spanId", text_json(r->span_id));
	json_object_set_new(o, "parentSpanId", text_json(r->parent_span_id));
	json_object_set_new(o, "operationName", text_json(r->operation_name));
	json_object_set_new(o, "component", text_json(r->component));
	if (c->decode) {
		segment = segment_json(r->blob, e);
		if (segment == NULL) {
			json_decref(o);
			return e->code;
		}
		json_object_set_new(o, "segment", segment);
	} else {
		json_object_set_new(o, "dataBinary", base64_json(r->blob));
	}
	if (json_dumpf(o, stdout, JSON_COMPACT) != 0 || putchar('\n') == EOF) {
		json_decref(o);
		return err_set_errno(e, ERR_IO, errno, "standard output: cannot write");
	}
	json_decref(o);
	c->printed++;
	return OK;
}

static enum status cat_block(struct cat *c, struct block_worker *w, struct err *e)
{
	for (uint32_t i = 0; i < w->rows.rows; i++) {
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
			s = print_row(c, &r, e);
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
	uint64_t first = c->block_given ? c->block : 0;
	uint64_t last = c->block_given ? c->block + 1 : s->corpus.manifest.blocks;
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
	if (c.block_given && c.block >= s.corpus.manifest.blocks)
		st = err_set(e, ERR_USAGE,
			     "cat: --block %" PRIu64 ": the corpus has blocks 0 to %" PRIu64,
			     c.block, s.corpus.manifest.blocks - 1);
	if (st == OK)
		st = source_epoch(&s, c.epoch_text, &c.epoch_ms, e);
	if (st == OK)
		st = c.raw ? print_raw(&s, c.block, e) : cat_rows(&c, &s, e);
	source_close(&s);
	return st == OK ? stdout_finish(e) : st;
}
