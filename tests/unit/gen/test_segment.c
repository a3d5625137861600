// SPDX-License-Identifier: Apache-2.0
// segment: names, the dictionary, the layout of rows in time, and rendered rows as protobuf:
// parsed by the schema, written again, equal.
#include "tests/unit/common/unit.h"

#include "common/pb.h"
#include "common/render.h"
#include "gen/segment_private.h"

#define EPOCH INT64_C(1767225600000)

// ---- SegmentObject by its schema -----------------------------------------------------------

// Field numbers are indexes. 'v' varint, 's' string, a digit: nested message of that kind,
// upper case or '+' behind: repeated.
struct message_kind {
	const char *type, *repeated;
};
static const struct message_kind kinds[] = {
	{" ss1ssv", " ..+..."},			// 0 SegmentObject
	{" vvvv2ssvvvv34v", " ....+......++."}, // 1 SpanObject
	{" vssvssss", " ........"},		// 2 SegmentReference
	{" ss", " .."},				// 3 KeyStringValuePair
	{" v3", " .+"},				// 4 Log
};

// Writes a message again as its schema says; false when it is none, or not canonical: fields
// out of order, values that are defaults.
static bool rewrite(uint32_t kind, struct view in, struct buf *out)
{
	uint32_t last = 0;
	struct pb_reader r;
	struct pb_field f;

	pb_reader_init(&r, in.data, in.size);
	while (pb_next(&r, &f)) {
		char type;

		if (f.number >= strlen(kinds[kind].type) || f.number < last)
			return false;
		if (f.number == last && kinds[kind].repeated[f.number] != '+')
			return false;
		last = f.number;
		type = kinds[kind].type[f.number];
		if (type == 'v') {
			if (f.wire != PB_VARINT || f.value == 0)
				return false;
			pb_put_uint(out, f.number, f.value);
		} else if (f.wire != PB_BYTES) {
			return false;
		} else if (type == 's') {
			if (f.bytes.size == 0 || !utf8_valid(f.bytes.data, f.bytes.size))
				return false;
			pb_put_view(out, f.number, f.bytes);
		} else {
			struct buf nested;
			bool good;

			buf_init(&nested, MIB);
			good = rewrite((uint32_t)(type - '0'), f.bytes, &nested);
			pb_put_bytes(out, f.number, nested.data, nested.size);
			buf_free(&nested);
			if (!good)
				return false;
		}
	}
	return !r.failed;
}

static bool is_canonical(struct view blob)
{
	struct buf again;
	bool same;

	buf_init(&again, 2 * MIB);
	same = rewrite(0, blob, &again) && again.size == blob.size &&
	       memcmp(again.data, blob.data, blob.size) == 0;
	buf_free(&again);
	return same;
}

// An error segment as SkyWalking's own libraries write it.
static const char golden_hex[] =
	"0a027431120273311a820108011881a8e288fd312085a8e288fd3132244d7973716c2f4a4442432f507265"
	"706172656453746174656d656e742f657865637574653a0764623a33333036400148015021580162100a07"
	"64622e7479706512054d7973716c620e0a0c64622e73746174656d656e746a170884a8e288fd31120e0a05"
	"6576656e7412056572726f721a5510ffffffffffffffffff011880a8e288fd312089a8e288fd312a1a1202"
	"74311a02733020022a0170320270693a022f654203683a3132064745543a2f614803500e62120a0b687474"
	"702e6d6574686f641203474554220373766"
	"32a03696e73";

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return n;
}

// The check that the other tests rest on can say both yes and no.
static void golden_vector_is_canonical(void **state)
{
	uint8_t bytes[512];
	size_t size = unhex(golden_hex, bytes);

	(void)state;
	assert_int_equal(size, 238);
	assert_true(is_canonical((struct view){(char *)bytes, size}));
	assert_false(is_canonical((struct view){(char *)bytes, size - 1}));
	memcpy(bytes + size, "\x30\x00", 2); // isSizeLimited false: never on the wire
	assert_false(is_canonical((struct view){(char *)bytes, size + 2}));
	memcpy(bytes + size, "\x0a\x01t", 3); // traceId again, out of order
	assert_false(is_canonical((struct view){(char *)bytes, size + 3}));
	bytes[4] = 0xff; // UTF-8
	assert_false(is_canonical((struct view){(char *)bytes, size}));
}

// ---- Names ---------------------------------------------------------------------------------

static int compare_names(const void *a, const void *b)
{
	return strcmp((const char *)a, (const char *)b);
}

