// SPDX-License-Identifier: Apache-2.0
// spancorpus diff: how two corpora differ. Manifests and dictionaries field by field, blocks by
// the content digests in their headers (nothing is decompressed for that, but what is stored is
// read and must have its digest), and the first row that differs, rendered from both. The
// result is one JSON value, printed as it is or as text.
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "tools/spancorpus.h"

#define RANGES_MAX 1000 // of block numbers, in a result
#define RANGES_TEXT 10	// of them printed as text
#define VALUE_TEXT 300	// bytes of a value printed as text

// Block numbers in rising order, as ranges; only the first RANGES_MAX are kept.
struct ranges {
	uint64_t count, last;
	json_t *list; // [[first, last], ...]
};

struct diff {
	struct source side[2];
	struct block_worker *worker[2];
	struct log log;
	json_t *fields; // [{"name", "a", "b"}, ...]
	json_t *first;	// the first difference of a row, or null
	struct ranges different, only[2];
	uint64_t compared;
	bool same_recipe, same_dictionary, same_digest;
};

static void ranges_add(struct ranges *r, uint64_t number)
{
	json_t *range = json_array_get(r->list, json_array_size(r->list) - 1);
	bool next = r->count > 0 && number == r->last + 1;

	if (next && (json_int_t)r->last == json_integer_value(json_array_get(range, 1)))
		json_array_set_new(range, 1, json_integer((json_int_t)number));
	else if (json_array_size(r->list) < RANGES_MAX)
		json_array_append_new(
			r->list, json_pack("[II]", (json_int_t)number, (json_int_t)number));
	r->last = number;
	r->count++;
}

// ---- Fields
// ----------------------------------------------------------------------------------

static void field_add(struct diff *d, const char *name, json_t *a, json_t *b)
{
	json_t *o = json_object();

	json_object_set_new(o, "name", json_string(name));
	json_object_set(o, "a", a != NULL ? a : json_null());
	json_object_set(o, "b", b != NULL ? b : json_null());
	json_array_append_new(d->fields, o);
}

// Members of two objects that differ, by name; either may lack some.
static void compare_members(struct diff *d, const char *prefix, json_t *a, json_t *b)
{
	const char *key;
	json_t *v;
	char name[128];

	json_object_foreach(a, key, v)
	{
		json_t *w = json_object_get(b, key);

		snprintf(name, sizeof(name), "%s%s", prefix, key);
		if (json_is_object(v) && json_is_object(w)) {
			strncat(name, ".", sizeof(name) - strlen(name) - 1);
			compare_members(d, name, v, w);
		} else if (w == NULL || !json_equal(v, w)) {
			field_add(d, name, v, w);
		}
	}
	json_object_foreach(b, key, v)
	{
		snprintf(name, sizeof(name), "%s%s", prefix, key);
		if (json_object_get(a, key) == NULL)
			field_add(d, name, NULL, v);
	}
}

// The manifest as JSON, without what follows from the rest or names files.
static enum status manifest_json(const struct manifest *m, json_t **out, struct err *e)
{
	struct buf text;
	json_error_t problem;
	enum status s;

	buf_init(&text, MANIFEST_MAX_BYTES);
	s = manifest_format(m, &text, e);
	if (s == OK) {
		*out = json_loadb((const char *)text.data, text.size, 0, &problem);
		if (*out == NULL)
			s = err_set(e, ERR_FORMAT, "%s: %s", MANIFEST_NAME, problem.text);
	}
	buf_free(&text);
	if (s == OK) {
		json_object_del(*out, "manifest_xxh3");
		json_object_del(*out, "files");
	}
	return s;
}

static json_t *dictionary_json(const struct source *s)
{
	const struct dict *d = &s->corpus.dict;
	char digest[DIGEST_TEXT_SIZE];

	digest_text(digest_of(s->corpus.dict_bytes.data, s->corpus.dict_bytes.size), digest);
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "xxh3", digest, "bytes",
			 (json_int_t)s->corpus.dict_bytes.size, "services",
			 (json_int_t)d->service_count, "instances",
			 (json_int_t)d->instance_count, "operations",
			 (json_int_t)d->operation_count, "templates",
			 (json_int_t)d->template_count, "components",
			 (json_int_t)d->component_count, "words", (json_int_t)d->word_count);
}

static enum status compare_fields(struct diff *d, struct err *e)
{
	const struct corpus *a = &d->side[0].corpus, *b = &d->side[1].corpus;
	json_t *ja = NULL, *jb = NULL;
	enum status s = manifest_json(&a->manifest, &ja, e);

