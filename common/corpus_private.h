// SPDX-License-Identifier: Apache-2.0
// Shared by the corpus_*.c files and manifest.c: fixed layouts of a data file and the payload
// of its first frame. Nobody else includes it. FORMAT.md is the specification.
#ifndef COMMON_CORPUS_PRIVATE_H
#define COMMON_CORPUS_PRIVATE_H

#include "common/corpus_check.h"

// Fields of message Corpus.
enum corpus_field {
	CORPUS_RECIPE = 1,
	CORPUS_DICTIONARY = 2,
	CORPUS_ABOUT = 3,
	CORPUS_BLOCK = 4,
};

// Checks b, which block_parse accepted, against d.
enum status block_check(const struct block *b, const struct dict *d, struct block_scratch *room,
			struct err *e) MUST_CHECK;
// The same, row after row: for tests.
enum status block_check_slowly(const struct block *b, const struct dict *d,
			       struct block_scratch *room, struct err *e) MUST_CHECK;
// For dict_decode: struct dict.shape; NULL when memory is short.
const struct dict_shape *dict_shape_make(const struct dict *d, struct arena *a);

#define REMEDY "restore the file from another copy, or generate the corpus again"

// ---- Frames --------------------------------------------------------------------------------

struct ZSTD_DCtx_s;
struct block_reader {
	struct ZSTD_DCtx_s *zstd;
	struct buf stored; // header and frame
	struct buf payload;
	struct file_in in; // last file used
};

// Parses the manifest in the file `path`; the caller frees *m when it is OK. Errors name path.
enum status corpus_read_manifest(const char *path, struct manifest *m,
				 struct err *e) MUST_CHECK;

#define FRAME_SIZE_UNKNOWN UINT64_MAX
// Decompresses exactly one frame of a known payload size (or whatever its header says) into out
// (cleared first).
enum status frame_decompress(struct ZSTD_DCtx_s *zstd, const uint8_t *frame, size_t size_bytes,
			     uint64_t payload_size, struct buf *out, struct err *e) MUST_CHECK;
// ERR_DAMAGED "digest of its WHAT differs".
enum status frame_check_digest(const void *data, size_t size_bytes, struct digest wanted,
			       const char *what, struct err *e) MUST_CHECK;
// Numbers and counts of a parsed block are those of its header.
enum status block_matches_header(const struct block *b, const struct block_header *h,
				 struct err *e) MUST_CHECK;

// ---- Skippable frames ----------------------------------------------------------------------

#define FILE_HEADER_SIZE 88u
#define BLOCK_HEADER_SIZE 120u

struct file_header {
	uint32_t format_version;
	uint64_t first_block;
	uint64_t payload_size, stored_size; // of the frame that follows
	struct digest content, stored;	    // of the frame that follows
};

void file_header_encode(const struct file_header *h, uint8_t out[FILE_HEADER_SIZE]);
// ERR_FORMAT: not a data file. ERR_DAMAGED: its own digest differs. ERR_VERSION.
enum status file_header_decode(const uint8_t in[FILE_HEADER_SIZE], struct file_header *h,
			       struct err *e) MUST_CHECK;
void block_header_encode(const struct block_header *h, uint8_t out[BLOCK_HEADER_SIZE]);
enum status block_header_decode(const uint8_t in[BLOCK_HEADER_SIZE], struct block_header *h,
				struct err *e) MUST_CHECK;

// ---- Seek table ----------------------------------------------------------------------------

#define SEEK_ENTRY_SIZE 8u
#define SEEK_HEAD_SIZE 8u // magic and size of the skippable frame
#define SEEK_FOOT_SIZE 9u

static inline uint64_t seek_table_size(uint64_t frames)
{
	return SEEK_HEAD_SIZE + SEEK_ENTRY_SIZE * frames + SEEK_FOOT_SIZE;
}

// Appends the whole skippable frame; entries: pairs of stored and uncompressed size.
void seek_table_encode(const struct column32 *entries, struct buf *out);
// Magic numbers, sizes and footer of a table of seek_table_size(frames) bytes.
enum status seek_table_check(const uint8_t *table, uint64_t frames, struct err *e) MUST_CHECK;

// ---- First frame ---------------------------------------------------------------------------

// What the payload of a data file's first frame holds; views into it.
struct head {
	struct view recipe, dict, about;
};

// What stands before and behind the dictionary, which is large enough not to be copied.
void head_encode(struct view recipe, size_t dict_size, struct view about, struct buf *before,
		 struct buf *after);
enum status head_decode(const void *payload, size_t size_bytes, struct head *out,
			struct err *e) MUST_CHECK;
void about_encode(const struct about *a, struct buf *out);

#endif