// Sorts count names of `width` bytes; fails when two are equal.
static void assert_distinct(char *names, size_t count, size_t width)
{
	qsort(names, count, width, compare_names);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(names + (i - 1) * width, names + i * width) == 0)
			fail_msg("%s occurs twice", names + i * width);
	}
}

static void operation_names_are_distinct(void **state)
{
	// More than a round of each list: 8,000 HTTP, 24,576 RPC, 9,216 MQ.
	static const uint32_t count = 60000;
	char *names = mem_alloc((size_t)count * OP_TEXT_MAX);

	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		enum op_kind kind = (enum op_kind)(i % 5);
		struct op_text t;

		catalog_operation(&t, kind, LANGUAGE_JAVA,
				  kind == OP_HTTP ? i / 5 * 3 : i / 5 * 5 + i % 2, 1);
		assert_in_range(strlen(t.name), 5, 150);
		strcpy(names + (size_t)i * OP_TEXT_MAX, t.name);
	}
	assert_distinct(names, count, OP_TEXT_MAX);
	free(names);
}

static void service_names_are_distinct(void **state)
{
	static const uint32_t count = 10000;
	char *names = mem_zalloc(count, 64);
	struct buf b;

	(void)state;
	buf_init(&b, 64);
	for (uint32_t i = 0; i < count; i++) {
		buf_clear(&b);
		catalog_service_name(&b, i % LAYER_COUNT, i / LAYER_COUNT, 7);
		assert_in_range(b.size, 5, 32);
		memcpy(names + (size_t)i * 64, b.data, b.size);
	}
	assert_distinct(names, count, 64);
	buf_free(&b);
	free(names);
}

static void statements_have_the_wished_size(void **state)
{
	struct buf sql, params;

	(void)state;
	buf_init(&sql, 8 * KIB);
	buf_init(&params, 8 * KIB);
	for (uint32_t i = 0; i < 3000; i++) {
		struct dice d = {.key = i};
		uint32_t size = 150 + i % 2000;

		buf_clear(&sql);
		buf_clear(&params);
		catalog_sql(&sql, &params, (enum sql_kind)(i % 3), i % ENTITY_COUNT, size, &d);
		assert_true(sql.size <= 2048 && params.size <= 512);
		if (size >= 400 && size <= 1900)
			assert_in_range(sql.size, size - 200, size + 200);
	}
	buf_free(&sql);
	buf_free(&params);
}

// Bytes of a text that are not marks of sharing.
static size_t plain_size(const struct buf *b)
{
	size_t size = 0;

	for (size_t i = 0; i < b->size; i++)
		size += b->data[i] != MARK_SHARE && b->data[i] != MARK_SHARE_END;
	return size;
}

static void stacks_end_behind_the_cap(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 64 * KIB);
	for (uint32_t i = 0; i < 60; i++) {
		enum op_kind kind = (enum op_kind)(i % 5);
		struct dice d = {.key = i};
		struct exception x = catalog_exception((enum fault)(i % 6), &d);

		buf_clear(&b);
		catalog_stack(&b, x, (enum fault)(i % 6), kind, i, &d);
		assert_in_range(plain_size(&b), 1000, 4000 + 200);
		if (kind == OP_HTTP)
			assert_true(plain_size(&b) > 4000);
		assert_memory_equal(b.data, x.class, strlen(x.class));
		assert_int_equal(b.data[b.size - 1 - (b.data[b.size - 1] == MARK_SHARE_END)],
				 '\n');
		assert_null(memchr(b.data, '\t', b.size));
	}
	buf_free(&b);
}

// ---- A dictionary --------------------------------------------------------------------------

#define OPERATIONS 400u

struct fixture {
	struct recipe recipe;
	struct plan *plan;
	struct segment_set *set;
	const struct dict *dict;
};

static void fixture_init(struct fixture *f, uint64_t seed, uint32_t variants, uint32_t scale)
{
	struct err e = {0};

	// A mean of 9 rows per trace, so that no size table is needed.
	f->recipe = (struct recipe){.content_version = CONTENT_VERSION,
				    .seed = seed,
				    .spans = 9000,
				    .traces = 1000,
				    .services = 100,
				    .instances = 1500,
				    .operations = OPERATIONS,
				    .window_ms = 3600000,
				    .block_traces = 500,
				    .variants = variants,
				    .row_bytes = 5000,
				    .errors_mpct = 5000,
				    .base_epoch_ms = EPOCH,
				    .zipf_services_mpct = 80000,
				    .zipf_operations_mpct = 80000,
				    .class_simple_pct = 20,
				    .class_medium_pct = 60,
				    .zipf_services_top_mpct = 20000,
				    .zipf_operations_top_mpct = 20000,
				    .cardinality = 15000};
	assert_ok(plan_new(&f->plan, &f->recipe, &e), e);
	assert_ok(segment_set_new(&f->set, f->plan, scale, 2, NULL, &e), e);
	f->dict = segment_set_dict(f->set);
}

