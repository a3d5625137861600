// SPDX-License-Identifier: Apache-2.0
// Inspect and Get of a group, and counting by queries where Inspect is not there.
#include "replay/server.h"

#include <stdlib.h>
#include <string.h>

#include "banyandb/database.pb-c.h"

#define GROUP_SERVICE "/banyandb.database.v1.GroupRegistryService/"

static enum status no_group(const struct rpc *r, const struct model *m, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND,
		       "server %s: group %s is not there; create it with: spanreplay schema "
		       "apply --model %s",
		       rpc_server(r), m->group, m->name);
}

enum status server_ttl_ms(struct rpc *r, const struct model *m, int64_t timeout_ms,
			  int64_t *ttl_ms, struct err *e)
{
	Banyandb__Database__V1__GroupRegistryServiceGetRequest request;
	Banyandb__Database__V1__GroupRegistryServiceGetResponse *got;
	const Banyandb__Common__V1__IntervalRule *ttl = NULL;
	ProtobufCMessage *answer = NULL;
	char group[128];
	int code;
	enum status s;

	banyandb__database__v1__group_registry_service_get_request__init(&request);
	memcpy(group, m->group, strlen(m->group) + 1);
	request.group = group;
	s = rpc_call(r, GROUP_SERVICE "Get", &request.base,
		     &banyandb__database__v1__group_registry_service_get_response__descriptor,
		     &answer, timeout_ms, &code, e);
	if (code == RPC_NOT_FOUND)
		return no_group(r, m, e);
	if (s != OK)
		return s;
	got = (Banyandb__Database__V1__GroupRegistryServiceGetResponse *)(void *)answer;
	if (got->group && got->group->resource_opts)
		ttl = got->group->resource_opts->ttl;
	if (!ttl || ttl->num == 0)
		s = err_set(e, ERR_REMOTE, "server %s: group %s has no ttl", rpc_server(r),
			    m->group);
	else
		*ttl_ms =
			(int64_t)ttl->num * 3600 * MS_PER_S *
			(ttl->unit == BANYANDB__COMMON__V1__INTERVAL_RULE__UNIT__UNIT_DAY ? 24
											  : 1);
	protobuf_c_message_free_unpacked(answer, NULL);
	return s;
}

// ---- Counting by queries
// ------------------------------------------------------------------------------------------------

#define PAGE_ROWS 5000	// stream: ids only
#define PAGE_TRACES 400 // trace: payloads come along, about 20 MB

// Trace answers are whole traces, so one that straddles two ranges comes twice: each id counts
// once. Open addressing over 64-bit hashes of ids; two ids of one hash would count once, at a
// chance of 10^-9 for 100,000 traces.
struct id_set {
	uint64_t *slot;
	size_t size, used; // size: a power of two
};

