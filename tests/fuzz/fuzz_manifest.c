// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the text of corpus.json, as it comes and again with its own digest put right,
// which a mutation could not. What is accepted is written and read again: the same text.
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define KEY "\"manifest_xxh3\": \""
#define DIGITS (DIGEST_TEXT_SIZE - 1)

static void check_manifest(const struct manifest *m)
{
	struct manifest again;
	struct err e = {0};
	struct buf first, second;
	uint64_t rows = 0, blocks = 0;

	for (size_t i = 0; i < m->file_count; i++) {
		fuzz_must(m->file[i].name[0] != '.' && strchr(m->file[i].name, '/') == NULL);
		rows += m->file[i].rows;
		blocks += m->file[i].blocks;
	}
	fuzz_must(rows == m->rows && blocks == m->blocks);
	fuzz_must(blocks <= recipe_blocks(&m->recipe));
	buf_init(&first, 0);
	buf_init(&second, 0);
	first.max = second.max = 4 * MANIFEST_MAX_BYTES;
	fuzz_must(manifest_format(m, &first, &e) == OK);
	fuzz_must(manifest_parse((const char *)first.data, first.size, &again, &e) == OK);
	fuzz_must(manifest_format(&again, &second, &e) == OK);
	fuzz_must(first.size == second.size);
	fuzz_must(memcmp(first.data, second.data, first.size) == 0);
	manifest_free(&again);
	buf_free(&first);
	buf_free(&second);
}

static void parse(const char *text, size_t size)
{
	struct manifest m;
	struct err e = {0};
	enum status s = manifest_parse(text, size, &m, &e);

	fuzz_check_error(s, &e);
	if (s != OK)
		return;
	check_manifest(&m);
	manifest_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t key = sizeof(KEY) - 1;
	char *text = malloc(size > 0 ? size : 1);
	char digits[DIGEST_TEXT_SIZE];

	fuzz_must(text != NULL);
	parse((const char *)data, size);
	if (size > 0)
		memcpy(text, data, size);
	for (size_t i = 0; i + key + DIGITS <= size; i++) {
		if (memcmp(text + i, KEY, key) != 0)
			continue;
		memset(text + i + key, '0', DIGITS);
		digest_text(digest_of(text, size), digits);
		memcpy(text + i + key, digits, DIGITS);
		parse(text, size);
		break;
	}
	free(text);
	return 0;
}
