#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# The digest of a small corpus is the one written down here, and nothing that must not enter
# content does: threads, time zone, locale, compression level, folder, titles.
# Frozen with content version 1: whoever must change this line changes content, which needs a
# new content version.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

golden=a394f20106fde951feaa05981073ba2d

digest() {
	local dir=$1
	shift
	ok spangen generate --spans 2000 --seed 1 --block-traces 25 --out "$dir" "$@"
	sed -n 's/^digest  *//p' out
}

first=$(digest threads1 --threads 1)
[ "$first" = $golden ] || fail "the digest of --spans 2000 --seed 1 --block-traces 25 is $first, not $golden"
for n in 2 3; do
	[ "$(digest threads$n --threads $n)" = $golden ] || fail "$n threads: another digest"
	cmp threads1/data-0000000.zst threads$n/data-0000000.zst || fail "$n threads: other bytes"
done
export TZ=Pacific/Chatham
[ "$(digest tz)" = $golden ] || fail "TZ=$TZ: another digest"
export TZ=UTC LC_ALL=tr_TR.UTF-8 LANG=tr_TR.UTF-8
[ "$(digest locale 2>/dev/null)" = $golden ] || fail "LC_ALL=$LC_ALL: another digest"
export LC_ALL=C
[ "$(digest level --level 1)" = $golden ] || fail "--level 1: another digest"
[ "$(digest about --title T --description D --licence L)" = $golden ] ||
	fail "title, description and licence enter the digest"

# The recipe does enter.
ok spangen generate --spans 2000 --seed 2 --block-traces 25 --out seed2
[ "$(sed -n 's/^digest  *//p' out)" != $golden ] || fail "--seed 2: the same digest"
ok spangen generate --spans 2000 --seed 1 --block-traces 50 --out blocks
[ "$(sed -n 's/^digest  *//p' out)" != $golden ] || fail "--block-traces 50: the same digest"

# And the corpus says the same of itself.
ok spancorpus info --json threads1
[ "$(field out digest)" = $golden ] || fail "info --json: $(field out digest)"
