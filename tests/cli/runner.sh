#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The runner itself: counts, closing line, exit code, fresh folders, timeout, and zero tests.
set -eu

mkdir -p src/tests/cli src/tests/unit/common bin/tests/common
t() {
	printf '#!/bin/sh\n%s\n' "$2" >"src/tests/cli/$1.sh"
	chmod +x "src/tests/cli/$1.sh"
}
run() {
	rc=0
	"$SRC/tests/run.sh" --bin bin --src src "$@" >out 2>err || rc=$?
}
want() { # EXIT LAST-LINE
	if [ "$rc" != "$1" ] || [ "$(tail -n 1 out)" != "$2" ]; then
		echo "wanted exit $1 and '$2', got exit $rc and:"
		cat out err
		exit 1
	fi
}

run
want 1 '0 passed, 0 failed'
# shellcheck disable=SC2016
t fresh 'test -z "$(ls -A)" && test -x "$BIN" && test -d "$SRC/tests" && touch mine'
t fresh2 'test -z "$(ls -A)" && touch mine'
run
want 0 '2 passed, 0 failed'
t skips 'echo because; exit 77'
run
want 0 '2 passed, 0 failed, 1 skipped'
grep -q '^skip cli/skips .*because$' out
t fails 'echo told; exit 3'
run
want 1 '2 passed, 1 failed, 1 skipped'
grep -q '| told$' out
run fresh skips
want 0 '2 passed, 0 failed, 1 skipped'
rm src/tests/cli/fails.sh
t slow '# TIMEOUT: 1
exec sleep 60'
run --timeout 60 slow
want 1 '0 passed, 1 failed'
grep -q timeout out
# A unit test whose program was not built is a failure, not a gap.
: >src/tests/unit/common/test_gone.c
run unit/
want 1 '0 passed, 1 failed'
