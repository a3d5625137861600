// SPDX-License-Identifier: Apache-2.0
// Finding and checking the parts of a data file that may be damaged.
#include "common/corpus_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL // by our compiler: 60 % of the time of a distribution's library
#include <xxhash.h>

#include "common/corpus_private.h"

_Static_assert(BLOCK_HEADER_BYTES == BLOCK_HEADER_SIZE && FILE_HEADER_BYTES == FILE_HEADER_SIZE,
	       "one size");

// ---- Digests of streams --------------------------------------------------------------------

struct stream_digest {
	XXH3_state_t *state;
};

struct stream_digest *stream_digest_new(void)
{
	struct stream_digest *d = mem_zalloc(1, sizeof(*d));

	d->state = XXH3_createState();
	if (d->state == NULL)
		abort(); // half a kilobyte at start
	XXH3_128bits_reset(d->state);
	return d;
}

void stream_digest_put(struct stream_digest *d, const void *data, size_t size_bytes)
{
	XXH3_128bits_update(d->state, data, size_bytes);
}

struct digest stream_digest_take(struct stream_digest *d)
{
	XXH128_canonical_t canonical;
	struct digest out;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(d->state));
	memcpy(out.bytes, canonical.digest, sizeof(out.bytes));
	XXH3_128bits_reset(d->state);
	return out;
}

void stream_digest_free(struct stream_digest *d)
{
	if (d == NULL)
		return;
	XXH3_freeState(d->state);
	free(d);
}

// ---- Opening and walking -------------------------------------------------------------------

void data_scan_init(struct data_scan *s)
{
	*s = (struct data_scan){.in = {.fd = -1}};
}

void data_scan_free(struct data_scan *s)
{
	file_in_close(&s->in);
	free(s->block);
	data_scan_init(s);
}

static enum status decode_header(const struct data_scan *s, struct file_header *h,
				 struct err *e)
{
	uint8_t bytes[FILE_HEADER_SIZE];
	enum status st = data_scan_header_bytes(s, bytes, e);

	if (st == OK)
		st = file_header_decode(bytes, h, e);
	if (st == OK && (h->stored_size > UINT32_MAX || h->payload_size > BLOCK_PAYLOAD_MAX))
		st = err_set(e, ERR_DAMAGED, "file header is out of range; " REMEDY);
	return st;
}

enum status data_scan_open(struct data_scan *s, const char *path, struct err *e)
{
	struct file_header h;
	enum status st;

	data_scan_init(s);
	st = file_in_open(&s->in, path, e);
	if (st != OK)
		return st;
	if (decode_header(s, &h, NULL) == OK) {
		s->has_header = true;
		s->says_first = h.first_block;
		s->head_size = h.stored_size;
		s->head_payload_size = h.payload_size;
		s->head_content = h.content;
		s->head_stored = h.stored;
	}
	return OK;
}

enum status data_scan_header_bytes(const struct data_scan *s, uint8_t out[FILE_HEADER_BYTES],
				   struct err *e)
{
	if (s->in.size < FILE_HEADER_SIZE)
		return err_set(e, ERR_DAMAGED,
			       "file header: ends at byte %" PRIu64
			       " (truncated copy?); " REMEDY,
			       s->in.size);
	return file_in_read_at(&s->in, 0, out, FILE_HEADER_SIZE, e);
}

enum status data_scan_header(const struct data_scan *s, uint64_t first_block, struct err *e)
{
	struct file_header h;
	enum status st = decode_header(s, &h, e);

	if (st == OK && h.first_block != first_block)
		st = err_set(e, ERR_DAMAGED,
			     "file header: begins with block %" PRIu64 " instead of %" PRIu64
			     " (files swapped or renamed?); " REMEDY,
			     h.first_block, first_block);
	return st;
}

// A whole block header at `at`.
static bool header_at(const struct data_scan *s, uint64_t at, struct block_header *h)
{
	uint8_t bytes[BLOCK_HEADER_SIZE];

	return at + BLOCK_HEADER_SIZE <= s->in.size &&
	       file_in_read_at(&s->in, at, bytes, sizeof(bytes), NULL) == OK &&
	       block_header_decode(bytes, h, NULL) == OK && h->stored_size <= UINT32_MAX &&
	       h->payload_size <= BLOCK_PAYLOAD_MAX;
}

