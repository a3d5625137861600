// SPDX-License-Identifier: Apache-2.0
// The gRPC message splitter. What a message means is left to the services.
#include "replay/sink_frame.h"

#include <string.h>

// Storage that a stream keeps between messages.
#define KEEP_MAX (MIB / 4)

void sink_frame_init(struct sink_frame *f)
{
	*f = (struct sink_frame){0};
	buf_init(&f->partial, SINK_MESSAGE_MAX);
}

void sink_frame_free(struct sink_frame *f)
{
	buf_free(&f->partial);
}

static struct view take(struct view *in, size_t size_bytes)
{
	struct view v = {in->data, size_bytes};

	in->data += size_bytes;
	in->size -= size_bytes;
	return v;
}

static enum sink_frame_result read_head(struct sink_frame *f, struct view *in)
{
	while (f->head_size < SINK_FRAME_HEAD && in->size > 0)
		f->head[f->head_size++] = (uint8_t)*take(in, 1).data;
	if (f->head_size < SINK_FRAME_HEAD)
		return SINK_FRAME_MORE;
	if (f->head[0] != 0)
		return SINK_FRAME_COMPRESSED;
	f->size_bytes = (uint32_t)f->head[1] << 24 | (uint32_t)f->head[2] << 16 |
			(uint32_t)f->head[3] << 8 | f->head[4];
	return f->size_bytes > SINK_MESSAGE_MAX ? SINK_FRAME_TOO_LARGE : SINK_FRAME_MESSAGE;
}

enum sink_frame_result sink_frame_next(struct sink_frame *f, struct view *in,
				       struct view *message)
{
	enum sink_frame_result r;
	struct view piece;
	size_t missing;

	if (f->delivered) {
		f->delivered = false;
		if (f->partial.capacity > KEEP_MAX)
			buf_free(&f->partial);
		buf_clear(&f->partial);
	}
	r = read_head(f, in);
	if (r != SINK_FRAME_MESSAGE)
		return r;
	missing = f->size_bytes - f->partial.size;
	if (f->partial.size == 0 && in->size >= missing) {
		*message = take(in, missing);
		f->head_size = 0;
		return SINK_FRAME_MESSAGE;
	}
	piece = take(in, in->size < missing ? in->size : missing);
	buf_put_view(&f->partial, piece);
	if (f->partial.failed)
		return SINK_FRAME_NO_MEMORY;
	if (piece.size < missing)
		return SINK_FRAME_MORE;
	*message = (struct view){(const char *)f->partial.data, f->partial.size};
	f->head_size = 0;
	f->delivered = true;
	return SINK_FRAME_MESSAGE;
}

bool sink_frame_cut(const struct sink_frame *f)
{
	return f->head_size > 0;
}
