// SPDX-License-Identifier: Apache-2.0
// That no id occurs twice. Ids with a prefix are unique by their form when no two rows that
// share thread numbers share a sequence number; the others are 16 bytes of any kind, which are
// all compared: as many at a time as fit into a limit, the rest in further passes.
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tools/spancorpus_stats.h"

#define ID_BYTES 16u
#define BUCKETS 256u
#define NO_SEQUENCE UINT16_MAX // row of a RAW instance

struct bucket {
	uint8_t *id; // owned
	size_t count, capacity;
};

struct id_stats {
	const struct dict *dict;
	uint64_t next_row; // that continues the run of rows below
	uint8_t seen[SEQUENCES_MAX];
	uint64_t by_sequence, sequence_twice;
	// 16-byte ids. A pass takes those whose hash is `pass` modulo `passes`.
	uint32_t pass, passes;
	struct bucket bucket[BUCKETS];
	uint64_t held, held_max;
	uint64_t compared, twice;
};

struct id_stats *id_stats_new(const struct source *s, uint64_t limit_bytes)
{
	struct id_stats *d = mem_zalloc(1, sizeof(*d));

	d->dict = &s->corpus.dict;
	d->passes = 1;
	d->held_max = u64_max(limit_bytes / ID_BYTES, 1);
	return d;
}

void id_stats_free(struct id_stats *d)
{
	for (uint32_t i = 0; d != NULL && i < BUCKETS; i++)
		free(d->bucket[i].id);
	free(d);
}

// ---- What a worker takes from a block ------------------------------------------------------

void block_ids_init(struct block_ids *b)
{
	*b = (struct block_ids){0};
	buf_init_own(&b->raw, 32 * (size_t)BLOCK_ROWS_MAX);
}

void block_ids_deinit(struct block_ids *b)
{
	free(b->sequence);
	buf_free(&b->raw);
}

void block_ids_take(struct block_ids *out, const struct dict *d, const struct block *b)
{
	size_t rows = block_rows(b);

	if (rows > out->capacity) {
		out->capacity = rows;
		out->sequence = mem_realloc(out->sequence, rows, sizeof(*out->sequence));
	}
	out->first_row = b->first_row;
	out->rows = rows;
	out->dotted_roots = 0;
	for (size_t i = 0; i < rows; i++) {
		bool is_raw = d->instance[b->instance.v[i]].id_style == ID_RAW;

		out->sequence[i] = is_raw ? NO_SEQUENCE : (uint16_t)b->sequence.v[i];
		out->dotted_roots += !is_raw && b->parent.v[i] == 0;
	}
	buf_clear(&out->raw);
	buf_put(&out->raw, b->id_value.data, b->id_value.size);
}

// ---- Comparing -----------------------------------------------------------------------------

static void add_sequences(struct id_stats *d, const struct block_ids *b)
{
	// A run of rows may begin in the block before, unless that is not here.
	if (b->first_row != d->next_row)
		memset(d->seen, 0, sizeof(d->seen));
	for (size_t i = 0; i < b->rows; i++) {
		if ((b->first_row + i) % SEQUENCES_MAX == 0)
			memset(d->seen, 0, sizeof(d->seen));
		if (b->sequence[i] == NO_SEQUENCE)
			continue;
		d->sequence_twice += d->seen[b->sequence[i]];
		d->seen[b->sequence[i]] = 1;
		d->by_sequence++;
	}
	d->by_sequence += b->dotted_roots;
	d->next_row = b->first_row + b->rows;
}

static uint64_t hash_of(const uint8_t *id)
{
	return XXH3_64bits(id, ID_BYTES);
}

// The hash's low byte chooses the bucket, the rest the pass.
static bool is_of_pass(const struct id_stats *d, uint64_t hash)
{
	return (hash / BUCKETS) % d->passes == d->pass;
}

static void bucket_put(struct bucket *b, const uint8_t *id)
{
	if (b->count == b->capacity) {
		b->capacity += b->capacity / 8 + 64;
		b->id = mem_realloc(b->id, b->capacity, ID_BYTES);
	}
	memcpy(b->id + ID_BYTES * b->count++, id, ID_BYTES);
}

// Twice as many passes: half of what is held is left to a later one. In a first pass only.
static void halve(struct id_stats *d)
{
	d->passes *= 2;
	d->held = 0;
	for (uint32_t i = 0; i < BUCKETS; i++) {
		struct bucket *b = &d->bucket[i];
		size_t kept = 0;

		for (size_t k = 0; k < b->count; k++) {
			if (is_of_pass(d, hash_of(b->id + ID_BYTES * k)))
				memmove(b->id + ID_BYTES * kept++, b->id + ID_BYTES * k,
					ID_BYTES);
		}
		b->count = kept;
		d->held += kept;
	}
}

static void add_raw(struct id_stats *d, const struct buf *raw)
{
	for (size_t at = 0; at + ID_BYTES <= raw->size; at += ID_BYTES) {
		uint64_t hash = hash_of(raw->data + at);

		if (!is_of_pass(d, hash))
			continue;
		bucket_put(&d->bucket[hash % BUCKETS], raw->data + at);
		d->held++;
		// Ids that are all the same cannot be shared out; more passes do not help.
		if (d->held > d->held_max && d->pass == 0 && d->passes < 1u << 16)
			halve(d);
	}
}

void id_stats_add(struct id_stats *d, const struct block_ids *b)
{
	if (d->pass == 0)
		add_sequences(d, b);
	add_raw(d, &b->raw);
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, ID_BYTES);
}

bool id_stats_next_pass(struct id_stats *d)
{
	for (uint32_t i = 0; i < BUCKETS; i++) {
		struct bucket *b = &d->bucket[i];

		if (b->count > 1)
			qsort(b->id, b->count, ID_BYTES, compare_ids);
		for (size_t k = 1; k < b->count; k++)
			d->twice += memcmp(b->id + ID_BYTES * k, b->id + ID_BYTES * (k - 1),
					   ID_BYTES) == 0;
		d->compared += b->count;
		b->count = 0;
	}
	d->held = 0;
	return ++d->pass < d->passes;
}

void id_stats_claims(const struct id_stats *d, struct claims *c)
{
	claim(c, "rows that share thread and sequence number", "0", d->sequence_twice == 0,
	      "%" PRIu64 "; so %" PRIu64 " ids with a prefix are unique", d->sequence_twice,
	      d->sequence_twice == 0 ? d->by_sequence : 0);
	claim(c, "ids of 16 bytes that occur twice", "0", d->twice == 0,
	      "%" PRIu64 " of %" PRIu64, d->twice, d->compared);
}
