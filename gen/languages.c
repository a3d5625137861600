// SPDX-License-Identifier: Apache-2.0
// Languages by quota. Services take turns by what each language lacks in their layer;
// operations go where rows are lacking; then a few operations of like size are exchanged until
// the rows of each language agree to the last one.
#include "gen/languages.h"

// Of the rows of a layer, in thousandths; the rest is Java's. Gateways are often Node's, models
// and adapters Python's. The two with random ids have less than RANDOM_ID_PCT in every layer.
static const uint16_t share_per_mille[LAYER_COUNT][LANGUAGE_COUNT] = {
	[0] = {[LANGUAGE_GO] = 160, [LANGUAGE_PYTHON] = 0, [LANGUAGE_NODE] = 140},
	[1] = {[LANGUAGE_GO] = 140, [LANGUAGE_PYTHON] = 50, [LANGUAGE_NODE] = 90},
	[2] = {[LANGUAGE_GO] = 120, [LANGUAGE_PYTHON] = 80, [LANGUAGE_NODE] = 50},
	[3] = {[LANGUAGE_GO] = 180, [LANGUAGE_PYTHON] = 90, [LANGUAGE_NODE] = 40},
	[4] = {[LANGUAGE_GO] = 200, [LANGUAGE_PYTHON] = 100, [LANGUAGE_NODE] = 40},
};

// Rows of up to 2^40 times 1000 have room in 64 bits.
struct layer_rows {
	uint64_t seen, taken[LANGUAGE_COUNT];
};

// The language that lacks most of its share of the layer's rows so far, of those that have room
// for the service's: Java has always.
static enum language pick_language(const struct layer_rows *l, uint32_t layer, uint64_t rows,
				   const uint64_t room[LANGUAGE_COUNT])
{
	int64_t most = 0;
	enum language best = LANGUAGE_JAVA;

	for (enum language i = LANGUAGE_GO; i < LANGUAGE_COUNT; i++) {
		uint64_t share = share_per_mille[layer][i];
		int64_t lack = (int64_t)(share * l->seen) - (int64_t)(1000 * l->taken[i]);

		if (lack > most && rows <= room[i]) {
			most = lack;
			best = i;
		}
	}
	return best;
}

static void assign_services(struct language_side *s)
{
	struct layer_rows layer[LAYER_COUNT] = {0};
	uint64_t room[LANGUAGE_COUNT] = {0}; // what a language may still take in all layers

	for (uint32_t i = 0; i < s->count; i++)
		layer[s->group[i]].seen += s->rows[i];
	for (uint32_t l = 0; l < LAYER_COUNT; l++) {
		for (enum language i = LANGUAGE_GO; i < LANGUAGE_COUNT; i++)
			room[i] += layer[l].seen * share_per_mille[l][i] / 1000;
		layer[l].seen = 0;
	}
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t at = s->group[i];
		struct layer_rows *l = &layer[at];
		enum language language;

		l->seen += s->rows[i];
		language = pick_language(l, at, s->rows[i], room);
		l->taken[language] += s->rows[i];
		room[language] -= language == LANGUAGE_JAVA ? 0 : s->rows[i];
		s->group[i] = group_of(language, at);
	}
}

// In rank order, each to the group that lacks most rows: groups end within a few of the rarest
// operations of what their services have.
static void assign_operations(const struct language_side *s, struct language_side *o)
{
	int64_t lack[JOINT_GROUPS] = {0};

	for (uint32_t i = 0; i < s->count; i++)
		lack[s->group[i]] += (int64_t)s->rows[i];
	for (uint32_t i = 0; i < o->count; i++) {
		uint8_t best = 0;

		for (uint8_t g = 1; g < JOINT_GROUPS; g++) {
			if (lack[g] > lack[best])
				best = g;
		}
		lack[best] -= (int64_t)o->rows[i];
		o->group[i] = best;
	}
}

// ---- To the last row -----------------------------------------------------------------------

#define TRIES 2000u

// Rows that the operations of a language lack.
static int64_t lacking(const struct language_side *s, const struct language_side *o,
		       enum language language)
{
	uint64_t lack = 0; // modulo 2^64

	for (uint32_t i = 0; i < s->count; i++)
		lack += group_language(s->group[i]) == language ? s->rows[i] : 0;
	for (uint32_t i = 0; i < o->count; i++)
		lack -= group_language(o->group[i]) == language ? o->rows[i] : 0;
	return (int64_t)lack;
}

// The first operation that has at most `rows`; o->count when all have more.
static uint32_t first_at_most(const struct language_side *o, int64_t rows)
{
	uint32_t low = 0, high = o->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if ((int64_t)o->rows[middle] > rows)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_java(const struct language_side *o, uint32_t i)
{
	return group_language(o->group[i]) == LANGUAGE_JAVA;
}

static void exchange(struct language_side *o, uint32_t a, uint32_t b)
{
	uint8_t group = o->group[a];

	o->group[a] = o->group[b];
	o->group[b] = group;
}

// Exchanges an operation of the language for one of Java's that has `lack` more rows, the
// rarest that is possible; false when there is no such pair.
static bool exchange_exactly(struct language_side *o, enum language language, int64_t lack)
{
	for (uint32_t a = o->count; a-- > 0;) {
		int64_t wanted = (int64_t)o->rows[a] + lack;

		if (group_language(o->group[a]) != language || wanted <= 0)
			continue;
		for (uint32_t b = first_at_most(o, wanted);
		     b < o->count && (int64_t)o->rows[b] == wanted; b++) {
			if (is_java(o, b)) {
				exchange(o, a, b);
				return true;
			}
		}
	}
	return false;
}

// Exchanges the nth rarest operation of the language for one of Java's that is near to what is
// wanted, `skip` of them left out: another lack, and another chance.
static void exchange_nearly(struct language_side *o, enum language language, uint32_t nth,
			    uint32_t skip, int64_t *lack)
{
	uint32_t a = o->count, b, best;

	for (uint32_t left = nth + 1; left > 0;)
		left -= group_language(o->group[--a]) == language;
	best = b = first_at_most(o, (int64_t)o->rows[a] + *lack);
	for (; b < o->count; b++) {
		if (!is_java(o, b))
			continue;
		best = b;
		if (skip-- == 0)
			break;
	}
	if (best == o->count || !is_java(o, best))
		return;
	*lack -= (int64_t)o->rows[best] - (int64_t)o->rows[a];
	exchange(o, a, best);
}

static bool agree(const struct language_side *s, struct language_side *o,
		  enum language language)
{
	int64_t lack = lacking(s, o, language);
	uint32_t count = 0;

	for (uint32_t i = 0; i < o->count; i++)
		count += group_language(o->group[i]) == language;
	for (uint32_t t = 0; lack != 0 && count > 0 && t < TRIES; t++) {
		if (exchange_exactly(o, language, lack))
			return true;
		exchange_nearly(o, language, t % count, t / count, &lack);
	}
	return lack == 0;
}

static void give_to_java(struct language_side *side, enum language language)
{
	for (uint32_t i = 0; i < side->count; i++) {
		if (group_language(side->group[i]) == language)
			side->group[i] = group_of(LANGUAGE_JAVA, group_layer(side->group[i]));
	}
}

void languages_assign(struct language_side *services, struct language_side *operations)
{
	assign_services(services);
	assign_operations(services, operations);
	for (enum language i = LANGUAGE_GO; i < LANGUAGE_COUNT; i++) {
		if (agree(services, operations, i))
			continue;
		give_to_java(services, i);
		give_to_java(operations, i);
	}
}
