#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Client CPU per 5 KB span: spanreplay write against a minimal C-core burst loop, both into
# spansink --null, alternating so that both see the same machine. Prints a JSON line per run and
# a last one with both medians and their ratio. Exit 1 when the ratio is above the bar.
#
#   ROUNDS=5 SPANS=100000 BULK=1000 STREAMS=10 BAR=1.6
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

rounds=${ROUNDS:-5} spans=${SPANS:-100000} bulk=${BULK:-1000} streams=${STREAMS:-10} bar=${BAR:-1.6}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/bench-write.XXXXXX")
trap 'stop_sink; rm -rf "$scratch"' EXIT
cd "$scratch"

ok spangen generate --scale small --spans "$spans" --seed 1 --out corpus
start_sink --null
trap 'stop_sink; rm -rf "$scratch"' EXIT
ok spanreplay schema apply --model trace --server "$ADDR" --schemas "$SRC/schemas"

host=$(uname -srm) cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
for ((i = 1; i <= rounds; i++)); do
	run spanreplay write --model trace --corpus corpus --server "$ADDR" --bulk "$bulk" \
		--concurrency "$streams" --quiet --results r.json
	[ $rc -eq 0 ] || fail "$what: exit $rc: $(cat err)"
	# Bytes of a message, so that both send the same.
	[ $i -gt 1 ] || bytes=$(jq '.rate.mb_per_s * 1e6 / .rate.spans_per_s | floor' r.json)
	jq -c --argjson round $i '{bench: "write", round: $round, spans: .ledger.acked, wall_s: .client.wall_s,
		cpu_us_per_span: .client.cpu_us_per_span}' r.json | tee -a write.jsonl
	"$BIN/bench/burst" "$ADDR" "$spans" "$bulk" "$streams" $((bytes - 350)) | tee -a burst.jsonl
done
median() { jq -s 'map(.cpu_us_per_span) | sort | .[length / 2 | floor]' "$1"; }
jq -cn --argjson w "$(median write.jsonl)" --argjson b "$(median burst.jsonl)" --argjson bar "$bar" \
	--arg host "$host" --arg cpu "$cpu" --argjson n "$rounds" '{bench: "write/burst", n: $n, write_us: $w,
	burst_us: $b, ratio: ($w / $b * 1000 | floor / 1000), bar: $bar, host: $host, cpu: $cpu}' | tee ratio.json
jq -e '.ratio <= .bar' ratio.json >/dev/null