	if (s == OK)
		s = manifest_json(&b->manifest, &jb, e);
	if (s == OK)
		compare_members(d, "", ja, jb);
	json_decref(ja);
	json_decref(jb);
	if (s != OK)
		return s;
	d->same_digest = digest_equal(a->manifest.digest, b->manifest.digest);
	d->same_recipe = view_equal(a->recipe_bytes, b->recipe_bytes);
	d->same_dictionary = view_equal(a->dict_bytes, b->dict_bytes);
	if (!d->same_dictionary) {
		ja = dictionary_json(&d->side[0]);
		jb = dictionary_json(&d->side[1]);
		compare_members(d, "dictionary.", ja, jb);
		json_decref(ja);
		json_decref(jb);
	}
	return OK;
}

// ---- Blocks
// ----------------------------------------------------------------------------------

static enum status same_block(const struct diff *d, uint64_t number, bool *same, struct err *e)
{
	struct block_header a, b;
	enum status s = corpus_block_header(&d->side[0].corpus, number, &a, e);

	if (s == OK)
		s = corpus_block_header(&d->side[1].corpus, number, &b, e);
	if (s == OK)
		*same = digest_equal(a.content, b.content);
	return s;
}

static uint64_t blocks_of_both(const struct diff *d)
{
	return u64_max(corpus_end_block(&d->side[0].corpus),
		       corpus_end_block(&d->side[1].corpus));
}

static enum status compare_blocks(struct diff *d, struct err *e)
{
	struct block_reader *reader = block_reader_new();
	struct block_header h;
	struct buf frame;
	enum status s = OK;

	buf_init(&frame, SIZE_MAX);
	for (uint64_t n = 0; s == OK && n < blocks_of_both(d); n++) {
		bool a = corpus_has_block(&d->side[0].corpus, n);
		bool b = corpus_has_block(&d->side[1].corpus, n);
		bool same = true;

		if (a != b)
			ranges_add(&d->only[b], n);
		if (!a || !b)
			continue;
		// A header says nothing of a frame that is damaged.
		for (int i = 0; s == OK && i < 2; i++)
			s = corpus_read_stored(&d->side[i].corpus, reader, n, &h, &frame, e);
		if (s == OK)
			s = same_block(d, n, &same, e);
		d->compared += s == OK;
		if (s == OK && !same)
			ranges_add(&d->different, n);
	}
	buf_free(&frame);
	block_reader_free(reader);
	return s;
}

// ---- Rows
// ------------------------------------------------------------------------------------

// Where two JSON values first differ: appends the path; *va and *vb are borrowed, NULL where
// one side has nothing.
static bool json_difference(json_t *a, json_t *b, struct buf *path, json_t **va, json_t **vb)
{
	const char *key;
	size_t before = path->size;
	json_t *v;

	if (json_is_object(a) && json_is_object(b)) {
		json_object_foreach(a, key, v)
		{
			buf_printf(path, ".%s", key);
			if (json_difference(v, json_object_get(b, key), path, va, vb))
				return true;
			path->size = before;
		}
		json_object_foreach(b, key, v)
		{
			buf_printf(path, ".%s", key);
			if (json_difference(json_object_get(a, key), v, path, va, vb))
				return true;
			path->size = before;
		}
		return false;
	}
	if (json_is_array(a) && json_is_array(b)) {
		size_t size = json_array_size(a) > json_array_size(b) ? json_array_size(a)
								      : json_array_size(b);

		for (size_t i = 0; i < size; i++) {
			buf_printf(path, "[%zu]", i);
			if (json_difference(json_array_get(a, i), json_array_get(b, i), path,
					    va, vb))
				return true;
			path->size = before;
		}
		return false;
	}
	if (a != NULL && b != NULL && json_equal(a, b))
		return false;
	*va = a;
	*vb = b;
	return true;
}

static json_t *view_json(struct view v)
{
	return json_stringn(v.data, v.size);
}

static void found(struct diff *d, struct view name, json_t *a, json_t *b)
{
	json_object_set_new(d->first, "field", view_json(name));
	json_object_set(d->first, "a", a != NULL ? a : json_null());
	json_object_set(d->first, "b", b != NULL ? b : json_null());
}

static json_t *byte_json(struct view blob, size_t at)
{
	char text[32];

	if (at >= blob.size)
		return json_null();
	snprintf(text, sizeof(text), "0x%02x", (unsigned)(uint8_t)blob.data[at]);
	return json_string(text);
}

