#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# check_medium: the medium scale from end to end. Generates it, makes every block again from the
# recipe and checks every row (verify --rows --deep), and holds it against every claim of the
# recipe and against ids that occur twice (stats). `make check-medium` runs it; minutes, 600 MB of
# disk. Works in the current folder. Environment: BIN, SRC; CHECK_ROWS (10000000) takes another
# number of rows with medium's services, instances and operations; CHECK_SEED (1); THREADS (2).
# Prints the figures of each step, claims that do not hold, and in the end `check-medium: passed`
# (exit 0) or what failed (exit 1).
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

rows=${CHECK_ROWS:-10000000} number=${CHECK_SEED:-1} threads=${THREADS:-2}
failed=()
[ -x /usr/bin/time ] || fail "/usr/bin/time is missing: apt-get install time"

# step NAME PROGRAM ARG...: prints time and memory; output in ./NAME.out. Goes on when it fails.
step() {
	local name=$1 prog=$2
	shift 2
	rc=0
	/usr/bin/time -f '%e %U %S %M' -o time "$BIN/$prog" "$@" >"$name.out" 2>"$name.err" || rc=$?
	tail -n 1 time | awk -v name="$name" -v rows="$rows" -v rc=$rc '{
		printf "%-9s exit %d, %.1f s, %.1f s of CPU, %.2f us of CPU a row, %.1f MiB resident\n",
			name, rc, $1, $2 + $3, ($2 + $3) * 1e6 / rows, $4 / 1024 }'
	[ $rc -eq 0 ] || { failed+=("$name"); cat "$name.err"; }
}

echo "check-medium: $(uname -srm), $(nproc) processors; $("$BIN/spangen" --version)"
step generate spangen generate --scale medium --services 1000 --instances 5000 --operations 1000 \
	--spans "$rows" --seed "$number" --threads "$threads" --out corpus --quiet
[ $rc -eq 0 ] || { echo "check-medium: FAILED: generate"; exit 1; }
sed 's/^/          /' generate.out

step verify spancorpus verify --rows --deep --threads "$threads" --quiet corpus
sed 's/^/          /' verify.out
grep -q "^good: digests, structure and every row, as the recipe makes it" verify.out || failed+=("verify")
grep -q ", $rows rows (" verify.out || failed+=("rows")

step stats spancorpus stats --json --threads "$threads" --quiet corpus
jq -r '.claims[] | (if .expected == "reported" then "-" elif .holds then "holds" else "NOT" end)
	+ "\t" + .claim + "\t" + .measured + "\t" + .expected' stats.out |
	awk -F '\t' '{ printf "          %-5s  %-50s  %s%s\n", $1, $2, $3, $1 == "-" ? "" : "  | " $4 }'
claims=$(jq '[.claims[] | select(.expected != "reported")] | length' stats.out)
broken=$(jq '[.claims[] | select(.holds | not)] | length' stats.out)
[ "$broken" -eq 0 ] || failed+=("$broken claims")
# Both say what they looked at: every row has a segment id, every trace an id of its own.
for claim in 'rows that share thread and sequence number' 'ids of 16 bytes that occur twice'; do
	jq -e --arg c "$claim" '[.claims[] | select(.claim == $c and .holds)] | length == 1' stats.out >/dev/null ||
		failed+=("$claim")
done
ids=$(jq -r '.claims[] | select(.claim == "rows that share thread and sequence number"
	or .claim == "ids of 16 bytes that occur twice") | .measured' stats.out |
	sed -n 's/^0; so \([0-9]*\) ids .*/\1/p; s/^0 of \([0-9]*\)$/\1/p' | awk '{ n += $1 } END { print n + 0 }')
traces=$(jq .recipe.traces corpus/corpus.json)
[ "$ids" -eq $((rows + traces)) ] || failed+=("$ids unique ids, not $((rows + traces))")

echo "check-medium: $rows rows, $ids ids unique, $claims claims, $broken broken"
if [ ${#failed[@]} -gt 0 ]; then
	printf 'check-medium: FAILED: %s\n' "${failed[@]}"
	exit 1
fi
echo "check-medium: passed"