static void fixture_deinit(struct fixture *f)
{
	segment_set_free(f->set);
	plan_free(f->plan);
}

static void encoded(uint64_t seed, uint32_t variants, uint32_t scale, struct buf *out)
{
	struct fixture f;

	fixture_init(&f, seed, variants, scale);
	buf_init(out, 256 * MIB);
	dict_encode(f.dict, out);
	assert_false(out->failed);
	fixture_deinit(&f);
}

static void dictionary_follows_from_the_recipe(void **state)
{
	struct buf a, b, other_seed, other_scale;

	(void)state;
	encoded(1, 2, 1024, &a);
	encoded(1, 2, 1024, &b);
	encoded(2, 2, 1024, &other_seed);
	encoded(1, 2, 512, &other_scale);
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.data, b.data, a.size);
	assert_true(a.size != other_seed.size || memcmp(a.data, other_seed.data, a.size) != 0);
	assert_true(other_scale.size < a.size);
	buf_free(&a);
	buf_free(&b);
	buf_free(&other_seed);
	buf_free(&other_scale);
}

static void check_template(const struct dict *d, const struct operation *op, uint32_t k)
{
	const struct span_template *t = &d->template[op->first_template + k];

	assert_true(t->piece_count > 4);
	assert_int_equal(t->piece[0].hole, HOLE_SPAN_ID);
	assert_int_equal(t->depth == 0, k < 2);
	assert_true(t->depth <= 2);
	if (t->is_call)
		assert_int_equal(t->depth, 1);
}

static void operations_have_entry_calls_and_errors(void **state)
{
	// Every span but that of a pool has its variants, however many.
	static const uint32_t variants[] = {1, 2, 5, VARIANTS_MAX};
	struct fixture f;

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(variants); v++) {
		fixture_init(&f, 3, variants[v], 1024);
		for (uint32_t i = 0; i < OPERATIONS; i++) {
			const struct operation *op = &f.dict->operation[i];
			const struct span_template *t = &f.dict->template[op->first_template];
			uint32_t calls = 0, call_errors = 0, inner_errors = 0;

			assert_in_range(op->template_count, 4 + 2 * variants[v],
					14 + OP_SLOTS_MAX * variants[v]);
			assert_int_equal(segment_operation_is_async(f.set, i),
					 op->peer.size > 0);
			assert_true(!t[0].is_error && t[1].is_error);
			for (uint32_t k = 0; k < op->template_count; k++) {
				check_template(f.dict, op, k);
				calls += t[k].is_call && !t[k].is_error;
				call_errors += t[k].is_call && t[k].is_error;
				inner_errors += k > 1 && !t[k].is_call && t[k].is_error;
			}
			assert_true(calls > 0);
			// One for callers of each language; nobody sees a consumer fail.
			assert_int_equal(call_errors, op->peer.size == 0 ? LANGUAGE_COUNT : 0);
			assert_in_range(inner_errors, 1, 2);
		}
		fixture_deinit(&f);
	}
}

static void instances_are_unique(void **state)
{
	struct fixture f;
	uint32_t small = 0, dotted = 0;
	char *prefixes, *names;

	(void)state;
	fixture_init(&f, 4, 1, 1024);
	prefixes = mem_zalloc(f.dict->instance_count, 64);
	names = mem_zalloc(f.dict->instance_count, 64);
	for (uint32_t i = 0; i < f.dict->instance_count; i++) {
		const struct instance *in = &f.dict->instance[i];

		assert_int_equal(in->id_prefix.size, in->id_style == ID_RAW ? 0 : 32);
		assert_in_range(in->name.size, 10, 50);
		// The first half alone must tell them apart: that is what the claim rests on.
		if (in->id_style == ID_DOTTED)
			memcpy(prefixes + (size_t)dotted++ * 64, in->id_prefix.data, 16);
		memcpy(names + (size_t)i * 64, in->name.data, in->name.size);
		assert_true(in->clock_skew_ms >= -100 && in->clock_skew_ms <= 100);
		small += in->clock_skew_ms >= -2 && in->clock_skew_ms <= 2;
	}
	assert_in_range(small * 100 / f.dict->instance_count, 92, 99);
	assert_in_range(dotted * 100 / f.dict->instance_count, 85, 99);
	assert_distinct(prefixes, dotted, 64);
	assert_distinct(names, f.dict->instance_count, 64);
	free(prefixes);
	free(names);
	fixture_deinit(&f);
}