#define SEARCH_STEP (64 * KIB)

// Offset of the next whole block header behind `at`, of a block not yet found; the file's size
// when there is none.
static uint64_t search_header(const struct data_scan *s, uint64_t at, uint64_t least,
			      uint64_t end, struct block_header *h)
{
	uint8_t *step = mem_alloc(SEARCH_STEP);
	uint64_t found = s->in.size;

	while (at + BLOCK_HEADER_SIZE <= s->in.size && found == s->in.size) {
		size_t size = (size_t)u64_min(SEARCH_STEP, s->in.size - at);

		if (file_in_read_at(&s->in, at, step, size, NULL) != OK)
			break;
		for (size_t i = 0; i + BLOCK_HEADER_SIZE <= size; i++) {
			if (step[i] == 0x51 && block_header_decode(step + i, h, NULL) == OK &&
			    h->number >= least && h->number < end && header_at(s, at + i, h)) {
				found = at + i;
				break;
			}
		}
		at += size - BLOCK_HEADER_SIZE + 1;
	}
	free(step);
	return found;
}

// Room for entries up to index; false when the file cannot hold so many.
static bool make_room(struct data_scan *s, uint64_t index, size_t *capacity)
{
	if (index >= s->in.size / (BLOCK_HEADER_SIZE + 1) + 1024)
		return false;
	if (index >= *capacity) {
		size_t wanted = (size_t)u64_max(index + 1, 2 * (uint64_t)*capacity);

		s->block = mem_realloc(s->block, wanted, sizeof(*s->block));
		memset(s->block + *capacity, 0, (wanted - *capacity) * sizeof(*s->block));
		*capacity = wanted;
	}
	return true;
}

enum status data_scan_walk(struct data_scan *s, uint64_t first, uint64_t most, bool exact,
			   struct err *e)
{
	uint64_t at = FILE_HEADER_SIZE + (s->has_header ? s->head_size : 0), next = 0;
	size_t capacity = 0;
	struct block_header h;

	free(s->block);
	s->block = NULL;
	s->first_block = first;
	s->blocks = s->found = 0;
	if (exact) {
		s->block = calloc(most == 0 ? 1 : (size_t)most, sizeof(*s->block));
		if (s->block == NULL)
			return err_set(e, ERR_MEMORY,
				       "places of blocks do not fit into memory");
		capacity = (size_t)most;
		s->blocks = most;
	}
	while (next < most && at < s->in.size) {
		if (!header_at(s, at, &h) || h.number < first + next ||
		    h.number - first >= most) {
			at = search_header(s, at + 1, first + next, first + most, &h);
			if (at == s->in.size)
				break;
		}
		next = h.number - first;
		if (!exact && !make_room(s, next, &capacity))
			break;
		s->block[next] = (struct scan_block){at, (uint32_t)h.stored_size,
						     (uint32_t)h.payload_size};
		s->found++;
		next++;
		if (!exact)
			s->blocks = next;
		// A header that lies about its frame hides what the frame would cover; the
		// frame's digest tells.
		at += BLOCK_HEADER_SIZE + h.stored_size;
	}
	return OK;
}

uint64_t data_scan_end(const struct data_scan *s)
{
	const struct scan_block *last = &s->block[s->blocks - 1];

	return last->offset + BLOCK_HEADER_SIZE + last->stored_size;
}

uint64_t data_scan_whole_size(const struct data_scan *s)
{
	return data_scan_end(s) + seek_table_size(2 + 2 * s->blocks);
}

uint64_t data_scan_payload_size(const struct data_scan *s)
{
	uint64_t sum = s->head_payload_size;

	for (uint64_t i = 0; i < s->blocks; i++)
		sum += s->block[i].payload_size;
	return sum;
}

// ---- First frame ---------------------------------------------------------------------------

// size bytes at offset into r->stored.
static enum status read_stored(const struct data_scan *s, struct block_reader *r,
			       uint64_t offset, uint64_t size, struct err *e)
{
	uint8_t *room;

	buf_clear(&r->stored);
	room = buf_reserve(&r->stored, (size_t)size);
	if (room == NULL)
		return buf_check(&r->stored, "stored bytes", e);
	return file_in_read_at(&s->in, offset, room, (size_t)size, e);
}

