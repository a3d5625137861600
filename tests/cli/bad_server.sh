#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 180
# spanreplay against no server, the wrong server, a server that resets, without a schema, with
# bad options, bad schema files and nowhere to put results: exit code and one line each.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

small_corpus corpus
ln -s "$SRC/schemas" schemas
here="--server 127.0.0.1:1" # nothing listens there
w="spanreplay write --corpus corpus --bulk 100"

# Nobody there: says where, in bounded time, for every verb that talks.
for model in stream trace; do
	while read -r line; do
		# shellcheck disable=SC2086
		refuse 1 '127\.0\.0\.1:1' spanreplay $line --model $model $here
	done <<-'END'
		schema apply
		schema check
		schema drop
		write --corpus corpus --bulk 100
		count
		check --corpus corpus --epoch 2026-01-01T00:00:00Z
	END
done

# Another machine needs the flag; it is refused before anything is sent.
for server in 192.0.2.1:17912 example.invalid:17912 0.0.0.0:17912; do
	# shellcheck disable=SC2086
	refuse 2 "$server.*--allow-remote|--allow-remote.*$server" $w --model trace --server $server
	refuse 2 '--allow-remote' spanreplay schema apply --model stream --server $server
	refuse 2 '--allow-remote' spanreplay count --model stream --server $server
done

# shellcheck disable=SC2086
{
	refuse 2 '--model.*(stream|trace)' $w --model traces $here
	refuse 2 '--server' $w --model trace --server 127.0.0.1
	refuse 2 '--server' $w --model trace --server 127.0.0.1:99999
	refuse 2 '--bulk' $w --model trace $here --bulk 0
	refuse 2 '--concurrency' spanreplay write --corpus corpus --model trace $here --concurrency 0
	refuse 2 '--rate' $w --model trace $here --rate fast
	refuse 2 '--epoch|not a time' $w --model trace $here --epoch 2026-13-01T00:00:00Z
	refuse 2 '--epoch' spanreplay check --corpus corpus --model trace $here
	refuse 2 '--epoch' spanreplay check --corpus corpus --model trace $here --epoch now
	refuse 2 '--corpus' spanreplay write --model trace $here
	refuse 2 '--server' spanreplay write --model trace --corpus corpus
}

start_sink --db sink.db
there="--server $ADDR"

# No schema, or the other model's.
# shellcheck disable=SC2086
{
	run $w --model stream $there
	[ $rc -eq 1 ] || [ $rc -eq 3 ] || fail "write without a schema: exit $rc: $(cat err)"
	grep -q 'schema apply' err || fail "write without a schema: no remedy: $(cat err)"
	refuse 1 'stream' spanreplay schema check --model stream $there
	ok spanreplay schema apply --model trace $there
	ok spanreplay schema check --model trace $there
	run $w --model stream $there
	[ $rc -ne 0 ] || fail "a stream written to a server that only has the trace schema"
	[ "$(ok spanreplay count --model trace $there; cat out)" = 0 ] || fail "rows arrived: $(cat out)"
}

# Bad schema files.
rm schemas
cp -R "$SRC/schemas" schemas
find schemas -name '*.json' >files
[ -s files ] || fail "no schema files in schemas/"
while read -r f; do
	cp "$f" kept
	for bad in '' '{' '[]' '{"unknown": 1}'; do
		# No rule and no binding is a schema without indexes, which one may want.
		[ "$bad" != '[]' ] || [[ $f != *_index_* ]] || continue
		printf '%s' "$bad" >"$f"
		model=stream
		case $f in *trace*) model=trace ;; esac
		run spanreplay schema apply --model $model --schemas schemas --server "$ADDR"
		[ $rc -eq 1 ] || fail "$f holding '$bad': exit $rc: $(cat err)"
		one_message spanreplay "${f##*/}|schema files in schemas: ."
	done
	cp kept "$f"
done <files
refuse 1 'nowhere' spanreplay schema apply --model trace --schemas nowhere --server "$ADDR"

# Results that cannot be put where asked: said before the run, not after it.
# shellcheck disable=SC2086
refuse 1 'no/such/results\.json' $w --model trace $there --results no/such/results.json
# shellcheck disable=SC2086
[ "$(ok spanreplay count --model trace $there; cat out)" = 0 ] || fail "it wrote before it looked at --results"
rc=0
# shellcheck disable=SC2086
"$BIN/spanreplay" write --corpus corpus --model trace $there --limit 100 >/dev/full 2>err || rc=$?
what='spanreplay write >/dev/full'
[ $rc -eq 1 ] || fail "$what: exit $rc: $(cat err)"
stop_sink

# A server that takes the connection and resets it: an error, and no row acked.
rm -f results.json
cat >resets.py <<'END'
import socket, struct, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(64)
print("127.0.0.1:%d" % s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
    c.recv(24)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
END
exec {reset_fd}< <(exec python3 resets.py)
SINK_PID=$!
sink_fd=$reset_fd
trap stop_sink EXIT
IFS= read -r -t 30 ADDR <&"$reset_fd" || fail "the resetting server did not start"
# shellcheck disable=SC2086
run $w --model trace --server "$ADDR"
[ $rc -eq 1 ] || [ $rc -eq 3 ] || fail "a server that resets: exit $rc: $(cat err)"
grep -q "^spanreplay: .*$ADDR" err || fail "a server that resets: no address in: $(cat err)"
[ ! -e results.json ] || [ "$(jq .ledger.acked results.json)" = 0 ] || fail "acked by a server that resets"
refuse 1 "$ADDR" spanreplay count --model trace --server "$ADDR"

# spansink's own.
refuse 2 '--listen' spansink --listen nonsense
refuse 1 'nowhere/sink\.db' spansink --listen 127.0.0.1:0 --db nowhere/sink.db
refuse 2 '--db|--null' spansink --listen 127.0.0.1:0 --db x --null
head -c 8192 /dev/urandom >foreign.db
refuse 1 'foreign\.db' spansink --listen 127.0.0.1:0 --db foreign.db
run spansink --listen 0.0.0.0:0 --null
[ $rc -eq 2 ] || fail "spansink listens beyond loopback: exit $rc"
