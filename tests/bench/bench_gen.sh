#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# How fast spangen, spancorpus and the reader are, what they take, and against which bars. Prints a
# line per figure with its bar and whether it holds, and JSON lines into BENCH_JSON when that is set.
# Exit 1 when a bar is missed. Nothing else should run on the machine; figures compare on one only.
#
#   BENCH_ROWS=2400000   rows of the corpus (5 kB each, so about 11 GB as segments, which should
#                        stay in the page cache; with 1200000 a third of a run is its start)
#   BENCH_RSS_ROWS=300000 rows where memory is measured with medium's and large's settings
#   BENCH_ROUNDS=5       rounds, of which a median or the best counts
#   BENCH_PARTS="zstd scaling rss rates profile"    only some of it
#   TMPDIR               where to write; it needs about 7 kB a row
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

rows=${BENCH_ROWS:-2400000} rss_rows=${BENCH_RSS_ROWS:-300000} rounds=${BENCH_ROUNDS:-5}
parts=" ${BENCH_PARTS:-zstd scaling rss rates profile} "
scratch=$(mktemp -d "${TMPDIR:-/tmp}/bench-gen.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
json=$(realpath "${BENCH_JSON:-/dev/null}")
: >>"$json"
cd "$scratch"
missed=0

wants() { [[ $parts == *" $1 "* ]]; }
calc() { awk "BEGIN { printf(\"%.${2:-2}f\", ($1)) }"; }
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# figure NAME VALUE UNIT BAR: BAR is ">= 10", "<= 48", or empty for a figure without one. The rest of
# the arguments is a remark.
figure() {
	local name=$1 value=$2 unit=$3 bar=$4 verdict=- holds=null
	shift 4
	if [ -n "$bar" ]; then
		if awk "BEGIN { exit !($value $bar) }"; then
			verdict=holds holds=true
		else
			verdict=MISSED holds=false missed=$((missed + 1))
		fi
	fi
	printf '%-58s %10s %-8s %-9s %-7s %s\n' "$name" "$value" "$unit" "$bar" "$verdict" "$*"
	jq -cn --arg name "$name" --argjson value "$value" --arg unit "$unit" --arg bar "$bar" \
		--argjson holds $holds --arg remark "$*" '{bench: "gen", name: $name, value: $value, unit: $unit,
		bar: (if $bar == "" then null else $bar end), holds: $holds, remark: $remark}' >>"$json"
}

# timed COMMAND...: WALL_S and CPU_S, of the command and its children.
timed() {
	local TIMEFORMAT='%3R %3U %3S' user sys
	{ time "$@" >timed.out 2>timed.err; } 2>timed.time || fail "$*: $(cat timed.err)"
	read -r WALL_S user sys <timed.time
	CPU_S=$(calc "$user + $sys" 3)
}

best_cpu() { # COMMAND...: least CPU_S of all rounds
	local i
	for ((i = 0; i < rounds; i++)); do
		timed "$@"
		echo "$CPU_S"
	done | sort -g | head -n 1
}

# rss_mb COMMAND...: the most that was resident, MB of 2^20.
rss_mb() {
	/usr/bin/time -f %M -o rss "$@" >/dev/null 2>rss.err || fail "$*: $(cat rss.err)"
	calc "$(tail -n 1 rss) / 1024" 1
}

medium=(--scale medium --services 1000 --instances 5000 --operations 1000)
large=(--scale large --services 10000 --instances 50000 --operations 1000)
[ -x /usr/bin/time ] || fail "/usr/bin/time is missing: apt-get install time"

generate() { # THREADS
	rm -rf made
	timed "$BIN/spangen" generate "${medium[@]}" --spans "$rows" --threads "$1" --out made --quiet
}

# Compressed as someone would who keeps whole rows: the same filesystem, synced like a corpus.
compress() {
	zstd -1 -T2 -q -f rows.segments -o rows.zst && sync rows.zst
}

echo "bench-gen: $(uname -srm), $(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
echo "bench-gen: $("$BIN/spangen" --version); $rows rows, $rounds rounds"

ok spangen generate "${medium[@]}" --spans "$rows" --out corpus --quiet
ok spancorpus info --json corpus
stored=$(($(field out stored_bytes) + $(stat -c %s corpus/corpus.json)))

if wants zstd; then
	"$BIN/spancorpus" export --format segments --quiet corpus >rows.segments
	size=$(stat -c %s rows.segments)
	echo "bench-gen: $(calc "$size / 1e9") GB of rows$([ "$size" -ge 5000000000 ] || echo ', fewer than the 5 GB that the bar is about')"
	cat rows.segments >/dev/null
	for ((i = 0; i < rounds; i++)); do
		sync -f .
		timed compress
		z=$WALL_S
		zstd_size=$(stat -c %s rows.zst)
		rm rows.zst
		sync -f .
		generate 2
		echo "$(calc "$z / $WALL_S" 3) $z $WALL_S"
	done >ratios
	cmp <(jq .digest made/corpus.json) <(jq .digest corpus/corpus.json) || fail "another corpus each time"
	figure 'wall time a row: zstd -1 -T2 / spangen, 2 threads' "$(cut -d' ' -f1 ratios | median)" x '>= 10' \
		"aim 25; range $(cut -d' ' -f1 ratios | sort -g | sed -n '1p;$p' | paste -sd-)"
	figure '  spangen' "$(calc "$(cut -d' ' -f3 ratios | median) * 1e6 / $rows" 3)" us/row ''
	figure '  zstd' "$(calc "$(cut -d' ' -f2 ratios | median) * 1e6 / $rows" 3)" us/row ''
	figure 'stored bytes a row, all files' "$(calc "$stored / $rows")" B "$([ "$rows" -lt 1000000 ] || echo '<= 100')"
	figure '  zstd -1 of the rows / corpus' "$(calc "$zstd_size / $stored" 1)" x '' "$(calc "$zstd_size / $rows" 1) B a row by zstd"
	rm rows.segments
