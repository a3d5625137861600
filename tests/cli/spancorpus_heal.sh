#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# verify --heal makes whole what is cut, missing, swapped, renamed or of another corpus, manifest
# included, to the very bytes; --deep compares with the recipe; what cannot be healed is refused
# and left alone. Flipped bits are tests/unit/tools/test_bitflips.c's.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

few='--spans 2000 --services 10 --instances 20 --operations 20 --variants 1 --block-traces 20'
# shellcheck disable=SC2086 # words
ok spangen generate $few --seed 7 --title 'A title' --out one
# shellcheck disable=SC2086
ok spangen generate $few --seed 8 --out other
# The same corpus in four data files, for damage of whole files.
"$BIN/helper/split_corpus" one good || fail "split_corpus"
ok spancorpus verify --rows --deep good
digest=$(jq -r .digest good/corpus.json)
[ "$digest" = "$(jq -r .digest one/corpus.json)" ] || fail "file boundaries enter the digest"
mapfile -t data < <(cd good && ls data-*.zst)
[ ${#data[@]} -ge 4 ] || fail "only ${#data[@]} data files"

fresh() {
	rm -rf bad
	cp -R good bad
}
# heals REGEX...: verify finds it, naming each REGEX, and exits 1 (0 when files are only missing,
# VERIFY=0); --heal mends it to the same bytes.
heals() {
	local regex
	run spancorpus verify --json bad
	[ $rc -eq "${VERIFY:-1}" ] || fail "$what: exit $rc: $(cat out err)"
	jq -e '.findings | length > 0' out >/dev/null || fail "$what: no findings: $(cat out)"
	run spancorpus verify bad
	[ $rc -eq "${VERIFY:-1}" ] || fail "$what: exit $rc: $(cat out err)"
	for regex; do
		grep -Eq -- "$regex" out || fail "$what: no /$regex/ in: $(cat out)"
	done
	ok spancorpus verify --heal bad
	grep -q '^healed: ' out || fail "$what: says nothing was healed: $(cat out)"
	grep -q "^good: .*$digest" out || fail "$what: $(cat out)"
	diff -r -x '*.other' good bad || fail "$what: other bytes than before"
	ok spancorpus verify --rows --deep bad
}

# Nothing to do.
fresh
ok spancorpus verify --heal bad
if grep -q '^healed' out; then fail "a good corpus was healed: $(cat out)"; fi
diff -r good bad

# Data files.
fresh; rm "bad/${data[1]}"
VERIFY=0 heals "^missing: .*${data[1]}"
fresh; rm bad/data-*
heals "^missing: .*${data[0]}" "^missing: .*${data[3]}"
for n in 0 50 500 $(($(stat -c %s "good/${data[2]}") / 2)) $(($(stat -c %s "good/${data[2]}") - 1)); do
	fresh; truncate -s "$n" "bad/${data[2]}"
	heals "^damaged: .*${data[2]}.*(ends at byte $n|truncated)"
done
fresh; echo >>"bad/${data[0]}"
heals "^damaged: .*${data[0]}"
fresh; mv "bad/${data[0]}" x; mv "bad/${data[3]}" "bad/${data[0]}"; mv x "bad/${data[3]}"
heals "^damaged: .*${data[0]}.*swapped" "^damaged: .*${data[3]}.*swapped"
fresh; mv "bad/${data[1]}" "bad/${data[2]}"
heals "^missing: .*${data[1]}" "^damaged: .*${data[2]}.*renamed"
fresh; cp other/data-0000000.zst "bad/${data[0]}"
heals "^damaged: .*${data[0]}.*another corpus"
cmp other/data-0000000.zst "bad/${data[0]}.other" || fail "the foreign file was not kept"
fresh; cat "bad/${data[1]}" >"bad/${data[0]}"
heals "^damaged: .*${data[0]}.*(swapped|renamed)"

# The manifest, alone and with data.
fresh; rm bad/corpus.json
heals '^damaged: .*corpus\.json.*not there'
fresh; jq '.recipe.services = 11' good/corpus.json >bad/corpus.json
heals '^damaged: .*corpus\.json: .*line [0-9]+'
fresh; truncate -s 300 bad/corpus.json
heals '^damaged: .*corpus\.json'
sed 's/"seed": 7/"seed": 6/' good/corpus.json >x
fresh; cp x bad/corpus.json
heals '^damaged: .*corpus\.json.*should be .*"seed.*": 7'
fresh; cp x bad/corpus.json; truncate -s 1000 "bad/${data[0]}"; rm "bad/${data[3]}"
run spancorpus verify --heal bad
[ $rc -eq 0 ] || fail "$what: exit $rc: $(cat out err)"
grep -q "^good: .*$digest" out || fail "$what: $(cat out)"
for f in "${data[@]:0:3}"; do
	cmp "good/$f" "bad/$f"
done

# JSON says what was healed.
fresh; truncate -s 1000 "bad/${data[0]}"
ok spancorpus verify --heal --json bad
jq -e --arg d "$digest" '.result == "healed" and .digest == $d and .damaged == 0 and (.healed | length > 0)
	and (.findings | map(select(.file == "'"${data[0]}"'")) | length > 0)' out >/dev/null || fail "--json: $(cat out)"

# Cannot be healed: no copy of the recipe, or a program that makes another content. Left alone.
fresh; rm bad/corpus.json
for f in "${data[@]}"; do truncate -s 60 "bad/$f"; done
cp -R bad before
refuse 1 'no whole copy of the recipe' spancorpus verify --heal bad
diff -r before bad
rm -rf before
"$BIN/helper/split_corpus" one v9 9 || fail "split_corpus"
ok spancorpus verify v9
refuse 1 'content version 9, but .* makes [0-9]+' spancorpus verify --deep v9
truncate -s 1000 "v9/${data[0]}"
cp -R v9 before
refuse 1 'content version 9, but .* makes [0-9]+' spancorpus verify --heal v9
diff -r before v9

# A block that is whole and not the recipe's: only --deep sees it when the manifest agrees, and
# then it is this program that is another one.
"$BIN/helper/split_corpus" one forged "$(jq .content_version one/corpus.json)" 9 || fail "split_corpus"
ok spancorpus verify forged
run spancorpus verify --deep forged
[ $rc -eq 1 ] || fail "$what: exit $rc"
grep -q 'not what the recipe makes' out || fail "$what: $(cat out)"
cp -R forged before2
run spancorpus verify --deep --heal forged
[ $rc -eq 1 ] || fail "$what: exit $rc"
diff -r before2 forged

# A read-only folder is an error, not a loss.
if [ "$(id -u)" -ne 0 ]; then
	fresh; truncate -s 1000 "bad/${data[0]}"
	chmod a-w bad
	refuse 1 'cannot' spancorpus verify --heal bad
	chmod u+w bad
fi
refuse 2 'threads' spancorpus verify --threads 0 good
refuse 2 'unknown option' spancorpus verify --mend good
