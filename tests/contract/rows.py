# SPDX-License-Identifier: Apache-2.0
"""Writing and reading rows: the same steps on both models, then what only one of them has.

Each step of bad rows has a trace id of its own and reads it back, so the transcript says what
became of the good rows beside the bad one. Steps in which a row may be lost or not use the "odd"
group; the row count of the other group is exact.
"""
from banyandb import model_pb2, stream_pb2, trace_pb2

from client import B, I, S, T, both, condition, empty, metadata, null
from scripts import PRIMARY, STREAM, TRACE
from schema import inspect

NE, IN = 2, 9
AND, OR = 1, 2
DESC = 1


class Model:
    """One model: how its rows are written and read. Subclasses fill in messages."""

    def __init__(self, world):
        self.world = world
        self.group = world.make(self.kind, self.kind)
        self.odd = world.make(self.kind, f"odd {self.kind}")
        self.canaries = {g: self.canary(g) for g in (self.group, self.odd)}

    def canary(self, group):
        """Writes until a row comes back by its id; servers before 0.11 have no barrier. The
        number of rows that took."""
        sent = 0

        def indexed():
            nonlocal sent
            sent += 1
            w = self.open().send(self.row(1, f"canary-{sent}", group=group)).close()
            w.finish()
            if not [a for a in w.acks if a.status == "STATUS_SUCCEED"]:
                sent -= 1
                return False
            return self.read(f"canary-{sent}", group)[1]
        if not self.world.until(indexed, 40):
            raise RuntimeError(f"set-up: {self.kind}: a row that was acked does not come back")
        return sent

    def open(self, timeout=20):
        return self.world.client.write(self.write_rpc, self.ack_class, timeout)

    def values(self, n, trace_id, **tags):
        """The ten values in schema order."""
        at = self.world.base_ms + n * 1000
        v = {"serviceId": S("svc"), "serviceInstanceId": S("inst-1"), "traceId": S(trace_id),
             "startTime": self.start_time(at), "latency": I(10 + n), "isError": I(0),
             "spanId": S(f"{trace_id}-{n}"), "parentSpanId": S("root"),
             "operationName": S("GET:/a"), "component": S("Tomcat")}
        v.update(tags)
        return [v[t] for t in PRIMARY]

    def read(self, trace_id, group=None):
        """Outcome and rows of one trace id."""
        outcome, reply = self.world.client.unary(self.query_rpc, self.query(trace_id, group),
                                                 self.query_reply)
        return outcome, self.rows(reply) if reply else []

    def ack(self, a):
        out = {"id": getattr(a, self.id_field), "status": a.status}
        if a.HasField("metadata"):
            out["metadata"] = self.world.normal.message(a.metadata)
        return out

    def write(self, name, messages, read=(), group=None):
        """All MESSAGES, half-close, acks; then the rows of the trace ids READ."""
        w = self.open().send(*messages).close()
        self.report(name, w, w.finish(), read, group)

    def report(self, name, w, outcome, read=(), group=None):
        more = {"acks": [self.ack(a) for a in w.acks]}
        if read:
            more["rows"] = {t: self.read(t, group)[1] for t in read}
        self.world.step(f"{self.kind}.{name}", self.write_rpc, outcome, **more)

    def revision(self):
        """The schema's revision, as the server has it."""
        reply = self.world.must(self.kind.title(), "Get", metadata=metadata(self.group, self.name))
        return getattr(reply, self.kind).metadata.mod_revision

    def ask(self, name, request):
        self.world.unary(f"{self.kind}.{name}", self.query_rpc, request, self.query_reply,
                         reduce=self.rows)

    def range(self, request, begin_ms, end_ms, ns=0):
        for ts, ms in ((request.time_range.begin, begin_ms), (request.time_range.end, end_ms)):
            ts.seconds, ts.nanos = ms // 1000, ms % 1000 * 1000000
        request.time_range.begin.nanos += ns
        return request


