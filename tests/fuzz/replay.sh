#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# Every fuzz target over what was found once (fixtures/fuzz/NAME) and over its seeds, by a plain
# loop, so with any compiler.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

small() { ok spangen generate --quiet --seed 3 --variants 1 --out "$@"; }
small one --spans 24 --traces 2 --services 1 --instances 1 --operations 1 --block-traces 1
small few --spans 60 --traces 6 --services 3 --instances 4 --operations 6 --block-traces 2 --errors 30 \
	--late 10 --duplicates 10
"$BIN/fuzz/seeds" seeds "$SRC/fixtures/golden/tiny" one few || fail "seeds: exit $?"

for source in "$SRC"/tests/fuzz/fuzz_*.c; do
	name=${source##*/fuzz_} name=${name%.c}
	[ -d "seeds/$name" ] || fail "no seeds for $name"
	inputs=("seeds/$name")
	[ ! -d "$SRC/fixtures/fuzz/$name" ] || inputs+=("$SRC/fixtures/fuzz/$name")
	TMPDIR=$PWD "$BIN/fuzz/fuzz_$name" "${inputs[@]}" >out 2>err ||
		fail "$name: exit $? on $(tail -n 1 out): $(cat err)"
	n=$(find "${inputs[@]}" -type f ! -name '.*' | wc -l)
	grep -qx "$n inputs" out || fail "$name: not $n inputs: $(tail -n 1 out)"
	echo "$name: $n inputs"
done

# The loop itself reports what it cannot read, and nothing to read.
mkdir empty
if "$BIN/fuzz/fuzz_recipe" empty >out 2>err; then fail "no input is a success"; fi
if "$BIN/fuzz/fuzz_recipe" missing >out 2>err; then fail "a missing input is a success"; fi
grep -q missing err || fail "the message does not name the input: $(cat err)"
