# SPDX-License-Identifier: Apache-2.0
"""Every schema object from absent to deleted, what a registry refuses, and the barrier."""
from banyandb import database_pb2 as db, schema_pb2
from google.protobuf.duration_pb2 import Duration

from client import metadata
from scripts import BARRIER, STREAM, binding, group, key, rule, stream, trace

# Registry, field of its requests, last part of the step names.
KINDS = {"Stream": "stream", "Trace": "trace", "IndexRule": "index_rule",
         "IndexRuleBinding": "index_rule_binding"}


def by_name(world, field):
    """Reduces a List reply: resources by name, their order is not promised."""
    def reduce(reply):
        items = [world.normal.message(m) for m in getattr(reply, field)]
        return sorted(items, key=lambda m: m["metadata"]["name"])
    return reduce


def own_groups(world):
    def reduce(reply):
        return sorted(world.normal.string(g.metadata.name) for g in reply.group
                      if g.metadata.name in world.normal.names)
    return reduce


def inspect_group(world, step, name):
    """Inspect as a step. The part of a server that counts hears of a new group a moment later."""
    world.until(lambda: world.quiet("Group", "Inspect", group=name)[0] == "OK")
    world.registry(step, "Group", "Inspect", group=name, reduce=inspect(world))


def inspect(world):
    """Reduces Inspect: rows over all nodes, segments and shards."""
    def reduce(reply):
        info = world.normal.message(reply.schema_info)
        shards = [s for d in reply.data_info for g in d.segment_info for s in g.shard_info]
        return {"group": world.normal.message(reply.group),
                "schema_info": {k: sorted(v) for k, v in info.items()},
                "nodes": len(reply.data_info),
                "data_count": sum(s.data_count for s in shards),
                "data_size_bytes": "<bytes>" if sum(d.data_size_bytes for d in reply.data_info) else 0,
                "part_count": "<parts>" if sum(s.part_count for s in shards) else 0}
    return reduce


def life(world, kind, resource, missing_name="nobody"):
    """Absent, created, created again, read, updated. RESOURCE stays."""
    field = KINDS[kind]
    at = f"schema.{field}"
    meta, nobody = resource.metadata, metadata(resource.metadata.group, missing_name)
    stranger = metadata(world.missing, missing_name)
    world.registry(f"{at}.exist.missing", kind, "Exist", metadata=meta)
    world.registry(f"{at}.exist.missing-group", kind, "Exist", metadata=stranger)
    world.registry(f"{at}.get.missing", kind, "Get", metadata=meta)
    world.registry(f"{at}.get.missing-group", kind, "Get", metadata=stranger)
    world.registry(f"{at}.delete.missing", kind, "Delete", metadata=meta)
    world.registry(f"{at}.update.missing", kind, "Update", **{field: resource})
    made = world.registry(f"{at}.create", kind, "Create", **{field: resource})
    world.registry(f"{at}.create.again", kind, "Create", **{field: resource})
    world.registry(f"{at}.exist", kind, "Exist", metadata=meta)
    world.registry(f"{at}.get", kind, "Get", metadata=meta)
    world.registry(f"{at}.get.other-name", kind, "Get", metadata=nobody)
    world.registry(f"{at}.list", kind, "List", group=meta.group, reduce=by_name(world, field))
    world.registry(f"{at}.list.no-group", kind, "List")
    world.registry(f"{at}.list.missing-group", kind, "List", group=world.missing,
                   reduce=by_name(world, field))
    world.registry(f"{at}.update.unchanged", kind, "Update", **{field: resource})
    world.registry(f"{at}.create.no-metadata", kind, "Create",
                   **{field: type(resource)(**{f.name: v for f, v in resource.ListFields()
                                               if f.name != "metadata"})})
    return getattr(made, "mod_revision", 0)


def death(world, kind, resource):
    field = KINDS[kind]
    world.registry(f"schema.{field}.delete", kind, "Delete", metadata=resource.metadata)
    world.registry(f"schema.{field}.get.deleted", kind, "Get", metadata=resource.metadata)
    world.registry(f"schema.{field}.delete.again", kind, "Delete", metadata=resource.metadata)