class Stream(Model):
    kind, name, id_field = "stream", STREAM, "message_id"
    write_rpc = "/banyandb.stream.v1.StreamService/Write"
    query_rpc = "/banyandb.stream.v1.StreamService/Query"
    ack_class, query_reply = stream_pb2.WriteResponse, stream_pb2.QueryResponse

    @staticmethod
    def start_time(ms):
        return I(ms)

    def row(self, n, trace_id, meta=True, group=None, edit=None, id=None, families=None, **tags):
        """Row N of TRACE_ID. EDIT changes the message, TAGS single values, FAMILIES all."""
        at = self.world.base_ms + n * 1000
        m = stream_pb2.WriteRequest(message_id=n if id is None else id)
        if meta:
            m.metadata.CopyFrom(metadata(group or self.group, self.name))
        m.element.element_id = f"{trace_id}-{n}"
        m.element.timestamp.seconds, m.element.timestamp.nanos = at // 1000, at % 1000 * 1000000
        for v in families or (self.values(n, trace_id, **tags), [B(f"{trace_id} {n}".encode())]):
            m.element.tag_families.add(tags=v)
        if edit:
            edit(m)
        return m

    @staticmethod
    def at(m, ms):
        """The row M at another time."""
        m.element.timestamp.seconds, m.element.timestamp.nanos = ms // 1000, ms % 1000 * 1000000
        m.element.tag_families[0].tags[3].int.value = ms
        return m

    def query(self, trace_id, group=None, **fields):
        q = stream_pb2.QueryRequest(groups=[group or self.group], name=self.name, limit=100, **fields)
        if trace_id is not None:
            q.criteria.CopyFrom(condition("traceId", S(trace_id)))
        q.projection.tag_families.add(name="primary", tags=PRIMARY)
        q.projection.tag_families.add(name="data_binary", tags=["dataBinary"])
        return self.range(q, self.world.base_ms - 3600000, self.world.base_ms + 3600000)

    def rows(self, reply):
        return self.world.normal.stream_rows(reply)


class Trace(Model):
    kind, name, id_field = "trace", TRACE, "version"
    write_rpc = "/banyandb.trace.v1.TraceService/Write"
    query_rpc = "/banyandb.trace.v1.TraceService/Query"
    ack_class, query_reply = trace_pb2.WriteResponse, trace_pb2.QueryResponse

    @staticmethod
    def start_time(ms):
        return T(ms)

    def row(self, n, trace_id, meta=True, group=None, edit=None, id=None, values=None, **tags):
        m = trace_pb2.WriteRequest(version=n if id is None else id,
                                   span=f"{trace_id} {n}".encode())
        if meta:
            m.metadata.CopyFrom(metadata(group or self.group, self.name))
        m.tags.extend(values or self.values(n, trace_id, **tags))
        if edit:
            edit(m)
        return m

    @staticmethod
    def at(m, ms):
        m.tags[3].CopyFrom(T(ms))
        return m

    def query(self, trace_id, group=None, **fields):
        q = trace_pb2.QueryRequest(groups=[group or self.group], name=self.name, limit=10,
                                   tag_projection=PRIMARY, **fields)
        if trace_id is not None:
            q.criteria.CopyFrom(condition("traceId", S(trace_id)))
        return self.range(q, self.world.base_ms - 3600000, self.world.base_ms + 3600000)

    def rows(self, reply):
        return self.world.normal.traces(reply)


def good_writes(m):
    """Acks come at the half-close, one for each row, in order."""
    m.write("write.one", [m.row(1, "one")], ["one"])
    m.write("write.many", [m.row(n, "many") for n in (1, 2, 3, 4, 5)], ["many"])
    m.write("write.metadata-first-only",
            [m.row(1, "first")] + [m.row(n, "first", meta=False) for n in (2, 3)], ["first"])
    m.write("write.big-ids", [m.row(1, "big", id=2 ** 64 - 1), m.row(2, "big", id=2 ** 62),
                              m.row(3, "big", id=7), m.row(4, "big", id=7)], ["big"])
    m.write("write.two-instances",
            [m.row(n, "two", serviceInstanceId=S(f"inst-{n % 2}")) for n in (1, 2, 3, 4)], ["two"])
    m.write("write.nothing", [])
    m.write("write.falling-time", [m.row(n, "falling") for n in (3, 2, 1)], ["falling"])
    m.write("write.two-groups", [m.row(1, "switch"), m.row(2, "switch", group=m.odd),
                                 m.row(3, "switch", meta=False)], ["switch"])
    m.write("write.two-groups.other", [], ["switch"], m.odd)
    m.write("write.null-and-empty-string",
            [m.row(1, "nulls", component=null(), latency=null()),
             m.row(2, "nulls", component=S(""), parentSpanId=S("")),
             m.row(3, "nulls", operationName=empty())], ["nulls"])
    m.write("write.negative-int", [m.row(1, "ints", latency=I(-5), isError=I(2 ** 62))], ["ints"])
    m.write("write.same-row-twice", [m.row(1, "twice"), m.row(1, "twice", id=2)], ["twice"])
    canaries = m.canaries[m.group]

    def rows_besides_canaries(reply):
        out = inspect(m.world)(reply)
        out["data_count"] -= canaries
        return out
    m.world.registry(f"{m.kind}.inspect", "Group", "Inspect", group=m.group,
                     reduce=rows_besides_canaries)


