// SPDX-License-Identifier: Apache-2.0
// Invariants of rows: the blob is a canonical SegmentObject that says the same as the ten
// columns and as the parent row. Parses the rendered bytes with its own walk, so a mistake of
// render does not confirm itself.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/pb.h"
#include "gen/plan.h"
#include "tools/spancorpus.h"

void finding_add(struct findings *f, const char *fmt, ...)
{
	char line[ERR_TEXT_SIZE];
	va_list ap;

	if (f->count++ >= f->limit)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_printf(&f->text, "%s\n", line);
}

enum { SPAN_ENTRY = 0, SPAN_EXIT = 1, LAYER_MQ = 4 };

struct span_facts {
	int64_t id, parent, start, end;
	uint64_t type, layer;
	bool error, has_reference;
	struct view operation, peer;
	struct view http_status, rpc_status; // tags; empty when there is none
	// With has_reference only; last, so that a span without one need not clear them.
	struct view ref_trace, ref_segment, ref_service, ref_instance, ref_endpoint,
		ref_address;
	int64_t ref_span;
};

#define SPANS_PARSED_MAX 4096

// A parsed segment; views point into `rendered`.
struct segment_facts {
	struct view trace, segment, service, instance;
	struct span_facts *span;
	uint16_t *index; // id -> place in span, when ids are 0 .. span_count - 1
	bool indexed;
	size_t span_count, span_capacity;
	struct buf rendered; // the row as rendered, blob and columns
	struct view blob;
	int64_t first_start;
};

// Segments of one trace, kept from block to block.
struct row_scratch {
	struct segment_facts *g;
	size_t capacity;
	uint8_t *seen; // sequence numbers
};

void row_scratch_free(struct row_scratch *s)
{
	for (size_t i = 0; s != NULL && i < s->capacity; i++) {
		buf_free(&s->g[i].rendered);
		free(s->g[i].span);
		free(s->g[i].index);
	}
	if (s != NULL) {
		free(s->g);
		free(s->seen);
	}
	free(s);
}

// Room for `longest` segments.
static struct segment_facts *scratch_room(struct row_scratch **at, size_t longest)
{
	struct row_scratch *s = *at;

	if (s == NULL) {
		s = *at = mem_zalloc(1, sizeof(*s));
		s->seen = mem_alloc(SEQUENCES_MAX);
	}
	if (longest > s->capacity) {
		s->g = mem_realloc(s->g, longest, sizeof(*s->g));
		memset(s->g + s->capacity, 0, (longest - s->capacity) * sizeof(*s->g));
		for (size_t i = s->capacity; i < longest; i++)
			buf_init(&s->g[i].rendered, 2 * ROW_BLOB_MAX);
		s->capacity = longest;
	}
	return s->g;
}

static struct span_facts *next_span(struct segment_facts *g)
{
	if (g->span_count == g->span_capacity) {
		g->span_capacity = g->span_capacity == 0 ? 32 : 2 * g->span_capacity;
		g->span = mem_realloc(g->span, g->span_capacity, sizeof(*g->span));
		g->index = mem_realloc(g->index, g->span_capacity, sizeof(*g->index));
	}
	return &g->span[g->span_count++];
}

// pb_next, with the common case in place: a tag of one byte, a value of one or a length of at
// most two.
static inline bool next_field(struct pb_reader *r, struct pb_field *f)
{
	const uint8_t *p = r->pos;
	size_t size, head = 2;

	if (r->end - p < 3 || p[0] >= 0x80 || p[0] < 8 || r->failed)
		return pb_next(r, f);
	size = p[1];
	if ((p[0] & 7) == PB_VARINT && size < 0x80) {
		*f = (struct pb_field){p[0] >> 3, PB_VARINT, size, {NULL, 0}};
		r->pos = p + 2;
		return true;
	}
	if ((p[0] & 7) != PB_BYTES)
		return pb_next(r, f);
	if (size >= 0x80) {
		if (p[2] >= 0x80)
			return pb_next(r, f);
		size = (size & 0x7f) | (size_t)p[2] << 7;
		head = 3;
	}
	if (size > (size_t)(r->end - p) - head)
		return pb_next(r, f); // says that it is malformed
	*f = (struct pb_field){p[0] >> 3, PB_BYTES, 0, {(const char *)p + head, size}};
	r->pos = p + head + size;
	return true;
}

