// SPDX-License-Identifier: Apache-2.0
// Phases of a write run.
#include "replay/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/opt.h"
#include "replay/server.h"

#define FUTURE_SLACK_MS (60 * MS_PER_S) // clocks of two machines differ
#define TTL_MARGIN_MS (3600 * MS_PER_S) // rows must outlive the run and a first look at them
#define DAY_MS (24 * 3600 * MS_PER_S)
#define COUNT_TRIES 25 // a cluster's nodes may need a moment
#define COUNT_PAUSE_MS 200
#define COUNT_STOPPED_MS 2000 // whoever stopped the run does not wait for a server that hangs

// Refuses a run whose rows would be hidden before it is over.
static enum status check_ttl(const struct write_options *o, const struct source *src,
			     const struct write_report *r, int64_t ttl_ms, struct err *e)
{
	int64_t run_ms = o->rate_per_s ? (int64_t)u64_mul_div(src->rows, (uint64_t)MS_PER_S,
							      o->rate_per_s)
				       : 0;
	int64_t oldest_ms = r->epoch_ms + src->min_rel_ms,
		need_ms = r->begin_ms - oldest_ms + run_ms + TTL_MARGIN_MS;
	char oldest[32];

	if (need_ms <= ttl_ms)
		return OK;
	format_rfc3339_ms(oldest_ms, oldest);
	return err_set(e, ERR_USAGE,
		       "rows from %s on would be older than the group's ttl of %lld h before "
		       "the run is over; use --epoch now, or keep rows longer: spanreplay "
		       "schema drop --model %s, then schema apply --model %s --ttl-days %lld",
		       oldest, (long long)(ttl_ms / (3600 * MS_PER_S)),
		       model_get(o->model)->name, model_get(o->model)->name,
		       (long long)(need_ms / DAY_MS + 1));
}

// What the corpus is; of a part says so.
static void describe_corpus(const struct source *src, struct log *log, struct write_report *r)
{
	const struct corpus *c = &src->corpus;

	r->corpus_rows = c->manifest.rows;
	if (c->digest_is_known)
		digest_text(c->manifest.digest, r->digest);
	r->blocks_of_recipe = recipe_blocks(&c->manifest.recipe);
	for (uint64_t n = corpus_first_block(c); n < corpus_end_block(c); n++)
		r->blocks += corpus_has_block(c, n);
	if (r->blocks < r->blocks_of_recipe)
		log_note(log, "corpus %s is a part: %" PRIu64 " of %" PRIu64 " blocks", c->dir,
			 r->blocks, r->blocks_of_recipe);
}

static void choose_epoch(const struct write_options *o, const struct source *src,
			 struct write_report *r)
{
	r->begin_ms = clock_wall_ms();
	r->epoch_ms = o->epoch_now ? r->begin_ms - src->max_rel_ms : o->epoch_ms;
	r->newest_ms = r->epoch_ms + src->max_rel_ms;
}

// The count after the run; asked again while it is not what we expect, for servers that need a
// moment.
static enum status count_after(const struct write_options *o, struct rpc *rpc,
			       struct write_report *r, struct err *e)
{
	const struct model *m = model_get(o->model);
	int64_t timeout_ms = o->timeout_ms;
	enum status s = OK;

	if (r->run.stopped && timeout_ms > COUNT_STOPPED_MS)
		timeout_ms = COUNT_STOPPED_MS;
	for (int i = 0; i < COUNT_TRIES; i++) {
		s = server_count(rpc, m, timeout_ms, clock_wall_ms(), &r->after, e);
		if (s != OK || r->after == r->before + r->run.ledger.acked || r->run.stopped)
			break;
		clock_sleep_until_ns(clock_monotonic_ns() + COUNT_PAUSE_MS * NS_PER_MS);
	}
	r->counted = s == OK;
	return s;
}

static enum status write_to_server(const struct write_options *o, struct run_options *ro,
				   struct source *src, struct rpc *rpc, struct log *log,
				   struct write_report *r, struct err *e)
{
	int64_t ttl_ms;
	struct err ignored;
	enum status s = server_ttl_ms(rpc, ro->model, o->timeout_ms, &ttl_ms, e);

