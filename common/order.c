// SPDX-License-Identifier: Apache-2.0
// Sorting the rows of a block, and putting some of them behind others.
#include "common/order.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

// ---- Sorting -------------------------------------------------------------------------------

#define DIGIT_BITS 11u

// Least-significant-digit radix sort: stable, and a block has about 5,000 rows.
void order_sort(const int64_t *key, uint32_t rows, uint32_t *order, uint32_t *scratch)
{
	int64_t least = INT64_MAX, most = INT64_MIN;
	uint32_t *from = order, *to = scratch;

	for (uint32_t i = 0; i < rows; i++) {
		least = key[i] < least ? key[i] : least;
		most = key[i] > most ? key[i] : most;
		from[i] = i;
	}
	for (uint32_t shift = 0; rows > 1 && ((uint64_t)(most - least) >> shift) != 0;
	     shift += DIGIT_BITS) {
		uint32_t count[1u << DIGIT_BITS] = {0};
		uint32_t sum = 0;
		uint32_t *swap = from;

		for (uint32_t i = 0; i < rows; i++)
			count[(uint64_t)(key[i] - least) >> shift & (ARRAY_LEN(count) - 1)]++;
		for (uint32_t i = 0; i < ARRAY_LEN(count); i++) {
			uint32_t n = count[i];

			count[i] = sum;
			sum += n;
		}
		for (uint32_t i = 0; i < rows; i++) {
			uint32_t row = from[i];
			uint64_t digit = (uint64_t)(key[row] - least) >> shift;

			to[count[digit & (ARRAY_LEN(count) - 1)]++] = row;
		}
		from = to;
		to = swap;
	}
	if (from != order)
		memcpy(order, from, rows * sizeof(*order));
}

// ---- Moving --------------------------------------------------------------------------------

// A row that goes behind the first `behind` rows of those that stay.
struct insert {
	uint32_t row, behind;
};

static int compare_inserts(const void *a, const void *b)
{
	const struct insert *x = *(const struct insert *const *)a;
	const struct insert *y = *(const struct insert *const *)b;

	if (x->behind != y->behind)
		return x->behind < y->behind ? -1 : 1;
	return x < y ? -1 : x > y; // as they stand
}

// Writes `base` with the inserts among it to out; is_insert may be NULL.
static void merge(const uint32_t *base, uint32_t base_count, const struct insert *insert,
		  uint32_t insert_count, uint32_t *out, uint8_t *is_insert)
{
	const struct insert **sorted = mem_alloc(((size_t)insert_count + 1) * sizeof(*sorted));
	uint32_t n = 0, next = 0;

	for (uint32_t i = 0; i < insert_count; i++)
		sorted[i] = &insert[i];
	qsort(sorted, insert_count, sizeof(*sorted), compare_inserts);
	for (uint32_t i = 0; i <= base_count; i++) {
		for (; next < insert_count && sorted[next]->behind == i; next++) {
			if (is_insert != NULL)
				is_insert[n] = 1;
			out[n++] = sorted[next]->row;
		}
		if (i == base_count)
			break;
		if (is_insert != NULL)
			is_insert[n] = 0;
		out[n++] = base[i];
	}
	free(sorted);
}

// How far each row of the block moves; 0: it stays. Caller frees.
static uint32_t *distances(uint32_t rows, const struct order_moves *moves)
{
	uint32_t *by = mem_zalloc((size_t)rows + 1, sizeof(*by));
	uint32_t row = 0;

	for (uint32_t i = 0; i < moves->count; i++) {
		row += moves->row[i];
		by[row] = moves->by[i];
	}
	return by;
}

void order_move_late(uint32_t *order, uint32_t rows, const struct order_moves *late)
{
	uint32_t staying = rows - late->count, on_time = 0, moving = 0;
	struct insert *insert;
	uint32_t *by, *base;

	if (late->count == 0)
		return;
	by = distances(rows, late);
	base = mem_alloc(((size_t)staying + 1) * sizeof(*base));
	insert = mem_alloc(late->count * sizeof(*insert));
	for (uint32_t i = 0; i < rows; i++) {
		uint32_t row = order[i];
		uint64_t behind = (uint64_t)on_time + by[row];

		if (by[row] == 0)
			base[on_time++] = row;
		else
			insert[moving++] =
				(struct insert){row, (uint32_t)u64_min(behind, staying)};
	}
	merge(base, staying, insert, moving, order, NULL);
	free(insert);
	free(base);
	free(by);
}

void order_add_copies(uint32_t *order, uint32_t rows, const struct order_moves *copies,
		      uint8_t *is_copy)
{
	uint32_t *by = distances(rows, copies);
	uint32_t *base = mem_alloc(((size_t)rows + 1) * sizeof(*base));
	struct insert *insert = mem_alloc(((size_t)copies->count + 1) * sizeof(*insert));
	uint32_t n = 0;

	memcpy(base, order, rows * sizeof(*base));
	for (uint32_t i = 0; i < rows; i++) {
		uint64_t behind = (uint64_t)i + 1 + by[base[i]];

		if (by[base[i]] != 0)
			insert[n++] = (struct insert){base[i], (uint32_t)u64_min(behind, rows)};
	}
	merge(base, rows, insert, n, order, is_copy);
	free(insert);
	free(base);
	free(by);
}