def group_steps(world, name):
    g = group(name, "stream")
    world.registry("schema.group.exist.missing", "Group", "Exist", group=name)
    world.registry("schema.group.get.missing", "Group", "Get", group=name)
    world.registry("schema.group.inspect.missing", "Group", "Inspect", group=name)
    world.registry("schema.group.delete.missing", "Group", "Delete", group=name)
    world.registry("schema.group.update.missing", "Group", "Update", group=g)
    world.registry("schema.group.create", "Group", "Create", group=g)
    world.registry("schema.group.create.again", "Group", "Create", group=g)
    world.registry("schema.group.exist", "Group", "Exist", group=name)
    world.registry("schema.group.get", "Group", "Get", group=name)
    world.registry("schema.group.list", "Group", "List", reduce=own_groups(world))
    world.registry("schema.group.update.unchanged", "Group", "Update", group=g)
    world.registry("schema.group.update.ttl", "Group", "Update", group=group(name, "stream", 9))
    world.registry("schema.group.get.updated", "Group", "Get", group=name)
    inspect_group(world, "schema.group.inspect.empty", name)


def group_refusals(world):
    def refuse(case, g):
        world.registry(f"schema.group.create.{case}", "Group", "Create", group=g)

    def without(field):
        g = group(world.name(f"no {field}"), "stream")
        (g if field in ("metadata", "catalog", "resource_opts") else g.resource_opts).ClearField(field)
        return g

    for field in ("metadata", "catalog", "resource_opts", "ttl", "segment_interval"):
        refuse(f"no-{field}".replace("_", "-"), without(field))
    refuse("empty-name", group("", "stream"))
    refuse("shard-num-0", group(world.name("no shards"), "stream", shard_num=0))
    refuse("ttl-0", group(world.name("no days"), "stream", ttl_days=0))
    refuse("ttl-below-segment", group(world.name("short ttl"), "stream", ttl_days=1, segment_days=2))
    world.registry("schema.group.create.nothing", "Group", "Create")


def stream_refusals(world, name):
    def refuse(case, s):
        s.metadata.name = f"odd_{case}"
        world.registry(f"schema.stream.create.{case}", "Stream", "Create", stream=s)

    s = stream(world.missing)
    refuse("missing-group", s)
    s = stream(name)
    s.ClearField("entity")
    refuse("no-entity", s)
    s = stream(name)
    s.entity.ClearField("tag_names")
    refuse("empty-entity", s)
    s = stream(name)
    s.ClearField("tag_families")
    refuse("no-families", s)
    s = stream(name)
    s.tag_families[0].ClearField("tags")
    refuse("empty-family", s)
    s = stream(name)
    s.tag_families[0].name = ""
    refuse("unnamed-family", s)
    s = stream(name)
    s.tag_families[0].tags[4].name = "lat#ency"
    refuse("hash-in-tag", s)
    s = stream(name)
    s.tag_families[0].tags[4].type = db.TAG_TYPE_UNSPECIFIED
    refuse("untyped-tag", s)
    s = stream(name)
    s.entity.tag_names[0] = "nobody"
    refuse("unknown-entity-tag", s)
    s = stream(name)
    s.tag_families[0].tags[4].name = "isError"
    refuse("duplicate-tag", s)


def stream_updates(world, s):
    def update(case, change):
        new = db.Stream()
        new.CopyFrom(s)
        change(new)
        world.registry(f"schema.stream.update.{case}", "Stream", "Update", stream=new)

    update("add-tag", lambda n: n.tag_families[0].tags.add(name="extra", type=db.TAG_TYPE_STRING))
    world.registry("schema.stream.get.tag-added", "Stream", "Get", metadata=s.metadata)
    update("remove-tag", lambda n: None)
    update("entity", lambda n: n.entity.tag_names.__delitem__(1))
    update("remove-entity-tag", lambda n: n.tag_families[0].tags.__delitem__(0))


