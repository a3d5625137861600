// SPDX-License-Identifier: Apache-2.0
// Recipe, digests and the text of corpus.json. One list of recipe fields yields the canonical
// bytes, the JSON, the ranges and the comparison. Which recipes make sense together (quotas) is
// left to gen's plan.
#include "common/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#define XXH_INLINE_ALL // by our compiler: 60 % of the time of a distribution's library
#include <xxhash.h>

#include "common/corpus_private.h"
#include "common/pb.h"

#define FORMAT_NAME "spangen-corpus"
#define COUNT_MAX (UINT64_C(1) << 40)  // rows of a corpus
#define ENTITY_MAX (UINT64_C(1) << 24) // services, instances, operations
#define BLOCK_TRACES_MAX (UINT64_C(1) << 20)
#define WINDOW_MAX_MS (UINT64_C(1) << 40)
// Times that take 6 bytes as a varint: row lengths must not depend on the epoch.
#define EPOCH_MIN_MS (UINT64_C(1) << 35)
#define EPOCH_MAX_MS ((UINT64_C(1) << 42) - 1)
#define FILE_NAME_MAX 255
#define FILES_MAX 10000000u
#define FILE_BLOCKS_MAX ((UINT64_C(1) << 27) - 1) // a seek table's size is a u32

// field number, name, type, least, greatest
#define RECIPE_FIELDS(X)                                                                       \
	X(1, content_version, uint32_t, 0, UINT32_MAX)                                         \
	X(2, seed, uint64_t, 0, INT64_MAX)                                                     \
	X(3, spans, uint64_t, 1, COUNT_MAX)                                                    \
	X(4, traces, uint64_t, 1, COUNT_MAX)                                                   \
	X(5, services, uint64_t, 1, ENTITY_MAX)                                                \
	X(6, instances, uint64_t, 1, ENTITY_MAX)                                               \
	X(7, operations, uint64_t, 1, ENTITY_MAX)                                              \
	X(8, window_ms, uint64_t, 1, WINDOW_MAX_MS)                                            \
	X(9, block_traces, uint32_t, 1, BLOCK_TRACES_MAX)                                      \
	X(10, variants, uint32_t, 0, 1000000)                                                  \
	X(11, row_bytes, uint32_t, 0, 8 * MIB)                                                 \
	X(12, errors_mpct, uint32_t, 0, 100000)                                                \
	X(13, order, uint32_t, 0, ORDER_ARRIVAL)                                               \
	X(14, base_epoch_ms, int64_t, EPOCH_MIN_MS, EPOCH_MAX_MS)                              \
	X(15, zipf_services_mpct, uint32_t, 0, 100000)                                         \
	X(16, zipf_operations_mpct, uint32_t, 0, 100000)                                       \
	X(17, class_simple_pct, uint32_t, 0, 100)                                              \
	X(18, class_medium_pct, uint32_t, 0, 100)                                              \
	X(19, zipf_services_top_mpct, uint32_t, 0, 100000)                                     \
	X(20, zipf_operations_top_mpct, uint32_t, 0, 100000)                                   \
	X(21, zipf_services_exponent, uint32_t, 0, ZIPF_EXPONENT_MAX)                          \
	X(22, zipf_operations_exponent, uint32_t, 0, ZIPF_EXPONENT_MAX)                        \
	X(23, self_time, uint32_t, 0, SELF_TIME_FIXED)                                         \
	X(24, cardinality, uint32_t, 1, CARDINALITY_MAX)                                       \
	X(25, late_mpct, uint32_t, 0, LATE_MAX_MPCT)                                           \
	X(26, duplicates_mpct, uint32_t, 0, 100000)

// ---- Recipe --------------------------------------------------------------------------------

void recipe_encode(const struct recipe *r, struct buf *out)
{
#define X(number, name, type, least, greatest) pb_put_uint(out, number, (uint64_t)r->name);
	RECIPE_FIELDS(X)
#undef X
}

static enum status out_of_range(struct err *e, const char *name, uint64_t v, uint64_t least,
				uint64_t greatest)
{
	return err_set(e, ERR_FORMAT,
		       "recipe: %s %" PRIu64 " is out of range %" PRIu64 "..%" PRIu64, name, v,
		       least, greatest);
}

