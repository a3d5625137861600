// SPDX-License-Identifier: Apache-2.0
// What both models share: refusals, tag values written backwards, answers, tag values read.
#include "replay/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pb.h"

const struct model *model_get(enum model_kind kind)
{
	return kind == MODEL_STREAM ? &model_stream : &model_trace;
}

// Most texts are ASCII: eight bytes at a time, and the full check only when a high bit shows.
static bool text_ok(struct view v)
{
	uint64_t high = 0;
	size_t i = 0;

	for (; i + 8 <= v.size; i += 8) {
		uint64_t word;

		memcpy(&word, v.data + i, 8);
		high |= word;
	}
	for (; i < v.size; i++)
		high |= (uint8_t)v.data[i];
	return !(high & UINT64_C(0x8080808080808080)) || utf8_valid(v.data, v.size);
}

enum unsent model_check_row(const struct row *row, const struct row_limits *limits)
{
	if (row->trace_id.size == 0)
		return UNSENT_EMPTY_TRACE_ID;
	if (row->service_id.size == 0)
		return UNSENT_EMPTY_SERVICE_ID;
	if (row->service_instance_id.size == 0)
		return UNSENT_EMPTY_INSTANCE_ID;
	if (row->span_id.size == 0)
		return UNSENT_EMPTY_SPAN_ID;
	if (row->start_ms <= 0 || row->start_ms > START_MS_MAX)
		return UNSENT_TIME_RANGE;
	if (row->start_ms > limits->newest_ms)
		return UNSENT_FUTURE;
	if (row->start_ms < limits->oldest_ms)
		return UNSENT_EXPIRED;
	if (row->texts_valid)
		return UNSENT_NONE;
	if (!text_ok(row->trace_id) || !text_ok(row->service_id) ||
	    !text_ok(row->service_instance_id) || !text_ok(row->span_id) ||
	    !text_ok(row->parent_span_id) || !text_ok(row->operation_name) ||
	    !text_ok(row->component))
		return UNSENT_NOT_UTF8;
	return UNSENT_NONE;
}

struct view model_metadata(const struct model *m, uint8_t out[METADATA_MAX])
{
	struct buf b, inner;
	struct view v;

	buf_init(&b, METADATA_MAX);
	buf_init(&inner, METADATA_MAX);
	pb_put_string(&inner, 1, m->group);
	pb_put_string(&inner, 2, m->resource);
	pb_put_bytes(&b, 1, inner.data, inner.size);
	memcpy(out, b.data, b.size);
	v = (struct view){(const char *)out, b.size};
	buf_free(&b);
	buf_free(&inner);
	return v;
}

// Everything but payload, metadata and column texts: ten tag values of at most 16 bytes, nested
// lengths, times, id.
#define HEAD_OVERHEAD 384
#define TIMESTAMP_SECONDS_MAX                                                                  \
	INT64_C(1000000000000) // far beyond any row; keeps the product in range

uint8_t *model_encode(const struct model *m, struct view metadata, const struct row *row,
		      const struct blob_source *blob, uint64_t id, uint8_t *area,
		      size_t size_bytes)
{
	size_t head = metadata.size + row->service_id.size + row->service_instance_id.size +
		      row->trace_id.size + 2 * row->span_id.size + row->parent_span_id.size +
		      row->operation_name.size + row->component.size + HEAD_OVERHEAD;
	uint8_t *blob_end, *start;

	if (size_bytes <= head)
		return NULL;
	blob_end = m->tail(area + size_bytes, id);
	start = blob->render(blob->ctx, area, (size_t)(blob_end - area));
	if (!start || (size_t)(start - area) < head)
		return NULL;
	return m->head(start, blob_end, row, metadata);
}

uint8_t *model_put_varint(uint8_t *p, uint64_t v)
{
	p -= pb_varint_size(v);
	pb_varint_write(p, v);
	return p;
}

uint8_t *model_put_raw(uint8_t *p, struct view v)
{
	if (v.size == 0)
		return p;
	p -= v.size;
	memcpy(p, v.data, v.size);
	return p;
}

