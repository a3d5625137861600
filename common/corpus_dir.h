// SPDX-License-Identifier: Apache-2.0
// The folder that a corpus, or one shard of it, is written into: its lock, and what an earlier
// writer left there.
#ifndef COMMON_CORPUS_DIR_H
#define COMMON_CORPUS_DIR_H

#include "common/checkpoint.h"
#include "common/file.h"

#define LOCK_SUFFIX ".lock"	// corpus.lock, corpus.3-of-50.lock
#define MANIFEST_SUFFIX ".json" // corpus.json, corpus.3-of-50.json
#define PART_SUFFIX ".part"
#define DATA_NAME_SIZE 40

enum corpus_dir_state {
	CORPUS_DIR_FRESH,      // nothing of this corpus or shard is there yet
	CORPUS_DIR_UNFINISHED, // a checkpoint, and perhaps data files
	CORPUS_DIR_COMPLETE,   // a manifest
};

// Null state: all zero.
struct corpus_dir {
	char *path; // owned
	struct shard shard;
	enum corpus_dir_state state;
	struct checkpoint checkpoint; // of an unfinished one
	struct manifest manifest;     // of a complete one
	uint64_t *data;		      // owned: first blocks of all data files, ascending
	size_t data_count;
	uint64_t *part; // owned: of all unfinished ones
	size_t part_count;
	char sibling[SHARD_NAME_SIZE]; // manifest or checkpoint of another shard, "" for none
	bool made;		       // the folder was not there
	struct file_lock lock;
};

// Makes the folder when missing, takes the lock of the shard (not when it is complete) and says
// how things stand. ERR_EXISTS names the process that holds the lock, or what is in the way:
// without resume anything that is there, with it another corpus, other shards' numbers, or
// foreign files where nothing was begun.
enum status corpus_dir_open(struct corpus_dir *d, const char *path, struct shard shard,
			    bool resume, struct err *e) MUST_CHECK;
// ERR_EXISTS when another shard in the folder is of another recipe.
enum status corpus_dir_check_recipe(const struct corpus_dir *d, const struct recipe *r,
				    struct err *e) MUST_CHECK;
// Records how to go on; a fresh one is unfinished then. c is copied.
enum status corpus_dir_begin(struct corpus_dir *d, const struct checkpoint *c,
			     struct err *e) MUST_CHECK;
// Bytes of the data files, finished or not, of blocks first..end-1.
uint64_t corpus_dir_bytes(const struct corpus_dir *d, uint64_t first, uint64_t end);
// After the manifest is in place: removes the checkpoint and what unfinished data files there
// are of blocks first..end-1.
void corpus_dir_tidy(struct corpus_dir *d, uint64_t first, uint64_t end);
// Lets go of the lock; a folder that was made and is still empty goes.
void corpus_dir_close(struct corpus_dir *d);

// Name of the data file that begins with `block`.
void data_name(uint64_t block, char out[DATA_NAME_SIZE]);

#endif
