#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every verb that reports has --json, and a parser that is not ours reads it: one object, nothing beside it, the same exit code as without.
. "$SRC/tests/lib.sh"

small_corpus a
small_corpus b --seed 8
while read -r want verb folders; do
	# shellcheck disable=SC2086 # folders are words
	run spancorpus "$verb" $folders
	[ "$rc" -eq "$want" ] || fail "$what: exit $rc, not $want: $(cat err)"
	# shellcheck disable=SC2086
	run spancorpus "$verb" --json $folders
	[ "$rc" -eq "$want" ] || fail "$what: exit $rc, not $want: $(cat err)"
	python3 -m json.tool out >/dev/null || fail "$what: not JSON: $(head -c 300 out)"
	[ "$(jq -r type out)" = object ] || fail "$what: not one object: $(head -c 300 out)"
done <<'EOT'
0 info a
0 stats a
0 diff a a
1 diff a b
EOT
for arg in '--limit 20' '--limit 20 --decode'; do
	# shellcheck disable=SC2086
	ok spancorpus cat $arg a
	python3 -m json.tool --json-lines out >/dev/null || fail "$what: not JSON lines"
done

# A folder whose name is not UTF-8 is left out rather than break the JSON.
name=$(printf 'c\377')
cp -r a "$name"
ok spancorpus diff --json a "$name"
python3 -m json.tool out >/dev/null || fail "diff --json of a folder that is not UTF-8: $(head -c 300 out)"
jq -e '.identical and .a == "a" and .b == null' out >/dev/null || fail "diff --json: $(head -c 300 out)"
