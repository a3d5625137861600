# SPDX-License-Identifier: Apache-2.0
"""The scripts, and what they share: a server, fresh groups, the list of steps taken."""
import re
import secrets
import time

from banyandb import common_pb2, database_pb2 as db, schema_pb2
from google.protobuf.duration_pb2 import Duration

from client import Client, Normal, metadata

DATABASE = "/banyandb.database.v1."
BARRIER = "/banyandb.schema.v1.SchemaBarrierService/"
PRIMARY = ["serviceId", "serviceInstanceId", "traceId", "startTime", "latency", "isError", "spanId",
           "parentSpanId", "operationName", "component"]
INTS = {"startTime", "latency", "isError"}
STREAM_RULES = {"latency_index": "latency", "trace_id_index": "traceId", "is_error_index": "isError"}
TRACE_RULES = {"startTime": ["serviceId", "serviceInstanceId", "startTime"],
               "latency": ["serviceId", "serviceInstanceId", "latency"]}
STREAM, TRACE = "segment_stream", "segment_trace"
CATALOG = {"stream": common_pb2.CATALOG_STREAM, "trace": common_pb2.CATALOG_TRACE}


def group(name, catalog, ttl_days=7, **opts):
    """A Group of two shards and day segments."""
    g = common_pb2.Group(metadata=metadata("", name), catalog=CATALOG[catalog])
    g.resource_opts.shard_num = opts.get("shard_num", 2)
    g.resource_opts.segment_interval.unit = common_pb2.IntervalRule.UNIT_DAY
    g.resource_opts.segment_interval.num = opts.get("segment_days", 1)
    g.resource_opts.ttl.unit = common_pb2.IntervalRule.UNIT_DAY
    g.resource_opts.ttl.num = ttl_days
    return g


def tag_type(name, trace=False):
    if name == "startTime" and trace:
        return db.TAG_TYPE_TIMESTAMP
    return db.TAG_TYPE_INT if name in INTS else db.TAG_TYPE_STRING


def stream(group_name, name=STREAM):
    s = db.Stream(metadata=metadata(group_name, name))
    s.tag_families.add(name="primary", tags=[db.TagSpec(name=t, type=tag_type(t)) for t in PRIMARY])
    s.tag_families.add(name="data_binary",
                       tags=[db.TagSpec(name="dataBinary", type=db.TAG_TYPE_DATA_BINARY)])
    s.entity.tag_names.extend(["serviceId", "serviceInstanceId"])
    return s


def trace(group_name, name=TRACE):
    t = db.Trace(metadata=metadata(group_name, name), trace_id_tag_name="traceId",
                 timestamp_tag_name="startTime", span_id_tag_name="spanId")
    t.tags.extend(db.TraceTagSpec(name=n, type=tag_type(n, True)) for n in PRIMARY)
    return t


def rule(group_name, name, tags, kind=db.IndexRule.TYPE_INVERTED):
    return db.IndexRule(metadata=metadata(group_name, name), tags=tags, type=kind)


def binding(group_name, name, rules, catalog, subject):
    b = db.IndexRuleBinding(metadata=metadata(group_name, name), rules=rules,
                            subject=db.Subject(catalog=CATALOG[catalog], name=subject))
    b.begin_at.FromJsonString("2000-01-01T00:00:00Z")
    b.expire_at.FromJsonString("2100-01-01T00:00:00Z")
    return b


def key(kind, group_name, name):
    return schema_pb2.SchemaKey(kind=kind, group=group_name, name=name)


