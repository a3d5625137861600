#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a corpus, written from FORMAT.md and proto/*.proto alone: the proof that they are enough, and a short second description.

    read_corpus.py [--epoch MS] [--csv FILE] [--segments FILE] DIR

checks everything that FORMAT.md lets a reader check (sections in parentheses below are its sections), writes the rows in output
order as `spancorpus export` does, and prints the digest and the totals. Exit 1 and one line, naming file and block, on damage.

Needs protoc, and from PyPI what requirements.txt names. Made to be read, not to be fast: about 5,000 rows a second.
"""
import argparse
import base64
import csv
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Iterator, TextIO

import xxhash
import zstandard
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

PROTO = Path(__file__).resolve().parents[2] / "proto" / "corpus.proto"
MIB = 1 << 20


class Damage(Exception):
    """The data break a rule of FORMAT.md; the text names the place."""


def need(holds: bool, what: str) -> None:
    if not holds:
        raise Damage(what)


class at:
    """`with at("block 3"):` puts the place in front of the text of a Damage inside."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: Any, error: Any, _traceback: Any) -> None:
        if isinstance(error, Damage):
            raise Damage(f"{self.place}: {error}") from None


# ---- Protobuf and zstd (1, 3) ----

def corpus_class() -> Any:
    """The message Corpus, from proto/corpus.proto."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "set")
        subprocess.run(["protoc", f"-I{PROTO.parent}", f"--descriptor_set_out={out}", str(PROTO)], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(out).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("spangen.v1.Corpus"))


CORPUS = corpus_class()


def parse(message_class: Any, data: bytes) -> Any:
    """A message in which no field is unknown (8: newer data)."""
    try:
        message = message_class.FromString(data)
    except DecodeError as error:
        raise Damage(f"not a protobuf message: {error}") from None
    size = message.ByteSize()
    message.DiscardUnknownFields()
    need(message.ByteSize() == size, "a field that format version 1 does not know")
    return message


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        need(offset < len(data), "a varint is cut off")
        value |= (data[offset] & 127) << shift
        offset += 1
        if data[offset - 1] < 128:
            return value, offset
    raise Damage("a varint is too long")


def int_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value) if value else b""


def bytes_field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def text_field(number: int, value: bytes) -> bytes:
    return bytes_field(number, value) if value else b""


def zigzag(value: int) -> int:
    return value >> 1 ^ -(value & 1)


def xxh3_128(data: bytes) -> bytes:
    return xxhash.xxh3_128_digest(data)


def decompress(stored: bytes, size: int, digest: bytes, stored_digest: bytes) -> bytes:
    """The content of one zstd frame, checked in every way there is (3)."""
    need(xxh3_128(stored) == stored_digest, "XXH3-128 of the stored frame differs")
    need(size <= 256 * MIB, f"uncompressed size {size} is above 256 MiB")
    try:
        frame = zstandard.get_frame_parameters(stored)
        need(frame.content_size == size, f"zstd frame of {frame.content_size} bytes instead of {size}")
        data = zstandard.ZstdDecompressor().decompress(stored, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Damage(f"zstd: {error}") from None
    need(xxh3_128(data) == digest, "XXH3-128 of the content differs")
    return data


# ---- The manifest (7) ----

def read_manifest(path: Path) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        need(len(result) == len(pairs), "a key occurs twice")
        return result

    need(path.exists(), "missing: not a corpus, or unfinished")
    data = path.read_bytes()
    spelling = re.search(rb'"manifest_xxh3": "([0-9a-f]{32})"', data)
    need(spelling is not None, "no manifest_xxh3")
    assert spelling
    start, end = spelling.span(1)
    digest = xxh3_128(data[:start] + b"0" * 32 + data[end:]).hex().encode()
    try:
        manifest = json.loads(data.decode("utf-8"), object_pairs_hook=unique)
    except ValueError as error:
        raise Damage(f"not JSON in UTF-8: {error}") from None
    need(isinstance(manifest, dict) and manifest.get("format") == "spangen-corpus", "not the manifest of a corpus")
    need(manifest["format_version"] == 1, f"format version {manifest['format_version']}, this reader knows 1")
    need(spelling[1] == digest, "manifest_xxh3 differs: the manifest was changed")
    return manifest


# ---- The first frame: recipe and dictionary (4, 6) ----

@dataclass
class FirstFrame:
    """recipe and dictionary as messages, and their bytes, which enter the digest."""
    recipe: Any
    dictionary: Any
    about: Any
    recipe_bytes: bytes
    dictionary_bytes: bytes


def top_fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, content) of the length-delimited fields of a message; there are no others in a Corpus."""
    offset = 0
    while offset < len(data):
        tag, offset = read_varint(data, offset)
        need(tag & 7 == 2, f"field {tag >> 3} is not length-delimited")
        size, offset = read_varint(data, offset)
        need(offset + size <= len(data), f"field {tag >> 3} ends behind its message")
        yield tag >> 3, data[offset:offset + size]
        offset += size


