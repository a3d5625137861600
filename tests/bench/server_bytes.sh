#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What a real BanyanDB stores per span, as Stream and as Trace, and how much that depends on how alike
# the spans are (--variants). For each setting, round and model: a fresh server on loopback, schema,
# all rows, the server's own count, and, once its merges have ended, the bytes of its folders. Prints a
# table and one JSON line a measurement, into BENCH_JSON too when that is set. docs/server-bytes.md has
# the figures and what they say.
#
#   BANYANDB_BIN=PROGRAM     the server; without it nothing is measured (exit 77)
#   BYTES_VARIANTS="1 3 12"  settings of --variants
#   BYTES_SPANS=200000       spans of each corpus, 5 kB each: 1.5 kB a span on the disk while it runs
#   BYTES_OPTIONS="--scale small --seed 1"     other options of `spangen generate`
#   BYTES_MODELS="stream trace"  BYTES_ROUNDS=1  BYTES_BULK=1000  BYTES_CONCURRENCY=4
#   BYTES_SAMPLE_S=15        seconds between two looks; the server renews its own gauges every 15
#   BYTES_SETTLE_S=900       give up on a server that has not settled after so long
#   TMPDIR                   where corpus and server live
#
# Settled means: three looks in a row with no rows in memory, no merge ended and the folder's bytes
# unchanged. `server_bytes.sh folder MODEL DATA` only prints the bytes of a server's data folder.
#
# Exit 0 measured, 1 failed, 77 no server.
# shellcheck source=tests/lib.sh
. "${SRC:?SRC: the folder of the sources}/tests/lib.sh"

# live_parts FOLDER: the parts that the newest snapshot of each shard names, one path a line. A part
# that was merged into another stays on the disk for a while.
live_parts() {
	local dir newest
	find "$1" -type d -name 'shard-*' | while IFS= read -r dir; do
		newest=$(find "$dir" -maxdepth 1 -name '*.snp' -printf '%f\n' | sort | tail -n 1)
		[ -z "$newest" ] || jq -r --arg dir "$dir" '.[] | $dir + "/" + .' "$dir/$newest"
	done
}