def trace_refusals(world, name):
    def refuse(case, **fields):
        t = trace(fields.pop("group", name), f"odd_{case}")
        for field, value in fields.items():
            setattr(t, field, value)
        return t

    def create(case, t):
        world.registry(f"schema.trace.create.{case}", "Trace", "Create", trace=t)

    create("missing-group", refuse("missing-group", group=world.missing))
    create("no-trace-id-tag", refuse("no-trace-id-tag", trace_id_tag_name=""))
    create("no-timestamp-tag", refuse("no-timestamp-tag", timestamp_tag_name=""))
    create("no-span-id-tag", refuse("no-span-id-tag", span_id_tag_name=""))
    create("unknown-trace-id-tag", refuse("unknown-trace-id-tag", trace_id_tag_name="nobody"))
    create("unknown-timestamp-tag", refuse("unknown-timestamp-tag", timestamp_tag_name="nobody"))
    create("unknown-span-id-tag", refuse("unknown-span-id-tag", span_id_tag_name="nobody"))
    t = refuse("untyped-tag")
    t.tags[4].type = db.TAG_TYPE_UNSPECIFIED
    create("untyped-tag", t)
    t = refuse("hash-in-tag")
    t.tags[4].name = "lat#ency"
    create("hash-in-tag", t)
    t = refuse("no-tags")
    t.ClearField("tags")
    create("no-tags", t)
    t = refuse("int-timestamp")
    t.tags[3].type = db.TAG_TYPE_INT
    create("int-timestamp", t)
    t = refuse("duplicate-tag")
    t.tags[4].name = "isError"
    create("duplicate-tag", t)


def rule_refusals(world, name):
    def create(case, r):
        world.registry(f"schema.index_rule.create.{case}", "IndexRule", "Create", index_rule=r)

    create("no-tags", rule(name, "odd_no_tags", []))
    create("untyped", rule(name, "odd_untyped", ["latency"], db.IndexRule.TYPE_UNSPECIFIED))
    r = rule(world.missing, "odd_group", ["latency"])
    create("missing-group", r)
    world.quiet("IndexRule", "Delete", metadata=r.metadata)
    create("unknown-tag", rule(name, "odd_tag", ["nobody"]))


def binding_refusals(world, name):
    def create(case, b):
        world.registry(f"schema.index_rule_binding.create.{case}", "IndexRuleBinding", "Create",
                       index_rule_binding=b)

    create("no-rules", binding(name, "odd_no_rules", [], "stream", STREAM))
    for field in ("subject", "begin_at", "expire_at"):
        b = binding(name, f"odd_{field}", ["latency_index"], "stream", STREAM)
        b.ClearField(field)
        create(f"no-{field}".replace("_", "-"), b)
    create("unknown-rule", binding(name, "odd_rule", ["nobody"], "stream", STREAM))
    create("unknown-subject", binding(name, "odd_unknown", ["latency_index"], "stream", "nobody"))
    b = binding(world.missing, "odd_group", ["latency_index"], "stream", STREAM)
    create("missing-group", b)
    world.quiet("IndexRuleBinding", "Delete", metadata=b.metadata)


