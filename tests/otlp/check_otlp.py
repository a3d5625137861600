#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the OTLP exports of a corpus against its segments, with the protobuf classes of both projects.

    check_otlp.py SEGMENTS.bin OTLP.bin OTLP.jsonl

Every segment is mapped here once more, from the words of README, and compared span by span: ids, parents, times, kinds, status, names,
attributes, events. The bytes must be what protobuf's own library writes, the JSON line must keep to OTLP's rules (hex ids, enums as
numbers, 64-bit integers as texts) and mean the same message. No span id may occur twice, every parent must be there.
Prints one line and exits 0, or the first differences and exits 1.
"""
import base64
import collections
import json
import re
import sys

import xxhash
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from skywalking.protocol.language_agent import Tracing_pb2

Request = trace_service_pb2.ExportTraceServiceRequest
Span = trace_pb2.Span
MQ = Tracing_pb2.SpanLayer.MQ
KINDS = {
    (Tracing_pb2.SpanType.Entry, False): Span.SPAN_KIND_SERVER,
    (Tracing_pb2.SpanType.Entry, True): Span.SPAN_KIND_CONSUMER,
    (Tracing_pb2.SpanType.Exit, False): Span.SPAN_KIND_CLIENT,
    (Tracing_pb2.SpanType.Exit, True): Span.SPAN_KIND_PRODUCER,
    (Tracing_pb2.SpanType.Local, False): Span.SPAN_KIND_INTERNAL,
    (Tracing_pb2.SpanType.Local, True): Span.SPAN_KIND_INTERNAL,
}


def messages(path):
    """Yields the length-delimited messages of a file."""
    data = open(path, "rb").read()
    pos = 0
    while pos < len(data):
        size = shift = 0
        while True:
            byte = data[pos]
            pos += 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if pos + size > len(data):
            raise SystemExit(f"{path}: ends inside a message at byte {pos}")
        yield data[pos : pos + size]
        pos += size


def span_id(segment, span):
    return xxhash.xxh3_64_digest(f"{segment}S{span}".encode())


def add(attributes, key, value):
    """An attribute of a key that is not there yet; whether there was none."""
    if any(a.key == key for a in attributes):
        return 0
    if isinstance(value, int):
        attributes.add(key=key).value.int_value = value
    else:
        attributes.add(key=key).value.string_value = value
    return 1


def expected(seg):
    """The request that a segment must become."""
    request = Request()
    group = request.resource_spans.add()
    add(group.resource.attributes, "service.name", seg.service)
    add(group.resource.attributes, "service.instance.id", seg.serviceInstance)
    spans = group.scope_spans.add().spans
    for s in seg.spans:
        o = spans.add()
        o.trace_id = xxhash.xxh3_128_digest(seg.traceId.encode())
        o.span_id = span_id(seg.traceSegmentId, s.spanId)
        if s.parentSpanId >= 0:
            o.parent_span_id = span_id(seg.traceSegmentId, s.parentSpanId)
        elif s.refs:
            o.parent_span_id = span_id(s.refs[0].parentTraceSegmentId, s.refs[0].parentSpanId)
        o.name = s.operationName
        o.kind = KINDS[s.spanType, s.spanLayer == MQ]
        o.start_time_unix_nano = s.startTime * 1000000
        o.end_time_unix_nano = s.endTime * 1000000
        add(o.attributes, "sw8.trace_id", seg.traceId)
        add(o.attributes, "sw8.segment_id", seg.traceSegmentId)
        add(o.attributes, "sw8.span_id", s.spanId)
        parts = re.fullmatch(r"([^:]+):([1-9][0-9]{0,4})", s.peer)
        if parts and int(parts[2]) < 65536:
            add(o.attributes, "server.address", parts[1])
            add(o.attributes, "server.port", int(parts[2]))
        elif s.peer:
            add(o.attributes, "server.address", s.peer)
        for tag in s.tags:
            o.dropped_attributes_count += 1 - add(o.attributes, tag.key, tag.value)
        for log in s.logs:
            event = o.events.add(time_unix_nano=log.time * 1000000)
            for pair in log.data:
                event.dropped_attributes_count += 1 - add(event.attributes, pair.key, pair.value)
            event.name = next((a.value.string_value for a in event.attributes if a.key == "event"), "") or "log"
        if s.isError:
            o.status.code = trace_pb2.Status.STATUS_CODE_ERROR
    return request


def first_difference(want, got):
    """Where two requests differ, for the message."""
    spans = [[s for r in m.resource_spans for c in r.scope_spans for s in c.spans] for m in (want, got)]
    if len(spans[0]) != len(spans[1]):
        return f"{len(spans[1])} spans, not {len(spans[0])}"
    for i, (a, b) in enumerate(zip(*spans)):
        for field in Span.DESCRIPTOR.fields:
            x, y = getattr(a, field.name), getattr(b, field.name)
            if x != y:
                return f"span {i}: {field.name} is {str(y)[:200]!r}, not {str(x)[:200]!r}"
    return "resource or something outside the spans"


HEX_IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
INT64 = {"startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "intValue"}
ENUMS = {"kind", "code"}


def check_json(value, path=""):
    """The first breach of OTLP's JSON rules, or None; hex ids become base64, as protobuf's own reader wants them."""
    if isinstance(value, list):
        return next(filter(None, (check_json(v, f"{path}[{i}]") for i, v in enumerate(value))), None)
    if not isinstance(value, dict):
        return None
    for key, v in value.items():
        here = f"{path}.{key}"
        if key in HEX_IDS:
            if not (isinstance(v, str) and re.fullmatch(f"[0-9a-f]{{{HEX_IDS[key]}}}", v)):
                return f"{here} is {v!r}"
            value[key] = base64.b64encode(bytes.fromhex(v)).decode()
        elif key in INT64:
            if not (isinstance(v, str) and re.fullmatch("0|-?[1-9][0-9]*", v)):
                return f"{here} is {v!r}, not an integer in a text"
        elif key in ENUMS:
            if type(v) is not int:
                return f"{here} is {v!r}, not a number"
        else:
            problem = check_json(v, here)
            if problem:
                return problem
    return None


def unique_keys(pairs):
    keys = [k for k, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a member occurs twice in {keys}")
    return dict(pairs)


def check_line(line, want):
    try:
        value = json.loads(line, object_pairs_hook=unique_keys)
    except ValueError as error:
        return f"not JSON: {error}"
    problem = check_json(value)
    if problem:
        return problem
    try:
        got = json_format.ParseDict(value, Request())
    except json_format.ParseError as error:
        return str(error)
    return None if got == want else first_difference(want, got)


def main():
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    wrong = []
    kinds, ids, traces = collections.Counter(), set(), set()
    parents = []
    count = errors = events = peers = roots = 0
    binary, lines = messages(sys.argv[2]), open(sys.argv[3], encoding="utf-8")
    for raw in messages(sys.argv[1]):
        seg = Tracing_pb2.SegmentObject()
        seg.ParseFromString(raw)
        want = expected(seg)
        got_raw, line = next(binary, None), next(lines, None)
        if got_raw is None or line is None:
            wrong.append(f"row {count}: no {'request' if got_raw is None else 'line'}")
            break
        got = Request()
        got.ParseFromString(got_raw)
        if got != want:
            wrong.append(f"row {count} ({seg.traceSegmentId}): {first_difference(want, got)}")
        elif want.SerializeToString(deterministic=True) != got_raw:
            wrong.append(f"row {count} ({seg.traceSegmentId}): protobuf's library writes other bytes")
        problem = check_line(line, want)
        if problem:
            wrong.append(f"line {count} ({seg.traceSegmentId}): {problem}")
        for span in (s for r in got.resource_spans for c in r.scope_spans for s in c.spans):
            kinds[Span.SpanKind.Name(span.kind)] += 1
            if span.span_id in ids or not any(span.span_id) or not any(span.trace_id):
                wrong.append(f"row {count}: span id {span.span_id.hex()} occurs twice or is zero")
            ids.add(span.span_id)
            traces.add(span.trace_id)
            if span.parent_span_id:
                parents.append((count, span.parent_span_id))
            else:
                roots += 1
            errors += span.status.code == trace_pb2.Status.STATUS_CODE_ERROR
            events += len(span.events)
            peers += any(a.key == "server.port" for a in span.attributes)
        count += 1
    if next(binary, None) is not None or next(lines, None) is not None:
        wrong.append("more requests or lines than segments")
    for number, parent in parents:
        if parent not in ids:
            wrong.append(f"row {number}: parent {parent.hex()} is not there")
    if roots != len(traces):
        wrong.append(f"{len(traces)} traces, {roots} roots")
    if len(kinds) != 5 or not (errors and events and peers):
        wrong.append(f"not everything was tried: {dict(kinds)}, {errors} errors, {events} events, {peers} ports")
    for line in wrong[:20]:
        print(line)
    print(f"{count} requests, {sum(kinds.values())} spans, {errors} in error, {events} events, {len(wrong)} wrong")
    sys.exit(1 if wrong or count == 0 else 0)


if __name__ == "__main__":
    main()
