# SPDX-License-Identifier: Apache-2.0
"""A plain gRPC client for contract scripts, and the normal form of what it hears.

The stack is Debian's python3-grpcio: nothing of our own client or encoders takes part, so the
stand-in server is not tested against itself.
"""
import itertools
import json
import queue
import re

import grpc
from banyandb import common_pb2, model_pb2

LIMIT = 64 << 20
RPC_S = 20  # longest wait for any answer


def outcome(error):
    """Code and text of a finished RPC."""
    text = error.details() or ""
    return {"code": error.code().name, "text": text} if text else {"code": error.code().name}


class Client:
    def __init__(self, server):
        self.channel = grpc.insecure_channel(server, options=[
            ("grpc.max_receive_message_length", LIMIT), ("grpc.max_send_message_length", LIMIT),
            ("grpc.enable_retries", 0)])
        grpc.channel_ready_future(self.channel).result(timeout=10)

    def unary(self, method, request, reply_class):
        """{"code", "text"} and the reply, None unless OK."""
        call = self.channel.unary_unary(method, type(request).SerializeToString,
                                        reply_class.FromString)
        try:
            reply = call(request, timeout=RPC_S)
        except grpc.RpcError as e:
            return outcome(e), None
        return {"code": "OK"}, reply

    def write(self, method, reply_class, timeout=RPC_S):
        return Write(self.channel, method, reply_class, timeout)


class Write:
    """One Write RPC under way: send, recv, close (half-close), cancel, finish."""

    def __init__(self, channel, method, reply_class, timeout):
        self.out = queue.Queue()
        self.acks = []
        call = channel.stream_stream(method, lambda m: m.SerializeToString(), reply_class.FromString)
        self.call = call(iter(self.out.get, None), timeout=timeout)

    def send(self, *messages):
        for m in messages:
            self.out.put(m)
        return self

    def recv(self, count=1):
        """Waits for COUNT more acks; stops early when the RPC ends."""
        try:
            for _ in range(count):
                self.acks.append(next(self.call))
        except (StopIteration, grpc.RpcError):
            pass
        return self

    def close(self):
        self.out.put(None)
        return self

    def cancel(self):
        self.call.cancel()
        return self

    def finish(self):
        """Reads to the end; {"code", "text"}."""
        try:
            for ack in self.call:
                self.acks.append(ack)
            end = {"code": "OK"}
        except grpc.RpcError as e:
            end = outcome(e)
        self.out.put(None)
        return end