fi

if wants scaling; then
	for ((i = 0; i < rounds; i++)); do
		generate 1
		g1=$WALL_S
		s1=$("$BIN/bench/spin" 1 300 | jq .wall_ns)
		generate 2
		g2=$WALL_S
		s2=$("$BIN/bench/spin" 2 300 | jq .wall_ns)
		echo "$(calc "$g1 / $g2" 3) $(calc "$s1 / $s2" 3) $(calc "($g1 / $g2) / ($s1 / $s2)" 3)"
	done >scaling
	figure 'scaling 1 to 2 threads / that of a compute-only loop' "$(cut -d' ' -f3 scaling | median)" '' '>= 0.9' \
		"spangen $(cut -d' ' -f1 scaling | median)x, loop $(cut -d' ' -f2 scaling | median)x"
fi

if wants rss; then
	for setting in small medium large; do
		case $setting in
		small) options=(--scale small) ;;
		medium) options=("${medium[@]}" --spans "$rss_rows") ;;
		large) options=("${large[@]}" --spans "$rss_rows") ;;
		esac
		for threads in 1 2; do
			rm -rf made
			bar="<= $((32 + 8 * threads))"
			figure "memory, $setting settings: spangen, $threads threads" \
				"$(rss_mb "$BIN/spangen" generate "${options[@]}" --threads $threads --out made --quiet)" MiB "$bar"
			figure "memory, $setting settings: spancorpus verify, $threads threads" \
				"$(rss_mb "$BIN/spancorpus" verify --threads $threads --quiet made)" MiB "$bar"
		done
	done
fi

if wants rates; then
	for what in scan render decompress; do
		"$BIN/bench/corpus_rates" $what corpus "$rounds" >$what.json
	done
	figure 'scan: all columns as stored values' "$(calc "$(field scan.json rows_per_cpu_s) / 1e6")" 'M rows/s' '>= 10' 'a CPU second'
	figure 'rendering rows' "$(calc "$(field render.json rows_per_cpu_s) / 1e6")" 'M rows/s' '>= 1' 'a CPU second'
	open=$(best_cpu "$BIN/spancorpus" info corpus)
	verify=$(best_cpu "$BIN/spancorpus" verify --threads 1 --quiet corpus)
	deep=$(best_cpu "$BIN/spancorpus" verify --rows --threads 1 --quiet corpus)
	# The dictionary is opened once, whatever the corpus' size; a rate is what each byte adds.
	net=$(calc "$verify - $open > 0.001 ? $verify - $open : 0.001" 3)
	share=$(calc "100 * $(field decompress.json cpu_ns) / 1e9 / $net" 0)
	rate=$(calc "$stored / 1e9 / $net")
	if [ "$share" -ge 50 ]; then
		figure 'verify, stored bytes' "$rate" GB/s '' "a CPU second; bound by decompression, $share % of it"
	else
		figure 'verify, stored bytes' "$rate" GB/s '>= 1' "a CPU second; decompression alone is $share % of it"
	fi
	figure '  opening the corpus besides' "$open" s ''
	figure '  decompression alone, stored bytes' "$(calc "$stored / $(field decompress.json cpu_ns)")" GB/s ''
	figure 'verify --rows' "$(calc "$rows / 1e6 / ($deep - $open)")" 'M rows/s' '>= 0.5' 'a CPU second'
fi

# profile COMMAND...: the functions that take most of its CPU time.
profile() {
	echo "profile of $(basename "$1") $2, one thread:"
	if ! perf record -q -F 2000 -o perf.data "$@" >/dev/null 2>perf.err; then
		echo "  none: $(tail -n 1 perf.err)"
		return
	fi
	# Libraries without symbols show as a whole only.
	perf report -i perf.data --stdio --percent-limit 1 --sort dso 2>/dev/null |
		sed -n 's/^ *\([0-9.]*%\) *\([^ ]*\) *$/  \1 \2/p'
	perf report -i perf.data --stdio --percent-limit 0.8 --sort symbol 2>/dev/null |
		sed -n 's/^ *\([0-9.]*%\) *\[\([.k]\)\] \([A-Za-z_][^ ]*\).*/    \1 [\2] \3/p' | head -n 30
}
if wants profile; then
	if command -v perf >/dev/null; then
		rm -rf made
		profile "$BIN/spangen" generate "${medium[@]}" --spans "$rows" --threads 1 --out made --quiet
		profile "$BIN/spancorpus" verify --threads 1 --quiet corpus
	else
		echo "profile: none, perf is not installed"
	fi
fi

[ $missed -eq 0 ] || { echo "bench-gen: $missed bars missed"; exit 1; }
echo "bench-gen: all bars hold"
