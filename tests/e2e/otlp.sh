#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The OTLP exports of a corpus parse with OpenTelemetry's own protobuf classes and say what the segments say. CORPUS=DIR checks that corpus
# instead of a small one of its own.
# TIMEOUT: 300
. "$SRC/tests/lib.sh"

venv=$BIN/venv-otlp
stamp=$venv/$(sha256sum "$SRC/tests/otlp/requirements.txt" | cut -c1-16)
if [ ! -e "$stamp" ]; then
	rm -rf "$venv"
	python3 -m venv "$venv" >venv.log 2>&1 || skip "python3 has no venv: install python3-venv"
	"$venv/bin/pip" install -q --no-deps --retries 1 --timeout 20 -r "$SRC/tests/otlp/requirements.txt" \
		>pip.log 2>&1 || { rm -rf "$venv"; skip "PyPI cannot be reached: $(tail -n 1 pip.log)"; }
	touch "$stamp"
fi

check() { # check [ARG]...: the three exports at those options
	ok spancorpus export --format segments "$corpus" "$@"
	mv out segments.bin
	ok spancorpus export --format otlp "$corpus" "$@"
	mv out otlp.bin
	ok spancorpus export --format otlp-json "$corpus" "$@"
	mv out otlp.jsonl
	"$venv/bin/python" "$SRC/tests/otlp/check_otlp.py" segments.bin otlp.bin otlp.jsonl || fail "OTLP and segments disagree $*"
}

corpus=${CORPUS:-}
if [ -z "$corpus" ]; then
	small_corpus corpus
	corpus=corpus
fi
check
check --epoch 2026-06-01T00:00:00Z --threads 3

# The checker can fail: one flipped bit in the first trace id, another kind, a number where a text must be, one line less.
try() { # try BINARY JSON WHAT
	if "$venv/bin/python" "$SRC/tests/otlp/check_otlp.py" segments.bin "$1" "$2" >"wrong.txt" 2>&1; then
		fail "$3 went unnoticed"
	fi
}
python3 - <<'PY'
data = bytearray(open("otlp.bin", "rb").read())
data[data.index(b"\x0a\x10") + 5] ^= 1
open("flipped.bin", "wb").write(data)
PY
try flipped.bin otlp.jsonl "a flipped bit"
sed '1s/"kind":1/"kind":2/' otlp.jsonl >kind.jsonl
try otlp.bin kind.jsonl "another kind"
sed '1s/"intValue":"\([0-9]*\)"/"intValue":\1/' otlp.jsonl >number.jsonl
try otlp.bin number.jsonl "a number where a text must be"
head -n -1 otlp.jsonl >short.jsonl
try otlp.bin short.jsonl "a missing line"
