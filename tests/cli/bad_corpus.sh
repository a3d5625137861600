#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A corpus that is missing, cut, flipped, mixed up or something else altogether: every reader
# ends with 1 and one line that names the file.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

small_corpus good
small_corpus other --seed 8
ok spancorpus verify good
data='data-0000000.zst'
size=$(stat -c %s good/$data)

fresh() {
	rm -rf bad
	cp -R good bad
}
# flip FILE OFFSET BIT
flip() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "$(printf '\\x%02x' $((byte ^ (1 << $3))))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
readers='info bad
stats bad
cat bad
export --format segments bad
export --format csv bad'
# verify REGEX: verify must end with 1, one line on stderr, and REGEX in that or in its findings.
verify() {
	run spancorpus verify bad
	[ $rc -eq 1 ] || fail "$what: exit $rc: $(cat out err)"
	one_message spancorpus .
	grep -Eq -- "$1" out err || fail "$what: no /$1/ in: $(cat out err)"
}
# all EXIT REGEX: every reader must refuse ./bad, the replayer too.
all() {
	local line
	verify "$2"
	while read -r line; do
		# shellcheck disable=SC2086 # words
		refuse "$1" "$2" spancorpus $line
	done <<<"$readers"
	refuse "$1" "$2" spanreplay write --model trace --corpus bad --dry-run
}
# but_info EXIT REGEX: as all, without info, which may be content with the manifest.
but_info() {
	local saved=$readers
	readers=$(sed 1d <<<"$readers")
	all "$1" "$2"
	readers=$saved
}

# Missing.
rm -rf bad
all 1 'bad.*([Nn]o such|not found|no corpus)'
mkdir bad
all 1 'bad.*corpus\.json|bad.*no corpus'
fresh; rm bad/$data
but_info 1 'bad.*data files? '"|$data"
rm -rf bad; : >bad
all 1 'bad'
rm bad

# Foreign.
fresh; echo 'not json' >bad/corpus.json
all 1 'bad/corpus\.json'
fresh; echo '{}' >bad/corpus.json
all 1 'bad/corpus\.json'
fresh; : >bad/corpus.json
all 1 'bad/corpus\.json'
fresh; head -c 100000 /dev/zero >bad/corpus.json
all 1 'bad/corpus\.json'
fresh; head -c 100000 /dev/zero | zstd -q >bad/$data
but_info 1 "$data"
fresh; cp other/$data bad/$data
but_info 1 "$data"
fresh; jq '.recipe.seed = 2' good/corpus.json >bad/corpus.json
all 1 'bad/corpus\.json'

# Cut.
for n in 0 1 4 100 $((size / 2)) $((size - 20)) $((size - 1)); do
	fresh; truncate -s "$n" bad/$data
	verify "$data"
done
fresh; truncate -s $((size / 2)) bad/$data
but_info 1 "$data"
fresh; truncate -s -1 bad/corpus.json
all 1 'bad/corpus\.json'
# Longer than it was.
fresh; echo >>bad/$data
verify "$data"

# Flipped bits: the first and last 40 bytes, and 60 places in between.
places=$(seq 0 39; seq $((size - 40)) $((size - 1)); seq 41 $((size / 60)) $((size - 41)))
fresh
for at in $places; do
	flip bad/$data "$at" $((at % 8))
	verify "$data"
	flip bad/$data "$at" $((at % 8))
done
cmp good/$data bad/$data
msize=$(stat -c %s good/corpus.json)
for at in $(seq 0 $((msize / 50)) $((msize - 1))); do
	flip bad/corpus.json "$at" 0
	verify 'corpus\.json'
	flip bad/corpus.json "$at" 0
done
ok spancorpus verify bad

# Asked for what is not there.
refuse 2 'block 99' spancorpus cat good --block 99
refuse 2 'format' spancorpus export --format yaml good
refuse 2 'format' spancorpus export good
refuse 2 'epoch' spancorpus export --format csv --epoch yesterday good
