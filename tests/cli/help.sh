#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every program and verb: --help, --version, and a usage error's exit code and single line.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

version=$(sed -n 's/^VERSION := //p' "$SRC/Makefile")

for p in spangen spancorpus spanreplay spansink; do
	ok $p --help
	[ -s out ] || fail "$p --help: nothing on stdout"
	[ ! -s err ] || fail "$p --help: stderr: $(cat err)"
	grep -q "$p" out || fail "$p --help does not name the program"
	awk 'length > 110 { exit 1 }' out || fail "$p --help: a line of more than 110 columns"

	ok $p --version
	grep -q "^$p $version" out || fail "$p --version: $(cat out)"
	[ "$(wc -l <out)" -eq 1 ] || fail "$p --version: more than one line"

	refuse 2 '--no-such-option' $p --no-such-option
	[ ! -s out ] || fail "$p: a usage error writes to stdout"

	rc=0
	"$BIN/$p" --help >/dev/full 2>err || rc=$?
	what="$p --help >/dev/full"
	[ $rc -eq 1 ] || fail "$what: exit $rc"
	one_message $p 'No space left|cannot be written'
done
ok spangen --version
grep -Eq 'content( version)? [0-9]' out || fail "spangen --version does not name the content version"

for p in spangen spancorpus spanreplay; do
	refuse 2 . $p
	refuse 2 'nonsense' $p nonsense
done

verbs='spangen plan
spangen generate
spancorpus info
spancorpus verify
spancorpus stats
spancorpus cat
spancorpus export
spancorpus diff
spanreplay schema apply
spanreplay write
spanreplay check
spanreplay count'
while read -r p v; do
	# shellcheck disable=SC2086 # schema has a second word
	ok "$p" $v --help
	grep -q -- '--' out || fail "$p $v --help lists no option"
	# shellcheck disable=SC2086
	refuse 2 '--no-such-option' "$p" $v --no-such-option
	grep -q "${v%% *}" <("$BIN/$p" --help) || fail "$p --help does not list $v"
done <<<"$verbs"

# Values out of range, of the wrong kind, missing, given twice.
refuse 2 '--seed' spangen plan --seed
refuse 2 '--seed.*' spangen plan --seed x
refuse 2 '--spans' spangen plan --spans -5
refuse 2 '--scale.*(small|medium|large)' spangen plan --scale tiny
refuse 2 '--window' spangen plan --window 5
refuse 2 '--seed' spangen plan --seed 1 --seed 2
refuse 2 '--block-traces|block' spangen plan --block-traces 7
refuse 2 '--out' spangen generate --scale small
refuse 2 '--seed' spangen plan --sed 1
refuse 2 '--model' spanreplay count --server 127.0.0.1:1
refuse 2 '--model.*(stream|trace)' spanreplay count --server 127.0.0.1:1 --model measure
refuse 2 '--server' spanreplay count --model stream --server nonsense