static uint64_t hash_of(struct view v)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); // FNV-1a

	for (size_t i = 0; i < v.size; i++)
		h = (h ^ (uint8_t)v.data[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	return h ? h : 1;
}

static bool insert(struct id_set *set, uint64_t h)
{
	size_t i = (size_t)h & (set->size - 1);

	while (set->slot[i] && set->slot[i] != h)
		i = (i + 1) & (set->size - 1);
	if (set->slot[i] == h)
		return false;
	set->slot[i] = h;
	set->used++;
	return true;
}

static bool is_new(struct id_set *set, uint64_t h)
{
	if (2 * set->used >= set->size) {
		struct id_set bigger = {.size = set->size ? 2 * set->size : 1024};

		bigger.slot = mem_zalloc(bigger.size, sizeof(*bigger.slot));
		for (size_t i = 0; i < set->size; i++)
			if (set->slot[i])
				insert(&bigger, set->slot[i]);
		free(set->slot);
		*set = bigger;
	}
	return insert(set, h);
}

struct counting {
	struct rpc *rpc;
	const struct model *model;
	int64_t timeout_ms;
	uint64_t rows;
	struct id_set traces;
};

static void count_answer(struct counting *c, const struct read_result *got)
{
	uint64_t current = 0;
	bool counts = true;

	for (size_t i = 0; i < got->count; i++) {
		if (c->model->kind == MODEL_TRACE) { // spans of a trace follow each other
			uint64_t h = hash_of(got->row[i].tag[COL_TRACE_ID].text);

			if (i == 0 || h != current)
				counts = is_new(&c->traces, h);
			current = h;
		}
		c->rows += counts;
	}
}

// Counts [begin, end], by halves when an answer is as long as its limit.
static enum status count_range(struct counting *c, int64_t begin_ms, int64_t end_ms,
			       struct err *e)
{
	struct read_query q = {.begin_ms = begin_ms,
			       .end_ms = end_ms,
			       .limit =
				       c->model->kind == MODEL_TRACE ? PAGE_TRACES : PAGE_ROWS};
	struct read_result got = {0};
	int64_t middle = begin_ms + (end_ms - begin_ms) / 2;
	enum status s;

	if (begin_ms == end_ms)
		q.limit = 1000000; // cannot be divided
	s = model_read(c->model, c->rpc, &q, c->timeout_ms, &got, NULL, e);
	if (s == OK && !(got.full && begin_ms < end_ms)) {
		count_answer(c, &got);
		read_result_free(&got);
		return OK;
	}
	read_result_free(&got);
	if (s == OK)
		s = count_range(c, begin_ms, middle, e);
	if (s == OK)
		s = count_range(c, middle + 1, end_ms, e);
	return s;
}

static enum status count_by_queries(struct rpc *r, const struct model *m, int64_t timeout_ms,
				    int64_t now_ms, uint64_t *rows, struct err *e)
{
	struct counting c = {.rpc = r, .model = m, .timeout_ms = timeout_ms};
	int64_t day_ms = 24 * 3600 * MS_PER_S;
	enum status s = count_range(&c, now_ms > 3650 * day_ms ? now_ms - 3650 * day_ms : 0,
				    now_ms + day_ms, e);

	free(c.traces.slot);
	*rows = c.rows;
	return s;
}

enum status server_count(struct rpc *r, const struct model *m, int64_t timeout_ms,
			 int64_t now_ms, uint64_t *rows, struct err *e)
{
	Banyandb__Database__V1__GroupRegistryServiceInspectRequest request;
	Banyandb__Database__V1__GroupRegistryServiceInspectResponse *got;
	ProtobufCMessage *answer = NULL;
	int64_t ttl_ms;
	char group[128];
	int code;
	enum status s;

	banyandb__database__v1__group_registry_service_inspect_request__init(&request);
	memcpy(group, m->group, strlen(m->group) + 1);
	request.group = group;
	s = rpc_call(
		r, GROUP_SERVICE "Inspect", &request.base,
		&banyandb__database__v1__group_registry_service_inspect_response__descriptor,
		&answer, timeout_ms, &code, e);
	if (code == RPC_UNIMPLEMENTED) {
		s = server_ttl_ms(r, m, timeout_ms, &ttl_ms, e); // is the group there?
		return s != OK ? s : count_by_queries(r, m, timeout_ms, now_ms, rows, e);
	}
	if (code == RPC_NOT_FOUND)
		return no_group(r, m, e);
	if (s != OK)
		return s;
	got = (Banyandb__Database__V1__GroupRegistryServiceInspectResponse *)(void *)answer;
	*rows = 0;
	for (size_t n = 0; n < got->n_data_info; n++)
		for (size_t g = 0; g < got->data_info[n]->n_segment_info; g++)
			for (size_t h = 0; h < got->data_info[n]->segment_info[g]->n_shard_info;
			     h++)
				*rows += (uint64_t)got->data_info[n]
						 ->segment_info[g]
						 ->shard_info[h]
						 ->data_count;
	protobuf_c_message_free_unpacked(answer, NULL);
	return OK;
}
