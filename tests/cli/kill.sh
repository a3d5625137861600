#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 600
# A small `make check-kill`: generate killed at random moments and resumed.
KILLS=${KILLS:-20} exec "$SRC/tests/fault/check_kill"
