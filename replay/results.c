// SPDX-License-Identifier: Apache-2.0
// From a write_report to JSON.
#include "replay/results.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/opt.h"

const struct percentile results_percentiles[RESULTS_PERCENTILES] = {
	{"p50", "P50", 50000},
	{"p95", "P95", 95000},
	{"p99", "P99", 99000},
	{"p999", "P99.9", 99900},
};

struct rates results_rates(const struct write_report *r, bool dry_run)
{
	const struct ledger *l = &r->run.ledger;
	double seconds = (double)r->run.wall_ns / (double)NS_PER_S;
	struct rates out = {0, 0, 0, -1};

	if (seconds > 0) {
		out.spans_per_s = (double)(dry_run ? r->run.messages : l->acked) / seconds;
		out.traces_per_s = (double)(dry_run ? r->run.roots : l->acked_roots) / seconds;
		out.mb_per_s =
			(double)(dry_run ? r->run.bytes : l->acked_bytes) / 1e6 / seconds;
	}
	if (r->run.messages > 0)
		out.cpu_us_per_span = (double)r->run.cpu_ns / 1e3 / (double)r->run.messages;
	return out;
}

bool results_rate_missed(const struct write_options *o, const struct write_report *r)
{
	double planned_ns;

	if (o->rate_per_s == 0)
		return false;
	planned_ns = (double)r->run.ledger.rows * (double)NS_PER_S / (double)o->rate_per_s;
	return results_rates(r, o->dry_run).spans_per_s < 0.95 * (double)o->rate_per_s &&
	       r->run.lag.samples > 0 && (double)r->run.lag.max_ns > planned_ns / 20;
}

static json_t *count(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static void put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) != 0)
		abort(); // out of memory
}

static json_t *ledger_json(const struct ledger *l)
{
	json_t *j = json_object(), *unsent = json_object(), *rejected = json_object();

	put(j, "rows", count(l->rows));
	put(j, "acked", count(l->acked));
	put(j, "rejected", count(l->rejected));
	put(j, "lost", count(l->lost));
	put(j, "unsent", count(l->unsent));
	put(j, "retried", count(l->retried));
	put(j, "surplus_acks", count(l->surplus_acks));
	for (int i = UNSENT_NONE + 1; i < UNSENT_COUNT; i++)
		if (l->unsent_by[i] > 0)
			put(unsent, unsent_name((enum unsent)i), count(l->unsent_by[i]));
	for (int i = 0; i < STATUS_NAMES; i++)
		if (l->rejection[i].rows > 0)
			put(rejected, l->rejection[i].status, count(l->rejection[i].rows));
	put(j, "unsent_by", unsent);
	put(j, "rejected_by", rejected);
	return j;
}

static json_t *latency_json(const struct hist *h)
{
	json_t *j = json_object();

	for (int i = 0; i < RESULTS_PERCENTILES; i++) {
		int64_t ns;
		bool known = hist_percentile(h, results_percentiles[i].p_100000, &ns);

		put(j, results_percentiles[i].key,
		    known ? json_real((double)ns / 1e6) : json_null());
	}
	put(j, "max", h->samples ? json_real((double)h->max_ns / 1e6) : json_null());
	put(j, "samples", count(h->samples));
	put(j, "out_of_range", count(h->out_of_range));
	return j;
}

static json_t *options_json(const struct write_options *o)
{
	json_t *j = json_object();

	put(j, "bulk", count(o->bulk));
	put(j, "concurrency", count(o->concurrency));
	put(j, "rate_per_s", o->rate_per_s ? count(o->rate_per_s) : json_null());
	put(j, "limit", o->limit == UINT64_MAX ? json_null() : count(o->limit));
	put(j, "timeout_ms", json_integer(o->timeout_ms));
	put(j, "dry_run", json_boolean(o->dry_run));
	return j;
}

