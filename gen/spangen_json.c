// SPDX-License-Identifier: Apache-2.0
// spangen's results as JSON. Failures to write are stdout's, and its owner checks it.
#include "gen/spangen_json.h"

#include <jansson.h>
#include <stdio.h>

static void set_u64(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

// Hundredths as a number with two decimals.
static void set_x100(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_real((double)v / 100));
}

static void set_recipe(json_t *o, const struct recipe *r)
{
	struct buf text;

	buf_init(&text, 64 * KIB);
	recipe_format(r, &text);
	json_object_set_new(o, "recipe",
			    json_loadb((const char *)text.data, text.size, 0, NULL));
	buf_free(&text);
}

static void print(json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	putchar('\n');
	json_decref(o);
}

// Keys as of the whole.
static void set_shard(json_t *o, const struct generate_estimate *est,
		      const struct shard_estimate *s)
{
	json_t *of = json_object();

	set_u64(o, "shard", s->shard.index);
	set_u64(o, "shards", s->shard.count);
	set_u64(of, "first_block", s->first_block);
	set_u64(of, "rows", s->rows);
	set_u64(of, "traces", s->traces);
	set_u64(of, "blocks", s->blocks);
	set_u64(of, "stored_bytes", s->stored_bytes);
	set_x100(of, "stored_bytes_per_row", u64_mul_div(s->stored_bytes, 100, s->rows));
	set_u64(of, "data_files", s->data_files);
	set_u64(of, "memory_bytes", est->memory_bytes);
	set_u64(of, "time_ms", s->time_ms);
	json_object_set_new(o, "of_shard", of);
}

void json_print_plan(const struct generator *g, const struct generate_estimate *est,
		     const struct shard_estimate *shard, unsigned threads,
		     const struct replay_estimate *replay, size_t replay_count)
{
	const struct recipe *r = plan_recipe(generator_plan(g));
	uint32_t row = generator_mean_row_bytes_x100(g);
	json_t *o = json_object(), *models = json_array();

	set_u64(o, "rows", r->spans);
	set_u64(o, "traces", r->traces);
	set_u64(o, "blocks", est->blocks);
	set_x100(o, "row_bytes", row);
	set_u64(o, "row_bytes_all", u64_mul_div(r->spans, row, 100));
	set_u64(o, "stored_bytes", est->stored_bytes);
	set_x100(o, "stored_bytes_per_row", u64_mul_div(est->stored_bytes, 100, r->spans));
	set_u64(o, "data_files", est->data_files);
	set_u64(o, "memory_bytes", est->memory_bytes);
	set_u64(o, "threads", threads);
	set_u64(o, "time_ms", est->time_ms);
	if (shard != NULL)
		set_shard(o, est, shard);
	for (size_t i = 0; i < replay_count; i++) {
		json_t *m = json_object();

		json_object_set_new(m, "model", json_string(replay[i].model));
		set_u64(m, "server_bytes", replay[i].server_bytes);
		set_u64(m, "spans_per_s", replay[i].rate_per_s);
		set_u64(m, "time_ms", replay[i].time_ms);
		json_array_append_new(models, m);
	}
	json_object_set_new(o, "replay", models);
	set_recipe(o, r);
	print(o);
}

void json_print_result(const struct manifest *m, uint64_t rows_kept, int64_t took_ns)
{
	uint64_t us = u64_max((uint64_t)took_ns / 1000, 1), stored = 0;
	char digest[DIGEST_TEXT_SIZE];
	json_t *o = json_object();

	for (size_t i = 0; i < m->file_count; i++)
		stored += m->file[i].size;
	digest_text(m->digest, digest);
	json_object_set_new(o, "digest", json_string(digest));
	set_u64(o, "rows", m->rows);
	set_u64(o, "traces", m->traces);
	set_u64(o, "blocks", m->blocks);
	set_u64(o, "stored_bytes", stored);
	set_x100(o, "stored_bytes_per_row", u64_mul_div(stored, 100, m->rows));
	set_u64(o, "data_files", m->file_count);
	if (m->shard.count > 0) {
		set_u64(o, "shard", m->shard.index);
		set_u64(o, "shards", m->shard.count);
		set_u64(o, "first_block", m->file[0].first_block);
	}
	set_u64(o, "rows_kept", rows_kept);
	json_object_set_new(o, "was_complete", json_boolean(took_ns == 0));
	if (took_ns > 0) {
		set_u64(o, "time_ms", us / 1000);
		set_u64(o, "rows_per_s", u64_mul_div(m->rows - rows_kept, 1000000, us));
	}
	set_recipe(o, &m->recipe);
	print(o);
}
