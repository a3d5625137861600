// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the payload of a block against a dictionary that has every kind of hole. What is
// accepted is rendered row by row and encoded again.
//
// Input: one byte of choices, then a Block message (choice bit 0 clear: its field of Corpus is
// put around it, which a mutation could not keep right) or a whole payload (set).
#include "tests/fuzz/fuzz.h"
#include "tests/unit/common/tiny_corpus.h"

#include "common/pb.h"

enum choice { CHOICE_WHOLE = 1, CHOICE_ARRIVAL = 2, CHOICE_OTHER_IDS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recipe recipe = tiny_recipe;
	struct err e = {0};
	struct block b;
	struct tiny t;
	struct arena a = {0};
	struct dict d;
	struct buf dict, payload;
	enum status s;

	if (size == 0)
		return 0;
	tiny_init(&t);
	if (data[0] & CHOICE_OTHER_IDS) {
		t.instance[2] = t.instance[1]; // no raw ids
		t.instance[2].id_prefix = VIEW("00000000000000000000000000000000");
	}
	if (data[0] & CHOICE_ARRIVAL)
		recipe.order = ORDER_ARRIVAL;
	// Decoding fills what templates only have then.
	buf_init(&dict, MIB);
	buf_init(&payload, 2 * size + 64);
	dict_encode(&t.dict, &dict);
	fuzz_must(dict_decode(dict.data, dict.size, &a, &d, &e) == OK);
	if (data[0] & CHOICE_WHOLE)
		buf_put(&payload, data + 1, size - 1);
	else
		pb_put_bytes(&payload, 4, data + 1, size - 1);
	block_init(&b);
	s = block_decode(payload.data, payload.size, &d, &b, &e);
	fuzz_check_error(s, &e);
	if (s == OK) {
		fuzz_render(&d, &recipe, &b);
		fuzz_block_again(&d, &b);
	}
	block_free(&b);
	buf_free(&payload);
	buf_free(&dict);
	arena_free(&a);
	return 0;
}
