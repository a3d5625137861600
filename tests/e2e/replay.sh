#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 180
# The main job through spansink: both models written, counted, read back; the ledger, the clocks, an
# open loop, a thousand bulks in flight, rows that must not leave, a run that is stopped.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

small_corpus corpus
start_sink --db sink.db
there=(--server "$ADDR")
schemas=(--schemas "$SRC/schemas")
expect() { # FILE JQ-EXPRESSION: must be true
	jq -e "$2" "$1" >/dev/null || fail "$1: not so: $2: $(cat "$1")"
}
count() {
	ok spanreplay count --model "$1" "${there[@]}"
	cat out
}

for model in stream trace; do
	ok spanreplay schema apply --model $model "${there[@]}" "${schemas[@]}"
	ok spanreplay schema apply --model $model "${there[@]}" "${schemas[@]}" # idempotent
	grep -q '0 objects created' out || fail "$model: created twice: $(cat out)"
	ok spanreplay schema check --model $model "${there[@]}" "${schemas[@]}"
	# Another ttl than the one that is there is a difference, and says which.
	refuse 1 'ttl' spanreplay schema check --model $model "${there[@]}" "${schemas[@]}" --ttl-days 30
	[ "$(count $model)" = 0 ] || fail "$model: a new group counts $(cat out)"

	# Closed loop, the whole corpus. The keys of results.json stay.
	ok spanreplay write --model $model --corpus corpus "${there[@]}" --bulk 300 --concurrency 3 \
		--results $model.json
	grep -q "epoch $(field $model.json epoch_ms)" out || fail "$model: the epoch is not printed: $(cat out)"
	expect $model.json '.ledger | .rows == 2000 and .acked == 2000 and .retried == 0'
	expect $model.json '.ledger | .rows == .acked + .rejected + .lost + .unsent'
	expect $model.json '.latency_ms | .lag == null and .response == .service and .response.samples == 7'
	expect $model.json '.latency_ms.response | .p50 == null and .max > 0'
	expect $model.json '.rate.spans_per_s > 0 and .rate.traces_per_s > 0 and .rate.mb_per_s > 0'
	expect $model.json '.client.cpu_us_per_span > 0 and .holds and (.partial | not)'
	for key in ledger.{rows,acked,rejected,lost,unsent,retried} rate.{spans_per_s,traces_per_s,mb_per_s} \
		latency_ms.{response,service}.{p50,p95,p99,p999,max,samples} latency_ms.lag client.cpu_us_per_span \
		epoch_ms; do
		expect $model.json "[paths | map(tostring) | join(\".\")] | index(\"$key\") != null"
	done
	expect $model.json '.epoch_ms | type == "number" and . == floor and . > 1600000000000'
	expect $model.json '.rate | .spans_per_s / .traces_per_s | . > 5 and . < 20' # about ten to a trace
	[ "$(count $model)" = 2000 ] || fail "$model: the server counts $(cat out)"

	epoch=$(field $model.json epoch_ms)
	ok spanreplay check --model $model --corpus corpus "${there[@]}" --epoch "$epoch" --sample 1000
	grep -q '^traces 200, rows 2000: missing 0, different 0$' out || fail "$model: $(cat out)"
	run spanreplay check --model $model --corpus corpus "${there[@]}" --epoch $((epoch + 1)) --sample 3
	[ $rc -eq 3 ] || fail "$model: check at a wrong epoch: exit $rc"
	one_message spanreplay 'check does not hold: [0-9]+ rows missing, [1-9][0-9]* different'
	grep -q 'startTime is' out || fail "$model: no difference is named: $(cat out)"

	# A group that holds rows: a warning, not an error.
	ok spanreplay write --model $model --corpus corpus "${there[@]}" --limit 123 --bulk 1 \
		--concurrency 1000 --results one.json
	grep -q 'already holds 2000 rows' err || fail "$model: no warning: $(cat err)"
	expect one.json '.ledger.acked == 123 and .bulks.all == 123 and .latency_ms.response.samples == 123'
	[ "$(count $model)" = 2123 ] || fail "$model: the server counts $(cat out)"

	# Open loop: 1,000 rows at 4,000 a second are 0.25 s, whatever the machine.
	ok spanreplay write --model $model --corpus corpus "${there[@]}" --limit 1000 --bulk 20 --rate 4000 \
		--results open.json
	expect open.json '.client.wall_s >= 0.244 and .latency_ms.lag.samples == 50'
	expect open.json '.latency_ms | .response.max >= .service.max and .lag.p50 != null'

	# Rows that would hurt a server stay here, with their reason.
	tomorrow=$(($(date +%s) * 1000 + 86400000))
	run spanreplay write --model $model --corpus corpus "${there[@]}" --epoch $tomorrow --results f.json
	[ $rc -eq 3 ] || fail "$model: rows of tomorrow: exit $rc: $(cat err)"
	grep -q '2000 unsent (start time is later than now)' err || fail "$model: rows of tomorrow: no reason: $(cat err)"
	expect f.json '.ledger | .unsent == 2000 and .acked == 0 and .unsent_by.future == 2000'
	refuse 2 'older than.*--epoch now.*schema drop --model.*--ttl-days' spanreplay write --model $model --corpus corpus "${there[@]}" \
		--epoch 2020-01-01T00:00:00Z --results g.json
	[ ! -e g.json ] || fail "$model: results of a run that was refused"
	[ "$(count $model)" = 3123 ] || fail "$model: refused rows arrived: $(cat out)"
