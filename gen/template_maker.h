// SPDX-License-Identifier: Apache-2.0
// Puts one span template together from SpanObject's fields in rising order. Fields that are
// literals become one literal, or several where a part is shared; a text with holes (marks of
// catalog.h) becomes a nested field of pieces. Knows nothing of operations.
#ifndef GEN_TEMPLATE_MAKER_H
#define GEN_TEMPLATE_MAKER_H

#include "gen/segment_private.h"

#define PIECES_MAX 320u
#define NESTING 4u

// A template in the making.
struct maker {
	struct template_list *list;
	struct buf text;		// of all literals
	struct piece piece[PIECES_MAX]; // literal.data not yet set
	uint32_t offset[PIECES_MAX];	// of a piece's literal in text
	uint32_t count;
	uint32_t open[NESTING], open_count;
	bool literal_open;		  // the last piece is a literal that may grow
	bool share;			  // literals are to be shared
	uint32_t holes_size, depth, slot; // holes_size: bytes that holes will take, about
	bool is_error, is_call;
};

enum span_type { TYPE_ENTRY = 0, TYPE_EXIT = 1, TYPE_LOCAL = 2 };
enum span_layer {
	LAYER_UNKNOWN = 0,
	LAYER_DATABASE = 1,
	LAYER_RPC = 2,
	LAYER_HTTP = 3,
	LAYER_MQ = 4,
	LAYER_CACHE = 5
};

// Fields of SpanObject.
enum {
	F_ID = 1,
	F_PARENT,
	F_START,
	F_END,
	F_REFS,
	F_NAME,
	F_PEER,
	F_TYPE,
	F_LAYER,
	F_COMPONENT,
	F_ERROR,
	F_TAGS,
	F_LOGS
};

struct span_head {
	const char *name;
	struct view peer;
	enum span_type type;
	enum span_layer layer;
	uint32_t component;
};

// Starts a template with its ids and times. l: where it will go.
void maker_begin(struct maker *m, struct template_list *l, uint32_t depth, uint32_t slot);
// Name, peer, type, layer, component and error flag.
void maker_head(struct maker *m, const struct span_head *h);
// varint: field number, 0 for text. about: bytes its value will take in a blob.
void maker_hole(struct maker *m, enum hole_kind kind, uint32_t varint, uint32_t about);
// A nested field of what is put until maker_message_end.
void maker_message(struct maker *m, uint32_t field);
void maker_message_end(struct maker *m);
// What is literal between these two and not short is kept once for all templates that have it.
void maker_share(struct maker *m);
void maker_share_end(struct maker *m);
// A string field; left out when empty.
void maker_string(struct maker *m, uint32_t field, struct view v);
// A KeyStringValuePair; an empty value is left out.
void maker_pair(struct maker *m, uint32_t field, const char *key, struct view value);
void maker_tag(struct maker *m, const char *key, const char *value);
void maker_tag_buf(struct maker *m, const char *key, const struct buf *value);
// Moves the template to the list; returns about how many bytes its span takes in a blob.
uint32_t maker_end(struct maker *m);

#endif