	if (s == OK)
		s = server_count(rpc, ro->model, o->timeout_ms, clock_wall_ms(), &r->before, e);
	if (s != OK)
		return s;
	choose_epoch(o, src, r);
	s = check_ttl(o, src, r, ttl_ms, e);
	if (s != OK)
		return s;
	if (r->before > 0)
		log_note(log, "warning: group %s already holds %llu rows", ro->model->group,
			 (unsigned long long)r->before);
	ro->epoch_ms = r->epoch_ms;
	ro->limits = (struct row_limits){r->begin_ms - ttl_ms, r->begin_ms + FUTURE_SLACK_MS};
	s = run_write(ro, src, rpc, log, &r->run, e);
	if (count_after(o, rpc, r, &ignored) != OK)
		log_note(log, "warning: no count after the run: %s", ignored.text);
	return s;
}

enum status write_run(const struct write_options *o, struct log *log,
		      struct write_report *report, struct err *e)
{
	struct run_options ro = {
		.model = model_get(o->model),
		.bulk = o->bulk,
		.concurrency = o->concurrency,
		.rate_per_s = o->rate_per_s,
		.timeout_ms = o->timeout_ms,
		.dry_run = o->dry_run,
		.stop = o->stop,
	};
	struct source src = {0};
	struct rpc *rpc = NULL;
	enum status s;

	memset(report, 0, sizeof(*report));
	run_result_init(&report->run);
	s = source_open(&src, o->corpus, o->limit, e);
	if (s != OK)
		return s;
	describe_corpus(&src, log, report);
	if (o->dry_run) {
		choose_epoch(o, &src, report);
		ro.epoch_ms = report->epoch_ms;
		ro.limits = (struct row_limits){0, report->begin_ms + FUTURE_SLACK_MS};
		s = run_write(&ro, &src, NULL, log, &report->run, e);
	} else {
		rpc = rpc_open(o->server);
		s = write_to_server(o, &ro, &src, rpc, log, report, e);
		rpc_close(rpc);
	}
	source_close(&src);
	return s;
}

void write_report_free(struct write_report *r)
{
	run_result_free(&r->run);
	memset(r, 0, sizeof(*r));
}

// Why most of the unsent rows were not sent, or NULL.
static const char *main_reason(const struct ledger *l)
{
	enum unsent most = UNSENT_NONE;
	uint64_t rows = 0;

	for (int i = UNSENT_NONE + 1; i < UNSENT_COUNT; i++) {
		if (i == UNSENT_DRY_RUN || l->unsent_by[i] <= rows)
			continue;
		most = (enum unsent)i;
		rows = l->unsent_by[i];
	}
	return rows > 0 ? unsent_text(most) : NULL;
}

bool write_report_holds(const struct write_report *r, bool dry_run, char text[WRITE_REASON])
{
	const struct ledger *l = &r->run.ledger;
	uint64_t unsent = l->unsent - (dry_run ? l->unsent_by[UNSENT_DRY_RUN] : 0);
	const char *why = main_reason(l);
	uint64_t outside = r->run.response.out_of_range + r->run.service.out_of_range +
			   r->run.lag.out_of_range;

	if (r->failure != NULL)
		snprintf(text, WRITE_REASON, "%s", r->failure);
	else if (!ledger_closes(l))
		snprintf(text, WRITE_REASON,
			 "the ledger does not close: %llu rows, %llu acked, %llu rejected, "
			 "%llu lost, %llu unsent",
			 (unsigned long long)l->rows, (unsigned long long)l->acked,
			 (unsigned long long)l->rejected, (unsigned long long)l->lost,
			 (unsigned long long)l->unsent);
	else if (l->rejected + l->lost + unsent > 0)
		snprintf(text, WRITE_REASON,
			 "%llu rows rejected, %llu lost, %llu unsent%s%s%s%s%s",
			 (unsigned long long)l->rejected, (unsigned long long)l->lost,
			 (unsigned long long)unsent, why != NULL ? " (" : "",
			 why != NULL ? why : "", why != NULL ? ")" : "",
			 r->run.first_error[0] ? "; first failure: " : "", r->run.first_error);
	else if (l->surplus_acks > 0)
		snprintf(text, WRITE_REASON, "%llu answers that nothing awaited",
			 (unsigned long long)l->surplus_acks);
	else if (!dry_run && !r->counted)
		snprintf(text, WRITE_REASON, "the server's count after the run is unknown");
	else if (!dry_run && r->after != r->before + l->acked)
		snprintf(text, WRITE_REASON,
			 "the server counts %llu rows, %llu before the run and %llu acked make "
			 "%llu",
			 (unsigned long long)r->after, (unsigned long long)r->before,
			 (unsigned long long)l->acked,
			 (unsigned long long)(r->before + l->acked));
	else if (outside > 0)
		snprintf(text, WRITE_REASON, "%llu latencies out of the histogram's range",
			 (unsigned long long)outside);
	else
		return true;
	return false;
}
