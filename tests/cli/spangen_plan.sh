#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# plan against generate in JSON, and the refusal to begin what the disk will not hold.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

recipe=(--spans 40000 --services 50 --operations 200 --variants 2 --seed 3)
ok spangen plan "${recipe[@]}" --threads 2 --rate 1000 --json
mv out plan.json
ok spangen generate "${recipe[@]}" --threads 2 --out c --json
mv out made.json
[ "$(field made.json digest)" = "$(field c/corpus.json digest)" ] || fail "another digest than the manifest's"
[ "$(jq -c .recipe made.json)" = "$(jq -c .recipe c/corpus.json)" ] || fail "generate: another recipe"
[ "$(jq -c .recipe plan.json)" = "$(jq -c .recipe c/corpus.json)" ] || fail "plan: another recipe"
[ "$(field made.json stored_bytes)" -eq "$(stat -c %s c/data-*.zst)" ] || fail "stored_bytes: $(cat made.json)"
jq -es '.[0] as $p | .[1] as $m | $p.rows == 40000 and $p.rows == $m.rows and $p.blocks == $m.blocks
	and $p.traces == $m.traces and $p.data_files == $m.data_files and $p.threads == 2
	and ($p.stored_bytes - $m.stored_bytes | fabs) <= 0.05 * $m.stored_bytes
	and $p.memory_bytes > 1e6 and $p.time_ms > 0 and $m.rows_per_s > 0
	and (.[0].row_bytes | . >= 4975 and . <= 5025)
	and [.[0].replay[] | .model, .spans_per_s, .time_ms] == ["stream", 1000, 40000, "trace", 1000, 40000]' \
	plan.json made.json >/dev/null || fail "plan and generate disagree: $(cat plan.json made.json)"

# A trillion spans are tens of terabytes: refused before anything is written, with both figures.
ok spangen plan --spans 1000G --services 100 --operations 100 --json
if [ "$(field out stored_bytes)" -le "$(df -B1 --output=avail . | tail -n 1)" ]; then
	skip "a disk that holds a trillion spans; the rest passed"
fi
refuse 1 'huge: No space left for the corpus: about [0-9.]+ TB needed, [0-9.]+ [kMGTP]?B free; .*--ignore-space' \
	spangen generate --spans 1000G --services 100 --operations 100 --out huge
[ ! -e huge ] || fail "a refused corpus left a folder"

# With --ignore-space the same begins, until it is told to stop.
"$BIN/spangen" generate --spans 1000G --services 100 --operations 100 --out huge --ignore-space \
	--threads 1 --quiet >out 2>err &
pid=$!
trap 'kill "$pid" 2>/dev/null || true' EXIT
until compgen -G 'huge/*.part' >/dev/null; do
	kill -0 $pid 2>/dev/null || break
	read -r -t 0.05 <> <(:) || true
done
kill -TERM $pid 2>/dev/null || true
rc=0
wait $pid || rc=$?
[ $rc -eq 1 ] && grep -q 'interrupted at block' err || fail "--ignore-space: exit $rc: $(cat err)"
