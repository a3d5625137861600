// SPDX-License-Identifier: Apache-2.0
// spanreplay: everything that talks to a server. This file parses options and prints; the work
// is in schema, write, check and server.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/opt.h"
#include "replay/check.h"
#include "replay/results.h"
#include "replay/schema.h"
#include "replay/server.h"

#define PROGRAM "spanreplay"
#define TIMEOUT_DEFAULT_MS 30000

static const char usage[] =
	"usage: spanreplay schema apply|check|drop --model M --server HOST:PORT [OPTION]...\n"
	"       spanreplay write --model M --corpus DIR --server HOST:PORT [OPTION]...\n"
	"       spanreplay check --model M --corpus DIR --server HOST:PORT --epoch TIME "
	"[OPTION]...\n"
	"       spanreplay count --model M --server HOST:PORT [OPTION]...\n"
	"\n"
	"Creates the schema of the stream or trace model on a BanyanDB server, replays a "
	"corpus into it, reads\n"
	"samples back and compares them byte for byte, and asks how many rows the server "
	"holds.\n"
	"`spanreplay VERB --help` lists the options of a verb. Exit status: 0 good, 1 failed, "
	"2 bad usage,\n"
	"3 finished, but the result does not hold.\n";

static volatile sig_atomic_t stop; // set by the first SIGINT or SIGTERM

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

// The second signal ends the program.
static void watch_signals(void)
{
	struct sigaction act;

	memset(&act, 0, sizeof(act));
	act.sa_handler = on_signal;
	act.sa_flags = (int)SA_RESETHAND;
	sigemptyset(&act.sa_mask);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

// What all verbs have in common.
struct common {
	int model;
	bool model_given;
	const char *server;
	bool allow_remote, quiet, help, version;
	uint64_t timeout_ms;
};

#define COMMON_INIT                                                                            \
	{                                                                                      \
		.timeout_ms = TIMEOUT_DEFAULT_MS                                               \
	}

#define COMMON_OPTIONS(c)                                                                      \
	{"model",                                                                              \
	 OPT_CHOICE,                                                                           \
	 &(c)->model,                                                                          \
	 0,                                                                                    \
	 0,                                                                                    \
	 MODEL_CHOICES,                                                                        \
	 "the model that stores the rows",                                                     \
	 &(c)->model_given,                                                                    \
	 false},                                                                               \
		{"server",                                                                     \
		 OPT_STRING,                                                                   \
		 &(c)->server,                                                                 \
		 0,                                                                            \
		 0,                                                                            \
		 "HOST:PORT",                                                                  \
		 "gRPC address of the server",                                                 \
		 NULL,                                                                         \
		 false},                                                                       \
		{"allow-remote",                                                               \
		 OPT_FLAG,                                                                     \
		 &(c)->allow_remote,                                                           \
		 0,                                                                            \
		 0,                                                                            \
		 NULL,                                                                         \
		 "permit a server that is not on the loopback",                                \
		 NULL,                                                                         \
		 false},                                                                       \
		{"timeout",                                                                    \
		 OPT_DURATION,                                                                 \
		 &(c)->timeout_ms,                                                             \
		 10,                                                                           \
		 24 * 3600 * 1000,                                                             \
		 "TIME",                                                                       \
		 "deadline of a call, and of a bulk's call (default 30s)",                     \
		 NULL,                                                                         \
		 false},                                                                       \
	{                                                                                      \
		"quiet", OPT_FLAG, &(c)->quiet, 0, 0, NULL, "no progress on stderr", NULL,     \
			false                                                                  \
	}

static int failed(const struct err *e)
{
	fprintf(stderr, PROGRAM ": %s\n", e->text);
	return status_exit_code(e->code);
}

// stdout carries results: when it cannot be written, the run has failed.
static int finish(int code)
{
	struct err e;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	err_set_errno(&e, ERR_IO, errno, "standard output: cannot write");
	return failed(&e);
}

// Parses a verb's options. True: go on. False: *code is the exit status (help, version or bad
// usage).
static bool parse(const struct opt *table, int argc, char **argv, const char *verb,
		  struct common *c, bool server_needed, int *code)
{
	struct err e;
	int nargs = 0;
	enum status s = opt_parse(table, argc, argv, &nargs, &c->help, &c->version, &e);

	if (s == OK && c->help) {
		printf("usage: spanreplay %s [OPTION]...\n\n", verb);
		opt_help(table, stdout);
		*code = finish(0);
		return false;
	}
	if (s == OK && c->version) {
		printf(PROGRAM " %s\n", SPANGEN_VERSION);
		*code = finish(0);
		return false;
	}
	if (s == OK && nargs > 0)
		s = err_set(&e, ERR_USAGE, "%s: unexpected argument '%s'", verb, argv[0]);
	if (s == OK && !c->model_given)
		s = err_set(&e, ERR_USAGE, "%s needs --model " MODEL_CHOICES, verb);
	if (s == OK && server_needed && !c->server)
		s = err_set(&e, ERR_USAGE, "%s needs --server HOST:PORT", verb);
	if (s == OK && c->server)
		s = rpc_server_check(c->server, c->allow_remote, &e);
	if (s != OK)
		*code = failed(&e);
	return s == OK;
}

// ---- schema
// -------------------------------------------------------------------------------------------------------------

// Where the JSON files are: --schemas, the current folder, an installation, the tree the
// program was built in.
static char *schemas_dir(const char *given)
{
	static const char *const places[] = {"/../share/spangen/schemas", "/../../schemas",
					     "/../../../schemas"};
	char self[1024];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 64);
	char *slash;

	if (given || file_exists("schemas/group.json"))
		return mem_strdup(given ? given : "schemas");
	if (n <= 0)
		return mem_strdup("schemas");
	self[n] = '\0';
	slash = strrchr(self, '/');
	for (size_t i = 0; slash && i < ARRAY_LEN(places); i++) {
		char *file;
		bool there;

		memcpy(slash, places[i], strlen(places[i]) + 1);
		file = path_join(self, "group.json");
		there = file_exists(file);
		free(file);
		if (there)
			return mem_strdup(self);
	}
	return mem_strdup("schemas");
}

