// SPDX-License-Identifier: Apache-2.0
// Draws late rows and duplicates. What becomes of them in the output is common/order's.
#include "gen/disorder.h"

#include <stdlib.h>

#include "common/mem.h"
#include "common/order.h"
#include "common/pb.h"
#include "common/rng.h"

// The rows of a block in output order, and how far each moves (0: not at all).
struct disorder {
	const struct recipe *recipe;
	const struct plan_block *pb;
	uint32_t *order, *by;
};

// The keys by which readers order the rows.
static void sort_rows(struct disorder *o, const struct dict *d, const struct block *b)
{
	uint32_t rows = o->pb->rows, row = 0;
	int64_t *key = mem_alloc(rows * sizeof(*key)), root = 0;
	uint32_t *scratch = mem_alloc(rows * sizeof(*scratch));

	for (size_t t = 0; t < b->trace_size.count; t++) {
		root += (int64_t)b->trace_start_ms.v[t];
		for (uint32_t i = 0; i < b->trace_size.v[t]; i++, row++) {
			key[row] = root + pb_unzigzag(b->start_ms.v[row]) +
				   d->instance[b->instance.v[row]].clock_skew_ms;
			if (o->recipe->order == ORDER_ARRIVAL)
				key[row] += b->latency_ms.v[row];
		}
	}
	order_sort(key, rows, o->order, scratch);
	free(key);
	free(scratch);
}

// 1..most, each power of two as likely as another.
static uint32_t draw_distance(uint64_t key, uint32_t most)
{
	uint32_t powers = 32 - (uint32_t)__builtin_clz(most);
	uint32_t low = UINT32_C(1) << rng_below(rng_draw(key, 0), powers);

	return (uint32_t)u64_min(low + rng_below(rng_draw(key, 1), low), most);
}

// Chooses `count` of the first `among` places of the order.
static void choose(struct disorder *o, enum rng_stream stream, uint32_t among, uint32_t count,
		   bool *chosen)
{
	struct rng_perm perm;

	if (count == 0)
		return;
	rng_perm_init(&perm, among, o->recipe->seed, stream, o->pb->first_trace);
	for (uint32_t i = 0; i < count; i++)
		chosen[rng_perm_at(&perm, i)] = true;
}

static void put_columns(const struct disorder *o, struct column32 *row, struct column32 *by)
{
	uint32_t before = 0;

	for (uint32_t i = 0; i < o->pb->rows; i++) {
		if (o->by[i] == 0)
			continue;
		column32_put(row, i - before);
		column32_put(by, o->by[i]);
		before = i;
		o->by[i] = 0;
	}
}

// The last place is on time: so any other row has one to come late behind.
static void draw_late(struct disorder *o, bool *chosen, struct block *b)
{
	uint32_t rows = o->pb->rows, left = rows - o->pb->late_rows; // on time, from here on

	choose(o, RNG_LATE, rows - 1, o->pb->late_rows, chosen);
	for (uint32_t i = 0; i < rows; i++) {
		uint32_t row = o->order[i];

		if (chosen[i])
			o->by[row] = draw_distance(
				rng_key(o->recipe->seed, RNG_LATE_BY, o->pb->first_row + row),
				left);
		else
			left--;
		chosen[i] = false;
	}
	put_columns(o, &b->late_row, &b->late_by);
}

static void draw_duplicates(struct disorder *o, bool *chosen, struct block *b)
{
	uint32_t rows = o->pb->rows;

	choose(o, RNG_DUPLICATE, rows, o->pb->duplicate_rows, chosen);
	for (uint32_t i = 0; i < rows; i++) {
		uint32_t row = o->order[i];

		if (chosen[i]) // behind the last row there is the end only
			o->by[row] = draw_distance(rng_key(o->recipe->seed, RNG_DUPLICATE_BY,
							   o->pb->first_row + row),
						   i + 1 < rows ? rows - 1 - i : 1);
	}
	put_columns(o, &b->duplicate_row, &b->duplicate_by);
}

void disorder_block(const struct recipe *r, const struct dict *d, const struct plan_block *pb,
		    struct block *b)
{
	struct disorder o = {.recipe = r, .pb = pb};
	bool *chosen;

	if (pb->late_rows == 0 && pb->duplicate_rows == 0)
		return;
	o.order = mem_alloc(pb->rows * sizeof(*o.order));
	o.by = mem_zalloc(pb->rows, sizeof(*o.by));
	chosen = mem_zalloc(pb->rows, sizeof(*chosen));
	sort_rows(&o, d, b);
	draw_late(&o, chosen, b);
	if (pb->late_rows > 0) {
		const struct order_moves late = {b->late_row.v, b->late_by.v,
						 (uint32_t)b->late_row.count};

		order_move_late(o.order, pb->rows, &late);
	}
	draw_duplicates(&o, chosen, b);
	free(o.order);
	free(o.by);
	free(chosen);
}
