// SPDX-License-Identifier: Apache-2.0
// The stream model: an element with two tag families, id and time beside them.
//
//   WriteRequest { metadata=1, element=2 { element_id=1, timestamp=2, tag_families=3 { tags=1 x
//   10 }, tag_families=3 { tags=1 { binary=6 } } },
//                  message_id=3 }
#include "banyandb/stream.pb-c.h"
#include "replay/model.h"

static uint8_t *stream_tail(uint8_t *p, uint64_t id)
{
	p = model_put_varint(p, id);
	*--p = 0x18;
	return p;
}

static uint8_t *primary_tags(uint8_t *p, const struct row *row)
{
	p = model_put_text(p, 0x0a, row->component);
	p = model_put_text(p, 0x0a, row->operation_name);
	p = model_put_text(p, 0x0a, row->parent_span_id);
	p = model_put_text(p, 0x0a, row->span_id);
	p = model_put_int(p, 0x0a, row->is_error);
	p = model_put_int(p, 0x0a, row->latency_ms);
	p = model_put_int(p, 0x0a, (uint64_t)row->start_ms);
	p = model_put_text(p, 0x0a, row->trace_id);
	p = model_put_text(p, 0x0a, row->service_instance_id);
	return model_put_text(p, 0x0a, row->service_id);
}

static uint8_t *stream_head(uint8_t *blob, const uint8_t *blob_end, const struct row *row,
			    struct view metadata)
{
	uint8_t *p = blob, *end;

	p = model_put_varint(p, (uint64_t)(blob_end - p));
	*--p = 0x32;
	p = model_put_varint(p, (uint64_t)(blob_end - p));
	*--p = 0x0a;
	p = model_put_varint(p, (uint64_t)(blob_end - p));
	*--p = 0x1a;
	end = p;
	p = primary_tags(p, row);
	p = model_put_varint(p, (uint64_t)(end - p));
	*--p = 0x1a;
	end = p;
	p = model_put_time(p, row->start_ms);
	p = model_put_varint(p, (uint64_t)(end - p));
	*--p = 0x12;
	p = model_put_raw(p, row->span_id);
	p = model_put_varint(p, row->span_id.size);
	*--p = 0x0a;
	p = model_put_varint(p, (uint64_t)(blob_end - p));
	*--p = 0x12;
	return model_put_raw(p, metadata);
}

// ---- Reading back
// -----------------------------------------------------------------------------------------------------

static void take_element(const Banyandb__Stream__V1__Element *el, struct stored_row *row)
{
	for (size_t f = 0; f < el->n_tag_families; f++) {
		const Banyandb__Model__V1__TagFamily *family = el->tag_families[f];

		for (size_t t = 0; t < family->n_tags; t++) {
			const Banyandb__Model__V1__Tag *tag = family->tags[t];
			int column = model_column(tag->key);

			if (column >= 0)
				row->tag[column] = model_tag_value(tag->value);
			else if (tag->value &&
				 tag->value->value_case ==
					 BANYANDB__MODEL__V1__TAG_VALUE__VALUE_BINARY_DATA)
				row->payload = (struct view){
					(const char *)tag->value->binary_data.data,
					tag->value->binary_data.len};
		}
	}
}

// Criteria on traceId; everything is projected, or the span ids only when rows are just
// counted.
static enum status stream_read(const struct model *m, struct rpc *r, const struct read_query *q,
			       int64_t timeout_ms, struct read_result *out, int *code,
			       struct err *e)
{
	Banyandb__Stream__V1__QueryRequest request;
	Banyandb__Stream__V1__QueryResponse *answer;
	Banyandb__Model__V1__TagProjection projection;
	Banyandb__Model__V1__TagProjection__TagFamily primary, binary,
		*families[2] = {&primary, &binary};
	char primary_name[] = "primary", binary_name[] = "data_binary",
	     binary_tag[] = "dataBinary";
	char *binary_tags[1] = {binary_tag};
	struct query_parts p;
	enum status s;

	query_parts_init(&p, m, q);
	banyandb__stream__v1__query_request__init(&request);
	banyandb__model__v1__tag_projection__init(&projection);
	banyandb__model__v1__tag_projection__tag_family__init(&primary);
	banyandb__model__v1__tag_projection__tag_family__init(&binary);
	primary.name = primary_name;
	primary.tags = q->trace_ids > 0 ? p.tags : p.tags + COL_SPAN_ID;
	primary.n_tags = q->trace_ids > 0 ? COLUMN_COUNT : 1;
	binary.name = binary_name;
	binary.tags = binary_tags;
	binary.n_tags = 1;
	projection.tag_families = families;
	projection.n_tag_families = q->trace_ids > 0 ? 2 : 1;
	request.n_groups = 1;
	request.groups = p.groups;
	request.name = p.name;
	request.time_range = &p.range;
	request.limit = q->limit;
	request.projection = &projection;
	request.criteria = p.criteria;
	s = rpc_call(r, m->query_method, &request.base,
		     &banyandb__stream__v1__query_response__descriptor, &out->answer,
		     timeout_ms, code, e);
	query_parts_free(&p);
	if (s != OK)
		return s;
	answer = (Banyandb__Stream__V1__QueryResponse *)(void *)out->answer;
	out->count = answer->n_elements;
	out->full = answer->n_elements >= q->limit;
	out->row = mem_zalloc(out->count + 1, sizeof(*out->row));
	for (size_t i = 0; i < out->count; i++)
		take_element(answer->elements[i], &out->row[i]);
	return OK;
}

const struct model model_stream = {
	.kind = MODEL_STREAM,
	.name = "stream",
	.kind_key = "stream",
	.catalog = "CATALOG_STREAM",
	.group = "stream_performance_test",
	.resource = "segment_stream",
	.write_method = "/banyandb.stream.v1.StreamService/Write",
	.query_method = "/banyandb.stream.v1.StreamService/Query",
	.ack_id_field = 1,
	.ack_status_field = 2,
	.tail = stream_tail,
	.head = stream_head,
	.read = stream_read,
};
