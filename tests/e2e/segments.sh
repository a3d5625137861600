#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Segments of a corpus parse with SkyWalking's own protobuf classes and agree with the columns. CORPUS=DIR checks that corpus instead of a
# small one of its own.
# TIMEOUT: 300
. "$SRC/tests/lib.sh"

venv=$BIN/venv-segments
stamp=$venv/$(sha256sum "$SRC/tests/segments/requirements.txt" | cut -c1-16)
if [ ! -e "$stamp" ]; then
	rm -rf "$venv"
	python3 -m venv "$venv" >venv.log 2>&1 || skip "python3 has no venv: install python3-venv"
	"$venv/bin/pip" install -q --no-deps --retries 1 --timeout 20 -r "$SRC/tests/segments/requirements.txt" \
		>pip.log 2>&1 || { rm -rf "$venv"; skip "PyPI cannot be reached: $(tail -n 1 pip.log)"; }
	touch "$stamp"
fi

corpus=${CORPUS:-}
if [ -z "$corpus" ]; then
	small_corpus corpus
	corpus=corpus
fi
ok spancorpus export --format segments "$corpus"
mv out segments.bin
ok spancorpus export --format csv "$corpus"
mv out columns.csv
"$venv/bin/python" "$SRC/tests/segments/check_segments.py" segments.bin columns.csv || fail "segments and columns disagree"

# The checker can fail: one flipped digit in a column, one row less.
sed '2s/,[01],/,7,/' columns.csv >flipped.csv
if "$venv/bin/python" "$SRC/tests/segments/check_segments.py" segments.bin flipped.csv >flipped.txt; then
	fail "a wrong error flag went unnoticed"
fi
head -n -1 columns.csv >short.csv
if "$venv/bin/python" "$SRC/tests/segments/check_segments.py" segments.bin short.csv >short.txt; then
	fail "a missing row went unnoticed"
fi
