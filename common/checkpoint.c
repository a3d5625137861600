// SPDX-License-Identifier: Apache-2.0
// Encoding of a checkpoint. The file is corpus_dir's, what to do with it the generator's.
#include "common/checkpoint.h"

#include <string.h>

#include "common/corpus_private.h"
#include "common/pb.h"

enum field { FIELD_RECIPE = 1, FIELD_ABOUT = 2, FIELD_LEVEL = 3, FIELD_FILE_MAX = 4 };

enum status checkpoint_encode(const struct checkpoint *c, struct buf *out, struct err *e)
{
	struct digest digest;
	struct buf part;
	enum status s;

	buf_init_own(&part, CHECKPOINT_MAX_BYTES);
	recipe_encode(&c->recipe, &part);
	pb_put_bytes(out, FIELD_RECIPE, part.data, part.size);
	buf_clear(&part);
	about_encode(&c->about, &part);
	pb_put_bytes(out, FIELD_ABOUT, part.data, part.size);
	s = buf_check(&part, "title, description and licence", e);
	buf_free(&part);
	pb_put_uint(out, FIELD_LEVEL, c->zstd_level);
	pb_put_uint(out, FIELD_FILE_MAX, c->file_max_bytes);
	digest = digest_of(out->data, out->size);
	buf_put(out, digest.bytes, sizeof(digest.bytes));
	return s == OK ? buf_check(out, "checkpoint", e) : s;
}

static enum status decode_fields(const void *data, size_t size_bytes, struct checkpoint *out,
				 struct err *e)
{
	struct pb_reader r;
	struct pb_field f;
	enum status s = OK;

	pb_reader_init(&r, data, size_bytes);
	while (s == OK && pb_next(&r, &f)) {
		if (f.number == FIELD_LEVEL && f.wire == PB_VARINT)
			out->zstd_level = (uint32_t)f.value;
		else if (f.number == FIELD_FILE_MAX && f.wire == PB_VARINT)
			out->file_max_bytes = f.value;
		else if (f.number == FIELD_RECIPE && f.wire == PB_BYTES)
			s = recipe_decode(f.bytes.data, f.bytes.size, &out->recipe, e);
		else if (f.number == FIELD_ABOUT && f.wire == PB_BYTES)
			s = about_decode(f.bytes, &out->about, e);
		else
			s = err_set(e, ERR_VERSION, "unknown field %u", f.number);
	}
	if (s == OK && (r.failed || out->recipe.spans == 0))
		s = err_set(e, ERR_FORMAT, "malformed");
	return s;
}

enum status checkpoint_decode(const void *data, size_t size_bytes, struct checkpoint *out,
			      struct err *e)
{
	const size_t tail = sizeof(struct digest);
	struct digest d;
	enum status s;

	*out = (struct checkpoint){0};
	if (size_bytes < tail)
		return err_set(e, ERR_DAMAGED, "too short");
	memcpy(d.bytes, (const uint8_t *)data + size_bytes - tail, tail);
	if (!digest_equal(d, digest_of(data, size_bytes - tail)))
		return err_set(e, ERR_DAMAGED, "its digest differs");
	s = decode_fields(data, size_bytes - tail, out, e);
	if (s != OK)
		checkpoint_free(out);
	return s;
}

void checkpoint_free(struct checkpoint *c)
{
	about_free(&c->about);
	*c = (struct checkpoint){0};
}