static int schema_apply_or_check(bool apply, const struct common *c, struct schema_options *o,
				 const char *dir)
{
	const struct model *m = model_get((enum model_kind)c->model);
	struct schema schema = {0};
	struct schema_report report = {0};
	struct rpc *rpc = NULL;
	struct err e;
	char *found = schemas_dir(dir);
	enum status s;

	o->dir = found;
	s = schema_load(&schema, m, o, &e);
	if (s == OK) {
		rpc = rpc_open(c->server);
		s = apply ? schema_apply(&schema, rpc, (int64_t)c->timeout_ms, &report, &e)
			  : schema_check(&schema, rpc, (int64_t)c->timeout_ms, &e);
	}
	if (s == OK && apply)
		printf("%s: %u objects created, %u were there; %s\n", m->group, report.created,
		       report.present,
		       report.barrier ? "applied on every node"
				      : "the server has no schema barrier, a query and a pause "
					"stood in");
	else if (s == OK)
		printf("%s: %zu objects as in %s\n", m->group, schema.count, found);
	rpc_close(rpc);
	schema_free(&schema);
	free(found);
	return s == OK ? finish(0) : failed(&e);
}

static int schema_drop_verb(const struct common *c, bool yes)
{
	const struct model *m = model_get((enum model_kind)c->model);
	struct rpc *rpc = rpc_open(c->server);
	struct err e;
	bool was_there = false;
	enum status s = schema_drop(m, rpc, yes, (int64_t)c->timeout_ms, &was_there, &e);

	rpc_close(rpc);
	if (s != OK)
		return failed(&e);
	printf("%s: %s\n", m->group, was_there ? "deleted" : "was not there");
	return finish(0);
}

static int schema_verb(int argc, char **argv)
{
	struct common c = COMMON_INIT;
	struct schema_options o = {0};
	uint64_t ttl_days = 0;
	int names = 0, code = 0;
	bool yes = false, yes_given = false, files_given[3] = {false};
	const char *dir = NULL, *what = argc > 1 ? argv[1] : "";
	const struct opt table[] = {
		COMMON_OPTIONS(&c),
		{"schemas", OPT_STRING, &dir, 0, 0, "DIR",
		 "apply, check: folder of the JSON files", &files_given[0], false},
		{"ttl-days", OPT_U64, &ttl_days, 1, 36500, "N",
		 "apply, check: days a row is kept (default: the file's, 7)", &files_given[1],
		 false},
		{"rule-names", OPT_CHOICE, &names, 0, 0, "tag|design",
		 "apply, check: trace rules called like their sort tag (default), or as in the "
		 "design",
		 &files_given[2], false},
		{"yes", OPT_FLAG, &yes, 0, 0, NULL, "drop: also when the group holds rows",
		 &yes_given, false},
		{.name = NULL},
	};
	bool apply = strcmp(what, "apply") == 0, check = strcmp(what, "check") == 0,
	     drop = strcmp(what, "drop") == 0;
	struct err e;

	if (!apply && !check && !drop && strcmp(what, "--help") != 0 &&
	    strcmp(what, "--version") != 0) {
		err_set(&e, ERR_USAGE, "schema: say apply, check or drop");
		return failed(&e);
	}
	if (apply || check || drop) {
		argc--;
		argv++;
	}
	if (!parse(table, argc, argv, "schema apply|check|drop", &c, true, &code))
		return code;
	if (!drop && yes_given) {
		err_set(&e, ERR_USAGE, "--yes belongs to schema drop");
		return failed(&e);
	}
	if (drop && (files_given[0] || files_given[1] || files_given[2])) {
		err_set(&e, ERR_USAGE,
			"schema drop reads no files: --schemas, --ttl-days and --rule-names do "
			"not apply");
		return failed(&e);
	}
	o.ttl_days = (uint32_t)ttl_days;
	o.design_rule_names = names == 1;
	return drop ? schema_drop_verb(&c, yes) : schema_apply_or_check(apply, &c, &o, dir);
}