done

# Results replace results only.
cp corpus/corpus.json manifest
refuse 1 'corpus.json: holds something else.*--results' spanreplay write --model trace --corpus corpus --dry-run \
	--results corpus/corpus.json
cmp corpus/corpus.json manifest || fail "results went over a manifest"

# A corpus that is damaged further on: what was sent is told, and why no more was.
ok spangen generate --spans 20000 --seed 3 --block-traces 50 --out damaged
data=$(echo damaged/data-*)
printf '\377\377\377\377' | dd of="$data" bs=1 seek=$(($(stat -c %s "$data") * 3 / 4)) conv=notrunc status=none
run spanreplay write --model trace --corpus damaged "${there[@]}" --bulk 100 --results damaged.json
[ $rc -eq 1 ] || fail "damaged in the middle: exit $rc: $(cat err)"
grep -q '^PARTIAL: damaged/data' out || fail "damaged in the middle: $(cat out)"
expect damaged.json '.partial and (.reason | test("damaged/data")) and .ledger.acked > 0 and .ledger.unsent_by.corpus > 0'

# With a limit, check looks at what was written.
ok spanreplay schema drop --model trace --yes "${there[@]}"
run spanreplay count --model trace "${there[@]}"
[ $rc -eq 1 ] || fail "count of a dropped group: exit $rc"
ok spanreplay schema drop --model trace "${there[@]}" # what is gone stays gone
ok spanreplay schema apply --model trace "${there[@]}" "${schemas[@]}" --rule-names design --ttl-days 3
refuse 1 'startTime' spanreplay schema check --model trace "${there[@]}" "${schemas[@]}" --ttl-days 3
ok spanreplay schema check --model trace "${there[@]}" "${schemas[@]}" --rule-names design --ttl-days 3
ok spanreplay write --model trace --corpus corpus "${there[@]}" --limit 500 --results part.json
epoch=$(field part.json epoch_ms)
ok spanreplay check --model trace --corpus corpus "${there[@]}" --epoch "$epoch" --limit 500 --sample 1000
grep -q ', rows 500: missing 0, different 0' out || fail "check --limit: $(cat out)"
run spanreplay check --model trace --corpus corpus "${there[@]}" --epoch "$epoch" --sample 1000
[ $rc -eq 3 ] || fail "rows that were not written are not missed: exit $rc"
refuse 2 '--yes' spanreplay schema drop --model trace "${there[@]}"

# A dry run needs no server and sends nothing.
ok spanreplay write --model stream --corpus corpus --dry-run --results dry.json
expect dry.json '.ledger | .unsent == 2000 and .unsent_by.dry_run == 2000'

# Ctrl-C: bulks in flight end, the rest is unsent, the report is marked.
"$BIN/spanreplay" write --model trace --corpus corpus "${there[@]}" --bulk 10 --rate 100 --results int.json \
	>int.out 2>int.err &
pid=$!
for ((i = 0; i < 200; i++)); do # until it writes
	[ "$(count trace)" = 500 ] || break
done
kill -INT $pid
rc=0
wait $pid || rc=$?
[ $rc -eq 3 ] || fail "stopped: exit $rc: $(cat int.err)"
grep -q '^PARTIAL' int.out || fail "stopped: $(cat int.out)"
expect int.json '.partial and .ledger.acked > 0 and .ledger.unsent_by.stopped > 0'
expect int.json '.ledger | .rows == .acked + .unsent'

