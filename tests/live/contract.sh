#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# The recorded transcripts are still what that version of the server answers. Its version is in
# the name of BANYANDB_BIN ("banyand-0.10.3"), or in CONTRACT_VERSION.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

version=${CONTRACT_VERSION:-}
if [ -z "$version" ]; then
	version=${BANYANDB_BIN:-}
	version=${version##*/}
	version=${version#banyand-}
fi
# shellcheck source=tests/live/server.bash
. "$SRC/tests/live/server.bash"

transcripts=$SRC/fixtures/contract/$version
[ -n "$version" ] && [ -d "$transcripts" ] ||
	skip "no transcript of version '$version': CONTRACT_VERSION= one of $(ls "$SRC/fixtures/contract")"
rc=0
"${CONTRACT_PYTHON:-/usr/bin/python3}" "$SRC/tests/contract/contract.py" compare \
	--server "$ADDR" --with "$transcripts" || rc=$?
exit $rc