// tags { str { value } }; an empty text is a present wrapper with an empty body.
uint8_t *model_put_text(uint8_t *p, uint8_t field_tag, struct view v)
{
	uint8_t *end = p;

	if (v.size > 0 && v.size < 0x80 - 4) { // all three lengths take one byte
		p -= v.size + 6;
		memcpy(p + 6, v.data, v.size);
		p[0] = field_tag;
		p[1] = (uint8_t)(v.size + 4);
		p[2] = 0x12;
		p[3] = (uint8_t)(v.size + 2);
		p[4] = 0x0a;
		p[5] = (uint8_t)v.size;
		return p;
	}
	p = model_put_raw(p, v);
	if (v.size > 0) {
		p = model_put_varint(p, v.size);
		*--p = 0x0a;
	}
	p = model_put_varint(p, (uint64_t)(end - p));
	*--p = 0x12;
	p = model_put_varint(p, (uint64_t)(end - p));
	*--p = field_tag;
	return p;
}

// tags { int { value } }; zero is a present wrapper with an empty body.
uint8_t *model_put_int(uint8_t *p, uint8_t field_tag, uint64_t v)
{
	uint8_t *end = p;

	if (v != 0) {
		p = model_put_varint(p, v);
		*--p = 0x08;
	}
	p = model_put_varint(p, (uint64_t)(end - p));
	*--p = 0x22;
	p = model_put_varint(p, (uint64_t)(end - p));
	*--p = field_tag;
	return p;
}

uint8_t *model_put_time(uint8_t *p, int64_t ms)
{
	uint64_t seconds = (uint64_t)(ms / MS_PER_S),
		 nanos = (uint64_t)(ms % MS_PER_S * NS_PER_MS);

	if (nanos != 0) {
		p = model_put_varint(p, nanos);
		*--p = 0x10;
	}
	if (seconds != 0) {
		p = model_put_varint(p, seconds);
		*--p = 0x08;
	}
	return p;
}

bool model_parse_ack(const struct model *m, const uint8_t *data, size_t size_bytes,
		     uint64_t *id, bool *succeed, struct view *status)
{
	static const char good[] = "STATUS_SUCCEED";
	struct pb_reader r;
	struct pb_field f;

	*id = 0;
	*status = (struct view){"", 0};
	pb_reader_init(&r, data, size_bytes);
	while (pb_next(&r, &f)) {
		if (f.number == m->ack_id_field && f.wire == PB_VARINT)
			*id = f.value;
		else if (f.number == m->ack_status_field && f.wire == PB_BYTES)
			*status = f.bytes;
	}
	*succeed = status->size == sizeof(good) - 1 &&
		   memcmp(status->data, good, sizeof(good) - 1) == 0;
	return !r.failed && *id != 0;
}

// ---- Reading back
// -----------------------------------------------------------------------------------------------------

int model_column(const char *tag_name)
{
	for (int i = 0; i < COLUMN_COUNT; i++)
		if (strcmp(tag_name, column_names[i]) == 0)
			return i;
	return -1;
}

struct tag_value model_tag_value(const Banyandb__Model__V1__TagValue *v)
{
	struct tag_value t = {.kind = TAG_NULL};

	if (!v)
		return t;
	if (v->value_case == BANYANDB__MODEL__V1__TAG_VALUE__VALUE_STR) {
		t.kind = TAG_TEXT;
		t.text = view_of(v->str->value);
	} else if (v->value_case == BANYANDB__MODEL__V1__TAG_VALUE__VALUE_INT) {
		t.kind = TAG_INT;
		t.number = v->int_->value;
	} else if (v->value_case == BANYANDB__MODEL__V1__TAG_VALUE__VALUE_TIMESTAMP) {
		t.kind = TAG_TIME;
		if (v->timestamp->seconds < -TIMESTAMP_SECONDS_MAX ||
		    v->timestamp->seconds > TIMESTAMP_SECONDS_MAX)
			return (struct tag_value){.kind = TAG_OTHER};
		t.number = v->timestamp->seconds * MS_PER_S + v->timestamp->nanos / NS_PER_MS;
	} else if (v->value_case != BANYANDB__MODEL__V1__TAG_VALUE__VALUE_NULL &&
		   v->value_case != BANYANDB__MODEL__V1__TAG_VALUE__VALUE__NOT_SET) {
		t.kind = TAG_OTHER;
	}
	return t;
}

static void set_time(Google__Protobuf__Timestamp *t, int64_t ms)
{
	google__protobuf__timestamp__init(t);
	t->seconds = ms / MS_PER_S;
	t->nanos = (int32_t)(ms % MS_PER_S * NS_PER_MS);
}

