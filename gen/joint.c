// SPDX-License-Identifier: Apache-2.0
// The joint table is a sum of slices. A slice has a fair share of every quota and is filled by
// the north-west-corner rule: services and operations stand in the order of their groups, and
// each pair gets what both still have.
//
//	            op a   op b   op c
//	service 1    40     10               50
//	service 2           25     25        50
//	             40     35     25
//
// One slice has at most services + operations - 1 cells, which is 11 per service when there are
// ten operations for each. Further slices shuffle operations of like size, so that a service
// serves about ten operations at every scale.
#include "gen/joint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/rng.h"

#define CELLS_PER_SERVICE 10u // wanted mean
#define SLICES_MAX 64u

// One side of a slice: items in the order of the walk.
struct walk_item {
	uint64_t key; // total order together with the index
	uint32_t index;
};

struct builder {
	const struct joint_side *services, *operations;
	uint64_t seed;
	struct joint_cell *cell, *sorted; // start holds the count of rows while building
	uint32_t cell_count;
	uint64_t *first[2];		      // first unit of each item on its own axis
	uint32_t *service_walk;		      // services in the order of every walk
	uint32_t *operation_walk[SLICES_MAX]; // operations in each slice's, made when needed
	uint32_t *service_first;	      // of merge_cells: services + 1
};

