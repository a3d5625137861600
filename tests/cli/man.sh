#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The man pages against --help: every option of a verb stands in its part of the page, and the
# page has no other; every verb is there; mandoc has nothing to complain of; install puts them
# where man(1) looks.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

man=$SRC/docs/man

# of_help PROGRAM VERB: its options, a line each.
of_help() {
	ok "$1" "$2" --help
	sed -n 's/^  --\([a-z0-9-]*\).*/\1/p' out | grep -vx -e help -e version | sort
}

# of_page PAGE SECTION...: the options of these sections or subsections.
of_page() {
	local page=$man/$1
	shift
	for section; do
		awk -v want="$section" '/^\.S[hs] / { on = substr($0, 5) == want; seen = seen || on }
			on && /^\.It Fl -/ { sub(/^-/, "", $3); print $3 }
			END { exit !seen }' "$page" || fail "$page: no section $section"
	done | sort
}

# same WHAT HELP PAGE
same() {
	diff <(echo "$2") <(echo "$3") >differs ||
		fail "$1: < only in --help, > only in the man page: $(grep '^[<>]' differs | tr '\n' ' ')"
}

common=('CONTENT OPTIONS' 'WORK OPTIONS')
same 'spangen plan' "$(of_help spangen plan)" "$(of_page spangen.1 "${common[@]}" 'PLAN OPTIONS')"
same 'spangen generate' "$(of_help spangen generate)" "$(of_page spangen.1 "${common[@]}" 'GENERATE OPTIONS')"

# verbs PROGRAM: as its --help lists them.
verbs() {
	ok "$1" --help
	sed -n '/^Verbs/,/^$/s/^  \([a-z]*\) .*/\1/p' out
}
[ "$(verbs spangen | tr '\n' ' ')" = 'plan generate ' ] || fail "other verbs of spangen: $(verbs spangen)"
for v in $(verbs spancorpus); do
	same "spancorpus $v" "$(of_help spancorpus "$v")" "$(of_page spancorpus.1 "$v")"
done
same 'verbs of spancorpus' "$(verbs spancorpus | sort)" "$(sed -n 's/^\.Ss //p' "$man/spancorpus.1" | sort)"

# Installed by itself, from a tree that has nothing else.
mkdir -p tree/docs
cp "$SRC/Makefile" tree/
cp -r "$man" tree/docs/
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C tree install-man DESTDIR="$PWD/root" PREFIX=/usr >out 2>err ||
	fail "make install-man: $(cat err)"
for f in man1/spangen.1 man1/spancorpus.1 man5/corpus.5; do
	cmp "root/usr/share/man/$f" "$man/${f#*/}" || fail "$f is not installed"
done

if command -v mandoc >/dev/null; then
	(cd "$man" && mandoc -W style -T lint ./*.[15]) >lint 2>&1 || fail "mandoc: $(cat lint)"
	mandoc -T utf8 "$man/corpus.5" >page
	grep -q 'seek table' page || fail "corpus.5 prints as: $(cat page)"
fi
