// SPDX-License-Identifier: Apache-2.0
// Shared by render.c (templates, ids, columns), render_block.c (preparing a block) and
// render_blob.c (writing blobs). Nobody else includes it.
#ifndef COMMON_RENDER_PRIVATE_H
#define COMMON_RENDER_PRIVATE_H

#include <string.h>

#include "common/pb.h"
#include "common/render.h"

// A template as the words that make its span from the last byte to the first. The low four
// bits of a word are what to do, the others its argument. A second word follows where named.
enum code {
	CODE_LITERAL, // argument: bytes; they stand behind the words, in the order of use
	CODE_TEXT,    // argument: bytes; word: where they stand in render.text
	CODE_NUMBER,  // the next number as decimal text, then a literal of as many bytes: no
		      // more than LITERAL_SHORT
	CODE_WORD,    // the next word, and a literal as with CODE_NUMBER
	CODE_HOLE,    // argument: enum hole_kind, another one, as text
	CODE_VARINT,  // argument: enum hole_kind; word: protobuf key
	CODE_CLOSE,   // argument: as many nested fields end here
	CODE_OPEN,    // argument: its field number
	CODE_PAIR, // CODE_OPEN, CODE_LITERAL, CODE_OPEN; argument: bytes of the literal; word:
		   // field numbers, that of the second CODE_OPEN in the upper half
	CODE_IDS,  // fields 1 to 4 of a span: SPAN_ID, PARENT_SPAN_ID, SPAN_START, SPAN_END
};
#define CODE_BITS 4
#define CODE_MASK 15u

#define LITERAL_SHORT 64u
// Bytes in front of a literal or text that can be read, whatever they are.
#define LITERAL_PAD RENDER_SLACK

// Words and literals lie in one piece of memory, all templates one behind the other: the cost
// of a blob is waiting for templates that no cache holds.
struct compiled {
	uint32_t code;			// its first word in render.code
	uint32_t code_count;		// words; literals follow
	uint32_t size;			// bytes of words and literals
	uint32_t numbers, hexes, words; // holes of each kind
	uint32_t depth;
	uint32_t bound; // a span of it takes no more bytes in a blob; UINT32_MAX: unknown
};

// A text of the dictionary in render.text.
struct packed {
	uint32_t at, size;
};

struct render {
	const struct dict *dict;
	const struct recipe *recipe;
	struct compiled *template;
	const uint32_t *code;
	struct view *service_id, *instance_id;
	const char *text; // all texts of the dictionary that blobs need
	struct packed *word, *service_name, *service_peer, *instance_name, *operation_name,
		*operation_peer;
	bool sizes_only;     // neither literals nor texts nor ids have bytes
	uint32_t head_bound; // of what a blob has besides spans
	struct arena arena;
};

struct render_span {
	const struct compiled *template; // NULL: literal
	const uint32_t *code;		 // of the template; here to save a look
	uint32_t code_count, code_size;
	uint32_t callee;   // called row, or UINT32_MAX
	uint32_t parent;   // index in the row; itself for the first span
	uint32_t start_ms; // relative to the row's start
	uint32_t duration_ms;
	uint32_t number_end, hex_end, word_end; // one past its last hole value
	uint32_t finish; // finish order: entry k of a row is the span that is written k-th
};

// A segment id as text. Made once per row: the row, its children and its trace use it.
struct render_id {
	uint8_t size;
	char text[ID_MAX];
};

// Bytes of the blob of a row that is not literal.
size_t render_blob_size(const struct render_block *rb, uint32_t row, int64_t epoch_ms);
// The stored blob of a literal row.
bool render_is_literal(const struct render_block *rb, uint32_t row);
struct view render_literal(const struct render_block *rb, uint32_t row);
// Fills rb->id; starts and raw offsets are set.
void render_set_ids(struct render_block *rb);

#define NESTING_MAX 16

// Asks for one entry of an array, which may be empty, and the entry not there.
static inline void fetch_entry(const void *array, size_t index, size_t entry_bytes)
{
	__builtin_prefetch((const void *)((uintptr_t)array + index * entry_bytes));
}

#define DECIMAL_MAX 24 // bytes in front of `end` that decimal_backward overwrites at most

// Eight decimal digits, leading zeros included, the first in the lowest byte: pairs and then
// digits are split in all lanes at once. v < 10^8.
static inline uint64_t decimal8(uint32_t v)
{
	uint64_t four = v / 10000 | (uint64_t)(v % 10000) << 32;
	uint64_t high = (four * 10486 >> 20) & UINT64_C(0x7f0000007f); // four / 100
	uint64_t two = high | (four - high * 100) << 16;
	uint64_t tens = (two * 103 >> 10) & UINT64_C(0xf000f000f000f); // two / 10

	return (tens | (two - tens * 10) << 8) + UINT64_C(0x3030303030303030);
}

// Digits of v < 10^8; 1 for 0. 1233 / 4096 is a little more than log10(2).
static inline uint32_t decimal8_digits(uint32_t v)
{
	static const uint32_t power[] = {0,	 10,	  100,	    1000,     10000,
					 100000, 1000000, 10000000, 100000000};
	uint32_t t = (32 - (uint32_t)__builtin_clz(v | 1)) * 1233 >> 12;

	return t + (v >= power[t]);
}

// Writes v in decimal so that it ends before `end`; returns its first byte. How many digits a
// number has cannot be guessed, so nothing here branches on it: every row has twenty.
static inline char *decimal_backward(char *end, uint64_t v)
{
	for (; v >= 100000000; v /= 100000000) {
		end -= 8;
		store_le64(end, decimal8((uint32_t)(v % 100000000)));
	}
	store_le64(end - 8, decimal8((uint32_t)v));
	return end - decimal8_digits((uint32_t)v);
}

#endif
