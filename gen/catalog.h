// SPDX-License-Identifier: Apache-2.0
// What segments talk about: names of services, operations, tables and classes, SQL texts and
// exception stacks, in the style of each language. Pure: every text follows from a key. Which
// template a text ends up in is segment_template's, how long it should be is segment_dict's.
#ifndef GEN_CATALOG_H
#define GEN_CATALOG_H

#include "common/buf.h"
#include "common/rng.h"
#include "gen/plan.h"

// A run of draws for one text: the n-th call takes the n-th draw of the key.
struct dice {
	uint64_t key, n;
};

static inline uint32_t dice_below(struct dice *d, uint32_t bound)
{
	return rng_below(rng_draw(d->key, d->n++), bound);
}

static inline bool dice_percent(struct dice *d, uint32_t percent)
{
	return dice_below(d, 100) < percent;
}

// Texts mark their holes with one control character, for numbers and words followed by a letter
// that says which value (hole_classes[]).
#define MARK_NUMBER '\1'
#define MARK_WORD '\2'
#define MARK_HEX '\3'
#define MARK_OWN_PEER '\4'
#define MARK_CALLEE_PEER '\5'
// What stands between these is likely to occur in other texts too, byte for byte.
#define MARK_SHARE '\6'
#define MARK_SHARE_END '\7'

// Values of a hole: low + a value below hole_class_range; skewed holes prefer small values.
struct hole_class {
	char mark, letter;
	bool skewed;
	uint32_t low, range;
};
extern const struct hole_class hole_classes[];
extern const uint32_t hole_class_count;

#define CATALOG_NAMES 8192u // further words, at most

// How many further words there are when there are `cardinality` distinct ids.
static inline uint32_t catalog_names(uint32_t cardinality)
{
	return cardinality < CATALOG_NAMES ? cardinality : CATALOG_NAMES;
}

// How many distinct values holes of a class have when there are `cardinality` distinct ids:
// other numbers and further words have no more than that, the rest is their own.
static inline uint32_t hole_class_range(const struct hole_class *c, uint32_t cardinality)
{
	if (c->mark == MARK_WORD && c->range == CATALOG_NAMES)
		return catalog_names(cardinality);
	if (c->mark != MARK_NUMBER)
		return c->range;
	return c->range == 0 || cardinality < c->range ? cardinality : c->range;
}

// The greatest number that a hole can hold.
uint32_t catalog_number_most(uint32_t cardinality);

extern const char *const catalog_words[];
extern const uint32_t catalog_word_count;
void catalog_name(struct buf *out, uint32_t n);

struct entity {
	const char *word, *plural, *class; // "order", "orders", "Order"
};
#define ENTITY_COUNT 64u
extern const struct entity catalog_entities[ENTITY_COUNT];

// Distinct for every rank below 2^32 of a layer; at most 32 bytes for ranks below a million.
void catalog_service_name(struct buf *out, uint32_t layer, uint32_t rank, uint64_t seed);

enum op_kind { OP_HTTP, OP_DUBBO, OP_GRPC, OP_KAFKA, OP_ROCKETMQ };

#define OP_TEXT_MAX 160u

struct op_text {
	uint32_t entity;
	char name[OP_TEXT_MAX];	  // operation name, at most 150 bytes
	char verb[8];		  // HTTP: method
	char path[OP_TEXT_MAX];	  // HTTP: /api/v1/orders/{orderId}; a Python or Node service
				  // has no ids in its paths
	char url[OP_TEXT_MAX];	  // HTTP: the path with number holes
	char method[OP_TEXT_MAX]; // RPC: com.acme.order.OrderService.createOrder
	char topic[OP_TEXT_MAX];  // MQ
};

// Operations that count their ordinals together.
enum op_names { NAMES_HTTP, NAMES_RPC, NAMES_MQ, NAMES_COUNT };
enum op_names catalog_names_of(enum op_kind kind, enum language language);
// The ordinal-th operation of its catalog_names_of, named as services of the language name it.
// Names are distinct.
void catalog_operation(struct op_text *out, enum op_kind kind, enum language language,
		       uint32_t ordinal, uint64_t seed);

// Java method names of an entity: "createOrder", 12 of them.
void catalog_method(struct buf *out, uint32_t entity, struct dice *d);

enum sql_kind { SQL_SELECT, SQL_INSERT, SQL_UPDATE };

// Appends a statement of about `size` bytes (never more than 2,048) with `?` placeholders, and
// to params (may be NULL) what the agent would capture for it: "[v,v,...]" with holes, at most
// 512 bytes.
void catalog_sql(struct buf *out, struct buf *params, enum sql_kind kind, uint32_t entity,
		 uint32_t size, struct dice *d);
// Appends a query of about `size` bytes in Elasticsearch's language, holes included.
void catalog_search(struct buf *out, uint32_t entity, uint32_t size, struct dice *d);
// Appends request headers as the agent writes them, about `size` bytes.
void catalog_headers(struct buf *out, uint32_t size, struct dice *d);

enum fault {
	FAULT_MYSQL,
	FAULT_POSTGRESQL,
	FAULT_BUSINESS,
	FAULT_HTTP_CALL,
	FAULT_DUBBO_CALL,
	FAULT_GRPC_CALL,
};
#define FAULTS (FAULT_GRPC_CALL + 1u)

// An exception of a kind of fault.
struct exception {
	const char *class;
	const char *message;
};
struct exception catalog_exception(enum fault fault, struct dice *d);
// Appends the stack text in the agent's form: the exception, then lines that start with "at ",
// ending after the line that passes 4,000 bytes. The outermost frames are those of a server of
// `kind`.
void catalog_stack(struct buf *out, struct exception x, enum fault fault, enum op_kind kind,
		   uint32_t entity, struct dice *d);

// The text of an error as Go has it; a static string.
const char *catalog_go_error(enum fault fault, struct dice *d);
// Appends Python's traceback, the innermost frame last. entry: component of the entry span,
// which sees the server's frames too; 0 for other spans.
void catalog_python_traceback(struct buf *out, enum fault fault, uint32_t entry,
			      uint32_t entity, struct dice *d);
// Appends V8's stack. status: of a failed HTTP call.
void catalog_node_stack(struct buf *out, enum fault fault, const char *status, uint32_t entity,
			struct dice *d);
// A method of an entity in Go, Python or Node.
void catalog_other_method(struct buf *out, enum language language, uint32_t entity,
			  struct dice *d);

#endif