// Only ASCII, eight bytes at a time; the last eight may overlap those before.
static inline bool is_ascii(const char *p, size_t size)
{
	uint64_t all = 0, word;
	uint32_t half;

	if (size >= 8) {
		size_t i = 0;

		for (; i + 32 < size; i += 32) {
			uint64_t words[4];

			memcpy(words, p + i, 32);
			all |= words[0] | words[1] | words[2] | words[3];
		}
		for (; i + 8 < size; i += 8) {
			memcpy(&word, p + i, 8);
			all |= word;
		}
		memcpy(&word, p + size - 8, 8);
		all |= word;
	} else if (size >= 4) {
		memcpy(&half, p, 4);
		all |= half;
		memcpy(&half, p + size - 4, 4);
		all |= half;
	} else {
		for (size_t i = 0; i < size; i++)
			all |= (uint8_t)p[i];
	}
	return (all & UINT64_C(0x8080808080808080)) == 0;
}

static inline bool take(struct view *to, const struct pb_field *f)
{
	*to = f->bytes;
	return f->wire == PB_BYTES && f->bytes.size > 0 &&
	       (is_ascii(f->bytes.data, f->bytes.size) ||
		utf8_valid(f->bytes.data, f->bytes.size));
}

// A key/value pair; key and value may be NULL.
static bool walk_pair(struct view bytes, struct view *key, struct view *value)
{
	struct view text[2] = {{NULL, 0}, {NULL, 0}};
	struct pb_reader r;
	struct pb_field f;
	uint32_t last = 0;

	pb_reader_init(&r, bytes.data, bytes.size);
	while (next_field(&r, &f)) {
		if (f.number <= last || f.number > 2 || !take(&text[f.number - 1], &f))
			return false;
		last = f.number;
	}
	if (key != NULL)
		*key = text[0];
	if (value != NULL)
		*value = text[1];
	return !r.failed;
}

static bool walk_tag(struct view bytes, struct span_facts *s)
{
	struct view key, value;

	if (!walk_pair(bytes, &key, &value))
		return false;
	// Go's agent has its own name for the first, Python's for the second.
	if (view_equal(key, VIEW("http.status_code")) || view_equal(key, VIEW("status_code")))
		s->http_status = value;
	if (view_equal(key, VIEW("rpc.status_code")) ||
	    view_equal(key, VIEW("grpc.status_code")))
		s->rpc_status = value;
	return true;
}

static bool walk_log(struct view bytes)
{
	struct pb_reader r;
	struct pb_field f;
	uint32_t last = 0;

	pb_reader_init(&r, bytes.data, bytes.size);
	while (next_field(&r, &f)) {
		if (f.number < last || f.number > 2 ||
		    f.wire != (f.number == 1 ? PB_VARINT : PB_BYTES))
			return false;
		if (f.number == 2 && !walk_pair(f.bytes, NULL, NULL))
			return false;
		last = f.number;
	}
	return !r.failed;
}

static bool walk_reference(struct view bytes, struct span_facts *s)
{
	struct pb_reader r;
	struct pb_field f;
	uint32_t last = 0;
	bool ok = !s->has_reference;

	memset(&s->ref_trace, 0, sizeof(*s) - offsetof(struct span_facts, ref_trace));
	s->has_reference = true;
	pb_reader_init(&r, bytes.data, bytes.size);
	while (ok && next_field(&r, &f)) {
		ok = f.number > last;
		last = f.number;
		switch (f.number) {
		case 2:
			ok = ok && take(&s->ref_trace, &f);
			break;
		case 3:
			ok = ok && take(&s->ref_segment, &f);
			break;
		case 4:
			s->ref_span = (int64_t)f.value;
			break;
		case 5:
			ok = ok && take(&s->ref_service, &f);
			break;
		case 6:
			ok = ok && take(&s->ref_instance, &f);
			break;
		case 7:
			ok = ok && take(&s->ref_endpoint, &f);
			break;
		case 8:
			ok = ok && take(&s->ref_address, &f);
			break;
		default:
			ok = false;
		}
	}
	return ok && !r.failed;
}

