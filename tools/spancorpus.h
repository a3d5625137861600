// SPDX-License-Identifier: Apache-2.0
// The verbs of spancorpus and what they share: an opened corpus, its renderer, and workers over
// blocks.
#ifndef TOOLS_SPANCORPUS_H
#define TOOLS_SPANCORPUS_H

#include <stdio.h>

#include "common/corpus.h"
#include "common/log.h"
#include "common/opt.h"
#include "common/progress.h"
#include "common/render.h"

// One verb: parses its own options and prints its result. `help`: the option table was asked
// for.
struct verb {
	const char *name, *args, *summary;
	enum status (*run)(const struct verb *v, int argc, char **argv, struct err *e);
};

enum status verb_info(const struct verb *v, int argc, char **argv, struct err *e);
enum status verb_verify(const struct verb *v, int argc, char **argv, struct err *e);
enum status verb_stats(const struct verb *v, int argc, char **argv, struct err *e);
enum status verb_cat(const struct verb *v, int argc, char **argv, struct err *e);
enum status verb_export(const struct verb *v, int argc, char **argv, struct err *e);
enum status verb_diff(const struct verb *v, int argc, char **argv, struct err *e);
enum status verb_merge(const struct verb *v, int argc, char **argv, struct err *e);
enum status verb_split(const struct verb *v, int argc, char **argv, struct err *e);

// Parses the options of a verb that takes one folder. *dir is NULL when only help was printed.
enum status verb_options(const struct verb *v, const struct opt *table, int argc, char **argv,
			 const char **dir, struct err *e) MUST_CHECK;
// The same for `count` folders (1 or 2) into dir[0..count-1]. dir[0] is NULL when only help was
// printed.
enum status verb_folders(const struct verb *v, const struct opt *table, int argc, char **argv,
			 int count, const char **dir, struct err *e) MUST_CHECK;

// An opened corpus with its renderer.
struct source {
	struct corpus corpus;
	struct render *render;
};
enum status source_open(struct source *s, const char *dir, struct err *e) MUST_CHECK;
void source_close(struct source *s);

// Progress over the rows that are there, starting now. verb: what is done to the bytes.
struct progress source_progress(const struct source *s, struct log *log, const char *verb);

// What one worker needs to read and render blocks.
struct block_worker {
	struct block_reader *reader;
	struct block block;
	struct render_block rows;
	struct buf row;
	struct row_scratch *scratch; // of check_rows, made when first used
};
void block_worker_init(struct block_worker *w, const struct render *r);
void block_worker_deinit(struct block_worker *w);
struct block_worker *block_workers_new(const struct source *s, unsigned count);
void block_workers_free(struct block_worker *w, unsigned count);
// Reads block `number` and prepares its rows.
enum status block_worker_load(struct block_worker *w, const struct source *s, uint64_t number,
			      struct err *e) MUST_CHECK;

// The epoch to render at: `text` (NULL: the manifest's). ERR_USAGE when times would not take
// 6-byte varints.
enum status source_epoch(const struct source *s, const char *text, int64_t *epoch_ms,
			 struct err *e) MUST_CHECK;
// Flushes stdout; ERR_IO when anything written to it was lost.
enum status stdout_finish(struct err *e) MUST_CHECK;

// A SegmentObject as protobuf JSON. Returns a jansson object (json_t *, caller owns), NULL with
// *e set when malformed.
void *segment_json(struct view blob, struct err *e);

// Appends a text as a JSON string. The text is UTF-8.
void json_put_text(struct buf *out, struct view text);
// Appends a row as JSON without its end: the ten columns, for a copy of a row that comes twice
// a member "duplicate", open for one more.
void json_put_columns(struct buf *out, const struct row *r, bool is_copy);
// Appends a row as one line of JSON: the ten columns, the blob as base64 (dataBinary).
void json_put_row(struct buf *out, const struct row *r, bool is_copy);

// Segments as OTLP requests; one worker's scratch memory. json: OTLP JSON instead of protobuf.
struct otlp;
struct otlp *otlp_new(bool json);
void otlp_free(struct otlp *o); // NULL is fine
// Appends the segment's ExportTraceServiceRequest: behind its varint length, or as one line of
// JSON. ERR_FORMAT when the blob is not a SegmentObject; *out may then hold a part.
enum status otlp_put_request(struct otlp *o, struct view blob, struct buf *out,
			     struct err *e) MUST_CHECK;

// Invariants of rows; collects what is wrong and goes on.
struct findings {
	uint64_t count;
	unsigned limit;	 // texts kept
	struct buf text; // lines
};
void finding_add(struct findings *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct row_scratch;
void row_scratch_free(struct row_scratch *s); // NULL is fine
// Checks every row of a loaded block: blob against columns, references against the parent rows,
// ids; and what its header says of starts.
void check_rows(struct block_worker *w, const struct dict *d, const struct recipe *recipe,
		int64_t epoch_ms, const struct block_header *h, const char *where,
		struct findings *f);

#endif
