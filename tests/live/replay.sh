#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# The main job against a real server: schema, 2,000 rows into both models, the server's own
# count, and every trace read back byte for byte.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"
# shellcheck source=tests/live/server.bash
. "$SRC/tests/live/server.bash"

there=(--server "$ADDR" --schemas "$SRC/schemas")
case $ADDR in 127.* | localhost:* | \[::1\]:*) remote=() ;; *) remote=(--allow-remote) ;; esac

# Whoever lends a server keeps its data: these tests drop the groups they write to.
for model in stream trace; do
	run spanreplay count --model $model --server "$ADDR" "${remote[@]}"
	[ $rc -ne 0 ] || skip "$ADDR holds the $model group already ($(cat out) rows): use an empty server"
	grep -q 'schema apply' err || fail "$what: exit $rc: $(cat err)"
done

small_corpus corpus
[ "$("$BIN/spancorpus" info --json corpus | jq .rows)" = 2000 ] || fail "not 2,000 rows in corpus"

for model in stream trace; do
	refuse 1 'schema apply|not found|missing' \
		spanreplay schema check --model $model "${there[@]}" "${remote[@]}"
	ok spanreplay schema apply --model $model "${there[@]}" "${remote[@]}"
	ok spanreplay schema apply --model $model "${there[@]}" "${remote[@]}" # what is there stays
	ok spanreplay schema check --model $model "${there[@]}" "${remote[@]}"
	ok spanreplay count --model $model --server "$ADDR" "${remote[@]}"
	[ "$(cat out)" = 0 ] || fail "$model: a new group counts $(cat out) rows"

	ok spanreplay write --model $model --corpus corpus --server "$ADDR" "${remote[@]}" \
		--bulk 300 --concurrency 3 --results $model.json
	[ "$(jq -c '.ledger | [.rows, .acked, .rejected, .lost, .unsent]' $model.json)" = \
		'[2000,2000,0,0,0]' ] || fail "$model: ledger $(jq -c .ledger $model.json)"
	ok spanreplay count --model $model --server "$ADDR" "${remote[@]}"
	[ "$(cat out)" = 2000 ] || fail "$model: the server counts $(cat out) rows, not 2000"

	epoch=$(field $model.json epoch_ms)
	ok spanreplay check --model $model --corpus corpus --server "$ADDR" "${remote[@]}" \
		--epoch "$epoch" --sample 200
	# The check can fail: a millisecond later, every row differs.
	run spanreplay check --model $model --corpus corpus --server "$ADDR" "${remote[@]}" \
		--epoch $((epoch + 1)) --sample 5
	[ $rc -eq 3 ] || fail "$model: a check at a wrong epoch: exit $rc: $(cat out err)"

	run spanreplay schema drop --model $model --server "$ADDR" "${remote[@]}"
	[ $rc -ne 0 ] || fail "$model: dropped 2,000 rows without --yes"
	ok spanreplay schema drop --model $model --yes --server "$ADDR" "${remote[@]}"
	run spanreplay count --model $model --server "$ADDR" "${remote[@]}"
	[ $rc -eq 1 ] || fail "$model: count after the drop: exit $rc: $(cat out err)"
done
