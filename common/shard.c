// SPDX-License-Identifier: Apache-2.0
// Ranges and names of shards. Which files a shard has is left to corpus_dir and manifest.
#include "common/shard.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void shard_range(struct shard s, uint64_t blocks, uint64_t *first, uint64_t *end)
{
	*first = 0;
	*end = blocks;
	if (s.count == 0)
		return;
	*first = u64_mul_div(s.index, blocks, s.count);
	*end = u64_mul_div((uint64_t)s.index + 1, blocks, s.count);
}

// Decimal digits without a sign or leading zero; returns what follows, NULL when there are
// none.
static const char *parse_number(const char *text, uint32_t *out)
{
	uint64_t v = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && v <= SHARDS_MAX; p++)
		v = 10 * v + (uint64_t)(*p - '0');
	*out = (uint32_t)v;
	return p == text || v > SHARDS_MAX || (*text == '0' && p > text + 1) ? NULL : p;
}

enum status shard_parse(const char *text, const char *what, struct shard *out, struct err *e)
{
	const char *p = parse_number(text, &out->index);

	if (p != NULL && *p == '/')
		p = parse_number(p + 1, &out->count);
	else
		p = NULL;
	if (p == NULL || *p != '\0' || out->count == 0)
		return err_set(
			e, ERR_USAGE,
			"%s '%s': I/N is wanted, shard I (from 0) of N, as in 0/50; N is "
			"at most %u",
			what, text, SHARDS_MAX);
	if (out->index >= out->count)
		return err_set(e, ERR_USAGE, "%s '%s': of %u shards the last is %u/%u", what,
			       text, out->count, out->count - 1, out->count);
	return OK;
}

void shard_name(struct shard s, const char *suffix, char out[SHARD_NAME_SIZE])
{
	if (s.count == 0)
		snprintf(out, SHARD_NAME_SIZE, "corpus%s", suffix);
	else
		snprintf(out, SHARD_NAME_SIZE, "corpus.%" PRIu32 "-of-%" PRIu32 "%s", s.index,
			 s.count, suffix);
}

bool shard_of_name(const char *name, const char *suffix, struct shard *out)
{
	const char *p = name;

	*out = (struct shard){0, 0};
	if (strncmp(p, "corpus", 6) != 0)
		return false;
	p += 6;
	if (strcmp(p, suffix) == 0)
		return true;
	if (*p != '.')
		return false;
	p = parse_number(p + 1, &out->index);
	if (p == NULL || strncmp(p, "-of-", 4) != 0)
		return false;
	p = parse_number(p + 4, &out->count);
	return p != NULL && out->count > 0 && out->index < out->count && strcmp(p, suffix) == 0;
}
