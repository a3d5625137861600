// SPDX-License-Identifier: Apache-2.0
// Shared by render.c (templates, ids, columns), render_block.c (preparing a block) and
// render_blob.c (writing blobs). Nobody else includes it.
#ifndef COMMON_RENDER_PRIVATE_H
#define COMMON_RENDER_PRIVATE_H

#include <string.h>

#include "common/pb.h"
#include "common/render.h"

// One step of a template, to be carried out from the last to the first byte of a span.
enum step_kind { STEP_LITERAL, STEP_HOLE, STEP_CLOSE, STEP_OPEN };

struct step {
	const char *literal; // STEP_LITERAL; LITERAL_PAD bytes in front of it can be read
	uint32_t arg; // size of the literal; protobuf key of a varint hole or a nested field
	uint8_t kind; // enum step_kind
	uint8_t hole; // enum hole_kind
};

#define LITERAL_PAD 32u

// Steps and the literals they copy lie in one piece of memory, in the order of use: the cost of
// a blob is waiting for templates that no cache holds.
struct compiled {
	const struct step *step;
	uint32_t step_count;
	uint32_t size;			// bytes from step on
	uint32_t numbers, hexes, words; // holes of each kind
	uint32_t depth;
};

struct render {
	const struct dict *dict;
	const struct recipe *recipe;
	struct compiled *template;
	struct view *service_id, *instance_id;
	struct arena arena;
};

struct render_span {
	const struct compiled *template; // NULL: literal
	const struct step *step;	 // of the template; here to save a look
	uint32_t step_count, step_size;	 // size in bytes, literals included
	uint32_t callee;		 // called row, or UINT32_MAX
	uint32_t parent;		 // index in the row; itself for the first span
	uint32_t start_ms;		 // relative to the row's start
	uint32_t duration_ms;
	uint32_t number_end, hex_end, word_end; // one past its last hole value
	uint32_t finish; // finish order: entry k of a row is the span that is written k-th
};

// A segment id as text. Made once per row: the row, its children and its trace use it.
struct render_id {
	uint8_t size;
	char text[ID_MAX];
};

// Fills rb->id; starts and raw offsets are set.
void render_set_ids(struct render_block *rb);

#define NESTING_MAX 16

// Writes v in decimal so that it ends before `end`; returns its first byte. Two digits at a
// time: ids and times are the longest numbers, and every row has a dozen.
static inline char *decimal_backward(char *end, uint64_t v)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";

	while (v >= 100) {
		uint64_t rest = v % 100;

		v /= 100;
		end -= 2;
		memcpy(end, pairs + 2 * rest, 2);
	}
	if (v >= 10) {
		end -= 2;
		memcpy(end, pairs + 2 * v, 2);
	} else {
		*--end = (char)('0' + v);
	}
	return end;
}

#endif