// The blobs' first difference: a field of the segments, or a byte when they are none, or differ
// in their encoding only.
static void compare_blobs(struct diff *d, struct view a, struct view b)
{
	struct err ignored = {0};
	json_t *ja = segment_json(a, &ignored), *jb = segment_json(b, &ignored), *va, *vb;
	struct buf path;

	buf_init(&path, MIB);
	buf_printf(&path, "segment");
	if (ja != NULL && jb != NULL && json_difference(ja, jb, &path, &va, &vb)) {
		found(d, (struct view){(const char *)path.data, path.size}, va, vb);
	} else {
		size_t at = 0;

		while (at < a.size && at < b.size && a.data[at] == b.data[at])
			at++;
		buf_clear(&path);
		buf_printf(&path, "dataBinary, byte %zu", at);
		va = byte_json(a, at);
		vb = byte_json(b, at);
		found(d, (struct view){(const char *)path.data, path.size}, va, vb);
		json_decref(va);
		json_decref(vb);
	}
	buf_free(&path);
	json_decref(ja);
	json_decref(jb);
}

static json_t *column_json(const struct row *r, enum column c)
{
	switch (c) {
	case COL_SERVICE_ID:
		return view_json(r->service_id);
	case COL_SERVICE_INSTANCE_ID:
		return view_json(r->service_instance_id);
	case COL_TRACE_ID:
		return view_json(r->trace_id);
	case COL_START_TIME:
		return json_integer(r->start_ms);
	case COL_LATENCY:
		return json_integer(r->latency_ms);
	case COL_IS_ERROR:
		return json_integer(r->is_error);
	case COL_SPAN_ID:
		return view_json(r->span_id);
	case COL_PARENT_SPAN_ID:
		return view_json(r->parent_span_id);
	case COL_OPERATION_NAME:
		return view_json(r->operation_name);
	case COL_COMPONENT:
		return view_json(r->component);
	}
	return NULL;
}

static bool same_row(const struct row *a, const struct row *b)
{
	return view_equal(a->service_id, b->service_id) &&
	       view_equal(a->service_instance_id, b->service_instance_id) &&
	       view_equal(a->trace_id, b->trace_id) && a->start_ms == b->start_ms &&
	       a->latency_ms == b->latency_ms && a->is_error == b->is_error &&
	       view_equal(a->span_id, b->span_id) &&
	       view_equal(a->parent_span_id, b->parent_span_id) &&
	       view_equal(a->operation_name, b->operation_name) &&
	       view_equal(a->component, b->component) && view_equal(a->blob, b->blob);
}

static void compare_row(struct diff *d, const struct row *a, const struct row *b)
{
	for (unsigned c = 0; c < COLUMN_COUNT; c++) {
		json_t *va = column_json(a, (enum column)c);
		json_t *vb = column_json(b, (enum column)c);
		bool same = json_equal(va, vb);

		if (!same)
			found(d, view_of(column_names[c]), va, vb);
		json_decref(va);
		json_decref(vb);
		if (!same)
			return;
	}
	compare_blobs(d, a->blob, b->blob);
}

static void found_where(struct diff *d, uint64_t block, uint64_t row, struct view trace)
{
	json_decref(d->first);
	d->first = json_pack("{s:I, s:I}", "block", (json_int_t)block, "row", (json_int_t)row);
	json_object_set_new(d->first, "trace", view_json(trace));
}

// The first place of the output at which the blocks, whose rows are equal, have different rows.
static void compare_order(struct diff *d, uint64_t number, struct block_worker *const w[2])
{
	const struct block_worker *has;
	char id[ID_MAX];
	uint32_t i = 0;
	json_t *at[2];
	size_t size;

	while (i < w[0]->rows.outputs && i < w[1]->rows.outputs &&
	       w[0]->rows.order[i] == w[1]->rows.order[i])
		i++;
	if (i == w[0]->rows.outputs && i == w[1]->rows.outputs)
		return;
	has = w[i < w[0]->rows.outputs ? 0 : 1];
	for (unsigned k = 0; k < 2; k++)
		at[k] = i < w[k]->rows.outputs
				? json_integer((json_int_t)(w[k]->block.first_row +
							    w[k]->rows.order[i]))
				: json_null();
	size = render_trace_id(&has->rows, has->rows.order[i], id);
	found_where(d, number, has->block.first_row + has->rows.order[i],
		    (struct view){id, size});
	found(d, VIEW("row in order of output"), at[0], at[1]);
	json_decref(at[0]);
	json_decref(at[1]);
}

