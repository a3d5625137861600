#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# --shard, spancorpus merge and split, and what readers make of a part of a corpus.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

says() {
	grep -Eq -- "$1" out || fail "$what: no /$1/ in: $(cat out)"
}

shape=(--spans 20000 --block-traces 50 --services 5 --instances 10 --operations 50 --seed 3)
other=("${shape[@]/3/4}") # seed 4
ok spangen generate "${shape[@]}" --quiet --out whole
digest=$(sed -n 's/^digest *//p' out)
rows=$(jq .rows whole/corpus.json)

# Bad words.
for bad in 3 3/ /3 3/3 4/3 0/0 -1/3 1/3x 01/3 1/1000001; do
	refuse 2 '--shard' spangen generate "${shape[@]}" --shard="$bad" --out s
done
refuse 2 '--shard 0/41: the corpus has 40 blocks' spangen generate "${shape[@]}" --shard 0/41 --out s
[ ! -e s ] || fail "a refused shard left a folder"
for bad in 3 3/3 0/0 01/3 1/3x; do
	refuse 2 '--shard' spangen plan "${shape[@]}" --shard="$bad"
done
refuse 2 '--shard 0/41: the corpus has 40 blocks' spangen plan "${shape[@]}" --shard 0/41

# plan of a shard, beside the whole: rows and blocks exact, bytes within 5 %. The last block is a
# short one, and a shard alone.
odd=(--traces 2010 --block-traces 50 --services 5 --instances 10 --operations 50 --seed 3)
for part in 0/3 2/3 40/41; do
	ok spangen plan "${odd[@]}" --shard $part --json
	mv out plan.json
	ok spangen generate "${odd[@]}" --shard $part --quiet --out odd-${part#*/} --json
	jq -es '.[0] as $p | .[0].of_shard as $s | .[1] as $m | $p.shard == $m.shard and $p.shards == $m.shards
		and $s.first_block == $m.first_block and $s.rows == $m.rows and $s.traces == $m.traces
		and $s.blocks == $m.blocks and $s.data_files == $m.data_files
		and ($s.stored_bytes - $m.stored_bytes | fabs) <= 0.05 * $m.stored_bytes
		and $s.time_ms > 0 and $s.memory_bytes == $p.memory_bytes
		and $p.traces == 2010 and $s.rows < $p.rows and $s.stored_bytes < $p.stored_bytes' \
		plan.json out >/dev/null || fail "plan and generate of shard $part disagree: $(cat plan.json out)"
done
ok spangen plan "${odd[@]}" --shard 2/3
says '^shard +2 of 3, from block 27: [0-9]+ rows in 660 traces, 14 blocks$'
says '^  disk +about '
says '^  memory +about '
says '^  time +about '
ok spangen plan "${odd[@]}" --json
[ "$(jq -c '[.shard, .of_shard]' out)" = '[null,null]' ] || fail "a shard that nobody asked for: $(cat out)"

# Two of three: a part, read as what it is.
ok spangen generate "${shape[@]}" --shard 0/3 --quiet --out s
says '^shard +0 of 3, from block 0 '
ok spangen generate "${shape[@]}" --shard 2/3 --quiet --file-bytes 3M --out s
refuse 1 's: 1 of 3 shards are not there or not finished \(1\); make them' spancorpus merge s
ok spancorpus verify --rows --quiet s
says '^not here: blocks 13 to 25 of 0 to 39'
says '^27 of 27 blocks'
says '^good as a partial corpus:.*shards, not merged'
ok spancorpus info s
says '^digest +not known before merge'
says '^part +27 of 40 blocks: 0 to 12, 26 to 39'
ok spancorpus info --json s
[ "$(jq -c '[.digest, .first_block, .blocks, .blocks_of_recipe]' out)" = '[null,0,27,40]' ] || fail "$(cat out)"
part=$(jq .rows out)
ok spancorpus cat s
[ "$(wc -l <out)" -eq "$part" ] || fail "cat: $(wc -l <out) rows of $part"
ok spancorpus export --format csv --quiet s
[ "$(wc -l <out)" -eq $((part + 1)) ] || fail "export: $(wc -l <out) lines of $part rows"
refuse 1 'there is no block 14|not there' spancorpus cat s --block 14
ok spancorpus stats s --quiet

# Refused beside these: the whole, other numbers, another recipe, twice the same.
refuse 1 's: has corpus.[02]-of-3.json: shards are written here' spangen generate "${shape[@]}" --out s
refuse 1 'is not of 4 shards' spangen generate "${shape[@]}" --shard 1/4 --out s
refuse 1 'corpus.[02]-of-3.json is of another recipe' spangen generate "${other[@]}" --shard 1/3 --out s
refuse 1 's: exists already and is not empty: this shard is complete' spangen generate "${shape[@]}" --shard 0/3 --out s
refuse 1 'whole: has corpus.json' spangen generate "${shape[@]}" --shard 0/3 --out whole

# The third, by way of a kill; merged, again, and the same as the whole.
"$BIN/spangen" generate "${shape[@]}" --shard 1/3 --threads 1 --quiet --out s >out 2>err &
pid=$!
until compgen -G 's/corpus.1-of-3.unfinished' >/dev/null; do
	kill -0 $pid 2>/dev/null || break
	read -r -t 0.002 <> <(:) || true
done
kill -KILL $pid 2>/dev/null || true
wait $pid 2>/dev/null || true
[ -e s/corpus.1-of-3.json ] || refuse 1 '1 of 3 shards' spancorpus merge s
ok spangen generate --resume --shard 1/3 --quiet --out s
ok spancorpus merge s
says "^digest +$digest$"
says "^rows +$rows "
cp s/corpus.json merged.json
ok spancorpus merge --json s
[ "$(jq -c '[.digest, .shards, .was_merged]' out)" = "[\"$digest\",3,true]" ] || fail "$(cat out)"
cmp s/corpus.json merged.json || fail "merge is not idempotent"
ok spancorpus verify --rows --quiet s
says "^good: .*$digest"
ok spancorpus diff whole s
ok spangen generate --resume --shard 1/3 --out s
says '^complete'
sed -i 's/20000 spans/20001 spans/' s/corpus.json
refuse 1 's/corpus.json: exists already and is not what the shards make' spancorpus merge s
cp merged.json s/corpus.json

# Damage between the shards: a digest that is not the blocks', data of another run, overlap.
cp -r s d
rm d/corpus.json d/corpus.1-of-3.json d/data-0000013.zst
ok spangen generate "${other[@]}" --shard 1/3 --quiet --out other
cp other/* d/
refuse 1 'd: corpus.0-of-3.json and corpus.1-of-3.json are not of one corpus: another recipe' spancorpus merge d
refuse 1 'another recipe' spancorpus info d
rm d/corpus.1-of-3.json
ok spangen generate "${shape[@]}" --shard 1/4 --quiet --out quarter
cp quarter/corpus.1-of-4.json d/
refuse 1 'are of different numbers of shards' spancorpus merge d
refuse 1 'has no finished shards' spancorpus merge whole
refuse 1 'no such folder' spancorpus merge nowhere
refuse 2 'one corpus folder' spancorpus merge

# split: by range, verifiable, with the source's files; the whole range is the whole.
refuse 2 '--blocks A-B and --out' spancorpus split s
refuse 2 '--blocks' spancorpus split --blocks x-2 --out p s
refuse 2 'the last is before the first' spancorpus split --blocks 5-2 --out p s
refuse 2 's has blocks 0 to 39' spancorpus split --blocks 5-40 --out p s
[ ! -e p ] || fail "a refused split left a folder"
ok spancorpus split --blocks 10-30 --out p s
says '^blocks +10 to 30 of 0 to 39$'
cmp s/data-0000013.zst p/data-0000013.zst || fail "a file that is wholly inside changed"
refuse 1 'p: exists already and is not empty' spancorpus split --blocks 10-30 --out p s
ok spancorpus verify --rows --quiet p
says '^not here: blocks 0 to 9 of 0 to 39'
says '^not here: blocks 31 to 39 of 0 to 39'
says "^part of: $digest$"
says '^good as a partial corpus'
ok spancorpus verify --deep --quiet p
says '^good as a partial corpus'
ok spancorpus info p
says '^part +21 of 40 blocks: 10 to 30$'
says "^part of +$digest$"
for n in 10 30; do
	"$BIN/spancorpus" cat p --block $n >a
	"$BIN/spancorpus" cat whole --block $n >b
	cmp a b || fail "block $n"
done
refuse 2 '--block 9: the corpus has blocks 10 to 30' spancorpus cat p --block 9
ok spancorpus split --blocks 20 --out one p
says '^blocks +20 to 20 '
[ "$(jq -r .part_of one/corpus.json)" = "$digest" ] || fail "part_of of a part of a part"
ok spancorpus split --blocks 0-39 --out all --json s
[ "$(field out digest)" = "$digest" ] || fail "split of everything: $(cat out)"
# A part is found damaged, and healed.
printf 'x' | dd of=p/data-0000013.zst bs=1 seek=300000 conv=notrunc status=none
run spancorpus verify --quiet p
[ $rc -eq 1 ] || fail "a damaged part: exit $rc"
ok spancorpus verify --heal --quiet p
cmp s/data-0000013.zst p/data-0000013.zst || fail "healed to other bytes"

# A part download: manifest and some files.
cp -r s down
rm down/corpus.?-of-3.json down/data-0000000.zst
ok spancorpus verify --quiet down
says 'missing: down/data-0000000.zst: blocks 0 to 12'
says '^good as a partial corpus'

# Replayed as what they are: every row of the part, none twice.
if [ -x "$BIN/spanreplay" ]; then
	for dir in p down; do
		ok spancorpus export --format csv --quiet $dir
		lines=$(($(wc -l <out) - 1))
		ok spanreplay write --model trace --corpus $dir --dry-run --quiet
		grep -q "$lines" out || fail "dry run of $dir: not $lines rows: $(cat out)"
	done
fi