def read_first_frame(data: bytes) -> FirstFrame:
    corpus = parse(CORPUS, data)
    fields = list(top_fields(data))
    need([number for number, _ in fields] == [1, 2, 3], "not recipe, dictionary and about, once each")
    first = FirstFrame(corpus.recipe, corpus.dictionary, corpus.about, fields[0][1], fields[1][1])
    recipe_fields = sorted(first.recipe.DESCRIPTOR.fields, key=lambda field: field.number)
    spelling = b"".join(varint(field.number << 3) + varint(getattr(first.recipe, field.name)) for field in recipe_fields)
    need(first.recipe_bytes == spelling, "recipe: not every field once, in rising order")
    check_recipe(first.recipe)
    check_dictionary(first.dictionary)
    return first


def check_recipe(recipe: Any) -> None:
    """Ranges of the two fields that rows depend on."""
    need(recipe.order in (0, 1), f"recipe: order {recipe.order}")
    need(1 << 35 <= recipe.base_epoch_ms < 1 << 42, f"recipe: base_epoch_ms {recipe.base_epoch_ms}")


NUMBER, HEX, WORD, SPAN_START, SPAN_END, SPAN_ID, PARENT_SPAN_ID, OWN_PEER, CALLEE_PEER, REFERENCE = 1, 2, 3, 16, 17, 18, 19, 20, 21, 23
VARINT_ONLY = (SPAN_START, SPAN_END, SPAN_ID, PARENT_SPAN_ID)
TEXT_ONLY = (HEX, WORD, OWN_PEER, CALLEE_PEER, REFERENCE)


def check_pieces(pieces: Any, texts: int, depth: int) -> int:
    """Refuses what section 4 does not allow; returns how many pieces there are, nested ones counted."""
    need(depth <= 16 or not pieces, "a piece stands inside more than 16 messages")
    count = len(pieces)
    for piece in pieces:
        need((piece.literal != b"") + (piece.text != 0) + (piece.hole != 0) + (piece.message != 0) == 1, "a piece is not exactly one thing")
        need(piece.text <= texts, f"text {piece.text} of {texts}")
        need(piece.varint == 0 or piece.hole != 0, "varint without a hole")
        need(max(piece.varint, piece.message) < 1 << 29, "a field number of 2^29 or above")
        need(not piece.piece or piece.message != 0, "nested pieces without a message")
        need(piece.hole in (0, NUMBER) + VARINT_ONLY + TEXT_ONLY, f"unknown kind of hole {piece.hole}")
        need(piece.hole not in VARINT_ONLY or piece.varint != 0, f"hole {piece.hole} must be a varint")
        need(piece.hole not in TEXT_ONLY or piece.varint == 0, f"hole {piece.hole} cannot be a varint")
        count += check_pieces(piece.piece, texts, depth + 1)
    return count


