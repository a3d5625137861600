#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/cluster/slurm.sbatch with the variables that Slurm sets: an array, some tasks of it again.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

# TASK LARGEST COUNT: one task, of an array of COUNT tasks up to LARGEST.
task() {
	what="task $*"
	rc=0
	SLURM_ARRAY_TASK_ID=$1 SLURM_ARRAY_TASK_MAX=$2 SLURM_ARRAY_TASK_COUNT=$3 SLURM_CPUS_PER_TASK=1 \
		BIN=$BIN DIR=dir bash "$SRC/tools/cluster/slurm.sbatch" >out 2>err || rc=$?
}

export OPTIONS='--spans 5000 --block-traces 50 --services 5 --instances 10 --operations 50 --seed 3'
task 0 2 3
[ $rc -eq 0 ] && grep -q '^shard *0 of 3' out || fail "$what: exit $rc: $(cat out err)"
for array in '1 1 1' '0 2 2'; do
	# shellcheck disable=SC2086 # three words
	task $array
	[ $rc -eq 2 ] && grep -q 'SHARDS=' err || fail "$what: exit $rc: $(cat out err)"
done
for id in 1 2; do
	SHARDS=3 task $id $id 1
	[ $rc -eq 0 ] && grep -q "^shard *$id of 3" out || fail "$what of 3: exit $rc: $(cat out err)"
done
ok spancorpus merge dir
SHARDS=3 task 1 1 1
[ $rc -eq 0 ] && grep -q '^complete' out || fail "$what again: exit $rc: $(cat out err)"
OPTIONS='' task 0 2 3
[ $rc -ne 0 ] && grep -q 'OPTIONS' err || fail "no OPTIONS: exit $rc: $(cat out err)"
