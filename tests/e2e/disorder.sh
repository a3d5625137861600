#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 120
# A corpus with late rows and duplicates is replayed as it is: copies are written and counted, also
# when a limit cuts a block, and reading back expects them.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

small_corpus corpus --late 10 --duplicates 20
start_sink --db sink.db
there=(--server "$ADDR")

for model in stream trace; do
	ok spanreplay schema apply --model $model "${there[@]}" --schemas "$SRC/schemas"
	ok spanreplay write --model $model --corpus corpus "${there[@]}" --bulk 100 --results all.json
	[ "$(field all.json ledger.acked)" = 2400 ] || fail "$model: $(field all.json ledger.acked) acked"
	ok spanreplay check --model $model --corpus corpus "${there[@]}" \
		--epoch "$(field all.json epoch_ms)" --sample 1000
done
# Written once more, every row is there more often than the corpus has it.
ok spanreplay write --model trace --corpus corpus "${there[@]}" --limit 777 --results cut.json \
	--epoch "$(field all.json epoch_ms)"
[ "$(field cut.json ledger.acked)" = 777 ] || fail "--limit 777: $(field cut.json ledger.acked) acked"
refuse 3 'copies' spanreplay check --model trace --corpus corpus "${there[@]}" \
	--epoch "$(field all.json epoch_ms)" --sample 1000
