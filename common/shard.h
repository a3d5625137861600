// SPDX-License-Identifier: Apache-2.0
// A shard: the i-th of n nearly equal runs of blocks of one corpus, and the names of its files
// in the folder that all shards share. Pure.
#ifndef COMMON_SHARD_H
#define COMMON_SHARD_H

#include "common/err.h"

#define SHARDS_MAX 1000000u

// count 0: not a shard but the whole corpus. Otherwise index < count <= SHARDS_MAX.
struct shard {
	uint32_t index, count;
};

// Blocks [i*B/n, (i+1)*B/n) of B; all of them without shards.
void shard_range(struct shard s, uint64_t blocks, uint64_t *first, uint64_t *end);
// "3/50". ERR_USAGE with `what` in front.
enum status shard_parse(const char *text, const char *what, struct shard *out,
			struct err *e) MUST_CHECK;

#define SHARD_NAME_SIZE 48
// "corpus" SUFFIX, or "corpus.3-of-50" SUFFIX; suffix: at most 15 characters, ".json".
void shard_name(struct shard s, const char *suffix, char out[SHARD_NAME_SIZE]);
// The other way; false when `name` is none of these, in exactly this spelling.
bool shard_of_name(const char *name, const char *suffix, struct shard *out);

#endif