static enum status read_head(const struct data_scan *s, struct block_reader *r, uint64_t size,
			     struct err *e)
{
	if (FILE_HEADER_SIZE + size > s->in.size)
		return err_set(e, ERR_DAMAGED,
			       "ends at byte %" PRIu64 " (truncated copy?); " REMEDY,
			       s->in.size);
	return read_stored(s, r, FILE_HEADER_SIZE, size, e);
}

static enum status unpack_head(struct block_reader *r, uint64_t payload_size,
			       const struct digest *content, struct data_head *out,
			       struct err *e)
{
	struct head head;
	enum status st = frame_decompress(r->zstd, r->stored.data, r->stored.size, payload_size,
					  &r->payload, e);

	if (st == OK && content != NULL)
		st = frame_check_digest(r->payload.data, r->payload.size, *content, "content",
					e);
	if (st == OK)
		st = head_decode(r->payload.data, r->payload.size, &head, e);
	if (st == OK)
		*out = (struct data_head){head.recipe,
					  head.dict,
					  head.about,
					  {(const char *)r->stored.data, r->stored.size}};
	return st;
}

enum status data_scan_head_stored(const struct data_scan *s, struct block_reader *r,
				  struct view *stored, struct err *e)
{
	enum status st = read_head(s, r, s->head_size, e);

	if (st == OK)
		st = frame_check_digest(r->stored.data, r->stored.size, s->head_stored,
					"stored bytes", e);
	*stored = (struct view){(const char *)r->stored.data, r->stored.size};
	return st == OK || e == NULL ? st : err_prefix(e, "first frame");
}

enum status data_scan_head(const struct data_scan *s, struct block_reader *r,
			   struct data_head *out, struct err *e)
{
	struct view stored;
	enum status st;

	if (s->has_header) {
		st = data_scan_head_stored(s, r, &stored, e);
		if (st != OK)
			return st;
		st = unpack_head(r, s->head_payload_size, &s->head_content, out, e);
	} else if (s->found > 0 && s->block[0].offset > FILE_HEADER_SIZE &&
		   s->block[0].offset <= BLOCK_PAYLOAD_MAX) {
		st = read_head(s, r, s->block[0].offset - FILE_HEADER_SIZE, e);
		if (st == OK)
			st = unpack_head(r, FRAME_SIZE_UNKNOWN, NULL, out, e);
	} else {
		st = err_set(e, ERR_DAMAGED, "not found, the file header is damaged; " REMEDY);
	}
	return st == OK || e == NULL ? st : err_prefix(e, "first frame");
}

// ---- Blocks --------------------------------------------------------------------------------

static enum status get_stored(const struct data_scan *s, struct block_reader *r, uint64_t index,
			      struct block_header *h, struct err *e)
{
	const struct scan_block *at = &s->block[index];
	enum status st;

	if (at->offset == 0)
		return err_set(e, ERR_DAMAGED, "its header is damaged or not there; " REMEDY);
	if (at->offset + BLOCK_HEADER_SIZE + at->stored_size > s->in.size)
		return err_set(e, ERR_DAMAGED,
			       "the file ends at byte %" PRIu64 " within it (truncated copy?); "
			       "" REMEDY,
			       s->in.size);
	st = read_stored(s, r, at->offset, BLOCK_HEADER_SIZE + (uint64_t)at->stored_size, e);
	if (st == OK)
		st = block_header_decode(r->stored.data, h, e);
	if (st == OK &&
	    (h->number != s->first_block + index || h->stored_size != at->stored_size))
		st = err_set(e, ERR_DAMAGED, "the file changes while it is read");
	if (st == OK)
		st = frame_check_digest(r->stored.data + BLOCK_HEADER_SIZE, at->stored_size,
					h->stored, "stored bytes", e);
	return st;
}

enum status data_scan_stored(const struct data_scan *s, struct block_reader *r, uint64_t index,
			     struct block_header *h, struct view *stored, struct err *e)
{
	enum status st = get_stored(s, r, index, h, e);

	*stored = (struct view){(const char *)r->stored.data, r->stored.size};
	return st;
}

enum status data_scan_block(const struct data_scan *s, struct block_reader *r, uint64_t index,
			    const struct dict *d, struct block *b, struct block_header *h,
			    struct view *stored, struct err *e)
{
	enum status st = get_stored(s, r, index, h, e);