static bool walk_span(struct view bytes, struct span_facts *s)
{
	struct pb_reader r;
	struct pb_field f;
	uint32_t last = 0;
	bool ok = true;

	memset(s, 0, offsetof(struct span_facts, ref_trace));
	pb_reader_init(&r, bytes.data, bytes.size);
	while (ok && next_field(&r, &f)) {
		// Canonical: ascending, only tags, logs and references repeat, no default value
		// is written.
		ok = f.number > last ||
		     (f.number == last && (last == 5 || last == 12 || last == 13));
		ok = ok && (f.wire == PB_BYTES || f.value != 0);
		last = f.number;
		switch (f.number) {
		case 1:
			s->id = (int64_t)f.value;
			break;
		case 2:
			s->parent = (int64_t)f.value;
			break;
		case 3:
			s->start = (int64_t)f.value;
			break;
		case 4:
			s->end = (int64_t)f.value;
			break;
		case 5:
			ok = ok && walk_reference(f.bytes, s);
			break;
		case 6:
			ok = ok && take(&s->operation, &f);
			break;
		case 7:
			ok = ok && take(&s->peer, &f);
			break;
		case 8:
			s->type = f.value;
			break;
		case 9:
			s->layer = f.value;
			break;
		case 10:
			break;
		case 11:
			s->error = f.value == 1;
			ok = ok && f.value == 1;
			break;
		case 12:
			ok = ok && walk_tag(f.bytes, s);
			break;
		case 13:
			ok = ok && walk_log(f.bytes);
			break;
		default:
			ok = false;
		}
	}
	return ok && !r.failed && s->end >= s->start && s->operation.size > 0;
}

// Rendered ids are the places in creation order; a literal blob's may be any.
static void index_spans(struct segment_facts *g)
{
	memset(g->index, 0xff, g->span_count * sizeof(*g->index));
	g->indexed = true;
	for (size_t i = 0; i < g->span_count && g->indexed; i++) {
		int64_t id = g->span[i].id;

		g->indexed =
			id >= 0 && id < (int64_t)g->span_count && g->index[id] == UINT16_MAX;
		if (g->indexed)
			g->index[id] = (uint16_t)i;
	}
}

static bool walk_segment(struct segment_facts *g)
{
	struct pb_reader r;
	struct pb_field f;
	uint32_t last = 0;
	bool ok = true;

	g->span_count = 0;
	g->trace = g->segment = g->service = g->instance = (struct view){NULL, 0};
	pb_reader_init(&r, g->blob.data, g->blob.size);
	while (ok && next_field(&r, &f)) {
		ok = f.number > last || (f.number == 3 && last == 3);
		last = f.number;
		switch (f.number) {
		case 1:
			ok = ok && take(&g->trace, &f);
			break;
		case 2:
			ok = ok && take(&g->segment, &f);
			break;
		case 3:
			ok = ok && g->span_count < SPANS_PARSED_MAX &&
			     walk_span(f.bytes, next_span(g));
			break;
		case 4:
			ok = ok && take(&g->service, &f);
			break;
		case 5:
			ok = ok && take(&g->instance, &f);
			break;
		default:
			ok = false;
		}
	}
	index_spans(g);
	return ok && !r.failed && g->span_count > 0;
}