// ---- write
// ----------------------------------------------------------------------------------------------------------------

static void print_latency(const char *name, const struct hist *h)
{
	printf("  %-9s", name);
	for (int i = 0; i < RESULTS_PERCENTILES; i++) {
		int64_t ns;

		if (hist_percentile(h, results_percentiles[i].p_100000, &ns))
			printf("  %s %.3f", results_percentiles[i].label, (double)ns / 1e6);
		else
			printf("  %s -", results_percentiles[i].label);
	}
	if (h->samples)
		printf("  max %.3f", (double)h->max_ns / 1e6);
	printf("  (%llu samples)\n", (unsigned long long)h->samples);
}

static void print_ledger(const struct ledger *l)
{
	printf("rows %llu: acked %llu, rejected %llu, lost %llu, unsent %llu; retried %llu\n",
	       (unsigned long long)l->rows, (unsigned long long)l->acked,
	       (unsigned long long)l->rejected, (unsigned long long)l->lost,
	       (unsigned long long)l->unsent, (unsigned long long)l->retried);
	for (int i = UNSENT_NONE + 1; i < UNSENT_COUNT; i++)
		if (l->unsent_by[i] > 0)
			printf("  unsent %llu: %s (%s)\n", (unsigned long long)l->unsent_by[i],
			       unsent_text((enum unsent)i), unsent_name((enum unsent)i));
	for (int i = 0; i < STATUS_NAMES; i++)
		if (l->rejection[i].rows > 0)
			printf("  rejected %llu: %s\n",
			       (unsigned long long)l->rejection[i].rows,
			       l->rejection[i].status);
}

static void print_report(const struct write_options *o, const struct write_report *r)
{
	struct rates rates = results_rates(r, o->dry_run);
	char newest[32];

	if (r->run.stopped)
		printf("PARTIAL: stopped by a signal\n");
	else if (r->failure != NULL)
		printf("PARTIAL: %s\n", r->failure);
	else if (r->run.gave_up)
		printf("PARTIAL: the server could not be used any longer\n");
	printf("%s, %s of %u spans, %u in flight%s\n", model_get(o->model)->name, "bulks",
	       o->bulk, o->concurrency, o->dry_run ? ", dry run: nothing is sent" : "");
	print_ledger(&r->run.ledger);
	printf("spans/s %.0f  traces/s %.0f  MB/s %.1f  in %.2f s\n", rates.spans_per_s,
	       rates.traces_per_s, rates.mb_per_s, (double)r->run.wall_ns / 1e9);
	if (rates.cpu_us_per_span >= 0)
		printf("client CPU %.2f us per span\n", rates.cpu_us_per_span);
	if (!o->dry_run) {
		printf("bulk latency, ms (%llu ok, %llu failed)\n",
		       (unsigned long long)r->run.bulks_ok,
		       (unsigned long long)r->run.bulks_failed);
		print_latency("response", &r->run.response);
		print_latency("service", &r->run.service);
		if (o->rate_per_s > 0)
			print_latency("lag", &r->run.lag);
		printf("server count: %llu before, ", (unsigned long long)r->before);
		if (r->counted)
			printf("%llu after\n", (unsigned long long)r->after);
		else
			printf("unknown after\n");
	}
	if (results_rate_missed(o, r))
		printf("WARNING: --rate %llu was missed: %.0f spans/s acked, bulks began up to "
		       "%.1f ms late\n",
		       (unsigned long long)o->rate_per_s, rates.spans_per_s,
		       (double)r->run.lag.max_ns / 1e6);
	format_rfc3339_ms(r->newest_ms, newest);
	if (o->dry_run)
		printf("newest row starts %s\n", newest);
	else
		printf("newest row starts %s; for check: --epoch %lld\n", newest,
		       (long long)r->epoch_ms);
}

