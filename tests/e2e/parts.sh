#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 180
# A part of a corpus is replayed as what it is: blocks that split cut out, shards that are not
# merged, a download without some data files. The server then holds exactly the rows of the part,
# as the whole corpus has them, and the results say which part it was.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

shape=(--spans 4000 --block-traces 50 --services 20 --instances 40 --operations 100 --seed 7)
ok spangen generate "${shape[@]}" --file-bytes 1 --quiet --out whole # 8 blocks, a file each
digest=$(field whole/corpus.json digest)
ok spancorpus split --blocks 2-5 --out cut whole
ok spangen generate "${shape[@]}" --shard 0/4 --quiet --out shards
ok spangen generate "${shape[@]}" --shard 2/4 --quiet --out shards
cp -r whole down
rm down/data-0000000.zst down/data-0000003.zst down/data-0000007.zst

start_sink --db sink.db
there=(--server "$ADDR")
begun=0
# replays PART BLOCKS DIGEST MODEL
replays() {
	local rows epoch model=$4
	ok spancorpus cat "$1"
	rows=$(wc -l <out)
	if [ "$rows" -eq 0 ] || [ "$rows" -ge 4000 ]; then fail "$1: $rows rows"; fi
	ok spanreplay schema drop --model "$model" --yes "${there[@]}"
	ok spanreplay schema apply --model "$model" "${there[@]}" --schemas "$SRC/schemas"
	ok spanreplay write --model "$model" --corpus "$1" "${there[@]}" --bulk 100 --results r.json
	grep -q "corpus $1 is a part: $2 of 8 blocks" err || fail "$1: not said: $(cat err)"
	jq -e ".ledger | .rows == $rows and .acked == $rows" r.json >/dev/null || fail "$1: $(cat r.json)"
	jq -e ".corpus | .blocks == $2 and .blocks_of_recipe == 8 and .digest == $3" r.json >/dev/null ||
		fail "$1: $(jq -c .corpus r.json)"
	epoch=$(field r.json epoch_ms)
	ok spanreplay count --model "$model" "${there[@]}"
	[ "$(cat out)" = "$rows" ] || fail "$1: $rows rows, the server counts $(cat out)"
	ok spanreplay check --model "$model" --corpus "$1" "${there[@]}" --epoch "$epoch" --sample 1000
	grep -q ", rows $rows: missing 0, different 0\$" out || fail "$1: $(cat out)"
	# What is not in the part was not written: the whole misses just that.
	run spanreplay check --model "$model" --corpus whole "${there[@]}" --epoch "$epoch" --sample 1000
	[ $rc -eq 3 ] || fail "$1: check of the whole: exit $rc: $(cat err)"
	grep -q ", rows 4000: missing $((4000 - rows)), different 0\$" out || fail "$1: $(cat out)"
	begun=$((begun + 1))
}
for model in stream trace; do
	replays cut 4 "\"$(field cut/corpus.json digest)\"" $model
	replays shards 4 null $model
	replays down 5 "\"$digest\"" $model
done
[ $begun -eq 6 ] || fail "$begun of 6"

# Merged, they are no part any more.
ok spangen generate "${shape[@]}" --shard 1/4 --quiet --out shards
ok spangen generate "${shape[@]}" --shard 3/4 --quiet --out shards
ok spancorpus merge shards
ok spanreplay write --model trace --corpus shards --dry-run --results r.json
if grep -q 'is a part' err; then fail "the whole is called a part: $(cat err)"; fi
jq -e ".corpus | .blocks == 8 and .rows == 4000 and .digest == \"$digest\"" r.json >/dev/null || fail "$(cat r.json)"