class Normal:
    """Replaces what differs from run to run by its kind."""

    KINDS = {
        "id": "<id>", "create_revision": "<revision>", "mod_revision": "<revision>",
        "current_mod_revision": "<revision>", "created_at": "<time>", "updated_at": "<time>",
        "delete_time": "<time>", "node": "<node>", "version": "<version>",
        "revision": "<revision>", "reason": "<text>", "message": "<text>",
        "grpc_address": "<address>", "http_address": "<address>",
        "total_data_size_bytes": "<bytes>", "deleted_data_size_bytes": "<bytes>",
    }

    def __init__(self, base_ms):
        self.base_ms = base_ms
        self.names = {}  # what this run calls a thing: what the transcript calls it

    def string(self, text):
        for name, kind in self.names.items():
            text = text.replace(name, kind)
        return text

    def time(self, ts):
        return self.ms(ts.seconds * 1000 + ts.nanos // 1000000, ts.nanos % 1000000)

    def ms(self, ms, rest_ns=0):
        """A time near the run's start as an offset; others stay as they are."""
        d = ms - self.base_ms
        if abs(d) > 30 * 86400000:
            return ms
        return f"{d:+d}ms" + (f"+{rest_ns}ns" if rest_ns else "")

    def value(self, tag):
        """A TagValue."""
        kind = tag.WhichOneof("value")
        if kind is None:
            return "empty"
        if kind == "null":
            return None
        if kind == "str":
            return {"str": self.string(tag.str.value)}
        if kind == "int":
            return {"int": self.ms(tag.int.value)}
        if kind == "binary_data":
            b = tag.binary_data
            return {"binary": b.decode("latin-1") if len(b) <= 64 else f"<{len(b)} bytes>"}
        if kind == "timestamp":
            return {"time": self.time(tag.timestamp)}
        return {kind: list(getattr(tag, kind).value)}

    def message(self, m):
        """Any message as JSON; fields at their default are left out."""
        if isinstance(m, model_pb2.TagValue):
            return self.value(m)
        out = {}
        for field, value in m.ListFields():
            name = field.name
            if name in self.KINDS:
                out[name] = self.KINDS[name]
            elif field.message_type and field.message_type.GetOptions().map_entry:
                out[name] = {self.string(str(k)): value[k] for k in sorted(value)}
            elif field.label == field.LABEL_REPEATED:
                out[name] = [self.item(field, v) for v in value]
            else:
                out[name] = self.item(field, value)
        return out

    def item(self, field, value):
        if field.type == field.TYPE_MESSAGE:
            if field.message_type.full_name == "google.protobuf.Timestamp":
                return self.time(value)
            return self.message(value)
        if field.type == field.TYPE_ENUM:
            return field.enum_type.values_by_number[value].name
        if field.type == field.TYPE_STRING:
            return self.string(value)
        if field.type == field.TYPE_BYTES:
            return value.decode("latin-1") if len(value) <= 64 else f"<{len(value)} bytes>"
        return value

    def stream_rows(self, reply):
        """Elements in the order they came, ties of time by content; the server hashes element
        ids to 16 hex digits."""
        rows = []
        for e in reply.elements:
            hashed = re.fullmatch("[0-9a-f]{16}", e.element_id)
            rows.append({
                "element_id": "<16 hex digits>" if hashed else self.string(e.element_id),
                "timestamp": self.time(e.timestamp),
                "tag_families": {f.name: {t.key: self.value(t.value) for t in f.tags}
                                 for f in e.tag_families},
            })
        ordered = []
        for _, tied in itertools.groupby(rows, key=lambda r: r["timestamp"]):
            ordered += sorted(tied, key=lambda r: json.dumps(r, sort_keys=True))
        return ordered

    def traces(self, reply):
        """Traces by id; spans by id, then payload: their order is not promised."""
        traces = []
        for t in reply.traces:
            spans = [{"span_id": s.span_id, "span": s.span.decode("latin-1"),
                      "tags": [[g.key, self.value(g.value)] for g in s.tags]} for s in t.spans]
            for s in spans:
                if len(s["span"]) > 64:
                    s["span"] = f"<{len(s['span'])} bytes>"
            spans.sort(key=lambda s: (s["span_id"], s["span"], str(s["tags"])))
            traces.append({"trace_id": t.trace_id, "spans": spans})
        return sorted(traces, key=lambda t: t["trace_id"])


def metadata(group, name="", **rest):
    return common_pb2.Metadata(group=group, name=name, **rest)


def S(text):
    return model_pb2.TagValue(str=model_pb2.Str(value=text))


def I(number):
    return model_pb2.TagValue(int=model_pb2.Int(value=number))


def B(data):
    return model_pb2.TagValue(binary_data=data)


def T(ms, ns=0):
    v = model_pb2.TagValue()
    v.timestamp.seconds, v.timestamp.nanos = ms // 1000, ms % 1000 * 1000000 + ns
    return v


def null():
    return model_pb2.TagValue(null=0)


def empty():
    """A TagValue without a member: legal protobuf, and not the same as null."""
    return model_pb2.TagValue()


def condition(name, value, op=1):
    return model_pb2.Criteria(condition=model_pb2.Condition(name=name, op=op, value=value))


def both(op, left, right):
    """AND is 1, OR is 2; RIGHT may be None."""
    le = model_pb2.LogicalExpression(op=op, left=left)
    if right is not None:
        le.right.CopyFrom(right)
    return model_pb2.Criteria(le=le)
