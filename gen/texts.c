// SPDX-License-Identifier: Apache-2.0
// A hash table of texts. Numbers follow the order of arrival, never the hash.
#include "gen/texts.h"

#include <stdlib.h>
#include <xxhash.h>

#define SLOTS_FIRST 1024u

static uint32_t *slot_of(const struct texts *t, struct view v)
{
	uint32_t at = (uint32_t)XXH3_64bits(v.data, v.size) & (t->slots - 1);

	while (t->slot[at] != 0 && !view_equal(t->v[t->slot[at] - 1], v))
		at = (at + 1) & (t->slots - 1);
	return &t->slot[at];
}

// Twice the room, at most half full.
static void grow(struct texts *t)
{
	t->slots = t->slots == 0 ? SLOTS_FIRST : 2 * t->slots;
	t->capacity = t->slots / 2;
	free(t->slot);
	t->slot = mem_zalloc(t->slots, sizeof(*t->slot));
	t->v = mem_realloc(t->v, t->capacity, sizeof(*t->v));
	for (uint32_t i = 0; i < t->count; i++)
		*slot_of(t, t->v[i]) = i + 1;
}

uint32_t texts_number(struct texts *t, struct view v)
{
	uint32_t *slot;

	if (t->count == t->capacity)
		grow(t);
	slot = slot_of(t, v);
	if (*slot == 0) {
		struct view copy = arena_copy(t->arena, v.data, v.size);

		t->failed |= copy.data == NULL;
		t->v[t->count] = copy.data == NULL ? VIEW("?") : copy;
		*slot = ++t->count;
	}
	return *slot;
}

void texts_free(struct texts *t)
{
	free(t->v);
	free(t->slot);
	*t = (struct texts){.arena = t->arena};
}