static bool outside(uint64_t v, uint64_t least, uint64_t greatest)
{
	return v < least || v > greatest;
}

// One spelling of a law: a share of the top items, no less than theirs, or an exponent.
static enum status check_zipf(const char *what, uint32_t share, uint32_t top, uint32_t exponent,
			      struct err *e)
{
	if (top == 0 ? share == 0 : exponent == 0 && share >= top && top < 100000)
		return OK;
	return err_set(e, ERR_FORMAT,
		       "recipe: zipf_%s_mpct %u, _top_mpct %u and _exponent %u are neither a "
		       "share of the top items nor an exponent",
		       what, share, top, exponent);
}

static enum status check_ranges(const struct recipe *r, struct err *e)
{
	enum status s;

#define X(number, name, type, least, greatest)                                                 \
	if (outside((uint64_t)r->name, least, greatest))                                       \
		return out_of_range(e, #name, (uint64_t)r->name, least, greatest);
	RECIPE_FIELDS(X)
#undef X
	if (r->traces > r->spans)
		return err_set(e, ERR_FORMAT,
			       "recipe: %" PRIu64 " traces need more than %" PRIu64 " spans",
			       r->traces, r->spans);
	if (r->class_simple_pct + r->class_medium_pct > 100)
		return err_set(e, ERR_FORMAT,
			       "recipe: class_simple_pct and class_medium_pct pass 100 %%");
	s = check_zipf("services", r->zipf_services_mpct, r->zipf_services_top_mpct,
		       r->zipf_services_exponent, e);
	if (s == OK)
		s = check_zipf("operations", r->zipf_operations_mpct,
			       r->zipf_operations_top_mpct, r->zipf_operations_exponent, e);
	return s;
}

enum status recipe_decode(const void *data, size_t size_bytes, struct recipe *out,
			  struct err *e)
{
	struct pb_reader r;
	struct pb_field f;
	struct buf again;
	bool same;

	*out = (struct recipe){0};
	pb_reader_init(&r, data, size_bytes);
	while (pb_next(&r, &f)) {
		if (f.wire != PB_VARINT)
			return err_set(e, ERR_FORMAT, "recipe: field %u is not a varint",
				       f.number);
		switch (f.number) {
#define X(number, name, type, least, greatest)                                                 \
	case number:                                                                           \
		out->name = (type)f.value;                                                     \
		break;
			RECIPE_FIELDS(X)
#undef X
		default:
			return err_set(e, ERR_VERSION,
				       "recipe: unknown field %u (made by a newer version?)",
				       f.number);
		}
	}
	if (r.failed)
		return err_set(e, ERR_FORMAT, "recipe: malformed at byte %zu",
			       (size_t)(r.pos - r.start));
	// The bytes enter the digest, so there is one spelling: this also catches fields that
	// are missing, doubled or too large.
	buf_init(&again, 64 + 2 * size_bytes + 20 * sizeof(struct recipe));
	recipe_encode(out, &again);
	same = !again.failed && again.size == size_bytes &&
	       memcmp(again.data, data, size_bytes) == 0;
	buf_free(&again);
	if (!same)
		return err_set(e, ERR_FORMAT, "recipe: not in canonical form");
	return OK;
}

uint64_t recipe_blocks(const struct recipe *r)
{
	return (r->traces + r->block_traces - 1) / r->block_traces;
}

bool recipe_equal(const struct recipe *a, const struct recipe *b)
{
#define X(number, name, type, least, greatest)                                                 \
	if (a->name != b->name)                                                                \
		return false;
	RECIPE_FIELDS(X)
#undef X
	return true;
}

void recipe_values(const struct recipe *r, struct recipe_value out[RECIPE_FIELD_COUNT])
{
	const struct recipe_value values[] = {
#define X(number, name, type, least, greatest) {#name, (uint64_t)r->name},
		RECIPE_FIELDS(X)
#undef X
	};

	_Static_assert(ARRAY_LEN(values) == RECIPE_FIELD_COUNT, "one per field");
	memcpy(out, values, sizeof(values));
}

enum status recipe_check(const struct recipe *r, struct err *e)
{
	if (r->content_version != CONTENT_VERSION)
		return err_set(e, ERR_VERSION,
			       "recipe: content version %u, but spangen " SPANGEN_VERSION
			       " makes %u; use a release whose --version names content "
			       "version %u",
			       r->content_version, CONTENT_VERSION, r->content_version);
	return check_ranges(r, e);
}

// ---- Digests -------------------------------------------------------------------------------

static struct digest canonical(XXH128_hash_t h)
{
	XXH128_canonical_t c;
	struct digest d;