// ---- Layout --------------------------------------------------------------------------------

#define CALLS 4u

// A row of `operation` that calls four others, the third of them in error.
static struct segment_row make_row(const struct fixture *f, uint64_t number, bool fails,
				   bool is_origin, struct segment_call call[CALLS])
{
	for (uint32_t i = 0; i < CALLS; i++) {
		uint32_t op = (uint32_t)(number * 7 + i * 13) % OPERATIONS;

		call[i] =
			(struct segment_call){.row = i + 1,
					      .operation = op,
					      .latency_ms = (uint32_t)(number * 5 + i * 3) % 90,
					      .failed = i == 2,
					      .async = segment_operation_is_async(f->set, op)};
	}
	return (struct segment_row){.number = number,
				    .operation = (uint32_t)(number % OPERATIONS),
				    .fails = fails,
				    .is_origin = is_origin,
				    .call = call,
				    .call_count = number % 3 == 0 ? 0 : CALLS};
}

static const struct span_template *template_of(const struct fixture *f,
					       const struct segment_row *row, uint32_t ref,
					       uint32_t operation)
{
	const struct operation *own = &f->dict->operation[row->operation];
	const struct operation *op = ref % 2 == 1 ? own : &f->dict->operation[operation];

	assert_in_range((ref - 1) / 2, 0, op->template_count - 1);
	return &f->dict->template[op->first_template + (ref - 1) / 2];
}

static void check_call(const struct fixture *f, const struct segment_row *row,
		       const struct segment_layout *l, const uint32_t *start,
		       const struct segment_call *call)
{
	const struct segment_span *exit = &l->span[call->parent_span];
	const struct span_template *t = template_of(f, row, exit->template, call->operation);
	uint32_t from = start[call->parent_span], to = from + exit->duration_ms;

	assert_int_equal(exit->template % 2, 0);
	assert_true(t->is_call);
	assert_int_equal(t->is_error, call->failed && !call->async);
	if (call->async)
		assert_true(call->start_ms >= to);
	else
		assert_true(call->start_ms >= from && call->start_ms + call->latency_ms <= to);
}

static void check_layout(const struct fixture *f, const struct segment_row *row,
			 const struct segment_layout *l, uint32_t *overlaps)
{
	uint32_t start[SEGMENT_SPANS_MAX], outer = 0, inner = 0, errors = 0;
	const struct op_plan *p = &f->set->op[row->operation];

	start[0] = 0;
	assert_int_equal(l->span[0].start_delta_ms, 0);
	assert_int_equal(l->span[0].duration_ms, l->latency_ms);
	assert_int_equal(l->span[0].template, row->fails ? 3 : 1);
	for (uint32_t i = 1; i < l->span_count; i++) {
		uint32_t end;

		start[i] = start[i - 1] + l->span[i].start_delta_ms;
		end = start[i] + l->span[i].duration_ms;
		assert_true(end <= l->latency_ms);
		if (l->span[i].template % 2 == 1) {
			const struct span_template *t =
				template_of(f, row, l->span[i].template, 0);

			inner++;
			errors += t->is_error;
			if (t->depth == 2)
				assert_true(end <= start[outer] + l->span[outer].duration_ms);
			outer = t->depth == 1 ? i : outer;
		} else {
			outer = i;
		}
	}
	assert_in_range(inner, p->required, p->inner_max);
	assert_true(p->required >= 1);
	assert_int_equal(l->span_count, 1 + inner + row->call_count);
	assert_int_equal(errors > 0, row->is_origin);
	for (uint32_t i = 0; i < row->call_count; i++) {
		check_call(f, row, l, start, &row->call[i]);
		if (i == 0)
			continue;
		assert_true(row->call[i].parent_span > row->call[i - 1].parent_span);
		*overlaps +=
			start[row->call[i].parent_span] == start[row->call[i - 1].parent_span];
	}
}

