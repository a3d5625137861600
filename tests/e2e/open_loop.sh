#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The shapes of a write: an open loop holds its rate and measures from the due time, a dry run sends
# nothing, bulks of one row, a hundred in flight, a limit that counts rows.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

small_corpus corpus
start_sink
there=(--server "$ADDR")
expect() { # FILE JQ-EXPRESSION: must be true
	jq -e "$2" "$1" >/dev/null || fail "$1: not so: $2: $(cat "$1")"
}
total=0
counts() { # N: so many rows more than before
	total=$((total + $1))
	ok spanreplay count --model $model "${there[@]}"
	[ "$(cat out)" = $total ] || fail "$model: the server counts $(cat out), not $total"
}

for model in stream trace; do
	total=0
	write=(spanreplay write --model "$model" --corpus corpus)
	ok spanreplay schema apply --model $model "${there[@]}" --schemas "$SRC/schemas"

	# 2,000 rows at 2,000 a second; the last of 100 bulks is due after 0.99 s.
	ok "${write[@]}" "${there[@]}" --rate 2000 --limit 2000 --bulk 20 --results open.json
	expect open.json '.client.wall_s >= 0.98 and .client.wall_s < 4'
	expect open.json '.rate.spans_per_s > 500 and .rate.spans_per_s < 2050'
	expect open.json '.ledger | .rows == 2000 and .acked == 2000'
	expect open.json '.latency_ms | [.response, .service, .lag] |
		all(.samples == 100 and .out_of_range == 0 and .p50 != null and .p50 >= 0 and .p50 <= .max)'
	expect open.json '.latency_ms | .response.p50 > 0 and .response.max >= .service.max'
	expect open.json '.options.rate_per_s == 2000'
	grep -q '^  lag ' out || fail "$model: no lag in the report: $(cat out)"
	expect open.json '.rate.missed | type == "boolean"'
	counts 2000

	# More than it can take: the lag grows, and the response, counted from the due time, holds it.
	ok "${write[@]}" "${there[@]}" --rate 1000000000 --limit 400 --bulk 2 --concurrency 1 --results late.json
	expect late.json '.latency_ms | .lag.max > 0 and .response.max >= .lag.max'
	expect late.json '.rate.missed'
	grep -Eq '^WARNING: --rate 1000000000 was missed: [0-9]+ spans/s acked, bulks began up to [0-9.]+ ms late$' out ||
		fail "$model: no word about the missed rate: $(cat out)"
	expect late.json '.latency_ms | .response.p50 > .service.p50 and .response.p50 >= .lag.p50'
	counts 400

	# A dry run needs no server; named one, it leaves it alone.
	ok "${write[@]}" --dry-run --results dry.json
	grep -Eq '^client CPU [0-9.]+ us per span$' out || fail "$model: no client CPU: $(cat out)"
	expect dry.json '.client.cpu_us_per_span > 0 and .rate.spans_per_s > 0 and .server == null'
	expect dry.json '.ledger | .rows == 2000 and .acked == 0 and .unsent == 2000'
	expect dry.json '.server_count | .before == null and .after == null'
	ok "${write[@]}" "${there[@]}" --dry-run --limit 7 --results dry.json
	expect dry.json '.ledger | .rows == 7 and .unsent_by.dry_run == 7'
	counts 0
	refuse 2 '--rate.*--dry-run' "${write[@]}" --dry-run --rate 5

	ok "${write[@]}" "${there[@]}" --concurrency 100 --bulk 10 --results many.json
	expect many.json '.ledger.acked == 2000 and .bulks.ok == 200 and .bulks.failed == 0'
	if grep -q WARNING out; then fail "$model: a warning without --rate: $(cat out)"; fi
	expect many.json '.rate.missed == null and .latency_ms.lag == null and .latency_ms.response.samples == 200'
	counts 2000

	ok "${write[@]}" "${there[@]}" --bulk 1 --limit 50 --results one.json
	expect one.json '.ledger.rows == 50 and .ledger.acked == 50 and .bulks.all == 50'
	counts 50

	# Rows, not bulks nor traces: the last bulk is short. A limit beyond the corpus is the corpus.
	ok "${write[@]}" "${there[@]}" --bulk 100 --limit 250 --results part.json
	expect part.json '.ledger.rows == 250 and .ledger.acked == 250 and .bulks.all == 3'
	counts 250
	ok "${write[@]}" "${there[@]}" --limit 99999999 --results all.json
	expect all.json '.ledger.rows == 2000 and .corpus.rows == 2000'
	counts 2000
	refuse 2 '--limit' "${write[@]}" "${there[@]}" --limit 0
done
