#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# spansink as a program: its address line, what it refuses, its end, and a file that outlives it.
. "$SRC/tests/lib.sh"

# refusals
refuse 2 '--listen HOST:PORT is needed' spansink
refuse 2 'HOST:PORT is needed' spansink --listen 4711
refuse 2 'is no IPv4 address' spansink --listen nowhere.example:0
refuse 2 'not a loopback address; --allow-remote permits it' spansink --listen 0.0.0.0:0
refuse 2 'port' spansink --listen 127.0.0.1:65536
refuse 2 '--db makes no sense' spansink --listen 127.0.0.1:0 --null --db rows.db
refuse 2 'unexpected argument' spansink --listen 127.0.0.1:0 word
refuse 1 'database no/such/folder/rows.db: .*open' spansink --listen 127.0.0.1:0 --db no/such/folder/rows.db
echo 'a text that is longer than the head of a database, which takes one hundred bytes in all, so more of it' >text
cp text text.before
refuse 1 'database text: .*not a database' spansink --listen 127.0.0.1:0 --db text
cmp text text.before || fail 'a foreign file was changed'

# one line, one clean end
start_sink --db rows.db
[ -n "$ADDR" ] || fail 'no address'
refuse 1 'Address already in use' spansink --listen "$ADDR"
kill -TERM "$SINK_PID"
wait "$SINK_PID" || fail "SIGTERM: exit $?"
grep -qx 'spansink: 0 rows received, 0 acked, 0 rejected, 0 dropped, 0 bytes' sink.err ||
	fail "no totals: $(cat sink.err)"
SINK_PID=

# two that write into one file would count each other's rows
start_sink --db rows.db
refuse 1 'rows.db: another spansink' spansink --listen 127.0.0.1:0 --db rows.db
stop_sink

# standard output that cannot be written
rc=0
"$BIN/spansink" --listen 127.0.0.1:0 >/dev/full 2>err || rc=$?
[ $rc -eq 1 ] || fail "/dev/full: exit $rc"
grep -q 'standard output' err || fail "/dev/full: $(cat err)"

# acked rows outlive kill -9
small_corpus corpus
start_sink --db rows.db
ok spanreplay schema apply --model trace --server "$ADDR" --schemas "$SRC/schemas"
ok spanreplay write --model trace --corpus corpus --server "$ADDR" --bulk 500
kill -KILL "$SINK_PID"
wait "$SINK_PID" 2>/dev/null || true
SINK_PID=
start_sink --db rows.db
ok spanreplay count --model trace --server "$ADDR"
[ "$(cat out)" = 2000 ] || fail "after kill -9: $(cat out) rows, not 2000"