def early_rejection(m, bad):
    """A rejection comes at once, the acks of accepted rows at the end."""
    w = m.open().send(m.row(1, "early"), bad(m.row(2, "early"))).recv()
    first = [m.ack(a) for a in w.acks]
    w.send(m.row(3, "early")).close()
    outcome = w.finish()
    m.world.step(f"{m.kind}.write.early-rejection.before-half-close", m.write_rpc, {"code": "OK"},
                 acks=first)
    m.report("write.early-rejection", w, outcome, ["early"])


def cut_off(m, bad):
    """A client that goes away before its half-close: no acks, the rows are stored."""
    def rows_of(name):
        def stored():
            r = m.read(name)[1]
            return len(r) == 3 or sum(len(t.get("spans", ())) for t in r) == 3
        m.world.until(stored)
        return [name]

    # The rejection of the fourth row says that the server has taken the three before it.
    w = m.open(timeout=1).send(*(m.row(n, "late") for n in (1, 2, 3)), bad(m.row(4, "late"))).recv()
    outcome = w.finish()
    m.report("write.deadline", w, outcome, rows_of("late"))
    w = m.open().send(*(m.row(n, "half") for n in (1, 2, 3)), bad(m.row(4, "half"))).recv().cancel()
    outcome = w.finish()
    m.report("write.cancelled", w, outcome, rows_of("half"))


def refused(m, id_field):
    """Statuses and codes that both models share."""
    stranger = m.world.missing

    def meta(**fields):
        def edit(r):
            for k, v in fields.items():
                setattr(r.metadata, k, v)
        return edit

    def zero(r):
        setattr(r, id_field, 0)

    good = [m.row(n, "refused") for n in (1, 3)]
    m.write("write.no-metadata", [m.row(1, "refused", meta=False)], ["refused"])
    m.write("write.no-metadata.two", [m.row(1, "refused", meta=False), m.row(2, "refused")])
    m.write("write.unknown-group", [m.row(2, "refused", group=stranger)])
    m.write("write.unknown-name", [m.row(2, "refused", edit=meta(name="nobody"))])
    m.write("write.unknown-group.revision",
            [m.row(2, "refused", group=stranger, edit=meta(mod_revision=5))])
    m.write("write.unknown-name.revision",
            [m.row(2, "refused", edit=meta(name="nobody", mod_revision=5))])
    m.write("write.unknown-name.among-good",
            [good[0], m.row(2, "refused", edit=meta(name="nobody")), good[1]], ["refused"])
    revision = m.revision()
    for case, value in (("equal", revision), ("behind", revision - 1),
                        ("ahead", revision + 3600 * 10 ** 9)):
        m.write(f"write.revision.{case}", [m.row(1, case, edit=meta(mod_revision=value))], [case])
    m.write("write.id-0", [m.row(1, "zero"), m.row(2, "zero"), m.row(3, "zero"),
                           m.row(4, "zero", edit=zero), m.row(5, "zero")], ["zero"])
    m.write("write.id-0.first", [m.row(1, "zero-first", edit=zero)], ["zero-first"])
    m.write("write.empty-group-name", [m.row(1, "refused-name", edit=meta(group=""))])
    m.write("write.empty-name", [m.row(1, "refused-name", edit=meta(name=""))])