# A row that was changed or lost behind the server's back is found, and named.
stop_sink
tamper() { # DB MODEL WHAT: prints trace id and span id of the row
	python3 - "$@" <<'EOF'
import sqlite3, sys

path, model, what = sys.argv[1:]
db = sqlite3.connect(path)
names = [n for (n,) in db.execute("select name from sqlite_master where type = 'table'")]
for payload in (n for n in names if n.startswith("payload_")):
    columns = [c[1] for c in db.execute(f"pragma table_info({payload})")]
    if ("dataBinary" in columns) == (model == "stream"):
        break
else:
    sys.exit(f"no table of {model}")
rows, blob = payload.replace("payload", "rows"), "dataBinary" if model == "stream" else "#span"
seq, trace, span = db.execute(
    f'select "#seq", traceId, spanId from {rows} order by "#seq" limit 1 offset 777').fetchone()
if what == "delete":
    db.execute(f'delete from {rows} where "#seq" = ?', (seq,))
    db.execute(f'delete from {payload} where "#seq" = ?', (seq,))
elif what == "tag":
    db.execute(f'update {rows} set latency = latency + 1 where "#seq" = ?', (seq,))
else:
    (data,) = db.execute(f'select "{blob}" from {payload} where "#seq" = ?', (seq,)).fetchone()
    data = bytearray(data)
    data[len(data) // 2] ^= 1
    db.execute(f'update {payload} set "{blob}" = ? where "#seq" = ?', (bytes(data), seq))
db.commit()
print(trace, span)
EOF
}

start_sink --db good.db
there=(--server "$ADDR")
for model in stream trace; do
	ok spanreplay schema apply --model $model "${there[@]}" "${schemas[@]}"
	ok spanreplay write --model $model --corpus corpus "${there[@]}" --results $model.json
done
stop_sink
for model in stream trace; do
	for what in blob tag delete; do
		case $what in
		blob) named='payload has .*first difference at byte' counts='missing 0, different 1' ;;
		tag) named='latency is' counts='missing 0, different 1' ;;
		delete) named='not found' counts='missing 1, different 0' ;;
		esac
		cp good.db bad.db
		row=$(tamper bad.db $model $what)
		start_sink --db bad.db
		run spanreplay check --model $model --corpus corpus --server "$ADDR" --sample 1000 \
			--epoch "$(field $model.json epoch_ms)"
		stop_sink
		[ $rc -eq 3 ] || fail "$model, $what: exit $rc: $(cat out err)"
		grep -q "^traces 200, rows 2000: $counts" out || fail "$model, $what: $(cat out)"
		grep -q "^  trace ${row% *} span ${row#* }: $named" out || fail "$model, $what: $row: $(cat out)"
		one_message spanreplay 'check does not hold: [01] rows missing, [01] different'
	done
done

# A second time into the same group: a warning, and what is there counts.
start_sink --db good.db
there=(--server "$ADDR")
for model in stream trace; do
	first=$(field $model.json epoch_ms)
	ok spanreplay write --model $model --corpus corpus "${there[@]}" --results twice.json
	[ "$(grep -c 'warning: group .* already holds 2000 rows' err)" -eq 1 ] || fail "$model: no warning: $(cat err)"
	expect twice.json '.server_count | .before == 2000 and .after == 4000 and .expected == 4000'
	expect twice.json '.holds and .ledger.acked == 2000'
	[ "$(count $model)" = 4000 ] || fail "$model: the server counts $(cat out)"
	[ "$first" != "$(field twice.json epoch_ms)" ] || fail "$model: the same epoch twice"
	# A group that holds rows goes only with --yes, and then it is gone.
	refuse 2 'holds 4000 rows.*--yes' spanreplay schema drop --model $model "${there[@]}"
	[ "$(count $model)" = 4000 ] || fail "$model: a refused drop dropped: $(cat out)"
	ok spanreplay schema drop --model $model --yes "${there[@]}"
	refuse 1 'group' spanreplay schema check --model $model "${there[@]}" "${schemas[@]}"
	refuse 1 'group' spanreplay write --model $model --corpus corpus "${there[@]}" --results gone.json
	[ ! -e gone.json ] || fail "$model: results of a run that never began"
	# It can come back, empty.
	ok spanreplay schema apply --model $model "${there[@]}" "${schemas[@]}"
	[ "$(count $model)" = 0 ] || fail "$model: rows of a dropped group are back: $(cat out)"
	ok spanreplay schema drop --model $model "${there[@]}" # empty: no --yes needed
done
