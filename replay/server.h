// SPDX-License-Identifier: Apache-2.0
// Questions to a server outside schema and writing: how many rows a group holds, how long it
// keeps them, how it is.
#ifndef REPLAY_SERVER_H
#define REPLAY_SERVER_H

#include "replay/model.h"

// Rows in the model's group: the sum of Inspect's data_count; where there is no Inspect (0.9),
// counted by queries over ever smaller time ranges. ERR_NOT_FOUND when the group is missing
// (remedy: schema apply).
enum status server_count(struct rpc *r, const struct model *m, int64_t timeout_ms,
			 int64_t now_ms, uint64_t *rows, struct err *e) MUST_CHECK;

// The ttl of the model's group in ms. ERR_NOT_FOUND as above.
enum status server_ttl_ms(struct rpc *r, const struct model *m, int64_t timeout_ms,
			  int64_t *ttl_ms, struct err *e) MUST_CHECK;

#endif
