#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 180
# spansink answers as the recorded server does, but for the deviations listed.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

# Debian's own python3: its grpc and protobuf packages belong to it.
python=${CONTRACT_PYTHON:-/usr/bin/python3}
"$python" -c 'import grpc, google.protobuf' 2>/dev/null ||
	skip "no python3-grpcio: apt-get install python3-grpcio python3-protobuf"
command -v protoc >/dev/null || skip "no protoc: apt-get install protobuf-compiler"

start_sink --db rows.db
"$python" "$SRC/tests/contract/contract.py" compare --server "$ADDR" \
	--with "$SRC/fixtures/contract/0.11-dev" --deviations "$SRC/tests/contract/deviations.json"