	XXH128_canonicalFromHash(&c, h);
	memcpy(d.bytes, c.digest, sizeof(d.bytes));
	return d;
}

struct digest digest_of(const void *data, size_t size_bytes)
{
	return canonical(XXH3_128bits(data, size_bytes));
}

void digest_text(struct digest d, char out[DIGEST_TEXT_SIZE])
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(d.bytes); i++) {
		out[2 * i] = digit[d.bytes[i] >> 4];
		out[2 * i + 1] = digit[d.bytes[i] & 15];
	}
	out[2 * sizeof(d.bytes)] = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool digest_parse(const char *text, struct digest *out)
{
	if (strlen(text) != 2 * sizeof(out->bytes))
		return false;
	for (size_t i = 0; i < sizeof(out->bytes); i++) {
		int hi = hex_value(text[2 * i]), lo = hex_value(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out->bytes[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

bool digest_equal(struct digest a, struct digest b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

struct corpus_digest {
	XXH3_state_t *state;
};

static void digest_size(struct corpus_digest *c, size_t size_bytes)
{
	uint8_t size[8];

	store_le64(size, size_bytes);
	XXH3_128bits_update(c->state, size, sizeof(size));
}

struct corpus_digest *corpus_digest_begin(uint32_t content_version, struct view recipe,
					  size_t dict_size)
{
	struct corpus_digest *c = mem_zalloc(1, sizeof(*c));
	uint8_t version[4];

	c->state = XXH3_createState();
	if (c->state == NULL)
		mem_exhausted(1, 0); // half a kilobyte at start
	XXH3_128bits_reset(c->state);
	store_le32(version, content_version);
	XXH3_128bits_update(c->state, version, sizeof(version));
	digest_size(c, recipe.size);
	XXH3_128bits_update(c->state, recipe.data, recipe.size);
	digest_size(c, dict_size);
	return c;
}

void corpus_digest_dict(struct corpus_digest *c, struct view part)
{
	XXH3_128bits_update(c->state, part.data, part.size);
}

struct corpus_digest *corpus_digest_new(uint32_t content_version, struct view recipe,
					struct view dictionary)
{
	struct corpus_digest *c = corpus_digest_begin(content_version, recipe, dictionary.size);

	corpus_digest_dict(c, dictionary);
	return c;
}

void corpus_digest_block(struct corpus_digest *c, struct digest block)
{
	XXH3_128bits_update(c->state, block.bytes, sizeof(block.bytes));
}

struct digest corpus_digest_final(struct corpus_digest *c)
{
	struct digest d = {{0}};

	if (c == NULL)
		return d;
	d = canonical(XXH3_128bits_digest(c->state));
	XXH3_freeState(c->state);
	free(c);
	return d;
}

// ---- Manifest: writing ---------------------------------------------------------------------

#define OWN_DIGEST_KEY "\"manifest_xxh3\": \""

static char *copy_text(const char *text)
{
	return mem_strdup(text != NULL ? text : "");
}

void about_copy(struct about *out, const struct about *a)
{
	*out = (struct about){copy_text(a->title), copy_text(a->description),
			      copy_text(a->licence), copy_text(a->generator),
			      copy_text(a->zstd_version)};
}

void manifest_free(struct manifest *m)
{
	about_free(&m->about);
	for (size_t i = 0; i < m->file_count; i++)
		free(m->file[i].name);
	free(m->file);
	*m = (struct manifest){0};
}

// A quoted JSON string; text is valid UTF-8.
static void put_json_string(struct buf *b, const char *text)
{
	buf_put_u8(b, '"');
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			buf_put_u8(b, '\\');
			buf_put_u8(b, c);
		} else if (c < 0x20) {
			buf_printf(b, "\\u%04x", c);
		} else {
			buf_put_u8(b, c);
		}
	}
	buf_put_u8(b, '"');
}

static enum status put_text(struct buf *b, const char *key, const char *text, struct err *e)
{
	if (text == NULL)
		text = "";
	if (!utf8_valid(text, strlen(text)))
		return err_set(e, ERR_FORMAT, "manifest: %s is not valid UTF-8", key);
	buf_printf(b, "  \"%s\": ", key);
	put_json_string(b, text);
	buf_put_view(b, VIEW(",\n"));
	return OK;
}

void recipe_format(const struct recipe *r, struct buf *b)
{
	const char *comma = "";

	buf_put_u8(b, '{');
#define X(number, name, type, least, greatest)                                                 \
	buf_printf(b, "%s\n    \"" #name "\": %" PRIu64, comma, (uint64_t)r->name);            \
	comma = ",";
	RECIPE_FIELDS(X)
#undef X
	buf_put_view(b, VIEW("\n  }"));
}

static void put_file(struct buf *b, const struct manifest_file *f, bool last)
{
	char text[DIGEST_TEXT_SIZE];

	buf_put_view(b, VIEW("    {\"name\": "));
	put_json_string(b, f->name);
	digest_text(f->stored, text);
	buf_printf(b,
		   ", \"size\": %" PRIu64 ", \"payload_size\": %" PRIu64
		   ", \"first_block\": %" PRIu64 ", \"blocks\": %" PRIu64
		   ", \"first_row\": %" PRIu64 ", \"rows\": %" PRIu64 ", \"xxh3\": \"%s\"}%s\n",
		   f->size, f->payload_size, f->first_block, f->blocks, f->first_row, f->rows,
		   text, last ? "" : ",");
}

// Digest of text with the 32 digits at `at` taken as zeros.
static struct digest own_digest(const char *text, size_t size_bytes, size_t at)
{
	static const char zeros[] = "00000000000000000000000000000000";
	XXH3_state_t *state = XXH3_createState();
	struct digest d;

	if (state == NULL)
		mem_exhausted(1, 0);
	XXH3_128bits_reset(state);
	XXH3_128bits_update(state, text, at);
	XXH3_128bits_update(state, zeros, DIGEST_TEXT_SIZE - 1);
	at += DIGEST_TEXT_SIZE - 1;
	XXH3_128bits_update(state, text + at, size_bytes - at);
	d = canonical(XXH3_128bits_digest(state));
	XXH3_freeState(state);
	return d;
}

enum status manifest_format(const struct manifest *m, struct buf *out, struct err *e)
{
	char text[DIGEST_TEXT_SIZE];
	const struct {
		const char *key, *text;
	} about[] = {
		{"title", m->about.title},
		{"description", m->about.description},
		{"licence", m->about.licence},
		{"generator", m->about.generator},
		{"zstd_version", m->about.zstd_version},
	};
	size_t begin = out->size, own;
	enum status s;

	if (outside((uint64_t)m->epoch_ms, EPOCH_MIN_MS, EPOCH_MAX_MS))
		return err_set(e, ERR_FORMAT,
			       "manifest: epoch %" PRId64 " ms is out of range %" PRIu64
			       "..%" PRIu64,
			       m->epoch_ms, EPOCH_MIN_MS, EPOCH_MAX_MS);
	digest_text(m->digest, text);
	buf_printf(out,
		   "{\n  \"format\": \"" FORMAT_NAME "\",\n  \"format_version\": %u,\n"
		   "  \"content_version\": %u,\n  \"digest\": \"%s\",\n  " OWN_DIGEST_KEY,
		   m->format_version, m->recipe.content_version, text);
	own = out->size - begin;
	buf_put_view(out, VIEW("00000000000000000000000000000000\",\n"));
	for (size_t i = 0; i < ARRAY_LEN(about); i++) {
		s = put_text(out, about[i].key, about[i].text, e);
		if (s != OK)
			return s;
	}
	buf_printf(out, "  \"epoch_ms\": %" PRId64 ",\n", m->epoch_ms);
	buf_printf(out,
		   "  \"rows\": %" PRIu64 ",\n  \"traces\": %" PRIu64
		   ",\n  \"blocks\": %" PRIu64 ",\n",
		   m->rows, m->traces, m->blocks);
	if (m->shard.count > 0)
		buf_printf(out, "  \"shard\": %u,\n  \"shards\": %u,\n", m->shard.index,
			   m->shard.count);
	if (m->is_part) {
		digest_text(m->part_of, text);
		buf_printf(out, "  \"part_of\": \"%s\",\n", text);
	}
	buf_put_view(out, VIEW("  \"recipe\": "));
	recipe_format(&m->recipe, out);
	buf_put_view(out, VIEW(",\n"));
	buf_put_view(out, VIEW("  \"files\": [\n"));
	for (size_t i = 0; i < m->file_count; i++)
		put_file(out, &m->file[i], i + 1 == m->file_count);
	buf_put_view(out, VIEW("  ]\n}\n"));
	s = buf_check(out, "manifest", e);
	if (s != OK)
		return s;
	digest_text(own_digest((const char *)out->data + begin, out->size - begin, own), text);
	memcpy(out->data + begin + own, text, DIGEST_TEXT_SIZE - 1);
	return OK;
}

// ---- Manifest: parsing ---------------------------------------------------------------------

// Parsing of members with a sticky error.
struct members {
	struct err *e;
	enum status status;
	const char *where; // "manifest", "manifest: files[3]"
};

static void member_wrong(struct members *p, const char *key, const char *what)
{
	if (p->status == OK)
		p->status = err_set(p->e, ERR_FORMAT, "%s: \"%s\" %s", p->where, key, what);
}

static const json_t *member(struct members *p, const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	if (v == NULL)
		member_wrong(p, key, "is missing");
	return v;
}

static uint64_t member_u64(struct members *p, const json_t *object, const char *key,
			   uint64_t max)
{
	const json_t *v = member(p, object, key);

	if (v == NULL)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max) {
		member_wrong(p, key, "is not an integer within its range");
		return 0;
	}
	return (uint64_t)json_integer_value(v);
}

static const char *member_text(struct members *p, const json_t *object, const char *key)
{
	const json_t *v = member(p, object, key);

	if (v == NULL)
		return "";
	if (!json_is_string(v)) {
		member_wrong(p, key, "is not a string");
		return "";
	}
	return json_string_value(v);
}

static struct digest member_digest(struct members *p, const json_t *object, const char *key)
{
	struct digest d = {{0}};

	if (!digest_parse(member_text(p, object, key), &d))
		member_wrong(p, key, "is not 32 lower-case hex digits");
	return d;
}

static void parse_recipe(struct members *p, const json_t *object, struct recipe *r)
{
	enum status s;

	p->where = "manifest: recipe";
	if (!json_is_object(object)) {
		member_wrong(p, "recipe", "is not an object");
		return;
	}
#define X(number, name, type, least, greatest)                                                 \
	r->name = (type)member_u64(p, object, #name, (uint64_t)(greatest));
	RECIPE_FIELDS(X)
#undef X
	if (p->status != OK)
		return;
	s = check_ranges(r, p->e);
	if (s != OK)
		p->status = p->e != NULL ? err_prefix(p->e, "manifest") : s;
}

// A plain name: the corpus folder is never left.
static bool plain_name(const char *name)
{
	size_t size = strlen(name);

	return size > 0 && size <= FILE_NAME_MAX && name[0] != '.' && strchr(name, '/') == NULL;
}

static void parse_file(struct members *p, const json_t *object, struct manifest_file *f)
{
	const char *name = member_text(p, object, "name");

	if (!plain_name(name))
		member_wrong(p, "name", "is not a plain file name");
	f->name = mem_strdup(name);
	f->size = member_u64(p, object, "size", INT64_MAX);
	f->payload_size = member_u64(p, object, "payload_size", INT64_MAX);
	f->first_block = member_u64(p, object, "first_block", COUNT_MAX);
	f->blocks = member_u64(p, object, "blocks", COUNT_MAX);
	f->first_row = member_u64(p, object, "first_row", COUNT_MAX);
	f->rows = member_u64(p, object, "rows", COUNT_MAX);
	f->stored = member_digest(p, object, "xxh3");
	// Readers make room for the blocks of files that are not there, too.
	if (f->blocks > u64_min(f->size / (BLOCK_HEADER_SIZE + 1), FILE_BLOCKS_MAX))
		member_wrong(p, "blocks", "are more than a file of that size can hold");
}

static void parse_files(struct members *p, const json_t *array, struct manifest *m)
{
	size_t count = json_array_size(array);

	p->where = "manifest";
	if (!json_is_array(array) || count == 0 || count > FILES_MAX) {
		member_wrong(p, "files", "is not a list of data files");
		return;
	}
	m->file = mem_zalloc(count, sizeof(*m->file));
	for (; m->file_count < count && p->status == OK; m->file_count++) {
		char where[64];

		snprintf(where, sizeof(where), "manifest: files[%zu]", m->file_count);
		p->where = where;
		parse_file(p, json_array_get(array, m->file_count), &m->file[m->file_count]);
		p->where = "manifest";
	}
}

static void parse_part(struct members *p, const json_t *root, struct manifest *m)
{
	m->is_part = json_object_get(root, "part_of") != NULL;
	if (m->is_part)
		m->part_of = member_digest(p, root, "part_of");
	if (json_object_get(root, "shards") == NULL)
		return;
	m->shard.index = (uint32_t)member_u64(p, root, "shard", SHARDS_MAX - 1);
	m->shard.count = (uint32_t)member_u64(p, root, "shards", SHARDS_MAX);
	if (m->shard.index >= m->shard.count)
		member_wrong(p, "shard", "is not one of that many");
}

// Blocks of a shard are those that belong to it.
static void check_shard(struct members *p, const struct manifest *m)
{
	uint64_t first, end;

	shard_range(m->shard, recipe_blocks(&m->recipe), &first, &end);
	if (m->shard.count > 0 && (m->file[0].first_block != first || m->blocks != end - first))
		member_wrong(p, "files", "are not those of the shard");
}

// Files follow each other without gaps, and their sums are the totals.
static void check_sums(struct members *p, const struct manifest *m)
{
	uint64_t all = recipe_blocks(&m->recipe);
	uint64_t block = m->file[0].first_block, row = m->file[0].first_row;
	uint64_t blocks = 0, rows = 0;

	for (size_t i = 0; i < m->file_count; i++) {
		const struct manifest_file *f = &m->file[i];

		if (f->blocks == 0 || f->first_block != block || f->first_row != row) {
			member_wrong(p, "files", "do not follow each other without a gap");
			return;
		}
		block += f->blocks; // FILES_MAX * COUNT_MAX fits
		row += f->rows;
		blocks += f->blocks;
		rows += f->rows;
	}
	if (blocks != m->blocks || rows != m->rows || block > all)
		member_wrong(p, "files", "do not add up to rows and blocks");
	else if (m->blocks == all &&
		 (m->rows != m->recipe.spans || m->traces != m->recipe.traces))
		member_wrong(p, "rows", "and traces are not the recipe's");
}

static void parse_manifest(struct members *p, const json_t *root, struct manifest *m)
{
	m->format_version = FORMAT_VERSION;
	m->about.title = mem_strdup(member_text(p, root, "title"));
	m->about.description = mem_strdup(member_text(p, root, "description"));
	m->about.licence = mem_strdup(member_text(p, root, "licence"));
	m->about.generator = mem_strdup(member_text(p, root, "generator"));
	m->about.zstd_version = mem_strdup(member_text(p, root, "zstd_version"));
	m->digest = member_digest(p, root, "digest");
	m->rows = member_u64(p, root, "rows", COUNT_MAX);
	m->traces = member_u64(p, root, "traces", COUNT_MAX);
	m->blocks = member_u64(p, root, "blocks", COUNT_MAX);
	m->epoch_ms = (int64_t)member_u64(p, root, "epoch_ms", EPOCH_MAX_MS);
	parse_recipe(p, member(p, root, "recipe"), &m->recipe);
	if (p->status == OK)
		parse_files(p, member(p, root, "files"), m);
	if (p->status == OK &&
	    member_u64(p, root, "content_version", UINT32_MAX) != m->recipe.content_version)
		member_wrong(p, "content_version", "is not the recipe's");
	if (p->status == OK && (uint64_t)m->epoch_ms < EPOCH_MIN_MS)
		member_wrong(p, "epoch_ms", "is not an integer within its range");
	if (p->status == OK)
		parse_part(p, root, m);
	if (p->status == OK)
		check_sums(p, m);
	if (p->status == OK)
		check_shard(p, m);
}

// Offset of the 32 digits of the manifest's own digest; SIZE_MAX when they are not there.
static size_t find_own_digest(const char *text, size_t size_bytes)
{
	const size_t key = sizeof(OWN_DIGEST_KEY) - 1;

	for (size_t i = 0; i + key + DIGEST_TEXT_SIZE <= size_bytes; i++) {
		if (text[i] == '"' && memcmp(text + i, OWN_DIGEST_KEY, key) == 0)
			return i + key;
	}
	return SIZE_MAX;
}

// That this is a manifest of ours, of a version we know, and whole.
static enum status check_envelope(const json_t *root, const char *text, size_t size_bytes,
				  struct err *e)
{
	struct members p = {e, OK, "manifest"};
	const char *format = json_string_value(json_object_get(root, "format"));
	char actual[DIGEST_TEXT_SIZE];
	uint64_t version;
	size_t at;

	if (format == NULL || strcmp(format, FORMAT_NAME) != 0)
		return err_set(e, ERR_FORMAT,
			       "manifest: \"format\" is not \"" FORMAT_NAME
			       "\": not a corpus of spangen");
	version = member_u64(&p, root, "format_version", UINT32_MAX);
	if (p.status != OK)
		return p.status;
	at = find_own_digest(text, size_bytes);
	if (at == SIZE_MAX)
		return err_set(e, ERR_FORMAT, "manifest: \"manifest_xxh3\" is missing");
	digest_text(own_digest(text, size_bytes, at), actual);
	if (memcmp(actual, text + at, DIGEST_TEXT_SIZE - 1) != 0)
		return err_set(e, ERR_DAMAGED,
			       "manifest: its digest is %s, but it says %.32s (edited or "
			       "damaged: restore it from another copy)",
			       actual, text + at);
	if (version != FORMAT_VERSION)
		return err_set(e, ERR_VERSION,
			       "manifest: format version %" PRIu64 ", but " SPANGEN_VERSION
			       " reads version %u; use a release that reads it",
			       version, FORMAT_VERSION);
	return OK;
}

static enum status parse_json(const char *text, size_t size_bytes, json_t **root, struct err *e)
{
	json_error_t je;

	*root = json_loadb(size_bytes > 0 ? text : "", size_bytes, JSON_REJECT_DUPLICATES, &je);
	if (*root == NULL)
		return err_set(e, ERR_FORMAT, "manifest: line %d column %d: %s", je.line,
			       je.column, je.text);
	return OK;
}

enum status manifest_parse(const char *text, size_t size_bytes, struct manifest *out,
			   struct err *e)
{
	struct members p = {e, OK, "manifest"};
	json_t *root;
	enum status s = parse_json(text, size_bytes, &root, e);

	*out = (struct manifest){0};
	if (s != OK)
		return s;
	s = check_envelope(root, text, size_bytes, e);
	if (s == OK) {
		parse_manifest(&p, root, out);
		s = p.status;
	}
	json_decref(root);
	if (s != OK)
		manifest_free(out);
	return s;
}

// Before anything else is looked at: another version may have other fields.
static enum status check_content_version(const json_t *root, struct err *e)
{
	struct members p = {e, OK, "manifest"};
	uint64_t version = member_u64(&p, root, "content_version", UINT32_MAX);
	const char *maker = member_text(&p, root, "generator");

	if (p.status != OK || version == CONTENT_VERSION)
		return p.status;
	return err_set(e, ERR_VERSION,
		       "its recipe has content version %" PRIu64
		       ", but spangen " SPANGEN_VERSION
		       " makes content version %u; use the release that made it: %s",
		       version, CONTENT_VERSION, maker);
}

enum status manifest_recipe(const char *text, size_t size_bytes, struct recipe *out,
			    struct err *e)
{
	struct members p = {e, OK, "manifest"};
	json_t *root;
	enum status s = parse_json(text, size_bytes, &root, e);

	*out = (struct recipe){0};
	if (s != OK)
		return s;
	s = check_envelope(root, text, size_bytes, e);
	if (s == OK)
		s = check_content_version(root, e);
	if (s == OK) {
		parse_recipe(&p, member(&p, root, "recipe"), out);
		s = p.status;
	}
	json_decref(root);
	return s == OK ? recipe_check(out, e) : s;
}
