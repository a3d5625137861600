#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A corpus in shards with GNU parallel, on this machine or, with PARALLEL_ARGS such as
# "--sshloginfile nodes", on others that share the folder:
#
#   tools/cluster/parallel.sh DIR SHARDS [OPTION of spangen generate]...
#
# Shards that are complete are left alone and broken ones go on, so after a failure the same line
# is run again. --threads 1 and --quiet are given already. Environment: BIN (folder of spangen and
# spancorpus; default: PATH), JOBS (shards at a time; default: one per processor), PARALLEL_ARGS.
set -eu
[ $# -ge 2 ] || { sed -n '4,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
dir=$1 shards=$2
shift 2
bin=${BIN:+$BIN/}

# One worker thread each: shards are the parallelism.
# shellcheck disable=SC2086 # arguments of parallel, several
seq 0 $((shards - 1)) | parallel ${PARALLEL_ARGS:-} --halt soon,fail=1 --jobs "${JOBS:-100%}" --quote \
	"${bin}spangen" generate --out "$dir" --resume --shard "{}/$shards" --threads 1 --quiet "$@"
"${bin}spancorpus" merge "$dir"
