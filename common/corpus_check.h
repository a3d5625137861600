// SPDX-License-Identifier: Apache-2.0
// Data files that may be damaged: where their parts are and what is wrong with each of them.
// Nothing is trusted further than its own digest goes, so one damaged part does not hide the
// others. Naming the file, and mending, are the caller's.
#ifndef COMMON_CORPUS_CHECK_H
#define COMMON_CORPUS_CHECK_H

#include "common/corpus.h"

// Where a block was found. Null: not found.
struct scan_block {
	uint64_t offset; // of its header
	uint32_t stored_size, payload_size;
};

// One data file. Null state: all zero but in.fd -1 (data_scan_init).
struct data_scan {
	struct file_in in;
	uint64_t first_block;	  // wanted
	uint64_t blocks;	  // entries of block
	uint64_t found;		  // of them found
	struct scan_block *block; // owned
	bool has_header;	  // the file header is whole; the next three are its words
	uint64_t says_first;
	uint64_t head_size, head_payload_size; // of the first frame
	struct digest head_content, head_stored;
};

void data_scan_init(struct data_scan *s);
void data_scan_free(struct data_scan *s);
// Opens the file and reads its header, whatever stands in it: has_header says whether that is
// whole. path is borrowed. ERR_NOT_FOUND, ERR_IO.
enum status data_scan_open(struct data_scan *s, const char *path, struct err *e) MUST_CHECK;
// What is wrong with the header, when the file should begin with that block; OK when nothing.
enum status data_scan_header(const struct data_scan *s, uint64_t first_block,
			     struct err *e) MUST_CHECK;
// Looks for the headers of blocks first .. first + most - 1; where one is damaged, for the next
// whole one. exact: room for `most` blocks, found or not; otherwise as far as blocks were
// found. Reading errors only.
enum status data_scan_walk(struct data_scan *s, uint64_t first, uint64_t most, bool exact,
			   struct err *e) MUST_CHECK;
// Offset behind the last frame, where the seek table belongs. Every block must be found.
uint64_t data_scan_end(const struct data_scan *s);
// Size that the file has when it is whole. Every block must be found.
uint64_t data_scan_whole_size(const struct data_scan *s);
// Uncompressed bytes. Every block must be found.
uint64_t data_scan_payload_size(const struct data_scan *s);

// What the first frame says; views borrow from the reader until its next use.
struct data_head {
	struct view recipe, dict, about;
	struct view stored; // the frame itself
};
// Reads and checks the first frame. Without a whole file header the frame is what lies before
// the first block, and only zstd's own checksum speaks for it.
enum status data_scan_head(const struct data_scan *s, struct block_reader *r,
			   struct data_head *out, struct err *e) MUST_CHECK;
// Moves what the views of data_scan_head but `stored` point into to *payload, for those who
// keep it: a dictionary is large. *payload is freed first, the caller frees it with buf_free.
void block_reader_take(struct block_reader *r, struct buf *payload);
// Only the stored digest of the first frame; *stored as above.
enum status data_scan_head_stored(const struct data_scan *s, struct block_reader *r,
				  struct view *stored, struct err *e) MUST_CHECK;
// Reads block `index` of the file, checks both its digests and its structure, against d when
// that is not NULL. *stored: header and frame, borrowed from the reader until its next use.
enum status data_scan_block(const struct data_scan *s, struct block_reader *r, uint64_t index,
			    const struct dict *d, struct block *b, struct block_header *h,
			    struct view *stored, struct err *e) MUST_CHECK;
// The header alone.
enum status data_scan_block_header(const struct data_scan *s, uint64_t index,
				   struct block_header *h, struct err *e) MUST_CHECK;
// Gives the stored bytes of the last block away for other storage.
void block_reader_swap_stored(struct block_reader *r, struct buf *other);
// Header and frame of block `index` without any check but of the header and the stored digest.
enum status data_scan_stored(const struct data_scan *s, struct block_reader *r, uint64_t index,
			     struct block_header *h, struct view *stored,
			     struct err *e) MUST_CHECK;
// The seek table against the frames found; where all are found, that nothing follows it.
// *table (may be NULL): its bytes, heap, caller frees with buf_free.
enum status data_scan_table(const struct data_scan *s, struct buf *table,
			    struct err *e) MUST_CHECK;

// The encoded header of a block and of a file, for their digests and for copies.
#define BLOCK_HEADER_BYTES 120u
#define FILE_HEADER_BYTES 88u
enum status data_scan_header_bytes(const struct data_scan *s, uint8_t out[FILE_HEADER_BYTES],
				   struct err *e) MUST_CHECK;

// XXH3-128 of bytes that come in pieces.
struct stream_digest;
struct stream_digest *stream_digest_new(void);
void stream_digest_put(struct stream_digest *d, const void *data, size_t size_bytes);
// Starts afresh with *out the digest so far.
struct digest stream_digest_take(struct stream_digest *d);
void stream_digest_free(struct stream_digest *d); // NULL is fine

// The five texts of a first frame; heap, about_free.
enum status about_decode(struct view about, struct about *out, struct err *e) MUST_CHECK;
void about_free(struct about *a);
// Title, description and licence of a are what the encoded `about` says.
enum status about_check(const struct about *a, struct view about, struct err *e) MUST_CHECK;

// ---- Rewriting -----------------------------------------------------------------------------

// One data file written beside its place and put there whole: header, first frame, blocks in
// order, seek table.
struct data_writer;
// The first frame of a corpus (recipe, dictionary, about), compressed as corpus_writer does.
enum status data_head_make(struct view recipe, struct view dict, const struct about *a,
			   struct buf *frame, uint64_t *payload_size, struct digest *content,
			   struct err *e) MUST_CHECK;
enum status data_writer_open(struct data_writer **out, const char *path, uint64_t first_block,
			     struct view head, uint64_t head_payload_size,
			     struct digest head_content, struct err *e) MUST_CHECK;
enum status data_writer_add(struct data_writer *w, const struct block_header *h,
			    struct view frame, struct err *e) MUST_CHECK;
uint64_t data_writer_payload_size(const struct data_writer *w);
// Replaces what has the name. Frees w. *out: all but the name, which stays NULL.
enum status data_writer_commit(struct data_writer *w, struct manifest_file *out,
			       struct err *e) MUST_CHECK;
void data_writer_abort(struct data_writer *w); // NULL is fine

#endif