static void rows_are_laid_out_in_time(void **state)
{
	struct segment_call call[CALLS], again[CALLS];
	struct segment_layout l, same;
	uint32_t overlaps = 0;
	struct fixture f;

	(void)state;
	fixture_init(&f, 5, 2, 1024);
	for (uint64_t n = 0; n < 20000; n++) {
		struct segment_row row = make_row(&f, n, n % 4 != 0, n % 4 == 1, call);
		struct segment_row twin = make_row(&f, n, n % 4 != 0, n % 4 == 1, again);

		segment_layout(f.set, &row, &l);
		check_layout(&f, &row, &l, &overlaps);
		segment_layout(f.set, &twin, &same);
		assert_int_equal(l.span_count, same.span_count);
		assert_memory_equal(l.span, same.span, l.span_count * sizeof(l.span[0]));
	}
	assert_true(overlaps > 1000);
	fixture_deinit(&f);
}

// ---- Rendered ------------------------------------------------------------------------------

static void put_row(struct block *b, const struct segment_set *set,
		    const struct segment_row *row, const struct segment_layout *l, uint32_t up,
		    const struct segment_call *from)
{
	uint32_t instance = (uint32_t)(row->number % 1500);
	bool callee_fails = false;

	column32_put(&b->instance, instance);
	for (uint32_t i = 0; i < (up == 0 ? 4 : 2); i++) {
		if (segment_set_dict(set)->instance[instance].id_style == ID_RAW)
			buf_put_le64(&b->id_value, row->number + i);
	}
	column32_put(&b->operation, row->operation);
	column32_put(&b->parent, up);
	column32_put(&b->parent_span, from != NULL ? from->parent_span : 0);
	column32_put(&b->start_ms, from != NULL ? 2 * from->start_ms : 0);
	column32_put(&b->latency_ms, l->latency_ms);
	for (uint32_t i = 0; i < row->call_count; i++)
		callee_fails = callee_fails || (row->call[i].failed && !row->call[i].async);
	column32_put(&b->is_error, row->fails || callee_fails);
	column32_put(&b->thread, 1);
	column32_put(&b->sequence, (uint32_t)b->sequence.count);
	column32_put(&b->span_count, l->span_count);
	for (uint32_t i = 0; i < l->span_count; i++) {
		column32_put(&b->template, l->span[i].template);
		if (i == 0)
			continue;
		column32_put(&b->span_start_ms, l->span[i].start_delta_ms);
		column32_put(&b->span_duration_ms, l->span[i].duration_ms);
	}
	segment_holes(set, row, l, b);
}

// One trace: a row and those it calls.
static void put_trace(struct block *b, const struct fixture *f, uint64_t number)
{
	struct segment_call call[CALLS];
	struct segment_row root = make_row(f, number, number % 4 < 2, number % 4 == 0, call);
	struct segment_layout layout[1 + CALLS];
	struct segment_row row[CALLS];

	for (uint32_t i = 0; i < root.call_count; i++) {
		row[i] = (struct segment_row){.number = number + 100000 * (i + 1),
					      .operation = call[i].operation,
					      .fails = call[i].failed,
					      .is_origin = call[i].failed};
		segment_layout(f->set, &row[i], &layout[1 + i]);
		call[i].latency_ms = layout[1 + i].latency_ms;
	}
	segment_layout(f->set, &root, &layout[0]);
	column32_put(&b->trace_size, 1 + root.call_count);
	column64_put(&b->trace_start_ms, b->trace_size.count == 1 ? 5 : 10);
	put_row(b, f->set, &root, &layout[0], 0, NULL);
	for (uint32_t i = 0; i < root.call_count; i++)
		put_row(b, f->set, &row[i], &layout[1 + i], i + 1, &call[i]);
}

// Whether any span of the blob is in error.
static bool any_error(struct view blob)
{
	struct pb_reader segment, span;
	struct pb_field f, g;

	pb_reader_init(&segment, blob.data, blob.size);
	while (pb_next(&segment, &f)) {
		if (f.number != 3)
			continue;
		pb_reader_init(&span, f.bytes.data, f.bytes.size);
		while (pb_next(&span, &g)) {
			if (g.number == 11)
				return true;
		}
	}
	return false;
}

static void check_rows(const struct render_block *rb, uint64_t *bytes)
{
	struct buf out;
	struct err e = {0};

	buf_init(&out, 16 * MIB);
	for (uint32_t i = 0; i < rb->rows; i++) {
		struct row row;

		assert_ok(render_row(rb, i, EPOCH, &out, &row, &e), e);
		if (!is_canonical(row.blob))
			fail_msg("row %u (%.*s) is not canonical", i,
				 (int)row.operation_name.size, row.operation_name.data);
		assert_int_equal(any_error(row.blob), row.is_error);
		*bytes += row_size(&row);
	}
	buf_free(&out);
}

