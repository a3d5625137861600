// SPDX-License-Identifier: Apache-2.0
// Splits the bytes of an HTTP/2 stream into gRPC messages: one byte of flags, four bytes of
// length (big-endian), the message. Pure: knows no socket and no HTTP/2.
#ifndef REPLAY_SINK_FRAME_H
#define REPLAY_SINK_FRAME_H

#include "common/buf.h"

#define SINK_FRAME_HEAD 5
#define SINK_MESSAGE_MAX ((uint32_t)16 << 20) // what a real server accepts by default

enum sink_frame_result {
	SINK_FRAME_MORE,       // the input is used up
	SINK_FRAME_MESSAGE,    // *message is one whole message
	SINK_FRAME_TOO_LARGE,  // size_bytes is past SINK_MESSAGE_MAX; the stream is beyond
			       // repair
	SINK_FRAME_COMPRESSED, // compressed, or flags that do not exist; beyond repair
	SINK_FRAME_NO_MEMORY,
};

// Null state: sink_frame_init. A message that lies whole in the input is never copied.
struct sink_frame {
	uint8_t head[SINK_FRAME_HEAD];
	size_t head_size;
	uint32_t size_bytes; // of the message under way; valid once the head is complete
	struct buf partial;  // owned: what came of a message that was cut
	bool delivered;	     // partial holds a message that was handed out
};

void sink_frame_init(struct sink_frame *f);
void sink_frame_free(struct sink_frame *f);

// Takes bytes from the front of *in. A message is borrowed until the next call, or until the
// input goes. Call again until SINK_FRAME_MORE.
enum sink_frame_result sink_frame_next(struct sink_frame *f, struct view *in,
				       struct view *message);

// True when the input ended inside a message.
bool sink_frame_cut(const struct sink_frame *f);

#endif