def check_dictionary(d: Any) -> None:
    for number, service in enumerate(d.service):
        need(service.name != "", f"service {number}: no name")
    prefixes = set()
    for number, instance in enumerate(d.instance):
        with at(f"instance {number}"):
            need(instance.name != "", "no name")
            need(instance.service < len(d.service), f"service {instance.service}")
            need(abs(instance.clock_skew_ms) <= 1 << 30, f"clock_skew_ms {instance.clock_skew_ms}")
            need(0 <= instance.id_clock_ms <= 1 << 42, f"id_clock_ms {instance.id_clock_ms}")
            if instance.id_style == 0:
                need(re.fullmatch("[0-9a-f]{32}", instance.id_prefix) is not None, "id_prefix is not 32 hex digits")
                need(instance.id_prefix not in prefixes, "id_prefix is another instance's")
                prefixes.add(instance.id_prefix)
            else:
                need(instance.id_style == 1, f"id_style {instance.id_style}")
                need(instance.id_prefix == "" and instance.id_clock_ms == 0, "RAW with prefix or clock")
    for number, operation in enumerate(d.operation):
        with at(f"operation {number}"):
            need(operation.component < len(d.component), f"component {operation.component}")
            need(operation.first_template + operation.template_count <= len(d.template), "templates that are not there")
            need(operation.first_template > 0 or operation.template_count == 0, "owns template 0")
    need(len(d.template) > 0 and d.template[0].ByteSize() == 0, "template 0 is not empty")
    for number, template in enumerate(d.template):
        with at(f"template {number}"):
            need(check_pieces(template.piece, len(d.text), 0) <= 65535, "more than 65,535 pieces")
    need(all(d.text), "an empty text")


# ---- Data files (3) ----

@dataclass
class BlockHeader:
    """3.2"""
    number: int
    first_trace: int
    first_row: int
    traces: int
    rows: int
    spans: int
    duplicates: int
    least_start: int
    greatest_start: int
    digest: bytes
    stored_digest: bytes
    size: int
    stored_size: int


