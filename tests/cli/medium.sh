#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# A small `make check-medium` passes; it fails when a claim is broken, when rows are, and when ids
# are not looked at. And stats says the same whatever the number of threads.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

[ -x /usr/bin/time ] || skip "no /usr/bin/time"

# check DIR: with the programs there.
check() {
	rc=0
	mkdir run
	(cd run && BIN=$1 CHECK_ROWS=20000 "$SRC/tests/check_medium.sh") >out 2>err || rc=$?
	last=$(tail -n 1 out)
	[ "${2:-}" = keep ] || rm -rf run
}

check "$BIN" keep
[ $rc -eq 0 ] && [ "$last" = "check-medium: passed" ] || fail "exit $rc: $(cat out err)"
grep -Eq '^check-medium: 20000 rows, 22000 ids unique, [0-9]+ claims, 0 broken$' out || fail "$(cat out)"
for name in generate verify stats; do
	grep -Eq "^$name +exit 0, [0-9.]+ s, [0-9.]+ s of CPU, [0-9.]+ us of CPU a row, [0-9.]+ MiB resident$" out ||
		fail "no figures of $name: $(cat out)"
done

for threads in 1 3; do
	ok spancorpus stats --quiet --threads $threads run/corpus
	mv out stats.$threads
done
cmp stats.1 stats.3 || fail "stats with 3 threads says something else"
refuse 2 'threads' spancorpus stats --threads 0 run/corpus
rm -rf run

# stand_in FILTER: a spancorpus whose stats go through a jq filter.
stand_in() {
	rm -rf bin && mkdir bin && ln -s "$BIN/spangen" bin/
	printf '#!/bin/bash\nif [ "$1" = stats ]; then "%s" "$@" | jq %q; else exec "%s" "$@"; fi\n' \
		"$BIN/spancorpus" "$1" "$BIN/spancorpus" >bin/spancorpus
	chmod +x bin/spancorpus
	check "$PWD/bin"
	[ $rc -eq 1 ] || fail "$1: exit $rc: $(cat out err)"
}
stand_in '.claims[7].holds = false'
[ "$last" = "check-medium: FAILED: 1 claims" ] || fail "a broken claim: $last"
stand_in '.claims |= map(select(.claim | startswith("ids of 16") | not))'
[[ $last = "check-medium: FAILED: "* ]] || fail "ids not looked at: $last"