json_t *results_json(const struct write_options *o, const struct write_report *r)
{
	struct rates rates = results_rates(r, o->dry_run);
	json_t *j = json_object(), *rate = json_object(), *latency = json_object(),
	       *client = json_object();
	json_t *corpus = json_object(), *server = json_object(), *bulks = json_object();
	char reason[WRITE_REASON], text[32];
	bool holds = write_report_holds(r, o->dry_run, reason);

	put(j, "program", json_string("spanreplay"));
	put(j, "version", json_string(SPANGEN_VERSION));
	put(j, "verb", json_string("write"));
	put(j, "model", json_string(model_get(o->model)->name));
	put(j, "server", o->server ? json_string(o->server) : json_null());
	format_rfc3339_ms(r->begin_ms, text);
	put(j, "begin", json_string(text));
	put(j, "partial", json_boolean(r->run.stopped || r->run.gave_up || r->failure != NULL));
	put(j, "holds", json_boolean(holds));
	put(j, "reason", holds ? json_null() : json_string(reason));
	put(j, "options", options_json(o));
	put(corpus, "digest", *r->digest ? json_string(r->digest) : json_null());
	put(corpus, "rows", count(r->corpus_rows));
	put(corpus, "blocks", count(r->blocks));
	put(corpus, "blocks_of_recipe", count(r->blocks_of_recipe));
	put(j, "corpus", corpus);
	put(j, "epoch_ms", json_integer(r->epoch_ms));
	format_rfc3339_ms(r->epoch_ms, text);
	put(j, "epoch", json_string(text));
	put(j, "ledger", ledger_json(&r->run.ledger));
	put(rate, "spans_per_s", json_real(rates.spans_per_s));
	put(rate, "traces_per_s", json_real(rates.traces_per_s));
	put(rate, "mb_per_s", json_real(rates.mb_per_s));
	put(rate, "missed",
	    o->rate_per_s ? json_boolean(results_rate_missed(o, r)) : json_null());
	put(j, "rate", rate);
	put(latency, "response", latency_json(&r->run.response));
	put(latency, "service", latency_json(&r->run.service));
	put(latency, "lag", o->rate_per_s ? latency_json(&r->run.lag) : json_null());
	put(j, "latency_ms", latency);
	put(client, "cpu_us_per_span",
	    rates.cpu_us_per_span < 0 ? json_null() : json_real(rates.cpu_us_per_span));
	put(client, "cpu_s", json_real((double)r->run.cpu_ns / 1e9));
	put(client, "wall_s", json_real((double)r->run.wall_ns / 1e9));
	put(j, "client", client);
	put(bulks, "all", count(r->run.bulks));
	put(bulks, "ok", count(r->run.bulks_ok));
	put(bulks, "failed", count(r->run.bulks_failed));
	put(bulks, "retries", count(r->run.retries));
	put(bulks, "first_error",
	    r->run.first_error[0] ? json_string(r->run.first_error) : json_null());
	put(j, "bulks", bulks);
	put(server, "before", o->dry_run ? json_null() : count(r->before));
	put(server, "after", r->counted ? count(r->after) : json_null());
	put(server, "expected",
	    o->dry_run ? json_null() : count(r->before + r->run.ledger.acked));
	put(j, "server_count", server);
	return j;
}

// A device or pipe (/dev/stdout, /dev/full) is written to; it is never replaced by a file.
static enum status write_device(const char *path, const struct buf *b, struct err *e)
{
	FILE *f = fopen(path, "w");
	bool good = f && fwrite(b->data, 1, b->size, f) == b->size && fflush(f) == 0;
	int why = errno;

	if (f && fclose(f) != 0 && good) {
		why = errno;
		good = false;
	}
	return good ? OK : err_set_errno(e, ERR_IO, why, "results %s: cannot write", path);
}

static bool is_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

// Whether a new file can be made in dir; errno tells why not.
static bool takes_a_file(const char *dir)
{
	char *probe = path_join(dir, ".spanreplay-XXXXXX");
	int fd = mkstemp(probe), why = errno;

	if (fd >= 0) {
		close(fd);
		unlink(probe);
	}
	free(probe);
	errno = why;
	return fd >= 0;
}

// Nothing, an empty file, a device, or the results of an earlier run: nobody's data is lost.
static bool is_replaceable(const char *path)
{
	struct stat st;
	json_t *json;
	const char *program;
	bool ours;

	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return true;
	json = json_load_file(path, 0, NULL);
	program = json_string_value(json_object_get(json, "program"));
	ours = program != NULL && strcmp(program, "spanreplay") == 0;
	json_decref(json);
	return ours;
}

enum status results_check_path(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *dir = mem_strdup(slash ? path : ".");
	enum status s = OK;
	struct stat st;

	if (slash)
		dir[slash == path ? 1 : slash - path] = '\0';
	if (path[0] == '\0')
		s = err_set(e, ERR_USAGE, "--results needs the name of a file");
	else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		s = err_set(e, ERR_IO, "results %s: is a folder; name a file with --results",
			    path);
	else if (!is_device(path) && !takes_a_file(dir))
		s = err_set_errno(e, ERR_IO, errno, "results %s: no file can be put there",
				  path);
	else if (!is_replaceable(path))
		s = err_set(e, ERR_EXISTS,
			    "results %s: holds something else than results; name another file "
			    "with --results",
			    path);
	free(dir);
	return s;
}

enum status results_write(const char *path, const json_t *json, struct err *e)
{
	char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	struct buf b;
	enum status s;

	if (!text)
		return err_set(e, ERR_MEMORY, "results %s: cannot be made into text", path);
	buf_init(&b, MIB);
	buf_printf(&b, "%s\n", text);
	free(text);
	s = buf_check(&b, "results", e);
	if (s == OK)
		s = is_device(path) ? write_device(path, &b, e)
				    : file_write_all(path, b.data, b.size, true, e);
	buf_free(&b);
	return s;
}
