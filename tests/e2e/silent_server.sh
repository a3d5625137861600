#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A server that falls silent in the middle of a write, its connection open: only --timeout can end the
# bulks, and it does, although what was sent fills the socket and nobody reads it.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

small_corpus corpus
start_sink

for model in stream trace; do
	ok spanreplay schema apply --model $model --server "$ADDR" --schemas "$SRC/schemas"

	# Standard input is this shell's end of a pipe: the proxy ends with the test.
	rm -f proxy.in
	mkfifo proxy.in
	exec {proxy_fd}< <(exec python3 "$SRC/tests/e2e/cut_proxy.py" "$ADDR" 3000000 stall <proxy.in 2>proxy.err)
	exec {hold_fd}>proxy.in
	IFS= read -r -t 60 line <&"$proxy_fd" || fail "the proxy did not start: $(cat proxy.err)"
	PROXY=${line#listening on }

	# 10 bulks of 1 s at most, two at a time, and the count afterwards.
	rc=0
	timeout -k 5 30 "$BIN/spanreplay" write --quiet --model $model --corpus corpus --server "$PROXY" --bulk 200 \
		--concurrency 2 --timeout 1s --results r.json >out 2>err || rc=$?
	n=$("$BIN/spanreplay" count --model $model --server "$ADDR")
	exec {hold_fd}>&-
	[ $rc -ne 124 ] || fail "still there after 30 s with --timeout 1s: $(cat err)"
	[ $rc -eq 3 ] || fail "exit $rc: $(cat err)"
	grep -Eq '^spanreplay: write does not hold: .*lost.*first failure: (DEADLINE_EXCEEDED|UNAVAILABLE)' err ||
		fail "$(cat err)"
	jq -e ".ledger | .rows == .acked + .rejected + .lost + .unsent and .acked > 0 and .lost > 0 and
		.acked <= $n and $n <= .acked + .lost" r.json >/dev/null || fail "the server has $n rows: $(cat r.json)"
done
