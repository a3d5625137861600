// SPDX-License-Identifier: Apache-2.0
// Shared by segment_dict.c (who exists, what an operation consists of), segment_template.c (the
// spans as templates) and segment_layout.c (one row). Nobody else includes it.
#ifndef GEN_SEGMENT_PRIVATE_H
#define GEN_SEGMENT_PRIVATE_H

#include "gen/catalog.h"
#include "gen/segment.h"
#include "gen/texts.h"

#define OP_SLOTS_MAX 12u
#define OP_UNITS_MAX 8u
#define INNER_MIN 3u   // spans besides the entry and the calls
#define INNER_USUAL 8u // at most so many, unless long rows need more
#define INNER_MAX 200u

// What an inner span is.
enum slot_kind {
	SLOT_LOCAL, // spring-annotation
	SLOT_MYBATIS,
	SLOT_TX,     // spring-tx
	SLOT_POOL,   // HikariCP
	SLOT_JSON,   // Jackson
	SLOT_DB,     // JDBC
	SLOT_CACHE,  // Jedis, Lettuce
	SLOT_SEARCH, // Elasticsearch
	SLOT_MONGO,
	SLOT_KINDS
};

// Distributions of durations (time_laws[] in segment_layout.c): one per slot kind, then these.
enum {
	TIME_ENTRY = SLOT_KINDS,
	TIME_SEND,    // a message to a queue
	TIME_TRANSIT, // from producer to consumer
	TIME_LAWS
};

// Templates first .. first + variants - 1 of the operation are its variants, `error` (0: none)
// the one of a span that failed.
struct slot {
	uint8_t kind, depth, variants;
	uint16_t first, error;
};

// Slots that occur together, in creation order; the first has depth 1.
struct unit {
	uint8_t first_slot, slot_count;
	uint16_t chance; // of 256; 256: always
	uint16_t again;	 // of 256: chance of a second time, and then of a third
	uint16_t extra;	 // that many times more, give or take a half: a row by row access
};

struct op_plan {
	struct slot slot[OP_SLOTS_MAX];
	struct unit unit[OP_UNITS_MAX];
	uint8_t slot_count, unit_count, variants;
	uint8_t fail_unit;  // always occurs; its slots have error templates
	uint8_t required;   // spans of the units that always occur
	uint16_t inner_max; // spans besides the entry and the calls
	// Lent to callers, by their language; error 0: none. Java's has variants.
	uint16_t call_first[LANGUAGE_COUNT], call_error[LANGUAGE_COUNT], call_variants;
	uint8_t language;
	bool async;
	uint32_t first_template; // in the dictionary
};

// Templates 0 and 1 of an operation.
#define ENTRY_OK 0u
#define ENTRY_ERROR 1u

// A unit that occurs in a row.
struct pick {
	uint8_t unit, variant;
};

// How values of a class of holes are drawn: low + one below range[two bits of the draw].
struct hole_draw {
	uint32_t low, range[4];
	uint8_t mark;
};
#define HOLE_CLASSES_MAX 32u

#define QUANTILES 257u
#define SIGMAS 4u

struct segment_set {
	struct dict dict;
	struct op_plan *op;   // one per operation
	uint32_t *hole_first; // template -> its first entry in hole; template_count + 1 entries
	uint8_t *hole;	      // indexes into hole_classes[], in piece order
	uint32_t quantile[SIGMAS][QUANTILES];	      // of self times, in 1/1024 of the median
	bool has_tail;				      // rare long ones besides
	struct hole_draw hole_draw[HOLE_CLASSES_MAX]; // one per hole class
	uint32_t cardinality;			      // distinct ids
	uint64_t seed;
	struct texts texts;
	struct arena arena; // texts and templates
	struct arena lists; // arrays
	bool failed;	    // while building: something did not fit
};

// Units of a row in order; returns how many. key: rng_key(seed, RNG_SPANS, row).
uint32_t segment_pick(const struct op_plan *p, uint64_t key, struct pick out[INNER_MAX]);
// self_time: enum self_time.
void segment_time_tables(struct segment_set *s, uint32_t self_time);
// Mean bytes of calls and of the reference, of the rows of each layer.
void segment_call_bytes(const struct plan *p, uint32_t bytes[LAYER_COUNT]);
void segment_hole_tables(struct segment_set *s); // after cardinality is set

// ---- Templates -----------------------------------------------------------------------------

// What the templates of one operation have in common.
struct op_context {
	const struct op_text *text;
	enum op_kind kind;
	enum language language;
	uint32_t variants;
	uint64_t key; // of all its texts
	bool postgresql, lettuce, feign;
	bool sql_params, http_params, http_headers; // optional captures
	bool entry_log, call_log;		    // failed entries and calls carry a log
	uint32_t component;			    // id of the entry
	uint32_t entry;				    // index of its name in the dictionary
	struct view brokers;			    // MQ: operation.peer
	enum fault fault;			    // what fails in the unit that fails
	struct buf *stack; // borrowed: of each fault of this operation; empty: not yet made
};

// Where finished templates go.
struct template_list {
	struct span_template *v;
	size_t count, capacity;
	struct buf hole; // bytes: indexes into hole_classes[]
	uint32_t *hole_first;
	struct texts *texts;
	struct arena *arena;
	bool measures; // only sizes are wanted: no text is kept, templates are empty
	bool failed;   // no memory, or more than DATA_PAYLOAD_MAX
};

// Each appends one template and returns about how many bytes a span of it takes in a blob.
uint32_t template_entry(struct template_list *l, const struct op_context *c, bool error);
uint32_t template_call(struct template_list *l, const struct op_context *c,
		       enum language caller, uint32_t variant, bool error);
// size: of the long text (SQL, query) of kinds that have one.
uint32_t template_inner(struct template_list *l, const struct op_context *c,
			const struct slot *slot, uint32_t slot_index, uint32_t variant,
			uint32_t size, bool error);

#endif