class DataFile:
    """A data file: opening checks its headers, seek table and first frame; blocks() decodes the rest."""

    def __init__(self, path: Path, entry: dict[str, Any]) -> None:
        self.data = path.read_bytes()
        size = len(self.data)
        need(size == entry["size"], f"ends at {size}, the manifest says {entry['size']}")
        need(size >= 88, "no room for a file header")
        magic, rest, name, version, reserved, self.first_block, first_size, first_stored, digest, stored_digest, check = \
            struct.unpack_from("<II8sIIQQQ16s16sQ", self.data)
        with at("file header"):
            need(magic == 0x184D2A50 and rest == 80 and name == b"spangen\0", "not a data file")
            need(version == 1 and reserved == 0, "newer data")
            need(check == xxhash.xxh3_64_intdigest(self.data[:80]), "XXH3-64 of the header differs")
            need(entry["name"] == path.name == f"data-{self.first_block:07}.zst" and self.first_block == entry["first_block"],
                 f"first block {self.first_block}: renamed or swapped")
        with at("seek table"):
            self.sizes = self.read_seek_table(entry["blocks"])
            need(self.sizes[:2] == [(88, 0), (first_stored, first_size)], "sizes of file header and first frame differ from the header")
            need(sum(plain for _, plain in self.sizes) == entry["payload_size"], "payload_size of the manifest is not the sum")
        with at("first frame"):
            self.first = read_first_frame(decompress(self.data[88:88 + first_stored], first_size, digest, stored_digest))
        self.block_digests: list[bytes] = []

    def read_seek_table(self, blocks: int) -> list[tuple[int, int]]:
        """3.3: (stored size, uncompressed size) of every frame before the table."""
        frames, descriptor, magic = struct.unpack("<IBI", self.data[-9:])
        need(magic == 0x8F92EAB1 and descriptor == 0, "no seek table at the end of the file")
        need(frames == 2 + 2 * blocks, f"{frames} frames instead of {2 + 2 * blocks}")
        start = len(self.data) - (8 * frames + 17)
        need(start > 0, "larger than the file")
        need(struct.unpack_from("<II", self.data, start) == (0x184D2A5E, 8 * frames + 9), "wrong magic or size")
        sizes = list(struct.iter_unpack("<II", self.data[start + 8:-9]))
        need(sum(stored for stored, _ in sizes) == start, "the sum of the stored sizes is not its offset")
        return sizes

    def blocks(self) -> Iterator[tuple[BlockHeader, bytes]]:
        offset = self.sizes[0][0] + self.sizes[1][0]
        for number in range((len(self.sizes) - 2) // 2):
            header_sizes, frame_sizes = self.sizes[2 + 2 * number], self.sizes[3 + 2 * number]
            with at(f"block {self.first_block + number}"):
                need(header_sizes == (120, 0), "the seek table has another size for its header")
                magic, rest, *fields, check = struct.unpack_from("<IIQQQIIIIQQ16s16sQQQ", self.data, offset)
                need(magic == 0x184D2A51 and rest == 112, "no block header")
                need(check == xxhash.xxh3_64_intdigest(self.data[offset:offset + 112]), "XXH3-64 of the header differs")
                header = BlockHeader(*fields)
                need(header.number == self.first_block + number, f"header of block {header.number}")
                need((header.stored_size, header.size) == frame_sizes, "sizes in header and seek table differ")
                offset += 120
                content = decompress(self.data[offset:offset + header.stored_size], header.size, header.digest, header.stored_digest)
                offset += header.stored_size
                self.block_digests.append(header.digest)
            yield header, content


# ---- Rows (5) ----

@dataclass
class Row:
    """One row, as section 5 names its parts; texts are bytes, being copied into blobs."""
    number: int                     # in the corpus
    trace: int                      # in the block
    ordinal: int                    # in the trace
    instance: Any
    operation: Any
    service: Any
    component: str
    parent: "Row | None"
    parent_span: int
    start: int                      # relative, clock skew included
    latency: int
    is_error: int
    peer: bytes                     # where its callers reach it
    segment_id: bytes = b""
    trace_id: bytes = b""
    blob: bytes = b""

    def columns(self, epoch: int) -> list[str | int]:
        def base64_of(text: str) -> str:
            return base64.b64encode(text.encode()).decode()

        service_id = base64_of(self.service.name) + ".1"
        parent_id = self.parent.segment_id.decode() if self.parent else ""
        return [service_id, f"{service_id}_{base64_of(self.instance.name)}", self.trace_id.decode(), epoch + self.start, self.latency,
                self.is_error, self.segment_id.decode(), parent_id, self.operation.name, self.component]


@dataclass
class Span:
    """An inner span before it is written."""
    template: Any
    start: int
    duration: int
    number: int
    parent: int
    callee: Row | None


class Column:
    """Values taken one after the other."""

    def __init__(self, name: str, values: Any) -> None:
        self.name = name
        self.values = values
        self.used = 0

    def next(self) -> Any:
        need(self.used < len(self.values), f"{self.name}: too few values")
        self.used += 1
        return self.values[self.used - 1]

    def end(self) -> None:
        need(self.used == len(self.values), f"{self.name}: {len(self.values) - self.used} values too many")


class BlockReader:
    """Decodes one block: rows() in output order."""

    def __init__(self, header: BlockHeader, content: bytes, first: FirstFrame, epoch: int) -> None:
        corpus = parse(CORPUS, content)
        need(len(corpus.block) == 1 and [number for number, _ in top_fields(content)] == [4], "the frame is not one block")
        self.header, self.block, self.dictionary, self.recipe, self.epoch = header, corpus.block[0], first.dictionary, first.recipe, epoch
        self.check_lengths()
        self.rows = self.make_rows()
        self.render_rows()
        starts = [row.start + (1 << 32) for row in self.rows]
        need((min(starts), max(starts)) == (header.least_start, header.greatest_start), "least and greatest start differ from the header")

    def check_lengths(self) -> None:
        b, h = self.block, self.header
        need((b.number, b.first_trace, b.first_row) == (h.number, h.first_trace, h.first_row), "block and header differ")
        need(1 <= h.rows <= MIB and h.rows <= h.spans <= 16 * MIB and h.traces >= 1, "counts of the header out of range")
        per_row = ("instance", "operation", "parent", "parent_span", "start_ms", "latency_ms", "is_error", "thread", "sequence", "span_count")
        lengths = {"trace_size": h.traces, "trace_start_ms": h.traces, "template": h.spans, "span_start_ms": h.spans - h.rows,
                   "span_duration_ms": h.spans - h.rows, "duplicate_row": h.duplicates, "duplicate_by": h.duplicates,
                   "late_by": len(b.late_row), **dict.fromkeys(per_row, h.rows)}
        for name, length in lengths.items():
            need(len(getattr(b, name)) == length, f"{name}: {len(getattr(b, name))} values instead of {length}")
        need(sum(b.trace_size) == h.rows, "trace_size: the sum is not the number of rows")
        need(sum(b.span_count) == h.spans, "span_count: the sum is not the number of spans")

    def make_rows(self) -> list[Row]:
        """All rows with their ids, in stored order."""
        b, d = self.block, self.dictionary
        ids = Column("id_value", [b.id_value[i:i + 16] for i in range(0, len(b.id_value), 16)])
        need(len(b.id_value) % 16 == 0, "id_value: not a multiple of 16 bytes")
        rows: list[Row] = []
        trace_start = 0
        for trace, size in enumerate(b.trace_size):
            need(size >= 1, f"trace_size: trace {trace} is empty")
            trace_start += b.trace_start_ms[trace]
            need(trace_start <= 1 << 41, f"trace_start_ms: trace {trace} starts at {trace_start}")
            for ordinal in range(size):
                i = len(rows)
                with at(f"row {b.first_row + i}"):
                    need(b.instance[i] < len(d.instance) and b.operation[i] < len(d.operation), "instance or operation not in the dictionary")
                    need(b.parent[i] == 0 if ordinal == 0 else 1 <= b.parent[i] <= ordinal, f"parent {b.parent[i]}")
                    need(b.span_count[i] >= 1 and b.latency_ms[i] < 1 << 31 and b.is_error[i] <= 1, "span_count, latency_ms or is_error")
                    need(b.thread[i] < 32 and b.sequence[i] < 5000, "thread or sequence")
                    need(ordinal > 0 or b.parent_span[i] == 0 and b.start_ms[i] == 0, "a root with parent_span or start_ms")
                    instance, operation = d.instance[b.instance[i]], d.operation[b.operation[i]]
                    service = d.service[instance.service]
                    row = Row(b.first_row + i, trace, ordinal, instance, operation, service, d.component[operation.component], rows[i - b.parent[i]] if ordinal else None,
                              b.parent_span[i], trace_start + zigzag(b.start_ms[i]) + instance.clock_skew_ms, b.latency_ms[i], b.is_error[i],
                              (operation.peer or service.peer).encode())
                    self.make_ids(row, i, ids)
                    if ordinal:
                        row.trace_id = rows[i - ordinal].trace_id
                    rows.append(row)
        ids.end()
        return rows

    def make_ids(self, row: Row, i: int, ids: Column) -> None:
        """5.3; the trace id only of a root."""
        if row.instance.id_style == 1:
            row.segment_id = ids.next().hex().encode()
            if row.ordinal == 0:
                row.trace_id = ids.next().hex().encode()
            return
        thread = 20 + 32 * (row.number // 5000) + self.block.thread[i]
        n = (self.recipe.base_epoch_ms + row.instance.id_clock_ms + row.start) * 10000 + 2 * self.block.sequence[i]
        row.segment_id, row.trace_id = (f"{row.instance.id_prefix}.{thread}.{value}".encode() for value in (n, n + 1))

    def render_rows(self) -> None:
        """5.4: the blobs."""
        b = self.block
        self.numbers, self.hexes, self.words = (Column(n, getattr(b, n)) for n in ("number_value", "hex_value", "word_value"))
        literals = Column("literal_value", b.literal_value)
        callees: dict[tuple[int, int], Row] = {}
        for row in self.rows:
            if row.parent:
                callees.setdefault((row.parent.number, row.parent_span), row)
        is_literal: list[bool] = []
        template = inner = 0                        # next of template, of span_start_ms and span_duration_ms
        for i, row in enumerate(self.rows):
            count = b.span_count[i]
            with at(f"row {row.number}"):
                is_literal.append(b.template[template] == 0)
                if row.parent:
                    parent = i - b.parent[i]
                    limit = 1 << 15 if is_literal[parent] else b.span_count[parent]
                    need(row.parent_span < limit, f"parent_span {row.parent_span} of {limit}")
                if is_literal[i]:
                    need(count == 1, "a literal row with more than one span")
                    row.blob = literals.next()
                    need(len(row.blob) <= 8 * MIB, "literal_value: larger than 8 MiB")
                else:
                    spans = self.make_spans(row, b.template[template:template + count], b.span_start_ms[inner:inner + count - 1],
                                            b.span_duration_ms[inner:inner + count - 1], callees)
                    row.blob = self.render(row, spans)
                template += count
                inner += count - 1
        for column in (self.numbers, self.hexes, self.words, literals):
            column.end()

    def make_spans(self, row: Row, templates: Any, starts: Any, durations: Any, callees: dict[tuple[int, int], Row]) -> list[Span]:
        spans: list[Span] = []
        offset = 0
        for k, value in enumerate(templates):
            callee = callees.get((row.number, k))
            need(value != 0, f"span {k}: literal among templates")
            lent = value % 2 == 0
            need(not lent or callee is not None, f"span {k}: a template of the called operation, but it calls no row")
            owner = callee.operation if lent and callee else row.operation
            need((value - 1) // 2 < owner.template_count, f"span {k}: template {(value - 1) // 2} of {owner.template_count}")
            template = self.dictionary.template[owner.first_template + (value - 1) // 2]
            need(not lent or template.is_call, f"span {k}: a template that is not lent")
            if k == 0:
                need(template.depth == 0, "span 0: depth is not 0")
                spans.append(Span(template, row.start, row.latency, 0, -1, callee))
                continue
            need(1 <= template.depth <= spans[-1].template.depth + 1, f"span {k}: depth {template.depth}")
            parent = next(span.number for span in reversed(spans) if span.template.depth < template.depth)
            offset += starts[k - 1]
            need(offset < 1 << 31 and durations[k - 1] < 1 << 31, f"span {k}: start or duration of 2^31 and above")
            spans.append(Span(template, row.start + offset, durations[k - 1], k, parent, callee))
        return spans

    def render(self, row: Row, spans: list[Span]) -> bytes:
        contents = [self.render_pieces(row, span, span.template.piece) for span in spans]  # takes values in creation order
        order: list[int] = []

        def finish(number: int) -> None:
            for span in spans[number + 1:]:
                if span.parent == number:
                    finish(span.number)
            order.append(number)

        finish(0)
        return text_field(1, row.trace_id) + text_field(2, row.segment_id) + b"".join(bytes_field(3, contents[k]) for k in order) \
            + text_field(4, row.service.name.encode()) + text_field(5, row.instance.name.encode())

    def render_pieces(self, row: Row, span: Span, pieces: Any) -> bytes:
        out = []
        for piece in pieces:
            if piece.literal:
                out.append(piece.literal)
            elif piece.text:
                out.append(self.dictionary.text[piece.text - 1])
            elif piece.message:
                out.append(bytes_field(piece.message, self.render_pieces(row, span, piece.piece)))
            elif piece.varint:
                out.append(int_field(piece.varint, self.varint_hole(piece.hole, span)))
            else:
                out.append(self.text_hole(piece.hole, row, span))
        return b"".join(out)

    def varint_hole(self, hole: int, span: Span) -> int:
        if hole == NUMBER:
            return self.numbers.next()
        return {SPAN_START: self.epoch + span.start, SPAN_END: self.epoch + span.start + span.duration,
                SPAN_ID: span.number, PARENT_SPAN_ID: span.parent}[hole]

    def text_hole(self, hole: int, row: Row, span: Span) -> bytes:
        if hole == NUMBER:
            return str(self.numbers.next()).encode()
        if hole == HEX:
            return f"{self.hexes.next():016x}".encode()
        if hole == WORD:
            word = self.words.next()
            need(word < len(self.dictionary.word), f"word_value {word} not in the dictionary")
            return self.dictionary.word[word].encode()
        if hole == OWN_PEER:
            return row.peer
        if hole == CALLEE_PEER:
            return span.callee.peer if span.callee else b""
        if row.parent is None:                      # REFERENCE
            return b""
        caller = row.parent
        return bytes_field(5, text_field(2, row.trace_id) + text_field(3, caller.segment_id) + int_field(4, row.parent_span)
                           + text_field(5, caller.service.name.encode()) + text_field(6, caller.instance.name.encode())
                           + text_field(7, caller.operation.name.encode()) + text_field(8, row.peer))

    def output(self) -> list[Row]:
        """5.5: rows in the order of output, copies included."""
        by_end = self.recipe.order == 1
        rows = sorted(self.rows, key=lambda row: (row.start + (row.latency if by_end else 0), row.trace, row.ordinal))
        late_by, copy_by = self.moves("late"), self.moves("duplicate")
        rows = self.put_behind([row for row in rows if row.number not in late_by], [row for row in rows if row.number in late_by],
                               self.late_gaps(rows, late_by))
        copies = [row for row in rows if row.number in copy_by]
        return self.put_behind(rows, copies, [p + copy_by[row.number] for p, row in enumerate(rows, 1) if row.number in copy_by])

    def moves(self, name: str) -> dict[int, int]:
        """late_row and late_by, or duplicate_*: how far, by number of the row in the corpus."""
        result: dict[int, int] = {}
        number = 0
        for step, by in zip(getattr(self.block, name + "_row"), getattr(self.block, name + "_by"), strict=True):
            number += step
            need(number < len(self.rows) and (step > 0 or not result), f"{name}_row: {number} of {len(self.rows)}, or not rising")
            need(1 <= by <= len(self.rows), f"{name}_by: {by} of {len(self.rows)}")
            result[self.rows[number].number] = by
        return result

    @staticmethod
    def late_gaps(rows: list[Row], late_by: dict[int, int]) -> list[int]:
        """Of each late row: behind how many rows on time it goes."""
        gaps, on_time = [], 0
        for row in rows:
            if row.number in late_by:
                gaps.append(on_time + late_by[row.number])
            else:
                on_time += 1
        return gaps

    @staticmethod
    def put_behind(rows: list[Row], extra: list[Row], gaps: list[int]) -> list[Row]:
        """rows, with extra[i] behind the first gaps[i] of them (at most all); those of one gap keep their order."""
        behind: list[list[Row]] = [[] for _ in range(len(rows) + 1)]
        for row, gap in zip(extra, gaps, strict=True):
            behind[min(gap, len(rows))].append(row)
        return behind[0] + [r for row, more in zip(rows, behind[1:]) for r in (row, *more)]


# ---- A corpus (2, 6, 7) ----

class Corpus:
    """Opening reads the manifest and opens every data file that is there; output() decodes all rows."""

    def __init__(self, folder: Path) -> None:
        with at("corpus.json"):
            try:
                self.manifest = read_manifest(folder / "corpus.json")
                self.check_totals()
            except (KeyError, TypeError) as error:
                raise Damage(f"missing or of another type: {error}") from None
        self.files: list[DataFile] = []
        for entry in self.manifest["files"]:
            name = entry["name"]
            if (folder / name).exists():
                with at(name):
                    self.files.append(DataFile(folder / name, entry))
                    first = self.files[-1].first
                    recipe = {field.name: getattr(first.recipe, field.name) for field in first.recipe.DESCRIPTOR.fields}
                    need(recipe == self.manifest["recipe"], "first frame: the recipe is not the manifest's")
                    need(all(getattr(first.about, key) == self.manifest[key] for key in ("title", "description", "licence")),
                         "first frame: title, description or licence are not the manifest's")
                    need(first.dictionary_bytes == self.files[0].first.dictionary_bytes, "first frame: the dictionary is not the other files'")
        need(bool(self.files), "corpus.json: no data file is there")
        self.partial = len(self.files) < len(self.manifest["files"])
        self.traces = self.rows = self.copies = 0

    def check_totals(self) -> None:
        m = self.manifest
        need(len(m["files"]) > 0, "no files")
        block, row = m["files"][0]["first_block"], m["files"][0]["first_row"]
        for entry in m["files"]:
            need(re.fullmatch(r"[^./][^/]*", entry["name"]) is not None, f"file name {entry['name']}")
            need(entry["blocks"] >= 1, f"{entry['name']}: no blocks")
            need((entry["first_block"], entry["first_row"]) == (block, row), f"{entry['name']}: a gap before it")
            block += entry["blocks"]
            row += entry["rows"]
        need(sum(entry["blocks"] for entry in m["files"]) == m["blocks"], "blocks is not the sum of the files")
        need(sum(entry["rows"] for entry in m["files"]) == m["rows"], "rows is not the sum of the files")
        need(m["recipe"]["block_traces"] >= 1, "recipe: block_traces 0")
        whole = -(-m["recipe"]["traces"] // m["recipe"]["block_traces"])
        need(block <= whole, "more blocks than the recipe has")
        need(m["blocks"] < whole or (m["rows"], m["traces"]) == (m["recipe"]["spans"], m["recipe"]["traces"]),
             "rows and traces are not the recipe's")
        need(m["content_version"] == m["recipe"]["content_version"], "content_version is not the recipe's")

    def output(self, epoch: int) -> Iterator[Row]:
        for file in self.files:
            entry = next(e for e in self.manifest["files"] if e["first_block"] == file.first_block)
            with at(entry["name"]):
                row, trace = entry["first_row"], None
                for header, content in file.blocks():
                    with at(f"block {header.number}"):
                        need(header.first_row == row and trace in (None, header.first_trace), "first row or trace do not follow the block before")
                        output = BlockReader(header, content, file.first, epoch).output()
                    row, trace = row + header.rows, header.first_trace + header.traces
                    self.rows, self.traces = self.rows + header.rows, self.traces + header.traces
                    self.copies += header.duplicates
                    yield from output
                need(row == entry["first_row"] + entry["rows"], "the manifest has another number of rows")
                need(xxh3_128(file.data).hex() == entry["xxh3"], "XXH3-128 of the file is not the manifest's")
        if not self.partial:
            need((self.rows, self.traces) == (self.manifest["rows"], self.manifest["traces"]), "corpus.json: rows or traces are not the totals")
            need(self.digest() == self.manifest["digest"], "corpus.json: the corpus digest differs")

    def digest(self) -> str:
        """6; of the blocks read so far."""
        first = self.files[0].first
        parts = [struct.pack("<IQ", first.recipe.content_version, len(first.recipe_bytes)), first.recipe_bytes,
                 struct.pack("<Q", len(first.dictionary_bytes)), first.dictionary_bytes]
        return xxh3_128(b"".join(parts + [digest for file in self.files for digest in file.block_digests])).hex()


COLUMNS = "serviceId serviceInstanceId traceId startTime latency isError spanId parentSpanId operationName component".split()


def read_corpus(folder: Path, epoch: int | None = None, columns: TextIO | None = None, segments: BinaryIO | None = None) -> Corpus:
    """Reads everything; writes the rows as `spancorpus export` does."""
    corpus = Corpus(folder)
    table = csv.writer(columns, lineterminator="\n") if columns else None
    if table:
        table.writerow(COLUMNS)
    epoch = corpus.manifest["epoch_ms"] if epoch is None else epoch
    for row in corpus.output(epoch):
        if table:
            table.writerow(row.columns(epoch))
        if segments:
            segments.write(varint(len(row.blob)) + row.blob)
    return corpus


def main() -> int:
    parser = argparse.ArgumentParser(description="Reads a corpus, written from FORMAT.md alone.")
    parser.add_argument("--epoch", type=int, help="relative millisecond 0, in ms since 1970 (default: the manifest's)")
    parser.add_argument("--csv", help="file for the ten columns")
    parser.add_argument("--segments", help="file for the blobs, each behind a varint length")
    parser.add_argument("dir")
    args = parser.parse_args()
    try:
        with ExitStack() as stack:
            columns = stack.enter_context(open(args.csv, "w", encoding="utf-8", newline="")) if args.csv else None
            segments = stack.enter_context(open(args.segments, "wb")) if args.segments else None
            corpus = read_corpus(Path(args.dir), args.epoch, columns, segments)
    except (Damage, OSError) as error:
        print(f"read_corpus: {args.dir}: {error}", file=sys.stderr)
        return 1
    print(f"digest {corpus.digest()}")
    print(f"rows {corpus.rows} copies {corpus.copies} traces {corpus.traces} files {len(corpus.files)}{' partial' if corpus.partial else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
