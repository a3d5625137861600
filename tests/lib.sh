# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the script tests share; each starts with `. "$SRC/tests/lib.sh"`. A test is a list of
# statements of what must hold; the first that does not ends it with a message and exit 1.

set -euo pipefail
export LC_ALL=C TZ=UTC

fail() {
	echo "${0##*/}:${BASH_LINENO[${#BASH_LINENO[@]} - 2]}: $*"
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

# run PROGRAM ARG...: runs $BIN/PROGRAM; exit code in $rc, streams in ./out and ./err. Never fails.
run() {
	local prog=$1
	shift
	rc=0
	"$BIN/$prog" "$@" >out 2>err || rc=$?
	what="$prog $*"
}

# ok PROGRAM ARG...: as run, and the exit code must be 0.
ok() {
	run "$@"
	[ $rc -eq 0 ] || fail "$what: exit $rc: $(cat err)"
}

# refuse EXIT REGEX PROGRAM ARG...: must end with EXIT and one message on stderr, "PROGRAM: ..."
# on one line, that matches the extended REGEX, whatever progress was shown before it.
refuse() {
	local code=$1 regex=$2
	shift 2
	run "$@"
	[ $rc -eq "$code" ] || fail "$what: exit $rc, not $code: $(cat err)"
	one_message "$1" "$regex"
}

# one_message PROGRAM REGEX: what refuse wants of ./err.
one_message() {
	[ "$(grep -c . err)" -eq 1 ] || fail "$what: not one line on stderr: $(cat err)"
	grep -q "^$1: ." err || fail "$what: no '$1: ' in front: $(cat err)"
	grep -Eq -- "$2" err || fail "$what: no /$2/ in: $(cat err)"
	if [ "$(wc -L <err)" -gt 600 ]; then fail "$what: a message of $(wc -L <err) columns"; fi
}

# small_corpus DIR [OPTION]...: 2,000 rows in DIR, quick enough for any test; seed 7 unless given.
small_corpus() {
	local dir=$1 seed=(--seed 7)
	shift
	[[ " $* " != *' --seed '* ]] || seed=()
	ok spangen generate --spans 2000 --services 20 --instances 40 --operations 100 --out "$dir" \
		"${seed[@]}" "$@"
}

# start_sink [OPTION]...: spansink on a free loopback port; ADDR is where, SINK_PID who. It ends
# with the test. Its first line on stdout says the address, so nobody has to guess or wait.
SINK_PID=
start_sink() {
	local line
	exec {sink_fd}< <(exec "$BIN/spansink" --listen 127.0.0.1:0 "$@" 2>sink.err)
	SINK_PID=$!
	trap stop_sink EXIT
	IFS= read -r -t 60 line <&"$sink_fd" || fail "spansink did not start: $(cat sink.err)"
	# shellcheck disable=SC2034 # for the test
	ADDR=$(grep -Eo '127\.0\.0\.1:[0-9]+' <<<"$line") || fail "spansink printed no address: $line"
}

stop_sink() {
	[ -n "$SINK_PID" ] || return 0
	kill "$SINK_PID" 2>/dev/null || true
	wait "$SINK_PID" 2>/dev/null || true
	SINK_PID=
	exec {sink_fd}<&-
}

# field FILE PATH: a number or text from JSON.
field() {
	jq -e -r ".$2" "$1" || fail "$1 has no $2"
}
