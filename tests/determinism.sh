#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# One content digest everywhere: builds spangen and spancorpus in every way this machine can, makes the
# same corpora with each, and compares digests, rows and exports with those of gcc's plain build.
# `make check-determinism` runs it.
#
#   tests/determinism.sh [--list] [--programs NAME=DIR]... [PATTERN]...
#
# Prints a line for each setting: name, content digest, SHA-256 of its rows, and whether both are the
# reference's. Every other build also verifies and prints the reference's corpora, and the reference
# those of the build, so a corpus moves between machines of any kind. Settings that this machine lacks
# something for are named with the reason and the line that mends it. PATTERN picks settings whose name
# contains it; --programs adds a setting of your own, programs built elsewhere. Environment: SRC (the
# tree), O (builds), MAKE, CC_GCC and CC_CLANG (gcc, clang), JOBS. The last line is "N passed, N failed",
# with ", N skipped" when some were; exit 1 when any failed.

set -u
export LC_ALL=C TZ=UTC
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

SRC=${SRC:-$(cd "$(dirname "$0")/.." && pwd)}
O=${O:-$SRC/build}
MAKE=${MAKE:-make}
jobs=${JOBS:-2}
declare -A compiler=([gcc]=${CC_GCC:-gcc} [clang]=${CC_CLANG:-clang})

# Two corpora: one with every default, one with what defaults leave out.
recipes=(
	"--spans 2000 --seed 1 --block-traces 25"
	"--spans 1500 --seed 99 --services 12 --instances 30 --operations 70 --block-traces 10 --variants 2
	 --errors 20 --order arrival --row-bytes 7000 --window 24h --late 5 --duplicates 5 --cardinality 300
	 --zipf-services 1.2 --zipf-operations 0.9 --self-time-dist exponential --complexity 30/50/20"
)

patterns=() own=() list=no
while [ $# -gt 0 ]; do
	case $1 in
	--list) list=yes; shift ;;
	--programs)
		case ${2:-} in
		?*=?*) own+=("$2"); shift 2 ;;
		*) echo "determinism.sh: --programs needs NAME=DIR" >&2; exit 2 ;;
		esac ;;
	-*) echo "determinism.sh: unknown option $1" >&2; exit 2 ;;
	*) patterns+=("$1"); shift ;;
	esac
done

