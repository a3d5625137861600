// SPDX-License-Identifier: Apache-2.0
// Unit tests of what spancorpus stats says of ids: none that occurs twice is missed, however
// many passes the comparison takes, and none is invented.
#include "tests/unit/common/unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "tools/spancorpus_stats.h"

#define ROWS 700u // in a block: runs of 5,000 rows end within blocks
#define BLOCKS 30u

static struct instance instances[2] = {{.id_style = ID_DOTTED}, {.id_style = ID_RAW}};

struct ids_fixture {
	struct source source;
	struct block block;
	struct block_ids ids;
	uint64_t same_a, same_b; // rows that get one id of 16 bytes; none: UINT64_MAX
	uint64_t again;		 // row that has the sequence of the one two before it
};

static void init(struct ids_fixture *f)
{
	*f = (struct ids_fixture){
		.same_a = UINT64_MAX, .same_b = UINT64_MAX, .again = UINT64_MAX};
	f->source.corpus.dict.instance = instances;
	f->source.corpus.dict.instance_count = 2;
	block_init(&f->block);
	block_ids_init(&f->ids);
}

static void deinit(struct ids_fixture *f)
{
	block_ids_deinit(&f->ids);
	block_free(&f->block);
}

// Every third row has an id of 16 bytes; every tenth is a root.
static bool is_raw(uint64_t row)
{
	return row % 3 == 2;
}

static void put_id(struct ids_fixture *f, uint64_t row, uint64_t kind)
{
	uint8_t id[16];

	// The key is one that only the number decides, so ids differ.
	store_le64(id, rng_mix(row == f->same_b && kind == 0 ? f->same_a : row));
	store_le64(id + 8, kind);
	buf_put(&f->block.id_value, id, sizeof(id));
}

static void make_block(struct ids_fixture *f, uint64_t first)
{
	block_reset(&f->block);
	f->block.first_row = first;
	for (uint64_t row = first; row < first + ROWS; row++) {
		uint64_t of = row == f->again ? row - 2 : row;

		column32_put(&f->block.instance, is_raw(row));
		column32_put(&f->block.sequence, (uint32_t)(of * 7 % SEQUENCES_MAX));
		column32_put(&f->block.parent, row % 10 == 0 ? 0 : 1);
		if (is_raw(row))
			put_id(f, row, 0);
		if (is_raw(row) && row % 10 == 0)
			put_id(f, row, 1);
	}
	block_ids_take(&f->ids, &f->source.corpus.dict, &f->block);
}

struct result {
	unsigned passes;
	bool sequences_hold, ids_hold;
	char sequences[160], ids[160];
};

// All blocks but `left_out`.
static struct result count(struct ids_fixture *f, uint64_t limit_bytes, uint64_t left_out)
{
	struct id_stats *d = id_stats_new(&f->source, limit_bytes);
	struct claims c = {.list = json_array()};
	struct result r = {0};
	json_t *first, *second;

	do {
		r.passes++;
		for (uint64_t b = 0; b < BLOCKS; b++) {
			make_block(f, b * ROWS);
			if (b != left_out)
				id_stats_add(d, &f->ids);
		}
	} while (id_stats_next_pass(d));
	id_stats_claims(d, &c);
	first = json_array_get(c.list, 0);
	second = json_array_get(c.list, 1);
	r.sequences_hold = json_is_true(json_object_get(first, "holds"));
	r.ids_hold = json_is_true(json_object_get(second, "holds"));
	snprintf(r.sequences, sizeof(r.sequences), "%s",
		 json_string_value(json_object_get(first, "measured")));
	snprintf(r.ids, sizeof(r.ids), "%s",
		 json_string_value(json_object_get(second, "measured")));
	json_decref(c.list);
	id_stats_free(d);
	return r;
}

// 21,000 rows: 7,000 have an id of 16 bytes, 700 of them a trace id too, and 1,400 of the other
// 14,000 are roots.
static void unique_ids_hold(void **state)
{
	static const uint64_t limits[] = {MIB, 64 * KIB, 8 * KIB, 2 * KIB};
	struct ids_fixture f;

	(void)state;
	init(&f);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct result r = count(&f, limits[i], UINT64_MAX);

		assert_true(i == 0 ? r.passes == 1 : r.passes > 1);
		assert_true(r.sequences_hold && r.ids_hold);
		assert_string_equal(r.sequences, "0; so 15400 ids with a prefix are unique");
		assert_string_equal(r.ids, "0 of 7700");
	}
	deinit(&f);
}

static void twice_is_found_in_any_pass(void **state)
{
	static const uint64_t limits[] = {MIB, 16 * KIB};
	struct ids_fixture f;

	(void)state;
	init(&f);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		for (uint64_t row = 2; row < 2000; row += 699) {
			struct result r;

			f.same_a = row;
			f.same_b = 20000 - row % 2; // another block
			f.same_b += 2 - f.same_b % 3;
			r = count(&f, limits[i], UINT64_MAX);
			assert_true(r.sequences_hold && !r.ids_hold);
			assert_string_equal(r.ids, "1 of 7700");
		}
	}
	deinit(&f);
}

static void sequences_are_followed_across_blocks(void **state)
{
	struct ids_fixture f;
	struct result r;

	(void)state;
	init(&f);
	f.again = 3 * ROWS; // the first row of a block, in the run of the rows before
	r = count(&f, MIB, UINT64_MAX);
	assert_true(!r.sequences_hold && r.ids_hold);
	assert_string_equal(r.sequences, "1; so 0 ids with a prefix are unique");
	// Where the block before is not here, nothing is known of its rows.
	r = count(&f, MIB, 2);
	assert_true(r.sequences_hold);
	// The rows of a run share no numbers with those of the run before.
	f.again = 20001;
	r = count(&f, MIB, UINT64_MAX);
	assert_true(r.sequences_hold);
	deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unique_ids_hold),
		cmocka_unit_test(twice_is_found_in_any_pass),
		cmocka_unit_test(sequences_are_followed_across_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