# folder MODEL DATA: one JSON object, bytes by what they hold. "parts" are live data parts.
folder() {
	local model=$1 root=$2/$1/data
	[ -d "$root" ] || fail "$root: no such folder; was something written to the $model model there?"
	{
		live_parts "$root" | sed 's/^/live\t/'
		find "$root" -type f -printf 'file\t%p\t%s\t%b\n'
	} | awk -F '\t' -v model="$model" '
	$1 == "live" { live[$2] = 1; parts++; next }
	{
		files++
		disk += $4 * 512
		dir = name = $2
		sub(/\/[^\/]*$/, "", dir)
		sub(/.*\//, "", name)
		# The parts of an ordered index bear the number of the data part they belong to.
		part = dir
		ordered = sub(/\/sidx\/[^\/]+\//, "/", part)
		if (part ~ /\/shard-[0-9]+\/[0-9a-f]+$/ && !(part in live))
			kind = "merged_away"
		else if (ordered || dir ~ /\/shard-[0-9]+\/idx$/)
			kind = "index"
		else if (dir ~ /\/seg-[0-9]+\/sidx$/)
			kind = "series"
		else if (!(dir in live))
			kind = "rest"
		else if (name == (model == "stream" ? "data_binary.tf" : "spans.bin"))
			kind = "payload"
		else if (name ~ /^(primary\.tff?|timestamps\.bin)$/ || (model == "trace" && name ~ /\.t$/))
			kind = "columns"
		else
			kind = "heads"
		sum[kind] += $3
		bytes += $3
	}
	END {
		printf "{\"bytes\":%d,\"disk\":%d,\"files\":%d,\"parts\":%d", bytes, disk, files, parts
		n = split("payload columns heads index series rest merged_away", kinds, " ")
		for (i = 1; i <= n; i++)
			printf ",\"%s\":%d", kinds[i], sum[kinds[i]]
		print "}"
	}'
}

if [ "${1:-}" = folder ] && [ $# -eq 3 ]; then
	folder "$2" "$3"
	exit 0
fi
[ $# -eq 0 ] || fail "usage: server_bytes.sh, or server_bytes.sh folder MODEL DATA"

[ -n "${BANYANDB_BIN:-}" ] || skip "SKIP: bench-server: no server to measure: BANYANDB_BIN=PROGRAM"
: "${BIN:?BIN: the folder of the programs}"
server=$(realpath "$BANYANDB_BIN")
spans=${BYTES_SPANS:-200000} rounds=${BYTES_ROUNDS:-1} sample_s=${BYTES_SAMPLE_S:-15}
read -ra variants <<<"${BYTES_VARIANTS:-1 3 12}"
read -ra models <<<"${BYTES_MODELS:-stream trace}"
read -ra options <<<"${BYTES_OPTIONS:---scale small --seed 1}"
json=$(realpath "${BENCH_JSON:-/dev/null}")
: >>"$json"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/server-bytes.XXXXXX")
cleanup() {
	[ ! -f "$scratch/server/port" ] || "$SRC/tools/banyandb" kill "$scratch/server" || true
	rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
cd "$scratch"
version=$("$server" --version 2>&1 | grep -Eo 'v[0-9][^ ]*' | head -n 1) || true

calc() { awk "BEGIN { printf(\"%.${2:-2}f\", ($1)) }"; }

# gauge NAME: the sum over all labels of a metric, 0 when the server does not have it yet.
gauge() {
	awk -v name="banyandb_${model}_tst_$1{" 'index($1, name) == 1 { s += $NF } END { printf "%d\n", s }' metrics
}

# Into ./metrics, by the shell alone. Without an answer the server is dead.
fetch_metrics() {
	local host_port=${BANYANDB_METRICS#http://}
	host_port=${host_port%%/*}
	exec 4<>"/dev/tcp/${host_port%:*}/${host_port#*:}" || fail "no metrics; see $(tail -n 3 server/log)"
	printf 'GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n' >&4
	timeout 30 cat <&4 >metrics
	exec 4<&-
	grep -q '^banyandb_' metrics || fail "$BANYANDB_METRICS has no metrics of BanyanDB"
}

# Until settled; its sizes are in ./sizes, the most bytes on the way in `most`.
settle() {
	local now before='' same=0 bytes memory started=$SECONDS
	most=0
	while [ $same -lt 2 ]; do
		[ $((SECONDS - started)) -le "${BYTES_SETTLE_S:-900}" ] || fail "$model: not settled after ${BYTES_SETTLE_S:-900} s"
		[ -z "$before" ] || sleep "$sample_s"
		fetch_metrics
		# Files vanish while it looks.
		(folder "$model" "$BANYANDB_DATA") >sizes 2>sizes.err || continue
		bytes=$(jq .bytes sizes)
		[ "$bytes" -le "$most" ] || most=$bytes
		memory=$(gauge total_mem_part)
		now="$memory $(gauge total_merged) $(gauge pending_data_count) $bytes"
		same=$([ "$now" = "$before" ] && [ "$memory" -eq 0 ] && echo $((same + 1)) || echo 0)
		before=$now
	done
	settled_s=$((SECONDS - started))
	merged=$(gauge total_merged)
	[ "$(jq .merged_away sizes)" -eq 0 ] || echo "server-bytes: $model: parts that were merged away are still there" >&2
}

measure() { # MODEL VARIANTS ROUND
	local model=$1 there word where
	rm -rf server
	where=$("$SRC/tools/banyandb" start "$server" server 0)
	for word in $where; do declare "$word"; done
	there=(--model "$model" --server "$BANYANDB_ADDR")
	ok spanreplay schema apply "${there[@]}" --schemas "$SRC/schemas"
	ok spanreplay write "${there[@]}" --corpus corpus --epoch "$epoch" --bulk "${BYTES_BULK:-1000}" \
		--concurrency "${BYTES_CONCURRENCY:-4}" --quiet --results write.json
	ok spanreplay count "${there[@]}"
	[ "$(cat out)" = "$rows" ] || fail "$model: the server counts $(cat out) rows of $rows"
	settle
	ok spanreplay count "${there[@]}"
	[ "$(cat out)" = "$rows" ] || fail "$model: settled, the server counts $(cat out) rows of $rows"
	BANYANDB_SETTLE=1 "$SRC/tools/banyandb" stop server
	jq -c -n --slurpfile size sizes --slurpfile stats stats.json --slurpfile write write.json \
		--arg version "$version" --arg model "$model" --argjson variants "$2" --argjson round "$3" \
		--argjson rows "$rows" --argjson most "$most" --argjson settled_s "$settled_s" \
		--argjson merged "$merged" --arg digest "$digest" '
		def claim(name): $stats[0].claims[] | select(.claim == name) | .measured | split(" ")[0] | tonumber;
		def per_span: . * 100 / $rows | round / 100;
		$size[0] as $s | claim("mean row (blob + ten columns), bytes") as $row | {
			bench: "server-bytes", server: $version, model: $model, variants: $variants, round: $round,
			digest: $digest, spans: $rows, row_bytes: $row, bytes: $s.bytes, per_span: ($s.bytes | per_span),
			ratio: ($row * $rows / $s.bytes * 100 | round / 100),
			split: ($s | {payload, columns, heads, index, series, rest, merged_away} | map_values(per_span)),
			disk_per_span: ($s.disk | per_span), most_per_span: ($most | per_span), files: $s.files,
			parts: $s.parts, merges: $merged, settled_s: $settled_s, spans_per_s: $write[0].rate.spans_per_s,
			compression: {
				in_order: claim("compression, rows in order (zstd -3, 1 MiB)"),
				per_series: claim("compression, per series (zstd -1, 2 MiB)"),
				one_trace: claim("compression, one trace (zstd -1)")}}' | tee -a "$json" lines.json
}

for v in "${variants[@]}"; do
	rm -rf corpus
	ok spangen generate "${options[@]}" --spans "$spans" --variants "$v" --out corpus --quiet
	ok spancorpus info --json corpus
	rows=$(field out rows) digest=$(field out digest) window_s=$(($(field out recipe.window_ms) / 1000))
	ok spancorpus stats --json corpus
	mv out stats.json
	# One segment a day: all rows into today's, or yesterday's when today is too short yet. Clocks
	# of instances are up to 100 ms early.
	day=$(($(date +%s) / 86400 * 86400 + 60))
	[ $(($(date +%s) - day)) -ge $window_s ] || day=$((day - 86400))
	epoch=${day}000
	for ((round = 1; round <= rounds; round++)); do
		for m in "${models[@]}"; do
			measure "$m" "$v" "$round"
		done
	done
done

echo
echo "bytes per span, BanyanDB $version, $rows spans, $(uname -srm)"
jq -rs '["variants", "model", "payload", "columns", "heads", "index", "series", "rest", "sum", "row/sum", "parts", "order", "series", "trace"],
	(.[] | [.variants, .model, .split.payload, .split.columns, .split.heads, .split.index, .split.series,
	.split.rest + .split.merged_away, .per_span, .ratio, .parts, .compression.in_order, .compression.per_series,
	.compression.one_trace]) | @tsv' lines.json | awk -F '\t' '{ for (i = 1; i <= NF; i++) printf "%-9s", $i; print "" }'
