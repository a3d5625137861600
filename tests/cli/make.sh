#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What make refuses to call a success: benchmarks and lint that looked at nothing.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

mkdir tree
cp "$SRC/Makefile" tree/
unset MAKEFLAGS MFLAGS MAKELEVEL

make_fails() { # REGEX ARGUMENT...
	local regex=$1
	shift
	if make -C tree O=o "$@" >out 2>err; then
		fail "make $*: exit 0: $(cat out)"
	fi
	grep -qE "$regex" err || fail "make $*: stderr does not match '$regex': $(cat err)"
}

make_fails '^bench: nothing to run' bench
make_fails '^lint: no-such-shellcheck not found' lint SHELLCHECK=no-such-shellcheck \
	CLANG_FORMAT=true CLANG_TIDY=true
