#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# spancorpus's reading verbs agree with each other and with stock tools.
. "$SRC/tests/lib.sh"

small_corpus c
ok spancorpus info --json c
mv out info.json
[ "$(field info.json rows)" = 2000 ] || fail "info says $(field info.json rows) rows"
[ "$(field info.json traces)" = 200 ] || fail "info says $(field info.json traces) traces"
[ "$(field info.json recipe.seed)" = 7 ] || fail "info says seed $(field info.json recipe.seed)"
digest=$(field info.json digest)
[[ $digest =~ ^[0-9a-f]{32}$ ]] || fail "digest '$digest'"
ok spancorpus info c
grep -q "$digest" out || fail "info and info --json differ"

ok spancorpus verify c --threads 3
grep -q "good: .*$digest" out || fail "verify: $(cat out)"
ok spancorpus verify --rows c
grep -q "^good: digests, structure and every row" out || fail "verify --rows: $(cat out)"
grep -q '2000 rows (100 in error)' out || fail "verify --rows: $(cat out)"

ok spancorpus stats --json c
jq -e '.holds and ([.claims[] | select(.claim == "rows" and .measured == "2000")] | length == 1)' out >/dev/null ||
	fail "stats: $(cat out)"

# CSV: header, one line a row, the same ids in the same order as cat.
ok spancorpus export --format csv c --threads 2
mv out rows.csv
[ "$(head -n 1 rows.csv)" = serviceId,serviceInstanceId,traceId,startTime,latency,isError,spanId,parentSpanId,operationName,component ] ||
	fail "CSV header: $(head -n 1 rows.csv)"
[ "$(wc -l <rows.csv)" -eq 2001 ] || fail "CSV has $(wc -l <rows.csv) lines"
ok spancorpus cat c
mv out rows.jsonl
[ "$(wc -l <rows.jsonl)" -eq 2000 ] || fail "cat printed $(wc -l <rows.jsonl) lines"
jq -r .spanId rows.jsonl >ids.cat
python3 -c 'import csv; [print(r["spanId"]) for r in csv.DictReader(open("rows.csv", newline=""))]' >ids.csv
cmp ids.cat ids.csv || fail "cat and CSV give other rows or another order"

# Rows of a block come by start; a trace comes whole and alone.
jq -s -e 'map(.startTime) as $t | $t == ($t | sort)' <(head -n 500 rows.jsonl) >/dev/null || fail "rows are not in order of start"
trace=$(sed -n 40p rows.jsonl | jq -r .traceId)
ok spancorpus cat --trace "$trace" c
[ "$(jq -r .traceId out | sort -u)" = "$trace" ] || fail "cat --trace: other traces"
[ "$(wc -l <out)" -eq "$(grep -c -F "\"$trace\"" rows.jsonl)" ] || fail "cat --trace: not the whole trace"
ok spancorpus cat --trace "$trace" --decode --limit 1 c
jq -e --arg t "$trace" '.segment.traceId == $t and (.segment.spans | length > 0)
	and (.segment.spans[-1].parentSpanId == -1) and (.segment.spans[0].startTime | type == "string")' out >/dev/null ||
	fail "cat --decode: $(cat out)"
refuse 1 'no trace .nosuch. in the corpus' spancorpus cat --trace nosuch c

# Another epoch moves times and nothing else.
ok spancorpus export --format csv --epoch 2026-06-01T00:00:00Z c
python3 - rows.csv out <<'PY' || fail "another epoch changes more than startTime"
import csv, sys
a, b = (list(csv.DictReader(open(f, newline=""))) for f in sys.argv[1:])
moves = {int(y["startTime"]) - int(x["startTime"]) for x, y in zip(a, b)}
for x in a + b:
    del x["startTime"]
sys.exit(0 if a == b and len(moves) == 1 and moves != {0} else 1)
PY

# Stock tools read it.
zstd -t -q c/*.zst || fail "zstd -t"
zstd -dc -q c/data-0000000.zst | protoc --decode=spangen.v1.Corpus -I "$SRC/proto" "$SRC/proto/corpus.proto" >whole.txt || fail "protoc"
grep -c '^block {' whole.txt | grep -qx "$(field info.json blocks)" || fail "protoc prints another number of blocks"
ok spancorpus cat --block 0 --raw c
protoc --decode=spangen.v1.Corpus -I "$SRC/proto" "$SRC/proto/corpus.proto" <out | grep '^block {' >raw.blocks || fail "cat --raw"
