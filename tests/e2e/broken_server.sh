#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 180
# Connections that are cut in the middle of a write, a server that is killed, Ctrl-C in an open
# loop: the run ends in bounded time, says why in one line, every row has one fate, and the server
# holds all acked rows and none but acked and lost ones.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

PROXY_PID=
stop_proxy() {
	[ -n "$PROXY_PID" ] || return 0
	kill "$PROXY_PID" 2>/dev/null || true
	wait "$PROXY_PID" 2>/dev/null || true
	PROXY_PID=
}
cleanup() {
	[ -z "${pid:-}" ] || kill "$pid" 2>/dev/null || true
	stop_proxy
	stop_sink
}

# start_proxy N MODE [HOW_MANY]: $PROXY leads to the sink; its lines are in ./proxy.out.
start_proxy() {
	local line
	stop_proxy
	mkfifo proxy.fifo proxy.in
	python3 "$SRC/tests/e2e/cut_proxy.py" "$ADDR" "$@" <proxy.in > >(tee proxy.out >proxy.fifo) 2>proxy.err &
	PROXY_PID=$!
	exec 8>proxy.in 9<proxy.fifo
	IFS= read -r -t 60 line <&9 || fail "the proxy did not start: $(cat proxy.err)"
	PROXY=${line#listening on }
	rm proxy.fifo proxy.in
}

# server_count MODEL: what the sink itself says.
server_count() {
	"$BIN/spanreplay" count --model "$1" --server "$ADDR"
}

# settles FILE BEFORE AFTER: the ledger adds up and agrees with the server.
settles() {
	local n=$(($3 - $2))
	jq -e '.ledger | .rows == .acked + .rejected + .lost + .unsent and
		.unsent == ([.unsent_by[]] | add // 0)' "$1" >/dev/null || fail "$what: ledger: $(cat "$1")"
	jq -e ".ledger | .acked <= $n and $n <= .acked + .lost" "$1" >/dev/null ||
		fail "$what: the server has $n rows more: $(cat "$1")"
	jq -e '(.holds | not) and (.reason | length > 0)' "$1" >/dev/null || fail "$what: holds: $(cat "$1")"
}

# one_line REGEX: the one message on stderr, beside the warnings that the group has rows or cannot be counted.
one_line() {
	sed -i -e '/: warning: group .* already holds/d' -e '/: warning: no count after the run/d' err
	one_message spanreplay "$1"
}

# broken_write MODEL OPTION...: a write through the proxy that must end with 3 and one line, in time.
broken_write() {
	local model=$1 before after began=$SECONDS
	shift
	before=$(server_count "$model")
	run spanreplay write --quiet --model "$model" --corpus corpus --server "$PROXY" --results cut.json "$@"
	[ $rc -eq 3 ] || fail "$what: exit $rc: $(cat err)"
	one_line 'does not hold.*(lost|unsent).*first failure: [A-Z_]+: .'
	[ $((SECONDS - began)) -lt 30 ] || fail "$what: took $((SECONDS - began)) s"
	after=$(server_count "$model")
	settles cut.json "$before" "$after"
	[ "$(wc -l <proxy.out)" -gt 1 ] || fail "$what: the proxy broke nothing"
}

small_corpus corpus # 10 MB on the wire
start_sink --db sink.db
trap cleanup EXIT
for model in stream trace; do
	ok spanreplay schema apply --model $model --server "$ADDR" --schemas "$SRC/schemas"
done

for model in stream trace; do
	# One cut in the middle: what was in flight is lost, what was acked stays.
	start_proxy 3000000 cut 1
	broken_write $model --bulk 100 --concurrency 4 --timeout 5s
	jq -e '.ledger | .acked > 0 and .lost > 0 and .rejected == 0' cut.json >/dev/null ||
		fail "$model, one cut: $(cat cut.json)"
	[ "$(wc -l <proxy.out)" -eq 2 ] || fail "$model: not one cut: $(cat proxy.out)"

	# Each connection is cut.
	start_proxy 1000000 cut
	broken_write $model --bulk 10 --concurrency 8 --timeout 5s
	jq -e '.ledger.acked > 0' cut.json >/dev/null || fail "$model, cuts: $(cat cut.json)"

done
# Open loop through cuts.
start_proxy 1000000 cut 3
broken_write trace --bulk 10 --rate 4000 --timeout 5s
stop_proxy

# In the background; returns when rows have arrived.
begin_write() { # MODEL OPTION...
	local model=$1 before now
	shift
	before=$(server_count "$model")
	what="spanreplay write --model $model $*"
	rm -f back.json
	"$BIN/spanreplay" write --quiet --model "$model" --corpus corpus --server "$ADDR" --bulk 10 --timeout 5s \
		--results back.json "$@" >out 2>err &
	pid=$!
	for ((i = 0; i < 1000; i++)); do
		now=$(server_count "$model")
		[ "$now" = "$before" ] || return 0
	done
	fail "$what: no rows arrive: $(cat err)"
}
end_write() { # LIMIT_S: waits for its end; exit code in $rc
	local began=$SECONDS
	rc=0
	wait "$pid" || rc=$?
	pid=
	[ $((SECONDS - began)) -lt "$1" ] || fail "$what: took $((SECONDS - began)) s to end"
}

for model in stream trace; do
	# kill -9: no goodbye. The database is taken up by the next sink, which knows what was stored.
	before=$(server_count $model)
	begin_write $model --rate 400
	kill -9 "$SINK_PID"
	end_write 60
	stop_sink
	[ $rc -eq 3 ] || fail "$what: exit $rc: $(cat err)"
	grep -q '^PARTIAL' out || fail "$what: not marked as partial: $(cat out)"
	one_line 'does not hold: .*(lost|unsent).*UNAVAILABLE'
	jq -e '.partial and .ledger.acked > 0 and .ledger.unsent > 0' back.json >/dev/null ||
		fail "$what: $(cat back.json)"
	start_sink --db sink.db
	trap cleanup EXIT
	settles back.json "$before" "$(server_count $model)"

	# Ctrl-C: what is in flight ends well, the rest stays, at once.
	before=$(server_count $model)
	begin_write $model --rate 100
	kill -INT "$pid"
	end_write 5
	[ $rc -eq 3 ] || fail "$what: exit $rc: $(cat err)"
	one_line 'does not hold.*unsent'
	grep -q '^PARTIAL: stopped by a signal' out || fail "$what: not marked as partial: $(cat out)"
	grep -Eq '^rows 2000: acked [1-9]' out || fail "$what: no report: $(cat out)"
	jq -e '.partial and (.ledger | .acked > 0 and .lost == 0 and .unsent_by.stopped == .unsent)' back.json \
		>/dev/null || fail "$what: $(cat back.json)"
	settles back.json "$before" "$(server_count $model)"
done