static const struct span_facts *find_span(const struct segment_facts *g, int64_t id)
{
	if (g->indexed)
		return id >= 0 && id < (int64_t)g->span_count ? &g->span[g->index[id]] : NULL;
	for (size_t i = 0; i < g->span_count; i++)
		if (g->span[i].id == id)
			return &g->span[i];
	return NULL;
}

// True when `id` is base64(name) followed by `suffix`.
static bool is_base64_of(struct view id, struct view name, const char *suffix)
{
	// Value of a digit + 1, 0 for any other character.
	static const uint8_t value[256] = {
		['A'] = 1,  ['B'] = 2,	['C'] = 3,  ['D'] = 4,	['E'] = 5,  ['F'] = 6,
		['G'] = 7,  ['H'] = 8,	['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12,
		['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
		['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
		['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,
		['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
		['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
		['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
		['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
		['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60,
		['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
	};
	size_t text = (name.size + 2) / 3 * 4, tail = strlen(suffix);
	uint32_t bits = 0, have = 0;
	size_t at = 0;

	if (id.size != text + tail || memcmp(id.data + text, suffix, tail) != 0)
		return false;
	for (size_t i = 0; i < text && id.data[i] != '='; i++) {
		uint32_t digit = value[(uint8_t)id.data[i]];

		if (digit == 0)
			return false;
		bits = bits << 6 | (digit - 1);
		have += 6;
		if (have >= 8) {
			have -= 8;
			if (at >= name.size ||
			    (uint8_t)(bits >> have) != (uint8_t)name.data[at++])
				return false;
		}
	}
	return at == name.size;
}

// What the status tags of a span say agrees with its error flag.
static bool status_agrees(const struct span_facts *s)
{
	if (s->http_status.size > 0 && (s->http_status.data[0] >= '4') != s->error)
		return false;
	return s->rpc_status.size == 0 || view_equal(s->rpc_status, VIEW("OK")) != s->error;
}

// The first thing wrong with a span among the others of its segment, or NULL.
static const char *check_span(const struct segment_facts *g, const struct span_facts *s)
{
	const struct span_facts *parent;

	if (!status_agrees(s))
		return "a status tag disagrees with the error flag of its span";
	if (s->id == 0)
		return NULL;
	parent = s->parent >= 0 && s->parent < s->id ? find_span(g, s->parent) : NULL;
	if (parent == NULL)
		return "a span's parent is not an earlier span of the segment";
	if (s->start < parent->start || s->end > parent->end)
		return "a span lies outside its parent span";
	if (s->has_reference)
		return "a span other than the first has a reference";
	return NULL;
}

// The first thing wrong with the blob in itself and against the columns, or NULL.
static const char *compare_columns(const struct segment_facts *g, const struct row *row)
{
	int64_t start = INT64_MAX, end = INT64_MIN;
	const struct span_facts *first = find_span(g, 0);
	const char *wrong;
	bool error = false;
	struct view instance_b64 = row->service_instance_id;

	if (first == NULL || first->parent != -1)
		return "span 0 with parent -1 is missing";
	for (size_t i = 0; i < g->span_count; i++) {
		const struct span_facts *s = &g->span[i];

		start = s->start < start ? s->start : start;
		end = s->end > end ? s->end : end;
		error |= s->error;
		wrong = check_span(g, s);
		if (wrong != NULL)
			return wrong;
		for (size_t j = 0; j < i && !g->indexed; j++)
			if (g->span[j].id == s->id)
				return "a span id occurs twice";
	}
	if (!view_equal(g->trace, row->trace_id))
		return "traceId differs from the column";
	if (!view_equal(g->segment, row->span_id))
		return "traceSegmentId differs from the column spanId";
	if (!is_base64_of(row->service_id, g->service, ".1"))
		return "service differs from the column serviceId";
	if (instance_b64.size <= row->service_id.size ||
	    memcmp(instance_b64.data, row->service_id.data, row->service_id.size) != 0 ||
	    instance_b64.data[row->service_id.size] != '_' ||
	    !is_base64_of((struct view){instance_b64.data + row->service_id.size + 1,
					instance_b64.size - row->service_id.size - 1},
			  g->instance, ""))
		return "serviceInstance differs from the column serviceInstanceId";
	if (start != row->start_ms)
		return "least span start differs from the column startTime";
	if (end - start != (int64_t)row->latency_ms)
		return "span times differ from the column latency";
	if (error != row->is_error)
		return "error flags of spans differ from the column isError";
	if (!view_equal(first->operation, row->operation_name))
		return "operation of span 0 differs from the column operationName";
	if (first->has_reference != (row->parent_span_id.size != 0))
		return "reference and the column parentSpanId disagree";
	if (first->has_reference && !view_equal(first->ref_segment, row->parent_span_id))
		return "reference differs from the column parentSpanId";
	return NULL;
}

// The first thing wrong between a row and its parent row, or NULL. skew: of the two instances.
static const char *compare_parent(const struct segment_facts *g, const struct segment_facts *up,
				  int32_t skew, int32_t up_skew)
{
	const struct span_facts *first = find_span(g, 0), *up_first = find_span(up, 0), *exit;
	int64_t start, end;

	if (!view_equal(first->ref_trace, up->trace) ||
	    !view_equal(first->ref_segment, up->segment))
		return "reference does not name the parent row's ids";
	if (!view_equal(first->ref_service, up->service) ||
	    !view_equal(first->ref_instance, up->instance))
		return "reference does not name the parent row's service and instance";
	if (up_first == NULL || !view_equal(first->ref_endpoint, up_first->operation))
		return "reference does not name the parent row's operation";
	exit = find_span(up, first->ref_span);
	if (exit == NULL || exit->type != SPAN_EXIT)
		return "reference does not name an Exit span of the parent row";
	if (!view_equal(exit->peer, first->ref_address))
		return "reference's address differs from the peer of the Exit span";
	start = g->first_start - skew;
	end = start + (first->end - first->start);
	if (exit->layer == LAYER_MQ) {
		if (start < exit->end - up_skew)
			return "a message is consumed before its producer has sent it";
		return exit->error ? "a message is consumed whose producer failed" : NULL;
	}
	if (start < exit->start - up_skew)
		return "starts before the Exit span that calls it";
	if (end > exit->end - up_skew)
		return "ends after the Exit span that calls it";
	if (exit->error != first->error)
		return first->error
			       ? "fails, but the Exit span that calls it is not in error"
			       : "does not fail, but the Exit span that calls it is in error";
	if (exit->http_status.size > 0 && first->http_status.size > 0 &&
	    !view_equal(exit->http_status, first->http_status))
		return "another http.status_code than the Exit span that calls it";
	return NULL;
}

// Rows whose ids are made of their thread and sequence.
static void check_sequences(const struct block *b, const struct dict *d,
			    uint8_t seen[SEQUENCES_MAX], const char *where, struct findings *f)
{
	for (size_t i = 0; i < block_rows(b); i++) {
		if (i == 0 || (b->first_row + i) % SEQUENCES_MAX == 0)
			memset(seen, 0, SEQUENCES_MAX);
		if (d->instance[b->instance.v[i]].id_style == ID_RAW)
			continue;
		if (seen[b->sequence.v[i]]++)
			finding_add(f,
				    "%s: row %" PRIu64 ": sequence %u occurs twice among rows "
				    "that share thread numbers",
				    where, b->first_row + i, b->sequence.v[i]);
	}
}

#define RAW_ID_SIZE 16u

static int compare_id(const void *a, const void *b)
{
	return memcmp(a, b, RAW_ID_SIZE);
}

// Ids that stand as they are.
static void check_raw_ids(const struct block *b, const char *where, struct findings *f)
{
	size_t count = b->id_value.size / RAW_ID_SIZE;
	uint8_t *id = mem_alloc(b->id_value.size + 1);

	if (count > 0)
		memcpy(id, b->id_value.data, count * RAW_ID_SIZE);
	qsort(id, count, RAW_ID_SIZE, compare_id);
	for (size_t i = 1; i < count; i++) {
		if (compare_id(&id[(i - 1) * RAW_ID_SIZE], &id[i * RAW_ID_SIZE]) == 0)
			finding_add(f, "%s: an id of 16 bytes occurs twice", where);
	}
	free(id);
}

// As many rows come late and twice as the recipe says.
static void check_disorder(const struct block_worker *w, const struct recipe *r,
			   const char *where, struct findings *f)
{
	const struct block *b = &w->block;
	uint32_t late = plan_late_rows(r, b->first_row, w->rows.rows);
	uint32_t copies = plan_duplicate_rows(r, b->first_row, w->rows.rows);

	if (b->late_row.count != late)
		finding_add(f, "%s: %zu rows come late, not %u", where, b->late_row.count,
			    late);
	if (b->duplicate_row.count != copies)
		finding_add(f, "%s: %zu rows come twice, not %u", where, b->duplicate_row.count,
			    copies);
}

// Least and greatest start in the header.
static void check_header(const struct block_worker *w, const struct block_header *h,
			 const char *where, struct findings *f)
{
	int64_t least = INT64_MAX, most = INT64_MIN;

	for (uint32_t i = 0; i < w->rows.rows; i++) {
		least = w->rows.start_rel_ms[i] < least ? w->rows.start_rel_ms[i] : least;
		most = w->rows.start_rel_ms[i] > most ? w->rows.start_rel_ms[i] : most;
	}
	if ((int64_t)h->min_start_ms - (INT64_C(1) << 32) != least ||
	    (int64_t)h->max_start_ms - (INT64_C(1) << 32) != most)
		finding_add(f, "%s: starts in its header are not its rows'", where);
}

void check_rows(struct block_worker *w, const struct dict *d, const struct recipe *recipe,
		int64_t epoch, const struct block_header *h, const char *where,
		struct findings *f)
{
	const struct block *b = &w->block;
	size_t longest = 1;
	struct segment_facts *g;

	for (uint32_t t = 0; t < w->rows.traces; t++)
		longest = b->trace_size.v[t] > longest ? b->trace_size.v[t] : longest;
	g = scratch_room(&w->scratch, longest);
	if (recipe->window_ms > 0)
		check_sequences(b, d, w->scratch->seen, where, f);
	check_raw_ids(b, where, f);
	check_header(w, h, where, f);
	for (uint32_t t = 0; t < w->rows.traces; t++) {
		uint32_t first = w->rows.trace_first[t];

		for (uint32_t row = first; row < w->rows.trace_first[t + 1]; row++) {
			struct segment_facts *own = &g[row - first];
			uint32_t up = b->parent.v[row];
			const char *wrong = NULL;
			struct row r;
			struct err e = {0};

			if (row + 1 < w->rows.rows)
				render_fetch(&w->rows, row + 1);
			own->span_count = 0;
			own->indexed = false;
			if (render_row(&w->rows, row, epoch, &own->rendered, &r, &e) != OK) {
				finding_add(f, "%s: row %" PRIu64 ": %s", where,
					    b->first_row + row, e.text);
				continue;
			}
			own->blob = r.blob;
			own->first_start = r.start_ms;
			if (!walk_segment(own))
				wrong = "the blob is not a canonical SegmentObject";
			if (wrong == NULL)
				wrong = compare_columns(own, &r);
			if (wrong == NULL && up != 0)
				wrong = compare_parent(
					own, &g[row - up - first],
					d->instance[b->instance.v[row]].clock_skew_ms,
					d->instance[b->instance.v[row - up]].clock_skew_ms);
			if (wrong != NULL)
				finding_add(f, "%s: row %" PRIu64 " (trace %.*s): %s", where,
					    b->first_row + row, (int)r.trace_id.size,
					    r.trace_id.data, wrong);
		}
	}
	check_disorder(w, recipe, where, f);
}