static int compare_item(const void *a, const void *b)
{
	const struct walk_item *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static uint32_t log2_floor(uint64_t v)
{
	return v == 0 ? 0 : 63u - (uint32_t)__builtin_clzll(v);
}

// The order of a walk: services by (group, rank); operations the same in slice 0, later by
// (group, size class, draw), where a class spans a factor of four.
static uint32_t *order_items(const struct joint_side *side, uint64_t seed, uint32_t slice)
{
	struct walk_item *item = mem_alloc(side->count * sizeof(*item) + 1);
	uint32_t *order = mem_alloc(side->count * sizeof(*order) + 1);
	uint64_t key = rng_key(seed, RNG_QUOTA, slice);

	for (uint32_t i = 0; i < side->count; i++) {
		uint64_t k = (uint64_t)side->group[i] << 59;

		if (slice > 0) {
			k |= (uint64_t)(63 - log2_floor(side->rows[i])) / 2 << 54;
			k |= rng_draw(key, i) >> 10;
		}
		item[i] = (struct walk_item){k, i};
	}
	qsort(item, side->count, sizeof(*item), compare_item);
	for (uint32_t i = 0; i < side->count; i++)
		order[i] = item[i].index;
	free(item);
	return order;
}

// Rows of [first, first + count) that fall to the slice: those with row mod slices == slice.
// All parts of an item differ by at most one, and both axes have the same sum in every slice.
static uint64_t part_of(uint64_t first, uint64_t count, uint32_t slice, uint32_t slices)
{
	uint64_t shift = slices - 1 - slice;

	return (first + count + shift) / slices - (first + shift) / slices;
}

static void fill_slice(struct builder *b, uint32_t slice, uint32_t slices)
{
	uint32_t s = 0, o = 0;
	uint64_t service_left = 0, operation_left = 0;
	const uint32_t *operation_walk;

	if (b->operation_walk[slice] == NULL)
		b->operation_walk[slice] = order_items(b->operations, b->seed, slice);
	operation_walk = b->operation_walk[slice];
	for (;;) {
		uint64_t n;

		for (; service_left == 0 && s < b->services->count; s++) {
			uint32_t i = b->service_walk[s];

			service_left =
				part_of(b->first[0][i], b->services->rows[i], slice, slices);
		}
		for (; operation_left == 0 && o < b->operations->count; o++) {
			uint32_t i = operation_walk[o];

			operation_left =
				part_of(b->first[1][i], b->operations->rows[i], slice, slices);
		}
		if (service_left == 0)
			break;
		n = u64_min(service_left, operation_left);
		assert(n > 0);
		b->cell[b->cell_count++] =
			(struct joint_cell){n, b->service_walk[s - 1], operation_walk[o - 1]};
		service_left -= n;
		operation_left -= n;
	}
	assert(operation_left == 0);
}

#define INSERTION_MOST 64u

static int compare_operation(const void *a, const void *b)
{
	const struct joint_cell *x = a, *y = b;

	return x->operation < y->operation ? -1 : x->operation > y->operation;
}

static void sort_cells(struct joint_cell *cell, uint32_t count)
{
	if (count > INSERTION_MOST) {
		qsort(cell, count, sizeof(*cell), compare_operation);
		return;
	}
	for (uint32_t i = 1; i < count; i++) {
		struct joint_cell c = cell[i];
		uint32_t at = i;

		for (; at > 0 && cell[at - 1].operation > c.operation; at--)
			cell[at] = cell[at - 1];
		cell[at] = c;
	}
}

// Sorts the cells of one service by operation and merges equal ones; returns how many are left.
static uint32_t merge_service(struct joint_cell *cell, uint32_t count)
{
	uint32_t n = 0;

	sort_cells(cell, count);
	for (uint32_t i = 0; i < count; i++) {
		if (n > 0 && cell[n - 1].operation == cell[i].operation)
			cell[n - 1].start += cell[i].start;
		else
			cell[n++] = cell[i];
	}
	return n;
}

// Sorts by service and operation; cells of the same pair become one.
static void merge_cells(struct builder *b)
{
	uint32_t services = b->services->count, *first = b->service_first, n = 0;

	memset(first, 0, (services + 1) * sizeof(*first));
	for (uint32_t i = 0; i < b->cell_count; i++)
		first[b->cell[i].service + 1]++;
	for (uint32_t i = 0; i < services; i++)
		first[i + 1] += first[i];
	for (uint32_t i = 0; i < b->cell_count; i++)
		b->sorted[first[b->cell[i].service]++] = b->cell[i];
	// first[i] is now where the cells of service i end.
	for (uint32_t i = 0; i < services; i++) {
		uint32_t begin = i == 0 ? 0 : first[i - 1];
		uint32_t left = merge_service(&b->sorted[begin], first[i] - begin);

		memcpy(&b->cell[n], &b->sorted[begin], left * sizeof(*b->cell));
		n += left;
	}
	b->cell_count = n;
}

static void build(struct builder *b, uint32_t slices)
{
	size_t most = (size_t)slices * (b->services->count + b->operations->count);

	free(b->cell);
	free(b->sorted);
	b->cell = mem_alloc((most + 1) * sizeof(*b->cell));
	b->sorted = mem_alloc((most + 1) * sizeof(*b->sorted));
	b->cell_count = 0;
	for (uint32_t slice = 0; slice < slices; slice++)
		fill_slice(b, slice, slices);
	merge_cells(b);
}

static void builder_init(struct builder *b, uint64_t seed, const struct joint_side *services,
			 const struct joint_side *operations)
{
	const struct joint_side *side[2] = {services, operations};

	*b = (struct builder){.services = services, .operations = operations, .seed = seed};
	for (uint32_t axis = 0; axis < 2; axis++) {
		uint32_t *order = order_items(side[axis], seed, 0);
		uint64_t sum = 0;

		// In the order of the groups, so a class has the same stretch of both axes, and
		// the same part of it in every slice.
		b->first[axis] = mem_alloc(side[axis]->count * sizeof(*b->first[axis]) + 1);
		for (uint32_t i = 0; i < side[axis]->count; i++) {
			b->first[axis][order[i]] = sum;
			sum += side[axis]->rows[order[i]];
		}
		if (axis == 0)
			b->service_walk = order;
		else
			b->operation_walk[0] = order;
	}
	b->service_first = mem_alloc((services->count + 1) * sizeof(*b->service_first));
}

static void builder_deinit(struct builder *b)
{
	for (uint32_t i = 0; i < SLICES_MAX; i++)
		free(b->operation_walk[i]);
	free(b->first[0]);
	free(b->first[1]);
	free(b->service_walk);
	free(b->service_first);
	free(b->sorted);
}

// Slices for `wanted` cells when `slices` gave `cells`. Further slices add ever fewer new
// cells, so this is never too many.
static uint32_t more_slices(uint32_t slices, uint32_t cells, uint64_t wanted)
{
	uint64_t more = u64_max(u64_mul_div(slices, wanted, cells), slices + 1u);

	return (uint32_t)u64_min(more, SLICES_MAX);
}

// Counts become first units, and buckets point into the cells.
static void index_cells(struct joint *j)
{
	uint64_t sum = 0;
	uint32_t c = 0, buckets;

	for (uint32_t i = 0; i < j->cell_count; i++) {
		uint64_t count = j->cell[i].start;

		j->cell[i].start = sum;
		sum += count;
	}
	j->rows = sum;
	j->cell[j->cell_count] = (struct joint_cell){sum, 0, 0};
	while (j->rows >> j->shift > 4 * (uint64_t)j->cell_count)
		j->shift++;
	buckets = (uint32_t)(j->rows >> j->shift) + 1;
	j->bucket = mem_zalloc(buckets, sizeof(*j->bucket));
	for (uint32_t i = 0; i < buckets; i++) {
		while (c + 1 < j->cell_count && j->cell[c + 1].start <= (uint64_t)i << j->shift)
			c++;
		j->bucket[i] = c;
	}
}

void joint_init(struct joint *j, uint64_t seed, const struct joint_side *services,
		const struct joint_side *operations)
{
	uint64_t wanted = (uint64_t)CELLS_PER_SERVICE * services->count;
	uint32_t slices = (uint32_t)(wanted / (services->count + operations->count));
	struct builder b;

	// Equal cells of different slices merge, so the count of slices is found by trial.
	slices = slices < 1 ? 1 : slices;
	builder_init(&b, seed, services, operations);
	wanted -= wanted / 20;
	for (build(&b, slices); b.cell_count < wanted && slices < SLICES_MAX;) {
		slices = more_slices(slices, b.cell_count, wanted);
		build(&b, slices);
	}
	*j = (struct joint){
		.cell = mem_realloc(b.cell, b.cell_count + (size_t)1, sizeof(*b.cell)),
		.cell_count = b.cell_count};
	builder_deinit(&b);
	index_cells(j);
}

void joint_deinit(struct joint *j)
{
	free(j->cell);
	free(j->bucket);
	*j = (struct joint){0};
}

const struct joint_cell *joint_at(const struct joint *j, uint64_t unit)
{
	uint32_t low = j->bucket[unit >> j->shift], high = j->cell_count;

	// Few cells start within a bucket, mostly none or one.
	if (j->cell[low + 1].start > unit)
		return &j->cell[low];
	low++;
	// The answer is near: gallop, then halve.
	for (uint32_t step = 1; low + step < high; step *= 2) {
		if (j->cell[low + step].start > unit)
			high = low + step;
		else
			low += step;
	}
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (j->cell[middle].start <= unit)
			low = middle;
		else
			high = middle;
	}
	return &j->cell[low];
}
