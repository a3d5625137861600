#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# spancorpus diff: identical content, other descriptions, other recipes, missing blocks, damage. Single values that differ: unit/tools/test_diff.
. "$SRC/tests/lib.sh"

small_corpus a --block-traces 20
small_corpus b --block-traces 20 --title 'Another "title"'
ok spancorpus info --json a
digest=$(field out digest)

ok spancorpus diff a a
[ "$(cat out)" = "identical content: $digest, 10 of 10 blocks compared" ] || fail "diff a a: $(cat out)"
[ ! -s err ] || fail "diff a a: stderr: $(cat err)"
ok spancorpus diff a b
grep -qx 'title' out && grep -qx '  B: "Another \\"title\\""' out || fail "another title is not shown: $(cat out)"
grep -q "^identical content: $digest" out || fail "another title is another content: $(cat out)"
ok spancorpus diff --json a b
python3 -m json.tool <out >/dev/null || fail "diff --json is not JSON"
jq -e '.identical and .first_difference == null and .blocks.compared == 10 and ([.fields[].name] == ["title"])' out >/dev/null ||
	fail "diff --json: $(cat out)"

# What is damaged is not called identical, whatever its header says.
cp -r a torn
python3 - <<'PY'
data = bytearray(open("torn/data-0000000.zst", "rb").read())
data[-2000] ^= 16  # in the last block's frame
open("torn/data-0000000.zst", "wb").write(data)
PY
refuse 1 'torn/data-0000000.zst: block 9: .*stored bytes' spancorpus diff a torn

# Another seed: recipe, every block, a row.
small_corpus other --block-traces 20 --seed 8
refuse 1 'a and other differ: digests, recipes, dictionaries, 10 of 10 blocks' spancorpus diff a other
grep -A 2 -x recipe.seed out | tail -n 2 | tr -d '\n' | grep -qx '  A: 7  B: 8' || fail "the seeds are not shown: $(cat out)"
grep -qx 'blocks that differ: 10: 0-9' out || fail "the blocks are not shown: $(cat out)"
grep -Eq '^first row that differs: block 0, row [0-9]+, trace [^ ]+$' out || fail "no row is shown: $(cat out)"
refuse 1 'differ' spancorpus diff --json a other
python3 -m json.tool <out >/dev/null || fail "diff --json is not JSON"
jq -e '(.identical | not) and .first_difference.block == 0 and (.first_difference | .a != .b) and .blocks.different.count == 10
	and ([.fields[] | select(.name == "recipe.seed")] == [{"name": "recipe.seed", "a": 7, "b": 8}])' out >/dev/null ||
	fail "diff --json: $(cat out)"

# Other numbers of blocks and rows.
ok spangen generate --spans 4000 --services 20 --instances 40 --operations 100 --seed 7 --block-traces 20 --out longer
refuse 1 'differ' spancorpus diff a longer
grep -qx 'blocks only in B: 10: 10-19' out || fail "blocks of the longer one: $(cat out)"
grep -A 2 -x rows out | tail -n 2 | tr -d '\n' | grep -qx '  A: 2000  B: 4000' || fail "rows are not shown: $(cat out)"
refuse 1 'differ' spancorpus diff longer a
grep -qx 'blocks only in A: 10: 10-19' out || fail "blocks of the longer one: $(cat out)"

refuse 2 'two corpus folders are needed, 1 given' spancorpus diff a
refuse 2 'two corpus folders are needed, 3 given' spancorpus diff a b a
refuse 2 '--no-such' spancorpus diff --no-such a b
refuse 1 'nowhere' spancorpus diff a nowhere
refuse 1 'nowhere' spancorpus diff nowhere a
# A damaged block that must be read is an error with its place; a damaged header always is.
cp -r other torn2
python3 - <<'PY'
data = bytearray(open("torn2/data-0000000.zst", "rb").read())
at = data.index(bytes([0x51, 0x2a, 0x4d, 0x18, 112, 0, 0, 0]))
data[at + 400] ^= 16
open("torn2/data-0000000.zst", "wb").write(data)
data[at + 70] ^= 16
open("torn/data-0000000.zst", "wb").write(data)
PY
refuse 1 'torn2/data-0000000.zst: block 0' spancorpus diff a torn2
refuse 1 'data-0000000.zst' spancorpus diff other torn
for option in '' --json; do
	rc=0
	# shellcheck disable=SC2086 # nothing or one word
	"$BIN/spancorpus" diff $option a a >/dev/full 2>err || rc=$?
	what="spancorpus diff $option >/dev/full"
	[ $rc -eq 1 ] || fail "$what: exit $rc: $(cat err)"
	one_message spancorpus 'standard output: cannot write'
done
