#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# spancorpus export as JSON lines and OTLP: the same for any number of workers, the rows of cat, moved by --epoch, and what is refused.
# tests/e2e/otlp.sh holds the content of OTLP against the segments.
. "$SRC/tests/lib.sh"

small_corpus c --block-traces 20
ok spancorpus cat c
mv out rows.cat
for format in jsonl otlp otlp-json; do
	ok spancorpus export --format $format --threads 1 c
	mv out one.$format
	ok spancorpus export --format $format --threads 3 c
	cmp out one.$format || fail "$format differs between one and three workers"
done
cmp rows.cat one.jsonl || fail "jsonl and cat differ"
[ "$(wc -l <one.otlp-json)" -eq 2000 ] || fail "otlp-json has $(wc -l <one.otlp-json) lines"
# Two large blocks, rendered in parts.
ok spangen generate --spans 6000 --services 20 --instances 40 --operations 100 --out large
ok spancorpus cat large
mv out large.cat
ok spancorpus export --format jsonl --threads 3 large
cmp out large.cat || fail "jsonl and cat differ in parts of blocks"
# A parser that is not ours reads every line, and blob and columns come through.
ok spancorpus export --format segments c
python3 - one.jsonl out <<'PY' || fail "jsonl is not what the segments are"
import base64, json, sys
data, at = open(sys.argv[2], "rb").read(), 0
for line in open(sys.argv[1], encoding="utf-8"):
    row = json.loads(line)
    blob = base64.b64decode(row["dataBinary"], validate=True)
    while data[at] > 127:
        at += 1
    at += 1
    if data[at:at + len(blob)] != blob or row["spanId"].encode() not in blob or type(row["startTime"]) is not int:
        sys.exit(1)
    at += len(blob)
sys.exit(0 if at == len(data) else 1)
PY

# Another epoch moves times by as much, and nothing else.
base=$(head -n 1 rows.cat | jq .startTime)
ok spancorpus info --json c
epoch=$(($(field out epoch_ms) + 86400000))
ok spancorpus export --format otlp-json --epoch $epoch c
moved=$(head -n 1 out | jq -r '[.resourceSpans[].scopeSpans[].spans[].startTimeUnixNano | tonumber] | min / 1000000 | round')
[ "$moved" -eq $((base + 86400000)) ] || fail "--epoch: the first start is $moved, not $((base + 86400000))"
bare() {
	jq -c 'del(.resourceSpans[].scopeSpans[].spans[] | .startTimeUnixNano, .endTimeUnixNano, .events[]?.timeUnixNano)' "$1"
}
cmp <(bare out) <(bare one.otlp-json) || fail "--epoch changes more than times"

refuse 2 'segments\|csv\|jsonl\|otlp\|otlp-json' spancorpus export c
refuse 2 '--format.*otlp' spancorpus export --format xml c
refuse 2 '--epoch' spancorpus export --format otlp --epoch 1970-01-01T00:00:00Z c
refuse 1 'block 0: row 3: the blob is not a SegmentObject' spancorpus export --format otlp "$SRC/fixtures/golden/tiny"
refuse 1 'block 0: row 3: the blob is not a SegmentObject' spancorpus export --format otlp-json "$SRC/fixtures/golden/tiny"
for format in jsonl otlp otlp-json; do
	rc=0
	"$BIN/spancorpus" export --format $format c >/dev/full 2>err || rc=$?
	what="spancorpus export --format $format >/dev/full"
	[ $rc -eq 1 ] || fail "$what: exit $rc: $(cat err)"
	one_message spancorpus 'standard output: cannot write'
done
