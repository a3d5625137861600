#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The comparer finds what it must: another status, order, count or step; not another text.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

cat >compare.py <<'END'
import contextlib
import copy
import io
import json
import pathlib
import sys

sys.dont_write_bytecode = True
src = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(src / "tests/contract"))
import contract

folder = src / "fixtures/contract/0.11-dev"
recorded = {p.stem: contract.read_lines(p) for p in folder.glob("*.jsonl")}
assert set(recorded) == {"service", "schema", "stream", "trace"}, set(recorded)


def compare(change, deviations=()):
    got = copy.deepcopy(recorded)
    change(got, {s["step"]: s for steps in got.values() for s in steps})
    with contextlib.redirect_stdout(io.StringIO()) as out:
        bad = contract.compare(got, folder, deviations)
    return bad, out.getvalue()


def expect(bad, change, deviations=(), says=""):
    n, text = compare(change, deviations)
    assert n == bad and says in text, (n, text)


def status(got, steps):
    steps["stream.write.many"]["acks"][2]["status"] = "STATUS_INTERNAL_ERROR"


listed = [{"id": "x", "steps": ["stream.write.many"]}]
expect(0, lambda got, steps: None)
expect(1, status, says="stream.write.many: acks[2].status: expected")
expect(0, status, listed, says="1 explained")
expect(1, lambda got, steps: None, listed, says="x explains nothing at step stream.write.many")
expect(1, lambda got, steps: steps["trace.write.many"]["acks"].reverse(), says="trace.write.many: acks")
expect(1, lambda got, steps: steps["trace.write.many"]["acks"].pop(), says="expected 5 items, got 4")
expect(1, lambda got, steps: steps["schema.group.get.missing"].update(code="UNKNOWN"))
expect(0, lambda got, steps: steps["schema.group.get.missing"].update(text="other words"))
expect(1, lambda got, steps: steps["stream.inspect"]["reply"].update(data_count=26), says="data_count")
expect(1, lambda got, steps: got["service"].pop(), says="steps not run")
expect(1, lambda got, steps: got["service"].reverse(), says="another order")
expect(1, lambda got, steps: got.pop("trace"), says="trace: script is only recorded")

# Nothing of the machine or the day is in a transcript.
for version in sorted((src / "fixtures/contract").iterdir()):
    for path in version.glob("*.jsonl"):
        for step in contract.read_lines(path):
            line = json.dumps(step)
            for word in ("127.0.0.1", "localhost", "contract_", "/tmp", "/home", "/root"):
                assert word not in line, f"{path}: {step['step']}: {word}"
END
python3 compare.py "$SRC"
