// SPDX-License-Identifier: Apache-2.0
// The trace model: ten tags and the payload in `span`; the start time is a TIMESTAMP, and the
// row's time.
//
//   WriteRequest { metadata=1, tags=2 x 10, span=3, version=4 }
#include "banyandb/trace.pb-c.h"
#include "replay/model.h"

static uint8_t *trace_tail(uint8_t *p, uint64_t id)
{
	p = model_put_varint(p, id);
	*--p = 0x20;
	return p;
}

static uint8_t *start_tag(uint8_t *p, int64_t start_ms)
{
	uint8_t *end = p;

	p = model_put_time(p, start_ms);
	p = model_put_varint(p, (uint64_t)(end - p));
	*--p = 0x3a;
	p = model_put_varint(p, (uint64_t)(end - p));
	*--p = 0x12;
	return p;
}

static uint8_t *trace_head(uint8_t *blob, const uint8_t *blob_end, const struct row *row,
			   struct view metadata)
{
	uint8_t *p = blob;

	if (blob_end > blob) {
		p = model_put_varint(p, (uint64_t)(blob_end - p));
		*--p = 0x1a;
	}
	p = model_put_text(p, 0x12, row->component);
	p = model_put_text(p, 0x12, row->operation_name);
	p = model_put_text(p, 0x12, row->parent_span_id);
	p = model_put_text(p, 0x12, row->span_id);
	p = model_put_int(p, 0x12, row->is_error);
	p = model_put_int(p, 0x12, row->latency_ms);
	p = start_tag(p, row->start_ms);
	p = model_put_text(p, 0x12, row->trace_id);
	p = model_put_text(p, 0x12, row->service_instance_id);
	p = model_put_text(p, 0x12, row->service_id);
	return model_put_raw(p, metadata);
}

// ---- Reading back
// -----------------------------------------------------------------------------------------------------

// Trace id and span id may be missing among the tags (0.9 and early 0.10): they always come
// beside them.
static void take_span(const Banyandb__Trace__V1__Trace *trace,
		      const Banyandb__Trace__V1__Span *span, struct stored_row *row)
{
	for (size_t t = 0; t < span->n_tags; t++) {
		int column = model_column(span->tags[t]->key);

		if (column >= 0)
			row->tag[column] = model_tag_value(span->tags[t]->value);
	}
	if (row->tag[COL_TRACE_ID].kind != TAG_TEXT)
		row->tag[COL_TRACE_ID] =
			(struct tag_value){.kind = TAG_TEXT, .text = view_of(trace->trace_id)};
	if (row->tag[COL_SPAN_ID].kind != TAG_TEXT)
		row->tag[COL_SPAN_ID] =
			(struct tag_value){.kind = TAG_TEXT, .text = view_of(span->span_id)};
	row->payload = (struct view){(const char *)span->span.data, span->span.len};
}

static void take_answer(const Banyandb__Trace__V1__QueryResponse *answer, uint32_t limit,
			struct read_result *out)
{
	size_t n = 0;

	for (size_t i = 0; i < answer->n_traces; i++)
		out->count += answer->traces[i]->n_spans;
	out->full = answer->n_traces >= limit;
	out->row = mem_zalloc(out->count + 1, sizeof(*out->row));
	for (size_t i = 0; i < answer->n_traces; i++)
		for (size_t k = 0; k < answer->traces[i]->n_spans; k++)
			take_span(answer->traces[i], answer->traces[i]->spans[k],
				  &out->row[n++]);
}

// By trace id, or ordered by the rule of the start time (named so, else by the design's name).
static enum status trace_read(const struct model *m, struct rpc *r, const struct read_query *q,
			      int64_t timeout_ms, struct read_result *out, int *code,
			      struct err *e)
{
	char rule[] = "startTime", old_rule[] = "time_based_index";
	Banyandb__Trace__V1__QueryRequest request;
	Banyandb__Model__V1__QueryOrder order;
	struct query_parts p;
	int got = 0;
	enum status s;

	query_parts_init(&p, m, q);
	banyandb__trace__v1__query_request__init(&request);
	banyandb__model__v1__query_order__init(&order);
	order.index_rule_name = rule;
	order.sort = BANYANDB__MODEL__V1__SORT__SORT_ASC;
	request.n_groups = 1;
	request.groups = p.groups;
	request.name = p.name;
	request.time_range = &p.range;
	request.limit = q->limit;
	if (q->trace_ids > 0) {
		request.n_tag_projection = COLUMN_COUNT;
		request.tag_projection = p.tags;
		request.criteria = p.criteria;
	} else {
		request.order_by = &order;
	}
	s = rpc_call(r, m->query_method, &request.base,
		     &banyandb__trace__v1__query_response__descriptor, &out->answer, timeout_ms,
		     &got, e);
	if (s == ERR_REMOTE && q->trace_ids == 0 && got == RPC_UNKNOWN) {
		order.index_rule_name = old_rule;
		s = rpc_call(r, m->query_method, &request.base,
			     &banyandb__trace__v1__query_response__descriptor, &out->answer,
			     timeout_ms, &got, e);
	}
	query_parts_free(&p);
	if (code)
		*code = got;
	if (s == OK)
		take_answer((Banyandb__Trace__V1__QueryResponse *)(void *)out->answer, q->limit,
			    out);
	return s;
}

const struct model model_trace = {
	.kind = MODEL_TRACE,
	.name = "trace",
	.kind_key = "trace",
	.catalog = "CATALOG_TRACE",
	.group = "trace_performance_test",
	.resource = "segment_trace",
	.write_method = "/banyandb.trace.v1.TraceService/Write",
	.query_method = "/banyandb.trace.v1.TraceService/Query",
	.ack_id_field = 2,
	.ack_status_field = 3,
	.tail = trace_tail,
	.head = trace_head,
	.read = trace_read,
};
