// SPDX-License-Identifier: Apache-2.0
// What reading a corpus costs in CPU time of one thread, best of several rounds over all
// blocks. Opening the corpus is not counted. Prints one JSON line.
//
//   corpus_rates scan|render|decompress DIR ROUNDS
//
// scan: every value of every column, as stored. render: every row, ten columns and blob.
// decompress: the frames of all blocks through zstd, and nothing else is timed, not the reading
// of the files either, so that it shows what part of the others that is.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "common/clock.h"
#include "common/corpus.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/render.h"

struct totals {
	uint64_t rows, bytes, sum; // sum: keeps the work from being optimised away
	int64_t cpu_ns;		   // 0: that of the whole round counts
};

static _Noreturn void die(const struct err *e)
{
	fprintf(stderr, "corpus_rates: %s\n", e->text);
	exit(1);
}

static uint64_t sum32(const struct column32 *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->count; i++)
		sum += c->v[i];
	return sum;
}

static uint64_t sum64(const struct column64 *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->count; i++)
		sum += c->v[i];
	return sum;
}

static uint64_t sum_buf(const struct buf *b)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < b->size; i++)
		sum += b->data[i];
	return sum;
}

static uint64_t sum_block(const struct block *b)
{
	return sum32(&b->trace_size) + sum64(&b->trace_start_ms) + sum32(&b->instance) +
	       sum32(&b->operation) + sum32(&b->parent) + sum32(&b->parent_span) +
	       sum32(&b->start_ms) + sum32(&b->latency_ms) + sum32(&b->is_error) +
	       sum32(&b->thread) + sum32(&b->sequence) + sum32(&b->span_count) +
	       sum32(&b->template) + sum32(&b->span_start_ms) + sum32(&b->span_duration_ms) +
	       sum64(&b->number_value) + sum64(&b->hex_value) + sum32(&b->word_value) +
	       sum_buf(&b->literal_data) + sum32(&b->literal_size) + sum_buf(&b->id_value);
}

static struct totals scan(const struct corpus *c)
{
	struct block_reader *reader = block_reader_new();
	struct totals t = {0};
	struct block b;
	struct err e = {0};

	block_init(&b);
	for (uint64_t i = 0; i < c->manifest.blocks; i++) {
		if (corpus_read_block(c, reader, i, &b, NULL, &e) != OK)
			die(&e);
		t.rows += block_rows(&b);
		t.sum += sum_block(&b);
	}
	block_free(&b);
	block_reader_free(reader);
	return t;
}

static struct totals render(const struct corpus *c)
{
	struct block_reader *reader = block_reader_new();
	struct render *render = NULL;
	struct render_block rb;
	struct totals t = {0};
	struct block b;
	struct buf text;
	struct err e = {0};

	if (render_new(&render, &c->dict, &c->manifest.recipe, &e) != OK)
		die(&e);
	block_init(&b);
	buf_init(&text, 2 * ROW_BLOB_MAX);
	render_block_init(&rb, render);
	for (uint64_t i = 0; i < c->manifest.blocks; i++) {
		if (corpus_read_block(c, reader, i, &b, NULL, &e) != OK)
			die(&e);
		render_block_set(&rb, &b);
		for (uint32_t k = 0; k < rb.rows; k++) {
			struct row row;

			if (render_row(&rb, rb.order[k], c->manifest.epoch_ms, &text, &row,
				       &e) != OK)
				die(&e);
			t.bytes += row_size(&row);
		}
		t.rows += rb.rows;
	}
	render_block_free(&rb);
	buf_free(&text);
	block_free(&b);
	render_free(render);
	block_reader_free(reader);
	return t;
}

// Of the blocks alone: the first frame with content is the dictionary's, read at opening.
static void decompress_file(ZSTD_DCtx *zstd, const struct buf *file, struct buf *out,
			    struct totals *t)
{
	bool is_block = false;

	for (size_t at = 0; at < file->size;) {
		const uint8_t *frame = file->data + at;
		size_t size = ZSTD_findFrameCompressedSize(frame, file->size - at);
		unsigned long long want;
		int64_t begin_ns;
		uint8_t *room;

		if (ZSTD_isError(size))
			abort(); // verified before
		at += size;
		want = ZSTD_getFrameContentSize(frame, size);
		if (want == 0) // skippable
			continue;
		if (!is_block) {
			is_block = true;
			continue;
		}
		buf_clear(out);
		room = buf_reserve(out, (size_t)want);
		begin_ns = clock_process_cpu_ns();
		if (room == NULL ||
		    ZSTD_isError(ZSTD_decompressDCtx(zstd, room, (size_t)want, frame, size)))
			abort();
		t->cpu_ns += clock_process_cpu_ns() - begin_ns;
		t->bytes += want;
	}
}

static struct totals decompress(const struct corpus *c)
{
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	struct totals t = {.rows = c->manifest.rows};
	struct err e = {0};
	struct buf out;

	buf_init(&out, DATA_PAYLOAD_MAX);
	for (size_t i = 0; i < c->manifest.file_count; i++) {
		char *path = path_join(c->dir, c->manifest.file[i].name);
		struct buf file;

		if (file_read_all(path, (size_t)1 << 31, &file, &e) != OK)
			die(&e);
		decompress_file(zstd, &file, &out, &t);
		buf_free(&file);
		free(path);
	}
	buf_free(&out);
	ZSTD_freeDCtx(zstd);
	return t;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		struct totals (*run)(const struct corpus *c);
	} modes[] = {{"scan", scan}, {"render", render}, {"decompress", decompress}};
	struct corpus c = {0};
	struct totals t = {0};
	struct err e = {0};
	int64_t best_ns = INT64_MAX;
	size_t mode = 0;
	int rounds = argc == 4 ? atoi(argv[3]) : 0;

	while (mode < ARRAY_LEN(modes) && argc > 1 && strcmp(modes[mode].name, argv[1]) != 0)
		mode++;
	if (rounds < 1 || mode == ARRAY_LEN(modes)) {
		fputs("usage: corpus_rates scan|render|decompress DIR ROUNDS\n", stderr);
		return 2;
	}
	if (corpus_open(&c, argv[2], &e) != OK)
		die(&e);
	for (int i = 0; i < rounds; i++) {
		int64_t begin_ns = clock_process_cpu_ns(), took_ns;

		t = modes[mode].run(&c);
		took_ns = t.cpu_ns > 0 ? t.cpu_ns : clock_process_cpu_ns() - begin_ns;
		best_ns = took_ns < best_ns ? took_ns : best_ns;
	}
	best_ns = best_ns > 0 ? best_ns : 1;
	printf("{\"bench\": \"%s\", \"rounds\": %d, \"rows\": %" PRIu64 ", \"cpu_ns\": %" PRId64
	       ", \"rows_per_cpu_s\": %.0f, \"bytes\": %" PRIu64 ", \"sum\": %" PRIu64 "}\n",
	       modes[mode].name, rounds, t.rows, best_ns,
	       (double)t.rows * 1e9 / (double)best_ns, t.bytes, t.sum);
	corpus_close(&c);
	return 0;
}