def barrier_steps(world, name, revision):
    short = Duration(nanos=200 * 1000000)

    def call(case, verb, **fields):
        fields.setdefault("timeout", short)
        world.unary(f"schema.barrier.{case}", BARRIER + verb,
                    getattr(schema_pb2, f"{verb}Request")(**fields),
                    getattr(schema_pb2, f"{verb}Response"), reduce=laggards)

    def laggards(reply):
        """Who lags is the machine's name; why is text."""
        out = {"applied": reply.applied, "laggards": len(reply.laggards)}
        for field in ("missing_keys", "still_present_keys"):
            keys = [world.normal.message(k) for n in reply.laggards for k in getattr(n, field)]
            if keys:
                out[field] = keys
        return out

    present = [key("group", "", name), key("stream", name, STREAM),
               key("index_rule", name, "latency_index"), key("index_rule_binding", name, "rules")]
    long = Duration(seconds=10)
    call("applied", "AwaitSchemaApplied", keys=present, timeout=long)
    call("applied.revision", "AwaitSchemaApplied", keys=[present[1]], min_revisions=[revision],
         timeout=long)
    call("applied.no-keys", "AwaitSchemaApplied")
    call("applied.missing", "AwaitSchemaApplied", keys=[present[0], key("stream", name, "nobody")])
    call("applied.unknown-kind", "AwaitSchemaApplied", keys=[key("nothing", name, STREAM)])
    call("revision", "AwaitRevisionApplied", min_revision=revision, timeout=long)
    call("revision.future", "AwaitRevisionApplied", min_revision=revision + 3600 * 10 ** 9)
    call("deleted.missing", "AwaitSchemaDeleted", keys=[key("stream", name, "nobody")], timeout=long)
    call("deleted.present", "AwaitSchemaDeleted", keys=[present[1]])


def wrong_catalogs(world, stream_group, trace_group):
    world.registry("schema.stream.create.in-trace-group", "Stream", "Create",
                   stream=stream(trace_group, "odd_catalog"))
    world.registry("schema.trace.create.in-stream-group", "Trace", "Create",
                   trace=trace(stream_group, "odd_catalog"))


def dry_run(world, name, case):
    """What a deletion would take; nothing goes."""
    world.registry(f"schema.group.delete.dry-run.{case}", "Group", "Delete", group=name, dry_run=True,
                   reduce=lambda r: {"schema_info": {k: sorted(v) for k, v in world.normal.message(
                       r.schema_info).items()}})


def deletion(world, name):
    """An empty group goes without force. The task ends by itself."""
    dry_run(world, name, "empty")
    world.registry("schema.group.exist.after-dry-run", "Group", "Exist", group=name)
    world.registry("schema.group.delete", "Group", "Delete", group=name)
    gone = world.until(lambda: world.quiet("Group", "Get", group=name)[0] == "NOT_FOUND", 20)
    world.step("schema.group.delete.done", "poll Get", {"code": "OK"}, gone=gone)
    world.step("schema.group.delete.task", "poll Query", {"code": "OK"},
               completed=world.deletion_completed(name))
    world.registry("schema.group.exist.deleted", "Group", "Exist", group=name)
    world.registry("schema.group.create.after-delete", "Group", "Create", group=group(name, "stream"))


def script(world):
    s_group, t_group = world.name("stream"), world.name("trace")
    group_steps(world, s_group)
    group_refusals(world)
    world.must("Group", "Create", group=group(t_group, "trace"))

    life(world, "IndexRule", rule(s_group, "latency_index", ["latency"]))
    rules = binding(s_group, "rules", ["latency_index"], "stream", STREAM)
    life(world, "IndexRuleBinding", rules)
    s, t = stream(s_group), trace(t_group)
    revision = life(world, "Stream", s)
    life(world, "Trace", t)
    barrier_steps(world, s_group, revision)

    # Groups of their own: what is accepted here must not show in the steps below.
    odd_stream, odd_trace = world.name("odd stream"), world.name("odd trace")
    world.must("Group", "Create", group=group(odd_stream, "stream"))
    world.must("Group", "Create", group=group(odd_trace, "trace"))
    rule_refusals(world, odd_stream)
    binding_refusals(world, odd_stream)
    stream_refusals(world, odd_stream)
    trace_refusals(world, odd_trace)
    wrong_catalogs(world, odd_stream, odd_trace)
    stream_updates(world, s)
    for g, kind in ((s_group, "stream"), (t_group, "trace")):
        inspect_group(world, f"schema.group.inspect.{kind}", g)

    dry_run(world, s_group, "full")
    death(world, "IndexRuleBinding", rules)
    death(world, "IndexRule", rule(s_group, "latency_index", ["latency"]))
    death(world, "Stream", s)
    death(world, "Trace", t)
    deletion(world, s_group)
