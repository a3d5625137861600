#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 120
# --late and --duplicates: the same rows as without, so many of them late and so many twice, as seen
# from the exported rows; both default to 0 and then leave no trace.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

export_csv() {
	ok spancorpus export --format csv "$1"
	tail -n +2 out >"$2"
}

for order in start arrival; do
	rm -rf plain mixed
	small_corpus plain --quiet --block-traces 50 --order $order
	export_csv plain plain.csv
	small_corpus mixed --quiet --block-traces 50 --order $order --late 12.5 --duplicates 7.55
	grep -Eq '^rows +2000 ' out || fail "generate counts copies as rows: $(cat out)"
	grep -Eq '^duplicates +151 ' out || fail "generate names no duplicates: $(cat out)"
	export_csv mixed mixed.csv
	# Ranks are the lines of the corpus without disorder. Late: a greater rank has been seen before.
	awk -F, '
		NR == FNR { rank[$7] = FNR; line[$7] = $0; next }
		{
			if ($0 != line[$7]) { print "another row: " $7; exit }
			if (seen[$7]++ == 1) { copies++; next }
			if (seen[$7] > 2) { print "three times: " $7; exit }
			if (rank[$7] < most) late++
			else most = rank[$7]
		}
		END { print NR - FNR, length(seen), late, copies }
	' plain.csv mixed.csv >counts
	[ "$(cat counts)" = '2000 2000 250 151' ] || fail "$order: rows, distinct, late, copies: $(cat counts)"
	ok spancorpus verify --rows mixed
	ok spancorpus stats --quiet mixed
	grep -Eq '^holds +late rows +250 +[|] 250$' out || fail "stats: $(grep late out)"
	grep -Eq '^holds +duplicates beyond the rows +151, 0 out of place +[|] 151,' out || fail "stats: $(grep dupl out)"
	ok spancorpus info --json mixed
	[ "$(field out rows)" = 2000 ] || fail "info: $(field out rows) rows"
	[ "$(field out duplicates)" = 151 ] || fail "info: $(field out duplicates) duplicates"
	ok spancorpus cat mixed
	[ "$(grep -c '"duplicate":true' out)" = 151 ] || fail "cat flags $(grep -c '"duplicate":true' out) copies"
done

# All rows twice, half of them late, blocks of one trace: the most there can be.
small_corpus most --quiet --block-traces 1 --late 50 --duplicates 100
ok spancorpus verify --rows most
ok spancorpus stats --quiet --sample 0 most
[ "$("$BIN/spancorpus" export --format csv most | wc -l)" = 4001 ] || fail "not every row twice"

# Without them, nothing is stored.
small_corpus zero --quiet --late 0 --duplicates 0.000
small_corpus none --quiet
cmp zero/data-0000000.zst none/data-0000000.zst || fail "--late 0 --duplicates 0 are not the default"
"$BIN/spancorpus" cat --block 0 --raw none >raw
protoc --decode=spangen.v1.Corpus -I "$SRC/proto" "$SRC/proto/corpus.proto" <raw >decoded || fail "protoc cannot read block 0"
if grep -Eq '^  (late|duplicate)_' decoded; then fail "columns of disorder without disorder"; fi

refuse 2 '--late: 50\.001 .*0\.\.50' spangen plan --late 50.001
refuse 2 '--duplicates: 100\.1 .*0\.\.100' spangen plan --duplicates 100.1
refuse 2 "--late: '-1' .*0\.\.50" spangen plan --late=-1
