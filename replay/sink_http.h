// SPDX-License-Identifier: Apache-2.0
// One HTTP/2 connection of spansink: bytes in, bytes out, calls in between. Knows nghttp2 and
// no socket, so that tests feed it from memory.
#ifndef REPLAY_SINK_HTTP_H
#define REPLAY_SINK_HTTP_H

#include "replay/sink_service.h"

struct sink_http;

// NULL: no memory. The service is borrowed.
struct sink_http *sink_http_new(struct sink_service *s);
// Ends all calls; rows that were accepted are stored. NULL is fine.
void sink_http_free(struct sink_http *h);
// Takes what the peer sent. false: the connection is beyond repair, close it.
bool sink_http_receive(struct sink_http *h, struct view bytes,
		       const struct sink_time *now) MUST_CHECK;
// What must go to the peer: borrowed until the next call. size 0: nothing now. false: close.
bool sink_http_send(struct sink_http *h, struct view *bytes) MUST_CHECK;
// Nothing more will come or go: close.
bool sink_http_done(const struct sink_http *h);
// Tries the calls that wait (the barrier). The time of the next try, INT64_MAX for none.
int64_t sink_http_tick(struct sink_http *h, const struct sink_time *now);
// No new calls; the peer is told.
void sink_http_shut_down(struct sink_http *h);

#endif