// Every operation as caller and callee, sound, failing itself and failing for a callee: blocks
// pass block_decode, which knows how many holes there must be, and blobs are SegmentObjects.
static void blobs_are_segments(void **state)
{
	struct fixture f;
	struct block made, b;
	struct render *r;
	struct render_block rb;
	struct buf payload;
	uint64_t bytes = 0;
	struct err e = {0};

	(void)state;
	fixture_init(&f, 6, 2, 1024);
	block_init(&made);
	block_init(&b);
	for (uint64_t n = 0; n < 3 * OPERATIONS; n++)
		put_trace(&made, &f, n + n / OPERATIONS);
	buf_init(&payload, 64 * MIB);
	block_encode(&made, &payload);
	assert_ok(block_decode(payload.data, payload.size, f.dict, &b, &e), e);
	assert_ok(render_new(&r, f.dict, &f.recipe, &e), e);
	render_block_init(&rb, r);
	render_block_set(&rb, &b);
	check_rows(&rb, &bytes);
	render_block_free(&rb);
	render_free(r);
	block_free(&made);
	block_free(&b);
	buf_free(&payload);
	fixture_deinit(&f);
}

// All laws of self times have the same means, and their own shapes.
static void self_times_keep_their_means(void **state)
{
	struct segment_set *s = mem_zalloc(1, sizeof(*s));
	uint64_t wanted[SIGMAS] = {0};

	(void)state;
	for (uint32_t law = SELF_TIME_LOGNORMAL; law <= SELF_TIME_FIXED; law++) {
		segment_time_tables(s, law);
		assert_int_equal(s->has_tail, law == SELF_TIME_LOGNORMAL);
		for (uint32_t i = 0; i < SIGMAS; i++) {
			const uint32_t *q = s->quantile[i];
			uint64_t sum = 0;

			for (uint32_t j = 0; j + 1 < QUANTILES; j++) {
				assert_true(q[j] <= q[j + 1]);
				sum += q[j] + q[j + 1];
			}
			if (s->has_tail) // 1 % are 20 times as long
				sum = wanted[i] = sum * 119 / 100;
			assert_in_range(sum, wanted[i] * 995 / 1000, wanted[i] * 1005 / 1000);
			if (law == SELF_TIME_FIXED)
				assert_true(q[0] == q[QUANTILES - 1]);
			if (law == SELF_TIME_UNIFORM)
				assert_true(q[0] == 0 && q[256] - 4 * q[64] < 8);
			if (law == SELF_TIME_EXPONENTIAL) // the median is log(2) of the mean
				assert_in_range(q[128] * UINT64_C(51200) / sum, 68, 71);
		}
	}
	free(s);
}

// Cardinality is the number of ids and caps other numbers and names; other words stay.
static void cardinality_caps_numbers(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < hole_class_count; i++) {
		const struct hole_class *c = &hole_classes[i];

		if (c->mark == MARK_NUMBER && c->letter == 'i') {
			assert_int_equal(hole_class_range(c, 1), 1);
			assert_int_equal(hole_class_range(c, 1000000000), 1000000000);
		} else if (c->mark == MARK_NUMBER) {
			assert_int_equal(hole_class_range(c, 3), 3);
			assert_int_equal(hole_class_range(c, 1000000000), c->range);
		} else if (c->range == CATALOG_NAMES) {
			assert_int_equal(hole_class_range(c, 3), 3);
			assert_int_equal(hole_class_range(c, 1000000000), CATALOG_NAMES);
		} else {
			assert_int_equal(hole_class_range(c, 3), c->range);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_vector_is_canonical),
		cmocka_unit_test(operation_names_are_distinct),
		cmocka_unit_test(service_names_are_distinct),
		cmocka_unit_test(statements_have_the_wished_size),
		cmocka_unit_test(stacks_end_behind_the_cap),
		cmocka_unit_test(dictionary_follows_from_the_recipe),
		cmocka_unit_test(operations_have_entry_calls_and_errors),
		cmocka_unit_test(instances_are_unique),
		cmocka_unit_test(rows_are_laid_out_in_time),
		cmocka_unit_test(blobs_are_segments),
		cmocka_unit_test(self_times_keep_their_means),
		cmocka_unit_test(cardinality_caps_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