class World:
    """One script's view: steps taken, groups made, the clock its rows count from."""

    def __init__(self, server):
        self.client = Client(server)
        # Rows lie in the recent past: far from any TTL, never in the future.
        self.base_ms = int(time.time() - 600) * 1000
        self.normal = Normal(self.base_ms)
        self.steps = []
        self.groups = []
        self.missing = f"contract_missing_{secrets.token_hex(4)}"  # nobody makes this group
        self.normal.names[self.missing] = "<missing group>"

    def name(self, kind):
        """A group name no other run uses; the transcript says KIND for it."""
        name = f"contract_{kind.replace(' ', '_')}_{secrets.token_hex(4)}"
        self.normal.names[name] = f"<{kind} group>"
        self.groups.append(name)
        return name

    def step(self, name, rpc, outcome, **more):
        assert all(s["step"] != name for s in self.steps), name
        if "text" in outcome:
            text = re.sub(r"\b\d{9,}\b", "<number>", self.normal.string(outcome["text"]))
            outcome = {**outcome, "text": text}
        self.steps.append({"step": name, "rpc": rpc, **outcome, **more})

    def unary(self, name, rpc, request, reply_class, reduce=None):
        """One unary call as a step. REDUCE makes JSON of the reply."""
        outcome, reply = self.client.unary(rpc, request, reply_class)
        more = {}
        if reply is not None:
            more["reply"] = (reduce or self.normal.message)(reply)
        self.step(name, rpc, outcome, **more)
        return reply

    def registry(self, name, kind, verb, reduce=None, **fields):
        """VERB of KIND's registry as a step."""
        request, rpc, reply_class = self.registry_call(kind, verb, fields)
        return self.unary(name, rpc, request, reply_class, reduce)

    def quiet(self, kind, verb, **fields):
        """The same without a step; (code, reply)."""
        request, rpc, reply_class = self.registry_call(kind, verb, fields)
        outcome, reply = self.client.unary(rpc, request, reply_class)
        return outcome["code"], reply

    @staticmethod
    def registry_call(kind, verb, fields):
        service = f"{kind}RegistryService"
        return (getattr(db, f"{service}{verb}Request")(**fields), f"{DATABASE}{service}/{verb}",
                getattr(db, f"{service}{verb}Response"))

    def must(self, kind, verb, **fields):
        code, reply = self.quiet(kind, verb, **fields)
        if code != "OK":
            raise RuntimeError(f"set-up: {kind} {verb}: {code}")
        return reply

    def make(self, model, kind):
        """A fresh group with the schema of MODEL; its name. Nothing of it is a step."""
        g = self.name(kind)
        self.must("Group", "Create", group=group(g, model))
        if model == "stream":
            rules = {n: [t] for n, t in STREAM_RULES.items()}
            subject = STREAM
        else:
            rules, subject = TRACE_RULES, TRACE
        kind_of_rule = db.IndexRule.TYPE_INVERTED if model == "stream" else db.IndexRule.TYPE_TREE
        for n, tags in rules.items():
            self.must("IndexRule", "Create", index_rule=rule(g, n, tags, kind_of_rule))
        self.must("IndexRuleBinding", "Create",
                  index_rule_binding=binding(g, "rules", list(rules), model, subject))
        if model == "stream":
            self.must("Stream", "Create", stream=stream(g))
        else:
            self.must("Trace", "Create", trace=trace(g))
        keys = [key("group", "", g), key(model, g, subject)]
        keys += [key("index_rule", g, n) for n in rules]
        keys.append(key("index_rule_binding", g, "rules"))
        self.client.unary(BARRIER + "AwaitSchemaApplied", schema_pb2.AwaitSchemaAppliedRequest(
            keys=keys, timeout=Duration(seconds=10)), schema_pb2.AwaitSchemaAppliedResponse)
        return g

    def until(self, ready, seconds=5):
        """Polls READY() until true; its last value."""
        end = time.monotonic() + seconds
        while not (value := ready()) and time.monotonic() < end:
            time.sleep(0.02)
        return value

    def deletion_completed(self, name):
        """Waits for the task that deletes the group; true when it says so."""
        def completed():
            task = self.quiet("Group", "Query", group=name)[1]
            return task is not None and (
                task.task.current_phase == db.GroupDeletionTask.PHASE_COMPLETED)
        return self.until(completed, 20)

    def clean(self):
        """Deletes what the script made, so that a server can serve many runs."""
        for g in self.groups:
            self.quiet("Group", "Delete", group=g, force=True)


def run(server):
    import rows
    import schema
    import service
    out = {}
    for name, script in (("service", service.script), ("schema", schema.script),
                         ("stream", rows.stream_script), ("trace", rows.trace_script)):
        world = World(server)
        try:
            script(world)
        finally:
            world.clean()
        out[name] = world.steps
    return out