// Rows in stored order, at one epoch for both; then the order of output.
static enum status compare_rows(struct diff *d, uint64_t number, struct err *e)
{
	struct block_worker *w[2] = {d->worker[0], d->worker[1]};
	int64_t epoch = d->side[0].corpus.manifest.epoch_ms;
	enum status s = OK;
	uint32_t rows;

	for (unsigned i = 0; s == OK && i < 2; i++)
		s = block_worker_load(w[i], &d->side[i], number, e);
	if (s != OK)
		return s;
	rows = w[0]->rows.rows < w[1]->rows.rows ? w[0]->rows.rows : w[1]->rows.rows;
	for (uint32_t i = 0; i < rows; i++) {
		struct row r[2];

		for (unsigned k = 0; s == OK && k < 2; k++)
			s = render_row(&w[k]->rows, i, epoch, &w[k]->row, &r[k], e);
		if (s != OK)
			return err_prefix(e, "block %" PRIu64 ": row %" PRIu32 " of it", number,
					  i);
		if (!same_row(&r[0], &r[1])) {
			found_where(d, number, w[0]->block.first_row + i, r[0].trace_id);
			compare_row(d, &r[0], &r[1]);
			return OK;
		}
	}
	if (w[0]->rows.rows != w[1]->rows.rows) {
		const struct block_worker *more = w[w[1]->rows.rows > rows];
		char id[ID_MAX];
		size_t size = render_trace_id(&more->rows, rows, id);
		json_t *a = json_integer(w[0]->rows.rows), *b = json_integer(w[1]->rows.rows);

		found_where(d, number, more->block.first_row + rows, (struct view){id, size});
		found(d, VIEW("rows of the block"), a, b);
		json_decref(a);
		json_decref(b);
	} else {
		compare_order(d, number, w);
	}
	return OK;
}

// The first row that differs. Equal blocks can stand for other rows when the dictionary or the
// recipe (the base of ids) differs, so all that both have are looked at then.
static enum status find_row(struct diff *d, struct err *e)
{
	bool all = !d->same_recipe || !d->same_dictionary;
	enum status s = OK;

	if (!all && d->different.count == 0)
		return OK;
	for (unsigned i = 0; i < 2; i++)
		d->worker[i] = block_workers_new(&d->side[i], 1);
	for (uint64_t n = 0; s == OK && json_is_null(d->first) && n < blocks_of_both(d); n++) {
		bool same = true;

		if (!corpus_has_block(&d->side[0].corpus, n) ||
		    !corpus_has_block(&d->side[1].corpus, n))
			continue;
		if (!all)
			s = same_block(d, n, &same, e);
		if (s == OK && (all || !same))
			s = compare_rows(d, n, e);
		log_progress(&d->log, clock_monotonic_ns(), "block %" PRIu64 " of %" PRIu64,
			     n + 1, blocks_of_both(d));
	}
	log_progress_end(&d->log);
	for (unsigned i = 0; i < 2; i++)
		block_workers_free(d->worker[i], 1);
	return s;
}

// ---- The result
// ------------------------------------------------------------------------------

static bool identical(const struct diff *d)
{
	return d->same_digest && d->same_recipe && d->same_dictionary &&
	       d->different.count == 0 && d->only[0].count == 0 && d->only[1].count == 0;
}

static json_t *ranges_json(const struct ranges *r)
{
	return json_pack("{s:I, s:O}", "count", (json_int_t)r->count, "ranges", r->list);
}

// A path need not be UTF-8; JSON must.
static json_t *path_json(const char *path)
{
	json_t *o = json_string(path);

	return o != NULL ? o : json_null();
}

static json_t *result_json(const struct diff *d)
{
	return json_pack("{s:b, s:o, s:o, s:O, s:{s:I, s:o, s:o, s:o}, s:O}", "identical",
			 identical(d), "a", path_json(d->side[0].corpus.dir), "b",
			 path_json(d->side[1].corpus.dir), "fields", d->fields, "blocks",
			 "compared", (json_int_t)d->compared, "different",
			 ranges_json(&d->different), "only_a", ranges_json(&d->only[0]),
			 "only_b", ranges_json(&d->only[1]), "first_difference", d->first);
}

static void print_value(const char *label, json_t *v)
{
	char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	size_t size = text != NULL ? strlen(text) : 0;

	if (json_is_null(v))
		printf("  %s: nothing\n", label);
	else
		printf("  %s: %.*s%s\n", label, size > VALUE_TEXT ? VALUE_TEXT : (int)size,
		       text != NULL ? text : "", size > VALUE_TEXT ? "..." : "");
	free(text);
}

