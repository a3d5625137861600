#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reader of read_corpus.py, and spancorpus beside it, on data that are not as FORMAT.md wants them.

    check_reader.py SPANCORPUS TINY SCRATCH

1. One bit of every byte of TINY (manifest and data file) is flipped in turn: the reader must say Damage and name the file, and the
   block where there is one. spancorpus must say so too for every 31st byte.
2. TINY is written anew from its messages, by the writer below: both must accept it, with the same digest.
3. The same with one rule of FORMAT.md broken and every digest right: both must refuse it.
"""
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import xxhash
import zstandard

from read_corpus import CORPUS, Damage, read_corpus, read_first_frame, varint, xxh3_128, bytes_field

DATA = "data-0000000.zst"


def fail(text: str) -> None:
    sys.exit(f"check_reader: {text}")


def complaint(folder: Path) -> str | None:
    """What the reader has against a corpus; None: nothing."""
    try:
        read_corpus(folder)
    except Damage as error:
        return str(error)
    return None


class Checker:
    def __init__(self, spancorpus: str, tiny: Path, scratch: Path) -> None:
        self.spancorpus, self.scratch = spancorpus, scratch
        self.manifest, self.data = (tiny / "corpus.json").read_bytes(), (tiny / DATA).read_bytes()
        scratch.mkdir()

    def write(self, manifest: bytes, data: bytes) -> None:
        for name, content in (("corpus.json", manifest), (DATA, data)):
            (self.scratch / name).unlink(missing_ok=True)  # some file systems wait for the disk when a file is cut and written again
            (self.scratch / name).write_bytes(content)

    def verify(self) -> int:
        return subprocess.run([self.spancorpus, "verify", "--quiet", str(self.scratch)], capture_output=True).returncode

    def refused(self, name: str, places: list[str], ask_spancorpus: bool) -> str:
        text = complaint(self.scratch)
        if text is None:
            fail(f"{name}: went unnoticed")
        assert text
        if not all(place in text for place in places):
            fail(f"{name}: no {' '.join(places)} in: {text}")
        if ask_spancorpus and (code := self.verify()) != 1:
            fail(f"{name}: spancorpus verify ends with {code}; this reader says: {text}")
        return text

    def flips(self) -> int:
        blocks = [(0x299, "block 0"), (0x3dd, "block 1"), (0x4a7, "seek table")]  # FORMAT section 9
        for offset in range(len(self.manifest) + len(self.data)):
            manifest, data = bytearray(self.manifest), bytearray(self.data)
            bit, inside = 1 << offset % 8, offset - len(manifest)
            if inside < 0:
                manifest[offset] ^= bit
                places = ["corpus.json"]
            else:
                data[inside] ^= bit
                places = [DATA] + [name for start, name in blocks if inside >= start][-1:]
            self.write(manifest, data)
            self.refused(f"flipped bit at {offset}", places, offset % 31 == 0)
        return len(self.manifest) + len(self.data)


# ---- A writer ----

class Parts:
    """What a corpus is made of: messages, and numbers of the layouts that are otherwise made of them."""

    def __init__(self, data: bytes) -> None:
        whole = CORPUS.FromString(zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read())
        self.recipe, self.dictionary, self.about, self.block = whole.recipe, whole.dictionary, whole.about, list(whole.block)
        self.recipe_tail = b""          # behind the recipe's fields
        self.block_tail = b""           # behind the block's, in the same frame
        self.file_version, self.reserved, self.seek_descriptor = 1, 0, 0
        self.change_header: Callable[[dict[str, int]], None] = lambda fields: None  # of block 0


def frame(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3, write_checksum=True, write_content_size=True).compress(content)


def checked(header: bytes) -> bytes:
    return header + struct.pack("<Q", xxhash.xxh3_64_intdigest(header))


def starts(block: Any, d: Any) -> list[int]:
    result, trace, start = [], -1, 0
    for i, instance in enumerate(block.instance):
        if block.parent[i] == 0 and trace + 1 < len(block.trace_start_ms):
            trace += 1
            start += block.trace_start_ms[trace]
        skew = d.instance[instance].clock_skew_ms if instance < len(d.instance) else 0
        result.append((1 << 32) + start + (block.start_ms[i] >> 1 ^ -(block.start_ms[i] & 1)) + skew)
    return result


def write_corpus(p: Parts, manifest: dict[str, Any]) -> tuple[bytes, bytes]:
    """manifest and data file."""
    recipe = b"".join(varint(f.number << 3) + varint(getattr(p.recipe, f.name))
                      for f in sorted(p.recipe.DESCRIPTOR.fields, key=lambda f: f.number)) + p.recipe_tail
    dictionary = p.dictionary.SerializeToString()
    first = bytes_field(1, recipe) + bytes_field(2, dictionary) + bytes_field(3, p.about.SerializeToString())
    stored = frame(first)
    frames = [(checked(struct.pack("<II8sIIQQQ", 0x184D2A50, 80, b"spangen\0", p.file_version, p.reserved, 0, len(first), len(stored))
                       + xxh3_128(first) + xxh3_128(stored)), 0), (stored, len(first))]
    digest = struct.pack("<IQ", p.recipe.content_version, len(recipe)) + recipe + struct.pack("<Q", len(dictionary)) + dictionary
    for number, block in enumerate(p.block):
        content = bytes_field(4, block.SerializeToString() + (p.block_tail if number == 0 else b""))
        stored = frame(content)
        start = starts(block, p.dictionary)
        h = {"number": number, "first_trace": block.first_trace, "first_row": block.first_row, "traces": len(block.trace_size),
             "rows": len(block.instance), "spans": len(block.template), "duplicates": len(block.duplicate_row),
             "least": min(start), "greatest": max(start)}
        if number == 0:
            p.change_header(h)
        frames.append((checked(struct.pack("<IIQQQIIIIQQ", 0x184D2A51, 112, *h.values()) + xxh3_128(content) + xxh3_128(stored)
                               + struct.pack("<QQ", len(content), len(stored))), 0))
        frames.append((stored, len(content)))
        digest += xxh3_128(content)
    table = struct.pack("<II", 0x184D2A5E, 8 * len(frames) + 9) + b"".join(struct.pack("<II", len(f), plain) for f, plain in frames) \
        + struct.pack("<IBI", len(frames), p.seek_descriptor, 0x8F92EAB1)
    data = b"".join(f for f, _ in frames) + table
    manifest["digest"] = xxh3_128(digest).hex()
    manifest["recipe"] = {f.name: getattr(p.recipe, f.name) for f in sorted(p.recipe.DESCRIPTOR.fields, key=lambda f: f.number)}
    manifest["files"][0].update(size=len(data), payload_size=sum(plain for _, plain in frames), xxh3=xxh3_128(data).hex())
    manifest["manifest_xxh3"] = "0" * 32
    text = json.dumps(manifest, indent=2).encode()
    return text.replace(b"0" * 32, xxh3_128(text).hex().encode(), 1), data


# ---- Rules that a file can break with all its digests right ----

def put(name: str, index: int, value: int) -> Callable[[Parts], None]:
    """Another value in a column of block 0."""
    def change(p: Parts) -> None:
        getattr(p.block[0], name)[index] = value
    return change


def add(name: str, *values: Any) -> Callable[[Parts], None]:
    return lambda p: getattr(p.block[0], name).extend(values)


def header(name: str, more: int) -> Callable[[Parts], None]:
    def change(p: Parts) -> None:
        p.change_header = lambda fields: fields.update({name: fields[name] + more})
    return change


def piece(**fields: Any) -> Callable[[Parts], None]:
    """A piece more at the end of template 1."""
    return lambda p: p.dictionary.template[1].piece.add(**fields)


def entry(table: str, index: int, **fields: Any) -> Callable[[Parts], None]:
    def change(p: Parts) -> None:
        for name, value in fields.items():
            setattr(getattr(p.dictionary, table)[index], name, value)
    return change


def attribute(**fields: Any) -> Callable[[Parts], None]:
    return lambda p: p.__dict__.update(fields)


def nested(p: Parts) -> None:
    pieces = p.dictionary.template[1].piece
    for _ in range(18):
        pieces = pieces.add(message=12).piece


def late(rows: list[int], by: list[int]) -> Callable[[Parts], None]:
    def change(p: Parts) -> None:
        p.block[0].late_row.extend(rows)
        p.block[0].late_by.extend(by)
    return change


BROKEN: dict[str, Callable[[Parts], None]] = {
    "format version 2": attribute(file_version=2),
    "reserved field": attribute(reserved=1),
    "seek table's descriptor": attribute(seek_descriptor=128),
    "recipe with a field more": attribute(recipe_tail=varint(27 << 3) + varint(1)),
    "recipe with a field twice": attribute(recipe_tail=varint(2 << 3) + varint(7)),
    "block with a field more": attribute(block_tail=varint(40 << 3) + varint(1)),
    "order 2": lambda p: setattr(p.recipe, "order", 2),
    "base_epoch_ms": lambda p: setattr(p.recipe, "base_epoch_ms", 1 << 34),
    **{f"header: {name}": header(name, 1) for name in ("number", "first_trace", "first_row", "traces", "rows", "spans", "duplicates")},
    "service without name": entry("service", 0, name=""),
    "instance of no service": entry("instance", 0, service=99),
    "skew": entry("instance", 0, clock_skew_ms=(1 << 30) + 1),
    "id_clock_ms": entry("instance", 0, id_clock_ms=(1 << 42) + 1),
    "upper-case prefix": entry("instance", 0, id_prefix="A" * 32),
    "prefix twice": lambda p: setattr(p.dictionary.instance[0], "id_prefix", p.dictionary.instance[1].id_prefix),
    "id_style 2": entry("instance", 0, id_style=2),
    "component": entry("operation", 0, component=99),
    "template 0 owned": entry("operation", 0, first_template=0),
    "templates that are not there": entry("operation", 0, template_count=99),
    "template 0 not empty": lambda p: p.dictionary.template[0].piece.add(literal=b"x"),
    "empty text": lambda p: p.dictionary.text.append(b""),
    "empty piece": piece(),
    "two things in a piece": piece(literal=b"x", message=3),
    "text not in the dictionary": piece(text=99),
    "unknown hole": piece(hole=22, varint=1),
    "text hole that is a varint": piece(hole=3, varint=1),
    "varint hole that is text": piece(hole=16),
    "varint without hole": piece(varint=3, literal=b"x"),
    "a piece inside 17 messages": nested,
    "field number": piece(message=1 << 29),
    "instance without name": entry("instance", 0, name=""),
    "another title": lambda p: setattr(p.about, "title", "x"),
    "rows that are not the recipe's": lambda p: setattr(p.recipe, "spans", 7),
    "traces that are not the recipe's": lambda p: setattr(p.recipe, "traces", 4),
    "trace_size": put("trace_size", 0, 0),
    "trace_start_ms": put("trace_start_ms", 1, (1 << 41) + 1),
    "instance": put("instance", 0, 99),
    "operation": put("operation", 0, 99),
    "parent of a root": put("parent", 0, 1),
    "a second root": put("parent", 1, 0),
    "parent before the trace": put("parent", 1, 2),
    "parent_span of a root": put("parent_span", 0, 1),
    "parent_span": put("parent_span", 1, 99),
    "start_ms of a root": put("start_ms", 0, 2),
    "latency_ms": put("latency_ms", 0, 1 << 31),
    "is_error": put("is_error", 0, 2),
    "thread": put("thread", 0, 32),
    "sequence": put("sequence", 0, 5000),
    "span_count": put("span_count", 0, 0),
    "template": put("template", 0, 99),
    "template of no callee": put("template", 0, 2),
    "literal among templates": put("template", 1, 0),
    "span_start_ms": put("span_start_ms", 0, 1 << 31),
    "span_duration_ms": put("span_duration_ms", 0, 1 << 31),
    "word": put("word_value", 0, 99),
    "a number more": add("number_value", 1),
    "a hex more": add("hex_value", 1),
    "a word more": add("word_value", 0),
    "a literal more": add("literal_value", b"x"),
    "a number less": lambda p: p.block[0].number_value.pop(),
    "ids longer": lambda p: setattr(p.block[0], "id_value", p.block[0].id_value + b"x" * 16),
    "late_row": late([4], [1]),
    "late_row not rising": late([1, 0], [1, 1]),
    "late_by 0": late([1], [0]),
    "late_by": late([1], [5]),
    "late_by missing": late([1], []),
    "duplicate_row": lambda p: (p.block[0].duplicate_row.append(4), p.block[0].duplicate_by.append(1)),
    "duplicate_by": lambda p: (p.block[0].duplicate_row.append(1), p.block[0].duplicate_by.append(5)),
}


def main() -> None:
    checker = Checker(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    flips = checker.flips()
    original = json.loads(checker.manifest)
    manifest, data = write_corpus(Parts(checker.data), json.loads(checker.manifest))
    checker.write(manifest, data)
    if (text := complaint(checker.scratch)) or checker.verify() != 0:
        fail(f"written anew: refused: {text or 'by spancorpus'}")
    if json.loads(manifest)["digest"] != original["digest"]:
        fail("written anew: another digest")
    wrong = []
    for name, change in BROKEN.items():
        parts = Parts(checker.data)
        change(parts)
        checker.write(*write_corpus(parts, json.loads(checker.manifest)))
        text, code = complaint(checker.scratch), checker.verify()
        if text is None or code != 1:
            wrong.append(f"{name}: reader: {text}; spancorpus verify: exit {code}")
    if wrong:
        fail("accepted:\n" + "\n".join(wrong))
    print(f"{flips} flipped bytes and {len(BROKEN)} broken rules were found")


if __name__ == "__main__":
    main()
