#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# spangen's two verbs: what they print, which defaults follow from which option, what they
# refuse, and an interrupt.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

# says REGEX: a line of ./out matches.
says() {
	grep -Eq -- "$1" out || fail "$what: no /$1/ in: $(cat out)"
}

# plan: the three scales, and what an option left out follows from.
ok spangen plan --scale small
says '^rows +100000 in 10000 traces, 10\.00 per trace$'
says '^services +100, 500 instances, 1000 operations$'
says '^window +1\.0 h$'
for line in '^blocks +20 of 500' '^row +[0-9.]+ bytes' '^disk .*per row$' '^memory ' '^time ' \
	'^stream .*disk.* at 4500 spans/s$' '^trace .*disk.* at 14000 spans/s$'; do
	says "$line"
done
# As docs/server-bytes.md has it.
ok spangen plan --scale small --json
[ "$(jq -c '[.row_bytes_all as $all | .replay[] | .model, ($all * 100 / .server_bytes | round)]' out)" = \
	'["stream",420,"trace",340]' ] || fail "$what: $(jq -c .replay out) of $(jq .row_bytes_all out) bytes"
ok spangen plan --scale medium --rate 1000
says '^rows +10000000 in 1000000 traces, 10\.00 per trace$'
says '^services +1000, 5000 instances, 1000 operations$'
says '^trace .* 2\.7 h at 1000 spans/s$'
ok spangen plan --traces 30k
says '^rows +300000 in 30000 traces'
ok spangen plan --spans 2000
says '^rows +2000 in 200 traces'
says '^services +10, 50 instances, 100 operations$'
ok spangen plan --spans 5000 --services 20 --operations 50
says '^services +20, 100 instances, 50 operations$'
ok spangen plan --spans 12345 --traces 1000
says '^rows +12345 in 1000 traces, 12\.34 per trace$'

# generate: exact counts, whatever the shape.
ok spangen generate --spans 30000 --traces 1500 --errors 12.5 --order arrival --seed 5 --out c --quiet
[ ! -s err ] || fail "--quiet: $(cat err)"
says '^digest +[0-9a-f]{32}$'
says '^rows +30000 in 1500 traces, 3 blocks$'
says '^bytes +[0-9]+ in 1 data files, [0-9.]+ per row$'
ok spancorpus verify --rows c
grep -q '3750 in error' out || fail "verify does not count 3750 errors: $(cat out)"
ok spancorpus info --json c
[ "$(field out rows)" = 30000 ] || fail "info: $(field out rows) rows"

# Refused, with the option to change.
refuse 2 '8\.00\.\.33\.00.*--spans must be 800\.\.3300' spangen plan --spans 700 --traces 100
refuse 2 '--spans' spangen plan --spans 3301 --traces 100
refuse 2 'operations are too many.*--operations' spangen plan --spans 2000 --operations 1000
refuse 2 'services are too many.*--services' spangen plan --spans 2000 --services 900
refuse 2 '--instances' spangen plan --instances 99
refuse 2 '--row-bytes 500 .*expected [0-9]+\.\.65536' spangen plan --spans 2000 --row-bytes 500
refuse 2 "no argument 'word'" spangen plan word
refuse 2 '--out' spangen generate --out ''
refuse 1 '^spangen: not-there/corpus: the folder that it shall be in does not exist.*mkdir -p' \
	spangen generate --spans 2000 --out not-there/corpus

# Interrupted: one line says so and how to go on, exit 1. Generation of this size takes long enough
# that the .part file is seen first.
for signal in INT TERM; do
	# A background job ignores SIGINT unless job control is on.
	set -m
	"$BIN/spangen" generate --scale medium --threads 1 --out stopped --quiet >out 2>err &
	pid=$!
	set +m
	until compgen -G 'stopped/data-*.part' >/dev/null; do
		kill -0 $pid 2>/dev/null || break
		read -r -t 0.05 <> <(:) || true
	done
	kill -$signal $pid 2>/dev/null || true
	rc=0
	wait $pid || rc=$?
	what="spangen generate, $signal"
	[ $rc -ne 1 ] && grep -q 'No space' err && skip "not enough disk for the interrupt"
	[ $rc -eq 1 ] || fail "$what: exit $rc: $(cat err)"
	if grep -q 'No space' err; then skip "too little free disk for the interrupt; the rest passed"; fi
	one_message spangen '^spangen: stopped: interrupted at block [0-9]+ of 2000; --resume goes on'
	[ "$(echo stopped/*)" = 'stopped/corpus.unfinished stopped/data-0000000.zst.part' ] ||
		fail "$what: left $(echo stopped/*)"
	rm -rf stopped
done

# Numbers that no recipe can have are a matter of usage.
refuse 2 '5000 traces need more than 1000 spans' spangen generate --spans 1000 --traces 5000 --out never
[ ! -e never ] || fail "a refused recipe left a folder"
