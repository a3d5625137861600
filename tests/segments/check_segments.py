#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the exports of a corpus against each other with SkyWalking's own protobuf classes.

    check_segments.py SEGMENTS.bin COLUMNS.csv

Every segment must parse, serialise again to the same bytes and agree with its CSV row: ids, times, latency, error flag, names and
references. No id may occur twice. Prints one line and exits 0, or the first differences and exits 1.
"""
import base64
import csv
import sys

from skywalking.protocol.language_agent import Tracing_pb2

EXIT = Tracing_pb2.SpanType.Exit


def segments(path):
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
            raise SystemExit(f"{path}: ends inside a segment at byte {pos}")
        yield data[pos : pos + size]
        pos += size


def b64(text):
    return base64.b64encode(text.encode()).decode()


def check(raw, row):
    """The first thing wrong with a segment and its row, or None; and the parsed segment."""
    seg = Tracing_pb2.SegmentObject()
    seg.ParseFromString(raw)
    if seg.SerializeToString(deterministic=True) != raw:
        return "serialises to other bytes", seg
    spans = {s.spanId: s for s in seg.spans}
    service = b64(seg.service) + ".1"
    first = spans.get(0)
    start = min(s.startTime for s in seg.spans)
    facts = {
        "serviceId": service,
        "serviceInstanceId": service + "_" + b64(seg.serviceInstance),
        "traceId": seg.traceId,
        "startTime": str(start),
        "latency": str(max(s.endTime for s in seg.spans) - start),
        "isError": str(int(any(s.isError for s in seg.spans))),
        "spanId": seg.traceSegmentId,
        "parentSpanId": first.refs[0].parentTraceSegmentId if first.refs else "",
        "operationName": first.operationName,
    }
    for name, value in facts.items():
        if row[name] != value:
            return f"{name} is {row[name]!r} in the column and {value!r} in the blob", seg
    if len(spans) != len(seg.spans):
        return "a span id occurs twice", seg
    for span in seg.spans:
        if span.spanId == 0 and span.parentSpanId != -1:
            return "span 0 has a parent", seg
        if span.spanId != 0 and not (0 <= span.parentSpanId < span.spanId and span.parentSpanId in spans):
            return f"span {span.spanId} has no earlier parent", seg
        if span.endTime < span.startTime:
            return f"span {span.spanId} ends before it starts", seg
        for log in span.logs:
            if not span.startTime <= log.time <= span.endTime:
                return f"span {span.spanId} has a log outside its time", seg
        if span.spanId != 0 and span.refs:
            return f"span {span.spanId} has a reference", seg
        if span.spanType == EXIT and not span.peer:
            return f"Exit span {span.spanId} has no peer", seg
    return None, seg


def check_reference(seg, parent):
    ref = seg.spans[-1].refs[0] if seg.spans[-1].refs else next(s for s in seg.spans if s.refs).refs[0]
    if parent is None:
        return "refers to a segment that is not there"
    exit_span = next((s for s in parent.spans if s.spanId == ref.parentSpanId), None)
    entry = next(s for s in parent.spans if s.spanId == 0)
    if exit_span is None or exit_span.spanType != EXIT:
        return "refers to a span that is not an Exit of the parent"
    if ref.traceId != parent.traceId or ref.parentService != parent.service:
        return "refers to another trace or service than the parent's"
    if ref.parentServiceInstance != parent.serviceInstance or ref.parentEndpoint != entry.operationName:
        return "refers to another instance or endpoint than the parent's"
    if ref.networkAddressUsedAtPeer != exit_span.peer:
        return "names another address than the peer of the Exit span"
    return None


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    wrong = []
    by_segment, children, traces = {}, [], {}
    rows = csv.DictReader(open(sys.argv[2], newline="", encoding="utf-8"))
    count = errors = 0
    stream = segments(sys.argv[1])
    for row in rows:
        raw = next(stream, None)
        if raw is None:
            wrong.append(f"row {count}: no segment")
            break
        problem, seg = check(raw, row)
        if problem:
            wrong.append(f"row {count} ({row['spanId']}): {problem}")
        if seg.traceSegmentId in by_segment:
            wrong.append(f"row {count}: segment id {seg.traceSegmentId} occurs twice")
        by_segment[seg.traceSegmentId] = seg
        if any(s.refs for s in seg.spans):
            children.append((count, seg))
        elif seg.traceId in traces:
            wrong.append(f"row {count}: trace {seg.traceId} has two roots")
        else:
            traces[seg.traceId] = seg
        errors += row["isError"] == "1"
        count += 1
    if next(stream, None) is not None:
        wrong.append("more segments than rows")
    for number, seg in children:
        if seg.traceId not in traces:
            wrong.append(f"row {number}: trace {seg.traceId} has no root")
        ref = next(s for s in seg.spans if s.refs).refs[0]
        problem = check_reference(seg, by_segment.get(ref.parentTraceSegmentId))
        if problem:
            wrong.append(f"row {number} ({seg.traceSegmentId}): {problem}")
    twice = set(traces) & set(by_segment)
    if twice:
        wrong.append(f"{len(twice)} ids are a trace's and a segment's")
    for line in wrong[:20]:
        print(line)
    print(f"{count} segments, {len(traces)} traces, {errors} in error, {len(wrong)} wrong")
    sys.exit(1 if wrong or count == 0 else 0)


if __name__ == "__main__":
    main()
