#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A server that ends in the middle of a run: the program ends too, in bounded time, every row has a
# fate, and the first failure is named.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

small_corpus corpus
start_sink --null
ok spanreplay schema apply --model trace --server "$ADDR" --schemas "$SRC/schemas"
"$BIN/spanreplay" write --model trace --corpus corpus --server "$ADDR" --bulk 10 --rate 200 --results r.json \
	>out 2>err &
pid=$!
for ((i = 0; i < 500; i++)); do # until some rows are there
	n=$("$BIN/spanreplay" count --model trace --server "$ADDR")
	[ "$n" = 0 ] || break
done
[ "$n" != 0 ] || fail "no rows arrive"
stop_sink
rc=0
wait $pid || rc=$?
[ $rc -eq 3 ] || fail "exit $rc: $(cat err)"
jq -e '.ledger | .rows == .acked + .rejected + .lost + .unsent and .acked > 0 and .unsent > 0' r.json >/dev/null ||
	fail "ledger: $(cat r.json)"
jq -e '.partial and .bulks.retries > 0 and (.bulks.first_error | startswith("UNAVAILABLE"))' r.json >/dev/null ||
	fail "results: $(cat r.json)"
grep -q '^PARTIAL' out || fail "not marked as partial: $(cat out)"
