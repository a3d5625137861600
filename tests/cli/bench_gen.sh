#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# bench-gen runs through at a tiny size: the figures are there and say whether they hold. What they are
# is nothing to test here. Memory and profiles take too long for a test.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

[ -x /usr/bin/time ] || skip "no /usr/bin/time"
rc=0
BENCH_ROWS=20000 BENCH_ROUNDS=1 BENCH_PARTS='zstd scaling rates' BENCH_JSON=figures "$SRC/tests/bench/bench_gen.sh" >out 2>err || rc=$?
what=bench_gen
[ $rc -le 1 ] || fail "$what: exit $rc: $(cat out err)"
tail -n 1 out | grep -Eq '^bench-gen: ([0-9]+ bars missed|all bars hold)$' || fail "$what ends early: $(cat out err)"
[ ! -s err ] || fail "$what: stderr: $(cat err)"
jq -es 'length == 12 and all(.bench == "gen" and (.value | type == "number") and .value > 0
	and (if .bar == null then .holds == null else (.holds | type == "boolean") end))' figures >/dev/null ||
	fail "$what: not all figures: $(cat figures)"
[ "$(jq -s 'map(select(.holds == false)) | length' figures)" -eq "$(sed -n 's/^bench-gen: \([0-9]*\) bars missed$/\1/p;s/.*all bars hold$/0/p' out)" ] ||
	fail "$what: other bars missed than counted: $(cat out)"
[ "$(find . -name 'bench-gen.*')" = '' ] || fail "$what left its folder"
