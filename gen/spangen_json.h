// SPDX-License-Identifier: Apache-2.0
// What spangen's verbs print with --json: one object on stdout, sizes in bytes, times in ms.
#ifndef GEN_SPANGEN_JSON_H
#define GEN_SPANGEN_JSON_H

#include <stddef.h>

#include "gen/generate.h"

// What a server will take of a corpus.
struct replay_estimate {
	const char *model; // borrowed
	uint64_t server_bytes, rate_per_s, time_ms;
};

// shard: what one of them takes, or NULL.
void json_print_plan(const struct generator *g, const struct generate_estimate *est,
		     const struct shard_estimate *shard, unsigned threads,
		     const struct replay_estimate *replay, size_t replay_count);
// rows_kept: of an earlier run; took_ns 0: all of them.
void json_print_result(const struct manifest *m, uint64_t rows_kept, int64_t took_ns);

#endif
