#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Damage is found, named by file and block, and told apart from a partial corpus; a full disk is an error.
. "$SRC/tests/lib.sh"

small_corpus c --block-traces 50
file=data-0000000.zst
size=$(stat -c %s c/$file)

flip() { # flip OFFSET: a copy of the corpus in d with one bit of the data file flipped
	rm -rf d && cp -r c d
	python3 - "$1" <<'PY'
import sys
at = int(sys.argv[1])
data = bytearray(open("d/data-0000000.zst", "rb").read())
data[at] ^= 16
open("d/data-0000000.zst", "wb").write(data)
PY
}

for at in 3 $((size / 5)) $((size / 2)) $((size * 9 / 10)) $((size - 2)); do
	flip "$at"
	run spancorpus verify d
	[ $rc -eq 1 ] || fail "a flipped bit at $at: exit $rc: $(cat out err)"
	grep -q "$file" out err || fail "a flipped bit at $at: the file is not named: $(cat out err)"
	[ "$(wc -l <err)" -eq 1 ] || fail "a flipped bit at $at: $(cat err)"
done
# In the last block, the block is named too, and blocks before it can still be read.
flip $((size - 8000))
run spancorpus verify d
grep -Eq 'block [0-9]+' out || fail "the block is not named: $(cat out err)"
ok spancorpus cat --block 0 --limit 1 d

for keep in 0 100 $((size / 2)) $((size - 1)); do
	rm -rf d && cp -r c d
	truncate -s "$keep" d/$file
	run spancorpus verify d
	[ $rc -eq 1 ] || fail "cut to $keep bytes: exit $rc: $(cat out err)"
	grep -q "$file" out err || fail "cut to $keep bytes: the file is not named: $(cat out err)"
done

rm -rf d && cp -r c d
sed -i 's/"rows": *2000/"rows": 2001/' d/corpus.json
refuse 1 'corpus.json' spancorpus info d

for verb in 'info c' 'cat c' 'export --format csv c' 'export --format segments c' 'cat --block 0 --raw c' 'stats c'; do
	rc=0
	# shellcheck disable=SC2086 # words on purpose
	"$BIN/spancorpus" $verb >/dev/full 2>err || rc=$?
	what="spancorpus $verb >/dev/full"
	[ $rc -eq 1 ] || fail "$what: exit $rc: $(cat err)"
	one_message spancorpus 'standard output: cannot write'
done