static int write_finish(const struct write_options *o, const struct write_report *r,
			const char *path)
{
	json_t *json = results_json(o, r);
	struct err e;
	char reason[WRITE_REASON];
	int code = 0;
	enum status s;

	print_report(o, r);
	s = results_write(path, json, &e);
	json_decref(json);
	if (s != OK)
		return failed(&e);
	printf("results in %s\n", path);
	code = finish(0);
	if (code == 0 && !write_report_holds(r, o->dry_run, reason)) {
		err_set(&e, ERR_INVARIANT, "write does not hold: %s", reason);
		return failed(&e);
	}
	return code;
}

static enum status write_check_options(struct write_options *o, const char *epoch,
				       bool concurrency_given, struct err *e)
{
	if (!o->corpus)
		return err_set(e, ERR_USAGE, "write needs --corpus DIR");
	if (!o->dry_run && !o->server)
		return err_set(e, ERR_USAGE, "write needs --server HOST:PORT (or --dry-run)");
	if (o->dry_run && o->rate_per_s > 0)
		return err_set(e, ERR_USAGE,
			       "--rate does not apply to --dry-run: nothing is sent");
	if (o->dry_run && concurrency_given)
		return err_set(e, ERR_USAGE,
			       "--concurrency does not apply to --dry-run: nothing is sent");
	o->epoch_now = strcmp(epoch, "now") == 0;
	return o->epoch_now ? OK : parse_epoch_ms(epoch, &o->epoch_ms, e);
}

static int write_verb(int argc, char **argv)
{
	struct common c = COMMON_INIT;
	struct write_options o = {.limit = UINT64_MAX, .stop = &stop};
	struct write_report report;
	uint64_t bulk = 1000, concurrency = 4;
	bool concurrency_given = false;
	const char *epoch = "now", *results = "results.json";
	struct log log;
	struct err e;
	int code = 0;
	const struct opt table[] = {
		COMMON_OPTIONS(&c),
		{"corpus", OPT_STRING, &o.corpus, 0, 0, "DIR", "folder of the corpus", NULL,
		 false},
		{"bulk", OPT_U64, &bulk, 1, RUN_BULK_MAX, "N",
		 "spans of a bulk, which is one Write call (default 1000)", NULL, false},
		{"concurrency", OPT_U64, &concurrency, 1, RUN_CONCURRENCY_MAX, "N",
		 "bulks in flight at most (default 4)", &concurrency_given, false},
		{"rate", OPT_U64, &o.rate_per_s, 1, 1000000000, "N",
		 "spans per second, open loop: latency counts from the due time (default: "
		 "closed loop, as fast as it goes)",
		 NULL, false},
		{"limit", OPT_U64, &o.limit, 1, UINT64_MAX, "N",
		 "the first N rows only (default all)", NULL, false},
		{"epoch", OPT_STRING, &epoch, 0, 0, "TIME",
		 "when the corpus begins: RFC 3339 or ms since 1970; now: the newest row "
		 "starts now (default now)",
		 NULL, false},
		{"dry-run", OPT_FLAG, &o.dry_run, 0, 0, NULL, "render and encode only", NULL,
		 false},
		{"results", OPT_STRING, &results, 0, 0, "FILE",
		 "where the figures go (default results.json)", NULL, false},
		{.name = NULL},
	};
	enum status s;

	if (!parse(table, argc, argv, "write", &c, false, &code))
		return code;
	o.model = (enum model_kind)c.model;
	o.server = c.server;
	o.bulk = (uint32_t)bulk;
	o.concurrency = (uint32_t)concurrency;
	o.timeout_ms = (int64_t)c.timeout_ms;
	s = write_check_options(&o, epoch, concurrency_given, &e);
	if (s == OK)
		s = results_check_path(results, &e);
	if (s != OK)
		return failed(&e);
	log_init(&log, PROGRAM, c.quiet);
	watch_signals();
	s = write_run(&o, &log, &report, &e);
	if (s == OK) {
		code = write_finish(&o, &report, results);
	} else {
		if (report.run.ledger.rows >
		    0) { // rows may be on the server: leave no older run's figures in place
			struct err other;
			json_t *json;

			report.failure = e.text;
			json = results_json(&o, &report);
			print_report(&o, &report);
			if (results_write(results, json, &other) == OK)
				printf("results in %s\n", results);
			json_decref(json);
		}
		code = failed(&e);
	}
	write_report_free(&report);
	return code;
}

// ---- check, count
// -----------------------------------------------------------------------------------------------------------

