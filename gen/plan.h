// SPDX-License-Identifier: Apache-2.0
// From a recipe to who does what: exact quotas of trace sizes, services, instances, operations
// and errors, any of them O(1) from a row or trace number. Pure. What a row looks like inside
// is segment's, how a trace hangs together is shape's.
#ifndef GEN_PLAN_H
#define GEN_PLAN_H

#include "common/manifest.h"
#include "gen/quota.h"

#define LAYER_COUNT 5u // 0 gateway, 1 API, 2 domain, 3 shared, 4 leaf
#define CALLEES_MAX 12u

// Which agent a service has. Operations have the language of the services that serve them.
enum language { LANGUAGE_JAVA, LANGUAGE_GO, LANGUAGE_PYTHON, LANGUAGE_NODE, LANGUAGE_COUNT };

// Agents whose ids are random are at most so much of the rows.
#define RANDOM_ID_PCT 15u

struct plan;

// What the tables are made for.
#define ROW_BYTES_MAX 65536u
#define SERVICES_MAX 1000000u
#define INSTANCES_MAX 10000000u
#define OPERATIONS_MAX 100000u
#define VARIANTS_MAX 64u // of a span; more would say less than their dictionary costs

// Solves all quota tables; ERR_USAGE with the option to change when the numbers cannot be met
// (mean outside what the classes allow, fewer instances than services, block_traces that does
// not divide 10,000, ...). The recipe is copied.
enum status plan_new(struct plan **out, const struct recipe *r, struct err *e) MUST_CHECK;
void plan_free(struct plan *p);
const struct recipe *plan_recipe(const struct plan *p);
struct zipf_law plan_service_law(const struct recipe *r);
struct zipf_law plan_operation_law(const struct recipe *r);

uint32_t plan_service_layer(const struct plan *p, uint32_t service); // 0..4
uint32_t plan_operation_layer(const struct plan *p,
			      uint32_t operation); // layer of the services that serve it
// Every row's operation has the language of its service.
enum language plan_service_language(const struct plan *p, uint32_t service);
enum language plan_operation_language(const struct plan *p, uint32_t operation);
uint64_t plan_operation_rows(const struct plan *p, uint32_t operation); // exact number of rows
uint64_t plan_service_rows(const struct plan *p, uint32_t service);
uint32_t plan_instance_service(const struct plan *p,
			       uint32_t instance); // instances of a service are contiguous
uint32_t plan_service_operations(const struct plan *p,
				 uint32_t service); // how many operations it serves

// Rows that come late among the rows first_row .. first_row + rows - 1 of a block: its share,
// but one row must be on time. Rows that come twice.
uint32_t plan_late_rows(const struct recipe *r, uint64_t first_row, uint32_t rows);
uint32_t plan_duplicate_rows(const struct recipe *r, uint64_t first_row, uint32_t rows);

// The services that a service calls by preference, most popular ones first to be drawn: 2 to
// CALLEES_MAX distinct ones of deeper layers (fewer when there are fewer; none in the last
// layer). Borrowed; *count receives how many.
const uint32_t *plan_callees(const struct plan *p, uint32_t service, uint32_t *count);
// A filter for them: bit plan_callee_bit(c) is set for each callee c, so a clear bit means "not
// a callee".
uint64_t plan_callee_bits(const struct plan *p, uint32_t service);
static inline uint32_t plan_callee_bit(uint32_t service)
{
	return (uint32_t)(service * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}
bool plan_calls(const struct plan *p, uint32_t caller, uint32_t callee);

// How many traces of each size the corpus has.
void plan_trace_sizes(const struct plan *p, uint64_t count[TRACE_ROWS_MAX + 1]);

struct plan_block {
	uint64_t first_trace, first_row;
	uint32_t traces, rows;
	uint32_t error_rows;			 // exact
	uint32_t late_rows, duplicate_rows;	 // exact: see plan_late_rows
	uint64_t window_begin_ms, window_end_ms; // root starts lie in [begin, end)
};

// sizes[0..traces-1]: rows of each trace in rank order; room for block_traces entries.
void plan_block(const struct plan *p, uint64_t block, struct plan_block *out, uint32_t *sizes);
// Who makes a row.
struct plan_maker {
	uint32_t service, instance, operation;
};
// row: global number, trace by trace.
struct plan_maker plan_row(const struct plan *p, uint64_t row);
// The same of at most TRACE_ROWS_MAX rows from `first` on.
void plan_rows(const struct plan *p, uint64_t first, uint32_t count, struct plan_maker *out);

#endif
