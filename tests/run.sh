#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the tests and counts them:
#
#   tests/run.sh --bin DIR [--src DIR] [--jobs N] [--timeout S] [--suite NAME]... [PATTERN]...
#
# Suites: unit (programs DIR/tests/LAYER/test_*, one for each tests/unit/LAYER/test_*.c), and the
# scripts of tests/cli, e2e, golden, contract, fuzz; live only when asked for. PATTERN picks tests whose
# name (cli/help, unit/common/test_pb) contains it. Each test runs in a fresh folder of its own
# with BIN and SRC set; exit 0 passes, 77 skips with the last line of its output as the reason,
# anything else fails and its output is shown. A script that needs longer says so in a line
# "# TIMEOUT: 300" (seconds); TEST_TIMEOUT_SCALE multiplies all of them.
# The last line is "N passed, N failed", with ", N skipped" when some were. Exit 1 when any
# failed, or none ran.

set -u
export LC_ALL=C

bin="" src=. jobs=2 timeout=120 suites=() patterns=()
while [ $# -gt 0 ]; do
	case $1 in
	--bin) bin=$2; shift 2 ;;
	--src) src=$2; shift 2 ;;
	--jobs) jobs=$2; shift 2 ;;
	--timeout) timeout=$2; shift 2 ;;
	--suite) suites+=("$2"); shift 2 ;;
	-*) echo "run.sh: unknown option $1" >&2; exit 2 ;;
	*) patterns+=("$1"); shift ;;
	esac
done
[ -n "$bin" ] || { echo "run.sh: --bin DIR is missing" >&2; exit 2; }
BIN=$(cd "$bin" && pwd) || exit 2
SRC=$(cd "$src" && pwd) || exit 2
export BIN SRC
[ ${#suites[@]} -gt 0 ] || suites=(unit cli e2e golden contract fuzz)
scale=${TEST_TIMEOUT_SCALE:-1}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/spangen-test.XXXXXX") || exit 1
trap 'chmod -R u+rwX "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP

# What to run: "name<TAB>program".
list=()
for suite in "${suites[@]}"; do
	if [ "$suite" = unit ]; then
		for f in "$SRC"/tests/unit/*/test_*.c; do
			[ -e "$f" ] || continue
			n=${f#"$SRC"/tests/unit/}; n=${n%.c}
			list+=("unit/$n	$BIN/tests/$n")
		done
	else
		for f in "$SRC/tests/$suite"/*.sh; do
			[ -e "$f" ] || continue
			n=${f##*/}; n=${n%.sh}
			list+=("$suite/$n	$f")
		done
	fi
done

wanted() {
	[ ${#patterns[@]} -gt 0 ] || return 0
	local p
	for p in "${patterns[@]}"; do
		case $1 in *"$p"*) return 0 ;; esac
	done
	return 1
}

# run_one N NAME PROGRAM: runs it, prints its line (and output when it failed), and leaves the
# verdict in $scratch/N.verdict.
run_one() {
	local n=$1 name=$2 prog=$3 limit=$timeout own rc t0 t1 verdict text
	local log=$scratch/$n.log
	case $prog in
	*.sh)
		own=$(sed -n 's/^# TIMEOUT: \([0-9]*\)$/\1/p' "$prog" | head -n 1)
		[ -z "$own" ] || limit=$own ;;
	esac
	mkdir "$scratch/$n.d"
	t0=$(date +%s%N)
	(cd "$scratch/$n.d" && TMPDIR=$scratch/$n.d exec timeout -k 10 $((limit * scale)) "$prog") \
		>"$log" 2>&1 </dev/null
	rc=$?
	t1=$(date +%s%N)
	case $rc in
	0) verdict=ok ;;
	77) verdict=skip ;;
	*) verdict=FAIL ;;
	esac
	printf -v text '%-4s %-44s %3d.%d s' "$verdict" "$name" $(((t1 - t0) / 1000000000)) \
		$(((t1 - t0) / 100000000 % 10))
	case $verdict in
	skip) text+="  $(tail -n 1 "$log")" ;;
	FAIL)
		[ $rc -ne 124 ] && [ $rc -ne 137 ] || text+="  (timeout after $((limit * scale)) s?)"
		text+="  exit $rc"$'\n'"$(tail -n 200 "$log" | sed 's/^/     | /')" ;;
	esac
	printf '%s\n' "$text"
	echo $verdict >"$scratch/$n.verdict"
	chmod -R u+rwX "$scratch/$n.d" 2>/dev/null
	rm -rf "$scratch/$n.d"
}

running=0 total=0
for entry in "${list[@]+"${list[@]}"}"; do
	name=${entry%%	*} prog=${entry#*	}
	wanted "$name" || continue
	if [ "$running" -ge "$jobs" ]; then
		wait -n
		running=$((running - 1))
	fi
	total=$((total + 1))
	run_one $total "$name" "$prog" &
	running=$((running + 1))
done
wait

passed=0 failed=0 skipped=0
for ((i = 1; i <= total; i++)); do
	case $(cat "$scratch/$i.verdict" 2>/dev/null) in
	ok) passed=$((passed + 1)) ;;
	skip) skipped=$((skipped + 1)) ;;
	*) failed=$((failed + 1)) ;;
	esac
done
line="$passed passed, $failed failed"
[ $skipped -eq 0 ] || line+=", $skipped skipped"
[ $total -gt 0 ] || echo "run.sh: no test to run" >&2
echo "$line"
[ $failed -eq 0 ] && [ $total -gt 0 ]
