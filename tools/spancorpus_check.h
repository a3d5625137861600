// SPDX-License-Identifier: Apache-2.0
// A corpus folder that may be damaged anywhere: what is wrong with it, what is known all the
// same, and making it whole again. Shared by the verb verify and the tests; prints nothing.
#ifndef TOOLS_SPANCORPUS_CHECK_H
#define TOOLS_SPANCORPUS_CHECK_H

#include "common/corpus_check.h"
#include "common/progress.h"
#include "gen/generate.h"
#include "tools/spancorpus.h"

enum finding_kind {
	FOUND_DAMAGE,  // bytes are not what they should be
	FOUND_MISSING, // a data file that the manifest names is not there
	FOUND_WRONG,   // whole, but a row or a claim does not hold
};

enum place {
	PLACE_MANIFEST,
	PLACE_FILE,
	PLACE_FILE_HEADER,
	PLACE_FIRST_FRAME,
	PLACE_BLOCK,
	PLACE_SEEK_TABLE,
	PLACE_CORPUS,
};
const char *place_text(enum place p); // "manifest", "seek table", ...

struct finding {
	enum finding_kind kind;
	enum place place;
	const char *file;	// name in the folder; NULL for PLACE_CORPUS
	uint64_t block, blocks; // PLACE_BLOCK and FOUND_MISSING: first and how many
	const char *text;	// one line, file and place included
};

// Makes the generator of a recipe once and keeps it. Null state: all zero.
struct generator_cache {
	struct generator *generator;
	struct recipe recipe;
};
// ERR_VERSION naming both versions when the recipe is another content version's.
enum status generator_cache_get(struct generator_cache *g, const struct recipe *r,
				struct err *e) MUST_CHECK;
void generator_cache_free(struct generator_cache *g);

struct check_options {
	const char *dir;
	bool rows; // invariants of every row
	bool deep; // every block against the recipe
	unsigned threads;
	struct log *log;		   // may be NULL
	struct generator_cache *generator; // for deep and heal
	void (*found)(void *ctx, const struct finding *f);
	void *ctx;
};

// One data file as it should be and as it is.
struct file_check {
	char *name;
	uint64_t first_block, blocks;
	bool present, damaged;
	bool other;		  // whole, but of another corpus
	bool misplaced;		  // of this corpus, but has another file's name
	uint64_t says_first;	  // with misplaced: the block that it begins with
	uint8_t *bad;		  // per block, NULL when none is damaged
	uint64_t bad_blocks;	  // how many
	bool head_bad;		  // first frame or its header
	struct manifest_file now; // as it stands there, name NULL; when not damaged
};

// What a check found out. check_free; null state: all zero.
struct check {
	struct check_options o;
	bool manifest_there, manifest_good;
	struct manifest manifest; // when good
	// Without corpus.json, manifests of shards: manifest is all of them together, as struct
	// corpus has it, and good; nothing is known of what no shard has.
	struct corpus_part *shard;
	size_t shard_count;
	struct buf manifest_text;
	bool recipe_known; // from the manifest, or else from the data files
	struct recipe recipe;
	struct about about;
	int64_t epoch_ms;
	// The dictionary of the first whole first frame.
	struct arena arena;
	struct buf head; // its payload, which these two and the dictionary point into
	struct view recipe_bytes, dict_bytes;
	struct dict dict;
	bool dict_known;
	bool head_known; // a whole first frame that says what it should: others are compared
	struct digest head_content, head_stored;
	struct render *render;
	struct file_check *file;
	size_t file_count;
	// Results.
	uint64_t damage, missing, wrong;
	uint64_t blocks_good, rows, error_rows, traces, simple, medium;
	bool complete;	      // every block there and whole
	bool digest_differs;  // the only damage: blocks are whole, but not the manifest's
	struct digest digest; // of the blocks, when complete
	uint64_t differ;      // blocks that are whole, but not what the recipe makes (deep)
	bool program_differs; // all of them are, so it is this program that makes others
	// private
	struct progress progress;
	uint64_t stored_bytes; // of the blocks seen
	struct corpus_digest *sum;
	uint64_t next_row, next_trace; // that the next block should have
	bool next_known;
};

// Examines the folder; findings go to o->found. An error is something that ends the examination
// (no such folder, no memory, unreadable), not damage.
enum status check_run(struct check *c, const struct check_options *o, struct err *e) MUST_CHECK;
void check_free(struct check *c);
// The manifest of the whole corpus, from what the data files say (file[].now, digest). Without
// a good one only. m: manifest_free.
void check_manifest(const struct check *c, struct manifest *m);

struct heal_result {
	uint64_t files, blocks; // written again, regenerated
	bool manifest;
	uint64_t moved;	 // files that had another's name, or were another corpus's
	struct buf text; // a line each
};
// Rewrites what c (a finished check) found damaged or missing, each file beside its place and
// then moved there. Runs until done or an error; afterwards the folder must be checked again.
// *again: files were only moved so far; check and heal once more.
enum status heal_run(struct check *c, struct heal_result *r, bool *again,
		     struct err *e) MUST_CHECK;

#endif
