// SPDX-License-Identifier: Apache-2.0
// spansink's server: a listener and HTTP/2 connections (nghttp2) that carry gRPC. One thread,
// one poll loop. What calls mean is left to the services.
#ifndef REPLAY_SINK_H
#define REPLAY_SINK_H

#include "replay/sink_service.h"

struct sink_options {
	const char *listen; // "HOST:PORT", HOST an IPv4 address or localhost; port 0: any
	const char *db;	    // file; NULL: in memory
	bool null;	    // count rows and acknowledge them, keep none
	bool allow_remote;  // addresses beyond loopback
};

struct sink;

// Binds, and opens the database. ERR_USAGE: a listen address that is not one, or not loopback.
enum status sink_open(struct sink **out, const struct sink_options *o,
		      struct err *e) MUST_CHECK;
// "127.0.0.1:41234"; borrowed.
const char *sink_address(const struct sink *s);
// Serves until sink_stop. Rows that were accepted by then are stored.
enum status sink_run(struct sink *s, struct err *e) MUST_CHECK;
// May be called from a signal handler.
void sink_stop(struct sink *s);
struct sink_totals sink_get_totals(const struct sink *s);
void sink_close(struct sink *s); // NULL is fine

#endif
