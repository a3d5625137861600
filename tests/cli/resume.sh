#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# spangen generate --resume: what it keeps, what it refuses, the lock. That it ends with the same
# bytes after any kill or fault is cli/kill's and cli/faults's.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

shape=(--spans 20000 --block-traces 50 --services 5 --instances 10 --operations 50 --seed 3 --file-bytes 1200k)
small=(--spans 2000 --services 5 --instances 10 --operations 50)
ok spangen generate "${shape[@]}" --title Mine --level 5 --quiet --out whole
[ "$(find whole -type f | wc -l)" -ge 4 ] || fail "too few data files: $(ls whole)"

# unfinished DIR: one that was killed, with data files, mostly a .part, and no manifest.
unfinished() {
	local n
	for n in {1..50}; do
		killed_early "$1"
		[ -e "$1/corpus.json" ] || return 0
	done
	fail "it ended before it was killed, $n times"
}

killed_early() {
	rm -rf "$1"
	"$BIN/spangen" generate "${shape[@]}" --title Mine --level 5 --quiet --threads 1 --out "$1" >out 2>err &
	local pid=$!
	until compgen -G "$1/data-*.zst" >/dev/null; do
		kill -0 $pid 2>/dev/null || break
		read -r -t 0.002 <> <(:) || true
	done
	kill -KILL $pid 2>/dev/null || true
	wait $pid 2>/dev/null || true
}

same() {
	diff -r whole "$1" >differs || fail "$what: $(cat differs)"
}

unfinished c
# Without --resume: refused, nothing touched.
(cd c && ls -l --time-style=full-iso data* corpus.unfinished) >before
refuse 1 'c: holds an unfinished corpus; go on with --resume, or remove it' \
	spangen generate "${shape[@]}" --out c
diff before <(cd c && ls -l --time-style=full-iso data* corpus.unfinished) || fail "$what: touched"
# Other options: usage, and the option is named.
refuse 2 '--seed asks for seed 4, but c has 3' spangen generate --resume --seed 4 --out c
refuse 2 '--scale asks for ' spangen generate --resume --scale large --out c
refuse 2 'another title' spangen generate --resume --title Yours --out c
# Readers say what it is.
refuse 1 'writing it was not finished' spancorpus info c
# All options left out: recipe, title, level and file size are those it was begun with.
ok spangen generate --resume --quiet --out c
same c
# Complete: says so, options repeated or not; another recipe is refused.
for o in '' '--seed 3' '--spans 20000 --title Mine'; do
	read -r -a more <<<"$o"
	ok spangen generate --resume "${more[@]}" --out c
	grep -q '^complete *nothing to do$' out || fail "$what: $(cat out)"
	same c
done
ok spangen generate --resume --json --out c
[ "$(field out was_complete)" = true ] || fail "$what: $(cat out)"
refuse 2 '--seed asks for seed 4, but c has 3' spangen generate --resume --seed 4 --out c
refuse 1 'is not empty: a complete corpus' spangen generate "${shape[@]}" --out c
rm c/data-0000000.zst
refuse 1 'complete, but damaged .*c/data-0000000.zst' spangen generate --resume --out c

# Repeated options; a data file that was removed or damaged; garbage at the end of the .part.
unfinished c
rm c/data-0000000.zst
ok spangen generate "${shape[@]}" --resume --quiet --out c --title Mine --level 5
same c
unfinished c
printf 'x' | dd of=c/data-0000000.zst bs=1 seek=50000 conv=notrunc status=none
refuse 1 'c/data-0000000.zst: damaged at byte .*remove it, and --resume makes it again' \
	spangen generate --resume --out c
rm c/data-0000000.zst
for f in c/data-*.part; do
	[ ! -e "$f" ] || head -c 100000 /dev/urandom >>"$f"
done
ok spangen generate --resume --quiet --out c
same c

# Nothing there: begun, if the options say what; otherwise perhaps mistyped.
refuse 2 'nothing to resume there; to begin a corpus, say which: --scale' spangen generate --resume --seed 3 --out new
[ ! -e new ] || fail "$what: left a folder"
ok spangen generate --resume "${small[@]}" --out new
mkdir empty
ok spangen generate --resume --recipe new/corpus.json --quiet --out empty
ok spancorpus diff new empty
mkdir foreign
echo mine >foreign/file
refuse 1 'foreign: exists already and is not empty \(file\)' spangen generate --resume "${small[@]}" --out foreign
[ "$(ls foreign)" = file ] || fail "$what: left $(ls foreign)"
# A checkpoint that is not ours.
mkdir odd
echo nonsense >odd/corpus.unfinished
refuse 1 'odd/corpus.unfinished: cannot go on from it' spangen generate --resume --out odd

# One writer at a time: the other names it. It would take minutes and is
# killed long before; the disk need not have room for the rest.
"$BIN/spangen" generate --scale large --ignore-space --quiet --threads 1 --out busy >out1 2>err1 &
pid=$!
trap 'kill -KILL $pid 2>/dev/null || true' EXIT
until compgen -G 'busy/corpus.unfinished' >/dev/null; do
	kill -0 $pid 2>/dev/null || fail "it ended: $(cat err1)"
	read -r -t 0.01 <> <(:) || true
done
refuse 1 "^spangen: busy/corpus.lock: in use by process $pid on " spangen generate --resume --out busy
refuse 1 "busy/corpus.lock: in use by process $pid on " spangen generate "${small[@]}" --out busy
kill -0 $pid || fail "the first one ended: $(cat err1)"
kill -KILL $pid
wait $pid 2>/dev/null || true
# The lock ended with it: the same folder can be taken, and an interrupt leaves it resumable.
[ -e busy/corpus.lock ] || fail "no lock file to be stale"
refuse 2 '--seed asks' spangen generate --resume --seed 9 --out busy
[ ! -e busy/corpus.lock ] || fail "the lock file stays"