	if (st == OK)
		st = frame_decompress(r->zstd, r->stored.data + BLOCK_HEADER_SIZE,
				      r->stored.size - BLOCK_HEADER_SIZE, h->payload_size,
				      &r->payload, e);
	if (st == OK)
		st = frame_check_digest(r->payload.data, r->payload.size, h->content, "content",
					e);
	if (st == OK)
		st = d == NULL ? block_parse(r->payload.data, r->payload.size, b, e)
			       : block_decode(r->payload.data, r->payload.size, d, b, e);
	if (st == OK)
		st = block_matches_header(b, h, e);
	*stored = (struct view){(const char *)r->stored.data, r->stored.size};
	return st;
}

enum status data_scan_block_header(const struct data_scan *s, uint64_t index,
				   struct block_header *h, struct err *e)
{
	uint8_t bytes[BLOCK_HEADER_SIZE];
	enum status st = s->block[index].offset == 0
				 ? err_set(e, ERR_DAMAGED, "its header is damaged; " REMEDY)
				 : file_in_read_at(&s->in, s->block[index].offset, bytes,
						   sizeof(bytes), e);

	if (st == OK)
		st = block_header_decode(bytes, h, e);
	if (st != OK && e != NULL)
		err_prefix(e, "%s: block %" PRIu64, s->in.path, s->first_block + index);
	return st;
}

void block_reader_swap_stored(struct block_reader *r, struct buf *other)
{
	struct buf mine = r->stored;

	r->stored = *other;
	*other = mine;
}

// ---- Seek table ----------------------------------------------------------------------------

static bool entry_is(const uint8_t *entry, uint32_t stored, uint32_t payload)
{
	return load_le32(entry) == stored && load_le32(entry + 4) == payload;
}

// Entries of the frames that were found; the others have nothing to be compared with.
static bool entries_match(const struct data_scan *s, const uint8_t *table)
{
	const uint8_t *entry = table + SEEK_HEAD_SIZE;
	bool good = entry_is(entry, FILE_HEADER_SIZE, 0);

	if (s->has_header)
		good = good && entry_is(entry + SEEK_ENTRY_SIZE, (uint32_t)s->head_size,
					(uint32_t)s->head_payload_size);
	for (uint64_t i = 0; i < s->blocks && good; i++) {
		entry = table + SEEK_HEAD_SIZE + SEEK_ENTRY_SIZE * (2 + 2 * i);
		good = entry_is(entry, BLOCK_HEADER_SIZE, 0) &&
		       (s->block[i].offset == 0 ||
			entry_is(entry + SEEK_ENTRY_SIZE, s->block[i].stored_size,
				 s->block[i].payload_size));
	}
	return good;
}

static enum status check_table(const struct data_scan *s, struct buf *table, struct err *e)
{
	uint64_t frames = 2 + 2 * s->blocks, size = seek_table_size(frames), at;
	uint8_t *room;
	enum status st;

	if (s->found == s->blocks && s->blocks > 0) {
		at = data_scan_end(s);
		if (s->in.size < at + size)
			return err_set(e, ERR_DAMAGED,
				       "ends at byte %" PRIu64 " (truncated copy?); " REMEDY,
				       s->in.size);
		if (s->in.size > at + size)
			return err_set(e, ERR_DAMAGED,
				       "%" PRIu64 " bytes more than the file should have "
				       "follow it; " REMEDY,
				       s->in.size - at - size);
	} else {
		if (s->in.size < size)
			return err_set(e, ERR_DAMAGED, "not there; " REMEDY);
		at = s->in.size - size;
	}
	room = buf_reserve(table, (size_t)size);
	if (room == NULL)
		return buf_check(table, "seek table", e);
	st = file_in_read_at(&s->in, at, room, (size_t)size, e);
	if (st == OK && (seek_table_check(room, frames, NULL) != OK || !entries_match(s, room)))
		st = err_set(e, ERR_DAMAGED,
			     "does not agree with the frames before it; " REMEDY);
	return st;
}

enum status data_scan_table(const struct data_scan *s, struct buf *table, struct err *e)
{
	enum status st;

	buf_init(table, SIZE_MAX);
	st = check_table(s, table, e);
	return st == OK || e == NULL ? st : err_prefix(e, "seek table");
}
