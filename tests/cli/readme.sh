#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# README's own commands, in its order: every ```sh block under a `<!-- test -->`. The block marked
# `<!-- test: server -->` is replaced by the same server on a free port.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

mkdir build
ln -s "$BIN" build/release
ln -s "$SRC/schemas" schemas

awk '
/^<!-- test/ { marked = /server/ ? 2 : 1; next }
/^```sh$/ && marked { inside = marked; marked = 0; next }
/^```$/ { inside = 0 }
inside == 1
inside == 2 { print > "server" }
/[^ ]/ && !inside { marked = 0 }
' "$SRC/README.md" >commands
[ "$(grep -c build/release commands)" -ge 8 ] || fail "README has fewer marked commands than expected"
grep -qx 'build/release/spansink --listen 127.0.0.1:17912 --db sink.db &' server ||
	fail "the marked server is another one now: $(cat server)"

start_sink --db sink.db
sed -i "s/127\.0\.0\.1:17912/$ADDR/g" commands
rc=0
bash -e -x commands >out 2>&1 || rc=$?
[ $rc -eq 0 ] || fail "exit $rc: $(tail -n 30 out)"
[ "$(field results.json ledger.acked)" = 20000 ] || fail "README's write acked $(jq -c .ledger results.json)"
