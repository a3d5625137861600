#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A reader written from FORMAT.md alone decodes corpora to the bytes of spancorpus export, and finds damage: tests/reader. CORPUS=DIR
# compares that corpus too.
# TIMEOUT: 300
. "$SRC/tests/lib.sh"

command -v protoc >/dev/null || skip "no protoc: apt-get install protobuf-compiler"
venv=$BIN/venv-reader
stamp=$venv/$(sha256sum "$SRC/tests/reader/requirements.txt" | cut -c1-16)
if [ ! -e "$stamp" ]; then
	rm -rf "$venv"
	python3 -m venv "$venv" >venv.log 2>&1 || skip "python3 has no venv: install python3-venv"
	"$venv/bin/pip" install -q --no-deps --retries 1 --timeout 20 -r "$SRC/tests/reader/requirements.txt" \
		>pip.log 2>&1 || { rm -rf "$venv"; skip "PyPI cannot be reached: $(tail -n 1 pip.log)"; }
	touch "$stamp"
fi
export PYTHONDONTWRITEBYTECODE=1

read_corpus() { # read_corpus DIR [OPTION]...: leaves its output in ./said
	"$venv/bin/python" "$SRC/tests/reader/read_corpus.py" "$@" >said 2>&1
}

same() { # same DIR REGEX [--epoch MS]: both readers give the same bytes, and what the Python one says matches
	local dir=$1 regex=$2
	shift 2
	read_corpus "$dir" "$@" --csv mine.csv --segments mine.bin || fail "$dir: $(cat said)"
	grep -Eq -- "$regex" said || fail "$dir: no /$regex/ in: $(cat said)"
	ok spancorpus export --format csv "$dir" "$@"
	cmp out mine.csv || fail "$dir $*: other columns"
	ok spancorpus export --format segments "$dir" "$@"
	cmp out mine.bin || fail "$dir $*: other segments"
}

digest() { field "$1/corpus.json" digest; }

small_corpus plain
small_corpus moved --late 2 --duplicates 1 --block-traces 50
small_corpus arrival --order arrival --late 10 --duplicates 5 --block-traces 20 --variants 1
small_corpus thick --row-bytes 16k --complexity 10/30/60 --errors 30 --block-traces 20 --traces 60
"$BIN/helper/split_corpus" arrival files || fail "split_corpus"
files=$(find files -name 'data-*.zst' | wc -l)
[ "$files" -ge 4 ] || fail "only $files data files"

tiny=$SRC/fixtures/golden/tiny
same "$tiny" "^digest $(digest "$tiny")\$"
same "$tiny" '^rows 6 copies 0 traces 3 files 1$' --epoch 1234567890123
same plain "^digest $(digest plain)\$"
same plain '^rows 2000 copies 0 traces 200 files 1$' --epoch 1234567890123
same moved '^rows 2000 copies 20 '
same arrival '^rows 2000 copies 100 '
same thick "^digest $(digest thick)\$"
same files "^digest $(digest arrival)\$"
same files "^rows 2000 copies 100 traces 200 files $files\$"
[ -z "${CORPUS:-}" ] || same "$CORPUS" "^digest $(digest "$CORPUS")\$"

# Some files of a corpus are a partial one.
mapfile -t name < <(cd files && printf '%s\n' data-*.zst)
mv "files/${name[1]}" kept
same files " files $((files - 1)) partial\$"
# A file under another's name, and a file of another corpus.
cp "files/${name[2]}" "files/${name[1]}"
if read_corpus files; then fail "a file under another's name went unnoticed"; fi
grep -q "${name[1]}: " said || fail "not named: $(cat said)"
rm -r files
cp -R plain other
cp moved/data-0000000.zst other
if read_corpus other; then fail "a file of another corpus went unnoticed"; fi
grep -q 'data-0000000.zst: ' said || fail "not named: $(cat said)"
truncate -s -100 plain/data-0000000.zst
if read_corpus plain; then fail "a cut file went unnoticed"; fi
grep -Eq 'data-0000000.zst: ends at [0-9]+, the manifest says' said || fail "where it ends is not said: $(cat said)"

# Every byte of the smallest corpus, and every rule of FORMAT.md.
"$venv/bin/python" "$SRC/tests/reader/check_reader.py" "$BIN/spancorpus" "$tiny" scratch || fail "see above"
