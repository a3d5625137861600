#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Progress of long runs: one line that rewrites itself on a terminal, silence in short runs
# elsewhere and under --quiet. How often lines come elsewhere is test_log's, with a clock of its own.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

command -v script >/dev/null || skip "no script(1) to give a terminal"

# shows COMMAND WORD: on a terminal COMMAND rewrites a line with share, rates and time left, whose
# bytes are WORD.
shows() {
	script -qec "$1" /dev/null >seen </dev/null || fail "$1: $(cat seen)"
	tr '\r' '\n' <seen >lines
	grep -Eq "^span[a-z]+: [0-9]+ %, [0-9:?]+ left, [0-9.]+k? of 20\.0k rows, [0-9.]+[kM]? rows/s, [0-9]+\.[0-9] MB/s $2"$'\e''\[K$' lines ||
		fail "$1: no progress line: $(cat lines)"
}

corpus=$PWD/c
shows "'$BIN/spangen' generate --spans 20000 --out '$corpus'" stored
shows "'$BIN/spancorpus' verify '$corpus'" read
shows "'$BIN/spancorpus' export --format csv '$corpus' >export.csv" out

# Not a terminal: these take no 10 s.
ok spancorpus verify c
[ ! -s err ] || fail "progress of a short run in a file: $(cat err)"
script -qec "'$BIN/spancorpus' verify --quiet '$corpus'" /dev/null >seen </dev/null
if grep -q 'rows/s' seen; then fail "--quiet: $(cat seen)"; fi
