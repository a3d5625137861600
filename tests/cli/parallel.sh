#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# tools/cluster/parallel.sh: shards at the same time, one that fails, the same line again, one digest.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

command -v parallel >/dev/null && parallel --version 2>/dev/null | grep -q '^GNU parallel' ||
	skip "GNU parallel is not installed"
export HOME=$PWD # where it remembers whether it asked to be cited
shape=(--spans 20000 --block-traces 50 --services 5 --instances 10 --operations 50 --seed 3)
ok spangen generate "${shape[@]}" --quiet --out whole
want=$(sed -n 's/^digest *//p' out)

BIN=$BIN JOBS=3 "$SRC/tools/cluster/parallel.sh" dir 5 "${shape[@]}" >out 2>err ||
	fail "parallel.sh: $(cat out err)"
grep -q "^digest *$want$" out || fail "parallel.sh: not digest $want: $(cat out)"
grep -q '^merged *5 shards' out || fail "parallel.sh: $(cat out)"
ok spancorpus diff whole dir
ok spancorpus verify --rows --quiet dir

# Again: nothing to do, the same answer.
BIN=$BIN JOBS=2 "$SRC/tools/cluster/parallel.sh" dir 5 "${shape[@]}" >out 2>err ||
	fail "parallel.sh again: $(cat out err)"
grep -q 'they were already' out || fail "parallel.sh again: $(cat out)"

# Where one cannot be made: no merge, and the failure shows.
rc=0
mkdir bad
touch bad/in-the-way
BIN=$BIN JOBS=2 "$SRC/tools/cluster/parallel.sh" bad 5 "${shape[@]}" >out 2>err || rc=$?
[ $rc -ne 0 ] || fail "parallel.sh into a folder of others: exit 0"
grep -q 'in-the-way' err || fail "parallel.sh: $(cat err)"
[ ! -e bad/corpus.json ] || fail "merged all the same"