def odd_values(m):
    """What a server does with values that do not fit; the encoder of spanreplay sends none."""
    def lose(case, bad, trace_id=None):
        t = trace_id or case
        m.write(f"odd.{case}", [m.row(1, t, group=m.odd), bad(t), m.row(3, t, group=m.odd)],
                [t], m.odd)

    lose("wrong-type", lambda t: m.row(2, t, group=m.odd, latency=S("text"), component=I(5)))
    lose("empty-value.entity", lambda t: m.row(2, t, group=m.odd, serviceId=empty()))
    lose("empty-string.entity", lambda t: m.row(2, t, group=m.odd, serviceInstanceId=S("")))
    expired = m.world.base_ms - 8 * 86400000
    lose("expired", lambda t: m.at(m.row(2, t, group=m.odd), expired))
    lose("span-id-null", lambda t: m.row(2, t, group=m.odd, spanId=null()))
    return lose


def query_errors(m):
    q = m.query("one")
    q.name = "nobody"
    m.ask("query.unknown-name", q)
    q = m.query("one", m.world.missing)
    m.ask("query.unknown-group", q)
    m.ask("query.unknown-trace-id", m.query("nobody"))
    q = m.query("one")
    q.ClearField("groups")
    m.ask("query.no-groups", q)
    q = m.query("one")
    q.name = ""
    m.ask("query.no-name", q)
    q = m.query("one")
    m.ask("query.sub-ms-range", m.range(q, m.world.base_ms, m.world.base_ms + 60000, ns=5))
    m.ask("query.reversed-range", m.range(m.query("one"), m.world.base_ms + 60000, m.world.base_ms))
    before = m.world.base_ms - 20 * 86400000
    m.ask("query.range-before-ttl", m.range(m.query("one"), before, before + 3600000))
    begin = m.world.base_ms
    m.ask("query.range-inclusive", m.range(m.query("many"), begin + 2000, begin + 4000))
    q = m.query("one")
    q.ClearField("time_range")
    m.ask("query.no-range", q)
    q = m.query("one")
    q.criteria.CopyFrom(condition("nobody", S("x")))
    m.ask("query.unknown-criteria-tag", q)
    q = m.query("one")
    q.criteria.CopyFrom(both(AND, condition("traceId", S("one")), None))
    m.ask("query.and-without-right-side", q)
    in_two = condition("traceId", model_pb2.TagValue(
        str_array=model_pb2.StrArray(value=["one", "first"])), IN)
    q = m.query("one")
    q.criteria.CopyFrom(in_two)
    m.ask("query.in-two-ids", q)
    q = m.query("one")
    q.order_by.index_rule_name, q.order_by.sort = "nobody", DESC
    m.ask("query.unknown-order-rule", q)


def shorter(count):
    """An edit that leaves COUNT values of the first family, and no other family."""
    def edit(m):
        del m.element.tag_families[0].tags[count:]
        del m.element.tag_families[1:]
    return edit


def sub_ms_element(m):
    m.element.timestamp.nanos += 1
    return m


def stream_specs(m):
    """Values by name: a spec holds until the next one, also over new metadata."""
    swapped = PRIMARY[:8] + ["component", "operationName"]

    def spec(tags, binary=True):
        def edit(r):
            r.tag_family_spec.add(name="primary", tag_names=tags)
            if binary:
                r.tag_family_spec.add(name="data_binary", tag_names=["dataBinary"])
        return edit

    m.write("write.spec.swapped", [m.row(1, "spec", edit=spec(swapped)),
                                   m.row(2, "spec", meta=False)], ["spec"])
    m.write("write.spec.then-metadata", [m.row(1, "spec-meta", edit=spec(swapped)),
                                         m.row(2, "spec-meta")], ["spec-meta"])
    some = [S("svc"), S("inst-1"), S("spec-some"), I(m.world.base_ms)]
    m.write("write.spec.subset", [m.row(1, "spec-some", edit=spec(PRIMARY[:4], False),
                                        families=[some])], ["spec-some"])
    m.write("write.too-few-values", [m.row(1, "few"), m.row(2, "few", edit=shorter(4)),
                                     m.row(3, "few")], ["few"])