scratch=$(mktemp -d "${TMPDIR:-/tmp}/spangen-determinism.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
passed=0 failed=0 skipped=0

# ---- Making and reading --------------------------------------------------------------------

# A setting is programs in $dir, run behind the words of run_with, with spangen's $options.
dir="" run_with=() options=()

# program NAME ARGUMENT...: runs it in the setting.
program() {
	local name=$1
	shift
	"${run_with[@]+"${run_with[@]}"}" "$dir/$name" "$@" </dev/null
}

# sums CORPUS: SHA-256 of its rows and of every export.
sums() {
	local format
	{
		program spancorpus cat "$1" | sha256sum
		[ "${PIPESTATUS[0]}" -eq 0 ] || echo "cat failed"
		for format in $formats; do
			program spancorpus export --quiet --threads 2 --format "$format" "$1" | sha256sum
			[ "${PIPESTATUS[0]}" -eq 0 ] || echo "export --format $format failed"
		done
	} 2>>"$scratch/err"
}

# make_all FOLDER: the corpora in FOLDER/0, FOLDER/1; prints the digests.
make_all() {
	local i
	mkdir "$1"
	for i in "${!recipes[@]}"; do
		# shellcheck disable=SC2086 # words
		program spangen generate --quiet ${recipes[i]} --out "$1/$i" "${options[@]+"${options[@]}"}" \
			2>>"$scratch/err" | sed -n 's/^digest  *//p'
	done
}

# read_all FOLDER: verifies each corpus row by row and prints the sums.
read_all() {
	local i
	for i in "${!recipes[@]}"; do
		program spancorpus verify --quiet --rows "$1/$i" >/dev/null 2>>"$scratch/err" ||
			echo "verify --rows failed"
		sums "$1/$i"
	done
}

# What the reference says, once it was made.
want_digests="" want_sums="" formats=""
reference() {
	dir=$1 run_with=() options=(--threads 1)
	formats=$(program spancorpus export --help | sed -n 's/^ *--format \([a-z|-]*\).*/\1/p' | tr '|' ' ')
	want_digests=$(make_all "$scratch/reference")
	want_sums=$(read_all "$scratch/reference")
	if [ "$(wc -l <<<"$want_digests")" -ne ${#recipes[@]} ] || [ -z "$formats" ] ||
		grep -q failed <<<"$want_sums"; then
		echo "determinism.sh: the reference itself fails: $want_digests $want_sums" >&2
		cat "$scratch/err" >&2
		exit 1
	fi
}

line() { # NAME DIGEST ROWS VERDICT
	printf '%-22s %-32s  %-16s  %s\n' "$@"
}

short() { # of digests or sums of all corpora: of one, or of one hash over all
	if [ "$1" = digest ]; then head -n 1; else sha256sum | cut -c 1-16; fi
}

# check NAME DIR: the setting of $run_with and $options against the reference.
check() {
	local name=$1 digests got theirs back verdict=yes
	dir=$2
	: >"$scratch/err"
	rm -rf "$scratch/made"
	digests=$(make_all "$scratch/made")
	got=$(read_all "$scratch/made")
	theirs=$(read_all "$scratch/reference")
	run_with=() dir=$reference_dir
	back=$(read_all "$scratch/made")
	if [ "$digests" != "$want_digests" ]; then
		verdict="NO: another digest"
	elif [ "$got" != "$want_sums" ]; then
		verdict="NO: its own corpora read as other rows"
	elif [ "$theirs" != "$want_sums" ]; then
		verdict="NO: it reads the reference's corpora as other rows"
	elif [ "$back" != "$want_sums" ]; then
		verdict="NO: the reference reads its corpora as other rows"
	elif ! cmp -s "$scratch/made/0/data-0000000.zst" "$scratch/reference/0/data-0000000.zst"; then
		verdict="yes (other bytes: another zstd)"
	fi
	line "$name" "$(short digest <<<"$digests")" "$(short sums <<<"$got")" "$verdict"
	case $verdict in
	yes*) passed=$((passed + 1)) ;;
	*)
		failed=$((failed + 1))
		diff <(echo "$want_digests" "$want_sums") <(echo "$digests" "$got") | sed 's/^/     | /'
		tail -n 20 "$scratch/err" | sed 's/^/     | /' ;;
	esac
}

# ---- Settings ------------------------------------------------------------------------------

wanted() {
	[ ${#patterns[@]} -gt 0 ] || return 0
	local p
	for p in "${patterns[@]}"; do
		case $1 in *"$p"*) return 0 ;; esac
	done
	return 1
}

# chosen NAME: whether it is to run; --list only prints it.
chosen() {
	wanted "$1" || return 1
	[ $list = no ] || { echo "$1"; return 1; }
}

# missing NAME REASON LINE
missing() {
	echo "skip $1: $2; $3"
	skipped=$((skipped + 1))
}

# build FOLDER VARIABLE...: makes the two programs; prints their folder.
build() {
	local o=$O/$1 log=$scratch/build.log
	shift
	if ! "$MAKE" -C "$SRC" O="$o" -j"$jobs" "$@" corpus-tools >"$log" 2>&1; then
		grep -E 'error|Error|not found' "$log" | head -n 5 | sed 's/^/     | /' >&2
		return 1
	fi
	# shellcheck disable=SC2012 # the newest one
	dirname "$(ls -t "$o"/*/spancorpus | head -n 1)"
}

# built NAME FOLDER VARIABLE...: builds and checks a setting that differs in its build.
built() {
	local name=$1 where
	chosen "$name" || return 0
	shift
	options=(--threads 2)
	if where=$(build "$@"); then
		check "$name" "$where"
	else
		line "$name" - - "NO: does not build"
		failed=$((failed + 1))
	fi
}

compilers() {
	local cc name level
	for name in gcc clang; do
		cc=${compiler[$name]}
		if ! command -v "$cc" >/dev/null; then
			wanted "$name" && [ $list = no ] &&
				missing "$name -O0 -O2 -O3" "no $cc here" "apt-get install $name"
			continue
		fi
		for level in -O0 -O2 -O3; do
			run_with=()
			[ "$name$level" = gcc-O2 ] || # the reference
				built "$name $level" "determinism/$name$level" CC="$cc" CFLAGS=$level
		done
		run_with=()
		built "$name asan" "determinism/$name-asan" CC="$cc" BUILD=asan
	done
}

# foreign NAME COMPILER MULTIARCH DEBIAN QEMU: a cross build with Debian's foreign packages.
foreign() {
	local name=$1 cc=$2-gcc ar=$2-ar multi=$3 arch=$4 qemu=$5 lib where
	local packages="gcc-$2 libc6-dev-$arch-cross"
	chosen "$name" || return 0
	for lib in libzstd-dev libxxhash-dev libjansson-dev; do packages+=" $lib:$arch"; done
	packages="dpkg --add-architecture $arch && apt-get update && apt-get install --no-install-recommends $packages qemu-user"
	if ! command -v "$cc" >/dev/null; then
		missing "$name" "no $cc here" "$packages"
		return
	fi
	for lib in libzstd libxxhash jansson; do
		if [ ! -e "/usr/lib/$multi/pkgconfig/$lib.pc" ]; then
			missing "$name" "no $lib for $arch" "$packages"
			return
		fi
	done
	export PKG_CONFIG_LIBDIR=/usr/lib/$multi/pkgconfig
	where=$(build "determinism/$name" CC="$cc" AR="$ar")
	unset PKG_CONFIG_LIBDIR
	if [ -z "$where" ]; then
		line "$name" - - "NO: does not build"
		failed=$((failed + 1))
		return
	fi
	run_with=()
	if ! "$where/spangen" --version >/dev/null 2>&1; then
		if ! command -v "$qemu" >/dev/null; then
			missing "$name" "no $qemu here" "apt-get install qemu-user"
			return
		fi
		run_with=("$qemu")
	fi
	options=(--threads 2)
	check "$name" "$where"
}

# A locale whose case mapping and decimal comma are unlike C's, made here: few machines have one.
locale_setting() {
	local name="locale $1"
	chosen "$name" || return 0
	if ! localedef -i "$1" -f UTF-8 "$scratch/$1.UTF-8" 2>/dev/null; then
		missing "$name" "localedef cannot make it" "apt-get install locales"
		return
	fi
	run_with=(env LOCPATH="$scratch" LC_ALL="$1.UTF-8") options=(--threads 2)
	check "$name" "$reference_dir"
}

# ---- All of them ---------------------------------------------------------------------------

if [ $list = no ]; then
	reference_dir=$(build determinism/gcc-O2 CC="${compiler[gcc]}" CFLAGS=-O2) || exit 1
	reference "$reference_dir"
	line setting digest rows equal
	line "gcc -O2, 1 thread" "$(short digest <<<"$want_digests")" "$(short sums <<<"$want_sums")" \
		"(reference)"
fi
for n in 2 4 7; do
	run_with=() options=(--threads "$n")
	! chosen "threads $n" || check "threads $n" "$reference_dir"
done
for zone in Pacific/Chatham America/St_Johns; do
	run_with=(env TZ="$zone") options=(--threads 2)
	if chosen "TZ $zone"; then
		if [ -e "/usr/share/zoneinfo/$zone" ]; then
			check "TZ $zone" "$reference_dir"
		else
			missing "TZ $zone" "no such zone here" "apt-get install tzdata"
		fi
	fi
done
for locale in tr_TR de_DE; do locale_setting $locale; done
compilers
foreign i386 i686-linux-gnu i386-linux-gnu i386 qemu-i386
foreign aarch64 aarch64-linux-gnu aarch64-linux-gnu arm64 qemu-aarch64
foreign s390x s390x-linux-gnu s390x-linux-gnu s390x qemu-s390x
for setting in "${own[@]+"${own[@]}"}"; do
	run_with=() options=(--threads 2)
	! chosen "${setting%%=*}" || check "${setting%%=*}" "${setting#*=}"
done

[ $list = no ] || exit 0
last="$passed passed, $failed failed"
[ $skipped -eq 0 ] || last+=", $skipped skipped"
echo "$last"
[ $failed -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
