// SPDX-License-Identifier: Apache-2.0
// One data file written again, for repairs: its blocks may start anywhere, and it replaces what
// has its name only once it is whole and synced.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/corpus_private.h"

struct data_writer {
	struct file_out file;
	struct stream_digest *digest;
	struct column32 seek; // stored and uncompressed size of each frame
	struct manifest_file out;
};

static enum status put(struct data_writer *w, const void *data, size_t size_bytes,
		       uint64_t payload_size, struct err *e)
{
	column32_put(&w->seek, (uint32_t)size_bytes);
	column32_put(&w->seek, (uint32_t)payload_size);
	w->out.payload_size += payload_size;
	stream_digest_put(w->digest, data, size_bytes);
	return file_out_write(&w->file, data, size_bytes, e);
}

enum status data_writer_open(struct data_writer **out, const char *path, uint64_t first_block,
			     struct view head, uint64_t head_payload_size,
			     struct digest head_content, struct err *e)
{
	struct data_writer *w = mem_zalloc(1, sizeof(*w));
	const struct file_header h = {
		.format_version = FORMAT_VERSION,
		.first_block = first_block,
		.payload_size = head_payload_size,
		.stored_size = head.size,
		.content = head_content,
		.stored = digest_of(head.data, head.size),
	};
	uint8_t header[FILE_HEADER_SIZE];
	enum status s;

	w->digest = stream_digest_new();
	w->out.first_block = first_block;
	file_header_encode(&h, header);
	s = file_out_replace(&w->file, path, e);
	if (s == OK)
		s = put(w, header, sizeof(header), 0, e);
	if (s == OK)
		s = put(w, head.data, head.size, head_payload_size, e);
	if (s != OK) {
		data_writer_abort(w);
		w = NULL;
	}
	*out = w;
	return s;
}

enum status data_writer_add(struct data_writer *w, const struct block_header *h,
			    struct view frame, struct err *e)
{
	uint8_t header[BLOCK_HEADER_SIZE];
	enum status s = OK;

	if (w->out.blocks == 0)
		w->out.first_row = h->first_row;
	if (h->number != w->out.first_block + w->out.blocks ||
	    h->first_row != w->out.first_row + w->out.rows)
		s = err_set(e, ERR_FORMAT,
			    "%s: block %" PRIu64 " does not follow its forerunner",
			    w->file.path, h->number);
	block_header_encode(h, header);
	if (s == OK)
		s = put(w, header, sizeof(header), 0, e);
	if (s == OK)
		s = put(w, frame.data, frame.size, h->payload_size, e);
	w->out.blocks++;
	w->out.rows += h->rows;
	return s;
}

uint64_t data_writer_payload_size(const struct data_writer *w)
{
	return w->out.payload_size;
}

enum status data_writer_commit(struct data_writer *w, struct manifest_file *out, struct err *e)
{
	struct buf table;
	enum status s;

	buf_init(&table, SIZE_MAX);
	seek_table_encode(&w->seek, &table);
	s = buf_check(&table, "seek table", e);
	if (s == OK)
		s = file_out_write(&w->file, table.data, table.size, e);
	if (s == OK) {
		stream_digest_put(w->digest, table.data, table.size);
		w->out.stored = stream_digest_take(w->digest);
		w->out.size = w->file.size;
		*out = w->out;
		s = file_out_commit(&w->file, true, e);
	}
	buf_free(&table);
	data_writer_abort(w);
	return s;
}

void data_writer_abort(struct data_writer *w)
{
	if (w == NULL)
		return;
	file_out_abort(&w->file);
	stream_digest_free(w->digest);
	free(w->seek.v);
	free(w);
}
