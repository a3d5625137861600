# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Sourced by live tests after lib.sh: ADDR becomes a real BanyanDB server. BANYANDB_ADDR=HOST:PORT
# names one that runs; BANYANDB_BIN=PROGRAM is started here, on loopback, with an empty folder,
# and ends with the test. Without either the test is skipped.

live_dir=
live_end() {
	[ -z "$live_dir" ] || "$SRC/tools/banyandb" kill "$live_dir" || true
}

if [ -n "${BANYANDB_ADDR:-}" ]; then
	ADDR=$BANYANDB_ADDR
elif [ -n "${BANYANDB_BIN:-}" ]; then
	live_dir=$PWD/server
	trap live_end EXIT
	what=$("$SRC/tools/banyandb" start "$BANYANDB_BIN" "$live_dir" 0)
	ADDR=${what#BANYANDB_ADDR=} ADDR=${ADDR%% *}
else
	echo "SKIP: no server: BANYANDB_ADDR=HOST:PORT, or BANYANDB_BIN=PROGRAM to start one"
	exit 77
fi
