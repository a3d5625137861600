// SPDX-License-Identifier: Apache-2.0
// spancorpus export: all rows to standard output in row order, as length-delimited
// SegmentObjects, CSV, JSON lines or OTLP. Workers render parts of blocks, the main thread
// writes them in order.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/pb.h"
#include "common/pool.h"
#include "tools/spancorpus.h"

enum format { FORMAT_SEGMENTS, FORMAT_CSV, FORMAT_JSONL, FORMAT_OTLP, FORMAT_OTLP_JSON };
#define FORMATS "segments|csv|jsonl|otlp|otlp-json"

struct export
{
	const struct source *source;
	struct block_worker *worker;
	uint64_t *loaded;   // by worker: 1 + the block it has; 0: none
	struct otlp **otlp; // by worker; NULL when not asked for
	struct buf *slot;
	uint64_t *slot_rows; // rows in each
	uint64_t parts;	     // jobs of a block
	struct progress progress;
	uint64_t rows, bytes; // written so far
	int64_t epoch_ms;
	int format; // enum format
};

// RFC 4180: quoted when the text holds a comma, quote or line break; quotes are doubled.
static void csv_text(struct buf *out, struct view v)
{
	bool quote = false;

	for (size_t i = 0; i < v.size && !quote; i++)
		quote = v.data[i] == ',' || v.data[i] == '"' || v.data[i] == '\n' ||
			v.data[i] == '\r';
	if (!quote) {
		buf_put_view(out, v);
		return;
	}
	buf_put_u8(out, '"');
	for (size_t i = 0; i < v.size; i++) {
		if (v.data[i] == '"')
			buf_put_u8(out, '"');
		buf_put_u8(out, (uint8_t)v.data[i]);
	}
	buf_put_u8(out, '"');
}

static void csv_row(struct buf *out, const struct row *r)
{
	csv_text(out, r->service_id);
	buf_put_u8(out, ',');
	csv_text(out, r->service_instance_id);
	buf_put_u8(out, ',');
	csv_text(out, r->trace_id);
	buf_printf(out, ",%" PRId64 ",%" PRIu32 ",%d,", r->start_ms, r->latency_ms,
		   r->is_error);
	csv_text(out, r->span_id);
	buf_put_u8(out, ',');
	csv_text(out, r->parent_span_id);
	buf_put_u8(out, ',');
	csv_text(out, r->operation_name);
	buf_put_u8(out, ',');
	csv_text(out, r->component);
	buf_put_u8(out, '\n');
}

static enum status put_row(const struct export *x, unsigned worker, uint32_t position,
			   struct buf *out, struct err *e)
{
	struct block_worker *w = &x->worker[worker];
	uint32_t row = w->rows.order[position];
	struct row r;
	enum status s;

	if (x->format == FORMAT_CSV)
		s = render_columns(&w->rows, row, &w->row, x->epoch_ms, &r, e);
	else
		s = render_row(&w->rows, row, x->epoch_ms, &w->row, &r, e);
	if (s != OK)
		return s;
	switch ((enum format)x->format) {
	case FORMAT_SEGMENTS:
		pb_put_varint(out, r.blob.size);
		buf_put_view(out, r.blob);
		break;
	case FORMAT_CSV:
		csv_row(out, &r);
		break;
	case FORMAT_JSONL:
		json_put_row(out, &r, w->rows.is_copy[position] != 0);
		break;
	case FORMAT_OTLP:
	case FORMAT_OTLP_JSON:
		return otlp_put_request(x->otlp[worker], r.blob, out, e);
	}
	return OK;
}

// Job n is part n % parts of block n / parts.
static enum status render_part(void *ctx, unsigned worker, unsigned slot, uint64_t job,
			       struct err *e)
{
	struct export *x = ctx;
	struct block_worker *w = &x->worker[worker];
	struct buf *out = &x->slot[slot];
	uint64_t number = job / x->parts, part = job % x->parts;
	enum status s = OK;
	uint64_t first, last;

	buf_clear(out);
	x->slot_rows[slot] = 0;
	if (!corpus_has_block(&x->source->corpus, number))
		return OK;
	if (x->loaded[worker] != number + 1) {
		x->loaded[worker] = 0;
		s = block_worker_load(w, x->source, number, e);
		if (s != OK)
			return s;
		x->loaded[worker] = number + 1;
	}
	first = (uint64_t)w->rows.outputs * part / x->parts;
	last = (uint64_t)w->rows.outputs * (part + 1) / x->parts;
	// Of the corpus' rows, copies left out, as the total has them.
	x->slot_rows[slot] = (uint64_t)w->rows.rows * (part + 1) / x->parts -
			     (uint64_t)w->rows.rows * part / x->parts;
	for (uint64_t i = first; s == OK && i < last; i++) {
		s = put_row(x, worker, (uint32_t)i, out, e);
		if (s != OK)
			err_prefix(e, "block %" PRIu64 ": row %" PRIu64, number,
				   w->block.first_row + w->rows.order[i]);
	}
	return s == OK ? buf_check(out, "rows of a block", e) : s;
}

static enum status write_all(const uint8_t *data, size_t size, struct err *e)
{
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(e, ERR_IO, errno, "standard output: cannot write");
		data += n;
		size -= (size_t)n;
	}
	return OK;
}