def stream_refused(m):
    def no_element(r):
        r.ClearField("element")

    def no_timestamp(r):
        r.element.ClearField("timestamp")

    def no_id(r):
        r.element.element_id = ""

    def no_families(r):
        r.element.ClearField("tag_families")

    m.write("write.sub-ms", [m.row(1, "sub"), sub_ms_element(m.row(2, "sub")), m.row(3, "sub")],
            ["sub"])
    m.write("write.no-timestamp", [m.row(1, "timeless"), m.row(2, "timeless", edit=no_timestamp),
                                   m.row(3, "timeless")], ["timeless"])
    m.write("write.no-element", [m.row(1, "bare"), m.row(2, "bare", edit=no_element),
                                 m.row(3, "bare")], ["bare"])
    m.write("write.no-families", [m.row(1, "famless"), m.row(2, "famless", edit=no_families),
                                  m.row(3, "famless")], ["famless"])
    m.write("write.no-element-id", [m.row(1, "idless", edit=no_id)], ["idless"])


def stream_odd(m, lose):
    def extra_tag(r):
        r.element.tag_families[0].tags.add().CopyFrom(S("extra"))

    def extra_family(r):
        r.element.tag_families.add(tags=[S("extra")])

    lose("extra-tag", lambda t: m.row(2, t, group=m.odd, edit=extra_tag))
    lose("extra-family", lambda t: m.row(2, t, group=m.odd, edit=extra_family))
    m.write("odd.extra-family.alone", [m.row(1, "alone", group=m.odd, edit=extra_family)], ["alone"],
            m.odd)
    lose("timestamp-value", lambda t: m.row(2, t, group=m.odd, startTime=T(m.world.base_ms)))


def stream_queries(m):
    def projection(*families):
        q = m.query("one")
        q.ClearField("projection")
        q.projection.SetInParent()
        for name, tags in families:
            q.projection.tag_families.add(name=name, tags=tags)
        return q

    q = m.query("one")
    q.ClearField("projection")
    m.ask("query.no-projection", q)
    for case, q in (("families", projection()), ("tags", projection(("primary", [])))):
        q.ClearField("criteria")
        m.ask(f"query.projection-without-{case}", q)
    m.ask("query.projection-unknown-tag", projection(("primary", ["nobody"])))
    m.ask("query.projection-two-tags", projection(("primary", ["spanId", "latency"])))
    q = projection(("primary", ["spanId"]))
    q.criteria.CopyFrom(both(AND, condition("serviceId", S("svc")), condition("traceId", S("many"))))
    m.ask("query.entity-and-trace-id", q)
    q.criteria.CopyFrom(both(AND, condition("serviceId", S("svc"), NE),
                             condition("traceId", S("many"))))
    m.ask("query.entity-not-equal", q)
    q.criteria.CopyFrom(condition("startTime", T(m.world.base_ms)))
    m.ask("query.timestamp-condition", q)
    q = m.query("many")
    q.limit, q.offset = 2, 1
    m.ask("query.limit-and-offset", q)
    q = m.query("many")
    q.order_by.sort = DESC
    m.ask("query.newest-first", q)


def stream_script(world):
    m = Stream(world)
    good_writes(m)
    stream_specs(m)
    early_rejection(m, sub_ms_element)
    cut_off(m, sub_ms_element)
    refused(m, "message_id")
    stream_refused(m)
    stream_odd(m, odd_values(m))
    too_large(m)
    query_errors(m)
    stream_queries(m)
    group_with_rows(m)


def sub_ms_tag(m):
    m.tags[3].timestamp.nanos += 1
    return m


def trace_specs(m):
    """Values by name; new metadata makes the server forget them."""
    swapped = PRIMARY[:8] + ["component", "operationName"]

    def spec(tags):
        def edit(r):
            r.tag_spec.tag_names.extend(tags)
        return edit

    m.write("write.spec.swapped", [m.row(1, "spec", edit=spec(swapped)),
                                   m.row(2, "spec", meta=False)], ["spec"])
    m.write("write.spec.then-metadata", [m.row(1, "spec-meta", edit=spec(swapped)),
                                         m.row(2, "spec-meta")], ["spec-meta"])
    some = [S("svc"), S("inst-1"), S("spec-some"), T(m.world.base_ms), S("span")]
    m.write("write.spec.subset", [m.row(1, "spec-some", values=some, edit=spec(
        PRIMARY[:4] + ["spanId"]))], ["spec-some"])
    m.write("write.too-few-values",
            [m.row(1, "few"), m.row(2, "few", values=m.values(2, "few")[:7]), m.row(3, "few")],
            ["few"])


