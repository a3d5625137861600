#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 600
# A small `make check-faults`: not every n, but a full disk and a read-only folder too.
STEP=${STEP:-6} MALLOC_STEP=${MALLOC_STEP:-400} exec "$SRC/tests/fault/check_faults"
