// SPDX-License-Identifier: Apache-2.0
// The texts that templates share: each is kept once. Column lists of a table, frames of a
// framework and heads of spans make up most of a dictionary otherwise.
#ifndef GEN_TEXTS_H
#define GEN_TEXTS_H

#include "common/mem.h"

// Null state: all zero but arena.
struct texts {
	struct view *v; // owned; the bytes are the arena's
	uint32_t count, capacity;
	uint32_t *slot; // owned: open addressing; number of a text, 0 free
	uint32_t slots;
	struct arena *arena; // borrowed
	bool failed;	     // the arena is full
};

// The number of a text that is equal to v (not empty), from 1; added when it is new.
uint32_t texts_number(struct texts *t, struct view v);
void texts_free(struct texts *t);

#endif