def trace_refused(m):
    def three(case, bad):
        m.write(f"write.{case}", [m.row(1, case), bad(case), m.row(3, case)], [case])

    def no_span(r):
        r.span = b""

    three("sub-ms", lambda t: sub_ms_tag(m.row(2, t)))
    three("null-timestamp", lambda t: m.row(2, t, startTime=null()))
    three("int-timestamp", lambda t: m.row(2, t, startTime=I(m.world.base_ms)))
    three("null-trace-id", lambda t: m.row(2, t, traceId=null()))
    three("empty-trace-id-value", lambda t: m.row(2, t, traceId=empty()))
    three("int-trace-id", lambda t: m.row(2, t, traceId=I(5)))
    three("no-tags", lambda t: m.row(2, t, edit=lambda r: r.ClearField("tags")))
    three("trace-id-missing", lambda t: m.row(2, t, values=m.values(2, t)[:2]))
    three("timestamp-missing", lambda t: m.row(2, t, values=m.values(2, t)[:3]))
    three("no-payload", lambda t: m.row(2, t, edit=no_span))


def trace_odd(m, lose):
    def extra_value(r):
        r.tags.add().CopyFrom(S("extra"))

    lose("extra-value", lambda t: m.row(2, t, group=m.odd, edit=extra_value))
    lose("span-id-missing", lambda t: m.row(2, t, group=m.odd, values=m.values(2, t)[:6]))
    lose("timestamp-elsewhere", lambda t: m.row(2, t, group=m.odd, startTime=I(m.world.base_ms),
                                                latency=T(m.world.base_ms)))


def trace_queries(m):
    m.ask("query.no-id-no-order", m.query(None))
    q = m.query("one")
    q.criteria.CopyFrom(both(OR, condition("traceId", S("one")), condition("latency", I(1))))
    m.ask("query.id-under-or", q)
    q = m.query(None)
    q.order_by.index_rule_name, q.order_by.sort = "nobody", DESC
    m.ask("query.unknown-order-rule.no-id", q)
    q.order_by.index_rule_name = ""
    m.ask("query.empty-order-rule.no-id", q)
    q = m.query("one")
    del q.tag_projection[:]
    m.ask("query.no-projection", q)
    q.tag_projection.extend(["latency", "spanId", "startTime"])
    m.ask("query.projection-three-tags", q)
    q.tag_projection.append("nobody")
    m.ask("query.projection-unknown-tag", q)
    q = m.query("many")
    q.limit = 1
    m.ask("query.limit-counts-traces", q)
    q = m.query("one")
    q.criteria.CopyFrom(both(AND, condition("traceId", S("many")), condition("spanId", S("many-2"))))
    m.ask("query.id-and-span-id", q)
    q.criteria.CopyFrom(both(AND, condition("traceId", S("many")),
                             condition("startTime", T(m.world.base_ms))))
    m.ask("query.timestamp-condition", q)


def group_with_rows(m):
    """A group that holds rows goes only by force, then with everything in it. What queries and
    writes get meanwhile is a race: for a moment after the end it is still "pending deletion"."""
    group = m.world.make(m.kind, f"full {m.kind}")
    m.canary(group)
    m.world.registry(f"{m.kind}.group.delete.full", "Group", "Delete", group=group)
    m.world.registry(f"{m.kind}.group.delete.force", "Group", "Delete", group=group, force=True)
    gone = m.world.until(lambda: m.world.quiet("Group", "Get", group=group)[0] == "NOT_FOUND", 20)
    m.world.step(f"{m.kind}.group.delete.done", "poll Get, Query", {"code": "OK"}, gone=gone,
                 completed=m.world.deletion_completed(group))


def too_large(m):
    """One message over 16 MiB ends the RPC; that one, not the next, is at fault."""
    def swell(r):
        if m.kind == "trace":
            r.span = bytes(17 << 20)
        else:
            r.element.tag_families[1].tags[0].binary_data = bytes(17 << 20)
    m.write("write.too-large", [m.row(1, "too-large", edit=swell)], ["too-large"])


def trace_script(world):
    m = Trace(world)
    good_writes(m)
    trace_specs(m)
    early_rejection(m, sub_ms_tag)
    cut_off(m, sub_ms_tag)
    refused(m, "version")
    trace_refused(m)
    trace_odd(m, odd_values(m))
    too_large(m)
    query_errors(m)
    trace_queries(m)
    group_with_rows(m)
