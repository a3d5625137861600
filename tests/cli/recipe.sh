#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# The options that decide content: each makes a corpus that keeps its claims and that its manifest
# makes again; what they refuse; --recipe.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

digest() { sed -n 's/^digest  *//p' out; }

# keeps NAME VALUE OPTION...: stats has no broken claim, the recipe has VALUE in field NAME, and
# the digest is not the plain corpus's.
small_corpus plain --quiet
plain=$(digest)
keeps() {
	local name=$1 value=$2
	shift 2
	rm -rf c
	small_corpus c --quiet "$@"
	[ "$(digest)" != "$plain" ] || fail "$*: the same digest as without"
	[ "$(field c/corpus.json "recipe.$name")" = "$value" ] ||
		fail "$*: recipe.$name is $(field c/corpus.json "recipe.$name"), not $value"
	ok spancorpus verify --rows c
	ok spancorpus stats --quiet c
}
keeps zipf_services_exponent 1100 --zipf-services 1.1
keeps zipf_operations_top_mpct 10000 --zipf-operations 70/10
grep -Eq '^holds +popularity of operations +0 of 100 differ.* quotas of 70/10$' out ||
	fail "stats does not test the operations' law: $(cat out)"
keeps class_medium_pct 100 --complexity 0/100/0
grep -Eq '^holds +traces of 1-5 .* 0 / 200 / 0 ' out || fail "stats: other classes: $(cat out)"
keeps self_time 1 --self-time-dist exponential
keeps self_time 2 --self-time-dist uniform
keeps self_time 3 --self-time-dist fixed
keeps cardinality 1 --cardinality 1
grep -Eq '^holds +ids and other numbers in texts +1000 +[|] at most 1000$' out || fail "stats: $(grep ids out)"
keeps cardinality 1000000000 --cardinality 1G
keeps variants 20 --variants 20
keeps row_bytes 1600 --row-bytes 1600
keeps row_bytes 12000 --row-bytes 12000
keeps errors_mpct 125 --errors 0.125
keeps order 1 --order arrival

# Values that no recipe can have: option, value, range.
bad() { refuse 2 "--$1: .*$2.*$3" spangen plan --spans 2000 "--$1" "$2"; }
bad zipf-services 1.1x 'A/B.*0\.\.4'
bad zipf-services 4.001 'A/B.*0\.\.4'
bad zipf-operations 20/80 'A/B'
bad zipf-operations 80/20/3 'A/B'
bad zipf-operations 100/20 'A < 100'
bad complexity 20/60/21 '20/60/20'
bad complexity 20.5/59.5/20 'whole percentages'
bad complexity 120/-20/0 'whole percentages'
bad self-time-dist pareto 'lognormal\|exponential\|uniform\|fixed'
bad cardinality 0 '1\.\.1000000000'
bad cardinality 1000000001 '1\.\.1000000000'
bad variants 0 '1\.\.64'
bad variants 65 '1\.\.64'
bad row-bytes 65537 '1\.\.65536'
bad errors 100.1 '0\.\.100'
bad order end 'start\|arrival'
refuse 2 '--complexity 0/0/100 .*21\.00\.\.100\.00.*--spans must be 4200\.\.20000' \
	spangen plan --spans 2000 --complexity 0/0/100
refuse 2 '--zipf-services: one of 3 services .*20\.000 %' \
	spangen plan --spans 2000 --services 3 --zipf-services 20/20
for o in title description licence; do
	refuse 2 "--$o is not valid UTF-8" spangen generate --spans 2000 "--$o" $'\xff' --out never
done
[ ! -e never ] || fail "a refused option left a folder"

# A recipe makes the same corpus again, with the same options beside it or none.
ok spangen generate --quiet --recipe c/corpus.json --out again
[ "$(digest)" = "$(field c/corpus.json digest)" ] || fail "--recipe: another digest"
cmp c/data-0000000.zst again/data-0000000.zst || fail "--recipe: other bytes"
ok spangen plan --recipe c/corpus.json --seed 7 --order arrival --spans 2000 --zipf-services 80/20
refuse 2 '--seed asks for seed 8, but c/corpus.json has 7' \
	spangen generate --recipe c/corpus.json --seed 8 --out never
refuse 2 '--zipf-services asks for zipf_services_mpct 90000' \
	spangen plan --recipe c/corpus.json --zipf-services 90/20
refuse 2 '--scale asks for spans 100000' spangen plan --recipe c/corpus.json --scale small
refuse 1 'nothing.json: .*No such file' spangen plan --recipe nothing.json
echo '{}' >foreign.json
refuse 1 'foreign.json: manifest: .*not a corpus' spangen plan --recipe foreign.json
sed 's/"seed": 7/"seed": 8/' c/corpus.json >edited.json
refuse 1 'edited.json: manifest: .*edited or damaged' spangen plan --recipe edited.json
[ ! -e never ] || fail "a refused recipe left a folder"
