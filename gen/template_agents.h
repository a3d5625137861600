// SPDX-License-Identifier: Apache-2.0
// Spans of agents other than Java's. Each function puts the part of one behind its ids and
// times; segment_template begins and ends the templates.
#ifndef GEN_TEMPLATE_AGENTS_H
#define GEN_TEMPLATE_AGENTS_H

#include "gen/template_maker.h"

// Of an operation in such a language.
void agent_entry(struct maker *m, const struct op_context *c);
void agent_inner(struct maker *m, const struct op_context *c, enum slot_kind kind,
		 uint32_t size, struct dice *d);
// The call of an operation, whatever its language, by a caller in such a language.
void agent_call(struct maker *m, const struct op_context *c, enum language caller);
// Callers of the two languages, b not Java's, write the same when they call an operation of a
// kind.
bool agent_calls_alike(enum op_kind kind, enum language a, enum language b);

#endif