static int check_print(const struct check_report *r, bool limited)
{
	struct err e;
	int code;

	printf("traces %llu, rows %llu: missing %llu, different %llu",
	       (unsigned long long)r->traces, (unsigned long long)r->rows,
	       (unsigned long long)r->missing, (unsigned long long)r->different);
	if (r->copies > 0)
		printf(", copies %llu", (unsigned long long)r->copies);
	if (r->surplus > 0)
		printf("; %llu more than expected", (unsigned long long)r->surplus);
	printf("\n");
	for (unsigned i = 0; i < r->texts; i++)
		printf("  %s\n", r->text[i]);
	code = finish(0);
	// With a limit the last traces may be cut: their other rows are no fault when more was
	// written.
	if (code == 0 &&
	    r->missing + r->different + r->copies + (limited ? 0 : r->surplus) > 0) {
		err_set(&e, ERR_INVARIANT,
			"check does not hold: %llu rows missing, %llu different, %llu copies, "
			"%llu not expected (are --epoch and --limit those of the write?)",
			(unsigned long long)r->missing, (unsigned long long)r->different,
			(unsigned long long)r->copies, (unsigned long long)r->surplus);
		return failed(&e);
	}
	return code;
}

static int check_verb(int argc, char **argv)
{
	struct common c = COMMON_INIT;
	struct check_options o = {.sample = 100, .seed = 1, .limit = UINT64_MAX};
	struct check_report report;
	const char *epoch = NULL;
	struct log log;
	struct err e;
	int code = 0;
	const struct opt table[] = {
		COMMON_OPTIONS(&c),
		{"corpus", OPT_STRING, &o.corpus, 0, 0, "DIR", "folder of the corpus", NULL,
		 false},
		{"epoch", OPT_STRING, &epoch, 0, 0, "TIME",
		 "what write printed: RFC 3339 or ms since 1970", NULL, false},
		{"sample", OPT_U64, &o.sample, 1, 1000000000, "N",
		 "traces to compare (default 100)", NULL, false},
		{"seed", OPT_U64, &o.seed, 0, UINT64_MAX, "N", "which traces (default 1)", NULL,
		 false},
		{"limit", OPT_U64, &o.limit, 1, UINT64_MAX, "N",
		 "write's --limit, if it had one", NULL, false},
		{.name = NULL},
	};
	enum status s = OK;

	if (!parse(table, argc, argv, "check", &c, true, &code))
		return code;
	if (!o.corpus)
		s = err_set(&e, ERR_USAGE, "check needs --corpus DIR");
	else if (!epoch)
		s = err_set(&e, ERR_USAGE,
			    "check needs --epoch TIME, the value that write printed");
	else if (strcmp(epoch, "now") == 0)
		s = err_set(&e, ERR_USAGE,
			    "--epoch now belongs to write; check needs the value that write "
			    "printed");
	else
		s = parse_epoch_ms(epoch, &o.epoch_ms, &e);
	if (s != OK)
		return failed(&e);
	o.model = (enum model_kind)c.model;
	o.server = c.server;
	o.timeout_ms = (int64_t)c.timeout_ms;
	log_init(&log, PROGRAM, c.quiet);
	s = check_run(&o, &log, &report, &e);
	return s == OK ? check_print(&report, o.limit != UINT64_MAX) : failed(&e);
}

static int count_verb(int argc, char **argv)
{
	struct common c = COMMON_INIT;
	struct rpc *rpc;
	struct err e;
	uint64_t rows = 0;
	int code = 0;
	const struct opt table[] = {COMMON_OPTIONS(&c), {.name = NULL}};
	enum status s;

	if (!parse(table, argc, argv, "count", &c, true, &code))
		return code;
	rpc = rpc_open(c.server);
	s = server_count(rpc, model_get((enum model_kind)c.model), (int64_t)c.timeout_ms,
			 clock_wall_ms(), &rows, &e);
	rpc_close(rpc);
	if (s != OK)
		return failed(&e);
	printf("%llu\n", (unsigned long long)rows);
	return finish(0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} verbs[] = {
		{"schema", schema_verb},
		{"write", write_verb},
		{"check", check_verb},
		{"count", count_verb},
	};
	struct err e;

	signal(SIGPIPE, SIG_IGN); // a closed output is an error of the write, not our end
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return finish(0);
	}
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		printf(PROGRAM " %s\n", SPANGEN_VERSION);
		return finish(0);
	}
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	if (argc > 1)
		err_set(&e, ERR_USAGE,
			"unknown verb '%s': schema, write, check or count (see --help)",
			argv[1]);
	else
		err_set(&e, ERR_USAGE,
			"say what to do: schema, write, check or count (see --help)");
	return failed(&e);
}
