// SPDX-License-Identifier: Apache-2.0
// What a writer must know again to go on with an unfinished corpus: recipe, texts, and how data
// files are stored. Written once, before the first data file, and removed after the
// manifest; which blocks are done is seen from the data files. Pure: bytes in, struct out.
#ifndef COMMON_CHECKPOINT_H
#define COMMON_CHECKPOINT_H

#include "common/manifest.h"

#define CHECKPOINT_SUFFIX ".unfinished" // corpus.unfinished, corpus.3-of-50.unfinished
#define CHECKPOINT_MAX_BYTES (1 * MIB)

struct checkpoint {
	struct recipe recipe;
	struct about about;
	uint32_t zstd_level;
	uint64_t file_max_bytes; // as in corpus_writer_options
};

// The layout is our own business: protobuf fields 1 recipe, 2 about, 3 level, 4 bytes of a data
// file; then the XXH3-128 of all that. ERR_LIMIT.
enum status checkpoint_encode(const struct checkpoint *c, struct buf *out,
			      struct err *e) MUST_CHECK;
enum status checkpoint_decode(const void *data, size_t size_bytes, struct checkpoint *out,
			      struct err *e) MUST_CHECK;
void checkpoint_free(struct checkpoint *c); // contents; null state: all zero

#endif
