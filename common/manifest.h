// SPDX-License-Identifier: Apache-2.0
// What a corpus contains: the recipe (every parameter that decides content), and the manifest
// corpus.json. Pure: text and bytes in, structs out. Reading and writing of files is corpus's.
#ifndef COMMON_MANIFEST_H
#define COMMON_MANIFEST_H

#include "common/buf.h"
#include "common/shard.h"

#define FORMAT_VERSION 1u // layout of files and messages
#define CONTENT_VERSION                                                                        \
	1u // content made from a recipe; a change of any byte of it needs another

#define MANIFEST_NAME "corpus.json"
#define MANIFEST_MAX_BYTES (16 * MIB)

enum row_order { ORDER_START = 0, ORDER_ARRIVAL = 1 };

// Law of self times; all have the same means.
enum self_time {
	SELF_TIME_LOGNORMAL,
	SELF_TIME_EXPONENTIAL,
	SELF_TIME_UNIFORM,
	SELF_TIME_FIXED
};

#define ZIPF_EXPONENT_MAX 4000u	    // 1/1000
#define LATE_MAX_MPCT 50000u	    // more, and it is no longer clear which rows are late
#define CARDINALITY_MAX 1000000000u // nine digits

// Field meanings and units: proto/corpus.proto, message Recipe. _mpct: 1/1000 percent.
struct recipe {
	uint32_t content_version;
	uint64_t seed;
	uint64_t spans, traces, services, instances, operations;
	uint64_t window_ms;
	uint32_t block_traces;
	uint32_t variants;
	uint32_t row_bytes;
	uint32_t errors_mpct;
	uint32_t order; // enum row_order
	int64_t base_epoch_ms;
	uint32_t zipf_services_mpct, zipf_operations_mpct;
	uint32_t class_simple_pct, class_medium_pct;
	uint32_t zipf_services_top_mpct, zipf_operations_top_mpct; // 0: by exponent
	uint32_t zipf_services_exponent, zipf_operations_exponent; // 1/1000; 0: by share
	uint32_t self_time;					   // enum self_time
	uint32_t cardinality;
	uint32_t late_mpct, duplicates_mpct;
};

// The canonical bytes that enter the digest: every field, zero too, in field order.
void recipe_encode(const struct recipe *r, struct buf *out);
enum status recipe_decode(const void *data, size_t size_bytes, struct recipe *out,
			  struct err *e) MUST_CHECK;
// Number of blocks: ceil(traces / block_traces).
uint64_t recipe_blocks(const struct recipe *r);
bool recipe_equal(const struct recipe *a, const struct recipe *b);

// The fields by name, in field order.
#define RECIPE_FIELD_COUNT 26u
struct recipe_value {
	const char *name;
	uint64_t value;
};
void recipe_values(const struct recipe *r, struct recipe_value out[RECIPE_FIELD_COUNT]);
// ERR_VERSION naming the release when the content version is not ours; ERR_FORMAT when a field
// is out of range.
enum status recipe_check(const struct recipe *r, struct err *e) MUST_CHECK;

struct digest {
	uint8_t bytes[16]; // XXH3-128, canonical (big-endian) form
};

#define DIGEST_TEXT_SIZE 33
struct digest digest_of(const void *data, size_t size_bytes);
void digest_text(struct digest d, char out[DIGEST_TEXT_SIZE]); // 32 lower-case hex digits
bool digest_equal(struct digest a, struct digest b);

// Incremental: the corpus digest. Order of calls: init, one block digest after the other,
// final. Input: content version LE32 | size LE64 + recipe bytes | size LE64 + dictionary bytes
// | block digests in block order.
struct corpus_digest;
struct corpus_digest *corpus_digest_new(uint32_t content_version, struct view recipe,
					struct view dictionary);
// The same with the dictionary's bytes in parts behind it, dict_size in all.
struct corpus_digest *corpus_digest_begin(uint32_t content_version, struct view recipe,
					  size_t dict_size);
void corpus_digest_dict(struct corpus_digest *c, struct view part);
void corpus_digest_block(struct corpus_digest *c, struct digest block);
struct digest corpus_digest_final(struct corpus_digest *c); // frees c

struct about {
	char *title, *description, *licence, *generator, *zstd_version; // owned, may be NULL
};

void about_copy(struct about *out, const struct about *a);

struct manifest_file {
	char *name;	       // owned, relative to the corpus folder
	uint64_t size;	       // stored bytes
	uint64_t payload_size; // uncompressed bytes
	uint64_t first_block, blocks, first_row, rows;
	struct digest stored; // XXH3-128 of the file
};

struct manifest {
	uint32_t format_version;
	struct recipe recipe;
	struct about about;
	uint64_t rows, traces, blocks;
	int64_t epoch_ms;     // default for exports
	struct digest digest; // of recipe, dictionary and the blocks of its files: the corpus
			      // digest when these are all
	struct shard shard;    // the one that it is the manifest of, or none
	bool is_part;	       // cut out of a whole corpus
	struct digest part_of; // its digest, if so
	struct manifest_file *file;
	size_t file_count;
};

// The recipe as the manifest has it: a JSON object, every field by name.
void recipe_format(const struct recipe *r, struct buf *out);

void manifest_free(struct manifest *m); // contents, not m; null state: all zero
// JSON text, keys in a fixed order, integers beyond 2^53 as they are; the field "manifest_xxh3"
// holds the XXH3-128 of the whole text with that field's 32 digits replaced by zeros.
enum status manifest_format(const struct manifest *m, struct buf *out,
			    struct err *e) MUST_CHECK;
// ERR_FORMAT with line and column, ERR_DAMAGED when the manifest's own digest differs.
enum status manifest_parse(const char *text, size_t size_bytes, struct manifest *out,
			   struct err *e) MUST_CHECK;
// The recipe of a manifest that this program can follow. ERR_VERSION naming
// both content versions and the program that wrote it when it is another's; other errors as
// above.
enum status manifest_recipe(const char *text, size_t size_bytes, struct recipe *out,
			    struct err *e) MUST_CHECK;

#endif
