#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What tools/banyandb says when there is no server to run: exit code, one line, nothing left.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

# says EXIT REGEX ARG...
says() {
	local want=$1 regex=$2 rc=0
	shift 2
	"$SRC/tools/banyandb" "$@" >out 2>err || rc=$?
	[ $rc -eq "$want" ] || fail "banyandb $*: exit $rc, not $want: $(cat err)"
	grep -Eq -- "$regex" err || fail "banyandb $*: no /$regex/ in: $(cat err)"
	[ "$(grep -c . err)" -eq 1 ] || fail "banyandb $*: not one line: $(cat err)"
}

"$SRC/tools/banyandb" --help >out
for verb in start wait stop kill env; do
	grep -q "banyandb $verb " out || fail "--help does not mention $verb"
done
if grep -q '^set ' out; then fail "--help runs into the code"; fi

says 2 'say what to do'
says 2 'unknown command nonsense' nonsense
says 2 'BINARY and DIR' start
says 2 'BINARY and DIR' start "$PWD/server"
says 2 'PORT is a number' start false dir port
says 2 'ends? at 65535' start false dir 65530
says 2 'come after --' start false dir 0 --flag
for verb in wait stop kill env; do
	says 2 'need' $verb
	says 1 'no such folder' $verb nowhere
	says 1 'no server was started' $verb .
done
says 1 'no-such-program: no such program' start no-such-program dir
says 1 'is it a BanyanDB server' start false dir
[ ! -e dir ] || fail "a folder was made for a program that is no server"
# A program that takes the flags and ends: said after a moment, not after 30 s.
SECONDS=0
says 1 'the server ended' start true dir 0
[ $SECONDS -lt 15 ] || fail "it took $SECONDS s to see that the server had ended"