static void set_condition(struct query_condition *c, char *tag, const char *const *text,
			  unsigned count)
{
	banyandb__model__v1__criteria__init(&c->criteria);
	banyandb__model__v1__condition__init(&c->condition);
	banyandb__model__v1__tag_value__init(&c->value);
	banyandb__model__v1__str__init(&c->str);
	banyandb__model__v1__str_array__init(&c->array);
	for (unsigned i = 0; i < count; i++)
		c->text[i] = mem_strdup(text[i]);
	if (count == 1) {
		c->str.value = c->text[0];
		c->value.value_case = BANYANDB__MODEL__V1__TAG_VALUE__VALUE_STR;
		c->value.str = &c->str;
		c->condition.op = BANYANDB__MODEL__V1__CONDITION__BINARY_OP__BINARY_OP_EQ;
	} else {
		c->array.value = c->text;
		c->array.n_value = count;
		c->value.value_case = BANYANDB__MODEL__V1__TAG_VALUE__VALUE_STR_ARRAY;
		c->value.str_array = &c->array;
		c->condition.op = BANYANDB__MODEL__V1__CONDITION__BINARY_OP__BINARY_OP_IN;
	}
	c->condition.name = tag;
	c->condition.value = &c->value;
	c->criteria.exp_case = BANYANDB__MODEL__V1__CRITERIA__EXP_CONDITION;
	c->criteria.condition = &c->condition;
}

static Banyandb__Model__V1__Criteria *both_of(Banyandb__Model__V1__LogicalExpression *le,
					      Banyandb__Model__V1__Criteria *node,
					      Banyandb__Model__V1__Criteria *left,
					      Banyandb__Model__V1__Criteria *right)
{
	banyandb__model__v1__logical_expression__init(le);
	banyandb__model__v1__criteria__init(node);
	le->op = BANYANDB__MODEL__V1__LOGICAL_EXPRESSION__LOGICAL_OP__LOGICAL_OP_AND;
	le->left = left;
	le->right = right;
	node->exp_case = BANYANDB__MODEL__V1__CRITERIA__EXP_LE;
	node->le = le;
	return node;
}

void query_parts_init(struct query_parts *p, const struct model *m, const struct read_query *q)
{
	memset(p, 0, sizeof(*p));
	snprintf(p->group, sizeof(p->group), "%s", m->group);
	snprintf(p->name, sizeof(p->name), "%s", m->resource);
	p->groups[0] = p->group;
	for (int i = 0; i < COLUMN_COUNT; i++) {
		snprintf(p->tag[i], sizeof(p->tag[i]), "%s", column_names[i]);
		p->tags[i] = p->tag[i];
	}
	banyandb__model__v1__time_range__init(&p->range);
	set_time(&p->begin, q->begin_ms);
	set_time(&p->end, q->end_ms);
	p->range.begin = &p->begin;
	p->range.end = &p->end;
	if (q->trace_ids == 0)
		return;
	set_condition(&p->by_trace, p->tag[COL_TRACE_ID], q->trace_id, q->trace_ids);
	p->criteria = &p->by_trace.criteria;
	if (q->series == 0)
		return;
	set_condition(&p->by_service, p->tag[COL_SERVICE_ID], q->service_id, q->series);
	set_condition(&p->by_instance, p->tag[COL_SERVICE_INSTANCE_ID], q->service_instance_id,
		      q->series);
	p->criteria = both_of(&p->both[1], &p->node[1], p->criteria,
			      both_of(&p->both[0], &p->node[0], &p->by_service.criteria,
				      &p->by_instance.criteria));
}

void query_parts_free(struct query_parts *p)
{
	for (int i = 0; i < READ_IDS_MAX; i++) {
		free(p->by_trace.text[i]);
		free(p->by_service.text[i]);
		free(p->by_instance.text[i]);
	}
}

enum status model_read(const struct model *m, struct rpc *r, const struct read_query *q,
		       int64_t timeout_ms, struct read_result *out, int *code, struct err *e)
{
	*out = (struct read_result){0};
	return m->read(m, r, q, timeout_ms, out, code, e);
}

void read_result_free(struct read_result *r)
{
	free(r->row);
	if (r->answer)
		protobuf_c_message_free_unpacked(r->answer, NULL);
	*r = (struct read_result){0};
}
