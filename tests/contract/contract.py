#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Records what a server answers to scripted exchanges, or compares it with such a record.

  contract.py record  --server HOST:PORT --out DIR
  contract.py compare --server HOST:PORT --with DIR [--deviations FILE]

A script (scripts.py) is a list of steps; each gives one line of JSON in DIR/SCRIPT.jsonl. What
differs from run to run is replaced by its kind: "<revision>", "<time>", "<bytes>", "<parts>",
"<node>", the fresh group names "<stream group>" and so on; times of rows count from the start
of the run ("+1000ms"). The text of an error is recorded and not compared.

`compare` prints each difference. One that the stand-in is meant to have stands in the
deviations file, with the id of the server's defect and the steps it explains; an entry that
explains nothing is a difference too.

Exit 0 same (or recorded), 1 different, 2 usage, 77 the Python packages are missing.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"
FILES = ["banyandb/common.proto", "banyandb/model.proto", "banyandb/stream.proto",
         "banyandb/trace.proto", "banyandb/database.proto", "banyandb/schema.proto",
         "grpc_health.proto"]
LINES = 6  # differences shown of one step


def generate(out):
    """Python classes of our .proto files, in the folder OUT."""
    include = os.environ.get("PROTO_INCLUDE", "/usr/include")
    subprocess.run(["protoc", f"-I{PROTO}", f"-I{include}", f"--python_out={out}", *FILES],
                   check=True)
    sys.path.insert(0, out)


def run(server):
    """Runs all scripts; {script name: [step, ...]}."""
    import scripts
    return scripts.run(server)


def without_text(value):
    """VALUE as it is compared: no message texts."""
    if isinstance(value, dict):
        return {k: without_text(v) for k, v in value.items() if k != "text"}
    if isinstance(value, list):
        return [without_text(v) for v in value]
    return value


def differences(want, got, where=""):
    """Yields one line for each place where the two JSON values differ."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in sorted(want.keys() | got.keys()):
            at = f"{where}.{key}" if where else key
            if key not in got:
                yield f"{at}: expected {json.dumps(want[key])}, got nothing"
            elif key not in want:
                yield f"{at}: expected nothing, got {json.dumps(got[key])}"
            else:
                yield from differences(want[key], got[key], at)
    elif isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            yield f"{where}: expected {len(want)} items, got {len(got)}: {json.dumps(got)}"
            return
        for i, (w, g) in enumerate(zip(want, got)):
            yield from differences(w, g, f"{where}[{i}]")
    elif want != got or type(want) is not type(got):
        yield f"{where}: expected {json.dumps(want)}, got {json.dumps(got)}"


def read_lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def compare(got, folder, deviations):
    """Prints the differences; the number of those nobody explains."""
    explains = {}
    for entry in deviations:
        for step in entry["steps"]:
            if step in explains:
                print(f"deviations: two entries for step {step}")
                return 1
            explains[step] = entry["id"]
    unused = set(explains)
    bad = same = excused = 0
    recorded = {p.stem for p in folder.glob("*.jsonl")}
    for name in sorted(recorded ^ set(got)):
        print(f"{name}: script is only {'recorded' if name in recorded else 'run'}")
        bad += 1
    for name in sorted(recorded & set(got)):
        want = {s["step"]: s for s in read_lines(folder / f"{name}.jsonl")}
        have = {s["step"]: s for s in got[name]}
        if list(want) != list(have):
            missing = [s for s in want if s not in have]
            new = [s for s in have if s not in want]
            if missing or new:
                print(f"{name}: steps not run: {missing}; steps not recorded: {new}")
            else:
                print(f"{name}: the steps are in another order than recorded")
            bad += 1
        for step in want:
            if step not in have:
                continue
            lines = list(differences(without_text(want[step]), without_text(have[step])))
            if not lines:
                same += 1
            elif step in explains:
                unused.discard(step)
                excused += 1
            else:
                bad += 1
                for line in lines[:LINES]:
                    print(f"{step}: {line}")
                if len(lines) > LINES:
                    print(f"{step}: and {len(lines) - LINES} more")
                for side, record in (("recorded", want[step]), ("now", have[step])):
                    if "text" in record:
                        print(f"{step}:   ({side}: {record['text']})")
    for step in sorted(unused):
        print(f"deviations: {explains[step]} explains nothing at step {step}")
        bad += 1
    print(f"contract: {same} steps as recorded, {excused} explained by known deviations, "
          f"{bad} different")
    return bad


def main():
    parser = argparse.ArgumentParser(prog="contract.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("record", "compare"):
        p = verbs.add_parser(verb)
        p.add_argument("--server", required=True, metavar="HOST:PORT")
        if verb == "record":
            p.add_argument("--out", required=True, type=pathlib.Path, metavar="DIR")
        else:
            p.add_argument("--with", required=True, type=pathlib.Path, metavar="DIR", dest="folder")
            p.add_argument("--deviations", type=pathlib.Path, metavar="FILE")
    args = parser.parse_args()

    if args.verb == "compare":
        if not list(args.folder.glob("*.jsonl")):
            parser.error(f"{args.folder}: holds no transcript (*.jsonl)")
        deviations = json.loads(args.deviations.read_text()) if args.deviations else []
    try:
        import google.protobuf  # noqa: F401
        import grpc  # noqa: F401
    except ImportError as e:
        print(f"{e.name} is missing: apt-get install python3-grpcio python3-protobuf")
        return 77
    with tempfile.TemporaryDirectory() as out:
        generate(out)
        sys.dont_write_bytecode = True
        got = run(args.server)
    if args.verb == "compare":
        return 1 if compare(got, args.folder, deviations) else 0
    args.out.mkdir(parents=True, exist_ok=True)
    for name, steps in got.items():
        with open(args.out / f"{name}.jsonl", "w", encoding="utf-8") as f:
            for step in steps:
                f.write(json.dumps(step, ensure_ascii=False) + "\n")
        print(f"contract: {name}: {len(steps)} steps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
