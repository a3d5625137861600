// SPDX-License-Identifier: Apache-2.0
// spansink: a stand-in for BanyanDB on loopback. Options and signals; the rest is sink.c.
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/opt.h"
#include "replay/sink.h"

// The signal handler finds its server here; written before the handler is installed.
static struct sink *running;

static void on_signal(int number)
{
	(void)number;
	sink_stop(running);
}

static void usage(const struct opt *table)
{
	fputs("A stand-in for BanyanDB on this machine: takes rows of the stream and the "
	      "trace\n"
	      "model, keeps them in SQLite and answers as a real server does. For a first try "
	      "and\n"
	      "for tests; what it measures says nothing about BanyanDB.\n\n"
	      "  spansink --listen 127.0.0.1:17912\n"
	      "  spansink --listen 127.0.0.1:0 --db rows.db\n"
	      "  spansink --listen 127.0.0.1:0 --null\n\n"
	      "Prints one line, \"listening on HOST:PORT\", and serves until SIGINT or "
	      "SIGTERM.\n\n"
	      "Options:\n",
	      stdout);
	opt_help(table, stdout);
	fputs("\nA --db file survives the death of spansink, not a power cut (its journal is "
	      "not "
	      "synced),\nand is taken up again by the next run.\n"
	      "\nExit status: 0 good, 1 failed, 2 usage.\n",
	      stdout);
}

static enum status finish_stdout(struct err *e)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return err_set(e, ERR_IO, "standard output: cannot be written");
	return OK;
}

static enum status catch_signals(struct sink *s, struct err *e)
{
	struct sigaction a = {.sa_handler = on_signal};

	running = s;
	sigemptyset(&a.sa_mask);
	if (sigaction(SIGINT, &a, NULL) != 0 || sigaction(SIGTERM, &a, NULL) != 0)
		return err_set(e, ERR_IO, "signals cannot be caught");
	return OK;
}

static enum status serve(const struct sink_options *o, struct err *e)
{
	struct sink_totals t;
	struct sink *s;
	struct log log;
	enum status st = sink_open(&s, o, e);

	if (st != OK)
		return st;
	st = catch_signals(s, e);
	if (st == OK) {
		printf("listening on %s\n", sink_address(s));
		st = finish_stdout(e);
	}
	if (st == OK)
		st = sink_run(s, e);
	t = sink_get_totals(s);
	log_init(&log, "spansink", false);
	if (st == OK)
		log_note(&log,
			 "%" PRIu64 " rows received, %" PRIu64 " acked, %" PRIu64
			 " rejected, %" PRIu64 " dropped, %" PRIu64 " bytes",
			 t.received, t.acked, t.rejected, t.dropped, t.bytes);
	sink_close(s);
	return st;
}

int main(int argc, char **argv)
{
	struct sink_options o = {.listen = NULL};
	bool help = false, version = false;
	const struct opt table[] = {
		{.name = "listen",
		 .type = OPT_STRING,
		 .value = &o.listen,
		 .meta = "HOST:PORT",
		 .help = "Where to listen, an IPv4 address; port 0 picks a free one. Needed."},
		{.name = "db",
		 .type = OPT_STRING,
		 .value = &o.db,
		 .meta = "FILE",
		 .help = "SQLite file of schema and rows; in memory when left out."},
		{.name = "null",
		 .type = OPT_FLAG,
		 .value = &o.null,
		 .help = "Count and acknowledge rows at the lowest cost, keep none."},
		{.name = "allow-remote",
		 .type = OPT_FLAG,
		 .value = &o.allow_remote,
		 .help = "Permit an address that other machines reach; there is no "
			 "authentication."},
		{.name = NULL},
	};
	struct err e = {0};
	int nargs = 0;
	enum status st = opt_parse(table, argc, argv, &nargs, &help, &version, &e);

	if (st == OK && (help || version)) {
		if (help)
			usage(table);
		else
			printf("spansink %s\n", SPANGEN_VERSION);
		st = finish_stdout(&e);
	} else if (st == OK && nargs > 0) {
		st = err_set(&e, ERR_USAGE, "unexpected argument %s", argv[0]);
	} else if (st == OK && o.listen == NULL) {
		st = err_set(&e, ERR_USAGE,
			     "--listen HOST:PORT is needed, such as 127.0.0.1:0");
	} else if (st == OK && o.null && o.db != NULL) {
		st = err_set(&e, ERR_USAGE,
			     "--null keeps no rows: --db makes no sense with it");
	} else if (st == OK) {
		st = serve(&o, &e);
	}
	if (st != OK)
		fprintf(stderr, "spansink: %s\n", e.text);
	return status_exit_code(st);
}
