#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/banyandb starts a real server, says where it is, and ends it.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

tool=$SRC/tools/banyandb
[ -n "${BANYANDB_BIN:-}" ] || skip "SKIP: no server to start: BANYANDB_BIN=PROGRAM"
dir=$PWD/server
trap '"$tool" kill "$dir" || true' EXIT

address() {
	local pid
	eval "$("$tool" env "$dir")" # NAME=VALUE words
	pid=$BANYANDB_PID
	kill -0 "$pid" || fail "no process $pid"
	[ -d "$BANYANDB_DATA" ] || fail "no folder $BANYANDB_DATA"
	port=${BANYANDB_ADDR##*:}
}

for end in stop kill; do
	first=$("$tool" start "$BANYANDB_BIN" "$dir" 0)
	[ "$first" = "$("$tool" env "$dir")" ] || fail "start and env disagree: $first"
	address
	"$tool" wait "$dir" 5
	curl -fsS "${BANYANDB_METRICS:?}" >metrics
	grep -q '^banyandb_' metrics || fail "no metrics at $BANYANDB_METRICS"
	# Only loopback: every listener of the process.
	ss -Hltnp | grep "pid=$BANYANDB_PID," | awk '{print $4}' >listeners
	[ -s listeners ] || fail "the process listens nowhere"
	if grep -v '^127\.0\.0\.1:' listeners; then fail "listens beyond loopback"; fi
	rc=0
	"$tool" start "$BANYANDB_BIN" "$dir" 0 2>err || rc=$?
	[ $rc -eq 1 ] && grep -q 'runs here already' err || fail "two servers in one folder: $(cat err)"
	rc=0
	"$tool" start "$BANYANDB_BIN" "$PWD/other" "$port" 2>err || rc=$?
	[ $rc -eq 1 ] && grep -q 'in use' err || fail "two servers on one port: $(cat err)"
	"$tool" $end "$dir"
	if grep -q '^State:[[:space:]]*[^ZX]' "/proc/$BANYANDB_PID/status" 2>/dev/null; then
		fail "$end left process $BANYANDB_PID"
	fi
	"$tool" $end "$dir" || fail "$end of a server that is gone: not 0"
	rc=0
	"$tool" env "$dir" 2>err || rc=$?
	[ $rc -eq 1 ] || fail "env of a server that is gone: $rc"
done