static enum status write_part(void *ctx, unsigned slot, uint64_t job, struct err *e)
{
	struct export *x = ctx;

	(void)job;
	x->rows += x->slot_rows[slot];
	x->bytes += x->slot[slot].size;
	progress_show(&x->progress, clock_monotonic_ns(), x->rows, x->bytes);
	return write_all(x->slot[slot].data, x->slot[slot].size, e);
}

static enum status write_header(struct err *e)
{
	struct buf line;
	enum status s;

	buf_init(&line, KIB);
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		buf_printf(&line, "%s%s", column_names[i], i + 1 < COLUMN_COUNT ? "," : "\n");
	s = buf_check(&line, "header", e);
	if (s == OK)
		s = write_all(line.data, line.size, e);
	buf_free(&line);
	return s;
}

// So many parts that one is about PART_BYTES of output, whatever the size of blocks and rows:
// memory is a function of threads only. A worker that gets a part of a block it does not have
// reads the block again, which is small beside rendering that much.
#define PART_BYTES (16 * MIB)

static uint64_t parts_of_block(const struct export *x)
{
	const struct recipe *r = &x->source->corpus.manifest.recipe;
	uint64_t rows = r->traces > 0 ? r->spans / r->traces * r->block_traces : 1;
	uint64_t row_bytes = r->row_bytes;

	if (x->format == FORMAT_CSV)
		return 1; // no blobs: some 300 bytes a row
	if (x->format != FORMAT_SEGMENTS)
		row_bytes *= 2; // base64: 4/3; OTLP JSON of generated segments: 1.9
	return u64_min(rows * row_bytes / PART_BYTES, rows) + 1;
}

static enum status run(struct export *x, unsigned threads, struct err *e)
{
	struct pool_job job = {render_part, write_part, x};
	unsigned slots = pool_slots(threads);
	enum status s = OK;

	x->worker = block_workers_new(x->source, threads);
	x->parts = parts_of_block(x);
	x->loaded = mem_zalloc(threads, sizeof(*x->loaded));
	x->otlp = mem_zalloc(threads, sizeof(struct otlp *));
	for (unsigned i = 0; i < threads; i++)
		if (x->format == FORMAT_OTLP || x->format == FORMAT_OTLP_JSON)
			x->otlp[i] = otlp_new(x->format == FORMAT_OTLP_JSON);
	x->slot = mem_zalloc(slots, sizeof(*x->slot));
	x->slot_rows = mem_zalloc(slots, sizeof(*x->slot_rows));
	for (unsigned i = 0; i < slots; i++)
		buf_init(&x->slot[i], (size_t)1 << 30);
	if (x->format == FORMAT_CSV)
		s = write_header(e);
	if (s == OK)
		s = pool_run(&job, threads, corpus_first_block(&x->source->corpus) * x->parts,
			     corpus_end_block(&x->source->corpus) * x->parts, NULL, NULL, e);
	log_progress_end(x->progress.log);
	for (unsigned i = 0; i < slots; i++)
		buf_free(&x->slot[i]);
	free(x->slot);
	free(x->slot_rows);
	for (unsigned i = 0; i < threads; i++)
		otlp_free(x->otlp[i]);
	free(x->otlp);
	free(x->loaded);
	block_workers_free(x->worker, threads);
	return s;
}

enum status verb_export(const struct verb *v, int argc, char **argv, struct err *e)
{
	struct export x = {.format = -1};
	const char *epoch = NULL, *dir;
	uint64_t threads = pool_default_threads();
	bool quiet = false;
	const struct opt table[] = {
		{.name = "format",
		 .type = OPT_CHOICE,
		 .value = &x.format,
		 .meta = FORMATS,
		 .help = "segments: SegmentObjects, each behind a varint length; csv: the ten "
			 "columns, RFC 4180; jsonl: rows as cat prints them; otlp: "
			 "ExportTraceServiceRequests, one a row, each behind a varint length; "
			 "otlp-json: the same in OTLP's JSON, one a line"},
		{.name = "epoch",
		 .type = OPT_STRING,
		 .value = &epoch,
		 .meta = "E",
		 .help = "relative millisecond 0: RFC 3339 or ms since 1970 (default: the "
			 "manifest's)"},
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
	struct source s;
	struct log log;
	enum status st = verb_options(v, table, argc, argv, &dir, e);

	if (st != OK || dir == NULL)
		return st;
	if (x.format < 0)
		return err_set(e, ERR_USAGE, "export: --format is needed, one of " FORMATS);
	if ((x.format == FORMAT_SEGMENTS || x.format == FORMAT_OTLP) && isatty(STDOUT_FILENO))
		return err_set(e, ERR_USAGE,
			       "export: that format is binary data: send it to a file or pipe");
	st = source_open(&s, dir, e);
	if (st != OK)
		return st;
	log_init(&log, "spancorpus", quiet);
	x.source = &s;
	x.progress = source_progress(&s, &log, "out");
	st = source_epoch(&s, epoch, &x.epoch_ms, e);
	if (st == OK)
		st = run(&x, (unsigned)threads, e);
	source_close(&s);
	return st;
}