static void print_ranges(const char *what, const struct ranges *r)
{
	size_t i;
	json_t *range;

	if (r->count == 0)
		return;
	printf("%s: %" PRIu64 ":", what, r->count);
	json_array_foreach(r->list, i, range)
	{
		json_int_t first = json_integer_value(json_array_get(range, 0));
		json_int_t last = json_integer_value(json_array_get(range, 1));

		if (i == RANGES_TEXT) {
			fputs(" ...", stdout);
			break;
		}
		printf(" %lld", (long long)first);
		if (last != first)
			printf("-%lld", (long long)last);
	}
	putchar('\n');
}

static void print_text(const struct diff *d)
{
	const struct manifest *m = &d->side[0].corpus.manifest;
	char digest[DIGEST_TEXT_SIZE];
	size_t i;
	json_t *o;

	json_array_foreach(d->fields, i, o)
	{
		printf("%s\n", json_string_value(json_object_get(o, "name")));
		print_value("A", json_object_get(o, "a"));
		print_value("B", json_object_get(o, "b"));
	}
	print_ranges("blocks that differ", &d->different);
	print_ranges("blocks only in A", &d->only[0]);
	print_ranges("blocks only in B", &d->only[1]);
	if (!json_is_null(d->first)) {
		printf("first row that differs: block %lld, row %lld, trace %s\n",
		       (long long)json_integer_value(json_object_get(d->first, "block")),
		       (long long)json_integer_value(json_object_get(d->first, "row")),
		       json_string_value(json_object_get(d->first, "trace")));
		printf("%s\n", json_string_value(json_object_get(d->first, "field")));
		print_value("A", json_object_get(d->first, "a"));
		print_value("B", json_object_get(d->first, "b"));
	} else if (!identical(d) && d->compared > 0) {
		puts("no row differs in the blocks that both have");
	}
	if (!identical(d))
		return;
	digest_text(m->digest, digest);
	printf("identical content: %s, %" PRIu64 " of %" PRIu64 " blocks compared\n", digest,
	       d->compared, m->blocks);
}

static enum status report(const struct diff *d, bool json, struct err *e)
{
	enum status s;

	if (json) {
		json_t *o = result_json(d);

		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else {
		print_text(d);
	}
	s = stdout_finish(e);
	if (s != OK || identical(d))
		return s;
	return err_set(
		e, ERR_DIFFERS, "%s and %s differ: %s%s%s%" PRIu64 " of %" PRIu64 " blocks",
		d->side[0].corpus.dir, d->side[1].corpus.dir, d->same_digest ? "" : "digests, ",
		d->same_recipe ? "" : "recipes, ", d->same_dictionary ? "" : "dictionaries, ",
		d->different.count + d->only[0].count + d->only[1].count,
		d->compared + d->only[0].count + d->only[1].count);
}

static void diff_init(struct diff *d, bool quiet)
{
	memset(d, 0, sizeof(*d));
	log_init(&d->log, "spancorpus", quiet);
	d->fields = json_array();
	d->first = json_null();
	d->different.list = json_array();
	d->only[0].list = json_array();
	d->only[1].list = json_array();
}

static void diff_free(struct diff *d)
{
	json_decref(d->fields);
	json_decref(d->first);
	json_decref(d->different.list);
	for (unsigned i = 0; i < 2; i++) {
		json_decref(d->only[i].list);
		source_close(&d->side[i]);
	}
}

enum status verb_diff(const struct verb *v, int argc, char **argv, struct err *e)
{
	bool json = false, quiet = false;
	const struct opt table[] = {
		{.name = "json",
		 .type = OPT_FLAG,
		 .value = &json,
		 .help = "print one JSON object"},
		{.name = "quiet",
		 .type = OPT_FLAG,
		 .value = &quiet,
		 .help = "no progress on stderr"},
		{0},
	};
	const char *dir[2];
	struct diff d;
	enum status s = verb_folders(v, table, argc, argv, 2, dir, e);

	if (s != OK || dir[0] == NULL)
		return s;
	diff_init(&d, quiet);
	for (unsigned i = 0; s == OK && i < 2; i++)
		s = source_open(&d.side[i], dir[i], e);
	if (s == OK)
		s = compare_fields(&d, e);
	if (s == OK)
		s = compare_blocks(&d, e);
	if (s == OK)
		s = find_row(&d, e);
	if (s == OK)
		s = report(&d, json, e);
	diff_free(&d);
	return s;
}
